/* wire_client.c: frames to clients are written: see wire_client.h. */

#include "server/node/wire_client.h"

#include <string.h>

#include "client/base/assert.h"
#include "client/base/fields.h"
#include "client/proto/client_fields.h"
#include "cohort/version.h"
#include "server/tree/result.h"

#define WIRE_TEXT(x)   #x
#define WIRE_NUMBER(x) WIRE_TEXT (x)
#define WIRE_CLIENT_VERSION                                                                        \
    WIRE_NUMBER (COHORT_VERSION_MAJOR)                                                             \
    "." WIRE_NUMBER (COHORT_VERSION_MINOR) "." WIRE_NUMBER (COHORT_VERSION_PATCH)

/* ---- What concerns a frame as a whole ---------------------------------------------------- */

/* protobuf-c wants pointers to non-const although packing only reads. */
static ProtobufCBinaryData bytes_of (const uint8_t *data, size_t size)
{
    return (ProtobufCBinaryData){data != NULL ? size : 0, (uint8_t *) (uintptr_t) data};
}

static char *string_of (const char *string)
{
    return (char *) (uintptr_t) string;
}

/* Fields of a message that follow one another are one message: a frame can be written in parts. */
static void pack_part (struct buf *out, const Cohort__Wire__ServerFrame *frame)
{
    size_t size = cohort__wire__server_frame__get_packed_size (frame);
    uint8_t *at = buf_extend (out, size);
    if (at != NULL) {
        size_t packed = cohort__wire__server_frame__pack (frame, at);
        COHORT_ASSERT (packed == size);
    }
}

void wire_client_welcome (struct buf *out, const struct wire_client_welcome *welcome)
{
    Cohort__Wire__Welcome message = COHORT__WIRE__WELCOME__INIT;
    message.version = WIRE_CLIENT_VERSION_MAX;
    message.cluster_id = bytes_of (welcome->cluster_id, WIRE_CLIENT_ID_SIZE);
    message.session_id = welcome->session;
    message.timeout_ms = welcome->timeout_ms;
    message.grace_ms = welcome->grace_ms;
    message.last_number = welcome->last_number;
    message.server_id = welcome->server;
    message.window = welcome->limits->window;
    message.data_size_max = welcome->limits->data_size_max;
    message.path_size_max = welcome->limits->path_size_max;
    message.attach_no = welcome->attach_no;
    message.credit_bytes = welcome->credit_bytes;
    message.silence_ms = welcome->silence_ms;
    message.streams_max = welcome->streams_max;
    message.watches_max = welcome->watches_max;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.welcome = &message;
    pack_part (out, &frame);
}

void wire_client_refused (struct buf *out, int code, const char *text)
{
    COHORT_ASSERT (code < 0);
    Cohort__Wire__Refused message = COHORT__WIRE__REFUSED__INIT;
    message.code = code;
    message.text = string_of (text);
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.refused = &message;
    pack_part (out, &frame);
}

void wire_client_held (struct buf *out, const char *reason)
{
    Cohort__Wire__Held message = COHORT__WIRE__HELD__INIT;
    message.reason = string_of (reason);
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.held = &message;
    pack_part (out, &frame);
}

/* ---- Status ------------------------------------------------------------------------------ */

static const char *role_text (const struct node_status *status)
{
    switch (status->zab.role) {
    case ZAB_LEADING:
        /* One that is not activated yet has its own log to read first. */
        return status->standalone ? status->zab.activated ? "standalone" : "looking" : "leader";
    case ZAB_FOLLOWING:
        return "follower";
    case ZAB_OBSERVING:
        return "observer";
    default:
        return "looking";
    }
}

static const char *state_text (enum node_state state)
{
    static const char *const names[] = {[NODE_STATE_SOUND] = "sound",
                                        [NODE_STATE_CONTESTED] = "contested",
                                        [NODE_STATE_QUARANTINED] = "quarantined"};
    COHORT_ASSERT (state < sizeof names / sizeof names[0]);
    return names[state];
}

