/* A simulated world: servers, clients, network, disks and time, from one seed.
 *
 * Everything that runs is production code - node, core, tree, store, and the client's session
 * machine with its codecs; only the network, the disks' hardware and the clock are made here. The
 * same seed gives the same run, to the byte.
 *
 *   schedule.c   what happens when
 *   clock.c      what a machine takes for the time
 *   network.c    connections between servers, and of clients to servers
 *   servers.c    nodes: starting, turning, crashing
 *   clients.c    sessions
 *   rogues.h     clients that break the protocol
 *   workload.c   what they ask for, with workload_lives.c, workload_reads.c, workload_rights.c and
 *                followers.c
 *   record.c     what they are told, as a history that is judged, in the words of record_words.c
 *   mirror.c     what streams tell them
 *   faults.h     what goes wrong, and when it stops to
 *   atlas.c      what may go wrong with disks, and where
 *   calm.c       stretches in which nothing goes wrong, and everything has to be in time
 *   phases.c     first safety, then liveness, then all of it together
 *   ruin.c       and what must never come back by itself
 *   observe.c    what must hold at the servers: the table in invariants.h
 *   trace.c      the story, and its end when something does not hold
 */

#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/base/digest_id.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "client/base/prng.h"
#include "client/src/session.h"
#include "server/node/node.h"
#include "server/store/store.h"
#include "tests/simulation/clock.h"
#include "tests/simulation/debts.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/schedule.h"
#include "tests/support/crash_disk.h"

enum {
    SIM_SERVERS_MAX = 7,
    SIM_CLIENTS_MAX = 16,
    SIM_REGISTERS = 4,
    SIM_FOLLOWED_MAX = 3,
    SIM_USERS = 2,               /* u0 and u1, by a password */
    SIM_DATA_SIZE_MAX = 1 << 20, /* of the ensemble: what a wrong state has less of */
    WORLD_ADDRESS_SIZE = 24,
    SIM_NODES_MAX = SIM_SERVERS_MAX + SIM_CLIENTS_MAX /* servers, then clients; see blocked */
};

/* In a set of servers: whoever leads at that time. */
#define SIM_LEADER (UINT32_C (1) << 31)

/* Of any phase. */
#define SIM_MS_MAX (UINT64_C (1) << 40)

/* Of a kind of fault: drawn from the seed. */
#define SIM_RATE_DRAWN      UINT64_MAX
#define SIM_OBSERVERS_DRAWN SIZE_MAX

/* What a run is made from: the same options give the same run, to the byte. */
struct sim_options {
    uint64_t seed;
    size_t servers;   /* that have a vote */
    size_t observers; /* besides; SIM_OBSERVERS_DRAWN, or what is asked for */
    size_t clients;
    int64_t safety_ms;               /* things go wrong for so long; */
    int64_t liveness_ms;             /* and then the rest must have come to rest within this */
    uint64_t requests_max;           /* of all clients together in the first phase */
    uint64_t rates[FAULT_KINDS];     /* SIM_RATE_DRAWN, or what is asked for */
    const struct fault_list *replay; /* NULL: drawn; else just these, and rates do not count */

    unsigned verbose; /* what is told on stdout; 1: the story; 2: messages and disks as well */
    unsigned kept;    /* likewise, of what is kept for the case that something does not hold */

    FILE *history; /* NULL, or where what clients see is written to */

    /* NULL, or called for each fault that takes effect. */
    void (*on_fault) (void *arg, const struct sim_fault *fault);
    void *on_fault_arg;
    /* NULL, or called with the reason before the process ends because something does not hold. */
    void (*on_failure) (void *arg, const char *where, const char *text, int64_t at_ms);
    void *on_failure_arg;
};

/* What the world is like when nothing goes wrong: drawn from the seed. */
struct sim_conditions {
    int64_t latency_ms_max; /* of a frame */
    int64_t delay_ms_max;   /* of a delayed one, besides */
    int64_t disk_ms_max;    /* of a group commit */
    int64_t slow_ms_max;    /* of a slow one, besides */
    int64_t notice_ms_max;  /* until an end of a connection is noticed late */
    uint64_t segment_bytes, cache_bytes, snapshot_bytes; /* of the servers */
    uint64_t effects_bytes;
    uint32_t walk_nodes, walk_window, frame_bytes;
    uint32_t turn_work, writes_under_way, watches_max;
    uint64_t pending_bytes_max, queue_bytes_max, output_bytes_max, output_low, link_window;
    uint32_t snapshot_slice, sync_chunk_bytes;
    uint64_t counter_max;
    uint32_t window;      /* of writes, for sessions; 0: the default */
    uint32_t pipe_frames; /* that a connection holds until it takes no more; 0: any number */
    int64_t connect_ms;   /* until a client gives a server up */
    size_t flushes;       /* that a server makes before it looks at its sockets again */
};

enum { SIM_ENDINGS_MAX = 256 };

