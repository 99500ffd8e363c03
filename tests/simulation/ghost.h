/* What a cluster looks like to somebody who sees all of it, and remembers: the ghost state that the
 * invariants are about (the protocol itself never has it).
 *
 * Servers are seen by way of sights: what their core asks for, what their store says is durable,
 * what they have applied. Each sight is first checked (invariants.h) against everything that was
 * seen before it, and then taken into the ghost state, which judges nothing.
 *
 * Pure: no server, world or disk is known here, so that tests can make any history by hand. Memory
 * that runs out ends the program. May include: client/base, server/core/zab.h. */

#ifndef TESTS_SIMULATION_GHOST_H
#define TESTS_SIMULATION_GHOST_H

#include "client/base/map.h"
#include "client/base/ring.h"
#include "server/core/zab.h"
#include "tests/simulation/shadow.h"

enum { GHOST_ID_MAX = 16 }; /* server ids are 1 to this */

/* ---- Sights ---------------------------------------------------------------------------------- */

/* Bits, so that a checker can name several. */
enum sight_kind {
    SIGHT_STARTED = 1,      /* a process has read its store: log, epochs, store_id */
    SIGHT_STOPPED = 2,      /* it has died, or was killed */
    SIGHT_DURABLE = 4,      /* its store says that requests up to `completed` are durable */
    SIGHT_BASE = 8,         /* its store's log begins behind `base` now; replaced: by a snapshot */
    SIGHT_UPDATE = 16,      /* its core wants `update`; nothing of it is done yet */
    SIGHT_TURN = 32,        /* a turn is over: applied, digest */
    SIGHT_ANSWER = 64,      /* a client has got an answer */
    SIGHT_CONFIG = 256,     /* it has applied another member list: configs */
    SIGHT_WITHDRAWN = 1024, /* requests that are not durable never will be; its log ends at `end` */
    SIGHT_SPACE = 512,      /* a turn of a server whose disk is full is over */
    SIGHT_PEACE = 2048,     /* in a time in which nothing goes wrong: who leads, who is served */
    SIGHT_FOLDER = 4096,    /* what is on the disk of a server that has been idle for a while */
    SIGHT_HANGS = 8192,     /* a turn of a server whose disk stands is over */
    SIGHT_LOST = 16384,     /* a turn of a server without a quorum is over */
    SIGHT_KEPT = 32768,     /* a turn of a server is over, which keeps something for others */
    SIGHT_GROWS = 65536,    /* a turn of a server is over, whose log snapshots have to shorten */
    SIGHT_REST = 128 /* the cluster came to rest after all faults had ended, or did not in time */
};

struct sight_ephemeral {
    const char *path;
    uint64_t owner;
    bool owner_lives;
};

struct sight {
    enum sight_kind kind;
    uint32_t server; /* its id; 0: none in particular (ANSWER, REST) */

    /* STARTED. trust, suspect: what it takes its log for. harmed: its disk may have lost or garbled
     * what it had promised to keep, by a fault that is more than a crash. */
    const struct shadow *log;
    uint32_t accepted_epoch, current_epoch;
    uint64_t store_id;
    enum zab_trust trust;
    zxid_t suspect;
    bool harmed;
    bool emptied;     /* nothing of what it had is left */
    bool older;       /* its manifest was put back, and did not name what came later */
    bool heir;        /* STARTED, STOPPED: its state is another server's, and not proven */
    bool found;       /* this opening, or one before it that was interrupted, has found damage */
    zxid_t committed; /* up to here it knows that its log is committed: by what its records say, */
    zxid_t recorded;  /* and by its newest snapshot, `newest`, 0: there is none */

    uint64_t completed; /* DURABLE */

    /* STARTED, DURABLE: of what counts as durable from then on a power cut would take this entry,
     * 0: none; or a copy of the metadata. */
    zxid_t fleeting;
    bool copy_fleeting;

    zxid_t end; /* WITHDRAWN, FOLDER, GROWS: of the log */

