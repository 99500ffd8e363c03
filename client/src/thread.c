/* Where threads meet: the lock, and who drives. May include: base, libc, pthread, eventfd. */

#include "client/src/thread.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "cohort/types.h"

/* After so many blocking calls in a row, with nothing else going on, the background thread leaves
 * the driving to the callers for LEND_US after each of them: the call then costs no change of
 * threads. Events that come while nobody drives wait for that long at most. */
#define LEND_STREAK 4
#define LEND_US     1000

static int64_t now_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void exchange_lock (struct exchange *self)
{
    int rc = pthread_mutex_lock (&self->lock);
    COHORT_ASSERT (rc == 0);
}

void exchange_unlock (struct exchange *self)
{
    int rc = pthread_mutex_unlock (&self->lock);
    COHORT_ASSERT (rc == 0);
}

int exchange_cond_init (pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init (&attributes) != 0) {
        return COHORT_ESYSTEM;
    }
    int rc = pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    rc = rc == 0 ? pthread_cond_init (cond, &attributes) : rc;
    pthread_condattr_destroy (&attributes);
    return rc == 0 ? COHORT_OK : COHORT_ESYSTEM;
}

/* Waits, lock held, until the moment (of now_us; INT64_MAX: for ever). */
void exchange_cond_wait (struct exchange *self, pthread_cond_t *cond, int64_t until_us)
{
    if (until_us == INT64_MAX) {
        pthread_cond_wait (cond, &self->lock);
        return;
    }
    struct timespec until = {.tv_sec = (time_t) (until_us / 1000000),
                             .tv_nsec = (long) (until_us % 1000000) * 1000};
    pthread_cond_timedwait (cond, &self->lock, &until);
}

/* The moment that is limit_ms from now; -1: never. */
int64_t exchange_until (int64_t limit_ms)
{
    return limit_ms < 0 ? INT64_MAX : now_us () + limit_ms * 1000;
}

/* Milliseconds to the moment, rounded up; -1: never. */
int64_t exchange_left_ms (int64_t until)
{
    if (until == INT64_MAX) {
        return -1;
    }
    int64_t left = until - now_us ();
    return left > 0 ? (left + 999) / 1000 : 0;
}

void exchange_signal_fd (int fd)
{
    /* It can only fail when the counter is full, and then it is readable anyway. */
    uint64_t one = 1;
    ssize_t written = write (fd, &one, sizeof (one));
    (void) written;
}

void exchange_clear_fd (int fd)
{
    uint64_t count;
    ssize_t got = read (fd, &count, sizeof (count));
    (void) got;
}

/* ---- Driving --------------------------------------------------------------------------------- */

/* Lock held. The descriptor is for those who wait for it: a driver that sleeps, or the application,
 * once it has asked for it. Everybody else looks before he sleeps. */
static void call_driver (struct exchange *self)
{
    self->woken = true;
    if (!self->signalled && (self->sleeping || self->observed)) {
        self->signalled = true;
        exchange_signal_fd (self->wake_fd);
    }
}

/* Lock held. */
void exchange_wake_locked (struct exchange *self)
{
    if (self->driven) {
        if (self->sleeping) {
            call_driver (self);
        }
        return;
    }
    if (self->threaded) {
        self->lent_until_us = 0;
        pthread_cond_signal (&self->background);
    } else {
        /* Nobody drives: whoever polls the loop's descriptor shall see that there is work. */
        call_driver (self);
    }
}

void exchange_observe (struct exchange *self)
{
    exchange_lock (self);
    self->observed = true;
    if (self->woken) {
        call_driver (self);
    }
    exchange_unlock (self);
}

/* Another blocked thread takes over the driving, where that is the threads' own affair. */
static void hand_over (struct exchange *self)
{
    struct list_node *first = list_first (&self->waiters);
    if (first != NULL) {
        pthread_cond_signal (&list_entry (first, struct blocked, node)->cond);
    }
}

