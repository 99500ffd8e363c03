/* Barriers: who enters, who does not, and who leaves. */

#include "cohort/barrier.h"

#include "tests/unit/recipes/fixture.h"

#define MANY  6
#define STEPS 10

struct party {
    cohort_t *client;
    cohort_barrier_t *barrier;
    int entered, left, lost, errors, rc;
};

static struct party parties[MANY];

static void on_event (cohort_barrier_t *self, const cohort_barrier_event_t *event, void *arg)
{
    fake_in_handler ();
    struct party *party = arg;
    assert_ptr_equal (self, party->barrier);
    party->entered += event->kind == COHORT_BARRIER_ENTERED;
    party->left += event->kind == COHORT_BARRIER_LEFT;
    party->lost += event->kind == COHORT_BARRIER_LOST;
    party->errors += event->kind == COHORT_BARRIER_ERROR;
    party->rc = event->rc != 0 ? event->rc : party->rc;
}

static void arrive (int index, int count)
{
    struct party *party = &parties[index];
    *party = (struct party){.client = party->client};
    party->client = party->client == NULL ? fake_client () : party->client;
    party->barrier = cohort_barrier_new (party->client, "/b", count, 7);
    assert_non_null (party->barrier);
    cohort_barrier_set_handler (party->barrier, on_event, party);
    assert_int_equal (cohort_barrier_enter (party->barrier), 0);
}

static void settle (int count)
{
    for (int i = 0; i < 4 * count; i++) {
        fake_settle (parties[i % count].client);
    }
}

static int entered (int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        assert_int_equal (parties[i].entered != 0, cohort_barrier_inside (parties[i].barrier));
        sum += parties[i].entered;
    }
    return sum;
}

static void leave (int index)
{
    assert_int_equal (cohort_barrier_leave (parties[index].barrier), 0);
}

static int left (int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += parties[i].left;
    }
    return sum;
}

static void destroy (int count)
{
    for (int i = 0; i < count; i++) {
        cohort_barrier_destroy (&parties[i].barrier);
        fake_settle (parties[i].client);
    }
    for (int i = 0; i < count; i++) {
        assert_int_equal (fake_streams (parties[i].client), 0);
    }
    assert_int_equal (fake_count ("/b/7/m-"), 0);
}

static int start (void **state)
{
    (void) fake_start (state);
    memset (parties, 0, sizeof (parties));
    return 0;
}

static void all_enter_and_all_leave (void **state)
{
    (void) state;
    for (int count = 1; count <= MANY; count++) {
        (void) start (NULL);
        for (int i = 0; i < count; i++) {
            assert_int_equal (entered (i), 0);
            arrive (i, count);
            settle (i + 1);
        }
        assert_int_equal (entered (count), count);
        for (int i = 0; i < count; i++) {
            assert_int_equal (cohort_barrier_wait (parties[i].barrier, 0), 0);
        }
        for (int i = 0; i < count; i++) {
            assert_int_equal (left (count), 0);
            leave (i);
            settle (count);
        }
        assert_int_equal (left (count), count);
        assert_int_equal (fake_count ("/b/7/"), 0);
        destroy (count);
    }
}

static void left_in_any_order (void **state)
{
    (void) state;
    static const int orders[][4] = {{3, 2, 1, 0}, {0, 3, 1, 2}, {2, 0, 3, 1}, {1, 3, 0, 2}};
    for (size_t n = 0; n < sizeof (orders) / sizeof (orders[0]); n++) {
        (void) start (NULL);
        for (int i = 0; i < 4; i++) {
            arrive (i, 4);
        }
        settle (4);
        assert_int_equal (entered (4), 4);
        for (int i = 0; i < 4; i++) {
            assert_int_equal (left (4), 0);
            leave (orders[n][i]);
            settle (4);
        }
        assert_int_equal (left (4), 4);
        destroy (4);
    }
}

static void entering_is_one_write (void **state)
{
    (void) state;
    arrive (0, 3);
    settle (1);
    size_t before = fake_writes ();
    arrive (1, 3);
    settle (2);
    assert_int_equal (fake_writes () - before, 1);
    before = fake_writes ();
    arrive (2, 3);
    settle (3);
    assert_int_equal (fake_writes () - before, 2);
    assert_int_equal (entered (3), 3);
    destroy (3);
}

