/* server/inspect/salvage.c - entries that survive outside of a damaged log */
#include "server/inspect/salvage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/backup/load.h"
#include "server/store/manifest.h"
#include "server/store/scan.h"

enum { BATCH_ENTRIES = 256, BATCH_BYTES = 1 << 20, PIECE = 64 << 10 };

/* A file in which there are entries, or a snapshot. */
struct place {
    struct disk *disk;
    char name[NAME_SIZE];
    bool snapshot;
    uint32_t segment; /* as its head says */
    uint64_t start, end;
    struct file_ids ids;
    struct backup ends; /* of a snapshot */
};

struct found {
    zxid_t zxid;
    uint64_t previous, chain;
    int64_t stamp_ms;
    zxid_t commit;
    size_t place; /* index */
    uint64_t offset;
    uint32_t size;
    zxid_t reaches; /* the most recent entry that this one leads to */
    bool whole;     /* its data is sound, and its chain is right */
};

struct salvage {
    uint8_t cluster_id[16];
    struct place *places;
    size_t places_count, places_room;
    struct found *entries; /* ascending by zxid, once they are all there */
    size_t count, room;
    struct disk *listed; /* while names are collected */
    bool live;           /* its own log counts, too */
    const struct manifest *manifest;
    bool failed;
};

/* ---- Files ------------------------------------------------------------------------------- */

static void *grow (struct salvage *self, void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return items;
    }
    size_t wanted = *room * 2 + 64;
    void *moved = mem_realloc (items, wanted * size);
    if (moved == NULL) {
        self->failed = true;
        return NULL;
    }
    *room = wanted;
    return moved;
}

static struct place *add_place (struct salvage *self, const char *name)
{
    struct place *places =
        grow (self, self->places, self->places_count, &self->places_room, sizeof *places);
    if (places == NULL) {
        return NULL;
    }
    self->places = places;
    struct place *place = &places[self->places_count++];
    *place = (struct place){.disk = self->listed, .start = SEGMENT_HEAD_SIZE, .end = UINT64_MAX};
    (void) snprintf (place->name, sizeof place->name, "%s", name);
    return place;
}

/* The name that a file had before it was set aside. */
static const char *original_name (const char *name)
{
    uint32_t number;
    const char *dot = name_is_aside (name, &number) ? strchr (name, '.') : NULL;
    dot = dot != NULL ? strchr (dot + 1, '.') : NULL;
    return dot != NULL ? dot + 1 : name;
}

static void collect (void *arg, const char *name)
{
    struct salvage *self = arg;
    const char *original = original_name (name);
    uint32_t segment;
    zxid_t zxid;
    uint64_t serial;
    bool aside = original != name;
    if ((!aside && !self->live) || strlen (name) >= NAME_SIZE) {
        return;
    }
    if (name_is_snapshot (original, &zxid, &serial)) {
        struct place *place = add_place (self, name);
        if (place != NULL) {
            place->snapshot = true;
        }
        return;
    }
    if (!name_is_segment (original, &segment)) {
        return;
    }
    const struct span *span = NULL;
    for (size_t i = 0; !aside && self->manifest != NULL && i < self->manifest->spans_count; i++) {
        span = self->manifest->spans[i].segment == segment ? &self->manifest->spans[i] : span;
    }
    if (!aside && self->manifest != NULL && span == NULL) {
        return;
    }
    struct place *place = add_place (self, name);
    if (place != NULL && span != NULL) {
        place->start = span->start;
        place->end = span->end != 0 ? span->end : UINT64_MAX;
    }
}

static int collect_from (struct salvage *self, struct disk *disk, bool live, struct fault *fault)
{
    struct manifest manifest = {.number = 0};
    struct file_ids ids;
    struct fault second;
    bool found = false;
    bool read = live && manifest_read (&manifest, disk, &ids, &found, &second) == 0 && found;
    self->listed = disk;
    self->live = live;
    self->manifest = read ? &manifest : NULL;
    int error = disk->ops->list (disk, collect, self);
    manifest_deinit (&manifest);
    if (error != 0) {
        return fault_final (fault, "the folder", "list", error);
    }
    return self->failed ? fault_memory (fault) : 0;
}

/* ---- Entries ----------------------------------------------------------------------------- */

static bool is_ours (const struct salvage *self, const struct file_ids *ids)
{
    return memcmp (ids->cluster_id, self->cluster_id, sizeof self->cluster_id) == 0 ||
           all_zero (ids->cluster_id, sizeof ids->cluster_id);
}

