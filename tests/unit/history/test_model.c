/* The model of histories against server/tree: the same log, the same results, states and changes.
 * The two share nothing, so what one of them gets wrong shows. */

#include <stdio.h>

#include "server/node/identity_text.h"
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
    zxid_t effects;      /* compared through here */
    struct buf lists[4]; /* of the operations of one write */
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
        assert_true (model_may (who, model_at (znode, self->tree.zxid), COHORT_PERM_READ) == reads);
        assert_true (model_sees (who, znode, self->tree.zxid) == sees);
    }
    return true;
}

static void compare_all (struct pair *self)
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

/* The servers' own, and quotas. */
static const char *some_system_path (struct pair *self, char path[64])
{
    static const char *const names[] = {"/zookeeper/quota/a",
                                        "/zookeeper/quota/a",
                                        "/zookeeper/quota/a/zookeeper_limits",
                                        "/zookeeper/quota/a/zookeeper_limits",
                                        "/zookeeper/quota/a/zookeeper_limits",
                                        "/zookeeper/quota/zookeeper_limits",
                                        "/zookeeper",
                                        "/zookeeper/config",
                                        "/zookeeper/quota",
                                        "/zookeeper/quota/a/zookeeper_stats",
                                        "/zookeeper/x"};
    snprintf (path, 64, "%s", names[prng_below (&self->prng, 11)]);
    return path;
}

static const char *some_limits (struct pair *self)
{
    static const char *const texts[] = {"countHardLimit=3",
                                        "byteHardLimit=4=",
                                        "count=1,bytes=-1=;byteHardLimit=2;countHardLimit=5",
                                        "count=1",
                                        "",
                                        "countHardLimit=-2",
                                        "limit=3",
                                        "countHardLimit="};
    return texts[prng_below (&self->prng, 8)];
}

/* ---- Who ------------------------------------------------------------------------------------- */

static const char *const users[] = {"u:h1", "v:h2", "w:h3"};

