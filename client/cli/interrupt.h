/* SIGINT and SIGTERM as an orderly end, for commands that run until then.
 * May include: the public client API. */

#ifndef COHORT_CLI_INTERRUPT_H
#define COHORT_CLI_INTERRUPT_H

#include <stdbool.h>

#include "cohort/client.h"

/* From now on the two signals no longer end the process, and the end of a child is noticed. Returns
 * false if the system refuses. */
bool interrupt_catch (void);

/* The signals do again what they do to any program. Without interrupt_catch: nothing. */
void interrupt_release (void);

/* As interrupt_run, with a time limit (-1: none), and also wakes when a child has ended. Returns
 * the signal that has come (SIGINT, SIGTERM or SIGCHLD), or 0. Several of one kind may be one. */
int interrupt_wait (cohort_t *client, int timeout_ms);

/* Waits until callbacks are ready, and runs them. Returns false once a signal has come. */
bool interrupt_run (cohort_t *client);

#endif
