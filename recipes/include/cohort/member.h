/*
 * cohort/member.h - a registration that heals itself
 *
 * A member keeps one ephemeral znode in place for as long as it exists: a game server in the
 * lobby's list, a worker in a group.  It creates the znode (and parents that are missing, as
 * persistent znodes), replaces its data on demand, and restores it when it vanishes or when the
 * session ends.
 *
 * Guarantees
 *    - The znode carries the newest data given to cohort_member_update, after a reconnect and
 *      after a new session too: what was given while there was no connection is not forgotten.
 *    - A znode that is ours is kept: no reconnect and no move to another server makes it vanish
 *      for a moment.  When the session ended and its znode is still there, one transaction
 *      replaces it: a mirror sees one change, never an absence.
 *    - Another's znode is never changed and never deleted.  Every write after the creation,
 *      withdrawal included, names the znode's czxid and is refused if that has changed.
 *    - One write of a member is in flight at a time; updates given meanwhile are merged: the
 *      latest value wins.
 *
 * SUSPENDED: nothing changes.  The znode stands as long as the session does, updates wait, and
 * cohort_member_valid says for how long that is certain.  No event.
 *
 * LOST: the event COHORT_MEMBER_LOST, unless the znode was seen to go before; then the member calls
 * cohort_renew on its client, unless somebody else has done so, and registers anew: a further
 * COHORT_MEMBER_REGISTERED with a new token.  A session that no server ever accepted is not
 * renewed again: COHORT_MEMBER_ERROR.  When its session is handed over (cohort_hand_over) the znode
 * is lost, too, and is a stranger's; a stranger's that is given to its session becomes its own.
 *
 * Cost: one znode and one stream on it.  Registration: one write (one more for each parent that
 * is missing, once).  An update: one write, and its echo on the stream.  No polling.
 *
 * Threads.  A member belongs to the thread that dispatches its client; all functions are to be
 * called there.  Handlers run only inside cohort_dispatch (and cohort_run), may call anything
 * that does not block, and may destroy the member, and then its client, too.
 */
#ifndef COHORT_MEMBER_H
#define COHORT_MEMBER_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_member cohort_member_t;

/* What to do while the path is held by a znode of somebody else. */
typedef enum cohort_member_policy {
    COHORT_MEMBER_WAIT = 0,   /* report the conflict, and register when that znode has gone */
    COHORT_MEMBER_GIVE_UP = 1 /* report the conflict, and stop until cohort_member_retry */
} cohort_member_policy_t;

typedef enum cohort_member_kind {
    COHORT_MEMBER_REGISTERED = 1, /* the znode is there: token, zxid */
    COHORT_MEMBER_UPDATED = 2,    /* all data given so far is stored: token, zxid */
    COHORT_MEMBER_CONFLICT = 3,   /* the path is held by another: rc COHORT_ENODEEXISTS, owner */
    COHORT_MEMBER_LOST = 4,       /* the znode has gone, and is being registered anew; comes
                                      once after each REGISTERED.  rc COHORT_ENONODE: somebody
                                      deleted or replaced it, perhaps the ensemble, for the
                                      session has ended; COHORT_ESESSIONEXPIRED: it surely has */
    COHORT_MEMBER_ERROR = 5       /* rc: a write was refused.  Of an update: the registration
                                      stands with its earlier data.  Otherwise there is none,
                                      until cohort_member_update or cohort_member_retry */
} cohort_member_kind_t;

typedef struct cohort_member_event {
    cohort_member_kind_t kind;
    int rc;               /* 0, or why */
    const char *path;     /* of the member */
    cohort_token_t token; /* LOST: the token that has ended */
    uint64_t owner;       /* CONFLICT: session that owns the znode, 0: it is not ephemeral */
    uint64_t zxid;        /* of the transaction, 0: of none */
} cohort_member_event_t;

/* event lives until the handler returns. */
typedef void cohort_member_fn (cohort_member_t *self, const cohort_member_event_t *event,
                               void *arg);

/* Starts to register `path` with a copy of the data; returns at once.  The client need not be
 * connected yet.  NULL: policy out of range, malformed path, data above the limit, a session
 * that has ended and cannot be renewed, or out of memory; of what the client refused
 * cohort_errmsg says why. */
COHORT_API cohort_member_t *cohort_member_new (cohort_t *client, const char *path, const void *data,
                                               size_t size, int policy);

/* Withdraws and frees: the znode is deleted by a queued conditional write, which the next
 * connection carries if there is none now; a creation that is still on its way is undone when
 * its result arrives.  No event after it.  Inside any handler too.  Does not block.  Must come
 * before cohort_destroy of the client (which ends the session, and so the znode, in any case;
 * it also drops answers that are on their way, and with one of a member destroyed just before
 * some 100 bytes of memory: dispatch once in between to have them back).  Sets *self_p to NULL. */
COHORT_API void cohort_member_destroy (cohort_member_t **self_p);

/* NULL: none. */
COHORT_API void cohort_member_set_handler (cohort_member_t *self, cohort_member_fn *fn, void *arg);

/* Replaces the data, which is copied.  Returns at once; COHORT_MEMBER_UPDATED tells when the
 * newest data is stored.  Also tries again after COHORT_MEMBER_ERROR.  COHORT_EINVAL,
 * COHORT_ETOOBIG, COHORT_ENOMEM: the earlier data remains.  Any other error is that of
 * cohort_member_retry, and the data is kept for the next attempt. */
COHORT_API int cohort_member_update (cohort_member_t *self, const void *data, size_t size);

/* Tries again what ended in COHORT_MEMBER_ERROR, or in a conflict under COHORT_MEMBER_GIVE_UP.
 * 0 also when there is nothing to try again; else why it cannot be sent. */
COHORT_API int cohort_member_retry (cohort_member_t *self);

/* Waits until the member is registered with the newest data, and dispatches the client
 * meanwhile, so that other handlers may run.  -1: for ever.  0, COHORT_ETIMEDOUT (it goes on
 * trying), COHORT_EDEADLK inside a handler, COHORT_ENODEEXISTS (conflict, COHORT_MEMBER_GIVE_UP),
 * the error of COHORT_MEMBER_ERROR, COHORT_ECLOSING when a handler has destroyed the member. */
COHORT_API int cohort_member_wait (cohort_member_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* The fencing token of the registration; zero while there is none. */
COHORT_API cohort_token_t cohort_member_token (cohort_member_t *self);

/* 1 if the registration surely lasts for more than margin_ms from now; else 0.  No I/O. */
COHORT_API int cohort_member_valid (cohort_member_t *self, int margin_ms);

/* 1 while data was given that is not stored yet; else 0. */
COHORT_API int cohort_member_pending (cohort_member_t *self);

/* The path; lives as long as the member. */
COHORT_API const char *cohort_member_path (cohort_member_t *self);

#ifdef __cplusplus
}
#endif
#endif
