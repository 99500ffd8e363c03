/* tests/unit/inspect/test_inspect.c - what is said of a damaged folder is what a store makes of it
 *
 * A store is built and closed; then one thing after the other is damaged, each on a fresh copy of
 * the disk. Each damage must be seen, at its place; the outcome that is told must be what comes
 * when a store is really opened; and no byte of the folder may have changed.
 */
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "server/store/manifest.h"
#include "tests/unit/inspect/inspected.h"
#include "tests/unit/store/built.h"
#include "tests/unit/unit.h"

static struct built built;
static bool
    may_shorten; /* a sector of zeros at the end of the log cannot be told from a torn one */
static size_t sound, damaged;

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

/* A store says the same, and after it there is nothing left that it would see to. */
static void check_outcome (struct crash_disk *disk, const struct inspect_report *report)
{
    char error[512];
    struct store *store;
    struct store_options options = built.options;
    options.disk = crash_disk_open (disk);
    int rc = store_open (&options, &store, error, sizeof error);
    assert_int_equal (report->outcome.code, rc);
    if (rc != 0) {
        assert_string_equal (report->outcome.text, error);
        return;
    }
    struct zab_point base;
    int64_t stamp_ms;
    store_base (store, &base, &stamp_ms);
    assert_int_equal (report->outcome.last, store_last (store));
    assert_int_equal (report->outcome.committed, store_committed (store));
    assert_int_equal (report->outcome.base, base.zxid);
    assert_string_equal (report->outcome.text, store_damage (store));
    store_close (&store);
}

static void check (const struct built *self, struct crash_disk *disk, const char *name,
                   uint64_t offset)
{
    static struct inspect_report report;
    (void) offset;
    inspect (disk, &report);
    check_outcome (disk, &report);
    if (report.outcome.code != 0) {
        assert_true (report.damages_count > 0);
    }
    if (report.damages_count > 0) {
        damaged++;
        /* What was written where nothing may be shows that the segment before is incomplete. */
        bool log = strncmp (name, "log.", 4) == 0;
        assert_int_equal (strncmp (report.findings[0].file, name, log ? 4 : NAME_SIZE), 0);
    } else {
        sound++;
        assert_int_equal (report.outcome.code, 0);
        if (!may_shorten) {
            assert_int_equal (report.outcome.last, self->last);
        }
    }
    inspect_deinit (&report);
}

static void damage_all (built_damage_fn *damage, uint64_t step)
{
    sound = damaged = 0;
    built_damage_all (&built, damage, step, check);
    printf ("             %zu seen, %zu did no harm\n", damaged, sound);
}

static void test_sound (void **state)
{
    (void) state;
    static struct inspect_report report;
    inspect (built.disk, &report);
    assert_int_equal (report.findings_count, 0);
    assert_int_equal (report.outcome.code, 0);
    assert_int_equal (report.outcome.last, built.last);
    assert_int_equal (report.log_last, built.last);
    assert_int_equal (report.snapshots_count, 2);
    uint64_t entries = 0;
    zxid_t last = 0;
    for (size_t i = 0; i < report.segments_count; i++) {
        const struct inspect_segment *segment = &report.segments[i];
        assert_int_equal (segment->code, 0);
        assert_true (segment->entries == 0 || segment->first > last);
        entries += segment->entries;
        last = segment->last > last ? segment->last : last;
    }
    assert_int_equal (last, built.last);
    /* All of the log behind the older snapshot is there, and perhaps some before it. */
    assert_true (entries >= zxid_counter (built.last) - zxid_counter (built.base.zxid));
    inspect_deinit (&report);
}

static void test_flip (void **state)
{
    (void) state;
    damage_all (built_flip, 311);
    assert_true (damaged > 80);
}

static void test_zero_sector (void **state)
{
    (void) state;
    damage_all (built_zero, 1024);
    assert_true (damaged > 30);
}

static void test_bad_sector (void **state)
{
    (void) state;
    damage_all (built_set_bad, 2048);
    assert_true (damaged > 30);
}

static void test_cut_short (void **state)
{
    (void) state;
    damage_all (built_cut, 3061);
    assert_true (damaged > 15);
}

/* Each file missing is named, but for what only keeps space. */
static void test_missing (void **state)
{
    (void) state;
    for (size_t i = 0; crash_disk_name (built.disk, i) != NULL; i++) {
        static struct inspect_report report;
        struct crash_disk *copy = crash_disk_copy (built.disk, i);
        char name[64];
        (void) snprintf (name, sizeof name, "%s", crash_disk_name (built.disk, i));
        built_remove (copy, name);
        inspect (copy, &report);
        if (strcmp (name, "reserve") == 0) {
            assert_int_equal (report.damages_count, 0);
        } else {
            assert_true (report.damages_count > 0);
            assert_string_equal (report.findings[0].file, name);
            assert_string_equal (report.findings[0].what, "missing");
        }
        check_outcome (copy, &report);
        inspect_deinit (&report);
        crash_disk_destroy (&copy);
    }
}

