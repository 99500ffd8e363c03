/* The tracker's arithmetic: what expires when, what is confirmed by which round. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "server/node/tracker.h"

enum { TIMEOUT_MS = 500, SESSIONS_MAX = 60000, PROPOSED_MAX = 70000, ANSWERS_MAX = 1000 };

struct world {
    struct tracker *tracker;
    int64_t now_ms;
    uint64_t begun, confirmed;
    zxid_t applied;
    struct tree_session sessions[SESSIONS_MAX]; /* ascending ids */
    size_t sessions_count;
    struct entry proposed[PROPOSED_MAX];
    int64_t proposed_ms[PROPOSED_MAX];
    size_t proposed_count;
    struct {
        uint32_t server;
        uint64_t session, attach_no, seq;
    } confirms[ANSWERS_MAX];
    size_t confirms_count;
    struct {
        uint32_t server;
        uint64_t token;
        zxid_t zxid;
    } synced[ANSWERS_MAX];
    size_t synced_count;
};

static struct tree_session *find (struct world *world, uint64_t id)
{
    for (size_t i = 0; i < world->sessions_count; i++) {
        if (world->sessions[i].id == id) {
            return &world->sessions[i];
        }
    }
    return NULL;
}

static bool session_of (void *arg, uint64_t id, struct tree_session *session)
{
    const struct tree_session *found = find (arg, id);
    if (found != NULL) {
        *session = *found;
    }
    return found != NULL;
}

static bool session_next (void *arg, uint64_t after, struct tree_session *session)
{
    struct world *world = arg;
    /* Ids are dense in the large test; a search would take for ever. */
    size_t from = 0;
    if (after > 0 && after <= world->sessions_count && world->sessions[after - 1].id == after) {
        from = after;
    }
    for (size_t i = from; i < world->sessions_count; i++) {
        if (world->sessions[i].id > after) {
            *session = world->sessions[i];
            return true;
        }
    }
    return false;
}

static bool session_dead (void *arg, struct tree_session *session)
{
    struct world *world = arg;
    for (size_t i = 0; i < world->sessions_count; i++) {
        if (world->sessions[i].dead) {
            *session = world->sessions[i];
            return true;
        }
    }
    return false;
}

static void propose (void *arg, const struct entry *entry)
{
    struct world *world = arg;
    assert_true (world->proposed_count < PROPOSED_MAX);
    world->proposed_ms[world->proposed_count] = world->now_ms;
    world->proposed[world->proposed_count++] = *entry;
}

static void confirm (void *arg, uint32_t server, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    struct world *world = arg;
    assert_true (world->confirms_count < ANSWERS_MAX);
    world->confirms[world->confirms_count].server = server;
    world->confirms[world->confirms_count].session = session;
    world->confirms[world->confirms_count].attach_no = attach_no;
    world->confirms[world->confirms_count++].seq = seq;
}

static void synced (void *arg, uint32_t server, uint64_t token, zxid_t zxid)
{
    struct world *world = arg;
    assert_true (world->synced_count < ANSWERS_MAX);
    world->synced[world->synced_count].server = server;
    world->synced[world->synced_count].token = token;
    world->synced[world->synced_count++].zxid = zxid;
}

static struct world *world_new (void)
{
    struct world *world = calloc (1, sizeof *world);
    struct tracker_host host = {world,   session_of, session_next, session_dead,
                                propose, confirm,    synced};
    struct logger logger = {NULL, NULL, LOG_ERROR};
    world->now_ms = 1000;
    world->tracker = tracker_new (&host, TIMEOUT_MS, &logger, world->now_ms);
    assert_non_null (world->tracker);
    return world;
}

static void world_free (struct world *world)
{
    tracker_destroy (&world->tracker);
    free (world);
}

