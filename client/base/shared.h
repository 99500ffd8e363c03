/* Bytes that several read, and that stand as long as one of them holds them.
 *
 * Whoever owns the bytes embeds a `struct shared`; who wants to read them for longer than a call
 * retains it. Counted across threads. May include: assert, libc. */

#ifndef COHORT_BASE_SHARED_H
#define COHORT_BASE_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/assert.h"

struct shared {
    _Atomic uint32_t references;
    void (*end) (struct shared *self); /* nobody reads any more; on whatever thread that happens */
};

/* With one reference, its owner's. */
static inline void shared_init (struct shared *self, void (*end) (struct shared *self))
{
    atomic_init (&self->references, 1);
    self->end = end;
}

static inline void shared_retain (struct shared *self)
{
    uint32_t before = atomic_fetch_add_explicit (&self->references, 1, memory_order_relaxed);
    COHORT_ASSERT (before > 0);
}

/* Releasing NULL is allowed. */
static inline void shared_release (struct shared *self)
{
    if (self == NULL) {
        return;
    }
    uint32_t before = atomic_fetch_sub_explicit (&self->references, 1, memory_order_acq_rel);
    COHORT_ASSERT (before > 0);
    if (before == 1) {
        self->end (self);
    }
}

#endif
