#include "client/cli/bench_report.h"

#include <stdlib.h>

#include "client/cli/exit_code.h"
#include "client/cli/output.h"

static int by_value (const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
    return x < y ? -1 : x > y;
}

void bench_sort (int64_t *latencies_ns, size_t count)
{
    if (count > 1) {
        qsort (latencies_ns, count, sizeof *latencies_ns, by_value);
    }
}

int64_t bench_percentile (const int64_t *sorted_ns, size_t count, size_t part, size_t whole)
{
    return count > 0 ? sorted_ns[count * part / whole] : 0;
}

static int finish_json (FILE *stream, json_t *object, int errors)
{
    return output_json (stream, object, 0) && errors == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

int bench_report (FILE *stream, const struct bench_plan *plan, int64_t *latencies_ns, size_t count,
                  double seconds, int errors)
{
    bench_sort (latencies_ns, count);
    double rate = seconds > 0 ? (double) count / seconds : 0;
    double p50 = (double) bench_percentile (latencies_ns, count, 1, 2) / 1e3;
    double p99 = (double) bench_percentile (latencies_ns, count, 99, 100) / 1e3;
    double p999 = (double) bench_percentile (latencies_ns, count, 999, 1000) / 1e3;
    if (plan->json) {
        return finish_json (stream,
                            json_pack ("{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:i}", "workload",
                                       plan->workload, "sessions", plan->sessions, "window",
                                       plan->window, "size", plan->size, "ops_per_second", rate,
                                       "p50_us", p50, "p99_us", p99, "p999_us", p999, "errors",
                                       errors),
                            errors);
    }
    fprintf (stream,
             "%-7s sessions %d window %d size %d: %.0f ops/s  p50 %.0f us  p99 %.0f us  "
             "p99.9 %.0f us  errors %d\n",
             plan->workload, plan->sessions, plan->window, plan->size, rate, p50, p99, p999,
             errors);
    return errors == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

int bench_report_gap (FILE *stream, const struct bench_plan *plan, int acknowledged, int errors,
                      int64_t longest_ns)
{
    double longest = (double) longest_ns / 1e6;
    if (plan->json) {
        return finish_json (stream,
                            json_pack ("{s:s, s:i, s:i, s:f}", "workload", plan->workload,
                                       "acknowledged", acknowledged, "errors", errors, "longest_ms",
                                       longest),
                            errors);
    }
    fprintf (stream, "gap     acknowledged %d  errors %d  longest %.0f ms\n", acknowledged, errors,
             longest);
    return errors == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}
