/* The bugs that users of such recipes have hit elsewhere, each by its name, against real servers
 * with the faults of cohort/test.h and cohort/fault.h. Given, when, then: as the first line says.
 */

#include <stdio.h>
#include <string.h>

#include "cohort/cohort.h"
#include "cohort/test.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 30000, SHORT_MS = 300, STEP_MS = 10, TIMEOUT_MS = 4000 };

static cohort_test_t *test;

static int begin (size_t servers, int manual_clock)
{
    cohort_test_options_t options = {
        .size = sizeof options, .servers = servers, .manual_clock = manual_clock};
    test = cohort_test_new (&options);
    return test != NULL ? 0 : -1;
}

static int begin_three (void **state)
{
    (void) state;
    return begin (3, 0);
}

static int begin_manual (void **state)
{
    (void) state;
    return begin (1, 1);
}

static int end (void **state)
{
    (void) state;
    cohort_test_destroy (&test);
    return 0;
}

static cohort_t *join (void)
{
    cohort_options_t options = {
        .size = sizeof options, .loop = cohort_test_loop (test), .timeout_ms = TIMEOUT_MS};
    cohort_t *client = cohort_new (cohort_test_endpoints (test), &options);
    assert_non_null (client);
    cohort_set_time_limit (client, LIMIT_MS);
    assert_int_equal (cohort_wait (client, LIMIT_MS), 0);
    return client;
}

/* Dispatches a client until the condition holds; on a manual clock time passes meanwhile. */
#define until(client, condition)                                                                   \
    for (int passed_ms = 0; !(condition); passed_ms += STEP_MS) {                                  \
        assert_true (passed_ms < LIMIT_MS);                                                        \
        pass (client);                                                                             \
    }

static void pass (cohort_t *client)
{
    if (cohort_test_advance_ms (test, STEP_MS) == 0) {
        while (cohort_dispatch (client, 64) > 0) {
        }
    } else {
        assert_true (cohort_run (client, STEP_MS) >= 0);
    }
}

/* Ends a session when all that its recipes have asked for is answered: what is dropped together
 * with a client is not freed. */
static void leave (cohort_t **client)
{
    cohort_fault_isolate (*client, 0);
    (void) cohort_fault_hold (*client, COHORT_HOLD_NOTHING);
    until (*client,
           cohort_state (*client) == COHORT_CONNECTED || cohort_state (*client) == COHORT_LOST);
    int rc = cohort_sync (*client);
    assert_true (rc == 0 || rc == COHORT_ESESSIONEXPIRED);
    while (cohort_dispatch (*client, 64) > 0) {
    }
    cohort_destroy (client);
}

/* How many znodes are below it, 0 also if it is not there; as all have committed it. */
static size_t count (cohort_t *client, const char *path)
{
    cohort_strings_t *names = NULL;
    assert_int_equal (cohort_sync (client), 0);
    int rc = cohort_children (client, path, &names, NULL);
    assert_true (rc == 0 || rc == COHORT_ENONODE);
    size_t found = rc == 0 ? names->count : 0;
    if (rc == 0) {
        cohort_strings_destroy (&names);
    }
    return found;
}

/* What the state of a session has been. */
struct states {
    cohort_state_t seen[64];
    size_t count;
};

static void on_state (cohort_t *client, cohort_state_t state, void *arg)
{
    struct states *states = arg;
    (void) client;
    if (states->count < sizeof states->seen / sizeof *states->seen) {
        states->seen[states->count++] = state;
    }
}

static bool has_been (const struct states *states, cohort_state_t state)
{
    for (size_t i = 0; i < states->count; i++) {
        if (states->seen[i] == state) {
            return true;
        }
    }
    return false;
}

/* ---- Elections ------------------------------------------------------------------------------- */

/* Create commits, the reply and those of its retries are lost, the session lives: when it is
 * connected again there is no orphan, and somebody is elected. */
static void scenario_1_curator_45_lost_replies_leave_no_orphan (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_election_t *first = cohort_election_new (a, "/e", 0);
    cohort_election_t *second = cohort_election_new (b, "/e", 0);
    assert_int_equal (cohort_fault_drop_replies (a, 3), 0);
    assert_int_equal (cohort_election_campaign (first, "a", 1), 0);
    assert_int_equal (cohort_election_wait (first, LIMIT_MS), 0);
    assert_int_equal (count (b, "/e"), 1);
    assert_int_equal (cohort_election_campaign (second, "b", 1), 0);
    assert_int_equal (cohort_election_wait (second, SHORT_MS), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_election_campaign (second, "b", 1), 0);
    assert_int_equal (cohort_election_resign (first), 0);
    assert_int_equal (cohort_election_wait (second, LIMIT_MS), 0);
    assert_int_equal (count (b, "/e"), 1);
    cohort_election_destroy (&second);
    cohort_election_destroy (&first);
    leave (&b);
    leave (&a);
}

