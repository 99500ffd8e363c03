/* Claims: bad input, answers that overtake events, calls that fail, and objects that are destroyed
 * at every moment there is. */

#include "tests/unit/recipes/claimants.h"

#define STEPS 24

/* The first so many requests are carried out. */
static void flush_steps (cohort_t *client, int count)
{
    for (int i = 0; i < count; i++) {
        if (!fake_flush_one (client) && cohort_dispatch (client, 1) == 0) {
            return;
        }
    }
}

static const cohort_claim_policy_t policies[] = {COHORT_CLAIM_REJECT, COHORT_CLAIM_WAIT,
                                                 COHORT_CLAIM_KICK};

/* ---- Bad input ------------------------------------------------------------------------------- */

static void arguments_are_checked (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    const char *const bad[] = {"", "a/b", ".waiting", ".asked", "two\nlines"};
    for (size_t i = 0; i < sizeof (bad) / sizeof (bad[0]); i++) {
        assert_null (cohort_claim_new (a.claims, bad[i], NULL, 0));
    }
    assert_null (cohort_claim_new (a.claims, "a", NULL, 1));
    assert_null (cohort_claim_new (NULL, "a", NULL, 0));
    assert_null (cohort_claims_new (a.client, "/users/", "/a"));
    assert_null (cohort_claims_new (a.client, "/users", "a"));
    assert_null (cohort_claims_new (a.client, NULL, "/a"));
    cohort_claim_t *claim = claim_of (&a, "alice");
    assert_int_equal (cohort_claim_take (claim, (cohort_claim_policy_t) 3, 0), COHORT_EINVAL);
    assert_int_equal (cohort_claim_take (claim, COHORT_CLAIM_KICK, -1), COHORT_EINVAL);
    assert_int_equal (cohort_claim_wait (claim, -1), COHORT_ESTATE);
    assert_string_equal (cohort_claim_path (claim), ALICE);
    cohort_claim_destroy (&claim);
    cohort_claim_destroy (&claim);
    claimant_leaves (&a);
}

static void what_is_no_claim_is_never_touched (void **state)
{
    (void) state;
    static const char *const foreign[] = {"",
                                          "something else",
                                          "claim=1\n",
                                          "claim=1\nowner=/a\n\n",
                                          "claim=1\nowner=/a\nczxid=-1\n\n",
                                          "claim=1\nowner=a\nczxid=3\n\n",
                                          "claim=1\nczxid=3\n",
                                          "claim=1\nowner=/a\nczxid=99999999999999999999\n\n",
                                          "claim=1\nowner=/a\nname=alice\n\n"};
    struct claimant a = claimant ("a");
    fake_create (USERS, "", 0);
    fake_create (ALICE, "", 0);
    fake_create (ALICE "/child", "", 0);
    for (size_t i = 0; i < sizeof (foreign) / sizeof (foreign[0]); i++) {
        for (size_t j = 0; j < 3; j++) {
            fake_set (ALICE, foreign[i]);
            cohort_claim_t *claim = alice_at (&a, policies[j]);
            assert_trace ("a failed -110; ");
            cohort_claim_destroy (&claim);
            fake_settle (a.client);
            assert_string_equal (fake_data (ALICE), foreign[i]);
        }
    }
    claimant_leaves (&a);
}

/* An owner may be named that never was; a claim of it is dead. */
static void a_claim_of_an_owner_that_never_was_is_taken_over (void **state)
{
    (void) state;
    for (size_t i = 0; i < 3; i++) {
        (void) fake_start (NULL);
        struct claimant a = claimant ("a");
        fake_create (USERS, "", 0);
        fake_create (ALICE, "claim=1\nowner=/nobody\nczxid=3\n\n", 0);
        cohort_claim_t *claim = alice_at (&a, policies[i]);
        assert_trace ("a granted; ");
        cohort_claim_destroy (&claim);
        claimant_leaves (&a);
    }
}

static void a_claim_that_is_deleted_by_hand_guards_nothing (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    cohort_txn_t *late = cohort_txn_new ();
    assert_int_equal (cohort_claim_guard (first, late), 0);
    cohort_txn_create (late, "/late", "", 0, COHORT_PERSISTENT, NULL);
    fake_delete (ALICE);
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_REJECT);
    assert_trace ("a granted; b granted; ");
    assert_int_equal (cohort_multi_async (all[0].client, late, NULL, NULL), 0);
    cohort_txn_destroy (&late);
    fake_settle (all[0].client);
    assert_null (fake_data ("/late"));
    settle_all (all, 2);
    assert_trace ("a revoked -211; ");
    fake_delete (ALICE);
    settle_all (all, 2);
    assert_trace ("b revoked -101; ");
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

