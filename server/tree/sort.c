/*
 * server/tree/sort.c - sorting by a number: a merge sort from the bottom up
 *
 * PURE.
 */
#include "server/tree/sort.h"

#include <stdbool.h>
#include <string.h>

#include "client/base/assert.h"

/* Runs of this size are made by insertion. */
enum { RUN = 8 };

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
