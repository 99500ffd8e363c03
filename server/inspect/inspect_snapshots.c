/* server/inspect/inspect_snapshots.c - the snapshots of a folder, verified and counted */
#include "cohort/error.h"
#include "server/backup/load.h"
#include "server/inspect/gather.h"

static int load_snapshot (struct gathering *self, struct inspect_snapshot *snapshot,
                          struct fault *fault)
{
    struct snapshot_reader reader;
    struct tree *tree = NULL;
    bool finished = false;
    int rc = snapshot_open (&reader, self->options->disk, &self->report->ids, snapshot->name,
                            &snapshot->entry, fault);
    if (rc != 0) {
        return rc;
    }
    rc = self->options->checksums_only
             ? snapshot_verify (&reader, UINT64_MAX, true, &finished, fault)
             : backup_read (&reader, &tree, fault);
    snapshot_close (&reader);
    if (tree != NULL) {
        struct backup_info info;
        backup_describe (tree, &info);
        snapshot->loaded = true;
        snapshot->znodes = info.znodes;
        snapshot->ephemerals = info.ephemerals;
        snapshot->sessions = info.sessions;
        tree_destroy (&tree);
    }
    return rc;
}

static int check_snapshot (struct gathering *self, struct inspect_snapshot *snapshot,
                           struct fault *fault)
{
    struct backup ends;
    int rc = 0;
    if (!snapshot->listed) {
        rc = backup_ends (self->options->disk, snapshot->name, &ends, fault->text,
                          sizeof fault->text);
        fault->code = rc;
        fault->offset = 0;
        snapshot->entry = rc == 0 ? ends.entry : snapshot->entry;
    }
    if (rc == 0) {
        rc = load_snapshot (self, snapshot, fault);
    }
    snapshot->code = rc;
    if (rc == 0) {
        return 0;
    }
    gather_text (snapshot->text, sizeof snapshot->text, fault->text);
    return rc == COHORT_ECORRUPT || rc == COHORT_ECONFIG ? 0 : rc;
}

/* Whether a start can do without this one. */
static bool has_sound (const struct inspect_report *report, size_t from)
{
    for (size_t i = from; i < report->snapshots_count; i++) {
        if (report->snapshots[i].listed && report->snapshots[i].code == 0) {
            return true;
        }
    }
    return false;
}

int gather_snapshots (struct gathering *self, struct fault *fault)
{
    struct inspect_report *report = self->report;
    for (size_t i = 0; i < report->snapshots_count; i++) {
        struct inspect_snapshot *snapshot = &report->snapshots[i];
        int rc = check_snapshot (self, snapshot, fault);
        if (rc != 0) {
            return rc;
        }
        gather_progress (self, snapshot->name, snapshot->entry.file_size);
    }
    for (size_t i = report->snapshots_count; i-- > 0;) {
        const struct inspect_snapshot *snapshot = &report->snapshots[i];
        if (!snapshot->listed || snapshot->code == 0) {
            continue;
        }
        struct fault found = {.code = snapshot->code};
        gather_text (found.text, sizeof found.text, snapshot->text);
        struct inspect_finding *finding = gather_fault (self, &found);
        if (finding == NULL) {
            break;
        }
        gather_text (finding->file, sizeof finding->file, snapshot->name);
        finding->then = has_sound (report, i + 1) ? "a newer one is sound: this one is not needed"
                        : has_sound (report, 0)
                            ? "an older one is sound: a start goes on from that, and the log"
                            : NULL;
    }
    return 0;
}
