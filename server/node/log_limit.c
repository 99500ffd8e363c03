/* log_limit.c: so many lines of a kind in the log, and no more. */

#include "server/node/log_limit.h"

bool log_limit_admits (struct log_limit *self, int64_t now_ms, uint32_t lines, int64_t window_ms,
                       uint64_t *missed)
{
    *missed = 0;
    if (now_ms - self->since_ms >= window_ms) {
        *missed = self->untold;
        *self = (struct log_limit){.since_ms = now_ms};
    }
    if (self->told == lines) {
        self->untold++;
        return false;
    }
    self->told++;
    return true;
}
