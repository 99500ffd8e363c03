/* What the parts of the claims share: claim.c, the claims of an owner and their life;
 * claim_owner.c, whether the owner lives; claim_asked.c, what is asked of it; claim_there.c,
 * whether claims are still there; claim_contest.c, how a name is taken that another one has or had;
 * claim_sweep.c; claim_watch.c, streams on one znode; claim_text.c, what znodes say.
 *
 *   IDLE -> PENDING: the owner is not registered yet
 *             |
 *             v
 *           TRYING: one transaction creates the claim, unless it is there, or others wait for it
 *             |   \
 *             v    v
 *           HELD <- CONTESTED: see claim_contest.c
 *
 * Private. May include: cohort/claim.h, recipes' calls, claim_text, line, nodemap and support. */

#ifndef COHORT_RECIPES_CLAIM_PRIVATE_H
#define COHORT_RECIPES_CLAIM_PRIVATE_H

#include "calls.h"
#include "claim_text.h"
#include "cohort/claim.h"
#include "line.h"
#include "nodemap.h"
#include "support.h"

#define CLAIM_WAITING ".waiting"
#define CLAIM_ASKED   ".asked"
/* For how long a note stays that something was taken: longer than sessions are away. */
#define CLAIM_NOTE_MS 3600000
/* Digits of a czxid in a name. */
#define CLAIM_HEX_SIZE 16

/* ---- A stream on one znode ----------------------------------------------------------------- */

struct claim_view {
    bool exists;
    cohort_stat_t stat;
    struct claim_text *text; /* NULL: there is none, or it was not asked for */
};

struct claim_watch {
    cohort_stream_t *stream;
    char *path;
    bool with_text;
    bool seen;
    bool touched; /* the batch so far says something about the znode itself */
    struct claim_view view, staged;
};

/* 0, COHORT_ENOMEM. */
int claim_watch_open (struct claim_watch *self, cohort_t *client, const char *path, bool with_text,
                      cohort_batch_fn *fn, void *arg);
void claim_watch_close (struct claim_watch *self);

/* Adds a batch. 1: the view is whole; 0: more is to come; COHORT_ENOMEM. */
int claim_watch_take (struct claim_watch *self, const cohort_batch_t *batch);

/* ---- Claims of an owner -------------------------------------------------------------------- */

enum claim_phase { CLAIM_IDLE, CLAIM_PENDING, CLAIM_TRYING, CLAIM_CONTESTED, CLAIM_HELD };

struct contest;

/* Somebody wants a claim of this owner. */
struct claim_letter {
    struct claim_letter *next;
    uint64_t czxid; /* of the claim */
    struct claim_text *text;
    cohort_claim_t *claim; /* that has been told, or NULL */
    int64_t since_ms;      /* servers' time */
    int64_t deadline_ms;   /* of ours */
    bool listed;           /* by the snapshot that arrives */
    bool taken;            /* it is over */
};

struct cohort_claims {
    cohort_t *client;
    char *path;
    struct claim_watch owner;
    uint64_t lost_session;
    int error; /* the owner cannot be followed */

    /* The owner as claims refer to it; session 0: it is not registered. */
    uint64_t session, czxid, ozxid;
    char host[CLAIM_HOST_SIZE];

    cohort_stream_t *inbox;
    char *inbox_path;
    uint64_t granted; /* the newest czxid of ours */
    struct claim_letter *letters;

    cohort_claim_t *all, *work; /* every claim is in one of these */
    struct nodemap held;        /* by path */
    cohort_claim_t *graves;     /* destroyed, not freed yet */
    struct recipe_guard guard;
};

struct cohort_claim {
    cohort_claims_t *claims;
    cohort_claim_t *next, **link; /* all, work, graves */
    struct nodemap_entry entry;   /* path: of the claim; in the same allocation */
    const char *name;             /* in the path */
    void *data;
    size_t size;

    enum claim_phase phase;
    cohort_claim_policy_t policy;
    int grace_ms;
    bool parents; /* they are to be created, too */
    cohort_token_t token;
    int64_t deadline_ms; /* HELD and asked for; 0: it is not */
    int error;           /* why the last taking has ended */
    struct contest *contest;
    struct recipe_calls calls;

    struct recipe_guard guard; /* destroyed; depth: of waits */
    cohort_claim_fn *fn;
    void *arg;
};

/* A request about a claim; no owner: nobody waits for it any more. */
struct claim_call {
    struct recipe_call base; /* owner: the claim */
    size_t op;               /* of a taking: the creation of the claim */
    uint64_t czxid;          /* of a look: of the claim */
    bool watch;              /* of a look: and it is watched */
};

/* Whoever is called by the client, or waits, is in between. */
void claims_enter (cohort_claims_t *self);
void claims_leave (cohort_claims_t *self);

void claim_report (cohort_claim_t *self, cohort_claim_event_t event);

/* REVOKED or FAILED. The last thing that is done. */
void claim_end (cohort_claim_t *self, int rc, const cohort_claim_holder_t *holder);

/* Adds the conditions that the owner is the one that is known, before the others, and the creation
 * of the claim, after them. */
void claim_add_owner (const cohort_claims_t *self, cohort_txn_t *txn);
int claim_add_create (cohort_claim_t *self, cohort_txn_t *txn);

/* Sends a taking whose last operation creates the claim; destroys the transaction, NULL:
 * COHORT_ENOMEM. */
int claim_send (cohort_claim_t *self, cohort_txn_t *txn);

cohort_claim_t *claim_find (cohort_claims_t *self, const char *path);

/* PATH/MIDDLE/NAME, or NULL. */
char *claim_path (const cohort_claims_t *self, const char *middle, const char *name);

/* What an event says of somebody. */
cohort_claim_holder_t claim_holder (const struct claim_text *text, cohort_token_t token,
                                    int64_t since_ms);

/* Into another list. */
void claim_move (cohort_claim_t *self, cohort_claim_t **list);

/* Creates the claim, if it is free and nobody waits for it, or ends it. */
void claim_go (cohort_claim_t *self);

/* ---- claim_owner.c ------------------------------------------------------------------------- */

/* Follows the owner in the session that there is, or in a new one. asked: by the application, not
 * by an event. */
int claims_open (cohort_claims_t *self, bool asked);

/* The owner cannot be followed: all claims end. */
void claims_fail (cohort_claims_t *self, int rc);

/* ---- claim_asked.c ------------------------------------------------------------------------- */

/* Follows what is asked of the owner. 0, COHORT_ENOMEM. */
int claims_open_inbox (cohort_claims_t *self);
void claims_close_inbox (cohort_claims_t *self);

/* It has been granted: has somebody asked for it already? May end it. */
void claims_granted (cohort_claims_t *self, cohort_claim_t *claim);

/* It is held no more. */
void claims_forget (cohort_claims_t *self, const cohort_claim_t *claim);

/* ---- claim_there.c ------------------------------------------------------------------------- */

/* From now on its holder hears of its end, whoever deletes it; the first time before it is HELD. 0,
 * or why not. */
int claim_follow (cohort_claim_t *self);

/* The same once, now. */
int claim_verify (cohort_claim_t *self);

/* ---- claim_contest.c ----------------------------------------------------------------------- */

/* Another one has the name, or others wait for it. */
int contest_begin (cohort_claim_t *self, bool line);
void contest_end (cohort_claim_t *self);

/* It has been granted: nobody needs to be asked any more. */
void contest_won (const cohort_claim_t *self);

/* A taking was refused. */
void contest_refused (cohort_claim_t *self, const cohort_result_t *result);

#endif
