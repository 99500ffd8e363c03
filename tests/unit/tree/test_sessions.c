/* Sessions: creation exactly once, attaches in order, numbers exactly once, the window. */

#include "tests/unit/tree/fixture.h"

static struct tree_session session_of (const struct fixture *f, uint64_t id)
{
    struct tree_session session;
    assert_true (tree_session (f->tree, id, &session));
    return session;
}

/* ---- The ensemble ------------------------------------------------------------------------ */

static void test_cluster (void **state)
{
    (void) state;
    struct tree *tree = tree_new (NULL);
    assert_non_null (tree);
    assert_null (tree_cluster_id (tree));
    assert_null (tree_configs (tree));
    assert_null (tree_limits (tree));
    assert_int_equal (tree_level (tree), 0);
    /* Nothing but a founding entry may come first. */
    struct buf out = {0};
    struct entry entry = {.kind = ENTRY_REAP, .u.reap.session = 1};
    entry_encode (&out, &entry);
    struct tree_outcome outcome;
    uint64_t digest = tree_digest (tree);
    assert_false (tree_apply (tree, 5, 7, out.data, out.size, &outcome));
    assert_int_equal (tree_zxid (tree), 0);
    assert_int_equal (tree_digest (tree), digest);
    fixture_cluster (&entry, &fixture_limits);
    buf_clear (&out);
    entry_encode (&out, &entry);
    assert_false (tree_apply (tree, 5, 7, out.data, out.size - 1, &outcome));
    assert_int_equal (tree_zxid (tree), 0);
    assert_true (tree_apply (tree, 5, 7, out.data, out.size, &outcome));
    assert_int_equal (outcome.kind, ENTRY_CLUSTER);
    assert_true (outcome.config_changed);
    assert_memory_equal (tree_cluster_id (tree), "0123456789abcdef", 16);
    assert_int_equal (tree_level (tree), ENTRY_LEVEL);
    const struct config_set *configs = tree_configs (tree);
    assert_int_equal (configs->count, 1);
    assert_int_equal (configs->configs[0].version, 5);
    assert_int_equal (configs->configs[0].count, 2);
    assert_true (config_set_counts (configs, 1, 11));
    assert_memory_equal (tree_limits (tree), &fixture_limits, sizeof (fixture_limits));
    /* A second one changes nothing but the zxid. */
    assert_true (tree_apply (tree, 6, 8, out.data, out.size, &outcome));
    assert_int_equal (outcome.code, COHORT_ESTATE);
    assert_false (outcome.config_changed);
    assert_int_equal (tree_configs (tree)->configs[0].version, 5);
    /* The stamp never goes back. */
    assert_true (tree_apply (tree, 7, 3, out.data, out.size, &outcome));
    assert_int_equal (tree_stamp_ms (tree), 8);
    buf_deinit (&out);
    tree_destroy (&tree);
}

static void member_store (struct fixture *f, uint32_t id, uint64_t from, uint64_t to, int code)
{
    struct entry entry = {.kind = ENTRY_MEMBER_STORE};
    entry.u.member_store = (struct entry_member_store){id, from, to};
    zxid_t before = tree_configs (f->tree)->configs[0].version;
    fixture_entry (f, &entry);
    assert_int_equal (f->outcome.code, code);
    assert_int_equal (f->outcome.config_changed, code == 0);
    assert_int_equal (tree_configs (f->tree)->configs[0].version, code == 0 ? f->zxid : before);
}

static void test_member_store (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    member_store (&f, 1, 12, 13, COHORT_ESTATE);
    member_store (&f, 3, 11, 13, COHORT_ESTATE);
    member_store (&f, 1, 11, 13, 0);
    member_store (&f, 1, 11, 14, COHORT_ESTATE);
    assert_true (config_set_counts (tree_configs (f.tree), 1, 13));
    member_store (&f, 2, 22, 23, 0);
    assert_int_equal (config_set_find (tree_configs (f.tree), 2)->store_id, 23);
    fixture_deinit (&f);
}

