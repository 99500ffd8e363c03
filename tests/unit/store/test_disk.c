/*
 *  tests/unit/store/test_disk.c - the disks do what disk.h says: files, memory, the test's own
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cohort/error.h"
#include "server/inspect/overlay.h"
#include "server/store/store.h"
#include "tests/support/crash_disk.h"
#include "tests/unit/store/folder.h"
#include "tests/unit/unit.h"

static void count_name (void *arg, const char *name)
{
    (void) name;
    ++*(size_t *) arg;
}

static size_t names (struct disk *disk)
{
    size_t count = 0;
    assert_int_equal (disk->ops->list (disk, count_name, &count), 0);
    return count;
}

/*  Everything but the lock, which is a file in one of them. */
static void check_disk (struct disk *disk)
{
    const struct disk_ops *ops = disk->ops;
    struct disk_file *file, *second;
    uint64_t size;
    size_t done;
    uint8_t bytes[300];
    assert_int_equal (names (disk), 0);
    assert_int_equal (ops->open (disk, "a", false, &file), -ENOENT);
    assert_int_equal (ops->open (disk, "a", true, &file), 0);
    assert_int_equal (ops->open (disk, "a", true, &second), -EEXIST);
    assert_int_equal (ops->open (disk, "a", false, &second), 0);
    assert_int_equal (ops->size (file, &size), 0);
    assert_int_equal (size, 0);

    /*  A hole reads as zeros; reading stops at the end. */
    memset (bytes, 7, sizeof bytes);
    assert_int_equal (ops->write (file, 200000, bytes, 100), 0);
    assert_int_equal (ops->write (file, 200100, bytes, 0), 0);
    assert_int_equal (ops->sync (file), 0);
    assert_int_equal (ops->size (second, &size), 0);
    assert_int_equal (size, 200100);
    assert_int_equal (ops->read (second, 199900, bytes, 300, &done), 0);
    assert_int_equal (done, 200);
    assert_int_equal (bytes[99], 0);
    assert_int_equal (bytes[100], 7);
    assert_int_equal (ops->read (second, 200100, bytes, 300, &done), 0);
    assert_int_equal (done, 0);

    /*  Shortened and lengthened: what was cut is zeros. */
    assert_int_equal (ops->truncate (file, 200050), 0);
    assert_int_equal (ops->truncate (file, 200100), 0);
    assert_int_equal (ops->read (second, 200000, bytes, 300, &done), 0);
    assert_int_equal (done, 100);
    assert_int_equal (bytes[49], 7);
    assert_int_equal (bytes[50], 0);

    /*  Renaming replaces; the one replaced, and one without a name, can still be read. */
    struct disk_file *other;
    assert_int_equal (ops->open (disk, "b", true, &other), 0);
    assert_int_equal (ops->write (other, 0, "other", 5), 0);
    assert_int_equal (ops->sync (other), 0);
    assert_int_equal (ops->rename (disk, "c", "a"), -ENOENT);
    assert_int_equal (ops->rename (disk, "b", "a"), 0);
    assert_int_equal (ops->sync_names (disk), 0);
    assert_int_equal (names (disk), 1);
    assert_int_equal (ops->read (file, 200000, bytes, 1, &done), 0);
    assert_int_equal (bytes[0], 7);
    assert_int_equal (ops->unlink (disk, "b"), -ENOENT);
    assert_int_equal (ops->unlink (disk, "a"), 0);
    assert_int_equal (names (disk), 0);
    assert_int_equal (ops->read (other, 0, bytes, 10, &done), 0);
    assert_int_equal (done, 5);
    assert_memory_equal (bytes, "other", 5);
    ops->close (file);
    ops->close (second);
    ops->close (other);
    assert_int_equal (ops->space (disk, &size), 0);
    assert_true (size > 1000);
}

static void test_memory (void **state)
{
    (void) state;
    struct disk *disk = memory_disk_new ();
    check_disk (disk);
    assert_int_equal (disk->ops->lock (disk), 0);
    assert_int_equal (disk->ops->lock (disk), -EBUSY);
    disk->ops->destroy (disk);
}

