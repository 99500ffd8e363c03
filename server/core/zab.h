/*
 * server/core/zab.h - Zab: the agreement of a server with its ensemble
 *
 * PURE: no I/O, clock, randomness, thread or global.  The same events give the same updates, to
 * the byte; the simulator runs this object code.
 *
 *      zab_step (self, event) -> update
 *
 * The core knows the log as an index: zxid, chain hash, size and stamp of each entry.  The bytes
 * stay with whoever drives it (server/node): a message that carries entries names a range.
 *
 * The driver does with each update, in this order:
 *    1. reset links, 2. hand `persist` to the store (which works through such requests one after
 *    the other), 3. send the messages, 4. apply entries up to `deliver`, 5. look at the rest.
 * When the store says that request n, and with it all earlier ones, is durable, the driver feeds
 * ZAB_DURABLE (n).  The core sends nothing that depends on a request before that: the table of
 * docs/zab.md, section 1 (what must be durable before which message) stands in one function,
 * send.c, as assertions.
 *
 * Sources: Junqueira, Reed, Serafini, "Zab" (DSN 2011); ZooKeeper's protocol-spec/Zab.tla, whose
 * action names the functions bear.
 */
#ifndef SERVER_CORE_ZAB_H
#define SERVER_CORE_ZAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/config.h"
#include "server/core/zxid.h"

struct zab;

/* ---- Entries ----------------------------------------------------------------------------- */

/* One entry of the log.  chain = zab_chain (predecessor's chain, zxid, stamp, data): equal
 * chains mean equal histories. */
struct zab_entry {
    zxid_t zxid;
    int64_t stamp_ms; /* the leader's time (zab_stamp_ms), never less than the predecessor's */
    uint64_t chain;
    const uint8_t *data; /* borrowed for the call */
    uint32_t size;
};

uint64_t zab_chain (uint64_t previous, zxid_t zxid, int64_t stamp_ms, const void *data,
                    size_t size);

/* A point of a log: everything up to and with zxid. */
struct zab_point {
    zxid_t zxid;
    uint64_t chain;
};

enum { ZAB_EPOCHS_MAX = 64 }; /* points of an ACKEPOCH: of the last so many epochs of the log */
enum { ZAB_PEERS_MAX = 64 };  /* links up at one time; further ones are reset */
enum { ZAB_PROPOSALS_MAX = 1 << 16 }; /* of one ZAB_EVENT_PROPOSE */

/* What a server's log is worth (docs/zab.md, section 12): whether it holds all that the server has
 * ever acknowledged.  It stays as it is, on the disk, until a leader has made the log whole. */
enum zab_trust {
    ZAB_WHOLE = 0, /* it does */
    ZAB_SUSPECT,   /* entries behind its end, up to a known zxid, cannot be read; nobody knows */
    /* whether they were acknowledged.  It votes; what its promise is worth depends */
    /* on what the others have */
    ZAB_DAMAGED /* what was acknowledged is lost, nobody knows how much: no vote, no promise */
};

/* ---- Messages ---------------------------------------------------------------------------- */

enum zab_message_type {
    ZAB_VOTE = 1,     /* round, leader, epoch, zxid (last durable), role, config_version; */
                      /* counts: LEADING, and a quorum has promised */
    ZAB_FOLLOWERINFO, /* epoch: acceptedEpoch */
    ZAB_LEADERINFO,   /* epoch: the new epoch */
    ZAB_ACKEPOCH,     /* epoch: currentEpoch; zxid; points; counts == false: not counted */
    ZAB_TRY,          /* point: does your log have it?  (the agreement of two logs) */
    ZAB_TRY_ANSWER,   /* point: yes if it is the one asked for, else my next lower candidate */
    ZAB_DIFF,         /* entries after point; first of a sync: truncate to point first */
    ZAB_SNAP,         /* a snapshot follows, behind this message on the same link, at point or */
                      /* later (the drivers transfer it: zab_update.snapshots, */
                      /* ZAB_EVENT_SNAPSHOT); once it is installed the learner says */
    ZAB_SYNC_POINT,   /* point: my log ends here, durably (progress of DIFF, installed SNAP) */
    ZAB_NEWLEADER,    /* epoch */
    ZAB_ACK,          /* zxid: durable up to here; (e, 0) acknowledges NEWLEADER */
    ZAB_UPTODATE,     /* zxid: committed; counts: sender and addressee are a quorum, so what is */
                      /* durable at both is committed, too */
    ZAB_PROPOSAL,     /* entries */
    ZAB_COMMIT,       /* zxid: committed up to here; counts: as of UPTODATE */
    ZAB_PING,         /* nonce: of the leader's newest round; zxid: committed */
    ZAB_PONG,         /* nonce; counts == false: alive, but not synchronized: no round vote */
    ZAB_LEAVING       /* the sender shuts down: elect somebody else */
};

