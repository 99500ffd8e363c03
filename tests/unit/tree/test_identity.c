/* Who a session is: what its connection gives it, what it proves, and who is an administrator. */

#include "tests/unit/tree/fixture.h"

static const uint8_t address[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3};
static const uint8_t other_address[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 3, 3};

static struct identity digest (const char *id)
{
    return (struct identity){IDENTITY_DIGEST, (const uint8_t *) id, (uint8_t) strlen (id)};
}

static struct identity ip (const uint8_t bytes[16])
{
    return (struct identity){IDENTITY_IP, bytes, 16};
}

static void put_item (struct buf *out, uint8_t perms, struct identity identity)
{
    acl_item_encode (out, &(struct acl_item){perms, identity});
}

/* A tree whose administrator is the digest user root. */
static void begin (struct fixture *f)
{
    struct entry entry;
    struct buf admins = {0};
    *f = (struct fixture){.zxid = zxid_make (1, 0), .stamp_ms = 1000, .check = true};
    f->tree = tree_new (NULL);
    assert_non_null (f->tree);
    put_item (&admins, COHORT_PERM_ALL, digest ("root:secret"));
    fixture_cluster (&entry, &fixture_limits);
    entry.u.cluster.admins = admins.data;
    entry.u.cluster.admins_size = (uint32_t) admins.size;
    fixture_entry (f, &entry);
    buf_deinit (&admins);
}

static void attach_from (struct fixture *f, uint64_t session, uint64_t attach_no,
                         struct identity from)
{
    struct buf origin = {0};
    struct entry entry = {.kind = ENTRY_ATTACH};
    identity_encode (&origin, &from);
    entry.u.attach = (struct entry_attach){
        .session = session,
        .attach_no = attach_no,
        .incarnation = 1,
        .server = 1,
        .origin = origin.data,
        .origin_size = (uint32_t) origin.size,
    };
    const struct session *found = session_find (&f->tree->sessions, session);
    memcpy (entry.u.attach.password_hash, found->password_hash, ENTRY_PASSWORD_HASH);
    fixture_entry (f, &entry);
    assert_int_equal (f->outcome.code, 0);
    buf_deinit (&origin);
}

static int prove (struct fixture *f, uint64_t session, struct identity identity)
{
    struct buf bytes = {0};
    identity_encode (&bytes, &identity);
    struct op op = {.kind = OP_ADD_AUTH, .data = bytes.data, .data_size = (uint32_t) bytes.size};
    int rc = fixture_op (f, session, &op);
    buf_deinit (&bytes);
    return rc;
}

static bool is (const struct fixture *f, uint64_t session, struct identity identity)
{
    size_t size;
    const uint8_t *bytes = tree_session_identities (f->tree, session, &size);
    return identities_have (bytes, size, &identity);
}

static void test_session (void **state)
{
    (void) state;
    struct fixture f;
    begin (&f);
    uint64_t id = fixture_session (&f, 1);
    size_t size;
    assert_null (tree_session_identities (f.tree, id, &size));
    assert_int_equal (size, 0);
    attach_from (&f, id, 2, ip (address));
    assert_true (is (&f, id, ip (address)));
    assert_int_equal (prove (&f, id, digest ("anna:hash")), 0);
    /* Twice is once. */
    assert_int_equal (prove (&f, id, digest ("anna:hash")), 0);
    tree_session_identities (f.tree, id, &size);
    assert_int_equal (size, 2 + 16 + 2 + 9);
    /* It moves: what it has proven goes along, the address is another. */
    attach_from (&f, id, 3, ip (other_address));
    assert_true (is (&f, id, ip (other_address)));
    assert_false (is (&f, id, ip (address)));
    assert_true (is (&f, id, digest ("anna:hash")));
    /* Snapshots have it. */
    struct buf image = {0};
    fixture_save (f.tree, &image);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    assert_int_equal (tree_digest (loaded), tree_digest (f.tree));
    size_t loaded_size;
    const uint8_t *bytes = tree_session_identities (loaded, id, &loaded_size);
    assert_int_equal (loaded_size, size);
    assert_memory_equal (bytes, tree_session_identities (f.tree, id, &size), size);
    tree_destroy (&loaded);
    buf_deinit (&image);
    fixture_deinit (&f);
}

