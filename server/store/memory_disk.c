/*
 *  server/store/memory_disk.c - files in memory, always durable
 *
 *  Pages of zeros take no memory, so that a segment filled with zeros ahead of time costs nothing.
 *  May include: base, disk.h, lock.h, errno.h.
 */
#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/container.h"
#include "client/base/list.h"
#include "server/store/disk.h"
#include "server/store/lock.h"

enum { PAGE_SIZE = 64 << 10 };

struct inode {
    struct list_node node; /*  in the disk's list while it has a name */
    char *name;
    unsigned opened;
    uint64_t size;
    uint8_t **pages; /*  NULL: zeros */
    size_t pages_count;
};

struct memory_disk {
    struct disk base;
    struct lock *lock; /*  around everything: two threads use the disk */
    struct list inodes;
    bool locked;
};

struct disk_file {
    struct memory_disk *disk;
    struct inode *inode;
};

static struct memory_disk *of (struct disk *disk)
{
    return container_of (disk, struct memory_disk, base);
}

static struct inode *find (struct memory_disk *self, const char *name)
{
    for (struct list_node *at = list_first (&self->inodes); at != NULL;
         at = list_next (&self->inodes, at)) {
        struct inode *inode = list_entry (at, struct inode, node);
        if (strcmp (inode->name, name) == 0) {
            return inode;
        }
    }
    return NULL;
}

static void cut_pages (struct inode *inode, size_t count)
{
    while (inode->pages_count > count) {
        mem_free (inode->pages[--inode->pages_count]);
    }
}

/*  Gone when it has neither a name nor a user. */
static void release (struct inode *inode)
{
    if (!list_linked (&inode->node) && inode->opened == 0) {
        cut_pages (inode, 0);
        mem_free (inode->pages);
        mem_free (inode->name);
        mem_free (inode);
    }
}

static void destroy (struct disk *disk)
{
    struct memory_disk *self = of (disk);
    struct list_node *node;
    while ((node = list_pop_front (&self->inodes)) != NULL) {
        struct inode *inode = list_entry (node, struct inode, node);
        COHORT_ASSERT (inode->opened == 0);
        release (inode);
    }
    lock_destroy (&self->lock);
    mem_free (self);
}

static struct inode *create_inode (const char *name)
{
    struct inode *inode = mem_calloc (1, sizeof *inode);
    if (inode == NULL) {
        return NULL;
    }
    inode->name = mem_strdup (name);
    if (inode->name == NULL) {
        mem_free (inode);
        return NULL;
    }
    return inode;
}

static int open_file (struct disk *disk, const char *name, bool create, struct disk_file **file_p)
{
    struct memory_disk *self = of (disk);
    struct disk_file *file = mem_alloc (sizeof *file);
    if (file == NULL) {
        return -ENOMEM;
    }
    int rc = 0;
    lock_enter (self->lock);
    struct inode *inode = find (self, name);
    if (create && inode != NULL) {
        rc = -EEXIST;
    } else if (!create && inode == NULL) {
        rc = -ENOENT;
    } else if (create) {
        inode = create_inode (name);
        if (inode == NULL) {
            rc = -ENOMEM;
        } else {
            list_push_back (&self->inodes, &inode->node);
        }
    }
    if (rc == 0) {
        inode->opened++;
        *file = (struct disk_file){.disk = self, .inode = inode};
        *file_p = file;
    } else {
        mem_free (file);
    }
    lock_leave (self->lock);
    return rc;
}

static void close_file (struct disk_file *file)
{
    struct lock *lock = file->disk->lock;
    lock_enter (lock);
    COHORT_ASSERT (file->inode->opened > 0);
    file->inode->opened--;
    release (file->inode);
    lock_leave (lock);
    mem_free (file);
}

