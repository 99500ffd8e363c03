/* Any sequence of entries, applied: raw bytes, and entries made of them, from sessions that race,
 * lie and end. Two trees with different seeds of their tables must agree in everything, every
 * invariant must hold, and a snapshot taken in slices in between must be the state that it began
 * with.
 *
 * Input: operations, one behind the other; see step. */

#include <string.h>

#include "client/base/hand_over.h"
#include "server/tree/quota.h"
#include "server/tree/result.h"
#include "server/tree/tree.h"
#include "server/tree/watch.h"
#include "tests/fuzz/fuzz.h"

enum { SESSIONS = 6, STEPS_MAX = 400, CHECK_EVERY = 16, SLICE_MAX = 300, TREES = 2 };

struct run {
    struct reader input;
    struct tree *trees[TREES];
    zxid_t zxid;
    struct buf entry;
    struct tree_outcome outcomes[TREES];
    struct tree_snapshot *snapshot; /* of the first tree; NULL: none */
    uint64_t snapshot_digest;
    struct buf image;
    char path[256]; /* of the newest operation */
    uint32_t path_size;
};

static const struct entry_limits limits = {
    .data_size_max = 40,
    .path_size_max = 48,
    .window = 4,
    .results_size_max = 600,
    .timeout_min_ms = 100,
    .timeout_max_ms = 10000,
    .grace_min_ms = 10,
};

/* ---- Entries --------------------------------------------------------------------------------- */

/* A quota, what is beside it, or above. */
static void choose_quota (struct run *self)
{
    static const char *const targets[] = {"", "/a", "/a/b", "/b"};
    static const char *const names[] = {"", "/zookeeper_limits", "/zookeeper_limits",
                                        "/zookeeper_stats"};
    const char *parts[] = {"/zookeeper/quota", targets[fuzz_below (&self->input, 4)],
                           names[fuzz_below (&self->input, 4)]};
    self->path_size = 0;
    for (size_t i = 0; i < 3; i++) {
        memcpy (self->path + self->path_size, parts[i], strlen (parts[i]));
        self->path_size += (uint32_t) strlen (parts[i]);
    }
}

static void choose_path (struct run *self)
{
    static const char *const names[] = {"a", "b", "c", "n-", "\xc3\xa4", "longer-than-the-others"};
    self->path_size = 0;
    if (fuzz_one_in (&self->input, 20)) {
        size_t size;
        const uint8_t *bytes = fuzz_bytes (&self->input, sizeof (self->path), &size);
        memcpy (self->path, bytes, size);
        self->path_size = (uint32_t) size;
        return;
    }
    if (fuzz_one_in (&self->input, 8)) {
        choose_quota (self);
        return;
    }
    uint32_t depth = fuzz_below (&self->input, 4);
    for (uint32_t i = 0; i < depth; i++) {
        const char *name = names[fuzz_below (&self->input, 6)];
        self->path[self->path_size++] = '/';
        memcpy (self->path + self->path_size, name, strlen (name));
        self->path_size += (uint32_t) strlen (name);
    }
    if (depth == 0 || fuzz_one_in (&self->input, 10)) {
        self->path[self->path_size++] = '/';
    }
}

