/*
 *  server/store/store.c - the owner's side: opening, metadata, the log
 *
 *  The owner's side of the snapshots is in snapshots.c.
 */
#include "server/store/store.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/state.h"

enum {
    SEGMENT_BYTES = 64 << 20,
    SEGMENT_BYTES_MIN = 16 << 10,
    CACHE_BYTES = 8 << 20,
    DEFERRED_BYTES_MAX = 4 << 10,
    SNAPSHOTS_KEPT = 2
};

/* ---- Opening and closing ----------------------------------------------------------------- */

static struct store *store_new (const struct store_options *options)
{
    struct store *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->queue = queue_new ();
    if (self->queue == NULL) {
        mem_free (self);
        return NULL;
    }
    uint64_t segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_BYTES;
    COHORT_ASSERT (options->snapshot_level <= PACK_LEVEL_MAX);
    self->disk = options->disk;
    self->reads_ahead = options->reads_ahead;
    self->snapshot_level = options->snapshot_level == 0  ? PACK_LEVEL_DEFAULT
                           : options->snapshot_level > 0 ? options->snapshot_level
                                                         : 0;
    self->snapshots_kept = options->snapshots_kept != 0 ? options->snapshots_kept : SNAPSHOTS_KEPT;
    if (self->snapshots_kept > MANIFEST_SNAPSHOTS_MAX / 2) {
        self->snapshots_kept = MANIFEST_SNAPSHOTS_MAX / 2;
    }
    log_init (&self->log, self->disk,
              segment_bytes < SEGMENT_BYTES_MIN ? SEGMENT_BYTES_MIN : segment_bytes);
    cache_init (&self->cache, self->disk,
                options->cache_bytes != 0 ? options->cache_bytes : CACHE_BYTES);
    list_init (&self->readers);
    list_init (&self->sources);
    list_init (&self->written);
    for (int lane = 0; lane < LANES; lane++) {
        list_init (&self->waiting[lane]);
    }
    return self;
}

int store_open (const struct store_options *options, struct store **store_p, char *error,
                size_t error_size)
{
    COHORT_ASSERT (options->disk != NULL);
    COHORT_ASSERT (options->store_id != 0);
    struct store *self = store_new (options);
    if (self == NULL) {
        options->disk->ops->destroy (options->disk);
        (void) snprintf (error, error_size, "out of memory");
        return COHORT_ENOMEM;
    }
    struct fault fault = {.code = 0};
    int rc = recovery_run (self, options, &fault);
    if (rc != 0) {
        (void) snprintf (error, error_size, "%s", fault.text);
        store_close (&self);
        return rc;
    }
    *store_p = self;
    return 0;
}

const char *store_damage (const struct store *self)
{
    return self->aside.text;
}

void store_close (struct store **self_p)
{
    struct store *self = *self_p;
    if (self == NULL) {
        return;
    }
    COHORT_ASSERT (!self->threaded);
    COHORT_ASSERT (list_empty (&self->readers));
    COHORT_ASSERT (list_empty (&self->sources));
    worker_discard (self);
    zab_past_destroy (&self->past);
    snapshots_deinit (self);
    cache_deinit (&self->cache);
    log_deinit (&self->log);
    meta_close (&self->meta_file);
    queue_destroy (&self->queue);
    self->disk->ops->destroy (self->disk);
    mem_free (self);
    *self_p = NULL;
}

struct zab_past *store_take_past (struct store *self, zxid_t *chained)
{
    COHORT_ASSERT (self->number == 0);
    struct zab_past *past = self->past;
    self->past = NULL;
    *chained = self->chained;
    return past;
}

/* ---- State ------------------------------------------------------------------------------- */

void store_fail (struct store *self, const struct fault *fault)
{
    COHORT_ASSERT (fault->code < 0);
    if (self->owner_fault.code == 0) {
        self->owner_fault = *fault;
    }
}

int store_failure (struct store *self, const char **text)
{
    int code = atomic_load_explicit (&self->failed, memory_order_acquire);
    const struct fault *fault = code != 0 ? &self->worker_fault : &self->owner_fault;
    if (text != NULL && fault->code != 0) {
        *text = fault->text;
    }
    return fault->code;
}

int store_space (struct store *self)
{
    return atomic_load_explicit (&self->space, memory_order_acquire);
}

uint64_t store_space_left (struct store *self)
{
    return atomic_load_explicit (&self->space_left, memory_order_relaxed);
}

uint64_t store_completed (struct store *self)
{
    return atomic_load_explicit (&self->completed, memory_order_acquire);
}

