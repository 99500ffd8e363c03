/* Claims, configurations, groups, partitioners and pools when memory runs out at any allocation; as
 * test_memory.c. */

#include <stdio.h>
#include <string.h>

#include "cohort/claim.h"
#include "cohort/config.h"
#include "cohort/group.h"
#include "cohort/partitioner.h"
#include "cohort/pool.h"
#include "tests/unit/recipes/failing.h"
#include "tests/unit/recipes/fake.h"
#include "tests/unit/unit.h"

static cohort_claims_t *claims_new (cohort_t *client, const char *owner)
{
    cohort_claims_t *self = cohort_claims_new (client, "/u", owner);
    self = self != NULL ? self : cohort_claims_new (client, "/u", owner);
    assert_non_null (self);
    return self;
}

/* Held, after a failure at the second try. */
static void claim_take (cohort_t *client, cohort_claim_t *claim, cohort_claim_policy_t policy)
{
    for (int i = 0; i < 2 && !cohort_claim_held (claim); i++) {
        int rc = cohort_claim_take (claim, policy, 5);
        assert_true (rc == 0 || rc == COHORT_ENOMEM || rc == COHORT_ESTATE);
        fake_settle (client);
    }
}

static cohort_claim_t *claim_new (cohort_claims_t *claims)
{
    cohort_claim_t *self = cohort_claim_new (claims, "x", "data", 4);
    self = self != NULL ? self : cohort_claim_new (claims, "x", "data", 4);
    assert_non_null (self);
    return self;
}

static void grace_is_over (cohort_claim_t *holder)
{
    char path[96];
    snprintf (path, sizeof (path), "/u/.asked/%016llx/%016llx",
              (unsigned long long) fake_stat ("/1")->czxid,
              (unsigned long long) cohort_claim_token (holder).czxid);
    if (cohort_claim_held (holder) && fake_data (path) != NULL) {
        fake_delete (path);
    }
}

static void claim_life (cohort_t *client)
{
    /* Two owners with one session. */
    fake_create ("/1", "", cohort_session_id (client));
    fake_create ("/2", "", cohort_session_id (client));
    cohort_claims_t *one = claims_new (client, "/1"), *two = claims_new (client, "/2");
    fake_settle (client);
    cohort_claim_t *first = claim_new (one), *second = claim_new (two);
    claim_take (client, first, COHORT_CLAIM_REJECT);
    assert_true (cohort_claim_held (first));
    claim_take (client, second, COHORT_CLAIM_WAIT);
    assert_int_equal (cohort_claim_yield (first), 0);
    fake_settle (client);
    claim_take (client, second, COHORT_CLAIM_WAIT);
    assert_true (cohort_claim_held (second));
    assert_int_equal (cohort_claim_yield (second), 0);
    fake_settle (client);
    claim_take (client, first, COHORT_CLAIM_WAIT);
    assert_true (cohort_claim_held (first));
    for (int i = 0; i < 3 && !cohort_claim_held (second); i++) {
        claim_take (client, second, COHORT_CLAIM_KICK);
        grace_is_over (first);
        fake_settle (client);
    }
    assert_true (cohort_claim_held (second));
    assert_false (cohort_claim_held (first));
    if (cohort_claims_verify (two) != 0) {
        assert_int_equal (cohort_claims_verify (two), 0);
    }
    fake_settle (client);
    fake_delete ("/2");
    fake_settle (client);
    assert_false (cohort_claim_held (second));
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    cohort_claims_destroy (&one);
    cohort_claims_destroy (&two);
    fake_settle (client);
    assert_int_equal (fake_count ("/u/.waiting/x/"), 0);
}

static cohort_pool_t *pool_new (cohort_t *client)
{
    const cohort_pool_options_t options = {.size = sizeof (options),
                                           .roles = COHORT_POOL_MASTER | COHORT_POOL_WORKER,
                                           .worker = "w",
                                           .attempts_max = 3};
    cohort_pool_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_pool_new (client, "/p", &options);
        fake_settle (client);
    }
    assert_non_null (self);
    return self;
}