static Cohort__Wire__Member *member_of (struct arena *arena, const struct node_member *from)
{
    Cohort__Wire__Member *member = arena_alloc (arena, sizeof *member);
    if (member != NULL) {
        cohort__wire__member__init (member);
        member->id = from->id;
        member->role = string_of (from->role == CONFIG_OBSERVER ? "observer" : "voter");
        member->address = string_of (from->address);
        member->client_address = string_of (from->client_address);
    }
    return member;
}

void wire_client_status (struct buf *out, struct arena *arena, const struct node_status *status,
                         const struct node_member *members, size_t count)
{
    Cohort__Wire__Status message = COHORT__WIRE__STATUS__INIT;
    message.server_id = status->id;
    message.role = string_of (role_text (status));
    message.epoch = status->zab.current_epoch;
    message.zxid = status->applied;
    message.connections = (uint32_t) status->connections;
    message.leader_id = status->zab.leader;
    message.cluster_id = bytes_of (status->cluster_id, WIRE_CLIENT_ID_SIZE);
    message.version = string_of (WIRE_CLIENT_VERSION);
    message.znodes = status->znodes;
    message.sessions = status->sessions;
    message.digest = status->digest;
    message.log = string_of (zab_trust_name (status->zab.trust));
    message.disk = string_of (status->disk);
    message.state = string_of (state_text (status->state));
    message.state_reason = string_of (status->state_reason != NULL ? status->state_reason : "");
    message.turn_us_max = status->turn_us_max;
    message.long_turns = status->long_turns;
    message.members = arena_calloc (arena, count, sizeof *message.members);
    for (size_t i = 0; message.members != NULL && i < count; i++) {
        message.members[i] = member_of (arena, &members[i]);
        if (message.members[i] == NULL) {
            break;
        }
        message.n_members++;
    }
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.status = &message;
    pack_part (out, &frame);
}

void wire_client_backup (struct buf *out, const struct backup_part *part)
{
    Cohort__Wire__BackupPart message = COHORT__WIRE__BACKUP_PART__INIT;
    message.size = part->file_size;
    message.zxid = part->zxid;
    message.offset = part->offset;
    message.data = bytes_of (part->data, part->size);
    message.sum = part->sum;
    message.code = part->code;
    if (part->text != NULL) {
        message.text = string_of (part->text);
    }
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.backup = &message;
    pack_part (out, &frame);
}

/* ---- Fields ------------------------------------------------------------------------------ */

/* Bytes of a length that is written when it is known, and what fits into them. */
enum { NARROW_SIZE = 1, MIDDLE_SIZE = 2, WIDE_SIZE = 5 };
enum { NARROW_MAX = (1 << 7) - 1, MIDDLE_MAX = (1 << 14) - 1 };

/* For what will have about `size` bytes. */
static unsigned length_size (size_t size)
{
    return size <= NARROW_MAX ? NARROW_SIZE : size <= MIDDLE_MAX ? MIDDLE_SIZE : WIDE_SIZE;
}

/* Each makes room for what it writes and no more: buffers are as large as what is in them asks for.
 */

static void put_number (struct buf *out, unsigned field, uint64_t value)
{
    if (value == 0) {
        return;
    }
    uint8_t *at = buf_extend (out, field_varint_size (field << 3) + field_varint_size (value));
    if (at != NULL) {
        (void) field_put_number (at, field, value);
    }
}

static void put_signed (struct buf *out, unsigned field, int64_t value)
{
    put_number (out, field, field_zigzag (value));
}

static void put_fixed (struct buf *out, unsigned field, uint64_t value)
{
    if (value == 0) {
        return;
    }
    uint8_t *at = buf_extend (out, field_varint_size (field << 3) + sizeof value);
    if (at != NULL) {
        (void) field_put_fixed (at, field, value);
    }
}

/* Also where it is empty: an element of a list, a message. */
static void put_bytes (struct buf *out, unsigned field, const void *data, size_t size)
{
    size_t head = field_varint_size (field << 3) + field_varint_size (size);
    uint8_t *at = buf_extend (out, head + size);
    if (at != NULL) {
        (void) field_put_bytes (at, field, data, size);
    }
}

