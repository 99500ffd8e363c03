/* Several locks at once: all or none, in any order, and what it costs. */

#include "cohort/multilock.h"

#include <stdlib.h>

#include "client/base/prng.h"
#include "tests/unit/recipes/fixture.h"

#define MANY 5

struct trader {
    cohort_t *client;
    cohort_multilock_t *locks;
    const char *name;
};

static struct trader traders[MANY];
static const char *const names[MANY] = {"A", "B", "C", "D", "E"};

static void on_event (cohort_multilock_t *self, const cohort_multilock_event_t *event, void *arg)
{
    fake_in_handler ();
    struct trader *trader = arg;
    assert_ptr_equal (self, trader->locks);
    switch (event->kind) {
    case COHORT_LOCK_GRANTED:
        assert_true (cohort_multilock_held (self));
        assert_true (cohort_multilock_valid (self, 0));
        assert_int_equal (event->token.czxid, cohort_multilock_token (self).czxid);
        trace ("%s granted; ", trader->name);
        break;
    case COHORT_LOCK_WAITING:
        trace ("%s waits for %s; ", trader->name, event->path);
        break;
    case COHORT_LOCK_REVOKED:
        assert_int_not_equal (event->token.czxid, 0);
        assert_false (cohort_multilock_valid (self, 0));
        trace ("%s revoked %d %s; ", trader->name, event->rc, event->path);
        break;
    case COHORT_LOCK_FAILED:
        assert_int_equal (event->token.czxid, 0);
        trace ("%s failed %d; ", trader->name, event->rc);
        break;
    }
}

static struct trader *trader_of (int index, const char *one, const char *other,
                                 cohort_lock_mode_t mode)
{
    struct trader *trader = &traders[index];
    cohort_multilock_part_t parts[2] = {{one, mode}, {other, mode}};
    trader->client = trader->client == NULL ? fake_client () : trader->client;
    trader->name = names[index];
    trader->locks = cohort_multilock_new (trader->client, parts, 2, trader->name, 1);
    assert_non_null (trader->locks);
    cohort_multilock_set_handler (trader->locks, on_event, trader);
    return trader;
}

static void wants (int index)
{
    assert_int_equal (cohort_multilock_acquire (traders[index].locks), 0);
    fake_settle (traders[index].client);
}

static void gives_back (int index)
{
    assert_int_equal (cohort_multilock_release (traders[index].locks), 0);
    fake_settle (traders[index].client);
}

static void settle (int count)
{
    for (int i = 0; i < 4 * count; i++) {
        fake_settle (traders[i % count].client);
    }
}

static size_t places (void)
{
    return fake_count ("/l/a/exclusive-") + fake_count ("/l/b/exclusive-") +
           fake_count ("/l/c/exclusive-") + fake_count ("/l/a/shared-") +
           fake_count ("/l/b/shared-") + fake_count ("/l/c/shared-");
}

static void leave (int count)
{
    for (int i = 0; i < count; i++) {
        cohort_multilock_destroy (&traders[i].locks);
        fake_settle (traders[i].client);
        assert_int_equal (fake_streams (traders[i].client), 0);
    }
    assert_int_equal (places (), 0);
}

static int start (void **state)
{
    (void) fake_start (state);
    memset (traders, 0, sizeof (traders));
    return 0;
}

static void uncontended_is_one_write_and_one_round_trip (void **state)
{
    (void) state;
    fake_create ("/l", "", 0);
    struct trader *a = trader_of (0, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
    assert_int_equal (cohort_multilock_acquire (a->locks), 0);
    fake_flush (a->client);
    fake_hold (a->client, true);
    cohort_dispatch (a->client, 0);
    assert_trace ("A granted; ");
    assert_int_equal (fake_writes (), 1);
    fake_hold (a->client, false);
    fake_settle (a->client);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_multilock_guard (a->locks, txn), 0);
    assert_int_equal (cohort_txn_count (txn), 2);
    cohort_txn_destroy (&txn);
    gives_back (0);
    assert_int_equal (fake_writes (), 2);
    assert_int_equal (places (), 0);
    assert_int_equal (fake_streams (a->client), 0);
    leave (1);
}

static void missing_containers_are_made (void **state)
{
    (void) state;
    (void) trader_of (0, "/l/x/a", "/m/b", COHORT_LOCK_EXCLUSIVE);
    wants (0);
    assert_trace ("A granted; ");
    leave (1);
}

