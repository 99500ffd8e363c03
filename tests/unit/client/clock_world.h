/* A client of a small ensemble, on a loop whose clock only the test moves. */

#ifndef COHORT_TESTS_CLIENT_CLOCK_WORLD_H
#define COHORT_TESTS_CLIENT_CLOCK_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "client/src/handle.h"
#include "tests/unit/client/fake.h"
#include "tests/unit/unit.h"

struct world {
    struct fake *fake;
    cohort_loop_t *loop;
    cohort_t *client;
    int ran; /* by cohort_run, in a thread */
};

/* Connects, and awaits the first heartbeat. `size` and `loop` of the options are the world's. */
void world_begin (struct world *world, int driver, const cohort_options_t *given);
/* The same with so many servers, of one or two. */
void world_begin_with (struct world *world, int servers, int driver, const cohort_options_t *given);
void world_end (struct world *world);

/* The clock is one for all worlds, and never goes back. */
int64_t world_now (void);
/* Moves it without telling anybody; with world_advance the loop settles. */
void world_jump (int64_t ms);
void world_advance (struct world *world, int64_t ms);

/* Until so many heartbeats have been answered: before the clock moves on, lest the server seem
 * silent. */
void world_await_beats (struct world *world, uint64_t count);

/* The clock jumps just before the n-th look at it from now on. world_jump_end: whether it did; it
 * will not any more. */
void world_jump_before_look (int look, int64_t ms);
bool world_jump_end (void);

/* Stops the thread that looks at the clock for the n-th time from now on, with what it has seen,
 * until world_go. world_await_stop waits for that look. */
void world_stop_after_look (int look);
void world_await_stop (void);
void world_go (void);

#endif