static void put_operation (struct run *self, uint64_t session, bool alone)
{
    static const enum op_kind kinds[] = {OP_CREATE,      OP_DELETE,      OP_DELETE_IF_PRESENT,
                                         OP_SET,         OP_ADD,         OP_CHECK_VERSION,
                                         OP_CHECK_CZXID, OP_CHECK_OWNER, OP_CHECK_ABSENT,
                                         OP_DELETE_TREE, OP_HAND_OVER,   OP_CLOSE_SESSION,
                                         OP_REJECT};
    enum { ALL = sizeof (kinds) / sizeof (kinds[0]), IN_MULTI = ALL - 2 };
    struct op op = {.kind = kinds[fuzz_below (&self->input, alone ? ALL : IN_MULTI)]};
    if (op.kind == OP_CLOSE_SESSION && !fuzz_one_in (&self->input, 4)) {
        op.kind = OP_CREATE; /* or no session would live long */
    }
    choose_path (self);
    op.path = self->path;
    op.path_size = self->path_size;
    size_t data_size;
    op.data = fuzz_bytes (&self->input, 50, &data_size);
    op.data_size = (uint32_t) data_size;
    if (quota_is_limits (op.path, op.path_size) && !fuzz_one_in (&self->input, 4)) {
        static const char *const limits_of[] = {"count=2", "countHardLimit=3", "byteHardLimit=20",
                                                "bytes=9,countHardLimit=6"};
        op.data = (const uint8_t *) limits_of[fuzz_below (&self->input, 4)];
        op.data_size = (uint32_t) strlen ((const char *) op.data);
    }
    op.mode = (uint8_t) fuzz_below (&self->input, fuzz_one_in (&self->input, 30) ? 256 : 7);
    op.if_absent = fuzz_one_in (&self->input, 4);
    op.ttl_ms = fuzz_one_in (&self->input, 4) ? fuzz_number (&self->input) : 0;
    op.limit = fuzz_below (&self->input, 6);
    if (op.kind == OP_ADD) {
        op.delta = (int64_t) fuzz_number (&self->input);
        op.floor = fuzz_one_in (&self->input, 2) ? 0 : INT64_MIN;
        op.ceiling = fuzz_one_in (&self->input, 2) ? 9 : INT64_MAX;
    }
    op.version = (int32_t) fuzz_below (&self->input, 5) - 1;
    op.czxid = fuzz_number (&self->input);
    op.session = fuzz_below (&self->input, SESSIONS);
    op.ozxid = op.czxid;
    op.code = -(int32_t) fuzz_below (&self->input, 200);
    uint8_t token[ENTRY_TOKEN_SIZE] = {0};
    if (op.kind == OP_HAND_OVER && !fuzz_one_in (&self->input, 10)) {
        const uint8_t hash[ENTRY_PASSWORD_HASH] = {[3] = fuzz_one_in (&self->input, 10) ? 1 : 0};
        hand_over_token (session, op.session, hash, token);
    }
    op.token = token;
    op_encode (&self->entry, &op);
}

static void put_write (struct run *self)
{
    struct entry entry = {.kind = ENTRY_WRITE};
    struct entry_write *write = &entry.u.write;
    struct tree_session session = {.incarnation = 1};
    write->session = fuzz_below (&self->input, SESSIONS);
    (void) tree_session (self->trees[0], write->session, &session);
    write->incarnation = session.incarnation + fuzz_one_in (&self->input, 30);
    write->number = session.last_number + 1;
    if (fuzz_one_in (&self->input, 10)) {
        write->number = fuzz_number (&self->input);
    }
    write->ack_to =
        fuzz_one_in (&self->input, 4) ? fuzz_number (&self->input) : session.last_number;
    write->multi = fuzz_one_in (&self->input, 3);
    write->count = write->multi ? fuzz_below (&self->input, 6) : 1;
    entry_encode (&self->entry, &entry);
    for (uint32_t i = 0; i < write->count; i++) {
        put_operation (self, write->session, !write->multi);
    }
}

static void put_session_entry (struct run *self, enum entry_kind kind)
{
    struct entry entry = {.kind = kind};
    uint8_t name = (uint8_t) fuzz_below (&self->input, SESSIONS);
    uint8_t password = fuzz_one_in (&self->input, 10) ? 1 : 0;
    if (kind == ENTRY_CREATE_SESSION) {
        struct entry_create_session *create = &entry.u.create_session;
        create->nonce[0] = name;
        create->password_hash[3] = password;
        create->timeout_ms = (uint32_t) fuzz_number (&self->input);
        create->grace_ms = (uint32_t) fuzz_number (&self->input);
        create->server = fuzz_below (&self->input, 3);
        create->attach_no = fuzz_below (&self->input, 4);
    } else if (kind == ENTRY_ATTACH) {
        struct entry_attach *attach = &entry.u.attach;
        attach->session = name;
        attach->password_hash[3] = password;
        attach->attach_no = fuzz_number (&self->input);
        attach->incarnation = (uint32_t) fuzz_number (&self->input);
        attach->nonce[0] = (uint8_t) fuzz_below (&self->input, 3);
        attach->server = fuzz_below (&self->input, 3);
    } else if (kind == ENTRY_CLOSE) {
        entry.u.close.session = name;
        entry.u.close.attach_no = fuzz_number (&self->input);
        entry.u.close.incarnation = fuzz_below (&self->input, 3);
        entry.u.close.reason =
            (enum entry_close_reason) (ENTRY_EXPIRED + fuzz_below (&self->input, 3));
    } else {
        entry.u.reap.session = name;
    }
    entry_encode (&self->entry, &entry);
}

