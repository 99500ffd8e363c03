/* Random operations of three sessions - an administrator, somebody, nobody in particular - through
 * an ensemble of three embedded servers, each of which crashes and comes back: access control
 * lists, defaults of subtrees, users, quotas and hand-over. Every result, and what each session may
 * see, is what the naive model of the tree says (tests/unit/tree/model.h), and in the end every
 * server has the model's znodes, lists and owners. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/hand_over.h"
#include "cohort/acl.h"
#include "cohort/client.h"
#include "tests/unit/server/ensemble.h"
#include "tests/unit/tree/model_acl.h"
#include "tests/unit/tree/model_system.h"
#include "tests/unit/unit.h"

enum { SESSIONS = 3, WRITES = 500, CRASH_EVERY = 70, OPS_MAX = 3, SESSION_MS = 120000 };
enum { ROOT, ANNA, NOBODY };

/* The entry that founds the ensemble. */
#define FIRST_ZXID ((UINT64_C (1) << 40) + 1)

static const struct entry_limits limits = {
    1 << 20, MODEL_PATH_MAX - 20, 1024, 1 << 20, 100, 1 << 20, 50};

/* What an operation gave; of a multi, each of them. */
struct answer {
    bool done;
    int rc;
    uint64_t zxid;
    size_t count;
    int codes[OPS_MAX];
    int64_t values[OPS_MAX];
    bool existed;
    char path[MODEL_PATH_MAX], data[MODEL_DATA_MAX], children[2048];
    bool has_stat;
    cohort_stat_t stat;
};

/* One operation, for both sides. */
struct step {
    struct op op;
    char path[MODEL_PATH_MAX];
    uint8_t data[MODEL_DATA_MAX], list[96], token[COHORT_TOKEN_SIZE];
    cohort_acl_t *acl;
    size_t to; /* HAND_OVER */
};

struct world {
    struct ensemble ensemble;
    struct prng prng;
    struct model *model;
    cohort_t *clients[SESSIONS];
    struct step steps[OPS_MAX];
    size_t done, refused; /* writes */
    char last[MODEL_PATH_MAX + 64];
};

static char users[2][COHORT_ACL_ID_MAX + 1]; /* as lists name them */

/* ---- Answers --------------------------------------------------------------------------------- */

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct answer *answer = arg;
    (void) client;
    *answer = (struct answer){.done = true, .rc = result->rc, .zxid = result->zxid, .count = 1};
    answer->codes[0] = result->rc;
    answer->values[0] = result->value;
    answer->existed = result->existed != 0;
    for (size_t i = 0; i < result->ops_count; i++) {
        assert_true (i < OPS_MAX);
        answer->codes[i] = result->ops[i].rc;
        answer->values[i] = result->ops[i].value;
        answer->count = result->ops_count;
    }
    (void) snprintf (answer->path, sizeof answer->path, "%s",
                     result->path != NULL ? result->path : "");
    (void) snprintf (answer->data, sizeof answer->data, "%.*s", (int) result->size,
                     result->data != NULL ? (const char *) result->data : "");
    answer->has_stat = result->stat != NULL;
    if (result->stat != NULL) {
        answer->stat = *result->stat;
    }
    for (size_t i = 0; result->children != NULL && i < result->children->count; i++) {
        size_t used = strlen (answer->children);
        (void) snprintf (answer->children + used, sizeof answer->children - used, "%s ",
                         result->children->items[i]);
    }
}

static void await (cohort_t *client, const struct answer *answer)
{
    while (!answer->done) {
        if (cohort_run (client, ENSEMBLE_LIMIT_MS) <= 0) {
            fail_msg ("no answer comes");
        }
    }
}

/* Times are the servers' own. */
static void expect_stat (const struct world *self, cohort_stat_t is, cohort_stat_t should)
{
    struct buf a = {0}, b = {0};
    is.ctime_ms = is.mtime_ms = should.ctime_ms = should.mtime_ms = 0;
    result_stat_encode (&a, &is);
    result_stat_encode (&b, &should);
    if (a.size != b.size || memcmp (a.data, b.data, a.size) != 0) {
        fail_msg ("%s: version %d, cversion %d, aversion %d, owner %" PRIx64
                  "; they should be %d, %d, %d, %" PRIx64,
                  self->last, is.version, is.cversion, is.aversion, is.ephemeral_owner,
                  should.version, should.cversion, should.aversion, should.ephemeral_owner);
    }
    buf_deinit (&a);
    buf_deinit (&b);
}

