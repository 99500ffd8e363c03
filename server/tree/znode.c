/*
 * server/tree/znode.c - a znode in memory
 *
 * PURE.
 */
#include "server/tree/znode.h"

#include "server/tree/acl.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/tree/estate.h"
#include "server/tree/path.h"

enum { MODE_BITS = 7, CAPACITY_BITS = (1 << ZNODE_CAPACITY_BITS) - 1 };

static uint8_t *place_of (struct znode *self)
{
    return (uint8_t *) self->bytes + self->name_size;
}

struct znode *znode_new (struct slab *slab, const char *name, size_t name_size, const uint8_t *data,
                         size_t data_size, uint8_t mode)
{
    COHORT_ASSERT (name_size <= UINT16_MAX);
    size_t room = data_size <= ZNODE_INLINE_MAX ? data_size : 0;
    if (room < sizeof (uint8_t *)) {
        room = sizeof (uint8_t *);
    }
    size_t fixed = offsetof (struct znode, bytes) + name_size;
    size_t total = slab_size (fixed + room);
    COHORT_ASSERT (total >= sizeof (struct znode));
    COHORT_ASSERT (total - fixed < 1 << ZNODE_CAPACITY_BITS);
    struct znode *self = slab_alloc (slab, total);
    if (self == NULL) {
        return NULL;
    }
    memset (self, 0, offsetof (struct znode, bytes));
    self->mode = (unsigned) mode & MODE_BITS;
    COHORT_ASSERT (self->mode == mode);
    self->name_size = (unsigned) name_size & UINT16_MAX;
    self->capacity = (unsigned) (total - fixed) & CAPACITY_BITS;
    if (name_size > 0) {
        memcpy (self->bytes, name, name_size);
    }
    if (znode_ephemeral (self)) {
        struct tenure *tenure = slab_alloc (slab, sizeof (*tenure));
        if (tenure == NULL) {
            slab_free (slab, self, total);
            return NULL;
        }
        *tenure = (struct tenure){.znode = self};
        self->u.tenure = tenure;
        self->kin = ZNODE_TENURE;
    }
    if (!znode_set_data (self, data, data_size)) {
        znode_free (slab, self);
        return NULL;
    }
    return self;
}

void znode_free (struct slab *slab, struct znode *self)
{
    if (znode_outside (self)) {
        uint8_t *data;
        memcpy (&data, place_of (self), sizeof (data));
        mem_free (data);
    }
    switch (self->kin) {
    case ZNODE_GUARD:
        slab_free (slab, self->u.guard, sizeof (*self->u.guard));
        break;
    case ZNODE_FAMILY:
        children_deinit (&self->u.family->children);
        mem_free (self->u.family->lapse);
        slab_free (slab, self->u.family, sizeof (*self->u.family));
        break;
    case ZNODE_TENURE:
        slab_free (slab, self->u.tenure, sizeof (*self->u.tenure));
        break;
    default:
        break;
    }
    slab_free (slab, self, offsetof (struct znode, bytes) + self->name_size + self->capacity);
}

bool znode_set_data (struct znode *self, const uint8_t *data, size_t size)
{
    COHORT_ASSERT (size <= UINT32_MAX);
    uint8_t *old = znode_outside (self) ? (uint8_t *) (uintptr_t) znode_data (self) : NULL;
    if (size <= self->capacity) {
        if (size > 0) {
            memcpy (place_of (self), data, size);
        }
        mem_free (old);
    } else if (old != NULL && size == self->data_size) {
        memcpy (old, data, size);
    } else {
        uint8_t *copy = mem_dup (data, size);
        if (copy == NULL) {
            return false;
        }
        memcpy (place_of (self), &copy, sizeof (copy));
        mem_free (old);
    }
    self->data_size = (uint32_t) size;
    return true;
}

static bool need_guard (struct slab *slab, struct znode *self)
{
    COHORT_ASSERT (self->kin == ZNODE_PLAIN);
    struct guard *guard = slab_alloc (slab, sizeof (*guard));
    if (guard == NULL) {
        return false;
    }
    *guard = (struct guard){.mzxid = self->u.mzxid};
    self->u.guard = guard;
    self->kin = ZNODE_GUARD;
    return true;
}

bool znode_set_acl (struct slab *slab, struct znode *self, struct acl *acl)
{
    if (self->kin == ZNODE_PLAIN) {
        if (acl == NULL) {
            return true;
        }
        if (!need_guard (slab, self)) {
            return false;
        }
    }
    if (self->kin == ZNODE_GUARD) {
        self->u.guard->acl = acl;
    } else if (self->kin == ZNODE_FAMILY) {
        self->u.family->acl = acl;
    } else {
        self->u.tenure->acl = acl;
    }
    return true;
}

zxid_t *znode_mzxid_place (struct znode *self)
{
    switch (self->kin) {
    case ZNODE_GUARD:
        return &self->u.guard->mzxid;
    case ZNODE_FAMILY:
        return &self->u.family->mzxid;
    case ZNODE_TENURE:
        return &self->u.tenure->mzxid;
    default:
        return &self->u.mzxid;
    }
}

bool znode_need_family (struct slab *slab, struct znode *self)
{
    COHORT_ASSERT (!znode_ephemeral (self));
    if (znode_family (self) != NULL) {
        return true;
    }
    struct family *family = slab_alloc (slab, sizeof (*family));
    if (family == NULL) {
        return false;
    }
    *family =
        (struct family){.mzxid = znode_mzxid (self), .pzxid = self->czxid, .acl = znode_acl (self)};
    children_init (&family->children);
    if (self->kin == ZNODE_GUARD) {
        slab_free (slab, self->u.guard, sizeof (*self->u.guard));
    }
    self->u.family = family;
    self->kin = ZNODE_FAMILY;
    return true;
}

