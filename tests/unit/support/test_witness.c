/* The witness: it sees for how long a process is stopped, and nothing where it was not. */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/witness.h"
#include "tests/unit/unit.h"

enum { STOPPED_MS = 100, SLACK_MS = 2 /* a watcher's own sleep, and rounding */ };

static void assert_cover (int64_t expected, size_t count, const struct witness_span *given)
{
    struct witness_span spans[8];
    assert_true (count <= 8);
    for (size_t i = 0; i < count; i++) {
        spans[i] = given[i];
    }
    assert_int_equal (witness_cover (spans, count, 100, 200), expected);
}

static void test_cover (void **state)
{
    (void) state;
    assert_cover (0, 0, NULL);
    assert_cover (0, 2, (struct witness_span[]){{0, 100}, {200, 300}});
    assert_cover (100, 1, (struct witness_span[]){{0, 300}});
    assert_cover (5, 2, (struct witness_span[]){{0, 101}, {196, 300}});
    /* What overlaps counts once, in whatever order it comes. */
    assert_cover (30, 3, (struct witness_span[]){{120, 130}, {105, 125}, {140, 145}});
    assert_cover (50, 3, (struct witness_span[]){{110, 160}, {120, 130}, {120, 160}});
}

/* A child that watches itself: it tells its first moment, is stopped meanwhile, and ends with 0 if
 * it saw for how long. */
static void watch_self (int ready, int resumed)
{
    struct witness *witness = witness_new ();
    char byte;
    int64_t from_ms = witness_now_ms ();
    if (write (ready, "r", 1) != 1 || read (resumed, &byte, 1) != 1) {
        _exit (1);
    }
    int64_t to_ms = witness_now_ms ();
    int64_t still_ms = witness_still_ms (witness, from_ms, to_ms);
    int64_t later_ms = witness_still_ms (witness, to_ms + 1000, to_ms + 2000);
    witness_destroy (&witness);
    _exit (still_ms < STOPPED_MS - SLACK_MS ? 2
           : still_ms > to_ms - from_ms     ? 3
           : later_ms != 0                  ? 4
                                            : 0);
}

static void test_stopped_process (void **state)
{
    int ready[2], resumed[2], status;
    char byte;
    (void) state;
    assert_int_equal (pipe (ready), 0);
    assert_int_equal (pipe (resumed), 0);
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        watch_self (ready[1], resumed[0]);
    }
    assert_int_equal (read (ready[0], &byte, 1), 1);
    assert_int_equal (kill (child, SIGSTOP), 0);
    assert_int_equal (waitpid (child, &status, WUNTRACED), child);
    assert_true (WIFSTOPPED (status));
    int64_t until_ms = witness_now_ms () + 1 + STOPPED_MS;
    while (witness_now_ms () < until_ms) {
    }
    assert_int_equal (kill (child, SIGCONT), 0);
    assert_int_equal (write (resumed[1], "r", 1), 1);
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_cover),
        cmocka_unit_test (test_stopped_process),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
