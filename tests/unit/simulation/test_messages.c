/* Invariant 13, what servers say of their disks: what may be, and what may not. */

#include "tests/unit/simulation/fixture.h"

static zxid_t z (uint32_t epoch, uint64_t counter)
{
    return zxid_make (epoch, counter);
}

static bool may_send (struct fixture *self, struct zab_message message)
{
    sight_update (self, 1, ZAB_LOOKING, 3);
    update_message (self, message);
    return fixture_holds (self, 13);
}

/* The disk holds epochs (3, 3) and the log up to (3, 2); (3, 3) is on its way. */
static void test_messages_and_the_disk (void **state)
{
    struct fixture *self = *state;
    zxid_t last = z (3, 2), next = z (3, 3);
    fixture_log (self, 1, ZAB_FOLLOWING, 3, 1, 2);
    sight_update (self, 1, ZAB_FOLLOWING, 3);
    update_entry (self, next, fixture_chain (next));
    fixture_see (self);

    struct zab_message vote = {
        .type = ZAB_VOTE, .role = ZAB_LOOKING, .leader = 1, .epoch = 3, .zxid = last};
    assert_true (may_send (self, vote));
    vote.zxid = next;
    assert_false (may_send (self, vote));
    vote.leader = 2;
    assert_true (may_send (self, vote)); /* for another: by that one's word */

    struct zab_message message = {.type = ZAB_LEADERINFO, .epoch = 3};
    assert_true (may_send (self, message));
    message.epoch = 4;
    assert_false (may_send (self, message));

    message = (struct zab_message){.type = ZAB_ACKEPOCH, .epoch = 3, .zxid = last};
    assert_true (may_send (self, message));
    message.zxid = next;
    assert_false (may_send (self, message));
    message = (struct zab_message){.type = ZAB_ACKEPOCH, .epoch = 3, .zxid = last};
    sight_update (self, 1, ZAB_FOLLOWING, 4);
    update_message (self, message);
    assert_false (fixture_holds (self, 13)); /* a promise that is not durable */

    message = (struct zab_message){.type = ZAB_ACK, .epoch = 3, .zxid = z (3, 0)};
    assert_true (may_send (self, message));
    message.zxid = last;
    assert_true (may_send (self, message));
    message.zxid = next;
    assert_false (may_send (self, message));
    message = (struct zab_message){.type = ZAB_ACK, .epoch = 4, .zxid = z (4, 0)};
    assert_false (may_send (self, message));

    message = (struct zab_message){.type = ZAB_SYNC_POINT, .point = {last, fixture_chain (last)}};
    assert_true (may_send (self, message));
    message.point = (struct zab_point){next, fixture_chain (next)};
    assert_false (may_send (self, message));

    message = (struct zab_message){.type = ZAB_PROPOSAL, .durable = last};
    assert_true (may_send (self, message));
    message.durable = next;
    assert_false (may_send (self, message));
}

/* A log that has lost something: what it may say, and that it must say so. The disk holds epochs
 * (3, 3) and the log up to (2, 2), where something came behind it. */
static void test_messages_of_a_suspect_log (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    zxid_t last = z (2, 2), lost = z (3, 1);
    fixture_log (self, 1, ZAB_FOLLOWING, 2, 1, 2);
    fixture_log (self, 1, ZAB_FOLLOWING, 3, 1, 1);
    fixture_fill (&log, 2, 2);
    sight_started (self, 1, &log)->harmed = true;
    self->sight.trust = ZAB_SUSPECT;
    self->sight.suspect = lost;
    fixture_see (self);

    struct zab_message vote = {.type = ZAB_VOTE, .role = ZAB_LOOKING, .leader = 1, .zxid = last};
    vote.trust = ZAB_SUSPECT;
    vote.suspect = lost;
    vote.epoch = 2;
    assert_true (may_send (self, vote)); /* that of its last entry */
    vote.epoch = 3;
    assert_false (may_send (self, vote));
    vote.epoch = 1;
    assert_false (may_send (self, vote)); /* nothing else */
    vote.epoch = 2;
    vote.suspect = last;
    assert_false (may_send (self, vote));
    vote.trust = ZAB_WHOLE;
    assert_false (may_send (self, vote));

    struct zab_message promise = {.type = ZAB_ACKEPOCH, .epoch = 3, .zxid = last, .counts = true};
    promise.trust = ZAB_SUSPECT;
    promise.suspect = lost;
    assert_true (may_send (self, promise));
    promise.trust = ZAB_WHOLE;
    assert_false (may_send (self, promise));

    struct zab_message info = {.type = ZAB_FOLLOWERINFO, .epoch = 3, .trust = ZAB_WHOLE};
    assert_false (may_send (self, info));
    info.trust = ZAB_DAMAGED; /* its disk is better by now */
    assert_true (may_send (self, info));

    struct zab_message ack = {.type = ZAB_ACK, .epoch = 3, .zxid = z (3, 0)};
    assert_false (may_send (self, ack)); /* before it is whole */
    shadow_deinit (&log);
}

