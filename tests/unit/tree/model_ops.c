/* A naive model of the replicated state: znodes, and the operations on them. */

#include "tests/unit/tree/model_ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/hand_over.h"
#include "cohort/error.h"
#include "server/tree/result.h"
#include "tests/unit/tree/model_acl.h"
#include "tests/unit/tree/model_system.h"
#include "tests/unit/unit.h"

/* ---- Nodes ------------------------------------------------------------------------------- */

/* '/' is below all other characters, as the order of a walk has it: children before siblings. */
int model_compare (const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    int left = *a == '/' ? 1 : *a == 0 ? 0 : 2 + (unsigned char) *a;
    int right = *b == '/' ? 1 : *b == 0 ? 0 : 2 + (unsigned char) *b;
    return left - right;
}

struct model_node *model_node (struct model_nodes *nodes, const char *path)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (strcmp (nodes->items[i].path, path) == 0) {
            return &nodes->items[i];
        }
    }
    return NULL;
}

struct model_node *model_insert (struct model_nodes *nodes, const char *path)
{
    assert_true (nodes->count < MODEL_NODES_MAX);
    assert_true (strlen (path) < MODEL_PATH_MAX);
    size_t at = 0;
    while (at < nodes->count && model_compare (nodes->items[at].path, path) < 0) {
        at++;
    }
    memmove (&nodes->items[at + 1], &nodes->items[at],
             (nodes->count - at) * sizeof (nodes->items[0]));
    nodes->count++;
    nodes->items[at] = (struct model_node){0};
    memcpy (nodes->items[at].path, path, strlen (path) + 1);
    return &nodes->items[at];
}

void model_remove (struct model_nodes *nodes, struct model_node *node)
{
    size_t at = (size_t) (node - nodes->items);
    nodes->count--;
    memmove (node, node + 1, (nodes->count - at) * sizeof (*node));
}

void model_parent (const char *path, char out[MODEL_PATH_MAX])
{
    const char *slash = strrchr (path, '/');
    size_t size = slash == path ? 1 : (size_t) (slash - path);
    memcpy (out, path, size);
    out[size] = 0;
}

/* ASCII only: the tests of paths know the rest. */
static bool path_valid (const char *path, bool sequential)
{
    if (path[0] != '/') {
        return false;
    }
    const char *name = path + 1;
    if (*name == 0) {
        return true;
    }
    for (;;) {
        size_t size = strcspn (name, "/");
        bool last = name[size] == 0;
        if (!(sequential && last && size == 0) &&
            (size == 0 || (size == 1 && name[0] == '.') ||
             (size == 2 && name[0] == '.' && name[1] == '.'))) {
            return false;
        }
        if (last) {
            return true;
        }
        name += size + 1;
    }
}

/* ---- Operations -------------------------------------------------------------------------- */

static int existing (struct model *self, const struct model_session *session,
                     const struct model_node *node, const char *path, struct result_op *result)
{
    result->existed = result->has_path = true;
    result->path = path;
    result->path_size = (uint32_t) strlen (path);
    if (model_permit (self, session, OP_CHECK_ABSENT, node) == 0) {
        result->has_stat = true;
        result->stat = node->stat;
    }
    return 0;
}

static int check_create (const struct model *self, const struct op *op, const char *given)
{
    bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
    if (!path_valid (given, sequential)) {
        return COHORT_EPATH;
    }
    if (strlen (given) > self->limits.path_size_max || op->data_size > self->limits.data_size_max) {
        return COHORT_ETOOBIG;
    }
    bool ephemeral = (op->mode & COHORT_EPHEMERAL) != 0;
    bool container = (op->mode & COHORT_CONTAINER) != 0;
    bool wrong = op->mode > 7 || (ephemeral && container) ||
                 (op->ttl_ms > 0 && (ephemeral || container)) || (op->if_absent && sequential);
    return wrong ? COHORT_EINVAL : 0;
}

/* The name of a sequential create, and the parent's next number. */
static int choose_name (struct model *self, const char *given, uint64_t *number,
                        char path[MODEL_PATH_MAX])
{
    for (uint64_t jump = 1;; jump *= 2) {
        int size = snprintf (path, MODEL_PATH_MAX, "%s%010lld", given, (long long) *number);
        if (size >= MODEL_PATH_MAX || size > (int) self->limits.path_size_max) {
            return COHORT_ETOOBIG;
        }
        if (model_node (&self->nodes, path) == NULL) {
            ++*number;
            return 0;
        }
        *number += jump;
    }
}

