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
    enum { TASKS = 6 };
    found_a_pool ();
    for (int i = 0; i < TASKS; i++) {
        char id[8];
        snprintf (id, sizeof id, "%d", i);
        assert_int_equal (cohort_fault_drop_replies (clients[i % PARTIES], 1), 0);
        submit (id, id, strlen (id));
        expect_result (id);
    }
    assert_int_equal (all[WORKER].has, TASKS);
    assert_int_equal (all[WORKER].done, TASKS);
    assert_int_equal (count (clients[OTHER], "/jobs/status"), TASKS);
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

/* ---- Configurations -------------------------------------------------------------------------- */

/* Two keys that are always written together: whoever sees them sees them equal. */
struct pair {
    cohort_config_t *config;
    int64_t seen;
    int calls;
};

static int64_t number_of (cohort_config_t *config, const char *key, uint64_t *mzxid)
{
    cohort_config_value_t value = {0};
    int rc = cohort_config_get (config, key, &value);
    assert_true (rc == 0 || rc == COHORT_ENONODE);
    *mzxid = value.mzxid;
    return rc == 0 ? strtoll (value.data, NULL, 10) : 0;
}

static void on_pair (cohort_config_t *config, const cohort_config_changes_t *changes, void *arg)
{
    struct pair *self = arg;
    uint64_t mzxid = 0;
    (void) changes;
    self->seen = number_of (config, "a/left", &mzxid);
    assert_int_equal (number_of (config, "right", &mzxid), self->seen);
    self->calls++;
}

static void follow_pair (cohort_t *client, struct pair *self)
{
    self->config = cohort_config_new (client, "/settings");
    assert_non_null (self->config);
    assert_int_equal (cohort_config_watch_prefix (self->config, "", on_pair, self), 0);
    assert_int_equal (cohort_config_wait (self->config, LIMIT_MS), 0);
}

/* Both one higher; 0, or why not. */
static int raise_pair (cohort_config_t *config)
{
    uint64_t left = 0, right = 0;
    char text[24];
    snprintf (text, sizeof text, "%lld", (long long) number_of (config, "a/left", &left) + 1);
    (void) number_of (config, "right", &right);
    cohort_config_update_t *update = cohort_config_update_new (config);
    (void) cohort_config_update_set (update, "a/left", text, strlen (text), left);
    (void) cohort_config_update_set (update, "right", text, strlen (text), right);
    int rc = cohort_config_commit (update, LIMIT_MS);
    cohort_config_update_destroy (&update);
    return rc;
}

/* Each update happens once and whole, and everybody sees it so. */
static void raise_in_turn (int raises, bool leaders_die)
{
    cohort_t *pair_clients[] = {join (), join ()};
    struct pair pairs[2] = {0};
    follow_pair (pair_clients[0], &pairs[0]);
    follow_pair (pair_clients[1], &pairs[1]);
    int done = 0;
    for (int i = 0; done < raises; i++) {
        assert_true (i < 4 * raises);
        if (leaders_die && i % 4 == 1) {
            kill_leader_and_start_it_anew ();
        } else if (!leaders_die) {
            assert_int_equal (cohort_fault_drop_replies (pair_clients[i % 2], 1), 0);
        }
        int rc = raise_pair (pairs[i % 2].config);
        assert_true (rc == 0 || rc == COHORT_EBADVERSION);
        done += rc == 0;
        assert_int_equal (cohort_fault_drop_replies (pair_clients[i % 2], 0), 0);
    }
    until (pair_clients, 2, pairs[0].seen == raises && pairs[1].seen == raises);
    for (int i = 0; i < 2; i++) {
        cohort_config_destroy (&pairs[i].config);
        leave (&pair_clients[i]);
    }
}

static void updates_lose_their_answers (void **state)
{
    (void) state;
    raise_in_turn (3, false);
}

static void updates_outlive_their_leader (void **state)
{
    (void) state;
    raise_in_turn (8, true);
}

