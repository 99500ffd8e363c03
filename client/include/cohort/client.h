/*
 * cohort/client.h - the client: sessions, operations, watches and streams
 *
 * One cohort_t is one session with an ensemble.  It connects to one server at a time, moves to
 * another by itself, and keeps what was asked for: a request that was sent and not answered is
 * sent again after a reconnect and applied once.  What the application sees of a server's death
 * is a delay.
 *
 * This header has the operations, and includes what belongs to them: cohort/session.h (loops and
 * sessions), cohort/stream.h (streams, and watches that stay), cohort/snapshot.h (backups).
 *
 * Threads.  Every function may be called from any thread unless it says otherwise; a handle
 * must not be used during or after its destruction.  Handlers and callbacks run only inside
 * cohort_dispatch, on the thread that called it, without any lock held, in the order in which
 * things happened; they may call anything, destroy their handle too, but no blocking call
 * (COHORT_EDEADLK).
 *
 * Blocking.  Functions of the form cohort_VERB block until the answer or the time limit of the
 * handle (cohort_set_time_limit); cohort_VERB_async never block.  Arguments are borrowed for the
 * call and copied where needed.  Outputs are written on success only; those that are allocated
 * are freed with cohort_free, cohort_strings_destroy.  A result that a call has waited for does
 * not queue behind the callbacks: a watch that fired before it may still wait for dispatch.
 *
 * Errors.  0 or a negative COHORT_E... (cohort/error.h).  Any operation can return, beyond what
 * it names itself:
 *    COHORT_EINVAL           an argument is NULL or out of range
 *    COHORT_EPATH            the path is malformed: cohort_errmsg says where and why
 *    COHORT_ETOOBIG          data, path or multi exceeds the ensemble's limit
 *    COHORT_ESESSIONEXPIRED  the session has ended; a write may have been applied before that
 *    COHORT_ETIMEDOUT        the time limit passed; a write stays queued
 *    COHORT_ENOQUORUM        the time limit of a blocking read or sync passed while the server had
 *                            no quorum (of a write it is COHORT_ETIMEDOUT: its outcome is open)
 *    COHORT_ENOAUTH          this session may not do that, or may not know whether there is such a
 *                            znode (docs/acl.md)
 *    COHORT_ELIMIT           too many requests wait: about a million, or 256 MiB a handle
 *    COHORT_EDEADLK          a blocking form inside a callback
 *    COHORT_ECLOSING         the handle was destroyed before the answer came (a write may have been
 *                            applied)
 *    COHORT_ENOMEM
 *
 * Memory.  libzmq aborts the process when memory runs out; above it, Cohort returns
 * COHORT_ENOMEM.  fork: a child without exec keeps the parent's connections open; a handle must
 * not be used in the child.
 */
#ifndef COHORT_CLIENT_H
#define COHORT_CLIENT_H

#include "cohort/session.h"
#include "cohort/snapshot.h"
#include "cohort/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_txn cohort_txn_t;

/* ---- Results ----------------------------------------------------------------------------- */

/* The result of one operation of a multi. */
typedef struct cohort_op_result {
    int rc;             /* 0, its error, or COHORT_EROLLEDBACK */
    const char *path;   /* create: the path created; others NULL */
    cohort_stat_t stat; /* create, set and add; zero for others */
    int64_t value;      /* add: the sum; delete_tree: znodes deleted */
    int existed;        /* create with if_absent, delete_if_present: 1: it was there */
} cohort_op_result_t;

/* A child of a list. */
typedef struct cohort_child {
    const char *name;
    const void *data; /* COHORT_LIST_DATA, else NULL */
    size_t size;
    cohort_stat_t stat; /* COHORT_LIST_STAT, else zero */
    int hidden;         /* 1: it comes without data, because this session may not read it */
} cohort_child_t;

/* The result of one of several reads; what pointers lead to lives as long as the result. */
typedef struct cohort_read_result {
    int rc; /* 0, its error; COHORT_ETOOBIG: what came before it fills the answer: ask again */
    const void *data; /* get */
    size_t size;
    cohort_stat_t stat;
    const cohort_strings_t *children; /* children: a page of their names */
    const cohort_child_t *listed;     /* (of later versions) */
    size_t listed_count;
    const char *next; /* children: there may be more behind this name; NULL: that is all */
    int64_t count;    /* count */
} cohort_read_result_t;

