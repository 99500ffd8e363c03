/*
 * server/tree/quota.c - how many znodes, and bytes of data, a znode may have
 *
 * PURE.  The znodes with quotas are a second tree, below /zookeeper/quota, of the same names: a
 * path is followed down in both at once, for as long as the second one goes.
 */
#include "server/tree/quota.h"

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/numbers.h"
#include "server/tree/path.h"
#include "server/tree/permit.h"
#include "server/tree/system.h"
#include "server/tree/verify.h"

/* By kind, as ZooKeeper calls them. */
static const char *const keys[TREE_QUOTA_KINDS] = {
    [TREE_QUOTA_COUNT] = "count",
    [TREE_QUOTA_BYTES] = "bytes",
    [TREE_QUOTA_COUNT_HARD] = "countHardLimit",
    [TREE_QUOTA_BYTES_HARD] = "byteHardLimit",
};

const char *tree_quota_name (enum tree_quota_kind kind)
{
    COHORT_ASSERT (kind < TREE_QUOTA_KINDS);
    return keys[kind];
}

static bool is_hard (enum tree_quota_kind kind)
{
    return kind == TREE_QUOTA_COUNT_HARD || kind == TREE_QUOTA_BYTES_HARD;
}

static bool is_of_bytes (enum tree_quota_kind kind)
{
    return kind == TREE_QUOTA_BYTES || kind == TREE_QUOTA_BYTES_HARD;
}

/* ---- Text -------------------------------------------------------------------------------- */

/* "key=number"; ZooKeeper's own tools put another '=' behind some. */
static bool parse_pair (struct quota_limits *limits, const char *text, size_t size)
{
    const char *equals = memchr (text, '=', size);
    if (equals == NULL) {
        return false;
    }
    size_t key_size = (size_t) (equals - text);
    size_t value_size = size - key_size - 1;
    if (value_size > 0 && text[size - 1] == '=') {
        value_size--;
    }
    int64_t value;
    if (value_size == 0 || !number_parse ((const uint8_t *) equals + 1, value_size, &value) ||
        value < -1) {
        return false;
    }
    for (int kind = 0; kind < TREE_QUOTA_KINDS; kind++) {
        if (key_size == strlen (keys[kind]) && memcmp (text, keys[kind], key_size) == 0) {
            limits->of[kind] = value;
            return true;
        }
    }
    return false;
}

bool quota_parse (struct quota_limits *limits, const uint8_t *data, size_t size)
{
    const char *text = (const char *) data;
    if (size > QUOTA_LIMITS_SIZE_MAX) {
        return false;
    }
    for (int kind = 0; kind < TREE_QUOTA_KINDS; kind++) {
        limits->of[kind] = -1;
    }
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && text[end] != ',' && text[end] != ';') {
            end++;
        }
        if (!parse_pair (limits, text + at, end - at)) {
            return false;
        }
        at = end + 1;
    }
    return true;
}

static bool has_name (const char *path, size_t size, const char *name)
{
    size_t name_size = strlen (name);
    return size > name_size && path[size - name_size - 1] == '/' &&
           memcmp (path + size - name_size, name, name_size) == 0;
}

bool quota_is_limits (const char *path, size_t size)
{
    return has_name (path, size, QUOTA_LIMITS);
}

bool quota_is_stats (const char *path, size_t size)
{
    return has_name (path, size, QUOTA_STATS);
}

uint32_t quota_level (const char *path, size_t size)
{
    uint32_t slashes = 0;
    COHORT_ASSERT (size > sizeof (SYSTEM_QUOTAS));
    for (size_t at = sizeof (SYSTEM_QUOTAS); at < size; at++) {
        slashes += path[at] == '/';
    }
    return slashes;
}

/* ---- Enforcing --------------------------------------------------------------------------- */

static struct znode *child_of (const struct tree *self, const struct znode *parent,
                               const char *name, size_t size)
{
    uint64_t hash = tree_path_hash_child (parent->node.hash, name, size);
    return znode_find_child (&self->znodes, parent, hash, name, size);
}

/* A znode that is not there yet has nothing. */
static int64_t used_by (const struct znode *znode, enum tree_quota_kind kind)
{
    if (znode == NULL) {
        return 0;
    }
    return is_of_bytes (kind) ? (int64_t) (znode->data_size + znode_below_size (znode))
                              : (int64_t) (1 + znode_below (znode));
}

static void note_crossing (struct tree *self, const struct tree_quota *quota)
{
    struct quota_notes *notes = &self->crossings;
    if (notes->count == QUOTA_NOTES_MAX) {
        return; /* they are for people, who have enough to read */
    }
    uint32_t at = notes->count++;
    uint32_t size = quota->path_size < QUOTA_NOTE_PATH_MAX ? quota->path_size : QUOTA_NOTE_PATH_MAX;
    memcpy (notes->paths[at], quota->path, size);
    notes->items[at] = *quota;
    notes->items[at].path = notes->paths[at];
    notes->items[at].path_size = size;
}

