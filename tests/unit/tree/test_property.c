/* Random entries, applied to the tree and to a naive model: after each, outcome and state must be
 * the same. Beside them a mirror that is fed by effects alone, and snapshots that are written in
 * slices meanwhile, must give the same state too. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/tree/acl.h"
#include "tests/unit/tree/model_acl.h"
#include "tests/unit/tree/model_system.h"
#include "tests/unit/tree/property.h"

#define STEPS 2500
#define SEEDS 24

/* ---- Comparing --------------------------------------------------------------------------- */

static void compare_outcome (const struct tree_outcome *is, const struct model_outcome *should)
{
    assert_int_equal (is->code, should->code);
    assert_int_equal (is->executed, should->executed);
    assert_int_equal (is->session_closed, should->closed);
    assert_int_equal (is->session_gone, should->gone);
    assert_int_equal (is->config_changed, should->config_changed);
    assert_int_equal (is->admins_changed, should->admins_changed);
    assert_int_equal (is->killed, should->killed);
    assert_int_equal (is->session, should->session);
    assert_int_equal (is->expected, should->expected);
    assert_int_equal (is->result != NULL, should->has_result);
    assert_int_equal (is->crossed_count, should->crossed);
    if (should->has_result) {
        assert_int_equal (is->result_size, should->result.size);
        assert_memory_equal (is->result, should->result.bytes, is->result_size);
    }
}

static void compare_stats (const cohort_stat_t *is, const cohort_stat_t *should)
{
    struct buf a = {0}, b = {0};
    result_stat_encode (&a, is);
    result_stat_encode (&b, should);
    assert_memory_equal (a.data, b.data, a.size);
    buf_deinit (&a);
    buf_deinit (&b);
}

/* open: a list that gives everything to everybody is as good as none. */
static void compare_list (const struct acl *is, const struct model_list *should, bool open)
{
    size_t size = 0, at = 0;
    const uint8_t *bytes = is != NULL ? is->bytes : NULL;
    if (open && model_is_open (should)) {
        assert_true (is == NULL || is->size == 0);
        return;
    }
    for (size_t i = 0; i < should->count; i++) {
        size += 3 + (size_t) should->items[i].who.size;
    }
    assert_int_equal (is != NULL, size > 0);
    assert_int_equal (is != NULL ? is->size : 0, size);
    for (size_t i = 0; i < should->count; i++) {
        const struct model_item *item = &should->items[i];
        assert_int_equal (bytes[at], item->perms);
        assert_int_equal (bytes[at + 1], item->who.scheme);
        assert_int_equal (bytes[at + 2], item->who.size);
        if (item->who.size > 0) {
            assert_memory_equal (bytes + at + 3, item->who.id, item->who.size);
        }
        at += 3 + (size_t) item->who.size;
    }
}

/* A default that says that what is created is open is one, too. */
static void compare_lists (const struct znode *is, const struct model_node *should)
{
    const struct family *family = znode_family (is);
    const struct acl *inherited = family != NULL ? family->inherited : NULL;
    compare_list (znode_acl (is), &should->acl, true);
    if (inherited != NULL && inherited->size == 0) {
        assert_int_equal (should->inherited.count, 1);
        assert_true (model_is_open (&should->inherited));
    } else {
        compare_list (inherited, &should->inherited, false);
    }
}

struct comparison {
    const struct model_nodes *nodes;
    bool lists; /* a mirror has none */
    size_t at;
};

static bool compare_node (void *arg, const struct tree_node *node)
{
    struct comparison *comparison = arg;
    assert_true (comparison->at < comparison->nodes->count);
    const struct model_node *should = &comparison->nodes->items[comparison->at++];
    assert_string_equal (node->path, should->path);
    assert_int_equal (node->data_size, should->stat.data_size);
    assert_memory_equal (node->data, should->data, node->data_size);
    compare_stats (&node->stat, &should->stat);
    if (comparison->lists) {
        compare_lists (node->znode, should);
    }
    return true;
}

