/* Locks: what a contender does when nothing, or everything, goes wrong around it. */

#include "cohort/lock.h"

#include <stdio.h>

#include "tests/unit/recipes/fake.h"
#include "tests/unit/recipes/trace.h"

#define PATH "/locks/a"

static void on_event (cohort_lock_t *self, const cohort_lock_event_t *event, void *arg)
{
    const char *name = arg;
    assert_string_equal (event->path, PATH);
    switch (event->kind) {
    case COHORT_LOCK_GRANTED:
        assert_true (cohort_lock_held (self));
        assert_int_equal (event->token.czxid, fake_stat (cohort_lock_node (self))->czxid);
        assert_int_equal (event->token.czxid, cohort_lock_token (self).czxid);
        trace ("%s granted; ", name);
        break;
    case COHORT_LOCK_WAITING:
        trace ("%s waits; ", name);
        break;
    case COHORT_LOCK_REVOKED:
        assert_int_not_equal (event->token.czxid, 0);
        assert_int_equal (cohort_lock_token (self).czxid, 0);
        assert_false (cohort_lock_valid (self, 0));
        trace ("%s revoked %d; ", name, event->rc);
        break;
    case COHORT_LOCK_FAILED:
        assert_int_equal (event->token.czxid, 0);
        trace ("%s failed %d; ", name, event->rc);
        break;
    }
}

static cohort_lock_t *lock_of (cohort_t *client, const char *name)
{
    cohort_lock_t *lock = cohort_lock_new (client, PATH, name, strlen (name));
    assert_non_null (lock);
    cohort_lock_set_handler (lock, on_event, (void *) name);
    return lock;
}

static void acquire_as (cohort_lock_t *lock, cohort_lock_mode_t mode)
{
    assert_int_equal (cohort_lock_acquire (lock, mode), 0);
}

static void acquire (cohort_lock_t *lock)
{
    acquire_as (lock, COHORT_LOCK_EXCLUSIVE);
}

static void release (cohort_lock_t *lock)
{
    assert_int_equal (cohort_lock_release (lock), 0);
}

/* A contender with its client, in the line. */
struct contender {
    cohort_t *client;
    cohort_lock_t *lock;
};

static struct contender enters (const char *name, cohort_lock_mode_t mode)
{
    struct contender self = {.client = fake_client ()};
    self.lock = lock_of (self.client, name);
    acquire_as (self.lock, mode);
    fake_settle (self.client);
    return self;
}

/* Everybody does what is to be done. */
static void settle (struct contender *contenders, size_t count)
{
    for (size_t turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < count; i++) {
            fake_settle (contenders[i].client);
        }
    }
}

static void leave (struct contender *contenders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cohort_lock_destroy (&contenders[i].lock);
        fake_settle (contenders[i].client);
        assert_int_equal (fake_streams (contenders[i].client), 0);
    }
    assert_trace ("");
}

static int start (void **state)
{
    (void) state;
    trace_text[0] = 0;
    fake_reset ();
    return 0;
}

static int stop (void **state)
{
    (void) state;
    fake_reset ();
    return 0;
}

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

/* ---- What is lost ---------------------------------------------------------------------------- */

static void scenario_15_etcd_19597_a_waiter_hears_of_the_end_of_its_session (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    fake_expire (b.client, false, true);
    assert_int_equal (cohort_lock_wait (b.lock, -1), COHORT_ESESSIONEXPIRED);
    assert_trace ("A granted; B waits; B failed -112; ");
    assert_true (cohort_lock_valid (a.lock, 0));
    /* It may come again, in a new session. */
    acquire (b.lock);
    assert_int_equal (fake_renewals (), 1);
    fake_settle (b.client);
    release (a.lock);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("B waits; B granted; ");
    leave (&a, 1);
    leave (&b, 1);
}

static void a_waiter_whose_znode_is_deleted_hears_of_it (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    fake_delete (PATH "/exclusive-0000000001");
    assert_int_equal (cohort_lock_wait (b.lock, -1), COHORT_ENONODE);
    assert_trace ("A granted; B waits; B failed -101; ");
    leave (&a, 1);
    leave (&b, 1);
}

