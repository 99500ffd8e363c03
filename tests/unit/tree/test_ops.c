/* Operations on znodes: what they change, what they refuse, what stat says. */

#include "server/tree/path.h"
#include "tests/unit/tree/fixture.h"

static void test_root (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    assert_int_equal (tree_node_count (f.tree), FIXTURE_FOUNDED);
    cohort_stat_t stat = fixture_stat (&f, "/");
    assert_int_equal (stat.czxid, 0);
    assert_int_equal (stat.version, 0);
    assert_int_equal (fixture_delete (&f, session, "/", -1), COHORT_EINVAL);
    assert_int_equal (fixture_create (&f, session, "/", "", 0), COHORT_ENODEEXISTS);
    assert_int_equal (fixture_set (&f, session, "/", "data", -1), 0);
    stat = fixture_stat (&f, "/");
    assert_int_equal (stat.version, 1);
    assert_int_equal (stat.mzxid, f.zxid);
    assert_int_equal (stat.data_size, 4);
    fixture_deinit (&f);
}

static void test_create_stat (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, session, "/a", "hello", 0), 0);
    zxid_t created = f.zxid;
    int64_t created_ms = f.stamp_ms;
    fixture_expect_path (&f, 0, "/a");
    cohort_stat_t stat = fixture_result (&f, 0).stat;
    assert_true (fixture_result (&f, 0).has_stat);
    cohort_stat_t now = fixture_stat (&f, "/a");
    assert_memory_equal (&stat.czxid, &now.czxid, sizeof (stat.czxid));
    assert_int_equal (stat.czxid, created);
    assert_int_equal (stat.mzxid, created);
    assert_int_equal (stat.pzxid, created);
    assert_int_equal (stat.ctime_ms, created_ms);
    assert_int_equal (stat.mtime_ms, created_ms);
    assert_int_equal (stat.version, 0);
    assert_int_equal (stat.cversion, 0);
    assert_int_equal (stat.aversion, 0);
    assert_int_equal (stat.data_size, 5);
    assert_int_equal (stat.ephemeral_owner, 0);
    assert_int_equal (stat.ozxid, 0);
    assert_int_equal (stat.child_count, 0);

    cohort_stat_t root = fixture_stat (&f, "/");
    assert_int_equal (root.cversion, 2); /* /zookeeper was first */
    assert_int_equal (root.pzxid, created);
    assert_int_equal (root.child_count, 2);

    assert_int_equal (fixture_create (&f, session, "/a/b", "", COHORT_EPHEMERAL), 0);
    now = fixture_stat (&f, "/a/b");
    assert_int_equal (now.ephemeral_owner, session);
    assert_int_equal (now.ozxid, f.zxid);
    now = fixture_stat (&f, "/a");
    assert_int_equal (now.cversion, 1);
    assert_int_equal (now.pzxid, f.zxid);
    assert_int_equal (now.mzxid, created);
    assert_int_equal (now.child_count, 1);

    assert_int_equal (fixture_delete (&f, session, "/a/b", 0), 0);
    now = fixture_stat (&f, "/a");
    assert_int_equal (now.cversion, 2);
    assert_int_equal (now.pzxid, f.zxid);
    assert_int_equal (now.child_count, 0);
    fixture_deinit (&f);
}

