/* fanout: every session watches one znode; each round is one write, and the time until the last
 * watcher knows. */

#include <stdlib.h>

#include "client/cli/bench.h"
#include "client/cli/bench_report.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/fleet.h"
#include "client/cli/message.h"
#include "client/cli/progress.h"

#define FANOUT_PATH "/bench/k0"

struct fanout {
    struct fleet fleet;
    int armed;
    int fired;
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

static int fanout_round (struct fanout *self, int number, int64_t *latency_ns)
{
    const struct bench_plan *plan = self->fleet.plan;
    self->armed = 0;
    self->fired = 0;
    for (int i = 0; i < plan->sessions; i++) {
        int rc = cohort_exists_async (self->fleet.clients[i], FANOUT_PATH, on_event, self, on_armed,
                                      self);
        if (rc != COHORT_OK) {
            message ("fanout: %s", cohort_error_text (rc));
            return exit_code_of (rc);
        }
    }
    while (self->armed < plan->sessions) {
        if (!fleet_turn (&self->fleet)) {
            return CLI_EXIT_TIMED_OUT;
        }
    }
    int64_t start = clock_ns ();
    int rc = cohort_set_async (self->fleet.clients[number % plan->sessions], FANOUT_PATH,
                               plan->data, (size_t) plan->size, COHORT_ANY_VERSION, NULL, NULL);
    if (rc != COHORT_OK) {
        message ("fanout: %s", cohort_error_text (rc));
        return exit_code_of (rc);
    }
    while (self->fired < plan->sessions) {
        if (!fleet_turn (&self->fleet)) {
            return CLI_EXIT_TIMED_OUT;
        }
    }
    *latency_ns = clock_ns () - start;
    return CLI_EXIT_OK;
}

int bench_fanout (const struct bench_plan *plan)
{
    struct fanout fanout = {.errors = 0};
    int code = fleet_open (&fanout.fleet, plan, COHORT_DRIVER_THREAD);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    int64_t *latencies = calloc ((size_t) plan->total, sizeof *latencies);
    if (latencies == NULL) {
        message ("out of memory");
        code = CLI_EXIT_FAILED;
    }
    struct progress progress;
    progress_init (&progress, plan->workload, (uint64_t) plan->total);
    int64_t start = clock_ns ();
    for (int i = 0; code == CLI_EXIT_OK && i < plan->total; i++) {
        code = fanout_round (&fanout, i, &latencies[i]);
        progress_show (&progress, (uint64_t) i + 1);
    }
    double seconds = (double) (clock_ns () - start) / 1e9;
    progress_end (&progress);
    if (code == CLI_EXIT_OK) {
        code = bench_report (stdout, plan, latencies, (size_t) plan->total, seconds, fanout.errors);
    }
    fleet_close (&fanout.fleet);
    free (latencies);
    return code;
}
