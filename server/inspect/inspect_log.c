/* server/inspect/inspect_log.c - the segments of a log, one by one, and the log as recovery reads
 * it
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/core/zab.h"
#include "server/inspect/gather.h"
#include "server/inspect/overlay.h"
#include "server/store/recovery.h"
#include "server/store/scan.h"

enum { CACHE_BYTES = 1 << 20, SEGMENT_BYTES = 64 << 20 };

/* ---- Records of one segment -------------------------------------------------------------- */

struct walk {
    struct disk *disk;
    struct segment file;
    struct scan scan;
    struct zab_point last; /* zxid 0: none yet */
    inspect_record_fn *fn;
    void *arg;
    uint64_t end;
    bool sealed;
    bool failed; /* memory */
};

static int walk_open (struct walk *self, struct disk *disk, const struct file_ids *ids,
                      const struct span *span, struct fault *fault)
{
    *self = (struct walk){.disk = disk, .end = span->start};
    int rc = segment_open (&self->file, disk, ids, span->segment, fault);
    if (rc == 0) {
        scan_init (&self->scan, disk, &self->file);
    }
    return rc;
}

static void walk_close (struct walk *self)
{
    scan_deinit (&self->scan);
    segment_close (&self->file, self->disk);
}

static bool walk_follows (const struct walk *self, const struct record *record)
{
    if (self->last.zxid == 0) {
        return true;
    }
    if (record->type != RECORD_ENTRY) {
        return record->zxid == self->last.zxid && record->chain == self->last.chain;
    }
    return zxid_follows (record->zxid, self->last.zxid) && record->previous == self->last.chain;
}

/* From `end` on as far as one record follows the other. */
static int walk_run (struct walk *self, const struct span *span, struct fault *fault)
{
    while (!self->sealed && (span->end == 0 || self->end < span->end)) {
        enum seen seen;
        struct record record;
        const uint8_t *bytes = NULL;
        int rc = scan_record (&self->scan, self->end, &seen, &record, &bytes, fault);
        if (rc != 0) {
            return rc;
        }
        if (seen != SEEN_RECORD || !walk_follows (self, &record)) {
            return 0;
        }
        struct inspect_record found = {.record = &record, .data = bytes + RECORD_HEADER_SIZE};
        if (!self->fn (self->arg, &found)) {
            return 0;
        }
        if (record.type == RECORD_ENTRY) {
            self->last = (struct zab_point){.zxid = record.zxid, .chain = record.chain};
        }
        self->sealed = record.type == RECORD_SEAL;
        self->end += record_total (record.size);
    }
    return 0;
}

int inspect_records (struct disk *disk, const struct file_ids *ids,
                     const struct inspect_segment *segment, inspect_record_fn *fn, void *arg,
                     struct fault *fault)
{
    struct walk walk;
    int rc = walk_open (&walk, disk, ids, &segment->span, fault);
    if (rc == 0) {
        walk.fn = fn;
        walk.arg = arg;
        rc = walk_run (&walk, &segment->span, fault);
        walk_close (&walk);
    }
    return rc == COHORT_ECORRUPT || rc == COHORT_ECONFIG ? 0 : rc;
}

static bool count_record (void *arg, const struct inspect_record *found)
{
    struct inspect_segment *segment = arg;
    const struct record *record = found->record;
    segment->records++;
    if (record->type == RECORD_ENTRY) {
        segment->entries++;
        segment->first = segment->first == 0 ? record->zxid : segment->first;
        segment->last = record->zxid;
    }
    segment->durable = record->durable > segment->durable ? record->durable : segment->durable;
    segment->commit = record->commit > segment->commit ? record->commit : segment->commit;
    return true;
}

/* ---- What lies behind -------------------------------------------------------------------- */

/* The header that begins here, if there is one. */
static bool header_at (struct walk *self, uint64_t offset, struct record *record)
{
    struct fault fault;
    const uint8_t *at = scan_at (&self->scan, offset, RECORD_HEADER_SIZE, &fault);
    self->failed |= at == NULL && fault.code == COHORT_ENOMEM;
    return at != NULL && record_decode (at, self->file.salt, record) && record->offset == offset &&
           record->segment == self->file.number;
}

