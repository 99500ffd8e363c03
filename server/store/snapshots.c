/*
 *  server/store/snapshots.c - the owner's side: writing and reading snapshots, dropping what is old
 */
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/state.h"

/*  As many as there are behind one that is right, at the most, for its sake. */
enum { SNAPSHOTS_UNPROVEN_MAX = 16 };
_Static_assert(2 * SNAPSHOTS_UNPROVEN_MAX < MANIFEST_SNAPSHOTS_MAX, "there is room for them");

/* ---- What there is ----------------------------------------------------------------------- */

static struct store_snapshot_info info_of (const struct snapshot_entry *entry)
{
    return (struct store_snapshot_info){
        .point = entry->point,
        .stamp_ms = entry->stamp_ms,
        .size = entry->size,
        .digest = entry->digest,
    };
}

bool store_snapshot_newest (const struct store *self, struct store_snapshot_info *info)
{
    if (self->snapshots_count == 0) {
        return false;
    }
    *info = info_of (&self->snapshots[self->snapshots_count - 1]);
    return true;
}

bool snapshots_installing (const struct store *self)
{
    const struct store_writer *writer = self->writer;
    return writer != NULL && writer->install && writer->finished && !writer->applied &&
           atomic_load_explicit (&((struct store_writer *) writer)->state, memory_order_acquire) >=
               0;
}

static void strike (struct store *self, const struct snapshot_entry *entry)
{
    struct work *work = work_new (self, WORK_SNAPSHOT_STRIKE);
    if (work != NULL) {
        work->serial = entry->serial;
        work_push (self, LANE_SNAPSHOT, work);
    }
}

/*  The worker has finished a snapshot: the owner's view follows. */
static void apply (struct store *self, struct store_writer *writer)
{
    writer->applied = true;
    const struct snapshot_entry *entry = &writer->entry;
    if (writer_is_cancelled (writer)) {
        strike (self, entry); /*  the worker had begun to name it */
        return;
    }
    if (writer->install) {
        self->meta.heir |= writer->copies;
        self->snapshots_count = 0;
        cache_reset (&self->cache, entry->point,
                     atomic_load_explicit (&self->done, memory_order_acquire));
        self->base_stamp_ms = entry->stamp_ms;
        self->snapshot_position = 0;
    } else if (self->snapshots_count == 0 ||
               self->snapshots[self->snapshots_count - 1].point.zxid <= entry->point.zxid) {
        self->snapshot_position = COHORT_MUTATED (log_measured_from_end) ? cache_end (&self->cache)
                                                                         : writer->log_position;
    }
    COHORT_ASSERT (self->snapshots_count < MANIFEST_SNAPSHOTS_MAX);
    size_t at = self->snapshots_count++;
    while (at > 0 && self->snapshots[at - 1].point.zxid > entry->point.zxid) {
        self->snapshots[at] = self->snapshots[at - 1];
        at--;
    }
    self->snapshots[at] = *entry;
}

static int writer_state (struct store_writer *writer)
{
    struct store *self = writer->store;
    int state = atomic_load_explicit (&writer->state, memory_order_acquire);
    if (state == 1 && !writer->applied) {
        apply (self, writer);
    }
    if (state == 0) {
        state = store_failure (self, NULL);
    }
    return state;
}

static void let_go (struct store *self)
{
    struct work *work = work_new (self, WORK_SNAPSHOT_DROP);
    if (work == NULL) {
        return; /*  the store has failed; closing it frees the writer */
    }
    work->writer = self->writer;
    self->writer = NULL;
    work_push (self, LANE_SNAPSHOT, work);
}

void snapshots_poll (struct store *self)
{
    if (self->writer != NULL && self->writer->left && writer_state (self->writer) != 0) {
        let_go (self);
    }
}

void snapshots_deinit (struct store *self)
{
    if (self->writer != NULL) {
        writer_free (self->writer);
        self->writer = NULL;
    }
}

/* ---- Writing ----------------------------------------------------------------------------- */

static uint8_t *new_block (struct store *self)
{
    uint8_t *block = mem_alloc (SNAPSHOT_BLOCK_SIZE);
    if (block == NULL) {
        struct fault fault;
        (void) fault_memory (&fault);
        store_fail (self, &fault);
    }
    return block;
}

