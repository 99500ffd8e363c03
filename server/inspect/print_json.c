/* server/inspect/print_json.c - a report for pipes: one object
 *
 * The keys are documented in docs/storage.md. zxids and ids are strings, as everywhere in Cohort.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "client/base/buf.h"
#include "cohort/error.h"
#include "server/inspect/print.h"

/* All of these give NULL, or leave out, when memory ends: json_array_append_new and the like take
 * NULL for an error, and print_json looks at the end. */

static json_t *id (uint64_t value)
{
    char text[PRINT_TEXT_SIZE];
    return json_string (print_id (value, text));
}

static json_t *number (uint64_t value)
{
    return json_integer ((json_int_t) value);
}

static bool set (json_t *object, const char *key, json_t *value)
{
    return json_object_set_new (object, key, value) == 0;
}

static const char *state_name (int code)
{
    return code == 0                ? "sound"
           : code == COHORT_ENONODE ? "missing"
           : code == COHORT_ECONFIG ? "foreign"
                                    : "damaged";
}

static json_t *members (const struct config *config)
{
    json_t *array = json_array ();
    for (size_t i = 0; i < config->count; i++) {
        const struct config_member *member = &config->members[i];
        json_t *object = json_object ();
        (void) set (object, "id", number (member->id));
        (void) set (object, "role",
                    json_string (member->role == CONFIG_VOTER ? "voter" : "observer"));
        (void) set (object, "store_id", id (member->store_id));
        (void) json_array_append_new (array, object);
    }
    return array;
}

static json_t *metadata (const struct inspect_report *report)
{
    json_t *array = json_array ();
    for (size_t i = 0; i < 2; i++) {
        const struct inspect_copy *copy = &report->copies[i];
        json_t *object = json_object ();
        (void) set (object, "file", json_string (copy->name));
        (void) set (object, "state", json_string (state_name (copy->code)));
        if (copy->code == 0) {
            (void) set (object, "number", number (copy->number));
            (void) set (object, "accepted_epoch", number (copy->meta.accepted_epoch));
            (void) set (object, "current_epoch", number (copy->meta.current_epoch));
            (void) set (object, "log", json_string (zab_trust_name (copy->meta.trust)));
            (void) set (object, "suspect", id (copy->meta.suspect));
            (void) set (object, "condemned", json_boolean (copy->meta.condemned));
            (void) set (object, "heir", json_boolean (copy->meta.heir));
            (void) set (object, "bootstrapped", json_boolean (copy->meta.bootstrapped));
            (void) set (object, "members", members (&copy->meta.config));
        }
        (void) json_array_append_new (array, object);
    }
    return array;
}

static json_t *manifest (const struct inspect_report *report)
{
    json_t *object = json_object ();
    (void) set (object, "state", json_string (state_name (report->manifest_code)));
    if (report->manifest_code == 0) {
        (void) set (object, "number", number (report->manifest.number));
        (void) set (object, "base", id (report->manifest.base.zxid));
        (void) set (object, "durable", id (report->manifest.durable));
    }
    return object;
}

static json_t *snapshots (const struct inspect_report *report)
{
    json_t *array = json_array ();
    for (size_t i = 0; i < report->snapshots_count; i++) {
        const struct inspect_snapshot *snapshot = &report->snapshots[i];
        const struct snapshot_entry *entry = &snapshot->entry;
        json_t *object = json_object ();
        (void) set (object, "file", json_string (snapshot->name));
        (void) set (object, "state", json_string (state_name (snapshot->code)));
        (void) set (object, "listed", json_boolean (snapshot->listed));
        (void) set (object, "zxid", id (entry->point.zxid));
        (void) set (object, "time_ms", json_integer ((json_int_t) entry->stamp_ms));
        (void) set (object, "bytes", number (entry->size));
        (void) set (object, "file_bytes", number (entry->file_size));
        (void) set (object, "digest", id (entry->digest));
        if (snapshot->loaded) {
            (void) set (object, "znodes", number (snapshot->znodes));
            (void) set (object, "ephemerals", number (snapshot->ephemerals));
            (void) set (object, "sessions", number (snapshot->sessions));
        }
        (void) json_array_append_new (array, object);
    }
    return array;
}

