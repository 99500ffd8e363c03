/* Sessions of one loop share a connection to each server, and know nothing of one another. The loop
 * is driven by the test, so that its inside may be looked at. */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "cohort/fault.h"
#include "tests/unit/client/clock_world.h"

enum { SESSIONS = 8 };

struct counts {
    int results, failures, events, states;
};

static void on_result (cohort_t *self, const cohort_result_t *result, void *arg)
{
    struct counts *counts = arg;
    (void) self;
    counts->results++;
    counts->failures += result->rc != COHORT_OK;
}

static void on_event (cohort_t *self, const cohort_event_t *event, void *arg)
{
    struct counts *counts = arg;
    (void) self;
    (void) event;
    counts->events++;
}

static void on_state (cohort_t *self, cohort_state_t state, void *arg)
{
    struct counts *counts = arg;
    (void) self;
    (void) state;
    counts->states++;
}

struct crowd {
    struct world world; /* its client is the first */
    cohort_t *clients[SESSIONS];
    struct counts counts[SESSIONS];
};

static cohort_t *join (struct world *world)
{
    cohort_options_t options = {.size = sizeof (options), .loop = world->loop, .timeout_ms = 9000};
    cohort_t *client = cohort_new (fake_servers (world->fake), &options);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, 10000), 0);
    return client;
}

static void crowd_begin (struct crowd *self, int servers)
{
    *self = (struct crowd){.clients = {NULL}};
    world_begin_with (&self->world, servers, COHORT_DRIVER_NONE,
                      &(cohort_options_t){.timeout_ms = 9000});
    self->clients[0] = self->world.client;
    for (int i = 1; i < SESSIONS; i++) {
        self->clients[i] = join (&self->world);
    }
    assert_int_equal (cohort_create (self->clients[0], "/x", "", 0, 0, NULL, NULL, NULL), 0);
}

static void dispatch_all (struct crowd *self)
{
    assert_int_equal (cohort_loop_process (self->world.loop, 10), 0);
    for (int i = 0; i < SESSIONS; i++) {
        cohort_dispatch (self->clients[i], 0);
    }
}

static void listen_to_states (struct crowd *self)
{
    dispatch_all (self);
    for (int i = 0; i < SESSIONS; i++) {
        cohort_set_state_handler (self->clients[i], on_state, &self->counts[i]);
    }
    dispatch_all (self);
    for (int i = 0; i < SESSIONS; i++) {
        self->counts[i].states = 0;
    }
}

static void crowd_end (struct crowd *self)
{
    for (int i = 1; i < SESSIONS; i++) {
        cohort_destroy (&self->clients[i]);
    }
    world_end (&self->world);
}

static size_t connections_of (cohort_loop_t *loop)
{
    size_t count = 0;
    for (struct list_node *at = list_first (&loop->connections); at != NULL;
         at = list_next (&loop->connections, at)) {
        count++;
    }
    return count;
}

static struct connection *connection_of (cohort_t *client)
{
    for (size_t i = 0; i < HANDLE_CHANNELS; i++) {
        if (client->channels[i] != NULL) {
            return client->channels[i]->connection;
        }
    }
    return NULL;
}

static void watch_all (struct crowd *self)
{
    int left = SESSIONS;
    for (int i = 0; i < SESSIONS; i++) {
        self->counts[i].results = self->counts[i].events = 0;
        assert_int_equal (cohort_get_async (self->clients[i], "/x", on_event, &self->counts[i],
                                            on_result, &self->counts[i]),
                          0);
    }
    while (left > 0) {
        dispatch_all (self);
        world_jump (20); /* pauses before attempts pass */
        left = 0;
        for (int i = 0; i < SESSIONS; i++) {
            left += self->counts[i].results == 0;
        }
    }
}

static void write_and_await_events (struct crowd *self, int but)
{
    assert_int_equal (cohort_set (self->clients[(but + 1) % SESSIONS], "/x", "", 0, -1, NULL), 0);
    int left = SESSIONS;
    while (left > 0) {
        dispatch_all (self);
        left = 0;
        for (int i = 0; i < SESSIONS; i++) {
            left += i != but && self->counts[i].events == 0;
        }
    }
}

