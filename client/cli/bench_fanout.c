/* fanout: every session watches one znode; each round is one write, and the time until the last
 * watcher knows. */

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

struct fanout {
    struct fleet fleet;
    char *path; /* of what is watched: the first key */
    int armed;
    int fired;
    bool written;
    int errors;
};

static void on_armed (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct fanout *self = arg;
    self->armed++;
    self->errors += result->rc != COHORT_OK;
}

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    (void) client;
    struct fanout *self = arg;
    self->fired++;
    self->errors += event->type != COHORT_EVENT_CHANGED;
}

static void on_written (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct fanout *self = arg;
    self->written = true;
    self->errors += result->rc != COHORT_OK;
}

static int refused (int rc)
{
    message ("fanout: %s", cohort_error_text (rc));
    return exit_code_of (rc);
}

/* Nobody would ever be woken by a watch, or a write, that is none. */
static int failed (void)
{
    message ("fanout: a watch or the write failed: there is no time to report");
    return CLI_EXIT_FAILED;
}

/* As in the yardstick the write's own answer, too, has come when the clock stops. */
static int fanout_round (struct fanout *self, int number, int64_t *latency_ns)
{
    const struct bench_plan *plan = self->fleet.plan;
    self->armed = self->fired = 0;
    self->written = false;
    for (int i = 0; i < plan->sessions; i++) {
        int rc = cohort_exists_async (self->fleet.clients[i], self->path, on_event, self, on_armed,
                                      self);
        if (rc != COHORT_OK) {
            return refused (rc);
        }
    }
    while (self->armed < plan->sessions) {
        if (!fleet_turn (&self->fleet)) {
            return CLI_EXIT_TIMED_OUT;
        }
    }
    if (self->errors > 0) {
        return failed ();
    }
    int64_t start = clock_ns ();
    int rc = cohort_set_async (self->fleet.clients[number % plan->sessions], self->path, plan->data,
                               (size_t) plan->size, COHORT_ANY_VERSION, on_written, self);
    if (rc != COHORT_OK) {
        return refused (rc);
    }
    while (self->errors == 0 && (self->fired < plan->sessions || !self->written)) {
        if (!fleet_turn (&self->fleet)) {
            return CLI_EXIT_TIMED_OUT;
        }
    }
    if (self->errors > 0) {
        return failed ();
    }
    *latency_ns = clock_ns () - start;
    return CLI_EXIT_OK;
}

static int fanout_run (struct fanout *self, const struct bench_plan *plan)
{
    struct bench_result result = {.latencies = histogram_new (), .events = BENCH_NO_EVENTS};
    self->path = malloc (strlen (plan->folder) + BENCH_NAME_MAX);
    if (result.latencies == NULL || self->path == NULL) {
        free (result.latencies);
        message ("out of memory");
        return CLI_EXIT_FAILED;
    }
    snprintf (self->path, strlen (plan->folder) + BENCH_NAME_MAX, "%s/k0", plan->folder);
    struct progress progress;
    progress_init (&progress, plan->workload, (uint64_t) plan->total);
    int code = CLI_EXIT_OK;
    int64_t start = clock_ns ();
    for (int i = 0; code == CLI_EXIT_OK && i < plan->total; i++) {
        int64_t latency_ns = 0;
        code = fanout_round (self, i, &latency_ns);
        histogram_record (result.latencies, latency_ns);
        progress_show (&progress, (uint64_t) i + 1);
    }
    result.seconds = (double) (clock_ns () - start) / 1e9;
    progress_end (&progress);
    if (code == CLI_EXIT_OK) {
        code = bench_report (stdout, plan, &result);
    }
    free (result.latencies);
    return code;
}

int bench_fanout (const struct bench_plan *plan)
{
    struct fanout fanout = {.errors = 0};
    /* Every session has something to do each time: nobody has to be told which of them. */
    int code = fleet_open (&fanout.fleet, plan, COHORT_DRIVER_NONE);
    if (code == CLI_EXIT_OK) {
        code = fanout_run (&fanout, plan);
        /* The sessions go first: when a round was given up, events may still come. */
        fleet_close (&fanout.fleet);
        free (fanout.path);
    }
    return code;
}
