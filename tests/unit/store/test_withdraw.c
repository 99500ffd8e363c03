/*
 *  tests/unit/store/test_withdraw.c - what waits for room on a full disk is given up
 */
#include <string.h>

#include "cohort/error.h"
#include "tests/support/crash_disk.h"
#include "tests/unit/store/history.h"
#include "tests/unit/unit.h"

enum { ENTRY_SIZE = 2000, BATCH = 5, BATCHES_MAX = 1000 };

static struct crash_disk *disk;
static struct store *store;
static struct history history;
static uint64_t number;

static void open_store (void)
{
    struct store_options options = {.server_id = 1,
                                    .store_id = 2,
                                    .segment_bytes = 64 << 10,
                                    .cache_bytes = 16 << 10,
                                    .disk = crash_disk_open (disk)};
    char error[256];
    int rc = store_open (&options, &store, error, sizeof error);
    if (rc != 0) {
        fail_msg ("store_open: %s", error);
    }
}

static int setup (void **state)
{
    (void) state;
    disk = crash_disk_new (1);
    number = 0;
    history_init (&history);
    open_store ();
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    store_close (&store);
    crash_disk_destroy (&disk);
    return 0;
}

static void work (void)
{
    while (store_work (store)) {
    }
    assert_int_equal (store_failure (store, NULL), 0);
}

static void append (uint32_t epoch)
{
    size_t from = history.count;
    for (size_t i = 0; i < BATCH; i++) {
        history_add (&history, i == 0 ? epoch : 0, ENTRY_SIZE, number * BATCH + i);
    }
    history_submit (&history, store, from, ++number, 0);
}

/*  Until the disk is full, and some of what was submitted waits. */
static void fill (void)
{
    append (1);
    work ();
    crash_disk_set_space (disk, crash_disk_used (disk));
    for (int i = 0; store_space (store) == 0 || store_completed (store) == number; i++) {
        assert_true (i < BATCHES_MAX);
        append (1);
        work ();
    }
    append (1);
    append (1);
    work ();
    assert_true (store_completed (store) <= number - 3);
    assert_true (store_backlog (store) > 0);
}

/*  What the store has is the history, now and after the power was cut. */
static void expect_history (void)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal (store_last (store), history_last (&history).zxid);
        assert_int_equal (history_compare (&history, store), history.count);
        store_close (&store);
        crash_disk_power_cut (disk);
        open_store ();
    }
}

static void test_given_up (void **state)
{
    struct zab_point last;
    (void) state;
    fill ();
    uint64_t completed = store_completed (store);
    assert_false (store_withdrawn (store, &last));
    store_withdraw (store);
    work ();
    assert_true (store_withdrawn (store, &last));
    assert_false (store_withdrawn (store, &last)); /*  once */
    assert_int_equal (store_backlog (store), 0);
    assert_int_equal (store_completed (store), completed);
    assert_true (last.zxid >= history.entries[completed * BATCH - 1].zxid);
    assert_true (last.zxid < history_last (&history).zxid);
    assert_int_equal (store_last (store), last.zxid);
    history_cut (&history, last.zxid);
    assert_int_equal (history_last (&history).chain, last.chain);
    assert_int_equal (history_compare (&history, store), history.count);

    /*  With room it goes on from there, and what was given up does not come back. */
    crash_disk_set_space (disk, UINT64_MAX);
    work ();
    assert_int_equal (store_last (store), last.zxid);
    append (2);
    work ();
    assert_int_equal (store_completed (store), number);
    expect_history ();
}

/*  A crash instead comes to the same: nothing behind what is told was on the disk. */
static void test_as_a_crash_would_have_it (void **state)
{
    struct zab_point last;
    (void) state;
    fill ();
    store_withdraw (store);
    work ();
    assert_true (store_withdrawn (store, &last));
    history_cut (&history, last.zxid);
    store_close (&store);
    crash_disk_power_cut (disk);
    crash_disk_set_space (disk, UINT64_MAX);
    open_store ();
    expect_history ();
}

