/*
 * server/tree/lapse.c - znodes that go by themselves
 *
 * PURE.
 */
#include "server/tree/lapse.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/container.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/verify.h"

/* How long an empty container stays, so that it needs not be made again for the next child.  Only
 * what the leader proposes depends on it. */
enum { CONTAINER_GRACE_MS = 1000 };

bool tree_life_valid (uint8_t mode, uint64_t ttl_ms)
{
    bool ephemeral = (mode & COHORT_EPHEMERAL) != 0;
    bool container = (mode & COHORT_CONTAINER) != 0;
    return mode <= (COHORT_EPHEMERAL | COHORT_SEQUENTIAL | COHORT_CONTAINER) &&
           ephemeral + container + (ttl_ms > 0) <= 1 && ttl_ms <= INT64_MAX;
}

/* Whether its time is over, or will be if nothing happens any more. */
static bool waits (const struct znode *znode)
{
    const struct lapse *lapse = znode_lapse (znode);
    return lapse != NULL && znode_child_count (znode) == 0 &&
           (lapse->ttl_ms > 0 || znode->u.family->cversion > 0);
}

/* When a znode with a time to live is due. */
static uint64_t end_of (const struct znode *znode)
{
    int64_t changed_ms = znode_mtime_ms (znode);
    uint64_t mtime_ms = changed_ms > 0 ? (uint64_t) changed_ms : 0;
    return mtime_ms +
           znode_ttl_ms (znode) / (1 + COHORT_MUTATED (lapses_early)); /* of 63 bits each */
}

void lapse_remove (struct tree *self, struct znode *znode)
{
    struct lapse *lapse = znode_lapse (znode);
    if (lapse != NULL && heap_linked (&lapse->node)) {
        heap_remove (&self->lapses, &lapse->node);
    }
}

void lapse_update (struct tree *self, struct znode *znode)
{
    struct lapse *lapse = znode_lapse (znode);
    if (lapse == NULL) {
        return;
    }
    if (!waits (znode)) {
        lapse_remove (self, znode);
        return;
    }
    if (heap_linked (&lapse->node)) {
        if (lapse->ttl_ms > 0) {
            heap_move (&self->lapses, &lapse->node, end_of (znode));
        }
        return;
    }
    lapse->node.key =
        lapse->ttl_ms > 0 ? end_of (znode) : (uint64_t) self->scalars.stamp_ms + CONTAINER_GRACE_MS;
    bool ok = heap_insert (&self->lapses, &lapse->node);
    MEM_NEED (ok);
}

uint64_t lapse_due_ms (const struct znode *znode)
{
    const struct lapse *lapse = znode_lapse (znode);
    return lapse != NULL && heap_linked (&lapse->node) ? lapse->node.key : 0;
}

void lapse_restore (struct tree *self, struct znode *znode, uint64_t due_ms)
{
    lapse_update (self, znode);
    struct lapse *lapse = znode_lapse (znode);
    if (lapse != NULL && heap_linked (&lapse->node)) {
        COHORT_ASSERT (due_ms != 0);
        heap_move (&self->lapses, &lapse->node, due_ms);
    }
}

void lapse_check (const struct tree *self, const struct znode *znode)
{
    const struct lapse *lapse = znode_lapse (znode);
    bool goes = (znode->mode & COHORT_CONTAINER) != 0 || znode_ttl_ms (znode) > 0;
    COHORT_ASSERT (goes == (lapse != NULL));
    if (lapse != NULL) {
        COHORT_ASSERT (lapse->znode == znode);
        COHORT_ASSERT (heap_linked (&lapse->node) == waits (znode));
        COHORT_ASSERT (lapse->ttl_ms == 0 || !waits (znode) || lapse->node.key == end_of (znode));
    }
    COHORT_ASSERT (lapse == NULL || lapse->node.place <= self->lapses.count);
}

/* ---- Proposing and applying -------------------------------------------------------------- */

int64_t tree_lapse_ms (const struct tree *self)
{
    const struct heap_node *first = heap_first (&self->lapses);
    return first == NULL ? INT64_MAX : first->key > INT64_MAX ? INT64_MAX : (int64_t) first->key;
}

struct lapse_list {
    const struct tree *tree;
    struct buf *items;
    uint32_t count;
};

static bool list_item (void *arg, struct heap_node *node)
{
    struct lapse_list *list = arg;
    const struct znode *znode = container_of (node, struct lapse, node)->znode;
    size_t path_size;
    if (!verify_stat (list->tree, znode) ||
        !znode_path (znode, &list->tree->scratch->get_path, &path_size)) {
        return false;
    }
    lapse_encode (list->items, (const char *) list->tree->scratch->get_path.data, path_size,
                  znode->czxid);
    return ++list->count < ENTRY_LAPSE_MAX && list->items->size < ENTRY_PATH_MAX;
}

uint32_t tree_lapses (const struct tree *self, int64_t now_ms, struct buf *items)
{
    struct lapse_list list = {self, items, 0};
    heap_visit (&self->lapses, now_ms > 0 ? (uint64_t) now_ms : 0, list_item, &list);
    return list.count;
}

static bool due (const struct tree *self, const struct znode *znode)
{
    return waits (znode) &&
           (znode_ttl_ms (znode) == 0 || end_of (znode) <= (uint64_t) self->scalars.stamp_ms);
}

void lapse_apply (struct tree *self, const struct entry_lapse *what)
{
    struct reader items = what->items;
    for (uint32_t i = 0; i < what->count; i++) {
        struct lapse_item item;
        bool decoded = lapse_decode (&item, &items);
        COHORT_ASSERT (decoded);
        struct znode *znode = znode_find (&self->znodes, self->root, item.path, item.path_size);
        if (znode == NULL) {
            continue;
        }
        if (!verify_stat (self, znode)) {
            return; /* the state is given up */
        }
        if (znode->czxid != item.czxid || !due (self, znode)) {
            continue;
        }
        if (!verify_stat (self, znode->parent)) {
            return; /* likewise */
        }
        change_delete (self, znode, item.path, item.path_size);
    }
}
