/*
 *  server/store/recover_log.c - reading the log back: where it ends, and whether it is whole
 *
 *  A record that is not sound is one of two things.  Torn: one of its sectors was never written
 *  (space is filled with zeros ahead of time, so that sector is still zero).  Past everything
 *  that is known to have been durable this ends the log, whatever follows: sectors that were not
 *  synced land in any order, and nobody was told of them.  All else is damage, and nothing is cut
 *  off here.  It is suspect if nothing more than entries at the very end cannot be read, of which
 *  nobody knows whether they were durable: their headers are sound, so it is known which they were.
 *
 *  What was durable is known from the watermarks: in the records themselves, also those behind the
 *  place, in the manifest, and because a segment is sealed before the next one begins.  A mark is
 *  synced before anything is written behind it; so it is not torn where the next entry stands.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/recovery.h"
#include "server/store/scan.h"

/*  "(24.5)": epoch and counter, as people see them. */
static void zxid_text (char text[32], zxid_t zxid)
{
    (void) snprintf (text, 32, "%" PRIu32 ".%" PRIu64, zxid_epoch (zxid), zxid_counter (zxid));
}

static int damaged (const struct log_recovery *self, const struct segment *segment, uint64_t offset,
                    const char *what, struct fault *fault)
{
    char text[32];
    zxid_text (text, self->last.zxid);
    (void) fault_set (fault, COHORT_ECORRUPT,
                      "%s: damaged at offset %" PRIu64 ", after zxid %s: %s", segment->name, offset,
                      text, what);
    return fault_at (fault, offset);
}

/* ---- One record -------------------------------------------------------------------------- */

/*  Whether the record may stand behind the last one; NULL: yes, else what is wrong. */
static const char *misplaced (const struct log_recovery *self, const struct record *record)
{
    const struct zab_point *base = &self->log->manifest.base;
    if (record->type == RECORD_ENTRY) {
        if (!self->begun && record->zxid <= base->zxid) {
            return record->zxid == base->zxid && record->chain != base->chain
                       ? "another history than the snapshot's"
                       : NULL;
        }
        if (!zxid_follows (record->zxid, self->last.zxid)) {
            return "an entry is missing";
        }
        if (record->previous != self->last.chain) {
            return "an entry of another history";
        }
        if (record->zxid == base->zxid && record->chain != base->chain) {
            return "another history than the snapshot's";
        }
        return self->last.zxid < base->zxid && record->zxid > base->zxid
                   ? "the entry that the log begins with is missing"
                   : NULL;
    }
    if (!self->begun && record->zxid <= base->zxid) {
        return NULL;
    }
    return record->zxid != self->last.zxid || record->chain != self->last.chain
               ? "a mark of another history"
               : NULL;
}

/*  The data is hashed, too: a chain that is broken no checksum tells, and is the core's affair. */
static int add_to_past (struct log_recovery *self, const struct record *record,
                        const uint8_t *bytes, struct fault *fault)
{
    if (self->past == NULL) {
        return 0;
    }
    struct zab_entry entry = {
        .zxid = record->zxid,
        .stamp_ms = record->stamp_ms,
        .chain = record->chain,
        .data = bytes + RECORD_HEADER_SIZE,
        .size = record->size,
    };
    int rc = zab_past_add (self->past, &entry);
    if (rc == COHORT_ENOMEM) {
        return fault_memory (fault);
    }
    if (rc != 0) {
        zab_past_destroy (&self->past);
        return 0;
    }
    self->chained = record->zxid;
    return 0;
}

static int take (struct log_recovery *self, const struct record *record, const uint8_t *bytes,
                 struct fault *fault)
{
    self->durable = record->durable > self->durable ? record->durable : self->durable;
    self->commit = record->commit > self->commit ? record->commit : self->commit;
    if (record->type != RECORD_ENTRY) {
        return 0;
    }
    self->begun = true;
    self->last = (struct zab_point){.zxid = record->zxid, .chain = record->chain};
    if (record->zxid <= self->log->manifest.base.zxid) {
        return 0;
    }
    uint8_t *at;
    size_t total = record_total (record->size);
    struct chunk *chunk = cache_extend (self->cache, total, &at);
    if (chunk == NULL) {
        return fault_memory (fault);
    }
    memcpy (at, bytes, total);
    cache_commit (self->cache, chunk, total, record->zxid, record->chain);
    cache_evict (self->cache, 0);
    if (record->zxid <= self->watched) {
        self->watched_position = cache_end (self->cache);
    }
    return add_to_past (self, record, bytes, fault);
}

/* ---- One segment ------------------------------------------------------------------------- */

enum ending { ENDING_CLOSED = 1, ENDING_TAIL };

