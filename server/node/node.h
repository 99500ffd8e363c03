/*
 * server/node/node.h - one server: joins core, tree, store and transport
 *
 * Deterministic: all input comes through these calls, time and randomness included, and all
 * output leaves through `store` and `transport`.  Production (server/net) and the simulator run
 * the same node.  One thread.
 *
 * A turn:  node_time, any number of inputs, node_flush.  Output is batched until node_flush.
 *
 * Inside (each with a header of its own):
 *    link.h       the ordered channel between two servers, over connections that lose frames
 *    bootstrap.h  the first round of an ensemble
 *    ensemble.h   drives the core: updates to store and links, entries to the tree, snapshots
 *    tracker.h    the leader's view of sessions: deadlines, rounds, expiry
 *    clients.h    connections, sessions' requests, replies, watches and streams
 * node.c joins them; none of them calls another except through what its header names.
 */
#ifndef SERVER_NODE_NODE_H
#define SERVER_NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/config.h"
#include "server/core/zab.h"
#include "server/node/bounds.h"
#include "server/node/logger.h"
#include "server/node/recovery.h"
#include "server/store/store.h"
#include "server/tree/tree.h"

struct node;

/* What a node needs of a network.  None of these calls back into the node.
 *
 * Peers: one outgoing connection to each (frames to it are sent there; frames from it come in
 * by its own outgoing connection).  connect: drops what there was and starts afresh; the answer
 * is node_peer_connected or node_peer_disconnected.  send: false when the pipe is full or gone.
 *
 * Clients: a connection is a number never used twice.  send: false when its pipe is full (the
 * frame was not taken); what was taken may wait for the next flush (NULL: it does not), which comes
 * when all replies of a turn are there.  drop: forget the connection; nothing more is delivered
 * from it.  origin: appends whom the connection shows its client to be (server/tree/identity.h);
 * NULL: nobody. */
struct node_transport {
    void *arg;
    void (*peer_connect) (void *arg, uint32_t peer);
    void (*peer_close) (void *arg, uint32_t peer);
    bool (*peer_send) (void *arg, uint32_t peer, const uint8_t *data, size_t size);
    bool (*client_send) (void *arg, uint64_t connection, const uint8_t *data, size_t size);
    void (*client_drop) (void *arg, uint64_t connection);
    void (*client_origin) (void *arg, uint64_t connection, struct buf *identities);
    void (*client_flush) (void *arg);
};

enum { NODE_ADDRESS_MAX = 128 };

struct node_member {
    uint32_t id;
    enum config_role role;
    char address[NODE_ADDRESS_MAX];        /* between servers; for status */
    char client_address[NODE_ADDRESS_MAX]; /* "" if not known */
};

struct node_options {
    uint32_t id;
    const struct node_member *members; /* with this server; one member: standalone */
    size_t members_count;
    struct store *store;          /* open; borrowed */
    struct recovery_early *early; /* loaded meanwhile: see recovery.h; NULL: nothing; borrowed */
    const char *folder; /* where that is, for people; NULL: nowhere that has a name; borrowed */
    struct node_transport transport;
    struct logger logger;
    uint64_t seed;             /* random */
    uint64_t hash_seed;        /* random and secret: of the tables in memory (tree.h) */
    uint64_t first_sequence;   /* likewise of the tree; 0 but in tests */
    uint8_t cluster_id[16];    /* random: for the ensemble if this server founds it */
    int peer_timeout_ms;       /* 0: 500 */
    uint64_t snapshot_bytes;   /* 0: 64 MiB of log make a snapshot due */
    uint32_t snapshot_slice;   /* bytes of a snapshot in a turn; 0: see checkpoint.h */
    uint32_t sync_chunk_bytes; /* 0: see zab.h */
    uint64_t counter_max;      /* likewise */
    uint64_t effects_bytes;    /* 0: 16 MiB */
    uint32_t walk_nodes;       /* of streams' snapshots: see clients.h */
    uint32_t walk_window;
    uint32_t frame_bytes; /* to clients, likewise */
    uint32_t turn_work;   /* for clients, likewise */
    uint32_t writes_under_way, watches_max;
    uint64_t pending_bytes_max, queue_bytes_max, output_bytes_max, output_low;
    uint64_t link_window;       /* see links.h */
    struct entry_limits limits; /* for a new ensemble; zero fields: the defaults */
    const char *admins;         /* of an ensemble that has none: see admins_parse; NULL: nobody */
    bool replace_admins;        /* of one that has others, too: see docs/acl.md */
    struct zab_observer observer;
};