static bool zxid_is (zxid_t zxid, zxid_t expected)
{
    return zxid == expected;
}

/* A place in the middle of an entry: file, offset and what comes before it are told, and what of
 * the log behind it can still be seen. */
static void test_first_damage (void **state)
{
    (void) state;
    static struct inspect_report report;
    inspect (built.disk, &report);
    const struct inspect_segment *segment = &report.segments[report.segments_count - 2];
    for (size_t i = 0; segment->entries < 5; i++) {
        segment = &report.segments[i];
    }
    char name[NAME_SIZE];
    uint32_t number = segment->span.segment;
    zxid_t first = segment->first;
    uint64_t size = 0;
    name_segment (name, number);
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    struct disk *disk = crash_disk_open (copy);
    struct disk_file *file;
    uint8_t header[RECORD_HEADER_SIZE];
    size_t done;
    assert_int_equal (disk->ops->open (disk, name, false, &file), 0);
    assert_int_equal (disk->ops->read (file, SEGMENT_HEAD_SIZE, header, sizeof header, &done), 0);
    disk->ops->close (file);
    disk->ops->destroy (disk);
    size = record_total (record_size (header));
    inspect_deinit (&report);

    /* The body of the second record. */
    assert_true (
        crash_disk_flip (copy, name, SEGMENT_HEAD_SIZE + size + RECORD_HEADER_SIZE + 3, 1));
    inspect (copy, &report);
    assert_int_equal (report.damages_count, 1);
    const struct inspect_finding *finding = &report.findings[0];
    assert_int_equal (finding->kind, INSPECT_CORRUPTION);
    assert_string_equal (finding->file, name);
    assert_int_equal (finding->offset, SEGMENT_HEAD_SIZE + size);
    assert_true (finding->has_zxid);
    assert_true (zxid_is (finding->zxid, first));
    assert_string_equal (finding->what, "the checksum is wrong");
    for (size_t i = 0; i < report.segments_count; i++) {
        if (report.segments[i].span.segment == number) {
            assert_int_equal (report.segments[i].ending, INSPECT_BROKEN);
            assert_int_equal (report.segments[i].entries, 1);
            assert_true (report.segments[i].lost >= 3);
        }
    }
    inspect_deinit (&report);
    crash_disk_destroy (&copy);
}

/* What an interruption leaves is told, and is no damage. */
static void test_left_over (void **state)
{
    (void) state;
    static struct inspect_report report;
    static const char *const names[] = {"manifest.new", "snap.new", "log.9999", "notes"};
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    struct disk *disk = crash_disk_open (copy);
    for (size_t i = 0; i < 4; i++) {
        struct disk_file *file;
        assert_int_equal (disk->ops->open (disk, names[i], true, &file), 0);
        assert_int_equal (disk->ops->write (file, 0, "x", 1), 0);
        disk->ops->close (file);
    }
    disk->ops->destroy (disk);
    inspect (copy, &report);
    assert_int_equal (report.damages_count, 0);
    assert_int_equal (report.findings_count, 3); /* notes are somebody's own */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal (report.findings[i].kind, INSPECT_STRAY);
    }
    check_outcome (copy, &report);
    inspect_deinit (&report);
    crash_disk_destroy (&copy);
}

static void test_tail_flip (void **state)
{
    (void) state;
    static struct inspect_report report;
    size_t suspects = 0;
    damage_all (built_flip, 307);
    /* The last entry cannot be read, and nothing says that it was durable. */
    inspect (built.disk, &report);
    const struct inspect_segment *segment = NULL;
    for (size_t i = 0; i < report.segments_count; i++) {
        segment = report.segments[i].last == built.last ? &report.segments[i] : segment;
    }
    assert_non_null (segment);
    char name[NAME_SIZE];
    name_segment (name, segment->span.segment);
    uint64_t end = segment->end;
    inspect_deinit (&report);
    for (uint64_t at = end - 400; at < end - 100; at += 50) {
        struct crash_disk *copy = crash_disk_copy (built.disk, at);
        assert_true (crash_disk_flip (copy, name, at, 1));
        inspect (copy, &report);
        assert_int_equal (report.damages_count, 1);
        suspects += report.findings[0].kind == INSPECT_SUSPECT;
        inspect_deinit (&report);
        crash_disk_destroy (&copy);
    }
    assert_int_equal (suspects, 6);
}

