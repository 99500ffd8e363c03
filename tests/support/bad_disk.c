/* The library for LD_PRELOAD: see bad_disk.h. It stands alone, and writes nothing but the journal.
 *
 * The journal: for each write, before it, {offset, size, what was there, size of the path, path};
 * for each sync that has succeeded, and for each change of a folder, the same with a size that is
 * none. A write that makes a file longer is noted with zeros. What is removed or replaced is kept
 * by a link beside the control file until a folder is synced. */

#include "tests/support/bad_disk_journal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct bad_disk *control;
static const char *control_path;
static int journal = -1;
static unsigned long long kept_first = 1, kept_next = 1; /* links to what is gone */
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
    control_path = path;
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

/* What the test wants of this call: 0, or the errno to fail with. free: it needs no space, and a
 * disk that is full is none to it. */
static int meet (enum bad_disk_call call, bool free)
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
    error = error == ENOSPC && free && control->copies == 0 ? 0 : error;
    if (error != 0 && control->calls[call].pass > 0) {
        control->calls[call].pass--;
        error = 0;
    }
    control->calls[call].failed += error != 0;
    return error;
}

/* ---- The clock ------------------------------------------------------------------------------- */

__attribute__ ((visibility ("default"))) int clock_gettime (clockid_t clock, struct timespec *now)
{
    static int (*real) (clockid_t, struct timespec *);
    if (real == NULL) {
        *(void **) &real = next ("clock_gettime");
    }
    int rc = real (clock, now);
    if (rc == 0 && control != NULL && clock == CLOCK_REALTIME) {
        int64_t ms = control->clock_ms;
        now->tv_sec += ms / 1000;
        now->tv_nsec += (long) (ms % 1000) * 1000000;
        int carry = now->tv_nsec >= 1000000000 ? 1 : now->tv_nsec < 0 ? -1 : 0;
        now->tv_sec += carry;
        now->tv_nsec -= carry * 1000000000L;
    }
    return rc;
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
    size_t kept = size < JOURNAL_SIZES ? size : 0;
    ssize_t (*read_before) (int, void *, size_t, off_t);
    *(void **) &read_before = next ("pread");
    record.path_size = strlen (path);
    uint8_t *bytes = calloc (1, sizeof record + kept + record.path_size);
    if (bytes == NULL || (kept > 0 && read_before (fd, bytes + sizeof record, kept, offset) < 0)) {
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

/* ---- Folders --------------------------------------------------------------------------------- */

static bool path_in (int folder, const char *name, char path[JOURNAL_PATH_MAX])
{
    size_t size;
    if (name[0] == '/' || !path_of (folder, path)) {
        return false; /* none of the data folder's */
    }
    size = strlen (path);
    return snprintf (path + size, JOURNAL_PATH_MAX - size, "/%s", name) <
           (int) (JOURNAL_PATH_MAX - size);
}

/* A change of an entry, before it is made; to: NULL, or the new path. */
static void note_entry (uint64_t what, const char *path, const char *to, uint64_t kept)
{
    uint8_t bytes[sizeof (struct journal_record) + 2 * JOURNAL_PATH_MAX];
    size_t path_size = strlen (path), to_size = to != NULL ? strlen (to) + 1 : 0;
    struct journal_record record = {.offset = kept, .size = what, .path_size = path_size + to_size};
    size_t total = sizeof record + path_size + to_size;
    memcpy (bytes, &record, sizeof record);
    memcpy (bytes + sizeof record, path, path_size);
    if (to != NULL) {
        bytes[sizeof record + path_size] = 0;
        memcpy (bytes + sizeof record + path_size + 1, to, to_size - 1);
    }
    if (write (journal, bytes, total) != (ssize_t) total) {
        abort ();
    }
}

static void name_kept (unsigned long long number, char name[JOURNAL_PATH_MAX])
{
    (void) snprintf (name, JOURNAL_PATH_MAX, "%s" JOURNAL_KEPT, control_path, number);
}

/* Keeps what is there under this path by another link; 0: nothing is. */
static uint64_t keep (const char *path)
{
    char name[JOURNAL_PATH_MAX];
    name_kept (kept_next, name);
    (void) remove (name); /* of a process before this one */
    return link (path, name) == 0 ? kept_next++ : 0;
}

static void drop_kept (void)
{
    char name[JOURNAL_PATH_MAX];
    for (; kept_first < kept_next; kept_first++) {
        name_kept (kept_first, name);
        (void) remove (name);
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static ssize_t read_at (int fd, void *data, size_t size, off_t offset)
{
    ssize_t (*real) (int, void *, size_t, off_t);
    int error = meet (BAD_DISK_READ, false);
    if (error != 0) {
        errno = error;
        return -1;
    }
    *(void **) &real = next ("pread");
    return real (fd, data, size, offset);
}

static ssize_t write_at (int fd, const void *data, size_t size, off_t offset)
{
    ssize_t (*real) (int, const void *, size_t, off_t);
    struct stat status;
    bool grows = fstat (fd, &status) != 0 || offset + (off_t) size > status.st_size;
    int error = meet (BAD_DISK_WRITE, !grows);
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
    int error = meet (BAD_DISK_SYNC, false);
    if (error != 0) {
        errno = error;
        return -1;
    }
    *(void **) &real = next (name);
    (void) pthread_mutex_lock (&lock);
    int rc = real (fd);
    if (rc == 0 && (control == NULL || control->lie == 0)) {
        struct stat status;
        note (fd, 0, JOURNAL_SYNCED);
        if (fstat (fd, &status) == 0 && S_ISDIR (status.st_mode)) {
            drop_kept ();
        }
    }
    (void) pthread_mutex_unlock (&lock);
    return rc;
}

__attribute__ ((visibility ("default"))) ssize_t pread (int fd, void *data, size_t size,
                                                        off_t offset)
{
    return read_at (fd, data, size, offset);
}

__attribute__ ((visibility ("default"))) ssize_t pread64 (int fd, void *data, size_t size,
                                                          off_t offset)
{
    return read_at (fd, data, size, offset);
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
    int error = meet (BAD_DISK_RENAME, false);
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
    int error = meet (BAD_DISK_RENAME, false);
    if (error != 0) {
        errno = error;
        return -1;
    }
    *(void **) &real = next ("renameat");
    char path[JOURNAL_PATH_MAX], new_path[JOURNAL_PATH_MAX];
    (void) pthread_mutex_lock (&lock);
    if (journal >= 0 && path_in (from_folder, from, path) && path_in (to_folder, to, new_path)) {
        note_entry (JOURNAL_RENAMED, path, new_path, keep (new_path));
    }
    int rc = real (from_folder, from, to_folder, to);
    (void) pthread_mutex_unlock (&lock);
    return rc;
}

__attribute__ ((visibility ("default"))) int unlinkat (int folder, const char *name, int flags)
{
    int (*real) (int, const char *, int);
    char path[JOURNAL_PATH_MAX];
    *(void **) &real = next ("unlinkat");
    (void) pthread_mutex_lock (&lock);
    if (journal >= 0 && flags == 0 && path_in (folder, name, path)) {
        uint64_t kept = keep (path);
        if (kept != 0) {
            note_entry (JOURNAL_REMOVED, path, NULL, kept);
        }
    }
    int rc = real (folder, name, flags);
    (void) pthread_mutex_unlock (&lock);
    return rc;
}

static int open_in (const char *function, int folder, const char *name, int flags, mode_t mode)
{
    int (*real) (int, const char *, int, ...);
    char path[JOURNAL_PATH_MAX];
    *(void **) &real = next (function);
    (void) pthread_mutex_lock (&lock);
    if (journal >= 0 && (flags & O_CREAT) != 0 && path_in (folder, name, path) &&
        access (path, F_OK) != 0) {
        note_entry (JOURNAL_CREATED, path, NULL, 0);
    }
    int fd = real (folder, name, flags, mode);
    (void) pthread_mutex_unlock (&lock);
    return fd;
}

static mode_t mode_of (int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? (mode_t) va_arg (arguments, unsigned) : 0;
}

__attribute__ ((visibility ("default"))) int openat (int folder, const char *name, int flags, ...)
{
    va_list arguments;
    va_start (arguments, flags);
    mode_t mode = mode_of (flags, arguments);
    va_end (arguments);
    return open_in ("openat", folder, name, flags, mode);
}

__attribute__ ((visibility ("default"))) int openat64 (int folder, const char *name, int flags, ...)
{
    va_list arguments;
    va_start (arguments, flags);
    mode_t mode = mode_of (flags, arguments);
    va_end (arguments);
    return open_in ("openat64", folder, name, flags, mode);
}
