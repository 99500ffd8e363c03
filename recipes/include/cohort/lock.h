/*
 * cohort/lock.h - a lock that processes share: exclusive or shared, fair, with a fencing token
 *
 * A lock is a path.  Whoever wants it stands in a line there; the first of the line holds it.  One
 * cohort_lock_t is one contender: it is re-entrant (what it acquires twice it releases twice), and
 * two of them exclude each other, also in one process, also on one session.
 *
 * Guarantees
 *    - While cohort_lock_valid says so, no other contender's does, unless both are shared.  A
 *      process that was paused finds out by asking again; what it sends late is refused by whoever
 *      compares tokens.
 *    - The token of a later grant is greater (czxid, and it is never reused) than that of each
 *      earlier one.  cohort_lock_guard makes a transaction of this ensemble conditional on the lock
 *      being held.
 *    - First come, first served: in the order in which the ensemble carried out the requests.
 *      Shared ones that stand next to each other hold it together; nobody overtakes a waiting
 *      exclusive one.
 *    - To release and to withdraw are conditional writes of the session: they are carried out
 *      exactly once, whatever becomes of the connection, and never end another's grant.
 *    - Somebody who dies is out of the line when his session ends.
 *
 * SUSPENDED: the place in the line stays as long as the session does; cohort_lock_valid says for
 * how long that is sure.  No event.
 *
 * LOST: COHORT_LOCK_REVOKED while it was held, COHORT_LOCK_FAILED while it waited, both with
 * COHORT_ESESSIONEXPIRED (or COHORT_ENONODE, if the ensemble was seen to delete the znode before,
 * or the session was handed over, cohort_hand_over: then the znode keeps its place in the line
 * until its new owner deletes it or ends); all that was acquired is released by that.  Whoever
 * wants it again acquires again, in a new session (cohort_renew is called if nobody has) and at the
 * end of the line.
 *
 * The znodes.  The path becomes a container, which the servers remove when it is empty (as do those
 * above it that were missing).  Whoever may not create them needs them to be there, and to be
 * allowed to create and delete in the path alone.  Contenders are its ephemeral children
 * exclusive-NUMBER and shared-NUMBER; their data tells who they are (cohort/why.h shows it).
 * Children with other names are left alone and do not count.  A contender that somebody deletes by
 * hand is out of the line: COHORT_LOCK_REVOKED or COHORT_LOCK_FAILED with COHORT_ENONODE; who
 * creates a znode of such a name by hand has a place in the line.  The next one may be granted
 * before the holder has heard that its znode was deleted by hand: nothing but the token tells these
 * two apart.
 *
 * Cost: uncontended, one round trip and one write, also where none of the containers is there yet
 * (one more the first time if some may not be created); two streams at most (a session can have
 * 1,024: COHORT_ELIMIT).  A release wakes one waiter, or all shared ones up to the next exclusive
 * one; what it costs does not depend on how many wait.  One who had to wait records its grant: one
 * more write, which nobody waits for.
 *
 * Threads.  A lock belongs to the thread that dispatches its client; all functions are to be called
 * there.  Handlers run only inside cohort_dispatch (and cohort_run), may call anything that does
 * not block, and may destroy the lock, and then its client, too.
 */
#ifndef COHORT_LOCK_H
#define COHORT_LOCK_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_lock cohort_lock_t;

typedef enum cohort_lock_mode {
    COHORT_LOCK_EXCLUSIVE = 0, /* alone */
    COHORT_LOCK_SHARED = 1     /* together with other shared ones */
} cohort_lock_mode_t;

typedef enum cohort_lock_kind {
    COHORT_LOCK_GRANTED = 1, /* it is held: token */
    COHORT_LOCK_WAITING = 2, /* somebody else holds it, or is ahead; once an acquisition at most */
    COHORT_LOCK_REVOKED = 3, /* it is held no more, although it was not released: token of the grant
                                that has ended, rc COHORT_ESESSIONEXPIRED or COHORT_ENONODE; or it
                                was given back, as it cannot be followed: COHORT_ELIMIT, too many
                                streams, and what else may end them */
    COHORT_LOCK_FAILED = 4   /* it was not granted and will not be: rc as of REVOKED, or what was
                                refused, such as COHORT_ENOAUTH */
} cohort_lock_kind_t;

typedef struct cohort_lock_event {
    cohort_lock_kind_t kind;
    int rc;               /* 0, or why */
    const char *path;     /* of the lock */
    cohort_token_t token; /* GRANTED, REVOKED */
} cohort_lock_event_t;

/* event lives until the handler returns. */
typedef void cohort_lock_fn (cohort_lock_t *self, const cohort_lock_event_t *event, void *arg);

/* A contender for the lock at `path`; it does nothing yet.  id: what others shall see of it while
 * it stands in the line, copied; NULL, 0: host and process only.  NULL: an argument is NULL, or out
 * of memory. */
