/* tests/unit/inspect/test_strays.c - an older manifest is put back
 *
 * It is sound, and does not name what the server has acknowledged since. Nothing of that may go: a
 * start sets it aside and comes back damaged, inspect tells it, repair brings it back. What an
 * interruption has left goes as ever.
 */
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "server/inspect/repair.h"
#include "server/store/manifest.h"
#include "tests/unit/inspect/inspected.h"
#include "tests/unit/store/built.h"
#include "tests/unit/unit.h"

enum { OLD_MAX = 64 };

static struct inspect_report report;

static struct built built; /* goes on here, and keeps each manifest that there was */

static struct {
    uint8_t *bytes;
    size_t size;
} old[OLD_MAX];
static size_t old_count, old_truncated; /* so many there were before the truncation */

/* As a folder that others can heal. */
static void look (struct crash_disk *disk)
{
    inspect (disk, &report);
    report.healable = true;
}

static void keep_manifest (void)
{
    uint64_t size;
    const uint8_t *bytes = crash_disk_bytes (built.disk, NAME_MANIFEST, &size);
    if (old_count > 0 && old[old_count - 1].size == size &&
        memcmp (old[old_count - 1].bytes, bytes, size) == 0) {
        return;
    }
    assert_true (old_count < OLD_MAX);
    old[old_count].bytes = mem_alloc (size);
    memcpy (old[old_count].bytes, bytes, size);
    old[old_count++].size = size;
}

static void put_back (struct crash_disk *disk, size_t n)
{
    struct disk *view = crash_disk_open (disk);
    struct disk_file *file;
    assert_int_equal (view->ops->unlink (view, NAME_MANIFEST), 0);
    assert_int_equal (view->ops->open (view, NAME_MANIFEST, true, &file), 0);
    assert_int_equal (view->ops->write (file, 0, old[n].bytes, old[n].size), 0);
    assert_int_equal (view->ops->sync (file), 0);
    assert_int_equal (view->ops->sync_names (view), 0);
    view->ops->close (file);
    view->ops->destroy (view);
}

static void append (struct store *store, uint64_t number, size_t count)
{
    size_t from = built.history->count;
    for (size_t i = 0; i < count; i++) {
        history_add (built.history, 0, 900, number * 1000 + i);
    }
    history_submit (built.history, store, from, number, 0);
    while (store_work (store)) {
        keep_manifest ();
    }
    keep_manifest ();
}

static void snapshot (struct store *store, bool install, struct zab_point point)
{
    static const uint8_t bytes[3000] = {1};
    struct store_writer *writer;
    assert_int_equal (store_writer_new (store, point, 5, &writer), 0);
    store_writer_append (writer, bytes, sizeof bytes);
    store_writer_finish (writer, install);
    built_work (store);
    assert_int_equal (store_writer_state (writer), 1);
    store_writer_destroy (&writer);
    built_work (store);
    keep_manifest ();
}

static struct store *open_built (void)
{
    char error[512];
    struct store *store;
    struct store_options options = built.options;
    options.disk = crash_disk_open (built.disk);
    assert_int_equal (store_open (&options, &store, error, sizeof error), 0);
    return store;
}

static void close_built (struct store *store)
{
    built.last = store_last (store);
    store_close (&store);
    crash_disk_power_cut (built.disk);
}

/* Several segments more, a snapshot that lets go of the older half, and again some. */
static int build (void **state)
{
    (void) state;
    built_make (&built, true);
    keep_manifest ();
    struct store *store = open_built ();
    keep_manifest ();
    for (uint64_t number = 1; number <= 8; number++) {
        append (store, number, 10);
    }
    snapshot (store, false, history_last (built.history));
    struct zab_point base;
    int64_t stamp_ms;
    (void) store_compacted (store, &base, &stamp_ms);
    built_work (store);
    for (uint64_t number = 9; number <= 12; number++) {
        append (store, number, 10);
    }
    close_built (store);
    return 0;
}

