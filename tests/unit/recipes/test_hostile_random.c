/* All recipes at once, while somebody changes their znodes by hand at random, sessions end,
 * connections break, and handlers destroy their own objects: nothing hangs or crashes, nothing of
 * what was destroyed stays, and when it is over everything works. COHORT_SEED: of one run. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/recipes/ensembles.h"

enum {
    CLIENTS = 3,
    TURNS = 600,
    SEEDS = 3,
    WAIT_MS = 20,    /* of what a turn waits for at most */
    LATE_MS = 10000, /* longer than that, whatever the machine does, it hangs */
    NODES_MAX = 512
};

#define ROOT "/hostile"

static cohort_t *clients[CLIENTS];
static cohort_t *hand;
static uint64_t dice_state;

/* One of 0 to below - 1: Knuth's generator. */
static unsigned dice (unsigned below)
{
    dice_state = dice_state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned) (dice_state >> 33) % below;
}

static int64_t now_ms (void)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Recipes --------------------------------------------------------------------------------- */

struct slot {
    const struct recipe *recipe;
    cohort_t *client;
    int number; /* of the client */
    void *self; /* NULL: destroyed */
    cohort_claims_t *claims;
    cohort_item_t *item;
};

struct recipe {
    const char *name;
    void (*make) (struct slot *slot);
    void (*turn) (struct slot *slot);
    bool (*works) (struct slot *slot); /* now, as nobody disturbs it */
    void (*destroy) (struct slot *slot);
};

static bool surprising;

/* In a handler: sometimes its object ends there. */
static void surprise (struct slot *slot)
{
    if (surprising && slot->self != NULL && dice (12) == 0) {
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
static char bad_items[NODES_MAX][64];
static size_t bad_count;

static bool is_mark_of_bad_item (const char *path)
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
        assert_true (bad_count < NODES_MAX);
        (void) snprintf (bad_items[bad_count++], sizeof bad_items[0], "%s/", event->path);
    }
    surprise (arg);
}

/* As a hand makes room for another number of parties, or of partitions. */
static void make_anew (struct slot *slot, const char *path)
{
    slot->recipe->destroy (slot);
    (void) !cohort_delete_tree (hand, path, 0, COHORT_ANY_VERSION, NULL);
    slot->recipe->make (slot);
}

static const char *own_name (const struct slot *slot)
{
    static const char *const names[CLIENTS] = {"one", "two", "three"};
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
    lock_keep (slot, cohort_lock_new (slot->client, ROOT "/lock", "me", 2));
}

