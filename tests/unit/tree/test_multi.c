/* Several operations as one: results, and that a failure leaves no trace. */

#include "tests/unit/tree/fixture.h"

#define COUNT(array) ((uint32_t) (sizeof (array) / sizeof ((array)[0])))

/* The part of the digest that is the znodes'. */
static uint64_t znodes_digest (const struct tree *tree)
{
    uint64_t sum = tree->digest;
    for (struct list_node *at = list_first (&tree->results); at != NULL;
         at = list_next (&tree->results, at)) {
        sum -= list_entry (at, struct stored, node)->digest;
    }
    for (struct list_node *at = list_first (&tree->session_order); at != NULL;
         at = list_next (&tree->session_order, at)) {
        sum -= list_entry (at, struct session, order)->digest;
    }
    return sum;
}

static void test_all_or_nothing (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    struct op good[] = {
        op_create ("/a", "1", 0), op_create ("/a/b", "2", COHORT_EPHEMERAL), op_set ("/a", "3", 0),
        op_check ("/a", 1),       op_create ("/a/s", "", COHORT_SEQUENTIAL), op_delete ("/a/b", 0),
    };
    assert_int_equal (fixture_multi (&f, id, good, COUNT (good)), 0);
    assert_int_equal (f.outcome.effects, 5);
    for (uint32_t i = 0; i < COUNT (good); i++) {
        assert_int_equal (fixture_result (&f, i).code, 0);
    }
    fixture_expect_path (&f, 0, "/a");
    fixture_expect_path (&f, 4, "/a/s0000000000");
    /* Each stat is as of its operation. */
    assert_int_equal (fixture_result (&f, 0).stat.child_count, 0);
    assert_int_equal (fixture_result (&f, 2).stat.child_count, 1);
    assert_false (fixture_result (&f, 3).has_stat);
    assert_false (fixture_result (&f, 5).has_stat);
    cohort_stat_t stat = fixture_stat (&f, "/a");
    assert_int_equal (stat.cversion, 3);
    assert_int_equal (stat.child_count, 1);
    assert_int_equal (stat.version, 1);

    struct op bad[] = {op_create ("/c", "", 0), op_set ("/a", "4", 1), op_check ("/a", 7),
                       op_create ("/d", "", 0)};
    uint64_t digest = znodes_digest (f.tree);
    assert_int_equal (fixture_multi (&f, id, bad, COUNT (bad)), COHORT_EBADVERSION);
    assert_int_equal (f.outcome.effects, 0);
    assert_int_equal (fixture_result (&f, 0).code, COHORT_EROLLEDBACK);
    assert_int_equal (fixture_result (&f, 1).code, COHORT_EROLLEDBACK);
    assert_int_equal (fixture_result (&f, 2).code, COHORT_EBADVERSION);
    assert_int_equal (fixture_result (&f, 3).code, COHORT_EROLLEDBACK);
    assert_false (fixture_result (&f, 0).has_path);
    assert_false (fixture_exists (&f, "/c"));
    assert_int_equal (fixture_stat (&f, "/a").version, 1);
    assert_int_equal (znodes_digest (f.tree), digest);
    fixture_deinit (&f);
}

static void test_empty (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    assert_int_equal (fixture_multi (&f, id, NULL, 0), 0);
    assert_int_equal (f.outcome.effects, 0);
    fixture_deinit (&f);
}

/* All reads of the state, and the parts that no read shows. */
static void znodes_dump (struct fixture *f, struct buf *out)
{
    char names[1024];
    static const char *const paths[] = {"/", "/a", "/a/b", "/a/b/c", "/e", "/q"};
    for (size_t i = 0; i < sizeof (paths) / sizeof (paths[0]); i++) {
        struct tree_node node;
        if (tree_get (f->tree, paths[i], strlen (paths[i]), &node) != 0) {
            continue;
        }
        buf_string (out, node.path);
        buf_blob (out, node.data, node.data_size);
        result_stat_encode (out, &node.stat);
        buf_string (out, fixture_children (f, paths[i], names));
        struct znode *znode =
            znode_find (&f->tree->znodes, f->tree->root, paths[i], strlen (paths[i]));
        struct family *family = znode_family (znode);
        buf_u64 (out, family != NULL ? family->sequence : 0);
    }
    buf_u64 (out, tree_node_count (f->tree));
    buf_u64 (out, map_count (&f->tree->znodes));
}

