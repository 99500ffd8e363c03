/* Pools: what is submitted is assigned, done and recorded once, whoever dies. */

#include "tests/unit/recipes/poolers.h"

/* WRITES: that a master has on their way at a time, POOL_WRITES_MAX. */
enum { MASTER = COHORT_POOL_MASTER, WORKER = COHORT_POOL_WORKER, WRITES = 64 };

static void a_task_is_three_writes (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 2);
    assert_trace ("m leads; a registered; ");
    submit (&all[0], "t0", "x");
    settle_pool (all, 2);
    assert_trace ("m assigned t01 a; a task t01; ");
    assert_int_equal (cohort_pool_has (all[1].pool, "t0", 1, 100), 1);
    assert_int_equal (cohort_pool_has (all[1].pool, "t0", 2, 100), 0);
    assert_int_equal (fake_count (POOL "/tasks/"), 0);
    done (&all[1], "t0", 1, 0);
    assert_int_equal (fake_count (POOL "/assign/a/"), 0);
    size_t writes = fake_writes ();
    submit (&all[0], "t1", "x");
    settle_pool (all, 2);
    done (&all[1], "t1", 1, 0);
    assert_int_equal (fake_writes () - writes, 3);
    settle_pool (all, 2);
    assert_trace ("m assigned t11 a; a task t11; ");
    void *result = NULL;
    size_t size = 0;
    int attempt = 0;
    assert_int_equal (cohort_pool_result (all[0].pool, "t1", -1, &result, &size, &attempt), 0);
    assert_string_equal (result, "ok");
    assert_int_equal (size, 2);
    assert_int_equal (attempt, 1);
    free (result);
    /* It is known, and not done again. */
    assert_int_equal (cohort_pool_submit (all[0].pool, "t1", "x", 1, -1), COHORT_ENODEEXISTS);
    assert_int_equal (cohort_pool_result (all[0].pool, "t2", 1, &result, &size, NULL),
                      COHORT_ETIMEDOUT);
    done (&all[1], "t1", 1, COHORT_EFENCED);
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
}

static void tasks_go_to_those_that_have_room (void **state)
{
    (void) state;
    struct pooler all[] = {
        pooler ("m", MASTER), pooler_with ("a", (cohort_pool_options_t){.roles = WORKER}),
        pooler_with ("b", (cohort_pool_options_t){
                              .roles = WORKER, .capacity = 2, .data = "big", .data_size = 3})};
    settle_pool (all, 3);
    trace_text[0] = 0;
    submit (&all[1], "t0", "");
    submit (&all[1], "t1", "");
    submit (&all[1], "t2", "");
    submit (&all[1], "t3", "");
    settle_pool (all, 3);
    assert_trace ("m assigned t01 a; m assigned t11 b; m assigned t21 b; a task t01; b task t11; "
                  "b task t21; ");
    done (&all[2], "t1", 1, 0);
    settle_pool (all, 3);
    assert_trace ("m assigned t31 b; b task t31; ");
    for (int i = 0; i < 3; i++) {
        pooler_leaves (&all[i]);
    }
}

static int choose_big (cohort_pool_t *self, const cohort_task_t *task,
                       const cohort_pool_worker_t *workers, size_t count, void *arg)
{
    fake_in_handler ();
    (void) self;
    *(int *) arg += 1;
    for (size_t i = 0; i < count; i++) {
        if (strcmp (workers[i].data, task->data) == 0) {
            return (int) i;
        }
    }
    return -1;
}

static void a_chooser_decides (void **state)
{
    (void) state;
    struct pooler all[] = {
        pooler ("m", MASTER),
        pooler_with ("a", (cohort_pool_options_t){.roles = WORKER, .capacity = 9}),
        pooler_with ("b", (cohort_pool_options_t){
                              .roles = WORKER, .capacity = 1, .data = "big", .data_size = 3})};
    int asked = 0;
    cohort_pool_set_chooser (all[0].pool, choose_big, &asked);
    settle_pool (all, 3);
    trace_text[0] = 0;
    submit (&all[0], "t0", "big");
    submit (&all[0], "t1", "big");
    submit (&all[0], "t2", "small");
    settle_pool (all, 3);
    assert_trace ("m assigned t01 b; b task t01; ");
    assert_true (asked >= 3);
    asked = 0;
    assert_int_equal (cohort_pool_retry (all[0].pool), 0);
    assert_int_equal (asked, 0);
    fake_settle (all[0].client);
    assert_int_equal (asked, 2);
    cohort_pool_set_chooser (all[0].pool, NULL, NULL);
    done (&all[2], "t0", 1, 0);
    settle_pool (all, 3);
    assert_trace ("m assigned t11 a; m assigned t21 b; a task t11; b task t21; ");
    for (int i = 0; i < 3; i++) {
        pooler_leaves (&all[i]);
    }
}

