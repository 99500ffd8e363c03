/* tests/unit/inspect/test_print.c - what is printed, to the letter
 *
 * A folder with a snapshot of a real state, a log behind it, a damaged entry in that, and files set
 * aside. COHORT_GOLDEN=write in the environment writes the files anew; look at what has changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/buf.h"
#include "cohort/error.h"
#include "server/inspect/print.h"
#include "server/store/store.h"
#include "server/tree/tree.h"
#include "tests/support/crash_disk.h"
#include "tests/unit/unit.h"

enum { STAMP_S = 1795308663 };

static struct {
    struct crash_disk *disk;
    struct store *store;
    struct tree *tree;
    struct zab_point last;
    uint64_t number;
} world;

static const uint8_t cluster_id[16] = {0xc0, 0xff, 0xee};

static void work (void)
{
    while (store_work (world.store)) {
    }
    assert_int_equal (store_failure (world.store, NULL), 0);
}

static void append (const struct buf *bytes)
{
    assert_false (bytes->failed);
    struct tree_outcome outcome;
    zxid_t zxid = world.last.zxid == 0 ? zxid_make (3, 1) : world.last.zxid + 1;
    int64_t stamp_ms = (int64_t) STAMP_S * 1000 + (int64_t) world.number;
    struct zab_entry entry = {
        .zxid = zxid, .stamp_ms = stamp_ms, .data = bytes->data, .size = (uint32_t) bytes->size};
    entry.chain = zab_chain (world.last.chain, zxid, stamp_ms, bytes->data, bytes->size);
    assert_true (tree_apply (world.tree, zxid, stamp_ms, bytes->data, bytes->size, &outcome));
    store_persist (world.store, &(struct zab_persist){.number = ++world.number,
                                                      .entries = &entry,
                                                      .entries_count = 1,
                                                      .commit = world.last.zxid});
    work ();
    world.last = (struct zab_point){.zxid = zxid, .chain = entry.chain};
}

static void found (void)
{
    struct buf bytes;
    struct entry entry = {.kind = ENTRY_CLUSTER};
    buf_init (&bytes);
    memcpy (entry.u.cluster.cluster_id, cluster_id, sizeof cluster_id);
    entry.u.cluster.config =
        (struct config){.version = zxid_make (3, 1),
                        .count = 2,
                        .members = {{1, CONFIG_VOTER, 99}, {2, CONFIG_OBSERVER, 98}}};
    entry.u.cluster.limits = (struct entry_limits){.data_size_max = 1000,
                                                   .path_size_max = 100,
                                                   .window = 10,
                                                   .results_size_max = 10000,
                                                   .timeout_min_ms = 1,
                                                   .timeout_max_ms = 100000,
                                                   .grace_min_ms = 1};
    entry_encode (&bytes, &entry);
    append (&bytes);
    buf_clear (&bytes);
    entry = (struct entry){.kind = ENTRY_CREATE_SESSION,
                           .u.create_session = {.nonce = {1}, .timeout_ms = 5000, .server = 1}};
    entry_encode (&bytes, &entry);
    append (&bytes);
    buf_deinit (&bytes);
}

static void write_op (struct op op, const char *path)
{
    static uint64_t number;
    struct buf bytes;
    buf_init (&bytes);
    number = world.number == 2 ? 1 : number + 1; /* the session's requests count from 1 */
    struct tree_session session;
    assert_true (tree_session_next (world.tree, 0, &session));
    struct entry entry = {.kind = ENTRY_WRITE,
                          .u.write = {.session = session.id,
                                      .incarnation = session.incarnation,
                                      .number = number,
                                      .count = 1}};
    entry_encode (&bytes, &entry);
    op.path = path;
    op.path_size = (uint32_t) strlen (path);
    op_encode (&bytes, &op);
    append (&bytes);
    buf_deinit (&bytes);
}

static void snapshot (void)
{
    struct store_writer *writer;
    struct buf slice;
    buf_init (&slice);
    assert_int_equal (
        store_writer_new (world.store, world.last, tree_stamp_ms (world.tree), &writer), 0);
    struct tree_snapshot *image = tree_snapshot_begin (world.tree);
    assert_non_null (image);
    bool more = true;
    while (more) {
        buf_clear (&slice);
        more = tree_snapshot_next (image, &slice, 65536);
        store_writer_append (writer, slice.data, slice.size);
    }
    tree_snapshot_end (&image);
    store_writer_finish (writer, false);
    work ();
    assert_int_equal (store_writer_state (writer), 1);
    store_writer_destroy (&writer);
    work ();
    buf_deinit (&slice);
}

static void add_file (const char *name)
{
    struct disk *disk = crash_disk_open (world.disk);
    struct disk_file *file;
    assert_int_equal (disk->ops->open (disk, name, true, &file), 0);
    assert_int_equal (disk->ops->write (file, 0, "1\n", 2), 0);
    assert_int_equal (disk->ops->sync (file), 0);
    assert_int_equal (disk->ops->sync_names (disk), 0);
    disk->ops->close (file);
    disk->ops->destroy (disk);
}

