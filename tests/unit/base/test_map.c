/* Unit tests of base/map.h. */

#include "client/base/map.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/hash.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

#define ELEMENTS 20000

struct element {
    uint64_t key;
    struct map_node node;
    bool inside;  /* the model: whether the map must have it */
    bool steady;  /* was inside since the scan began */
    int visits;   /* of the current scan */
    bool dropped; /* by its visit */
};

/* How keys become hashes: good ones, sequential ones, ones that differ in high bits only, and ones
 * that collide. */
enum hashing { HASH_GOOD, HASH_SEQUENTIAL, HASH_HIGH, HASH_COLLIDING, HASH_KINDS };

static uint64_t hash_of (uint64_t key, enum hashing hashing)
{
    switch (hashing) {
    case HASH_SEQUENTIAL:
        return key;
    case HASH_HIGH:
        return key << 44;
    case HASH_COLLIDING:
        return hash64 (&key, sizeof (key), 0) % (ELEMENTS / 16);
    default:
        return hash64 (&key, sizeof (key), 0);
    }
}

static bool has_key (const struct map_node *node, const void *key)
{
    return map_entry (node, struct element, node)->key == *(const uint64_t *) key;
}

static struct element *new_elements (enum hashing hashing)
{
    struct element *elements = calloc (ELEMENTS, sizeof (*elements));
    assert_non_null (elements);
    for (uint64_t i = 0; i < ELEMENTS; i++) {
        elements[i].key = i;
        elements[i].node.hash = hash_of (i, hashing);
    }
    return elements;
}

static void toggle (struct map *map, struct element *element)
{
    if (element->inside) {
        map_remove (map, &element->node);
        element->steady = false;
    } else {
        map_insert (map, &element->node);
    }
    element->inside = !element->inside;
}

static void check_find (const struct map *map, struct element *element)
{
    struct map_node *found = map_find (map, element->node.hash, has_key, &element->key);
    assert_ptr_equal (found, element->inside ? &element->node : NULL);
}

static void visit (struct map_node *node, void *arg)
{
    (void) arg;
    map_entry (node, struct element, node)->visits++;
}

/* A plain loop sees each element once. */
static void check_loop (const struct map *map, struct element *elements)
{
    size_t count = 0;
    for (struct map_node *at = map_first (map); at != NULL; at = map_next (map, at)) {
        struct element *element = map_entry (at, struct element, node);
        assert_true (element->inside);
        element->visits++;
        count++;
    }
    assert_int_equal (count, map_count (map));
    for (size_t i = 0; i < ELEMENTS; i++) {
        assert_int_equal (elements[i].visits, elements[i].inside);
        elements[i].visits = 0;
    }
}

static void test_empty (void **state)
{
    (void) state;
    struct map map;
    map_init (&map);
    uint64_t key = 1;
    struct map_cursor cursor = {0};
    assert_null (map_find (&map, 5, has_key, &key));
    assert_null (map_first (&map));
    assert_int_equal (map_count (&map), 0);
    assert_false (map_scan (&map, &cursor, visit, NULL));
    map_drain (&map, NULL, NULL);
    map_deinit (&map);
}

/* Phases of growth and of shrinking, with look-ups of what is there and of what is not. */
static void test_against_model (void **state)
{
    (void) state;
    for (enum hashing hashing = 0; hashing < HASH_KINDS; hashing++) {
        struct prng prng;
        prng_seed (&prng, 3);
        struct map map;
        map_init (&map);
        struct element *elements = new_elements (hashing);
        size_t count = 0;
        for (int phase = 0; phase < 6; phase++) {
            /* The share of additions alternates, and the range of keys with it. */
            uint64_t range = phase < 2 ? 20 : ELEMENTS;
            for (int step = 0; step < 2 * ELEMENTS; step++) {
                struct element *element = &elements[prng_below (&prng, range)];
                if (element->inside == prng_chance (&prng, phase % 2 == 0 ? 1 : 9, 10)) {
                    count += element->inside ? (size_t) -1 : 1;
                    toggle (&map, element);
                    assert_int_equal (map_count (&map), count);
                }
                check_find (&map, &elements[prng_below (&prng, range)]);
            }
            check_loop (&map, elements);
        }
        map_deinit (&map);
        free (elements);
    }
}

static void visit_and_drop (struct map_node *node, void *arg)
{
    struct element *element = map_entry (node, struct element, node);
    element->visits++;
    if (element->key % 3 == 0) {
        map_remove (arg, node);
        element->inside = false;
        element->dropped = true;
        /* As if it had been freed. */
        memset (&node->next, 0xee, sizeof (node->next));
    }
}

/* Begins with `start` elements, then between any two calls of map_scan makes `churn` changes which
 * add with a probability of `add` in 16; checks what each element was promised. */