/* Entries behind the end whose headers are still sound: how many there are is told, no more. */
static void count_lost (struct walk *self, struct inspect_segment *segment)
{
    uint64_t stop = segment->end + segment->behind;
    for (uint64_t at = segment->end; at < stop;) {
        struct record record;
        if (!header_at (self, at, &record)) {
            at += RECORD_ALIGN;
            continue;
        }
        if (record.type == RECORD_ENTRY) {
            segment->lost++;
            segment->lost_last =
                record.zxid > segment->lost_last ? record.zxid : segment->lost_last;
        }
        at += record_total (record.size);
    }
}

static bool is_seal (struct walk *self)
{
    /* A mark that fills the sector may come first. */
    struct record record;
    uint64_t at = self->end;
    while (header_at (self, at, &record) && record.type == RECORD_MARK) {
        at += record_total (record.size);
    }
    return header_at (self, at, &record) && record.type == RECORD_SEAL;
}

static int look_behind (struct walk *self, struct inspect_segment *segment, struct fault *fault)
{
    struct scan_rest rest = {.last = {.zxid = segment->last}, .garbage_end = segment->end};
    int rc = scan_rest (&self->scan, segment->end, &rest, fault);
    if (rc != 0 && rc != COHORT_ECORRUPT) {
        return rc;
    }
    segment->durable = rest.durable > segment->durable ? rest.durable : segment->durable;
    segment->behind = rc == 0 ? rest.garbage_end - segment->end : self->scan.size - segment->end;
    segment->spare = segment->file_size > segment->end + segment->behind
                         ? segment->file_size - segment->end - segment->behind
                         : 0;
    if (segment->ending != INSPECT_SEALED && segment->ending != INSPECT_CUT) {
        count_lost (self, segment);
    }
    return 0;
}

static int note_code (struct inspect_segment *segment, int rc, const struct fault *fault)
{
    if (rc != COHORT_ECORRUPT && rc != COHORT_ECONFIG) {
        return rc;
    }
    segment->code = rc;
    segment->ending = segment->ending == INSPECT_UNLISTED ? INSPECT_UNLISTED : INSPECT_BROKEN;
    (void) snprintf (segment->text, sizeof segment->text, "%s", fault->text);
    return 0;
}

static int read_segment (struct gathering *self, struct inspect_segment *segment,
                         struct fault *fault)
{
    const struct inspect_report *report = self->report;
    struct walk walk;
    bool listed = segment->ending != INSPECT_UNLISTED;
    segment->end = segment->span.start;
    int rc = walk_open (&walk, self->options->disk, &report->ids, &segment->span, fault);
    if (rc != 0) {
        return note_code (segment, rc, fault);
    }
    segment->file_size = walk.file.reserved;
    walk.fn = count_record;
    walk.arg = segment;
    rc = note_code (segment, walk_run (&walk, &segment->span, fault), fault);
    segment->end = walk.end;
    if (listed && segment->code == 0) {
        bool cut = segment->span.end != 0;
        segment->ending = cut && walk.end != segment->span.end      ? INSPECT_BROKEN
                          : walk.sealed || (cut && is_seal (&walk)) ? INSPECT_SEALED
                          : cut                                     ? INSPECT_CUT
                                                                    : INSPECT_OPEN;
    }
    if (rc == 0) {
        rc = look_behind (&walk, segment, fault);
    }
    walk_close (&walk);
    return rc == 0 && walk.failed ? fault_memory (fault) : rc;
}

/* ---- The log ----------------------------------------------------------------------------- */

/* The damage is in one of the segments; behind it, what they hold is of no use alone. */
static void mark_broken (struct inspect_report *report, const char *file)
{
    for (size_t i = 0; i < report->segments_count; i++) {
        char name[NAME_SIZE];
        name_segment (name, report->segments[i].span.segment);
        if (strcmp (name, file) == 0) {
            report->segments[i].ending = INSPECT_BROKEN;
        }
    }
}

