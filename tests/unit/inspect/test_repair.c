/* tests/unit/inspect/test_repair.c - a damaged folder is repaired
 *
 * Whatever is damaged: nothing is given up without a decision; with one, a store opens that counts,
 * with a beginning of its history; what another folder still has is brought back, all of it; and an
 * interruption at any place is followed by the same.
 */
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "server/inspect/overlay.h"
#include "server/inspect/repair.h"
#include "tests/unit/inspect/inspected.h"
#include "tests/unit/store/built.h"
#include "tests/unit/store/kept_disk.h"
#include "tests/unit/unit.h"

static struct built built;
static struct crash_disk *other; /* another server's folder, or a copy from before the damage */
static struct disk *source;

static struct {
    size_t refused, decided, healed;
} counts;

static int build_with (bool marked)
{
    built_make (&built, marked);
    other = crash_disk_copy (built.disk, 7);
    source = crash_disk_open (other);
    return 0;
}

static int build_marked (void **state)
{
    (void) state;
    return build_with (true);
}

static int build_unmarked (void **state)
{
    (void) state;
    return build_with (false);
}

static int unbuild (void **state)
{
    (void) state;
    source->ops->destroy (source);
    crash_disk_destroy (&other);
    built_free (&built);
    return 0;
}

static struct inspect_report report;

/* Inspects and repairs; the report is gone afterwards. */
static struct repair_result repair (struct crash_disk *disk, enum repair_decision decision,
                                    bool with_source, bool healable)
{
    static struct repair_result rehearsed, result;
    inspect (disk, &report);
    report.healable = healable;
    struct repair_options options = {.report = &report,
                                     .sources_count = with_source ? 1 : 0,
                                     .sources = &source,
                                     .decision = decision};
    struct disk *below = crash_disk_open (disk), *overlay;
    uint64_t operations = crash_disk_operations (disk);
    assert_int_equal (overlay_new (below, &overlay), 0);
    repair_folder (overlay, &options, &rehearsed);
    below->ops->destroy (below);
    assert_int_equal (crash_disk_operations (disk), operations);

    repair_folder (crash_disk_open (disk), &options, &result);
    if (!crash_disk_stopped (disk)) {
        /* What was told beforehand is what came. */
        assert_int_equal (result.code, rehearsed.code);
        assert_string_equal (result.text, rehearsed.text);
        assert_string_equal (result.aside, rehearsed.aside);
        assert_int_equal (result.last, rehearsed.last);
        assert_int_equal (result.trust, rehearsed.trust);
        assert_int_equal (result.salvaged, rehearsed.salvaged);
        assert_int_equal (result.lost, rehearsed.lost);
    }
    inspect_deinit (&report);
    return result;
}

/* The store opens as that of the only voter, and counts; the last entry. */
static zxid_t check_store (struct crash_disk *disk)
{
    char error[512];
    struct store *store;
    struct store_options options = built.options;
    options.disk = crash_disk_open (disk);
    if (store_open (&options, &store, error, sizeof error) != 0) {
        fail_msg ("%s", error);
    }
    assert_string_equal (store_damage (store), "");
    assert_int_equal (store_meta (store)->trust, ZAB_WHOLE);
    assert_int_equal (store_meta (store)->accepted_epoch, BUILT_EPOCH);
    (void) history_compare (built.history, store);
    zxid_t last = store_last (store);
    assert_true (last <= built.last);
    struct store_snapshot_info info;
    if (store_snapshot_newest (store, &info)) {
        assert_true (info.point.zxid <= last);
    }
    store_close (&store);
    return last;
}

static bool lost_metadata (const struct repair_result *result)
{
    return strstr (result->text, "metadata") != NULL;
}

static uint64_t every = 1;
static bool bad_sectors; /* a copy of a disk does not have them */

static struct crash_disk *copy_of (const struct crash_disk *damaged, const char *name,
                                   uint64_t offset, uint64_t seed)
{
    struct crash_disk *copy = crash_disk_copy (damaged, seed);
    if (bad_sectors) {
        assert_true (crash_disk_set_bad (copy, name, offset));
    }
    return copy;
}

/* The power fails at one place after the other; then the same is done again. */
static void check_interruptions (const struct crash_disk *damaged, const char *name,
                                 uint64_t offset)
{
    enum { STEP = 7 }; /* beginning at another place each time */
    static uint64_t begin;
    bool stopped = true;
    for (uint64_t at = 1 + begin++ % STEP; stopped; at += STEP) {
        struct crash_disk *disk = copy_of (damaged, name, offset, at);
        crash_disk_stop_at (disk, at);
        (void) repair (disk, REPAIR_DISCARD, true, false);
        stopped = crash_disk_stopped (disk);
        crash_disk_power_cut (disk);
        struct repair_result result = repair (disk, REPAIR_DISCARD, true, false);
        assert_int_equal (result.code, 0);
        assert_int_equal (result.last, built.last);
        assert_int_equal (check_store (disk), built.last);
        crash_disk_destroy (&disk);
    }
}