/* Whatever is done to it, its holder hears of the end and of nothing else; also of what has
 * happened while it was cut off, and when its stream of events has been taken from the beginning.
 */
static void a_claim_that_is_deleted_by_hand_is_told_to_its_holder (void **state)
{
    (void) state;
    for (int cut_off = 0; cut_off < 3; cut_off++) {
        (void) fake_start (NULL);
        struct claimant a = claimant ("a");
        cohort_claim_t *claim = alice_at (&a, COHORT_CLAIM_REJECT);
        for (int i = 0; i < 3; i++) {
            fake_set (ALICE, "not what it was");
            fake_settle (a.client);
        }
        assert_trace ("a granted; ");
        assert_true (cohort_claim_valid (claim, 0));
        if (cut_off > 0) {
            fake_suspend (a.client);
        }
        fake_delete (ALICE);
        if (cut_off > 0) {
            fake_resume (a.client, cut_off == 2);
        }
        fake_settle (a.client);
        assert_trace ("a revoked -101; ");
        assert_int_equal (cohort_claims_count (a.claims), 0);
        /* It can be taken anew. */
        takes (claim, COHORT_CLAIM_REJECT, 0);
        fake_settle (a.client);
        assert_trace ("a granted; ");
        cohort_claim_destroy (&claim);
        claimant_leaves (&a);
    }
}

/* It goes between the grant and the look that follows it, and between an event and the next look.
 */
static void a_claim_that_is_deleted_before_it_is_watched (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    fake_create (USERS, "", 0);
    cohort_claim_t *claim = claim_of (&a, "alice");
    takes (claim, COHORT_CLAIM_REJECT, 0);
    assert_true (fake_flush_one (a.client));
    assert_int_equal (cohort_dispatch (a.client, 0), 1);
    fake_delete (ALICE);
    fake_settle (a.client);
    assert_trace ("a granted; a revoked -101; ");
    takes (claim, COHORT_CLAIM_REJECT, 0);
    fake_settle (a.client);
    fake_set (ALICE, "once");
    assert_int_equal (cohort_dispatch (a.client, 0), 1);
    fake_begin ();
    fake_delete (ALICE);
    fake_create (ALICE, "another's", 0);
    fake_commit ();
    fake_settle (a.client);
    assert_trace ("a granted; a revoked -211; ");
    cohort_claim_destroy (&claim);
    claimant_leaves (&a);
}

/* Nobody would hear of the end of a claim that cannot be watched: it is given back. */
static void a_claim_that_cannot_be_watched_is_not_held (void **state)
{
    (void) state;
    for (int how = 0; how < 3; how++) {
        (void) fake_start (NULL);
        struct claimant a = claimant ("a");
        fake_create (USERS, "", 0);
        cohort_claim_t *claim = claim_of (&a, "alice");
        takes (claim, COHORT_CLAIM_REJECT, 0);
        fake_flush (a.client);
        if (how == 0) {
            fake_fail_call (a.client, COHORT_ELIMIT);
            fake_settle (a.client);
            assert_trace ("a failed -214; ");
        } else {
            (void) cohort_dispatch (a.client, 0);
            if (how == 1) {
                fake_fail_request (a.client, COHORT_ELIMIT);
            } else {
                fake_settle (a.client);
                fake_set (ALICE, "");
                fake_fail_call (a.client, COHORT_ELIMIT);
            }
            fake_settle (a.client);
            assert_trace ("a granted; a revoked -214; ");
        }
        fake_settle (a.client);
        assert_null (fake_data (ALICE));
        cohort_claim_destroy (&claim);
        claimant_leaves (&a);
    }
}

