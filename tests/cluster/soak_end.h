/* How the process of a server may end, in a soak: by what was done to it. May include: libc, POSIX.
 */

#ifndef TESTS_CLUSTER_SOAK_END_H
#define TESTS_CLUSTER_SOAK_END_H

#include <stdbool.h>

enum soak_end {
    SOAK_GOES_ON = 0,
    SOAK_TOLD_TO_END, /* SIGTERM: as soon as it has begun it does not know yet what that means */
    SOAK_DISK_FAILS,  /* when it meets the failure; with another status if it had not started yet */
    SOAK_NO_ROOM,     /* it goes on, but may not start: no file may grow there */
    SOAK_READ_FAILS,  /* what it has written cannot be read any more */
    SOAK_IS_TWIN      /* it cannot start on what it has copied */
};

/* wait_status: as waitpid has it; started: it had got so far as to listen. What sanitizers end a
 * process with is never expected, as long as tests give them a status of their own. */
bool soak_end_is_expected (enum soak_end expected, int wait_status, bool started);

#endif
