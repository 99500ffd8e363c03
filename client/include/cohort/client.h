/*
 * cohort/client.h - the client: sessions, operations, watches and streams
 *
 * One cohort_t is one session with an ensemble.  It connects to one server at a time, moves to
 * another by itself, and keeps what was asked for: a request that was sent and not answered is
 * sent again after a reconnect and applied once.  What the application sees of a server's death
 * is a delay.
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
 *    COHORT_ELIMIT           too many requests wait: about a million, or 256 MiB a handle
 *    COHORT_EDEADLK          a blocking form inside a callback
 *    COHORT_ECLOSING         the handle was destroyed before the answer came
 *    COHORT_ENOMEM
 *
 * Memory.  libzmq aborts the process when memory runs out; above it, Cohort returns
 * COHORT_ENOMEM.  fork: a child without exec keeps the parent's connections open; a handle must
 * not be used in the child.
 */
#ifndef COHORT_CLIENT_H
#define COHORT_CLIENT_H

#include "cohort/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort cohort_t;
typedef struct cohort_loop cohort_loop_t;
typedef struct cohort_txn cohort_txn_t;
typedef struct cohort_stream cohort_stream_t;

/* ---- Loops ------------------------------------------------------------------------------- */

/* How a loop is driven. */
enum {
    COHORT_DRIVER_THREAD = 0, /* a background thread: heartbeats go on while the application
                                  is busy (default) */
    COHORT_DRIVER_NONE = 1    /* no thread: the application calls cohort_loop_process */
};

/* Milliseconds of a clock that never goes back and counts while the machine sleeps. */
typedef int64_t cohort_clock_fn (void *arg);

typedef struct cohort_loop_options {
    size_t size;            /* sizeof (cohort_loop_options_t) */
    int driver;             /* COHORT_DRIVER_... */
    void *zmq_context;      /* borrowed ZeroMQ context, NULL: a new one of the loop's own */
    cohort_clock_fn *clock; /* NULL: CLOCK_BOOTTIME */
    void *clock_arg;
} cohort_loop_options_t;

/* A loop serves any number of sessions with one ZeroMQ context and at most one thread.  NULL
 * options: the defaults.  NULL: out of memory or descriptors. */
COHORT_API cohort_loop_t *cohort_loop_new (const cohort_loop_options_t *options);

/* Ends the loop.  Every session on it must have been destroyed: otherwise COHORT_ESTATE, and
 * nothing happens.  Sets *self_p to NULL on success. */
COHORT_API int cohort_loop_destroy (cohort_loop_t **self_p);

/* COHORT_DRIVER_NONE: sends, receives and runs timers of all sessions of the loop; waits up to
 * timeout_ms (0: not at all, -1: until something happens) for something to do.  Runs no
 * callback.  0, or COHORT_ESTATE with a loop that has its own thread. */
COHORT_API int cohort_loop_process (cohort_loop_t *self, int timeout_ms);

/* COHORT_DRIVER_NONE: a descriptor that is readable (level-triggered) while cohort_loop_process
 * has something to do, and the milliseconds until its next timer, -1: none.  Both change after
 * each call of cohort_loop_process. */
COHORT_API int cohort_loop_fd (cohort_loop_t *self);
COHORT_API int cohort_loop_timeout (cohort_loop_t *self);

/* Wakes whoever drives the loop, for clocks that jump: it looks at its clock again, does what
 * is due, and comes to rest.  Returns once it has, or after limit_ms of real time with
 * COHORT_ETIMEDOUT.  With COHORT_DRIVER_NONE it is cohort_loop_process until nothing is left.
 * Blocks. */
COHORT_API int cohort_loop_settle (cohort_loop_t *self, int limit_ms);

/* ---- Sessions ---------------------------------------------------------------------------- */

