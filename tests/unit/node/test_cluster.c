/* Three nodes in one process: they elect, replicate, restart, catch up. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "cohort/error.h"
#include "tests/unit/node/cluster.h"

static void test_standalone (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 1, 1);
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 100, cluster_settled, NULL));
    uint64_t session = cluster_session (&cluster, 1, 1);
    cluster_write (1, session, 1, 100, 100);
    assert_true (cluster_until (&cluster, 100, cluster_idle, NULL));
    assert_int_equal (cluster_status (&cluster, 1).znodes, CLUSTER_FOUNDED + 100);
    uint64_t digest = cluster_status (&cluster, 1).digest;
    cluster_kill (&cluster, 1);
    assert_int_equal (cluster_start (&cluster, 1), 0);
    assert_true (cluster_until (&cluster, 100, cluster_settled, NULL));
    assert_int_equal (cluster_status (&cluster, 1).digest, digest);
    cluster_deinit (&cluster);
}

static void test_elects_and_replicates (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_begin (&cluster, 3, 2);
    assert_int_not_equal (cluster_leader (&cluster), 0);
    /* By way of each server, so two of three forward. */
    for (uint32_t id = 1; id <= 3; id++) {
        uint64_t session = cluster_session (&cluster, id, (uint8_t) id);
        cluster_write (id, session, 1, 200, 100);
    }
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
    for (uint32_t id = 1; id <= 3; id++) {
        assert_int_equal (cluster_status (&cluster, id).znodes, CLUSTER_FOUNDED + 600);
        assert_int_equal (cluster_status (&cluster, id).sessions, 3);
        assert_int_equal (stub_clients (id)->downs, 0);
    }
    cluster_deinit (&cluster);
}

static void test_follower_restarts (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_begin (&cluster, 3, 3);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint64_t session = cluster_session (&cluster, leader, 1);
    cluster_write (leader, session, 1, 50, 100);
    cluster_run (&cluster, 3);
    cluster_kill (&cluster, follower);
    cluster_write (leader, session, 51, 500, 1000);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
    assert_int_equal (cluster_leader (&cluster), leader);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 2000, cluster_idle, NULL));
    assert_int_equal (cluster_status (&cluster, follower).znodes, CLUSTER_FOUNDED + 550);
    assert_int_equal (stub_clients (leader)->downs, 0);
    cluster_deinit (&cluster);
}

static void test_leader_stops (void **state)
{
    (void) state;
    for (uint64_t seed = 10; seed < 20; seed++) {
        struct cluster cluster;
        cluster_begin (&cluster, 3, seed);
        uint32_t leader = cluster_leader (&cluster);
        uint32_t follower = leader % 3 + 1;
        uint64_t session = cluster_session (&cluster, follower, 1);
        cluster_write (follower, session, 1, 300, 100);
        cluster_run (&cluster, (int64_t) (seed % 4));
        cluster_kill (&cluster, leader);
        int64_t killed_ms = cluster.now_ms;
        assert_true (cluster_until (&cluster, 2000, cluster_idle, NULL));
        assert_in_range (cluster.now_ms - killed_ms, 0, 150);
        assert_int_not_equal (cluster_leader (&cluster), leader);
        assert_int_equal (cluster_status (&cluster, follower).znodes, CLUSTER_FOUNDED + 300);
        assert_int_equal (cluster_start (&cluster, leader), 0);
        assert_true (cluster_until (&cluster, 2000, cluster_idle, NULL));
        cluster_deinit (&cluster);
    }
}

static void test_all_restart (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_begin (&cluster, 3, 4);
    uint64_t session = cluster_session (&cluster, 2, 1);
    cluster_write (2, session, 1, 300, 100);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
    for (int round = 0; round < 5; round++) {
        for (uint32_t id = 1; id <= 3; id++) {
            cluster_kill (&cluster, id);
        }
        cluster_run (&cluster, 10);
        cluster_start_all (&cluster);
        assert_true (cluster_until (&cluster, 2000, cluster_settled, NULL));
        for (uint32_t id = 1; id <= 3; id++) {
            assert_int_equal (cluster_status (&cluster, id).znodes, CLUSTER_FOUNDED + 300);
        }
    }
    cluster_deinit (&cluster);
}