/* It was deleted by hand, and written anew; and its session ends in the middle of an update. */
static void a_configuration_s_root_is_deleted (void **state)
{
    (void) state;
    cohort_t *client = join ();
    struct pair pair = {0};
    follow_pair (client, &pair);
    assert_int_equal (raise_pair (pair.config), 0);
    assert_int_equal (raise_pair (pair.config), 0);
    until (&client, 1, pair.seen == 2);
    assert_int_equal (cohort_delete_tree (client, "/settings", 0, COHORT_ANY_VERSION, NULL), 0);
    until (&client, 1, pair.seen == 0);
    assert_int_equal (raise_pair (pair.config), 0);
    until (&client, 1, pair.seen == 1);
    for (int i = 0; i < 4; i++) {
        int64_t before = pair.seen;
        assert_int_equal (cohort_test_expire (test, client), 0);
        int rc = raise_pair (pair.config);
        assert_true (rc == 0 || rc == COHORT_ESESSIONEXPIRED || rc == COHORT_EBADVERSION);
        assert_int_equal (cohort_config_wait (pair.config, LIMIT_MS), 0);
        uint64_t mzxid = 0;
        int64_t now = number_of (pair.config, "right", &mzxid);
        assert_true (rc == 0 ? now == before + 1 : now == before || now == before + 1);
        until (&client, 1, pair.seen == now);
    }
    cohort_config_destroy (&pair.config);
    leave (&client);
}

/* ---- Directories ----------------------------------------------------------------------------- */

struct listed {
    int added, removed, bad, synced, lost;
};

static void on_listed (cohort_directory_t *directory, const cohort_directory_event_t *event,
                       void *arg)
{
    struct listed *self = arg;
    (void) directory;
    self->added += event->kind == COHORT_DIRECTORY_ADDED;
    self->removed += event->kind == COHORT_DIRECTORY_REMOVED;
    self->bad += event->kind == COHORT_DIRECTORY_BAD;
    self->synced += event->kind == COHORT_DIRECTORY_SYNCED;
    self->lost += event->kind == COHORT_DIRECTORY_LOST;
    assert_int_not_equal (event->kind, COHORT_DIRECTORY_ERROR);
}

static const char instance_text[] = "ip=10.0.0.7\nport=7777\n";

static cohort_member_t *serve (cohort_t *client, const char *path)
{
    cohort_member_t *member = cohort_member_new (client, path, instance_text,
                                                 sizeof instance_text - 1, COHORT_MEMBER_WAIT);
    assert_non_null (member);
    assert_int_equal (cohort_member_wait (member, LIMIT_MS), 0);
    return member;
}

/* A lobby that was cut off calls its list current when it is, and not before. */
static void a_list_is_not_current_before_it_has_caught_up (void **state)
{
    (void) state;
    cohort_t *members[] = {join (), join ()};
    cohort_t *lobby = join ();
    cohort_member_t *servers[] = {serve (members[0], "/servers/eu/1"),
                                  serve (members[1], "/servers/eu/2")};
    struct listed listed = {0};
    cohort_directory_t *directory = cohort_directory_new (lobby, "/servers", NULL);
    assert_non_null (directory);
    cohort_directory_set_handler (directory, on_listed, &listed);
    assert_int_equal (cohort_directory_wait (directory, LIMIT_MS), 0);
    assert_int_equal (cohort_directory_count (directory), 2);
    for (int turn = 0; turn < 4; turn++) {
        cohort_fault_isolate (lobby, 1);
        until (&lobby, 1, cohort_directory_stale_ms (directory) > 0);
        listed.synced = 0;
        if (turn % 2 == 0) {
            cohort_member_destroy (&servers[0]);
            assert_int_equal (cohort_sync (members[0]), 0);
        } else {
            servers[0] = serve (members[0], "/servers/eu/1");
        }
        assert_int_not_equal (cohort_directory_count (directory), 0);
        cohort_fault_isolate (lobby, 0);
        size_t now = turn % 2 == 0 ? 1 : 2;
        while (cohort_directory_stale_ms (directory) > 0) {
            assert_int_equal (listed.synced, 0);
            assert_true (cohort_run (lobby, STEP_MS) >= 0);
        }
        assert_int_equal (cohort_directory_count (directory), now);
        assert_int_equal (listed.synced, 1);
    }
    assert_int_equal (listed.lost, 0);
    cohort_directory_destroy (&directory);
    leave (&lobby);
    for (int i = 0; i < 2; i++) {
        cohort_member_destroy (&servers[i]);
        leave (&members[i]);
    }
}

