/* set, get, mix, create, delete, fill: TOTAL operations over all sessions, each session keeping
 * WINDOW of them in flight. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/bench.h"
#include "client/cli/bench_report.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/fleet.h"
#include "client/cli/message.h"
#include "client/cli/progress.h"

#define LOAD_KEYS     1000
#define LOAD_KEY_SIZE 16
#define LOAD_CHILDREN 1000 /* of each parent that fill makes */

enum operation {
    OPERATION_SET,
    OPERATION_GET,
    OPERATION_MIX,
    OPERATION_CREATE,
    OPERATION_DELETE,
    OPERATION_FILL
};

struct load {
    const struct bench_plan *plan;
    enum operation operation;
    int per_session;
    char (*keys)[LOAD_KEY_SIZE]; /* "/bench/k0" and on */
    struct lane *lanes;
    int64_t *latencies_ns; /* per_session for each lane */
    int64_t *starts_ns;    /* window for each lane      */
};

/* What one session does. Answers come in the order of the requests, so that the times at which
 * these left are a ring. */
struct lane {
    struct load *load;
    cohort_t *client;
    int id;
    int sent;     /* operations begun, those that were refused at once too  */
    int done;     /* operations ended                                       */
    int errors;   /* of them, failed                                        */
    int issued;   /* requests under way or answered                         */
    int answered; /* requests answered                                      */
    int64_t *latencies_ns;
    int64_t *starts_ns;
};

static enum operation operation_of (const char *workload)
{
    static const char *const names[] = {"set", "get", "mix", "create", "delete", "fill"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp (names[i], workload) == 0) {
            return (enum operation) i;
        }
    }
    assert (false);
    return OPERATION_GET;
}

static void lane_go_on (struct lane *self, int64_t now_ns);

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct lane *self = arg;
    assert (self->answered < self->issued && self->done < self->load->per_session);
    int64_t start = self->starts_ns[self->answered++ % self->load->plan->window];
    /* One look at the clock an operation: the next one begins as this one ends. */
    int64_t now = clock_ns ();
    self->latencies_ns[self->done++] = now - start;
    self->errors += result->rc != COHORT_OK;
    lane_go_on (self, now);
}

static int request_fill (struct lane *self, int i)
{
    const struct bench_plan *plan = self->load->plan;
    char path[64];
    if (i % LOAD_CHILDREN == 0) {
        snprintf (path, sizeof path, "/bench/f%d-%d", self->id, i / LOAD_CHILDREN);
        int rc =
            cohort_create_async (self->client, path, "", 0, COHORT_PERSISTENT, NULL, NULL, NULL);
        if (rc != COHORT_OK) {
            return rc;
        }
    }
    snprintf (path, sizeof path, "/bench/f%d-%d/n%d", self->id, i / LOAD_CHILDREN,
              i % LOAD_CHILDREN);
    return cohort_create_async (self->client, path, plan->data, (size_t) plan->size,
                                COHORT_PERSISTENT, NULL, on_result, self);
}

/* Begins operation number i of this session. */
static int request (struct lane *self, int i)
{
    const struct load *load = self->load;
    const char *data = load->plan->data;
    size_t size = (size_t) load->plan->size;
    const char *key = load->keys[((int64_t) self->id * 7919 + i) % LOAD_KEYS];
    char path[64];
    switch (load->operation) {
    case OPERATION_CREATE:
        snprintf (path, sizeof path, "/bench/s%d/n%d", self->id, i);
        return cohort_create_async (self->client, path, data, size, COHORT_PERSISTENT, NULL,
                                    on_result, self);
    case OPERATION_DELETE:
        snprintf (path, sizeof path, "/bench/s%d/n%d", self->id, i);
        return cohort_delete_async (self->client, path, COHORT_ANY_VERSION, on_result, self);
    case OPERATION_FILL:
        return request_fill (self, i);
    case OPERATION_MIX:
        if (i % 10 != 0) {
            break;
        }
        return cohort_set_async (self->client, key, data, size, COHORT_ANY_VERSION, on_result,
                                 self);
    case OPERATION_SET:
        return cohort_set_async (self->client, key, data, size, COHORT_ANY_VERSION, on_result,
                                 self);
    case OPERATION_GET:
        break;
    }
    return cohort_get_async (self->client, key, NULL, NULL, on_result, self);
}

