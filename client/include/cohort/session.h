/*
 * cohort/session.h - loops and sessions: how a handle begins, lives, runs and ends
 *
 * What holds for every function of the client - threads, blocking, errors, memory - is told in
 * cohort/client.h, which includes this.
 */
#ifndef COHORT_SESSION_H
#define COHORT_SESSION_H

#include "cohort/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort cohort_t;
typedef struct cohort_loop cohort_loop_t;

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

/* A loop serves any number of sessions with one ZeroMQ context and at most one thread.  Those with
 * the same CURVE keys, or none, share one connection to each server that they are on: what a turn
 * of the loop has for all of them is one message.  NULL options: the defaults.  NULL: out of memory
 * or descriptors. */
COHORT_API cohort_loop_t *cohort_loop_new (const cohort_loop_options_t *options);

/* Ends the loop.  Every session on it must have been destroyed: otherwise COHORT_ESTATE, and
 * nothing happens.  Sets *self_p to NULL on success. */
COHORT_API int cohort_loop_destroy (cohort_loop_t **self_p);

/* COHORT_DRIVER_NONE: sends, receives and runs timers of all sessions of the loop; waits up to
 * timeout_ms (0: not at all, -1: until something happens) for something to do.  Runs no
 * callback.  Where several servers have answered it returns behind the first of them, with more to
 * do: so that one has the next requests while the answers of another are looked at.  0, or
 * COHORT_ESTATE with a loop that has its own thread. */
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
 * is 0 here; and for so long close_predecessor waits before it closes, and who destroys the handle
 * leaves the session to its time limits.  The time limits of a
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
 * frees the handle in any case.  Every asynchronous call that was accepted has its callback run
 * exactly once, so that nothing hung on it leaks: those that are left run here, on this thread,
 * with the answer that has come, or with COHORT_ECLOSING and nothing else; what they call of the
 * handle is refused with that too.  The callback of every one-shot watch that is set runs once as
 * well, with what has happened, or COHORT_EVENT_WATCH_LOST.  Streams and changes of state are
 * dropped.  Inside a callback of this handle too, without waiting for a server: the loop ends the
 * session afterwards, and the dispatch under way runs what is left before it returns.  Sets *self_p
 * to NULL. */
COHORT_API void cohort_destroy (cohort_t **self_p);

/* The same within limit_ms instead (up to 1,000; less than 0: 0), then as cohort_abandon. */
COHORT_API void cohort_destroy_within (cohort_t **self_p, int limit_ms);

/* As cohort_destroy, but leaves the session to its time limits: what a crash looks like. */
COHORT_API void cohort_abandon (cohort_t **self_p);

/* After LOST: starts a new session on the same handle. What was asked of the old one has been
 * answered or has failed; watches and streams are gone and are to be set again. The state handler
 * hears CONNECTING, after the LOST of the old session. Requests made before this call fail with
 * the old session, and so do those of callbacks that tell of it: whoever runs in front of the LOST,
 * renewed by another callback or thread or not, asks in the session that it hears of, and its own
 * callback has COHORT_ESESSIONEXPIRED. Never blocks. 0, COHORT_ESTATE: the session is not LOST,
 * COHORT_ENOMEM. */
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
 * next local deadline (SUSPENDED, LOST, watchdog, timers), -1: none; and the call that runs up to
 * max_events callbacks (0: all that are queued now), never blocks, and returns how many ran.
 * With a loop without a thread, cohort_dispatch calls cohort_loop_process (loop, 0) first, and
 * cohort_fd and cohort_timeout cover the loop's too.  Who has many handles on such a loop calls
 * cohort_loop_process once and then cohort_dispatch with COHORT_DISPATCH_QUEUED for each: all that
 * are queued now, and the loop is left alone. */
enum { COHORT_DISPATCH_QUEUED = -1 };
COHORT_API int cohort_fd (cohort_t *self);
COHORT_API int cohort_timeout (cohort_t *self);
COHORT_API int cohort_dispatch (cohort_t *self, int max_events);

/* Waits up to timeout_ms (-1: for ever) for a callback to become ready, then cohort_dispatch.
 * Returns how many ran, 0 after the time, COHORT_EDEADLK inside a callback. */
COHORT_API int cohort_run (cohort_t *self, int timeout_ms);

/* ---- Timers -------------------------------------------------------------------------------- */

/* Milliseconds of the clock of the handle's loop (cohort_loop_options_t), by which its timers run.
 */
COHORT_API int64_t cohort_now_ms (cohort_t *self);

/* A timer calls once, inside cohort_dispatch, in its place among the other callbacks, when the
 * moment that it is set to has come; cohort_fd and cohort_timeout know of it, and a loop that has a
 * thread needs nothing else.  Without memory: NULL; it is not set. */
typedef struct cohort_timer cohort_timer_t;
typedef void cohort_timer_fn (cohort_t *client, void *arg);

COHORT_API cohort_timer_t *cohort_timer_new (cohort_t *client, cohort_timer_fn *fn, void *arg);

enum { COHORT_TIMER_NOW = 0 };
#define COHORT_TIMER_NEVER INT64_MAX

/* Sets it to a moment of cohort_now_ms, in place of the one before: one that has passed, such as
 * COHORT_TIMER_NOW, comes with the next dispatch; COHORT_TIMER_NEVER: it does not call.  Cannot
 * fail.  If the callback of the moment before was due and did not run yet, it does not. */
COHORT_API void cohort_timer_set (cohort_timer_t *self, int64_t at_ms);

/* Never calls again; inside its own callback too.  Before cohort_destroy of the client.  Sets
 * *self_p to NULL. */
COHORT_API void cohort_timer_destroy (cohort_timer_t **self_p);

/* ---- Events of watches --------------------------------------------------------------------- */

/* A one-shot watch: runs at most once, and before the result of any later read that shows the
 * change.  path lives until it returns. */
typedef struct cohort_event {
    cohort_event_type_t type;
    const char *path;
    uint64_t zxid;
} cohort_event_t;

typedef void cohort_watch_fn (cohort_t *self, const cohort_event_t *event, void *arg);

#ifdef __cplusplus
}
#endif
#endif