static int make_writer (struct store *self, struct zab_point point, int64_t stamp_ms,
                        const struct store_snapshot_info *original, struct store_writer **writer_p)
{
    snapshots_poll (self);
    if (self->writer != NULL) {
        return COHORT_ESTATE;
    }
    int rc = store_failure (self, NULL);
    if (rc != 0) {
        return rc;
    }
    struct store_writer *writer = mem_calloc (1, sizeof *writer);
    struct work *work = mem_calloc (1, sizeof *work);
    if (writer == NULL || work == NULL) {
        mem_free (writer);
        mem_free (work);
        return COHORT_ENOMEM;
    }
    writer->store = self;
    writer->point = point;
    writer->stamp_ms = stamp_ms;
    writer->log_position = cache_position (&self->cache, point.zxid);
    writer->copies = original != NULL;
    if (original != NULL) {
        writer->original = *original;
    }
    work->type = WORK_SNAPSHOT_BEGIN;
    work->writer = self->writer = writer;
    work_push (self, LANE_SNAPSHOT, work);
    *writer_p = writer;
    return 0;
}

int store_writer_new (struct store *self, struct zab_point point, int64_t stamp_ms,
                      struct store_writer **writer)
{
    return make_writer (self, point, stamp_ms, NULL, writer);
}

int store_writer_copy (struct store *self, const struct store_snapshot_info *original,
                       struct store_writer **writer)
{
    return make_writer (self, original->point, original->stamp_ms, original, writer);
}

/*  The bytes are the work's. */
static void push_bytes (struct store_writer *writer, uint8_t *bytes, size_t size)
{
    struct store *self = writer->store;
    struct work *work = work_new (self, WORK_SNAPSHOT_BLOCK);
    if (work == NULL) {
        mem_free (bytes);
        return;
    }
    work->writer = writer;
    work->block = bytes;
    work->block_size = size;
    work_push (self, LANE_SNAPSHOT, work);
}

static void push_block (struct store_writer *writer)
{
    push_bytes (writer, writer->block, writer->block_used);
    writer->block = NULL;
    writer->block_used = 0;
}

static void append_blocks (struct store_writer *writer, const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup (data, size);
    if (copy != NULL) {
        push_bytes (writer, copy, size);
    } else {
        struct fault fault;
        (void) fault_memory (&fault);
        store_fail (writer->store, &fault);
    }
}

void store_writer_append (struct store_writer *writer, const uint8_t *data, size_t size)
{
    struct store *self = writer->store;
    COHORT_ASSERT (!writer->finished);
    atomic_fetch_add_explicit (&writer->pending, size, memory_order_relaxed);
    if (writer->copies && size > 0 && self->owner_fault.code == 0) {
        append_blocks (writer, data, size);
        return;
    }
    while (size > 0 && self->owner_fault.code == 0) {
        if (writer->block == NULL) {
            writer->block = new_block (self);
            if (writer->block == NULL) {
                return;
            }
        }
        size_t part = SNAPSHOT_BLOCK_SIZE - writer->block_used;
        if (part > size) {
            part = size;
        }
        memcpy (writer->block + writer->block_used, data, part);
        writer->block_used += part;
        data += part;
        size -= part;
        if (writer->block_used == SNAPSHOT_BLOCK_SIZE) {
            push_block (writer);
        }
    }
}

uint64_t store_writer_pending (struct store_writer *writer)
{
    return atomic_load_explicit (&writer->pending, memory_order_acquire);
}

void store_writer_finish (struct store_writer *writer, bool install)
{
    struct store *self = writer->store;
    COHORT_ASSERT (!writer->finished);
    writer->finished = true;
    writer->install = install;
    if (writer->block_used > 0) {
        push_block (writer);
    }
    if (self->owner_fault.code != 0) {
        return;
    }
    struct work *work = work_new (self, WORK_SNAPSHOT_END);
    if (work != NULL) {
        work->writer = writer;
        work->install = install;
        work_push (self, LANE_SNAPSHOT, work);
    }
}

int store_writer_state (struct store_writer *writer)
{
    return writer_state (writer);
}

void store_writer_destroy (struct store_writer **self_p)
{
    struct store_writer *writer = *self_p;
    if (writer == NULL) {
        return;
    }
    *self_p = NULL;
    struct store *self = writer->store;
    COHORT_ASSERT (self->writer == writer);
    if (writer->finished && writer_state (writer) == 0) {
        COHORT_ASSERT (!writer->install || !self->threaded);
        writer->left = true; /*  snapshots_poll sees to it */
        return;
    }
    let_go (self);
}

