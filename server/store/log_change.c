/*
 *  server/store/log_change.c - the log as the worker writes it: what changes the manifest
 *
 *  Each change is one flip.  Files are removed only when the new manifest is durable; whatever an
 *  interruption leaves behind is not named by it, and recovery removes it (strays.h).
 */
#include <errno.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/log.h"

int log_flip (struct log *self, struct manifest *draft, struct fault *fault)
{
    int rc = manifest_write (draft, self->disk, &self->ids, fault);
    if (rc != 0) {
        manifest_deinit (draft);
        return rc;
    }
    manifest_deinit (&self->manifest);
    self->manifest = *draft;
    *draft = (struct manifest){.number = 0};
    return 0;
}

static int unlink_file (struct log *self, const char *name, struct fault *fault)
{
    int rc = self->disk->ops->unlink (self->disk, name);
    return rc == 0 || rc == -ENOENT ? 0 : fault_final (fault, name, "unlink", rc);
}

/*  Flips to the draft; what it does not name is to be removed.  The draft is consumed. */
static int flip_and_drop (struct log *self, struct manifest *draft, struct fault *fault)
{
    struct manifest old;
    if (!manifest_copy (&old, &self->manifest)) {
        manifest_deinit (draft);
        return fault_memory (fault);
    }
    int rc = log_flip (self, draft, fault);
    if (rc == 0 && !removal_add (&self->removal, &old, &self->manifest)) {
        rc = fault_memory (fault);
    }
    manifest_deinit (&old);
    return rc;
}

/*  The same, and at once: somebody may have it open. */
static int flip_and_remove (struct log *self, struct manifest *draft, struct fault *fault)
{
    int rc = flip_and_drop (self, draft, fault);
    return rc == 0 ? removal_finish (&self->removal, fault) : rc;
}

/*  That the log goes on here stands in the segment itself: with an older manifest, too, it is told
 *  (strays.h).  On a full disk that has to wait. */
static int mark_beginning (struct log *self, struct fault *fault)
{
    int rc = log_mark (self, fault);
    if (rc != COHORT_EDISKFULL) {
        return rc;
    }
    self->unmarked = true;
    return 0;
}

/*  Flips to the draft, whose log ends at `to`, and continues in a fresh segment: the one that is
 *  ready, or else a new one.  The draft is consumed. */
static int switch_over (struct log *self, struct manifest *draft, struct zab_point to,
                        struct fault *fault)
{
    COHORT_ASSERT (!self->unsynced);
    COHORT_ASSERT (self->run_size == 0);
    int rc = 0;
    bool created = self->next.file == NULL;
    if (created) {
        rc = segment_create (&self->next, self->disk, &self->ids, draft->next_segment++,
                             self->reserve_bytes, fault);
    }
    if (rc == 0 && !manifest_add_span (draft, self->next.number)) {
        rc = fault_memory (fault);
    }
    if (rc != 0) {
        manifest_deinit (draft);
        return rc;
    }
    draft->durable =
        COHORT_MUTATED (trunc_watermark) && draft->durable > to.zxid ? draft->durable : to.zxid;
    rc = flip_and_remove (self, draft, fault);
    if (rc == COHORT_EDISKFULL && created) {
        /*  Not listed: its number will be used again. */
        segment_close (&self->next, self->disk);
        struct fault second;
        if (unlink_file (self, self->next.name, &second) != 0) {
            *fault = second;
            return second.code;
        }
    }
    if (rc != 0) {
        return rc;
    }
    segment_close (&self->current, self->disk);
    self->current = self->next;
    self->next.file = NULL;
    self->last = to;
    self->durable =
        COHORT_MUTATED (trunc_watermark_log) && self->durable > to.zxid ? self->durable : to.zxid;
    return mark_beginning (self, fault);
}

