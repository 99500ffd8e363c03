/*
 *  server/store/manifest.c - which snapshots and which pieces of the log count
 */
#include "server/store/manifest.h"

#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"

enum { RESERVE_SIZE = 64 << 10 };

/* ---- In memory --------------------------------------------------------------------------- */

bool manifest_copy (struct manifest *to, const struct manifest *from)
{
    *to = *from;
    to->spans_room = from->spans_count + 1; /*  most changes add one */
    to->spans = mem_calloc (to->spans_room, sizeof *to->spans);
    if (to->spans == NULL) {
        return false;
    }
    if (from->spans_count > 0) {
        memcpy (to->spans, from->spans, from->spans_count * sizeof *to->spans);
    }
    return true;
}

void manifest_deinit (struct manifest *self)
{
    mem_free (self->spans);
    *self = (struct manifest){.number = 0};
}

bool manifest_add_span (struct manifest *self, uint32_t segment)
{
    COHORT_ASSERT (segment > 0);
    COHORT_ASSERT (self->spans_count == 0 || self->spans[self->spans_count - 1].segment < segment);
    if (self->spans_count == MANIFEST_SPANS_MAX) {
        return false;
    }
    if (self->spans_count == self->spans_room) {
        size_t room = self->spans_room * 2 + 4;
        struct span *spans = mem_realloc (self->spans, room * sizeof *spans);
        if (spans == NULL) {
            return false;
        }
        self->spans = spans;
        self->spans_room = room;
    }
    self->spans[self->spans_count++] = (struct span){
        .segment = segment,
        .start = SEGMENT_HEAD_SIZE,
    };
    return true;
}

bool manifest_has_segment (const struct manifest *self, uint32_t segment)
{
    for (size_t i = 0; i < self->spans_count; i++) {
        if (self->spans[i].segment == segment) {
            return true;
        }
    }
    return false;
}

void manifest_drop_spans (struct manifest *self, size_t count)
{
    COHORT_ASSERT (count <= self->spans_count);
    self->spans_count -= count;
    memmove (self->spans, self->spans + count, self->spans_count * sizeof *self->spans);
}

bool manifest_add_snapshot (struct manifest *self, const struct snapshot_entry *entry)
{
    if (self->snapshots_count == MANIFEST_SNAPSHOTS_MAX) {
        return false;
    }
    size_t at = self->snapshots_count;
    while (at > 0 && self->snapshots[at - 1].point.zxid > entry->point.zxid) {
        self->snapshots[at] = self->snapshots[at - 1];
        at--;
    }
    self->snapshots[at] = *entry;
    self->snapshots_count++;
    return true;
}

void manifest_drop_snapshots (struct manifest *self, zxid_t below)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->snapshots_count; i++) {
        if (self->snapshots[i].point.zxid >= below) {
            self->snapshots[kept++] = self->snapshots[i];
        }
    }
    self->snapshots_count = kept;
}

/* ---- On disk ----------------------------------------------------------------------------- */

static int read_bytes (struct disk *disk, struct disk_file *file, uint8_t **bytes, size_t *size,
                       struct fault *fault)
{
    uint64_t length;
    int rc = disk->ops->size (file, &length);
    if (rc != 0) {
        return fault_final (fault, NAME_MANIFEST, "size", rc);
    }
    if (length > MANIFEST_SIZE_MAX) {
        return fault_set (fault, COHORT_ECORRUPT, "%s: damaged: too long", NAME_MANIFEST);
    }
    *bytes = mem_alloc ((size_t) length);
    if (*bytes == NULL) {
        return fault_memory (fault);
    }
    rc = disk->ops->read (file, 0, *bytes, (size_t) length, size);
    if (rc == -EIO) {
        return fault_set (fault, COHORT_ECORRUPT, "%s: damaged: cannot be read (EIO)",
                          NAME_MANIFEST);
    }
    return rc == 0 ? 0 : fault_final (fault, NAME_MANIFEST, "read", rc);
}

