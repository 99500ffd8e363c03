/*
 * server/node/tracker.h - the leader's view of sessions: who lives, what is confirmed
 *
 * Only an activated leader tracks.  From tracker_lead on every session has its full limits anew.
 *
 * Time: the tracker has a clock of its own that stands still while this server does (a gap of
 * more than half a peer timeout between two calls of tracker_time): a leader that was stopped
 * must not take its own absence for that of its clients.  After such a stall nothing expires
 * until a quorum round begun later is confirmed: it may be leader no more.
 *
 * Rounds: the core numbers quorum rounds.  What has arrived before round n began is confirmed
 * once n is.  One round at a time; what arrives meanwhile waits for the next.
 *
 * CLOSE and REAP are proposed once, until they are decided; apply decides whether they hold.
 * Pure: the host knows sessions and proposes.
 */
#ifndef SERVER_NODE_TRACKER_H
#define SERVER_NODE_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/node/logger.h"
#include "server/tree/tree.h"

struct tracker;

enum {
    TRACKER_WAITING_MAX = 1 << 20, /* heartbeats that wait for a round; one too many is lost, and
                                      its client's next one counts */
    TRACKER_FILL_SLICE = 2000,     /* sessions taken over in one turn */
    TRACKER_CLOSE_SLICE = 256      /* CLOSE entries proposed in one turn */
};

struct tracker_host {
    void *arg;
    bool (*session) (void *arg, uint64_t id, struct tree_session *session);
    bool (*session_next) (void *arg, uint64_t after, struct tree_session *session);
    bool (*session_dead) (void *arg, struct tree_session *session);
    void (*propose) (void *arg, const struct entry *entry);
    void (*confirm) (void *arg, uint32_t server, uint64_t session, uint64_t attach_no,
                     uint64_t seq);
    void (*synced) (void *arg, uint32_t server, uint64_t token, zxid_t zxid);
};

/* NULL: out of memory. */
struct tracker *tracker_new (const struct tracker_host *host, int peer_timeout_ms,
                             const struct logger *logger, int64_t now_ms);
void tracker_destroy (struct tracker **self_p);

/* ---- Leadership -------------------------------------------------------------------------- */

/* This server is an activated leader. */
void tracker_lead (struct tracker *self);

/* Its initial history is applied: sessions are taken over (in slices, by tracker_turn), and from
 * then on they expire and heartbeats are confirmed. */
void tracker_ready (struct tracker *self);

/* It leads no more: everything is forgotten. */
void tracker_unlead (struct tracker *self);
bool tracker_leading (const struct tracker *self);

/* ---- Input ------------------------------------------------------------------------------- */

void tracker_time (struct tracker *self, int64_t now_ms);

/* The newest quorum round begun, and the newest confirmed: answers what that confirms. */
void tracker_rounds (struct tracker *self, uint64_t begun, uint64_t confirmed);

/* A heartbeat that `server` has passed on. */
void tracker_heartbeat (struct tracker *self, uint32_t server, uint64_t session, uint64_t attach_no,
                        uint64_t seq);

/* An ATTACH that its session admits has been proposed, in an entry up to `last`.  Others may apply
 * it long before this server does: a heartbeat that arrives from now on by the attach before is not
 * confirmed until this server knows which one is current.  Whoever has attached counts on that:
 * another process that was given the session, and the grace behind the end of its connection. */
void tracker_attaching (struct tracker *self, uint64_t session, zxid_t last);

/* An ATTACH of the session has been received, not yet applied: it lives. */
void tracker_touch (struct tracker *self, uint64_t session);

/* Expires a session at once, as if its client had been silent for too long: for tests.  0,
 * COHORT_ESESSIONEXPIRED: there is none that lives; COHORT_ESTATE: sessions are not taken over. */
int tracker_expire (struct tracker *self, uint64_t session);

/* The connection that `server` had for this attach is proven dead: grace counts from now. */
void tracker_disconnected (struct tracker *self, uint32_t server, uint64_t session,
                           uint64_t attach_no);

/* A read of `server` wants a point: last: everything proposed so far.  Tokens of a server grow, and
 * the answer to one is that to all before it (points.h). */
void tracker_sync (struct tracker *self, uint32_t server, uint64_t token, zxid_t last);

/* The link to that server is down: whatever it asked is forgotten.  If it is another process that
 * comes back, it may use the same tokens for later questions. */
void tracker_server_down (struct tracker *self, uint32_t server);

/* After each entry applied here. */
void tracker_applied (struct tracker *self, zxid_t zxid, const struct tree_outcome *outcome);

/* ---- Output ------------------------------------------------------------------------------ */

/* Takes over sessions, proposes what has expired.  true: more at once. */
bool tracker_turn (struct tracker *self);

/* Whether a quorum round should begin now. */
bool tracker_wants_round (const struct tracker *self);

int64_t tracker_deadline (const struct tracker *self);

/* Sessions tracked. */
size_t tracker_count (const struct tracker *self);

#endif
