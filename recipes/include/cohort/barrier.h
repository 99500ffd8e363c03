/*
 * cohort/barrier.h - gates, and barriers at which several programs wait for each other
 *
 * A gate is closed by one program and opened by another; whoever comes to it waits until it is
 * open. A barrier is entered by a number of parties, none of which goes on before all have come;
 * and left by them, none of which goes on before all have left.  A round of a game, a step of a
 * computation.
 *
 * Guarantees of a gate
 *    - It is closed while its znode exists.  To wait is to be sure: that it was open at some moment
 *      after the call began, as the whole ensemble saw it; a server that is behind lets nobody
 *      through, neither does a session that has ended.
 *    - A gate that is opened and closed again at once lets through all that waited: whoever had
 *      come a round trip before.
 *
 * Guarantees of a barrier
 *    - Nobody enters unless all parties were there at one and the same moment: the transaction that
 *      says so checks every one of them, and names them.  Only those that it names go on.
 *    - So a leftover of an earlier use lets nobody through, one party too many is told so
 *      (COHORT_ELIMIT), and an event of the session is not a success.
 *    - Who gives up while entering, by a time-out, by destroying the barrier, or with its session,
 *      is not counted any more; that needs no answer, and no dispatch.  It may have been named in
 *      that very moment: then the others have entered, and see it leave.
 *    - Nobody has left before all that entered have left, or their sessions have ended.
 *    - Rounds are apart from each other: a straggler of one disturbs no other.  A round can be used
 *      again when all have left it.
 *
 * SUSPENDED: waiting goes on.  LOST: COHORT_BARRIER_LOST, and COHORT_ESESSIONEXPIRED; a party's
 * place goes with its session, so for the others it has left.  Entering again is the caller's
 * decision.  A gate calls cohort_renew on its client, unless somebody else has done so, and goes
 * on; so does a barrier when it is entered again.
 *
 * The znodes.  A gate is one persistent znode.  A round is the container PATH/ROUND; its parties
 * are its ephemeral children m-NAME, and `ready` names those that enter.  Children with other names
 * are left alone.  A party whose znode somebody deletes is not counted (COHORT_ENONODE when it
 * looks next, a time-out otherwise); `ready` made by hand lets nobody through.
 *
 * Cost.  A gate: one stream; closing and opening: one write; a wait: one round trip (a sync).  A
 * barrier: entering is one write and one read, and for the last party one list and one write more;
 * one stream each, on the one znode that says that all are there: x parties cost x events. Leaving:
 * one list, one write, one stream on the first party's znode; the first party waits for the others,
 * the last of them each time it looks.  Znodes: one a party, and two a round, which go when all
 * have left it (if all died, they stay until the round is used again).
 *
 * Threads.  Both belong to the thread that dispatches their client; all functions are to be called
 * there.  Handlers run only inside cohort_dispatch (and cohort_run, and the waiting functions
 * here), may call anything that does not block, and may destroy the object, and then its client,
 * too.
 */
#ifndef COHORT_BARRIER_H
#define COHORT_BARRIER_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Gates ------------------------------------------------------------------------------- */

typedef struct cohort_gate cohort_gate_t;

typedef enum cohort_gate_kind {
    COHORT_GATE_OPENED = 1, /* it is open, or was in between */
    COHORT_GATE_CLOSED = 2,
    COHORT_GATE_LOST = 3, /* the session has ended; what is known of the gate stays */
    COHORT_GATE_ERROR = 4 /* rc: it is followed no more, until cohort_gate_retry */
} cohort_gate_kind_t;

typedef struct cohort_gate_event {
    cohort_gate_kind_t kind;
    int rc;
    uint64_t zxid;
} cohort_gate_event_t;

typedef void cohort_gate_fn (cohort_gate_t *self, const cohort_gate_event_t *event, void *arg);

/* The gate at `path`: open while there is no znode.  Returns at once, writes nothing.  NULL:
 * malformed path, a session that has ended and cannot be renewed, or out of memory. */
COHORT_API cohort_gate_t *cohort_gate_new (cohort_t *client, const char *path);

/* No event after it; a write on its way still happens.  Inside any handler too.  Must come before
 * cohort_destroy of the client.  Sets *self_p to NULL. */
COHORT_API void cohort_gate_destroy (cohort_gate_t **self_p);

/* NULL: none.  The first event says how it is. */
COHORT_API void cohort_gate_set_handler (cohort_gate_t *self, cohort_gate_fn *fn, void *arg);

