/* Three nodes in one process: they elect, replicate, restart, catch up. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "cohort/error.h"
#include "server/node/checkpoint.h"
#include "tests/unit/node/cluster.h"

static struct node_status status_of (struct cluster *cluster, uint32_t id)
{
    struct node_status status;
    node_status (cluster->servers[id].node, &status);
    return status;
}

static bool nothing_pending (struct cluster *cluster, void *arg)
{
    (void) arg;
    for (uint32_t id = 1; id <= cluster->count; id++) {
        if (cluster->servers[id].node != NULL && stub_pending (stub_clients (id)) > 0) {
            return false;
        }
    }
    return cluster_settled (cluster, NULL);
}

static void start (struct cluster *cluster, size_t count, uint64_t seed)
{
    cluster_init (cluster, count, seed);
    cluster_start_all (cluster);
    assert_true (cluster_until (cluster, 1000, cluster_settled, NULL));
}

/* A session made by way of server `id`. */
static uint64_t make_session (struct cluster *cluster, uint32_t id, uint8_t nonce)
{
    stub_create_session (stub_clients (id), nonce, 10000, 10000);
    assert_true (cluster_until (cluster, 1000, nothing_pending, NULL));
    uint64_t session = stub_clients (id)->created[nonce];
    assert_int_not_equal (session, 0);
    return session;
}

static void write_some (struct cluster *cluster, uint32_t id, uint64_t session, uint64_t first,
                        unsigned count, size_t size)
{
    static uint8_t data[64 << 10];
    for (unsigned i = 0; i < count; i++) {
        char path[64];
        snprintf (path, sizeof path, "/n-%llx-%llu", (unsigned long long) session,
                  (unsigned long long) (first + i));
        struct prng prng; /* so that it cannot be compressed */
        prng_seed (&prng, first + i);
        for (size_t k = 0; k < size; k++) {
            data[k] = (uint8_t) prng_u64 (&prng);
        }
        stub_create (stub_clients (id), session, first + i, path, data, size, 0);
    }
    (void) cluster;
}

static void test_standalone (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 1, 1);
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 100, cluster_settled, NULL));
    uint64_t session = make_session (&cluster, 1, 1);
    write_some (&cluster, 1, session, 1, 100, 100);
    assert_true (cluster_until (&cluster, 100, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, 1).znodes, CLUSTER_FOUNDED + 100);
    uint64_t digest = status_of (&cluster, 1).digest;
    cluster_kill (&cluster, 1);
    assert_int_equal (cluster_start (&cluster, 1), 0);
    assert_true (cluster_until (&cluster, 100, cluster_settled, NULL));
    assert_int_equal (status_of (&cluster, 1).digest, digest);
    cluster_deinit (&cluster);
}

static void test_elects_and_replicates (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 2);
    assert_int_not_equal (cluster_leader (&cluster), 0);
    /* By way of each server, so two of three forward. */
    for (uint32_t id = 1; id <= 3; id++) {
        uint64_t session = make_session (&cluster, id, (uint8_t) id);
        write_some (&cluster, id, session, 1, 200, 100);
    }
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    for (uint32_t id = 1; id <= 3; id++) {
        assert_int_equal (status_of (&cluster, id).znodes, CLUSTER_FOUNDED + 600);
        assert_int_equal (status_of (&cluster, id).sessions, 3);
        assert_int_equal (stub_clients (id)->downs, 0);
    }
    cluster_deinit (&cluster);
}

static void test_follower_restarts (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 3);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint64_t session = make_session (&cluster, leader, 1);
    write_some (&cluster, leader, session, 1, 50, 100);
    cluster_run (&cluster, 3);
    cluster_kill (&cluster, follower);
    write_some (&cluster, leader, session, 51, 500, 1000);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    assert_int_equal (cluster_leader (&cluster), leader);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 2000, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, follower).znodes, CLUSTER_FOUNDED + 550);
    assert_int_equal (stub_clients (leader)->downs, 0);
    cluster_deinit (&cluster);
}

