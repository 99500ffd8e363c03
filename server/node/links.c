/* links.c: see links.h. */

#include "server/node/links.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

enum {
    PEERS_MAX = CONFIG_MEMBERS_MAX,
    FRAMES_A_FLUSH = 4, /* to one peer: a turn shall not take long */
    RETRY_MS = 2,       /* when the pipe was full */
    ARENA_BLOCK = 64 << 10,
    ARENA_KEEP = 1 << 20,
    COMPLAINTS_MAX = 32
};

struct peer {
    uint32_t id;
    struct link link;
    struct outbox outbox;
    struct buf stuck; /* a stamped frame that the full pipe did not take: the next to go */
    int64_t retry_at_ms;
};

struct links {
    struct link_identity identity;
    struct node_transport transport;
    struct logger logger;
    struct links_sink sink;
    int64_t now_ms;
    size_t count;
    struct peer peers[PEERS_MAX];
    struct arena in;  /* of the frame that is read */
    struct arena out; /* of the frame that is composed */
    struct buf frame;
    uint32_t complained[COMPLAINTS_MAX]; /* strangers named in the log */
    size_t complaints;
    bool bad_header_logged;
};

struct links *links_new (const struct links_options *options)
{
    struct links *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->identity = options->identity;
    self->transport = options->transport;
    self->logger = options->logger;
    self->sink = options->sink;
    self->now_ms = options->now_ms;
    arena_init (&self->in, ARENA_BLOCK, ARENA_KEEP);
    arena_init (&self->out, ARENA_BLOCK, ARENA_KEEP);
    buf_init (&self->frame);
    for (size_t i = 0; i < options->members_count; i++) {
        uint32_t id = options->members[i].id;
        if (id == self->identity.id) {
            continue;
        }
        COHORT_ASSERT (self->count < PEERS_MAX);
        struct peer *peer = &self->peers[self->count++];
        peer->id = id;
        link_init (&peer->link, id, &self->identity, options->incarnation, &self->logger,
                   self->now_ms);
        if (options->window > 0) {
            peer->link.window = options->window;
        }
        outbox_init (&peer->outbox);
        buf_init (&peer->stuck);
    }
    return self;
}

void links_destroy (struct links **self_p)
{
    struct links *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        link_deinit (&self->peers[i].link);
        outbox_deinit (&self->peers[i].outbox);
        buf_deinit (&self->peers[i].stuck);
    }
    arena_deinit (&self->in);
    arena_deinit (&self->out);
    buf_deinit (&self->frame);
    mem_free (self);
    *self_p = NULL;
}

void links_set_cluster (struct links *self, const uint8_t cluster_id[PEER_CLUSTER_SIZE])
{
    self->identity.has_cluster = true;
    memcpy (self->identity.cluster_id, cluster_id, PEER_CLUSTER_SIZE);
}

static struct peer *find (const struct links *self, uint32_t id)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->peers[i].id == id) {
            return (struct peer *) &self->peers[i];
        }
    }
    return NULL;
}

static struct peer *find_up (const struct links *self, uint32_t id)
{
    struct peer *peer = find (self, id);
    return peer != NULL && peer->link.up ? peer : NULL;
}

/* Tells what has happened to any link; what the sink does may make more happen. */
static void tell_events (struct links *self)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < self->count; i++) {
            struct peer *peer = &self->peers[i];
            enum link_event event = link_take_event (&peer->link);
            if (event == LINK_NOTHING) {
                continue;
            }
            again = true;
            outbox_clear (&peer->outbox);
            buf_clear (&peer->stuck);
            if (event == LINK_DOWN) {
                self->sink.down (self->sink.arg, peer->id);
            } else {
                self->sink.up (self->sink.arg, peer->id, peer->link.peer_store_id);
            }
        }
    }
}

/* ---- From the network ------------------------------------------------------------------------ */

void links_time (struct links *self, int64_t now_ms)
{
    self->now_ms = now_ms;
    for (size_t i = 0; i < self->count; i++) {
        link_time (&self->peers[i].link, now_ms);
    }
    tell_events (self);
}

void links_connected (struct links *self, uint32_t peer)
{
    struct peer *found = find (self, peer);
    if (found != NULL) {
        link_connected (&found->link);
        tell_events (self);
    }
}

void links_disconnected (struct links *self, uint32_t peer)
{
    struct peer *found = find (self, peer);
    if (found != NULL) {
        link_disconnected (&found->link);
        tell_events (self);
    }
}