static json_t *segments (const struct inspect_report *report)
{
    json_t *array = json_array ();
    for (size_t i = 0; i < report->segments_count; i++) {
        const struct inspect_segment *segment = &report->segments[i];
        json_t *object = json_object ();
        char name[NAME_SIZE];
        name_segment (name, segment->span.segment);
        (void) set (object, "file", json_string (name));
        (void) set (object, "state", json_string (inspect_ending_name (segment->ending)));
        (void) set (object, "file_bytes", number (segment->file_size));
        (void) set (object, "start", number (segment->span.start));
        (void) set (object, "end", number (segment->end));
        (void) set (object, "bytes_behind_end", number (segment->behind));
        (void) set (object, "spare_bytes", number (segment->spare));
        (void) set (object, "records", number (segment->records));
        (void) set (object, "entries", number (segment->entries));
        (void) set (object, "first", id (segment->first));
        (void) set (object, "last", id (segment->last));
        (void) set (object, "durable", id (segment->durable));
        (void) set (object, "committed", id (segment->commit));
        (void) set (object, "entries_behind_end", number (segment->lost));
        (void) set (object, "last_behind_end", id (segment->lost_last));
        (void) json_array_append_new (array, object);
    }
    return array;
}

static json_t *files (const struct inspect_report *report, bool aside)
{
    json_t *array = json_array ();
    for (size_t i = 0; i < report->files_count; i++) {
        const struct inspect_file *file = &report->files[i];
        if ((file->kind == INSPECT_ASIDE) == aside) {
            json_t *object = json_object ();
            (void) set (object, "file", json_string (file->name));
            (void) set (object, "file_bytes", number (file->size));
            (void) json_array_append_new (array, object);
        }
    }
    return array;
}

static json_t *finding_of (const struct inspect_finding *finding)
{
    json_t *object = json_object ();
    (void) set (object, "kind", json_string (inspect_kind_name (finding->kind)));
    (void) set (object, "file", json_string (finding->file));
    if (finding->offset > 0) {
        (void) set (object, "offset", number (finding->offset));
    }
    if (finding->has_zxid) {
        (void) set (object, "after", id (finding->zxid));
    }
    (void) set (object, "what", json_string (finding->what));
    if (finding->then != NULL) {
        (void) set (object, "then", json_string (finding->then));
    }
    return object;
}

static json_t *findings (const struct inspect_report *report, size_t from, size_t to)
{
    json_t *array = json_array ();
    for (size_t i = from; i < to; i++) {
        (void) json_array_append_new (array, finding_of (&report->findings[i]));
    }
    return array;
}

static json_t *log_of (const struct inspect_report *report)
{
    if (!report->has_log) {
        return json_null ();
    }
    json_t *object = json_object ();
    (void) set (object, "last", id (report->log_last));
    (void) set (object, "durable", id (report->log_durable));
    (void) set (object, "committed", id (report->log_committed));
    return object;
}

static json_t *outcome_of (const struct inspect_report *report)
{
    const struct inspect_outcome *outcome = &report->outcome;
    char text[INSPECT_TEXT_SIZE];
    json_t *object = json_object ();
    print_outcome (report, text, sizeof text);
    (void) set (object, "starts", json_boolean (outcome->code == 0));
    (void) set (object, "text", json_string (text));
    (void) set (object, "details", json_string (outcome->text));
    if (outcome->code == 0) {
        (void) set (object, "log", json_string (zab_trust_name (outcome->trust)));
        (void) set (object, "suspect", id (outcome->suspect));
        (void) set (object, "snapshot", id (outcome->snapshot));
        (void) set (object, "base", id (outcome->base));
        (void) set (object, "last", id (outcome->last));
        (void) set (object, "committed", id (outcome->committed));
    }
    return object;
}

