/* bench: which workload, with which parameters. */

#include "client/cli/bench.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "client/base/nearest.h"
#include "client/cli/auth.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"

#define BENCH_SESSIONS_MAX 100000
#define BENCH_WINDOW_MAX   1000000
#define BENCH_SIZE_MAX     (64 * 1024 * 1024)
#define BENCH_RATE_MAX     10000000
#define BENCH_KEYS_MAX     100000000
#define BENCH_KEYS         1000 /* those of the yardstick */
#define BENCH_DEPTH_MAX    2000 /* longer paths no server takes */

static const struct bench_workload workloads[] = {
    {"set", "set", BENCH_LOAD, 8, 64, 60000, 100},
    {"get", "get", BENCH_LOAD, 8, 64, 300000, 100},
    {"mix", "mix", BENCH_LOAD, 8, 64, 100000, 100},
    {"create", "create", BENCH_LOAD, 8, 64, 60000, 100},
    {"delete", "delete", BENCH_LOAD, 8, 64, 60000, 100},
    {"set-1", "set", BENCH_LOAD, 1, 1, 2000, 100},
    {"get-1", "get", BENCH_LOAD, 1, 1, 10000, 100},
    {"watch", "watch", BENCH_LOAD, 8, 64, 100000, 100},
    {"fanout", "fanout", BENCH_FANOUT, 500, 1, 20, 100},
    {"vanish", "vanish", BENCH_VANISH, 1, 4000, 3, 0},
    {"gap", "gap", BENCH_GAP, 1, 1, 8, 1},
    {"fill", "fill", BENCH_LOAD, 10, 100, 1000000, 100},
};

#define WORKLOAD_COUNT (sizeof workloads / sizeof workloads[0])

const struct bench_workload *bench_find (const char *name)
{
    for (size_t i = 0; i < WORKLOAD_COUNT; i++) {
        if (strcmp (workloads[i].name, name) == 0) {
            return &workloads[i];
        }
    }
    return NULL;
}

static void report_unknown (const char *name)
{
    const char *names[WORKLOAD_COUNT];
    for (size_t i = 0; i < WORKLOAD_COUNT; i++) {
        names[i] = workloads[i].name;
    }
    int nearest = nearest_word (name, names, WORKLOAD_COUNT);
    if (nearest >= 0) {
        message ("bench: '%s' is not a workload (did you mean '%s'?)", name, names[nearest]);
    } else {
        message ("bench: '%s' is not a workload (see: cohort help bench)", name);
    }
}

static bool number_of (const struct arguments *arguments, int flag_id, int min, int max,
                       int otherwise, int *number)
{
    int64_t value = 0;
    if (!arguments_number (arguments, flag_id, min, max, otherwise, &value)) {
        return false;
    }
    *number = (int) value;
    return true;
}

static bool make_plan (struct bench_plan *plan, int *depth, const struct arguments *arguments)
{
    const struct bench_workload *workload = bench_find (arguments->operands[0]);
    if (workload == NULL) {
        report_unknown (arguments->operands[0]);
        return false;
    }
    *plan = (struct bench_plan){
        .settings = arguments->settings,
        .workload = workload->reported,
        .kind = workload->kind,
        .json = arguments_has (arguments, FLAG_JSON) || arguments->settings.format != FORMAT_TEXT,
        .histogram = arguments_has (arguments, FLAG_HISTOGRAM),
    };
    if (!number_of (arguments, FLAG_SESSIONS, 1, BENCH_SESSIONS_MAX, workload->sessions,
                    &plan->sessions) ||
        !number_of (arguments, FLAG_WINDOW, 1, BENCH_WINDOW_MAX, workload->window, &plan->window) ||
        !number_of (arguments, FLAG_TOTAL, 1, INT32_MAX, workload->total, &plan->total) ||
        !number_of (arguments, FLAG_SIZE, 0, BENCH_SIZE_MAX, workload->size, &plan->size) ||
        !number_of (arguments, FLAG_KEYS, 1, BENCH_KEYS_MAX, BENCH_KEYS, &plan->keys) ||
        !number_of (arguments, FLAG_RATE, 1, BENCH_RATE_MAX, 0, &plan->rate) ||
        !number_of (arguments, FLAG_DEPTH, 0, BENCH_DEPTH_MAX, 0, depth) ||
        !number_of (arguments, FLAG_GRACE, 1, INT32_MAX, 30, &plan->grace_ms)) {
        return false;
    }
    if (plan->kind != BENCH_LOAD && plan->rate > 0) {
        message ("bench: %s has no --rate: one round follows the other", plan->workload);
        return false;
    }
    if (plan->kind == BENCH_LOAD && plan->total < plan->sessions) {
        message ("bench: --total %d is less than one operation a session (--sessions %d)",
                 plan->total, plan->sessions);
        return false;
    }
    return true;
}

/* What the plan points to. */
static bool make_data (struct bench_plan *plan, int depth)
{
    size_t levels = (size_t) depth * strlen (BENCH_LEVEL);
    plan->data = malloc ((size_t) plan->size + 1);
    plan->folder = malloc (strlen (BENCH_FOLDER) + levels + 1);
    if (plan->data == NULL || plan->folder == NULL) {
        free (plan->data);
        free (plan->folder);
        return false;
    }
    memset (plan->data, 'x', (size_t) plan->size);
    char *end = stpcpy (plan->folder, BENCH_FOLDER);
    for (int i = 0; i < depth; i++) {
        end = stpcpy (end, BENCH_LEVEL);
    }
    return true;
}

/* A session takes some descriptors, and the soft limit is often 1,024. */
static void raise_descriptor_limit (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit (RLIMIT_NOFILE, &limit);
    }
}

static int run (const struct bench_plan *plan)
{
    switch (plan->kind) {
    case BENCH_LOAD:
        return bench_load (plan);
    case BENCH_FANOUT:
        return bench_fanout (plan);
    case BENCH_VANISH:
        return bench_vanish (plan);
    case BENCH_GAP:
        return bench_gap (plan);
    }
    assert (false);
    return CLI_EXIT_FAILED;
}

int cmd_bench (const struct arguments *arguments)
{
    struct bench_plan plan;
    int depth = 0;
    if (!make_plan (&plan, &depth, arguments)) {
        return CLI_EXIT_USAGE;
    }
    if (!make_data (&plan, depth)) {
        message ("out of memory");
        return CLI_EXIT_FAILED;
    }
    raise_descriptor_limit ();
    struct credentials users = {.count = 0};
    int code = credentials_load (&users, &plan.settings);
    plan.settings.users = &users;
    plan.settings.auth = plan.settings.auth_file = NULL;
    code = code == CLI_EXIT_OK ? run (&plan) : code;
    credentials_deinit (&users);
    free (plan.data);
    free (plan.folder);
    return code;
}
