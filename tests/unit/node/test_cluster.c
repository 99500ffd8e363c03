/* Three nodes in one process: they elect, replicate, restart, catch up. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        memset (data, (int) (first + i), sizeof data);
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
    assert_int_equal (status_of (&cluster, 1).znodes, 101);
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
        assert_int_equal (status_of (&cluster, id).znodes, 601);
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
    assert_int_equal (status_of (&cluster, follower).znodes, 551);
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
        assert_int_equal (status_of (&cluster, follower).znodes, 301);
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
            assert_int_equal (status_of (&cluster, id).znodes, 301);
        }
    }
    cluster_deinit (&cluster);
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
    assert_true (cluster_until (&cluster, 10000, nothing_pending, NULL));
    assert_int_equal (stub_clients (follower)->resets, 1);
    assert_int_equal (status_of (&cluster, follower).digest, status_of (&cluster, leader).digest);
    assert_int_equal (cluster_leader (&cluster), leader);
    /* And what it has installed survives. */
    cluster_kill (&cluster, follower);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 2000, nothing_pending, NULL));
    assert_int_equal (status_of (&cluster, follower).digest, status_of (&cluster, leader).digest);
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
    assert_int_equal (status_of (&cluster, follower).znodes, 201);
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
    assert_int_equal (status_of (&cluster, 3).znodes, 11);
    cluster_deinit (&cluster);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_standalone),        cmocka_unit_test (test_elects_and_replicates),
        cmocka_unit_test (test_follower_restarts), cmocka_unit_test (test_leader_stops),
        cmocka_unit_test (test_all_restart),       cmocka_unit_test (test_snapshot_catch_up),
        cmocka_unit_test (test_emptied_server),    cmocka_unit_test (test_no_quorum),
    };
    return cmocka_run_group_tests_name ("cluster", tests, NULL, NULL);
}
