/* proposals.c: see proposals.h. */

#include "server/node/proposals.h"

#include <string.h>

#include "client/base/assert.h"
#include "client/base/bytes.h"

enum { KEEP_BYTES = 8 << 20, END_SIZE = 8 };

void proposals_init (struct proposals *self)
{
    memset (self, 0, sizeof *self);
}

void proposals_deinit (struct proposals *self)
{
    buf_deinit (&self->bytes);
    buf_deinit (&self->ends);
}

void proposals_clear (struct proposals *self)
{
    if (self->bytes.capacity > KEEP_BYTES) {
        proposals_deinit (self);
    }
    buf_clear (&self->bytes);
    buf_clear (&self->ends);
    self->taken = 0;
    self->taken_bytes = 0;
}

size_t proposals_count (const struct proposals *self)
{
    return self->ends.size / END_SIZE - self->taken;
}

bool proposals_add (struct proposals *self, const uint8_t *entry, size_t size)
{
    if (proposals_count (self) == 0) {
        proposals_clear (self);
    }
    size_t bytes = self->bytes.size;
    size_t ends = self->ends.size;
    buf_append (&self->bytes, entry, size);
    buf_u64 (&self->ends, self->bytes.size);
    if (!self->bytes.failed && !self->ends.failed) {
        return true;
    }
    buf_truncate (&self->bytes, bytes);
    buf_truncate (&self->ends, ends);
    self->bytes.failed = self->ends.failed = false;
    return false;
}

size_t proposals_take (struct proposals *self, const struct zab_proposal **list)
{
    size_t total = self->ends.size / END_SIZE;
    size_t count = 0;
    size_t start = self->taken_bytes;
    while (self->taken < total && count < PROPOSALS_COUNT) {
        size_t end = (size_t) bytes_get_u64 (self->ends.data + self->taken * END_SIZE);
        COHORT_ASSERT (end >= self->taken_bytes);
        if (count > 0 && end - start > PROPOSALS_BYTES) {
            break;
        }
        self->list[count++] = (struct zab_proposal){self->bytes.data + self->taken_bytes,
                                                    (uint32_t) (end - self->taken_bytes)};
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
