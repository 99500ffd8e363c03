/* Unit tests of core/send.c: what must be durable before which message is asserted there. Each case
 * brings a server into a state in which a message may be sent, checks that it may, takes away one
 * thing that it depends on, and checks that send.c refuses. */

#include <string.h>

#include "server/core/state.h"
#include "tests/unit/unit.h"

static jmp_buf refused;

static void on_assert (const char *expr, const char *file, int line)
{
    (void) expr;
    (void) file;
    (void) line;
    longjmp (refused, 1);
}

enum { EPOCH = 5 };

/* A server of three with the log 4:1 .. 4:3, in epoch 5; a link to server 2 is up. */
static struct zab *make (void)
{
    struct zab_options options = {.id = 1, .store_id = 1, .configs = {.count = 1}};
    struct config *config = &options.configs.configs[0];
    for (uint32_t id = 1; id <= 3; id++) {
        config->members[config->count++] =
            (struct config_member){.id = id, .role = CONFIG_VOTER, .store_id = id};
    }
    struct zab *zab = zab_new (&options);
    assert_non_null (zab);
    struct zab_past *past = zab_past_new ((struct zab_point){0}, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        struct zab_entry entry = {.zxid = zxid_make (4, i)};
        entry.chain = zab_chain (past->log.last.chain, entry.zxid, 0, NULL, 0);
        assert_int_equal (zab_past_add (past, &entry), 0);
    }
    zab_recover (zab, &past);
    zab_start (zab, EPOCH, 4, 0, 0);
    zab_step (zab, &(struct zab_event){.type = ZAB_EVENT_LINK_UP, .peer = 2, .store_id = 2});
    return zab;
}

static struct zab *make_looking (void)
{
    return make ();
}

static struct zab *make_learner (enum follow_phase phase)
{
    struct zab *zab = make ();
    zab->role = ZAB_FOLLOWING;
    zab->voting = false;
    zab->follow.leader = 2;
    zab->follow.epoch = EPOCH;
    zab->follow.phase = phase;
    if (phase >= FOLLOW_SYNCED) {
        zab->current_epoch = zab->current_durable = EPOCH;
        zab->follow.history = zab->durable;
    }
    return zab;
}

static struct zab *make_learner_info (void)
{
    return make_learner (FOLLOW_INFO);
}

static struct zab *make_learner_epoch (void)
{
    return make_learner (FOLLOW_EPOCH);
}

static struct zab *make_learner_diff (void)
{
    return make_learner (FOLLOW_DIFF);
}

static struct zab *make_learner_synced (void)
{
    return make_learner (FOLLOW_SYNCED);
}

static struct zab *make_leader (enum lead_phase phase, enum learner_phase learner)
{
    struct zab *zab = make ();
    zab->role = ZAB_LEADING;
    zab->voting = false;
    zab->lead.phase = phase;
    zab->lead.epoch = EPOCH;
    zab->peers[0]->learner.phase = learner;
    zab->peers[0]->learner.diff_begun = true;
    zab->peers[0]->learner.sent = zab->log.last.zxid;
    if (phase >= LEAD_SYNC) {
        zab->current_epoch = zab->current_durable = EPOCH;
    }
    if (phase >= LEAD_BROADCAST) {
        zab->committed = zab->log.last.zxid;
    }
    return zab;
}

static struct zab *make_leader_epoch (void)
{
    return make_leader (LEAD_EPOCH, LEARNER_INFO);
}

static struct zab *make_leader_sync (void)
{
    return make_leader (LEAD_SYNC, LEARNER_DIFF);
}

static struct zab *make_leader_broadcast (void)
{
    return make_leader (LEAD_BROADCAST, LEARNER_SYNCED);
}

/* ---- What can be missing ----------------------------------------------------------------- */

static void request_under_way (struct zab *zab)
{
    struct request request = {.number = ++zab->request_number, .log_end = zab->log.last.zxid};
    assert_true (ring_push (&zab->requests, &request));
}

