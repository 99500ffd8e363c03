/*
 * server/tree/ops.c - the operations on znodes
 *
 * PURE.  Each looks first and changes then, so that one alone needs no undo.  The order in which
 * things are found wrong is ZooKeeper's (PrepRequestProcessor).
 */
#include "server/tree/ops.h"

#include "client/base/assert.h"
#include "server/tree/change.h"
#include "server/tree/path.h"
#include "server/tree/verify.h"

enum {
    NUMBER_SIZE_MIN = 10, /* as "%010lld" prints it */
    NUMBER_SIZE_MAX = 19,
    NUMBER_TRIES = 32
};

/* The znode of an operation: 0, COHORT_ENONODE, COHORT_ECORRUPT (which nobody will see: the state
 * is given up), or what is wrong with the path. */
static int locate (const struct tree *self, const struct op *op, struct znode **znode)
{
    *znode = znode_find (&self->znodes, self->root, op->path, op->path_size);
    if (*znode != NULL) {
        return verify_stat (self, *znode) ? 0 : COHORT_ECORRUPT;
    }
    int rc =
        tree_path_validate (op->path, op->path_size, self->scalars.limits.path_size_max, false);
    return rc != 0 ? rc : COHORT_ENONODE;
}

static bool version_matches (const struct znode *znode, int32_t version)
{
    return version == COHORT_ANY_VERSION || version == znode->version;
}

/* ---- Create ------------------------------------------------------------------------------ */

static int check_create (const struct tree *self, const struct op *op)
{
    const struct entry_limits *limits = &self->scalars.limits;
    bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
    int rc = tree_path_validate (op->path, op->path_size, limits->path_size_max, sequential);
    if (rc != 0) {
        return rc;
    }
    if (op->data_size > limits->data_size_max) {
        return COHORT_ETOOBIG;
    }
    if ((op->mode & ~(COHORT_EPHEMERAL | COHORT_SEQUENTIAL)) != 0 || op->ttl_ms != 0) {
        return COHORT_EUNSUPPORTED;
    }
    return op->acl_id != 0 ? COHORT_EINVALIDACL : 0;
}

/* Appends the number as "%010lld" would. */
static void append_number (struct buf *out, uint64_t number)
{
    char digits[NUMBER_SIZE_MAX];
    size_t at = sizeof (digits);
    COHORT_ASSERT (number <= INT64_MAX);
    while (number > 0 || sizeof (digits) - at < NUMBER_SIZE_MIN) {
        digits[--at] = (char) ('0' + number % 10);
        number /= 10;
    }
    buf_append (out, digits + at, sizeof (digits) - at);
}

/* Whether the name is free below the parent; then what->hash is that of the path. */
static bool name_free (const struct tree *self, struct change_create *what)
{
    const char *name = what->path + what->name_at;
    size_t size = what->path_size - what->name_at;
    what->hash = tree_path_hash_child (what->parent->node.hash, name, size);
    return znode_find_child (&self->znodes, what->parent, what->hash, name, size) == NULL;
}

/* Builds the path of a sequential create in self->created.  A number whose name is taken, by a
 * create that gave the whole name, is passed over, in growing steps so that many taken names cost
 * little. */
static int choose_name (struct tree *self, const struct op *op, struct change_create *what)
{
    struct buf *path = &self->created;
    uint64_t number = what->sequence;
    for (int i = 0; i < NUMBER_TRIES; i++) {
        if (number >= INT64_MAX) {
            return COHORT_ELIMIT;
        }
        buf_clear (path);
        buf_append (path, op->path, op->path_size);
        append_number (path, number);
        COHORT_ASSERT (!path->failed);
        if (path->size > self->scalars.limits.path_size_max) {
            return COHORT_ETOOBIG;
        }
        what->path = (const char *) path->data;
        what->path_size = path->size;
        if (name_free (self, what)) {
            what->sequence = number + 1;
            return 0;
        }
        number += UINT64_C (1) << i;
    }
    return COHORT_ENODEEXISTS;
}

