/* Unit tests of base/heap.h. */

#include "client/base/heap.h"

#include "client/base/alloc.h"
#include "client/base/container.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

enum { ELEMENTS = 3000, KEYS = 500, STEPS = 60000 };

struct element {
    struct heap_node node;
    bool seen;
};

static void test_empty (void **state)
{
    (void) state;
    struct heap heap;
    heap_init (&heap);
    assert_null (heap_first (&heap));
    heap_check (&heap);
    heap_deinit (&heap);
}

static void test_sorts (void **state)
{
    (void) state;
    static struct element elements[ELEMENTS];
    struct heap heap;
    struct prng prng;
    heap_init (&heap);
    prng_seed (&prng, 7);
    for (size_t i = 0; i < ELEMENTS; i++) {
        elements[i].node = (struct heap_node){.key = prng_below (&prng, KEYS)};
        assert_true (heap_insert (&heap, &elements[i].node));
    }
    heap_check (&heap);
    uint64_t last = 0;
    for (size_t i = 0; i < ELEMENTS; i++) {
        struct heap_node *first = heap_first (&heap);
        assert_true (first->key >= last);
        last = first->key;
        heap_remove (&heap, first);
        assert_false (heap_linked (first));
    }
    assert_null (heap_first (&heap));
    heap_deinit (&heap);
}

static bool mark (void *arg, struct heap_node *node)
{
    size_t *count = arg;
    struct element *element = container_of (node, struct element, node);
    assert_false (element->seen);
    element->seen = true;
    (*count)++;
    return true;
}

/* The visit finds exactly those up to the key. */
static void check_visit (const struct heap *heap, struct element *elements, uint64_t key)
{
    size_t count = 0;
    heap_visit (heap, key, mark, &count);
    for (size_t i = 0; i < ELEMENTS; i++) {
        bool due = heap_linked (&elements[i].node) && elements[i].node.key <= key;
        assert_int_equal (elements[i].seen, due);
        count -= due;
        elements[i].seen = false;
    }
    assert_int_equal (count, 0);
}

static void test_random (void **state)
{
    (void) state;
    static struct element elements[ELEMENTS];
    struct heap heap;
    struct prng prng;
    heap_init (&heap);
    prng_seed (&prng, 11);
    for (int step = 0; step < STEPS; step++) {
        struct heap_node *node = &elements[prng_below (&prng, ELEMENTS)].node;
        uint64_t key = prng_below (&prng, KEYS);
        if (!heap_linked (node)) {
            node->key = key;
            assert_true (heap_insert (&heap, node));
        } else if (prng_chance (&prng, 1, 2)) {
            heap_move (&heap, node, key);
        } else {
            heap_remove (&heap, node);
        }
        if (step % 1000 == 0) {
            heap_check (&heap);
            check_visit (&heap, elements, prng_below (&prng, KEYS));
        }
    }
    for (size_t i = 0; i < ELEMENTS; i++) {
        if (heap_linked (&elements[i].node)) {
            heap_remove (&heap, &elements[i].node);
        }
    }
    assert_int_equal (heap.count, 0);
    heap_deinit (&heap);
}

static bool stop (void *arg, struct heap_node *node)
{
    int *calls = arg;
    (void) node;
    return ++*calls < 3;
}

static void test_visit_stops (void **state)
{
    (void) state;
    struct heap_node nodes[10] = {0};
    struct heap heap;
    heap_init (&heap);
    for (size_t i = 0; i < 10; i++) {
        assert_true (heap_insert (&heap, &nodes[i]));
    }
    int calls = 0;
    heap_visit (&heap, 0, stop, &calls);
    assert_int_equal (calls, 3);
    heap_deinit (&heap);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_empty),
        cmocka_unit_test (test_sorts),
        cmocka_unit_test (test_random),
        cmocka_unit_test (test_visit_stops),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
