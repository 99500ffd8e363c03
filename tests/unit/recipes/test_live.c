/* The recipes with the real client and a real server in this process: what the fake cannot show,
 * that the contract they stand on is kept. */

#include <stdio.h>
#include <string.h>

#include "cohort/cohort.h"
#include "cohort/server.h"
#include "tests/unit/unit.h"

#define ENDPOINT "inproc://recipes"
#define LIMIT_MS 20000
#define STEP_MS  10
#define MEMBERS  40

static cohort_server_t *server;

static void on_log (int level, const char *event, const char *details, void *arg)
{
    (void) level;
    (void) arg;
    print_message ("server: %s %s\n", event, details);
}

static int start_on_clock (int manual_clock)
{
    cohort_server_options_t options = {.size = sizeof (options),
                                       .clients = ENDPOINT,
                                       .manual_clock = manual_clock,
                                       .log = on_log,
                                       .log_level = COHORT_LOG_ERROR};
    server = cohort_server_new (&options);
    return server != NULL && cohort_server_start (server) == 0 &&
                   cohort_server_wait (server, LIMIT_MS) == 0
               ? 0
               : -1;
}

static int start (void **state)
{
    (void) state;
    return start_on_clock (0);
}

/* Time moves when the test says so. */
static int start_manual (void **state)
{
    (void) state;
    return start_on_clock (1);
}

static int stop (void **state)
{
    (void) state;
    cohort_server_destroy (&server);
    return 0;
}

static cohort_t *client_with (cohort_options_t options)
{
    options.size = sizeof (options);
    options.loop = cohort_server_loop (server);
    cohort_t *client = cohort_new (ENDPOINT, &options);
    assert_non_null (client);
    return client;
}

static cohort_directory_t *directory_of (cohort_t *client)
{
    cohort_directory_t *directory = cohort_directory_new (client, "/servers", NULL);
    assert_non_null (directory);
    return directory;
}

static cohort_member_t *member_at (cohort_t *client, int number)
{
    char path[64];
    snprintf (path, sizeof (path), "/servers/g/%d", number);
    cohort_member_t *member =
        cohort_member_new (client, path, "ip=a\nport=1\n", 12, COHORT_MEMBER_WAIT);
    assert_non_null (member);
    return member;
}

static void publish (cohort_member_t *member, int load)
{
    char data[64];
    int size = snprintf (data, sizeof (data), "ip=a\nport=1\nload=%d\n", load);
    assert_int_equal (cohort_member_update (member, data, (size_t) size), 0);
}

/* Runs one client alone until its directory has so many instances. */
static void await_count (cohort_t *client, cohort_directory_t *directory, size_t count)
{
    for (int ms = 0; cohort_directory_count (directory) != count; ms += STEP_MS) {
        assert_true (ms < LIMIT_MS);
        assert_true (cohort_run (client, STEP_MS) >= 0);
    }
}

static void await_load (cohort_t *client, cohort_directory_t *directory, const char *uid, int load)
{
    const cohort_instance_t *instance = NULL;
    for (int ms = 0; instance == NULL || instance->load != load; ms += STEP_MS) {
        assert_true (ms < LIMIT_MS);
        assert_true (cohort_run (client, STEP_MS) >= 0);
        instance = cohort_directory_get (directory, "g", uid);
    }
}

static void registers_updates_withdraws (void **state)
{
    (void) state;
    cohort_t *player = client_with ((cohort_options_t){0});
    cohort_t *lobby = client_with ((cohort_options_t){0});
    cohort_directory_t *directory = directory_of (lobby);
    cohort_member_t *members[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = member_at (player, i);
    }
    await_count (lobby, directory, 0);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal (cohort_member_wait (members[i], LIMIT_MS), 0);
        assert_true (cohort_member_token (members[i]).czxid != 0);
    }
    await_count (lobby, directory, MEMBERS);
    for (int load = 1; load <= 20; load++) {
        publish (members[3], load);
    }
    assert_int_equal (cohort_member_wait (members[3], LIMIT_MS), 0);
    await_load (lobby, directory, "3", 20);
    assert_int_equal (cohort_directory_get (directory, "g", "3")->token.czxid,
                      cohort_member_token (members[3]).czxid);
    for (int i = 0; i < MEMBERS; i++) {
        cohort_member_destroy (&members[i]);
    }
    await_count (lobby, directory, 0);
    cohort_directory_destroy (&directory);
    cohort_destroy (&lobby);
    cohort_destroy (&player);
}

