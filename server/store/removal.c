/*
 *  server/store/removal.c - files that no manifest names any more, and how they go
 */
#include "server/store/removal.h"

#include <errno.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/store/manifest.h"

void removal_init (struct removal *self, struct disk *disk, uint64_t step)
{
    COHORT_ASSERT (step > 0);
    *self = (struct removal){.disk = disk, .step = step};
}

static void close_file (struct removal *self)
{
    if (self->file != NULL) {
        self->disk->ops->close (self->file);
        self->file = NULL;
    }
}

void removal_deinit (struct removal *self)
{
    close_file (self);
    mem_free (self->names);
    self->names = NULL;
    self->count = 0;
}

/* ---- What is to go ----------------------------------------------------------------------- */

static bool has_snapshot (const struct manifest *manifest, uint64_t serial)
{
    for (size_t i = 0; i < manifest->snapshots_count; i++) {
        if (manifest->snapshots[i].serial == serial) {
            return true;
        }
    }
    return false;
}

bool removal_add (struct removal *self, const struct manifest *old, const struct manifest *manifest)
{
    size_t most = self->count + old->spans_count + old->snapshots_count;
    char (*names)[NAME_SIZE] = mem_realloc (self->names, (most + 1) * sizeof *names);
    if (names == NULL) {
        return false;
    }
    self->names = names;
    close_file (self); /*  the last may be another one now */
    for (size_t i = old->snapshots_count; i-- > 0;) {
        if (!has_snapshot (manifest, old->snapshots[i].serial)) {
            name_snapshot (names[self->count++], old->snapshots[i].point.zxid,
                           old->snapshots[i].serial);
        }
    }
    for (size_t i = old->spans_count; i-- > 0;) {
        if (!manifest_has_segment (manifest, old->spans[i].segment)) {
            name_segment (names[self->count++], old->spans[i].segment);
        }
    }
    COHORT_ASSERT (self->count <= most);
    return true;
}

/* ---- How it goes ------------------------------------------------------------------------- */

static int unlink_last (struct removal *self, struct fault *fault)
{
    COHORT_ASSERT (self->count > 0);
    close_file (self);
    const char *name = self->names[self->count - 1];
    int rc = self->disk->ops->unlink (self->disk, name);
    if (rc != 0 && rc != -ENOENT) {
        return fault_final (fault, name, "unlink", rc);
    }
    self->count--;
    return 0;
}

/*  Its length, or 0 if that cannot be told: then it goes at once. */
static uint64_t open_last (struct removal *self)
{
    const struct disk_ops *ops = self->disk->ops;
    uint64_t size = 0;
    if (ops->open (self->disk, self->names[self->count - 1], false, &self->file) != 0) {
        self->file = NULL;
        return 0;
    }
    return ops->size (self->file, &size) == 0 ? size : 0;
}

/*  Want of space, where even that takes some, is none of a file that goes. */
static int shorten_last (struct removal *self, struct fault *fault)
{
    uint64_t left = self->left - self->step;
    int rc = self->disk->ops->truncate (self->file, left);
    if (rc != 0 && rc != -ENOSPC) {
        return fault_final (fault, self->names[self->count - 1], "truncate", rc);
    }
    self->left = rc == 0 ? left : 0;
    return 0;
}

int removal_step (struct removal *self, bool *over, struct fault *fault)
{
    int rc = 0;
    if (self->count > 0) {
        self->left = self->file != NULL ? self->left : open_last (self);
        rc = self->left > self->step ? shorten_last (self, fault) : unlink_last (self, fault);
    }
    *over = self->count == 0;
    return rc;
}

int removal_finish (struct removal *self, struct fault *fault)
{
    int rc = 0;
    while (self->count > 0 && rc == 0) {
        rc = unlink_last (self, fault);
    }
    return rc;
}
