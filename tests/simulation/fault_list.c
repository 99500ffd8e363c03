/* Kinds of faults, and lists of faults. */

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/simulation/faults.h"

enum fault_class { CHANCE, PLANNED };

static const struct {
    const char *name, *text;
    enum fault_class class;
} kinds[FAULT_KINDS] = {
#define X(NAME, name, class, seldom, often, text) {name, text, class},
    SIM_FAULTS (X)
#undef X
};

const char *fault_name (enum fault_kind kind)
{
    COHORT_ASSERT (kind < FAULT_KINDS);
    return kinds[kind].name;
}

const char *fault_text (enum fault_kind kind)
{
    COHORT_ASSERT (kind < FAULT_KINDS);
    return kinds[kind].text;
}

bool fault_is_planned (enum fault_kind kind)
{
    COHORT_ASSERT (kind < FAULT_KINDS);
    return kinds[kind].class == PLANNED;
}

bool fault_find_kind (const char *name, size_t size, enum fault_kind *kind)
{
    for (int i = 0; i < FAULT_KINDS; i++) {
        if (strlen (kinds[i].name) == size && memcmp (kinds[i].name, name, size) == 0) {
            *kind = (enum fault_kind) i;
            return true;
        }
    }
    return false;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

void fault_list_add (struct fault_list *self, const struct sim_fault *fault)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 64;
        self->items = realloc (self->items, self->capacity * sizeof *self->items);
        COHORT_ASSERT (self->items != NULL);
    }
    self->items[self->count++] = *fault;
}

void fault_list_deinit (struct fault_list *self)
{
    free (self->items);
    *self = (struct fault_list){0};
}

static int compare (uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b ? 1 : 0;
}

static int by_key (const void *left, const void *right)
{
    const struct sim_fault *a = left, *b = right;
    int order = compare (a->kind, b->kind);
    order = order != 0 ? order : compare (a->a, b->a);
    order = order != 0 ? order : compare (a->b, b->b);
    return order != 0 ? order : compare (a->nth, b->nth);
}

/* Of the same time: by key, so that the order is that of the contents alone. */
static int by_time (const void *left, const void *right)
{
    const struct sim_fault *a = left, *b = right;
    int order = compare ((uint64_t) a->at_ms, (uint64_t) b->at_ms);
    return order != 0 ? order : by_key (left, right);
}

static void sort (struct fault_list *self, int (*order) (const void *, const void *))
{
    if (self->count > 1) {
        qsort (self->items, self->count, sizeof *self->items, order);
    }
}

void fault_list_sort_by_time (struct fault_list *self)
{
    sort (self, by_time);
}

void fault_list_sort_by_key (struct fault_list *self)
{
    sort (self, by_key);
}

const struct sim_fault *fault_list_find (const struct fault_list *self, const struct sim_fault *key)
{
    return self->count > 0 ? bsearch (key, self->items, self->count, sizeof *self->items, by_key)
                           : NULL;
}
