/*
 * server/node/checkpoint.h - snapshots of this server's own state
 *
 * Due when the log since the last one holds more than max (snapshot_bytes, its size), or much less
 * and the server has time: a start has to apply that log again.  Written in slices while requests
 * go on, with a bound on what waits for the disk; and no faster than needed while the log grows,
 * for to walk through a state and pack it takes all of a processor.
 *
 * The logs of all servers grow alike, so that theirs are due at the same time; but while one of
 * them writes a quorum of others is as fast as ever, and while all of them do nobody is.  So one
 * waits for its turn (checkpoint_set_turn), as long as the log allows.
 *
 * The store keeps the newest two.  They may both be of a state that has gone wrong before anybody
 * knew; so the newest stays, too, with which the others have agreed (digests.h), and the log behind
 * it: who is wrong makes his state anew of that.  Where nobody can agree it goes when it gets too
 * old.
 */
#ifndef SERVER_NODE_CHECKPOINT_H
#define SERVER_NODE_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "server/node/bounds.h"
#include "server/node/logger.h"
#include "server/store/store.h"
#include "server/tree/tree.h"

enum {
    CHECKPOINT_SLICE = 64 << 10,      /* bytes in a turn, if not told otherwise */
    CHECKPOINT_PENDING_MAX = 4 << 20, /* bytes that wait for the disk */
    CHECKPOINT_RECORD_MAX = 4 << 20,  /* the last one of a slice may be as large as a znode */
    CHECKPOINT_BLOCK = 128 << 10,     /* the store hands on whole blocks */
    CHECKPOINT_RETRY_MS = 10000,      /* after one that failed (the disk was full) */
    /* So many bytes a millisecond, and so many more for each byte that the log grows meanwhile: it
     * is over before the log has grown by a quarter of its size. */
    CHECKPOINT_PACE = 32 << 10,
    CHECKPOINT_PACE_LOG = 4,
    CHECKPOINT_PATIENCE = 2, /* it waits for its turn until that part of the log more is there */
    /* It is calm when the log has grown by no more than so many bytes in so long; then one is due
     * if the log since the last holds more than max (these bytes, a part of its size). */
    CHECKPOINT_CALM_MS = 2000,
    CHECKPOINT_CALM_GROWTH = 64 << 10,
    CHECKPOINT_CALM_BYTES = 4 << 20,
    CHECKPOINT_CALM_PART = 16,
    /* So many times the log that makes one due, or these bytes, stay for the sake of one that is
     * right. */
    CHECKPOINT_PROVEN_LIMITS = 4,
    CHECKPOINT_PROVEN_BYTES = 4 << 20
};

#define CHECKPOINT_LOG_BYTES (UINT64_C (64) << 20)

/* Private. */
struct checkpoint {
    struct store *store; /* borrowed */
    struct logger logger;
    uint64_t log_bytes;
    uint32_t slice_bytes;
    bool wanted;   /* whatever the log holds */
    bool again;    /* even of a state that there is one of */
    bool relieved; /* the disk is full, and one was written since it is */
    bool has_turn; /* no other server writes one, or it is not known */
    bool due;      /* the last time that somebody looked */
    uint64_t done;
    uint64_t done_needed; /* what was finished before is damaged */
    uint64_t failures;
    int code; /* of the last of them */
    struct tree_snapshot *snapshot;
    struct store_writer *writer; /* with snapshot NULL: it finishes */
    struct buf slice;
    zxid_t zxid;
    bool urgent; /* somebody waits for it */
    int64_t begun_ms;
    uint64_t begun_log; /* what the log held then */
    uint64_t written;
    zxid_t proven; /* the state was right there; 0: it is not known */
    int64_t retry_at_ms;
    bool calm;             /* the last time that somebody looked: */
    int64_t looked_ms;     /* then; */
    uint64_t looked_bytes; /* and this was the log's size */
};

/* log_bytes 0: CHECKPOINT_LOG_BYTES; slice_bytes 0: CHECKPOINT_SLICE. */
void checkpoint_init (struct checkpoint *self, struct store *store, uint64_t log_bytes,
                      uint32_t slice_bytes, const struct logger *logger);

/* Before the tree is destroyed. */
void checkpoint_deinit (struct checkpoint *self);

/* One is needed as soon as possible. */
void checkpoint_want (struct checkpoint *self);

/* Whether it is this server's turn, as far as it knows; at first it is.  One that somebody waits
 * for, or that makes room on a full disk, does not wait for that. */
void checkpoint_set_turn (struct checkpoint *self, bool has_turn);

/* One is due, or being written. */
bool checkpoint_due (const struct checkpoint *self);

/* It will not let another server go first any more. */
bool checkpoint_at_it (const struct checkpoint *self);

/* The others agree with the state as it was at zxid; 0: it is that of another server now. */
void checkpoint_prove (struct checkpoint *self, zxid_t zxid);

/* Tells the store what is to stay; before it drops anything. */
void checkpoint_keep (const struct checkpoint *self);

/* Whether the newest that is stored can be sent: it is not older than `oldest`, nothing was
 * found against it, and none is being written that would be newer still. If not, one is wanted;
 * applied: where the state is now. */
bool checkpoint_ready (struct checkpoint *self, zxid_t oldest, zxid_t applied);

/* The file of the newest is damaged, or of a state that was wrong: it counts for nothing any more,
 * and another is written, of the very same zxid if nothing has changed; at once, also if one has
 * just failed, for until then a start begins with this one. */
void checkpoint_damaged (struct checkpoint *self);

/* How many were finished; how many have failed, and why the last did: 0 or COHORT_E.... */
uint64_t checkpoint_done (const struct checkpoint *self);
uint64_t checkpoint_failures (const struct checkpoint *self, int *code);

/* Gives up what is being written: the tree is about to be replaced, or the writer is needed. A
 * finished file counts. */
void checkpoint_abort (struct checkpoint *self);

/* Likewise; and a finished file does not count either: the state is wrong. */
void checkpoint_discard (struct checkpoint *self);

bool checkpoint_busy (const struct checkpoint *self);

/* What of one that is being written waits for the disk, and in memory. */
void checkpoint_bounds (const struct checkpoint *self, struct bounds *bounds);

/* Begins or goes on; point: the tree's zxid and the chain there.  true: more at once. */
bool checkpoint_turn (struct checkpoint *self, struct tree *tree, struct zab_point point,
                      int64_t now_ms);

/* When what is being written goes on by itself, if nothing else happens; INT64_MAX: it does not. */
int64_t checkpoint_deadline (const struct checkpoint *self);

#endif
