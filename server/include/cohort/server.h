/*
 * cohort/server.h - a Cohort server inside your process
 *
 * The very server that cohortd runs.  With data_dir NULL it keeps everything in memory, with
 * clients = "inproc://name" it needs no port, and with manual_clock its time moves only when a
 * test says so: production code is tested without starting anything and without sleeping.
 *
 *      cohort_server_options_t options = { .size = sizeof options, .clients = "inproc://test" };
 *      cohort_server_t *server = cohort_server_new (&options);
 *      if (!server || cohort_server_start (server))
 *          ...
 *      cohort_options_t client = { .size = sizeof client, .loop = cohort_server_loop (server) };
 *      cohort_t *cohort = cohort_new ("inproc://test", &client);
 *
 * A server has a thread of its own (and one for its disk, if it has one).  Functions may be
 * called from any thread, one at a time for each server.
 */
#ifndef COHORT_SERVER_H
#define COHORT_SERVER_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_server cohort_server_t;

enum { COHORT_LOG_ERROR = 0, COHORT_LOG_WARNING = 1, COHORT_LOG_INFO = 2, COHORT_LOG_DEBUG = 3 };

/* One event: a name of words joined with '-', and details as "key=value" pairs.  Runs on the
 * server's thread and must not block nor call this server. */
typedef void cohort_log_fn (int level, const char *event, const char *details, void *arg);

/* A server of the ensemble. */
typedef struct cohort_server_member {
    uint32_t id;
    const char *address;        /* between servers: "tcp://host:5188" */
    const char *client_address; /* for people, in status; NULL: not known */
    int observer;               /* 1: in no quorum */
} cohort_server_member_t;

typedef struct cohort_server_options {
    size_t size;                           /* sizeof (cohort_server_options_t) */
    uint32_t id;                           /* 0: 1 */
    const cohort_server_member_t *members; /* the whole ensemble, this server too; NULL: alone */
    size_t members_count;
    const char *clients;     /* endpoints for clients, separated by commas; tcp with port 0 or
                                 '*' takes a free one: see cohort_server_endpoint */
    const char *data_dir;    /* NULL: in memory, gone with the server */
    void *zmq_context;       /* borrowed; NULL: one of its own */
    int manual_clock;        /* 1: time moves by cohort_server_advance_ms alone */
    int peer_timeout_ms;     /* silence after which a server is given up; 0: 500 */
    uint64_t snapshot_bytes; /* of log after which a snapshot is due; 0: 64 MiB,
                                less on a small disk */
    uint32_t data_size_max;  /* of a znode's data, for a new ensemble; 0: 1 MiB */
    uint32_t session_timeout_min_ms; /* session limits of a new ensemble; 0: 100 */
    uint32_t session_timeout_max_ms; /* 0: 10 minutes */
    cohort_log_fn *log;              /* NULL: nothing is logged */
    void *log_arg;
    int log_level;            /* the most talkative level that is passed on; 0: errors only */
    const char *secret_key;   /* CURVE for the clients' endpoints, Z85; NULL: no encryption */
    int snapshot_compression; /* of snapshots: zstd's level, 1 to 9; 0: 1; -1: none */
    uint64_t history_bytes;   /* of changes in memory, from which streams and watches catch up;
                                 0: 16 MiB */
    const char *admins;       /* of an ensemble that has none: who passes every check of
                                 permissions: "digest:USER:HASH", "curve:KEY", "ip:ADDRESS/BITS",
                                 separated by commas; NULL: nobody.  See docs/acl.md */
    uint32_t path_size_max;   /* of a path, for a new ensemble; at most, and 0: 4,096 */
    uint32_t write_window;    /* writes in flight a session, for a new ensemble; 0: 1,024 */
    int replace_admins;       /* 1: `admins` take the place of whoever is administrator, when this
                                 server leads for the first time after this start: for an
                                 ensemble whose administrators have lost their passwords and keys.
                                 See docs/acl.md */
} cohort_server_options_t;

/* Checks and copies the options.  NULL: they are not valid, or out of memory; see
 * cohort_server_new_error. */
COHORT_API cohort_server_t *cohort_server_new (const cohort_server_options_t *options);

/* Why the last cohort_server_new of this thread returned NULL: a code, and a text. */
COHORT_API int cohort_server_new_error (const char **text);

/* Opens the data, recovers, binds and starts serving.  Blocks until the endpoints are bound and
 * the recovery is done; not until there is a leader.  COHORT_ECORRUPT, COHORT_ECONFIG,
 * COHORT_EINUSE (port or folder), COHORT_EDISKFULL, COHORT_ESYSTEM, COHORT_ESTATE (started
 * before); cohort_server_errmsg names the thing. */
COHORT_API int cohort_server_start (cohort_server_t *self) COHORT_MUST_CHECK;

/* Hands leadership over, tells clients to go elsewhere, makes everything durable, and stops.
 * At most about one peer_timeout.  0, or why it had stopped before. */
COHORT_API int cohort_server_stop (cohort_server_t *self);

/* Stops as a crash does: sends nothing more, hands nothing over.  Memory storage is kept: a
 * cohort_server_start after it recovers from what was durable. */
COHORT_API int cohort_server_crash (cohort_server_t *self);

/* As cohort_server_stop if it runs.  Sets *self_p to NULL.  While clients of cohort_server_loop
 * are left, what they use of the server stays for good. */
COHORT_API void cohort_server_destroy (cohort_server_t **self_p);

/* Text of the last failure.  Static or of the server. */
COHORT_API const char *cohort_server_errmsg (cohort_server_t *self);

/* 0 while it runs; else why it stopped by itself (a failed disk, damaged data). */
COHORT_API int cohort_server_failure (cohort_server_t *self);

/* A descriptor that becomes readable when it stops by itself. */
COHORT_API int cohort_server_fd (cohort_server_t *self);

/* The endpoint bound for clients, of the given index, with its real port; NULL: no such. Lives
 * as long as the server. */
COHORT_API const char *cohort_server_endpoint (cohort_server_t *self, size_t index);

/* A loop for clients in this process: it shares the server's ZeroMQ context (inproc needs that)
 * and its clock.  Owned by the server: destroy its clients first. */
COHORT_API cohort_loop_t *cohort_server_loop (cohort_server_t *self);

/* manual_clock: moves the time of this server and of its loop on, in steps small enough that
 * heartbeats are sent and answered on the way, and returns when all is at rest again.  Blocks.
 * COHORT_ESTATE without manual_clock. */
COHORT_API int cohort_server_advance_ms (cohort_server_t *self, int64_t ms);

/* Waits until this server leads, follows a leader, or stands alone, ready for writes: 0, or
 * COHORT_ETIMEDOUT. */
COHORT_API int cohort_server_wait (cohort_server_t *self, int timeout_ms) COHORT_MUST_CHECK;

/* The id of the server that leads, as far as this one knows; 0: nobody, or it does not run. */
COHORT_API uint32_t cohort_server_leader (cohort_server_t *self);

#ifdef __cplusplus
}
#endif
#endif
