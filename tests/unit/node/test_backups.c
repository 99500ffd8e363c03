/* Backups of a running server: what goes out, over a store in memory. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/base/hash.h"
#include "cohort/error.h"
#include "server/backup/backup.h"
#include "server/node/backups.h"
#include "tests/unit/node/stored_server.h"

enum { CLIENTS = BACKUPS_MAX + 1 };

/* One that asks; its connection is its index and one. */
struct asker {
    struct buf file;
    uint64_t file_size, sum, sum_told;
    zxid_t zxid;
    int code;
    char text[512];
    unsigned waits;
    bool whole;
};

static struct world {
    struct server server;
    struct checkpoint checkpoint;
    struct backups *backups;
    struct asker askers[CLIENTS];
    bool full; /* the pipes */
    int64_t now_ms;
} world;

static bool on_send (void *arg, uint64_t connection, const struct backup_part *part)
{
    (void) arg;
    assert_in_range (connection, 1, CLIENTS);
    struct asker *asker = &world.askers[connection - 1];
    if (world.full) {
        return false;
    }
    assert_false (asker->whole);
    if (part->code != 0) {
        assert_non_null (part->text);
        asker->code = part->code;
        snprintf (asker->text, sizeof asker->text, "%s", part->text);
    } else if (part->size == 0) {
        asker->waits++;
    } else {
        assert_int_equal (part->offset, asker->file.size);
        assert_in_range (part->size, 1, BACKUPS_CHUNK);
        buf_append (&asker->file, part->data, part->size);
        asker->sum = hash64 (part->data, part->size, asker->sum);
        asker->file_size = part->file_size;
        asker->zxid = part->zxid;
        asker->whole = asker->file.size == part->file_size;
        assert_int_equal (part->sum, asker->whole ? asker->sum : 0);
    }
    return true;
}

static int setup (void **state)
{
    (void) state;
    struct logger logger = {NULL, NULL, LOG_ERROR};
    memset (&world, 0, sizeof world);
    world.now_ms = 1000;
    server_init (&world.server, 1);
    checkpoint_init (&world.checkpoint, world.server.store, 0, 0, &logger);
    world.backups = backups_new (world.server.store, &world.checkpoint,
                                 &(struct backups_host){NULL, on_send}, &logger);
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    for (int i = 0; i < CLIENTS; i++) {
        buf_deinit (&world.askers[i].file);
    }
    backups_destroy (&world.backups);
    checkpoint_deinit (&world.checkpoint);
    server_deinit (&world.server);
    return 0;
}

static void query (uint64_t connection, uint64_t received)
{
    backups_query (world.backups, connection, received, world.server.applied.zxid, world.now_ms);
}

static void turn (void)
{
    world.now_ms++;
    checkpoint_turn (&world.checkpoint, world.server.tree, world.server.applied, world.now_ms);
    backups_turn (world.backups, world.server.applied.zxid, world.now_ms);
    server_work (&world.server);
}

static void turns (int count)
{
    for (int i = 0; i < count; i++) {
        turn ();
    }
}

static void run (uint64_t connection)
{
    struct asker *asker = &world.askers[connection - 1];
    for (int i = 0; i < 2000 && !asker->whole && asker->code == 0; i++) {
        turn ();
        if (asker->file.size > 0 && !asker->whole) {
            query (connection, asker->file.size);
        }
    }
}

