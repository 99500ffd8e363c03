/*
 *  server/store/meta.c - the two copies of the metadata
 */
#include "server/store/meta.h"

#include <errno.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/manifest.h"

static const char *const names[2] = {"meta.0", "meta.1"};

static int read_copy (struct meta_file *self, unsigned i, enum format_verdict *verdict,
                      uint64_t *number, struct store_meta *meta, struct fault *fault)
{
    const struct disk_ops *ops = self->disk->ops;
    *verdict = FORMAT_DAMAGED;
    int rc = ops->open (self->disk, names[i], false, &self->copies[i]);
    if (rc == -ENOENT) {
        return 0;
    }
    if (rc != 0) {
        return fault_final (fault, names[i], "open", rc);
    }
    uint8_t file[META_SIZE];
    size_t done;
    rc = ops->read (self->copies[i], 0, file, sizeof file, &done);
    if (rc == -EIO) {
        return 0; /*  a bad sector: the other copy may be good, and writing may cure it */
    }
    if (rc != 0) {
        return fault_final (fault, names[i], "read", rc);
    }
    *verdict = meta_decode (file, done, number, meta);
    return 0;
}

/*  Which of them is written first: what is not sound, and else the one that was written last.  That
 *  one may be in the system's cache alone, so the other must stay until it is durable; and nobody
 *  has heard of it before both were. */
static unsigned first_to_write (const enum format_verdict verdicts[2], unsigned newest)
{
    return verdicts[1 - newest] == FORMAT_OK ? newest : 1 - newest;
}

int meta_read (struct meta_file *self, struct disk *disk, enum meta_found *found,
               struct fault *fault)
{
    *self = (struct meta_file){.disk = disk};
    enum format_verdict verdicts[2];
    uint64_t numbers[2] = {0, 0};
    struct store_meta metas[2];
    for (unsigned i = 0; i < 2; i++) {
        int rc = read_copy (self, i, &verdicts[i], &numbers[i], &metas[i], fault);
        if (rc != 0) {
            return rc;
        }
        if (verdicts[i] == FORMAT_VERSION_UNKNOWN) {
            return fault_set (
                fault, COHORT_ECONFIG,
                "%s: written by another version of Cohort, which this one cannot read", names[i]);
        }
    }
    *found = META_NONE;
    for (unsigned i = 0; i < 2; i++) {
        if (verdicts[i] == FORMAT_OK &&
            (*found == META_NONE ||
             (numbers[i] > self->number) != COHORT_MUTATED (older_meta_read))) {
            *found = META_VALID;
            self->number = numbers[i];
            self->meta = metas[i];
            self->first = first_to_write (verdicts, i);
        }
    }
    return 0;
}

static int write_copy (struct meta_file *self, unsigned i, const uint8_t *file, struct fault *fault)
{
    const struct disk_ops *ops = self->disk->ops;
    bool created = self->copies[i] == NULL;
    if (created) {
        int rc = ops->open (self->disk, names[i], true, &self->copies[i]);
        if (rc != 0) {
            self->copies[i] = NULL;
            return fault_disk (fault, names[i], "create", rc);
        }
    }
    int rc = ops->write (self->copies[i], 0, file, META_SIZE);
    if (rc != 0) {
        return fault_disk (fault, names[i], "write", rc);
    }
    bool unsynced = COHORT_MUTATED (epochs_not_synced) ||
                    (COHORT_MUTATED (second_copy_unsynced) && i != self->first);
    rc = unsynced ? 0 : ops->sync (self->copies[i]);
    return rc == 0 ? 0 : fault_final (fault, names[i], "sync", rc);
}

/*  What was tried keeps its number: none is ever used twice, so the higher one was written last. */
static int write_both (struct meta_file *self, const struct store_meta *meta, struct fault *fault)
{
    uint8_t file[META_SIZE];
    unsigned first = self->first;
    for (unsigned n = 0; n < (COHORT_MUTATED (one_meta_copy) ? 1 : 2); n++) {
        unsigned i = n == 0 ? first : 1 - first;
        meta_encode (file, ++self->number, meta);
        int rc = write_copy (self, i, file, fault);
        if (rc != 0) {
            self->unsettled = true;
            self->first = i; /*  it may be torn now, and the other is sound */
            return rc;
        }
    }
    if (COHORT_MUTATED (one_meta_copy)) {
        self->first = 1 - self->first;
    }
    self->unsettled = false;
    self->meta = *meta;
    return 0;
}

/*  Where a file is not overwritten in place, but elsewhere and then exchanged (copy on write), this
 *  may find no room. */
int meta_write (struct meta_file *self, const struct store_meta *meta, struct fault *fault)
{
    int rc = write_both (self, meta, fault);
    if (rc != COHORT_EDISKFULL) {
        return rc;
    }
    struct fault second;
    bool used;
    int error = manifest_use_reserve (self->disk, &used, &second);
    if (error != 0) {
        *fault = second;
        return error;
    }
    return used ? write_both (self, meta, fault) : rc;
}

void meta_close (struct meta_file *self)
{
    for (unsigned i = 0; i < 2; i++) {
        if (self->copies[i] != NULL) {
            self->disk->ops->close (self->copies[i]);
            self->copies[i] = NULL;
        }
    }
}