/* ---- Creation ---------------------------------------------------------------------------- */

static void test_creation_once (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    fixture_create_session (&f, 7, 0, 3, 77);
    assert_int_equal (f.outcome.code, 0);
    assert_int_equal (f.outcome.session, 1);
    assert_int_equal (f.outcome.attach_no, 1);
    assert_int_equal (f.outcome.server, 3);
    uint8_t nonce[16];
    fixture_nonce (nonce, 7);
    assert_memory_equal (f.outcome.nonce, nonce, 16);
    struct tree_session session = session_of (&f, 1);
    assert_int_equal (session.incarnation, 1);
    assert_int_equal (session.attach_no, 1);
    assert_int_equal (session.last_number, 0);
    assert_int_equal (session.server, 3);
    static const struct {
        uint64_t attach_no;
        uint32_t server;
        uint64_t password;
        int code;
        uint64_t then; /* attach number of the session */
        uint32_t there;
    } steps[] = {
        {1, 3, 77, 0, 1, 3}, /* the same again */
        {0, 3, 77, 0, 1, 3},
        {1, 4, 77, COHORT_ESESSIONMOVED, 1, 3}, /* an attempt is of one server */
        {1, 3, 78, COHORT_EAUTHFAILED, 1, 3},
        {3, 4, 77, 0, 3, 4}, /* a later attempt, by way of another */
        {2, 3, 77, COHORT_ESESSIONMOVED, 3, 4},
        {3, 4, 77, 0, 3, 4},
        {4, 4, 77, 0, 4, 4},
    };
    for (size_t i = 0; i < sizeof (steps) / sizeof (steps[0]); i++) {
        fixture_create_session (&f, 7, steps[i].attach_no, steps[i].server, steps[i].password);
        assert_int_equal (f.outcome.code, steps[i].code);
        assert_int_equal (f.outcome.session, 1);
        assert_int_equal (f.outcome.attach_no, steps[i].then);
        assert_int_equal (session_of (&f, 1).attach_no, steps[i].then);
        assert_int_equal (session_of (&f, 1).server, steps[i].there);
    }
    assert_int_equal (tree_session_count (f.tree), 1);
    /* Another nonce, another session; after another incarnation the creation is history. */
    assert_int_equal (fixture_session (&f, 8), 2);
    fixture_attach (&f, 1, 2, 1, 1, 99);
    assert_int_equal (f.outcome.code, 0);
    fixture_create_session (&f, 7, 9, 3, 77);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONMOVED);
    /* Once it is gone, so is its nonce; ids are never given again. */
    fixture_close (&f, 1, 0, 0, ENTRY_KILLED);
    assert_true (f.outcome.session_gone);
    fixture_create_session (&f, 7, 1, 3, 77);
    assert_int_equal (f.outcome.session, 3);
    fixture_deinit (&f);
}

static void test_creation_of_dead (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    f.check = false;
    uint64_t id = fixture_session (&f, 1);
    for (int i = 0; i < 600; i++) {
        assert_int_equal (fixture_create (&f, id, "/e", "", COHORT_EPHEMERAL | COHORT_SEQUENTIAL),
                          0);
    }
    fixture_close (&f, id, 1, 1, ENTRY_EXPIRED);
    assert_true (f.outcome.session_closed);
    assert_false (f.outcome.session_gone);
    fixture_create_session (&f, 1, 1, 1, 1001);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    fixture_deinit (&f);
}

