/* Unit tests of cli/bench_report.h: the line must be the yardstick's. */

#include "client/cli/bench_report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct bench_plan plan = {
    .workload = "set",
    .sessions = 8,
    .window = 64,
    .total = 1000,
    .size = 100,
    .keys = 500,
    .folder = BENCH_FOLDER,
};

/* Latencies of 1 to 1,000 us. */
static char *report (const struct bench_plan *with, int count, int64_t events)
{
    struct bench_result result = {
        .latencies = histogram_new (),
        .seconds = 0.5,
        .errors = 3,
        .events = events,
    };
    for (int i = 0; i < count; i++) {
        histogram_record (result.latencies, (count - i) * INT64_C (1000));
    }
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream (&text, &size);
    assert_int_equal (bench_report (stream, with, &result), 1);
    fclose (stream);
    free (result.latencies);
    return text;
}

static void expect_report (const struct bench_plan *with, int64_t events, const char *expected)
{
    char *text = report (with, 1000, events);
    assert_string_equal (text, expected);
    free (text);
}

static void test_line (void **state)
{
    (void) state;
    expect_report (&plan, BENCH_NO_EVENTS,
                   "set     sessions 8 window 64 size 100: 2000 ops/s  p50 502 us  p99 991 us"
                   "  p99.9 1000 us  errors 3\n");
    struct bench_plan open = plan;
    open.rate = 2000;
    expect_report (&open, 7,
                   "set     sessions 8 window 64 size 100 rate 2000: 2000 ops/s  p50 502 us"
                   "  p90 901 us  p99 991 us  p99.9 1000 us  p99.99 1000 us  max 1000 us  errors 3"
                   "  events 7\n");
}

static void test_histogram (void **state)
{
    (void) state;
    struct bench_plan histogram = plan;
    histogram.histogram = true;
    expect_report (
        &histogram, BENCH_NO_EVENTS,
        "set     sessions 8 window 64 size 100: 2000 ops/s  p50 502 us  p90 901 us  p99 991 us"
        "  p99.9 1000 us  p99.99 1000 us  max 1000 us  errors 3\n"
        "\n"
        "                       latency operations    so far\n"
        "         1 to          2 us          1    0.10 %  #\n"
        "         2 to          5 us          4    0.50 %  #\n"
        "         5 to         10 us          5    1.00 %  #\n"
        "        10 to         20 us         10    2.00 %  #\n"
        "        20 to         50 us         30    5.00 %  ###\n"
        "        50 to        100 us         50   10.00 %  ####\n"
        "       100 to        200 us        100   20.00 %  ########\n"
        "       200 to        500 us        300   50.00 %  ########################\n"
        "       500 to       1000 us        500  100.00 %  "
        "########################################\n"
        "min 1 us  mean 500 us\n");
    /* What failed at once leaves nothing to show. */
    char *text = report (&histogram, 0, BENCH_NO_EVENTS);
    assert_null (strstr (text, "latency"));
    free (text);
}

static void test_json (void **state)
{
    (void) state;
    struct bench_plan json = plan;
    json.json = true;
    char *text = report (&json, 1000, 7);
    json_t *object = json_loads (text, 0, NULL);
    free (text);
    const char *workload = NULL, *folder = NULL;
    int sessions = 0, window = 0, total = 0, size = 0, keys = 0, rate = -1, operations = 0;
    double seconds = 0, per_second = 0, min = 0, mean = 0, p50 = 0, max = 0;
    int errors = 0, events = 0;
    json_t *buckets = NULL;
    assert_int_equal (
        json_unpack (object, "{s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:i, s:i, s:f, s:f}", "workload",
                     &workload, "sessions", &sessions, "window", &window, "total", &total, "size",
                     &size, "keys", &keys, "folder", &folder, "rate", &rate, "operations",
                     &operations, "seconds", &seconds, "ops_per_second", &per_second),
        0);
    assert_int_equal (
        json_unpack (object, "{s:f, s:f, s:f, s:F, s:F, s:F, s:F, s:f, s:i, s:i, s:o}", "min_us",
                     &min, "mean_us", &mean, "p50_us", &p50, "p90_us", &(double){0}, "p99_us",
                     &(double){0}, "p999_us", &(double){0}, "p9999_us", &(double){0}, "max_us",
                     &max, "events", &events, "errors", &errors, "histogram", &buckets),
        0);
    assert_string_equal (workload, "set");
    assert_string_equal (folder, "/bench");
    assert_int_equal (sessions * 1000 + window, 8064);
    assert_int_equal (total + size + keys + rate, 1000 + 100 + 500 + 0);
    assert_int_equal (operations, 1000);
    assert_true (seconds == 0.5 && per_second == 2000);
    assert_true (min == 1 && mean == 500.5 && max == 1000);
    assert_true (p50 >= 501 && p50 <= 503);
    assert_int_equal (errors, 3);
    assert_int_equal (events, 7);
    json_int_t count = 0;
    for (size_t i = 0; i < json_array_size (buckets); i++) {
        const json_t *bucket = json_array_get (buckets, i);
        assert_true (json_number_value (json_array_get (bucket, 0)) <=
                     json_number_value (json_array_get (bucket, 1)));
        count += json_integer_value (json_array_get (bucket, 2));
    }
    assert_int_equal (count, 1000);
    json_decref (object);
}

static void expect_gap (const struct bench_plan *with, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream (&text, &size);
    assert_int_equal (bench_report_gap (stream, with, 1234, 2, INT64_C (47600000)), 1);
    fclose (stream);
    assert_string_equal (text, expected);
    free (text);
}

static void test_gap_line (void **state)
{
    (void) state;
    struct bench_plan gap = {.workload = "gap", .kind = BENCH_GAP};
    expect_gap (&gap, "gap     acknowledged 1234  errors 2  longest 48 ms\n");
    gap.json = true;
    expect_gap (&gap, "{\"workload\": \"gap\", \"acknowledged\": 1234, \"errors\": 2, "
                      "\"longest_ms\": 47.600000000000001}\n");
}

static void test_workloads (void **state)
{
    (void) state;
    const struct bench_workload *workload = bench_find ("set-1");
    assert_non_null (workload);
    assert_string_equal (workload->reported, "set");
    assert_int_equal (workload->window, 1);
    assert_int_equal (workload->total, 2000);
    workload = bench_find ("fill");
    assert_int_equal (workload->sessions, 10);
    assert_int_equal (workload->window, 100);
    assert_int_equal (workload->total, 1000000);
    assert_null (bench_find ("nothing"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_line),      cmocka_unit_test (test_histogram),
        cmocka_unit_test (test_json),      cmocka_unit_test (test_gap_line),
        cmocka_unit_test (test_workloads),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
