/*
 *  server/store/worker_snapshot.c - what the disk thread does: the snapshots' lane
 *
 *  In small steps, so that the log's lane never waits long for it.
 */
#include <errno.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/state.h"

enum { VERIFY_BLOCKS = 4 };

void writer_free (struct store_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    snapshot_close (&writer->reader);
    snapshot_writer_deinit (&writer->file);
    mem_free (writer->block);
    mem_free (writer);
}

bool writer_is_cancelled (const struct store_writer *writer)
{
    return atomic_load_explicit (&writer->cancelled, memory_order_relaxed);
}

static void set_state (struct store_writer *writer, int state)
{
    writer->phase = WRITER_OVER;
    atomic_store_explicit (&writer->state, state, memory_order_release);
}

/*  The snapshot comes to nothing, the store goes on: want of space or memory, or a file that does
 *  not read as it was written.  Other failures are passed on. */
static int give_up (struct store_writer *writer, int rc, struct fault *fault)
{
    bool memory = rc == COHORT_ENOMEM && writer->phase != WRITER_RENAMING;
    snapshot_close (&writer->reader);
    if (rc != COHORT_EDISKFULL && rc != COHORT_ECORRUPT && rc != COHORT_ELIMIT && !memory) {
        return rc;
    }
    struct fault second;
    int failed = snapshot_abandon (&writer->file, &second);
    if (failed != 0) {
        *fault = second;
        return failed;
    }
    set_state (writer, rc);
    return 0;
}

static int do_begin (struct store *self, struct store_writer *writer, struct fault *fault)
{
    struct snapshot_head head = {
        .ids = self->log.ids,
        .serial = self->log.manifest.next_serial++,
        .point = writer->point,
        .stamp_ms = writer->stamp_ms,
        .packing =
            writer->copies ? (enum snapshot_packing) writer->original.packing : SNAPSHOT_PACKED,
        .block_size = SNAPSHOT_BLOCK_SIZE,
    };
    COHORT_ASSERT (head.packing <= SNAPSHOT_PACKED);
    int rc = snapshot_begin (&writer->file, self->disk, &head, self->snapshot_level, fault);
    return rc == 0 ? 0 : give_up (writer, rc, fault);
}

static int do_block (struct work *work, struct fault *fault)
{
    struct store_writer *writer = work->writer;
    int rc = 0;
    if (writer->phase == WRITER_WRITING && writer->copies) {
        rc = snapshot_copy (&writer->file, work->block, work->block_size, fault);
    } else if (writer->phase == WRITER_WRITING) {
        rc = snapshot_block (&writer->file, work->block, work->block_size, fault);
    }
    atomic_fetch_sub_explicit (&writer->pending, work->block_size, memory_order_release);
    return rc == 0 ? 0 : give_up (writer, rc, fault);
}

/*  It takes the place of all that this server has; before that, whose it is. */
static int install_it (struct store *self, const struct store_writer *writer, struct fault *fault)
{
    struct store_meta meta = self->meta_file.meta;
    int rc = 0;
    if (writer->copies && !meta.heir && !COHORT_MUTATED (heir_unmarked)) {
        meta.heir = true;
        rc = meta_write (&self->meta_file, &meta, fault);
    }
    return rc == 0 ? log_install (&self->log, &writer->entry, fault) : rc;
}

/*  Gives it its name, durably, and then its place in the manifest. */
static int publish (struct store *self, struct store_writer *writer, bool install,
                    struct fault *fault)
{
    char name[NAME_SIZE];
    name_snapshot (name, writer->entry.point.zxid, writer->entry.serial);
    int rc = self->disk->ops->rename (self->disk, NAME_SNAPSHOT_NEW, name);
    if (rc != 0) {
        return fault_disk (fault, name, "rename", rc);
    }
    rc = COHORT_MUTATED (snapshot_name_not_synced) ? 0 : self->disk->ops->sync_names (self->disk);
    if (rc != 0) {
        return fault_final (fault, name, "sync of the folder", rc);
    }
    if (!install) {
        rc = log_add_snapshot (&self->log, &writer->entry, fault);
    } else if (list_empty (&self->waiting[LANE_LOG]) && !self->full) {
        rc = install_it (self, writer, fault);
    } else {
        /*  What was submitted before must come before; it waits for space. */
        rc = fault_set (fault, COHORT_EDISKFULL, "%s: the log waits for space", name);
    }
    if (rc == COHORT_EDISKFULL || rc == COHORT_ELIMIT) {
        int error = self->disk->ops->unlink (self->disk, name);
        if (error != 0) {
            return fault_final (fault, name, "unlink", error);
        }
    }
    return rc;
}

