/*
 * server/node/wire_peer.h - frames between servers, as bytes and as plain structures
 *
 * server/proto/peer.proto is the schema.  The bulk of a frame is not copied: encoding takes it
 * in pieces, decoding points into the frame.  Layouts of the bulk, little-endian:
 *
 *      entries        u64 zxid, i64 stamp_ms, u64 chain, u32 size, data       one after the other
 *      forwarded      u32 size, data
 *      heartbeats     u64 session, u64 attach_no, u64 seq                     and confirmations
 *      disconnects    u64 session, u64 attach_no
 *      syncs          u64 token
 *      synced         u64 token, u64 zxid
 *      digests        u64 zxid, u64 digest, u64 server and what else is so of PEER_WITNESS,
 *                     PEER_SNAPSHOT_DUE, PEER_SNAPSHOT_AT_IT
 *      asked          u64 zxid
 *
 * Decoding trusts nothing: counts are bounded, numbers are checked against their ranges, layouts
 * against the size.  Pure but for memory.
 */
#ifndef SERVER_NODE_WIRE_PEER_H
#define SERVER_NODE_WIRE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/arena.h"
#include "client/base/buf.h"
#include "server/core/zab.h"

enum {
    PEER_MAGIC = 0x43485250, /* "CHRP" */
    PEER_VERSION_MIN = 1,
    PEER_VERSION_MAX = 1,
    PEER_CLUSTER_SIZE = 16,
    PEER_ENTRY_HEADER = 28,   /* bytes before the data of an entry */
    PEER_HEARTBEAT_SIZE = 24, /* and of a confirmation */
    PEER_DISCONNECT_SIZE = 16,
    PEER_SYNC_SIZE = 8,
    PEER_SYNCED_SIZE = 16,
    PEER_DIGEST_SIZE = 24,
    PEER_ASKED_SIZE = 8,
    PEER_MESSAGES_MAX = 4096, /* of one frame */
    PEER_SNAPSHOTS_MAX = 64,
    PEER_PARTS_MAX = 4,             /* pieces that the entries of one frame are encoded from */
    PEER_ENVELOPE_MAX = 8 << 20,    /* bytes before the bulk */
    PEER_ENTRY_SIZE_MAX = 64 << 20, /* bytes of one entry; ingress allows far less */
    PEER_FRAME_MAX = 256 << 20
};

#define PEER_WITNESS        (UINT64_C (1) << 32)
#define PEER_SNAPSHOT_DUE   (UINT64_C (1) << 33)
#define PEER_SNAPSHOT_AT_IT (UINT64_C (1) << 34)

/* Bytes that belong to somebody else. */
struct peer_bytes {
    const uint8_t *data;
    size_t size;
};

struct peer_header {
    uint32_t from;
    uint32_t to;
    uint64_t mine;     /* incarnation of the sender */
    uint64_t yours;    /* of the receiver, as the sender knows it; 0: not yet */
    uint64_t seq;      /* of this frame; in HELLO and HELLO_ACK: of the last frame before */
    uint64_t received; /* frames of the receiver worked through */
};

struct peer_hello {
    uint32_t magic;
    uint32_t version_min;
    uint32_t version_max;
    uint64_t features;
    bool has_cluster;
    uint8_t cluster_id[PEER_CLUSTER_SIZE];
    uint64_t store_id;
    enum config_role role;
    uint64_t twin; /* store of another process that says that it is the receiver; 0: none */
};

enum peer_stage {
    PEER_EMPTY = 1, /* never part of an ensemble */
    PEER_PREPARED,  /* has persisted cluster id and members */
    PEER_DONE       /* the first round has ended; elections may take place */
};

struct peer_bootstrap {
    enum peer_stage stage;
    uint64_t round;
    bool propose;
    bool has_cluster;
    uint8_t cluster_id[PEER_CLUSTER_SIZE];
    struct config config;
};

enum peer_snapshot_kind { PEER_OFFER = 1, PEER_CHUNK, PEER_PROGRESS, PEER_REFUSED };

struct peer_snapshot {
    enum peer_snapshot_kind kind;
    uint64_t transfer;
    struct zab_point point;
    int64_t stamp_ms;
    uint64_t size;
    uint64_t offset; /* in what is stored */
    uint64_t stored; /* OFFER, as the rest */
    uint64_t digest;
    uint32_t packing;
};

struct peer_frame {
    struct peer_header header;
    bool has_hello;
    bool has_hello_ack;
    bool has_bootstrap;
    struct peer_hello hello;
    struct peer_bootstrap bootstrap;

    /* Decoded: entries and points of each message are filled in.  To encode: entries_count of
     *  each, and the encoded entries of all of them, in order, in entry_parts. */
    struct zab_message *messages;
    size_t messages_count;
    struct peer_bytes entry_parts[PEER_PARTS_MAX];
    size_t entry_parts_count;

    struct peer_snapshot *snapshots;
    size_t snapshots_count;

    struct peer_bytes forwarded;
    struct peer_bytes heartbeats;
    struct peer_bytes confirmations;
    struct peer_bytes disconnects;
    struct peer_bytes syncs;
    struct peer_bytes synced;
    struct peer_bytes chunk;
    struct peer_bytes digests;
    struct peer_bytes asked;
};

/* Appends the whole frame to `out`; scratch memory from `arena`.  false: out of memory. */
bool peer_frame_encode (struct buf *out, struct arena *arena, const struct peer_frame *frame);

/* Reads a frame.  What it holds lives in `arena`, bulk in `data`.  NULL: well; else what is wrong
 * with it, static.  The header is valid, and says who sent it, if header_valid. */
const char *peer_frame_decode (struct peer_frame *frame, struct arena *arena, const uint8_t *data,
                               size_t size, bool *header_valid);

/* Appends one entry, and one forwarded request, in the layout of the bulk. */
void peer_entry_encode (struct buf *out, const struct zab_entry *entry);
void peer_forward_encode (struct buf *out, const uint8_t *data, size_t size);

/* The next forwarded request; false at the end. The layout has been checked by decoding. */
bool peer_forward_next (struct reader *reader, struct peer_bytes *request);

#endif
