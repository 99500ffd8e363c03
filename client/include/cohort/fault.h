/*
 * cohort/fault.h - what tests make go wrong on a client's connections
 *
 * For tests of programs that use Cohort: an answer that is lost, events that come late, a network
 * that is cut.  The faults are the client's own; its server, and everybody else, notices nothing
 * but what a real network would do to them; sessions that share its connection (cohort_loop_new)
 * keep it, as if each had its own.  Costs nothing while it is not used.  cohort/test.h has
 * the faults of servers.
 *
 *      cohort_fault_drop_replies (client, 1);
 *      rc = cohort_create (client, "/a", ...);    // applied once, answered after a reconnect
 *
 * Functions may be called from any thread; they do not block.  Each takes effect before the next
 * frame is read, in a client without a background thread not before its next cohort_dispatch.
 */
#ifndef COHORT_FAULT_H
#define COHORT_FAULT_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The next `count` frames that answer a request are lost, each together with the connection on
 * which it came, as when a server dies or a cable is pulled behind a commit.  The requests were
 * carried out.  0 takes back what is left.  0, or COHORT_EINVAL: count is negative. */
COHORT_API int cohort_fault_drop_replies (cohort_t *client, int count);

/* Ends its connections, at once and once; the client connects again by itself. */
COHORT_API void cohort_fault_cut (cohort_t *client);

/* isolated != 0: ends its connections, and makes every further one fail until it is called with 0.
 * The client is SUSPENDED, and LOST when the session's limits have passed. */
COHORT_API void cohort_fault_isolate (cohort_t *client, int isolated);

/* What is held back. */
enum {
    COHORT_HOLD_NOTHING = 0,
    COHORT_HOLD_EVENTS = 1, /* from the next frame on that has events of watches or of streams */
    COHORT_HOLD_ALL = 2
};

/* Frames that have arrived wait, in their order, until this is called with COHORT_HOLD_NOTHING.  As
 * on a network that is slow all that is behind an event waits with it, answers and heartbeats too:
 * a client that hears nothing for as long as cohort_options_t.timeout_ms allows leaves the
 * connection, and what waited on it is lost with it.  0, or COHORT_EINVAL. */
COHORT_API int cohort_fault_hold (cohort_t *client, int what);

#ifdef __cplusplus
}
#endif
#endif
