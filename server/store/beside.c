/*
 *  server/store/beside.c - a function that another thread runs meanwhile
 */
#include "server/store/beside.h"

#include <pthread.h>
#include <stddef.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

struct beside {
    pthread_t thread;
    void (*run) (void *arg);
    void *arg;
};

static void *run (void *arg)
{
    struct beside *self = arg;
    self->run (self->arg);
    return NULL;
}

struct beside *beside_new (void (*function) (void *arg), void *arg)
{
    struct beside *self = mem_alloc (sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->run = function;
    self->arg = arg;
    if (pthread_create (&self->thread, NULL, run, self) != 0) {
        mem_free (self);
        return NULL;
    }
    return self;
}

void beside_join (struct beside **self_p)
{
    int rc = pthread_join ((*self_p)->thread, NULL);
    COHORT_ASSERT (rc == 0);
    mem_free (*self_p);
    *self_p = NULL;
}
