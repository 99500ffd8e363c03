/* Picking: strategies, groups, draining, quarantine. */

#include <stdio.h>
#include <string.h>

#include "cohort/directory.h"
#include "tests/unit/recipes/fixture.h"

static cohort_t *client;

static int start (void **state)
{
    (void) fake_start (state);
    client = fake_client ();
    fake_create ("/s", "", 0);
    fake_create ("/s/e", "", 0);
    fake_create ("/s/w", "", 0);
    return 0;
}

static const char *data_of (int load, int draining)
{
    static char data[64];
    snprintf (data, sizeof (data), "ip=a\nport=1\nload=%d\ndraining=%d\n", load, draining);
    return data;
}

static void add (const char *path, int load)
{
    fake_create (path, data_of (load, 0), 1);
}

static void change (const char *path, int load, int draining)
{
    fake_set (path, data_of (load, draining));
    fake_settle (client);
}

static cohort_directory_t *directory_with (cohort_directory_options_t options)
{
    options.size = sizeof (options);
    options.clock = fake_clock;
    cohort_directory_t *self = cohort_directory_new (client, "/s", &options);
    assert_int_equal (cohort_directory_wait (self, -1), 0);
    return self;
}

static cohort_directory_t *directory (int strategy)
{
    return directory_with ((cohort_directory_options_t){.strategy = strategy});
}

/* Traces the uids of n picks. */
static void picks (cohort_directory_t *self, int n, const char *group, const char *key)
{
    for (int i = 0; i < n; i++) {
        const cohort_instance_t *instance = cohort_directory_pick (self, group, key);
        trace ("%s ", instance == NULL ? "-" : instance->uid);
    }
}

static void nothing_to_pick (void **state)
{
    (void) state;
    for (int strategy = COHORT_ROUND_ROBIN; strategy <= COHORT_LEAST_LOAD; strategy++) {
        cohort_directory_t *self = directory (strategy);
        picks (self, 1, NULL, NULL);
        picks (self, 1, "e", "key");
        cohort_directory_destroy (&self);
    }
    assert_trace ("- - - - - - - - ");
}

static void round_robin (void **state)
{
    (void) state;
    add ("/s/e/1", 0);
    add ("/s/e/2", 0);
    add ("/s/w/3", 0);
    cohort_directory_t *self = directory (COHORT_ROUND_ROBIN);
    picks (self, 5, NULL, NULL);
    assert_trace ("1 2 3 1 2 ");
    /* In turn within a group, whatever is picked between. */
    picks (self, 2, "e", NULL);
    picks (self, 1, "w", NULL);
    picks (self, 2, "e", NULL);
    assert_trace ("1 2 3 1 2 ");
    /* A change of data is no change of turns; a new one comes first. */
    change ("/s/e/1", 5, 0);
    add ("/s/e/4", 0);
    fake_settle (client);
    picks (self, 3, "e", NULL);
    assert_trace ("4 1 2 ");
    change ("/s/e/4", 0, 1);
    picks (self, 3, "e", NULL);
    assert_trace ("1 2 1 ");
    cohort_directory_destroy (&self);
}

static void random_from_the_seed (void **state)
{
    (void) state;
    for (int i = 0; i < 10; i++) {
        char path[32];
        snprintf (path, sizeof (path), "/s/e/%d", i);
        add (path, 0);
    }
    int counts[10] = {0};
    char first[sizeof (trace_text)] = "";
    for (uint64_t seed = 5; seed <= 6; seed++) {
        for (int again = 0; again < 2; again++) {
            cohort_directory_t *self = directory_with (
                (cohort_directory_options_t){.strategy = COHORT_RANDOM, .seed = seed});
            picks (self, 30, NULL, NULL);
            if (again == 0) {
                assert_string_not_equal (trace_text, first);
                memcpy (first, trace_text, sizeof (first));
                trace_text[0] = 0;
            } else {
                assert_trace (first);
            }
            for (int i = 0; i < 10000; i++) {
                counts[cohort_directory_pick (self, NULL, NULL)->uid[0] - '0']++;
            }
            cohort_directory_destroy (&self);
        }
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range (counts[i], 3700, 4300);
    }
}