static void test_refusals (void **state)
{
    (void) state;
    struct fixture f;
    struct entry_limits limits = fixture_limits;
    limits.data_size_max = 10;
    limits.path_size_max = 20;
    fixture_init_with (&f, NULL, &limits);
    uint64_t session = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, session, "/a", "", 0), 0);
    assert_int_equal (fixture_create (&f, session, "/e", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, session, "/a/b", "", 0), 0);
    static const struct {
        const char *path;
        const char *data;
        uint8_t mode;
        int code;
    } creates[] = {
        {"/a", "", 0, COHORT_ENODEEXISTS},
        {"/x/y", "", 0, COHORT_ENONODE},
        {"/e/f", "", 0, COHORT_ENOCHILDREN4EPHEMERALS},
        {"/e/f", "", COHORT_SEQUENTIAL, COHORT_ENOCHILDREN4EPHEMERALS},
        {"a", "", 0, COHORT_EPATH},
        {"", "", 0, COHORT_EPATH},
        {"/c/", "", 0, COHORT_EPATH},
        {"/a/..", "", 0, COHORT_EPATH},
        {"/12345678901234567890", "", 0, COHORT_ETOOBIG},
        {"/1234567890", "", COHORT_SEQUENTIAL, COHORT_ETOOBIG},
        {"/d", "12345678901", 0, COHORT_ETOOBIG},
        {"/d", "", COHORT_EPHEMERAL | COHORT_CONTAINER, COHORT_EINVAL},
        {"/d", "", 8, COHORT_EINVAL},
        {"/d", "1234567890", 0, 0},
        {"/1234567890123456789", "", 0, 0},
        {"/123456789", "", COHORT_SEQUENTIAL, 0},
    };
    for (size_t i = 0; i < sizeof (creates) / sizeof (creates[0]); i++) {
        assert_int_equal (
            fixture_create (&f, session, creates[i].path, creates[i].data, creates[i].mode),
            creates[i].code);
        assert_int_equal (f.outcome.effects, creates[i].code == 0);
    }
    struct op op = op_create ("/z", "", 0);
    op.acl = (const uint8_t *) "?";
    op.acl_size = 1;
    assert_int_equal (fixture_op (&f, session, &op), COHORT_EINVALIDACL);
    op = op_create ("/z", "", COHORT_EPHEMERAL);
    op.ttl_ms = 1;
    assert_int_equal (fixture_op (&f, session, &op), COHORT_EINVAL);
    op = op_create ("/z", "", COHORT_CONTAINER);
    op.ttl_ms = 1;
    assert_int_equal (fixture_op (&f, session, &op), COHORT_EINVAL);
    op = op_create ("/z", "", COHORT_SEQUENTIAL);
    op.if_absent = true;
    assert_int_equal (fixture_op (&f, session, &op), COHORT_EINVAL);

    assert_int_equal (fixture_delete (&f, session, "/x", -1), COHORT_ENONODE);
    assert_int_equal (fixture_delete (&f, session, "/x/", -1), COHORT_EPATH);
    assert_int_equal (fixture_delete (&f, session, "/a", 1), COHORT_EBADVERSION);
    assert_int_equal (fixture_delete (&f, session, "/a", 0), COHORT_ENOTEMPTY);
    assert_int_equal (fixture_set (&f, session, "/x", "", -1), COHORT_ENONODE);
    assert_int_equal (fixture_set (&f, session, "/a", "", 1), COHORT_EBADVERSION);
    assert_int_equal (fixture_set (&f, session, "/a", "12345678901", 0), COHORT_ETOOBIG);
    fixture_deinit (&f);
}

static void test_set (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, session, "/a", "", 0), 0);
    zxid_t created = f.zxid;
    /* Sizes around the room in the znode and around the largest that is kept there. */
    static const size_t sizes[] = {0, 1, 8, 30, 5, 4096, 4097, 4097, 100000, 3, 0};
    char *data = mem_calloc (1, 100001);
    assert_non_null (data);
    for (size_t i = 0; i < sizeof (sizes) / sizeof (sizes[0]); i++) {
        memset (data, (int) ('a' + i), sizes[i]);
        data[sizes[i]] = 0;
        assert_int_equal (fixture_set (&f, session, "/a", data, (int32_t) i), 0);
        struct tree_node node;
        assert_int_equal (tree_get (f.tree, "/a", 2, &node), 0);
        assert_int_equal (node.data_size, sizes[i]);
        assert_memory_equal (node.data, data, sizes[i]);
        assert_int_equal (node.stat.version, i + 1);
        assert_int_equal (node.stat.mzxid, f.zxid);
        assert_int_equal (node.stat.mtime_ms, f.stamp_ms);
        assert_int_equal (node.stat.czxid, created);
        assert_int_equal (fixture_result (&f, 0).stat.version, i + 1);
        assert_int_equal (fixture_set (&f, session, "/a", "no", (int32_t) i), COHORT_EBADVERSION);
    }
    mem_free (data);
    fixture_deinit (&f);
}

