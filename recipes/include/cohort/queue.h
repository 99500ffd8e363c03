/*
 * cohort/queue.h - a queue of items that are taken, and then acknowledged or returned
 *
 * Producers put items; consumers take them, do what is to be done, and acknowledge them.  Who dies
 * in between, or returns an item, leaves it to another.  It is for orders, jobs and matches, in
 * the tens of thousands; it is no place for bulk data.
 *
 * Guarantees
 *    - An item that was put is delivered until somebody acknowledges it: at least once.  It is
 *      acknowledged once: the acknowledgement is conditional on the very tenure of the one who
 *      took it, and COHORT_EFENCED when it has been given to another meanwhile.
 *    - One put is one item, whatever becomes of the connection.  Two puts with one id are one item,
 *      from whatever program, while it is in the queue, and for remember_ms after that.
 *    - Order: the lowest priority number first, and among equals the one that was put first.
 *      What was returned, or was taken by one who died, has its old place again.  A delayed item
 *      comes to the end of its priority when its time has come.  Several consumers that claim at
 *      the same moment may pass each other by a few places.
 *    - Delays are the servers' time: no client's clock is asked.
 *    - The mark of a consumer that has died goes with its session: its items are free at once then.
 *    - cohort_item_attempt counts how often an item has been claimed, deaths of consumers included:
 *      so one that kills its consumers can be told.
 *
 * SUSPENDED: items that were taken stay so while the session lives (cohort_item_valid); writes
 * wait.
 *
 * LOST: items that were taken and not acknowledged are others' now: COHORT_QUEUE_LOST, and their
 * acknowledgement is COHORT_EFENCED without asking.  Writes on their way end in
 * COHORT_ESESSIONEXPIRED: they may have happened (a put with an id can be repeated).  A consumer
 * calls cohort_renew on its client, unless somebody else has done so, and goes on.  A session that
 * no server ever accepted is not renewed again: COHORT_QUEUE_ERROR.
 *
 * Cost.  A put: one write; with a delay two, and one more when its time has come.  A take: one page
 * of the list (about 128 names, however long the queue is), one write together with one read.  An
 * acknowledgement or a return: one write.  The znodes of an item: one, one more while it is taken,
 * one more with an id.  No herd: consumers that find nothing stand in a line, of which only the
 * first two follow the queue; the others follow one znode each, so a put wakes two of them, however
 * many there are.  (The very first one, which creates the queue, wakes all that wait for that.)
 *
 * Threads.  A queue belongs to the thread that dispatches its client; all functions are to be
 * called there.  Handlers and result functions run only inside cohort_dispatch (and cohort_run, and
 * the blocking functions here), may call anything that does not block, and may destroy the queue,
 * and then its client, too.
 */
#ifndef COHORT_QUEUE_H
#define COHORT_QUEUE_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_queue cohort_queue_t;
typedef struct cohort_item cohort_item_t;

enum { COHORT_QUEUE_PRIORITY_MAX = 9999, COHORT_QUEUE_INFLIGHT_MAX = 1000 };

typedef struct cohort_queue_options {
    size_t size;         /* sizeof (cohort_queue_options_t) */
    int max_inflight;    /* 0: items are claimed by cohort_queue_take alone, one at a time.  Above:
                            so many are claimed ahead, from now on, as long as this queue exists;
                            those that were taken and not acknowledged count */
    int64_t remember_ms; /* for how long after its acknowledgement here an id is still taken */
} cohort_queue_options_t;

typedef enum cohort_queue_kind {
    COHORT_QUEUE_READY = 1, /* max_inflight above 0: cohort_queue_take (self, 0, ...) has an item */
    COHORT_QUEUE_LOST = 2,  /* the session has ended: what was taken and not acknowledged is not
                               ours any more */
    COHORT_QUEUE_BAD = 3,   /* path: no item; it is left alone until this session ends */
    COHORT_QUEUE_ERROR = 4  /* rc: nothing more is claimed, until cohort_queue_retry */
} cohort_queue_kind_t;

typedef struct cohort_queue_event {
    cohort_queue_kind_t kind;
    int rc;
    const char *path;
} cohort_queue_event_t;

/* event lives until the handler returns. */
typedef void cohort_queue_fn (cohort_queue_t *self, const cohort_queue_event_t *event, void *arg);

typedef struct cohort_queue_result {
    int rc;
    int existed; /* of a put with rc 0: 1: there is an item with this id */
} cohort_queue_result_t;

typedef void cohort_queue_result_fn (cohort_queue_t *self, const cohort_queue_result_t *result,
                                     void *arg);

typedef struct cohort_put_options {
    size_t size;      /* sizeof (cohort_put_options_t) */
    const char *id;   /* NULL: none.  The name of a znode: without '/' */
    int priority;     /* 0 to COHORT_QUEUE_PRIORITY_MAX: lower ones first */
    int64_t delay_ms; /* not to be taken before so long after the put */
} cohort_put_options_t;

/* The queue below the znode `path`, which the first put creates.  Returns at once.  options may be
 * NULL.  NULL: options out of range, malformed path, a session that has ended and cannot be
 * renewed, or out of memory. */