static bool open_place (const struct salvage *self, struct place *place, struct segment *segment)
{
    const struct disk_ops *ops = place->disk->ops;
    uint8_t bytes[HEAD_SIZE];
    struct file_head head;
    struct reader payload;
    size_t done = 0;
    *segment = (struct segment){.number = 0};
    if (ops->open (place->disk, place->name, false, &segment->file) != 0) {
        segment->file = NULL;
        return false;
    }
    bool ok = ops->read (segment->file, 0, bytes, sizeof bytes, &done) == 0 &&
              ops->size (segment->file, &segment->reserved) == 0 &&
              head_decode (bytes, done, FILE_LOG, &head, &payload) == FORMAT_OK &&
              is_ours (self, &head.ids);
    if (!ok) {
        segment_close (segment, place->disk);
        return false;
    }
    place->ids = head.ids;
    place->segment = segment->number = (uint32_t) head.number;
    memcpy (segment->name, place->name, sizeof segment->name);
    segment->salt = record_salt (head.ids.store_id, segment->number);
    return true;
}

static void add_entry (struct salvage *self, size_t place, const struct record *record, bool whole)
{
    struct found *entries = grow (self, self->entries, self->count, &self->room, sizeof *entries);
    if (entries == NULL) {
        return;
    }
    self->entries = entries;
    entries[self->count++] = (struct found){.zxid = record->zxid,
                                            .previous = record->previous,
                                            .chain = record->chain,
                                            .stamp_ms = record->stamp_ms,
                                            .commit = record->commit,
                                            .place = place,
                                            .offset = record->offset,
                                            .size = record->size,
                                            .whole = whole};
}

static bool is_whole (struct scan *scan, const struct record *record)
{
    struct fault fault;
    const uint8_t *at = record->offset + record_total (record->size) <= scan->size
                            ? scan_at (scan, record->offset, record_total (record->size), &fault)
                            : NULL;
    return at != NULL && record_body_sound (at, record) &&
           zab_chain (record->previous, record->zxid, record->stamp_ms, at + RECORD_HEADER_SIZE,
                      record->size) == record->chain;
}

/* All records of which at least the header is sound, wherever they are. */
static void read_place (struct salvage *self, size_t index)
{
    struct segment segment;
    if (!open_place (self, &self->places[index], &segment)) {
        return;
    }
    const struct place *place = &self->places[index];
    struct scan scan;
    struct fault fault;
    scan_init (&scan, place->disk, &segment);
    uint64_t stop = place->end < scan.size ? place->end : scan.size;
    for (uint64_t at = place->start; at < stop && !self->failed;) {
        struct record record;
        const uint8_t *bytes = scan_at (&scan, at, RECORD_HEADER_SIZE, &fault);
        bool sound = bytes != NULL && record_decode (bytes, segment.salt, &record) &&
                     record.offset == at && record.segment == segment.number;
        if (!sound) {
            at += bytes != NULL ? RECORD_ALIGN : SECTOR_SIZE - at % SECTOR_SIZE;
            continue;
        }
        bool whole = record.type == RECORD_ENTRY && is_whole (&scan, &record);
        if (record.type == RECORD_ENTRY) {
            add_entry (self, index, &record, whole);
        }
        at += whole || record.type != RECORD_ENTRY ? record_total (record.size)
                                                   : (uint64_t) RECORD_HEADER_SIZE;
    }
    scan_deinit (&scan);
    segment_close (&segment, place->disk);
}

static void read_snapshot (struct salvage *self, struct place *place)
{
    char text[FAULT_TEXT_SIZE];
    bool sound = backup_ends (place->disk, place->name, &place->ends, text, sizeof text) == 0 &&
                 is_ours (self, &place->ends.head.ids);
    place->snapshot = sound;
    place->end = sound ? place->end : 0;
}

/* ---- Ways to go on ----------------------------------------------------------------------- */

static int by_zxid (const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->zxid != y->zxid) {
        return x->zxid < y->zxid ? -1 : 1;
    }
    /* Copies of one entry behind each other, the whole ones first. */
    return x->chain != y->chain ? (x->chain < y->chain ? -1 : 1) : (int) y->whole - (int) x->whole;
}

/* The first entry with a zxid above this. */
static size_t behind (const struct salvage *self, zxid_t zxid)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->entries[middle].zxid > zxid) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* The best of those that follow the point; NULL: none does. A successor has the next counter, or is
 * the first of a later epoch. */
