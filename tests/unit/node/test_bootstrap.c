/* The founding of an ensemble: servers with metadata only, and messages that a test can lose. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "client/base/prng.h"
#include "cohort/error.h"
#include "server/node/bootstrap.h"

enum { IDS = 6, QUEUE_MAX = 256 };

struct message {
    uint32_t from, to;
    struct peer_bootstrap bootstrap;
};

struct server {
    struct world *world;
    uint32_t id;
    struct store_meta meta; /* durable */
    struct bootstrap *bootstrap;
    unsigned persists;
    bool has_entries; /* its log does */
    int persist_code; /* what persisting gives */
};

struct world {
    int64_t now_ms;
    size_t count;
    struct config configured;
    struct server servers[IDS];
    bool linked[IDS][IDS];
    struct message queue[QUEUE_MAX];
    size_t queued;
    uint64_t stores;
    uint64_t lives;
};

static void send (void *arg, uint32_t peer, const struct peer_bootstrap *message)
{
    struct server *server = arg;
    struct world *world = server->world;
    if (world->linked[server->id][peer]) {
        assert_true (world->queued < QUEUE_MAX);
        world->queue[world->queued++] = (struct message){server->id, peer, *message};
    }
}

static int persist (void *arg, const struct store_meta *meta)
{
    struct server *server = arg;
    if (server->persist_code != 0) {
        return server->persist_code;
    }
    server->persists++;
    server->meta = *meta;
    return 0;
}

static const struct config *no_config (void *arg)
{
    (void) arg;
    return NULL;
}

static void start (struct world *world, uint32_t id)
{
    struct server *server = &world->servers[id];
    struct bootstrap_options options = {.id = id,
                                        .configured = &world->configured,
                                        .meta = &server->meta,
                                        .log_empty = !server->has_entries,
                                        .cluster_id = {(uint8_t) id, (uint8_t) ++world->lives},
                                        .seed = world->lives,
                                        .host = {server, send, persist, no_config}};
    server->bootstrap = bootstrap_new (&options);
    assert_non_null (server->bootstrap);
    bootstrap_time (server->bootstrap, world->now_ms);
}

static void empty (struct world *world, uint32_t id)
{
    memset (&world->servers[id].meta, 0, sizeof world->servers[id].meta);
    world->servers[id].meta.server_id = id;
    world->servers[id].meta.store_id = ++world->stores;
}

static void unlink_pair (struct world *world, uint32_t a, uint32_t b)
{
    if (!world->linked[a][b]) {
        return;
    }
    world->linked[a][b] = world->linked[b][a] = false;
    size_t kept = 0;
    for (size_t i = 0; i < world->queued; i++) {
        const struct message *message = &world->queue[i];
        if (!(message->from == a && message->to == b) &&
            !(message->from == b && message->to == a)) {
            world->queue[kept++] = *message;
        }
    }
    world->queued = kept;
    if (world->servers[a].bootstrap != NULL) {
        bootstrap_link_down (world->servers[a].bootstrap, b);
    }
    if (world->servers[b].bootstrap != NULL) {
        bootstrap_link_down (world->servers[b].bootstrap, a);
    }
}

static void link_pair (struct world *world, uint32_t a, uint32_t b)
{
    if (a == b || world->linked[a][b] || world->servers[a].bootstrap == NULL ||
        world->servers[b].bootstrap == NULL) {
        return;
    }
    world->linked[a][b] = world->linked[b][a] = true;
    bootstrap_link_up (world->servers[a].bootstrap, b, world->servers[b].meta.store_id);
    bootstrap_link_up (world->servers[b].bootstrap, a, world->servers[a].meta.store_id);
}

static void link_all (struct world *world)
{
    for (uint32_t a = 1; a <= world->count; a++) {
        for (uint32_t b = a + 1; b <= world->count; b++) {
            link_pair (world, a, b);
        }
    }
}

static void stop (struct world *world, uint32_t id)
{
    for (uint32_t other = 1; other <= world->count; other++) {
        unlink_pair (world, id, other);
    }
    bootstrap_destroy (&world->servers[id].bootstrap);
}

