/* Invariants 1 to 7, 9, 10, 21 and 25 to 27: what must be, and what must not. */

#include "tests/unit/simulation/fixture.h"

static zxid_t z (uint32_t epoch, uint64_t counter)
{
    return zxid_make (epoch, counter);
}

/* 1 */
static void test_two_leaders_of_an_epoch (void **state)
{
    struct fixture *self = *state;
    sight_update (self, 1, ZAB_LEADING, 4);
    assert_true (fixture_holds (self, 1));
    fixture_see (self);
    sight_update (self, 1, ZAB_LEADING, 4);
    assert_true (fixture_holds (self, 1)); /* still */
    sight_update (self, 2, ZAB_LEADING, 5);
    assert_true (fixture_holds (self, 1));
    sight_update (self, 2, ZAB_LEADING, 4);
    self->status.activated = false;
    assert_true (fixture_holds (self, 1)); /* not established */

    /* Not even after the first one has ended. */
    sight_update (self, 1, ZAB_LOOKING, 4);
    fixture_see (self);
    sight_update (self, 2, ZAB_LEADING, 4);
    assert_false (fixture_holds (self, 1));
}

static void test_leader_without_a_vote (void **state)
{
    struct fixture *self = *state;
    self->ghost.configs.configs[0].members[1].role = CONFIG_OBSERVER;
    sight_update (self, 2, ZAB_OBSERVING, 4);
    assert_true (fixture_holds (self, 1));
    sight_update (self, 2, ZAB_LEADING, 4);
    assert_false (fixture_holds (self, 1));
    sight_update (self, 1, ZAB_LEADING, 4);
    assert_true (fixture_holds (self, 1));
}

/* 2 */
static void test_applied_without_a_proposal (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 1, 3);
    sight_turn (self, 3, z (1, 3), z (1, 3));
    assert_true (fixture_holds (self, 2));

    /* Logged by a follower that has it from nobody; then one with another content. */
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 4, 4);
    sight_turn (self, 3, z (1, 4), 0);
    assert_false (fixture_holds (self, 2));
    sight_update (self, 1, ZAB_LEADING, 1);
    update_entry (self, z (1, 4), 666);
    fixture_see (self);
    sight_turn (self, 3, z (1, 4), 0);
    assert_false (fixture_holds (self, 2));
}

/* 3 */
static void test_commit_of_another_history (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    sight_update (self, 3, ZAB_FOLLOWING, 1);
    update_entry (self, z (1, 1), fixture_chain (z (1, 1)));
    update_entry (self, z (1, 2), 666);
    fixture_see (self);
    fixture_durable (self, 3);
    sight_update (self, 3, ZAB_FOLLOWING, 1);
    self->status.committed = z (1, 1);
    assert_true (fixture_holds (self, 3));
    self->status.committed = z (1, 2);
    assert_false (fixture_holds (self, 3));
    self->status.committed = z (1, 3); /* not in its log at all */
    assert_false (fixture_holds (self, 3));
    sight_turn (self, 3, z (1, 1), 0);
    assert_true (fixture_holds (self, 3));
    sight_turn (self, 3, z (1, 2), 0);
    assert_false (fixture_holds (self, 3));
}

static void test_commit_on_top_of_something_else (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    /* A leader of epoch 2 that has never heard of (1, 3). */
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 1, 2);
    sight_update (self, 3, ZAB_FOLLOWING, 2);
    update_entry (self, z (2, 1), fixture_chain (z (2, 1)));
    fixture_see (self);
    sight_update (self, 3, ZAB_FOLLOWING, 2);
    self->status.committed = z (2, 1);
    assert_false (fixture_holds (self, 3));
}

static void test_commit_taken_back (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    assert_true (fixture_holds (self, 3));
    self->status.committed = z (1, 2);
    assert_false (fixture_holds (self, 3));
}

static void test_zxid_proposed_twice (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    sight_update (self, 1, ZAB_LEADING, 1);
    update_entry (self, z (1, 4), 4);
    assert_true (fixture_holds (self, 3));
    sight_update (self, 1, ZAB_LEADING, 1);
    update_entry (self, z (1, 3), 3);
    assert_false (fixture_holds (self, 3));
}

static void test_proposed_behind_the_end_of_the_counter (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    for (uint64_t end = 0; end <= 5; end++) {
        sight_update (self, 1, ZAB_LEADING, 1)->counter_max = end;
        update_entry (self, z (1, 4), 4);
        assert_true (fixture_holds (self, 3) == (end == 0 || end > 3));
    }
}

