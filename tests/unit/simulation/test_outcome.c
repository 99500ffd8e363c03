/* Invariants 15 to 19, and the table itself: what must be, and what must not. */

#include "tests/unit/simulation/fixture.h"

static zxid_t z (uint32_t epoch, uint64_t counter)
{
    return zxid_make (epoch, counter);
}

/* 15 */
static void test_two_states_at_one_zxid (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 2); /* states are what their zxid says */
    sight_turn (self, 3, z (1, 2), z (1, 2));
    assert_true (fixture_holds (self, 15));
    sight_turn (self, 3, z (1, 2), 666);
    assert_false (fixture_holds (self, 15));
    sight_turn (self, 3, z (1, 1), 666);
    assert_true (fixture_holds (self, 15)); /* nobody was seen there */
}

/* 16 */
static void test_acknowledged_and_not_committed (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 2);
    fixture_log (self, 1, ZAB_LEADING, 1, 3, 3);
    sight_answer (self, z (1, 2), NULL);
    assert_true (fixture_holds (self, 16));
    sight_answer (self, z (1, 3), NULL);
    assert_false (fixture_holds (self, 16));
}

static void test_committed_and_gone_in_the_end (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 2);
    sight_rest (self, true, 0);
    assert_false (fixture_holds (self, 16)); /* server 3 has none of it */
    sight_rest (self, true, 0)->core = 0x6;
    assert_true (fixture_holds (self, 16)); /* and was cut off */
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 1, 2);
    fixture_commit (self, 3, ZAB_FOLLOWING, z (1, 2));
    fixture_apply (self, 3, z (1, 2));
    sight_rest (self, true, 0);
    assert_true (fixture_holds (self, 16));
}

/* 17 */
static void test_ephemeral_outlives_its_session (void **state)
{
    struct fixture *self = *state;
    struct sight_ephemeral ephemerals[] = {{"/a", 1, true}, {"/b", 2, true}};
    struct sight *sight = sight_turn (self, 1, 0, 0);
    assert_true (fixture_holds (self, 17));
    sight->ephemerals = ephemerals;
    sight->ephemerals_count = 2;
    assert_true (fixture_holds (self, 17));
    ephemerals[1].owner_lives = false;
    assert_false (fixture_holds (self, 17));
}

static void test_dead_session_keeps_ephemerals (void **state)
{
    struct fixture *self = *state;
    struct sight *sight = sight_turn (self, 1, 0, 0);
    sight->kind = SIGHT_PEACE;
    sight->dead_ms_max = 100;
    sight->dead_ms = 100;
    assert_true (fixture_holds (self, 17));
    sight->dead_ms = 101;
    assert_false (fixture_holds (self, 17));
}

static void test_sequential_name_repeats (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 2);
    sight_answer (self, z (1, 1), "/q-0000000000");
    fixture_see (self);
    sight_answer (self, z (1, 2), "/q-0000000001");
    assert_true (fixture_holds (self, 17));
    sight_answer (self, z (1, 2), "/q-0000000000");
    assert_false (fixture_holds (self, 17));
}

/* 18 */
static void test_no_rest (void **state)
{
    struct fixture *self = *state;
    sight_rest (self, true, 1000);
    assert_true (fixture_holds (self, 18));
    sight_rest (self, true, 1001);
    assert_false (fixture_holds (self, 18));
    sight_rest (self, false, 1000)->waits_for = "server 2 is LOOKING";
    assert_false (fixture_holds (self, 18));
}

/* 19 */
static void test_wrong_state_is_shown (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 2);
    struct sight *sight = sight_turn (self, 3, z (1, 2), 666);
    sight->wrong = true;
    sight->exposed_ms = sight->exposed_ms_max = 100;
    assert_true (fixture_holds (self, 15)); /* as long as it is known to be: */
    assert_true (fixture_holds (self, 19));
    sight->exposed_ms = 101;
    assert_false (fixture_holds (self, 19));
}

