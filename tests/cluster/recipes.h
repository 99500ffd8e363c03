/* Recipes on a real ensemble: several clients in one thread hold, wait, hand on and meet, and after
 * every step it is checked that no two have what only one may have. */

#ifndef TESTS_CLUSTER_RECIPES_H
#define TESTS_CLUSTER_RECIPES_H

/* Clients of these servers, and their recipes; fails the test on error, like all of these. */
void recipes_init (const char *servers);

/* Goes on until each recipe has been through so many rounds more. */
void recipes_until_progress (unsigned rounds, int limit_ms);

/* Releases everything, and ends. */
void recipes_deinit (void);

#endif
