/* Random operations through an ensemble of three embedded servers, each of which crashes and comes
 * back again and again: every result is what a naive model says, and in the end every server has
 * the model's tree. (The model is that of histories: tests/history/model.h.) */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/prng.h"
#include "cohort/client.h"
#include "cohort/server.h"
#include "tests/history/model.h"
#include "tests/unit/server/ensemble.h"
#include "tests/unit/unit.h"

enum {
    WRITES = 900,
    CRASH_EVERY = 60, /* writes, on average */
    OPS_MAX = 3,
    SESSION_MS = 120000,
    TEXT_SIZE = 96,
    EPOCH_SHIFT = 40 /* of a zxid */
};

struct world {
    struct ensemble ensemble;
    struct prng prng;
    struct model model;
    cohort_t *client;
    uint64_t number;      /* of the newest write */
    uint64_t epoch;       /* of the newest result */
    unsigned epochs;      /* seen */
    char last[TEXT_SIZE]; /* what is being compared */
};

/* ---- Asking ---------------------------------------------------------------------------------- */

/* What an operation, or a multi, gave; texts are kept as the model has them. */
struct answer {
    bool done;
    int rc;
    uint64_t zxid;
    size_t count;
    struct model_outcome ops[OPS_MAX];
    char paths[OPS_MAX][TEXT_SIZE];
    bool has_stat;
    cohort_stat_t stat;
    char value[HISTORY_VALUE_SIZE];
    char children[1024];
};

/* Times are the servers' own, and sessions are counted otherwise. */
static cohort_stat_t comparable (cohort_stat_t stat)
{
    stat.ctime_ms = stat.mtime_ms = 0;
    stat.ephemeral_owner = stat.ephemeral_owner != 0;
    return stat;
}

static void keep_outcome (struct answer *answer, size_t index, const char *path,
                          const cohort_stat_t *stat)
{
    struct model_outcome *outcome = &answer->ops[index];
    outcome->has_stat = stat != NULL && stat->czxid != 0;
    if (outcome->has_stat) {
        outcome->stat = comparable (*stat);
    }
    if (path != NULL) {
        (void) snprintf (answer->paths[index], TEXT_SIZE, "%s", path);
        outcome->path = answer->paths[index];
    }
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct answer *answer = arg;
    (void) client;
    *answer = (struct answer){.done = true, .rc = result->rc, .zxid = result->zxid};
    answer->count = result->ops_count > 0 ? result->ops_count : 1;
    assert_in_range (answer->count, 1, OPS_MAX);
    for (size_t i = 0; i < result->ops_count; i++) {
        const cohort_op_result_t *op = &result->ops[i];
        answer->ops[i] =
            (struct model_outcome){.code = op->rc, .value = op->value, .existed = op->existed != 0};
        keep_outcome (answer, i, op->path, &op->stat);
    }
    if (result->ops_count == 0) {
        answer->ops[0] = (struct model_outcome){
            .code = result->rc, .value = result->value, .existed = result->existed != 0};
        keep_outcome (answer, 0, result->rc == 0 ? result->path : NULL, result->stat);
    }
    answer->has_stat = result->stat != NULL;
    if (answer->has_stat) {
        answer->stat = comparable (*result->stat);
    }
    (void) history_value (result->data, result->size, answer->value);
    for (size_t i = 0; result->children != NULL && i < result->children->count; i++) {
        size_t used = strlen (answer->children);
        (void) snprintf (answer->children + used, sizeof answer->children - used, "%s ",
                         result->children->items[i]);
    }
}

static void await (cohort_t *client, struct answer *answer)
{
    while (!answer->done) {
        if (cohort_run (client, ENSEMBLE_LIMIT_MS) <= 0) {
            fail_msg ("no answer within %d ms", ENSEMBLE_LIMIT_MS);
        }
    }
}

