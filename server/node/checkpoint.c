/* checkpoint.c: see checkpoint.h. */

#include "server/node/checkpoint.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/node/error_text.h"

void checkpoint_init (struct checkpoint *self, struct store *store, uint64_t log_bytes,
                      uint32_t slice_bytes, const struct logger *logger)
{
    memset (self, 0, sizeof *self);
    self->store = store;
    self->logger = *logger;
    self->log_bytes = log_bytes > 0 ? log_bytes : CHECKPOINT_LOG_BYTES;
    self->slice_bytes = slice_bytes > 0 ? slice_bytes : CHECKPOINT_SLICE;
    self->retry_at_ms = INT64_MIN;
    self->looked_ms = INT64_MIN / 2; /* long ago */
    self->looked_bytes = 0;
    self->has_turn = true;
    buf_init (&self->slice);
}

void checkpoint_abort (struct checkpoint *self)
{
    tree_snapshot_end (&self->snapshot);
    store_writer_destroy (&self->writer);
}

void checkpoint_discard (struct checkpoint *self)
{
    tree_snapshot_end (&self->snapshot);
    store_writer_cancel (&self->writer);
}

void checkpoint_deinit (struct checkpoint *self)
{
    checkpoint_abort (self);
    buf_deinit (&self->slice);
}

void checkpoint_want (struct checkpoint *self)
{
    self->wanted = true;
}

void checkpoint_set_turn (struct checkpoint *self, bool has_turn)
{
    self->has_turn = has_turn;
}

bool checkpoint_due (const struct checkpoint *self)
{
    return self->due || checkpoint_busy (self) || (COHORT_MUTATED (turn_kept) && self->done > 0);
}

bool checkpoint_at_it (const struct checkpoint *self)
{
    return checkpoint_busy (self) || (self->due && self->has_turn) ||
           (COHORT_MUTATED (turn_kept) && self->done > 0);
}

void checkpoint_prove (struct checkpoint *self, zxid_t zxid)
{
    self->proven = zxid == 0 || zxid > self->proven ? zxid : self->proven;
}

bool checkpoint_ready (struct checkpoint *self, zxid_t oldest, zxid_t applied)
{
    struct store_snapshot_info newest;
    if (checkpoint_busy (self)) {
        self->urgent = true;
        return false;
    }
    if (self->done < self->done_needed) {
        self->wanted = self->again = true; /* also if one has failed since */
        return false;
    }
    if (store_snapshot_newest (self->store, &newest) && newest.point.zxid >= oldest) {
        return true;
    }
    self->wanted |= applied >= oldest;
    return false;
}

void checkpoint_damaged (struct checkpoint *self)
{
    self->done_needed = self->done + 1;
    self->wanted = self->again = true;
    self->retry_at_ms = INT64_MIN;
}

uint64_t checkpoint_failures (const struct checkpoint *self, int *code)
{
    *code = self->code;
    return self->failures;
}

bool checkpoint_busy (const struct checkpoint *self)
{
    return self->writer != NULL;
}

/* A slice ends with a whole record; and one is made only while no more waits than may. */
void checkpoint_bounds (const struct checkpoint *self, struct bounds *bounds)
{
    if (self->writer != NULL) {
        bounds_look (bounds, "bytes of a snapshot's slice", 0, self->slice.size,
                     self->slice_bytes + CHECKPOINT_RECORD_MAX);
        bounds_look (bounds, "bytes of a snapshot for the disk", 0,
                     store_writer_pending (self->writer),
                     CHECKPOINT_PENDING_MAX + self->slice.size + CHECKPOINT_BLOCK);
    }
}

uint64_t checkpoint_done (const struct checkpoint *self)
{
    return self->done;
}

/* Whether the log has hardly grown since the last look; unknown, if a snapshot has cut it. */
static bool grows_slowly (const struct checkpoint *self)
{
    uint64_t bytes = store_log_bytes (self->store);
    return bytes >= self->looked_bytes && bytes - self->looked_bytes <= CHECKPOINT_CALM_GROWTH;
}

/* Looks now and then how fast the log grows. Where it hardly does, its tail is read by nobody. */
static void look (struct checkpoint *self, int64_t now_ms)
{
    if (now_ms - self->looked_ms >= CHECKPOINT_CALM_MS) {
        self->calm = grows_slowly (self);
        self->looked_bytes = store_log_bytes (self->store);
        self->looked_ms = now_ms;
        if (self->calm) {
            store_rest (self->store);
        }
    }
}

void checkpoint_keep (const struct checkpoint *self)
{
    struct store_snapshot_info newest;
    uint64_t limit = self->log_bytes;
    if (store_snapshot_newest (self->store, &newest) && newest.size > limit) {
        limit = newest.size;
    }
    limit *= CHECKPOINT_PROVEN_LIMITS;
    store_keep_proven (self->store, self->proven,
                       limit > CHECKPOINT_PROVEN_BYTES ? limit : CHECKPOINT_PROVEN_BYTES);
}

static uint64_t log_limit (const struct checkpoint *self, uint64_t newest_size)
{
    uint64_t least = self->log_bytes;
    uint64_t limit = newest_size;
    if (self->calm && grows_slowly (self)) {
        least = least < CHECKPOINT_CALM_BYTES ? least : CHECKPOINT_CALM_BYTES;
        limit /= CHECKPOINT_CALM_PART;
    }
    return limit > least ? limit : least;
}