static void scan_under_change (enum hashing hashing, uint64_t start, uint64_t churn, uint64_t add,
                               uint64_t seed)
{
    struct prng prng;
    prng_seed (&prng, seed);
    struct map map;
    map_init (&map);
    struct element *elements = new_elements (hashing);
    for (uint64_t i = 0; i < start; i++) {
        toggle (&map, &elements[i * (ELEMENTS / start)]);
    }
    for (int i = 0; i < ELEMENTS; i++) {
        elements[i].steady = elements[i].inside;
    }
    struct map_cursor cursor = {0};
    uint64_t calls = 0;
    while (map_scan (&map, &cursor, visit_and_drop, &map)) {
        assert_true (++calls < 10 * ELEMENTS);
        for (uint64_t i = 0; i < churn; i++) {
            struct element *element = &elements[prng_below (&prng, ELEMENTS)];
            /* One that left and came back would be a new one; the model cannot tell these apart. */
            if (element->inside == !prng_chance (&prng, add, 16) && !element->dropped &&
                element->visits == 0) {
                toggle (&map, element);
            }
        }
    }
    for (int i = 0; i < ELEMENTS; i++) {
        if (elements[i].steady || elements[i].dropped) {
            assert_int_equal (elements[i].visits, 1);
        }
        assert_in_range (elements[i].visits, 0, 1);
        check_find (&map, &elements[i]);
        elements[i].visits = 0;
    }
    check_loop (&map, elements);
    map_deinit (&map);
    free (elements);
}

static void test_scan (void **state)
{
    (void) state;
    static const uint64_t starts[] = {1, 7, 100, 5000, ELEMENTS};
    static const uint64_t churns[] = {0, 3, 40};
    static const uint64_t adds[] = {0, 8, 16};
    uint64_t seed = 1;
    for (enum hashing hashing = 0; hashing < HASH_KINDS; hashing++) {
        for (size_t s = 0; s < sizeof (starts) / sizeof (*starts); s++) {
            for (size_t c = 0; c < sizeof (churns) / sizeof (*churns); c++) {
                for (size_t a = 0; a < sizeof (adds) / sizeof (*adds); a++) {
                    scan_under_change (hashing, starts[s], churns[c], adds[a], seed++);
                }
            }
        }
    }
}

static void visit_and_drop_all (struct map_node *node, void *arg)
{
    map_remove (arg, node);
    map_entry (node, struct element, node)->visits++;
}

/* The visit's own removals must not move the chain that is being visited: sizes at which a resize
 * has just begun, so that its frontier is where the scan begins. */
static void test_scan_at_the_frontier (void **state)
{
    (void) state;
    struct element *elements = new_elements (HASH_GOOD);
    for (int size = 1; size < 300; size++) {
        struct map map;
        map_init (&map);
        for (int i = 0; i < size; i++) {
            elements[i].node.hash = hash_of ((uint64_t) i / 3, HASH_GOOD);
            map_insert (&map, &elements[i].node);
        }
        struct map_cursor cursor = {0};
        while (map_scan (&map, &cursor, visit_and_drop_all, &map)) {
        }
        for (int i = 0; i < size; i++) {
            assert_int_equal (elements[i].visits, 1);
            elements[i].visits = 0;
        }
        assert_int_equal (map_count (&map), 0);
        map_deinit (&map);
    }
    free (elements);
}

/* Removals at other places than the scan's, down to a tiny table, while the scan stands still in
 * the middle: what is left must be visited once. */
static void test_scan_through_resizes (void **state)
{
    (void) state;
    for (uint64_t stop = 1; stop < 10000; stop = stop * 3 + 1) {
        struct map map;
        map_init (&map);
        struct element *elements = new_elements (HASH_GOOD);
        for (int i = 0; i < ELEMENTS; i++) {
            toggle (&map, &elements[i]);
        }
        struct map_cursor cursor = {0};
        for (uint64_t i = 0; i < stop; i++) {
            assert_true (map_scan (&map, &cursor, visit, NULL));
        }
        for (int i = 20; i < ELEMENTS; i++) {
            toggle (&map, &elements[i]);
        }
        for (int i = 0; i < 2; i++) {
            assert_true (map_scan (&map, &cursor, visit, NULL) || i > 0);
        }
        for (int i = 100; i < ELEMENTS; i++) {
            toggle (&map, &elements[i]);
        }
        while (map_scan (&map, &cursor, visit, NULL)) {
        }
        for (int i = 0; i < 20; i++) {
            assert_int_equal (elements[i].visits, 1);
        }
        for (int i = 20; i < ELEMENTS; i++) {
            assert_in_range (elements[i].visits, 0, 2);
        }
        map_deinit (&map);
        free (elements);
    }
}

/* The order is a function of hashes and history: two maps with elements at other addresses agree.
 */
