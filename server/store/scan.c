/*
 *  server/store/scan.c - a window that moves over a segment's file
 */
#include "server/store/scan.h"

#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"

enum { WINDOW_SIZE = 256 << 10 };

void scan_init (struct scan *self, struct disk *disk, const struct segment *segment)
{
    *self = (struct scan){.disk = disk, .segment = segment, .size = segment->reserved};
}

void scan_deinit (struct scan *self)
{
    mem_free (self->window);
    self->window = NULL;
}

static bool make_window (struct scan *self, size_t size)
{
    if (self->room >= size && self->room > 0) {
        return true;
    }
    size_t room = self->size < WINDOW_SIZE ? (size_t) self->size : WINDOW_SIZE;
    room = size > room ? size : room;
    mem_free (self->window);
    self->length = self->room = 0;
    self->window = mem_alloc (room);
    if (self->window == NULL) {
        return false;
    }
    self->room = room;
    return true;
}

const uint8_t *scan_at (struct scan *self, uint64_t offset, size_t size, struct fault *fault)
{
    if (self->window != NULL && offset >= self->start &&
        offset + size <= self->start + self->length) {
        return self->window + (offset - self->start);
    }
    if (!make_window (self, size)) {
        (void) fault_memory (fault);
        return NULL;
    }
    size_t done = 0, wanted = self->room;
    int rc = self->disk->ops->read (self->segment->file, offset, self->window, wanted, &done);
    if (rc == -EIO && wanted > size) {
        /*  A bad sector, perhaps not of what is asked for. */
        wanted = size;
        rc = self->disk->ops->read (self->segment->file, offset, self->window, wanted, &done);
    }
    rc = rc == -EIO && COHORT_MUTATED (bad_sectors_are_zero) ? 0 : rc;
    if (rc == -EIO) {
        (void) fault_set (fault, COHORT_ECORRUPT,
                          "%s: damaged: cannot be read near offset %llu (EIO)", self->segment->name,
                          (unsigned long long) offset);
        (void) fault_at (fault, offset);
        return NULL;
    }
    if (rc != 0) {
        (void) fault_final (fault, self->segment->name, "read", rc);
        return NULL;
    }
    memset (self->window + done, 0, wanted - done);
    self->start = offset;
    self->length = wanted;
    return self->window;
}

static bool belongs_here (const struct scan *self, uint64_t offset, const struct record *record)
{
    return record->offset == offset && record->segment == self->segment->number;
}

int scan_record (struct scan *self, uint64_t offset, enum seen *seen, struct record *record,
                 const uint8_t **bytes, struct fault *fault)
{
    const uint8_t *at = scan_at (self, offset, RECORD_HEADER_SIZE, fault);
    if (at == NULL) {
        return fault->code;
    }
    if (!record_decode (at, self->segment->salt, record)) {
        *seen = zero_parts_count (at, RECORD_HEADER_SIZE, offset) > 0 ||
                        COHORT_MUTATED (rotten_header_is_torn)
                    ? SEEN_TORN
                    : SEEN_DAMAGED;
        return 0;
    }
    if (!belongs_here (self, offset, record)) {
        *seen = SEEN_DAMAGED;
        return 0;
    }
    size_t total = record_total (record->size);
    if (offset + total > self->size) {
        *seen = SEEN_DAMAGED; /*  its space was reserved, durably, before it was written */
        return 0;
    }
    at = scan_at (self, offset, total, fault);
    if (at == NULL) {
        return fault->code;
    }
    *bytes = at;
    bool sound = record_body_sound (at, record) || COHORT_MUTATED (rotten_record_kept);
    *seen = sound                                                       ? SEEN_RECORD
            : zero_parts_count (at, total, offset) > record->zero_parts ? SEEN_TORN
                                                                        : SEEN_UNREADABLE;
    return 0;
}

/*  A sound record, at the end of the others or behind it. At the end it is torn. */
static void take_rest (struct scan_rest *rest, const struct record *record, bool behind)
{
    rest->durable = record->durable > rest->durable ? record->durable : rest->durable;
    rest->newest = record->zxid > rest->newest ? record->zxid : rest->newest;
    rest->goes_on |= behind && record->type == RECORD_ENTRY &&
                     record->previous == rest->last.chain &&
                     zxid_follows (record->zxid, rest->last.zxid);
}

/*  Notes what a piece of the rest holds. */
static void look_through (const struct scan *self, const uint8_t *at, uint64_t offset, size_t size,
                          uint64_t end, struct scan_rest *rest)
{
    for (size_t i = size; i > 0; i--) {
        if (at[i - 1] != 0) {
            rest->garbage_end = offset + i;
            break;
        }
    }
    for (size_t i = 0; i < size; i += RECORD_ALIGN) {
        struct record record;
        if (at[i] != 0 && record_decode (at + i, self->segment->salt, &record) &&
            belongs_here (self, offset + i, &record)) {
            take_rest (rest, &record, offset + i > end);
        }
    }
}

int scan_rest (struct scan *self, uint64_t offset, struct scan_rest *rest, struct fault *fault)
{
    enum { PIECE = 64 << 10 };
    COHORT_ASSERT (offset % RECORD_ALIGN == 0);
    rest->garbage_end = offset;
    rest->goes_on = false;
    for (uint64_t at = offset; at < self->size; at += PIECE) {
        uint64_t left = self->size - at;
        size_t size = left < PIECE ? (size_t) left : PIECE;
        /*  A header may begin in this piece and end behind it. */
        const uint8_t *bytes = scan_at (self, at, size + RECORD_HEADER_SIZE, fault);
        if (bytes == NULL) {
            return fault->code;
        }
        if (!all_zero (bytes, size)) {
            look_through (self, bytes, at, size, offset, rest);
        }
    }
    return 0;
}
