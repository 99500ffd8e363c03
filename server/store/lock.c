/*
 *  server/store/lock.c - the only file of the store with a mutex in it
 *
 *  May include: base, libc, pthreads.
 */
#include "server/store/lock.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

struct lock {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
};

struct lock *lock_new (void)
{
    struct lock *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    pthread_condattr_t attributes;
    if (pthread_mutex_init (&self->mutex, NULL) != 0) {
        goto no_mutex;
    }
    if (pthread_condattr_init (&attributes) != 0) {
        goto no_attributes;
    }
    /*  The wall clock may be set while somebody waits. */
    int rc = pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    if (rc == 0) {
        rc = pthread_cond_init (&self->condition, &attributes);
    }
    (void) pthread_condattr_destroy (&attributes);
    if (rc != 0) {
        goto no_attributes;
    }
    return self;

no_attributes:
    (void) pthread_mutex_destroy (&self->mutex);
no_mutex:
    mem_free (self);
    return NULL;
}

void lock_destroy (struct lock **self_p)
{
    struct lock *self = *self_p;
    if (self != NULL) {
        (void) pthread_cond_destroy (&self->condition);
        (void) pthread_mutex_destroy (&self->mutex);
        mem_free (self);
        *self_p = NULL;
    }
}

void lock_enter (struct lock *self)
{
    int rc = pthread_mutex_lock (&self->mutex);
    COHORT_ASSERT (rc == 0);
}

void lock_leave (struct lock *self)
{
    int rc = pthread_mutex_unlock (&self->mutex);
    COHORT_ASSERT (rc == 0);
}

bool lock_wait (struct lock *self, int timeout_ms)
{
    if (timeout_ms < 0) {
        return pthread_cond_wait (&self->condition, &self->mutex) == 0;
    }
    struct timespec until;
    (void) clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long) (timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait (&self->condition, &self->mutex, &until) == 0;
}

void lock_wake (struct lock *self)
{
    (void) pthread_cond_broadcast (&self->condition);
}
