/*
 * server/tree/read.c - reading znodes
 *
 * PURE.
 */
#include "server/tree/read.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/children.h"
#include "server/tree/path.h"
#include "server/tree/permit.h"
#include "server/tree/quota.h"
#include "server/tree/state.h"
#include "server/tree/verify.h"

int tree_path_check (const struct tree *self, const char *path, size_t size, bool sequential)
{
    size_t max = self->scalars.level > 0 ? self->scalars.limits.path_size_max : PATH_SIZE_DEFAULT;
    return tree_path_validate (path, size, max, sequential);
}

struct tree_key tree_key_of (const struct tree *self, const char *path, size_t path_size)
{
    COHORT_ASSERT (path != NULL);
    uint64_t hash = tree_path_hash (self->root->node.hash, path, path_size, NULL);
    map_prefetch (&self->znodes, hash);
    return (struct tree_key){path, path_size, hash};
}

enum { FETCH_BYTES = 256, FETCH_STEP = 64 }; /* of a znode, with little data */

void tree_key_fetch (const struct tree *self, const struct tree_key *key)
{
    const struct map_node *node = key->path != NULL ? map_peek (&self->znodes, key->hash) : NULL;
    for (size_t at = 0; node != NULL && at < FETCH_BYTES; at += FETCH_STEP) {
        __builtin_prefetch ((const char *) node + at);
    }
}

static int find_key (const struct tree *self, const struct tree_key *key, struct znode **znode)
{
    *znode = znode_find_hashed (&self->znodes, key->hash, key->path, key->path_size);
    if (*znode != NULL) {
        return 0;
    }
    bool sound = tree_path_check (self, key->path, key->path_size, false) == 0;
    return sound ? COHORT_ENONODE : COHORT_EPATH;
}

int read_find (const struct tree *self, const char *path, size_t path_size, struct znode **znode)
{
    struct tree_key key = tree_key_of (self, path, path_size);
    return find_key (self, &key, znode);
}

void read_describe (const struct znode *znode, const char *path, struct tree_node *node)
{
    node->znode = znode;
    node->path = path;
    node->data = znode_data (znode);
    node->data_size = znode->data_size;
    znode_stat (znode, &node->stat);
    node->below = znode_below (znode);
    node->below_size = znode_below_size (znode);
}

/* What of the znode there is to see for the session. */
static enum tree_sight sight_of (const struct tree *self, const struct session *session,
                                 const struct znode *znode)
{
    if (permits (self, session, znode, COHORT_PERM_READ)) {
        return TREE_WHOLE;
    }
    return permits_sight (self, session, znode) ? TREE_BARE : TREE_HIDDEN;
}

/* A session that has gone may do what anyone may. */
static const struct session *session_of (const struct tree *self, uint64_t id)
{
    static const struct session nobody;
    const struct session *session = session_find (&self->sessions, id);
    return session != NULL ? session : &nobody;
}

static bool restricted (const struct znode *znode)
{
    const struct acl *acl = znode_acl (znode);
    return acl != NULL && acl->size > 0;
}

/* Whether the data shows numbers that are not for the session. */
static bool is_secret (const struct tree *self, uint64_t session, const struct znode *znode)
{
    return map_count (&self->acls) > 0 && quota_secret (self, session_of (self, session), znode);
}

enum { LOOK_BYTES = 4096 }; /* of a child's data, for one look more */

enum tree_sight tree_node_sight (const struct tree *self, uint64_t session,
                                 const struct znode *znode)
{
    enum tree_sight sight =
        restricted (znode) ? sight_of (self, session_of (self, session), znode) : TREE_WHOLE;
    /* How many there are is not said to who may not read them. */
    return sight == TREE_WHOLE && is_secret (self, session, znode) ? TREE_BARE : sight;
}

