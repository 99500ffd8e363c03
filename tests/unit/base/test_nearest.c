/* Unit tests of base/nearest.h. */

#include "client/base/nearest.h"

#include "tests/unit/unit.h"

static void test_distance (void **state)
{
    (void) state;
    assert_int_equal (nearest_distance ("", ""), 0);
    assert_int_equal (nearest_distance ("watch", "watch"), 0);
    assert_int_equal (nearest_distance ("WATCH", "watch"), 0);
    assert_int_equal (nearest_distance ("", "abc"), 3);
    assert_int_equal (nearest_distance ("abc", ""), 3);
    assert_int_equal (nearest_distance ("stat", "status"), 2);
    assert_int_equal (nearest_distance ("wacth", "watch"), 1); /* neighbours swapped */
    assert_int_equal (nearest_distance ("kitten", "sitting"), 3);
}

static void test_long_words (void **state)
{
    (void) state;
    char a[100], b[100];
    for (size_t i = 0; i < sizeof a; i++) {
        a[i] = b[i] = i + 1 < sizeof a ? 'x' : 0;
    }
    assert_int_equal (nearest_distance (a, b), 0);
    b[NEAREST_WORD_MAX] = 'y'; /* behind what is compared */
    assert_int_equal (nearest_distance (a, b), 0);
    b[NEAREST_WORD_MAX - 1] = 'y';
    assert_int_equal (nearest_distance (a, b), 1);
}

static void test_word (void **state)
{
    (void) state;
    const char *const words[] = {"get", "set", "servers", "timeout"};
    assert_int_equal (nearest_word ("server", words, 4), 2);
    assert_int_equal (nearest_word ("timeuot", words, 4), 3);
    assert_int_equal (nearest_word ("gte", words, 4), 0);
    assert_int_equal (nearest_word ("bet", words, 4), 0); /* the first of two */
    assert_int_equal (nearest_word ("frobnicate", words, 4), -1);
    assert_int_equal (nearest_word ("g", words, 4), -1);
    assert_int_equal (nearest_word ("", words, 4), -1);
    assert_int_equal (nearest_word ("get", words, 0), -1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_distance),
        cmocka_unit_test (test_long_words),
        cmocka_unit_test (test_word),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
