/* Two links and a network between them that loses, delays and repeats what the test says. */

#ifndef TESTS_UNIT_NODE_LINK_PAIR_H
#define TESTS_UNIT_NODE_LINK_PAIR_H

#include "server/node/link.h"

enum { WIRE_MAX = 512, TRACE_MAX = 4096 };

/* One end: a link, and the frames that it has sent and nobody has received yet. */
struct end {
    struct link link;
    struct link_identity identity;
    struct peer_frame wire[WIRE_MAX];
    size_t wire_count;
    uint64_t data_sent;
    unsigned refusals;
    char told[256]; /* in its log, as warnings or worse */
};

struct pair {
    struct end a, b;
    int64_t now_ms;
    char trace[TRACE_MAX];
    size_t trace_size;
};

void end_init (struct end *end, uint32_t id, uint32_t peer, uint64_t incarnation, int64_t now_ms);
void pair_init (struct pair *pair);
void pair_deinit (struct pair *pair);
/* Both are up, and the trace is empty. */
void bring_up (struct pair *pair);
void forget_trace (struct pair *pair);

/* Writes the links' events into the trace. */
void take_events (struct pair *pair, struct end *end);
/* What is due at one end: connecting succeeds at once if `listening`. */
void act (struct pair *pair, struct end *end, bool listening);
void receive (struct pair *pair, struct end *end, const struct peer_frame *frame);
/* Delivers, or loses, the first `count` frames that `from` has sent. */
void deliver (struct pair *pair, struct end *from, size_t count);
void lose (struct end *from, size_t count);
void send_data (struct end *end, size_t bulk);
/* Both ends act, and everything is delivered, for so many milliseconds. */
void run (struct pair *pair, int ms);

#endif
