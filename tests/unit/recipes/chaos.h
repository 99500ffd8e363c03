/* Programs that use recipes while everything goes wrong around them, each a thread with a client of
 * its own, and judged. What goes wrong is the test's: on servers in its own process
 * (test_chaos.c), or on real ones (tests/cluster/test_recipes.c). */

#ifndef COHORT_TESTS_RECIPES_CHAOS_H
#define COHORT_TESTS_RECIPES_CHAOS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/prng.h"
#include "cohort/cohort.h"
#include "cohort/fault.h"
#include "tests/unit/unit.h"

enum {
    CHAOS_PROGRAMS_MAX = 48,
    CHAOS_WAIT_MS = 500,    /* of what programs wait for, and try again */
    CHAOS_LIMIT_MS = 60000, /* longer than that, whatever the machine does, it hangs */
    CHAOS_TIMEOUT_MS = 2000 /* of sessions */
};

int64_t chaos_now_us (void);

/* Fails the test, in any thread; cmocka's assertions are the main thread's alone. */
void chaos_require (bool condition, const char *what, const char *why);

/* That it does not hang: CHAOS_LIMIT_MS have not passed since from_us. */
void chaos_require_soon (int64_t from_us, const char *what, const char *why);

/* ---- Judges ---------------------------------------------------------------------------------- */

/* When a program has surely held something, under which token. */
struct tenure {
    int64_t from_us, until_us;
    uint64_t token;
};

/* What may be had by so many at a time: none of them surely while as many others surely do. What
 * one alone may have, it has under a greater token than whoever had it before. */
struct judge {
    const char *what;
    int permits;
    pthread_mutex_t lock;
    struct tenure tenures[CHAOS_PROGRAMS_MAX]; /* the newest of each program */
    uint64_t granted[CHAOS_PROGRAMS_MAX];      /* token of the newest grant of each */
    uint64_t ended[CHAOS_PROGRAMS_MAX];        /* sessions that the test has expired */
    size_t grants, checks;
};

#define JUDGE(NAME, PERMITS)                                                                       \
    {                                                                                              \
        .what = NAME, .permits = PERMITS, .lock = PTHREAD_MUTEX_INITIALIZER                        \
    }

/* ---- Programs -------------------------------------------------------------------------------- */

struct program {
    size_t number;
    pthread_t thread;
    void (*run) (struct program *self);
    cohort_t *client;
    atomic_bool ended;
};

/* So many programs of each kind. */
struct role {
    size_t count;
    void (*run) (struct program *self);
};

/* Programs that are run together. */
struct chaos_set {
    const struct role *roles;    /* the last one has no programs */
    struct judge *const *judges; /* the last one is NULL */
    /* What is there before; NULL: nothing. And a judge when all have ended. Both in the main
     * thread, with a client that no fault is for. */
    void (*prepare) (cohort_t *client);
    void (*conclude) (cohort_t *client);
};

extern const struct chaos_set chaos_grants, chaos_shares, chaos_views;

/* The faults are over: what is under way ends. */
bool chaos_is_over (void);

uint64_t chaos_seed (void);

/* A session that has ended is begun anew, unless a recipe has done so. */
void chaos_keep (cohort_t *client);

/* A grant, of which the program was told. Programs may be told late: those of one come in order,
 * and no two have the same. */
void chaos_granted (struct judge *self, const struct program *program, uint64_t token);

/* A program has asked at `asked_us` whether it holds, and was told that it surely does for more
 * than valid_ms. Nobody can be sure of a session that a test expires: it does not wait for its
 * limits. */
void chaos_holds (struct judge *self, const struct program *program, uint64_t token,
                  int64_t asked_us, int valid_ms);

void chaos_lets_go (struct judge *self, const struct program *program);

enum { CHAOS_MARGIN_MS = 5 };

/* Works for a while under a grant: asks again and again whether it is still its own. */
#define CHAOS_WORK(JUDGE, PROGRAM, TOKEN, VALID)                                                   \
    for (int turn = 0; turn < 20 && !chaos_is_over (); turn++) {                                   \
        int64_t asked_us = chaos_now_us ();                                                        \
        if (VALID) {                                                                               \
            chaos_holds (JUDGE, PROGRAM, TOKEN, asked_us, CHAOS_MARGIN_MS);                        \
        }                                                                                          \
        (void) cohort_run ((PROGRAM)->client, 1);                                                  \
    }                                                                                              \
    chaos_lets_go (JUDGE, PROGRAM)

/* ---- All of it ------------------------------------------------------------------------------- */

/* What a test does to the servers, and to the programs' clients. */
struct chaos {
    const char *servers;
    void (*fault) (struct prng *prng); /* one, and peace for a while */
    int seconds;                       /* for so long, */
    size_t faults_min;                 /* and so many of them at least */
    uint64_t seed;
};

/* Runs sets of programs (the last one is NULL) all at once. Fails the test on error. */
void chaos_run (const struct chaos *self, const struct chaos_set *const *sets);

/* Inside a fault: how many programs there are, and their clients. */
size_t chaos_programs (void);
cohort_t *chaos_client (size_t number);

/* Inside a fault: the test is about to expire a program's session, before its time. */
void chaos_expires (size_t number);

/* Inside a fault: waits until everything that is judged has been granted once more. */
void chaos_await_grants (void);

/* Inside a fault: for how long it lasts, and peace. */
void chaos_pause_ms (uint64_t ms);

#endif
