/* Random entries, applied to the tree and to a naive model: after each, outcome and state must be
 * the same. Beside them a mirror that is fed by effects alone, and snapshots that are written in
 * slices meanwhile, must give the same state too. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/tree/quota.h"
#include "tests/unit/tree/fixture.h"
#include "tests/unit/tree/model.h"

#define STEPS      2500
#define SEEDS      12
#define REPLAY_MAX 400
#define OPS_MAX    6

/* A snapshot under way, or done and followed. */
struct copy {
    struct tree_snapshot *snapshot;
    struct buf at_begin; /* fixture_dump */
    struct buf image;
    struct tree *tree; /* what was loaded; follows the original */
    /* Entries since the snapshot began, for the loaded tree. */
    size_t count;
    struct buf entries[REPLAY_MAX];
    zxid_t zxids[REPLAY_MAX];
    int64_t stamps[REPLAY_MAX];
};

struct run {
    struct prng prng;
    struct fixture f;
    struct model *model;
    struct model_nodes *mirror;
    struct copy copy;
    /* A counterpart for each operation of the entry that is built. */
    char paths[OPS_MAX][MODEL_PATH_MAX];
    uint8_t data[OPS_MAX][MODEL_DATA_MAX];
    uint8_t tokens[OPS_MAX][ENTRY_TOKEN_SIZE];
};

/* ---- Random entries ---------------------------------------------------------------------- */

/* A quota of some path, or what is beside it. */
static void random_quota_path (struct run *run, char *out)
{
    static const char *const targets[] = {"", "/a", "/b", "/a/b", "/a/a0000000000"};
    static const char *const names[] = {"/zookeeper_limits", "/zookeeper_limits",
                                        "/zookeeper_stats", ""};
    struct prng *prng = &run->prng;
    snprintf (out, MODEL_PATH_MAX, "/zookeeper/quota%s%s", targets[prng_below (prng, 5)],
              names[prng_below (prng, 4)]);
}

/* Limits that a few znodes reach; now and then none at all. */
static uint32_t random_limits (struct run *run, uint8_t data[MODEL_DATA_MAX])
{
    static const char *const names[] = {"count", "bytes", "countHardLimit", "byteHardLimit"};
    struct prng *prng = &run->prng;
    char *text = (char *) data;
    size_t used = 0;
    for (int i = 0; i < 4; i++) {
        if (prng_chance (prng, 1, 2) && used < 36) {
            int most = i % 2 == 0 ? 12 : 60;
            used += (size_t) snprintf (text + used, MODEL_DATA_MAX - used, "%s%s=%d",
                                       used > 0 ? "," : "", names[i],
                                       (int) prng_below (prng, (uint64_t) most) - 1);
        }
    }
    if (prng_chance (prng, 1, 20)) {
        used = (size_t) snprintf (text, MODEL_DATA_MAX, "acount=1");
    }
    return (uint32_t) used;
}

static void random_path (struct run *run, char *out)
{
    static const char *const names[] = {"a", "b", "c", "a0000000000", "b0000000001", "-"};
    static const char *const bad[] = {"", "a", "//", "/a/", "/a//b", "/.", "/a/..", "/a/./b"};
    struct prng *prng = &run->prng;
    if (prng_chance (prng, 1, 60)) {
        snprintf (out, MODEL_PATH_MAX, "%s", bad[prng_below (prng, 8)]);
        return;
    }
    if (prng_chance (prng, 1, 12)) {
        random_quota_path (run, out);
        return;
    }
    if (prng_chance (prng, 1, 2)) {
        /* One that is there. */
        size_t at = prng_below (prng, run->model->nodes.count);
        snprintf (out, MODEL_PATH_MAX, "%s", run->model->nodes.items[at].path);
        return;
    }
    size_t used = 0;
    for (uint64_t depth = prng_between (prng, 1, 3); depth > 0; depth--) {
        used += (size_t) snprintf (out + used, MODEL_PATH_MAX - used, "/%s",
                                   names[prng_below (prng, 6)]);
    }
}

