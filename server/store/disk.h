/*
 * server/store/disk.h - the few calls that the store makes on a disk
 *
 * The store is written against this, so that the same code runs on files (posix_disk.c), in
 * memory (memory_disk.c) and on the simulator's disk, which loses and tears what was not synced.
 * All calls are synchronous.  Names are relative to one folder and hold no '/'.  Two threads use
 * one disk: the worker does everything, while the owner opens, reads and closes files of its own.
 * A file that is open when its name is unlinked or replaced can still be read until it is closed.
 *
 * Errors: 0 or a negative errno value (-ENOSPC, -EIO, -ENOENT, ...).
 */
#ifndef SERVER_STORE_DISK_H
#define SERVER_STORE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk_file;

struct disk {
    const struct disk_ops *ops;
};

typedef void disk_name_fn (void *arg, const char *name);

struct disk_ops {
    void (*destroy) (struct disk *self);

    /* Opens for reading and writing.  create: it must not exist; else it must.  Never waits:
     * -EISDIR, -ENXIO if it is a folder, a pipe or a device. */
    int (*open) (struct disk *self, const char *name, bool create, struct disk_file **file);
    void (*close) (struct disk_file *file);
    int (*size) (struct disk_file *file, uint64_t *size);

    /* All of it, or an error; reading past the end gives *done < size. */
    int (*read) (struct disk_file *file, uint64_t offset, void *data, size_t size, size_t *done);
    int (*write) (struct disk_file *file, uint64_t offset, const void *data, size_t size);
    /* Takes space for so many bytes from there on: those that the file did not have are zeros, and
     * none of them is written; those that it had stay.  -EOPNOTSUPP: not here.  NULL: never. */
    int (*allocate) (struct disk_file *file, uint64_t offset, uint64_t size);

    /* Data and size are durable when it returns 0.  An error is final: what was written since
     *  the last success may be lost, and asking again proves nothing. */
    int (*sync) (struct disk_file *file);

    int (*truncate) (struct disk_file *file, uint64_t size);
    int (*rename) (struct disk *self, const char *from, const char *to);
    int (*unlink) (struct disk *self, const char *name);

    /* Names created, renamed and unlinked are durable. */
    int (*sync_names) (struct disk *self);
    int (*list) (struct disk *self, disk_name_fn *fn, void *arg);

    /* Bytes that can still be written, as far as known. */
    int (*space) (struct disk *self, uint64_t *bytes);

    /* Excludes other processes from the folder until destroy; -EBUSY. */
    int (*lock) (struct disk *self);
};

/* A folder of the file system; made if it is not there.  0 or -errno. */
int posix_disk_new (const char *folder, struct disk **disk);

/* The same folder to be looked at only: no byte of it changes, whatever is asked.  It must be
 * there.  lock: against those who write; others may read meanwhile. */
int posix_disk_read (const char *folder, struct disk **disk);

/* One file to be looked at only: whatever name is opened, it is this file. */
int posix_disk_file (const char *path, struct disk **disk);

/* Files in memory: always durable. NULL: out of memory. */
struct disk *memory_disk_new (void);

#endif