static void check (const struct built *self, struct crash_disk *disk, const char *name,
                   uint64_t offset)
{
    static uint64_t n;
    struct crash_disk *damaged = copy_of (disk, name, offset, offset);
    struct repair_result kept = repair (disk, REPAIR_KEEP, false, false);
    if (kept.code == 0) {
        /* Nothing that counts was hurt: only a copy, a snapshot that can be spared, a tail. */
        assert_int_equal (kept.trust, ZAB_WHOLE);
        assert_int_equal (kept.last, self->last);
        inspect (disk, &report);
        assert_int_equal (report.findings_count, 0);
        inspect_deinit (&report);
        assert_int_equal (check_store (disk), self->last);
        counts.healed++;
        crash_disk_destroy (&damaged);
        return;
    }
    assert_false (lost_metadata (&kept));
    counts.refused++;
    /* Without anybody else: what is left counts, and what else can be seen is told. */
    struct crash_disk *alone = copy_of (damaged, name, offset, n);
    struct repair_result decided = repair (alone, REPAIR_DISCARD, false, false);
    assert_int_equal (decided.code, 0);
    assert_int_equal (decided.trust, ZAB_WHOLE);
    /* What the current epoch began with may be lost. */
    assert_int_equal (decided.current_epoch, zxid_epoch (decided.last));
    assert_int_equal (check_store (alone), decided.last);
    assert_true (decided.lost_last == 0 || decided.lost_last > decided.last);
    counts.decided++;
    crash_disk_destroy (&alone);

    /* With another's folder everything comes back. */
    struct crash_disk *helped = copy_of (damaged, name, offset, n);
    decided = repair (helped, REPAIR_DISCARD, true, false);
    assert_int_equal (decided.code, 0);
    assert_int_equal (decided.last, self->last);
    assert_int_equal (decided.lost, 0);
    assert_int_equal (check_store (helped), self->last);
    crash_disk_destroy (&helped);
    if (n++ % every == 0) {
        check_interruptions (damaged, name, offset);
    }
    crash_disk_destroy (&damaged);
}

static void damage_all (built_damage_fn *damage, uint64_t step, uint64_t interrupted)
{
    memset (&counts, 0, sizeof counts);
    every = interrupted;
    built_damage_all (&built, damage, step, check);
    printf ("             %zu repaired without loss, %zu refused, %zu decided\n", counts.healed,
            counts.refused, counts.decided);
}

static void test_flip (void **state)
{
    (void) state;
    damage_all (built_flip, 1997, 30);
    assert_true (counts.refused > 15);
    assert_true (counts.healed > 15);
}

static void test_bad_sector (void **state)
{
    (void) state;
    bad_sectors = true;
    damage_all (built_set_bad, 6000, 20);
    bad_sectors = false;
    assert_true (counts.refused > 10);
}

static void test_cut_short (void **state)
{
    (void) state;
    damage_all (built_cut, 5003, 20);
    assert_true (counts.refused > 5);
}

static void test_missing (void **state)
{
    (void) state;
    every = 4;
    for (size_t i = 0; crash_disk_name (built.disk, i) != NULL; i++) {
        struct crash_disk *copy = crash_disk_copy (built.disk, i);
        built_remove (copy, crash_disk_name (built.disk, i));
        check (&built, copy, crash_disk_name (built.disk, i), i);
        crash_disk_destroy (&copy);
    }
}

/* What to do about a log does not help where it is not known what was promised. */
static void test_no_metadata (void **state)
{
    (void) state;
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    assert_true (crash_disk_flip (copy, "meta.0", 70, 1));
    assert_true (crash_disk_flip (copy, "meta.1", 70, 1));
    uint64_t operations = crash_disk_operations (copy);
    struct repair_result result = repair (copy, REPAIR_DISCARD, true, false);
    assert_int_equal (result.code, COHORT_ECORRUPT);
    assert_true (lost_metadata (&result));
    assert_int_equal (crash_disk_operations (copy), operations);
    crash_disk_destroy (&copy);
}

/* The segment that holds the entry behind the watermark of all that is at rest, and its place. */
static void damage_middle (struct crash_disk *disk)
{
    inspect (built.disk, &report);
    const struct inspect_segment *segment = NULL;
    for (size_t i = 0; i < report.segments_count; i++) {
        segment = report.segments[i].entries > 5 ? &report.segments[i] : segment;
    }
    assert_non_null (segment);
    char name[NAME_SIZE];
    name_segment (name, segment->span.segment);
    uint64_t at = SEGMENT_HEAD_SIZE + (segment->end - SEGMENT_HEAD_SIZE) / 2;
    inspect_deinit (&report);
    assert_true (crash_disk_flip (disk, name, at, 1));
}

/* A member of an ensemble is marked, keeps what is sound, and waits; with a decision that all
 * voters share it is suspect of everything; and with the entries of another it has all of its log
 * again. */
