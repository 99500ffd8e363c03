/*
 * cohort/mirror.h - a live copy of a subtree
 *
 * A mirror holds every znode at and below a path, with its data, and follows all changes.
 * Reading it costs no I/O.
 *
 * Guarantees
 *    - Whole transactions only: between two calls of cohort_dispatch, and inside handlers, the
 *      copy equals the subtree at exactly one zxid (cohort_mirror_zxid).  A multi is never seen
 *      in part, however large it was.
 *    - Nothing is missed and nothing is reported twice: a node that was deleted and created again
 *      within one transaction, or while there was no connection, is one CHANGED.
 *    - The copy is never emptied for want of a connection: it keeps the last state it knew, and
 *      cohort_mirror_stale_ms tells its age.
 *
 * SUSPENDED: the copy stays and ages.  After the reconnect it goes on with the transactions in
 * between, or, where the servers have forgotten them, with a new snapshot of which only the
 * differences are reported (a node whose czxid and mzxid are the same is not), and SYNCED.  If
 * anybody noticed - a batch, or cohort_mirror_stale_ms, fell into that time - SYNCED comes in any
 * case, when all that was missed has come.
 *
 * LOST: the event COHORT_MIRROR_LOST; then the mirror calls cohort_renew on its client, unless
 * somebody else has done so, and follows the subtree in the new session: the differences, then
 * SYNCED.  A session that no server ever accepted is not renewed again: COHORT_MIRROR_ERROR.
 *
 * Cost: one stream; a cohort_sync after a reconnect that was noticed.  Memory: about 200 bytes a
 * znode and its path and data; twice that while a snapshot arrives.  cohort_mirror_get: the
 * logarithm of the number of nodes.
 *
 * Threads.  A mirror belongs to the thread that dispatches its client; all functions are to be
 * called there.  Handlers run only inside cohort_dispatch (and cohort_run), may call anything
 * that does not block, and may destroy the mirror, and then its client, too.
 */
#ifndef COHORT_MIRROR_H
#define COHORT_MIRROR_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_mirror cohort_mirror_t;

/* A znode of the copy.  It lives until the next cohort_dispatch or cohort_run of the client, or,
 * when it was obtained inside a handler, until that handler returns. */
typedef struct cohort_node {
    const char *path;
    const void *data; /* size bytes, and one 0 behind them that is not counted */
    size_t size;
    cohort_stat_t stat; /* as of the node's last creation or change of data: pzxid, cversion
                            and child_count may be older than the copy */
    int hidden;         /* 1: it has no data here, because this session may not read it */
} cohort_node_t;

typedef struct cohort_mirror_options {
    size_t size;            /* sizeof (cohort_mirror_options_t) */
    cohort_clock_fn *clock; /* for cohort_mirror_stale_ms; NULL: CLOCK_BOOTTIME */
    void *clock_arg;
} cohort_mirror_options_t;

typedef enum cohort_mirror_kind {
    COHORT_MIRROR_ADDED = 1,   /* node: the new one */
    COHORT_MIRROR_CHANGED = 2, /* node: as it is; before: as it was */
    COHORT_MIRROR_REMOVED = 3, /* before: as it was */
    COHORT_MIRROR_BATCH = 4,   /* the end of the events of one transaction or snapshot: count */
    COHORT_MIRROR_SYNCED = 5,  /* the copy is current: after the BATCH of a snapshot, and again when
                                  it had been found out of date */
    COHORT_MIRROR_LOST = 6,    /* the session has ended; the copy stays */
    COHORT_MIRROR_ERROR = 7    /* rc: the mirror follows no more, until cohort_mirror_retry */
} cohort_mirror_kind_t;

/* The events of one batch come in the order of paths, parents before children; those of a
 * snapshot with the removed ones last.  When the first of them is reported the copy has already
 * changed as a whole. */
typedef struct cohort_mirror_event {
    cohort_mirror_kind_t kind;
    int rc;
    uint64_t zxid;               /* of the transaction or snapshot */
    const char *path;            /* of the node, or of the mirror */
    const cohort_node_t *node;   /* NULL where the table above names none; both live until */
    const cohort_node_t *before; /* the handler returns */
    size_t count;                /* BATCH: events before it in this batch */
} cohort_mirror_event_t;

typedef void cohort_mirror_fn (cohort_mirror_t *self, const cohort_mirror_event_t *event,
                               void *arg);

/* Starts to follow the subtree at `path`, which need not exist; returns at once.  options may be
 * NULL.  NULL: malformed options or path, a session that has ended and cannot be renewed, or
 * out of memory; of what the client refused cohort_errmsg says why. */
COHORT_API cohort_mirror_t *cohort_mirror_new (cohort_t *client, const char *path,
                                               const cohort_mirror_options_t *options);

/* No event after it.  Inside any handler too.  Must come before cohort_destroy of the client.
 * Sets *self_p to NULL. */
COHORT_API void cohort_mirror_destroy (cohort_mirror_t **self_p);

/* NULL: none.  What is in the copy already is not reported again. */
COHORT_API void cohort_mirror_set_handler (cohort_mirror_t *self, cohort_mirror_fn *fn, void *arg);

/* Waits until the copy is current (cohort_mirror_stale_ms is 0), and dispatches the client
 * meanwhile, so that other handlers may run.  -1: for ever.  0, COHORT_ETIMEDOUT,
 * COHORT_EDEADLK inside a handler, the error of COHORT_MIRROR_ERROR, COHORT_ECLOSING when a
 * handler has destroyed the mirror. */
COHORT_API int cohort_mirror_wait (cohort_mirror_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Follows again after COHORT_MIRROR_ERROR.  0 also when there was none; else why it cannot. */
COHORT_API int cohort_mirror_retry (cohort_mirror_t *self);

/* The node at exactly this path, or NULL. */
COHORT_API const cohort_node_t *cohort_mirror_get (cohort_mirror_t *self, const char *path);

/* All nodes in the order of paths: a node, then all below it, then its next sibling.  NULL at
 * the end. */
COHORT_API const cohort_node_t *cohort_mirror_first (cohort_mirror_t *self);
COHORT_API const cohort_node_t *cohort_mirror_next (cohort_mirror_t *self,
                                                    const cohort_node_t *node);

/* The children of the node at `path`, in the order of names; each step takes the logarithm of
 * the number of nodes, however many are below a child.  NULL: no further one. */
COHORT_API const cohort_node_t *cohort_mirror_first_child (cohort_mirror_t *self, const char *path);
COHORT_API const cohort_node_t *cohort_mirror_next_child (cohort_mirror_t *self,
                                                          const cohort_node_t *child);

/* Number of nodes; zxid of the copy, 0 before the first snapshot. */
COHORT_API size_t cohort_mirror_count (cohort_mirror_t *self);
COHORT_API uint64_t cohort_mirror_zxid (cohort_mirror_t *self);

/* 0 while the copy follows the ensemble; otherwise for how many ms it may have been out of date,
 * never too few: counted from the last moment at which this mirror saw the session CONNECTED and
 * the copy current, which it looks at in every batch and in every call of this function (call it
 * from your loop).  Whoever was told that it is out of date hears COHORT_MIRROR_SYNCED when it is
 * no more; until then this is not 0, although the session may be CONNECTED again.  (A break that
 * nobody looked at - no batch and no call fell into it - is not seen.)  -1 before the first
 * snapshot. */
COHORT_API int64_t cohort_mirror_stale_ms (cohort_mirror_t *self);

#ifdef __cplusplus
}
#endif
#endif
