#include "client/cli/fleet.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/auth.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/session.h"

/* The znodes over which reads and writes are spread, and how many sessions get one of their own. */
#define FLEET_KEYS        1000
#define FLEET_FOLDERS_MAX 1000

static int create_sessions (struct fleet *self)
{
    cohort_loop_options_t loop_options = {.size = sizeof loop_options, .driver = self->driver};
    self->loop = cohort_loop_new (&loop_options);
    self->clients = calloc ((size_t) self->plan->sessions, sizeof *self->clients);
    self->items = calloc ((size_t) self->plan->sessions, sizeof *self->items);
    if (self->loop == NULL || self->clients == NULL || self->items == NULL) {
        message ("out of memory or descriptors");
        return CLI_EXIT_FAILED;
    }
    cohort_options_t options = {
        .size = sizeof options,
        .loop = self->loop,
        .timeout_ms = BENCH_SESSION_TIMEOUT_MS,
    };
    struct security security;
    const struct settings *settings = &self->plan->settings;
    if (!security_init (&security, settings->server_key) ||
        (settings->key_file != NULL && !security_take_file (&security, settings->key_file))) {
        return CLI_EXIT_USAGE;
    }
    security_apply (&security, &options);
    for (int i = 0; i < self->plan->sessions; i++) {
        /* The first one explains what is wrong when there is something. */
        if (i == 0) {
            struct session session;
            int code = session_open (&session, settings, &options);
            if (code != CLI_EXIT_OK) {
                return code;
            }
            self->clients[0] = session.client;
        } else {
            self->clients[i] = cohort_new (settings->servers, &options);
            if (self->clients[i] == NULL) {
                message ("session %d of %d: out of memory or descriptors", i + 1,
                         self->plan->sessions);
                return CLI_EXIT_FAILED;
            }
        }
        self->count++;
    }
    for (int i = 1; i < self->count; i++) {
        int rc = cohort_wait (self->clients[i], BENCH_SILENCE_MS);
        if (rc != COHORT_OK) {
            message ("session %d of %d: %s", i + 1, self->count, cohort_error_text (rc));
            return exit_code_of (rc);
        }
        int code = auth_apply (self->clients[i], settings);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    /* A descriptor that is asked for must be kept up by the library: a single session needs none
     * without a thread. */
    bool alone = self->count == 1 && self->driver == COHORT_DRIVER_NONE;
    for (int i = 0; !alone && i < self->count; i++) {
        self->items[i] = (struct pollfd){cohort_fd (self->clients[i]), POLLIN, 0};
    }
    return CLI_EXIT_OK;
}

static void on_set_up (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct fleet *self = arg;
    assert (self->pending > 0);
    self->pending--;
    /* It may all be there from an earlier run. */
    if (result->rc != COHORT_OK && result->rc != COHORT_ENODEEXISTS && self->rc == COHORT_OK) {
        self->rc = result->rc;
    }
}

static void note (struct fleet *self, int rc)
{
    if (rc == COHORT_OK) {
        self->pending++;
    } else if (self->rc == COHORT_OK) {
        self->rc = rc;
    }
}

static int await_set_up (struct fleet *self)
{
    while (self->pending > 0) {
        if (!fleet_turn (self)) {
            return CLI_EXIT_TIMED_OUT;
        }
    }
    if (self->rc != COHORT_OK) {
        message ("bench: the znodes cannot be made: %s", cohort_error_text (self->rc));
    }
    return exit_code_of (self->rc);
}

static void create_one (struct fleet *self, const char *path, size_t size)
{
    note (self, cohort_create_async (self->clients[0], path, self->plan->data, size,
                                     COHORT_PERSISTENT, NULL, on_set_up, self));
}

static int set_up (struct fleet *self)
{
    char path[64];
    create_one (self, "/bench", 0);
    for (int i = 0; i < self->count && i < FLEET_FOLDERS_MAX; i++) {
        snprintf (path, sizeof path, "/bench/s%d", i);
        create_one (self, path, 0);
    }
    int code = await_set_up (self);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    snprintf (path, sizeof path, "/bench/k%d", FLEET_KEYS - 1);
    if (cohort_exists (self->clients[0], path, NULL) == COHORT_ENONODE) {
        for (int i = 0; i < FLEET_KEYS; i++) {
            snprintf (path, sizeof path, "/bench/k%d", i);
            create_one (self, path, (size_t) self->plan->size);
        }
        code = await_set_up (self);
    }
    for (int i = 0; code == CLI_EXIT_OK && i < self->count; i++) {
        note (self, cohort_set_async (self->clients[i], "/bench", "", 0, COHORT_ANY_VERSION,
                                      on_set_up, self));
    }
    return code == CLI_EXIT_OK ? await_set_up (self) : code;
}

int fleet_open (struct fleet *self, const struct bench_plan *plan, int driver)
{
    memset (self, 0, sizeof *self);
    self->plan = plan;
    self->driver = driver;
    int code = create_sessions (self);
    if (code == CLI_EXIT_OK) {
        code = set_up (self);
    }
    if (code != CLI_EXIT_OK) {
        fleet_close (self);
    }
    return code;
}

void fleet_close (struct fleet *self)
{
    for (int i = 0; i < self->count; i++) {
        cohort_destroy (&self->clients[i]);
    }
    if (self->loop != NULL) {
        int rc = cohort_loop_destroy (&self->loop);
        assert (rc == COHORT_OK);
        (void) rc;
    }
    free (self->clients);
    free (self->items);
    memset (self, 0, sizeof *self);
}

/* Nothing is ready at any session at the moment. */
static int wait_and_dispatch (struct fleet *self)
{
    int wait = BENCH_SILENCE_MS;
    for (int i = 0; i < self->count; i++) {
        int due = cohort_timeout (self->clients[i]);
        wait = due >= 0 && due < wait ? due : wait;
    }
    /* After a time-out: a deadline of the sessions' own. */
    bool any = poll (self->items, (nfds_t) self->count, wait) > 0;
    int ran = 0;
    for (int i = 0; i < self->count; i++) {
        if (!any || self->items[i].revents != 0) {
            ran += cohort_dispatch (self->clients[i], 0);
        }
    }
    return ran;
}

static int turn (struct fleet *self)
{
    if (self->driver == COHORT_DRIVER_THREAD) {
        return wait_and_dispatch (self);
    }
    if (self->count == 1) {
        return cohort_run (self->clients[0], BENCH_SILENCE_MS);
    }
    int ran = 0;
    for (int i = 0; i < self->count; i++) {
        ran += cohort_dispatch (self->clients[i], 0);
    }
    /* The last of these looks may have brought something to a session that came before: only the
     * descriptors tell whether it is safe to sleep. */
    return ran > 0 ? ran : wait_and_dispatch (self);
}

bool fleet_turn (struct fleet *self)
{
    int64_t give_up_ms = 0;
    while (turn (self) == 0) {
        int64_t now = clock_ms ();
        give_up_ms = give_up_ms == 0 ? now + BENCH_SILENCE_MS : give_up_ms;
        if (now >= give_up_ms) {
            message ("bench: no answer for %d s, giving up", BENCH_SILENCE_MS / 1000);
            return false;
        }
    }
    return true;
}
