/* Unit tests of cli/histogram.h: nothing is lost, and the error has its bound. */

#include "client/cli/histogram.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* What is told is at most so much too large: one part in this many. */
#define PARTS (HISTOGRAM_PARTS / 2)

static int by_value (const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
    return x < y ? -1 : x > y;
}

static uint64_t draw (uint64_t *state)
{
    *state = *state * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
    return *state >> 1;
}

static void assert_close (int64_t told, int64_t value)
{
    assert_true (told >= value);
    assert_true (told - value <= value / PARTS);
}

static void test_empty (void **state)
{
    (void) state;
    struct histogram *histogram = histogram_new ();
    struct histogram_bucket bucket;
    size_t position = 0;
    assert_int_equal (histogram_percentile (histogram, 1, 2), 0);
    assert_true (histogram_mean (histogram) == 0);
    assert_false (histogram_next (histogram, &position, &bucket));
    free (histogram);
}

/* Each edge of each bucket, and its neighbours, alone in a histogram. */
static void test_every_size (void **state)
{
    (void) state;
    struct histogram *histogram = histogram_new ();
    for (int bit = 0; bit < 63; bit++) {
        for (int offset = -2; offset <= 2; offset++) {
            int64_t value = (INT64_C (1) << bit) + offset;
            if (value < 0) {
                continue;
            }
            memset (histogram, 0, sizeof *histogram);
            histogram_record (histogram, value);
            struct histogram_bucket bucket;
            size_t position = 0;
            assert_true (histogram_next (histogram, &position, &bucket));
            assert_true (bucket.from <= value && value <= bucket.to);
            assert_true (bucket.to - bucket.from <= value / PARTS);
            assert_int_equal (bucket.count, 1);
            assert_false (histogram_next (histogram, &position, &bucket));
            /* The only value is the largest: exact. */
            assert_true (histogram_percentile (histogram, 1, 2) == value);
        }
    }
    memset (histogram, 0, sizeof *histogram);
    histogram_record (histogram, INT64_MAX);
    histogram_record (histogram, -5);
    assert_true (histogram->min == 0 && histogram->max == INT64_MAX);
    assert_true (histogram_percentile (histogram, 0, 1) == 0);
    assert_true (histogram_percentile (histogram, 1, 1) == INT64_MAX);
    free (histogram);
}

/* The buckets follow each other without gap or overlap. */
static void test_buckets_join (void **state)
{
    (void) state;
    struct histogram *histogram = histogram_new ();
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->counts[i] = 1;
    }
    struct histogram_bucket bucket;
    int64_t expected = 0;
    for (size_t position = 0; histogram_next (histogram, &position, &bucket);) {
        assert_true (bucket.from == expected && bucket.to >= bucket.from);
        expected = bucket.to == INT64_MAX ? 0 : bucket.to + 1;
    }
    assert_true (bucket.to == INT64_MAX);
    free (histogram);
}

/* Against the sorted list, of all sizes at once. */
static void test_percentiles (void **state)
{
    (void) state;
    enum { COUNT = 20000 };
    int64_t *values = calloc (COUNT, sizeof *values);
    struct histogram *histogram = histogram_new ();
    uint64_t seed = 17;
    double sum = 0;
    for (int i = 0; i < COUNT; i++) {
        values[i] = (int64_t) (draw (&seed) >> draw (&seed) % 60);
        sum += (double) values[i];
        histogram_record (histogram, values[i]);
    }
    qsort (values, COUNT, sizeof *values, by_value);
    for (uint64_t part = 0; part < 10000; part++) {
        assert_close (histogram_percentile (histogram, part, 10000), values[COUNT * part / 10000]);
    }
    assert_true (histogram_percentile (histogram, 1, 1) == values[COUNT - 1]);
    assert_true (histogram->min == values[0] && histogram->max == values[COUNT - 1]);
    assert_true (histogram_mean (histogram) == sum / COUNT);
    uint64_t counted = 0;
    struct histogram_bucket bucket;
    for (size_t position = 0; histogram_next (histogram, &position, &bucket);) {
        counted += bucket.count;
    }
    assert_int_equal (counted, COUNT);
    assert_int_equal (histogram->count, COUNT);
    free (histogram);
    free (values);
}

/* Two that are added up are what one would have become. */
static void test_add (void **state)
{
    (void) state;
    struct histogram *one = histogram_new (), *two = histogram_new (), *both = histogram_new ();
    histogram_add (both, one);
    assert_int_equal (both->count, 0);
    for (int64_t i = 0; i < 3000; i++) {
        histogram_record (i % 3 == 0 ? one : two, i * i + 5);
        histogram_record (both, i * i + 5);
    }
    histogram_add (one, two);
    assert_memory_equal (one, both, sizeof *both);
    histogram_add (two, two);
    assert_int_equal (two->count, 4000);
    free (one);
    free (two);
    free (both);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_empty),        cmocka_unit_test (test_every_size),
        cmocka_unit_test (test_buckets_join), cmocka_unit_test (test_percentiles),
        cmocka_unit_test (test_add),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
