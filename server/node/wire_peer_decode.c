/* wire_peer_decode.c: frames between servers, read without trust. See wire_peer.h. */

#include "server/node/wire_peer.h"

#include <string.h>

#include "peer.pb-c.h"
#include "server/node/wire_peer_fields.h"

/* ---- protobuf-c with an arena ---------------------------------------------------------------- */

static void *pool_alloc (void *arg, size_t size)
{
    return arena_alloc (arg, size);
}

static void pool_free (void *arg, void *memory)
{
    (void) arg;
    (void) memory;
}

/* ---- The bulk -------------------------------------------------------------------------------- */

static uint64_t read_varint (struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_u8 (reader);
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

/* Steps over the value of a field of the envelope. */
static void skip_field (struct reader *reader, uint64_t wire_type)
{
    switch (wire_type) {
    case WIRE_VARINT:
        (void) read_varint (reader);
        break;
    case WIRE_FIXED64:
        (void) reader_bytes (reader, 8);
        break;
    case WIRE_BYTES: {
        uint64_t size = read_varint (reader);
        if (size > reader_left (reader)) {
            reader->failed = true;
        } else {
            (void) reader_bytes (reader, (size_t) size);
        }
        break;
    }
    case WIRE_FIXED32:
        (void) reader_bytes (reader, 4);
        break;
    default:
        reader->failed = true;
    }
}

/* Finds where the envelope ends and what each field of bulk holds. */
static const char *split (const uint8_t *data, size_t size, size_t *envelope,
                          struct peer_bytes bulk[FIELD_END - FIELD_BULK])
{
    struct reader reader;
    reader_init (&reader, data, size);
    bool in_bulk = false;
    *envelope = size;
    while (reader_left (&reader) > 0) {
        size_t at = (size_t) (reader.at - data);
        uint64_t tag = read_varint (&reader);
        uint64_t field = tag >> 3;
        if (field < FIELD_BULK) {
            if (in_bulk) {
                return "an envelope's field behind the bulk";
            }
            skip_field (&reader, tag & 7);
        } else if (field < FIELD_END && (tag & 7) == WIRE_BYTES) {
            if (!in_bulk) {
                *envelope = at;
                in_bulk = true;
            }
            struct peer_bytes *bytes = &bulk[field - FIELD_BULK];
            uint64_t length = read_varint (&reader);
            if (bytes->data != NULL || length > reader_left (&reader)) {
                return "a field of bulk twice, or cut short";
            }
            bytes->size = (size_t) length;
            bytes->data = reader_bytes (&reader, bytes->size);
        } else {
            if (!in_bulk) {
                *envelope = at;
                in_bulk = true;
            }
            skip_field (&reader, tag & 7); /* of a later version */
        }
    }
    return reader.failed ? "cut short" : NULL;
}

/* Takes `count` entries from the reader. */
static const char *get_entries (struct arena *arena, struct reader *reader,
                                struct zab_message *message)
{
    size_t count = message->entries_count;
    if (count == 0) {
        return NULL;
    }
    if (count > reader_left (reader) / PEER_ENTRY_HEADER) {
        return "more entries announced than there are";
    }
    struct zab_entry *entries = arena_alloc (arena, count * sizeof *entries);
    if (entries == NULL) {
        return "out of memory";
    }
    for (size_t i = 0; i < count; i++) {
        entries[i].zxid = reader_u64 (reader);
        entries[i].stamp_ms = reader_i64 (reader);
        entries[i].chain = reader_u64 (reader);
        entries[i].size = reader_u32 (reader);
        entries[i].data = reader_bytes (reader, entries[i].size);
        if (reader->failed) {
            return "an entry is cut short";
        }
        if (entries[i].zxid >> 63 != 0 || entries[i].size > PEER_ENTRY_SIZE_MAX) {
            return "an entry's zxid or size is out of range";
        }
    }
    message->entries = entries;
    return NULL;
}

/* ---- The envelope ---------------------------------------------------------------------------- */

static struct zab_point get_point (const Cohort__Peer__Point *wire)
{
    return wire != NULL ? (struct zab_point){wire->zxid, wire->chain} : (struct zab_point){0, 0};
}

static bool get_cluster (ProtobufCBinaryData bytes, bool *has, uint8_t *id)
{
    *has = bytes.len > 0;
    memset (id, 0, PEER_CLUSTER_SIZE);
    if (bytes.len == 0) {
        return true;
    }
    if (bytes.len != PEER_CLUSTER_SIZE) {
        return false;
    }
    memcpy (id, bytes.data, PEER_CLUSTER_SIZE);
    return true;
}

static const char *get_message (struct arena *arena, const Cohort__Peer__Message *wire,
                                struct zab_message *message)
{
    if (wire->type < ZAB_VOTE || wire->type > ZAB_LEAVING || wire->role > ZAB_HALTED ||
        wire->trust > ZAB_DAMAGED) {
        return "a message of unknown type, role or trust";
    }
    if (wire->n_points > ZAB_EPOCHS_MAX) {
        return "too many points";
    }
    if ((wire->zxid | wire->durable | wire->suspect | wire->entries_after |
         wire->entries_through) >>
            63 !=
        0) {
        return "a zxid is out of range";
    }
    message->type = (enum zab_message_type) wire->type;
    message->epoch = wire->epoch;
    message->zxid = wire->zxid;
    message->durable = wire->durable;
    message->nonce = wire->nonce;
    message->session = wire->session;
    message->point = get_point (wire->point);
    message->counts = wire->counts;
    message->trust = (enum zab_trust) wire->trust;
    message->suspect = wire->suspect;
    message->full = wire->full != 0;
    message->starved = wire->starved != 0;
    message->round = wire->round;
    message->leader = wire->leader;
    message->role = (enum zab_role) wire->role;
    message->config_version = wire->config_version;
    message->entries_after = wire->entries_after;
    message->entries_through = wire->entries_through;
    message->entries_count = wire->entries_count;
    if (wire->n_points > 0) {
        struct zab_point *points = arena_alloc (arena, wire->n_points * sizeof *points);
        if (points == NULL) {
            return "out of memory";
        }
        for (size_t i = 0; i < wire->n_points; i++) {
            points[i] = get_point (wire->points[i]);
        }
        message->points = points;
        message->points_count = wire->n_points;
    }
    return NULL;
}

static const char *get_messages (struct peer_frame *frame, struct arena *arena,
                                 const Cohort__Peer__PeerFrame *wire, struct peer_bytes bulk)
{
    struct reader entries;
    reader_init (&entries, bulk.data, bulk.size);
    if (wire->n_messages > PEER_MESSAGES_MAX) {
        return "too many messages";
    }
    frame->messages = arena_calloc (arena, wire->n_messages, sizeof *frame->messages);
    if (frame->messages == NULL) {
        return "out of memory";
    }
    for (size_t i = 0; i < wire->n_messages; i++) {
        struct zab_message *message = &frame->messages[i];
        const char *wrong = get_message (arena, wire->messages[i], message);
        if (wrong == NULL) {
            wrong = get_entries (arena, &entries, message);
        }
        if (wrong != NULL) {
            return wrong;
        }
        message->peer = frame->header.from;
    }
    frame->messages_count = wire->n_messages;
    return reader_done (&entries) ? NULL : "entries of no message";
}

static const char *get_bootstrap (struct peer_bootstrap *bootstrap,
                                  const Cohort__Peer__Bootstrap *wire)
{
    if (wire->stage < PEER_EMPTY || wire->stage > PEER_DONE ||
        wire->n_members > CONFIG_MEMBERS_MAX ||
        !get_cluster (wire->cluster_id, &bootstrap->has_cluster, bootstrap->cluster_id)) {
        return "a bootstrap message is out of range";
    }
    bootstrap->stage = (enum peer_stage) wire->stage;
    bootstrap->round = wire->round;
    bootstrap->propose = wire->propose;
    bootstrap->config.version = wire->version;
    bootstrap->config.count = wire->n_members;
    for (size_t i = 0; i < wire->n_members; i++) {
        const Cohort__Peer__Member *member = wire->members[i];
        if (member->role != CONFIG_VOTER && member->role != CONFIG_OBSERVER) {
            return "a member's role is unknown";
        }
        bootstrap->config.members[i] =
            (struct config_member){member->id, (enum config_role) member->role, member->store_id};
    }
    if (bootstrap->stage != PEER_EMPTY &&
        (!bootstrap->has_cluster || !config_valid (&bootstrap->config))) {
        return "a bootstrap message without cluster or members";
    }
    return NULL;
}

static const char *get_snapshots (struct peer_frame *frame, struct arena *arena,
                                  const Cohort__Peer__PeerFrame *wire)
{
    if (wire->n_snapshots > PEER_SNAPSHOTS_MAX) {
        return "too many snapshot messages";
    }
    frame->snapshots = arena_calloc (arena, wire->n_snapshots, sizeof *frame->snapshots);
    if (frame->snapshots == NULL) {
        return "out of memory";
    }
    size_t chunks = 0;
    for (size_t i = 0; i < wire->n_snapshots; i++) {
        const Cohort__Peer__Snapshot *part = wire->snapshots[i];
        if (part->kind < PEER_OFFER || part->kind > PEER_REFUSED) {
            return "a snapshot message of unknown kind";
        }
        chunks += part->kind == PEER_CHUNK;
        frame->snapshots[i] = (struct peer_snapshot){
            .kind = (enum peer_snapshot_kind) part->kind,
            .transfer = part->transfer,
            .point = get_point (part->point),
            .stamp_ms = (int64_t) part->stamp_ms,
            .size = part->size,
            .offset = part->offset,
            .stored = part->stored,
            .digest = part->digest,
            .packing = part->packing,
        };
    }
    frame->snapshots_count = wire->n_snapshots;
    return chunks > 1 ? "several chunks in one frame" : NULL;
}

static const char *get_hello (struct peer_hello *hello, const Cohort__Peer__Hello *wire)
{
    if (!get_cluster (wire->cluster_id, &hello->has_cluster, hello->cluster_id)) {
        return "a cluster id of the wrong size";
    }
    hello->magic = wire->magic;
    hello->version_min = wire->version_min;
    hello->version_max = wire->version_max;
    hello->features = wire->features;
    hello->store_id = wire->store_id;
    hello->role = wire->role == CONFIG_OBSERVER ? CONFIG_OBSERVER : CONFIG_VOTER;
    hello->twin = wire->twin;
    return NULL;
}

static const char *get_envelope (struct peer_frame *frame, struct arena *arena,
                                 const Cohort__Peer__PeerFrame *wire, struct peer_bytes entries)
{
    const char *wrong = NULL;
    frame->has_hello_ack = wire->hello_ack != NULL;
    if (wire->hello != NULL) {
        frame->has_hello = true;
        wrong = get_hello (&frame->hello, wire->hello);
    }
    if (wrong == NULL && wire->bootstrap != NULL) {
        frame->has_bootstrap = true;
        wrong = get_bootstrap (&frame->bootstrap, wire->bootstrap);
    }
    if (wrong == NULL) {
        wrong = get_messages (frame, arena, wire, entries);
    }
    if (wrong == NULL) {
        wrong = get_snapshots (frame, arena, wire);
    }
    return wrong;
}

bool peer_forward_next (struct reader *reader, struct peer_bytes *request)
{
    if (reader_left (reader) == 0) {
        return false;
    }
    request->data = reader_blob (reader, &request->size);
    return request->data != NULL;
}

static const char *check_forwarded (struct peer_bytes bytes)
{
    struct reader reader;
    reader_init (&reader, bytes.data, bytes.size);
    struct peer_bytes request;
    while (peer_forward_next (&reader, &request)) {
        if (request.size == 0 || request.size > PEER_ENTRY_SIZE_MAX) {
            return "a forwarded request's size is out of range";
        }
    }
    return reader_done (&reader) ? NULL : "a forwarded request is cut short";
}

static const char *get_bulk (struct peer_frame *frame, const struct peer_bytes *bulk)
{
    frame->entry_parts[0] = bulk[FIELD_ENTRIES - FIELD_BULK];
    frame->entry_parts_count = 1;
    frame->forwarded = bulk[FIELD_FORWARDED - FIELD_BULK];
    frame->heartbeats = bulk[FIELD_HEARTBEATS - FIELD_BULK];
    frame->confirmations = bulk[FIELD_CONFIRMATIONS - FIELD_BULK];
    frame->disconnects = bulk[FIELD_DISCONNECTS - FIELD_BULK];
    frame->syncs = bulk[FIELD_SYNCS - FIELD_BULK];
    frame->synced = bulk[FIELD_SYNCED - FIELD_BULK];
    frame->chunk = bulk[FIELD_CHUNK - FIELD_BULK];
    frame->digests = bulk[FIELD_DIGESTS - FIELD_BULK];
    frame->asked = bulk[FIELD_ASKED - FIELD_BULK];
    if (frame->heartbeats.size % PEER_HEARTBEAT_SIZE != 0 ||
        frame->confirmations.size % PEER_HEARTBEAT_SIZE != 0 ||
        frame->disconnects.size % PEER_DISCONNECT_SIZE != 0 ||
        frame->syncs.size % PEER_SYNC_SIZE != 0 || frame->synced.size % PEER_SYNCED_SIZE != 0 ||
        frame->digests.size % PEER_DIGEST_SIZE != 0 || frame->asked.size % PEER_ASKED_SIZE != 0) {
        return "a list of records is cut short";
    }
    return check_forwarded (frame->forwarded);
}

/* The header comes first, so that it is known who sent what cannot be read. */
static bool get_header (struct peer_header *header, ProtobufCAllocator *allocator,
                        const uint8_t *data, size_t size)
{
    struct reader reader;
    reader_init (&reader, data, size);
    if (read_varint (&reader) != (FIELD_HEADER << 3 | WIRE_BYTES)) {
        return false;
    }
    uint64_t length = read_varint (&reader);
    if (reader.failed || length > reader_left (&reader)) {
        return false;
    }
    const Cohort__Peer__Header *wire =
        cohort__peer__header__unpack (allocator, (size_t) length, reader.at);
    if (wire == NULL) {
        return false;
    }
    *header = (struct peer_header){wire->from,  wire->to,  wire->mine,
                                   wire->yours, wire->seq, wire->received};
    return true;
}

const char *peer_frame_decode (struct peer_frame *frame, struct arena *arena, const uint8_t *data,
                               size_t size, bool *header_valid)
{
    struct peer_bytes bulk[FIELD_END - FIELD_BULK] = {{NULL, 0}};
    ProtobufCAllocator allocator = {pool_alloc, pool_free, arena};
    size_t envelope = 0;
    memset (frame, 0, sizeof *frame);
    *header_valid = size <= PEER_FRAME_MAX && get_header (&frame->header, &allocator, data, size);
    if (!*header_valid) {
        return "no header that could be read";
    }
    const char *wrong = split (data, size, &envelope, bulk);
    if (wrong == NULL && envelope > PEER_ENVELOPE_MAX) {
        wrong = "an envelope too long";
    }
    if (wrong != NULL) {
        return wrong;
    }
    const Cohort__Peer__PeerFrame *wire =
        cohort__peer__peer_frame__unpack (&allocator, envelope, data);
    if (wire == NULL) {
        return "no envelope that could be read";
    }
    wrong = get_envelope (frame, arena, wire, bulk[FIELD_ENTRIES - FIELD_BULK]);
    return wrong != NULL ? wrong : get_bulk (frame, bulk);
}
