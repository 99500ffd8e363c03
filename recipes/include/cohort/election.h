/*
 * cohort/election.h - one leader among several processes, and everybody knows who
 *
 * An election is a path.  Candidates stand in a line there, the first of them leads; what it says
 * about itself (an address, say) is its data, which it can replace while it leads.  Whoever wants
 * to know who leads observes; a pure observer never campaigns.
 *
 * Guarantees
 *    - While cohort_election_valid says so in one process, it does in no other.
 *    - The token of a later leader is greater; it is the epoch of its leadership.
 *      cohort_election_guard makes a transaction conditional on it: what a leader of yesterday
 *      writes late is refused.
 *    - An observer is told the leader with the lowest token there is, with its epoch and its data,
 *      and also that there is none.  Changes that follow each other fast may be merged, the last
 *      one always comes; from leader to leader epochs only grow.
 *    - To resign is a write that is carried out exactly once, and only ends this leadership.
 *
 * SUSPENDED: no event; candidates keep their places as long as their sessions live.  What an
 * observer was told last stays.
 *
 * LOST: COHORT_ELECTION_REVOKED of a leader, COHORT_ELECTION_FAILED of a candidate.  With
 * COHORT_ELECTION_AGAIN it campaigns again by itself, with its last data, in a new session and at
 * the end of the line, until it resigns.  An observer goes on by itself in a new session.
 *
 * The znodes: those of cohort/lock.h, exclusive ones; everything that is said there about names,
 * containers and znodes that are deleted by hand is true here.
 *
 * Cost: to be elected uncontended, one round trip and one write; to proclaim, one write.  When a
 * leader goes, one candidate is woken.  An observer has one stream, on the leader.
 *
 * Threads.  An election belongs to the thread that dispatches its client; all functions are to be
 * called there.  Handlers run only inside cohort_dispatch (and cohort_run), may call anything that
 * does not block, and may destroy the election, and then its client, too.
 */
#ifndef COHORT_ELECTION_H
#define COHORT_ELECTION_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_election cohort_election_t;

enum {
    COHORT_ELECTION_AGAIN = 1 /* after REVOKED and FAILED it campaigns again by itself, unless the
                                 new session was refused as well */
};

typedef enum cohort_election_kind {
    COHORT_ELECTION_ELECTED = 1,    /* this process leads: token */
    COHORT_ELECTION_REVOKED = 2,    /* it leads no more, although it did not resign: token of what
                                       has ended, rc COHORT_ESESSIONEXPIRED or COHORT_ENONODE */
    COHORT_ELECTION_FAILED = 3,     /* it was not elected, and stands in the line no more: rc */
    COHORT_ELECTION_PROCLAIMED = 4, /* rc 0: the newest data is stored; or why not: a later
                                       cohort_election_proclaim tries again */
    COHORT_ELECTION_LEADER = 5,     /* of an observer: there is another leader, or none, or it has
                                       other data: see leader */
    COHORT_ELECTION_BLIND = 6       /* the observer follows no more until it is asked again: rc */
} cohort_election_kind_t;

/* Who leads. */
typedef struct cohort_leader {
    cohort_token_t token; /* czxid is the epoch */
    uint64_t session;
    const void *data; /* as it was given, followed by one 0 that is not counted */
    size_t size;
    const char *node; /* its znode */
    const char *host; /* "": not known */
    int64_t pid;      /* 0: not known */
    int64_t since_ms; /* since when it leads, ms since 1970, the servers' time; a moment after it
                         was elected it may still be when it began to campaign */
} cohort_leader_t;

typedef struct cohort_election_event {
    cohort_election_kind_t kind;
    int rc;                        /* 0, or why */
    const char *path;              /* of the election */
    cohort_token_t token;          /* ELECTED, REVOKED, PROCLAIMED */
    const cohort_leader_t *leader; /* LEADER; NULL: there is none */
} cohort_election_event_t;

/* event, and what it leads to, lives until the handler returns. */
typedef void cohort_election_fn (cohort_election_t *self, const cohort_election_event_t *event,
                                 void *arg);

