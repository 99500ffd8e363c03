/* A server starts: the newest snapshot that loads, and the log behind it. */

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "server/node/recovery.h"
#include "tests/unit/store/kept_disk.h"
#include "tests/unit/store/spoil.h"
#include "tests/unit/unit.h"

static struct {
    struct disk *disk; /* across openings */
    struct store *store;
    struct tree *tree;
    struct zab_point last;
    uint64_t number, session;
    char error[256];
    char event[64]; /* the last that was logged */
    bool loads_early, repairs;
    struct recovery_early early;
} world;

static void open_store (void)
{
    struct store_options options = {
        .disk = kept_disk_new (world.disk), .server_id = 1, .store_id = 1, .repair = world.repairs};
    if (world.loads_early) {
        options.reads_ahead = true;
        options.meanwhile = recovery_early_load;
        options.meanwhile_arg = &world.early;
    }
    assert_int_equal (store_open (&options, &world.store, world.error, sizeof world.error), 0);
}

static void settle (void)
{
    while (store_work (world.store)) {
    }
    assert_int_equal (store_failure (world.store, NULL), 0);
}

static void append (struct buf *bytes)
{
    zxid_t zxid = world.last.zxid == 0 ? zxid_make (1, 1) : world.last.zxid + 1;
    struct zab_entry entry = {
        .zxid = zxid,
        .stamp_ms = 1000,
        .chain = zab_chain (world.last.chain, zxid, 1000, bytes->data, bytes->size),
        .data = bytes->data,
        .size = (uint32_t) bytes->size};
    struct zab_persist persist = {
        .number = ++world.number, .entries = &entry, .entries_count = 1, .commit = zxid};
    struct tree_outcome outcome;
    store_persist (world.store, &persist);
    assert_true (tree_apply (world.tree, zxid, 1000, bytes->data, bytes->size, &outcome));
    world.session = outcome.kind == ENTRY_CREATE_SESSION ? outcome.session : world.session;
    world.last = (struct zab_point){zxid, entry.chain};
    buf_clear (bytes);
}

/* Znodes of a new state: the root, and /zookeeper with two below it. */
enum { FOUNDED = 4 };

static void create_some (unsigned count)
{
    static uint64_t number;
    struct buf bytes;
    buf_init (&bytes);
    number = tree_node_count (world.tree) - FOUNDED;
    for (unsigned i = 0; i < count; i++) {
        char path[32];
        number++;
        snprintf (path, sizeof path, "/%llu", (unsigned long long) number);
        struct entry entry = {.kind = ENTRY_WRITE,
                              .u.write = {.session = world.session,
                                          .incarnation = 1,
                                          .number = number,
                                          .ack_to = number - 1,
                                          .count = 1}};
        struct op op = {.kind = OP_CREATE,
                        .path = path,
                        .path_size = (uint32_t) strlen (path),
                        .data = (const uint8_t *) path,
                        .data_size = 3};
        entry_encode (&bytes, &entry);
        op_encode (&bytes, &op);
        append (&bytes);
    }
    buf_deinit (&bytes);
    settle ();
}

static void snapshot (void)
{
    struct store_writer *writer;
    struct buf image;
    buf_init (&image);
    struct tree_snapshot *snapshot = tree_snapshot_begin (world.tree);
    while (tree_snapshot_next (snapshot, &image, 1000)) {
    }
    tree_snapshot_end (&snapshot);
    assert_int_equal (store_writer_new (world.store, world.last, 1000, &writer), 0);
    store_writer_append (writer, image.data, image.size);
    store_writer_finish (writer, false);
    settle ();
    assert_int_equal (store_writer_state (writer), 1);
    store_writer_destroy (&writer);
    settle ();
    buf_deinit (&image);
}

static int setup (void **state)
{
    (void) state;
    memset (&world, 0, sizeof world);
    world.disk = memory_disk_new ();
    world.tree = tree_new (NULL);
    open_store ();
    struct buf bytes;
    buf_init (&bytes);
    struct entry cluster = {.kind = ENTRY_CLUSTER,
                            .u.cluster = {.cluster_id = {1},
                                          .config = {.count = 1, .members = {{1, CONFIG_VOTER, 1}}},
                                          .limits = {1 << 20, 4096, 1024, 1 << 20, 100, 60000, 0}}};
    entry_encode (&bytes, &cluster);
    append (&bytes);
    struct entry session = {
        .kind = ENTRY_CREATE_SESSION,
        .u.create_session = {.nonce = {1}, .timeout_ms = 1000, .server = 1, .attach_no = 1}};
    entry_encode (&bytes, &session);
    append (&bytes);
    buf_deinit (&bytes);
    return 0;
}

/* The snapshot is loaded while the store is opened. */
static int setup_early (void **state)
{
    int rc = setup (state);
    world.loads_early = true;
    return rc;
}

static int teardown (void **state)
{
    (void) state;
    recovery_early_deinit (&world.early);
    tree_destroy (&world.tree);
    store_close (&world.store);
    world.disk->ops->destroy (world.disk);
    return 0;
}

static void note (void *arg, enum log_level level, const char *event, const char *details)
{
    (void) arg;
    (void) level;
    (void) details;
    snprintf (world.event, sizeof world.event, "%s", event);
}