static uint64_t random_session (struct run *run)
{
    struct model *model = run->model;
    if (model->sessions_count == 0 || prng_chance (&run->prng, 1, 40)) {
        return prng_between (&run->prng, 0, model->last_session + 1);
    }
    return model->sessions[prng_below (&run->prng, model->sessions_count)].id;
}

/* Mostly with the consent of a session that lives. */
static void random_hand_over (struct run *run, uint64_t from, struct op *op, unsigned slot)
{
    op->kind = OP_HAND_OVER;
    op->session = random_session (run);
    op->token = run->tokens[slot];
    const struct model_session *to = model_session (run->model, op->session);
    if (to != NULL) {
        hand_over_token (from, to->id, to->password_hash, run->tokens[slot]);
        run->tokens[slot][0] ^= prng_chance (&run->prng, 1, 20);
    }
}

static void random_op (struct run *run, uint64_t session, struct op *op, unsigned slot)
{
    struct prng *prng = &run->prng;
    *op = (struct op){.path = run->paths[slot], .data = run->data[slot], .version = -1};
    random_path (run, run->paths[slot]);
    struct model_node *node = model_node (&run->model->nodes, run->paths[slot]);
    for (size_t i = 0; i < MODEL_DATA_MAX; i++) {
        run->data[slot][i] = (uint8_t) prng_u64 (prng);
    }
    op->data_size = (uint32_t) prng_below (prng, prng_chance (prng, 1, 4) ? MODEL_DATA_MAX : 12);
    if (prng_chance (prng, 1, 3)) {
        op->version = node != NULL && prng_chance (prng, 3, 4) ? node->stat.version
                                                               : (int32_t) prng_below (prng, 3);
    }
    if (prng_chance (prng, 1, 15)) {
        random_hand_over (run, session, op, slot);
        return;
    }
    switch (prng_below (prng, 15)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        op->kind = OP_CREATE;
        op->mode = (uint8_t) prng_below (prng, prng_chance (prng, 1, 3) ? 9 : 4);
        op->if_absent = prng_chance (prng, 1, 6);
        op->ttl_ms = prng_chance (prng, 1, 5) ? prng_between (prng, 1, 400) : 0;
        if (prng_chance (prng, 1, 6)) {
            op->data_size = (uint32_t) snprintf ((char *) run->data[slot], MODEL_DATA_MAX, "%lld",
                                                 (long long) prng_u64 (prng));
        }
        if ((op->mode & COHORT_SEQUENTIAL) != 0 && prng_chance (prng, 1, 3)) {
            snprintf (run->paths[slot] + strlen (run->paths[slot]), 2, "/");
        }
        break;
    case 5:
    case 6:
    case 7:
        op->kind = OP_DELETE;
        break;
    case 8:
    case 9:
        op->kind = OP_SET;
        break;
    case 10:
        op->kind = OP_CHECK_VERSION;
        break;
    case 11:
        op->kind = OP_CHECK_ABSENT;
        break;
    case 12:
        op->kind = OP_DELETE_TREE;
        op->limit = (uint32_t) prng_below (prng, 4);
        break;
    case 13:
        op->kind = OP_ADD;
        op->delta = prng_chance (prng, 1, 6) ? (int64_t) prng_u64 (prng)
                                             : (int64_t) prng_below (prng, 20) - 10;
        op->floor = prng_chance (prng, 1, 2) ? -5 : INT64_MIN;
        op->ceiling = prng_chance (prng, 1, 2) ? 100 : INT64_MAX;
        break;
    default:
        op->kind = prng_chance (prng, 1, 2) ? OP_CHECK_CZXID : OP_CHECK_OWNER;
        op->czxid = node != NULL ? node->stat.czxid : 1;
        op->session = node != NULL ? node->stat.ephemeral_owner : 1;
        op->ozxid = node != NULL ? node->stat.ozxid + prng_below (prng, 2) : 1;
    }
    op->path_size = (uint32_t) strlen (op->path);
    if (quota_is_limits (op->path, op->path_size) && prng_chance (prng, 7, 8)) {
        op->data_size = random_limits (run, run->data[slot]);
    }
}