static void sticky_by_key (void **state)
{
    (void) state;
    for (int i = 0; i < 10; i++) {
        char path[32];
        snprintf (path, sizeof (path), "/s/e/%d", i);
        add (path, 0);
    }
    cohort_directory_t *self = directory (COHORT_STICKY);
    cohort_directory_t *other = directory (COHORT_STICKY);
    char before[1000];
    int counts[10] = {0};
    for (int i = 0; i < 1000; i++) {
        char key[32];
        snprintf (key, sizeof (key), "player %d", i);
        before[i] = cohort_directory_pick (self, NULL, key)->uid[0];
        /* Every process says the same. */
        assert_int_equal (cohort_directory_pick (other, NULL, key)->uid[0], before[i]);
        counts[before[i] - '0']++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range (counts[i], 60, 140);
    }
    fake_delete ("/s/e/3");
    fake_settle (client);
    for (int i = 0; i < 1000; i++) {
        char key[32];
        snprintf (key, sizeof (key), "player %d", i);
        char now = cohort_directory_pick (self, NULL, key)->uid[0];
        /* Only the keys of the one that left have moved. */
        assert_true (now == before[i] || before[i] == '3');
        assert_true (now != '3');
    }
    cohort_directory_destroy (&self);
    cohort_directory_destroy (&other);
}

static void sticky_without_a_key (void **state)
{
    (void) state;
    add ("/s/e/1", 0);
    add ("/s/e/2", 0);
    cohort_directory_t *self = directory (COHORT_STICKY);
    picks (self, 3, NULL, NULL);
    assert_trace ("1 1 1 ");
    change ("/s/e/1", 0, 1);
    picks (self, 3, NULL, NULL);
    assert_trace ("2 2 2 ");
    change ("/s/e/1", 0, 0);
    picks (self, 2, NULL, NULL);
    assert_trace ("2 2 ");
    fake_delete ("/s/e/2");
    fake_settle (client);
    picks (self, 2, NULL, NULL);
    assert_trace ("1 1 ");
    cohort_directory_destroy (&self);
}

static void least_load (void **state)
{
    (void) state;
    add ("/s/e/1", 10);
    add ("/s/e/2", 7);
    add ("/s/w/3", 8);
    cohort_directory_t *self = directory (COHORT_LEAST_LOAD);
    /* Picks count until the load is published anew: no crowd on the one that was empty. */
    picks (self, 6, NULL, NULL);
    assert_trace ("2 3 2 3 2 1 ");
    picks (self, 1, "e", NULL);
    assert_trace ("2 ");
    change ("/s/e/2", 3, 0);
    picks (self, 2, NULL, NULL);
    assert_trace ("2 2 ");
    cohort_directory_destroy (&self);
}

static int choose_last (const cohort_instance_t *const *candidates, size_t count, const char *key,
                        void *arg)
{
    (void) candidates;
    assert_string_equal (key, "player");
    return *(int *) arg == 0 ? (int) count - 1 : *(int *) arg;
}

static void a_chooser_of_ones_own (void **state)
{
    (void) state;
    add ("/s/e/1", 0);
    add ("/s/e/2", 0);
    add ("/s/w/3", 0);
    cohort_directory_t *self = directory (COHORT_ROUND_ROBIN);
    int answer = 0;
    cohort_directory_set_chooser (self, choose_last, &answer);
    picks (self, 2, NULL, "player");
    picks (self, 1, "e", "player");
    picks (self, 1, "n", "player");
    answer = -1;
    picks (self, 1, NULL, "player");
    answer = 3;
    picks (self, 1, NULL, "player");
    for (int i = 4; i < 40; i++) {
        char path[32];
        snprintf (path, sizeof (path), "/s/w/%d", i);
        add (path, 0);
    }
    fake_settle (client);
    answer = 0;
    picks (self, 1, NULL, "player");
    assert_trace ("3 3 2 - - - 9 ");
    cohort_directory_set_chooser (self, NULL, NULL);
    picks (self, 1, "e", NULL);
    assert_trace ("1 ");
    cohort_directory_destroy (&self);
}

