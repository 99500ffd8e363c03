/*
 *  server/store/memory_disk.c - files in memory, always durable
 *
 *  Pages of zeros take no memory, so that a segment filled with zeros ahead of time costs nothing.
 *  May include: base, disk.h, lock.h, named_files.h, errno.h.
 */
#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/container.h"
#include "server/store/disk.h"
#include "server/store/lock.h"
#include "server/store/named_files.h"

enum { PAGE_SIZE = 64 << 10 };

struct memory_disk {
    struct disk base;
    struct lock *lock;        /*  around everything: two threads use the disk */
    struct named_files files; /*  their blocks are pages; NULL: zeros */
    bool locked;
};

struct disk_file {
    struct memory_disk *disk;
    struct named_file *file;
};

static struct memory_disk *of (struct disk *disk)
{
    return container_of (disk, struct memory_disk, base);
}

static void free_file (struct named_file *file)
{
    mem_free (file);
}

static void destroy (struct disk *disk)
{
    struct memory_disk *self = of (disk);
    named_files_deinit (&self->files);
    lock_destroy (&self->lock);
    mem_free (self);
}

static int create (struct memory_disk *self, const char *name, struct named_file **file)
{
    struct named_file *made = mem_calloc (1, sizeof *made);
    if (made == NULL || !named_files_add (&self->files, made, name)) {
        mem_free (made);
        return -ENOMEM;
    }
    *file = made;
    return 0;
}

static int open_file (struct disk *disk, const char *name, bool creates, struct disk_file **file_p)
{
    struct memory_disk *self = of (disk);
    struct disk_file *file = mem_alloc (sizeof *file);
    if (file == NULL) {
        return -ENOMEM;
    }
    int rc = 0;
    lock_enter (self->lock);
    struct named_file *found = named_files_find (&self->files, name);
    if (creates) {
        rc = found == NULL ? create (self, name, &found) : -EEXIST;
    } else {
        rc = found != NULL ? 0 : -ENOENT;
    }
    if (rc == 0) {
        found->opened++;
        *file = (struct disk_file){.disk = self, .file = found};
        *file_p = file;
    } else {
        mem_free (file);
    }
    lock_leave (self->lock);
    return rc;
}

static void close_file (struct disk_file *file)
{
    struct memory_disk *self = file->disk;
    lock_enter (self->lock);
    named_files_close (&self->files, file->file);
    lock_leave (self->lock);
    mem_free (file);
}

static int size_of (struct disk_file *file, uint64_t *size)
{
    lock_enter (file->disk->lock);
    *size = file->file->size;
    lock_leave (file->disk->lock);
    return 0;
}

static size_t part_of (uint64_t offset, size_t size)
{
    size_t left = PAGE_SIZE - (size_t) (offset % PAGE_SIZE);
    return left < size ? left : size;
}

static int read_file (struct disk_file *file, uint64_t offset, void *data, size_t size,
                      size_t *done)
{
    const struct named_file *named = file->file;
    uint8_t *to = data;
    lock_enter (file->disk->lock);
    if (offset >= named->size) {
        size = 0;
    } else if (size > named->size - offset) {
        size = (size_t) (named->size - offset);
    }
    *done = size;
    while (size > 0) {
        size_t part = part_of (offset, size);
        size_t page = (size_t) (offset / PAGE_SIZE);
        if (page < named->blocks_count && named->blocks[page] != NULL) {
            memcpy (to, named->blocks[page] + offset % PAGE_SIZE, part);
        } else {
            memset (to, 0, part);
        }
        to += part;
        offset += part;
        size -= part;
    }
    lock_leave (file->disk->lock);
    return 0;
}

static bool is_zero (const uint8_t *at, size_t size)
{
    return at[0] == 0 && memcmp (at, at + 1, size - 1) == 0;
}

static int write_part (struct named_file *named, uint64_t offset, const uint8_t *from, size_t part)
{
    size_t page = (size_t) (offset / PAGE_SIZE);
    if (named->blocks[page] == NULL) {
        if (is_zero (from, part)) {
            return 0;
        }
        named->blocks[page] = mem_calloc (1, PAGE_SIZE);
        if (named->blocks[page] == NULL) {
            return -ENOMEM;
        }
    }
    memcpy (named->blocks[page] + offset % PAGE_SIZE, from, part);
    return 0;
}

static int write_file (struct disk_file *file, uint64_t offset, const void *data, size_t size)
{
    struct named_file *named = file->file;
    const uint8_t *from = data;
    uint64_t end = offset + size;
    lock_enter (file->disk->lock);
    bool grown = named_file_grow (named, (size_t) ((end + PAGE_SIZE - 1) / PAGE_SIZE));
    int rc = grown ? 0 : -ENOMEM;
    while (rc == 0 && size > 0) {
        size_t part = part_of (offset, size);
        rc = write_part (named, offset, from, part);
        from += part;
        offset += part;
        size -= part;
    }
    if (rc == 0 && end > named->size) {
        named->size = end;
    }
    lock_leave (file->disk->lock);
    return rc;
}

static int sync_file (struct disk_file *file)
{
    (void) file;
    return 0;
}

static int truncate_file (struct disk_file *file, uint64_t size)
{
    struct named_file *named = file->file;
    lock_enter (file->disk->lock);
    size_t page = (size_t) (size / PAGE_SIZE), inside = (size_t) (size % PAGE_SIZE);
    if (size < named->size) {
        if (inside > 0 && page < named->blocks_count && named->blocks[page] != NULL) {
            memset (named->blocks[page] + inside, 0, PAGE_SIZE - inside);
        }
        named_file_cut (named, page + (inside > 0 ? 1 : 0));
    }
    named->size = size;
    lock_leave (file->disk->lock);
    return 0;
}

static int rename_file (struct disk *disk, const char *from, const char *to)
{
    struct memory_disk *self = of (disk);
    lock_enter (self->lock);
    int rc = named_files_rename (&self->files, from, to);
    lock_leave (self->lock);
    return rc;
}

static int unlink_file (struct disk *disk, const char *name)
{
    struct memory_disk *self = of (disk);
    lock_enter (self->lock);
    int rc = named_files_unlink (&self->files, name);
    lock_leave (self->lock);
    return rc;
}

static int sync_names (struct disk *disk)
{
    (void) disk;
    return 0;
}

static int list_names (struct disk *disk, disk_name_fn *fn, void *arg)
{
    struct memory_disk *self = of (disk);
    lock_enter (self->lock);
    named_files_list (&self->files, fn, arg);
    lock_leave (self->lock);
    return 0;
}

static int space (struct disk *disk, uint64_t *bytes)
{
    (void) disk;
    *bytes = UINT64_MAX;
    return 0;
}

static int lock_folder (struct disk *disk)
{
    struct memory_disk *self = of (disk);
    if (self->locked) {
        return -EBUSY;
    }
    self->locked = true;
    return 0;
}

static const struct disk_ops memory_ops = {
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
    .list = list_names,
    .space = space,
    .lock = lock_folder,
};

struct disk *memory_disk_new (void)
{
    struct memory_disk *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->lock = lock_new ();
    if (self->lock == NULL) {
        mem_free (self);
        return NULL;
    }
    self->base.ops = &memory_ops;
    named_files_init (&self->files, free_file);
    return &self->base;
}