bool znode_need_lapse (struct slab *slab, struct znode *self, uint64_t ttl_ms)
{
    if (!znode_need_family (slab, self)) {
        return false;
    }
    COHORT_ASSERT (self->u.family->lapse == NULL);
    struct lapse *lapse = mem_calloc (1, sizeof (*lapse));
    if (lapse == NULL) {
        return false;
    }
    lapse->znode = self;
    lapse->ttl_ms = ttl_ms;
    self->u.family->lapse = lapse;
    return true;
}

void znode_set_generation (struct znode *self, uint32_t generation)
{
    COHORT_ASSERT (generation <= ZNODE_GENERATION_MAX);
    self->generation = generation & ZNODE_GENERATION_MAX;
}

void znode_account (struct znode *self, uint64_t count, uint64_t size)
{
    if (count == 0 && size == 0) {
        return; /* data of the same size, deep down */
    }
    for (struct znode *at = self; at != NULL; at = at->parent) {
        at->u.family->below += count;
        at->u.family->below_size += size;
    }
}

void znode_stat (const struct znode *self, cohort_stat_t *stat)
{
    const struct family *family = znode_family (self);
    const struct tenure *tenure = znode_tenure (self);
    stat->czxid = self->czxid;
    stat->mzxid = znode_mzxid (self);
    stat->pzxid = family != NULL ? family->pzxid : self->czxid;
    stat->ctime_ms = znode_ctime_ms (self);
    stat->mtime_ms = znode_mtime_ms (self);
    stat->version = self->version;
    stat->cversion = family != NULL ? family->cversion : 0;
    stat->aversion = acl_aversion (znode_acl (self));
    stat->data_size = (int32_t) self->data_size;
    stat->ephemeral_owner = tenure != NULL ? tenure_session (tenure)->id : 0;
    stat->ozxid = tenure != NULL ? tenure_ozxid (tenure) : 0;
    stat->child_count = family != NULL ? family->children.count : 0;
    stat->mode = self->mode;
    stat->ttl_ms = (int64_t) znode_ttl_ms (self);
}

bool znode_path (const struct znode *self, struct buf *out, size_t *size)
{
    size_t length = 0;
    for (const struct znode *at = self; at->parent != NULL; at = at->parent) {
        length += 1 + (size_t) at->name_size;
    }
    length = length > 0 ? length : 1;
    buf_clear (out);
    uint8_t *bytes = buf_extend (out, length + 1);
    if (bytes == NULL) {
        return false;
    }
    bytes[0] = '/';
    bytes[length] = 0;
    size_t end = length;
    for (const struct znode *at = self; at->parent != NULL; at = at->parent) {
        end -= at->name_size;
        memcpy (bytes + end, at->bytes, at->name_size);
        bytes[--end] = '/';
    }
    COHORT_ASSERT (end == 0 || self->parent == NULL);
    *size = length;
    return true;
}

int znode_compare_names (const struct znode *a, const struct znode *b)
{
    size_t common = a->name_size < b->name_size ? a->name_size : b->name_size;
    int order = memcmp (a->bytes, b->bytes, common);
    return order != 0 ? order : (int) a->name_size - (int) b->name_size;
}

bool znode_link (struct znode *self, struct znode *parent)
{
    struct family *family = znode_family (parent);
    COHORT_ASSERT (family != NULL);
    self->parent = parent;
    return children_insert (&family->children, self);
}

void znode_unlink (struct znode *self)
{
    COHORT_ASSERT (self->parent != NULL);
    COHORT_ASSERT (znode_child_count (self) == 0);
    children_remove (&self->parent->u.family->children, self);
}

/* ---- The index by path ------------------------------------------------------------------- */

struct path_key {
    const char *path;
    size_t size;
};

/* Compares from the end, name by name: whatever the path, it is equal only if the names joined
 * by '/' are. */
static bool has_path (const struct map_node *node, const void *key)
{
    const struct path_key *wanted = key;
    const struct znode *at = map_entry (node, const struct znode, node);
    size_t end = wanted->size;
    if (at->parent == NULL) {
        return end == 1 && wanted->path[0] == '/';
    }
    for (; at->parent != NULL; at = at->parent) {
        if (end < 1 + (size_t) at->name_size) {
            return false;
        }
        end -= at->name_size;
        if (memcmp (wanted->path + end, at->bytes, at->name_size) != 0 ||
            wanted->path[--end] != '/') {
            return false;
        }
    }
    return end == 0;
}

struct znode *znode_find_hashed (const struct map *index, uint64_t hash, const char *path,
                                 size_t size)
{
    struct path_key key = {path, size};
    struct map_node *found = map_find (index, hash, has_path, &key);
    return found != NULL ? map_entry (found, struct znode, node) : NULL;
}

struct znode *znode_find (const struct map *index, const struct znode *root, const char *path,
                          size_t size)
{
    return znode_find_hashed (index, tree_path_hash (root->node.hash, path, size, NULL), path,
                              size);
}

struct child_key {
    const struct znode *parent;
    const char *name;
    size_t size;
};

static bool is_child (const struct map_node *node, const void *key)
{
    const struct child_key *wanted = key;
    const struct znode *at = map_entry (node, const struct znode, node);
    return at->parent == wanted->parent && at->name_size == wanted->size &&
           memcmp (at->bytes, wanted->name, wanted->size) == 0;
}

struct znode *znode_find_child (const struct map *index, const struct znode *parent, uint64_t hash,
                                const char *name, size_t size)
{
    struct child_key key = {parent, name, size};
    struct map_node *found = map_find (index, hash, is_child, &key);
    return found != NULL ? map_entry (found, struct znode, node) : NULL;
}
