/* The life of timers. May include: timer, base, libc. */

#include "client/src/timer.h"

#include <stdatomic.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

struct cohort_timer *timer_new (cohort_t *client, cohort_timer_fn *fn, void *arg)
{
    struct cohort_timer *timer = mem_calloc (1, sizeof (*timer));
    if (timer != NULL) {
        timer->event.kind = EVENT_TIMER;
        timer->client = client;
        timer->fn = fn;
        timer->arg = arg;
        atomic_init (&timer->references, 1);
    }
    return timer;
}

void timer_retain (struct cohort_timer *timer)
{
    uint32_t before = atomic_fetch_add_explicit (&timer->references, 1, memory_order_relaxed);
    COHORT_ASSERT (before > 0);
}

void timer_release (struct cohort_timer *timer)
{
    uint32_t before = atomic_fetch_sub_explicit (&timer->references, 1, memory_order_acq_rel);
    COHORT_ASSERT (before > 0);
    if (before == 1) {
        COHORT_ASSERT (!heap_linked (&timer->node));
        mem_free (timer);
    }
}