/* Lock held, and released while driving. */
void exchange_drive_locked (struct exchange *self, int64_t timeout_ms)
{
    COHORT_ASSERT (!self->driven);
    self->driven = true;
    exchange_unlock (self);
    self->drive (self->arg, timeout_ms);
    exchange_lock (self);
    self->driven = false;
    pthread_cond_broadcast (&self->turn);
    if (exchange_lent (self)) {
        hand_over (self);
    } else {
        pthread_cond_signal (&self->background);
    }
}

/* Whether threads that block are to drive by themselves now. */
bool exchange_lent (const struct exchange *self)
{
    return !self->threaded || self->lent_until_us > 0;
}

void exchange_consider_lending (struct exchange *self, bool blocking)
{
    if (!self->threaded) {
        return;
    }
    if (!blocking || self->requests > 0) {
        self->streak = 0;
        if (self->lent_until_us > 0) {
            self->lent_until_us = 0;
            pthread_cond_signal (&self->background);
        }
        return;
    }
    self->streak += self->streak < LEND_STREAK ? 1 : 0;
    if (self->streak >= LEND_STREAK) {
        self->lent_until_us = now_us () + LEND_US;
    }
}

void exchange_blocked_end (struct exchange *self)
{
    if (self->driven) {
        return;
    }
    if (!self->threaded) {
        hand_over (self);
    } else if (self->requests > 0 || !list_empty (&self->ready)) {
        self->lent_until_us = 0;
        pthread_cond_signal (&self->background);
    } else if (self->lent_until_us > 0) {
        self->lent_until_us = now_us () + LEND_US;
    }
}

static void *background_main (void *arg)
{
    struct exchange *self = arg;
    exchange_lock (self);
    while (!self->stop && !(self->orphan && self->objects == 0)) {
        int64_t now = self->lent_until_us > 0 ? now_us () : 0;
        if (self->driven || self->lent_until_us > now) {
            int64_t until = self->lent_until_us > now ? self->lent_until_us : now_us () + LEND_US;
            exchange_cond_wait (self, &self->background, until);
            continue;
        }
        self->lent_until_us = 0;
        exchange_drive_locked (self, -1);
    }
    bool orphan = self->orphan && !self->stop;
    exchange_unlock (self);
    if (orphan) {
        /* Nobody is left to wait for this thread. */
        pthread_detach (pthread_self ());
        self->end (self->arg);
    }
    return NULL;
}

int exchange_init (struct exchange *self, bool threaded, exchange_drive_fn *drive,
                   exchange_end_fn *end, void *arg)
{
    *self = (struct exchange){
        .threaded = threaded, .drive = drive, .end = end, .arg = arg, .deadline_ms = INT64_MAX};
    list_init (&self->ready);
    list_init (&self->waiters);
    self->wake_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->wake_fd < 0) {
        return COHORT_ESYSTEM;
    }
    if (pthread_mutex_init (&self->lock, NULL) != 0) {
        close (self->wake_fd);
        return COHORT_ESYSTEM;
    }
    if (exchange_cond_init (&self->turn) != COHORT_OK) {
        pthread_mutex_destroy (&self->lock);
        close (self->wake_fd);
        return COHORT_ESYSTEM;
    }
    if (exchange_cond_init (&self->background) != COHORT_OK) {
        pthread_cond_destroy (&self->turn);
        pthread_mutex_destroy (&self->lock);
        close (self->wake_fd);
        return COHORT_ESYSTEM;
    }
    return COHORT_OK;
}

void exchange_deinit (struct exchange *self)
{
    COHORT_ASSERT (self->objects == 0);
    COHORT_ASSERT (list_empty (&self->waiters));
    pthread_cond_destroy (&self->background);
    pthread_cond_destroy (&self->turn);
    pthread_mutex_destroy (&self->lock);
    close (self->wake_fd);
}

int exchange_start (struct exchange *self)
{
    COHORT_ASSERT (self->threaded);
    COHORT_ASSERT (!self->started);
    /* Signals are the application's: none shall be delivered to a thread it does not know. */
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    self->started = pthread_create (&self->thread, NULL, background_main, self) == 0;
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return self->started ? COHORT_OK : COHORT_ESYSTEM;
}

