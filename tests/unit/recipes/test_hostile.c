/* Recipes where things are against them, with real servers: the leader is killed in the middle,
 * sessions end between two steps, connections fall all the time, answers are lost at each step, a
 * clock jumps, a time limit ends as the grant comes. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/unit/recipes/ensembles.h"

/* ---- The leader is killed in the middle ------------------------------------------------------ */

static void a_gate_outlives_its_leader (void **state)
{
    (void) state;
    cohort_t *clients[] = {join (), join ()};
    cohort_gate_t *keeper = cohort_gate_new (clients[0], "/gates/arena");
    cohort_gate_t *guest = cohort_gate_new (clients[1], "/gates/arena");
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal (cohort_gate_close (keeper), 0);
        assert_int_equal (cohort_test_kill_leader (test) >= 0, 1);
        until (clients, 2, cohort_gate_is_open (guest) == 0 && cohort_gate_is_open (keeper) == 0);
        assert_int_equal (cohort_gate_wait (guest, 50), COHORT_ETIMEDOUT);
        for (size_t i = 0; i < 3; i++) {
            int rc = cohort_test_start (test, i);
            assert_true (rc == 0 || rc == COHORT_ESTATE);
        }
        assert_int_equal (cohort_gate_open (keeper), 0);
        kill_leader_and_start_it_anew ();
        assert_int_equal (cohort_gate_wait (guest, LIMIT_MS), 0);
        assert_int_equal (cohort_gate_wait (keeper, LIMIT_MS), 0);
    }
    cohort_gate_destroy (&guest);
    cohort_gate_destroy (&keeper);
    leave (&clients[1]);
    leave (&clients[0]);
}

struct comings {
    int added, removed, lost;
};

static void on_group (cohort_group_t *group, const cohort_group_event_t *event, void *arg)
{
    struct comings *self = arg;
    (void) group;
    self->added += event->kind == COHORT_GROUP_ADDED;
    self->removed += event->kind == COHORT_GROUP_REMOVED;
    self->lost += event->kind == COHORT_GROUP_LOST;
    assert_int_not_equal (event->kind, COHORT_GROUP_ERROR);
}

/* A dead leader is no reason that anybody should seem to have gone. */
static void a_group_does_not_flap_with_its_leader (void **state)
{
    (void) state;
    enum { MEMBERS = 3 };
    cohort_t *clients[MEMBERS];
    cohort_group_t *groups[MEMBERS];
    struct comings comings[MEMBERS] = {0};
    for (int i = 0; i < MEMBERS; i++) {
        char name[8];
        snprintf (name, sizeof name, "m%d", i);
        clients[i] = join ();
        groups[i] = cohort_group_new (clients[i], "/match", name, name, strlen (name));
        assert_non_null (groups[i]);
        cohort_group_set_handler (groups[i], on_group, &comings[i]);
        if (i == 1) {
            assert_int_equal (cohort_test_kill_leader (test) >= 0, 1);
        }
    }
    until (clients, MEMBERS,
           cohort_group_count (groups[0]) == MEMBERS && cohort_group_count (groups[1]) == MEMBERS &&
               cohort_group_count (groups[2]) == MEMBERS);
    for (size_t i = 0; i < 3; i++) {
        int rc = cohort_test_start (test, i);
        assert_true (rc == 0 || rc == COHORT_ESTATE);
    }
    assert_int_equal (cohort_group_update (groups[1], "new", 3), 0);
    kill_leader_and_start_it_anew ();
    until (clients, MEMBERS, cohort_group_get (groups[2], "m1")->size == 3);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal (comings[i].removed + comings[i].lost, 0);
        assert_int_equal (comings[i].added, MEMBERS);
        assert_string_equal (cohort_group_at (groups[i], 0)->name,
                             cohort_group_at (groups[0], 0)->name);
    }
    cohort_group_destroy (&groups[0]);
    until (clients, MEMBERS, cohort_group_count (groups[1]) == MEMBERS - 1);
    for (int i = 0; i < MEMBERS; i++) {
        cohort_group_destroy (&groups[i]);
        leave (&clients[i]);
    }
}

enum { PARTITIONS = 6, OWNERS = 3 };