/* Who a session is: what access control lists name. */
typedef struct cohort_identity {
    const char *scheme, *id;
} cohort_identity_t;

/* The result of an asynchronous operation; everything in it lives until the callback returns. */
typedef struct cohort_result {
    int rc;
    uint64_t zxid;    /* of the write, or of the state that was read */
    const char *path; /* the path created, or the path asked for */
    const void *data; /* get */
    size_t size;
    const cohort_stat_t *stat;        /* create, exists, get, set, add, children; else NULL */
    const cohort_strings_t *children; /* children, and list without stat and data: the names */
    const cohort_child_t *listed;     /* list with stat or data */
    size_t listed_count;
    const char *next; /* children and list: there may be more behind this name: ask for them with
                          cohort_list_async; NULL: that is all */
    const cohort_op_result_t *ops; /* multi */
    size_t ops_count;
    int64_t value; /* add: the sum; count: znodes; delete_tree: znodes deleted, or with
                      COHORT_ETOOBIG znodes that would have to be */
    int existed;   /* create with if_absent, delete_if_present: 1: it was there */
    const cohort_read_result_t *reads; /* multi_read */
    size_t reads_count;
    const cohort_identity_t *identities; /* whoami */
    size_t identities_count;
    const cohort_acl_t *acl; /* get_acl; get_default_acl, NULL: there is none */
} cohort_result_t;

typedef void cohort_result_fn (cohort_t *self, const cohort_result_t *result, void *arg);

COHORT_API void cohort_free (void *memory);
COHORT_API void cohort_strings_destroy (cohort_strings_t **strings_p);

/* ---- Operations, blocking ---------------------------------------------------------------- */

/* Creates a znode.  created: the path created, to be freed with cohort_free; stat: its stat;
 * either may be NULL.  acl: who may do what with it (cohort/acl.h), NULL: the default of where it
 * is created, which is open unless one was set.  COHORT_ENODEEXISTS, COHORT_ENONODE (no parent),
 * COHORT_ENOCHILDREN4EPHEMERALS, COHORT_EINVALIDACL. */
COHORT_API int cohort_create (cohort_t *self, const char *path, const void *data, size_t size,
                              int mode, const cohort_acl_t *acl, char **created,
                              cohort_stat_t *stat) COHORT_MUST_CHECK;

typedef struct cohort_create_options {
    size_t size;             /* sizeof (cohort_create_options_t) */
    int mode;                /* COHORT_PERSISTENT, _EPHEMERAL or _CONTAINER | COHORT_SEQUENTIAL */
    const cohort_acl_t *acl; /* as of cohort_create */
    int64_t ttl_ms; /* above 0: the servers delete the znode once it has no children and its
                       data was not set for so long; persistent ones only */
    int if_absent;  /* not 0: a znode that is there already is left as it is, and that is
                       success; not with COHORT_SEQUENTIAL */
} cohort_create_options_t;

/* The same with options (NULL: a plain persistent znode).  existed: 1 if it was there already; may
 * be NULL, as created and stat may. */
COHORT_API int cohort_create_with (cohort_t *self, const char *path, const void *data, size_t size,
                                   const cohort_create_options_t *options, char **created,
                                   cohort_stat_t *stat, int *existed) COHORT_MUST_CHECK;

/* Deletes a znode and everything below it, in one transaction: all of it or nothing.  limit: how
 * many znodes it may be, 0: as many as a transaction can delete, 1,000.  version: that of the
 * topmost, or COHORT_ANY_VERSION.  deleted: how many it were, or, with COHORT_ETOOBIG, would have
 * to be; may be NULL.  COHORT_ENONODE, COHORT_EBADVERSION, COHORT_ETOOBIG: more than the limit. */
COHORT_API int cohort_delete_tree (cohort_t *self, const char *path, int limit, int32_t version,
                                   int64_t *deleted) COHORT_MUST_CHECK;

/* A counter: adds delta to the decimal number of 64 bits that the znode's data is (no data: 0), if
 * the sum is from floor to ceiling (INT64_MIN and INT64_MAX: any).  sum may be NULL, as stat may.
 * COHORT_ENONODE; COHORT_EBOUNDS: it would not be, nothing was changed; COHORT_ENOTNUMBER. */
