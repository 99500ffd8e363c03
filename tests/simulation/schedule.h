/* What will happen when, in a simulated world: a priority queue of events.
 *
 * Events of the same time happen in the order in which they were scheduled. */

#ifndef TESTS_SIMULATION_SCHEDULE_H
#define TESTS_SIMULATION_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_type {
    SIM_SERVER_TIMER,    /* a: server, b: its incarnation */
    SIM_SERVER_DISK,     /* a: server, b: its incarnation */
    SIM_SERVER_START,    /* a: server */
    SIM_PEER_OPENED,     /* a: from, b: to, number: pipe */
    SIM_PEER_CLOSED,     /* a: from, b: to, number: pipe */
    SIM_PEER_FRAME,      /* a: from, b: to, data */
    SIM_CLIENT_TIMER,    /* a: client, b: its incarnation */
    SIM_CLIENT_OPENED,   /* number: connection */
    SIM_CLIENT_CLOSED,   /* number: connection; the client learns of its end */
    SIM_CONNECTION_GONE, /* number: connection, a: place in its order; the server learns of its end
                          */
    SIM_FRAME_TO_SERVER, /* number: connection, a: place in its order, data */
    SIM_FRAME_TO_CLIENT, /* number: connection, a: place in its order, data */
    SIM_CLIENT_WORK,     /* a: client, b: its incarnation */
    SIM_CLIENT_START,    /* a: client, b: the incarnation that has ended */
    SIM_ROGUE_ACT,       /* a: its place, number: which life */
    SIM_FAULT_BEGIN,     /* number: of the planned fault */
    SIM_FAULT_END        /* likewise */
};

struct sim_event {
    int64_t at_ms;
    uint64_t order;
    enum event_type type;
    uint32_t a, b;
    uint64_t number;
    uint8_t *data; /* owned by the event, until it is taken */
    size_t size;
};

struct schedule {
    struct sim_event *heap;
    size_t count, capacity;
    uint64_t next_order;
    int64_t now_ms;
};

void schedule_init (struct schedule *self);
void schedule_deinit (struct schedule *self);

/* Adds an event; at_ms in the past means now. `order` is set here. Its data, if any, is the
 * schedule's from then on. */
void schedule_add (struct schedule *self, struct sim_event event);

/* Whether nothing more happens at this time. */
bool schedule_moment_over (const struct schedule *self);

/* Takes the next event and moves the time to it; false: nothing will ever happen again. The data is
 * the caller's to free. */
bool schedule_next (struct schedule *self, struct sim_event *event);

#endif
