/*
 * server/node/client_state.h - the inside of clients.h, for clients.c and client_*.c only
 *
 *   clients.c           inputs, turns, ending
 *   client_hello.c      sessions begin, attach, move and end
 *   client_acl.c        who clients are, and access control lists
 *   client_requests.c   requests come in: checked, encoded, submitted, queued
 *   client_reads_in.c   what reads the tree: comes in
 *   client_reads.c      and is answered
 *   client_answer.c     the queue of a session is answered
 *   client_pending.c    the memory of that queue
 *   client_deliver.c    one FIFO to each client, and what bounds it
 *   client_watch.c      one-shot watches
 *   client_feed.c       streams: who is where; live delivery
 *   client_walk.c       streams: snapshots
 *   client_catchup.c    streams: catching up from the ring
 *   client_latest.c     the same, with the latest values only
 *   client_bounds.c     how much of all that there may be
 *
 * A `client` is one connection that has said hello.  While it is attached it is the one that its
 * session has here; what the session waits for is in its queue and goes with it: the session's
 * client keeps everything unanswered and sends it again wherever it attaches next.
 *
 * Ending a client in the middle of something else would pull the floor from under it: a client is
 * doomed (client_doom), and buried at the end of the input.
 */
#ifndef SERVER_NODE_CLIENT_STATE_H
#define SERVER_NODE_CLIENT_STATE_H

#include "client/base/arena.h"
#include "client/base/buf.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "server/node/clients.h"
#include "server/node/log_limit.h"
#include "server/node/wire_client.h"
#include "server/tree/watch.h"

enum {
    CLIENTS_HELLOS_MAX = 65536,        /* hellos without an answer, forsaken ones included */
    CLIENTS_FORSAKEN_MS = 60000,       /* how long the outcome of a forsaken one is awaited */
    CLIENTS_PENDING_BYTES = 256 << 20, /* the default of pending_bytes_max */
    CLIENTS_OUTPUT_BYTES = 16 << 20,   /* and of output_bytes_max */
    CLIENTS_CREDIT_MIN = 64 << 10,     /* bytes of writes in flight that a session may have */
    CLIENTS_CREDIT_MAX = 4 << 20,
    CLIENTS_RETRY_MS = 2,       /* between attempts to fill a full pipe */
    CLIENTS_REFUSALS_TOLD = 10, /* in the log, one by one, in so many ms: */
    CLIENTS_REFUSALS_MS = 1000,
    CLIENTS_STALL_MS = 10000,  /* a pipe full for so long: the client is cut off */
    CLIENTS_DETAIL_SIZE = 320, /* of the text for people that goes with a refusal */

    CLIENT_ORIGIN_MAX = 2 * (2 + IDENTITY_CURVE_SIZE),
    CLIENT_QUEUE_BYTES_MAX = 32 << 20, /* of requests of one session that wait, besides its credit:
                                          the default of queue_bytes_max */
    CLIENT_WATCHES_MAX = 1 << 20,      /* of one client: the default of watches_max */
    CLIENT_STREAMS_MAX = 1024,
    CLIENT_WRITE_BYTES_MAX = 32 << 20, /* of one encoded write */
    CLIENT_READS_AHEAD = 256, /* that wait for a write and are answered as soon as it is applied,
                                 for writes behind them are on their way; */
    CLIENT_LIST_WEIGHT = 32,  /* what lists of many are counted for among them */
    CLIENT_GAP_MS = 100,      /* between repetitions for the sake of a gap */
    CLIENTS_UNDER_WAY = 1024, /* writes of all sessions together: clients_options.writes_under_way.
                                 Sessions that write have equal shares of them, */
    CLIENT_SHARE_MIN = 8,     /* but never less than this, whatever the others have */

    FRAME_BYTES = 256 << 10, /* a frame ends with the item that goes beyond it, and a fragment of a
                                transaction with the change: clients_options.frame_bytes */
    SEGMENT_KEEP = 64 << 10, /* memory that an unused segment keeps */
    SEGMENTS_KEPT = 256,     /* unused ones */
    OUTPUT_LOW = 512 << 10,  /* waiting for a client: below it, reads are answered and streams
                                  go on; above it, both wait: the default of output_low */