/* A leader drops out, its delete finds no server, the same session returns: its old znode does not
 * block the others. */
static void scenario_4_curator_202_a_resignation_survives_the_connection (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_election_t *first = cohort_election_new (a, "/e", 0);
    cohort_election_t *second = cohort_election_new (b, "/e", 0);
    assert_int_equal (cohort_election_campaign (first, NULL, 0), 0);
    assert_int_equal (cohort_election_wait (first, LIMIT_MS), 0);
    assert_int_equal (cohort_election_campaign (second, NULL, 0), 0);
    uint64_t session = cohort_session_id (a);
    cohort_fault_isolate (a, 1);
    until (a, cohort_state (a) == COHORT_SUSPENDED);
    assert_int_equal (cohort_election_resign (first), 0);
    cohort_election_destroy (&first);
    cohort_fault_isolate (a, 0);
    assert_int_equal (cohort_election_wait (second, LIMIT_MS), 0);
    assert_int_equal (cohort_wait (a, LIMIT_MS), 0);
    assert_true (cohort_session_id (a) == session);
    assert_int_equal (count (b, "/e"), 1);
    cohort_election_destroy (&second);
    leave (&b);
    leave (&a);
}

/* A is back with a new session before its old znode is removed: it does not lead on the old one. */
static void scenario_6_curator_696_a_new_session_does_not_lead_on_the_old_znode (void **state)
{
    (void) state;
    cohort_t *a = join ();
    cohort_election_t *before = cohort_election_new (a, "/e", 0);
    assert_int_equal (cohort_election_campaign (before, "same", 4), 0);
    until (a, cohort_election_valid (before, 0));
    const char *node = cohort_election_node (before);
    char old[128];
    (void) snprintf (old, sizeof old, "%s", node);
    cohort_fault_isolate (a, 1);
    cohort_t *again = join ();
    cohort_election_t *self = cohort_election_new (again, "/e", 0);
    assert_int_equal (cohort_election_campaign (self, "same", 4), 0);
    until (again, cohort_election_node (self) != NULL);
    assert_string_not_equal (cohort_election_node (self), old);
    while (cohort_exists (again, old, NULL) == 0) {
        assert_int_equal (cohort_election_valid (self, 0), 0);
        pass (again);
    }
    /* The one that was cut off knew before. */
    assert_int_equal (cohort_election_valid (before, 0), 0);
    until (again, cohort_election_valid (self, 0));
    assert_true (cohort_election_token (self).czxid > cohort_election_token (before).czxid);
    cohort_election_destroy (&self);
    cohort_election_destroy (&before);
    leave (&again);
    leave (&a);
}

/* Two interruptions in succession: who competes again by itself still does. */
static void scenario_8_curator_518_interrupted_twice_it_still_competes (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_election_t *first = cohort_election_new (a, "/e", COHORT_ELECTION_AGAIN);
    cohort_election_t *second = cohort_election_new (b, "/e", 0);
    assert_int_equal (cohort_election_campaign (first, NULL, 0), 0);
    assert_int_equal (cohort_election_wait (first, LIMIT_MS), 0);
    assert_int_equal (cohort_election_campaign (second, NULL, 0), 0);
    uint64_t session = cohort_session_id (a);
    assert_int_equal (cohort_test_expire (test, a), 0);
    until (a, cohort_session_id (a) != session && cohort_state (a) == COHORT_CONNECTED);
    session = cohort_session_id (a);
    assert_int_equal (cohort_test_expire (test, a), 0);
    assert_int_equal (cohort_election_wait (second, LIMIT_MS), 0);
    until (a, cohort_session_id (a) != session && cohort_election_node (first) != NULL);
    assert_int_equal (cohort_election_resign (second), 0);
    until (a, cohort_election_valid (first, 0));
    cohort_election_destroy (&second);
    cohort_election_destroy (&first);
    leave (&b);
    leave (&a);
}

/* ---- Sessions -------------------------------------------------------------------------------- */