/* All that there is came from another server, in one piece; then some more. */
static int build_installed (void **state)
{
    (void) state;
    built_make (&built, true);
    struct crash_disk *fresh = crash_disk_new (6);
    crash_disk_destroy (&built.disk);
    built.disk = fresh;
    struct store *store = open_built ();
    keep_manifest ();
    struct store_meta meta = *store_meta (store);
    memset (meta.cluster_id, 3, sizeof meta.cluster_id);
    meta.bootstrapped = true;
    meta.accepted_epoch = meta.current_epoch = BUILT_EPOCH;
    assert_int_equal (store_set_meta (store, &meta), 0);
    snapshot (store, true, history_last (built.history));
    close_built (store);
    return 0;
}

/* All manifests that there were up to a truncation, which would leave this. */
static struct store *build_to_truncate (zxid_t *to)
{
    built_make (&built, true);
    keep_manifest ();
    struct store *store = open_built ();
    keep_manifest ();
    *to = store_last (store) - 2;
    old_truncated = old_count;
    return store;
}

/* The log's end is given up, and nothing comes after it. */
static int build_truncated (void **state)
{
    zxid_t to;
    (void) state;
    struct store *store = build_to_truncate (&to);
    store_persist (store, &(struct zab_persist){.number = 1, .truncate = true, .truncate_to = to});
    built_work (store);
    keep_manifest ();
    close_built (store);
    return 0;
}

/* A truncation up to operation `stop` of its disk, where the power fails: whether the next start
 * finds the new manifest, and nothing in the segment that it goes on in. */
static bool truncate_half (struct crash_disk *before, zxid_t to, uint64_t stop)
{
    crash_disk_destroy (&built.disk);
    built.disk = crash_disk_copy (before, stop);
    struct store *store = open_built ();
    crash_disk_stop_at (built.disk, stop);
    store_persist (store, &(struct zab_persist){.number = 1, .truncate = true, .truncate_to = to});
    while (store_work (store)) {
    }
    assert_true (crash_disk_stopped (built.disk));
    store_close (&store);
    crash_disk_power_cut (built.disk);
    look (built.disk);
    bool half = false;
    for (size_t i = 0; i < report.segments_count && report.outcome.last == to; i++) {
        half |= report.segments[i].ending == INSPECT_OPEN && report.segments[i].records == 0;
    }
    inspect_deinit (&report);
    return half;
}

/* Likewise, and the power fails between manifest and mark: the next start has to see to that. */
static int build_truncated_half (void **state)
{
    zxid_t to;
    (void) state;
    struct store *store = build_to_truncate (&to);
    store_close (&store);
    crash_disk_power_cut (built.disk);
    struct crash_disk *before = crash_disk_copy (built.disk, 1);
    uint64_t stop = 1;
    while (!truncate_half (before, to, stop)) {
        stop++;
    }
    crash_disk_destroy (&before);
    store = open_built ();
    keep_manifest ();
    built_work (store);
    keep_manifest ();
    close_built (store);
    return 0;
}

static int unbuild (void **state)
{
    (void) state;
    while (old_count > 0) {
        mem_free (old[--old_count].bytes);
    }
    built_free (&built);
    return 0;
}

static struct repair_result repair (struct crash_disk *disk, enum repair_decision decision)
{
    static struct repair_result result;
    look (disk);
    struct repair_options options = {.report = &report, .decision = decision};
    repair_folder (crash_disk_open (disk), &options, &result);
    inspect_deinit (&report);
    if (result.code != 0) {
        fail_msg ("%s", result.text);
    }
    return result;
}

static struct store *open_copy (struct crash_disk *disk, bool heals, int *rc)
{
    static char error[512];
    struct store *store = NULL;
    struct store_options options = built.options;
    options.disk = crash_disk_open (disk);
    options.repair = heals;
    *rc = store_open (&options, &store, error, sizeof error);
    return store;
}

/* Wherever it is: in the log, or among what was set aside. */
static void check_all_is_there (struct crash_disk *disk)
{
    struct repair_result result = repair (disk, REPAIR_KEEP);
    assert_int_equal (result.last, built.last);
    result = repair (disk, REPAIR_DISCARD);
    assert_int_equal (result.last, built.last);
    assert_int_equal (result.lost, 0);
    int rc;
    struct store *store = open_copy (disk, false, &rc);
    assert_int_equal (rc, 0);
    assert_int_equal (store_meta (store)->trust, ZAB_WHOLE);
    assert_int_equal (store_last (store), built.last);
    (void) history_compare (built.history, store);
    store_close (&store);
}

