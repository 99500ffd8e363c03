/* Looking for a seed that fails as expected, and bugs that are switched on to be found. */

#ifndef TESTS_SIMULATION_HUNT_H
#define TESTS_SIMULATION_HUNT_H

#include "tests/simulation/arguments.h"

/* Runs the arguments' seeds until one fails with a text that arguments.expect matches, and came to
 * the place of the mutation, if one is selected. Prints one line. The exit status: 0, if there was
 * such a seed. */
int hunt_run (const struct arguments *arguments);

/* The mutation from now on; assertions that do not count (client/base/mutation.h). false: this
 * build has none. */
bool hunt_mutate (const char *name);
bool hunt_forgive (const char *files);

/* Whether the mutation was ever asked for in this process. */
bool hunt_mutated (void);

#endif
