/* The faults of the disk that tests run on: each can be seen to happen. */

#include <errno.h>
#include <string.h>

#include "tests/support/crash_disk.h"
#include "tests/unit/unit.h"

enum { SECTOR = 512, TRIES = 200 };

struct fixture {
    struct crash_disk *hardware;
    struct disk *disk;
    struct disk_file *file;
};

static void reopen (struct fixture *self)
{
    self->disk = crash_disk_open (self->hardware);
    if (self->disk->ops->open (self->disk, "file", false, &self->file) != 0) {
        self->file = NULL;
    }
}

static void end_process (struct fixture *self)
{
    if (self->file != NULL) {
        self->disk->ops->close (self->file);
    }
    self->disk->ops->destroy (self->disk);
}

/* A file of 'a's, durable with its name. */
static void begin (struct fixture *self, uint64_t seed, size_t sectors)
{
    uint8_t sector[SECTOR];
    memset (sector, 'a', sizeof sector);
    self->hardware = crash_disk_new (seed);
    self->disk = crash_disk_open (self->hardware);
    assert_int_equal (self->disk->ops->open (self->disk, "file", true, &self->file), 0);
    for (size_t i = 0; i < sectors; i++) {
        assert_int_equal (self->disk->ops->write (self->file, i * SECTOR, sector, SECTOR), 0);
    }
    assert_int_equal (self->disk->ops->sync (self->file), 0);
    assert_int_equal (self->disk->ops->sync_names (self->disk), 0);
}

static void end (struct fixture *self)
{
    end_process (self);
    crash_disk_destroy (&self->hardware);
}

static int put (struct fixture *self, uint64_t sector, char value)
{
    uint8_t bytes[SECTOR];
    memset (bytes, value, sizeof bytes);
    return self->disk->ops->write (self->file, sector * SECTOR, bytes, SECTOR);
}

static char get (struct fixture *self, uint64_t sector)
{
    char byte = '?';
    size_t done;
    assert_int_equal (self->disk->ops->read (self->file, sector * SECTOR, &byte, 1, &done), 0);
    return done == 1 ? byte : '-';
}

/* ---- Crashes --------------------------------------------------------------------------------- */

static void test_kept_lost_and_reordered (void **state)
{
    size_t kept = 0, lost = 0, reordered = 0;
    (void) state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct fixture self;
        begin (&self, seed, 2);
        assert_int_equal (put (&self, 0, 'b'), 0);
        assert_int_equal (put (&self, 1, 'b'), 0);
        end_process (&self);
        crash_disk_power_cut (self.hardware);
        reopen (&self);
        bool first = get (&self, 0) == 'b', second = get (&self, 1) == 'b';
        kept += first && second;
        lost += !first && !second;
        reordered += !first && second;
        end (&self);
    }
    assert_true (kept > 0 && lost > 0 && reordered > 0);
}

static void test_torn (void **state)
{
    size_t torn = 0;
    (void) state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct fixture self;
        uint8_t bytes[4 * SECTOR];
        memset (bytes, 'b', sizeof bytes);
        begin (&self, seed, 4);
        assert_int_equal (self.disk->ops->write (self.file, 0, bytes, sizeof bytes), 0);
        end_process (&self);
        crash_disk_power_cut (self.hardware);
        reopen (&self);
        size_t found = 0;
        for (uint64_t i = 0; i < 4; i++) {
            found += get (&self, i) == 'b';
        }
        torn += found > 0 && found < 4;
        end (&self);
    }
    assert_true (torn > 0);
}

static void test_synced_stays (void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct fixture self;
        begin (&self, seed, 1);
        assert_int_equal (put (&self, 0, 'b'), 0);
        assert_int_equal (self.disk->ops->sync (self.file), 0);
        end_process (&self);
        crash_disk_power_cut (self.hardware);
        reopen (&self);
        assert_int_equal (get (&self, 0), 'b');
        end (&self);
    }
}

static void test_lost_names (void **state)
{
    size_t kept = 0, lost = 0;
    (void) state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct fixture self;
        begin (&self, seed, 1);
        assert_int_equal (self.disk->ops->rename (self.disk, "file", "other"), 0);
        end_process (&self);
        crash_disk_power_cut (self.hardware);
        reopen (&self);
        lost += self.file != NULL;
        kept += self.file == NULL;
        end (&self);
    }
    assert_true (kept > 0 && lost > 0);
}