static void test_times (void **state)
{
    (void) state;
    struct fixture f;
    struct entry_limits limits = fixture_limits;
    limits.timeout_min_ms = 100;
    limits.timeout_max_ms = 1000;
    limits.grace_min_ms = 50;
    fixture_init_with (&f, NULL, &limits);
    static const struct {
        uint32_t timeout, grace, timeout_is, grace_is;
    } cases[] = {
        {500, 200, 500, 200}, {99, 200, 100, 100},       {1001, 5000, 1000, 1000},
        {500, 0, 500, 500},   {500, 49, 500, 50},        {500, 501, 500, 500},
        {0, 0, 100, 100},     {UINT32_MAX, 1, 1000, 50},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        struct entry entry = {.kind = ENTRY_CREATE_SESSION};
        fixture_nonce (entry.u.create_session.nonce, i);
        entry.u.create_session.timeout_ms = cases[i].timeout;
        entry.u.create_session.grace_ms = cases[i].grace;
        fixture_entry (&f, &entry);
        struct tree_session session = session_of (&f, f.outcome.session);
        assert_int_equal (session.timeout_ms, cases[i].timeout_is);
        assert_int_equal (session.grace_ms, cases[i].grace_is);
    }
    fixture_deinit (&f);
}

/* ---- Attaching --------------------------------------------------------------------------- */

static void test_attach (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1); /* process 1 */
    static const struct {
        uint32_t incarnation;
        uint64_t attach_no;
        uint32_t server;
        uint64_t process;
        int code;
    } steps[] = {
        {1, 1, 1, 1, 0},                    /* the current one */
        {1, 1, 2, 1, COHORT_ESESSIONMOVED}, /* the same number by way of another server */
        {1, 3, 2, 1, 0},                    /* numbers may be left out */
        {1, 2, 1, 1, COHORT_ESESSIONMOVED},
        {1, 4, 2, 5, 0}, /* the first incarnation is its creator's */
        {0, 9, 1, 1, COHORT_ESESSIONMOVED},
        {2, 1, 1, 6, 0}, /* numbers begin anew */
        {1, 99, 1, 1, COHORT_ESESSIONMOVED},
        {2, 2, 1, 7, COHORT_ESESSIONMOVED}, /* another process that wanted to be the second */
        {2, 2, 2, 6, 0},
        {3, 1, 1, 8, 0},
        {2, 3, 1, 6, COHORT_ESESSIONMOVED},
        {7, 1, 1, 9, 0}, /* those between were taken by processes that died too early */
        {4, 1, 1, 5, COHORT_ESESSIONMOVED},
    };
    for (size_t i = 0; i < sizeof (steps) / sizeof (steps[0]); i++) {
        struct tree_session before = session_of (&f, id);
        fixture_attach (&f, id, steps[i].incarnation, steps[i].attach_no, steps[i].server,
                        steps[i].process);
        assert_int_equal (f.outcome.code, steps[i].code);
        assert_int_equal (f.outcome.session, id);
        assert_int_equal (f.outcome.attach_no, steps[i].attach_no);
        assert_int_equal (f.outcome.server, steps[i].server);
        uint8_t nonce[16];
        fixture_nonce (nonce, steps[i].process);
        assert_memory_equal (f.outcome.nonce, nonce, 16);
        struct tree_session after = session_of (&f, id);
        bool ok = steps[i].code == 0;
        assert_int_equal (after.incarnation, ok ? steps[i].incarnation : before.incarnation);
        assert_int_equal (after.attach_no, ok ? steps[i].attach_no : before.attach_no);
        assert_int_equal (after.server, ok ? steps[i].server : before.server);
    }
    fixture_attach (&f, 99, 1, 1, 1, 1);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    struct entry entry = {.kind = ENTRY_ATTACH};
    entry.u.attach = (struct entry_attach){.session = id, .incarnation = 3, .attach_no = 9};
    fixture_entry (&f, &entry);
    assert_int_equal (f.outcome.code, COHORT_EAUTHFAILED);
    fixture_deinit (&f);
}

/* ---- Numbers ----------------------------------------------------------------------------- */

static void send (struct fixture *f, uint64_t session, uint32_t incarnation, uint64_t number,
                  uint64_t ack_to, const struct op *op)
{
    struct entry_write write = {.session = session,
                                .incarnation = incarnation,
                                .number = number,
                                .ack_to = ack_to,
                                .count = 1};
    fixture_write (f, &write, op);
}