    LIST_BYTES = 512 << 10, /* of a page of children */
    LIST_LOOKS = 10000,     /* children that are looked at for one */
    READS_MAX = 1024,       /* of a multi-read */
    READS_BYTES = 4 << 20,  /* of its answer; what a first read needs beyond is allowed */
    SESSIONS_PAGE = 4096,   /* sessions in an answer */
    PULL_EFFECTS = 4096,    /* looked at in one slice of catching up, */
    PULL_BYTES = 256 << 10, /* and told */
    PULL_SLICES = 16,       /* of one turn */
    TURN_WORK = 4096, /* of one turn, for all clients together; what is left over is for the next:
                         clients_options.turn_work.
                         A unit is a reply, or an event, of about a microsecond; beside, a frame and
                         a new watch are so many, and so many bytes, looks at children or changes,
                         and changes told from the ring are one: */
    WORK_FRAME = 2,
    WORK_WATCH = 2,
    WORK_BYTES = 2048,
    WORK_LOOKS = 16,
    WORK_CHANGES = 4,
    TELL_BATCH = 4, /* what telling streams of one transaction costs, in quarters of a unit: each
                       change of it one; beside, the first of a stream is so many, and so many
                       bytes are one.  Whoever is not told with that of half a turn reads it from
                       the ring: */
    TELL_BYTES = 512,
    TURN_LOOKS = 1 << 20,     /* at the ring's changes, for watches after a reconnect */
    PROGRESS_DISTANCE = 1000, /* transactions after which a quiet stream says how far it is,
                                 though nobody has asked: so that it resumes from the ring */

    WALK_NODES = 128,            /* znodes of a slice of a snapshot: clients_options.walk_nodes */
    WALK_BYTES = 32 << 10,       /* and bytes: it ends with the znode that goes beyond */
    WALK_SLICES = 4,             /* of one turn, for all clients together; */
    WALK_TURN_BYTES = 128 << 10, /* with this many bytes it is over, too */
    WALK_WINDOW_MIN = 64 << 10,  /* of a snapshot, sent and not confirmed: at least and at most; */
    WALK_WINDOW_MAX = 1 << 20,   /* between them what each has of */
    WALK_WINDOWS_TOTAL = 64 << 20,
    WALK_CONFIRM_BYTES = 16 << 10 /* after which a confirmation is asked for */
};

/* ---- Output ------------------------------------------------------------------------------ */

/* Items, the inside of one ServerFrame. */
struct segment {
    struct list_node node;
    struct buf buf;
};

/* ---- Requests ---------------------------------------------------------------------------- */

enum request_kind {
    REQUEST_WRITE,  /* submitted; its payload is the entry, and behind it a text for people */
    REQUEST_STORED, /* of a number applied before: answered from the table */
    REQUEST_GAP,    /* of a number that does not follow */
    REQUEST_EXISTS, /* reads; the payload is the path */
    REQUEST_GET,
    REQUEST_CHILDREN,
    REQUEST_COUNT,
    REQUEST_EPHEMERALS, /* the payload: see request_list */
    REQUEST_MULTI_READ, /* the payload: for each read a request_part */
    REQUEST_GET_ACL,    /* the payload is the path */
    REQUEST_GET_ADMINS,
    REQUEST_WHOAMI,
    REQUEST_UNWATCH, /* the payload is the path */
    REQUEST_SESSIONS,
    REQUEST_SYNC,
    REQUEST_STREAM_OPEN, /* the payload is the path */
    REQUEST_STREAM_CLOSE,
    REQUEST_FAILED /* refused where it came in: code; the payload says more, for people */
};

/* What of the children, or of a session's ephemerals, is asked for; the payload is the path, the
 * name to go on behind, and the prefix. */
struct request_list {
    uint32_t limit;
    uint16_t path_size, after_size, prefix_size;
    uint8_t filter; /* enum tree_filter */
    bool with_stat, with_data, descending;
};