/* At every operation: before it there is nothing of it, after it there is all of it. */
static void test_stop_at_and_after (void **state)
{
    (void) state;
    for (int whole = 0; whole < 2; whole++) {
        struct fixture self;
        begin (&self, 1, 1);
        assert_int_equal (put (&self, 0, 'b'), 0);
        if (whole) {
            crash_disk_stop_after (self.hardware, 1);
            assert_int_equal (self.disk->ops->sync (self.file), 0);
        } else {
            crash_disk_stop_at (self.hardware, 1);
            assert_int_equal (self.disk->ops->sync (self.file), -EIO);
        }
        assert_true (crash_disk_stopped (self.hardware));
        assert_int_equal (put (&self, 0, 'c'), -EIO);
        assert_int_equal (self.disk->ops->sync_names (self.disk), -EIO);
        end_process (&self);
        crash_disk_resume (self.hardware);
        assert_false (crash_disk_stopped (self.hardware));
        reopen (&self);
        assert_int_equal (get (&self, 0), 'b'); /* from the system's cache */
        end (&self);
    }
}

static void test_stop_after_sync_is_durable (void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct fixture self;
        begin (&self, seed, 1);
        assert_int_equal (put (&self, 0, 'b'), 0);
        crash_disk_stop_after (self.hardware, 1);
        assert_int_equal (self.disk->ops->sync (self.file), 0);
        end_process (&self);
        crash_disk_power_cut (self.hardware);
        reopen (&self);
        assert_int_equal (get (&self, 0), 'b');
        end (&self);
    }
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void test_write_error (void **state)
{
    struct fixture self;
    (void) state;
    begin (&self, 1, 1);
    crash_disk_fail_at (self.hardware, 2, -EIO);
    assert_int_equal (put (&self, 0, 'b'), 0);
    assert_int_equal (self.disk->ops->sync (self.file), -EIO);
    assert_int_equal (crash_disk_failures (self.hardware), 1);
    assert_int_equal (put (&self, 0, 'c'), 0);
    assert_int_equal (self.disk->ops->sync (self.file), 0);
    end (&self);
}

static void test_read_error (void **state)
{
    struct fixture self;
    char byte;
    size_t done;
    (void) state;
    begin (&self, 1, 1);
    crash_disk_fail_read_at (self.hardware, 2);
    assert_int_equal (get (&self, 0), 'a');
    assert_int_equal (self.disk->ops->read (self.file, 0, &byte, 1, &done), -EIO);
    assert_int_equal (crash_disk_failures (self.hardware), 1);
    assert_int_equal (get (&self, 0), 'a');
    end (&self);
}

static void test_no_space_and_space_again (void **state)
{
    struct fixture self;
    (void) state;
    begin (&self, 1, 2);
    crash_disk_set_space (self.hardware, crash_disk_used (self.hardware));
    assert_int_equal (put (&self, 1, 'b'), 0); /* there is room for what is there */
    assert_int_equal (put (&self, 2, 'b'), -ENOSPC);
    assert_int_equal (crash_disk_failures (self.hardware), 0);
    crash_disk_set_space (self.hardware, UINT64_MAX);
    assert_int_equal (put (&self, 2, 'b'), 0);
    assert_int_equal (get (&self, 2), 'b');
    end (&self);
}

/* ---- Harm ------------------------------------------------------------------------------------ */

static bool harm (struct fixture *self, uint64_t sector, char value)
{
    uint8_t bytes[SECTOR];
    memset (bytes, value, sizeof bytes);
    return crash_disk_harm (self->hardware, "file", sector * SECTOR, bytes);
}

/* Whatever was written, harmed or not synced: it is what is put there, durably. */
static void test_put_back (void **state)
{
    struct fixture self;
    uint8_t bytes[SECTOR + 1];
    (void) state;
    memset (bytes, 'o', sizeof bytes);
    begin (&self, 1, 4);
    assert_true (harm (&self, 1, 'x'));
    assert_int_equal (put (&self, 0, 'b'), 0);
    end_process (&self);
    assert_false (crash_disk_put_back (self.hardware, "other", bytes, sizeof bytes));
    assert_true (crash_disk_put_back (self.hardware, "file", bytes, sizeof bytes));
    assert_int_equal (crash_disk_harmed (self.hardware, "file"), 0);
    crash_disk_power_cut (self.hardware);
    reopen (&self);
    uint64_t size = 0;
    assert_true (crash_disk_size (self.hardware, "file", &size));
    assert_int_equal (size, sizeof bytes);
    assert_int_equal (get (&self, 0), 'o');
    assert_int_equal (get (&self, 1), 'o');

    /* A name that is not durable yet. */
    assert_int_equal (self.disk->ops->rename (self.disk, "file", "new"), 0);
    end_process (&self);
    assert_false (crash_disk_put_back (self.hardware, "new", bytes, sizeof bytes));
    self.file = NULL;
    reopen (&self);
    end (&self);
}

