/*
 *  server/store/worker.c - what the disk thread does: the log's lane, and the time between
 *
 *  The steps of the snapshots' lane are in worker_snapshot.c.
 */
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/state.h"

enum { MARK_DELAY_MS = 100, PREPARE_DELAY_MS = 10 };

static bool has_failed (const struct store *self)
{
    return atomic_load_explicit (&self->failed, memory_order_relaxed) != 0;
}

/*  Notes a final failure of the worker; nothing is done any more. */
static void fail (struct store *self, const struct fault *fault)
{
    COHORT_ASSERT (fault->code < 0);
    if (has_failed (self)) {
        return;
    }
    self->worker_fault = *fault;
    atomic_store_explicit (&self->failed, fault->code, memory_order_release);
    queue_announce (self->queue, UINT64_MAX);
}

/*  Nothing is tried again before the worker has waited. */
static void note_full (struct store *self)
{
    uint64_t bytes = 0;
    if (self->disk->ops->space (self->disk, &bytes) == 0) {
        atomic_store_explicit (&self->space_left, bytes, memory_order_relaxed);
    }
    self->pause = true;
    atomic_store_explicit (&self->space, COHORT_EDISKFULL, memory_order_release);
}

static bool short_of_space (const struct store *self)
{
    return atomic_load_explicit (&self->space, memory_order_relaxed) != 0;
}

static void release (struct work *work)
{
    mem_free (work->block);
    mem_free (work);
}

/* ---- The log's lane ---------------------------------------------------------------------- */

/*  Publishes that this work is durable.  The number last: who sees it may rely on the rest. */
static void complete (struct store *self, struct work *work)
{
    atomic_store_explicit (&self->done, work->ticket, memory_order_release);
    if (work->number != 0) {
        atomic_store_explicit (&self->completed, work->number, memory_order_release);
    }
    release (work);
}

static void complete_written (struct store *self)
{
    struct list_node *node;
    while ((node = list_pop_front (&self->written)) != NULL) {
        complete (self, list_entry (node, struct work, node));
    }
}

/*  Makes everything written so far durable, and says so. */
static int sync_written (struct store *self, struct fault *fault)
{
    int rc = log_sync (&self->log, fault);
    if (rc != 0) {
        return rc;
    }
    if (self->written_bytes > 0) {
        atomic_fetch_add_explicit (&self->durable, self->written_bytes, memory_order_release);
        self->written_bytes = 0;
    }
    complete_written (self);
    return 0;
}

static int do_truncate (struct store *self, struct work *work, struct fault *fault)
{
    if (work->point.zxid == self->log.last.zxid) {
        return 0;
    }
    uint32_t segment = work->segment;
    uint64_t end = work->end;
    if (work->record != NULL) {
        COHORT_ASSERT (record_zxid (work->record) == work->point.zxid);
        segment = record_segment (work->record);
        end = record_offset (work->record) + record_total (record_size (work->record));
    }
    if (COHORT_MUTATED (truncated_in_memory)) {
        self->log.last = work->point;
        return 0;
    }
    return log_truncate (&self->log, work->point, segment, end, work->stamp_ms, fault);
}

static int do_meta (struct store *self, const struct store_meta *meta, struct fault *fault)
{
    int rc = meta_write (&self->meta_file, meta, fault);
    if (rc == 0) {
        memcpy (self->log.ids.cluster_id, meta->cluster_id, sizeof meta->cluster_id);
    }
    return rc;
}

static int do_epochs (struct store *self, const struct work *work, struct fault *fault)
{
    struct store_meta meta = self->meta_file.meta;
    bool ends_mark = work->whole && meta.trust != ZAB_WHOLE && !COHORT_MUTATED (mark_never_ends);
    if (meta.accepted_epoch == work->accepted_epoch && meta.current_epoch == work->current_epoch &&
        !ends_mark) {
        return 0;
    }
    if (ends_mark) {
        meta.trust = ZAB_WHOLE;
        meta.suspect = 0;
    }
    meta.accepted_epoch = work->accepted_epoch;
    meta.current_epoch = work->current_epoch;
    return do_meta (self, &meta, fault);
}

