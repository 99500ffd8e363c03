/* The recipes when memory runs out at any allocation: nothing leaks, nothing is half done, and
 * trying again leads to where it would have led. */

#include <stdio.h>
#include <stdlib.h>

#include "cohort/await.h"
#include "cohort/barrier.h"
#include "cohort/cell.h"
#include "cohort/directory.h"
#include "cohort/lease.h"
#include "cohort/lock.h"
#include "cohort/member.h"
#include "cohort/mirror.h"
#include "cohort/multilock.h"
#include "cohort/queue.h"
#include "cohort/sem.h"
#include "tests/unit/recipes/failing.h"
#include "tests/unit/recipes/fake.h"
#include "tests/unit/unit.h"

static void settle_member (cohort_t *client, cohort_member_t *member)
{
    fake_settle (client);
    if (cohort_member_wait (member, 0) != 0) {
        assert_int_equal (cohort_member_retry (member), 0);
        assert_int_equal (cohort_member_wait (member, -1), 0);
    }
}

static void member_life (cohort_t *client)
{
    cohort_member_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_member_new (client, "/m/n", "one", 3, COHORT_MEMBER_WAIT);
    }
    assert_non_null (self);
    settle_member (client, self);
    assert_string_equal (fake_data ("/m/n"), "one");
    if (cohort_member_update (self, "two", 3) != 0) {
        /* The earlier data remains. */
        fake_delete ("/m/n");
        settle_member (client, self);
        assert_string_equal (fake_data ("/m/n"), "one");
        assert_int_equal (cohort_member_update (self, "two", 3), 0);
    }
    settle_member (client, self);
    fake_expire (client, false, false);
    settle_member (client, self);
    assert_string_equal (fake_data ("/m/n"), "two");
    assert_int_equal (fake_stat ("/m/n")->ephemeral_owner, cohort_session_id (client));
    cohort_member_destroy (&self);
    fake_settle (client);
    /* Withdrawal allocates nothing of ours. */
    assert_null (fake_data ("/m/n"));
}

static void destroyed_early (cohort_t *client)
{
    cohort_member_t *self = cohort_member_new (client, "/early", "", 0, COHORT_MEMBER_WAIT);
    if (self != NULL) {
        cohort_member_destroy (&self);
    }
    fake_settle (client);
    /* Undoing the creation needs no memory. */
    assert_null (fake_data ("/early"));
}

static int choose_first (const cohort_instance_t *const *candidates, size_t count, const char *key,
                         void *arg)
{
    (void) candidates;
    (void) count;
    (void) key;
    (void) arg;
    return 0;
}

static void settle_directory (cohort_t *client, cohort_directory_t *directory, size_t expected)
{
    fake_settle (client);
    if (cohort_directory_wait (directory, 0) != 0) {
        assert_int_equal (cohort_directory_retry (directory), 0);
        assert_int_equal (cohort_directory_wait (directory, -1), 0);
    }
    if (cohort_directory_count (directory) != expected) {
        /* The next batch, whatever it is, makes up for it. */
        fake_set ("/s", "");
        fake_settle (client);
    }
    assert_int_equal (cohort_directory_count (directory), expected);
}

static void on_event (cohort_directory_t *self, const cohort_directory_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    if (event->kind == COHORT_DIRECTORY_BAD) {
        assert_int_equal (event->rc, COHORT_ENOMEM);
        assert_string_equal (event->text, "out of memory");
        *(int *) arg = 1;
    }
}

static void directory_life (cohort_t *client)
{
    cohort_directory_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_directory_new (client, "/s", NULL);
    }
    assert_non_null (self);
    int bad = 0;
    cohort_directory_set_handler (self, on_event, &bad);
    settle_directory (client, self, 2);
    fake_set ("/s/e/1", "ip=a\nport=11\n");
    fake_create ("/s/e/3", "ip=a\nport=3\n", 1);
    settle_directory (client, self, 3);
    assert_int_equal (cohort_directory_get (self, "e", "1")->port, 11);
    cohort_directory_set_chooser (self, choose_first, NULL);
    if (cohort_directory_pick (self, NULL, NULL) == NULL) {
        assert_non_null (cohort_directory_pick (self, NULL, NULL));
    }
    fake_delete ("/s/e/3");
    settle_directory (client, self, 2);
    fake_expire (client, false, false);
    settle_directory (client, self, 2);
    cohort_directory_destroy (&self);
}

