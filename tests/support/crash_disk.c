/*
 *  tests/support/crash_disk.c - a disk that forgets what was not synced
 *
 *  The calls of struct disk; images and power cuts are in crash_image.c.
 */
#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "tests/support/crash_image.h"

struct crash_view {
    struct disk base;
    struct crash_disk *disk;
};

struct disk_file {
    struct crash_disk *disk;
    struct image *image;
    char name[CRASH_NAME_SIZE]; /*  as opened; for traces */
};

static struct crash_disk *of (struct disk *disk)
{
    return container_of (disk, struct crash_view, base)->disk;
}

/* ---- Faults ------------------------------------------------------------------------------ */

/*  What becomes of an operation. */
enum fate { FATE_DONE = 0, FATE_PARTLY, FATE_REFUSED };

static bool is_counted (const struct crash_disk *self, const char *operation, const char *name)
{
    static const char *const of_names[] = {"create", "rename", "unlink", "sync_names"};
    bool counted = !self->stop_names;
    for (size_t i = 0; i < sizeof of_names / sizeof of_names[0]; i++) {
        counted |= strcmp (operation, of_names[i]) == 0;
    }
    return counted && strncmp (name, self->stop_prefix, strlen (self->stop_prefix)) == 0;
}

void crash_disk_tell_strikes (struct crash_disk *self, crash_strike_fn *fn, void *arg)
{
    self->struck = fn;
    self->struck_arg = arg;
}

static void tell_strike (struct crash_disk *self, enum crash_strike what)
{
    if (self->struck != NULL) {
        self->struck (self->struck_arg, what);
    }
}

static enum fate fate_of (struct crash_disk *self, const char *operation, const char *name,
                          uint64_t offset, uint64_t size, int *error)
{
    *error = -EIO;
    if (self->stopped) {
        return FATE_REFUSED;
    }
    self->operations++;
    if (self->trace != NULL) {
        self->trace (self->trace_arg, operation, name, offset, size);
    }
    if (self->stop_at > 0 && is_counted (self, operation, name) && --self->stop_at == 0) {
        self->stopped = true;
        tell_strike (self, CRASH_STOPPED);
        return self->stop_whole ? FATE_DONE : FATE_PARTLY;
    }
    if (self->fail_at > 0 && --self->fail_at == 0) {
        self->failed = true;
        self->failures++;
        tell_strike (self, CRASH_FAILED);
        *error = self->fail_error;
        return FATE_PARTLY;
    }
    return FATE_DONE;
}

uint64_t crash_disk_operations (const struct crash_disk *self)
{
    return self->operations;
}

void crash_disk_stop_at (struct crash_disk *self, uint64_t n)
{
    self->stop_at = n;
    self->stop_whole = false;
}

void crash_disk_stop_after (struct crash_disk *self, uint64_t n)
{
    self->stop_at = n;
    self->stop_whole = true;
}

void crash_disk_count_all (struct crash_disk *self)
{
    self->stop_names = false;
    self->stop_prefix[0] = '\0';
}

void crash_disk_count_names (struct crash_disk *self)
{
    crash_disk_count_all (self);
    self->stop_names = true;
}

void crash_disk_count_files (struct crash_disk *self, const char *prefix)
{
    crash_disk_count_all (self);
    crash_set_name (self->stop_prefix, prefix);
}

void crash_disk_resume (struct crash_disk *self)
{
    COHORT_ASSERT (!self->opened);
    self->stopped = false;
}

bool crash_disk_stopped (const struct crash_disk *self)
{
    return self->stopped;
}

void crash_disk_fail_at (struct crash_disk *self, uint64_t n, int error)
{
    self->fail_at = n;
    self->fail_error = error;
    self->failed = false;
}

bool crash_disk_failed (const struct crash_disk *self)
{
    return self->failed;
}

void crash_disk_fail_read_at (struct crash_disk *self, uint64_t n)
{
    self->fail_read_at = n;
}

void crash_disk_spare (struct crash_disk *self, bool spared)
{
    self->spared = spared;
}

uint64_t crash_disk_failures (const struct crash_disk *self)
{
    return self->failures;
}

void crash_disk_set_space (struct crash_disk *self, uint64_t bytes)
{
    self->space = bytes;
}