struct shares {
    cohort_t *clients[OWNERS];
    cohort_partitioner_t *parts[OWNERS];
    uint64_t tokens[PARTITIONS]; /* of the newest grant */
};

static void on_part (cohort_partitioner_t *parts, const cohort_partitioner_event_t *event,
                     void *arg)
{
    struct shares *self = arg;
    assert_int_not_equal (event->kind, COHORT_PARTITIONER_ERROR);
    if (event->kind == COHORT_PARTITIONER_ACQUIRED) {
        assert_true (event->token.czxid > self->tokens[event->number]);
        self->tokens[event->number] = event->token.czxid;
    } else if (event->kind == COHORT_PARTITIONER_RELEASE_ASKED) {
        int rc = cohort_partitioner_release (parts, event->number);
        assert_int_equal (rc, 0);
    }
}

/* How many have an owner; none may have two. */
static int owned (const struct shares *self)
{
    int owned = 0;
    for (int part = 0; part < PARTITIONS; part++) {
        int owners = 0;
        for (int i = 0; i < OWNERS; i++) {
            owners +=
                self->parts[i] != NULL && cohort_partitioner_valid (self->parts[i], part, 0) != 0;
        }
        assert_true (owners <= 1);
        owned += owners;
    }
    return owned;
}

static bool even (const struct shares *self, int members)
{
    bool even = owned (self) == PARTITIONS;
    for (int i = 0; i < OWNERS; i++) {
        even = even && (self->parts[i] == NULL ||
                        cohort_partitioner_count (self->parts[i]) == PARTITIONS / members);
    }
    return even;
}

static void partitions_move_while_leaders_die (void **state)
{
    (void) state;
    struct shares self = {0};
    for (int i = 0; i < OWNERS; i++) {
        char name[16];
        snprintf (name, sizeof name, "p%d", i);
        self.clients[i] = join ();
        self.parts[i] =
            cohort_partitioner_new (self.clients[i], "/regions", name, PARTITIONS, NULL);
        assert_non_null (self.parts[i]);
        cohort_partitioner_set_handler (self.parts[i], on_part, &self);
        kill_leader_and_start_it_anew ();
        until (self.clients, (size_t) i + 1, even (&self, i + 1));
    }
    /* One of them goes without a word. */
    cohort_partitioner_destroy (&self.parts[0]);
    assert_int_equal (cohort_test_expire (test, self.clients[1]), 0);
    kill_leader_and_start_it_anew ();
    until (self.clients, OWNERS, even (&self, OWNERS - 1));
    for (int i = 0; i < OWNERS; i++) {
        cohort_partitioner_destroy (&self.parts[i]);
        leave (&self.clients[i]);
    }
}

/* ---- Answers are lost at each step ----------------------------------------------------------- */

/* One life of each recipe, of which so many answers in a row are lost from the beginning, or from
 * the middle, on: each is carried out once, and nothing stays behind. */
