/* What a grant and a hand-over cost, counted with the real client and a real server: round trips,
 * writes, and callbacks (each is an answer or an event, so nobody is woken without one). Time
 * stands still, and what arrives is let through one round trip at a time. */

#include <stdio.h>

#include "cohort/cohort.h"
#include "cohort/test.h"
#include "tests/unit/unit.h"

enum {
    CLIENTS = 5,
    FEW = 10,
    MANY = 1000, /* contenders; a session can have 1,024 streams, each has two */
    HAND_OVERS = 4,
    REAPED_MS = 5000, /* after which empty containers are gone */
    ROUNDS_MAX = 64
};

static cohort_test_t *test;
static cohort_t *clients[CLIENTS];
static cohort_claims_t *claims[CLIENTS];

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void hold (int what)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal (cohort_fault_hold (clients[i], what), 0);
    }
}

static void rest (void)
{
    assert_int_equal (cohort_test_advance_ms (test, 0), 0);
}

/* Everything that was asked for is answered, and told; what is asked because of that stays on its
 * way. How many callbacks that took. */
static size_t pass_round (void)
{
    size_t ran = 0;
    rest ();
    hold (COHORT_HOLD_NOTHING);
    rest ();
    hold (COHORT_HOLD_ALL);
    rest ();
    for (size_t i = 0; i < CLIENTS; i++) {
        for (int n; (n = cohort_dispatch (clients[i], 0)) > 0;) {
            ran += (size_t) n;
        }
    }
    return ran;
}

static size_t settle (void)
{
    size_t ran = 0, now;
    do {
        now = pass_round ();
        now += pass_round ();
        ran += now;
    } while (now > 0);
    return ran;
}

/* How many writes there have been. */
static uint64_t writes (void)
{
    hold (COHORT_HOLD_NOTHING);
    assert_int_equal (cohort_sync (clients[0]), 0);
    return cohort_last_zxid (clients[0]);
}

static int begin (void **state)
{
    (void) state;
    cohort_test_options_t options = {.size = sizeof options, .manual_clock = 1};
    test = cohort_test_new (&options);
    if (test == NULL) {
        return -1;
    }
    cohort_options_t of_client = {.size = sizeof of_client, .loop = cohort_test_loop (test)};
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = cohort_new (cohort_test_endpoints (test), &of_client);
        if (clients[i] == NULL || cohort_wait (clients[i], -1) != 0) {
            return -1;
        }
    }
    return 0;
}

static int end (void **state)
{
    (void) state;
    hold (COHORT_HOLD_NOTHING);
    for (size_t i = 0; i < CLIENTS; i++) {
        cohort_claims_destroy (&claims[i]);
        assert_int_equal (cohort_sync (clients[i]), 0);
        while (cohort_dispatch (clients[i], 0) > 0) {
        }
        cohort_destroy (&clients[i]);
    }
    cohort_test_destroy (&test);
    return 0;
}

/* ---- Recipes, as contenders for one thing ---------------------------------------------------- */

struct recipe {
    const char *name;
    void *(*make) (cohort_t *client);
    void (*start) (void *self);
    bool (*holds) (void *self);
    void (*destroy) (void *self);
    size_t at_once; /* so many may hold */
};

static void *lock_make (cohort_t *client)
{
    return cohort_lock_new (client, "/game/lock/a", NULL, 0);
}

static void lock_start (void *self)
{
    assert_int_equal (cohort_lock_acquire (self, COHORT_LOCK_EXCLUSIVE), 0);
}

static bool lock_holds (void *self)
{
    return cohort_lock_held (self);
}

static void lock_destroy (void *self)
{
    cohort_lock_t *lock = self;
    cohort_lock_destroy (&lock);
}

static void *multilock_make (cohort_t *client)
{
    const cohort_multilock_part_t parts[] = {{"/game/one/a", COHORT_LOCK_EXCLUSIVE}};
    return cohort_multilock_new (client, parts, 1, NULL, 0);
}

static void multilock_start (void *self)
{
    assert_int_equal (cohort_multilock_acquire (self), 0);
}

static bool multilock_holds (void *self)
{
    return cohort_multilock_held (self);
}

static void multilock_destroy (void *self)
{
    cohort_multilock_t *lock = self;
    cohort_multilock_destroy (&lock);
}

static void *sem_make (cohort_t *client)
{
    return cohort_sem_new (client, "/game/sem/a", 3, NULL, 0);
}