static void a_dead_worker_s_task_is_assigned_again_once (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 2);
    submit (&all[0], "t0", "x");
    settle_pool (all, 2);
    trace_text[0] = 0;
    fake_expire (all[1].client, false, true);
    fake_settle (all[0].client);
    assert_trace ("m orphaned t02 a; ");
    struct pooler b = pooler ("b", WORKER);
    fake_settle (all[0].client);
    fake_settle (b.client);
    assert_trace ("b registered; m assigned t02 b; b task t02; ");
    /* The dead one finds out, and cannot record. */
    done (&all[1], "t0", 1, COHORT_EFENCED);
    fake_settle (all[1].client);
    assert_trace ("a withdrawn t01 -211; a registered; ");
    done (&b, "t0", 2, 0);
    settle_pool (all, 2);
    assert_trace ("");
    assert_int_equal (fake_count (POOL "/status/t0"), 1);
    assert_int_equal (fake_count (POOL "/tasks/") + fake_count (POOL "/assign/b/"), 0);
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
    pooler_leaves (&b);
}

static void a_result_that_comes_late_is_refused (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 2);
    submit (&all[0], "t0", "x");
    settle_pool (all, 2);
    trace_text[0] = 0;
    /* It has recorded, as it believes; its registration was gone before. */
    fake_suspend (all[1].client);
    assert_int_equal (cohort_pool_done (all[1].pool, "t0", 1, "late", 4, 1), COHORT_ETIMEDOUT);
    fake_delete (POOL "/workers/a");
    fake_settle (all[0].client);
    assert_trace ("m orphaned t02 a; ");
    fake_resume (all[1].client, false);
    settle_pool (all, 2);
    assert_trace ("a withdrawn t01 -211; a registered; m assigned t02 a; a task t02; ");
    assert_int_equal (fake_count (POOL "/status/"), 0);
    done (&all[1], "t0", 2, 0);
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
}

static void a_worker_of_the_same_name_is_another (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 2);
    submit (&all[0], "t0", "x");
    settle_pool (all, 2);
    fake_suspend (all[0].client);
    trace_text[0] = 0;
    fake_expire (all[1].client, false, true);
    fake_settle (all[1].client);
    /* What the earlier one had is not its. */
    assert_trace ("a withdrawn t01 -211; a registered; ");
    fake_resume (all[0].client, true);
    settle_pool (all, 2);
    assert_trace ("m orphaned t02 a; m assigned t02 a; a task t02; ");
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
}

/* It is back before its task could be put back: what the master had decided is refused, and what
 * refused it had been told before. */
static void a_worker_is_back_before_its_task_is_put_back (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 2);
    submit (&all[0], "t0", "x");
    settle_pool (all, 2);
    trace_text[0] = 0;
    fake_expire (all[1].client, false, true);
    (void) cohort_dispatch (all[0].client, 0);
    assert_int_equal (fake_requests (all[0].client), 1);
    fake_settle (all[1].client);
    (void) cohort_dispatch (all[0].client, 0);
    settle_pool (all, 2);
    assert_trace ("a withdrawn t01 -211; a registered; m orphaned t02 a; m assigned t02 a; "
                  "a task t02; ");
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
}

static void another_master_goes_on (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("n", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 3);
    submit (&all[2], "t0", "x");
    submit (&all[2], "t1", "x");
    settle_pool (all, 3);
    assert_trace ("m leads; a registered; m assigned t01 a; a task t01; ");
    assert_int_equal (cohort_pool_leads (all[0].pool, 0), 1);
    assert_int_equal (cohort_pool_leads (all[1].pool, 0), 0);
    /* The old one is cut off in the middle of an assignment. */
    done (&all[2], "t0", 1, 0);
    fake_hold (all[0].client, true);
    fake_settle (all[0].client);
    fake_expire (all[0].client, false, true);
    fake_settle (all[1].client);
    fake_settle (all[2].client);
    assert_trace ("n leads; n assigned t11 a; a task t11; ");
    fake_hold (all[0].client, false);
    settle_pool (all, 3);
    assert_trace ("m deposed -112; ");
    assert_int_equal (cohort_pool_leads (all[1].pool, 0), 1);
    done (&all[2], "t1", 1, 0);
    for (int i = 0; i < 3; i++) {
        pooler_leaves (&all[i]);
    }
}

