/* The session machine: one session of one client, as a pure function of what happens to it.
 *
 * No I/O, clock, thread or randomness: the transport, the time and random bytes are inputs. What it
 * wants done is asked for: after its inputs, one or all that a turn has, the driver
 *
 *     takes commands (session_next_command) until there are none, and carries them out;
 *     asks for frames (session_next_frame) for each link that can take one, until there are none;
 *     takes events (session_take_events) and hands them to the application;
 *     and calls session_tick at session_deadline, or earlier.
 *
 * A link is one connection to one server, named by a number that is never used twice. Two may be
 * open at a time: a session that moves attaches to the new server before it leaves the old.
 *
 * All times are milliseconds of one clock that never goes back. The same inputs give the same
 * outputs, byte for byte. One thread owns a session.
 * May include: hosts, requests, proof, watches, streams, event, wire, base, libc. */

#ifndef COHORT_CLIENT_SESSION_H
#define COHORT_CLIENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "client/base/list.h"
#include "client/src/hosts.h"
#include "client/src/requests.h"
#include "client/src/wire.h"

struct session;

/* Who a session is: what another process needs to go on with it. */
struct session_identity {
    uint8_t cluster_id[WIRE_ID_SIZE];
    uint64_t id;
    uint8_t password[WIRE_ID_SIZE];
    uint32_t incarnation;
    uint32_t timeout_ms, grace_ms;
};

struct session_options {
    const struct hosts *hosts; /* copied, and shuffled */
    uint32_t timeout_ms, grace_ms;
    uint32_t connect_timeout_ms; /* for a server to answer before the next is tried */
    uint64_t stream_bytes_max;   /* of the snapshot of one stream */
    struct session_random random;
    /* The session of the process before, with the incarnation that this one is; NULL: none. If it
     * has ended meanwhile a new one begins. */
    const struct session_identity *past;
    bool close_past; /* closes it, and begins a new one */
};

/* A session that is not connected yet: its first command follows the first session_tick. NULL
 * without memory. */
struct session *session_new (const struct session_options *options);
/* Frees everything, events not taken included. */
void session_free (struct session **self_p);

/* ---- Inputs ---------------------------------------------------------------------------------- */

/* Queues a request, which is the session's from then on. Exactly one EVENT_RESULT with it follows,
 * at once if it is refused. */
void session_submit (struct session *self, struct request *request, int64_t now_ms);
/* The same for one of many: session_tick follows the last. */
void session_enqueue (struct session *self, struct request *request);

/* The connection stands / has ended, or could not be made: rc is COHORT_ECONNECT, or
 * COHORT_EAUTHFAILED if the server refused the keys. The link's CONNECT has been taken before.
 * Links the session has given up are ignored. */
void session_link_up (struct session *self, uint32_t link, int64_t now_ms);
void session_link_down (struct session *self, uint32_t link, int rc, int64_t now_ms);

/* What a server sent; borrowed. */
void session_frame (struct session *self, uint32_t link, const void *bytes, size_t size,
                    int64_t now_ms);
/* The same, but if `shared` is not NULL the bytes stand for as long as it is retained: they are not
 * copied then. */
void session_frame_shared (struct session *self, uint32_t link, const void *bytes, size_t size,
                           struct shared *shared, int64_t now_ms);

/* Time has passed. */
void session_tick (struct session *self, int64_t now_ms);

/* Ends: `orderly` sends what is queued and then closes the session; otherwise the session is left
 * to its time limits. Watches are lost at once, those that are still set by an answer with it.
 * session_closed tells when it is over. */
void session_close (struct session *self, bool orderly, int64_t now_ms);

/* After LOST: a new session with fresh random bytes, which first proves who it is as the old one
 * did. COHORT_ESTATE if it is not LOST, COHORT_ENOMEM: nothing has changed. */
int session_renew (struct session *self, const struct session_random *random, int64_t now_ms);

/* What another process would need could not be kept: the session is LOST, the text says why. */
void session_fail (struct session *self, int rc, const char *text);

/* While set, no heartbeats are sent, and a session that was CONNECTED attaches to no server, which
 * would renew it, too, unless it is being closed: the application hangs, and its session shall end.
 */
void session_mute (struct session *self, bool muted);

/* ---- Outputs --------------------------------------------------------------------------------- */

enum session_command_kind { SESSION_CONNECT, SESSION_DISCONNECT };

struct session_command {
    enum session_command_kind kind;
    uint32_t link;
    char endpoint[HOSTS_ENDPOINT_MAX + 1]; /* CONNECT */
};

/* The next command; false: there is none. */
bool session_next_command (struct session *self, struct session_command *command);

/* The next frame for the link, appended to `out` (which is empty); false: there is none now. The
 * frame must then be sent, or the link be ended. */
bool session_next_frame (struct session *self, uint32_t link, struct buf *out, int64_t now_ms);

/* Moves all events (struct event, client/src/event.h) to the end of the list. */
void session_take_events (struct session *self, struct list *events);

/* Whether there is a secret in the frame that session_next_frame has made last: it is to be wiped
 * once it was sent. */
bool session_frame_secret (const struct session *self);

/* Once for each session that was created, before anything is sent in its name: who it is. */
bool session_take_identity (struct session *self, struct session_identity *identity);

/* When session_tick is due, INT64_MAX: only after another input. */
int64_t session_deadline (const struct session *self);

/* ---- What it is like ------------------------------------------------------------------------- */

struct session_view {
    cohort_state_t state;
    int rc;      /* LOST: why */
    uint64_t id; /* 0: none yet */
    const uint8_t *password;
    uint64_t zxid;          /* the highest seen */
    uint64_t told;          /* whatever it waits for has been reported up to this one */
    int64_t valid_until_ms; /* the session is surely alive before; 0: not known to be */
    bool held, no_quorum;   /* requests wait at the server; for want of a quorum */
    uint32_t data_size_max, path_size_max; /* the ensemble's limits, 0: not known */
    const char *endpoint;                  /* of the server it is attached to, or "" */
    const char *reason; /* the last thing that went wrong, or ""; until the next input */
};

void session_view (const struct session *self, struct session_view *view);

/* For how long from now the session is surely alive; never negative. */
int64_t session_valid_ms (const struct session *self, int64_t now_ms);

/* Whether session_close has come to its end: no link is left, the session may be freed. */
bool session_closed (const struct session *self);

#endif