static int recover (struct tree **tree, struct zab_point *applied)
{
    struct tree_options options = {0};
    struct logger logger = {note, NULL, LOG_INFO};
    return recovery_tree (world.store, &options, &world.early, &logger, tree, applied, world.error,
                          sizeof world.error);
}

static void check_recovered (void)
{
    struct tree *tree = NULL;
    struct zab_point applied;
    assert_int_equal (recover (&tree, &applied), 0);
    assert_int_equal (applied.zxid, world.last.zxid);
    assert_int_equal (applied.chain, world.last.chain);
    assert_int_equal (tree_digest (tree), tree_digest (world.tree));
    tree_destroy (&tree);
}

static void test_newest (void **state)
{
    (void) state;
    create_some (50);
    store_close (&world.store);
    open_store ();
    check_recovered (); /* from the log alone */
    snapshot ();
    create_some (50);
    store_close (&world.store);
    open_store ();
    check_recovered ();
    assert_string_equal (world.event, "");
}

/* The newest has checksums that are right and a content that is not: the one before is taken, and
 * the log since; and from then on it is the newest. */
static void test_older (void **state)
{
    (void) state;
    create_some (50);
    snapshot ();
    create_some (50);
    snapshot ();
    create_some (50);
    store_close (&world.store);
    spoil_newest_snapshot (world.disk);
    open_store ();
    check_recovered ();
    assert_string_equal (world.event, "snapshot-rejected");
    world.event[0] = '\0';
    store_close (&world.store);
    open_store ();
    check_recovered ();
    assert_string_equal (world.event, "");
}

/* What was loaded while the store was opened is what is used. */
static void test_early (void **state)
{
    (void) state;
    create_some (50);
    snapshot ();
    struct zab_point point = world.last;
    create_some (50);
    store_close (&world.store);
    open_store ();
    assert_non_null (world.early.tree);
    assert_int_equal (world.early.point.zxid, point.zxid);
    const struct tree *loaded = world.early.tree;
    struct tree *tree = NULL;
    struct zab_point applied;
    assert_int_equal (recover (&tree, &applied), 0);
    assert_ptr_equal (tree, loaded);
    assert_null (world.early.tree);
    assert_int_equal (applied.zxid, world.last.zxid);
    assert_int_equal (tree_digest (tree), tree_digest (world.tree));
    tree_destroy (&tree);
}

/* Of another snapshot than the newest it is of no use. */
static void test_early_stale (void **state)
{
    (void) state;
    create_some (50);
    snapshot ();
    create_some (50);
    store_close (&world.store);
    open_store ();
    assert_non_null (world.early.tree);
    snapshot ();
    check_recovered ();
    assert_null (world.early.tree);
}

/* One byte of the entry that creates the znode of this name, which no store has open. */
static void spoil_entry (const char *path)
{
    static uint8_t bytes[1 << 20];
    struct disk_file *file;
    size_t size = strlen (path), done = 0;
    assert_int_equal (world.disk->ops->open (world.disk, "log.1", false, &file), 0);
    assert_int_equal (world.disk->ops->read (file, 0, bytes, sizeof bytes, &done), 0);
    for (size_t at = 0; at + size <= done; at++) {
        if (memcmp (bytes + at, path, size) == 0) {
            bytes[at] ^= 1;
            assert_int_equal (world.disk->ops->write (file, at, bytes + at, 1), 0);
            world.disk->ops->close (file);
            return;
        }
    }
    fail ();
}

/* Another thread finds that the log is damaged while the snapshot is loaded. */
static void test_early_damage (void **state)
{
    (void) state;
    create_some (50);
    snapshot ();
    create_some (50);
    store_close (&world.store);
    spoil_entry ("/75");
    world.repairs = true;
    open_store ();
    assert_string_not_equal (store_damage (world.store), "");
    assert_int_equal (store_meta (world.store)->trust, ZAB_DAMAGED);
    struct tree *tree = NULL;
    struct zab_point applied;
    assert_int_equal (recover (&tree, &applied), 0);
    assert_int_equal (applied.zxid, world.last.zxid - 26);
    tree_destroy (&tree);
}

static void test_none (void **state)
{
    (void) state;
    struct tree *tree = NULL;
    struct zab_point applied;
    create_some (50);
    snapshot ();
    create_some (50);
    store_close (&world.store);
    spoil_newest_snapshot (world.disk);
    open_store ();
    assert_int_equal (recover (&tree, &applied), COHORT_ECORRUPT);
    assert_null (tree);
    assert_non_null (strstr (world.error, "cannot be loaded"));
    assert_non_null (strstr (world.error, "no older snapshot"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_newest, setup, teardown),
        cmocka_unit_test_setup_teardown (test_older, setup, teardown),
        cmocka_unit_test_setup_teardown (test_none, setup, teardown),
        cmocka_unit_test_setup_teardown (test_newest, setup_early, teardown),
        cmocka_unit_test_setup_teardown (test_older, setup_early, teardown),
        cmocka_unit_test_setup_teardown (test_none, setup_early, teardown),
        cmocka_unit_test_setup_teardown (test_early, setup_early, teardown),
        cmocka_unit_test_setup_teardown (test_early_stale, setup_early, teardown),
        cmocka_unit_test_setup_teardown (test_early_damage, setup_early, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
