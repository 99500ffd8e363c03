/*
 * server/node/recovery.h - from what the store holds to a tree and a core
 *
 * The newest snapshot is loaded and the log behind it applied, but only as far as the log itself
 * records as committed: what was applied is never taken back.  The rest is the core's affair.
 *
 * These block, at the start of a server.
 */
#ifndef SERVER_NODE_RECOVERY_H
#define SERVER_NODE_RECOVERY_H

#include <stddef.h>

#include "server/core/zab.h"
#include "server/node/logger.h"
#include "server/store/store.h"
#include "server/tree/tree.h"

/* A state that is loaded while the store is opened: arg of store_options.meanwhile.  Zeros but for
 * the options, which have to be those of recovery_tree. */
struct recovery_early {
    struct tree_options options;
    struct tree *tree; /* NULL: none */
    struct zab_point point;
};

void recovery_early_load (void *arg, struct store_reader *reader,
                          const struct store_snapshot_info *info);
void recovery_early_deinit (struct recovery_early *self);

/* The tree, and the point it stands at.  early: may have it already, or be NULL; its tree is taken,
 * or destroyed.  A snapshot that does not load is struck off, and the one
 * before it taken.  0 or COHORT_E... with an English text. */
int recovery_tree (struct store *store, const struct tree_options *options,
                   struct recovery_early *early, const struct logger *logger, struct tree **tree,
                   struct zab_point *applied, char *error, size_t error_size);

/* The whole log, as the store has read it, into a new core. */
int recovery_core (struct store *store, struct zab *zab, char *error, size_t error_size);

#endif
