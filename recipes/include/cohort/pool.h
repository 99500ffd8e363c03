/*
 * cohort/pool.h - tasks that a master hands to workers, each of which is recorded as done once
 *
 * Programs submit tasks; workers register; one of the masters leads and assigns each task to a
 * worker, which records a result.  When a worker dies the master puts its tasks back; when the
 * master dies another one goes on.
 *
 * Guarantees
 *    - A task that was submitted is in one place: it waits, is assigned to one worker, or has a
 *      result.  Each step from one to the next is one transaction.
 *    - Every write of a master is conditional on its leading still (its znode in the election), so
 *      two that both believe to lead do no harm.
 *    - A task is assigned to a worker that lives in that moment, and taken from one only if that
 *      has died.
 *    - A result is recorded once: by the worker that has the task, conditional on its being
 *      registered still and on its having the task still; else COHORT_EFENCED.  A task may be done
 *      more than once, by a worker that died before it recorded: let what it does outside depend on
 *      id and attempt.
 *    - attempt is 1 at first, and one more with each worker that died.  A worker that was started
 *      again and has its session still (options.state_file) is given again what it had, by the same
 *      attempt.
 *
 * SUSPENDED: masters, workers and tasks stay as long as their sessions do.  No event.
 *
 * LOST: COHORT_POOL_DEPOSED of a master that led, COHORT_POOL_WITHDRAWN of each task of a worker.
 * Both go on by themselves in a new session, a master at the end of the line.
 *
 * The znodes, below the path: master (an election, cohort/election.h), workers/NAME
 * (cohort/member.h: capacity, and what it says about itself), tasks/ID (waiting), assign/NAME/ID,
 * status/ID (result). assign/NAME is a container.  Children with content that is none of these are
 * left alone.  A task that somebody deletes by hand is gone; an assignment: COHORT_POOL_WITHDRAWN.
 *
 * Cost.  A task: three writes - submitted, assigned, done - and two more each time that its worker
 * dies.  The leading master has three streams, and memory for all that waits and is assigned; a
 * worker two streams.
 *
 * Threads.  A pool belongs to the thread that dispatches its client; all functions are to be called
 * there.  Handlers, choosers and result functions run only inside cohort_dispatch (and cohort_run,
 * and the blocking functions here); handlers may call anything that does not block, and may destroy
 * the pool, and then its client, too.
 */
#ifndef COHORT_POOL_H
#define COHORT_POOL_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_pool cohort_pool_t;

enum {
    COHORT_POOL_MASTER = 1, /* stands for election, and assigns while it leads */
    COHORT_POOL_WORKER = 2  /* registers, and is given tasks */
};

typedef struct cohort_pool_options {
    size_t size;        /* sizeof (cohort_pool_options_t) */
    int roles;          /* COHORT_POOL_...; 0: it submits, and reads results */
    const char *worker; /* name of a worker, its own in this pool */
    const void *data;   /* what a worker says about itself, for choosers; copied */
    size_t data_size;
    int capacity;     /* of a worker: tasks that it has at a time; 0: 1 */
    int attempts_max; /* of a master: a task whose worker died so often is recorded as failed, with
                         an empty result; 0: never */
} cohort_pool_options_t;

typedef struct cohort_task {
    const char *id;
    int attempt;
    const void *data; /* as it was submitted, followed by one 0 that is not counted */
    size_t size;
} cohort_task_t;

/* A worker that has room, as choosers see it. */
typedef struct cohort_pool_worker {
    const char *name;
    const void *data; /* what it says about itself, followed by one 0 that is not counted */
    size_t size;
    int capacity;
    int tasks; /* that it has */
} cohort_pool_worker_t;

typedef enum cohort_pool_kind {
    COHORT_POOL_LEADS = 1,    /* this master assigns from now on: token */
    COHORT_POOL_DEPOSED = 2,  /* it does no more: rc as of COHORT_ELECTION_REVOKED */
    COHORT_POOL_ASSIGNED = 3, /* of a master: task, without data, is worker's now */
    COHORT_POOL_ORPHANED = 4, /* of a master: worker has died, and task, without data, waits again,
                                 with that attempt; rc COHORT_ELIMIT: it is recorded as failed */
    COHORT_POOL_REGISTERED = 5, /* this worker is there: token */
    COHORT_POOL_TASK = 6,       /* task is this worker's: do it, then cohort_pool_done */
    COHORT_POOL_WITHDRAWN = 7,  /* task, without data, is this worker's no more: rc
                                   COHORT_EFENCED: the registration has ended, or COHORT_ENONODE:
                                   somebody has deleted the assignment */
    COHORT_POOL_ERROR = 8       /* rc: something was refused, such as COHORT_ENOAUTH; it is tried
                                   again when the pool changes, or by cohort_pool_retry */
} cohort_pool_kind_t;

