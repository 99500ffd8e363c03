/* What is done with recipes at random: see hostile_recipes.h. */

#include "tests/unit/recipes/hostile_recipes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

enum { STEP_MS = 10 };

bool hostile_surprising;
bool hostile_gentle;
cohort_t *hostile_hand;

static uint64_t dice_state;

void hostile_seed (uint64_t seed)
{
    dice_state = seed * 977;
}

/* Knuth's generator. */
unsigned hostile_dice (unsigned below)
{
    dice_state = dice_state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned) (dice_state >> 33) % below;
}

int64_t hostile_now_ms (void)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In a handler: sometimes its object ends there. */
static void surprise (struct slot *slot)
{
    if (hostile_surprising && slot->self != NULL && hostile_dice (12) == 0) {
        slot->recipe->destroy (slot);
        slot->self = NULL;
    }
}

/* What every recipe has. */
#define RECIPE(NAME)                                                                               \
    static void NAME##_told (cohort_##NAME##_t *self, const cohort_##NAME##_event_t *event,        \
                             void *arg)                                                            \
    {                                                                                              \
        (void) self;                                                                               \
        assert_true (event->kind > 0);                                                             \
        surprise (arg);                                                                            \
    }                                                                                              \
    static void NAME##_keep (struct slot *slot, cohort_##NAME##_t *self)                           \
    {                                                                                              \
        slot->self = self;                                                                         \
        if (self != NULL) {                                                                        \
            cohort_##NAME##_set_handler (self, NAME##_told, slot);                                 \
        }                                                                                          \
    }                                                                                              \
    static void NAME##_destroy (struct slot *slot)                                                 \
    {                                                                                              \
        cohort_##NAME##_t *self = slot->self;                                                      \
        cohort_##NAME##_destroy (&self);                                                           \
    }

RECIPE (lock)
RECIPE (multilock)
RECIPE (sem)
RECIPE (election)
RECIPE (lease)
RECIPE (gate)
RECIPE (barrier)
RECIPE (cell)
RECIPE (member)
RECIPE (group)
RECIPE (partitioner)
RECIPE (pool)
RECIPE (config)
RECIPE (mirror)
RECIPE (directory)
RECIPE (claim)

/* The marks of what is no item stay until their session ends: so it is documented. */
static char bad_items[HOSTILE_NODES_MAX][64];
static size_t bad_count;

void hostile_forget_bad_items (void)
{
    bad_count = 0;
}

