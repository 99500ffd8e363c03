/* server/core/state.h - the state of one server, shared by the files of the core
 *
 * Private to server/core and its unit tests. Who does what:
 *
 *      zab.c        life, the frame of a step, time
 *      past.c       a log that is read back, before there is a core
 *      role.c       role_become: the only place that changes the role
 *      peer.c       links and what is known of whoever is behind them
 *      election.c   who should lead (a hint: the rest checks it again)
 *      discovery.c  a new epoch, promised by a quorum
 *      sync.c       the leader brings a learner's log in line with its own
 *      learner.c    the learner's side of the same
 *      broadcast.c  proposals, acknowledgements, commits
 *      leader.c     pings, rounds, step-down, hand-over
 *      persist.c    what goes to the store, and what of it is durable
 *      send.c       the only place that sends: asserts what must be durable before
 *      check.c      the invariants (zab_check)
 *      name.c       names for traces
 *      history.c    the log as an index
 *
 * May include: client/base, server/core. */
#ifndef SERVER_CORE_STATE_H
#define SERVER_CORE_STATE_H

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/base/prng.h"
#include "client/base/ring.h"
#include "server/core/history.h"
#include "server/core/zab.h"

enum {
    ZAB_WINDOW_MAX = 16,                   /* DIFFs in flight to one learner */
    ZAB_MESSAGES_MAX = 32 * ZAB_PEERS_MAX, /* of one step: a window of DIFFs to every peer, twice */
    ZAB_REQUESTS_MAX = 1 << 16,            /* requests of the store that are told apart */
    ZAB_PEER_TIMEOUT_MS = 500,
    ZAB_SETTLE_MS = 20,
    ZAB_PINGS = 5,              /* in a peer_timeout */
    ZAB_PROGRESS_TIMEOUTS = 10, /* peer_timeouts without progress: a learner stands still */
    ZAB_SNAP_TIMEOUTS = 60,     /* the same while it receives or installs a snapshot */
    ZAB_STORE_TIMEOUTS = 4,     /* a store that hangs, where others do without it */
    ZAB_STORE_TIMES = 4,        /* or, where syncs take long, so many times that */
    ZAB_STORE_UNKNOWN = 5,      /* for so many peer_timeouts each is taken to, before the first */
    ZAB_RESEND_MS = 50,         /* a vote is repeated after this, then after twice as much ... */
    ZAB_RESEND_MS_MAX = 1000,
    ZAB_STUCK_MS = 200,       /* so long may an election that hears a quorum take */
    ZAB_FUTILE_MAX = 4,       /* after futile elections settle_ms doubles, at most so often */
    ZAB_DISCOVERIES_FREE = 3, /* failed discoveries in a row; from then on new epochs are */
    ZAB_EPOCH_MS = 1000       /* at least so far apart */
};

#define ZAB_SYNC_CHUNK_BYTES                                                                       \
    (64u << 10) /* a turn of leader or learner deals with a window of them */
#define ZAB_SYNC_WINDOW 4
#define ZAB_NEVER       INT64_MAX

/* The leader's view of a learner. The order matters: each phase includes the earlier ones. */
enum learner_phase {
    LEARNER_NONE = 0, /* does not follow this server */
    LEARNER_INFO,     /* FOLLOWERINFO received */
    LEARNER_EPOCH,    /* LEADERINFO sent */
    LEARNER_READY,    /* ACKEPOCH received; waits until the initial history is fixed */
    LEARNER_AGREE,    /* TRY sent */
    LEARNER_SNAP,     /* SNAP sent */
    LEARNER_DIFF,     /* DIFFs in flight */
    LEARNER_FORWARD,  /* in the forwarding set, NEWLEADER sent */
    LEARNER_SYNCED    /* ACK (e, 0) received */
};

