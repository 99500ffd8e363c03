/* Recipes on a real ensemble: see recipes.h. */

#include "tests/cluster/recipes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/cohort.h"
#include "tests/cluster/ensemble.h"
#include "tests/unit/unit.h"

enum { USERS = 3, PERMITS = 2, LEASE_MS = 2000, HOLD_TURNS = 3 };

enum kind { SEM, MULTILOCK, LEASE, BARRIER, AWAIT, CLAIM, TASK, KINDS };

struct user {
    cohort_t *client;
    cohort_sem_t *sem;
    cohort_multilock_t *locks;
    cohort_lease_t *lease;
    cohort_barrier_t *barrier;
    cohort_member_t *member;
    cohort_claims_t *claims;
    cohort_claim_t *claim;
    uint64_t tenure; /* the token of the newest claim */
    cohort_pool_t *pool;
    uint64_t round;
    int turns[KINDS]; /* that it has held it for */
};

static const char *const lines[USERS] = {"/test/l/a", "/test/l/b", "/test/l/c"};

static struct user users[USERS];
static unsigned done[KINDS], submitted;
static cohort_await_t *await;
static uint64_t newest; /* token of a claim */
static long written, seen;
static bool writing;

/* ---- What each user does ----------------------------------------------------------------------
 */

/* True: it was held long enough. */
static bool is_enough (struct user *self, enum kind kind, bool valid)
{
    self->turns[kind] = valid ? self->turns[kind] + 1 : 0;
    return self->turns[kind] >= HOLD_TURNS;
}

static void use_sem (struct user *self, int index)
{
    int held = cohort_sem_held (self->sem);
    if (is_enough (self, SEM, cohort_sem_valid (self->sem, 0))) {
        assert_int_equal (cohort_sem_release (self->sem, held), 0);
        done[SEM]++;
    }
    (void) !cohort_sem_acquire (self->sem, 1 + index % PERMITS);
}

static void use_locks (struct user *self)
{
    if (is_enough (self, MULTILOCK, cohort_multilock_valid (self->locks, 0))) {
        assert_int_equal (cohort_multilock_release (self->locks), 0);
        done[MULTILOCK]++;
    }
    (void) !cohort_multilock_acquire (self->locks);
}

static void use_lease (struct user *self)
{
    if (is_enough (self, LEASE, cohort_lease_valid (self->lease, 0))) {
        assert_int_equal (cohort_lease_release (self->lease), 0);
        done[LEASE]++;
    }
    (void) !cohort_lease_acquire (self->lease);
}

/* All are in one round, or some in the next one. */
static void on_barrier (cohort_barrier_t *barrier, const cohort_barrier_event_t *event, void *arg)
{
    struct user *self = arg;
    (void) barrier;
    if (event->kind == COHORT_BARRIER_ENTERED) {
        for (int i = 0; i < USERS; i++) {
            assert_true (users[i].round == self->round || users[i].round == self->round + 1);
        }
        self->turns[BARRIER] = 1;
        done[BARRIER]++;
    } else if (event->kind == COHORT_BARRIER_LEFT) {
        self->turns[BARRIER] = 2;
    } else {
        fail_msg ("barrier: event %d, %s", event->kind, cohort_error_name (event->rc));
    }
}

static void next_round (struct user *self)
{
    if (self->barrier != NULL) {
        cohort_barrier_destroy (&self->barrier);
        self->round++;
    }
    self->barrier = cohort_barrier_new (self->client, "/test/b", USERS, self->round);
    assert_non_null (self->barrier);
    cohort_barrier_set_handler (self->barrier, on_barrier, self);
    self->turns[BARRIER] = 0;
    assert_int_equal (cohort_barrier_enter (self->barrier), 0);
}

static void meet (struct user *self)
{
    if (self->turns[BARRIER] == 1) {
        assert_int_equal (cohort_barrier_leave (self->barrier), 0);
        self->turns[BARRIER] = 3; /* on its way */
    } else if (self->turns[BARRIER] == 2) {
        next_round (self);
    }
}

