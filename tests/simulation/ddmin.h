/* The smallest part of a list that still does it: delta debugging, after Zeller and Hildebrandt,
 * "Simplifying and isolating failure-inducing input" (2002). */

#ifndef TESTS_SIMULATION_DDMIN_H
#define TESTS_SIMULATION_DDMIN_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the run with those of `count` things for which kept[i] still fails; *over: there is no
 * more time to try. */
typedef bool ddmin_test_fn (void *arg, const bool *kept, size_t count, bool *over);

/* Marks in kept[0 .. count - 1] a part that still fails, and from which (if nothing ended it early)
 * no single thing can be taken out. All of it must fail. */
void ddmin (bool *kept, size_t count, ddmin_test_fn *test, void *arg);

#endif
