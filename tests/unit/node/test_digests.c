/* Who is wrong when states differ: the rule of digests.h, over every way in which up to five
 * servers can differ; and the exchange. */

#include "tests/unit/unit.h"

#include "server/node/digests.h"

enum { SERVERS_MAX = 5, ZXID = 640 };

static struct config_set voters (size_t count)
{
    struct config_set set = {.count = 1};
    for (uint32_t id = 1; id <= count; id++) {
        set.configs[0].members[set.configs[0].count++] =
            (struct config_member){.id = id, .role = CONFIG_VOTER, .store_id = id};
    }
    return set;
}

/* digests[i]: of server i + 1; 0: it says nothing.  heirs: bit i: it is no witness. */
static struct digests_round round_of (size_t count, const uint64_t *digests, unsigned heirs)
{
    struct digests_round round = {.zxid = ZXID};
    for (size_t i = 0; i < count; i++) {
        struct digests_report report = {(uint32_t) i + 1, !((heirs >> i) & 1), digests[i],
                                        DIGESTS_NONE};
        if (report.digest != 0) {
            assert_true (digests_add (&round, &report));
        }
    }
    return round;
}

static struct digests_finding judge (const struct digests_round *round,
                                     const struct config_set *set, uint32_t id)
{
    struct digests_finding finding;
    digests_judge (round, set, id, &finding);
    return finding;
}

/* One letter for each server: '-': unheard, '.': sound, 'b': and borne out, 'p': and proven, 'c':
 * contested, 'w': wrong. */
static void expect (const struct config_set *set, size_t count, const uint64_t *digests,
                    unsigned heirs, const char *verdicts)
{
    struct digests_round round = round_of (count, digests, heirs);
    char found[SERVERS_MAX + 1] = "";
    for (uint32_t id = 1; id <= count; id++) {
        struct digests_finding finding = judge (&round, set, id);
        assert_true (finding.borne || !finding.proven);
        found[id - 1] = finding.proven ? 'p' : finding.borne ? 'b' : "-.cw"[finding.verdict];
    }
    assert_string_equal (found, verdicts);
}

static void cases (void **state)
{
    (void) state;
    struct config_set one = voters (1), two = voters (2), three = voters (3), five = voters (5);
    expect (&one, 1, (uint64_t[]){7}, 0, "p");
    expect (&two, 2, (uint64_t[]){7, 7}, 0, "pp");
    expect (&two, 2, (uint64_t[]){7, 8}, 0, "cc");
    expect (&three, 3, (uint64_t[]){7, 7, 7}, 0, "ppp");
    expect (&three, 3, (uint64_t[]){7, 7, 8}, 0, "ppw");
    expect (&three, 3, (uint64_t[]){8, 7, 7}, 0, "wpp");
    expect (&three, 3, (uint64_t[]){7, 8, 9}, 0, "ccc");
    expect (&three, 3, (uint64_t[]){7, 8, 0}, 0, "cc-");
    expect (&three, 3, (uint64_t[]){7, 0, 0}, 0, ".--");
    expect (&five, 5, (uint64_t[]){8, 7, 7, 0, 0}, 0, "ccc--"); /* most of three are no quorum */
    expect (&five, 5, (uint64_t[]){7, 7, 8, 8, 9}, 0, "ccccc");
    expect (&five, 5, (uint64_t[]){7, 8, 8, 8, 9}, 0, "wpppw");
}

/* Who has taken over the state of another says what that one would say. */
static void heirs_bear_no_witness (void **state)
{
    (void) state;
    struct config_set three = voters (3), five = voters (5);
    expect (&three, 3, (uint64_t[]){8, 7, 8}, 4, "ccc"); /* 3 has it from 1 */
    expect (&three, 3, (uint64_t[]){8, 7, 7}, 1, "wpp"); /* an heir may be wrong, */
    expect (&three, 3, (uint64_t[]){7, 7, 7}, 4, "ppp"); /* or be proven by others, */
    expect (&three, 3, (uint64_t[]){0, 0, 7}, 4, "--."); /* but not alone */
    expect (&five, 5, (uint64_t[]){7, 7, 7, 8, 0}, 4, "cccc-");
    expect (&five, 5, (uint64_t[]){7, 7, 7, 7, 0}, 4, "pppp-");
}

