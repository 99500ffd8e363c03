/* server/inspect/inspect.c - what is in a data folder, and whether it is sound */
#include "server/inspect/inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "server/inspect/gather.h"
#include "server/inspect/overlay.h"
#include "server/store/manifest.h"
#include "server/store/segment.h"
#include "server/store/strays.h"

enum { CACHE_BYTES = 1 << 20, ROOM_MIN = 8 };

/* ---- Names of kinds ---------------------------------------------------------------------- */

bool inspect_is_damage (enum inspect_kind kind)
{
    return kind != INSPECT_TORN && kind != INSPECT_STRAY;
}

const char *inspect_kind_name (enum inspect_kind kind)
{
    static const char *const names[] = {
        [INSPECT_TORN] = "torn-tail",        [INSPECT_STRAY] = "left-over",
        [INSPECT_CORRUPTION] = "corruption", [INSPECT_SUSPECT] = "suspect",
        [INSPECT_MARKED] = "not-healed",     [INSPECT_FOREIGN] = "foreign",
        [INSPECT_UNFINISHED] = "unfinished"};
    return names[kind];
}

const char *inspect_ending_name (enum inspect_ending ending)
{
    static const char *const names[] = {
        [INSPECT_SEALED] = "sealed",  [INSPECT_CUT] = "truncated",
        [INSPECT_OPEN] = "open",      [INSPECT_WAITING] = "waiting",
        [INSPECT_BROKEN] = "damaged", [INSPECT_UNLISTED] = "unlisted"};
    return names[ending];
}

bool inspect_parse_zxid (const char *text, zxid_t *zxid)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long first = strtoull (text, &end, strncmp (text, "0x", 2) == 0 ? 16 : 10);
    if (errno != 0) {
        return false;
    }
    if (*end == '\0' && strncmp (text, "0x", 2) == 0) {
        *zxid = first;
        return first <= INT64_MAX;
    }
    if (*end != '.' || end[1] < '0' || end[1] > '9' || first > ZXID_EPOCH_MAX) {
        return false;
    }
    unsigned long long second = strtoull (end + 1, &end, 10);
    *zxid = zxid_make ((uint32_t) first, second);
    return errno == 0 && *end == '\0' && second <= ZXID_COUNTER_MAX;
}

/* ---- Arrays ------------------------------------------------------------------------------ */

void *gather_grow (struct gathering *self, void **items, size_t *count, size_t size)
{
    /* Room is doubled at each power of two from ROOM_MIN on. */
    size_t n = *count;
    if (n == 0 || (n >= ROOM_MIN && (n & (n - 1)) == 0)) {
        void *moved = mem_realloc (*items, (n < ROOM_MIN ? ROOM_MIN : n * 2) * size);
        if (moved == NULL) {
            self->failed = true;
            return NULL;
        }
        *items = moved;
    }
    uint8_t *item = (uint8_t *) *items + n * size;
    memset (item, 0, size);
    (*count)++;
    return item;
}

void gather_text (char *to, size_t size, const char *from)
{
    (void) snprintf (to, size, "%s", from);
}

struct inspect_finding *gather_find (struct gathering *self, enum inspect_kind kind,
                                     const char *file, const char *what)
{
    struct inspect_report *report = self->report;
    struct inspect_finding *finding =
        gather_grow (self, (void **) &report->findings, &report->findings_count, sizeof *finding);
    if (finding != NULL) {
        finding->kind = kind;
        gather_text (finding->file, sizeof finding->file, file);
        gather_text (finding->what, sizeof finding->what, what);
    }
    return finding;
}

/* The texts of the store say: "FILE: damaged at offset N, after zxid Z: WHAT", "FILE: damaged:
 * WHAT" or "FILE: WHAT". */