/* Those that one of the trees has waiting, due or not; and now and then one that it has not. */
static void put_lapse (struct run *self)
{
    struct entry entry = {.kind = ENTRY_LAPSE};
    struct buf items = {0};
    int64_t now_ms =
        fuzz_one_in (&self->input, 2) ? INT64_MAX : (int64_t) fuzz_number (&self->input);
    entry.u.lapse.count = tree_lapses (self->trees[0], now_ms, &items);
    if (entry.u.lapse.count == 0 || fuzz_one_in (&self->input, 8)) {
        choose_path (self);
        lapse_encode (&items, self->path, self->path_size, fuzz_number (&self->input));
        entry.u.lapse.count++;
    }
    entry_encode (&self->entry, &entry);
    buf_append (&self->entry, items.data, items.size);
    buf_deinit (&items);
}

static void put_cluster (struct run *self)
{
    struct entry entry = {.kind = ENTRY_CLUSTER};
    entry.u.cluster.config.count = 2;
    entry.u.cluster.config.members[0] = (struct config_member){1, CONFIG_VOTER, 11};
    entry.u.cluster.config.members[1] = (struct config_member){2, CONFIG_OBSERVER, 22};
    entry.u.cluster.limits = limits;
    entry_encode (&self->entry, &entry);
}

static void put_member_store (struct run *self)
{
    struct entry entry = {.kind = ENTRY_MEMBER_STORE};
    entry.u.member_store.id = fuzz_below (&self->input, 4);
    entry.u.member_store.old_store_id = 11 * (uint64_t) fuzz_below (&self->input, 4);
    entry.u.member_store.new_store_id = fuzz_number (&self->input);
    entry_encode (&self->entry, &entry);
}

/* ---- Applying -------------------------------------------------------------------------------- */

static bool append_effect (void *arg, const struct effect *effect)
{
    struct buf *out = arg;
    buf_u64 (out, effect->zxid);
    buf_u8 (out, (uint8_t) effect->kind);
    COHORT_ASSERT (effect->path[effect->path_size] == '\0');
    buf_blob (out, effect->path, effect->path_size);
    buf_blob (out, effect->data, effect->data_size);
    result_stat_encode (out, &effect->stat);
    return true;
}

/* What the entry did, all of it. */
static void describe (const struct tree *tree, const struct tree_outcome *outcome, struct buf *out)
{
    buf_u8 (out, (uint8_t) outcome->kind);
    buf_i32 (out, outcome->code);
    buf_u64 (out, outcome->session);
    buf_u64 (out, outcome->number);
    buf_u64 (out, outcome->expected);
    buf_u8 (out, (uint8_t) (outcome->executed | outcome->session_closed << 1 |
                            outcome->session_gone << 2 | outcome->config_changed << 3));
    buf_u64 (out, outcome->effects);
    buf_blob (out, outcome->result, outcome->result != NULL ? outcome->result_size : 0);
    size_t before = out->size;
    zxid_t zxid = tree_zxid (tree);
    COHORT_ASSERT (tree_effects (tree, zxid - 1, zxid, append_effect, out) == 0);
    COHORT_ASSERT ((out->size > before) == (outcome->effects > 0));
    buf_u64 (out, tree_digest (tree));
}

