/*
 *  server/store/log.c - the log as the worker writes it: appending
 *
 *  What changes the manifest is in log_change.c.
 */
#include "server/store/log.h"

#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"

enum {
    RESERVE_STEP_MAX = 1 << 20,
    RESERVE_STEP_MIN = 8 << 10,
    /*  The current segment has so many steps in advance, if its limit allows. */
    RESERVE_STEPS_AHEAD = 4,
    /*  Where much is written: so many, and in a pause so many times what was written. */
    RESERVE_STEPS_AHEAD_MAX = 20,
    RESERVE_SHARE = 8,
    /*  Syncs of more than that part of a step, 192 KiB, take longer if their space has been filled
     *  than if they note what is not zero any more; then so many steps are taken at once. */
    LARGE_PART = 3,
    LARGE_OF = 16,
    ALLOCATE_STEPS = 8
};

void log_init (struct log *self, struct disk *disk, uint64_t segment_bytes)
{
    uint64_t step = segment_bytes / 16;
    *self = (struct log){
        .disk = disk,
        .segment_bytes = segment_bytes,
        .reserve_bytes = step > RESERVE_STEP_MAX   ? RESERVE_STEP_MAX
                         : step < RESERVE_STEP_MIN ? RESERVE_STEP_MIN
                                                   : step,
    };
    removal_init (&self->removal, disk, self->reserve_bytes);
}

void log_deinit (struct log *self)
{
    segment_close (&self->current, self->disk);
    segment_close (&self->next, self->disk);
    removal_deinit (&self->removal);
    manifest_deinit (&self->manifest);
}

/* ---- Space ------------------------------------------------------------------------------- */

/*  A segment has always room for its seal behind the last record. */
static bool has_room (const struct log *self, size_t total)
{
    const struct segment *current = &self->current;
    return current->end + total + NOTE_SIZE_MAX <= self->segment_bytes ||
           current->end == SEGMENT_HEAD_SIZE; /*  a record larger than segments are */
}

static uint64_t round_up (uint64_t value, uint64_t step)
{
    return (value + step - 1) / step * step;
}

/*  How far to reserve so that `through` is covered: whole steps, but not beyond the limit. */
static uint64_t reserve_goal (const struct log *self, uint64_t through, uint64_t step)
{
    uint64_t goal = round_up (through, step);
    if (goal > self->segment_bytes) {
        goal =
            through > self->segment_bytes ? round_up (through, SECTOR_SIZE) : self->segment_bytes;
    }
    return goal;
}

/*  While others wait.  Where there is no room for many steps there may be for one. */
static int reserve_now (struct log *self, uint64_t through, struct fault *fault)
{
    struct segment *current = &self->current;
    if (through <= current->reserved) {
        return 0;
    }
    if (self->batch >= self->reserve_bytes * LARGE_PART / LARGE_OF) {
        uint64_t goal = reserve_goal (self, through, ALLOCATE_STEPS * self->reserve_bytes);
        int rc = segment_allocate (current, self->disk, goal, fault);
        if (rc != COHORT_EDISKFULL) {
            return rc;
        }
    }
    return segment_reserve (current, self->disk, reserve_goal (self, through, self->reserve_bytes),
                            fault);
}

/*  Creates the next segment and lists it, so that its loss would be noticed. */
static int make_next (struct log *self, struct fault *fault)
{
    COHORT_ASSERT (self->next.file == NULL);
    struct manifest draft;
    if (!manifest_copy (&draft, &self->manifest)) {
        return fault_memory (fault);
    }
    draft.durable = self->durable;
    uint32_t number = draft.next_segment++;
    if (!manifest_add_span (&draft, number)) {
        manifest_deinit (&draft);
        return fault_set (fault, COHORT_EDISKFULL, "the log has too many segments");
    }
    int rc =
        segment_create (&self->next, self->disk, &self->ids, number, self->reserve_bytes, fault);
    if (rc != 0) {
        manifest_deinit (&draft);
        return rc;
    }
    rc = log_flip (self, &draft, fault);
    if (rc == COHORT_EDISKFULL) {
        struct fault second;
        segment_close (&self->next, self->disk);
        int error = self->disk->ops->unlink (self->disk, self->next.name);
        if (error != 0) {
            rc = fault_final (&second, self->next.name, "unlink", error);
            *fault = second;
        }
    }
    return rc;
}

static bool next_is_due (const struct log *self)
{
    return self->next.file == NULL && self->current.file != NULL;
}

/*  Whether so many steps are not there ahead of the records: of what was reserved, or filled. */
static bool lacks_steps (const struct log *self, uint64_t steps, uint64_t through)
{
    uint64_t goal = self->current.end + steps * self->reserve_bytes;
    if (goal > self->segment_bytes) {
        goal = self->segment_bytes;
    }
    return self->current.file != NULL && through < goal;
}