struct learner {
    enum learner_phase phase;
    uint32_t session;
    uint32_t accepted_epoch;
    int64_t heard_ms;
    int64_t progress_ms;
    struct zab_point points[ZAB_EPOCHS_MAX]; /* of its ACKEPOCH */
    size_t points_count;
    struct zab_point tried;
    bool diff_begun;
    zxid_t sent;                   /* DIFF, PROPOSAL: through here */
    zxid_t flight[ZAB_WINDOW_MAX]; /* the ends of the DIFFs that it has not confirmed */
    size_t flight_count;
    zxid_t joined;  /* the end of the leader's log at NEWLEADER; ACK (e, 0) stands for it */
    zxid_t acked;   /* durable there; 0 before ACK (e, 0) */
    bool uptodate;  /* UPTODATE sent */
    zxid_t told;    /* up to here it commits by what it was told: see leader_flush_commits */
    uint64_t round; /* the newest one it has answered */
};

struct vote {
    bool received;
    enum zab_role role;
    uint64_t round;
    uint32_t leader; /* 0: none */
    uint32_t epoch;
    zxid_t zxid;
    bool established; /* LEADING, and a quorum has promised */
    zxid_t config_version;
    uint32_t session;
};

/* Exists while the link is up. */
struct peer {
    uint32_t id;
    uint64_t store_id;
    bool reset;           /* in this step: regarded as down, removed at its end */
    bool leaving;         /* it said so */
    bool owed;            /* gets our vote at the end of this step */
    bool full;            /* has no room for entries, as it has said last */
    enum zab_trust trust; /* as it has said last */
    struct vote vote;
    struct learner learner;
};

/* A learner's own view. The order matters. */
enum follow_phase {
    FOLLOW_NONE = 0,
    FOLLOW_INFO,      /* FOLLOWERINFO sent */
    FOLLOW_EPOCH,     /* LEADERINFO received, acceptedEpoch on its way to the disk */
    FOLLOW_READY,     /* ACKEPOCH sent */
    FOLLOW_SNAP,      /* SNAP received */
    FOLLOW_INSTALL,   /* the snapshot is being installed */
    FOLLOW_DIFF,      /* the log is a prefix of the leader's */
    FOLLOW_NEWLEADER, /* NEWLEADER received, currentEpoch on its way to the disk */
    FOLLOW_SYNCED,    /* ACK (e, 0) sent */
    FOLLOW_BROADCAST  /* UPTODATE received */
};

struct follow {
    enum follow_phase phase;
    uint32_t leader;
    uint32_t session;
    uint32_t epoch; /* of LEADERINFO */
    bool counts;    /* acceptedEpoch rose for it: ACKEPOCH is a promise */
    int64_t heard_ms;
    bool starved;       /* as the leader has said last */
    uint64_t newleader; /* the request that ACK (e, 0) waits for */
    zxid_t snapshot;    /* SNAP: none below this will do */
    zxid_t history;     /* the end of the log at NEWLEADER */
    zxid_t acked;       /* the last ACK sent */
    zxid_t reported;    /* the last SYNC_POINT sent */
    zxid_t held;        /* on the disk of the leader, who with this server is a quorum */
};

enum lead_phase {
    LEAD_NONE = 0,
    LEAD_DISCOVERY, /* collects FOLLOWERINFO */
    LEAD_EPOCH,     /* epoch chosen; once it is durable, LEADERINFO; collects ACKEPOCH */
    LEAD_SYNC,      /* initial history fixed; collects ACK (e, 0) */
    LEAD_BROADCAST, /* activated */
    LEAD_HANDOVER   /* was activated; lets outstanding proposals commit */
};

struct lead {
    enum lead_phase phase;
    uint32_t epoch;         /* 0: none chosen */
    struct id_set promises; /* whose ACKEPOCH for `epoch` counts */
    struct id_set covered;  /* of these: who surely acknowledged nothing that our log lacks */
    zxid_t history;         /* the initial history ends here */
    int64_t ping_ms;        /* next PING */
    int64_t quorum_ms;      /* when a quorum has last been heard */
    int64_t progress_ms;    /* before activation: the last step forward */
    int64_t epoch_ms;       /* the epoch may be chosen from then on */
    int64_t handover_ms;    /* the outstanding proposals may take until then */
    uint64_t round;         /* the newest that a quorum has answered */
    uint64_t stall_round;   /* after a stall: this one must be answered ... */
    int64_t stall_ms;       /* ... until then; ZAB_NEVER: no stall */
};