static void test_leader_stops (void **state)
{
    (void) state;
    for (uint64_t seed = 10; seed < 20; seed++) {
        struct cluster cluster;
        start (&cluster, 3, seed);
        uint32_t leader = cluster_leader (&cluster);
        uint32_t follower = leader % 3 + 1;
        uint64_t session = make_session (&cluster, follower, 1);
        write_some (&cluster, follower, session, 1, 300, 100);
        cluster_run (&cluster, (int64_t) (seed % 4));
        cluster_kill (&cluster, leader);
        int64_t killed_ms = cluster.now_ms;
        assert_true (cluster_until (&cluster, 2000, nothing_pending, NULL));
        assert_in_range (cluster.now_ms - killed_ms, 0, 150);
        assert_int_not_equal (cluster_leader (&cluster), leader);
        assert_int_equal (status_of (&cluster, follower).znodes, CLUSTER_FOUNDED + 300);
        assert_int_equal (cluster_start (&cluster, leader), 0);
        assert_true (cluster_until (&cluster, 2000, nothing_pending, NULL));
        cluster_deinit (&cluster);
    }
}

static void test_all_restart (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 4);
    uint64_t session = make_session (&cluster, 2, 1);
    write_some (&cluster, 2, session, 1, 300, 100);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    for (int round = 0; round < 5; round++) {
        for (uint32_t id = 1; id <= 3; id++) {
            cluster_kill (&cluster, id);
        }
        cluster_run (&cluster, 10);
        cluster_start_all (&cluster);
        assert_true (cluster_until (&cluster, 2000, cluster_settled, NULL));
        for (uint32_t id = 1; id <= 3; id++) {
            assert_int_equal (status_of (&cluster, id).znodes, CLUSTER_FOUNDED + 300);
        }
    }
    cluster_deinit (&cluster);
}

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
    uint64_t session = make_session (&cluster, leader, 1);
    write_some (&cluster, leader, session, 1, 20, 100);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    cluster_kill (&cluster, follower);
    /* Enough for several snapshots, so that the log does not reach back to the follower. */
    uint64_t number = 21;
    for (int round = 0; round < 60; round++, number += 40) {
        write_some (&cluster, leader, session, number, 40, 10000);
        assert_true (cluster_until (&cluster, 5000, nothing_pending, NULL));
    }
    struct zab_point base;
    int64_t stamp_ms;
    store_base (cluster.servers[leader].store, &base, &stamp_ms);
    assert_true (base.zxid > 0);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    write_some (&cluster, leader, session, number, 40, 10000);
    /* Its clients hear of it in time to be elsewhere when their server has another state. */
    assert_true (cluster_until (&cluster, 10000, sends_clients_away, &follower));
    assert_int_equal (stub_clients (follower)->resets, 0);
    assert_true (cluster_until (&cluster, 10000, nothing_pending, NULL));
    assert_int_equal (stub_clients (follower)->resets, 1);
    assert_null (stub_clients (follower)->held);
    assert_int_equal (status_of (&cluster, follower).digest, status_of (&cluster, leader).digest);
    assert_int_equal (cluster_leader (&cluster), leader);
    /* And what it has installed survives. */
    cluster_kill (&cluster, follower);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 2000, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, follower).digest, status_of (&cluster, leader).digest);
    cluster_deinit (&cluster);
}