static void add_to (cohort_txn_t *txn, const struct history_op *op)
{
    cohort_create_options_t options = {
        .size = sizeof options, .mode = (int) op->mode, .if_absent = op->if_absent};
    size_t size = strlen (op->value);
    int rc = op->kind == HISTORY_CREATE
                 ? cohort_txn_create_with (txn, op->path, op->value, size, &options)
             : op->kind == HISTORY_DELETE ? cohort_txn_delete (txn, op->path, op->version)
             : op->kind == HISTORY_SET
                 ? cohort_txn_set (txn, op->path, op->value, size, op->version)
             : op->kind == HISTORY_ADD
                 ? cohort_txn_add (txn, op->path, op->delta, op->floor, op->ceiling)
             : op->kind == HISTORY_DELETE_TREE
                 ? cohort_txn_delete_tree (txn, op->path, (int) op->limit, op->version)
             : op->kind == HISTORY_CHECK_ABSENT ? cohort_txn_check_absent (txn, op->path)
                                                : cohort_txn_check (txn, op->path, op->version);
    assert_int_equal (rc, 0);
}

static int ask_one (cohort_t *client, const struct history_op *op, struct answer *answer)
{
    cohort_create_options_t options = {
        .size = sizeof options, .mode = (int) op->mode, .if_absent = op->if_absent};
    size_t size = strlen (op->value);
    switch (op->kind) {
    case HISTORY_CREATE:
        return cohort_create_with_async (client, op->path, op->value, size, &options, on_result,
                                         answer);
    case HISTORY_DELETE:
        return cohort_delete_async (client, op->path, op->version, on_result, answer);
    case HISTORY_SET:
        return cohort_set_async (client, op->path, op->value, size, op->version, on_result, answer);
    case HISTORY_ADD:
        return cohort_add_async (client, op->path, op->delta, op->floor, op->ceiling, on_result,
                                 answer);
    default:
        return cohort_delete_tree_async (client, op->path, (int) op->limit, op->version, on_result,
                                         answer);
    }
}

/* ---- Random operations ----------------------------------------------------------------------- */

static const char *const some_paths[] = {"/a",     "/b",     "/a/c", "/a/d",   "/b/e",
                                         "/b/e/f", "/a/c/g", "/n",   "/b/e/h", "/a/c/g/i"};

static struct history_op some_op (struct world *self, bool multi)
{
    static const char *const values[] = {"", "x", "-3", "7", "yes"};
    static const uint32_t modes[] = {0, 0, 0, COHORT_EPHEMERAL, COHORT_SEQUENTIAL};
    struct prng *prng = &self->prng;
    struct history_op op = {.path = some_paths[prng_below (prng, 10)],
                            .value = "",
                            .version = (int32_t) prng_below (prng, 4) - 1};
    uint64_t dice = prng_below (prng, multi ? 14 : 12);
    if (dice < 5) {
        op.kind = HISTORY_CREATE;
        op.value = values[prng_below (prng, 5)];
        op.mode = modes[prng_below (prng, 5)];
        op.if_absent = op.mode != COHORT_SEQUENTIAL && prng_chance (prng, 1, 4);
        op.version = 0;
    } else if (dice < 7) {
        op.kind = HISTORY_SET;
        op.value = values[prng_below (prng, 5)];
    } else if (dice < 9) {
        op.kind = HISTORY_DELETE;
    } else if (dice < 11) {
        op.kind = HISTORY_ADD;
        op.version = 0;
        op.delta = (int64_t) prng_below (prng, 9) - 4;
        op.floor = -20;
        op.ceiling = prng_chance (prng, 1, 2) ? INT64_MAX : 5;
    } else if (dice < 12) {
        op.kind = HISTORY_DELETE_TREE;
        op.limit = (uint32_t) prng_below (prng, 6);
    } else {
        op.kind = dice == 12 ? HISTORY_CHECK : HISTORY_CHECK_ABSENT;
    }
    return op;
}