static int build (void **state)
{
    (void) state;
    char error[256];
    world.disk = crash_disk_new (1);
    struct store_options options = {.disk = crash_disk_open (world.disk),
                                    .server_id = 1,
                                    .store_id = 99,
                                    .segment_bytes = 16384};
    assert_int_equal (store_open (&options, &world.store, error, sizeof error), 0);
    world.tree = tree_new (NULL);
    assert_non_null (world.tree);
    struct store_meta meta = *store_meta (world.store);
    memcpy (meta.cluster_id, cluster_id, sizeof cluster_id);
    meta.bootstrapped = true;
    meta.accepted_epoch = meta.current_epoch = 3;
    meta.config = (struct config){.version = zxid_make (3, 1),
                                  .count = 2,
                                  .members = {{1, CONFIG_VOTER, 99}, {2, CONFIG_OBSERVER, 98}}};
    assert_int_equal (store_set_meta (world.store, &meta), 0);
    found ();
    write_op ((struct op){.kind = OP_CREATE}, "/app");
    write_op ((struct op){.kind = OP_CREATE, .mode = COHORT_EPHEMERAL}, "/app/me");
    snapshot ();
    write_op (
        (struct op){
            .kind = OP_SET, .data = (const uint8_t *) "hello", .data_size = 5, .version = -1},
        "/app");
    write_op ((struct op){.kind = OP_CREATE, .mode = COHORT_SEQUENTIAL}, "/app/n-");
    write_op ((struct op){.kind = OP_DELETE, .version = 7}, "/app/\xc3\xa9 x");
    store_close (&world.store);
    crash_disk_power_cut (world.disk);
    add_file ("myid");
    add_file ("damaged.1.log.9");
    add_file ("snap.new");
    return 0;
}

static int unbuild (void **state)
{
    (void) state;
    tree_destroy (&world.tree);
    crash_disk_destroy (&world.disk);
    return 0;
}

/* ---- Comparing --------------------------------------------------------------------------- */

typedef int print_fn (FILE *stream, const struct print_options *options,
                      const struct inspect_report *report, struct fault *fault);

static void compare (const char *name, const char *text, size_t size)
{
    char path[1024], golden[32768];
    assert_true (snprintf (path, sizeof path, "%s/%s", GOLDEN_FOLDER, name) < (int) sizeof path);
    const char *wish = getenv ("COHORT_GOLDEN");
    bool writes = wish != NULL && strcmp (wish, "write") == 0;
    FILE *file = fopen (path, writes ? "w" : "r");
    assert_non_null (file);
    if (writes) {
        assert_int_equal (fwrite (text, 1, size, file), size);
    } else {
        golden[fread (golden, 1, sizeof golden - 1, file)] = '\0';
        assert_string_equal (text, golden);
    }
    assert_int_equal (fclose (file), 0);
}

static void print (struct crash_disk *disk, const char *name, print_fn *fn, bool records)
{
    static struct inspect_report report;
    struct fault fault;
    char *text = NULL;
    size_t size = 0;
    struct inspect_options options = {.disk = crash_disk_open (disk)};
    assert_int_equal (inspect_run (&options, &report, &fault), 0);
    /* Not what this is about: they change with the format of the state. */
    assert_int_equal (report.snapshots_count, 1);
    report.snapshots[0].entry.size = 1234;
    report.snapshots[0].entry.file_size = 5678;
    report.snapshots[0].entry.digest = 0x9abc;
    FILE *stream = open_memstream (&text, &size);
    assert_non_null (stream);
    struct print_options how = {.folder = "/var/lib/cohort",
                                .disk = options.disk,
                                .records = records,
                                .from = zxid_make (3, 4)};
    assert_int_equal (fn (stream, &how, &report, &fault), 0);
    assert_int_equal (fclose (stream), 0);
    compare (name, text, size);
    free (text);
    inspect_deinit (&report);
    options.disk->ops->destroy (options.disk);
}

static void test_sound (void **state)
{
    (void) state;
    print (world.disk, "sound.txt", print_text, true);
    print (world.disk, "sound.json", print_json, true);
}

/* The last entry, which marks say was durable, and a copy of the metadata. */
static void test_damaged (void **state)
{
    (void) state;
    static struct inspect_report report;
    struct fault fault;
    struct crash_disk *copy = crash_disk_copy (world.disk, 1);
    struct inspect_options options = {.disk = crash_disk_open (copy)};
    assert_int_equal (inspect_run (&options, &report, &fault), 0);
    assert_int_equal (report.segments[0].last, world.last.zxid);
    uint64_t end = report.segments[0].end;
    inspect_deinit (&report);
    options.disk->ops->destroy (options.disk);
    assert_true (crash_disk_flip (copy, "log.1", end - 400, 1));
    assert_true (crash_disk_flip (copy, "meta.1", 80, 1));
    print (copy, "damaged.txt", print_text, false);
    print (copy, "damaged.json", print_json, false);
    crash_disk_destroy (&copy);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_sound),
        cmocka_unit_test (test_damaged),
    };
    return cmocka_run_group_tests (tests, build, unbuild);
}