static void compare_nodes (const struct tree *tree, const struct model_nodes *nodes, bool lists)
{
    struct comparison comparison = {nodes, lists, 0};
    assert_int_equal (tree_walk (tree, "/", 1, NULL, compare_node, &comparison), 0);
    assert_int_equal (comparison.at, nodes->count);
    assert_int_equal (tree_node_count (tree), nodes->count);
}

static void compare_identities (const struct tree *tree, const struct model_session *should)
{
    size_t size, at = 0;
    const uint8_t *is = tree_session_identities (tree, should->id, &size);
    for (size_t i = 0; i < should->who.count; i++) {
        const struct model_identity *who = &should->who.items[i];
        assert_true (at + 2 + who->size <= size);
        assert_int_equal (is[at], who->scheme);
        assert_int_equal (is[at + 1], who->size);
        assert_memory_equal (is + at + 2, who->id, who->size);
        at += 2 + (size_t) who->size;
    }
    assert_int_equal (at, size);
}

/* What some session may see of some path. */
static void compare_sights (struct run *run)
{
    char path[MODEL_PATH_MAX];
    struct tree_node found;
    uint64_t id = random_session (run);
    const struct model_session *session = model_session (run->model, id);
    random_path (run, path);
    const struct model_node *node = model_node (&run->model->nodes, path);
    if (tree_path_check (run->f.tree, path, strlen (path), false) != 0) {
        return;
    }
    int sees = node != NULL ? model_permit (run->model, session, OP_CHECK_ABSENT, node)
                            : model_permit_absent (run->model, session, OP_CHECK_ABSENT, path);
    bool secret = node != NULL && model_is_secret (run->model, session, node);
    bool reads = node != NULL && model_permits (run->model, session, node, COHORT_PERM_READ);
    int rc = tree_get_as (run->f.tree, id, TREE_BARE, path, strlen (path), &found);
    assert_int_equal (rc, sees);
    if (rc == 0 && secret) {
        assert_int_equal (found.stat.data_size, 0);
    }
    rc = tree_get_as (run->f.tree, id, TREE_WHOLE, path, strlen (path), &found);
    assert_int_equal (rc, node == NULL ? sees : reads && !secret ? 0 : COHORT_ENOAUTH);
}

static void compare_sessions (const struct run *run)
{
    const struct tree *tree = run->f.tree;
    const struct model *model = run->model;
    assert_int_equal (tree_session_count (tree), model->sessions_count);
    struct tree_session is = {0};
    for (size_t i = 0; i < model->sessions_count; i++) {
        const struct model_session *should = &model->sessions[i];
        assert_true (tree_session_next (tree, is.id, &is));
        assert_int_equal (is.id, should->id);
        assert_int_equal (is.timeout_ms, should->timeout_ms);
        assert_int_equal (is.grace_ms, should->grace_ms);
        assert_int_equal (is.incarnation, should->incarnation);
        assert_int_equal (is.attach_no, should->attach_no);
        assert_int_equal (is.server, should->server);
        assert_int_equal (is.last_number, should->last);
        assert_int_equal (is.acked, should->acked);
        assert_false (is.dead);
        assert_int_equal (is.condemned, should->condemned);
        assert_int_equal (tree_session_is_admin (tree, is.id), model_is_admin (model, should));
        compare_identities (tree, should);
        size_t ephemerals = 0;
        for (size_t n = 0; n < model->nodes.count; n++) {
            ephemerals += model->nodes.items[n].stat.ephemeral_owner == is.id;
        }
        assert_int_equal (is.ephemerals, ephemerals);
        for (uint64_t number = 0; number <= should->last + 1; number++) {
            size_t size = 0;
            const uint8_t *result = tree_session_result (tree, is.id, number, &size);
            const struct model_result *stored = NULL;
            for (size_t r = 0; r < should->results_count; r++) {
                if (should->results[r].number == number) {
                    stored = &should->results[r];
                }
            }
            assert_int_equal (result != NULL, stored != NULL);
            if (stored != NULL) {
                assert_int_equal (size, stored->size);
                assert_memory_equal (result, stored->bytes, size);
            }
        }
    }
    assert_false (tree_session_next (tree, is.id, &is));
}

/* ---- The mirror -------------------------------------------------------------------------- */