    /* BASE */
    struct zab_point base;
    bool replaced;

    const struct zab_update *update; /* UPDATE */
    const struct zab_status *status; /* UPDATE, TURN */
    uint64_t counter_max;            /* UPDATE: of an epoch's zxids; 0: nobody says */

    const struct config_set *configs; /* TURN, CONFIG; NULL: none yet */

    /* TURN */
    zxid_t applied;
    uint64_t digest;
    /* wrong: a fault has made its state another than the log does.  exposed_ms: for so long it has
     * shown it to clients while nothing kept the servers from comparing. */
    bool wrong;
    int64_t exposed_ms, exposed_ms_max;
    const struct sight_ephemeral *ephemerals; /* all there are, or none if nobody looked */
    size_t ephemerals_count;
    uint64_t hoard; /* a session of which it keeps a result that nobody can ask for; 0: none */

    /* SPACE: for so long it leads although one with room could, it takes the disk for a full one
     * that has room, and a client of its waits for writes and was not told why. */
    int64_t leads_full_ms, keeps_full_ms, untold_ms, space_ms_max;

    /* HANGS: for so long it leads, or follows, although others do without its disk. */
    int64_t hangs_ms, hangs_ms_max;

    /* LOST: for so long a client of its has waited, and was not told why. */
    int64_t lost_ms, lost_ms_max;

    /* PEACE: for so long nothing has been amiss with any server that counts (and after so long one
     * of them leads, and all follow it); led: that is so, was_led: it was when somebody looked
     * last, and nothing of before the peace was late any more. A client is not served for
     * unserved_ms. */
    int64_t peace_ms, peace_ms_max, unserved_ms, unserved_ms_max;
    bool led, was_led;
    size_t client;
    /* Likewise a server that follows: of a dead session it has kept as many ephemerals for so long.
     */
    uint64_t dead;
    int64_t dead_ms, dead_ms_max;

    /* KEPT: so much, and at most so much; for whom: a session, a peer; 0: for all of them. */
    const char *kept_what;
    uint64_t kept, kept_max, kept_for;

    /* FOLDER: the log begins behind `base`, ends at `end`, and says to have been durable up to
     * `marked`; the oldest of its snapshots, 0: there is none; alone: it has dropped some of the
     * log itself, and has no other.  Of `snapshots` there need be no more than snapshots_max. */
    zxid_t marked, snapshot;
    bool alone;
    size_t snapshots, snapshots_max;

    /* GROWS: for so long its log has been longer than another snapshot lets it become, and none was
     * written, while nothing kept it from that. */
    int64_t overdue_ms, overdue_ms_max;
    uint64_t log_bytes; /* by its own measure: of the entries behind `newest`, its last snapshot, */
    zxid_t newest;      /* STARTED, too */
    uint64_t entry_bytes; /* of which none takes less than that */

    /* ANSWER. name: the path that a sequential create has made, or NULL. */
    zxid_t zxid;
    const char *name;

    /* REST. reached: within limit_ms, after so many; otherwise what it waits for. */
    bool reached;
    uint32_t core; /* of which servers, by id: the others were dead or cut off */
    int64_t after_ms, limit_ms;
    const char *waits_for;
};

/* ---- The ghost state ------------------------------------------------------------------------- */

/* A request to a store, not known to be durable. */
struct ghost_persist {
    uint64_t number;
    bool truncate;
    zxid_t truncate_to;
    struct zab_point *points;
    size_t points_count;
    zxid_t committed; /* known to be when it was asked for: its entries record that */
    bool epochs;
    uint32_t accepted_epoch, current_epoch;
    bool whole;
};

/* What a server has told a leader last as one of its quorum may. */
struct ghost_answer {
    uint32_t epoch;
    uint64_t round; /* of an answer: its question */
    uint64_t store_id;
    bool listed; /* the members' list that was known then had this store */
};