/* ---- Random operations ----------------------------------------------------------------------- */

static void random_path (struct world *self, char *path)
{
    static const char *const paths[] = {"/a",     "/b",     "/a/c",   "/a/d",     "/b/e",
                                        "/b/e/f", "/a/c/g", "/b/e/h", "/a/c/g/i", "/n"};
    static const char *const quotas[] = {
        "/zookeeper/quota/a", "/zookeeper/quota/a/zookeeper_limits", "/zookeeper/quota/b",
        "/zookeeper/quota/b/zookeeper_limits", "/zookeeper/quota/a/zookeeper_stats"};
    bool quota = prng_chance (&self->prng, 1, 8);
    (void) snprintf (path, MODEL_PATH_MAX, "%s",
                     quota ? quotas[prng_below (&self->prng, 5)]
                           : paths[prng_below (&self->prng, 10)]);
}

static void add_item (struct step *step, struct buf *list, int perms, int scheme, const char *id)
{
    static const char *const names[] = {NULL, "world", "auth", "digest"};
    buf_u8 (list, (uint8_t) perms);
    buf_u8 (list, (uint8_t) scheme);
    buf_u8 (list, scheme == IDENTITY_DIGEST ? (uint8_t) strlen (id) : 0);
    if (scheme == IDENTITY_DIGEST) {
        buf_append (list, id, strlen (id));
    }
    assert_int_equal (cohort_acl_add (step->acl, perms, names[scheme], id), 0);
}

static void random_list (struct world *self, struct step *step)
{
    struct prng *prng = &self->prng;
    struct buf list = {0};
    step->acl = cohort_acl_new ();
    assert_non_null (step->acl);
    for (uint64_t i = prng_between (prng, 1, 2); i > 0; i--) {
        int perms = prng_chance (prng, 2, 3) ? COHORT_PERM_ALL : (int) prng_between (prng, 1, 31);
        switch (prng_below (prng, 5)) {
        case 0:
            add_item (step, &list, perms, IDENTITY_DIGEST, users[ANNA]);
            break;
        case 1:
            add_item (step, &list, perms, IDENTITY_AUTH, "");
            break;
        default:
            add_item (step, &list, perms, IDENTITY_WORLD, "anyone");
        }
    }
    assert_true (list.size <= sizeof step->list);
    memcpy (step->list, list.data, list.size);
    step->op.acl = step->list;
    step->op.acl_size = (uint32_t) list.size;
    buf_deinit (&list);
}

static void random_data (struct world *self, struct step *step)
{
    static const char *const values[] = {"", "x", "7", "-3", "twelve bytes"};
    static const char *const quotas[] = {"count=2", "countHardLimit=3", "byteHardLimit=9",
                                         "countHardLimit=4,bytes=5", "junk"};
    bool limits_path = strstr (step->path, "zookeeper_limits") != NULL;
    const char *text =
        limits_path ? quotas[prng_below (&self->prng, 5)] : values[prng_below (&self->prng, 5)];
    memcpy (step->data, text, strlen (text));
    step->op.data_size = (uint32_t) strlen (text);
}

static void random_hand_over (struct world *self, size_t from, struct step *step)
{
    struct op *op = &step->op;
    step->to = (from + prng_between (&self->prng, 1, SESSIONS - 1)) % SESSIONS;
    *op = (struct op){.kind = OP_HAND_OVER, .session = step->to + 1, .token = step->token};
    const struct model_session *to = model_session (self->model, op->session);
    hand_over_token (from + 1, to->id, to->password_hash, step->token);
}