static void requests_that_cannot_be_read (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    cohort_claim_t *claim = alice_at (&a, COHORT_CLAIM_REJECT);
    char folder[80], ask[160];
    fake_create (USERS "/.asked", "", 0);
    snprintf (folder, sizeof (folder), USERS "/.asked/%016llx",
              (unsigned long long) fake_stat ("/a")->czxid);
    fake_create (folder, "", 0);
    snprintf (ask, sizeof (ask), "%s/nonsense", folder);
    fake_create (ask, "", 0);
    fake_delete (ask);
    snprintf (ask, sizeof (ask), "%s/%016llx", folder,
              (unsigned long long) cohort_claim_token (claim).czxid);
    fake_create (ask, "nonsense", 0);
    fake_settle (a.client);
    assert_trace ("a granted; ");
    /* But it is taken when the time of it is over. */
    fake_delete (ask);
    fake_settle (a.client);
    assert_trace ("a revoked -211; ");
    cohort_claim_destroy (&claim);
    claimant_leaves (&a);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void who_was_away_hears_of_it (void **state)
{
    (void) state;
    for (int resnapshot = 0; resnapshot < 2; resnapshot++) {
        for (int while_away = 0; while_away < 3; while_away++) {
            (void) fake_start (NULL);
            struct claimant all[] = {claimant ("a"), claimant ("b")};
            cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
            cohort_claim_t *other = claim_of (&all[0], "bob");
            takes (other, COHORT_CLAIM_REJECT, 0);
            fake_settle (all[0].client);
            cohort_claim_t *second;
            if (while_away < 2) {
                fake_suspend (all[0].client);
            }
            second = alice_at (&all[1], COHORT_CLAIM_KICK);
            fake_settle (all[1].client);
            if (while_away == 2) {
                fake_settle (all[0].client);
                fake_suspend (all[0].client);
            }
            if (while_away > 0) {
                assert_true (grace_is_over ());
                fake_settle (all[1].client);
            }
            trace_text[0] = 0;
            fake_resume (all[0].client, resnapshot != 0);
            fake_settle (all[0].client);
            if (while_away == 0) {
                assert_trace ("a asked by /b 500; ");
            } else if (while_away == 1 && resnapshot == 0) {
                assert_trace ("a asked by /b 500; a revoked -211; ");
            } else {
                assert_trace ("a revoked -211; ");
            }
            assert_true (cohort_claim_held (other));
            cohort_claim_destroy (&first);
            cohort_claim_destroy (&second);
            cohort_claim_destroy (&other);
            claimant_leaves (&all[0]);
            claimant_leaves (&all[1]);
        }
    }
}

static void answers_and_events_overtake_each_other (void **state)
{
    (void) state;
    for (int order = FAKE_AS_IT_HAPPENED; order <= FAKE_BATCHES_FIRST; order++) {
        for (int fragment = 0; fragment < 2; fragment++) {
            (void) fake_start (NULL);
            struct claimant all[] = {claimant ("a"), claimant ("b"), claimant ("c")};
            fake_create (USERS, "", 0);
            for (int i = 0; i < 3; i++) {
                fake_set_order (all[i].client, (enum fake_order) order);
                fake_fragment (all[i].client, (size_t) fragment);
            }
            cohort_claim_t *a = claim_of (&all[0], "alice");
            takes (a, COHORT_CLAIM_REJECT, 0);
            fake_flush (all[0].client);
            /* Asked, and its time is over, before it knows that it has it. */
            cohort_claim_t *b = alice_at (&all[1], COHORT_CLAIM_KICK);
            cohort_claim_t *c = alice_at (&all[2], COHORT_CLAIM_WAIT);
            assert_true (grace_is_over ());
            settle_all (all, 3);
            assert_true (cohort_claim_held (b));
            assert_false (cohort_claim_held (a));
            fake_delete ("/b");
            settle_all (all, 3);
            assert_true (cohort_claim_held (c));
            assert_false (cohort_claim_held (b));
            cohort_claim_t *claims[] = {a, b, c};
            for (int i = 0; i < 3; i++) {
                cohort_claim_destroy (&claims[i]);
                claimant_leaves (&all[i]);
            }
        }
    }
}

static void a_session_that_is_refused_is_not_renewed_again (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    cohort_claim_t *claim = alice_at (&a, COHORT_CLAIM_REJECT);
    cohort_claim_t *other = claim_of (&a, "bob");
    fake_delete ("/a");
    fake_settle (a.client);
    takes (other, COHORT_CLAIM_WAIT, 0); /* when the owner is registered */
    fake_expire (a.client, false, true);
    fake_refuse_session (a.client);
    fake_settle (a.client);
    assert_trace ("a granted; a revoked -101; a failed -112; ");
    takes (claim, COHORT_CLAIM_REJECT, 0);
    fake_settle (a.client);
    fake_create ("/a", "", cohort_session_id (a.client));
    fake_settle (a.client);
    assert_trace ("a granted; ");
    cohort_claim_destroy (&claim);
    cohort_claim_destroy (&other);
    claimant_leaves (&a);
}

static void streams_that_end_are_reported (void **state)
{
    (void) state;
    struct claimant all[] = {claimant ("a"), claimant ("b")};
    cohort_claim_t *first = alice_at (&all[0], COHORT_CLAIM_REJECT);
    cohort_claim_t *second = alice_at (&all[1], COHORT_CLAIM_WAIT);
    trace_text[0] = 0;
    fake_end_streams (all[0].client, COHORT_ELIMIT);
    fake_settle (all[0].client);
    assert_trace ("a revoked -214; ");
    fake_end_streams (all[1].client, COHORT_ELIMIT);
    fake_settle (all[1].client);
    assert_trace ("b failed -214; ");
    for (int i = 0; i < 2; i++) {
        takes (i == 0 ? first : second, COHORT_CLAIM_WAIT, 0);
        fake_settle (all[i].client);
    }
    assert_trace ("a granted; b waits for /a; ");
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    claimant_leaves (&all[0]);
    claimant_leaves (&all[1]);
}

/* ---- What fails, and what is destroyed, at each step ------------------------------------------
 */

/* Another one has it, and others wait for it, or not. */
struct scene {
    struct claimant all[3];
    cohort_claim_t *holder, *waiter, *claim;
};

static struct scene scene;

static void scene_begin (size_t policy, bool waiter)
{
    (void) fake_start (NULL);
    scene = (struct scene){.all = {claimant ("a"), claimant ("b"), claimant ("c")}};
    scene.holder = alice_at (&scene.all[0], COHORT_CLAIM_REJECT);
    scene.waiter = waiter ? alice_at (&scene.all[1], COHORT_CLAIM_WAIT) : NULL;
    scene.claim = claim_of (&scene.all[2], "alice");
    takes (scene.claim, policies[policy], 100);
}

/* In the end the one that is left can have it. */
static void scene_end (void)
{
    cohort_claim_destroy (&scene.waiter);
    cohort_claim_destroy (&scene.holder);
    settle_all (scene.all, 3);
    if (scene.claim != NULL && !cohort_claim_held (scene.claim)) {
        (void) cohort_claim_yield (scene.claim);
        takes (scene.claim, COHORT_CLAIM_WAIT, 0);
        settle_all (scene.all, 3);
        if (!cohort_claim_held (scene.claim)) {
            assert_true (cohort_claim_take (scene.claim, COHORT_CLAIM_WAIT, 0) == 0 ||
                         cohort_claim_yield (scene.claim) == 0);
            settle_all (scene.all, 3);
        }
        assert_true (cohort_claim_held (scene.claim));
    }
    cohort_claim_destroy (&scene.claim);
    for (int i = 0; i < 3; i++) {
        claimant_leaves (&scene.all[i]);
    }
    assert_int_equal (fake_count (USERS "/.waiting/alice/"), 0);
    assert_null (fake_data (ALICE));
}

/* A withdrawal that was refused leaves a place in the line until the session ends, as of locks. */
static void clear_line (void)
{
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf (path, sizeof (path), USERS "/.waiting/alice/exclusive-%010d", i);
        const cohort_stat_t *stat = fake_stat (path);
        if (stat != NULL && stat->ephemeral_owner == cohort_session_id (scene.all[2].client)) {
            fake_delete (path);
        }
    }
    settle_all (scene.all, 3);
}

