/* The library under a real process: its calls fail and are late as the control file says, and what
 * was not synced can be taken back, sector by sector. The test is its own child.
 *
 * usage: test-support-bad_disk LIBRARY */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/bad_disk.h"
#include "tests/unit/unit.h"

enum { SECTOR = 512, SECTORS = 64, PATH_SIZE = 256 };

static const char *self_path, *library;
static char folder[PATH_SIZE], control_path[2 * PATH_SIZE], file_path[2 * PATH_SIZE];
static struct bad_disk *disk;

static int set_up (void **state)
{
    (void) state;
    (void) snprintf (folder, sizeof folder, "/tmp/cohort-test-XXXXXX");
    assert_non_null (mkdtemp (folder));
    (void) snprintf (control_path, sizeof control_path, "%s/disk", folder);
    (void) snprintf (file_path, sizeof file_path, "%s/file", folder);
    disk = bad_disk_new (control_path);
    assert_non_null (disk);
    return 0;
}

static int tear_down (void **state)
{
    char command[2 * PATH_SIZE];
    (void) state;
    bad_disk_free (&disk);
    (void) snprintf (command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal (system (command), 0);
    return 0;
}

/* ---- The child ------------------------------------------------------------------------------- */

static void fill (int fd, char letter, size_t first, size_t count)
{
    char bytes[SECTOR];
    memset (bytes, letter, sizeof bytes);
    for (size_t i = first; i < first + count; i++) {
        if (pwrite (fd, bytes, sizeof bytes, (off_t) (i * SECTOR)) != (ssize_t) sizeof bytes) {
            _exit (errno);
        }
    }
}

/* 'a' in all sectors, synced; 'b' in the first half, synced; 'c' in the middle half, not synced. */
static int child (void)
{
    int fd = open (file_path, O_RDWR | O_CREAT, 0600);
    if (fd < 0) {
        return 1;
    }
    fill (fd, 'a', 0, SECTORS);
    if (fdatasync (fd) != 0) {
        return errno;
    }
    fill (fd, 'b', 0, SECTORS / 2);
    if (fsync (fd) != 0) {
        return errno;
    }
    fill (fd, 'c', SECTORS / 4, SECTORS / 2);
    if (rename (file_path, file_path) != 0) {
        return errno;
    }
    (void) raise (SIGKILL);
    return 1;
}

/* Changes of the folder's entries: "made" is made, "new" takes the place of "old", "gone" goes;
 * then the folder is synced, if there is a "sync". */
static int child_of_entries (void)
{
    char path[2 * PATH_SIZE];
    (void) snprintf (path, sizeof path, "%.*s", (int) (strrchr (file_path, '/') - file_path),
                     file_path);
    int fd = open (path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || openat (fd, "made", O_RDWR | O_CREAT, 0600) < 0 ||
        renameat (fd, "new", fd, "old") != 0 || unlinkat (fd, "gone", 0) != 0 ||
        (faccessat (fd, "sync", F_OK, 0) == 0 && fsync (fd) != 0)) {
        return errno;
    }
    (void) raise (SIGKILL);
    return 1;
}

static int64_t seconds_between (clockid_t clock, clockid_t other)
{
    struct timespec now, reference;
    if (clock_gettime (other, &reference) != 0 || clock_gettime (clock, &now) != 0) {
        return INT8_MAX;
    }
    int64_t ns = (int64_t) (now.tv_sec - reference.tv_sec) * 1000000000;
    return (ns + now.tv_nsec - reference.tv_nsec) / 1000000000;
}

/* By how many seconds the clock is ahead, or behind, of one that is left alone. */
static int child_of_clock (void)
{
    int64_t seconds = seconds_between (CLOCK_REALTIME, CLOCK_REALTIME_COARSE);
    return seconds_between (CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE) > 30 ? INT8_MAX
                                                                          : (int) llabs (seconds);
}

static const char *child_kind = "--child";

/* Its wait status. */
static int run_child (void)
{
    int status;
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        if (setenv ("LD_PRELOAD", library, 1) == 0 &&
            setenv ("ASAN_OPTIONS", "verify_asan_link_order=0", 1) == 0 &&
            setenv (BAD_DISK_VARIABLE, control_path, 1) == 0) {
            (void) execl (self_path, self_path, child_kind, file_path, (char *) NULL);
        }
        _exit (127);
    }
    assert_int_equal (waitpid (pid, &status, 0), pid);
    return status;
}

