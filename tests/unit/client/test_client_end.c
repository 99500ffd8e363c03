/* The end of a handle: every one-shot watch that is set hears of it, once; what becomes of its
 * session and of its connections. */

#include <errno.h>
#include <stdio.h>
#include <zmq.h>

#include "cohort/client.h"
#include "tests/unit/client/fake.h"
#include "tests/unit/unit.h"

enum { WATCHES = 5 };

static const char *const endpoint = "tcp://127.0.0.1:*";
static const int drivers[] = {COHORT_DRIVER_THREAD, COHORT_DRIVER_NONE};

struct told {
    int lost[WATCHES], changed[WATCHES], set[WATCHES], not_set[WATCHES];
};

struct each {
    struct told *told;
    int index;
};

static void on_watch (cohort_t *client, const cohort_event_t *event, void *arg)
{
    const struct each *each = arg;
    (void) client;
    if (event->type == COHORT_EVENT_WATCH_LOST) {
        each->told->lost[each->index]++;
    } else {
        each->told->changed[each->index]++;
    }
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    const struct each *each = arg;
    (void) client;
    if (result->rc == COHORT_OK || result->rc == COHORT_ENONODE) {
        each->told->set[each->index]++;
    } else {
        assert_int_equal (result->rc, COHORT_ECLOSING);
        each->told->not_set[each->index]++;
    }
}

static cohort_t *connect_to (struct fake *fake, cohort_loop_t *loop)
{
    cohort_options_t options = {.size = sizeof (options), .loop = loop};
    cohort_t *client = cohort_new (fake_servers (fake), &options);
    assert_int_equal (cohort_wait (client, 10000), 0);
    return client;
}

static void watch_all (cohort_t *client, struct told *told, struct each *each)
{
    char path[16];
    for (int i = 0; i < WATCHES; i++) {
        each[i] = (struct each){told, i};
        (void) snprintf (path, sizeof path, "/%d", i);
        assert_int_equal (
            cohort_exists_async (client, path, on_watch, &each[i], on_result, &each[i]), 0);
    }
}

/* Each was set and heard of something, or was not set. */
static void check (const struct told *told)
{
    for (int i = 0; i < WATCHES; i++) {
        assert_int_equal (told->set[i] + told->not_set[i], 1);
        assert_int_equal (told->lost[i] + told->changed[i], told->set[i]);
    }
}

static void test_watches_are_lost (void **state)
{
    (void) state;
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    for (int way = 0; way < 6; way++) {
        cohort_loop_options_t options = {.size = sizeof (options), .driver = drivers[way % 2]};
        cohort_loop_t *loop = cohort_loop_new (&options);
        cohort_t *client = connect_to (fake, loop);
        struct told told = {0};
        struct each each[WATCHES];
        watch_all (client, &told, each);
        assert_int_equal (cohort_sync (client), 0);
        if (way < 2) {
            cohort_destroy (&client);
        } else if (way < 4) {
            cohort_abandon (&client);
        } else {
            cohort_destroy_within (&client, 0);
        }
        check (&told);
        assert_int_equal (told.lost[0], 1);
        assert_int_equal (cohort_loop_destroy (&loop), 0);
    }
    fake_destroy (&fake);
}

/* One that has fired and was not dispatched says what it was. */
static void test_what_has_fired_is_told (void **state)
{
    (void) state;
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    cohort_t *client = connect_to (fake, NULL);
    struct told told = {0};
    struct each each[WATCHES];
    watch_all (client, &told, each);
    assert_int_equal (cohort_create (client, "/2", "", 0, 0, NULL, NULL, NULL), 0);
    cohort_destroy (&client);
    check (&told);
    assert_int_equal (told.changed[2], 1);
    assert_int_equal (told.lost[1], 1);
    fake_destroy (&fake);
}

struct inside {
    cohort_t *client;
    bool abandons;
};

static void end_inside (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct inside *inside = arg;
    (void) result;
    assert_ptr_equal (client, inside->client);
    if (inside->abandons) {
        cohort_abandon (&inside->client);
    } else {
        cohort_destroy (&inside->client);
    }
}