static void test_version_wraps (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, session, "/a", "", 0), 0);
    struct znode *znode = znode_find (&f.tree->znodes, f.tree->root, "/a", 2);
    znode->version = INT32_MAX;
    fixture_renew (f.tree, znode, "/a");
    assert_int_equal (fixture_set (&f, session, "/a", "", INT32_MAX), 0);
    assert_int_equal (fixture_stat (&f, "/a").version, 0);
    fixture_deinit (&f);
}

static void test_checks (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    uint64_t other = fixture_session (&f, 2);
    assert_int_equal (fixture_create (&f, session, "/a", "", 0), 0);
    zxid_t czxid = f.zxid;
    assert_int_equal (fixture_create (&f, session, "/e", "", COHORT_EPHEMERAL), 0);
    zxid_t ozxid = f.zxid;
    struct op op = op_check ("/a", 0);
    assert_int_equal (fixture_op (&f, other, &op), 0);
    assert_int_equal (f.outcome.effects, 0);
    op = op_check ("/a", 1);
    assert_int_equal (fixture_op (&f, other, &op), COHORT_EBADVERSION);
    op = op_check ("/b", -1);
    assert_int_equal (fixture_op (&f, other, &op), COHORT_ENONODE);
    op = (struct op){.kind = OP_CHECK_CZXID, .path = "/a", .path_size = 2, .czxid = czxid};
    assert_int_equal (fixture_op (&f, other, &op), 0);
    op.czxid++;
    assert_int_equal (fixture_op (&f, other, &op), COHORT_EBADCZXID);
    op = (struct op){
        .kind = OP_CHECK_OWNER, .path = "/e", .path_size = 2, .session = session, .ozxid = ozxid};
    assert_int_equal (fixture_op (&f, other, &op), 0);
    op.session = other;
    assert_int_equal (fixture_op (&f, other, &op), COHORT_EBADOWNER);
    op.session = session;
    op.ozxid--;
    assert_int_equal (fixture_op (&f, other, &op), COHORT_EBADOWNER);
    op.path = "/a";
    op.session = 0;
    op.ozxid = 0;
    assert_int_equal (fixture_op (&f, other, &op), COHORT_EBADOWNER);
    fixture_deinit (&f);
}