static void build_write (struct run *run)
{
    struct prng *prng = &run->prng;
    struct entry entry = {.kind = ENTRY_WRITE};
    struct entry_write *write = &entry.u.write;
    write->session = random_session (run);
    struct model_session *session = model_session (run->model, write->session);
    write->incarnation = session != NULL ? session->incarnation : 1;
    uint64_t last = session != NULL ? session->last : 0;
    write->number = last + 1;
    write->ack_to = last;
    if (prng_chance (prng, 1, 3)) {
        write->ack_to = prng_between (prng, last > 3 ? last - 3 : 0, last + 1);
    }
    if (prng_chance (prng, 1, 10)) {
        write->ack_to = 0;
    }
    if (prng_chance (prng, 1, 10)) {
        write->number = prng_between (prng, last > 5 ? last - 5 : 0, last + 3);
    }
    if (prng_chance (prng, 1, 30)) {
        write->incarnation += (uint32_t) prng_below (prng, 3) - 1;
    }
    write->multi = prng_chance (prng, 1, 3);
    write->count = write->multi ? (uint32_t) prng_below (prng, OPS_MAX) : 1;
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
    for (unsigned i = 0; i < write->count; i++) {
        struct op op;
        random_op (run, write->session, &op, i);
        if (!write->multi && prng_chance (prng, 1, 40)) {
            op.kind = prng_chance (prng, 1, 3) ? OP_CLOSE_SESSION : OP_REJECT;
            op.code = COHORT_EQUOTA;
        }
        op_encode (&run->f.entry, &op);
    }
}

static void build_session (struct run *run)
{
    struct prng *prng = &run->prng;
    struct entry entry = {.kind = ENTRY_CREATE_SESSION};
    struct entry_create_session *create = &entry.u.create_session;
    uint64_t name = prng_below (prng, 8);
    fixture_nonce (create->nonce, name);
    fixture_password (create->password_hash, name + (prng_chance (prng, 1, 20) ? 1 : 0));
    create->timeout_ms = (uint32_t) prng_below (prng, 200000);
    create->grace_ms = (uint32_t) prng_below (prng, 4) * 100;
    create->attach_no = prng_below (prng, 4);
    create->server = (uint32_t) prng_between (prng, 1, 2);
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
}

static void build_attach (struct run *run)
{
    struct prng *prng = &run->prng;
    struct entry entry = {.kind = ENTRY_ATTACH};
    struct entry_attach *attach = &entry.u.attach;
    attach->session = random_session (run);
    struct model_session *session = model_session (run->model, attach->session);
    attach->incarnation = 1;
    attach->attach_no = 1;
    if (session != NULL) {
        memcpy (attach->password_hash, session->password_hash, ENTRY_PASSWORD_HASH);
        attach->password_hash[prng_below (prng, ENTRY_PASSWORD_HASH)] ^=
            prng_chance (prng, 1, 20) ? 1 : 0;
        attach->incarnation = session->incarnation + (uint32_t) prng_below (prng, 8) / 6 *
                                                         (1 + (uint32_t) prng_below (prng, 3));
        attach->attach_no = session->attach_no + prng_below (prng, 3);
        if (attach->attach_no > 0 && prng_chance (prng, 1, 10)) {
            attach->attach_no--;
        }
        memcpy (attach->nonce, session->process, 16);
    }
    if (prng_chance (prng, 1, 5)) {
        fixture_nonce (attach->nonce, prng_below (prng, 4));
    }
    attach->server = (uint32_t) prng_between (prng, 1, 2);
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
}