static void withdrawn_at_each_step (void **state)
{
    (void) state;
    for (size_t what = 0; what < 6; what++) {
        for (int step = 0; step < STEPS; step++) {
            scene_begin (what / 2, what % 2 != 0);
            flush_steps (scene.all[2].client, step);
            cohort_claim_destroy (&scene.claim);
            settle_all (scene.all, 3);
            (void) grace_is_over ();
            scene_end ();
        }
    }
}

static void the_session_ends_at_each_step (void **state)
{
    (void) state;
    for (size_t what = 0; what < 6; what++) {
        for (int step = 0; step < STEPS; step++) {
            scene_begin (what / 2, what % 2 != 0);
            flush_steps (scene.all[2].client, step);
            fake_expire (scene.all[2].client, step % 2 != 0, true);
            fake_settle (scene.all[2].client);
            assert_false (cohort_claim_held (scene.claim));
            fake_create ("/c", "", cohort_session_id (scene.all[2].client));
            settle_all (scene.all, 3);
            (void) grace_is_over ();
            scene_end ();
        }
    }
}

static void a_request_is_refused_at_each_step (void **state)
{
    (void) state;
    for (size_t what = 0; what < 6; what++) {
        for (int step = 0; step < STEPS; step++) {
            scene_begin (what / 2, what % 2 != 0);
            flush_steps (scene.all[2].client, step);
            fake_fail_request (scene.all[2].client, COHORT_ENOAUTH);
            fake_settle (scene.all[2].client);
            fake_fail_request (scene.all[2].client, 0);
            settle_all (scene.all, 3);
            clear_line ();
            (void) grace_is_over ();
            scene_end ();
        }
    }
}

