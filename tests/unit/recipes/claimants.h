/* Game servers that claim names, each with a client and a registration of its own; what they are
 * told is traced. */

#ifndef COHORT_TESTS_RECIPES_CLAIMANTS_H
#define COHORT_TESTS_RECIPES_CLAIMANTS_H

#include <stdio.h>

#include "cohort/claim.h"
#include "tests/unit/recipes/fixture.h"

#define USERS "/users"
#define ALICE "/users/alice"

struct claimant {
    char owner[32];
    cohort_t *client;
    cohort_claims_t *claims;
};

static inline void on_claim (cohort_claim_t *self, const cohort_claim_event_t *event, void *arg)
{
    fake_in_handler ();
    const char *name = arg;
    const cohort_claim_holder_t *holder = event->holder;
    assert_string_equal (event->name, cohort_claim_name (self));
    switch (event->kind) {
    case COHORT_CLAIM_GRANTED:
        assert_int_equal (event->token.czxid, fake_stat (cohort_claim_path (self))->czxid);
        assert_int_equal (event->token.czxid, cohort_claim_token (self).czxid);
        assert_true (cohort_claim_held (self));
        trace ("%s granted; ", name);
        break;
    case COHORT_CLAIM_WAITING:
        trace ("%s waits for %s; ", name, holder == NULL ? "others" : holder->owner);
        break;
    case COHORT_CLAIM_ASKED:
        assert_int_equal (event->token.czxid, cohort_claim_token (self).czxid);
        trace ("%s asked by %s %d; ", name, holder->owner, (int) event->grace_ms);
        break;
    case COHORT_CLAIM_REVOKED:
        assert_int_not_equal (event->token.czxid, 0);
        assert_int_equal (cohort_claim_token (self).czxid, 0);
        assert_false (cohort_claim_valid (self, 0));
        trace ("%s revoked %d; ", name, event->rc);
        break;
    case COHORT_CLAIM_FAILED:
        assert_int_equal (event->token.czxid, 0);
        trace ("%s failed %d%s%s; ", name, event->rc, holder == NULL ? "" : " ",
               holder == NULL ? "" : holder->owner);
        break;
    }
}

static inline struct claimant claimant_unregistered (const char *name)
{
    struct claimant self = {.client = fake_client ()};
    snprintf (self.owner, sizeof (self.owner), "/%s", name);
    self.claims = cohort_claims_new (self.client, USERS, self.owner);
    assert_non_null (self.claims);
    return self;
}

static inline struct claimant claimant (const char *name)
{
    struct claimant self = claimant_unregistered (name);
    fake_create (self.owner, "", cohort_session_id (self.client));
    fake_settle (self.client);
    return self;
}

static inline cohort_claim_t *claim_of (struct claimant *self, const char *name)
{
    cohort_claim_t *claim =
        cohort_claim_new (self->claims, name, self->owner, strlen (self->owner));
    assert_non_null (claim);
    cohort_claim_set_handler (claim, on_claim, self->owner + 1);
    return claim;
}

static inline void takes (cohort_claim_t *claim, cohort_claim_policy_t policy, int grace_ms)
{
    assert_int_equal (cohort_claim_take (claim, policy, grace_ms), 0);
}

static inline cohort_claim_t *alice_at (struct claimant *self, cohort_claim_policy_t policy)
{
    cohort_claim_t *claim = claim_of (self, "alice");
    takes (claim, policy, 500);
    fake_settle (self->client);
    return claim;
}

/* Everybody does what is to be done. */
static inline void settle_all (struct claimant *all, size_t count)
{
    for (size_t turn = 0; turn < 6; turn++) {
        for (size_t i = 0; i < count; i++) {
            fake_settle (all[i].client);
        }
    }
}

static inline void claimant_leaves (struct claimant *self)
{
    cohort_claims_destroy (&self->claims);
    fake_settle (self->client);
    assert_int_equal (fake_streams (self->client), 0);
}

/* The time of every request is over. */
static inline bool grace_is_over (void)
{
    char folder[128], ask[128];
    bool any = false;
    if (fake_first_child (USERS "/.asked", folder, sizeof (folder))) {
        while (fake_first_child (folder, ask, sizeof (ask))) {
            fake_delete (ask);
            any = true;
        }
        fake_delete (folder);
    }
    return any;
}

#endif
