/* The model of histories against server/tree: the same log, the same results, states and changes.
 * The two share nothing, so what one of them gets wrong shows. */

#include <stdio.h>

#include "tests/history/log_entry.h"
#include "tests/history/model.h"
#include "tests/unit/tree/fixture.h"

enum { SEEDS = 40, ENTRIES = 400, SESSIONS_MAX = 64, LOOK_EVERY = 20 };

struct pair {
    struct fixture tree;
    struct model model;
    struct arena arena;
    struct prng prng;
    uint64_t sessions[SESSIONS_MAX]; /* ever made */
    uint64_t numbers[SESSIONS_MAX];  /* asked for */
    size_t sessions_count;
    zxid_t effects; /* compared through here */
};

/* ---- Comparing ------------------------------------------------------------------------------- */

static void compare_result (const struct pair *self)
{
    const struct tree_outcome *outcome = &self->tree.outcome;
    struct result result;
    assert_true (result_decode (&result, outcome->result, outcome->result_size));
    const struct model_result *mine =
        model_result (&self->model, outcome->session, 1, outcome->number);
    assert_non_null (mine);
    assert_int_equal (mine->zxid, result.zxid);
    assert_int_equal (mine->code, result.code);
    assert_int_equal (mine->count, result.count);
    for (size_t i = 0; i < mine->count; i++) {
        struct result_op op;
        assert_true (result_op_decode (&op, &result.ops));
        assert_int_equal (mine->outcomes[i].code, op.code);
        assert_true ((mine->outcomes[i].path != NULL) == op.has_path);
        assert_true (mine->outcomes[i].has_stat == op.has_stat);
        assert_true (mine->outcomes[i].existed == op.existed);
        assert_int_equal (mine->outcomes[i].value, op.has_value ? op.value : 0);
        if (op.has_path) {
            assert_int_equal (strlen (mine->outcomes[i].path), op.path_size);
            assert_memory_equal (mine->outcomes[i].path, op.path, op.path_size);
        }
        if (op.has_stat) {
            assert_true (model_stat_equal (&mine->outcomes[i].stat, &op.stat));
        }
    }
}

static bool compare_node (void *arg, const struct tree_node *node)
{
    const struct pair *self = arg;
    char value[HISTORY_VALUE_SIZE];
    const struct model_version *mine =
        model_at (model_find (&self->model, node->path), self->tree.zxid);
    assert_non_null (mine);
    assert_string_equal (mine->value, history_value (node->data, node->data_size, value));
    assert_true (model_stat_equal (&mine->stat, &node->stat));
    return true;
}

/* The model's change that is due; this effect must be it. */
struct due {
    const struct model *model;
    size_t change;
};

static bool compare_effect (void *arg, const struct effect *effect)
{
    struct due *due = arg;
    assert_true (due->change < due->model->changes_count);
    const struct model_change *mine = &due->model->changes[due->change++];
    const struct model_version *version = &mine->znode->versions[mine->version];
    assert_int_equal (mine->zxid, effect->zxid);
    assert_int_equal (version->change, effect->kind);
    assert_string_equal (mine->znode->path, effect->path);
    if (effect->kind != EFFECT_DELETED) {
        char value[HISTORY_VALUE_SIZE];
        assert_string_equal (version->value,
                             history_value (effect->data, effect->data_size, value));
        assert_true (model_stat_equal (&version->stat, &effect->stat));
    }
    return true;
}

static void compare_all (struct pair *self)
{
    assert_int_equal (tree_walk (self->tree.tree, "/", 1, NULL, compare_node, self), 0);
    assert_int_equal (tree_node_count (self->tree.tree),
                      model_subtree_count (&self->model, "/", self->tree.zxid));
    struct due due = {&self->model, model_changes_after (&self->model, self->effects)};
    assert_int_equal (
        tree_effects (self->tree.tree, self->effects, self->tree.zxid, compare_effect, &due), 0);
    assert_int_equal (due.change, self->model.changes_count);
    self->effects = self->tree.zxid;
}

/* The entry that the tree has just applied. */
static void follow (struct pair *self)
{
    struct history_entry entry;
    arena_reset (&self->arena);
    assert_true (history_entry_read (&self->arena, self->tree.zxid, self->tree.stamp_ms,
                                     self->tree.entry.data, self->tree.entry.size, &entry));
    struct model_applied applied = model_apply (&self->model, &entry);
    const struct tree_outcome *outcome = &self->tree.outcome;
    assert_true (applied.closed == outcome->session_closed);
    if (outcome->kind == ENTRY_WRITE) {
        assert_true (applied.executed == outcome->executed);
        if (outcome->executed) {
            compare_result (self);
        }
    } else if (outcome->kind == ENTRY_CREATE_SESSION) {
        assert_int_equal (applied.session->id, outcome->session);
    }
}

/* ---- What happens ---------------------------------------------------------------------------- */

static const char *some_path (struct pair *self, char path[64])
{
    static const char *const names[] = {"/a", "/b", "/a/c", "/a/d", "/b/e", "/b/e/f", "/"};
    snprintf (path, 64, "%s", names[prng_below (&self->prng, 7)]);
    return path;
}