/* A request to the store that is not durable yet, and what the store will hold with it. */
struct request {
    uint64_t number;
    zxid_t log_end;
    uint32_t accepted_epoch;
    uint32_t current_epoch;
    enum zab_trust trust;
    int64_t issued_ms;
    bool open; /* nobody knew then that what it adds is committed */
};

/* What is known of a log before there is a core. */
struct zab_past {
    struct history log;
    int64_t stamp_ms; /* the highest */
};

struct zab {
    uint32_t id;
    uint64_t store_id;
    int64_t peer_timeout_ms;
    int64_t settle_ms;
    uint64_t sync_chunk_bytes;
    size_t sync_window;
    uint64_t counter_max;
    struct config_set configs;
    struct prng prng;

    int64_t now_ms, wall_ms;
    bool started;
    bool leaving;
    bool full;     /* the store has no room for entries */
    bool abstains; /* from leading: see ZAB_EVENT_STAND */
    enum zab_role role;
    enum zab_halt halt;

    /* What the log, the epochs and the commit index will be once all requests are done ... */
    struct history log;
    int64_t stamp_ms;   /* never less than that of any entry seen */
    int64_t stamped_ms; /* the moment, of now_ms, at which it was the time */
    uint32_t accepted_epoch, current_epoch;
    enum zab_trust trust;
    zxid_t suspect; /* ZAB_SUSPECT: up to here */
    zxid_t committed, delivered;
    /* ... and what of it is durable. */
    zxid_t durable;
    uint32_t accepted_durable, current_durable;
    enum zab_trust trust_durable;
    uint64_t request_number;  /* of the newest request */
    uint64_t request_durable; /* it and all before it are durable */
    uint64_t install_number;  /* 0: no snapshot is being installed */
    struct zab_point install_point;
    struct ring requests;
    int64_t stored_ms;     /* the store has done something, or could not have, for nothing ran */
    int64_t stores_ms;     /* ... and has taken so long for it, */
    int64_t stores_too_ms; /* and so long for what it did before */
    int64_t outdone_ms; /* so long has a quorum taken for what the store did not have yet, lately */
    zxid_t compared;    /* which was looked at up to here */

    /* LOOKING */
    uint64_t round;
    bool voting; /* the store has drained: takes part */
    struct vote vote;
    int64_t settled_ms; /* ZAB_NEVER: no quorum agrees */
    int64_t resend_ms, resend_after_ms;
    int64_t stuck_ms;     /* when to ask why nobody gets a quorum */
    struct id_set barred; /* no vote for these: others cannot reach them */
    unsigned futile;      /* elections in a row that came to nothing */

    /* FOLLOWING, OBSERVING */
    struct follow follow;
    uint32_t session; /* the last one drawn */

    /* LEADING */
    struct lead lead;
    uint64_t round_begun;
    unsigned discoveries_failed;
    uint32_t epoch_seen; /* the highest that a voter has said it accepted: the next is above it */
    int64_t epoch_chosen_ms; /* when this server has last chosen an epoch */

    struct peer *peers[ZAB_PEERS_MAX]; /* ascending ids */
    size_t peers_count;
    struct peer *spare[ZAB_PEERS_MAX];
    size_t spare_count;
    struct peer *storage;

    bool votes_owed; /* every peer gets our vote at the end of this step */
    struct zab_status status;
    struct zab_update update;
    struct zab_message *messages;
    uint32_t resets[ZAB_PEERS_MAX];
    uint32_t snapshots[ZAB_PEERS_MAX];
    struct zab_point points[ZAB_EPOCHS_MAX];
    struct zab_entry *entries;
    size_t entries_capacity;
};

/* ---- zab.c ------------------------------------------------------------------------------- */

/* Stops for good: nothing of this step leaves the core but the reason. */
void zab_halt (struct zab *self, enum zab_halt halt, const char *note);
void zab_note (struct zab *self, const char *note, uint32_t peer);
/* Whether this server's own acknowledgements count; and its votes and promises, too. */
bool zab_counts (const struct zab *self);
bool zab_votes (const struct zab *self);
/* Appends to the index; halts and gives false when memory runs out. */
bool zab_append (struct zab *self, const struct zab_entry *entry);

/* ---- role.c ------------------------------------------------------------------------------ */

