/* tests/unit/inspect/test_make_up.c - a folder without metadata gets some that promise enough
 *
 * What is known of the server stands in its files: it is the same one, of the same ensemble, with
 * the same log; it has no vote, and promises nothing below an epoch far above any that it may have
 * promised. An interruption at any place is followed by the same.
 */
#include <string.h>

#include "client/base/buf.h"
#include "cohort/error.h"
#include "server/inspect/repair.h"
#include "server/store/store.h"
#include "server/tree/entry.h"
#include "tests/support/crash_disk.h"
#include "tests/unit/unit.h"

enum { SERVER = 2, STORE = 99, EPOCH = 3, PROMISED = 8, SESSIONS = 40, SKIPPED = 10000 };

static const uint8_t cluster_id[16] = {0xc0, 0xff, 0xee};
static const struct config members = {
    .version = (zxid_t) EPOCH << 40 | 1,
    .count = 2,
    .members = {{1, CONFIG_VOTER, 98}, {SERVER, CONFIG_VOTER, STORE}}};

static struct crash_disk *disk;
static struct store *store;
static struct zab_point last;
static uint64_t number;

static void open_store (struct crash_disk *on)
{
    char error[512];
    struct store_options options = {.disk = crash_disk_open (on),
                                    .server_id = SERVER,
                                    .store_id = STORE,
                                    .segment_bytes = 16384};
    int rc = store_open (&options, &store, error, sizeof error);
    if (rc != 0) {
        fail_msg ("store_open: %s", error);
    }
}

static void append (const struct entry *what)
{
    struct buf bytes;
    buf_init (&bytes);
    entry_encode (&bytes, what);
    assert_false (bytes.failed);
    zxid_t zxid = last.zxid == 0 ? zxid_make (EPOCH, 1) : last.zxid + 1;
    struct zab_entry entry = {
        .zxid = zxid, .stamp_ms = 1, .data = bytes.data, .size = (uint32_t) bytes.size};
    entry.chain = zab_chain (last.chain, zxid, 1, bytes.data, bytes.size);
    store_persist (
        store, &(struct zab_persist){
                   .number = ++number, .entries = &entry, .entries_count = 1, .commit = last.zxid});
    while (store_work (store)) {
    }
    last = (struct zab_point){.zxid = zxid, .chain = entry.chain};
    buf_deinit (&bytes);
}

static void lose (struct crash_disk *of, const char *name)
{
    struct disk *opened = crash_disk_open (of);
    assert_int_equal (opened->ops->unlink (opened, name), 0);
    assert_int_equal (opened->ops->sync_names (opened), 0);
    opened->ops->destroy (opened);
}

static int build (void **state)
{
    (void) state;
    disk = crash_disk_new (1);
    last = (struct zab_point){0};
    number = 0;
    open_store (disk);
    struct store_meta meta = *store_meta (store);
    memcpy (meta.cluster_id, cluster_id, sizeof cluster_id);
    meta.bootstrapped = true;
    meta.accepted_epoch = PROMISED;
    meta.current_epoch = EPOCH;
    meta.config = members;
    assert_int_equal (store_set_meta (store, &meta), 0);
    struct entry cluster = {.kind = ENTRY_CLUSTER};
    memcpy (cluster.u.cluster.cluster_id, cluster_id, sizeof cluster_id);
    cluster.u.cluster.config = members;
    cluster.u.cluster.limits = (struct entry_limits){.data_size_max = 1000,
                                                     .path_size_max = 100,
                                                     .window = 10,
                                                     .results_size_max = 10000,
                                                     .timeout_min_ms = 1,
                                                     .timeout_max_ms = 100000,
                                                     .grace_min_ms = 1};
    append (&cluster);
    for (uint8_t i = 1; i <= SESSIONS; i++) {
        append (
            &(struct entry){.kind = ENTRY_CREATE_SESSION,
                            .u.create_session = {.nonce = {i}, .timeout_ms = 5000, .server = 1}});
    }
    store_close (&store);
    crash_disk_power_cut (disk);
    lose (disk, "meta.0");
    assert_true (crash_disk_flip (disk, "meta.1", 70, 1));
    return 0;
}

static int unbuild (void **state)
{
    (void) state;
    crash_disk_destroy (&disk);
    return 0;
}

static struct inspect_report report;

static struct repair_result repair (struct crash_disk *on, enum repair_decision decision)
{
    static struct repair_result result;
    struct fault fault;
    struct inspect_options options = {.disk = crash_disk_open (on)};
    struct repair_options with = {.report = &report, .decision = decision};
    int rc = inspect_run (&options, &report, &fault);
    options.disk->ops->destroy (options.disk);
    result = (struct repair_result){.code = rc};
    if (rc == 0) {
        repair_folder (crash_disk_open (on), &with, &result);
    }
    inspect_deinit (&report);
    return result;
}