COHORT_API int cohort_add (cohort_t *self, const char *path, int64_t delta, int64_t floor,
                           int64_t ceiling, int64_t *sum, cohort_stat_t *stat) COHORT_MUST_CHECK;

/* Deletes a znode without children.  COHORT_ENONODE, COHORT_EBADVERSION, COHORT_ENOTEMPTY. */
COHORT_API int cohort_delete (cohort_t *self, const char *path, int32_t version) COHORT_MUST_CHECK;

/* The same, but that there is no such znode is success.  existed: 1 if it was there, and is gone
 * now; may be NULL.  COHORT_EBADVERSION, COHORT_ENOTEMPTY. */
COHORT_API int cohort_delete_if_present (cohort_t *self, const char *path, int32_t version,
                                         int *existed) COHORT_MUST_CHECK;

/* COHORT_ENONODE.  stat may be NULL. */
COHORT_API int cohort_exists (cohort_t *self, const char *path,
                              cohort_stat_t *stat) COHORT_MUST_CHECK;

/* The data of a znode: *data is freed with cohort_free, has *size bytes and one 0 behind them
 * that is not counted.  COHORT_ENONODE.  stat may be NULL. */
COHORT_API int cohort_get (cohort_t *self, const char *path, void **data, size_t *size,
                           cohort_stat_t *stat) COHORT_MUST_CHECK;

/* Replaces the data.  COHORT_ENONODE, COHORT_EBADVERSION.  stat may be NULL. */
COHORT_API int cohort_set (cohort_t *self, const char *path, const void *data, size_t size,
                           int32_t version, cohort_stat_t *stat) COHORT_MUST_CHECK;

/* The names of the children, in the order of their bytes, without the parent's path.  More than
 * fit into one answer (some 10,000) are fetched in several: each child that was there all the time
 * is listed once, one that came or went meanwhile perhaps; stat is of the first.  COHORT_ENONODE.
 */
COHORT_API int cohort_children (cohort_t *self, const char *path, cohort_strings_t **children,
                                cohort_stat_t *stat) COHORT_MUST_CHECK;

/* How to read.  A read is answered by the session's server from what it has applied: what this
 * session has written or seen before is there, what others have just written perhaps not yet.  A
 * linearizable one shows a state that was current after the call began: a quorum confirms it, which
 * takes a round trip between servers (one for all that wait), and nothing is answered without a
 * quorum.  Either keeps its place in the order of the session's requests. */
enum { COHORT_READ_LINEARIZABLE = 1 };

typedef struct cohort_read_options {
    size_t size; /* sizeof (cohort_read_options_t) */
    int flags;   /* COHORT_READ_... */
} cohort_read_options_t;

/* The same reads with options; NULL: none. */
COHORT_API int cohort_exists_with (cohort_t *self, const char *path,
                                   const cohort_read_options_t *options,
                                   cohort_stat_t *stat) COHORT_MUST_CHECK;
COHORT_API int cohort_get_with (cohort_t *self, const char *path,
                                const cohort_read_options_t *options, void **data, size_t *size,
                                cohort_stat_t *stat) COHORT_MUST_CHECK;
COHORT_API int cohort_children_with (cohort_t *self, const char *path,
                                     const cohort_read_options_t *options,
                                     cohort_strings_t **children,
                                     cohort_stat_t *stat) COHORT_MUST_CHECK;

/* How many znodes there are below one, at any depth; the server knows it without counting.
 * COHORT_ENONODE.  options and stat may be NULL. */
COHORT_API int cohort_count (cohort_t *self, const char *path, const cohort_read_options_t *options,
                             int64_t *count, cohort_stat_t *stat) COHORT_MUST_CHECK;

typedef struct cohort_ephemerals_options {
    size_t size;        /* sizeof (cohort_ephemerals_options_t) */
    int flags;          /* COHORT_READ_... */
    uint64_t session;   /* 0: this one; another's: COHORT_ENOAUTH */
    const char *prefix; /* only paths that begin so; NULL: all */
    const char
        *after; /* asynchronous: what `next` of the last page was; NULL: from the beginning */
    int limit;  /* asynchronous: paths of a page; 0: as many as an answer takes */
} cohort_ephemerals_options_t;

/* The paths of a session's ephemerals (with a chroot: of those below it), in the order of their
 * bytes.  Those that were there all the time are listed.  options may be NULL.
 * COHORT_ENOAUTH: another's, and this session is no administrator; COHORT_ESESSIONEXPIRED: there is
 * no such session. */
