/* Queues: what is put, taken, acknowledged and returned, and in which order. */

#include "tests/unit/recipes/queue_fixture.h"

static cohort_queue_t *queue (cohort_t *client)
{
    return queue_with (client, 0, 0);
}

static void put_with (cohort_queue_t *self, const char *data, const char *id, int priority,
                      int64_t delay_ms)
{
    cohort_put_options_t options = {
        .size = sizeof (options), .id = id, .priority = priority, .delay_ms = delay_ms};
    assert_int_equal (cohort_queue_put (self, data, strlen (data), &options, -1, NULL), 0);
}

static void put (cohort_queue_t *self, const char *data)
{
    assert_int_equal (cohort_queue_put (self, data, strlen (data), NULL, -1, NULL), 0);
}

static cohort_item_t *take (cohort_queue_t *self, const char *expected)
{
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_queue_take (self, -1, &item), 0);
    size_t size = 0;
    assert_string_equal (cohort_item_data (item, &size), expected);
    assert_int_equal (size, strlen (expected));
    return item;
}

static void take_and_ack (cohort_queue_t *self, const char *expected)
{
    cohort_item_t *item = take (self, expected);
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    assert_null (item);
}

static void nothing (cohort_queue_t *self)
{
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_queue_take (self, 1, &item), COHORT_ETIMEDOUT);
}

static size_t marks (void)
{
    size_t count = 0;
    for (int priority = 0; priority < 10; priority++) {
        for (int number = 0; number < 40; number++) {
            char path[64];
            snprintf (path, sizeof (path), "/q/items/%04d-%010d/taken", priority, number);
            count += fake_stat (path) != NULL;
        }
    }
    return count;
}

static void create_below (const char *path, const char *name, uint64_t owner)
{
    char child[128];
    snprintf (child, sizeof (child), "%s/%s", path, name);
    fake_create (child, "", owner);
}

/* The mark of the delayed item that comes first. */
static void first_due (char *due, size_t size)
{
    char path[96];
    assert_true (fake_first_child ("/q/delayed", path, sizeof (path)));
    snprintf (due, size, "%s/due", path);
}

/* ---- Order ----------------------------------------------------------------------------------- */

static void lowest_priority_then_first_put (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue (client);
    put_with (self, "c", NULL, 5, 0);
    put_with (self, "a", NULL, 2, 0);
    put_with (self, "d", NULL, 5, 0);
    put_with (self, "b", NULL, 2, 0);
    put_with (self, "z", NULL, COHORT_QUEUE_PRIORITY_MAX, 0);
    take_and_ack (self, "a");
    take_and_ack (self, "b");
    take_and_ack (self, "c");
    take_and_ack (self, "d");
    take_and_ack (self, "z");
    nothing (self);
    fake_settle (client);
    assert_int_equal (fake_count ("/q/items/"), 0);
    assert_int_equal (fake_count ("/q/waiting/"), 0);
    cohort_queue_destroy (&self);
    assert_null (self);
    fake_settle (client);
}

static void a_put_and_an_acknowledgement_are_one_write (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue (client);
    put (self, "makes the folders");
    size_t before = fake_writes ();
    put (self, "x");
    assert_int_equal (fake_writes () - before, 1);
    before = fake_writes ();
    cohort_item_t *item = take (self, "makes the folders");
    assert_int_equal (fake_writes () - before, 1);
    before = fake_writes ();
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    assert_int_equal (fake_writes () - before, 1);
    cohort_queue_destroy (&self);
    fake_settle (client);
}

static void what_is_returned_has_its_place_again (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue (client);
    put (self, "a");
    put (self, "b");
    cohort_item_t *item = take (self, "a");
    assert_int_equal (cohort_item_attempt (item), 1);
    cohort_token_t first = cohort_item_token (item);
    assert_int_equal (cohort_item_return (&item, 0, -1), 0);
    item = take (self, "a");
    assert_int_equal (cohort_item_attempt (item), 2);
    assert_true (cohort_item_token (item).czxid > first.czxid);
    assert_true (cohort_item_valid (item, 0));
    fake_set_valid_ms (client, 100);
    assert_false (cohort_item_valid (item, 100));
    /* Somebody's session ends with it. */
    char mark[128];
    snprintf (mark, sizeof (mark), "%s/taken", cohort_item_path (item));
    fake_delete (mark);
    assert_int_equal (cohort_item_ack (&item, -1), COHORT_EFENCED);
    item = take (self, "a");
    assert_int_equal (cohort_item_attempt (item), 3);
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    take_and_ack (self, "b");
    cohort_queue_destroy (&self);
    fake_settle (client);
}