static void random_step (struct world *self, struct step *step, bool alone, size_t from)
{
    static const enum op_kind kinds[] = {OP_CREATE,  OP_CREATE, OP_CREATE,      OP_CREATE,
                                         OP_DELETE,  OP_SET,    OP_SET,         OP_SET_ACL,
                                         OP_SET_ACL, OP_ADD,    OP_DELETE_TREE, OP_CHECK_VERSION};
    static const uint8_t modes[] = {0, 0, COHORT_EPHEMERAL, COHORT_SEQUENTIAL};
    struct prng *prng = &self->prng;
    struct op *op = &step->op;
    *step = (struct step){.op = {.path = step->path, .data = step->data, .version = -1}};
    op->kind = kinds[prng_below (prng, alone ? 11 : 12)];
    random_path (self, step->path);
    op->path_size = (uint32_t) strlen (step->path);
    random_data (self, step);
    if (alone && prng_chance (prng, 1, 12)) {
        random_hand_over (self, from, step);
    } else if (op->kind == OP_CREATE) {
        op->mode = modes[prng_below (prng, 4)];
        op->if_absent = op->mode != COHORT_SEQUENTIAL && prng_chance (prng, 1, 6);
        if (prng_chance (prng, 1, 4)) {
            random_list (self, step);
        }
    } else if (op->kind == OP_SET_ACL) {
        op->inherited = alone && prng_chance (prng, 1, 3);
        random_list (self, step);
    } else if (op->kind == OP_ADD) {
        op->delta = (int64_t) prng_below (prng, 9) - 4;
        op->floor = INT64_MIN;
        op->ceiling = INT64_MAX;
    } else if (op->kind == OP_DELETE_TREE) {
        op->limit = (uint32_t) prng_below (prng, 4);
    } else if (prng_chance (prng, 1, 3)) {
        op->version = (int32_t) prng_below (prng, 2);
    }
}

/* ---- The ensemble's side --------------------------------------------------------------------- */

static cohort_create_options_t create_options (const struct step *step)
{
    return (cohort_create_options_t){.size = sizeof (cohort_create_options_t),
                                     .mode = step->op.mode,
                                     .if_absent = step->op.if_absent,
                                     .acl = step->acl};
}

static int add_to (cohort_txn_t *txn, const struct step *step)
{
    const struct op *op = &step->op;
    cohort_create_options_t options = create_options (step);
    switch (op->kind) {
    case OP_CREATE:
        return cohort_txn_create_with (txn, step->path, op->data, op->data_size, &options);
    case OP_DELETE:
        return cohort_txn_delete (txn, step->path, op->version);
    case OP_SET:
        return cohort_txn_set (txn, step->path, op->data, op->data_size, op->version);
    case OP_SET_ACL:
        return cohort_txn_set_acl (txn, step->path, step->acl, op->version);
    case OP_ADD:
        return cohort_txn_add (txn, step->path, op->delta, op->floor, op->ceiling);
    case OP_DELETE_TREE:
        return cohort_txn_delete_tree (txn, step->path, (int) op->limit, op->version);
    default:
        return cohort_txn_check (txn, step->path, op->version);
    }
}

/* The library's token, which is as good as the model's. */
static int give (struct world *self, size_t from, const struct step *step, struct answer *answer)
{
    uint8_t token[COHORT_TOKEN_SIZE];
    assert_int_equal (cohort_hand_over_token (self->clients[step->to], from + 1, token), 0);
    return cohort_hand_over_async (self->clients[from], step->to + 1, token, on_result, answer);
}

static int ask_one (struct world *self, size_t from, const struct step *step, struct answer *answer)
{
    cohort_t *client = self->clients[from];
    const struct op *op = &step->op;
    cohort_create_options_t options = create_options (step);
    switch (op->kind) {
    case OP_CREATE:
        return cohort_create_with_async (client, step->path, op->data, op->data_size, &options,
                                         on_result, answer);
    case OP_DELETE:
        return cohort_delete_async (client, step->path, op->version, on_result, answer);
    case OP_SET:
        return cohort_set_async (client, step->path, op->data, op->data_size, op->version,
                                 on_result, answer);
    case OP_SET_ACL:
        return op->inherited ? cohort_set_default_acl_async (client, step->path, step->acl,
                                                             op->version, on_result, answer)
                             : cohort_set_acl_async (client, step->path, step->acl, op->version,
                                                     on_result, answer);
    case OP_ADD:
        return cohort_add_async (client, step->path, op->delta, op->floor, op->ceiling, on_result,
                                 answer);
    case OP_HAND_OVER:
        return give (self, from, step, answer);
    default:
        return cohort_delete_tree_async (client, step->path, (int) op->limit, op->version,
                                         on_result, answer);
    }
}

