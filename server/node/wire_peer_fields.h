/*
 * server/node/wire_peer_fields.h - numbers of peer.proto that both directions need
 *
 * Private to wire_peer_encode.c and wire_peer_decode.c.
 */
#ifndef SERVER_NODE_WIRE_PEER_FIELDS_H
#define SERVER_NODE_WIRE_PEER_FIELDS_H

/* The numbers of the bulk's fields in peer.proto. */
enum {
    FIELD_HEADER = 1,
    FIELD_BULK = 16,
    FIELD_ENTRIES = 16,
    FIELD_FORWARDED,
    FIELD_HEARTBEATS,
    FIELD_CONFIRMATIONS,
    FIELD_DISCONNECTS,
    FIELD_SYNCS,
    FIELD_SYNCED,
    FIELD_CHUNK,
    FIELD_DIGESTS,
    FIELD_ASKED,
    FIELD_END
};

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

#endif
