/* Leases: for how long they are held, who takes them over, and when nobody does. */

#include "cohort/lease.h"

#include <stdlib.h>

#include "client/base/prng.h"
#include "cohort/lock.h"
#include "tests/unit/recipes/fake.h"
#include "tests/unit/recipes/trace.h"

#define PATH     "/leases/a"
#define MANY     5
#define DURATION 1000
#define LATER    (DURATION + DURATION / 8 + 1) /* when another may take it over */

struct tenant {
    cohort_t *client;
    cohort_lease_t *lease;
    const char *name;
    bool hangs; /* its program: nothing is dispatched */
};

static struct tenant tenants[MANY];
static const char *const names[MANY] = {"A", "B", "C", "D", "E"};

static void on_event (cohort_lease_t *self, const cohort_lease_event_t *event, void *arg)
{
    fake_in_handler ();
    struct tenant *tenant = arg;
    static const char *const kinds[] = {"",        "granted", "waits", "renewed",
                                        "expired", "revoked", "failed"};
    assert_ptr_equal (self, tenant->lease);
    assert_string_equal (event->path, PATH);
    bool ended = event->kind >= COHORT_LEASE_EXPIRED;
    assert_int_equal (cohort_lease_token (self).czxid == 0,
                      ended || event->kind == COHORT_LEASE_WAITING);
    trace (event->rc == 0 ? "%s %s; " : "%s %s %d; ", tenant->name, kinds[event->kind], event->rc);
}

static struct tenant *tenant_of (int index)
{
    struct tenant *tenant = &tenants[index];
    cohort_t *client = tenant->client;
    *tenant =
        (struct tenant){.client = client == NULL ? fake_client () : client, .name = names[index]};
    /* Each has a clock of its own, which has nothing to do with those of others. */
    fake_set_clock (tenant->client, 1000000 * index);
    cohort_lease_options_t options = {.size = sizeof (options), .id = names[index], .id_size = 1};
    tenant->lease = cohort_lease_new (tenant->client, PATH, DURATION, &options);
    assert_non_null (tenant->lease);
    fake_set_valid_ms (tenant->client, 1000000);
    cohort_lease_set_handler (tenant->lease, on_event, tenant);
    return tenant;
}

static void wants (int index)
{
    assert_int_equal (cohort_lease_acquire (tenants[index].lease), 0);
    fake_settle (tenants[index].client);
}

static void settle (int count)
{
    for (int i = 0; i < 4 * count; i++) {
        fake_settle (tenants[i % count].client);
    }
}

static void leave (int count)
{
    for (int i = 0; i < count; i++) {
        cohort_lease_destroy (&tenants[i].lease);
        fake_settle (tenants[i].client);
        assert_int_equal (fake_streams (tenants[i].client), 0);
    }
    assert_int_equal (fake_count (PATH "/exclusive-"), 0);
}

static int start (void **state)
{
    (void) state;
    trace_text[0] = 0;
    fake_reset ();
    memset (tenants, 0, sizeof (tenants));
    return 0;
}

static int stop (void **state)
{
    (void) state;
    fake_reset ();
    return 0;
}

static void uncontended_is_one_write_and_one_round_trip (void **state)
{
    (void) state;
    fake_create ("/leases", "", 0);
    struct tenant *a = tenant_of (0);
    assert_int_equal (cohort_lease_acquire (a->lease), 0);
    assert_int_equal (cohort_lease_left_ms (a->lease), 0);
    fake_now_ms += 100;
    fake_flush (a->client);
    fake_hold (a->client, true);
    cohort_dispatch (a->client, 0);
    assert_trace ("A granted; ");
    assert_int_equal (fake_writes (), 1);
    fake_hold (a->client, false);
    fake_settle (a->client);
    /* Counted from before it was asked for. */
    assert_int_equal (cohort_lease_left_ms (a->lease), DURATION - 100);
    assert_int_equal (fake_timer_ms (a->client), DURATION - 100);
    assert_true (cohort_lease_valid (a->lease, DURATION - 101));
    assert_false (cohort_lease_valid (a->lease, DURATION - 100));
    fake_set_valid_ms (a->client, 50);
    assert_int_equal (cohort_lease_left_ms (a->lease), 50);
    assert_int_equal (cohort_lease_release (a->lease), 0);
    assert_int_equal (cohort_lease_left_ms (a->lease), 0);
    assert_int_equal (fake_timer_ms (a->client), -1);
    fake_settle (a->client);
    assert_int_equal (fake_writes (), 2);
    leave (1);
    assert_trace ("");
}