/* Others' znodes among the instances, and all of it deleted by hand. */
static void a_directory_among_others (void **state)
{
    (void) state;
    cohort_t *server = join (), *lobby = join ();
    cohort_member_t *member = serve (server, "/servers/eu/1");
    struct listed listed = {0};
    cohort_directory_t *directory = cohort_directory_new (lobby, "/servers", NULL);
    assert_non_null (directory);
    cohort_directory_set_handler (directory, on_listed, &listed);
    assert_int_equal (cohort_directory_wait (directory, LIMIT_MS), 0);
    static const char *const paths[] = {"/servers/a", "/servers/eu/bad", "/servers/eu/bad/deep",
                                        "/servers/eu/empty"};
    static const char *const texts[] = {"ip=", "port=0", "ip=x\nport=1\n", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal (cohort_create (server, paths[i], texts[i], strlen (texts[i]),
                                         COHORT_PERSISTENT, NULL, NULL, NULL),
                          0);
    }
    until (&lobby, 1, cohort_directory_bad_count (directory) == 2);
    assert_int_equal (listed.bad, 2);
    assert_int_equal (cohort_directory_count (directory), 1);
    assert_string_equal (cohort_directory_pick (directory, NULL, NULL)->uid, "1");
    assert_int_equal (cohort_delete_tree (lobby, "/servers", 0, COHORT_ANY_VERSION, NULL), 0);
    cohort_t *both[] = {server, lobby};
    until (both, 2, listed.removed == 1 && listed.added == 2);
    assert_int_equal (cohort_directory_bad_count (directory), 0);
    assert_int_equal (cohort_directory_count (directory), 1);
    /* The lobby's own session ends: the list stays. */
    assert_int_equal (cohort_test_expire (test, lobby), 0);
    listed.synced = 0;
    until (both, 2, listed.synced > 0);
    assert_int_equal (listed.lost, 1);
    assert_int_equal (listed.removed, 1);
    cohort_directory_destroy (&directory);
    cohort_member_destroy (&member);
    leave (&lobby);
    leave (&server);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

struct step {
    int64_t next; /* each state comes once, and none is left out */
};

static int test_step (const cohort_seen_t *seen, void *arg)
{
    struct step *self = arg;
    if (!seen->exists) {
        return 0;
    }
    int64_t value = strtoll (seen->data, NULL, 10);
    assert_true (self->next < 0 || value == self->next);
    self->next = value + 1;
    return value >= 20;
}

/* Counted up by one, while the other waits for 20, whoever's answers are lost and whoever dies. */
static void wait_for_20 (bool leaders_die)
{
    cohort_t *waiter = join (), *writer = join ();
    struct step step = {.next = -1};
    cohort_await_t *await = cohort_await_new (waiter, "/count", 0, test_step, &step);
    assert_non_null (await);
    assert_int_equal (cohort_create (writer, "/count", "0", 1, COHORT_PERSISTENT, NULL, NULL, NULL),
                      0);
    for (int i = 0; i < 20; i++) {
        if (leaders_die && i % 7 == 3) {
            kill_leader_and_start_it_anew ();
        } else if (!leaders_die && i % 4 == 0) {
            assert_int_equal (cohort_fault_drop_replies (i % 8 == 0 ? waiter : writer, 1), 0);
        } else if (!leaders_die && i % 7 == 1) {
            cohort_fault_cut (waiter);
        }
        assert_int_equal (cohort_add (writer, "/count", 1, 0, 20, NULL, NULL), 0);
        assert_true (cohort_run (waiter, 0) >= 0);
    }
    assert_int_equal (cohort_await_wait (await, LIMIT_MS), 0);
    assert_int_equal (step.next, 21);
    cohort_await_destroy (&await);
    leave (&waiter);
    leave (&writer);
}

static void a_wait_loses_answers (void **state)
{
    (void) state;
    wait_for_20 (false);
}

static void a_wait_outlives_its_leader (void **state)
{
    (void) state;
    wait_for_20 (true);
}

/* What ends a wait is said, at once; what can never be is a time-out. */
static void a_wait_that_cannot_succeed (void **state)
{
    (void) state;
    cohort_t *client = join (), *other = join ();
    assert_int_equal (cohort_create (other, "/e", "", 0, COHORT_EPHEMERAL, NULL, NULL, NULL), 0);
    assert_int_equal (cohort_await_exists (client, "/e/below", 50), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_await_children (client, "/e", 1, 50), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_await_gone (client, "/", 50), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_await_exists (client, "/", LIMIT_MS), 0);
    cohort_await_t *await = cohort_await_new (client, "/never", 0, cohort_await_test_exists, NULL);
    assert_non_null (await);
    assert_int_equal (cohort_test_expire (test, client), 0);
    assert_int_equal (cohort_await_wait (await, LIMIT_MS), COHORT_ESESSIONEXPIRED);
    cohort_await_destroy (&await);
    /* The owner of what is waited for dies: gone, and its parent stays. */
    await = cohort_await_new (client, "/e", 0, cohort_await_test_gone, NULL);
    assert_non_null (await);
    assert_int_equal (cohort_test_expire (test, other), 0);
    assert_int_equal (cohort_await_wait (await, LIMIT_MS), 0);
    cohort_await_destroy (&await);
    leave (&client);
    leave (&other);
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Nobody's copy, wait or task depends on anybody's time of day. */
static void clocks_jump (void **state)
{
    (void) state;
    enum { HOUR_MS = 3600000 };
    found_a_pool ();
    struct pair pair = {0};
    follow_pair (clients[OTHER], &pair);
    struct step step = {.next = -1};
    cohort_await_t *await = cohort_await_new (clients[OTHER], "/count", 0, test_step, &step);
    assert_non_null (await);
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf (id, sizeof id, "%d", i);
        assert_int_equal (cohort_test_step_clock (test, 0, i == 1 ? -2 * HOUR_MS : HOUR_MS), 0);
        submit (id, id, 1);
        expect_result (id);
        assert_int_equal (raise_pair (pair.config), 0);
        until (clients, PARTIES, pair.seen == i + 1);
    }
    assert_int_equal (
        cohort_create (clients[OTHER], "/count", "20", 2, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    assert_int_equal (cohort_await_wait (await, LIMIT_MS), 0);
    assert_int_equal (all[MASTER].orphaned + all[WORKER].withdrawn, 0);
    cohort_await_destroy (&await);
    cohort_config_destroy (&pair.config);
    dissolve_the_pool ();
}

int main (void)
{
#define ONE(name)   cmocka_unit_test_setup_teardown (name, begin_one, end)
#define THREE(name) cmocka_unit_test_setup_teardown (name, begin_three, end)
    const struct CMUnitTest tests[] = {
        ONE (the_largest_task_is_done),
        ONE (a_pool_s_root_is_deleted),
        ONE (a_pool_whose_folders_are_others),
        ONE (a_pool_loses_answers),
        THREE (a_pool_outlives_its_leader),
        ONE (updates_lose_their_answers),
        THREE (updates_outlive_their_leader),
        ONE (a_configuration_s_root_is_deleted),
        ONE (a_list_is_not_current_before_it_has_caught_up),
        ONE (a_directory_among_others),
        ONE (a_wait_loses_answers),
        THREE (a_wait_outlives_its_leader),
        ONE (a_wait_that_cannot_succeed),
        ONE (clocks_jump),
    };
#undef ONE
#undef THREE
    return cmocka_run_group_tests (tests, NULL, NULL);
}