/* Opens a message inside: put_end writes its length. For that there is room of `room` bytes, which
 * may be more than needed; what is behind it is moved if they are too few. */
static size_t put_begin (struct buf *out, unsigned field, unsigned room)
{
    uint8_t *at = buf_extend (out, field_varint_size (field << 3) + room);
    if (at != NULL) {
        (void) field_put_tag (at, field, FIELD_BYTES);
    }
    return out->size;
}

static void put_end (struct buf *out, size_t start, unsigned room)
{
    if (out->failed) {
        return;
    }
    COHORT_ASSERT (start <= out->size);
    size_t size = out->size - start;
    COHORT_ASSERT (size <= UINT32_MAX);
    unsigned needed = (unsigned) field_varint_size (size);
    if (needed > room) {
        if (buf_extend (out, needed - room) == NULL) {
            return;
        }
        memmove (out->data + start + (needed - room), out->data + start, size);
    }
    uint8_t *at = out->data + start - room;
    unsigned last = (needed > room ? needed : room) - 1;
    for (unsigned i = 0; i < last; i++, size >>= 7) {
        *at++ = (uint8_t) (size | 0x80);
    }
    *at = (uint8_t) size;
}

enum { STAT_SIZE_MAX = 8 * 9 + 3 * 6 + 3 * 6 };

/* At most STAT_SIZE_MAX bytes; returns their end. */
static uint8_t *write_stat (uint8_t *at, const cohort_stat_t *stat)
{
    at = field_put_fixed (at, STAT_CZXID, stat->czxid);
    at = field_put_fixed (at, STAT_MZXID, stat->mzxid);
    at = field_put_fixed (at, STAT_PZXID, stat->pzxid);
    at = field_put_fixed (at, STAT_CTIME_MS, (uint64_t) stat->ctime_ms);
    at = field_put_fixed (at, STAT_MTIME_MS, (uint64_t) stat->mtime_ms);
    at = field_put_number (at, STAT_VERSION, field_zigzag (stat->version));
    at = field_put_number (at, STAT_CVERSION, field_zigzag (stat->cversion));
    at = field_put_number (at, STAT_AVERSION, field_zigzag (stat->aversion));
    at = field_put_fixed (at, STAT_EPHEMERAL_OWNER, stat->ephemeral_owner);
    at = field_put_fixed (at, STAT_OZXID, stat->ozxid);
    at = field_put_number (at, STAT_DATA_SIZE, (uint32_t) stat->data_size);
    at = field_put_number (at, STAT_CHILD_COUNT, stat->child_count);
    at = field_put_number (at, STAT_MODE, (uint32_t) stat->mode);
    return field_put_fixed (at, STAT_TTL_MS, (uint64_t) stat->ttl_ms);
}

static void put_stat (struct buf *out, unsigned field, const cohort_stat_t *stat)
{
    uint8_t bytes[STAT_SIZE_MAX], *at = write_stat (bytes, stat);
    COHORT_ASSERT (at - bytes <= STAT_SIZE_MAX);
    put_bytes (out, field, bytes, (size_t) (at - bytes));
}

void wire_client_seen (struct buf *out, zxid_t zxid, uint64_t confirmed)
{
    put_fixed (out, SERVER_FRAME_ZXID, zxid);
    put_number (out, SERVER_FRAME_CONFIRMED, confirmed);
}

/* ---- Items ------------------------------------------------------------------------------- */

static struct wire_mark item_begin (struct buf *out, unsigned kind, unsigned room)
{
    struct wire_mark mark = {.room = room};
    mark.item = put_begin (out, SERVER_FRAME_ITEMS, room);
    mark.body = put_begin (out, kind, room);
    return mark;
}

void wire_client_item_end (struct buf *out, struct wire_mark mark)
{
    put_end (out, mark.body, mark.room);
    put_end (out, mark.item, mark.room);
}

enum { REPLY_SIZE = 110 }; /* bytes of a reply with a stat, about */
enum { REPLY_HEAD_MAX = 5 * FIELD_NUMBER_MAX };