/* A stranger is named once. */
static void complain (struct links *self, const struct peer_header *header)
{
    for (size_t i = 0; i < self->complaints; i++) {
        if (self->complained[i] == header->from) {
            return;
        }
    }
    if (self->complaints == COMPLAINTS_MAX) {
        return;
    }
    self->complained[self->complaints++] = header->from;
    const char *why = header->to != self->identity.id
                          ? "it looks for another server here: an address is configured wrong"
                          : "it is not a member";
    logger_write (&self->logger, LOG_ERROR, "peer-refused",
                  "peer=%" PRIu32 " wants=%" PRIu32 " reason=\"%s\"", header->from, header->to,
                  why);
}

/* A frame that cannot be read ends the link it belongs to. */
static void refuse (struct links *self, const struct peer_frame *frame, bool header_valid,
                    size_t size, const char *wrong)
{
    struct peer *peer = header_valid ? find_up (self, frame->header.from) : NULL;
    if (peer != NULL && frame->header.mine == peer->link.theirs &&
        frame->header.yours == peer->link.mine) {
        logger_write (&self->logger, LOG_ERROR, "frame-corrupt",
                      "peer=%" PRIu32 " size=%zu reason=\"%s\"", peer->id, size, wrong);
        link_reset (&peer->link, "a corrupt frame");
        tell_events (self);
    } else if (!self->bad_header_logged) {
        self->bad_header_logged = true;
        logger_write (&self->logger, LOG_WARNING, "frame-corrupt",
                      "peer=%" PRIu32 " size=%zu reason=\"%s\"",
                      header_valid ? frame->header.from : 0, size, wrong);
    }
}

void links_frame (struct links *self, const uint8_t *data, size_t size)
{
    struct peer_frame frame;
    bool header_valid = false;
    arena_reset (&self->in);
    const char *wrong = peer_frame_decode (&frame, &self->in, data, size, &header_valid);
    if (wrong != NULL) {
        refuse (self, &frame, header_valid, size, wrong);
        return;
    }
    struct peer *peer = find (self, frame.header.from);
    if (peer == NULL || frame.header.to != self->identity.id) {
        complain (self, &frame.header);
        return;
    }
    bool accepted = link_receive (&peer->link, &frame, outbox_bulk (&frame));
    tell_events (self);
    if (accepted && peer->link.up) {
        self->sink.frame (self->sink.arg, peer->id, &frame);
        tell_events (self);
    }
}

/* ---- To the peers ---------------------------------------------------------------------------- */

void links_message (struct links *self, const struct zab_message *message)
{
    struct peer *peer = find_up (self, message->peer);
    if (peer != NULL) {
        outbox_message (&peer->outbox, message);
    }
}

void links_bootstrap (struct links *self, uint32_t id, const struct peer_bootstrap *message)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_bootstrap (&peer->outbox, message);
    }
}

void links_forward (struct links *self, uint32_t id, const uint8_t *request, size_t size)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_forward (&peer->outbox, request, size);
    }
}

void links_heartbeat (struct links *self, uint32_t id, uint64_t session, uint64_t attach_no,
                      uint64_t seq)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_record (&peer->outbox.heartbeats, (uint64_t[]){session, attach_no, seq}, 3);
    }
}

void links_confirmation (struct links *self, uint32_t id, uint64_t session, uint64_t attach_no,
                         uint64_t seq)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_record (&peer->outbox.confirmations, (uint64_t[]){session, attach_no, seq}, 3);
    }
}

void links_disconnect (struct links *self, uint32_t id, uint64_t session, uint64_t attach_no)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_record (&peer->outbox.disconnects, (uint64_t[]){session, attach_no}, 2);
    }
}

void links_sync (struct links *self, uint32_t id, uint64_t token)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_newest (&peer->outbox.syncs, &token, 1);
    }
}

void links_synced (struct links *self, uint32_t id, uint64_t token, zxid_t zxid)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_newest (&peer->outbox.synced, (uint64_t[]){token, zxid}, 2);
    }
}

void links_digest (struct links *self, uint32_t id, zxid_t zxid,
                   const struct digests_report *report)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        uint64_t server = report->server | (report->witness ? PEER_WITNESS : 0) |
                          (report->snapshot == DIGESTS_DUE ? PEER_SNAPSHOT_DUE : 0) |
                          (report->snapshot == DIGESTS_AT_IT ? PEER_SNAPSHOT_AT_IT : 0);
        outbox_record (&peer->outbox.digests, (uint64_t[]){zxid, report->digest, server}, 3);
    }
}

void links_ask (struct links *self, uint32_t id, zxid_t zxid)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_record (&peer->outbox.asked, &zxid, 1);
    }
}

void links_snapshot (struct links *self, uint32_t id, const struct peer_snapshot *part,
                     const uint8_t *chunk, size_t size)
{
    struct peer *peer = find_up (self, id);
    if (peer != NULL) {
        outbox_snapshot (&peer->outbox, part, chunk, size);
    }
}

