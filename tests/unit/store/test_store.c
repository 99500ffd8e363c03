/*
 *  tests/unit/store/test_store.c - a store on a disk in memory: what goes in comes out
 *
 *  The disk outlives the store that is opened on it: kept_disk passes everything on and survives
 *  its destroy.
 */
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "tests/support/heap.h"
#include "tests/unit/store/history.h"
#include "tests/unit/store/kept_disk.h"
#include "tests/unit/unit.h"

enum { SERVER = 7, STORE = 4711 };

struct fixture {
    struct disk *disk; /*  in memory, across openings */
    struct store *store;
    struct store_options options;
    struct history history;
    uint64_t number;
    char error[256];
};

static int setup (void **state)
{
    struct fixture *self = mem_calloc (1, sizeof *self);
    self->disk = memory_disk_new ();
    history_init (&self->history);
    self->options = (struct store_options){
        .server_id = SERVER,
        .store_id = STORE,
        .segment_bytes = 256 << 10,
        .cache_bytes = 256 << 10,
    };
    *state = self;
    return 0;
}

static int teardown (void **state)
{
    struct fixture *self = *state;
    store_close (&self->store);
    self->disk->ops->destroy (self->disk);
    mem_free (self);
    return 0;
}

static void open_store (struct fixture *self)
{
    self->options.disk = kept_disk_new (self->disk);
    int rc = store_open (&self->options, &self->store, self->error, sizeof self->error);
    if (rc != 0) {
        fail_msg ("store_open: %s", self->error);
    }
}

static void reopen (struct fixture *self)
{
    store_close (&self->store);
    open_store (self);
}

static void settle (struct fixture *self)
{
    while (store_work (self->store)) {
    }
    assert_int_equal (store_failure (self->store, NULL), 0);
    assert_int_equal (store_completed (self->store), self->number);
}

/*  Adds entries to the history and submits them. */
static void append (struct fixture *self, uint32_t epoch, size_t count, uint32_t size)
{
    size_t from = self->history.count;
    for (size_t i = 0; i < count; i++) {
        history_add (&self->history, i == 0 ? epoch : 0, size, 1000 * self->number + i);
    }
    zxid_t commit = from > 0 ? self->history.entries[from - 1].zxid : 0;
    history_submit (&self->history, self->store, from, ++self->number, commit);
}

static void compare (struct fixture *self)
{
    assert_int_equal (history_compare (&self->history, self->store), self->history.count);
    assert_int_equal (store_last (self->store), history_last (&self->history).zxid);
}

static void test_empty (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    assert_int_equal (store_last (self->store), 0);
    assert_int_equal (store_committed (self->store), 0);
    const struct store_meta *meta = store_meta (self->store);
    assert_int_equal (meta->server_id, SERVER);
    assert_int_equal (meta->store_id, STORE);
    self->options.store_id = 9; /*  only for a new one */
    reopen (self);
    assert_int_equal (store_meta (self->store)->store_id, STORE);
    struct store_snapshot_info info;
    assert_false (store_snapshot_newest (self->store, &info));
    struct store_reader *reader;
    assert_int_equal (store_reader_new (self->store, &reader, &info), COHORT_ESTATE);
}

static void test_append_and_reopen (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    append (self, 1, 10, 100);
    assert_int_equal (store_completed (self->store), 0);
    assert_true (store_backlog (self->store) > 1000);
    compare (self); /*  readable before it is durable */
    assert_true (store_work (self->store));
    assert_int_equal (store_completed (self->store), 1);
    assert_int_equal (store_backlog (self->store), 0);
    settle (self);
    reopen (self);
    compare (self);
    append (self, 2, 1, 0);
    append (self, 3, 5, 700);
    settle (self);
    zxid_t committed = self->history.entries[10].zxid;
    reopen (self);
    compare (self);
    assert_int_equal (store_committed (self->store), committed);
}

/*  Several segments, much more than the cache, records larger than a chunk and a segment. */
static void test_much (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    for (uint32_t i = 0; i < 200; i++) {
        append (self, 1 + i / 50, 1 + i % 40, i % 17 == 0 ? 40000 : i * 13 % 900);
        if (i % 3 == 0) {
            settle (self);
        }
    }
    settle (self);
    compare (self);
    assert_true (kept_disk_count (self->options.disk, "log.") > 5);
    reopen (self);
    compare (self);
    append (self, 20, 3, 100);
    settle (self);
    reopen (self);
    compare (self);
}

