/*
 * server/tree/lapse.h - znodes that go by themselves: containers, and those with a time to live
 *
 * PURE.  Internal to server/tree.
 *
 * A container is due once it has had children and has none.  A znode with a time to live is due
 * when it has no children and its data was not set for that long.  Which ones are due is derived
 * from the state, so any server knows; the leader proposes their removal as an entry (tree_lapses),
 * and apply looks at each again: one that was written to meanwhile stays.
 */
#ifndef SERVER_TREE_LAPSE_H
#define SERVER_TREE_LAPSE_H

#include "server/tree/state.h"

/* After a change of the children, of cversion or of mtime. */
void lapse_update (struct tree *self, struct znode *znode);

/* When it is due; 0: it does not wait for its end. */
uint64_t lapse_due_ms (const struct znode *znode);

/* As lapse_update, for one that is as it was before: due_ms is what lapse_due_ms said of it then. A
 * multi that is taken back gives an empty container no further grace. */
void lapse_restore (struct tree *self, struct znode *znode, uint64_t due_ms);

/* The znode leaves the tree. */
void lapse_remove (struct tree *self, struct znode *znode);

void lapse_apply (struct tree *self, const struct entry_lapse *what);

/* Whether a znode can live so: a container has no time to live, an ephemeral neither, and the time
 * fits into 63 bits. */
bool tree_life_valid (uint8_t mode, uint64_t ttl_ms);

void lapse_check (const struct tree *self, const struct znode *znode);

#endif
