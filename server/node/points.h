/*
 * server/node/points.h - read points that wait for a quorum round
 *
 * A server asks with growing tokens, and the answer to one is that to all before it: so at most two
 * of each server are kept, one for the round that is under way and one for the next.  Bounded and
 * without memory of its own: a point is never lost for want of room.
 */
#ifndef SERVER_NODE_POINTS_H
#define SERVER_NODE_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/config.h"
#include "server/core/zxid.h"

enum { POINTS_A_SERVER = 2 };

struct point {
    uint64_t round; /* that it waits for */
    uint32_t server;
    uint64_t token;
    zxid_t zxid;
};

/* Private; all zeroes: empty. */
struct points {
    struct point list[POINTS_A_SERVER * CONFIG_MEMBERS_MAX];
    size_t count;
};

/* The round is not lower than that of any point of this server. */
void points_add (struct points *self, const struct point *point);

/* Takes out one that waits for a round up to `confirmed`; false: there is none. */
bool points_take (struct points *self, uint64_t confirmed, struct point *point);

/* Whether one waits for a round that is yet to begin. */
bool points_due (const struct points *self, uint64_t begun);

void points_forget (struct points *self, uint32_t server);

#endif