static void live_a_life (cohort_t *client, int lost_first, int lost_then)
{
    int64_t sum = 0, before = 0;
    cohort_lock_t *lock = cohort_lock_new (client, "/x/lock", NULL, 0);
    cohort_sem_t *sem = cohort_sem_new (client, "/x/sem", 2, NULL, 0);
    cohort_election_t *election = cohort_election_new (client, "/x/election", 0);
    cohort_barrier_t *barrier = cohort_barrier_new (client, "/x/barrier", 1, 1);
    cohort_queue_t *queue = cohort_queue_new (client, "/q", NULL);
    cohort_cell_t *cell = cohort_cell_new (client, "/cell");
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_cell_add (cell, 1, INT64_MIN, INT64_MAX, LIMIT_MS, &before), 0);
    assert_int_equal (cohort_fault_drop_replies (client, lost_first), 0);
    assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), 0);
    assert_int_equal (cohort_sem_acquire (sem, 2), 0);
    assert_int_equal (cohort_election_campaign (election, "x", 1), 0);
    assert_int_equal (cohort_barrier_enter (barrier), 0);
    assert_int_equal (cohort_queue_put (queue, "x", 1, NULL, LIMIT_MS, NULL), 0);
    assert_int_equal (cohort_cell_add (cell, 1, INT64_MIN, INT64_MAX, LIMIT_MS, &sum), 0);
    assert_int_equal (sum, before + 1);
    assert_int_equal (cohort_lock_wait (lock, LIMIT_MS), 0);
    assert_int_equal (cohort_sem_wait (sem, LIMIT_MS), 0);
    assert_int_equal (cohort_election_wait (election, LIMIT_MS), 0);
    assert_int_equal (cohort_barrier_wait (barrier, LIMIT_MS), 0);
    assert_int_equal (cohort_queue_take (queue, LIMIT_MS, &item), 0);
    assert_int_equal (count (client, "/x/lock"), 1);
    assert_int_equal (count (client, "/x/sem"), 1);
    assert_int_equal (count (client, "/x/election"), 1);
    assert_int_equal (count (client, "/q/items"), 1);
    assert_int_equal (cohort_fault_drop_replies (client, lost_then), 0);
    assert_int_equal (cohort_lock_release (lock), 0);
    assert_int_equal (cohort_sem_release (sem, 1), 0);
    assert_int_equal (cohort_sem_release (sem, 1), 0);
    assert_int_equal (cohort_election_resign (election), 0);
    assert_int_equal (cohort_barrier_leave (barrier), 0);
    assert_int_equal (cohort_item_ack (&item, LIMIT_MS), 0);
    assert_int_equal (cohort_barrier_wait (barrier, LIMIT_MS), 0);
    assert_int_equal (count (client, "/x/lock") + count (client, "/x/sem"), 0);
    assert_int_equal (count (client, "/x/election") + count (client, "/q/items"), 0);
    cohort_cell_destroy (&cell);
    cohort_queue_destroy (&queue);
    cohort_barrier_destroy (&barrier);
    cohort_election_destroy (&election);
    cohort_sem_destroy (&sem);
    cohort_lock_destroy (&lock);
}

static void answers_are_lost_at_each_step (void **state)
{
    (void) state;
    cohort_t *client = join ();
    for (int lost = 1; lost < 3; lost++) {
        live_a_life (client, lost, 0);
        live_a_life (client, 0, lost);
    }
    leave (&client);
}

/* A transaction of one operation is answered as one the second time, too. */
static void a_sum_is_known_although_its_answer_was_lost (void **state)
{
    (void) state;
    cohort_t *client = join ();
    cohort_cell_t *cell = cohort_cell_new (client, "/cell");
    for (int64_t expected = 1; expected < 4; expected++) {
        int64_t sum = 0;
        assert_int_equal (cohort_fault_drop_replies (client, 1), 0);
        assert_int_equal (cohort_cell_add (cell, 1, INT64_MIN, INT64_MAX, LIMIT_MS, &sum), 0);
        assert_int_equal (sum, expected);
    }
    cohort_cell_destroy (&cell);
    leave (&client);
}

/* ---- Sessions end between two steps ---------------------------------------------------------- */

/* What was asked for in a session that ends before the answer is not granted, and can be had. */
static void a_session_ends_between_asking_and_waiting (void **state)
{
    (void) state;
    cohort_t *client = join (), *other = join ();
    cohort_lock_t *lock = cohort_lock_new (client, "/x/lock", NULL, 0);
    cohort_sem_t *sem = cohort_sem_new (client, "/x/sem", 2, NULL, 0);
    cohort_election_t *election =
        cohort_election_new (client, "/x/election", COHORT_ELECTION_AGAIN);
    cohort_barrier_t *barrier = cohort_barrier_new (client, "/x/barrier", 1, 1);
    cohort_lease_t *lease = cohort_lease_new (client, "/x/lease", 60000, NULL);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), 0);
        assert_int_equal (cohort_sem_acquire (sem, 2), 0);
        assert_int_equal (cohort_election_campaign (election, "x", 1), 0);
        assert_int_equal (cohort_barrier_enter (barrier), 0);
        assert_int_equal (cohort_lease_acquire (lease), 0);
        if (turn == 0) {
            assert_int_equal (cohort_test_expire (test, client), 0);
            until (&client, 1, cohort_state (client) == COHORT_LOST || cohort_session_id (client));
        }
        int rcs[] = {cohort_lock_wait (lock, LIMIT_MS), cohort_sem_wait (sem, LIMIT_MS),
                     cohort_barrier_wait (barrier, LIMIT_MS), cohort_lease_wait (lease, LIMIT_MS)};
        for (size_t i = 0; i < sizeof rcs / sizeof *rcs; i++) {
            /* The servers were fast, or its end was heard of first: either is true. */
            assert_true (rcs[i] == 0 || (turn == 0 && (rcs[i] == COHORT_ESESSIONEXPIRED ||
                                                       rcs[i] == COHORT_ENONODE)));
        }
        assert_int_equal (cohort_election_wait (election, LIMIT_MS), 0);
        if (turn == 0) {
            until (&client, 1,
                   !cohort_lock_held (lock) && cohort_sem_held (sem) == 0 &&
                       !cohort_barrier_inside (barrier) && cohort_lease_token (lease).czxid == 0);
            assert_int_equal (cohort_election_resign (election), 0);
        }
    }
    assert_true (cohort_lock_held (lock));
    assert_int_equal (cohort_sem_held (sem), 2);
    assert_int_equal (count (other, "/x/lock"), 1);
    assert_int_equal (count (other, "/x/sem"), 1);
    assert_int_equal (count (other, "/x/election"), 1);
    assert_int_equal (count (other, "/x/lease"), 1);
    cohort_lease_destroy (&lease);
    cohort_barrier_destroy (&barrier);
    cohort_election_destroy (&election);
    cohort_sem_destroy (&sem);
    cohort_lock_destroy (&lock);
    leave (&other);
    leave (&client);
}

