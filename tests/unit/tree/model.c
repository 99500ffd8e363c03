/* A naive model of the replicated state. */

#include "tests/unit/tree/model_system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/hand_over.h"
#include "cohort/error.h"
#include "server/tree/result.h"
#include "tests/unit/unit.h"

struct model *model_new (const struct entry_limits *limits, zxid_t zxid, int64_t stamp_ms)
{
    struct model *self = calloc (1, sizeof (*self));
    assert_non_null (self);
    self->limits = *limits;
    self->zxid = zxid;
    self->stamp_ms = stamp_ms;
    self->stores[0] = 11;
    self->stores[1] = 22;
    model_insert (&self->nodes, "/");
    model_found (self);
    return self;
}

void model_destroy (struct model **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

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

static int existing (const struct model_node *node, const char *path, struct result_op *result)
{
    result->existed = result->has_path = result->has_stat = true;
    result->path = path;
    result->path_size = (uint32_t) strlen (path);
    result->stat = node->stat;
    return 0;
}

static int create (struct model *self, uint64_t session, const struct op *op, const char *given,
                   struct result_op *result, char path[MODEL_PATH_MAX])
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
    if (op->mode > 7 || (ephemeral && container) || (op->ttl_ms > 0 && (ephemeral || container)) ||
        (op->if_absent && sequential)) {
        return COHORT_EINVAL;
    }
    int rc = model_reserve (op, given);
    if (rc != 0) {
        return rc;
    }
    struct model_node *there = sequential ? NULL : model_node (&self->nodes, given);
    if (there != NULL) {
        memcpy (path, given, strlen (given) + 1);
        return op->if_absent ? existing (there, path, result) : COHORT_ENODEEXISTS;
    }
    char above[MODEL_PATH_MAX];
    model_parent (given, above);
    struct model_node *parent = model_node (&self->nodes, above);
    if (parent == NULL) {
        return COHORT_ENONODE;
    }
    if (parent->stat.ephemeral_owner != 0) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    uint64_t number = parent->sequence;
    snprintf (path, MODEL_PATH_MAX, "%s", given);
    for (uint64_t jump = 1; sequential; jump *= 2) {
        snprintf (path, MODEL_PATH_MAX, "%s%010lld", given, (long long) number);
        if (strlen (path) > self->limits.path_size_max) {
            return COHORT_ETOOBIG;
        }
        if (model_node (&self->nodes, path) == NULL) {
            number++;
            break;
        }
        number += jump;
    }
    rc = model_check_quotas (self, path, 1, op->data_size, result);
    if (rc != 0) {
        return rc;
    }
    parent->sequence = number;
    parent->stat.cversion++;
    parent->stat.pzxid = self->zxid;
    parent->stat.child_count++;
    struct model_node *node = model_insert (&self->nodes, path);
    memcpy (node->data, op->data, op->data_size);
    node->stat.data_size = (int32_t) op->data_size;
    node->stat.czxid = node->stat.mzxid = node->stat.pzxid = self->zxid;
    node->stat.ctime_ms = node->stat.mtime_ms = self->stamp_ms;
    node->stat.mode = op->mode;
    node->stat.ttl_ms = (int64_t) op->ttl_ms;
    if (ephemeral) {
        node->stat.ephemeral_owner = session;
        node->stat.ozxid = self->zxid;
    }
    result->has_path = result->has_stat = true;
    result->path = path;
    result->path_size = (uint32_t) strlen (path);
    result->stat = node->stat;
    return 0;
}

static void delete (struct model *self, struct model_node *node)
{
    char above[MODEL_PATH_MAX];
    model_parent (node->path, above);
    model_remove (&self->nodes, node);
    struct model_node *parent = model_node (&self->nodes, above);
    parent->stat.cversion++;
    parent->stat.pzxid = self->zxid;
    parent->stat.child_count--;
}

static int delete_tree (struct model *self, const struct op *op, const char *top,
                        struct result_op *result)
{
    uint64_t count = 0;
    for (size_t i = 0; i < self->nodes.count; i++) {
        count += model_within (self->nodes.items[i].path, top);
    }
    result->has_value = true;
    result->value = (int64_t) count;
    if ((op->limit > 0 && count > op->limit) || self->trimmed + count > 1000) {
        return COHORT_ETOOBIG;
    }
    self->trimmed += count;
    for (size_t i = self->nodes.count; i-- > 0;) {
        if (model_within (self->nodes.items[i].path, top)) {
            delete (self, &self->nodes.items[i]);
        }
    }
    return 0;
}

