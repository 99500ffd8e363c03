/* What the commands that put znodes somewhere have in common: their flags, and what they say.
 * May include: arguments, put, session. */

#ifndef COHORT_CLI_PUT_REPORT_H
#define COHORT_CLI_PUT_REPORT_H

#include "client/cli/arguments.h"
#include "client/cli/put.h"

/* What --if-absent and --overwrite say. False: both were given; a message has been printed. */
bool put_existing (const struct arguments *arguments, enum put_existing *existing);

/* All of it is there. skipped: ephemerals that were left out. The exit status. */
int put_report (const struct put *put, const struct arguments *arguments, uint64_t skipped);

/* It ended with put->rc; what is there stays, and the same command goes on with it. The exit
 * status. */
int put_report_error (struct session *session, const struct put *put,
                      const struct arguments *arguments);

#endif
