/* More recipes in chaos (chaos.h): several locks at once beside single ones, leases, claims and
 * partitions with one holder each, a barrier that nobody enters before all have come, a counter
 * that counts what was added, a group in which all are found again.
 *
 * usage: test-recipes-chaos-more [SECONDS [SEED]] */

enum {
    LOCKERS = 1,
    TRADERS = 2,
    TENANTS = 2,
    GAMES = 3,
    SHARDERS = 3,
    PARTIES = 3,
    ADDERS = 2,
    GUESTS = 2,
    CHAOS_PROGRAMS = LOCKERS + TRADERS + TENANTS + GAMES + SHARDERS + PARTIES + ADDERS + GUESTS,
    PARTITIONS = 3,
    LEASE_MS = 200,
    ROUNDS_MAX = 100000
};

#include "tests/unit/recipes/chaos.h"

#define JUDGE(name)                                                                                \
    {                                                                                              \
        .what = name, .lock = PTHREAD_MUTEX_INITIALIZER, .permits = 1                              \
    }

static struct judge locks = JUDGE ("lock and multi-lock"), leases = JUDGE ("lease"),
                    names = JUDGE ("claim"),
                    parts[PARTITIONS] = {JUDGE ("partition 0"), JUDGE ("partition 1"),
                                         JUDGE ("partition 2")};

/* ---- Grants ---------------------------------------------------------------------------------- */