static int do_proven (struct store *self, struct fault *fault)
{
    struct store_meta meta = self->meta_file.meta;
    meta.heir = false;
    return do_meta (self, &meta, fault);
}

/*  All but appending: everything before it must be durable first. */
static int do_change (struct store *self, struct work *work, struct fault *fault)
{
    int rc = sync_written (self, fault);
    if (rc != 0) {
        return rc;
    }
    switch (work->type) {
    case WORK_TRUNCATE:
        return do_truncate (self, work, fault);
    case WORK_EPOCHS:
        return do_epochs (self, work, fault);
    case WORK_META:
        return do_meta (self, work->meta, fault);
    case WORK_PROVEN:
        return do_proven (self, fault);
    case WORK_WITHDRAW:
        atomic_store_explicit (&self->withdrawal, WITHDRAWAL_NEEDLESS, memory_order_release);
        return 0;
    default:
        COHORT_ASSERT (work->type == WORK_NOTHING);
        return 0;
    }
}

static int do_work (struct store *self, struct work *work, struct fault *fault)
{
    if (work->type == WORK_APPEND) {
        size_t before = work->done;
        int rc = log_append (&self->log, work->records, work->size, &work->done, fault);
        if (rc == COHORT_EDISKFULL && COHORT_MUTATED (full_acknowledges)) {
            work->done = work->size;
            rc = 0;
        }
        self->written_bytes += work->done - before;
        if (rc == 0) {
            list_remove (&work->node);
            list_push_back (&self->written, &work->node);
            if (COHORT_MUTATED (durable_before_sync)) {
                complete_written (self);
            }
        }
        return rc;
    }
    int rc = do_change (self, work, fault);
    rc = rc == COHORT_EDISKFULL && COHORT_MUTATED (full_change_done) ? 0 : rc;
    if (rc == 0) {
        uint64_t ticket = work->type == WORK_META ? work->ticket : 0;
        list_remove (&work->node);
        complete (self, work);
        if (ticket != 0) {
            queue_announce (self->queue, ticket);
        }
    }
    return rc;
}

/*  The owner waits for these, and a full disk may be full for long. */
static void refuse_metas (struct store *self)
{
    COHORT_ASSERT (self->full);
    struct list *lane = &self->waiting[LANE_LOG];
    struct list_node *next;
    for (struct list_node *node = list_first (lane); node != NULL; node = next) {
        next = list_next (lane, node);
        struct work *work = list_entry (node, struct work, node);
        if (work->type == WORK_META) {
            uint64_t ticket = work->ticket;
            *work->meta_code = COHORT_EDISKFULL;
            list_remove (node);
            release (work);
            queue_announce (self->queue, ticket);
        }
    }
}

/*  Whether the disk may hold some of what waits: it finds no room even where it has been before.
 *  Then it is not certain what a restart would find. */
static bool half_written (const struct store *self)
{
    const struct list *lane = &self->waiting[LANE_LOG];
    const struct work *first = list_entry (list_first (lane), struct work, node);
    return !list_empty (&self->written) || self->log.run_size > 0 ||
           (first->type == WORK_EPOCHS && self->meta_file.unsettled);
}

/*  Of what waits for space everything up to the WITHDRAW goes, if that is all in memory: a
 * truncation has made the owner forget what the disk still has.  What was written before is
 * durable. */