uint64_t store_backlog (struct store *self)
{
    return self->submitted - atomic_load_explicit (&self->durable, memory_order_acquire);
}

const struct store_meta *store_meta (const struct store *self)
{
    return &self->meta;
}

void store_base (const struct store *self, struct zab_point *base, int64_t *stamp_ms)
{
    *base = self->cache.base;
    *stamp_ms = self->base_stamp_ms;
}

zxid_t store_last (const struct store *self)
{
    return self->cache.last.zxid;
}

zxid_t store_committed (const struct store *self)
{
    return self->recovered.committed;
}

uint64_t store_log_bytes (const struct store *self)
{
    return cache_end (&self->cache) - self->snapshot_position;
}

static uint64_t done_ticket (struct store *self)
{
    return atomic_load_explicit (&self->done, memory_order_acquire);
}

/* ---- Submitting -------------------------------------------------------------------------- */

struct work *work_new (struct store *self, enum work_type type)
{
    struct work *work = mem_calloc (1, sizeof *work);
    if (work == NULL) {
        struct fault fault;
        (void) fault_memory (&fault);
        store_fail (self, &fault);
        return NULL;
    }
    work->type = type;
    return work;
}

void work_push (struct store *self, enum queue_lane lane, struct work *work)
{
    struct list list;
    list_init (&list);
    list_push_back (&list, &work->node);
    work_submit (self, lane, &list);
}

/*  Whether there is nothing but one small record to do: that is done so fast that to wake another
 *  thread for it would take longer.  Where there are several, more are on their way, and shall be
 *  proposed meanwhile. */
static bool may_defer (struct store *self, enum queue_lane lane, const struct list *list)
{
    const struct work *work = list_entry (list_first (list), struct work, node);
    return self->gathers && !self->deferred && lane == LANE_LOG && self->declined == 0 &&
           work->type == WORK_APPEND && work->size <= DEFERRED_BYTES_MAX &&
           work->size == record_total (record_size (work->records)) &&
           self->tickets == work->ticket && done_ticket (self) + 1 == work->ticket;
}

void work_submit (struct store *self, enum queue_lane lane, struct list *list)
{
    if (may_defer (self, lane, list)) {
        self->deferred = true;
        queue_put (self->queue, lane, list);
        return;
    }
    self->deferred = false;
    self->declined -= self->declined > 0;
    queue_push (self->queue, lane, list);
}

/*  A new element of the log's lane. */
static struct work *add_work (struct store *self, struct list *list, enum work_type type)
{
    struct work *work = work_new (self, type);
    if (work != NULL) {
        work->ticket = ++self->tickets;
        list_push_back (list, &work->node);
    }
    return work;
}

/*  The record's place, for a record that may not be in memory for long: the worker finds it out
 *  itself if it is still to write it. */
static bool submit_truncate (struct store *self, struct list *list, zxid_t to)
{
    struct cache *cache = &self->cache;
    COHORT_ASSERT (to >= cache->base.zxid);
    COHORT_ASSERT (to <= cache->last.zxid);
    /*  What a snapshot holds was applied: never taken back. */
    COHORT_ASSERT (self->snapshots_count == 0 ||
                   to >= self->snapshots[self->snapshots_count - 1].point.zxid);
    if (to == cache->last.zxid) {
        return true;
    }
    struct work *work = add_work (self, list, WORK_TRUNCATE);
    if (work == NULL) {
        return false;
    }
    struct chunk *chunk = NULL;
    size_t index = 0;
    work->point = cache->base;
    work->stamp_ms = self->base_stamp_ms;
    if (to > cache->base.zxid) {
        struct fault fault;
        chunk = cache_find (cache, to - 1, &index);
        COHORT_ASSERT (chunk != NULL);
        bool written = chunk->data == NULL;
        if (cache_load (cache, chunk, &fault) != 0) {
            store_fail (self, &fault);
            return false;
        }
        chunk = cache_find (cache, to - 1, &index);
        const uint8_t *record = cache_record (chunk, index);
        COHORT_ASSERT (record_zxid (record) == to); /*  truncate_to is in the log */
        work->point = (struct zab_point){.zxid = to, .chain = record_chain (record)};
        if (written || chunk == cache->loaded) {
            work->segment = record_segment (record);
            work->end = record_offset (record) + record_total (record_size (record));
        } else {
            work->record = record;
            chunk->ticket = work->ticket;
        }
    }
    cache_truncate (cache, chunk, index, done_ticket (self));
    if (self->snapshot_position > cache_end (cache)) {
        self->snapshot_position = cache_end (cache);
    }
    return true;
}