void store_writer_cancel (struct store_writer **self_p)
{
    struct store_writer *writer = *self_p;
    if (writer != NULL) {
        COHORT_ASSERT (!writer->install);
        atomic_store_explicit (&writer->cancelled, true, memory_order_relaxed);
        store_writer_destroy (self_p);
    }
}

/* ---- Reading ----------------------------------------------------------------------------- */

int snapshots_reader (struct store *self, const struct file_ids *ids,
                      const struct snapshot_entry *entry, struct store_reader **reader_p,
                      struct store_snapshot_info *info)
{
    struct store_reader *reader = mem_calloc (1, sizeof *reader);
    *reader_p = NULL;
    *info = info_of (entry);
    if (reader == NULL) {
        return COHORT_ENOMEM;
    }
    char name[NAME_SIZE];
    name_snapshot (name, entry->point.zxid, entry->serial);
    struct fault fault;
    int rc = snapshot_open (&reader->file, self->disk, ids, name, entry, &fault);
    if (rc != 0) {
        mem_free (reader);
        return rc;
    }
    reader->store = self;
    list_push_back (&self->readers, &reader->node);
    *reader_p = reader;
    return 0;
}

int store_reader_new (struct store *self, struct store_reader **reader_p,
                      struct store_snapshot_info *info)
{
    return store_reader_below (self, UINT64_MAX, reader_p, info);
}

int store_reader_below (struct store *self, zxid_t zxid, struct store_reader **reader_p,
                        struct store_snapshot_info *info)
{
    snapshots_poll (self);
    size_t at = self->snapshots_count;
    while (at > 0 && self->snapshots[at - 1].point.zxid >= zxid) {
        at--;
    }
    if (at == 0) {
        *reader_p = NULL;
        return COHORT_ESTATE;
    }
    struct file_ids ids = {.server_id = self->meta.server_id, .store_id = self->meta.store_id};
    memcpy (ids.cluster_id, self->meta.cluster_id, sizeof ids.cluster_id);
    return snapshots_reader (self, &ids, &self->snapshots[at - 1], reader_p, info);
}

int store_reader_read (struct store_reader *reader, uint64_t offset, uint8_t *data, size_t size,
                       size_t *done)
{
    struct fault fault;
    return snapshot_read (&reader->file, offset, data, size, done, &fault);
}

static int begin_pieces (struct store_reader *self)
{
    if (self->store->reads_ahead) {
        return ahead_new (&self->file, &self->ahead);
    }
    self->piece = mem_alloc (AHEAD_PIECE);
    return self->piece != NULL ? 0 : COHORT_ENOMEM;
}

int store_reader_next (struct store_reader *self, const uint8_t **data, size_t *size)
{
    *size = 0;
    int rc = self->ahead == NULL && self->piece == NULL ? begin_pieces (self) : 0;
    if (rc == 0 && self->ahead != NULL) {
        return ahead_next (self->ahead, data, size);
    }
    if (rc == 0) {
        *data = self->piece;
        rc = store_reader_read (self, self->offset, self->piece, AHEAD_PIECE, size);
        self->offset += *size;
    }
    return rc;
}

void store_reader_destroy (struct store_reader **self_p)
{
    struct store_reader *reader = *self_p;
    if (reader != NULL) {
        ahead_destroy (&reader->ahead); /* which reads the file */
        mem_free (reader->piece);
        list_remove (&reader->node);
        snapshot_close (&reader->file);
        mem_free (reader);
        *self_p = NULL;
    }
}

int store_snapshot_reject (struct store *self, char *error, size_t error_size)
{
    COHORT_ASSERT (!self->threaded);
    COHORT_ASSERT (self->snapshots_count > 0);
    COHORT_ASSERT (list_empty (&self->readers));
    size_t left = self->snapshots_count - 1;
    if (left == 0 || self->snapshots[left - 1].point.zxid < self->cache.base.zxid) {
        (void) snprintf (error, error_size, "there is no older snapshot to go back to");
        return COHORT_ECORRUPT;
    }
    struct fault fault;
    int rc = log_drop_snapshot (&self->log, self->snapshots[left].serial, &fault);
    if (rc != 0) {
        (void) snprintf (error, error_size, "%s", fault.text);
        return rc;
    }
    self->snapshots_count = left;
    self->snapshot_position = cache_position (&self->cache, self->snapshots[left - 1].point.zxid);
    return 0;
}