/* A lost sector behind all watermarks is a torn tail: told, with its place, and no damage. */
static void test_tail_zero_sector (void **state)
{
    (void) state;
    static struct inspect_report report;
    size_t torn = 0;
    may_shorten = true;
    damage_all (built_zero, 1024);
    may_shorten = false;
    inspect (built.disk, &report);
    for (size_t i = 0; i < report.segments_count; i++) {
        char name[NAME_SIZE];
        name_segment (name, report.segments[i].span.segment);
        if (report.segments[i].last != built.last) {
            continue;
        }
        struct crash_disk *copy = crash_disk_copy (built.disk, 1);
        static struct inspect_report found;
        assert_true (crash_disk_zero_sector (copy, name, report.segments[i].end - 700));
        inspect (copy, &found);
        assert_int_equal (found.damages_count, 0);
        assert_int_equal (found.findings_count, 1);
        assert_int_equal (found.findings[0].kind, INSPECT_TORN);
        assert_string_equal (found.findings[0].file, name);
        assert_true (found.findings[0].offset > SEGMENT_HEAD_SIZE);
        assert_int_equal (found.findings[0].zxid, found.outcome.last);
        torn++;
        inspect_deinit (&found);
        crash_disk_destroy (&copy);
    }
    assert_int_equal (torn, 1);
    inspect_deinit (&report);
}

/* Without memory: an error that says so, and nothing else. */
static void test_no_memory (void **state)
{
    (void) state;
    static struct inspect_report report;
    struct fault fault;
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    assert_true (crash_disk_flip (copy, "meta.1", 80, 1));
    struct inspect_options options = {.disk = built_in_memory (copy), .checksums_only = true};
    bool failed = true;
    size_t failures = 0;
    /* Each of the first ones, then in strides: what is read is read piece by piece. */
    for (uint64_t n = 1; failed; n += 1 + n / 50) {
        mem_fail_at (n);
        int rc = inspect_run (&options, &report, &fault);
        failed = mem_fail_clear ();
        if (failed) {
            assert_int_equal (rc, COHORT_ENOMEM);
            failures++;
        } else {
            assert_int_equal (rc, 0);
            assert_int_equal (report.damages_count, 1);
        }
        inspect_deinit (&report);
    }
    assert_true (failures > 50);
    options.disk->ops->destroy (options.disk);
    crash_disk_destroy (&copy);
}

/* A restore was killed. All files that there are may be sound, and no server starts with them. */
static void test_unfinished_restore (void **state)
{
    (void) state;
    static struct inspect_report report;
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    struct disk *view = crash_disk_open (copy);
    struct disk_file *file;
    assert_int_equal (view->ops->open (view, NAME_RESTORING, true, &file), 0);
    view->ops->close (file);
    view->ops->destroy (view);
    inspect (copy, &report);
    assert_int_equal (report.outcome.code, COHORT_ECONFIG);
    check_outcome (copy, &report);
    assert_int_equal (report.damages_count, 1);
    assert_int_equal (report.findings[0].kind, INSPECT_UNFINISHED);
    assert_string_equal (report.findings[0].file, NAME_RESTORING);
    inspect_deinit (&report);
    crash_disk_destroy (&copy);
}

static void test_zxids (void **state)
{
    (void) state;
    static const char *const wrong[] = {"",
                                        "x",
                                        "4",
                                        "4.",
                                        ".4",
                                        "4.5x",
                                        "-1.2",
                                        "0x",
                                        "0xg",
                                        "8388608.1",
                                        "1.1099511627776",
                                        "0xffffffffffffffff",
                                        " 4.5"};
    zxid_t zxid = 0;
    assert_true (inspect_parse_zxid ("4.17", &zxid));
    assert_int_equal (zxid, zxid_make (4, 17));
    assert_true (inspect_parse_zxid ("0x40000000011", &zxid));
    assert_int_equal (zxid, zxid_make (4, 17));
    assert_true (inspect_parse_zxid ("8388607.1099511627775", &zxid));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (inspect_parse_zxid (wrong[i], &zxid)) {
            fail_msg ("'%s' is taken for a zxid", wrong[i]);
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_sound),
        cmocka_unit_test (test_flip),
        cmocka_unit_test (test_zero_sector),
        cmocka_unit_test (test_bad_sector),
        cmocka_unit_test (test_cut_short),
        cmocka_unit_test (test_missing),
        cmocka_unit_test (test_first_damage),
        cmocka_unit_test (test_left_over),
        cmocka_unit_test (test_zxids),
        cmocka_unit_test (test_no_memory),
        cmocka_unit_test (test_unfinished_restore),
    };
    const struct CMUnitTest tail_tests[] = {
        cmocka_unit_test (test_tail_flip),
        cmocka_unit_test (test_tail_zero_sector),
    };
    int failed = cmocka_run_group_tests (tests, build_marked, unbuild);
    return failed + cmocka_run_group_tests (tail_tests, build_unmarked, unbuild);
}