/* As fast as it is never calm, for longer than to look three times. */
static uint64_t write_steadily (struct cluster *self, uint64_t session, uint64_t number)
{
    for (int round = 0; round < 24; round++, number += 20) {
        write_some (self, 1, session, number, 20, 10000);
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
    start (&cluster, 1, 7);
    uint64_t session = make_session (&cluster, 1, 1);
    uint64_t number = 1;
    write_some (&cluster, 1, session, number, 200, 10000);
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
    uint64_t session = make_session (&cluster, 1, 1);
    uint64_t written = 0;
    zxid_t newest = 0;
    size_t snapshots = 0;
    for (uint64_t number = 1; written < UINT64_C (60) << 20; number += 100) {
        struct store_snapshot_info info = {0};
        write_some (&cluster, 1, session, number, 100, 10000);
        cluster_run (&cluster, CHECKPOINT_CALM_MS / 10);
        (void) store_snapshot_newest (cluster.servers[1].store, &info);
        snapshots += info.point.zxid > newest;
        newest = info.point.zxid;
        written += 100 * 10000;
    }
    assert_in_range (snapshots, 1, 3);
    cluster_deinit (&cluster);
}

static void test_emptied_server (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 6);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint32_t other = 6 - leader - follower;
    uint64_t session = make_session (&cluster, leader, 1);
    write_some (&cluster, leader, session, 1, 100, 100);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    cluster_kill (&cluster, follower);
    cluster_empty (&cluster, follower);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 2000, nothing_pending, NULL));
    cluster_run (&cluster, 100);
    const struct config *config =
        &tree_configs (node_tree (cluster.servers[leader].node))->configs[0];
    assert_int_equal (config_find (config, follower)->store_id,
                      store_meta (cluster.servers[follower].store)->store_id);
    /* It counts again: with the other one gone, both go on. */
    cluster_kill (&cluster, other);
    write_some (&cluster, leader, session, 101, 100, 100);
    assert_true (cluster_until (&cluster, 3000, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, follower).znodes, CLUSTER_FOUNDED + 200);
    cluster_deinit (&cluster);
}

static bool lists_store_of (struct cluster *cluster, uint32_t id)
{
    const struct config *config =
        &tree_configs (node_tree (cluster->servers[cluster_leader (cluster)].node))->configs[0];
    return config_find (config, id)->store_id == store_meta (cluster->servers[id].store)->store_id;
}

/* It is listed when it has caught up, not before. */
static void test_emptied_server_waits (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 29);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint64_t session = make_session (&cluster, leader, 1);
    write_some (&cluster, leader, session, 1, 100, 100);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    cluster_kill (&cluster, follower);
    cluster_empty (&cluster, follower);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    cluster_run (&cluster, 5); /* long enough to join, not to catch up */
    cluster.servers[follower].slow_disk = true;
    cluster_run (&cluster, 1000);
    assert_int_equal (cluster_leader (&cluster), leader);
    assert_false (lists_store_of (&cluster, follower));
    cluster.servers[follower].slow_disk = false;
    assert_true (cluster_until (&cluster, 3000, cluster_settled, NULL));
    cluster_run (&cluster, 100);
    assert_true (lists_store_of (&cluster, follower));
    cluster_deinit (&cluster);
}

static bool leads_alone (struct cluster *cluster, void *arg)
{
    const zxid_t *before = arg;
    return status_of (cluster, 5).zab.last > *before;
}

static bool others_have_a_leader (struct cluster *cluster, void *unused)
{
    (void) unused;
    return cluster_leader (cluster) == 4;
}

/* What a leader has proposed is lost with its leadership: leading again, it proposes that anew. */
static void test_emptied_server_is_listed_later (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 5, 31);
    assert_int_equal (cluster_leader (&cluster), 5); /* of equals the one with the highest id */
    zxid_t last = status_of (&cluster, 5).zab.last;
    cluster_kill (&cluster, 1);
    cluster_empty (&cluster, 1);
    for (uint32_t id = 2; id <= 4; id++) {
        cluster.cut[5][id] = cluster.cut[id][5] = true;
    }
    assert_int_equal (cluster_start (&cluster, 1), 0);
    assert_true (cluster_until (&cluster, 400, leads_alone, &last));
    cluster_kill (&cluster, 1);
    assert_true (cluster_until (&cluster, 3000, others_have_a_leader, NULL));
    for (uint32_t id = 2; id <= 4; id++) {
        cluster.cut[5][id] = cluster.cut[id][5] = false;
    }
    assert_true (cluster_until (&cluster, 3000, cluster_settled, NULL));
    cluster_kill (&cluster, 4);
    assert_true (cluster_until (&cluster, 3000, cluster_settled, NULL));
    assert_int_equal (cluster_leader (&cluster), 5);
    assert_int_equal (cluster_start (&cluster, 1), 0);
    assert_int_equal (cluster_start (&cluster, 4), 0);
    assert_true (cluster_until (&cluster, 3000, cluster_settled, NULL));
    cluster_run (&cluster, 100);
    assert_int_equal (cluster_leader (&cluster), 5);
    assert_true (lists_store_of (&cluster, 1));
    cluster_deinit (&cluster);
}

