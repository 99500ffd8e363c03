/* A command that reports on a subtree: opens a session, tours, closes what it has begun to print.
 * May include: the other parts of the command line. */

#ifndef COHORT_CLI_SURVEY_H
#define COHORT_CLI_SURVEY_H

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/tour.h"

struct survey {
    int operand; /* which of them names the subtree; without it: all of / */
    int flags;   /* of tour_run, as the next three */
    tour_fn *enter;
    tour_fn *leave;
    void *arg;
    struct emit *emit; /* begun for every format but text */
};

/* The exit status. */
int survey_run (const struct arguments *arguments, const struct survey *survey);

#endif
