/* The smallest part of a list that still does it: see ddmin.h. */

#include "tests/simulation/ddmin.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"

static size_t count_kept (const bool *kept, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += kept[i];
    }
    return sum;
}

/* Takes out, of what is kept, the things from the `first` to before the `end`. */
static void take_out (bool *kept, size_t count, size_t first, size_t end)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept[i]) {
            kept[i] = at < first || at >= end;
            at++;
        }
    }
}

/* Tries to do without each of `parts` parts of what is kept, one after the other; whether it could
 * do without any. */
static bool pass (bool *kept, bool *trial, size_t count, size_t parts, ddmin_test_fn *test,
                  void *arg, bool *over)
{
    size_t left = count_kept (kept, count), size = (left + parts - 1) / parts;
    bool any = false;
    for (size_t first = 0; first < left && !*over;) {
        size_t end = first + size < left ? first + size : left;
        memcpy (trial, kept, count * sizeof *kept);
        take_out (trial, count, first, end);
        if (test (arg, trial, count, over)) {
            memcpy (kept, trial, count * sizeof *kept);
            left -= end - first;
            any = true;
        } else {
            first = end;
        }
    }
    return any;
}

void ddmin (bool *kept, size_t count, ddmin_test_fn *test, void *arg)
{
    bool over = false;
    if (count == 0) {
        return;
    }
    bool *trial = calloc (count, sizeof *trial);
    COHORT_ASSERT (trial != NULL);
    for (size_t i = 0; i < count; i++) {
        kept[i] = true;
    }
    for (size_t parts = 1; !over;) {
        bool any = pass (kept, trial, count, parts, test, arg, &over);
        size_t left = count_kept (kept, count);
        if (left == 0 || (!any && parts >= left)) {
            break;
        }
        /* Single things are tried again until none of them can go. */
        parts = parts * 2 < left ? parts * 2 : left;
    }
    free (trial);
}
