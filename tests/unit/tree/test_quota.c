/* The servers' own znodes, and quotas: what results and outcomes say of them. What is refused, and
 * what is not, is in tests/semantics/quotas.facts, and by chance in test_property.c. */

#include <stdio.h>

#include "server/tree/quota.h"
#include "server/tree/system.h"
#include "tests/unit/tree/fixture.h"

#define HOME   "/zookeeper/quota/a"
#define LIMITS HOME "/zookeeper_limits"
#define STATS  HOME "/zookeeper_stats"

/* /a with a quota; the session. */
static uint64_t begin (struct fixture *f, const char *limits)
{
    fixture_init (f, NULL);
    uint64_t session = fixture_session (f, 1);
    assert_int_equal (fixture_create (f, session, "/a", "12", 0), 0);
    assert_int_equal (fixture_create (f, session, HOME, "", 0), 0);
    assert_int_equal (fixture_create (f, session, LIMITS, limits, 0), 0);
    assert_int_equal (fixture_create (f, session, STATS, "", 0), 0);
    return session;
}

static void expect_quota (const struct fixture *f, uint32_t i, const struct tree_quota *quota)
{
    struct result_op result = fixture_result (f, i);
    assert_int_equal (result.code, COHORT_EQUOTA);
    assert_true (result.has_quota);
    assert_int_equal (result.quota.kind, quota->kind);
    assert_int_equal (result.quota.limit, quota->limit);
    assert_int_equal (result.quota.value, quota->value);
    assert_int_equal (result.quota.path_size, quota->path_size);
    assert_memory_equal (result.quota.path, quota->path, quota->path_size);
}

static void test_config (void **state)
{
    (void) state;
    static const char *const addresses[] = {"tcp://one:5188", "inproc://two"};
    struct fixture f = {.zxid = zxid_make (1, 0), .stamp_ms = 1000, .check = true};
    struct entry entry;
    struct buf blobs = {0};
    f.tree = tree_new (NULL);
    fixture_cluster (&entry, &fixture_limits);
    buf_string (&blobs, addresses[0]);
    buf_string (&blobs, addresses[1]);
    entry.u.cluster.addresses = blobs.data;
    entry.u.cluster.addresses_size = (uint32_t) blobs.size;
    fixture_entry (&f, &entry);
    struct tree_node node;
    assert_int_equal (tree_get (f.tree, TEXT (SYSTEM_CONFIG), &node), 0);
    static const char text[] = "server.1=one:5188:participant\nserver.2=inproc://two:observer\n"
                               "version=10000000001";
    assert_int_equal (node.data_size, strlen (text));
    assert_memory_equal (node.data, text, node.data_size);
    buf_deinit (&blobs);
    fixture_deinit (&f);
}

/* An address too few, or what is no text. */
static void test_bad_addresses (void **state)
{
    (void) state;
    static const char *const bad[] = {"tcp://a b", "\x01", "\xc3\xa9"};
    for (size_t i = 0; i < 4; i++) {
        struct tree *tree = tree_new (NULL);
        struct tree_outcome outcome;
        struct entry entry;
        struct buf blobs = {0}, bytes = {0};
        fixture_cluster (&entry, &fixture_limits);
        buf_string (&blobs, "tcp://one:5188");
        if (i < 3) {
            buf_string (&blobs, bad[i]);
        }
        entry.u.cluster.addresses = blobs.data;
        entry.u.cluster.addresses_size = (uint32_t) blobs.size;
        entry_encode (&bytes, &entry);
        assert_false (tree_apply (tree, 1, 1, bytes.data, bytes.size, &outcome));
        buf_deinit (&blobs);
        buf_deinit (&bytes);
        tree_destroy (&tree);
    }
}

static void test_which_quota (void **state)
{
    (void) state;
    struct fixture f;
    uint64_t session = begin (&f, "countHardLimit=2,byteHardLimit=5");
    assert_int_equal (fixture_create (&f, session, "/a/b", "3", 0), 0);
    assert_int_equal (fixture_create (&f, session, "/a/c", "", 0), COHORT_EQUOTA);
    expect_quota (&f, 0, &(struct tree_quota){TREE_QUOTA_COUNT_HARD, "/a", 2, 2, 3});
    assert_int_equal (fixture_set (&f, session, "/a/b", "3456", -1), COHORT_EQUOTA);
    expect_quota (&f, 0, &(struct tree_quota){TREE_QUOTA_BYTES_HARD, "/a", 2, 5, 6});
    /* Of a transaction, the one that failed says it. */
    struct op ops[] = {op_set ("/a/b", "34", -1), op_create ("/a/b/c", "", 0)};
    assert_int_equal (fixture_multi (&f, session, ops, 2), COHORT_EQUOTA);
    assert_false (fixture_result (&f, 0).has_quota);
    expect_quota (&f, 1, &(struct tree_quota){TREE_QUOTA_COUNT_HARD, "/a", 2, 2, 3});
    fixture_deinit (&f);
}