bool hostile_is_mark_of_bad_item (const char *path)
{
    for (size_t i = 0; i < bad_count; i++) {
        if (strncmp (path, bad_items[i], strlen (bad_items[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void queue_told (cohort_queue_t *self, const cohort_queue_event_t *event, void *arg)
{
    (void) self;
    if (event->kind == COHORT_QUEUE_BAD) {
        assert_true (bad_count < HOSTILE_NODES_MAX);
        (void) snprintf (bad_items[bad_count++], sizeof bad_items[0], "%s/", event->path);
    }
    surprise (arg);
}

/* As a hand makes room for another number of parties, or of partitions. */
static void make_anew (struct slot *slot, const char *path)
{
    slot->recipe->destroy (slot);
    (void) !cohort_delete_tree (hostile_hand, path, 0, COHORT_ANY_VERSION, NULL);
    slot->recipe->make (slot);
}

static const char *own_name (const struct slot *slot)
{
    static const char *const names[HOSTILE_CLIENTS] = {"one", "two", "three"};
    return names[slot->number];
}

static const char *own_path (const struct slot *slot, const char *below)
{
    static char path[64];
    (void) snprintf (path, sizeof path, "%s/%s", below, own_name (slot));
    return path;
}

static void lock_make (struct slot *slot)
{
    lock_keep (slot, cohort_lock_new (slot->client, HOSTILE_ROOT "/lock", "me", 2));
}

static cohort_lock_mode_t lock_mode (void)
{
    return hostile_gentle || hostile_dice (2) == 0 ? COHORT_LOCK_EXCLUSIVE : COHORT_LOCK_SHARED;
}

static void lock_turn (struct slot *slot)
{
    int rc;
    switch (hostile_dice (4)) {
    case 0:
        rc = cohort_lock_acquire (slot->self, lock_mode ());
        break;
    case 1:
        rc = cohort_lock_try (slot->self, lock_mode (), (int) hostile_dice (HOSTILE_WAIT_MS));
        break;
    case 2:
        rc = hostile_gentle ? 0 : cohort_lock_downgrade (slot->self);
        break;
    default:
        rc = cohort_lock_release (slot->self);
        break;
    }
    assert_true (rc <= 0);
}

static bool lock_works (struct slot *slot)
{
    while (cohort_lock_release (slot->self) == 0) {
    }
    return cohort_lock_try (slot->self, COHORT_LOCK_EXCLUSIVE, HOSTILE_LIMIT_MS) == 0 &&
           cohort_lock_held (slot->self);
}

static void multilock_make (struct slot *slot)
{
    const cohort_multilock_part_t parts[] = {{HOSTILE_ROOT "/lock", COHORT_LOCK_EXCLUSIVE},
                                             {HOSTILE_ROOT "/other", COHORT_LOCK_SHARED}};
    multilock_keep (slot, cohort_multilock_new (slot->client, parts, 2, NULL, 0));
}

static void multilock_turn (struct slot *slot)
{
    int rc = hostile_dice (2) == 0
                 ? cohort_multilock_try (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS))
                 : cohort_multilock_release (slot->self);
    assert_true (rc <= 0);
}

static bool multilock_works (struct slot *slot)
{
    (void) cohort_multilock_release (slot->self);
    return cohort_multilock_try (slot->self, HOSTILE_LIMIT_MS) == 0 &&
           cohort_multilock_held (slot->self);
}

static void sem_make (struct slot *slot)
{
    /* Some say another number of permits. */
    int permits = hostile_surprising && !hostile_gentle && hostile_dice (6) == 0 ? 3 : 2;
    sem_keep (slot, cohort_sem_new (slot->client, HOSTILE_ROOT "/sem", permits, NULL, 0));
}

static void sem_turn (struct slot *slot)
{
    int rc = hostile_dice (3) == 0 ? cohort_sem_acquire (slot->self, 1 + (int) hostile_dice (2))
             : hostile_dice (2) == 0
                 ? cohort_sem_try (slot->self, 1, (int) hostile_dice (HOSTILE_WAIT_MS))
                 : cohort_sem_release (slot->self, 1);
    assert_true (rc <= 0);
}

static bool sem_works (struct slot *slot)
{
    while (cohort_sem_release (slot->self, 1) == 0) {
    }
    return cohort_sem_try (slot->self, 1, HOSTILE_LIMIT_MS) == 0 &&
           cohort_sem_held (slot->self) == 1;
}

static void election_make (struct slot *slot)
{
    int flags = hostile_dice (2) == 0 ? COHORT_ELECTION_AGAIN : 0;
    election_keep (slot, cohort_election_new (slot->client, HOSTILE_ROOT "/election", flags));
}

static void election_turn (struct slot *slot)
{
    int rc;
    switch (hostile_dice (5)) {
    case 0:
        rc = cohort_election_campaign (slot->self, "x", 1);
        break;
    case 1:
        rc = cohort_election_resign (slot->self);
        break;
    case 2:
        rc = cohort_election_proclaim (slot->self, "y", 1);
        break;
    case 3:
        rc = cohort_election_observe (slot->self);
        break;
    default:
        rc = cohort_election_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS));
        break;
    }
    assert_true (rc <= 0);
}

static bool election_works (struct slot *slot)
{
    int rc = cohort_election_campaign (slot->self, "x", 1);
    return (rc == 0 || rc == COHORT_ESTATE) &&
           cohort_election_wait (slot->self, HOSTILE_LIMIT_MS) == 0;
}

static void lease_make (struct slot *slot)
{
    lease_keep (slot, cohort_lease_new (slot->client, HOSTILE_ROOT "/lease", 1000, NULL));
}

static void lease_turn (struct slot *slot)
{
    int rc = hostile_dice (3) == 0
                 ? cohort_lease_try (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS))
             : hostile_dice (2) == 0 ? cohort_lease_renew (slot->self)
                                     : cohort_lease_release (slot->self);
    assert_true (rc <= 0);
}

static bool lease_works (struct slot *slot)
{
    (void) cohort_lease_release (slot->self);
    return cohort_lease_try (slot->self, HOSTILE_LIMIT_MS) == 0;
}

static void gate_make (struct slot *slot)
{
    gate_keep (slot, cohort_gate_new (slot->client, HOSTILE_ROOT "/gates/arena"));
}

static void gate_turn (struct slot *slot)
{
    int rc = hostile_dice (3) == 0 ? cohort_gate_close (slot->self)
             : hostile_dice (2) == 0
                 ? cohort_gate_open (slot->self)
                 : cohort_gate_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS));
    assert_true (rc <= 0);
}

