/* The children of a znode in order, against a sorted array. */

#include <stdio.h>
#include <stdlib.h>

#include "client/base/alloc.h"
#include "server/tree/children.h"
#include "server/tree/znode.h"
#include "tests/unit/tree/fixture.h"

#define NAMES 3000

struct world {
    struct children children;
    struct slab slab;
    struct znode *znodes[NAMES]; /* in the order of their names */
    bool there[NAMES];
    size_t count;
};

static struct world *world_new (bool counted)
{
    struct world *world = calloc (1, sizeof (*world));
    assert_non_null (world);
    children_init (&world->children);
    slab_init (&world->slab);
    for (size_t i = 0; i < NAMES; i++) {
        char name[32];
        /* Names of many lengths, some the beginning of others, ascending with i. */
        int size = counted ? snprintf (name, sizeof (name), "job-%010zu", i)
                           : snprintf (name, sizeof (name), "%c%c%.*s", 'a' + (int) (i / 120),
                                       'A' + (int) (i / 5 % 24), (int) (i % 5), "zzzz");
        world->znodes[i] = znode_new (&world->slab, name, (size_t) size, NULL, 0, 0);
        assert_non_null (world->znodes[i]);
    }
    return world;
}

static void world_free (struct world *world)
{
    children_deinit (&world->children);
    for (size_t i = 0; i < NAMES; i++) {
        znode_free (&world->slab, world->znodes[i]);
    }
    slab_deinit (&world->slab);
    free (world);
}

static void add (struct world *world, size_t i)
{
    assert_true (children_insert (&world->children, world->znodes[i]));
    world->there[i] = true;
    world->count++;
}

static void drop (struct world *world, size_t i)
{
    children_remove (&world->children, world->znodes[i]);
    world->there[i] = false;
    world->count--;
}

static struct znode *expected_from (const struct world *world, size_t i)
{
    while (i < NAMES && !world->there[i]) {
        i++;
    }
    return i < NAMES ? world->znodes[i] : NULL;
}

static struct znode *expected_before (const struct world *world, size_t i)
{
    while (i > 0 && !world->there[i - 1]) {
        i--;
    }
    return i > 0 ? world->znodes[i - 1] : NULL;
}

struct visit {
    const struct znode *seen[NAMES];
    size_t count;
    size_t limit;
};

static bool see (void *arg, const struct znode *child)
{
    struct visit *visit = arg;
    visit->seen[visit->count++] = child;
    return visit->count < visit->limit;
}

static void check_range (const struct world *world, const struct znode *after, bool inclusive,
                         size_t from, bool descending, size_t limit)
{
    static struct visit visit;
    visit.count = 0;
    visit.limit = limit;
    struct children_range range = {.descending = descending};
    if (after != NULL) {
        /* At the name itself, or behind it. */
        range.from = after->bytes;
        range.size = after->name_size;
        range.inclusive = inclusive;
    }
    bool end = children_visit (&world->children, &range, see, &visit);
    for (size_t i = 0; i < visit.count; i++) {
        struct znode *expected =
            descending ? expected_before (world, from) : expected_from (world, from);
        assert_ptr_equal (visit.seen[i], expected);
        for (from = 0; world->znodes[from] != expected;) {
            from++;
        }
        from += descending ? 0 : 1;
    }
    bool more = (descending ? expected_before (world, from) : expected_from (world, from)) != NULL;
    assert_true (visit.count == limit || !more);
    assert_int_equal (end, visit.count < limit);
}

static void check_page (const struct world *world, const struct znode *after, size_t from,
                        bool descending, size_t limit)
{
    check_range (world, after, false, from, descending, limit);
}

static void check_around (const struct world *world, size_t i)
{
    const struct znode *znode = world->znodes[i];
    const struct children *children = &world->children;
    assert_ptr_equal (children_above (children, znode->bytes, znode->name_size),
                      expected_from (world, i + 1));
    assert_ptr_equal (children_below (children, znode->bytes, znode->name_size),
                      expected_before (world, i));
    assert_ptr_equal (children_first (children), expected_from (world, 0));
    assert_ptr_equal (children_last (children), expected_before (world, NAMES));
    check_page (world, znode, i + 1, false, 10);
    check_page (world, znode, i, true, 10);
    check_range (world, znode, true, i, false, 10);
    check_range (world, znode, true, i + 1, true, 10);
}

static void test_empty (void **state)
{
    (void) state;
    struct world *world = world_new (true);
    check_around (world, 5);
    check_page (world, NULL, 0, false, 3);
    check_page (world, NULL, NAMES, true, 3);
    children_check (&world->children);
    add (world, 7);
    check_around (world, 7);
    drop (world, 7);
    assert_int_equal (world->children.count, 0);
    assert_null (world->children.root);
    world_free (world);
}

static void test_orders (void **state)
{
    (void) state;
    for (int order = 0; order < 3; order++) {
        struct world *world = world_new (order != 2);
        for (size_t i = 0; i < NAMES; i++) {
            /* Ascending, descending, and from both ends. */
            size_t at = order == 0   ? i
                        : order == 1 ? NAMES - 1 - i
                        : i % 2      ? NAMES - 1 - i / 2
                                     : i / 2;
            add (world, at);
        }
        children_check (&world->children);
        assert_int_equal (world->children.count, NAMES);
        check_page (world, NULL, 0, false, NAMES + 1);
        check_page (world, NULL, NAMES, true, NAMES + 1);
        /* A queue: taken out at the front. */
        for (size_t i = 0; i < NAMES; i++) {
            drop (world, order == 1 ? NAMES - 1 - i : i);
            if (i % 100 == 0) {
                children_check (&world->children);
                check_around (world, i);
            }
        }
        world_free (world);
    }
}

static void test_random (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct prng prng;
        prng_seed (&prng, seed);
        struct world *world = world_new (seed % 2 == 0);
        for (int step = 0; step < 20000; step++) {
            /* First it grows, then it shrinks. */
            bool grow = prng_below (&prng, 20000) > (uint64_t) step;
            size_t i = (size_t) prng_below (&prng, NAMES);
            if (grow && !world->there[i]) {
                add (world, i);
            } else if (!grow && world->there[i]) {
                drop (world, i);
            }
            if (step % 50 == 0) {
                children_check (&world->children);
                check_around (world, i);
            }
        }
        assert_int_equal (world->children.count, world->count);
        world_free (world);
    }
}

/* Without memory nothing changes. */
static void test_out_of_memory (void **state)
{
    (void) state;
    struct world *world = world_new (false);
    for (size_t i = 0; i < NAMES; i++) {
        size_t at = i * 7 % NAMES;
        for (uint64_t n = 1;; n++) {
            mem_fail_at (n);
            bool ok = children_insert (&world->children, world->znodes[at]);
            if (!mem_fail_clear ()) {
                assert_true (ok);
                break;
            }
            assert_false (ok);
            assert_int_equal (world->children.count, world->count);
        }
        world->there[at] = true;
        world->count++;
    }
    children_check (&world->children);
    check_page (world, NULL, 0, false, NAMES + 1);
    for (size_t i = 0; i < NAMES; i++) {
        mem_fail_at (1); /* joining two leaves may find no memory, and is left out then */
        drop (world, i * 11 % NAMES);
        mem_fail_clear ();
    }
    assert_null (world->children.root);
    world_free (world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_empty),
        cmocka_unit_test (test_orders),
        cmocka_unit_test (test_random),
        cmocka_unit_test (test_out_of_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