enum zab_role {
    ZAB_LOOKING = 1,
    ZAB_FOLLOWING,
    ZAB_LEADING,
    ZAB_OBSERVING,
    ZAB_HALTED /* see zab_update.halt */
};

/* The edge between servers carries every field of every message, whatever its type. */
struct zab_message {
    enum zab_message_type type;
    uint32_t peer; /* in an event: the sender; in an update: the addressee */
    uint32_t epoch;
    zxid_t zxid;
    zxid_t durable; /* of a leader: its log is durable through this zxid */
    uint64_t nonce;
    struct zab_point point;
    bool counts;

    /* One attempt of a learner to follow a leader: drawn by the learner in FOLLOWERINFO, repeated
     * in everything that the two exchange until it ends. What belongs to an earlier attempt over
     * the same link is dropped; so nobody has to reset a link to begin anew. A VOTE carries the
     * last one that its sender has drawn: so VOTE, PING and PONG may overtake, and be overtaken
     * by, the other messages of a link (but not each other; and a PING with a zxid, which is a
     * commit, must not overtake). */
    uint32_t session;

    /* Every message: the sender's disk has no room for entries.  PING besides: writes wait for that
     * (see zab_status.starved). */
    bool full;
    bool starved;

    /* VOTE, FOLLOWERINFO, ACKEPOCH: what the sender's log is worth; SUSPECT: up to here. */
    enum zab_trust trust;
    zxid_t suspect;

    /* VOTE */
    uint64_t round;
    uint32_t leader;
    enum zab_role role;
    zxid_t config_version;

    /* ACKEPOCH: last point of each epoch in the log, ascending; the first is the log's base; at
     * most ZAB_EPOCHS_MAX.  Borrowed: in an event for the call, in an update until the next step.
     */
    size_t points_count;
    const struct zab_point *points;

    /* PROPOSAL, DIFF.  In an update: all entries in (entries_after, entries_through], to be read
     * from the log; in an event: the entries themselves. */
    zxid_t entries_after;
    zxid_t entries_through;
    const struct zab_entry *entries;
    size_t entries_count;
};

/* ---- Events ------------------------------------------------------------------------------ */

enum zab_event_type {
    ZAB_EVENT_TICK = 1,      /* time passed: at zab_deadline at the latest */
    ZAB_EVENT_LINK_UP,       /* peer, store_id */
    ZAB_EVENT_LINK_DOWN,     /* peer: nothing sent on it before will arrive any more */
    ZAB_EVENT_MESSAGE,       /* message */
    ZAB_EVENT_PROPOSE,       /* proposals: only while zab_status says activated */
    ZAB_EVENT_DURABLE,       /* persisted: request number */
    ZAB_EVENT_SNAPSHOT,      /* a whole, verified snapshot has come from peer: point, stamp_ms. */
                             /* May it replace the log?  See zab_persist.install. */
    ZAB_EVENT_INSTALLED,     /* the snapshot that zab_persist.install has asked for has replaced */
                             /* the whole log, durably, and the state: point, stamp_ms */
    ZAB_EVENT_NOT_INSTALLED, /* it could not, and nothing has changed: the request is an empty */
                             /* one now, and ZAB_EVENT_DURABLE comes for it in its turn */
    ZAB_EVENT_PROGRESS,      /* peer: its snapshot transfer moved on */
    ZAB_EVENT_COMPACTED,     /* point, stamp_ms: the log before it is gone */
    ZAB_EVENT_ROUND,         /* begin a quorum round now (leader): see zab_update.round */
    ZAB_EVENT_CONFIG,        /* configs: the applied member list has changed */
    ZAB_EVENT_SPACE,         /* full: the store has no room for new entries, or has again */
    ZAB_EVENT_WITHDRAWN, /* point: requests that waited for room were given up (only a LOOKING */
                         /* server's, which then can vote): the log on the disk ends there, */
                         /* and the epochs are those of the last request that was durable */
    ZAB_EVENT_STAND,     /* stands: may this server lead?  It may to begin with.  If not it hands */
                         /* over, and votes for others; all else goes on */
    ZAB_EVENT_LEAVE      /* shut down: hand over.  Done when zab_status is leaving and not */
                         /* LEADING; this server takes no part in elections any more */
};