/* Of the state that the node will have. */
struct tree_options node_tree_options (const struct node_options *options);

/* NULL: out of memory, or the configuration and the store do not agree: error says how. */
struct node *node_new (const struct node_options *options, char *error, size_t error_size);
void node_destroy (struct node **self_p);

/* Recovers: loads the newest snapshot, replays the log up to what it records as committed.
 * Blocks.  0 or COHORT_E... with an error text. */
int node_start (struct node *self, int64_t now_ms, int64_t wall_ms, char *error, size_t error_size);

/* ---- A turn ------------------------------------------------------------------------------ */

/* now_ms: monotonic; wall_ms: since 1970. */
void node_time (struct node *self, int64_t now_ms, int64_t wall_ms);

void node_peer_connected (struct node *self, uint32_t peer);
void node_peer_disconnected (struct node *self, uint32_t peer);

/* A frame that some peer sent here; it names its sender itself. */
void node_peer_frame (struct node *self, const uint8_t *data, size_t size);

void node_client_frame (struct node *self, uint64_t connection, const uint8_t *data, size_t size);

/* The connection is proven dead and its input is complete. */
void node_client_closed (struct node *self, uint64_t connection);

/* Timers, the store's completions, applying, batched output.  true: there is more to do at
 * once (call again after looking at the sockets). */
bool node_flush (struct node *self);

/* How much processor time the turn has taken, which the node itself cannot know.  A turn beyond
 * NODE_LONG_TURN_US is told to the log, and counted for node_status. */
enum { NODE_LONG_TURN_US = 10000 };
void node_turn_took (struct node *self, uint64_t processor_us);

/* When to call again at the latest, now_ms; INT64_MAX: no timer. */
int64_t node_deadline (const struct node *self);

/* ---- Ending ------------------------------------------------------------------------------ */

/* Hands leadership over and takes no more clients' writes; node_left turns true when it is done
 * or after peer_timeout. */
void node_leave (struct node *self);
bool node_left (const struct node *self);

/* Expires a session now: for tests.  0, COHORT_ESESSIONEXPIRED: there is none that lives;
 * COHORT_ESTATE: this server does not lead, has just begun to, or has still to apply entries. */
int node_expire (struct node *self, uint64_t session);

/* 0, or why this server must stop at once (a failed disk, a halted core); text says it. */
int node_failure (const struct node *self, const char **text);

/* ---- Looking ----------------------------------------------------------------------------- */

/* What the servers' comparison of their states has said of this one (docs/zab.md, section 14). */
enum node_state {
    NODE_STATE_SOUND = 0,  /* nothing against it */
    NODE_STATE_CONTESTED,  /* states differ, and no quorum agrees: it may be wrong */
    NODE_STATE_QUARANTINED /* it is, or was: no clients until it is proven to be right again */
};

struct node_status {
    uint32_t id;
    bool standalone;
    struct zab_status zab;
    zxid_t applied;
    uint64_t digest;
    uint64_t znodes;
    uint64_t sessions;
    uint64_t connections;
    const uint8_t *cluster_id; /* NULL: none yet */
    const char *disk;          /* "ok", "full" */
    enum node_state state;
    const char *state_reason; /* for people; "": SOUND; lives until the next turn */
    uint64_t turn_us_max;     /* processor time of the longest turn so far; 0: nobody has told */
    uint64_t long_turns;      /* how many took longer than NODE_LONG_TURN_US */
};
void node_status (const struct node *self, struct node_status *status);

/* The server that leads, itself perhaps, once this one is activated; 0: it is not. Costs next to
 * nothing, whereas a status has the digest of the state. */
uint32_t node_leader (const struct node *self);
const struct tree *node_tree (const struct node *self);

/* Looks at all that waits here: between turns. */
void node_bounds (const struct node *self, struct bounds *bounds);

#endif