static void test_no_quorum (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 7);
    uint64_t session = make_session (&cluster, 1, 1);
    cluster_kill (&cluster, 2);
    cluster_kill (&cluster, 3);
    cluster_run (&cluster, 600);
    write_some (&cluster, 1, session, 1, 10, 100);
    assert_null (stub_clients (1)->held);
    cluster_run (&cluster, 2500);
    assert_string_equal (stub_clients (1)->held, CLIENTS_NO_QUORUM);
    assert_int_equal (stub_pending (stub_clients (1)), 10);
    assert_int_equal (cluster_start (&cluster, 3), 0);
    assert_true (cluster_until (&cluster, 3000, nothing_pending, NULL));
    assert_null (stub_clients (1)->held);
    assert_int_equal (status_of (&cluster, 3).znodes, CLUSTER_FOUNDED + 10);
    cluster_deinit (&cluster);
}

/* Not counted, not waited for, and with clients of its own. */
static void test_observer (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 4, 28);
    cluster.members[3].role = CONFIG_OBSERVER;
    for (uint32_t id = 1; id <= 3; id++) {
        assert_int_equal (cluster_start (&cluster, id), 0);
    }
    assert_true (cluster_until (&cluster, 1000, cluster_settled, NULL));
    assert_int_equal (cluster_start (&cluster, 4), 0);
    assert_true (cluster_until (&cluster, 1000, cluster_settled, NULL));
    assert_int_equal (status_of (&cluster, 4).zab.role, ZAB_OBSERVING);
    uint64_t session = make_session (&cluster, 4, 1);
    write_some (&cluster, 4, session, 1, 100, 100);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, 4).znodes, CLUSTER_FOUNDED + 100);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t other = leader % 3 + 1;
    cluster_kill (&cluster, other);
    write_some (&cluster, 4, session, 101, 10, 100);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    /* One voter and the observer are no quorum. */
    cluster_kill (&cluster, 6 - leader - other);
    cluster_run (&cluster, 1000);
    assert_int_equal (cluster_leader (&cluster), 0);
    assert_int_equal (cluster_start (&cluster, other), 0);
    write_some (&cluster, 4, session, 111, 10, 100);
    assert_true (cluster_until (&cluster, 3000, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, 4).znodes, CLUSTER_FOUNDED + 120);
    cluster_deinit (&cluster);
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static bool confirmed (const struct clients *clients, uint64_t session, uint64_t seq)
{
    for (size_t i = 0; i < clients->confirmed_count; i++) {
        if (clients->confirmed[i].session == session && clients->confirmed[i].seq == seq) {
            return true;
        }
    }
    return false;
}

static bool closed (const struct clients *clients, uint64_t session)
{
    for (size_t i = 0; i < clients->closed_count; i++) {
        if (clients->closed[i] == session) {
            return true;
        }
    }
    return false;
}

static void heartbeat (uint32_t id, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    const struct clients_host *host = &stub_clients (id)->options.host;
    host->heartbeat (host->arg, session, attach_no, seq);
}

