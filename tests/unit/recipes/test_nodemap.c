/* The ordered map of paths: order, neighbours, and a long random run against a sorted array. */

#include "recipes/nodemap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#define PATHS_MAX 512
#define PATH_SIZE 32

struct item {
    struct nodemap_entry entry;
    struct nodemap_entry *next[NODEMAP_LEVELS_MAX];
    char path[PATH_SIZE];
    bool inside;
};

static struct item *item_init (struct item *item, const char *path)
{
    *item = (struct item){.inside = false};
    snprintf (item->path, sizeof (item->path), "%s", path);
    item->entry.path = item->path;
    item->entry.next = item->next;
    return item;
}

static void slash_comes_first (void **state)
{
    (void) state;
    static const char *const ordered[] = {"/",      "/a",     "/a/b", "/a/b/c", "/a/b\x01",
                                          "/a/b-c", "/a\x01", "/a!",  "/a-b",   "/b"};
    for (size_t i = 0; i < sizeof (ordered) / sizeof (ordered[0]); i++) {
        for (size_t j = 0; j < sizeof (ordered) / sizeof (ordered[0]); j++) {
            int order = nodemap_compare (ordered[i], ordered[j]);
            assert_int_equal ((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void below_is_strict (void **state)
{
    (void) state;
    assert_true (nodemap_is_below ("/a/b", "/a"));
    assert_true (nodemap_is_below ("/a/b/c", "/a"));
    assert_true (nodemap_is_below ("/a", "/"));
    assert_false (nodemap_is_below ("/a", "/a"));
    assert_false (nodemap_is_below ("/ab", "/a"));
    assert_false (nodemap_is_below ("/a", "/a/b"));
    assert_false (nodemap_is_below ("/", "/"));
}

static void behind_skips_the_subtree (void **state)
{
    (void) state;
    static const char *const paths[] = {"/a", "/a/b", "/a/b/c", "/a/b/d", "/a/c", "/b"};
    static struct item items[6];
    struct nodemap map = {.count = 0};
    for (size_t i = 0; i < 6; i++) {
        assert_null (nodemap_put (&map, &item_init (&items[i], paths[i])->entry));
    }
    assert_string_equal (nodemap_behind (&map, "/a/b")->path, "/a/c");
    assert_string_equal (nodemap_behind (&map, "/a")->path, "/b");
    assert_string_equal (nodemap_behind (&map, "/a/b/c")->path, "/a/b/d");
    assert_string_equal (nodemap_behind (&map, "/a/a")->path, "/a/b");
    assert_null (nodemap_behind (&map, "/b"));
    assert_null (nodemap_behind (&map, "/"));
}

static void put_returns_what_it_replaces (void **state)
{
    (void) state;
    static struct item first, second;
    struct nodemap map = {.count = 0};
    assert_null (nodemap_put (&map, &item_init (&first, "/a")->entry));
    assert_ptr_equal (nodemap_put (&map, &item_init (&second, "/a")->entry), &first.entry);
    assert_int_equal (map.count, 1);
    assert_ptr_equal (nodemap_find (&map, "/a"), &second.entry);
    assert_null (nodemap_take (&map, "/b"));
    assert_ptr_equal (nodemap_pop (&map), &second.entry);
    assert_null (nodemap_pop (&map));
}

static uint64_t next_random (uint64_t *seed)
{
    *seed = *seed * UINT64_C (6364136223846793005) + 1;
    return *seed >> 33;
}

static int by_order (const void *a, const void *b)
{
    return nodemap_compare ((*(struct item *const *) a)->path, (*(struct item *const *) b)->path);
}

static void check_against (const struct nodemap *map, struct item *items, size_t count)
{
    static struct item *sorted[PATHS_MAX];
    size_t inside = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].inside) {
            sorted[inside++] = &items[i];
        }
        struct nodemap_entry *found = nodemap_find (map, items[i].path);
        assert_ptr_equal (found, items[i].inside ? &items[i].entry : NULL);
    }
    qsort (sorted, inside, sizeof (struct item *), by_order);
    assert_int_equal (map->count, inside);
    const struct nodemap_entry *entry = nodemap_first (map);
    for (size_t i = 0; i < inside; i++) {
        assert_ptr_equal (entry, &sorted[i]->entry);
        entry = nodemap_next (entry);
    }
    assert_null (entry);
}

static void random_run (void **state)
{
    (void) state;
    static struct item items[PATHS_MAX];
    uint64_t seed = 42;
    for (size_t i = 0; i < PATHS_MAX; i++) {
        char path[PATH_SIZE];
        snprintf (path, sizeof (path), "/%zu/%zu", i % 20, i);
        item_init (&items[i], path);
    }
    struct nodemap map = {.count = 0};
    for (int round = 0; round < 20000; round++) {
        struct item *item = &items[next_random (&seed) % PATHS_MAX];
        if (item->inside) {
            assert_ptr_equal (nodemap_take (&map, item->path), &item->entry);
        } else {
            assert_null (nodemap_put (&map, &item->entry));
        }
        item->inside = !item->inside;
        if (round % 1000 == 0) {
            check_against (&map, items, PATHS_MAX);
        }
    }
    check_against (&map, items, PATHS_MAX);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (slash_comes_first),
        cmocka_unit_test (below_is_strict),
        cmocka_unit_test (behind_skips_the_subtree),
        cmocka_unit_test (put_returns_what_it_replaces),
        cmocka_unit_test (random_run),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
