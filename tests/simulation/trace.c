/* The story of a simulated world, and its end when something does not hold. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/base/assert.h"
#include "tests/simulation/world.h"

enum { LINE_SIZE = 256, LINES_MAX = 100 };

struct sim_trace {
    uint64_t count;
    char lines[LINES_MAX][LINE_SIZE]; /* the newest, in a ring */
};

struct sim_trace *trace_new (void)
{
    struct sim_trace *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    return self;
}

void trace_free (struct sim_trace *self)
{
    free (self);
}

__attribute__ ((format (printf, 3, 0))) static void tell (struct world *self, unsigned level,
                                                          const char *format, va_list args)
{
    struct sim_trace *trace = self->trace;
    if (self->options.verbose < level && self->options.kept < level) {
        return;
    }
    char *line = trace->lines[trace->count++ % LINES_MAX];
    int used = snprintf (line, LINE_SIZE, "[%8" PRId64 "] ", self->schedule.now_ms);
    (void) vsnprintf (line + used, LINE_SIZE - (size_t) used, format, args);
    if (self->options.verbose >= level) {
        puts (line);
    }
}

void world_tell (struct world *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    tell (self, 1, format, args);
    va_end (args);
}

void world_tell_detail (struct world *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    tell (self, 2, format, args);
    va_end (args);
}

bool trace_wants_details (const struct world *self)
{
    return self->options.verbose >= 2 || self->options.kept >= 2;
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
    char text[2 * LINE_SIZE];
    va_list args;

    va_start (args, format);
    (void) vsnprintf (text, sizeof text, format, args);
    va_end (args);
    fflush (stdout);
    if (options->verbose < options->kept) {
        print_ring (self->trace, stderr);
    }
    fprintf (stderr, "seed %" PRIu64 " at %" PRId64 " ms: %s\n", options->seed,
             self->schedule.now_ms, text);
    if (options->on_failure != NULL) {
        options->on_failure (options->on_failure_arg, format, text, self->schedule.now_ms);
    }
    exit (EXIT_FAILURE);
}