static bool withdraw (struct store *self)
{
    COHORT_ASSERT (self->full);
    struct list_node *node = list_first (&self->waiting[LANE_LOG]);
    if (node == NULL || (half_written (self) && !COHORT_MUTATED (half_withdrawn))) {
        return false;
    }
    for (; node != NULL; node = list_next (&self->waiting[LANE_LOG], node)) {
        enum work_type waits = list_entry (node, struct work, node)->type;
        if (waits == WORK_WITHDRAW) {
            break;
        }
        if (waits == WORK_TRUNCATE) {
            return false;
        }
    }
    if (node == NULL) {
        return false;
    }
    const struct store_meta *meta = &self->meta_file.meta;
    self->withdrawn.last = self->log.last;
    self->withdrawn.accepted_epoch = meta->accepted_epoch;
    self->withdrawn.current_epoch = meta->current_epoch;
    self->withdrawn.trust = meta->trust;
    self->withdrawn.suspect = meta->suspect;
    enum work_type type;
    do {
        node = list_pop_front (&self->waiting[LANE_LOG]);
        struct work *work = list_entry (node, struct work, node);
        type = work->type;
        atomic_fetch_add_explicit (&self->durable, work->size - work->done, memory_order_relaxed);
        atomic_store_explicit (&self->done, work->ticket, memory_order_release);
        release (work);
    } while (type != WORK_WITHDRAW);
    self->full = !list_empty (&self->waiting[LANE_LOG]);
    atomic_store_explicit (&self->withdrawal, WITHDRAWAL_DONE, memory_order_release);
    return true;
}

/*  Does the whole lane; one sync makes all of its appends durable.  Without space the lane stands
 *  still, with what came through made durable.  Returns whether anything was done. */
static bool do_log_lane (struct store *self)
{
    struct fault fault;
    bool did = false;
    int rc = 0;
    struct list_node *node;
    while (rc == 0 && (node = list_first (&self->waiting[LANE_LOG])) != NULL) {
        rc = do_work (self, list_entry (node, struct work, node), &fault);
        did = did || rc == 0;
    }
    bool full = rc == COHORT_EDISKFULL;
    if (rc == 0 || full) {
        bool written = self->written_bytes > 0;
        rc = sync_written (self, &fault);
        did = did || (rc == 0 && written);
    }
    if (full || rc == COHORT_EDISKFULL) {
        self->full = true;
        note_full (self);
        refuse_metas (self);
    }
    if (rc != 0 && rc != COHORT_EDISKFULL) {
        fail (self, &fault);
    }
    return did;
}

/* ---- The time between -------------------------------------------------------------------- */

/*  What found no room for the metadata may be there by half: they are written as they are. */
static int settle_meta (struct store *self, struct fault *fault)
{
    return self->meta_file.unsettled ? meta_write (&self->meta_file, &self->meta_file.meta, fault)
                                     : 0;
}

/*  All that is reserved in advance is there again: not before that is the disk called one with
 *  room, so that one which is nearly full is not full and not full in turns. */
static bool end_shortage (struct store *self)
{
    struct fault fault;
    int rc = settle_meta (self, &fault);
    if (rc == 0) {
        rc = manifest_reserve (self->disk, &fault);
    }
    if (rc == COHORT_EDISKFULL) {
        note_full (self);
        return false;
    }
    if (rc != 0) {
        fail (self, &fault);
    } else {
        atomic_store_explicit (&self->space, 0, memory_order_release);
    }
    return true;
}

static bool prepare (struct store *self)
{
    struct fault fault;
    bool did = false;
    int rc = 0;
    if (!short_of_space (self) || log_need (&self->log) >= LOG_NEEDS_SOON) {
        rc = log_prepare (&self->log, &did, &fault);
    }
    if (rc == COHORT_EDISKFULL) {
        note_full (self);
        return false;
    }
    if (rc != 0) {
        fail (self, &fault);
        return true;
    }
    if (short_of_space (self) && !self->full && !COHORT_MUTATED (full_forever)) {
        self->pause = false;
        if (log_need (&self->log) < LOG_NEEDS_SOON) {
            return end_shortage (self);
        }
    }
    return did;
}

/*  Without room it is tried again, and the shortage ends with it. */
static bool mark (struct store *self)
{
    struct fault fault;
    int rc = log_mark (&self->log, &fault);
    if (rc == COHORT_EDISKFULL) {
        note_full (self);
        return false;
    }
    if (rc != 0) {
        fail (self, &fault);
    }
    return true;
}