static void on_answer_renew (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) result;
    *(bool *) arg = cohort_renew (client) == 0;
}

/* A session is renewed while the answers to what recipes asked in it are waiting to be dispatched:
 * those who hear them go no further, for what they would make in the next session, without knowing
 * of it, would stand in everybody's way. */
static void a_session_is_renewed_before_its_end_is_told (void **state)
{
    (void) state;
    bool renewed = false;
    cohort_t *client = join ();
    cohort_lock_t *lock = cohort_lock_new (client, "/y/lock", NULL, 0);
    cohort_sem_t *sem = cohort_sem_new (client, "/y/sem", 2, NULL, 0);
    cohort_election_t *election = cohort_election_new (client, "/y/election", 0);
    cohort_barrier_t *barrier = cohort_barrier_new (client, "/y/barrier", 1, 1);
    cohort_lease_t *lease = cohort_lease_new (client, "/y/lease", 60000, NULL);
    for (int turn = 0; turn < 2; turn++) {
        if (turn == 0) {
            assert_int_equal (
                cohort_exists_async (client, "/y", NULL, NULL, on_answer_renew, &renewed), 0);
        }
        assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), 0);
        assert_int_equal (cohort_sem_acquire (sem, 2), 0);
        assert_int_equal (cohort_election_campaign (election, "x", 1), 0);
        assert_int_equal (cohort_barrier_enter (barrier), 0);
        assert_int_equal (cohort_lease_acquire (lease), 0);
        if (turn == 0) {
            assert_int_equal (cohort_sync (client), 0);
            assert_int_equal (cohort_test_expire (test, client), 0);
            int rc;
            while ((rc = cohort_sync (client)) == 0) {
                /* The servers are about to say it. */
            }
            assert_int_equal (rc, COHORT_ESESSIONEXPIRED);
        }
        int expected = turn == 0 ? COHORT_ESESSIONEXPIRED : 0;
        assert_int_equal (cohort_lock_wait (lock, LIMIT_MS), expected);
        assert_int_equal (cohort_sem_wait (sem, LIMIT_MS), expected);
        assert_int_equal (cohort_election_wait (election, LIMIT_MS), expected);
        assert_int_equal (cohort_barrier_wait (barrier, LIMIT_MS), expected);
        assert_int_equal (cohort_lease_wait (lease, LIMIT_MS), expected);
        assert_true (renewed);
    }
    assert_int_equal (count (client, "/y/lock") + count (client, "/y/lease"), 2);
    assert_int_equal (count (client, "/y/sem") + count (client, "/y/election"), 2);
    assert_int_equal (count (client, "/y/barrier/1"), 2); /* the party, and `ready` */
    cohort_lease_destroy (&lease);
    cohort_barrier_destroy (&barrier);
    cohort_election_destroy (&election);
    cohort_sem_destroy (&sem);
    cohort_lock_destroy (&lock);
    leave (&client);
}