static void test_messages_of_a_damaged_log (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    zxid_t last = z (3, 2);
    fixture_log (self, 1, ZAB_FOLLOWING, 3, 1, 3);
    fixture_fill (&log, 3, 2);
    sight_started (self, 1, &log)->harmed = true;
    self->sight.trust = ZAB_DAMAGED;
    fixture_see (self);

    struct zab_message vote = {.type = ZAB_VOTE, .role = ZAB_LOOKING, .trust = ZAB_DAMAGED};
    assert_true (may_send (self, vote)); /* a question */
    vote.leader = 2;
    assert_false (may_send (self, vote));

    struct zab_message promise = {
        .type = ZAB_ACKEPOCH, .epoch = 3, .zxid = last, .trust = ZAB_DAMAGED};
    assert_true (may_send (self, promise));
    promise.counts = true;
    assert_false (may_send (self, promise));

    struct zab_message ack = {.type = ZAB_ACK, .epoch = 3, .zxid = z (3, 0)};
    assert_false (may_send (self, ack));
    sight_update (self, 1, ZAB_FOLLOWING, 3);
    self->update.persist = (struct zab_persist){
        .number = 9, .epochs = true, .accepted_epoch = 3, .current_epoch = 3, .whole = true};
    fixture_see (self);
    assert_false (may_send (self, ack)); /* on its way to the disk */
    sight_base (self, 1, 0, false)->kind = SIGHT_DURABLE;
    self->sight.completed = 9;
    fixture_see (self);
    assert_true (may_send (self, ack));
    shadow_deinit (&log);
}

/* What it promises with: the epoch that it has accepted, and where its log stands. */
static void test_promises_and_the_disk (void **state)
{
    struct fixture *self = *state;
    zxid_t last = z (3, 2);
    struct zab_point points[] = {{0, 0}, {last, fixture_chain (last)}};
    fixture_log (self, 1, ZAB_FOLLOWING, 3, 1, 2);

    struct zab_message message = {.type = ZAB_FOLLOWERINFO, .epoch = 3};
    assert_true (may_send (self, message));
    message.epoch = 2;
    assert_false (may_send (self, message));

    message = (struct zab_message){.type = ZAB_ACKEPOCH, .epoch = 3, .zxid = last};
    message.points = points;
    message.points_count = 2;
    assert_true (may_send (self, message));
    points[0].chain++;
    assert_false (may_send (self, message));
    points[0].chain = 0;
    points[1].zxid = z (3, 3);
    assert_false (may_send (self, message));

    message = (struct zab_message){.type = ZAB_VOTE, .role = ZAB_LEADING, .durable = last};
    assert_true (may_send (self, message));
    message.durable = z (3, 3);
    assert_false (may_send (self, message));
}

static void test_commits_that_are_none (void **state)
{
    struct fixture *self = *state;
    static const enum zab_message_type types[] = {ZAB_PING, ZAB_COMMIT, ZAB_UPTODATE};
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 1, ZAB_LEADING, 1, 4, 4);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct zab_message message = {.type = types[i], .zxid = z (1, 3)};
        assert_true (may_send (self, message));
        message.zxid = z (1, 4);
        assert_false (may_send (self, message));
    }
}

int main (void)
{
#define INVARIANT_TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown (name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        INVARIANT_TEST (test_messages_and_the_disk),
        INVARIANT_TEST (test_messages_of_a_suspect_log),
        INVARIANT_TEST (test_messages_of_a_damaged_log),
        INVARIANT_TEST (test_promises_and_the_disk),
        INVARIANT_TEST (test_commits_that_are_none),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