/* A master that believes to lead, and does not: nothing that it writes is carried out. */
static void two_masters_do_no_harm (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("n", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 3);
    trace_text[0] = 0;
    submit (&all[2], "t0", "x");
    (void) cohort_dispatch (all[0].client, 0); /* its assignment is on its way */
    assert_int_equal (fake_requests (all[0].client), 1);
    char node[64];
    assert_true (fake_first_child (POOL "/master", node, sizeof (node)));
    fake_delete (node);
    fake_flush (all[0].client);
    assert_int_equal (fake_count (POOL "/tasks/t0"), 1);
    fake_settle (all[1].client);
    settle_pool (all, 3);
    assert_int_equal (fake_count (POOL "/assign/a/t0"), 1);
    assert_non_null (strstr (trace_text, "n leads; n assigned t01 a; "));
    assert_null (strstr (trace_text, "m assigned"));
    for (int i = 0; i < 3; i++) {
        pooler_leaves (&all[i]);
    }
}

static void a_task_that_kills_its_workers_fails (void **state)
{
    (void) state;
    struct pooler m =
        pooler_with ("m", (cohort_pool_options_t){.roles = MASTER, .attempts_max = 2});
    submit (&m, "bad", "x");
    for (int i = 1; i <= 2; i++) {
        struct pooler w = pooler ("w", WORKER);
        fake_settle (m.client);
        fake_settle (w.client);
        trace_text[0] = 0;
        pooler_leaves (&w);
        fake_settle (m.client);
        assert_trace (i == 1 ? "m orphaned bad2 w; " : "m orphaned bad2 w -214; ");
    }
    void *result = NULL;
    size_t size = 0;
    assert_int_equal (cohort_pool_result (m.pool, "bad", -1, &result, &size, NULL), COHORT_EFENCED);
    assert_int_equal (fake_count (POOL "/tasks/"), 0);
    pooler_leaves (&m);
}

static void a_task_that_is_submitted_twice_has_one_result (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 2);
    submit (&all[0], "t", "x");
    settle_pool (all, 2);
    submit (&all[0], "t", "x"); /* while it is assigned */
    settle_pool (all, 2);
    assert_trace ("m leads; a registered; m assigned t1 a; a task t1; ");
    /* Its worker dies: there is one task again. */
    fake_expire (all[1].client, false, true);
    settle_pool (all, 2);
    assert_trace (
        "m orphaned t2 a; a withdrawn t1 -211; a registered; m assigned t2 a; a task t2; ");
    submit (&all[0], "t", "x");
    done (&all[1], "t", 2, 0);
    settle_pool (all, 2);
    assert_trace ("");
    assert_int_equal (fake_count (POOL "/tasks/"), 0);
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
}

/* The connection of one of them breaks when a batch has come and is not dispatched yet; nothing
 * else happens. */
static void break_before_a_batch_is_dispatched (int whose)
{
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER), pooler ("s", 0)};
    settle_pool (all, 3);
    submit (&all[2], "t0", "x");
    for (int i = 0; i < whose; i++) {
        fake_settle (all[i].client);
    }
    fake_suspend (all[whose].client);
    fake_settle (all[whose].client);
    assert_int_equal (fake_callbacks (all[whose].client), 0);
    fake_resume (all[whose].client, false);
    settle_pool (all, 3);
    assert_trace ("m leads; a registered; m assigned t01 a; a task t01; ");
    done (&all[1], "t0", 1, 0);
    for (int i = 0; i < 3; i++) {
        pooler_leaves (&all[i]);
    }
}

static void a_master_is_cut_off_before_it_is_told_of_a_task (void **state)
{
    (void) state;
    break_before_a_batch_is_dispatched (0);
}

static void a_worker_is_cut_off_before_it_is_told_of_a_task (void **state)
{
    (void) state;
    break_before_a_batch_is_dispatched (1);
}

