/*
 * cohort/claim.h - names that one of several servers has at a time: the login of a player
 *
 * A game server claims the name of each player that it admits.  Nobody else has that name until it
 * yields it, dies, or is made to yield by a second login.
 *
 * A claim lives by reference: it says which znode its owner is - the ephemeral one by which the
 * game server is registered (cohort/member.h) - and by which czxid, and it is valid as long as that
 * very znode is there.  So a game server has one ephemeral znode, however many players it has, and
 * its death frees them all at once: by the deletion of that one znode.
 *
 * Guarantees
 *    - Of two that claim one name one has it; the other is refused, waits, or makes the first one
 *      yield (cohort_claim_policy_t).  What changes a claim is conditional on the claim that it
 *      was decided for, and on the death of its owner where it is taken over for that.
 *    - The token (czxid of the claim) of a later tenure of a name is greater.  cohort_claim_guard
 *      makes a transaction of this ensemble conditional on the tenure and on the owner's life: what
 *      somebody saves late is refused.
 *    - Those that wait are served in the order in which they came, one is woken at a time.
 *    - Somebody who is asked to yield has the grace period for it, by the servers' time; when that
 *      is over the name is taken from him, and he is told (COHORT_CLAIM_REVOKED).
 *    - To yield and to withdraw are conditional writes of the session: they are carried out exactly
 *      once, whatever becomes of the connection.
 *
 * SUSPENDED: claims stay as long as the session does; cohort_claim_valid says for how long that is
 * sure.  No event.  Somebody who is cut off, or does not dispatch, does not hear that he is asked:
 * when the grace is over another one has the name, and until he hears of it, or his session's
 * validity ends, only the token tells the two apart: save with cohort_claim_guard.  With a grace
 * that is not shorter than the limits of the owners' sessions (timeout and disconnect_grace), one
 * that is cut off has stopped to be valid before.
 *
 * LOST, and when the owner's znode goes or is handed over to another session: COHORT_CLAIM_REVOKED
 * of each claim that was held, COHORT_CLAIM_FAILED of each that was being taken, with
 * COHORT_ESESSIONEXPIRED or COHORT_ENONODE.  Claims that are taken from then on, in the handlers
 * too, wait until the owner is registered anew.
 *
 * A game server that comes back with its state file has its session, its znode and its claims
 * still: it takes them again, without waiting, with new tokens.  One that comes back otherwise
 * waits until its earlier session has ended (options.close_predecessor ends it), or kicks.
 *
 * The znodes, below the path.  NAME: the claim, persistent, who its owner is and what the caller
 * says about it.  .waiting/NAME: the line of those that wait (cohort/lock.h), containers.
 * .asked/OWNER/CLAIM: that somebody wants the claim, with a time to live, the grace, or has taken
 * it when that was over; containers.  A claim whose owner has died stays until somebody takes the
 * name, or cohort_claims_sweep.  Owners are named as their sessions see them: whoever looks at the
 * same claims through another chroot finds none of them alive.  A znode of that name that is no
 * claim is never touched: COHORT_CLAIM_FAILED with COHORT_ENODEEXISTS.  A claim that somebody
 * deletes by hand is free, and its holder is told (COHORT_CLAIM_REVOKED with COHORT_ENONODE, or
 * COHORT_EFENCED if another one has it by then); the next one may be granted before he has heard,
 * and only the token tells the two apart.  One who stands in line and whose place is deleted by
 * hand: COHORT_CLAIM_FAILED with COHORT_ENONODE.
 *
 * Cost.  Free: one round trip, one write; behind it, and nobody waits for that, one read that sets
 * a one-shot watch for as long as the claim is held.  Held by another: two more round trips to see
 * whether it lives; then REJECT is done, WAIT has a place in the line (one ephemeral znode; the
 * first one has three streams, each other one two), KICK one more znode and three streams.  To
 * yield: one write.  An owner has two streams for all its claims, and about 500 bytes a claim.
 *
 * Threads.  Claims belong to the thread that dispatches their client; all functions are to be
 * called there.  Handlers run only inside cohort_dispatch (and cohort_run), may call anything that
 * does not block, and may destroy the claim, all claims, and then the client, too.
 */
