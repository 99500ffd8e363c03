/* Semaphores: who has permits, who waits, in which order, and what it costs. */

#include "cohort/sem.h"

#include "client/base/prng.h"
#include "tests/unit/recipes/fake_tree.h"
#include "tests/unit/recipes/fixture.h"

#include <stdlib.h>

#define PATH "/sems/a"
#define MANY 8

struct user {
    cohort_t *client;
    cohort_sem_t *sem;
    const char *name;
};

static struct user users[MANY];
static const char *const names[MANY] = {"A", "B", "C", "D", "E", "F", "G", "H"};
static uint64_t last_token;

static void on_event (cohort_sem_t *self, const cohort_sem_event_t *event, void *arg)
{
    fake_in_handler ();
    struct user *user = arg;
    assert_ptr_equal (self, user->sem);
    assert_string_equal (event->path, PATH);
    switch (event->kind) {
    case COHORT_SEM_GRANTED:
        assert_true (cohort_sem_held (self) > 0);
        assert_int_equal (event->token.czxid, fake_stat (cohort_sem_node (self))->czxid);
        assert_int_equal (event->token.czxid, cohort_sem_token (self).czxid);
        trace ("%s granted; ", user->name);
        break;
    case COHORT_SEM_WAITING:
        trace ("%s waits; ", user->name);
        break;
    case COHORT_SEM_REVOKED:
        assert_int_not_equal (event->token.czxid, 0);
        assert_false (cohort_sem_valid (self, 0));
        trace ("%s revoked %d; ", user->name, event->rc);
        break;
    case COHORT_SEM_FAILED:
        assert_int_equal (event->token.czxid, 0);
        trace ("%s failed %d; ", user->name, event->rc);
        break;
    }
}

static struct user *user_of (int index, int permits)
{
    struct user *user = &users[index];
    *user = (struct user){.client = fake_client (), .name = names[index]};
    user->sem = cohort_sem_new (user->client, PATH, permits, names[index], 1);
    assert_non_null (user->sem);
    cohort_sem_set_handler (user->sem, on_event, user);
    return user;
}

static void wants (int index, int count)
{
    assert_int_equal (cohort_sem_acquire (users[index].sem, count), 0);
    fake_settle (users[index].client);
}

static void gives_back (int index, int count)
{
    assert_int_equal (cohort_sem_release (users[index].sem, count), 0);
    fake_settle (users[index].client);
}

static void settle (int count)
{
    for (int i = 0; i < 4 * count; i++) {
        fake_settle (users[i % count].client);
    }
}

static void leave (int count)
{
    for (int i = 0; i < count; i++) {
        cohort_sem_destroy (&users[i].sem);
        fake_settle (users[i].client);
        assert_int_equal (fake_streams (users[i].client), 0);
    }
    assert_int_equal (fake_count (PATH "/permits-"), 0);
    trace_text[0] = 0;
}

static int start (void **state)
{
    (void) fake_start (state);
    last_token = 0;
    return 0;
}

static void while_enough_are_left_it_is_one_round_trip (void **state)
{
    (void) state;
    fake_create ("/sems", "", 0);
    struct user *a = user_of (0, 3);
    assert_int_equal (cohort_sem_acquire (a->sem, 2), 0);
    assert_int_equal (cohort_sem_held (a->sem), 0);
    fake_flush (a->client);
    fake_hold (a->client, true);
    cohort_dispatch (a->client, 0);
    assert_trace ("A granted; ");
    assert_int_equal (fake_writes (), 1);
    assert_int_equal (cohort_sem_held (a->sem), 2);
    assert_true (cohort_sem_valid (a->sem, 0));
    fake_hold (a->client, false);
    fake_settle (a->client);
    assert_int_equal (fake_writes (), 1);
    assert_string_equal (fake_data (PATH), "permits=3\n");
    /* The last one is given, too. */
    (void) user_of (1, 3);
    wants (1, 1);
    assert_trace ("B granted; ");
    assert_int_equal (fake_writes (), 2);
    gives_back (0, 2);
    assert_int_equal (fake_writes (), 3);
    assert_int_equal (cohort_sem_held (a->sem), 0);
    assert_false (cohort_sem_valid (a->sem, 0));
    leave (2);
}

