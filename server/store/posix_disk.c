/*
 *  server/store/posix_disk.c - a folder of the file system
 *
 *  May include: base, disk.h, POSIX, and Linux for statx and fallocate.
 */
#define _FILE_OFFSET_BITS 64
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/container.h"
#include "server/store/disk.h"

_Static_assert(sizeof (off_t) == 8, "segments and snapshots may be large");

/*  Connections may take all descriptors of the process, and must not bring the log to an end: so
 *  many files can be opened all the same. */
enum { SPARES = 8 };

struct posix_disk {
    struct disk base;
    int folder;
    char *path; /*  libc's: where a start looks for the folder; NULL: nobody asks */
    int lock;   /*  -1: not taken */
    /*  Other descriptors of the folder, to be given up for files; -1: none.  Of all threads. */
    _Atomic int spares[SPARES];
};

struct disk_file {
    int fd;
    struct posix_disk *disk; /*  with spares; NULL: none */
};

static struct posix_disk *of (struct disk *disk)
{
    return container_of (disk, struct posix_disk, base);
}

/* ---- Descriptors ------------------------------------------------------------------------- */

/*  false: there is none any more. */
static bool give_up_spare (struct posix_disk *self)
{
    for (size_t i = 0; i < SPARES; i++) {
        int fd = atomic_exchange (&self->spares[i], -1);
        if (fd >= 0) {
            (void) close (fd);
            return true;
        }
    }
    return false;
}

/*  false: there are enough. */
static bool keep_spare (struct posix_disk *self, int fd)
{
    for (size_t i = 0; i < SPARES; i++) {
        int none = -1;
        if (atomic_compare_exchange_strong (&self->spares[i], &none, fd)) {
            return true;
        }
    }
    return false;
}

static bool lacks_spares (struct posix_disk *self)
{
    for (size_t i = 0; i < SPARES; i++) {
        if (atomic_load (&self->spares[i]) < 0) {
            return true;
        }
    }
    return false;
}

static void keep_spares (struct posix_disk *self)
{
    while (lacks_spares (self)) {
        int fd = fcntl (self->folder, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            return;
        }
        if (!keep_spare (self, fd)) {
            (void) close (fd);
        }
    }
}

/*  A descriptor that is let go would be somebody else's at once: this one becomes a spare without
 *  that. */
static void close_descriptor (struct posix_disk *self, int fd)
{
    if (self != NULL && lacks_spares (self) && dup2 (self->folder, fd) == fd) {
        (void) fcntl (fd, F_SETFD, FD_CLOEXEC);
        if (keep_spare (self, fd)) {
            return;
        }
    }
    (void) close (fd);
}

static void destroy (struct disk *disk)
{
    struct posix_disk *self = of (disk);
    while (give_up_spare (self)) {
    }
    if (self->lock >= 0) {
        (void) close (self->lock);
    }
    (void) close (self->folder);
    free (self->path);
    mem_free (self);
}

/*  Whatever stands under the name, this does not wait for anybody, as it would with a pipe. */
static int open_regular (int folder, const char *name, int flags)
{
    struct stat status;
    int fd;
    do {
        fd = openat (folder, name, flags | O_NONBLOCK | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return errno == EDQUOT ? -ENOSPC : -errno;
    }
    int error = fstat (fd, &status) != 0   ? errno
                : S_ISREG (status.st_mode) ? 0
                : S_ISDIR (status.st_mode) ? EISDIR
                                           : ENXIO;
    if (error != 0) {
        (void) close (fd);
        return -error;
    }
    return fd;
}

static int open_at (int folder, const char *name, int flags, struct disk_file **file_p)
{
    struct disk_file *file = mem_alloc (sizeof *file);
    if (file == NULL) {
        return -ENOMEM;
    }
    file->disk = NULL;
    file->fd = open_regular (folder, name, flags);
    if (file->fd < 0) {
        int rc = file->fd;
        mem_free (file);
        return rc;
    }
    *file_p = file;
    return 0;
}

static int open_file (struct disk *disk, const char *name, bool create, struct disk_file **file_p)
{
    struct posix_disk *self = of (disk);
    int flags = O_RDWR | (create ? O_CREAT | O_EXCL : 0);
    COHORT_ASSERT (strchr (name, '/') == NULL);
    int rc = open_at (self->folder, name, flags, file_p);
    while ((rc == -EMFILE || rc == -ENFILE) && give_up_spare (self)) {
        rc = open_at (self->folder, name, flags, file_p);
    }
    if (rc == 0) {
        (*file_p)->disk = self;
    }
    /*  A new file may wait, as it does where the disk is full. */
    return create && (rc == -EMFILE || rc == -ENFILE) ? -ENOSPC : rc;
}

static void close_file (struct disk_file *file)
{
    close_descriptor (file->disk, file->fd); /*  what matters was synced */
    mem_free (file);
}

static int size_of (struct disk_file *file, uint64_t *size)
{
    struct stat status;
    if (fstat (file->fd, &status) != 0) {
        return -errno;
    }
    *size = (uint64_t) status.st_size;
    return 0;
}

static int read_file (struct disk_file *file, uint64_t offset, void *data, size_t size,
                      size_t *done)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = pread (file->fd, (char *) data + got, size - got, (off_t) (offset + got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        got += (size_t) n;
    }
    *done = got;
    return 0;
}

static int write_file (struct disk_file *file, uint64_t offset, const void *data, size_t size)
{
    size_t put = 0;
    while (put < size) {
        ssize_t n =
            pwrite (file->fd, (const char *) data + put, size - put, (off_t) (offset + put));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EDQUOT ? -ENOSPC : -errno;
        }
        if (n == 0) {
            return -EIO;
        }
        put += (size_t) n;
    }
    return 0;
}

