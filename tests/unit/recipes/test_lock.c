/* Locks: who holds them, alone, in line, together, and how long one waits. */

#include "tests/unit/recipes/contenders.h"

/* ---- Alone ----------------------------------------------------------------------------------- */

static void uncontended_is_one_write_and_one_round_trip (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/locks", "", 0);
    cohort_lock_t *lock = lock_of (client, "A");
    assert_false (cohort_lock_held (lock));
    acquire (lock);
    assert_false (cohort_lock_valid (lock, 0));
    /* What is sent now is answered in one round trip. */
    fake_flush (client);
    fake_hold (client, true);
    cohort_dispatch (client, 0);
    assert_trace ("A granted; ");
    assert_int_equal (fake_writes (), 1);
    assert_true (cohort_lock_valid (lock, 0));
    fake_hold (client, false);
    fake_settle (client);
    assert_int_equal (fake_writes (), 1);
    assert_string_equal (cohort_lock_node (lock), PATH "/exclusive-0000000000");
    assert_int_equal (fake_stat (cohort_lock_node (lock))->ephemeral_owner,
                      cohort_session_id (client));
    assert_int_equal (fake_streams (client), 1);
    release (lock);
    assert_false (cohort_lock_held (lock));
    assert_false (cohort_lock_valid (lock, 0));
    assert_null (cohort_lock_node (lock));
    fake_settle (client);
    assert_int_equal (fake_writes (), 2);
    assert_null (fake_data (PATH "/exclusive-0000000000"));
    assert_int_equal (fake_streams (client), 0);
    cohort_lock_destroy (&lock);
    assert_trace ("");
}

static void missing_containers_are_made (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    assert_trace ("A granted; ");
    assert_non_null (fake_data ("/locks"));
    leave (&a, 1);
}

static void what_cannot_be_is_refused (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    assert_null (cohort_lock_new (NULL, PATH, NULL, 0));
    assert_null (cohort_lock_new (client, NULL, NULL, 0));
    assert_null (cohort_lock_new (client, PATH, NULL, 1));
    cohort_lock_t *lock = lock_of (client, "A");
    assert_int_equal (cohort_lock_acquire (lock, (cohort_lock_mode_t) 2), COHORT_EINVAL);
    assert_int_equal (cohort_lock_release (lock), COHORT_ESTATE);
    assert_int_equal (cohort_lock_downgrade (lock), COHORT_ESTATE);
    assert_int_equal (cohort_lock_wait (lock, -1), COHORT_ESTATE);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_lock_guard (lock, txn), COHORT_ESTATE);
    cohort_txn_destroy (&txn);
    fake_fail_call (client, COHORT_EPATH);
    assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), COHORT_EPATH);
    fake_fail_request (client, COHORT_ENOAUTH);
    acquire (lock);
    assert_int_equal (cohort_lock_wait (lock, -1), COHORT_ENOAUTH);
    assert_int_equal (cohort_lock_wait (lock, -1), COHORT_ENOAUTH);
    assert_int_equal (cohort_lock_release (lock), COHORT_ESTATE);
    assert_trace ("A failed -102; ");
    cohort_lock_destroy (&lock);
    cohort_lock_destroy (&lock);
}

static void a_path_that_can_have_no_children_fails (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/locks", "", 0);
    fake_create (PATH, "", 77);
    cohort_lock_t *lock = lock_of (client, "A");
    acquire (lock);
    assert_int_equal (cohort_lock_wait (lock, -1), COHORT_ENOCHILDREN4EPHEMERALS);
    assert_trace ("A failed -108; ");
    cohort_lock_destroy (&lock);
}

static void it_is_reentrant (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    acquire (a.lock);
    acquire_as (a.lock, COHORT_LOCK_SHARED);
    assert_int_equal (cohort_lock_wait (a.lock, 0), 0);
    release (a.lock);
    release (a.lock);
    assert_true (cohort_lock_valid (a.lock, 0));
    assert_int_equal (fake_requests (a.client), 0);
    release (a.lock);
    assert_false (cohort_lock_valid (a.lock, 0));
    assert_int_equal (cohort_lock_release (a.lock), COHORT_ESTATE);
    assert_trace ("A granted; ");
    leave (&a, 1);
}

