/* What schedules by hand are made of. */

#include "tests/cluster/soak_script.h"

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"

enum { QUERY_MS = 200 };

static size_t kind_of (const char *name)
{
    size_t kind = 0;
    while (kind < soak_kinds_count && strcmp (soak_kinds[kind].name, name) != 0) {
        kind++;
    }
    COHORT_ASSERT (kind < soak_kinds_count);
    return kind;
}

void script_begin (struct soak *self, const char *name, size_t server, size_t other, uint64_t draw,
                   int64_t ms)
{
    struct soak_fault fault = {
        .kind = kind_of (name), .server = server, .other = other, .draw = draw};
    if (!soak_begin (self, &fault, ms)) {
        soak_tell (self, "%s: not now", name);
    }
}

void script_go (struct soak *self, int64_t ms)
{
    int64_t until_ms = soak_now_ms (self) + ms;
    while (soak_now_ms (self) < until_ms) {
        soak_end_due (self);
        soak_turn (self, true);
    }
}

size_t script_leader (struct soak *self)
{
    int64_t since_ms = soak_now_ms (self);
    for (;;) {
        size_t leader = ensemble_leader (&self->ensemble, QUERY_MS);
        if (leader != SIZE_MAX) {
            return leader;
        }
        if (soak_is_overdue (self, since_ms)) {
            soak_fail (self, "nobody leads");
        }
        soak_end_due (self);
        soak_turn (self, true);
    }
}

void script_served (struct soak *self, int64_t limit_ms)
{
    int64_t since_ms = soak_now_ms (self);
    soak_await_served (self, limit_ms);
    printf ("  served within %" PRId64 " ms\n", soak_now_ms (self) - since_ms);
    (void) fflush (stdout);
}

size_t script_next (const struct soak *self, size_t server, size_t steps)
{
    return (server + steps) % self->ensemble.count;
}

void script_flip_byte (const struct soak *self, size_t server, const char *pattern, size_t nth_last,
                       long at)
{
    ensemble_shell ("cd '%s' && f=$(ls %s | sort -V | tail -n %zu | head -n 1) && "
                    "printf '\\377\\125' | dd of=\"$f\" bs=1 seek=%ld conv=notrunc 2>/dev/null",
                    self->ensemble.servers[server].data, pattern, nth_last, at);
}

void script_await_snapshot (struct soak *self, size_t server)
{
    char pattern[ENSEMBLE_TEXT + 16];
    glob_t found;
    int64_t since_ms = soak_now_ms (self);
    (void) snprintf (pattern, sizeof pattern, "%s/snap.*", self->ensemble.servers[server].data);
    while (glob (pattern, 0, NULL, &found) != 0) {
        if (soak_is_overdue (self, since_ms + SCRIPT_LONG_MS)) {
            soak_fail (self, "server %zu writes no snapshot", server + 1);
        }
        script_go (self, QUERY_MS);
    }
    globfree (&found);
}