static void make (struct model *self, const struct model_session *session, const struct op *op,
                  const char *path, const struct model_list *acl)
{
    bool ephemeral = (op->mode & COHORT_EPHEMERAL) != 0;
    struct model_node *node = model_insert (&self->nodes, path);
    memcpy (node->data, op->data, op->data_size);
    node->acl = *acl;
    node->stat.data_size = (int32_t) op->data_size;
    node->stat.czxid = node->stat.mzxid = node->stat.pzxid = self->zxid;
    node->stat.ctime_ms = node->stat.mtime_ms = self->stamp_ms;
    node->stat.mode = op->mode;
    node->stat.ttl_ms = (int64_t) op->ttl_ms;
    node->stat.ephemeral_owner = ephemeral ? session->id : 0;
    node->stat.ozxid = ephemeral ? self->zxid : 0;
}

/* Whether the session may create it there at all; the parent is NULL: there is none. */
static int permit_create (struct model *self, const struct model_session *session,
                          const struct op *op, const char *given, const char *above)
{
    const struct model_node *parent = model_node (&self->nodes, above);
    int absent = parent == NULL ? model_permit_absent (self, session, OP_CREATE, above) : 0;
    int rc = parent != NULL             ? model_permit (self, session, OP_CREATE, parent)
             : absent == COHORT_ENOAUTH ? absent
                                        : 0;
    rc = rc != 0 ? rc : model_reserve (self, session, op, given);
    return rc != 0 ? rc : absent;
}

static int create (struct model *self, const struct model_session *session, const struct op *op,
                   const char *given, struct result_op *result, char path[MODEL_PATH_MAX])
{
    bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
    struct model_list acl;
    char above[MODEL_PATH_MAX];
    int rc = check_create (self, op, given);
    if (rc != 0) {
        return rc;
    }
    model_parent (given, above);
    if (strcmp (given, "/") != 0 || sequential) {
        rc = permit_create (self, session, op, given, above);
    }
    if (rc != 0) {
        return rc;
    }
    struct model_node *parent = model_node (&self->nodes, above);
    if (parent->stat.ephemeral_owner != 0) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    uint64_t number = parent->sequence;
    snprintf (path, MODEL_PATH_MAX, "%s", given);
    if (sequential) {
        rc = choose_name (self, given, &number, path);
    } else if (model_node (&self->nodes, given) != NULL) {
        return op->if_absent
                   ? existing (self, session, model_node (&self->nodes, given), path, result)
                   : COHORT_ENODEEXISTS;
    }
    if (rc == 0) {
        rc = model_check_quotas (self, session, path, 1, op->data_size, result);
    }
    if (rc == 0) {
        rc = model_create_acl (self, session, op, above, &acl);
    }
    if (rc != 0) {
        return rc;
    }
    parent->sequence = number;
    parent->stat.cversion++;
    parent->stat.pzxid = self->zxid;
    parent->stat.child_count++;
    make (self, session, op, path, &acl);
    result->has_path = result->has_stat = true;
    result->path = path;
    result->path_size = (uint32_t) strlen (path);
    result->stat = model_node (&self->nodes, path)->stat;
    return 0;
}

void model_delete (struct model *self, struct model_node *node)
{
    char above[MODEL_PATH_MAX];
    model_parent (node->path, above);
    model_remove (&self->nodes, node);
    struct model_node *parent = model_node (&self->nodes, above);
    parent->stat.cversion++;
    parent->stat.pzxid = self->zxid;
    parent->stat.child_count--;
}

static int delete_tree (struct model *self, const struct model_session *session,
                        const struct op *op, const char *top, struct result_op *result)
{
    uint64_t count = 0;
    for (size_t i = 0; i < self->nodes.count; i++) {
        count += model_within (self->nodes.items[i].path, top);
    }
    bool trims = model_permits_trim (self, session, top);
    bool reads = model_permits (self, session, model_node (&self->nodes, top), COHORT_PERM_READ);
    bool many = (op->limit > 0 && count > op->limit) || self->trimmed + count > 1000;
    if (!trims && !(many && reads)) {
        return COHORT_ENOAUTH;
    }
    result->has_value = !many || reads;
    result->value = result->has_value ? (int64_t) count : 0;
    if (many) {
        return COHORT_ETOOBIG;
    }
    self->trimmed += count;
    for (size_t i = self->nodes.count; i-- > 0;) {
        if (model_within (self->nodes.items[i].path, top)) {
            model_delete (self, &self->nodes.items[i]);
        }
    }
    return 0;
}