static void a_holder_whose_znode_is_deleted_is_revoked (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE),
                            enters ("B", COHORT_LOCK_EXCLUSIVE)};
    fake_begin ();
    fake_delete (PATH "/exclusive-0000000000");
    /* One of the same name is another's. */
    fake_create (PATH "/exclusive-0000000000", "", 77);
    fake_commit ();
    fake_settle (c[0].client);
    assert_trace ("A granted; B waits; A revoked -101; ");
    assert_int_equal (cohort_lock_release (c[0].lock), COHORT_ESTATE);
    fake_settle (c[1].client);
    assert_trace ("");
    fake_delete (PATH "/exclusive-0000000000");
    fake_settle (c[1].client);
    assert_trace ("B granted; ");
    leave (c, 2);
}

static void a_holder_hears_of_the_end_of_its_session (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    fake_expire (a.client, false, false);
    assert_false (cohort_lock_valid (a.lock, 0));
    assert_int_equal (cohort_lock_acquire (a.lock, COHORT_LOCK_EXCLUSIVE), COHORT_ESESSIONEXPIRED);
    /* Somebody else renews it: the lock is not the new session's. */
    assert_int_equal (cohort_renew (a.client), 0);
    assert_false (cohort_lock_valid (a.lock, 0));
    assert_int_equal (cohort_lock_acquire (a.lock, COHORT_LOCK_EXCLUSIVE), COHORT_ESESSIONEXPIRED);
    fake_settle (a.client);
    assert_trace ("A granted; A revoked -112; ");
    leave (&a, 1);
}

/* 3: the old session is being closed while a new one begins. */
static void scenario_3_6_curator_498_696_a_new_session_does_not_hold_the_old_place (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    uint64_t old = cohort_session_id (a.client);
    fake_expire (a.client, false, false);
    fake_settle (a.client);
    assert_trace ("A granted; A revoked -112; ");
    acquire (a.lock);
    fake_settle (a.client);
    assert_trace ("A waits; ");
    assert_false (cohort_lock_held (a.lock));
    fake_reap (old);
    fake_settle (a.client);
    assert_trace ("A granted; ");
    assert_int_equal (fake_stat (cohort_lock_node (a.lock))->ephemeral_owner,
                      cohort_session_id (a.client));
    leave (&a, 1);
}

/* The old znode of one who dropped and came back with the same session. */
static void scenario_4_curator_202_a_release_while_suspended_is_carried_out (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    fake_suspend (a.client);
    release (a.lock);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("A granted; B waits; ");
    fake_resume (a.client, false);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("B granted; ");
    leave (&a, 1);
    leave (&b, 1);
}

/* At which step does the session end? Each of them, and with every order of what is queued. */
static void the_session_may_end_at_every_step (void **state)
{
    for (int steps = 0; steps < 12; steps++) {
        for (int how = 0; how < 8; how++) {
            start (state);
            struct contender a = {.client = fake_client ()};
            struct contender b = {.client = fake_client ()};
            a.lock = lock_of (a.client, "A");
            b.lock = lock_of (b.client, "B");
            if (how & 4) {
                acquire (a.lock);
                fake_settle (a.client);
            }
            trace_text[0] = 0;
            acquire (b.lock);
            for (int i = 0; i < steps; i++) {
                fake_flush (b.client);
                cohort_dispatch (b.client, 1);
            }
            bool granted = strstr (trace_text, "granted") != NULL;
            trace_text[0] = 0;
            fake_expire (b.client, how & 1, how & 2);
            fake_settle (b.client);
            /* What was queued before comes first, but no grant of a session that has ended. */
            const char *waits = strncmp (trace_text, "B waits; ", 9) == 0 ? "B waits; " : "";
            char expected[64];
            snprintf (expected, sizeof (expected), "%sB %s -112; ", waits,
                      granted ? "revoked" : "failed");
            assert_trace (expected);
            fake_reap (cohort_session_id (b.client));
            fake_settle (a.client);
            acquire (b.lock);
            fake_settle (b.client);
            if (how & 4) {
                release (a.lock);
                fake_settle (a.client);
                fake_settle (b.client);
                assert_trace ("B waits; B granted; ");
            } else {
                assert_trace ("B granted; ");
            }
            leave (&a, 1);
            leave (&b, 1);
        }
    }
}