static void test_member (void **state)
{
    (void) state;
    struct crash_disk *damaged = crash_disk_copy (built.disk, 1);
    damage_middle (damaged);

    struct crash_disk *copy = crash_disk_copy (damaged, 1);
    struct repair_result result = repair (copy, REPAIR_KEEP, false, true);
    assert_int_equal (result.code, 0);
    assert_int_equal (result.trust, ZAB_DAMAGED);
    assert_true (result.last < built.last);
    assert_true (result.lost > 0);
    assert_int_equal (result.lost_last, built.last);
    zxid_t kept = result.last;

    /* Later, the other comes: what was set aside and what it has make it whole, but only the
     * leader, or a decision, says that it is. */
    result = repair (copy, REPAIR_KEEP, true, true);
    assert_int_equal (result.code, 0);
    assert_int_equal (result.last, built.last);
    assert_int_equal (result.salvaged, built.last - kept);
    assert_int_equal (result.trust, ZAB_DAMAGED);
    result = repair (copy, REPAIR_GIVE_UP, false, true);
    assert_int_equal (result.trust, ZAB_SUSPECT);
    assert_int_equal (result.suspect, zxid_make (ZXID_EPOCH_MAX, ZXID_COUNTER_MAX));
    assert_int_equal (result.last, built.last);
    assert_int_equal (result.current_epoch, BUILT_EPOCH);
    crash_disk_destroy (&copy);
    crash_disk_destroy (&damaged);
}

/* The decision names where the log ends, or nothing is decided. */
static void test_named_zxid (void **state)
{
    (void) state;
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    damage_middle (copy);
    struct repair_result result = repair (copy, REPAIR_KEEP, false, true);
    struct repair_options options = {
        .report = &report, .decision = REPAIR_DISCARD, .discard_after = result.last + 1};
    inspect (copy, &report);
    report.healable = true;
    repair_folder (crash_disk_open (copy), &options, &result);
    assert_int_equal (result.code, COHORT_ESTATE);
    inspect_deinit (&report);
    inspect (copy, &report);
    assert_int_equal (report.meta->trust, ZAB_DAMAGED);
    inspect_deinit (&report);
    crash_disk_destroy (&copy);
}

/* Entries at the end that cannot be read, and are found elsewhere: it is certain that the log is
 * whole again, and it says so by itself. */
static void test_suspect (void **state)
{
    (void) state;
    inspect (built.disk, &report);
    char name[NAME_SIZE] = "";
    uint64_t end = 0;
    for (size_t i = 0; i < report.segments_count; i++) {
        if (report.segments[i].last == built.last) {
            name_segment (name, report.segments[i].span.segment);
            end = report.segments[i].end;
        }
    }
    inspect_deinit (&report);
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    assert_true (crash_disk_flip (copy, name, end - 200, 1));
    struct repair_result result = repair (copy, REPAIR_KEEP, false, true);
    assert_int_equal (result.trust, ZAB_SUSPECT);
    assert_int_equal (result.suspect, built.last);
    assert_true (result.last < built.last);
    result = repair (copy, REPAIR_KEEP, true, true);
    assert_int_equal (result.trust, ZAB_WHOLE);
    assert_int_equal (result.last, built.last);
    assert_int_equal (check_store (copy), built.last);
    crash_disk_destroy (&copy);
}

/* Memory fails somewhere: what is left can be repaired. */
static void test_no_memory (void **state)
{
    (void) state;
    static struct repair_result result;
    struct crash_disk *damaged = crash_disk_copy (built.disk, 1);
    damage_middle (damaged);
    inspect (damaged, &report);
    struct disk *memory = built_in_memory (damaged);
    struct disk *complete = built_in_memory (built.disk);
    struct repair_options options = {
        .report = &report, .sources_count = 1, .sources = &complete, .decision = REPAIR_DISCARD};
    bool failed = true;
    size_t failures = 0;
    for (uint64_t n = 1; failed; n += 1 + n / 20) {
        struct disk *copy;
        assert_int_equal (overlay_new (memory, &copy), 0);
        struct disk *view = kept_disk_new (copy);
        mem_fail_at (n);
        repair_folder (view, &options, &result);
        failed = mem_fail_clear ();
        if (result.code != 0) {
            assert_true (failed);
            failures++;
            repair_folder (kept_disk_new (copy), &options, &result);
            assert_int_equal (result.code, 0);
        }
        assert_int_equal (result.last, built.last);
        assert_int_equal (result.trust, ZAB_WHOLE);
        copy->ops->destroy (copy);
    }
    assert_true (failures > 30);
    inspect_deinit (&report);
    complete->ops->destroy (complete);
    memory->ops->destroy (memory);
    crash_disk_destroy (&damaged);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_flip),        cmocka_unit_test (test_bad_sector),
        cmocka_unit_test (test_cut_short),   cmocka_unit_test (test_missing),
        cmocka_unit_test (test_no_metadata), cmocka_unit_test (test_member),
        cmocka_unit_test (test_named_zxid),  cmocka_unit_test (test_no_memory),
    };
    const struct CMUnitTest tail_tests[] = {
        cmocka_unit_test (test_suspect),
    };
    int failed = cmocka_run_group_tests (tests, build_marked, unbuild);
    return failed + cmocka_run_group_tests (tail_tests, build_unmarked, unbuild);
}