static int size_of (struct disk_file *file, uint64_t *size)
{
    lock_enter (file->disk->lock);
    *size = file->inode->size;
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
    const struct inode *inode = file->inode;
    uint8_t *to = data;
    lock_enter (file->disk->lock);
    if (offset >= inode->size) {
        size = 0;
    } else if (size > inode->size - offset) {
        size = (size_t) (inode->size - offset);
    }
    *done = size;
    while (size > 0) {
        size_t part = part_of (offset, size);
        size_t page = (size_t) (offset / PAGE_SIZE);
        if (page < inode->pages_count && inode->pages[page] != NULL) {
            memcpy (to, inode->pages[page] + offset % PAGE_SIZE, part);
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

static int grow (struct inode *inode, size_t count)
{
    if (count <= inode->pages_count) {
        return 0;
    }
    uint8_t **pages = mem_realloc (inode->pages, count * sizeof *pages);
    if (pages == NULL) {
        return -ENOMEM;
    }
    memset (pages + inode->pages_count, 0, (count - inode->pages_count) * sizeof *pages);
    inode->pages = pages;
    inode->pages_count = count;
    return 0;
}

static bool is_zero (const uint8_t *at, size_t size)
{
    return at[0] == 0 && memcmp (at, at + 1, size - 1) == 0;
}

static int write_part (struct inode *inode, uint64_t offset, const uint8_t *from, size_t part)
{
    size_t page = (size_t) (offset / PAGE_SIZE);
    if (inode->pages[page] == NULL) {
        if (is_zero (from, part)) {
            return 0;
        }
        inode->pages[page] = mem_calloc (1, PAGE_SIZE);
        if (inode->pages[page] == NULL) {
            return -ENOMEM;
        }
    }
    memcpy (inode->pages[page] + offset % PAGE_SIZE, from, part);
    return 0;
}

static int write_file (struct disk_file *file, uint64_t offset, const void *data, size_t size)
{
    struct inode *inode = file->inode;
    const uint8_t *from = data;
    uint64_t end = offset + size;
    lock_enter (file->disk->lock);
    int rc = grow (inode, (size_t) ((end + PAGE_SIZE - 1) / PAGE_SIZE));
    while (rc == 0 && size > 0) {
        size_t part = part_of (offset, size);
        rc = write_part (inode, offset, from, part);
        from += part;
        offset += part;
        size -= part;
    }
    if (rc == 0 && end > inode->size) {
        inode->size = end;
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
    struct inode *inode = file->inode;
    lock_enter (file->disk->lock);
    size_t page = (size_t) (size / PAGE_SIZE), inside = (size_t) (size % PAGE_SIZE);
    if (size < inode->size) {
        if (inside > 0 && page < inode->pages_count && inode->pages[page] != NULL) {
            memset (inode->pages[page] + inside, 0, PAGE_SIZE - inside);
        }
        cut_pages (inode, page + (inside > 0 ? 1 : 0));
    }
    inode->size = size;
    lock_leave (file->disk->lock);
    return 0;
}

static int rename_file (struct disk *disk, const char *from, const char *to)
{
    struct memory_disk *self = of (disk);
    char *name = mem_strdup (to);
    if (name == NULL) {
        return -ENOMEM;
    }
    int rc = 0;
    lock_enter (self->lock);
    struct inode *inode = find (self, from), *old = find (self, to);
    if (inode == NULL) {
        rc = -ENOENT;
        mem_free (name);
    } else {
        if (old != NULL && old != inode) {
            list_remove (&old->node);
            release (old);
        }
        mem_free (inode->name);
        inode->name = name;
    }
    lock_leave (self->lock);
    return rc;
}

static int unlink_file (struct disk *disk, const char *name)
{
    struct memory_disk *self = of (disk);
    lock_enter (self->lock);
    struct inode *inode = find (self, name);
    if (inode != NULL) {
        list_remove (&inode->node);
        release (inode);
    }
    lock_leave (self->lock);
    return inode != NULL ? 0 : -ENOENT;
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
    for (struct list_node *at = list_first (&self->inodes); at != NULL;
         at = list_next (&self->inodes, at)) {
        fn (arg, list_entry (at, struct inode, node)->name);
    }
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
    list_init (&self->inodes);
    return &self->base;
}