typedef struct cohort_options {
    size_t size;             /* sizeof (cohort_options_t) */
    cohort_loop_t *loop;     /* borrowed; NULL: a loop of this handle's own */
    int timeout_ms;          /* silence after which the session expires; 0: 10,000 */
    int disconnect_grace_ms; /* what remains to the session once a living server has seen its
                                 connection close; 0: as timeout_ms */
    int time_limit_ms;       /* of blocking calls; 0: 30,000; -1: none */
    int connect_timeout_ms;  /* for one server to answer before the next is tried; 0: 1,000 */
    int watchdog_ms;         /* 0: off.  No heartbeat is sent once, for so long, nobody has called
                                 cohort_dispatch or waited in cohort_run, and no callback has
                                 returned: a program that hangs loses its session */
    const char *server_key;  /* CURVE: the ensemble's public key, Z85; NULL: no encryption */
    const char *public_key;  /* CURVE: the client's own keys, Z85 */
    const char *secret_key;
    uint64_t
        stream_bytes_max;   /* memory for the snapshot of one stream while it arrives; 0: 1 GiB */
    const char *state_file; /* NULL: none.  Where this process leaves who its session is (with the
                                 session's password: only its owner can read the file), and finds
                                 what the one before has left: it goes on with that session, as its
                                 next incarnation, and the ephemerals stay.  If that has ended, a
                                 new one begins.  It is replaced atomically, and synced, by the
                                 loop's thread before a new session is used */
    int close_predecessor;  /* with state_file: 1: the session of the process before is closed, its
                                 ephemerals are gone, before a new one begins */
} cohort_options_t;

/* Starts a session: returns at once and connects in the background; with a state file, after that
 * is synced.
 *
 * With a state file, the process before may still run, cut off or stopped.  As soon as this one is
 * attached it is told nothing any more and may change nothing; but it may have been told before
 * that the session lives, for min (timeout, disconnect_grace) at most.  For so long cohort_valid_ms
 * is 0 here; and for so long close_predecessor waits before it closes.  The time limits of a
 * session that goes on are its old ones.  A password that is not the session's: LOST,
 * COHORT_EAUTHFAILED; two processes with one file: the first goes LOST, COHORT_ESESSIONMOVED.
 *
 * servers: "tcp://host:port,tcp://host:port/chroot"; tcp, ipc and inproc endpoints separated by
 * commas.  For tcp, what follows the port from the first '/' on is the chroot (once, at the end
 * of the list); for ipc and inproc it follows a ';'.  Paths given and reported are below the
 * chroot.  NULL, with a state file: those that it names.  The list is shuffled; names are resolved
 * again on every attempt, never on the caller's thread. NULL: malformed servers or options, a state
 * file that is damaged (COHORT_ECORRUPT) or cannot be read or written (COHORT_ESYSTEM), or out of
 * memory; cohort_new_error says which. */
COHORT_API cohort_t *cohort_new (const char *servers, const cohort_options_t *options);

/* Why the last cohort_new of this thread returned NULL: a code, and a text that names the
 * argument and its value. */
COHORT_API int cohort_new_error (const char **text);

/* Ends the session at once (its ephemerals vanish) if a server can be reached within 1 s, and
 * frees the handle in any case.  Callbacks still queued are dropped; requests in flight are
 * dropped with their callbacks.  Inside a callback of this handle too, without waiting there:
 * the loop ends the session afterwards.  Sets *self_p to NULL. */
COHORT_API void cohort_destroy (cohort_t **self_p);

/* As cohort_destroy, but leaves the session to its time limits: what a crash looks like. */
COHORT_API void cohort_abandon (cohort_t **self_p);

/* After LOST: starts a new session on the same handle. What was asked of the old one has been
 * answered or has failed; watches and streams are gone and are to be set again. The state handler
 * hears CONNECTING, after the LOST of the old session. Requests made before this call fail with
 * the old session. Never blocks. 0, COHORT_ESTATE: the session is not LOST, COHORT_ENOMEM. */
COHORT_API int cohort_renew (cohort_t *self) COHORT_MUST_CHECK;

/* Blocks until CONNECTED; timeout_ms -1: for ever.  0, COHORT_ETIMEDOUT, COHORT_ESESSIONEXPIRED,
 * COHORT_ECLUSTER, COHORT_EVERSION, COHORT_EAUTHFAILED, COHORT_EDEADLK. */
COHORT_API int cohort_wait (cohort_t *self, int timeout_ms) COHORT_MUST_CHECK;

COHORT_API cohort_state_t cohort_state (cohort_t *self);

/* For how many ms from now this session is surely alive, without I/O: counted from the sending
 * of the newest heartbeat that the leader has confirmed by a quorum; 0: not sure.  It ends
 * before the ensemble can expire the session, differing clock rates aside. */
COHORT_API int64_t cohort_valid_ms (cohort_t *self);