static void who_waits_for_more_is_not_passed (void **state)
{
    (void) state;
    for (int i = 0; i < 4; i++) {
        (void) user_of (i, 3);
    }
    wants (0, 2);
    wants (1, 2);
    wants (2, 1);
    wants (3, 1);
    assert_trace ("A granted; B waits; C waits; D waits; ");
    settle (4);
    assert_trace ("");
    gives_back (0, 1); /* a part: two are left, which B wants */
    settle (4);
    assert_trace ("B granted; ");
    assert_int_equal (cohort_sem_held (users[0].sem), 1);
    gives_back (0, 1);
    settle (4);
    assert_trace ("C granted; ");
    gives_back (1, 2);
    settle (4);
    assert_trace ("D granted; ");
    leave (4);
}

static void a_release_lets_on_all_who_can (void **state)
{
    (void) state;
    for (int i = 0; i < 6; i++) {
        (void) user_of (i, 4);
    }
    wants (0, 4);
    for (int i = 1; i < 6; i++) {
        wants (i, 1);
    }
    trace_text[0] = 0;
    gives_back (0, 4);
    settle (6);
    assert_trace ("B granted; C granted; D granted; E granted; ");
    leave (6);
}

/* Only the first one who waits hears of a release, whoever gives back. */
static void a_release_wakes_one (void **state)
{
    (void) state;
    for (int i = 0; i < MANY; i++) {
        (void) user_of (i, 2);
        wants (i, 1);
    }
    settle (MANY);
    size_t writes = fake_writes ();
    assert_int_equal (cohort_sem_release (users[1].sem, 1), 0);
    fake_flush (users[1].client);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal (fake_callbacks (users[i].client), i == 1 || i == 2);
    }
    /* Without asking. */
    cohort_dispatch (users[2].client, 0);
    assert_int_equal (cohort_sem_held (users[2].sem), 1);
    assert_int_equal (fake_requests (users[2].client), 1);
    settle (MANY);
    assert_int_equal (fake_writes () - writes, 2); /* the release, and the record of the grant */
    leave (MANY);
}

/* What is asked and told until nothing is left to do. */
static size_t cost_of_settling (cohort_t *client)
{
    size_t cost = 0;
    while (fake_requests (client) + fake_callbacks (client) > 0) {
        cost += fake_requests (client);
        fake_flush (client);
        cost += (size_t) cohort_dispatch (client, 0);
    }
    return cost;
}

static size_t cost_of_a_hand_over (size_t waiters)
{
    (void) start (NULL);
    cohort_t *client = fake_client ();
    cohort_sem_t **sems = fake_must (calloc (waiters + 2, sizeof (cohort_sem_t *)));
    for (size_t i = 0; i < waiters + 2; i++) {
        sems[i] = cohort_sem_new (client, PATH, 2, NULL, 0);
        assert_int_equal (cohort_sem_acquire (sems[i], 1), 0);
        fake_settle (client);
        assert_int_equal (cohort_sem_held (sems[i]), i < 2);
    }
    size_t cost = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal (cohort_sem_release (sems[i], 1), 0);
        size_t now = cost_of_settling (client);
        assert_int_equal (cohort_sem_held (sems[i + 2]), 1);
        cost = now > cost ? now : cost;
    }
    for (size_t i = 0; i < waiters + 2; i++) {
        cohort_sem_destroy (&sems[i]);
    }
    fake_settle (client);
    free (sems);
    return cost;
}

static void a_hand_over_costs_the_same_however_many_wait (void **state)
{
    (void) state;
    size_t few = cost_of_a_hand_over (5), many = cost_of_a_hand_over (200);
    print_message ("a hand-over: %zu requests and callbacks\n", many);
    assert_int_equal (few, many);
}

static void tokens_are_in_order (void **state)
{
    (void) state;
    uint64_t last = 0;
    for (int i = 0; i < MANY; i++) {
        (void) user_of (i, 2);
        wants (i, 1);
    }
    for (int i = 0; i < MANY; i++) {
        settle (MANY);
        assert_int_equal (cohort_sem_held (users[i].sem), 1);
        assert_true (cohort_sem_token (users[i].sem).czxid > last);
        last = cohort_sem_token (users[i].sem).czxid;
        gives_back (i, 1);
    }
    leave (MANY);
}