/*  From an entry that cannot be read on, as far as headers tell what there was.  A torn record ends
 *  it, as it ends a log; a record of which nothing is known may have been any number of entries. */
static int look_behind (struct log_recovery *self, struct scan *scan, const struct segment *segment,
                        uint64_t at, struct fault *fault)
{
    struct zab_point last = self->last;
    for (;;) {
        enum seen seen;
        struct record record;
        const uint8_t *bytes;
        int rc = scan_record (scan, at, &seen, &record, &bytes, fault);
        if (rc != 0) {
            return rc;
        }
        if (seen == SEEN_TORN) {
            return 0;
        }
        bool follows = seen != SEEN_DAMAGED && record.type == RECORD_ENTRY &&
                       zxid_follows (record.zxid, last.zxid) && record.previous == last.chain;
        if (!follows) {
            return damaged (self, segment, segment->end, "the checksum is wrong", fault);
        }
        last = (struct zab_point){.zxid = record.zxid, .chain = record.chain};
        self->unreadable = record.zxid;
        at += record_total (record.size);
    }
}

/*  Reads the records of a span.  ENDING_TAIL: it is not closed and ceases at segment->end. */
static int read_span (struct log_recovery *self, struct scan *scan, struct segment *segment,
                      struct span *span, enum ending *ending, struct fault *fault)
{
    uint64_t at = span->start;
    self->entries_end = span->start;
    for (;;) {
        if (span->end != 0 && at >= span->end) {
            if (at > span->end || span->last != self->last.zxid) {
                return damaged (self, segment, at, "it does not end as the manifest says", fault);
            }
            *ending = ENDING_CLOSED;
            return 0;
        }
        enum seen seen;
        struct record record;
        const uint8_t *bytes = NULL;
        int rc = scan_record (scan, at, &seen, &record, &bytes, fault);
        if (rc != 0) {
            return rc;
        }
        if (seen == SEEN_DAMAGED || (seen != SEEN_RECORD && span->end != 0)) {
            return damaged (self, segment, at, "the checksum is wrong", fault);
        }
        if (seen == SEEN_TORN) {
            segment->end = at;
            *ending = ENDING_TAIL;
            return 0;
        }
        const char *wrong = misplaced (self, &record);
        if (wrong != NULL) {
            return damaged (self, segment, at, wrong, fault);
        }
        if (seen == SEEN_UNREADABLE) {
            segment->end = at;
            *ending = ENDING_TAIL;
            return look_behind (self, scan, segment, at, fault);
        }
        rc = take (self, &record, bytes, fault);
        if (rc != 0) {
            return rc;
        }
        if (record.type == RECORD_SEAL) {
            /*  The entries were durable before it was written; marks behind them may be in the
             *  system's cache alone. */
            span->end = self->entries_end;
            span->last = self->last.zxid;
            *ending = ENDING_CLOSED;
            return 0;
        }
        at += record_total (record.size);
        self->entries_end = record.type == RECORD_ENTRY ? at : self->entries_end;
    }
}

/*  What the log was durable through must be there. */
static int check_watermark (const struct log_recovery *self, const struct segment *segment,
                            struct fault *fault)
{
    if (self->durable <= self->last.zxid) {
        return 0;
    }
    char text[32], what[96];
    zxid_text (text, self->durable);
    (void) snprintf (what, sizeof what, "entries up to zxid %s were durable", text);
    return damaged (self, segment, segment->end, what, fault);
}

/*  The segment behind the one that ends: nothing may have been written to it. */
static int check_next (struct log_recovery *self, uint64_t end, struct fault *fault)
{
    struct log *log = self->log;
    struct scan scan;
    scan_init (&scan, log->disk, &log->next);
    struct scan_rest rest = {.last = self->last, .durable = self->durable};
    int rc = scan_rest (&scan, SEGMENT_HEAD_SIZE, &rest, fault);
    scan_deinit (&scan);
    if (rc == 0 && rest.garbage_end > SEGMENT_HEAD_SIZE && !COHORT_MUTATED (next_unchecked)) {
        return damaged (self, &log->current, end, "the log continues in the next segment", fault);
    }
    return rc;
}

/* ---- The tail ---------------------------------------------------------------------------- */

/*  Where to begin writing again: at the first record that no watermark covers, and at the latest
 *  behind the last entry (the marks there, too, may be in the system's cache alone). */
