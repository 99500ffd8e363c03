/* Claims: who has a name, who is refused, who waits, and who is made to yield. */

#include "tests/unit/recipes/claimants.h"

/* ---- One alone ------------------------------------------------------------------------------- */

static void a_free_name_takes_one_write_and_no_watch (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    fake_create (USERS, "", 0);
    cohort_claim_t *claim = claim_of (&a, "alice");
    size_t writes = fake_writes (), streams = fake_streams (a.client);
    takes (claim, COHORT_CLAIM_REJECT, 0);
    assert_int_equal (fake_requests (a.client), 1);
    fake_settle (a.client);
    assert_trace ("a granted; ");
    assert_int_equal (fake_writes () - writes, 1);
    assert_int_equal (fake_streams (a.client), streams);
    assert_int_equal (cohort_claims_count (a.claims), 1);
    assert_int_equal (cohort_claim_valid (claim, 100), 1);
    assert_int_equal (cohort_claim_valid (claim, 100000), 0);
    assert_int_equal (cohort_claim_take (claim, COHORT_CLAIM_WAIT, 0), COHORT_ESTATE);
    assert_non_null (strstr (fake_data (ALICE), "\nowner=/a\n"));
    assert_int_equal (fake_stat (ALICE)->ephemeral_owner, 0);
    assert_int_equal (cohort_claim_yield (claim), 0);
    assert_int_equal (cohort_claim_valid (claim, 0), 0);
    assert_int_equal (cohort_claim_yield (claim), COHORT_ESTATE);
    fake_settle (a.client);
    assert_null (fake_data (ALICE));
    assert_trace ("");
    /* Destroying yields, too. */
    takes (claim, COHORT_CLAIM_KICK, 0);
    fake_settle (a.client);
    assert_non_null (fake_data (ALICE));
    cohort_claim_destroy (&claim);
    fake_settle (a.client);
    assert_null (fake_data (ALICE));
    claimant_leaves (&a);
}

static void the_path_is_created_when_it_is_missing (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    cohort_claim_t *claim = alice_at (&a, COHORT_CLAIM_REJECT);
    assert_trace ("a granted; ");
    cohort_claim_destroy (&claim);
    claimant_leaves (&a);
}

static void a_claim_waits_for_its_owner_to_be_registered (void **state)
{
    (void) state;
    struct claimant a = claimant_unregistered ("a");
    cohort_claim_t *claim = alice_at (&a, COHORT_CLAIM_REJECT);
    assert_int_equal (cohort_claim_wait (claim, 0), COHORT_ETIMEDOUT);
    takes (claim, COHORT_CLAIM_REJECT, 0);
    fake_create ("/a", "", 77); /* a stranger's */
    fake_settle (a.client);
    assert_trace ("");
    fake_delete ("/a");
    fake_create ("/a", "", cohort_session_id (a.client));
    assert_int_equal (cohort_claim_wait (claim, -1), 0);
    assert_trace ("a granted; ");
    cohort_claim_destroy (&claim);
    claimant_leaves (&a);
}

/* ---- Two ------------------------------------------------------------------------------------- */

static void the_second_login_is_rejected (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_REJECT);
    assert_trace ("a granted; b failed -220 /a; ");
    assert_int_equal (cohort_claim_wait (second, -1), COHORT_EBUSY);
    assert_int_equal (fake_streams (all[1].client), 2);
    assert_int_equal (cohort_claim_yield (first), 0);
    settle_all (all, 2);
    takes (second, COHORT_CLAIM_REJECT, 0);
    assert_int_equal (cohort_claim_wait (second, -1), 0);
    assert_trace ("b granted; ");
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

