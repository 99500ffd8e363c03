/* Programs on three real servers while everything goes wrong: leaders die, connections are cut,
 * answers are lost, events held back, disks stall, sessions expire. Each is a thread with a client
 * of its own, and is judged. Included by a test, which has the programs and begins with how many
 * there are (CHAOS_PROGRAMS). */

#ifndef COHORT_TESTS_RECIPES_CHAOS_H
#define COHORT_TESTS_RECIPES_CHAOS_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/base/prng.h"
#include "cohort/cohort.h"
#include "cohort/test.h"
#include "tests/unit/unit.h"

enum { PROGRAMS = CHAOS_PROGRAMS, WAIT_MS = 500, LIMIT_MS = 60000, TIMEOUT_MS = 2000 };

static cohort_test_t *test;
static uint64_t seed = 1;
static int seconds = 3;
static atomic_bool over; /* the faults are: what is under way ends */

/* ---- Judges ---------------------------------------------------------------------------------- */

static int64_t real_us (void)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* What may be had by so many at a time. Each holder writes down until when it surely holds it; no
 * other may hold it before. */
struct judge {
    const char *what;
    pthread_mutex_t lock;
    int permits;
    int64_t until_us[PROGRAMS]; /* of each program, 0: it holds nothing */
    uint64_t ended[PROGRAMS];   /* sessions that the test has expired: before their time */
    size_t grants, checks;
};

static void fail_test (const char *what, const char *why)
{
    fprintf (stderr, "seed %llu: %s: %s\n", (unsigned long long) seed, what, why);
    abort ();
}

/* cmocka's assertions are the main thread's alone. */
static void require (bool condition, const char *what, const char *why)
{
    if (!condition) {
        fail_test (what, why);
    }
}

/* A program has asked at `asked_us` whether it holds, and was told that it surely does for more
 * than valid_ms. Nobody can be sure of a session that a test expires: it does not wait for its
 * limits. */
static void holds (struct judge *self, size_t program, uint64_t session, int64_t asked_us,
                   int valid_ms)
{
    int holders = 0;
    (void) pthread_mutex_lock (&self->lock);
    if (self->ended[program] != session) {
        self->until_us[program] = asked_us + (int64_t) valid_ms * 1000;
        self->checks++;
    }
    for (size_t i = 0; i < PROGRAMS; i++) {
        holders += self->until_us[i] > asked_us;
    }
    (void) pthread_mutex_unlock (&self->lock);
    require (holders <= self->permits, self->what, "too many hold it");
}

static void lets_go (struct judge *self, size_t program)
{
    (void) pthread_mutex_lock (&self->lock);
    self->until_us[program] = 0;
    (void) pthread_mutex_unlock (&self->lock);
}

/* The test is about to expire it. */
static void expires (struct judge *self, size_t program, uint64_t session)
{
    (void) pthread_mutex_lock (&self->lock);
    self->ended[program] = session;
    self->until_us[program] = 0;
    (void) pthread_mutex_unlock (&self->lock);
}

/* An exclusive grant, of which the program was told. Programs may be told late: those of one come
 * in order. */
static void granted (struct judge *self, uint64_t *own, uint64_t token)
{
    (void) pthread_mutex_lock (&self->lock);
    self->grants++;
    (void) pthread_mutex_unlock (&self->lock);
    require (token > *own, self->what, "a token that does not grow");
    *own = token;
}

/* ---- Programs -------------------------------------------------------------------------------- */

struct program {
    size_t number;
    pthread_t thread;
    void (*run) (struct program *self);
    cohort_t *client;
    atomic_bool ended;
};

static struct program programs[PROGRAMS];

/* So many programs of each kind. */
struct role {
    size_t count;
    void (*run) (struct program *self);
};

/* What each test has: its programs, judges, what is there before, and what is looked at when all
 * have ended. */
static const struct role *roles;
static struct judge **judges;
static size_t judges_count;
static void (*prepare) (cohort_t *client);
static void (*conclude) (void);

/* A session that has ended is begun anew, unless a recipe has done so. */
static void keep (cohort_t *client)
{
    if (cohort_state (client) == COHORT_LOST) {
        int rc = cohort_renew (client);
        (void) rc; /* somebody was quicker */
    }
}

/* Works for a while under a grant: asks again and again whether it is still its own. */
#define work(judge, self, valid)                                                                   \
    for (int turn = 0; turn < 20 && !atomic_load (&over); turn++) {                                \
        int64_t asked_us = real_us ();                                                             \
        int margin_ms = 5;                                                                         \
        if (valid) {                                                                               \
            holds (judge, (self)->number, cohort_session_id ((self)->client), asked_us,            \
                   margin_ms);                                                                     \
        }                                                                                          \
        (void) cohort_run ((self)->client, 1);                                                     \
    }                                                                                              \
    lets_go (judge, (self)->number)

/* ---- Faults ---------------------------------------------------------------------------------- */

