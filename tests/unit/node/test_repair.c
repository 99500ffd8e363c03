/* Nodes whose disks lose what they held: they come back without a vote, are healed, and count
 * again; and whoever has lost everything never takes that for the beginning. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "cohort/error.h"
#include "tests/unit/node/cluster.h"

static bool all_whole (struct cluster *cluster, void *arg)
{
    (void) arg;
    for (uint32_t id = 1; id <= cluster->count; id++) {
        if (cluster->servers[id].node != NULL &&
            (stub_pending (stub_clients (id)) > 0 ||
             cluster_status (cluster, id).zab.trust != ZAB_WHOLE)) {
            return false;
        }
    }
    return cluster_settled (cluster, NULL);
}

/* Three servers with a session made by way of server 1, and some znodes. */
static uint64_t start (struct cluster *cluster, uint64_t seed)
{
    cluster_init (cluster, 3, seed);
    cluster->options.snapshot_bytes = 64 << 10;
    cluster_start_all (cluster);
    assert_true (cluster_until (cluster, 1000, cluster_settled, NULL));
    stub_create_session (stub_clients (1), 1, 10000, 10000);
    assert_true (cluster_until (cluster, 1000, all_whole, NULL));
    return stub_clients (1)->created[1];
}

static void write_some (struct cluster *cluster, uint32_t id, uint64_t session, uint64_t first,
                        unsigned count, size_t size)
{
    static const uint8_t data[4096] = {1, 2, 3};
    for (unsigned i = 0; i < count; i++) {
        char path[64];
        snprintf (path, sizeof path, "/n-%llu", (unsigned long long) (first + i));
        stub_create (stub_clients (id), session, first + i, path, data, size, 0);
    }
    assert_true (cluster_until (cluster, 3000, all_whole, NULL));
}

/* ---- Damage ------------------------------------------------------------------------------ */

struct victim {
    const char *prefix;
    char name[64];
};

static void choose (void *arg, const char *name)
{
    struct victim *victim = arg;
    if (strncmp (name, victim->prefix, strlen (victim->prefix)) == 0 &&
        strstr (name, ".new") == NULL) {
        snprintf (victim->name, sizeof victim->name, "%s", name);
    }
}

/* Flips a bit in the last file whose name begins so. */
static void flip (struct cluster *cluster, uint32_t id, const char *prefix, uint64_t offset)
{
    struct disk *disk = cluster->servers[id].disk;
    struct victim victim = {.prefix = prefix};
    struct disk_file *file;
    uint8_t byte;
    size_t done;
    assert_int_equal (disk->ops->list (disk, choose, &victim), 0);
    assert_int_equal (disk->ops->open (disk, victim.name, false, &file), 0);
    assert_int_equal (disk->ops->read (file, offset, &byte, 1, &done), 0);
    byte ^= 4;
    assert_int_equal (disk->ops->write (file, offset, &byte, 1), 0);
    disk->ops->close (file);
}

static bool has_file (struct cluster *cluster, uint32_t id, const char *prefix)
{
    struct disk *disk = cluster->servers[id].disk;
    struct victim victim = {.prefix = prefix};
    assert_int_equal (disk->ops->list (disk, choose, &victim), 0);
    return victim.name[0] != '\0';
}

/* ---- Tests ------------------------------------------------------------------------------- */

/* Server 3 comes back damaged. With 2 it is no quorum; with 1 and 2 it is healed; then, with 1, it
 * is one. */
static void check_damaged (struct cluster *cluster, uint64_t session, uint64_t next)
{
    cluster_kill (cluster, 1);
    assert_int_equal (cluster_start (cluster, 3), 0);
    assert_int_equal (cluster_status (cluster, 3).zab.trust, ZAB_DAMAGED);
    assert_true (has_file (cluster, 3, "damaged.1."));
    cluster_run (cluster, 3000);
    assert_int_equal (cluster_leader (cluster), 0);
    assert_int_equal (cluster_status (cluster, 3).zab.trust, ZAB_DAMAGED);

    assert_int_equal (cluster_start (cluster, 1), 0);
    assert_true (cluster_until (cluster, 5000, all_whole, NULL));
    assert_int_equal (cluster_status (cluster, 3).digest, cluster_status (cluster, 1).digest);
    cluster_run (cluster, 100); /* a new store takes an entry of the log, too */

    cluster_kill (cluster, 2);
    assert_true (cluster_until (cluster, 2000, all_whole, NULL));
    stub_attach (stub_clients (1), session, 2);
    write_some (cluster, 1, session, next, 20, 100);
    assert_int_equal (cluster_start (cluster, 2), 0);
    assert_true (cluster_until (cluster, 2000, all_whole, NULL));
    assert_int_equal (cluster_status (cluster, 3).znodes, CLUSTER_FOUNDED + (next - 1) + 20);
}

