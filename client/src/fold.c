/* Putting a snapshot together. May include: wire, base, libc. */

#include "client/src/fold.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/mutation.h"
#include "client/src/wire.h"

struct folded {
    struct map_node node;
    struct list_node order; /* of fold.order, then of fold.given */
    cohort_stat_t stat;
    size_t data_size, capacity;
    int hidden;
    uint32_t path_size;
    char bytes[]; /* path, 0, data, 0 */
};

/* ---- Znodes ---------------------------------------------------------------------------------- */

static size_t size_of (const struct folded *folded)
{
    return sizeof (*folded) + folded->path_size + folded->capacity + 2;
}

static char *data_of (struct folded *folded)
{
    return folded->bytes + folded->path_size + 1;
}

static void set_data (struct folded *folded, const cohort_change_t *change)
{
    COHORT_ASSERT (change->size <= folded->capacity);
    char *data = data_of (folded);
    if (change->size > 0) {
        memcpy (data, change->data, change->size);
    }
    data[change->size] = '\0';
    folded->data_size = change->size;
    folded->stat = change->stat;
    folded->hidden = change->hidden;
}

static struct folded *folded_new (const cohort_change_t *change, size_t path_size, uint64_t hash)
{
    COHORT_ASSERT (path_size <= UINT32_MAX);
    struct folded *folded = mem_alloc (sizeof (*folded) + path_size + change->size + 2);
    if (folded == NULL) {
        return NULL;
    }
    list_node_init (&folded->order);
    folded->node.hash = hash;
    folded->capacity = change->size;
    folded->path_size = (uint32_t) path_size;
    memcpy (folded->bytes, change->path, path_size);
    folded->bytes[path_size] = '\0';
    set_data (folded, change);
    return folded;
}

/* ---- The whole ------------------------------------------------------------------------------- */

struct fold *fold_new (const char *root, uint64_t seed)
{
    struct fold *fold = mem_alloc (sizeof (*fold));
    if (fold != NULL) {
        list_node_init (&fold->discarded);
        map_init (&fold->nodes);
        list_init (&fold->order);
        list_init (&fold->given);
        fold->bytes = 0;
        fold->root = root;
        fold->seed = seed;
    }
    return fold;
}

static void free_list (struct list *list)
{
    struct list_node *node;
    while ((node = list_pop_front (list)) != NULL) {
        mem_free (list_entry (node, struct folded, order));
    }
}

bool fold_shrink (struct fold *fold)
{
    map_deinit (&fold->nodes); /* nothing is looked for any more */
    for (size_t i = 0; i < FOLD_FREED_COUNT && !list_empty (&fold->order); i++) {
        mem_free (list_entry (list_pop_front (&fold->order), struct folded, order));
    }
    return !list_empty (&fold->order);
}

void fold_free (struct fold *fold)
{
    if (fold != NULL) {
        map_deinit (&fold->nodes);
        free_list (&fold->order);
        free_list (&fold->given);
        mem_free (fold);
    }
}

struct key {
    const char *path;
    size_t size;
};

static bool has_path (const struct map_node *node, const void *key_arg)
{
    const struct folded *folded = map_entry (node, struct folded, node);
    const struct key *key = key_arg;
    return folded->path_size == key->size && memcmp (folded->bytes, key->path, key->size) == 0;
}

static struct folded *find (const struct fold *fold, uint64_t hash, const char *path, size_t size)
{
    struct key key = {path, size};
    struct map_node *node = map_find (&fold->nodes, hash, has_path, &key);
    return node != NULL ? map_entry (node, struct folded, node) : NULL;
}

static struct folded *find_parent (const struct fold *fold, const char *path, size_t path_size)
{
    size_t size = path_size - 1;
    while (size > 0 && path[size] != '/') {
        size--;
    }
    size = size > 0 ? size : 1;
    return find (fold, hash64 (path, size, fold->seed), path, size);
}

static void add (struct fold *fold, struct folded *folded)
{
    map_insert (&fold->nodes, &folded->node);
    fold->bytes += size_of (folded);
}