static json_t *report_of (const struct print_options *options, const struct inspect_report *report)
{
    char cluster[PRINT_TEXT_SIZE];
    json_t *object = json_object ();
    (void) set (object, "folder", json_string (options->folder));
    (void) set (object, "sound", json_boolean (report->damages_count == 0));
    (void) set (object, "server_id", number (report->ids.server_id));
    (void) set (object, "store_id", id (report->ids.store_id));
    (void) set (object, "cluster_id",
                json_string (print_cluster (report->ids.cluster_id, cluster)));
    (void) set (object, "metadata", metadata (report));
    (void) set (object, "manifest", manifest (report));
    (void) set (object, "snapshots", snapshots (report));
    (void) set (object, "segments", segments (report));
    (void) set (object, "log", log_of (report));
    (void) set (object, "set_aside", files (report, true));
    (void) set (object, "other_files", files (report, false));
    (void) set (object, "first_damage",
                report->damages_count > 0 ? finding_of (&report->findings[0]) : json_null ());
    (void) set (object, "damage", findings (report, 0, report->damages_count));
    (void) set (object, "notes", findings (report, report->damages_count, report->findings_count));
    (void) set (object, "at_start", outcome_of (report));
    return object;
}

/* ---- Records ----------------------------------------------------------------------------- */

struct record_printer {
    FILE *stream;
    const struct print_options *options;
    struct buf text;
    bool any, failed;
};

static bool print_record (void *arg, const struct inspect_record *found)
{
    struct record_printer *self = arg;
    const struct record *record = found->record;
    if (!print_wants (self->options, record->zxid)) {
        return true;
    }
    char name[NAME_SIZE];
    json_t *object = json_object ();
    name_segment (name, record->segment);
    (void) set (object, "file", json_string (name));
    (void) set (object, "offset", number (record->offset));
    (void) set (object, "kind", json_string (print_record_type (record->type)));
    (void) set (object, "zxid", id (record->zxid));
    (void) set (object, "time_ms", json_integer ((json_int_t) record->stamp_ms));
    (void) set (object, "bytes", number (record->size));
    (void) set (object, "committed", id (record->commit));
    (void) set (object, "durable", id (record->durable));
    if (record->type == RECORD_ENTRY) {
        buf_clear (&self->text);
        inspect_entry_text (&self->text, found->data, record->size);
        (void) set (object, "entry",
                    json_stringn ((const char *) self->text.data, self->text.size));
    }
    fputs (self->any ? ",\n    " : "\n    ", self->stream);
    self->any = true;
    self->failed |= self->text.failed || json_dumpf (object, self->stream, 0) != 0;
    json_decref (object);
    return !self->failed;
}

static int print_records (FILE *stream, const struct print_options *options,
                          const struct inspect_report *report, struct fault *fault)
{
    struct record_printer printer = {.stream = stream, .options = options};
    int rc = 0;
    buf_init (&printer.text);
    fputs (",\n  \"records\": [", stream);
    for (size_t i = 0; i < report->segments_count && rc == 0; i++) {
        rc = inspect_records (options->disk, &report->ids, &report->segments[i], print_record,
                              &printer, fault);
    }
    fputs (printer.any ? "\n  ]" : "]", stream);
    if (rc == 0 && printer.failed) {
        rc = fault_memory (fault);
    }
    buf_deinit (&printer.text);
    return rc;
}

int print_json (FILE *stream, const struct print_options *options,
                const struct inspect_report *report, struct fault *fault)
{
    json_t *object = report_of (options, report);
    char *text = json_dumps (object, JSON_INDENT (2));
    json_decref (object);
    if (text == NULL) {
        return fault_memory (fault);
    }
    /* All but the brace at the end: records, which may be many, come one by one. */
    size_t size = strlen (text);
    (void) fwrite (text, 1, size - 2, stream);
    free (text);
    int rc = options->records ? print_records (stream, options, report, fault) : 0;
    fputs ("\n}\n", stream);
    return rc;
}
