/* Runs a program for an event.
 * May include: libc only. */

#ifndef COHORT_CLI_SPAWN_H
#define COHORT_CLI_SPAWN_H

#include <stdbool.h>
#include <stddef.h>

/* Runs argv (ended with NULL) with data as its standard input and with the variables of `names` and
 * `values`, and waits for it. False: it could not be run, or failed; a message has been printed.
 * The variables stay set in this process. */
bool spawn_wait (char *const *argv, const char *const *names, const char *const *values,
                 size_t count, const void *data, size_t size);

#endif