int log_truncate (struct log *self, struct zab_point to, uint32_t segment, uint64_t end,
                  int64_t stamp_ms, struct fault *fault)
{
    COHORT_ASSERT (to.zxid < self->last.zxid);
    COHORT_ASSERT (to.zxid >= self->manifest.base.zxid);
    struct manifest draft;
    if (!manifest_copy (&draft, &self->manifest)) {
        return fault_memory (fault);
    }
    /*  Purging has a lane of its own: it may have overtaken this, or be overtaken by it. */
    if (to.zxid == draft.base.zxid) {
        segment = 0; /*  it was purged up to this point after the truncation was submitted */
    } else if (segment == 0) {
        /*  The owner's base, which may be ahead of this one: the purge is still waiting in its own
         *  lane.  Without entries between the two, the log must begin there at once. */
        draft.base = to;
        draft.base_stamp_ms = stamp_ms;
        manifest_drop_snapshots (&draft, to.zxid);
    }
    size_t kept = 0;
    while (kept < draft.spans_count && draft.spans[kept].segment < segment) {
        COHORT_ASSERT (draft.spans[kept].end != 0); /*  sealed, or cut before */
        kept++;
    }
    if (segment != 0) {
        COHORT_ASSERT (kept < draft.spans_count);
        COHORT_ASSERT (draft.spans[kept].segment == segment);
        draft.spans[kept].end = end;
        draft.spans[kept].last = to.zxid;
        kept++;
    }
    draft.spans_count = kept;
    return switch_over (self, &draft, to, fault);
}

int log_install (struct log *self, const struct snapshot_entry *snapshot, struct fault *fault)
{
    struct manifest draft;
    if (!manifest_copy (&draft, &self->manifest)) {
        return fault_memory (fault);
    }
    draft.spans_count = 0;
    draft.snapshots_count = 0;
    draft.base = snapshot->point;
    draft.base_stamp_ms = snapshot->stamp_ms;
    (void) manifest_add_snapshot (&draft, snapshot);
    /*  A snapshot is of what was committed. */
    zxid_t commit = self->commit;
    self->commit = snapshot->point.zxid;
    int rc = switch_over (self, &draft, snapshot->point, fault);
    if (rc != 0) {
        self->commit = commit;
    }
    return rc;
}

int log_add_snapshot (struct log *self, const struct snapshot_entry *snapshot, struct fault *fault)
{
    struct manifest draft;
    if (!manifest_copy (&draft, &self->manifest)) {
        return fault_memory (fault);
    }
    if (!manifest_add_snapshot (&draft, snapshot)) {
        manifest_deinit (&draft);
        return fault_set (fault, COHORT_ELIMIT, "too many snapshots are kept");
    }
    draft.durable = self->durable;
    return log_flip (self, &draft, fault);
}

int log_drop_snapshot (struct log *self, uint64_t serial, struct fault *fault)
{
    struct manifest draft;
    if (!manifest_copy (&draft, &self->manifest)) {
        return fault_memory (fault);
    }
    size_t kept = 0;
    for (size_t i = 0; i < draft.snapshots_count; i++) {
        if (draft.snapshots[i].serial != serial) {
            draft.snapshots[kept++] = draft.snapshots[i];
        }
    }
    draft.snapshots_count = kept;
    draft.durable = self->durable;
    return flip_and_remove (self, &draft, fault);
}

int log_purge (struct log *self, struct zab_point base, int64_t stamp_ms, struct fault *fault)
{
    COHORT_ASSERT (base.zxid >= self->manifest.base.zxid);
    struct manifest draft;
    if (!manifest_copy (&draft, &self->manifest)) {
        return fault_memory (fault);
    }
    draft.base = base;
    draft.base_stamp_ms = stamp_ms;
    draft.durable = self->durable;
    manifest_drop_snapshots (&draft, COHORT_MUTATED (old_snapshots_kept) ? 0 : base.zxid);
    size_t count = 0;
    while (count < draft.spans_count && draft.spans[count].end != 0 &&
           draft.spans[count].last <= base.zxid + COHORT_MUTATED (purged_too_far)) {
        count++;
    }
    manifest_drop_spans (&draft, count);
    return flip_and_drop (self, &draft, fault);
}