static void sticky_life (cohort_t *client)
{
    cohort_directory_options_t options = {.size = sizeof (options), .strategy = COHORT_STICKY};
    cohort_directory_t *self = cohort_directory_new (client, "/s", &options);
    if (self != NULL) {
        fake_settle (client);
        (void) cohort_directory_pick (self, NULL, NULL);
        cohort_directory_destroy (&self);
    }
}

static int add_twice (cohort_cell_t *self, int64_t *sum)
{
    int rc = cohort_cell_add (self, 1, 0, 9, -1, sum);
    return rc == COHORT_ENOMEM ? cohort_cell_add (self, 1, 0, 9, -1, sum) : rc;
}

static void cell_life (cohort_t *client)
{
    cohort_cell_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_cell_new (client, "/cells/c");
    }
    assert_non_null (self);
    int64_t sum = 0;
    uint64_t mzxid = 0;
    assert_int_equal (add_twice (self, &sum), 0);
    assert_int_equal (add_twice (self, &sum), 0);
    assert_int_equal (sum, 2);
    if (cohort_cell_set (self, "5", 1, -1, &mzxid) != 0) {
        assert_int_equal (cohort_cell_set (self, "5", 1, -1, &mzxid), 0);
    }
    if (cohort_cell_cas (self, mzxid, "6", 1, -1, NULL) != 0) {
        assert_int_equal (cohort_cell_cas (self, mzxid, "6", 1, -1, NULL), 0);
    }
    assert_string_equal (fake_data ("/cells/c"), "6");
    assert_int_equal (cohort_cell_retry (self), 0);
    assert_int_equal (cohort_cell_wait (self, -1), 0);
    assert_int_equal (cohort_cell_number (self, &sum), 0);
    assert_int_equal (sum, 6);
    cohort_cell_destroy (&self);
    fake_settle (client);
}

static cohort_lock_t *lock_new (cohort_t *client)
{
    cohort_lock_t *self = cohort_lock_new (client, "/l/a", "id", 2);
    return self != NULL ? self : cohort_lock_new (client, "/l/a", "id", 2);
}

/* In the line, or, after a failure, once more. */
static void lock_enter (cohort_t *client, cohort_lock_t *lock, bool held)
{
    for (int i = 0; i < 2 && cohort_lock_node (lock) == NULL; i++) {
        if (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE) == 0) {
            fake_settle (client);
        }
    }
    assert_int_equal (cohort_lock_held (lock), held);
}

static void lock_life (cohort_t *client)
{
    cohort_lock_t *first = lock_new (client), *second = lock_new (client);
    assert_non_null (first);
    assert_non_null (second);
    lock_enter (client, first, true);
    lock_enter (client, second, false);
    assert_int_equal (cohort_lock_release (first), 0);
    fake_settle (client);
    lock_enter (client, second, true);
    lock_enter (client, first, false);
    if (cohort_lock_downgrade (second) != 0) {
        assert_int_equal (cohort_lock_downgrade (second), 0);
    }
    cohort_lock_destroy (&second);
    fake_settle (client);
    lock_enter (client, first, true);
    /* Withdrawal allocates nothing of ours. */
    cohort_lock_destroy (&first);
    fake_settle (client);
    for (int i = 0; i < 8; i++) {
        char path[40];
        snprintf (path, sizeof (path), "/l/a/exclusive-%010d", i);
        assert_null (fake_data (path));
    }
}

static int await_twice (cohort_t *client, int count)
{
    int rc = cohort_await_children (client, "/s", count, -1);
    return rc == COHORT_ENOMEM ? cohort_await_children (client, "/s", count, -1) : rc;
}

