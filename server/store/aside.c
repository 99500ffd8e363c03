/*
 *  server/store/aside.c - damaged files are kept, out of the way
 */
#include "server/store/aside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"

enum { PIECE = 64 << 10, BLOCK = 4096 };

void aside_note (struct aside *self, const char *format, ...)
{
    size_t used = strlen (self->text);
    if (used > 0 && used + 2 < sizeof self->text) {
        memcpy (self->text + used, "; ", 3);
        used += 2;
    }
    va_list args;
    va_start (args, format);
    (void) vsnprintf (self->text + used, sizeof self->text - used, format, args);
    va_end (args);
}

int aside_move (struct aside *self, struct disk *disk, const char *name, struct fault *fault)
{
    char to[NAME_SIZE];
    bool fits = name_aside (to, self->number, name);
    COHORT_ASSERT (fits);
    int rc = disk->ops->rename (disk, name, to);
    if (rc == -ENOENT) {
        return 0;
    }
    if (rc != 0) {
        return fault_disk (fault, name, "rename", rc);
    }
    aside_note (self, "%s is kept as %s", name, to);
    return 0;
}

/*  Reads a piece, block by block where that is the only way.  The rest of the piece becomes zeros.
 */
static int read_piece (struct disk *disk, struct disk_file *file, uint64_t offset, uint8_t *bytes,
                       size_t size)
{
    size_t done = 0;
    int rc = disk->ops->read (file, offset, bytes, size, &done);
    if (rc == 0) {
        memset (bytes + done, 0, size - done);
    }
    if (rc != -EIO) {
        return rc;
    }
    memset (bytes, 0, size);
    for (size_t at = 0; at < size; at += BLOCK) {
        size_t part = size - at < BLOCK ? size - at : BLOCK;
        rc = disk->ops->read (file, offset + at, bytes + at, part, &done);
        if (rc == -EIO) {
            memset (bytes + at, 0, part);
        } else if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int copy_bytes (struct disk *disk, struct disk_file *from, struct disk_file *to,
                       const char *name, struct fault *fault)
{
    uint64_t size;
    int rc = disk->ops->size (from, &size);
    if (rc != 0) {
        return fault_final (fault, name, "size", rc);
    }
    uint8_t *bytes = mem_alloc (PIECE);
    if (bytes == NULL) {
        return fault_memory (fault);
    }
    rc = 0;
    for (uint64_t at = 0; at < size && rc == 0; at += PIECE) {
        size_t part = size - at < PIECE ? (size_t) (size - at) : PIECE;
        int error = read_piece (disk, from, at, bytes, part);
        if (error != 0) {
            rc = fault_final (fault, name, "read", error);
        } else {
            error = disk->ops->write (to, at, bytes, part);
            rc = error == 0 ? 0 : fault_disk (fault, name, "keep a copy", error);
        }
    }
    mem_free (bytes);
    return rc;
}

static int make_copy (struct disk *disk, struct disk_file *from, const char *name, const char *copy,
                      struct fault *fault)
{
    struct disk_file *to;
    int rc = disk->ops->open (disk, copy, true, &to);
    if (rc != 0) {
        return fault_disk (fault, copy, "create", rc);
    }
    rc = copy_bytes (disk, from, to, name, fault);
    if (rc == 0) {
        int error = disk->ops->sync (to);
        rc = error == 0 ? 0 : fault_final (fault, copy, "sync", error);
    }
    disk->ops->close (to);
    return rc;
}

int aside_copy (struct aside *self, struct disk *disk, const char *name, struct fault *fault)
{
    char to[NAME_SIZE];
    bool fits = name_aside (to, self->number, name);
    COHORT_ASSERT (fits);
    struct disk_file *from;
    int rc = disk->ops->open (disk, name, false, &from);
    if (rc != 0) {
        return rc == -ENOENT ? 0 : fault_final (fault, name, "open", rc);
    }
    rc = make_copy (disk, from, name, to, fault);
    disk->ops->close (from);
    if (rc == 0) {
        aside_note (self, "a copy of %s is kept as %s", name, to);
    } else if (rc == COHORT_EDISKFULL) {
        int error = disk->ops->unlink (disk, to);
        if (error != 0 && error != -ENOENT) {
            return fault_final (fault, to, "unlink", error);
        }
    }
    return rc;
}