void crash_disk_copy_on_write (struct crash_disk *self, bool copies)
{
    self->copies = copies;
}

void crash_disk_trace (struct crash_disk *self, crash_disk_trace_fn *fn, void *arg)
{
    self->trace = fn;
    self->trace_arg = arg;
}

static bool no_room_for_name (const struct crash_disk *self)
{
    return self->copies && crash_disk_used (self) + CRASH_SECTOR > self->space;
}

/* ---- Files ------------------------------------------------------------------------------- */

static void destroy (struct disk *disk)
{
    struct crash_disk *self = of (disk);
    COHORT_ASSERT (self->opened);
    self->opened = false;
    mem_free (container_of (disk, struct crash_view, base));
}

static int open_file (struct disk *disk, const char *name, bool create, struct disk_file **file_p)
{
    struct crash_disk *self = of (disk);
    struct image *image = crash_find (self, name);
    if (self->stopped) {
        return -EIO;
    }
    if ((image != NULL) == create) {
        return create ? -EEXIST : -ENOENT;
    }
    if (create) {
        int error;
        if (no_room_for_name (self)) {
            return -ENOSPC;
        }
        enum fate fate = fate_of (self, "create", name, 0, 0, &error);
        if (fate == FATE_REFUSED || (fate == FATE_PARTLY && !self->stopped)) {
            return error;
        }
        image = crash_create (self, name);
        if (fate == FATE_PARTLY) {
            crash_release (self, image);
            return error;
        }
    } else {
        image->references++;
    }
    struct disk_file *file = mem_calloc (1, sizeof *file);
    COHORT_ASSERT (file != NULL);
    file->disk = self;
    file->image = image;
    crash_set_name (file->name, name);
    *file_p = file;
    return 0;
}

static void close_file (struct disk_file *file)
{
    crash_release (file->disk, file->image);
    mem_free (file);
}

static int size_of (struct disk_file *file, uint64_t *size)
{
    if (file->disk->stopped) {
        return -EIO;
    }
    *size = file->image->cached.size;
    return 0;
}

static int read_file (struct disk_file *file, uint64_t offset, void *data, size_t size,
                      size_t *done)
{
    const struct bytes *bytes = &file->image->cached;
    if (file->disk->stopped) {
        return -EIO;
    }
    if (offset >= bytes->size) {
        size = 0;
    } else if (size > bytes->size - offset) {
        size = (size_t) (bytes->size - offset);
    }
    if (size > 0 && !file->disk->spared && crash_is_bad (file->image, offset, size)) {
        return -EIO;
    }
    if (!file->disk->spared && file->disk->fail_read_at > 0 && --file->disk->fail_read_at == 0) {
        file->disk->failures++;
        tell_strike (file->disk, CRASH_READ_FAILED);
        return -EIO;
    }
    if (size > 0) {
        memcpy (data, bytes->data + offset, size);
        if (file->disk->spared) {
            crash_read_right (file->image, offset, data, size);
        } else {
            crash_misread (file->disk, file->image, offset, data, size);
        }
    }
    *done = size;
    return 0;
}

static int write_file (struct disk_file *file, uint64_t offset, const void *data, size_t size)
{
    struct crash_disk *self = file->disk;
    int error;
    enum fate fate = fate_of (self, "write", file->name, offset, size, &error);
    if (fate == FATE_REFUSED) {
        return error;
    }
    uint64_t end = offset + size, old = file->image->cached.size;
    uint64_t more = self->copies ? size : end > old ? end - old : 0;
    bool full = more > 0 && crash_disk_used (self) + more > self->space;
    if (fate == FATE_PARTLY || full) {
        /*  A part of it, but whole sectors. */
        uint64_t stop = full && !self->copies ? old : end;
        stop = offset + (stop > offset ? prng_below (&self->prng, stop - offset + 1) : 0);
        stop = stop / CRASH_SECTOR * CRASH_SECTOR;
        size = stop > offset ? (size_t) (stop - offset) : 0;
    }
    if (size > 0) {
        crash_write (self, file->image, offset, data, size);
    }
    return fate == FATE_PARTLY ? error : full ? -ENOSPC : 0;
}

