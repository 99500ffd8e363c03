/*
 * server/node/snapshots.h - snapshots for learners whose log the leader's cannot continue
 *
 * The leader offers its newest snapshot (taking one first if there is none, or it is due anyway,
 * or the learner refuses it as too old, or its file turns out to be damaged) and sends it in
 * chunks, a window ahead of what the learner says it has dealt with.  A chunk is a few blocks of
 * the file as they are stored: the disk thread reads and checks them, nobody unpacks them here.
 *
 * Memory: for each learner one chunk, and the window on its way.  The file, and the log behind it,
 * are pinned until the learner has caught up: the core continues with the log from there.
 */
#ifndef SERVER_NODE_SNAPSHOTS_H
#define SERVER_NODE_SNAPSHOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/node/bounds.h"
#include "server/node/checkpoint.h"
#include "server/node/logger.h"
#include "server/node/wire_peer.h"
#include "server/store/store.h"

enum {
    SNAPSHOTS_CHUNK = 128 << 10, /* stored bytes, which one turn of the leader hands on */
    SNAPSHOTS_WINDOW = 16 * SNAPSHOTS_CHUNK,
    SNAPSHOTS_PINNED_MS = 60000 /* a learner that does not catch up does not pin for ever */
};

struct snapshots_host {
    void *arg;
    void (*send) (void *arg, uint32_t peer, const struct peer_snapshot *part, const uint8_t *chunk,
                  size_t size);
    void (*progress) (void *arg, uint32_t peer); /* it has received more */
    void (*reset) (void *arg, uint32_t peer, const char *why);
};

struct snapshots;

/* NULL: out of memory.  store and checkpoint are borrowed. */
struct snapshots *snapshots_new (struct store *store, struct checkpoint *checkpoint,
                                 const struct snapshots_host *host, const struct logger *logger,
                                 uint64_t seed);
void snapshots_destroy (struct snapshots **self_p);

/* The core says that this peer needs one. */
void snapshots_offer (struct snapshots *self, uint32_t peer);

/* PROGRESS or REFUSED. */
void snapshots_message (struct snapshots *self, uint32_t peer, const struct peer_snapshot *part);

/* The peer has caught up, or its link is down, or this server leads no more (peer 0: all). */
void snapshots_end (struct snapshots *self, uint32_t peer);

/* Sends what has been read, and asks for more, as far as the windows allow; applied: a new snapshot
 * would be at least as new.  The store wakes its owner when there is more to do. */
void snapshots_turn (struct snapshots *self, zxid_t applied, int64_t now_ms);

/* Transfers under way or pinned. */
size_t snapshots_count (const struct snapshots *self);

/* What of each is under way. */
void snapshots_bounds (const struct snapshots *self, struct bounds *bounds);

#endif
