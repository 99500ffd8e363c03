/* The smallest part of a list that still fails. */

#include <stdint.h>

#include "client/base/prng.h"
#include "tests/simulation/ddmin.h"
#include "tests/unit/unit.h"

enum { THINGS = 100 };

/* Fails if all that is needed is there. */
struct needs {
    bool needed[THINGS];
    size_t tests, tests_max;
};

static bool fails (void *arg, const bool *kept, size_t count, bool *over)
{
    struct needs *self = arg;
    assert_true (count <= THINGS);
    *over = ++self->tests >= self->tests_max;
    for (size_t i = 0; i < count; i++) {
        if (self->needed[i] && !kept[i]) {
            return false;
        }
    }
    return true;
}

/* Whichever are needed, exactly those are left. */
static void test_exactly_what_is_needed (void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct needs needs = {.tests_max = SIZE_MAX};
        struct prng prng;
        bool kept[THINGS];
        prng_seed (&prng, seed);
        size_t count = (size_t) prng_below (&prng, THINGS + 1);
        for (size_t i = 0; i < count; i++) {
            needs.needed[i] = prng_chance (&prng, seed % 8, 50);
        }
        ddmin (kept, count, fails, &needs);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal (kept[i], needs.needed[i]);
        }
    }
}

/* One in a hundred is found in few tests. */
static void test_few_tests (void **state)
{
    struct needs needs = {.tests_max = SIZE_MAX};
    bool kept[THINGS];
    (void) state;
    needs.needed[37] = true;
    ddmin (kept, THINGS, fails, &needs);
    assert_true (kept[37]);
    assert_true (needs.tests < 30);
}

/* Ended early, what is left still fails. */
static void test_ends_early (void **state)
{
    (void) state;
    for (size_t tests_max = 1; tests_max < 60; tests_max++) {
        struct needs needs = {.tests_max = tests_max};
        bool kept[THINGS], over;
        needs.needed[3] = needs.needed[50] = needs.needed[99] = true;
        ddmin (kept, THINGS, fails, &needs);
        assert_true (needs.tests <= tests_max);
        assert_true (fails (&needs, kept, THINGS, &over));
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_exactly_what_is_needed),
        cmocka_unit_test (test_few_tests),
        cmocka_unit_test (test_ends_early),
    };
    return cmocka_run_group_tests_name ("ddmin", tests, NULL, NULL);
}