static void test_applied_beyond_the_log (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 1, 2);
    sight_turn (self, 3, z (1, 2), z (1, 2));
    assert_true (fixture_holds (self, 3));
    sight_turn (self, 3, z (1, 3), z (1, 3));
    assert_false (fixture_holds (self, 3));
}

/* 4: b without a, as the published specification's "there exist a, b" would never find. */
static void test_a_missing_before_b (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 4);
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 1, 2);
    fixture_apply (self, 3, z (1, 2));
    /* A log with a hole, as no store would take it. */
    sight_update (self, 3, ZAB_FOLLOWING, 1);
    update_entry (self, z (1, 4), fixture_chain (z (1, 4)));
    ghost_see (&self->ghost, &self->sight);
    sight_turn (self, 3, z (1, 4), z (1, 4));
    assert_false (fixture_holds (self, 4));
    sight_turn (self, 3, z (1, 2), z (1, 2));
    assert_true (fixture_holds (self, 4));
    sight_turn (self, 1, z (1, 4), z (1, 4));
    assert_true (fixture_holds (self, 4));
}

static void test_a_in_a_snapshot_before_b (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 4);
    sight_update (self, 3, ZAB_FOLLOWING, 1);
    self->update.persist.install = true;
    fixture_see (self);
    sight_base (self, 3, z (1, 3), true);
    fixture_see (self);
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 4, 4);
    sight_turn (self, 3, z (1, 4), z (1, 4));
    assert_true (fixture_holds (self, 4));
    assert_true (fixture_holds (self, 3));
}

/* 5 */
static void test_applying_goes_back (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    sight_turn (self, 1, z (1, 3), z (1, 3));
    assert_true (fixture_holds (self, 5));
    sight_turn (self, 1, z (1, 2), z (1, 2));
    assert_false (fixture_holds (self, 5));

    /* Out of order in the log itself. */
    sight_update (self, 3, ZAB_FOLLOWING, 1);
    update_entry (self, z (1, 2), fixture_chain (z (1, 2)));
    update_entry (self, z (1, 1), fixture_chain (z (1, 1)));
    update_entry (self, z (1, 3), fixture_chain (z (1, 3)));
    ghost_see (&self->ghost, &self->sight);
    sight_turn (self, 3, z (1, 3), z (1, 3));
    assert_false (fixture_holds (self, 5));
}

/* 6 */
static void test_leader_proposes_without_what_was_applied (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    sight_update (self, 2, ZAB_LEADING, 2);
    update_entry (self, z (2, 1), fixture_chain (z (2, 1)));
    assert_true (fixture_holds (self, 6)); /* has it */
    sight_update (self, 3, ZAB_LEADING, 2);
    update_entry (self, z (2, 1), fixture_chain (z (2, 1)));
    assert_false (fixture_holds (self, 6));
    sight_update (self, 3, ZAB_FOLLOWING, 2);
    update_entry (self, z (2, 1), fixture_chain (z (2, 1)));
    assert_true (fixture_holds (self, 6)); /* proposes nothing: it is told */
}

/* 7 */
static void test_leader_without_what_is_committed (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 1, 2);
    sight_update (self, 2, ZAB_LEADING, 2);
    assert_true (fixture_holds (self, 7));
    sight_update (self, 3, ZAB_LEADING, 2);
    assert_false (fixture_holds (self, 7));
    self->status.activated = false;
    assert_true (fixture_holds (self, 7)); /* not established yet */
    sight_update (self, 3, ZAB_LEADING, 1);
    assert_true (fixture_holds (self, 7)); /* it is of epoch 1 itself: not of an earlier one */
}

/* 9 */
static void test_follower_has_what_its_leader_lacks (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    assert_true (fixture_holds (self, 9));

    /* Not committed, and from nobody. */
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 4, 4);
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    assert_false (fixture_holds (self, 9));
    fixture_log (self, 1, ZAB_LEADING, 1, 4, 4);
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    assert_true (fixture_holds (self, 9));

    /* The leader's log was cut behind its back. */
    shadow_truncate (&self->ghost.servers[1].log, z (1, 2));
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    assert_false (fixture_holds (self, 9));
    self->status.activated = false;
    assert_true (fixture_holds (self, 9)); /* not synchronized */
    sight_update (self, 2, ZAB_FOLLOWING, 2);
    assert_true (fixture_holds (self, 9)); /* of another epoch than what was seen of the leader */
}

