/* An intrusive priority queue: the element with the smallest key is at hand.
 *
 *     struct timer { int64_t at; struct heap_node node; };
 *     timer->node.key = (uint64_t) timer->at;
 *     if (!heap_insert (&timers, &timer->node)) ...
 *     struct heap_node *next = heap_first (&timers);
 *
 * Insertion and removal take the logarithm of the number of elements. The places are kept in pages,
 * so that no call copies all of them, however many there are. Equal keys have no order that may be
 * relied upon, but one that is a function of the history of insertions and removals alone.
 * One thread owns a heap. May include: base, libc. */

#ifndef COHORT_BASE_HEAP_H
#define COHORT_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in each element, all zeroes before its first insertion; `key` is set by the caller, and
 * changed by heap_move alone while the element is in a heap. */
struct heap_node {
    uint64_t key;
    size_t place; /* private: one more than its place in the heap; 0: in none */
};

struct heap {
    struct heap_node ***pages; /* private */
    size_t page_count;
    size_t pages_capacity;
    size_t count;
};

void heap_init (struct heap *self);

/* The elements are not touched. */
void heap_deinit (struct heap *self);

/* false: out of memory, nothing was changed. */
bool heap_insert (struct heap *self, struct heap_node *node);
void heap_remove (struct heap *self, struct heap_node *node);

/* Gives an element that is in the heap another key. */
void heap_move (struct heap *self, struct heap_node *node, uint64_t key);

/* NULL: empty. */
struct heap_node *heap_first (const struct heap *self);

/* Calls fn for the elements whose keys are not above `key`, in no order, until it returns false;
 * takes time in proportion to their number. fn must not change the heap. */
typedef bool heap_fn (void *arg, struct heap_node *node);
void heap_visit (const struct heap *self, uint64_t key, heap_fn *fn, void *arg);

static inline bool heap_linked (const struct heap_node *node)
{
    return node->place != 0;
}

/* Asserts the order. */
void heap_check (const struct heap *self);

#endif