struct wire_mark wire_client_reply_begin (struct buf *out, const struct wire_client_reply *reply,
                                          size_t size)
{
    size += reply->detail_size + reply->quota_path_size;
    unsigned room = length_size (REPLY_SIZE + size);
    struct wire_mark mark = item_begin (out, ITEM_REPLY, room);
    uint8_t head[REPLY_HEAD_MAX], *at = field_put_number (head, REPLY_XID, reply->xid);
    at = field_put_number (at, REPLY_CODE, field_zigzag (reply->code));
    at = field_put_fixed (at, REPLY_ZXID, reply->zxid);
    at = field_put_number (at, REPLY_NUMBER, reply->number);
    at = field_put_number (at, REPLY_EXPECTED, reply->expected);
    buf_append (out, head, (size_t) (at - head));
    if (reply->detail_size > 0) {
        put_bytes (out, REPLY_DETAIL, reply->detail, reply->detail_size);
    }
    if (reply->quota_path_size > 0) {
        put_bytes (out, REPLY_QUOTA_PATH, reply->quota_path, reply->quota_path_size);
    }
    return mark;
}

void wire_client_reply_data (struct buf *out, const uint8_t *data, size_t size)
{
    if (size > 0) {
        put_bytes (out, REPLY_DATA, data, size);
    }
}

void wire_client_reply_stat (struct buf *out, const cohort_stat_t *stat)
{
    put_stat (out, REPLY_STAT, stat);
}

void wire_client_reply_value (struct buf *out, int64_t value)
{
    put_signed (out, REPLY_VALUE, value);
}

/* What stands in the reply beside the data, and the tags and lengths around it, at most. */
enum {
    ZNODE_BODY_MAX = 2 * FIELD_NUMBER_MAX + 2 + STAT_SIZE_MAX + 1 + FIELD_LENGTH_MAX,
    ZNODE_HEAD_MAX = 2 * (1 + WIDE_SIZE)
};

_Static_assert((int) STAT_SIZE_MAX <= (int) NARROW_MAX, "the length of a stat has one byte");

/* A length in `room` bytes, which are enough, before what it is of. */
static void write_length (uint8_t *begin, unsigned room, const uint8_t *end)
{
    size_t size = (size_t) (end - begin);
    uint8_t *at = begin - room;
    for (; at < begin - 1; size >>= 7) {
        *at++ = (uint8_t) (size | 0x80);
    }
    COHORT_ASSERT (size <= NARROW_MAX);
    *at = (uint8_t) size;
}

/* Nearly all replies are this one: every length has its place before it is known. */
void wire_client_reply_znode (struct buf *out, uint64_t xid, zxid_t zxid, const cohort_stat_t *stat,
                              const uint8_t *data, size_t size)
{
    unsigned room = length_size (ZNODE_BODY_MAX + ZNODE_HEAD_MAX + size);
    uint8_t *at = buf_extend (out, ZNODE_BODY_MAX + ZNODE_HEAD_MAX + size);
    if (at == NULL) {
        return;
    }
    uint8_t *item = field_put_tag (at, SERVER_FRAME_ITEMS, FIELD_BYTES) + room;
    uint8_t *body = field_put_tag (item, ITEM_REPLY, FIELD_BYTES) + room;
    at = field_put_number (body, REPLY_XID, xid);
    at = field_put_fixed (at, REPLY_ZXID, zxid);
    uint8_t *inner = field_put_tag (at, REPLY_STAT, FIELD_BYTES) + NARROW_SIZE;
    at = write_stat (inner, stat);
    write_length (inner, NARROW_SIZE, at);
    at = size > 0 ? field_put_bytes (at, REPLY_DATA, data, size) : at;
    write_length (body, room, at);
    write_length (item, room, at);
    COHORT_ASSERT (at <= out->data + out->size);
    buf_truncate (out, (size_t) (at - out->data));
}

void wire_client_reply_identity (struct buf *out, const char *scheme, const char *id)
{
    size_t start = put_begin (out, REPLY_IDENTITIES, NARROW_SIZE);
    put_bytes (out, IDENTITY_SCHEME, scheme, strlen (scheme));
    put_bytes (out, IDENTITY_ID, id, strlen (id));
    put_end (out, start, NARROW_SIZE);
}

