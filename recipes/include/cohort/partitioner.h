/*
 * cohort/partitioner.h - numbered partitions, shared out among the members of a group
 *
 * A partitioner is a path and a number of partitions, 0 and up: shards, regions of a map, topics.
 * Each program that takes part is a member under a name of its own.  Each computes from the list of
 * members which partitions are its share, and owns one of them while it holds that partition's lock
 * (cohort/lock.h).
 *
 * Guarantees
 *    - While cohort_partitioner_valid says so, no other member's does, whatever list of members
 *      each of them sees: the locks decide.  Tokens and cohort_partitioner_guard are the lock's.
 *    - All members that see the same list compute the same shares.  They differ by one partition at
 *      most, and when a member comes or goes few others move.  A member that comes back under its
 *      name has the share it had.
 *    - What is owned and no longer in the share is asked back (COHORT_PARTITIONER_RELEASE_ASKED);
 *      it is given up when the application has said that it is done with it
 *      (cohort_partitioner_release), or when the grace is over.  Then the next one has it: it
 *      stands in the line already.  Nothing waits for quiet times.
 *    - At rest - all members see the same list, and what was asked back is released - each
 *      partition has an owner.
 *
 * SUSPENDED: nothing changes; cohort_partitioner_valid says for how long it is sure.  LOST:
 * COHORT_PARTITIONER_REVOKED of each partition that was owned; it joins again by itself in a new
 * session, and acquires its share anew.
 *
 * Time.  That a grace is over is seen in cohort_dispatch, by the clock of the client's loop
 * (cohort_loop_options_t).  cohort_partitioner_valid needs no dispatch: it is 0 from then on.
 *
 * The znodes.  The path says how many partitions there are (persistent; to have another number,
 * stop all members and delete it); path/members/NAME is a member, ephemeral (cohort_group_new shows
 * them); path/partitions/NUMBER is a lock (cohort/why.h shows who owns it, and who waits).  A
 * member whose znode is deleted by hand joins again and keeps what it has meanwhile.
 *
 * Cost: to join, two writes (more for parents that are missing, once), and one for each partition
 * of the share.  Two streams, one more for each partition that is owned, two while it is waited
 * for.  A change of the members costs each of them one event and some computing (members times
 * partitions), and writes only for what moves.
 *
 * Threads.  A partitioner belongs to the thread that dispatches its client; all functions are to be
 * called there.  Handlers run only inside cohort_dispatch (and cohort_run and
 * cohort_partitioner_wait), may call anything that does not block, and may destroy the partitioner,
 * and then its client, too.
 */
#ifndef COHORT_PARTITIONER_H
#define COHORT_PARTITIONER_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_partitioner cohort_partitioner_t;

/* A session can have 1,024 streams. */
enum { COHORT_PARTITIONER_MAX = 500, COHORT_PARTITIONER_GRACE_MS = 10000 };

typedef struct cohort_partitioner_options {
    size_t size;      /* sizeof (cohort_partitioner_options_t) */
    int64_t grace_ms; /* how long the application has to be done with what is asked back; 0:
                         COHORT_PARTITIONER_GRACE_MS; below 0: as long as it takes */
} cohort_partitioner_options_t;

typedef enum cohort_partitioner_kind {
    COHORT_PARTITIONER_ACQUIRED = 1,      /* number is owned: token */
    COHORT_PARTITIONER_RELEASE_ASKED = 2, /* it is another's share: be done with it, then
                                             cohort_partitioner_release */
    COHORT_PARTITIONER_RELEASED = 3,      /* the grace was over: it is not owned any more */
    COHORT_PARTITIONER_REVOKED = 4,       /* it is not owned any more: token of the grant that has
                                             ended, rc as of COHORT_LOCK_REVOKED */
    COHORT_PARTITIONER_CONFLICT = 5,      /* another session has the name, and is waited for; what
                                             is owned is asked back */
    COHORT_PARTITIONER_ERROR = 6          /* rc: of one number it was refused to acquire it, and is
                                             tried again when the members change; number -1: it
                                             takes no part, and what is owned is asked back, or the
                                             list does not go on; all until
                                             cohort_partitioner_retry.  COHORT_ECONFIG: the path has
                                             another number of partitions, or is no partitioner's */
} cohort_partitioner_kind_t;