/* Who may not read a znode is not told how many there are. */
static void test_hidden (void **state)
{
    (void) state;
    struct fixture f;
    uint64_t session = begin (&f, "countHardLimit=2");
    assert_int_equal (fixture_create (&f, session, "/a/b", "", 0), 0);
    struct op op = op_set_acl_of ("/a", "anna:hash", COHORT_PERM_ALL);
    assert_int_equal (fixture_op (&f, session, &op), 0);
    assert_int_equal (fixture_create (&f, session, "/a/b/c", "", 0), COHORT_EQUOTA);
    assert_false (fixture_result (&f, 0).has_quota);
    struct tree_node node;
    assert_int_equal (tree_get_as (f.tree, session, TREE_WHOLE, TEXT (STATS), &node),
                      COHORT_ENOAUTH);
    assert_int_equal (tree_get_as (f.tree, session, TREE_BARE, TEXT (STATS), &node), 0);
    assert_int_equal (fixture_prove (&f, session, "anna:hash"), 0);
    assert_int_equal (fixture_create (&f, session, "/a/b/c", "", 0), COHORT_EQUOTA);
    expect_quota (&f, 0, &(struct tree_quota){TREE_QUOTA_COUNT_HARD, "/a", 2, 2, 3});
    assert_int_equal (tree_get_as (f.tree, session, TREE_WHOLE, TEXT (STATS), &node), 0);
    fixture_deinit (&f);
}

static void expect_crossed (const struct fixture *f, enum tree_quota_kind kind, int64_t value)
{
    assert_int_equal (f->outcome.crossed_count, 1);
    const struct tree_quota *crossed = &f->outcome.crossed[0];
    assert_int_equal (crossed->kind, kind);
    assert_int_equal (crossed->value, value);
    assert_int_equal (crossed->path_size, 2);
    assert_memory_equal (crossed->path, "/a", 2);
}

static void test_warnings (void **state)
{
    (void) state;
    struct fixture f;
    uint64_t session = begin (&f, "count=2,bytes=4,countHardLimit=4");
    assert_int_equal (f.outcome.crossed_count, 0);
    assert_int_equal (fixture_create (&f, session, "/a/b", "", 0), 0);
    assert_int_equal (f.outcome.crossed_count, 0);
    assert_int_equal (fixture_create (&f, session, "/a/c", "", 0), 0);
    expect_crossed (&f, TREE_QUOTA_COUNT, 3);
    /* Once. */
    assert_int_equal (fixture_create (&f, session, "/a/d", "", 0), 0);
    assert_int_equal (f.outcome.crossed_count, 0);
    /* And once more, behind a time within the limit. */
    assert_int_equal (fixture_delete (&f, session, "/a/d", -1), 0);
    assert_int_equal (fixture_delete (&f, session, "/a/c", -1), 0);
    assert_int_equal (fixture_set (&f, session, "/a/b", "345", -1), 0);
    expect_crossed (&f, TREE_QUOTA_BYTES, 5);
    /* Not of what did not happen. */
    struct op ops[] = {op_create ("/a/c", "", 0), op_delete ("/none", -1)};
    assert_int_equal (fixture_multi (&f, session, ops, 2), COHORT_ENONODE);
    assert_int_equal (f.outcome.crossed_count, 0);
    assert_int_equal (fixture_multi (&f, session, ops, 1), 0);
    expect_crossed (&f, TREE_QUOTA_COUNT, 3);
    /* And not of what is asked for again. */
    fixture_apply (&f);
    assert_false (f.outcome.executed);
    assert_int_equal (f.outcome.crossed_count, 0);
    fixture_deinit (&f);
}

/* More limits on one path than are told. */
static void test_many_warnings (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    f.check = false;
    uint64_t session = fixture_session (&f, 1);
    char path[300] = "", home[400] = SYSTEM_QUOTAS;
    for (int i = 0; i < 2 * QUOTA_NOTES_MAX; i++) {
        memcpy (path + 2 * i, "/d", 3);
        memcpy (home + sizeof (SYSTEM_QUOTAS) - 1 + 2 * i, "/d", 3);
        assert_int_equal (fixture_create (&f, session, path, "", 0), 0);
        assert_int_equal (fixture_create (&f, session, home, "", 0), 0);
        char limits[500];
        snprintf (limits, sizeof (limits), "%s/%s", home, QUOTA_LIMITS);
        assert_int_equal (fixture_create (&f, session, limits, "bytes=0", 0), 0);
    }
    assert_int_equal (fixture_set (&f, session, path, "x", -1), 0);
    assert_int_equal (f.outcome.crossed_count, QUOTA_NOTES_MAX);
    fixture_deinit (&f);
}

/* A state from a snapshot has the same quotas, and counts the same. */
static void test_loaded (void **state)
{
    (void) state;
    struct fixture f;
    uint64_t session = begin (&f, "countHardLimit=2");
    struct buf image = {0};
    fixture_save (f.tree, &image);
    tree_destroy (&f.tree);
    f.tree = fixture_load (image.data, image.size);
    assert_non_null (f.tree);
    tree_check (f.tree);
    struct tree_node node;
    assert_int_equal (tree_get (f.tree, TEXT (STATS), &node), 0);
    assert_int_equal (node.data_size, 15);
    assert_int_equal (node.stat.data_size, 15);
    assert_memory_equal (node.data, "count=1,bytes=2", 15);
    assert_int_equal (fixture_create (&f, session, "/a/b", "", 0), 0);
    assert_int_equal (fixture_create (&f, session, "/a/c", "", 0), COHORT_EQUOTA);
    buf_deinit (&image);
    fixture_deinit (&f);
}