static void those_that_wait_are_woken_one_by_one (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b"), claimant ("c"), claimant ("d")};
    cohort_claim_t *claims[4];
    for (int i = 0; i < 4; i++) {
        claims[i] = alice_at (&all[i], COHORT_CLAIM_WAIT);
    }
    assert_trace ("a granted; b waits for /a; c waits for others; d waits for others; ");
    for (int i = 0; i < 3; i++) {
        uint64_t token = cohort_claim_token (claims[i]).czxid;
        assert_int_equal (cohort_claim_yield (claims[i]), 0);
        fake_settle (all[i].client);
        for (int j = i + 2; j < 4; j++) {
            assert_int_equal (fake_callbacks (all[j].client), 0);
        }
        settle_all (all, 4);
        assert_true (cohort_claim_held (claims[i + 1]));
        assert_true (cohort_claim_token (claims[i + 1]).czxid > token);
    }
    assert_trace ("b granted; c granted; d granted; ");
    assert_int_equal (fake_count (USERS "/.waiting/alice/"), 0);
    for (int i = 0; i < 4; i++) {
        cohort_claim_destroy (&claims[i]);
        claimant_leaves (&all[i]);
    }
}

static void nobody_overtakes_those_that_wait (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b"), claimant ("c"), claimant ("d")};
    cohort_claim_t *a = alice_at (&all[0], COHORT_CLAIM_WAIT);
    cohort_claim_t *b = alice_at (&all[1], COHORT_CLAIM_WAIT);
    assert_int_equal (cohort_claim_yield (a), 0);
    fake_settle (all[0].client);
    /* It is free, and b has not heard of it. */
    cohort_claim_t *c = alice_at (&all[2], COHORT_CLAIM_WAIT);
    cohort_claim_t *d = alice_at (&all[3], COHORT_CLAIM_REJECT);
    assert_trace ("a granted; b waits for /a; c waits for others; d failed -220; ");
    settle_all (all, 4);
    assert_trace ("b granted; ");
    /* Who withdraws leaves nothing. */
    cohort_claim_destroy (&c);
    settle_all (all, 4);
    assert_int_equal (fake_count (USERS "/.waiting/alice/"), 0);
    cohort_claim_t *claims[] = {a, b, d};
    for (int i = 0; i < 3; i++) {
        cohort_claim_destroy (&claims[i]);
    }
    for (int i = 0; i < 4; i++) {
        claimant_leaves (&all[i]);
    }
}

/* ---- A second login that kicks --------------------------------------------------------------- */

static void who_is_asked_saves_and_yields (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    fake_create ("/saves", "", 0);
    fake_create ("/saves/alice", "", 0);
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_KICK);
    fake_settle (all[0].client);
    assert_trace ("a granted; b waits for /a; a asked by /b 500; ");
    assert_true (cohort_claim_valid (first, 0));
    /* Saved before it yields: in order, in one session. */
    cohort_txn_t *save = cohort_txn_new (), *late = cohort_txn_new ();
    assert_int_equal (cohort_claim_guard (first, save), 0);
    assert_int_equal (cohort_claim_guard (first, late), 0);
    cohort_txn_set (save, "/saves/alice", "level 7", 7, COHORT_ANY_VERSION);
    cohort_txn_set (late, "/saves/alice", "level 6", 7, COHORT_ANY_VERSION);
    assert_int_equal (cohort_multi_async (all[0].client, save, NULL, NULL), 0);
    assert_int_equal (cohort_claim_yield (first), 0);
    assert_int_equal (cohort_multi_async (all[0].client, late, NULL, NULL), 0);
    settle_all (all, 2);
    assert_trace ("b granted; ");
    assert_string_equal (fake_data ("/saves/alice"), "level 7");
    assert_int_equal (cohort_claim_guard (first, late), COHORT_ESTATE);
    cohort_txn_destroy (&save);
    cohort_txn_destroy (&late);
    /* Nothing is left of the request. */
    assert_false (grace_is_over ());
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

static void who_does_not_yield_in_time_loses_it (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_KICK);
    settle_all (all, 2);
    assert_trace ("a granted; b waits for /a; a asked by /b 500; ");
    uint64_t token = cohort_claim_token (first).czxid;
    assert_true (grace_is_over ());
    /* He hears of it before he does anything about it, or after. */
    fake_settle (all[1].client);
    assert_trace ("b granted; ");
    assert_true (cohort_claim_token (second).czxid > token);
    settle_all (all, 2);
    assert_trace ("a revoked -211; ");
    assert_int_equal (cohort_claims_count (all[0].claims), 0);
    assert_int_equal (fake_stat (ALICE)->czxid, cohort_claim_token (second).czxid);
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

