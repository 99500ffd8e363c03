/* points.c: see points.h. */

#include "server/node/points.h"

#include <string.h>

#include "client/base/assert.h"

enum { LIST_MAX = POINTS_A_SERVER * CONFIG_MEMBERS_MAX };

void points_add (struct points *self, const struct point *point)
{
    struct point *newest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->list[i].server == point->server) {
            newest = &self->list[i];
            count++;
        }
    }
    COHORT_ASSERT (newest == NULL || newest->round <= point->round);
    /* The newest waits for the same round, or (a leader that stalls begins rounds beyond the one
     * under way) has to wait for this one. */
    if (count == POINTS_A_SERVER || (count > 0 && newest->round == point->round)) {
        *newest = *point;
        return;
    }
    COHORT_ASSERT (self->count < LIST_MAX);
    self->list[self->count++] = *point;
}

bool points_take (struct points *self, uint64_t confirmed, struct point *point)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->list[i].round <= confirmed) {
            *point = self->list[i];
            self->count--;
            memmove (&self->list[i], &self->list[i + 1], (self->count - i) * sizeof self->list[0]);
            return true;
        }
    }
    return false;
}

bool points_due (const struct points *self, uint64_t begun)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->list[i].round > begun) {
            return true;
        }
    }
    return false;
}

void points_forget (struct points *self, uint32_t server)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->list[i].server != server) {
            self->list[kept++] = self->list[i];
        }
    }
    self->count = kept;
}