/* Of all lives, and of two or none of them together, which is refused before it gets here. */
static struct op some_create (struct pair *self, const char *path, const char *value)
{
    static const uint8_t modes[] = {0, 0, 1, 2, 3, 4, 6};
    struct op op = op_create (path, value, modes[prng_below (&self->prng, sizeof modes)]);
    op.if_absent = (op.mode & COHORT_SEQUENTIAL) == 0 && prng_chance (&self->prng, 1, 3);
    if ((op.mode & (COHORT_EPHEMERAL | COHORT_CONTAINER)) == 0 && prng_chance (&self->prng, 1, 4)) {
        op.ttl_ms = 1 + prng_below (&self->prng, 500);
    }
    return op;
}

/* Sums beyond the bounds, and beyond 64 bits, among them. */
static struct op some_add (struct pair *self, const char *path)
{
    static const int64_t deltas[] = {0, 1, -1, 7, INT64_MAX, INT64_MIN};
    return (struct op){.kind = OP_ADD,
                       .path = path,
                       .path_size = (uint32_t) strlen (path),
                       .delta = deltas[prng_below (&self->prng, 6)],
                       .floor = prng_chance (&self->prng, 1, 4) ? 0 : INT64_MIN,
                       .ceiling = prng_chance (&self->prng, 1, 4) ? 3 : INT64_MAX};
}

static struct op some_op (struct pair *self, char path[64])
{
    static const char *const values[] = {"", "x", "-3", "#odd", "-", "9223372036854775808", "+1"};
    const char *value = values[prng_below (&self->prng, 7)];
    int32_t version = (int32_t) prng_below (&self->prng, 4) - 1;
    some_path (self, path);
    switch (prng_below (&self->prng, 11)) {
    case 0:
    case 1:
    case 2:
        return some_create (self, path, value);
    case 3:
        return op_delete (path, version);
    case 6:
        return (struct op){
            .kind = OP_CHECK_ABSENT, .path = path, .path_size = (uint32_t) strlen (path)};
    case 7:
        return some_add (self, path);
    case 8:
        return (struct op){.kind = OP_DELETE_TREE,
                           .path = path,
                           .path_size = (uint32_t) strlen (path),
                           .version = version,
                           .limit = (uint32_t) prng_below (&self->prng, 4)};
    case 4:
        return op_check (path, version);
    case 5:
        return (struct op){.kind = OP_CHECK_CZXID,
                           .path = path,
                           .path_size = (uint32_t) strlen (path),
                           .czxid = self->tree.zxid - prng_below (&self->prng, 20)};
    default:
        return op_set (path, value, version);
    }
}

static void write_some (struct pair *self, size_t session)
{
    char paths[4][64];
    struct op ops[4];
    uint32_t count = 1 + (uint32_t) prng_below (&self->prng, 4);
    struct entry_write write = {.session = self->sessions[session], .incarnation = 1};
    for (uint32_t i = 0; i < count; i++) {
        ops[i] = some_op (self, paths[i]);
    }
    write.multi = count > 1 || prng_chance (&self->prng, 1, 4);
    write.count = count;
    write.number = self->numbers[session] + 1;
    if (prng_chance (&self->prng, 1, 10)) {
        write.number += prng_below (&self->prng, 3) - 1; /* again, or with a gap */
    }
    write.ack_to = self->numbers[session];
    if (prng_chance (&self->prng, 1, 30)) {
        ops[0] = (struct op){.kind = OP_REJECT, .code = COHORT_ETOOBIG};
        write.count = 1;
        write.multi = false;
    }
    if (write.number > 0) {
        fixture_write (&self->tree, &write, ops);
        self->numbers[session] += self->tree.outcome.executed;
    }
}

/* What is due, or what will be, which must be left as it is. */
static void lapse_some (struct pair *self)
{
    struct buf items = {0};
    struct entry entry = {.kind = ENTRY_LAPSE};
    int64_t now_ms = self->tree.stamp_ms + (prng_chance (&self->prng, 1, 2) ? 0 : 2000);
    entry.u.lapse.count = tree_lapses (self->tree.tree, now_ms, &items);
    if (entry.u.lapse.count > 0) {
        buf_clear (&self->tree.entry);
        entry_encode (&self->tree.entry, &entry);
        buf_append (&self->tree.entry, items.data, items.size);
        fixture_apply (&self->tree);
    }
    buf_deinit (&items);
}

/* One that there is, or was, or never. */
static void kill_some (struct pair *self, size_t session)
{
    struct op op = {.kind = OP_KILL_SESSION, .session = prng_below (&self->prng, SESSIONS_MAX)};
    struct entry_write write = {.session = self->sessions[session],
                                .incarnation = 1,
                                .number = self->numbers[session] + 1,
                                .ack_to = self->numbers[session],
                                .count = 1};
    fixture_write (&self->tree, &write, &op);
    self->numbers[session] += self->tree.outcome.executed;
}