/* What came is a backup, of this state. */
static void check (const struct asker *asker, zxid_t zxid, uint64_t digest)
{
    char path[] = "/tmp/cohort-backup-XXXXXX";
    char error[300];
    struct backup_info info, all;
    assert_int_equal (asker->code, 0);
    assert_true (asker->whole);
    assert_int_equal (asker->zxid, zxid);
    int fd = mkstemp (path);
    assert_true (fd >= 0);
    assert_int_equal (write (fd, asker->file.data, asker->file.size), asker->file.size);
    close (fd);
    int code = backup_verify (path, &info, error, sizeof error);
    int code_all = backup_check (path, &all, error, sizeof error);
    unlink (path);
    assert_int_equal (code, 0);
    assert_int_equal (code_all, 0);
    assert_int_equal (info.zxid, zxid);
    assert_int_equal (info.digest, digest);
    assert_int_equal (info.file_size, asker->file_size);
    assert_int_equal (all.digest, info.digest); /* and what verifies loads */
    assert_int_equal (all.znodes, info.znodes);
    assert_int_equal (all.sessions, info.sessions);
    assert_int_equal (all.size, info.size);
    assert_int_equal (all.time_ms, info.time_ms);
    assert_memory_equal (all.cluster_id, info.cluster_id, sizeof info.cluster_id);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_whole (void **state)
{
    (void) state;
    server_create (&world.server, 300, 8000, COHORT_PERSISTENT);
    query (1, 0);
    assert_int_equal (world.askers[0].waits, 1); /* at once: it will be done */
    run (1);
    check (&world.askers[0], world.server.applied.zxid, tree_digest (world.server.tree));
    assert_int_equal (backups_count (world.backups), 0);
    /* There is one of this very state: it is sent as it is. */
    query (2, 0);
    run (2);
    check (&world.askers[1], world.server.applied.zxid, tree_digest (world.server.tree));
    assert_int_equal (checkpoint_done (&world.checkpoint), 1);
    assert_int_equal (world.askers[1].sum, world.askers[0].sum);
}

/* Requests go on: the backup is exactly what there was at one zxid, and holds all that was there
 * when it was asked for, though an older snapshot is at hand. */
static void test_exact (void **state)
{
    (void) state;
    server_create (&world.server, 300, 8000, COHORT_PERSISTENT);
    checkpoint_want (&world.checkpoint);
    turns (200);
    assert_int_equal (checkpoint_done (&world.checkpoint), 1);
    server_create (&world.server, 10, 100, COHORT_PERSISTENT);
    zxid_t zxid = world.server.applied.zxid;
    uint64_t digest = tree_digest (world.server.tree);
    query (1, 0);
    turns (2); /* it is wanted, and begun */
    for (int i = 0; i < 1000 && !world.askers[0].whole; i++) {
        server_create (&world.server, 2, 100, COHORT_PERSISTENT);
        turn ();
        if (world.askers[0].file.size > 0 && !world.askers[0].whole) {
            query (1, world.askers[0].file.size);
        }
    }
    check (&world.askers[0], zxid, digest);
}

/* As many at a time as there may be; who comes too late hears so; an end makes room. */
static void test_limit (void **state)
{
    (void) state;
    server_create (&world.server, 300, 8000, COHORT_PERSISTENT);
    for (uint64_t connection = 1; connection <= CLIENTS; connection++) {
        query (connection, 0);
    }
    assert_int_equal (backups_count (world.backups), BACKUPS_MAX);
    assert_int_equal (world.askers[CLIENTS - 1].code, COHORT_ELIMIT);
    world.askers[CLIENTS - 1].code = 0;
    backups_closed (world.backups, 1);
    query (CLIENTS, 0);
    for (uint64_t connection = 2; connection <= CLIENTS; connection++) {
        run (connection);
        check (&world.askers[connection - 1], world.server.applied.zxid,
               tree_digest (world.server.tree));
    }
    assert_int_equal (backups_count (world.backups), 0);
    assert_int_equal (world.askers[0].file.size, 0);
}

/* Nobody gets more than a window ahead; who falls silent is forgotten, and the file may go. */
static void test_window_and_silence (void **state)
{
    (void) state;
    struct asker *asker = &world.askers[0];
    struct zab_point base;
    int64_t stamp_ms = 0;
    server_create (&world.server, 300, 8000, COHORT_PERSISTENT);
    query (1, 0);
    turns (500);
    assert_in_range (asker->file.size, BACKUPS_WINDOW - 2 * BACKUPS_CHUNK, BACKUPS_WINDOW);
    for (int i = 0; i < 4; i++) { /* newer ones: it stays, for it is being sent */
        server_create (&world.server, 1, 10, COHORT_PERSISTENT);
        checkpoint_want (&world.checkpoint);
        turns (200);
        (void) store_compacted (world.server.store, &base, &stamp_ms);
        server_work (&world.server);
    }
    assert_int_equal (server_snapshot_files (&world.server), 5);
    query (1, asker->file.size);
    turns (100);
    assert_true (asker->file.size > BACKUPS_WINDOW);
    assert_true (backups_deadline (world.backups) > world.now_ms);
    assert_true (backups_deadline (world.backups) <= world.now_ms + BACKUPS_SILENCE_MS + 1);
    world.now_ms += BACKUPS_SILENCE_MS + 1;
    turn ();
    assert_int_equal (asker->code, COHORT_ETIMEDOUT);
    assert_int_equal (backups_count (world.backups), 0);
    assert_int_equal (backups_deadline (world.backups), INT64_MAX);
    (void) store_compacted (world.server.store, &base, &stamp_ms);
    server_work (&world.server);
    assert_int_equal (server_snapshot_files (&world.server), 2);
}

static void test_pipe_full (void **state)
{
    (void) state;
    server_create (&world.server, 100, 8000, COHORT_PERSISTENT);
    query (1, 0);
    for (int i = 0; i < 1000 && !world.askers[0].whole; i++) {
        world.full = i % 3 != 0;
        turn ();
        if (world.askers[0].file.size > 0 && !world.askers[0].whole) {
            query (1, world.askers[0].file.size);
        }
    }
    check (&world.askers[0], world.server.applied.zxid, tree_digest (world.server.tree));
}

static void test_refused (void **state)
{
    (void) state;
    backups_query (world.backups, 1, 0, 0, world.now_ms); /* no state yet */
    assert_int_equal (world.askers[0].code, COHORT_ESTATE);
    query (2, 77); /* it has not begun anything */
    assert_int_equal (world.askers[1].code, 0);
    assert_int_equal (backups_count (world.backups), 0);
    server_create (&world.server, 100, 8000, COHORT_PERSISTENT);
    query (2, 0);
    turns (100);
    query (2, world.askers[1].file.size + 1);
    assert_int_equal (world.askers[1].code, COHORT_EPROTOCOL);
    assert_int_equal (backups_count (world.backups), 0);
}

/* A state that may be wrong: what is under way ends, and others hear why, until it is right again.
 */
static void test_barred (void **state)
{
    (void) state;
    server_create (&world.server, 300, 8000, COHORT_PERSISTENT);
    query (1, 0);
    query (2, 0);
    turns (300);
    assert_true (world.askers[0].file.size > 0);
    backups_bar (world.backups, "it differs");
    assert_int_equal (world.askers[0].code, COHORT_ESTATE);
    assert_int_equal (world.askers[1].code, COHORT_ESTATE);
    assert_int_equal (backups_count (world.backups), 0);
    query (3, 0);
    assert_int_equal (world.askers[2].code, COHORT_ESTATE);
    assert_non_null (strstr (world.askers[2].text, "it differs"));
    backups_bar (world.backups, NULL);
    query (4, 0);
    run (4);
    check (&world.askers[3], world.server.applied.zxid, tree_digest (world.server.tree));
}

static void test_disk_full (void **state)
{
    (void) state;
    server_create (&world.server, 100, 8000, COHORT_PERSISTENT);
    crash_disk_set_space (world.server.disk, crash_disk_used (world.server.disk) + 1000);
    query (1, 0);
    run (1);
    assert_int_equal (world.askers[0].code, COHORT_EDISKFULL);
    assert_int_equal (backups_count (world.backups), 0);
    crash_disk_set_space (world.server.disk, UINT64_MAX);
    world.now_ms += CHECKPOINT_RETRY_MS;
    query (2, 0);
    run (2);
    check (&world.askers[1], world.server.applied.zxid, tree_digest (world.server.tree));
}

/* A file that has rotted: found when it is opened, nobody notices; found in the middle, the client
 * has to begin anew. Either way another is written, of the same state. */
static void test_damaged (void **state)
{
    (void) state;
    server_create (&world.server, 300, 8000, COHORT_PERSISTENT);
    checkpoint_want (&world.checkpoint);
    turns (300);
    assert_true (crash_disk_flip (world.server.disk, server_snapshot_name (&world.server), 10, 1));
    query (1, 0);
    run (1);
    check (&world.askers[0], world.server.applied.zxid, tree_digest (world.server.tree));
    assert_true (
        crash_disk_flip (world.server.disk, server_snapshot_name (&world.server), 1 << 20, 1));
    query (2, 0);
    run (2);
    assert_int_equal (world.askers[1].code, COHORT_ECORRUPT);
    assert_true (world.askers[1].file.size > 0);
    query (3, 0);
    run (3);
    check (&world.askers[2], world.server.applied.zxid, tree_digest (world.server.tree));
    assert_int_equal (checkpoint_done (&world.checkpoint), 3);
}

/* While the file is being made there are signs of life; for ever it does not take. */
static void test_waiting (void **state)
{
    (void) state;
    server_create (&world.server, 10, 100, COHORT_PERSISTENT);
    query (1, 0);
    for (int i = 0; i < 10; i++) { /* another server's snapshot is coming: none is written here */
        world.now_ms = backups_deadline (world.backups);
        backups_turn (world.backups, world.server.applied.zxid, world.now_ms);
    }
    assert_int_equal (world.askers[0].waits, 11);
    world.now_ms += BACKUPS_MAKE_MS;
    backups_turn (world.backups, world.server.applied.zxid, world.now_ms);
    assert_int_equal (world.askers[0].code, COHORT_ETIMEDOUT);
    assert_int_equal (backups_count (world.backups), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_whole, setup, teardown),
        cmocka_unit_test_setup_teardown (test_exact, setup, teardown),
        cmocka_unit_test_setup_teardown (test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown (test_window_and_silence, setup, teardown),
        cmocka_unit_test_setup_teardown (test_pipe_full, setup, teardown),
        cmocka_unit_test_setup_teardown (test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown (test_barred, setup, teardown),
        cmocka_unit_test_setup_teardown (test_disk_full, setup, teardown),
        cmocka_unit_test_setup_teardown (test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown (test_waiting, setup, teardown),
    };
    return cmocka_run_group_tests_name ("backups", tests, NULL, NULL);
}