/* Closes and opens, also what is closed or open already; missing parents are made.  Return at once;
 * the event tells.  Otherwise the error of the client.  A write that is refused later is
 * COHORT_GATE_ERROR. */
COHORT_API int cohort_gate_close (cohort_gate_t *self) COHORT_MUST_CHECK;
COHORT_API int cohort_gate_open (cohort_gate_t *self) COHORT_MUST_CHECK;

/* Waits until the gate is open, and dispatches the client meanwhile, so that other handlers may
 * run. -1: for ever.  0, COHORT_ETIMEDOUT, COHORT_EDEADLK inside a handler, COHORT_ESESSIONEXPIRED:
 * the session ended meanwhile, the error of COHORT_GATE_ERROR, COHORT_ECLOSING when a handler has
 * destroyed the gate. */
COHORT_API int cohort_gate_wait (cohort_gate_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* 1: open, 0: closed, as far as this client knows; COHORT_ESTATE: nothing is known yet. */
COHORT_API int cohort_gate_is_open (cohort_gate_t *self);

/* Goes on after COHORT_GATE_ERROR.  0 also when there was none; else why it cannot. */
COHORT_API int cohort_gate_retry (cohort_gate_t *self);

/* ---- Barriers ---------------------------------------------------------------------------- */

typedef struct cohort_barrier cohort_barrier_t;

enum { COHORT_BARRIER_PARTIES_MAX = 1000 };

typedef enum cohort_barrier_kind {
    COHORT_BARRIER_ENTERED = 1, /* all parties are there */
    COHORT_BARRIER_LEFT = 2,    /* all parties have left */
    COHORT_BARRIER_LOST = 3,    /* the session has ended, while entering, inside or leaving */
    COHORT_BARRIER_ERROR = 4    /* rc: entering or leaving has failed, and was withdrawn */
} cohort_barrier_kind_t;

typedef struct cohort_barrier_event {
    cohort_barrier_kind_t kind;
    int rc;
    uint64_t zxid;
} cohort_barrier_event_t;

typedef void cohort_barrier_fn (cohort_barrier_t *self, const cohort_barrier_event_t *event,
                                void *arg);

/* One party of the round `round` of the barrier at `path`.  Returns at once, does nothing yet.
 * NULL: parties not from 1 to COHORT_BARRIER_PARTIES_MAX, malformed arguments, or out of memory. */
COHORT_API cohort_barrier_t *cohort_barrier_new (cohort_t *client, const char *path, int parties,
                                                 uint64_t round);

/* Withdraws and frees; no event after it.  Inside any handler too.  Must come before cohort_destroy
 * of the client (which drops answers that are on their way, and with one of a barrier destroyed
 * just before some 100 bytes of memory: dispatch once in between to have them back).  Sets *self_p
 * to NULL. */
COHORT_API void cohort_barrier_destroy (cohort_barrier_t **self_p);

/* NULL: none. */
COHORT_API void cohort_barrier_set_handler (cohort_barrier_t *self, cohort_barrier_fn *fn,
                                            void *arg);

/* Begin to enter, or to leave; return at once.  COHORT_ESTATE: not outside, or not inside;
 * otherwise the error of the client. */
COHORT_API int cohort_barrier_enter (cohort_barrier_t *self) COHORT_MUST_CHECK;
COHORT_API int cohort_barrier_leave (cohort_barrier_t *self) COHORT_MUST_CHECK;

/* Waits until what was begun is done, and dispatches the client meanwhile, so that other handlers
 * may run.  -1: for ever.  0; COHORT_ESTATE: nothing was begun; COHORT_ETIMEDOUT: it is withdrawn
 * by a queued write, also a place that is only being made, whether or not this client is dispatched
 * any more, and this party is outside; COHORT_EDEADLK inside a handler; COHORT_ESESSIONEXPIRED: the
 * session has ended, this party is outside; COHORT_ELIMIT: all parties are there without this one;
 * COHORT_ECONFIG: others use this round with another number of parties, or its znode is not a
 * barrier's; COHORT_ENONODE: somebody has deleted this party's znode; other errors of the client;
 * COHORT_ECLOSING when a handler has destroyed the barrier. */
COHORT_API int cohort_barrier_wait (cohort_barrier_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* 1 between COHORT_BARRIER_ENTERED and cohort_barrier_leave, while the session lives; else 0. */
COHORT_API int cohort_barrier_inside (cohort_barrier_t *self);

#ifdef __cplusplus
}
#endif
#endif