static void valid_asks_the_session (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    fake_set_valid_ms (a.client, 100);
    assert_true (cohort_lock_valid (a.lock, 99));
    assert_false (cohort_lock_valid (a.lock, 100));
    assert_true (cohort_lock_valid (a.lock, -5));
    fake_set_valid_ms (a.client, 0);
    assert_false (cohort_lock_valid (a.lock, -5));
    assert_trace ("A granted; ");
    leave (&a, 1);
}

static void a_guard_holds_as_long_as_the_grant (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    fake_create ("/saved", "", 0);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_lock_guard (a.lock, txn), 0);
    assert_int_equal (cohort_txn_set (txn, "/saved", "x", 1, COHORT_ANY_VERSION), 0);
    assert_int_equal (cohort_multi_async (a.client, txn, NULL, NULL), 0);
    fake_settle (a.client);
    assert_string_equal (fake_data ("/saved"), "x");
    cohort_txn_destroy (&txn);

    txn = cohort_txn_new ();
    assert_int_equal (cohort_lock_guard (a.lock, txn), 0);
    assert_int_equal (cohort_txn_set (txn, "/saved", "late", 4, COHORT_ANY_VERSION), 0);
    release (a.lock);
    assert_int_equal (cohort_multi_async (a.client, txn, NULL, NULL), 0);
    fake_settle (a.client);
    assert_string_equal (fake_data ("/saved"), "x");
    cohort_txn_destroy (&txn);
    assert_trace ("A granted; ");
    leave (&a, 1);
}

/* ---- Several --------------------------------------------------------------------------------- */

static void they_are_served_in_order (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE),
                            enters ("B", COHORT_LOCK_EXCLUSIVE),
                            enters ("C", COHORT_LOCK_EXCLUSIVE)};
    assert_trace ("A granted; B waits; C waits; ");
    uint64_t first = cohort_lock_token (c[0].lock).czxid;
    assert_int_equal (cohort_lock_token (c[1].lock).czxid, 0);
    release (c[0].lock);
    settle (c, 3);
    assert_trace ("B granted; ");
    uint64_t second = cohort_lock_token (c[1].lock).czxid;
    assert_true (second > first);
    release (c[1].lock);
    settle (c, 3);
    assert_trace ("C granted; ");
    assert_true (cohort_lock_token (c[2].lock).czxid > second);
    leave (c, 3);
}

static void two_of_one_session_exclude_each_other (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = {.client = a.client, .lock = lock_of (a.client, "B")};
    acquire (b.lock);
    fake_settle (a.client);
    assert_trace ("A granted; B waits; ");
    cohort_lock_destroy (&a.lock);
    fake_settle (b.client);
    assert_trace ("B granted; ");
    leave (&b, 1);
}

static void a_release_wakes_one (void **state)
{
    (void) state;
    struct contender c[] = {
        enters ("A", COHORT_LOCK_EXCLUSIVE), enters ("B", COHORT_LOCK_EXCLUSIVE),
        enters ("C", COHORT_LOCK_EXCLUSIVE), enters ("D", COHORT_LOCK_EXCLUSIVE)};
    settle (c, 4);
    release (c[0].lock);
    fake_settle (c[0].client);
    assert_int_equal (fake_callbacks (c[1].client), 1);
    assert_int_equal (fake_callbacks (c[2].client), 0);
    assert_int_equal (fake_callbacks (c[3].client), 0);
    /* B knows that A was first, and needs no look. */
    cohort_dispatch (c[1].client, 0);
    assert_trace ("A granted; B waits; C waits; D waits; B granted; ");
    settle (c, 4);
    /* And C has learned it from the record of B's grant. */
    release (c[1].lock);
    fake_settle (c[1].client);
    cohort_dispatch (c[2].client, 0);
    assert_trace ("C granted; ");
    assert_int_equal (fake_callbacks (c[3].client), 0);
    leave (&c[3], 1);
    leave (&c[2], 1);
    leave (c, 2);
}