/* As long as somebody is away who may know better, witnesses have to be a quorum; one wrong server,
 * and who has it from there, are none. */
static void heirs_prove_nothing_before_all_are_there (void **state)
{
    (void) state;
    struct config_set two = voters (2), three = voters (3), five = voters (5);
    expect (&three, 3, (uint64_t[]){7, 0, 7}, 4, "b-b");
    expect (&three, 3, (uint64_t[]){7, 8, 7}, 4, "ccc"); /* and then he is */
    expect (&five, 5, (uint64_t[]){7, 7, 7, 0, 0}, 4, "bbb--");
    expect (&five, 5, (uint64_t[]){7, 7, 7, 7, 0}, 12, "bbbb-");
    expect (&two, 2, (uint64_t[]){7, 7}, 2, "pp"); /* there is nobody else */
    expect (&three, 3, (uint64_t[]){7, 7, 7}, 6, "ppp");
    expect (&five, 5, (uint64_t[]){7, 7, 7, 7, 7}, 30, "ppppp");
}

static void observers_are_judged_and_do_not_count (void **state)
{
    (void) state;
    struct config_set set = voters (3);
    set.configs[0].members[2].role = CONFIG_OBSERVER;
    expect (&set, 3, (uint64_t[]){7, 7, 8}, 0, "ppw");
    expect (&set, 3, (uint64_t[]){7, 8, 8}, 0, "ccc");
}

/* While members change, a quorum is one of the old and of the new. */
static void both_configurations_must_agree (void **state)
{
    (void) state;
    struct config_set set = voters (3);
    set.count = 2;
    set.configs[1] = voters (5).configs[0];
    expect (&set, 5, (uint64_t[]){7, 7, 8, 0, 0}, 0, "ccc--");
    expect (&set, 5, (uint64_t[]){7, 7, 8, 7, 0}, 0, "ppwp-");
    expect (&set, 5, (uint64_t[]){7, 7, 7, 0, 0}, 6, "bbb--");
    expect (&set, 5, (uint64_t[]){7, 7, 7, 7, 0}, 6, "bbbb-");
    expect (&set, 5, (uint64_t[]){7, 7, 7, 7, 7}, 6, "ppppp");
}

/* Whatever servers say: who is called wrong leaves a quorum that is right; it does not depend on
 * the order of the reports; and with no quorum all that have told are in the same position. */
static void every_pattern (void **state)
{
    (void) state;
    for (size_t count = 1; count <= SERVERS_MAX; count++) {
        struct config_set set = voters (count);
        for (uint32_t pattern = 0; pattern < UINT32_C (1) << (2 * count); pattern++) {
            uint64_t digests[SERVERS_MAX];
            struct id_set proven = {.count = 0};
            size_t told = 0, contested = 0, wrong = 0;
            for (size_t i = 0; i < count; i++) {
                digests[i] = pattern >> (2 * i) & 3;
            }
            struct digests_round round = round_of (count, digests, 0), back = {.zxid = ZXID};
            for (size_t i = round.count; i > 0; i--) {
                digests_add (&back, &round.reports[i - 1]);
            }
            assert_int_equal (digests_pattern (&round), digests_pattern (&back));
            for (uint32_t id = 1; id <= count; id++) {
                struct digests_finding finding = judge (&round, &set, id);
                assert_int_equal (finding.verdict, judge (&back, &set, id).verdict);
                assert_int_equal (finding.differ, digests_pattern (&round) != 0);
                told += finding.verdict != DIGESTS_UNHEARD;
                contested += finding.verdict == DIGESTS_CONTESTED;
                wrong += finding.verdict == DIGESTS_WRONG;
                if (finding.proven) {
                    id_set_add (&proven, id);
                }
                assert_true (finding.verdict != DIGESTS_SOUND || !finding.differ || finding.proven);
            }
            assert_true (wrong == 0 || config_set_quorum (&set, &proven));
            assert_true (contested == 0 || contested == told);
        }
    }
}