static void test_order_is_deterministic (void **state)
{
    (void) state;
    struct map map[2];
    struct element *elements[2];
    for (int m = 0; m < 2; m++) {
        map_init (&map[m]);
        elements[m] = new_elements (HASH_COLLIDING);
        struct prng prng;
        prng_seed (&prng, 4);
        for (int i = 0; i < 3 * ELEMENTS; i++) {
            toggle (&map[m], &elements[m][prng_below (&prng, ELEMENTS)]);
        }
    }
    struct map_node *a = map_first (&map[0]), *b = map_first (&map[1]);
    while (a != NULL) {
        assert_non_null (b);
        assert_int_equal (map_entry (a, struct element, node)->key,
                          map_entry (b, struct element, node)->key);
        a = map_next (&map[0], a);
        b = map_next (&map[1], b);
    }
    assert_null (b);
    for (int m = 0; m < 2; m++) {
        map_deinit (&map[m]);
        free (elements[m]);
    }
}

/* Whichever allocation fails, insertions succeed and nothing is lost. */
static void test_out_of_memory (void **state)
{
    (void) state;
    uint64_t n;
    for (n = 1;; n++) {
        struct map map;
        map_init (&map);
        struct element *elements = new_elements (HASH_GOOD);
        mem_fail_at (n);
        for (int i = 0; i < ELEMENTS; i++) {
            toggle (&map, &elements[i]);
        }
        for (int i = 0; i < ELEMENTS; i += 7) {
            check_find (&map, &elements[i]);
        }
        for (int i = 0; i < ELEMENTS; i++) {
            toggle (&map, &elements[i]);
        }
        assert_int_equal (map_count (&map), 0);
        map_deinit (&map);
        free (elements);
        if (!mem_fail_clear ()) {
            break;
        }
    }
    assert_true (n > 10);
}

/* Memory that fails for good keeps the map at its first table: slow, and correct. */
static void test_no_memory_at_all (void **state)
{
    (void) state;
    struct map map;
    map_init (&map);
    struct element *elements = new_elements (HASH_GOOD);
    for (int i = 0; i < 200; i++) {
        mem_fail_at (1);
        toggle (&map, &elements[i]);
    }
    mem_fail_clear ();
    for (int i = 0; i < ELEMENTS; i++) {
        check_find (&map, &elements[i]);
    }
    check_loop (&map, elements);
    map_deinit (&map);
    free (elements);
}

static size_t allocations;

static void count_allocation (void *memory, int count)
{
    (void) memory;
    allocations += count > 0;
}

/* Room that was reserved is used: as long as it lasts nothing is allocated, nor is it given back
 * before something is removed.  At any moment of a resize, and whichever allocation fails. */
static void test_reserve (void **state)
{
    (void) state;
    struct element *elements = new_elements (HASH_GOOD);
    for (size_t before = 0; before < 300; before++) {
        struct map map;
        map_init (&map);
        for (size_t i = 0; i < ELEMENTS; i++) {
            elements[i].inside = false;
        }
        for (size_t i = 0; i < before; i++) {
            toggle (&map, &elements[i]);
        }
        mem_fail_at (before % 10);
        map_reserve (&map, ELEMENTS);
        mem_fail_clear ();
        map_reserve (&map, ELEMENTS);
        map_reserve (&map, ELEMENTS / 2);
        allocations = 0;
        mem_watch (count_allocation);
        for (size_t i = before; i < ELEMENTS; i++) {
            map_prefetch (&map, elements[i].node.hash);
            toggle (&map, &elements[i]);
        }
        mem_watch (NULL);
        assert_int_equal (allocations, 0);
        for (size_t i = 0; i < ELEMENTS; i += 31) {
            check_find (&map, &elements[i]);
        }
        if (before % 100 == 0) {
            check_loop (&map, elements);
        }
        map_deinit (&map);
    }
    free (elements);
}

static void count_and_free (struct map_node *node, void *arg)
{
    *(size_t *) arg += 1;
    free (map_entry (node, struct element, node));
}

static void test_drain (void **state)
{
    (void) state;
    /* Sizes at which a resize is under way, and others. */
    for (size_t size = 0; size < 70; size++) {
        struct map map;
        map_init (&map);
        for (uint64_t i = 0; i < size; i++) {
            struct element *element = calloc (1, sizeof (*element));
            assert_non_null (element);
            element->node.hash = hash_of (i, HASH_GOOD);
            map_insert (&map, &element->node);
        }
        size_t drained = 0;
        map_drain (&map, count_and_free, &drained);
        assert_int_equal (drained, size);
        assert_int_equal (map_count (&map), 0);
        assert_null (map_first (&map));
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_empty),
        cmocka_unit_test (test_against_model),
        cmocka_unit_test (test_scan),
        cmocka_unit_test (test_scan_through_resizes),
        cmocka_unit_test (test_scan_at_the_frontier),
        cmocka_unit_test (test_order_is_deterministic),
        cmocka_unit_test (test_out_of_memory),
        cmocka_unit_test (test_no_memory_at_all),
        cmocka_unit_test (test_reserve),
        cmocka_unit_test (test_drain),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