static void it_ends_by_itself (void **state)
{
    (void) state;
    struct tenant *a = tenant_of (0);
    wants (0);
    fake_now_ms += DURATION - 1;
    fake_settle (a->client);
    assert_true (cohort_lease_valid (a->lease, 0));
    fake_now_ms++;
    assert_false (cohort_lease_valid (a->lease, 0));
    assert_int_equal (cohort_lease_renew (a->lease), COHORT_ESTATE);
    assert_int_equal (fake_timer_ms (a->client), 0);
    assert_trace ("A granted; ");
    (void) cohort_dispatch (a->client, 0);
    assert_trace ("A expired; ");
    assert_int_equal (cohort_lease_wait (a->lease, -1), COHORT_ESTATE);
    fake_settle (a->client);
    assert_int_equal (fake_count (PATH "/exclusive-"), 0);
    wants (0);
    assert_trace ("A granted; ");
    leave (1);
}

static void a_renewal_counts_from_when_it_was_sent (void **state)
{
    (void) state;
    struct tenant *a = tenant_of (0);
    wants (0);
    fake_now_ms += 600;
    assert_int_equal (cohort_lease_renew (a->lease), 0);
    assert_int_equal (cohort_lease_left_ms (a->lease), 400); /* not confirmed */
    fake_now_ms += 200;
    assert_int_equal (cohort_lease_renew (a->lease), 0); /* once more, behind it */
    (void) fake_flush_one (a->client);
    (void) cohort_dispatch (a->client, 0);
    assert_int_equal (cohort_lease_left_ms (a->lease), 800);
    fake_settle (a->client);
    assert_int_equal (cohort_lease_left_ms (a->lease), 1000);
    assert_trace ("A granted; A renewed; A renewed; ");
    fake_fail_request (a->client, COHORT_EQUOTA);
    fake_now_ms += 100;
    assert_int_equal (cohort_lease_renew (a->lease), 0);
    fake_settle (a->client);
    assert_trace ("A renewed -125; ");
    assert_int_equal (cohort_lease_left_ms (a->lease), 900);
    /* Confirmed when its time was over: nobody had it in between. */
    assert_int_equal (cohort_lease_renew (a->lease), 0);
    fake_now_ms += 950;
    assert_int_equal (cohort_lease_left_ms (a->lease), 0);
    fake_settle (a->client);
    assert_int_equal (cohort_lease_left_ms (a->lease), 50);
    trace_text[0] = 0;
    leave (1);
}

/* The program of the holder hangs, its session lives. */
static void who_does_not_renew_is_succeeded (void **state)
{
    (void) state;
    struct tenant *a = tenant_of (0), *b = tenant_of (1), *c = tenant_of (2);
    wants (0);
    fake_now_ms += 300;
    wants (1);
    wants (2);
    assert_trace ("A granted; B waits; C waits; ");
    assert_int_equal (fake_timer_ms (b->client), LATER);
    assert_int_equal (fake_timer_ms (c->client), -1);
    fake_now_ms += LATER - 1;
    assert_false (cohort_lease_valid (a->lease, 0));
    fake_settle (b->client);
    fake_settle (c->client);
    assert_trace ("");
    fake_now_ms++;
    uint64_t first = cohort_lease_token (a->lease).czxid;
    fake_settle (b->client);
    settle (3);
    assert_trace ("B granted; A revoked -101; ");
    assert_true (cohort_lease_token (b->lease).czxid > first);
    assert_int_equal (cohort_lease_left_ms (b->lease), DURATION);
    assert_int_equal (fake_timer_ms (c->client), LATER);
    assert_int_equal (cohort_lease_release (b->lease), 0);
    settle (3);
    assert_trace ("C granted; ");
    leave (3);
}