/*  Builds the record in the cache; *work is the element that its chunk's records belong to. */
static bool submit_entry (struct store *self, struct list *list, const struct zab_entry *entry,
                          zxid_t commit, struct work **work)
{
    struct cache *cache = &self->cache;
    COHORT_ASSERT (zxid_follows (entry->zxid, cache->last.zxid));
    COHORT_ASSERT (entry->size <= RECORD_DATA_MAX);
    size_t total = record_total (entry->size);
    uint8_t *at;
    struct chunk *chunk = cache_extend (cache, total, &at);
    if (chunk == NULL) {
        struct fault fault;
        (void) fault_memory (&fault);
        store_fail (self, &fault);
        return false;
    }
    if (*work == NULL || (*work)->records + (*work)->size != at) {
        *work = add_work (self, list, WORK_APPEND);
        if (*work == NULL) {
            return false;
        }
        (*work)->records = at;
    }
    struct record record = {
        .type = RECORD_ENTRY,
        .size = entry->size,
        .zxid = entry->zxid,
        .stamp_ms = entry->stamp_ms,
        .previous = cache->last.chain,
        .chain = entry->chain,
        .commit = commit,
    };
    record_begin (at, &record);
    if (entry->size > 0) {
        memcpy (at + RECORD_HEADER_SIZE, entry->data, entry->size);
    }
    size_t used = RECORD_HEADER_SIZE + (size_t) entry->size;
    memset (at + used, 0, total - used);
    (*work)->size += total;
    chunk->ticket = (*work)->ticket;
    self->submitted += total;
    cache_commit (cache, chunk, total, entry->zxid, entry->chain);
    return true;
}

static bool submit_epochs (struct store *self, struct list *list, const struct zab_persist *persist)
{
    COHORT_ASSERT (persist->current_epoch <= persist->accepted_epoch);
    COHORT_ASSERT (persist->accepted_epoch >= self->meta.accepted_epoch);
    COHORT_ASSERT (persist->current_epoch >= self->meta.current_epoch);
    struct work *work = add_work (self, list, WORK_EPOCHS);
    if (work == NULL) {
        return false;
    }
    if (persist->whole || COHORT_MUTATED (healed_early)) {
        self->meta.trust = ZAB_WHOLE;
        self->meta.suspect = 0;
    }
    work->whole = self->meta.trust == ZAB_WHOLE;
    work->accepted_epoch = self->meta.accepted_epoch = persist->accepted_epoch;
    work->current_epoch = self->meta.current_epoch = persist->current_epoch;
    return true;
}

static bool submit (struct store *self, struct list *list, const struct zab_persist *persist)
{
    bool epochs_first = COHORT_MUTATED (epoch_before_history);
    if (persist->truncate && !submit_truncate (self, list, persist->truncate_to)) {
        return false;
    }
    if (epochs_first && persist->epochs && !submit_epochs (self, list, persist)) {
        return false;
    }
    struct work *work = NULL;
    for (size_t i = 0; i < persist->entries_count; i++) {
        if (!submit_entry (self, list, &persist->entries[i], persist->commit, &work)) {
            return false;
        }
    }
    if (!epochs_first && persist->epochs && !submit_epochs (self, list, persist)) {
        return false;
    }
    return !list_empty (list) || add_work (self, list, WORK_NOTHING) != NULL;
}

static void discard (struct list *list)
{
    struct list_node *node;
    while ((node = list_pop_front (list)) != NULL) {
        mem_free (list_entry (node, struct work, node));
    }
}

void store_persist (struct store *self, const struct zab_persist *persist)
{
    if (persist->number == 0 || self->owner_fault.code != 0) {
        return;
    }
    COHORT_ASSERT (persist->number > self->number);
    if (persist->truncate || persist->entries_count > 0) {
        COHORT_ASSERT (!snapshots_installing (self));
    }
    self->number = persist->number;
    cache_evict (&self->cache, done_ticket (self));
    struct list list;
    list_init (&list);
    if (!submit (self, &list, persist)) {
        /*  Nothing of it is done, and nothing after it: the server stops. */
        discard (&list);
        return;
    }
    list_entry (list_last (&list), struct work, node)->number = persist->number;
    work_submit (self, LANE_LOG, &list);
}

void store_rest (struct store *self)
{
    cache_rest (&self->cache, done_ticket (self));
}

void store_withdraw (struct store *self)
{
    if (self->owner_fault.code != 0 ||
        atomic_load_explicit (&self->withdrawal, memory_order_relaxed) != WITHDRAWAL_NONE) {
        return;
    }
    COHORT_ASSERT (!snapshots_installing (self));
    struct list list;
    list_init (&list);
    if (add_work (self, &list, WORK_WITHDRAW) != NULL) {
        atomic_store_explicit (&self->withdrawal, WITHDRAWAL_ASKED, memory_order_relaxed);
        work_submit (self, LANE_LOG, &list);
    }
}

