/* Keeps a session, and with it its ephemerals, until somebody ends the command.
 * May include: session, interrupt. */

#ifndef COHORT_CLI_HOLD_H
#define COHORT_CLI_HOLD_H

#include "client/cli/session.h"

/* Until SIGINT or SIGTERM comes, which interrupt_catch must have been called for, or the session is
 * lost. `what` is held, as messages say. Returns what to exit with: CLI_EXIT_OK after a signal. */
int hold_session (struct session *session, const char *what);

#endif
