/* The model of histories against server/tree: whatever happens, both make the same of it. */

#include <stdio.h>

#include "server/node/identity_text.h"
#include "tests/unit/history/pair.h"

enum { SEEDS = 40, ENTRIES = 400, LOOK_EVERY = 20 };

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
        entry.u.attach.password_hash[0] ^= prng_chance (&self->prng, 1, 4); /* a wrong one */
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

/* To one that there is, or was, or never; with its token, or another. */
static struct op some_hand_over (struct pair *self, size_t session, uint8_t token[ENTRY_TOKEN_SIZE])
{
    size_t to = prng_below (&self->prng, self->sessions_count + 1);
    bool wrong = prng_chance (&self->prng, 1, 6);
    return pair_hand_over (self, session, to, to + 1 + (wrong ? 0 : 1000), token);
}

static void write_some (struct pair *self, size_t session)
{
    char paths[4][64];
    uint8_t token[ENTRY_TOKEN_SIZE];
    struct op ops[4];
    uint32_t count = 1 + (uint32_t) prng_below (&self->prng, 4);
    struct entry_write write = {.session = self->sessions[session], .incarnation = 1};
    for (uint32_t i = 0; i < count; i++) {
        ops[i] = some_op (self, paths[i], &self->lists[i]);
    }
    write.multi = count > 1 || prng_chance (&self->prng, 1, 4);
    if (write.multi && prng_chance (&self->prng, 1, 8)) {
        ops[prng_below (&self->prng, count)] = some_hand_over (self, session, token);
    }
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

static void hand_over_some (struct pair *self, size_t session)
{
    uint8_t token[ENTRY_TOKEN_SIZE];
    struct op op = some_hand_over (self, session, token);
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
    struct pair self;
    pair_begin (&self, 1);
    prng_seed (&self.prng, seed);
    for (size_t i = 0; i < ENTRIES; i++) {
        zxid_t before = self.tree.zxid;
        happen (&self);
        if (self.tree.zxid != before) {
            pair_follow (&self);
        }
        if (i % LOOK_EVERY == 0) {
            pair_compare (&self);
        }
    }
    pair_compare (&self);
    pair_end (&self);
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
    struct pair self;
    (void) state;
    pair_begin (&self, 1);
    for (int i = 0; i < 700; i++) {
        fixture_create (&self.tree, self.sessions[0], "/e", "",
                        COHORT_EPHEMERAL | COHORT_SEQUENTIAL);
        pair_follow (&self);
    }
    fixture_close (&self.tree, self.sessions[0], 1, 1, ENTRY_EXPIRED);
    pair_follow (&self);
    pair_compare (&self);
    assert_int_equal (tree_node_count (self.tree.tree), 200 + FIXTURE_FOUNDED);
    fixture_reap (&self.tree, self.sessions[0]);
    pair_follow (&self);
    pair_compare (&self);
    assert_int_equal (tree_node_count (self.tree.tree), FIXTURE_FOUNDED);
    pair_end (&self);
}

/* What was stays what it was. */
static void test_the_past (void **state)
{
    struct pair self;
    (void) state;
    pair_begin (&self, 1);
    uint64_t session = self.sessions[0];
    zxid_t start = self.tree.zxid;
    assert_int_equal (fixture_create (&self.tree, session, "/a", "x", 0), 0);
    pair_follow (&self);
    assert_int_equal (fixture_set (&self.tree, session, "/a", "y", 0), 0);
    pair_follow (&self);
    assert_int_equal (fixture_delete (&self.tree, session, "/a", 1), 0);
    pair_follow (&self);
    const struct model_znode *znode = model_find (&self.model, "/a");
    assert_null (model_at (znode, start));
    assert_string_equal (model_at (znode, start + 1)->value, "x");
    assert_string_equal (model_at (znode, start + 2)->value, "y");
    assert_null (model_at (znode, start + 3));
    assert_int_equal (model_at (self.model.root, start + 1)->stat.child_count, 2);
    assert_int_equal (model_at (self.model.root, start + 3)->stat.cversion, 3);
    pair_end (&self);
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
