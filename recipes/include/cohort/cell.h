/*
 * cohort/cell.h - a counter, or a small value that several programs share
 *
 * A cell is one znode: a configuration switch, the number of the current season, tickets that are
 * left.  Reading it is a look at a local copy; changing it is one conditional write.
 *
 * Guarantees
 *    - An addition is exact: it happens once or not at all, whatever becomes of the connection, and
 *      any number of clients may add at the same time; none of them tries again.  Bounds are
 *      checked where it is applied: a sum outside of them changes nothing.
 *    - A compare-and-set succeeds only on the very value that was meant.  Values are named by their
 *      mzxid, the transaction that wrote them, never by a version, which begins again when a znode
 *      is recreated.
 *    - Changes are reported in the order of mzxid, each one once; what was written and replaced
 *      while there was no connection may be skipped, never the last value.
 *    - The result of a write comes behind the change that it made, so its caller finds its own
 *      value in the local copy (only while a new snapshot arrives, the copy is older).
 *
 * SUSPENDED: the copy stays and ages (cohort_cell_stale_ms); writes wait for the connection.
 *
 * LOST: writes on their way end in COHORT_ESESSIONEXPIRED, the one outcome that is not known: look
 * at the value.  The event COHORT_CELL_LOST; then the cell calls cohort_renew on its client, unless
 * somebody else has done so, and follows the value in the new session: COHORT_CELL_CHANGED if it
 * is another, COHORT_CELL_SYNCED.  A session that no server ever accepted is not renewed again:
 * COHORT_CELL_ERROR.  A cell has no owner: the value is not lost.
 *
 * Cost: one znode, one stream.  A read: nothing.  A write: one round trip; the first one ever,
 * which creates the znode and parents that are missing, two.  A compare-and-set with an mzxid that
 * the copy does not have yet: one round trip more.
 *
 * Threads.  A cell belongs to the thread that dispatches its client; all functions are to be called
 * there.  Handlers and result functions run only inside cohort_dispatch (and cohort_run, and the
 * blocking functions here), may call anything that does not block, and may destroy the cell, and
 * then its client, too.
 */
#ifndef COHORT_CELL_H
#define COHORT_CELL_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_cell cohort_cell_t;

/* data lives until the next cohort_dispatch or cohort_run of the client, or, inside a handler,
 * until that returns; it has size bytes, and one 0 behind them that is not counted. */
typedef struct cohort_cell_value {
    const void *data;
    size_t size;
    uint64_t mzxid;   /* names the value */
    int64_t mtime_ms; /* time stamp of that transaction, ms since 1970 */
} cohort_cell_value_t;

typedef enum cohort_cell_kind {
    COHORT_CELL_CHANGED = 1, /* value: the new one, the first one that is seen too */
    COHORT_CELL_REMOVED = 2, /* somebody deleted the znode: there is no value */
    COHORT_CELL_SYNCED = 3,  /* the copy is current, after a start or a loss, or when it had been
                                found out of date */
    COHORT_CELL_LOST = 4,    /* the session has ended; the copy stays */
    COHORT_CELL_ERROR = 5    /* rc: the cell follows no more, until cohort_cell_retry */
} cohort_cell_kind_t;

typedef struct cohort_cell_event {
    cohort_cell_kind_t kind;
    int rc;
    uint64_t zxid; /* of the transaction, or of the snapshot that showed it */
    cohort_cell_value_t value;
} cohort_cell_event_t;

typedef void cohort_cell_fn (cohort_cell_t *self, const cohort_cell_event_t *event, void *arg);

typedef struct cohort_cell_result {
    int rc;
    uint64_t mzxid; /* rc 0: of the value that was written */
    int64_t sum;    /* additions: the new value */
} cohort_cell_result_t;

typedef void cohort_cell_result_fn (cohort_cell_t *self, const cohort_cell_result_t *result,
                                    void *arg);

/* Starts to follow the cell at `path`, which need not exist; returns at once, writes nothing. NULL:
 * malformed path, a session that has ended and cannot be renewed, or out of memory; of what the
 * client refused cohort_errmsg says why. */
COHORT_API cohort_cell_t *cohort_cell_new (cohort_t *client, const char *path);

/* No event and no result after it; writes on their way still happen.  Inside any handler too.  Must
 * come before cohort_destroy of the client (which drops answers that are on their way, and with
 * each some 100 bytes of memory: dispatch once in between to have them back).  Sets *self_p to
 * NULL. */