static void check_outcome (const struct tree_outcome *outcome)
{
    struct result result;
    COHORT_ASSERT (outcome->code <= 0);
    COHORT_ASSERT (outcome->executed || outcome->effects == 0 || outcome->kind != ENTRY_WRITE);
    if (outcome->result != NULL) {
        COHORT_ASSERT (result_decode (&result, outcome->result, outcome->result_size));
        COHORT_ASSERT (result.code == outcome->code);
    }
}

static void apply (struct run *self)
{
    struct buf seen[TREES] = {{0}};
    bool applied[TREES];
    uint64_t digest = tree_digest (self->trees[0]);
    COHORT_ASSERT (!self->entry.failed);
    self->zxid += 1 + fuzz_one_in (&self->input, 50) * (UINT64_C (1) << 40);
    int64_t stamp_ms = (int64_t) fuzz_number (&self->input);
    for (size_t i = 0; i < TREES; i++) {
        applied[i] = tree_apply (self->trees[i], self->zxid, stamp_ms, self->entry.data,
                                 self->entry.size, &self->outcomes[i]);
        if (applied[i]) {
            check_outcome (&self->outcomes[i]);
            describe (self->trees[i], &self->outcomes[i], &seen[i]);
        }
    }
    COHORT_ASSERT (applied[0] == applied[1]);
    COHORT_ASSERT (applied[0] || tree_digest (self->trees[0]) == digest);
    COHORT_ASSERT (seen[0].size == seen[1].size);
    COHORT_ASSERT (!applied[0] || memcmp (seen[0].data, seen[1].data, seen[0].size) == 0);
    buf_deinit (&seen[0]);
    buf_deinit (&seen[1]);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool append_node (void *arg, const struct tree_node *node)
{
    struct buf *out = arg;
    buf_string (out, node->path);
    buf_blob (out, node->data, node->data_size);
    result_stat_encode (out, &node->stat);
    return true;
}

/* Whatever is asked for, both trees answer alike. */
static void read_something (struct run *self)
{
    struct buf walks[TREES] = {{0}};
    int codes[TREES][3];
    choose_path (self);
    zxid_t seen = fuzz_number (&self->input);
    for (size_t i = 0; i < TREES; i++) {
        struct tree_node node;
        zxid_t zxid = 0;
        uint64_t looks = UINT64_MAX;
        const struct tree *tree = self->trees[i];
        codes[i][0] = tree_get (tree, self->path, self->path_size, &node);
        codes[i][1] = tree_walk (tree, self->path, self->path_size, NULL, append_node, &walks[i]);
        codes[i][2] = self->path_size > 0 && self->path[0] == '/'
                          ? watch_missed (tree, WATCH_EXISTS, self->path, self->path_size, seen,
                                          &looks, &zxid)
                          : 0;
    }
    COHORT_ASSERT (memcmp (codes[0], codes[1], sizeof (codes[0])) == 0);
    COHORT_ASSERT (codes[0][0] <= 0);
    COHORT_ASSERT (walks[0].size == walks[1].size);
    COHORT_ASSERT (walks[0].size == 0 || memcmp (walks[0].data, walks[1].data, walks[0].size) == 0);
    buf_deinit (&walks[0]);
    buf_deinit (&walks[1]);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

/* Loads the image, in pieces of a size that the input chooses. */
static void load_image (struct run *self)
{
    struct tree_options options = {.hash_seed = 3};
    struct tree_loader *loader = tree_loader_new (&options);
    size_t piece = 1 + fuzz_below (&self->input, 200);
    COHORT_ASSERT (loader != NULL);
    for (size_t at = 0; at < self->image.size; at += piece) {
        size_t left = self->image.size - at;
        COHORT_ASSERT (
            tree_loader_feed (loader, self->image.data + at, piece < left ? piece : left));
    }
    struct tree *tree = tree_loader_finish (&loader);
    COHORT_ASSERT (tree != NULL);
    tree_check (tree);
    COHORT_ASSERT (tree_digest (tree) == self->snapshot_digest);
    tree_destroy (&tree);
}

static void step_snapshot (struct run *self)
{
    if (self->snapshot == NULL) {
        self->snapshot = tree_snapshot_begin (self->trees[0]);
        COHORT_ASSERT (self->snapshot != NULL);
        self->snapshot_digest = tree_digest (self->trees[0]);
        buf_clear (&self->image);
        return;
    }
    if (!tree_snapshot_next (self->snapshot, &self->image,
                             1 + fuzz_below (&self->input, SLICE_MAX))) {
        COHORT_ASSERT (!self->image.failed);
        tree_snapshot_end (&self->snapshot);
        load_image (self);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void step (struct run *self)
{
    uint32_t what = fuzz_below (&self->input, 32);
    buf_clear (&self->entry);
    if (what == 0) {
        step_snapshot (self);
        return;
    }
    if (what == 1) {
        read_something (self);
        return;
    }
    if (what == 2) {
        size_t size;
        const uint8_t *bytes = fuzz_bytes (&self->input, 200, &size);
        buf_append (&self->entry, bytes, size);
    } else if (what == 3) {
        put_cluster (self);
    } else if (what == 4) {
        put_member_store (self);
    } else if (what < 7) {
        put_session_entry (self, ENTRY_CREATE_SESSION);
    } else if (what == 7) {
        put_lapse (self);
    } else if (what < 11) {
        put_session_entry (self, (enum entry_kind) (ENTRY_ATTACH + fuzz_below (&self->input, 3)));
    } else {
        put_write (self);
    }
    apply (self);
}

static void check_trees (const struct run *self)
{
    tree_check (self->trees[0]);
    tree_check (self->trees[1]);
    COHORT_ASSERT (tree_digest (self->trees[0]) == tree_digest (self->trees[1]));
    COHORT_ASSERT (tree_node_count (self->trees[0]) == tree_node_count (self->trees[1]));
}

static void one (const uint8_t *data, size_t size)
{
    struct run run = {0};
    reader_init (&run.input, data, size);
    for (size_t i = 0; i < TREES; i++) {
        struct tree_options options = {.effects_bytes_max = 20000, .hash_seed = i};
        run.trees[i] = tree_new (&options);
        COHORT_ASSERT (run.trees[i] != NULL);
    }
    if (!fuzz_one_in (&run.input, 16)) {
        put_cluster (&run);
        apply (&run);
    }
    for (int i = 1; i <= STEPS_MAX && reader_left (&run.input) > 0; i++) {
        step (&run);
        if (i % CHECK_EVERY == 0) {
            check_trees (&run);
        }
    }
    check_trees (&run);
    for (int i = 0; run.snapshot != NULL; i++) {
        COHORT_ASSERT (i < 10000);
        step_snapshot (&run);
    }
    tree_destroy (&run.trees[0]);
    tree_destroy (&run.trees[1]);
    buf_deinit (&run.entry);
    buf_deinit (&run.image);
}

/* Sequences that are worth more than chance. */
static void seeds (fuzz_seed_fn *add, void *arg)
{
    struct buf out = {0};
    buf_u8 (&out, 0);
    /* Sessions, then writes of all kinds, with a snapshot among them. */
    for (uint32_t i = 0; i < 60; i++) {
        static const uint8_t kinds[] = {5, 12, 13, 0, 14, 1, 15, 16, 8, 0};
        buf_u8 (&out, kinds[i % sizeof (kinds)]);
        for (uint32_t j = 0; j < 14; j++) {
            buf_u8 (&out, (uint8_t) ((i * 7 + j * 3) % 5));
        }
    }
    add (arg, "all-kinds", out.data, out.size);
    buf_clear (&out);
    for (uint32_t i = 0; i < 1200; i++) {
        buf_u8 (&out, (uint8_t) (i * i * 31 + i * 17 + 5));
    }
    add (arg, "mixed", out.data, out.size);
    buf_deinit (&out);
}

const struct fuzz_target fuzz_target = {
    .name = "apply",
    .size_max = 4096,
    .one = one,
    .seeds = seeds,
};
