/*
 *  tests/unit/store/test_crash.c - the power is cut, or a call fails, at every operation
 *
 *  A random workload from a seed (appending, truncation, epochs, snapshots, installation, removal)
 *  is run once to count the operations on the disk, then once for each of them with the fault
 *  there.  Afterwards the store is opened again; it must hold what it had acknowledged, go on
 *  working, and hold that after one more power cut.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/error.h"
#include "tests/unit/store/model.h"
#include "tests/unit/unit.h"

enum { STEPS = 60, STEPS_AFTER = 25 };

static uint64_t seeds = 2;

/*  Where a failure happened: printed at the end if the program dies early. */
static uint64_t at_seed, at_operation;

static void note_at (uint64_t seed, uint64_t n)
{
    at_seed = seed;
    at_operation = n;
}

static int teardown (void **state)
{
    (void) state;
    printf ("             last: seed %llu, operation %llu\n", (unsigned long long) at_seed,
            (unsigned long long) at_operation);
    return 0;
}

/*  Runs steps until the store fails; true: it did not. */
static bool run (struct model *model, int steps)
{
    for (int i = 0; i < steps; i++) {
        if (!model_step (model)) {
            return false;
        }
    }
    return model_settle (model);
}

static void must_open (struct model *model)
{
    int rc = model_open (model);
    if (rc != 0) {
        fail_msg ("store_open: %d %s", rc, model->error);
    }
}

/*  Operations of the fault-free run. */
static uint64_t count_operations (uint64_t seed)
{
    struct model *model = model_new (seed, seed);
    must_open (model);
    assert_true (run (model, STEPS));
    uint64_t operations = crash_disk_operations (model->disk);
    model_close (model);
    crash_disk_power_cut (model->disk);
    must_open (model);
    model_check (model);
    model_destroy (&model);
    return operations;
}

/*  The store is down: it comes back, is checked, works (a little or more: what a torn tail has left
 *  must not matter where the log ends next), and survives another power cut. */
static void come_back (struct model *model)
{
    must_open (model);
    model_check (model);
    int steps = (int) prng_below (&model->prng, prng_chance (&model->prng, 1, 2) ? 3 : STEPS_AFTER);
    assert_true (run (model, steps));
    assert_true (model_settle (model));
    model_close (model);
    crash_disk_power_cut (model->disk);
    must_open (model);
    model_check (model);
}

static void cut_power_at (uint64_t seed, uint64_t n)
{
    struct model *model = model_new (seed, seed * 1000003 + n);
    crash_disk_stop_at (model->disk, n);
    if (model_open (model) == 0) {
        (void) run (model, STEPS);
    }
    assert_true (crash_disk_stopped (model->disk));
    model_close (model);
    crash_disk_power_cut (model->disk);
    come_back (model);
    model_destroy (&model);
}

static void test_power_cut (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t operations = count_operations (seed);
        for (uint64_t n = 1; n <= operations; n++) {
            note_at (seed, n);
            cut_power_at (seed, n);
        }
    }
}

/*  A second cut while the first is being recovered from, at every operation of that. */
static void test_power_cut_in_recovery (void **state)
{
    (void) state;
    for (uint64_t seed = 100; seed < 100 + 10 * seeds; seed++) {
        uint64_t operations = count_operations (seed);
        bool stopped = true;
        for (uint64_t n = 1; stopped; n++) {
            note_at (seed, n);
            struct model *model = model_new (seed, seed);
            crash_disk_stop_at (model->disk, 1 + seed * 7919 % operations);
            if (model_open (model) == 0) {
                (void) run (model, STEPS);
            }
            model_close (model);
            crash_disk_power_cut (model->disk);
            crash_disk_stop_at (model->disk, n);
            int rc = model_open (model);
            stopped = crash_disk_stopped (model->disk);
            assert_int_equal (rc == 0, !stopped);
            model_close (model);
            crash_disk_power_cut (model->disk);
            come_back (model);
            model_destroy (&model);
        }
    }
}

/*  The n-th operation, by name. */
struct nth {
    uint64_t n;
    char operation[16];
};

static void note_operation (void *arg, const char *operation, const char *name, uint64_t offset,
                            uint64_t size)
{
    struct nth *nth = arg;
    (void) name;
    (void) offset;
    (void) size;
    if (strcmp (operation, "open") != 0 && nth->n > 0 && --nth->n == 0) {
        (void) snprintf (nth->operation, sizeof nth->operation, "%s", operation);
    }
}

/*  Want of room for a write, a new name or a rename passes; after a sync that failed nobody knows
 *  what the disk holds, and to remove something takes no room. */
static bool passes (const struct nth *nth)
{
    return strncmp (nth->operation, "sync", 4) != 0 && strcmp (nth->operation, "unlink") != 0;
}

/*  A call fails.  The store says so and acknowledges nothing more; the process ends and begins
 *  anew while the system's cache shows what may not be on the disk; then the power is cut. */