static void lock_turn (struct slot *slot)
{
    int rc;
    switch (dice (4)) {
    case 0:
        rc = cohort_lock_acquire (slot->self, dice (2) == 0 ? COHORT_LOCK_SHARED : 0);
        break;
    case 1:
        rc = cohort_lock_try (slot->self, dice (2) == 0 ? COHORT_LOCK_SHARED : 0,
                              (int) dice (WAIT_MS));
        break;
    case 2:
        rc = cohort_lock_downgrade (slot->self);
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
    return cohort_lock_try (slot->self, COHORT_LOCK_EXCLUSIVE, LIMIT_MS) == 0 &&
           cohort_lock_held (slot->self);
}

static void multilock_make (struct slot *slot)
{
    const cohort_multilock_part_t parts[] = {{ROOT "/lock", COHORT_LOCK_EXCLUSIVE},
                                             {ROOT "/other", COHORT_LOCK_SHARED}};
    multilock_keep (slot, cohort_multilock_new (slot->client, parts, 2, NULL, 0));
}

static void multilock_turn (struct slot *slot)
{
    int rc = dice (2) == 0 ? cohort_multilock_try (slot->self, (int) dice (WAIT_MS))
                           : cohort_multilock_release (slot->self);
    assert_true (rc <= 0);
}

static bool multilock_works (struct slot *slot)
{
    (void) cohort_multilock_release (slot->self);
    return cohort_multilock_try (slot->self, LIMIT_MS) == 0 && cohort_multilock_held (slot->self);
}

static void sem_make (struct slot *slot)
{
    /* Some say another number of permits. */
    int permits = surprising && dice (6) == 0 ? 3 : 2;
    sem_keep (slot, cohort_sem_new (slot->client, ROOT "/sem", permits, NULL, 0));
}

static void sem_turn (struct slot *slot)
{
    int rc = dice (3) == 0   ? cohort_sem_acquire (slot->self, 1 + (int) dice (2))
             : dice (2) == 0 ? cohort_sem_try (slot->self, 1, (int) dice (WAIT_MS))
                             : cohort_sem_release (slot->self, 1);
    assert_true (rc <= 0);
}

static bool sem_works (struct slot *slot)
{
    while (cohort_sem_release (slot->self, 1) == 0) {
    }
    return cohort_sem_try (slot->self, 1, LIMIT_MS) == 0 && cohort_sem_held (slot->self) == 1;
}

static void election_make (struct slot *slot)
{
    int flags = dice (2) == 0 ? COHORT_ELECTION_AGAIN : 0;
    election_keep (slot, cohort_election_new (slot->client, ROOT "/election", flags));
}

static void election_turn (struct slot *slot)
{
    int rc;
    switch (dice (5)) {
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
        rc = cohort_election_wait (slot->self, (int) dice (WAIT_MS));
        break;
    }
    assert_true (rc <= 0);
}

static bool election_works (struct slot *slot)
{
    int rc = cohort_election_campaign (slot->self, "x", 1);
    return (rc == 0 || rc == COHORT_ESTATE) && cohort_election_wait (slot->self, LIMIT_MS) == 0;
}

static void lease_make (struct slot *slot)
{
    lease_keep (slot, cohort_lease_new (slot->client, ROOT "/lease", 1000, NULL));
}

static void lease_turn (struct slot *slot)
{
    int rc = dice (3) == 0   ? cohort_lease_try (slot->self, (int) dice (WAIT_MS))
             : dice (2) == 0 ? cohort_lease_renew (slot->self)
                             : cohort_lease_release (slot->self);
    assert_true (rc <= 0);
}

static bool lease_works (struct slot *slot)
{
    (void) cohort_lease_release (slot->self);
    return cohort_lease_try (slot->self, LIMIT_MS) == 0;
}

static void gate_make (struct slot *slot)
{
    gate_keep (slot, cohort_gate_new (slot->client, ROOT "/gates/arena"));
}

static void gate_turn (struct slot *slot)
{
    int rc = dice (3) == 0   ? cohort_gate_close (slot->self)
             : dice (2) == 0 ? cohort_gate_open (slot->self)
                             : cohort_gate_wait (slot->self, (int) dice (WAIT_MS));
    assert_true (rc <= 0);
}

static bool gate_works (struct slot *slot)
{
    return cohort_gate_retry (slot->self) == 0 && cohort_gate_open (slot->self) == 0 &&
           cohort_gate_wait (slot->self, LIMIT_MS) == 0;
}

static void barrier_make (struct slot *slot)
{
    /* Some say another number of parties. */
    int parties = !surprising ? 1 : dice (6) == 0 ? 3 : 2;
    barrier_keep (slot, cohort_barrier_new (slot->client, ROOT "/barrier", parties, 7));
}

static void barrier_turn (struct slot *slot)
{
    int rc = dice (3) == 0   ? cohort_barrier_enter (slot->self)
             : dice (2) == 0 ? cohort_barrier_leave (slot->self)
                             : cohort_barrier_wait (slot->self, (int) dice (WAIT_MS));
    assert_true (rc <= 0);
}

static bool barrier_works (struct slot *slot)
{
    make_anew (slot, ROOT "/barrier");
    return slot->self != NULL && cohort_barrier_enter (slot->self) == 0 &&
           cohort_barrier_wait (slot->self, LIMIT_MS) == 0 && cohort_barrier_inside (slot->self);
}

static void cell_make (struct slot *slot)
{
    cell_keep (slot, cohort_cell_new (slot->client, ROOT "/cells/a"));
}

static void cell_turn (struct slot *slot)
{
    int64_t sum;
    int rc = dice (2) == 0
                 ? cohort_cell_add (slot->self, 1, INT64_MIN, INT64_MAX, (int) dice (WAIT_MS), &sum)
                 : cohort_cell_set (slot->self, "5", 1, (int) dice (WAIT_MS), NULL);
    assert_true (rc <= 0);
}

static bool cell_works (struct slot *slot)
{
    int64_t sum = 0;
    return cohort_cell_retry (slot->self) == 0 &&
           cohort_cell_set (slot->self, "5", 1, LIMIT_MS, NULL) == 0 &&
           cohort_cell_add (slot->self, 2, INT64_MIN, INT64_MAX, LIMIT_MS, &sum) == 0 && sum == 7;
}

static void member_make (struct slot *slot)
{
    int policy = dice (2) == 0 ? COHORT_MEMBER_WAIT : COHORT_MEMBER_GIVE_UP;
    member_keep (slot, cohort_member_new (slot->client, ROOT "/member", own_name (slot), 3,
                                          surprising ? policy : COHORT_MEMBER_WAIT));
}

static void member_turn (struct slot *slot)
{
    int rc = dice (2) == 0 ? cohort_member_update (slot->self, "z", 1)
                           : cohort_member_wait (slot->self, (int) dice (WAIT_MS));
    assert_true (rc <= 0);
    if (slot->self != NULL) {
        (void) cohort_member_retry (slot->self);
    }
}

static bool member_works (struct slot *slot)
{
    return cohort_member_retry (slot->self) == 0 && cohort_member_wait (slot->self, LIMIT_MS) == 0;
}

static void group_make (struct slot *slot)
{
    group_keep (slot, cohort_group_new (slot->client, ROOT "/group", own_name (slot), "x", 1));
}

static void group_turn (struct slot *slot)
{
    int rc = dice (2) == 0 ? cohort_group_update (slot->self, "z", 1)
                           : cohort_group_wait (slot->self, (int) dice (WAIT_MS));
    assert_true (rc <= 0);
    if (slot->self != NULL) {
        (void) cohort_group_retry (slot->self);
        (void) cohort_group_get (slot->self, "two");
    }
}

static bool group_works (struct slot *slot)
{
    return cohort_group_retry (slot->self) == 0 && cohort_group_wait (slot->self, LIMIT_MS) == 0 &&
           cohort_group_get (slot->self, own_name (slot)) != NULL;
}

static void partitioner_make (struct slot *slot)
{
    int partitions = surprising && dice (6) == 0 ? 5 : 4;
    partitioner_keep (slot, cohort_partitioner_new (slot->client, ROOT "/parts", own_name (slot),
                                                    partitions, NULL));
}

static void partitioner_turn (struct slot *slot)
{
    int rc = dice (2) == 0 ? cohort_partitioner_release (slot->self, (int) dice (4))
                           : cohort_partitioner_wait (slot->self, (int) dice (WAIT_MS));
    assert_true (rc <= 0);
    if (slot->self != NULL) {
        (void) cohort_partitioner_retry (slot->self);
    }
}

static bool partitioner_works (struct slot *slot)
{
    make_anew (slot, ROOT "/parts");
    for (int64_t until = now_ms () + LIMIT_MS; now_ms () < until;) {
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
                                           .worker = own_name (slot)};
    pool_keep (slot, cohort_pool_new (slot->client, ROOT "/pool", &options));
}

static void pool_turn (struct slot *slot)
{
    char id[8];
    (void) snprintf (id, sizeof id, "t%u", dice (4));
    int rc = dice (3) == 0   ? cohort_pool_retry (slot->self)
             : dice (2) == 0 ? cohort_pool_submit (slot->self, id, "x", 1, (int) dice (WAIT_MS))
                             : cohort_pool_done (slot->self, id, 1, "y", 1, (int) dice (WAIT_MS));
    assert_true (rc <= 0);
}

static bool pool_works (struct slot *slot)
{
    void *result = NULL;
    size_t size = 0;
    (void) cohort_pool_retry (slot->self);
    (void) !cohort_pool_submit (slot->self, "last", "x", 1, LIMIT_MS);
    int rc = COHORT_EFENCED;
    for (int64_t until = now_ms () + LIMIT_MS; rc != 0 && now_ms () < until;) {
        for (int attempt = 1; attempt < 4 && rc != 0; attempt++) {
            rc = cohort_pool_done (slot->self, "last", attempt, "y", 1, LIMIT_MS);
        }
        assert_true (cohort_run (slot->client, STEP_MS) >= 0);
    }
    rc = rc == 0 ? cohort_pool_result (slot->self, "last", LIMIT_MS, &result, &size, NULL) : rc;
    cohort_free (result);
    return rc == 0;
}

static void config_make (struct slot *slot)
{
    config_keep (slot, cohort_config_new (slot->client, ROOT "/config"));
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
    (void) cohort_config_update_set (update, "a/b", "1", 1, dice (2) == 0 ? 0 : COHORT_CONFIG_ANY);
    (void) cohort_config_update_set (update, "limit", "7", 1, COHORT_CONFIG_ANY);
    (void) !cohort_config_commit (update, (int) dice (WAIT_MS));
    cohort_config_update_destroy (&update);
}

static bool config_works (struct slot *slot)
{
    int64_t value = 0;
    cohort_config_update_t *update = cohort_config_update_new (slot->self);
    assert_int_equal (cohort_config_update_set (update, "limit", "8", 1, COHORT_CONFIG_ANY), 0);
    int rc = cohort_config_retry (slot->self);
    rc = rc == 0 ? cohort_config_commit (update, LIMIT_MS) : rc;
    cohort_config_update_destroy (&update);
    return rc == 0 && cohort_config_integer (slot->self, "limit", &value) == 0 && value == 8;
}

static void mirror_make (struct slot *slot)
{
    mirror_keep (slot, cohort_mirror_new (slot->client, ROOT, NULL));
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
    assert_true (cohort_mirror_wait (slot->self, (int) dice (WAIT_MS)) <= 0);
}

static bool mirror_works (struct slot *slot)
{
    return cohort_mirror_retry (slot->self) == 0 && cohort_mirror_wait (slot->self, LIMIT_MS) == 0;
}

static void directory_make (struct slot *slot)
{
    const cohort_directory_options_t options = {.size = sizeof options, .strategy = (int) dice (4)};
    directory_keep (slot, cohort_directory_new (slot->client, ROOT "/group", &options));
}

static void directory_turn (struct slot *slot)
{
    const cohort_instance_t *chosen = cohort_directory_pick (slot->self, NULL, "key");
    (void) cohort_directory_report (slot->self, chosen == NULL ? "one" : chosen->uid, 0);
    assert_true (cohort_directory_wait (slot->self, (int) dice (WAIT_MS)) <= 0);
}

static bool directory_works (struct slot *slot)
{
    return cohort_directory_retry (slot->self) == 0 &&
           cohort_directory_wait (slot->self, LIMIT_MS) == 0;
}

static void claim_make (struct slot *slot)
{
    if (slot->claims == NULL) {
        slot->claims =
            cohort_claims_new (slot->client, ROOT "/users", own_path (slot, ROOT "/group"));
        assert_non_null (slot->claims);
    }
    claim_keep (slot, cohort_claim_new (slot->claims, "alice", NULL, 0));
}

static void claim_turn (struct slot *slot)
{
    int rc = dice (3) == 0 ? cohort_claim_yield (slot->self)
                           : cohort_claim_take (slot->self, (cohort_claim_policy_t) dice (3),
                                                (int) dice (50));
    rc = rc == 0 ? cohort_claim_wait (slot->self, (int) dice (WAIT_MS)) : rc;
    assert_true (rc <= 0);
}

static bool claim_works (struct slot *slot)
{
    (void) cohort_claim_yield (slot->self);
    return cohort_claim_take (slot->self, COHORT_CLAIM_KICK, 10) == 0 &&
           cohort_claim_wait (slot->self, LIMIT_MS) == 0;
}

static void queue_make (struct slot *slot)
{
    const cohort_queue_options_t options = {.size = sizeof options, .max_inflight = (int) dice (3)};
    cohort_queue_t *self = cohort_queue_new (slot->client, ROOT "/queue", &options);
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
    const cohort_put_options_t options = {
        .size = sizeof options, .id = dice (2) == 0 ? "id" : NULL, .delay_ms = (int) dice (30)};
    int rc = 0;
    switch (dice (4)) {
    case 0:
        rc = cohort_queue_put (slot->self, "x", 1, &options, (int) dice (WAIT_MS), NULL);
        break;
    case 1:
        if (slot->item == NULL) {
            rc = cohort_queue_take (slot->self, (int) dice (WAIT_MS), &slot->item);
        }
        break;
    case 2:
        if (slot->item != NULL) {
            rc = dice (2) == 0 ? cohort_item_ack (&slot->item, (int) dice (WAIT_MS))
                               : cohort_item_return (&slot->item, 5, (int) dice (WAIT_MS));
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
        (void) !cohort_item_ack (&slot->item, LIMIT_MS);
    }
    return cohort_queue_retry (slot->self) == 0 &&
           cohort_queue_put (slot->self, "x", 1, NULL, LIMIT_MS, NULL) == 0 &&
           cohort_queue_take (slot->self, LIMIT_MS, &slot->item) == 0 &&
           cohort_item_ack (&slot->item, LIMIT_MS) == 0;
}

#define ALL(NAME)                                                                                  \
    {                                                                                              \
#NAME, NAME##_make, NAME##_turn, NAME##_works, NAME##_destroy                              \
    }

/* The group before the claims, whose owners are its members. */
static const struct recipe recipes[] = {
    ALL (lock),
    ALL (multilock),
    ALL (sem),
    ALL (election),
    ALL (lease),
    ALL (gate),
    ALL (barrier),
    ALL (cell),
    ALL (member),
    ALL (group),
    ALL (partitioner),
    ALL (pool),
    ALL (config),
    ALL (mirror),
    ALL (directory),
    ALL (claim),
    {"queue", queue_make, queue_turn, queue_works, queue_end},
};

#define RECIPES (sizeof recipes / sizeof *recipes)

static struct slot slots[RECIPES][CLIENTS];

/* ---- A hand ---------------------------------------------------------------------------------- */

static char *found[NODES_MAX];
static size_t found_count;

static void collect (const char *path)
{
    cohort_strings_t *names = NULL;
    if (found_count == NODES_MAX) {
        return;
    }
    found[found_count++] = strdup (path);
    if (cohort_children (hand, path, &names, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        char below[512];
        (void) snprintf (below, sizeof below, "%s/%s", path, names->items[i]);
        collect (below);
    }
    cohort_strings_destroy (&names);
}

/* A znode beside it, whose name is almost the same. */
static void put_beside (const char *path)
{
    static const char letters[] = "0123456789abcdef-rwm";
    char other[512];
    (void) snprintf (other, sizeof other, "%s", path);
    size_t begins = (size_t) (strrchr (other, '/') - other) + 1;
    if (strlen (other) > begins) {
        other[begins + dice ((unsigned) (strlen (other) - begins))] =
            letters[dice (sizeof letters - 1)];
    }
    (void) !cohort_create (hand, other, "x", 1, COHORT_PERSISTENT, NULL, NULL, NULL);
}

static void interfere (void)
{
    static const char *const rubbish[] = {"",  "x",           "claim=1\n", "\xff\xfe\n=\n",
                                          "9", "permits=1\n", "{}",        "task=1\n\n"};
    found_count = 0;
    collect (ROOT);
    const char *path = found[dice ((unsigned) found_count)];
    const char *text = rubbish[dice (sizeof rubbish / sizeof *rubbish)];
    char below[560];
    switch (dice (6)) {
    case 0:
        (void) !cohort_delete (hand, path, COHORT_ANY_VERSION);
        break;
    case 1:
        if (dice (3) == 0) {
            (void) !cohort_delete_tree (hand, path, 0, COHORT_ANY_VERSION, NULL);
        }
        break;
    case 2:
        (void) !cohort_set (hand, path, text, strlen (text), COHORT_ANY_VERSION, NULL);
        break;
    case 3:
        put_beside (path);
        break;
    case 4:
        (void) snprintf (below, sizeof below, "%s/%s", path, dice (2) == 0 ? "x" : "7");
        (void) !cohort_create (hand, below, text, strlen (text), COHORT_PERSISTENT, NULL, NULL,
                               NULL);
        break;
    default:
        (void) !cohort_delete (hand, found[found_count - 1], COHORT_ANY_VERSION);
        break;
    }
    for (size_t i = 0; i < found_count; i++) {
        free (found[i]);
    }
}

static void break_something (void)
{
    cohort_t *client = clients[dice (CLIENTS)];
    switch (dice (3)) {
    case 0:
        cohort_fault_cut (client);
        break;
    case 1:
        assert_int_equal (cohort_fault_drop_replies (client, 1), 0);
        break;
    default:
        if (dice (3) == 0 && cohort_state (client) == COHORT_CONNECTED) {
            (void) cohort_test_expire (test, client);
        }
        break;
    }
}

/* ---- A run ----------------------------------------------------------------------------------- */

static void step (void)
{
    struct slot *slot = &slots[dice (RECIPES)][dice (CLIENTS)];
    if (slot->self != NULL && dice (15) == 0) {
        slot->recipe->destroy (slot);
        slot->self = NULL;
    }
    if (slot->self == NULL) {
        slot->recipe->make (slot);
    }
    int64_t began_ms = now_ms ();
    if (slot->self != NULL) {
        slot->recipe->turn (slot);
    }
    if (now_ms () - began_ms > LATE_MS) {
        fail_msg ("a turn of %s took %d ms", slot->recipe->name, (int) (now_ms () - began_ms));
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_true (cohort_run (clients[i], 0) >= 0);
    }
}

static void end_slot (struct slot *slot)
{
    if (slot->self != NULL) {
        slot->recipe->destroy (slot);
        slot->self = NULL;
    }
    if (slot->item != NULL) {
        (void) !cohort_item_ack_async (&slot->item, NULL, NULL);
    }
    if (slot->claims != NULL) {
        cohort_claims_destroy (&slot->claims);
    }
}

static void assert_works (struct slot *slot)
{
    for (int64_t until = now_ms () + LIMIT_MS; !slot->recipe->works (slot);) {
        if (now_ms () > until) {
            fail_msg ("%s does not work any more", slot->recipe->name);
        }
    }
}

static void assert_nothing_left (cohort_t *client)
{
    cohort_ephemerals_options_t options = {.size = sizeof options};
    cohort_strings_t *left = NULL;
    /* What is given up when its answer comes needs a dispatch, and a round trip more. */
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = cohort_sync (client);
        assert_true (rc == 0 || rc == COHORT_ESESSIONEXPIRED);
        while (cohort_dispatch (client, 64) > 0) {
        }
    }
    if (rc == 0) {
        assert_int_equal (cohort_ephemerals (client, &options, &left), 0);
        for (size_t i = 0; i < left->count; i++) {
            if (!is_mark_of_bad_item (left->items[i])) {
                fail_msg ("%s is left", left->items[i]);
            }
        }
        cohort_strings_destroy (&left);
    }
}

static void run (uint64_t seed)
{
    dice_state = seed * 977;
    bad_count = 0;
    surprising = true;
    hand = join ();
    (void) !cohort_create (hand, ROOT, NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = join ();
        for (size_t j = 0; j < RECIPES; j++) {
            slots[j][i] =
                (struct slot){.recipe = &recipes[j], .client = clients[i], .number = (int) i};
        }
    }
    for (int i = 0; i < TURNS; i++) {
        step ();
        if (dice (3) == 0) {
            interfere ();
        }
        if (dice (20) == 0) {
            break_something ();
        }
    }
    /* It is over. The others go; what the first one has, works on. */
    surprising = false;
    for (size_t i = 1; i < CLIENTS; i++) {
        for (size_t j = RECIPES; j-- > 0;) {
            end_slot (&slots[j][i]);
        }
        assert_nothing_left (clients[i]);
        leave (&clients[i]);
    }
    (void) !cohort_delete_tree (hand, ROOT, 0, COHORT_ANY_VERSION, NULL);
    assert_int_equal (cohort_create (hand, ROOT, NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    for (size_t j = 0; j < RECIPES; j++) {
        struct slot *slot = &slots[j][0];
        if (slot->self == NULL) {
            slot->recipe->make (slot);
        }
        assert_works (slot);
        if (j < 2) {
            /* The locks are in each other's way. */
            end_slot (slot);
        }
    }
    for (size_t j = RECIPES; j-- > 0;) {
        end_slot (&slots[j][0]);
    }
    assert_nothing_left (clients[0]);
    leave (&clients[0]);
    assert_int_equal (cohort_delete_tree (hand, ROOT, 0, COHORT_ANY_VERSION, NULL), 0);
    leave (&hand);
}

static void whatever_is_done_by_hand (void **state)
{
    (void) state;
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    uint64_t to = fixed == NULL ? SEEDS : from;
    for (uint64_t seed = from; seed <= to; seed++) {
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        run (seed);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (whatever_is_done_by_hand, begin_one, end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
