/* The load generator: the workloads of the yardstick, by the same names, on the same keys, after
 * the same set-up and with the same printed line, so that both sides of a comparison mean the same;
 * and the same work in other shapes: larger data, deeper paths, more znodes, sessions and watches,
 * and at a fixed rate.
 * May include: arguments, the public client API. */

#ifndef COHORT_CLI_BENCH_H
#define COHORT_CLI_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/arguments.h"

/* A server that is slow is what is measured; one that says nothing for so long is not. */
#define BENCH_SILENCE_MS 60000
/* The session timeout of the yardstick's sessions. */
#define BENCH_SESSION_TIMEOUT_MS 30000

enum bench_kind { BENCH_LOAD, BENCH_FANOUT, BENCH_VANISH, BENCH_GAP };

struct bench_workload {
    const char *name;     /* as the user gives it                            */
    const char *reported; /* as the line has it                              */
    enum bench_kind kind;
    int sessions, window, total, size; /* when the flags do not say otherwise */
};

struct bench_plan {
    struct settings settings; /* users: all that sessions are; auth and auth_file: NULL */
    const char *workload;
    enum bench_kind kind;
    int sessions, window, total, size;
    int rate;     /* operations a second of all sessions together; 0: each as soon as it can */
    int keys;     /* znodes over which reads and writes are spread                          */
    char *folder; /* below which everything happens: /bench, and d/d/d when it is to be deep */
    int grace_ms;
    bool json, histogram;
    char *data; /* size bytes of 'x' */
};

#define BENCH_FOLDER   "/bench"
#define BENCH_LEVEL    "/d"
#define BENCH_NAME_MAX 40 /* of what is appended to the folder, with its end */

/* NULL: there is none of that name. */
const struct bench_workload *bench_find (const char *name);

/* Each runs a plan, prints its line and returns the exit status. */
int bench_load (const struct bench_plan *plan);
int bench_fanout (const struct bench_plan *plan);
int bench_vanish (const struct bench_plan *plan);
int bench_gap (const struct bench_plan *plan);

#endif