static void test_sequences (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    const uint8_t sequential = COHORT_SEQUENTIAL;
    assert_int_equal (fixture_create (&f, s, "/q", "", 0), 0);
    assert_int_equal (fixture_create (&f, s, "/q/n-", "", sequential), 0);
    fixture_expect_path (&f, 0, "/q/n-0000000000");
    /* Other children do not count, nor do other prefixes have numbers of their own. */
    assert_int_equal (fixture_create (&f, s, "/q/x", "", 0), 0);
    assert_int_equal (fixture_create (&f, s, "/q/m-", "", sequential | COHORT_EPHEMERAL), 0);
    fixture_expect_path (&f, 0, "/q/m-0000000001");
    assert_int_equal (fixture_create (&f, s, "/q/", "", sequential), 0);
    fixture_expect_path (&f, 0, "/q/0000000002");
    assert_int_equal (fixture_create (&f, s, "/", "", sequential), 0);
    fixture_expect_path (&f, 0, "/0000000000");
    /* Deleting gives nothing back. */
    assert_int_equal (fixture_delete (&f, s, "/q/0000000002", -1), 0);
    assert_int_equal (fixture_create (&f, s, "/q/", "", sequential), 0);
    fixture_expect_path (&f, 0, "/q/0000000003");
    /* A failure takes nothing. */
    struct op op = op_create ("/q/n-", "", sequential);
    op.acl = (const uint8_t *) "?";
    op.acl_size = 1;
    assert_int_equal (fixture_op (&f, s, &op), COHORT_EINVALIDACL);
    assert_int_equal (fixture_create (&f, s, "/q/n-", "", sequential), 0);
    fixture_expect_path (&f, 0, "/q/n-0000000004");
    /* Names that were given by hand are passed over. */
    assert_int_equal (fixture_create (&f, s, "/q/n-0000000005", "", 0), 0);
    assert_int_equal (fixture_create (&f, s, "/q/n-0000000006", "", 0), 0);
    assert_int_equal (fixture_create (&f, s, "/q/n-", "", sequential), 0);
    fixture_expect_path (&f, 0, "/q/n-0000000008");
    assert_int_equal (fixture_create (&f, s, "/q/n-", "", sequential), 0);
    fixture_expect_path (&f, 0, "/q/n-0000000009");
    fixture_deinit (&f);
}

static int add (struct fixture *f, uint64_t session, const char *path, int64_t delta, int64_t floor,
                int64_t ceiling)
{
    struct op op = {.kind = OP_ADD,
                    .path = path,
                    .path_size = (uint32_t) strlen (path),
                    .delta = delta,
                    .floor = floor,
                    .ceiling = ceiling};
    return fixture_op (f, session, &op);
}

static void expect_data (const struct fixture *f, const char *path, const char *text)
{
    struct tree_node node;
    assert_int_equal (tree_get (f->tree, path, strlen (path), &node), 0);
    assert_int_equal (node.data_size, strlen (text));
    assert_memory_equal (node.data, text, node.data_size);
}

static void test_counter (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (add (&f, s, "/n", 1, INT64_MIN, INT64_MAX), COHORT_ENONODE);
    assert_int_equal (fixture_create (&f, s, "/n", "", 0), 0);
    assert_int_equal (add (&f, s, "/n", 5, INT64_MIN, INT64_MAX), 0);
    assert_true (fixture_result (&f, 0).has_value);
    assert_int_equal (fixture_result (&f, 0).value, 5);
    assert_int_equal (fixture_result (&f, 0).stat.version, 1);
    expect_data (&f, "/n", "5");
    assert_int_equal (add (&f, s, "/n", -7, -2, 5), 0);
    expect_data (&f, "/n", "-2");
    /* The bounds are those of the sum, and nothing changes beyond them. */
    assert_int_equal (add (&f, s, "/n", -1, -2, 5), COHORT_EBOUNDS);
    assert_int_equal (add (&f, s, "/n", 8, -2, 5), COHORT_EBOUNDS);
    assert_int_equal (f.outcome.effects, 0);
    expect_data (&f, "/n", "-2");
    assert_int_equal (fixture_set (&f, s, "/n", "9223372036854775807", -1), 0);
    assert_int_equal (add (&f, s, "/n", 1, INT64_MIN, INT64_MAX), COHORT_EBOUNDS);
    assert_int_equal (fixture_set (&f, s, "/n", "12 ", -1), 0);
    assert_int_equal (add (&f, s, "/n", 1, INT64_MIN, INT64_MAX), COHORT_ENOTNUMBER);
    /* Inside a multi each sees what the ones before it left. */
    assert_int_equal (fixture_set (&f, s, "/n", "1", -1), 0);
    struct op ops[3];
    for (int i = 0; i < 3; i++) {
        ops[i] = (struct op){
            .kind = OP_ADD, .path = "/n", .path_size = 2, .delta = 1, .floor = 0, .ceiling = 3};
    }
    assert_int_equal (fixture_multi (&f, s, ops, 2), 0);
    assert_int_equal (fixture_result (&f, 1).value, 3);
    assert_int_equal (fixture_multi (&f, s, ops, 3), COHORT_EBOUNDS);
    expect_data (&f, "/n", "3");
    fixture_deinit (&f);
}

