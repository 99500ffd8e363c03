/* Ephemerals that change their owner, on an embedded server: the public functions. */

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cohort/client.h"
#include "cohort/server.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 20000, SESSION_MS = 20000, STEP_MS = 2000, PLAYERS = 1000, BATCH = 500 };

static cohort_server_t *server;
static cohort_t *giver, *receiver;

static cohort_t *connect_with (const char *state_file)
{
    cohort_options_t options = {.size = sizeof options,
                                .loop = cohort_server_loop (server),
                                .timeout_ms = SESSION_MS,
                                .state_file = state_file};
    cohort_t *client = cohort_new ("inproc://hand-over", &options);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, LIMIT_MS), 0);
    return client;
}

static int start (void **state)
{
    cohort_server_options_t options = {
        .size = sizeof options, .clients = "inproc://hand-over", .manual_clock = 1};
    (void) state;
    server = cohort_server_new (&options);
    assert_non_null (server);
    assert_int_equal (cohort_server_start (server), 0);
    assert_int_equal (cohort_server_wait (server, LIMIT_MS), 0);
    giver = connect_with (NULL);
    receiver = connect_with (NULL);
    return 0;
}

static int stop (void **state)
{
    (void) state;
    cohort_destroy (&giver);
    cohort_destroy (&receiver);
    cohort_server_destroy (&server);
    return 0;
}

static void create (cohort_t *client, const char *path, int mode)
{
    assert_int_equal (cohort_create (client, path, "x", 1, mode, NULL, NULL, NULL), 0);
}

static cohort_stat_t stat_of (cohort_t *client, const char *path)
{
    cohort_stat_t stat = {0};
    assert_int_equal (cohort_exists (client, path, &stat), 0);
    return stat;
}

static void expect_error (cohort_t *client, const char *expected)
{
    char text[256];
    (void) cohort_errmsg (client, text, sizeof text);
    assert_string_equal (text, expected);
}

static int check_owner (cohort_t *client, const char *path, uint64_t session, uint64_t ozxid)
{
    cohort_txn_t *txn = cohort_txn_new ();
    assert_non_null (txn);
    assert_int_equal (cohort_txn_check_owner (txn, path, session, ozxid), 0);
    int rc = cohort_multi (client, txn);
    cohort_txn_destroy (&txn);
    return rc;
}

static void create_players (cohort_t *client)
{
    create (client, "/players", COHORT_PERSISTENT);
    for (int at = 0; at < PLAYERS; at += BATCH) {
        cohort_txn_t *txn = cohort_txn_new ();
        for (int i = at; i < at + BATCH; i++) {
            char path[32];
            snprintf (path, sizeof path, "/players/%d", i);
            assert_int_equal (cohort_txn_create (txn, path, "", 0, COHORT_EPHEMERAL, NULL), 0);
        }
        assert_int_equal (cohort_multi (client, txn), 0);
        cohort_txn_destroy (&txn);
    }
}

static uint64_t count_players (cohort_t *client)
{
    cohort_stat_t stat = stat_of (client, "/players");
    return stat.child_count;
}

/* What a stream has told since its snapshot. */
struct told {
    bool whole;
    size_t owners, others;
    cohort_change_t owner;
};

static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct told *told = arg;
    (void) stream;
    assert_non_null (batch);
    for (size_t i = 0; !batch->snapshot && i < batch->count; i++) {
        bool owner = batch->changes[i].kind == COHORT_CHANGE_OWNER;
        told->owners += owner;
        told->others += !owner;
        if (owner) {
            told->owner = batch->changes[i];
            assert_string_equal (told->owner.path, "");
        }
    }
    told->whole = told->whole || (batch->snapshot && !batch->more);
}

static void no_event (cohort_t *self, const cohort_event_t *event, void *arg)
{
    (void) self;
    (void) event;
    (void) arg;
    fail_msg ("a watch was told");
}