static void build_other (struct run *run)
{
    struct prng *prng = &run->prng;
    struct entry entry;
    uint64_t id = random_session (run);
    struct model_session *session = model_session (run->model, id);
    switch (prng_below (prng, 8)) {
    case 0:
        fixture_cluster (&entry, &fixture_limits);
        break;
    case 1:
        entry = (struct entry){.kind = ENTRY_MEMBER_STORE};
        entry.u.member_store.id = (uint32_t) prng_between (prng, 1, 3);
        entry.u.member_store.old_store_id = run->model->stores[prng_below (prng, 2)];
        entry.u.member_store.new_store_id = prng_below (prng, 100);
        break;
    case 2:
        entry = (struct entry){.kind = ENTRY_REAP, .u.reap.session = id};
        break;
    default:
        entry = (struct entry){.kind = ENTRY_CLOSE};
        entry.u.close.session = id;
        entry.u.close.attach_no = session != NULL ? session->attach_no : 1;
        entry.u.close.attach_no += prng_chance (prng, 1, 3);
        entry.u.close.incarnation = session != NULL && prng_chance (prng, 2, 3)
                                        ? session->incarnation + (uint32_t) prng_below (prng, 5) / 4
                                        : 0;
        entry.u.close.reason = (enum entry_close_reason) prng_between (prng, 1, 3);
    }
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
}

/* What the tree itself says is due; or any path at all. */
static void build_lapse (struct run *run)
{
    struct prng *prng = &run->prng;
    struct buf items = {0};
    struct entry entry = {.kind = ENTRY_LAPSE};
    if (prng_chance (prng, 2, 3)) {
        entry.u.lapse.count =
            tree_lapses (run->f.tree, run->f.stamp_ms + (int64_t) prng_below (prng, 2000), &items);
    } else {
        char path[MODEL_PATH_MAX];
        random_path (run, path);
        const struct model_node *node = model_node (&run->model->nodes, path);
        lapse_encode (&items, path, strlen (path), node != NULL ? node->stat.czxid : 1);
        entry.u.lapse.count = 1;
    }
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
    buf_append (&run->f.entry, items.data, items.size);
    buf_deinit (&items);
}

static void build_entry (struct run *run)
{
    uint64_t kind = prng_below (&run->prng, 100);
    if (run->model->sessions_count == 0 || kind < 4) {
        build_session (run);
    } else if (kind < 8) {
        build_attach (run);
    } else if (kind < 12) {
        build_other (run);
    } else if (kind < 16) {
        build_lapse (run);
    } else {
        build_write (run);
    }
}

/* ---- Comparing --------------------------------------------------------------------------- */

static void compare_outcome (const struct tree_outcome *is, const struct model_outcome *should)
{
    assert_int_equal (is->code, should->code);
    assert_int_equal (is->executed, should->executed);
    assert_int_equal (is->session_closed, should->closed);
    assert_int_equal (is->session_gone, should->gone);
    assert_int_equal (is->config_changed, should->config_changed);
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

struct comparison {
    const struct model_nodes *nodes;
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
    return true;
}

static void compare_nodes (const struct tree *tree, const struct model_nodes *nodes)
{
    struct comparison comparison = {nodes, 0};
    assert_int_equal (tree_walk (tree, "/", 1, NULL, compare_node, &comparison), 0);
    assert_int_equal (comparison.at, nodes->count);
    assert_int_equal (tree_node_count (tree), nodes->count);
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
    if (effect->kind != EFFECT_DATA) {
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
    build_entry (run);
    fixture_apply (&run->f);
    struct entry entry;
    assert_true (entry_decode (&entry, run->f.entry.data, run->f.entry.size));
    struct model_outcome outcome;
    model_apply (run->model, run->f.zxid, run->f.stamp_ms, &entry, &outcome);
    compare_outcome (&run->f.outcome, &outcome);
    compare_nodes (run->f.tree, &run->model->nodes);
    compare_sessions (run);
    assert_int_equal (tree_effects (run->f.tree, run->f.zxid - 1, run->f.zxid, mirror_effect, run),
                      0);
    compare_nodes (run->f.tree, run->mirror);
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