static void who_withdraws_from_the_middle_makes_no_holder (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE),
                            enters ("B", COHORT_LOCK_EXCLUSIVE),
                            enters ("C", COHORT_LOCK_EXCLUSIVE)};
    release (c[1].lock);
    settle (c, 3);
    assert_trace ("A granted; B waits; C waits; ");
    assert_false (cohort_lock_held (c[2].lock));
    release (c[0].lock);
    settle (c, 3);
    assert_trace ("C granted; ");
    leave (c, 3);
}

static void a_long_line_is_looked_through_by_nobody (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_lock_t *locks[60];
    for (size_t i = 0; i < 60; i++) {
        locks[i] = cohort_lock_new (client, PATH, NULL, 0);
        acquire (locks[i]);
    }
    fake_settle (client);
    for (size_t i = 0; i < 60; i++) {
        for (size_t j = i; j < 60; j++) {
            assert_int_equal (cohort_lock_held (locks[j]), j == i);
        }
        cohort_lock_destroy (&locks[i]);
        fake_settle (client);
    }
}

/* ---- Shared ---------------------------------------------------------------------------------- */

static void shared_ones_hold_it_together (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_SHARED), enters ("B", COHORT_LOCK_SHARED),
                            enters ("C", COHORT_LOCK_EXCLUSIVE), enters ("D", COHORT_LOCK_SHARED)};
    assert_trace ("A granted; B granted; C waits; D waits; ");
    assert_int_equal (cohort_lock_acquire (c[0].lock, COHORT_LOCK_EXCLUSIVE), COHORT_ESTATE);
    /* The nearest one goes, and the other still holds. */
    release (c[1].lock);
    settle (c, 4);
    assert_trace ("");
    release (c[0].lock);
    settle (c, 4);
    assert_trace ("C granted; ");
    release (c[2].lock);
    settle (c, 4);
    assert_trace ("D granted; ");
    leave (c, 4);
}

static void all_shared_ones_behind_an_exclusive_one_are_granted (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE), enters ("B", COHORT_LOCK_SHARED),
                            enters ("C", COHORT_LOCK_SHARED), enters ("D", COHORT_LOCK_EXCLUSIVE)};
    release (c[0].lock);
    settle (c, 4);
    assert_trace ("A granted; B waits; C waits; D waits; B granted; C granted; ");
    leave (&c[3], 1);
    leave (c, 3);
}

static void scenario_10_kazoo_649_a_reader_between_two_writers (void **state)
{
    (void) state;
    struct contender c[] = {enters ("W1", COHORT_LOCK_EXCLUSIVE), enters ("R2", COHORT_LOCK_SHARED),
                            enters ("W3", COHORT_LOCK_EXCLUSIVE)};
    assert_trace ("W1 granted; R2 waits; W3 waits; ");
    release (c[0].lock);
    settle (c, 3);
    assert_trace ("R2 granted; ");
    release (c[1].lock);
    settle (c, 3);
    assert_trace ("W3 granted; ");
    leave (c, 3);
}

/* CURATOR-621, as well. */
static void a_downgrade_keeps_place_and_token (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE), enters ("B", COHORT_LOCK_SHARED),
                            enters ("C", COHORT_LOCK_EXCLUSIVE), enters ("D", COHORT_LOCK_SHARED)};
    assert_trace ("A granted; B waits; C waits; D waits; ");
    cohort_token_t token = cohort_lock_token (c[0].lock);
    assert_int_equal (cohort_lock_downgrade (c[0].lock), 0);
    assert_int_equal (cohort_lock_downgrade (c[0].lock), 0);
    settle (c, 4);
    assert_trace ("B granted; ");
    assert_true (cohort_lock_valid (c[0].lock, 0));
    assert_int_equal (cohort_lock_token (c[0].lock).czxid, token.czxid);
    assert_int_equal (cohort_lock_acquire (c[0].lock, COHORT_LOCK_EXCLUSIVE), COHORT_ESTATE);
    release (c[1].lock);
    settle (c, 4);
    assert_trace ("");
    release (c[0].lock);
    settle (c, 4);
    assert_trace ("C granted; ");
    leave (&c[3], 1);
    leave (c, 3);
}