/* What happens to the end of a log when its server dies. */
enum sim_end {
    SIM_END_ROTS,     /* its last sectors, whatever they hold */
    SIM_END_SPOILS,   /* they cannot be read any more */
    SIM_END_UNPROVED, /* the last entry rots, if nothing says that it was durable */
    SIM_END_VANISHES  /* what was written last, and is known to be durable, was never written */
};

/* A place in the log on a disk: behind a record. */
struct sim_walk {
    uint32_t segment; /* 0: before all */
    uint64_t offset;
};

struct sim_server {
    struct world *world;
    uint32_t id; /* index + 1 */
    struct sim_clock clock;
    bool up;
    uint32_t incarnation;    /* grows with every start: events of an older one are void */
    struct crash_disk *disk; /* outlives the node */
    struct store *store;
    struct node *node;
    size_t turns_on;  /* so many turns in a row it had more to do */
    bool turn_due;    /* it has input that it has not worked through */
    bool disk_busy;   /* a SIM_SERVER_DISK is scheduled */
    bool disk_idle;   /* the last one found nothing to do */
    int64_t timer_ms; /* the time of the scheduled SIM_SERVER_TIMER; 0: none */
    bool paused;      /* as by SIGSTOP: nothing is received */
    int64_t paused_from_ms, paused_until_ms;
    int64_t apart_until_ms; /* until then it does not reach the other servers; but clients */
    int64_t wrong_ms;       /* since when its state is wrong, if it is */
    int64_t heard_ms[SIM_SERVERS_MAX]; /* when a frame of each other has reached it last */
    uint64_t stall_round;              /* it stood still when this one had begun, as a leader */
    struct sim_ending {
        uint64_t session, attach_no;
    } endings[SIM_ENDINGS_MAX]; /* what it has decided to end as this leader: the newest of them */
    size_t endings_count;
    size_t endings_stall;  /* so many when it stood still last */
    int64_t heard_from_ms; /* it counts as having heard all of them then */
    bool founded;          /* it has been part of the ensemble */
    bool retired;          /* dead, and not to be started */
    bool leaving;          /* it was told to end, and is down for so long then */
    int64_t leaving_from_ms, leave_ms;
    uint64_t failures; /* of its disk, before the last turn; and after it: */
    uint64_t failures_next;
    int64_t slow_until_ms, slow_ms; /* its disk is slow with what it does now: for so long */
    bool memory_rots;               /* a bit of its state has changed by itself */
    bool full;                      /* its disk has been given no more space */
    /* Since when not: it leads with a full disk although one with room could; it takes the disk for
     * a full one that has room; a client waits for it and was not told why. */
    int64_t leads_full_from_ms, keeps_full_from_ms, untold_from_ms;
    int64_t hangs_from_ms; /* and: its disk hangs, it serves, and others do without it; */
    struct debts debts;    /* as quickly as that */
    zxid_t applied;        /* as far as it had when somebody looked last, */
    int64_t applied_ms;    /* and since then, or all that it could */
    int64_t lost_from_ms;  /* and: it is without a quorum; and so far a client has waited for it, */
    int64_t lost_untold_from_ms[SIM_CLIENTS_MAX]; /* and was not told why */
    zxid_t shown;               /* its state was at this when somebody looked last, */
    int64_t shown_from_ms;      /* and since then, and it is without a quorum */
    uint64_t dead, dead_has;    /* a session that has died, and has so many ephemerals; */
    int64_t dead_from_ms;       /* and since then */
    zxid_t logged;              /* its log ended there when somebody looked last, */
    int64_t logged_ms;          /* and since then */
    zxid_t snapshot;            /* its newest one when somebody looked last, */
    uint64_t snapshot_failures; /* and the failures of its disk; */
    int64_t overdue_from_ms;    /* another is overdue since then */
    uint64_t store_id;          /* when its store was opened last */
    struct sim_walk walk;       /* its newest record that was found to be durable */
    bool stale_meta;            /* a copy of its metadata was harmed so that it looks sound */
    bool misled;                /* a read went wrong while its store was to be opened, likewise: */
    char harmed[512];           /* files that were when its store was to be opened, until it was */
    uint8_t *kept;              /* a manifest that is to be put back, for this; NULL: none */
    size_t kept_size;
    struct sim_fault keeps;
    int64_t put_back_ms, kept_until_ms; /* not earlier, and not later */
    bool old_manifest;                  /* it was, and it has not started since: */
    zxid_t old_had;                     /* up to there its log was durable */
    bool condemned;          /* it gives up its log when its store is opened, until it was */
    bool emptied;            /* its folder was lost, and it has not started since */
    bool started_empty;      /* likewise, and this is the first start since */
    bool started_old;        /* likewise of old_manifest */
    bool found;              /* the opening, or one before it that did not succeed, found damage */
    bool unseen;             /* it was opened, and its process died before anybody looked at it */
    bool misread_stale;      /* what the next read that goes wrong gives, and */
    uint64_t misread_dice;   /* how it is drawn */
    uint64_t disk_turns;     /* so many there have been */
    bool point_cuts;         /* at the crash point that waits on its disk the power is cut; */
    int64_t point_down_ms;   /* and it is down for so long; */
    uint64_t rot_dice;       /* not 0: when it dies, the end of its log rots, or: */
    enum sim_end rot_end;    /* what of it; */
    int64_t rot_until_ms;    /* until then it dies as soon as there is something to lose, */
    struct sim_fault rots;   /* for this: */
    zxid_t rot_after;        /* an entry behind that */
    bool point_takes_leader; /* and whoever leads, or is about to, goes with it; */
    uint32_t point_relapse;  /* not 0: so many operations into the next start the power is cut */
};