static void two_who_do_not_agree_are_told (void **state)
{
    (void) state;
    (void) user_of (0, 3);
    (void) user_of (1, 5);
    wants (0, 1);
    wants (1, 1);
    settle (2);
    assert_trace ("A granted; B failed -217; ");
    assert_int_equal (cohort_sem_wait (users[1].sem, -1), COHORT_ECONFIG);
    assert_int_equal (fake_count (PATH "/permits-"), 1);
    assert_int_equal (cohort_sem_held (users[0].sem), 1);
    leave (2);
    /* Foreign data, and none. */
    static const char *const foreign[] = {"",
                                          "permits=\n",
                                          "permits=03\n",
                                          "permits=3",
                                          "xxxxxxxxx3\n",
                                          "permits=-3\n",
                                          "permits=99999999999999999999999\n"};
    for (size_t i = 0; i < sizeof (foreign) / sizeof (foreign[0]); i++) {
        fake_set (PATH, foreign[i]);
        (void) user_of (0, 3);
        wants (0, 1);
        assert_trace ("A failed -217; ");
        cohort_sem_destroy (&users[0].sem);
        fake_settle (users[0].client);
        assert_int_equal (fake_count (PATH "/permits-"), 0);
        cohort_destroy (&users[0].client);
        fake_reset ();
        fake_create ("/sems", "", 0);
        fake_create (PATH, "", 0);
    }
}

static void foreign_children_do_not_count (void **state)
{
    (void) state;
    fake_create ("/sems", "", 0);
    fake_create (PATH, "permits=2\n", 0);
    fake_create (PATH "/permits-", "", 0);
    fake_create (PATH "/permits-1", "", 0);
    fake_create (PATH "/permits-0000000001x", "", 0);
    fake_create (PATH "/exclusive-0000000000", "", 0);
    fake_create (PATH "/zzz", "", 0);
    (void) user_of (0, 2);
    wants (0, 2);
    assert_trace ("A granted; ");
    (void) user_of (1, 2);
    wants (1, 1);
    assert_trace ("B waits; ");
    gives_back (0, 2);
    settle (2);
    assert_trace ("B granted; ");
    /* One that was made by hand has a place, and all permits, as it does not say how many. */
    fake_create (PATH "/permits-0000000005", "contender=1\ncount=0\n\n", 0);
    fake_set_sequence (PATH, 6);
    wants (0, 1);
    assert_trace ("A waits; ");
    fake_delete (PATH "/permits-0000000005");
    settle (2);
    assert_trace ("A granted; ");
    for (int i = 0; i < 2; i++) {
        cohort_sem_destroy (&users[i].sem);
        fake_settle (users[i].client);
    }
}

/* What a holder has is known to others by its znode alone: when that says nothing any more, nobody
 * may have anything until the holder has written it anew, or has gone. */
static void what_a_hand_overwrote_may_be_all (void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        (void) user_of (i, 3);
    }
    wants (0, 2);
    fake_set (cohort_sem_node (users[0].sem), "x");
    wants (1, 1);
    wants (2, 1);
    assert_trace ("A granted; B waits; C waits; ");
    gives_back (0, 1);
    settle (3);
    assert_trace ("B granted; C granted; ");
    /* While somebody follows it. */
    gives_back (1, 1);
    gives_back (2, 1);
    wants (1, 3);
    fake_set (cohort_sem_node (users[0].sem), "");
    settle (3);
    assert_trace ("B waits; ");
    gives_back (0, 1);
    settle (3);
    assert_trace ("B granted; ");
    leave (3);
}

static void scenario_13_kazoo_429_a_failed_try_leaves_the_rest_free (void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        (void) user_of (i, 2);
    }
    wants (0, 1);
    assert_int_equal (cohort_sem_try (users[1].sem, 2, 100), COHORT_EBUSY);
    fake_settle (users[1].client);
    assert_int_equal (fake_count (PATH "/permits-"), 1);
    assert_int_equal (cohort_sem_try (users[2].sem, 1, 100), 0);
    assert_int_equal (cohort_sem_release (users[1].sem, 1), COHORT_ESTATE);
    /* Cut off. */
    gives_back (2, 1);
    fake_suspend (users[1].client);
    assert_int_equal (cohort_sem_try (users[1].sem, 1, 0), COHORT_ETIMEDOUT);
    fake_resume (users[1].client, true);
    fake_settle (users[1].client);
    assert_int_equal (fake_count (PATH "/permits-"), 1);
    leave (3);
}

