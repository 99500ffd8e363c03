/* The watches of a shell that stay (addWatch): each event is printed as soon as the shell waits for
 * a line. May include: event_line, session, the public client API. */

#ifndef COHORT_CLI_SHELL_WATCH_H
#define COHORT_CLI_SHELL_WATCH_H

#include "client/cli/session.h"

struct shell_watch;

struct shell_watches {
    struct shell_watch *first;
};

/* Returns what to exit with. Never blocks. */
int shell_watches_add (struct shell_watches *self, struct session *session, const char *path,
                       cohort_watch_mode_t mode);

/* Ends those on a path that are of that mode; returns how many there were. */
size_t shell_watches_remove (struct shell_watches *self, const char *path,
                             cohort_watch_mode_t mode);

/* Ends all; must come before the end of their session. */
void shell_watches_clear (struct shell_watches *self);

#endif