/* One connection, whatever the number of sessions, until the last one has gone. */
static void test_one_connection (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 1);
    assert_int_equal (connections_of (crowd.world.loop), 1);
    assert_int_equal (map_count (&connection_of (crowd.clients[0])->channels), SESSIONS);
    watch_all (&crowd);
    write_and_await_events (&crowd, SESSIONS);
    cohort_destroy (&crowd.clients[1]);
    assert_int_equal (map_count (&connection_of (crowd.clients[0])->channels), SESSIONS - 1);
    crowd.clients[1] = join (&crowd.world);
    assert_int_equal (connections_of (crowd.world.loop), 1);
    crowd_end (&crowd);
}

/* Each session chooses its server; all that were on one that dies move to the other, together. */
static void test_servers_die (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 2);
    assert_in_range (connections_of (crowd.world.loop), 1, 2);
    for (int round = 0; round < 4; round++) {
        fake_stop (crowd.world.fake, round % 2);
        watch_all (&crowd);
        write_and_await_events (&crowd, SESSIONS);
        assert_int_equal (connections_of (crowd.world.loop), 1);
        fake_start (crowd.world.fake, round % 2);
    }
    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal (crowd.counts[i].failures, 0);
    }
    crowd_end (&crowd);
}

/* A test that cuts one session's connection cuts nobody else's. */
static void test_cut_is_one_sessions (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 1);
    listen_to_states (&crowd);
    struct connection *before = connection_of (crowd.clients[0]);
    uint64_t hellos = fake_count (crowd.world.fake, FAKE_HELLOS);
    cohort_fault_cut (crowd.clients[3]);
    while (crowd.counts[3].states < 2) {
        dispatch_all (&crowd);
        world_jump (20); /* the pause before the next attempt */
    }
    assert_int_equal (cohort_state (crowd.clients[3]), COHORT_CONNECTED);
    assert_true (fake_await (crowd.world.fake, FAKE_HELLOS, hellos + 1));
    assert_ptr_equal (connection_of (crowd.clients[3]), before);
    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal (crowd.counts[i].states, i == 3 ? 2 : 0);
    }
    assert_int_equal (cohort_fault_drop_replies (crowd.clients[5], 1), 0);
    assert_int_equal (
        cohort_set_async (crowd.clients[5], "/x", "a", 1, -1, on_result, &crowd.counts[5]), 0);
    while (crowd.counts[5].results == 0) {
        dispatch_all (&crowd);
        world_jump (20);
    }
    assert_int_equal (crowd.counts[5].states, 2);
    assert_int_equal (crowd.counts[6].states, 0);
    assert_true (fake_await (crowd.world.fake, FAKE_HELLOS, hellos + 2));
    assert_int_equal (fake_count (crowd.world.fake, FAKE_HELLOS), hellos + 2);
    crowd_end (&crowd);
}

/* What is held back for one session waits; the others go on. */
static void test_hold_is_one_sessions (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 1);
    watch_all (&crowd);
    assert_int_equal (cohort_fault_hold (crowd.clients[2], COHORT_HOLD_EVENTS), 0);
    write_and_await_events (&crowd, 2);
    assert_int_equal (connection_of (crowd.clients[0])->blocked, 1);
    assert_int_equal (crowd.counts[2].events, 0);
    /* All that is behind it waits with it. */
    assert_int_equal (cohort_sync_async (crowd.clients[2], on_result, &crowd.counts[2]), 0);
    assert_int_equal (cohort_sync (crowd.clients[4]), 0);
    for (int i = 0; i < 10; i++) {
        dispatch_all (&crowd);
    }
    assert_int_equal (crowd.counts[2].results, 1);
    assert_int_equal (cohort_fault_hold (crowd.clients[2], COHORT_HOLD_NOTHING), 0);
    while (crowd.counts[2].results < 2) {
        dispatch_all (&crowd);
    }
    assert_int_equal (crowd.counts[2].events, 1);
    assert_int_equal (connection_of (crowd.clients[0])->blocked, 0);
    crowd_end (&crowd);
}