/* Limits that changed by themselves decide nothing. */
static void test_damaged (void **state)
{
    (void) state;
    struct fixture f;
    uint64_t session = begin (&f, "countHardLimit=2");
    struct znode *znode = znode_find (&f.tree->znodes, f.tree->root, TEXT (LIMITS));
    ((uint8_t *) znode->bytes)[znode->name_size + 15] ^= 1;
    f.check = false;
    assert_null (tree_damage (f.tree));
    (void) fixture_create (&f, session, "/a/b", "", 0);
    assert_non_null (tree_damage (f.tree));
    assert_int_equal (tree_damage (f.tree)->kind, TREE_DAMAGED_DATA);
    assert_string_equal (tree_damage (f.tree)->path, LIMITS);
    fixture_deinit (&f);
}

/* Once there are administrators, they set the quotas, whatever the lists say. */
static void test_administrators (void **state)
{
    (void) state;
    struct fixture f = {.zxid = zxid_make (1, 0), .stamp_ms = 1000, .check = true};
    struct entry entry;
    f.tree = tree_new (NULL);
    fixture_cluster (&entry, &fixture_limits);
    struct op admins = op_set_acl_of ("/", "root:hash", COHORT_PERM_ALL);
    entry.u.cluster.admins = admins.acl;
    entry.u.cluster.admins_size = admins.acl_size;
    fixture_entry (&f, &entry);
    uint64_t anyone = fixture_session (&f, 1), admin = fixture_session (&f, 2);
    assert_int_equal (fixture_prove (&f, admin, "root:hash"), 0);
    assert_int_equal (fixture_create (&f, admin, "/a", "", 0), 0);
    assert_int_equal (fixture_create (&f, anyone, HOME, "", 0), COHORT_ENOAUTH);
    assert_int_equal (fixture_create (&f, admin, HOME, "", 0), 0);
    assert_int_equal (fixture_create (&f, admin, LIMITS, "countHardLimit=1", 0), 0);
    assert_int_equal (fixture_set (&f, anyone, LIMITS, "", -1), COHORT_ENOAUTH);
    assert_int_equal (fixture_delete (&f, anyone, LIMITS, -1), COHORT_ENOAUTH);
    /* The servers' own is not theirs, but for the lists; and they are bound as all are. */
    assert_int_equal (fixture_delete (&f, admin, SYSTEM_CONFIG, -1), COHORT_ERESERVED);
    struct op list = op_set_acl_of (SYSTEM_QUOTAS, "root:hash", COHORT_PERM_READ);
    assert_int_equal (fixture_op (&f, anyone, &list), COHORT_ERESERVED);
    assert_int_equal (fixture_op (&f, admin, &list), 0);
    assert_int_equal (fixture_create (&f, admin, "/a/b", "", 0), COHORT_EQUOTA);
    assert_int_equal (fixture_delete (&f, admin, LIMITS, -1), 0);
    assert_int_equal (fixture_create (&f, admin, "/a/b", "", 0), 0);
    fixture_deinit (&f);
}

/* Quotas are looked for on so many levels, and no more can be set further down. */
static void test_levels (void **state)
{
    (void) state;
    struct fixture f;
    char path[256] = "", place[300], at[400];
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    for (unsigned level = 1; level <= QUOTA_LEVELS_MAX + 1; level++) {
        snprintf (path + strlen (path), sizeof path - strlen (path), "/d");
        snprintf (place, sizeof place, "/zookeeper/quota%s", path);
        snprintf (at, sizeof at, "%s/zookeeper_limits", place);
        assert_int_equal (fixture_create (&f, session, path, "", 0), 0);
        assert_int_equal (fixture_create (&f, session, place, "", 0), 0);
        bool above = level == QUOTA_LEVELS_MAX, below = level > QUOTA_LEVELS_MAX;
        if (above || below) {
            assert_int_equal (fixture_create (&f, session, at, "countHardLimit=2", 0),
                              below ? COHORT_ELIMIT : 0);
        }
    }
    snprintf (path + strlen (path), sizeof path - strlen (path), "/d");
    assert_int_equal (fixture_create (&f, session, path, "", 0), COHORT_EQUOTA);
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_config),        cmocka_unit_test (test_bad_addresses),
        cmocka_unit_test (test_levels),        cmocka_unit_test (test_which_quota),
        cmocka_unit_test (test_hidden),        cmocka_unit_test (test_warnings),
        cmocka_unit_test (test_many_warnings), cmocka_unit_test (test_loaded),
        cmocka_unit_test (test_damaged),       cmocka_unit_test (test_administrators),
    };
    return cmocka_run_group_tests_name ("quota", tests, NULL, NULL);
}