/* On a full disk the log does not grow, so that no snapshot would ever be due, and what only the
 * older snapshot needs of the log would keep the disk full.  One that has room makes more; one for
 * each shortage. */
static bool makes_room (const struct checkpoint *self, uint64_t newest_size)
{
    return store_space (self->store) != 0 && !self->relieved &&
           store_space_left (self->store) >= newest_size;
}

/* Whether one is to begin now; and whether it is due at least. */
static bool begins (struct checkpoint *self, int64_t now_ms)
{
    struct store_snapshot_info newest = {.size = 0};
    self->due = false;
    if (now_ms < self->retry_at_ms) {
        return false;
    }
    bool any = store_snapshot_newest (self->store, &newest);
    uint64_t bytes = store_log_bytes (self->store);
    uint64_t limit = log_limit (self, newest.size);
    bool urgent = self->wanted || (any && makes_room (self, newest.size));
    self->due = urgent || (bytes > limit && !COHORT_MUTATED (never_snapshots));
    return urgent || (self->due && (self->has_turn || bytes > limit + limit / CHECKPOINT_PATIENCE));
}

static void begin (struct checkpoint *self, struct tree *tree, struct zab_point point,
                   int64_t now_ms)
{
    struct store_snapshot_info newest;
    if (point.zxid == 0 || tree_zxid (tree) != point.zxid) {
        return;
    }
    if (!self->again && store_snapshot_newest (self->store, &newest) &&
        newest.point.zxid >= point.zxid) {
        self->wanted = self->due = false; /* there is one of just this state */
        self->relieved = store_space (self->store) != 0;
        return;
    }
    if (store_writer_new (self->store, point, tree_stamp_ms (tree), &self->writer) != 0) {
        self->writer = NULL; /* another one is being written */
        return;
    }
    self->snapshot = tree_snapshot_begin (tree);
    if (self->snapshot == NULL) {
        store_writer_destroy (&self->writer);
        return;
    }
    self->urgent = self->wanted || store_space (self->store) != 0;
    self->wanted = self->again = false;
    self->zxid = point.zxid;
    self->begun_ms = now_ms;
    self->begun_log = store_log_bytes (self->store);
    self->written = 0;
    logger_write (&self->logger, LOG_INFO, "snapshot-begun", "zxid=%" PRIx64, point.zxid);
}

static void fail (struct checkpoint *self, int64_t now_ms, int code)
{
    logger_write (&self->logger, LOG_WARNING, "snapshot-failed", "zxid=%" PRIx64 " reason=\"%s\"",
                  self->zxid, error_text (code));
    checkpoint_abort (self);
    self->failures++;
    self->code = code;
    self->retry_at_ms =
        COHORT_MUTATED (snapshot_given_up) ? INT64_MAX : now_ms + CHECKPOINT_RETRY_MS;
}

/* What of it the time must allow: the log has allowed the rest.  A log that is shorter than it was
 * has been cut, and says nothing. */
static uint64_t paced_bytes (const struct checkpoint *self)
{
    uint64_t log = store_log_bytes (self->store);
    uint64_t grown = log > self->begun_log ? log - self->begun_log : 0;
    uint64_t allowed = grown * CHECKPOINT_PACE_LOG;
    bool calm = self->calm && grows_slowly (self);
    return self->urgent || self->wanted || calm || self->written < allowed
               ? 0
               : self->written - allowed;
}

static int64_t goes_on_ms (const struct checkpoint *self)
{
    uint64_t bytes = paced_bytes (self) + CHECKPOINT_PACE - 1;
    return self->begun_ms + (int64_t) (bytes / CHECKPOINT_PACE);
}

static bool write_slice (struct checkpoint *self, int64_t now_ms)
{
    if (store_writer_pending (self->writer) > CHECKPOINT_PENDING_MAX) {
        return false; /* the store wakes us */
    }
    if (now_ms < goes_on_ms (self)) {
        return false; /* see checkpoint_deadline */
    }
    buf_clear (&self->slice);
    bool more = tree_snapshot_next (self->snapshot, &self->slice, self->slice_bytes);
    if (self->slice.failed) {
        fail (self, now_ms, COHORT_ENOMEM);
        return false;
    }
    store_writer_append (self->writer, self->slice.data, self->slice.size);
    self->written += self->slice.size;
    if (!more) {
        tree_snapshot_end (&self->snapshot);
        store_writer_finish (self->writer, false);
    }
    return more;
}

bool checkpoint_turn (struct checkpoint *self, struct tree *tree, struct zab_point point,
                      int64_t now_ms)
{
    look (self, now_ms);
    self->relieved &= store_space (self->store) != 0;
    if (self->writer == NULL && begins (self, now_ms)) {
        begin (self, tree, point, now_ms);
    }
    if (self->writer == NULL) {
        return false;
    }
    int state = store_writer_state (self->writer);
    if (state < 0) {
        fail (self, now_ms, state);
        return false;
    }
    if (self->snapshot != NULL) {
        return write_slice (self, now_ms);
    }
    if (state == 1) {
        logger_write (&self->logger, LOG_INFO, "snapshot-done", "zxid=%" PRIx64, self->zxid);
        store_writer_destroy (&self->writer);
        self->done++;
        self->relieved = store_space (self->store) != 0;
    }
    return false;
}

int64_t checkpoint_deadline (const struct checkpoint *self)
{
    if (self->snapshot == NULL || store_writer_pending (self->writer) > CHECKPOINT_PENDING_MAX) {
        return INT64_MAX;
    }
    return goes_on_ms (self);
}
