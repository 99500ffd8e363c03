/*
 * cohort/group.h - who is in a group, and who comes and goes
 *
 * A group is a path; its members are the ephemeral znodes below it, each with a name and data of
 * its own.  A program joins (and is one of them for as long as it lives), or only looks on.  It
 * stands on cohort/member.h and cohort/mirror.h, whose guarantees hold here.
 *
 * Guarantees
 *    - The list equals the group at exactly one zxid: what changed in one transaction is seen at
 *      once.  Nothing is missed, and nothing reported twice; one who left and came back while there
 *      was no connection is one CHANGED.
 *    - Members are ordered by seniority: who was created first is first, in every program alike.
 *    - The list is never emptied for want of a connection: it ages (cohort_group_stale_ms).
 *    - Another one's znode is never touched.  A name that another session has is waited for, as
 *      of COHORT_MEMBER_WAIT.
 *
 * SUSPENDED: nothing changes; the list ages.  LOST: COHORT_GROUP_LOST if it was a member; it joins
 * again by itself in a new session, and the list goes on with the differences.
 *
 * The znodes: NAME below the path, ephemeral.  Persistent znodes there, and those further below,
 * are no members and do not count.
 *
 * Cost: to join, one write (one more for each parent that is missing, once).  Two streams, one for
 * who only looks on.  A change is told to everybody, once.
 *
 * Threads.  A group belongs to the thread that dispatches its client; all functions are to be
 * called there.  Handlers run only inside cohort_dispatch (and cohort_run), may call anything that
 * does not block, and may destroy the group, and then its client, too.
 */
#ifndef COHORT_GROUP_H
#define COHORT_GROUP_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_group cohort_group_t;

/* A member.  It lives until the next cohort_dispatch or cohort_run of the client, or, when it was
 * obtained inside a handler, until that handler returns. */
typedef struct cohort_group_member {
    const char *name;
    const void *data; /* followed by one 0 that is not counted */
    size_t size;
    cohort_token_t token;
    uint64_t session;
    int64_t since_ms; /* ms since 1970, the servers' time */
} cohort_group_member_t;

typedef enum cohort_group_kind {
    COHORT_GROUP_ADDED = 1,    /* member */
    COHORT_GROUP_CHANGED = 2,  /* member: it has other data, or is another one of that name */
    COHORT_GROUP_REMOVED = 3,  /* member: as it was */
    COHORT_GROUP_SYNCED = 4,   /* the list is current, or is so again: as COHORT_MIRROR_SYNCED */
    COHORT_GROUP_JOINED = 5,   /* this program is a member: token */
    COHORT_GROUP_LOST = 6,     /* it is none any more, and is about to join again: rc as of
                                  COHORT_MEMBER_LOST */
    COHORT_GROUP_CONFLICT = 7, /* another session has the name, and is waited for */
    COHORT_GROUP_ERROR = 8     /* rc: it does not join, or the list does not go on, until
                                  cohort_group_retry */
} cohort_group_kind_t;

typedef struct cohort_group_event {
    cohort_group_kind_t kind;
    int rc;
    const char *path; /* of the group */
    const cohort_group_member_t *member;
    cohort_token_t token;
} cohort_group_event_t;

/* event, and what it leads to, lives until the handler returns. */
typedef void cohort_group_fn (cohort_group_t *self, const cohort_group_event_t *event, void *arg);

/* Starts to follow the group at `path`, and joins it as `name` with a copy of the data; NULL: it
 * only looks on.  Returns at once.  NULL: an argument is NULL or malformed, a session that has
 * ended and cannot be renewed, or out of memory; of what the client refused cohort_errmsg says why.
 */
COHORT_API cohort_group_t *cohort_group_new (cohort_t *client, const char *path, const char *name,
                                             const void *data, size_t size);

/* Leaves the group, and frees: as cohort_member_destroy.  No event after it.  Inside any handler
 * too. Must come before cohort_destroy of the client.  Sets *self_p to NULL. */
COHORT_API void cohort_group_destroy (cohort_group_t **self_p);

/* NULL: none.  What is in the list already is not reported again. */
COHORT_API void cohort_group_set_handler (cohort_group_t *self, cohort_group_fn *fn, void *arg);

/* Replaces this member's data: as cohort_member_update; COHORT_ESTATE: it only looks on. */
COHORT_API int cohort_group_update (cohort_group_t *self, const void *data, size_t size);

/* Tries again after COHORT_GROUP_ERROR.  0 also when there was none; else why it cannot. */
COHORT_API int cohort_group_retry (cohort_group_t *self);

/* Waits until the list is current and this program, if it joins, is a member; dispatches the client
 * meanwhile, so that other handlers may run.  -1: for ever.  0, COHORT_ETIMEDOUT (it goes on),
 * COHORT_EDEADLK inside a handler, the rc of COHORT_GROUP_ERROR, COHORT_ECLOSING when a handler has
 * destroyed the group. */
COHORT_API int cohort_group_wait (cohort_group_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* How many members there are; the one of that name, or NULL; the index-th by seniority (0: the
 * eldest), or NULL.  cohort_group_at looks at all members. */
COHORT_API size_t cohort_group_count (cohort_group_t *self);
COHORT_API const cohort_group_member_t *cohort_group_get (cohort_group_t *self, const char *name);
COHORT_API const cohort_group_member_t *cohort_group_at (cohort_group_t *self, size_t index);

/* As cohort_mirror_stale_ms: 0 while the list follows the ensemble, -1 before there is one. */
COHORT_API int64_t cohort_group_stale_ms (cohort_group_t *self);

/* The token of this member, zero while it is none; 1 if it surely is one for more than margin_ms
 * from now, else 0.  No I/O. */
COHORT_API cohort_token_t cohort_group_token (cohort_group_t *self);
COHORT_API int cohort_group_valid (cohort_group_t *self, int margin_ms);

#ifdef __cplusplus
}
#endif
#endif