static void test_heartbeats_and_expiry (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 8);
    uint64_t session[4];
    for (uint32_t id = 1; id <= 3; id++) {
        stub_create_session (stub_clients (id), (uint8_t) id, 1000, 200);
        assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
        session[id] = stub_clients (id)->created[id];
    }
    for (uint64_t seq = 1; seq <= 10; seq++) {
        for (uint32_t id = 1; id <= 3; id++) {
            heartbeat (id, session[id], 1, seq);
        }
        cluster_run (&cluster, 300);
    }
    for (uint32_t id = 1; id <= 3; id++) {
        assert_true (confirmed (stub_clients (id), session[id], 10));
        assert_int_equal (status_of (&cluster, id).sessions, 3);
    }
    /* 1 goes on, 2 is silent, the connection of 3 is dead. */
    const struct clients_host *host = &stub_clients (3)->options.host;
    host->disconnected (host->arg, session[3], 1);
    cluster_run (&cluster, 190);
    assert_false (closed (stub_clients (1), session[3]));
    heartbeat (1, session[1], 1, 11);
    cluster_run (&cluster, 30);
    for (uint32_t id = 1; id <= 3; id++) {
        assert_true (closed (stub_clients (id), session[3]));
        assert_false (closed (stub_clients (id), session[2]));
    }
    for (uint64_t seq = 12; seq < 17; seq++) {
        cluster_run (&cluster, 200);
        heartbeat (1, session[1], 1, seq);
    }
    assert_true (closed (stub_clients (1), session[2]));
    assert_false (closed (stub_clients (1), session[1]));
    /* A new leader gives all the time again. */
    cluster_run (&cluster, 600);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t witness = leader == 2 ? 3 : 2;
    cluster_kill (&cluster, leader);
    cluster_run (&cluster, 700);
    assert_false (closed (stub_clients (witness), session[1]));
    cluster_run (&cluster, 600);
    assert_true (closed (stub_clients (witness), session[1]));
    cluster_deinit (&cluster);
}

/* Who does not know the password cannot keep a session alive by asking for it. */
static void test_attach_with_wrong_password (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 18);
    stub_create_session (stub_clients (1), 1, 1000, 1000);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    uint64_t session = stub_clients (1)->created[1];
    struct entry entry = {.kind = ENTRY_ATTACH,
                          .u.attach = {.session = session,
                                       .password_hash = {8},
                                       .attach_no = 2,
                                       .incarnation = 1,
                                       .server = 1}};
    struct buf bytes;
    buf_init (&bytes);
    entry_encode (&bytes, &entry);
    const struct clients_host *host = &stub_clients (1)->options.host;
    for (int i = 0; i < 12; i++) {
        host->submit (host->arg, bytes.data, bytes.size);
        cluster_run (&cluster, 100);
    }
    assert_true (closed (stub_clients (1), session));
    buf_deinit (&bytes);
    cluster_deinit (&cluster);
}

/* A leader that was stopped neither expires anybody nor answers reads when it wakes. */
static void test_leader_stalls (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 9);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t other = leader % 3 + 1;
    stub_create_session (stub_clients (other), 1, 1000, 1000);
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    uint64_t session = stub_clients (other)->created[1];
    cluster.servers[leader].paused = true;
    for (uint64_t seq = 1; seq <= 20; seq++) {
        cluster_run (&cluster, 200);
        heartbeat (other, session, 1, seq);
    }
    uint32_t second = cluster_leader (&cluster);
    assert_int_not_equal (second, leader);
    size_t synced = stub_clients (leader)->synced_count;
    cluster.servers[leader].paused = false;
    const struct clients_host *host = &stub_clients (leader)->options.host;
    host->sync (host->arg, 5); /* it still thinks that it leads */
    cluster_run (&cluster, 1);
    assert_int_equal (stub_clients (leader)->synced_count, synced);
    assert_true (cluster_until (&cluster, 2000, cluster_settled, NULL));
    assert_int_equal (stub_clients (leader)->synced_count, synced);
    assert_false (closed (stub_clients (other), session));
    cluster_deinit (&cluster);
}