/* 22 */
static void test_results_are_hoarded (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 2);
    struct sight *sight = sight_turn (self, 3, z (1, 2), z (1, 2));
    assert_true (fixture_holds (self, 22));
    sight->hoard = 7;
    assert_false (fixture_holds (self, 22));
}

static void test_wrong_state_is_no_measure (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 2);
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 1, 2);
    fixture_commit (self, 1, ZAB_LEADING, z (1, 2));
    fixture_commit (self, 2, ZAB_FOLLOWING, z (1, 2));
    sight_turn (self, 1, z (1, 2), 666)->wrong = true;
    fixture_see (self);
    sight_turn (self, 2, z (1, 2), z (1, 2));
    assert_true (fixture_holds (self, 15));
    assert_null (ghost_digest (&self->ghost, z (1, 2)));
    fixture_see (self);
    assert_non_null (ghost_digest (&self->ghost, z (1, 2)));
}

/* ---- The table ------------------------------------------------------------------------------- */

static void test_table_is_whole (void **state)
{
    (void) state;
    for (unsigned i = 0; i < INVARIANTS_COUNT; i++) {
        assert_int_equal (invariants[i].number, i + 1);
        assert_non_null (invariants[i].name);
        assert_true (invariants[i].when != 0);
        assert_non_null (invariants[i].holds);
    }
}

static void test_table_names_what_is_broken (void **state)
{
    struct fixture *self = *state;
    struct objection objection = {.text = ""};
    sight_update (self, 1, ZAB_LEADING, 4);
    assert_null (invariants_see (&self->ghost, &self->sight, &objection));
    sight_update (self, 2, ZAB_LEADING, 4);
    const struct invariant *broken = invariants_see (&self->ghost, &self->sight, &objection);
    assert_non_null (broken);
    assert_int_equal (broken->number, 1);
    assert_string_not_equal (objection.text, "");
}

static void test_shadow (void **state)
{
    (void) state;
    struct shadow log = {.count = 0}, copy = {.count = 0};
    for (uint64_t i = 1; i <= 300; i++) {
        shadow_append (&log, (struct zab_point){i, 1000 + i});
    }
    assert_true (shadow_covers (&log, (struct zab_point){300, 1300}));
    assert_false (shadow_covers (&log, (struct zab_point){300, 1}));
    assert_false (shadow_covers (&log, (struct zab_point){301, 1301}));
    shadow_compact (&log, (struct zab_point){100, 1100});
    assert_true (shadow_covers (&log, (struct zab_point){99, 0}));
    assert_true (shadow_covers (&log, (struct zab_point){100, 1100}));
    assert_false (shadow_covers (&log, (struct zab_point){100, 1}));
    assert_null (shadow_find (&log, 100));
    assert_int_equal (shadow_find (&log, 101)->chain, 1101);
    shadow_truncate (&log, 200);
    assert_int_equal (shadow_last (&log).zxid, 200);
    assert_int_equal (shadow_floor (&log, 250)->zxid, 200);
    assert_null (shadow_floor (&log, 100));
    shadow_copy (&copy, &log);
    assert_int_equal (copy.count, 100);
    assert_int_equal (copy.base.chain, 1100);
    shadow_truncate (&log, 100);
    assert_int_equal (shadow_last (&log).chain, 1100);
    shadow_deinit (&log);
    shadow_deinit (&copy);
}

/* ---- 20 -------------------------------------------------------------------------------------- */

static void test_proposes_without_room (void **state)
{
    struct fixture *self = *state;
    sight_update (self, 1, ZAB_LEADING, 1);
    self->status.full = self->status.starved = true;
    fixture_see (self);
    sight_update (self, 1, ZAB_LEADING, 1);
    update_entry (self, zxid_make (1, 1), fixture_chain (zxid_make (1, 1)));
    assert_true (fixture_holds (self, 20)); /* there is room again */
    self->status.starved = true;
    assert_false (fixture_holds (self, 20));
    self->status.role = ZAB_FOLLOWING;
    assert_true (fixture_holds (self, 20)); /* it logs what another proposes */
}

