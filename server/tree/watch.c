/*
 * server/tree/watch.c - one-shot watches
 *
 * PURE.  A table of paths, each with a list of watches for each kind, in the order in which they
 * were set; a table of owners, each with a list of its watches; and a table of watches, in which
 * the second of two equal ones is noticed.
 */
#include "server/tree/watch.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "server/tree/path.h"
#include "server/tree/state.h"

enum {
    KINDS = 3,
    /* So many effects are looked at for one watch; beyond that the znode has to tell. */
    LOOK_MAX = 64 << 10
};

struct watched {
    struct map_node node;
    struct list watches[KINDS];
    uint32_t path_size;
    char path[];
};

struct owner {
    struct map_node node; /* its hash is the number */
    struct list watches;
};

struct watch {
    struct map_node node;
    struct list_node of_path;
    struct list_node of_owner;
    struct watched *watched; /* NULL: about to be reported, and only its owner has it */
    struct owner *owner;
    uint8_t kind;
};

struct watches {
    uint64_t hash_root;
    struct map paths;
    struct map owners;
    struct map all;
};

struct watches *watches_new (uint64_t hash_seed)
{
    struct watches *self = mem_calloc (1, sizeof (*self));
    if (self != NULL) {
        self->hash_root = tree_path_hash_root (hash_seed);
        map_init (&self->paths);
        map_init (&self->owners);
        map_init (&self->all);
    }
    return self;
}

static void free_watched (struct map_node *node, void *arg)
{
    (void) arg;
    mem_free (map_entry (node, struct watched, node));
}

static void free_owner (struct map_node *node, void *arg)
{
    (void) arg;
    mem_free (map_entry (node, struct owner, node));
}

static void free_watch (struct map_node *node, void *arg)
{
    (void) arg;
    mem_free (map_entry (node, struct watch, node));
}

void watches_destroy (struct watches **self_p)
{
    struct watches *self = *self_p;
    if (self == NULL) {
        return;
    }
    map_drain (&self->all, free_watch, NULL);
    map_drain (&self->owners, free_owner, NULL);
    map_drain (&self->paths, free_watched, NULL);
    mem_free (self);
    *self_p = NULL;
}

size_t watches_count (const struct watches *self)
{
    return map_count (&self->all);
}

/* ---- Tables ------------------------------------------------------------------------------ */

struct path_key {
    const char *path;
    size_t size;
};

static bool has_path (const struct map_node *node, const void *key)
{
    const struct path_key *wanted = key;
    const struct watched *watched = map_entry (node, struct watched, node);
    return watched->path_size == wanted->size &&
           memcmp (watched->path, wanted->path, wanted->size) == 0;
}

static struct watched *find_path (const struct watches *self, const char *path, size_t size)
{
    struct path_key key = {path, size};
    struct map_node *found =
        map_find (&self->paths, tree_path_hash (self->hash_root, path, size, NULL), has_path, &key);
    return found != NULL ? map_entry (found, struct watched, node) : NULL;
}

static struct watched *need_path (struct watches *self, const char *path, size_t size)
{
    struct watched *watched = find_path (self, path, size);
    if (watched == NULL) {
        watched = mem_alloc (sizeof (*watched) + size);
        if (watched == NULL) {
            return NULL;
        }
        for (int kind = 0; kind < KINDS; kind++) {
            list_init (&watched->watches[kind]);
        }
        watched->path_size = (uint32_t) size;
        memcpy (watched->path, path, size);
        watched->node.hash = tree_path_hash (self->hash_root, path, size, NULL);
        map_insert (&self->paths, &watched->node);
    }
    return watched;
}

static bool any_owner (const struct map_node *node, const void *key)
{
    /* The hash is the number. */
    (void) node;
    (void) key;
    return true;
}

static struct owner *find_owner (const struct watches *self, uint64_t number)
{
    struct map_node *found = map_find (&self->owners, number, any_owner, NULL);
    return found != NULL ? map_entry (found, struct owner, node) : NULL;
}

