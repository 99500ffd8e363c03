/* Every call that waits, while a handler ends what it waits for, everything else, and the client:
 * it says so, and touches nothing any more. */

#include "cohort/fault.h"
#include "tests/unit/recipes/ensembles.h"

enum { PATIENCE_MS = 20000, SOON_MS = 20 };

static struct {
    cohort_t *client;
    cohort_timer_t *timer;
    cohort_lock_t *lock;
    cohort_multilock_t *locks;
    cohort_sem_t *sem;
    cohort_lease_t *lease;
    cohort_election_t *election;
    cohort_barrier_t *barrier;
    cohort_gate_t *gate;
    cohort_await_t *await;
    cohort_queue_t *queue;
    cohort_cell_t *cell;
    cohort_member_t *member;
    cohort_group_t *group;
    cohort_partitioner_t *partitioner;
    cohort_pool_t *pool;
    cohort_config_t *config;
    cohort_config_update_t *update;
    cohort_mirror_t *mirror;
    cohort_directory_t *directory;
    cohort_claims_t *claims;
    cohort_claim_t *claim;
    cohort_item_t *item;
} all;

static void end_everything (cohort_t *client, void *arg)
{
    (void) arg;
    assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_NOTHING), 0);
    cohort_timer_destroy (&all.timer);
    cohort_lock_destroy (&all.lock);
    cohort_multilock_destroy (&all.locks);
    cohort_sem_destroy (&all.sem);
    cohort_lease_destroy (&all.lease);
    cohort_election_destroy (&all.election);
    cohort_barrier_destroy (&all.barrier);
    cohort_gate_destroy (&all.gate);
    cohort_await_destroy (&all.await);
    cohort_queue_destroy (&all.queue);
    cohort_cell_destroy (&all.cell);
    cohort_group_destroy (&all.group);
    cohort_partitioner_destroy (&all.partitioner);
    cohort_pool_destroy (&all.pool);
    cohort_config_destroy (&all.config);
    cohort_mirror_destroy (&all.mirror);
    cohort_directory_destroy (&all.directory);
    cohort_claim_destroy (&all.claim);
    cohort_claims_destroy (&all.claims);
    cohort_member_destroy (&all.member);
    cohort_destroy (&all.client);
}

/* It never is enough. */
static int never (const cohort_seen_t *state, void *arg)
{
    (void) state;
    (void) arg;
    return 0;
}

/* Nothing of it is answered. */
static void make_everything (void)
{
    static const cohort_multilock_part_t parts[] = {{"/a", COHORT_LOCK_EXCLUSIVE},
                                                    {"/b", COHORT_LOCK_EXCLUSIVE}};
    static const cohort_pool_options_t roles = {
        .size = sizeof roles, .roles = COHORT_POOL_MASTER | COHORT_POOL_WORKER, .worker = "one"};
    cohort_t *client = all.client = join ();
    assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_ALL), 0);
    all.timer = cohort_timer_new (client, end_everything, NULL);
    all.lock = cohort_lock_new (client, "/a", NULL, 0);
    all.locks = cohort_multilock_new (client, parts, 2, NULL, 0);
    all.sem = cohort_sem_new (client, "/sem", 1, NULL, 0);
    all.lease = cohort_lease_new (client, "/lease", PATIENCE_MS, NULL);
    all.election = cohort_election_new (client, "/election", 0);
    all.barrier = cohort_barrier_new (client, "/barrier", 2, 1);
    all.gate = cohort_gate_new (client, "/gate");
    all.await = cohort_await_new (client, "/never", 0, never, NULL);
    all.queue = cohort_queue_new (client, "/queue", NULL);
    all.cell = cohort_cell_new (client, "/cell");
    all.member = cohort_member_new (client, "/servers/eu/one", "", 0, COHORT_MEMBER_WAIT);
    all.group = cohort_group_new (client, "/group", "one", "", 0);
    all.partitioner = cohort_partitioner_new (client, "/parts", "one", 2, NULL);
    all.pool = cohort_pool_new (client, "/pool", &roles);
    all.config = cohort_config_new (client, "/config");
    all.update = cohort_config_update_new (all.config);
    all.mirror = cohort_mirror_new (client, "/servers", NULL);
    all.directory = cohort_directory_new (client, "/servers", NULL);
    all.claims = cohort_claims_new (client, "/users", "/servers/eu/one");
    all.claim = cohort_claim_new (all.claims, "alice", NULL, 0);
    assert_int_equal (cohort_config_update_set (all.update, "key", "1", 1, COHORT_CONFIG_ANY), 0);
}

/* ---- The calls ------------------------------------------------------------------------------- */

