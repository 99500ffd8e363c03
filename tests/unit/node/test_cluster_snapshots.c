/* Three nodes in one process: when they write snapshots of their states, and how one comes to a
 * server whose log the others' cannot continue. */

#include "tests/unit/unit.h"

#include <string.h>

#include "cohort/error.h"
#include "server/node/checkpoint.h"
#include "tests/unit/node/cluster.h"

static bool sends_clients_away (struct cluster *self, void *arg)
{
    (void) self;
    const char *held = stub_clients (*(uint32_t *) arg)->held;
    return held != NULL && strcmp (held, CLIENTS_BEHIND) == 0;
}

static void test_snapshot_catch_up (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 3, 5);
    cluster.options.snapshot_bytes = 1 << 20;
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 1000, cluster_settled, NULL));
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint64_t session = cluster_session (&cluster, leader, 1);
    cluster_write (leader, session, 1, 20, 100);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
    cluster_kill (&cluster, follower);
    /* Enough for several snapshots, so that the log does not reach back to the follower. */
    uint64_t number = 21;
    for (int round = 0; round < 60; round++, number += 40) {
        cluster_write (leader, session, number, 40, 10000);
        assert_true (cluster_until (&cluster, 5000, cluster_idle, NULL));
    }
    struct zab_point base;
    int64_t stamp_ms;
    store_base (cluster.servers[leader].store, &base, &stamp_ms);
    assert_true (base.zxid > 0);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    cluster_write (leader, session, number, 40, 10000);
    /* Its clients hear of it in time to be elsewhere when their server has another state. */
    assert_true (cluster_until (&cluster, 10000, sends_clients_away, &follower));
    assert_int_equal (stub_clients (follower)->resets, 0);
    assert_true (cluster_until (&cluster, 10000, cluster_idle, NULL));
    assert_int_equal (stub_clients (follower)->resets, 1);
    assert_null (stub_clients (follower)->held);
    assert_int_equal (cluster_status (&cluster, follower).digest,
                      cluster_status (&cluster, leader).digest);
    assert_int_equal (cluster_leader (&cluster), leader);
    /* And what it has installed survives. */
    cluster_kill (&cluster, follower);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 2000, cluster_idle, NULL));
    assert_int_equal (cluster_status (&cluster, follower).digest,
                      cluster_status (&cluster, leader).digest);
    cluster_deinit (&cluster);
}

/* As fast as it is never calm, for longer than to look three times. */
static uint64_t write_steadily (struct cluster *self, uint64_t session, uint64_t number)
{
    for (int round = 0; round < 24; round++, number += 20) {
        cluster_write (1, session, number, 20, 10000);
        cluster_run (self, CHECKPOINT_CALM_MS / 8);
    }
    return number;
}

static bool has_snapshot (struct cluster *self, void *unused)
{
    struct store_snapshot_info info;
    (void) unused;
    return store_snapshot_newest (self->servers[1].store, &info);
}

/* Far less log than makes a snapshot due: not while there are writes, the last one's end between
 * them or not, nor when it is calm and there is too little of it; but as soon as it is calm and
 * there is enough. */
static void test_snapshot_when_calm (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_begin (&cluster, 1, 7);
    uint64_t session = cluster_session (&cluster, 1, 1);
    uint64_t number = 1;
    cluster_write (1, session, number, 200, 10000);
    number += 200;
    cluster_run (&cluster, 3 * CHECKPOINT_CALM_MS);
    assert_false (has_snapshot (&cluster, NULL));
    number = write_steadily (&cluster, session, number);
    assert_true (store_log_bytes (cluster.servers[1].store) > CHECKPOINT_CALM_BYTES);
    assert_false (has_snapshot (&cluster, NULL));
    assert_true (cluster_until (&cluster, 5 * CHECKPOINT_CALM_MS, has_snapshot, NULL));
    assert_true (store_log_bytes (cluster.servers[1].store) < CHECKPOINT_CALM_GROWTH);
    cluster_deinit (&cluster);
}

/* That the log is short behind a snapshot does not mean that it is calm. */
static void test_snapshot_under_load (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 1, 8);
    cluster.options.snapshot_bytes = 16 << 20;
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 1000, cluster_settled, NULL));
    uint64_t session = cluster_session (&cluster, 1, 1);
    uint64_t written = 0;
    zxid_t newest = 0;
    size_t snapshots = 0;
    for (uint64_t number = 1; written < UINT64_C (60) << 20; number += 100) {
        struct store_snapshot_info info = {0};
        cluster_write (1, session, number, 100, 10000);
        cluster_run (&cluster, CHECKPOINT_CALM_MS / 10);
        (void) store_snapshot_newest (cluster.servers[1].store, &info);
        snapshots += info.point.zxid > newest;
        newest = info.point.zxid;
        written += 100 * 10000;
    }
    assert_in_range (snapshots, 1, 3);
    cluster_deinit (&cluster);
}

/* Of three servers a follower is down, and has nothing of what the others have written since: so
 * many rounds of 480 KB.  Returns its id. */
