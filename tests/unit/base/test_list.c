/* Unit tests of base/list.h. */

#include "client/base/list.h"

#include "client/base/prng.h"
#include "tests/unit/unit.h"

#define ELEMENTS 32

struct element {
    int number;
    struct list_node node;
};

static void check_equals (const struct list *list, const int *numbers, int count)
{
    struct list_node *node = list_first (list);
    for (int i = 0; i < count; i++) {
        assert_non_null (node);
        assert_int_equal (list_entry (node, struct element, node)->number, numbers[i]);
        node = list_next (list, node);
    }
    assert_null (node);
    node = list_last (list);
    for (int i = count - 1; i >= 0; i--) {
        assert_non_null (node);
        assert_int_equal (list_entry (node, struct element, node)->number, numbers[i]);
        node = list_prev (list, node);
    }
    assert_null (node);
    assert_int_equal (list_empty (list), count == 0);
}

static void test_empty (void **state)
{
    (void) state;
    struct list list;
    list_init (&list);
    check_equals (&list, NULL, 0);
    assert_null (list_pop_front (&list));
}

static void test_order (void **state)
{
    (void) state;
    struct list list;
    struct element e[5] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}, {4, {0}}};
    list_init (&list);
    list_push_back (&list, &e[1].node);
    list_push_back (&list, &e[3].node);
    list_push_front (&list, &e[0].node);
    list_insert_before (&e[3].node, &e[2].node);
    list_insert_after (&e[3].node, &e[4].node);
    check_equals (&list, (int[]){0, 1, 2, 3, 4}, 5);

    assert_true (list_linked (&e[2].node));
    list_remove (&e[2].node);
    assert_false (list_linked (&e[2].node));
    check_equals (&list, (int[]){0, 1, 3, 4}, 4);
    assert_ptr_equal (list_pop_front (&list), &e[0].node);
    list_remove (&e[4].node);
    check_equals (&list, (int[]){1, 3}, 2);
}

static void test_splice (void **state)
{
    (void) state;
    struct list list, other;
    struct element e[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    list_init (&list);
    list_init (&other);
    list_splice_back (&list, &other);
    check_equals (&list, NULL, 0);

    list_push_back (&other, &e[0].node);
    list_push_back (&other, &e[1].node);
    list_splice_back (&list, &other);
    check_equals (&list, (int[]){0, 1}, 2);
    check_equals (&other, NULL, 0);

    list_push_back (&other, &e[2].node);
    list_push_back (&other, &e[3].node);
    list_splice_back (&list, &other);
    check_equals (&list, (int[]){0, 1, 2, 3}, 4);
    list_splice_back (&list, &other);
    check_equals (&list, (int[]){0, 1, 2, 3}, 4);
}

/* Against an array that is shifted by hand. */
static void test_against_model (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 1);
    struct list list;
    list_init (&list);
    struct element elements[ELEMENTS] = {0};
    int model[ELEMENTS], count = 0;
    for (int i = 0; i < ELEMENTS; i++) {
        elements[i].number = i;
    }
    for (int round = 0; round < 5000; round++) {
        int i = (int) prng_below (&prng, ELEMENTS);
        int at = 0;
        while (at < count && model[at] != i) {
            at++;
        }
        if (at < count) {
            list_remove (&elements[i].node);
            count--;
            for (; at < count; at++) {
                model[at] = model[at + 1];
            }
        } else if (prng_chance (&prng, 1, 2)) {
            list_push_back (&list, &elements[i].node);
            model[count++] = i;
        } else {
            list_push_front (&list, &elements[i].node);
            for (at = count++; at > 0; at--) {
                model[at] = model[at - 1];
            }
            model[0] = i;
        }
        check_equals (&list, model, count);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_empty),
        cmocka_unit_test (test_order),
        cmocka_unit_test (test_splice),
        cmocka_unit_test (test_against_model),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
