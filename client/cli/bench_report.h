/* What a workload ends in: the yardstick's line, a histogram for reading, or JSON.
 * May include: bench, histogram. */

#ifndef COHORT_CLI_BENCH_REPORT_H
#define COHORT_CLI_BENCH_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "client/cli/bench.h"
#include "client/cli/histogram.h"

#define BENCH_NO_EVENTS (-1)

struct bench_result {
    struct histogram *latencies; /* ns of each operation or round */
    double seconds;
    int errors;     /* operations that failed                               */
    int64_t events; /* of watches; BENCH_NO_EVENTS: the workload has none   */
};

/* Prints throughput and latencies, or one JSON object of them. Returns the exit status: that of
 * failure if operations failed. */
int bench_report (FILE *stream, const struct bench_plan *plan, const struct bench_result *result);

/* The line of gap, which has had `acknowledged` writes, and none for longest_ns. */
int bench_report_gap (FILE *stream, const struct bench_plan *plan, int acknowledged, int errors,
                      int64_t longest_ns);

#endif
