/* Sorting. */

#include "server/tree/sort.h"
#include "tests/unit/tree/fixture.h"

#define COUNT_MAX 300

static int compare_numbers (const void *a, const void *b)
{
    return *(const int *) a - *(const int *) b;
}

static void check_random (struct prng *prng, size_t count, uint64_t keys, bool with_tie)
{
    static struct sort_item items[COUNT_MAX], spare[COUNT_MAX], before[COUNT_MAX];
    static int numbers[COUNT_MAX];
    for (size_t i = 0; i < count; i++) {
        numbers[i] = with_tie ? (int) prng_below (prng, 5) : (int) i;
        items[i] = (struct sort_item){prng_below (prng, keys), &numbers[i]};
        before[i] = items[i];
    }
    sort_items (items, spare, count, with_tie ? compare_numbers : NULL);
    for (size_t i = 1; i < count; i++) {
        assert_true (items[i - 1].key <= items[i].key);
        if (items[i - 1].key == items[i].key) {
            int order = compare_numbers (items[i - 1].value, items[i].value);
            /* Equal ones stay in their order. */
            assert_true (order < 0 || (order == 0 && items[i - 1].value < items[i].value));
        }
    }
    for (size_t i = 0; i < count; i++) {
        size_t found = 0;
        for (size_t k = 0; k < count; k++) {
            found += items[k].value == before[i].value && items[k].key == before[i].key;
        }
        assert_int_equal (found, 1);
    }
}

static void test_random (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 7);
    for (size_t count = 0; count < 70; count++) {
        check_random (&prng, count, 10, true);
        check_random (&prng, count, UINT64_MAX, false);
        check_random (&prng, count, 3, false);
    }
    check_random (&prng, COUNT_MAX, 1000, true);
}

static void test_sorted_and_reverse (void **state)
{
    (void) state;
    struct sort_item items[100], spare[100];
    for (size_t i = 0; i < 100; i++) {
        items[i] = (struct sort_item){i, NULL};
    }
    sort_items (items, spare, 100, NULL);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal (items[i].key, i);
        items[i].key = 99 - i;
    }
    sort_items (items, spare, 100, NULL);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal (items[i].key, i);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_random),
        cmocka_unit_test (test_sorted_and_reverse),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
