/* server/inspect/print_text.c - a report for people */
#include <inttypes.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/buf.h"
#include "client/cli/output.h"
#include "cohort/error.h"
#include "server/inspect/print.h"

enum { CELL_SIZE = 256, DURABLE_WIDTH = 12 };

/* "16.0 KiB": columns of digits are hard to compare. */
static void size_text (uint64_t size, char text[CELL_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double) size;
    size_t unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    (void) snprintf (text, CELL_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* ---- Tables ------------------------------------------------------------------------------ */

struct table {
    char *cells; /* CELL_SIZE each */
    size_t columns, count, room;
    bool failed;
};

static void put (struct table *self, const char *text)
{
    if (self->count == self->room) {
        size_t room = self->room * 2 + 64;
        char *cells = mem_realloc (self->cells, room * CELL_SIZE);
        if (cells == NULL) {
            self->failed = true;
            return;
        }
        self->cells = cells;
        self->room = room;
    }
    (void) snprintf (self->cells + self->count++ * CELL_SIZE, CELL_SIZE, "%s", text);
}

static void put_number (struct table *self, uint64_t number)
{
    char text[CELL_SIZE];
    (void) snprintf (text, sizeof text, "%" PRIu64, number);
    put (self, text);
}

static void put_size (struct table *self, uint64_t size)
{
    char text[CELL_SIZE];
    size_text (size, text);
    put (self, text);
}

static void put_zxid (struct table *self, zxid_t zxid)
{
    char text[PRINT_TEXT_SIZE];
    put (self, print_zxid (zxid, text));
}

static void head (struct table *self, const char *const *names, size_t count)
{
    *self = (struct table){.columns = count};
    for (size_t i = 0; i < count; i++) {
        put (self, names[i]);
    }
}

/* Prints and releases it; false: out of memory. */
static bool finish (struct table *self, FILE *stream)
{
    const char **cells = self->failed ? NULL : mem_calloc (self->count, sizeof *cells);
    bool ok = cells != NULL;
    for (size_t i = 0; ok && i < self->count; i++) {
        cells[i] = self->cells + i * CELL_SIZE;
    }
    if (ok) {
        output_table (stream, cells, self->count / self->columns, self->columns);
    }
    mem_free (cells);
    mem_free (self->cells);
    return ok;
}

#define HEAD(table, names) head (table, names, sizeof (names) / sizeof *(names))

/* ---- Parts ------------------------------------------------------------------------------- */

static void print_members (FILE *stream, const struct config *config)
{
    char store[PRINT_TEXT_SIZE];
    for (size_t i = 0; i < config->count; i++) {
        const struct config_member *member = &config->members[i];
        fprintf (stream, "%s%s %" PRIu32 " with store %s\n", i == 0 ? "members    " : "           ",
                 member->role == CONFIG_VOTER ? "voter" : "observer", member->id,
                 print_id (member->store_id, store));
    }
}

static void print_identity (FILE *stream, const char *folder, const struct inspect_report *report)
{
    char store[PRINT_TEXT_SIZE], cluster[PRINT_TEXT_SIZE], suspect[PRINT_TEXT_SIZE];
    const struct store_meta *meta = report->meta;
    fprintf (stream, "folder     %s\n", folder);
    fprintf (stream, "server     %" PRIu32 " with store %s\ncluster    %s%s\n",
             report->ids.server_id, print_id (report->ids.store_id, store),
             print_cluster (report->ids.cluster_id, cluster),
             all_zero (report->ids.cluster_id, 16) ? " (not part of one yet)" : "");
    if (meta == NULL) {
        fputs ("epochs     not known: no copy of the metadata is sound\n", stream);
        return;
    }
    fprintf (stream, "epochs     accepted %" PRIu32 ", current %" PRIu32 "\n", meta->accepted_epoch,
             meta->current_epoch);
    if (meta->trust == ZAB_SUSPECT) {
        fprintf (stream, "log is     suspect up to %s\n", print_zxid (meta->suspect, suspect));
    } else {
        fprintf (stream, "log is     %s\n",
                 meta->trust == ZAB_WHOLE ? "whole" : "marked damaged, and not healed yet");
    }
    print_members (stream, &meta->config);
}

static const char *code_text (int code)
{
    return code == 0                ? "sound"
           : code == COHORT_ENONODE ? "missing"
           : code == COHORT_ECONFIG ? "foreign"
                                    : "damaged";
}

static bool print_metadata (FILE *stream, const struct inspect_report *report)
{
    static const char *const names[] = {"METADATA", "NUMBER", "EPOCHS", "STATE"};
    struct table table;
    HEAD (&table, names);
    for (size_t i = 0; i < 2; i++) {
        const struct inspect_copy *copy = &report->copies[i];
        char epochs[CELL_SIZE] = "-";
        put (&table, copy->name);
        if (copy->code == 0) {
            (void) snprintf (epochs, sizeof epochs, "%" PRIu32 ", %" PRIu32,
                             copy->meta.accepted_epoch, copy->meta.current_epoch);
            put_number (&table, copy->number);
        } else {
            put (&table, "-");
        }
        put (&table, epochs);
        put (&table, code_text (copy->code));
    }
    fputc ('\n', stream);
    return finish (&table, stream);
}

static bool print_manifest (FILE *stream, const struct inspect_report *report)
{
    static const char *const names[] = {"MANIFEST", "NUMBER", "BEGINS AFTER", "DURABLE", "STATE"};
    struct table table;
    HEAD (&table, names);
    put (&table, NAME_MANIFEST);
    if (report->manifest_code == 0) {
        put_number (&table, report->manifest.number);
        put_zxid (&table, report->manifest.base.zxid);
        put_zxid (&table, report->manifest.durable);
    } else {
        put (&table, "-");
        put (&table, "-");
        put (&table, "-");
    }
    put (&table, code_text (report->manifest_code));
    fputc ('\n', stream);
    return finish (&table, stream);
}

static bool print_snapshots (FILE *stream, const struct inspect_report *report)
{
    static const char *const names[] = {"SNAPSHOT", "ZXID",    "TIME",   "ZNODES", "EPHEMERALS",
                                        "SESSIONS", "CONTENT", "STORED", "STATE"};
    struct table table;
    char when[PRINT_TEXT_SIZE];
    if (report->snapshots_count == 0) {
        return true;
    }
    HEAD (&table, names);
    for (size_t i = 0; i < report->snapshots_count; i++) {
        const struct inspect_snapshot *snapshot = &report->snapshots[i];
        const struct snapshot_entry *entry = &snapshot->entry;
        put (&table, snapshot->name);
        put_zxid (&table, entry->point.zxid);
        put (&table, entry->file_size > 0 ? print_time (entry->stamp_ms, when) : "-");
        if (snapshot->loaded) {
            put_number (&table, snapshot->znodes);
            put_number (&table, snapshot->ephemerals);
            put_number (&table, snapshot->sessions);
        } else {
            put (&table, "-");
            put (&table, "-");
            put (&table, "-");
        }
        put_size (&table, entry->size);
        put_size (&table, entry->file_size);
        put (&table, snapshot->code != 0 ? code_text (snapshot->code)
                     : snapshot->listed  ? "sound"
                                         : "sound, unlisted");
    }
    fputc ('\n', stream);
    return finish (&table, stream);
}

static bool print_segments (FILE *stream, const struct inspect_report *report)
{
    static const char *const names[] = {"SEGMENT", "FILE",    "ENTRIES", "FIRST", "LAST",
                                        "DURABLE", "RECORDS", "SPARE",   "STATE"};
    struct table table;
    if (report->segments_count == 0) {
        return true;
    }
    HEAD (&table, names);
    for (size_t i = 0; i < report->segments_count; i++) {
        const struct inspect_segment *segment = &report->segments[i];
        char name[NAME_SIZE];
        name_segment (name, segment->span.segment);
        put (&table, name);
        put_size (&table, segment->file_size);
        put_number (&table, segment->entries);
        put_zxid (&table, segment->first);
        put_zxid (&table, segment->last);
        put_zxid (&table, segment->durable);
        put_size (&table, segment->end - segment->span.start);
        put_size (&table, segment->spare);
        put (&table, inspect_ending_name (segment->ending));
    }
    fputc ('\n', stream);
    return finish (&table, stream);
}

static void print_log (FILE *stream, const struct inspect_report *report)
{
    char last[PRINT_TEXT_SIZE], durable[PRINT_TEXT_SIZE], committed[PRINT_TEXT_SIZE];
    if (report->has_log) {
        fprintf (stream,
                 "\nThe log reads up to %s; known to have been durable up to %s, committed up to "
                 "%s.\n",
                 print_zxid (report->log_last, last), print_zxid (report->log_durable, durable),
                 print_zxid (report->log_committed, committed));
    }
}

static bool print_files (FILE *stream, const struct inspect_report *report,
                         enum inspect_file_kind kind, const char *title)
{
    const char *const names[] = {title, "SIZE"};
    struct table table;
    HEAD (&table, names);
    size_t count = 0;
    for (size_t i = 0; i < report->files_count; i++) {
        if (report->files[i].kind == kind) {
            put (&table, report->files[i].name);
            put_size (&table, report->files[i].size);
            count++;
        }
    }
    if (count == 0) {
        mem_free (table.cells);
        return true;
    }
    fputc ('\n', stream);
    return finish (&table, stream);
}

/* ---- Records ----------------------------------------------------------------------------- */

struct record_printer {
    FILE *stream;
    const struct print_options *options;
    struct buf text;
};

static bool print_record (void *arg, const struct inspect_record *found)
{
    struct record_printer *self = arg;
    const struct record *record = found->record;
    char zxid[PRINT_TEXT_SIZE], commit[PRINT_TEXT_SIZE], durable[PRINT_TEXT_SIZE];
    if (!print_wants (self->options, record->zxid)) {
        return true;
    }
    buf_clear (&self->text);
    if (record->type == RECORD_ENTRY) {
        inspect_entry_text (&self->text, found->data, record->size);
    }
    fprintf (self->stream, "%10" PRIu64 "  %-12s  %-5s  %8" PRIu32 "  %-12s  %s", record->offset,
             print_zxid (record->zxid, zxid), print_record_type (record->type), record->size,
             print_zxid (record->commit, commit), print_zxid (record->durable, durable));
    if (self->text.size > 0) {
        size_t width = strlen (print_zxid (record->durable, durable));
        int pad = width < DURABLE_WIDTH ? DURABLE_WIDTH - (int) width : 0;
        fprintf (self->stream, "%*s  %.*s", pad, "", (int) self->text.size,
                 (const char *) self->text.data);
    }
    fputc ('\n', self->stream);
    return !self->text.failed;
}

static int print_records (FILE *stream, const struct print_options *options,
                          const struct inspect_report *report, struct fault *fault)
{
    struct record_printer printer = {.stream = stream, .options = options};
    int rc = 0;
    buf_init (&printer.text);
    for (size_t i = 0; i < report->segments_count && rc == 0; i++) {
        char name[NAME_SIZE];
        name_segment (name, report->segments[i].span.segment);
        if (report->segments[i].records == 0) {
            continue;
        }
        fprintf (stream, "\n%s\n%10s  %-12s  %-5s  %8s  %-12s  %-12s  %s\n", name, "OFFSET", "ZXID",
                 "KIND", "BYTES", "COMMITTED", "DURABLE", "WHAT");
        rc = inspect_records (options->disk, &report->ids, &report->segments[i], print_record,
                              &printer, fault);
    }
    if (rc == 0 && printer.text.failed) {
        rc = fault_memory (fault);
    }
    buf_deinit (&printer.text);
    return rc;
}

/* ---- Findings ---------------------------------------------------------------------------- */

/* What of the log can still be seen behind the place. */
static void print_behind (FILE *stream, const struct inspect_report *report,
                          const struct inspect_finding *finding)
{
    for (size_t i = 0; i < report->segments_count; i++) {
        const struct inspect_segment *segment = &report->segments[i];
        char name[NAME_SIZE], last[PRINT_TEXT_SIZE];
        name_segment (name, segment->span.segment);
        if (segment->ending == INSPECT_BROKEN && segment->lost > 0 &&
            strcmp (name, finding->file) == 0) {
            fprintf (stream, "    behind it %" PRIu64 " %s up to %s can be told\n", segment->lost,
                     segment->lost == 1 ? "entry" : "entries",
                     print_zxid (segment->lost_last, last));
        }
    }
}

static void print_finding (FILE *stream, const struct inspect_report *report,
                           const struct inspect_finding *finding)
{
    char zxid[PRINT_TEXT_SIZE];
    fprintf (stream, "  %s", finding->file);
    if (finding->offset > 0) {
        fprintf (stream, ", offset %" PRIu64, finding->offset);
    }
    if (finding->has_zxid) {
        fprintf (stream, ", after zxid %s", print_zxid (finding->zxid, zxid));
    }
    fprintf (stream, "\n    %s: %s\n", inspect_kind_name (finding->kind), finding->what);
    print_behind (stream, report, finding);
    if (finding->then != NULL) {
        fprintf (stream, "    %s\n", finding->then);
    }
}

static void print_findings (FILE *stream, const struct inspect_report *report)
{
    for (size_t i = 0; i < report->findings_count; i++) {
        if (i == report->damages_count) {
            fputs ("\nNO DAMAGE, BUT\n", stream);
        } else if (i < 2) {
            fputs (i == 0 ? "\nFIRST DAMAGE\n" : "\nMORE DAMAGE\n", stream);
        }
        print_finding (stream, report, &report->findings[i]);
    }
}

int print_text (FILE *stream, const struct print_options *options,
                const struct inspect_report *report, struct fault *fault)
{
    char outcome[INSPECT_TEXT_SIZE];
    print_identity (stream, options->folder, report);
    bool ok = print_metadata (stream, report) && print_manifest (stream, report) &&
              print_snapshots (stream, report) && print_segments (stream, report);
    print_log (stream, report);
    ok = ok && print_files (stream, report, INSPECT_ASIDE, "SET ASIDE") &&
         print_files (stream, report, INSPECT_OTHER, "OTHER FILES");
    if (!ok) {
        return fault_memory (fault);
    }
    int rc = options->records ? print_records (stream, options, report, fault) : 0;
    if (rc != 0) {
        return rc;
    }
    print_findings (stream, report);
    print_outcome (report, outcome, sizeof outcome);
    fprintf (stream, "\n%s. A server %s.\n", report->damages_count == 0 ? "Sound" : "Damaged",
             outcome);
    if (report->outcome.text[0] != '\0') {
        fprintf (stream, "  (%s)\n", report->outcome.text);
    }
    return 0;
}