/* One of the reads of a multi-read, in the payload of its request; its text follows. */
struct request_part {
    struct request_list list;
    uint8_t kind; /* enum request_kind */
};

/* One request that waits, in client_pending.c. */
struct request {
    uint64_t xid;
    uint64_t number; /* of a write; of the others 0 */
    uint64_t id;     /* of the sync, also that of a linearizable read; or of the stream */
    uint64_t from;   /* STREAM_OPEN; EPHEMERALS: the session; SESSIONS: behind it */
    int32_t code;    /* FAILED */
    uint32_t flags;  /* STREAM_OPEN; UNWATCH: the type */
    uint32_t size;   /* of the payload */
    uint32_t detail; /* WRITE: of it, for people: why the entry refuses what was asked for */
    uint8_t kind;
    bool refused; /* WRITE: it needs no credit */
    bool watch;
    bool multi;
    bool linearizable;        /* a read: it waits for its sync */
    bool check;               /* UNWATCH: the watches stay */
    bool inherited;           /* GET_ACL: the default of what is created below */
    struct request_list list; /* CHILDREN, EPHEMERALS; SESSIONS: limit */
};

struct pending_block;

struct pending {
    struct pending_block *first, *last;
    size_t count;
    size_t bytes;
};

/* ---- Clients ----------------------------------------------------------------------------- */

enum client_phase {
    CLIENT_HELLO,    /* the outcome of its entry is awaited */
    CLIENT_ATTACHED, /* current for its session, here */
    CLIENT_DETACHED  /* not any more: doomed */
};

struct client {
    struct map_node node; /* of connections: by number */
    struct map_node
        session_node;            /* ATTACHED: of sessions; HELLO: of hellos (by session or nonce) */
    struct list_node hello_node; /* HELLO: of hello_order */
    struct list_node dirty_node; /* there is something to send or to answer */
    struct list_node stuck_node; /* its pipe is full */
    struct list_node busy_node;  /* its queue is not empty */
    struct list_node doomed_node;
    uint64_t connection;
    enum client_phase phase;
    bool submitted;        /* HELLO */
    bool forsaken;         /* HELLO: the connection has ended */
    bool armed;            /* what it watched before has been told: zxids may go out */
    int doom;              /* doomed: the code of the refusal, or 0: it goes silently */
    const char *doom_text; /* static; NULL: it is not doomed */

    /* Its hello. */
    bool creating;
    uint8_t nonce[WIRE_CLIENT_ID_SIZE];
    uint8_t password_hash[ENTRY_PASSWORD_HASH];
    uint64_t session; /* 0 while it is being created */
    uint64_t attach_no;
    uint32_t incarnation;
    uint32_t timeout_ms, grace_ms;
    zxid_t last_zxid;
    int64_t since_ms; /* hello */
    uint32_t origin_size;
    uint8_t origin[CLIENT_ORIGIN_MAX]; /* whom its connection shows it to be: identity.h */

    /* Requests. */
    struct pending queue;
    uint64_t next_number; /* that may come next */
    uint64_t credit;
    uint32_t writes;           /* in flight; */
    uint32_t accepted;         /* of them, those that were not refused here, and */
    uint64_t write_bytes;      /* their bytes */
    uint32_t submitted_writes; /* the first so many of them, to the present leader */
    uint32_t reads;            /* in the queue, by weight */
    uint32_t barriers;         /* in the queue: what a write must not overtake */
    bool recheck;              /* the write at the front may have been applied unnoticed */
    int64_t gap_ms;            /* when the last repetition for a gap was */

    /* Output.  While a stream catches up, what follows its events is withheld. */
    struct list out;      /* of segments */
    struct list withheld; /* of segments */
    size_t out_bytes;
    size_t withheld_bytes;
    size_t largest_item; /* of those that went there with little before them */
    uint64_t confirmed;  /* heartbeat; 0: nothing new */
    zxid_t seen;         /* the last zxid sent */
    int64_t stuck_ms;    /* since when its pipe is full */

