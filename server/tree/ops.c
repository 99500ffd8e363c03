/*
 * server/tree/ops.c - the operations on znodes
 *
 * PURE.  Each looks first and changes then, so that one alone needs no undo.  The order in which
 * things are found wrong is ZooKeeper's (PrepRequestProcessor).
 */
#include "server/tree/ops.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/estate.h"
#include "server/tree/lapse.h"
#include "server/tree/numbers.h"
#include "server/tree/path.h"
#include "server/tree/permit.h"
#include "server/tree/quota.h"
#include "server/tree/system.h"
#include "server/tree/verify.h"

enum {
    NUMBER_SIZE_MIN = 10, /* as "%010lld" prints it */
    NUMBER_SIZE_MAX = 19,
    NUMBER_TRIES = 32
};

/* The znode of an operation: 0, COHORT_ENONODE, COHORT_ENOAUTH, COHORT_ECORRUPT (which nobody will
 * see: the state is given up), or what is wrong with the path. */
static int locate (const struct tree *self, const struct session *session, const struct op *op,
                   struct znode **znode)
{
    *znode = znode_find (&self->znodes, self->root, op->path, op->path_size);
    int rc;
    if (*znode != NULL) {
        if (!verify_stat (self, *znode)) {
            return COHORT_ECORRUPT;
        }
        rc = permit_op (self, session, op->kind, *znode);
        return rc != 0 ? rc : system_permit (self, session, op);
    }
    rc = tree_path_validate (op->path, op->path_size, self->scalars.limits.path_size_max, false);
    return rc != 0 ? rc : permit_absent (self, session, op->kind, op->path, op->path_size);
}

static bool version_matches (const struct znode *znode, int32_t version)
{
    return version == COHORT_ANY_VERSION || version == znode->version ||
           (COHORT_MUTATED (old_version_matches) && version < znode->version);
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
    if (!tree_life_valid (op->mode, op->ttl_ms) || (op->if_absent && sequential)) {
        return COHORT_EINVAL;
    }
    return 0;
}

/* The create of what may be there already. */
static int found (const struct tree *self, const struct session *session, const struct znode *znode,
                  const struct op *op, struct result_op *result)
{
    if (!op->if_absent) {
        return COHORT_ENODEEXISTS;
    }
    if (!verify_stat (self, znode)) {
        return COHORT_ECORRUPT;
    }
    result->existed = true;
    result->has_path = true;
    result->path = op->path;
    result->path_size = op->path_size;
    if (permits_sight (self, session, znode)) {
        result->has_stat = true;
        znode_stat (znode, &result->stat);
    }
    return 0;
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

/* The znode that has the name already, or NULL; what->hash becomes that of the path. */
static struct znode *namesake (const struct tree *self, struct change_create *what)
{
    const char *name = what->path + what->name_at;
    size_t size = what->path_size - what->name_at;
    what->hash = tree_path_hash_child (what->parent->node.hash, name, size);
    return znode_find_child (&self->znodes, what->parent, what->hash, name, size);
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
        MEM_NEED (!path->failed);
        if (path->size > self->scalars.limits.path_size_max) {
            return COHORT_ETOOBIG;
        }
        what->path = (const char *) path->data;
        what->path_size = path->size;
        if (namesake (self, what) == NULL) {
            what->sequence = number + 1;
            return 0;
        }
        number += UINT64_C (1) << i;
    }
    return COHORT_ENODEEXISTS;
}

/* The lists of access speak before the rules of the servers' own znodes: these would tell that
 * there is a parent.  It is NULL: there is none. */
