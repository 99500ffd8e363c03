/*
 *  tests/unit/store/test_corrupt.c - bytes flip, sectors are lost, files vanish
 *
 *  A store is built and closed; then one thing after the other is damaged, each on a fresh copy of
 *  the disk.  Opening must give exactly what was acknowledged, or say what is wrong; a log cut
 *  short in silence is what must never be.
 */
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "tests/unit/store/model.h"
#include "tests/unit/unit.h"

struct built {
    struct crash_disk *disk;
    struct store_options options;
    uint64_t digest;
    struct zab_point base;
    zxid_t last, watermark;
    bool may_shorten;     /*  the log may end anywhere from the watermark on */
    size_t same, refused; /*  counts of outcomes */
};

static struct built built;

static void work (struct store *store)
{
    while (store_work (store)) {
    }
    assert_int_equal (store_failure (store, NULL), 0);
}

static void append (struct store *store, struct history *history, size_t count, uint32_t size,
                    uint64_t number)
{
    size_t from = history->count;
    for (size_t i = 0; i < count; i++) {
        history_add (history, 0, size, number * 1000 + i);
    }
    history_submit (history, store, from, number, 0);
    work (store);
}

static void snapshot (struct store *store, const struct history *history, size_t size)
{
    struct store_writer *writer;
    static uint8_t bytes[100000];
    memset (bytes, 0x5a, sizeof bytes);
    assert_int_equal (store_writer_new (store, history_last (history), 5, &writer), 0);
    store_writer_append (writer, bytes, size);
    store_writer_finish (writer, false);
    work (store);
    assert_int_equal (store_writer_state (writer), 1);
    store_writer_destroy (&writer);
    work (store);
}

/*  Two snapshots, a log of several segments before, between and behind them, a truncation; then a
 *  batch of 25, and one of 3. */
static void build (bool marked)
{
    static struct history history;
    history_init (&history);
    built.disk = crash_disk_new (5);
    built.options = (struct store_options){
        .server_id = 2,
        .store_id = 99,
        .segment_bytes = 16 << 10,
        .disk = crash_disk_open (built.disk),
    };
    struct store *store;
    char error[256];
    assert_int_equal (store_open (&built.options, &store, error, sizeof error), 0);
    struct store_meta meta = *store_meta (store);
    memset (meta.cluster_id, 3, sizeof meta.cluster_id);
    meta.accepted_epoch = meta.current_epoch = 4;
    assert_int_equal (store_set_meta (store, &meta), 0);
    append (store, &history, 30, 300, 1);
    snapshot (store, &history, 70000);
    append (store, &history, 40, 400, 2);
    zxid_t cut = history_last (&history).zxid - 3;
    store_persist (store, &(struct zab_persist){.number = 3, .truncate = true, .truncate_to = cut});
    history_truncate (&history, cut);
    append (store, &history, 20, 1000, 4);
    snapshot (store, &history, 1000);
    struct zab_point base;
    int64_t stamp_ms;
    assert_true (store_compacted (store, &base, &stamp_ms));
    append (store, &history, 25, 900, 5);
    built.watermark = store_last (store);
    if (marked) {
        /*  The manifest says nothing about these, only the records themselves do. */
        append (store, &history, 3, 700, 6);
        append (store, &history, 1, 100, 7);
        append (store, &history, 1, 100, 8);
        built.watermark = store_last (store);
    } else {
        /*  One piece of work only: the mark comes later. */
        size_t from = history.count;
        for (uint64_t i = 0; i < 3; i++) {
            history_add (&history, 0, 1400, 6000 + i); /*  the first with a sector of zeros */
        }
        history_submit (&history, store, from, 6, 0);
        assert_true (store_work (store));
    }
    assert_int_equal (store_completed (store), marked ? 8 : 6);
    built.base = base;
    built.last = store_last (store);
    built.digest = store_digest (store);
    store_close (&store);
    crash_disk_power_cut (built.disk);
}

static int build_marked (void **state)
{
    (void) state;
    build (true);
    return 0;
}

static int build_unmarked (void **state)
{
    (void) state;
    build (false);
    return 0;
}

static int unbuild (void **state)
{
    (void) state;
    crash_disk_destroy (&built.disk);
    return 0;
}

/*  0: just as it was; else the error, whose text must name a file. */
static int outcome (struct crash_disk *disk, char *error, size_t error_size)
{
    struct store *store;
    struct store_options options = built.options;
    options.disk = crash_disk_open (disk);
    uint64_t operations = crash_disk_operations (disk);
    int rc = store_open (&options, &store, error, error_size);
    if (rc != 0) {
        assert_true (rc == COHORT_ECORRUPT || rc == COHORT_ECONFIG);
        /*  What may yet be rescued is as it was. */
        assert_int_equal (crash_disk_operations (disk), operations);
        built.refused++;
        return rc;
    }
    built.same++;
    if (built.may_shorten) {
        assert_true (store_last (store) >= built.watermark);
        assert_true (store_last (store) <= built.last);
    } else {
        assert_int_equal (store_last (store), built.last);
        assert_int_equal (store_digest (store), built.digest);
    }
    assert_int_equal (store_meta (store)->current_epoch, 4);
    struct store_reader *reader;
    struct store_snapshot_info info;
    assert_int_equal (store_reader_new (store, &reader, &info), 0);
    uint8_t byte;
    size_t done;
    assert_int_equal (store_reader_read (reader, 999, &byte, 1, &done), 0);
    assert_int_equal (byte, 0x5a);
    store_reader_destroy (&reader);
    store_close (&store);
    return 0;
}