static void log_not_durable (struct zab *zab)
{
    zab->durable = zxid_make (4, 2);
}

static void promise_not_durable (struct zab *zab)
{
    zab->accepted_durable = EPOCH - 1;
}

static void epoch_not_durable (struct zab *zab)
{
    zab->current_durable--;
}

static void newleader_not_durable (struct zab *zab)
{
    zab->follow.newleader = zab->request_durable + 1;
}

static void history_not_durable (struct zab *zab)
{
    zab->durable = zxid_make (4, 2);
}

static void newleader_not_acknowledged (struct zab *zab)
{
    zab->follow.phase = FOLLOW_NEWLEADER;
}

static void wrong_role (struct zab *zab)
{
    zab->role = zab->role == ZAB_LOOKING ? ZAB_FOLLOWING : ZAB_LOOKING;
}

static void not_voting (struct zab *zab)
{
    zab->voting = false;
}

static void damaged (struct zab *zab)
{
    zab->trust = zab->trust_durable = ZAB_DAMAGED;
}

static void suspect (struct zab *zab)
{
    zab->trust = zab->trust_durable = ZAB_SUSPECT;
}

static void leaving (struct zab *zab)
{
    zab->leaving = true;
}

static void another_leader (struct zab *zab)
{
    zab->follow.leader = 3;
}

static void no_quorum_of_promises (struct zab *zab)
{
    zab->lead.phase = LEAD_EPOCH;
}

static void not_activated (struct zab *zab)
{
    zab->lead.phase = LEAD_SYNC;
}

static void not_a_learner (struct zab *zab)
{
    zab->peers[0]->learner.phase = LEARNER_NONE;
}

static void not_synced (struct zab *zab)
{
    zab->peers[0]->learner.phase = LEARNER_FORWARD;
}

static void not_committed (struct zab *zab)
{
    zab->committed = zxid_make (4, 2);
}

static void not_all_sent (struct zab *zab)
{
    zab->peers[0]->learner.sent = zxid_make (4, 2);
}

static void no_diff (struct zab *zab)
{
    zab->peers[0]->learner.diff_begun = false;
}

static void link_reset (struct zab *zab)
{
    zab->peers[0]->reset = true;
}

static void halted (struct zab *zab)
{
    zab->role = ZAB_HALTED;
}

/* ---- The table --------------------------------------------------------------------------- */

enum { BREAKS_MAX = 10 };

#define ZXID(counter)  ((4ull << ZXID_COUNTER_BITS) | (counter))
#define NEWLEADER_ZXID ((5ull << ZXID_COUNTER_BITS))

