/*
 * server/tree/znode.h - a znode in memory
 *
 * PURE.  Internal to server/tree.  Nothing here counts, digests or reports: change.h does, and
 * is the only one to call what changes a znode that is part of the state.
 *
 * A million znodes with 100 bytes of data take at most 250 bytes each, so:
 *    - one piece of a slab holds the fixed part, the name and data up to ZNODE_INLINE_MAX bytes;
 *    - what only parents have (family) and what only ephemerals have (tenure) stands apart; a
 *      znode has one of them at most, for an ephemeral has no children;
 *    - its access control list, which few have, is in the family or tenure, or in a guard;
 *    - what every znode has, too, stands in the place of the pointer to those where there are none,
 *      as of most znodes, and else with them (mzxid);
 *    - times have 48 bits, which is 4,400 years to both sides of 1970; what is beyond is cut off;
 *    - there is no path: it is made of the names up to the root when somebody asks.
 * A znode never moves: others point to it.  Data that outgrows its room moves out of the
 * piece.
 *
 * Children are kept in the order of their names (children.h).
 */
#ifndef SERVER_TREE_ZNODE_H
#define SERVER_TREE_ZNODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "client/base/heap.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "client/base/slab.h"
#include "cohort/types.h"
#include "server/core/zxid.h"
#include "server/tree/children.h"

enum {
    ZNODE_CAPACITY_BITS = 12,
    ZNODE_GENERATION_BITS = 30,
    ZNODE_GENERATION_MAX = (1 << ZNODE_GENERATION_BITS) - 1,
    ZNODE_INLINE_MAX = (1 << ZNODE_CAPACITY_BITS) - 64 /* what is rounded up has the bits, too */
};

struct acl;
struct estate;
struct znode;

/* What only znodes have that go by themselves when their time is over: containers, and those with
 * a time to live. */
struct lapse {
    struct heap_node node; /* of tree.lapses, while there are no children */
    struct znode *znode;
    uint64_t ttl_ms; /* 0: a container */
};

struct family {
    zxid_t mzxid;
    struct children children;
    struct acl *acl;       /* NULL: open to all */
    struct lapse *lapse;   /* NULL: goes when it is deleted */
    struct acl *inherited; /* the default of what is created below; NULL: there is none */
    uint64_t below;        /* znodes below this one, at any depth; derived */
    uint64_t below_size;   /* bytes of their data; derived */
    zxid_t pzxid;
    uint64_t sequence; /* next number of a sequential name */
    uint8_t *waiting;  /* its place in the backlog of the snapshot under way; NULL: in none */
    int32_t cversion;
    uint32_t ordinal; /* of the snapshot under way, once this znode is written or waits for it */
};

struct tenure {
    zxid_t mzxid;
    struct list_node node; /* of estate.tenures */
    struct estate *estate; /* estate.h: whose it is, and since when */
    struct znode *znode;
    struct acl *acl; /* NULL: open to all */
};

/* Of znodes that have, or had, a list and neither family nor tenure. */
struct guard {
    zxid_t mzxid;
    struct acl *acl; /* NULL: open to all */
};

/* What stands apart of a znode. */
enum znode_kin { ZNODE_PLAIN, ZNODE_GUARD, ZNODE_FAMILY, ZNODE_TENURE };

/* Milliseconds since 1970 in the order in which they need no gaps. */
struct short_time {
    uint16_t parts[3];
};

struct znode {
    struct map_node node; /* of the index; its hash is that of the path, in the chain of the
                             tables' secret */
    struct znode *parent; /* NULL: the root */
    union {
        zxid_t mzxid;          /* ZNODE_PLAIN: nothing stands apart, as of most */
        struct guard *guard;   /* none of them is NULL */
        struct family *family; /* of those that have, or had, children */
        struct tenure *tenure; /* of ephemerals */
    } u;
    uint64_t data_digest; /* its two terms of the digest of the state, as its last change left */
    uint64_t stat_digest; /* them: whatever differs from them has changed by itself (verify.h) */
    zxid_t czxid;
    int32_t version;
    uint32_t data_size; /* more than capacity: the data is elsewhere, its place has the pointer */
    uint32_t kin : 2;   /* enum znode_kin */
    uint32_t generation : ZNODE_GENERATION_BITS; /* newest snapshot that has no use for it any
                                                    more */
    uint32_t name_size : 16;
    uint32_t capacity : ZNODE_CAPACITY_BITS; /* bytes for data behind the name; always enough for a
                                                pointer */
    uint32_t mode : 3;                       /* as it was created: COHORT_EPHEMERAL, ... */
    struct short_time ctime, mtime;
    char bytes[]; /* name, data */
};

/* A znode in no tree, of this slab.  NULL: out of memory.  Ephemerals have a tenure in no list. */
struct znode *znode_new (struct slab *slab, const char *name, size_t name_size, const uint8_t *data,
                         size_t data_size, uint8_t mode);
void znode_free (struct slab *slab, struct znode *self);

/* Replaces the data; false: out of memory, nothing was changed. */
bool znode_set_data (struct znode *self, const uint8_t *data, size_t size);

/* Puts a list, or none, in the place of the one it has, which is the caller's then.  false: out of
 * memory, nothing was changed; never where it has had one. */
bool znode_set_acl (struct slab *slab, struct znode *self, struct acl *acl);

/* Makes sure that there is a family; false: out of memory. */
bool znode_need_family (struct slab *slab, struct znode *self);

