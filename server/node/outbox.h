/*
 * server/node/outbox.h - what waits to be sent to one peer
 *
 * Lanes, each first in, first out:
 *    core      messages of Zab; those with entries are bulk and wait for credit
 *    urgent    ping, pong, vote: they overtake the core lane, but only while that waits (the
 *              commit that a ping carries stays behind the entries it is about)
 *    small     bootstrap, heartbeats, confirmations, disconnects, sync points, digests
 *    forwards  requests for the leader: bulk, with half of the window
 *    chunks    of a snapshot: bulk, with a quarter of it
 *
 * A message with entries is kept as a range and read from the log when it is sent: a slow peer
 * costs no memory.  Neighbouring proposals (and commits, and acknowledgements) become one.
 *
 * With a new attempt to follow (zab_message.session) what waits of an earlier one goes, and with a
 * new offer of a snapshot what waits of another: nobody would look at it, and it may be much.
 */
#ifndef SERVER_NODE_OUTBOX_H
#define SERVER_NODE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/arena.h"
#include "client/base/buf.h"
#include "client/base/ring.h"
#include "server/node/bounds.h"
#include "server/node/wire_peer.h"

enum {
    OUTBOX_FRAME_BYTES = 1 << 20, /* of each kind of bulk in one frame, but at least one entry */
    OUTBOX_MESSAGES_MAX = 1 << 14,
    OUTBOX_CHUNKS_MAX = 64,
    OUTBOX_FORWARDS_MAX = 1 << 30, /* bytes: more than all clients of a server may have waiting */
    OUTBOX_RECORDS_MAX = 24 << 20  /* bytes of a list of records: for a million sessions */
};

/* A first-in first-out run of bytes. */
struct outbox_bytes {
    struct buf buf;
    size_t taken; /* of buf, handed out already */
};

/* Private. */
struct outbox {
    struct ring core;
    struct ring urgent;
    struct ring snapshots; /* struct outbox_part */
    uint32_t session;      /* of the core lane; 0: none yet */
    struct outbox_bytes forwarded;
    size_t forwards_max; /* OUTBOX_FORWARDS_MAX */
    struct outbox_bytes heartbeats;
    struct outbox_bytes confirmations;
    struct outbox_bytes disconnects;
    struct outbox_bytes syncs;
    struct outbox_bytes synced;
    struct outbox_bytes digests;
    struct outbox_bytes asked;
    bool bootstrap_due;
    struct peer_bootstrap bootstrap;
    uint8_t *chunk; /* of the frame composed last */
    bool failed;
};

/* Entries of the log, encoded: (after, reached], reached <= through. */
struct outbox_range {
    struct peer_bytes bytes;
    size_t count;
    zxid_t reached;
};

/* Reads about max_bytes of them, at least one; false: they are not there any more.  The bytes
 * live until the end of the flush. */
typedef bool outbox_read_fn (void *arg, zxid_t after, zxid_t through, size_t max_bytes,
                             struct outbox_range *range);

/* Bytes of bulk that may be sent now. */
struct outbox_credit {
    uint64_t core;
    uint64_t forwards;
    uint64_t chunks;
};

enum outbox_result { OUTBOX_EMPTY = 0, OUTBOX_FRAME, OUTBOX_BROKEN };

void outbox_init (struct outbox *self);
void outbox_deinit (struct outbox *self);
void outbox_clear (struct outbox *self);

/* Each copies what it is given.  Failures (out of memory, a bound) stick: compose says BROKEN. */
void outbox_message (struct outbox *self, const struct zab_message *message);
void outbox_forward (struct outbox *self, const uint8_t *request, size_t size);
void outbox_bootstrap (struct outbox *self, const struct peer_bootstrap *bootstrap);
void outbox_snapshot (struct outbox *self, const struct peer_snapshot *part, const uint8_t *chunk,
                      size_t size);

/* What is forwarded and waits goes. */
void outbox_forget_forwards (struct outbox *self);

/* Records of 24, 16 and 8 bytes for one of the lists of records.  One too many is lost: heartbeats
 * come again, digests are compared again, and of an end of a connection the leader hears later. */
void outbox_record (struct outbox_bytes *list, const uint64_t *numbers, size_t count);
/* The same of what says all that those before it did: it takes their place. */
void outbox_newest (struct outbox_bytes *list, const uint64_t *numbers, size_t count);

/* Whether compose would have nothing to say; also false if it would say BROKEN. */
bool outbox_empty (const struct outbox *self);

/* Moves as much as one frame takes into `frame`, all but its header; scratch memory from arena.
 * What it points to lives until the next call here, or until arena is reset. */
enum outbox_result outbox_compose (struct outbox *self, const struct outbox_credit *credit,
                                   outbox_read_fn *read, void *read_arg, struct arena *arena,
                                   struct peer_frame *frame);

void outbox_bounds (const struct outbox *self, uint32_t peer, struct bounds *bounds);

/* Bytes of bulk in a frame, decoded or to be encoded. */
size_t outbox_bulk (const struct peer_frame *frame);

#endif