/*  Another try to get on with a full disk. */
static bool retry (struct store *self)
{
    bool did = false;
    self->purge_stuck = false;
    if (self->full) {
        self->full = false;
        did = do_log_lane (self);
    }
    if (did || self->full || has_failed (self)) {
        return did;
    }
    if (self->log.unmarked && !mark (self)) {
        return false;
    }
    return !has_failed (self) && prepare (self);
}

bool worker_stuck (const struct store *self)
{
    return short_of_space (self) || self->purge_stuck;
}

int worker_due (const struct store *self)
{
    if (has_failed (self)) {
        return -1;
    }
    if (worker_stuck (self)) {
        return self->pause || self->purge_stuck ? WORKER_RETRY_MS : 0;
    }
    enum log_need need = log_need (&self->log);
    return need == LOG_NEEDS_NOW       ? 0
           : need == LOG_NEEDS_SOON    ? PREPARE_DELAY_MS
           : self->log.unmarked        ? MARK_DELAY_MS
           : need != LOG_NEEDS_NOTHING ? PREPARE_DELAY_MS
           : self->freed               ? MARK_DELAY_MS
                                       : -1;
}

bool worker_idle (struct store *self)
{
    if (has_failed (self)) {
        return false;
    }
    if (worker_stuck (self)) {
        return retry (self);
    }
    enum log_need need = log_need (&self->log);
    if (self->log.unmarked && need < LOG_NEEDS_SOON) {
        return mark (self);
    }
    if (need == LOG_NEEDS_NOTHING && self->freed) {
        self->freed = false;
        store_give_back (); /*  nobody has been busy for a while */
        return true;
    }
    return need != LOG_NEEDS_NOTHING && prepare (self);
}

void worker_finish (struct store *self)
{
    const struct log *log = &self->log;
    if (!has_failed (self) && log->unmarked && log->run_size == 0 && !log->unsynced) {
        (void) mark (self);
    }
}

bool worker_turn (struct store *self)
{
    if (has_failed (self)) {
        return false;
    }
    queue_take (self->queue, self->waiting);
    if (self->full) {
        refuse_metas (self);
    }
    bool did = self->full && withdraw (self);
    if (!list_empty (&self->waiting[LANE_LOG]) && !self->full) {
        did |= do_log_lane (self);
        if (!has_failed (self) && !short_of_space (self) &&
            log_need (&self->log) == LOG_NEEDS_NOW) {
            (void) prepare (self); /*  keeps pace with the load */
        }
    }
    struct list_node *node = has_failed (self) ? NULL : list_pop_front (&self->waiting[LANE_READ]);
    if (node != NULL) {
        worker_read (self, list_entry (node, struct store_source, work_node));
        did = true;
    }
    node = list_first (&self->waiting[LANE_SNAPSHOT]);
    if (node == NULL || self->purge_stuck || has_failed (self)) {
        return did;
    }
    struct fault fault;
    struct work *work = list_entry (node, struct work, node);
    int rc = 0;
    bool over = worker_snapshot_step (self, work, &fault, &rc);
    if (rc != 0) {
        fail (self, &fault);
    } else if (over) {
        list_remove (&work->node);
        release (work);
    }
    return did || !self->purge_stuck;
}

void worker_discard (struct store *self)
{
    queue_take (self->queue, self->waiting);
    list_splice_back (&self->waiting[LANE_LOG], &self->written);
    struct list_node *node;
    while ((node = list_pop_front (&self->waiting[LANE_READ])) != NULL) {
        source_free (list_entry (node, struct store_source, work_node));
    }
    for (int lane = 0; lane < LANES; lane++) {
        while ((node = list_pop_front (&self->waiting[lane])) != NULL) {
            struct work *work = list_entry (node, struct work, node);
            if (work->type == WORK_SNAPSHOT_DROP) {
                writer_free (work->writer);
            }
            release (work);
        }
    }
}

bool store_work (struct store *self)
{
    bool did = false;
    while (worker_turn (self)) {
        did = true;
    }
    return did || worker_idle (self);
}

int store_work_due (struct store *self)
{
    return worker_due (self);
}