    uint32_t watches;
    struct list missed; /* while not armed: events for when it is */
    size_t missed_count;
    struct list feeds;
    uint32_t feeds_count;
    uint32_t behind;     /* feeds that read the ring; */
    uint32_t pulling;    /* of them, those that have no snapshot under way */
    struct list waiting; /* feeds for whose snapshot the client has no room yet */
    struct feed *walk;   /* the one whose snapshot is under way, or NULL */
};

/* That the connection of an attach is dead: told to each new leader until it is out of date. */
struct report {
    struct map_node node; /* by session */
    uint64_t session;
    uint64_t attach_no;
};

/* A SYNC that waits. All that come in one turn are one question, with one token. */
struct sync {
    struct map_node node; /* by id */
    struct list_node list_node;
    uint64_t id;
    uint64_t token;
    uint64_t connection;
    zxid_t zxid; /* that has to be applied */
    bool done;
};

enum feed_phase {
    FEED_WAITING, /* for its snapshot: that of another stream of its client comes first */
    FEED_WALKING, /* its snapshot is under way, and it is told what is applied */
    FEED_CHASING, /* its snapshot is under way, but what was applied is read from the ring first */
    FEED_PULLING, /* reads the ring */
    FEED_LIVE     /* is told what is applied */
};

/* The numbers of client.proto's StreamFlag. */
enum {
    FEED_NO_SNAPSHOT = 1,
    FEED_NO_DATA = 2,
    FEED_SHALLOW = 4,
    FEED_PROGRESS = 8,
    FEED_LATEST = 64,
    FEED_FLAGS = FEED_NO_SNAPSHOT | FEED_NO_DATA | FEED_SHALLOW | FEED_PROGRESS | FEED_LATEST
};

/* A stream of a client on this server. */
struct feed {
    struct map_node node;         /* of feed_map */
    struct list_node client_node; /* of its client's feeds */
    struct list_node queue_node; /* WAITING: of its client's waiting; WALKING: of ready, if it is */
    struct list_node touch_node; /* of touched */
    struct stream stream;        /* of clients.streams */
    struct client *client;
    uint64_t id;
    uint32_t flags;
    enum feed_phase phase;
    zxid_t zxid; /* CHASING, PULLING: everything up to it is in the output */
    zxid_t told; /* the last zxid that the client was told of this stream; 0: it has no snapshot */

    /* The snapshot under way. */
    struct buf place; /* tree_walk */
    bool begun;       /* its first piece is in the output */
    uint64_t sent;    /* bytes of pieces: of this one and those before it */
    uint64_t asked;   /* for a confirmation, when so many were sent */
    uint64_t taken;   /* confirmed */

    uint32_t first_link, last_link; /* of the present transaction's changes */
    bool turns;       /* they change what its session may see: it begins anew with their end */
    bool shut;        /* its session may not read `path`: it is told nothing until that changes */
    zxid_t passed;    /* the last transaction that has changed `shut` on its way, */
    bool shut_before; /* which was so before it */
    uint32_t path_size;
    char path[];
};

struct clients {
    struct clients_options options;
    struct tree *tree;
    int64_t now_ms;
    int64_t retry_ms; /* of full pipes */
    bool leader;
    bool gone;                    /* clients_leave */
    char quarantined[256];        /* "": not */
    char held[CLIENTS_HELD_SIZE]; /* "": not */
    bool reads_held;

    uint8_t admins[ADMINS_SIZE_MAX]; /* who they were when that was looked at last */
    size_t admins_size;

    struct log_limit refusals; /* what strangers do fills no log: see connection_refuse */

    struct map connections;  /* clients, by connection */
    struct map sessions;     /* attached clients, by session */
    struct map hellos;       /* waiting clients, by session, or by nonce while creating */
    struct list hello_order; /* of them, those that have a connection */
    struct list forsaken;    /* and those that have none */
    struct list dirty;
    struct list stuck;
    struct list busy;
    struct list doomed;
    struct map reports;
    struct map syncs;
    struct list sync_order;   /* asked for */
    struct list sync_waiting; /* answered; their zxid is not applied yet */
    struct list sync_done;
    uint64_t last_sync; /* id */
    uint64_t last_token;
    bool asked;           /* last_token is this turn's */
    uint64_t attached;    /* clients */
    uint64_t queue_bytes; /* of all queues */
    uint32_t writers;     /* clients that have writes in their queue; */
    uint32_t under_way;   /* of those writes, all that are submitted */
    uint64_t credit_granted;