/* Also if the power fails in the middle of it. */
static void check_start (const struct crash_disk *damaged, uint64_t stop, bool *stopped,
                         bool *whole)
{
    int rc;
    struct crash_disk *disk = crash_disk_copy (damaged, stop);
    crash_disk_stop_at (disk, stop);
    struct store *store = open_copy (disk, true, &rc);
    *stopped = crash_disk_stopped (disk);
    store_close (&store);
    crash_disk_power_cut (disk);
    store = open_copy (disk, true, &rc);
    assert_int_equal (rc, 0);
    *whole = store_meta (store)->trust == ZAB_WHOLE;
    assert_true (store_last (store) == built.last || store_meta (store)->trust == ZAB_DAMAGED);
    store_close (&store);
    check_all_is_there (disk);
    crash_disk_destroy (&disk);
}

/* What nobody can heal nobody changes. */
static void check_alone (const struct crash_disk *damaged, bool whole)
{
    int rc;
    struct crash_disk *disk = crash_disk_copy (damaged, 1);
    struct store *store = open_copy (disk, false, &rc);
    assert_int_equal (rc, whole ? 0 : COHORT_ECORRUPT);
    store_close (&store);
    check_all_is_there (disk);
    crash_disk_destroy (&disk);
}

static bool names_stray (void)
{
    for (size_t i = 0; i < report.damages_count; i++) {
        if (strstr (report.findings[i].what, "that no manifest names") != NULL) {
            return true;
        }
    }
    return false;
}

static void test_older_manifest (void **state)
{
    (void) state;
    size_t damaged = 0, named = 0;
    for (size_t n = 0; n < old_count; n++) {
        struct crash_disk *disk = crash_disk_copy (built.disk, n);
        put_back (disk, n);
        bool stopped = true, whole;
        check_start (disk, 0, &stopped, &whole);
        check_alone (disk, whole);
        damaged += !whole;
        for (uint64_t stop = 1 + n % 5; stopped; stop += 5) {
            check_start (disk, stop, &stopped, &whole);
        }
        look (disk);
        assert_int_equal (report.damages_count > 0, !whole);
        named += names_stray ();
        inspect_deinit (&report);
        struct repair_result result = repair (disk, REPAIR_KEEP);
        assert_int_equal (result.last, built.last);
        check_all_is_there (disk);
        crash_disk_destroy (&disk);
    }
    printf ("             %zu manifests, %zu of them too old, %zu leave something unnamed\n",
            old_count, damaged, named);
    assert_true (damaged > 0);
    assert_true (named > 0);
}

/* The first damage that is told is the reason of all other. */
static void test_told (void **state)
{
    (void) state;
    size_t told = 0;
    for (size_t n = 0; n < old_count; n++) {
        struct crash_disk *disk = crash_disk_copy (built.disk, 1);
        put_back (disk, n);
        look (disk);
        if (names_stray ()) {
            assert_int_equal (report.findings[0].kind, INSPECT_CORRUPTION);
            assert_int_equal (strncmp (report.findings[0].file, "log.", 4), 0);
            assert_non_null (strstr (report.findings[0].what, "that no manifest names"));
            told += strstr (report.outcome.text, "that no manifest names") != NULL;
        }
        inspect_deinit (&report);
        crash_disk_destroy (&disk);
    }
    assert_true (told > 0);
}