static bool space_is_due (const struct log *self)
{
    return lacks_steps (self, RESERVE_STEPS_AHEAD / 2, self->current.reserved);
}

static bool reserve_is_due (const struct log *self, uint64_t steps)
{
    return lacks_steps (self, steps, self->current.filled);
}

/*  While space is being reserved nothing is written, on any server, for all write the same log: so
 *  what a burst will need is best there before it comes.  How much that may be past bursts tell. */
static bool burst_is_due (const struct log *self)
{
    uint64_t steps = self->written / self->reserve_bytes * RESERVE_SHARE;
    steps = steps < RESERVE_STEPS_AHEAD_MAX ? steps : RESERVE_STEPS_AHEAD_MAX;
    return reserve_is_due (self, steps);
}

enum log_need log_need (const struct log *self)
{
    if (space_is_due (self) ||
        (next_is_due (self) && self->current.end > self->segment_bytes / 2)) {
        return LOG_NEEDS_NOW;
    }
    if (next_is_due (self) || reserve_is_due (self, RESERVE_STEPS_AHEAD)) {
        return LOG_NEEDS_SOON;
    }
    return burst_is_due (self) ? LOG_NEEDS_LATER : LOG_NEEDS_NOTHING;
}

static int reserve_step (struct log *self, struct fault *fault)
{
    const struct segment *current = &self->current;
    uint64_t filled = current->filled > current->end ? current->filled : current->end;
    return segment_reserve (&self->current, self->disk,
                            reserve_goal (self, filled + 1, self->reserve_bytes), fault);
}

/*  Without room for that the disk is not called full. */
static int reserve_for_burst (struct log *self, struct fault *fault)
{
    int rc = reserve_step (self, fault);
    if (rc == COHORT_EDISKFULL) {
        self->written = 0;
        rc = 0;
    }
    return rc;
}

int log_prepare (struct log *self, bool *did, struct fault *fault)
{
    *did = true;
    if (space_is_due (self)) {
        return reserve_now (self, self->current.reserved + 1, fault);
    }
    if (reserve_is_due (self, RESERVE_STEPS_AHEAD)) {
        return reserve_step (self, fault);
    }
    if (next_is_due (self)) {
        return make_next (self, fault);
    }
    if (burst_is_due (self)) {
        return reserve_for_burst (self, fault);
    }
    *did = false;
    return 0;
}

/* ---- Records ----------------------------------------------------------------------------- */

/*  A mark or a seal that found no room may be there in part; and whoever reads the log would take
 *  what stands behind the next record for the rest of it.  So it goes first, durably. */
static int erase_tried (struct log *self, uint64_t from, struct fault *fault)
{
    static const uint8_t zeros[NOTE_SIZE_MAX];
    struct segment *current = &self->current;
    if (current->tried <= from) {
        return 0;
    }
    COHORT_ASSERT (current->tried - from <= sizeof zeros);
    int rc =
        segment_write (current, self->disk, from, zeros, (size_t) (current->tried - from), fault);
    if (rc == 0) {
        rc = segment_sync (current, self->disk, fault);
    }
    if (rc == 0) {
        current->tried = 0;
    }
    return rc;
}

/*  Without room the run stays as it is, and is written again at its place. */
static int flush_run (struct log *self, struct fault *fault)
{
    if (self->run_size == 0) {
        return 0;
    }
    int rc = erase_tried (self, self->run_offset, fault);
    if (rc == 0) {
        rc = segment_write (&self->current, self->disk, self->run_offset, self->run, self->run_size,
                            fault);
    }
    if (rc == 0) {
        self->run_size = 0;
        self->unsynced = true;
    }
    return rc;
}

int log_sync (struct log *self, struct fault *fault)
{
    int rc = flush_run (self, fault);
    if (rc != 0 || !self->unsynced) {
        return rc;
    }
    if (!COHORT_MUTATED (beginning_unsynced) ||
        self->current.end > SEGMENT_HEAD_SIZE + 2 * SECTOR_SIZE) {
        rc = segment_sync (&self->current, self->disk, fault);
    }
    if (rc == 0) {
        self->unsynced = false;
        self->batch = (3 * self->batch + self->unsynced_bytes) / 4;
        self->unsynced_bytes = 0;
        self->unmarked = self->unmarked || self->durable != self->last.zxid;
        self->durable = COHORT_MUTATED (watermark_behind) ? self->durable : self->last.zxid;
    }
    return rc;
}

/*  A mark or a seal at `at` of the segment. */
static void build_note (const struct log *self, uint8_t *bytes, enum record_type type,
                        uint32_t size, uint64_t at)
{
    struct record record = {
        .type = type,
        .size = size,
        .zxid = self->last.zxid,
        .previous = self->last.chain,
        .chain = self->last.chain,
        .commit = self->commit,
    };
    record_begin (bytes, &record);
    memset (bytes + RECORD_HEADER_SIZE, 0, size);
    record_finish (bytes, self->current.number, at, self->durable, self->current.salt);
}

