/* Unit tests of the list of paths in cli/walk.h. */

#include "client/cli/walk.h"

#include "tests/unit/unit.h"

static void test_order (void **state)
{
    (void) state;
    static const char *const sorted[] = {"/",    "/a",   "/a/b", "/a/b/c", "/a/b-c", "/a/c",
                                         "/a!b", "/a-b", "/aa",  "/b",     "/b/a",   "/\xc3\xbc"};
    size_t count = sizeof sorted / sizeof sorted[0];
    struct paths paths;
    paths_init (&paths);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal (paths_add (&paths, sorted[(i * 5 + 2) % count], NULL), 0);
        assert_int_equal (paths_compare (sorted[i], sorted[i]), 0);
    }
    paths_sort (&paths);
    assert_int_equal (paths.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal (paths.items[i], sorted[i]);
    }
    paths_deinit (&paths);
    paths_sort (&paths);
    assert_int_equal (paths.count, 0);
}

static void test_join (void **state)
{
    (void) state;
    struct paths paths;
    paths_init (&paths);
    assert_int_equal (paths_add (&paths, "/", "a"), 0);
    assert_int_equal (paths_add (&paths, "/a", "b"), 0);
    assert_int_equal (paths_add (&paths, "/", NULL), 0);
    assert_string_equal (paths.items[0], "/a");
    assert_string_equal (paths.items[1], "/a/b");
    assert_string_equal (paths.items[2], "/");
    paths_deinit (&paths);
}

static void test_many (void **state)
{
    (void) state;
    struct paths paths;
    paths_init (&paths);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal (paths_add (&paths, "/parent", "child"), 0);
    }
    assert_int_equal (paths.count, 1000);
    assert_string_equal (paths.items[999], "/parent/child");
    paths_deinit (&paths);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_order),
        cmocka_unit_test (test_join),
        cmocka_unit_test (test_many),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