static void test_sync (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 21);
    uint64_t session = make_session (&cluster, 1, 1);
    for (uint32_t id = 1; id <= 3; id++) {
        write_some (&cluster, id == 1 ? 1 : 1, session, id * 10 - 9, 10, 100);
        cluster_run (&cluster, 2);
        zxid_t last = status_of (&cluster, cluster_leader (&cluster)).zab.last;
        const struct clients_host *host = &stub_clients (id)->options.host;
        host->sync (host->arg, 70 + id);
        cluster_run (&cluster, 20);
        assert_int_equal (stub_clients (id)->synced_count, 1);
        assert_int_equal (stub_clients (id)->synced[0].token, 70 + id);
        assert_true (stub_clients (id)->synced[0].zxid >= last);
    }
    /* Without a quorum there is no answer. */
    uint32_t leader = cluster_leader (&cluster);
    uint32_t a = leader % 3 + 1;
    uint32_t b = 6 - leader - a;
    cluster_partition (&cluster, leader, a, true);
    cluster_partition (&cluster, leader, b, true);
    const struct clients_host *host = &stub_clients (leader)->options.host;
    host->sync (host->arg, 80);
    cluster_run (&cluster, 1000);
    assert_int_equal (stub_clients (leader)->synced_count, 1);
    cluster_deinit (&cluster);
}

/* A request for which a leader finds no memory is not forgotten: it is asked for again. */
static void test_own_requests_without_memory (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 1, 22);
    uint64_t session = make_session (&cluster, 1, 1);
    struct clients *clients = stub_clients (1);
    clients->up = false; /* it keeps what it is given */
    write_some (&cluster, 1, session, 1, 2, 60000);
    clients->up = true;
    const struct clients_host *host = &clients->options.host;
    for (size_t i = clients->writes_first; i < clients->writes_count; i++) {
        mem_fail_at (1);
        host->submit (host->arg, clients->writes[i].entry, clients->writes[i].size);
        assert_true (mem_fail_clear ());
    }
    assert_true (cluster_until (&cluster, 1000, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, 1).znodes, CLUSTER_FOUNDED + 2);
    assert_int_equal (clients->downs, 1);
    cluster_deinit (&cluster);
}

static void test_forwarded_requests_without_memory (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 23);
    uint32_t other = cluster_leader (&cluster) % 3 + 1;
    uint64_t session = make_session (&cluster, other, 1);
    uint64_t n = 0, number = 1;
    do {
        cluster.starved = cluster_leader (&cluster);
        cluster.starved_size = 50000;
        cluster.failed = false;
        cluster.fail_at = ++n;
        /* More each time: the memory of before is not enough. */
        unsigned count = 4u << n;
        write_some (&cluster, other, session, number, count, 60000);
        number += count;
        cluster_run (&cluster, 5);
        cluster.starved = 0;
        assert_true (cluster_until (&cluster, 5000, nothing_pending, NULL));
        assert_true (cluster_until (&cluster, 5000, cluster_settled, NULL));
    } while (cluster.failed);
    assert_true (n > 2);
    cluster_deinit (&cluster);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void test_leave (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 22);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t other = leader % 3 + 1;
    uint64_t session = make_session (&cluster, other, 1);
    write_some (&cluster, other, session, 1, 200, 100);
    cluster_run (&cluster, 1);
    node_leave (cluster.servers[leader].node);
    int64_t begun_ms = cluster.now_ms;
    while (!node_left (cluster.servers[leader].node)) {
        cluster_step (&cluster);
        assert_in_range (cluster.now_ms - begun_ms, 0, 600);
    }
    cluster_kill (&cluster, leader);
    assert_true (cluster_until (&cluster, 100, nothing_pending, NULL));
    assert_in_range (cluster.now_ms - begun_ms, 0, 100);
    assert_int_equal (status_of (&cluster, other).znodes, CLUSTER_FOUNDED + 200);
    /* A follower leaves at once. */
    uint32_t second = cluster_leader (&cluster);
    uint32_t follower = 6 - leader - second;
    node_leave (cluster.servers[follower].node);
    cluster_run (&cluster, 2);
    assert_true (node_left (cluster.servers[follower].node));
    cluster_deinit (&cluster);
}