/* A request is refused at each step. */
static void every_request_may_be_refused (void **state)
{
    for (int steps = 0; steps < 12; steps++) {
        start (state);
        struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
        struct contender b = {.client = fake_client ()};
        b.lock = lock_of (b.client, "B");
        acquire (b.lock);
        for (int i = 0; i < steps; i++) {
            cohort_dispatch (b.client, 1);
            fake_flush (b.client);
        }
        fake_fail_request (b.client, COHORT_ENOAUTH);
        fake_settle (b.client);
        release (a.lock);
        fake_settle (a.client);
        fake_settle (b.client);
        trace_text[0] = 0;
        leave (&a, 1);
        leave (&b, 1);
        assert_null (fake_data (PATH "/exclusive-0000000001"));
    }
}

static void a_stream_that_ends_ends_the_place (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    fake_end_streams (b.client, COHORT_ELIMIT);
    fake_settle (b.client);
    assert_trace ("A granted; B waits; B failed -214; ");
    assert_null (fake_data (PATH "/exclusive-0000000001"));
    acquire (b.lock);
    fake_fail_stream (b.client);
    fake_settle (b.client);
    assert_trace ("B failed -10; ");
    assert_null (fake_data (PATH "/exclusive-0000000002"));
    leave (&a, 1);
    leave (&b, 1);
}

/* ---- Withdrawn and destroyed ----------------------------------------------------------------- */

/* At which step is it withdrawn, or destroyed? Nothing stays in the line, and no event comes. */
static void it_may_be_withdrawn_at_every_step (void **state)
{
    for (int steps = 0; steps < 12; steps++) {
        for (int how = 0; how < 4; how++) {
            start (state);
            struct contender a = {.client = fake_client ()};
            a.lock = lock_of (a.client, "A");
            if (how & 1) {
                acquire (a.lock);
                fake_settle (a.client);
            }
            struct contender b = {.client = fake_client ()};
            b.lock = lock_of (b.client, "B");
            acquire (b.lock);
            for (int i = 0; i < steps; i++) {
                fake_flush (b.client);
                cohort_dispatch (b.client, 1);
            }
            trace_text[0] = 0;
            if (how & 2) {
                cohort_lock_destroy (&b.lock);
            } else {
                release (b.lock);
            }
            fake_settle (b.client);
            assert_trace ("");
            assert_null (fake_data (PATH "/exclusive-0000000000") == NULL
                             ? NULL
                             : fake_data (PATH "/exclusive-0000000001"));
            assert_int_equal (fake_streams (b.client), 0);
            leave (&a, 1);
            cohort_lock_destroy (&b.lock);
            assert_null (fake_data (PATH "/exclusive-0000000000"));
        }
    }
}

static void a_release_that_cannot_be_sent_changes_nothing (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    fake_fail_call (a.client, COHORT_ELIMIT);
    assert_int_equal (cohort_lock_release (a.lock), COHORT_ELIMIT);
    assert_true (cohort_lock_valid (a.lock, 0));
    release (a.lock);
    assert_trace ("A granted; ");
    leave (&a, 1);
}

static void an_acquisition_that_is_sent_in_part_is_undone (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/locks", "", 0);
    cohort_lock_t *lock = lock_of (client, "A");
    for (int calls = 1; calls < 3; calls++) {
        fake_fail_later_call (client, calls, COHORT_ELIMIT);
        assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), COHORT_ELIMIT);
        fake_settle (client);
        assert_trace ("");
        char path[64];
        snprintf (path, sizeof (path), PATH "/exclusive-%010d", calls - 1);
        assert_null (fake_data (path));
    }
    acquire (lock);
    fake_settle (client);
    assert_trace ("A granted; ");
    cohort_lock_destroy (&lock);
}

/* ---- Inside handlers ------------------------------------------------------------------------- */

static cohort_lock_t *doomed_lock;
static cohort_t *doomed_client;
static cohort_lock_kind_t doomed_at;