static void a_call_fails_at_each_step (void **state)
{
    (void) state;
    for (size_t what = 0; what < 6; what++) {
        for (int calls = 0; calls < 6; calls++) {
            scene_begin (what / 2, what % 2 != 0);
            fake_fail_later_call (scene.all[2].client, calls, COHORT_ELIMIT);
            fake_settle (scene.all[2].client);
            fake_fail_call (scene.all[2].client, 0);
            settle_all (scene.all, 3);
            clear_line ();
            (void) grace_is_over ();
            scene_end ();
        }
    }
    struct claimant a = claimant ("d");
    cohort_claim_t *claim = claim_of (&a, "x");
    fake_fail_call (a.client, COHORT_ELIMIT);
    assert_int_equal (cohort_claim_take (claim, COHORT_CLAIM_REJECT, 0), COHORT_ELIMIT);
    takes (claim, COHORT_CLAIM_REJECT, 0);
    fake_settle (a.client);
    fake_fail_call (a.client, COHORT_ELIMIT);
    assert_int_equal (cohort_claim_yield (claim), COHORT_ELIMIT);
    assert_true (cohort_claim_held (claim));
    cohort_claim_destroy (&claim);
    claimant_leaves (&a);
    fake_fail_stream (a.client);
    assert_null (cohort_claims_new (a.client, USERS, "/d"));
}

static void a_stream_cannot_be_opened_at_each_step (void **state)
{
    (void) state;
    for (size_t what = 0; what < 6; what++) {
        for (int step = 0; step < STEPS; step++) {
            scene_begin (what / 2, what % 2 != 0);
            flush_steps (scene.all[2].client, step);
            fake_fail_stream (scene.all[2].client);
            fake_settle (scene.all[2].client);
            settle_all (scene.all, 3);
            (void) grace_is_over ();
            cohort_claim_t *none = cohort_claim_new (scene.all[2].claims, "none", NULL, 0);
            cohort_claim_destroy (&none);
            cohort_stream_t *spent = cohort_stream_new (scene.all[2].client, "/x", NULL, NULL);
            if (spent != NULL) {
                cohort_stream_destroy (&spent);
                fake_settle (scene.all[2].client);
            }
            scene_end ();
        }
    }
}

/* ---- Handlers that destroy --------------------------------------------------------------------
 */

enum doom { DOOM_CLAIM, DOOM_ALL, DOOM_CLIENT, DOOMS };

static struct claimant *doomed;
static cohort_claim_t *doomed_claims[2];
static enum doom doom;
static cohort_claim_kind_t doom_at;

static void on_doom (cohort_claim_t *self, const cohort_claim_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) arg;
    assert_int_equal (cohort_claim_wait (self, 10),
                      event->kind == COHORT_CLAIM_GRANTED || event->kind == COHORT_CLAIM_ASKED ? 0
                      : event->kind == COHORT_CLAIM_WAITING ? COHORT_EDEADLK
                                                            : event->rc);
    if (event->kind != doom_at) {
        return;
    }
    if (doom != DOOM_CLAIM) {
        cohort_claims_destroy (&doomed->claims);
    }
    cohort_claim_destroy (&doomed_claims[0]);
    cohort_claim_destroy (&doomed_claims[1]);
    if (doom == DOOM_CLIENT) {
        cohort_destroy (&doomed->client);
    }
}

