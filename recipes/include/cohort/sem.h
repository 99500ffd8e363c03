/*
 * cohort/sem.h - a semaphore that processes share: so many permits, fair, with a fencing token
 *
 * A semaphore is a path and a number of permits, which is the same for all who use it.  Whoever
 * wants some of them stands in a line there; they are given in the order of the line.  One
 * cohort_sem_t is one contender, for as many permits as it asks for at once; two of them have
 * nothing in common, also in one process, also on one session.
 *
 * Guarantees
 *    - All for whom cohort_sem_valid says so have, together, never more than the permits.  A
 *      process that was paused finds out by asking again; what it sends late is refused by whoever
 *      compares tokens, or by a transaction with cohort_sem_guard.
 *    - First come, first served, in the order in which the ensemble carried out the requests:
 *      nobody passes one who waits for more, so nobody starves.  The token of a later grant is
 *      greater (czxid, and it is never reused) than that of each earlier one.
 *    - To release, a part too, and to withdraw are conditional writes of the session: they are
 *      carried out exactly once, whatever becomes of the connection, and never end another's grant.
 *    - Somebody who dies is out of the line when his session ends, with all permits that he had.
 *    - Two who do not agree about the number of permits are told so: who comes second fails with
 *      COHORT_ECONFIG.
 *
 * SUSPENDED: the place in the line stays as long as the session does; cohort_sem_valid says for how
 * long that is sure.  No event.
 *
 * LOST: COHORT_SEM_REVOKED while permits were held, COHORT_SEM_FAILED while it waited, both with
 * COHORT_ESESSIONEXPIRED (or COHORT_ENONODE, if the ensemble was seen to delete the znode before,
 * or the session was handed over, cohort_hand_over).  Whoever wants permits again acquires again,
 * in a new session (cohort_renew is called if nobody has) and at the end of the line.
 *
 * The znodes.  The path becomes a container with the data "permits=NUMBER\n", which the servers
 * remove when it has been empty for about a second; until then the number stays.  Contenders are
 * its ephemeral children permits-NUMBER; their data tells who they are and how many permits they
 * want (cohort/why.h shows it).  Children with other names are left alone and do not count.  What
 * is there and says something else, or nothing, is no semaphore: COHORT_ECONFIG.  A contender that
 * somebody deletes by hand is out of the line: COHORT_SEM_REVOKED or COHORT_SEM_FAILED with
 * COHORT_ENONODE; its permits may be given to the next one before it has heard of that: nothing but
 * the token tells these two apart.  Who creates a znode of such a name by hand has a place in the
 * line, and takes one permit.
 *
 * Cost: while enough are left, one round trip and one write.  It reads as many places of the line
 * as there are permits, and one, at most.  Two streams; a session can have 1,024 (COHORT_ELIMIT).
 * A release wakes one waiter, the first one, who goes on without asking anybody as soon as enough
 * was given back, and wakes the next one, who asks once.  (The first one also hears of those who
 * come, and asks nothing because of that.)  What that costs does not depend on how
 * many wait.  One who had to wait, or who has somebody behind it, records its grant: one more
 * write, which nobody waits for but the one behind.
 *
 * Threads.  A semaphore belongs to the thread that dispatches its client; all functions are to be
 * called there.  Handlers run only inside cohort_dispatch (and cohort_run), may call anything that
 * does not block, and may destroy the semaphore, and then its client, too.
 */
#ifndef COHORT_SEM_H
#define COHORT_SEM_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_sem cohort_sem_t;

enum { COHORT_SEM_PERMITS_MAX = 1000000 };

typedef enum cohort_sem_kind {
    COHORT_SEM_GRANTED = 1, /* it has its permits: token */
    COHORT_SEM_WAITING = 2, /* too few are left, or others wait; once an acquisition at most */
    COHORT_SEM_REVOKED = 3, /* it has none any more, although it did not release them: token of the
                               grant that has ended, rc COHORT_ESESSIONEXPIRED or COHORT_ENONODE; or
                               they were given back, as of COHORT_LOCK_REVOKED */
    COHORT_SEM_FAILED = 4   /* it was not granted and will not be: rc as of REVOKED, COHORT_ECONFIG,
                               or what was refused, such as COHORT_ENOAUTH */
} cohort_sem_kind_t;

typedef struct cohort_sem_event {
    cohort_sem_kind_t kind;
    int rc;               /* 0, or why */
    const char *path;     /* of the semaphore */
    cohort_token_t token; /* GRANTED, REVOKED */
} cohort_sem_event_t;

/* event lives until the handler returns. */
typedef void cohort_sem_fn (cohort_sem_t *self, const cohort_sem_event_t *event, void *arg);