static void go_on (cohort_t *client, cohort_pool_t *self)
{
    for (int i = 0; i < 2; i++) {
        (void) cohort_pool_retry (self);
        fake_settle (client);
    }
}

static void pool_life (cohort_t *client)
{
    cohort_pool_t *self = pool_new (client);
    go_on (client, self);
    for (int i = 0; i < 2 && fake_data ("/p/assign/w/t") == NULL; i++) {
        int rc = cohort_pool_submit (self, "t", "data", 4, -1);
        assert_true (rc == 0 || rc == COHORT_ENOMEM);
        go_on (client, self);
    }
    fake_delete ("/p/workers/w");
    fake_settle (client);
    go_on (client, self);
    assert_non_null (fake_data ("/p/assign/w/t"));
    for (int i = 0; i < 4 && fake_data ("/p/status/t") == NULL; i++) {
        for (int attempt = 1; attempt <= 3; attempt++) {
            (void) !cohort_pool_done (self, "t", attempt, "ok", 2, -1);
        }
        /* A task that there was no memory to be told of: with the next change. */
        fake_set ("/p/assign/w", "");
        fake_settle (client);
        go_on (client, self);
    }
    void *result = NULL;
    size_t size = 0;
    if (cohort_pool_result (self, "t", -1, &result, &size, NULL) != 0) {
        assert_int_equal (cohort_pool_result (self, "t", -1, &result, &size, NULL), 0);
    }
    assert_string_equal (result, "ok");
    free (result);
    cohort_pool_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/p/workers/w"));
}

static void group_life (cohort_t *client)
{
    cohort_group_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_group_new (client, "/g", "me", "1", 1);
        fake_settle (client);
    }
    assert_non_null (self);
    for (int i = 0; i < 2 && cohort_group_wait (self, 0) != 0; i++) {
        assert_int_equal (cohort_group_retry (self), 0);
        fake_settle (client);
    }
    assert_int_equal (cohort_group_wait (self, -1), 0);
    if (cohort_group_update (self, "2", 1) != 0) {
        assert_int_equal (cohort_group_update (self, "2", 1), 0);
    }
    fake_settle (client);
    if (cohort_group_wait (self, 0) != 0) {
        assert_int_equal (cohort_group_retry (self), 0);
        assert_int_equal (cohort_group_wait (self, -1), 0);
    }
    fake_settle (client);
    assert_string_equal (fake_data ("/g/me"), "2");
    assert_int_equal (cohort_group_count (self), 1);
    cohort_group_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/g/me"));
}

static void on_changes (cohort_config_t *self, const cohort_config_changes_t *changes, void *arg)
{
    fake_in_handler ();
    char *seen = arg;
    (void) self;
    if (changes->whole) {
        seen[0] = 0;
    }
    for (size_t i = 0; i < changes->count; i++) {
        if (strcmp (changes->items[i].key, "db/pool") == 0) {
            snprintf (seen, 8, "%s", (const char *) changes->items[i].now.data);
        }
    }
}

static int config_write (cohort_config_t *self, const char *host)
{
    cohort_config_update_t *update = cohort_config_update_new (self);
    int rc = update == NULL ? COHORT_ENOMEM : 0;
    rc = rc == 0
             ? cohort_config_update_set (update, "db/host", host, strlen (host), COHORT_CONFIG_ANY)
             : rc;
    rc = rc == 0 ? cohort_config_update_set (update, "db/pool", "8", 1, COHORT_CONFIG_ANY) : rc;
    rc = rc == 0 ? cohort_config_commit (update, -1) : rc;
    cohort_config_update_destroy (&update);
    return rc;
}

static void config_settle (cohort_t *client, cohort_config_t *self)
{
    fake_settle (client);
    for (int i = 0; i < 2 && cohort_config_wait (self, 0) != 0; i++) {
        assert_int_equal (cohort_config_retry (self), 0);
        fake_settle (client);
    }
    assert_int_equal (cohort_config_wait (self, -1), 0);
    /* For callbacks that could not be called. */
    if (cohort_config_retry (self) != 0) {
        assert_int_equal (cohort_config_retry (self), 0);
    }
    fake_settle (client);
}

