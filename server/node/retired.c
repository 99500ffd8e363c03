/* retired.c: see retired.h. */

#include "server/node/retired.h"

#include <string.h>

#include "client/base/assert.h"

void retired_init (struct retired *self)
{
    memset (self, 0, sizeof *self);
}

static void remove_first (struct retired *self)
{
    COHORT_ASSERT (self->count > 0);
    COHORT_ASSERT (self->trees[0] == NULL);
    self->count--;
    memmove (self->trees, self->trees + 1, self->count * sizeof self->trees[0]);
}

void retired_deinit (struct retired *self)
{
    while (self->count > 0) {
        tree_destroy (&self->trees[0]);
        remove_first (self);
    }
}

void retired_add (struct retired *self, struct tree **tree_p)
{
    if (*tree_p == NULL) {
        return;
    }
    if (self->count == RETIRED_MAX) {
        tree_destroy (&self->trees[0]);
        remove_first (self);
    }
    self->trees[self->count++] = *tree_p;
    *tree_p = NULL;
}

bool retired_turn (struct retired *self)
{
    if (self->count > 0 && !tree_dismantle (&self->trees[0], RETIRED_OBJECTS)) {
        remove_first (self);
    }
    return self->count > 0;
}
