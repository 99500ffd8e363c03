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

/* ---- Lists ------------------------------------------------------------------------------- */

struct element {
    struct list_node node;
    uint64_t key;
    size_t place; /* before */
};

static uint64_t key_of (const struct list_node *node)
{
    return list_entry (node, const struct element, node)->key;
}

static void check_list (struct prng *prng, size_t count, uint64_t keys, size_t step)
{
    static struct element elements[COUNT_MAX];
    struct list list;
    list_init (&list);
    for (size_t i = 0; i < count; i++) {
        elements[i] = (struct element){.key = keys == 0 ? i : prng_below (prng, keys), .place = i};
        list_push_back (&list, &elements[i].node);
    }
    struct sorting sorting;
    assert_true (sorting_begin (&sorting, &list, count, key_of));
    size_t steps = 1;
    while (sorting_step (&sorting, step)) {
        steps++;
    }
    assert_true (steps >= count / step);
    size_t seen = 0;
    const struct element *last = NULL;
    for (struct list_node *at = list_first (&list); at != NULL; at = list_next (&list, at)) {
        const struct element *element = list_entry (at, struct element, node);
        assert_true (last == NULL || last->key < element->key ||
                     (last->key == element->key && last->place < element->place));
        last = element;
        seen++;
    }
    assert_int_equal (seen, count);
}

static void test_lists (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 8);
    for (size_t count = 0; count < 70; count++) {
        for (size_t step = 1; step < 200; step = step * 3 + 1) {
            check_list (&prng, count, 10, step);
            check_list (&prng, count, UINT64_MAX, step);
            check_list (&prng, count, 0, step); /* sorted already */
        }
    }
    check_list (&prng, COUNT_MAX, 1000, 1);
}

static void test_list_given_up (void **state)
{
    (void) state;
    struct element elements[50];
    for (size_t steps = 0; steps < 300; steps++) {
        struct list list;
        struct sorting sorting;
        list_init (&list);
        for (size_t i = 0; i < 50; i++) {
            elements[i] = (struct element){.key = 50 - i};
            list_push_back (&list, &elements[i].node);
        }
        assert_true (sorting_begin (&sorting, &list, 50, key_of));
        for (size_t i = 0; i < steps && sorting_step (&sorting, 1); i++) {
        }
        sorting_abandon (&sorting);
    }
    struct sorting sorting;
    struct list list;
    list_init (&list);
    mem_fail_at (1);
    assert_false (sorting_begin (&sorting, &list, 1, key_of));
    assert_true (mem_fail_clear ());
    assert_false (sorting_begin (&sorting, &list, SIZE_MAX / 8, key_of));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_random),
        cmocka_unit_test (test_sorted_and_reverse),
        cmocka_unit_test (test_lists),
        cmocka_unit_test (test_list_given_up),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
