/*
 * cohort/lease.h - to hold something for so long, and longer only by saying so
 *
 * A lock (cohort/lock.h) is held until it is released or its session ends.  A lease is granted for
 * a duration: who does not renew it in time has it no more, although its session lives: a program
 * that hangs in a corner while the client's thread goes on sending heartbeats does not keep what it
 * has for ever.  A lease is a path; those who want it stand in a line there.
 *
 * Guarantees
 *    - While cohort_lease_valid says so, no other contender's does.  It ends, by the holder's own
 *      clock, before anybody else can have the lease: no two clocks are ever compared.  The holder
 *      counts from when it sent its last confirmed grant or renewal; who waits counts from when it
 *      saw that, and an eighth more, for clocks that run at different speeds.  Nobody's time of day
 *      matters, neither a server's.
 *    - The token of a later grant is greater (czxid, and it is never reused) than that of each
 *      earlier one; a renewal keeps it.  cohort_lease_guard makes a transaction conditional on the
 *      lease not having been given to another.
 *    - First come, first served.  To release, to renew and to withdraw are conditional writes of
 *      the session, carried out exactly once, and never touch another's grant.
 *    - It ends with its session, too, or when cohort_valid_ms does.
 *
 * SUSPENDED: it ends when its time is over: a renewal waits for a server.  LOST:
 * COHORT_LEASE_REVOKED while it was held, COHORT_LEASE_FAILED while it waited, with
 * COHORT_ESESSIONEXPIRED or COHORT_ENONODE.  Acquire again: in a new session, at the end of the
 * line.
 *
 * Time.  What happens by time alone (the end of what is held, the taking over of what another did
 * not renew) happens in cohort_dispatch too, when it is due: whoever dispatches the client need do
 * nothing else for it.  The clock is that of the client's loop (cohort_loop_options_t).
 * cohort_lease_valid needs no dispatch.
 *
 * The znodes are those of cohort/lock.h: a container, ephemeral children exclusive-NUMBER, and
 * their data says for how long a lease is.  cohort/why.h shows them.  One that says nothing of a
 * duration (a cohort_lock_t, or made by hand) is waited for until it goes.  A contender that waits
 * and whose program hangs delays those behind it when its turn comes, until its session ends:
 * watchdog_ms (cohort/session.h) is against that.  A znode that is deleted by hand: COHORT_ENONODE,
 * and the next one may be granted before the holder has heard of it.
 *
 * Cost: uncontended, one round trip and one write; a renewal, a release: one write.  One who had to
 * wait confirms its grant with one more, before it holds.  Two streams at most; a session can have
 * 1,024 (COHORT_ELIMIT).  A renewal wakes one waiter, as an event; what a hand-over costs does not
 * depend on how many wait.
 *
 * Threads.  A lease belongs to the thread that dispatches its client; all functions are to be
 * called there.  Handlers run only inside cohort_dispatch (and cohort_run and cohort_lease_wait),
 * may call anything that does not block, and may destroy the lease, and then its client, too.
 */
#ifndef COHORT_LEASE_H
#define COHORT_LEASE_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_lease cohort_lease_t;

enum { COHORT_LEASE_MS_MIN = 10, COHORT_LEASE_MS_MAX = 86400000 };

typedef struct cohort_lease_options {
    size_t size;    /* sizeof (cohort_lease_options_t) */
    const void *id; /* what others shall see of it while it stands in the line, copied */
    size_t id_size;
} cohort_lease_options_t;

typedef enum cohort_lease_kind {
    COHORT_LEASE_GRANTED = 1, /* it is held, for the duration: token */
    COHORT_LEASE_WAITING = 2, /* somebody else holds it, or is ahead; once an acquisition at most */
    COHORT_LEASE_RENEWED = 3, /* a renewal is confirmed: token; or, with an rc, it was refused, and
                                 the time goes on as it was */
    COHORT_LEASE_EXPIRED = 4, /* its time is over, and it is given back: token */
    COHORT_LEASE_REVOKED = 5, /* it is held no more: token, rc COHORT_ESESSIONEXPIRED, or
                                 COHORT_ENONODE: another has taken it over, or it was deleted */
    COHORT_LEASE_FAILED = 6   /* it was not granted and will not be: rc as of REVOKED, or what was
                                 refused, such as COHORT_ENOAUTH */
} cohort_lease_kind_t;