/* The batches are looked at, and the answers to the master's writes come too late for that. */
static void a_master_is_cut_off_before_it_is_answered (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("s", 0)};
    settle_pool (all, 2);
    /* More than are written at a time. */
    struct pooler a =
        pooler_with ("a", (cohort_pool_options_t){.roles = WORKER, .capacity = 2 * WRITES});
    for (int i = 0; i < WRITES + 1; i++) {
        char id[12];
        snprintf (id, sizeof (id), "%03d", i);
        submit (&all[1], id, "x");
    }
    (void) cohort_dispatch (all[0].client, 0);
    assert_int_equal (fake_requests (all[0].client), WRITES);
    fake_flush (all[0].client);
    fake_set_order (all[0].client, FAKE_BATCHES_FIRST);
    while (fake_callbacks (all[0].client) > WRITES) {
        assert_int_equal (cohort_dispatch (all[0].client, 1), 1);
    }
    fake_suspend (all[0].client);
    fake_settle (all[0].client);
    fake_resume (all[0].client, false);
    settle_pool (all, 2);
    assert_int_equal (fake_count (POOL "/assign/a/"), WRITES + 1);
    fake_settle (a.client);
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
    pooler_leaves (&a);
}

/* ---- Bad input ------------------------------------------------------------------------------- */

static void arguments_are_checked (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    const cohort_pool_options_t good = {.size = sizeof (good), .roles = WORKER, .worker = "a"};
    cohort_pool_options_t bad[6] = {good, good, good, good, good, good};
    bad[0].size = 3;
    bad[1].roles = 4;
    bad[2].worker = NULL;
    bad[3].worker = "a/b";
    bad[4].capacity = -1;
    bad[5].data_size = 1;
    for (int i = 0; i < 6; i++) {
        assert_null (cohort_pool_new (client, POOL, &bad[i]));
    }
    assert_null (cohort_pool_new (client, "/pool/", &good));
    assert_null (cohort_pool_new (client, POOL, NULL));
    assert_null (cohort_pool_new (NULL, POOL, &good));
    struct pooler s = pooler ("s", 0);
    assert_int_equal (cohort_pool_submit (s.pool, "", "", 0, -1), COHORT_EINVAL);
    assert_int_equal (cohort_pool_submit (s.pool, "a/b", "", 0, -1), COHORT_EINVAL);
    assert_int_equal (cohort_pool_done (s.pool, "a", 1, "", 0, -1), COHORT_EINVAL);
    assert_int_equal (cohort_pool_has (s.pool, "a", 1, 0), 0);
    assert_int_equal (cohort_pool_leads (s.pool, 0), 0);
    pooler_leaves (&s);
}

static void foreign_znodes_are_left_alone (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 2);
    submit (&all[0], "z", "x");
    settle_pool (all, 2);
    fake_create (POOL "/tasks/foreign", "something", 0);
    fake_create (POOL "/tasks/empty", "", 0);
    fake_create (POOL "/workers/foreign", "something", 7);
    fake_create (POOL "/workers/z", "worker=1\nattempt=0\ncapacity=9\nczxid=0\nfailed=0\n\n", 0);
    fake_create (POOL "/assign/nobody", "", 0);
    fake_create (POOL "/assign/nobody/foreign", "something", 0);
    fake_create (POOL "/assign/a/foreign", "task=1\nattempt=1\ncapacity=0\nczxid=x\nfailed=0\n\n",
                 0);
    fake_create (POOL "/status", "", 0);
    fake_create (POOL "/status/foreign", "something", 0);
    settle_pool (all, 2);
    assert_trace ("m leads; a registered; m assigned z1 a; a task z1; ");
    void *result = NULL;
    size_t size = 0;
    assert_int_equal (cohort_pool_result (all[0].pool, "foreign", -1, &result, &size, NULL),
                      COHORT_ECORRUPT);
    assert_int_equal (fake_count (POOL "/tasks/"), 2);
    /* An assignment that is deleted by hand. */
    fake_delete (POOL "/assign/a/z");
    settle_pool (all, 2);
    assert_trace ("a withdrawn z1 -101; ");
    done (&all[1], "z", 1, COHORT_EFENCED);
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
}

