/* Copies, waiting and pools where things are against them, with real servers: znodes of others in
 * their paths, the root deleted by hand, data that nobody can read, the leader killed in the
 * middle, answers lost, sessions that end, clocks that jump, data as large as it may be. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/ensembles.h"

/* ---- Pools ----------------------------------------------------------------------------------- */

struct party {
    cohort_t *client;
    cohort_pool_t *pool;
    bool works;                                 /* or it keeps what it has */
    int has, done, withdrawn, orphaned, errors; /* results: those that were recorded */
    bool leads, registered;
};

static void on_recorded (cohort_pool_t *pool, const char *id, int rc, void *arg)
{
    struct party *self = arg;
    (void) pool;
    (void) id;
    self->done += rc == 0;
    assert_true (rc == 0 || rc == COHORT_EFENCED || rc == COHORT_EDUPLICATE ||
                 rc == COHORT_ESESSIONEXPIRED);
}

static void on_pool (cohort_pool_t *pool, const cohort_pool_event_t *event, void *arg)
{
    struct party *self = arg;
    switch (event->kind) {
    case COHORT_POOL_LEADS:
    case COHORT_POOL_DEPOSED:
        self->leads = event->kind == COHORT_POOL_LEADS;
        break;
    case COHORT_POOL_REGISTERED:
        self->registered = true;
        break;
    case COHORT_POOL_TASK:
        self->has++;
        if (self->works) {
            assert_int_equal (cohort_pool_done_async (pool, event->task->id, event->task->attempt,
                                                      event->task->id, strlen (event->task->id),
                                                      on_recorded, self),
                              0);
        }
        break;
    case COHORT_POOL_WITHDRAWN:
        self->withdrawn++;
        break;
    case COHORT_POOL_ORPHANED:
        self->orphaned++;
        break;
    case COHORT_POOL_ERROR:
        self->errors++;
        break;
    case COHORT_POOL_ASSIGNED:
        break;
    }
}

/* A master, a worker and one who submits; ready. */
enum { MASTER, WORKER, OTHER, PARTIES };

static cohort_t *clients[PARTIES];
static struct party all[PARTIES];

static void enter (int which)
{
    static const int roles[PARTIES] = {COHORT_POOL_MASTER, COHORT_POOL_WORKER, 0};
    cohort_pool_options_t options = {
        .size = sizeof options, .roles = roles[which], .worker = "w", .capacity = 2};
    all[which] = (struct party){.client = join ()};
    clients[which] = all[which].client;
    all[which].pool = cohort_pool_new (clients[which], "/jobs", &options);
    assert_non_null (all[which].pool);
    cohort_pool_set_handler (all[which].pool, on_pool, &all[which]);
}

static void found_a_pool (void)
{
    for (int i = 0; i < PARTIES; i++) {
        enter (i);
    }
    all[WORKER].works = true;
    until (clients, PARTIES, all[MASTER].leads && all[WORKER].registered);
}

static void dissolve_the_pool (void)
{
    for (int i = PARTIES - 1; i >= 0; i--) {
        cohort_pool_destroy (&all[i].pool);
        leave (&clients[i]);
    }
}

static void submit (const char *id, const void *data, size_t size)
{
    assert_int_equal (cohort_pool_submit (all[OTHER].pool, id, data, size, LIMIT_MS), 0);
}

/* Waits for the result of a task, which is its name. */
static void expect_result (const char *id)
{
    int done = all[WORKER].done;
    until (clients, PARTIES, all[WORKER].done > done);
    void *result = NULL;
    size_t result_size = 0;
    assert_int_equal (
        cohort_pool_result (all[OTHER].pool, id, LIMIT_MS, &result, &result_size, NULL), 0);
    assert_int_equal (result_size, strlen (id));
    assert_string_equal (result, id);
    free (result);
}