COHORT_API int cohort_ephemerals (cohort_t *self, const cohort_ephemerals_options_t *options,
                                  cohort_strings_t **paths) COHORT_MUST_CHECK;

/* Who this session is, in one allocation; free it with cohort_identities_destroy. */
typedef struct cohort_identities {
    size_t count;
    const cohort_identity_t *items;
} cohort_identities_t;

COHORT_API int cohort_whoami (cohort_t *self, cohort_identities_t **identities) COHORT_MUST_CHECK;
COHORT_API void cohort_identities_destroy (cohort_identities_t **identities_p);

/* Some of the children, with what is asked for, a page at a time. */
enum {
    COHORT_LIST_STAT = 1,        /* with their stats */
    COHORT_LIST_DATA = 2,        /* with their data */
    COHORT_LIST_DESCENDING = 4,  /* from the last name to the first */
    COHORT_LIST_LINEARIZABLE = 8 /* as COHORT_READ_LINEARIZABLE */
};

typedef enum cohort_list_filter {
    COHORT_LIST_ALL = 0,
    COHORT_LIST_PERSISTENT = 1,
    COHORT_LIST_EPHEMERAL = 2
} cohort_list_filter_t;

typedef struct cohort_list_options {
    size_t size;        /* sizeof (cohort_list_options_t) */
    int flags;          /* COHORT_LIST_STAT ... */
    int filter;         /* cohort_list_filter_t */
    int limit;          /* children of a page; 0: as many as an answer takes (some 10,000, or
                            512 KiB) */
    const char *prefix; /* only names that begin so; NULL: all */
    const char *after;  /* goes on behind this name, which need not exist any more; NULL: from the
                            beginning */
} cohort_list_options_t;

/* A page, in one allocation; free it with cohort_page_destroy. */
typedef struct cohort_page {
    size_t count; /* may be 0 although there is more: a filter passed over all it looked at */
    const cohort_child_t *children;
    const char *next; /* the `after` of the next page; NULL: there is none */
} cohort_page_t;

/* One page.  Pages do not depend on each other: what is created or deleted between two of them is
 * listed by those that lie behind it.  options may be NULL.  stat (of the parent) may be NULL.
 * COHORT_ENONODE. */
COHORT_API int cohort_list (cohort_t *self, const char *path, const cohort_list_options_t *options,
                            cohort_page_t **page, cohort_stat_t *stat) COHORT_MUST_CHECK;

COHORT_API void cohort_page_destroy (cohort_page_t **page_p);

/* Waits until this session's server has applied everything that the ensemble had committed when
 * the call began, confirmed by a quorum: a read after it is linearizable. */
COHORT_API int cohort_sync (cohort_t *self) COHORT_MUST_CHECK;

/* ---- All sessions of the ensemble -------------------------------------------------------- */

enum {
    COHORT_SESSION_LIVES = 0,
    COHORT_SESSION_KILLED = 1, /* its client was told; its ephemerals wait for the end of what that
                                   may count on */
    COHORT_SESSION_ENDS = 2    /* its ephemerals are being removed */
};

typedef struct cohort_session_info {
    uint64_t id;
    uint64_t ephemerals; /* how many it has */
    uint32_t server;     /* the server that it attached to last */
    uint32_t timeout_ms;
    uint32_t grace_ms;
    uint32_t incarnation; /* above 1: processes have gone on with it, see state_file */
    int state;            /* COHORT_SESSION_... */
    int address_known;
    uint8_t address[16]; /* of its client, IPv4 as ::ffff:a.b.c.d */
} cohort_session_info_t;

typedef struct cohort_sessions {
    size_t count;
    const cohort_session_info_t *items; /* by ascending ids */
    int more;                           /* there are more: behind the last of these */
} cohort_sessions_t;

/* A page of the sessions, as the server knows them: those behind the id `after` (0: from the
 * beginning), at most `limit` (0: as many as an answer takes).  *page is freed with
 * cohort_sessions_destroy.  COHORT_ENOAUTH: the ensemble has administrators, and this session is
 * none. */
COHORT_API int cohort_sessions (cohort_t *self, uint64_t after, int limit,
                                cohort_sessions_t **page) COHORT_MUST_CHECK;