/*  In a calm all is given back but what is yet to be written; who asks for it finds it. */
static void test_rest (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    append (self, 1, 400, 300);
    store_rest (self->store); /*  all of it waits for the disk */
    compare (self);
    settle (self);
    heap_watch_begin ();
    store_rest (self->store);
    int64_t freed = -heap_in_use ();
    heap_watch_end ();
    assert_in_range (freed, 100 << 10, self->options.cache_bytes);
    compare (self);
    append (self, 1, 10, 300);
    settle (self);
    compare (self);
    reopen (self);
    store_rest (self->store);
    compare (self);
}

static void truncate_to (struct fixture *self, zxid_t to)
{
    struct zab_persist persist = {.number = ++self->number, .truncate = true, .truncate_to = to};
    store_persist (self->store, &persist);
    history_cut (&self->history, to);
}

static void test_truncate (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    append (self, 1, 2000, 300);
    settle (self);
    append (self, 2, 20, 30);
    /*  Into what was not written yet, then into what is cached, then into what is not. */
    truncate_to (self, zxid_make (2, 10));
    append (self, 3, 7, 50);
    compare (self);
    settle (self);
    compare (self);
    reopen (self);
    compare (self);
    truncate_to (self, zxid_make (1, 1990));
    append (self, 4, 7, 50);
    settle (self);
    reopen (self);
    compare (self);
    truncate_to (self, zxid_make (1, 500));
    settle (self);
    compare (self);
    append (self, 5, 1000, 400);
    settle (self);
    truncate_to (self, history_last (&self->history).zxid); /*  nothing to do */
    truncate_to (self, zxid_make (1, 3));
    settle (self);
    compare (self);
    reopen (self);
    compare (self);
    truncate_to (self, 0);
    append (self, 6, 3, 3);
    settle (self);
    reopen (self);
    compare (self);
}

static void test_meta (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    struct store_meta meta = *store_meta (self->store);
    memset (meta.cluster_id, 0xab, sizeof meta.cluster_id);
    meta.bootstrapped = true;
    meta.config.count = 2;
    meta.config.members[0] =
        (struct config_member){.id = 7, .role = CONFIG_VOTER, .store_id = STORE};
    meta.config.members[1] =
        (struct config_member){.id = 8, .role = CONFIG_OBSERVER, .store_id = 12};
    assert_int_equal (store_set_meta (self->store, &meta), 0);
    struct zab_persist persist = {
        .number = ++self->number,
        .epochs = true,
        .accepted_epoch = 5,
        .current_epoch = 4,
    };
    store_persist (self->store, &persist);
    settle (self);
    append (self, 5, 4, 10);
    settle (self);
    reopen (self);
    compare (self);
    const struct store_meta *found = store_meta (self->store);
    assert_memory_equal (found->cluster_id, meta.cluster_id, 16);
    assert_true (found->bootstrapped);
    assert_int_equal (found->config.count, 2);
    assert_int_equal (found->config.members[1].role, CONFIG_OBSERVER);
    assert_int_equal (found->config.members[1].store_id, 12);
    assert_int_equal (found->accepted_epoch, 5);
    assert_int_equal (found->current_epoch, 4);
}

/*  A snapshot of so many bytes at the point; its content follows from both. */
static struct store_writer *write_snapshot (struct fixture *self, struct zab_point point,
                                            int64_t stamp_ms, size_t size)
{
    struct store_writer *writer;
    assert_int_equal (store_writer_new (self->store, point, stamp_ms, &writer), 0);
    uint8_t bytes[3000];
    for (size_t at = 0; at < size;) {
        size_t part = size - at < sizeof bytes ? size - at : sizeof bytes;
        for (size_t i = 0; i < part; i++) {
            bytes[i] = (uint8_t) ((at + i) * 7 + point.zxid);
        }
        store_writer_append (writer, bytes, part);
        at += part;
    }
    return writer;
}

static void check_snapshot (struct fixture *self, struct zab_point point, size_t size)
{
    struct store_reader *reader;
    struct store_snapshot_info info;
    assert_int_equal (store_reader_new (self->store, &reader, &info), 0);
    assert_int_equal (info.point.zxid, point.zxid);
    assert_int_equal (info.point.chain, point.chain);
    assert_int_equal (info.size, size);
    uint8_t bytes[5000];
    size_t at = 0, done;
    do {
        assert_int_equal (store_reader_read (reader, at, bytes, sizeof bytes, &done), 0);
        for (size_t i = 0; i < done; i++) {
            assert_int_equal (bytes[i], (uint8_t) ((at + i) * 7 + point.zxid));
        }
        at += done;
    } while (done > 0);
    assert_int_equal (at, size);
    store_reader_destroy (&reader);
}

