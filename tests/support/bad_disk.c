/* The library for LD_PRELOAD: see bad_disk.h. It stands alone, and writes nothing but the journal.
 *
 * The journal: for each write, before it, {offset, size, what was there, size of the path, path};
 * for each sync that has succeeded, the same with a size of NO_SIZE. A write that makes a file
 * longer is noted with zeros. */

#include "tests/support/bad_disk_journal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct bad_disk *control;
static int journal = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__ ((constructor)) static void begin (void)
{
    const char *path = getenv (BAD_DISK_VARIABLE);
    char name[JOURNAL_PATH_MAX];
    if (path == NULL) {
        return;
    }
    int fd = open (path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return; /* of another program that the variable has come to */
    }
    void *mapped = mmap (NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void) close (fd);
    if (mapped == MAP_FAILED) {
        return;
    }
    control = mapped;
    if (control->journal != 0) {
        (void) snprintf (name, sizeof name, "%s" JOURNAL_SUFFIX, path);
        journal = open (name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static void *next (const char *name)
{
    void *found = dlsym (RTLD_NEXT, name);
    if (found == NULL) {
        abort ();
    }
    return found;
}

/* What the test wants of this call: 0, or the errno to fail with. */
static int meet (enum bad_disk_call call)
{
    if (control == NULL) {
        return 0;
    }
    control->calls[call].calls++;
    uint32_t delay_ms = control->calls[call].delay_ms;
    if (delay_ms > 0) {
        struct timespec pause = {.tv_sec = delay_ms / 1000,
                                 .tv_nsec = (long) (delay_ms % 1000) * 1000000};
        (void) clock_nanosleep (CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    int error = control->calls[call].error;
    if (error != 0 && control->calls[call].pass > 0) {
        control->calls[call].pass--;
        error = 0;
    }
    control->calls[call].failed += error != 0;
    return error;
}

/* ---- The journal ----------------------------------------------------------------------------- */

static bool path_of (int fd, char path[JOURNAL_PATH_MAX])
{
    char link[64];
    (void) snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink (link, path, JOURNAL_PATH_MAX - 1);
    path[size > 0 ? size : 0] = '\0';
    return size > 0;
}

static void note (int fd, off_t offset, size_t size)
{
    struct journal_record record = {.offset = (uint64_t) offset, .size = size};
    char path[JOURNAL_PATH_MAX];
    if (journal < 0 || !path_of (fd, path)) {
        return;
    }
    size_t kept = size != JOURNAL_SYNCED ? size : 0;
    record.path_size = strlen (path);
    uint8_t *bytes = calloc (1, sizeof record + kept + record.path_size);
    if (bytes == NULL || (kept > 0 && pread (fd, bytes + sizeof record, kept, offset) < 0)) {
        abort ();
    }
    memcpy (bytes, &record, sizeof record);
    memcpy (bytes + sizeof record + kept, path, record.path_size);
    size_t total = sizeof record + kept + record.path_size;
    if (write (journal, bytes, total) != (ssize_t) total) {
        abort ();
    }
    free (bytes);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static ssize_t write_at (int fd, const void *data, size_t size, off_t offset)
{
    ssize_t (*real) (int, const void *, size_t, off_t);
    int error = meet (BAD_DISK_WRITE);
    if (error != 0) {
        errno = error;
        return -1;
    }
    *(void **) &real = next ("pwrite");
    (void) pthread_mutex_lock (&lock);
    note (fd, offset, size);
    ssize_t done = real (fd, data, size, offset);
    (void) pthread_mutex_unlock (&lock);
    return done;
}

static int sync_with (const char *name, int fd)
{
    int (*real) (int);
    int error = meet (BAD_DISK_SYNC);
    if (error != 0) {
        errno = error;
        return -1;
    }
    *(void **) &real = next (name);
    (void) pthread_mutex_lock (&lock);
    int rc = real (fd);
    if (rc == 0 && (control == NULL || control->lie == 0)) {
        note (fd, 0, JOURNAL_SYNCED);
    }
    (void) pthread_mutex_unlock (&lock);
    return rc;
}

__attribute__ ((visibility ("default"))) ssize_t pwrite (int fd, const void *data, size_t size,
                                                         off_t offset)
{
    return write_at (fd, data, size, offset);
}

__attribute__ ((visibility ("default"))) ssize_t pwrite64 (int fd, const void *data, size_t size,
                                                           off_t offset)
{
    return write_at (fd, data, size, offset);
}

__attribute__ ((visibility ("default"))) int fsync (int fd)
{
    return sync_with ("fsync", fd);
}

__attribute__ ((visibility ("default"))) int fdatasync (int fd)
{
    return sync_with ("fdatasync", fd);
}

__attribute__ ((visibility ("default"))) int rename (const char *from, const char *to)
{
    int (*real) (const char *, const char *);
    int error = meet (BAD_DISK_RENAME);
    if (error != 0) {
        errno = error;
        return -1;
    }
    *(void **) &real = next ("rename");
    return real (from, to);
}

__attribute__ ((visibility ("default"))) int renameat (int from_folder, const char *from,
                                                       int to_folder, const char *to)
{
    int (*real) (int, const char *, int, const char *);
    int error = meet (BAD_DISK_RENAME);
    if (error != 0) {
        errno = error;
        return -1;
    }
    *(void **) &real = next ("renameat");
    return real (from_folder, from, to_folder, to);
}