    struct segment *open; /* between deliver_begin and deliver_end */
    size_t open_size;
    bool open_ahead;
    uint32_t told;        /* watches and streams that this entry was looked at for, and units of
                             looks of the reads behind it */
    uint64_t work;        /* since the last turn's end: TURN_WORK */
    bool flushing;        /* before that, frames and entries may make half of it */
    uint64_t worked;      /* in the last turn: clients_work */
    bool in_transaction;  /* its events are being queued */
    struct list segments; /* unused */
    size_t segments_count;
    struct pending_block *blocks; /* unused */
    size_t blocks_count;
    struct arena arena; /* of the frame that is read */
    struct buf scratch;
    struct buf list;                  /* an access control list or identity on its way */
    char detail[CLIENTS_DETAIL_SIZE]; /* why the write that is looked at is refused; "": no text */
    struct buf bare;                  /* a frame without items */

    struct watches *watches;
    struct list orphans; /* watches of clients that are gone and had many: see client_watch.c */
    uint64_t looks;      /* changes that may be looked at in this turn for what was missed */
    struct streams *streams;
    struct map feed_map; /* by owner and id */
    size_t walks;        /* clients that have one */
    struct list ready;   /* feeds whose client has room for more of its snapshot */
    struct list touched; /* streams that the transaction being delivered concerns */
    uint64_t telling;    /* what telling it has cost: TELL_BATCH */
    struct buf changes;  /* its changes, encoded */
    struct buf links;    /* which of them concern which stream */
};

/* ---- clients.c --------------------------------------------------------------------------- */

struct client *client_find (const struct clients *self, uint64_t connection);
struct client *client_of_session (const struct clients *self, uint64_t session);

/* Ends the client at the end of the input, with a refusal (code < 0) or without a word (0), after
 * what is queued.  The text is static, and logged.  The first call counts. */
void client_doom (struct clients *self, struct client *client, int code, const char *text);
/* Whether this turn has done enough for clients. */
bool clients_tired (const struct clients *self);
/* Frees everything of a client that is in no one's hands. */
void client_destroy (struct clients *self, struct client *client);
void client_tell_held (struct clients *self, struct client *client);
/* Refuses and drops a connection that is no client. */
void connection_refuse (struct clients *self, uint64_t connection, int code, const char *text);

/* ---- client_hello.c ---------------------------------------------------------------------- */

#define CLIENTS_LEAVING "server is shutting down"

void client_hello (struct clients *self, uint64_t connection, const Cohort__Wire__Hello *hello);
void client_hello_submit (struct clients *self, struct client *client);
/* An applied CREATE_SESSION or ATTACH. */
void client_hello_outcome (struct clients *self, const struct tree_outcome *outcome);
/* The connection of a hello has ended. */
void client_forsake (struct clients *self, struct client *client);
/* Gives up forsaken hellos whose outcome never came. */
void hellos_expire (struct clients *self);
int64_t hellos_deadline (const struct clients *self);
/* An applied end of a session. */
void client_session_ended (struct clients *self, const struct tree_outcome *outcome);
/* An administrator has killed a session: its client is told, behind what it has been answered. */
void client_session_killed (struct clients *self, uint64_t session);

/* The connection of the session's current attach is dead. */
void report_add (struct clients *self, uint64_t session, uint64_t attach_no);
void report_remove (struct clients *self, uint64_t session);
/* Forgets what the session's state has overtaken: of one, of all after a change of the tree. */
void report_prune (struct clients *self, const struct tree_session *session);
void reports_prune (struct clients *self);
void reports_repeat (struct clients *self);
void reports_clear (struct clients *self);

/* ---- client_acl.c ------------------------------------------------------------------------ */

