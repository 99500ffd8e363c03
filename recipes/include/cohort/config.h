/*
 * cohort/config.h - a subtree as configuration: typed keys, callbacks, all-or-nothing updates
 *
 * A cohort_config_t holds the configuration below a path in memory, follows it, and changes it.
 * A key is the path of a znode relative to that path: "limit", "db/pool"; each znode below it is
 * one, those that only stand above others too (their data is empty).  It stands on
 * cohort/mirror.h, whose guarantees hold here.
 *
 * Guarantees
 *    - Whole transactions: what one update changed is seen, and told, at once; never half of it.
 *      A callback runs once a transaction, with all in it that concerns it, old and new values.
 *    - Bad data is not missing data.  A key that is expected to be a number, a bool or a text keeps
 *      its last good value while it holds something else; that is told with the key, the value and
 *      what was expected, and the other keys go on.
 *    - An update is all or nothing, and conditional on what was read: if one of the keys it names
 *      is another by then, nothing changes, and cohort_config_update_key names that key.
 *    - The copy is never emptied for want of a connection: it ages (cohort_config_stale_ms).
 *
 * SUSPENDED: the copy stays and ages; updates wait for the connection.  LOST: updates on their way
 * end in COHORT_ESESSIONEXPIRED, the one outcome that is not known: look at the keys.  The event
 * COHORT_CONFIG_LOST; then as COHORT_MIRROR_LOST: the differences are told, COHORT_CONFIG_SYNCED.
 *
 * Cost: one stream, memory as of a mirror.  A read: nothing.  An update: one round trip and one
 * write, however many keys it has.  A transaction costs a look-up for each expected key; a typed
 * getter looks through them.
 *
 * Threads.  It belongs to the thread that dispatches its client; all functions are to be called
 * there.  Handlers and callbacks run only inside cohort_dispatch (and cohort_run, and the waiting
 * functions here), may call anything that does not block, and may destroy the object, and then its
 * client, too.
 */
#ifndef COHORT_CONFIG_H
#define COHORT_CONFIG_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_config cohort_config_t;

/* It lives until the next cohort_dispatch or cohort_run of the client, or, inside a handler or
 * callback, until that returns. */
typedef struct cohort_config_value {
    const void *data; /* size bytes, and one 0 behind them that is not counted; NULL: none */
    size_t size;
    uint64_t mzxid;   /* names the value, for updates; 0: none */
    int64_t mtime_ms; /* time stamp of that transaction, ms since 1970 */
    int hidden;       /* 1: it has no data here, because this session may not read it */
} cohort_config_value_t;

typedef enum cohort_config_kind {
    COHORT_CONFIG_BAD = 1,    /* key, value, expected: it is not as expected (rc COHORT_ECONFIG),
                                 may not be read (COHORT_ENOAUTH), or could not be kept
                                 (COHORT_ENOMEM); the last good value stays */
    COHORT_CONFIG_SYNCED = 2, /* the copy is current, after a start or a loss, or when it had been
                                 found out of date */
    COHORT_CONFIG_LOST = 3,   /* the session has ended; the copy stays */
    COHORT_CONFIG_ERROR = 4   /* rc: the copy follows no more, until cohort_config_retry;
                                 COHORT_ENOMEM also: it may, and a callback could not be called */
} cohort_config_kind_t;

typedef struct cohort_config_event {
    cohort_config_kind_t kind;
    int rc;
    const char *path; /* of the configuration */
    const char *key;
    const char *expected; /* "an integer from 1 to 9" */
    cohort_config_value_t value;
} cohort_config_event_t;

typedef void cohort_config_fn (cohort_config_t *self, const cohort_config_event_t *event,
                               void *arg);

/* Starts to follow the configuration below `path`, which need not exist; returns at once, writes
 * nothing.  NULL: an argument is NULL or malformed, a session that has ended and cannot be renewed,
 * or out of memory; of what the client refused cohort_errmsg says why. */
COHORT_API cohort_config_t *cohort_config_new (cohort_t *client, const char *path);

/* No event, callback or result after it; updates on their way still happen.  Inside any handler
 * too.  Must come before cohort_destroy of the client, as cohort_cell_destroy.  Sets *self_p to
 * NULL. */
COHORT_API void cohort_config_destroy (cohort_config_t **self_p);

/* NULL: none. */
COHORT_API void cohort_config_set_handler (cohort_config_t *self, cohort_config_fn *fn, void *arg);

/* As cohort_mirror_wait, cohort_mirror_retry (which also makes up for callbacks that could not be
 * called) and cohort_mirror_stale_ms. */
COHORT_API int cohort_config_wait (cohort_config_t *self, int timeout_ms) COHORT_MUST_CHECK;
COHORT_API int cohort_config_retry (cohort_config_t *self);
COHORT_API int64_t cohort_config_stale_ms (cohort_config_t *self);

/* ---- Callbacks per key ----------------------------------------------------------------------- */

typedef struct cohort_config_change {
    const char *key;
    cohort_config_value_t now;    /* data NULL: it has been deleted */
    cohort_config_value_t before; /* data NULL: there was none */
} cohort_config_change_t;

/* What changed in one transaction, in the order of paths (of a snapshot, the deleted ones last).
 * whole: all that is there (count 0: nothing is), and what is not there is gone: the first call,
 * and one after COHORT_ENOMEM; `before` is none then. */
typedef struct cohort_config_changes {
    int whole;
    uint64_t zxid;
    size_t count;
    const cohort_config_change_t *items;
} cohort_config_changes_t;