static void init (struct world *world, size_t count)
{
    memset (world, 0, sizeof *world);
    world->now_ms = 1000;
    world->count = count;
    for (uint32_t id = 1; id <= count; id++) {
        world->configured.members[world->configured.count++] =
            (struct config_member){id, CONFIG_VOTER, 0};
        world->servers[id].world = world;
        world->servers[id].id = id;
        empty (world, id);
    }
}

static void deinit (struct world *world)
{
    for (uint32_t id = 1; id <= world->count; id++) {
        bootstrap_destroy (&world->servers[id].bootstrap);
    }
}

static bool deliver_one (struct world *world)
{
    if (world->queued == 0) {
        return false;
    }
    struct message message = world->queue[0];
    world->queued--;
    memmove (world->queue, world->queue + 1, world->queued * sizeof message);
    bootstrap_message (world->servers[message.to].bootstrap, message.from, &message.bootstrap);
    return true;
}

static void run (struct world *world, int ms)
{
    for (int i = 0; i < ms; i++) {
        world->now_ms++;
        for (uint32_t id = 1; id <= world->count; id++) {
            if (world->servers[id].bootstrap != NULL) {
                bootstrap_time (world->servers[id].bootstrap, world->now_ms);
            }
        }
        while (deliver_one (world)) {
        }
    }
}

static bool done (const struct world *world, uint32_t id)
{
    return world->servers[id].bootstrap != NULL && bootstrap_done (world->servers[id].bootstrap);
}

/* All DONE ones have the same cluster and members. */
static void assert_one_cluster (const struct world *world)
{
    const struct store_meta *first = NULL;
    for (uint32_t id = 1; id <= world->count; id++) {
        const struct store_meta *meta = &world->servers[id].meta;
        if (!meta->bootstrapped) {
            continue;
        }
        if (first == NULL) {
            first = meta;
        }
        assert_memory_equal (meta->cluster_id, first->cluster_id, sizeof meta->cluster_id);
        assert_memory_equal (&meta->config, &first->config, sizeof meta->config);
    }
}

static void test_standalone (void **state)
{
    (void) state;
    struct world world;
    init (&world, 1);
    start (&world, 1);
    assert_true (done (&world, 1));
    assert_int_equal (world.servers[1].meta.config.members[0].store_id, 1);
    assert_int_equal (world.servers[1].meta.cluster_id[0], 1);
    stop (&world, 1);
    start (&world, 1); /* again: nothing is written any more */
    assert_true (done (&world, 1));
    assert_int_equal (world.servers[1].persists, 2);
    deinit (&world);
}

static void test_all_present (void **state)
{
    (void) state;
    struct world world;
    init (&world, 3);
    for (uint32_t id = 1; id <= 3; id++) {
        start (&world, id);
    }
    link_pair (&world, 1, 2);
    link_pair (&world, 2, 3);
    run (&world, 1000);
    for (uint32_t id = 1; id <= 3; id++) {
        assert_false (done (&world, id)); /* 1 and 3 have not met */
        assert_int_equal (world.servers[id].persists, 0);
    }
    link_pair (&world, 1, 3);
    run (&world, 2);
    for (uint32_t id = 1; id <= 3; id++) {
        assert_true (done (&world, id));
        const struct store_meta *meta = &world.servers[id].meta;
        assert_int_equal (meta->cluster_id[0], 1); /* the lowest founds */
        for (uint32_t k = 1; k <= 3; k++) {
            assert_int_equal (config_find (&meta->config, k)->store_id, k);
        }
    }
    assert_one_cluster (&world);
    deinit (&world);
}

/* An observer is not waited for, and joins whenever it comes. */
static void test_observer (void **state)
{
    (void) state;
    struct world world;
    init (&world, 3);
    world.configured.members[2].role = CONFIG_OBSERVER;
    start (&world, 1);
    start (&world, 2);
    link_all (&world);
    run (&world, 3);
    assert_true (done (&world, 1) && done (&world, 2));
    start (&world, 3);
    link_pair (&world, 2, 3);
    run (&world, 3);
    assert_true (done (&world, 3));
    assert_one_cluster (&world);
    deinit (&world);
}

