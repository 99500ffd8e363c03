/* The session of a command: connects within the time limit, and tells why it cannot.
 * May include: arguments, message, security, status_query, the public client API. */

#ifndef COHORT_CLI_SESSION_H
#define COHORT_CLI_SESSION_H

#include <stdint.h>

#include "client/cli/arguments.h"
#include "client/cli/message.h"
#include "client/cli/security.h"
#include "cohort/client.h"

/* Without --timeout, for how long a command waits when no server answers at all. */
#define SESSION_SILENCE_MS 2000

struct session {
    cohort_t *client;
    struct settings settings;
    struct security security;
    int64_t until_ms; /* when the time limit is over, closing included */
    bool timed_out;   /* something was not answered in time */
    bool lent;        /* a shell's, which goes on */
};

/* Whether the list of servers is well-formed, for those who need no session; if not, a message has
 * been printed, and CLI_EXIT_USAGE is what to exit with. */
bool session_servers_valid (const char *servers);

/* Starts a session and waits until it is connected. options: NULL, or what is to differ from the
 * defaults; without them the commands of a shell share its session. The time limit comes from
 * settings. Returns CLI_EXIT_OK, and afterwards blocking calls have the rest of the time limit,
 * less what it may take to find out why it was not enough; or what to exit with: a message has been
 * printed, and there is nothing to close. Blocks. */
int session_open (struct session *self, const struct settings *settings,
                  const cohort_options_t *options);

/* Within what is left of the time limit; a command that is meant to run for longer has time. */
void session_close (struct session *self);

/* A command that is one call: opens a session, makes the call, prints what its error means, and
 * closes the session. Returns what to exit with; a message has been printed unless it is
 * CLI_EXIT_OK. Blocks. */
typedef int session_call_fn (cohort_t *client, void *arg);
int session_call (const struct settings *settings, enum activity activity, const char *path,
                  session_call_fn *fn, void *arg);

/* Prints what `rc` means for what was being done, and returns what to exit with: CLI_EXIT_OK
 * without a message for 0. A time-out is looked into: the servers may have lost their quorum. */
int session_result (struct session *self, enum activity activity, const char *path, int rc);

#endif
