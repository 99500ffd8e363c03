/* A walk through a subtree, a page of children at a time: memory follows the depth, not the number
 * of znodes.
 * May include: the public client API. */

#ifndef COHORT_CLI_TOUR_H
#define COHORT_CLI_TOUR_H

#include <stdbool.h>
#include <stddef.h>

#include "cohort/client.h"

/* From this depth on a level keeps its place, but not its page, while the tour is below it. */
#define TOUR_PAGES_MAX 24

struct tour_node {
    const char *path;
    const char *name; /* the last part of path; all of it for the top */
    size_t depth;     /* 0: the top */
    bool last;        /* no sibling follows */
    const void *data; /* with TOUR_DATA, on entering */
    size_t size;
    const cohort_stat_t *stat; /* on entering; NULL on leaving */
};

/* Returns 0 to go on, TOUR_SKIP not to go below this znode, or a negative error that ends it. */
#define TOUR_SKIP 1
typedef int tour_fn (const struct tour_node *node, void *arg);

enum { TOUR_DATA = 1 };

/* Calls enter for path and everything below it, parents before their children and siblings in the
 * order of their names, and leave (may be NULL) once all below a znode has been seen. It is no
 * snapshot: what others create or delete meanwhile may or may not be seen, what stays is seen once.
 * Returns 0, what a callback returned, or the error of a read (COHORT_ENOAUTH: with TOUR_DATA, of
 * data that may not be read, too); COHORT_ENONODE: path does not exist. What is deleted during the
 * tour, by the callbacks too, is passed over. Blocks. */
int tour_run (cohort_t *client, const char *path, int flags, tour_fn *enter, tour_fn *leave,
              void *arg);

#endif