static void compare_outcome (const struct world *self, const struct model_outcome *mine,
                             const struct model_outcome *told)
{
    cohort_stat_t stat = comparable (mine->stat);
    bool same_path = (mine->path != NULL) == (told->path != NULL) &&
                     (mine->path == NULL || strcmp (mine->path, told->path) == 0);
    if (mine->code != told->code || mine->value != told->value || mine->existed != told->existed ||
        mine->has_stat != told->has_stat ||
        (mine->has_stat && !model_stat_equal (&stat, &told->stat))) {
        fail_msg ("%s: told %s, value %" PRId64 ", version %d; it should be %s, %" PRId64 ", %d",
                  self->last, cohort_error_name (told->code), told->value, told->stat.version,
                  cohort_error_name (mine->code), mine->value, stat.version);
    }
    if (mine->code == 0 && mine->path != NULL && !same_path) {
        fail_msg ("%s: told %s, it should be %s", self->last, told->path, mine->path);
    }
}

static void write_some (struct world *self)
{
    struct history_op ops[OPS_MAX];
    struct answer answer = {.done = false};
    size_t count = 1 + prng_below (&self->prng, OPS_MAX);
    bool multi = count > 1;
    for (size_t i = 0; i < count; i++) {
        ops[i] = some_op (self, multi);
    }
    (void) snprintf (self->last, sizeof self->last, "write %" PRIu64 " (%d, %s)", self->number + 1,
                     (int) ops[0].kind, ops[0].path);
    if (multi) {
        cohort_txn_t *txn = cohort_txn_new ();
        assert_non_null (txn);
        for (size_t i = 0; i < count; i++) {
            add_to (txn, &ops[i]);
        }
        assert_int_equal (cohort_multi_async (self->client, txn, on_result, &answer), 0);
        cohort_txn_destroy (&txn);
    } else {
        assert_int_equal (ask_one (self->client, &ops[0], &answer), 0);
    }
    await (self->client, &answer);
    struct history_entry entry = {.zxid = answer.zxid,
                                  .kind = HISTORY_ENTRY_WRITE,
                                  .session = 1,
                                  .number = ++self->number,
                                  .incarnation = 1,
                                  .multi = multi,
                                  .ops = ops,
                                  .count = count};
    assert_true (answer.zxid > self->model.zxid);
    assert_true (model_apply (&self->model, &entry).executed);
    const struct model_result *mine = model_result (&self->model, 1, 1, self->number);
    assert_int_equal (answer.rc, mine->code);
    assert_int_equal (answer.count, mine->count);
    for (size_t i = 0; i < count; i++) {
        compare_outcome (self, &mine->outcomes[i], &answer.ops[i]);
    }
    self->epochs += answer.zxid >> EPOCH_SHIFT != self->epoch;
    self->epoch = answer.zxid >> EPOCH_SHIFT;
}

/* ---- Reads ----------------------------------------------------------------------------------- */

static void expect_children (struct world *self, cohort_t *client, const struct model_znode *znode)
{
    struct answer answer = {.done = false};
    char expected[sizeof answer.children] = "";
    assert_int_equal (cohort_children_async (client, znode->path, NULL, NULL, on_result, &answer),
                      0);
    await (client, &answer);
    for (size_t i = 0; i < znode->children_count; i++) {
        size_t used = strlen (expected);
        if (model_at (znode->children[i], self->model.zxid) != NULL) {
            (void) snprintf (expected + used, sizeof expected - used, "%s ",
                             znode->children[i]->name);
        }
    }
    assert_int_equal (answer.rc, 0);
    assert_string_equal (answer.children, expected);
}

/* Of the newest state; whether there is such a znode. */
static bool expect_znode (struct world *self, cohort_t *client, const char *path)
{
    const struct model_znode *znode = model_find (&self->model, path);
    const struct model_version *version = model_at (znode, self->model.zxid);
    struct answer answer = {.done = false};
    assert_int_equal (cohort_get_async (client, path, NULL, NULL, on_result, &answer), 0);
    await (client, &answer);
    if (answer.rc != (version != NULL ? 0 : COHORT_ENONODE)) {
        fail_msg ("%s, behind %s: told %s", path, self->last, cohort_error_name (answer.rc));
    }
    if (version == NULL) {
        return false;
    }
    cohort_stat_t stat = comparable (version->stat);
    assert_string_equal (answer.value, version->value);
    assert_true (answer.has_stat && model_stat_equal (&answer.stat, &stat));
    expect_children (self, client, znode);
    return true;
}