/* An outgoing connection from one server to another. */
struct sim_pipe {
    uint64_t number; /* 0: none */
    bool open;
    int64_t last_ms; /* when its newest frame arrives: frames of one connection keep their order */
};

/* What has been sent from one server to another, by all connections. */
struct sim_way {
    uint64_t frames, ends;
    uint32_t flying; /* frames that are sent and not there yet */
};

struct sim_connection {
    struct map_node node;
    struct list_node in_client; /* while it is open there */
    uint64_t number;            /* among all */
    uint64_t ordinal;           /* among those of its client */
    uint32_t client, client_incarnation, link;
    uint32_t server, server_incarnation;
    int64_t opened_ms, patient_ms; /* so long its client waits to be greeted; 0: as ever */
    bool open_at_client, open_at_server;
    bool rogue;         /* of one of rogues.h: client is SIM_CLIENTS_MAX and its place */
    uint32_t recorded;  /* who has said hello on it, in the history; 0: nobody yet, */
    uint64_t attach_no; /* under this number */
    bool dropped;       /* its server does not know it any more */
    bool cut;           /* nothing is sent any more, and each side may have noticed; */
    bool torn;          /* and what was under way does not get through */
    bool silent;        /* its server has ended it, and its client hears that late, or never */
    /* TCP's promise: what is sent arrives in order, or the connection ends. What a partition
     * blocks waits. */
    uint32_t to_server_sent, to_server_taken, to_client_sent, to_client_taken;
    int64_t to_server_ms, to_client_ms; /* when the newest arrives */
};

/* Nothing is amiss since then (0: something is), and all follow a leader since led_ms, if led. Of a
 * client: whether it had a connection since that has ended, and only silence tells. */
struct sim_peace {
    int64_t since_ms, led_ms;
    bool led, deceived;
    int64_t patient_ms; /* and for so long it waits for an answer by that; 0: as ever */
};

/* What a client knows of a register that all of them share. */
struct sim_register {
    uint64_t window;
    int32_t version; /* -1: not known, or it does not exist */
    uint64_t count;  /* of the counter */
};

struct sim_client {
    struct sim_clock clock;
    struct prng prng; /* of what it asks for */
    uint32_t incarnation;
    bool up;
    bool closing;           /* it says goodbye, and then its process ends */
    struct sim_peace peace; /* likewise: since when it ought to be served */
    bool fresh_due;         /* a write of now is to be acknowledged; */
    bool fresh_sent;        /* it is on its way */
    bool paused;
    int64_t paused_until_ms;
    struct list links;     /* connections */
    uint64_t connections;  /* that it has opened */
    int64_t next_start_ms; /* down: after how long a new one comes */
    struct session *session;
    uint32_t timeout_ms, grace_ms; /* that it asks for */
    /* Its state file, if has_identity; and, until has_past is used up by a start, and until it
     * knows what became of that, the session that it shall go on with, or close first. */
    struct session_identity identity, past;
    uint8_t process[WIRE_ID_SIZE]; /* the nonce that it has drawn for its session */
    bool has_identity, has_past, close_past;
    bool guesses;  /* the password of past, wrongly: it shall not have that session */
    bool adopting; /* it asks for nothing until it has a session */
    size_t outstanding;
    int64_t timer_ms;
    bool lost;
    char reason[192];    /* the newest that its session has given */
    int64_t heard_ms;    /* when its server was heard last, by its own clock, */
    uint64_t heard_by;   /* by this connection */
    size_t unanswered;   /* servers in a row that did not greet it in time */
    bool told_connected; /* what its application was told last: it is connected, */
    int64_t deaf_ms;     /* and hears nothing: found then, by its own clock; or INT64_MAX */

    /* What it asks for: workload.c. */
    struct list purposes; /* of the requests without an answer */
    uint64_t sessions;    /* that it has had: names its keys */
    char own[32];         /* the key that its present session alone writes, */
    uint64_t own_value;   /* the next value of it, and */
    uint64_t values;      /* the last one of other znodes */
    size_t watches;       /* that it has set, or asked for */
    struct sim_register registers[SIM_REGISTERS];
    uint64_t lock_window, lock_zxid; /* the newest lock that it has held */
    char child[96];                  /* the newest that it has made, or "" */
    char page_next[64];              /* where a page of children ended, or "" */
    char owned_next[160];            /* likewise of its ephemerals */
    size_t proven[SIM_USERS];        /* who its process has proven to be, in that order */
    size_t proven_count;

