/* Pools with the real client and a real server in this process. */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/fault.h"
#include "tests/unit/recipes/live.h"

#define TASKS 20

struct party {
    cohort_t *client;
    cohort_pool_t *pool;
    bool leads;
    int orphaned;
    int has, done; /* tasks, and results that were recorded */
    bool works;    /* or it keeps what it has */
};

static void on_done (cohort_pool_t *self, const char *id, int rc, void *arg)
{
    struct party *party = arg;
    (void) self;
    (void) id;
    party->done += rc == 0;
}

static void on_event (cohort_pool_t *self, const cohort_pool_event_t *event, void *arg)
{
    struct party *party = arg;
    if (event->kind == COHORT_POOL_LEADS || event->kind == COHORT_POOL_DEPOSED) {
        party->leads = event->kind == COHORT_POOL_LEADS;
    } else if (event->kind == COHORT_POOL_ORPHANED) {
        party->orphaned++;
    } else if (event->kind == COHORT_POOL_WITHDRAWN) {
        party->has--;
    } else if (event->kind == COHORT_POOL_TASK) {
        party->has++;
        if (party->works) {
            assert_int_equal (cohort_pool_done_async (self, event->task->id, event->task->attempt,
                                                      event->task->data, event->task->size, on_done,
                                                      party),
                              0);
        }
    }
}

static void join (struct party *self, const char *name, int roles, cohort_options_t options)
{
    cohort_pool_options_t pool = {
        .size = sizeof (pool), .roles = roles, .worker = name, .capacity = 3};
    *self = (struct party){.client = live_client_with (options)};
    self->pool = cohort_pool_new (self->client, "/game/jobs", &pool);
    assert_non_null (self->pool);
    cohort_pool_set_handler (self->pool, on_event, self);
}

static bool synced;

static void on_synced (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    (void) result;
    (void) arg;
    synced = true;
}

/* The answers to what is left behind come before that of a sync. */
static void end (struct party *self)
{
    cohort_pool_destroy (&self->pool);
    synced = false;
    int rc = cohort_sync_async (self->client, on_synced, NULL);
    while (rc == 0 && !synced) {
        (void) cohort_server_advance_ms (live_server, 1); /* if its clock is ours */
        assert_true (cohort_run (self->client, 1) >= 0);
    }
    (void) cohort_dispatch (self->client, 0);
    cohort_destroy (&self->client);
}

static void tasks_are_done_whoever_dies (void **state)
{
    (void) state;
    static struct party all[4];
    const cohort_options_t mortal = {
        .timeout_ms = 400, .disconnect_grace_ms = 400, .watchdog_ms = 100};
    join (&all[0], "m", COHORT_POOL_MASTER, mortal);
    live_until (all[0].client, all[0].leads);
    join (&all[1], "n", COHORT_POOL_MASTER, (cohort_options_t){.timeout_ms = 1000000});
    join (&all[2], "dies", COHORT_POOL_WORKER, mortal);
    for (int i = 0; i < TASKS; i++) {
        char id[12];
        snprintf (id, sizeof (id), "%02d", i);
        assert_int_equal (cohort_pool_submit (all[1].pool, id, id, 2, LIVE_LIMIT_MS), 0);
    }
    live_until (all[0].client, cohort_dispatch (all[2].client, 0) >= 0 && all[2].has == 3);
    /* The master and the worker hang, and their sessions end. */
    join (&all[3], "works", COHORT_POOL_WORKER, (cohort_options_t){.timeout_ms = 1000000});
    all[3].works = true;
    for (int ms = 0; all[3].done < TASKS; ms += LIVE_STEP_MS) {
        assert_true (ms < LIVE_LIMIT_MS);
        assert_int_equal (cohort_server_advance_ms (live_server, LIVE_STEP_MS), 0);
        assert_true (cohort_run (all[1].client, 1) >= 0);
        assert_true (cohort_run (all[3].client, 1) >= 0);
    }
    assert_true (all[1].leads);
    assert_int_equal (all[1].orphaned, 3);
    int64_t count = 0;
    assert_int_equal (cohort_count (all[1].client, "/game/jobs/status", NULL, &count, NULL), 0);
    assert_int_equal (count, TASKS);
    for (int i = 0; i < TASKS; i++) {
        char id[12];
        void *result = NULL;
        size_t size = 0;
        int attempt = 0;
        snprintf (id, sizeof (id), "%02d", i);
        assert_int_equal (
            cohort_pool_result (all[1].pool, id, LIVE_LIMIT_MS, &result, &size, &attempt), 0);
        assert_string_equal (result, id);
        assert_int_equal (attempt, i < 3 ? 2 : 1);
        free (result);
    }
    for (int i = 0; i < 4; i++) {
        end (&all[i]);
    }
}

/* What comes next has arrived, is not dispatched, and the connection is gone. */
static void cut_before_dispatch (struct party *self, const struct party *other)
{
    struct pollfd ready = {.fd = cohort_fd (self->client), .events = POLLIN};
    assert_int_equal (poll (&ready, 1, LIVE_LIMIT_MS), 1);
    assert_int_equal (cohort_state (self->client), COHORT_CONNECTED);
    cohort_fault_isolate (self->client, 1);
    live_until (other->client, cohort_state (self->client) == COHORT_SUSPENDED);
    assert_true (cohort_dispatch (self->client, 0) > 0);
    cohort_fault_isolate (self->client, 0);
}

/* All that it has asked for is answered, and dispatched. */
static void come_to_rest (const struct party *self)
{
    assert_int_equal (cohort_sync (self->client), 0);
    while (cohort_dispatch (self->client, 0) > 0) {
    }
}

static void a_connection_breaks_between_a_batch_and_its_dispatch (void **state)
{
    (void) state;
    static struct party all[3];
    join (&all[0], "m", COHORT_POOL_MASTER, (cohort_options_t){0});
    live_until (all[0].client, all[0].leads);
    join (&all[1], "a", COHORT_POOL_WORKER, (cohort_options_t){0});
    join (&all[2], "s", 0, (cohort_options_t){0});
    all[1].works = true;
    for (int i = 0; i < 6; i++) {
        char id[12];
        snprintf (id, sizeof (id), "%02d", i);
        come_to_rest (&all[0]);
        come_to_rest (&all[1]);
        assert_int_equal (cohort_pool_submit (all[2].pool, id, id, 2, LIVE_LIMIT_MS), 0);
        if (i % 3 == 1) {
            cut_before_dispatch (&all[0], &all[2]);
        } else if (i % 3 == 2) {
            live_until (all[0].client,
                        poll (&(struct pollfd){.fd = cohort_fd (all[1].client), .events = POLLIN},
                              1, 0) == 1);
            cut_before_dispatch (&all[1], &all[2]);
        }
        live_until (all[1].client, cohort_dispatch (all[0].client, 0) >= 0 && all[1].done == i + 1);
    }
    for (int i = 0; i < 3; i++) {
        end (&all[i]);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (tasks_are_done_whoever_dies, live_start_manual, live_stop),
        cmocka_unit_test_setup_teardown (a_connection_breaks_between_a_batch_and_its_dispatch,
                                         live_start, live_stop),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