/* ---- Time limits ----------------------------------------------------------------------------- */

/* The holder lets go as the time of the one who waits is over: he has it, or has left no trace. */
static void a_time_limit_ends_as_the_grant_comes (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_lock_t *first = cohort_lock_new (a, "/x/lock", NULL, 0);
    cohort_lock_t *second = cohort_lock_new (b, "/x/lock", NULL, 0);
    int granted = 0, late = 0;
    for (int turn = 0; turn < 40; turn++) {
        assert_int_equal (cohort_lock_try (first, COHORT_LOCK_EXCLUSIVE, LIMIT_MS), 0);
        assert_int_equal (cohort_lock_acquire (second, COHORT_LOCK_EXCLUSIVE), 0);
        if (turn % 2 != 0) {
            until (&b, 1, count (a, "/x/lock") == 2);
        }
        assert_int_equal (cohort_lock_release (first), 0);
        int rc = cohort_lock_wait (second, turn % 4);
        granted += rc == 0;
        late += rc == COHORT_ETIMEDOUT;
        assert_true (rc == 0 || rc == COHORT_ETIMEDOUT);
        if (rc == 0) {
            assert_int_equal (cohort_lock_release (second), 0);
        }
        assert_int_equal (cohort_lock_release (second), COHORT_ESTATE);
        until (&b, 1, count (b, "/x/lock") == 0);
    }
    print_message ("%d granted, %d late\n", granted, late);
    cohort_lock_destroy (&second);
    cohort_lock_destroy (&first);
    leave (&b);
    leave (&a);
}

/* Nothing to wait with: no recipe stands still, or leaves anything. */
static void a_time_limit_of_nothing (void **state)
{
    (void) state;
    cohort_t *a = join (), *b = join ();
    cohort_lock_t *holder = cohort_lock_new (b, "/x/lock", NULL, 0);
    cohort_lock_t *lock = cohort_lock_new (a, "/x/lock", NULL, 0);
    cohort_barrier_t *barrier = cohort_barrier_new (a, "/x/barrier", 2, 1);
    cohort_queue_t *queue = cohort_queue_new (a, "/q", NULL);
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_lock_try (holder, COHORT_LOCK_EXCLUSIVE, LIMIT_MS), 0);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_SHARED), 0);
        assert_int_equal (cohort_lock_wait (lock, 0), COHORT_ETIMEDOUT);
        assert_int_equal (cohort_barrier_enter (barrier), 0);
        assert_int_equal (cohort_barrier_wait (barrier, 0), COHORT_ETIMEDOUT);
        assert_int_equal (cohort_queue_take (queue, 0, &item), COHORT_ETIMEDOUT);
    }
    until (&a, 1, count (a, "/x/lock") == 1);
    cohort_queue_destroy (&queue);
    cohort_barrier_destroy (&barrier);
    cohort_lock_destroy (&lock);
    cohort_lock_destroy (&holder);
    leave (&b);
    leave (&a);
}

/* ---- Connections that fall all the time ------------------------------------------------------ */

struct crowd {
    uint64_t last; /* token */
    cohort_lock_t *holder;
    int grants;
};

static void on_lock (cohort_lock_t *lock, const cohort_lock_event_t *event, void *arg)
{
    struct crowd *crowd = arg;
    if (event->kind == COHORT_LOCK_GRANTED) {
        assert_null (crowd->holder);
        assert_true (event->token.czxid > crowd->last);
        crowd->last = event->token.czxid;
        crowd->holder = lock;
        crowd->grants++;
    }
    assert_true (event->kind <= COHORT_LOCK_WAITING);
}

/* Whoever has it lets go, as a connection falls. */
static void next (struct crowd *crowd, cohort_t *victim)
{
    if (crowd->holder != NULL) {
        cohort_lock_t *holder = crowd->holder;
        crowd->holder = NULL;
        assert_int_equal (cohort_lock_release (holder), 0);
        cohort_fault_cut (victim);
    }
}