static void destroy_all (cohort_lock_t *self, const cohort_lock_event_t *event, void *arg)
{
    (void) self;
    (void) arg;
    if (event->kind == doomed_at) {
        cohort_lock_destroy (&doomed_lock);
        /* While it looks who is ahead an answer is on its way, which somebody has to take. */
        if (event->kind != COHORT_LOCK_WAITING) {
            cohort_destroy (&doomed_client);
        }
    }
}

static void it_may_be_destroyed_in_its_handler (void **state)
{
    for (int kind = COHORT_LOCK_GRANTED; kind <= COHORT_LOCK_FAILED; kind++) {
        start (state);
        doomed_at = (cohort_lock_kind_t) kind;
        struct contender a = {.client = fake_client ()};
        a.lock = lock_of (a.client, "A");
        if (kind == COHORT_LOCK_WAITING || kind == COHORT_LOCK_FAILED) {
            acquire (a.lock);
            fake_settle (a.client);
        }
        doomed_client = fake_client ();
        doomed_lock = cohort_lock_new (doomed_client, PATH, NULL, 0);
        cohort_lock_set_handler (doomed_lock, destroy_all, NULL);
        acquire (doomed_lock);
        if (kind == COHORT_LOCK_REVOKED || kind == COHORT_LOCK_FAILED) {
            fake_settle (doomed_client);
            fake_expire (doomed_client, false, true);
            fake_settle (doomed_client);
        } else {
            assert_int_equal (cohort_lock_wait (doomed_lock, -1), COHORT_ECLOSING);
        }
        assert_null (doomed_lock);
        if (doomed_client != NULL) {
            fake_settle (doomed_client);
            cohort_destroy (&doomed_client);
        }
        trace_text[0] = 0;
        leave (&a, 1);
    }
}

static void again_at_once (cohort_lock_t *self, const cohort_lock_event_t *event, void *arg)
{
    int *turns = arg;
    if (event->kind == COHORT_LOCK_GRANTED && --*turns > 0) {
        cohort_lock_release (self);
        acquire (self);
    } else if (event->kind == COHORT_LOCK_REVOKED || event->kind == COHORT_LOCK_FAILED) {
        acquire (self);
        assert_int_equal (cohort_lock_wait (self, 10), COHORT_EDEADLK);
        assert_int_equal (cohort_lock_try (self, COHORT_LOCK_EXCLUSIVE, 10), COHORT_EDEADLK);
    }
}

static void it_may_be_released_and_acquired_in_its_handler (void **state)
{
    (void) state;
    int turns = 5;
    cohort_t *client = fake_client ();
    cohort_lock_t *lock = cohort_lock_new (client, PATH, NULL, 0);
    cohort_lock_set_handler (lock, again_at_once, &turns);
    acquire (lock);
    fake_settle (client);
    assert_int_equal (turns, 0);
    assert_true (cohort_lock_valid (lock, 0));
    fake_expire (client, false, true);
    fake_settle (client);
    assert_true (cohort_lock_valid (lock, 0));
    fake_delete (cohort_lock_node (lock));
    fake_settle (client);
    assert_true (cohort_lock_valid (lock, 0));
    cohort_lock_destroy (&lock);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)
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
        TEST (scenario_15_etcd_19597_a_waiter_hears_of_the_end_of_its_session),
        TEST (a_waiter_whose_znode_is_deleted_hears_of_it),
        TEST (a_holder_whose_znode_is_deleted_is_revoked),
        TEST (a_holder_hears_of_the_end_of_its_session),
        TEST (scenario_3_6_curator_498_696_a_new_session_does_not_hold_the_old_place),
        TEST (scenario_4_curator_202_a_release_while_suspended_is_carried_out),
        TEST (the_session_may_end_at_every_step),
        TEST (every_request_may_be_refused),
        TEST (a_stream_that_ends_ends_the_place),
        TEST (it_may_be_withdrawn_at_every_step),
        TEST (a_release_that_cannot_be_sent_changes_nothing),
        TEST (an_acquisition_that_is_sent_in_part_is_undone),
        TEST (it_may_be_destroyed_in_its_handler),
        TEST (it_may_be_released_and_acquired_in_its_handler),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