static void test_proofs_refused (void **state)
{
    (void) state;
    struct fixture f;
    begin (&f);
    uint64_t id = fixture_session (&f, 1);
    static const char *const wrong[] = {"", ":", "anna", "anna:", ":hash", "an\nna:hash"};
    for (size_t i = 0; i < sizeof (wrong) / sizeof (wrong[0]); i++) {
        assert_int_equal (prove (&f, id, digest (wrong[i])), COHORT_EINVAL);
    }
    /* Where it comes from is not for the client to say. */
    assert_int_equal (prove (&f, id, ip (address)), COHORT_EINVAL);
    struct identity world = {.scheme = IDENTITY_WORLD};
    assert_int_equal (prove (&f, id, world), COHORT_EINVAL);
    struct op op = {.kind = OP_ADD_AUTH};
    assert_int_equal (fixture_op (&f, id, &op), COHORT_EINVAL);
    int count = 0;
    for (char name[] = "A:h"; count < IDENTITIES_MAX; count++, name[0]++) {
        int rc = prove (&f, id, digest (name));
        assert_int_equal (rc, count < IDENTITIES_MAX - 2 ? 0 : COHORT_ELIMIT);
    }
    attach_from (&f, id, 2, ip (address));
    fixture_deinit (&f);
}

static void test_administrator (void **state)
{
    (void) state;
    struct fixture f;
    begin (&f);
    uint64_t anna = fixture_session (&f, 1);
    uint64_t root = fixture_session (&f, 2);
    assert_false (tree_session_is_admin (f.tree, 77));
    assert_int_equal (prove (&f, anna, digest ("anna:hash")), 0);
    assert_int_equal (prove (&f, root, digest ("root:secret")), 0);
    assert_false (tree_session_is_admin (f.tree, anna));
    assert_true (tree_session_is_admin (f.tree, root));

    struct buf acl = {0};
    put_item (&acl, COHORT_PERM_ALL, digest ("anna:hash"));
    struct op op = {.kind = OP_SET_ADMINS, .acl = acl.data, .acl_size = (uint32_t) acl.size};
    uint64_t digest_before = tree_digest (f.tree);
    assert_int_equal (fixture_op (&f, anna, &op), COHORT_ENOAUTH);
    assert_false (tree_session_is_admin (f.tree, anna));
    assert_int_equal (fixture_op (&f, root, &op), 0);
    assert_true (tree_session_is_admin (f.tree, anna));
    assert_false (tree_session_is_admin (f.tree, root));
    assert_int_not_equal (tree_digest (f.tree), digest_before);
    /* Nobody, or everybody, is no administrator. */
    op.acl_size = 0;
    assert_int_equal (fixture_op (&f, anna, &op), COHORT_EINVALIDACL);
    buf_clear (&acl);
    put_item (&acl, COHORT_PERM_ALL, (struct identity){.scheme = IDENTITY_WORLD});
    op.acl = acl.data;
    op.acl_size = (uint32_t) acl.size;
    assert_int_equal (fixture_op (&f, anna, &op), COHORT_EINVALIDACL);
    assert_true (tree_session_is_admin (f.tree, anna));

    struct buf image = {0};
    fixture_save (f.tree, &image);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    assert_true (tree_session_is_admin (loaded, anna));
    tree_destroy (&loaded);
    buf_deinit (&image);
    buf_deinit (&acl);
    fixture_deinit (&f);
}