/* Expired, and connected again at once: LOST is told before CONNECTED. */
static void scenario_7_curator_367_lost_is_told_before_connected (void **state)
{
    (void) state;
    struct states states = {0};
    cohort_t *a = join ();
    uint64_t session = cohort_session_id (a);
    while (cohort_dispatch (a, 64) > 0) {
    }
    cohort_set_state_handler (a, on_state, &states);
    /* Nobody dispatches until all of it is over. */
    assert_int_equal (cohort_test_expire (test, a), 0);
    while (cohort_state (a) != COHORT_LOST || cohort_renew (a) != 0) {
    }
    assert_int_equal (cohort_wait (a, LIMIT_MS), 0);
    assert_true (cohort_session_id (a) != session);
    until (a, has_been (&states, COHORT_CONNECTED));
    size_t at = 0;
    while (states.seen[at] != COHORT_LOST) {
        assert_true (states.seen[at] != COHORT_CONNECTED);
        at++;
    }
    assert_int_equal (states.seen[states.count - 1], COHORT_CONNECTED);
    leave (&a);
}

/* Packets are dropped in silence: the holder knows by its session's limits. */
static void scenario_28_consul_18271_silence_is_noticed_within_the_timeout (void **state)
{
    struct states states = {0};
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_lock_t *lock = cohort_lock_new (a, "/l", NULL, 0);
    cohort_lock_t *next = cohort_lock_new (b, "/l", NULL, 0);
    assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), 0);
    until (a, cohort_lock_valid (lock, 0));
    assert_int_equal (cohort_lock_acquire (next, COHORT_LOCK_EXCLUSIVE), 0);
    cohort_set_state_handler (a, on_state, &states);
    assert_int_equal (cohort_fault_hold (a, COHORT_HOLD_ALL), 0);
    for (int ms = 0; ms <= TIMEOUT_MS; ms += STEP_MS) {
        pass (a);
    }
    assert_int_equal (cohort_lock_valid (lock, 0), 0);
    assert_true (has_been (&states, COHORT_SUSPENDED) || has_been (&states, COHORT_LOST));
    until (a, has_been (&states, COHORT_LOST) && !cohort_lock_held (lock));
    until (b, cohort_lock_valid (next, 0));
    assert_int_equal (cohort_lock_valid (lock, 0), 0);
    cohort_lock_destroy (&next);
    cohort_lock_destroy (&lock);
    leave (&b);
    leave (&a);
}

/* ---- Locks ----------------------------------------------------------------------------------- */

/* A new session while the old one is being closed: what the old one made is not adopted. */
static void scenario_3_curator_498_the_old_place_is_not_adopted (void **state)
{
    (void) state;
    cohort_t *a = join ();
    cohort_lock_t *lock = cohort_lock_new (a, "/l", "the same", 8);
    assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), 0);
    assert_int_equal (cohort_lock_wait (lock, LIMIT_MS), 0);
    uint64_t before = cohort_lock_token (lock).czxid;
    assert_int_equal (cohort_test_expire (test, a), 0);
    until (a, !cohort_lock_held (lock));
    /* It may still be in the old session that it asks, which has not heard yet that it has ended.
     */
    int rc;
    do {
        until (a, cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE) == 0);
        rc = cohort_lock_wait (lock, LIMIT_MS);
    } while (rc == COHORT_ESESSIONEXPIRED || rc == COHORT_ENONODE);
    assert_int_equal (rc, 0);
    assert_true (cohort_lock_token (lock).czxid > before);
    cohort_stat_t stat;
    assert_int_equal (cohort_exists (a, cohort_lock_node (lock), &stat), 0);
    assert_true (stat.czxid == cohort_lock_token (lock).czxid);
    assert_true (stat.ephemeral_owner == cohort_session_id (a));
    assert_int_equal (count (a, "/l"), 1);
    cohort_lock_destroy (&lock);
    leave (&a);
}

/* A writer holds, a reader and a writer wait: it lets go, and the reader proceeds, then the writer.
 */
