/* proposals.c: see proposals.h. */

#include "server/node/proposals.h"

#include <string.h>

#include "client/base/assert.h"
#include "client/base/bytes.h"
#include "cohort/error.h"

enum { KEEP_BYTES = 8 << 20, PLACE_SIZE = 16 };

void proposals_init (struct proposals *self)
{
    memset (self, 0, sizeof *self);
    self->waiting_max = PROPOSALS_WAITING_MAX;
}

void proposals_deinit (struct proposals *self)
{
    buf_deinit (&self->bytes);
    buf_deinit (&self->places);
}

void proposals_clear (struct proposals *self)
{
    if (self->bytes.capacity > KEEP_BYTES) {
        proposals_deinit (self);
    }
    buf_clear (&self->bytes);
    buf_clear (&self->places);
    self->taken = 0;
    self->taken_bytes = 0;
    self->sources_count = 0;
}

size_t proposals_count (const struct proposals *self)
{
    return self->places.size / PLACE_SIZE - self->taken;
}

/* Its index; sources_count: nothing of it waits. */
static size_t find_source (const struct proposals *self, uint32_t id)
{
    size_t i = 0;
    while (i < self->sources_count && self->sources[i].id != id) {
        i++;
    }
    return i;
}

static size_t need_source (struct proposals *self, uint32_t id)
{
    size_t i = find_source (self, id);
    if (i == self->sources_count) {
        COHORT_ASSERT (self->sources_count < PROPOSALS_SOURCES);
        self->sources[self->sources_count++] = (struct proposals_source){.id = id};
    }
    return i;
}

int proposals_add (struct proposals *self, uint32_t source, const uint8_t *entry, size_t size)
{
    if (proposals_count (self) == 0) {
        proposals_clear (self);
    }
    size_t bytes = self->bytes.size;
    size_t places = self->places.size;
    size_t from = need_source (self, source);
    if (self->sources[from].waiting + size > self->waiting_max) {
        return COHORT_ELIMIT;
    }
    buf_append (&self->bytes, entry, size);
    buf_u64 (&self->places, self->bytes.size);
    buf_u64 (&self->places, from);
    if (!self->bytes.failed && !self->places.failed) {
        self->sources[from].waiting += size;
        return 0;
    }
    buf_truncate (&self->bytes, bytes);
    buf_truncate (&self->places, places);
    self->bytes.failed = self->places.failed = false;
    return COHORT_ENOMEM;
}

/* Where the nth entry ends, and whose it is. */
static size_t end_of (const struct proposals *self, size_t nth)
{
    return (size_t) bytes_get_u64 (self->places.data + nth * PLACE_SIZE);
}

static size_t source_of (const struct proposals *self, size_t nth)
{
    return (size_t) bytes_get_u64 (self->places.data + nth * PLACE_SIZE + sizeof (uint64_t));
}

void proposals_forget (struct proposals *self, uint32_t source)
{
    size_t from = find_source (self, source), total = self->places.size / PLACE_SIZE;
    size_t start = self->taken_bytes, kept = self->taken, kept_bytes = self->taken_bytes;
    if (from == self->sources_count || self->sources[from].waiting == 0) {
        return;
    }
    for (size_t i = self->taken; i < total; i++) {
        size_t end = end_of (self, i), owner = source_of (self, i);
        if (owner != from) {
            memmove (self->bytes.data + kept_bytes, self->bytes.data + start, end - start);
            kept_bytes += end - start;
            bytes_put_u64 (self->places.data + kept * PLACE_SIZE, kept_bytes);
            bytes_put_u64 (self->places.data + kept * PLACE_SIZE + sizeof (uint64_t), owner);
            kept++;
        }
        start = end;
    }
    buf_truncate (&self->bytes, kept_bytes);
    buf_truncate (&self->places, kept * PLACE_SIZE);
    self->sources[from].waiting = 0;
}

size_t proposals_take (struct proposals *self, const struct zab_proposal **list)
{
    size_t total = self->places.size / PLACE_SIZE;
    size_t count = 0;
    size_t start = self->taken_bytes;
    while (self->taken < total && count < PROPOSALS_COUNT) {
        size_t end = end_of (self, self->taken);
        struct proposals_source *source = &self->sources[source_of (self, self->taken)];
        COHORT_ASSERT (end >= self->taken_bytes);
        if (count > 0 && end - start > PROPOSALS_BYTES) {
            break;
        }
        self->list[count++] = (struct zab_proposal){self->bytes.data + self->taken_bytes,
                                                    (uint32_t) (end - self->taken_bytes)};
        COHORT_ASSERT (source->waiting >= end - self->taken_bytes);
        source->waiting -= end - self->taken_bytes;
        self->taken_bytes = end;
        self->taken++;
    }
    *list = self->list;
    return count;
}

bool proposals_acceptable (const uint8_t *entry, size_t size, struct entry *decoded)
{
    return entry_decode (decoded, entry, size) &&
           (decoded->kind == ENTRY_CREATE_SESSION || decoded->kind == ENTRY_ATTACH ||
            decoded->kind == ENTRY_WRITE);
}

void proposals_bounds (const struct proposals *self, struct bounds *bounds)
{
    for (size_t i = 0; i < self->sources_count; i++) {
        const struct proposals_source *source = &self->sources[i];
        bounds_look (bounds, "bytes that wait to be proposed", source->id, source->waiting,
                     self->waiting_max);
    }
}