/* The session's id, 0 before the first CONNECTED; the highest zxid this session has seen. */
COHORT_API uint64_t cohort_session_id (cohort_t *self);
COHORT_API uint64_t cohort_last_zxid (cohort_t *self);

/* The endpoint of the server this session is attached to, "" when there is none; copied into
 * buffer, always ended with 0. */
COHORT_API void cohort_server (cohort_t *self, char *buffer, size_t size);

/* What the last failed call on this handle, from this thread or another, had to say: names the
 * argument, its value and what to do.  Copied into buffer. */
COHORT_API void cohort_errmsg (cohort_t *self, char *buffer, size_t size);

/* Default time limit of blocking calls; -1: none. */
COHORT_API void cohort_set_time_limit (cohort_t *self, int time_limit_ms);

typedef void cohort_state_fn (cohort_t *self, cohort_state_t state, void *arg);

/* Reports each change of state; several may be queued.  NULL: none.  LOST is always reported
 * before anything of a later session. */
COHORT_API void cohort_set_state_handler (cohort_t *self, cohort_state_fn *fn, void *arg);

/* For event loops: a descriptor that stays readable while callbacks are queued; ms until the
 * next local deadline (SUSPENDED, LOST, watchdog), -1: none; and the call that runs up to
 * max_events callbacks (0: all that are queued now), never blocks, and returns how many ran.
 * With a loop without a thread, cohort_dispatch calls cohort_loop_process (loop, 0) first, and
 * cohort_fd and cohort_timeout cover the loop's too. */
COHORT_API int cohort_fd (cohort_t *self);
COHORT_API int cohort_timeout (cohort_t *self);
COHORT_API int cohort_dispatch (cohort_t *self, int max_events);

/* Waits up to timeout_ms (-1: for ever) for a callback to become ready, then cohort_dispatch.
 * Returns how many ran, 0 after the time, COHORT_EDEADLK inside a callback. */
COHORT_API int cohort_run (cohort_t *self, int timeout_ms);

/* ---- Results ----------------------------------------------------------------------------- */

/* The result of one operation of a multi. */
typedef struct cohort_op_result {
    int rc;             /* 0, its error, or COHORT_EROLLEDBACK */
    const char *path;   /* create: the path created; others NULL */
    cohort_stat_t stat; /* create, set and add; zero for others */
    int64_t value;      /* add: the sum; delete_tree: znodes deleted */
    int existed;        /* create with if_absent: 1: it was there already */
} cohort_op_result_t;

/* A child of a list. */
typedef struct cohort_child {
    const char *name;
    const void *data; /* COHORT_LIST_DATA, else NULL */
    size_t size;
    cohort_stat_t stat; /* COHORT_LIST_STAT, else zero */
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
    int existed;   /* create with if_absent: 1: it was there already */
    const cohort_read_result_t *reads; /* multi_read */
    size_t reads_count;
    const cohort_identity_t *identities; /* whoami */
    size_t identities_count;
} cohort_result_t;

typedef void cohort_result_fn (cohort_t *self, const cohort_result_t *result, void *arg);

/* A one-shot watch: runs at most once, and before the result of any later read that shows the
 * change.  path lives until it returns. */
typedef struct cohort_event {
    cohort_event_type_t type;
    const char *path;
    uint64_t zxid;
} cohort_event_t;

typedef void cohort_watch_fn (cohort_t *self, const cohort_event_t *event, void *arg);

COHORT_API void cohort_free (void *memory);
COHORT_API void cohort_strings_destroy (cohort_strings_t **strings_p);

/* ---- Operations, blocking ---------------------------------------------------------------- */

/* Creates a znode.  created: the path created, to be freed with cohort_free; stat: its stat;
 * either may be NULL.  acl: NULL.  COHORT_ENODEEXISTS, COHORT_ENONODE (no parent),
 * COHORT_ENOCHILDREN4EPHEMERALS, COHORT_EINVALIDACL. */
COHORT_API int cohort_create (cohort_t *self, const char *path, const void *data, size_t size,
                              int mode, const cohort_acl_t *acl, char **created,
                              cohort_stat_t *stat) COHORT_MUST_CHECK;