struct inspect_finding *gather_fault (struct gathering *self, const struct fault *fault)
{
    char file[INSPECT_NAME_SIZE];
    const char *what = strstr (fault->text, ": ");
    size_t size = what != NULL ? (size_t) (what - fault->text) : 0;
    size = size < sizeof file ? size : sizeof file - 1;
    memcpy (file, fault->text, size);
    file[size] = '\0';
    what = what != NULL ? what + 2 : fault->text;
    if (strncmp (what, "damaged", 7) == 0 && strstr (what, ": ") != NULL) {
        what = strstr (what, ": ") + 2;
    }
    struct inspect_finding *finding = gather_find (
        self, fault->code == COHORT_ECONFIG ? INSPECT_FOREIGN : INSPECT_CORRUPTION, file, what);
    if (finding != NULL) {
        finding->offset = fault->offset;
    }
    return finding;
}

void gather_progress (struct gathering *self, const char *file, uint64_t bytes)
{
    self->done += bytes;
    if (self->options->progress != NULL) {
        self->options->progress (self->options->progress_arg, file,
                                 self->done < self->total ? self->done : self->total, self->total);
    }
}

/* ---- Names and sizes --------------------------------------------------------------------- */

/* 0 also for what cannot be opened: whoever needs it will say so. */
static uint64_t size_of (struct gathering *self, const char *name)
{
    struct disk *disk = self->options->disk;
    struct disk_file *file;
    uint64_t size = 0;
    int rc = disk->ops->open (disk, name, false, &file);
    if (rc == 0) {
        rc = disk->ops->size (file, &size);
        disk->ops->close (file);
    }
    self->failed |= rc == -ENOMEM;
    return rc == 0 ? size : 0;
}

static void collect (void *arg, const char *name)
{
    struct gathering *self = arg;
    struct inspect_report *report = self->report;
    uint32_t number;
    zxid_t zxid;
    uint64_t serial;
    if (name_is_segment (name, &number)) {
        struct inspect_segment *segment = gather_grow (self, (void **) &report->segments,
                                                       &report->segments_count, sizeof *segment);
        if (segment != NULL) {
            segment->span = (struct span){.segment = number, .start = SEGMENT_HEAD_SIZE};
            segment->ending = INSPECT_UNLISTED;
        }
    } else if (name_is_snapshot (name, &zxid, &serial)) {
        struct inspect_snapshot *snapshot = gather_grow (
            self, (void **) &report->snapshots, &report->snapshots_count, sizeof *snapshot);
        if (snapshot != NULL) {
            gather_text (snapshot->name, sizeof snapshot->name, name);
            snapshot->entry.point.zxid = zxid;
            snapshot->entry.serial = serial;
        }
    } else if (strncmp (name, "meta.", 5) != 0 && strcmp (name, NAME_MANIFEST) != 0) {
        struct inspect_file *file =
            gather_grow (self, (void **) &report->files, &report->files_count, sizeof *file);
        if (file != NULL) {
            gather_text (file->name, sizeof file->name, name);
            bool left =
                strcmp (name, NAME_MANIFEST_NEW) == 0 || strcmp (name, NAME_SNAPSHOT_NEW) == 0;
            file->kind = left                            ? INSPECT_LEFT_OVER
                         : name_is_aside (name, &number) ? INSPECT_ASIDE
                                                         : INSPECT_OTHER;
        }
    }
}

static int by_segment (const void *a, const void *b)
{
    uint32_t x = ((const struct inspect_segment *) a)->span.segment;
    uint32_t y = ((const struct inspect_segment *) b)->span.segment;
    return x < y ? -1 : x > y;
}

