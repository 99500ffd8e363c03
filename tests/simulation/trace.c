/* The story of a simulated world, and its end when something does not hold. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/base/assert.h"
#include "tests/simulation/world.h"

enum { LINE_SIZE = 256, LINES_MAX = 64 };

struct sim_trace {
    bool on_stdout;
    uint64_t count;
    char lines[LINES_MAX][LINE_SIZE]; /* the newest, in a ring */
};

struct sim_trace *trace_new (const struct sim_options *options)
{
    struct sim_trace *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    self->on_stdout = options->verbose > 0;
    return self;
}

void trace_free (struct sim_trace *self)
{
    free (self);
}

void world_tell (struct world *self, const char *format, ...)
{
    struct sim_trace *trace = self->trace;
    char *line = trace->lines[trace->count++ % LINES_MAX];
    int used = snprintf (line, LINE_SIZE, "[%8" PRId64 "] ", self->schedule.now_ms);
    va_list args;
    va_start (args, format);
    (void) vsnprintf (line + used, LINE_SIZE - (size_t) used, format, args);
    va_end (args);
    if (trace->on_stdout) {
        puts (line);
    }
}

static void print_ring (const struct sim_trace *self, FILE *file)
{
    uint64_t first = self->count > LINES_MAX ? self->count - LINES_MAX : 0;
    for (uint64_t i = first; i < self->count; i++) {
        fprintf (file, "%s\n", self->lines[i % LINES_MAX]);
    }
}

void world_fail (struct world *self, const char *format, ...)
{
    const struct sim_options *options = &self->options;
    va_list args;

    fflush (stdout);
    if (!self->trace->on_stdout) {
        print_ring (self->trace, stderr);
    }
    fprintf (stderr, "cohort-sim: seed %" PRIu64 " at %" PRId64 " ms: ", options->seed,
             self->schedule.now_ms);
    va_start (args, format);
    vfprintf (stderr, format, args);
    va_end (args);
    fprintf (stderr,
             "\n  again: cohort-sim --seed %" PRIu64 " --ticks %" PRId64
             " --servers %zu --clients %zu --verbose\n",
             options->seed, options->safety_ms, options->servers, options->clients);
    exit (EXIT_FAILURE);
}