static const struct found *successor (const struct salvage *self, zxid_t zxid, uint64_t chain)
{
    const struct found *best = NULL;
    for (size_t i = behind (self, zxid); i < self->count;) {
        const struct found *at = &self->entries[i];
        if (zxid_follows (at->zxid, zxid)) {
            bool better =
                at->whole && at->previous == chain && (best == NULL || at->reaches > best->reaches);
            best = better ? at : best;
            i++;
        } else {
            i = behind (self, zxid_counter (at->zxid) == 0
                                  ? at->zxid
                                  : zxid_make (zxid_epoch (at->zxid), ZXID_COUNTER_MAX));
        }
    }
    return best;
}

static void find_ways (struct salvage *self)
{
    if (self->count > 0) {
        qsort (self->entries, self->count, sizeof *self->entries, by_zxid);
    }
    for (size_t i = self->count; i-- > 0;) {
        struct found *entry = &self->entries[i];
        const struct found *next = successor (self, entry->zxid, entry->chain);
        entry->reaches = next != NULL ? next->reaches : entry->zxid;
    }
}

int salvage_new (struct disk *const *disks, size_t count, const uint8_t cluster_id[16],
                 struct salvage **salvage, struct fault *fault)
{
    struct salvage *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return fault_memory (fault);
    }
    memcpy (self->cluster_id, cluster_id, sizeof self->cluster_id);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = disks[i] != NULL ? collect_from (self, disks[i], i > 0, fault) : 0;
    }
    for (size_t i = 0; i < self->places_count && rc == 0; i++) {
        if (self->places[i].snapshot) {
            read_snapshot (self, &self->places[i]);
        } else {
            read_place (self, i);
        }
        rc = self->failed ? fault_memory (fault) : 0;
    }
    if (rc != 0) {
        salvage_destroy (&self);
        return rc;
    }
    find_ways (self);
    *salvage = self;
    return 0;
}

void salvage_destroy (struct salvage **self_p)
{
    struct salvage *self = *self_p;
    if (self != NULL) {
        mem_free (self->places);
        mem_free (self->entries);
        mem_free (self);
        *self_p = NULL;
    }
}

uint64_t salvage_count (const struct salvage *self, zxid_t after, zxid_t *last)
{
    uint64_t count = 0;
    zxid_t before = 0;
    *last = 0;
    for (size_t i = behind (self, after); i < self->count; i++) {
        zxid_t zxid = self->entries[i].zxid;
        count += zxid != before;
        before = *last = zxid;
    }
    return count;
}

/* ---- Appending --------------------------------------------------------------------------- */

static int work (struct store *store, struct fault *fault)
{
    const char *text = "the store has failed";
    while (store_work (store)) {
    }
    int rc = store_failure (store, &text);
    if (rc == 0 && store_space (store) != 0) {
        return fault_set (fault, COHORT_EDISKFULL, "the folder: the disk is full");
    }
    return rc == 0 ? 0 : fault_set (fault, rc, "%s", text);
}

static int read_data (const struct salvage *self, const struct found *found, uint8_t *data,
                      struct fault *fault)
{
    const struct place *place = &self->places[found->place];
    struct disk_file *file;
    size_t done = 0;
    int rc = place->disk->ops->open (place->disk, place->name, false, &file);
    if (rc == 0) {
        rc = place->disk->ops->read (file, found->offset + RECORD_HEADER_SIZE, data, found->size,
                                     &done);
        place->disk->ops->close (file);
    }
    if (rc != 0) {
        return fault_final (fault, place->name, "read", rc);
    }
    /* It was so before; whether it still is, decides what is written. */
    bool same = done == found->size && zab_chain (found->previous, found->zxid, found->stamp_ms,
                                                  data, found->size) == found->chain;
    return same ? 0
                : fault_set (fault, COHORT_ECORRUPT, "%s: changes while it is read", place->name);
}

struct batch {
    struct zab_entry entries[BATCH_ENTRIES];
    size_t count;
    struct buf data;
    zxid_t commit;
};

static int flush (struct batch *batch, struct store *store, struct fault *fault)
{
    if (batch->count == 0) {
        return 0;
    }
    size_t at = 0;
    for (size_t i = 0; i < batch->count; i++) {
        batch->entries[i].data = batch->data.data + at;
        at += batch->entries[i].size;
    }
    struct zab_persist persist = {.number = store_completed (store) + 1,
                                  .entries = batch->entries,
                                  .entries_count = batch->count,
                                  .commit = batch->commit};
    store_persist (store, &persist);
    batch->count = 0;
    buf_clear (&batch->data);
    return work (store, fault);
}

static int add (const struct salvage *self, struct batch *batch, const struct found *found,
                struct fault *fault)
{
    uint8_t *data = buf_extend (&batch->data, found->size);
    if (data == NULL) {
        return fault_memory (fault);
    }
    batch->entries[batch->count++] = (struct zab_entry){.zxid = found->zxid,
                                                        .stamp_ms = found->stamp_ms,
                                                        .chain = found->chain,
                                                        .size = found->size};
    batch->commit = found->commit > batch->commit ? found->commit : batch->commit;
    return read_data (self, found, data, fault);
}