static void fail_at (uint64_t seed, uint64_t n, int error)
{
    struct model *model = model_new (seed, seed * 1000033 + n);
    struct nth nth = {.n = n};
    crash_disk_trace (model->disk, note_operation, &nth);
    crash_disk_fail_at (model->disk, n, error);
    int rc = model_open (model);
    if (rc == 0) {
        bool good = run (model, STEPS);
        if (error == -ENOSPC && passes (&nth)) {
            assert_true (good);
            for (int i = 0; i < 10; i++) {
                assert_true (model_settle (model));
            }
            assert_int_equal (store_space (model->store), 0);
            assert_int_equal (model->acknowledged, model->count);
        }
        if (error == -EIO) {
            assert_true (crash_disk_failed (model->disk));
            assert_false (good);
            assert_int_equal (store_failure (model->store, NULL), COHORT_ESYSTEM);
            uint64_t completed = store_completed (model->store);
            assert_false (store_work (model->store));
            assert_int_equal (store_completed (model->store), completed);
        }
    } else {
        assert_true (rc == COHORT_ESYSTEM || rc == COHORT_EDISKFULL);
        assert_true (error == -EIO || rc == COHORT_EDISKFULL || !passes (&nth));
    }
    crash_disk_trace (model->disk, NULL, NULL);
    model_close (model);
    if (n % 3 != 0) {
        crash_disk_power_cut (model->disk);
    }
    come_back (model);
    model_destroy (&model);
}

static void test_io_error (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t operations = count_operations (seed);
        for (uint64_t n = 1; n <= operations; n++) {
            note_at (seed, n);
            fail_at (seed, n, -EIO);
        }
    }
}

static void test_no_space_once (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t operations = count_operations (seed);
        for (uint64_t n = 1; n <= operations; n++) {
            note_at (seed, n);
            fail_at (seed, n, -ENOSPC);
        }
    }
}

/*  The disk is full for a while: the store lives, says so, and goes on when there is space. */
static void full_at (uint64_t seed, uint64_t space, bool copies)
{
    struct model *model = model_new (seed, seed);
    must_open (model);
    crash_disk_copy_on_write (model->disk, copies);
    crash_disk_set_space (model->disk, crash_disk_used (model->disk) + space);
    bool full = false;
    for (int i = 0; i < 2 * STEPS; i++) {
        assert_true (model_step (model));
        full = full || store_space (model->store) == COHORT_EDISKFULL;
    }
    if (seed % 2 == 0) {
        /*  Power is cut while it is full. */
        model_close (model);
        crash_disk_power_cut (model->disk);
        int rc = model_open (model);
        if (rc == 0) {
            model_check (model);
        } else {
            assert_int_equal (rc, COHORT_EDISKFULL);
        }
    }
    crash_disk_set_space (model->disk, UINT64_MAX);
    if (model->store == NULL) {
        must_open (model);
        model_check (model);
    }
    for (int i = 0; i < 10; i++) {
        assert_true (model_settle (model));
    }
    assert_int_equal (store_space (model->store), 0);
    assert_int_equal (model->acknowledged, model->count);
    model_close (model);
    crash_disk_power_cut (model->disk);
    come_back (model);
    model_destroy (&model);
}

static void test_full (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 20 * seeds; seed++) {
        note_at (seed, 0);
        full_at (seed, seed * 7919 % 60000, false);
    }
}

/*  Likewise where even what is overwritten takes space: some of it waits half written. */
static void test_full_copy_on_write (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 20 * seeds; seed++) {
        note_at (seed, 0);
        full_at (seed, seed % 4 == 0 ? 0 : seed * 7919 % 60000, true);
    }
}

/* ---- Truncation and purging, each overtaken by the other --------------------------------- */

struct overtaking {
    struct crash_disk *disk;
    struct store *store;
    struct history history;
    uint64_t number;
};

static int open_again (struct overtaking *self)
{
    static const struct store_options options = {
        .server_id = 1,
        .store_id = 2,
        .segment_bytes = 16 << 10,
    };
    struct store_options with_disk = options;
    char error[256];
    with_disk.disk = crash_disk_open (self->disk);
    return store_open (&with_disk, &self->store, error, sizeof error);
}

static void append (struct overtaking *self, size_t count)
{
    size_t from = self->history.count;
    for (size_t i = 0; i < count; i++) {
        history_add (&self->history, 0, 900, self->number * 50 + i);
    }
    history_submit (&self->history, self->store, from, ++self->number, 0);
}

static void work_all (struct overtaking *self)
{
    while (store_work (self->store)) {
    }
}

/*  Two snapshots of the same point, and some entries behind it: the point will be the base, and
 *  nothing keeps the log from being cut there. */
static struct zab_point set_up (struct overtaking *self, uint64_t seed)
{
    struct store_writer *writer;
    self->number = 0;
    self->disk = crash_disk_new (seed);
    history_init (&self->history);
    assert_int_equal (open_again (self), 0);
    append (self, 33); /*  just fills three segments */
    work_all (self);
    struct zab_point point = history_last (&self->history);
    for (int i = 0; i < 2; i++) {
        assert_int_equal (store_writer_new (self->store, point, 0, &writer), 0);
        store_writer_append (writer, (const uint8_t *) "snapshot", 8);
        store_writer_finish (writer, false);
        work_all (self);
        assert_int_equal (store_writer_state (writer), 1);
        store_writer_destroy (&writer);
        work_all (self);
    }
    return point;
}