uint64_t crash_disk_allocated (const struct crash_disk *self)
{
    return self->allocated;
}

/*  As zeros that are written: they, too, are there or not after a crash, and never anything else.
 */
static int allocate_file (struct disk_file *file, uint64_t offset, uint64_t size)
{
    static const uint8_t zeros[64 << 10];
    int rc = 0;
    file->disk->allocated += size;
    for (uint64_t at = 0; at < size && rc == 0; at += sizeof zeros) {
        size_t part = size - at < sizeof zeros ? (size_t) (size - at) : sizeof zeros;
        rc = write_file (file, offset + at, zeros, part);
    }
    return rc;
}

static int sync_file (struct disk_file *file)
{
    int error;
    switch (fate_of (file->disk, "sync", file->name, 0, 0, &error)) {
    case FATE_DONE:
        crash_sync (file->image);
        return 0;
    case FATE_PARTLY:
        if (!file->disk->stopped) {
            crash_sync_fails (file->disk, file->image);
        }
        return error;
    case FATE_REFUSED:
        break;
    }
    return error;
}

static int truncate_file (struct disk_file *file, uint64_t size)
{
    int error;
    if (fate_of (file->disk, "truncate", file->name, 0, size, &error) != FATE_DONE) {
        return error;
    }
    crash_truncate (file->image, size);
    return 0;
}

static int rename_file (struct disk *disk, const char *from, const char *to)
{
    struct crash_disk *self = of (disk);
    int error;
    if (!self->stopped && no_room_for_name (self)) {
        return -ENOSPC;
    }
    enum fate fate = fate_of (self, "rename", to, 0, 0, &error);
    if (fate == FATE_REFUSED || (fate == FATE_PARTLY && !self->stopped)) {
        return error;
    }
    if (crash_find (self, from) == NULL) {
        return -ENOENT;
    }
    crash_rename (self, from, to);
    return fate == FATE_DONE ? 0 : error;
}

static int unlink_file (struct disk *disk, const char *name)
{
    struct crash_disk *self = of (disk);
    if (!self->stopped && crash_find (self, name) == NULL) {
        return -ENOENT;
    }
    int error;
    enum fate fate = fate_of (self, "unlink", name, 0, 0, &error);
    if (fate == FATE_REFUSED || (fate == FATE_PARTLY && !self->stopped)) {
        return error;
    }
    crash_unlink (self, name);
    return fate == FATE_DONE ? 0 : error;
}

static int sync_names (struct disk *disk)
{
    int error;
    if (fate_of (of (disk), "sync_names", "", 0, 0, &error) != FATE_DONE) {
        return error;
    }
    crash_sync_names (of (disk));
    return 0;
}

static int list_names (struct disk *disk, disk_name_fn *fn, void *arg)
{
    const struct crash_disk *self = of (disk);
    if (self->stopped) {
        return -EIO;
    }
    for (size_t i = 0; i < self->cached.count; i++) {
        fn (arg, self->cached.names[i].name);
    }
    return 0;
}

static int space (struct disk *disk, uint64_t *bytes)
{
    const struct crash_disk *self = of (disk);
    uint64_t used = crash_disk_used (self);
    *bytes = self->space > used ? self->space - used : 0;
    return 0;
}

/*  The lock ends with the process, and only one is opened at a time. */
static int lock (struct disk *disk)
{
    return of (disk)->stopped ? -EIO : 0;
}

static const struct disk_ops crash_ops = {
    .destroy = destroy,
    .open = open_file,
    .close = close_file,
    .size = size_of,
    .read = read_file,
    .write = write_file,
    .allocate = allocate_file,
    .sync = sync_file,
    .truncate = truncate_file,
    .rename = rename_file,
    .unlink = unlink_file,
    .sync_names = sync_names,
    .list = list_names,
    .space = space,
    .lock = lock,
};

struct disk *crash_disk_open (struct crash_disk *self)
{
    COHORT_ASSERT (!self->opened);
    struct crash_view *view = mem_calloc (1, sizeof *view);
    COHORT_ASSERT (view != NULL);
    view->base.ops = &crash_ops;
    view->disk = self;
    self->opened = true;
    return &view->base;
}