static int append_entries (struct salvage *self, struct store *store, struct zab_point end,
                           uint64_t *appended, struct fault *fault)
{
    struct batch batch = {.count = 0};
    int rc = 0;
    buf_init (&batch.data);
    const struct found *next;
    while (rc == 0 && (next = successor (self, end.zxid, end.chain)) != NULL) {
        rc = add (self, &batch, next, fault);
        end = (struct zab_point){.zxid = next->zxid, .chain = next->chain};
        (*appended)++;
        if (rc == 0 && (batch.count == BATCH_ENTRIES || batch.data.size >= BATCH_BYTES)) {
            rc = flush (&batch, store, fault);
        }
    }
    if (rc == 0) {
        rc = flush (&batch, store, fault);
    }
    buf_deinit (&batch.data);
    return rc;
}

static int copy_content (struct snapshot_reader *reader, struct store *store,
                         struct store_writer *writer, struct fault *fault)
{
    uint8_t *piece = mem_alloc (PIECE);
    int rc = piece != NULL ? 0 : fault_memory (fault);
    size_t done = 1;
    for (uint64_t offset = 0; rc == 0 && done > 0; offset += done) {
        rc = snapshot_read (reader, offset, piece, PIECE, &done, fault);
        if (rc == 0) {
            store_writer_append (writer, piece, done);
            rc = work (store, fault);
        }
    }
    mem_free (piece);
    return rc;
}

/* The snapshot becomes the beginning of an empty store's log. */
static int install (const struct place *place, struct store *store, struct fault *fault)
{
    struct snapshot_reader reader;
    struct store_writer *writer = NULL;
    const struct backup *ends = &place->ends;
    int rc =
        snapshot_open (&reader, place->disk, &ends->head.ids, place->name, &ends->entry, fault);
    if (rc != 0) {
        return rc;
    }
    rc = store_writer_new (store, ends->head.point, ends->head.stamp_ms, &writer);
    rc = rc == 0 ? copy_content (&reader, store, writer, fault)
                 : fault_set (fault, rc, "%s", cohort_error_text (rc));
    if (rc == 0) {
        store_writer_finish (writer, true);
        rc = work (store, fault);
    }
    int state = rc == 0 ? store_writer_state (writer) : 1;
    if (state != 1) {
        rc = fault_set (fault, state < 0 ? state : COHORT_ESYSTEM, "%s: cannot be written again",
                        place->name);
    }
    store_writer_destroy (&writer);
    snapshot_close (&reader);
    return rc == 0 ? work (store, fault) : rc;
}

static bool verified (const struct place *place)
{
    struct snapshot_reader reader;
    struct fault fault;
    bool finished = false;
    const struct backup *ends = &place->ends;
    if (snapshot_open (&reader, place->disk, &ends->head.ids, place->name, &ends->entry, &fault) !=
        0) {
        return false;
    }
    bool sound = snapshot_verify (&reader, UINT64_MAX, true, &finished, &fault) == 0;
    snapshot_close (&reader);
    return sound && finished;
}

/* The newest that is sound; NULL: none. */
static struct place *newest_snapshot (struct salvage *self)
{
    for (;;) {
        struct place *best = NULL;
        for (size_t i = 0; i < self->places_count; i++) {
            struct place *place = &self->places[i];
            bool newer = place->snapshot && (best == NULL || place->ends.entry.point.zxid >
                                                                 best->ends.entry.point.zxid);
            best = newer ? place : best;
        }
        if (best == NULL || verified (best)) {
            return best;
        }
        best->snapshot = false;
    }
}

static struct zab_point end_of (struct store *store)
{
    struct zab_point base;
    int64_t stamp_ms;
    struct zab_entry entry;
    zxid_t last = store_last (store);
    store_base (store, &base, &stamp_ms);
    if (last > base.zxid && store_read (store, last - 1, last, 1, &entry, 1) == 1) {
        return (struct zab_point){.zxid = last, .chain = entry.chain};
    }
    return base;
}

int salvage_append (struct salvage *self, struct store *store, uint64_t *appended,
                    struct fault *fault)
{
    *appended = 0;
    struct place *snapshot = store_last (store) == 0 ? newest_snapshot (self) : NULL;
    if (snapshot != NULL) {
        int rc = install (snapshot, store, fault);
        if (rc != 0) {
            return rc;
        }
    }
    return append_entries (self, store, end_of (store), appended, fault);
}
