/* Real processes: two servers say that they are the same one, by a mistake in a configuration. The
 * others go on, the one that is found at its address counts, nothing is lost, and all say what is
 * wrong.
 *
 * usage: test-twins COHORTD [cmocka's name filter] */

#include <signal.h>
#include <stdio.h>

#include "tests/cluster/ensemble.h"
#include "tests/cluster/load.h"
#include "tests/unit/unit.h"

enum {
    START_MS = 60000,
    LOAD_MS = 60000,
    STOP_MS = 20000,
    SESSIONS = 4,
    WINDOW = 16,
    STEP = 300,
    STEPS = 6,
    DOWNS_MAX = 10 /* a link that goes down with each HELLO does so five times a second */
};

static const char *cohortd;
static struct ensemble ensemble;
static struct load load;
static size_t steps;
static bool finished;

static int set_up (void **state)
{
    (void) state;
    finished = false;
    steps = 0;
    ensemble_init (&ensemble, cohortd, 3, "");
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    load_init (&load, ensemble.list, SESSIONS, WINDOW, STEP * STEPS / SESSIONS);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    return 0;
}

static void write_more (void)
{
    load_until (&load, ++steps * STEP, LOAD_MS);
}

static void start_again (size_t index)
{
    ensemble_start (&ensemble, index);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
}

/* How often the others' links to it went down. */
static size_t downs (size_t doubled)
{
    char text[64];
    size_t count = 0;
    (void) snprintf (text, sizeof text, "link-down peer=%u ", ensemble.servers[doubled].id);
    for (size_t i = 0; i < 3; i++) {
        count += ensemble_log_count (&ensemble, i, text);
    }
    return count;
}

/* Who has to know says it, and with what the folder is. */
static void await_words (size_t doubled, const char *folder)
{
    for (size_t i = 0; i < 3; i++) {
        ensemble_await_log (&ensemble, i,
                            i == doubled ? "another server tells it that it is server"
                                         : "two servers say that they are server",
                            START_MS);
        ensemble_await_log (&ensemble, i, folder, START_MS);
    }
}

/* The twin says that nobody speaks to it; no other server has reason to. */
static void await_complaint (void)
{
    static const char silent[] = "is there a second server with this id?";
    ensemble_await_log (&ensemble, ensemble.count, silent, START_MS);
    for (size_t i = 0; i < 3; i++) {
        assert_false (ensemble_log_has (&ensemble, i, silent));
    }
}

static void check (size_t doubled, bool copied)
{
    size_t twin = ensemble.count;
    write_more ();
    if (copied) {
        ensemble_stop (&ensemble, doubled, STOP_MS);
    }
    ensemble_make_twin (&ensemble, doubled, copied);
    if (copied) {
        start_again (doubled);
    }
    write_more (); /* which a copy lacks */
    size_t downs_before = downs (doubled);
    ensemble_start (&ensemble, twin);
    write_more ();
    await_words (doubled, copied ? "a copy of its data folder" : "a data folder of its own");
    /* They lose it for a moment, each once; and then no more. */
    assert_true (downs (doubled) - downs_before <= DOWNS_MAX);
    /* The one at its address counts: with it and another everything goes on. */
    size_t other = (doubled + 1) % 3;
    ensemble_signal (&ensemble, other, SIGKILL);
    write_more ();
    start_again (other);
    /* It does so, too, when it has been away, and its twin has been there before it. */
    ensemble_signal (&ensemble, doubled, SIGKILL);
    write_more ();
    start_again (doubled);
    other = (doubled + 2) % 3;
    ensemble_signal (&ensemble, other, SIGKILL);
    write_more ();
    start_again (other);
    await_complaint ();
    ensemble_stop (&ensemble, twin, STOP_MS);
    load_verify_all (&load, &ensemble);
    assert_true (downs (doubled) > 0); /* at least when it was killed */
    finished = true;
}

static void test_empty_folder_follower (void **state)
{
    (void) state;
    size_t leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    check ((leader + 1) % 3, false);
}

static void test_empty_folder_leader (void **state)
{
    (void) state;
    check (ensemble_wait_leader (&ensemble, 2, START_MS), false);
}

static void test_copied_folder (void **state)
{
    (void) state;
    size_t leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    check ((leader + 1) % 3, true);
}

int main (int argc, char **argv)
{
#define TWINS_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TWINS_TEST (test_empty_folder_follower),
        TWINS_TEST (test_empty_folder_leader),
        TWINS_TEST (test_copied_folder),
    };
    if (argc < 2) {
        fprintf (stderr, "usage: test-twins COHORTD [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