/* The dispatch tells them before it returns; also those that are just being set. */
static void test_ended_inside_a_callback (void **state)
{
    (void) state;
    for (int way = 0; way < 16; way++) {
        struct fake *fake = fake_new (NULL, &endpoint, 1);
        cohort_loop_options_t options = {.size = sizeof (options), .driver = drivers[way % 2]};
        cohort_loop_t *loop = cohort_loop_new (&options);
        struct inside inside = {connect_to (fake, loop), way / 2 % 2 != 0};
        struct told told = {0};
        struct each each[WATCHES];
        if (way / 4 % 2 == 0) {
            watch_all (inside.client, &told, each);
            assert_int_equal (cohort_sync (inside.client), 0);
        }
        assert_int_equal (cohort_sync_async (inside.client, end_inside, &inside), 0);
        if (way / 4 % 2 != 0) {
            watch_all (inside.client, &told, each);
        }
        while (inside.client != NULL) {
            assert_true (cohort_run (inside.client, 10000) >= 0);
        }
        check (&told);
        assert_int_equal (cohort_loop_destroy (&loop), 0);
        check (&told);
        fake_destroy (&fake);
    }
}

/* ---- Sessions and connections ---------------------------------------------------------------- */

static void test_destroy (void **state)
{
    (void) state;
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    cohort_t *client = cohort_new (fake_servers (fake), NULL);
    assert_int_equal (cohort_wait (client, 10000), 0);
    assert_int_equal (cohort_create (client, "/a", "x", 1, 0, NULL, NULL, NULL), 0);
    cohort_destroy (&client);
    /* The session was ended, not left to its time limits. */
    assert_true (fake_await (fake, FAKE_CLOSED, 1));
    fake_destroy (&fake);
}

static void test_abandon (void **state)
{
    (void) state;
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    cohort_t *client = cohort_new (fake_servers (fake), NULL);
    assert_int_equal (cohort_wait (client, 10000), 0);
    cohort_abandon (&client);
    assert_int_equal (fake_count (fake, FAKE_CLOSED), 0);
    fake_destroy (&fake);
}

static void test_destroy_within (void **state)
{
    (void) state;
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    cohort_t *client = cohort_new (fake_servers (fake), NULL);
    assert_int_equal (cohort_wait (client, 10000), 0);
    cohort_destroy_within (&client, 1000);
    assert_null (client);
    assert_int_equal (fake_count (fake, FAKE_CLOSED), 1);
    /* No server is waited for. */
    client = cohort_new (fake_servers (fake), NULL);
    fake_destroy (&fake);
    cohort_destroy_within (&client, -1);
    assert_null (client);
    cohort_destroy_within (&client, 0);
    cohort_destroy_within (NULL, 0);
}

/* When the call returns, the server's socket knows that the connection has ended: whoever moves the
 * clock of both next relies on it. */
static void test_end_of_inproc_is_known_at_once (void **state)
{
    (void) state;
    for (int round = 0; round < 20; round++) {
        void *context = zmq_ctx_new ();
        void *router = zmq_socket (context, ZMQ_ROUTER);
        int one = 1;
        char id[16], frame[256];
        assert_int_equal (zmq_setsockopt (router, ZMQ_ROUTER_MANDATORY, &one, sizeof (one)), 0);
        assert_int_equal (zmq_bind (router, "inproc://end"), 0);
        cohort_loop_options_t loop_options = {.size = sizeof (loop_options),
                                              .zmq_context = context};
        cohort_loop_t *loop = cohort_loop_new (&loop_options);
        cohort_options_t options = {.size = sizeof (options), .loop = loop};
        cohort_t *client = cohort_new ("inproc://end", &options);
        /* The greeting. */
        int id_size = zmq_recv (router, id, sizeof (id), 0);
        assert_in_range (id_size, 1, sizeof (id));
        assert_true (zmq_recv (router, frame, sizeof (frame), 0) > 0);
        cohort_abandon (&client);
        assert_int_equal (zmq_recv (router, frame, sizeof (frame), ZMQ_DONTWAIT), -1);
        assert_int_equal (zmq_send (router, id, (size_t) id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT), -1);
        assert_int_equal (zmq_errno (), EHOSTUNREACH);
        assert_int_equal (cohort_loop_destroy (&loop), 0);
        zmq_close (router);
        zmq_ctx_term (context);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_watches_are_lost),
        cmocka_unit_test (test_what_has_fired_is_told),
        cmocka_unit_test (test_ended_inside_a_callback),
        cmocka_unit_test (test_destroy),
        cmocka_unit_test (test_abandon),
        cmocka_unit_test (test_destroy_within),
        cmocka_unit_test (test_end_of_inproc_is_known_at_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