static int delete_tree (struct fixture *f, uint64_t session, const char *path, uint32_t limit)
{
    struct op op = {.kind = OP_DELETE_TREE,
                    .path = path,
                    .path_size = (uint32_t) strlen (path),
                    .version = -1,
                    .limit = limit};
    return fixture_op (f, session, &op);
}

static void test_delete_tree (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    static const char *const paths[] = {"/a", "/a/b", "/a/b/c", "/a/d", "/ab", "/z"};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal (fixture_create (&f, s, paths[i], "", 0), 0);
    }
    assert_int_equal (fixture_create (&f, s, "/a/b/e", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (delete_tree (&f, s, "/", 0), COHORT_EINVAL);
    assert_int_equal (delete_tree (&f, s, "/none", 0), COHORT_ENONODE);
    assert_int_equal (delete_tree (&f, s, "/a", 4), COHORT_ETOOBIG);
    assert_int_equal (fixture_result (&f, 0).value, 5);
    assert_int_equal (f.outcome.effects, 0);
    assert_int_equal (delete_tree (&f, s, "/a", 5), 0);
    assert_int_equal (fixture_result (&f, 0).value, 5);
    assert_int_equal (f.outcome.effects, 5);
    assert_false (fixture_exists (&f, "/a"));
    assert_true (fixture_exists (&f, "/ab"));
    assert_int_equal (fixture_stat (&f, "/").child_count, 3);
    assert_int_equal (delete_tree (&f, s, "/z", 0), 0);
    assert_int_equal (fixture_result (&f, 0).value, 1);
    fixture_deinit (&f);
}

/* Everything comes back, in its places: ephemerals in their session's order too (tree_check). */
static void test_delete_tree_undone (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, s, "/a", "top", 0), 0);
    assert_int_equal (fixture_create (&f, s, "/a/e1", "1", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, s, "/e2", "2", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, s, "/a/b", "", 0), 0);
    assert_int_equal (fixture_create (&f, s, "/a/b/e3", "3", COHORT_EPHEMERAL), 0);
    struct op ops[] = {op_set ("/a/e1", "changed", -1),
                       {.kind = OP_DELETE_TREE, .path = "/a", .path_size = 2, .version = -1},
                       op_create ("/a", "again", 0),
                       op_create ("/a/b", "again", COHORT_EPHEMERAL),
                       op_check ("/none", -1)};
    assert_int_equal (fixture_multi (&f, s, ops, 5), COHORT_ENONODE);
    assert_int_equal (f.outcome.effects, 0);
    expect_data (&f, "/a", "top");
    expect_data (&f, "/a/e1", "1");
    expect_data (&f, "/a/b/e3", "3");
    tree_check (f.tree);
    /* The same without the last one takes place. */
    assert_int_equal (fixture_multi (&f, s, ops, 4), 0);
    assert_int_equal (fixture_result (&f, 1).value, 4);
    expect_data (&f, "/a", "again");
    tree_check (f.tree);
    fixture_deinit (&f);
}

