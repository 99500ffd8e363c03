/* What the ensemble has agreed on, read out of the servers' folders. */

#include "tests/cluster/log_copy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "server/store/manifest.h"
#include "server/store/scan.h"

/* One log, as it is read: entries wait until the log says that they are committed. */
struct reading {
    struct log_copy *copy;
    struct disk *disk;
    struct file_ids ids;
    struct manifest manifest;
    uint64_t committed;
    struct log_copy_entry *entries;
    size_t count, capacity;
    uint64_t last; /* zxid */
};

void log_copy_init (struct log_copy *self)
{
    *self = (struct log_copy){.count = 0};
}

static void free_entries (struct log_copy_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free (entries[i].data);
    }
    free (entries);
}

void log_copy_deinit (struct log_copy *self)
{
    free_entries (self->entries, self->count);
    log_copy_init (self);
}

uint64_t log_copy_zxid (const struct log_copy *self)
{
    return self->count > 0 ? self->entries[self->count - 1].zxid : 0;
}

static void append (struct log_copy_entry **entries, size_t *count, size_t *capacity,
                    const struct log_copy_entry *entry)
{
    if (*count == *capacity) {
        *capacity = *capacity > 0 ? 2 * *capacity : 1024;
        *entries = realloc (*entries, *capacity * sizeof **entries);
        COHORT_ASSERT (*entries != NULL);
    }
    (*entries)[(*count)++] = *entry;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void take_record (struct reading *self, const struct record *record, const uint8_t *bytes)
{
    self->committed = record->commit > self->committed ? record->commit : self->committed;
    if (record->type != RECORD_ENTRY || record->zxid <= self->last) {
        return;
    }
    struct log_copy_entry entry = {.zxid = record->zxid,
                                   .previous = record->previous,
                                   .chain = record->chain,
                                   .stamp_ms = record->stamp_ms,
                                   .data = malloc ((size_t) record->size + 1),
                                   .size = record->size};
    COHORT_ASSERT (entry.data != NULL);
    memcpy (entry.data, bytes + RECORD_HEADER_SIZE, record->size);
    append (&self->entries, &self->count, &self->capacity, &entry);
    self->last = record->zxid;
}

/* false: nothing behind this span can be read. */
static bool read_span (struct reading *self, const struct span *span)
{
    struct segment segment = {.file = NULL};
    struct fault fault = {0};
    struct scan scan;
    uint64_t offset = span->start;
    bool good = true;
    if (segment_open (&segment, self->disk, &self->ids, span->segment, &fault) != 0) {
        return false;
    }
    scan_init (&scan, self->disk, &segment);
    while (good && (span->end == 0 || offset < span->end)) {
        enum seen seen;
        struct record record;
        const uint8_t *bytes;
        if (scan_record (&scan, offset, &seen, &record, &bytes, &fault) != 0 ||
            seen != SEEN_RECORD) {
            good = span->end == 0;
            break;
        }
        take_record (self, &record, bytes);
        offset += record_total (record.size);
        if (record.type == RECORD_SEAL) {
            break;
        }
    }
    scan_deinit (&scan);
    segment_close (&segment, self->disk);
    return good;
}

static void read_log (struct reading *self)
{
    struct fault fault = {0};
    bool found;
    if (manifest_read (&self->manifest, self->disk, &self->ids, &found, &fault) != 0 || !found) {
        return;
    }
    for (size_t i = 0; i < self->manifest.spans_count; i++) {
        if (!read_span (self, &self->manifest.spans[i])) {
            break;
        }
    }
}

/* ---- Taking in ------------------------------------------------------------------------------- */

static struct log_copy_entry *find (const struct log_copy *self, uint64_t zxid)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->entries[middle].zxid < zxid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < self->count && self->entries[low].zxid == zxid ? &self->entries[low] : NULL;
}

static bool agrees (const struct log_copy *self, const struct log_copy_entry *entry,
                    const char *folder, struct objection *objection)
{
    const struct log_copy_entry *known = find (self, entry->zxid);
    return (known != NULL && known->chain == entry->chain && known->stamp_ms == entry->stamp_ms &&
            known->size == entry->size && memcmp (known->data, entry->data, entry->size) == 0) ||
           object (objection, "%s has another entry committed at %#" PRIx64 " than another server",
                   folder, entry->zxid);
}

static bool take_in (struct reading *self, const char *folder, uint64_t *committed,
                     struct objection *objection)
{
    struct log_copy *copy = self->copy;
    for (size_t i = 0; i < self->count && self->entries[i].zxid <= self->committed; i++) {
        struct log_copy_entry *entry = &self->entries[i];
        uint64_t last = log_copy_zxid (copy);
        *committed = entry->zxid;
        if (entry->zxid <= last) {
            if (!agrees (copy, entry, folder, objection)) {
                return false;
            }
            continue;
        }
        if (copy->count > 0 ? entry->previous != copy->entries[copy->count - 1].chain
                            : self->manifest.base.zxid != 0 || i > 0) {
            return true; /* it begins too late */
        }
        append (&copy->entries, &copy->count, &copy->capacity, entry);
        entry->data = NULL;
    }
    return true;
}

bool log_copy_read (struct log_copy *self, const char *folder, uint64_t through, uint64_t *last,
                    struct objection *objection)
{
    struct reading reading = {.copy = self, .committed = through};
    *last = 0;
    if (posix_disk_new (folder, &reading.disk) != 0) {
        return true;
    }
    read_log (&reading);
    bool good = take_in (&reading, folder, last, objection);
    manifest_deinit (&reading.manifest);
    free_entries (reading.entries, reading.count);
    reading.disk->ops->destroy (reading.disk);
    return good;
}