/* Whose sessions had results. */
static size_t connections_that_answered (struct crowd *self)
{
    struct connection *answered[SESSIONS];
    size_t count = 0;
    for (int i = 0; i < SESSIONS; i++) {
        if (cohort_dispatch (self->clients[i], COHORT_DISPATCH_QUEUED) == 0) {
            continue;
        }
        struct connection *connection = connection_of (self->clients[i]);
        size_t known = 0;
        while (known < count && answered[known] != connection) {
            known++;
        }
        answered[known] = connection;
        count = known == count ? count + 1 : count;
    }
    return count;
}

/* Who drives the loop has the answers of one server at a time, and those of all in the end: what he
 * asks for in return is on its way before the next are read. */
static void test_one_server_at_a_time (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 2);
    while (connections_of (crowd.world.loop) < 2) { /* all have chosen the same one */
        crowd_end (&crowd);
        crowd_begin (&crowd, 2);
    }
    dispatch_all (&crowd);
    for (int round = 1; round <= 50; round++) {
        for (int i = 0; i < SESSIONS; i++) {
            assert_int_equal (cohort_sync_async (crowd.clients[i], on_result, &crowd.counts[i]), 0);
        }
        assert_int_equal (cohort_loop_process (crowd.world.loop, 0), 0);
        int left = SESSIONS;
        while (left > 0) {
            assert_true (connections_that_answered (&crowd) <= 1);
            assert_int_equal (cohort_loop_process (crowd.world.loop, 10), 0);
            left = 0;
            for (int i = 0; i < SESSIONS; i++) {
                left += crowd.counts[i].results < round;
            }
        }
    }
    crowd_end (&crowd);
}

/* An application that does not dispatch holds up its own session. */
static void test_one_does_not_dispatch (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 1);
    dispatch_all (&crowd);
    cohort_t *lazy = crowd.clients[7];
    lazy->mailbox.backlog_max = 1000;
    for (int i = 0; i < 100; i++) {
        assert_int_equal (cohort_sync_async (lazy, on_result, &crowd.counts[7]), 0);
        assert_int_equal (cohort_loop_process (crowd.world.loop, 0), 0);
    }
    uint64_t requests = fake_count (crowd.world.fake, FAKE_REQUESTS);
    assert_true (fake_await (crowd.world.fake, FAKE_REQUESTS, requests > 100 ? 100 : requests));
    for (int i = 0; !lazy->paused; i++) {
        assert_true (i < 1000);
        assert_int_equal (cohort_loop_process (crowd.world.loop, 10), 0);
    }
    assert_int_equal (cohort_sync (crowd.clients[0]), 0);
    assert_int_equal (connection_of (crowd.clients[0])->blocked, 1);
    while (crowd.counts[7].results < 100) {
        dispatch_all (&crowd);
    }
    assert_int_equal (cohort_loop_process (crowd.world.loop, 0), 0);
    assert_false (lazy->paused);
    assert_int_equal (connection_of (crowd.clients[0])->blocked, 0);
    crowd_end (&crowd);
}

/* What waits for one that takes nothing has a bound: beyond it the session loses its channel, and
 * comes back. */
static void test_waiting_is_bounded (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 1);
    enum { SIZE = 1 << 20, READS = 18 };
    static char large[SIZE];
    assert_int_equal (cohort_set (crowd.clients[0], "/x", large, sizeof (large), -1, NULL), 0);
    listen_to_states (&crowd);
    cohort_t *lazy = crowd.clients[7];
    assert_int_equal (cohort_fault_hold (lazy, COHORT_HOLD_ALL), 0);
    for (int i = 0; i < READS; i++) {
        assert_int_equal (cohort_get_async (lazy, "/x", NULL, NULL, on_result, &crowd.counts[7]),
                          0);
    }
    while (crowd.counts[7].states == 0) {
        dispatch_all (&crowd);
    }
    assert_int_equal (crowd.counts[7].results, 0);
    assert_int_equal (cohort_fault_hold (lazy, COHORT_HOLD_NOTHING), 0);
    while (crowd.counts[7].results < READS) {
        dispatch_all (&crowd);
        world_jump (20);
    }
    assert_int_equal (crowd.counts[7].failures, 0);
    assert_int_equal (crowd.counts[0].states, 0);
    crowd_end (&crowd);
}

/* Whoever tries a server again that owes an answer does so on a fresh connection: the old one may
 * be what is broken. */