static void a_refusal_is_reported_and_tried_again (void **state)
{
    (void) state;
    struct pooler all[] = {pooler ("m", MASTER), pooler ("a", WORKER)};
    settle_pool (all, 2);
    trace_text[0] = 0;
    submit (&all[1], "t", "x");
    (void) cohort_dispatch (all[0].client, 0);
    fake_fail_request (all[0].client, COHORT_EQUOTA);
    settle_pool (all, 2);
    assert_trace ("m error -125; ");
    assert_int_equal (cohort_pool_retry (all[0].pool), 0);
    settle_pool (all, 2);
    assert_trace ("m assigned t1 a; a task t1; ");
    assert_int_equal (cohort_pool_retry (all[1].pool), 0);
    pooler_leaves (&all[0]);
    pooler_leaves (&all[1]);
}

/* ---- Handlers -------------------------------------------------------------------------------- */

static struct pooler doomed;
static cohort_pool_kind_t doom_at;

static void on_doom (cohort_pool_t *self, const cohort_pool_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) arg;
    assert_int_equal (cohort_pool_submit (self, "x", "", 0, 1), COHORT_EDEADLK);
    if (event->kind == doom_at) {
        cohort_pool_destroy (&doomed.pool);
    }
}

static void destroyed_inside_its_handlers (void **state)
{
    (void) state;
    for (int kind = COHORT_POOL_LEADS; kind <= COHORT_POOL_WITHDRAWN; kind++) {
        (void) fake_start (NULL);
        bool master = kind <= COHORT_POOL_ORPHANED;
        struct pooler other = pooler ("o", master ? WORKER : MASTER);
        submit (&other, "t", "x");
        doomed.client = fake_client ();
        doom_at = (cohort_pool_kind_t) kind;
        cohort_pool_options_t options = {
            .size = sizeof (options), .roles = master ? MASTER : WORKER, .worker = "d"};
        doomed.pool = cohort_pool_new (doomed.client, POOL, &options);
        cohort_pool_set_handler (doomed.pool, on_doom, NULL);
        for (int i = 0; i < 4; i++) {
            fake_settle (other.client);
            fake_settle (doomed.client);
        }
        if (kind == COHORT_POOL_ORPHANED) {
            fake_expire (other.client, false, true);
        } else if (kind == COHORT_POOL_DEPOSED || kind == COHORT_POOL_WITHDRAWN) {
            fake_expire (doomed.client, false, true);
        }
        for (int i = 0; i < 4; i++) {
            fake_settle (doomed.client);
            fake_settle (other.client);
        }
        assert_null (doomed.pool);
        assert_int_equal (fake_streams (doomed.client), 0);
        pooler_leaves (&other);
    }
}

static void on_submitted (cohort_pool_t *self, const char *id, int rc, void *arg)
{
    fake_in_handler ();
    (void) id;
    assert_int_equal (rc, 0);
    if (arg != NULL) {
        assert_int_equal (cohort_pool_submit_async (self, arg, "", 0, on_submitted, NULL), 0);
    } else {
        cohort_pool_destroy (&doomed.pool);
    }
}

/* A callback destroys the pool, and not the client, while a result is waited for. */
static void destroyed_while_a_result_is_waited_for (void **state)
{
    (void) state;
    doomed = pooler ("d", 0);
    assert_int_equal (cohort_pool_submit_async (doomed.pool, "t", "", 0, on_submitted, "u"), 0);
    void *result = NULL;
    size_t size = 0;
    assert_int_equal (cohort_pool_result (doomed.pool, "t", 1000, &result, &size, NULL),
                      COHORT_ECLOSING);
    assert_null (doomed.pool);
    assert_int_equal (fake_streams (doomed.client), 0);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (a_task_is_three_writes),
        TEST (tasks_go_to_those_that_have_room),
        TEST (a_chooser_decides),
        TEST (a_dead_worker_s_task_is_assigned_again_once),
        TEST (a_result_that_comes_late_is_refused),
        TEST (a_worker_of_the_same_name_is_another),
        TEST (a_worker_is_back_before_its_task_is_put_back),
        TEST (another_master_goes_on),
        TEST (two_masters_do_no_harm),
        TEST (a_task_that_kills_its_workers_fails),
        TEST (a_task_that_is_submitted_twice_has_one_result),
        TEST (a_master_is_cut_off_before_it_is_told_of_a_task),
        TEST (a_worker_is_cut_off_before_it_is_told_of_a_task),
        TEST (a_master_is_cut_off_before_it_is_answered),
        TEST (arguments_are_checked),
        TEST (foreign_znodes_are_left_alone),
        TEST (a_refusal_is_reported_and_tried_again),
        TEST (destroyed_inside_its_handlers),
        TEST (destroyed_while_a_result_is_waited_for),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
