/* Unit tests of cli/bench_report.h: percentiles and lines must be the yardstick's. */

#include "client/cli/bench_report.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct bench_plan plan = {
    .workload = "set",
    .sessions = 8,
    .window = 64,
    .total = 1000,
    .size = 100,
};

static void test_percentiles (void **state)
{
    (void) state;
    int64_t values[1000];
    for (int i = 0; i < 1000; i++) {
        values[i] = (i * 7 + 3) % 1000; /* each of 0 to 999 once */
    }
    bench_sort (values, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal (values[i], i);
    }
    assert_int_equal (bench_percentile (values, 1000, 1, 2), 500);
    assert_int_equal (bench_percentile (values, 1000, 99, 100), 990);
    assert_int_equal (bench_percentile (values, 1000, 999, 1000), 999);
    assert_int_equal (bench_percentile (values, 1, 999, 1000), 0);
    assert_int_equal (bench_percentile (values, 3, 1, 2), 1);
    assert_int_equal (bench_percentile (values, 0, 1, 2), 0);
}

static void expect_report (const struct bench_plan *with, const char *expected)
{
    int64_t latencies[1000];
    for (int i = 0; i < 1000; i++) {
        latencies[i] = (1000 - i) * INT64_C (1000);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream (&text, &size);
    assert_int_equal (bench_report (stream, with, latencies, 1000, 0.5, 3), 1);
    fclose (stream);
    assert_string_equal (text, expected);
    free (text);
}

static void test_line (void **state)
{
    (void) state;
    expect_report (&plan,
                   "set     sessions 8 window 64 size 100: 2000 ops/s  p50 501 us  p99 991 us"
                   "  p99.9 1000 us  errors 3\n");
    struct bench_plan json = plan;
    json.json = true;
    expect_report (&json, "{\"workload\": \"set\", \"sessions\": 8, \"window\": 64, \"size\": 100, "
                          "\"ops_per_second\": 2000.0, \"p50_us\": 501.0, \"p99_us\": 991.0, "
                          "\"p999_us\": 1000.0, \"errors\": 3}\n");
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
        cmocka_unit_test (test_percentiles),
        cmocka_unit_test (test_line),
        cmocka_unit_test (test_gap_line),
        cmocka_unit_test (test_workloads),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