static void add (struct world *world, uint64_t id, uint32_t timeout_ms, uint32_t grace_ms)
{
    world->sessions[world->sessions_count++] = (struct tree_session){.id = id,
                                                                     .timeout_ms = timeout_ms,
                                                                     .grace_ms = grace_ms,
                                                                     .incarnation = 1,
                                                                     .attach_no = 1,
                                                                     .server = 1};
}

/* Rounds succeed at once. */
static void turn (struct world *world)
{
    while (tracker_turn (world->tracker)) {
    }
    if (tracker_wants_round (world->tracker)) {
        world->confirmed = ++world->begun;
        tracker_rounds (world->tracker, world->begun, world->confirmed);
        while (tracker_turn (world->tracker)) {
        }
    }
}

static void run (struct world *world, int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        world->now_ms++;
        tracker_time (world->tracker, world->now_ms);
        turn (world);
    }
}

static void lead (struct world *world)
{
    tracker_lead (world->tracker);
    tracker_ready (world->tracker);
    turn (world);
}

/* Applies a proposed CLOSE: the session goes at once (no ephemerals), or stays. */
static void apply_close (struct world *world, size_t i, bool closes)
{
    const struct entry *entry = &world->proposed[i];
    assert_int_equal (entry->kind, ENTRY_CLOSE);
    struct tree_outcome outcome = {.kind = ENTRY_CLOSE, .session = entry->u.close.session};
    if (closes) {
        struct tree_session *session = find (world, outcome.session);
        size_t index = (size_t) (session - world->sessions);
        memmove (session, session + 1, (world->sessions_count - index - 1) * sizeof *session);
        world->sessions_count--;
        outcome.session_closed = outcome.session_gone = true;
    }
    tracker_applied (world->tracker, ++world->applied, &outcome);
}

static void apply_attach (struct world *world, uint64_t id, uint64_t attach_no, uint32_t server)
{
    struct tree_session *session = find (world, id);
    session->attach_no = attach_no;
    session->server = server;
    tracker_applied (world->tracker, ++world->applied,
                     &(struct tree_outcome){.kind = ENTRY_ATTACH, .session = id});
}

/* ---- Expiry ---------------------------------------------------------------------------------- */

static void test_silence (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    lead (world);
    run (world, 3999);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].kind, ENTRY_CLOSE);
    assert_int_equal (world->proposed[0].u.close.session, 7);
    assert_int_equal (world->proposed[0].u.close.attach_no, 1);
    assert_int_equal (world->proposed[0].u.close.incarnation, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_EXPIRED);
    /* Once, until it is decided. */
    run (world, 10000);
    assert_int_equal (world->proposed_count, 1);
    /* It did nothing: the session has its whole time again. */
    apply_close (world, 0, false);
    run (world, 3999);
    assert_int_equal (world->proposed_count, 1);
    run (world, 1);
    assert_int_equal (world->proposed_count, 2);
    apply_close (world, 1, true);
    run (world, 10000);
    assert_int_equal (world->proposed_count, 2);
    assert_int_equal (tracker_count (world->tracker), 0);
    world_free (world);
}

static void test_heartbeats_keep (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    lead (world);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        run (world, 1300);
        tracker_heartbeat (world->tracker, 1, 7, 1, seq);
    }
    assert_int_equal (world->proposed_count, 0);
    run (world, 3999);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* Of another attach, or by way of another server than its own, they keep nothing. */
static void test_foreign_heartbeats (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    add (world, 8, 4000, 4000);
    lead (world);
    for (int i = 0; i < 5; i++) {
        run (world, 800);
        tracker_heartbeat (world->tracker, 1, 7, 2, 1);
        tracker_heartbeat (world->tracker, 2, 8, 1, 1);
    }
    assert_int_equal (world->proposed_count, 2);
    assert_int_equal (world->confirms_count, 0);
    world_free (world);
}

static void test_grace (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 100);
    lead (world);
    run (world, 50);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1);
    tracker_disconnected (world->tracker, 1, 7, 1);
    run (world, 60);
    tracker_disconnected (world->tracker, 1, 7, 1); /* repeated: counts from the first */
    tracker_heartbeat (world->tracker, 1, 7, 1, 2); /* was on its way: the connection is dead */
    run (world, 39);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_DISCONNECTED);
    world_free (world);
}

