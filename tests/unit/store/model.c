/*
 *  tests/unit/store/model.c - a store on a crash_disk, and what it may and must remember
 */
#include "tests/unit/store/model.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "tests/unit/unit.h"

struct model *model_new (uint64_t seed, uint64_t disk_seed)
{
    struct model *self = mem_calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    prng_seed (&self->prng, seed);
    history_init (&self->state);
    history_init (&self->latest);
    self->disk = crash_disk_new (disk_seed);
    self->options = (struct store_options){
        .server_id = MODEL_SERVER,
        .store_id = MODEL_STORE,
        .segment_bytes = 16 << 10,
        .cache_bytes = 64 << 10,
    };
    return self;
}

void model_destroy (struct model **self_p)
{
    struct model *self = *self_p;
    if (self != NULL) {
        model_close (self);
        crash_disk_destroy (&self->disk);
        mem_free (self);
        *self_p = NULL;
    }
}

int model_open (struct model *self)
{
    COHORT_ASSERT (self->store == NULL);
    self->options.disk = crash_disk_open (self->disk);
    self->error[0] = '\0';
    return store_open (&self->options, &self->store, self->error, sizeof self->error);
}

void model_close (struct model *self)
{
    store_writer_destroy (&self->writer);
    store_close (&self->store);
}

/* ---- Changes ----------------------------------------------------------------------------- */

static void apply (struct history *history, uint32_t *accepted, uint32_t *current,
                   const struct change *change)
{
    switch (change->type) {
    case CHANGE_ENTRY:
        COHORT_ASSERT (history->count < HISTORY_MAX);
        history->entries[history->count++] = change->entry;
        break;
    case CHANGE_TRUNCATE:
        history_cut (history, change->point.zxid);
        break;
    case CHANGE_EPOCHS:
        *accepted = change->accepted;
        *current = change->current;
        break;
    case CHANGE_INSTALL:
        history_restart (history, change->point, change->stamp_ms);
        break;
    }
}

static void add_change (struct model *self, const struct change *change)
{
    COHORT_ASSERT (self->count < CHANGES_MAX);
    self->changes[self->count++] = *change;
    if (change->type != CHANGE_ENTRY) {
        apply (&self->latest, &self->latest_accepted, &self->latest_current, change);
    }
}

static void acknowledge (struct model *self)
{
    uint64_t completed = store_completed (self->store);
    size_t at = self->acknowledged;
    for (size_t i = at; i < self->count; i++) {
        const struct change *change = &self->changes[i];
        if (change->type == CHANGE_INSTALL) {
            if (self->installing) {
                break;
            }
        } else if (change->number > completed) {
            break;
        }
        at = i + 1;
    }
    self->acknowledged = at;
}

/*  Forgets changes that are part of the state by now. */
static void advance (struct model *self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        apply (&self->state, &self->accepted, &self->current, &self->changes[i]);
    }
    self->count -= count;
    memmove (self->changes, self->changes + count, self->count * sizeof *self->changes);
    self->acknowledged = self->acknowledged > count ? self->acknowledged - count : 0;
}

/* ---- Steps ------------------------------------------------------------------------------- */

static uint32_t random_size (struct model *self)
{
    switch (prng_below (&self->prng, 10)) {
    case 0:
        return 0;
    case 1:
        return (uint32_t) prng_below (&self->prng, 9000);
    case 2:
        return (uint32_t) prng_below (&self->prng, 2000);
    default:
        return (uint32_t) prng_below (&self->prng, 200);
    }
}

