/* Many sessions on one loop, driven by one thread: what the workloads run on.
 *
 * Without a thread (COHORT_DRIVER_NONE) there are no hand-overs and no wake-ups while there is
 * something to do, which is what throughput wants; but each look at a session is a look at the loop
 * too, so that hundreds of mostly idle sessions are better served by the loop's own thread. In both
 * cases what the callbacks of a turn ask for leaves in one frame a session: batches come by
 * themselves.
 * May include: bench, the public client API. */

#ifndef COHORT_CLI_FLEET_H
#define COHORT_CLI_FLEET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/cli/bench.h"
#include "cohort/client.h"

struct fleet {
    const struct bench_plan *plan;
    int driver; /* COHORT_DRIVER_... */
    cohort_loop_t *loop;
    cohort_t **clients;
    struct pollfd *items;
    int count;      /* of sessions                                 */
    size_t pending; /* set-up requests that have not been answered */
    int rc;         /* the first unexpected result of the set-up   */
};

/* Connects plan->sessions sessions and makes what the workloads expect: /bench, /bench/s0.. one a
 * session, /bench/k0..k999 with data; and has every session write once, so that every server has
 * seen the set-up. Returns the exit status; unless 0 a message has been printed and there is
 * nothing to close. Blocks. */
int fleet_open (struct fleet *self, const struct bench_plan *plan, int driver);
void fleet_close (struct fleet *self);

/* Waits and runs callbacks. False: nothing has happened for BENCH_SILENCE_MS; a message has been
 * printed. */
bool fleet_turn (struct fleet *self);

#endif