static void patterns_tell_who_agrees (void **state)
{
    (void) state;
    struct digests_round a = round_of (3, (uint64_t[]){7, 7, 8}, 0);
    struct digests_round b = round_of (3, (uint64_t[]){5, 5, 4}, 0);
    struct digests_round c = round_of (3, (uint64_t[]){7, 8, 8}, 0);
    struct digests_round d = round_of (3, (uint64_t[]){7, 7, 7}, 0);
    assert_true (digests_pattern (&a) == digests_pattern (&b));
    assert_true (digests_pattern (&a) != digests_pattern (&c));
    assert_true (digests_pattern (&d) == 0);
}

/* ---- The exchange ---------------------------------------------------------------------------- */

static struct digests make (zxid_t through)
{
    struct digests self;
    assert_true (digests_init (&self));
    for (zxid_t zxid = 1; zxid <= through; zxid++) {
        digests_note (&self, zxid, 1000 + zxid);
    }
    return self;
}

/* Who is behind answers when it gets there, who is ahead from memory; each once. */
static void questions_are_answered_at_their_zxid (void **state)
{
    (void) state;
    struct digests behind = make (99), ahead = make (300);
    uint64_t digest = 0;
    zxid_t zxid = 0;
    assert_false (digests_answer (&behind, 99, &digest, &zxid));
    digests_ask (&behind, 100);
    assert_false (digests_answer (&behind, 99, &digest, &zxid));
    digests_note (&behind, 100, 4711);
    digests_note (&behind, 101, 4712);
    assert_true (digests_answer (&behind, 101, &digest, &zxid));
    assert_int_equal (zxid, 100);
    assert_int_equal (digest, 4711);
    assert_false (digests_answer (&behind, 101, &digest, &zxid));
    digests_ask (&ahead, 100);
    assert_true (digests_answer (&ahead, 300, &digest, &zxid));
    assert_int_equal (digest, 1100);
    digests_deinit (&behind);
    digests_deinit (&ahead);
}

/* Where entries are many, a zxid that others have noted whether they are behind or ahead. */
static void the_leader_asks_for_what_all_know (void **state)
{
    (void) state;
    struct digests self = make (200);
    assert_int_equal (digests_choose (&self, 200), 192);
    digests_begin (&self, &(struct digests_report){1, true, 0, DIGESTS_NONE}, 192, 0);
    assert_int_equal (digests_choose (&self, 200), 200); /* nothing new of that kind */
    assert_true (digests_wants (&self, 256));
    assert_false (digests_wants (&self, 257));
    digests_ask (&self, 257);
    assert_true (digests_wants (&self, 257));
    digests_forget (&self);
    digests_note (&self, 200, 1);
    assert_int_equal (digests_choose (&self, 200), 200); /* that is all it knows */
    digests_deinit (&self);
}

/* What is too long ago, or of a state that was given up, is not told. */
static void the_past_ends (void **state)
{
    (void) state;
    struct digests self = make (DIGESTS_PAST + 10);
    uint64_t digest = 0;
    zxid_t zxid = 0;
    assert_false (digests_find (&self, 10, &digest));
    assert_true (digests_find (&self, 11, &digest));
    assert_false (digests_find (&self, 0, &digest));
    digests_ask (&self, 10);
    assert_false (digests_answer (&self, DIGESTS_PAST + 10, &digest, &zxid));
    digests_forget (&self);
    assert_false (digests_find (&self, 11, &digest));
    digests_deinit (&self);
}

/* What each server says of its snapshot: n, d, a (nothing, due, at it), or - if it has not told
 * anything; and who may go on, or begin. The first `voters` of them are. */