/*  One request: perhaps a truncation, perhaps entries, perhaps epochs. */
static void step_persist (struct model *self)
{
    struct zab_persist persist = {.number = ++self->number};
    struct change change = {.number = self->number};
    if (prng_chance (&self->prng, 1, 12) && self->latest.count > 0) {
        size_t at = (size_t) prng_below (&self->prng, self->latest.count + 1);
        if (prng_chance (&self->prng, 2, 3) && self->latest.count > 10) {
            at = self->latest.count - (size_t) prng_below (&self->prng, 10);
        }
        struct zab_point base, to = self->latest.base;
        int64_t stamp_ms;
        store_base (self->store, &base, &stamp_ms);
        to.zxid = at > 0 ? self->latest.entries[at - 1].zxid : to.zxid;
        to.zxid = to.zxid < base.zxid ? base.zxid : to.zxid;
        /*  What a snapshot holds was applied, and stays. */
        for (size_t i = 0; i < self->snapshots_count; i++) {
            const struct zab_point *point = &self->snapshots[i].point;
            to.zxid = point->zxid > to.zxid && point->zxid <= history_last (&self->latest).zxid
                          ? point->zxid
                          : to.zxid;
        }
        change.type = CHANGE_TRUNCATE;
        change.point = history_point (&self->latest, to.zxid);
        persist.truncate = true;
        persist.truncate_to = to.zxid;
        add_change (self, &change);
    }
    size_t from = self->latest.count, count = (size_t) prng_below (&self->prng, 6);
    uint32_t epoch = zxid_epoch (history_last (&self->latest).zxid);
    epoch += epoch == 0 || persist.truncate || prng_chance (&self->prng, 1, 10) ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        /*  A seed is never used twice: nor is a chain, whatever was truncated before. */
        history_add (&self->latest, epoch, random_size (self), prng_u64 (&self->prng));
        change.type = CHANGE_ENTRY;
        change.entry = self->latest.entries[self->latest.count - 1];
        add_change (self, &change);
    }
    if (prng_chance (&self->prng, 1, 8)) {
        change.type = CHANGE_EPOCHS;
        change.accepted = self->latest_accepted + 1;
        change.current = prng_chance (&self->prng, 1, 2) ? change.accepted : self->latest_current;
        persist.epochs = true;
        persist.accepted_epoch = change.accepted;
        persist.current_epoch = change.current;
        add_change (self, &change);
    }
    history_submit_with (&self->latest, self->store, from, &persist);
}

static uint8_t snapshot_byte (const struct model_snapshot *snapshot, size_t at)
{
    return (uint8_t) (at * 31 + snapshot->point.chain + (at >> 8));
}

static void step_snapshot (struct model *self)
{
    struct zab_point base;
    int64_t stamp_ms;
    store_base (self->store, &base, &stamp_ms);
    bool install = prng_chance (&self->prng, 1, 4);
    struct model_snapshot *snapshot = &self->snapshots[self->snapshots_count];
    COHORT_ASSERT (self->snapshots_count < MODEL_SNAPSHOTS_MAX);
    /*  A snapshot is of what was applied, so of what is durable. */
    if (!install && self->acknowledged < self->count) {
        return;
    }
    *snapshot = (struct model_snapshot){
        .point = history_last (&self->latest),
        .stamp_ms = history_last_stamp (&self->latest),
        .size = (size_t) prng_below (&self->prng, prng_chance (&self->prng, 1, 3) ? 200000 : 900),
    };
    if (install) {
        uint32_t epoch = zxid_epoch (snapshot->point.zxid) + 1;
        snapshot->point.zxid = zxid_make (epoch, 5);
        snapshot->point.chain = prng_u64 (&self->prng);
    }
    if (snapshot->point.zxid <= base.zxid) {
        return;
    }
    if (store_writer_new (self->store, snapshot->point, snapshot->stamp_ms, &self->writer) != 0) {
        self->writer = NULL;
        return;
    }
    self->writing = self->snapshots_count++;
    uint8_t bytes[1000];
    for (size_t at = 0; at < snapshot->size;) {
        size_t part = snapshot->size - at < sizeof bytes ? snapshot->size - at : sizeof bytes;
        for (size_t i = 0; i < part; i++) {
            bytes[i] = snapshot_byte (snapshot, at + i);
        }
        store_writer_append (self->writer, bytes, part);
        at += part;
    }
    if (prng_chance (&self->prng, 1, 10)) {
        store_writer_destroy (&self->writer);
        self->snapshots_count--;
        return;
    }
    if (install) {
        struct change change = {
            .type = CHANGE_INSTALL,
            .point = snapshot->point,
            .stamp_ms = snapshot->stamp_ms,
        };
        self->installing = true;
        add_change (self, &change);
    }
    store_writer_finish (self->writer, install);
}

static void poll_writer (struct model *self)
{
    int state = self->writer != NULL ? store_writer_state (self->writer) : 0;
    if (state == 0 || store_failure (self->store, NULL) != 0) {
        return;
    }
    COHORT_ASSERT (self->writing + 1 == self->snapshots_count);
    if (state == 1) {
        self->snapshots[self->writing].acknowledged = true;
    } else {
        assert_int_equal (state, COHORT_EDISKFULL);
        self->snapshots_count--;
    }
    if (state != 1 && self->installing) {
        /*  It has failed: nothing has changed. */
        self->count--;
        COHORT_ASSERT (self->changes[self->count].type == CHANGE_INSTALL);
        self->latest = self->state;
        self->latest_accepted = self->accepted;
        self->latest_current = self->current;
        for (size_t i = 0; i < self->count; i++) {
            apply (&self->latest, &self->latest_accepted, &self->latest_current, &self->changes[i]);
        }
    }
    self->installing = false;
    store_writer_destroy (&self->writer);
}

