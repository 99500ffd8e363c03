/*
 *  server/store/thread.c - a thread that does the worker's part
 *
 *  May include: base, state.h, pthreads.
 */
#include <pthread.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/store/state.h"

/*  A sync that takes longer than that is left to the thread, so many times; and as long as it meets
 *  one that would hold up the owner for much longer, it goes on to be. */
enum { SLOW_US = 2000, DECLINED = 16, VERY_SLOW_US = 20000 };

struct store_thread {
    struct store *store;
    store_notify_fn *notify;
    void *arg;
    pthread_t thread;
    int64_t retry_us; /*  when a full disk is tried again; 0: not known yet */
};

static int64_t now_us (void)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool has_failed (struct store *store)
{
    return atomic_load_explicit (&store->failed, memory_order_relaxed) != 0;
}

/*  Whoever is given work all the time is never idle; what he has waits for space, as what comes. */
static bool must_retry (struct store_thread *self)
{
    if (!worker_stuck (self->store)) {
        self->retry_us = 0;
        return false;
    }
    int64_t now = now_us ();
    if (self->retry_us == 0) {
        self->retry_us = now + WORKER_RETRY_MS * 1000;
    }
    bool due = now >= self->retry_us;
    self->retry_us = due ? 0 : self->retry_us;
    return due;
}

/*  A turn of the thread; a slow one is told before its results are. */
static bool timed_turn (struct store *store)
{
    int64_t begun_us = now_us ();
    bool did = worker_turn (store);
    if (did && now_us () - begun_us > VERY_SLOW_US) {
        atomic_store_explicit (&store->slow, true, memory_order_relaxed);
    }
    return did;
}

static void *run (void *arg)
{
    struct store_thread *self = arg;
    struct store *store = self->store;
    enum queue_wake wake = QUEUE_WORK;
    while (wake != QUEUE_STOP && !has_failed (store)) {
        bool did = timed_turn (store);
        if (!did && !has_failed (store)) {
            wake = queue_wait (store->queue, worker_due (store));
            bool idle = wake == QUEUE_TIMEOUT || (wake == QUEUE_WORK && must_retry (self));
            did = idle && worker_idle (store);
        }
        if (did && !has_failed (store)) {
            self->notify (self->arg);
        }
    }
    worker_finish (store);
    if (has_failed (store)) {
        self->notify (self->arg); /*  the owner has to know */
    }
    return NULL;
}

int store_thread_start (struct store *store, store_notify_fn *notify, void *arg,
                        struct store_thread **thread)
{
    COHORT_ASSERT (!store->threaded);
    struct store_thread *self = mem_alloc (sizeof *self);
    if (self == NULL) {
        return COHORT_ENOMEM;
    }
    *self = (struct store_thread){.store = store, .notify = notify, .arg = arg};
    queue_stop (store->queue, false);
    store->threaded = true;
    if (pthread_create (&self->thread, NULL, run, self) != 0) {
        store->threaded = false;
        mem_free (self);
        return COHORT_ESYSTEM;
    }
    *thread = self;
    return 0;
}

void store_thread_stop (struct store_thread **self_p)
{
    struct store_thread *self = *self_p;
    if (self == NULL) {
        return;
    }
    struct store *store = self->store;
    queue_stop (store->queue, true);
    int rc = pthread_join (self->thread, NULL);
    COHORT_ASSERT (rc == 0);
    store->threaded = false;
    mem_free (self);
    *self_p = NULL;
}

void store_give_back (void)
{
#ifdef __GLIBC__
    (void) malloc_trim (0); /* whether there was anything */
#endif
}

/* ---- In place of the thread ---------------------------------------------------------------- */

void store_gather (struct store *self)
{
    COHORT_ASSERT (!self->deferred);
    self->gathers = self->threaded;
    if (atomic_exchange_explicit (&self->slow, false, memory_order_relaxed)) {
        self->declined = DECLINED;
    }
}

/*  Not if that would have to make room first, and not all the time: whoever is in the kernel for
 * long serves nobody. */
static bool work_here (struct store *self)
{
    bool did = false;
    bool room = atomic_load_explicit (&self->space, memory_order_relaxed) == 0;
    if (room && log_need (&self->log) != LOG_NEEDS_NOW && list_empty (&self->waiting[LANE_LOG])) {
        int64_t begun_us = now_us ();
        did = worker_turn (self);
        self->declined = now_us () - begun_us > SLOW_US ? DECLINED : 0;
    }
    return did;
}

bool store_go (struct store *self)
{
    bool deferred = self->deferred;
    self->gathers = self->deferred = false;
    if (!deferred) {
        return false;
    }
    if (!queue_borrow (self->queue)) {
        queue_wake (self->queue);
        return false;
    }
    bool did = work_here (self);
    queue_return (self->queue, has_failed (self) ? 0 : worker_due (self));
    return did;
}
