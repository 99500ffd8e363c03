/* ranges.c: see ranges.h. */

#include "server/node/ranges.h"

#include <string.h>

#include "client/base/assert.h"

_Static_assert((int) PEER_PARTS_MAX < (int) RANGES_MAX, "the parts of one frame live together");

enum { KEEP_BYTES = 2 << 20 }; /* a larger buffer is given back */

void ranges_init (struct ranges *self, struct store *store)
{
    memset (self, 0, sizeof *self);
    self->store = store;
}

void ranges_deinit (struct ranges *self)
{
    for (size_t i = 0; i < RANGES_MAX; i++) {
        buf_deinit (&self->items[i].bytes);
    }
}

void ranges_clear (struct ranges *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i].bytes.capacity > KEEP_BYTES) {
            buf_deinit (&self->items[i].bytes);
        }
    }
    self->count = 0;
}

static bool encode (struct ranges *self, struct ranges_item *item)
{
    struct zab_entry entries[RANGES_READ];
    buf_clear (&item->bytes);
    item->count = 0;
    item->reached = item->after;
    while (item->reached < item->through && item->bytes.size < item->max_bytes) {
        size_t count = store_read (self->store, item->reached, item->through,
                                   item->max_bytes - item->bytes.size, entries, RANGES_READ);
        if (count == 0) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            peer_entry_encode (&item->bytes, &entries[i]);
        }
        item->count += count;
        item->reached = entries[count - 1].zxid;
    }
    return item->count > 0 && !item->bytes.failed;
}

static struct ranges_item *least_used (struct ranges *self)
{
    struct ranges_item *least = &self->items[0];
    for (size_t i = 1; i < self->count; i++) {
        least = self->items[i].used < least->used ? &self->items[i] : least;
    }
    return least;
}

bool ranges_read (struct ranges *self, zxid_t after, zxid_t through, size_t max_bytes,
                  struct outbox_range *range)
{
    COHORT_ASSERT (after < through);
    struct ranges_item *found = NULL;
    for (size_t i = 0; i < self->count && found == NULL; i++) {
        struct ranges_item *item = &self->items[i];
        /* A larger budget than the cached one still finds the whole range, or an equal cut. */
        if (item->after == after && item->through == through &&
            (item->max_bytes == max_bytes ||
             (item->reached == through && item->bytes.size <= max_bytes))) {
            found = item;
        }
    }
    if (found == NULL) {
        found = self->count < RANGES_MAX ? &self->items[self->count++] : least_used (self);
        found->after = after;
        found->through = through;
        found->max_bytes = max_bytes;
        if (!encode (self, found)) {
            found->through = 0; /* matches nothing */
            return false;
        }
    }
    found->used = ++self->uses;
    range->bytes = (struct peer_bytes){found->bytes.data, found->bytes.size};
    range->count = found->count;
    range->reached = found->reached;
    return true;
}