/* What an administrator kills has ended for its client; its ephemerals go with the CLOSE. */
static void test_kill (void **state)
{
    (void) state;
    struct fixture f;
    begin (&f);
    uint64_t anna = fixture_session (&f, 1);
    uint64_t root = fixture_session (&f, 2);
    assert_int_equal (prove (&f, root, digest ("root:secret")), 0);
    assert_int_equal (fixture_create (&f, anna, "/e", "", COHORT_EPHEMERAL), 0);
    struct op op = {.kind = OP_KILL_SESSION, .session = anna};
    uint64_t before = tree_digest (f.tree);
    assert_int_equal (fixture_op (&f, anna, &op), COHORT_ENOAUTH);
    assert_int_equal (f.outcome.killed, 0);
    assert_int_equal (fixture_op (&f, root, &op), 0);
    assert_int_equal (f.outcome.killed, anna);
    assert_false (f.outcome.session_closed);
    assert_int_not_equal (tree_digest (f.tree), before);

    struct tree_session session;
    assert_true (tree_session (f.tree, anna, &session));
    assert_true (session.condemned);
    assert_true (fixture_exists (&f, "/e"));
    struct op create = {.kind = OP_CREATE, .path = "/f", .path_size = 2};
    struct entry_write write = {
        .session = anna, .incarnation = 1, .number = session.last_number + 1, .count = 1};
    fixture_write (&f, &write, &create);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    assert_false (f.outcome.executed);
    fixture_attach (&f, anna, 1, 9, 1, 1);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    fixture_attach (&f, anna, 2, 1, 1, 5);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    /* Once more, and one that is not there: nothing happens, and that is no error. */
    assert_int_equal (fixture_op (&f, root, &op), 0);
    op.session = 999;
    assert_int_equal (fixture_op (&f, root, &op), 0);

    struct buf image = {0};
    fixture_save (f.tree, &image);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    assert_true (tree_session (loaded, anna, &session));
    assert_true (session.condemned);
    tree_destroy (&loaded);
    buf_deinit (&image);
    tree_check (f.tree);

    fixture_close (&f, anna, 77, 77, ENTRY_KILLED);
    assert_true (f.outcome.session_gone);
    assert_false (fixture_exists (&f, "/e"));
    fixture_deinit (&f);
}

/* Nobody is an administrator where none was named. */
static void test_none (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    size_t size;
    assert_null (tree_admins (f.tree, &size));
    assert_false (tree_session_is_admin (f.tree, id));
    struct op op = {.kind = OP_SET_ADMINS};
    assert_int_equal (fixture_op (&f, id, &op), COHORT_ENOAUTH);
    fixture_deinit (&f);
}

static void test_alone (void **state)
{
    (void) state;
    static const enum op_kind kinds[] = {OP_ADD_AUTH, OP_SET_ADMINS, OP_KILL_SESSION};
    for (size_t i = 0; i < 2; i++) {
        struct buf out = {0};
        struct entry entry = {.kind = ENTRY_WRITE};
        entry.u.write = (struct entry_write){.session = 1, .number = 1, .multi = true, .count = 1};
        entry_encode (&out, &entry);
        op_encode (&out, &(struct op){.kind = kinds[i]});
        assert_false (entry_decode (&entry, out.data, out.size));
        buf_deinit (&out);
    }
}

/* ---- Lists ------------------------------------------------------------------------------- */

static void test_granted (void **state)
{
    (void) state;
    uint8_t network[17], ending[17];
    memcpy (network, address, 16);
    network[16] = 96 + 16; /* 10.1.0.0/16 */
    memcpy (ending, address, 16);
    ending[16] = 96 + 23; /* 10.1.2.0/23: 10.1.3.3 too */
    struct buf list = {0}, who = {0};
    put_item (&list, COHORT_PERM_READ, (struct identity){.scheme = IDENTITY_WORLD});
    put_item (&list, COHORT_PERM_WRITE, (struct identity){IDENTITY_IP, network, 17});
    put_item (&list, COHORT_PERM_CREATE, (struct identity){IDENTITY_IP, ending, 17});
    put_item (&list, COHORT_PERM_ADMIN, digest ("anna:hash"));
    assert_true (acl_valid (list.data, list.size));
    assert_false (acl_open (list.data, list.size));
    assert_int_equal (acl_granted (list.data, list.size, NULL, 0), COHORT_PERM_READ);
    struct identity here = ip (other_address), anna = digest ("anna:hash"),
                    bert = digest ("bert:hash");
    identity_encode (&who, &here);
    assert_int_equal (acl_granted (list.data, list.size, who.data, who.size),
                      COHORT_PERM_READ | COHORT_PERM_WRITE | COHORT_PERM_CREATE);
    identity_encode (&who, &bert);
    identity_encode (&who, &anna);
    assert_int_equal (acl_granted (list.data, list.size, who.data, who.size),
                      COHORT_PERM_READ | COHORT_PERM_WRITE | COHORT_PERM_CREATE |
                          COHORT_PERM_ADMIN);
    buf_clear (&who);
    uint8_t far[16] = {0x20, 0x01};
    struct identity there = ip (far);
    identity_encode (&who, &there);
    assert_int_equal (acl_granted (list.data, list.size, who.data, who.size), COHORT_PERM_READ);
    buf_deinit (&list);
    buf_deinit (&who);
}