void role_become (struct zab *self, enum zab_role role, uint32_t leader);
/* Back to LOOKING, whatever the role; does nothing if it is that already, or halted. */
void role_look (struct zab *self, const char *note, uint32_t peer);
bool role_is_learner (const struct zab *self);

/* ---- peer.c ------------------------------------------------------------------------------ */

/* NULL: the link is down, or is being reset. */
struct peer *peer_find (const struct zab *self, uint32_t id);
/* Its acknowledgements count (those of an epoch it gives only with a whole log); and its votes and
 * promises, too. */
bool peer_counts (const struct zab *self, const struct peer *peer);
bool peer_votes (const struct zab *self, const struct peer *peer);
void peer_link_up (struct zab *self, uint32_t id, uint64_t store_id);
void peer_link_down (struct zab *self, uint32_t id);
/* It broke the protocol, or stands still. */
void peer_reset (struct zab *self, struct peer *peer, const char *note);
/* It does not follow this server any more. */
void peer_forget_learner (struct peer *peer);
/* At the end of a step. */
void peer_sweep (struct zab *self);

/* ---- election.c -------------------------------------------------------------------------- */

void election_start (struct zab *self);
void election_on_drained (struct zab *self);
void election_on_link_up (struct zab *self, struct peer *peer);
void election_on_link_down (struct zab *self, uint32_t id);
/* Members, or whether this server stands, have changed. */
void election_anew (struct zab *self);
/* Whether this server, or the one behind a link, has room has changed. */
void election_on_space (struct zab *self, uint32_t id);
void election_process_vote (struct zab *self, struct peer *peer, const struct zab_message *message);
void election_on_tick (struct zab *self);
int64_t election_deadline (const struct zab *self);
void election_leave (struct zab *self);
void election_process_leaving (struct zab *self, struct peer *peer);
/* Sends the votes that are owed. */
void election_flush (struct zab *self);
/* The epoch that goes with a log which ends at `last`, given currentEpoch and what the log is
 * worth. */
uint32_t election_epoch (enum zab_trust trust, uint32_t current_epoch, zxid_t last);
/* Votes, and histories, are ordered by epoch, then zxid; votes finally by id. */
int election_compare (uint32_t epoch_a, zxid_t zxid_a, uint32_t id_a, uint32_t epoch_b,
                      zxid_t zxid_b, uint32_t id_b);

/* ---- discovery.c ------------------------------------------------------------------------- */

void follower_begin (struct zab *self);
void follower_process_leaderinfo (struct zab *self, struct peer *peer,
                                  const struct zab_message *message);
void follower_on_epochs_durable (struct zab *self);
void leader_process_followerinfo (struct zab *self, struct peer *peer,
                                  const struct zab_message *message);
void leader_process_ackepoch (struct zab *self, struct peer *peer,
                              const struct zab_message *message);
/* Takes whatever step of discovery has become possible. */
void leader_discover (struct zab *self);

/* ---- sync.c ------------------------------------------------------------------------------ */

void leader_sync_begin (struct zab *self, struct peer *peer);
void leader_process_try_answer (struct zab *self, struct peer *peer,
                                const struct zab_message *message);
void leader_process_sync_point (struct zab *self, struct peer *peer,
                                const struct zab_message *message);

/* ---- learner.c --------------------------------------------------------------------------- */

void follower_process_try (struct zab *self, struct peer *peer, const struct zab_message *message);
void follower_process_diff (struct zab *self, struct peer *peer, const struct zab_message *message);
void follower_process_snap (struct zab *self, struct peer *peer, const struct zab_message *message);
void follower_on_snapshot (struct zab *self, const struct zab_event *event);
void follower_on_installed (struct zab *self);
void follower_process_newleader (struct zab *self, struct peer *peer,
                                 const struct zab_message *message);
void follower_process_uptodate (struct zab *self, struct peer *peer,
                                const struct zab_message *message);
/* Sends what the durable log and epochs now allow: SYNC_POINT, ACK. */
void follower_acknowledge (struct zab *self);
/* At the end of a step: whose store hangs leaves, if the others do without it. */
void follower_check_store (struct zab *self);

/* ---- broadcast.c ------------------------------------------------------------------------- */