static void scenario_10_kazoo_649_the_reader_before_the_writer (void **state)
{
    (void) state;
    cohort_t *clients[3];
    cohort_lock_t *locks[3];
    for (size_t i = 0; i < 3; i++) {
        clients[i] = join ();
        locks[i] = cohort_lock_new (clients[i], "/l", NULL, 0);
        assert_int_equal (
            cohort_lock_acquire (locks[i], i == 1 ? COHORT_LOCK_SHARED : COHORT_LOCK_EXCLUSIVE), 0);
        until (clients[i], cohort_lock_node (locks[i]) != NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal (cohort_lock_wait (locks[i], LIMIT_MS), 0);
        for (size_t next = i + 1; next < 3; next++) {
            assert_int_equal (cohort_dispatch (clients[next], 64) >= 0, 1);
            assert_int_equal (cohort_lock_held (locks[next]), 0);
        }
        assert_int_equal (cohort_lock_release (locks[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        cohort_lock_destroy (&locks[i]);
        leave (&clients[i]);
    }
}

/* A try that fails, and whose withdrawal meets a connection that is gone: no contender remains. */
static void scenario_11_kazoo_732_a_failed_try_leaves_nothing (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_lock_t *held = cohort_lock_new (a, "/l", NULL, 0);
    cohort_lock_t *tried = cohort_lock_new (b, "/l", NULL, 0);
    assert_int_equal (cohort_lock_acquire (held, COHORT_LOCK_EXCLUSIVE), 0);
    assert_int_equal (cohort_lock_wait (held, LIMIT_MS), 0);
    /* Its place is made, and it does not hear of it. */
    assert_int_equal (cohort_fault_hold (b, COHORT_HOLD_ALL), 0);
    assert_int_equal (cohort_lock_try (tried, COHORT_LOCK_EXCLUSIVE, SHORT_MS), COHORT_ETIMEDOUT);
    cohort_fault_isolate (b, 1);
    assert_int_equal (cohort_fault_hold (b, COHORT_HOLD_NOTHING), 0);
    until (b, cohort_state (b) == COHORT_SUSPENDED);
    /* And once more with no connection at all. */
    assert_int_equal (cohort_lock_try (tried, COHORT_LOCK_EXCLUSIVE, SHORT_MS), COHORT_ETIMEDOUT);
    cohort_fault_isolate (b, 0);
    until (b, cohort_state (b) == COHORT_CONNECTED);
    until (b, count (b, "/l") == 1);
    cohort_lock_destroy (&tried);
    cohort_lock_destroy (&held);
    leave (&b);
    leave (&a);
}

/* The session of one who waits expires while the holder keeps holding: the wait returns. */
static void scenario_15_etcd_19597_a_wait_ends_with_its_session (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_lock_t *held = cohort_lock_new (a, "/l", NULL, 0);
    cohort_lock_t *wanted = cohort_lock_new (b, "/l", NULL, 0);
    assert_int_equal (cohort_lock_acquire (held, COHORT_LOCK_EXCLUSIVE), 0);
    assert_int_equal (cohort_lock_wait (held, LIMIT_MS), 0);
    assert_int_equal (cohort_lock_acquire (wanted, COHORT_LOCK_EXCLUSIVE), 0);
    until (b, cohort_lock_node (wanted) != NULL);
    assert_int_equal (cohort_test_expire (test, b), 0);
    int rc = cohort_lock_wait (wanted, -1);
    assert_true (rc == COHORT_ESESSIONEXPIRED ||
                 rc == COHORT_ENONODE); /* whichever it heard first */
    until (a, cohort_lock_valid (held, 0));
    cohort_lock_destroy (&wanted);
    cohort_lock_destroy (&held);
    leave (&b);
    leave (&a);
}

/* An unlock commits, its reply is lost, the same session locks again: what is sent again of the old
 * unlock does not end the new lock. */
static void scenario_17_etcd_22082_a_retried_unlock_spares_the_new_lock (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_lock_t *lock = cohort_lock_new (a, "/l", NULL, 0);
    cohort_lock_t *other = cohort_lock_new (b, "/l", NULL, 0);
    for (int lost = 1; lost <= 3; lost++) {
        assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), 0);
        assert_int_equal (cohort_lock_wait (lock, LIMIT_MS), 0);
        assert_int_equal (cohort_fault_drop_replies (a, lost), 0);
        assert_int_equal (cohort_lock_release (lock), 0);
        assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), 0);
        assert_int_equal (cohort_lock_wait (lock, LIMIT_MS), 0);
        assert_int_equal (cohort_sync (a), 0);
        assert_int_equal (cohort_lock_try (other, COHORT_LOCK_EXCLUSIVE, LIMIT_MS), COHORT_EBUSY);
        until (a, cohort_lock_valid (lock, 0));
        assert_int_equal (cohort_lock_release (lock), 0);
        assert_int_equal (cohort_fault_drop_replies (a, 0), 0);
    }
    cohort_lock_destroy (&other);
    cohort_lock_destroy (&lock);
    leave (&b);
    leave (&a);
}