static void two_errors_in_thirty_seconds (void **state)
{
    (void) state;
    add ("/s/e/1", 0);
    add ("/s/e/2", 0);
    cohort_directory_t *self = directory (COHORT_ROUND_ROBIN);
    assert_int_equal (cohort_directory_report (self, "9", 0), COHORT_ENONODE);
    assert_int_equal (cohort_directory_report (self, NULL, 0), COHORT_ENONODE);
    assert_int_equal (cohort_directory_report (self, "1", 0), 0);
    assert_int_equal (cohort_directory_quarantine_ms (self, "1"), 0);
    picks (self, 2, NULL, NULL);
    fake_now_ms = 10000;
    assert_int_equal (cohort_directory_report (self, "1", 0), 0);
    assert_int_equal (cohort_directory_quarantine_ms (self, "1"), 30000);
    assert_int_equal (cohort_directory_quarantine_ms (self, "2"), 0);
    assert_int_equal (cohort_directory_quarantine_ms (self, "9"), 0);
    picks (self, 2, NULL, NULL);
    assert_trace ("1 2 2 2 ");
    /* It stays in quarantine through an update of its data; all of them may be. */
    change ("/s/e/1", 3, 0);
    cohort_directory_report (self, "2", 0);
    cohort_directory_report (self, "2", 0);
    picks (self, 1, NULL, NULL);
    assert_trace ("- ");
    fake_now_ms = 39999;
    picks (self, 1, NULL, NULL);
    fake_now_ms = 40000;
    picks (self, 1, NULL, NULL);
    assert_trace ("- 1 ");
    cohort_directory_destroy (&self);
}

static void errors_that_are_far_apart (void **state)
{
    (void) state;
    add ("/s/e/1", 0);
    cohort_directory_t *self =
        directory_with ((cohort_directory_options_t){.quarantine_errors = 3, .quarantine_ms = 100});
    for (int i = 0; i < 10; i++) {
        cohort_directory_report (self, "1", 0);
        fake_now_ms += 51;
        assert_int_equal (cohort_directory_quarantine_ms (self, "1"), 0);
    }
    fake_now_ms += 1000;
    cohort_directory_report (self, "1", 0);
    cohort_directory_report (self, "1", 0);
    /* One success forgets them. */
    cohort_directory_report (self, "1", 1);
    cohort_directory_report (self, "1", 0);
    cohort_directory_report (self, "1", 0);
    assert_int_equal (cohort_directory_quarantine_ms (self, "1"), 0);
    cohort_directory_report (self, "1", 0);
    assert_int_equal (cohort_directory_quarantine_ms (self, "1"), 100);
    cohort_directory_report (self, "1", 1);
    assert_int_equal (cohort_directory_quarantine_ms (self, "1"), 0);
    cohort_directory_destroy (&self);
}

static void one_that_registers_anew_begins_anew (void **state)
{
    (void) state;
    add ("/s/e/1", 0);
    cohort_directory_t *self = directory (COHORT_ROUND_ROBIN);
    cohort_directory_report (self, "1", 0);
    cohort_directory_report (self, "1", 0);
    picks (self, 1, NULL, NULL);
    fake_begin ();
    fake_delete ("/s/e/1");
    add ("/s/e/1", 0);
    fake_commit ();
    fake_settle (client);
    picks (self, 1, NULL, NULL);
    assert_trace ("- 1 ");
    cohort_directory_destroy (&self);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (nothing_to_pick),           TEST (round_robin),
        TEST (random_from_the_seed),      TEST (sticky_by_key),
        TEST (sticky_without_a_key),      TEST (least_load),
        TEST (a_chooser_of_ones_own),     TEST (two_errors_in_thirty_seconds),
        TEST (errors_that_are_far_apart), TEST (one_that_registers_anew_begins_anew),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