/* Stopped between any two steps, and started again: one ensemble comes of it. */
static void test_interrupted (void **state)
{
    (void) state;
    for (uint32_t victim = 1; victim <= 3; victim++) {
        for (int wipe = 0; wipe < 2; wipe++) {
            for (int steps = 0; steps < 20; steps++) {
                struct world world;
                init (&world, 3);
                for (uint32_t id = 1; id <= 3; id++) {
                    start (&world, id);
                }
                link_all (&world);
                for (int i = 0; i < steps; i++) {
                    deliver_one (&world);
                }
                stop (&world, victim);
                if (wipe) {
                    empty (&world, victim);
                }
                run (&world, 5);
                start (&world, victim);
                link_all (&world);
                run (&world, 300);
                for (uint32_t id = 1; id <= 3; id++) {
                    assert_true (done (&world, id));
                }
                assert_one_cluster (&world);
                deinit (&world);
            }
        }
    }
}

/* A server whose store was lost does not count as one of the founders, and founds nothing. */
static void test_emptied (void **state)
{
    (void) state;
    struct world world;
    init (&world, 3);
    for (uint32_t id = 1; id <= 3; id++) {
        start (&world, id);
    }
    link_all (&world);
    run (&world, 5);
    assert_true (done (&world, 1) && done (&world, 2) && done (&world, 3));
    stop (&world, 1); /* the founder */
    empty (&world, 1);
    start (&world, 1);
    run (&world, 500);
    assert_false (done (&world, 1));
    link_all (&world);
    run (&world, 5);
    assert_true (done (&world, 1));
    assert_int_equal (config_find (&world.servers[1].meta.config, 1)->store_id, 1);
    assert_int_not_equal (world.servers[1].meta.store_id, 1);
    assert_one_cluster (&world);
    deinit (&world);
}

/* What could not be read was to be removed, the mark says so; and then it can be read after all. */
static void test_lost_and_found (void **state)
{
    (void) state;
    struct world world;
    init (&world, 3);
    for (uint32_t id = 1; id <= 3; id++) {
        start (&world, id);
    }
    link_all (&world);
    run (&world, 5);
    struct server *server = &world.servers[2];
    for (int marked = 0; marked < 2; marked++) {
        const char *text;
        stop (&world, 2);
        server->meta.bootstrapped = false;
        server->meta.trust = marked ? ZAB_DAMAGED : ZAB_WHOLE;
        server->has_entries = true;
        start (&world, 2);
        link_all (&world);
        run (&world, 5);
        assert_true (done (&world, 2) == (marked != 0));
        assert_int_equal (bootstrap_failure (server->bootstrap, &text),
                          marked ? 0 : COHORT_ECORRUPT);
    }
    assert_one_cluster (&world);
    deinit (&world);
}

/* Two of three emptied, the third away: they must not found a second ensemble. */
static void test_no_second_ensemble (void **state)
{
    (void) state;
    struct world world;
    init (&world, 3);
    for (uint32_t id = 1; id <= 3; id++) {
        start (&world, id);
    }
    link_all (&world);
    run (&world, 5);
    stop (&world, 1);
    stop (&world, 2);
    empty (&world, 1);
    empty (&world, 2);
    start (&world, 1);
    start (&world, 2);
    link_pair (&world, 1, 2);
    run (&world, 1000);
    assert_false (done (&world, 1) || done (&world, 2));
    assert_int_equal (world.servers[1].meta.cluster_id[0], 0);
    link_all (&world);
    run (&world, 5);
    assert_true (done (&world, 1) && done (&world, 2));
    assert_one_cluster (&world);
    deinit (&world);
}