/* ---- Semaphores, barriers, queues ------------------------------------------------------------ */

/* A try that fails: nothing that it took on the way stays taken. */
static void scenario_13_kazoo_429_a_failed_try_holds_nothing (void **state)
{
    (void) state;
    cohort_t *clients[3];
    cohort_sem_t *sems[3];
    for (size_t i = 0; i < 3; i++) {
        clients[i] = join ();
        sems[i] = cohort_sem_new (clients[i], "/s", 2, NULL, 0);
    }
    assert_int_equal (cohort_sem_acquire (sems[0], 2), 0);
    assert_int_equal (cohort_sem_wait (sems[0], LIMIT_MS), 0);
    assert_int_equal (cohort_sem_try (sems[1], 1, LIMIT_MS), COHORT_EBUSY);
    assert_int_equal (cohort_sem_release (sems[0], 2), 0);
    /* Its way out was sent before it returned, as that of the release. */
    assert_int_equal (cohort_sync (clients[0]), 0);
    assert_int_equal (cohort_sync (clients[1]), 0);
    assert_int_equal (cohort_sem_try (sems[2], 2, LIMIT_MS), 0);
    assert_int_equal (count (clients[2], "/s"), 1);
    for (size_t i = 0; i < 3; i++) {
        cohort_sem_destroy (&sems[i]);
        leave (&clients[i]);
    }
}

/* One participant in a timed enter of two is woken by an event of its session: it does not pass. */
static void scenario_19_curator_gh_1290_an_event_of_the_session_is_no_entry (void **state)
{
    struct states states = {0};
    (void) state;
    cohort_t *a = join ();
    cohort_barrier_t *self = cohort_barrier_new (a, "/b", 2, 1);
    cohort_set_state_handler (a, on_state, &states);
    assert_int_equal (cohort_barrier_enter (self), 0);
    cohort_fault_cut (a);
    until (a, has_been (&states, COHORT_SUSPENDED));
    assert_int_equal (cohort_barrier_wait (self, SHORT_MS), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_barrier_inside (self), 0);
    assert_int_equal (cohort_barrier_enter (self), 0);
    assert_int_equal (cohort_test_expire (test, a), 0);
    assert_int_equal (cohort_barrier_wait (self, LIMIT_MS), COHORT_ESESSIONEXPIRED);
    assert_int_equal (cohort_barrier_inside (self), 0);
    cohort_barrier_destroy (&self);
    leave (&a);
}

/* A consumer was away for longer than its session lived: when it is back it takes what is new. */
static void scenario_21_curator_623_a_consumer_that_was_lost_goes_on (void **state)
{
    struct states states = {0};
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_set_state_handler (a, on_state, &states);
    cohort_queue_t *out = cohort_queue_new (a, "/q", NULL), *in = cohort_queue_new (b, "/q", NULL);
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_queue_take (out, SHORT_MS, &item), COHORT_ETIMEDOUT);
    cohort_fault_isolate (a, 1);
    assert_int_equal (cohort_test_expire (test, a), 0);
    until (a, has_been (&states, COHORT_LOST));
    assert_int_equal (cohort_queue_put (in, "new", 3, NULL, LIMIT_MS, NULL), 0);
    cohort_fault_isolate (a, 0);
    int rc;
    do {
        rc = cohort_queue_take (out, LIMIT_MS, &item);
    } while (rc == COHORT_ESESSIONEXPIRED);
    assert_int_equal (rc, 0);
    assert_int_equal (cohort_item_ack (&item, LIMIT_MS), 0);
    cohort_queue_destroy (&in);
    cohort_queue_destroy (&out);
    leave (&b);
    leave (&a);
}

/* ---- Mirrors and members --------------------------------------------------------------------- */

struct changes {
    char text[256];
};

static void on_mirror (cohort_mirror_t *self, const cohort_mirror_event_t *event, void *arg)
{
    struct changes *changes = arg;
    size_t used = strlen (changes->text);
    (void) self;
    const char *word = event->kind == COHORT_MIRROR_ADDED     ? "added "
                       : event->kind == COHORT_MIRROR_CHANGED ? "changed "
                       : event->kind == COHORT_MIRROR_REMOVED ? "removed "
                                                              : "";
    (void) snprintf (changes->text + used, sizeof changes->text - used, "%s", word);
}

