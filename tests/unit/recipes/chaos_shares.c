/* More programs in chaos (chaos.h): several locks at once beside single ones, leases, claims and
 * partitions with one holder each, a barrier that nobody enters before all have come, a counter
 * that counts what was added, a group in which all are found again. */

#include "tests/unit/recipes/chaos.h"

enum {
    LOCKERS = 1,
    TRADERS = 2,
    TENANTS = 2,
    GAMES = 3,
    SHARDERS = 3,
    PARTIES = 3,
    ADDERS = 2,
    GUESTS = 2,
    PARTITIONS = 3,
    LEASE_MS = 200,
    ROUNDS_MAX = 100000
};

static struct judge locks = JUDGE ("lock and multi-lock", 1), leases = JUDGE ("lease", 1),
                    names = JUDGE ("claim", 1),
                    parts[PARTITIONS] = {JUDGE ("partition 0", 1), JUDGE ("partition 1", 1),
                                         JUDGE ("partition 2", 1)};

/* ---- Grants ---------------------------------------------------------------------------------- */

static void run_locker (struct program *self)
{
    cohort_lock_t *lock = cohort_lock_new (self->client, "/chaos/a", NULL, 0);
    while (!chaos_is_over ()) {
        chaos_keep (self->client);
        if (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE) != 0 ||
            cohort_lock_wait (lock, CHAOS_WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        uint64_t token = cohort_lock_token (lock).czxid;
        chaos_granted (&locks, self, token);
        CHAOS_WORK (&locks, self, token, cohort_lock_valid (lock, CHAOS_MARGIN_MS));
        (void) cohort_lock_release (lock);
    }
    cohort_lock_destroy (&lock);
}

/* In one order or the other. */
static void run_trader (struct program *self)
{
    const cohort_multilock_part_t both[][2] = {
        {{"/chaos/a", COHORT_LOCK_EXCLUSIVE}, {"/chaos/b", COHORT_LOCK_EXCLUSIVE}},
        {{"/chaos/b", COHORT_LOCK_EXCLUSIVE}, {"/chaos/a", COHORT_LOCK_EXCLUSIVE}}};
    cohort_multilock_t *lock =
        cohort_multilock_new (self->client, both[self->number % 2], 2, NULL, 0);
    while (!chaos_is_over ()) {
        chaos_keep (self->client);
        if (cohort_multilock_acquire (lock) != 0 ||
            cohort_multilock_wait (lock, CHAOS_WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        uint64_t token = cohort_multilock_token (lock).czxid;
        chaos_granted (&locks, self, token);
        CHAOS_WORK (&locks, self, token, cohort_multilock_valid (lock, CHAOS_MARGIN_MS));
        (void) cohort_multilock_release (lock);
    }
    cohort_multilock_destroy (&lock);
}

/* Lets its lease run out as often as it gives it back. */
static void run_tenant (struct program *self)
{
    cohort_lease_t *lease = cohort_lease_new (self->client, "/chaos/lease", LEASE_MS, NULL);
    for (int times = 0; !chaos_is_over (); times++) {
        chaos_keep (self->client);
        if (cohort_lease_acquire (lease) != 0 || cohort_lease_wait (lease, CHAOS_WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        uint64_t token = cohort_lease_token (lease).czxid;
        chaos_granted (&leases, self, token);
        CHAOS_WORK (&leases, self, token, cohort_lease_valid (lease, CHAOS_MARGIN_MS));
        while (times % 2 != 0 && cohort_lease_valid (lease, 0) && !chaos_is_over ()) {
            (void) cohort_run (self->client, 10);
        }
        (void) cohort_lease_release (lease);
    }
    cohort_lease_destroy (&lease);
}

static void run_game (struct program *self)
{
    char owner[32];
    (void) snprintf (owner, sizeof owner, "/chaos/games/%zu", self->number);
    cohort_member_t *member = cohort_member_new (self->client, owner, NULL, 0, COHORT_MEMBER_WAIT);
    cohort_claims_t *claims = cohort_claims_new (self->client, "/chaos/users", owner);
    cohort_claim_t *claim = cohort_claim_new (claims, "alice", NULL, 0);
    chaos_require (claim != NULL, "claim", "it cannot be made");
    while (!chaos_is_over ()) {
        chaos_keep (self->client);
        (void) cohort_member_retry (member);
        if (cohort_claim_take (claim, COHORT_CLAIM_WAIT, 0) != 0 ||
            cohort_claim_wait (claim, CHAOS_WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        uint64_t token = cohort_claim_token (claim).czxid;
        chaos_granted (&names, self, token);
        CHAOS_WORK (&names, self, token, cohort_claim_valid (claim, CHAOS_MARGIN_MS));
        (void) cohort_claim_yield (claim);
    }
    cohort_claim_destroy (&claim);
    cohort_claims_destroy (&claims);
    cohort_member_destroy (&member);
}

/* ---- Partitions ------------------------------------------------------------------------------ */

static void on_partition (cohort_partitioner_t *self, const cohort_partitioner_event_t *event,
                          void *arg)
{
    struct program *program = arg;
    if (event->kind == COHORT_PARTITIONER_ACQUIRED) {
        chaos_granted (&parts[event->number], program, event->token.czxid);
    } else if (event->kind == COHORT_PARTITIONER_RELEASE_ASKED) {
        chaos_lets_go (&parts[event->number], program);
        (void) cohort_partitioner_release (self, event->number);
    }
}

/* Which partitions it surely has, a bit each. */
static unsigned look_at_partitions (struct program *self, cohort_partitioner_t *shares)
{
    unsigned owned = 0;
    for (int i = 0; i < PARTITIONS; i++) {
        int64_t asked_us = chaos_now_us ();
        if (cohort_partitioner_valid (shares, i, CHAOS_MARGIN_MS)) {
            chaos_holds (&parts[i], self, cohort_partitioner_token (shares, i).czxid, asked_us,
                         CHAOS_MARGIN_MS);
            owned |= 1U << i;
        } else {
            chaos_lets_go (&parts[i], self);
        }
    }
    (void) cohort_run (self->client, 1);
    (void) cohort_partitioner_retry (shares);
    return owned;
}

static cohort_partitioner_t *take_part (struct program *self)
{
    char name[16];
    (void) snprintf (name, sizeof name, "s%zu", self->number);
    chaos_keep (self->client);
    cohort_partitioner_t *shares =
        cohort_partitioner_new (self->client, "/chaos/shares", name, PARTITIONS, NULL);
    if (shares != NULL) {
        cohort_partitioner_set_handler (shares, on_partition, self);
    }
    return shares;
}

static void take_no_part (struct program *self, cohort_partitioner_t **shares)
{
    for (int i = 0; i < PARTITIONS; i++) {
        chaos_lets_go (&parts[i], self);
    }
    cohort_partitioner_destroy (shares);
}

/* When nobody comes and goes any more, each partition has an owner. */
static void share_all (struct program *self)
{
    static atomic_uint owned[CHAOS_PROGRAMS_MAX];
    static atomic_bool complete;
    int64_t from_us = chaos_now_us ();
    cohort_partitioner_t *shares = take_part (self);
    while (!atomic_load (&complete)) {
        unsigned all = 0;
        chaos_require_soon (from_us, "partitions", "one without an owner");
        if (shares == NULL) {
            shares = take_part (self);
            continue;
        }
        atomic_store (&owned[self->number], look_at_partitions (self, shares));
        for (size_t i = 0; i < CHAOS_PROGRAMS_MAX; i++) {
            all |= atomic_load (&owned[i]);
        }
        if (all == (1U << PARTITIONS) - 1) {
            atomic_store (&complete, true);
        }
    }
    take_no_part (self, &shares);
}

/* They come and go, so that partitions move; but not before they have had one for a while. */
static void run_sharder (struct program *self)
{
    while (!chaos_is_over ()) {
        cohort_partitioner_t *shares = take_part (self);
        for (int turns = 0; shares != NULL && turns < 50 && !chaos_is_over ();) {
            turns += look_at_partitions (self, shares) != 0;
        }
        take_no_part (self, &shares);
    }
    share_all (self);
}

/* ---- A barrier ------------------------------------------------------------------------------- */

static atomic_int come[ROUNDS_MAX];  /* parties that have begun to enter a round */
static atomic_bool done[ROUNDS_MAX]; /* somebody was inside */
static atomic_int rounds;

/* Whoever was lost on the way goes on with the others. */
static void run_party (struct program *self)
{
    for (int round = 0; !chaos_is_over () && round < ROUNDS_MAX; round++) {
        cohort_barrier_t *barrier = NULL;
        int rc = COHORT_ETIMEDOUT;
        if ((round + (int) self->number) % PARTIES == 0) {
            chaos_pause_ms (5); /* the others wait for it, each time for another one */
        }
        atomic_fetch_add (&come[round], 1);
        while (rc != 0 && !chaos_is_over () && !atomic_load (&done[round])) {
            chaos_keep (self->client);
            barrier =
                cohort_barrier_new (self->client, "/chaos/barrier", PARTIES, (uint64_t) round);
            rc = cohort_barrier_enter (barrier);
            rc = rc == 0 ? cohort_barrier_wait (barrier, CHAOS_WAIT_MS) : rc;
            if (rc == 0) {
                chaos_require (atomic_load (&come[round]) == PARTIES, "barrier",
                               "entered before all have come");
                atomic_store (&done[round], true);
                atomic_fetch_add (&rounds, 1);
                rc = cohort_barrier_leave (barrier);
                rc = rc == 0 ? cohort_barrier_wait (barrier, CHAOS_WAIT_MS) : rc;
                rc = 0; /* or it is lost: the others go on all the same */
            } else {
                (void) cohort_run (self->client, 1);
            }
            cohort_barrier_destroy (&barrier);
        }
    }
}

/* ---- A counter ------------------------------------------------------------------------------- */

static atomic_int added, perhaps; /* one each */

static void run_adder (struct program *self)
{
    cohort_cell_t *cell = cohort_cell_new (self->client, "/chaos/cell");
    while (!chaos_is_over ()) {
        chaos_keep (self->client);
        int rc = cohort_cell_add (cell, 1, INT64_MIN, INT64_MAX, CHAOS_LIMIT_MS, NULL);
        atomic_fetch_add (rc == 0 ? &added : &perhaps, 1);
        if (rc != 0) {
            chaos_require (rc == COHORT_ESESSIONEXPIRED, "cell", cohort_error_text (rc));
            (void) cohort_cell_retry (cell);
        }
    }
    cohort_cell_destroy (&cell);
}

/* ---- A group --------------------------------------------------------------------------------- */

/* Each time under another name: whoever stays in the list is none of those that are there. */
static cohort_group_t *visit (struct program *self, int times)
{
    char name[32];
    (void) snprintf (name, sizeof name, "g%zu-%d", self->number, times);
    chaos_keep (self->client);
    return cohort_group_new (self->client, "/chaos/group", name, NULL, 0);
}

/* The group as one sees it who has looked on all along, and as its members do. */
static bool all_see_all (cohort_group_t *onlooker, cohort_group_t *member)
{
    return member != NULL && cohort_group_valid (member, 0) &&
           cohort_group_count (member) == GUESTS && cohort_group_count (onlooker) == GUESTS;
}

/* They come and go. Whatever has happened, in the end everybody is there, as everybody sees. */
static void run_guest (struct program *self)
{
    static atomic_int found;
    cohort_group_t *group = NULL;
    cohort_group_t *onlooker = cohort_group_new (self->client, "/chaos/group", NULL, NULL, 0);
    chaos_require (onlooker != NULL, "group", "it cannot be looked at");
    int times = 0;
    while (!chaos_is_over ()) {
        group = visit (self, times++);
        for (int turns = 0; group != NULL && turns < 20 && !chaos_is_over ();) {
            turns += cohort_group_valid (group, CHAOS_MARGIN_MS);
            (void) cohort_run (self->client, 5);
            (void) cohort_group_retry (group);
        }
        cohort_group_destroy (&group);
    }
    int64_t from_us = chaos_now_us ();
    while (!all_see_all (onlooker, group)) {
        chaos_require_soon (from_us, "group", "it is not equal to its members");
        group = group == NULL ? visit (self, times) : group;
        (void) cohort_run (self->client, 10);
        (void) cohort_group_retry (onlooker);
        if (group != NULL) {
            (void) cohort_group_retry (group);
        }
    }
    atomic_fetch_add (&found, 1);
    while (atomic_load (&found) < GUESTS) {
        chaos_require_soon (from_us, "group", "the others see another one");
        (void) cohort_run (self->client, 10);
    }
    cohort_group_destroy (&onlooker);
    cohort_group_destroy (&group);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void look_at_the_rest (cohort_t *client)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal (cohort_get (client, "/chaos/cell", (void **) &text, &size, NULL), 0);
    int sum = (int) strtol (text, NULL, 10), sure = atomic_load (&added);
    cohort_free (text);
    print_message ("  cell: %d, of %d that were added and %d that may have been\n", sum, sure,
                   atomic_load (&perhaps));
    assert_in_range (sum, sure, sure + atomic_load (&perhaps));
    print_message ("  barrier: entered %d times\n", atomic_load (&rounds));
    assert_true (sure > 0 && atomic_load (&rounds) > 0);
}

static const struct role roles[] = {
    {LOCKERS, run_locker}, {TRADERS, run_trader},   {TENANTS, run_tenant},
    {GAMES, run_game},     {SHARDERS, run_sharder}, {PARTIES, run_party},
    {ADDERS, run_adder},   {GUESTS, run_guest},     {0, NULL}};
static struct judge *const judges[] = {&locks,    &leases,   &names, &parts[0],
                                       &parts[1], &parts[2], NULL};

const struct chaos_set chaos_shares = {
    .roles = roles, .judges = judges, .conclude = look_at_the_rest};