static void a_renewal_is_seen (void **state)
{
    (void) state;
    struct tenant *a = tenant_of (0), *b = tenant_of (1);
    wants (0);
    wants (1);
    trace_text[0] = 0;
    for (int i = 0; i < 5; i++) {
        fake_now_ms += DURATION - 10;
        assert_int_equal (cohort_lease_renew (a->lease), 0);
        settle (2);
        assert_true (cohort_lease_valid (a->lease, 0));
        assert_int_equal (fake_timer_ms (b->client), LATER);
    }
    trace_text[0] = 0;
    /* The renewal is not seen yet, for the one who waits is cut off: what it asks for is refused.
     */
    fake_now_ms += DURATION - 10;
    fake_suspend (b->client);
    assert_int_equal (cohort_lease_renew (a->lease), 0);
    fake_settle (a->client);
    fake_now_ms += LATER - DURATION + 10;
    (void) cohort_dispatch (b->client, 0);
    fake_resume (b->client, false);
    settle (2);
    assert_trace ("A renewed; ");
    assert_true (cohort_lease_valid (a->lease, 0));
    leave (2);
}

/* One who waits is not granted by an event alone: its time begins with a write, and is counted from
 * before that. */
static void a_grant_after_waiting_is_confirmed (void **state)
{
    (void) state;
    struct tenant *a = tenant_of (0), *b = tenant_of (1);
    wants (0);
    wants (1);
    trace_text[0] = 0;
    assert_int_equal (cohort_lease_release (a->lease), 0);
    fake_settle (a->client);
    (void) cohort_dispatch (b->client, 0);
    assert_trace ("");
    assert_int_equal (cohort_lease_left_ms (b->lease), 0);
    assert_int_equal (cohort_lease_renew (b->lease), COHORT_ESTATE);
    fake_now_ms += 70;
    fake_settle (b->client);
    assert_trace ("B granted; ");
    assert_int_equal (cohort_lease_left_ms (b->lease), DURATION - 70);
    /* A creation that was long on its way, too. */
    cohort_lease_release (b->lease);
    fake_settle (b->client);
    assert_int_equal (cohort_lease_acquire (a->lease), 0);
    fake_flush (a->client);
    fake_now_ms += DURATION - 10;
    fake_settle (a->client);
    assert_trace ("A granted; ");
    assert_int_equal (cohort_lease_left_ms (a->lease), DURATION);
    /* What cannot be confirmed is given up. */
    wants (1);
    cohort_lease_release (a->lease);
    fake_settle (a->client);
    (void) cohort_dispatch (b->client, 0);
    fake_fail_request (b->client, COHORT_EQUOTA);
    fake_settle (b->client);
    assert_trace ("B waits; B failed -125; ");
    leave (2);
}

static void a_lock_in_the_line_is_waited_for (void **state)
{
    (void) state;
    (void) tenant_of (0);
    cohort_lock_t *lock = cohort_lock_new (tenants[0].client, PATH, NULL, 0);
    assert_int_equal (cohort_lock_try (lock, COHORT_LOCK_EXCLUSIVE, 100), 0);
    wants (0);
    fake_now_ms += 100 * DURATION;
    settle (1);
    assert_trace ("A waits; ");
    assert_int_equal (fake_timer_ms (tenants[0].client), -1);
    cohort_lock_destroy (&lock);
    settle (1);
    assert_trace ("A granted; ");
    leave (1);
}

static void who_dies_or_is_deleted_is_out (void **state)
{
    (void) state;
    (void) tenant_of (0);
    (void) tenant_of (1);
    wants (0);
    wants (1);
    trace_text[0] = 0;
    fake_expire (tenants[0].client, false, true);
    settle (2);
    assert_trace ("A revoked -112; B granted; ");
    wants (0);
    fake_delete (cohort_lease_node (tenants[1].lease));
    settle (2);
    assert_trace ("A waits; A granted; B revoked -101; ");
    wants (1);
    fake_expire (tenants[1].client, false, true);
    settle (2);
    assert_trace ("B waits; B failed -112; ");
    assert_int_equal (cohort_lease_wait (tenants[1].lease, -1), COHORT_ESESSIONEXPIRED);
    leave (2);
}

