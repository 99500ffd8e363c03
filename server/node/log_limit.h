/*
 * server/node/log_limit.h - so many lines of a kind in the log, and no more
 *
 * PURE.  For what others can have written as often as they like.
 */
#ifndef SERVER_NODE_LOG_LIMIT_H
#define SERVER_NODE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct log_limit {
    int64_t since_ms; /* the window that is open */
    uint32_t told;
    uint64_t untold;
};

/* Whether another line may be written now: `lines` of them in each `window_ms`.  *missed: so many
 * were not written in the window before this one, which is to be said first; 0: none. */
bool log_limit_admits (struct log_limit *self, int64_t now_ms, uint32_t lines, int64_t window_ms,
                       uint64_t *missed);

#endif
