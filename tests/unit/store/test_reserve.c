/*
 *  tests/unit/store/test_reserve.c - how much space of the log is ready before it is needed
 */
#include "cohort/error.h"
#include "tests/support/crash_disk.h"
#include "tests/unit/store/history.h"
#include "tests/unit/unit.h"

enum { MIB = 1 << 20, ENTRY_SIZE = 32 << 10, ENTRIES_A_MIB = 33, MARK_DUE_MS = 100 };

static struct crash_disk *disk;
static struct store *store;
static struct history history;
static uint64_t number;

static void open_store (void)
{
    struct store_options options = {.server_id = 1, .store_id = 2, .disk = crash_disk_open (disk)};
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
    assert_int_equal (store_completed (store), number);
}

/*  A little more than a MiB of log. */
static void append_mib (void)
{
    size_t from = history.count;
    for (size_t i = 0; i < ENTRIES_A_MIB; i++) {
        history_add (&history, from + i == 0 ? 1 : 0, ENTRY_SIZE, from + i);
    }
    history_submit (&history, store, from, ++number, 0);
}

static uint64_t log_size (void)
{
    uint64_t size;
    assert_true (crash_disk_size (disk, "log.1", &size));
    return size;
}

/*  A log that little is written to takes little; one that much is written to, more. */
static void test_more_for_bursts (void **state)
{
    (void) state;
    history_add (&history, 1, 100, 0);
    history_submit (&history, store, 0, ++number, 0);
    work ();
    assert_in_range (log_size (), 4 * MIB, 5 * MIB);
    append_mib ();
    work ();
    assert_in_range (log_size (), 9 * MIB, 10 * MIB);
    append_mib ();
    append_mib ();
    work ();
    assert_in_range (log_size (), 23 * MIB, 25 * MIB);
    assert_int_equal (store_work_due (store), -1);
}

/*  What a start would have to doubt is settled first. */
static void test_mark_first (void **state)
{
    (void) state;
    append_mib ();
    work ();
    uint64_t before = log_size ();
    append_mib ();
    assert_true (store_work (store));
    while (store_work_due (store) != MARK_DUE_MS) {
        assert_true (store_work (store));
    }
    assert_in_range (log_size (), before, before + MIB);
    assert_true (store_work (store));
    assert_in_range (store_work_due (store), 0, MARK_DUE_MS - 1);
    work ();
    assert_true (log_size () > before + 2 * MIB);
}

/*  Where there is no room for that the disk is not full, and all goes on as before. */
static void test_no_room_for_bursts (void **state)
{
    (void) state;
    append_mib ();
    work ();
    crash_disk_set_space (disk, crash_disk_used (disk) + 2 * MIB);
    append_mib ();
    work ();
    assert_int_equal (store_space (store), 0);
    assert_int_equal (store_work_due (store), -1);
    append_mib ();
    work ();
    assert_int_equal (store_space (store), 0);
    store_close (&store);
    crash_disk_power_cut (disk);
    open_store ();
    assert_int_equal (history_compare (&history, store), history.count);
}

/*  Much at once is not written twice: its space is taken, and filled only in the calm. */
static void test_large_batches (void **state)
{
    (void) state;
    for (size_t i = 0; i < 100; i++) {
        history_add (&history, i == 0 ? 1 : 0, ENTRY_SIZE, i);
        history_submit (&history, store, i, ++number, 0);
        work ();
    }
    assert_int_equal (crash_disk_allocated (disk), 0);
    for (size_t i = 0; i < 40; i++) {
        append_mib ();
        (void) store_work (store);
    }
    work ();
    assert_in_range (crash_disk_allocated (disk), 8 * MIB, 40 * MIB);
    assert_int_equal (store_work_due (store), -1);
    store_close (&store);
    crash_disk_power_cut (disk);
    open_store ();
    assert_int_equal (history_compare (&history, store), history.count);
}

/*  Where there is no room for many steps there may be for one. */
static void test_no_room_for_large_batches (void **state)
{
    (void) state;
    for (size_t i = 0; i < 12; i++) {
        append_mib ();
        work ();
    }
    uint64_t allocated = crash_disk_allocated (disk);
    crash_disk_set_space (disk, crash_disk_used (disk) + 6 * MIB);
    for (size_t i = 0; i < 20; i++) {
        append_mib ();
        (void) store_work (store);
        assert_int_equal (store_space (store), 0);
    }
    assert_true (crash_disk_allocated (disk) > allocated); /* it was tried */
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_more_for_bursts, setup, teardown),
        cmocka_unit_test_setup_teardown (test_mark_first, setup, teardown),
        cmocka_unit_test_setup_teardown (test_no_room_for_bursts, setup, teardown),
        cmocka_unit_test_setup_teardown (test_large_batches, setup, teardown),
        cmocka_unit_test_setup_teardown (test_no_room_for_large_batches, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