static void test_emptied_server (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_begin (&cluster, 3, 6);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint32_t other = 6 - leader - follower;
    uint64_t session = cluster_session (&cluster, leader, 1);
    cluster_write (leader, session, 1, 100, 100);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
    cluster_kill (&cluster, follower);
    cluster_empty (&cluster, follower);
    assert_int_equal (cluster_start (&cluster, follower), 0);
    assert_true (cluster_until (&cluster, 2000, cluster_idle, NULL));
    cluster_run (&cluster, 100);
    const struct config *config =
        &tree_configs (node_tree (cluster.servers[leader].node))->configs[0];
    assert_int_equal (config_find (config, follower)->store_id,
                      store_meta (cluster.servers[follower].store)->store_id);
    /* It counts again: with the other one gone, both go on. */
    cluster_kill (&cluster, other);
    cluster_write (leader, session, 101, 100, 100);
    assert_true (cluster_until (&cluster, 3000, cluster_idle, NULL));
    assert_int_equal (cluster_status (&cluster, follower).znodes, CLUSTER_FOUNDED + 200);
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
    cluster_begin (&cluster, 3, 29);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t follower = leader % 3 + 1;
    uint64_t session = cluster_session (&cluster, leader, 1);
    cluster_write (leader, session, 1, 100, 100);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
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
    return cluster_status (cluster, 5).zab.last > *before;
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
    cluster_begin (&cluster, 5, 31);
    assert_int_equal (cluster_leader (&cluster), 5); /* of equals the one with the highest id */
    zxid_t last = cluster_status (&cluster, 5).zab.last;
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
    cluster_begin (&cluster, 3, 7);
    uint64_t session = cluster_session (&cluster, 1, 1);
    cluster_kill (&cluster, 2);
    cluster_kill (&cluster, 3);
    cluster_run (&cluster, 600);
    cluster_write (1, session, 1, 10, 100);
    assert_null (stub_clients (1)->held);
    cluster_run (&cluster, 2500);
    assert_string_equal (stub_clients (1)->held, CLIENTS_NO_QUORUM);
    assert_int_equal (stub_pending (stub_clients (1)), 10);
    assert_int_equal (cluster_start (&cluster, 3), 0);
    assert_true (cluster_until (&cluster, 3000, cluster_idle, NULL));
    assert_null (stub_clients (1)->held);
    assert_int_equal (cluster_status (&cluster, 3).znodes, CLUSTER_FOUNDED + 10);
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
    assert_int_equal (cluster_status (&cluster, 4).zab.role, ZAB_OBSERVING);
    uint64_t session = cluster_session (&cluster, 4, 1);
    cluster_write (4, session, 1, 100, 100);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
    assert_int_equal (cluster_status (&cluster, 4).znodes, CLUSTER_FOUNDED + 100);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t other = leader % 3 + 1;
    cluster_kill (&cluster, other);
    cluster_write (4, session, 101, 10, 100);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
    /* One voter and the observer are no quorum. */
    cluster_kill (&cluster, 6 - leader - other);
    cluster_run (&cluster, 1000);
    assert_int_equal (cluster_leader (&cluster), 0);
    assert_int_equal (cluster_start (&cluster, other), 0);
    cluster_write (4, session, 111, 10, 100);
    assert_true (cluster_until (&cluster, 3000, cluster_idle, NULL));
    assert_int_equal (cluster_status (&cluster, 4).znodes, CLUSTER_FOUNDED + 120);
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
    cluster_begin (&cluster, 3, 8);
    uint64_t session[4];
    for (uint32_t id = 1; id <= 3; id++) {
        stub_create_session (stub_clients (id), (uint8_t) id, 1000, 200);
        assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
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
        assert_int_equal (cluster_status (&cluster, id).sessions, 3);
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
    cluster_begin (&cluster, 3, 18);
    stub_create_session (stub_clients (1), 1, 1000, 1000);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
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
    cluster_begin (&cluster, 3, 9);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t other = leader % 3 + 1;
    stub_create_session (stub_clients (other), 1, 1000, 1000);
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
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
    cluster_begin (&cluster, 3, 21);
    uint64_t session = cluster_session (&cluster, 1, 1);
    for (uint32_t id = 1; id <= 3; id++) {
        cluster_write (id == 1 ? 1 : 1, session, id * 10 - 9, 10, 100);
        cluster_run (&cluster, 2);
        zxid_t last = cluster_status (&cluster, cluster_leader (&cluster)).zab.last;
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
    cluster_begin (&cluster, 1, 22);
    uint64_t session = cluster_session (&cluster, 1, 1);
    struct clients *clients = stub_clients (1);
    clients->up = false; /* it keeps what it is given */
    cluster_write (1, session, 1, 2, 60000);
    clients->up = true;
    const struct clients_host *host = &clients->options.host;
    for (size_t i = clients->writes_first; i < clients->writes_count; i++) {
        mem_fail_at (1);
        host->submit (host->arg, clients->writes[i].entry, clients->writes[i].size);
        assert_true (mem_fail_clear ());
    }
    assert_true (cluster_until (&cluster, 1000, cluster_idle, NULL));
    assert_int_equal (cluster_status (&cluster, 1).znodes, CLUSTER_FOUNDED + 2);
    assert_int_equal (clients->downs, 1);
    cluster_deinit (&cluster);
}

static void test_forwarded_requests_without_memory (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_begin (&cluster, 3, 23);
    uint32_t other = cluster_leader (&cluster) % 3 + 1;
    uint64_t session = cluster_session (&cluster, other, 1);
    uint64_t n = 0, number = 1;
    do {
        cluster.starved = cluster_leader (&cluster);
        cluster.starved_size = 50000;
        cluster.failed = false;
        cluster.fail_at = ++n;
        /* More each time: the memory of before is not enough. */
        unsigned count = 4u << n;
        cluster_write (other, session, number, count, 60000);
        number += count;
        cluster_run (&cluster, 5);
        cluster.starved = 0;
        assert_true (cluster_until (&cluster, 5000, cluster_idle, NULL));
        assert_true (cluster_until (&cluster, 5000, cluster_settled, NULL));
    } while (cluster.failed);
    assert_true (n > 2);
    cluster_deinit (&cluster);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* Of so much that its memory is given back with the leadership. */
static void test_counter_ends_among_proposals (void **state)
{
    enum { COUNT = 200 };
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 3, 30);
    cluster.options.counter_max = 60;
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 1000, cluster_settled, NULL));
    uint32_t leader = cluster_leader (&cluster);
    uint32_t epoch = cluster_status (&cluster, leader).zab.current_epoch;
    uint64_t session = cluster_session (&cluster, leader, 1);
    cluster_write (leader, session, 1, COUNT, 60000);
    assert_true (cluster_until (&cluster, 20000, cluster_idle, NULL));
    leader = cluster_leader (&cluster);
    assert_true (cluster_status (&cluster, leader).zab.current_epoch > epoch);
    assert_int_equal (cluster_status (&cluster, leader).znodes, CLUSTER_FOUNDED + COUNT);
    cluster_deinit (&cluster);
}

