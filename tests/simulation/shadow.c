/* The log of a server, as points. */

#include "tests/simulation/shadow.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"

void shadow_deinit (struct shadow *self)
{
    free (self->points);
    *self = (struct shadow){.count = 0};
}

struct zab_point shadow_last (const struct shadow *self)
{
    return self->count > 0 ? self->points[self->count - 1] : self->base;
}

/* How many entries have a zxid not above this one. */
static size_t count_through (const struct shadow *self, zxid_t zxid)
{
    size_t low = 0, high = self->count;
    if (high > 0 && self->points[high - 1].zxid <= zxid) {
        return high; /* mostly it is about the end */
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->points[middle].zxid <= zxid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct zab_point *shadow_floor (const struct shadow *self, zxid_t zxid)
{
    size_t count = count_through (self, zxid);
    return count > 0 ? &self->points[count - 1] : NULL;
}

const struct zab_point *shadow_find (const struct shadow *self, zxid_t zxid)
{
    const struct zab_point *found = shadow_floor (self, zxid);
    return found != NULL && found->zxid == zxid ? found : NULL;
}

bool shadow_covers (const struct shadow *self, struct zab_point point)
{
    if (point.zxid < self->base.zxid) {
        return true;
    }
    if (point.zxid == self->base.zxid) {
        return point.chain == self->base.chain;
    }
    const struct zab_point *found = shadow_find (self, point.zxid);
    return found != NULL && found->chain == point.chain;
}

void shadow_append (struct shadow *self, struct zab_point point)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity > 0 ? 2 * self->capacity : 256;
        self->points = realloc (self->points, self->capacity * sizeof *self->points);
        COHORT_ASSERT (self->points != NULL);
    }
    self->points[self->count++] = point;
}

void shadow_truncate (struct shadow *self, zxid_t zxid)
{
    self->count = count_through (self, zxid);
}

void shadow_compact (struct shadow *self, struct zab_point base)
{
    size_t dropped = count_through (self, base.zxid);
    self->count -= dropped;
    if (self->count > 0) {
        memmove (self->points, self->points + dropped, self->count * sizeof *self->points);
    }
    self->base = base;
}

void shadow_replace (struct shadow *self, struct zab_point base)
{
    self->count = 0;
    self->base = base;
}

void shadow_copy (struct shadow *self, const struct shadow *other)
{
    shadow_replace (self, other->base);
    for (size_t i = 0; i < other->count; i++) {
        shadow_append (self, other->points[i]);
    }
}
