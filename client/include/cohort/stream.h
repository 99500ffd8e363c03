/*
 * cohort/stream.h - streams: the state of a subtree, then every change of it; watches that stay
 *
 * What holds for every function of the client - threads, blocking, errors, memory - is told in
 * cohort/client.h, which includes this.
 */
#ifndef COHORT_STREAM_H
#define COHORT_STREAM_H

#include "cohort/session.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_stream cohort_stream_t;

typedef enum cohort_change_kind {
    COHORT_CHANGE_CREATED = 1, /* in a snapshot: the node is there */
    COHORT_CHANGE_DELETED = 2,
    COHORT_CHANGE_DATA = 3,
    COHORT_CHANGE_ACL = 40, /* its access control list was set; with its data, which may have become
                              readable, or hidden */
    COHORT_CHANGE_OWNER =
        80 /* of no znode of its own (path is ""): a session has handed
            all of its ephemerals over to another (cohort_hand_over).  Whoever keeps
            stats sets, in all that have ephemeral_owner == from and an ozxid not
            above this one, ephemeral_owner and ozxid to those of `stat`.  Told once,
            to every stream, whether it has such znodes or not; not to watches */
} cohort_change_kind_t;

typedef struct cohort_change {
    cohort_change_kind_t kind;
    const char *path;
    const void *data; /* but for DELETED */
    size_t size;
    cohort_stat_t
        stat;   /* but for DELETED: as of the batch's zxid.  OWNER: ephemeral_owner and ozxid */
    int hidden; /* 1: it comes without data, because this session may not read it.  What it may not
                   see at all is left out; so a znode can come without its parent */
    uint64_t from; /* OWNER: the session that owned them until then */
} cohort_change_t;

/* What a stream delivers.  First a snapshot: every znode of the subtree at zxid, parents before
 * children; then one batch for each transaction that changed the subtree, in zxid order, none
 * missing.  A batch may come in fragments: more != 0 says that another with the same zxid
 * follows, and only with the last one is the state whole.  A transaction whose fragments were cut
 * off by a reconnect comes again from its first one: to apply its changes twice does no harm.
 *
 * A snapshot does not stop the server: it walks through the subtree while that changes, and the
 * client puts together what it is sent.  So a snapshot is handed over only when it is whole; until
 * then it takes memory in proportion to the subtree (some 150 bytes a znode, its path and data), up
 * to options.stream_bytes_max, and is given back in pace with the callbacks.
 *
 * A further snapshot means that the history between was gone, or that an access control list has
 * changed which znodes the session may see (RESET): forget the earlier state when
 * first is set.  As that takes a while, it is announced: by an empty fragment with first and more,
 * as soon as it has begun.  From then on the earlier state is out of date, and results may be ahead
 * of it; otherwise whatever shows a change comes behind the batch with that change.  The snapshot
 * itself begins with first again, and has the zxid that counts. */
typedef struct cohort_batch {
    int snapshot; /* 1: part of a snapshot, 0: a transaction */
    int first;    /* 1: first fragment */
    int more;     /* 1: another fragment of the same zxid follows */
    int reset;    /* 1: COHORT_STREAM_NO_SNAPSHOT alone: what happened up to zxid is not known */
    uint64_t zxid;
    const cohort_change_t *changes;
    size_t count;
} cohort_batch_t;

typedef void cohort_batch_fn (cohort_stream_t *self, const cohort_batch_t *batch, void *arg);

/* Follows the subtree at path (the node itself, and all below it), as far as the session may see
 * it; the node itself it must be allowed to read (COHORT_ENOAUTH).  The node need not exist: it
 * is reported when it is created.  The stream resumes by itself after a reconnect, on any
 * server.  When it ends fn gets a last call with batch NULL: cohort_stream_error says why.  NULL:
 * malformed path or out of memory, see cohort_errmsg. */
COHORT_API cohort_stream_t *cohort_stream_new (cohort_t *client, const char *path,
                                               cohort_batch_fn *fn, void *arg);

enum {
    COHORT_STREAM_NO_SNAPSHOT =
        1,                     /* only what happens from now on, or after from_zxid.  When the
                                  history between was gone, an empty batch with `reset` says so */
    COHORT_STREAM_NO_DATA = 2, /* changes without data: stats tell its size and version */
    COHORT_STREAM_SHALLOW = 4, /* the znode itself, and the coming and going of its children:
                                  nothing below, nor what these hold; with NO_SNAPSHOT only */
    COHORT_STREAM_LATEST = 64, /* while it is behind - its client was away, or is slow - a batch may
                                  stand for many transactions, up to its zxid: of each znode only
                                  what became of it, the last value alone.  One that was deleted
                                  and created anew is CREATED, though it was not DELETED before */
    COHORT_STREAM_PROGRESS =
        8 /* batches without changes, too: everything up to their zxid has
             been delivered.  One with each heartbeat of the session (several
             in its timeout), if there were transactions since the last batch */
};

typedef struct cohort_stream_options {
    size_t size;        /* sizeof (cohort_stream_options_t) */
    int flags;          /* COHORT_STREAM_... */
    uint64_t from_zxid; /* not 0: the caller has the state as of this zxid, from an earlier stream
                           on this path: only what came after is delivered, or, if that is not known
                           any more, a snapshot (with NO_SNAPSHOT: `reset`) */
} cohort_stream_options_t;

/* The same with options; NULL: none. */
COHORT_API cohort_stream_t *cohort_stream_new_with (cohort_t *client, const char *path,
                                                    const cohort_stream_options_t *options,
                                                    cohort_batch_fn *fn, void *arg);

/* A watch that stays: fn runs for every event, not only for the next one, in the order of the
 * transactions, none missing, also across reconnects; where history does not reach back so far,
 * COHORT_EVENT_RESET tells.  The znode need not exist.  It is a stream without data: a slow caller
 * holds up nobody, and it ends with cohort_stream_destroy.  After the end of the session fn gets a
 * last COHORT_EVENT_WATCH_LOST.  NULL: malformed path, out of memory; see cohort_errmsg. */
typedef enum cohort_watch_mode {
    COHORT_WATCH_PERSISTENT = 0, /* CREATED, CHANGED and DELETED of the znode; CHILDREN of it when a
                                    child comes or goes */
    COHORT_WATCH_RECURSIVE = 1   /* CREATED, CHANGED and DELETED of it and of everything below */
} cohort_watch_mode_t;

COHORT_API cohort_stream_t *cohort_watch_new (cohort_t *client, const char *path,
                                              cohort_watch_mode_t mode, cohort_watch_fn *fn,
                                              void *arg);

/* 0; after the last call of fn, why the stream has ended: COHORT_ESESSIONEXPIRED: the session has
 * ended; COHORT_ETOOBIG: its snapshot is larger than options.stream_bytes_max allows;
 * COHORT_ELIMIT: the session has too many streams; COHORT_ENOAUTH: it may not read the znode. */
COHORT_API int cohort_stream_error (const cohort_stream_t *self);

/* No call of fn begins after it; inside fn too.  (One that is running in another thread's
 * cohort_dispatch may not have returned yet.)  Must come before cohort_destroy of its client.
 * Sets *self_p to NULL. */
COHORT_API void cohort_stream_destroy (cohort_stream_t **self_p);

#ifdef __cplusplus
}
#endif
#endif
