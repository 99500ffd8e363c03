/*
 * server/node/retired.h - trees that nobody needs any more
 *
 * A state that a snapshot has replaced, or one that was not loaded to the end: destroying it at
 * once would hold up everybody, so it is taken apart a slice a turn.
 */
#ifndef SERVER_NODE_RETIRED_H
#define SERVER_NODE_RETIRED_H

#include <stdbool.h>
#include <stddef.h>

#include "server/tree/tree.h"

enum {
    RETIRED_OBJECTS = 1000, /* of a slice */
    RETIRED_MAX = 4         /* beyond that the oldest goes at once */
};

/* Private. */
struct retired {
    struct tree *trees[RETIRED_MAX];
    size_t count;
};

void retired_init (struct retired *self);
void retired_deinit (struct retired *self);

/* Takes the tree over; *tree_p becomes NULL.  It may be NULL. */
void retired_add (struct retired *self, struct tree **tree_p);

/* A slice; true: there is more to do. */
bool retired_turn (struct retired *self);

#endif