/* What is listed first is taken, page after page. */
static void a_free_item_is_found_behind_many_that_are_taken (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue (client);
    fake_create ("/q", "", 0);
    fake_create ("/q/items", "", 0);
    for (int i = 0; i < 300; i++) {
        char path[64];
        snprintf (path, sizeof (path), "/q/items/0000-%010d", i);
        fake_create (path, "1 0 \nx", 0);
        if (i != 290) {
            create_below (path, "taken", 77);
        }
    }
    cohort_item_t *item = take (self, "x");
    assert_string_equal (cohort_item_path (item), "/q/items/0000-0000000290");
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    cohort_queue_destroy (&self);
    fake_settle (client);
}

/* ---- Ids ------------------------------------------------------------------------------------- */

static void one_id_is_one_item (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue_with (client, 0, 0);
    cohort_put_options_t options = {.size = sizeof (options), .id = "order-7"};
    int existed = -1;
    assert_int_equal (cohort_queue_put (self, "a", 1, &options, -1, &existed), 0);
    assert_int_equal (existed, 0);
    assert_int_equal (cohort_queue_put (self, "b", 1, &options, -1, &existed), 0);
    assert_int_equal (existed, 1);
    options.delay_ms = 5;
    assert_int_equal (cohort_queue_put (self, "c", 1, &options, -1, &existed), 0);
    assert_int_equal (existed, 1);
    cohort_item_t *item = take (self, "a");
    assert_string_equal (cohort_item_id (item), "order-7");
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    nothing (self);
    /* Done, and not remembered. */
    put_with (self, "again", "order-7", 0, 0);
    item = take (self, "again");
    fake_delete ("/q/ids/order-7");
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    assert_int_equal (fake_count ("/q/items/"), 0);
    cohort_queue_destroy (&self);
    fake_settle (client);
}

static void an_id_is_remembered (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue_with (client, 0, 5000);
    put_with (self, "a", "x", 0, 0);
    assert_int_equal (fake_stat ("/q/ids/x")->ttl_ms, 0);
    take_and_ack (self, "a");
    assert_int_equal (fake_stat ("/q/ids/x")->ttl_ms, 5000);
    put_with (self, "b", "x", 0, 0);
    nothing (self);
    cohort_queue_destroy (&self);
    fake_settle (client);
}

/* ---- Delays ---------------------------------------------------------------------------------- */

static void a_delayed_item_comes_when_the_servers_say_so (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue (client);
    fake_now_ms = 1000000;
    put_with (self, "later", "x", 3, 500);
    put_with (self, "last", NULL, 3, 600);
    fake_now_ms = 0;
    nothing (self);
    char due[128];
    first_due (due, sizeof (due));
    assert_non_null (strstr (due, "/00000000000001000500-0003-"));
    assert_int_equal (fake_stat (due)->ttl_ms, 500);
    fake_delete (due);
    cohort_item_t *item = take (self, "later");
    assert_int_equal (cohort_item_priority (item), 3);
    assert_string_equal (cohort_item_id (item), "x");
    assert_int_equal (cohort_item_attempt (item), 1);
    /* Returned with a delay it keeps what it is. */
    assert_int_equal (cohort_item_return (&item, 50, -1), 0);
    assert_int_equal (fake_count ("/q/items/"), 0);
    nothing (self);
    first_due (due, sizeof (due));
    assert_non_null (strstr (due, "/00000000000000000050-0003-"));
    fake_delete (due);
    item = take (self, "later");
    assert_int_equal (cohort_item_attempt (item), 2);
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    assert_null (fake_data ("/q/ids/x"));
    nothing (self);
    cohort_queue_destroy (&self);
    fake_settle (client);
}

