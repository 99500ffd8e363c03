/* The operations of the model. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/history/model_state.h"

enum { PATH_MAX_SIZE = 4096 + 32, NUMBER_SIZE = 24, CONTAINER_GRACE_MS = 1000 };

static void parent_of (const char *path, char parent[PATH_MAX_SIZE])
{
    const char *slash = strrchr (path, '/');
    size_t size = slash == path ? 1 : (size_t) (slash - path);
    COHORT_ASSERT (slash != NULL && size < PATH_MAX_SIZE);
    memcpy (parent, path, size);
    parent[size] = '\0';
}

/* The bytes that a value stands for. */
static int32_t data_size (const char *value)
{
    return value[0] == '#' ? (int32_t) strtoul (value + 1, NULL, 10) : (int32_t) strlen (value);
}

/* ---- Changes --------------------------------------------------------------------------------- */

static struct model_version *count_child (struct model *self, struct model_znode *parent,
                                          int change)
{
    struct model_version *version = model_push (self, parent, MODEL_CHILDREN);
    version->stat.cversion++;
    version->stat.pzxid = self->zxid;
    version->stat.child_count = (uint32_t) ((int64_t) version->stat.child_count + change);
    parent->emptied_ms = self->stamp_ms;
    return version;
}

/* It may go by itself some time. */
static void keep_lapse (struct model *self, struct model_znode *znode)
{
    if (!znode->lapses) {
        self->lapses = model_grow (self->lapses, self->lapses_count, &self->lapses_capacity,
                                   sizeof (struct model_znode *));
        self->lapses[self->lapses_count++] = znode;
        znode->lapses = true;
    }
}

static void add (struct model *self, struct model_session *session, struct model_znode *znode,
                 const struct history_op *op, const char *acl)
{
    struct model_version *version = model_push (self, znode, MODEL_CREATED);
    version->exists = true;
    version->sequence = 0;
    version->value = model_keep (self, op->value);
    version->acl = acl;
    znode->listed |= acl != NULL;
    version->inherited = NULL;
    version->estate = 0;
    version->stat = (cohort_stat_t){
        .czxid = self->zxid,
        .mzxid = self->zxid,
        .pzxid = self->zxid,
        .ctime_ms = self->stamp_ms,
        .mtime_ms = self->stamp_ms,
        .data_size = data_size (op->value),
        .mode = (int) op->mode,
        .ttl_ms = op->ttl_ms,
    };
    if ((op->mode & COHORT_CONTAINER) != 0 || op->ttl_ms > 0) {
        keep_lapse (self, znode);
    }
    if ((op->mode & COHORT_EPHEMERAL) != 0) {
        model_own (self, session, znode);
    }
}