static void sem_start (void *self)
{
    assert_int_equal (cohort_sem_acquire (self, 1), 0);
}

static bool sem_holds (void *self)
{
    return cohort_sem_held (self) > 0;
}

static void sem_destroy (void *self)
{
    cohort_sem_t *sem = self;
    cohort_sem_destroy (&sem);
}

static void *election_make (cohort_t *client)
{
    return cohort_election_new (client, "/game/election/a", 0);
}

static void election_start (void *self)
{
    assert_int_equal (cohort_election_campaign (self, "x", 1), 0);
}

static bool election_holds (void *self)
{
    return cohort_election_token (self).czxid != 0;
}

static void election_destroy (void *self)
{
    cohort_election_t *election = self;
    cohort_election_destroy (&election);
}

static void *lease_make (cohort_t *client)
{
    return cohort_lease_new (client, "/game/lease/a", COHORT_LEASE_MS_MAX, NULL);
}

static void lease_start (void *self)
{
    assert_int_equal (cohort_lease_acquire (self), 0);
}

static bool lease_holds (void *self)
{
    return cohort_lease_token (self).czxid != 0;
}

static void lease_destroy (void *self)
{
    cohort_lease_t *lease = self;
    cohort_lease_destroy (&lease);
}

static size_t index_of (const cohort_t *client)
{
    size_t i = 0;
    while (clients[i] != client) {
        i++;
    }
    return i;
}

/* Each client is a game server. */
static void *claim_make (cohort_t *client)
{
    size_t i = index_of (client);
    if (claims[i] == NULL) {
        char owner[32];
        snprintf (owner, sizeof owner, "/server-%zu", i);
        hold (COHORT_HOLD_NOTHING);
        assert_int_equal (
            cohort_create (client, owner, NULL, 0, COHORT_EPHEMERAL, NULL, NULL, NULL), 0);
        /* Which the first claim ever would create, and which stays. */
        int rc = cohort_create (client, "/users", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL);
        assert_true (rc == 0 || rc == COHORT_ENODEEXISTS);
        claims[i] = cohort_claims_new (client, "/users", owner);
        assert_non_null (claims[i]);
        (void) settle ();
        hold (COHORT_HOLD_NOTHING);
    }
    return cohort_claim_new (claims[i], "alice", NULL, 0);
}

static void claim_start (void *self)
{
    assert_int_equal (cohort_claim_take (self, COHORT_CLAIM_WAIT, 0), 0);
}

static bool claim_holds (void *self)
{
    return cohort_claim_held (self);
}

static void claim_destroy (void *self)
{
    cohort_claim_t *claim = self;
    cohort_claim_destroy (&claim);
}

static const struct recipe recipes[] = {
    {"lock", lock_make, lock_start, lock_holds, lock_destroy, 1},
    {"multilock", multilock_make, multilock_start, multilock_holds, multilock_destroy, 1},
    {"sem", sem_make, sem_start, sem_holds, sem_destroy, 3},
    {"election", election_make, election_start, election_holds, election_destroy, 1},
    {"lease", lease_make, lease_start, lease_holds, lease_destroy, 1},
    {"claim", claim_make, claim_start, claim_holds, claim_destroy, 1},
};

#define RECIPES (sizeof recipes / sizeof *recipes)

/* ---- Grants ---------------------------------------------------------------------------------- */

static void uncontended_is_one_round_trip_and_one_write (void **state)
{
    (void) state;
    for (size_t i = 0; i < RECIPES; i++) {
        const struct recipe *recipe = &recipes[i];
        /* The first one ever finds no containers, the second one does, the third one comes when
         * they have been removed. */
        for (int time = 0; time < 3; time++) {
            void *one = recipe->make (clients[1]);
            uint64_t before = writes ();
            hold (COHORT_HOLD_ALL);
            recipe->start (one);
            assert_false (recipe->holds (one));
            size_t ran = pass_round ();
            assert_true (recipe->holds (one));
            print_message ("%s: one round trip, %zu callbacks\n", recipe->name, ran);
            assert_int_equal (writes () - before, 1);
            before = writes ();
            recipe->destroy (one);
            (void) settle ();
            assert_int_equal (writes () - before, 1);
            if (time == 1) {
                hold (COHORT_HOLD_NOTHING);
                assert_int_equal (cohort_test_advance_ms (test, REAPED_MS), 0);
                assert_int_equal (cohort_exists (clients[0], "/game", NULL), COHORT_ENONODE);
            }
        }
    }
}