/* What a message asks for, as an operation; it borrows clients.list.  0, or why it is refused, with
 * clients.detail. */
int client_take_acl (struct clients *self, struct op *op, Cohort__Wire__AclItem *const *items,
                     size_t count);
int client_take_set_acl (struct clients *self, struct op *op, const Cohort__Wire__SetAcl *set);
/* The credential is wiped. */
int client_take_add_auth (struct clients *self, struct op *op, const Cohort__Wire__AddAuth *add);
int client_take_set_admins (struct clients *self, struct op *op,
                            const Cohort__Wire__SetAdmins *set);
/* Whom the connection of a hello shows its client to be. */
void client_take_origin (struct clients *self, struct client *client);
/* Whether somebody without a session passes for an administrator: by the connection, or by what is
 * proven beside it, which is wiped.  Where there are none, everybody does. */
bool client_passes (struct clients *self, uint64_t connection, Cohort__Wire__AddAuth *const *auth,
                    size_t count);
/* Keeps who the administrators are, as the tree has it. */
void client_note_admins (struct clients *self);
/* They are others now: the streams of whoever has become one, or is none any more, begin anew. */
void client_admins_changed (struct clients *self);
void client_answer_acl (struct clients *self, struct client *client, const struct request *request);
void client_answer_admins (struct clients *self, struct client *client,
                           const struct request *request);

/* ---- client_requests.c ------------------------------------------------------------------- */

void client_receive (struct clients *self, struct client *client,
                     const Cohort__Wire__ClientFrame *frame);
bool request_is_read (const struct request *request);
/* Of requests of all sessions that wait. */
uint64_t client_queues_max (const struct clients *self);
/* What answering it may cost, in reads of one znode; 0: it reads nothing. */
uint32_t request_weight (const struct request *request);
/* Puts the request at the end of the client's queue; false: the client is doomed. */
bool client_queue (struct clients *self, struct client *client, const struct request *request,
                   const void *payload);
/* What is refused where it comes in; the text is for people. */
void client_queue_failed (struct clients *self, struct client *client, uint64_t xid, int code,
                          const char *text);
/* Submits all of the client's writes again. */
void client_resubmit (struct clients *self, struct client *client);
/* So many of its writes are submitted. */
void client_under_way (struct clients *self, struct client *client, uint32_t writes);
/* Submits those that had to wait, as far as they need not any more. */
void client_submit_more (struct clients *self, struct client *client);

/* ---- client_reads_in.c ------------------------------------------------------------------- */

void client_read_receive (struct clients *self, struct client *client,
                          const Cohort__Wire__Request *from);

/* ---- client_reads.c ---------------------------------------------------------------------- */

/* Answers the reads of single znodes with which a frame begins, as far as nothing stands in their
 * way, without a place in the queue.  Returns how many bytes of the frame that were. */
size_t client_read_at_once (struct clients *self, struct client *client, const uint8_t *data,
                            size_t size);
/* Answers the request at the front, which is one of those. */
void client_read_answer (struct clients *self, struct client *client,
                         const struct request *request);

/* ---- client_answer.c --------------------------------------------------------------------- */

/* An applied write of this client's session. */
void client_outcome (struct clients *self, struct client *client,
                     const struct tree_outcome *outcome);
/* Answers what stands at the front of the queue, as far as it can be answered now; true: it could
 * go on, had the output room, and the turn time. */
bool client_answer (struct clients *self, struct client *client);
/* A reply with nothing in it. */
void client_reply_plain (struct clients *self, struct client *client,
                         const struct wire_client_reply *reply);
/* Empties the queue without a word. */
void client_answer_none (struct clients *self, struct client *client);

/* Its id, or 0: the client is doomed. */
uint64_t client_sync_add (struct clients *self, struct client *client);
void client_sync_free (struct clients *self, struct sync *sync);
struct sync *client_sync_find (const struct clients *self, uint64_t id);
void client_sync_repeat (struct clients *self);
void client_sync_applied (struct clients *self, zxid_t zxid);

/* ---- client_pending.c ---------------------------------------------------------------------- */

enum { PENDING_HEADER = sizeof (struct request) };