size_t wire_client_read_begin (struct buf *out, int code)
{
    size_t start = put_begin (out, REPLY_READS, WIDE_SIZE);
    put_signed (out, REPLY_CODE, code);
    return start;
}

void wire_client_read_end (struct buf *out, size_t read)
{
    put_end (out, read, WIDE_SIZE);
}

void wire_client_reply_name (struct buf *out, const char *name, size_t size)
{
    put_bytes (out, REPLY_CHILDREN, name, size);
}

void wire_client_reply_child (struct buf *out, const char *name, size_t size,
                              const cohort_stat_t *stat, const uint8_t *data, size_t data_size,
                              bool hidden)
{
    unsigned room = length_size (REPLY_SIZE + size + data_size);
    COHORT_ASSERT (data == NULL || !hidden);
    size_t start = put_begin (out, REPLY_LISTED, room);
    put_bytes (out, CHILD_NAME, name, size);
    if (stat != NULL) {
        put_stat (out, CHILD_STAT, stat);
    }
    if (data != NULL && data_size > 0) {
        put_bytes (out, CHILD_DATA, data, data_size);
    }
    put_number (out, CHILD_HIDDEN, hidden);
    put_end (out, start, room);
}

void wire_client_reply_acl (struct buf *out, uint8_t perms, const char *scheme, const char *id)
{
    size_t start = put_begin (out, REPLY_ACL, NARROW_SIZE);
    put_number (out, ACL_PERMS, perms);
    put_bytes (out, ACL_SCHEME, scheme, strlen (scheme));
    put_bytes (out, ACL_ID, id, strlen (id));
    put_end (out, start, NARROW_SIZE);
}

void wire_client_reply_session (struct buf *out, const struct tree_session *session,
                                const uint8_t *address)
{
    enum { LIVES, KILLED, ENDS } state = session->dead ? ENDS : session->condemned ? KILLED : LIVES;
    size_t start = put_begin (out, REPLY_SESSIONS, NARROW_SIZE);
    put_fixed (out, SESSION_ID, session->id);
    put_number (out, SESSION_SERVER, session->server);
    put_number (out, SESSION_TIMEOUT_MS, session->timeout_ms);
    put_number (out, SESSION_GRACE_MS, session->grace_ms);
    put_number (out, SESSION_EPHEMERALS, session->ephemerals);
    put_number (out, SESSION_INCARNATION, session->incarnation);
    put_number (out, SESSION_STATE, state);
    if (address != NULL) {
        put_bytes (out, SESSION_ADDRESS, address, 16);
    }
    put_end (out, start, NARROW_SIZE);
}

void wire_client_reply_more_sessions (struct buf *out)
{
    put_number (out, REPLY_MORE_SESSIONS, 1);
}

void wire_client_reply_next (struct buf *out, const char *name, size_t size)
{
    put_bytes (out, REPLY_NEXT, name, size);
}

bool wire_client_reply_result (struct buf *out, struct reader *ops, uint32_t count, bool multi)
{
    for (uint32_t i = 0; i < count; i++) {
        struct result_op op;
        if (!result_op_decode (&op, ops)) {
            return false;
        }
        size_t start = 0;
        if (multi) {
            start = put_begin (out, REPLY_RESULTS, NARROW_SIZE);
            put_signed (out, RESULT_CODE, op.code);
        }
        if (op.has_path) {
            put_bytes (out, multi ? RESULT_PATH : REPLY_PATH, op.path, op.path_size);
        }
        if (op.has_stat) {
            put_stat (out, multi ? RESULT_STAT : REPLY_STAT, &op.stat);
        }
        if (op.has_value) {
            put_signed (out, multi ? RESULT_VALUE : REPLY_VALUE, op.value);
        }
        put_number (out, multi ? RESULT_EXISTED : REPLY_EXISTED, op.existed);
        if (multi) {
            put_end (out, start, NARROW_SIZE);
        }
    }
    return true;
}

