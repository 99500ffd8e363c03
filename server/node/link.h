/*
 * server/node/link.h - the channel between two servers
 *
 * Connections lose frames silently and deliver old ones late; the core needs "a prefix, then
 * closed, nothing after".  A link makes that.  Both ends number their side of it:
 *
 *    - Each end has an incarnation.  HELLO carries mine, HELLO_ACK the pair (mine, yours).  The
 *      link is UP for me when a frame shows that the peer knows the pair as I do.
 *    - Every frame carries the pair and a number.  Those of another pair are stale and dropped
 *      without an answer.  A missing number, a newer incarnation of the peer, the end of my
 *      connection to it: LINK_DOWN, and a new handshake.
 *    - I raise mine when I leave an UP link, once; and never because of a stale frame.
 *    - While the link is not UP, HELLO is repeated; a connection that fails is tried again after
 *      10 ms to 1 s.
 *    - While it is UP, HELLO asks every half a second whether the peer still hears me and knows the
 *      pair, unless its acknowledgements say so. After five questions without an answer the link
 *      is DOWN: the peer has died unnoticed, or is deaf, and must not be believed.
 *    - A HELLO with a lower number while the link is UP raises doubt: it comes late, or the peer
 *      has returned with a clock that was set back, and nobody has noticed that it died. So the
 *      five questions are asked in half a second.
 *    - There may be two servers with one id: both say HELLO, and my connection finds one of them.
 *      A HELLO of another process than the one that is known takes the link down, and the
 *      connection is made anew: who is at the address then counts. On a connection that is younger
 *      than the first HELLO of another, those of others raise doubt only. If they go on, they are
 *      named in the log, and who counts is told. The others hear nothing at all, and say so.
 *
 * Flow: frames with bulk are counted against the peer's acknowledgements (header.received), so
 * that bulk never fills a pipe that votes and pings need.
 *
 * Pure: it sends nothing.  links.h asks it what is due and does it.
 */
#ifndef SERVER_NODE_LINK_H
#define SERVER_NODE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/ring.h"
#include "server/node/link_twin.h"
#include "server/node/logger.h"
#include "server/node/wire_peer.h"

enum {
    LINK_BACKOFF_MIN_MS = 10,
    LINK_BACKOFF_MAX_MS = 1000,
    LINK_HELLO_MIN_MS = 20,
    LINK_HELLO_MAX_MS = 200,
    LINK_CONNECT_MAX_MS = 3000,  /* a connection that neither comes nor fails is given up */
    LINK_GREETING_MAX_MS = 1000, /* and one on which nobody answers: it may be half dead */
    LINK_PROBE_MS = 500,         /* between two questions on a link that is up */
    LINK_PROBES_MAX = 5,         /* without an answer */
    LINK_DOUBT_MS = 100,         /* between them while there is doubt */
    LINK_SILENT_MAX = 80,        /* questions, of a few connections, never answered: that is told */
    LINK_FLIGHT_MAX = 1 << 16,   /* frames of bulk in flight */
    LINK_WINDOW_BYTES = 16 << 20, /* of bulk in flight; classes of traffic use parts of it */
    LINK_ACKS = 16                /* in a window: with this part of it received one is due */
};

/* A process begins with its time in milliseconds, and counts below. */
enum { LINK_INCARNATION_SHIFT = 20 };

/* Who this server is; shared by its links, and changed when it joins a cluster. */
struct link_identity {
    uint32_t id;
    uint64_t store_id;
    enum config_role role;
    bool has_cluster;
    uint8_t cluster_id[PEER_CLUSTER_SIZE];
};

enum link_event { LINK_NOTHING = 0, LINK_UP, LINK_DOWN };

enum link_connection { LINK_IDLE = 0, LINK_CONNECTING, LINK_CONNECTED };

/* Why a peer's HELLO is refused. */
enum link_refusal {
    LINK_WELCOME = 0,
    LINK_NO_COHORT,     /* the magic is another */
    LINK_OTHER_VERSION, /* no protocol version in common */
    LINK_OTHER_CLUSTER
};

/* Private; embedded in links.c and tests. */
struct link {
    uint32_t peer;
    const struct link_identity *identity;
    struct logger logger;
    int64_t now_ms;

    enum link_connection connection;
    int64_t connect_at_ms; /* IDLE: when to try; CONNECTING: when to give up */
    int64_t attempt_ms;    /* when it was tried last */
    int backoff_ms;

    uint64_t mine;
    uint64_t theirs; /* 0: not known */
    uint64_t peer_store_id;
    bool up;
    bool up_due; /* events not taken yet: the down first */
    bool down_due;

    int64_t greeting_ms; /* since when HELLO waits for an answer on this connection */
    int64_t hello_at_ms;
    int hello_wait_ms;
    bool hello_due;
    bool answer_due; /* HELLO_ACK */
    bool answer_with_hello;

    int64_t probe_at_ms; /* UP: when to look whether the peer hears me */
    unsigned probes;     /* questions without an answer */
    bool echoed;         /* since the last look it has shown that it does */
    bool doubted;        /* it may be another process than the one that is known */

    struct link_twin twin; /* another process that says that it is the peer */
    bool met;              /* it has been up */
    unsigned unanswered;   /* questions before that */

    uint64_t sent;             /* number of the last frame of this pair */
    uint64_t received;         /* numbers up to it have come */
    uint64_t announced;        /* of received: told to the peer */
    uint64_t heard;            /* of sent: what the peer has told to have received */
    uint64_t unannounced;      /* bytes of bulk received since */
    bool hold;                 /* tell nothing: the peer shall send less */
    uint64_t window;           /* LINK_WINDOW_BYTES, or what the owner has put there */
    struct ring flights;       /* bulk under way */
    uint64_t in_flight;        /* bytes */
    uint64_t largest_flight;   /* of one frame */
    enum link_refusal refused; /* what has been logged */
};

/* incarnation: greater than any that an earlier process of this server has used. */
void link_init (struct link *self, uint32_t peer, const struct link_identity *identity,
                uint64_t incarnation, const struct logger *logger, int64_t now_ms);
void link_deinit (struct link *self);

/* ---- Input ------------------------------------------------------------------------------- */

void link_time (struct link *self, int64_t now_ms);
void link_connected (struct link *self);
void link_disconnected (struct link *self);

/* A frame whose header names this peer and this server; bulk: its size.  true: its contents are
 * the next of this link.  Take events before looking at them. */
bool link_receive (struct link *self, const struct peer_frame *frame, size_t bulk);

/* Leaves an UP link, and connects anew: the peer broke a rule or stands still. */
void link_reset (struct link *self, const char *why);

/* Whether acknowledgements are held back because this server is overloaded. */
void link_hold (struct link *self, bool hold);

/* ---- Output ------------------------------------------------------------------------------ */

/* What has happened, in order, each once. */
enum link_event link_take_event (struct link *self);

/* Whether the transport shall connect now. */
bool link_take_connect (struct link *self);

/* Whether a HELLO or HELLO_ACK is due: fills in a frame to be sent at once.  If it cannot be
 * sent, HELLO comes again by itself. */
bool link_take_hello (struct link *self, struct peer_frame *frame);

/* Only while UP: the header of the next frame, which must be sent; bulk: its size. */
void link_stamp (struct link *self, struct peer_header *header, size_t bulk);

/* Whether the peer waits for an acknowledgement and a frame should be sent for it alone. */
bool link_ack_due (const struct link *self);

/* Bytes of bulk that may be sent, if `share` of the window's 4 quarters may be used. */
uint64_t link_credit (const struct link *self, unsigned share);

int64_t link_deadline (const struct link *self);

#endif