static struct owner *need_owner (struct watches *self, uint64_t number)
{
    struct owner *owner = find_owner (self, number);
    if (owner == NULL) {
        owner = mem_calloc (1, sizeof (*owner));
        if (owner == NULL) {
            return NULL;
        }
        list_init (&owner->watches);
        owner->node.hash = number;
        map_insert (&self->owners, &owner->node);
    }
    return owner;
}

/* Lets go of entries that have no watch any more. */
static void drop_if_empty (struct watches *self, struct watched *watched, struct owner *owner)
{
    if (watched != NULL && list_empty (&watched->watches[0]) && list_empty (&watched->watches[1]) &&
        list_empty (&watched->watches[2])) {
        map_remove (&self->paths, &watched->node);
        mem_free (watched);
    }
    if (owner != NULL && list_empty (&owner->watches)) {
        map_remove (&self->owners, &owner->node);
        mem_free (owner);
    }
}

static bool same_watch (const struct map_node *node, const void *key)
{
    const struct watch *watch = map_entry (node, struct watch, node);
    const struct watch *wanted = key;
    return watch->watched == wanted->watched && watch->owner == wanted->owner &&
           watch->kind == wanted->kind;
}

static uint64_t watch_hash (const struct watched *watched, uint64_t owner, enum watch_kind kind)
{
    uint64_t key[2] = {owner, (uint64_t) kind};
    return hash64 (key, sizeof (key), watched->node.hash);
}

static struct watch *find_watch (const struct watches *self, uint64_t owner, enum watch_kind kind,
                                 const char *path, size_t path_size)
{
    struct watch wanted = {
        .watched = find_path (self, path, path_size),
        .owner = find_owner (self, owner),
        .kind = (uint8_t) kind,
    };
    if (wanted.watched == NULL || wanted.owner == NULL) {
        return NULL;
    }
    uint64_t hash = watch_hash (wanted.watched, owner, kind);
    struct map_node *found = map_find (&self->all, hash, same_watch, &wanted);
    return found != NULL ? map_entry (found, struct watch, node) : NULL;
}

bool watches_add (struct watches *self, uint64_t owner, enum watch_kind kind, const char *path,
                  size_t path_size)
{
    COHORT_ASSERT (kind >= WATCH_DATA && kind <= WATCH_CHILDREN);
    COHORT_ASSERT (path_size <= UINT32_MAX);
    struct watch wanted = {
        .watched = need_path (self, path, path_size),
        .owner = need_owner (self, owner),
        .kind = (uint8_t) kind,
    };
    if (wanted.watched == NULL || wanted.owner == NULL) {
        drop_if_empty (self, wanted.watched, wanted.owner);
        return false;
    }
    uint64_t hash = watch_hash (wanted.watched, owner, kind);
    if (map_find (&self->all, hash, same_watch, &wanted) != NULL) {
        return true;
    }
    struct watch *watch = mem_dup (&wanted, sizeof (wanted));
    if (watch == NULL) {
        drop_if_empty (self, wanted.watched, wanted.owner);
        return false;
    }
    watch->node.hash = hash;
    map_insert (&self->all, &watch->node);
    list_push_back (&watch->watched->watches[kind - 1], &watch->of_path);
    list_push_back (&watch->owner->watches, &watch->of_owner);
    return true;
}

static void remove_watch (struct watches *self, struct watch *watch)
{
    list_remove (&watch->of_path);
    list_remove (&watch->of_owner);
    if (watch->watched != NULL) {
        map_remove (&self->all, &watch->node);
    }
    drop_if_empty (self, watch->watched, watch->owner);
    mem_free (watch);
}

bool watches_has (const struct watches *self, uint64_t owner, enum watch_kind kind,
                  const char *path, size_t path_size)
{
    return find_watch (self, owner, kind, path, path_size) != NULL;
}