static void run_locker (struct program *self)
{
    uint64_t token = 0;
    cohort_lock_t *lock = cohort_lock_new (self->client, "/chaos/a", NULL, 0);
    while (!atomic_load (&over)) {
        keep (self->client);
        if (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE) != 0 ||
            cohort_lock_wait (lock, WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        granted (&locks, &token, cohort_lock_token (lock).czxid);
        work (&locks, self, cohort_lock_valid (lock, margin_ms));
        (void) cohort_lock_release (lock);
    }
    cohort_lock_destroy (&lock);
}

/* In one order or the other. */
static void run_trader (struct program *self)
{
    uint64_t token = 0;
    const cohort_multilock_part_t both[][2] = {
        {{"/chaos/a", COHORT_LOCK_EXCLUSIVE}, {"/chaos/b", COHORT_LOCK_EXCLUSIVE}},
        {{"/chaos/b", COHORT_LOCK_EXCLUSIVE}, {"/chaos/a", COHORT_LOCK_EXCLUSIVE}}};
    cohort_multilock_t *lock =
        cohort_multilock_new (self->client, both[self->number % 2], 2, NULL, 0);
    while (!atomic_load (&over)) {
        keep (self->client);
        if (cohort_multilock_acquire (lock) != 0 || cohort_multilock_wait (lock, WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        granted (&locks, &token, cohort_multilock_token (lock).czxid);
        work (&locks, self, cohort_multilock_valid (lock, margin_ms));
        (void) cohort_multilock_release (lock);
    }
    cohort_multilock_destroy (&lock);
}

/* Lets its lease run out as often as it gives it back. */
static void run_tenant (struct program *self)
{
    uint64_t token = 0;
    cohort_lease_t *lease = cohort_lease_new (self->client, "/chaos/lease", LEASE_MS, NULL);
    for (int times = 0; !atomic_load (&over); times++) {
        keep (self->client);
        if (cohort_lease_acquire (lease) != 0 || cohort_lease_wait (lease, WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        granted (&leases, &token, cohort_lease_token (lease).czxid);
        work (&leases, self, cohort_lease_valid (lease, margin_ms));
        while (times % 2 != 0 && cohort_lease_valid (lease, 0) && !atomic_load (&over)) {
            (void) cohort_run (self->client, 10);
        }
        (void) cohort_lease_release (lease);
    }
    cohort_lease_destroy (&lease);
}

static void run_game (struct program *self)
{
    char owner[32];
    uint64_t token = 0;
    (void) snprintf (owner, sizeof owner, "/chaos/games/%zu", self->number);
    cohort_member_t *member = cohort_member_new (self->client, owner, NULL, 0, COHORT_MEMBER_WAIT);
    cohort_claims_t *claims = cohort_claims_new (self->client, "/chaos/users", owner);
    cohort_claim_t *claim = cohort_claim_new (claims, "alice", NULL, 0);
    require (claim != NULL, "claim", "it cannot be made");
    while (!atomic_load (&over)) {
        keep (self->client);
        (void) cohort_member_retry (member);
        if (cohort_claim_take (claim, COHORT_CLAIM_WAIT, 0) != 0 ||
            cohort_claim_wait (claim, WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        granted (&names, &token, cohort_claim_token (claim).czxid);
        work (&names, self, cohort_claim_valid (claim, margin_ms));
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
    uint64_t *tokens = arg;
    if (event->kind == COHORT_PARTITIONER_ACQUIRED) {
        granted (&parts[event->number], &tokens[event->number], event->token.czxid);
    } else if (event->kind == COHORT_PARTITIONER_RELEASE_ASKED) {
        (void) cohort_partitioner_release (self, event->number);
    }
}

/* They come and go, so that partitions move. */
static void run_sharder (struct program *self)
{
    char name[16];
    uint64_t tokens[PARTITIONS] = {0};
    (void) snprintf (name, sizeof name, "s%zu", self->number);
    while (!atomic_load (&over)) {
        cohort_partitioner_t *shares = NULL;
        keep (self->client);
        shares = cohort_partitioner_new (self->client, "/chaos/shares", name, PARTITIONS, NULL);
        if (shares != NULL) {
            cohort_partitioner_set_handler (shares, on_partition, tokens);
        }
        for (int turn = 0; shares != NULL && turn < 300 && !atomic_load (&over); turn++) {
            for (int i = 0; i < PARTITIONS; i++) {
                int64_t asked_us = real_us ();
                if (cohort_partitioner_valid (shares, i, 5)) {
                    holds (&parts[i], self->number, cohort_session_id (self->client), asked_us, 5);
                } else {
                    lets_go (&parts[i], self->number);
                }
            }
            (void) cohort_run (self->client, 1);
            (void) cohort_partitioner_retry (shares);
        }
        for (int i = 0; i < PARTITIONS; i++) {
            lets_go (&parts[i], self->number);
        }
        cohort_partitioner_destroy (&shares);
    }
}

/* ---- A barrier ------------------------------------------------------------------------------- */

static atomic_int come[ROUNDS_MAX];  /* parties that have begun to enter a round */
static atomic_bool done[ROUNDS_MAX]; /* somebody was inside */
static atomic_int rounds;

/* Whoever was lost on the way goes on with the others. */
static void run_party (struct program *self)
{
    for (int round = 0; !atomic_load (&over) && round < ROUNDS_MAX; round++) {
        cohort_barrier_t *barrier = NULL;
        int rc = COHORT_ETIMEDOUT;
        atomic_fetch_add (&come[round], 1);
        while (rc != 0 && !atomic_load (&over) && !atomic_load (&done[round])) {
            keep (self->client);
            barrier =
                cohort_barrier_new (self->client, "/chaos/barrier", PARTIES, (uint64_t) round);
            rc = cohort_barrier_enter (barrier);
            rc = rc == 0 ? cohort_barrier_wait (barrier, WAIT_MS) : rc;
            if (rc == 0) {
                require (atomic_load (&come[round]) == PARTIES, "barrier",
                         "entered before all have come");
                atomic_store (&done[round], true);
                atomic_fetch_add (&rounds, 1);
                rc = cohort_barrier_leave (barrier);
                rc = rc == 0 ? cohort_barrier_wait (barrier, WAIT_MS) : rc;
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
    while (!atomic_load (&over)) {
        keep (self->client);
        int rc = cohort_cell_add (cell, 1, INT64_MIN, INT64_MAX, LIMIT_MS, NULL);
        atomic_fetch_add (rc == 0 ? &added : &perhaps, 1);
        if (rc != 0) {
            require (rc == COHORT_ESESSIONEXPIRED, "cell", cohort_error_text (rc));
            (void) cohort_cell_retry (cell);
        }
    }
    cohort_cell_destroy (&cell);
}

/* ---- A group --------------------------------------------------------------------------------- */

/* Whatever has happened, in the end everybody is there, as everybody sees. */
static void run_guest (struct program *self)
{
    static atomic_int found;
    char name[16];
    (void) snprintf (name, sizeof name, "g%zu", self->number);
    cohort_group_t *group = cohort_group_new (self->client, "/chaos/group", name, NULL, 0);
    require (group != NULL, "group", "it cannot be made");
    while (!atomic_load (&over) || cohort_group_count (group) < GUESTS ||
           !cohort_group_valid (group, 0)) {
        (void) cohort_run (self->client, 10);
        (void) cohort_group_retry (group);
    }
    atomic_fetch_add (&found, 1);
    while (atomic_load (&found) < GUESTS) {
        (void) cohort_run (self->client, 10);
    }
    cohort_group_destroy (&group);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void look_at_the_rest (void)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal (cohort_get (programs[0].client, "/chaos/cell", (void **) &text, &size, NULL),
                      0);
    int sum = (int) strtol (text, NULL, 10), sure = atomic_load (&added);
    cohort_free (text);
    print_message ("  cell: %d, of %d that were added and %d that may have been\n", sum, sure,
                   atomic_load (&perhaps));
    assert_in_range (sum, sure, sure + atomic_load (&perhaps));
    print_message ("  barrier: entered %d times\n", atomic_load (&rounds));
    assert_true (sure > 0 && atomic_load (&rounds) > 0);
}

int main (int argc, char **argv)
{
    static const struct role all[] = {
        {LOCKERS, run_locker},   {TRADERS, run_trader}, {TENANTS, run_tenant}, {GAMES, run_game},
        {SHARDERS, run_sharder}, {PARTIES, run_party},  {ADDERS, run_adder},   {GUESTS, run_guest}};
    struct judge *all_judges[] = {&locks, &leases, &names, &parts[0], &parts[1], &parts[2]};
    roles = all;
    judges = all_judges;
    judges_count = sizeof all_judges / sizeof *all_judges;
    conclude = look_at_the_rest;
    return chaos_main (argc, argv, "test-recipes-chaos-more");
}