static void truncate_to (struct overtaking *self, zxid_t to)
{
    struct zab_persist persist = {.number = ++self->number, .truncate = true, .truncate_to = to};
    store_persist (self->store, &persist);
    history_cut (&self->history, to);
}

static void finish (struct overtaking *self, struct zab_point point)
{
    store_close (&self->store);
    crash_disk_power_cut (self->disk);
    assert_int_equal (open_again (self), 0);
    assert_true (store_last (self->store) >= point.zxid);
    store_close (&self->store);
    crash_disk_destroy (&self->disk);
}

/*  The log's lane comes first: the truncation to the new base is done before the purge. */
static void test_truncate_before_purge (void **state)
{
    static struct overtaking self;
    (void) state;
    bool stopped = true;
    for (uint64_t n = 1; stopped; n++) {
        note_at (0, n);
        struct zab_point point = set_up (&self, n), base;
        int64_t stamp_ms;
        append (&self, 3);
        work_all (&self);
        crash_disk_stop_at (self.disk, n);
        assert_true (store_compacted (self.store, &base, &stamp_ms));
        assert_int_equal (base.zxid, point.zxid);
        truncate_to (&self, point.zxid);
        append (&self, 2);
        work_all (&self);
        stopped = crash_disk_stopped (self.disk);
        finish (&self, point);
    }
}

/*  On a full disk the truncation waits, and the purge, which makes space, is done before it. */
static void test_purge_before_truncate (void **state)
{
    static struct overtaking self;
    (void) state;
    struct zab_point point = set_up (&self, 1), base;
    int64_t stamp_ms;
    append (&self, 13); /*  into the next segment, after which none is ready */
    (void) store_work (self.store);
    crash_disk_set_space (self.disk, crash_disk_used (self.disk));
    truncate_to (&self, point.zxid);
    append (&self, 2);
    work_all (&self);
    assert_int_equal (store_space (self.store), COHORT_EDISKFULL);
    assert_true (store_completed (self.store) < self.number);
    assert_true (store_compacted (self.store, &base, &stamp_ms));
    work_all (&self);
    crash_disk_set_space (self.disk, UINT64_MAX);
    work_all (&self);
    assert_int_equal (store_failure (self.store, NULL), 0);
    assert_int_equal (store_completed (self.store), self.number);
    assert_int_equal (store_last (self.store), history_last (&self.history).zxid);
    finish (&self, history_last (&self.history));
}

/* ---- Faults upon faults ------------------------------------------------------------------ */

static void random_fault (struct model *model)
{
    uint64_t n = 1 + prng_below (&model->prng, 60);
    switch (prng_below (&model->prng, 5)) {
    case 0:
        crash_disk_stop_at (model->disk, n);
        break;
    case 1:
        crash_disk_fail_at (model->disk, n, -EIO);
        break;
    case 2:
        crash_disk_fail_at (model->disk, n, -ENOSPC);
        break;
    case 3:
        crash_disk_copy_on_write (model->disk, prng_chance (&model->prng, 1, 2));
        crash_disk_set_space (model->disk, crash_disk_used (model->disk) + n * 1000);
        break;
    default:
        break;
    }
}

/*  One fault after the other, also while the one before is being recovered from, with and without
 *  a power cut between them. */
static void soak (uint64_t seed)
{
    struct model *model = model_new (seed, seed);
    for (int round = 0; round < 20; round++) {
        random_fault (model);
        int rc = model_open (model);
        if (rc == 0) {
            model_check (model);
            (void) run (model, (int) prng_below (&model->prng, STEPS));
        } else if (rc != COHORT_ESYSTEM && rc != COHORT_EDISKFULL) {
            fail_msg ("store_open: %d %s", rc, model->error);
        }
        model_close (model);
        crash_disk_set_space (model->disk, UINT64_MAX);
        crash_disk_fail_at (model->disk, 0, 0);
        if (crash_disk_stopped (model->disk) || prng_chance (&model->prng, 1, 2)) {
            crash_disk_power_cut (model->disk);
        }
        crash_disk_stop_at (model->disk, 0);
    }
    come_back (model);
    model_destroy (&model);
}

static void test_soak (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 40 * seeds; seed++) {
        note_at (seed, 0);
        soak (seed);
    }
}

int main (int argc, char **argv)
{
    if (argc > 1) {
        seeds = strtoull (argv[1], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown (test_power_cut, teardown),
        cmocka_unit_test_teardown (test_power_cut_in_recovery, teardown),
        cmocka_unit_test_teardown (test_io_error, teardown),
        cmocka_unit_test_teardown (test_no_space_once, teardown),
        cmocka_unit_test_teardown (test_full, teardown),
        cmocka_unit_test_teardown (test_full_copy_on_write, teardown),
        cmocka_unit_test_teardown (test_truncate_before_purge, teardown),
        cmocka_unit_test (test_purge_before_truncate),
        cmocka_unit_test_teardown (test_soak, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
