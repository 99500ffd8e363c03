/* wire_peer_encode.c: frames between servers, written. See wire_peer.h. */

#include "server/node/wire_peer.h"

#include "client/base/assert.h"
#include "client/base/bytes.h"
#include "peer.pb-c.h"
#include "server/node/wire_peer_fields.h"

enum { TAG_SIZE_MAX = 12 };

/* ---- The envelope ---------------------------------------------------------------------------- */

static ProtobufCBinaryData cluster_bytes (bool has, const uint8_t *id)
{
    return (ProtobufCBinaryData){has ? PEER_CLUSTER_SIZE : 0, has ? (uint8_t *) id : NULL};
}

/* A point of zeroes is left out, and decoded as zeroes. */
static bool put_point (struct arena *arena, Cohort__Peer__Point **out, struct zab_point point)
{
    *out = NULL;
    if (point.zxid == 0 && point.chain == 0) {
        return true;
    }
    Cohort__Peer__Point *wire = arena_alloc (arena, sizeof *wire);
    if (wire == NULL) {
        return false;
    }
    cohort__peer__point__init (wire);
    wire->zxid = point.zxid;
    wire->chain = point.chain;
    *out = wire;
    return true;
}

static bool put_message (struct arena *arena, Cohort__Peer__Message *wire,
                         const struct zab_message *message)
{
    cohort__peer__message__init (wire);
    wire->type = (uint32_t) message->type;
    wire->epoch = message->epoch;
    wire->zxid = message->zxid;
    wire->durable = message->durable;
    wire->nonce = message->nonce;
    wire->session = message->session;
    wire->counts = message->counts;
    wire->trust = (uint32_t) message->trust;
    wire->suspect = message->suspect;
    wire->full = message->full;
    wire->starved = message->starved;
    wire->round = message->round;
    wire->leader = message->leader;
    wire->role = (uint32_t) message->role;
    wire->config_version = message->config_version;
    wire->entries_after = message->entries_after;
    wire->entries_through = message->entries_through;
    wire->entries_count = (uint32_t) message->entries_count;
    if (!put_point (arena, &wire->point, message->point)) {
        return false;
    }
    if (message->points_count > 0) {
        wire->points = arena_alloc (arena, message->points_count * sizeof (void *));
        if (wire->points == NULL) {
            return false;
        }
        for (size_t i = 0; i < message->points_count; i++) {
            Cohort__Peer__Point *point = arena_alloc (arena, sizeof *point);
            if (point == NULL) {
                return false;
            }
            cohort__peer__point__init (point);
            point->zxid = message->points[i].zxid;
            point->chain = message->points[i].chain;
            wire->points[i] = point;
        }
        wire->n_points = message->points_count;
    }
    return true;
}

static bool put_messages (struct arena *arena, Cohort__Peer__PeerFrame *wire,
                          const struct peer_frame *frame)
{
    if (frame->messages_count == 0) {
        return true;
    }
    Cohort__Peer__Message *messages = arena_alloc (arena, frame->messages_count * sizeof *messages);
    wire->messages = arena_alloc (arena, frame->messages_count * sizeof (void *));
    if (messages == NULL || wire->messages == NULL) {
        return false;
    }
    for (size_t i = 0; i < frame->messages_count; i++) {
        if (!put_message (arena, &messages[i], &frame->messages[i])) {
            return false;
        }
        wire->messages[i] = &messages[i];
    }
    wire->n_messages = frame->messages_count;
    return true;
}

static bool put_snapshots (struct arena *arena, Cohort__Peer__PeerFrame *wire,
                           const struct peer_frame *frame)
{
    if (frame->snapshots_count == 0) {
        return true;
    }
    wire->snapshots = arena_alloc (arena, frame->snapshots_count * sizeof (void *));
    if (wire->snapshots == NULL) {
        return false;
    }
    for (size_t i = 0; i < frame->snapshots_count; i++) {
        const struct peer_snapshot *snapshot = &frame->snapshots[i];
        Cohort__Peer__Snapshot *part = arena_alloc (arena, sizeof *part);
        if (part == NULL) {
            return false;
        }
        cohort__peer__snapshot__init (part);
        if (!put_point (arena, &part->point, snapshot->point)) {
            return false;
        }
        part->kind = (uint32_t) snapshot->kind;
        part->transfer = snapshot->transfer;
        part->stamp_ms = (uint64_t) snapshot->stamp_ms;
        part->size = snapshot->size;
        part->offset = snapshot->offset;
        part->stored = snapshot->stored;
        part->digest = snapshot->digest;
        part->packing = snapshot->packing;
        wire->snapshots[i] = part;
    }
    wire->n_snapshots = frame->snapshots_count;
    return true;
}

static bool put_bootstrap (struct arena *arena, Cohort__Peer__Bootstrap *wire,
                           const struct peer_bootstrap *bootstrap)
{
    cohort__peer__bootstrap__init (wire);
    wire->stage = (uint32_t) bootstrap->stage;
    wire->round = bootstrap->round;
    wire->propose = bootstrap->propose;
    wire->cluster_id = cluster_bytes (bootstrap->has_cluster, bootstrap->cluster_id);
    wire->version = bootstrap->config.version;
    COHORT_ASSERT (bootstrap->config.count <= CONFIG_MEMBERS_MAX);
    wire->members = arena_alloc (arena, bootstrap->config.count * sizeof (void *));
    if (wire->members == NULL) {
        return false;
    }
    for (size_t i = 0; i < bootstrap->config.count; i++) {
        Cohort__Peer__Member *member = arena_alloc (arena, sizeof *member);
        if (member == NULL) {
            return false;
        }
        cohort__peer__member__init (member);
        member->id = bootstrap->config.members[i].id;
        member->role = (uint32_t) bootstrap->config.members[i].role;
        member->store_id = bootstrap->config.members[i].store_id;
        wire->members[i] = member;
    }
    wire->n_members = bootstrap->config.count;
    return true;
}