    struct cohort_stream *stream; /* of the whole tree; NULL: none */
    uint64_t streams;             /* opened by this process */
    struct cohort_stream *followed[SIM_FOLLOWED_MAX];
    size_t followed_count;
    struct map mirror;
    struct list mirror_news; /* fragments of a transaction, or of a snapshot, until it is whole */
    uint64_t mirror_zxid;
    bool mirror_whole; /* up to mirror_zxid */
};

/* Of the first phase: when nothing goes wrong. */
struct sim_lull {
    int64_t from_ms, until_ms;
};

struct world {
    struct sim_options options;
    struct sim_trace *trace;
    struct schedule schedule;
    struct sim_conditions conditions;
    struct fault_plan plan;
    uint32_t core;  /* in the liveness phase: the servers that are well */
    uint32_t weak;  /* the atlas: the servers whose states and disks may go wrong */
    uint32_t wrong; /* those whose state did, or was made of one that had, and may again; */
    int64_t wrong_looked_ms; /* as somebody looked last */
    uint32_t harmed;         /* those who ever lost, or misread, what was durable */
    int64_t calm_ms; /* since then nothing has gone wrong, and all servers follow one leader */
    struct sim_lull lull_due;
    bool lull;     /* nothing goes wrong for a while, in which everything has to be in time; */
    uint32_t away; /* but to these servers, which do not belong to it any more */
    struct sim_peace peace;
    bool working;           /* clients ask for more */
    size_t admin;           /* the client that is an administrator, if there are any; */
    int64_t admins_from_ms; /* and since then servers that start are configured so; 0: the ensemble
                               is founded with it; INT64_MAX: never */
    char admins[WORLD_ADDRESS_SIZE + 4]; /* as configured; */
    int64_t replaced_from_ms; /* servers that start since then put others in their place; or
                                 INT64_MAX */
    char replacing[WORLD_ADDRESS_SIZE + 4];
    uint64_t requests; /* that they have made */

    size_t servers_count; /* observers included */
    uint32_t observers;
    struct sim_server servers[SIM_SERVERS_MAX];
    struct sim_server *due[SIM_SERVERS_MAX]; /* their turns, in this order */
    size_t due_count;
    struct sim_pipe pipes[SIM_SERVERS_MAX][SIM_SERVERS_MAX];
    struct sim_way ways[SIM_SERVERS_MAX][SIM_SERVERS_MAX];
    uint32_t blocked[SIM_NODES_MAX][SIM_NODES_MAX]; /* how many partitions block what goes from one
                                                       to the other */
    uint64_t last_number;                           /* of pipes, connections, partitions */
    struct map connections;

    size_t clients_count;
    struct sim_client clients[SIM_CLIENTS_MAX];
    struct hosts hosts;
    struct sim_checker *checker;
    struct sim_rogues *rogues;
    struct sim_recorder *recorder;

    /* For the closing line. */
    uint64_t frames, writes_acked, reads, sessions_lost, batches;
    uint32_t closers; /* processes that closed the session of the one before */
    size_t searched,
        given_up; /* znodes whose operations were put into an order, or took too long */
};

/* ---- world.c --------------------------------------------------------------------------------- */

struct world *world_new (const struct sim_options *options);
void world_free (struct world *self);

/* Lets `ms` of time pass. */
void world_run (struct world *self, int64_t ms);

/* A number that depends on nothing but the seed and these; what it is for keeps uses apart. */
enum sim_draw {
    SIM_DRAW_CLIENT = 1, /* what a client asks for */
    SIM_DRAW_SESSION,    /* a session's random bytes */
    SIM_DRAW_STORE,      /* a store's id */
    SIM_DRAW_NODE,       /* a node's random numbers */
    SIM_DRAW_DISK,       /* what a power cut does to a disk */
    SIM_DRAW_CONDITIONS,
    SIM_DRAW_LATENCY,
    SIM_DRAW_NOTICE,
    SIM_DRAW_TURN, /* of a disk */
    SIM_DRAW_CORE,
    SIM_DRAW_WEAK,       /* whose states and disks go wrong */
    SIM_DRAW_MOOD,       /* whether a client writes */
    SIM_DRAW_ADMINS,     /* who is administrator, and since when */
    SIM_DRAW_LULL,       /* when nothing goes wrong for a while */
    SIM_DRAW_HOARD,      /* whether somebody has very many ephemerals */
    SIM_DRAW_REPLACED,   /* when servers say that the administrators are others */
    SIM_DRAW_OBSERVERS,  /* how many there are, and which servers they are */
    SIM_DRAW_VEILS,      /* whether some znodes are hidden from some clients */
    SIM_DRAW_MEMORY,     /* which bit changes by itself in the end */
    SIM_DRAW_RUIN,       /* whether most servers lose their folders in the end */
    SIM_DRAW_BOUNDS,     /* of what servers keep for clients and peers */
    SIM_DRAW_PLAN = 100, /* of each kind of fault */
    SIM_DRAW_CHANCE = 200
};
uint64_t world_draw (const struct world *self, int what, uint64_t a, uint64_t b, uint64_t c);