static bool gate_works (struct slot *slot)
{
    return cohort_gate_retry (slot->self) == 0 && cohort_gate_open (slot->self) == 0 &&
           cohort_gate_wait (slot->self, HOSTILE_LIMIT_MS) == 0;
}

static void barrier_make (struct slot *slot)
{
    /* Some say another number of parties. */
    int parties = !hostile_surprising ? 1 : hostile_dice (6) == 0 ? 3 : 2;
    barrier_keep (slot, cohort_barrier_new (slot->client, HOSTILE_ROOT "/barrier", parties, 7));
}

static void barrier_turn (struct slot *slot)
{
    int rc = hostile_dice (3) == 0 ? cohort_barrier_enter (slot->self)
             : hostile_dice (2) == 0
                 ? cohort_barrier_leave (slot->self)
                 : cohort_barrier_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS));
    assert_true (rc <= 0);
}

static bool barrier_works (struct slot *slot)
{
    make_anew (slot, HOSTILE_ROOT "/barrier");
    return slot->self != NULL && cohort_barrier_enter (slot->self) == 0 &&
           cohort_barrier_wait (slot->self, HOSTILE_LIMIT_MS) == 0 &&
           cohort_barrier_inside (slot->self);
}

static void cell_make (struct slot *slot)
{
    cell_keep (slot, cohort_cell_new (slot->client, HOSTILE_ROOT "/cells/a"));
}

static void cell_turn (struct slot *slot)
{
    int64_t sum;
    int rc = hostile_dice (2) == 0
                 ? cohort_cell_add (slot->self, 1, INT64_MIN, INT64_MAX,
                                    (int) hostile_dice (HOSTILE_WAIT_MS), &sum)
                 : cohort_cell_set (slot->self, "5", 1, (int) hostile_dice (HOSTILE_WAIT_MS), NULL);
    assert_true (rc <= 0);
}

static bool cell_works (struct slot *slot)
{
    int64_t sum = 0;
    return cohort_cell_retry (slot->self) == 0 &&
           cohort_cell_set (slot->self, "5", 1, HOSTILE_LIMIT_MS, NULL) == 0 &&
           cohort_cell_add (slot->self, 2, INT64_MIN, INT64_MAX, HOSTILE_LIMIT_MS, &sum) == 0 &&
           sum == 7;
}

static void member_make (struct slot *slot)
{
    int policy = hostile_dice (2) == 0 ? COHORT_MEMBER_WAIT : COHORT_MEMBER_GIVE_UP;
    member_keep (slot, cohort_member_new (slot->client, HOSTILE_ROOT "/member", own_name (slot), 3,
                                          hostile_surprising ? policy : COHORT_MEMBER_WAIT));
}

static void member_turn (struct slot *slot)
{
    int rc = hostile_dice (2) == 0
                 ? cohort_member_update (slot->self, "z", 1)
                 : cohort_member_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS));
    assert_true (rc <= 0);
    if (slot->self != NULL) {
        (void) cohort_member_retry (slot->self);
    }
}

static bool member_works (struct slot *slot)
{
    return cohort_member_retry (slot->self) == 0 &&
           cohort_member_wait (slot->self, HOSTILE_LIMIT_MS) == 0;
}

static void group_make (struct slot *slot)
{
    group_keep (slot,
                cohort_group_new (slot->client, HOSTILE_ROOT "/group", own_name (slot), "x", 1));
}