void leader_propose (struct zab *self, const struct zab_proposal *proposals, size_t count);
void leader_process_ack (struct zab *self, struct peer *peer, const struct zab_message *message);
/* Activates, and commits, as far as the acknowledgements allow. */
void leader_commit (struct zab *self);
/* UPTODATE and COMMIT to whom they are owed: one message to each learner and step. */
void leader_flush_commits (struct zab *self);
void follower_process_proposal (struct zab *self, struct peer *peer,
                                const struct zab_message *message);
void follower_process_commit (struct zab *self, struct peer *peer,
                              const struct zab_message *message);
/* Appends what a PROPOSAL or DIFF brings; false: the link was reset, or the server has halted. */
bool follower_append (struct zab *self, struct peer *peer, const struct zab_message *message);
/* What UPTODATE or COMMIT says. */
void follower_take_commit (struct zab *self, struct peer *peer, const struct zab_message *message);
/* Commits what is on both disks, the leader's and this server's, if they are a quorum. */
void follower_commit_held (struct zab *self);
/* The leader says that everything up to zxid is committed; false: the link was reset. */
bool follower_commit (struct zab *self, struct peer *peer, zxid_t zxid);

/* ---- leader.c ---------------------------------------------------------------------------- */

void leader_begin (struct zab *self);
void leader_on_tick (struct zab *self);
void leader_on_stall (struct zab *self);
void leader_step_down (struct zab *self, const char *note, uint32_t peer);
void leader_begin_round (struct zab *self);
void leader_process_pong (struct zab *self, struct peer *peer, const struct zab_message *message);
void leader_count_rounds (struct zab *self);
void leader_heard (struct zab *self, struct peer *peer);
void leader_progress (struct zab *self, struct peer *peer);
void leader_hand_over (struct zab *self);
void leader_check_handover (struct zab *self);
/* Writes must wait, for want of room: here, or because no quorum has any. */
bool leader_starved (const struct zab *self);
int64_t leader_deadline (const struct zab *self);
/* PING, at the learner. */
void follower_process_ping (struct zab *self, struct peer *peer, const struct zab_message *message);

/* ---- persist.c --------------------------------------------------------------------------- */

void persist_truncate (struct zab *self, zxid_t zxid);
void persist_entries (struct zab *self, const struct zab_entry *entries, size_t count);
void persist_epochs (struct zab *self, uint32_t accepted_epoch, uint32_t current_epoch);
/* The log is the history of `epoch`: currentEpoch, and nothing that was committed is missing. */
void persist_history (struct zab *self, uint32_t epoch);
void persist_install (struct zab *self, struct zab_point point);
/* Registers this step's request; at the end of a step. */
void persist_flush (struct zab *self);
/* Everything up to request `number` is durable; false: it says nothing new. */
bool persist_durable (struct zab *self, uint64_t number);
void persist_installed (struct zab *self);
/* It did not: what the request stands for now is done with those before it. */
void persist_not_installed (struct zab *self);
/* Nothing that is not durable will be: the log ends at this point. */
void persist_withdrawn (struct zab *self, struct zab_point point);
bool persist_drained (const struct zab *self);
/* At the end of a step: how fast others are with what this store has not done yet. */
void persist_compare (struct zab *self);
/* For how long to wait for stores, of this server and of others, which are such as this one: so
 * many peer_timeouts, or longer where each thing that is stored takes long. */
int64_t persist_patience_ms (const struct zab *self, int timeouts);
/* Others have what this store owes, and it has done nothing for much longer than they took for it:
 * where all disks are slow, each of them is behind now and then. */
bool persist_lags (const struct zab *self);
/* Whether the store has owed its oldest request, and done nothing at all, for so long, while this
 * server ran. One that is slow does not hang. */
bool persist_hangs (const struct zab *self, int64_t limit_ms);

/* ---- send.c ------------------------------------------------------------------------------ */

/* Queues a message, after asserting that it may be sent now. Fills in what all messages carry. */
void send_message (struct zab *self, const struct peer *peer, struct zab_message message);
/* Withdraws what this step was going to send to a peer. */
void send_withdraw (struct zab *self, uint32_t peer);

#endif