COHORT_API void cohort_sessions_destroy (cohort_sessions_t **page_p);

/* Ends a session: its client is told at once, and may do nothing any more.  Its ephemerals go as
 * soon as the client cannot count on them any more, were it cut off: the smaller one of its limits
 * later. *existed (or NULL): 0: there is no such session, and nothing happened.  COHORT_ENOAUTH:
 * this session is no administrator. */
COHORT_API int cohort_session_kill (cohort_t *self, uint64_t session,
                                    int *existed) COHORT_MUST_CHECK;

/* ---- Hand-over --------------------------------------------------------------------------- */

/* All ephemerals of a session become another session's, at once and in one transaction, however
 * many there are: a gateway that restarts does not log its players out.  They live on as long as
 * the other session; their owner and ozxid change (so that fencing tokens of before are refused),
 * and nothing else; streams are told once (COHORT_CHANGE_OWNER).  Locks, elections and members of
 * the session that gives take it as their loss; with queues in use it must not be handed over.
 *
 * Who is to get them agrees, by a token that it makes and gives to the owner, in whatever way: it
 * is good for this owner alone, and as long as the session that made it lives. */
enum { COHORT_TOKEN_SIZE = 16 };

/* The token by which this session agrees to get what session `from` owns.  No I/O.
 * COHORT_ESTATE: this session is not connected yet. */
COHORT_API int cohort_hand_over_token (cohort_t *self, uint64_t from,
                                       uint8_t token[COHORT_TOKEN_SIZE]) COHORT_MUST_CHECK;

/* Gives all ephemerals of this session to the session `to`.  *count (or NULL): how many; 0 is no
 * error.  What this session creates afterwards is its own.  COHORT_EINVAL: `to` is this session;
 * COHORT_ENOAUTH: there is no such session, it has ended, or the token is not from it for this one;
 * COHORT_ELIMIT: it would have ephemerals from more than 1,024 sessions that had created some
 * themselves. */
COHORT_API int cohort_hand_over (cohort_t *self, uint64_t to,
                                 const uint8_t token[COHORT_TOKEN_SIZE],
                                 uint64_t *count) COHORT_MUST_CHECK;

/* This session gets all ephemerals of the session that a process before has left in a state file
 * (cohort_options_t), not this session's own file: attaches to that session as its next
 * incarnation, waits until the process before cannot count on it any more (the smaller one of its
 * limits), hands over, closes it, and removes the file.  *count (or NULL): how many they are; 0
 * where there is no file, or that session has ended.  After an error, or a crash in between, it may
 * be called again.  Blocks; COHORT_EAUTHFAILED, COHORT_ECORRUPT, COHORT_ESYSTEM: the state file;
 * and as cohort_hand_over. */
COHORT_API int cohort_take_over (cohort_t *self, const char *state_file,
                                 uint64_t *count) COHORT_MUST_CHECK;

/* ---- Operations, asynchronous ------------------------------------------------------------ */

/* Each queues the operation and returns at once: 0, and fn runs later, exactly once unless the
 * handle is destroyed before; or an error, and fn never runs.  fn may be NULL.  Requests of one
 * handle take effect and are answered in the order of the calls.  watch (may be NULL) is set
 * together with the read, atomically: exists also when there is no such znode (it then reports
 * the creation), get and children only on success. */