/* Fills the window. */
static void lane_go_on (struct lane *self, int64_t now_ns)
{
    const struct load *load = self->load;
    int window = load->plan->window;
    while (self->sent < load->per_session && self->issued - self->answered < window) {
        self->starts_ns[self->issued % window] = now_ns;
        if (request (self, self->sent) == COHORT_OK) {
            self->issued++;
        } else {
            self->latencies_ns[self->done++] = clock_ns () - now_ns;
            self->errors++;
        }
        self->sent++;
    }
}

static void load_deinit (struct load *self)
{
    free (self->keys);
    free (self->lanes);
    free (self->latencies_ns);
    free (self->starts_ns);
}

static bool load_init (struct load *self, const struct bench_plan *plan, const struct fleet *fleet)
{
    size_t sessions = (size_t) plan->sessions, window = (size_t) plan->window;
    *self = (struct load){
        .plan = plan,
        .operation = operation_of (plan->workload),
        .per_session = plan->total / plan->sessions,
    };
    size_t per_session = (size_t) self->per_session;
    self->keys = calloc (LOAD_KEYS, sizeof *self->keys);
    self->lanes = calloc (sessions, sizeof *self->lanes);
    self->latencies_ns = calloc (sessions * per_session, sizeof *self->latencies_ns);
    self->starts_ns = calloc (sessions * window, sizeof *self->starts_ns);
    if (self->keys == NULL || self->lanes == NULL || self->latencies_ns == NULL ||
        self->starts_ns == NULL) {
        load_deinit (self);
        return false;
    }
    for (int i = 0; i < LOAD_KEYS; i++) {
        snprintf (self->keys[i], LOAD_KEY_SIZE, "/bench/k%d", i);
    }
    for (size_t i = 0; i < sessions; i++) {
        self->lanes[i] = (struct lane){
            .load = self,
            .client = fleet->clients[i],
            .id = (int) i,
            .latencies_ns = self->latencies_ns + i * per_session,
            .starts_ns = self->starts_ns + i * window,
        };
    }
    return true;
}

static uint64_t load_done (const struct load *self)
{
    uint64_t done = 0;
    for (int i = 0; i < self->plan->sessions; i++) {
        done += (uint64_t) self->lanes[i].done;
    }
    return done;
}

static int load_run (struct load *self, struct fleet *fleet)
{
    uint64_t total = (uint64_t) self->per_session * (uint64_t) self->plan->sessions;
    struct progress progress;
    progress_init (&progress, self->plan->workload, total);
    bool alive = true;
    int64_t start = clock_ns ();
    for (int i = 0; i < self->plan->sessions; i++) {
        lane_go_on (&self->lanes[i], clock_ns ());
    }
    uint64_t done = load_done (self);
    while (alive && done < total) {
        alive = fleet_turn (fleet);
        done = load_done (self);
        progress_show (&progress, done);
    }
    double seconds = (double) (clock_ns () - start) / 1e9;
    progress_end (&progress);
    if (!alive) {
        return CLI_EXIT_TIMED_OUT;
    }
    int errors = 0;
    for (int i = 0; i < self->plan->sessions; i++) {
        errors += self->lanes[i].errors;
    }
    return bench_report (stdout, self->plan, self->latencies_ns, total, seconds, errors);
}

int bench_load (const struct bench_plan *plan)
{
    struct fleet fleet;
    int code = fleet_open (&fleet, plan, COHORT_DRIVER_NONE);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    struct load load;
    if (load_init (&load, plan, &fleet)) {
        code = load_run (&load, &fleet);
        /* The sessions go first: when the run was given up, answers may still come. */
        fleet_close (&fleet);
        load_deinit (&load);
    } else {
        message ("out of memory");
        code = CLI_EXIT_FAILED;
        fleet_close (&fleet);
    }
    return code;
}
