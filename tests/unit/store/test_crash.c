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

/*  A call fails.  The store says so and acknowledges nothing more; the process ends and begins
 *  anew while the system's cache shows what may not be on the disk; then the power is cut. */
static void fail_at (uint64_t seed, uint64_t n, int error)
{
    struct model *model = model_new (seed, seed * 1000033 + n);
    crash_disk_fail_at (model->disk, n, error);
    int rc = model_open (model);
    if (rc == 0) {
        bool good = run (model, STEPS);
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
    }
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
static void full_at (uint64_t seed, uint64_t space)
{
    struct model *model = model_new (seed, seed);
    must_open (model);
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
        full_at (seed, seed * 7919 % 60000);
    }
}

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
        cmocka_unit_test_teardown (test_soak, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
