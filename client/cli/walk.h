/* The paths of a subtree, read with many requests in flight.
 * May include: the public client API. */

#ifndef COHORT_CLI_WALK_H
#define COHORT_CLI_WALK_H

#include <stddef.h>

#include "cohort/client.h"

/* Reads in flight, and the most znodes that a walk takes. */
#define WALK_WINDOW    256
#define WALK_PATHS_MAX ((size_t) 100 * 1000 * 1000)

struct paths {
    char **items;
    size_t count;
    size_t room;
};

void paths_init (struct paths *self);
void paths_deinit (struct paths *self);

/* Adds "parent/name" or, with name NULL, a copy of parent. COHORT_ENOMEM, COHORT_ELIMIT. */
int paths_add (struct paths *self, const char *parent, const char *name);

/* The order of a walk: parents before their children, siblings by name, a subtree in one piece. */
void paths_sort (struct paths *self);
int paths_compare (const char *a, const char *b);

/* Fills an initialized list with `path` and everything below it, sorted. What vanishes meanwhile
 * may be in it. COHORT_ENONODE: path itself does not exist; COHORT_ETIMEDOUT: no answer for
 * timeout_ms; whatever a read can return. Blocks. */
int walk_subtree (cohort_t *client, const char *path, int timeout_ms, struct paths *paths);

#endif
