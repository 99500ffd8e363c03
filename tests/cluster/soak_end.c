/* How the process of a server may end, in a soak. */

#include "tests/cluster/soak_end.h"

#include <signal.h>
#include <sys/wait.h>

/* Of cohortd. */
enum { STOPPED = 0, CANNOT_START = 1, NO_ROOM = 3, DISK_FAILED = 4, DAMAGED = 5 };

static bool exits_with (int wait_status, int status)
{
    return WIFEXITED (wait_status) && WEXITSTATUS (wait_status) == status;
}

bool soak_end_is_expected (enum soak_end expected, int wait_status, bool started)
{
    switch (expected) {
    case SOAK_TOLD_TO_END:
        return exits_with (wait_status, STOPPED) ||
               (WIFSIGNALED (wait_status) && WTERMSIG (wait_status) == SIGTERM && !started);
    case SOAK_DISK_FAILS:
        return exits_with (wait_status, started ? DISK_FAILED : CANNOT_START);
    case SOAK_NO_ROOM:
        return exits_with (wait_status, NO_ROOM) && !started;
    case SOAK_READ_FAILS:
        return exits_with (wait_status, DAMAGED) && started;
    case SOAK_IS_TWIN:
        return exits_with (wait_status, CANNOT_START) && !started;
    default:
        return false;
    }
}
