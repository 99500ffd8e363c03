/* A snapshot that is on its way.
 *
 * A server makes no copy of a subtree: it walks through it in small steps and sends each znode as
 * it is at that moment, and between the steps whatever changes in the part that it has walked, all
 * in the order of states. Put together in that order they are the subtree as it is when the walk
 * ends. A fold is where they are put together. It holds each znode once, so it is as large as the
 * subtree, whatever happens there meanwhile.
 *
 * Stats are exact: a change tells the stat of its own znode alone, so the coming and going of
 * children is counted in their parents here, as the tree itself does. Pure.
 * May include: wire, public types, base, libc. */

#ifndef COHORT_CLIENT_FOLD_H
#define COHORT_CLIENT_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"
#include "client/base/map.h"
#include "cohort/client.h"

/* What one call of fold_next gives at most: the bytes end with the znode that goes beyond. */
#define FOLD_BATCH_COUNT 256
#define FOLD_BATCH_BYTES (256u << 10)

/* Znodes that are freed in one step of a thread that has more to do. */
#define FOLD_FREED_COUNT 2000

struct fold {
    struct list_node discarded; /* of a list of its owner's */
    struct map nodes;           /* by path */
    struct list order;          /* the same: parents before children */
    size_t bytes;               /* that they take */
    const char *root;           /* borrowed */
    uint64_t seed;              /* of the map: others choose the paths */
    struct list given;          /* what fold_next gave last */
    cohort_change_t batch[FOLD_BATCH_COUNT];
};

/* Nothing yet, of the subtree at `root`, which outlives it; seed: random. NULL without memory. */
struct fold *fold_new (const char *root, uint64_t seed);
/* NULL is allowed. Takes time in proportion to what it holds: fold_shrink first. */
void fold_free (struct fold *fold);
/* What it holds is not wanted any more: frees up to FOLD_FREED_COUNT znodes, and true: there are
 * more. Nothing but this and fold_free may follow. */
bool fold_shrink (struct fold *fold);

/* A change of the transaction with this zxid, or (WIRE_CHANGE_FOUND) a znode that the walk has
 * found. What is set in a part that the walk has yet to reach is ignored: it will be found there. A
 * znode can come without its parent, which then is one that the session may not see.
 * COHORT_ENOMEM: it is as it was; COHORT_EPROTOCOL: no server sends this. */
int fold_take (struct fold *fold, const cohort_change_t *change, uint64_t zxid);

/* Takes out the next few znodes, as changes of kind COHORT_CHANGE_CREATED, parents before children:
 * *batch lives until the next call. Nothing can be added any more. 0: there are none left. */
size_t fold_next (struct fold *fold, cohort_change_t **batch);

/* Whether fold_next has something to give. */
bool fold_empty (const struct fold *fold);

#endif