static void assert_ends_with (int code)
{
    int status = run_child ();
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), code);
}

static void assert_killed (void)
{
    int status = run_child ();
    assert_true (WIFSIGNALED (status));
    assert_int_equal (WTERMSIG (status), SIGKILL);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_calls_fail (void **state)
{
    (void) state;
    assert_killed (); /* all is well, to its end */
    assert_int_equal (disk->calls[BAD_DISK_SYNC].calls, 2);
    assert_int_equal (disk->calls[BAD_DISK_WRITE].calls, 2 * SECTORS);
    assert_int_equal (disk->calls[BAD_DISK_RENAME].calls, 1);
    disk->calls[BAD_DISK_SYNC].error = EIO;
    assert_ends_with (EIO);
    assert_int_equal (disk->calls[BAD_DISK_SYNC].failed, 1);
    bad_disk_heal (disk);
    disk->calls[BAD_DISK_WRITE].error = ENOSPC;
    assert_killed (); /* there is room in the file */
    assert_int_equal (unlink (file_path), 0);
    assert_ends_with (ENOSPC);
    bad_disk_heal (disk);
    disk->calls[BAD_DISK_RENAME].error = EROFS;
    assert_ends_with (EROFS);
    bad_disk_heal (disk);
    assert_killed ();
}

/* That of the wall alone, either way. */
static void test_a_clock_is_set (void **state)
{
    (void) state;
    child_kind = "--clock";
    assert_ends_with (0);
    disk->clock_ms = 60500;
    assert_ends_with (60);
    disk->clock_ms = -60500;
    assert_ends_with (60);
    child_kind = "--child";
}

static void test_some_calls_pass (void **state)
{
    (void) state;
    disk->calls[BAD_DISK_SYNC].error = EIO;
    disk->calls[BAD_DISK_SYNC].pass = 1;
    assert_ends_with (EIO);
    assert_int_equal (disk->calls[BAD_DISK_SYNC].calls, 2);
    disk->calls[BAD_DISK_SYNC].pass = 2;
    assert_killed ();
}

static void test_calls_are_late (void **state)
{
    struct timespec before, after;
    (void) state;
    disk->calls[BAD_DISK_SYNC].delay_ms = 60;
    assert_int_equal (clock_gettime (CLOCK_MONOTONIC, &before), 0);
    assert_killed ();
    assert_int_equal (clock_gettime (CLOCK_MONOTONIC, &after), 0);
    assert_true ((after.tv_sec - before.tv_sec) * 1000 +
                     (after.tv_nsec - before.tv_nsec) / 1000000 >=
                 2 * 60);
}

/* What each sector is full of: one letter, or it fails. */
static void read_letters (char letters[SECTORS])
{
    char bytes[SECTOR];
    FILE *file = fopen (file_path, "r");
    assert_non_null (file);
    for (size_t i = 0; i < SECTORS; i++) {
        assert_int_equal (fread (bytes, 1, SECTOR, file), SECTOR);
        for (size_t j = 1; j < SECTOR; j++) {
            assert_int_equal (bytes[j], bytes[0]);
        }
        letters[i] = bytes[0];
    }
    (void) fclose (file);
}

static void test_what_is_not_synced_may_be_lost (void **state)
{
    struct prng prng;
    char letters[SECTORS];
    size_t lost = 0, kept = 0;
    (void) state;
    prng_seed (&prng, 1);
    disk->journal = 1;
    assert_killed ();
    size_t bytes = bad_disk_forget (control_path, &prng, NULL);
    read_letters (letters);
    for (size_t i = 0; i < SECTORS; i++) {
        char synced = i < SECTORS / 2 ? 'b' : 'a';
        if (i < SECTORS / 4 || i >= 3 * SECTORS / 4) {
            assert_int_equal (letters[i], synced);
        } else {
            assert_true (letters[i] == 'c' || letters[i] == synced);
            kept += letters[i] == 'c';
            lost += letters[i] == synced;
        }
    }
    assert_true (lost > 0 && kept > 0);
    assert_int_equal (bytes, lost * SECTOR);
    assert_int_equal (bad_disk_forget (control_path, &prng, NULL), 0);
}

static void put_file (const char *name, const char *text)
{
    char path[2 * PATH_SIZE];
    (void) snprintf (path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    assert_true (fputs (text, file) >= 0);
    assert_int_equal (fclose (file), 0);
}

/* "-": there is no such file. */
static const char *file_text (const char *name, char text[16])
{
    char path[2 * PATH_SIZE];
    (void) snprintf (path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen (path, "r");
    (void) snprintf (text, 16, "-");
    if (file != NULL) {
        text[fread (text, 1, 15, file)] = '\0';
        (void) fclose (file);
    }
    return text;
}

/* The entries are as they were behind this many of the three changes. */
static void expect_changes (size_t changes)
{
    char text[16];
    assert_string_equal (file_text ("made", text), changes > 0 ? "" : "-");
    assert_string_equal (file_text ("old", text), changes > 1 ? "2" : "1");
    assert_string_equal (file_text ("new", text), changes > 1 ? "-" : "2");
    assert_string_equal (file_text ("gone", text), changes > 2 ? "-" : "3");
}

static void make_entries (void)
{
    char path[2 * PATH_SIZE];
    put_file ("old", "1");
    put_file ("new", "2");
    put_file ("gone", "3");
    (void) snprintf (path, sizeof path, "%s/made", folder);
    assert_true (unlink (path) == 0 || errno == ENOENT);
}

static void test_entries_of_folders_may_be_lost (void **state)
{
    bool seen[4] = {false};
    struct prng prng;
    size_t lost;
    (void) state;
    prng_seed (&prng, 1);
    disk->journal = 1;
    child_kind = "--entries";
    for (int i = 0; i < 16; i++) {
        make_entries ();
        assert_killed ();
        expect_changes (3);
        (void) bad_disk_forget (control_path, &prng, &lost);
        assert_in_range (lost, 0, 3);
        expect_changes (3 - lost);
        seen[lost] = true;
    }
    assert_true (seen[0] && seen[1] && seen[2] && seen[3]);
    put_file ("sync", "");
    make_entries ();
    assert_killed ();
    (void) bad_disk_forget (control_path, &prng, &lost);
    assert_int_equal (lost, 0);
    expect_changes (3);
    child_kind = "--child";
}

static void test_a_disk_that_lies_loses_what_was_synced (void **state)
{
    struct prng prng;
    char letters[SECTORS];
    size_t kept = 0;
    (void) state;
    prng_seed (&prng, 1);
    disk->journal = 1;
    disk->lie = 1;
    assert_killed ();
    assert_true (bad_disk_forget (control_path, &prng, NULL) > 0);
    read_letters (letters);
    for (size_t i = 0; i < SECTORS / 4; i++) {
        assert_true (letters[i] == 'b' || letters[i] == '\0');
        kept += letters[i] == 'b';
    }
    assert_in_range (kept, 1, SECTORS / 4 - 1);
}

int main (int argc, char **argv)
{
#define DISK_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        DISK_TEST (test_calls_fail),
        DISK_TEST (test_some_calls_pass),
        DISK_TEST (test_calls_are_late),
        DISK_TEST (test_what_is_not_synced_may_be_lost),
        DISK_TEST (test_entries_of_folders_may_be_lost),
        DISK_TEST (test_a_clock_is_set),
        DISK_TEST (test_a_disk_that_lies_loses_what_was_synced),
    };
    if (argc == 3) {
        (void) snprintf (file_path, sizeof file_path, "%s", argv[2]);
        return strcmp (argv[1], "--entries") == 0 ? child_of_entries ()
               : strcmp (argv[1], "--clock") == 0 ? child_of_clock ()
                                                  : child ();
    }
    if (argc != 2) {
        fprintf (stderr, "usage: test-support-bad_disk LIBRARY\n");
        return 2;
    }
    self_path = argv[0];
    library = argv[1];
    return cmocka_run_group_tests (tests, NULL, NULL);
}