static void test_numbers (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    struct op op = op_create ("/n", "", COHORT_SEQUENTIAL);
    send (&f, id, 1, 1, 0, &op);
    assert_true (f.outcome.executed);
    assert_int_equal (f.outcome.number, 1);
    assert_int_equal (f.outcome.session, id);
    assert_int_equal (f.outcome.effects, 1);
    fixture_expect_path (&f, 0, "/n0000000000");
    struct buf first = {0};
    buf_append (&first, f.outcome.result, f.outcome.result_size);

    /* Sent again, with other contents even: the first answer, and nothing happens. */
    struct op other = op_create ("/other", "", 0);
    send (&f, id, 1, 1, 0, &other);
    assert_false (f.outcome.executed);
    assert_int_equal (f.outcome.code, 0);
    assert_int_equal (f.outcome.effects, 0);
    assert_int_equal (f.outcome.result_size, first.size);
    assert_memory_equal (f.outcome.result, first.data, first.size);
    assert_false (fixture_exists (&f, "/other"));
    size_t size;
    const uint8_t *stored = tree_session_result (f.tree, id, 1, &size);
    assert_non_null (stored);
    assert_int_equal (size, first.size);
    assert_memory_equal (stored, first.data, size);
    assert_null (tree_session_result (f.tree, id, 0, &size));
    assert_null (tree_session_result (f.tree, id, 2, &size));
    assert_null (tree_session_result (f.tree, 99, 1, &size));

    /* A gap changes nothing, not even what is acknowledged. */
    send (&f, id, 1, 3, 1, &op);
    assert_false (f.outcome.executed);
    assert_int_equal (f.outcome.code, COHORT_EGAP);
    assert_int_equal (f.outcome.expected, 2);
    assert_null (f.outcome.result);
    assert_non_null (tree_session_result (f.tree, id, 1, &size));

    /* The next one takes the acknowledgement along. */
    send (&f, id, 1, 2, 1, &op);
    assert_true (f.outcome.executed);
    assert_int_equal (session_of (&f, id).acked, 1);
    assert_null (tree_session_result (f.tree, id, 1, &size));
    send (&f, id, 1, 1, 0, &op);
    assert_int_equal (f.outcome.code, COHORT_EDUPLICATE);
    assert_null (f.outcome.result);
    send (&f, id, 1, 0, 0, &op);
    assert_int_equal (f.outcome.code, COHORT_EDUPLICATE);

    /* What is acknowledged beyond the last number is taken for what there is. */
    send (&f, id, 1, 3, 99, &op);
    assert_true (f.outcome.executed);
    assert_int_equal (session_of (&f, id).acked, 2);
    /* And never less than before. */
    send (&f, id, 1, 4, 0, &op);
    assert_int_equal (session_of (&f, id).acked, 2);
    assert_int_equal (session_of (&f, id).last_number, 4);

    send (&f, id, 2, 5, 4, &op);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONMOVED);
    assert_false (f.outcome.executed);
    send (&f, 77, 1, 5, 4, &op);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    buf_deinit (&first);
    fixture_deinit (&f);
}

static void test_failures_are_kept (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    struct op op = op_delete ("/none", -1);
    send (&f, id, 1, 1, 0, &op);
    assert_true (f.outcome.executed);
    assert_int_equal (f.outcome.code, COHORT_ENONODE);
    op = op_create ("/none", "", 0);
    send (&f, id, 1, 2, 0, &op);
    assert_int_equal (f.outcome.code, 0);
    op = op_delete ("/none", -1);
    send (&f, id, 1, 1, 0, &op);
    assert_int_equal (f.outcome.code, COHORT_ENONODE);
    assert_non_null (f.outcome.result);
    assert_true (fixture_exists (&f, "/none"));
    /* What ingress refused. */
    op = (struct op){.kind = OP_REJECT, .code = COHORT_ETOOBIG};
    send (&f, id, 1, 3, 0, &op);
    assert_true (f.outcome.executed);
    assert_int_equal (f.outcome.code, COHORT_ETOOBIG);
    assert_int_equal (fixture_result (&f, 0).code, COHORT_ETOOBIG);
    assert_int_equal (session_of (&f, id).last_number, 3);
    send (&f, id, 1, 3, 0, &op);
    assert_false (f.outcome.executed);
    assert_int_equal (f.outcome.code, COHORT_ETOOBIG);
    fixture_deinit (&f);
}