/*  The file gets its trailer and is opened again. */
static int complete (struct store *self, struct store_writer *writer, struct fault *fault)
{
    const struct store_snapshot_info *original = writer->copies ? &writer->original : NULL;
    int rc = snapshot_end (&writer->file, original != NULL ? &original->digest : NULL,
                           &writer->entry, fault);
    if (rc == 0 && original != NULL && writer->entry.size != original->size) {
        rc = fault_set (fault, COHORT_ECORRUPT, "%s: not what was announced", NAME_SNAPSHOT_NEW);
    }
    if (rc == 0) {
        rc = snapshot_open (&writer->reader, self->disk, &self->log.ids, NAME_SNAPSHOT_NEW,
                            &writer->entry, fault);
    }
    return rc;
}

/*  One step towards a finished snapshot; *over: it is, or it has failed. */
static int do_end (struct store *self, struct store_writer *writer, bool install, bool *over,
                   struct fault *fault)
{
    int rc = 0;
    bool verified = false;
    if (writer->phase != WRITER_OVER && writer_is_cancelled (writer)) {
        rc = fault_set (fault, COHORT_ECORRUPT, "%s: cancelled", NAME_SNAPSHOT_NEW);
        rc = give_up (writer, rc, fault);
        *over = true;
        return rc;
    }
    switch (writer->phase) {
    case WRITER_WRITING:
        rc = complete (self, writer, fault);
        writer->phase = WRITER_VERIFYING;
        break;
    case WRITER_VERIFYING:
        rc = snapshot_verify (&writer->reader, VERIFY_BLOCKS, true, &verified, fault);
        if (rc == 0 && verified) {
            snapshot_close (&writer->reader);
            writer->phase = WRITER_RENAMING;
        }
        break;
    case WRITER_RENAMING:
        rc = publish (self, writer, install, fault);
        if (rc == 0) {
            set_state (writer, 1);
        }
        break;
    case WRITER_OVER:
        break;
    }
    if (rc != 0) {
        rc = give_up (writer, rc, fault);
    }
    *over = writer->phase == WRITER_OVER;
    return rc;
}

/*  The writer is gone afterwards, also on failure. */
static int do_drop (struct work *work, struct fault *fault)
{
    struct store_writer *writer = work->writer;
    int rc = 0;
    if (writer->phase != WRITER_OVER) {
        snapshot_close (&writer->reader);
        rc = snapshot_abandon (&writer->file, fault);
    }
    writer_free (writer);
    work->writer = NULL;
    return rc;
}

/* With the front of the log the owner has let go of what it knew of it, which may be megabytes. */
static int do_purge (struct store *self, struct work *work, bool *over, struct fault *fault)
{
    if (work->purged) {
        return removal_step (&self->log.removal, over, fault);
    }
    int rc = log_purge (&self->log, work->point, work->stamp_ms, fault);
    work->purged = rc == 0;
    self->freed |= rc == 0 && self->threaded;
    *over = false;
    return rc;
}

bool worker_snapshot_step (struct store *self, struct work *work, struct fault *fault, int *rc)
{
    bool over = true;
    switch (work->type) {
    case WORK_SNAPSHOT_BEGIN:
        *rc = do_begin (self, work->writer, fault);
        break;
    case WORK_SNAPSHOT_BLOCK:
        *rc = do_block (work, fault);
        break;
    case WORK_SNAPSHOT_END:
        *rc = do_end (self, work->writer, work->install, &over, fault);
        break;
    case WORK_SNAPSHOT_DROP:
        *rc = do_drop (work, fault);
        break;
    default:
        COHORT_ASSERT (work->type == WORK_PURGE || work->type == WORK_SNAPSHOT_STRIKE);
        *rc = work->type == WORK_PURGE ? do_purge (self, work, &over, fault)
                                       : log_drop_snapshot (&self->log, work->serial, fault);
        if (*rc == 0 && over) {
            *rc = manifest_reserve (self->disk, fault); /*  it may have been needed for that */
        }
        if (*rc == COHORT_EDISKFULL) {
            *rc = 0;
            over = false;
            self->purge_stuck = true;
        }
        break;
    }
    return over && *rc == 0;
}