static void check (struct crash_disk *on)
{
    open_store (on);
    const struct store_meta *meta = store_meta (store);
    assert_int_equal (meta->server_id, SERVER);
    assert_true (meta->store_id == STORE);
    assert_memory_equal (meta->cluster_id, cluster_id, sizeof cluster_id);
    assert_int_equal (meta->trust, ZAB_DAMAGED);
    assert_true (meta->bootstrapped);
    assert_int_equal (meta->config.count, members.count);
    assert_true (meta->config.members[1].store_id == STORE);
    assert_int_equal (meta->accepted_epoch, EPOCH + SKIPPED);
    assert_int_equal (meta->current_epoch, EPOCH);
    assert_true (store_last (store) == last.zxid);
    store_close (&store);
}

/* Nothing but the decision does it, and only where they are lost. */
static void test_decided (void **state)
{
    (void) state;
    uint64_t operations = crash_disk_operations (disk);
    assert_int_equal (repair (disk, REPAIR_KEEP).code, COHORT_ECORRUPT);
    assert_int_equal (repair (disk, REPAIR_DISCARD).code, COHORT_ECORRUPT);
    assert_int_equal (repair (disk, REPAIR_GIVE_UP).code, COHORT_ECORRUPT);
    assert_int_equal (crash_disk_operations (disk), operations);
    struct repair_result result = repair (disk, REPAIR_MAKE_UP);
    assert_int_equal (result.code, 0);
    assert_int_equal (result.trust, ZAB_DAMAGED);
    assert_true (result.last == last.zxid);
    check (disk);
    assert_int_equal (repair (disk, REPAIR_MAKE_UP).code, COHORT_ESTATE);
    check (disk);
    assert_int_equal (repair (disk, REPAIR_DISCARD).trust, ZAB_WHOLE);
}

/* The power is cut at any place, or a call fails. */
static void test_interrupted (void **state)
{
    (void) state;
    bool stopped = true;
    for (uint64_t n = 1; stopped; n++) {
        struct crash_disk *copy = crash_disk_copy (disk, n);
        crash_disk_stop_at (copy, n);
        (void) repair (copy, REPAIR_MAKE_UP);
        stopped = crash_disk_stopped (copy);
        crash_disk_power_cut (copy);
        struct repair_result result = repair (copy, REPAIR_MAKE_UP);
        assert_true (result.code == 0 || result.code == COHORT_ESTATE);
        check (copy);
        crash_disk_destroy (&copy);
    }
}

/* Half of a restore is no folder that has lost something. */
static void test_unfinished_restore (void **state)
{
    static const enum repair_decision decisions[] = {REPAIR_KEEP, REPAIR_GIVE_UP, REPAIR_DISCARD,
                                                     REPAIR_MAKE_UP};
    (void) state;
    struct disk *view = crash_disk_open (disk);
    struct disk_file *file;
    assert_int_equal (view->ops->open (view, NAME_RESTORING, true, &file), 0);
    view->ops->close (file);
    view->ops->destroy (view);
    uint64_t operations = crash_disk_operations (disk);
    for (size_t i = 0; i < sizeof decisions / sizeof *decisions; i++) {
        struct repair_result refused = repair (disk, decisions[i]);
        assert_int_equal (refused.code, COHORT_ECONFIG);
        assert_non_null (strstr (refused.text, "restore again"));
    }
    assert_int_equal (crash_disk_operations (disk), operations);
}

/* Whose the files are has to stand in one of them at least. */
static void test_nothing_tells (void **state)
{
    (void) state;
    lose (disk, "manifest");
    for (size_t i = 0; crash_disk_name (disk, i) != NULL; i++) {
        const char *name = crash_disk_name (disk, i);
        if (strncmp (name, "log.", 4) == 0) {
            assert_true (crash_disk_flip (disk, name, 10, 1));
        }
    }
    struct repair_result result = repair (disk, REPAIR_MAKE_UP);
    assert_int_equal (result.code, COHORT_ECORRUPT);
    assert_non_null (strstr (result.text, "whose this folder is"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_decided, build, unbuild),
        cmocka_unit_test_setup_teardown (test_interrupted, build, unbuild),
        cmocka_unit_test_setup_teardown (test_nothing_tells, build, unbuild),
        cmocka_unit_test_setup_teardown (test_unfinished_restore, build, unbuild),
    };
    return cmocka_run_group_tests_name ("inspect_make_up", tests, NULL, NULL);
}