static int allocate_file (struct disk_file *file, uint64_t offset, uint64_t size)
{
    int rc;
    do {
        rc = fallocate (file->fd, 0, (off_t) offset, (off_t) size);
    } while (rc != 0 && errno == EINTR);
    if (rc == 0) {
        return 0;
    }
    return errno == EDQUOT ? -ENOSPC : errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

/*  Whether a start would find another folder there, or none: somebody has moved this one. */
static bool is_elsewhere (const struct posix_disk *self)
{
    struct stat here, there;
    if (self == NULL || self->path == NULL || fstat (self->folder, &here) != 0) {
        return false;
    }
    if (stat (self->path, &there) != 0) {
        return errno == ENOENT || errno == ENOTDIR;
    }
    return here.st_ino != there.st_ino || here.st_dev != there.st_dev;
}

/*  Sizes are metadata that fdatasync must write: they are needed to find the data.  What is in a
 *  file that somebody has removed, or moved, no start will find: it is not durable, whatever the
 *  disk says.
 *  Nobody asks for the times: who does makes the next write change them, however short it is after
 *  the last one, and a file system without a journal then syncs its inode, too. */
static int sync_file (struct disk_file *file)
{
    struct statx status;
    if (statx (file->fd, "", AT_EMPTY_PATH, STATX_NLINK, &status) != 0) {
        return -errno;
    }
    if (status.stx_nlink == 0 || is_elsewhere (file->disk)) {
        return -ESTALE;
    }
    return fdatasync (file->fd) == 0 ? 0 : -errno;
}

static int truncate_file (struct disk_file *file, uint64_t size)
{
    if (ftruncate (file->fd, (off_t) size) != 0) {
        return errno == EDQUOT ? -ENOSPC : -errno;
    }
    return 0;
}

static int rename_file (struct disk *disk, const char *from, const char *to)
{
    int folder = of (disk)->folder;
    if (renameat (folder, from, folder, to) != 0) {
        return errno == EDQUOT ? -ENOSPC : -errno;
    }
    return 0;
}

static int unlink_file (struct disk *disk, const char *name)
{
    return unlinkat (of (disk)->folder, name, 0) == 0 ? 0 : -errno;
}

static int sync_names (struct disk *disk)
{
    return fsync (of (disk)->folder) == 0 ? 0 : -errno;
}

static int list_names (struct disk *disk, disk_name_fn *fn, void *arg)
{
    /*  A description of its own: the position in the folder belongs to it. */
    int fd = openat (of (disk)->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    DIR *names = fdopendir (fd);
    if (names == NULL) {
        int error = errno;
        (void) close (fd);
        return -error;
    }
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir (names)) != NULL) {
        if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0) {
            fn (arg, entry->d_name);
        }
        errno = 0;
    }
    int error = errno;
    (void) closedir (names);
    return -error;
}

static int space (struct disk *disk, uint64_t *bytes)
{
    struct statvfs status;
    if (fstatvfs (of (disk)->folder, &status) != 0) {
        return -errno;
    }
    *bytes = (uint64_t) status.f_bavail * status.f_frsize;
    return 0;
}

