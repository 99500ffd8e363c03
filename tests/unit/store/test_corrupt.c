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
