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
#include "server/store/format.h"
#include "tests/unit/store/built.h"
#include "tests/unit/unit.h"

static struct built built;
static bool may_shorten;     /*  the log may end anywhere from the watermark on */
static size_t same, refused; /*  counts of outcomes */

static int build_marked (void **state)
{
    (void) state;
    built_make (&built, true);
    return 0;
}

static int build_unmarked (void **state)
{
    (void) state;
    built_make (&built, false);
    return 0;
}

static int unbuild (void **state)
{
    (void) state;
    built_free (&built);
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
        refused++;
        return rc;
    }
    same++;
    if (may_shorten) {
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

static void check (const struct built *self, struct crash_disk *disk, const char *name,
                   uint64_t offset)
{
    (void) self;
    char error[512];
    int rc = outcome (disk, error, sizeof error);
    if (rc != 0 && strchr (error, ':') == NULL) {
        fail_msg ("%s at %llu: the text names no file: %s", name, (unsigned long long) offset,
                  error);
    }
}

static void damage_all (built_damage_fn *damage, uint64_t step)
{
    built_damage_all (&built, damage, step, check);
    printf ("             %zu damages passed over, %zu refused\n", same, refused);
    same = refused = 0;
}

static void test_flip (void **state)
{
    (void) state;
    damage_all (built_flip, 97);
}

static void test_zero_sector (void **state)
{
    (void) state;
    damage_all (built_zero, 512);
}

static void test_bad_sector (void **state)
{
    (void) state;
    damage_all (built_set_bad, 1024);
}

static void test_cut_short (void **state)
{
    (void) state;
    damage_all (built_cut, 1531);
}

/*  Each file missing: metadata has a second copy, and what only keeps space is made again. */
static void test_missing (void **state)
{
    (void) state;
    char error[512];
    for (size_t i = 0; crash_disk_name (built.disk, i) != NULL; i++) {
        struct crash_disk *copy = crash_disk_copy (built.disk, i);
        char name[64];
        (void) snprintf (name, sizeof name, "%s", crash_disk_name (built.disk, i));
        built_remove (copy, name);
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
    char error[512];
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    built_remove (copy, "meta.0");
    assert_true (crash_disk_flip (copy, "meta.1", 70, 1));
    assert_int_equal (outcome (copy, error, sizeof error), COHORT_ECORRUPT);
    assert_non_null (strstr (error, "meta.0, meta.1"));
    crash_disk_destroy (&copy);
}

static void test_other_server (void **state)
{
    (void) state;
    char error[512];
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
    damage_all (built_flip, 61);
}

/*  A lost sector is not: this is what the mark, 100 ms later, is for. */
static void test_tail_zero_sector (void **state)
{
    (void) state;
    may_shorten = true;
    damage_all (built_zero, 512);
    may_shorten = false;
}

/*  Of the record at an offset nothing has ever been written, it seems. */
static void unwrite (struct crash_disk *disk, const char *name, uint64_t at, uint64_t size)
{
    for (uint64_t start = at / SECTOR_SIZE * SECTOR_SIZE; start < at + size; start += SECTOR_SIZE) {
        uint8_t sector[SECTOR_SIZE];
        uint64_t low = at > start ? at - start : 0;
        uint64_t high = at + size - start < SECTOR_SIZE ? at + size - start : SECTOR_SIZE;
        assert_true (crash_disk_sector (disk, name, start, false, sector));
        memset (sector + low, 0, (size_t) (high - low));
        assert_true (crash_disk_harm (disk, name, start, sector));
    }
}

/*  The mark that fills a sector is gone, and behind it stands an entry that was acknowledged, which
 * no watermark covers yet: what is torn is the last that was written, and this mark was not. */
static void test_mark_lost_before_an_entry (void **state)
{
    (void) state;
    struct built longer;
    struct store *store;
    char error[512], name[64];
    built_make (&longer, true);
    struct store_options options = longer.options;
    options.disk = crash_disk_open (longer.disk);
    assert_int_equal (store_open (&options, &store, error, sizeof error), 0);
    for (uint64_t number = 1; number <= 2; number++) {
        size_t from = longer.history->count;
        history_add (longer.history, 0, 100, 9000 + number);
        history_submit (longer.history, store, from, number, 0);
        assert_true (store_work (store));
        while (number == 1 && store_work (store)) {
        }
    }
    assert_int_equal (store_completed (store), 2);
    store_close (&store);

    uint32_t segment = 0, found;
    for (size_t i = 0; crash_disk_name (longer.disk, i) != NULL; i++) {
        uint64_t size;
        const uint8_t *bytes =
            crash_disk_bytes (longer.disk, crash_disk_name (longer.disk, i), &size);
        if (name_is_segment (crash_disk_name (longer.disk, i), &found) && found > segment &&
            bytes[SEGMENT_HEAD_SIZE] != 0) {
            segment = found;
        }
    }
    name_segment (name, segment);
    uint64_t size, at = SEGMENT_HEAD_SIZE, mark = 0;
    const uint8_t *bytes = crash_disk_bytes (longer.disk, name, &size);
    struct record record;
    while (record_decode (bytes + at, record_salt (BUILT_STORE, segment), &record)) {
        mark = record.type == RECORD_MARK && record.size > 0 ? at : mark;
        at += record_total (record.size);
    }
    assert_true (mark > 0);
    assert_true (record_decode (bytes + mark, record_salt (BUILT_STORE, segment), &record));
    unwrite (longer.disk, name, mark, record_total (record.size));
    options.disk = crash_disk_open (longer.disk);
    assert_int_equal (store_open (&options, &store, error, sizeof error), COHORT_ECORRUPT);
    assert_non_null (strstr (error, "a mark is missing, and the log goes on"));
    built_free (&longer);
}

/*  One read goes wrong while a store is opened: what is on the disk stays as it is. */
static void test_misread (void **state)
{
    (void) state;
    bool more = true;
    for (uint64_t n = 1; more; n++) {
        char error[512];
        struct store *store;
        struct crash_disk *copy = crash_disk_copy (built.disk, n);
        struct built_garble once = {.disk = copy};
        struct store_options options = built.options;
        crash_disk_misread_at (copy, n, built_garble, &once);
        options.disk = crash_disk_open (copy);
        int rc = store_open (&options, &store, error, sizeof error);
        assert_true (rc == 0 || rc == COHORT_ECORRUPT || rc == COHORT_ECONFIG);
        if (rc == 0) {
            store_close (&store);
        }
        more = once.happened;
        crash_disk_misread_at (copy, 0, NULL, NULL);
        options.disk = crash_disk_open (copy);
        assert_int_equal (store_open (&options, &store, error, sizeof error), 0);
        assert_int_equal (store_last (store), built.last);
        assert_int_equal (store_digest (store), built.digest);
        store_close (&store);
        crash_disk_destroy (&copy);
    }
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
        cmocka_unit_test (test_mark_lost_before_an_entry),
        cmocka_unit_test (test_misread),
    };
    int failed = cmocka_run_group_tests (tests, build_marked, unbuild);
    return failed + cmocka_run_group_tests (tail_tests, build_unmarked, unbuild);
}