int manifest_read (struct manifest *self, struct disk *disk, struct file_ids *ids, bool *found,
                   struct fault *fault)
{
    *self = (struct manifest){.number = 0};
    struct disk_file *file;
    int rc = disk->ops->open (disk, NAME_MANIFEST, false, &file);
    *found = rc == 0;
    if (rc == -ENOENT) {
        return 0;
    }
    if (rc != 0) {
        return fault_final (fault, NAME_MANIFEST, "open", rc);
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    rc = read_bytes (disk, file, &bytes, &size, fault);
    if (rc == 0) {
        bool out_of_memory;
        switch (manifest_decode (bytes, size, ids, self, &out_of_memory)) {
        case FORMAT_OK:
            break;
        case FORMAT_VERSION_UNKNOWN:
            rc = fault_set (fault, COHORT_ECONFIG,
                            "%s: written by another version of Cohort, which this one cannot read",
                            NAME_MANIFEST);
            break;
        case FORMAT_DAMAGED:
            rc = out_of_memory ? fault_memory (fault)
                               : fault_set (fault, COHORT_ECORRUPT,
                                            "%s: damaged: the checksum is wrong", NAME_MANIFEST);
            break;
        }
    }
    mem_free (bytes);
    disk->ops->close (file);
    return rc;
}

static int unlink_name (struct disk *disk, const char *name, struct fault *fault)
{
    int rc = disk->ops->unlink (disk, name);
    return rc == 0 || rc == -ENOENT ? 0 : fault_final (fault, name, "unlink", rc);
}

/*  A file with these bytes, synced; COHORT_EDISKFULL: nothing is left of it. */
static int write_whole (struct disk *disk, const char *name, const uint8_t *bytes, size_t size,
                        struct fault *fault)
{
    int rc = unlink_name (disk, name, fault);
    if (rc != 0) {
        return rc;
    }
    struct disk_file *file;
    rc = disk->ops->open (disk, name, true, &file);
    if (rc != 0) {
        return fault_disk (fault, name, "create", rc);
    }
    rc = disk->ops->write (file, 0, bytes, size);
    if (rc != 0) {
        disk->ops->close (file);
        int code = fault_disk (fault, name, "write", rc);
        struct fault second;
        if (code == COHORT_EDISKFULL && unlink_name (disk, name, &second) != 0) {
            *fault = second;
            return second.code;
        }
        return code;
    }
    rc = COHORT_MUTATED (manifest_not_synced) ? 0 : disk->ops->sync (file);
    disk->ops->close (file);
    return rc == 0 ? 0 : fault_final (fault, name, "sync", rc);
}

/*  COHORT_EDISKFULL: the old one counts as before, and nothing is left of the new one. */
static int replace (struct disk *disk, const struct buf *bytes, struct fault *fault)
{
    int rc = write_whole (disk, NAME_MANIFEST_NEW, bytes->data, bytes->size, fault);
    if (rc != 0) {
        return rc;
    }
    rc = disk->ops->rename (disk, NAME_MANIFEST_NEW, NAME_MANIFEST);
    if (rc == 0) {
        return 0;
    }
    struct fault second;
    int code = fault_disk (fault, NAME_MANIFEST, "rename", rc);
    if (code == COHORT_EDISKFULL && unlink_name (disk, NAME_MANIFEST_NEW, &second) != 0) {
        *fault = second;
        return second.code;
    }
    return code;
}

int manifest_use_reserve (struct disk *disk, bool *used, struct fault *fault)
{
    int rc = disk->ops->unlink (disk, NAME_RESERVE);
    *used = rc == 0;
    return rc == 0 || rc == -ENOENT ? 0 : fault_final (fault, NAME_RESERVE, "unlink", rc);
}

int manifest_write (struct manifest *self, struct disk *disk, const struct file_ids *ids,
                    struct fault *fault)
{
    struct buf out;
    buf_init (&out);
    self->number++;
    manifest_encode (&out, ids, self);
    int rc;
    if (out.failed) {
        rc = fault_memory (fault);
        goto end;
    }
    out.data[0] ^= COHORT_MUTATED (manifest_unsound);
    rc = replace (disk, &out, fault);
    if (rc == COHORT_EDISKFULL) {
        /*  Removing old files takes a manifest: so space for one is kept. */
        bool used;
        rc = manifest_use_reserve (disk, &used, fault);
        if (rc == 0) {
            rc = replace (disk, &out, fault);
        }
    }
    if (rc != 0) {
        goto end;
    }
    rc = COHORT_MUTATED (manifest_name_not_synced) ? 0 : disk->ops->sync_names (disk);
    if (rc != 0) {
        rc = fault_final (fault, NAME_MANIFEST, "sync of the folder", rc);
    }

end:
    buf_deinit (&out);
    return rc;
}

int manifest_reserve (struct disk *disk, struct fault *fault)
{
    struct disk_file *file;
    int rc = disk->ops->open (disk, NAME_RESERVE, false, &file);
    if (rc == 0) {
        disk->ops->close (file);
        return 0;
    }
    if (rc != -ENOENT) {
        return fault_final (fault, NAME_RESERVE, "open", rc);
    }
    uint8_t *zeros = mem_calloc (1, RESERVE_SIZE);
    if (zeros == NULL) {
        return fault_memory (fault);
    }
    rc = write_whole (disk, NAME_RESERVE, zeros, RESERVE_SIZE, fault);
    mem_free (zeros);
    return rc == COHORT_EDISKFULL ? 0 : rc;
}