static int by_zxid (const void *a, const void *b)
{
    const struct snapshot_entry *x = &((const struct inspect_snapshot *) a)->entry;
    const struct snapshot_entry *y = &((const struct inspect_snapshot *) b)->entry;
    if (x->point.zxid != y->point.zxid) {
        return x->point.zxid < y->point.zxid ? -1 : 1;
    }
    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static int by_name (const void *a, const void *b)
{
    return strcmp (((const struct inspect_file *) a)->name,
                   ((const struct inspect_file *) b)->name);
}

static void sort (struct inspect_report *report)
{
    if (report->segments_count > 0) {
        qsort (report->segments, report->segments_count, sizeof *report->segments, by_segment);
    }
    if (report->snapshots_count > 0) {
        qsort (report->snapshots, report->snapshots_count, sizeof *report->snapshots, by_zxid);
    }
    if (report->files_count > 0) {
        qsort (report->files, report->files_count, sizeof *report->files, by_name);
    }
}

/* ---- Metadata and manifest --------------------------------------------------------------- */

static int read_copy (struct gathering *self, struct inspect_copy *copy, struct fault *fault)
{
    struct disk *disk = self->options->disk;
    struct disk_file *file;
    uint8_t bytes[META_SIZE];
    size_t done = 0;
    int rc = disk->ops->open (disk, copy->name, false, &file);
    if (rc == -ENOENT) {
        copy->code = COHORT_ENONODE;
        return 0;
    }
    if (rc != 0) {
        return fault_final (fault, copy->name, "open", rc);
    }
    rc = disk->ops->read (file, 0, bytes, sizeof bytes, &done);
    disk->ops->close (file);
    if (rc != 0 && rc != -EIO) {
        return fault_final (fault, copy->name, "read", rc);
    }
    enum format_verdict verdict =
        rc == -EIO ? FORMAT_DAMAGED : meta_decode (bytes, done, &copy->number, &copy->meta);
    copy->code = verdict == FORMAT_OK        ? 0
                 : verdict == FORMAT_DAMAGED ? COHORT_ECORRUPT
                                             : COHORT_ECONFIG;
    return 0;
}

static void count_voters (struct inspect_report *report)
{
    for (size_t i = 0; i < report->meta->config.count; i++) {
        report->voters += report->meta->config.members[i].role == CONFIG_VOTER;
    }
    report->healable = report->voters > 1;
}

static void judge_copies (struct gathering *self, bool store_there)
{
    struct inspect_report *report = self->report;
    for (size_t i = 0; i < 2; i++) {
        const struct inspect_copy *copy = &report->copies[i];
        if (copy->code == 0 || (copy->code == COHORT_ENONODE && !store_there)) {
            continue;
        }
        struct inspect_finding *finding = gather_find (
            self, copy->code == COHORT_ECONFIG ? INSPECT_FOREIGN : INSPECT_CORRUPTION, copy->name,
            copy->code == COHORT_ENONODE    ? "missing"
            : copy->code == COHORT_ECORRUPT ? "the checksum is wrong"
                                            : "written by another version of Cohort");
        if (finding != NULL && report->meta != NULL && copy->code != COHORT_ECONFIG) {
            finding->then = "the other copy holds; a start writes this one again";
        }
    }
    if (report->meta != NULL && report->meta->condemned) {
        struct inspect_finding *finding =
            gather_find (self, INSPECT_MARKED, "meta.0",
                         "condemned: other servers have found that the state which this folder "
                         "makes is wrong");
        if (finding != NULL) {
            finding->then = "a start uses nothing of its history";
        }
    }
    if (report->meta != NULL && report->meta->trust != ZAB_WHOLE) {
        struct inspect_finding *finding =
            gather_find (self, INSPECT_MARKED, "meta.0",
                         report->meta->trust == ZAB_DAMAGED
                             ? "marked damaged: an earlier start has set aside what it could not "
                               "read, and the leader has not given it back yet"
                             : "marked suspect: entries at the end of the log cannot be read");
        if (finding != NULL) {
            finding->then = "the mark goes when the server holds its leader's history";
        }
    }
}

static int read_metadata (struct gathering *self, struct fault *fault)
{
    static const char *const names[2] = {"meta.0", "meta.1"};
    struct inspect_report *report = self->report;
    for (size_t i = 0; i < 2; i++) {
        struct inspect_copy *copy = &report->copies[i];
        copy->name = names[i];
        int rc = read_copy (self, copy, fault);
        if (rc != 0) {
            return rc;
        }
        if (copy->code == 0 && (report->meta == NULL || copy->number > report->copies[0].number)) {
            report->meta = &copy->meta;
        }
    }
    if (report->meta != NULL) {
        const struct store_meta *meta = report->meta;
        report->ids = (struct file_ids){.server_id = meta->server_id, .store_id = meta->store_id};
        memcpy (report->ids.cluster_id, meta->cluster_id, sizeof meta->cluster_id);
        count_voters (report);
    }
    return 0;
}

static int read_manifest (struct gathering *self, bool history, struct fault *fault)
{
    struct inspect_report *report = self->report;
    struct file_ids ids;
    bool found;
    int rc = manifest_read (&report->manifest, self->options->disk, &ids, &found, fault);
    if (rc == 0 && found && report->meta != NULL && !ids_match (&report->ids, &ids)) {
        rc = fault_set (fault, COHORT_ECONFIG, "%s: belongs to another server, store or cluster",
                        NAME_MANIFEST);
    } else if (rc == 0 && found && report->meta == NULL) {
        report->ids = ids;
    }
    if (rc != 0) {
        manifest_deinit (&report->manifest);
    }
    if (rc == 0 && !found) {
        report->manifest_code = COHORT_ENONODE;
        if (history) {
            (void) gather_find (self, INSPECT_CORRUPTION, NAME_MANIFEST, "missing");
        }
        return 0;
    }
    if (rc == COHORT_ECORRUPT || rc == COHORT_ECONFIG) {
        (void) gather_fault (self, fault);
        report->manifest_code = rc;
        return 0;
    }
    return rc;
}

/* Whose files these are is in the head of each. */
static void find_ids (struct gathering *self)
{
    struct inspect_report *report = self->report;
    struct disk *disk = self->options->disk;
    for (size_t i = 0; i < report->segments_count && report->ids.store_id == 0; i++) {
        char name[NAME_SIZE];
        uint8_t bytes[HEAD_SIZE];
        struct disk_file *file;
        struct file_head head;
        struct reader payload;
        size_t done = 0;
        name_segment (name, report->segments[i].span.segment);
        int rc = disk->ops->open (disk, name, false, &file);
        self->failed |= rc == -ENOMEM;
        if (rc != 0) {
            continue;
        }
        if (disk->ops->read (file, 0, bytes, sizeof bytes, &done) == 0 &&
            head_decode (bytes, done, FILE_LOG, &head, &payload) == FORMAT_OK) {
            report->ids = head.ids;
        }
        disk->ops->close (file);
    }
}

/* ---- What the manifest lists ------------------------------------------------------------- */

static struct inspect_segment *segment_of (struct gathering *self, uint32_t number)
{
    struct inspect_report *report = self->report;
    for (size_t i = 0; i < report->segments_count; i++) {
        if (report->segments[i].span.segment == number) {
            return &report->segments[i];
        }
    }
    return gather_grow (self, (void **) &report->segments, &report->segments_count,
                        sizeof *report->segments);
}

static struct inspect_snapshot *snapshot_of (struct gathering *self, const char *name)
{
    struct inspect_report *report = self->report;
    for (size_t i = 0; i < report->snapshots_count; i++) {
        if (strcmp (report->snapshots[i].name, name) == 0) {
            return &report->snapshots[i];
        }
    }
    struct inspect_snapshot *snapshot = gather_grow (self, (void **) &report->snapshots,
                                                     &report->snapshots_count, sizeof *snapshot);
    if (snapshot != NULL) {
        gather_text (snapshot->name, sizeof snapshot->name, name);
    }
    return snapshot;
}

static void list (struct gathering *self)
{
    const struct manifest *manifest = &self->report->manifest;
    for (size_t i = 0; i < manifest->spans_count; i++) {
        struct inspect_segment *segment = segment_of (self, manifest->spans[i].segment);
        if (segment != NULL) {
            segment->span = manifest->spans[i];
            segment->ending = INSPECT_OPEN;
        }
    }
    for (size_t i = 0; i < manifest->snapshots_count; i++) {
        const struct snapshot_entry *entry = &manifest->snapshots[i];
        char name[NAME_SIZE];
        name_snapshot (name, entry->point.zxid, entry->serial);
        struct inspect_snapshot *snapshot = snapshot_of (self, name);
        if (snapshot != NULL) {
            snapshot->entry = *entry;
            snapshot->listed = true;
        }
    }
}

static void measure (struct gathering *self)
{
    struct inspect_report *report = self->report;
    for (size_t i = 0; i < report->segments_count; i++) {
        char name[NAME_SIZE];
        name_segment (name, report->segments[i].span.segment);
        report->segments[i].file_size = size_of (self, name);
        self->total += report->segments[i].file_size;
    }
    for (size_t i = 0; i < report->snapshots_count; i++) {
        self->total += size_of (self, report->snapshots[i].name);
    }
    for (size_t i = 0; i < report->files_count; i++) {
        report->files[i].size = size_of (self, report->files[i].name);
    }
}

/* ---- All of it --------------------------------------------------------------------------- */

static int find_outcome (struct gathering *self, struct fault *fault)
{
    struct inspect_report *report = self->report;
    struct inspect_outcome *outcome = &report->outcome;
    struct store_options options = {
        .server_id = report->ids.server_id,
        .store_id = 1, /* of a store that would be made anew: a server draws one */
        .cache_bytes = CACHE_BYTES,
        .repair = report->healable,
    };
    int error = overlay_new (self->options->disk, &options.disk);
    if (error != 0) {
        return fault_final (fault, "the folder", "list", error);
    }
    struct store *store;
    outcome->code = store_open (&options, &store, outcome->text, sizeof outcome->text);
    if (outcome->code != 0) {
        return outcome->code == COHORT_ENOMEM ? fault_memory (fault) : 0;
    }
    struct zab_point base;
    int64_t stamp_ms;
    struct store_snapshot_info newest = {.size = 0};
    const struct store_meta *meta = store_meta (store);
    gather_text (outcome->text, sizeof outcome->text, store_damage (store));
    store_base (store, &base, &stamp_ms);
    outcome->store_id = meta->store_id;
    outcome->trust = meta->trust;
    outcome->suspect = meta->suspect;
    outcome->base = base.zxid;
    outcome->last = store_last (store);
    outcome->committed = store_committed (store);
    outcome->snapshot = store_snapshot_newest (store, &newest) ? newest.point.zxid : 0;
    store_close (&store);
    return 0;
}

/* Whatever else is there, it is half of something: so it comes before all other damage. */
static void note_restoring (struct gathering *self)
{
    const struct inspect_report *report = self->report;
    for (size_t i = 0; i < report->files_count; i++) {
        if (strcmp (report->files[i].name, NAME_RESTORING) == 0) {
            struct inspect_finding *finding =
                gather_find (self, INSPECT_UNFINISHED, NAME_RESTORING,
                             "cohort snapshot restore did not get to its end here");
            if (finding != NULL) {
                finding->then = "no server starts here: remove what it has made, and restore again";
            }
        }
    }
}

static void note_left_over (struct gathering *self, const char *name)
{
    struct inspect_finding *finding = gather_find (
        self, INSPECT_STRAY, name, "an interruption has left it; nothing refers to it");
    if (finding != NULL) {
        finding->then = "a start removes it";
    }
}

static void note_unnamed (struct gathering *self, const char *name, zxid_t last)
{
    char what[STRAY_TEXT_SIZE];
    stray_text (what, last);
    struct inspect_finding *finding = gather_find (self, INSPECT_CORRUPTION, name, what);
    if (finding != NULL) {
        finding->then = "a start sets it aside";
    }
}

/* Before the log: what an older manifest does not name is the reason of what is wrong there. */
static int note_stray_segments (struct gathering *self, bool *unnamed, struct fault *fault)
{
    struct inspect_report *report = self->report;
    int rc = 0;
    for (size_t i = 0; i < report->segments_count && report->manifest_code == 0 && rc == 0; i++) {
        const struct inspect_segment *segment = &report->segments[i];
        struct stray stray;
        char name[NAME_SIZE];
        if (segment->ending != INSPECT_UNLISTED) {
            continue;
        }
        name_segment (name, segment->span.segment);
        rc = stray_segment (self->options->disk, &report->ids, &report->manifest,
                            segment->span.segment, &stray, fault);
        if (rc == 0 && stray.acknowledged) {
            note_unnamed (self, name, stray.last);
            *unnamed = true;
        } else if (rc == 0) {
            note_left_over (self, name);
        }
    }
    return rc;
}

/* What is left where the log is damaged. */
static zxid_t kept_through (const struct inspect_report *report)
{
    zxid_t last = report->log_last;
    for (size_t i = 0; i < report->snapshots_count; i++) {
        const struct inspect_snapshot *snapshot = &report->snapshots[i];
        zxid_t zxid = snapshot->entry.point.zxid;
        last = snapshot->listed && snapshot->code == 0 && zxid > last ? zxid : last;
    }
    return last;
}

static void note_strays (struct gathering *self, bool unnamed, bool log_damaged)
{
    struct inspect_report *report = self->report;
    zxid_t kept = unnamed ? 0 : log_damaged ? kept_through (report) : UINT64_MAX;
    for (size_t i = 0; i < report->snapshots_count && report->manifest_code == 0; i++) {
        const struct inspect_snapshot *snapshot = &report->snapshots[i];
        zxid_t zxid = snapshot->entry.point.zxid;
        if (snapshot->listed) {
            continue;
        }
        if (zxid > kept) {
            note_unnamed (self, snapshot->name, zxid);
        } else {
            note_left_over (self, snapshot->name);
        }
    }
    for (size_t i = 0; i < report->files_count; i++) {
        if (report->files[i].kind == INSPECT_LEFT_OVER) {
            note_left_over (self, report->files[i].name);
        }
    }
}

static size_t count_damages (const struct inspect_report *report)
{
    size_t count = 0;
    for (size_t i = 0; i < report->findings_count; i++) {
        count += inspect_is_damage (report->findings[i].kind);
    }
    return count;
}

static void put_damage_first (struct inspect_report *report)
{
    for (size_t i = 0; i < report->findings_count; i++) {
        if (!inspect_is_damage (report->findings[i].kind)) {
            continue;
        }
        struct inspect_finding found = report->findings[i];
        size_t to = report->damages_count++;
        memmove (&report->findings[to + 1], &report->findings[to],
                 (i - to) * sizeof *report->findings);
        report->findings[to] = found;
    }
}

static bool has_history (const struct inspect_report *report)
{
    bool aside = false;
    for (size_t i = 0; i < report->files_count; i++) {
        aside |= report->files[i].kind == INSPECT_ASIDE;
    }
    return aside || report->segments_count > 0 || report->snapshots_count > 0;
}

static int gather (struct gathering *self, struct fault *fault)
{
    struct inspect_report *report = self->report;
    struct disk *disk = self->options->disk;
    int error = disk->ops->list (disk, collect, self);
    if (error != 0) {
        return fault_final (fault, "the folder", "list", error);
    }
    note_restoring (self);
    bool history = has_history (report), unnamed = false;
    size_t before = 0;
    int rc = read_metadata (self, fault);
    bool promised =
        report->meta != NULL && (report->meta->bootstrapped || report->meta->accepted_epoch > 0);
    if (rc == 0) {
        judge_copies (self, history || promised || size_of (self, NAME_MANIFEST) > 0);
        rc = read_manifest (self, history || promised, fault);
    }
    if (rc == 0) {
        find_ids (self);
        list (self);
        sort (report);
        measure (self);
        rc = note_stray_segments (self, &unnamed, fault);
    }
    if (rc == 0) {
        rc = gather_snapshots (self, fault);
    }
    if (rc == 0) {
        before = count_damages (report);
        rc = gather_log (self, fault);
    }
    if (rc == 0) {
        note_strays (self, unnamed, count_damages (report) > before);
        put_damage_first (report);
        rc = find_outcome (self, fault);
    }
    return rc == 0 && self->failed ? fault_memory (fault) : rc;
}

int inspect_run (const struct inspect_options *options, struct inspect_report *report,
                 struct fault *fault)
{
    *report = (struct inspect_report){.voters = 0};
    struct gathering self = {.options = options, .report = report};
    return gather (&self, fault);
}

void inspect_deinit (struct inspect_report *report)
{
    manifest_deinit (&report->manifest);
    mem_free (report->segments);
    mem_free (report->snapshots);
    mem_free (report->files);
    mem_free (report->findings);
    *report = (struct inspect_report){.voters = 0};
}
