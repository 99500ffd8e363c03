/* The operations of the model. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/history/model_state.h"

enum { PATH_MAX_SIZE = 4096 + 32, NUMBER_SIZE = 24, CONTAINER_GRACE_MS = 1000 };

/* Copies: what an entry points to goes away. */
static const char *keep (struct model *self, const char *text)
{
    char *copy = arena_strdup (&self->arena, text);
    COHORT_ASSERT (copy != NULL);
    return copy;
}

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
                 const struct history_op *op)
{
    struct model_version *version = model_push (self, znode, MODEL_CREATED);
    version->exists = true;
    version->sequence = 0;
    version->value = keep (self, op->value);
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
        version->stat.ephemeral_owner = session->id;
        version->stat.ozxid = self->zxid;
        session->ephemerals =
            model_grow (session->ephemerals, session->ephemerals_count,
                        &session->ephemerals_capacity, sizeof (struct model_znode *));
        session->ephemerals[session->ephemerals_count++] = znode;
    }
}

static void take_away (struct model *self, struct model_znode *znode)
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
            return keep (self, path);
        }
        *number += jump;
    }
}

/* The create of what is there already. */
static int found (const struct model_znode *znode, const struct history_op *op,
                  struct model_outcome *outcome)
{
    if (!op->if_absent) {
        return COHORT_ENODEEXISTS;
    }
    outcome->existed = true;
    outcome->path = znode->path;
    outcome->has_stat = true;
    outcome->stat = model_now (znode)->stat;
    return 0;
}

static int create (struct model *self, struct model_session *session, const struct history_op *op,
                   struct model_outcome *outcome)
{
    char above[PATH_MAX_SIZE];
    const char *path = op->path;
    bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
    if (strcmp (path, "/") == 0 && !sequential) {
        return found (self->root, op, outcome);
    }
    parent_of (path, above);
    const struct model_version *parent = model_now (model_find (self, above));
    if (parent == NULL) {
        return COHORT_ENONODE;
    }
    if (parent->stat.ephemeral_owner != 0) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    uint64_t number = parent->sequence;
    if (sequential) {
        path = choose_name (self, path, &number);
    }
    struct model_znode *znode = model_need (self, path);
    if (model_now (znode) != NULL) {
        return found (znode, op, outcome);
    }
    model_place (model_need (self, above), znode);
    add (self, session, znode, op);
    count_child (self, znode->parent, 1)->sequence = number;
    outcome->path = znode->path;
    outcome->has_stat = true;
    outcome->stat = model_now (znode)->stat;
    return 0;
}

static int change (struct model *self, struct model_znode *znode, const char *value,
                   struct model_outcome *outcome)
{
    struct model_version *version = model_push (self, znode, MODEL_DATA);
    version->value = keep (self, value);
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
    outcome->value = sum;
    return change (self, znode, text, outcome);
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

/* Children before their parents, the last of them first. */
static int delete_tree (struct model *self, struct model_znode *top, const struct history_op *op,
                        struct model_outcome *outcome)
{
    outcome->value = (int64_t) model_subtree_count (self, op->path, self->zxid);
    if ((op->limit != 0 && outcome->value > op->limit) ||
        self->trimmed + outcome->value > MODEL_TREE_MAX) {
        return COHORT_ETOOBIG;
    }
    self->trimmed += outcome->value;
    for (struct model_znode *at = top;;) {
        struct model_znode *child = last_child (at);
        if (child != NULL) {
            at = child;
            continue;
        }
        take_away (self, at);
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
    take_away (self, znode);
    return 0;
}

static int kill_session (struct model *self, const struct history_op *op,
                         struct model_outcome *outcome)
{
    struct model_session *killed = model_find_session (self, op->session);
    if (!self->admins) {
        return COHORT_ENOAUTH;
    }
    outcome->existed = killed != NULL && !killed->dead && !killed->killed;
    if (outcome->existed) {
        killed->killed = true;
    }
    return 0;
}

static int execute (struct model *self, struct model_session *session, const struct history_op *op,
                    struct model_outcome *outcome)
{
    *outcome = (struct model_outcome){.code = 0};
    if (op->kind == HISTORY_REJECT) {
        return op->code;
    }
    if (op->kind == HISTORY_CLOSE || op->kind == HISTORY_OTHER) {
        return 0;
    }
    if (op->kind == HISTORY_KILL) {
        return kill_session (self, op, outcome);
    }
    if (op->kind == HISTORY_CREATE) {
        return create (self, session, op, outcome);
    }
    const struct model_version *now = model_now (model_find (self, op->path));
    if (op->kind == HISTORY_CHECK_ABSENT) {
        return now == NULL ? 0 : COHORT_ENODEEXISTS;
    }
    if (now == NULL) {
        return COHORT_ENONODE;
    }
    bool same = op->version == COHORT_ANY_VERSION || op->version == now->stat.version;
    switch (op->kind) {
    case HISTORY_DELETE:
        if (strcmp (op->path, "/") == 0) {
            return COHORT_EINVAL;
        }
        return same ? delete (self, model_need (self, op->path)) : COHORT_EBADVERSION;
    case HISTORY_SET:
        return same ? change (self, model_need (self, op->path), op->value, outcome)
                    : COHORT_EBADVERSION;
    case HISTORY_ADD:
        return add_number (self, model_need (self, op->path), op, outcome);
    case HISTORY_DELETE_TREE:
        if (strcmp (op->path, "/") == 0) {
            return COHORT_EINVAL;
        }
        return same ? delete_tree (self, model_need (self, op->path), op, outcome)
                    : COHORT_EBADVERSION;
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

/* ---- All or nothing -------------------------------------------------------------------------- */

/* Every change of this zxid is taken back: it is the newest version of its znode, or of that and of
 * its parent. */
static void undo (struct model *self, size_t changes_count)
{
    while (self->changes_count > changes_count) {
        const struct model_change *newest = &self->changes[--self->changes_count];
        struct model_znode *znode = model_need (self, newest->znode->path);
        bool child_list = znode->versions[newest->version].change != MODEL_DATA;
        if (child_list) {
            znode->parent->versions_count--;
        }
        znode->versions_count--;
        COHORT_ASSERT (znode->versions_count == newest->version);
    }
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
            take_away (self, znode);
        }
    }
}

/* ---- The end of a session -------------------------------------------------------------------- */

static int by_age (const void *left, const void *right)
{
    const struct model_znode *a = *(struct model_znode *const *) left;
    const struct model_znode *b = *(struct model_znode *const *) right;
    uint64_t x = model_now (a)->stat.ozxid, y = model_now (b)->stat.ozxid;
    return x != y ? (x > y) - (x < y) : strcmp (a->path, b->path);
}

/* What it made and still owns, in the order of age. */
static size_t owned (const struct model_session *session, struct model_znode **list)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < session->ephemerals_count; i++) {
        const struct model_version *now = model_now (session->ephemerals[i]);
        if (now != NULL && now->stat.ephemeral_owner == session->id) {
            list[count++] = session->ephemerals[i];
        }
    }
    qsort (list, count, sizeof *list, by_age);
    /* Made twice, under one name: listed twice. */
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || list[kept - 1] != list[i]) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

void model_reap (struct model *self, struct model_session *session)
{
    struct model_znode **list = calloc (session->ephemerals_count + 1, sizeof *list);
    COHORT_ASSERT (list != NULL);
    size_t count = owned (session, list);
    for (size_t i = 0; i < count && i < MODEL_REAP_MAX; i++) {
        take_away (self, list[i]);
    }
    session->gone = count <= MODEL_REAP_MAX;
    free (list);
}