static bool may_read (const struct tree *self, const struct session *session, const uint8_t *acl,
                      uint32_t acl_size)
{
    return acl_size == 0 ||
           (acl_granted (acl, acl_size, session->identities, session->identities_size) &
            COHORT_PERM_READ) != 0 ||
           session_is_admin (self, session);
}

enum tree_sight tree_effect_sight (const struct tree *self, uint64_t id,
                                   const struct effect *effect)
{
    if (effect->acl_size == 0 || COHORT_MUTATED (hidden_shown)) {
        return TREE_WHOLE;
    }
    const struct session *session = session_of (self, id);
    if (may_read (self, session, effect->acl, effect->acl_size)) {
        return TREE_WHOLE;
    }
    bool child = effect->path_size > 1;
    return child && may_read (self, session, effect->parent_acl, effect->parent_acl_size)
               ? TREE_BARE
               : TREE_HIDDEN;
}

enum tree_sight tree_effect_sight_now (const struct tree *self, uint64_t id,
                                       const struct effect *effect)
{
    if (map_count (&self->acls) == 0 || effect->kind == EFFECT_OWNER) {
        return TREE_WHOLE;
    }
    const struct znode *znode =
        znode_find (&self->znodes, self->root, effect->path, effect->path_size);
    bool same = znode != NULL && znode->czxid == effect->stat.czxid;
    return same ? tree_node_sight (self, id, znode) : TREE_WHOLE;
}

bool tree_effect_was_readable (const struct tree *self, uint64_t id, const struct effect *effect)
{
    COHORT_ASSERT (effect->kind == EFFECT_ACL);
    return may_read (self, session_of (self, id), effect->was_acl, effect->was_acl_size);
}

bool tree_effect_listed (const struct tree *self, uint64_t id, const struct effect *effect)
{
    return effect->path_size > 1 &&
           may_read (self, session_of (self, id), effect->parent_acl, effect->parent_acl_size);
}

bool tree_effect_turns (const struct tree *self, uint64_t id, const struct effect *effect)
{
    if (effect->kind != EFFECT_ACL) {
        return false;
    }
    bool before = tree_effect_was_readable (self, id, effect);
    bool after = may_read (self, session_of (self, id), effect->acl, effect->acl_size);
    return before != after &&
           (effect->stat.child_count > 0 || !tree_effect_listed (self, id, effect));
}

/* Why the session does not see as much as it wants; absent: rc of a path without a znode. */
static int refuse (const struct tree *self, uint64_t session, int rc, const char *path,
                   size_t path_size)
{
    return rc == COHORT_ENONODE
               ? permit_absent (self, session_of (self, session), OP_CHECK_ABSENT, path, path_size)
               : rc;
}

/* Only what is shown is checked: to hash the data takes time in proportion to its size. */
static bool verify_shown (const struct tree *self, const struct znode *znode, bool with_data)
{
    return with_data ? verify_znode (self, znode) : verify_stat (self, znode);
}

static int get_key (const struct tree *self, const struct tree_key *key, bool with_data,
                    struct tree_node *node)
{
    struct znode *znode;
    int rc = find_key (self, key, &znode);
    if (rc != 0) {
        return rc;
    }
    if (!verify_shown (self, znode, with_data)) {
        return COHORT_ECORRUPT;
    }
    struct buf *copy = &self->scratch->get_path;
    buf_clear (copy);
    uint8_t *text = buf_extend (copy, key->path_size + 1);
    if (text == NULL) {
        return COHORT_ENOMEM;
    }
    memcpy (text, key->path, key->path_size);
    text[key->path_size] = 0;
    read_describe (znode, (const char *) text, node);
    size_t size;
    if (quota_counted (self, znode, self->scratch->quota_text, &size)) {
        node->data = (const uint8_t *) self->scratch->quota_text;
        node->data_size = (uint32_t) size;
        node->stat.data_size = (int32_t) size;
    }
    node->data = with_data ? node->data : NULL;
    return 0;
}

