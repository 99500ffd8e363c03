/* The command line of cohort-sim. */

#ifndef TESTS_SIMULATION_ARGUMENTS_H
#define TESTS_SIMULATION_ARGUMENTS_H

#include <stdio.h>

#include "tests/simulation/world.h"

enum { EXIT_USAGE = 2 };

struct arguments {
    struct sim_options options; /* of each world, but for the seed */
    uint64_t first, last;       /* seeds */
    bool seeds;                 /* several were asked for */
    unsigned jobs;
    bool shrink;
    uint64_t tries;       /* runs that shrinking may take */
    const char *record;   /* where the faults are written to; NULL: nowhere */
    const char *replay;   /* where they are read from */
    const char *expect;   /* a failure that is wanted: an extended regular expression; NULL: none */
    const char *mutation; /* a bug that is switched on; NULL: none */
    const char *history;  /* where what clients see is written to; NULL: nowhere */
    struct fault_list faults;
};

/* true: go on. false: the process ends with *status; what there was to say has been said. */
bool arguments_parse (struct arguments *self, int argc, char **argv, int *status);
void arguments_deinit (struct arguments *self);

/* For who sees one of the worlds fail: the commit, and the commands that run this seed again, with
 * its story, and that make the run smaller. */
void arguments_tell_again (FILE *file, const struct arguments *self, uint64_t seed);

#endif
