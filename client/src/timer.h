/* A timer of the application: the public cohort_timer_t.
 *
 * The mailbox has it in its heap from its beginning to its end, so that setting it cannot fail.
 * When its moment has come the driver queues its event, and the dispatcher asks whether that still
 * holds. May include: event, public types, base. */

#ifndef COHORT_CLIENT_TIMER_H
#define COHORT_CLIENT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/base/heap.h"
#include "client/src/event.h"

struct cohort_timer {
    struct event event; /* holds a reference while it is in a queue */
    _Atomic uint32_t references;
    cohort_t *client;
    cohort_timer_fn *fn;
    void *arg;
    /* Of the mailbox. */
    struct heap_node node; /* by its moment */
    bool queued;           /* its event is in a queue */
    bool due;              /* ... and it was not set anew since */
};

/* One reference; NULL without memory. */
struct cohort_timer *timer_new (cohort_t *client, cohort_timer_fn *fn, void *arg);
void timer_retain (struct cohort_timer *timer);
void timer_release (struct cohort_timer *timer);

#endif