static void test_undo (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    uint64_t other = fixture_session (&f, 2);
    assert_int_equal (fixture_create (&f, id, "/a", "data of a", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/a/b", "", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/a/b/c", "1", 0), 0);
    assert_int_equal (fixture_create (&f, other, "/e", "2", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, other, "/e2", "2", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, id, "/q", "", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/q/n", "", COHORT_SEQUENTIAL), 0);
    char large[10000];
    memset (large, 'x', sizeof (large) - 1);
    large[sizeof (large) - 1] = 0;
    /* Each ends in something that fails. */
    struct op multis[][8] = {
        {op_set ("/a", "", 0), op_set ("/a", large, 1), op_set ("/a", "y", 2)},
        {op_delete ("/a/b/c", -1), op_delete ("/a/b", -1), op_delete ("/a", -1)},
        {op_delete ("/a/b/c", -1), op_delete ("/a/b", -1), op_create ("/a/b", "new", 0),
         op_create ("/a/b/c", "new", COHORT_EPHEMERAL), op_delete ("/a/b/c", 0)},
        {op_delete ("/e", -1), op_create ("/e", "", 0), op_create ("/e/f", "", 0)},
        {op_delete ("/e", -1), op_delete ("/e2", -1)},
        {op_delete ("/e2", -1), op_delete ("/e", -1), op_create ("/e", "mine", COHORT_EPHEMERAL)},
        {op_create ("/q/n", "", COHORT_SEQUENTIAL), op_create ("/q/n", "", COHORT_SEQUENTIAL),
         op_delete ("/q/n0000000001", -1)},
        {op_create ("/z", "", 0), op_create ("/z/z", "", 0), op_set ("/z/z", large, 0),
         op_delete ("/z/z", 1), op_delete ("/z", 0)},
    };
    struct buf before = {0}, after = {0};
    znodes_dump (&f, &before);
    for (size_t i = 0; i < sizeof (multis) / sizeof (multis[0]); i++) {
        uint32_t count = 0;
        while (multis[i][count].kind != 0) {
            count++;
        }
        multis[i][count] = op_delete ("/none", -1);
        assert_int_equal (fixture_multi (&f, id, multis[i], count + 1), COHORT_ENONODE);
        buf_clear (&after);
        znodes_dump (&f, &after);
        assert_int_equal (before.size, after.size);
        assert_memory_equal (before.data, after.data, before.size);
        assert_int_equal (f.tree->digest, digest_recompute (f.tree));
    }
    /* The owner's list is whole, and in its order. */
    fixture_close (&f, other, 1, 1, ENTRY_EXPIRED);
    assert_int_equal (f.outcome.effects, 2);
    assert_true (f.outcome.session_gone);
    /* And each of them works once the failure is taken away. */
    assert_int_equal (fixture_create (&f, id, "/e", "", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/e2", "", 0), 0);
    assert_int_equal (fixture_multi (&f, id, multis[7], 5), 0);
    assert_int_equal (fixture_multi (&f, id, multis[6], 3), 0);
    assert_int_equal (fixture_multi (&f, id, multis[2], 5), 0);
    buf_deinit (&before);
    buf_deinit (&after);
    fixture_deinit (&f);
}

static void test_largest (void **state)
{
    (void) state;
    struct fixture f;
    struct entry_limits limits = fixture_limits;
    fixture_init_with (&f, NULL, &limits);
    uint64_t id = fixture_session (&f, 1);
    struct op *ops = mem_calloc (ENTRY_OPS_MAX, sizeof (*ops));
    assert_non_null (ops);
    for (int i = 0; i < ENTRY_OPS_MAX; i++) {
        ops[i] = op_create ("/n", "data", COHORT_SEQUENTIAL);
    }
    assert_int_equal (fixture_multi (&f, id, ops, ENTRY_OPS_MAX), 0);
    assert_int_equal (tree_node_count (f.tree), ENTRY_OPS_MAX + FIXTURE_FOUNDED);
    assert_int_equal (f.outcome.effects, ENTRY_OPS_MAX);
    ops[ENTRY_OPS_MAX - 1] = op_delete ("/x", -1);
    assert_int_equal (fixture_multi (&f, id, ops, ENTRY_OPS_MAX), COHORT_ENONODE);
    assert_int_equal (tree_node_count (f.tree), ENTRY_OPS_MAX + FIXTURE_FOUNDED);
    assert_int_equal (fixture_create (&f, id, "/n", "", COHORT_SEQUENTIAL), 0);
    fixture_expect_path (&f, 0, "/n0000001024");
    mem_free (ops);
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_all_or_nothing),
        cmocka_unit_test (test_empty),
        cmocka_unit_test (test_undo),
        cmocka_unit_test (test_largest),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