/* The state and the story of the run, as one number. */
uint64_t world_digest (const struct world *self);

/* Whether the server with this index has no vote. */
bool world_observes (const struct world *self, size_t server);
/* How many servers are in the set. */
size_t world_count (uint32_t servers);

/* The index of a client among the nodes; servers have their own. */
size_t world_node_of_client (size_t client);

/* The address of a client, by which access control lists know it. */
const char *world_address (size_t client, char address[WORLD_ADDRESS_SIZE]);

/* The id of a user, by which access control lists know him. */
enum { WORLD_USER_SIZE = 8 };
const char *world_user (size_t user, char name[WORLD_USER_SIZE]);
const char *world_user_id (const char *name, char id[DIGEST_ID_SIZE]);

/* admin= of the configuration with which a server starts now, NULL: nobody; and replaceAdmins=. */
const char *world_admins (const struct world *self);
bool world_replaces_admins (const struct world *self);

/* ---- atlas.c: whom and what faults may strike that undo what was durable ------------------------
 */

/* Draws the weak: as many as are no quorum, and leave one. Prints them. */
void atlas_draw (struct world *self);
void atlas_print (struct world *self);
/* Whether the kind of fault strikes the weak alone. */
bool atlas_concerns (enum fault_kind kind);
bool atlas_is_weak (const struct world *self, uint32_t server);
/* Whether enough others are there to find out that the state of this server is wrong. */
bool atlas_allows_wrong (const struct world *self, uint32_t server);
uint32_t atlas_one_weak (const struct world *self, struct prng *prng);

/* Files of a server's disk that a fault may strike. */
enum atlas_area { ATLAS_LOG, ATLAS_SNAPSHOT, ATLAS_META, ATLAS_MANIFEST, ATLAS_OTHER };
enum atlas_area atlas_area (const char *name);

/* Whether the sector may be harmed now; looks_unwritten: so that it may look as if it had never
 * been written. */
bool atlas_allows (struct sim_server *server, const char *name, uint64_t offset,
                   bool looks_unwritten);
/* Whether its manifest may become an older one; it has. */
bool atlas_allows_old_manifest (const struct sim_server *server);
void atlas_note_old_manifest (struct sim_server *server);
/* Whether its folder may be lost. */
bool atlas_allows_emptying (const struct sim_server *server);
/* It was. */
void atlas_note (struct sim_server *server, const char *name, bool looks_unwritten);

/* Whether something on its disk is harmed, found or not. */
bool atlas_has_harm (const struct sim_server *server);

/* Around the opening of a store, of which only the weak may hear of what a disk cannot read:
 * before; and after, whether it was opened. Damage that nobody has made ends the run. */
void atlas_opening (struct sim_server *server);
void atlas_not_opened (struct sim_server *server);
void atlas_opened (struct sim_server *server);
/* Before a store is closed: one that is condemned gives up its log when it is opened again, also if
 * that is interrupted. */
void atlas_closing (struct sim_server *server);
/* Whether an end with COHORT_ECORRUPT comes of harm. */
bool atlas_excuses (struct sim_server *server);

/* ---- calm.c ---------------------------------------------------------------------------------- */

/* Drawn from the seed, of a first phase that begins now; half of the worlds have none. */
struct sim_lull calm_draw (const struct world *self);

/* It begins: what waits to go wrong does not. */
void calm_begin (struct world *self);
/* Whether the core is calm, and which clients nothing keeps from it: for the history. */
void calm_look (struct world *self);
/* It is over, or a phase is. */
void calm_end (struct world *self);

/* ---- phases.c -------------------------------------------------------------------------------- */

/* Safety: things go wrong, for options.safety_ms. */
void phase_safety (struct world *self);

/* Liveness: a core - a quorum drawn from the seed - is healed, and all others are dead or cut off.
 * It must come to rest within options.liveness_ms: a leader, a fresh write of every client
 * acknowledged, no request without an answer, equal states. */
void phase_liveness (struct world *self);

/* Whether the server is not one of those others. */
bool phase_reaches (const struct world *self, size_t server);

/* Reunion: the others come back, and everybody must come to rest within options.liveness_ms. Where
 * voters were healed as many of the others as a quorum can spare leave and come back once more. */
void phase_reunion (struct world *self);

/* ---- ruin.c -----------------------------------------------------------------------------------
 */

/* All was judged. In some worlds a majority loses its folders then, and all stands still. */
void phase_ruin (struct world *self);

/* ---- trace.c --------------------------------------------------------------------------------- */

struct sim_trace *trace_new (void);
void trace_free (struct sim_trace *self);