static void two_consumers_move_a_due_item_once (void **state)
{
    (void) state;
    cohort_t *clients[] = {fake_client (), fake_client ()};
    cohort_queue_t *queues[] = {queue_with (clients[0], 1, 0), queue_with (clients[1], 1, 0)};
    put_with (queues[0], "x", NULL, 0, 10);
    for (int i = 0; i < 4; i++) {
        fake_settle (clients[i % 2]);
    }
    char due[128];
    first_due (due, sizeof (due));
    fake_delete (due);
    for (int i = 0; i < 8; i++) {
        (void) cohort_dispatch (clients[i % 2], 1);
        (void) fake_flush_one (clients[(i + 1) % 2]);
    }
    for (int i = 0; i < 6; i++) {
        fake_settle (clients[i % 2]);
    }
    assert_int_equal (fake_count ("/q/delayed/"), 0);
    assert_int_equal (marks (), 1);
    assert_int_equal (cohort_queue_ready (queues[0]) + cohort_queue_ready (queues[1]), 1);
    for (int i = 0; i < 2; i++) {
        cohort_queue_destroy (&queues[i]);
        fake_settle (clients[i]);
    }
    assert_int_equal (marks (), 0);
}

/* ---- Several consumers ----------------------------------------------------------------------- */

static void who_is_slower_takes_the_next (void **state)
{
    (void) state;
    cohort_t *clients[] = {fake_client (), fake_client ()};
    cohort_queue_t *queues[] = {queue (clients[0]), queue (clients[1])};
    put (queues[0], "a");
    put (queues[0], "b");
    put (queues[0], "c");
    cohort_queue_destroy (&queues[0]);
    fake_settle (clients[0]);
    queues[0] = queue_with (clients[0], 1, 0);
    /* Its claim is in the queue of requests; the other is faster. */
    fake_flush (clients[0]);
    (void) cohort_dispatch (clients[0], 0);
    take_and_ack (queues[1], "a");
    fake_settle (clients[0]);
    assert_trace ("ready; ");
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_queue_take (queues[0], 0, &item), 0);
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    fake_settle (clients[0]);
    assert_int_equal (cohort_queue_take (queues[0], 0, &item), 0);
    assert_int_equal (cohort_item_return (&item, 0, -1), 0);
    for (int i = 0; i < 2; i++) {
        cohort_queue_destroy (&queues[i]);
        fake_settle (clients[i]);
    }
    assert_int_equal (fake_count ("/q/items/"), 1);
}

#define WAITING 6

static size_t streams (cohort_t *const *clients)
{
    size_t count = 0;
    for (int i = 0; i < WAITING; i++) {
        count += fake_streams (clients[i]);
    }
    return count;
}

static void settle_all (cohort_t *const *clients)
{
    for (int i = 0; i < 4 * WAITING; i++) {
        fake_settle (clients[i % WAITING]);
    }
}

static void a_put_wakes_two_of_many (void **state)
{
    (void) state;
    cohort_t *clients[WAITING], *producer = fake_client ();
    cohort_queue_t *queues[WAITING], *in = queue (producer);
    put (in, "first");
    fake_settle (producer);
    for (int i = 0; i < WAITING; i++) {
        clients[i] = fake_client ();
        queues[i] = queue_with (clients[i], 1, 0);
        fake_settle (clients[i]);
    }
    settle_all (clients);
    assert_int_equal (cohort_queue_ready (queues[0]), 1);
    /* Nobody waits but for two followers of the queue (a sentinel and two streams each), and those
     * behind them (a sentinel and one). */
    assert_int_equal (streams (clients), 1 + 2 * 3 + (WAITING - 3) * 2);
    for (int n = 1; n < WAITING; n++) {
        put (in, "more");
        size_t woken = 0, ready = 0;
        for (int i = 0; i < WAITING; i++) {
            woken += fake_callbacks (clients[i]) > 0;
        }
        assert_in_range (woken, 1, 2);
        settle_all (clients);
        for (int i = 0; i < WAITING; i++) {
            ready += cohort_queue_ready (queues[i]);
        }
        assert_int_equal (ready, n + 1);
    }
    assert_int_equal (fake_count ("/q/waiting/"), 0);
    for (int i = 0; i < WAITING; i++) {
        cohort_queue_destroy (&queues[i]);
        fake_settle (clients[i]);
    }
    assert_int_equal (marks (), 0);
    cohort_queue_destroy (&in);
    fake_settle (producer);
}