/* What is acquired first, and then waited for. */
#define ACQUIRED(NAME, ACQUIRE)                                                                    \
    static int NAME##_waits (void)                                                                 \
    {                                                                                              \
        assert_int_equal (ACQUIRE, 0);                                                             \
        return cohort_##NAME##_wait (all.NAME, PATIENCE_MS);                                       \
    }

#define WAITS(NAME, CALL)                                                                          \
    static int NAME##_waits (void)                                                                 \
    {                                                                                              \
        return CALL;                                                                               \
    }

ACQUIRED (lock, cohort_lock_acquire (all.lock, COHORT_LOCK_EXCLUSIVE))
ACQUIRED (sem, cohort_sem_acquire (all.sem, 1))
ACQUIRED (lease, cohort_lease_acquire (all.lease))
ACQUIRED (election, cohort_election_campaign (all.election, "", 0))
ACQUIRED (barrier, cohort_barrier_enter (all.barrier))
ACQUIRED (claim, cohort_claim_take (all.claim, COHORT_CLAIM_WAIT, 0))
ACQUIRED (member, cohort_member_update (all.member, "x", 1))
ACQUIRED (group, cohort_group_update (all.group, "x", 1))
WAITS (lock_try, cohort_lock_try (all.lock, COHORT_LOCK_SHARED, PATIENCE_MS))
WAITS (locks_try, cohort_multilock_try (all.locks, PATIENCE_MS))
WAITS (sem_try, cohort_sem_try (all.sem, 1, PATIENCE_MS))
WAITS (lease_try, cohort_lease_try (all.lease, PATIENCE_MS))
WAITS (gate, cohort_gate_wait (all.gate, PATIENCE_MS))
WAITS (await, cohort_await_wait (all.await, PATIENCE_MS))
WAITS (take, cohort_queue_take (all.queue, PATIENCE_MS, &all.item))
WAITS (put, cohort_queue_put (all.queue, "x", 1, NULL, PATIENCE_MS, NULL))
WAITS (set, cohort_cell_set (all.cell, "1", 1, PATIENCE_MS, NULL))
WAITS (add, cohort_cell_add (all.cell, 1, 0, 9, PATIENCE_MS, &(int64_t){0}))
WAITS (cas, cohort_cell_cas (all.cell, 0, "1", 1, PATIENCE_MS, NULL))
WAITS (cell, cohort_cell_wait (all.cell, PATIENCE_MS))
WAITS (submit, cohort_pool_submit (all.pool, "task", "", 0, PATIENCE_MS))
WAITS (result,
       cohort_pool_result (all.pool, "none", PATIENCE_MS, &(void *){NULL}, &(size_t){0}, NULL))
WAITS (commit, cohort_config_commit (all.update, PATIENCE_MS))
WAITS (config, cohort_config_wait (all.config, PATIENCE_MS))
WAITS (mirror, cohort_mirror_wait (all.mirror, PATIENCE_MS))
WAITS (directory, cohort_directory_wait (all.directory, PATIENCE_MS))
WAITS (partitioner, cohort_partitioner_wait (all.partitioner, PATIENCE_MS))

static int locks_waits (void)
{
    assert_int_equal (cohort_multilock_acquire (all.locks), 0);
    return cohort_multilock_wait (all.locks, PATIENCE_MS);
}

static const struct {
    const char *name;
    int (*waits) (void);
} calls[] = {
#define CALL(NAME)                                                                                 \
    {                                                                                              \
#NAME, NAME##_waits                                                                        \
    }
    CALL (lock),    CALL (lock_try),  CALL (locks),       CALL (locks_try), CALL (sem),
    CALL (sem_try), CALL (lease),     CALL (lease_try),   CALL (election),  CALL (barrier),
    CALL (gate),    CALL (await),     CALL (take),        CALL (put),       CALL (set),
    CALL (add),     CALL (cas),       CALL (cell),        CALL (member),    CALL (group),
    CALL (claim),   CALL (submit),    CALL (result),      CALL (commit),    CALL (config),
    CALL (mirror),  CALL (directory), CALL (partitioner),
#undef CALL
};

/* ---- The test -------------------------------------------------------------------------------- */

static void everything_ends_while_one_waits (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        make_everything ();
        cohort_timer_set (all.timer, cohort_now_ms (all.client) + SOON_MS);
        int rc = calls[i].waits ();
        print_message ("  %s: %s\n", calls[i].name, cohort_error_name (rc));
        assert_int_equal (rc, COHORT_ECLOSING);
        assert_null (all.client);
        cohort_config_update_destroy (&all.update);
        assert_null (all.item);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (everything_ends_while_one_waits, begin_one, end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