/* A line of the story. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
void world_tell (struct world *self, const char *format, ...);

/* A line about a message or a disk, if anybody wants to know: see trace_wants_details. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
void world_tell_detail (struct world *self, const char *format, ...);
/* What a frame between servers says. */
void trace_frame (struct world *self, const struct sim_server *to, const uint8_t *data,
                  size_t size);
bool trace_wants_details (const struct world *self);

/* Reports what does not hold, with the end of the story, and ends the process. The format itself
 * tells one kind of failure from another. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3), noreturn))
#endif
void world_fail (struct world *self, const char *format, ...);

/* ---- network.c ------------------------------------------------------------------------------- */

struct node_transport network_transport (struct world *self, struct sim_server *server);
void network_event (struct world *self, struct sim_event *event);
/* A connection of a client; NULL: it is over. */
struct sim_connection *network_connection (struct world *self, uint64_t number);

/* A server has died: its connections end, at once or when they are noticed. */
void network_server_down (struct world *self, struct sim_server *server);
/* The connections between two servers end, as network_notice says. */
void network_break (struct world *self, uint32_t a, uint32_t b);
/* A client has died, or (lost) only its connections: both sides notice. */
void network_client_down (struct world *self, struct sim_client *client, bool lost);
/* It will die, and no server is to notice. */
void network_client_vanishes (struct sim_client *client);

/* Connects a client's link to an endpoint; sends on it; ends it. */
void network_connect (struct world *self, struct sim_client *client, uint32_t link,
                      const char *endpoint);
void network_send (struct world *self, struct sim_connection *connection, const uint8_t *data,
                   size_t size);
void network_disconnect (struct world *self, struct sim_client *client, uint32_t link);

/* ---- servers.c ------------------------------------------------------------------------------- */

/* Starts the process; if a fault of its disk prevents it, it is tried again later. */
void server_start (struct world *self, struct sim_server *server);
void server_start_after (struct world *self, struct sim_server *server, int64_t ms);
/* The process ends; power_cut: and its machine, with all that was not synced. */
void server_crash (struct world *self, struct sim_server *server, bool power_cut);
/* The process is told to end, hands over what it leads, and ends; it comes back after so long. */
void server_leave (struct world *self, struct sim_server *server, int64_t ms);
void server_event (struct world *self, struct sim_event *event);

/* Around every input: false: the server is down or paused and must not get it. What comes at the
 * same time is worked through in one turn, as by a process that drains its sockets first. */
bool server_begin (struct world *self, struct sim_server *server);
void server_end (struct world *self, struct sim_server *server);

/* The turns that are due. */
void servers_turn (struct world *self);

/* A paused server goes on. */
void server_resume (struct world *self, struct sim_server *server);

/* Whether those who are right, and have made their state by themselves, are a quorum: fewer cannot
 * tell who is wrong. */
bool servers_can_tell (const struct world *self);

/* Whether its disk takes very long for what it does now. */
bool server_disk_stands (const struct sim_server *server);

/* The activated leader of the highest epoch; NULL: nobody is. */
struct sim_server *server_leader (struct world *self);

/* ---- wrongs.c -------------------------------------------------------------------------------- */

/* Whether its state went wrong by FAULT_DIVERGENCE, or was made of one that had. */
bool server_is_wrong (const struct sim_server *server);
/* A turn of its is over. */
void wrongs_note (struct world *self, struct sim_server *server);
/* Now and then: of whom nothing wrong is left is one of those who never were. */
void wrongs_look (struct world *self);

/* ---- clients.c ------------------------------------------------------------------------------- */

void client_start (struct world *self, struct sim_client *client);
/* Its process ends, without a word. A new one comes after client.next_start_ms. */
void client_kill (struct world *self, struct sim_client *client);
/* It closes its session; then its process ends. */
void client_close (struct world *self, struct sim_client *client);
/* Its process ends likewise, and the next one goes on with the session that is in the state file of
 * `owner`, perhaps its own, or closes it; that of another is taken from it, who lives on. copied:
 * the file stays where it was, for another process to take it up just so. guesses: it has not seen
 * the file, and knows all but the password. false: there is none. */
struct sim_take {
    bool closes, copied, guesses;
};
bool client_take (struct world *self, struct sim_client *client, struct sim_client *owner,
                  struct sim_take how);
void client_event (struct world *self, struct sim_event *event);

/* The time by its own clock: what its session is told. */
int64_t client_now_ms (const struct world *self, const struct sim_client *client);

/* After every input to its session. */
void client_drive (struct world *self, struct sim_client *client);

/* ---- complaints.c ---------------------------------------------------------------------------- */

/* Its session has perhaps said something new; something has come by the connection, and the session
 * has taken it; the session is lost. */
void complaints_hear (struct world *self, struct sim_client *client);
void complaints_heard (struct world *self, struct sim_client *client, uint64_t connection);
void complaints_lost (struct world *self, const struct sim_client *client);
/* Its application has taken all that there is, and knows whether it is connected. */
void complaints_told (struct world *self, struct sim_client *client);

