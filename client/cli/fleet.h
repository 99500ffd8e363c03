/* Many sessions on one loop, driven by one thread: what the workloads run on.
 *
 * Without a thread (COHORT_DRIVER_NONE) there are no hand-overs and no wake-ups while there is
 * something to do, which is what throughput wants; but each turn looks at every session, so that
 * hundreds of them are better served by the loop's own thread: then only those are looked at that
 * have something. In both cases what the callbacks of a turn ask for leaves in one
 * frame a session: batches come by themselves.
 * May include: bench, the public client API; epoll and timerfd. */

#ifndef COHORT_CLI_FLEET_H
#define COHORT_CLI_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/bench.h"
#include "cohort/client.h"

/* Up to how many sessions do without a thread. */
#define FLEET_POLLED_MAX 64

struct fleet {
    const struct bench_plan *plan;
    int driver; /* COHORT_DRIVER_... */
    cohort_loop_t *loop;
    cohort_t **clients;
    int count;      /* of sessions                                                         */
    int epoll_fd;   /* with a thread of all sessions, by their numbers; the timer; see fleet.c */
    int timer_fd;   /* -1: nobody has waited for a moment                                  */
    size_t pending; /* set-up requests that have not been answered                         */
    int checked;    /* keys of which it is known what they are                             */
    int rc;         /* the first unexpected result of the set-up                           */
};

/* Connects plan->sessions sessions and makes what the workloads expect below plan->folder: s0 and
 * on, one a session, and k0 to those of plan->keys, with data of the right size; and has every
 * session write once, so that every server has seen the set-up. Returns the exit
 * status; unless 0 a message has been printed and there is nothing to close. Blocks. */
int fleet_open (struct fleet *self, const struct bench_plan *plan, int driver);
void fleet_close (struct fleet *self);

/* Waits and runs callbacks. False: nothing has happened for BENCH_SILENCE_MS; a message has been
 * printed. */
bool fleet_turn (struct fleet *self);

/* Runs callbacks; if there are none, waits for some until that moment of clock_ns. False: that
 * cannot be waited for; a message has been printed. */
bool fleet_await (struct fleet *self, int64_t until_ns);

#endif
