/* What `cohort` says to people, on stderr; and errors of the library, explained.
 * May include: the public client API. */

#ifndef COHORT_CLI_MESSAGE_H
#define COHORT_CLI_MESSAGE_H

#include <stddef.h>

/* Prints "cohort: ", the message and a line feed on stderr; control characters as \x0a. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 1, 2)))
#endif
void message (const char *format, ...);

/* What was being done when an error came. */
enum activity {
    ACTIVITY_CREATE,
    ACTIVITY_DELETE,
    ACTIVITY_READ,
    ACTIVITY_SET,
    ACTIVITY_SET_ACL,
    ACTIVITY_SYNC,
    ACTIVITY_WHY
};

/* Writes one line for `rc` into buffer: the path, what is wrong with it, and what to do. `detail`
 * is what the library had to say, "" or NULL when nothing. Of a long path only the beginning is
 * shown. */
void explain (char *buffer, size_t size, enum activity activity, const char *path, int rc,
              const char *detail);

#endif
