/*
 *  server/store/segment.c - one file of the log, as the worker writes it
 */
#include "server/store/segment.h"

#include <errno.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"

enum { ZEROS_SIZE = 256 << 10 };

static const uint8_t zeros[ZEROS_SIZE];

bool ids_match (const struct file_ids *ids, const struct file_ids *found)
{
    return ids->server_id == found->server_id && ids->store_id == found->store_id &&
           (memcmp (ids->cluster_id, found->cluster_id, 16) == 0 ||
            all_zero (found->cluster_id, 16));
}

/*  What there was of the space is left to others: to the manifest, for one, which removes files.  A
 *  file that stays longer than it has to does no harm. */
static int give_back (struct segment *self, struct disk *disk, int code, struct fault *fault)
{
    if (code != COHORT_EDISKFULL) {
        return code;
    }
    int rc = disk->ops->truncate (self->file, self->reserved);
    return rc == 0 || rc == -ENOSPC ? code : fault_final (fault, self->name, "truncate", rc);
}

int segment_reserve (struct segment *self, struct disk *disk, uint64_t through, struct fault *fault)
{
    uint64_t filled = self->filled > self->end ? self->filled : self->end;
    if (through <= filled) {
        return 0;
    }
    uint64_t at = COHORT_MUTATED (zeros_before_end) ? self->end / 512 * 512 : filled;
    while (at < through) {
        size_t part = through - at < ZEROS_SIZE ? (size_t) (through - at) : ZEROS_SIZE;
        int rc = disk->ops->write (self->file, at, zeros, part);
        if (rc != 0 && !COHORT_MUTATED (zero_fill_unchecked)) {
            return give_back (self, disk, fault_disk (fault, self->name, "reserve", rc), fault);
        }
        at += part;
    }
    int rc = segment_sync (self, disk, fault);
    if (rc == 0) {
        self->filled = through;
        self->reserved = through > self->reserved ? through : self->reserved;
    }
    return rc;
}

int segment_allocate (struct segment *self, struct disk *disk, uint64_t through,
                      struct fault *fault)
{
    if (through <= self->reserved) {
        return 0;
    }
    int rc = disk->ops->allocate != NULL
                 ? disk->ops->allocate (self->file, self->reserved, through - self->reserved)
                 : -EOPNOTSUPP;
    if (rc == -EOPNOTSUPP) {
        return segment_reserve (self, disk, through, fault);
    }
    if (rc != 0) {
        return give_back (self, disk, fault_disk (fault, self->name, "reserve", rc), fault);
    }
    rc = segment_sync (self, disk, fault);
    if (rc == 0) {
        self->reserved = through;
    }
    return rc;
}

int segment_create (struct segment *self, struct disk *disk, const struct file_ids *ids,
                    uint32_t number, uint64_t bytes, struct fault *fault)
{
    COHORT_ASSERT (number > 0);
    COHORT_ASSERT (self->file == NULL);
    *self = (struct segment){
        .number = number,
        .salt = record_salt (ids->store_id, number),
        .end = SEGMENT_HEAD_SIZE,
        .reserved = SEGMENT_HEAD_SIZE,
        .filled = SEGMENT_HEAD_SIZE,
    };
    name_segment (self->name, number);
    int rc = disk->ops->open (disk, self->name, true, &self->file);
    if (rc != 0) {
        self->file = NULL;
        return fault_disk (fault, self->name, "create", rc);
    }
    uint8_t head[SEGMENT_HEAD_SIZE] = {0};
    head_encode (head, FILE_LOG, &(struct file_head){.ids = *ids, .number = number}, 0);
    rc = disk->ops->write (self->file, 0, head, sizeof head);
    if (rc != 0) {
        rc = fault_disk (fault, self->name, "write", rc);
    } else {
        COHORT_ASSERT (bytes > SEGMENT_HEAD_SIZE);
        rc = segment_reserve (self, disk, bytes, fault);
    }
    if (rc == 0) {
        /*  Before a manifest names it: names, too, become durable in any order. */
        rc = COHORT_MUTATED (segment_name_not_synced) ? 0 : disk->ops->sync_names (disk);
        rc = rc == 0 ? 0 : fault_final (fault, self->name, "sync of the folder", rc);
    }
    if (rc != 0) {
        segment_close (self, disk);
        struct fault second;
        int error = disk->ops->unlink (disk, self->name);
        if (rc == COHORT_EDISKFULL && error != 0) {
            rc = fault_final (&second, self->name, "unlink", error);
            *fault = second;
        }
    }
    return rc;
}