/* One write removes ENTRY_TREE_MAX znodes at most, in however many operations. */
static void test_delete_tree_limit (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    f.check = false;
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, s, "/a", "", 0), 0);
    assert_int_equal (fixture_create (&f, s, "/b", "", 0), 0);
    for (int i = 0; i < ENTRY_TREE_MAX; i++) {
        assert_int_equal (fixture_create (&f, s, i == 0 ? "/b/x-" : "/a/x-", "", 2), 0);
    }
    /* 1 and 999 below /a; 1 and 1 below /b */
    struct op ops[] = {
        {.kind = OP_DELETE_TREE, .path = "/a", .path_size = 2, .version = -1},
        {.kind = OP_DELETE_TREE, .path = "/b", .path_size = 2, .version = -1},
    };
    assert_int_equal (fixture_multi (&f, s, ops, 2), COHORT_ETOOBIG);
    assert_int_equal (fixture_result (&f, 1).code, COHORT_ETOOBIG);
    assert_int_equal (tree_node_count (f.tree), 2 + FIXTURE_FOUNDED + ENTRY_TREE_MAX);
    tree_check (f.tree);
    assert_int_equal (fixture_multi (&f, s, ops, 1), 0);
    assert_int_equal (tree_node_count (f.tree), 2 + FIXTURE_FOUNDED);
    for (int i = 0; i < ENTRY_TREE_MAX; i++) {
        assert_int_equal (fixture_create (&f, s, "/b/x-", "", 2), 0);
    }
    assert_int_equal (delete_tree (&f, s, "/b", 0), COHORT_ETOOBIG);
    assert_int_equal (fixture_result (&f, 0).value, 2 + ENTRY_TREE_MAX);
    fixture_deinit (&f);
}

static void test_absent (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    struct op ops[] = {{.kind = OP_CHECK_ABSENT, .path = "/a", .path_size = 2},
                       op_create ("/a", "first", 0)};
    assert_int_equal (fixture_multi (&f, s, ops, 2), 0);
    assert_int_equal (fixture_multi (&f, s, ops, 2), COHORT_ENODEEXISTS);
    assert_int_equal (fixture_result (&f, 0).code, COHORT_ENODEEXISTS);
    ops[0] = (struct op){.kind = OP_CHECK_ABSENT, .path = "//", .path_size = 2};
    assert_int_equal (fixture_op (&f, s, &ops[0]), COHORT_EPATH);
    /* Create if absent: what is there is told of and left alone. */
    struct op again = op_create ("/a", "second", COHORT_EPHEMERAL);
    again.if_absent = true;
    assert_int_equal (fixture_op (&f, s, &again), 0);
    assert_true (fixture_result (&f, 0).existed);
    fixture_expect_path (&f, 0, "/a");
    assert_int_equal (fixture_result (&f, 0).stat.ephemeral_owner, 0);
    assert_int_equal (f.outcome.effects, 0);
    expect_data (&f, "/a", "first");
    again.path = "/b";
    assert_int_equal (fixture_op (&f, s, &again), 0);
    assert_false (fixture_result (&f, 0).existed);
    expect_data (&f, "/b", "second");
    again.path = "/";
    again.path_size = 1;
    assert_int_equal (fixture_op (&f, s, &again), 0);
    assert_true (fixture_result (&f, 0).existed);
    fixture_deinit (&f);
}

static void set_sequence (struct fixture *f, const char *path, uint64_t sequence)
{
    struct znode *znode = znode_find (&f->tree->znodes, f->tree->root, path, strlen (path));
    znode->u.family->sequence = sequence;
    fixture_renew (f->tree, znode, path);
}

static void test_sequence_sizes (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    set_sequence (&f, "/", 9999999999);
    assert_int_equal (fixture_create (&f, s, "/n", "", COHORT_SEQUENTIAL), 0);
    fixture_expect_path (&f, 0, "/n9999999999");
    assert_int_equal (fixture_create (&f, s, "/n", "", COHORT_SEQUENTIAL), 0);
    fixture_expect_path (&f, 0, "/n10000000000");
    set_sequence (&f, "/", INT64_MAX - 1);
    assert_int_equal (fixture_create (&f, s, "/n", "", COHORT_SEQUENTIAL), 0);
    fixture_expect_path (&f, 0, "/n9223372036854775806");
    assert_int_equal (fixture_create (&f, s, "/n", "", COHORT_SEQUENTIAL), COHORT_ELIMIT);
    fixture_deinit (&f);
}

