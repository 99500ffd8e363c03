/* Queues with the real client and a real server in this process. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/live.h"

/* On a clock that stands still: whoever is not dispatched for so long loses its session. */
static const cohort_options_t mortal = {
    .timeout_ms = 400, .disconnect_grace_ms = 400, .watchdog_ms = 100};

static cohort_queue_t *queue_with (cohort_t *client, cohort_queue_options_t options)
{
    options.size = sizeof (options);
    cohort_queue_t *queue = cohort_queue_new (client, "/game/jobs", &options);
    assert_non_null (queue);
    return queue;
}

/* The answers to what a queue has left behind come before that of a sync. */
static void end (cohort_queue_t **queue, cohort_t **client)
{
    cohort_queue_destroy (queue);
    assert_int_equal (cohort_sync (*client), 0);
    (void) cohort_dispatch (*client, 0);
    cohort_destroy (client);
}

static cohort_queue_t *queue_of (cohort_t *client)
{
    return queue_with (client, (cohort_queue_options_t){0});
}

static void put_with (cohort_queue_t *queue, const char *data, cohort_put_options_t options)
{
    options.size = sizeof (options);
    assert_int_equal (cohort_queue_put (queue, data, strlen (data), &options, LIVE_LIMIT_MS, NULL),
                      0);
}

static void put (cohort_queue_t *queue, const char *data)
{
    put_with (queue, data, (cohort_put_options_t){0});
}

static cohort_item_t *take (cohort_queue_t *queue, const char *expected)
{
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_queue_take (queue, LIVE_LIMIT_MS, &item), 0);
    assert_string_equal (cohort_item_data (item, NULL), expected);
    return item;
}