static void snapshot (struct fixture *self, size_t size, bool install)
{
    struct zab_point point = history_last (&self->history);
    if (install) {
        point = (struct zab_point){.zxid = point.zxid + (UINT64_C (1) << 40), .chain = 99};
    }
    struct store_writer *writer =
        write_snapshot (self, point, history_last_stamp (&self->history), size);
    assert_int_equal (store_writer_state (writer), 0);
    store_writer_finish (writer, install);
    settle (self);
    assert_int_equal (store_writer_pending (writer), 0);
    assert_int_equal (store_writer_state (writer), 1);
    store_writer_destroy (&writer);
    settle (self);
    check_snapshot (self, point, size);
    if (install) {
        history_restart (&self->history, point, history_last_stamp (&self->history));
    }
}

static void test_snapshots (void **state)
{
    struct fixture *self = *state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 1000000};
    open_store (self);
    struct zab_point base;
    int64_t stamp_ms;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        append (self, 0, 300, 500);
        settle (self);
        uint64_t before = store_log_bytes (self->store);
        snapshot (self, sizes[i], false);
        assert_true (store_log_bytes (self->store) < before);
        assert_int_equal (store_log_bytes (self->store), 0);
        bool compacted = store_compacted (self->store, &base, &stamp_ms);
        assert_int_equal (compacted, i > 0);
        if (compacted) {
            history_purge (&self->history, base, stamp_ms);
        }
        settle (self);
        compare (self);
        assert_int_equal (kept_disk_count (self->options.disk, "snap."), i == 0 ? 1 : 2);
        assert_false (store_compacted (self->store, &base, &stamp_ms));
        append (self, 0, 10, 10);
        settle (self);
        uint64_t log_bytes = store_log_bytes (self->store);
        reopen (self);
        compare (self);
        assert_int_equal (store_log_bytes (self->store), log_bytes);
    }
    assert_true (kept_disk_count (self->options.disk, "log.") < 5);
}

static void test_reader_pins (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    append (self, 1, 100, 500);
    settle (self);
    snapshot (self, 200000, false);
    struct zab_point first = history_last (&self->history), base;
    int64_t stamp_ms;
    struct store_reader *reader;
    struct store_snapshot_info info;
    assert_int_equal (store_reader_new (self->store, &reader, &info), 0);
    for (int i = 0; i < 4; i++) {
        append (self, 0, 100, 500);
        settle (self);
        snapshot (self, 100, false);
        if (store_compacted (self->store, &base, &stamp_ms)) {
            assert_int_equal (i, 0);
            assert_int_equal (base.zxid, first.zxid);
            history_purge (&self->history, base, stamp_ms);
        }
    }
    settle (self);
    uint8_t bytes[1000];
    size_t done;
    assert_int_equal (store_reader_read (reader, 150000, bytes, sizeof bytes, &done), 0);
    assert_int_equal (done, sizeof bytes);
    struct zab_entry entry;
    assert_int_equal (store_read (self->store, first.zxid, UINT64_MAX, 1, &entry, 1), 1);
    store_reader_destroy (&reader);
    assert_true (store_compacted (self->store, &base, &stamp_ms));
    history_purge (&self->history, base, stamp_ms);
    settle (self);
    assert_int_equal (store_read (self->store, first.zxid, UINT64_MAX, 1, &entry, 1), 0);
    reopen (self);
    compare (self);
}

static void test_install (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    for (int i = 0; i < 3; i++) {
        append (self, 0, 300, 500);
        settle (self);
        snapshot (self, 70000, false);
        snapshot (self, 300000, true);
        compare (self);
        struct zab_point base;
        int64_t stamp_ms;
        store_base (self->store, &base, &stamp_ms);
        assert_int_equal (base.zxid, self->history.base.zxid);
        assert_int_equal (stamp_ms, self->history.base_stamp_ms);
        reopen (self);
        compare (self);
        check_snapshot (self, base, 300000);
        assert_int_equal (store_committed (self->store), base.zxid);
        append (self, 0, 20, 20);
        settle (self);
        reopen (self);
        compare (self);
    }
}