static int find_unproved (struct log_recovery *self, uint64_t *start, struct fault *fault)
{
    struct log *log = self->log;
    *start = self->entries_end;
    size_t index;
    struct chunk *chunk = cache_find (self->cache, self->durable, &index);
    if (chunk == NULL) {
        return 0;
    }
    int rc = cache_load (self->cache, chunk, fault);
    if (rc != 0) {
        return rc;
    }
    chunk = cache_find (self->cache, self->durable, &index);
    const uint8_t *record = cache_record (chunk, index);
    uint64_t offset =
        record_segment (record) == log->current.number ? record_offset (record) : SEGMENT_HEAD_SIZE;
    *start = offset < *start ? offset : *start;
    return 0;
}

/*  The sound records from `at` on, as many as a piece takes but at least one; *size: their bytes.
 *  They are looked at once more, for what a disk gives twice need not be the same. */
static int gather (struct scan *scan, uint64_t at, uint64_t end, struct buf *piece,
                   struct fault *fault)
{
    enum { PIECE = 64 << 10 };
    buf_clear (piece);
    while (at < end && piece->size < PIECE) {
        enum seen seen;
        struct record record;
        const uint8_t *bytes;
        int rc = scan_record (scan, at, &seen, &record, &bytes, fault);
        if (rc != 0) {
            return rc;
        }
        if (seen != SEEN_RECORD) {
            (void) fault_set (fault, COHORT_ECORRUPT,
                              "%s: damaged at offset %" PRIu64 ": the record was sound before",
                              scan->segment->name, at);
            return fault_at (fault, at);
        }
        buf_append (piece, bytes, record_total (record.size));
        at += record_total (record.size);
    }
    return piece->failed ? fault_memory (fault) : 0;
}

/*  Writes the records of [start, end) again. */
static int rewrite_records (struct segment *segment, struct disk *disk, uint64_t start,
                            uint64_t end, struct fault *fault)
{
    struct scan scan;
    struct buf piece;
    int rc = 0;
    scan_init (&scan, disk, segment);
    buf_init (&piece);
    for (uint64_t at = start; at < end && rc == 0; at += piece.size) {
        rc = gather (&scan, at, end, &piece, fault);
        if (rc == 0) {
            rc = segment_write (segment, disk, at, piece.data, piece.size, fault);
        }
    }
    buf_deinit (&piece);
    scan_deinit (&scan);
    return rc;
}

/*  Zeros in [start, end). */
static int write_zeros (struct segment *segment, struct disk *disk, uint64_t start, uint64_t end,
                        struct fault *fault)
{
    static const uint8_t zeros[4096];
    int rc = 0;
    for (uint64_t at = start; at < end && rc == 0; at += sizeof zeros) {
        uint64_t left = end - at;
        size_t size = left < sizeof zeros ? (size_t) left : sizeof zeros;
        rc = segment_write (segment, disk, at, zeros, size, fault);
    }
    return rc;
}

int recover_rewrite (struct segment *segment, struct disk *disk, uint64_t start, uint64_t end,
                     uint64_t stop, struct fault *fault)
{
    if (COHORT_MUTATED (tail_not_rewritten)) {
        return 0;
    }
    int rc = rewrite_records (segment, disk, start, end, fault);
    if (rc == 0) {
        rc = write_zeros (segment, disk, end, stop, fault);
    }
    return rc == 0 && !COHORT_MUTATED (rewrite_unsynced) ? segment_sync (segment, disk, fault) : rc;
}

/*  Zeros behind that, and the file's length, may be in the system's cache alone: they do not count
 * as reserved. */
static int rewrite (struct log_recovery *self, uint64_t start, struct fault *fault)
{
    struct segment *current = &self->log->current;
    uint64_t stop = current->end + record_note_size (current->end);
    stop = self->garbage_end > stop ? self->garbage_end : stop;
    int rc = recover_rewrite (current, self->log->disk, start, current->end, stop, fault);
    current->reserved = current->filled = stop;
    return rc;
}

static int finish_tail (struct log_recovery *self, struct fault *fault)
{
    struct log *log = self->log;
    int rc = check_watermark (self, &log->current, fault);
    if (rc == 0 && self->unreadable != 0 && !COHORT_MUTATED (suspect_is_torn)) {
        self->damage.suspect = self->unreadable;
        rc = damaged (self, &log->current, log->current.end,
                      "an entry cannot be read, and may have been durable", fault);
    }
    uint64_t start;
    if (rc == 0) {
        rc = find_unproved (self, &start, fault);
    }
    if (rc == 0) {
        rc = rewrite (self, start, fault);
    }
    /*  The mark that a fresh segment begins with may be what a power cut has taken. */
    log->unmarked = self->durable < self->last.zxid || log->current.end == SEGMENT_HEAD_SIZE;
    return rc;
}

/* ---- All of it --------------------------------------------------------------------------- */

