/* A real server in the process of a test, and clients of it. */

#ifndef COHORT_TESTS_RECIPES_LIVE_H
#define COHORT_TESTS_RECIPES_LIVE_H

#include "cohort/cohort.h"
#include "cohort/server.h"
#include "tests/unit/unit.h"

#define LIVE_LIMIT_MS 20000
#define LIVE_STEP_MS  10

static cohort_server_t *live_server;

static void live_log (int level, const char *event, const char *details, void *arg)
{
    (void) level;
    (void) arg;
    print_message ("server: %s %s\n", event, details);
}

static int live_start_on_clock (int manual_clock)
{
    cohort_server_options_t options = {.size = sizeof (options),
                                       .clients = "inproc://recipes",
                                       .manual_clock = manual_clock,
                                       .log = live_log,
                                       .log_level = COHORT_LOG_ERROR};
    live_server = cohort_server_new (&options);
    return live_server != NULL && cohort_server_start (live_server) == 0 &&
                   cohort_server_wait (live_server, LIVE_LIMIT_MS) == 0
               ? 0
               : -1;
}

static inline int live_start (void **state)
{
    (void) state;
    return live_start_on_clock (0);
}

/* Time moves when the test says so. */
static inline int live_start_manual (void **state)
{
    (void) state;
    return live_start_on_clock (1);
}

static int live_stop (void **state)
{
    (void) state;
    cohort_server_destroy (&live_server);
    return 0;
}

static cohort_t *live_client_with (cohort_options_t options)
{
    options.size = sizeof (options);
    options.loop = cohort_server_loop (live_server);
    cohort_t *client = cohort_new ("inproc://recipes", &options);
    assert_non_null (client);
    return client;
}

static inline cohort_t *live_client (void)
{
    return live_client_with ((cohort_options_t){0});
}

/* Dispatches a client until the condition holds. */
#define live_until(client, condition)                                                              \
    for (int live_ms = 0; !(condition); live_ms += LIVE_STEP_MS) {                                 \
        assert_true (live_ms < LIVE_LIMIT_MS);                                                     \
        assert_true (cohort_run (client, LIVE_STEP_MS) >= 0);                                      \
    }

#endif
