/*
 * server/tree/sort.c - sorting by a number: a merge sort from the bottom up
 *
 * PURE.
 */
#include "server/tree/sort.h"

#include <stdbool.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

/* Runs of this size are made by insertion. */
enum { RUN = 8 };

/* Items merged for what one element costs that is taken from a list: those lie side by side. */
enum { MERGES = 16 };

static bool above (const struct sort_item *a, const struct sort_item *b, sort_tie_fn *tie)
{
    return a->key != b->key ? a->key > b->key : tie != NULL && tie (a->value, b->value) > 0;
}

static void insertion_sort (struct sort_item *items, size_t count, sort_tie_fn *tie)
{
    for (size_t i = 1; i < count; i++) {
        struct sort_item item = items[i];
        size_t at = i;
        while (at > 0 && above (&items[at - 1], &item, tie)) {
            items[at] = items[at - 1];
            at--;
        }
        items[at] = item;
    }
}

/* Merges [0, middle) and [middle, count) of `from` into `to`. */
static void merge (const struct sort_item *from, size_t middle, size_t count, struct sort_item *to,
                   sort_tie_fn *tie)
{
    if (middle >= count || !above (&from[middle - 1], &from[middle], tie)) {
        memcpy (to, from, count * sizeof (*from));
        return;
    }
    COHORT_ASSERT (middle > 0);
    size_t left = 0;
    size_t right = middle;
    for (size_t i = 0; i < count; i++) {
        bool take_left =
            left < middle && (right >= count || !above (&from[left], &from[right], tie));
        to[i] = take_left ? from[left++] : from[right++];
    }
}

void sort_items (struct sort_item *items, struct sort_item *spare, size_t count, sort_tie_fn *tie)
{
    COHORT_ASSERT (count == 0 || items != spare);
    size_t sorted = 1;
    while (sorted < count && !above (&items[sorted - 1], &items[sorted], tie)) {
        sorted++;
    }
    if (sorted >= count) {
        return;
    }
    for (size_t at = 0; at < count; at += RUN) {
        insertion_sort (items + at, count - at < RUN ? count - at : RUN, tie);
    }
    struct sort_item *from = items;
    struct sort_item *to = spare;
    for (size_t width = RUN; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t left = count - at;
            merge (from + at, width < left ? width : left, 2 * width < left ? 2 * width : left,
                   to + at, tie);
        }
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) {
        memcpy (items, from, count * sizeof (*items));
    }
}

/* ---- A list, in steps -------------------------------------------------------------------- */

static size_t least (size_t a, size_t b)
{
    return a < b ? a : b;
}

bool sorting_begin (struct sorting *self, struct list *list, size_t count, sort_key_fn *key)
{
    *self = (struct sorting){.list = list, .key = key, .count = count, .ascending = true};
    if (count > SIZE_MAX / 2 / sizeof (*self->from)) {
        return false;
    }
    self->from = mem_alloc (2 * count * sizeof (*self->from));
    self->to = self->from != NULL ? self->from + count : NULL;
    return self->from != NULL;
}

void sorting_abandon (struct sorting *self)
{
    mem_free (self->from < self->to ? self->from : self->to);
    *self = (struct sorting){.list = self->list};
}

static void begin_pair (struct sorting *self, size_t at)
{
    self->left = at;
    self->right = self->middle = least (at + self->width, self->count);
    self->end = least (at + 2 * self->width, self->count);
}

static void take_one (struct sorting *self)
{
    struct list_node *node = list_pop_front (self->list);
    COHORT_ASSERT (node != NULL);
    uint64_t key = self->key (node);
    self->ascending = self->ascending && (self->at == 0 || self->from[self->at - 1].key <= key);
    self->from[self->at++] = (struct sort_item){key, node};
    if (self->at == self->count) {
        COHORT_ASSERT (list_empty (self->list));
        self->phase = self->ascending ? SORT_PUT : SORT_MERGE;
        self->at = 0;
        self->width = 1;
        begin_pair (self, 0);
    }
}

static void merge_one (struct sorting *self)
{
    const struct sort_item *from = self->from;
    bool left = self->left < self->middle &&
                (self->right == self->end || from[self->left].key <= from[self->right].key);
    self->to[self->at++] = from[left ? self->left++ : self->right++];
    if (self->at < self->end) {
        return;
    }
    if (self->end == self->count) {
        struct sort_item *swap = self->from;
        self->from = self->to;
        self->to = swap;
        self->at = 0;
        self->width *= 2;
        self->phase = self->width < self->count ? SORT_MERGE : SORT_PUT;
    }
    begin_pair (self, self->at);
}

static void put_one (struct sorting *self)
{
    struct list_node *node = self->from[self->at++].value;
    list_push_back (self->list, node);
}

bool sorting_step (struct sorting *self, size_t elements)
{
    COHORT_ASSERT (elements > 0);
    bool more = self->count > 0;
    for (size_t i = 0; i < elements && more; i++) {
        switch (self->phase) {
        case SORT_TAKE:
            take_one (self);
            break;
        case SORT_MERGE:
            for (size_t k = 0; k < MERGES && self->phase == SORT_MERGE; k++) {
                merge_one (self);
            }
            break;
        case SORT_PUT:
            put_one (self);
            more = self->at < self->count;
            break;
        }
    }
    if (!more) {
        sorting_abandon (self);
    }
    return more;
}
