/* The model of histories beside server/tree: see pair.h. */

#include <stdio.h>
#include <string.h>

#include "client/base/hand_over.h"
#include "tests/history/log_entry.h"
#include "tests/unit/history/pair.h"

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
    assert_int_equal (mine->zxid, effect->zxid);
    if (effect->kind == EFFECT_OWNER) {
        assert_null (mine->znode);
        assert_int_equal (mine->from, effect->from);
        assert_int_equal (mine->to, effect->stat.ephemeral_owner);
        return true;
    }
    assert_non_null (mine->znode);
    const struct model_version *version = &mine->znode->versions[mine->version];
    assert_int_equal (version->change,
                      effect->kind == EFFECT_ACL ? (int) MODEL_ACL : (int) effect->kind);
    assert_string_equal (mine->znode->path, effect->path);
    if (effect->kind != EFFECT_DELETED) {
        char value[HISTORY_VALUE_SIZE];
        assert_string_equal (version->value,
                             history_value (effect->data, effect->data_size, value));
        assert_true (model_stat_equal (&version->stat, &effect->stat));
    }
    return true;
}

/* Whether its data says how much there is where the session may not look. */
static bool is_secret (const struct pair *self, struct model_who who, const struct tree_node *node)
{
    static const char top[] = "/zookeeper/quota", name[] = "/zookeeper_stats";
    char target[64] = "/";
    size_t size = strlen (node->path), around = sizeof top - 1 + sizeof name - 1;
    if (!model_covers (top, node->path) || strcmp (strrchr (node->path, '/'), name) != 0) {
        return false;
    }
    if (size > around) {
        (void) snprintf (target, sizeof target, "%.*s", (int) (size - around),
                         node->path + sizeof top - 1);
    }
    const struct model_version *there =
        model_at (model_find (&self->model, target), self->tree.zxid);
    return there != NULL
               ? !model_may (who, there, COHORT_PERM_READ)
               : model_absence (&self->model, who, target, self->tree.zxid, 0) == COHORT_ENOAUTH;
}

/* Whether each session may see, and read, what the model says that it may. */
static bool compare_sight (void *arg, const struct tree_node *node)
{
    const struct pair *self = arg;
    const struct model_znode *znode = model_find (&self->model, node->path);
    for (size_t i = 0; i < self->sessions_count; i++) {
        uint64_t id = self->sessions[i];
        const struct model_session *session = model_session (&self->model, id);
        struct tree_node found;
        if (session->dead) {
            continue;
        }
        struct model_who who = model_who (&self->model, session, self->tree.zxid);
        size_t size = strlen (node->path);
        bool reads = tree_get_as (self->tree.tree, id, TREE_WHOLE, node->path, size, &found) == 0;
        bool sees = tree_get_as (self->tree.tree, id, TREE_BARE, node->path, size, &found) == 0;
        bool may = model_may (who, model_at (znode, self->tree.zxid), COHORT_PERM_READ);
        assert_true ((may && !is_secret (self, who, node)) == reads);
        assert_true (model_sees (who, znode, self->tree.zxid) == sees);
    }
    return true;
}

void pair_compare (struct pair *self)
{
    assert_int_equal (tree_walk (self->tree.tree, "/", 1, NULL, compare_node, self), 0);
    assert_int_equal (tree_walk (self->tree.tree, "/", 1, NULL, compare_sight, self), 0);
    assert_int_equal (tree_node_count (self->tree.tree),
                      model_subtree_count (&self->model, "/", self->tree.zxid));
    struct due due = {&self->model, model_changes_after (&self->model, self->effects)};
    assert_int_equal (
        tree_effects (self->tree.tree, self->effects, self->tree.zxid, compare_effect, &due), 0);
    assert_int_equal (due.change, self->model.changes_count);
    self->effects = self->tree.zxid;
}

/* The entry that the tree has just applied. */
void pair_follow (struct pair *self)
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

/* ---- Beginning and ending -------------------------------------------------------------------- */

void pair_begin (struct pair *self, size_t sessions)
{
    *self = (struct pair){.sessions_count = 0};
    fixture_init (&self->tree, NULL);
    self->tree.check = false;
    model_init (&self->model);
    arena_init (&self->arena, 4096, 65536);
    pair_follow (self);
    self->effects = self->tree.zxid;
    while (self->sessions_count < sessions) {
        uint64_t session = fixture_session (&self->tree, self->sessions_count + 1);
        self->sessions[self->sessions_count++] = session;
        pair_follow (self);
    }
}

void pair_end (struct pair *self)
{
    for (size_t i = 0; i < sizeof self->lists / sizeof self->lists[0]; i++) {
        buf_deinit (&self->lists[i]);
    }
    arena_deinit (&self->arena);
    model_deinit (&self->model);
    fixture_deinit (&self->tree);
}

struct op pair_hand_over (const struct pair *self, size_t from, size_t to, uint64_t password,
                          uint8_t token[ENTRY_TOKEN_SIZE])
{
    uint8_t hash[HAND_OVER_HASH_SIZE];
    struct op op = {.kind = OP_HAND_OVER, .token = token};
    op.session = to < self->sessions_count ? self->sessions[to] : 77;
    fixture_password (hash, password);
    hand_over_token (self->sessions[from], op.session, hash, token);
    return op;
}
