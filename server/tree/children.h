/*
 * server/tree/children.h - the children of a znode, in the order of their names
 *
 * PURE.  Internal to server/tree.
 *
 * A B-tree of pointers: a child costs 8 bytes and a little, names that come in ascending order (as
 * sequential ones do) fill its nodes to the brim, and every function but the visit takes the
 * logarithm of the number of children, so that a parent may have millions.  The order is that of
 * the names' bytes.  Whoever goes on after a change asks for the first name above the last one it
 * saw: what happened in between does not matter.
 */
#ifndef SERVER_TREE_CHILDREN_H
#define SERVER_TREE_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct znode;
struct children_node;

enum { CHILDREN_HEIGHT_MAX = 10 };

struct children {
    struct children_node *root; /* NULL: none */
    uint32_t count;
    uint8_t height; /* levels above the leaves */
};

void children_init (struct children *self);

/* Frees the nodes of the tree; the znodes are not touched. */
void children_deinit (struct children *self);

/* Takes out the last child, for an end in steps: of the children nothing else may be asked any more
 * but children_deinit.  NULL: there is none. */
struct znode *children_pop (struct children *self);

/* Adds a child whose name is not there.  false: out of memory, nothing was changed. */
bool children_insert (struct children *self, struct znode *child);

/* Takes out a child that is there. */
void children_remove (struct children *self, const struct znode *child);

/* NULL: there is none. */
struct znode *children_first (const struct children *self);
struct znode *children_last (const struct children *self);

/* The nearest child above, or below, a name, which need not exist.  NULL: there is none. */
struct znode *children_above (const struct children *self, const char *name, size_t size);
struct znode *children_below (const struct children *self, const char *name, size_t size);

/* Goes through the children in ascending order, from the first on or from the first above a name,
 * as long as nothing changes them. */
struct children_place {
    struct children_node *node;
    unsigned at;
};

struct children_iterator {
    struct children_place places[CHILDREN_HEIGHT_MAX]; /* from the root to a slot of a leaf */
    unsigned leaf;                                     /* which of them is the leaf */
};

void children_begin (const struct children *self, struct children_iterator *iterator);
void children_seek (const struct children *self, const char *name, size_t size,
                    struct children_iterator *iterator);
struct znode *children_next (struct children_iterator *iterator); /* NULL: there are no more */

/* Where a visit begins: behind a name, which need not exist, in the direction of the visit, or at
 * it if it is inclusive.  NULL: with the first. */
struct children_range {
    const char *from;
    size_t size;
    bool inclusive;
    bool descending;
};

/* Calls fn for each child of the range, in order, until it returns false.  fn must not change the
 * children.  Returns whether the end was reached.  range may be NULL: all, ascending. */
typedef bool children_fn (void *arg, const struct znode *child);
bool children_visit (const struct children *self, const struct children_range *range,
                     children_fn *fn, void *arg);

/* Asserts the order and the bounds of the nodes. */
void children_check (const struct children *self);

#endif
