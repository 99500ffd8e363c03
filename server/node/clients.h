/*
 * server/node/clients.h - the clients of this server
 *
 * Connections, attaching, each session's requests in order, replies, watches and streams.
 * Speaks client.proto; knows the ensemble only through `host`, and the network through
 * node_transport's client part.  Deterministic, one thread.
 *
 * What a session asked for is kept here until it is answered: a write as its encoded entry, in
 * number order, so that it can be submitted again to each new leader.
 */
#ifndef SERVER_NODE_CLIENTS_H
#define SERVER_NODE_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/node/backups.h"
#include "server/node/bounds.h"
#include "server/node/logger.h"
#include "server/node/node.h"
#include "server/tree/tree.h"

struct clients;

/* What clients need of the ensemble.  submit: an encoded entry goes to the leader, in order;
 * only between clients_leader (true) and clients_leader (false), else it is dropped (it will be
 * submitted again).  Nothing here calls back at once: answers come by the functions below. */
struct clients_host {
    void *arg;
    void (*submit) (void *arg, const uint8_t *entry, size_t size);

    /* The leader shall hear: a heartbeat of the session (answer: clients_confirmed); that its
     *  connection here is proven dead (no answer; repeated by clients to each new leader until
     *  the session was closed or attached anew). */
    void (*heartbeat) (void *arg, uint64_t session, uint64_t attach_no, uint64_t seq);
    void (*disconnected) (void *arg, uint64_t session, uint64_t attach_no);

    /* A quorum-confirmed read point, once a turn at most, with growing tokens: answer:
     *  clients_synced with this token or a later one, which answers this one too. Lost when the
     *  leader is lost: asked again by clients, as a new one, after clients_leader (true). */
    void (*sync) (void *arg, uint64_t token);
};

struct clients_options {
    uint32_t id; /* of this server */
    struct clients_host host;
    struct node_transport transport;
    struct logger logger;
    uint64_t hash_seed; /* random and secret: of the tables in memory (tree.h) */
    struct tree *tree;
    uint64_t pending_bytes_max; /* of all sessions' unanswered writes; 0: 256 MiB.  With all else
                                   that they have asked for twice as much waits at most: then
                                   whoever has most of it is cut off */
    uint64_t queue_bytes_max;   /* of one session's requests, besides its credit; 0: 32 MiB */
    uint64_t output_bytes_max;  /* waiting for one slow client before it is cut off; 0: 16 MiB */
    uint64_t output_low;        /* likewise before its reads and streams wait; 0: 512 KiB */
    uint32_t watches_max;       /* one-shot watches of one client; 0: 1,048,576 */
    uint32_t hellos_max;        /* clients that wait to be attached; 0: 65,536 */
    uint32_t silence_ms;        /* for which a server may owe a client a sign of life; 0: none is
                                   promised */
    uint32_t walk_nodes;        /* znodes of a slice of a stream's snapshot; 0: 128 */
    uint32_t walk_window;       /* bytes of it that are not confirmed; 0: up to 1 MiB */
    uint32_t frame_bytes; /* of a frame to a client, and of a fragment of what it is told of one
                             transaction, at least 100; 0: 256 KiB */
    uint32_t turn_work;   /* units of work in one clients_flush; 0: 4,096 */
    uint32_t writes_under_way; /* on their way to the leader and back, of all sessions; 0: 1,024 */

    /* Answers StatusQuery. */
    void (*status) (void *arg, struct node_status *status);
    void *status_arg;
    const struct node_member *members;
    size_t members_count;

    /* Whoever wants a backup; its answers go through clients_backup_part.  NULL: nobody gets one.
     */
    void (*backup) (void *arg, uint64_t connection, uint64_t received);
    void *backup_arg;
};

struct clients *clients_new (const struct clients_options *options);
void clients_destroy (struct clients **self_p);

/* ---- From the network -------------------------------------------------------------------- */

void clients_frame (struct clients *self, uint64_t connection, const uint8_t *data, size_t size);
void clients_closed (struct clients *self, uint64_t connection);

/* ---- From the ensemble ------------------------------------------------------------------- */

/* true: there is an activated leader that this server is synchronized with (or it is itself):
 * everything unanswered is submitted again, each session from its lowest number.  false: there
 * is none; submits wait. */
void clients_leader (struct clients *self, bool up);

/* After each tree_apply on this server, in order.  Returns how many watches and streams it had to
 * look at for that, and reads to answer, which is what it costs. */
uint32_t clients_applied (struct clients *self, zxid_t zxid, const struct tree_outcome *outcome);

/* The tree was replaced by a snapshot of another server: everybody is reset; or, `reset` false,
 * only the pointer has changed (start). */
void clients_tree (struct clients *self, struct tree *tree, bool reset);

void clients_confirmed (struct clients *self, uint64_t session, uint64_t attach_no, uint64_t seq);
/* Everything asked for with this token, or one before it. */
void clients_synced (struct clients *self, uint64_t token, zxid_t zxid);

/* Why writes wait, for people; NULL: they do not.  While it is CLIENTS_NO_QUORUM, reads wait too:
 * nobody knows how old they would be.  From a text that begins so clients know that another server
 * may do better: they look for one, and keep this one until they have it. */
#define CLIENTS_NO_QUORUM "no quorum"
#define CLIENTS_BEHIND    CLIENTS_NO_QUORUM " here: this server takes over another server's state"
enum { CLIENTS_HELD_SIZE = 192 }; /* of the text; what is longer is cut */
void clients_held (struct clients *self, const char *reason);

/* A part of a backup for a connection; false: its pipe is full, nothing was taken. */
bool clients_backup_part (struct clients *self, uint64_t connection,
                          const struct backup_part *part);

/* Why this server must show nothing to anybody, for people: all are told to go elsewhere, and so is
 * whoever comes.  NULL: it may again. */
void clients_quarantine (struct clients *self, const char *reason);

/* ---- Turns ------------------------------------------------------------------------------- */

void clients_time (struct clients *self, int64_t now_ms);

/* Sends what is ready: one frame a client as a rule.  true: more to do at once; one call does not
 * more than turn_work and what the last of its steps takes. */
bool clients_flush (struct clients *self);

/* What the last clients_flush has done, and all since the one before, in units of about a
 * microsecond. */
uint64_t clients_work (const struct clients *self);
int64_t clients_deadline (const struct clients *self);

/* Takes nothing more, tells every client to go elsewhere. */
void clients_leave (struct clients *self);

uint64_t clients_connections (const struct clients *self);

/* Looks at all that waits for them: between turns. */
void clients_bounds (const struct clients *self, struct bounds *bounds);

#endif