static void test_resolve (void **state)
{
    (void) state;
    struct buf list = {0}, who = {0}, out = {0};
    struct identity anna = digest ("anna:hash"), bert = digest ("bert:hash"), from = ip (address);
    identity_encode (&who, &from);
    put_item (&list, COHORT_PERM_ALL, (struct identity){.scheme = IDENTITY_AUTH});
    assert_false (acl_valid (list.data, list.size));
    /* Whoever has proven nothing. */
    assert_false (acl_resolve (&out, list.data, list.size, who.data, who.size));
    identity_encode (&who, &anna);
    identity_encode (&who, &bert);
    put_item (&list, COHORT_PERM_ALL, anna);
    put_item (&list, COHORT_PERM_READ, anna);
    buf_clear (&out);
    assert_true (acl_resolve (&out, list.data, list.size, who.data, who.size));
    struct buf expected = {0};
    put_item (&expected, COHORT_PERM_ALL, anna);
    put_item (&expected, COHORT_PERM_ALL, bert);
    put_item (&expected, COHORT_PERM_READ, anna);
    assert_int_equal (out.size, expected.size);
    assert_memory_equal (out.data, expected.data, out.size);
    /* Wrong ones. */
    static const uint8_t wrong[][4] = {
        {0, IDENTITY_WORLD, 0},
        {32, IDENTITY_WORLD, 0},
        {31, IDENTITY_WORLD, 1, 'x'},
        {31, 0, 0},
        {31, 6, 0},
        {31, IDENTITY_IP, 1, 9},
        {31, IDENTITY_CURVE, 1, 9},
        {31, IDENTITY_DIGEST, 1, ':'},
        {31, IDENTITY_DIGEST, 9, 'a'},
    };
    for (size_t i = 0; i < sizeof (wrong) / sizeof (wrong[0]); i++) {
        buf_clear (&out);
        size_t size = wrong[i][2] > 0 ? 4 : 3;
        assert_false (acl_resolve (&out, wrong[i], size, who.data, who.size));
        assert_false (acl_valid (wrong[i], size));
    }
    buf_clear (&out);
    assert_false (acl_resolve (&out, NULL, 0, who.data, who.size));
    assert_false (acl_valid (NULL, 0));
    /* As many as there may be, and one more. */
    buf_clear (&list);
    for (char name[] = ";:h"; name[0] < ';' + ACL_ITEMS_MAX; name[0]++) {
        put_item (&list, COHORT_PERM_READ, digest (name));
    }
    buf_clear (&out);
    assert_true (acl_resolve (&out, list.data, list.size, NULL, 0));
    assert_true (acl_valid (list.data, list.size));
    put_item (&list, COHORT_PERM_READ, anna);
    buf_clear (&out);
    assert_false (acl_resolve (&out, list.data, list.size, NULL, 0));
    assert_false (acl_valid (list.data, list.size));
    buf_deinit (&list);
    buf_deinit (&who);
    buf_deinit (&out);
    buf_deinit (&expected);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_session),       cmocka_unit_test (test_proofs_refused),
        cmocka_unit_test (test_administrator), cmocka_unit_test (test_none),
        cmocka_unit_test (test_kill),          cmocka_unit_test (test_alone),
        cmocka_unit_test (test_granted),       cmocka_unit_test (test_resolve),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
