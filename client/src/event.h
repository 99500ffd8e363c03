/* What a session hands up: results, watch events, stream batches, changes of state, in one order.
 *
 * Every event lives inside an object that exists anyway (the request that is answered, the watch
 * that fires), so that handing it up cannot fail for want of memory.
 * May include: wire, public types, base, libc. */

#ifndef COHORT_CLIENT_EVENT_H
#define COHORT_CLIENT_EVENT_H

#include <stdint.h>

#include "client/base/list.h"
#include "client/src/wire.h"

enum event_kind {
    EVENT_RESULT, /* inside a struct request */
    EVENT_WATCH,  /* inside a struct watch */
    EVENT_BATCH,  /* a struct batch_event: one or more callbacks */
    EVENT_ENDED,  /* inside a struct cohort_stream: no more batches will come */
    EVENT_STATE,  /* a struct state_event */
    EVENT_TIMER,  /* inside a struct cohort_timer */
    EVENT_RENEW   /* a struct renew_event: the other way, from the application to the session */
};

struct event {
    struct list_node node;
    enum event_kind kind;
    struct wire_frame *frame; /* one reference, for what the event points to; or NULL */
};

struct state_event {
    struct event event;
    cohort_state_t state;
};

struct cohort_stream;
struct fold;

/* One transaction or fragment of it, or a snapshot. */
struct batch_event {
    struct event event;
    struct cohort_stream *stream;   /* one reference */
    const struct wire_batch *batch; /* inside the frame; NULL: a snapshot */
    struct fold *fold;              /* which is whole, and owned; NULL: one has begun */
    uint64_t zxid;                  /* of it */
    bool begun;                     /* part of it was given out */
};

/* The next part of what the event has for the application; it lives until the next call, or the
 * event's end. *changes: the same as batch->changes, not const. True: there are more parts. */
bool batch_event_next (struct batch_event *event, cohort_batch_t *batch, cohort_change_t **changes);

/* What a session draws its secrets and its choices from. */
struct session_random {
    uint8_t nonce[WIRE_ID_SIZE], password[WIRE_ID_SIZE];
    uint64_t seed;
};

struct renew_event {
    struct event event;
    struct session_random random;
};

/* Frees an event and the object it lives in, with all that they refer to. */
void event_free (struct event *event);

/* Frees all events of the list. */
void event_free_all (struct list *events);

#endif
