/*
 * server/node/ensemble.h - drives the core: this server as one of an ensemble
 *
 * Carries out what zab_step wants (links, store, tree), feeds it what comes back, and keeps the
 * leader's business with sessions (tracker.h) and snapshots (checkpoint.h, snapshots.h,
 * install.h).  Owns the tree.
 *
 * A turn: ensemble_time, inputs, ensemble_flush; then links_flush by the caller.  Nothing here
 * calls the host but ensemble_flush, ensemble_start, ensemble_frame, ensemble_link_down and
 * ensemble_backup.
 */
#ifndef SERVER_NODE_ENSEMBLE_H
#define SERVER_NODE_ENSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/node/backups.h"
#include "server/node/links.h"
#include "server/node/logger.h"
#include "server/node/recovery.h"
#include "server/store/store.h"
#include "server/tree/tree.h"

struct ensemble;

/* The clients of this server; see clients.h for the meaning.  submit, heartbeat, disconnected
 * and sync below may be called from within these, nothing else. */
struct ensemble_host {
    void *arg;
    void (*leader) (void *arg, bool up);
    /* Returns how many watches and streams had to be looked at. */
    uint32_t (*applied) (void *arg, zxid_t zxid, const struct tree_outcome *outcome);
    void (*tree) (void *arg, struct tree *tree);
    void (*confirmed) (void *arg, uint64_t session, uint64_t attach_no, uint64_t seq);
    void (*synced) (void *arg, uint64_t token, zxid_t zxid);
    void (*held) (void *arg, const char *reason);
    bool (*backup) (void *arg, uint64_t connection, const struct backup_part *part);
    void (*quarantined) (void *arg, const char *reason);
};

struct ensemble_options {
    uint32_t id;
    const struct config *configured; /* ids and roles; copied */
    const struct buf *addresses; /* of the founding entry (entry.h); NULL: not known; borrowed */
    struct store *store;         /* borrowed, as links */
    const char *folder;          /* of the store, for people; NULL: no name; borrowed */
    struct links *links;
    struct ensemble_host host;
    struct logger logger;
    uint64_t seed;
    struct tree_options tree;
    struct recovery_early *early; /* see recovery.h; NULL: none; borrowed */
    int peer_timeout_ms;          /* 0: 500 */
    uint64_t snapshot_bytes;      /* 0: see checkpoint.h */
    uint32_t snapshot_slice;      /* bytes of a snapshot in a turn; 0: see checkpoint.h */
    uint32_t sync_chunk_bytes;    /* 0: see zab.h */
    uint64_t counter_max;         /* likewise */
    struct entry_limits limits;   /* of a new ensemble; sound */
    const uint8_t *admins;        /* of one that has none: an access control list; borrowed */
    size_t admins_size;
    bool replace_admins; /* of one that has others, too: see docs/acl.md */
    struct zab_observer observer;
    int64_t now_ms;
};

/* NULL: out of memory. */
struct ensemble *ensemble_new (const struct ensemble_options *options);
void ensemble_destroy (struct ensemble **self_p);

/* Loads the state.  Blocks.  0 or COHORT_E... with a text; COHORT_ECONFIG: the members that the
 * log names are not the configured ones. */
int ensemble_recover (struct ensemble *self, char *error, size_t error_size);

/* This server belongs to an ensemble (bootstrap is done): the core starts.  The links that are
 * up already are told to it.  Blocks, reading the log.  0 or COHORT_E... with a text. */
int ensemble_start (struct ensemble *self, int64_t now_ms, char *error, size_t error_size);
bool ensemble_started (const struct ensemble *self);

/* ---- Input ------------------------------------------------------------------------------- */

void ensemble_time (struct ensemble *self, int64_t now_ms, int64_t wall_ms);

/* Of links_sink. */
void ensemble_link_up (struct ensemble *self, uint32_t peer, uint64_t store_id);
void ensemble_link_down (struct ensemble *self, uint32_t peer);
void ensemble_frame (struct ensemble *self, uint32_t peer, const struct peer_frame *frame);
bool ensemble_read (struct ensemble *self, zxid_t after, zxid_t through, size_t max_bytes,
                    struct outbox_range *range);

/* Of this server's own clients; see clients_host. */
void ensemble_submit (struct ensemble *self, const uint8_t *entry, size_t size);
void ensemble_heartbeat (struct ensemble *self, uint64_t session, uint64_t attach_no, uint64_t seq);
void ensemble_disconnected (struct ensemble *self, uint64_t session, uint64_t attach_no);
void ensemble_sync (struct ensemble *self, uint64_t token);

/* Of anybody who wants a backup (backups.h), and that the connection has ended. */
void ensemble_backup (struct ensemble *self, uint64_t connection, uint64_t received);
void ensemble_backup_closed (struct ensemble *self, uint64_t connection);

/* ---- Turns ------------------------------------------------------------------------------- */

/* true: there is more to do at once. */
bool ensemble_flush (struct ensemble *self);

/* After reads of the tree: stops this server (ensemble_failure) if its state was found damaged.
 * Nothing that comes of such a state may be sent. */
void ensemble_look_for_damage (struct ensemble *self);

/* Whether requests of this turn have not been proposed yet: flush again. */
bool ensemble_waiting (const struct ensemble *self);

/* After links_flush: what it shared is given back. */
void ensemble_flushed (struct ensemble *self);
int64_t ensemble_deadline (const struct ensemble *self);

/* ---- Ending and looking ------------------------------------------------------------------ */

/* Hands over; done when ensemble_left. */
void ensemble_leave (struct ensemble *self);
bool ensemble_left (const struct ensemble *self);

/* Expires a session now, whatever its limits are: for tests.  As tracker_expire; COHORT_ESTATE:
 * this server does not lead, or a follower may know what it does not know yet. */
int ensemble_expire (struct ensemble *self, uint64_t session);

/* 0, or why this server must stop; text lives as long as it. */
int ensemble_failure (const struct ensemble *self, const char **text);

/* Before the core runs: LOOKING, what the log is worth, all else 0. */
void ensemble_status (const struct ensemble *self, struct zab_status *status);
struct tree *ensemble_tree (const struct ensemble *self);
void ensemble_bounds (const struct ensemble *self, struct bounds *bounds);

/* The silence after which followers give their leader up, and clients their server. */
int ensemble_patience_ms (const struct ensemble *self);

/* What the others' states say of this one; *reason lives until the next turn. */
enum node_state ensemble_state (const struct ensemble *self, const char **reason);

/* The members of the applied state; NULL: none yet. */
const struct config *ensemble_config (const struct ensemble *self);

#endif