static void test_attach_ends_grace (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 100);
    lead (world);
    tracker_disconnected (world->tracker, 1, 7, 1);
    run (world, 99);
    apply_attach (world, 7, 2, 3);
    run (world, 3999);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.attach_no, 2);
    world_free (world);
}

/* The report of an attach that this server has not applied yet counts from its receipt. */
static void test_report_before_attach (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 100);
    lead (world);
    run (world, 10);
    tracker_disconnected (world->tracker, 3, 7, 2);
    run (world, 60);
    apply_attach (world, 7, 2, 3);
    run (world, 39);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* A leader may apply an attach long after others have, and after its end was reported: as soon as
 * it has proposed it, what comes by the one before is confirmed no more, and so nobody counts on
 * more than the grace behind that report. */
static void test_report_long_before_attach (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 700);
    lead (world);
    tracker_attaching (world->tracker, 7, world->applied + 1);
    run (world, 10);
    tracker_disconnected (world->tracker, 3, 7, 2);
    run (world, 500);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1);
    run (world, 50);
    assert_int_equal (world->confirms_count, 0);
    apply_attach (world, 7, 2, 3);
    run (world, 149);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_DISCONNECTED);
    world_free (world);
}

/* Its client went from server to server, and away: each reports the end of its own attach when it
 * applies that, the last one perhaps first. */
static void test_report_of_older_attach (void **state)
{
    (void) state;
    for (int applied = 0; applied < 2; applied++) {
        struct world *world = world_new ();
        add (world, 7, 4000, 100);
        lead (world);
        tracker_disconnected (world->tracker, 3, 7, 3);
        run (world, 10);
        if (applied != 0) {
            apply_attach (world, 7, 2, 2);
        }
        tracker_disconnected (world->tracker, 2, 7, 2);
        if (applied == 0) {
            apply_attach (world, 7, 2, 2);
        }
        apply_attach (world, 7, 3, 3);
        run (world, 89);
        assert_int_equal (world->proposed_count, 0);
        run (world, 1);
        assert_int_equal (world->proposed_count, 1);
        assert_int_equal (world->proposed[0].u.close.attach_no, 3);
        assert_int_equal (world->proposed[0].u.close.reason, ENTRY_DISCONNECTED);
        world_free (world);
    }
}

/* The end of the present attach and that of one to come are both remembered, and a repetition of
 * the one changes nothing of the other. */
static void test_reports_of_two_attaches (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 100);
    lead (world);
    tracker_disconnected (world->tracker, 1, 7, 1);
    run (world, 20);
    tracker_disconnected (world->tracker, 3, 7, 2);
    run (world, 20);
    tracker_disconnected (world->tracker, 1, 7, 1);
    apply_attach (world, 7, 1, 1); /* it is in the log twice: still the same one */
    apply_attach (world, 7, 2, 3);
    run (world, 79);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.attach_no, 2);
    world_free (world);
}

/* An attach that is in the log twice has not come back to life. */
static void test_attach_repeated (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 100);
    lead (world);
    tracker_disconnected (world->tracker, 1, 7, 1);
    run (world, 20);
    tracker_disconnected (world->tracker, 3, 7, 2);
    apply_attach (world, 7, 1, 1);
    run (world, 79);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_DISCONNECTED);
    world_free (world);
}

/* The grace of a session that has just moved is the short one. */
static void test_grace_after_move (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 100);
    lead (world);
    run (world, 10);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1);
    apply_attach (world, 7, 2, 3);
    tracker_disconnected (world->tracker, 3, 7, 2);
    run (world, 99);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* Another process has taken the session, and other servers have applied that: its time begins
 * there.  The one before may not be told anything later, whoever leads and however slow. */