/* All of the tree, from one server alone. */
static void expect_tree (struct world *self, const char *server)
{
    cohort_options_t options = {.size = sizeof options, .timeout_ms = SESSION_MS};
    cohort_t *client = cohort_new (server, &options);
    uint64_t count = 0;
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, ENSEMBLE_LIMIT_MS), 0);
    assert_int_equal (cohort_sync (client), 0);
    for (struct map_node *node = map_first (&self->model.znodes); node != NULL;
         node = map_next (&self->model.znodes, node)) {
        count += expect_znode (self, client, map_entry (node, struct model_znode, node)->path);
    }
    assert_int_equal (count, model_subtree_count (&self->model, "/", self->model.zxid));
    cohort_destroy (&client);
}

/* ---- The test -------------------------------------------------------------------------------- */

/* What there is from the first entry on. */
static void found (struct world *self)
{
    void *data = NULL;
    size_t size = 0;
    cohort_stat_t stat;
    char value[HISTORY_VALUE_SIZE];
    assert_int_equal (cohort_get (self->client, "/zookeeper/config", &data, &size, &stat), 0);
    struct history_op ops[] = {
        {.kind = HISTORY_CREATE, .path = "/zookeeper", .value = ""},
        {.kind = HISTORY_CREATE,
         .path = "/zookeeper/config",
         .value = history_value (data, size, value)},
        {.kind = HISTORY_CREATE, .path = "/zookeeper/quota", .value = ""},
    };
    struct history_entry entry = {
        .zxid = stat.czxid, .kind = HISTORY_ENTRY_FOUND, .ops = ops, .count = 3};
    (void) model_apply (&self->model, &entry);
    cohort_free (data);
}

static void begin (struct world *self, uint64_t number)
{
    cohort_options_t options = {
        .size = sizeof options, .timeout_ms = SESSION_MS, .connect_timeout_ms = 300};
    *self = (struct world){.number = 0};
    prng_seed (&self->prng, number);
    model_init (&self->model);
    ensemble_start (&self->ensemble, NULL);
    self->client = cohort_new (self->ensemble.list, &options);
    assert_non_null (self->client);
    assert_int_equal (cohort_wait (self->client, ENSEMBLE_LIMIT_MS), 0);
    found (self);
    struct history_entry session = {
        .zxid = self->model.zxid + 1, .kind = HISTORY_ENTRY_SESSION, .attach_no = 1};
    assert_int_equal (model_apply (&self->model, &session).session->id, 1);
}

static uint64_t seed = 1; /* or the program's argument */

static void test_random_operations_while_servers_crash (void **state)
{
    static struct world world;
    (void) state;
    printf ("seed %" PRIu64 "\n", seed);
    begin (&world, seed);
    for (int i = 0; i < WRITES; i++) {
        if (prng_chance (&world.prng, 1, CRASH_EVERY)) {
            ensemble_crash_one (&world.ensemble, &world.prng);
        }
        write_some (&world);
        if (prng_chance (&world.prng, 1, 3)) {
            (void) expect_znode (&world, world.client, some_paths[prng_below (&world.prng, 10)]);
        }
    }
    ensemble_bring_back (&world.ensemble);
    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        expect_tree (&world, world.ensemble.clients[i]);
    }
    /* Leaders were among those that crashed. */
    assert_true (world.epochs >= 3);
    cohort_destroy (&world.client);
    ensemble_stop (&world.ensemble);
    model_deinit (&world.model);
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_random_operations_while_servers_crash),
    };
    seed = argc > 1 ? strtoull (argv[1], NULL, 10) : seed;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