static void who_was_asked_by_one_that_has_died_gives_it_up (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_KICK);
    settle_all (all, 2);
    cohort_claim_destroy (&second);
    settle_all (all, 2);
    assert_true (grace_is_over ());
    settle_all (all, 2);
    assert_trace ("a granted; b waits for /a; a asked by /b 500; a revoked -211; ");
    assert_null (fake_data (ALICE));
    cohort_claim_destroy (&first);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

static void several_that_kick_have_it_one_after_the_other (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b"), claimant ("c"), claimant ("d")};
    cohort_claim_t *a = alice_at (&all[0], COHORT_CLAIM_WAIT);
    cohort_claim_t *d = alice_at (&all[3], COHORT_CLAIM_WAIT);
    cohort_claim_t *b = alice_at (&all[1], COHORT_CLAIM_KICK);
    cohort_claim_t *c = alice_at (&all[2], COHORT_CLAIM_KICK);
    settle_all (all, 4);
    assert_trace ("a granted; d waits for /a; b waits for /a; c waits for /a; a asked by /b 500; ");
    assert_true (grace_is_over ());
    for (int turn = 0; turn < 6; turn++) {
        fake_settle (all[1].client);
        fake_settle (all[2].client);
    }
    assert_trace ("b granted; b asked by /c 500; ");
    assert_int_equal (cohort_claim_yield (b), 0);
    for (int turn = 0; turn < 6; turn++) {
        fake_settle (all[1].client);
        fake_settle (all[2].client);
    }
    assert_trace ("c granted; ");
    settle_all (all, 4);
    assert_trace ("a revoked -211; ");
    assert_int_equal (cohort_claim_yield (c), 0);
    settle_all (all, 4);
    assert_trace ("d granted; ");
    cohort_claim_t *claims[] = {a, b, c, d};
    for (int i = 0; i < 4; i++) {
        cohort_claim_destroy (&claims[i]);
        claimant_leaves (&all[i]);
    }
}

static void a_grace_of_nothing_takes_it_at_once (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    cohort_claim_t *second = claim_of (&all[1], "alice");
    takes (second, COHORT_CLAIM_KICK, 0);
    fake_settle (all[1].client);
    assert_true (grace_is_over ());
    settle_all (all, 2);
    assert_trace ("a granted; b waits for /a; a asked by /b 0; a revoked -211; b granted; ");
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

static void two_claims_of_one_owner_exclude_each_other (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    cohort_claim_t *first = alice_at (&a, COHORT_CLAIM_REJECT);
    cohort_claim_t *second = alice_at (&a, COHORT_CLAIM_REJECT);
    assert_trace ("a granted; a failed -220 /a; ");
    takes (second, COHORT_CLAIM_KICK, 10);
    fake_settle (a.client);
    assert_trace ("a waits for /a; a asked by /a 10; ");
    assert_int_equal (cohort_claim_yield (first), 0);
    fake_settle (a.client);
    assert_trace ("a granted; ");
    takes (first, COHORT_CLAIM_KICK, 10);
    fake_settle (a.client);
    assert_true (grace_is_over ());
    fake_settle (a.client);
    assert_trace ("a waits for /a; a asked by /a 10; a revoked -211; a granted; ");
    assert_true (cohort_claim_held (first));
    assert_int_equal (cohort_claims_count (a.claims), 1);
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&a);
}

/* ---- Death ----------------------------------------------------------------------------------- */

#define PLAYERS 20