static int permit_create (const struct tree *self, const struct session *session,
                          const struct op *op, const struct znode *parent, size_t parent_size)
{
    int rc, absent = 0;
    if (parent == NULL) {
        absent = permit_absent (self, session, OP_CREATE, op->path, parent_size);
        rc = absent == COHORT_ENOAUTH ? absent : 0;
    } else {
        rc = verify_stat (self, parent) ? permit_op (self, session, OP_CREATE, parent)
                                        : COHORT_ECORRUPT;
    }
    rc = rc != 0 ? rc : system_permit (self, session, op);
    return rc != 0 ? rc : absent;
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
        return found (self, session, self->root, op, result);
    }
    size_t parent_size = op->path_size > 1 ? tree_path_parent_size (op->path, op->path_size) : 1;
    struct znode *parent = znode_find (&self->znodes, self->root, op->path, parent_size);
    rc = permit_create (self, session, op, parent, parent_size);
    if (rc != 0) {
        return rc;
    }
    if (znode_ephemeral (parent)) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    const struct family *family = znode_family (parent);
    struct change_create what = {
        .parent = parent,
        .path = op->path,
        .path_size = op->path_size,
        .name_at = parent_size > 1 ? parent_size + 1 : 1,
        .data = op->data,
        .data_size = op->data_size,
        .mode = op->mode,
        .ttl_ms = op->ttl_ms,
        .owner = (op->mode & COHORT_EPHEMERAL) != 0 ? session : NULL,
        .sequence = family != NULL ? family->sequence : self->first_sequence,
    };
    if (sequential) {
        rc = choose_name (self, op, &what);
        if (rc != 0) {
            return rc;
        }
    } else {
        const struct znode *other = namesake (self, &what);
        if (other != NULL) {
            return found (self, session, other, op, result);
        }
    }
    struct quota_growth growth = {what.path, what.path_size, 1, op->data_size};
    rc = quota_admit (self, session, &growth, result);
    if (rc == 0) {
        rc = op_create_acl (self, session, op, parent, &what.acl);
    }
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