static void what_cannot_be_is_refused (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    assert_null (cohort_sem_new (NULL, PATH, 1, NULL, 0));
    assert_null (cohort_sem_new (client, NULL, 1, NULL, 0));
    assert_null (cohort_sem_new (client, PATH, 0, NULL, 0));
    assert_null (cohort_sem_new (client, PATH, -1, NULL, 0));
    assert_null (cohort_sem_new (client, PATH, COHORT_SEM_PERMITS_MAX + 1, NULL, 0));
    assert_null (cohort_sem_new (client, PATH, 1, NULL, 1));
    struct user *a = user_of (0, 2);
    assert_int_equal (cohort_sem_acquire (a->sem, 0), COHORT_EINVAL);
    assert_int_equal (cohort_sem_acquire (a->sem, 3), COHORT_EINVAL);
    assert_int_equal (cohort_sem_release (a->sem, 1), COHORT_ESTATE);
    assert_int_equal (cohort_sem_wait (a->sem, -1), COHORT_ESTATE);
    assert_string_equal (cohort_sem_path (a->sem), PATH);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_sem_guard (a->sem, txn), COHORT_ESTATE);
    assert_int_equal (cohort_sem_acquire (a->sem, 2), 0);
    assert_int_equal (cohort_sem_acquire (a->sem, 1), COHORT_ESTATE);
    assert_int_equal (cohort_sem_release (a->sem, 3), COHORT_EINVAL);
    assert_int_equal (cohort_sem_release (a->sem, 0), COHORT_EINVAL);
    assert_int_equal (cohort_sem_release (a->sem, 1), COHORT_ESTATE);
    fake_settle (a->client);
    assert_int_equal (cohort_sem_guard (a->sem, txn), 0);
    assert_int_equal (cohort_txn_count (txn), 1);
    cohort_txn_destroy (&txn);
    fake_fail_call (a->client, COHORT_ELIMIT);
    assert_int_equal (cohort_sem_release (a->sem, 1), COHORT_ELIMIT);
    assert_int_equal (cohort_sem_held (a->sem), 2);
    fake_fail_call (a->client, COHORT_ELIMIT);
    assert_int_equal (cohort_sem_release (a->sem, 2), COHORT_ELIMIT);
    assert_int_equal (cohort_sem_held (a->sem), 2);
    gives_back (0, 2);
    fake_fail_request (a->client, COHORT_ENOAUTH);
    assert_int_equal (cohort_sem_acquire (a->sem, 1), 0);
    assert_int_equal (cohort_sem_wait (a->sem, -1), COHORT_ENOAUTH);
    cohort_sem_destroy (&a->sem);
    cohort_sem_destroy (&a->sem);
    fake_settle (a->client);
}

static void who_dies_or_is_deleted_is_out (void **state)
{
    (void) state;
    for (int i = 0; i < 4; i++) {
        (void) user_of (i, 2);
        wants (i, 1);
    }
    trace_text[0] = 0;
    fake_expire (users[0].client, false, true);
    settle (4);
    assert_trace ("A revoked -112; C granted; ");
    fake_delete (cohort_sem_node (users[1].sem));
    settle (4);
    assert_trace ("B revoked -101; D granted; ");
    /* While it waits. */
    wants (0, 2);
    wants (1, 2);
    assert_trace ("A waits; B waits; ");
    fake_expire (users[0].client, false, true);
    fake_delete (cohort_sem_node (users[1].sem));
    settle (4);
    assert_trace ("A failed -112; B failed -101; ");
    assert_int_equal (cohort_sem_wait (users[0].sem, -1), COHORT_ESESSIONEXPIRED);
    leave (4);
}