static void ask (struct world *self, size_t from, size_t count, struct answer *answer)
{
    cohort_t *client = self->clients[from];
    if (count == 1) {
        assert_int_equal (ask_one (self, from, &self->steps[0], answer), 0);
        await (client, answer);
        return;
    }
    cohort_txn_t *txn = cohort_txn_new ();
    assert_non_null (txn);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal (add_to (txn, &self->steps[i]), 0);
    }
    assert_int_equal (cohort_multi_async (client, txn, on_result, answer), 0);
    cohort_txn_destroy (&txn);
    await (client, answer);
}

/* ---- The model's side ------------------------------------------------------------------------ */

static void apply (struct world *self, uint64_t zxid, const struct buf *bytes,
                   struct model_outcome *outcome)
{
    struct entry entry;
    assert_false (bytes->failed);
    assert_true (entry_decode (&entry, bytes->data, bytes->size));
    assert_true (zxid > self->model->zxid);
    model_apply (self->model, zxid, 0, &entry, outcome);
}

static void apply_write (struct world *self, size_t from, uint64_t zxid, const struct step *steps,
                         size_t count, struct model_outcome *outcome)
{
    struct buf bytes = {0};
    const struct model_session *session = model_session (self->model, from + 1);
    struct entry entry = {.kind = ENTRY_WRITE};
    entry.u.write = (struct entry_write){.session = from + 1,
                                         .incarnation = 1,
                                         .number = session->last + 1,
                                         .ack_to = session->last,
                                         .multi = count > 1,
                                         .count = (uint32_t) count};
    entry_encode (&bytes, &entry);
    for (size_t i = 0; i < count; i++) {
        op_encode (&bytes, &steps[i].op);
    }
    apply (self, zxid, &bytes, outcome);
    assert_true (outcome->executed);
    buf_deinit (&bytes);
}