static void group_turn (struct slot *slot)
{
    int rc = hostile_dice (2) == 0
                 ? cohort_group_update (slot->self, "z", 1)
                 : cohort_group_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS));
    assert_true (rc <= 0);
    if (slot->self != NULL) {
        (void) cohort_group_retry (slot->self);
        (void) cohort_group_get (slot->self, "two");
    }
}

static bool group_works (struct slot *slot)
{
    return cohort_group_retry (slot->self) == 0 &&
           cohort_group_wait (slot->self, HOSTILE_LIMIT_MS) == 0 &&
           cohort_group_get (slot->self, own_name (slot)) != NULL;
}

static void partitioner_make (struct slot *slot)
{
    int partitions = hostile_surprising && hostile_dice (6) == 0 ? 5 : 4;
    partitioner_keep (slot, cohort_partitioner_new (slot->client, HOSTILE_ROOT "/parts",
                                                    own_name (slot), partitions, NULL));
}

static void partitioner_turn (struct slot *slot)
{
    int rc = hostile_dice (2) == 0
                 ? cohort_partitioner_release (slot->self, (int) hostile_dice (4))
                 : cohort_partitioner_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS));
    assert_true (rc <= 0);
    if (slot->self != NULL) {
        (void) cohort_partitioner_retry (slot->self);
    }
}

static bool partitioner_works (struct slot *slot)
{
    make_anew (slot, HOSTILE_ROOT "/parts");
    for (int64_t until = hostile_now_ms () + HOSTILE_LIMIT_MS; hostile_now_ms () < until;) {
        assert_true (cohort_run (slot->client, STEP_MS) >= 0);
        if (cohort_partitioner_count (slot->self) == 4) {
            return true;
        }
    }
    return false;
}

static void pool_make (struct slot *slot)
{
    const cohort_pool_options_t options = {.size = sizeof options,
                                           .roles = COHORT_POOL_MASTER | COHORT_POOL_WORKER,
                                           .worker = own_name (slot),
                                           .capacity = 8};
    pool_keep (slot, cohort_pool_new (slot->client, HOSTILE_ROOT "/pool", &options));
}

static void pool_turn (struct slot *slot)
{
    char id[8];
    (void) snprintf (id, sizeof id, "t%u", hostile_dice (4));
    int rc =
        hostile_dice (3) == 0 ? cohort_pool_retry (slot->self)
        : hostile_dice (2) == 0
            ? cohort_pool_submit (slot->self, id, "x", 1, (int) hostile_dice (HOSTILE_WAIT_MS))
            : cohort_pool_done (slot->self, id, 1, "y", 1, (int) hostile_dice (HOSTILE_WAIT_MS));
    assert_true (rc <= 0);
}

static bool pool_works (struct slot *slot)
{
    void *result = NULL;
    size_t size = 0;
    int rc = COHORT_EFENCED;
    (void) !cohort_pool_submit (slot->self, "last", "x", 1, HOSTILE_LIMIT_MS);
    for (int64_t until = hostile_now_ms () + HOSTILE_LIMIT_MS;
         rc != 0 && hostile_now_ms () < until;) {
        (void) cohort_pool_retry (slot->self);
        for (int attempt = 1; attempt < 4 && rc != 0; attempt++) {
            rc = cohort_pool_done (slot->self, "last", attempt, "y", 1, HOSTILE_LIMIT_MS);
        }
        assert_true (cohort_run (slot->client, STEP_MS) >= 0);
    }
    rc = rc == 0 ? cohort_pool_result (slot->self, "last", HOSTILE_LIMIT_MS, &result, &size, NULL)
                 : rc;
    cohort_free (result);
    return rc == 0;
}

static void config_make (struct slot *slot)
{
    config_keep (slot, cohort_config_new (slot->client, HOSTILE_ROOT "/config"));
    if (slot->self != NULL) {
        assert_int_equal (cohort_config_expect_integer (slot->self, "limit", 1, 9), 0);
    }
}