bool store_withdrawn (struct store *self, struct zab_point *last)
{
    int state = atomic_load_explicit (&self->withdrawal, memory_order_acquire);
    if (state == WITHDRAWAL_NONE || state == WITHDRAWAL_ASKED || self->owner_fault.code != 0) {
        return false;
    }
    if (state == WITHDRAWAL_DONE) {
        struct cache *cache = &self->cache;
        zxid_t to = self->withdrawn.last.zxid;
        struct chunk *chunk = NULL;
        size_t index = 0;
        struct fault fault;
        if (to > cache->base.zxid && to < cache->last.zxid) {
            chunk = cache_find (cache, to - 1, &index);
            COHORT_ASSERT (chunk != NULL);
            if (cache_load (cache, chunk, &fault) != 0) {
                store_fail (self, &fault);
                return false;
            }
            chunk = cache_find (cache, to - 1, &index);
        }
        if (to < cache->last.zxid) {
            cache_truncate (cache, chunk, index, done_ticket (self));
        }
        COHORT_ASSERT (cache->last.zxid == to);
        self->meta.accepted_epoch = self->withdrawn.accepted_epoch;
        self->meta.current_epoch = self->withdrawn.current_epoch;
        self->meta.trust = self->withdrawn.trust;
        self->meta.suspect = self->withdrawn.suspect;
        *last = cache->last;
    }
    atomic_store_explicit (&self->withdrawal, WITHDRAWAL_NONE, memory_order_relaxed);
    return state == WITHDRAWAL_DONE;
}

int store_set_meta (struct store *self, const struct store_meta *meta)
{
    COHORT_ASSERT (meta->server_id == self->meta.server_id);
    COHORT_ASSERT (meta->store_id == self->meta.store_id);
    struct work *work = work_new (self, WORK_META);
    if (work == NULL) {
        return COHORT_ENOMEM;
    }
    int code = 0;
    uint64_t ticket = work->ticket = ++self->tickets;
    work->meta = meta;
    work->meta_code = &code;
    work_push (self, LANE_LOG, work);
    if (self->threaded) {
        queue_await (self->queue, ticket);
    } else {
        (void) store_work (self);
    }
    int rc = store_failure (self, NULL);
    rc = rc != 0 ? rc : code;
    if (rc == 0) {
        COHORT_ASSERT (done_ticket (self) >= ticket);
        self->meta = *meta;
    }
    return rc;
}

bool store_prove (struct store *self)
{
    if (!self->meta.heir) {
        return true;
    }
    if (snapshots_installing (self) || self->owner_fault.code != 0) {
        return false;
    }
    struct list list;
    list_init (&list);
    if (add_work (self, &list, WORK_PROVEN) == NULL) {
        return false;
    }
    self->meta.heir = false;
    work_submit (self, LANE_LOG, &list);
    return true;
}

/* ---- Reading ----------------------------------------------------------------------------- */

static void describe (const uint8_t *record, struct zab_entry *entry)
{
    *entry = (struct zab_entry){
        .zxid = record_zxid (record),
        .stamp_ms = record_stamp (record),
        .chain = record_chain (record),
        .data = record + RECORD_HEADER_SIZE,
        .size = record_size (record),
    };
}

size_t store_read (struct store *self, zxid_t after, zxid_t through, size_t max_bytes,
                   struct zab_entry *entries, size_t room)
{
    struct cache *cache = &self->cache;
    size_t index, count = 0, bytes = 0;
    if (after < cache->base.zxid || room == 0) {
        return 0;
    }
    struct chunk *chunk = cache_find (cache, after, &index);
    if (chunk != NULL && chunk->data == NULL) {
        struct fault fault;
        if (cache_load (cache, chunk, &fault) != 0) {
            store_fail (self, &fault);
            return 0;
        }
        chunk = cache_find (cache, after, &index);
    }
    /*  Only the first may have been loaded for this: loading another would take it away. */
    for (; chunk != NULL && chunk->data != NULL; chunk = cache_next (cache, chunk), index = 0) {
        for (; index < chunk->count; index++) {
            struct zab_entry *entry = &entries[count];
            const uint8_t *record = cache_record (chunk, index);
            if (record_zxid (record) > through || count == room ||
                (count > 0 && bytes + record_size (record) > max_bytes)) {
                return count;
            }
            describe (record, entry);
            bytes += entry->size;
            count++;
        }
    }
    return count;
}