static void happen (struct pair *self)
{
    size_t session = prng_below (&self->prng, self->sessions_count);
    uint64_t dice = prng_below (&self->prng, 100);
    if (dice < 3 && self->sessions_count < SESSIONS_MAX) {
        self->sessions[self->sessions_count] =
            fixture_session (&self->tree, self->sessions_count + 1);
        self->sessions_count++;
    } else if (dice < 4) {
        fixture_create_session (&self->tree, session + 1, 1 + prng_below (&self->prng, 4), 2,
                                session + 1001);
    } else if (dice < 8) {
        fixture_attach (&self->tree, self->sessions[session], 1, prng_below (&self->prng, 8), 2, 0);
    } else if (dice < 10) {
        fixture_close (&self->tree, self->sessions[session], 1 + prng_below (&self->prng, 3), 1,
                       prng_chance (&self->prng, 1, 4) ? ENTRY_KILLED : ENTRY_EXPIRED);
    } else if (dice < 11) {
        struct op op = {.kind = OP_CLOSE_SESSION};
        struct entry_write write = {.session = self->sessions[session],
                                    .incarnation = 1,
                                    .number = ++self->numbers[session],
                                    .count = 1};
        write.ack_to = write.number - 1;
        fixture_write (&self->tree, &write, &op);
    } else if (dice < 12 && prng_chance (&self->prng, 1, 4)) {
        kill_some (self, session);
    } else if (dice < 18) {
        lapse_some (self);
    } else {
        write_some (self, session);
    }
}

static void run (uint64_t seed)
{
    struct pair self = {.sessions_count = 0};
    prng_seed (&self.prng, seed);
    fixture_init (&self.tree, NULL);
    self.tree.check = false;
    model_init (&self.model);
    arena_init (&self.arena, 4096, 65536);
    follow (&self);
    self.effects = self.tree.zxid;
    self.sessions[self.sessions_count++] = fixture_session (&self.tree, 1);
    follow (&self);
    for (size_t i = 0; i < ENTRIES; i++) {
        zxid_t before = self.tree.zxid;
        happen (&self);
        if (self.tree.zxid != before) {
            follow (&self);
        }
        if (i % LOOK_EVERY == 0) {
            compare_all (&self);
        }
    }
    compare_all (&self);
    arena_deinit (&self.arena);
    model_deinit (&self.model);
    fixture_deinit (&self.tree);
}

static void test_against_the_tree (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run (seed);
    }
}

/* More ephemerals than one entry removes. */
static void test_reaping (void **state)
{
    struct pair self = {.sessions_count = 0};
    (void) state;
    fixture_init (&self.tree, NULL);
    model_init (&self.model);
    arena_init (&self.arena, 4096, 65536);
    self.tree.check = false;
    follow (&self);
    self.effects = self.tree.zxid;
    self.sessions[0] = fixture_session (&self.tree, 1);
    follow (&self);
    for (int i = 0; i < 700; i++) {
        fixture_create (&self.tree, self.sessions[0], "/e", "",
                        COHORT_EPHEMERAL | COHORT_SEQUENTIAL);
        follow (&self);
    }
    fixture_close (&self.tree, self.sessions[0], 1, 1, ENTRY_EXPIRED);
    follow (&self);
    compare_all (&self);
    assert_int_equal (tree_node_count (self.tree.tree), 200 + FIXTURE_FOUNDED);
    fixture_reap (&self.tree, self.sessions[0]);
    follow (&self);
    compare_all (&self);
    assert_int_equal (tree_node_count (self.tree.tree), FIXTURE_FOUNDED);
    arena_deinit (&self.arena);
    model_deinit (&self.model);
    fixture_deinit (&self.tree);
}

/* What was stays what it was. */
static void test_the_past (void **state)
{
    struct pair self = {.sessions_count = 0};
    (void) state;
    fixture_init (&self.tree, NULL);
    model_init (&self.model);
    arena_init (&self.arena, 4096, 65536);
    follow (&self);
    uint64_t session = fixture_session (&self.tree, 1);
    follow (&self);
    zxid_t begin = self.tree.zxid;
    assert_int_equal (fixture_create (&self.tree, session, "/a", "x", 0), 0);
    follow (&self);
    assert_int_equal (fixture_set (&self.tree, session, "/a", "y", 0), 0);
    follow (&self);
    assert_int_equal (fixture_delete (&self.tree, session, "/a", 1), 0);
    follow (&self);
    const struct model_znode *znode = model_find (&self.model, "/a");
    assert_null (model_at (znode, begin));
    assert_string_equal (model_at (znode, begin + 1)->value, "x");
    assert_string_equal (model_at (znode, begin + 2)->value, "y");
    assert_null (model_at (znode, begin + 3));
    assert_int_equal (model_at (self.model.root, begin + 1)->stat.child_count, 2);
    assert_int_equal (model_at (self.model.root, begin + 3)->stat.cversion, 3);
    arena_deinit (&self.arena);
    model_deinit (&self.model);
    fixture_deinit (&self.tree);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_against_the_tree),
        cmocka_unit_test (test_reaping),
        cmocka_unit_test (test_the_past),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