COHORT_API void cohort_cell_destroy (cohort_cell_t **self_p);

/* NULL: none. */
COHORT_API void cohort_cell_set_handler (cohort_cell_t *self, cohort_cell_fn *fn, void *arg);

/* Waits until the copy is current, and dispatches the client meanwhile, so that other handlers may
 * run.  -1: for ever.  0, COHORT_ETIMEDOUT, COHORT_EDEADLK inside a handler, the error of
 * COHORT_CELL_ERROR, COHORT_ECLOSING when a handler has destroyed the cell. */
COHORT_API int cohort_cell_wait (cohort_cell_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* Follows again after COHORT_CELL_ERROR.  0 also when there was none; else why it cannot. */
COHORT_API int cohort_cell_retry (cohort_cell_t *self);

/* The value in the local copy.  0, COHORT_ENONODE: there is none, COHORT_ESTATE: the first snapshot
 * has not come yet. */
COHORT_API int cohort_cell_get (cohort_cell_t *self, cohort_cell_value_t *value) COHORT_MUST_CHECK;

/* The same as a number (no data: 0); also COHORT_ENOTNUMBER. */
COHORT_API int cohort_cell_number (cohort_cell_t *self, int64_t *number) COHORT_MUST_CHECK;

/* 0 while the copy follows the ensemble; otherwise for how many ms it may have been out of date, as
 * cohort_mirror_stale_ms.  -1 before the first snapshot. */
COHORT_API int64_t cohort_cell_stale_ms (cohort_cell_t *self);

/* Writes.  Each queues the write and returns at once: 0, and fn (which may be NULL) runs later,
 * exactly once unless the cell is destroyed before; or an error, and nothing happens.  Data is
 * copied.  After LOST a write begins a new session.
 *
 * set: whatever the value was.
 *
 * cas: if the value is the one that mzxid names; 0: if there is none.  COHORT_EBADVERSION: it is
 * another, was deleted, or, at once, the local copy shows a later one already.
 *
 * add: adds to the decimal number of 64 bits that the value is (none, or no data: 0), if the sum is
 * from floor to ceiling (INT64_MIN and INT64_MAX: any).  COHORT_EBOUNDS: it would not be, nothing
 * was changed; COHORT_ENOTNUMBER.
 *
 * Further COHORT_EINVAL, COHORT_ETOOBIG, COHORT_ENOMEM, COHORT_ENOAUTH, COHORT_EQUOTA and others
 * of the client; COHORT_ESESSIONEXPIRED: the session ended before the answer, it may have
 * happened. */
COHORT_API int cohort_cell_set_async (cohort_cell_t *self, const void *data, size_t size,
                                      cohort_cell_result_fn *fn, void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_cell_cas_async (cohort_cell_t *self, uint64_t mzxid, const void *data,
                                      size_t size, cohort_cell_result_fn *fn,
                                      void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_cell_add_async (cohort_cell_t *self, int64_t delta, int64_t floor,
                                      int64_t ceiling, cohort_cell_result_fn *fn,
                                      void *arg) COHORT_MUST_CHECK;

/* The same, waiting for the result for timeout_ms (-1: for ever) and dispatching the client
 * meanwhile.  mzxid and sum may be NULL, and are written on success.  Further COHORT_ETIMEDOUT: the
 * write stays queued, and happens at most once; COHORT_EDEADLK inside a handler, nothing was sent;
 * COHORT_ECLOSING when a handler has destroyed the cell. */
COHORT_API int cohort_cell_set (cohort_cell_t *self, const void *data, size_t size, int timeout_ms,
                                uint64_t *mzxid) COHORT_MUST_CHECK;
COHORT_API int cohort_cell_cas (cohort_cell_t *self, uint64_t mzxid, const void *data, size_t size,
                                int timeout_ms, uint64_t *new_mzxid) COHORT_MUST_CHECK;
COHORT_API int cohort_cell_add (cohort_cell_t *self, int64_t delta, int64_t floor, int64_t ceiling,
                                int timeout_ms, int64_t *sum) COHORT_MUST_CHECK;

/* The path; lives as long as the cell. */
COHORT_API const char *cohort_cell_path (cohort_cell_t *self);

#ifdef __cplusplus
}
#endif
#endif