static void test_no_confirmation_behind_attach (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    lead (world);
    run (world, 10);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1); /* before: it may count on it */
    tracker_attaching (world->tracker, 7, world->applied + 1);
    tracker_heartbeat (world->tracker, 1, 7, 1, 2);
    run (world, 20);
    assert_int_equal (world->confirms_count, 1);
    assert_int_equal (world->confirms[0].seq, 1);
    /* It comes to nothing: what arrives then is confirmed again. */
    tracker_applied (
        world->tracker, ++world->applied,
        &(struct tree_outcome){.kind = ENTRY_ATTACH, .session = 7, .code = COHORT_ESESSIONMOVED});
    tracker_heartbeat (world->tracker, 1, 7, 1, 3);
    run (world, 20);
    assert_int_equal (world->confirms_count, 2);
    assert_int_equal (world->confirms[1].seq, 3);
    world_free (world);
}

/* The same number at another server is another connection (numbers begin anew with each
 * incarnation). */
static void test_report_of_other_server (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 100);
    lead (world);
    tracker_disconnected (world->tracker, 2, 7, 1);
    run (world, 3000);
    assert_int_equal (world->proposed_count, 0);
    world_free (world);
}

static void test_report_of_unknown (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 100);
    lead (world);
    tracker_disconnected (world->tracker, 1, 5, 1); /* has ended: ids ascend */
    assert_int_equal (tracker_count (world->tracker), 1);
    tracker_disconnected (world->tracker, 1, 9, 1); /* will come */
    assert_int_equal (tracker_count (world->tracker), 2);
    run (world, 10);
    add (world, 9, 4000, 100);
    tracker_applied (world->tracker, ++world->applied,
                     &(struct tree_outcome){.kind = ENTRY_CREATE_SESSION, .session = 9});
    run (world, 89);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.session, 9);
    world_free (world);
}