static void await_life (cohort_t *client)
{
    cohort_await_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_await_new (client, "/w", 0, cohort_await_test_exists, NULL);
    }
    assert_non_null (self);
    fake_settle (client);
    fake_create ("/w", "data", 0);
    int rc = cohort_await_wait (self, -1);
    assert_true (rc == 0 || rc == COHORT_ENOMEM);
    assert_true (rc != 0 || cohort_await_seen (self)->size == 4);
    cohort_await_destroy (&self);
    assert_int_equal (await_twice (client, 1), 0);
    assert_int_equal (fake_streams (client), 0);
    fake_settle (client);
}

static cohort_lease_t *lease_new (cohort_t *client)
{
    cohort_lease_t *self = cohort_lease_new (client, "/lease", 1000, NULL);
    return self != NULL ? self : cohort_lease_new (client, "/lease", 1000, NULL);
}

static void lease_enter (cohort_t *client, cohort_lease_t *lease)
{
    for (int i = 0; i < 3 && cohort_lease_left_ms (lease) == 0; i++) {
        (void) !cohort_lease_acquire (lease);
        fake_settle (client);
        /* What found no memory is tried again by itself. */
        fake_now_ms += cohort_lease_left_ms (lease) == 0 ? 100 : 0;
        fake_settle (client);
    }
}

static void lease_life (cohort_t *client)
{
    cohort_lease_t *first = lease_new (client), *second = lease_new (client);
    assert_non_null (first);
    assert_non_null (second);
    lease_enter (client, first);
    assert_int_equal (cohort_lease_left_ms (first), 1000);
    lease_enter (client, second);
    fake_now_ms += 500;
    for (int i = 0; i < 2 && cohort_lease_left_ms (first) < 1000; i++) {
        (void) !cohort_lease_renew (first);
        fake_settle (client);
    }
    assert_int_equal (cohort_lease_left_ms (first), 1000);
    /* The first one hangs. */
    fake_now_ms += 1126;
    lease_enter (client, second);
    assert_int_equal (cohort_lease_left_ms (second), 1000);
    cohort_lease_destroy (&first);
    cohort_lease_destroy (&second);
    fake_settle (client);
    assert_int_equal (fake_count ("/lease/exclusive-"), 0);
}

static cohort_sem_t *sem_new (cohort_t *client)
{
    cohort_sem_t *self = cohort_sem_new (client, "/s/sem", 3, "id", 2);
    return self != NULL ? self : cohort_sem_new (client, "/s/sem", 3, "id", 2);
}

static void sem_enter (cohort_t *client, cohort_sem_t *sem, int count)
{
    for (int i = 0; i < 2 && cohort_sem_node (sem) == NULL; i++) {
        if (cohort_sem_acquire (sem, count) == 0) {
            fake_settle (client);
        }
    }
    assert_non_null (cohort_sem_node (sem));
}

static void sem_life (cohort_t *client)
{
    cohort_sem_t *sems[3];
    for (int i = 0; i < 3; i++) {
        sems[i] = sem_new (client);
        assert_non_null (sems[i]);
        sem_enter (client, sems[i], 2);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal (cohort_sem_held (sems[i]), 2);
        if (cohort_sem_release (sems[i], 1) != 0) {
            assert_int_equal (cohort_sem_release (sems[i], 1), 0);
        }
        fake_settle (client);
        assert_int_equal (cohort_sem_release (sems[i], 1), 0);
        fake_settle (client);
        if (i < 2) {
            /* Whom a failure has thrown out of the line comes back. */
            sem_enter (client, sems[i + 1], 2);
        }
    }
    for (int i = 0; i < 3; i++) {
        cohort_sem_destroy (&sems[i]);
        fake_settle (client);
    }
    assert_int_equal (fake_count ("/s/sem/permits-"), 0);
}