typedef struct cohort_create_options {
    size_t size;             /* sizeof (cohort_create_options_t) */
    int mode;                /* COHORT_PERSISTENT, _EPHEMERAL or _CONTAINER | COHORT_SEQUENTIAL */
    const cohort_acl_t *acl; /* NULL */
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
 * COHORT_ENOAUTH, COHORT_ESESSIONEXPIRED: there is no such session. */
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
/* A page: the result has children and next.  A path may be listed again when ephemerals went while
 * the pages were read. */
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

/* ---- Streams ----------------------------------------------------------------------------- */

typedef enum cohort_change_kind {
    COHORT_CHANGE_CREATED = 1, /* in a snapshot: the node is there */
    COHORT_CHANGE_DELETED = 2,
    COHORT_CHANGE_DATA = 3
} cohort_change_kind_t;

typedef struct cohort_change {
    cohort_change_kind_t kind;
    const char *path;
    const void *data; /* CREATED and DATA */
    size_t size;
    cohort_stat_t stat; /* CREATED and DATA: as of the batch's zxid */
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
 * A further snapshot means that the history between was gone (RESET): forget the earlier state when
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

/* Follows the subtree at path (the node itself, and all below it).  The node need not exist: it
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
    COHORT_STREAM_PROGRESS = 8 /* batches without changes, too: everything up to their zxid has
                                  been delivered (about every 1,000 transactions) */
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
 * COHORT_ELIMIT: the session has too many streams. */
COHORT_API int cohort_stream_error (const cohort_stream_t *self);

/* No call of fn begins after it; inside fn too.  (One that is running in another thread's
 * cohort_dispatch may not have returned yet.)  Must come before cohort_destroy of its client.
 * Sets *self_p to NULL. */
COHORT_API void cohort_stream_destroy (cohort_stream_t **self_p);

/* ---- Backups ----------------------------------------------------------------------------- */

typedef struct cohort_snapshot_options {
    size_t size;            /* sizeof (cohort_snapshot_options_t) */
    void *zmq_context;      /* borrowed ZeroMQ context, NULL: a new one for the call */
    int connect_timeout_ms; /* for a server to answer before the next is tried; 0: 1,000 */
    int silence_ms;         /* of a server that has answered, before it is given up; 0: 10,000 */
    const char *server_key; /* CURVE: as in cohort_options_t */
    const char *public_key;
    const char *secret_key;
} cohort_snapshot_options_t;

typedef struct cohort_snapshot {
    const char *server; /* the endpoint that sends it */
    uint64_t zxid;      /* exactly the state behind this transaction */
    uint64_t size;      /* bytes of the whole file; 0: not known yet, the server is writing it */
    uint64_t offset;    /* of the data in the file */
} cohort_snapshot_t;

/* A piece of the file, in order.  Offset 0 again: a server broke off, and another begins from the
 * beginning with a file of its own.  data NULL: nothing has come for a moment (a few times a
 * second).  Runs inside cohort_snapshot_read, on its thread.  Other than 0: that is enough, and it
 * is what cohort_snapshot_read returns. */
typedef int cohort_snapshot_fn (void *arg, const cohort_snapshot_t *snapshot, const void *data,
                                size_t size);

/* Reads the state of a running server as a snapshot file, which `cohort snapshot status` and
 * `restore` take: all sessions, znodes and limits, exact at one zxid, with all that the server had
 * applied when it was asked, while requests go on.  Needs no session, and no quorum.  A follower
 * may be a moment behind its leader: call cohort_sync first, on a session with the same server, if
 * something has to be in it.
 *
 * servers: as of cohort_new (a chroot is of no meaning); they are asked one after the other, in the
 * order of the list, until one has sent everything.  Bounded memory, whatever the size: a piece is
 * at most 1 MiB, and a server waits for this call.  Everything is checksummed, on the way too.
 *
 * 0, what fn has returned, or the reason of the server that came furthest, with a text in
 * error[error_size] that names the server: COHORT_ECONNECT, COHORT_EAUTHFAILED, COHORT_ETIMEDOUT,
 * COHORT_ESTATE (it has no state yet), COHORT_ELIMIT (it is making as many backups as it can),
 * COHORT_EDISKFULL (there; the file is written to its disk first), COHORT_ECORRUPT (what came is
 * not what was sent, or its file is damaged), COHORT_EPROTOCOL; COHORT_EINVAL: servers or options
 * are malformed; COHORT_ENOMEM, COHORT_ESYSTEM.  Any thread; blocks. */
COHORT_API int cohort_snapshot_read (const char *servers, const cohort_snapshot_options_t *options,
                                     cohort_snapshot_fn *fn, void *arg, char *error,
                                     size_t error_size) COHORT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