int tree_get (const struct tree *self, const char *path, size_t path_size, struct tree_node *node)
{
    struct tree_key key = tree_key_of (self, path, path_size);
    return get_key (self, &key, true, node);
}

int tree_get_key_as (const struct tree *self, uint64_t session, enum tree_sight wanted,
                     bool with_data, const struct tree_key *key, struct tree_node *node)
{
    int rc = get_key (self, key, with_data, node);
    if (rc != 0) {
        return refuse (self, session, rc, key->path, key->path_size);
    }
    if (is_secret (self, session, node->znode)) {
        /* Nor how many digits they have. */
        node->data_size = 0;
        node->stat.data_size = 0;
    }
    bool shown = tree_node_sight (self, session, node->znode) >= wanted;
    return shown || COHORT_MUTATED (reads_unpermitted) ? 0 : COHORT_ENOAUTH;
}

int tree_get_as (const struct tree *self, uint64_t session, enum tree_sight wanted,
                 const char *path, size_t path_size, struct tree_node *node)
{
    struct tree_key key = tree_key_of (self, path, path_size);
    return tree_get_key_as (self, session, wanted, true, &key, node);
}

int tree_permit (const struct tree *self, uint64_t session, enum tree_sight wanted,
                 const char *path, size_t path_size)
{
    struct tree_key key = tree_key_of (self, path, path_size);
    struct tree_node node;
    return tree_get_key_as (self, session, wanted, false, &key, &node);
}

int tree_get_acl (const struct tree *self, uint64_t id, const char *path, size_t path_size,
                  bool inherited, struct tree_acl *acl)
{
    static const uint8_t open[] = {COHORT_PERM_ALL, IDENTITY_WORLD, 0};
    struct znode *znode;
    int rc = read_find (self, path, path_size, &znode);
    if (rc != 0) {
        return refuse (self, id, rc, path, path_size);
    }
    if (!verify_stat (self, znode)) {
        return COHORT_ECORRUPT;
    }
    const struct session *session = session_of (self, id);
    bool admin = permits (self, session, znode, COHORT_PERM_ADMIN);
    if (!admin && !permits (self, session, znode, COHORT_PERM_READ)) {
        return COHORT_ENOAUTH;
    }
    const struct family *family = znode_family (znode);
    const struct acl *found = !inherited       ? znode_acl (znode)
                              : family != NULL ? family->inherited
                                               : NULL;
    bool none = inherited && found == NULL;
    bool listed = found != NULL && found->size > 0;
    *acl = (struct tree_acl){
        .bytes = listed ? found->bytes : open,
        .size = none     ? 0
                : listed ? found->size
                         : sizeof (open),
        .masked = !admin,
    };
    znode_stat (znode, &acl->stat);
    return 0;
}

/* ---- Children ---------------------------------------------------------------------------- */

struct listing {
    const struct tree *tree;
    const struct tree_list *list;
    tree_child_fn *fn;
    void *arg;
    uint32_t listed;
    uint32_t looked;
    struct tree_name last; /* that was looked at */
    bool whole;            /* nothing of the list is behind it */
    bool damaged;          /* the child behind it is */
};

static bool begins_with (const struct znode *child, const char *prefix, size_t size)
{
    return size == 0 || (child->name_size >= size && memcmp (child->bytes, prefix, size) == 0);
}

static bool passes (const struct znode *child, enum tree_filter filter)
{
    return filter == TREE_ALL || (filter == TREE_EPHEMERAL) == znode_ephemeral (child);
}