/* ---- workload.c ------------------------------------------------------------------------------ */

#define WORLD_PASSWORD "p" /* of all users */

struct request;
struct watch;

/* A process begins, takes a further session, ends. */
void workload_begin (struct world *self, struct sim_client *client);
void workload_renew (struct world *self, struct sim_client *client);
void workload_end (struct sim_client *client);

/* As an administrator, for the end of the session of another, or its own. */
void workload_kill (struct world *self, struct sim_client *client, uint64_t session);

/* Asks for something; for the write that the liveness phase waits for. */
void workload_ask (struct world *self, struct sim_client *client);
void workload_fresh (struct world *self, struct sim_client *client);

/* What it has asked for is answered; a watch reports. */
void workload_answered (struct world *self, struct sim_client *client, struct request *request);
void workload_watch (struct world *self, struct sim_client *client, const struct watch *watch);

/* ---- record.c -------------------------------------------------------------------------------- */

/* file: NULL, or where the history is written to. */
struct sim_recorder *recorder_new (FILE *file);
void recorder_free (struct sim_recorder *self);

/* A client begins a session; attaches to a server; what its session machine shows has perhaps
 * changed; it is told that its session has ended; its process ends. */
void record_client (struct world *self, const struct sim_client *client);
/* It is about to close the session of the process before it. */
void record_close_past (struct world *self, const struct sim_client *client);
void record_attached (struct world *self, const struct sim_client *client);
void record_view (struct world *self, const struct sim_client *client);
/* Behind all that it was told: up to where that is all. */
void record_told (struct world *self, const struct sim_client *client);
void record_lost (struct world *self, const struct sim_client *client);
/* Whether its session is attached by this connection, or was last. */
bool record_attached_by (const struct world *self, const struct sim_client *client,
                         uint64_t connection);
/* Whether the log says that this session lives, and is this very process's. */
bool record_has_session (const struct world *self, const struct sim_client *client, uint64_t id);
void record_gone (struct world *self, const struct sim_client *client);

/* A request that has just been submitted, its call's id in the history (0: it was refused at once);
 * the session's own end. */
uint64_t record_call (struct world *self, const struct sim_client *client,
                      const struct request *request);
void record_close (struct world *self, const struct sim_client *client);
/* A process that has lost its session begins another one, and proves again who it is. */
void record_proven_anew (struct world *self, const struct sim_client *client);
void record_return (struct world *self, const struct sim_client *client, uint64_t call,
                    const struct request *request);
void record_unknown (struct world *self, const struct sim_client *client, uint64_t call);

struct batch_event;
void record_watch (struct world *self, const struct sim_client *client, const struct watch *watch);
void record_batch (struct world *self, const struct sim_client *client,
                   const struct cohort_stream *stream, const cohort_batch_t *batch);

void record_opened (struct world *self, const struct sim_client *client,
                    const struct cohort_stream *stream);
void record_refused (struct world *self, const struct sim_client *client,
                     const struct cohort_stream *stream);
void record_closed (struct world *self, const struct sim_client *client,
                    const struct cohort_stream *stream);

/* What this server has applied, if nobody has applied it before. */
void record_applied (struct world *self, struct sim_server *server);

/* Likewise what a server has applied in the turn in which it ended by itself: its clients may have
 * been told of it, and nobody else yet. What it cannot read any more is left out. */
void record_last (struct world *world, struct sim_server *server);
/* Who leads undisturbed: the epoch; 0: nobody. Whoever cannot have anything committed counts only
 * as having begun. */
void record_led (struct world *self, uint32_t epoch, bool commits);

/* A connection is about to carry a hello: whose it is is known from then on. */
void record_hello (struct world *self, struct sim_connection *connection, uint64_t session,
                   uint64_t attach_no);
/* A server that lives sees it end. */
void record_ended (struct world *self, const struct sim_connection *connection);
/* A server dies, or nobody hears it any more; it starts, or is heard again. */
void record_forgot (struct world *self, uint32_t server);
void record_heard (struct world *self, uint32_t server);
/* The core is calm, or not any more; a client is served by it, or not any more. */
void record_calm (struct world *self, bool calm);
void record_served (struct world *self, const struct sim_client *client, bool served);

/* The leader of this epoch has stood still since then, and goes on. */
void record_stall (struct world *self, uint32_t epoch, int64_t from_ms);

/* Why what is recorded is not at rest; false: it is. */
bool record_restless (const struct world *self, char *text, size_t size);

/* All is at rest, and nothing more will be recorded. */
void check_end (struct world *self);

/* ---- mirror.c -------------------------------------------------------------------------------- */

/* A session begins to follow the tree; its process ends. */
void mirror_open (struct world *self, struct sim_client *client);
void mirror_close (struct sim_client *client);
void mirror_batch (struct world *self, struct sim_client *client, struct batch_event *event);
/* The session is lost, and its streams with it. */
void mirror_ended (struct world *self, struct sim_client *client, const struct event *event);
bool mirror_equal (const struct sim_client *client, const struct tree *tree);

