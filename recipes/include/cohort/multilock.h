/*
 * cohort/multilock.h - several locks at once: all of them or none, without deadlock
 *
 * A move of money needs both accounts, a trade both players.  A cohort_multilock_t is one contender
 * in the lines of several locks (cohort/lock.h), each exclusive or shared; it holds them when it
 * holds every one.  The locks are the same as those of cohort_lock_t, which may stand in the same
 * lines.
 *
 * Guarantees
 *    - All that cohort/lock.h says of a lock holds for each of them: one holder, order, conditional
 *      writes that are carried out exactly once.  cohort_multilock_valid speaks for all of them.
 *    - All places are taken in one transaction.  So who comes first in one line comes first in all
 *      that two have in common, whatever the order in which they name them: they cannot wait for
 *      each other.  (Who already holds one lock, and then waits for others, can still be part of a
 *      deadlock: name all of them at once, and use time limits.)
 *    - One token for all: the zxid of that transaction, greater than the tokens of all earlier
 *      grants of each of these locks.  cohort_multilock_guard makes a transaction conditional on
 *      all of them being held.
 *    - All or nothing: if one place is lost the others are given back, and one event tells.
 *    - To release is one transaction as well.
 *
 * SUSPENDED, LOST, znodes, threads: as cohort/lock.h.
 *
 * Cost: uncontended, one round trip and one write, however many they are; a release is one write.
 * While one lock is waited for, those whose turn has come are held already, and others wait for
 * them.  Two streams a path at most; a session can have 1,024 (COHORT_ELIMIT).
 */
#ifndef COHORT_MULTILOCK_H
#define COHORT_MULTILOCK_H

#include "cohort/lock.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_multilock cohort_multilock_t;

enum { COHORT_MULTILOCK_MAX = 64 };

typedef struct cohort_multilock_part {
    const char *path;
    cohort_lock_mode_t mode;
} cohort_multilock_part_t;

typedef struct cohort_multilock_event {
    cohort_lock_kind_t kind; /* COHORT_LOCK_GRANTED: all are held; WAITING: for one at least;
                                REVOKED and FAILED: none is held, and none will be */
    int rc;                  /* 0, or why */
    const char *path;     /* WAITING, REVOKED, FAILED: the lock that it is about, the first one */
    cohort_token_t token; /* GRANTED, REVOKED */
} cohort_multilock_event_t;

/* event lives until the handler returns. */
typedef void cohort_multilock_fn (cohort_multilock_t *self, const cohort_multilock_event_t *event,
                                  void *arg);

/* A contender for all these locks; it does nothing yet.  parts and id are copied; id: as of
 * cohort_lock_new.  NULL: count not from 1 to COHORT_MULTILOCK_MAX, a path twice, a mode that is
 * none, an argument is NULL, or out of memory. */
COHORT_API cohort_multilock_t *cohort_multilock_new (cohort_t *client,
                                                     const cohort_multilock_part_t *parts,
                                                     size_t count, const void *id, size_t size);

/* As cohort_lock_destroy. */
COHORT_API void cohort_multilock_destroy (cohort_multilock_t **self_p);

/* NULL: none. */
COHORT_API void cohort_multilock_set_handler (cohort_multilock_t *self, cohort_multilock_fn *fn,
                                              void *arg);

/* Acquires all, and returns at once: COHORT_LOCK_GRANTED or COHORT_LOCK_FAILED tells how it went
 * on. 0; COHORT_ESTATE: it holds them, or waits, already; COHORT_EPATH, COHORT_ETOOBIG,
 * COHORT_ELIMIT, COHORT_ENOMEM: nothing has changed. */
COHORT_API int cohort_multilock_acquire (cohort_multilock_t *self) COHORT_MUST_CHECK;

/* Waits until all are granted, and dispatches the client meanwhile, so that other handlers may run.
 * -1: for ever.  0; COHORT_ETIMEDOUT: not in time: all are withdrawn; COHORT_ESTATE: nothing was
 * acquired; COHORT_EDEADLK inside a handler, and it goes on waiting for its turn; the rc of
 * COHORT_LOCK_FAILED; COHORT_ECLOSING when a handler has destroyed the multi-lock. */
COHORT_API int cohort_multilock_wait (cohort_multilock_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Acquires them if nobody is in the way of any.  COHORT_EBUSY: somebody is; timeout_ms is for the
 * servers to answer.  After any error nothing is acquired, and nothing stays in a line. */
COHORT_API int cohort_multilock_try (cohort_multilock_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Releases all, or withdraws.  Returns at once; from then on cohort_multilock_valid is 0.
 * COHORT_ESTATE: nothing was acquired; COHORT_ENOMEM, COHORT_ELIMIT: nothing has changed. */
COHORT_API int cohort_multilock_release (cohort_multilock_t *self);

/* As of cohort_lock_held, cohort_lock_valid, cohort_lock_token and cohort_lock_guard, of all. */
COHORT_API int cohort_multilock_held (cohort_multilock_t *self);
COHORT_API int cohort_multilock_valid (cohort_multilock_t *self, int margin_ms);
COHORT_API cohort_token_t cohort_multilock_token (cohort_multilock_t *self);
COHORT_API int cohort_multilock_guard (cohort_multilock_t *self,
                                       cohort_txn_t *txn) COHORT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
