/*
 * server/tree/read.h - what all reads begin and end with
 *
 * PURE.  Internal to server/tree.
 */
#ifndef SERVER_TREE_READ_H
#define SERVER_TREE_READ_H

#include "server/tree/state.h"

/* The znode: 0, COHORT_ENONODE, or what is wrong with the path. */
int read_find (const struct tree *self, const char *path, size_t path_size, struct znode **znode);

void read_describe (const struct znode *znode, const char *path, struct tree_node *node);

#endif