static bool mirror_effect (void *arg, const struct effect *effect)
{
    struct run *run = arg;
    assert_int_equal (effect->path_size, strlen (effect->path));
    assert_int_equal (effect->zxid, run->f.zxid);
    char above[MODEL_PATH_MAX];
    for (size_t i = 0; effect->kind == EFFECT_OWNER && i < run->mirror->count; i++) {
        cohort_stat_t *stat = &run->mirror->items[i].stat;
        if (stat->ephemeral_owner == effect->from && stat->ozxid <= effect->stat.ozxid) {
            stat->ephemeral_owner = effect->stat.ephemeral_owner;
            stat->ozxid = effect->stat.ozxid;
        }
    }
    if (effect->kind == EFFECT_OWNER) {
        return true;
    }
    if (effect->kind != EFFECT_DATA && effect->kind != EFFECT_ACL) {
        model_parent (effect->path, above);
        struct model_node *parent = model_node (run->mirror, above);
        assert_non_null (parent);
        parent->stat.cversion++;
        parent->stat.pzxid = effect->zxid;
        parent->stat.child_count += effect->kind == EFFECT_CREATED ? 1 : (uint32_t) -1;
    }
    struct model_node *node = model_node (run->mirror, effect->path);
    assert_int_equal (node == NULL, effect->kind == EFFECT_CREATED);
    if (effect->kind == EFFECT_DELETED) {
        compare_stats (&effect->stat, &node->stat);
        assert_int_equal (effect->data_size, 0);
        model_remove (run->mirror, node);
        return true;
    }
    node = node != NULL ? node : model_insert (run->mirror, effect->path);
    assert_int_equal (effect->data_size, effect->stat.data_size);
    memcpy (node->data, effect->data, effect->data_size);
    node->stat = effect->stat;
    return true;
}

/* ---- Snapshots --------------------------------------------------------------------------- */

static void compare_dumps (const struct buf *a, const struct buf *b)
{
    assert_int_equal (a->size, b->size);
    assert_memory_equal (a->data, b->data, a->size);
}

static void copy_clear (struct copy *copy)
{
    if (copy->tree != NULL) {
        tree_destroy (&copy->tree);
    }
    tree_snapshot_end (&copy->snapshot);
    buf_deinit (&copy->at_begin);
    buf_deinit (&copy->image);
    for (size_t i = 0; i < copy->count; i++) {
        buf_deinit (&copy->entries[i]);
    }
    copy->count = 0;
}

/* The slices are through: what they made must be the state as it was at the beginning, and go the
 * same way from there. */
static void copy_load (struct run *run)
{
    struct copy *copy = &run->copy;
    struct tree_loader *loader = tree_loader_new (NULL);
    assert_non_null (loader);
    for (size_t at = 0; at < copy->image.size;) {
        size_t size = prng_between (&run->prng, 1, 3000);
        size = size < copy->image.size - at ? size : copy->image.size - at;
        assert_true (tree_loader_feed (loader, copy->image.data + at, size));
        at += size;
    }
    copy->tree = tree_loader_finish (&loader);
    assert_non_null (copy->tree);
    tree_check (copy->tree);
    assert_int_equal (tree_effects_floor (copy->tree), tree_zxid (copy->tree));
    struct buf dump = {0};
    fixture_dump (copy->tree, &dump);
    compare_dumps (&dump, &copy->at_begin);
    buf_deinit (&dump);
    for (size_t i = 0; i < copy->count; i++) {
        struct tree_outcome outcome;
        assert_true (tree_apply (copy->tree, copy->zxids[i], copy->stamps[i], copy->entries[i].data,
                                 copy->entries[i].size, &outcome));
    }
}

static void copy_begin (struct run *run)
{
    struct copy *copy = &run->copy;
    fixture_dump (run->f.tree, &copy->at_begin);
    copy->snapshot = tree_snapshot_begin (run->f.tree);
    assert_non_null (copy->snapshot);
    assert_null (tree_snapshot_begin (run->f.tree));
}

