/*
 *  tests/unit/store/test_memory.c - memory runs out at every allocation
 *
 *  The store says so, leaks nothing, and what it had acknowledged is there when it is opened again.
 */
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "tests/unit/store/history.h"
#include "tests/unit/store/kept_disk.h"
#include "tests/unit/unit.h"

struct run {
    struct disk *disk;
    struct store *store;
    struct history history; /*  as submitted */
    uint64_t number;
    zxid_t acknowledged;
    bool failed;
};

static struct run run;

static const struct store_options options = {
    .server_id = 1,
    .store_id = 2,
    .segment_bytes = 32 << 10,
    .cache_bytes = 32 << 10,
};

static int open_store (void)
{
    struct store_options with_disk = options;
    char error[256];
    with_disk.disk = kept_disk_new (run.disk);
    return store_open (&with_disk, &run.store, error, sizeof error);
}

static bool still_good (void)
{
    while (store_work (run.store)) {
    }
    int rc = store_failure (run.store, NULL);
    if (rc != 0) {
        assert_int_equal (rc, COHORT_ENOMEM);
        return false;
    }
    return true;
}

static bool append (size_t count, uint32_t size)
{
    static uint8_t data[4000];
    struct zab_entry entries[40];
    size_t from = run.history.count;
    for (size_t i = 0; i < count; i++) {
        struct expected *expected = &run.history.entries[from + i];
        struct zab_point last = history_last (&run.history);
        *expected = (struct expected){
            .zxid = last.zxid == 0 ? zxid_make (1, 1) : last.zxid + 1,
            .chain = last.chain * 31 + 7,
            .size = size,
        };
        run.history.count++;
        entries[i] = (struct zab_entry){
            .zxid = expected->zxid,
            .chain = expected->chain,
            .data = data,
            .size = size,
        };
    }
    struct zab_persist persist = {
        .number = ++run.number,
        .entries = entries,
        .entries_count = count,
    };
    store_persist (run.store, &persist);
    bool good = still_good ();
    if (store_completed (run.store) == run.number) {
        run.acknowledged = entries[count - 1].zxid;
    }
    return good;
}

static bool snapshot (bool install)
{
    static uint8_t data[150000];
    struct store_writer *writer;
    struct zab_point point = history_last (&run.history);
    if (install) {
        point.zxid += 100;
    }
    int rc = store_writer_new (run.store, point, 0, &writer);
    if (rc != 0) {
        assert_int_equal (rc, COHORT_ENOMEM);
        return false;
    }
    store_writer_append (writer, data, sizeof data);
    store_writer_finish (writer, install);
    bool good = still_good ();
    if (install && store_writer_state (writer) == 1) {
        history_restart (&run.history, point, 0);
        run.acknowledged = point.zxid;
    }
    store_writer_destroy (&writer);
    return good;
}

static bool read_back (void)
{
    struct zab_entry entries[8];
    struct zab_point base;
    int64_t stamp_ms;
    store_base (run.store, &base, &stamp_ms);
    (void) store_read (run.store, base.zxid, UINT64_MAX, 10000, entries, 8);
    struct store_reader *reader;
    struct store_snapshot_info info;
    uint8_t data[100];
    size_t done;
    int rc = store_reader_new (run.store, &reader, &info);
    if (rc == 0) {
        assert_int_equal (store_reader_read (reader, 0, data, sizeof data, &done), 0);
        store_reader_destroy (&reader);
    } else {
        assert_true (rc == COHORT_ENOMEM || rc == COHORT_ESTATE);
    }
    return still_good ();
}

static bool truncate_some (void)
{
    zxid_t to = history_last (&run.history).zxid - 5;
    struct zab_persist persist = {.number = ++run.number, .truncate = true, .truncate_to = to};
    store_persist (run.store, &persist);
    /*  What is durable is the old end or the new one. */
    run.acknowledged = to;
    history_cut (&run.history, to);
    return still_good ();
}

static bool everything (void)
{
    struct zab_point base;
    int64_t stamp_ms;
    struct store_meta meta = *store_meta (run.store);
    meta.cluster_id[0] = 1;
    int rc = store_set_meta (run.store, &meta);
    if (rc != 0) {
        assert_int_equal (rc, COHORT_ENOMEM);
        return false;
    }
    bool good = append (30, 3000) && truncate_some () && append (20, 100) && read_back () &&
                snapshot (false) && append (10, 100) && snapshot (false);
    if (good && store_compacted (run.store, &base, &stamp_ms)) {
        history_purge (&run.history, base, stamp_ms);
    }
    return good && still_good () && append (30, 1000) && read_back () && snapshot (true) &&
           append (3, 3) && read_back ();
}

/*  false: the n-th allocation never came. */
static bool fail_at (uint64_t n)
{
    memset (&run, 0, sizeof run);
    run.disk = memory_disk_new ();
    history_init (&run.history);
    struct store_options with_disk = options;
    char error[256];
    with_disk.disk = kept_disk_new (run.disk);
    mem_fail_at (n);
    int rc = store_open (&with_disk, &run.store, error, sizeof error);
    bool good = rc == 0 && everything ();
    bool came = mem_fail_clear ();
    if (rc != 0) {
        assert_int_equal (rc, COHORT_ENOMEM);
    } else {
        assert_true (good || came);
        store_close (&run.store);
    }
    assert_int_equal (open_store (), 0);
    assert_true (store_last (run.store) >= run.acknowledged);
    store_close (&run.store);
    run.disk->ops->destroy (run.disk);
    return came;
}

static void test_every_allocation (void **state)
{
    (void) state;
    uint64_t n = 1;
    while (fail_at (n)) {
        n++;
    }
    assert_true (n > 100);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_every_allocation)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
