/* How a server of a soak may end, and that nothing else is taken for that. */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cluster/soak_end.h"
#include "tests/unit/unit.h"

/* The wait status of a process that ends so; signal: 0: none. */
static int end_of_process (int status, int signal)
{
    int wait_status;
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        if (signal != 0) {
            (void) raise (signal);
        }
        _exit (status);
    }
    assert_int_equal (waitpid (pid, &wait_status, 0), pid);
    return wait_status;
}

/* Of all statuses this one alone, of a server that had started, or had not; -1: none. */
static void assert_status (enum soak_end expected, bool started, int status)
{
    /* Of cohortd; of sanitizers: 23, 66 and 99; of a shell that finds no program. */
    static const int statuses[] = {0, 1, 2, 3, 4, 5, 6, 7, 23, 66, 99, 127, 255};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        assert_int_equal (soak_end_is_expected (expected, end_of_process (statuses[i], 0), started),
                          statuses[i] == status);
    }
}

static void test_goes_on (void **state)
{
    (void) state;
    assert_status (SOAK_GOES_ON, true, -1);
    assert_status (SOAK_GOES_ON, false, -1);
    assert_false (soak_end_is_expected (SOAK_GOES_ON, end_of_process (0, SIGTERM), true));
}

static void test_told_to_end (void **state)
{
    (void) state;
    assert_status (SOAK_TOLD_TO_END, true, 0);
    assert_status (SOAK_TOLD_TO_END, false, 0);
    assert_true (soak_end_is_expected (SOAK_TOLD_TO_END, end_of_process (0, SIGTERM), false));
    assert_false (soak_end_is_expected (SOAK_TOLD_TO_END, end_of_process (0, SIGTERM), true));
    assert_false (soak_end_is_expected (SOAK_TOLD_TO_END, end_of_process (0, SIGKILL), true));
}

/* 4: the disk has failed a server that ran; 1: one that started. */
static void test_disk_fails (void **state)
{
    (void) state;
    assert_status (SOAK_DISK_FAILS, true, 4);
    assert_status (SOAK_DISK_FAILS, false, 1);
    assert_false (soak_end_is_expected (SOAK_DISK_FAILS, end_of_process (0, SIGTERM), true));
}

/* 3: there is no space to start with. For want of it nobody ends who runs. */
static void test_no_room (void **state)
{
    (void) state;
    assert_status (SOAK_NO_ROOM, false, 3);
    assert_status (SOAK_NO_ROOM, true, -1);
    assert_false (soak_end_is_expected (SOAK_NO_ROOM, end_of_process (0, SIGTERM), false));
}

/* 5: the log, when others need it. As it starts it repairs what it cannot read. */
static void test_read_fails (void **state)
{
    (void) state;
    assert_status (SOAK_READ_FAILS, true, 5);
    assert_status (SOAK_READ_FAILS, false, -1);
    assert_false (soak_end_is_expected (SOAK_READ_FAILS, end_of_process (0, SIGTERM), true));
}

static void test_twin (void **state)
{
    (void) state;
    assert_status (SOAK_IS_TWIN, false, 1);
    assert_status (SOAK_IS_TWIN, true, -1);
    assert_false (soak_end_is_expected (SOAK_IS_TWIN, end_of_process (0, SIGTERM), false));
    assert_false (soak_end_is_expected (SOAK_IS_TWIN, end_of_process (0, SIGABRT), false));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_goes_on),    cmocka_unit_test (test_told_to_end),
        cmocka_unit_test (test_disk_fails), cmocka_unit_test (test_read_fails),
        cmocka_unit_test (test_twin),       cmocka_unit_test (test_no_room),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
