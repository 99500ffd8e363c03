/* The clock of one machine: see clock.h. */

#include "tests/simulation/clock.h"

#include "client/base/assert.h"

enum { MILLION = 1000000 };

void clock_init (struct sim_clock *self, int64_t world_ms, int64_t local_ms, int64_t wall_ms)
{
    *self = (struct sim_clock){
        .world_ms = world_ms, .local_ms = local_ms, .wall_offset_ms = wall_ms - local_ms};
}

int64_t clock_local_ms (const struct sim_clock *self, int64_t world_ms)
{
    int64_t passed = world_ms - self->world_ms;
    COHORT_ASSERT (passed >= 0);
    return self->stopped ? self->local_ms
                         : self->local_ms + passed * (MILLION + self->ppm) / MILLION;
}

int64_t clock_wall_ms (const struct sim_clock *self, int64_t world_ms)
{
    return clock_local_ms (self, world_ms) + self->wall_offset_ms;
}

int64_t clock_when_ms (const struct sim_clock *self, int64_t local_ms)
{
    int64_t missing = local_ms - self->local_ms;
    if (missing <= 0) {
        return self->world_ms;
    }
    if (self->stopped || missing > INT64_MAX / (2 * (int64_t) MILLION)) {
        return INT64_MAX;
    }
    int64_t rate = MILLION + self->ppm;
    return self->world_ms + (missing * MILLION + rate - 1) / rate;
}

/* What has passed until now is settled; only what is to come runs differently. */
static void settle (struct sim_clock *self, int64_t world_ms)
{
    self->local_ms = clock_local_ms (self, world_ms);
    self->world_ms = world_ms;
}

void clock_set_rate (struct sim_clock *self, int64_t world_ms, int32_t ppm)
{
    COHORT_ASSERT (ppm >= -CLOCK_PPM_MAX && ppm <= CLOCK_PPM_MAX);
    settle (self, world_ms);
    self->ppm = ppm;
}

void clock_stop (struct sim_clock *self, int64_t world_ms, bool stopped)
{
    settle (self, world_ms);
    self->stopped = stopped;
}

void clock_step_wall (struct sim_clock *self, int64_t ms)
{
    self->wall_offset_ms += ms;
}