/* A contender for permits of the semaphore at `path`, which has `permits`; it does nothing yet. id:
 * what others shall see of it while it stands in the line, copied; NULL, 0: host and process only.
 * NULL: permits not from 1 to COHORT_SEM_PERMITS_MAX, an argument is NULL, or out of memory. */
COHORT_API cohort_sem_t *cohort_sem_new (cohort_t *client, const char *path, int permits,
                                         const void *id, size_t size);

/* Releases what was acquired, withdraws what waits, and frees: by a queued conditional write, which
 * the next connection carries if there is none now; a place that is still on its way is given back
 * when its result arrives.  No event after it.  Inside any handler too.  Does not block.  Must come
 * before cohort_destroy of the client (which ends the session, and so every place, in any case; it
 * also drops answers that are on their way, and with one of a semaphore destroyed just before some
 * 100 bytes of memory: dispatch once in between to have them back).  Sets *self_p to NULL. */
COHORT_API void cohort_sem_destroy (cohort_sem_t **self_p);

/* NULL: none. */
COHORT_API void cohort_sem_set_handler (cohort_sem_t *self, cohort_sem_fn *fn, void *arg);

/* Acquires `count` permits, all at once, and returns at once: COHORT_SEM_GRANTED or
 * COHORT_SEM_FAILED tells how it went on.  0; COHORT_ESTATE: it has, or waits for, some already (a
 * second contender is a second cohort_sem_t); COHORT_EINVAL: count is not from 1 to the number of
 * permits; COHORT_EPATH, COHORT_ETOOBIG, COHORT_ELIMIT, COHORT_ENOMEM: nothing has changed. */
COHORT_API int cohort_sem_acquire (cohort_sem_t *self, int count) COHORT_MUST_CHECK;

/* Waits until what was acquired is granted, and dispatches the client meanwhile, so that other
 * handlers may run.  -1: for ever.  0; COHORT_ETIMEDOUT: not in time: it is withdrawn;
 * COHORT_ESTATE: nothing was acquired; COHORT_EDEADLK inside a handler, and it goes on waiting for
 * its turn; the rc of COHORT_SEM_FAILED; COHORT_ECLOSING when a handler has destroyed the
 * semaphore. */
COHORT_API int cohort_sem_wait (cohort_sem_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Acquires them if they are left and nobody waits, as cohort_sem_acquire and cohort_sem_wait.
 * COHORT_EBUSY: they are not; timeout_ms is for the servers to answer.  After any error nothing is
 * acquired, and nothing stays in the line: its way out
 * was sent before this returns. */
COHORT_API int cohort_sem_try (cohort_sem_t *self, int count, int timeout_ms) COHORT_MUST_CHECK;

/* Gives so many permits back; with the last one the place in the line goes.  One who waits can only
 * withdraw, with the whole count it asked for.  Returns at once; what was given back may be used no
 * more from the call on.  COHORT_ESTATE: nothing was acquired, or a part of what is waited for;
 * COHORT_EINVAL: count is not from 1 to what it has; COHORT_ENOMEM, COHORT_ELIMIT: nothing has
 * changed. */
COHORT_API int cohort_sem_release (cohort_sem_t *self, int count);

/* How many permits it has as far as events have told, 0: none.  Before it does what it needs them
 * for, a program asks cohort_sem_valid. */
COHORT_API int cohort_sem_held (cohort_sem_t *self);

/* 1 if it has its permits, and surely keeps them for more than margin_ms from now unless somebody
 * deletes the znode by hand; else 0.  In a session that has just begun it is 0 until the servers
 * have confirmed the first heartbeat (cohort_valid_ms).  No I/O. */
COHORT_API int cohort_sem_valid (cohort_sem_t *self, int margin_ms);

/* The fencing token of the grant; zero while there is none. */
COHORT_API cohort_token_t cohort_sem_token (cohort_sem_t *self);

/* Adds to a transaction the condition that the permits are still held by this grant: else it fails
 * with COHORT_EBADOWNER or COHORT_ENONODE.  COHORT_ESTATE: they are not; what the adding functions
 * return. */
COHORT_API int cohort_sem_guard (cohort_sem_t *self, cohort_txn_t *txn) COHORT_MUST_CHECK;

/* The znode of the contender while it is in the line, NULL: none, or not known yet.  Lives until
 * the next call. */
COHORT_API const char *cohort_sem_node (cohort_sem_t *self);

/* The path; lives as long as the semaphore. */
COHORT_API const char *cohort_sem_path (cohort_sem_t *self);

#ifdef __cplusplus
}
#endif
#endif