static void config_turn (struct slot *slot)
{
    cohort_config_t *self = slot->self;
    cohort_config_update_t *update = cohort_config_update_new (self);
    int64_t value = 5;
    (void) cohort_config_integer (self, "limit", &value);
    assert_in_range (value, 1, 9);
    (void) cohort_config_update_set (update, "a/b", "1", 1,
                                     hostile_dice (2) == 0 ? 0 : COHORT_CONFIG_ANY);
    (void) cohort_config_update_set (update, "limit", "7", 1, COHORT_CONFIG_ANY);
    (void) !cohort_config_commit (update, (int) hostile_dice (HOSTILE_WAIT_MS));
    cohort_config_update_destroy (&update);
}

static bool config_works (struct slot *slot)
{
    int64_t value = 0;
    cohort_config_update_t *update = cohort_config_update_new (slot->self);
    assert_int_equal (cohort_config_update_set (update, "limit", "8", 1, COHORT_CONFIG_ANY), 0);
    int rc = cohort_config_retry (slot->self);
    rc = rc == 0 ? cohort_config_commit (update, HOSTILE_LIMIT_MS) : rc;
    cohort_config_update_destroy (&update);
    return rc == 0 && cohort_config_integer (slot->self, "limit", &value) == 0 && value == 8;
}

static void mirror_make (struct slot *slot)
{
    mirror_keep (slot, cohort_mirror_new (slot->client, HOSTILE_ROOT, NULL));
}

static void mirror_turn (struct slot *slot)
{
    size_t count = 0;
    for (const cohort_node_t *node = cohort_mirror_first (slot->self); node != NULL;
         node = cohort_mirror_next (slot->self, node)) {
        assert_non_null (node->path);
        count++;
    }
    assert_int_equal (count, cohort_mirror_count (slot->self));
    assert_true (cohort_mirror_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS)) <= 0);
}

static bool mirror_works (struct slot *slot)
{
    return cohort_mirror_retry (slot->self) == 0 &&
           cohort_mirror_wait (slot->self, HOSTILE_LIMIT_MS) == 0;
}

static void directory_make (struct slot *slot)
{
    const cohort_directory_options_t options = {.size = sizeof options,
                                                .strategy = (int) hostile_dice (4)};
    directory_keep (slot, cohort_directory_new (slot->client, HOSTILE_ROOT "/group", &options));
}

static void directory_turn (struct slot *slot)
{
    const cohort_instance_t *chosen = cohort_directory_pick (slot->self, NULL, "key");
    (void) cohort_directory_report (slot->self, chosen == NULL ? "one" : chosen->uid, 0);
    assert_true (cohort_directory_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS)) <= 0);
}

static bool directory_works (struct slot *slot)
{
    return cohort_directory_retry (slot->self) == 0 &&
           cohort_directory_wait (slot->self, HOSTILE_LIMIT_MS) == 0;
}

static void claim_make (struct slot *slot)
{
    if (slot->claims == NULL) {
        slot->claims = cohort_claims_new (slot->client, HOSTILE_ROOT "/users",
                                          own_path (slot, HOSTILE_ROOT "/group"));
        assert_non_null (slot->claims);
    }
    claim_keep (slot, cohort_claim_new (slot->claims, "alice", NULL, 0));
}

static void claim_turn (struct slot *slot)
{
    /* Of two one holds, if who is kicked hears of it in time: with a grace as long as sessions. */
    int grace_ms = hostile_gentle ? HOSTILE_GRACE_MS : (int) hostile_dice (50);
    int rc =
        hostile_dice (3) == 0
            ? cohort_claim_yield (slot->self)
            : cohort_claim_take (slot->self, (cohort_claim_policy_t) hostile_dice (3), grace_ms);
    rc = rc == 0 ? cohort_claim_wait (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS)) : rc;
    assert_true (rc <= 0);
}

static bool claim_works (struct slot *slot)
{
    (void) cohort_claim_yield (slot->self);
    return cohort_claim_take (slot->self, COHORT_CLAIM_KICK, 10) == 0 &&
           cohort_claim_wait (slot->self, HOSTILE_LIMIT_MS) == 0;
}