bool model_settle (struct model *self)
{
    while (store_work (self->store)) {
    }
    poll_writer (self);
    acknowledge (self);
    return store_failure (self->store, NULL) == 0;
}

bool model_step (struct model *self)
{
    struct zab_point base;
    int64_t stamp_ms;
    switch (prng_below (&self->prng, 10)) {
    case 0:
        if (self->writer == NULL) {
            step_snapshot (self);
        }
        break;
    case 1:
        if (store_compacted (self->store, &base, &stamp_ms)) {
            struct zab_point point = history_point (&self->latest, base.zxid);
            assert_int_equal (point.chain, base.chain);
        }
        break;
    case 2:
    case 3:
    case 4:
        (void) store_work (self->store);
        break;
    case 5:
        store_rest (self->store);
        break;
    default:
        if (!self->installing) {
            step_persist (self);
        }
        break;
    }
    poll_writer (self);
    acknowledge (self);
    return store_failure (self->store, NULL) == 0;
}

/* ---- Checking ---------------------------------------------------------------------------- */

static void check_snapshot (struct model *self)
{
    struct store_snapshot_info info = {.size = 0};
    zxid_t must = 0;
    for (size_t i = 0; i < self->snapshots_count; i++) {
        const struct model_snapshot *snapshot = &self->snapshots[i];
        must = snapshot->acknowledged && snapshot->point.zxid > must ? snapshot->point.zxid : must;
    }
    if (!store_snapshot_newest (self->store, &info)) {
        assert_int_equal (must, 0);
        return;
    }
    assert_true (info.point.zxid >= must);
    struct model_snapshot *found = NULL;
    for (size_t i = 0; i < self->snapshots_count; i++) {
        if (self->snapshots[i].point.zxid == info.point.zxid &&
            self->snapshots[i].point.chain == info.point.chain &&
            self->snapshots[i].size == info.size) {
            found = &self->snapshots[i];
        }
    }
    assert_non_null (found);
    found->acknowledged = true;
    struct store_reader *reader;
    assert_int_equal (store_reader_new (self->store, &reader, &info), 0);
    uint8_t bytes[7000];
    size_t at = 0, done;
    do {
        assert_int_equal (store_reader_read (reader, at, bytes, sizeof bytes, &done), 0);
        for (size_t i = 0; i < done; i++) {
            assert_int_equal (bytes[i], snapshot_byte (found, at + i));
        }
        at += done;
    } while (done > 0);
    assert_int_equal (at, found->size);
    store_reader_destroy (&reader);
}

/*  Whether the state is the one that the store has. */
static bool matches (const struct model *self, const struct history *history, uint32_t accepted,
                     uint32_t current)
{
    const struct store_meta *meta = store_meta (self->store);
    struct zab_point last = history_last (history), base;
    int64_t stamp_ms;
    struct zab_entry entry;
    store_base (self->store, &base, &stamp_ms);
    if (store_last (self->store) != last.zxid || meta->accepted_epoch != accepted ||
        meta->current_epoch != current) {
        return false;
    }
    if (base.zxid == last.zxid) {
        return base.chain == last.chain;
    }
    zxid_t before = last.zxid - 1;
    if (history->count > 1) {
        before = history->entries[history->count - 2].zxid;
    } else {
        before = history->base.zxid;
    }
    before = before < base.zxid ? base.zxid : before;
    return store_read (self->store, before, UINT64_MAX, 1, &entry, 1) == 1 &&
           entry.zxid == last.zxid && entry.chain == last.chain;
}

void model_check (struct model *self)
{
    advance (self, self->acknowledged);
    size_t taken = 0;
    while (!matches (self, &self->state, self->accepted, self->current)) {
        if (self->count == 0) {
            fail_msg ("what was found is no state that was ever submitted, or too old");
        }
        advance (self, 1);
        taken++;
    }
    self->recovered_changes += taken;
    assert_int_equal (history_compare (&self->state, self->store), self->state.count);
    check_snapshot (self);
    self->count = self->acknowledged = 0;
    self->latest = self->state;
    self->latest_accepted = self->accepted;
    self->latest_current = self->current;
    self->installing = false;
    /*  What was not found never happened. */
    size_t kept = 0;
    for (size_t i = 0; i < self->snapshots_count; i++) {
        if (self->snapshots[i].acknowledged) {
            self->snapshots[kept++] = self->snapshots[i];
        }
    }
    self->snapshots_count = kept;
    self->number = 0;
}
