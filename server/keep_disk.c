/*
 * server/keep_disk.c - a disk that outlives its store
 */
#include "server/keep_disk.h"

#include "client/base/alloc.h"

struct keep_disk {
    struct disk base;
    struct disk *inner;
};

static struct disk *inner (struct disk *self)
{
    return ((struct keep_disk *) self)->inner;
}

static void keep_destroy (struct disk *self)
{
    mem_free (self);
}

static int keep_open (struct disk *self, const char *name, bool create, struct disk_file **file)
{
    return inner (self)->ops->open (inner (self), name, create, file);
}

static int keep_rename (struct disk *self, const char *from, const char *to)
{
    return inner (self)->ops->rename (inner (self), from, to);
}

static int keep_unlink (struct disk *self, const char *name)
{
    return inner (self)->ops->unlink (inner (self), name);
}

static int keep_sync_names (struct disk *self)
{
    return inner (self)->ops->sync_names (inner (self));
}

static int keep_list (struct disk *self, disk_name_fn *fn, void *arg)
{
    return inner (self)->ops->list (inner (self), fn, arg);
}

static int keep_space (struct disk *self, uint64_t *bytes)
{
    return inner (self)->ops->space (inner (self), bytes);
}

/* There is but one store on it at a time: its server is the only one that knows the disk. */
static int keep_lock (struct disk *self)
{
    (void) self;
    return 0;
}

struct disk *keep_disk_new (struct disk *disk)
{
    struct keep_disk *self = mem_alloc (sizeof *self + sizeof (struct disk_ops));
    if (!self) {
        return NULL;
    }
    struct disk_ops *ops = (struct disk_ops *) (self + 1);
    *ops = *disk->ops; /* the calls on an open file go straight to it */
    ops->destroy = keep_destroy;
    ops->open = keep_open;
    ops->rename = keep_rename;
    ops->unlink = keep_unlink;
    ops->sync_names = keep_sync_names;
    ops->list = keep_list;
    ops->space = keep_space;
    ops->lock = keep_lock;
    self->base.ops = ops;
    self->inner = disk;
    return &self->base;
}