/* The line closes up, whoever goes. */
static void the_line_goes_on_without_those_who_die (void **state)
{
    (void) state;
    for (int dying = 0; dying < WAITING; dying++) {
        (void) fake_start (NULL);
        cohort_t *clients[WAITING];
        cohort_queue_t *queues[WAITING];
        for (int i = 0; i < WAITING; i++) {
            clients[i] = fake_client ();
            queues[i] = queue_with (clients[i], 1, 0);
            fake_settle (clients[i]);
        }
        settle_all (clients);
        for (int i = 0; i <= dying; i++) {
            /* It dies: nobody runs it any more. */
            fake_suspend (clients[i]);
            fake_reap (cohort_session_id (clients[i]));
        }
        fake_create ("/q/items", "", 0);
        fake_create ("/q/items/0000-0000000000", "1 0 \nx", 0);
        settle_all (clients);
        size_t ready = 0;
        for (int i = 0; i < WAITING; i++) {
            ready += cohort_queue_ready (queues[i]);
        }
        assert_int_equal (ready, dying < WAITING - 1);
        for (int i = 0; i < WAITING; i++) {
            cohort_queue_destroy (&queues[i]);
            if (i <= dying) {
                fake_resume (clients[i], false);
            }
            fake_settle (clients[i]);
        }
    }
}

static void claims_ahead_and_no_further (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *in = queue (client);
    for (int i = 0; i < 9; i++) {
        char data[2] = {(char) ('a' + i), 0};
        put (in, data);
    }
    cohort_queue_t *self = queue_with (client, 4, 0);
    fake_settle (client);
    assert_trace ("ready; ready; ready; ready; ");
    assert_int_equal (cohort_queue_ready (self), 4);
    cohort_item_t *items[4];
    for (int i = 0; i < 4; i++) {
        char data[2] = {(char) ('a' + i), 0};
        items[i] = take (self, data);
        fake_settle (client);
    }
    assert_int_equal (marks (), 4);
    assert_int_equal (cohort_queue_take (self, 1, &items[0]), COHORT_ETIMEDOUT);
    for (int i = 0; i < 4; i++) {
        assert_int_equal (cohort_item_ack_async (&items[i], on_result, "ack"), 0);
    }
    fake_settle (client);
    assert_int_equal (cohort_queue_ready (self), 4);
    cohort_queue_destroy (&self);
    fake_settle (client);
    assert_int_equal (marks (), 0);
    assert_int_equal (fake_count ("/q/items/"), 5);
    cohort_queue_destroy (&in);
}

/* Whom somebody waits for is deleted and, in the same transaction, a session is handed over. */
static void a_hand_over_between_others_is_nothing_to_a_queue (void **state)
{
    (void) state;
    enum { CONSUMERS = 3 };
    cohort_t *clients[CONSUMERS];
    cohort_queue_t *queues[CONSUMERS];
    size_t streams[CONSUMERS];
    for (int i = 0; i < CONSUMERS; i++) {
        clients[i] = fake_client ();
        queues[i] = queue_with (clients[i], 1, 0);
        fake_settle (clients[i]);
        streams[i] = fake_streams (clients[i]);
    }
    size_t writes = fake_writes ();
    fake_hand_over (77, 78);
    for (int i = 0; i < CONSUMERS; i++) {
        cohort_dispatch (clients[i], 0);
        assert_int_equal (fake_callbacks (clients[i]), 0);
        assert_int_equal (fake_requests (clients[i]), 0);
        assert_int_equal (fake_streams (clients[i]), streams[i]);
    }
    assert_int_equal (fake_writes (), writes);
    char first[64];
    assert_true (fake_first_child ("/q/waiting", first, sizeof (first)));
    fake_begin ();
    fake_delete (first);
    fake_hand_over (77, 78);
    fake_commit ();
    fake_settle (clients[2]);
    assert_int_equal (fake_streams (clients[2]), streams[0]);
    assert_trace ("");
    for (int i = 0; i < CONSUMERS; i++) {
        cohort_queue_destroy (&queues[i]);
        fake_settle (clients[i]);
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (lowest_priority_then_first_put),
        TEST (a_put_and_an_acknowledgement_are_one_write),
        TEST (what_is_returned_has_its_place_again),
        TEST (a_free_item_is_found_behind_many_that_are_taken),
        TEST (one_id_is_one_item),
        TEST (an_id_is_remembered),
        TEST (a_delayed_item_comes_when_the_servers_say_so),
        TEST (two_consumers_move_a_due_item_once),
        TEST (who_is_slower_takes_the_next),
        TEST (a_put_wakes_two_of_many),
        TEST (the_line_goes_on_without_those_who_die),
        TEST (claims_ahead_and_no_further),
        TEST (a_hand_over_between_others_is_nothing_to_a_queue),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