static void scenario_15_etcd_19597_a_waiter_whose_session_ends_is_told (void **state)
{
    (void) state;
    for (int i = 0; i < 2; i++) {
        (void) user_of (i, 2);
        wants (i, 2);
    }
    fake_expire (users[1].client, false, false);
    assert_int_equal (cohort_sem_wait (users[1].sem, -1), COHORT_ESESSIONEXPIRED);
    assert_trace ("A granted; B waits; B failed -112; ");
    assert_int_equal (cohort_sem_held (users[0].sem), 2);
    fake_reap (cohort_session_id (users[1].client));
    leave (2);
}

/* One who waits in the middle goes: who is behind waits for the one ahead of it. */
static void who_is_behind_one_that_goes_finds_the_next (void **state)
{
    (void) state;
    for (int i = 0; i < 5; i++) {
        (void) user_of (i, 2);
        wants (i, 2);
    }
    trace_text[0] = 0;
    gives_back (2, 2);
    settle (5);
    gives_back (1, 2);
    settle (5);
    assert_trace ("");
    gives_back (0, 2);
    settle (5);
    assert_trace ("D granted; ");
    gives_back (3, 2);
    settle (5);
    assert_trace ("E granted; ");
    leave (5);
}

static void names_of_more_than_ten_digits (void **state)
{
    (void) state;
    fake_create ("/sems", "", 0);
    fake_create (PATH, "permits=2\n", 0);
    fake_set_sequence (PATH, UINT64_C (9999999998));
    for (int i = 0; i < 6; i++) {
        (void) user_of (i, 2);
        wants (i, 1);
    }
    settle (6);
    assert_trace ("A granted; B granted; C waits; D waits; E waits; F waits; ");
    for (int i = 0; i < 4; i++) {
        gives_back (i, 1);
        settle (6);
        assert_int_equal (cohort_sem_held (users[i + 2].sem), 1);
        assert_true (i == 3 || cohort_sem_held (users[i + 3].sem) == 0);
    }
    leave (6);
}

static void destroy_inside (cohort_sem_t *self, const cohort_sem_event_t *event, void *arg)
{
    fake_in_handler ();
    struct user *user = arg;
    (void) self;
    (void) event;
    cohort_sem_destroy (&user->sem);
}

static void destroyed_inside_its_handler (void **state)
{
    (void) state;
    for (int mode = 0; mode < 4; mode++) {
        (void) start (NULL);
        (void) user_of (0, 1);
        (void) user_of (1, 1);
        if (mode > 0) {
            wants (0, 1);
        }
        if (mode == 2) {
            wants (1, 1);
        }
        cohort_sem_set_handler (users[1].sem, destroy_inside, &users[1]);
        if (mode < 2) {
            wants (1, 1); /* granted; waits */
        } else if (mode == 2) {
            gives_back (0, 1);
            settle (2);
        } else {
            fake_fail_request (users[1].client, COHORT_ENOAUTH);
            wants (1, 1);
        }
        assert_null (users[1].sem);
        settle (2);
        leave (2);
    }
}

/* ---- Random operations ----------------------------------------------------------------------- */

#define PERMITS    4
#define OPERATIONS 1500

static struct prng prng;
static unsigned grants;

static void on_random_event (cohort_sem_t *self, const cohort_sem_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) arg;
    if (event->kind == COHORT_SEM_GRANTED) {
        assert_true (cohort_sem_held (self) > 0);
        grants++;
    }
}

/* What the ensemble knows as held by those who may count on it. */
static void check (void)
{
    int sum = 0;
    for (int i = 0; i < MANY; i++) {
        if (cohort_sem_valid (users[i].sem, 0)) {
            sum += cohort_sem_held (users[i].sem);
        }
    }
    assert_true (sum <= PERMITS);
}