static void assert_turns (uint32_t voters, const char *said, const char *turns)
{
    struct digests_round round = {.zxid = 100};
    struct config_set configs = {.count = 1};
    for (uint32_t id = 1; said[id - 1] != '\0'; id++) {
        enum digests_snapshot snapshot = said[id - 1] == 'a'   ? DIGESTS_AT_IT
                                         : said[id - 1] == 'd' ? DIGESTS_DUE
                                                               : DIGESTS_NONE;
        struct config *config = &configs.configs[0];
        config->members[config->count++] =
            (struct config_member){.id = id, .role = id <= voters ? CONFIG_VOTER : CONFIG_OBSERVER};
        if (said[id - 1] != '-') {
            digests_add (&round, &(struct digests_report){id, true, 1, snapshot});
        }
    }
    for (uint32_t id = 1; said[id - 1] != '\0'; id++) {
        assert_int_equal (digests_turn (&round, &configs, id), turns[id - 1] == '*');
    }
    assert_false (digests_turn (&round, &configs, 9)); /* it has told nothing */
}

static void snapshots_take_turns (void **state)
{
    (void) state;
    assert_turns (1, "d", "*");
    assert_turns (2, "dd", "*-");
    assert_turns (3, "nnn", "---"); /* nobody has asked for it */
    assert_turns (3, "ndn", "-*-");
    assert_turns (3, "ddd", "*--");
    assert_turns (3, "dda", "--*");
    assert_turns (3, "nnd", "--*");
    assert_turns (3, "aad", "---"); /* none of them waited: both go on */
    assert_turns (5, "ddddd", "**---");
    assert_turns (5, "ddadd", "*-*--");
    assert_turns (5, "dandn", "**---");
    assert_turns (5, "dan-n", "-*---"); /* without them only two would be left */
    assert_turns (5, "ddd--", "*----");
    assert_turns (3, "dd-", "*--");
    assert_turns (3, "dddd", "*--*"); /* an observer is in no quorum */
    assert_turns (3, "ddna", "*--*");
}

static void a_round_takes_one_report_of_each (void **state)
{
    (void) state;
    struct digests self = make (100);
    digests_begin (&self, &(struct digests_report){1, true, 0, DIGESTS_DUE}, 100, 5);
    digests_told (&self, 100, &(struct digests_report){2, true, 1100, DIGESTS_NONE});
    digests_told (&self, 100, &(struct digests_report){2, true, 1, DIGESTS_NONE});
    digests_told (&self, 99,
                  &(struct digests_report){3, true, 1099, DIGESTS_NONE}); /* of an earlier one */
    assert_int_equal (self.round.count, 2);
    assert_true (digests_has (&self.round, 1));
    assert_int_equal (self.round.reports[0].digest, 1100);
    assert_int_equal (self.round.reports[0].snapshot, DIGESTS_DUE);
    assert_int_equal (self.round.reports[1].digest, 1100);
    assert_false (digests_has (&self.round, 3));
    digests_end (&self);
    digests_told (&self, 100, &(struct digests_report){3, true, 1100, DIGESTS_NONE});
    assert_int_equal (self.round.count, 0);
    struct digests_round full = {.zxid = 100};
    for (uint32_t id = 1; id <= CONFIG_MEMBERS_MAX; id++) {
        assert_true (digests_add (&full, &(struct digests_report){id, true, 1, DIGESTS_NONE}));
    }
    assert_false (digests_add (&full, &(struct digests_report){99, true, 1, DIGESTS_NONE}));
    digests_deinit (&self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (cases),
        cmocka_unit_test (heirs_bear_no_witness),
        cmocka_unit_test (heirs_prove_nothing_before_all_are_there),
        cmocka_unit_test (observers_are_judged_and_do_not_count),
        cmocka_unit_test (both_configurations_must_agree),
        cmocka_unit_test (every_pattern),
        cmocka_unit_test (patterns_tell_who_agrees),
        cmocka_unit_test (questions_are_answered_at_their_zxid),
        cmocka_unit_test (the_leader_asks_for_what_all_know),
        cmocka_unit_test (the_past_ends),
        cmocka_unit_test (snapshots_take_turns),
        cmocka_unit_test (a_round_takes_one_report_of_each),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