static int add (struct model *self, const struct model_session *session, const struct op *op,
                struct model_node *node, struct result_op *result)
{
    char text[MODEL_DATA_MAX + 1] = {0};
    memcpy (text, node->data, (size_t) node->stat.data_size);
    size_t digits = strspn (text + (text[0] == '-'), "0123456789");
    bool number = digits + (text[0] == '-') == (size_t) node->stat.data_size;
    if (!number || (digits == 0 && text[0] == '-')) {
        return COHORT_ENOTNUMBER;
    }
    /* The numbers of the test are small, but for those that are not of 64 bits. */
    errno = 0;
    long long value = strtoll (text, NULL, 10);
    if (errno == ERANGE) {
        return COHORT_ENOTNUMBER;
    }
    long long sum;
    if (__builtin_add_overflow (value, (long long) op->delta, &sum) || sum < op->floor ||
        sum > op->ceiling) {
        return COHORT_EBOUNDS;
    }
    int size = snprintf (text, sizeof (text), "%lld", sum);
    if ((uint32_t) size > self->limits.data_size_max) {
        return COHORT_ETOOBIG;
    }
    int rc = model_check_quotas (self, session, node->path, 0, size - node->stat.data_size, result);
    if (rc != 0) {
        return rc;
    }
    memcpy (node->data, text, (size_t) size);
    node->stat.data_size = size;
    node->stat.version++;
    node->stat.mzxid = self->zxid;
    node->stat.mtime_ms = self->stamp_ms;
    result->has_stat = result->has_value = true;
    result->stat = node->stat;
    result->value = sum;
    return 0;
}

static int hand_over (struct model *self, uint64_t from, const struct op *op,
                      struct result_op *result)
{
    uint8_t token[ENTRY_TOKEN_SIZE];
    const struct model_session *to = model_session (self, op->session);
    if (op->session == from) {
        return COHORT_EINVAL;
    }
    if (to == NULL || to->condemned) {
        return COHORT_ENOAUTH;
    }
    hand_over_token (from, to->id, to->password_hash, token);
    if (memcmp (token, op->token, sizeof (token)) != 0) {
        return COHORT_ENOAUTH;
    }
    result->has_value = true;
    for (size_t i = 0; i < self->nodes.count; i++) {
        cohort_stat_t *stat = &self->nodes.items[i].stat;
        if (stat->ephemeral_owner == from) {
            stat->ephemeral_owner = to->id;
            stat->ozxid = self->zxid;
            result->value++;
        }
    }
    return 0;
}

static int set (struct model *self, const struct model_session *session, const struct op *op,
                struct model_node *node, struct result_op *result)
{
    int rc = model_check_quotas (self, session, node->path, 0,
                                 (long long) op->data_size - node->stat.data_size, result);
    if (rc != 0) {
        return rc;
    }
    memcpy (node->data, op->data, op->data_size);
    node->stat.data_size = (int32_t) op->data_size;
    node->stat.version++;
    node->stat.mzxid = self->zxid;
    node->stat.mtime_ms = self->stamp_ms;
    result->has_stat = true;
    result->stat = node->stat;
    return 0;
}