/* Named in opposite orders, and joined while neither has heard of the other. */
static void opposite_orders_are_no_deadlock (void **state)
{
    (void) state;
    (void) trader_of (0, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
    (void) trader_of (1, "/l/b", "/l/a", COHORT_LOCK_EXCLUSIVE);
    wants (0);
    gives_back (0);
    trace_text[0] = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal (cohort_multilock_acquire (traders[i].locks), 0);
    }
    for (int i = 0; i < 20; i++) {
        (void) fake_flush_one (traders[i % 2].client);
    }
    settle (2);
    assert_trace ("A granted; B waits for /l/b; ");
    uint64_t first = cohort_multilock_token (traders[0].locks).czxid;
    gives_back (0);
    settle (2);
    assert_trace ("B granted; ");
    assert_true (cohort_multilock_token (traders[1].locks).czxid > first);
    leave (2);
}

static void what_is_in_common_is_waited_for (void **state)
{
    (void) state;
    (void) trader_of (0, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
    (void) trader_of (1, "/l/b", "/l/c", COHORT_LOCK_EXCLUSIVE);
    (void) trader_of (2, "/l/c", "/l/a", COHORT_LOCK_EXCLUSIVE);
    wants (0);
    wants (1);
    wants (2);
    assert_trace ("A granted; B waits for /l/b; C waits for /l/c; ");
    gives_back (0);
    settle (3);
    assert_trace ("B granted; ");
    gives_back (1);
    settle (3);
    assert_trace ("C granted; ");
    leave (3);
    /* Shared ones go together. */
    for (int i = 0; i < 3; i++) {
        (void) trader_of (i, "/l/a", "/l/b", COHORT_LOCK_SHARED);
        wants (i);
    }
    settle (3);
    assert_trace ("A granted; B granted; C granted; ");
    leave (3);
}

static void an_ordinary_lock_stands_in_the_same_line (void **state)
{
    (void) state;
    (void) trader_of (0, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
    cohort_lock_t *lock = cohort_lock_new (traders[0].client, "/l/b", NULL, 0);
    assert_int_equal (cohort_lock_try (lock, COHORT_LOCK_EXCLUSIVE, 100), 0);
    wants (0);
    assert_trace ("A waits for /l/b; ");
    assert_int_equal (cohort_lock_release (lock), 0);
    settle (1);
    assert_trace ("A granted; ");
    assert_int_equal (cohort_lock_try (lock, COHORT_LOCK_SHARED, 100), COHORT_EBUSY);
    cohort_lock_destroy (&lock);
    leave (1);
}

static void all_or_nothing (void **state)
{
    (void) state;
    char path[64];
    (void) trader_of (0, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
    (void) trader_of (1, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
    wants (0);
    wants (1);
    trace_text[0] = 0;
    assert_true (fake_first_child ("/l/b", path, sizeof (path)));
    fake_delete (path);
    settle (2);
    assert_trace ("A revoked -101 /l/b; B granted; ");
    assert_int_equal (places (), 2);
    assert_int_equal (cohort_multilock_wait (traders[0].locks, -1), COHORT_ENONODE);
    /* While it waits. */
    wants (0);
    assert_trace ("A waits for /l/a; ");
    fake_delete ("/l/a/exclusive-0000000002");
    settle (2);
    assert_trace ("A failed -101; ");
    assert_int_equal (places (), 2);
    /* The deletion by hand and the release cross each other. */
    assert_true (fake_first_child ("/l/b", path, sizeof (path)));
    assert_int_equal (cohort_multilock_release (traders[1].locks), 0);
    fake_delete (path);
    settle (2);
    assert_int_equal (places (), 0);
    assert_trace ("");
    wants (0);
    fake_expire (traders[0].client, false, true);
    settle (2);
    assert_trace ("A granted; A revoked -112 /l/b; ");
    wants (0);
    assert_trace ("A granted; ");
    leave (2);
}

static void a_try_or_a_wait_that_fails_leaves_nothing (void **state)
{
    (void) state;
    (void) trader_of (0, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
    (void) trader_of (1, "/l/b", "/l/c", COHORT_LOCK_EXCLUSIVE);
    wants (0);
    assert_int_equal (cohort_multilock_try (traders[1].locks, 100), COHORT_EBUSY);
    fake_settle (traders[1].client);
    assert_int_equal (places (), 2);
    wants (1);
    assert_int_equal (cohort_multilock_wait (traders[1].locks, 1), COHORT_ETIMEDOUT);
    fake_settle (traders[1].client);
    assert_int_equal (places (), 2);
    /* Cut off before the answer. */
    fake_suspend (traders[1].client);
    assert_int_equal (cohort_multilock_try (traders[1].locks, 0), COHORT_ETIMEDOUT);
    fake_resume (traders[1].client, true);
    fake_settle (traders[1].client);
    assert_int_equal (places (), 2);
    trace_text[0] = 0;
    leave (2);
}

static void what_cannot_be_is_refused (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_multilock_part_t parts[COHORT_MULTILOCK_MAX + 1] = {{"/l/a", COHORT_LOCK_SHARED},
                                                               {"/l/b", COHORT_LOCK_SHARED},
                                                               {"/l/a", COHORT_LOCK_EXCLUSIVE},
                                                               {NULL, COHORT_LOCK_SHARED}};
    assert_null (cohort_multilock_new (client, NULL, 1, NULL, 0));
    assert_null (cohort_multilock_new (NULL, parts, 1, NULL, 0));
    assert_null (cohort_multilock_new (client, parts, 0, NULL, 0));
    assert_null (cohort_multilock_new (client, parts, COHORT_MULTILOCK_MAX + 1, NULL, 0));
    assert_null (cohort_multilock_new (client, parts, 3, NULL, 0));
    assert_null (cohort_multilock_new (client, parts + 3, 1, NULL, 0));
    assert_null (cohort_multilock_new (client, parts, 1, NULL, 1));
    parts[0].mode = (cohort_lock_mode_t) 2;
    assert_null (cohort_multilock_new (client, parts, 1, NULL, 0));
    struct trader *a = trader_of (0, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_multilock_guard (a->locks, txn), COHORT_ESTATE);
    cohort_txn_destroy (&txn);
    assert_int_equal (cohort_multilock_release (a->locks), COHORT_ESTATE);
    assert_int_equal (cohort_multilock_wait (a->locks, -1), COHORT_ESTATE);
    fake_fail_call (a->client, COHORT_EPATH);
    assert_int_equal (cohort_multilock_acquire (a->locks), COHORT_EPATH);
    fake_fail_request (a->client, COHORT_ENOAUTH);
    assert_int_equal (cohort_multilock_acquire (a->locks), 0);
    assert_int_equal (cohort_multilock_acquire (a->locks), COHORT_ESTATE);
    assert_int_equal (cohort_multilock_wait (a->locks, -1), COHORT_ENOAUTH);
    assert_trace ("A failed -102; ");
    fake_settle (a->client);
    wants (0);
    fake_fail_call (a->client, COHORT_ELIMIT);
    assert_int_equal (cohort_multilock_release (a->locks), COHORT_ELIMIT);
    assert_true (cohort_multilock_held (a->locks));
    cohort_multilock_destroy (&a->locks);
    cohort_multilock_destroy (&a->locks);
    fake_settle (a->client);
    assert_int_equal (places (), 0);
    cohort_destroy (&client);
}

static void destroy_inside (cohort_multilock_t *self, const cohort_multilock_event_t *event,
                            void *arg)
{
    fake_in_handler ();
    struct trader *trader = arg;
    (void) self;
    (void) event;
    cohort_multilock_destroy (&trader->locks);
}

static void destroyed_inside_its_handler (void **state)
{
    (void) state;
    for (int mode = 0; mode < 4; mode++) {
        (void) start (NULL);
        (void) trader_of (0, "/l/a", "/l/b", COHORT_LOCK_EXCLUSIVE);
        (void) trader_of (1, "/l/b", "/l/a", COHORT_LOCK_EXCLUSIVE);
        if (mode > 0) {
            wants (0);
        }
        cohort_multilock_set_handler (traders[1].locks, destroy_inside, &traders[1]);
        if (mode == 2) {
            fake_fail_request (traders[1].client, COHORT_ENOAUTH);
        } else if (mode == 3) {
            cohort_multilock_set_handler (traders[1].locks, NULL, NULL);
            wants (1);
            cohort_multilock_set_handler (traders[1].locks, destroy_inside, &traders[1]);
            gives_back (0);
        }
        if (mode < 3) {
            wants (1);
        }
        settle (2);
        assert_null (traders[1].locks);
        leave (2);
    }
}

/* ---- Random operations ----------------------------------------------------------------------- */

#define OPERATIONS 1500

static const char *const paths[] = {"/l/a", "/l/b", "/l/c"};
static struct prng prng;
static unsigned grants;
static uint64_t last_token[3];
static int parts_of[MANY][2];

static void on_random_event (cohort_multilock_t *self, const cohort_multilock_event_t *event,
                             void *arg)
{
    fake_in_handler ();
    (void) self;
    const int *parts = arg;
    for (int i = 0; i < 2 && event->kind == COHORT_LOCK_GRANTED; i++) {
        assert_true (event->token.czxid > last_token[parts[i]]);
        last_token[parts[i]] = event->token.czxid;
    }
    grants += event->kind == COHORT_LOCK_GRANTED;
}

static void check (void)
{
    int holders[3] = {0};
    for (int i = 0; i < MANY; i++) {
        if (cohort_multilock_valid (traders[i].locks, 0)) {
            holders[parts_of[i][0]]++;
            holders[parts_of[i][1]]++;
        }
    }
    for (int i = 0; i < 3; i++) {
        assert_true (holders[i] <= 1);
    }
}

static void trader_new (int index)
{
    int one = (int) prng_below (&prng, 3), other = (one + 1 + (int) prng_below (&prng, 2)) % 3;
    parts_of[index][0] = one;
    parts_of[index][1] = other;
    (void) trader_of (index, paths[one], paths[other], COHORT_LOCK_EXCLUSIVE);
    cohort_multilock_set_handler (traders[index].locks, on_random_event, parts_of[index]);
}

static void operate (int index)
{
    struct trader *trader = &traders[index];
    uint64_t what = prng_below (&prng, 100);
    if (what < 45) {
        (void) !cohort_multilock_acquire (trader->locks);
    } else if (what < 70) {
        (void) cohort_multilock_release (trader->locks);
    } else if (what < 74) {
        fake_expire (trader->client, prng_chance (&prng, 1, 2), true);
    } else if (what < 78 && cohort_state (trader->client) == COHORT_CONNECTED) {
        fake_suspend (trader->client);
    } else if (what < 82) {
        cohort_multilock_destroy (&trader->locks);
        trader_new (index);
    }
}

static void take_turn (cohort_t *client)
{
    if (cohort_state (client) == COHORT_SUSPENDED && prng_chance (&prng, 1, 3)) {
        fake_resume (client, prng_chance (&prng, 1, 2));
    }
    for (uint64_t i = prng_below (&prng, 9); i > 0; i--) {
        (void) fake_flush_one (client);
    }
    (void) cohort_dispatch (client, (int) prng_below (&prng, 8) + 1);
}

static void random_run (uint64_t seed)
{
    prng_seed (&prng, seed);
    memset (last_token, 0, sizeof (last_token));
    for (int i = 0; i < MANY; i++) {
        trader_new (i);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate ((int) prng_below (&prng, MANY));
        check ();
        take_turn (traders[prng_below (&prng, MANY)].client);
        check ();
    }
    /* In the end each of them gets what it wants: nobody waits for each other. */
    for (int i = 0; i < MANY; i++) {
        if (cohort_state (traders[i].client) == COHORT_SUSPENDED) {
            fake_resume (traders[i].client, false);
        }
        fake_settle (traders[i].client);
        (void) !cohort_multilock_acquire (traders[i].locks);
    }
    for (int left = MANY; left > 0; left--) {
        settle (MANY);
        check ();
        int released = 0;
        for (int i = 0; i < MANY; i++) {
            if (cohort_multilock_held (traders[i].locks)) {
                assert_int_equal (cohort_multilock_release (traders[i].locks), 0);
                released++;
            }
        }
        assert_true (released > 0 || places () == 0);
    }
    settle (MANY);
    assert_int_equal (places (), 0);
    leave (MANY);
}

static void random_operations (void **state)
{
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    for (uint64_t seed = from; seed <= (fixed == NULL ? 30 : from); seed++) {
        (void) start (state);
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
        TEST (uncontended_is_one_write_and_one_round_trip),
        TEST (missing_containers_are_made),
        TEST (opposite_orders_are_no_deadlock),
        TEST (what_is_in_common_is_waited_for),
        TEST (an_ordinary_lock_stands_in_the_same_line),
        TEST (all_or_nothing),
        TEST (a_try_or_a_wait_that_fails_leaves_nothing),
        TEST (what_cannot_be_is_refused),
        TEST (destroyed_inside_its_handler),
        TEST (random_operations),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