static void test_window_by_count (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL); /* a window of 8 */
    uint64_t id = fixture_session (&f, 1);
    struct op op = op_set ("/", "", -1);
    for (uint64_t n = 1; n <= 8; n++) {
        send (&f, id, 1, n, 0, &op);
        assert_true (f.outcome.executed);
    }
    send (&f, id, 1, 9, 0, &op);
    assert_int_equal (f.outcome.code, COHORT_EWINDOW);
    assert_false (f.outcome.executed);
    assert_null (f.outcome.result);
    assert_int_equal (f.outcome.effects, 0);
    assert_int_equal (session_of (&f, id).last_number, 8);
    /* Duplicates and gaps are told apart from it. */
    send (&f, id, 1, 8, 0, &op);
    assert_non_null (f.outcome.result);
    send (&f, id, 1, 10, 0, &op);
    assert_int_equal (f.outcome.code, COHORT_EGAP);
    /* The write's own acknowledgement makes room; the number was not consumed. */
    send (&f, id, 1, 9, 1, &op);
    assert_true (f.outcome.executed);
    send (&f, id, 1, 10, 1, &op);
    assert_int_equal (f.outcome.code, COHORT_EWINDOW);
    size_t size;
    assert_non_null (tree_session_result (f.tree, id, 2, &size));
    send (&f, id, 1, 10, 9, &op);
    assert_true (f.outcome.executed);
    assert_null (tree_session_result (f.tree, id, 9, &size));
    assert_non_null (tree_session_result (f.tree, id, 10, &size));
    /* Closing is a write like others. */
    for (uint64_t n = 11; n <= 17; n++) {
        send (&f, id, 1, n, 9, &op);
    }
    op = (struct op){.kind = OP_CLOSE_SESSION};
    send (&f, id, 1, 18, 9, &op);
    assert_int_equal (f.outcome.code, COHORT_EWINDOW);
    send (&f, id, 1, 18, 10, &op);
    assert_true (f.outcome.session_gone);
    fixture_deinit (&f);
}

static void test_window_by_bytes (void **state)
{
    (void) state;
    struct fixture f;
    struct entry_limits limits = fixture_limits;
    limits.window = 1000;
    /* The result of a set has 16 + 5 + 85 bytes. */
    limits.results_size_max = 3 * 106;
    fixture_init_with (&f, NULL, &limits);
    uint64_t id = fixture_session (&f, 1);
    struct op op = op_set ("/", "", -1);
    for (uint64_t n = 1; n <= 3; n++) {
        send (&f, id, 1, n, 0, &op);
        assert_int_equal (f.outcome.result_size, 106);
    }
    send (&f, id, 1, 4, 0, &op);
    assert_int_equal (f.outcome.code, COHORT_EWINDOW);
    send (&f, id, 1, 4, 1, &op);
    assert_true (f.outcome.executed);
    fixture_deinit (&f);
}

static void test_new_incarnation (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, id, "/e", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_set (&f, id, "/e", "x", -1), 0);
    fixture_attach (&f, id, 2, 1, 1, 50);
    assert_int_equal (f.outcome.code, 0);
    struct tree_session session = session_of (&f, id);
    assert_int_equal (session.last_number, 0);
    assert_int_equal (session.acked, 0);
    assert_int_equal (session.ephemerals, 1);
    size_t size;
    assert_null (tree_session_result (f.tree, id, 2, &size));
    struct op op = op_set ("/", "", -1);
    send (&f, id, 1, 3, 2, &op);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONMOVED);
    send (&f, id, 2, 1, 0, &op);
    assert_true (f.outcome.executed);
    assert_true (fixture_exists (&f, "/e"));
    fixture_deinit (&f);
}

