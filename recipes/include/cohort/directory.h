/*
 * cohort/directory.h - service discovery: who is there, and which one to use
 *
 * A directory lists the instances that are registered as PATH/{group}/{uid}, for example
 * /servers/europe/eu-17, and picks one.  A server registers with cohort/member.h and data in the
 * form of cohort_instance_encode.  The list is a mirror (cohort/mirror.h), and has its
 * guarantees: whole transactions, no flap, kept while there is no connection.
 *
 * Guarantees
 *    - A child whose data cannot be read is one bad entry: it is reported (COHORT_DIRECTORY_BAD,
 *      with a text that says what is wrong), it is not listed and not picked, and the others are.
 *    - What this process knows of an instance (errors reported, picks) belongs to that znode: one
 *      that registers anew begins anew.
 *    - Same list, same calls, same seed, same clock: same picks.
 *
 * SUSPENDED, LOST: the list stays, and cohort_directory_stale_ms tells its age; picking goes on.
 * A LOST session is renewed as by the mirror.  Entries are hints in any case: an instance that
 * died stays listed until its session has ended.  Report what does not answer with
 * cohort_directory_report.
 *
 * Cost: one stream; memory as the mirror's and about as much again.  A pick looks at every
 * listed instance (of the group) and does no I/O.
 *
 * Threads.  A directory belongs to the thread that dispatches its client; all functions are to
 * be called there.  Handlers run only inside cohort_dispatch (and cohort_run), may call anything
 * that does not block, and may destroy the directory, and then its client, too.
 */
#ifndef COHORT_DIRECTORY_H
#define COHORT_DIRECTORY_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Instances --------------------------------------------------------------------------- */

/* The data of an instance is text, one key=value a line:
 *
 *      ip=10.0.0.7
 *      port=7777
 *      load=12
 *      draining=0
 *      map=dust
 *
 * ip (a name or an address) and port (1 to 65535) are required; load (0 or more, such as the
 * number of players) and draining (0 or 1: takes nobody new) are 0 when absent; other keys are
 * the application's.  Keys consist of a-z, 0-9, '_', '-' and '.', and occur once; values are any
 * text without line breaks; 64 keys are the limit. */
typedef struct cohort_instance {
    const char *group; /* decode: NULL */
    const char *uid;   /* decode: NULL */
    const char *ip;
    int port;
    int draining;
    int64_t load;
    cohort_token_t token; /* of its znode; decode: zero */
    uint64_t session;     /* that owns the znode, 0: it is not ephemeral; decode: 0 */
    uint64_t mzxid;       /* of its data; decode: 0 */
    const char *text;     /* its key=value pairs, each ended with 0: for cohort_instance_value */
    size_t text_size;
} cohort_instance_t;

/* Writes the data of an instance (ip, port, load, draining) and of further "key=value" strings
 * into buffer, without an ending 0.  Returns the number of bytes, COHORT_EINVAL (a value out of
 * range, a malformed or repeated key), COHORT_ETOOBIG (buffer too small).  Any thread. */
COHORT_API int cohort_instance_encode (const cohort_instance_t *instance, const char *const *extra,
                                       size_t extra_count, char *buffer, size_t size);

/* Reads such data.  text (at least size + 1 bytes) gets the strings that *instance points to.
 * 0; COHORT_ETOOBIG (text too small); COHORT_ECORRUPT, and then text says what is wrong, in as
 * far as it has room, and *instance is untouched.  Any thread. */
COHORT_API int cohort_instance_decode (const void *data, size_t size, cohort_instance_t *instance,
                                       char *text, size_t text_size) COHORT_MUST_CHECK;

/* The value of any key of an instance, or NULL.  Lives as long as the instance's strings. */
COHORT_API const char *cohort_instance_value (const cohort_instance_t *instance, const char *key);

/* ---- Directories ------------------------------------------------------------------------- */

typedef struct cohort_directory cohort_directory_t;

typedef enum cohort_strategy {
    COHORT_ROUND_ROBIN = 0, /* the one that was picked least recently */
    COHORT_RANDOM = 1,      /* uniformly, from the seed */
    COHORT_STICKY = 2,      /* with a key: the same instance for the same key in every process,
                                moved only when it goes (rendezvous hashing); without one: the
                                instance of the last such pick for as long as it can be picked */
    COHORT_LEAST_LOAD = 3   /* lowest load as published plus this directory's picks since;
                                among equals the one that was picked least recently */
} cohort_strategy_t;

typedef struct cohort_directory_options {
    size_t size;            /* sizeof (cohort_directory_options_t) */
    int strategy;           /* COHORT_ROUND_ROBIN ... */
    uint64_t seed;          /* COHORT_RANDOM: give each process its own */
    int quarantine_errors;  /* so many errors                                ...; 0: 2 */
    int quarantine_ms;      /* within so many ms keep an instance from being picked, for as
                                many ms from the last of them; 0: 30,000 */
    cohort_clock_fn *clock; /* NULL: CLOCK_BOOTTIME */
    void *clock_arg;
} cohort_directory_options_t;

