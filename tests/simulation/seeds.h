/* Many worlds, several at a time, and what came of them. */

#ifndef TESTS_SIMULATION_SEEDS_H
#define TESTS_SIMULATION_SEEDS_H

#include "tests/simulation/arguments.h"

/* Runs all of the arguments' seeds; prints a line each (or, on a terminal, how far it is), what
 * does not hold, and a closing line. Whether everything held. */
bool seeds_run (const struct arguments *arguments);

#endif
