/* A one-shot watch of a command (-w): set in front of its read, told behind it; in a shell, which
 * goes on meanwhile, whenever it comes. May include: session, the public client API. */

#ifndef COHORT_CLI_WATCH_ONCE_H
#define COHORT_CLI_WATCH_ONCE_H

#include "client/cli/session.h"

enum watch_once_kind { WATCH_ONCE_DATA, WATCH_ONCE_CHILDREN };

struct watch_once {
    bool fired;
    cohort_event_type_t type;
    uint64_t zxid;
};

/* Sets the watch; the read that comes next sees what it has seen, or more. Returns what to exit
 * with. The watch must stay where it is until the session is closed. */
int watch_once_set (struct watch_once *self, struct session *session, enum watch_once_kind kind,
                    const char *path);

/* Waits until it has fired and prints the event, as a line or as JSON: zxid, kind, path; or until
 * SIGINT or SIGTERM, and prints nothing. In a shell: does not wait. Returns the exit status. */
int watch_once_tell (const struct watch_once *self, struct session *session, const char *path);

#endif