static int delete (struct tree *self, const struct session *session, const struct op *op)
{
    struct znode *znode;
    int rc = locate (self, session, op, &znode);
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

/* Who may not know whether there is one is told so, as always. */
static int delete_if_present (struct tree *self, const struct session *session, const struct op *op,
                              struct result_op *result)
{
    int rc = delete (self, session, op);
    result->existed = rc == 0;
    return rc == COHORT_ENONODE ? 0 : rc;
}

/* Whether quotas let the znode have so many bytes of data instead of those it has. */
static int admit_data (struct tree *self, const struct session *session, const struct op *op,
                       const struct znode *znode, size_t data_size, struct result_op *result)
{
    struct quota_growth growth = {op->path, op->path_size, 0,
                                  (int64_t) data_size - (int64_t) znode->data_size};
    return quota_admit (self, session, &growth, result);
}

static int set (struct tree *self, const struct session *session, const struct op *op,
                struct result_op *result)
{
    struct znode *znode;
    if (op->data_size > self->scalars.limits.data_size_max) {
        return COHORT_ETOOBIG;
    }
    int rc = locate (self, session, op, &znode);
    if (rc != 0) {
        return rc;
    }
    if (!version_matches (znode, op->version)) {
        return COHORT_EBADVERSION;
    }
    rc = admit_data (self, session, op, znode, op->data_size, result);
    if (rc != 0) {
        return rc;
    }
    change_set (self, znode, op->path, op->path_size, op->data, op->data_size);
    COHORT_ASSERT (znode_mzxid (znode) == self->scalars.zxid);
    COHORT_ASSERT (znode->data_size == op->data_size);
    result->has_stat = true;
    znode_stat (znode, &result->stat);
    return 0;
}

/* A counter: a number that stays within its bounds. */
static int add (struct tree *self, const struct session *session, const struct op *op,
                struct result_op *result)
{
    struct znode *znode;
    int rc = locate (self, session, op, &znode);
    if (rc != 0) {
        return rc;
    }
    if (!verify_znode (self, znode)) {
        return COHORT_ECORRUPT;
    }
    int64_t value, sum;
    if (!number_parse (znode_data (znode), znode->data_size, &value)) {
        return COHORT_ENOTNUMBER;
    }
    if (!number_add (value, op->delta, &sum) || sum < op->floor || sum > op->ceiling) {
        return COHORT_EBOUNDS;
    }
    char text[NUMBER_TEXT_MAX];
    size_t size = number_print (text, sum);
    if (size > self->scalars.limits.data_size_max) {
        return COHORT_ETOOBIG;
    }
    rc = admit_data (self, session, op, znode, size, result);
    if (rc != 0) {
        return rc;
    }
    change_set (self, znode, op->path, op->path_size, (const uint8_t *) text, size);
    result->has_stat = true;
    znode_stat (znode, &result->stat);
    result->has_value = true;
    result->value = sum;
    return 0;
}

/* Removes the znode and all below it, children first. */
static int trim (struct tree *self, struct znode *top)
{
    struct znode *at = top;
    for (;;) {
        const struct family *family = znode_family (at);
        struct znode *child = family != NULL ? children_last (&family->children) : NULL;
        if (child != NULL) {
            at = child;
            continue;
        }
        struct znode *parent = at->parent;
        bool done = at == top;
        size_t path_size;
        if (!verify_stat (self, at) || !verify_stat (self, parent)) {
            return COHORT_ECORRUPT; /* the state is given up */
        }
        bool ok = znode_path (at, &self->path, &path_size);
        MEM_NEED (ok);
        change_delete (self, at, (const char *) self->path.data, path_size);
        if (done) {
            return 0;
        }
        at = parent;
    }
}

static int delete_tree (struct tree *self, const struct session *session, const struct op *op,
                        struct result_op *result)
{
    struct znode *znode;
    int rc = locate (self, session, op, &znode);
    if (rc != 0) {
        return rc;
    }
    if (znode == self->root) {
        return COHORT_EINVAL;
    }
    if (!version_matches (znode, op->version)) {
        return COHORT_EBADVERSION;
    }
    uint64_t count = 1 + znode_below (znode);
    if ((op->limit != 0 && count > op->limit) || count > ENTRY_TREE_MAX - self->trimmed) {
        /* Whoever may neither read nor delete it learns nothing of its size; nor does it cost more
         * to find out than to delete it. */
        bool reads = permits (self, session, znode, COHORT_PERM_READ);
        if (!reads && (count > ENTRY_TREE_MAX || !permits_trim (self, session, znode))) {
            return COHORT_ENOAUTH;
        }
        result->has_value = reads;
        result->value = result->has_value ? (int64_t) count : 0;
        return COHORT_ETOOBIG;
    }
    if (!permits_trim (self, session, znode)) {
        return COHORT_ENOAUTH;
    }
    self->trimmed += (uint32_t) count;
    result->has_value = true;
    result->value = (int64_t) count;
    return trim (self, znode);
}

static int set_acl (struct tree *self, const struct session *session, const struct op *op,
                    struct result_op *result)
{
    struct znode *znode;
    int rc = locate (self, session, op, &znode);
    return rc != 0 ? rc : op_set_acl (self, session, op, znode, result);
}

static int check (const struct tree *self, const struct session *session, const struct op *op)
{
    struct znode *znode;
    int rc = locate (self, session, op, &znode);
    if (op->kind == OP_CHECK_ABSENT) {
        return rc == 0 ? COHORT_ENODEEXISTS : rc == COHORT_ENONODE ? 0 : rc;
    }
    if (rc != 0) {
        return rc;
    }
    if (op->kind == OP_CHECK_VERSION) {
        bool matches = version_matches (znode, op->version) || COHORT_MUTATED (check_passes);
        return matches ? 0 : COHORT_EBADVERSION;
    }
    if (op->kind == OP_CHECK_CZXID) {
        return znode->czxid == op->czxid ? 0 : COHORT_EBADCZXID;
    }
    const struct tenure *tenure = znode_tenure (znode);
    bool owned = tenure != NULL &&
                 (tenure_session (tenure)->id == op->session || COHORT_MUTATED (owner_unasked)) &&
                 tenure_ozxid (tenure) == op->ozxid;
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
        result->code = delete (self, session, op);
        return result->code;
    case OP_DELETE_IF_PRESENT:
        result->code = delete_if_present (self, session, op, result);
        return result->code;
    case OP_SET:
        result->code = set (self, session, op, result);
        return result->code;
    case OP_ADD:
        result->code = add (self, session, op, result);
        return result->code;
    case OP_DELETE_TREE:
        result->code = delete_tree (self, session, op, result);
        return result->code;
    case OP_CHECK_VERSION:
    case OP_CHECK_CZXID:
    case OP_CHECK_OWNER:
    case OP_CHECK_ABSENT:
        result->code = check (self, session, op);
        return result->code;
    case OP_SET_ACL:
        result->code = set_acl (self, session, op, result);
        return result->code;
    case OP_ADD_AUTH:
        result->code = op_add_auth (self, session, op);
        return result->code;
    case OP_SET_ADMINS:
        result->code = op_set_admins (self, session, op);
        return result->code;
    case OP_KILL_SESSION:
        result->code = op_kill_session (self, session, op, result);
        return result->code;
    case OP_HAND_OVER:
        result->code = op_hand_over (self, session, op, result);
        return result->code;
    case OP_CLOSE_SESSION:
    case OP_REJECT:
        break;
    }
    assert_fail ("the operation stands alone", __FILE__, __LINE__);
}