static void a_shared_one_that_comes_later_sees_the_downgrade (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    assert_int_equal (cohort_lock_downgrade (a.lock), 0);
    fake_settle (a.client);
    struct contender b = enters ("B", COHORT_LOCK_SHARED);
    struct contender c = enters ("C", COHORT_LOCK_EXCLUSIVE);
    assert_trace ("A granted; B granted; C waits; ");
    leave (&c, 1);
    leave (&b, 1);
    leave (&a, 1);
}

static void a_downgrade_that_cannot_be_sent_is_none (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    fake_fail_call (a.client, COHORT_ELIMIT);
    assert_int_equal (cohort_lock_downgrade (a.lock), COHORT_ELIMIT);
    acquire (a.lock);
    assert_trace ("A granted; ");
    leave (&a, 1);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void foreign_children_do_not_count (void **state)
{
    (void) state;
    fake_create ("/locks", "", 0);
    fake_create (PATH, "", 0);
    fake_create (PATH "/config", "", 0);
    fake_create (PATH "/exclusive-", "", 0);
    fake_create (PATH "/exclusive-00000000001", "", 0);
    fake_create (PATH "/exclusive-000", "", 0);
    fake_create (PATH "/exclusive-0000000000x", "", 0);
    fake_create (PATH "/shared-abc", "", 0);
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE), enters ("B", COHORT_LOCK_SHARED)};
    assert_trace ("A granted; B waits; ");
    release (c[0].lock);
    settle (c, 2);
    assert_trace ("B granted; ");
    leave (c, 2);
}

static void numbers_of_more_than_ten_digits_stand_behind (void **state)
{
    (void) state;
    fake_create ("/locks", "", 0);
    fake_create (PATH, "", 0);
    fake_set_sequence (PATH, 9999999998);
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE), enters ("B", COHORT_LOCK_SHARED),
                            enters ("C", COHORT_LOCK_EXCLUSIVE), enters ("D", COHORT_LOCK_SHARED),
                            enters ("E", COHORT_LOCK_EXCLUSIVE)};
    assert_string_equal (cohort_lock_node (c[2].lock), PATH "/exclusive-10000000000");
    assert_trace ("A granted; B waits; C waits; D waits; E waits; ");
    release (c[3].lock);
    settle (c, 5);
    assert_trace ("");
    release (c[0].lock);
    settle (c, 5);
    assert_trace ("B granted; ");
    release (c[1].lock);
    settle (c, 5);
    assert_trace ("C granted; ");
    release (c[2].lock);
    settle (c, 5);
    assert_trace ("E granted; ");
    leave (c, 5);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void a_wait_that_ends_in_time_withdraws (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    assert_int_equal (cohort_lock_wait (b.lock, 1), COHORT_ETIMEDOUT);
    assert_null (cohort_lock_node (b.lock));
    fake_settle (b.client);
    assert_null (fake_data (PATH "/exclusive-0000000001"));
    assert_int_equal (cohort_lock_wait (b.lock, 1), COHORT_ESTATE);
    assert_trace ("A granted; B waits; ");
    leave (&a, 1);
    leave (&b, 1);
}

static void try_takes_what_is_free_and_nothing_else (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_SHARED);
    struct contender b = {.client = fake_client ()};
    b.lock = lock_of (b.client, "B");
    assert_int_equal (cohort_lock_try (b.lock, COHORT_LOCK_EXCLUSIVE, 1000), COHORT_EBUSY);
    assert_int_equal (cohort_lock_release (b.lock), COHORT_ESTATE);
    fake_settle (b.client);
    assert_null (fake_data (PATH "/exclusive-0000000001"));
    assert_trace ("A granted; B waits; ");
    assert_int_equal (cohort_lock_try (b.lock, COHORT_LOCK_SHARED, 1000), 0);
    assert_int_equal (cohort_lock_try (b.lock, COHORT_LOCK_SHARED, 1000), 0);
    assert_trace ("B granted; ");
    release (b.lock);
    assert_true (cohort_lock_held (b.lock));
    leave (&b, 1);
    release (a.lock);
    leave (&a, 1);
}