void links_reset (struct links *self, uint32_t id, const char *why)
{
    struct peer *peer = find (self, id);
    if (peer != NULL) {
        link_reset (&peer->link, why);
    }
}

void links_forget_forwards (struct links *self, uint32_t id)
{
    struct peer *peer = find (self, id);
    if (peer != NULL) {
        outbox_forget_forwards (&peer->outbox);
    }
}

void links_hold (struct links *self, bool hold)
{
    for (size_t i = 0; i < self->count; i++) {
        link_hold (&self->peers[i].link, hold);
    }
}

bool links_is_up (const struct links *self, uint32_t id)
{
    return find_up (self, id) != NULL;
}

uint64_t links_store_id (const struct links *self, uint32_t id)
{
    const struct peer *peer = find_up (self, id);
    return peer != NULL ? peer->link.peer_store_id : 0;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static bool send (struct links *self, const struct peer *peer, const struct buf *frame)
{
    return self->transport.peer_send (self->transport.arg, peer->id, frame->data, frame->size);
}

/* Encodes and sends a frame that has a header; what the pipe does not take stays. */
static bool send_frame (struct links *self, struct peer *peer, const struct peer_frame *frame)
{
    buf_clear (&self->frame);
    if (!peer_frame_encode (&self->frame, &self->out, frame)) {
        link_reset (&peer->link, "out of memory");
        return false;
    }
    if (send (self, peer, &self->frame)) {
        return true;
    }
    struct buf swap = peer->stuck;
    peer->stuck = self->frame;
    self->frame = swap;
    peer->retry_at_ms = self->now_ms + RETRY_MS;
    return false;
}

static void greet (struct links *self, struct peer *peer)
{
    struct peer_frame frame;
    if (peer->stuck.size > 0 || !link_take_hello (&peer->link, &frame)) {
        return; /* it would say that the frame that is stuck has been sent */
    }
    arena_reset (&self->out);
    buf_clear (&self->frame);
    if (peer_frame_encode (&self->frame, &self->out, &frame)) {
        (void) send (self, peer, &self->frame); /* lost ones are repeated */
    }
}

/* true: there is more. */
static bool send_waiting (struct links *self, struct peer *peer)
{
    if (peer->stuck.size > 0) {
        if (!send (self, peer, &peer->stuck)) {
            peer->retry_at_ms = self->now_ms + RETRY_MS;
            return false;
        }
        buf_clear (&peer->stuck);
    }
    for (int i = 0; i < FRAMES_A_FLUSH; i++) {
        if (outbox_empty (&peer->outbox) && !link_ack_due (&peer->link)) {
            return false; /* as most often: the frame need not be made up to know that */
        }
        struct peer_frame frame;
        struct outbox_credit credit = {link_credit (&peer->link, 4), link_credit (&peer->link, 2),
                                       link_credit (&peer->link, 1)};
        arena_reset (&self->out);
        enum outbox_result result = outbox_compose (&peer->outbox, &credit, self->sink.read,
                                                    self->sink.arg, &self->out, &frame);
        if (result == OUTBOX_BROKEN) {
            link_reset (&peer->link, "what it needs cannot be sent any more");
            return false;
        }
        if (result == OUTBOX_EMPTY && !link_ack_due (&peer->link)) {
            return false;
        }
        link_stamp (&peer->link, &frame.header, outbox_bulk (&frame));
        if (!send_frame (self, peer, &frame)) {
            return false;
        }
    }
    return true;
}

bool links_flush (struct links *self)
{
    bool more = false;
    tell_events (self);
    for (size_t i = 0; i < self->count; i++) {
        struct peer *peer = &self->peers[i];
        if (link_take_connect (&peer->link)) {
            self->transport.peer_connect (self->transport.arg, peer->id);
        }
        greet (self, peer);
        if (peer->link.up) {
            more |= send_waiting (self, peer);
        }
    }
    tell_events (self);
    return more;
}

int64_t links_deadline (const struct links *self)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < self->count; i++) {
        const struct peer *peer = &self->peers[i];
        int64_t due = link_deadline (&peer->link);
        if (peer->link.up && peer->stuck.size > 0 && peer->retry_at_ms < due) {
            due = peer->retry_at_ms;
        }
        deadline = due < deadline ? due : deadline;
    }
    return deadline;
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

void links_bounds (const struct links *self, struct bounds *bounds)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct link *link = &self->peers[i].link;
        outbox_bounds (&self->peers[i].outbox, link->peer, bounds);
        bounds_look (bounds, "frames of bulk in flight", link->peer, ring_count (&link->flights),
                     LINK_FLIGHT_MAX);
        bounds_look (bounds, "bytes of bulk in flight", link->peer, link->in_flight,
                     link->window + link->largest_flight);
    }
}