bool watches_remove (struct watches *self, uint64_t owner, enum watch_kind kind, const char *path,
                     size_t path_size)
{
    struct watch *watch = find_watch (self, owner, kind, path, path_size);
    if (watch != NULL) {
        remove_watch (self, watch);
    }
    return watch != NULL;
}

bool watches_remove_some (struct watches *self, uint64_t owner, size_t count)
{
    struct owner *found = find_owner (self, owner);
    for (; found != NULL && count > 0; count--) {
        struct list_node *first = list_first (&found->watches);
        COHORT_ASSERT (first != NULL);
        /* With its last watch the owner goes. */
        bool last = list_next (&found->watches, first) == NULL;
        remove_watch (self, list_entry (first, struct watch, of_owner));
        found = last ? NULL : found;
    }
    return found != NULL;
}

void watches_remove_owner (struct watches *self, uint64_t owner)
{
    (void) watches_remove_some (self, owner, SIZE_MAX);
}

/* ---- Firing ------------------------------------------------------------------------------ */

/* Whether an effect fires a watch of a kind on the path itself, or (on_parent) on its parent: the
 * event, or 0. */
static int event_of (enum effect_kind effect, enum watch_kind kind, bool on_parent)
{
    if (on_parent) {
        return kind == WATCH_CHILDREN && (effect == EFFECT_CREATED || effect == EFFECT_DELETED)
                   ? COHORT_EVENT_CHILDREN
                   : 0;
    }
    switch (effect) {
    case EFFECT_CREATED:
        return kind == WATCH_EXISTS ? COHORT_EVENT_CREATED : 0;
    case EFFECT_DELETED:
        return COHORT_EVENT_DELETED;
    case EFFECT_DATA:
        return kind != WATCH_CHILDREN ? COHORT_EVENT_CHANGED : 0;
    case EFFECT_ACL:
    case EFFECT_OWNER:
        return 0;
    }
    return 0;
}

/* What is fired is taken out first, all of it: fn may set watches anew, or remove an owner. */
static void fire (struct watches *self, struct watched *watched, const struct effect *effect,
                  bool on_parent, watches_fn *fn, void *arg)
{
    struct list fired;
    list_init (&fired);
    size_t path_size = watched->path_size;
    for (int i = 0; i < KINDS; i++) {
        if (event_of (effect->kind, (enum watch_kind) (i + 1), on_parent) != 0) {
            list_splice_back (&fired, &watched->watches[i]);
        }
    }
    for (struct list_node *at = list_first (&fired); at != NULL; at = list_next (&fired, at)) {
        struct watch *watch = list_entry (at, struct watch, of_path);
        map_remove (&self->all, &watch->node);
        watch->watched = NULL;
    }
    drop_if_empty (self, watched, NULL);
    struct list_node *first;
    while ((first = list_first (&fired)) != NULL) {
        struct watch *watch = list_entry (first, struct watch, of_path);
        uint64_t owner = watch->owner->node.hash;
        enum watch_kind kind = (enum watch_kind) watch->kind;
        int event = event_of (effect->kind, kind, on_parent);
        COHORT_ASSERT (event != 0);
        COHORT_ASSERT (watch->watched == NULL);
        remove_watch (self, watch);
        fn (arg, owner, kind, (cohort_event_type_t) event, effect->path, path_size, effect->zxid);
    }
}

void watches_fire (struct watches *self, const struct effect *effect, watches_fn *fn, void *arg)
{
    struct watched *watched = find_path (self, effect->path, effect->path_size);
    if (watched != NULL) {
        fire (self, watched, effect, false, fn, arg);
    }
    if (effect->path_size <= 1 || effect->kind == EFFECT_DATA || effect->kind == EFFECT_ACL) {
        return;
    }
    size_t parent_size = tree_path_parent_size (effect->path, effect->path_size);
    watched = find_path (self, effect->path, parent_size);
    if (watched != NULL && !list_empty (&watched->watches[WATCH_CHILDREN - 1])) {
        fire (self, watched, effect, true, fn, arg);
    }
}