static void test_silent_connection_is_not_shared (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 1);
    dispatch_all (&crowd);
    struct connection *silent = connection_of (crowd.clients[0]);
    fake_mute (crowd.world.fake, 0, true);
    assert_int_equal (cohort_sync_async (crowd.clients[0], on_result, &crowd.counts[0]), 0);
    dispatch_all (&crowd);
    assert_true (silent->owes);
    world_jump (600);
    cohort_fault_cut (crowd.clients[1]);
    for (int i = 0;
         connection_of (crowd.clients[1]) == NULL || connection_of (crowd.clients[1]) == silent;
         i++) {
        assert_true (i < 1000);
        dispatch_all (&crowd);
        world_jump (20);
    }
    assert_int_equal (connections_of (crowd.world.loop), 2);
    fake_mute (crowd.world.fake, 0, false);
    crowd_end (&crowd);
}

/* Who is somebody else to the server is not on the same connection. */
static void test_keys_are_not_shared (void **state)
{
    (void) state;
    char public_key[41], secret_key[41];
    assert_int_equal (zmq_curve_keypair (public_key, secret_key), 0);
    const char *endpoint = "tcp://127.0.0.1:*";
    struct fake *fake = fake_new_secure (NULL, &endpoint, 1, secret_key);
    cohort_loop_options_t loop_options = {.size = sizeof (loop_options),
                                          .driver = COHORT_DRIVER_NONE};
    cohort_loop_t *loop = cohort_loop_new (&loop_options);
    char keys[2][2][41];
    cohort_t *clients[4];
    for (int i = 0; i < 2; i++) {
        assert_int_equal (zmq_curve_keypair (keys[i][0], keys[i][1]), 0);
    }
    for (int i = 0; i < 4; i++) {
        cohort_options_t options = {.size = sizeof (options),
                                    .loop = loop,
                                    .server_key = public_key,
                                    .public_key = keys[i % 2][0],
                                    .secret_key = keys[i % 2][1]};
        clients[i] = cohort_new (fake_servers (fake), &options);
        assert_int_equal (cohort_wait (clients[i], 10000), 0);
    }
    assert_int_equal (connections_of (loop), 2);
    assert_ptr_equal (connection_of (clients[0]), connection_of (clients[2]));
    assert_ptr_not_equal (connection_of (clients[0]), connection_of (clients[1]));
    for (int i = 0; i < 4; i++) {
        cohort_destroy (&clients[i]);
    }
    assert_int_equal (cohort_loop_destroy (&loop), 0);
    fake_destroy (&fake);
}

static void on_sync (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    assert_int_equal (result->rc, 0);
    ++*(int *) arg;
}

/* One look at the loop for all of its sessions: who runs what is queued leaves the loop alone. */
static void test_queued_is_run_alone (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_begin (&crowd, 1);
    dispatch_all (&crowd);
    int done = 0;
    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal (cohort_sync_async (crowd.clients[i], on_sync, &done), 0);
    }
    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal (cohort_dispatch (crowd.clients[i], COHORT_DISPATCH_QUEUED), 0);
    }
    /* The loop has still to send them, and says so to who asks for its descriptor only now. */
    assert_int_equal (cohort_loop_timeout (crowd.world.loop), 0);
    struct pollfd item = {.fd = cohort_loop_fd (crowd.world.loop), .events = POLLIN};
    assert_int_equal (poll (&item, 1, 0), 1);
    int ran = 0;
    while (done < SESSIONS) {
        assert_int_equal (cohort_loop_process (crowd.world.loop, 10), 0);
        for (int i = 0; i < SESSIONS; i++) {
            ran += cohort_dispatch (crowd.clients[i], COHORT_DISPATCH_QUEUED);
        }
    }
    assert_int_equal (ran, SESSIONS);
    crowd_end (&crowd);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_one_connection),
        cmocka_unit_test (test_servers_die),
        cmocka_unit_test (test_cut_is_one_sessions),
        cmocka_unit_test (test_hold_is_one_sessions),
        cmocka_unit_test (test_one_server_at_a_time),
        cmocka_unit_test (test_one_does_not_dispatch),
        cmocka_unit_test (test_waiting_is_bounded),
        cmocka_unit_test (test_silent_connection_is_not_shared),
        cmocka_unit_test (test_keys_are_not_shared),
        cmocka_unit_test (test_queued_is_run_alone),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