/*  Destroyed unfinished, its file goes; destroyed while it is being finished, it counts. */
static void test_writer_left (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    append (self, 1, 10, 10);
    settle (self);
    struct zab_point point = history_last (&self->history);
    struct store_writer *writer = write_snapshot (self, point, 0, 100000), *second;
    assert_int_equal (store_writer_new (self->store, point, 0, &second), COHORT_ESTATE);
    settle (self);
    store_writer_destroy (&writer);
    settle (self);
    assert_int_equal (kept_disk_count (self->options.disk, "snap."), 0);
    writer = write_snapshot (self, point, 0, 100000);
    store_writer_finish (writer, false);
    store_writer_destroy (&writer);
    assert_null (writer);
    settle (self);
    struct zab_point base;
    int64_t stamp_ms;
    assert_false (store_compacted (self->store, &base, &stamp_ms));
    check_snapshot (self, point, 100000);
    settle (self);
    reopen (self);
    check_snapshot (self, point, 100000);
}

static void test_read_limits (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    append (self, 1, 100, 50);
    struct zab_entry entries[100];
    assert_int_equal (store_read (self->store, 0, zxid_make (1, 10), 100000, entries, 100), 10);
    assert_int_equal (store_read (self->store, 0, UINT64_MAX, 120, entries, 100), 2);
    assert_int_equal (store_read (self->store, 0, UINT64_MAX, 1, entries, 100), 1);
    assert_int_equal (store_read (self->store, 0, UINT64_MAX, 100000, entries, 7), 7);
    assert_int_equal (store_read (self->store, zxid_make (1, 100), UINT64_MAX, 1, entries, 7), 0);
    assert_int_equal (store_read (self->store, zxid_make (1, 98), UINT64_MAX, 9999, entries, 7), 2);
    assert_int_equal (entries[1].zxid, zxid_make (1, 100));
}

/*  The mark of the idle log, 100 ms after the last batch. */
static void test_due (void **state)
{
    struct fixture *self = *state;
    open_store (self);
    assert_int_equal (store_work_due (self->store), -1);
    assert_false (store_work (self->store));
    append (self, 1, 1, 10);
    assert_true (store_work (self->store));
    int turns = 0;
    while (store_work_due (self->store) >= 0 && store_work_due (self->store) < 100) {
        assert_true (store_work (self->store));
        turns++;
    }
    assert_true (turns < 10);
    assert_int_equal (store_work_due (self->store), 100);
    assert_true (store_work (self->store));
    assert_int_equal (store_work_due (self->store), -1);
    assert_false (store_work (self->store));
}

/*  Of a core that takes the log over: where it ends. */
static zxid_t last_of_core (struct zab_past **past)
{
    struct zab_options options = {
        .id = 1,
        .store_id = 1,
        .configs = {.count = 1, .configs = {{.count = 1, .members = {{1, CONFIG_VOTER, 1}}}}}};
    struct zab *zab = zab_new (&options);
    assert_non_null (zab);
    zab_recover (zab, past);
    zab_start (zab, 2, 2, 0, 0);
    zxid_t last = zab_status (zab)->last;
    zab_destroy (&zab);
    return last;
}

/*  What a core has to know of the log comes of the one reading of it; and an entry whose data is
 * not what its chain says, though its checksum is right, is noticed in it. */
static void test_past (void **state)
{
    struct fixture *self = *state;
    zxid_t chained;
    open_store (self);
    append (self, 1, 3000, 200); /*  more than is kept in memory */
    settle (self);
    reopen (self);
    struct zab_past *past = store_take_past (self->store, &chained);
    assert_non_null (past);
    assert_int_equal (last_of_core (&past), zxid_make (1, 3000));
    assert_null (store_take_past (self->store, &chained)); /*  it was taken */
    reopen (self);
    struct zab_entry entry = {.zxid = zxid_make (1, 3001), .chain = 5};
    struct zab_persist persist = {.number = 1, .entries = &entry, .entries_count = 1};
    store_persist (self->store, &persist);
    self->number = 1;
    settle (self);
    reopen (self);
    assert_null (store_take_past (self->store, &chained));
    assert_int_equal (chained, zxid_make (1, 3000));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown (test_append_and_reopen, setup, teardown),
        cmocka_unit_test_setup_teardown (test_much, setup, teardown),
        cmocka_unit_test_setup_teardown (test_rest, setup, teardown),
        cmocka_unit_test_setup_teardown (test_truncate, setup, teardown),
        cmocka_unit_test_setup_teardown (test_meta, setup, teardown),
        cmocka_unit_test_setup_teardown (test_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown (test_reader_pins, setup, teardown),
        cmocka_unit_test_setup_teardown (test_install, setup, teardown),
        cmocka_unit_test_setup_teardown (test_writer_left, setup, teardown),
        cmocka_unit_test_setup_teardown (test_read_limits, setup, teardown),
        cmocka_unit_test_setup_teardown (test_due, setup, teardown),
        cmocka_unit_test_setup_teardown (test_past, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
