/*
 * server/store/sources.c - snapshots for other servers: stored bytes, read by the worker
 *
 * A source is the owner's or the worker's, never both's: its state says whose.  Who finds that the
 * other has let go frees it.
 */
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/store/state.h"

/* ---- Owner ------------------------------------------------------------------------------- */

static int state_of (const struct store_source *source)
{
    return atomic_load_explicit (&source->state, memory_order_acquire);
}

static void hand_over (struct store_source *source)
{
    struct list list;
    list_init (&list);
    atomic_store_explicit (&source->state, SOURCE_BUSY, memory_order_relaxed);
    list_push_back (&list, &source->work_node);
    queue_push (source->store->queue, LANE_READ, &list);
}

static int make_source (struct store *self, size_t bytes_max, bool whole_file,
                        struct store_source **source_p, struct store_snapshot_info *info)
{
    snapshots_poll (self);
    if (!store_snapshot_newest (self, info)) {
        return COHORT_ESTATE;
    }
    struct store_source *source = mem_calloc (1, sizeof *source);
    if (source == NULL) {
        return COHORT_ENOMEM;
    }
    source->room = bytes_max > SNAPSHOT_STORED_MAX ? bytes_max : SNAPSHOT_STORED_MAX;
    source->data = mem_alloc (source->room);
    if (source->data == NULL) {
        mem_free (source);
        return COHORT_ENOMEM;
    }
    source->store = self;
    source->whole_file = whole_file;
    source->entry = self->snapshots[self->snapshots_count - 1];
    source->ids =
        (struct file_ids){.server_id = self->meta.server_id, .store_id = self->meta.store_id};
    memcpy (source->ids.cluster_id, self->meta.cluster_id, sizeof source->ids.cluster_id);
    list_push_back (&self->sources, &source->node);
    hand_over (source);
    *source_p = source;
    return 0;
}

int store_source_new (struct store *self, size_t bytes_max, struct store_source **source,
                      struct store_snapshot_info *info)
{
    return make_source (self, bytes_max, false, source, info);
}

int store_source_file (struct store *self, size_t bytes_max, struct store_source **source,
                       struct store_snapshot_info *info)
{
    return make_source (self, bytes_max, true, source, info);
}

void source_free (struct store_source *source)
{
    snapshot_close (&source->file);
    mem_free (source->data);
    mem_free (source);
}

void store_source_destroy (struct store_source **self_p)
{
    struct store_source *source = *self_p;
    if (source == NULL) {
        return;
    }
    *self_p = NULL;
    list_remove (&source->node);
    int expected = SOURCE_BUSY;
    if (!atomic_compare_exchange_strong (&source->state, &expected, SOURCE_ABANDONED)) {
        source_free (source);
    }
}

int store_source_state (struct store_source *source)
{
    if (state_of (source) == SOURCE_BUSY) {
        return store_failure (source->store, NULL);
    }
    return source->code != 0 ? source->code : 1;
}

const char *store_source_text (const struct store_source *source)
{
    COHORT_ASSERT (state_of (source) == SOURCE_READY);
    return source->code != 0 ? source->fault.text : "";
}

void store_source_info (const struct store_source *source, struct store_snapshot_info *info)
{
    COHORT_ASSERT (state_of (source) == SOURCE_READY);
    COHORT_ASSERT (source->opened);
    *info = (struct store_snapshot_info){
        .point = source->entry.point,
        .stamp_ms = source->entry.stamp_ms,
        .size = source->entry.size,
        .digest = source->entry.digest,
        .stored = source->file.stored,
        .packing = source->file.packing,
        .file_size = source->entry.file_size,
    };
}

void store_source_ask (struct store_source *source, uint64_t offset)
{
    COHORT_ASSERT (state_of (source) == SOURCE_READY);
    COHORT_ASSERT (source->opened);
    COHORT_ASSERT (source->code == 0);
    source->offset = offset;
    hand_over (source);
}

size_t store_source_data (const struct store_source *source, const uint8_t **data)
{
    COHORT_ASSERT (state_of (source) == SOURCE_READY);
    *data = source->data;
    return source->done;
}

/* ---- Worker ------------------------------------------------------------------------------ */

static int open_file (struct store_source *source)
{
    char name[NAME_SIZE];
    name_snapshot (name, source->entry.point.zxid, source->entry.serial);
    int rc = snapshot_open (&source->file, source->store->disk, &source->ids, name, &source->entry,
                            &source->fault);
    source->opened = rc == 0;
    source->done = 0;
    return rc;
}

static int read_piece (struct store_source *source)
{
    return (source->whole_file ? snapshot_piece : snapshot_stored) (
        &source->file, source->offset, source->data, source->room, &source->done, &source->fault);
}

void worker_read (struct store *self, struct store_source *source)
{
    COHORT_ASSERT (source->store == self);
    source->code = source->opened ? read_piece (source) : open_file (source);
    int expected = SOURCE_BUSY;
    if (!atomic_compare_exchange_strong (&source->state, &expected, SOURCE_READY)) {
        source_free (source);
    }
}