struct zab_proposal {
    const uint8_t *data;
    uint32_t size;
};

struct zab_event {
    enum zab_event_type type;
    int64_t now_ms;  /* monotonic */
    int64_t wall_ms; /* since 1970, for stamps */
    uint32_t peer;
    uint64_t store_id;
    const struct zab_message *message;
    const struct zab_proposal *proposals;
    size_t proposals_count;
    uint64_t persisted;
    struct zab_point point;
    int64_t stamp_ms;
    const struct config_set *configs;
    bool full;
    bool stands;
};

/* ---- Updates ----------------------------------------------------------------------------- */

/* What to make durable, in this order, as one request to the store.  number 0: nothing. */
struct zab_persist {
    uint64_t number;
    bool truncate; /* drop every entry after truncate_to */
    zxid_t truncate_to;
    const struct zab_entry *entries; /* append; data as in the event */
    size_t entries_count;
    zxid_t commit; /* the commit index to be written into each of these records */
    bool epochs;   /* write both epochs (after the log) */
    uint32_t accepted_epoch;
    uint32_t current_epoch;
    bool whole; /* with the epochs, in the same write: from now on the log is ZAB_WHOLE */

    /* Replace the whole log, and the state, by the snapshot that this very ZAB_EVENT_SNAPSHOT
     *  announced; nothing else is in such a request.  If it is false in the answer to that event,
     *  the snapshot is stale: throw it away.  ZAB_EVENT_INSTALLED or _NOT_INSTALLED reports the
     *  end of it, not ZAB_EVENT_DURABLE; no further request comes before that. */
    bool install;
};

enum zab_halt {
    ZAB_RUNNING = 0,
    ZAB_HALT_DIVERGED,  /* would have to truncate what was applied */
    ZAB_HALT_CORRUPT,   /* a chain hash does not match */
    ZAB_HALT_EXHAUSTED, /* no epoch left */
    ZAB_HALT_MEMORY     /* out of memory; what is durable is sound: restart */
};

/* Lives until the next zab_step. */
struct zab_update {
    struct zab_persist persist;

    const struct zab_message *messages;
    size_t messages_count;

    /* Peers whose link must be reset: they broke the protocol or stand still.  The core regards
     *  the link as down from now on; ZAB_EVENT_LINK_DOWN for it may be fed or not. */
    const uint32_t *resets;
    size_t resets_count;

    const uint32_t *snapshots; /* peers that need a snapshot now */
    size_t snapshots_count;

    /* Requests that are not durable never will be (ZAB_EVENT_WITHDRAWN): the log ends at the
     * status's last. */
    bool withdrawn;

    zxid_t deliver; /* entries up to here are committed and durable here: apply them */

    bool status_changed; /* look at zab_status */

    /* The newest round that a quorum has answered after it had begun; what was received before
     *  that round began is confirmed.  0: none since activation. */
    uint64_t round;

    enum zab_halt halt;
    const char *note; /* what this step was about, for the log; static; NULL: nothing to say */
    uint32_t note_peer;
};

struct zab_status {
    enum zab_role role;
    uint32_t leader; /* 0: none known */
    bool activated;  /* leading: may propose (false again while it hands over). */
                     /* following: synchronized, UPTODATE received */
    bool leaving;
    bool settling; /* LOOKING: no vote before the store has done what was asked of it */
    bool full;     /* no room here: who leads hands over to a follower that has some */
    bool starved;  /* leading: propose nothing, for it is full, or no quorum has room; following: */
                   /* the leader has said so */
    uint32_t accepted_epoch; /* both as last asked of the store */
    uint32_t current_epoch;
    enum zab_trust trust;   /* what the log on the disk is worth */
    zxid_t last;            /* last entry of the log */
    zxid_t durable;         /* last durable entry */
    zxid_t committed;       /* known to be committed */
    uint64_t round_begun;   /* leader: newest round begun */
    uint32_t snapshot_from; /* following: ZAB_EVENT_SNAPSHOT of this leader is waited for; else 0 */
};