static void test_other_configuration (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 23);
    cluster_kill (&cluster, 2);
    cluster.members[2].role = CONFIG_OBSERVER;
    assert_int_equal (cluster_start (&cluster, 2), COHORT_ECONFIG);
    cluster.members[2].role = CONFIG_VOTER;
    cluster.options.members = cluster.members;
    cluster.options.members_count = 2;
    assert_int_equal (cluster_start (&cluster, 2), COHORT_ECONFIG);
    cluster.options.members_count = 3;
    assert_int_equal (cluster_start (&cluster, 2), 0);
    assert_true (cluster_until (&cluster, 1000, cluster_settled, NULL));
    cluster_deinit (&cluster);
}

/* ---- Overload and damage --------------------------------------------------------------------- */

/* A follower whose disk hangs while others go on: it takes no more bulk than its bound, keeps its
 * place, and catches up. */
static void test_slow_follower (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 24);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t slow = leader % 3 + 1;
    uint64_t session = make_session (&cluster, leader, 1);
    cluster.servers[slow].slow_disk = true;
    unsigned resets = stub_clients (slow)->downs;
    uint64_t number = 1;
    for (int round = 0; round < 50; round++, number += 60) {
        write_some (&cluster, leader, session, number, 60, 40000);
        cluster_run (&cluster, 4);
    }
    assert_int_equal (stub_pending (stub_clients (leader)), 0);
    assert_int_equal (stub_clients (slow)->downs, resets); /* pings and votes went through */
    assert_true (store_backlog (cluster.servers[slow].store) < 100 << 20);
    cluster.servers[slow].slow_disk = false;
    assert_true (cluster_until (&cluster, 3000, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, slow).znodes, CLUSTER_FOUNDED + 3000);
    assert_int_equal (cluster_leader (&cluster), leader);
    cluster_deinit (&cluster);
}

static void test_garbage (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 25);
    uint8_t noise[300];
    struct prng prng;
    prng_seed (&prng, 25);
    for (int i = 0; i < 3000; i++) {
        for (size_t k = 0; k < sizeof noise; k++) {
            noise[k] = (uint8_t) prng_u64 (&prng);
        }
        noise[0] = 0x0a;
        node_peer_frame (cluster.servers[1 + i % 3].node, noise, (size_t) (i % 300));
    }
    cluster_run (&cluster, 300);
    for (uint32_t id = 1; id <= 3; id++) {
        assert_int_equal (stub_clients (id)->downs, 0); /* nobody can be harmed from outside */
    }
    assert_true (cluster_settled (&cluster, NULL));
    cluster_deinit (&cluster);
}

/* A request that no server could apply is never proposed. */
static void test_malformed_request (void **state)
{
    (void) state;
    struct cluster cluster;
    start (&cluster, 3, 26);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t other = leader % 3 + 1;
    zxid_t last = status_of (&cluster, leader).zab.last;
    const struct clients_host *host = &stub_clients (other)->options.host;
    host->submit (host->arg, (const uint8_t *) "nonsense", 8);
    cluster_run (&cluster, 300);
    assert_true (cluster_until (&cluster, 2000, cluster_settled, NULL));
    assert_int_equal (status_of (&cluster, leader).zab.last, last);
    /* Nor is one of a kind that only leaders make. */
    struct buf bytes;
    buf_init (&bytes);
    struct entry entry = {.kind = ENTRY_CLOSE,
                          .u.close = {.session = 1, .attach_no = 1, .reason = ENTRY_EXPIRED}};
    entry_encode (&bytes, &entry);
    host->submit (host->arg, bytes.data, bytes.size);
    buf_deinit (&bytes);
    cluster_run (&cluster, 300);
    assert_int_equal (status_of (&cluster, leader).zab.last, last);
    cluster_deinit (&cluster);
}