static void test_whole (void **state)
{
    (void) state;
    uint8_t token[COHORT_TOKEN_SIZE];
    uint64_t from = cohort_session_id (giver), to = cohort_session_id (receiver), count = 0;
    struct told told = {0};
    create_players (giver);
    cohort_stream_t *stream = cohort_stream_new (receiver, "/players", on_batch, &told);
    cohort_stream_t *watch =
        cohort_watch_new (receiver, "/players", COHORT_WATCH_RECURSIVE, no_event, NULL);
    assert_non_null (stream);
    assert_non_null (watch);
    while (!told.whole) {
        assert_true (cohort_run (receiver, LIMIT_MS) > 0);
    }
    cohort_stat_t before = stat_of (giver, "/players/7");
    assert_int_equal (check_owner (giver, "/players/7", from, before.ozxid), 0);
    assert_int_equal (cohort_hand_over_token (receiver, from, token), 0);
    assert_int_equal (cohort_hand_over (giver, to, token, &count), 0);
    assert_int_equal (count, PLAYERS);
    /* The same znode, with another owner; the old one's tokens are refused. */
    cohort_stat_t after = stat_of (giver, "/players/7");
    assert_int_equal (after.ephemeral_owner, to);
    assert_true (after.ozxid > before.ozxid);
    assert_int_equal (after.czxid, before.czxid);
    assert_int_equal (after.mzxid, before.mzxid);
    assert_int_equal (check_owner (giver, "/players/7", from, before.ozxid), COHORT_EBADOWNER);
    assert_int_equal (check_owner (giver, "/players/7", to, after.ozxid), 0);
    /* Streams are told once, watches not at all. */
    assert_int_equal (cohort_sync (receiver), 0);
    while (told.owners == 0) {
        assert_true (cohort_run (receiver, LIMIT_MS) > 0);
    }
    (void) cohort_dispatch (receiver, 0);
    assert_int_equal (told.owners, 1);
    assert_int_equal (told.others, 0);
    assert_int_equal (told.owner.from, from);
    assert_int_equal (told.owner.stat.ephemeral_owner, to);
    assert_int_equal (told.owner.stat.ozxid, after.ozxid);
    cohort_stream_destroy (&stream);
    cohort_stream_destroy (&watch);
    /* They live and die with the receiver. */
    cohort_destroy (&giver);
    assert_int_equal (cohort_sync (receiver), 0);
    assert_int_equal (count_players (receiver), PLAYERS);
    cohort_destroy (&receiver);
    giver = connect_with (NULL);
    while (count_players (giver) > 0) {
        assert_int_equal (cohort_sync (giver), 0);
    }
}

static void on_result (cohort_t *self, const cohort_result_t *result, void *arg)
{
    (void) self;
    *(int64_t *) arg = result->rc != 0 ? result->rc : result->value;
}

static void test_async (void **state)
{
    (void) state;
    uint8_t token[COHORT_TOKEN_SIZE];
    int64_t value = -1;
    create (giver, "/a", COHORT_EPHEMERAL);
    assert_int_equal (cohort_hand_over_token (receiver, cohort_session_id (giver), token), 0);
    assert_int_equal (
        cohort_hand_over_async (giver, cohort_session_id (receiver), token, on_result, &value), 0);
    while (value == -1) {
        assert_true (cohort_run (giver, LIMIT_MS) > 0);
    }
    assert_int_equal (value, 1);
}

static void test_refused (void **state)
{
    (void) state;
    uint8_t token[COHORT_TOKEN_SIZE], other[COHORT_TOKEN_SIZE];
    char expected[256];
    uint64_t from = cohort_session_id (giver), to = cohort_session_id (receiver);
    create (giver, "/a", COHORT_EPHEMERAL);
    assert_int_equal (cohort_hand_over_token (receiver, from, token), 0);
    assert_int_equal (cohort_hand_over_token (receiver, from + 100, other), 0);
    assert_int_equal (cohort_hand_over (giver, to, other, NULL), COHORT_ENOAUTH);
    snprintf (expected, sizeof expected,
              "hand_over: session 0x%" PRIx64 " does not exist, has ended, or has not made this "
              "token for this session (cohort_hand_over_token)",
              to);
    expect_error (giver, expected);
    assert_int_equal (cohort_hand_over (giver, to + 100, token, NULL), COHORT_ENOAUTH);
    assert_int_equal (cohort_hand_over (giver, from, token, NULL), COHORT_EINVAL);
    assert_int_equal (cohort_hand_over (giver, 0, token, NULL), COHORT_EINVAL);
    expect_error (giver, "hand_over: to is 0, which is no session");
    assert_int_equal (cohort_hand_over (giver, to, NULL, NULL), COHORT_EINVAL);
    assert_int_equal (cohort_hand_over (NULL, to, token, NULL), COHORT_EINVAL);
    assert_int_equal (cohort_hand_over_token (receiver, to, token), COHORT_EINVAL);
    assert_int_equal (cohort_hand_over_token (receiver, 0, token), COHORT_EINVAL);
    assert_int_equal (cohort_hand_over_token (receiver, from, NULL), COHORT_EINVAL);
    assert_int_equal (stat_of (giver, "/a").ephemeral_owner, from);
}