/* What a request takes with a payload of this size. */
size_t pending_size (size_t payload);
/* The payload is copied; false: out of memory. */
bool pending_push (struct clients *self, struct pending *queue, const struct request *request,
                   const void *payload);
/* NULL: empty.  The pointers live until the element is popped. */
const struct request *pending_front (const struct pending *queue);
const uint8_t *request_payload (const struct request *request);
/* For a walk from the front: *block starts as NULL.  NULL: the end. */
const struct request *pending_next (const struct pending *queue, const struct request *request,
                                    const struct pending_block **block);
void pending_pop (struct clients *self, struct pending *queue);
void pending_free (struct clients *self);

/* ---- client_deliver.c -------------------------------------------------------------------- */

/* Where the next item goes, NULL: nowhere (the client is doomed).  Then deliver_end, whatever was
 * appended. */
struct buf *deliver_begin (struct clients *self, struct client *client);
/* The same for what a stream that catches up has to say: ahead of what is withheld. */
struct buf *deliver_begin_ahead (struct clients *self, struct client *client);
void deliver_end (struct clients *self, struct client *client);
/* The last stream has caught up: what was withheld follows. */
void deliver_release (struct clients *self, struct client *client);
void client_dirty (struct clients *self, struct client *client);
/* Sends what there is; false: the pipe is full. */
bool deliver_send (struct clients *self, struct client *client);
/* Whether reads may be answered and streams go on. */
bool deliver_room (const struct clients *self, const struct client *client);
void deliver_discard (struct clients *self, struct client *client);
void deliver_free (struct clients *self);

/* ---- client_watch.c ---------------------------------------------------------------------- */

/* 0, COHORT_ELIMIT or COHORT_ENOMEM. */
int client_watch_set (struct clients *self, struct client *client, enum watch_kind kind,
                      const char *path, size_t size);
/* Ends, or only looks for (check), the client's watches on the path; types: of client.proto's
 * WatcherType.  Whether there were any. */
bool client_watch_drop (struct clients *self, struct client *client, uint32_t type,
                        const char *path, size_t size, bool check);
/* What the client watched before, streams too. */
void client_watch_rearm (struct clients *self, struct client *client,
                         const Cohort__Wire__Rearm *rearm);
void client_watch_fire (struct clients *self, const struct effect *effect);
/* Frees what the client was not told. */
void client_watch_discard (struct client *client);
/* The client goes, and its watches with it: at once, or in slices. */
void client_watch_leave (struct clients *self, struct client *client);
/* A slice of that; true: there are more. */
bool orphans_turn (struct clients *self);
void orphans_free (struct clients *self);

/* ---- client_feed.c ----------------------------------------------------------------------- */

/* Whether one more, or this one again, may be opened: 0 or COHORT_ELIMIT. */
int feed_room (const struct clients *self, const struct client *client, uint64_t id);
struct feed_request {
    uint64_t id;
    const char *path;
    size_t size;
    zxid_t from; /* 0: from the beginning: with a snapshot, if it is to have one */
    uint32_t flags;
};

/* What a request for a stream is refused with, or 0. */
int feed_check (const struct clients *self, const struct feed_request *request);
/* One that is open under the id is closed before. */
void feed_open (struct clients *self, struct client *client, const struct feed_request *request);
/* Whether the client may follow it: 0, COHORT_ENOAUTH. */
int feed_permit (const struct clients *self, const struct client *client,
                 const struct feed_request *request);
/* How it is told what its session sees so. */
enum wire_shown feed_shows (const struct feed *feed, enum tree_sight sight);
/* Whether the change, of which its subtree has part, may be something to it. */
bool feed_wants (const struct feed *feed, const struct effect *effect);
/* Whether it begins anew with the change, which it wants. */
bool feed_turns (const struct clients *self, const struct feed *feed, const struct effect *effect);
/* What it is shown of the change. */
enum tree_sight feed_sight (const struct clients *self, const struct feed *feed,
                            const struct effect *effect);