static void operate (struct user *user)
{
    uint64_t what = prng_below (&prng, 100);
    int held = cohort_sem_held (user->sem);
    if (what < 35) {
        (void) !cohort_sem_acquire (user->sem, 1 + (int) prng_below (&prng, PERMITS));
    } else if (what < 55) {
        (void) cohort_sem_release (user->sem, held > 0 ? held : 1 + (int) prng_below (&prng, 4));
    } else if (what < 62) {
        (void) cohort_sem_release (user->sem, 1);
    } else if (what < 66) {
        fake_expire (user->client, prng_chance (&prng, 1, 2), prng_chance (&prng, 1, 2));
        fake_reap (cohort_session_id (user->client));
    } else if (what < 70 && cohort_state (user->client) == COHORT_CONNECTED) {
        fake_suspend (user->client);
    } else if (what < 72) {
        cohort_sem_destroy (&user->sem);
        user->sem = cohort_sem_new (user->client, PATH, PERMITS, NULL, 0);
        cohort_sem_set_handler (user->sem, on_random_event, user);
    } else if (what < 74) {
        const char *node = cohort_sem_node (user->sem);
        /* Of one who waits, and is not about to hear that it waits no more. */
        bool about = fake_callbacks (user->client) + fake_requests (user->client) > 0 ||
                     cohort_state (user->client) != COHORT_CONNECTED;
        if (node != NULL && fake_data (node) != NULL && held == 0 && !about) {
            fake_delete (node);
        }
    } else if (what < 76) {
        assert_int_not_equal (cohort_sem_try (user->sem, 1, 0), COHORT_EDEADLK);
    }
}

static void turn (struct user *user)
{
    if (cohort_state (user->client) == COHORT_SUSPENDED && prng_chance (&prng, 1, 3)) {
        fake_resume (user->client, prng_chance (&prng, 1, 2));
    }
    for (uint64_t i = prng_below (&prng, 4); i > 0; i--) {
        (void) fake_flush_one (user->client);
    }
    (void) cohort_dispatch (user->client, (int) prng_below (&prng, 3) + 1);
}

static void random_run (uint64_t seed)
{
    prng_seed (&prng, seed);
    for (int i = 0; i < MANY; i++) {
        (void) user_of (i, PERMITS);
        cohort_sem_set_handler (users[i].sem, on_random_event, &users[i]);
        fake_fragment (users[i].client, prng_below (&prng, 3));
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate (&users[prng_below (&prng, MANY)]);
        check ();
        turn (&users[prng_below (&prng, MANY)]);
        check ();
    }
    /* In the end everybody gets its permits, in turn: nobody is forgotten. */
    for (int i = 0; i < MANY; i++) {
        if (cohort_state (users[i].client) == COHORT_SUSPENDED) {
            fake_resume (users[i].client, false);
        }
        fake_settle (users[i].client);
        if (cohort_sem_release (users[i].sem, 1) == 0) {
            (void) cohort_sem_release (users[i].sem, cohort_sem_held (users[i].sem));
        }
    }
    for (int left = MANY; left > 0;) {
        int before = left;
        settle (MANY);
        for (int i = 0; i < MANY; i++) {
            int held = cohort_sem_held (users[i].sem);
            if (held > 0) {
                assert_int_equal (cohort_sem_release (users[i].sem, held), 0);
            }
        }
        settle (MANY);
        left = (int) fake_count (PATH "/permits-");
        assert_true (left == 0 || left < before || before == MANY);
        assert_true (left < before);
    }
    leave (MANY);
}

static void random_operations (void **state)
{
    (void) state;
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    for (uint64_t seed = from; seed <= (fixed == NULL ? 30 : from); seed++) {
        (void) start (NULL);
        grants = 0;
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        random_run (seed);
        assert_true (grants > 20);
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (while_enough_are_left_it_is_one_round_trip),
        TEST (who_waits_for_more_is_not_passed),
        TEST (a_release_lets_on_all_who_can),
        TEST (a_release_wakes_one),
        TEST (a_hand_over_costs_the_same_however_many_wait),
        TEST (tokens_are_in_order),
        TEST (two_who_do_not_agree_are_told),
        TEST (foreign_children_do_not_count),
        TEST (what_a_hand_overwrote_may_be_all),
        TEST (scenario_13_kazoo_429_a_failed_try_leaves_the_rest_free),
        TEST (what_cannot_be_is_refused),
        TEST (who_dies_or_is_deleted_is_out),
        TEST (scenario_15_etcd_19597_a_waiter_whose_session_ends_is_told),
        TEST (who_is_behind_one_that_goes_finds_the_next),
        TEST (names_of_more_than_ten_digits),
        TEST (destroyed_inside_its_handler),
        TEST (random_operations),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
