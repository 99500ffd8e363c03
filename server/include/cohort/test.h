/*
 * cohort/test.h - an ensemble inside your test, and what can go wrong with it
 *
 * For tests of programs that use Cohort.  Any number of servers run in the test's own process, in
 * memory, on endpoints that nobody else can have; the test kills their leader, stalls a disk, moves
 * clocks, expires a session.  The servers are those of cohortd, and so is all that happens.
 * cohort/fault.h has the faults of a client's connections.
 *
 *      cohort_test_options_t options = { .size = sizeof options, .servers = 3 };
 *      cohort_test_t *test = cohort_test_new (&options);
 *      cohort_t *client = cohort_new (cohort_test_endpoints (test), NULL);
 *      ...
 *      cohort_test_kill_leader (test);
 *      rc = cohort_set (client, "/a", ...);        // a delay, nothing else
 *      ...
 *      cohort_destroy (&client);
 *      cohort_test_destroy (&test);
 *
 * With manual_clock (one server) nothing waits for real time: clients are made with the option
 * loop = cohort_test_loop (test), and cohort_test_advance_ms moves them and the server on together.
 *
 * Functions may be called from any thread, one at a time for each ensemble.  All of them may block
 * for as long as it takes; none longer than a minute.  They return 0 or a negative COHORT_E...;
 * cohort_test_errmsg says what it was.
 */
#ifndef COHORT_TEST_H
#define COHORT_TEST_H

#include "cohort/fault.h"
#include "cohort/server.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { COHORT_TEST_SERVERS_MAX = 7 };

typedef struct cohort_test cohort_test_t;

typedef struct cohort_test_options {
    size_t size;         /* sizeof (cohort_test_options_t) */
    size_t servers;      /* 1 to COHORT_TEST_SERVERS_MAX; 0: 1 */
    int manual_clock;    /* 1: time moves by cohort_test_advance_ms alone; one server only */
    int peer_timeout_ms; /* silence after which servers give each other up; 0: 500 */
    uint32_t session_timeout_min_ms; /* as cohort_server_options_t has them; 0: its defaults */
    uint32_t session_timeout_max_ms;
    const char *admins; /* likewise; NULL: nobody */
    uint64_t
        first_sequence; /* number of the first sequential name below each znode: 9999999999
                           and the next name is longer, 2147483647 and it does not fit an int */
    const char *const *endpoints; /* one a server, for clients: "tcp://127.0.0.1:0"; NULL: ones
                                     that only this machine sees */
    cohort_log_fn *log;           /* of all servers; NULL: nothing is logged */
    void *log_arg;
    int log_level;
} cohort_test_options_t;

/* Starts the servers and waits until they serve.  NULL options: the defaults.  NULL: it cannot be;
 * see cohort_test_new_error. */
COHORT_API cohort_test_t *cohort_test_new (const cohort_test_options_t *options);

/* Why the last cohort_test_new of this thread returned NULL: a code, and a text. */
COHORT_API int cohort_test_new_error (const char **text);

/* Stops the servers.  Clients should have been destroyed; those of cohort_test_loop must.  Sets
 * *self_p to NULL. */
COHORT_API void cohort_test_destroy (cohort_test_t **self_p);

/* Text of the last failure.  Lives until the next. */
COHORT_API const char *cohort_test_errmsg (cohort_test_t *self);

/* ---- Looking ----------------------------------------------------------------------------- */

/* Endpoints of all servers, for cohort_new; of one server alone, or NULL.  Servers are numbered
 * from 0.  Both live as long as the ensemble. */
COHORT_API const char *cohort_test_endpoints (cohort_test_t *self);
COHORT_API const char *cohort_test_endpoint (cohort_test_t *self, size_t server);

COHORT_API size_t cohort_test_servers (cohort_test_t *self);

/* The server itself, for all that cohort/server.h offers but its life, which is the ensemble's;
 * NULL: there is none of that number. */
COHORT_API cohort_server_t *cohort_test_server (cohort_test_t *self, size_t server);

/* A loop for clients: with manual_clock the one that they must be on.  The ensemble's. */
COHORT_API cohort_loop_t *cohort_test_loop (cohort_test_t *self);

/* Who leads, waiting for it: the number of a server, or COHORT_ETIMEDOUT. */
COHORT_API int cohort_test_leader (cohort_test_t *self, int timeout_ms);

/* ---- Servers ----------------------------------------------------------------------------- */

/* Crashes: sends nothing more, and hands nothing over.  What was durable is there when it is
 * started again.  COHORT_EINVAL: no such server; COHORT_ESTATE: it does not run. */
COHORT_API int cohort_test_kill (cohort_test_t *self, size_t server);

/* Kills whoever leads: the number of that server, or COHORT_ETIMEDOUT: nobody does. */
COHORT_API int cohort_test_kill_leader (cohort_test_t *self);

/* Starts one that was killed, and waits until it serves, if there are enough for that.
 * COHORT_EINVAL, COHORT_ESTATE (it runs), and the errors of cohort_server_start. */
COHORT_API int cohort_test_start (cohort_test_t *self, size_t server);

/* stalled != 0: what a server writes does not become durable, until this is called with 0.  A
 * leader's writes then wait for the others, a single server's for its disk.  COHORT_EINVAL,
 * COHORT_ESTATE (it does not run). */
COHORT_API int cohort_test_stall_disk (cohort_test_t *self, size_t server, int stalled);

/* Moves a server's wall clock, which gives znodes their dates, by ms, back too.  Sessions do not
 * notice: they are measured otherwise.  COHORT_EINVAL. */
COHORT_API int cohort_test_step_clock (cohort_test_t *self, size_t server, int64_t ms);

/* manual_clock: as cohort_server_advance_ms. */
COHORT_API int cohort_test_advance_ms (cohort_test_t *self, int64_t ms);

/* ---- Sessions ---------------------------------------------------------------------------- */

/* Expires the client's session at once, as if its heartbeats had stopped for its timeout: its
 * ephemerals go, and the client is LOST when it hears of it.  Unlike the servers it does not wait
 * until cohort_valid_ms of the client is 0: for a moment a lock may be valid in two places. Returns
 * when the leader has taken it on.  COHORT_ESTATE: the session is not known, or dead;
 * COHORT_ETIMEDOUT: nobody leads. */
COHORT_API int cohort_test_expire (cohort_test_t *self, cohort_t *client);

#ifdef __cplusplus
}
#endif
#endif
