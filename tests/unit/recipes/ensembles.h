/* Ensembles of cohort/test.h and their clients, for tests of recipes where things are against
 * them. */

#ifndef COHORT_TESTS_RECIPES_ENSEMBLES_H
#define COHORT_TESTS_RECIPES_ENSEMBLES_H

#include "cohort/cohort.h"
#include "cohort/test.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 30000, STEP_MS = 10, TIMEOUT_MS = 4000 };

static cohort_test_t *test;

static inline int begin (size_t servers)
{
    cohort_test_options_t options = {.size = sizeof options, .servers = servers};
    test = cohort_test_new (&options);
    return test != NULL ? 0 : -1;
}

static inline int begin_three (void **state)
{
    (void) state;
    return begin (3);
}

static inline int begin_one (void **state)
{
    (void) state;
    return begin (1);
}

static inline int end (void **state)
{
    (void) state;
    cohort_test_destroy (&test);
    return 0;
}

static inline cohort_t *join (void)
{
    cohort_options_t options = {.size = sizeof options, .timeout_ms = TIMEOUT_MS};
    cohort_t *client = cohort_new (cohort_test_endpoints (test), &options);
    assert_non_null (client);
    cohort_set_time_limit (client, LIMIT_MS);
    assert_int_equal (cohort_wait (client, LIMIT_MS), 0);
    return client;
}

/* Dispatches clients in turn until the condition holds. */
#define until(clients, count, condition)                                                           \
    for (int passed_ms = 0; !(condition); passed_ms += STEP_MS) {                                  \
        assert_true (passed_ms < LIMIT_MS);                                                        \
        for (size_t which = 0; which < (count); which++) {                                         \
            assert_true (cohort_run ((clients)[which], which == 0 ? STEP_MS : 0) >= 0);            \
        }                                                                                          \
    }

/* Ends a session when all that its recipes have asked for is answered. */
static inline void leave (cohort_t **client)
{
    int rc = cohort_sync (*client);
    assert_true (rc == 0 || rc == COHORT_ESESSIONEXPIRED);
    while (cohort_dispatch (*client, 64) > 0) {
    }
    cohort_destroy (client);
}

static inline void kill_leader_and_start_it_anew (void)
{
    int server = cohort_test_kill_leader (test);
    assert_true (server >= 0);
    assert_int_equal (cohort_test_start (test, (size_t) server), 0);
}

/* How many znodes are below it, 0 also if it is not there; as all have committed it. */
static inline size_t count (cohort_t *client, const char *path)
{
    cohort_strings_t *names = NULL;
    assert_int_equal (cohort_sync (client), 0);
    int rc = cohort_children (client, path, &names, NULL);
    assert_true (rc == 0 || rc == COHORT_ENONODE);
    size_t found = rc == 0 ? names->count : 0;
    if (rc == 0) {
        cohort_strings_destroy (&names);
    }
    return found;
}

#endif
