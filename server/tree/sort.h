/*
 * server/tree/sort.h - sorting by a number, ties decided by the caller
 *
 * PURE.  Internal to server/tree.
 */
#ifndef SERVER_TREE_SORT_H
#define SERVER_TREE_SORT_H

#include <stddef.h>
#include <stdint.h>

struct sort_item {
    uint64_t key;
    void *value;
};

/* Negative, 0 or positive: the order of two values with the same key. */
typedef int sort_tie_fn (const void *a, const void *b);

/* Sorts in place, stable, ascending; `spare` has room for as many items.  Without recursion, and
 * in one pass when they are sorted already.  tie may be NULL. */
void sort_items (struct sort_item *items, struct sort_item *spare, size_t count, sort_tie_fn *tie);

#endif