/*  The span at `i` ceases.  What comes after it must be a segment that waits to be used. */
static int read_tail (struct log_recovery *self, struct scan *scan, size_t i, struct fault *fault)
{
    struct log *log = self->log;
    const struct manifest *manifest = &log->manifest;
    uint64_t end = log->current.end;
    if (log->current.reserved < end + record_note_size (end)) {
        /*  Space is reserved before it is used, and some more. */
        return damaged (self, &log->current, end, "the file has been cut short", fault);
    }
    struct scan_rest rest = {.last = self->last, .durable = self->durable};
    int rc = scan_rest (scan, end, &rest, fault);
    if (rc != 0) {
        return rc;
    }
    self->durable = COHORT_MUTATED (marks_behind_ignored) ? self->durable : rest.durable;
    self->garbage_end = rest.garbage_end;
    if (rest.goes_on) {
        return damaged (self, &log->current, end, "a mark is missing, and the log goes on", fault);
    }
    if (i + 2 < manifest->spans_count) {
        return damaged (self, &log->current, end, "the log continues in other segments", fault);
    }
    if (i + 2 == manifest->spans_count) {
        rc = segment_open (&log->next, log->disk, &log->ids, manifest->spans[i + 1].segment, fault);
        if (rc == 0) {
            rc = check_next (self, end, fault);
        }
    }
    return rc == 0 ? finish_tail (self, fault) : rc;
}

static int read_segment (struct log_recovery *self, size_t i, enum ending *ending,
                         struct fault *fault)
{
    struct log *log = self->log;
    struct span *span = &log->manifest.spans[i];
    self->span = i;
    self->entries_end = 0;
    int rc = segment_open (&log->current, log->disk, &log->ids, span->segment, fault);
    if (rc != 0) {
        return rc;
    }
    struct scan scan;
    scan_init (&scan, log->disk, &log->current);
    rc = read_span (self, &scan, &log->current, span, ending, fault);
    if (rc == 0 && *ending == ENDING_TAIL) {
        rc = read_tail (self, &scan, i, fault);
    }
    scan_deinit (&scan);
    return rc;
}

/*  What of the log can be used.  Entries at or before the base are not needed; so if the damage is
 *  among them, there is none of the others. */
static void note_damage (struct log_recovery *self)
{
    const struct manifest *manifest = &self->log->manifest;
    struct log_damage *damage = &self->damage;
    damage->last = self->cache->last;
    if (self->last.zxid != damage->last.zxid || manifest->spans_count == 0) {
        return; /*  spans: 0 */
    }
    bool begun = self->entries_end > manifest->spans[self->span].start;
    damage->spans = self->span + (begun ? 1 : 0);
    if (damage->spans > 0) {
        damage->end = begun ? self->entries_end : manifest->spans[damage->spans - 1].end;
    }
}

static int read_log (struct log_recovery *self, struct fault *fault)
{
    struct log *log = self->log;
    const struct manifest *manifest = &log->manifest;
    enum ending ending = ENDING_CLOSED;
    for (size_t i = 0; i < manifest->spans_count && ending == ENDING_CLOSED; i++) {
        segment_close (&log->current, log->disk);
        int rc = read_segment (self, i, &ending, fault);
        if (rc != 0) {
            return rc;
        }
        /*  Before a segment is closed it is synced. */
        if (ending == ENDING_CLOSED && self->last.zxid > self->durable) {
            self->durable = self->last.zxid;
        }
    }
    if (manifest->spans_count > 0 && ending == ENDING_CLOSED) {
        return damaged (self, &log->current, log->current.reserved,
                        "the segment to continue in is missing", fault);
    }
    if (self->last.zxid < manifest->base.zxid || self->durable > self->last.zxid) {
        return fault_set (fault, COHORT_ECORRUPT,
                          "%s: it says that more entries were durable than the log holds",
                          NAME_MANIFEST);
    }
    log->last = self->last;
    log->durable = self->last.zxid;
    log->commit = self->commit;
    return 0;
}

int recover_log (struct log_recovery *self, struct fault *fault)
{
    const struct manifest *manifest = &self->log->manifest;
    self->begun = false;
    self->watched_position = COHORT_MUTATED (log_measured_anew) ? self->watched_position : 0;
    self->log->unmarked = false; /*  what an attempt before this one has read does not count */
    self->last = manifest->base;
    self->durable = manifest->durable;
    self->unreadable = 0;
    memset (&self->damage, 0, sizeof self->damage);
    cache_reset (self->cache, manifest->base, 0);
    zab_past_destroy (&self->past);
    self->past = zab_past_new (manifest->base, manifest->base_stamp_ms);
    self->chained = manifest->base.zxid;
    int rc = self->past != NULL ? read_log (self, fault) : fault_memory (fault);
    if (rc == COHORT_ECORRUPT) {
        note_damage (self);
    }
    return rc;
}