/*  Writes a mark or a seal, and syncs. */
static int write_note (struct log *self, enum record_type type, struct fault *fault)
{
    COHORT_ASSERT (self->run_size == 0);
    COHORT_ASSERT (!self->unsynced);
    struct segment *current = &self->current;
    uint8_t bytes[NOTE_SIZE_MAX];
    size_t size = record_note_size (current->end), filling = size - RECORD_HEADER_SIZE;
    COHORT_ASSERT (size <= sizeof bytes);
    if (filling > 0) {
        build_note (self, bytes, RECORD_MARK, (uint32_t) (filling - RECORD_HEADER_SIZE),
                    current->end);
    }
    build_note (self, bytes + filling, type, 0, current->end + filling);
    int rc = erase_tried (self, current->end, fault);
    if (rc != 0) {
        return rc;
    }
    rc = segment_write (current, self->disk, current->end, bytes, size, fault);
    if (rc == COHORT_EDISKFULL) {
        current->tried = current->end + size;
    }
    if (rc == 0) {
        rc = segment_sync (current, self->disk, fault);
    }
    if (rc == 0) {
        current->end += size;
        self->unmarked = false;
    }
    return rc;
}

/*  Ends the current segment and goes on to the next. */
static int roll (struct log *self, struct fault *fault)
{
    if (self->next.file == NULL) {
        int rc = make_next (self, fault);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = COHORT_MUTATED (sealed_unsynced) ? flush_run (self, fault) : log_sync (self, fault);
    self->unsynced = self->unsynced && !COHORT_MUTATED (sealed_unsynced);
    if (rc != 0) {
        return rc;
    }
    struct manifest *manifest = &self->manifest;
    COHORT_ASSERT (manifest->spans_count >= 2);
    struct span *span = &manifest->spans[manifest->spans_count - 2];
    COHORT_ASSERT (span->segment == self->current.number);
    span->end = self->current.end;
    span->last = self->last.zxid;
    rc = write_note (self, RECORD_SEAL, fault);
    if (rc != 0) {
        return rc;
    }
    segment_close (&self->current, self->disk);
    self->current = self->next;
    self->next.file = NULL;
    return 0;
}

int log_mark (struct log *self, struct fault *fault)
{
    struct segment *current = &self->current;
    COHORT_ASSERT (current->file != NULL);
    if (!has_room (self, NOTE_SIZE_MAX)) {
        return roll (self, fault);
    }
    /*  The seal must fit behind it. */
    uint64_t through = current->end + 2 * (uint64_t) NOTE_SIZE_MAX;
    int rc =
        through > current->reserved ? segment_reserve (current, self->disk, through, fault) : 0;
    return rc == 0 ? write_note (self, RECORD_MARK, fault) : rc;
}

/*  The first segment of all. */
static int begin (struct log *self, struct fault *fault)
{
    int rc = make_next (self, fault);
    if (rc == 0) {
        self->current = self->next;
        self->next.file = NULL;
    }
    return rc;
}

/*  Makes the current segment one that takes `total` more bytes. */
static int make_room (struct log *self, size_t total, struct fault *fault)
{
    if (self->current.file == NULL) {
        int rc = begin (self, fault);
        if (rc != 0) {
            return rc;
        }
    }
    if (!has_room (self, total)) {
        int rc = roll (self, fault);
        if (rc != 0) {
            return rc;
        }
    }
    return reserve_now (self, self->current.end + total + NOTE_SIZE_MAX, fault);
}

int log_append (struct log *self, uint8_t *records, size_t size, size_t *done, struct fault *fault)
{
    while (*done < size) {
        uint8_t *at = records + *done;
        size_t total = record_total (record_size (at));
        COHORT_ASSERT (total <= size - *done);
        int rc = make_room (self, total, fault);
        if (rc != 0) {
            return rc;
        }
        struct segment *current = &self->current;
        zxid_t durable = COHORT_MUTATED (watermark_ahead) ? self->last.zxid : self->durable;
        record_finish (at, current->number, current->end, durable, current->salt);
        if (self->run_size > 0 && (self->run + self->run_size != at ||
                                   self->run_offset + self->run_size != current->end)) {
            rc = flush_run (self, fault);
            if (rc != 0) {
                return rc;
            }
        }
        if (self->run_size == 0) {
            self->run = at;
            self->run_offset = current->end;
        }
        self->run_size += total;
        current->end += total;
        self->written += total;
        self->unsynced_bytes += total;
        *done += total;
        self->last = (struct zab_point){.zxid = record_zxid (at), .chain = record_chain (at)};
        zxid_t commit = record_commit (at);
        self->commit = commit > self->commit ? commit : self->commit;
    }
    return 0;
}