static void test_crash (void **state)
{
    (void) state;
    struct crash_disk *hardware = crash_disk_new (1);
    struct disk *disk = crash_disk_open (hardware);
    check_disk (disk);
    disk->ops->destroy (disk);
    crash_disk_destroy (&hardware);
}

/* Over an empty folder, and over one with a file of another name, which it takes away. */
static void test_overlay (void **state)
{
    (void) state;
    struct disk *below = memory_disk_new ();
    struct disk *disk, *upper;
    assert_int_equal (overlay_new (below, &disk), 0);
    check_disk (disk);
    struct disk_file *file;
    assert_int_equal (disk->ops->open (disk, "x", true, &file), 0);
    assert_int_equal (disk->ops->write (file, 1000, "below", 5), 0);
    disk->ops->close (file);
    assert_int_equal (names (below), 0);

    uint8_t bytes[8];
    size_t done;
    assert_int_equal (overlay_new (disk, &upper), 0);
    assert_int_equal (upper->ops->open (upper, "x", false, &file), 0);
    assert_int_equal (upper->ops->write (file, 1002, "L", 1), 0);
    assert_int_equal (upper->ops->read (file, 999, bytes, 8, &done), 0);
    assert_int_equal (done, 6);
    assert_memory_equal (bytes, "\0beLow", 6);
    upper->ops->close (file);
    assert_int_equal (upper->ops->unlink (upper, "x"), 0);
    check_disk (upper);
    upper->ops->destroy (upper);
    assert_int_equal (disk->ops->open (disk, "x", false, &file), 0);
    assert_int_equal (disk->ops->read (file, 1000, bytes, 8, &done), 0);
    assert_memory_equal (bytes, "below", 5);
    disk->ops->close (file);
    disk->ops->destroy (disk);
    below->ops->destroy (below);
}

static void test_posix (void **state)
{
    char folder[FOLDER_SIZE];
    (void) state;
    folder_make (folder);
    char inside[FOLDER_SIZE + 8];
    (void) snprintf (inside, sizeof inside, "%s/store", folder);
    struct disk *disk, *second;
    assert_int_equal (posix_disk_new (inside, &disk), 0);
    check_disk (disk);
    assert_int_equal (disk->ops->lock (disk), 0);
    assert_int_equal (posix_disk_new (inside, &second), 0);
    assert_int_equal (second->ops->lock (second), -EBUSY);
    disk->ops->destroy (disk);
    assert_int_equal (second->ops->lock (second), 0);
    second->ops->destroy (second);
    folder_remove (folder);
}

static int open_folder (const char *folder, struct store **store, char *error, size_t error_size)
{
    struct store_options options = {.server_id = 1, .store_id = 2, .segment_bytes = 64 << 10};
    int rc = posix_disk_new (folder, &options.disk);
    assert_int_equal (rc, 0);
    return store_open (&options, store, error, error_size);
}

static void test_locked_folder (void **state)
{
    char folder[FOLDER_SIZE], error[256];
    struct store *store, *second;
    (void) state;
    folder_make (folder);
    assert_int_equal (open_folder (folder, &store, error, sizeof error), 0);
    assert_int_equal (open_folder (folder, &second, error, sizeof error), COHORT_EINUSE);
    assert_string_equal (error, "lock: another process uses this folder");
    store_close (&store);
    assert_int_equal (open_folder (folder, &store, error, sizeof error), 0);
    store_close (&store);
    folder_remove (folder);
}

/*  In place of each of its files stands a pipe that nobody writes to, or a folder: whoever opens
 * the folder is told at once, by name; nobody waits. */