/* Does nothing yet.  flags: COHORT_ELECTION_AGAIN or 0.  NULL: an argument is NULL or out of range,
 * or out of memory. */
COHORT_API cohort_election_t *cohort_election_new (cohort_t *client, const char *path, int flags);

/* Resigns, ends observing and frees.  As cohort_lock_destroy: no event after it, inside any handler
 * too, does not block, must come before cohort_destroy of the client.  Sets *self_p to NULL. */
COHORT_API void cohort_election_destroy (cohort_election_t **self_p);

/* NULL: none. */
COHORT_API void cohort_election_set_handler (cohort_election_t *self, cohort_election_fn *fn,
                                             void *arg);

/* Becomes a candidate, with a copy of the data, and returns at once: COHORT_ELECTION_ELECTED or
 * COHORT_ELECTION_FAILED tells how it went on.  0; COHORT_ESTATE: it is one already;
 * COHORT_EINVAL, COHORT_EPATH, COHORT_ETOOBIG, COHORT_ELIMIT, COHORT_ENOMEM. */
COHORT_API int cohort_election_campaign (cohort_election_t *self, const void *data,
                                         size_t size) COHORT_MUST_CHECK;

/* Waits until it is elected, and dispatches the client meanwhile, so that other handlers may run.
 * -1: for ever.  0; COHORT_ETIMEDOUT: not in time, and it has resigned; COHORT_ESTATE: it does not
 * campaign; COHORT_EDEADLK inside a handler, and it goes on campaigning; the rc of
 * COHORT_ELECTION_FAILED; COHORT_ECLOSING when a handler has destroyed it. */
COHORT_API int cohort_election_wait (cohort_election_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Leads and campaigns no more.  Returns at once; from then on cohort_election_valid is 0.
 * COHORT_ESTATE: it did neither; COHORT_ENOMEM, COHORT_ELIMIT: nothing has changed. */
COHORT_API int cohort_election_resign (cohort_election_t *self);

/* Replaces the data, which is copied; observers are told.  Returns at once;
 * COHORT_ELECTION_PROCLAIMED tells when the newest is stored.  Given faster than it can be written,
 * the last one wins.  COHORT_ESTATE: it does not lead; COHORT_EINVAL, COHORT_ETOOBIG,
 * COHORT_ELIMIT, COHORT_ENOMEM: nothing has changed. */
COHORT_API int cohort_election_proclaim (cohort_election_t *self, const void *data, size_t size);

/* Begins to observe: COHORT_ELECTION_LEADER tells who leads, or that nobody does, and each change
 * from then on.  0 also when it observes already; else why it cannot begin. */
COHORT_API int cohort_election_observe (cohort_election_t *self);

/* Who leads, as an observer was told last; NULL: nobody, or it is not known.  Lives until the next
 * dispatch. */
COHORT_API const cohort_leader_t *cohort_election_leader (cohort_election_t *self);

/* 1 if this process leads, and surely does for more than margin_ms from now unless somebody deletes
 * its znode by hand; else 0.  No I/O. */
COHORT_API int cohort_election_valid (cohort_election_t *self, int margin_ms);

/* The fencing token of the leadership; zero while it does not lead. */
COHORT_API cohort_token_t cohort_election_token (cohort_election_t *self);

/* Adds to a transaction the condition that this process still leads, by this token: else it fails
 * with COHORT_EBADOWNER or COHORT_ENONODE.  COHORT_ESTATE: it does not lead. */
COHORT_API int cohort_election_guard (cohort_election_t *self, cohort_txn_t *txn) COHORT_MUST_CHECK;

/* The znode of the candidate while it is in the line, else NULL.  Lives until the next call. */
COHORT_API const char *cohort_election_node (cohort_election_t *self);

/* The path; lives as long as the election. */
COHORT_API const char *cohort_election_path (cohort_election_t *self);

#ifdef __cplusplus
}
#endif
#endif