static void a_try_or_a_wait_that_fails_leaves_nothing (void **state)
{
    (void) state;
    (void) tenant_of (0);
    struct tenant *b = tenant_of (1);
    wants (0);
    assert_int_equal (cohort_lease_try (b->lease, 100), COHORT_EBUSY);
    fake_settle (b->client);
    assert_int_equal (fake_count (PATH "/exclusive-"), 1);
    wants (1);
    assert_int_equal (cohort_lease_wait (b->lease, 1), COHORT_ETIMEDOUT);
    fake_settle (b->client);
    assert_int_equal (fake_count (PATH "/exclusive-"), 1);
    trace_text[0] = 0;
    leave (2);
}

static void what_cannot_be_is_refused (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_lease_options_t options = {.size = sizeof (options), .id = NULL, .id_size = 1};
    assert_null (cohort_lease_new (NULL, PATH, DURATION, NULL));
    assert_null (cohort_lease_new (client, NULL, DURATION, NULL));
    assert_null (cohort_lease_new (client, PATH, COHORT_LEASE_MS_MIN - 1, NULL));
    assert_null (cohort_lease_new (client, PATH, COHORT_LEASE_MS_MAX + 1, NULL));
    assert_null (cohort_lease_new (client, PATH, DURATION, &options));
    struct tenant *a = tenant_of (0);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_lease_guard (a->lease, txn), COHORT_ESTATE);
    assert_int_equal (cohort_lease_renew (a->lease), COHORT_ESTATE);
    assert_int_equal (cohort_lease_release (a->lease), COHORT_ESTATE);
    assert_int_equal (cohort_lease_wait (a->lease, -1), COHORT_ESTATE);
    assert_string_equal (cohort_lease_path (a->lease), PATH);
    wants (0);
    assert_int_equal (cohort_lease_acquire (a->lease), COHORT_ESTATE);
    assert_int_equal (cohort_lease_guard (a->lease, txn), 0);
    cohort_txn_destroy (&txn);
    fake_fail_call (a->client, COHORT_ELIMIT);
    assert_int_equal (cohort_lease_renew (a->lease), COHORT_ELIMIT);
    assert_true (cohort_lease_valid (a->lease, 0));
    trace_text[0] = 0;
    leave (1);
    cohort_lease_destroy (&a->lease);
    cohort_destroy (&client);
}

static void destroy_inside (cohort_lease_t *self, const cohort_lease_event_t *event, void *arg)
{
    fake_in_handler ();
    struct tenant *tenant = arg;
    (void) self;
    (void) event;
    cohort_lease_destroy (&tenant->lease);
}

static void destroyed_inside_its_handler (void **state)
{
    (void) state;
    for (int mode = 0; mode < 4; mode++) {
        (void) start (NULL);
        (void) tenant_of (0);
        struct tenant *b = tenant_of (1);
        if (mode == 1) {
            wants (0); /* B waits */
        }
        if (mode == 2 || mode == 3) {
            wants (1); /* B is renewed, or expires */
        }
        cohort_lease_set_handler (b->lease, destroy_inside, b);
        if (mode < 2) {
            assert_int_equal (cohort_lease_acquire (b->lease), 0);
            assert_int_equal (cohort_lease_wait (b->lease, -1), COHORT_ECLOSING);
        } else if (mode == 2) {
            assert_int_equal (cohort_lease_renew (b->lease), 0);
            settle (2);
        } else {
            fake_now_ms += DURATION;
            (void) cohort_dispatch (b->client, 0);
        }
        assert_null (b->lease);
        settle (2);
        leave (2);
    }
}

/* ---- Random operations ----------------------------------------------------------------------- */

#define OPERATIONS 2500

static struct prng prng;
static unsigned grants, taken_over;
static uint64_t last_token;

static void on_random_event (cohort_lease_t *self, const cohort_lease_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    if (event->kind == COHORT_LEASE_GRANTED) {
        assert_true (event->token.czxid > last_token);
        last_token = event->token.czxid;
        grants++;
    }
    taken_over += event->kind == COHORT_LEASE_REVOKED && event->rc == COHORT_ENONODE;
}