static const struct rule {
    struct zab *(*make) (void);
    struct zab_message message;
    void (*breaks[BREAKS_MAX]) (struct zab *zab);
} rules[] = {
    {make_looking,
     {.type = ZAB_VOTE, .role = ZAB_LOOKING, .leader = 1, .epoch = 4, .zxid = ZXID (3)},
     {request_under_way, log_not_durable, epoch_not_durable, wrong_role, not_voting, leaving,
      link_reset, halted, damaged}},
    {make_learner_info,
     {.type = ZAB_FOLLOWERINFO, .epoch = EPOCH},
     {request_under_way, promise_not_durable, wrong_role, another_leader, link_reset, halted}},
    {make_leader_epoch,
     {.type = ZAB_LEADERINFO},
     {promise_not_durable, wrong_role, not_a_learner, link_reset, halted}},
    {make_learner_epoch,
     {.type = ZAB_ACKEPOCH, .epoch = 4, .zxid = ZXID (3)},
     {promise_not_durable, log_not_durable, request_under_way, wrong_role, another_leader}},
    {make_learner_epoch,
     {.type = ZAB_ACKEPOCH, .epoch = 4, .zxid = ZXID (3), .counts = true},
     {promise_not_durable, log_not_durable, damaged}},
    {make_learner_diff, {.type = ZAB_SYNC_POINT}, {log_not_durable, wrong_role, another_leader}},
    {make_leader_sync,
     {.type = ZAB_NEWLEADER},
     {promise_not_durable, no_quorum_of_promises, not_all_sent, no_diff, wrong_role}},
    {make_leader_sync,
     {.type = ZAB_DIFF, .entries_after = ZXID (3), .entries_through = ZXID (3)},
     {promise_not_durable, no_quorum_of_promises, not_all_sent, wrong_role, not_a_learner}},
    {make_learner_synced,
     {.type = ZAB_ACK, .zxid = NEWLEADER_ZXID},
     {promise_not_durable, epoch_not_durable, newleader_not_durable, history_not_durable,
      newleader_not_acknowledged, wrong_role, another_leader, damaged, suspect}},
    {make_learner_synced,
     {.type = ZAB_ACK, .zxid = ZXID (3)},
     {promise_not_durable, epoch_not_durable, newleader_not_durable, log_not_durable,
      newleader_not_acknowledged, wrong_role}},
    {make_learner_synced,
     {.type = ZAB_PONG, .counts = true},
     {epoch_not_durable, newleader_not_acknowledged, wrong_role}},
    {make_leader_broadcast,
     {.type = ZAB_UPTODATE, .zxid = ZXID (3)},
     {epoch_not_durable, not_activated, not_synced, not_committed, not_all_sent, wrong_role}},
    {make_leader_broadcast,
     {.type = ZAB_COMMIT, .zxid = ZXID (3)},
     {epoch_not_durable, not_activated, not_synced, not_committed, not_all_sent, wrong_role}},
    {make_leader_broadcast, {.type = ZAB_PING}, {wrong_role, not_a_learner}},
    {make_looking, {.type = (enum zab_message_type) 99}, {leaving}},
};

/* Whether send.c takes it. */
static bool sends (struct zab *zab, struct zab_message message)
{
    if (message.type == ZAB_SYNC_POINT) {
        message.point = zab->log.last;
    }
    struct peer *peer = zab->peers[0];
    zab->update.messages_count = 0;
    if (setjmp (refused) != 0) {
        return false;
    }
    send_message (zab, peer, message);
    assert_int_equal (zab->update.messages_count, 1);
    assert_int_equal (zab->messages[0].peer, 2);
    return true;
}

static void test_durability (void **state)
{
    (void) state;
    assert_set_handler (on_assert);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *rule = &rules[i];
        struct zab *zab = rule->make ();
        bool known = rule->message.type <= ZAB_LEAVING;
        if (sends (zab, rule->message) != known) {
            fail_msg ("rule %zu, %s: not sent", i, zab_message_name (rule->message.type));
        }
        zab_destroy (&zab);
        for (size_t k = 0; k < BREAKS_MAX && rule->breaks[k] != NULL; k++) {
            zab = rule->make ();
            rule->breaks[k](zab);
            if (sends (zab, rule->message)) {
                fail_msg ("rule %zu, %s: sent in spite of break %zu", i,
                          zab_message_name (rule->message.type), k);
            }
            zab_destroy (&zab);
        }
    }
    assert_set_handler (NULL);
}

/* An entry is not acknowledged before it is durable, whatever else is. */
static void test_ack_beyond_the_disk (void **state)
{
    (void) state;
    assert_set_handler (on_assert);
    struct zab *zab = make_learner_synced ();
    assert_true (history_append (&zab->log, (struct zab_point){zxid_make (5, 1), 1}, 1));
    assert_false (sends (zab, (struct zab_message){.type = ZAB_ACK, .zxid = zxid_make (5, 1)}));
    zab->durable = zxid_make (5, 1);
    assert_true (sends (zab, (struct zab_message){.type = ZAB_ACK, .zxid = zxid_make (5, 1)}));
    zab_destroy (&zab);
    assert_set_handler (NULL);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_durability),
        cmocka_unit_test (test_ack_beyond_the_disk),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