/* ---- followers.c ----------------------------------------------------------------------------- */

/* What a stream with options has told; of others nothing. */
void follower_batch (struct world *self, struct sim_client *client, struct batch_event *event);
void follower_ended (struct world *self, struct sim_client *client, struct event *event);

/* ---- observe.c ------------------------------------------------------------------------------- */

struct sim_checker *checker_new (void);
void checker_free (struct sim_checker *self);

/* The invariants (invariants.h) hold, as far as can be seen: its store is open and nothing else has
 * happened yet; its process has ended; a turn of it is over. */
void check_started (struct world *self, struct sim_server *server);
void check_stopped (struct world *self, struct sim_server *server);
/* Whether the log begins there because its process has dropped what was before. */
bool check_has_purged (const struct sim_server *server, zxid_t base);
/* The end of what its store has called durable. */
zxid_t check_had_durable (const struct sim_server *server);
void check_server (struct world *self, struct sim_server *server);
/* Around each flush: it does not take long, whatever there is to do. */
struct sim_flush {
    const struct tree *tree;
    zxid_t applied;
};
struct sim_flush check_flush_begins (const struct sim_server *server);
void check_flush_ends (struct world *self, const struct sim_server *server,
                       const struct sim_flush *flush);
/* Sees each update of its core. */
struct zab_observer check_observer (struct sim_server *server);
/* Of its core, behind the newest update; LOOKING before the first. */
const struct zab_status *check_status (const struct sim_server *server);

/* The last entry that any core has said to be committed. */
zxid_t check_committed (const struct world *self);
/* Whether the newest epoch of which something was proposed has come to the end of its counter. */
bool check_counter_ended (const struct world *self);

/* ---- observe_disks.c ------------------------------------------------------------------------- */

/* A turn is over: whether the server does what one with a full disk shall, or with one that hangs,
 * or without a quorum; it begins, or goes on. */
void check_disks (struct world *world, struct sim_server *server);
void check_disks_anew (struct world *world, struct sim_server *server);
void check_debts_anew (struct sim_server *server); /* its process begins */
/* A frame goes to a client: whether there is a read in it that ought to wait for a quorum. */
void check_reads_held (struct world *world, const struct sim_server *server, const uint8_t *data,
                       size_t size);

/* ---- observe_durable.c -----------------------------------------------------------------------
 */

struct ghost_server;
struct sight;
/* Fills in of a sight what a power cut would take of the log that a process has found; of requests
 * that its store calls durable. A disk that was harmed is not looked at. */
void check_found_durable (struct sim_server *server, struct sight *sight);
void check_made_durable (struct sim_server *server, const struct ghost_server *ghost,
                         struct sight *sight);

/* ---- observe_states.c ------------------------------------------------------------------------
 */

/* The core is at rest: its states are sound, and one to the byte. */
void check_states (struct world *world);
/* A bit of its memory that changes by itself, wherever, is found. */
void check_rot_found (struct world *world, const struct sim_server *server);

/* ---- observe_left.c --------------------------------------------------------------------------
 */

/* What a power cut has left of a folder that nobody has harmed is in order, and all that was
 * durable. */
void check_left (struct world *world, struct sim_server *server, const struct ghost_server *ghost);

/* ---- observe_bounds.c ------------------------------------------------------------------------ */

/* A turn is over: what the server keeps for its clients and peers is bounded. */
void check_bounds_of (struct world *world, const struct sim_server *server);
/* Looks at what is kept for a session in the state; and says what came of that. */
void check_results_of (const struct tree *tree, const struct tree_session *session,
                       struct bounds *bounds);
void check_kept (struct world *world, const struct sim_server *server, const struct bounds *bounds);

/* ---- observe_snapshots.c ---------------------------------------------------------------------
 */

/* A turn is over: its log does not grow for ever; its process begins; it goes on. */
void check_snapshots_of (struct world *world, struct sim_server *server);
void check_snapshots_anew (struct sim_server *server);
void check_snapshots_resumed (struct sim_server *server);
/* Whether one that has nothing else to do will write another; says into `text` why. */
bool snapshots_restless (const struct sim_server *server, char *text, size_t size);

/* ---- observe_folder.c ------------------------------------------------------------------------ */

/* A server that runs has been idle for long enough to write down all that it has to. */
void check_folder_of (struct world *world, struct sim_server *server);

/* An invariant looks at this; if it does not hold, the run ends. */
struct sight;
void observe (struct world *world, const struct sight *sight);

/* A client is answered; name: what a sequential create has made, or NULL. */
void check_answer (struct world *self, zxid_t zxid, const char *name);

/* The ensemble has come to rest, or does not, and waits_for says why. */
void check_rest (struct world *self, int64_t after_ms, const char *waits_for);

/* All is over: what changes in memory now would be found; then the power of all servers is cut. */
void check_left_over (struct world *self);

#endif