/* Of four clients, some of which have no address. */
static void some_origin (struct pair *self, struct buf *out)
{
    static const char *const addresses[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"};
    buf_clear (out);
    if (prng_chance (&self->prng, 4, 5)) {
        identity_put_origin (out, addresses[prng_below (&self->prng, 4)], NULL);
    }
}

static void add_digest (struct buf *out, const char *user, uint8_t perms)
{
    struct acl_item item = {
        .perms = perms,
        .identity = {IDENTITY_DIGEST, (const uint8_t *) user, (uint8_t) strlen (user)}};
    acl_item_encode (out, &item);
}

static void add_item (struct pair *self, struct buf *out)
{
    static const char *const ids[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "anyone", ""};
    static const char *const schemes[] = {"ip", "ip", "ip", "world", "auth"};
    size_t i = prng_below (&self->prng, 7);
    uint8_t perms = (uint8_t) (1 + prng_below (&self->prng, COHORT_PERM_ALL));
    if (i >= 5) {
        add_digest (out, users[i - 5], perms);
        return;
    }
    const struct identity_parts parts = {schemes[i], strlen (schemes[i]), ids[i], strlen (ids[i])};
    assert_null (acl_item_parse (out, perms, &parts));
}

/* Mostly one that lets somebody do a lot. */
static void some_list (struct pair *self, struct buf *out)
{
    buf_clear (out);
    for (size_t count = 1 + prng_below (&self->prng, 3); count > 0; count--) {
        add_item (self, out);
    }
}

static void some_admins (struct pair *self, struct buf *out)
{
    char error[128];
    size_t which = prng_below (&self->prng, 3);
    buf_clear (out);
    if (which < 2) {
        const char *ip = which == 0 ? "ip:10.0.0.1" : "ip:10.0.0.4";
        assert_true (admins_parse (out, ip, error, sizeof error));
    }
    if (which > 0) {
        add_digest (out, users[2], COHORT_PERM_ALL);
    }
}

/* A session of a client with an address. */
static void begin_session (struct pair *self)
{
    struct buf origin = {0};
    struct entry entry = {.kind = ENTRY_CREATE_SESSION};
    uint64_t name = self->sessions_count + 1;
    some_origin (self, &origin);
    entry.u.create_session = (struct entry_create_session){.timeout_ms = 10000,
                                                           .server = 1,
                                                           .attach_no = 1,
                                                           .origin = origin.data,
                                                           .origin_size = (uint32_t) origin.size};
    fixture_nonce (entry.u.create_session.nonce, name);
    fixture_password (entry.u.create_session.password_hash, name + 1000);
    fixture_entry (&self->tree, &entry);
    self->sessions[self->sessions_count++] = self->tree.outcome.session;
    buf_deinit (&origin);
}

static void attach_some (struct pair *self, size_t session)
{
    struct buf origin = {0};
    const struct session *found =
        session_find (&self->tree.tree->sessions, self->sessions[session]);
    struct entry entry = {.kind = ENTRY_ATTACH};
    some_origin (self, &origin);
    entry.u.attach = (struct entry_attach){.session = self->sessions[session],
                                           .attach_no = prng_below (&self->prng, 8),
                                           .incarnation = 1,
                                           .server = 2,
                                           .origin = origin.data,
                                           .origin_size = (uint32_t) origin.size};
    if (found != NULL) {
        memcpy (entry.u.attach.password_hash, found->password_hash, ENTRY_PASSWORD_HASH);
    }
    fixture_entry (&self->tree, &entry);
    buf_deinit (&origin);
}

/* By the leader, who does not look whether there are any. */
static void propose_admins (struct pair *self)
{
    struct buf list = {0};
    struct entry entry = {.kind = ENTRY_ADMINS};
    some_admins (self, &list);
    entry.u.admins = (struct entry_admins){list.data, (uint32_t) list.size};
    fixture_entry (&self->tree, &entry);
    buf_deinit (&list);
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

static struct op some_set_acl (struct pair *self, const char *path, struct buf *list)
{
    struct op op = {.kind = OP_SET_ACL,
                    .path = path,
                    .path_size = (uint32_t) strlen (path),
                    .version = (int32_t) prng_below (&self->prng, 3) - 1,
                    .inherited = prng_chance (&self->prng, 1, 4)};
    some_list (self, list);
    if (!op.inherited || prng_chance (&self->prng, 3, 4)) {
        op.acl = list->data;
        op.acl_size = (uint32_t) list->size;
    }
    return op;
}

static struct op some_op (struct pair *self, char path[64], struct buf *list)
{
    static const char *const values[] = {"", "x", "-3", "#odd", "-", "9223372036854775808", "+1"};
    const char *value = values[prng_below (&self->prng, 7)];
    int32_t version = (int32_t) prng_below (&self->prng, 4) - 1;
    some_path (self, path);
    if (prng_chance (&self->prng, 1, 3)) {
        some_system_path (self, path);
        value = prng_chance (&self->prng, 1, 6) ? value : some_limits (self);
    }
    switch (prng_below (&self->prng, 13)) {
    case 0:
    case 1:
    case 2:
        return some_create (self, path, value);
    case 9:
        return some_set_acl (self, path, list);
    case 10: {
        struct op op = some_create (self, path, value);
        some_list (self, list);
        op.acl = list->data;
        op.acl_size = (uint32_t) list->size;
        return op;
    }
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
        ops[i] = some_op (self, paths[i], &self->lists[i]);
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

static void write_alone (struct pair *self, size_t session, const struct op *op)
{
    struct entry_write write = {.session = self->sessions[session],
                                .incarnation = 1,
                                .number = self->numbers[session] + 1,
                                .ack_to = self->numbers[session],
                                .count = 1};
    fixture_write (&self->tree, &write, op);
    self->numbers[session] += self->tree.outcome.executed;
}

/* One that there is, or was, or never. */
static void kill_some (struct pair *self, size_t session)
{
    struct op op = {.kind = OP_KILL_SESSION, .session = prng_below (&self->prng, SESSIONS_MAX)};
    write_alone (self, session, &op);
}

/* To one that there is, or was, or never; with its token, or another. */
static void hand_over_some (struct pair *self, size_t session)
{
    uint8_t hash[HAND_OVER_HASH_SIZE], token[HAND_OVER_TOKEN_SIZE];
    size_t to = prng_below (&self->prng, self->sessions_count + 1);
    struct op op = {.kind = OP_HAND_OVER, .token = token};
    op.session = to < self->sessions_count ? self->sessions[to] : 77;
    fixture_password (hash, to + 1 + (prng_chance (&self->prng, 1, 6) ? 0 : 1000));
    hand_over_token (self->sessions[session], op.session, hash, token);
    write_alone (self, session, &op);
}

static void prove_some (struct pair *self, size_t session)
{
    struct buf bytes = {0};
    const char *user = users[prng_below (&self->prng, 3)];
    identity_encode (&bytes, &(struct identity){IDENTITY_DIGEST, (const uint8_t *) user,
                                                (uint8_t) strlen (user)});
    struct op op = {.kind = OP_ADD_AUTH, .data = bytes.data, .data_size = (uint32_t) bytes.size};
    write_alone (self, session, &op);
    buf_deinit (&bytes);
}

static void set_some_admins (struct pair *self, size_t session)
{
    struct buf list = {0};
    some_admins (self, &list);
    struct op op = {.kind = OP_SET_ADMINS, .acl = list.data, .acl_size = (uint32_t) list.size};
    write_alone (self, session, &op);
    buf_deinit (&list);
}

static void happen (struct pair *self)
{
    size_t session = prng_below (&self->prng, self->sessions_count);
    uint64_t dice = prng_below (&self->prng, 100);
    if (dice < 3 && self->sessions_count < SESSIONS_MAX) {
        begin_session (self);
    } else if (dice < 4) {
        fixture_create_session (&self->tree, session + 1, 1 + prng_below (&self->prng, 4), 2,
                                session + 1001);
    } else if (dice < 8) {
        attach_some (self, session);
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
    } else if (dice < 16) {
        hand_over_some (self, session);
    } else if (dice < 17) {
        prove_some (self, session);
    } else if (dice < 18 && prng_chance (&self->prng, 1, 4)) {
        set_some_admins (self, session);
    } else if (dice < 19 && prng_chance (&self->prng, 1, 4)) {
        propose_admins (self);
    } else if (dice < 24) {
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
    for (size_t i = 0; i < sizeof self.lists / sizeof self.lists[0]; i++) {
        buf_deinit (&self.lists[i]);
    }
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
