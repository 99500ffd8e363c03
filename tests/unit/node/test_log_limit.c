/* So many lines of a kind in the log, and no more. */

#include "server/node/log_limit.h"
#include "tests/unit/unit.h"

static void so_many_in_a_window (void **state)
{
    (void) state;
    struct log_limit limit = {.told = 0};
    uint64_t missed = 99;
    for (int i = 0; i < 3; i++) {
        assert_true (log_limit_admits (&limit, 5000 + i, 3, 1000, &missed));
        assert_int_equal (missed, 0);
    }
    for (int i = 0; i < 7; i++) {
        assert_false (log_limit_admits (&limit, 5900 + i, 3, 1000, &missed));
        assert_int_equal (missed, 0);
    }
    assert_true (log_limit_admits (&limit, 6000, 3, 1000, &missed));
    assert_int_equal (missed, 7);
    assert_true (log_limit_admits (&limit, 6001, 3, 1000, &missed));
    assert_int_equal (missed, 0);
    assert_true (log_limit_admits (&limit, 99000, 3, 1000, &missed));
    assert_int_equal (missed, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (so_many_in_a_window)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