/* Snapshots up to this one have no use for it any more. */
void znode_set_generation (struct znode *self, uint32_t generation);

/* Of a znode that goes by itself, and is in no tree yet; false: out of memory. */
bool znode_need_lapse (struct slab *slab, struct znode *self, uint64_t ttl_ms);

/* Where the zxid is that last changed its data. */
zxid_t *znode_mzxid_place (struct znode *self);

/* `count` more znodes, and `size` more bytes of data, are below this one; modulo 2^64, so that
 * there may be fewer. */
void znode_account (struct znode *self, uint64_t count, uint64_t size);

void znode_stat (const struct znode *self, cohort_stat_t *stat);

/* Replaces what `out` holds by the path and a 0 that is not counted in *size; false: out of
 * memory. */
bool znode_path (const struct znode *self, struct buf *out, size_t *size);

/* Ascending order of the bytes of the names; negative, 0, positive. */
int znode_compare_names (const struct znode *a, const struct znode *b);

/* Puts a znode among the children of its parent, which has a family.  Touches nothing else.
 * false: out of memory. */
bool znode_link (struct znode *self, struct znode *parent);
void znode_unlink (struct znode *self);

/* ---- The index by path ------------------------------------------------------------------- */

/* root: that of all in the index. */
struct znode *znode_find (const struct map *index, const struct znode *root, const char *path,
                          size_t size);
/* hash: tree_path_hash of the root's and the path. */
struct znode *znode_find_hashed (const struct map *index, uint64_t hash, const char *path,
                                 size_t size);
/* hash: tree_path_hash_child of the parent's hash and the name. */
struct znode *znode_find_child (const struct map *index, const struct znode *parent, uint64_t hash,
                                const char *name, size_t size);

/* ---- Parts ------------------------------------------------------------------------------- */

static inline struct short_time short_time_of (int64_t ms)
{
    int64_t max = INT64_C (0x7fffffffffff);
    uint64_t bits = (uint64_t) (ms > max ? max : ms < -max ? -max : ms);
    return (struct short_time){{(uint16_t) bits, (uint16_t) (bits >> 16), (uint16_t) (bits >> 32)}};
}

static inline int64_t short_time_ms (struct short_time time)
{
    int64_t high = time.parts[2] & 0x8000 ? (int64_t) time.parts[2] - 0x10000 : time.parts[2];
    return high * (INT64_C (1) << 32) + (int64_t) time.parts[1] * 0x10000 + time.parts[0];
}

static inline bool znode_ephemeral (const struct znode *self)
{
    return (self->mode & COHORT_EPHEMERAL) != 0;
}

/* The family, or NULL. */
static inline struct family *znode_family (const struct znode *self)
{
    return self->kin == ZNODE_FAMILY ? self->u.family : NULL;
}

/* The tenure, or NULL. */
static inline struct tenure *znode_tenure (const struct znode *self)
{
    return self->kin == ZNODE_TENURE ? self->u.tenure : NULL;
}

static inline uint32_t znode_child_count (const struct znode *self)
{
    const struct family *family = znode_family (self);
    return family != NULL ? family->children.count : 0;
}

/* The lapse, or NULL. */
static inline struct lapse *znode_lapse (const struct znode *self)
{
    const struct family *family = znode_family (self);
    return family != NULL ? family->lapse : NULL;
}

static inline uint64_t znode_ttl_ms (const struct znode *self)
{
    const struct lapse *lapse = znode_lapse (self);
    return lapse != NULL ? lapse->ttl_ms : 0;
}

/* Znodes below it, and their bytes of data. */
static inline uint64_t znode_below (const struct znode *self)
{
    const struct family *family = znode_family (self);
    return family != NULL ? family->below : 0;
}

static inline uint64_t znode_below_size (const struct znode *self)
{
    const struct family *family = znode_family (self);
    return family != NULL ? family->below_size : 0;
}

/* Its access control list; NULL: open to all. */
static inline struct acl *znode_acl (const struct znode *self)
{
    switch (self->kin) {
    case ZNODE_GUARD:
        return self->u.guard->acl;
    case ZNODE_FAMILY:
        return self->u.family->acl;
    case ZNODE_TENURE:
        return self->u.tenure->acl;
    default:
        return NULL;
    }
}

/* The zxid that last changed its data. */
static inline zxid_t znode_mzxid (const struct znode *self)
{
    switch (self->kin) {
    case ZNODE_GUARD:
        return self->u.guard->mzxid;
    case ZNODE_FAMILY:
        return self->u.family->mzxid;
    case ZNODE_TENURE:
        return self->u.tenure->mzxid;
    default:
        return self->u.mzxid;
    }
}

static inline int64_t znode_ctime_ms (const struct znode *self)
{
    return short_time_ms (self->ctime);
}

static inline int64_t znode_mtime_ms (const struct znode *self)
{
    return short_time_ms (self->mtime);
}

static inline const char *znode_name (const struct znode *self)
{
    return self->bytes;
}

static inline bool znode_outside (const struct znode *self)
{
    return self->data_size > self->capacity;
}

/* Never NULL, though there may be 0 bytes. */
static inline const uint8_t *znode_data (const struct znode *self)
{
    const uint8_t *place = (const uint8_t *) self->bytes + self->name_size;
    if (!znode_outside (self)) {
        return place;
    }
    uint8_t *data;
    memcpy (&data, place, sizeof (data));
    return data;
}

#endif
