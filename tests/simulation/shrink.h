/* From a run that fails to a smaller one that fails likewise. */

#ifndef TESTS_SIMULATION_SHRINK_H
#define TESTS_SIMULATION_SHRINK_H

#include "tests/simulation/arguments.h"

/* Records the faults of the run, and then leaves out what it can: time, kinds of faults, clients,
 * servers, requests, single faults. Shows the end of the story of the smallest run found, and
 * writes it to arguments->record (or seed-N.replay). false: the run does not fail, or not each
 * time, or the file cannot be written; that has been said. */
bool shrink_run (const struct arguments *arguments);

#endif