/* One participant in a timed enter of two. */
static void scenario_19_curator_1290_an_event_of_the_session_is_no_success (void **state)
{
    (void) state;
    arrive (0, 2);
    settle (1);
    fake_suspend (parties[0].client);
    assert_int_equal (cohort_barrier_wait (parties[0].barrier, 1), COHORT_ETIMEDOUT);
    fake_resume (parties[0].client, true);
    settle (1);
    assert_int_equal (entered (1), 0);
    assert_int_equal (fake_count ("/b/7/m-"), 0);
    assert_int_equal (cohort_barrier_wait (parties[0].barrier, 1), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_barrier_enter (parties[0].barrier), 0);
    settle (1);
    fake_expire (parties[0].client, false, true);
    assert_int_equal (cohort_barrier_wait (parties[0].barrier, -1), COHORT_ESESSIONEXPIRED);
    assert_int_equal (parties[0].lost, 1);
    assert_int_equal (cohort_barrier_leave (parties[0].barrier), COHORT_ESESSIONEXPIRED);
    assert_int_equal (entered (1), 0);
    assert_int_equal (cohort_barrier_enter (parties[0].barrier), 0);
    settle (1);
    assert_int_equal (fake_count ("/b/7/m-"), 1);
    destroy (1);
}

static void who_gave_up_is_not_counted (void **state)
{
    (void) state;
    for (int step = 0; step < STEPS; step++) {
        for (int mode = 0; mode < 3; mode++) {
            (void) start (NULL);
            arrive (0, 2);
            for (int i = 0; i < step; i++) {
                if (!fake_flush_one (parties[0].client)) {
                    (void) cohort_dispatch (parties[0].client, 0);
                }
            }
            if (mode == 0) {
                fake_hold (parties[0].client, true);
                assert_int_equal (cohort_barrier_wait (parties[0].barrier, 0), COHORT_ETIMEDOUT);
                fake_hold (parties[0].client, false);
            } else if (mode == 1) {
                cohort_barrier_destroy (&parties[0].barrier);
            } else {
                fake_expire (parties[0].client, true, true);
            }
            settle (1);
            assert_int_equal (fake_count ("/b/7/m-"), 0);
            arrive (1, 2);
            settle (2);
            assert_int_equal (parties[0].entered + parties[1].entered, 0);
            cohort_barrier_destroy (&parties[0].barrier);
            arrive (0, 2);
            settle (2);
            assert_int_equal (entered (2), 2);
            destroy (2);
        }
    }
}

/* What has given up is no ghost, though nobody ever dispatches its client again. */
static void giving_up_needs_no_answer (void **state)
{
    (void) state;
    for (int carried_out = 0; carried_out < 2; carried_out++) {
        for (int destroyed = 0; destroyed < 2; destroyed++) {
            (void) start (NULL);
            arrive (0, 2);
            cohort_t *client = parties[0].client;
            while (carried_out && fake_count ("/b/7/m-") == 0) {
                if (!fake_flush_one (client)) {
                    (void) cohort_dispatch (client, 0); /* once more, with the parents */
                }
            }
            if (destroyed) {
                cohort_barrier_destroy (&parties[0].barrier);
            } else {
                fake_hold (client, true);
                cohort_barrier_set_handler (parties[0].barrier, NULL, NULL);
                assert_int_equal (cohort_barrier_wait (parties[0].barrier, 0), COHORT_ETIMEDOUT);
                fake_hold (client, false);
            }
            fake_flush (client);
            assert_int_equal (fake_count ("/b/7/m-"), 0);
            cohort_barrier_destroy (&parties[0].barrier);
            fake_settle (client);
        }
    }
}

static void a_leftover_lets_nobody_through (void **state)
{
    (void) state;
    arrive (0, 2);
    arrive (1, 2);
    settle (2);
    assert_int_equal (entered (2), 2);
    /* All die inside: `ready` stays. */
    for (int i = 0; i < 2; i++) {
        fake_expire (parties[i].client, false, true);
        fake_settle (parties[i].client);
        assert_int_equal (parties[i].lost, 1);
        cohort_barrier_destroy (&parties[i].barrier);
    }
    assert_int_equal (fake_count ("/b/7/ready"), 1);
    arrive (0, 2);
    settle (1);
    settle (1);
    assert_int_equal (parties[0].entered, 0);
    assert_int_equal (parties[0].errors, 0);
    arrive (1, 2);
    settle (2);
    assert_int_equal (entered (2), 2);
    leave (0);
    leave (1);
    settle (2);
    assert_int_equal (left (2), 2);
    destroy (2);
    (void) start (NULL);
    fake_create ("/b", "", 0);
    fake_create ("/b/7", "parties=2\n", 0);
    fake_create ("/b/7/ready", "", 0);
    arrive (0, 2);
    settle (1);
    assert_int_equal (entered (1), 0);
    destroy (1);
}