typedef struct cohort_pool_event {
    cohort_pool_kind_t kind;
    int rc;
    cohort_token_t token;
    const cohort_task_t *task;
    const char *worker; /* its name */
} cohort_pool_event_t;

/* event, and what it leads to, lives until the handler returns. */
typedef void cohort_pool_fn (cohort_pool_t *self, const cohort_pool_event_t *event, void *arg);

/* Which of the workers, all of which have room, is to have the task: 0 to count - 1; -1: none of
 * them, now. */
typedef int cohort_pool_choose_fn (cohort_pool_t *self, const cohort_task_t *task,
                                   const cohort_pool_worker_t *workers, size_t count, void *arg);

/* What became of a submission, or of a result. */
typedef void cohort_pool_done_fn (cohort_pool_t *self, const char *id, int rc, void *arg);

/* Takes part in the pool at `path`; returns at once.  NULL: an argument is NULL, malformed or out
 * of range, a session that has ended and cannot be renewed, or out of memory. */
COHORT_API cohort_pool_t *cohort_pool_new (cohort_t *client, const char *path,
                                           const cohort_pool_options_t *options);

/* Resigns, withdraws the registration (so that its tasks are given to others), and frees.  Writes
 * on their way are carried out, their functions are not called.  No event after it.  Inside any
 * handler too, but no chooser.  Must come before cohort_destroy of the client.  Sets *self_p to
 * NULL. */
COHORT_API void cohort_pool_destroy (cohort_pool_t **self_p);

/* NULL: none.  Without a chooser, the worker with the fewest tasks for its capacity. */
COHORT_API void cohort_pool_set_handler (cohort_pool_t *self, cohort_pool_fn *fn, void *arg);
COHORT_API void cohort_pool_set_chooser (cohort_pool_t *self, cohort_pool_choose_fn *fn, void *arg);

/* Submits a task.  Waiting tasks are assigned in the order of their ids.  The blocking form waits
 * up to timeout_ms (-1: for ever) and dispatches the client meanwhile.  0; COHORT_ENODEEXISTS:
 * there is a task of that id that waits, or has a result (one that was submitted again while it was
 * assigned is dropped by the master when it has a result); COHORT_EINVAL: an argument is NULL, or
 * the id empty or with a '/'; COHORT_ETIMEDOUT: it stays queued; COHORT_ESESSIONEXPIRED: it may
 * have happened, repeat it; COHORT_EDEADLK inside a handler; COHORT_ECLOSING when a handler has
 * destroyed the pool; what a write can return (cohort/client.h). */
COHORT_API int cohort_pool_submit (cohort_pool_t *self, const char *id, const void *data,
                                   size_t size, int timeout_ms) COHORT_MUST_CHECK;
COHORT_API int cohort_pool_submit_async (cohort_pool_t *self, const char *id, const void *data,
                                         size_t size, cohort_pool_done_fn *fn,
                                         void *arg) COHORT_MUST_CHECK;

/* Records the result of a task that this worker was given, by the attempt that it was given.  As
 * cohort_pool_submit, and: COHORT_EFENCED: the task is another's now, or waits for one: the result
 * is not recorded; COHORT_EDUPLICATE: a task of that id has a result already, which stays. */
COHORT_API int cohort_pool_done (cohort_pool_t *self, const char *id, int attempt,
                                 const void *result, size_t size, int timeout_ms) COHORT_MUST_CHECK;
COHORT_API int cohort_pool_done_async (cohort_pool_t *self, const char *id, int attempt,
                                       const void *result, size_t size, cohort_pool_done_fn *fn,
                                       void *arg) COHORT_MUST_CHECK;

/* Waits for the result of a task, whoever has submitted it: *result is to be freed with free, has
 * *size bytes and one 0 behind them; *attempt (or NULL): which one it was.  0; COHORT_EFENCED: it
 * was recorded as failed, and there is no result; COHORT_ECORRUPT: status/ID is none of a pool's;
 * or as cohort_pool_submit.  The result stays until somebody deletes status/ID. */
COHORT_API int cohort_pool_result (cohort_pool_t *self, const char *id, int timeout_ms,
                                   void **result, size_t *size, int *attempt) COHORT_MUST_CHECK;

/* Tries again what ended in COHORT_POOL_ERROR.  0, or why it cannot. */
COHORT_API int cohort_pool_retry (cohort_pool_t *self);

/* 1 if this master leads, and surely does for more than margin_ms from now; else 0.  No I/O. */
COHORT_API int cohort_pool_leads (cohort_pool_t *self, int margin_ms);

/* 1 if this worker has the task, by that attempt, and surely stays registered for more than
 * margin_ms from now; else 0.  No I/O. */
COHORT_API int cohort_pool_has (cohort_pool_t *self, const char *id, int attempt, int margin_ms);

#ifdef __cplusplus
}
#endif
#endif