/* ---- Dropping ---------------------------------------------------------------------------- */

void store_snapshots_strike (struct store *self, zxid_t last)
{
    snapshots_poll (self);
    zxid_t base = self->cache.base.zxid;
    size_t left = self->snapshots_count;
    while (left > 0 && self->snapshots[left - 1].point.zxid > last) {
        left--;
    }
    zxid_t newest = left > 0 ? self->snapshots[left - 1].point.zxid : 0;
    if (newest < base || left == self->snapshots_count) {
        return;
    }
    for (size_t i = left; i < self->snapshots_count; i++) {
        strike (self, &self->snapshots[i]);
    }
    self->snapshots_count = left;
    self->snapshot_position = cache_position (&self->cache, newest);
}

void store_keep_proven (struct store *self, zxid_t proven, uint64_t log_bytes_max)
{
    self->proven = proven;
    self->proven_bytes_max = log_bytes_max;
}

/*  The newest that is known to be right, or else the oldest; NULL: to keep it would take too much.
 */
static const struct snapshot_entry *newest_proven (const struct store *self)
{
    size_t at = self->snapshots_count - 1;
    while (at > 0 && self->snapshots[at].point.zxid > self->proven) {
        at--;
    }
    const struct snapshot_entry *entry = &self->snapshots[at];
    uint64_t behind = cache_end (&self->cache) - cache_position (&self->cache, entry->point.zxid);
    bool few = self->snapshots_count - at <= SNAPSHOTS_UNPROVEN_MAX;
    return few && behind <= self->proven_bytes_max ? entry : NULL;
}

/*  The oldest snapshot that is still needed, or NULL: all of them. */
static const struct snapshot_entry *oldest_needed (const struct store *self)
{
    if (self->snapshots_count < self->snapshots_kept) {
        return NULL;
    }
    const struct snapshot_entry *oldest =
        &self->snapshots[self->snapshots_count -
                         (COHORT_MUTATED (one_snapshot_kept) ? 1 : self->snapshots_kept)];
    const struct snapshot_entry *proven = newest_proven (self);
    if (proven != NULL && proven->point.zxid < oldest->point.zxid) {
        oldest = proven;
    }
    for (struct list_node *at = list_first (&self->readers); at != NULL;
         at = list_next (&self->readers, at)) {
        const struct store_reader *reader = list_entry (at, struct store_reader, node);
        if (reader->file.entry.point.zxid < oldest->point.zxid) {
            oldest = &reader->file.entry;
        }
    }
    for (struct list_node *at = list_first (&self->sources); at != NULL;
         at = list_next (&self->sources, at)) {
        const struct store_source *source = list_entry (at, struct store_source, node);
        if (source->entry.point.zxid < oldest->point.zxid) {
            oldest = &source->entry;
        }
    }
    return oldest;
}

bool store_compacted (struct store *self, struct zab_point *base, int64_t *stamp_ms)
{
    snapshots_poll (self);
    const struct snapshot_entry *oldest = oldest_needed (self);
    if (oldest == NULL || oldest->point.zxid <= self->cache.base.zxid ||
        snapshots_installing (self)) {
        return false;
    }
    struct zab_point point = oldest->point;
    int64_t point_stamp_ms = oldest->stamp_ms;
    struct work *work = work_new (self, WORK_PURGE);
    if (work == NULL) {
        return false;
    }
    struct fault fault;
    if (cache_purge (&self->cache, point, atomic_load_explicit (&self->done, memory_order_acquire),
                     &fault) != 0) {
        store_fail (self, &fault);
        mem_free (work);
        return false;
    }
    work->point = point;
    work->stamp_ms = point_stamp_ms;
    *base = point;
    *stamp_ms = self->base_stamp_ms = point_stamp_ms;
    size_t kept = 0;
    for (size_t i = 0; i < self->snapshots_count; i++) {
        if (self->snapshots[i].point.zxid >= base->zxid) {
            self->snapshots[kept++] = self->snapshots[i];
        }
    }
    self->snapshots_count = kept;
    work_push (self, LANE_SNAPSHOT, work);
    return true;
}