static void check (void)
{
    int holders = 0;
    for (int i = 0; i < MANY; i++) {
        holders += cohort_lease_valid (tenants[i].lease, 0);
    }
    assert_true (holders <= 1);
}

static void operate (int index)
{
    struct tenant *tenant = &tenants[index];
    uint64_t what = prng_below (&prng, 100);
    if (what < 25) {
        (void) !cohort_lease_acquire (tenant->lease);
    } else if (what < 45) {
        (void) !cohort_lease_renew (tenant->lease);
    } else if (what < 53) {
        (void) cohort_lease_release (tenant->lease);
    } else if (what < 75) {
        /* Who holds it hangs as often as not. */
        tenant->hangs = cohort_lease_token (tenant->lease).czxid != 0 && prng_chance (&prng, 1, 2);
    } else if (what < 77) {
        fake_expire (tenant->client, prng_chance (&prng, 1, 2), true);
    } else if (what < 80 && cohort_state (tenant->client) == COHORT_CONNECTED) {
        fake_suspend (tenant->client);
    } else if (what < 82) {
        cohort_lease_destroy (&tenant->lease);
        (void) tenant_of (index);
        cohort_lease_set_handler (tenant->lease, on_random_event, NULL);
    } else {
        fake_now_ms += (int64_t) prng_below (&prng, prng_chance (&prng, 1, 4) ? LATER : 60);
    }
}

static void take_turn (const struct tenant *tenant)
{
    cohort_t *client = tenant->client;
    if (tenant->hangs && !prng_chance (&prng, 1, 50)) {
        return;
    }
    if (cohort_state (client) == COHORT_SUSPENDED && prng_chance (&prng, 1, 3)) {
        fake_resume (client, prng_chance (&prng, 1, 2));
        fake_set_valid_ms (client, 1000000);
    }
    for (uint64_t i = prng_below (&prng, 6); i > 0; i--) {
        (void) fake_flush_one (client);
    }
    (void) cohort_dispatch (client, (int) prng_below (&prng, 4) + 1);
}

static void random_run (uint64_t seed)
{
    prng_seed (&prng, seed);
    last_token = 0;
    for (int i = 0; i < MANY; i++) {
        (void) tenant_of (i);
        cohort_lease_set_handler (tenants[i].lease, on_random_event, NULL);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate ((int) prng_below (&prng, MANY));
        check ();
        take_turn (&tenants[prng_below (&prng, MANY)]);
        check ();
    }
    /* In the end, though nobody releases anything, everybody has his turn. */
    for (int i = 0; i < MANY; i++) {
        if (cohort_state (tenants[i].client) == COHORT_SUSPENDED) {
            fake_resume (tenants[i].client, false);
        }
        fake_settle (tenants[i].client);
        (void) !cohort_lease_acquire (tenants[i].lease);
    }
    for (int i = 0; i < 3 * MANY; i++) {
        settle (MANY);
        check ();
        fake_now_ms += LATER;
        settle (MANY);
    }
    assert_int_equal (fake_count (PATH "/exclusive-"), 0);
    leave (MANY);
}

static void random_operations (void **state)
{
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    for (uint64_t seed = from; seed <= (fixed == NULL ? 30 : from); seed++) {
        (void) start (state);
        grants = 0;
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        random_run (seed);
        print_message ("%u grants, %u taken over\n", grants, taken_over);
        assert_true (grants > 20);
    }
    assert_true (taken_over > 10 || fixed != NULL);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST (uncontended_is_one_write_and_one_round_trip),
        TEST (it_ends_by_itself),
        TEST (a_renewal_counts_from_when_it_was_sent),
        TEST (who_does_not_renew_is_succeeded),
        TEST (a_renewal_is_seen),
        TEST (a_grant_after_waiting_is_confirmed),
        TEST (a_lock_in_the_line_is_waited_for),
        TEST (who_dies_or_is_deleted_is_out),
        TEST (a_try_or_a_wait_that_fails_leaves_nothing),
        TEST (what_cannot_be_is_refused),
        TEST (destroyed_inside_its_handler),
        TEST (random_operations),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