/* A name that is theirs in turn, with greater and greater tokens. */
static void use_claim (struct user *self)
{
    uint64_t token = cohort_claim_token (self->claim).czxid;
    if (token != 0 && token != self->tenure) {
        assert_true (token > newest);
        self->tenure = newest = token;
    }
    if (is_enough (self, CLAIM, cohort_claim_valid (self->claim, 0))) {
        assert_int_equal (cohort_claim_yield (self->claim), 0);
        done[CLAIM]++;
    }
    (void) !cohort_claim_take (self->claim, COHORT_CLAIM_WAIT, 0);
}

static void on_recorded (cohort_pool_t *pool, const char *id, int rc, void *arg)
{
    (void) pool;
    (void) id;
    (void) arg;
    assert_int_equal (rc, 0);
    done[TASK]++;
}

static void on_submitted (cohort_pool_t *pool, const char *id, int rc, void *arg)
{
    (void) pool;
    (void) id;
    (void) arg;
    assert_int_equal (rc, 0);
}

/* Nobody dies, so each task is given once, by its first attempt. */
static void on_pool (cohort_pool_t *pool, const cohort_pool_event_t *event, void *arg)
{
    (void) arg;
    if (event->kind == COHORT_POOL_TASK) {
        assert_int_equal (event->task->attempt, 1);
        assert_int_equal (
            cohort_pool_done_async (pool, event->task->id, 1, "", 0, on_recorded, NULL), 0);
    } else if (event->kind == COHORT_POOL_ORPHANED || event->kind == COHORT_POOL_WITHDRAWN ||
               event->kind == COHORT_POOL_ERROR) {
        fail_msg ("pool: event %d, %s", event->kind, cohort_error_name (event->rc));
    }
}

/* One task after the other. */
static void submit_next (struct user *self)
{
    char id[24];
    if (submitted == done[TASK]) {
        snprintf (id, sizeof (id), "%u", submitted++);
        assert_int_equal (cohort_pool_submit_async (self->pool, id, "", 0, on_submitted, NULL), 0);
    }
}

/* ---- A znode that counts ----------------------------------------------------------------------
 */

/* A gap is what is missed. */
static int counts (const cohort_seen_t *state, void *arg)
{
    (void) arg;
    if (state->exists) {
        long number = strtol (state->data, NULL, 10);
        assert_true (seen < 0 || number == seen + 1);
        seen = number;
        done[AWAIT]++;
    }
    return 0;
}

static void on_written (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    (void) arg;
    assert_int_equal (result->rc, 0);
    writing = false;
}

static void count_on (void)
{
    char text[24];
    if (!writing) {
        int size = snprintf (text, sizeof (text), "%ld", ++written);
        assert_int_equal (cohort_set_async (users[0].client, "/test/n", text, (size_t) size,
                                            COHORT_ANY_VERSION, on_written, NULL),
                          0);
        writing = true;
    }
}

/* ---- All of it ---------------------------------------------------------------------------------
 */

static void check (void)
{
    int permits = 0, locks[USERS] = {0}, leases = 0, claims = 0, leaders = 0;
    for (int i = 0; i < USERS; i++) {
        struct user *user = &users[i];
        permits += cohort_sem_valid (user->sem, 0) ? cohort_sem_held (user->sem) : 0;
        leases += cohort_lease_valid (user->lease, 0);
        claims += cohort_claim_valid (user->claim, 0);
        leaders += cohort_pool_leads (user->pool, 0);
        int held = cohort_multilock_valid (user->locks, 0);
        locks[i] += held;
        locks[(i + 1) % USERS] += held;
    }
    assert_true (permits <= PERMITS);
    assert_true (leases <= 1);
    assert_true (claims <= 1);
    assert_true (leaders <= 1);
    for (int i = 0; i < USERS; i++) {
        assert_true (locks[i] <= 1);
    }
}

static void turn (void)
{
    for (int i = 0; i < USERS; i++) {
        assert_true (cohort_run (users[i].client, 1) >= 0);
        check ();
        use_sem (&users[i], i);
        use_locks (&users[i]);
        use_lease (&users[i]);
        use_claim (&users[i]);
        meet (&users[i]);
        check ();
    }
    count_on ();
    submit_next (&users[0]);
}