static void destroyed_inside_its_handlers (void **state)
{
    (void) state;
    for (int kind = COHORT_CLAIM_GRANTED; kind <= COHORT_CLAIM_FAILED; kind++) {
        for (int what = 0; what < DOOMS; what++) {
            (void) fake_start (NULL);
            struct claimant a = claimant ("a"), b = claimant ("b");
            cohort_claim_t *other = NULL;
            if (kind == COHORT_CLAIM_WAITING || kind == COHORT_CLAIM_FAILED) {
                other = alice_at (&b, COHORT_CLAIM_REJECT);
            }
            doomed = &a;
            doom = (enum doom) what;
            doom_at = (cohort_claim_kind_t) kind;
            for (int i = 0; i < 2; i++) {
                doomed_claims[i] = claim_of (&a, i == 0 ? "alice" : "bob");
                cohort_claim_set_handler (doomed_claims[i], i == 0 ? on_doom : NULL, NULL);
                /* What is on its way when a client is destroyed is dropped with some memory. */
                if (i == 0 || what != DOOM_CLIENT) {
                    takes (doomed_claims[i],
                           kind == COHORT_CLAIM_WAITING ? COHORT_CLAIM_WAIT : COHORT_CLAIM_REJECT,
                           0);
                }
            }
            fake_settle (a.client);
            if (kind == COHORT_CLAIM_ASKED || kind == COHORT_CLAIM_REVOKED) {
                other = alice_at (&b, COHORT_CLAIM_KICK);
                if (kind == COHORT_CLAIM_REVOKED) {
                    fake_delete ("/a");
                }
                fake_settle (a.client);
            }
            assert_null (doomed_claims[0]);
            assert_null (doomed_claims[1]);
            cohort_claims_destroy (&a.claims);
            if (a.client != NULL) {
                fake_settle (a.client);
                assert_int_equal (fake_streams (a.client), 0);
            }
            cohort_claim_destroy (&other);
            claimant_leaves (&b);
        }
    }
}

static void destroyed_while_it_waits (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    doomed = &a;
    doom = DOOM_CLIENT;
    doom_at = COHORT_CLAIM_GRANTED;
    doomed_claims[0] = claim_of (&a, "alice");
    doomed_claims[1] = NULL;
    cohort_claim_set_handler (doomed_claims[0], on_doom, NULL);
    takes (doomed_claims[0], COHORT_CLAIM_REJECT, 0);
    assert_int_equal (cohort_claim_wait (doomed_claims[0], -1), COHORT_ECLOSING);
    assert_null (doomed_claims[0]);
    assert_null (a.claims);
}

static void claims_outlive_their_owner_s_object (void **state)
{
    (void) state;
    struct claimant a = claimant ("a");
    cohort_claim_t *held = alice_at (&a, COHORT_CLAIM_REJECT);
    cohort_claim_t *idle = claim_of (&a, "bob");
    cohort_claims_destroy (&a.claims);
    assert_int_equal (cohort_claim_take (idle, COHORT_CLAIM_REJECT, 0), COHORT_ECLOSING);
    assert_int_equal (cohort_claim_yield (held), COHORT_ECLOSING);
    assert_int_equal (cohort_claim_wait (held, -1), COHORT_ECLOSING);
    assert_int_equal (cohort_claim_valid (held, 0), 0);
    cohort_claim_destroy (&held);
    cohort_claim_destroy (&idle);
    fake_settle (a.client);
    assert_non_null (fake_data (ALICE));
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (arguments_are_checked),
        TEST (what_is_no_claim_is_never_touched),
        TEST (a_claim_of_an_owner_that_never_was_is_taken_over),
        TEST (a_claim_that_is_deleted_by_hand_guards_nothing),
        TEST (a_claim_that_is_deleted_by_hand_is_told_to_its_holder),
        TEST (a_claim_that_is_deleted_before_it_is_watched),
        TEST (a_claim_that_cannot_be_watched_is_not_held),
        TEST (requests_that_cannot_be_read),
        TEST (who_was_away_hears_of_it),
        TEST (answers_and_events_overtake_each_other),
        TEST (a_session_that_is_refused_is_not_renewed_again),
        TEST (streams_that_end_are_reported),
        TEST (withdrawn_at_each_step),
        TEST (the_session_ends_at_each_step),
        TEST (a_request_is_refused_at_each_step),
        TEST (a_call_fails_at_each_step),
        TEST (a_stream_cannot_be_opened_at_each_step),
        TEST (destroyed_inside_its_handlers),
        TEST (destroyed_while_it_waits),
        TEST (claims_outlive_their_owner_s_object),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
