/* The rules of paths. */

#include "server/tree/path.h"
#include "tests/unit/tree/fixture.h"

struct example {
    const char *path;
    int code;
    int sequential_code;
};

static const struct example examples[] = {
    {"/", 0, 0},
    {"/a", 0, 0},
    {"/a/b/c", 0, 0},
    {"/a b", 0, 0},
    {"/...", 0, 0},
    {"/.a", 0, 0},
    {"/a./b..", 0, 0},
    {"", COHORT_EPATH, COHORT_EPATH},
    {"a", COHORT_EPATH, COHORT_EPATH},
    {"a/b", COHORT_EPATH, COHORT_EPATH},
    {"//", COHORT_EPATH, COHORT_EPATH},
    {"//a", COHORT_EPATH, COHORT_EPATH},
    {"/a//b", COHORT_EPATH, COHORT_EPATH},
    {"/a/", COHORT_EPATH, 0},
    {"/a//", COHORT_EPATH, COHORT_EPATH},
    {"/.", COHORT_EPATH, COHORT_EPATH},
    {"/..", COHORT_EPATH, COHORT_EPATH},
    {"/./a", COHORT_EPATH, COHORT_EPATH},
    {"/a/../b", COHORT_EPATH, COHORT_EPATH},
    {"/a/./", COHORT_EPATH, COHORT_EPATH},
    /* Control characters. */
    {"/\x01", COHORT_EPATH, COHORT_EPATH},
    {"/a\x1f", COHORT_EPATH, COHORT_EPATH},
    {"/a\n/b", COHORT_EPATH, COHORT_EPATH},
    {"/\x7f", COHORT_EPATH, COHORT_EPATH},
    {"/\xc2\x80", COHORT_EPATH, COHORT_EPATH},
    {"/\xc2\x9f", COHORT_EPATH, COHORT_EPATH},
    {"/\xc2\xa0", 0, 0},
    /* UTF-8: two, three and four bytes, and the edges of each. */
    {"/\xc3\xa9/\xe2\x82\xac/\xf0\x9f\x98\x80", 0, 0},
    {"/\xdf\xbf", 0, 0},
    {"/\xe0\xa0\x80", 0, 0},
    {"/\xed\x9f\xbf", 0, 0},
    {"/\xed\xa0\x80", COHORT_EPATH, COHORT_EPATH}, /* surrogates */
    {"/\xed\xbf\xbf", COHORT_EPATH, COHORT_EPATH},
    {"/\xee\x80\x80", COHORT_EPATH, COHORT_EPATH}, /* private use: U+E000 to U+F8FF */
    {"/\xef\xa3\xbf", COHORT_EPATH, COHORT_EPATH},
    {"/\xef\xa4\x80", 0, 0},
    {"/\xef\xbf\xaf", 0, 0},
    {"/\xef\xbf\xb0", COHORT_EPATH, COHORT_EPATH}, /* specials: U+FFF0 to U+FFFF */
    {"/\xef\xbf\xbf", COHORT_EPATH, COHORT_EPATH},
    {"/\xf0\x90\x80\x80", 0, 0},
    {"/\xf4\x8f\xbf\xbf", 0, 0},
    {"/\xf4\x90\x80\x80", COHORT_EPATH, COHORT_EPATH},
    {"/\xf5\x80\x80\x80", COHORT_EPATH, COHORT_EPATH},
    {"/\x80", COHORT_EPATH, COHORT_EPATH},
    {"/\xc0\xaf", COHORT_EPATH, COHORT_EPATH}, /* overlong '/' */
    {"/\xc1\x81", COHORT_EPATH, COHORT_EPATH},
    {"/\xe0\x9f\xbf", COHORT_EPATH, COHORT_EPATH},
    {"/\xf0\x8f\xbf\xbf", COHORT_EPATH, COHORT_EPATH},
    {"/\xc3", COHORT_EPATH, COHORT_EPATH}, /* cut */
    {"/\xc3/a", COHORT_EPATH, COHORT_EPATH},
    {"/\xe2\x82", COHORT_EPATH, COHORT_EPATH},
    {"/\xf0\x9f\x98", COHORT_EPATH, COHORT_EPATH},
    {"/\xff", COHORT_EPATH, COHORT_EPATH},
};

static void test_rules (void **state)
{
    (void) state;
    struct tree *tree = tree_new (NULL);
    assert_non_null (tree);
    for (size_t i = 0; i < sizeof (examples) / sizeof (examples[0]); i++) {
        /* Not terminated, in memory of its own. */
        size_t size = strlen (examples[i].path);
        char *path = mem_dup (examples[i].path, size);
        assert_non_null (path);
        assert_int_equal (tree_path_check (tree, path, size, false), examples[i].code);
        assert_int_equal (tree_path_check (tree, path, size, true), examples[i].sequential_code);
        mem_free (path);
    }
    assert_int_equal (tree_path_check (tree, "/a\0b", 4, false), COHORT_EPATH);
    assert_int_equal (tree_path_check (tree, "/\0", 2, true), COHORT_EPATH);
    tree_destroy (&tree);
}

static void test_size (void **state)
{
    (void) state;
    char path[5000];
    memset (path, 'a', sizeof (path));
    path[0] = '/';
    struct tree *tree = tree_new (NULL);
    assert_non_null (tree);
    assert_int_equal (tree_path_check (tree, path, 4096, false), 0);
    assert_int_equal (tree_path_check (tree, path, 4097, false), COHORT_ETOOBIG);
    tree_destroy (&tree);
    struct fixture f;
    struct entry_limits limits = fixture_limits;
    limits.path_size_max = 10;
    fixture_init_with (&f, NULL, &limits);
    assert_int_equal (tree_path_check (f.tree, path, 10, false), 0);
    assert_int_equal (tree_path_check (f.tree, path, 11, false), COHORT_ETOOBIG);
    fixture_deinit (&f);
}

static void test_parents_and_hashes (void **state)
{
    (void) state;
    assert_int_equal (tree_path_parent_size ("/a", 2), 1);
    assert_int_equal (tree_path_parent_size ("/abc/de", 7), 4);
    assert_int_equal (tree_path_parent_size ("/a/", 3), 2);
    uint64_t parent, root = PATH_HASH_ROOT;
    assert_int_equal (tree_path_hash (root, "/", 1, &parent), root);
    assert_int_equal (parent, root);
    uint64_t a = tree_path_hash (root, "/a", 2, &parent);
    assert_int_equal (parent, root);
    assert_int_equal (a, tree_path_hash_child (root, "a", 1));
    uint64_t b = tree_path_hash (root, "/a/bc", 5, &parent);
    assert_int_equal (parent, a);
    assert_int_equal (b, tree_path_hash_child (a, "bc", 2));
    /* Another root, another chain. */
    assert_int_not_equal (tree_path_hash (tree_path_hash_root (1), "/a", 2, NULL),
                          tree_path_hash (tree_path_hash_root (2), "/a", 2, NULL));
    /* Components count, not characters alone. */
    assert_int_not_equal (tree_path_hash (root, "/ab/c", 5, NULL),
                          tree_path_hash (root, "/a/bc", 5, NULL));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rules),
        cmocka_unit_test (test_size),
        cmocka_unit_test (test_parents_and_hashes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
