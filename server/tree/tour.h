/*
 * server/tree/tour.h - all znodes in the order of their paths, in steps between changes
 *
 * PURE.  Internal to server/tree: of snapshot.c.
 *
 * Parents come before their children, and these in the order of their names.  The place of a scan
 * is a path, which need not exist any more: a znode that is there all the time is found exactly
 * once, whatever happens to others.  Within a slice, in which nothing changes, a step costs little
 * more than looking at the next child.
 */
#ifndef SERVER_TREE_TOUR_H
#define SERVER_TREE_TOUR_H

#include "client/base/buf.h"
#include "server/tree/state.h"

/* Private. */
struct tour {
    const struct tree *tree;
    struct buf path; /* of the place; the root's is empty */
    bool begun;
    bool down;        /* what is below the place comes next; else what is behind it */
    struct znode *at; /* the place, while it is known that it is there; NULL: look for it */
    bool has_siblings;
    struct children_iterator siblings; /* behind the place */
};

void tour_init (struct tour *self, const struct tree *tree);
void tour_deinit (struct tour *self);

/* Before each slice: the tree may have changed. */
void tour_resume (struct tour *self);

/* A step: *znode is the next, or NULL where the step led upwards only.  false: that was the end, or
 * memory ran out (tour_failed). */
bool tour_next (struct tour *self, struct znode **znode);
bool tour_failed (const struct tour *self);

#endif