static uint32_t leave_behind (struct cluster *cluster, uint64_t seed, uint64_t snapshot_bytes,
                              unsigned rounds)
{
    cluster_init (cluster, 3, seed);
    cluster->options.snapshot_bytes = snapshot_bytes;
    cluster_start_all (cluster);
    assert_true (cluster_until (cluster, 1000, cluster_settled, NULL));
    uint32_t leader = cluster_leader (cluster);
    uint32_t follower = leader % 3 + 1;
    uint64_t session = cluster_session (cluster, leader, 1);
    cluster_kill (cluster, follower);
    for (unsigned round = 0; round < rounds; round++) {
        cluster_write (leader, session, 1 + 40 * (uint64_t) round, 40, 12000);
        assert_true (cluster_until (cluster, 5000, cluster_idle, NULL));
    }
    return follower;
}

/* The transfer of a snapshot is broken off again and again; it goes on where it was. */
static void test_snapshot_resumes (void **state)
{
    (void) state;
    struct cluster cluster;
    uint32_t follower = leave_behind (&cluster, 27, 4 << 20, 50);
    uint32_t leader = cluster_leader (&cluster);
    uint64_t before = cluster.bytes;
    uint64_t last = before;
    assert_int_equal (cluster_start (&cluster, follower), 0);
    for (int breaks = 0; !cluster_idle (&cluster, NULL);) {
        cluster_step (&cluster);
        if (breaks < 20 && cluster.bytes - last > 6 << 20) {
            cluster_break (&cluster, leader, follower);
            last = cluster.bytes;
            breaks++;
        }
        assert_in_range (cluster.now_ms, 0, 60000);
    }
    assert_int_equal (stub_clients (follower)->resets, 1);
    assert_int_equal (cluster_status (&cluster, follower).digest,
                      cluster_status (&cluster, leader).digest);
    /* 24 MB of state: what was under way at each break is lost, and no more. */
    assert_in_range (cluster.bytes - before, 20 << 20, 60 << 20);
    cluster_deinit (&cluster);
}

/* What has been received cannot be read back from the disk: the server goes on, and gets it again.
 */
static void test_snapshot_not_installed (void **state)
{
    (void) state;
    struct cluster cluster;
    uint32_t follower = leave_behind (&cluster, 28, 1 << 20, 20);
    uint32_t leader = cluster_leader (&cluster);
    cluster_lose_snapshots (&cluster, follower, 2);
    int64_t begun_ms = cluster.now_ms;
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 20000, cluster_idle, NULL));
    assert_true (cluster.now_ms - begun_ms > 1000); /* it was tried again, after a while */
    assert_int_equal (node_failure (cluster.servers[follower].node, NULL), 0);
    assert_int_equal (stub_clients (follower)->resets, 1);
    assert_int_equal (cluster_status (&cluster, follower).digest,
                      cluster_status (&cluster, leader).digest);
    assert_int_equal (cluster_leader (&cluster), leader);
    cluster_deinit (&cluster);
}

/* ---- In turn --------------------------------------------------------------------------------- */

enum { SNAPSHOT_BYTES = 4 << 20, ROUND = 4 };

static struct written {
    bool busy;
    unsigned count;
} written[CLUSTER_MAX];

static void note_snapshots (void *arg, enum log_level level, const char *event, const char *details)
{
    struct written *self = arg;
    (void) level;
    (void) details;
    self->busy = strcmp (event, "snapshot-begun") == 0 ||
                 (self->busy && strcmp (event, "snapshot-done") != 0);
    self->count += strcmp (event, "snapshot-done") == 0;
}

static void start_noting (struct cluster *cluster)
{
    memset (written, 0, sizeof written);
    cluster_init (cluster, 3, 29);
    cluster->options.snapshot_bytes = SNAPSHOT_BYTES;
    cluster->options.snapshot_slice = 16 << 10;
    for (uint32_t id = 1; id <= 3; id++) {
        cluster->options.logger = (struct logger){note_snapshots, &written[id], LOG_INFO};
        assert_int_equal (cluster_start (cluster, id), 0);
    }
    assert_true (cluster_until (cluster, 1000, cluster_settled, NULL));
}

static unsigned count_busy (void)
{
    return (unsigned) written[1].busy + written[2].busy + written[3].busy;
}

/* All logs grow alike, and all of them are long enough at the same time. */
static void test_snapshots_in_turn (void **state)
{
    (void) state;
    struct cluster cluster;
    start_noting (&cluster);
    uint64_t session = cluster_session (&cluster, 1, 1);
    unsigned steps_busy = 0;
    for (uint64_t number = 1; written[1].count + written[2].count + written[3].count < 9;
         number += ROUND) {
        cluster_write (1, session, number, ROUND, 4096);
        for (int ms = 0; ms < 5; ms++) {
            cluster_step (&cluster);
            assert_in_range (count_busy (), 0, 1);
            steps_busy += count_busy ();
        }
        assert_in_range (number, 0, 100000);
    }
    assert_true (steps_busy >
                 9 * SNAPSHOT_BYTES / CHECKPOINT_PACE / 4); /* it is not over at once */
    for (uint32_t id = 1; id <= 3; id++) {
        assert_in_range (written[id].count, 2, 4);
    }
    cluster_deinit (&cluster);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_snapshot_catch_up),      cmocka_unit_test (test_snapshot_when_calm),
        cmocka_unit_test (test_snapshot_under_load),    cmocka_unit_test (test_snapshot_resumes),
        cmocka_unit_test (test_snapshot_not_installed), cmocka_unit_test (test_snapshots_in_turn),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