static void test_children_in_order (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, s, "/d", "", 0), 0);
    static const char *const paths[] = {"/d/b",          "/d/a",         "/d/ab",       "/d/aa",
                                        "/d/abcdefghij", "/d/abcdefghi", "/d/\xc3\xa9", "/d/c"};
    char out[1024];
    for (size_t i = 0; i < sizeof (paths) / sizeof (paths[0]); i++) {
        assert_int_equal (fixture_create (&f, s, paths[i], "", 0), 0);
        if (i == 2) {
            assert_string_equal (fixture_children (&f, "/d", out), "a ab b");
        }
    }
    assert_string_equal (fixture_children (&f, "/d", out),
                         "a aa ab abcdefghi abcdefghij b c \xc3\xa9");
    assert_int_equal (fixture_delete (&f, s, "/d/b", -1), 0);
    assert_int_equal (fixture_create (&f, s, "/d/0", "", 0), 0);
    assert_string_equal (fixture_children (&f, "/d", out),
                         "0 a aa ab abcdefghi abcdefghij c \xc3\xa9");
    assert_string_equal (fixture_children (&f, "/d/a", out), "");
    struct tree_list all = {0};
    assert_int_equal (tree_children (f.tree, "/none", 5, &all, NULL, NULL, NULL), COHORT_ENONODE);
    assert_int_equal (tree_children (f.tree, "none", 4, &all, NULL, NULL, NULL), COHORT_EPATH);
    fixture_deinit (&f);
}

static void test_list_pages (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, s, "/d", "", 0), 0);
    static const char *const paths[] = {"/d/a",   "/d/r-1", "/d/r-2", "/d/r-3",
                                        "/d/w-1", "/d/w-2", "/d/z"};
    for (size_t i = 0; i < sizeof (paths) / sizeof (paths[0]); i++) {
        uint8_t mode = i == 2 || i == 4 ? COHORT_EPHEMERAL : 0;
        assert_int_equal (fixture_create (&f, s, paths[i], "", mode), 0);
    }
    static const struct {
        struct tree_list list;
        const char *expected; /* "...x": it goes on behind x */
    } cases[] = {
        {{.limit = 3}, "a r-1 r-2 ...r-2"},
        {{.limit = 7}, "a r-1 r-2 r-3 w-1 w-2 z"},
        {{.after = "r-2", .after_size = 3}, "r-3 w-1 w-2 z"},
        {{.after = "r-20", .after_size = 4}, "r-3 w-1 w-2 z"},
        {{.after = "z", .after_size = 1}, ""},
        {{.descending = true, .limit = 2}, "z w-2 ...w-2"},
        {{.after = "r-2", .after_size = 3, .descending = true}, "r-1 a"},
        {{.after = "r-20", .after_size = 4, .descending = true}, "r-2 r-1 a"},
        {{.prefix = "r-", .prefix_size = 2}, "r-1 r-2 r-3"},
        {{.prefix = "r-", .prefix_size = 2, .limit = 3}, "r-1 r-2 r-3"},
        {{.prefix = "r-", .prefix_size = 2, .limit = 2}, "r-1 r-2 ...r-2"},
        {{.prefix = "r-", .prefix_size = 2, .after = "r-1", .after_size = 3}, "r-2 r-3"},
        {{.prefix = "r-", .prefix_size = 2, .after = "a", .after_size = 1}, "r-1 r-2 r-3"},
        {{.prefix = "r-", .prefix_size = 2, .after = "r", .after_size = 1}, "r-1 r-2 r-3"},
        {{.prefix = "r-", .prefix_size = 2, .after = "z", .after_size = 1}, ""},
        {{.prefix = "r-", .prefix_size = 2, .descending = true}, "r-3 r-2 r-1"},
        {{.prefix = "r-", .prefix_size = 2, .after = "w-1", .after_size = 3, .descending = true},
         "r-3 r-2 r-1"},
        {{.prefix = "r-", .prefix_size = 2, .after = "r-3", .after_size = 3, .descending = true},
         "r-2 r-1"},
        {{.prefix = "r-", .prefix_size = 2, .after = "r", .after_size = 1, .descending = true}, ""},
        {{.prefix = "r-1", .prefix_size = 3}, "r-1"},
        {{.prefix = "x", .prefix_size = 1}, ""},
        {{.filter = TREE_EPHEMERAL}, "r-2 w-1"},
        {{.filter = TREE_PERSISTENT}, "a r-1 r-3 w-2 z"},
        {{.filter = TREE_EPHEMERAL, .limit = 1}, "r-2 ...r-2"},
        {{.filter = TREE_EPHEMERAL, .looks = 2}, " ...r-1"},
        {{.filter = TREE_PERSISTENT, .looks = 4}, "a r-1 r-3 ...r-3"},
    };
    char out[1024];
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        fixture_list (&f, "/d", &cases[i].list, out);
        assert_string_equal (out, cases[i].expected);
    }
    fixture_deinit (&f);
}

