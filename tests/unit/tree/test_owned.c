/* The ephemerals of a session, page by page; and how many znodes are below one. */

#include "tests/unit/tree/fixture.h"

struct listed {
    char text[1024];
    size_t count, room; /* paths that it takes */
};

static bool take (void *arg, const char *path, size_t size)
{
    struct listed *listed = arg;
    if (listed->count > 0 && listed->count == listed->room) {
        return false;
    }
    size_t used = strlen (listed->text);
    assert_true (used + size + 2 < sizeof listed->text);
    if (used > 0) {
        listed->text[used++] = ' ';
    }
    memcpy (listed->text + used, path, size);
    listed->text[used + size] = '\0';
    listed->count++;
    return true;
}

/* A page; `next` holds what it goes on behind, and is replaced. */
static int list (struct fixture *f, uint64_t session, struct tree_ephemerals page,
                 struct listed *listed, struct buf *next)
{
    struct buf after = {0};
    buf_append (&after, next->data, next->size);
    page.after = (const char *) after.data;
    page.after_size = after.size;
    listed->text[0] = '\0';
    listed->count = 0;
    int rc = tree_ephemerals (f->tree, session, &page, take, listed, next);
    buf_deinit (&after);
    return rc;
}

static void test_whole (void **state)
{
    (void) state;
    struct fixture f;
    struct buf next = {0};
    struct listed listed = {.room = 100};
    fixture_init (&f, NULL);
    uint64_t mine = fixture_session (&f, 1), other = fixture_session (&f, 2);
    assert_int_equal (list (&f, mine, (struct tree_ephemerals){0}, &listed, &next), 0);
    assert_string_equal (listed.text, "");
    assert_int_equal (list (&f, 99, (struct tree_ephemerals){0}, &listed, &next),
                      COHORT_ESESSIONEXPIRED);
    assert_int_equal (fixture_create (&f, mine, "/a", "", 0), 0);
    assert_int_equal (fixture_create (&f, mine, "/b", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, other, "/c", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, mine, "/a/e", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (list (&f, mine, (struct tree_ephemerals){0}, &listed, &next), 0);
    assert_string_equal (listed.text, "/b /a/e");
    assert_int_equal (next.size, 0);
    struct tree_ephemerals below = {.prefix = "/a/", .prefix_size = 3};
    assert_int_equal (list (&f, mine, below, &listed, &next), 0);
    assert_string_equal (listed.text, "/a/e");
    assert_int_equal (list (&f, other, below, &listed, &next), 0);
    assert_string_equal (listed.text, "");
    buf_deinit (&next);
    fixture_deinit (&f);
}

static void test_pages (void **state)
{
    (void) state;
    struct fixture f;
    struct buf next = {0};
    struct listed listed = {.room = 100};
    fixture_init (&f, NULL);
    uint64_t mine = fixture_session (&f, 1);
    const char *paths[] = {"/e", "/d", "/c", "/b", "/a"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal (fixture_create (&f, mine, paths[i], "", COHORT_EPHEMERAL), 0);
    }
    struct tree_ephemerals two = {.limit = 2};
    assert_int_equal (list (&f, mine, two, &listed, &next), 0);
    assert_string_equal (listed.text, "/e /d");
    assert_true (next.size > 0);
    /* What is listed may go: the list goes on with what came behind it. */
    assert_int_equal (fixture_delete (&f, mine, "/d", -1), 0);
    assert_int_equal (list (&f, mine, two, &listed, &next), 0);
    assert_string_equal (listed.text, "/c /b");
    /* Even if its path has another life now. */
    assert_int_equal (fixture_delete (&f, mine, "/b", -1), 0);
    assert_int_equal (fixture_create (&f, mine, "/b", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (list (&f, mine, two, &listed, &next), 0);
    assert_string_equal (listed.text, "/a /b");
    assert_int_equal (next.size, 0);
    /* A page may be full, or have looked at enough, before its limit. */
    listed.room = 1;
    assert_int_equal (list (&f, mine, two, &listed, &next), 0);
    assert_string_equal (listed.text, "/e");
    listed.room = 100;
    struct tree_ephemerals look = {.looks = 1, .prefix = "/a", .prefix_size = 2};
    assert_int_equal (list (&f, mine, look, &listed, &next), 0);
    assert_string_equal (listed.text, "");
    assert_true (next.size > 0);
    assert_int_equal (list (&f, mine, look, &listed, &next), 0);
    assert_string_equal (listed.text, "/a");
    buf_deinit (&next);
    fixture_deinit (&f);
}

/* Two servers have those of one transaction in different orders, one as they were created, one as
 * they were loaded: a list that goes on at the other one tells each once. */
static void test_pages_of_two_servers (void **state)
{
    (void) state;
    struct fixture f;
    struct buf next = {0}, image = {0};
    struct listed listed = {.room = 100};
    fixture_init (&f, NULL);
    uint64_t mine = fixture_session (&f, 1);
    struct op ops[] = {
        op_create ("/z", "", COHORT_EPHEMERAL), op_create ("/x", "", COHORT_EPHEMERAL),
        op_create ("/y", "", COHORT_EPHEMERAL), op_create ("/w", "", COHORT_EPHEMERAL)};
    assert_int_equal (fixture_create (&f, mine, "/zz", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_multi (&f, mine, ops, 4), 0);
    assert_int_equal (fixture_create (&f, mine, "/a", "", COHORT_EPHEMERAL), 0);
    fixture_save (f.tree, &image);
    struct tree *servers[] = {f.tree, fixture_load (image.data, image.size)};
    static const char *const all[] = {"/zz", "/w", "/x", "/y", "/z", "/a"};
    for (size_t first = 0; first < 2; first++) {
        for (size_t i = 0; i < 6; i++) {
            f.tree = servers[(first + i) % 2];
            assert_int_equal (list (&f, mine, (struct tree_ephemerals){.limit = 1}, &listed, &next),
                              0);
            assert_string_equal (listed.text, all[i]);
            assert_true (i == 5 ? next.size == 0 : next.size > 0);
        }
    }
    f.tree = servers[0];
    tree_destroy (&servers[1]);
    buf_deinit (&image);
    buf_deinit (&next);
    fixture_deinit (&f);
}

/* What the list goes on behind may have gone, and those of its transaction too. */
static void test_pages_of_one_transaction (void **state)
{
    (void) state;
    struct fixture f;
    struct buf next = {0};
    struct listed listed = {.room = 100};
    fixture_init (&f, NULL);
    uint64_t mine = fixture_session (&f, 1);
    struct op ops[] = {
        op_create ("/c", "", COHORT_EPHEMERAL), op_create ("/a", "", COHORT_EPHEMERAL),
        op_create ("/d", "", COHORT_EPHEMERAL), op_create ("/b", "", COHORT_EPHEMERAL)};
    assert_int_equal (fixture_multi (&f, mine, ops, 4), 0);
    struct tree_ephemerals two = {.limit = 2}, one = {.limit = 1};
    assert_int_equal (list (&f, mine, two, &listed, &next), 0);
    assert_string_equal (listed.text, "/a /b");
    assert_int_equal (fixture_delete (&f, mine, "/b", -1), 0);
    assert_int_equal (list (&f, mine, one, &listed, &next), 0);
    assert_string_equal (listed.text, "/c");
    assert_int_equal (fixture_delete (&f, mine, "/a", -1), 0);
    assert_int_equal (fixture_delete (&f, mine, "/c", -1), 0);
    assert_int_equal (fixture_delete (&f, mine, "/d", -1), 0);
    assert_int_equal (fixture_create (&f, mine, "/c", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (list (&f, mine, two, &listed, &next), 0);
    assert_string_equal (listed.text, "/c");
    assert_int_equal (next.size, 0);
    buf_deinit (&next);
    fixture_deinit (&f);
}

static void test_wrong_place (void **state)
{
    (void) state;
    static const char *const wrong[] = {"/a",
                                        "x",
                                        "0000000000000001/a",
                                        "00000000000000010000000000000001",
                                        "0000000000000001000000000000000x/a",
                                        "x0000000000000010000000000000001/a",
                                        "00000000000000010000000000000001a"};
    struct fixture f;
    struct listed listed = {.room = 100};
    fixture_init (&f, NULL);
    uint64_t mine = fixture_session (&f, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf next = {0};
        buf_append (&next, wrong[i], strlen (wrong[i]));
        assert_int_equal (list (&f, mine, (struct tree_ephemerals){0}, &listed, &next),
                          COHORT_EINVAL);
        buf_deinit (&next);
    }
    fixture_deinit (&f);
}

static void expect_below (const struct fixture *f, const char *path, uint64_t count, uint64_t size)
{
    struct tree_node node;
    assert_int_equal (tree_get (f->tree, path, strlen (path), &node), 0);
    assert_int_equal (node.below, count);
    assert_int_equal (node.below_size, size);
}

static void test_below (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t mine = fixture_session (&f, 1);
    struct tree_node node;
    assert_int_equal (tree_get (f.tree, "/", 1, &node), 0);
    uint64_t others = node.below, bytes = node.below_size;
    assert_int_equal (fixture_create (&f, mine, "/a", "12345", 0), 0);
    assert_int_equal (fixture_create (&f, mine, "/a/b", "123", 0), 0);
    assert_int_equal (fixture_create (&f, mine, "/a/b/c", "1", COHORT_EPHEMERAL), 0);
    expect_below (&f, "/", others + 3, bytes + 9);
    expect_below (&f, "/a", 2, 4);
    expect_below (&f, "/a/b/c", 0, 0);
    assert_int_equal (fixture_set (&f, mine, "/a/b/c", "12345678", -1), 0);
    expect_below (&f, "/a", 2, 11);
    assert_int_equal (fixture_delete (&f, mine, "/a/b/c", -1), 0);
    expect_below (&f, "/a", 1, 3);
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_whole),
        cmocka_unit_test (test_pages),
        cmocka_unit_test (test_pages_of_two_servers),
        cmocka_unit_test (test_pages_of_one_transaction),
        cmocka_unit_test (test_wrong_place),
        cmocka_unit_test (test_below),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