/* ---- From the process before ----------------------------------------------------------------- */

struct taking {
    const char *state_file;
    uint64_t count;
    _Atomic int rc; /* 1: under way */
};

static void *take (void *arg)
{
    struct taking *taking = arg;
    taking->rc = cohort_take_over (receiver, taking->state_file, &taking->count);
    return NULL;
}

/* Whether another process has attached to the session. */
static bool resumed (uint64_t session)
{
    cohort_sessions_t *page = NULL;
    bool found = false;
    assert_int_equal (cohort_sessions (giver, session - 1, 1, &page), 0);
    for (size_t i = 0; i < page->count; i++) {
        found = page->items[i].id == session && page->items[i].incarnation > 1;
    }
    cohort_sessions_destroy (&page);
    return found;
}

static void test_take_over (void **state)
{
    (void) state;
    char folder[] = "/tmp/cohort-hand-over-XXXXXX", file[64];
    assert_non_null (mkdtemp (folder));
    snprintf (file, sizeof file, "%s/session", folder);
    uint64_t count = 77;
    assert_int_equal (cohort_take_over (receiver, file, &count), 0);
    assert_int_equal (count, 0);
    assert_int_equal (cohort_take_over (receiver, NULL, &count), COHORT_EINVAL);
    /* A process that ends without a word. */
    cohort_t *before = connect_with (file);
    uint64_t session = cohort_session_id (before);
    create (before, "/a", COHORT_EPHEMERAL);
    create (before, "/b", COHORT_EPHEMERAL);
    cohort_abandon (&before);
    struct taking taking = {.state_file = file, .rc = 1};
    cohort_set_time_limit (receiver, -1); /* the clock that it is of jumps */
    pthread_t thread;
    assert_int_equal (pthread_create (&thread, NULL, take, &taking), 0);
    while (!resumed (session)) {
        assert_int_equal (taking.rc, 1);
    }
    /* Nothing is taken as long as that process could still count on it. */
    assert_int_equal (stat_of (giver, "/a").ephemeral_owner, session);
    while (taking.rc == 1) {
        assert_int_equal (cohort_server_advance_ms (server, STEP_MS), 0);
    }
    assert_int_equal (pthread_join (thread, NULL), 0);
    assert_int_equal (taking.rc, 0);
    assert_int_equal (taking.count, 2);
    assert_int_equal (stat_of (giver, "/b").ephemeral_owner, cohort_session_id (receiver));
    assert_int_not_equal (access (file, F_OK), 0);
    assert_int_equal (rmdir (folder), 0);
}

/* However its file is named. */
static void test_take_over_itself (void **state)
{
    (void) state;
    char folder[] = "/tmp/cohort-hand-over-XXXXXX", file[64], other[96];
    assert_non_null (mkdtemp (folder));
    snprintf (file, sizeof file, "%s/session", folder);
    snprintf (other, sizeof other, "%s/./session", folder);
    cohort_t *self = connect_with (file);
    uint64_t count = 0;
    create (self, "/a", COHORT_EPHEMERAL);
    assert_int_equal (cohort_take_over (self, file, &count), COHORT_EINVAL);
    assert_int_equal (cohort_take_over (self, other, &count), COHORT_EINVAL);
    expect_error (self, "take_over: state_file is that of this session itself");
    assert_int_equal (stat_of (self, "/a").ephemeral_owner, cohort_session_id (self));
    cohort_destroy (&self);
    (void) remove (file);
    assert_int_equal (rmdir (folder), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_whole, start, stop),
        cmocka_unit_test_setup_teardown (test_async, start, stop),
        cmocka_unit_test_setup_teardown (test_refused, start, stop),
        cmocka_unit_test_setup_teardown (test_take_over, start, stop),
        cmocka_unit_test_setup_teardown (test_take_over_itself, start, stop),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
