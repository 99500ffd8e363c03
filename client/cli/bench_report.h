/* The line that a workload ends in.
 * May include: bench. */

#ifndef COHORT_CLI_BENCH_REPORT_H
#define COHORT_CLI_BENCH_REPORT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/cli/bench.h"

/* Sorts. */
void bench_sort (int64_t *latencies_ns, size_t count);

/* The latency that part/whole of the sorted latencies do not reach, as the yardstick picks it: the
 * element count * part / whole; 0 when there is none. */
int64_t bench_percentile (const int64_t *sorted_ns, size_t count, size_t part, size_t whole);

/* Prints throughput and latencies, or one JSON object of them; latencies get sorted. Returns the
 * exit status: that of failure if operations failed. */
int bench_report (FILE *stream, const struct bench_plan *plan, int64_t *latencies_ns, size_t count,
                  double seconds, int errors);

/* The line of gap. */
int bench_report_gap (FILE *stream, const struct bench_plan *plan, int acknowledged, int errors,
                      int64_t longest_ns);

#endif