/*  There is room before the store comes to it: all of it is durable, and nothing is given up. */
static void test_needless (void **state)
{
    struct zab_point last;
    (void) state;
    fill ();
    crash_disk_set_space (disk, UINT64_MAX);
    work ();
    store_withdraw (store);
    work ();
    assert_false (store_withdrawn (store, &last));
    assert_int_equal (store_completed (store), number);
    append (1);
    work ();
    assert_int_equal (store_completed (store), number);
    expect_history ();
}

/*  Where even what is overwritten finds no room, some of it may be there: nothing is given up,
 *  until all of it is durable. */
static void test_half_written (void **state)
{
    struct zab_point last;
    (void) state;
    append (1);
    work ();
    crash_disk_copy_on_write (disk, true);
    crash_disk_set_space (disk, 0);
    append (1);
    work ();
    assert_int_equal (store_space (store), COHORT_EDISKFULL);
    assert_int_equal (store_completed (store), number - 1);
    store_withdraw (store);
    work ();
    assert_false (store_withdrawn (store, &last));
    crash_disk_set_space (disk, UINT64_MAX);
    work ();
    assert_false (store_withdrawn (store, &last));
    assert_int_equal (store_completed (store), number);
    assert_int_equal (store_space (store), 0);
    expect_history ();
}

/*  Nor is a promise that may be in one of the two copies. */
static void test_half_promised (void **state)
{
    struct zab_point last;
    (void) state;
    append (1);
    work ();
    crash_disk_copy_on_write (disk, true);
    crash_disk_set_space (disk, 0);
    struct zab_persist promise = {
        .number = ++number, .epochs = true, .accepted_epoch = 7, .current_epoch = 1};
    store_persist (store, &promise);
    work ();
    assert_int_equal (store_space (store), COHORT_EDISKFULL);
    assert_int_equal (store_completed (store), number - 1);
    store_withdraw (store);
    work ();
    assert_false (store_withdrawn (store, &last));
    crash_disk_set_space (disk, UINT64_MAX);
    work ();
    assert_int_equal (store_completed (store), number);
    store_close (&store);
    crash_disk_power_cut (disk);
    open_store ();
    assert_int_equal (store_meta (store)->accepted_epoch, 7);
    expect_history ();
}

/*  Whoever waits for metadata to be written is told, and may ask again. */
static void test_metadata_refused (void **state)
{
    (void) state;
    append (1);
    work ();
    struct store_meta meta = *store_meta (store);
    meta.cluster_id[0] = 9;
    crash_disk_copy_on_write (disk, true);
    crash_disk_set_space (disk, 0);
    assert_int_equal (store_set_meta (store, &meta), COHORT_EDISKFULL);
    assert_int_equal (store_meta (store)->cluster_id[0], 0);
    append (1); /*  waits; so does what comes behind it */
    assert_int_equal (store_set_meta (store, &meta), COHORT_EDISKFULL);
    work ();
    assert_int_equal (store_set_meta (store, &meta), COHORT_EDISKFULL);
    assert_int_equal (store_space (store), COHORT_EDISKFULL);
    crash_disk_set_space (disk, UINT64_MAX);
    work ();
    assert_int_equal (store_space (store), 0);
    assert_int_equal (store_set_meta (store, &meta), 0);
    store_close (&store);
    crash_disk_power_cut (disk);
    open_store ();
    assert_int_equal (store_meta (store)->cluster_id[0], 9);
    expect_history ();
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown (test_as_a_crash_would_have_it, setup, teardown),
        cmocka_unit_test_setup_teardown (test_needless, setup, teardown),
        cmocka_unit_test_setup_teardown (test_half_written, setup, teardown),
        cmocka_unit_test_setup_teardown (test_half_promised, setup, teardown),
        cmocka_unit_test_setup_teardown (test_metadata_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name ("store_withdraw", tests, NULL, NULL);
}