/* Deleted and made again, with version 0, while the mirror was offline: one change is told. */
static void scenario_23_curator_391_recreated_while_offline (void **state)
{
    struct changes changes = {""};
    (void) state;
    cohort_t *a = join (), *b = join ();
    assert_int_equal (cohort_create (b, "/m", "1", 1, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    assert_int_equal (cohort_sync (a), 0);
    cohort_mirror_t *mirror = cohort_mirror_new (a, "/m", NULL);
    assert_int_equal (cohort_mirror_wait (mirror, LIMIT_MS), 0);
    cohort_mirror_set_handler (mirror, on_mirror, &changes);
    cohort_fault_isolate (a, 1);
    until (a, cohort_state (a) == COHORT_SUSPENDED);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_delete (txn, "/m", COHORT_ANY_VERSION), 0);
    assert_int_equal (cohort_txn_create (txn, "/m", "1", 1, COHORT_PERSISTENT, NULL), 0);
    assert_int_equal (cohort_multi (b, txn), 0);
    cohort_txn_destroy (&txn);
    uint64_t zxid = cohort_last_zxid (b);
    cohort_fault_isolate (a, 0);
    until (a, cohort_mirror_zxid (mirror) >= zxid);
    assert_int_equal (cohort_mirror_wait (mirror, LIMIT_MS), 0);
    assert_string_equal (changes.text, "changed ");
    cohort_mirror_destroy (&mirror);
    leave (&b);
    leave (&a);
}

/* Updated while there is no connection: the new data is what is registered, also when the session
 * did not live to see it. */
static void scenario_25_curator_146_181_the_newest_data_is_registered (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_member_t *member = cohort_member_new (a, "/m/a", "1", 1, COHORT_MEMBER_WAIT);
    assert_int_equal (cohort_member_wait (member, LIMIT_MS), 0);
    for (int expired = 0; expired < 2; expired++) {
        char data[8];
        void *found = NULL;
        size_t size = 0;
        int length = snprintf (data, sizeof data, "new %d", expired);
        cohort_fault_isolate (a, 1);
        until (a, cohort_state (a) == COHORT_SUSPENDED);
        assert_int_equal (cohort_member_update (member, data, (size_t) length), 0);
        if (expired) {
            assert_int_equal (cohort_test_expire (test, a), 0);
        }
        cohort_fault_isolate (a, 0);
        until (a, cohort_member_pending (member) == 0);
        assert_int_equal (cohort_member_wait (member, LIMIT_MS), 0);
        assert_int_equal (cohort_sync (b), 0);
        assert_int_equal (cohort_get (b, "/m/a", &found, &size, NULL), 0);
        assert_int_equal (size, length);
        assert_memory_equal (found, data, size);
        cohort_free (found);
    }
    cohort_member_destroy (&member);
    leave (&b);
    leave (&a);
}

int main (void)
{
#define THREE(name)  cmocka_unit_test_setup_teardown (name, begin_three, end)
#define MANUAL(name) cmocka_unit_test_setup_teardown (name, begin_manual, end)
    const struct CMUnitTest tests[] = {
        THREE (scenario_1_curator_45_lost_replies_leave_no_orphan),
        THREE (scenario_3_curator_498_the_old_place_is_not_adopted),
        THREE (scenario_4_curator_202_a_resignation_survives_the_connection),
        MANUAL (scenario_6_curator_696_a_new_session_does_not_lead_on_the_old_znode),
        THREE (scenario_7_curator_367_lost_is_told_before_connected),
        THREE (scenario_8_curator_518_interrupted_twice_it_still_competes),
        THREE (scenario_10_kazoo_649_the_reader_before_the_writer),
        THREE (scenario_11_kazoo_732_a_failed_try_leaves_nothing),
        THREE (scenario_13_kazoo_429_a_failed_try_holds_nothing),
        THREE (scenario_15_etcd_19597_a_wait_ends_with_its_session),
        THREE (scenario_17_etcd_22082_a_retried_unlock_spares_the_new_lock),
        THREE (scenario_19_curator_gh_1290_an_event_of_the_session_is_no_entry),
        THREE (scenario_21_curator_623_a_consumer_that_was_lost_goes_on),
        THREE (scenario_23_curator_391_recreated_while_offline),
        THREE (scenario_25_curator_146_181_the_newest_data_is_registered),
        MANUAL (scenario_28_consul_18271_silence_is_noticed_within_the_timeout),
    };
#undef THREE
#undef MANUAL
    return cmocka_run_group_tests (tests, NULL, NULL);
}