static void a_line_moves_through_a_storm_of_reconnects (void **state)
{
    (void) state;
    enum { CLIENTS = 4, EACH = 6 };
    cohort_t *clients[CLIENTS];
    cohort_lock_t *locks[CLIENTS * EACH];
    struct crowd crowd = {0};
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = join ();
    }
    cohort_lock_t *holder = cohort_lock_new (clients[0], "/x/lock", NULL, 0);
    assert_int_equal (cohort_lock_try (holder, COHORT_LOCK_EXCLUSIVE, LIMIT_MS), 0);
    for (int i = 0; i < CLIENTS * EACH; i++) {
        locks[i] = cohort_lock_new (clients[i % CLIENTS], "/x/lock", NULL, 0);
        cohort_lock_set_handler (locks[i], on_lock, &crowd);
        assert_int_equal (cohort_lock_acquire (locks[i], COHORT_LOCK_EXCLUSIVE), 0);
    }
    until (clients, CLIENTS, count (clients[1], "/x/lock") == CLIENTS * EACH + 1);
    assert_int_equal (cohort_lock_release (holder), 0);
    for (int turn = 0; crowd.grants < CLIENTS * EACH; turn++) {
        int grants = crowd.grants;
        next (&crowd, clients[turn % CLIENTS]);
        until (clients, CLIENTS, crowd.grants > grants);
    }
    cohort_lock_destroy (&holder);
    for (int i = 0; i < CLIENTS * EACH; i++) {
        cohort_lock_destroy (&locks[i]);
    }
    until (clients, CLIENTS, count (clients[0], "/x/lock") == 0);
    for (int i = 0; i < CLIENTS; i++) {
        leave (&clients[i]);
    }
}

/* ---- Bad input ------------------------------------------------------------------------------- */

/* A path that cannot have children, and one that has others. */
static void what_stands_on_an_ephemeral_is_refused (void **state)
{
    (void) state;
    cohort_t *client = join ();
    assert_int_equal (cohort_create (client, "/e", "x", 1, COHORT_EPHEMERAL, NULL, NULL, NULL), 0);
    cohort_lock_t *lock = cohort_lock_new (client, "/e", NULL, 0);
    cohort_lock_t *below = cohort_lock_new (client, "/e/lock", NULL, 0);
    cohort_sem_t *sem = cohort_sem_new (client, "/e", 2, NULL, 0);
    cohort_election_t *election = cohort_election_new (client, "/e", 0);
    cohort_barrier_t *barrier = cohort_barrier_new (client, "/e", 2, 1);
    cohort_queue_t *queue = cohort_queue_new (client, "/e", NULL);
    cohort_claims_t *claims = cohort_claims_new (client, "/e", "/e");
    cohort_claim_t *claim = cohort_claim_new (claims, "alice", NULL, 0);
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_lock_try (lock, COHORT_LOCK_EXCLUSIVE, LIMIT_MS),
                      COHORT_ENOCHILDREN4EPHEMERALS);
    assert_int_equal (cohort_lock_try (below, COHORT_LOCK_EXCLUSIVE, LIMIT_MS),
                      COHORT_ENOCHILDREN4EPHEMERALS);
    assert_int_equal (cohort_sem_acquire (sem, 1), 0);
    assert_int_equal (cohort_sem_wait (sem, LIMIT_MS), COHORT_ENOCHILDREN4EPHEMERALS);
    assert_int_equal (cohort_election_campaign (election, "x", 1), 0);
    assert_int_equal (cohort_election_wait (election, LIMIT_MS), COHORT_ENOCHILDREN4EPHEMERALS);
    assert_int_equal (cohort_barrier_enter (barrier), 0);
    assert_int_equal (cohort_barrier_wait (barrier, LIMIT_MS), COHORT_ENOCHILDREN4EPHEMERALS);
    assert_int_equal (cohort_queue_put (queue, "x", 1, NULL, LIMIT_MS, NULL),
                      COHORT_ENOCHILDREN4EPHEMERALS);
    assert_int_equal (cohort_queue_take (queue, LIMIT_MS, &item), COHORT_ENOCHILDREN4EPHEMERALS);
    assert_int_equal (cohort_claim_take (claim, COHORT_CLAIM_REJECT, 0), 0);
    assert_int_equal (cohort_claim_wait (claim, LIMIT_MS), COHORT_ENOCHILDREN4EPHEMERALS);
    cohort_claim_destroy (&claim);
    cohort_claims_destroy (&claims);
    cohort_queue_destroy (&queue);
    cohort_barrier_destroy (&barrier);
    cohort_election_destroy (&election);
    cohort_sem_destroy (&sem);
    cohort_lock_destroy (&below);
    cohort_lock_destroy (&lock);
    leave (&client);
}