static void test_touch (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    lead (world);
    run (world, 3990);
    tracker_touch (world->tracker, 7);
    run (world, 3999);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* ---- Leadership ------------------------------------------------------------------------------ */

static void test_new_leader (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1); /* does not lead */
    run (world, 10000);
    assert_int_equal (world->proposed_count, 0);
    assert_int_equal (tracker_deadline (world->tracker), INT64_MAX);
    tracker_lead (world->tracker);
    tracker_heartbeat (world->tracker, 1, 7, 1, 2);
    run (world, 10000); /* its initial history is not applied: nothing expires */
    assert_int_equal (world->proposed_count, 0);
    assert_int_equal (world->confirms_count, 0);
    tracker_ready (world->tracker);
    run (world, 4000);
    assert_int_equal (world->proposed_count, 0); /* taken over in the first of these turns */
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    tracker_unlead (world->tracker);
    assert_int_equal (tracker_count (world->tracker), 0);
    run (world, 5000);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* A leader that stood still takes its own absence for nobody else's, and shows first that it still
 * leads. */
static void test_stall (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    lead (world);
    run (world, 1000);
    world->now_ms += 60000;
    tracker_time (world->tracker, world->now_ms);
    while (tracker_turn (world->tracker)) {
    }
    assert_int_equal (world->proposed_count, 0);
    assert_true (tracker_wants_round (world->tracker));
    /* The round does not succeed for a while. */
    tracker_rounds (world->tracker, ++world->begun, world->confirmed);
    for (int i = 0; i < 5000; i++) {
        world->now_ms++;
        tracker_time (world->tracker, world->now_ms);
        assert_false (tracker_turn (world->tracker));
    }
    assert_int_equal (world->proposed_count, 0);
    world->confirmed = world->begun;
    tracker_rounds (world->tracker, world->begun, world->confirmed);
    while (tracker_turn (world->tracker)) {
    }
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

static void test_no_stall_at_deadlines (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 40000, 40000);
    lead (world);
    /* Called at its own deadlines only, it sees no stall: the session expires in time. */
    int64_t begun_ms = world->now_ms;
    unsigned calls = 0;
    while (world->proposed_count == 0) {
        int64_t deadline = tracker_deadline (world->tracker);
        assert_true (deadline > world->now_ms);
        world->now_ms = deadline;
        tracker_time (world->tracker, world->now_ms);
        turn (world);
        calls++;
        assert_true (calls < 2000);
    }
    assert_int_equal (world->now_ms - begun_ms, 40000);
    world_free (world);
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void test_confirmation (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    lead (world);
    world->begun = world->confirmed = 5;
    tracker_rounds (world->tracker, 5, 5);
    tracker_rounds (world->tracker, 6, 5); /* a round begins before the heartbeat comes */
    tracker_heartbeat (world->tracker, 1, 7, 1, 40);
    tracker_rounds (world->tracker, 6, 6);
    assert_int_equal (world->confirms_count, 0);
    tracker_time (world->tracker, world->now_ms += 10);
    assert_true (tracker_wants_round (world->tracker));
    tracker_rounds (world->tracker, 7, 6);
    assert_false (tracker_wants_round (world->tracker)); /* one at a time */
    tracker_heartbeat (world->tracker, 1, 7, 1, 41);
    assert_int_equal (world->confirms_count, 0);
    tracker_rounds (world->tracker, 7, 7);
    assert_int_equal (world->confirms_count, 1);
    assert_int_equal (world->confirms[0].seq, 40);
    assert_int_equal (world->confirms[0].server, 1);
    /* Heartbeats alone begin rounds at most every 10 ms. */
    assert_false (tracker_wants_round (world->tracker));
    assert_int_equal (tracker_deadline (world->tracker), world->now_ms + 10);
    tracker_time (world->tracker, world->now_ms += 10);
    assert_true (tracker_wants_round (world->tracker));
    tracker_rounds (world->tracker, 8, 8);
    assert_int_equal (world->confirms_count, 2);
    assert_int_equal (world->confirms[1].seq, 41);
    world_free (world);
}

/* What changes between the heartbeat and the end of its round counts. */
static void test_not_confirmed (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 1, 4000, 4000);
    add (world, 2, 4000, 50);
    add (world, 3, 4000, 4000);
    add (world, 4, 4000, 4000);
    lead (world);
    tracker_rounds (world->tracker, 1, 1);
    for (uint64_t id = 1; id <= 4; id++) {
        tracker_heartbeat (world->tracker, 1, id, 1, 9);
    }
    tracker_heartbeat (world->tracker, 1, 99, 1, 9); /* nobody */
    apply_attach (world, 1, 2, 1);                   /* attached anew */
    tracker_disconnected (world->tracker, 1, 2, 1);
    for (int i = 0; i < 60; i++) {
        tracker_time (world->tracker, ++world->now_ms);
        while (tracker_turn (world->tracker)) {
        }
    }
    assert_int_equal (world->proposed_count, 1); /* a CLOSE of 2 is undecided */
    find (world, 3)->incarnation = 2;            /* another process: the numbers begin anew */
    apply_attach (world, 3, 1, 1);
    tracker_rounds (world->tracker, 2, 2);
    assert_int_equal (world->confirms_count, 1);
    assert_int_equal (world->confirms[0].session, 4);
    world_free (world);
}

static void test_sync (void **state)
{
    (void) state;
    struct world *world = world_new ();
    tracker_sync (world->tracker, 2, 11, 100); /* does not lead */
    lead (world);
    tracker_rounds (world->tracker, 1, 1);
    assert_false (tracker_wants_round (world->tracker));
    tracker_sync (world->tracker, 2, 12, 101);
    assert_true (tracker_wants_round (world->tracker)); /* at once */
    tracker_rounds (world->tracker, 2, 1);
    tracker_sync (world->tracker, 3, 13, 102);
    tracker_rounds (world->tracker, 2, 2);
    assert_int_equal (world->synced_count, 1);
    assert_int_equal (world->synced[0].server, 2);
    assert_int_equal (world->synced[0].token, 12);
    assert_int_equal (world->synced[0].zxid, 101);
    assert_true (tracker_wants_round (world->tracker));
    tracker_rounds (world->tracker, 3, 3);
    assert_int_equal (world->synced_count, 2);
    assert_int_equal (world->synced[1].zxid, 102);
    /* Lost with leadership. */
    tracker_sync (world->tracker, 3, 14, 103);
    tracker_unlead (world->tracker);
    tracker_lead (world->tracker);
    tracker_rounds (world->tracker, 9, 9);
    assert_int_equal (world->synced_count, 2);
    world_free (world);
}

/* A read point is lost neither among heartbeats nor among others: at most two of a server wait. */
static void test_sync_among_many (void **state)
{
    (void) state;
    struct world *world = world_new ();
    lead (world);
    tracker_rounds (world->tracker, 1, 1);
    for (uint64_t i = 0; i < TRACKER_WAITING_MAX; i++) {
        tracker_heartbeat (world->tracker, 1, 1000 + i, 1, 1);
    }
    mem_fail_at (1);
    tracker_sync (world->tracker, 2, 1, 100);
    assert_false (mem_fail_clear ()); /* needs no memory */
    tracker_sync (world->tracker, 2, 2, 101);
    tracker_sync (world->tracker, 3, 1, 101);
    tracker_rounds (world->tracker, 2, 1);
    for (uint64_t token = 3; token < 5000; token++) {
        tracker_sync (world->tracker, 2, token, 100 + token);
    }
    tracker_rounds (world->tracker, 2, 2);
    assert_int_equal (world->synced_count, 2);
    assert_int_equal (world->synced[0].token, 2);
    assert_int_equal (world->synced[0].zxid, 101);
    assert_int_equal (world->synced[1].server, 3);
    /* Rounds that the core begins on its own, beyond the one under way: none is left out. */
    tracker_rounds (world->tracker, 3, 2);
    tracker_sync (world->tracker, 2, 5000, 200);
    tracker_rounds (world->tracker, 4, 2);
    tracker_sync (world->tracker, 2, 5001, 201);
    tracker_rounds (world->tracker, 4, 4);
    assert_int_equal (world->synced_count, 3);
    assert_int_equal (world->synced[2].token, 4999);
    assert_true (tracker_wants_round (world->tracker));
    tracker_rounds (world->tracker, 5, 5);
    assert_int_equal (world->synced_count, 4);
    assert_int_equal (world->synced[3].token, 5001);
    assert_int_equal (world->synced[3].zxid, 201);
    world_free (world);
}

/* A server that comes back may be another process, which uses the same tokens anew. */
static void test_server_down (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    lead (world);
    tracker_rounds (world->tracker, 1, 1);
    tracker_sync (world->tracker, 2, 1, 100);
    tracker_sync (world->tracker, 3, 1, 100);
    tracker_heartbeat (world->tracker, 1, 7, 1, 5);
    tracker_rounds (world->tracker, 2, 1);
    tracker_server_down (world->tracker, 2);
    tracker_server_down (world->tracker, 1);
    tracker_sync (world->tracker, 2, 1, 200);
    tracker_rounds (world->tracker, 2, 2);
    assert_int_equal (world->confirms_count, 0);
    assert_int_equal (world->synced_count, 1);
    assert_int_equal (world->synced[0].server, 3);
    tracker_rounds (world->tracker, 3, 3);
    assert_int_equal (world->synced_count, 2);
    assert_int_equal (world->synced[1].server, 2);
    assert_int_equal (world->synced[1].zxid, 200);
    world_free (world);
}

/* A session that an administrator has killed ends when its client cannot count on it any more,
 * which is told nothing from then on; a new leader begins to count anew. */
static void test_killed (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 600);
    lead (world);
    run (world, 10);
    find (world, 7)->condemned = true;
    tracker_applied (world->tracker, ++world->applied,
                     &(struct tree_outcome){.kind = ENTRY_WRITE, .session = 3, .killed = 7});
    run (world, 300);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1);
    tracker_touch (world->tracker, 7);
    run (world, 299);
    assert_int_equal (world->confirms_count, 0);
    assert_int_equal (world->proposed_count, 0);
    tracker_unlead (world->tracker);
    lead (world);
    run (world, 599);
    assert_int_equal (world->proposed_count, 0);
    run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_KILLED);
    apply_close (world, 0, true);
    assert_int_equal (tracker_count (world->tracker), 0);
    world_free (world);
}