static void test_strange_files (void **state)
{
    static const char *const files[] = {"lock", "meta.0", "meta.1", "manifest", "reserve"};
    char folder[FOLDER_SIZE], path[FOLDER_SIZE + 16], error[256];
    struct store *store;
    struct disk *disk;
    struct disk_file *file;
    (void) state;
    folder_make (folder);
    assert_int_equal (open_folder (folder, &store, error, sizeof error), 0);
    store_close (&store);
    for (size_t i = 0; i < 2 * sizeof files / sizeof *files; i++) {
        const char *name = files[i / 2];
        bool pipe = i % 2 == 0;
        (void) snprintf (path, sizeof path, "%s/%s", folder, name);
        char away[sizeof path + 8];
        (void) snprintf (away, sizeof away, "%s.away", path);
        assert_int_equal (rename (path, away), 0);
        assert_int_equal (pipe ? mkfifo (path, 0600) : mkdir (path, 0700), 0);
        assert_int_equal (open_folder (folder, &store, error, sizeof error), COHORT_ESYSTEM);
        assert_ptr_equal (strstr (error, name), error);
        assert_non_null (strstr (error, pipe ? "a pipe" : "is a folder"));
        assert_int_equal (posix_disk_read (folder, &disk), 0);
        assert_int_equal (disk->ops->open (disk, name, false, &file), pipe ? -ENXIO : -EISDIR);
        disk->ops->destroy (disk);
        assert_int_equal (remove (path), 0);
        assert_int_equal (rename (away, path), 0);
    }
    assert_int_equal (open_folder (folder, &store, error, sizeof error), 0);
    store_close (&store);
    folder_remove (folder);
}

static size_t take_descriptors (int *taken, size_t max)
{
    size_t count = 0;
    while (count < max && (taken[count] = dup (STDERR_FILENO)) >= 0) {
        count++;
    }
    return count;
}

/*  Whoever takes all descriptors of the process does not keep the log from going on in new files,
 *  and a snapshot from being written meanwhile. */
static void test_no_descriptors (void **state)
{
    (void) state;
    enum { DESCRIPTORS = 64, SPARES = 8 };
    struct rlimit before, low;
    struct disk *disk;
    struct disk_file *files[SPARES], *one_more;
    int taken[DESCRIPTORS];
    char folder[FOLDER_SIZE], name[16];
    folder_make (folder);
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = DESCRIPTORS;
    assert_int_equal (posix_disk_new (folder, &disk), 0);
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
    size_t count = take_descriptors (taken, DESCRIPTORS);
    assert_true (count < DESCRIPTORS);
    for (int turn = 0; turn < 10; turn++) {
        for (int i = 0; i < SPARES; i++) {
            (void) snprintf (name, sizeof name, "%d", i);
            assert_int_equal (disk->ops->open (disk, name, turn == 0, &files[i]), 0);
            assert_int_equal (disk->ops->write (files[i], 0, name, 2), 0);
        }
        assert_int_equal (disk->ops->open (disk, "new", true, &one_more), -ENOSPC);
        assert_int_equal (disk->ops->open (disk, "1", false, &one_more), -EMFILE);
        for (int i = 0; i < SPARES; i++) {
            disk->ops->close (files[i]);
            assert_int_equal (dup (STDERR_FILENO), -1); /* nobody else gets it */
        }
    }
    while (count > 0) {
        (void) close (taken[--count]);
    }
    disk->ops->destroy (disk);
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &before), 0);
    folder_remove (folder);
}

static void test_no_folder (void **state)
{
    (void) state;
    struct disk *disk;
    assert_int_equal (posix_disk_new ("/nonexistent/folder", &disk), -ENOENT);
    assert_int_equal (posix_disk_new ("/dev/null", &disk), -ENOTDIR);
}

/*  root is refused nothing by permissions; then a file system that cannot be written helps. */
static void test_read_only_folder (void **state)
{
    char folder[FOLDER_SIZE], error[256];
    struct store *store;
    (void) state;
    folder_make (folder);
    assert_int_equal (chmod (folder, 0500), 0);
    const char *path = geteuid () == 0 ? "/proc" : folder;
    int rc = open_folder (path, &store, error, sizeof error);
    assert_int_equal (rc, COHORT_ESYSTEM);
    assert_non_null (strstr (error, "lock: create: "));
    assert_int_equal (chmod (folder, 0700), 0);
    folder_remove (folder);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_memory),
        cmocka_unit_test (test_crash),
        cmocka_unit_test (test_posix),
        cmocka_unit_test (test_overlay),
        cmocka_unit_test (test_locked_folder),
        cmocka_unit_test (test_strange_files),
        cmocka_unit_test (test_no_descriptors),
        cmocka_unit_test (test_no_folder),
        cmocka_unit_test (test_read_only_folder),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