COHORT_API cohort_queue_t *cohort_queue_new (cohort_t *client, const char *path,
                                             const cohort_queue_options_t *options);

/* No event and no result after it; writes on their way still happen.  All items that are claimed
 * and not acknowledged are returned, by queued writes; those that the caller has are still to be
 * given back to cohort_item_ack or cohort_item_return, which will say COHORT_EFENCED.  Inside any
 * handler too.  Must come before cohort_destroy of the client (which drops answers that are on
 * their way, and with each some 100 bytes of memory: dispatch once in between to have them back).
 * Sets *self_p to NULL. */
COHORT_API void cohort_queue_destroy (cohort_queue_t **self_p);

/* NULL: none. */
COHORT_API void cohort_queue_set_handler (cohort_queue_t *self, cohort_queue_fn *fn, void *arg);

/* Puts a copy of the data.  options may be NULL.  0, and fn (which may be NULL) runs later, exactly
 * once unless the queue is destroyed before; or an error, and nothing happens: COHORT_EINVAL, also
 * for an id or a priority that is none, COHORT_ETOOBIG, COHORT_ENOMEM and others of the client. */
COHORT_API int cohort_queue_put_async (cohort_queue_t *self, const void *data, size_t size,
                                       const cohort_put_options_t *options,
                                       cohort_queue_result_fn *fn, void *arg) COHORT_MUST_CHECK;

/* The same, waiting for timeout_ms (-1: for ever) and dispatching the client meanwhile.  existed
 * may be NULL.  Further COHORT_ETIMEDOUT: the put stays queued; COHORT_EDEADLK inside a handler,
 * nothing was sent; COHORT_ESESSIONEXPIRED; COHORT_ECLOSING when a handler has destroyed the queue.
 */
COHORT_API int cohort_queue_put (cohort_queue_t *self, const void *data, size_t size,
                                 const cohort_put_options_t *options, int timeout_ms,
                                 int *existed) COHORT_MUST_CHECK;

/* Takes the next item, which is the caller's until it gives it to cohort_item_ack or
 * cohort_item_return; waits for one for timeout_ms (-1: for ever), and dispatches the client
 * meanwhile.  COHORT_ETIMEDOUT: there was none; with max_inflight 0 nothing remains claimed, and
 * nothing in line: what is on its way at that moment is given up when its answer is dispatched.
 * COHORT_EDEADLK inside a handler, if it would have to wait (0 never does: then
 * COHORT_ETIMEDOUT); the error of COHORT_QUEUE_ERROR; COHORT_ECLOSING when a handler has destroyed
 * the queue. */
COHORT_API int cohort_queue_take (cohort_queue_t *self, int timeout_ms,
                                  cohort_item_t **item) COHORT_MUST_CHECK;

/* Goes on after COHORT_QUEUE_ERROR.  0 also when there was none; else why it cannot. */
COHORT_API int cohort_queue_retry (cohort_queue_t *self);

/* Items that are claimed and wait for cohort_queue_take. */
COHORT_API size_t cohort_queue_ready (cohort_queue_t *self);

/* The item is done: it leaves the queue.  Consumes the item, and sets *item_p to NULL.
 * COHORT_EFENCED, from the call or as the result: it is not the caller's any more, another has it
 * or will have it.  Otherwise as cohort_queue_put; only with COHORT_EDEADLK the item remains the
 * caller's, and after any other error of the call itself it is for others again. */
COHORT_API int cohort_item_ack_async (cohort_item_t **item_p, cohort_queue_result_fn *fn,
                                      void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_item_ack (cohort_item_t **item_p, int timeout_ms) COHORT_MUST_CHECK;

/* The item is for another: it has its old place again at once, or, with delay_ms above 0, comes to
 * the end of its priority after so long.  Otherwise as the acknowledgement. */
COHORT_API int cohort_item_return_async (cohort_item_t **item_p, int64_t delay_ms,
                                         cohort_queue_result_fn *fn, void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_item_return (cohort_item_t **item_p, int64_t delay_ms,
                                   int timeout_ms) COHORT_MUST_CHECK;

/* What was put; with one 0 behind it that is not counted.  All of this lives as long as the item.
 */
COHORT_API const void *cohort_item_data (const cohort_item_t *self, size_t *size);
COHORT_API const char *cohort_item_id (const cohort_item_t *self); /* NULL: none */
COHORT_API const char *cohort_item_path (const cohort_item_t *self);
COHORT_API int cohort_item_priority (const cohort_item_t *self);

/* 1: nobody has claimed it before; 2: it was returned once, or somebody died with it; ... */
COHORT_API int cohort_item_attempt (const cohort_item_t *self);

/* The fencing token of this tenure: of the znode cohort_item_path + "/taken". */
COHORT_API cohort_token_t cohort_item_token (const cohort_item_t *self);

/* 1 if the item surely stays the caller's for more than margin_ms from now; else 0.  No I/O. */
COHORT_API int cohort_item_valid (const cohort_item_t *self, int margin_ms);

#ifdef __cplusplus
}
#endif
#endif
