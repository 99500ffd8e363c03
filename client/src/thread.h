/* Where threads meet.
 *
 * An exchange belongs to a loop. It has the one lock of the loop and of all handles on it, which is
 * held for moments only and never while a callback runs; it is taken here and in mailbox*.c and
 * nowhere else in the client.
 *
 * One thread at a time drives a loop: its background thread, or, without one, whoever is inside
 * cohort_loop_process or a blocking call. May include: base, libc, pthread. */

#ifndef COHORT_CLIENT_THREAD_H
#define COHORT_CLIENT_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/base/list.h"

/* Does what is to be done on the loop, and waits up to timeout_ms (-1: for ever) if that is
 * nothing. */
typedef void exchange_drive_fn (void *arg, int64_t timeout_ms);

/* Frees the loop; on its own thread, when its last handle was destroyed inside a callback. */
typedef void exchange_end_fn (void *arg);

struct exchange {
    pthread_mutex_t lock;
    pthread_cond_t turn;       /* driving ended; a settlement was reached; a handle is gone */
    pthread_cond_t background; /* the thread has something to do again */
    int wake_fd;               /* readable: who sleeps, or waits by himself, must look */
    bool sleeping;             /* the driver waits on wake_fd, among others */
    bool woken;                /* the driver must look */
    bool signalled;            /* wake_fd has been written since */
    bool observed;             /* somebody may wait for the loop's descriptor by himself */
    bool driven;
    bool threaded, started, stop, orphan;
    pthread_t thread;
    exchange_drive_fn *drive;
    exchange_end_fn *end;
    void *arg;           /* of both */
    struct list ready;   /* mailboxes the driver must look into */
    struct list waiters; /* blocked threads: struct blocked */
    int64_t deadline_ms; /* when the loop must be driven again; its own clock */
    uint64_t settle_wanted, settle_seen, settle_done;
    size_t users;    /* handles that their owners have not destroyed */
    size_t objects;  /* handles that are not freed */
    size_t requests; /* submitted, and their results not handed over */
    /* Blocking calls in a row: see lend in thread.c. */
    unsigned streak;
    int64_t lent_until_us;
};

/* A thread that is blocked in a call on a handle. */
struct blocked {
    struct list_node node; /* in the exchange's list */
    pthread_cond_t cond;
};

/* 0, COHORT_ESYSTEM. `threaded`: exchange_start will be called. */
int exchange_init (struct exchange *self, bool threaded, exchange_drive_fn *drive,
                   exchange_end_fn *end, void *arg);
void exchange_deinit (struct exchange *self);
/* Starts the background thread, which drives until exchange_stop. 0, COHORT_ESYSTEM. */
int exchange_start (struct exchange *self);
/* Stops the background thread, if there is one, and waits for it. */
void exchange_stop (struct exchange *self);
/* Leaves a threaded loop to itself: when its last handle is freed, its thread calls `end`. */
void exchange_orphan (struct exchange *self);

/* Threadless: drives once, or waits up to timeout_ms for another thread to end its driving. */
void exchange_process (struct exchange *self, int timeout_ms);
/* From now on the application may wait for the loop's descriptor by itself. */
void exchange_observe (struct exchange *self);
/* Returns when the driver has looked after this call and come to rest: 0, COHORT_ETIMEDOUT. */
int exchange_settle (struct exchange *self, int limit_ms);
/* Waits until no handle is left on the loop: 0, COHORT_ETIMEDOUT. COHORT_ESTATE: one is in use. */
int exchange_wait_empty (struct exchange *self, int limit_ms);

/* For the driver: the mailboxes to look into (through mailbox.ready). */
void exchange_collect (struct exchange *self, struct list *mailboxes);
/* For the driver, before it lets go: when it is needed again, and whether at once. */
void exchange_driven_until (struct exchange *self, int64_t deadline_ms, bool more);
/* What the driver said last; INT64_MIN: at once. */
int64_t exchange_deadline (struct exchange *self);
/* For the driver: whether it may sleep; then exchange_sleep_end must follow. */
bool exchange_sleep_begin (struct exchange *self);
void exchange_sleep_end (struct exchange *self);

/* ---- For mailbox*.c: what is done with the lock held -------------------------------------------
 */

void exchange_lock (struct exchange *self);
void exchange_unlock (struct exchange *self);
/* Makes the driver look. */
void exchange_wake_locked (struct exchange *self);
/* Drives once, the lock released meanwhile; nobody drives yet. */
void exchange_drive_locked (struct exchange *self, int64_t timeout_ms);
/* Whether threads that block are to drive by themselves now. */
bool exchange_lent (const struct exchange *self);
/* A request is submitted, by a thread that will block for it or not. */
void exchange_consider_lending (struct exchange *self, bool blocking);
/* A blocked thread returns to its caller: sees to it that somebody drives. */
void exchange_blocked_end (struct exchange *self);
/* Waits until the moment, of exchange_until; spurious returns happen. */
void exchange_cond_wait (struct exchange *self, pthread_cond_t *cond, int64_t until);
int exchange_cond_init (pthread_cond_t *cond);

/* The moment that is limit_ms of real time from now; -1: never. */
int64_t exchange_until (int64_t limit_ms);
/* Milliseconds to the moment, rounded up; -1: for ever. */
int64_t exchange_left_ms (int64_t until);

/* An eventfd: makes it readable, and not. */
void exchange_signal_fd (int fd);
void exchange_clear_fd (int fd);

#endif
