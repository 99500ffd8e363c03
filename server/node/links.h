/*
 * server/node/links.h - the links of this server to all others
 *
 * Joins for each peer a link (link.h: when is it up) and an outbox (outbox.h: what waits for
 * it), encodes and decodes (wire_peer.h), and uses the peers' part of node_transport.
 *
 * Everything put in between two flushes goes out in as few frames as possible at the second.
 */
#ifndef SERVER_NODE_LINKS_H
#define SERVER_NODE_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/node/digests.h"
#include "server/node/link.h"
#include "server/node/node.h"
#include "server/node/outbox.h"

struct links;

/* Who hears of it.  Called from links_connected, _disconnected, _frame, _time and _flush, never
 * from the others; each may put something in, reset links and ask, and nothing else.
 *
 * frame: in order, of a link that is up.  It lives for the call.  After a links_reset of that
 * peer, what is left of the frame must not be used: see links_is_up. */
struct links_sink {
    void *arg;
    void (*up) (void *arg, uint32_t peer, uint64_t store_id);
    void (*down) (void *arg, uint32_t peer);
    void (*frame) (void *arg, uint32_t peer, const struct peer_frame *frame);
    outbox_read_fn *read;
};

struct links_options {
    struct link_identity identity;
    const struct node_member *members; /* this server among them is skipped */
    size_t members_count;
    struct node_transport transport;
    struct logger logger;
    struct links_sink sink;
    uint64_t incarnation; /* greater than any used before */
    uint64_t window;      /* bytes of bulk in flight to one peer; 0: LINK_WINDOW_BYTES */
    int64_t now_ms;
};

/* NULL: out of memory. */
struct links *links_new (const struct links_options *options);
void links_destroy (struct links **self_p);

/* This server belongs to a cluster from now on. */
void links_set_cluster (struct links *self, const uint8_t cluster_id[PEER_CLUSTER_SIZE]);

/* ---- From the network -------------------------------------------------------------------- */

void links_time (struct links *self, int64_t now_ms);
void links_connected (struct links *self, uint32_t peer);
void links_disconnected (struct links *self, uint32_t peer);
void links_frame (struct links *self, const uint8_t *data, size_t size);

/* ---- To the peers: dropped while the link is not up --------------------------------------- */

void links_message (struct links *self, const struct zab_message *message);
void links_bootstrap (struct links *self, uint32_t peer, const struct peer_bootstrap *message);
void links_forward (struct links *self, uint32_t peer, const uint8_t *request, size_t size);
void links_heartbeat (struct links *self, uint32_t peer, uint64_t session, uint64_t attach_no,
                      uint64_t seq);
void links_confirmation (struct links *self, uint32_t peer, uint64_t session, uint64_t attach_no,
                         uint64_t seq);
void links_disconnect (struct links *self, uint32_t peer, uint64_t session, uint64_t attach_no);
void links_sync (struct links *self, uint32_t peer, uint64_t token);
void links_synced (struct links *self, uint32_t peer, uint64_t token, zxid_t zxid);
void links_digest (struct links *self, uint32_t peer, zxid_t zxid,
                   const struct digests_report *report);
void links_ask (struct links *self, uint32_t peer, zxid_t zxid);

/* At most OUTBOX_CHUNKS_MAX may wait. */
void links_snapshot (struct links *self, uint32_t peer, const struct peer_snapshot *part,
                     const uint8_t *chunk, size_t size);

/* The peer broke a rule or stands still. */
void links_reset (struct links *self, uint32_t peer, const char *why);

/* It leads no more: requests that wait for it will be made again to the next leader. */
void links_forget_forwards (struct links *self, uint32_t peer);

/* Whether peers shall send less bulk, because this server is behind. */
void links_hold (struct links *self, bool hold);

bool links_is_up (const struct links *self, uint32_t peer);

/* Of the peer, while its link is up; else 0. */
uint64_t links_store_id (const struct links *self, uint32_t peer);

/* Connects, greets, sends.  true: there is more to send at once. */
bool links_flush (struct links *self);
int64_t links_deadline (const struct links *self);

/* Looks at all that waits for peers. */
void links_bounds (const struct links *self, struct bounds *bounds);

#endif