/* Whatever can be submitted can be assigned, put back and done. */
static void the_largest_task_is_done (void **state)
{
    (void) state;
    found_a_pool ();
    size_t size = 1 << 20;
    char *data = calloc (1, size);
    assert_non_null (data);
    int rc = COHORT_ETOOBIG;
    while (rc == COHORT_ETOOBIG && size > 0) {
        size--;
        rc = cohort_pool_submit (all[OTHER].pool, "large", data, size, LIMIT_MS);
    }
    assert_int_equal (rc, 0);
    all[WORKER].works = false;
    until (clients, PARTIES, all[WORKER].has == 1);
    all[WORKER].works = true;
    assert_int_equal (cohort_test_expire (test, clients[WORKER]), 0);
    expect_result ("large");
    assert_int_equal (all[MASTER].orphaned, 1);
    assert_int_equal (all[MASTER].errors, 0);
    free (data);
    dissolve_the_pool ();
}

/* All of it is deleted by hand: everybody begins anew. */
static void a_pool_s_root_is_deleted (void **state)
{
    (void) state;
    found_a_pool ();
    all[WORKER].works = false;
    submit ("lost", "x", 1);
    until (clients, PARTIES, all[WORKER].has == 1);
    all[MASTER].leads = all[WORKER].registered = false;
    all[WORKER].works = true;
    assert_int_equal (cohort_delete_tree (clients[OTHER], "/jobs", 0, COHORT_ANY_VERSION, NULL), 0);
    until (clients, PARTIES,
           all[MASTER].leads && all[WORKER].registered && all[WORKER].withdrawn == 1);
    submit ("next", "y", 1);
    expect_result ("next");
    dissolve_the_pool ();
}

/* Folders of the pool that are no folders. */
static void a_pool_whose_folders_are_others (void **state)
{
    (void) state;
    cohort_t *client = join ();
    assert_int_equal (cohort_create (client, "/jobs", "", 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                      0);
    assert_int_equal (
        cohort_create (client, "/jobs/assign", "", 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    assert_int_equal (
        cohort_create (client, "/jobs/assign/w", "", 0, COHORT_EPHEMERAL, NULL, NULL, NULL), 0);
    found_a_pool ();
    submit ("t", "x", 1);
    until (clients, PARTIES, all[MASTER].errors > 0);
    assert_int_equal (all[WORKER].has, 0);
    /* Its owner goes, and the pool goes on by itself. */
    leave (&client);
    expect_result ("t");
    dissolve_the_pool ();
}

/* Answers to whatever they ask are lost, a connection with each; nothing is lost or done twice. */
static void a_pool_loses_answers (void **state)
{
    (void) state;
    found_a_pool ();
    for (int i = 0; i < 12; i++) {
        char id[8];
        snprintf (id, sizeof id, "%d", i);
        assert_int_equal (cohort_fault_drop_replies (clients[i % PARTIES], 1 + i / 6), 0);
        submit (id, id, strlen (id));
        expect_result (id);
    }
    assert_int_equal (all[WORKER].has, 12);
    assert_int_equal (all[WORKER].done, 12);
    assert_int_equal (count (clients[OTHER], "/jobs/status"), 12);
    dissolve_the_pool ();
}

/* The leader of the ensemble is killed while tasks are on their way. */
static void a_pool_outlives_its_leader (void **state)
{
    (void) state;
    enum { TASKS = 12 };
    found_a_pool ();
    for (int i = 0; i < TASKS; i++) {
        char id[8];
        snprintf (id, sizeof id, "%d", i);
        assert_int_equal (cohort_pool_submit_async (all[OTHER].pool, id, id, 1, NULL, NULL), 0);
        if (i % 4 == 1) {
            kill_leader_and_start_it_anew ();
        }
    }
    until (clients, PARTIES, all[WORKER].done == TASKS);
    assert_int_equal (all[WORKER].has, TASKS);
    assert_int_equal (count (clients[OTHER], "/jobs/status"), TASKS);
    assert_int_equal (count (clients[OTHER], "/jobs/tasks"), 0);
    dissolve_the_pool ();
}

int main (void)
{
#define ONE(name)   cmocka_unit_test_setup_teardown (name, begin_one, end)
#define THREE(name) cmocka_unit_test_setup_teardown (name, begin_three, end)
    const struct CMUnitTest tests[] = {
        ONE (the_largest_task_is_done),        ONE (a_pool_s_root_is_deleted),
        ONE (a_pool_whose_folders_are_others), ONE (a_pool_loses_answers),
        THREE (a_pool_outlives_its_leader),
    };
#undef ONE
#undef THREE
    return cmocka_run_group_tests (tests, NULL, NULL);
}