/* Compares with the limits of one znode, `path_size` bytes of the growth's path. */
static int admit_at (struct tree *self, const struct session *session, const struct znode *znode,
                     const struct quota_limits *limits, const struct quota_growth *growth,
                     size_t path_size, struct result_op *result)
{
    for (int i = 0; i < TREE_QUOTA_KINDS; i++) {
        enum tree_quota_kind kind = (enum tree_quota_kind) i;
        int64_t more = is_of_bytes (kind) ? growth->bytes : growth->count;
        int64_t used = used_by (znode, kind);
        if (more <= 0 || limits->of[kind] < 0 || used + more <= limits->of[kind]) {
            continue;
        }
        struct tree_quota quota = {.kind = kind,
                                   .path = growth->path,
                                   .path_size = (uint32_t) path_size,
                                   .limit = limits->of[kind],
                                   .value = used + more};
        if (is_hard (kind) && !COHORT_MUTATED (quota_ignored)) {
            result->has_quota = znode == NULL || permits (self, session, znode, COHORT_PERM_READ);
            result->quota = quota;
            return COHORT_EQUOTA;
        }
        if (used <= limits->of[kind]) {
            note_crossing (self, &quota);
        }
    }
    return 0;
}

/* The limits that a znode of the second tree has: 0 if there are any. */
static int limits_at (const struct tree *self, const struct znode *quota,
                      struct quota_limits *limits)
{
    const struct znode *znode = child_of (self, quota, QUOTA_LIMITS, sizeof (QUOTA_LIMITS) - 1);
    if (znode == NULL) {
        return COHORT_ENONODE;
    }
    if (!verify_znode (self, znode)) {
        return COHORT_ECORRUPT;
    }
    return quota_parse (limits, znode_data (znode), znode->data_size) ? 0 : COHORT_ENONODE;
}

int quota_admit (struct tree *self, const struct session *session,
                 const struct quota_growth *growth, struct result_op *result)
{
    const struct znode *znode = self->root, *quota = self->quotas;
    if (quota == NULL || znode_child_count (quota) == 0 ||
        system_path (growth->path, growth->path_size)) {
        return 0;
    }
    uint32_t noted = self->crossings.count;
    size_t at = 0;
    for (uint32_t level = 0; level <= QUOTA_LEVELS_MAX; level++) {
        struct quota_limits limits;
        int rc = limits_at (self, quota, &limits);
        if (rc == 0) {
            rc = admit_at (self, session, znode, &limits, growth, at > 0 ? at : 1, result);
        }
        if (rc != 0 && rc != COHORT_ENONODE) {
            self->crossings.count = noted; /* nothing comes of it */
            return rc;
        }
        if (at == growth->path_size || znode == NULL ||
            (level > 0 && COHORT_MUTATED (inner_quota_ignored))) {
            return 0;
        }
        const char *name = growth->path + at + 1;
        const char *slash = memchr (name, '/', growth->path_size - at - 1);
        size_t size = slash != NULL ? (size_t) (slash - name) : growth->path_size - at - 1;
        quota = child_of (self, quota, name, size);
        if (quota == NULL) {
            return 0;
        }
        znode = child_of (self, znode, name, size);
        at += 1 + size;
    }
    return 0; /* there are no limits further down */
}

/* ---- What is counted --------------------------------------------------------------------- */

static size_t put_text (char *to, const char *text)
{
    size_t size = strlen (text);
    memcpy (to, text, size);
    return size;
}

/* The znode whose quota stands there; NULL: there is none of that path, which lives until the next
 * call. */
static const struct znode *target_of (const struct tree *self, const struct znode *quota,
                                      const char **path, size_t *path_size)
{
    struct buf *text = &self->scratch->quota_path;
    size_t size, skipped = sizeof (SYSTEM_QUOTAS) - 1;
    *path = "/";
    *path_size = 1;
    if (quota == self->quotas || !znode_path (quota, text, &size)) {
        return quota == self->quotas ? self->root : NULL;
    }
    *path = (const char *) text->data + skipped;
    *path_size = size - skipped;
    return znode_find (&self->znodes, self->root, *path, *path_size);
}

/* Whether it is a zookeeper_stats where quotas are. */
static bool is_stats (const struct tree *self, const struct znode *znode)
{
    size_t name_size = sizeof (QUOTA_STATS) - 1;
    if (znode->name_size != name_size || memcmp (znode->bytes, QUOTA_STATS, name_size) != 0) {
        return false;
    }
    const struct znode *top = znode->parent;
    while (top != NULL && top != self->quotas) {
        top = top->parent;
    }
    return top != NULL;
}

bool quota_secret (const struct tree *self, const struct session *session,
                   const struct znode *znode)
{
    const char *path;
    size_t size;
    if (map_count (&self->acls) == 0 || !is_stats (self, znode)) {
        return false;
    }
    const struct znode *target = target_of (self, znode->parent, &path, &size);
    return target != NULL
               ? !permits (self, session, target, COHORT_PERM_READ)
               : permit_absent (self, session, OP_CHECK_ABSENT, path, size) == COHORT_ENOAUTH;
}

bool quota_counted (const struct tree *self, const struct znode *znode, char text[QUOTA_TEXT_MAX],
                    size_t *size)
{
    if (!is_stats (self, znode)) {
        return false;
    }
    const char *path;
    size_t path_size;
    const struct znode *target = target_of (self, znode->parent, &path, &path_size);
    size_t at = put_text (text, "count=");
    at += number_print (text + at, used_by (target, TREE_QUOTA_COUNT));
    at += put_text (text + at, ",bytes=");
    at += number_print (text + at, used_by (target, TREE_QUOTA_BYTES));
    COHORT_ASSERT (at <= QUOTA_TEXT_MAX);
    *size = at;
    return true;
}