/* ---- REAP ------------------------------------------------------------------------------------ */

static void test_reap (void **state)
{
    (void) state;
    struct world *world = world_new ();
    add (world, 7, 4000, 4000);
    world->sessions[0].dead = true;
    world->sessions[0].ephemerals = 1200;
    lead (world);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].kind, ENTRY_REAP);
    run (world, 100);
    assert_int_equal (world->proposed_count, 1); /* one at a time */
    struct tree_outcome outcome = {.kind = ENTRY_REAP, .session = 7};
    tracker_applied (world->tracker, ++world->applied, &outcome);
    run (world, 1);
    assert_int_equal (world->proposed_count, 2);
    outcome.session_gone = true;
    world->sessions_count = 0;
    tracker_applied (world->tracker, ++world->applied, &outcome);
    run (world, 1);
    assert_int_equal (world->proposed_count, 2);
    assert_int_equal (tracker_count (world->tracker), 0);
    world_free (world);
}

/* ---- Many ------------------------------------------------------------------------------------ */

static void test_many (void **state)
{
    (void) state;
    struct world *world = world_new ();
    for (uint64_t id = 1; id <= 50000; id++) {
        add (world, id, 2000 + (uint32_t) (id % 1000), 2000);
    }
    lead (world);
    assert_int_equal (tracker_count (world->tracker), 50000);
    /* Every second one goes silent. */
    for (int round = 0; round < 10; round++) {
        for (uint64_t id = 2; id <= 50000; id += 2) {
            tracker_touch (world->tracker, id);
        }
        run (world, 400);
    }
    assert_int_equal (world->proposed_count, 25000);
    for (size_t i = 0; i < world->proposed_count; i++) {
        uint64_t id = world->proposed[i].u.close.session;
        assert_int_equal (id % 2, 1);
        assert_int_equal (world->proposed_ms[i] - 1000, 2000 + id % 1000);
    }
    world_free (world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_silence),
        cmocka_unit_test (test_heartbeats_keep),
        cmocka_unit_test (test_foreign_heartbeats),
        cmocka_unit_test (test_grace),
        cmocka_unit_test (test_attach_ends_grace),
        cmocka_unit_test (test_report_before_attach),
        cmocka_unit_test (test_report_long_before_attach),
        cmocka_unit_test (test_report_of_older_attach),
        cmocka_unit_test (test_reports_of_two_attaches),
        cmocka_unit_test (test_attach_repeated),
        cmocka_unit_test (test_grace_after_move),
        cmocka_unit_test (test_no_confirmation_behind_attach),
        cmocka_unit_test (test_report_of_other_server),
        cmocka_unit_test (test_report_of_unknown),
        cmocka_unit_test (test_touch),
        cmocka_unit_test (test_killed),
        cmocka_unit_test (test_new_leader),
        cmocka_unit_test (test_stall),
        cmocka_unit_test (test_no_stall_at_deadlines),
        cmocka_unit_test (test_confirmation),
        cmocka_unit_test (test_not_confirmed),
        cmocka_unit_test (test_sync),
        cmocka_unit_test (test_sync_among_many),
        cmocka_unit_test (test_server_down),
        cmocka_unit_test (test_reap),
        cmocka_unit_test (test_many),
    };
    return cmocka_run_group_tests_name ("tracker", tests, NULL, NULL);
}