/* The transfer of a snapshot is broken off again and again; it goes on where it was. */
static void test_snapshot_resumes (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 3, 27);
    cluster.options.snapshot_bytes = 4 << 20;
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 1000, cluster_settled, NULL));
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint64_t session = make_session (&cluster, leader, 1);
    cluster_kill (&cluster, follower);
    uint64_t number = 1;
    for (int round = 0; round < 50; round++, number += 40) {
        write_some (&cluster, leader, session, number, 40, 12000);
        assert_true (cluster_until (&cluster, 5000, nothing_pending, NULL));
    }
    uint64_t before = cluster.bytes;
    uint64_t last = before;
    assert_int_equal (cluster_start (&cluster, follower), 0);
    for (int breaks = 0; !nothing_pending (&cluster, NULL);) {
        cluster_step (&cluster);
        if (breaks < 20 && cluster.bytes - last > 6 << 20) {
            cluster_break (&cluster, leader, follower);
            last = cluster.bytes;
            breaks++;
        }
        assert_in_range (cluster.now_ms, 0, 60000);
    }
    assert_int_equal (stub_clients (follower)->resets, 1);
    assert_int_equal (status_of (&cluster, follower).digest, status_of (&cluster, leader).digest);
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
    cluster_init (&cluster, 3, 28);
    cluster.options.snapshot_bytes = 1 << 20;
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 1000, cluster_settled, NULL));
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint64_t session = make_session (&cluster, leader, 1);
    cluster_kill (&cluster, follower);
    uint64_t number = 1;
    for (int round = 0; round < 20; round++, number += 40) {
        write_some (&cluster, leader, session, number, 40, 12000);
        assert_true (cluster_until (&cluster, 5000, nothing_pending, NULL));
    }
    cluster_lose_snapshots (&cluster, follower, 2);
    int64_t begun_ms = cluster.now_ms;
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 20000, nothing_pending, NULL));
    assert_true (cluster.now_ms - begun_ms > 1000); /* it was tried again, after a while */
    assert_int_equal (node_failure (cluster.servers[follower].node, NULL), 0);
    assert_int_equal (stub_clients (follower)->resets, 1);
    assert_int_equal (status_of (&cluster, follower).digest, status_of (&cluster, leader).digest);
    assert_int_equal (cluster_leader (&cluster), leader);
    cluster_deinit (&cluster);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_standalone),
        cmocka_unit_test (test_elects_and_replicates),
        cmocka_unit_test (test_follower_restarts),
        cmocka_unit_test (test_leader_stops),
        cmocka_unit_test (test_all_restart),
        cmocka_unit_test (test_snapshot_catch_up),
        cmocka_unit_test (test_snapshot_when_calm),
        cmocka_unit_test (test_snapshot_under_load),
        cmocka_unit_test (test_emptied_server),
        cmocka_unit_test (test_emptied_server_waits),
        cmocka_unit_test (test_emptied_server_is_listed_later),
        cmocka_unit_test (test_no_quorum),
        cmocka_unit_test (test_observer),
        cmocka_unit_test (test_heartbeats_and_expiry),
        cmocka_unit_test (test_attach_with_wrong_password),
        cmocka_unit_test (test_leader_stalls),
        cmocka_unit_test (test_sync),
        cmocka_unit_test (test_own_requests_without_memory),
        cmocka_unit_test (test_forwarded_requests_without_memory),
        cmocka_unit_test (test_leave),
        cmocka_unit_test (test_other_configuration),
        cmocka_unit_test (test_slow_follower),
        cmocka_unit_test (test_garbage),
        cmocka_unit_test (test_malformed_request),
        cmocka_unit_test (test_snapshot_resumes),
        cmocka_unit_test (test_snapshot_not_installed),
    };
    return cmocka_run_group_tests_name ("cluster", tests, NULL, NULL);
}