typedef enum cohort_directory_kind {
    COHORT_DIRECTORY_ADDED = 1,   /* instance: the new one */
    COHORT_DIRECTORY_CHANGED = 2, /* instance: as it is; before: as it was */
    COHORT_DIRECTORY_REMOVED = 3, /* before: as it was */
    COHORT_DIRECTORY_BAD = 4,     /* rc, text: the data cannot be read (COHORT_ECORRUPT), or
                                      there is no memory for it (COHORT_ENOMEM).  before: as it
                                      was, if it was listed (it is no longer) */
    COHORT_DIRECTORY_BATCH = 5,   /* the end of the events of one transaction or snapshot: the
                                      list is whole all along: count */
    COHORT_DIRECTORY_SYNCED = 6,  /* the list is current: after the BATCH of a snapshot, and again
                                      when it had been found out of date */
    COHORT_DIRECTORY_LOST = 7,    /* the session has ended; the list stays */
    COHORT_DIRECTORY_ERROR = 8    /* rc: follows no more, until cohort_directory_retry */
} cohort_directory_kind_t;

typedef struct cohort_directory_event {
    cohort_directory_kind_t kind;
    int rc;
    uint64_t zxid;
    const char *path;                  /* of the instance's znode, or of the directory */
    const cohort_instance_t *instance; /* NULL where the table above names none; both live */
    const cohort_instance_t *before;   /* until the handler returns */
    const char *text;                  /* BAD: what is wrong; else NULL */
    size_t count;                      /* BATCH: events before it in this batch */
} cohort_directory_event_t;

typedef void cohort_directory_fn (cohort_directory_t *self, const cohort_directory_event_t *event,
                                  void *arg);

/* Chooses one of count > 0 candidates: returns its index, or anything else for none.  It must
 * not call the directory. */
typedef int cohort_choose_fn (const cohort_instance_t *const *candidates, size_t count,
                              const char *key, void *arg);

/* Starts to follow path; returns at once.  options may be NULL.  NULL: malformed options or
 * path, a session that has ended and cannot be renewed, or out of memory; of what the client
 * refused cohort_errmsg says why. */
COHORT_API cohort_directory_t *cohort_directory_new (cohort_t *client, const char *path,
                                                     const cohort_directory_options_t *options);

/* No event after it.  Inside any handler too.  Must come before cohort_destroy of the client.
 * Sets *self_p to NULL. */
COHORT_API void cohort_directory_destroy (cohort_directory_t **self_p);

/* NULL: none. */
COHORT_API void cohort_directory_set_handler (cohort_directory_t *self, cohort_directory_fn *fn,
                                              void *arg);

/* A chooser of the caller's own instead of the strategy; NULL: the strategy again. */
COHORT_API void cohort_directory_set_chooser (cohort_directory_t *self, cohort_choose_fn *fn,
                                              void *arg);

/* As cohort_mirror_wait and cohort_mirror_retry. */
COHORT_API int cohort_directory_wait (cohort_directory_t *self, int timeout_ms) COHORT_MUST_CHECK;
COHORT_API int cohort_directory_retry (cohort_directory_t *self);

/* Picks an instance of the group (NULL: of any) that is neither draining nor in quarantine; key
 * (may be NULL) names the player or whatever is to be placed.  NULL: there is none, or no memory
 * for the chooser's list.  An instance lives until the next cohort_dispatch or cohort_run of the
 * client, or, when it was obtained inside a handler, until that handler returns. */
COHORT_API const cohort_instance_t *cohort_directory_pick (cohort_directory_t *self,
                                                           const char *group, const char *key);

/* What became of using the instance with this uid.  ok != 0 forgets its errors; 0 counts one,
 * and enough of them within the time put it in quarantine: see the options.  0, or
 * COHORT_ENONODE: no such instance is listed. */
COHORT_API int cohort_directory_report (cohort_directory_t *self, const char *uid, int ok);

/* For how many ms more the instance with this uid is in quarantine; 0: it is not. */
COHORT_API int64_t cohort_directory_quarantine_ms (cohort_directory_t *self, const char *uid);

/* One instance, or NULL; all of a group (NULL: of all) in the order of group and uid, draining
 * and quarantined ones included, NULL at the end; their number. */
COHORT_API const cohort_instance_t *cohort_directory_get (cohort_directory_t *self,
                                                          const char *group, const char *uid);
COHORT_API const cohort_instance_t *cohort_directory_first (cohort_directory_t *self,
                                                            const char *group);
COHORT_API const cohort_instance_t *cohort_directory_next (cohort_directory_t *self,
                                                           const char *group,
                                                           const cohort_instance_t *instance);
COHORT_API size_t cohort_directory_count (cohort_directory_t *self);

/* Entries that are there and cannot be read. */
COHORT_API size_t cohort_directory_bad_count (cohort_directory_t *self);

/* As of the mirror: cohort_mirror_zxid and cohort_mirror_stale_ms. */
COHORT_API uint64_t cohort_directory_zxid (cohort_directory_t *self);
COHORT_API int64_t cohort_directory_stale_ms (cohort_directory_t *self);

#ifdef __cplusplus
}
#endif
#endif
