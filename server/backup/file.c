/*
 * server/backup/file.c - one file as a disk that is only read
 */
#include "server/backup/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/base/alloc.h"
#include "client/base/container.h"

struct file_disk {
    struct disk disk;
    char path[];
};

struct disk_file {
    int fd;
};

static void destroy (struct disk *disk)
{
    mem_free (container_of (disk, struct file_disk, disk));
}

static int open_file (struct disk *disk, const char *name, bool create, struct disk_file **file_p)
{
    (void) name;
    if (create) {
        return -EROFS;
    }
    struct disk_file *file = mem_alloc (sizeof *file);
    if (file == NULL) {
        return -ENOMEM;
    }
    file->fd = open (container_of (disk, struct file_disk, disk)->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        int error = errno;
        mem_free (file);
        return -error;
    }
    *file_p = file;
    return 0;
}

static void close_file (struct disk_file *file)
{
    (void) close (file->fd);
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
        ssize_t rc = pread (file->fd, (uint8_t *) data + got, size - got, (off_t) (offset + got));
        if (rc < 0 && errno != EINTR) {
            return -errno;
        }
        if (rc == 0) {
            break;
        }
        got += rc > 0 ? (size_t) rc : 0;
    }
    *done = got;
    return 0;
}

struct disk *file_disk_new (const char *path)
{
    /* Nothing else is ever asked of it. */
    static const struct disk_ops ops = {.destroy = destroy,
                                        .open = open_file,
                                        .close = close_file,
                                        .size = size_of,
                                        .read = read_file};
    size_t size = strlen (path) + 1;
    struct file_disk *self = mem_alloc (sizeof *self + size);
    if (self == NULL) {
        return NULL;
    }
    self->disk.ops = &ops;
    memcpy (self->path, path, size);
    return &self->disk;
}