#ifndef COHORT_CLAIM_H
#define COHORT_CLAIM_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_claims cohort_claims_t; /* all claims of one owner */
typedef struct cohort_claim cohort_claim_t;   /* one name */

/* What to do when another one has the name. */
typedef enum cohort_claim_policy {
    COHORT_CLAIM_REJECT = 0, /* FAILED with COHORT_EBUSY; also when others wait for it */
    COHORT_CLAIM_WAIT = 1,   /* stand in the line until it is free */
    COHORT_CLAIM_KICK = 2    /* ask him to yield; he has the grace period, then it is taken.  Goes
                                before those that wait.  Is not taken back: who withdraws has had
                                him asked all the same */
} cohort_claim_policy_t;

typedef enum cohort_claim_kind {
    COHORT_CLAIM_GRANTED = 1, /* it is held: token */
    COHORT_CLAIM_WAITING = 2, /* holder has it; WAIT and KICK, once a taking at most */
    COHORT_CLAIM_ASKED = 3,   /* holder wants what is held here: save, and cohort_claim_yield it
                                 within grace_ms */
    COHORT_CLAIM_REVOKED = 4, /* it is held no more, although it was not yielded: token of what has
                                 ended; rc COHORT_EFENCED: another has it, or may have it now, for
                                 it was not yielded in time; COHORT_ENONODE: it was deleted by hand,
                                 or the owner's znode is gone; COHORT_ESESSIONEXPIRED */
    COHORT_CLAIM_FAILED = 5   /* it was not granted and will not be: rc COHORT_EBUSY: holder has it;
                                 or as of REVOKED; or what was refused, such as COHORT_ENOAUTH */
} cohort_claim_kind_t;

/* Who has a name, or wants it. */
typedef struct cohort_claim_holder {
    const char *owner;    /* the path of the owner's znode */
    cohort_token_t token; /* of the claim; zero of somebody who wants it */
    const char *host;     /* "": not known */
    int64_t pid;          /* 0: not known */
    int64_t since_ms;     /* ms since 1970, the servers' time */
    const void *data;     /* what it says about the claim, followed by one 0 that is not counted */
    size_t size;
} cohort_claim_holder_t;

typedef struct cohort_claim_event {
    cohort_claim_kind_t kind;
    int rc;                              /* 0, or why */
    const char *name;                    /* of the claim */
    cohort_token_t token;                /* GRANTED, ASKED, REVOKED */
    const cohort_claim_holder_t *holder; /* WAITING, ASKED, FAILED with COHORT_EBUSY (NULL: it is
                                            free, but others wait for it); else NULL */
    int64_t grace_ms;                    /* ASKED */
} cohort_claim_event_t;

/* event, and what it leads to, lives until the handler returns. */
typedef void cohort_claim_fn (cohort_claim_t *self, const cohort_claim_event_t *event, void *arg);

/* ---- All claims of an owner ---------------------------------------------------------------- */

/* Claims below `path` (such as /users, created when needed), whose owner is the ephemeral znode at
 * `owner`, of the client's own session: that of a cohort_member_t on the same client, for example;
 * it need not be there yet.  NULL: an argument is NULL or malformed, the session has ended and
 * cannot be renewed, or out of memory; of what the client refused cohort_errmsg says why. */
COHORT_API cohort_claims_t *cohort_claims_new (cohort_t *client, const char *path,
                                               const char *owner);

/* No event after it, of none of its claims.  Yields nothing: what was held stays so as long as the
 * owner's znode does.  (A server that is stopped deletes that one, and is done.)  Claims that are
 * not destroyed yet are of no use but to be destroyed.  Inside any handler too.  Must come before
 * cohort_destroy of the client.  Sets *self_p to NULL. */
COHORT_API void cohort_claims_destroy (cohort_claims_t **self_p);

/* How many are held. */
COHORT_API size_t cohort_claims_count (cohort_claims_t *self);

/* Asks the servers whether all that is held is still there, and returns at once: what is not is
 * COHORT_CLAIM_REVOKED.  One read a claim.  Nobody needs it, for each is told of anyway, unless it
 * was cut off and does not want to wait.  0, or why it could not be asked. */
COHORT_API int cohort_claims_verify (cohort_claims_t *self);

