/*
 * server/node/ensemble_state.h - the state of ensemble.h, shared by its files
 *
 *      ensemble.c           life, turns, looking
 *      ensemble_core.c      events to the core, updates from it, leadership
 *      ensemble_apply.c     committed entries to the tree; snapshots that replace it
 *      ensemble_digests.c   comparing states, and what follows if they differ
 *      ensemble_requests.c  clients' requests, own and forwarded; what the tracker wants
 */
#ifndef SERVER_NODE_ENSEMBLE_STATE_H
#define SERVER_NODE_ENSEMBLE_STATE_H

#include "server/node/backups.h"
#include "server/node/checkpoint.h"
#include "server/node/clients.h"
#include "server/node/digests.h"
#include "server/node/ensemble.h"
#include "server/node/install.h"
#include "server/node/log_limit.h"
#include "server/node/proposals.h"
#include "server/node/ranges.h"
#include "server/node/rebuild.h"
#include "server/node/retired.h"
#include "server/node/snapshots.h"
#include "server/node/tracker.h"

enum {
    ENSEMBLE_PEER_TIMEOUT_MS = 500,
    ENSEMBLE_SILENT_MAX = 3 * CONFIG_MEMBERS_MAX, /* each server for each reason */
    /* Scrubbing: at most so often, and for so long a time at once; a round takes about a minute, or
     * as long as the bytes do. */
    ENSEMBLE_SCRUB_MS = 25,
    ENSEMBLE_SCRUB_MS_MAX = 100,
    ENSEMBLE_SCRUB_ROUND_MS = 60000,
    ENSEMBLE_SCRUB_OBJECTS = 16, /* in ENSEMBLE_SCRUB_MS, at least */
    ENSEMBLE_SCRUB_BYTES = 1 << 20,
    /* Comparing states. */
    ENSEMBLE_ROUNDS = 5,        /* so often in a peer timeout, as pings */
    ENSEMBLE_PATIENCE = 2,      /* peer timeouts for those who are slow to tell */
    ENSEMBLE_ALARM_MS = 10000,  /* that states differ is said again */
    ENSEMBLE_PASSES = 2,        /* through all snapshots, before a disk is given up */
    ENSEMBLE_CHECK_MS = 60000,  /* between two times that it is tried to find out by oneself */
    ENSEMBLE_HELD_TIMEOUTS = 4, /* peer timeouts without a leader: clients are held */
    ENSEMBLE_NOMEM_MS = 20      /* without memory for a request: before it is asked for again */
};

#define ENSEMBLE_BACKLOG_BYTES (UINT64_C (64) << 20) /* for the disk: peers shall send less */

/* Why clients wait. */
enum ensemble_held {
    HELD_NOT = 0,
    HELD_NO_QUORUM, /* reads wait, too */
    HELD_BEHIND, /* a snapshot takes the place of what is here: clients had better go elsewhere */
    HELD_FULL,   /* this server's disk is full */
    HELD_STUCK,  /* ... and keeps it from following: likewise */
    HELD_STARVED /* too many of the others' are */
};

/* What the leader knows of a peer besides. */
struct ensemble_peer {
    uint32_t id;
    bool told;            /* the core knows that its link is up */
    uint32_t acked_epoch; /* it has acknowledged NEWLEADER of this epoch */
    uint64_t proposed;    /* the store for which MEMBER_STORE is proposed, and not decided */
    bool asked;           /* leading: for its digest, in the round that is open */
    uint64_t sync;        /* a point that it has asked for, and not the tracker yet; 0: none */
};

struct ensemble {
    uint32_t id;
    struct config configured;
    const struct buf *addresses; /* of the members; NULL: not known */
    struct store *store;
    const char *folder;
    struct links *links;
    struct ensemble_host host;
    struct logger logger;
    uint64_t seed;
    int peer_timeout_ms;
    uint32_t sync_chunk_bytes;
    uint64_t counter_max;
    struct entry_limits limits;
    const uint8_t *admins; /* of an ensemble that has none */
    size_t admins_size;
    bool admins_done;    /* as leader it has looked whether there are any */
    bool replace_admins; /* those are to take the place of others: once in the life of a process */
    zxid_t found;        /* the end of the log as this process found it */
    struct zab_observer observer;
    struct tree_options tree_options;
    struct recovery_early *early; /* the state, if it was loaded while the store was opened */

    int64_t now_ms;
    int64_t wall_ms;
    struct zab *zab; /* NULL until ensemble_start */
    struct tree *tree;
    struct zab_point applied;
    zxid_t deliver;
    uint64_t completed; /* of the store: told to the core */
    bool config_due;    /* the applied members have changed */
    bool compact_due;
    uint64_t install_number; /* of the request to install, in the answer to ZAB_EVENT_SNAPSHOT */