static bool list_child (void *arg, const struct znode *child)
{
    struct listing *listing = arg;
    const struct tree_list *list = listing->list;
    if (!begins_with (child, list->prefix, list->prefix_size)) {
        listing->whole = true;
        return false;
    }
    if ((list->limit > 0 && listing->listed == list->limit) ||
        (list->looks > 0 && listing->looked >= list->looks)) {
        return false;
    }
    if (!verify_shown (listing->tree, child, list->with_data)) {
        listing->damaged = true;
        return false;
    }
    if (passes (child, list->filter)) {
        struct tree_child found = {
            .name = child->bytes,
            .name_size = child->name_size,
            .data = znode_data (child),
            .data_size = child->data_size,
            .znode = child,
        };
        size_t size;
        char *counted = listing->tree->scratch->quota_text;
        if (quota_counted (listing->tree, child, counted, &size)) {
            found.data = (const uint8_t *) counted;
            found.data_size = (uint32_t) size;
        }
        found.data = list->with_data ? found.data : NULL;
        if (!listing->fn (listing->arg, &found)) {
            return false;
        }
        listing->listed++;
    }
    listing->looked += 1 + (list->with_data ? child->data_size / LOOK_BYTES : 0);
    listing->last = (struct tree_name){child->bytes, child->name_size};
    return true;
}

/* Where the list begins.  No name has a byte 0xff: behind a prefix and that lies nothing that
 * begins with the prefix. */
static struct children_range range_of (const struct tree_list *list, struct buf *end)
{
    struct children_range range = {.descending = list->descending};
    if (list->after_size > 0) {
        range.from = list->after;
        range.size = list->after_size;
    } else if (list->prefix_size > 0 && !list->descending) {
        range.from = list->prefix;
        range.size = list->prefix_size;
        range.inclusive = true;
    } else if (list->prefix_size > 0) {
        buf_clear (end);
        buf_append (end, list->prefix, list->prefix_size);
        buf_u8 (end, 0xff);
        range.from = (const char *) end->data;
        range.size = end->size;
    }
    return range;
}

/* A cursor from outside the prefix, on the side where the list begins, is none. */
static bool before_prefix (const struct tree_list *list)
{
    size_t size = list->after_size < list->prefix_size ? list->after_size : list->prefix_size;
    int order = memcmp (list->after, list->prefix, size);
    if (order == 0) {
        return list->after_size < list->prefix_size && !list->descending;
    }
    return list->descending ? order > 0 : order < 0;
}

int tree_children (const struct tree *self, const char *path, size_t path_size,
                   const struct tree_list *list, tree_child_fn *fn, void *arg,
                   struct tree_name *next)
{
    struct znode *znode;
    int rc = read_find (self, path, path_size, &znode);
    if (rc != 0) {
        return rc;
    }
    *next = (struct tree_name){"", 0};
    if (list->looked != NULL) {
        *list->looked = 0;
    }
    if (!verify_stat (self, znode)) {
        return COHORT_ECORRUPT;
    }
    const struct family *family = znode_family (znode);
    if (family == NULL) {
        return 0;
    }
    struct tree_list adjusted = *list;
    if (list->after_size > 0 && list->prefix_size > 0 && before_prefix (list)) {
        adjusted.after_size = 0;
    }
    struct listing listing = {.tree = self, .list = &adjusted, .fn = fn, .arg = arg};
    struct buf *end = &self->scratch->list_end;
    struct children_range range = range_of (&adjusted, end);
    if (end->failed) {
        return COHORT_ENOMEM;
    }
    bool end_reached = children_visit (&family->children, &range, list_child, &listing);
    if (listing.damaged) {
        return COHORT_ECORRUPT;
    }
    if (!end_reached && !listing.whole) {
        COHORT_ASSERT (listing.looked > 0);
        *next = listing.last;
    }
    if (list->looked != NULL) {
        *list->looked = listing.looked;
    }
    return 0;
}

void tree_child_stat (const struct tree *self, uint64_t session, const struct tree_child *child,
                      cohort_stat_t *stat)
{
    znode_stat (child->znode, stat);
    bool secret = is_secret (self, session, child->znode) || COHORT_MUTATED (listed_size_lost);
    stat->data_size = secret ? 0 : (int32_t) child->data_size;
}