/* ---- Enumeration ------------------------------------------------------------------------- */

static void test_next (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    struct tree_session session;
    assert_false (tree_session_next (f.tree, 0, &session));
    assert_false (tree_session (f.tree, 1, &session));
    for (uint64_t i = 1; i <= 9; i++) {
        assert_int_equal (fixture_session (&f, i), i);
    }
    fixture_close (&f, 1, 0, 0, ENTRY_KILLED);
    fixture_close (&f, 5, 0, 0, ENTRY_KILLED);
    fixture_close (&f, 9, 0, 0, ENTRY_KILLED);
    static const uint64_t next[] = {2, 2, 3, 4, 6, 6, 7, 8};
    for (uint64_t after = 0; after < 8; after++) {
        assert_true (tree_session_next (f.tree, after, &session));
        assert_int_equal (session.id, next[after]);
    }
    assert_false (tree_session_next (f.tree, 8, &session));
    assert_false (tree_session_next (f.tree, 9, &session));
    assert_false (tree_session_next (f.tree, UINT64_MAX, &session));
    fixture_deinit (&f);
}

static void test_password_hash (void **state)
{
    (void) state;
    /* The first half of SHA-256 of 16 zeroes, by another program: it is on disk. */
    static const uint8_t golden[] = {0x37, 0x47, 0x08, 0xff, 0xf7, 0x71, 0x9d, 0xd5,
                                     0x97, 0x9e, 0xc8, 0x75, 0xd5, 0x6c, 0xd2, 0x28};
    uint8_t password[16] = {0}, hash[ENTRY_PASSWORD_HASH];
    tree_password_hash (password, hash);
    assert_memory_equal (hash, golden, sizeof (golden));
}

/* Every bit of the hash counts, for creating anew and for attaching. */
static void test_password_bits (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 7);
    struct entry entry = {.kind = ENTRY_ATTACH,
                          .u.attach = {.session = id, .attach_no = 2, .incarnation = 1}};
    struct entry again = {.kind = ENTRY_CREATE_SESSION, .u.create_session = {.attach_no = 3}};
    fixture_nonce (again.u.create_session.nonce, 7);
    for (unsigned bit = 0; bit <= 8 * ENTRY_PASSWORD_HASH; bit++) {
        uint8_t hash[ENTRY_PASSWORD_HASH];
        fixture_password (hash, 1007);
        if (bit < 8 * ENTRY_PASSWORD_HASH) {
            hash[bit / 8] ^= (uint8_t) (1u << bit % 8);
        }
        int expected = bit < 8 * ENTRY_PASSWORD_HASH ? COHORT_EAUTHFAILED : 0;
        assert_int_equal (tree_session_admits (f.tree, id, hash), expected == 0);
        assert_false (tree_session_admits (f.tree, id + 1, hash));
        memcpy (entry.u.attach.password_hash, hash, sizeof (hash));
        fixture_entry (&f, &entry);
        assert_int_equal (f.outcome.code, expected);
        memcpy (again.u.create_session.password_hash, hash, sizeof (hash));
        fixture_entry (&f, &again);
        assert_int_equal (f.outcome.code, expected);
    }
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_cluster),         cmocka_unit_test (test_member_store),
        cmocka_unit_test (test_creation_once),   cmocka_unit_test (test_creation_of_dead),
        cmocka_unit_test (test_times),           cmocka_unit_test (test_attach),
        cmocka_unit_test (test_numbers),         cmocka_unit_test (test_failures_are_kept),
        cmocka_unit_test (test_window_by_count), cmocka_unit_test (test_window_by_bytes),
        cmocka_unit_test (test_new_incarnation), cmocka_unit_test (test_next),
        cmocka_unit_test (test_password_hash),   cmocka_unit_test (test_password_bits),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