static void one_too_many_is_told (void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        arrive (i, 2);
    }
    settle (3);
    assert_int_equal (parties[0].entered + parties[1].entered + parties[2].entered, 2);
    assert_int_equal (parties[2].rc, COHORT_ELIMIT);
    assert_int_equal (cohort_barrier_wait (parties[2].barrier, 0), COHORT_ELIMIT);
    /* Later, too. */
    assert_int_equal (cohort_barrier_enter (parties[2].barrier), 0);
    settle (3);
    assert_int_equal (parties[2].errors, 2);
    /* Another round, and this one after all have left. */
    leave (0);
    leave (1);
    settle (3);
    assert_int_equal (left (2), 2);
    assert_int_equal (cohort_barrier_enter (parties[2].barrier), 0);
    assert_int_equal (cohort_barrier_enter (parties[1].barrier), 0);
    settle (3);
    assert_int_equal (parties[2].entered, 1);
    assert_int_equal (parties[1].entered, 2);
    destroy (3);
}

/* The last one to come finds those that are still there. */
static void somebody_dies_while_ready_is_made (void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        arrive (i, 3);
        if (i < 2) {
            settle (i + 1);
        }
    }
    struct party *last = &parties[2];
    /* Its list is there, and the creation of `ready` is on its way. */
    while (fake_count ("/b/7/m-") < 3 || fake_requests (last->client) == 0) {
        (void) fake_flush_one (last->client);
        (void) cohort_dispatch (last->client, 0);
    }
    fake_expire (parties[0].client, false, true);
    settle (3);
    assert_int_equal (parties[1].entered + last->entered, 0);
    assert_int_equal (parties[0].lost, 1);
    arrive (3, 3);
    settle (4);
    assert_int_equal (parties[1].entered + last->entered + parties[3].entered, 3);
    /* One of them dies inside: the others can leave. */
    fake_expire (parties[1].client, false, true);
    leave (2);
    leave (3);
    settle (4);
    assert_int_equal (last->left + parties[3].left, 2);
    destroy (4);
}

static void who_dies_while_others_wait_for_it_has_left (void **state)
{
    (void) state;
    for (int dying = 0; dying < 3; dying++) {
        (void) start (NULL);
        for (int i = 0; i < 3; i++) {
            arrive (i, 3);
        }
        settle (3);
        assert_int_equal (entered (3), 3);
        for (int i = 0; i < 3; i++) {
            if (i != dying) {
                leave (i);
            }
        }
        settle (3);
        assert_int_equal (left (3), 0);
        fake_expire (parties[dying].client, false, true);
        settle (3);
        assert_int_equal (left (3), 2);
        destroy (3);
    }
}

static void a_time_out_while_leaving_is_a_leave_for_the_others (void **state)
{
    (void) state;
    for (int first = 0; first < 2; first++) {
        (void) start (NULL);
        arrive (0, 2);
        arrive (1, 2);
        settle (2);
        leave (first);
        assert_int_equal (cohort_barrier_wait (parties[first].barrier, 1), COHORT_ETIMEDOUT);
        settle (2);
        leave (1 - first);
        settle (2);
        assert_int_equal (left (2), 1);
        destroy (2);
    }
}

static void incompatible_parties_are_told (void **state)
{
    (void) state;
    arrive (0, 2);
    settle (1);
    arrive (1, 3);
    settle (2);
    assert_int_equal (parties[1].rc, COHORT_ECONFIG);
    assert_int_equal (cohort_barrier_wait (parties[1].barrier, 0), COHORT_ECONFIG);
    assert_int_equal (parties[0].errors, 0);
    assert_int_equal (fake_count ("/b/7/m-"), 1);
    destroy (2);
    fake_create ("/b/8", "something else", 0);
    cohort_barrier_t *self = cohort_barrier_new (parties[0].client, "/b", 1, 8);
    assert_int_equal (cohort_barrier_wait (self, 0), COHORT_ESTATE);
    assert_int_equal (cohort_barrier_leave (self), COHORT_ESTATE);
    assert_int_equal (cohort_barrier_enter (self), 0);
    assert_int_equal (cohort_barrier_enter (self), COHORT_ESTATE);
    assert_int_equal (cohort_barrier_wait (self, -1), COHORT_ECONFIG);
    cohort_barrier_destroy (&self);
    fake_settle (parties[0].client);
    assert_null (cohort_barrier_new (NULL, "/b", 1, 1));
    assert_null (cohort_barrier_new (parties[0].client, NULL, 1, 1));
    assert_null (cohort_barrier_new (parties[0].client, "b", 1, 1));
    assert_null (cohort_barrier_new (parties[0].client, "/b", 0, 1));
    assert_null (cohort_barrier_new (parties[0].client, "/b", COHORT_BARRIER_PARTIES_MAX + 1, 1));
    cohort_barrier_destroy (&self);
}

