/*
 * server/tree/sort.h - sorting by a number, ties decided by the caller
 *
 * PURE.  For server/tree and server/node.
 */
#ifndef SERVER_TREE_SORT_H
#define SERVER_TREE_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"

struct sort_item {
    uint64_t key;
    void *value;
};

/* Negative, 0 or positive: the order of two values with the same key. */
typedef int sort_tie_fn (const void *a, const void *b);

/* Sorts in place, stable, ascending; `spare` has room for as many items.  Without recursion, and
 * in one pass when they are sorted already.  tie may be NULL. */
void sort_items (struct sort_item *items, struct sort_item *spare, size_t count, sort_tie_fn *tie);

/* ---- A list, in steps -------------------------------------------------------------------- */

typedef uint64_t sort_key_fn (const struct list_node *node);

enum sort_phase { SORT_TAKE, SORT_MERGE, SORT_PUT };

/* Private. */
struct sorting {
    struct list *list;
    sort_key_fn *key;
    struct sort_item *from, *to; /* the memory is that of the lower one */
    size_t count;
    enum sort_phase phase;
    bool ascending; /* what was taken so far */
    size_t at;      /* TAKE, PUT: elements dealt with; MERGE: items written in this pass */
    size_t width;   /* MERGE: of the runs */
    size_t left, right, middle, end;
};

/* Puts a list of `count` elements into ascending order of their keys, stable; elements are out of
 * the list meanwhile.  false: out of memory. */
bool sorting_begin (struct sorting *self, struct list *list, size_t count, sort_key_fn *key);

/* Takes or puts back at most `elements`, or does about as much work otherwise; true: there is more
 * to do.  With the last step the memory is released. */
bool sorting_step (struct sorting *self, size_t elements);

/* Gives up: what was taken out stays out. */
void sorting_abandon (struct sorting *self);

#endif