/* 10 */
static void test_peers_that_break_the_protocol (void **state)
{
    struct fixture *self = *state;
    static const uint32_t peers[] = {2};
    sight_update (self, 1, ZAB_LEADING, 1);
    assert_true (fixture_holds (self, 10));
    self->update.resets = peers;
    self->update.resets_count = 1;
    self->update.note = "gap in the entries";
    assert_false (fixture_holds (self, 10));
    self->update.note = "no progress";
    assert_true (fixture_holds (self, 10));
    sight_update (self, 1, ZAB_LEADING, 1);
    self->update.halt = ZAB_HALT_DIVERGED;
    assert_false (fixture_holds (self, 10));
}

/* 21 */
static void answer (struct fixture *self, uint32_t server, uint32_t epoch, uint64_t round,
                    bool counts)
{
    sight_update (self, server, ZAB_FOLLOWING, epoch);
    update_message (
        self, (struct zab_message){
                  .type = ZAB_PONG, .peer = 1, .epoch = epoch, .nonce = round, .counts = counts});
    fixture_see (self);
}

static bool confirms (struct fixture *self, uint64_t round)
{
    sight_update (self, 1, ZAB_LEADING, 1);
    self->update.round = round;
    return fixture_holds (self, 21);
}

static void test_round_that_no_quorum_has_answered (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 1);
    assert_true (confirms (self, 0)); /* none */
    assert_false (confirms (self, 5));
    answer (self, 2, 1, 4, true);
    assert_false (confirms (self, 5)); /* an earlier one */
    assert_true (confirms (self, 4));
    answer (self, 2, 1, 5, false);
    assert_false (confirms (self, 5)); /* it is not synchronized yet */
    answer (self, 3, 1, 6, true);
    assert_true (confirms (self, 5));
    assert_true (confirms (self, 6));
    answer (self, 2, 2, 7, true);
    assert_false (confirms (self, 7)); /* in another epoch */
}

static void test_round_answered_by_an_emptied_store (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 1);
    self->ghost.servers[2].store_id = 666;
    answer (self, 2, 1, 3, true);
    assert_false (confirms (self, 3));
    self->ghost.configs.configs[0].members[1].store_id = 666;
    assert_true (confirms (self, 3)); /* it counts again */
}

/* 25 */
static bool promises (struct fixture *self, uint32_t server, uint32_t leader, uint32_t epoch)
{
    sight_update (self, server, ZAB_FOLLOWING, 1);
    self->status.accepted_epoch = epoch;
    update_message (self,
                    (struct zab_message){.type = ZAB_ACKEPOCH, .peer = leader, .counts = true});
    return fixture_holds (self, 25);
}

static void test_epoch_promised_twice (void **state)
{
    struct fixture *self = *state;
    assert_true (promises (self, 2, 1, 3));
    self->ghost.servers[2].promised = 3;
    assert_false (promises (self, 2, 1, 3));
    assert_false (promises (self, 2, 3, 3)); /* to another */
    assert_false (promises (self, 2, 3, 2));
    self->messages[0].counts = false;
    assert_true (fixture_holds (self, 25));
    assert_true (promises (self, 2, 3, 4));
}

static void test_epoch_promised_that_was_offered (void **state)
{
    struct fixture *self = *state;
    sight_update (self, 2, ZAB_LEADING, 1);
    self->status.accepted_epoch = self->ghost.servers[2].accepted_epoch = 3;
    self->status.activated = false;
    update_message (self, (struct zab_message){.type = ZAB_LEADERINFO, .peer = 3, .epoch = 3});
    fixture_see (self);
    assert_int_equal (self->ghost.servers[2].promised, 3);
    assert_false (promises (self, 2, 1, 3));

    /* Another store has promised nothing. */
    struct shadow log = {.count = 0};
    sight_started (self, 2, &log)->store_id = 666;
    self->sight.harmed = self->sight.emptied = true;
    self->sight.accepted_epoch = self->sight.current_epoch = 0;
    fixture_see (self);
    assert_true (promises (self, 2, 1, 3));
}