static cohort_multilock_t *multilock_new (cohort_t *client, const char *one, const char *other)
{
    cohort_multilock_part_t parts[] = {{one, COHORT_LOCK_EXCLUSIVE}, {other, COHORT_LOCK_SHARED}};
    cohort_multilock_t *self = cohort_multilock_new (client, parts, 2, "id", 2);
    return self != NULL ? self : cohort_multilock_new (client, parts, 2, "id", 2);
}

static void multilock_enter (cohort_t *client, cohort_multilock_t *self)
{
    for (int i = 0; i < 2; i++) {
        (void) !cohort_multilock_acquire (self);
        fake_settle (client);
    }
}

static void multilock_life (cohort_t *client)
{
    cohort_multilock_t *first = multilock_new (client, "/ml/a", "/ml/b");
    cohort_multilock_t *second = multilock_new (client, "/ml/b", "/ml/a");
    assert_non_null (first);
    assert_non_null (second);
    multilock_enter (client, first);
    assert_true (cohort_multilock_held (first));
    multilock_enter (client, second);
    if (cohort_multilock_release (first) != 0) {
        assert_int_equal (cohort_multilock_release (first), 0);
    }
    fake_settle (client);
    multilock_enter (client, second);
    assert_true (cohort_multilock_held (second));
    cohort_multilock_destroy (&second);
    cohort_multilock_destroy (&first);
    fake_settle (client);
    assert_int_equal (fake_count ("/ml/a/exclusive-") + fake_count ("/ml/a/shared-"), 0);
    assert_int_equal (fake_count ("/ml/b/exclusive-") + fake_count ("/ml/b/shared-"), 0);
}

static void put_on (cohort_queue_t *self, int64_t delay_ms)
{
    cohort_put_options_t options = {.size = sizeof (options), .id = "x", .delay_ms = delay_ms};
    for (int i = 0; i < 3; i++) {
        int rc = cohort_queue_put (self, "a", 1, &options, -1, NULL);
        if (rc == 0) {
            return;
        }
        assert_int_equal (rc, COHORT_ENOMEM);
    }
    fail ();
}

/* The time of all that is delayed has come. */
static void make_due (void)
{
    char path[96], due[128];
    if (fake_first_child ("/q/delayed", path, sizeof (path))) {
        snprintf (due, sizeof (due), "%s/due", path);
        if (fake_data (due) != NULL) {
            fake_delete (due);
        }
    }
}

static void take_until_nothing_is_left (cohort_t *client, cohort_queue_t *self)
{
    bool returned = false;
    for (int i = 0; fake_count ("/q/items/") + fake_count ("/q/delayed/") > 0; i++) {
        cohort_item_t *item = NULL;
        assert_true (i < 20);
        make_due ();
        int rc = cohort_queue_take (self, 20, &item);
        if (rc == 0 && !returned) {
            returned = cohort_item_return (&item, 5, -1) == 0;
        } else if (rc == 0) {
            rc = cohort_item_ack_async (&item, NULL, NULL);
            assert_true (rc == 0 || rc == COHORT_ENOMEM);
        } else {
            assert_true (rc == COHORT_ENOMEM || rc == COHORT_ETIMEDOUT);
            (void) cohort_queue_retry (self);
        }
        fake_settle (client);
    }
}

static void queue_life (cohort_t *client)
{
    const cohort_queue_options_t options = {
        .size = sizeof (options), .max_inflight = 2, .remember_ms = 9};
    cohort_queue_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_queue_new (client, "/q", &options);
        fake_settle (client);
    }
    assert_non_null (self);
    put_on (self, 0);
    fake_settle (client);
    take_until_nothing_is_left (client, self);
    fake_delete ("/q/ids/x");
    put_on (self, 7);
    take_until_nothing_is_left (client, self);
    cohort_queue_destroy (&self);
    fake_settle (client);
    assert_int_equal (fake_count ("/q/waiting/"), 0);
}