int head_check (const char *name, enum format_verdict verdict, const struct file_ids *ids,
                const struct file_ids *found, struct fault *fault)
{
    switch (verdict) {
    case FORMAT_OK:
        break;
    case FORMAT_VERSION_UNKNOWN:
        return fault_set (fault, COHORT_ECONFIG,
                          "%s: written by another version of Cohort, which this one cannot read",
                          name);
    case FORMAT_DAMAGED:
        return fault_set (fault, COHORT_ECORRUPT, "%s: damaged: the head of the file", name);
    }
    return ids_match (ids, found)
               ? 0
               : fault_set (fault, COHORT_ECONFIG,
                            "%s: belongs to another server, store or cluster", name);
}

static int check_head (const struct segment *self, const struct file_ids *ids, const uint8_t *bytes,
                       size_t size, struct fault *fault)
{
    struct file_head head;
    struct reader payload;
    enum format_verdict verdict = head_decode (bytes, size, FILE_LOG, &head, &payload);
    int rc = head_check (self->name, verdict, ids, &head.ids, fault);
    if (rc == 0 && head.number != self->number) {
        rc = fault_set (fault, COHORT_ECORRUPT, "%s: damaged: the file of another segment",
                        self->name);
    }
    return rc;
}

int segment_open (struct segment *self, struct disk *disk, const struct file_ids *ids,
                  uint32_t number, struct fault *fault)
{
    COHORT_ASSERT (self->file == NULL);
    *self = (struct segment){
        .number = number,
        .salt = record_salt (ids->store_id, number),
        .end = SEGMENT_HEAD_SIZE,
    };
    name_segment (self->name, number);
    int rc = disk->ops->open (disk, self->name, false, &self->file);
    if (rc != 0) {
        self->file = NULL;
        return rc == -ENOENT ? fault_set (fault, COHORT_ECORRUPT, "%s: missing", self->name)
                             : fault_final (fault, self->name, "open", rc);
    }
    uint8_t head[HEAD_SIZE];
    size_t done;
    rc = disk->ops->read (self->file, 0, head, sizeof head, &done);
    if (rc == 0) {
        rc = disk->ops->size (self->file, &self->reserved);
    }
    if (rc == -EIO) {
        rc = fault_set (fault, COHORT_ECORRUPT, "%s: damaged: cannot be read (EIO)", self->name);
    } else if (rc != 0) {
        rc = fault_final (fault, self->name, "read", rc);
    } else {
        rc = check_head (self, ids, head, done, fault);
    }
    if (rc != 0) {
        segment_close (self, disk);
        return rc;
    }
    if (self->reserved < SEGMENT_HEAD_SIZE) {
        self->reserved = SEGMENT_HEAD_SIZE; /*  cut short behind its head: nothing was there */
    }
    self->filled = self->reserved;
    return 0;
}

int segment_write (struct segment *self, struct disk *disk, uint64_t offset, const void *data,
                   size_t size, struct fault *fault)
{
    COHORT_ASSERT (offset + size <= self->reserved);
    int rc = disk->ops->write (self->file, offset, data, size);
    return rc == 0 || COHORT_MUTATED (write_error_ignored)
               ? 0
               : fault_disk (fault, self->name, "write", rc);
}

int segment_sync (struct segment *self, struct disk *disk, struct fault *fault)
{
    int rc = COHORT_MUTATED (log_not_synced) ? 0 : disk->ops->sync (self->file);
    if (COHORT_MUTATED (sync_tried_again) && rc != 0) {
        rc = disk->ops->sync (self->file);
    }
    return rc == 0 || COHORT_MUTATED (sync_error_ignored)
               ? 0
               : fault_final (fault, self->name, "sync", rc);
}

void segment_close (struct segment *self, struct disk *disk)
{
    if (self->file != NULL) {
        disk->ops->close (self->file);
        self->file = NULL;
    }
}
