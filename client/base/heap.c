/* heap.c: see heap.h. A binary heap; place i has the places 2 i + 1 and 2 i + 2 below it. */

#include "client/base/heap.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"

enum { PAGE_BITS = 9, PAGE_SIZE = 1 << PAGE_BITS, DEPTH_MAX = 64 };

void heap_init (struct heap *self)
{
    *self = (struct heap){0};
}

void heap_deinit (struct heap *self)
{
    for (size_t i = 0; i < self->page_count; i++) {
        mem_free (self->pages[i]);
    }
    mem_free (self->pages);
    *self = (struct heap){0};
}

static struct heap_node **slot (const struct heap *self, size_t place)
{
    return &self->pages[place >> PAGE_BITS][place & (PAGE_SIZE - 1)];
}

static void put (struct heap *self, size_t place, struct heap_node *node)
{
    *slot (self, place) = node;
    node->place = place + 1;
}

/* Lets the node find its place from this one towards the top. */
static void rise (struct heap *self, size_t place, struct heap_node *node)
{
    while (place > 0) {
        size_t above = (place - 1) / 2;
        struct heap_node *other = *slot (self, above);
        if (other->key <= node->key) {
            break;
        }
        put (self, place, other);
        place = above;
    }
    put (self, place, node);
}

/* The same downwards. */
static void sink (struct heap *self, size_t place, struct heap_node *node)
{
    for (size_t below = 2 * place + 1; below < self->count; below = 2 * place + 1) {
        if (below + 1 < self->count &&
            (*slot (self, below + 1))->key < (*slot (self, below))->key) {
            below++;
        }
        struct heap_node *other = *slot (self, below);
        if (other->key >= node->key) {
            break;
        }
        put (self, place, other);
        place = below;
    }
    put (self, place, node);
}

static void settle (struct heap *self, size_t place, struct heap_node *node)
{
    if (place > 0 && (*slot (self, (place - 1) / 2))->key > node->key) {
        rise (self, place, node);
    } else {
        sink (self, place, node);
    }
}

/* Makes sure that there is a place for one more. */
static bool reserve (struct heap *self)
{
    if (self->count < self->page_count << PAGE_BITS) {
        return true;
    }
    if (self->page_count == self->pages_capacity) {
        size_t capacity = self->pages_capacity > 0 ? self->pages_capacity * 2 : 4;
        struct heap_node ***pages = mem_realloc (self->pages, capacity * sizeof (*pages));
        if (pages == NULL) {
            return false;
        }
        self->pages = pages;
        self->pages_capacity = capacity;
    }
    struct heap_node **page = mem_alloc (PAGE_SIZE * sizeof (struct heap_node *));
    if (page == NULL) {
        return false;
    }
    self->pages[self->page_count++] = page;
    return true;
}

bool heap_insert (struct heap *self, struct heap_node *node)
{
    COHORT_ASSERT (!heap_linked (node));
    if (!reserve (self)) {
        return false;
    }
    rise (self, self->count++, node);
    return true;
}

void heap_remove (struct heap *self, struct heap_node *node)
{
    COHORT_ASSERT (heap_linked (node));
    COHORT_ASSERT (node->place <= self->count);
    size_t place = node->place - 1;
    node->place = 0;
    struct heap_node *last = *slot (self, --self->count);
    if (last != node) {
        settle (self, place, last);
    }
    /* One page stays free, so that an element that comes and goes costs no allocation. */
    size_t needed = (self->count + PAGE_SIZE - 1) >> PAGE_BITS;
    if (self->page_count > needed + 1) {
        mem_free (self->pages[--self->page_count]);
    }
}

void heap_move (struct heap *self, struct heap_node *node, uint64_t key)
{
    COHORT_ASSERT (heap_linked (node));
    node->key = key;
    settle (self, node->place - 1, node);
}

struct heap_node *heap_first (const struct heap *self)
{
    return self->count > 0 ? *slot (self, 0) : NULL;
}

void heap_visit (const struct heap *self, uint64_t key, heap_fn *fn, void *arg)
{
    /* What lies below an element whose key is too large has larger ones: depth first, at most one
     * place waits on each level. */
    size_t waiting[DEPTH_MAX];
    size_t count = 0;
    waiting[count++] = 0;
    while (count > 0) {
        size_t place = waiting[--count];
        if (place >= self->count || (*slot (self, place))->key > key) {
            continue;
        }
        if (!fn (arg, *slot (self, place))) {
            return;
        }
        COHORT_ASSERT (count + 2 <= DEPTH_MAX);
        waiting[count++] = 2 * place + 2;
        waiting[count++] = 2 * place + 1;
    }
}

void heap_check (const struct heap *self)
{
    COHORT_ASSERT (self->count <= self->page_count << PAGE_BITS);
    for (size_t place = 0; place < self->count; place++) {
        const struct heap_node *node = *slot (self, place);
        COHORT_ASSERT (node->place == place + 1);
        COHORT_ASSERT (place == 0 || (*slot (self, (place - 1) / 2))->key <= node->key);
    }
}
