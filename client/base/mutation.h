/* Bugs that tests can switch on.
 *
 * Where the code guards against a bug that somebody has had, it may ask COHORT_MUTATED (name): not
 * here, then. That is the constant false, and so nothing at all in the objects. Only a build with
 * the CMake option COHORT_MUTATIONS, which cannot be installed, has the bugs; one of them at a time
 * is selected for the process, by tests/mutations/run, and the simulator must find it. The names
 * are listed in tests/mutations/table. May include: libc only. */

#ifndef COHORT_BASE_MUTATION_H
#define COHORT_BASE_MUTATION_H

#include <stdbool.h>

#ifdef COHORT_MUTATIONS

#define COHORT_MUTATED(name) mutation_is (#name)

/* From now on this mutation is there, and no other; NULL: none. The name stays the caller's. Before
 * anything else is called; one thread. */
void mutation_select (const char *name);

/* Whether it is the selected one. */
bool mutation_is (const char *name);

/* Whether the selected one was ever asked for: else nothing was tested. */
bool mutation_reached (void);

/* Failed assertions in files whose path contains one of these, with commas between them, do not
 * count: so it is seen what else would find a bug. The text stays the caller's. */
void mutation_forgive (const char *files);
bool mutation_forgives (const char *file);

#else

#define COHORT_MUTATED(name) false

#endif

#endif
