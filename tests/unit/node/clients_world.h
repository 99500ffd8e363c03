/* A world for clients.h: servers that share a log, and clients that speak to them in real frames.
 *
 * Each server has a tree of its own and a `struct clients`; what they submit waits in one queue
 * until world_commit gives it zxids and applies it everywhere. What a client receives is written
 * down line by line, so that a test reads like what happened:
 *
 *     world_run (&world);
 *     expect (peer, "reply 1 OK n=1 path=/a v=0");
 *
 * Every frame is decoded with protobuf-c, and each client checks on the way that nothing which
 * carries a zxid came before an event up to it. */

#ifndef TESTS_UNIT_NODE_CLIENTS_WORLD_H
#define TESTS_UNIT_NODE_CLIENTS_WORLD_H

#include "tests/unit/unit.h"

#include "client.pb-c.h"
#include "client/base/arena.h"
#include "client/base/buf.h"
#include "server/node/clients.h"
#include "server/node/wire_client.h"

enum { WORLD_SERVERS_MAX = 3, WORLD_PEERS_MAX = 64, WORLD_STREAMS_MAX = 8, WORLD_ASKS_MAX = 4096 };

struct world;

/* A connection's end, and the session behind it. */
struct peer {
    struct world *world;
    size_t server;
    uint64_t connection;       /* 0: none */
    bool full;                 /* its pipe takes nothing */
    bool dropped;              /* by the server */
    bool mad;                  /* says what no client says: the order of events is not checked */
    bool hoards;               /* confirms nothing of what it receives of snapshots */
    const char *address, *key; /* that its connection shows; NULL: none */
    size_t frames;             /* received */
    size_t largest;            /* bytes of the largest of them */

    /* The session's. */
    uint8_t nonce[16], password[16];
    uint64_t session, attach_no;
    uint32_t incarnation;
    uint64_t xid, number, ack_to; /* the last ones used */

    /* What was received. */
    struct buf trace;
    size_t read;
    uint64_t settled; /* everything up to it has been told */
    uint64_t replied; /* zxid of the last reply */
    size_t listed;    /* children in lists */
    uint64_t batched; /* zxid of the last batch without MORE */
    uint64_t credit;
    struct {
        uint64_t id, since;
    } streams[WORLD_STREAMS_MAX];
    struct {
        uint64_t id, bytes;
    } taken[WORLD_STREAMS_MAX]; /* to be confirmed */
    size_t taken_count;
    struct {
        uint64_t id;                 /* of the stream that is counted; 0: none */
        size_t pieces, nodes;        /* of its snapshots, and what was found */
        size_t changes;              /* told on the way */
        size_t firsts, wholes;       /* pieces that began and ended one */
        size_t nodes_max, bytes_max; /* of one piece */
        size_t bytes;
        /* Puts together what comes. */
        void (*take) (void *arg, const Cohort__Wire__StreamBatch *piece);
        void *arg;
    } walk;

    /* The frame that is being made. */
    struct arena arena;
    Cohort__Wire__ClientFrame frame;
    Cohort__Wire__Request *requests[WORLD_ASKS_MAX];
};

struct world_server {
    struct world *world;
    uint32_t id;
    struct tree *tree;
    struct clients *clients;
    bool leader;
    bool lags;   /* applies nothing */
    bool behind; /* it has no leader, and will take over another's state */
    size_t applied;
    uint32_t told;    /* watches and streams, of the last that it has applied */
    struct buf notes; /* what the host was told, line by line */
    size_t notes_read;
    uint64_t last_token;
    char log[256]; /* the last line that was logged */
    size_t logged;
};

struct world_entry {
    uint8_t *data;
    size_t size;
    size_t server; /* that submitted it */
    int64_t stamp_ms;
};

struct world {
    size_t count;
    struct world_server servers[WORLD_SERVERS_MAX];
    struct world_entry *waiting, *log;
    size_t waiting_count, log_count, waiting_capacity, log_capacity;
    bool held; /* nothing is committed */
    uint32_t epoch;
    uint64_t counter;
    uint64_t *zxids;
    struct peer *peers[WORLD_PEERS_MAX];
    size_t peers_count;
    uint64_t connections;
    int64_t now_ms;
    /* Instead of peers, and of notes; or NULL. */
    const struct world_hooks *hooks;
    void *hooks_arg;
};

struct world_hooks {
    bool (*send) (void *arg, size_t server, uint64_t connection, const uint8_t *data, size_t size);
    void (*drop) (void *arg, size_t server, uint64_t connection);
    void (*heartbeat) (void *arg, size_t server, uint64_t session, uint64_t attach_no,
                       uint64_t seq);
    void (*sync) (void *arg, size_t server, uint64_t token);
};