static int create (struct tree *self, struct session *session, const struct op *op,
                   struct result_op *result)
{
    int rc = check_create (self, op);
    if (rc != 0) {
        return rc;
    }
    bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
    if (op->path_size == 1 && !sequential) {
        return COHORT_ENODEEXISTS;
    }
    size_t parent_size = op->path_size > 1 ? tree_path_parent_size (op->path, op->path_size) : 1;
    struct znode *parent = znode_find (&self->znodes, self->root, op->path, parent_size);
    if (parent == NULL) {
        return COHORT_ENONODE;
    }
    if (!verify_stat (self, parent)) {
        return COHORT_ECORRUPT;
    }
    if (znode_ephemeral (parent)) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    struct change_create what = {
        .parent = parent,
        .path = op->path,
        .path_size = op->path_size,
        .name_at = parent_size > 1 ? parent_size + 1 : 1,
        .data = op->data,
        .data_size = op->data_size,
        .mode = op->mode,
        .owner = (op->mode & COHORT_EPHEMERAL) != 0 ? session : NULL,
        .sequence = parent->u.family != NULL ? parent->u.family->sequence : 0,
    };
    rc = sequential                 ? choose_name (self, op, &what)
         : !name_free (self, &what) ? COHORT_ENODEEXISTS
                                    : 0;
    if (rc != 0) {
        return rc;
    }
    const struct znode *znode = change_create (self, &what);
    COHORT_ASSERT (znode->parent == parent);
    COHORT_ASSERT (znode->czxid == self->scalars.zxid);
    result->has_path = true;
    result->path = what.path;
    result->path_size = (uint32_t) what.path_size;
    result->has_stat = true;
    znode_stat (znode, &result->stat);
    return 0;
}

/* ---- The others -------------------------------------------------------------------------- */

static int delete (struct tree *self, const struct op *op)
{
    struct znode *znode;
    int rc = locate (self, op, &znode);
    if (rc != 0) {
        return rc;
    }
    if (znode == self->root) {
        return COHORT_EINVAL;
    }
    if (!version_matches (znode, op->version)) {
        return COHORT_EBADVERSION;
    }
    if (znode_child_count (znode) > 0) {
        return COHORT_ENOTEMPTY;
    }
    if (!verify_stat (self, znode->parent)) {
        return COHORT_ECORRUPT;
    }
    change_delete (self, znode, op->path, op->path_size);
    return 0;
}

static int set (struct tree *self, const struct op *op, struct result_op *result)
{
    struct znode *znode;
    if (op->data_size > self->scalars.limits.data_size_max) {
        return COHORT_ETOOBIG;
    }
    int rc = locate (self, op, &znode);
    if (rc != 0) {
        return rc;
    }
    if (!version_matches (znode, op->version)) {
        return COHORT_EBADVERSION;
    }
    change_set (self, znode, op->path, op->path_size, op->data, op->data_size);
    COHORT_ASSERT (znode->mzxid == self->scalars.zxid);
    COHORT_ASSERT (znode->data_size == op->data_size);
    result->has_stat = true;
    znode_stat (znode, &result->stat);
    return 0;
}

static int check (const struct tree *self, const struct op *op)
{
    struct znode *znode;
    int rc = locate (self, op, &znode);
    if (rc != 0) {
        return rc;
    }
    if (op->kind == OP_CHECK_VERSION) {
        return version_matches (znode, op->version) ? 0 : COHORT_EBADVERSION;
    }
    if (op->kind == OP_CHECK_CZXID) {
        return znode->czxid == op->czxid ? 0 : COHORT_EBADCZXID;
    }
    const struct tenure *tenure = znode_tenure (znode);
    bool owned = tenure != NULL && tenure->session->id == op->session && tenure->ozxid == op->ozxid;
    return owned ? 0 : COHORT_EBADOWNER;
}

int op_execute (struct tree *self, struct session *session, const struct op *op,
                struct result_op *result)
{
    COHORT_ASSERT (!session->dead);
    *result = (struct result_op){0};
    switch (op->kind) {
    case OP_CREATE:
        result->code = create (self, session, op, result);
        return result->code;
    case OP_DELETE:
        result->code = delete (self, op);
        return result->code;
    case OP_SET:
        result->code = set (self, op, result);
        return result->code;
    case OP_CHECK_VERSION:
    case OP_CHECK_CZXID:
    case OP_CHECK_OWNER:
        result->code = check (self, op);
        return result->code;
    case OP_CLOSE_SESSION:
    case OP_REJECT:
        break;
    }
    assert_fail ("the operation stands alone", __FILE__, __LINE__);
}
