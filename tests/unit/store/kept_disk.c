/*
 *  tests/unit/store/kept_disk.c - passes everything on to a disk, which survives its destroy
 */
#include "tests/unit/store/kept_disk.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/container.h"

struct kept_disk {
    struct disk base;
    struct disk_ops ops; /*  the files' operations are the disk's own */
    struct disk *disk;
};

static struct disk *under (struct disk *self)
{
    return container_of (self, struct kept_disk, base)->disk;
}

static void destroy (struct disk *self)
{
    mem_free (container_of (self, struct kept_disk, base));
}

static int open_file (struct disk *self, const char *name, bool create, struct disk_file **file)
{
    return under (self)->ops->open (under (self), name, create, file);
}

static int rename_file (struct disk *self, const char *from, const char *to)
{
    return under (self)->ops->rename (under (self), from, to);
}

static int unlink_file (struct disk *self, const char *name)
{
    return under (self)->ops->unlink (under (self), name);
}

static int sync_names (struct disk *self)
{
    return under (self)->ops->sync_names (under (self));
}

static int list_names (struct disk *self, disk_name_fn *fn, void *arg)
{
    return under (self)->ops->list (under (self), fn, arg);
}

static int space (struct disk *self, uint64_t *bytes)
{
    return under (self)->ops->space (under (self), bytes);
}

static int lock (struct disk *self)
{
    (void) self; /*  the lock would outlive the store */
    return 0;
}

struct disk *kept_disk_new (struct disk *disk)
{
    struct kept_disk *self = mem_calloc (1, sizeof *self);
    self->disk = disk;
    self->ops = *disk->ops;
    self->ops.destroy = destroy;
    self->ops.open = open_file;
    self->ops.rename = rename_file;
    self->ops.unlink = unlink_file;
    self->ops.sync_names = sync_names;
    self->ops.list = list_names;
    self->ops.space = space;
    self->ops.lock = lock;
    self->base.ops = &self->ops;
    return &self->base;
}

struct count {
    const char *prefix;
    size_t count;
};

static void count_name (void *arg, const char *name)
{
    struct count *count = arg;
    count->count += strncmp (name, count->prefix, strlen (count->prefix)) == 0 ? 1 : 0;
}

size_t kept_disk_count (struct disk *self, const char *prefix)
{
    struct count count = {.prefix = prefix};
    (void) self->ops->list (self, count_name, &count);
    return count.count;
}