static void test_log (void **state)
{
    (void) state;
    struct cluster cluster;
    uint64_t session = start (&cluster, 1);
    write_some (&cluster, 1, session, 1, 50, 200);
    cluster_run (&cluster, 200); /* until the watermark is written */
    cluster_kill (&cluster, 3);
    flip (&cluster, 3, "log.1", 4096 + 3000);
    check_damaged (&cluster, session, 51);
    cluster_deinit (&cluster);
}

/* The log of the others has been compacted, so there is no way but a snapshot. */
static void test_manifest (void **state)
{
    (void) state;
    struct cluster cluster;
    uint64_t session = start (&cluster, 2);
    write_some (&cluster, 1, session, 1, 400, 1000);
    cluster_run (&cluster, 200);
    assert_true (has_file (&cluster, 1, "snap."));
    cluster_kill (&cluster, 3);
    flip (&cluster, 3, "manifest", 70);
    check_damaged (&cluster, session, 401);
    cluster_deinit (&cluster);
}

/* Without its promises it is another server, whom an entry of the log makes a voter. */
static void test_metadata (void **state)
{
    (void) state;
    struct cluster cluster;
    uint64_t session = start (&cluster, 3);
    write_some (&cluster, 1, session, 1, 400, 1000);
    cluster_run (&cluster, 200);
    cluster_kill (&cluster, 3);
    flip (&cluster, 3, "meta.0", 70);
    flip (&cluster, 3, "meta.1", 71);
    check_damaged (&cluster, session, 401);
    cluster_deinit (&cluster);
}

/* If the newest snapshot is damaged there is an older one, and the log behind that: nothing is
 * lost. */
static void test_snapshot (void **state)
{
    (void) state;
    struct cluster cluster;
    uint64_t session = start (&cluster, 4);
    write_some (&cluster, 1, session, 1, 400, 1000);
    cluster_run (&cluster, 200);
    uint64_t digest = cluster_status (&cluster, 3).digest;
    cluster_kill (&cluster, 3);
    flip (&cluster, 3, "snap.", 5000);
    assert_int_equal (cluster_start (&cluster, 3), 0);
    assert_int_equal (cluster_status (&cluster, 3).zab.trust, ZAB_WHOLE);
    assert_true (cluster_until (&cluster, 2000, all_whole, NULL));
    assert_int_equal (cluster_status (&cluster, 3).digest, digest);
    assert_true (has_file (&cluster, 3, "damaged.1.snap."));
    cluster_deinit (&cluster);
}

/* All three have lost what they held, one way or another. None of them may begin a new history. */
static void test_all_lost (void **state)
{
    (void) state;
    struct cluster cluster;
    uint64_t session = start (&cluster, 5);
    write_some (&cluster, 1, session, 1, 20, 100);
    for (uint32_t id = 1; id <= 3; id++) {
        cluster_kill (&cluster, id);
        if (id == 1) {
            flip (&cluster, id, "manifest", 70);
        } else {
            flip (&cluster, id, "meta.0", 70);
            flip (&cluster, id, "meta.1", 70);
        }
    }
    for (int round = 0; round < 2; round++) {
        for (uint32_t id = 1; id <= 3; id++) {
            assert_int_equal (cluster_start (&cluster, id), 0);
        }
        cluster_run (&cluster, 3000);
        for (uint32_t id = 1; id <= 3; id++) {
            assert_int_equal (cluster_status (&cluster, id).zab.role, ZAB_LOOKING);
            assert_int_equal (store_last (cluster.servers[id].store), 0);
            cluster_kill (&cluster, id);
        }
    }
    cluster_deinit (&cluster);
}

/* The only voter: nobody could heal it, so nothing is changed and it does not start. */
static void test_alone (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 1, 6);
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 100, cluster_settled, NULL));
    stub_create_session (stub_clients (1), 1, 10000, 10000);
    assert_true (cluster_until (&cluster, 1000, all_whole, NULL));
    write_some (&cluster, 1, stub_clients (1)->created[1], 1, 20, 200);
    cluster_run (&cluster, 200);
    cluster_kill (&cluster, 1);
    flip (&cluster, 1, "log.1", 4096 + 2000);
    struct store *store;
    char error[512];
    /* The disk outlives the store, as the cluster's disks do. */
    assert_int_equal (cluster_open (&cluster, 1, &store, error, sizeof error), COHORT_ECORRUPT);
    assert_non_null (strstr (error, "log.1: damaged at offset"));
    assert_non_null (strstr (error, "nothing was changed: put the file back"));
    assert_false (has_file (&cluster, 1, "damaged."));
    cluster_deinit (&cluster);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_log),      cmocka_unit_test (test_manifest),
        cmocka_unit_test (test_metadata), cmocka_unit_test (test_snapshot),
        cmocka_unit_test (test_all_lost), cmocka_unit_test (test_alone),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
