/* The language of the scenarios: see script.c. */

#ifndef COHORT_TESTS_SCRIPT_H
#define COHORT_TESTS_SCRIPT_H

#include <stdbool.h>

#include "client/base/buf.h"

/* Runs the commands of a scenario and appends to `result` the same text with the traces that they
 * leave now. false: a command is wrong (said on stderr). `path` is for messages. */
bool script_run (const char *path, const char *text, struct buf *result);

#endif