typedef bool damage_fn (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n);

static void damage_all (damage_fn *damage, uint64_t step)
{
    char error[256];
    uint64_t n = 0;
    for (size_t i = 0; crash_disk_name (built.disk, i) != NULL; i++) {
        char name[64];
        uint64_t size;
        (void) snprintf (name, sizeof name, "%s", crash_disk_name (built.disk, i));
        assert_true (crash_disk_size (built.disk, name, &size));
        for (uint64_t at = n % step; at < size; at += step, n++) {
            struct crash_disk *copy = crash_disk_copy (built.disk, n);
            if (damage (copy, name, at, n)) {
                int rc = outcome (copy, error, sizeof error);
                if (rc != 0 && strchr (error, ':') == NULL) {
                    fail_msg ("%s at %llu: the text names no file: %s", name,
                              (unsigned long long) at, error);
                }
            }
            crash_disk_destroy (&copy);
        }
    }
    printf ("             %zu damages passed over, %zu refused\n", built.same, built.refused);
    built.same = built.refused = 0;
}

static bool flip (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n)
{
    return crash_disk_flip (disk, name, offset, (uint8_t) (1 + n * 37 % 255));
}

static void test_flip (void **state)
{
    (void) state;
    damage_all (flip, 97);
}

static bool zero (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n)
{
    (void) n;
    return crash_disk_zero_sector (disk, name, offset);
}

static void test_zero_sector (void **state)
{
    (void) state;
    damage_all (zero, 512);
}

static bool set_bad (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n)
{
    (void) n;
    return crash_disk_set_bad (disk, name, offset, true);
}

static void test_bad_sector (void **state)
{
    (void) state;
    damage_all (set_bad, 1024);
}

static bool cut (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n)
{
    (void) n;
    struct disk *view = crash_disk_open (disk);
    struct disk_file *file;
    assert_int_equal (view->ops->open (view, name, false, &file), 0);
    assert_int_equal (view->ops->truncate (file, offset), 0);
    view->ops->close (file);
    view->ops->destroy (view);
    return true;
}

static void test_cut_short (void **state)
{
    (void) state;
    damage_all (cut, 1531);
}

static void remove_file (struct crash_disk *disk, const char *name)
{
    struct disk *view = crash_disk_open (disk);
    assert_int_equal (view->ops->unlink (view, name), 0);
    assert_int_equal (view->ops->sync_names (view), 0);
    view->ops->destroy (view);
}

/*  Each file missing: metadata has a second copy, and what only keeps space is made again. */
static void test_missing (void **state)
{
    (void) state;
    char error[256];
    for (size_t i = 0; crash_disk_name (built.disk, i) != NULL; i++) {
        struct crash_disk *copy = crash_disk_copy (built.disk, i);
        char name[64];
        (void) snprintf (name, sizeof name, "%s", crash_disk_name (built.disk, i));
        remove_file (copy, name);
        int rc = outcome (copy, error, sizeof error);
        bool harmless = strncmp (name, "meta.", 5) == 0 || strcmp (name, "reserve") == 0;
        if (strncmp (name, "snap.", 5) != 0) {
            assert_int_equal (rc, harmless ? 0 : COHORT_ECORRUPT);
        }
        if (rc != 0) {
            assert_non_null (strstr (error, name));
            assert_non_null (strstr (error, "missing"));
        }
        crash_disk_destroy (&copy);
    }
}

/*  Both copies of the metadata: the store has forgotten what it promised. */
static void test_no_meta (void **state)
{
    (void) state;
    char error[256];
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    remove_file (copy, "meta.0");
    assert_true (crash_disk_flip (copy, "meta.1", 70, 1));
    assert_int_equal (outcome (copy, error, sizeof error), COHORT_ECORRUPT);
    assert_non_null (strstr (error, "meta.0, meta.1"));
    crash_disk_destroy (&copy);
}

static void test_other_server (void **state)
{
    (void) state;
    char error[256];
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    struct store_options options = built.options;
    struct store *store;
    options.disk = crash_disk_open (copy);
    options.server_id = 3;
    assert_int_equal (store_open (&options, &store, error, sizeof error), COHORT_ECONFIG);
    assert_string_equal (error, "meta.0: this is the folder of server 2, not of server 3");
    crash_disk_destroy (&copy);
}

/*  The last batch, which no watermark covers yet, although it was acknowledged.  A flipped bit is
 *  still told from a torn record. */
static void test_tail_flip (void **state)
{
    (void) state;
    damage_all (flip, 61);
}

/*  A lost sector is not: this is what the mark, 100 ms later, is for. */
static void test_tail_zero_sector (void **state)
{
    (void) state;
    built.may_shorten = true;
    damage_all (zero, 512);
    built.may_shorten = false;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_flip),         cmocka_unit_test (test_zero_sector),
        cmocka_unit_test (test_bad_sector),   cmocka_unit_test (test_cut_short),
        cmocka_unit_test (test_missing),      cmocka_unit_test (test_no_meta),
        cmocka_unit_test (test_other_server),
    };
    const struct CMUnitTest tail_tests[] = {
        cmocka_unit_test (test_tail_flip),
        cmocka_unit_test (test_tail_zero_sector),
    };
    int failed = cmocka_run_group_tests (tests, build_marked, unbuild);
    return failed + cmocka_run_group_tests (tail_tests, build_unmarked, unbuild);
}
