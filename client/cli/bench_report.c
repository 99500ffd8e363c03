#include "client/cli/bench_report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "client/cli/exit_code.h"
#include "client/cli/output.h"

/* Of the longest bar of a histogram for reading. */
#define BAR_WIDTH 40

/* All that are reported, in the order in which they are. */
static const struct {
    const char *label, *field;
    uint64_t part, whole;
    bool always; /* in the yardstick's line too */
} percentiles[] = {
    {"p50", "p50_us", 1, 2, true},
    {"p90", "p90_us", 9, 10, false},
    {"p99", "p99_us", 99, 100, true},
    {"p99.9", "p999_us", 999, 1000, true},
    {"p99.99", "p9999_us", 9999, 10000, false},
    {"max", "max_us", 1, 1, false},
};

#define PERCENTILE_COUNT (sizeof percentiles / sizeof percentiles[0])

static double us (int64_t ns)
{
    return (double) ns / 1e3;
}

static double percentile_us (const struct bench_result *result, size_t number)
{
    return us (histogram_percentile (result->latencies, percentiles[number].part,
                                     percentiles[number].whole));
}

static double rate_of (const struct bench_result *result)
{
    return result->seconds > 0 ? (double) result->latencies->count / result->seconds : 0;
}

static int finish_json (FILE *stream, json_t *object, int errors)
{
    return output_json (stream, object, 0) && errors == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static json_t *buckets_json (const struct histogram *histogram)
{
    json_t *array = json_array ();
    struct histogram_bucket bucket;
    for (size_t position = 0; histogram_next (histogram, &position, &bucket);) {
        json_array_append_new (array, json_pack ("[f, f, I]", us (bucket.from), us (bucket.to),
                                                 (json_int_t) bucket.count));
    }
    return array;
}

static int report_json (FILE *stream, const struct bench_plan *plan,
                        const struct bench_result *result)
{
    const struct histogram *latencies = result->latencies;
    json_t *object =
        json_pack ("{s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:i, s:I, s:f, s:f, s:f, s:f}", "workload",
                   plan->workload, "sessions", plan->sessions, "window", plan->window, "total",
                   plan->total, "size", plan->size, "keys", plan->keys, "folder", plan->folder,
                   "rate", plan->rate, "operations", (json_int_t) latencies->count, "seconds",
                   result->seconds, "ops_per_second", rate_of (result), "min_us",
                   us (latencies->min), "mean_us", histogram_mean (latencies) / 1e3);
    for (size_t i = 0; i < PERCENTILE_COUNT; i++) {
        json_object_set_new (object, percentiles[i].field, json_real (percentile_us (result, i)));
    }
    if (result->events != BENCH_NO_EVENTS) {
        json_object_set_new (object, "events", json_integer ((json_int_t) result->events));
    }
    json_object_set_new (object, "errors", json_integer (result->errors));
    json_object_set_new (object, "histogram", buckets_json (latencies));
    return finish_json (stream, object, result->errors);
}

/* 1, 2, 5, 10, 20, 50 and so on, each after the other. */
static int64_t next_edge (int64_t edge)
{
    int64_t power = 1;
    while (power * 10 <= edge) {
        power *= 10;
    }
    return edge / power == 2 ? edge / 2 * 5 : edge * 2;
}

static void print_row (FILE *stream, int64_t from_us, int64_t to_us, uint64_t count, uint64_t seen,
                       const struct histogram *histogram, uint64_t highest)
{
    char bar[BAR_WIDTH + 1];
    int width = (int) ((count * BAR_WIDTH + highest - 1) / highest);
    for (int i = 0; i < width; i++) {
        bar[i] = '#';
    }
    bar[width] = 0;
    fprintf (stream, "%10" PRId64 " to %10" PRId64 " us %10" PRIu64 "  %6.2f %%  %s\n", from_us,
             to_us, count, 100.0 * (double) seen / (double) histogram->count, bar);
}

/* Adds up what falls between two edges: a bucket is where it begins. Prints a row for each, or
 * returns the largest sum when there is no stream. */
static uint64_t walk_rows (FILE *stream, const struct histogram *histogram, uint64_t highest)
{
    struct histogram_bucket bucket;
    size_t position = 0;
    uint64_t sum = 0, seen = 0, largest = 0;
    int64_t from_us = 0, to_us = 1;
    bool more = histogram_next (histogram, &position, &bucket);
    while (more) {
        for (sum = 0; more && bucket.from < to_us * 1000;) {
            sum += bucket.count;
            more = histogram_next (histogram, &position, &bucket);
        }
        seen += sum;
        largest = sum > largest ? sum : largest;
        /* Rows that are empty are shown between others only. */
        if (stream != NULL && (sum > 0 || seen > 0)) {
            print_row (stream, from_us, to_us, sum, seen, histogram, highest);
        }
        from_us = to_us;
        to_us = next_edge (to_us);
    }
    return largest;
}

static void print_histogram (FILE *stream, const struct histogram *histogram)
{
    fprintf (stream, "\n%30s %10s  %8s\n", "latency", "operations", "so far");
    walk_rows (stream, histogram, walk_rows (NULL, histogram, 1));
    fprintf (stream, "min %.0f us  mean %.0f us\n", us (histogram->min),
             histogram_mean (histogram) / 1e3);
}

static void print_line (FILE *stream, const struct bench_plan *plan,
                        const struct bench_result *result)
{
    fprintf (stream, "%-7s sessions %d window %d size %d", plan->workload, plan->sessions,
             plan->window, plan->size);
    if (plan->rate > 0) {
        fprintf (stream, " rate %d", plan->rate);
    }
    fprintf (stream, ": %.0f ops/s", rate_of (result));
    for (size_t i = 0; i < PERCENTILE_COUNT; i++) {
        if (percentiles[i].always || plan->rate > 0 || plan->histogram) {
            fprintf (stream, "  %s %.0f us", percentiles[i].label, percentile_us (result, i));
        }
    }
    fprintf (stream, "  errors %d", result->errors);
    if (result->events != BENCH_NO_EVENTS) {
        fprintf (stream, "  events %" PRId64, result->events);
    }
    fputc ('\n', stream);
}

int bench_report (FILE *stream, const struct bench_plan *plan, const struct bench_result *result)
{
    if (plan->json) {
        return report_json (stream, plan, result);
    }
    print_line (stream, plan, result);
    if (plan->histogram && result->latencies->count > 0) {
        print_histogram (stream, result->latencies);
    }
    return result->errors == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
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