static void compare (struct world *self, const struct answer *answer,
                     const struct model_outcome *outcome)
{
    struct result result;
    struct result_op op;
    assert_true (result_decode (&result, outcome->result.bytes, outcome->result.size));
    if (answer->rc != result.code || answer->count != result.count) {
        fail_msg ("%s: told %s, it should be %s", self->last, cohort_error_name (answer->rc),
                  cohort_error_name (result.code));
    }
    for (size_t i = 0; i < result.count; i++) {
        assert_true (result_op_decode (&op, &result.ops));
        assert_int_equal (answer->codes[i], op.code);
        assert_int_equal (answer->values[i], op.value);
    }
    if (answer->count == 1 && op.has_stat && answer->has_stat) {
        expect_stat (self, answer->stat, op.stat);
        assert_int_equal (answer->existed, op.existed);
    }
    if (answer->count == 1 && op.has_path) {
        assert_int_equal (strlen (answer->path), op.path_size);
        assert_memory_equal (answer->path, op.path, op.path_size);
    }
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void write_some (struct world *self)
{
    struct answer answer = {.done = false};
    struct model_outcome outcome;
    size_t from = prng_below (&self->prng, SESSIONS);
    size_t count = prng_chance (&self->prng, 3, 4) ? 1 : prng_between (&self->prng, 2, OPS_MAX);
    for (size_t i = 0; i < count; i++) {
        random_step (self, &self->steps[i], count == 1, from);
    }
    (void) snprintf (self->last, sizeof self->last, "session %zu, %zu operations, the first %d %s",
                     from + 1, count, (int) self->steps[0].op.kind, self->steps[0].path);
    ask (self, from, count, &answer);
    if (answer.zxid > self->model->zxid) {
        apply_write (self, from, answer.zxid, self->steps, count, &outcome);
        compare (self, &answer, &outcome);
        self->done += answer.rc == 0;
        self->refused += answer.rc == COHORT_ENOAUTH || answer.rc == COHORT_EQUOTA;
    } else {
        fail_msg ("%s: told %s at %" PRIx64, self->last, cohort_error_name (answer.rc),
                  answer.zxid);
    }
    for (size_t i = 0; i < count; i++) {
        cohort_acl_destroy (&self->steps[i].acl);
    }
}

static void expect_children (struct world *self, const struct answer *answer, const char *path)
{
    char expected[sizeof answer->children] = "";
    for (size_t i = 0; i < self->model->nodes.count; i++) {
        char above[MODEL_PATH_MAX];
        const char *child = self->model->nodes.items[i].path;
        model_parent (child, above);
        if (strcmp (child, "/") != 0 && strcmp (above, path) == 0) {
            size_t used = strlen (expected);
            (void) snprintf (expected + used, sizeof expected - used, "%s ",
                             strrchr (child, '/') + 1);
        }
    }
    assert_string_equal (answer->children, expected);
}

/* What a session is told of a path. */
static void look (struct world *self)
{
    struct answer got = {.done = false}, listed = {.done = false};
    char path[MODEL_PATH_MAX];
    size_t from = prng_below (&self->prng, SESSIONS);
    const struct model_session *session = model_session (self->model, from + 1);
    random_path (self, path);
    if (strstr (path, "zookeeper_stats") != NULL) {
        return; /* its data is another */
    }
    const struct model_node *node = model_node (&self->model->nodes, path);
    int should = node == NULL ? model_permit_absent (self->model, session, OP_CHECK_ABSENT, path)
                 : model_permits (self->model, session, node, COHORT_PERM_READ) ? 0
                                                                                : COHORT_ENOAUTH;
    cohort_t *client = self->clients[from];
    /* Another session may have written last, and this one's server not have heard of it yet. */
    struct answer synced = {.done = false};
    assert_int_equal (cohort_sync_async (client, on_result, &synced), 0);
    await (client, &synced);
    assert_int_equal (synced.rc, 0);
    assert_int_equal (cohort_get_async (client, path, NULL, NULL, on_result, &got), 0);
    assert_int_equal (cohort_children_async (client, path, NULL, NULL, on_result, &listed), 0);
    await (client, &listed);
    (void) snprintf (self->last, sizeof self->last, "session %zu looks at %s", from + 1, path);
    if (got.rc != should || listed.rc != should) {
        fail_msg ("%s: told %s and %s, it should be %s", self->last, cohort_error_name (got.rc),
                  cohort_error_name (listed.rc), cohort_error_name (should));
    }
    if (should == 0) {
        expect_stat (self, got.stat, node->stat);
        assert_int_equal (strlen (got.data), node->stat.data_size);
        assert_memory_equal (got.data, node->data, strlen (got.data));
        expect_children (self, &listed, path);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void expect_list (cohort_t *root, const struct model_node *node)
{
    cohort_acl_t *acl = NULL;
    assert_int_equal (cohort_get_acl (root, node->path, &acl, NULL), 0);
    size_t count = model_is_open (&node->acl) ? 1 : node->acl.count;
    assert_int_equal (cohort_acl_count (acl), count);
    for (size_t i = 0; i < count && !model_is_open (&node->acl); i++) {
        const cohort_acl_item_t *is = cohort_acl_item (acl, i);
        const struct model_item *should = &node->acl.items[i];
        assert_int_equal (is->perms, should->perms);
        if (should->who.scheme == IDENTITY_DIGEST) {
            assert_int_equal (strlen (is->id), should->who.size);
            assert_memory_equal (is->id, should->who.id, should->who.size);
        }
    }
    cohort_acl_destroy (&acl);
}

/* All that one server has. */
static void expect_all (struct world *self, const char *server)
{
    cohort_options_t options = {.size = sizeof options, .timeout_ms = SESSION_MS};
    cohort_t *root = cohort_new (server, &options);
    assert_non_null (root);
    assert_int_equal (cohort_add_auth (root, "digest-sha1", "root", "root"), 0);
    assert_int_equal (cohort_sync (root), 0);
    int64_t below = 0;
    assert_int_equal (cohort_count (root, "/", NULL, &below, NULL), 0);
    assert_int_equal (below + 1, self->model->nodes.count);
    for (size_t i = 0; i < self->model->nodes.count; i++) {
        const struct model_node *node = &self->model->nodes.items[i];
        cohort_stat_t stat;
        (void) snprintf (self->last, sizeof self->last, "%s", node->path);
        assert_int_equal (cohort_exists (root, node->path, &stat), 0);
        bool own = model_within (node->path, "/zookeeper");
        if (!own) {
            expect_stat (self, stat, node->stat);
        }
        expect_list (root, node);
    }
    cohort_destroy (&root);
}

static void begin_session (struct world *self, size_t i)
{
    cohort_options_t options = {
        .size = sizeof options, .timeout_ms = SESSION_MS, .connect_timeout_ms = 300};
    struct buf bytes = {0};
    struct model_outcome outcome;
    self->clients[i] = cohort_new (self->ensemble.list, &options);
    assert_non_null (self->clients[i]);
    assert_int_equal (cohort_wait (self->clients[i], ENSEMBLE_LIMIT_MS), 0);
    assert_int_equal (cohort_session_id (self->clients[i]), i + 1);
    struct entry entry = {.kind = ENTRY_CREATE_SESSION};
    memset (entry.u.create_session.nonce, (int) i + 1, sizeof entry.u.create_session.nonce);
    memset (entry.u.create_session.password_hash, (int) i + 7, ENTRY_PASSWORD_HASH);
    entry.u.create_session.timeout_ms = SESSION_MS;
    entry_encode (&bytes, &entry);
    apply (self, self->model->zxid + 1, &bytes, &outcome);
    buf_deinit (&bytes);
}

static void prove (struct world *self, size_t i, const char *user)
{
    struct step step = {.op = {.kind = OP_ADD_AUTH}};
    struct model_outcome outcome;
    struct buf bytes = {0};
    assert_int_equal (cohort_add_auth (self->clients[i], "digest-sha1", user, user), 0);
    identity_encode (&bytes, &(struct identity){IDENTITY_DIGEST, (const uint8_t *) users[i],
                                                (uint8_t) strlen (users[i])});
    step.op.data = bytes.data;
    step.op.data_size = (uint32_t) bytes.size;
    apply_write (self, i, self->model->zxid + 1, &step, 1, &outcome);
    assert_int_equal (outcome.code, 0);
    buf_deinit (&bytes);
}

static void begin (struct world *self, uint64_t seed)
{
    char admins[sizeof users[0] + 8];
    struct model_outcome outcome;
    struct buf bytes = {0}, list = {0};
    *self = (struct world){.done = 0};
    prng_seed (&self->prng, seed);
    assert_int_equal (
        cohort_acl_digest ("digest-sha1", "root", "root", users[ROOT], sizeof users[0]), 0);
    assert_int_equal (
        cohort_acl_digest ("digest-sha1", "anna", "anna", users[ANNA], sizeof users[0]), 0);
    (void) snprintf (admins, sizeof admins, "digest:%s", users[ROOT]);
    ensemble_start (&self->ensemble, admins);
    self->model = model_new (&limits, FIRST_ZXID, 0);
    acl_item_encode (&list, &(struct acl_item){COHORT_PERM_ALL,
                                               {IDENTITY_DIGEST, (const uint8_t *) users[ROOT],
                                                (uint8_t) strlen (users[ROOT])}});
    struct entry entry = {.kind = ENTRY_ADMINS, .u.admins = {list.data, (uint32_t) list.size}};
    entry_encode (&bytes, &entry);
    apply (self, self->model->zxid + 1, &bytes, &outcome);
    for (size_t i = 0; i < SESSIONS; i++) {
        begin_session (self, i);
    }
    prove (self, ROOT, "root");
    prove (self, ANNA, "anna");
    self->model->zxid = FIRST_ZXID; /* of these entries the model does not know which */
    buf_deinit (&bytes);
    buf_deinit (&list);
}

static uint64_t seed = 1; /* or the program's argument */

static void test_random_rights_while_servers_crash (void **state)
{
    static struct world world;
    (void) state;
    print_message ("seed %" PRIu64 "\n", seed);
    begin (&world, seed);
    for (int i = 0; i < WRITES; i++) {
        if (prng_chance (&world.prng, 1, CRASH_EVERY)) {
            ensemble_crash_one (&world.ensemble, &world.prng);
        }
        write_some (&world);
        if (prng_chance (&world.prng, 1, 2)) {
            look (&world);
        }
    }
    ensemble_bring_back (&world.ensemble);
    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        expect_all (&world, world.ensemble.clients[i]);
    }
    /* Lists that forbid everything would test nothing, and those that allow it no more. */
    assert_true (world.done > WRITES / 20 && world.refused > WRITES / 50);
    for (size_t i = 0; i < SESSIONS; i++) {
        cohort_destroy (&world.clients[i]);
    }
    ensemble_stop (&world.ensemble);
    model_destroy (&world.model);
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_random_rights_while_servers_crash),
    };
    seed = argc > 1 ? strtoull (argv[1], NULL, 10) : seed;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
