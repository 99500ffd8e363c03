/*
 * cohort/await.h - to wait for a znode: until it is there, is gone, says something, has children
 *
 * One-shot watches have to be set again, miss what happens in between, and are forgotten behind.
 * A cohort_await_t follows one znode, tests each of its states, and ends with the first one that
 * passes: in a handler, or in a function that waits, with a time limit.
 *
 * Guarantees
 *    - What passed was so at some moment after the call, as the whole ensemble saw it: a sync comes
 *      first, so a server that is behind shows no state of before.
 *    - From the first state that is tested on, each further one is: none is missed, also across
 *      reconnects; one transaction is one state.  (Where history does not reach back so far, after
 *      a long absence, it goes on with the state of then.)  Of children, states that follow each
 *      other at once may be tested as one.
 *    - A lost connection, a time-out and a lost session are no success.  When it ends, in whatever
 *      way, nothing of it is left: no watch, no stream, no request that anybody waits for.
 *
 * SUSPENDED: waiting goes on.  LOST: it ends with COHORT_ESESSIONEXPIRED; whoever wants to go on
 * begins anew (cohort_renew is called then, if nobody has).
 *
 * Cost: one stream, and two reads in one round trip; each change of the znode is one event, and, if
 * children are looked at, one list.  Nothing below the children is read, nor what they hold.  No
 * znode, no write.
 *
 * Threads.  It belongs to the thread that dispatches its client; all functions are to be called
 * there.  Tests and handlers run only inside cohort_dispatch (and cohort_run, and the waiting
 * functions here).  A handler may call anything that does not block, and may destroy the object,
 * and then its client, too; a test only looks.
 */
#ifndef COHORT_AWAIT_H
#define COHORT_AWAIT_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_await cohort_await_t;

/* A state of the znode; what pointers lead to lives as long as the call, and, of the one that
 * passed, as long as the cohort_await_t. */
typedef struct cohort_seen {
    int exists;
    const void *data; /* with one 0 behind it that is not counted; NULL: it does not exist, or
                         COHORT_AWAIT_CHILDREN */
    size_t size;
    cohort_stat_t stat;               /* zero: it does not exist */
    const cohort_strings_t *children; /* COHORT_AWAIT_CHILDREN: their names, as many as an answer
                                         takes (some 10,000); stat.child_count counts all */
    uint64_t zxid;
} cohort_seen_t;

/* 1: that is what is waited for; 0: not yet; a negative error ends the wait with it. */
typedef int cohort_await_test_fn (const cohort_seen_t *seen, void *arg);

/* The end: rc 0 and what passed, or an error and NULL. */
typedef void cohort_await_fn (cohort_await_t *self, int rc, const cohort_seen_t *seen, void *arg);

enum {
    COHORT_AWAIT_CHILDREN = 1 /* its children are looked at, not its data */
};

/* Ready-made tests; arg NULL, or as they say. */
COHORT_API int cohort_await_test_exists (const cohort_seen_t *seen, void *arg);
COHORT_API int cohort_await_test_gone (const cohort_seen_t *seen, void *arg);
/* arg: const int *, at least so many children; 0: none, or no znode. */
COHORT_API int cohort_await_test_children (const cohort_seen_t *seen, void *arg);

/* Waits for the znode at `path` to pass the test.  Returns at once.  NULL: an argument that must
 * not be is NULL, flags are unknown, malformed path, a session that has ended and cannot be
 * renewed, or out of memory. */
COHORT_API cohort_await_t *cohort_await_new (cohort_t *client, const char *path, int flags,
                                             cohort_await_test_fn *test, void *arg);

/* No call after it; inside the handler too.  Must come before cohort_destroy of the client.  Sets
 * *self_p to NULL. */
COHORT_API void cohort_await_destroy (cohort_await_t **self_p);

/* NULL: none.  It runs once. */
COHORT_API void cohort_await_set_handler (cohort_await_t *self, cohort_await_fn *fn, void *arg);

/* Waits for the end, and dispatches the client meanwhile, so that other handlers may run.  -1: for
 * ever.  0: it has passed; COHORT_ETIMEDOUT: not yet, it goes on; COHORT_EDEADLK inside a handler;
 * COHORT_ESESSIONEXPIRED; what the test returned; other errors of the client; COHORT_ECLOSING when
 * a handler has destroyed it. */
COHORT_API int cohort_await_wait (cohort_await_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* What has passed; NULL: nothing has yet.  Lives as long as self. */
COHORT_API const cohort_seen_t *cohort_await_seen (const cohort_await_t *self);

/* All in one: begin, wait and end.  As cohort_await_new and cohort_await_wait; COHORT_ETIMEDOUT: it
 * was withdrawn; COHORT_EINVAL, COHORT_EPATH, COHORT_ENOMEM: it could not begin.  Handlers that run
 * meanwhile must not destroy the client, for there is an object on it that they cannot destroy
 * before: whose handlers do that uses cohort_await_new. */
COHORT_API int cohort_await_exists (cohort_t *client, const char *path,
                                    int timeout_ms) COHORT_MUST_CHECK;
COHORT_API int cohort_await_gone (cohort_t *client, const char *path,
                                  int timeout_ms) COHORT_MUST_CHECK;
COHORT_API int cohort_await_data (cohort_t *client, const char *path, cohort_await_test_fn *test,
                                  void *arg, int timeout_ms) COHORT_MUST_CHECK;
/* At least `count` children; 0: none any more. */
COHORT_API int cohort_await_children (cohort_t *client, const char *path, int count,
                                      int timeout_ms) COHORT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