static void note_tail (struct gathering *self, const struct log_recovery *found)
{
    const struct segment *current = &found->log->current;
    if (current->file == NULL || found->garbage_end <= current->end) {
        return;
    }
    char what[INSPECT_TEXT_SIZE];
    (void) snprintf (what, sizeof what,
                     "a torn tail: %" PRIu64 " bytes that were never durable, and so never "
                     "acknowledged",
                     found->garbage_end - current->end);
    struct inspect_finding *finding = gather_find (self, INSPECT_TORN, current->name, what);
    if (finding != NULL) {
        finding->offset = current->end;
        finding->has_zxid = true;
        finding->zxid = found->last.zxid;
        finding->then = "a start fills it with zeros";
    }
}

static void note_damage (struct gathering *self, const struct log_recovery *found,
                         const struct fault *fault)
{
    struct inspect_finding *finding = gather_fault (self, fault);
    if (finding == NULL) {
        return;
    }
    finding->has_zxid = true;
    finding->zxid = found->last.zxid;
    if (found->damage.suspect != 0) {
        finding->kind = INSPECT_SUSPECT;
    }
    mark_broken (self->report, finding->file);
}

/* Recovery reads the log, and what it writes stays in memory. */
static int recover (struct gathering *self, struct disk *disk, struct fault *fault)
{
    struct inspect_report *report = self->report;
    struct log log;
    struct cache cache;
    log_init (&log, disk, SEGMENT_BYTES);
    cache_init (&cache, disk, CACHE_BYTES);
    log.ids = cache.ids = report->ids;
    struct log_recovery found = {.log = &log, .cache = &cache};
    int rc = manifest_copy (&log.manifest, &report->manifest) ? recover_log (&found, fault)
                                                              : fault_memory (fault);
    report->has_log = rc == 0 || rc == COHORT_ECORRUPT;
    report->log_last = found.last.zxid;
    report->log_durable = rc == 0 ? found.last.zxid : found.durable;
    for (size_t i = 0; i < report->segments_count && rc != 0; i++) {
        const struct inspect_segment *segment = &report->segments[i];
        bool listed = segment->ending != INSPECT_UNLISTED;
        report->log_durable = listed && segment->durable > report->log_durable
                                  ? segment->durable
                                  : report->log_durable;
    }
    report->log_committed = found.commit < found.last.zxid ? found.commit : found.last.zxid;
    if (rc == 0) {
        note_tail (self, &found);
    } else if (rc == COHORT_ECORRUPT || rc == COHORT_ECONFIG) {
        note_damage (self, &found, fault);
        rc = 0;
    }
    zab_past_destroy (&found.past);
    cache_deinit (&cache);
    log_deinit (&log);
    return rc;
}

/* Behind an open segment there may be one that waits for its turn. */
static void find_waiting (struct inspect_report *report)
{
    for (size_t i = 1; i < report->segments_count; i++) {
        struct inspect_segment *segment = &report->segments[i];
        if (segment->ending == INSPECT_OPEN && segment->records == 0 && segment->behind == 0 &&
            report->segments[i - 1].ending == INSPECT_OPEN) {
            segment->ending = INSPECT_WAITING;
        }
    }
}

int gather_log (struct gathering *self, struct fault *fault)
{
    struct inspect_report *report = self->report;
    for (size_t i = 0; i < report->segments_count; i++) {
        struct inspect_segment *segment = &report->segments[i];
        int rc = read_segment (self, segment, fault);
        if (rc != 0) {
            return rc;
        }
        char name[NAME_SIZE];
        name_segment (name, segment->span.segment);
        gather_progress (self, name, segment->file_size);
    }
    find_waiting (report);
    if (report->meta == NULL || report->manifest_code != 0) {
        return 0;
    }
    struct disk *disk;
    int error = overlay_new (self->options->disk, &disk);
    if (error != 0) {
        return fault_final (fault, "the folder", "list", error);
    }
    int rc = recover (self, disk, fault);
    disk->ops->destroy (disk);
    return rc;
}