    size_t peers_count;
    struct ensemble_peer peers[CONFIG_MEMBERS_MAX];

    enum zab_trust trust; /* of the log: as known to the people */

    /* Leadership as the clients know it. */
    bool up;
    uint32_t up_leader;
    uint32_t up_epoch;
    int64_t up_since_ms;
    int64_t down_since_ms;
    enum ensemble_held held; /* what the clients were told, and its text */
    char held_text[CLIENTS_HELD_SIZE];
    struct zab_silent silent[ENSEMBLE_SILENT_MAX]; /* without a quorum: who was told to have no */
    size_t silent_count;                           /* vote, and why */
    bool full;      /* the disk: as the core and the people know it */
    zxid_t history; /* leading: the end of the initial history */

    struct proposals proposals;
    uint64_t sync;       /* as ensemble_peer.sync, of this server's own clients */
    int64_t resubmit_ms; /* a request of theirs found no memory: they shall repeat; INT64_MAX */
    bool lapsing;        /* a LAPSE is proposed, and not decided */
    struct tracker *tracker;
    struct ranges ranges;
    struct checkpoint checkpoint;
    struct snapshots *snapshots;
    struct backups *backups;
    struct install install;
    struct retired retired;

    struct log_limit crossings; /* of quotas, that are told */

    struct digests digests;
    bool witness;     /* the state was made here, or is proven: digests.h */
    int64_t round_ms; /* leading: states are compared again from then on */
    uint64_t pattern; /* who differed from whom, as the people know it; 0: nobody */
    size_t differed;  /* so many were there then */
    int64_t alarm_ms; /* when that was said last */
    enum node_state state;
    char state_reason[256];
    struct rebuild rebuild; /* QUARANTINED: of what takes its place; else: what it ought to be */
    int64_t check_ms;       /* contested: not made anew before that */
    bool remade;            /* quarantined: the state was made of the snapshot at rebuild.from */
    bool convicted;         /* quarantined: not by its own verdict, but by that of a quorum */
    unsigned passes;        /* quarantined: so often nothing older was left to begin with */
    bool stands;            /* as the core knows it */

    int64_t leave_ms;    /* when leaving began; INT64_MAX: not */
    int64_t scrubbed_ms; /* a slice of the state, last */
    int failure;
    char text[384];
};

/* ensemble.c */
void ensemble_fail (struct ensemble *self, int code, const char *text);
struct ensemble_peer *ensemble_find (struct ensemble *self, uint32_t id);
bool ensemble_takes_snapshots (const struct ensemble *self); /* of its own state */
bool ensemble_is_lost (const struct ensemble *self);         /* without a leader for too long */

/* ensemble_core.c */
void ensemble_step (struct ensemble *self, struct zab_event event);
void ensemble_update (struct ensemble *self, const struct zab_update *update);
const struct zab_status *ensemble_zab (const struct ensemble *self);
bool ensemble_leads (const struct ensemble *self); /* activated */
/* Whether the administrators are those of the configuration; nobody, if it names none. */
bool ensemble_has_configured_admins (const struct ensemble *self);
bool ensemble_starved (const struct ensemble *self); /* writes wait for room on disks */

/* ensemble_apply.c: true: more at once */
bool ensemble_apply (struct ensemble *self);
bool ensemble_install_turn (struct ensemble *self);
void ensemble_snapshots_init (struct ensemble *self, uint64_t snapshot_bytes, uint32_t slice_bytes);
void ensemble_snapshot_part (struct ensemble *self, uint32_t peer, const struct peer_snapshot *part,
                             struct peer_bytes chunk);

/* ensemble_digests.c */
void ensemble_note_digest (struct ensemble *self);
void ensemble_take_digests (struct ensemble *self, uint32_t peer, const struct peer_frame *frame);
bool ensemble_digests_turn (struct ensemble *self); /* true: more at once */

/* ensemble_requests.c */
bool ensemble_tracker_init (struct ensemble *self);
void ensemble_propose_cluster (struct ensemble *self);
void ensemble_requests (struct ensemble *self, uint32_t peer, const struct peer_frame *frame);
void ensemble_forget_questions (struct ensemble *self, uint32_t server);
void ensemble_forget_syncs (struct ensemble *self);
bool ensemble_sync_due (const struct ensemble *self);
void ensemble_resubmit (struct ensemble *self);
bool ensemble_propose (struct ensemble *self); /* true: more at once */
int64_t ensemble_lapse_deadline (const struct ensemble *self);

#endif