/* ---- What was missed --------------------------------------------------------------------- */

struct missed {
    enum watch_kind kind;
    const char *path;
    size_t path_size;
    int event; /* 0: none so far */
    zxid_t zxid;
};

/* The first effect that fires the watch ends the search. */
static bool look (void *arg, const struct effect *effect)
{
    struct missed *missed = arg;
    size_t size = effect->path_size;
    bool on_parent = size != missed->path_size;
    if (on_parent) {
        size = size > 1 ? tree_path_parent_size (effect->path, size) : 0;
    }
    if (size != missed->path_size || memcmp (effect->path, missed->path, size) != 0) {
        return true;
    }
    missed->event = event_of (effect->kind, missed->kind, on_parent);
    missed->zxid = effect->zxid;
    return missed->event == 0;
}

/* The nearest ancestor of a path that exists. */
static const struct znode *nearest_ancestor (const struct tree *tree, const char *path, size_t size)
{
    const struct znode *znode = NULL;
    while (znode == NULL) {
        size = size > 1 ? tree_path_parent_size (path, size) : 1;
        znode = size > 1 ? znode_find (&tree->znodes, tree->root, path, size) : tree->root;
    }
    return znode;
}

/* By what the znode looks like now: the event, or 0 if surely nothing was missed. */
static int compare (const struct tree *tree, enum watch_kind kind, const char *path,
                    size_t path_size, zxid_t seen, zxid_t *zxid)
{
    const struct znode *znode = znode_find (&tree->znodes, tree->root, path, path_size);
    if (znode == NULL) {
        cohort_stat_t above;
        znode_stat (nearest_ancestor (tree, path, path_size), &above);
        /* It was not there before either, if nothing has changed where it would have been; and that
         * is not what it was then if it was made anew. */
        bool always_absent = above.pzxid <= seen;
        *zxid = always_absent ? tree->scalars.zxid : above.pzxid;
        return kind == WATCH_EXISTS && always_absent ? 0 : COHORT_EVENT_DELETED;
    }
    cohort_stat_t stat;
    znode_stat (znode, &stat);
    if (kind == WATCH_CHILDREN) {
        *zxid = stat.pzxid;
        return stat.pzxid > seen ? COHORT_EVENT_CHILDREN : 0;
    }
    *zxid = stat.mzxid;
    if (kind == WATCH_EXISTS && stat.czxid > seen) {
        *zxid = stat.czxid;
        return COHORT_EVENT_CREATED;
    }
    return stat.mzxid > seen ? COHORT_EVENT_CHANGED : 0;
}

int watch_missed (const struct tree *tree, enum watch_kind kind, const char *path, size_t path_size,
                  zxid_t seen, uint64_t *looks, zxid_t *zxid)
{
    COHORT_ASSERT (kind >= WATCH_DATA && kind <= WATCH_CHILDREN);
    zxid_t compared_zxid;
    int compared = compare (tree, kind, path, path_size, seen, &compared_zxid);
    if (compared == 0) {
        return 0;
    }
    struct missed missed = {.kind = kind, .path = path, .path_size = path_size};
    uint64_t hash = tree_path_hash (tree->root->node.hash, path, path_size, NULL);
    size_t look_max = *looks < LOOK_MAX ? (size_t) *looks : LOOK_MAX;
    size_t looked;
    bool known = effects_near (&tree->effects, seen, hash, look_max, &looked, look, &missed);
    *looks -= looked;
    /* A znode that is gone without any effect was gone when the watch was set: say so. */
    if (known && (missed.event != 0 || kind == WATCH_EXISTS)) {
        *zxid = missed.zxid;
        return missed.event;
    }
    *zxid = compared_zxid;
    return compared;
}
