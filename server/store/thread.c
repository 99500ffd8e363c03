/*
 *  server/store/thread.c - a thread that does the worker's part
 *
 *  May include: base, state.h, pthreads.
 */
#include <pthread.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/store/state.h"

struct store_thread {
    struct store *store;
    store_notify_fn *notify;
    void *arg;
    pthread_t thread;
};

static bool has_failed (struct store *store)
{
    return atomic_load_explicit (&store->failed, memory_order_relaxed) != 0;
}

static void *run (void *arg)
{
    struct store_thread *self = arg;
    struct store *store = self->store;
    enum queue_wake wake = QUEUE_WORK;
    while (wake != QUEUE_STOP && !has_failed (store)) {
        bool did = worker_turn (store);
        if (!did && !has_failed (store)) {
            wake = queue_wait (store->queue, worker_due (store));
            did = wake == QUEUE_TIMEOUT && worker_idle (store);
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