static void scenario_11_kazoo_732_a_failed_try_leaves_nothing_behind (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = {.client = fake_client ()};
    b.lock = lock_of (b.client, "B");
    acquire (b.lock);
    /* The creation is carried out; its answer, and what is to clean up, meet a suspended session.
     */
    fake_flush (b.client);
    fake_suspend (b.client);
    assert_int_equal (cohort_lock_wait (b.lock, 0), COHORT_ETIMEDOUT);
    fake_settle (b.client);
    assert_non_null (fake_data (PATH "/exclusive-0000000001"));
    fake_resume (b.client, false);
    fake_settle (b.client);
    assert_null (fake_data (PATH "/exclusive-0000000001"));
    assert_trace ("A granted; B waits; ");
    leave (&a, 1);
    leave (&b, 1);
}

/* The reply of a creation is a matter of the client: it answers with the first result. What a lock
 * adds is that it never creates twice, and never goes without withdrawing. */
static void scenario_1_curator_45_no_orphan_when_replies_are_late (void **state)
{
    (void) state;
    struct contender a = {.client = fake_client ()};
    a.lock = lock_of (a.client, "A");
    acquire (a.lock);
    fake_flush (a.client);
    fake_suspend (a.client);
    fake_resume (a.client, true);
    fake_settle (a.client);
    assert_trace ("A granted; ");
    assert_non_null (fake_data (PATH "/exclusive-0000000000"));
    assert_null (fake_data (PATH "/exclusive-0000000001"));
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    cohort_lock_destroy (&a.lock);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("B waits; B granted; ");
    leave (&b, 1);
}

static void scenario_17_etcd_22082_a_late_release_spares_the_next_grant (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    cohort_token_t token = cohort_lock_token (a.lock);
    fake_hold (a.client, true);
    release (a.lock);
    acquire (a.lock);
    /* The release is carried out behind everybody's back, and once more as it was. */
    fake_hold (a.client, false);
    fake_settle (a.client);
    assert_trace ("A granted; A granted; ");
    assert_true (cohort_lock_token (a.lock).czxid > token.czxid);
    assert_non_null (fake_data (cohort_lock_node (a.lock)));
    leave (&a, 1);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (uncontended_is_one_write_and_one_round_trip),
        TEST (missing_containers_are_made),
        TEST (what_cannot_be_is_refused),
        TEST (a_path_that_can_have_no_children_fails),
        TEST (it_is_reentrant),
        TEST (valid_asks_the_session),
        TEST (a_guard_holds_as_long_as_the_grant),
        TEST (they_are_served_in_order),
        TEST (two_of_one_session_exclude_each_other),
        TEST (a_release_wakes_one),
        TEST (who_withdraws_from_the_middle_makes_no_holder),
        TEST (a_long_line_is_looked_through_by_nobody),
        TEST (shared_ones_hold_it_together),
        TEST (all_shared_ones_behind_an_exclusive_one_are_granted),
        TEST (scenario_10_kazoo_649_a_reader_between_two_writers),
        TEST (a_downgrade_keeps_place_and_token),
        TEST (a_shared_one_that_comes_later_sees_the_downgrade),
        TEST (a_downgrade_that_cannot_be_sent_is_none),
        TEST (foreign_children_do_not_count),
        TEST (numbers_of_more_than_ten_digits_stand_behind),
        TEST (a_wait_that_ends_in_time_withdraws),
        TEST (try_takes_what_is_free_and_nothing_else),
        TEST (scenario_11_kazoo_732_a_failed_try_leaves_nothing_behind),
        TEST (scenario_1_curator_45_no_orphan_when_replies_are_late),
        TEST (scenario_17_etcd_22082_a_late_release_spares_the_next_grant),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