/* ---- The bulk -------------------------------------------------------------------------------- */

/* The tag and the length of a field of bulk. */
static void put_field (struct buf *out, uint32_t field, size_t size)
{
    uint8_t bytes[TAG_SIZE_MAX];
    size_t used = 0;
    uint64_t numbers[2] = {(uint64_t) field << 3 | WIRE_BYTES, size};
    for (size_t i = 0; i < 2; i++) {
        uint64_t left = numbers[i];
        while (left >= 0x80) {
            bytes[used++] = (uint8_t) (left | 0x80);
            left >>= 7;
        }
        bytes[used++] = (uint8_t) left;
    }
    COHORT_ASSERT (used <= sizeof bytes);
    buf_append (out, bytes, used);
}

static void put_bulk (struct buf *out, uint32_t field, const struct peer_bytes *parts,
                      size_t parts_count)
{
    size_t size = 0;
    for (size_t i = 0; i < parts_count; i++) {
        size += parts[i].size;
    }
    if (size == 0) {
        return;
    }
    put_field (out, field, size);
    for (size_t i = 0; i < parts_count; i++) {
        buf_append (out, parts[i].data, parts[i].size);
    }
}

static bool put_envelope (struct buf *out, struct arena *arena, const struct peer_frame *frame)
{
    Cohort__Peer__PeerFrame wire = COHORT__PEER__PEER_FRAME__INIT;
    Cohort__Peer__Header header = COHORT__PEER__HEADER__INIT;
    Cohort__Peer__Hello hello = COHORT__PEER__HELLO__INIT;
    Cohort__Peer__HelloAck hello_ack = COHORT__PEER__HELLO_ACK__INIT;
    Cohort__Peer__Bootstrap bootstrap;

    header.from = frame->header.from;
    header.to = frame->header.to;
    header.mine = frame->header.mine;
    header.yours = frame->header.yours;
    header.seq = frame->header.seq;
    header.received = frame->header.received;
    wire.header = &header;
    if (frame->has_hello) {
        hello.magic = frame->hello.magic;
        hello.version_min = frame->hello.version_min;
        hello.version_max = frame->hello.version_max;
        hello.features = frame->hello.features;
        hello.cluster_id = cluster_bytes (frame->hello.has_cluster, frame->hello.cluster_id);
        hello.store_id = frame->hello.store_id;
        hello.role = (uint32_t) frame->hello.role;
        hello.twin = frame->hello.twin;
        wire.hello = &hello;
    }
    wire.hello_ack = frame->has_hello_ack ? &hello_ack : NULL;
    if (frame->has_bootstrap) {
        if (!put_bootstrap (arena, &bootstrap, &frame->bootstrap)) {
            return false;
        }
        wire.bootstrap = &bootstrap;
    }
    if (!put_messages (arena, &wire, frame) || !put_snapshots (arena, &wire, frame)) {
        return false;
    }
    size_t size = cohort__peer__peer_frame__get_packed_size (&wire);
    uint8_t *at = buf_extend (out, size);
    if (at == NULL) {
        return false;
    }
    size_t packed = cohort__peer__peer_frame__pack (&wire, at);
    COHORT_ASSERT (packed == size);
    return true;
}

bool peer_frame_encode (struct buf *out, struct arena *arena, const struct peer_frame *frame)
{
    COHORT_ASSERT (frame->entry_parts_count <= PEER_PARTS_MAX);
    if (!put_envelope (out, arena, frame)) {
        return false;
    }
    put_bulk (out, FIELD_ENTRIES, frame->entry_parts, frame->entry_parts_count);
    put_bulk (out, FIELD_FORWARDED, &frame->forwarded, 1);
    put_bulk (out, FIELD_HEARTBEATS, &frame->heartbeats, 1);
    put_bulk (out, FIELD_CONFIRMATIONS, &frame->confirmations, 1);
    put_bulk (out, FIELD_DISCONNECTS, &frame->disconnects, 1);
    put_bulk (out, FIELD_SYNCS, &frame->syncs, 1);
    put_bulk (out, FIELD_SYNCED, &frame->synced, 1);
    put_bulk (out, FIELD_CHUNK, &frame->chunk, 1);
    put_bulk (out, FIELD_DIGESTS, &frame->digests, 1);
    put_bulk (out, FIELD_ASKED, &frame->asked, 1);
    return !out->failed;
}

void peer_entry_encode (struct buf *out, const struct zab_entry *entry)
{
    uint8_t *at = buf_extend (out, PEER_ENTRY_HEADER);
    if (at == NULL) {
        return;
    }
    bytes_put_u64 (at, entry->zxid);
    bytes_put_u64 (at + 8, (uint64_t) entry->stamp_ms);
    bytes_put_u64 (at + 16, entry->chain);
    bytes_put_u32 (at + 24, entry->size);
    buf_append (out, entry->data, entry->size);
}

void peer_forward_encode (struct buf *out, const uint8_t *data, size_t size)
{
    buf_blob (out, data, size);
}