static void destroyed_before_it_was_registered (void **state)
{
    (void) state;
    cohort_t *client = client_with ((cohort_options_t){0});
    cohort_directory_t *directory = directory_of (client);
    for (int i = 0; i < MEMBERS; i++) {
        cohort_member_t *member = member_at (client, i);
        for (int n = 0; n < i % 4; n++) {
            assert_true (cohort_run (client, 1) >= 0);
        }
        cohort_member_destroy (&member);
    }
    /* This one comes after all of them in the order of writes. */
    cohort_member_t *last = member_at (client, MEMBERS);
    assert_int_equal (cohort_member_wait (last, LIMIT_MS), 0);
    await_count (client, directory, 1);
    cohort_member_destroy (&last);
    await_count (client, directory, 0);
    cohort_directory_destroy (&directory);
    cohort_destroy (&client);
}

struct seen {
    int lost, registered;
};

static void count_events (cohort_member_t *member, const cohort_member_event_t *event, void *arg)
{
    struct seen *seen = arg;
    (void) member;
    seen->lost += event->kind == COHORT_MEMBER_LOST;
    seen->registered += event->kind == COHORT_MEMBER_REGISTERED;
}

/* On a clock that stands still: lets everybody do what is to be done, and 10 ms pass. A client that
 * is NULL hangs. */
static void live_on (cohort_t *client, cohort_t *lobby)
{
    assert_true (client == NULL || cohort_run (client, 1) >= 0);
    assert_true (cohort_run (lobby, 1) >= 0);
    assert_int_equal (cohort_server_advance_ms (server, STEP_MS), 0);
}

static void live_until_count (cohort_t *client, cohort_t *lobby, cohort_directory_t *directory,
                              size_t count)
{
    for (int ms = 0; cohort_directory_count (directory) != count; ms += STEP_MS) {
        assert_true (ms < LIMIT_MS);
        live_on (client, lobby);
    }
}

static void a_program_that_hangs_loses_its_session_and_heals (void **state)
{
    (void) state;
    cohort_t *lobby = client_with ((cohort_options_t){0});
    cohort_directory_t *watched = directory_of (lobby);
    cohort_t *client = client_with ((cohort_options_t){.timeout_ms = 400, .watchdog_ms = 100});
    cohort_directory_t *own = directory_of (client);
    struct seen seen = {0};
    cohort_member_t *member = member_at (client, 1);
    cohort_member_set_handler (member, count_events, &seen);
    live_until_count (client, lobby, own, 1);
    live_until_count (client, lobby, watched, 1);
    assert_int_equal (seen.registered, 1);
    uint64_t token = cohort_member_token (member).czxid;
    publish (member, 5);

    /* Nobody dispatches the client: its session ends, and the lobby sees it. */
    live_until_count (NULL, lobby, watched, 0);
    assert_int_equal (cohort_member_valid (member, 0), 0);
    assert_int_equal (cohort_directory_count (own), 1);
    assert_int_equal (seen.lost, 0);

    /* It comes back to life, and everything heals. */
    for (int ms = 0; seen.registered < 2; ms += STEP_MS) {
        assert_true (ms < LIMIT_MS);
        live_on (client, lobby);
    }
    assert_int_equal (seen.lost, 1);
    assert_true (cohort_member_token (member).czxid > token);
    live_until_count (client, lobby, watched, 1);
    const cohort_instance_t *instance = NULL;
    for (int ms = 0; instance == NULL || instance->load != 5; ms += STEP_MS) {
        assert_true (ms < LIMIT_MS);
        live_on (client, lobby);
        instance = cohort_directory_get (own, "g", "1");
    }
    assert_int_equal (seen.lost, 1);
    cohort_member_destroy (&member);
    cohort_directory_destroy (&own);
    cohort_destroy (&client);
    cohort_directory_destroy (&watched);
    cohort_destroy (&lobby);
}