/* Of a znode that is there, and may be worked with so. */
static int execute_on (struct model *self, const struct model_session *session, const struct op *op,
                       struct model_node *node, struct result_op *result)
{
    bool matches = op->version == -1 || op->version == node->stat.version;
    bool root = strcmp (node->path, "/") == 0;
    char path[MODEL_PATH_MAX];
    memcpy (path, node->path, sizeof (path));
    switch (op->kind) {
    case OP_CHECK_ABSENT:
        return COHORT_ENODEEXISTS;
    case OP_ADD:
        return add (self, session, op, node, result);
    case OP_DELETE_TREE:
        return root       ? COHORT_EINVAL
               : !matches ? COHORT_EBADVERSION
                          : delete_tree (self, session, op, path, result);
    case OP_DELETE:
    case OP_DELETE_IF_PRESENT:
        if (root || !matches || node->stat.child_count > 0) {
            return root ? COHORT_EINVAL : !matches ? COHORT_EBADVERSION : COHORT_ENOTEMPTY;
        }
        model_delete (self, node);
        result->existed = op->kind == OP_DELETE_IF_PRESENT;
        return 0;
    case OP_SET:
        return matches ? set (self, session, op, node, result) : COHORT_EBADVERSION;
    case OP_SET_ACL:
        return model_set_acl (self, session, op, node, result);
    case OP_CHECK_VERSION:
        return matches ? 0 : COHORT_EBADVERSION;
    case OP_CHECK_CZXID:
        return node->stat.czxid == op->czxid ? 0 : COHORT_EBADCZXID;
    default:
        return node->stat.ephemeral_owner == op->session && op->session != 0 &&
                       node->stat.ozxid == op->ozxid
                   ? 0
                   : COHORT_EBADOWNER;
    }
}

static int execute (struct model *self, struct model_session *session, const struct op *op,
                    struct result_op *result, char path[MODEL_PATH_MAX])
{
    char given[MODEL_PATH_MAX];
    switch (op->kind) {
    case OP_HAND_OVER:
        return hand_over (self, session->id, op, result);
    case OP_ADD_AUTH:
        return model_add_auth (session, op);
    case OP_SET_ADMINS:
        return model_set_admins (self, session, op);
    case OP_KILL_SESSION:
        return model_kill_session (self, session, op, result);
    default:
        break;
    }
    assert_true (op->path_size < MODEL_PATH_MAX);
    memcpy (given, op->path, op->path_size);
    given[op->path_size] = 0;
    if (op->kind == OP_CREATE) {
        return create (self, session, op, given, result, path);
    }
    if (op->kind == OP_SET && op->data_size > self->limits.data_size_max) {
        return COHORT_ETOOBIG;
    }
    struct model_node *node = model_node (&self->nodes, given);
    if (node == NULL) {
        int rc = !path_valid (given, false)                    ? COHORT_EPATH
                 : strlen (given) > self->limits.path_size_max ? COHORT_ETOOBIG
                                                               : 0;
        rc = rc != 0 ? rc : model_permit_absent (self, session, op->kind, given);
        bool wanted = op->kind == OP_CHECK_ABSENT || op->kind == OP_DELETE_IF_PRESENT;
        return rc == COHORT_ENONODE && wanted ? 0 : rc;
    }
    int rc = model_permit (self, session, op->kind, node);
    if (rc == 0 && op->kind != OP_CHECK_ABSENT) {
        rc = model_reserve (self, session, op, given);
    }
    return rc != 0 ? rc : execute_on (self, session, op, node, result);
}

static void copy_nodes (struct model_nodes *to, const struct model_nodes *from)
{
    to->count = from->count;
    memcpy (to->items, from->items, from->count * sizeof (from->items[0]));
}

int model_execute (struct model *self, struct model_session *session,
                   const struct entry_write *write, struct buf *out)
{
    struct reader ops = write->ops;
    copy_nodes (&self->before, &self->nodes);
    self->trimmed = 0;
    self->crossed = 0;
    result_encode (out, 0, self->zxid, write->count);
    for (uint32_t i = 0; i < write->count; i++) {
        struct op op;
        assert_true (op_decode (&op, &ops));
        struct result_op result = {0};
        char path[MODEL_PATH_MAX];
        result.code = op.kind == OP_REJECT          ? op.code
                      : op.kind == OP_CLOSE_SESSION ? 0
                                                    : execute (self, session, &op, &result, path);
        if (result.code == 0) {
            result_op_encode (out, &result);
            continue;
        }
        copy_nodes (&self->nodes, &self->before);
        buf_clear (out);
        result_encode (out, result.code, self->zxid, write->count);
        for (uint32_t k = 0; k < write->count; k++) {
            struct result_op other = {.code = COHORT_EROLLEDBACK};
            if (k == i) {
                other = (struct result_op){
                    .code = result.code, .has_quota = result.has_quota, .quota = result.quota};
            }
            if (!write->multi) {
                other.has_value = result.has_value;
                other.value = result.value;
            }
            result_op_encode (out, &other);
        }
        return result.code;
    }
    return 0;
}