/* Deletes claims whose owner has died and which nobody has taken since, and returns how many: of at
 * most `limit` names behind `after` (NULL: from the first one).  What is being taken meanwhile is
 * left alone.  next: NULL, or gets the name to go on behind, to be freed with cohort_free; NULL:
 * that was all.  Blocks: COHORT_EDEADLK inside a handler; and what any operation can return. */
COHORT_API int cohort_claims_sweep (cohort_claims_t *self, const char *after, int limit,
                                    char **next) COHORT_MUST_CHECK;

/* ---- One claim ----------------------------------------------------------------------------- */

/* The claim to a name; it does nothing yet.  data: what others shall see of it, copied; NULL, 0:
 * nothing.  NULL: an argument is NULL, the name is empty, has a '/', or is ".waiting" or ".asked",
 * or out of memory. */
COHORT_API cohort_claim_t *cohort_claim_new (cohort_claims_t *claims, const char *name,
                                             const void *data, size_t size);

/* Yields what is held, withdraws what is being taken, and frees: by queued conditional writes,
 * which the next connection carries if there is none now.  No event after it.  Inside any handler
 * too.  Does not block.  Sets *self_p to NULL. */
COHORT_API void cohort_claim_destroy (cohort_claim_t **self_p);

/* NULL: none. */
COHORT_API void cohort_claim_set_handler (cohort_claim_t *self, cohort_claim_fn *fn, void *arg);

/* Takes it, and returns at once: COHORT_CLAIM_GRANTED or COHORT_CLAIM_FAILED tells how it went on.
 * grace_ms: of COHORT_CLAIM_KICK, else of no meaning.  If another claim of the same owner has the
 * name, that is the other one.  While the owner is not registered it waits for that.
 * 0; COHORT_ESTATE: it is held, or being taken; COHORT_EINVAL: policy or grace_ms is out of range;
 * COHORT_ECLOSING: cohort_claims_destroy came before; why the owner cannot be followed;
 * COHORT_EPATH, COHORT_ETOOBIG, COHORT_ELIMIT, COHORT_ENOMEM: nothing has changed. */
COHORT_API int cohort_claim_take (cohort_claim_t *self, cohort_claim_policy_t policy,
                                  int grace_ms) COHORT_MUST_CHECK;

/* Waits until what was taken is granted, and dispatches the client meanwhile, so that other
 * handlers may run.  -1: for ever.  0; COHORT_ETIMEDOUT: not in time: it is withdrawn;
 * COHORT_ESTATE: it was not taken; COHORT_EDEADLK inside a handler, and it goes on; the rc of
 * COHORT_CLAIM_FAILED; COHORT_ECLOSING when a handler has destroyed the claim or all claims. */
COHORT_API int cohort_claim_wait (cohort_claim_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Yields what is held, or withdraws what is being taken.  Returns at once; from then on
 * cohort_claim_valid is 0.  COHORT_ESTATE: it was neither; COHORT_ENOMEM, COHORT_ELIMIT: nothing
 * has changed. */
COHORT_API int cohort_claim_yield (cohort_claim_t *self);

/* 1 while it is held as far as events have told; else 0. */
COHORT_API int cohort_claim_held (cohort_claim_t *self);

/* 1 if it is held, and the owner's session surely lives for more than margin_ms from now, and it
 * was not asked for, or the grace lasts for more than margin_ms; else 0.  No I/O.  See SUSPENDED
 * above for what it cannot know. */
COHORT_API int cohort_claim_valid (cohort_claim_t *self, int margin_ms);

/* The fencing token; zero while it is not held. */
COHORT_API cohort_token_t cohort_claim_token (cohort_claim_t *self);

/* Adds to a transaction the conditions that it is still held by this token, and that its owner
 * lives: else it fails with COHORT_ENONODE, COHORT_EBADCZXID or COHORT_EBADOWNER.  COHORT_ESTATE:
 * it is not held. */
COHORT_API int cohort_claim_guard (cohort_claim_t *self, cohort_txn_t *txn) COHORT_MUST_CHECK;

/* Name and path of the claim; live as long as it. */
COHORT_API const char *cohort_claim_name (cohort_claim_t *self);
COHORT_API const char *cohort_claim_path (cohort_claim_t *self);

#ifdef __cplusplus
}
#endif
#endif