static void test_other_members (void **state)
{
    (void) state;
    struct world world;
    init (&world, 3);
    start (&world, 1);
    start (&world, 2);
    world.configured.members[1].role = CONFIG_OBSERVER; /* as server 3 has it */
    start (&world, 3);
    link_all (&world);
    run (&world, 500);
    const char *text = NULL;
    assert_int_equal (bootstrap_failure (world.servers[3].bootstrap, &text), COHORT_ECONFIG);
    assert_non_null (strstr (text, "server 2 is configured as observer"));
    assert_false (done (&world, 1) || done (&world, 2) || done (&world, 3));
    deinit (&world);
}

static void test_same_members (void **state)
{
    (void) state;
    char text[200];
    struct config a = {.count = 2, .members = {{1, CONFIG_VOTER, 0}, {2, CONFIG_VOTER, 0}}};
    struct config b = a;
    b.members[0].store_id = 7; /* stores do not matter */
    assert_true (bootstrap_same_members (&a, &b, text, sizeof text));
    b.members[1].id = 3;
    assert_false (bootstrap_same_members (&a, &b, text, sizeof text));
    assert_non_null (strstr (text, "server 3 is a member of the ensemble but not"));
    b.count = 1;
    assert_false (bootstrap_same_members (&a, &b, text, sizeof text));
    assert_non_null (strstr (text, "server 2 is configured, but the ensemble"));
}

static void test_disk_fails (void **state)
{
    (void) state;
    struct world world;
    init (&world, 2);
    start (&world, 1);
    start (&world, 2);
    world.servers[2].persist_code = COHORT_ESYSTEM;
    link_all (&world);
    run (&world, 300);
    const char *text = NULL;
    assert_int_equal (bootstrap_failure (world.servers[2].bootstrap, &text), COHORT_ESYSTEM);
    assert_false (done (&world, 1) || done (&world, 2));
    assert_int_equal (bootstrap_deadline (world.servers[2].bootstrap), INT64_MAX);
    deinit (&world);
}

/* Anything in any order: never two ensembles, and once it is quiet all are in one. A disk is lost
 * only while it is empty of promises or all others keep theirs. */
static void test_random (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct world world;
        struct prng prng;
        prng_seed (&prng, seed);
        init (&world, 3 + 2 * prng_below (&prng, 2));
        unsigned wiped = 0;
        for (int i = 0; i < 200; i++) {
            uint32_t a = 1 + (uint32_t) prng_below (&prng, world.count);
            uint32_t b = 1 + (uint32_t) prng_below (&prng, world.count);
            switch (prng_below (&prng, 12)) {
            case 0:
                if (world.servers[a].bootstrap != NULL) {
                    stop (&world, a);
                    if (wiped == 0 && prng_chance (&prng, 1, 3)) {
                        empty (&world, a);
                        wiped++;
                    }
                }
                break;
            case 1:
            case 2:
                if (world.servers[a].bootstrap == NULL) {
                    start (&world, a);
                }
                break;
            case 3:
                unlink_pair (&world, a, b);
                break;
            case 4:
            case 5:
            case 6:
                link_pair (&world, a, b);
                break;
            case 7:
                run (&world, 1);
                break;
            default:
                deliver_one (&world);
                break;
            }
            assert_one_cluster (&world);
        }
        for (uint32_t id = 1; id <= world.count; id++) {
            if (world.servers[id].bootstrap == NULL) {
                start (&world, id);
            }
        }
        link_all (&world);
        run (&world, 500);
        for (uint32_t id = 1; id <= world.count; id++) {
            if (!done (&world, id)) {
                fail_msg ("seed %llu: server %u is not done", (unsigned long long) seed, id);
            }
        }
        assert_one_cluster (&world);
        deinit (&world);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_standalone),
        cmocka_unit_test (test_all_present),
        cmocka_unit_test (test_observer),
        cmocka_unit_test (test_interrupted),
        cmocka_unit_test (test_emptied),
        cmocka_unit_test (test_lost_and_found),
        cmocka_unit_test (test_no_second_ensemble),
        cmocka_unit_test (test_other_members),
        cmocka_unit_test (test_same_members),
        cmocka_unit_test (test_disk_fails),
        cmocka_unit_test (test_random),
    };
    return cmocka_run_group_tests_name ("bootstrap", tests, NULL, NULL);
}