typedef struct cohort_partitioner_event {
    cohort_partitioner_kind_t kind;
    int rc;               /* 0, or why */
    int number;           /* of the partition; -1: of none */
    cohort_token_t token; /* ACQUIRED, RELEASE_ASKED, RELEASED, REVOKED */
} cohort_partitioner_event_t;

/* event lives until the handler returns. */
typedef void cohort_partitioner_fn (cohort_partitioner_t *self,
                                    const cohort_partitioner_event_t *event, void *arg);

/* Takes part as `name` in sharing out the partitions 0 to partitions - 1 of `path`; returns at
 * once.  opts may be NULL.  NULL: an argument is NULL, malformed or out of range, or out of
 * memory. */
COHORT_API cohort_partitioner_t *cohort_partitioner_new (cohort_t *client, const char *path,
                                                         const char *name, int partitions,
                                                         const cohort_partitioner_options_t *opts);

/* Gives up all partitions, leaves, and frees, as cohort_lock_destroy and cohort_member_destroy.  No
 * event after it.  Inside any handler too.  Must come before cohort_destroy of the client.  Sets
 * *self_p to NULL. */
COHORT_API void cohort_partitioner_destroy (cohort_partitioner_t **self_p);

/* NULL: none. */
COHORT_API void cohort_partitioner_set_handler (cohort_partitioner_t *self,
                                                cohort_partitioner_fn *fn, void *arg);

/* The application is done with a partition that was asked back: from now on it is not owned, and
 * no RELEASED follows.  If it is in the share again by now, the next dispatch acquires it anew.
 * COHORT_ESTATE: it was not asked back, or is not owned any more; COHORT_EINVAL: no such partition;
 * COHORT_ENOMEM, COHORT_ELIMIT: nothing has changed. */
COHORT_API int cohort_partitioner_release (cohort_partitioner_t *self, int number);

/* Tries again after COHORT_PARTITIONER_ERROR.  0 also when there was none; else why it cannot. */
COHORT_API int cohort_partitioner_retry (cohort_partitioner_t *self);

/* Waits until the list of members is current, this program is one of them, and it owns just its
 * share; dispatches the client meanwhile, so that other handlers may run.  -1: for ever.  0,
 * COHORT_ETIMEDOUT (it goes on), COHORT_EDEADLK inside a handler, the rc of
 * COHORT_PARTITIONER_ERROR, COHORT_ECLOSING when a handler has destroyed the partitioner. */
COHORT_API int cohort_partitioner_wait (cohort_partitioner_t *self,
                                        int timeout_ms) COHORT_MUST_CHECK;

/* How many partitions are owned; whether this one is, as far as events have told.  A number that is
 * out of range is not owned, here and below. */
COHORT_API int cohort_partitioner_count (cohort_partitioner_t *self);
COHORT_API int cohort_partitioner_owns (cohort_partitioner_t *self, int number);

/* 1 if it is owned, and surely stays so for more than margin_ms from now, as cohort_lock_valid and
 * as the grace allows; else 0.  No I/O. */
COHORT_API int cohort_partitioner_valid (cohort_partitioner_t *self, int number, int margin_ms);

/* The fencing token; zero while it is not owned. */
COHORT_API cohort_token_t cohort_partitioner_token (cohort_partitioner_t *self, int number);

/* Adds to a transaction the condition that it is still owned, as cohort_lock_guard. */
COHORT_API int cohort_partitioner_guard (cohort_partitioner_t *self, int number,
                                         cohort_txn_t *txn) COHORT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
