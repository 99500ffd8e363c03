/* The clock of one machine: it runs at a rate of its own, may stand still while the machine sleeps,
 * and its date may be set.
 *
 * The world's time is the true one. Of what a machine sees, `local` never goes back (as
 * CLOCK_MONOTONIC), and `wall` is the date, which can. All times are milliseconds. */

#ifndef TESTS_SIMULATION_CLOCK_H
#define TESTS_SIMULATION_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_PPM_MAX = 100000 };

struct sim_clock {
    int64_t world_ms, local_ms; /* when the rate changed last */
    int32_t ppm;                /* so much faster than the true time; negative: slower */
    bool stopped;
    int64_t wall_offset_ms; /* wall - local */
};

/* A clock that shows local_ms and wall_ms now, and runs as the true time does. */
void clock_init (struct sim_clock *self, int64_t world_ms, int64_t local_ms, int64_t wall_ms);

int64_t clock_local_ms (const struct sim_clock *self, int64_t world_ms);
int64_t clock_wall_ms (const struct sim_clock *self, int64_t world_ms);

/* The first moment of the world at which the clock shows local_ms or more, if it goes on as it
 * does; INT64_MAX: it stands still. */
int64_t clock_when_ms (const struct sim_clock *self, int64_t local_ms);

/* From now on it runs at this rate, from -CLOCK_PPM_MAX to CLOCK_PPM_MAX. */
void clock_set_rate (struct sim_clock *self, int64_t world_ms, int32_t ppm);
/* From now on it stands still, or runs again. */
void clock_stop (struct sim_clock *self, int64_t world_ms, bool stopped);
/* The date jumps; the local time does not. */
void clock_step_wall (struct sim_clock *self, int64_t ms);

#endif