typedef struct cohort_lease_event {
    cohort_lease_kind_t kind;
    int rc;               /* 0, or why */
    const char *path;     /* of the lease */
    cohort_token_t token; /* but for WAITING and FAILED */
} cohort_lease_event_t;

/* event lives until the handler returns. */
typedef void cohort_lease_fn (cohort_lease_t *self, const cohort_lease_event_t *event, void *arg);

/* A contender for the lease at `path`, for duration_ms each time; it does nothing yet.  options may
 * be NULL.  NULL: duration_ms not from COHORT_LEASE_MS_MIN to COHORT_LEASE_MS_MAX, an argument is
 * NULL, or out of memory. */
COHORT_API cohort_lease_t *cohort_lease_new (cohort_t *client, const char *path,
                                             int64_t duration_ms,
                                             const cohort_lease_options_t *options);

/* Releases, or withdraws, and frees, as cohort_lock_destroy.  No event after it. */
COHORT_API void cohort_lease_destroy (cohort_lease_t **self_p);

/* NULL: none. */
COHORT_API void cohort_lease_set_handler (cohort_lease_t *self, cohort_lease_fn *fn, void *arg);

/* Acquires, and returns at once: COHORT_LEASE_GRANTED or COHORT_LEASE_FAILED tells how it went on.
 * 0; COHORT_ESTATE: it is held, or waited for, already; COHORT_EPATH, COHORT_ETOOBIG,
 * COHORT_ELIMIT, COHORT_ENOMEM: nothing has changed. */
COHORT_API int cohort_lease_acquire (cohort_lease_t *self) COHORT_MUST_CHECK;

/* Waits until it is granted, and dispatches the client meanwhile, so that other handlers may run.
 * -1: for ever.  0; COHORT_ETIMEDOUT: not in time: it is withdrawn; COHORT_ESTATE: nothing was
 * acquired, or its time is over; COHORT_EDEADLK inside a handler, and it goes on waiting for its
 * turn; the rc of COHORT_LEASE_FAILED; COHORT_ECLOSING when a handler has destroyed the lease. */
COHORT_API int cohort_lease_wait (cohort_lease_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Acquires it if nobody has it.  COHORT_EBUSY: somebody has; timeout_ms is for the servers to
 * answer.  After any error nothing is acquired by it, and nothing stays in the line. */
COHORT_API int cohort_lease_try (cohort_lease_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* From the call on, for the whole duration anew, as soon as it is confirmed: COHORT_LEASE_RENEWED.
 * Returns at once.  COHORT_ESTATE: it is not held, or its time is over; COHORT_ENOMEM,
 * COHORT_ELIMIT, COHORT_ESESSIONEXPIRED: nothing has changed. */
COHORT_API int cohort_lease_renew (cohort_lease_t *self) COHORT_MUST_CHECK;

/* Gives it back, or withdraws.  Returns at once; from then on cohort_lease_valid is 0.
 * COHORT_ESTATE: nothing was acquired; COHORT_ENOMEM, COHORT_ELIMIT: nothing has changed. */
COHORT_API int cohort_lease_release (cohort_lease_t *self);

/* For how many ms from now it is surely held, unless somebody deletes the znode by hand: what is
 * left of the duration, or of the session if that is less; 0: it is not.  No I/O. */
COHORT_API int64_t cohort_lease_left_ms (cohort_lease_t *self);

/* 1: for more than margin_ms from now; else 0.  No I/O. */
COHORT_API int cohort_lease_valid (cohort_lease_t *self, int margin_ms);

/* The fencing token of the grant; zero while there is none. */
COHORT_API cohort_token_t cohort_lease_token (cohort_lease_t *self);

/* Adds to a transaction the condition that no other has been given the lease: else it fails with
 * COHORT_EBADOWNER or COHORT_ENONODE.  COHORT_ESTATE: it is not held; what the adding functions
 * return. */
COHORT_API int cohort_lease_guard (cohort_lease_t *self, cohort_txn_t *txn) COHORT_MUST_CHECK;

/* The znode of the contender while it is in the line, NULL: none, or not known yet.  Lives until
 * the next call.  And the path, which lives as long as the lease. */
COHORT_API const char *cohort_lease_node (cohort_lease_t *self);
COHORT_API const char *cohort_lease_path (cohort_lease_t *self);

#ifdef __cplusplus
}
#endif
#endif