static void removed (cohort_directory_t *directory, const cohort_directory_event_t *event,
                     void *arg)
{
    (void) directory;
    *(int *) arg += event->kind == COHORT_DIRECTORY_REMOVED;
}

static void a_server_that_crashes_and_returns_is_no_flap (void **state)
{
    (void) state;
    cohort_t *client = client_with ((cohort_options_t){0});
    cohort_directory_t *directory = directory_of (client);
    cohort_member_t *member = member_at (client, 1);
    struct seen seen = {0};
    cohort_member_set_handler (member, count_events, &seen);
    assert_int_equal (cohort_member_wait (member, LIMIT_MS), 0);
    await_count (client, directory, 1);
    uint64_t token = cohort_member_token (member).czxid;
    int removals = 0;
    cohort_directory_set_handler (directory, removed, &removals);
    assert_int_equal (cohort_directory_stale_ms (directory), 0);

    assert_int_equal (cohort_server_crash (server), 0);
    for (int ms = 0; cohort_directory_stale_ms (directory) == 0; ms += STEP_MS) {
        assert_true (ms < LIMIT_MS);
        assert_true (cohort_run (client, STEP_MS) >= 0);
    }
    publish (member, 7);
    assert_int_equal (cohort_directory_count (directory), 1);
    assert_int_equal (cohort_server_start (server), 0);
    assert_int_equal (cohort_member_wait (member, LIMIT_MS), 0);
    await_load (client, directory, "1", 7);
    assert_int_equal (cohort_directory_stale_ms (directory), 0);
    assert_int_equal (cohort_member_token (member).czxid, token);
    assert_int_equal (seen.registered, 1);
    assert_int_equal (seen.lost, 0);
    assert_int_equal (removals, 0);
    cohort_member_destroy (&member);
    cohort_directory_destroy (&directory);
    cohort_destroy (&client);
}

static cohort_member_t *doomed_member;
static cohort_directory_t *doomed_directory;
static cohort_t *doomed_client;

static void destroy_all (cohort_member_t *member, const cohort_member_event_t *event, void *arg)
{
    (void) member;
    (void) arg;
    if (event->kind == COHORT_MEMBER_REGISTERED) {
        assert_int_equal (cohort_member_wait (doomed_member, LIMIT_MS), 0);
        assert_int_equal (cohort_run (doomed_client, LIMIT_MS), COHORT_EDEADLK);
        cohort_member_destroy (&doomed_member);
        cohort_directory_destroy (&doomed_directory);
        cohort_destroy (&doomed_client);
    }
}

static void everything_destroyed_inside_a_handler (void **state)
{
    (void) state;
    doomed_client = client_with ((cohort_options_t){0});
    doomed_directory = directory_of (doomed_client);
    doomed_member = member_at (doomed_client, 1);
    cohort_member_set_handler (doomed_member, destroy_all, NULL);
    assert_int_equal (cohort_member_wait (doomed_member, LIMIT_MS), COHORT_ECLOSING);
    assert_null (doomed_client);
    cohort_t *lobby = client_with ((cohort_options_t){0});
    cohort_directory_t *directory = directory_of (lobby);
    assert_int_equal (cohort_directory_wait (directory, LIMIT_MS), 0);
    await_count (lobby, directory, 0);
    cohort_directory_destroy (&directory);
    cohort_destroy (&lobby);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST (registers_updates_withdraws),
        TEST (destroyed_before_it_was_registered),
        cmocka_unit_test_setup_teardown (a_program_that_hangs_loses_its_session_and_heals,
                                         start_manual, stop),
        TEST (a_server_that_crashes_and_returns_is_no_flap),
        TEST (everything_destroyed_inside_a_handler),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