/* 26: an entry that only the first leader had comes back behind an epoch that began without it. */
static void test_commit_of_what_an_epoch_began_without (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 1, ZAB_LEADING, 1, 4, 5);
    sight_update (self, 2, ZAB_LEADING, 2);
    fixture_see (self); /* begins behind (1, 3) */
    sight_update (self, 1, ZAB_LEADING, 3);
    assert_true (fixture_holds (self, 26)); /* commits nothing */
    self->status.committed = z (1, 4);
    assert_false (fixture_holds (self, 26));

    /* Not by way of a later entry on top of it either. */
    sight_update (self, 1, ZAB_LEADING, 3);
    self->status.activated = false;
    update_entry (self, z (3, 1), fixture_chain (z (3, 1)));
    ghost_see (&self->ghost, &self->sight);
    sight_update (self, 1, ZAB_LEADING, 3);
    self->status.committed = z (3, 1);
    assert_false (fixture_holds (self, 26));
}

static void test_commit_of_what_an_epoch_began_with (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 1, ZAB_LEADING, 1, 4, 5);
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 4, 5);
    sight_update (self, 2, ZAB_LEADING, 2);
    fixture_see (self);
    sight_update (self, 1, ZAB_FOLLOWING, 2);
    self->status.committed = z (1, 5); /* the first to know */
    assert_true (fixture_holds (self, 26));
}

/* 27 */
static bool begins (struct fixture *self, uint32_t server, uint32_t epoch)
{
    sight_update (self, server, ZAB_LEADING, epoch);
    self->update.persist.number = 1;
    self->update.persist.epochs = true;
    self->update.persist.accepted_epoch = self->update.persist.current_epoch = epoch;
    return fixture_holds (self, 27);
}

static void see_promise (struct fixture *self, uint32_t server, uint32_t leader, uint32_t epoch,
                         bool counts)
{
    (void) promises (self, server, leader, epoch);
    self->messages[0].counts = counts;
    ghost_see (&self->ghost, &self->sight);
}

static void test_epoch_begun_without_promises (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 1);
    assert_false (begins (self, 1, 4)); /* nobody has */
    see_promise (self, 2, 1, 4, false);
    assert_false (begins (self, 1, 4)); /* it does not count */
    see_promise (self, 2, 3, 4, true);
    assert_false (begins (self, 1, 4)); /* to another */
    assert_true (begins (self, 3, 4));
    see_promise (self, 2, 1, 5, true);
    assert_true (begins (self, 1, 5));
    assert_false (begins (self, 1, 6)); /* an earlier one */
    assert_true (begins (self, 3, 4));  /* what was promised then */
}

static void test_epoch_promised_by_an_emptied_store (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 1);
    self->ghost.servers[2].store_id = 666;
    see_promise (self, 2, 1, 4, true);
    assert_false (begins (self, 1, 4));
    self->ghost.configs.configs[0].members[1].store_id = 666;
    assert_true (begins (self, 1, 4));
}

int main (void)
{
#define INVARIANT_TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown (name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        INVARIANT_TEST (test_two_leaders_of_an_epoch),
        INVARIANT_TEST (test_leader_without_a_vote),
        INVARIANT_TEST (test_applied_without_a_proposal),
        INVARIANT_TEST (test_commit_of_another_history),
        INVARIANT_TEST (test_commit_on_top_of_something_else),
        INVARIANT_TEST (test_commit_taken_back),
        INVARIANT_TEST (test_zxid_proposed_twice),
        INVARIANT_TEST (test_proposed_behind_the_end_of_the_counter),
        INVARIANT_TEST (test_applied_beyond_the_log),
        INVARIANT_TEST (test_a_missing_before_b),
        INVARIANT_TEST (test_a_in_a_snapshot_before_b),
        INVARIANT_TEST (test_applying_goes_back),
        INVARIANT_TEST (test_leader_proposes_without_what_was_applied),
        INVARIANT_TEST (test_leader_without_what_is_committed),
        INVARIANT_TEST (test_follower_has_what_its_leader_lacks),
        INVARIANT_TEST (test_peers_that_break_the_protocol),
        INVARIANT_TEST (test_round_that_no_quorum_has_answered),
        INVARIANT_TEST (test_round_answered_by_an_emptied_store),
        INVARIANT_TEST (test_epoch_promised_twice),
        INVARIANT_TEST (test_epoch_promised_that_was_offered),
        INVARIANT_TEST (test_commit_of_what_an_epoch_began_without),
        INVARIANT_TEST (test_commit_of_what_an_epoch_began_with),
        INVARIANT_TEST (test_epoch_begun_without_promises),
        INVARIANT_TEST (test_epoch_promised_by_an_emptied_store),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