static int add (struct model *self, const struct op *op, struct model_node *node,
                struct result_op *result)
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
    int rc = model_check_quotas (self, node->path, 0, size - node->stat.data_size, result);
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
    if (to == NULL || to->dead) {
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

static int execute (struct model *self, uint64_t session, const struct op *op,
                    struct result_op *result, char path[MODEL_PATH_MAX])
{
    if (op->kind == OP_HAND_OVER) {
        return hand_over (self, session, op, result);
    }
    char given[MODEL_PATH_MAX];
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
        return !path_valid (given, false)                    ? COHORT_EPATH
               : strlen (given) > self->limits.path_size_max ? COHORT_ETOOBIG
               : op->kind == OP_CHECK_ABSENT                 ? 0
                                                             : COHORT_ENONODE;
    }
    int rc = op->kind == OP_CHECK_ABSENT ? 0 : model_reserve (op, given);
    if (rc != 0) {
        return rc;
    }
    bool matches = op->version == -1 || op->version == node->stat.version;
    switch (op->kind) {
    case OP_CHECK_ABSENT:
        return COHORT_ENODEEXISTS;
    case OP_ADD:
        return add (self, op, node, result);
    case OP_DELETE_TREE:
        if (strcmp (given, "/") == 0) {
            return COHORT_EINVAL;
        }
        return matches ? delete_tree (self, op, given, result) : COHORT_EBADVERSION;
    case OP_DELETE:
        if (strcmp (given, "/") == 0) {
            return COHORT_EINVAL;
        }
        if (!matches) {
            return COHORT_EBADVERSION;
        }
        if (node->stat.child_count > 0) {
            return COHORT_ENOTEMPTY;
        }
        delete (self, node);
        return 0;
    case OP_SET:
        if (!matches) {
            return COHORT_EBADVERSION;
        }
        rc = model_check_quotas (self, node->path, 0,
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

/* Appends the result of all operations, as one. */
static int execute_all (struct model *self, const struct entry_write *write, struct buf *out)
{
    struct reader ops = write->ops;
    self->before = self->nodes;
    self->trimmed = 0;
    self->crossed = 0;
    result_encode (out, 0, self->zxid, write->count);
    for (uint32_t i = 0; i < write->count; i++) {
        struct op op;
        assert_true (op_decode (&op, &ops));
        struct result_op result = {0};
        char path[MODEL_PATH_MAX];
        result.code = op.kind == OP_REJECT ? op.code
                      : op.kind == OP_CLOSE_SESSION
                          ? 0
                          : execute (self, write->session, &op, &result, path);
        if (result.code == 0) {
            result_op_encode (out, &result);
            continue;
        }
        self->nodes = self->before;
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

/* ---- Sessions ---------------------------------------------------------------------------- */

struct model_session *model_session (struct model *self, uint64_t id)
{
    for (size_t i = 0; i < self->sessions_count; i++) {
        if (self->sessions[i].id == id) {
            return &self->sessions[i];
        }
    }
    return NULL;
}

/* Few ephemerals only: all go at once. */
static void close (struct model *self, struct model_session *session, struct model_outcome *outcome)
{
    for (size_t i = self->nodes.count; i-- > 0;) {
        if (self->nodes.items[i].stat.ephemeral_owner == session->id) {
            delete (self, &self->nodes.items[i]);
        }
    }
    outcome->closed = true;
    outcome->gone = true;
    size_t at = (size_t) (session - self->sessions);
    self->sessions_count--;
    memmove (session, session + 1, (self->sessions_count - at) * sizeof (*session));
}

static void trim (struct model_session *session, uint64_t through)
{
    size_t drop = 0;
    while (drop < session->results_count && session->results[drop].number <= through) {
        drop++;
    }
    session->results_count -= drop;
    memmove (session->results, session->results + drop,
             session->results_count * sizeof (session->results[0]));
}

static bool window_full (const struct model *self, const struct model_session *session,
                         uint64_t ack_to)
{
    size_t count = 0, size = 0;
    for (size_t i = 0; i < session->results_count; i++) {
        if (session->results[i].number > ack_to) {
            count++;
            size += session->results[i].size;
        }
    }
    return count >= self->limits.window || size >= self->limits.results_size_max;
}

static void write (struct model *self, const struct entry_write *write,
                   struct model_outcome *outcome)
{
    outcome->session = write->session;
    struct model_session *session = model_session (self, write->session);
    if (session == NULL || session->dead) {
        outcome->code = COHORT_ESESSIONEXPIRED;
    } else if (write->incarnation != session->incarnation) {
        outcome->code = COHORT_ESESSIONMOVED;
    } else if (write->number <= session->last) {
        outcome->code = COHORT_EDUPLICATE;
        for (size_t i = 0; i < session->results_count; i++) {
            if (session->results[i].number == write->number) {
                outcome->has_result = true;
                outcome->result = session->results[i];
                outcome->code = (int32_t) bytes_get_u32 (session->results[i].bytes);
            }
        }
    } else if (write->number > session->last + 1) {
        outcome->code = COHORT_EGAP;
        outcome->expected = session->last + 1;
    } else if (window_full (self, session, write->ack_to)) {
        outcome->code = COHORT_EWINDOW;
    } else {
        outcome->executed = true;
        uint64_t ack_to = write->ack_to < session->last ? write->ack_to : session->last;
        session->acked = ack_to > session->acked ? ack_to : session->acked;
        trim (session, session->acked);
        session->last++;
        struct buf out = {0};
        outcome->code = execute_all (self, write, &out);
        outcome->crossed = outcome->code == 0 ? self->crossed : 0;
        assert_true (out.size <= MODEL_RESULT_MAX);
        outcome->has_result = true;
        outcome->result.number = session->last;
        outcome->result.size = out.size;
        memcpy (outcome->result.bytes, out.data, out.size);
        buf_deinit (&out);
        struct reader ops = write->ops;
        struct op op;
        if (!write->multi && op_decode (&op, &ops) && op.kind == OP_CLOSE_SESSION) {
            close (self, session, outcome);
        } else {
            assert_true (session->results_count < MODEL_RESULTS_MAX);
            session->results[session->results_count++] = outcome->result;
        }
    }
}

static uint32_t clamp (uint32_t value, uint32_t min, uint32_t max)
{
    value = value < min ? min : value;
    return value > max ? max : value;
}

static void create_session (struct model *self, const struct entry_create_session *create,
                            struct model_outcome *outcome)
{
    uint64_t attach_no = create->attach_no != 0 ? create->attach_no : 1;
    for (size_t i = 0; i < self->sessions_count; i++) {
        struct model_session *session = &self->sessions[i];
        if (memcmp (session->nonce, create->nonce, 16) != 0) {
            continue;
        }
        outcome->session = session->id;
        if (memcmp (session->password_hash, create->password_hash, ENTRY_PASSWORD_HASH) != 0) {
            outcome->code = COHORT_EAUTHFAILED;
        } else if (session->incarnation > 1 || attach_no < session->attach_no ||
                   (attach_no == session->attach_no && create->server != session->server)) {
            outcome->code = COHORT_ESESSIONMOVED;
        } else {
            session->attach_no = attach_no;
            session->server = create->server;
        }
        return;
    }
    assert_true (self->sessions_count < MODEL_SESSIONS_MAX);
    struct model_session *session = &self->sessions[self->sessions_count++];
    memset (session, 0, sizeof (*session));
    session->id = outcome->session = ++self->last_session;
    memcpy (session->nonce, create->nonce, 16);
    memcpy (session->process, create->nonce, 16);
    memcpy (session->password_hash, create->password_hash, ENTRY_PASSWORD_HASH);
    session->timeout_ms =
        clamp (create->timeout_ms, self->limits.timeout_min_ms, self->limits.timeout_max_ms);
    session->grace_ms = create->grace_ms == 0 ? session->timeout_ms : create->grace_ms;
    session->grace_ms = clamp (session->grace_ms, self->limits.grace_min_ms, UINT32_MAX);
    session->grace_ms = clamp (session->grace_ms, 0, session->timeout_ms);
    session->incarnation = 1;
    session->attach_no = attach_no;
    session->server = create->server;
}

static void attach (struct model *self, const struct entry_attach *attach,
                    struct model_outcome *outcome)
{
    outcome->session = attach->session;
    struct model_session *session = model_session (self, attach->session);
    if (session == NULL || session->dead) {
        outcome->code = COHORT_ESESSIONEXPIRED;
    } else if (memcmp (session->password_hash, attach->password_hash, ENTRY_PASSWORD_HASH) != 0) {
        outcome->code = COHORT_EAUTHFAILED;
    } else if (attach->incarnation == session->incarnation) {
        bool mine = session->incarnation == 1 || memcmp (session->process, attach->nonce, 16) == 0;
        if (!mine || attach->attach_no < session->attach_no ||
            (attach->attach_no == session->attach_no && attach->server != session->server)) {
            outcome->code = COHORT_ESESSIONMOVED;
        } else {
            session->attach_no = attach->attach_no;
            session->server = attach->server;
        }
    } else if (attach->incarnation > session->incarnation) {
        session->incarnation = attach->incarnation;
        memcpy (session->process, attach->nonce, 16);
        session->attach_no = attach->attach_no;
        session->server = attach->server;
        session->last = session->acked = 0;
        session->results_count = 0;
    } else {
        outcome->code = COHORT_ESESSIONMOVED;
    }
}

static void lapse (struct model *self, const struct entry_lapse *lapse)
{
    struct reader items = lapse->items;
    for (uint32_t i = 0; i < lapse->count; i++) {
        struct lapse_item item;
        char path[MODEL_PATH_MAX];
        assert_true (lapse_decode (&item, &items));
        assert_true (item.path_size < sizeof (path));
        memcpy (path, item.path, item.path_size);
        path[item.path_size] = 0;
        struct model_node *node = model_node (&self->nodes, path);
        if (node == NULL || node->stat.czxid != item.czxid || node->stat.child_count > 0) {
            continue;
        }
        bool empty = (node->stat.mode & COHORT_CONTAINER) != 0 && node->stat.cversion > 0;
        bool old =
            node->stat.ttl_ms > 0 && node->stat.mtime_ms + node->stat.ttl_ms <= self->stamp_ms;
        if (empty || old) {
            delete (self, node);
        }
    }
}

void model_apply (struct model *self, zxid_t zxid, int64_t stamp_ms, const struct entry *entry,
                  struct model_outcome *outcome)
{
    memset (outcome, 0, sizeof (*outcome));
    self->zxid = zxid;
    self->stamp_ms = stamp_ms > self->stamp_ms ? stamp_ms : self->stamp_ms;
    struct model_session *session;
    switch (entry->kind) {
    case ENTRY_CLUSTER:
        outcome->code = COHORT_ESTATE;
        return;
    case ENTRY_MEMBER_STORE:
        outcome->code = COHORT_ESTATE;
        if (entry->u.member_store.id >= 1 && entry->u.member_store.id <= 2 &&
            self->stores[entry->u.member_store.id - 1] == entry->u.member_store.old_store_id) {
            self->stores[entry->u.member_store.id - 1] = entry->u.member_store.new_store_id;
            outcome->code = 0;
            outcome->config_changed = true;
        }
        return;
    case ENTRY_CREATE_SESSION:
        create_session (self, &entry->u.create_session, outcome);
        return;
    case ENTRY_ATTACH:
        attach (self, &entry->u.attach, outcome);
        return;
    case ENTRY_CLOSE:
        outcome->session = entry->u.close.session;
        session = model_session (self, entry->u.close.session);
        if (session != NULL && (entry->u.close.reason == ENTRY_KILLED ||
                                (session->attach_no == entry->u.close.attach_no &&
                                 (entry->u.close.incarnation == 0 ||
                                  session->incarnation == entry->u.close.incarnation)))) {
            close (self, session, outcome);
        }
        return;
    case ENTRY_REAP:
        outcome->session = entry->u.reap.session;
        return;
    case ENTRY_WRITE:
        write (self, &entry->u.write, outcome);
        return;
    case ENTRY_LAPSE:
        lapse (self, &entry->u.lapse);
        return;
    case ENTRY_ADMINS:
        outcome->code = self->has_admins ? COHORT_ESTATE : 0;
        self->has_admins = true;
        return;
    }
}