/* ---- Hand-overs ------------------------------------------------------------------------------ */

struct cost {
    size_t rounds, callbacks;
    uint64_t writes;
};

struct crowd {
    const struct recipe *recipe;
    void *all[MANY];
    size_t count;
};

static struct crowd crowd;

/* How many hold it; *one: any of them. */
static size_t holders (size_t *one)
{
    size_t count = 0;
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.all[i] != NULL && crowd.recipe->holds (crowd.all[i])) {
            *one = i;
            count++;
        }
    }
    return count;
}

static void go_away (size_t which)
{
    crowd.recipe->destroy (crowd.all[which]);
    crowd.all[which] = NULL;
}

/* A holder goes: what is done until all is at rest again; another one has it. */
static struct cost hand_over (void)
{
    struct cost cost = {.writes = writes ()};
    size_t holder = 0;
    hold (COHORT_HOLD_ALL);
    assert_int_equal (holders (&holder), crowd.recipe->at_once);
    go_away (holder);
    while (holders (&holder) < crowd.recipe->at_once) {
        cost.callbacks += pass_round ();
        assert_true (++cost.rounds < ROUNDS_MAX);
    }
    cost.callbacks += settle ();
    cost.writes = writes () - cost.writes;
    assert_int_equal (holders (&holder), crowd.recipe->at_once);
    return cost;
}

/* Who waits first, so that nobody is granted anything meanwhile. */
static void disperse (void)
{
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.all[i] != NULL && !crowd.recipe->holds (crowd.all[i])) {
            go_away (i);
        }
    }
    (void) settle ();
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.all[i] != NULL) {
            go_away (i);
        }
    }
    (void) settle ();
}

static struct cost cost_of (const struct recipe *recipe, size_t count)
{
    struct cost most = {0};
    crowd = (struct crowd){.recipe = recipe, .count = count};
    hold (COHORT_HOLD_NOTHING);
    for (size_t i = 0; i < count; i++) {
        crowd.all[i] = recipe->make (clients[i % CLIENTS]);
        assert_non_null (crowd.all[i]);
        recipe->start (crowd.all[i]);
    }
    (void) settle ();
    for (size_t i = 0; i < HAND_OVERS; i++) {
        struct cost cost = hand_over ();
        most.rounds = cost.rounds > most.rounds ? cost.rounds : most.rounds;
        most.callbacks = cost.callbacks > most.callbacks ? cost.callbacks : most.callbacks;
        most.writes = cost.writes > most.writes ? cost.writes : most.writes;
    }
    disperse ();
    return most;
}

static void a_thousand_waiters_cost_no_more_than_ten (void **state)
{
    (void) state;
    for (size_t i = 0; i < RECIPES; i++) {
        struct cost few = cost_of (&recipes[i], FEW), many = cost_of (&recipes[i], MANY);
        print_message ("%s: a hand-over is %zu and %zu round trips, %zu and %zu callbacks, %d "
                       "and %d writes\n",
                       recipes[i].name, few.rounds, many.rounds, few.callbacks, many.callbacks,
                       (int) few.writes, (int) many.writes);
        assert_int_equal (many.rounds, few.rounds);
        assert_int_equal (many.callbacks, few.callbacks);
        assert_int_equal (many.writes, few.writes);
    }
}

/* ---- A queue --------------------------------------------------------------------------------- */

/* The first put ever creates the queue. */
static void make_queue (void)
{
    cohort_item_t *item = NULL;
    hold (COHORT_HOLD_NOTHING);
    cohort_queue_t *queue = cohort_queue_new (clients[0], "/queue", NULL);
    assert_non_null (queue);
    assert_int_equal (cohort_queue_put (queue, "x", 1, NULL, -1, NULL), 0);
    assert_int_equal (cohort_queue_take (queue, -1, &item), 0);
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    cohort_queue_destroy (&queue);
}

