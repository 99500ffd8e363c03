/* A thread for each processor, which notes how late it is woken. */

#include "tests/support/witness.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PERIOD_US = 1000,
    DELAY_US_MIN = 500, /* a free machine wakes a thread within less */
    DELAYS_MAX = 1 << 16,
    PROCESSORS_MAX = 64
};

struct watcher {
    struct witness *witness;
    pthread_t thread;
    int64_t ready_us; /* when it is ready to run next */
    uint64_t count;   /* of all its delays; the newest are kept */
    struct witness_span delays[DELAYS_MAX];
};

struct witness {
    pthread_mutex_t lock; /* of all that is here */
    bool stop;
    size_t watchers_count;
    struct watcher *watchers[PROCESSORS_MAX];
};

static void require (bool condition)
{
    if (!condition) {
        abort ();
    }
}

static int64_t now_us (void)
{
    struct timespec now;
    require (clock_gettime (CLOCK_MONOTONIC, &now) == 0);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t witness_now_ms (void)
{
    return now_us () / 1000;
}

/* ---- Watching -------------------------------------------------------------------------------- */

static void sleep_until (int64_t moment_us)
{
    struct timespec until = {.tv_sec = (time_t) (moment_us / 1000000),
                             .tv_nsec = (long) (moment_us % 1000000) * 1000};
    while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

static void *watch (void *arg)
{
    struct watcher *self = arg;
    pthread_mutex_t *lock = &self->witness->lock;
    pthread_mutex_lock (lock);
    while (!self->witness->stop) {
        pthread_mutex_unlock (lock);
        sleep_until (self->ready_us);
        int64_t ran_us = now_us ();
        pthread_mutex_lock (lock);
        if (ran_us - self->ready_us >= DELAY_US_MIN) {
            self->delays[self->count++ % DELAYS_MAX] =
                (struct witness_span){self->ready_us, ran_us};
        }
        /* Not from now on: it may have been stopped since. */
        self->ready_us = ran_us + PERIOD_US;
    }
    pthread_mutex_unlock (lock);
    return NULL;
}

static void start (struct witness *self, size_t processor)
{
    struct watcher *watcher = calloc (1, sizeof (*watcher));
    require (watcher != NULL);
    watcher->witness = self;
    watcher->ready_us = now_us () + PERIOD_US;
    pthread_attr_t attributes;
    cpu_set_t processors;
    CPU_ZERO (&processors);
    CPU_SET (processor, &processors);
    require (pthread_attr_init (&attributes) == 0);
    require (pthread_attr_setaffinity_np (&attributes, sizeof (processors), &processors) == 0);
    require (pthread_create (&watcher->thread, &attributes, watch, watcher) == 0);
    pthread_attr_destroy (&attributes);
    pthread_mutex_lock (&self->lock);
    self->watchers[self->watchers_count++] = watcher;
    pthread_mutex_unlock (&self->lock);
}

struct witness *witness_new (void)
{
    struct witness *self = calloc (1, sizeof (*self));
    require (self != NULL);
    require (pthread_mutex_init (&self->lock, NULL) == 0);
    cpu_set_t processors;
    require (sched_getaffinity (0, sizeof (processors), &processors) == 0);
    for (size_t i = 0; i < CPU_SETSIZE && self->watchers_count < PROCESSORS_MAX; i++) {
        if (CPU_ISSET (i, &processors)) {
            start (self, i);
        }
    }
    return self;
}

void witness_destroy (struct witness **self_p)
{
    struct witness *self = *self_p;
    *self_p = NULL;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_mutex_unlock (&self->lock);
    for (size_t i = 0; i < self->watchers_count; i++) {
        pthread_join (self->watchers[i]->thread, NULL);
        free (self->watchers[i]);
    }
    pthread_mutex_destroy (&self->lock);
    free (self);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static int by_beginning (const void *a, const void *b)
{
    const struct witness_span *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

int64_t witness_cover (struct witness_span *spans, size_t count, int64_t from, int64_t to)
{
    int64_t covered = 0, end = from; /* all before `end` is counted */
    qsort (spans, count, sizeof (*spans), by_beginning);
    for (size_t i = 0; i < count; i++) {
        int64_t begin = spans[i].from > end ? spans[i].from : end;
        int64_t until = spans[i].to < to ? spans[i].to : to;
        if (until > begin) {
            covered += until - begin;
            end = until;
        }
    }
    return covered;
}

/* Lock held: its delays, and the one it is in. */
static size_t copy_delays (const struct watcher *self, struct witness_span *spans)
{
    size_t count = 0;
    uint64_t first = self->count > DELAYS_MAX ? self->count - DELAYS_MAX : 0;
    for (uint64_t i = first; i < self->count; i++) {
        spans[count++] = self->delays[i % DELAYS_MAX];
    }
    int64_t at_us = now_us ();
    if (at_us - self->ready_us >= DELAY_US_MIN) {
        spans[count++] = (struct witness_span){self->ready_us, at_us};
    }
    return count;
}

int64_t witness_still_ms (struct witness *self, int64_t from_ms, int64_t to_ms)
{
    struct witness_span *spans = malloc (self->watchers_count * (DELAYS_MAX + 1) * sizeof (*spans));
    size_t count = 0;
    require (spans != NULL);
    pthread_mutex_lock (&self->lock);
    for (size_t i = 0; i < self->watchers_count; i++) {
        count += copy_delays (self->watchers[i], spans + count);
    }
    pthread_mutex_unlock (&self->lock);
    int64_t still_us = witness_cover (spans, count, from_ms * 1000, to_ms * 1000);
    free (spans);
    return (still_us + 999) / 1000;
}