struct world_options {
    size_t servers; /* 0: 1 */
    uint64_t effects_bytes;
    uint64_t pending_bytes, output_bytes;
    uint32_t walk_nodes, walk_window, watches_max, hellos_max, turn_work;
    uint32_t writes_under_way;
    uint32_t window, data_size_max, results_size_max;
    const char *admins; /* as identity_text.h has it */
};

/* The leader is there from the beginning. */
struct world *world_new (const struct world_options *options);
void world_free (struct world **world);

/* Everything until nothing happens any more. */
void world_run (struct world *world);
/* The first `count` of what waits. */
void world_commit (struct world *world, size_t count);
/* One server applies the next entry of the log; false: it has all. */
bool world_apply (struct world *world, size_t server);
void world_flush (struct world *world);
void world_advance (struct world *world, int64_t ms);
/* The leader goes, and what was submitted with it; a new one comes, in a new epoch. */
void world_lose_leader (struct world *world);
void world_new_leader (struct world *world);
/* A server's state becomes that of another, which has applied no less: a snapshot was installed. */
void world_install (struct world *world, size_t index, size_t from);
/* An entry that no client asked for. */
void world_entry (struct world *world, const struct entry *entry);
void world_close_session (struct world *world, uint64_t session, uint64_t attach_no,
                          enum entry_close_reason reason);

/* A new client, connected to a server (an index) and not yet greeting. */
struct peer *peer_new (struct world *world, size_t server);
/* As peer_new, with its session: hello and all that follows, up to the welcome. */
struct peer *peer_attached (struct world *world, size_t server);
/* Leaves its connection silently; told: the server notices. */
void peer_disconnect (struct peer *peer, bool told);
void peer_connect (struct peer *peer, size_t server);
/* Says hello with the next attach number; and with what the session knows. */
void peer_hello (struct peer *peer);
/* Another process with this session: a restart from a state file, or a thief. */
struct peer *peer_clone (const struct peer *peer, size_t server);

/* Requests, each with the next xid, and writes with the next number. They return the xid. */
uint64_t ask_create (struct peer *peer, const char *path, const char *data, uint32_t mode);
uint64_t ask_create_bytes (struct peer *peer, const char *path, size_t size);
uint64_t ask_set (struct peer *peer, const char *path, const char *data, int32_t version);
uint64_t ask_set_bytes (struct peer *peer, const char *path, size_t size);
uint64_t ask_delete (struct peer *peer, const char *path, int32_t version);
/* Creates each of the paths (NULL at the end), and sets the first one's data. */
uint64_t ask_multi (struct peer *peer, const char *const *paths);
uint64_t ask_close (struct peer *peer);
/* All that it owns to another, which agrees. */
Cohort__Wire__HandOver *ask_hand_over (struct peer *peer, const struct peer *to);
uint64_t ask_get (struct peer *peer, const char *path, bool watch);
uint64_t ask_exists (struct peer *peer, const char *path, bool watch);
uint64_t ask_children (struct peer *peer, const char *path, bool watch);
/* A page of children; what else is asked for is set in what it returns. */
Cohort__Wire__List *ask_list (struct peer *peer, const char *path, const char *prefix,
                              const char *after);
uint64_t ask_sync (struct peer *peer);
uint64_t ask_stream (struct peer *peer, uint64_t id, const char *path, uint64_t from);
uint64_t ask_stream_close (struct peer *peer, uint64_t id);
Cohort__Wire__Request *ask_raw (struct peer *peer, bool write);

void ask_heartbeat (struct peer *peer, uint64_t seq);
void ask_rearm (struct peer *peer, uint64_t last_zxid, bool more);
void ask_rearm_watch (struct peer *peer, enum watch_kind kind, const char *path);
void ask_rearm_stream (struct peer *peer, uint64_t id, const char *path, uint64_t from);
void ask_status (struct peer *peer);

/* Sends what was asked for as one frame. */
void peer_send (struct peer *peer);
void peer_send_bytes (struct peer *peer, const void *data, size_t size);
/* Confirms what it has received of snapshots; world_run does it, too. */
void peer_confirm (struct peer *peer);
/* peer_send, then world_run. */
void peer_do (struct peer *peer);

/* The next line received must be this; NULL: there must be none. */
void expect (struct peer *peer, const char *line);
/* The same, for a line that begins so. */
void expect_prefix (struct peer *peer, const char *prefix);
/* The next line, borrowed until the next call; NULL: none. */
const char *next_line (struct peer *peer);
void forget_lines (struct peer *peer);

/* The next thing the server's host was told: "heartbeat session attach seq", "disconnected session
 * attach", "sync token", "dropped peer". */
void expect_note (struct world *world, size_t server, const char *line);
void forget_notes (struct world *world, size_t server);

#endif
