/* A naive model of the replicated state: the servers' own znodes, and quotas. */

#include "tests/unit/tree/model_system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/error.h"
#include "tests/unit/tree/model_acl.h"
#include "tests/unit/unit.h"

/* ---- From the beginning ------------------------------------------------------------------ */

static void make (struct model *self, const char *path, const char *data)
{
    char above[MODEL_PATH_MAX];
    model_parent (path, above);
    struct model_node *node = model_insert (&self->nodes, path);
    memcpy (node->data, data, strlen (data));
    node->stat.data_size = (int32_t) strlen (data);
    node->stat.czxid = node->stat.mzxid = node->stat.pzxid = self->zxid;
    node->stat.ctime_ms = node->stat.mtime_ms = self->stamp_ms;
    node = model_node (&self->nodes, above);
    node->stat.cversion++;
    node->stat.pzxid = self->zxid;
    node->stat.child_count++;
}

void model_found (struct model *self)
{
    /* A voter and an observer, whose addresses nobody has said. */
    char text[MODEL_DATA_MAX];
    snprintf (text, sizeof (text), "server.1=participant\nserver.2=observer\nversion=%llx",
              (unsigned long long) self->zxid);
    make (self, "/zookeeper", "");
    make (self, "/zookeeper/config", text);
    make (self, "/zookeeper/quota", "");
}

bool model_within (const char *path, const char *top)
{
    size_t size = strlen (top);
    return size == 1 || (strncmp (path, top, size) == 0 && (path[size] == 0 || path[size] == '/'));
}

/* ---- What the servers keep for themselves ------------------------------------------------ */

#define QUOTAS "/zookeeper/quota"
#define LIMITS "/zookeeper_limits"
#define STATS  "/zookeeper_stats"

static bool ends_with (const char *path, const char *end)
{
    return strlen (path) >= strlen (end) && strcmp (path + strlen (path) - strlen (end), end) == 0;
}

static const char *const limit_names[] = {"count=", "bytes=", "countHardLimit=", "byteHardLimit="};

/* The number behind a name; -1: there is none.  false: what the test writes is sound, or nothing
 * like it. */
static bool read_limits (const uint8_t *data, size_t size, long long limits[TREE_QUOTA_KINDS])
{
    char text[MODEL_DATA_MAX + 1] = {0};
    if (size > 0) {
        memcpy (text, data, size);
    }
    for (int i = 0; i < TREE_QUOTA_KINDS; i++) {
        limits[i] = -1;
    }
    for (char *at = text; *at != 0;) {
        int kind = 0;
        while (kind < TREE_QUOTA_KINDS &&
               strncmp (at, limit_names[kind], strlen (limit_names[kind])) != 0) {
            kind++;
        }
        if (kind == TREE_QUOTA_KINDS) {
            return false;
        }
        limits[kind] = strtoll (at + strlen (limit_names[kind]), &at, 10);
        at += *at == ',';
    }
    return strlen (text) == size;
}

int model_reserve (const struct model *self, const struct model_session *session,
                   const struct op *op, const char *path)
{
    bool creates = op->kind == OP_CREATE;
    bool sequential = creates && (op->mode & COHORT_SEQUENTIAL) != 0;
    bool changes = op->kind == OP_SET || op->kind == OP_ADD;
    if (!model_within (path, "/zookeeper") || op->kind == OP_CHECK_VERSION ||
        op->kind == OP_CHECK_CZXID || op->kind == OP_CHECK_OWNER) {
        return 0;
    }
    bool own = strcmp (path, "/zookeeper") == 0 || strcmp (path, "/zookeeper/config") == 0 ||
               strcmp (path, QUOTAS) == 0;
    if (own) {
        bool harmless = creates && (!sequential || strcmp (path, "/zookeeper") == 0);
        bool ruled = op->kind == OP_SET_ACL && model_is_admin (self, session);
        return harmless || ruled ? 0 : COHORT_ERESERVED;
    }
    if (model_within (path, QUOTAS) && self->admins.count > 0 && !model_is_admin (self, session)) {
        return COHORT_ENOAUTH;
    }
    if (!model_within (path, QUOTAS) || (changes && ends_with (path, STATS))) {
        return COHORT_ERESERVED;
    }
    long long limits[TREE_QUOTA_KINDS];
    bool speaks = ends_with (path, LIMITS) && ((creates && !sequential) || changes);
    bool sound = op->kind != OP_ADD && read_limits (op->data, op->data_size, limits);
    return speaks && !sound ? COHORT_EINVAL : 0;
}