/* What a put costs while so many consumers find the queue empty. */
static struct cost cost_of_a_put (size_t consumers)
{
    static cohort_queue_t *queues[MANY];
    const cohort_queue_options_t options = {.size = sizeof options, .max_inflight = 1};
    struct cost most = {0};
    make_queue ();
    for (size_t i = 0; i < consumers; i++) {
        queues[i] = cohort_queue_new (clients[i % CLIENTS], "/queue", &options);
        assert_non_null (queues[i]);
    }
    (void) settle ();
    for (size_t i = 0; i < HAND_OVERS; i++) {
        size_t ready = 0;
        struct cost cost = {.writes = writes ()};
        hold (COHORT_HOLD_ALL);
        assert_int_equal (cohort_queue_put_async (queues[0], "x", 1, NULL, NULL, NULL), 0);
        cost.callbacks = settle ();
        cost.writes = writes () - cost.writes;
        most.callbacks = cost.callbacks > most.callbacks ? cost.callbacks : most.callbacks;
        most.writes = cost.writes > most.writes ? cost.writes : most.writes;
        for (size_t j = 0; j < consumers; j++) {
            ready += cohort_queue_ready (queues[j]);
        }
        assert_int_equal (ready, i + 1);
    }
    for (size_t i = consumers; i-- > 0;) {
        cohort_queue_destroy (&queues[i]);
    }
    (void) settle ();
    hold (COHORT_HOLD_NOTHING);
    assert_int_equal (cohort_delete_tree (clients[0], "/queue", 0, COHORT_ANY_VERSION, NULL), 0);
    return most;
}

static void a_put_wakes_two_of_a_thousand_consumers (void **state)
{
    (void) state;
    struct cost few = cost_of_a_put (FEW), many = cost_of_a_put (MANY);
    print_message ("a put is %zu and %zu callbacks, %d and %d writes\n", few.callbacks,
                   many.callbacks, (int) few.writes, (int) many.writes);
    assert_int_equal (many.callbacks, few.callbacks);
    assert_int_equal (many.writes, few.writes);
}

/* ---- A barrier ------------------------------------------------------------------------------- */

/* So many enter, and leave, one after the other: what that costs. */
static void cost_of_a_round (int parties, struct cost *entering, struct cost *leaving)
{
    static cohort_barrier_t *all[MANY];
    *entering = (struct cost){.writes = writes ()};
    hold (COHORT_HOLD_ALL);
    for (int i = 0; i < parties; i++) {
        all[i] = cohort_barrier_new (clients[i % CLIENTS], "/rounds", parties, (uint64_t) parties);
        assert_int_equal (cohort_barrier_enter (all[i]), 0);
        entering->callbacks += settle ();
    }
    entering->writes = writes () - entering->writes;
    *leaving = (struct cost){.writes = writes ()};
    hold (COHORT_HOLD_ALL);
    for (int i = 0; i < parties; i++) {
        assert_true (cohort_barrier_inside (all[i]));
        assert_int_equal (cohort_barrier_leave (all[i]), 0);
        leaving->callbacks += settle ();
    }
    leaving->writes = writes () - leaving->writes;
    for (int i = 0; i < parties; i++) {
        assert_false (cohort_barrier_inside (all[i]));
        cohort_barrier_destroy (&all[i]);
    }
    (void) settle ();
}

/* Ten times as many parties cost ten times as much, and no more. */
static void a_party_of_hundred_costs_as_much_as_one_of_ten (void **state)
{
    (void) state;
    enum { TIMES = 10, LEAVING = 7 };
    struct cost entering[2], leaving[2];
    /* The first one ever finds no folder. */
    cost_of_a_round (2, &entering[0], &leaving[0]);
    cost_of_a_round (FEW, &entering[0], &leaving[0]);
    cost_of_a_round (FEW * TIMES, &entering[1], &leaving[1]);
    print_message ("to enter is %zu and %zu callbacks, %d and %d writes; to leave %zu and %zu, "
                   "%d and %d\n",
                   entering[0].callbacks, entering[1].callbacks, (int) entering[0].writes,
                   (int) entering[1].writes, leaving[0].callbacks, leaving[1].callbacks,
                   (int) leaving[0].writes, (int) leaving[1].writes);
    assert_int_equal (entering[0].writes, FEW + 1);
    assert_int_equal (entering[1].writes, FEW * TIMES + 1);
    assert_true (entering[1].callbacks <= TIMES * entering[0].callbacks);
    assert_true (leaving[1].writes <= TIMES * leaving[0].writes);
    assert_true (leaving[0].callbacks <= LEAVING * FEW);
    assert_true (leaving[1].callbacks <= LEAVING * FEW * TIMES);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST (uncontended_is_one_round_trip_and_one_write),
        TEST (a_thousand_waiters_cost_no_more_than_ten),
        TEST (a_put_wakes_two_of_a_thousand_consumers),
        TEST (a_party_of_hundred_costs_as_much_as_one_of_ten),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