/* ---- A clock that jumps ---------------------------------------------------------------------- */

enum { HOUR_MS = 3600000, GRACE_MS = 200 };

/* What is held does not notice. A grace, and a delay, are the leader's time of day: nobody has what
 * another surely has, and who waits too long for it is told. */
static void a_clock_jumps (void **state)
{
    (void) state;
    cohort_t *clients[] = {join (), join ()};
    cohort_claims_t *claims[2];
    cohort_claim_t *alice[2];
    for (int i = 0; i < 2; i++) {
        const char *owner = i == 0 ? "/g0" : "/g1";
        assert_int_equal (
            cohort_create (clients[i], owner, NULL, 0, COHORT_EPHEMERAL, NULL, NULL, NULL), 0);
        claims[i] = cohort_claims_new (clients[i], "/users", owner);
        alice[i] = cohort_claim_new (claims[i], "alice", NULL, 0);
    }
    cohort_lock_t *lock = cohort_lock_new (clients[0], "/x/lock", NULL, 0);
    cohort_lease_t *lease = cohort_lease_new (clients[0], "/x/lease", LIMIT_MS, NULL);
    assert_int_equal (cohort_lock_try (lock, COHORT_LOCK_EXCLUSIVE, LIMIT_MS), 0);
    assert_int_equal (cohort_lease_try (lease, LIMIT_MS), 0);
    assert_int_equal (cohort_claim_take (alice[0], COHORT_CLAIM_REJECT, 0), 0);
    assert_int_equal (cohort_claim_wait (alice[0], LIMIT_MS), 0);
    /* Back: the grace ends, late, and first for the one who was asked. */
    assert_int_equal (cohort_claim_take (alice[1], COHORT_CLAIM_KICK, GRACE_MS), 0);
    until (clients, 2, count (clients[1], "/users/.asked") == 1);
    assert_int_equal (cohort_test_step_clock (test, 0, -HOUR_MS), 0);
    until (clients, 2, !cohort_claim_valid (alice[0], 0));
    assert_int_equal (cohort_claim_wait (alice[1], LIMIT_MS), 0);
    until (clients, 2, !cohort_claim_held (alice[0]));
    assert_true (cohort_lock_valid (lock, 0) && cohort_lease_valid (lease, 0));
    /* Forth, far beyond where it was. */
    assert_int_equal (cohort_claim_take (alice[0], COHORT_CLAIM_KICK, GRACE_MS), 0);
    assert_int_equal (cohort_test_step_clock (test, 0, 2 * HOUR_MS), 0);
    until (clients, 2, cohort_claim_held (alice[0]) && !cohort_claim_held (alice[1]));
    assert_true (cohort_lock_valid (lock, 0) && cohort_lease_valid (lease, 0));
    cohort_lease_destroy (&lease);
    cohort_lock_destroy (&lock);
    for (int i = 0; i < 2; i++) {
        cohort_claim_destroy (&alice[i]);
        cohort_claims_destroy (&claims[i]);
        leave (&clients[i]);
    }
}

int main (void)
{
#define ONE(name)   cmocka_unit_test_setup_teardown (name, begin_one, end)
#define THREE(name) cmocka_unit_test_setup_teardown (name, begin_three, end)
    const struct CMUnitTest tests[] = {
        THREE (a_gate_outlives_its_leader),
        THREE (a_group_does_not_flap_with_its_leader),
        THREE (partitions_move_while_leaders_die),
        ONE (answers_are_lost_at_each_step),
        ONE (a_sum_is_known_although_its_answer_was_lost),
        ONE (a_session_ends_between_asking_and_waiting),
        ONE (a_session_is_renewed_before_its_end_is_told),
        ONE (a_time_limit_ends_as_the_grant_comes),
        ONE (a_time_limit_of_nothing),
        ONE (a_line_moves_through_a_storm_of_reconnects),
        ONE (what_stands_on_an_ephemeral_is_refused),
        ONE (a_clock_jumps),
    };
#undef ONE
#undef THREE
    return cmocka_run_group_tests (tests, NULL, NULL);
}