static void refusals_at_each_step (void **state)
{
    (void) state;
    for (int mode = 0; mode < 2; mode++) {
        for (int step = 0; step < STEPS; step++) {
            (void) start (NULL);
            arrive (0, 2);
            settle (1);
            arrive (1, 2);
            for (int i = 0; i < step; i++) {
                if (!fake_flush_one (parties[1].client)) {
                    (void) cohort_dispatch (parties[1].client, 0);
                }
            }
            if (mode == 0) {
                fake_fail_request (parties[1].client, COHORT_ENOAUTH);
            } else {
                fake_fail_call (parties[1].client, COHORT_ELIMIT);
            }
            settle (2);
            fake_fail_request (parties[1].client, 0);
            fake_fail_call (parties[1].client, 0);
            assert_int_equal (parties[0].errors, 0);
            assert_int_equal (parties[1].errors + parties[1].entered, 1);
            if (parties[1].entered == 0 && parties[0].entered == 0) {
                assert_int_equal (cohort_barrier_enter (parties[1].barrier), 0);
                settle (2);
                assert_int_equal (entered (2), 2);
            }
            destroy (2);
        }
    }
    (void) start (NULL);
    cohort_t *client = fake_client ();
    cohort_barrier_t *self = cohort_barrier_new (client, "/b", 1, 7);
    fake_fail_call (client, COHORT_ELIMIT);
    assert_int_equal (cohort_barrier_enter (self), COHORT_ELIMIT);
    fake_fail_stream (client);
    assert_int_equal (cohort_barrier_enter (self), COHORT_ENOMEM);
    assert_int_equal (cohort_barrier_enter (self), 0);
    assert_int_equal (cohort_barrier_wait (self, -1), 0);
    fake_fail_call (client, COHORT_ELIMIT);
    assert_int_equal (cohort_barrier_leave (self), COHORT_ELIMIT);
    cohort_barrier_destroy (&self);
    fake_settle (client);
}

static void a_party_deleted_by_hand_is_told (void **state)
{
    (void) state;
    arrive (0, 3);
    settle (1);
    char path[64];
    assert_true (fake_first_child ("/b/7", path, sizeof (path)));
    fake_delete (path);
    fake_create ("/b/7/ready", "", 0);
    settle (1);
    assert_int_equal (parties[0].rc, COHORT_ENONODE);
    destroy (1);
}

static void destroy_inside (cohort_barrier_t *self, const cohort_barrier_event_t *event, void *arg)
{
    fake_in_handler ();
    struct party *party = arg;
    (void) event;
    assert_int_equal (cohort_barrier_wait (self, 1),
                      event->kind == COHORT_BARRIER_ENTERED || event->kind == COHORT_BARRIER_LEFT
                          ? 0
                          : event->rc);
    cohort_barrier_destroy (&party->barrier);
}

static void destroyed_inside_its_handlers (void **state)
{
    (void) state;
    for (int mode = 0; mode < 4; mode++) {
        (void) start (NULL);
        arrive (0, mode == 2 ? 2 : 1);
        struct party *party = &parties[0];
        if (mode == 1) {
            settle (1);
            leave (0);
        }
        cohort_barrier_set_handler (party->barrier, destroy_inside, party);
        if (mode == 2) {
            fake_settle (party->client);
            fake_expire (party->client, false, true);
        } else if (mode == 3) {
            fake_fail_request (party->client, COHORT_ENOAUTH);
            fake_flush (party->client);
        }
        assert_int_equal (cohort_barrier_wait (party->barrier, -1), COHORT_ECLOSING);
        assert_null (party->barrier);
        fake_settle (party->client);
        assert_int_equal (fake_count ("/b/7/m-"), 0);
        assert_int_equal (fake_streams (party->client), 0);
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (all_enter_and_all_leave),
        TEST (left_in_any_order),
        TEST (entering_is_one_write),
        TEST (scenario_19_curator_1290_an_event_of_the_session_is_no_success),
        TEST (who_gave_up_is_not_counted),
        TEST (giving_up_needs_no_answer),
        TEST (a_leftover_lets_nobody_through),
        TEST (one_too_many_is_told),
        TEST (somebody_dies_while_ready_is_made),
        TEST (who_dies_while_others_wait_for_it_has_left),
        TEST (a_time_out_while_leaving_is_a_leave_for_the_others),
        TEST (incompatible_parties_are_told),
        TEST (refusals_at_each_step),
        TEST (a_party_deleted_by_hand_is_told),
        TEST (destroyed_inside_its_handlers),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