static void take_out (struct fold *fold, struct folded *folded)
{
    COHORT_ASSERT (fold->bytes >= size_of (folded));
    fold->bytes -= size_of (folded);
    map_remove (&fold->nodes, &folded->node);
    list_remove (&folded->order);
    mem_free (folded);
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* old: what is there under the path, or NULL: then it comes last.  So does what the walk finds,
 * though it be there: a child may have come before its parent was found. */
static int put (struct fold *fold, struct folded *old, const cohort_change_t *change,
                size_t path_size, uint64_t hash)
{
    struct folded *folded = old;
    if (old != NULL && change->size <= old->capacity) {
        set_data (old, change);
    } else {
        folded = folded_new (change, path_size, hash);
        if (folded == NULL) {
            return COHORT_ENOMEM;
        }
        if (old != NULL) {
            list_insert_after (&old->order, &folded->order);
            take_out (fold, old);
        } else {
            list_push_back (&fold->order, &folded->order);
        }
        add (fold, folded);
    }
    if (change->kind == WIRE_CHANGE_FOUND) {
        list_remove (&folded->order);
        list_push_back (&fold->order, &folded->order);
    }
    return COHORT_OK;
}

/* As the tree counts: server/tree/change.c. */
static int count_child (struct folded *parent, bool created, uint64_t zxid)
{
    cohort_stat_t *stat = &parent->stat;
    if (stat->child_count == (created ? UINT32_MAX : 0)) {
        return COHORT_EPROTOCOL;
    }
    stat->child_count = created ? stat->child_count + 1 : stat->child_count - 1;
    stat->cversion = stat->cversion == INT32_MAX ? 0 : stat->cversion + 1;
    stat->pzxid = zxid;
    return COHORT_OK;
}

static bool is_below (const char *root, size_t root_size, const char *path, size_t size)
{
    return size > root_size && memcmp (path, root, root_size) == 0 &&
           (root_size == 1 || path[root_size] == '/');
}

/* What the walk finds later has its new owner already, or one of a later zxid. */
static void take_owner (struct fold *fold, const cohort_change_t *change)
{
    for (struct list_node *at = list_first (&fold->order); at != NULL;
         at = list_next (&fold->order, at)) {
        cohort_stat_t *stat = &list_entry (at, struct folded, order)->stat;
        if (stat->ephemeral_owner == change->from && stat->ozxid <= change->stat.ozxid) {
            stat->ephemeral_owner = change->stat.ephemeral_owner;
            stat->ozxid = change->stat.ozxid;
        }
    }
}

int fold_take (struct fold *fold, const cohort_change_t *change, uint64_t zxid)
{
    if (change->kind == COHORT_CHANGE_OWNER) {
        if (COHORT_MUTATED (fold_owner)) {
            return COHORT_OK;
        }
        take_owner (fold, change);
        return COHORT_OK;
    }
    size_t size = strlen (change->path), root_size = strlen (fold->root);
    bool root = size == root_size && memcmp (change->path, fold->root, size) == 0;
    COHORT_ASSERT (list_empty (&fold->given));
    if (!root && !is_below (fold->root, root_size, change->path, size)) {
        return COHORT_EPROTOCOL;
    }
    bool found = change->kind == WIRE_CHANGE_FOUND;
    uint64_t hash = hash64 (change->path, size, fold->seed);
    struct folded *old = find (fold, hash, change->path, size);
    if (change->kind == COHORT_CHANGE_DATA || change->kind == COHORT_CHANGE_ACL) {
        return old != NULL ? put (fold, old, change, size, hash) : COHORT_OK;
    }
    /* A parent that may not be seen is not there. */
    struct folded *parent = root ? NULL : find_parent (fold, change->path, size);
    if (change->kind != COHORT_CHANGE_DELETED) {
        int rc = put (fold, old, change, size, hash);
        return rc != COHORT_OK || parent == NULL || found ? rc : count_child (parent, true, zxid);
    }
    if (old != NULL) {
        take_out (fold, old);
    }
    return parent == NULL ? COHORT_OK : count_child (parent, false, zxid);
}

/* ---- Giving out ------------------------------------------------------------------------------ */

bool fold_empty (const struct fold *fold)
{
    return list_empty (&fold->order);
}

size_t fold_next (struct fold *fold, cohort_change_t **batch)
{
    size_t count = 0, bytes = 0;
    free_list (&fold->given);
    /* Nothing is looked for any more, and what is given out is freed. */
    map_deinit (&fold->nodes);
    map_init (&fold->nodes);
    while (count < FOLD_BATCH_COUNT && bytes < FOLD_BATCH_BYTES && !list_empty (&fold->order)) {
        struct list_node *node = list_pop_front (&fold->order);
        struct folded *folded = list_entry (node, struct folded, order);
        list_push_back (&fold->given, node);
        COHORT_ASSERT (fold->bytes >= size_of (folded));
        fold->bytes -= size_of (folded);
        bytes += size_of (folded);
        fold->batch[count++] = (cohort_change_t){
            .kind = COHORT_CHANGE_CREATED,
            .path = folded->bytes,
            .data = data_of (folded),
            .size = folded->data_size,
            .stat = folded->stat,
            .hidden = folded->hidden,
        };
    }
    *batch = fold->batch;
    return count;
}