static void copy_step (struct run *run)
{
    struct copy *copy = &run->copy;
    struct prng *prng = &run->prng;
    if (copy->snapshot == NULL && copy->tree == NULL) {
        if (prng_chance (prng, 1, 20)) {
            copy_begin (run);
        }
        return;
    }
    if (copy->count == REPLAY_MAX || prng_chance (prng, 1, 300)) {
        /* Enough followed; or given up in the middle. */
        copy_clear (copy);
        return;
    }
    struct buf *entry = &copy->entries[copy->count];
    buf_append (entry, run->f.entry.data, run->f.entry.size);
    copy->zxids[copy->count] = run->f.zxid;
    copy->stamps[copy->count++] = run->f.stamp_ms;
    if (copy->tree != NULL) {
        struct tree_outcome outcome;
        assert_true (tree_apply (copy->tree, run->f.zxid, run->f.stamp_ms, entry->data, entry->size,
                                 &outcome));
        assert_int_equal (outcome.code, run->f.outcome.code);
        assert_int_equal (tree_digest (copy->tree), tree_digest (run->f.tree));
        return;
    }
    if (prng_chance (prng, 1, 2)) {
        size_t before = copy->image.size;
        size_t budget = prng_between (prng, 1, 400);
        bool more = tree_snapshot_next (copy->snapshot, &copy->image, budget);
        assert_false (copy->image.failed);
        /* A record, its ancestors and its session may lie above the budget, not more; a scan may
         * find the elements of one bucket at a time. */
        assert_true (copy->image.size - before < budget + 8 * MODEL_RESULT_MAX);
        if (!more) {
            tree_snapshot_end (&copy->snapshot);
            copy_load (run);
            assert_int_equal (tree_digest (copy->tree), tree_digest (run->f.tree));
        }
    }
}

/* ---- Runs -------------------------------------------------------------------------------- */

static void step (struct run *run)
{
    property_build (run);
    fixture_apply (&run->f);
    struct entry entry;
    assert_true (entry_decode (&entry, run->f.entry.data, run->f.entry.size));
    struct model_outcome outcome;
    run->writes += run->f.outcome.executed;
    run->done += run->f.outcome.executed && run->f.outcome.code == 0;
    model_apply (run->model, run->f.zxid, run->f.stamp_ms, &entry, &outcome);
    compare_outcome (&run->f.outcome, &outcome);
    compare_nodes (run->f.tree, &run->model->nodes, true);
    compare_sessions (run);
    assert_int_equal (tree_effects (run->f.tree, run->f.zxid - 1, run->f.zxid, mirror_effect, run),
                      0);
    compare_nodes (run->f.tree, run->mirror, false);
    compare_sights (run);
    copy_step (run);
}

static void run_seed (uint64_t seed)
{
    print_message ("seed %llu\n", (unsigned long long) seed);
    struct run *run = mem_calloc (1, sizeof (*run));
    assert_non_null (run);
    prng_seed (&run->prng, seed);
    struct entry_limits limits = fixture_limits;
    limits.data_size_max = MODEL_DATA_MAX - 10;
    limits.path_size_max = 60;
    limits.window = 5;
    limits.results_size_max = 600;
    struct tree_options options = {.effects_bytes_max = 20000};
    fixture_init_with (&run->f, &options, &limits);
    run->model = model_new (&limits, run->f.zxid, run->f.stamp_ms);
    run->mirror = mem_calloc (1, sizeof (*run->mirror));
    assert_non_null (run->mirror);
    *run->mirror = run->model->nodes;
    for (int i = 0; i < STEPS; i++) {
        step (run);
    }
    /* Lists that forbid everything would test nothing. */
    assert_true (run->done > run->writes / 8);
    copy_clear (&run->copy);
    fixture_deinit (&run->f);
    model_destroy (&run->model);
    mem_free (run->mirror);
    mem_free (run);
}

static uint64_t first = 1, count = SEEDS;

static void test_model (void **state)
{
    (void) state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        run_seed (seed);
    }
}

/* test-tree-property [first seed [number of seeds]] */
int main (int argc, char **argv)
{
    if (argc > 1) {
        first = strtoull (argv[1], NULL, 10);
        count = argc > 2 ? strtoull (argv[2], NULL, 10) : 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_model)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