static void a_dead_owner_frees_all_at_once_by_one_delete (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *claims[PLAYERS];
    for (int i = 0; i < PLAYERS; i++) {
        char name[16];
        snprintf (name, sizeof (name), "p%d", i);
        claims[i] = claim_of (&all[0], name);
        takes (claims[i], COHORT_CLAIM_REJECT, 0);
    }
    cohort_claim_t *alice = alice_at (&all[0], COHORT_CLAIM_REJECT);
    cohort_claim_t *waits = alice_at (&all[1], COHORT_CLAIM_WAIT);
    assert_int_equal (cohort_claims_count (all[0].claims), PLAYERS + 1);
    trace_text[0] = 0;
    fake_expire (all[0].client, false, true); /* which deletes /a alone */
    fake_settle (all[1].client);
    assert_trace ("b granted; ");
    cohort_claim_t *other = claim_of (&all[1], "p7");
    takes (other, COHORT_CLAIM_REJECT, 0);
    fake_settle (all[1].client);
    assert_trace ("b granted; ");
    /* The dead one hears of each, once. */
    fake_settle (all[0].client);
    for (int i = 0; i < PLAYERS; i++) {
        assert_false (cohort_claim_held (claims[i]));
        cohort_claim_destroy (&claims[i]);
    }
    assert_int_equal (cohort_claims_count (all[0].claims), 0);
    cohort_claim_destroy (&alice);
    cohort_claim_destroy (&waits);
    cohort_claim_destroy (&other);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

static void an_owner_that_is_registered_anew_is_another (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    fake_expire (all[0].client, false, true);
    fake_settle (all[0].client);
    assert_trace ("a granted; a revoked -112; ");
    takes (first, COHORT_CLAIM_REJECT, 0);
    fake_create ("/a", "", cohort_session_id (all[0].client));
    /* b sees a claim of the earlier /a, and a znode /a. */
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_REJECT);
    assert_trace ("b granted; ");
    fake_settle (all[0].client);
    assert_trace ("a failed -220 /b; ");
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

static void an_owner_that_lost_its_znode_has_no_claims (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_WAIT);
    trace_text[0] = 0;
    fake_delete ("/a");
    fake_settle (all[1].client);
    fake_settle (all[0].client);
    assert_trace ("b granted; a revoked -101; ");
    cohort_claim_destroy (&second);
    settle_all (all, 2);
    takes (first, COHORT_CLAIM_REJECT, 0);
    fake_create ("/a", "", cohort_session_id (all[0].client));
    fake_settle (all[0].client);
    assert_trace ("a granted; ");
    /* Handed over to another session: that one's process has the claims, this one does not. */
    fake_hand_over (cohort_session_id (all[0].client), cohort_session_id (all[1].client));
    fake_settle (all[0].client);
    assert_trace ("a revoked -101; ");
    cohort_claim_destroy (&first);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

static void an_owner_that_crashed_and_has_its_session_takes_its_claims_again (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    uint64_t token = cohort_claim_token (first).czxid;
    /* The process is gone, its znode is not; another one goes on with the session. */
    cohort_claims_destroy (&all[0].claims);
    cohort_claim_destroy (&first);
    fake_settle (all[0].client);
    assert_non_null (fake_data (ALICE));
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_REJECT);
    assert_trace ("a granted; b failed -220 /a; ");
    all[0].claims = cohort_claims_new (all[0].client, USERS, "/a");
    first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    assert_trace ("a granted; ");
    assert_true (cohort_claim_token (first).czxid > token);
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (a_free_name_takes_one_write_and_no_watch),
        TEST (the_path_is_created_when_it_is_missing),
        TEST (a_claim_waits_for_its_owner_to_be_registered),
        TEST (the_second_login_is_rejected),
        TEST (those_that_wait_are_woken_one_by_one),
        TEST (nobody_overtakes_those_that_wait),
        TEST (who_is_asked_saves_and_yields),
        TEST (who_does_not_yield_in_time_loses_it),
        TEST (who_was_asked_by_one_that_has_died_gives_it_up),
        TEST (several_that_kick_have_it_one_after_the_other),
        TEST (a_grace_of_nothing_takes_it_at_once),
        TEST (two_claims_of_one_owner_exclude_each_other),
        TEST (a_dead_owner_frees_all_at_once_by_one_delete),
        TEST (an_owner_that_is_registered_anew_is_another),
        TEST (an_owner_that_lost_its_znode_has_no_claims),
        TEST (an_owner_that_crashed_and_has_its_session_takes_its_claims_again),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
