/* What a disk, or the memory of its driver, holds. */

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/scenario/cluster.h"

void records_append (struct records *self, const struct record *record)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity > 0 ? 2 * self->capacity : 16;
        self->items = realloc (self->items, self->capacity * sizeof *self->items);
        COHORT_ASSERT (self->items != NULL);
    }
    self->items[self->count] = *record;
    /* The bytes live in the record, which moves. */
    self->items[self->count].entry.data = NULL;
    self->count++;
}

void records_free (struct records *self)
{
    free (self->items);
    memset (self, 0, sizeof *self);
}

struct zab_point image_last (const struct image *self)
{
    if (self->log.count == 0) {
        return self->base;
    }
    const struct zab_entry *entry = &self->log.items[self->log.count - 1].entry;
    return (struct zab_point){entry->zxid, entry->chain};
}

/* How many entries are not above zxid. */
static size_t count_up_to (const struct image *self, zxid_t zxid)
{
    size_t low = 0, high = self->log.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->log.items[middle].entry.zxid <= zxid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct record *image_find (const struct image *self, zxid_t zxid)
{
    size_t count = count_up_to (self, zxid);
    if (count == 0 || self->log.items[count - 1].entry.zxid != zxid) {
        return NULL;
    }
    return &self->log.items[count - 1];
}

bool image_has (const struct image *self, struct zab_point point)
{
    if (point.zxid == self->base.zxid) {
        return point.chain == self->base.chain;
    }
    const struct record *record = image_find (self, point.zxid);
    return record != NULL && record->entry.chain == point.chain;
}

void image_truncate (struct image *self, zxid_t zxid)
{
    COHORT_ASSERT (zxid >= self->base.zxid);
    self->log.count = count_up_to (self, zxid);
}

void image_append (struct image *self, const struct record *record)
{
    struct zab_point last = image_last (self);
    const struct zab_entry *entry = &record->entry;
    COHORT_ASSERT (zxid_follows (entry->zxid, last.zxid));
    COHORT_ASSERT (entry->chain ==
                   zab_chain (last.chain, entry->zxid, entry->stamp_ms, record->data, entry->size));
    records_append (&self->log, record);
}

void image_install (struct image *self, struct zab_point point, int64_t stamp_ms)
{
    self->base = point;
    self->base_stamp_ms = stamp_ms;
    self->log.count = 0;
}

void image_compact (struct image *self, zxid_t zxid)
{
    size_t count = count_up_to (self, zxid);
    if (count == 0) {
        return;
    }
    const struct zab_entry *entry = &self->log.items[count - 1].entry;
    self->base = (struct zab_point){entry->zxid, entry->chain};
    self->base_stamp_ms = entry->stamp_ms;
    self->log.count -= count;
    memmove (self->log.items, self->log.items + count, self->log.count * sizeof *self->log.items);
}

size_t image_execute (struct image *self, const struct disk_request *request, size_t operations)
{
    size_t done = 0;
    if (request->install && done < operations) {
        image_install (self, request->point, request->stamp_ms);
        done++;
    }
    if (request->truncate && done < operations) {
        image_truncate (self, request->truncate_to);
        done++;
    }
    for (size_t i = 0; i < request->log.count && done < operations; i++) {
        image_append (self, &request->log.items[i]);
        done++;
    }
    if (request->epochs && done < operations) {
        COHORT_ASSERT (request->accepted_epoch >= self->accepted_epoch);
        COHORT_ASSERT (request->current_epoch >= self->current_epoch);
        self->accepted_epoch = request->accepted_epoch;
        self->current_epoch = request->current_epoch;
        self->trust = request->whole ? ZAB_WHOLE : self->trust;
        done++;
    }
    return done;
}
