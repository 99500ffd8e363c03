/* Semaphores with the real client and a real server in this process: that the contract they stand
 * on is kept, and random operations of several clients under crashes, with a checker. */

#include <stdlib.h>

#include "client/base/prng.h"
#include "tests/unit/recipes/live.h"

#define PATH       "/game/room"
#define USERS      6
#define PERMITS    4
#define OPERATIONS 300

static cohort_sem_t *sem_of (cohort_t *client)
{
    cohort_sem_t *sem = cohort_sem_new (client, PATH, PERMITS, "x", 1);
    assert_non_null (sem);
    return sem;
}

/* What it has asked for is done. */
static void catch_up (cohort_t *client)
{
    assert_int_equal (cohort_sync (client), 0);
    (void) cohort_dispatch (client, 0);
}

static void a_line_is_served_and_shown_in_order (void **state)
{
    (void) state;
    cohort_t *clients[USERS];
    cohort_sem_t *sems[USERS];
    uint64_t last = 0;
    for (int i = 0; i < USERS; i++) {
        clients[i] = live_client ();
        sems[i] = sem_of (clients[i]);
        assert_int_equal (cohort_sem_acquire (sems[i], 2), 0);
        live_until (clients[i], cohort_sem_node (sems[i]) != NULL);
    }
    for (int i = 0; i < USERS; i++) {
        assert_int_equal (cohort_sem_wait (sems[i], LIVE_LIMIT_MS), 0);
        assert_true (cohort_sem_token (sems[i]).czxid > last);
        last = cohort_sem_token (sems[i]).czxid;
        cohort_why_t *why = NULL;
        assert_int_equal (cohort_why (clients[0], PATH, &why), 0);
        assert_int_equal (why->count, USERS - i);
        for (size_t n = 0; n < why->count; n++) {
            assert_int_equal (why->items[n].permits, 2);
            assert_int_equal (why->items[n].holds, n < 2);
            assert_int_equal (why->items[n].session, cohort_session_id (clients[i + (int) n]));
        }
        cohort_why_destroy (&why);
        assert_int_equal (cohort_sem_release (sems[i], 2), 0);
        catch_up (clients[i]);
    }
    cohort_sem_t *other = cohort_sem_new (clients[1], PATH, PERMITS + 1, NULL, 0);
    assert_int_equal (cohort_sem_try (other, 1, LIVE_LIMIT_MS), COHORT_ECONFIG);
    catch_up (clients[1]);
    assert_int_equal (cohort_sem_try (sems[0], PERMITS, LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_sem_try (sems[1], 1, LIVE_LIMIT_MS), COHORT_EBUSY);
    assert_int_equal (cohort_sem_release (sems[0], 1), 0);
    catch_up (clients[0]);
    assert_int_equal (cohort_sem_try (sems[1], 1, LIVE_LIMIT_MS), 0);
    /* Who dies gives back what it had. */
    assert_int_equal (cohort_sem_acquire (sems[2], PERMITS - 1), 0);
    cohort_sem_destroy (&sems[0]);
    cohort_sem_destroy (&other);
    cohort_destroy (&clients[0]);
    assert_int_equal (cohort_sem_wait (sems[2], LIVE_LIMIT_MS), 0);
    for (int i = 1; i < USERS; i++) {
        cohort_sem_destroy (&sems[i]);
        catch_up (clients[i]);
        cohort_destroy (&clients[i]);
    }
}

/* ---- Random operations ----------------------------------------------------------------------- */

static struct prng prng;
static cohort_t *clients[USERS];
static cohort_sem_t *sems[USERS];
static unsigned grants;

static void on_event (cohort_sem_t *self, const cohort_sem_event_t *event, void *arg)
{
    (void) self;
    (void) arg;
    grants += event->kind == COHORT_SEM_GRANTED;
}

static void check (void)
{
    int sum = 0;
    for (int i = 0; i < USERS; i++) {
        sum += cohort_sem_valid (sems[i], 0) ? cohort_sem_held (sems[i]) : 0;
    }
    assert_true (sum <= PERMITS);
}

static void operate (int index)
{
    uint64_t what = prng_below (&prng, 100);
    if (what < 40) {
        (void) !cohort_sem_acquire (sems[index], 1 + (int) prng_below (&prng, PERMITS));
    } else if (what < 75) {
        int held = cohort_sem_held (sems[index]);
        (void) cohort_sem_release (sems[index], held > 1 && what < 55 ? 1 : held);
    } else if (what < 78) {
        assert_int_equal (cohort_server_crash (live_server), 0);
        assert_int_equal (cohort_server_start (live_server), 0);
    } else if (what < 82) {
        cohort_sem_destroy (&sems[index]);
        sems[index] = sem_of (clients[index]);
        cohort_sem_set_handler (sems[index], on_event, NULL);
    }
}

static void random_run (uint64_t seed)
{
    prng_seed (&prng, seed);
    for (int i = 0; i < USERS; i++) {
        clients[i] = live_client ();
        sems[i] = sem_of (clients[i]);
        cohort_sem_set_handler (sems[i], on_event, NULL);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate ((int) prng_below (&prng, USERS));
        check ();
        assert_true (cohort_run (clients[prng_below (&prng, USERS)], 1) >= 0);
        check ();
        for (int n = 0; n < USERS; n++) {
            if (prng_chance (&prng, 1, 2)) {
                (void) cohort_dispatch (clients[n], 1);
                check ();
            }
        }
    }
    /* In the end everybody gets all of them. */
    for (int i = 0; i < USERS; i++) {
        cohort_sem_destroy (&sems[i]);
        catch_up (clients[i]);
    }
    for (int i = 0; i < USERS; i++) {
        sems[i] = sem_of (clients[i]);
        assert_int_equal (cohort_sem_acquire (sems[i], PERMITS), 0);
        assert_int_equal (cohort_sem_wait (sems[i], LIVE_LIMIT_MS), 0);
        cohort_sem_destroy (&sems[i]);
        catch_up (clients[i]);
        cohort_destroy (&clients[i]);
    }
}

static void random_operations_of_several_clients (void **state)
{
    (void) state;
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    for (uint64_t seed = from; seed <= (fixed == NULL ? 4 : from); seed++) {
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        grants = 0;
        random_run (seed);
        print_message ("%u grants\n", grants);
        assert_true (grants > 0);
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, live_start, live_stop)
    const struct CMUnitTest tests[] = {
        TEST (a_line_is_served_and_shown_in_order),
        TEST (random_operations_of_several_clients),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