static void queue_make (struct slot *slot)
{
    const cohort_queue_options_t options = {.size = sizeof options,
                                            .max_inflight = (int) hostile_dice (3)};
    cohort_queue_t *self = cohort_queue_new (slot->client, HOSTILE_ROOT "/queue", &options);
    slot->self = self;
    if (self != NULL) {
        cohort_queue_set_handler (self, queue_told, slot);
    }
}

static void queue_end (struct slot *slot)
{
    if (slot->item != NULL) {
        (void) !cohort_item_ack_async (&slot->item, NULL, NULL);
    }
    cohort_queue_t *self = slot->self;
    cohort_queue_destroy (&self);
}

static void queue_turn (struct slot *slot)
{
    const cohort_put_options_t options = {.size = sizeof options,
                                          .id = hostile_dice (2) == 0 ? "id" : NULL,
                                          .delay_ms = (int) hostile_dice (30)};
    int rc = 0;
    switch (hostile_dice (4)) {
    case 0:
        rc = cohort_queue_put (slot->self, "x", 1, &options, (int) hostile_dice (HOSTILE_WAIT_MS),
                               NULL);
        break;
    case 1:
        if (slot->item == NULL) {
            rc = cohort_queue_take (slot->self, (int) hostile_dice (HOSTILE_WAIT_MS), &slot->item);
        }
        break;
    case 2:
        if (slot->item != NULL) {
            rc = hostile_dice (2) == 0
                     ? cohort_item_ack (&slot->item, (int) hostile_dice (HOSTILE_WAIT_MS))
                     : cohort_item_return (&slot->item, 5, (int) hostile_dice (HOSTILE_WAIT_MS));
        }
        break;
    default:
        rc = cohort_queue_retry (slot->self);
        break;
    }
    assert_true (rc <= 0);
}

static bool queue_works (struct slot *slot)
{
    if (slot->item != NULL) {
        (void) !cohort_item_ack (&slot->item, HOSTILE_LIMIT_MS);
    }
    return cohort_queue_retry (slot->self) == 0 &&
           cohort_queue_put (slot->self, "x", 1, NULL, HOSTILE_LIMIT_MS, NULL) == 0 &&
           cohort_queue_take (slot->self, HOSTILE_LIMIT_MS, &slot->item) == 0 &&
           cohort_item_ack (&slot->item, HOSTILE_LIMIT_MS) == 0;
}

/* What is surely held now. */
#define HOLDS(NAME, EXPRESSION)                                                                    \
    static int NAME##_holds (struct slot *slot)                                                    \
    {                                                                                              \
        return EXPRESSION;                                                                         \
    }

HOLDS (lock, cohort_lock_valid (slot->self, 0))
HOLDS (multilock, cohort_multilock_valid (slot->self, 0))
HOLDS (sem, cohort_sem_valid (slot->self, 0) ? cohort_sem_held (slot->self) : 0)
HOLDS (election, cohort_election_valid (slot->self, 0))
HOLDS (lease, cohort_lease_valid (slot->self, 0))
HOLDS (partitioner, cohort_partitioner_valid (slot->self, 2, 0))
HOLDS (pool, cohort_pool_leads (slot->self, 0))
HOLDS (claim, cohort_claim_valid (slot->self, 0))

#define ALL(NAME)                                                                                  \
    .name = #NAME, .make = NAME##_make, .turn = NAME##_turn, .works = NAME##_works,                \
    .destroy = NAME##_destroy
#define HELD(NAME, AT_ONCE) ALL (NAME), .holds = NAME##_holds, .at_once = (AT_ONCE)

/* The group before the claims, whose owners are its members. */
const struct recipe hostile_recipes[HOSTILE_RECIPES] = {
    {HELD (lock, 1)},
    {HELD (multilock, 1)},
    {HELD (sem, 2)},
    {HELD (election, 1)},
    {HELD (lease, 1)},
    {ALL (gate)},
    {ALL (barrier)},
    {ALL (cell)},
    {ALL (member)},
    {ALL (group)},
    {HELD (partitioner, 1)},
    {HELD (pool, 1)},
    {ALL (config)},
    {ALL (mirror)},
    {ALL (directory)},
    {HELD (claim, 1)},
    {.name = "queue",
     .make = queue_make,
     .turn = queue_turn,
     .works = queue_works,
     .destroy = queue_end},
};