static void takes_in_order_and_acknowledges (void **state)
{
    (void) state;
    cohort_t *client = live_client ();
    cohort_queue_t *queue = queue_of (client);
    put_with (queue, "late", (cohort_put_options_t){.priority = 7});
    put_with (queue, "first", (cohort_put_options_t){.priority = 3, .id = "a"});
    put_with (queue, "second", (cohort_put_options_t){.priority = 3});
    put_with (queue, "first again", (cohort_put_options_t){.priority = 1, .id = "a"});
    cohort_item_t *item = take (queue, "first");
    assert_string_equal (cohort_item_id (item), "a");
    assert_int_equal (cohort_item_attempt (item), 1);
    assert_int_equal (cohort_item_priority (item), 3);
    assert_int_equal (cohort_item_valid (item, 0), 1);
    assert_int_equal (cohort_item_return (&item, 0, LIVE_LIMIT_MS), 0);
    item = take (queue, "first");
    assert_int_equal (cohort_item_attempt (item), 2);
    cohort_item_t *other = take (queue, "second");
    assert_int_equal (cohort_item_ack (&item, LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_item_ack (&other, LIVE_LIMIT_MS), 0);
    item = take (queue, "late");
    assert_int_equal (cohort_item_ack (&item, LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_queue_take (queue, 0, &item), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_queue_take (queue, 30, &item), COHORT_ETIMEDOUT);
    int64_t left = 0;
    /* Three folders, and nobody stands in line: a ticket that was being made when the time was over
     * is given up when its answer is dispatched. */
    assert_int_equal (cohort_sync (client), 0);
    (void) cohort_dispatch (client, 0);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_count (client, "/game/jobs", NULL, &left, NULL), 0);
    assert_int_equal (left, 3);
    end (&queue, &client);
}

/* Who has which item, who waits, from where. */
static void why_shows_who_has_taken_what (void **state)
{
    (void) state;
    cohort_t *one = live_client (), *other = live_client ();
    cohort_queue_t *taker = queue_of (one);
    cohort_why_t *why = NULL;
    assert_int_equal (cohort_why (one, "/game/jobs", &why), 0);
    assert_int_equal (why->count, 0);
    cohort_why_destroy (&why);
    put (taker, "a");
    put (taker, "b");
    cohort_item_t *item = take (taker, "a");
    put (taker, "c");
    cohort_queue_t *waiter = queue_with (other, (cohort_queue_options_t){.max_inflight = 4});
    live_until (other, cohort_queue_ready (waiter) == 2);
    for (int ms = 0;; ms++) {
        assert_true (ms < LIVE_LIMIT_MS);
        assert_true (cohort_run (other, 1) >= 0);
        assert_int_equal (cohort_why (one, "/game/jobs", &why), 0);
        if (why->count == 4) {
            break;
        }
        cohort_why_destroy (&why);
    }
    assert_string_equal (why->items[0].node, cohort_item_path (item));
    assert_int_equal (why->items[0].token.czxid, cohort_item_token (item).czxid);
    for (size_t i = 0; i < why->count; i++) {
        const cohort_contender_t *at = &why->items[i];
        assert_int_equal (at->session, cohort_session_id (i == 0 ? one : other));
        assert_int_equal (at->holds, i < 3);
        assert_int_equal (at->since_ms != 0, i < 3);
        assert_true (at->asked_ms > 0);
        assert_true (at->pid > 0);
        assert_true (at->host[0] != 0);
        assert_int_equal (at->size, 0);
    }
    cohort_why_destroy (&why);
    assert_int_equal (cohort_item_ack (&item, LIVE_LIMIT_MS), 0);
    end (&waiter, &other);
    end (&taker, &one);
}

static void delays_by_the_servers_time (void **state)
{
    (void) state;
    cohort_t *client = live_client ();
    cohort_queue_t *queue = queue_with (client, (cohort_queue_options_t){.remember_ms = 60000});
    /* Due in this order, however long the puts take. */
    put_with (queue, "soon", (cohort_put_options_t){.delay_ms = 60});
    put_with (queue, "later", (cohort_put_options_t){.delay_ms = 120, .id = "x"});
    put (queue, "now");
    cohort_item_t *item = take (queue, "now");
    assert_int_equal (cohort_item_return (&item, 200, LIVE_LIMIT_MS), 0);
    item = take (queue, "soon");
    assert_int_equal (cohort_item_ack (&item, LIVE_LIMIT_MS), 0);
    item = take (queue, "later");
    cohort_stat_t stat;
    assert_int_equal (cohort_exists (client, cohort_item_path (item), &stat), 0);
    assert_int_equal (cohort_item_ack (&item, LIVE_LIMIT_MS), 0);
    item = take (queue, "now");
    assert_int_equal (cohort_item_attempt (item), 2);
    assert_int_equal (cohort_item_ack (&item, LIVE_LIMIT_MS), 0);
    /* Remembered, although it is done. */
    int existed = 0;
    cohort_put_options_t again = {.size = sizeof (again), .id = "x"};
    assert_int_equal (cohort_queue_put (queue, "x", 1, &again, LIVE_LIMIT_MS, &existed), 0);
    assert_int_equal (existed, 1);
    end (&queue, &client);
}

/* CURATOR-623: a consumer that was away for longer than its session lived takes what is new. */
static void a_consumer_that_was_lost_goes_on (void **state)
{
    (void) state;
    cohort_t *client = live_client_with (mortal), *producer = live_client ();
    cohort_queue_t *queue = queue_with (client, (cohort_queue_options_t){.max_inflight = 1});
    cohort_queue_t *in = queue_of (producer);
    put (in, "one");
    cohort_item_t *item = take (queue, "one");
    /* Nobody dispatches the client. */
    put (in, "two");
    for (int ms = 0; ms < 2000; ms += LIVE_STEP_MS) {
        assert_int_equal (cohort_server_advance_ms (live_server, LIVE_STEP_MS), 0);
    }
    /* It is told, begins a new session, and is given what it had. */
    live_until (client, cohort_queue_ready (queue) == 1);
    cohort_item_t *again = take (queue, "one");
    assert_int_equal (cohort_item_valid (item, 0), 0);
    assert_int_equal (cohort_item_ack (&item, LIVE_LIMIT_MS), COHORT_EFENCED);
    assert_int_equal (cohort_item_attempt (again), 2);
    assert_int_equal (cohort_item_ack (&again, LIVE_LIMIT_MS), 0);
    again = take (queue, "two");
    assert_int_equal (cohort_item_attempt (again), 1);
    assert_int_equal (cohort_item_ack (&again, LIVE_LIMIT_MS), 0);
    end (&queue, &client);
    end (&in, &producer);
}

/* ---- A line of consumers -----------------------------------------------------------------------
 */

#define LINE 12

static void a_put_finds_one_of_many_waiting (void **state)
{
    (void) state;
    cohort_t *clients[LINE], *producer = live_client ();
    cohort_queue_t *queues[LINE], *in = queue_of (producer);
    put (in, "first");
    for (int i = 0; i < LINE; i++) {
        clients[i] = live_client ();
        queues[i] = queue_with (clients[i], (cohort_queue_options_t){.max_inflight = 1});
        live_until (clients[i], i > 0 || cohort_queue_ready (queues[0]) == 1);
    }
    /* The first one has one; each further put is somebody's, however the line is shortened. */
    for (int n = 1; n < LINE; n++) {
        put (in, "more");
        size_t ready = 0;
        for (int ms = 0; ready != (size_t) n + 1; ms++) {
            assert_true (ms < LIVE_LIMIT_MS);
            ready = 0;
            for (int i = 0; i < LINE; i++) {
                assert_true (cohort_run (clients[i], 1) >= 0);
                ready += cohort_queue_ready (queues[i]);
            }
        }
        if (n == LINE / 2) {
            /* One of those that wait goes. */
            for (int i = 0; i < LINE; i++) {
                if (cohort_queue_ready (queues[i]) == 0) {
                    cohort_queue_destroy (&queues[i]);
                    queues[i] =
                        queue_with (clients[i], (cohort_queue_options_t){.max_inflight = 1});
                    break;
                }
            }
        }
    }
    for (int i = 0; i < LINE; i++) {
        end (&queues[i], &clients[i]);
    }
    end (&in, &producer);
}

/* ---- Everything at once ------------------------------------------------------------------------
 */

#define PRODUCERS 3
#define CONSUMERS 4
#define ITEMS     60 /* of each producer */

struct history {
    int definite[PRODUCERS * ITEMS]; /* acknowledgements that succeeded */
    int open[PRODUCERS * ITEMS];     /* whose outcome is not known */
    int answers;
};

struct ack {
    struct history *history;
    int number;
};

static void acknowledged (cohort_queue_t *queue, const cohort_queue_result_t *result, void *arg)
{
    struct ack *ack = arg;
    (void) queue;
    assert_true (result->rc == 0 || result->rc == COHORT_EFENCED ||
                 result->rc == COHORT_ESESSIONEXPIRED);
    ack->history->definite[ack->number] += result->rc == 0;
    ack->history->open[ack->number] += result->rc == COHORT_ESESSIONEXPIRED;
    free (ack);
}

static void was_put (cohort_queue_t *queue, const cohort_queue_result_t *result, void *arg)
{
    (void) queue;
    /* One whose session ended is put again under its id. */
    *(int *) arg = result->rc == 0 ? 2 : 0;
}

static unsigned chance (unsigned *seed, unsigned limit)
{
    *seed = *seed * 1103515245U + 12345U;
    return (*seed >> 16) % limit;
}

/* What the data of an item says, all of it: the number of one that was put. */
static int number_of (const cohort_item_t *item)
{
    size_t size = 0;
    const char *data = cohort_item_data (item, &size);
    char *end = NULL;
    long number = strtol (data, &end, 10);
    assert_true (size > 0 && end == data + size);
    assert_in_range (number, 0, PRODUCERS * ITEMS - 1);
    return (int) number;
}

/* Takes what is ready, and does something with it. */
static void consume (cohort_queue_t *queue, struct history *history, unsigned *seed)
{
    cohort_item_t *item = NULL;
    while (cohort_queue_take (queue, 0, &item) == 0) {
        int number = number_of (item);
        if (chance (seed, 5) == 0) {
            int64_t delay_ms = chance (seed, 2) * 5;
            int rc = cohort_item_return_async (&item, delay_ms, NULL, NULL);
            assert_true (rc == 0 || rc == COHORT_EFENCED);
            continue;
        }
        struct ack *ack = malloc (sizeof (*ack));
        assert_non_null (ack);
        *ack = (struct ack){history, number};
        if (cohort_item_ack_async (&item, acknowledged, ack) != 0) {
            free (ack);
        }
    }
}

/* Puts what has not been put, as far as no put is on its way. */
static bool produce (cohort_queue_t *queue, int producer, int *states)
{
    bool done = true;
    for (int n = 0; n < ITEMS; n++) {
        int number = producer * ITEMS + n;
        char data[16], id[16];
        snprintf (data, sizeof (data), "%d", number);
        snprintf (id, sizeof (id), "job-%d", number);
        cohort_put_options_t options = {
            .size = sizeof (options), .id = id, .priority = n % 3, .delay_ms = n % 7 == 0 ? 20 : 0};
        if (states[number] == 0 && cohort_queue_put_async (queue, data, strlen (data), &options,
                                                           was_put, &states[number]) == 0) {
            states[number] = 1;
        }
        done = done && states[number] == 2;
    }
    return done;
}

static bool all_acknowledged (const struct history *history)
{
    for (int i = 0; i < PRODUCERS * ITEMS; i++) {
        if (history->definite[i] + history->open[i] == 0) {
            return false;
        }
    }
    return true;
}

/* Who hangs, and loses its session by that; -1: nobody. And servers crash. */
static int disturb (int turn, int hanging, unsigned *seed)
{
    if (turn < 700 && turn % 35 == 34) {
        assert_int_equal (cohort_server_crash (live_server), 0);
        assert_int_equal (cohort_server_start (live_server), 0);
    }
    if (turn % 100 == 10 && turn < 700) {
        return (int) chance (seed, PRODUCERS + CONSUMERS);
    }
    return turn % 100 == 90 ? -1 : hanging;
}

static void each_item_is_acknowledged_once (void **state)
{
    (void) state;
    unsigned seed = 20260101;
    struct history history = {0};
    int states[PRODUCERS * ITEMS] = {0}, hanging = -1;
    cohort_t *clients[PRODUCERS + CONSUMERS];
    cohort_queue_t *queues[PRODUCERS + CONSUMERS];
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        clients[i] = live_client_with (mortal);
        queues[i] =
            queue_with (clients[i], (cohort_queue_options_t){.max_inflight = i < PRODUCERS ? 0 : i,
                                                             .remember_ms = 600000});
    }
    bool put_all = false;
    for (int turn = 0; !put_all || !all_acknowledged (&history); turn++) {
        assert_true (turn < LIVE_LIMIT_MS);
        put_all = true;
        hanging = disturb (turn, hanging, &seed);
        assert_int_equal (cohort_server_advance_ms (live_server, LIVE_STEP_MS), 0);
        for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
            if (i == hanging) {
                put_all = false;
                continue;
            }
            assert_true (cohort_run (clients[i], 0) >= 0);
            if (i < PRODUCERS) {
                put_all = produce (queues[i], i, states) && put_all;
            } else {
                consume (queues[i], &history, &seed);
            }
        }
    }
    for (int i = 0; i < PRODUCERS * ITEMS; i++) {
        assert_true (history.definite[i] <= 1);
    }
    /* Nothing is left behind, but what is remembered and the line. */
    cohort_strings_t *left = NULL;
    for (int ms = 0; left == NULL || left->count > 0; ms += LIVE_STEP_MS) {
        assert_true (ms < LIVE_LIMIT_MS);
        if (left != NULL) {
            cohort_strings_destroy (&left);
        }
        assert_int_equal (cohort_server_advance_ms (live_server, LIVE_STEP_MS), 0);
        for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++) {
            assert_true (cohort_run (clients[i], 0) >= 0);
            consume (queues[i], &history, &seed);
        }
        assert_int_equal (cohort_children (clients[0], "/game/jobs/items", &left, NULL), 0);
    }
    cohort_strings_destroy (&left);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        end (&queues[i], &clients[i]);
    }
    for (int i = 0; i < PRODUCERS * ITEMS; i++) {
        assert_true (history.definite[i] <= 1);
    }
}

int main (void)
{
#define TEST(name, start) cmocka_unit_test_setup_teardown (name, start, live_stop)
    const struct CMUnitTest tests[] = {
        TEST (takes_in_order_and_acknowledges, live_start),
        TEST (why_shows_who_has_taken_what, live_start),
        TEST (delays_by_the_servers_time, live_start),
        TEST (a_consumer_that_was_lost_goes_on, live_start_manual),
        TEST (a_put_finds_one_of_many_waiting, live_start),
        TEST (each_item_is_acknowledged_once, live_start_manual),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