COHORT_API int cohort_create_async (cohort_t *self, const char *path, const void *data, size_t size,
                                    int mode, const cohort_acl_t *acl, cohort_result_fn *fn,
                                    void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_create_with_async (cohort_t *self, const char *path, const void *data,
                                         size_t size, const cohort_create_options_t *options,
                                         cohort_result_fn *fn, void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_delete_tree_async (cohort_t *self, const char *path, int limit,
                                         int32_t version, cohort_result_fn *fn,
                                         void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_add_async (cohort_t *self, const char *path, int64_t delta, int64_t floor,
                                 int64_t ceiling, cohort_result_fn *fn,
                                 void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_delete_async (cohort_t *self, const char *path, int32_t version,
                                    cohort_result_fn *fn, void *arg) COHORT_MUST_CHECK;
/* result->existed: it was there. */
COHORT_API int cohort_delete_if_present_async (cohort_t *self, const char *path, int32_t version,
                                               cohort_result_fn *fn, void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_exists_async (cohort_t *self, const char *path, cohort_watch_fn *watch,
                                    void *watch_arg, cohort_result_fn *fn,
                                    void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_get_async (cohort_t *self, const char *path, cohort_watch_fn *watch,
                                 void *watch_arg, cohort_result_fn *fn,
                                 void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_set_async (cohort_t *self, const char *path, const void *data, size_t size,
                                 int32_t version, cohort_result_fn *fn,
                                 void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_children_async (cohort_t *self, const char *path, cohort_watch_fn *watch,
                                      void *watch_arg, cohort_result_fn *fn,
                                      void *arg) COHORT_MUST_CHECK;
/* As cohort_list; the watch is that of cohort_children_async.  The result has stat,
 * next, and listed, or children if neither stats nor data are asked for. */
COHORT_API int cohort_list_async (cohort_t *self, const char *path,
                                  const cohort_list_options_t *options, cohort_watch_fn *watch,
                                  void *watch_arg, cohort_result_fn *fn,
                                  void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_sync_async (cohort_t *self, cohort_result_fn *fn,
                                  void *arg) COHORT_MUST_CHECK;
/* result->value: how many. */
COHORT_API int cohort_hand_over_async (cohort_t *self, uint64_t to,
                                       const uint8_t token[COHORT_TOKEN_SIZE], cohort_result_fn *fn,
                                       void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_exists_with_async (cohort_t *self, const char *path,
                                         const cohort_read_options_t *options,
                                         cohort_watch_fn *watch, void *watch_arg,
                                         cohort_result_fn *fn, void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_get_with_async (cohort_t *self, const char *path,
                                      const cohort_read_options_t *options, cohort_watch_fn *watch,
                                      void *watch_arg, cohort_result_fn *fn,
                                      void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_count_async (cohort_t *self, const char *path,
                                   const cohort_read_options_t *options, cohort_result_fn *fn,
                                   void *arg) COHORT_MUST_CHECK;
/* A page: the result has children and next.  The order is that of creation, then of paths, the same
 * on every server. */
COHORT_API int cohort_ephemerals_async (cohort_t *self, const cohort_ephemerals_options_t *options,
                                        cohort_result_fn *fn, void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_whoami_async (cohort_t *self, cohort_result_fn *fn,
                                    void *arg) COHORT_MUST_CHECK;

/* ---- Several reads at once ----------------------------------------------------------------- */

/* Reads of one and the same state.  They belong to one thread at a time and may be asked again.
 * The add functions copy their arguments; they return 0, COHORT_EPATH, COHORT_EINVAL,
 * COHORT_ENOMEM, and the first error is also returned by the read.  1,024 of them at most, and
 * their answers take 4 MiB at most: those for which there is no room are COHORT_ETOOBIG. */
typedef struct cohort_reads cohort_reads_t;

COHORT_API cohort_reads_t *cohort_reads_new (void);
COHORT_API void cohort_reads_destroy (cohort_reads_t **self_p);
COHORT_API int cohort_reads_exists (cohort_reads_t *self, const char *path);
COHORT_API int cohort_reads_get (cohort_reads_t *self, const char *path);
COHORT_API int cohort_reads_children (cohort_reads_t *self, const char *path);
COHORT_API int cohort_reads_count (cohort_reads_t *self, const char *path);

/* 0: each read has a result of its own (0 to count - 1), alive until the next read with them, or in
 * result->reads.  The asynchronous form copies what it needs.  options may be NULL. */
COHORT_API int cohort_multi_read (cohort_t *self, cohort_reads_t *reads,
                                  const cohort_read_options_t *options) COHORT_MUST_CHECK;
COHORT_API const cohort_read_result_t *cohort_reads_result (const cohort_reads_t *reads,
                                                            size_t index);
COHORT_API int cohort_multi_read_async (cohort_t *self, const cohort_reads_t *reads,
                                        const cohort_read_options_t *options, cohort_result_fn *fn,
                                        void *arg) COHORT_MUST_CHECK;

/* ---- Watches taken back ------------------------------------------------------------------- */

/* The numbers are ZooKeeper's. */
typedef enum cohort_watcher {
    COHORT_WATCHER_CHILDREN = 1, /* set by children */
    COHORT_WATCHER_DATA = 2,     /* set by get and by exists */
    COHORT_WATCHER_ANY = 3
} cohort_watcher_t;

/* Ends one-shot watches of this handle on a path: those with this fn and arg, or, fn NULL, all.
 * Each hears so as its last event, COHORT_EVENT_DATA_WATCH_REMOVED or
 * COHORT_EVENT_CHILD_WATCH_REMOVED.  It concerns those whose read was asked for before.
 * COHORT_ENOWATCHER: there is none.  (A persistent watch ends with cohort_stream_destroy.) */
COHORT_API int cohort_unwatch (cohort_t *self, const char *path, cohort_watcher_t type,
                               cohort_watch_fn *fn, void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_unwatch_async (cohort_t *self, const char *path, cohort_watcher_t type,
                                     cohort_watch_fn *watch, void *watch_arg, cohort_result_fn *fn,
                                     void *arg) COHORT_MUST_CHECK;

/* Whether this handle and its server know such a watch: 0 or COHORT_ENOWATCHER. */
COHORT_API int cohort_check_watch (cohort_t *self, const char *path, cohort_watcher_t type,
                                   cohort_watch_fn *fn, void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_check_watch_async (cohort_t *self, const char *path, cohort_watcher_t type,
                                         cohort_watch_fn *watch, void *watch_arg,
                                         cohort_result_fn *fn, void *arg) COHORT_MUST_CHECK;

/* ---- Transactions ------------------------------------------------------------------------ */

/* A multi: all of its operations take effect in one transaction, or none.  A txn belongs to one
 * thread at a time; it may be committed again.  The add functions copy their arguments; they
 * return 0, COHORT_EPATH, COHORT_EINVAL, COHORT_ENOMEM, and the first error is also returned by
 * the commit. */
COHORT_API cohort_txn_t *cohort_txn_new (void);
COHORT_API void cohort_txn_destroy (cohort_txn_t **self_p);
COHORT_API size_t cohort_txn_count (const cohort_txn_t *self);
COHORT_API int cohort_txn_create (cohort_txn_t *self, const char *path, const void *data,
                                  size_t size, int mode, const cohort_acl_t *acl);
COHORT_API int cohort_txn_create_with (cohort_txn_t *self, const char *path, const void *data,
                                       size_t size, const cohort_create_options_t *options);
COHORT_API int cohort_txn_delete (cohort_txn_t *self, const char *path, int32_t version);
COHORT_API int cohort_txn_delete_if_present (cohort_txn_t *self, const char *path, int32_t version);
/* All that the delete_trees of one transaction delete are 1,000 znodes at most. */
COHORT_API int cohort_txn_delete_tree (cohort_txn_t *self, const char *path, int limit,
                                       int32_t version);
COHORT_API int cohort_txn_add (cohort_txn_t *self, const char *path, int64_t delta, int64_t floor,
                               int64_t ceiling);
COHORT_API int cohort_txn_set (cohort_txn_t *self, const char *path, const void *data, size_t size,
                               int32_t version);

/* Conditions: the data version; that it is the very znode created by czxid (a deleted and
 * recreated one is refused: COHORT_EBADCZXID); that session owns it since ozxid
 * (COHORT_EBADOWNER); all: COHORT_ENONODE.  Or that there is no such znode (COHORT_ENODEEXISTS). */
COHORT_API int cohort_txn_check (cohort_txn_t *self, const char *path, int32_t version);
COHORT_API int cohort_txn_check_czxid (cohort_txn_t *self, const char *path, uint64_t czxid);
COHORT_API int cohort_txn_check_owner (cohort_txn_t *self, const char *path, uint64_t session,
                                       uint64_t ozxid);
COHORT_API int cohort_txn_check_absent (cohort_txn_t *self, const char *path);

/* Commits.  The result is 0, or the error of the first operation that failed; each operation's
 * own result can be read with cohort_txn_result (0 to count - 1) until the next commit, or is
 * in result->ops.  The asynchronous form copies what it needs: txn may be destroyed at once. */
COHORT_API int cohort_multi (cohort_t *self, cohort_txn_t *txn) COHORT_MUST_CHECK;
COHORT_API const cohort_op_result_t *cohort_txn_result (const cohort_txn_t *txn, size_t index);
COHORT_API int cohort_multi_async (cohort_t *self, const cohort_txn_t *txn, cohort_result_fn *fn,
                                   void *arg) COHORT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