static void test_leave (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_begin (&cluster, 3, 22);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t other = leader % 3 + 1;
    uint64_t session = cluster_session (&cluster, other, 1);
    cluster_write (other, session, 1, 200, 100);
    cluster_run (&cluster, 1);
    node_leave (cluster.servers[leader].node);
    int64_t begun_ms = cluster.now_ms;
    while (!node_left (cluster.servers[leader].node)) {
        cluster_step (&cluster);
        assert_in_range (cluster.now_ms - begun_ms, 0, 600);
    }
    cluster_kill (&cluster, leader);
    assert_true (cluster_until (&cluster, 100, cluster_idle, NULL));
    assert_in_range (cluster.now_ms - begun_ms, 0, 100);
    assert_int_equal (cluster_status (&cluster, other).znodes, CLUSTER_FOUNDED + 200);
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
    cluster_begin (&cluster, 3, 23);
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
    cluster_begin (&cluster, 3, 24);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t slow = leader % 3 + 1;
    uint64_t session = cluster_session (&cluster, leader, 1);
    cluster.servers[slow].slow_disk = true;
    unsigned resets = stub_clients (slow)->downs;
    uint64_t number = 1;
    for (int round = 0; round < 50; round++, number += 60) {
        cluster_write (leader, session, number, 60, 40000);
        cluster_run (&cluster, 4);
    }
    assert_int_equal (stub_pending (stub_clients (leader)), 0);
    assert_int_equal (stub_clients (slow)->downs, resets); /* pings and votes went through */
    assert_true (store_backlog (cluster.servers[slow].store) < 100 << 20);
    cluster.servers[slow].slow_disk = false;
    assert_true (cluster_until (&cluster, 3000, cluster_idle, NULL));
    assert_int_equal (cluster_status (&cluster, slow).znodes, CLUSTER_FOUNDED + 3000);
    assert_int_equal (cluster_leader (&cluster), leader);
    cluster_deinit (&cluster);
}

static void test_garbage (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_begin (&cluster, 3, 25);
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
    cluster_begin (&cluster, 3, 26);
    uint32_t leader = cluster_leader (&cluster);
    uint32_t other = leader % 3 + 1;
    zxid_t last = cluster_status (&cluster, leader).zab.last;
    const struct clients_host *host = &stub_clients (other)->options.host;
    host->submit (host->arg, (const uint8_t *) "nonsense", 8);
    cluster_run (&cluster, 300);
    assert_true (cluster_until (&cluster, 2000, cluster_settled, NULL));
    assert_int_equal (cluster_status (&cluster, leader).zab.last, last);
    /* Nor is one of a kind that only leaders make. */
    struct buf bytes;
    buf_init (&bytes);
    struct entry entry = {.kind = ENTRY_CLOSE,
                          .u.close = {.session = 1, .attach_no = 1, .reason = ENTRY_EXPIRED}};
    entry_encode (&bytes, &entry);
    host->submit (host->arg, bytes.data, bytes.size);
    buf_deinit (&bytes);
    cluster_run (&cluster, 300);
    assert_int_equal (cluster_status (&cluster, leader).zab.last, last);
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
        cmocka_unit_test (test_counter_ends_among_proposals),
        cmocka_unit_test (test_leave),
        cmocka_unit_test (test_other_configuration),
        cmocka_unit_test (test_slow_follower),
        cmocka_unit_test (test_garbage),
        cmocka_unit_test (test_malformed_request),
    };
    return cmocka_run_group_tests_name ("cluster", tests, NULL, NULL);
}