/* A name, and tasks. */
static void join (struct user *self, int index)
{
    char path[32];
    const char *name = &"abc"[index];
    snprintf (path, sizeof (path), "/test/servers/%c", *name);
    char worker[2] = {*name, 0};
    const cohort_pool_options_t options = {.size = sizeof (options),
                                           .roles = COHORT_POOL_MASTER | COHORT_POOL_WORKER,
                                           .worker = worker};
    self->member = cohort_member_new (self->client, path, "", 0, COHORT_MEMBER_WAIT);
    self->claims = cohort_claims_new (self->client, "/test/users", path);
    assert_true (self->member != NULL && self->claims != NULL);
    self->claim = cohort_claim_new (self->claims, "alice", NULL, 0);
    self->pool = cohort_pool_new (self->client, "/test/jobs", &options);
    assert_true (self->claim != NULL && self->pool != NULL);
    cohort_pool_set_handler (self->pool, on_pool, NULL);
}

void recipes_init (const char *servers)
{
    cohort_options_t options = {.size = sizeof (options), .timeout_ms = 30000};
    memset (users, 0, sizeof (users));
    memset (done, 0, sizeof (done));
    submitted = 0;
    newest = 0;
    written = 0;
    seen = -1;
    writing = false;
    for (int i = 0; i < USERS; i++) {
        struct user *user = &users[i];
        /* Each names its two in an order of its own. */
        cohort_multilock_part_t parts[] = {{lines[(i + i % 2) % USERS], COHORT_LOCK_EXCLUSIVE},
                                           {lines[(i + 1 - i % 2) % USERS], COHORT_LOCK_EXCLUSIVE}};
        user->client = cohort_new (servers, &options);
        assert_non_null (user->client);
        user->sem = cohort_sem_new (user->client, "/test/s", PERMITS, NULL, 0);
        user->locks = cohort_multilock_new (user->client, parts, 2, NULL, 0);
        user->lease = cohort_lease_new (user->client, "/test/lease", LEASE_MS, NULL);
        if (i == 0) {
            assert_int_equal (
                cohort_create (user->client, "/test", "", 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                0);
        }
        assert_true (user->sem != NULL && user->locks != NULL && user->lease != NULL);
        next_round (user);
        join (user, i);
    }
    assert_int_equal (
        cohort_create (users[0].client, "/test/n", "0", 1, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    await = cohort_await_new (users[1].client, "/test/n", 0, counts, NULL);
    assert_non_null (await);
}

void recipes_until_progress (unsigned rounds, int limit_ms)
{
    int64_t end_ms = test_now_ms () + limit_ms;
    unsigned from[KINDS];
    memcpy (from, done, sizeof (from));
    for (bool progress = false; !progress;) {
        assert_true (test_now_ms () < end_ms);
        turn ();
        progress = true;
        for (int i = 0; i < KINDS; i++) {
            progress = progress && done[i] - from[i] >= rounds;
        }
    }
}

void recipes_deinit (void)
{
    cohort_await_destroy (&await);
    for (int i = 0; i < USERS; i++) {
        struct user *user = &users[i];
        cohort_sem_destroy (&user->sem);
        cohort_multilock_destroy (&user->locks);
        cohort_lease_destroy (&user->lease);
        cohort_barrier_destroy (&user->barrier);
        cohort_claim_destroy (&user->claim);
        cohort_claims_destroy (&user->claims);
        cohort_pool_destroy (&user->pool);
        cohort_member_destroy (&user->member);
        assert_int_equal (cohort_sync (user->client), 0);
        (void) cohort_dispatch (user->client, 0);
        assert_int_equal (cohort_sync (user->client), 0);
        (void) cohort_dispatch (user->client, 0);
        cohort_destroy (&user->client);
    }
    printf ("  %u grants of permits, %u of two locks, %u of a lease, %u of a name, %u entered, "
            "%u states seen, %u tasks recorded\n",
            done[SEM], done[MULTILOCK], done[LEASE], done[CLAIM], done[BARRIER], done[AWAIT],
            done[TASK]);
}