COHORT_API cohort_lock_t *cohort_lock_new (cohort_t *client, const char *path, const void *id,
                                           size_t size);

/* Releases what was acquired, withdraws what waits, and frees: by a queued conditional write, which
 * the next connection carries if there is none now; a place that is still on its way is given back
 * when its result arrives.  No event after it.  Inside any handler too.  Does not block.  Must come
 * before cohort_destroy of the client (which ends the session, and so every place, in any case; it
 * also drops answers that are on their way, and with one of a lock destroyed just before some 100
 * bytes of memory: dispatch once in between to have them back).  Sets *self_p to NULL. */
COHORT_API void cohort_lock_destroy (cohort_lock_t **self_p);

/* NULL: none. */
COHORT_API void cohort_lock_set_handler (cohort_lock_t *self, cohort_lock_fn *fn, void *arg);

/* Acquires, and returns at once: COHORT_LOCK_GRANTED or COHORT_LOCK_FAILED tells how it went on.
 * When it is held, or waited for, it is counted once more and no further event comes (whoever holds
 * it exclusively may acquire it shared).  Each acquisition needs its release.
 * 0; COHORT_ESTATE: it is held or waited for shared and cannot become exclusive, release it before;
 * COHORT_ESESSIONEXPIRED: it was held in a session that has ended, the event is about to come;
 * COHORT_EINVAL, COHORT_EPATH, COHORT_ETOOBIG, COHORT_ELIMIT, COHORT_ENOMEM: nothing has changed.
 */
COHORT_API int cohort_lock_acquire (cohort_lock_t *self, cohort_lock_mode_t mode) COHORT_MUST_CHECK;

/* Waits until what was acquired is granted, and dispatches the client meanwhile, so that other
 * handlers may run.  -1: for ever.  0; COHORT_ETIMEDOUT: not in time: one acquisition is withdrawn;
 * COHORT_ESTATE: nothing was acquired; COHORT_EDEADLK inside a handler, and it goes on waiting for
 * its turn; the rc of COHORT_LOCK_FAILED; COHORT_ECLOSING when a handler has destroyed the lock. */
COHORT_API int cohort_lock_wait (cohort_lock_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Acquires it if nobody is in the way, as cohort_lock_acquire and cohort_lock_wait.
 * COHORT_EBUSY: somebody is; timeout_ms is for the servers to answer.  After any error nothing is
 * acquired by it, and nothing stays in the line: its way out
 * was sent before this returns. */
COHORT_API int cohort_lock_try (cohort_lock_t *self, cohort_lock_mode_t mode,
                                int timeout_ms) COHORT_MUST_CHECK;

/* Takes one acquisition back; with the last one the lock is released, or the wait withdrawn.
 * Returns at once; from then on cohort_lock_valid is 0.  COHORT_ESTATE: nothing was acquired;
 * COHORT_ENOMEM, COHORT_ELIMIT: nothing has changed. */
COHORT_API int cohort_lock_release (cohort_lock_t *self);

/* From exclusive to shared, without a gap, with the same token and place in the line: shared ones
 * behind it are granted.  From the call on it counts as shared.  0 also when it was shared before;
 * COHORT_ESTATE: it is not held; COHORT_ENOMEM, COHORT_ELIMIT: nothing has changed. */
COHORT_API int cohort_lock_downgrade (cohort_lock_t *self);

/* 1 while it is held as far as events have told; else 0.  Before it touches what it protects, a
 * program asks cohort_lock_valid. */
COHORT_API int cohort_lock_held (cohort_lock_t *self);

/* 1 if it is held, and surely stays so for more than margin_ms from now unless somebody deletes the
 * znode by hand; else 0.  In a session that has just begun it is 0 until the servers have confirmed
 * the first heartbeat (cohort_valid_ms).  No I/O: made for loops that run 60 times a second. */
COHORT_API int cohort_lock_valid (cohort_lock_t *self, int margin_ms);

/* The fencing token of the grant; zero while there is none. */
COHORT_API cohort_token_t cohort_lock_token (cohort_lock_t *self);

/* Adds to a transaction the condition that the lock is still held by this grant: else it fails with
 * COHORT_EBADOWNER or COHORT_ENONODE.  COHORT_ESTATE: it is not held; what the adding functions
 * return. */
COHORT_API int cohort_lock_guard (cohort_lock_t *self, cohort_txn_t *txn) COHORT_MUST_CHECK;

/* The znode of the contender while it is in the line, NULL: none, or not known yet.  Lives until
 * the next call.  With it another process, too, can make a transaction conditional on the grant
 * (cohort_txn_check_czxid). */
COHORT_API const char *cohort_lock_node (cohort_lock_t *self);

/* The path; lives as long as the lock. */
COHORT_API const char *cohort_lock_path (cohort_lock_t *self);

#ifdef __cplusplus
}
#endif
#endif
