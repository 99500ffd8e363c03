/*
 * server/failpoints/disk.c - a disk whose calls pass the points
 */
#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/container.h"
#include "server/failpoints/failpoints.h"

struct failing_disk {
    struct disk base;
    struct disk_ops ops;
    struct disk *inner;
};

struct disk_file {
    struct disk *disk; /* the inner one */
    struct disk_file *inner;
    bool log; /* a segment */
};

static struct disk *inner_of (struct disk *disk)
{
    return container_of (disk, struct failing_disk, base)->inner;
}

static void destroy (struct disk *disk)
{
    struct failing_disk *self = container_of (disk, struct failing_disk, base);
    self->inner->ops->destroy (self->inner);
    mem_free (self);
}

static int open_file (struct disk *disk, const char *name, bool create, struct disk_file **file_p)
{
    bool log = strncmp (name, "log.", 4) == 0;
    int rc = log && create ? failpoint (FAIL_STORE_APPEND) : 0;
    struct disk_file *file = rc == 0 ? mem_alloc (sizeof *file) : NULL;
    if (file == NULL) {
        return rc != 0 ? rc : -ENOMEM;
    }
    file->disk = inner_of (disk);
    file->log = log;
    rc = file->disk->ops->open (file->disk, name, create, &file->inner);
    if (rc != 0) {
        mem_free (file);
        return rc;
    }
    *file_p = file;
    return 0;
}

static void close_file (struct disk_file *file)
{
    file->disk->ops->close (file->inner);
    mem_free (file);
}

static int size_of (struct disk_file *file, uint64_t *size)
{
    return file->disk->ops->size (file->inner, size);
}

static int read_file (struct disk_file *file, uint64_t offset, void *data, size_t size,
                      size_t *done)
{
    int rc = failpoint (FAIL_STORE_READ);
    return rc != 0 ? rc : file->disk->ops->read (file->inner, offset, data, size, done);
}

static int write_file (struct disk_file *file, uint64_t offset, const void *data, size_t size)
{
    uint64_t old = 0;
    int rc = file->log ? file->disk->ops->size (file->inner, &old) : 0;
    if (rc == 0 && file->log && offset + size > old) {
        rc = failpoint (FAIL_STORE_APPEND);
    }
    rc = rc != 0 ? rc : failpoint (FAIL_STORE_WRITE);
    return rc != 0 ? rc : file->disk->ops->write (file->inner, offset, data, size);
}

static int sync_file (struct disk_file *file)
{
    int rc = failpoint (FAIL_STORE_FSYNC);
    return rc != 0 ? rc : file->disk->ops->sync (file->inner);
}

static int truncate_file (struct disk_file *file, uint64_t size)
{
    return file->disk->ops->truncate (file->inner, size);
}

static int rename_file (struct disk *disk, const char *from, const char *to)
{
    int rc = failpoint (FAIL_STORE_RENAME);
    return rc != 0 ? rc : inner_of (disk)->ops->rename (inner_of (disk), from, to);
}

static int unlink_file (struct disk *disk, const char *name)
{
    int rc = failpoint (FAIL_STORE_UNLINK);
    return rc != 0 ? rc : inner_of (disk)->ops->unlink (inner_of (disk), name);
}

static int sync_names (struct disk *disk)
{
    int rc = failpoint (FAIL_STORE_NAMES);
    return rc != 0 ? rc : inner_of (disk)->ops->sync_names (inner_of (disk));
}

static int list (struct disk *disk, disk_name_fn *fn, void *arg)
{
    return inner_of (disk)->ops->list (inner_of (disk), fn, arg);
}

static int space (struct disk *disk, uint64_t *bytes)
{
    return inner_of (disk)->ops->space (inner_of (disk), bytes);
}

static int lock (struct disk *disk)
{
    return inner_of (disk)->ops->lock (inner_of (disk));
}

struct disk *failpoints_disk (struct disk *inner)
{
    static const struct disk_ops ops = {
        .destroy = destroy,
        .open = open_file,
        .close = close_file,
        .size = size_of,
        .read = read_file,
        .write = write_file,
        .sync = sync_file,
        .truncate = truncate_file,
        .rename = rename_file,
        .unlink = unlink_file,
        .sync_names = sync_names,
        .list = list,
        .space = space,
        .lock = lock,
    };
    struct failing_disk *self = mem_alloc (sizeof *self);
    if (self == NULL) {
        inner->ops->destroy (inner);
        return NULL;
    }
    self->ops = ops;
    self->base.ops = &self->ops;
    self->inner = inner;
    return &self->base;
}