/* Whoever drives a core lets an observer see each update, and the status behind it, before it does
 * anything about it: for checkers. update NULL: nobody. */
struct zab_observer {
    void *arg;
    void (*update) (void *arg, const struct zab_update *update, const struct zab_status *status);
};

/* ---- Life -------------------------------------------------------------------------------- */

struct zab_options {
    uint32_t id;
    uint64_t store_id;
    uint64_t seed;
    struct config_set configs;
    int peer_timeout_ms;       /* 0: 500; pings go every fifth of it */
    int settle_ms;             /* 0: 20; wait for better votes when not all reachable agree */
    uint32_t sync_chunk_bytes; /* 0: 64 KiB a DIFF */
    uint32_t sync_window;      /* 0: 4 DIFFs in flight to a learner; at most 16 */
    uint64_t counter_max;      /* 0: the natural end; hand over when a counter gets there */
};

/* NULL: out of memory or invalid options. */
struct zab *zab_new (const struct zab_options *options);
void zab_destroy (struct zab **self_p);

/* The log as it is read back, for a core that is perhaps made later: it begins behind base, whose
 * entry has that stamp.  NULL: out of memory. */
struct zab_past;
struct zab_past *zab_past_new (struct zab_point base, int64_t stamp_ms);
void zab_past_destroy (struct zab_past **self_p);

/* The next entry.  Its data is hashed and compared with the chain: COHORT_ECORRUPT when it does
 * not match, or does not follow; COHORT_ENOMEM.  Nothing has changed then. */
int zab_past_add (struct zab_past *self, const struct zab_entry *entry);

/* Before zab_start: what the store holds durably; takes it over. */
void zab_recover (struct zab *self, struct zab_past **past);

/* Before zab_start, if the log is not ZAB_WHOLE; suspect: up to which zxid it is ZAB_SUSPECT. */
void zab_recover_trust (struct zab *self, enum zab_trust trust, zxid_t suspect);

/* Starts LOOKING (a configuration of this server alone leads at once).  committed: the highest
 * commit index known from the store; entries up to it are delivered by the first update. */
const struct zab_update *zab_start (struct zab *self, uint32_t accepted_epoch,
                                    uint32_t current_epoch, zxid_t committed, int64_t now_ms);

const struct zab_update *zab_step (struct zab *self, const struct zab_event *event);

const struct zab_status *zab_status (const struct zab *self);

/* Why a voter has no vote in an election of this server's. */
enum zab_silence {
    ZAB_HEARD = 0,
    ZAB_UNLINKED, /* its link is down */
    ZAB_EMPTIED,  /* its store is another than the member list says */
    ZAB_UNHEALED  /* its log is damaged */
};

struct zab_silent {
    uint32_t id;
    enum zab_silence why;
};

/* All voters that have none, by the member list as this server knows it, itself among them: for
 * whoever has to find out why nobody leads. Returns how many. */
size_t zab_silent (const struct zab *self, struct zab_silent list[CONFIG_MEMBERS_MAX]);

/* The silence after which a leader is given up: half a ping less than the limit, so that, with the
 * election, writes stand still for no longer than the limit says. */
int64_t zab_patience_ms (int64_t peer_timeout_ms);

/* The stamp of what a leader proposes at that moment: its clock's time.  Where that is behind the
 * newest stamp - the clock was set back, or that of the leader before is ahead - stamps go on by
 * one millisecond in ZAB_STAMP_SLOWNESS until the clock has come there: what ends at a stamp ends
 * later, but it ends, however far the clocks differ, and none ends early. */
enum { ZAB_STAMP_SLOWNESS = 2 };
int64_t zab_stamp_ms (const struct zab *self, int64_t now_ms, int64_t wall_ms);

/* When the next ZAB_EVENT_TICK is due; INT64_MAX: never. */
int64_t zab_deadline (const struct zab *self);

/* Checks every invariant that can be checked inside one server; asserts. */
void zab_check (const struct zab *self);

/* The names used in traces: "VOTE", "LOOKING". */
const char *zab_message_name (enum zab_message_type type);
const char *zab_role_name (enum zab_role role);
const char *zab_trust_name (enum zab_trust trust); /* "whole", "suspect", "damaged" */

#endif