/*  flock and not fcntl: it also excludes a second store in this process, and closing another
 *  description of the file does not release it. */
static int take_lock (struct posix_disk *self, int fd, int how)
{
    if (flock (fd, how | LOCK_NB) != 0) {
        int error = errno;
        (void) close (fd);
        return error == EWOULDBLOCK ? -EBUSY : -error;
    }
    self->lock = fd;
    return 0;
}

static int lock (struct disk *disk)
{
    struct posix_disk *self = of (disk);
    COHORT_ASSERT (self->lock < 0);
    int fd = open_regular (self->folder, "lock", O_RDWR | O_CREAT);
    return fd >= 0 ? take_lock (self, fd, LOCK_EX) : fd;
}

static const struct disk_ops posix_ops = {
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

/*  Makes the folder, durably: its name stands in the folder above. */
static int make_folder (const char *folder)
{
    if (mkdir (folder, 0700) != 0) {
        return errno == EEXIST ? 0 : -errno;
    }
    size_t size = strlen (folder);
    char *above = mem_alloc (size + 4);
    if (above == NULL) {
        return -ENOMEM;
    }
    memcpy (above, folder, size);
    memcpy (above + size, "/..", 4);
    int rc = 0;
    int fd = open (above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync (fd) != 0) {
        rc = -errno;
    }
    if (fd >= 0) {
        (void) close (fd);
    }
    mem_free (above);
    return rc;
}

static int open_folder (const char *folder, const struct disk_ops *ops, struct disk **disk)
{
    struct posix_disk *self = mem_alloc (sizeof *self);
    if (self == NULL) {
        return -ENOMEM;
    }
    self->base.ops = ops;
    self->lock = -1;
    self->path = NULL;
    for (size_t i = 0; i < SPARES; i++) {
        atomic_init (&self->spares[i], -1);
    }
    self->folder = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->folder < 0) {
        int rc = -errno;
        mem_free (self);
        return rc;
    }
    *disk = &self->base;
    return 0;
}

int posix_disk_new (const char *folder, struct disk **disk)
{
    int rc = make_folder (folder);
    rc = rc == 0 ? open_folder (folder, &posix_ops, disk) : rc;
    if (rc == 0) {
        keep_spares (of (*disk));
        of (*disk)->path = realpath (folder, NULL); /*  whoever embeds a server may go elsewhere */
    }
    return rc;
}

/* ---- Only reading ------------------------------------------------------------------------ */

/*  To read a file does not take the right to write it. */
static int open_reading (struct disk *disk, const char *name, bool create,
                         struct disk_file **file_p)
{
    return create ? -EROFS : open_at (of (disk)->folder, name, O_RDONLY, file_p);
}

/*  Shared: readers do not exclude each other.  Without the file no store was ever opened here. */
static int lock_reading (struct disk *disk)
{
    struct posix_disk *self = of (disk);
    COHORT_ASSERT (self->lock < 0);
    int fd = open_regular (self->folder, "lock", O_RDONLY);
    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    return take_lock (self, fd, LOCK_SH);
}

int posix_disk_read (const char *folder, struct disk **disk)
{
    /*  What is not here is never asked of it. */
    static const struct disk_ops ops = {
        .destroy = destroy,
        .open = open_reading,
        .close = close_file,
        .size = size_of,
        .read = read_file,
        .list = list_names,
        .space = space,
        .lock = lock_reading,
    };
    return open_folder (folder, &ops, disk);
}

struct single_file {
    struct disk base;
    char path[];
};

static void destroy_single (struct disk *disk)
{
    mem_free (container_of (disk, struct single_file, base));
}

static int open_single (struct disk *disk, const char *name, bool create, struct disk_file **file_p)
{
    (void) name;
    const struct single_file *self = container_of (disk, struct single_file, base);
    return create ? -EROFS : open_at (AT_FDCWD, self->path, O_RDONLY, file_p);
}

int posix_disk_file (const char *path, struct disk **disk)
{
    static const struct disk_ops ops = {.destroy = destroy_single,
                                        .open = open_single,
                                        .close = close_file,
                                        .size = size_of,
                                        .read = read_file};
    size_t size = strlen (path) + 1;
    struct single_file *self = mem_alloc (sizeof *self + size);
    if (self == NULL) {
        return -ENOMEM;
    }
    self->base.ops = &ops;
    memcpy (self->path, path, size);
    *disk = &self->base;
    return 0;
}
