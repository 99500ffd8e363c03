/*
 * server/tree/children.h - the children of a znode in order
 *
 * PURE.  Internal to server/tree.
 */
#ifndef SERVER_TREE_CHILDREN_H
#define SERVER_TREE_CHILDREN_H

#include "server/tree/znode.h"

/* Puts the list of children into ascending order of their names, if it is not.  The order of the
 * list is no part of the state, so a read may do it.  false: out of memory. */
bool children_sort (struct family *family);

#endif