/* Whether the limits for the node at `top` leave room for so much more. */
static int check_limits (struct model *self, const struct model_session *session, const char *top,
                         const long long *limits, long long count, long long bytes,
                         struct result_op *result)
{
    const struct model_node *there = model_node (&self->nodes, top);
    for (int kind = 0; kind < TREE_QUOTA_KINDS; kind++) {
        bool of_bytes = kind == TREE_QUOTA_BYTES || kind == TREE_QUOTA_BYTES_HARD;
        long long used = 0, more = of_bytes ? bytes : count;
        for (size_t i = 0; i < self->nodes.count; i++) {
            const struct model_node *node = &self->nodes.items[i];
            used += model_within (node->path, top) ? of_bytes ? node->stat.data_size : 1 : 0;
        }
        if (limits[kind] < 0 || more <= 0 || used + more <= limits[kind]) {
            continue;
        }
        if (kind == TREE_QUOTA_COUNT_HARD || kind == TREE_QUOTA_BYTES_HARD) {
            result->has_quota =
                there == NULL || model_permits (self, session, there, COHORT_PERM_READ);
            result->quota = (struct tree_quota){.kind = (enum tree_quota_kind) kind,
                                                .path_size = (uint32_t) strlen (top),
                                                .limit = limits[kind],
                                                .value = used + more};
            return COHORT_EQUOTA;
        }
        self->crossed += used <= limits[kind];
    }
    return 0;
}

int model_check_quotas (struct model *self, const struct model_session *session, const char *path,
                        long long count, long long bytes, struct result_op *result)
{
    char top[MODEL_PATH_MAX], limits_path[2 * MODEL_PATH_MAX];
    if (model_within (path, "/zookeeper")) {
        return 0;
    }
    for (size_t size = 0; size <= strlen (path); size++) {
        if (size > 0 && path[size] != '/' && path[size] != 0) {
            continue;
        }
        snprintf (top, sizeof (top), "%.*s", (int) size, path);
        snprintf (limits_path, sizeof (limits_path), QUOTAS "%s" LIMITS, top);
        const struct model_node *node = model_node (&self->nodes, limits_path);
        long long limits[TREE_QUOTA_KINDS];
        if (node == NULL || !read_limits (node->data, (size_t) node->stat.data_size, limits)) {
            continue;
        }
        int rc = check_limits (self, session, size > 0 ? top : "/", limits, count, bytes, result);
        if (rc != 0) {
            result->quota.path = path;
            return rc;
        }
    }
    return 0;
}

bool model_is_secret (struct model *self, const struct model_session *session,
                      const struct model_node *node)
{
    char top[MODEL_PATH_MAX];
    if (!model_within (node->path, QUOTAS) || !ends_with (node->path, STATS)) {
        return false;
    }
    size_t size = strlen (node->path) - strlen (QUOTAS) - strlen (STATS);
    snprintf (top, sizeof (top), "%.*s", (int) size, node->path + strlen (QUOTAS));
    const char *counted = size > 0 ? top : "/";
    const struct model_node *there = model_node (&self->nodes, counted);
    return there != NULL
               ? !model_permits (self, session, there, COHORT_PERM_READ)
               : model_permit_absent (self, session, OP_CHECK_ABSENT, counted) == COHORT_ENOAUTH;
}