void model_take_away (struct model *self, struct model_znode *znode)
{
    model_push (self, znode, MODEL_DELETED)->exists = false;
    count_child (self, znode->parent, -1);
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* A number whose name is taken, by a create that gave the whole name, is passed over, in growing
 * steps. */
static const char *choose_name (struct model *self, const char *prefix, uint64_t *number)
{
    char path[PATH_MAX_SIZE];
    for (uint64_t jump = 1;; jump *= 2) {
        (void) snprintf (path, sizeof path, "%s%010" PRIu64, prefix, *number);
        if (model_now (model_find (self, path)) == NULL) {
            ++*number;
            return model_keep (self, path);
        }
        *number += jump;
    }
}

/* The create of what is there already. */
static int found (const struct model *self, const struct model_session *session,
                  const struct model_znode *znode, const struct history_op *op,
                  struct model_outcome *outcome)
{
    if (!op->if_absent) {
        return COHORT_ENODEEXISTS;
    }
    outcome->existed = true;
    outcome->path = znode->path;
    outcome->has_stat = model_sees (model_who (self, session, self->zxid), znode, self->zxid);
    if (outcome->has_stat) {
        outcome->stat = model_now (znode)->stat;
    }
    return 0;
}

/* The list that a znode is created with: its own, or the nearest default on the way up. */
static int list_of (struct model *self, const struct model_session *session,
                    const struct history_op *op, const struct model_znode *parent, const char **acl)
{
    if (op->acl != NULL && op->acl[0] != '\0') {
        return model_resolve (self, session, op->acl, acl);
    }
    *acl = NULL;
    for (; parent != NULL && *acl == NULL; parent = parent->parent) {
        *acl = model_now (parent)->inherited;
    }
    return 0;
}

static int create (struct model *self, struct model_session *session, const struct history_op *op,
                   struct model_outcome *outcome)
{
    char above[PATH_MAX_SIZE];
    const char *path = op->path, *acl = NULL;
    bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
    if (strcmp (path, "/") == 0 && !sequential) {
        return found (self, session, self->root, op, outcome);
    }
    parent_of (path, above);
    struct model_znode *parent = model_look (self, above);
    const struct history_op in_parent = {.kind = HISTORY_CREATE, .path = above};
    /* Lists speak first: what is the servers' own would tell that there is a parent. */
    int32_t code = model_permit (self, session, &in_parent, parent);
    if (code == 0 || code == COHORT_ENONODE) {
        int32_t refused = model_permit_system (self, session, op);
        code = refused != 0 ? refused : code;
    }
    if (code != 0) {
        return code;
    }
    if (model_now (parent)->stat.ephemeral_owner != 0) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    uint64_t number = model_now (parent)->sequence;
    if (sequential) {
        path = choose_name (self, path, &number);
    }
    struct model_znode *znode = model_need (self, path);
    if (model_now (znode) != NULL) {
        return found (self, session, znode, op, outcome);
    }
    code = model_admit (self, path, 1, data_size (op->value));
    code = code == 0 ? list_of (self, session, op, parent, &acl) : code;
    if (code != 0) {
        return code;
    }
    model_place (parent, znode);
    add (self, session, znode, op, acl);
    count_child (self, znode->parent, 1)->sequence = number;
    outcome->path = znode->path;
    outcome->has_stat = true;
    outcome->stat = model_now (znode)->stat;
    return 0;
}

static int change (struct model *self, struct model_znode *znode, const char *value,
                   struct model_outcome *outcome)
{
    int64_t more = (int64_t) data_size (value) - model_now (znode)->stat.data_size;
    int code = model_admit (self, znode->path, 0, more);
    if (code != 0) {
        return code;
    }
    struct model_version *version = model_push (self, znode, MODEL_DATA);
    version->value = model_keep (self, value);
    version->stat.version++;
    version->stat.mzxid = self->zxid;
    version->stat.mtime_ms = self->stamp_ms;
    version->stat.data_size = data_size (value);
    outcome->has_stat = true;
    outcome->stat = version->stat;
    return 0;
}

/* Values that are told by their hash are too long for a number. */
static bool is_number (const char *value, int64_t *number)
{
    const char *digits = value + (value[0] == '-');
    errno = 0;
    *number = strtoll (value, NULL, 10);
    return value[0] == '\0' ||
           (digits[0] != '\0' && digits[strspn (digits, "0123456789")] == '\0' && errno == 0);
}

static int add_number (struct model *self, struct model_znode *znode, const struct history_op *op,
                       struct model_outcome *outcome)
{
    int64_t number, sum;
    char text[NUMBER_SIZE];
    if (!is_number (model_now (znode)->value, &number)) {
        return COHORT_ENOTNUMBER;
    }
    if ((op->delta > 0 && number > INT64_MAX - op->delta) ||
        (op->delta < 0 && number < INT64_MIN - op->delta)) {
        return COHORT_EBOUNDS;
    }
    sum = number + op->delta;
    if (sum < op->floor || sum > op->ceiling) {
        return COHORT_EBOUNDS;
    }
    (void) snprintf (text, sizeof text, "%" PRId64, sum);
    int code = change (self, znode, text, outcome);
    outcome->value = code == 0 ? sum : 0;
    return code;
}

/* The last that still exists; NULL: none does. */
static struct model_znode *last_child (const struct model_znode *znode)
{
    for (size_t i = znode->children_count; i-- > 0;) {
        if (model_now (znode->children[i]) != NULL) {
            return znode->children[i];
        }
    }
    return NULL;
}

/* Whether somebody may delete all that is below; recursion ends with the depth of paths. */
static bool may_trim (struct model_who who, const struct model_znode *top)
{
    const struct model_version *now = model_now (top);
    bool may =
        now == NULL || now->stat.child_count == 0 || model_may (who, now, COHORT_PERM_DELETE);
    for (size_t i = 0; may && now != NULL && i < top->children_count; i++) {
        may = may_trim (who, top->children[i]);
    }
    return may;
}

/* Children before their parents, the last of them first. */
static int delete_tree (struct model *self, const struct model_session *session,
                        struct model_znode *top, const struct history_op *op,
                        struct model_outcome *outcome)
{
    struct model_who who = model_who (self, session, self->zxid);
    int64_t count = (int64_t) model_subtree_count (self, op->path, self->zxid);
    if ((op->limit != 0 && count > op->limit) || self->trimmed + count > MODEL_TREE_MAX) {
        /* Who may neither read nor delete it does not learn its size. */
        bool reads = model_may (who, model_now (top), COHORT_PERM_READ);
        outcome->value = reads ? count : 0;
        return reads || (count <= MODEL_TREE_MAX && may_trim (who, top)) ? COHORT_ETOOBIG
                                                                         : COHORT_ENOAUTH;
    }
    if (!may_trim (who, top)) {
        return COHORT_ENOAUTH;
    }
    outcome->value = count;
    self->trimmed += count;
    for (struct model_znode *at = top;;) {
        struct model_znode *child = last_child (at);
        if (child != NULL) {
            at = child;
            continue;
        }
        model_take_away (self, at);
        if (at == top) {
            return 0;
        }
        at = at->parent;
    }
}

static int delete (struct model *self, struct model_znode *znode)
{
    if (znode == self->root) {
        return COHORT_EINVAL;
    }
    if (model_now (znode)->stat.child_count > 0) {
        return COHORT_ENOTEMPTY;
    }
    model_take_away (self, znode);
    return 0;
}

static int set_acl (struct model *self, const struct model_session *session,
                    struct model_znode *znode, const struct history_op *op,
                    struct model_outcome *outcome)
{
    const cohort_stat_t *stat = &model_now (znode)->stat;
    const char *list = NULL;
    if (op->version != COHORT_ANY_VERSION && op->version != stat->aversion) {
        return COHORT_EBADVERSION;
    }
    if (op->inherited && stat->ephemeral_owner != 0) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    bool none = op->inherited && (op->acl == NULL || op->acl[0] == '\0');
    int code = none ? 0 : model_resolve (self, session, op->acl, &list);
    if (code != 0) {
        return code;
    }
    struct model_version *version =
        model_push (self, znode, op->inherited ? MODEL_ASIDE : MODEL_ACL);
    if (op->inherited) {
        version->inherited = list;
    } else {
        version->acl = list;
        znode->listed = true;
        version->stat.aversion++;
    }
    outcome->has_stat = true;
    outcome->stat = version->stat;
    return 0;
}

static int set_admins (struct model *self, const struct model_session *session,
                       const struct history_op *op)
{
    if (!model_is_admin (model_who (self, session, self->zxid))) {
        return COHORT_ENOAUTH;
    }
    model_set_admins (self, op->acl);
    return 0;
}

static int kill_session (struct model *self, const struct model_session *session,
                         const struct history_op *op, struct model_outcome *outcome)
{
    struct model_session *killed = model_find_session (self, op->session);
    if (!model_is_admin (model_who (self, session, self->zxid))) {
        return COHORT_ENOAUTH;
    }
    outcome->existed = killed != NULL && !killed->dead && !killed->killed;
    if (outcome->existed) {
        killed->killed = true;
        killed->killed_zxid = self->zxid;
    }
    return 0;
}

/* What is about sessions, and not about a znode. */
static bool is_of_sessions (enum history_op_kind kind)
{
    return kind == HISTORY_CLOSE || kind == HISTORY_OTHER || kind == HISTORY_REJECT ||
           kind == HISTORY_KILL || kind == HISTORY_SET_ADMINS || kind == HISTORY_ADD_AUTH ||
           kind == HISTORY_HAND_OVER;
}

static int execute_of_sessions (struct model *self, struct model_session *session,
                                const struct history_op *op, struct model_outcome *outcome)
{
    switch (op->kind) {
    case HISTORY_REJECT:
        return op->code;
    case HISTORY_KILL:
        return kill_session (self, session, op, outcome);
    case HISTORY_SET_ADMINS:
        return set_admins (self, session, op);
    case HISTORY_ADD_AUTH:
        model_add_auth (self, session, op->value);
        return 0;
    case HISTORY_HAND_OVER:
        return model_hand_over (self, session, op, &outcome->value);
    default:
        return 0;
    }
}

/* Of a znode that is there. */
static int execute_there (struct model *self, struct model_session *session,
                          const struct history_op *op, struct model_znode *znode,
                          struct model_outcome *outcome)
{
    const struct model_version *now = model_now (znode);
    bool same = op->version == COHORT_ANY_VERSION || op->version == now->stat.version;
    int code;
    switch (op->kind) {
    case HISTORY_DELETE:
    case HISTORY_DELETE_IF_PRESENT:
        if (znode == self->root) {
            return COHORT_EINVAL;
        }
        code = same ? delete (self, znode) : COHORT_EBADVERSION;
        outcome->existed = code == 0 && op->kind == HISTORY_DELETE_IF_PRESENT;
        return code;
    case HISTORY_SET:
        return same ? change (self, znode, op->value, outcome) : COHORT_EBADVERSION;
    case HISTORY_ADD:
        return add_number (self, znode, op, outcome);
    case HISTORY_SET_ACL:
        return set_acl (self, session, znode, op, outcome);
    case HISTORY_DELETE_TREE:
        if (znode == self->root) {
            return COHORT_EINVAL;
        }
        return same ? delete_tree (self, session, znode, op, outcome) : COHORT_EBADVERSION;
    case HISTORY_CHECK_ABSENT:
        return COHORT_ENODEEXISTS;
    case HISTORY_CHECK:
        return same ? 0 : COHORT_EBADVERSION;
    case HISTORY_CHECK_CZXID:
        return now->stat.czxid == op->zxid ? 0 : COHORT_EBADCZXID;
    default:
        return op->session != 0 && now->stat.ephemeral_owner == op->session &&
                       now->stat.ozxid == op->zxid
                   ? 0
                   : COHORT_EBADOWNER;
    }
}

static int execute (struct model *self, struct model_session *session, const struct history_op *op,
                    struct model_outcome *outcome)
{
    *outcome = (struct model_outcome){.code = 0};
    if (is_of_sessions (op->kind)) {
        return execute_of_sessions (self, session, op, outcome);
    }
    if (op->kind == HISTORY_CREATE) {
        return create (self, session, op, outcome);
    }
    struct model_znode *znode = model_look (self, op->path);
    bool absent = model_now (znode) == NULL;
    int code = model_permit (self, session, op, znode);
    if (absent) {
        bool wanted = op->kind == HISTORY_CHECK_ABSENT || op->kind == HISTORY_DELETE_IF_PRESENT;
        return wanted && code == COHORT_ENONODE ? 0 : code;
    }
    code = code == 0 ? model_permit_system (self, session, op) : code;
    return code == 0 ? execute_there (self, session, op, znode, outcome) : code;
}

/* ---- All or nothing -------------------------------------------------------------------------- */

/* Every version that the entry has made is taken back. */
static void undo (struct model *self, size_t changes_count)
{
    while (self->touched_count > 0) {
        self->touched[--self->touched_count].znode->versions_count--;
    }
    self->changes_count = changes_count;
}

/* Executes all, or none. */
static int execute_all (struct model *self, struct model_session *session,
                        const struct history_entry *entry, struct model_outcome *outcomes)
{
    size_t changes_count = self->changes_count, ephemerals_count = session->ephemerals_count;
    int code = 0;
    size_t done = 0;
    while (done < entry->count && code == 0) {
        code = execute (self, session, &entry->ops[done], &outcomes[done]);
        done++;
    }
    if (code != 0) {
        undo (self, changes_count);
        session->ephemerals_count = ephemerals_count;
        for (size_t i = 0; i < entry->count; i++) {
            int64_t value = entry->multi ? 0 : outcomes[i].value;
            outcomes[i] = (struct model_outcome){.code = i + 1 == done ? code : COHORT_EROLLEDBACK,
                                                 .value = value};
        }
    }
    return code;
}

bool model_write (struct model *self, struct model_session *session,
                  const struct history_entry *entry)
{
    struct model_result result = {.zxid = entry->zxid, .count = entry->count};
    result.outcomes = calloc (entry->count + 1, sizeof *result.outcomes);
    COHORT_ASSERT (result.outcomes != NULL);
    self->trimmed = 0;
    result.code = execute_all (self, session, entry, result.outcomes);
    session->results = model_grow (session->results, session->results_count,
                                   &session->results_capacity, sizeof (struct model_result));
    session->results[session->results_count++] = result;
    return entry->count == 1 && !entry->multi && entry->ops[0].kind == HISTORY_CLOSE;
}

void model_found (struct model *self, const struct history_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        struct model_outcome outcome = {.code = 0};
        int rc = create (self, NULL, &entry->ops[i], &outcome);
        COHORT_ASSERT (rc == 0);
        if (strcmp (entry->ops[i].path, "/zookeeper/quota") == 0) {
            self->quotas = model_need (self, entry->ops[i].path);
        }
    }
}

/* ---- Znodes that go by themselves ------------------------------------------------------------ */

int64_t model_lapse_ms (const struct model_znode *znode)
{
    const struct model_version *now = model_now (znode);
    if (now == NULL || now->stat.child_count > 0) {
        return INT64_MAX;
    }
    if (now->stat.ttl_ms > 0) {
        return now->stat.mtime_ms + now->stat.ttl_ms;
    }
    bool emptied = (now->stat.mode & COHORT_CONTAINER) != 0 && now->stat.cversion > 0;
    return emptied ? znode->emptied_ms + CONTAINER_GRACE_MS : INT64_MAX;
}

void model_lapse (struct model *self, const struct history_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        const struct history_op *op = &entry->ops[i];
        struct model_znode *znode = model_need (self, op->path);
        const struct model_version *now = model_now (znode);
        int64_t due_ms = model_lapse_ms (znode);
        if (now != NULL && now->stat.czxid == op->zxid && due_ms != INT64_MAX &&
            (now->stat.ttl_ms == 0 || due_ms <= self->stamp_ms)) {
            model_take_away (self, znode);
        }
    }
}