/* For how long a fault lasts, and peace. */
static void pause_ms (uint64_t ms)
{
    (void) poll (NULL, 0, (int) ms);
}

static void one_fault (struct prng *prng)
{
    size_t number = (size_t) prng_below (prng, PROGRAMS);
    cohort_t *client = programs[number].client;
    size_t server = (size_t) prng_below (prng, 3);
    switch (prng_below (prng, 8)) {
    case 0: {
        int leader = cohort_test_kill_leader (test);
        assert_in_range (leader, 0, 2);
        pause_ms (prng_below (prng, 300));
        assert_int_equal (cohort_test_start (test, (size_t) leader), 0);
        break;
    }
    case 1:
        assert_int_equal (cohort_fault_drop_replies (client, 1 + (int) prng_below (prng, 3)), 0);
        break;
    case 2:
        assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_EVENTS), 0);
        pause_ms (prng_below (prng, 100));
        assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_NOTHING), 0);
        break;
    case 3:
        cohort_fault_isolate (client, 1);
        pause_ms (prng_below (prng, 400));
        cohort_fault_isolate (client, 0);
        break;
    case 4: {
        for (size_t i = 0; i < judges_count; i++) {
            expires (judges[i], number, cohort_session_id (client));
        }
        int rc = cohort_test_expire (test, client);
        assert_true (rc == 0 || rc == COHORT_ESTATE); /* it was ending already */
        break;
    }
    case 5:
        assert_int_equal (cohort_test_stall_disk (test, server, 1), 0);
        pause_ms (prng_below (prng, 100));
        assert_int_equal (cohort_test_stall_disk (test, server, 0), 0);
        break;
    case 6:
        assert_int_equal (
            cohort_test_step_clock (test, server, (int64_t) prng_below (prng, 2000) - 1000), 0);
        break;
    default:
        cohort_fault_cut (client);
        break;
    }
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void *run (void *arg)
{
    struct program *self = arg;
    self->run (self);
    /* What its recipe has asked for is answered before the client goes. */
    keep (self->client);
    cohort_set_time_limit (self->client, LIMIT_MS);
    int rc = cohort_sync (self->client);
    (void) rc;
    while (cohort_dispatch (self->client, 64) > 0) {
    }
    atomic_store (&self->ended, true);
    return NULL;
}

static void (*role_of (size_t number)) (struct program *)
{
    size_t role = 0;
    while (number >= roles[role].count) {
        number -= roles[role++].count;
    }
    return roles[role].run;
}

static void begin (void)
{
    cohort_test_options_t options = {.size = sizeof options, .servers = 3};
    test = cohort_test_new (&options);
    assert_non_null (test);
    for (size_t i = 0; i < PROGRAMS; i++) {
        cohort_options_t client = {.size = sizeof client, .timeout_ms = TIMEOUT_MS};
        programs[i] = (struct program){.number = i, .run = role_of (i)};
        programs[i].client = cohort_new (cohort_test_endpoints (test), &client);
        assert_non_null (programs[i].client);
        assert_int_equal (cohort_wait (programs[i].client, LIMIT_MS), 0);
    }
    cohort_t *first = programs[0].client;
    assert_int_equal (cohort_create (first, "/chaos", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                      0);
    if (prepare != NULL) {
        prepare (first);
    }
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal (cohort_sync (programs[i].client), 0);
    }
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal (pthread_create (&programs[i].thread, NULL, run, &programs[i]), 0);
    }
}

static void recipes_in_chaos (void **state)
{
    struct prng prng;
    size_t faults = 0;
    (void) state;
    begin ();
    prng_seed (&prng, seed);
    int64_t end_us = real_us () + (int64_t) seconds * 1000000;
    for (; real_us () < end_us; faults++) {
        one_fault (&prng);
        pause_ms (prng_below (&prng, 60));
    }
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal (cohort_fault_drop_replies (programs[i].client, 0), 0);
    }
    atomic_store (&over, true);
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal (pthread_join (programs[i].thread, NULL), 0);
    }
    conclude ();
    for (size_t i = 0; i < judges_count; i++) {
        print_message ("  %s: %zu grants, held %zu times when asked\n", judges[i]->what,
                       judges[i]->grants, judges[i]->checks);
        assert_true (judges[i]->grants > 0 && judges[i]->checks > 0);
    }
    print_message ("  seed %llu: %zu faults\n", (unsigned long long) seed, faults);
    assert_true (faults > 0);
    for (size_t i = 0; i < PROGRAMS; i++) {
        cohort_destroy (&programs[i].client);
    }
    cohort_test_destroy (&test);
}

static int chaos_main (int argc, char **argv, const char *usage)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (recipes_in_chaos)};
    seconds = argc > 1 ? (int) strtol (argv[1], NULL, 10) : seconds;
    seed = argc > 2 ? strtoull (argv[2], NULL, 10) : seed;
    if (seconds < 1 || argc > 3) {
        fprintf (stderr, "usage: %s [SECONDS [SEED]]\n", usage);
        return 2;
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}

#endif