struct walk {
    char paths[1024];
    int left;
};

static bool note_path (void *arg, const struct tree_node *node)
{
    struct walk *walk = arg;
    size_t used = strlen (walk->paths);
    size_t size = strlen (node->path);
    assert_true (used + size + 2 < sizeof (walk->paths));
    walk->paths[used] = ' ';
    memcpy (walk->paths + used + 1, node->path, size + 1);
    return --walk->left != 0;
}

static void test_walk (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    static const char *const paths[] = {"/b",     "/a", "/a/z", "/a/y",
                                        "/a/y/x", "/c", "/c/d", "/c/d/e"};
    for (size_t i = 0; i < sizeof (paths) / sizeof (paths[0]); i++) {
        assert_int_equal (fixture_create (&f, s, paths[i], "", 0), 0);
    }
    struct walk walk = {{0}, 0};
    assert_int_equal (tree_walk (f.tree, "/", 1, NULL, note_path, &walk), 0);
    assert_string_equal (walk.paths,
                         " / /a /a/y /a/y/x /a/z /b /c /c/d /c/d/e /zookeeper /zookeeper/config"
                         " /zookeeper/quota");
    walk = (struct walk){{0}, 0};
    assert_int_equal (tree_walk (f.tree, "/a", 2, NULL, note_path, &walk), 0);
    assert_string_equal (walk.paths, " /a /a/y /a/y/x /a/z");
    walk = (struct walk){{0}, 0};
    assert_int_equal (tree_walk (f.tree, "/c/d/e", 6, NULL, note_path, &walk), 0);
    assert_string_equal (walk.paths, " /c/d/e");
    walk = (struct walk){{0}, 3};
    assert_int_equal (tree_walk (f.tree, "/", 1, NULL, note_path, &walk), 0);
    assert_string_equal (walk.paths, " / /a /a/y");
    assert_int_equal (tree_walk (f.tree, "/x", 2, NULL, note_path, &walk), COHORT_ENONODE);
    assert_int_equal (tree_walk (f.tree, "/x/", 3, NULL, note_path, &walk), COHORT_EPATH);
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_root),
        cmocka_unit_test (test_create_stat),
        cmocka_unit_test (test_refusals),
        cmocka_unit_test (test_set),
        cmocka_unit_test (test_version_wraps),
        cmocka_unit_test (test_checks),
        cmocka_unit_test (test_counter),
        cmocka_unit_test (test_delete_tree),
        cmocka_unit_test (test_delete_tree_undone),
        cmocka_unit_test (test_delete_tree_limit),
        cmocka_unit_test (test_absent),
        cmocka_unit_test (test_sequences),
        cmocka_unit_test (test_sequence_sizes),
        cmocka_unit_test (test_children_in_order),
        cmocka_unit_test (test_list_pages),
        cmocka_unit_test (test_walk),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