static void config_life (cohort_t *client)
{
    char seen[8] = "";
    cohort_config_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_config_new (client, "/c");
    }
    assert_non_null (self);
    if (cohort_config_expect_text (self, "db/host", 9) != 0) {
        assert_int_equal (cohort_config_expect_text (self, "db/host", 9), 0);
    }
    if (cohort_config_watch_prefix (self, "", on_changes, seen) != 0) {
        assert_int_equal (cohort_config_watch_prefix (self, "", on_changes, seen), 0);
    }
    config_settle (client, self);
    const char *host = NULL;
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? "a" : "b";
        int rc = config_write (self, name);
        assert_true (rc == 0 || rc == COHORT_ENOMEM);
        if (rc != 0) {
            assert_true (fake_data ("/c/db/host") == NULL || i > 0); /* all or nothing */
            assert_int_equal (config_write (self, name), 0);
        }
        config_settle (client, self);
        assert_string_equal (seen, "8");
        if (cohort_config_text (self, "db/host", &host) != 0) {
            assert_int_equal (cohort_config_text (self, "db/host", &host), 0);
        }
        assert_string_equal (host, name);
    }
    fake_set ("/c/db/pool", "9");
    config_settle (client, self);
    assert_string_equal (seen, "9");
    if (cohort_config_watch (self, "db/pool", on_changes, seen) != 0) {
        assert_int_equal (cohort_config_watch (self, "db/pool", on_changes, seen), 0);
    }
    seen[0] = 0;
    config_settle (client, self);
    assert_string_equal (seen, "9");
    cohort_config_destroy (&self);
    fake_settle (client);
}

/* Two members with one session share three partitions; one leaves. */
static void partitioner_life (cohort_t *client)
{
    const char *const names[] = {"a", "b"};
    cohort_partitioner_t *all[2] = {NULL, NULL};
    const cohort_partitioner_options_t options = {.size = sizeof (options), .grace_ms = 1};
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < 2 && all[i] == NULL; n++) {
            all[i] = cohort_partitioner_new (client, "/p", names[i], 3, &options);
            fake_settle (client);
        }
        assert_non_null (all[i]);
        for (int n = 0; n < 3; n++) {
            for (int k = 0; k <= i; k++) {
                /* Also what a failure has made of the other one. */
                assert_true (cohort_partitioner_wait (all[k], 0) != COHORT_ESESSIONEXPIRED);
                int rc = cohort_partitioner_retry (all[k]);
                assert_true (rc == 0 || rc == COHORT_ENOMEM);
                fake_settle (client);
                fake_now_ms += 100;
                fake_settle (client);
            }
        }
    }
    for (int n = 0; n < 3; n++) {
        assert_true (cohort_partitioner_owns (all[0], n) != cohort_partitioner_owns (all[1], n));
    }
    cohort_partitioner_destroy (&all[0]);
    for (int n = 0; n < 3; n++) {
        fake_settle (client);
        (void) cohort_partitioner_retry (all[1]);
    }
    fake_settle (client);
    assert_true (cohort_partitioner_count (all[1]) >= 2);
    cohort_partitioner_destroy (&all[1]);
    fake_settle (client);
}

static bool run (void (*life) (cohort_t *client), long allocation)
{
    fake_reset ();
    cohort_t *client = fake_client ();
    countdown = allocation;
    failures = 1;
    life (client);
    bool reached = countdown < 0;
    countdown = -1;
    fake_reset ();
    return reached;
}

static void every_allocation_fails_once (void **state)
{
    (void) state;
    void (*const lives[]) (cohort_t *) = {claim_life, pool_life, group_life, config_life,
                                          partitioner_life};
    for (size_t i = 0; i < sizeof (lives) / sizeof (lives[0]); i++) {
        long allocation = 0;
        while (run (lives[i], allocation)) {
            allocation++;
        }
        print_message ("life %zu: %ld allocations\n", i, allocation);
        assert_true (allocation > 3);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (every_allocation_fails_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