static void test_harm_and_healing (void **state)
{
    (void) state;
    struct fixture self;
    begin (&self, 1, 4);
    assert_false (harm (&self, 1, 'a'));
    assert_true (harm (&self, 1, 'x'));
    assert_false (harm (&self, 4, 'x'));
    assert_int_equal (crash_disk_harmed (self.hardware, "file"), 1);
    assert_int_equal (get (&self, 1), 'x');
    crash_disk_spare (self.hardware, true);
    assert_int_equal (get (&self, 1), 'a');
    crash_disk_spare (self.hardware, false);

    /* Written, and lost again: then it is as wrong as before. */
    bool lost = false, kept = false;
    for (uint64_t seed = 0; seed < TRIES && !(lost && kept); seed++) {
        assert_int_equal (put (&self, 1, 'b'), 0);
        assert_int_equal (crash_disk_harmed (self.hardware, "file"), 0);
        end_process (&self);
        crash_disk_power_cut (self.hardware);
        reopen (&self);
        bool wrong = get (&self, 1) == 'x';
        assert_int_equal (crash_disk_harmed (self.hardware, "file"), wrong ? 1 : 0);
        lost |= wrong;
        kept |= !wrong;
        (void) harm (&self, 1, 'x');
    }
    assert_true (lost && kept);
    assert_int_equal (put (&self, 1, 'c'), 0);
    assert_int_equal (self.disk->ops->sync (self.file), 0);
    assert_int_equal (crash_disk_harmed (self.hardware, "file"), 0);
    assert_int_equal (get (&self, 1), 'c');
    end (&self);
}

static void test_versions (void **state)
{
    (void) state;
    struct fixture self;
    uint8_t bytes[SECTOR];
    begin (&self, 1, 4);
    crash_disk_keep_versions (self.hardware);
    crash_disk_set_time (self.hardware, 7);
    assert_int_equal (put (&self, 2, 'b'), 0);
    assert_int_equal (crash_disk_written (self.hardware, "file", 2 * SECTOR), 7);
    assert_int_equal (crash_disk_written (self.hardware, "file", 1 * SECTOR), 0);
    assert_true (crash_disk_durable (self.hardware, "file", 1 * SECTOR));
    assert_false (crash_disk_durable (self.hardware, "file", 2 * SECTOR));
    assert_true (crash_disk_keeps (self.hardware, "file", 1, 2 * SECTOR - 1));
    assert_false (crash_disk_keeps (self.hardware, "file", 1, 2 * SECTOR));
    assert_int_equal (self.disk->ops->sync (self.file), 0);
    assert_true (crash_disk_durable (self.hardware, "file", 2 * SECTOR));
    assert_true (crash_disk_keeps (self.hardware, "file", 1, 2 * SECTOR));
    assert_false (crash_disk_keeps (self.hardware, "file", 1, 4 * SECTOR)); /* it ends before */
    assert_false (crash_disk_keeps (self.hardware, "other", 0, 1));
    assert_true (crash_disk_sector (self.hardware, "file", 2 * SECTOR, true, bytes));
    assert_int_equal (bytes[0], 'a');
    assert_true (crash_disk_sector (self.hardware, "file", 2 * SECTOR, false, bytes));
    assert_int_equal (bytes[0], 'b');
    assert_false (crash_disk_sector (self.hardware, "file", 4 * SECTOR, false, bytes));
    end (&self);
}

static bool give_x (void *arg, const char *name, uint64_t offset, size_t size, uint64_t *at,
                    uint8_t sector[CRASH_SECTOR_SIZE])
{
    assert_string_equal (name, "file");
    assert_int_equal (size, 1);
    *at = offset;
    memset (sector, 'x', SECTOR);
    return *(const bool *) arg;
}

static void test_misread (void **state)
{
    (void) state;
    struct fixture self;
    bool wrong = true;
    begin (&self, 1, 4);
    crash_disk_misread_at (self.hardware, 2, give_x, &wrong);
    assert_int_equal (get (&self, 1), 'a');
    assert_int_equal (get (&self, 1), 'x');
    assert_int_equal (get (&self, 1), 'a');
    assert_int_equal (crash_disk_failures (self.hardware), 1);
    wrong = false;
    crash_disk_misread_at (self.hardware, 1, give_x, &wrong);
    assert_int_equal (get (&self, 1), 'a');
    assert_int_equal (crash_disk_failures (self.hardware), 1);
    end (&self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_kept_lost_and_reordered),
        cmocka_unit_test (test_torn),
        cmocka_unit_test (test_synced_stays),
        cmocka_unit_test (test_lost_names),
        cmocka_unit_test (test_stop_at_and_after),
        cmocka_unit_test (test_stop_after_sync_is_durable),
        cmocka_unit_test (test_write_error),
        cmocka_unit_test (test_read_error),
        cmocka_unit_test (test_no_space_and_space_again),
        cmocka_unit_test (test_harm_and_healing),
        cmocka_unit_test (test_put_back),
        cmocka_unit_test (test_versions),
        cmocka_unit_test (test_misread),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