static void barrier_life (cohort_t *client)
{
    cohort_barrier_t *parties[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < 2 && parties[i] == NULL; n++) {
            parties[i] = cohort_barrier_new (client, "/b", 2, 1);
        }
        assert_non_null (parties[i]);
    }
    for (int n = 0; n < 4 && cohort_barrier_inside (parties[0]) == 0; n++) {
        for (int i = 0; i < 2; i++) {
            (void) !cohort_barrier_enter (parties[i]);
        }
        fake_settle (client);
        if (cohort_barrier_inside (parties[0]) != cohort_barrier_inside (parties[1])) {
            /* One was named, and had no memory to be told: for the other it has left. */
            break;
        }
    }
    for (int i = 0; i < 2; i++) {
        (void) !cohort_barrier_leave (parties[i]);
    }
    fake_settle (client);
    for (int i = 0; i < 2; i++) {
        assert_true (cohort_barrier_wait (parties[i], 0) != COHORT_ETIMEDOUT);
        cohort_barrier_destroy (&parties[i]);
    }
    fake_settle (client);
    assert_int_equal (fake_count ("/b/1/m-"), 0);
}

static void gate_life (cohort_t *client)
{
    cohort_gate_t *self = NULL;
    for (int i = 0; i < 2 && self == NULL; i++) {
        self = cohort_gate_new (client, "/g/gate");
    }
    assert_non_null (self);
    for (int i = 0; i < 4 && fake_data ("/g/gate") == NULL; i++) {
        (void) !cohort_gate_close (self);
        fake_settle (client);
    }
    assert_non_null (fake_data ("/g/gate"));
    for (int i = 0; i < 4 && fake_data ("/g/gate") != NULL; i++) {
        (void) !cohort_gate_open (self);
        fake_settle (client);
    }
    if (cohort_gate_wait (self, -1) != 0) {
        assert_int_equal (cohort_gate_retry (self), 0);
        assert_int_equal (cohort_gate_wait (self, -1), 0);
    }
    cohort_gate_destroy (&self);
    fake_settle (client);
}

static bool run (void (*life) (cohort_t *client), long allocation)
{
    fake_reset ();
    fake_create ("/s", "", 0);
    fake_create ("/s/e", "", 0);
    fake_create ("/s/e/1", "ip=a\nport=1\n", 1);
    fake_create ("/s/e/2", "ip=a\nport=2\n", 1);
    cohort_t *client = fake_client ();
    countdown = allocation;
    failures = 1;
    life (client);
    bool reached = countdown < 0;
    countdown = -1;
    fake_reset ();
    return reached;
}

static void every_allocation_fails_once (void **state)
{
    (void) state;
    void (*const lives[]) (cohort_t *) = {
        member_life,    destroyed_early, directory_life, sticky_life, cell_life,
        lock_life,      queue_life,      barrier_life,   gate_life,   sem_life,
        multilock_life, await_life,      lease_life};
    for (size_t i = 0; i < sizeof (lives) / sizeof (lives[0]); i++) {
        long allocation = 0;
        while (run (lives[i], allocation)) {
            allocation++;
        }
        print_message ("life %zu: %ld allocations\n", i, allocation);
        assert_true (allocation > 3);
    }
}

static void an_instance_without_memory_is_reported (void **state)
{
    (void) state;
    fake_reset ();
    fake_create ("/s", "", 0);
    fake_create ("/s/e", "", 0);
    cohort_t *client = fake_client ();
    cohort_directory_t *self = cohort_directory_new (client, "/s", NULL);
    fake_settle (client);
    int bad = 0;
    cohort_directory_set_handler (self, on_event, &bad);
    fake_create ("/s/e/1", "ip=a\nport=1\n", 1);
    /* The mirror finds memory, the directory does not, twice. */
    countdown = 1;
    failures = 2;
    fake_settle (client);
    assert_int_equal (countdown, -1);
    assert_int_equal (bad, 1);
    assert_int_equal (cohort_directory_count (self), 0);
    fake_create ("/s/e/2", "ip=a\nport=2\n", 1);
    fake_settle (client);
    assert_int_equal (cohort_directory_count (self), 2);
    cohort_directory_destroy (&self);
    fake_reset ();
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (every_allocation_fails_once),
        cmocka_unit_test (an_instance_without_memory_is_reported),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