void exchange_stop (struct exchange *self)
{
    if (!self->started) {
        return;
    }
    exchange_lock (self);
    self->stop = true;
    exchange_wake_locked (self);
    pthread_cond_signal (&self->background);
    exchange_unlock (self);
    pthread_join (self->thread, NULL);
    self->started = false;
}

void exchange_orphan (struct exchange *self)
{
    COHORT_ASSERT (self->threaded);
    exchange_lock (self);
    self->orphan = true;
    exchange_wake_locked (self);
    exchange_unlock (self);
}

void exchange_process (struct exchange *self, int timeout_ms)
{
    int64_t until = exchange_until (timeout_ms);
    exchange_lock (self);
    while (self->driven && exchange_left_ms (until) != 0) {
        exchange_cond_wait (self, &self->turn, until);
    }
    if (!self->driven) {
        exchange_drive_locked (self, exchange_left_ms (until));
    }
    exchange_unlock (self);
}

int exchange_settle (struct exchange *self, int limit_ms)
{
    int64_t until = exchange_until (limit_ms);
    exchange_lock (self);
    uint64_t wanted = ++self->settle_wanted;
    exchange_wake_locked (self);
    while (self->settle_done < wanted && exchange_left_ms (until) != 0) {
        if (!self->threaded && !self->driven) {
            exchange_drive_locked (self, 0);
        } else {
            exchange_cond_wait (self, &self->turn, until);
        }
    }
    int rc = self->settle_done >= wanted ? COHORT_OK : COHORT_ETIMEDOUT;
    exchange_unlock (self);
    return rc;
}

int exchange_wait_empty (struct exchange *self, int limit_ms)
{
    int64_t until = exchange_until (limit_ms);
    exchange_lock (self);
    int rc = self->users > 0 ? COHORT_ESTATE : COHORT_OK;
    while (rc == COHORT_OK && self->objects > 0) {
        int64_t left = exchange_left_ms (until);
        if (left == 0) {
            rc = COHORT_ETIMEDOUT;
        } else if (!self->threaded && !self->driven) {
            exchange_drive_locked (self, left);
        } else {
            exchange_cond_wait (self, &self->turn, until);
        }
    }
    exchange_unlock (self);
    return rc;
}

void exchange_collect (struct exchange *self, struct list *mailboxes)
{
    exchange_lock (self);
    list_splice_back (mailboxes, &self->ready);
    self->settle_seen = self->settle_wanted;
    self->woken = false;
    if (self->signalled) {
        /* Whatever it was written for is in the list. */
        self->signalled = false;
        exchange_clear_fd (self->wake_fd);
    }
    exchange_unlock (self);
}

void exchange_driven_until (struct exchange *self, int64_t deadline_ms, bool more)
{
    exchange_lock (self);
    self->deadline_ms = deadline_ms;
    if (more && !self->threaded) {
        call_driver (self);
    }
    exchange_unlock (self);
}

int64_t exchange_deadline (struct exchange *self)
{
    exchange_lock (self);
    int64_t deadline_ms = list_empty (&self->ready) && !self->woken ? self->deadline_ms : INT64_MIN;
    exchange_unlock (self);
    return deadline_ms;
}

bool exchange_sleep_begin (struct exchange *self)
{
    exchange_lock (self);
    bool idle = list_empty (&self->ready);
    if (idle && self->settle_done != self->settle_seen) {
        self->settle_done = self->settle_seen;
        pthread_cond_broadcast (&self->turn);
    }
    self->sleeping = idle && self->settle_done == self->settle_wanted && !self->stop &&
                     !(self->orphan && self->objects == 0);
    bool may_sleep = self->sleeping;
    exchange_unlock (self);
    return may_sleep;
}

void exchange_sleep_end (struct exchange *self)
{
    exchange_lock (self);
    self->sleeping = false;
    exchange_unlock (self);
}