/* Segments given up, new ones that are empty, snapshots that came to nothing: they go. */
static void test_left_over (void **state)
{
    (void) state;
    struct manifest manifest;
    struct file_ids ids;
    struct fault fault;
    bool found;
    struct crash_disk *disk = crash_disk_copy (built.disk, 1);
    struct disk *view = crash_disk_open (disk);
    assert_int_equal (manifest_read (&manifest, view, &ids, &found, &fault), 0);
    char names[4][NAME_SIZE];
    uint64_t size;
    const char *full = NULL;
    for (size_t i = 0; crash_disk_name (disk, i) != NULL; i++) {
        full = strncmp (crash_disk_name (disk, i), "log.", 4) == 0 && full == NULL
                   ? crash_disk_name (disk, i)
                   : full;
    }
    assert_non_null (full);
    const uint8_t *bytes = crash_disk_bytes (disk, full, &size);
    static const uint8_t zeros[16 << 10];
    name_segment (names[0], manifest.spans[0].segment - 1); /* purged */
    name_segment (names[1], manifest.next_segment);         /* not named yet */
    name_snapshot (names[2], built.last - 1, manifest.next_serial);
    name_snapshot (names[3], built.last + 1, manifest.next_serial);
    for (size_t i = 0; i < 4; i++) {
        struct disk_file *file;
        assert_int_equal (view->ops->open (view, names[i], true, &file), 0);
        assert_int_equal (
            view->ops->write (file, 0, i == 1 ? zeros : bytes, i == 1 ? sizeof zeros : size), 0);
        assert_int_equal (view->ops->sync (file), 0);
        view->ops->close (file);
    }
    assert_int_equal (view->ops->sync_names (view), 0);
    view->ops->destroy (view);
    manifest_deinit (&manifest);

    look (disk);
    assert_int_equal (report.damages_count, 0);
    assert_int_equal (report.findings_count, 4);
    inspect_deinit (&report);
    int rc;
    struct store *store = open_copy (disk, true, &rc);
    assert_int_equal (rc, 0);
    assert_string_equal (store_damage (store), "");
    assert_int_equal (store_last (store), built.last);
    store_close (&store);
    for (size_t i = 0; i < 4; i++) {
        assert_false (crash_disk_size (disk, names[i], &size));
    }
    crash_disk_destroy (&disk);
}

/* Nothing but a snapshot, which no log leads to. */
static void test_installed (void **state)
{
    (void) state;
    struct crash_disk *disk = crash_disk_copy (built.disk, 1);
    put_back (disk, 0);
    bool stopped = true, whole;
    look (disk);
    assert_true (names_stray ());
    inspect_deinit (&report);
    for (uint64_t stop = 0; stopped || stop < 2; stop++) {
        int rc;
        struct crash_disk *copy = crash_disk_copy (disk, stop);
        crash_disk_stop_at (copy, stop);
        struct store *store = open_copy (copy, true, &rc);
        stopped = crash_disk_stopped (copy);
        store_close (&store);
        crash_disk_power_cut (copy);
        store = open_copy (copy, true, &rc);
        assert_int_equal (rc, 0);
        whole = store_meta (store)->trust == ZAB_WHOLE;
        assert_false (whole);
        store_close (&store);
        assert_int_equal (repair (copy, REPAIR_KEEP).last, built.last);
        crash_disk_destroy (&copy);
    }
    crash_disk_destroy (&disk);
}

/* What was given up does not come back as if it counted. */
static void test_truncated (void **state)
{
    (void) state;
    assert_true (old_truncated > 1 && old_count > old_truncated);
    for (size_t n = 0; n < old_count; n++) {
        int rc;
        struct crash_disk *disk = crash_disk_copy (built.disk, n);
        put_back (disk, n);
        struct store *store = open_copy (disk, true, &rc);
        assert_int_equal (rc, 0);
        assert_int_equal (store_meta (store)->trust, n < old_truncated ? ZAB_DAMAGED : ZAB_WHOLE);
        store_close (&store);
        crash_disk_destroy (&disk);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_older_manifest),
        cmocka_unit_test (test_told),
        cmocka_unit_test (test_left_over),
    };
    const struct CMUnitTest installed_tests[] = {
        cmocka_unit_test (test_installed),
    };
    const struct CMUnitTest truncated_tests[] = {
        cmocka_unit_test (test_truncated),
    };
    int failed = cmocka_run_group_tests (tests, build, unbuild);
    failed += cmocka_run_group_tests (installed_tests, build_installed, unbuild);
    failed += cmocka_run_group_tests (truncated_tests, build_truncated, unbuild);
    return failed + cmocka_run_group_tests (truncated_tests, build_truncated_half, unbuild);
}