struct ghost_server {
    uint32_t id; /* 0: never seen */
    bool up;
    uint64_t store_id;
    struct shadow log;     /* all that its core has asked to keep */
    struct shadow durable; /* the part of it that its store says is durable */
    struct shadow had;     /* what was durable before it lost some of it, and is not whole since, */
    uint64_t had_store_id; /* or all of that store */
    uint32_t accepted_epoch, current_epoch; /* durable */
    uint32_t promised;    /* the highest epoch that its store has promised to anyone, or offered */
    enum zab_trust trust; /* durable */
    zxid_t suspect;
    struct ring pending; /* of struct ghost_persist */
    bool installing;     /* a snapshot was asked for, to replace the log */
    bool heir;           /* it was when its process ended */
    int64_t stamp_ms;    /* of the newest entry that its core has asked to keep; 0: not known */
    zxid_t kept;         /* the highest committed entry that was durable here */
    zxid_t recorded;     /* what is durable of its log says that it is committed up to there */
    zxid_t applied;
    struct zab_status status;                       /* after its newest update */
    uint64_t confirmed;                             /* as a leader: the newest round, in it */
    struct ghost_answer answers[GHOST_ID_MAX + 1];  /* to whom; they outlive its process, */
    struct ghost_answer promises[GHOST_ID_MAX + 1]; /* and so do these */
};

struct ghost_epoch {
    uint32_t epoch;
    uint32_t leaders;         /* bit id: that server was established as its leader */
    struct zab_point begun;   /* the end of the history with which it was established */
    struct shadow broadcast;  /* what they proposed, in that order */
    struct zab_point applied; /* the last of it that any server has applied */
    struct zab_point newest;  /* of whatever epoch: the last that was committed while it lasted */
};

/* What some server was seen to hold at a zxid. */
struct ghost_digest {
    struct map_node node; /* the hash is the zxid */
    uint64_t digest;
    uint32_t server;
};

struct ghost {
    struct ghost_server servers[GHOST_ID_MAX + 1]; /* by id */
    struct ghost_epoch *epochs;                    /* ascending */
    size_t epochs_count, epochs_capacity;
    struct shadow committed; /* in order, by whichever core said so first */
    struct config_set configs;
    struct map digests;
    struct map names; /* that sequential creates have made */
};

void ghost_init (struct ghost *self);
void ghost_deinit (struct ghost *self);

/* Takes a sight in. */
void ghost_see (struct ghost *self, const struct sight *sight);

/* ---- Looking, for checkers ------------------------------------------------------------------- */

/* NULL: nobody has led, proposed or applied anything of it. */
const struct ghost_epoch *ghost_epoch (const struct ghost *self, uint32_t epoch);

/* NULL: nobody was seen to hold a state at this zxid. */
const struct ghost_digest *ghost_digest (const struct ghost *self, zxid_t zxid);

bool ghost_has_name (const struct ghost *self, const char *name);

/* Whether a majority of the voters of every configuration hold the point durably, each on the store
 * that the configuration lists. */
bool ghost_quorum_holds (const struct ghost *self, struct zab_point point);

/* Whether a majority of the voters of every configuration, `leader` among them, have answered this
 * round of its epoch, or a later one. */
bool ghost_quorum_answered (const struct ghost *self, uint32_t leader, uint32_t epoch,
                            uint64_t round);

/* Whether a majority of the voters of every configuration, `leader` among them, have promised it
 * this epoch, or a later one. */
bool ghost_quorum_promised (const struct ghost *self, uint32_t leader, uint32_t epoch);

/* What the server's disk justifies as the epoch of its vote: of a suspect log whose end is lost,
 * that of its last entry. */
uint32_t ghost_vote_epoch (const struct ghost_server *server);

/* Whether the server of this update leads, and may propose. */
bool sight_leads (const struct sight *sight);

/* What the update proposes: the entries of a leader, of its own epoch; NULL: nothing. */
const struct zab_entry *sight_proposes (const struct sight *sight, size_t *count);

#endif