/* It is behind the change, which does not turn it: a new znode can open and shut it. */
void feed_pass (const struct clients *self, struct feed *feed, const struct effect *effect);
/* Each change of whether it is told what is applied as it is applied. */
void feed_enter (struct feed *feed, enum feed_phase phase);
/* Opens or shuts it, as the tree is now. */
void feed_judge (const struct clients *self, struct feed *feed);
/* An empty batch which says that the history up to zxid is gone. */
void feed_tell_reset (struct clients *self, struct feed *feed, zxid_t zxid);
void feed_close (struct clients *self, struct client *client, uint64_t id);
struct feed *feed_find (const struct clients *self, const struct client *client, uint64_t id);
void feeds_drop (struct clients *self, struct client *client);
/* One applied transaction: effect by effect, then end. */
void feed_effect (struct clients *self, const struct effect *effect);
void feed_effects_end (struct clients *self, zxid_t zxid);
/* Says how far quiet streams are. */
void feed_progress (struct clients *self, struct client *client);

/* A batch, or a piece of a snapshot that is under way. */
struct feed_batch {
    struct buf *out; /* NULL: none is open */
    struct wire_mark mark;
    size_t start;
};

/* false: the client is doomed. */
bool feed_batch_begin (struct clients *self, struct feed *feed, zxid_t zxid, bool first,
                       struct feed_batch *batch);
size_t feed_batch_size (const struct feed_batch *batch);
/* more: another fragment of the transaction follows; a snapshot goes on unless `whole`. */
void feed_batch_end (struct clients *self, struct feed *feed, struct feed_batch *batch, bool more);
void feed_batch_whole (struct clients *self, struct feed *feed, struct feed_batch *batch);

/* ---- client_walk.c ----------------------------------------------------------------------- */

/* The stream begins with a snapshot, as soon as its client has no other under way. */
void walk_open (struct clients *self, struct feed *feed);
/* What its snapshot was to follow is lost: it begins anew. */
void walk_again (struct clients *self, struct feed *feed);
/* The stream is closed; its client's next one begins. */
void walk_drop (struct clients *self, struct feed *feed);
bool walk_is_under_way (const struct feed *feed);
/* Whether the change has to be told to it: the rest its walk will find. */
bool walk_concerns (const struct feed *feed, const struct effect *effect);
/* Whether the client has taken enough of what was sent. */
bool walk_has_room (const struct clients *self, const struct feed *feed);
/* So many bytes later a confirmation is asked for again. */
uint64_t walk_confirm_after (const struct clients *self);
/* It goes on in this turn or the next if it can. */
void walk_ready (struct clients *self, struct feed *feed);
void walk_taken (struct clients *self, struct client *client, uint64_t id, uint64_t bytes);
/* This turn's slices; true: there is more to do at once. */
bool walks_turn (struct clients *self);

/* ---- client_catchup.c -------------------------------------------------------------------- */

/* A new stream goes on behind a zxid, or begins with a snapshot. */
void feed_catch_up (struct clients *self, struct feed *feed, zxid_t from);
/* It cannot be told what is applied: from behind this zxid on it will read the ring. */
void feed_fall_behind (struct clients *self, struct feed *feed, zxid_t zxid);
/* Whether it is to be told of the change while it reads the ring. */
bool feed_concerns (const struct feed *feed, const struct effect *effect);
/* A slice of a FEED_LATEST that reads the ring; stopped: it was not the last.  0, or COHORT_EGAP:
 * the ring has lost what comes next, or what comes next changes what the session may see. */
int feed_pull_latest (struct clients *self, struct feed *feed, bool *stopped);
/* What its client has been told is not what it may see, or not what there is: it begins anew, with
 * a snapshot or saying so, whatever its phase. */
void feed_start_again (struct clients *self, struct feed *feed);
/* It is about to be closed. */
void feed_leave (struct clients *self, struct feed *feed);
/* Streams of the client that read the ring go on; true: there is more to do at once. */
bool feed_pull (struct clients *self, struct client *client);
/* All of its streams that others wait for catch up, at once and whatever room there is. */
void feed_pull_all (struct clients *self, struct client *client);

#endif