static void test_full_disks (void **state)
{
    struct fixture *self = *state;
    struct sight *sight = sight_turn (self, 1, 0, 0);
    sight->kind = SIGHT_SPACE;
    sight->space_ms_max = 100;
    sight->leads_full_ms = sight->keeps_full_ms = sight->untold_ms = 100;
    assert_true (fixture_holds (self, 20));
    sight->leads_full_ms = 101;
    assert_false (fixture_holds (self, 20));
    sight->leads_full_ms = 0;
    sight->keeps_full_ms = 101;
    assert_false (fixture_holds (self, 20));
    sight->keeps_full_ms = 0;
    sight->untold_ms = 101;
    assert_false (fixture_holds (self, 20));
}

/* ---- 28 -------------------------------------------------------------------------------------- */

static void test_hanging_disks (void **state)
{
    struct fixture *self = *state;
    struct sight *sight = sight_turn (self, 1, 0, 0);
    sight->kind = SIGHT_HANGS;
    sight->hangs_ms = sight->hangs_ms_max = 100;
    assert_true (fixture_holds (self, 28));
    sight->hangs_ms = 101;
    assert_false (fixture_holds (self, 28));
}

static void test_untold_without_a_quorum (void **state)
{
    struct fixture *self = *state;
    struct sight *sight = sight_turn (self, 1, 0, 0);
    sight->kind = SIGHT_LOST;
    sight->lost_ms = sight->lost_ms_max = 100;
    assert_true (fixture_holds (self, 29));
    sight->lost_ms = 101;
    assert_false (fixture_holds (self, 29));
}

static void test_unbounded (void **state)
{
    struct fixture *self = *state;
    struct sight *sight = sight_turn (self, 1, 0, 0);
    sight->kind = SIGHT_KEPT;
    sight->kept_what = "bytes of requests";
    sight->kept = sight->kept_max = 100;
    assert_true (fixture_holds (self, 30));
    sight->kept = 101;
    assert_false (fixture_holds (self, 30));
}

/* ---- 23 -------------------------------------------------------------------------------------- */

static void test_peace (void **state)
{
    struct fixture *self = *state;
    struct sight *sight = sight_turn (self, 1, 0, 0);
    sight->kind = SIGHT_PEACE;
    sight->peace_ms_max = 100;
    sight->peace_ms = 100;
    assert_true (fixture_holds (self, 23)); /* they may take so long to elect somebody */
    sight->peace_ms = 101;
    assert_false (fixture_holds (self, 23));
    sight->led = true;
    assert_true (fixture_holds (self, 23));
    sight->led = false;
    sight->was_led = true;
    sight->peace_ms = 50;
    assert_false (fixture_holds (self, 23)); /* nothing has made them change */
    sight->led = true;
    sight->unserved_ms_max = 100;
    sight->unserved_ms = 100;
    assert_true (fixture_holds (self, 23));
    sight->unserved_ms = 101;
    assert_false (fixture_holds (self, 23));
}

int main (void)
{
#define INVARIANT_TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown (name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        INVARIANT_TEST (test_two_states_at_one_zxid),
        INVARIANT_TEST (test_acknowledged_and_not_committed),
        INVARIANT_TEST (test_committed_and_gone_in_the_end),
        INVARIANT_TEST (test_ephemeral_outlives_its_session),
        INVARIANT_TEST (test_dead_session_keeps_ephemerals),
        INVARIANT_TEST (test_sequential_name_repeats),
        INVARIANT_TEST (test_no_rest),
        INVARIANT_TEST (test_wrong_state_is_shown),
        INVARIANT_TEST (test_results_are_hoarded),
        INVARIANT_TEST (test_wrong_state_is_no_measure),
        cmocka_unit_test (test_table_is_whole),
        INVARIANT_TEST (test_table_names_what_is_broken),
        INVARIANT_TEST (test_proposes_without_room),
        INVARIANT_TEST (test_full_disks),
        INVARIANT_TEST (test_hanging_disks),
        INVARIANT_TEST (test_untold_without_a_quorum),
        INVARIANT_TEST (test_unbounded),
        INVARIANT_TEST (test_peace),
        cmocka_unit_test (test_shadow),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