void wire_client_event (struct buf *out, enum watch_kind kind, int type, const char *path,
                        size_t size, zxid_t zxid)
{
    struct wire_mark mark = item_begin (out, ITEM_EVENT, NARROW_SIZE);
    put_number (out, EVENT_TYPE, (uint64_t) type);
    put_bytes (out, EVENT_PATH, path, size);
    put_fixed (out, EVENT_ZXID, zxid);
    put_number (out, EVENT_KIND, (uint64_t) kind);
    wire_client_item_end (out, mark);
}

/* What a change is about, beside its data. */
struct subject {
    unsigned kind;
    const char *path;
    size_t path_size;
    const cohort_stat_t *stat;
};

static void put_change (struct buf *out, const struct subject *subject, const uint8_t *data,
                        size_t size, enum wire_shown shown)
{
    size = shown == WIRE_WHOLE ? size : 0;
    unsigned room = length_size (REPLY_SIZE + subject->path_size + size);
    size_t start = put_begin (out, BATCH_CHANGES, room);
    put_number (out, CHANGE_KIND, subject->kind);
    put_bytes (out, CHANGE_PATH, subject->path, subject->path_size);
    if (subject->kind != EFFECT_DELETED) {
        if (size > 0) {
            put_bytes (out, CHANGE_DATA, data, size);
        }
        put_stat (out, CHANGE_STAT, subject->stat);
        put_number (out, CHANGE_HIDDEN, shown == WIRE_HIDDEN);
    }
    put_end (out, start, room);
}

/* Of no znode. */
static void put_owner (struct buf *out, const struct effect *effect)
{
    size_t start = put_begin (out, BATCH_CHANGES, NARROW_SIZE);
    put_number (out, CHANGE_KIND, EFFECT_OWNER);
    put_bytes (out, CHANGE_PATH, effect->path, effect->path_size);
    size_t owner = put_begin (out, CHANGE_OWNER, NARROW_SIZE);
    put_fixed (out, OWNER_FROM, effect->from);
    put_fixed (out, OWNER_TO, effect->stat.ephemeral_owner);
    put_fixed (out, OWNER_ZXID, effect->stat.ozxid);
    put_end (out, owner, NARROW_SIZE);
    put_end (out, start, NARROW_SIZE);
}

void wire_client_change (struct buf *out, const struct effect *effect, enum wire_shown shown)
{
    if (effect->kind == EFFECT_OWNER) {
        put_owner (out, effect);
        return;
    }
    struct subject subject = {effect->kind, effect->path, effect->path_size, &effect->stat};
    put_change (out, &subject, effect->data, effect->data_size, shown);
}

void wire_client_found (struct buf *out, const struct tree_node *node, enum wire_shown shown)
{
    struct subject subject = {CHANGE_KIND_FOUND, node->path, strlen (node->path), &node->stat};
    put_change (out, &subject, node->data, node->data_size, shown);
}

struct wire_mark wire_client_batch_begin (struct buf *out, const struct wire_client_batch *batch)
{
    struct wire_mark mark = item_begin (out, ITEM_BATCH, WIDE_SIZE);
    put_number (out, BATCH_STREAM, batch->stream);
    put_fixed (out, BATCH_ZXID, batch->zxid);
    put_number (out, BATCH_SNAPSHOT, batch->snapshot);
    put_number (out, BATCH_FIRST, batch->first);
    put_number (out, BATCH_RESET, batch->reset);
    return mark;
}

void wire_client_batch_end (struct buf *out, struct wire_mark mark, bool more, uint64_t sent)
{
    put_number (out, BATCH_MORE, more);
    put_number (out, BATCH_SENT, sent);
    wire_client_item_end (out, mark);
}

_Static_assert((int) COHORT__WIRE__WATCH_KIND__WATCH_CHILDREN == (int) WATCH_CHILDREN,
               "the numbers of watch kinds are those of the wire");
_Static_assert((int) EFFECT_CREATED == 1 && (int) EFFECT_DELETED == 2 && (int) EFFECT_DATA == 3,
               "the numbers of effects are those of COHORT_CHANGE_...");
_Static_assert((int) EFFECT_ACL == 40 && (int) EFFECT_OWNER == 80, "and so are these");