typedef void cohort_config_watch_fn (cohort_config_t *self, const cohort_config_changes_t *changes,
                                     void *arg);

/* From now on fn hears of this key; of all keys that begin so ("": of all, "db/": of those below
 * "db").  First, once, of what is there; then of each change.  It ends with the object.  0,
 * COHORT_EINVAL, COHORT_ENOMEM; other errors of the client. */
COHORT_API int cohort_config_watch (cohort_config_t *self, const char *key,
                                    cohort_config_watch_fn *fn, void *arg);
COHORT_API int cohort_config_watch_prefix (cohort_config_t *self, const char *prefix,
                                           cohort_config_watch_fn *fn, void *arg);

/* ---- Reading --------------------------------------------------------------------------------- */

/* The value in the copy, whatever it is.  0, COHORT_ENONODE: there is none, COHORT_ESTATE: the
 * first snapshot has not come yet, COHORT_EINVAL, COHORT_ENOMEM. */
COHORT_API int cohort_config_get (cohort_config_t *self, const char *key,
                                  cohort_config_value_t *value) COHORT_MUST_CHECK;

/* What a key has to be: a text of at most size_max bytes, none of them 0; a decimal integer from
 * floor to ceiling, and nothing else; true, yes, on, 1 or false, no, off, 0.  From then on
 * COHORT_CONFIG_BAD tells when it is not.  0, COHORT_EINVAL, COHORT_ENOMEM, COHORT_ESTATE: that has
 * been said of this key already. */
COHORT_API int cohort_config_expect_text (cohort_config_t *self, const char *key, size_t size_max);
COHORT_API int cohort_config_expect_integer (cohort_config_t *self, const char *key, int64_t floor,
                                             int64_t ceiling);
COHORT_API int cohort_config_expect_bool (cohort_config_t *self, const char *key);

/* The good value of a key that is expected to be so.  0; COHORT_ECONFIG, COHORT_ENOAUTH,
 * COHORT_ENOMEM: as COHORT_CONFIG_BAD, and *value is the last good one; COHORT_ENONODE: there is
 * none (and a last good one is forgotten); COHORT_ESTATE: the first snapshot has not come yet;
 * COHORT_EINVAL: it is not expected to be so.  Where there is no good value, *value is left as it
 * was: put your default there.  The text lives as a cohort_config_value_t. */
COHORT_API int cohort_config_text (cohort_config_t *self, const char *key, const char **value);
COHORT_API int cohort_config_integer (cohort_config_t *self, const char *key, int64_t *value);
COHORT_API int cohort_config_bool (cohort_config_t *self, const char *key, int *value);

/* ---- Updates --------------------------------------------------------------------------------- */

/* Several changes that happen in one transaction, or not at all.  It is committed once, belongs to
 * one cohort_config_t, and must not be used, but for its destruction, when that is destroyed. */
typedef struct cohort_config_update cohort_config_update_t;

/* For mzxid: whatever there is. */
#define COHORT_CONFIG_ANY UINT64_MAX

COHORT_API cohort_config_update_t *cohort_config_update_new (cohort_config_t *config);
/* An update that was committed still happens, and its result is still told. */
COHORT_API void cohort_config_update_destroy (cohort_config_update_t **self_p);

/* Each adds one change, or, check, only the condition: the value of the key is the one that mzxid
 * (of cohort_config_value_t) names; 0: there is none; COHORT_CONFIG_ANY: no condition.  Conditions
 * are about what is there before the update; what it changes it changes in the order of the calls.
 * set creates what is missing, parents too; delete of a key with others below it is
 * COHORT_ENOTEMPTY, of none with COHORT_CONFIG_ANY COHORT_ENONODE.  They return 0,
 * COHORT_EBADVERSION: the copy shows another value already, COHORT_EINVAL, COHORT_EPATH,
 * COHORT_ENOMEM; the first error is also returned by the commit. */
COHORT_API int cohort_config_update_set (cohort_config_update_t *self, const char *key,
                                         const void *data, size_t size, uint64_t mzxid);
COHORT_API int cohort_config_update_delete (cohort_config_update_t *self, const char *key,
                                            uint64_t mzxid);
COHORT_API int cohort_config_update_check (cohort_config_update_t *self, const char *key,
                                           uint64_t mzxid);

/* The key that made it fail, or NULL: lives as long as the update. */
COHORT_API const char *cohort_config_update_key (const cohort_config_update_t *self);

/* rc 0, COHORT_EBADVERSION: a key is not the one that was read; other errors of the client;
 * COHORT_ESESSIONEXPIRED: the session ended before the answer, it may have happened. */
typedef void cohort_config_result_fn (cohort_config_t *self, int rc,
                                      const cohort_config_update_t *update, void *arg);

/* Commits: 0, and fn (which may be NULL) runs later, exactly once unless the cohort_config_t is
 * destroyed before; or an error, and nothing happens (COHORT_ESTATE: it was committed already;
 * COHORT_EINVAL: it changes nothing).  The copy has what it changed when fn runs (only while a new
 * snapshot arrives, it is older).  The other one waits for the result for timeout_ms (-1: for
 * ever), and dispatches the client meanwhile.  Further COHORT_ETIMEDOUT: it stays queued, and
 * happens at most once; COHORT_EDEADLK inside a handler, nothing was sent; COHORT_ECLOSING when a
 * handler has destroyed the cohort_config_t, or the update before it was sent. */
COHORT_API int cohort_config_commit_async (cohort_config_update_t *update,
                                           cohort_config_result_fn *fn,
                                           void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_config_commit (cohort_config_update_t *update,
                                     int timeout_ms) COHORT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
