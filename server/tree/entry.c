/*
 * server/tree/entry.c - encoding and decoding of the requests in the log
 *
 * PURE.  Decoding is total: whatever the bytes are, it gives false or an entry that apply can
 * work with, all operations of a write included.
 */
#include "server/tree/entry.h"

#include "client/base/assert.h"

enum {
    HEAD_SIZE = 4,        /* kind, level, reserved */
    WRITE_SESSION_AT = 4, /* where entry_peek_write looks */
    WRITE_NUMBER_AT = 16,
    WRITE_HEAD_SIZE = 37
};

/* ---- Encoding ---------------------------------------------------------------------------- */

static void encode_cluster (struct buf *out, const struct entry_cluster *cluster)
{
    COHORT_ASSERT (cluster->config.count <= CONFIG_MEMBERS_MAX);
    buf_append (out, cluster->cluster_id, sizeof (cluster->cluster_id));
    buf_u32 (out, (uint32_t) cluster->config.count);
    for (size_t i = 0; i < cluster->config.count; i++) {
        const struct config_member *member = &cluster->config.members[i];
        buf_u32 (out, member->id);
        buf_u8 (out, (uint8_t) member->role);
        buf_u64 (out, member->store_id);
    }
    buf_u32 (out, cluster->limits.data_size_max);
    buf_u32 (out, cluster->limits.path_size_max);
    buf_u32 (out, cluster->limits.window);
    buf_u32 (out, cluster->limits.results_size_max);
    buf_u32 (out, cluster->limits.timeout_min_ms);
    buf_u32 (out, cluster->limits.timeout_max_ms);
    buf_u32 (out, cluster->limits.grace_min_ms);
    buf_blob (out, cluster->admins, cluster->admins_size);
    buf_blob (out, cluster->addresses, cluster->addresses_size);
}

static void encode_create_session (struct buf *out, const struct entry_create_session *create)
{
    buf_append (out, create->nonce, sizeof (create->nonce));
    buf_append (out, create->password_hash, sizeof (create->password_hash));
    buf_u32 (out, create->timeout_ms);
    buf_u32 (out, create->grace_ms);
    buf_u32 (out, create->server);
    buf_u64 (out, create->attach_no);
    buf_blob (out, create->origin, create->origin_size);
}

static void encode_attach (struct buf *out, const struct entry_attach *attach)
{
    buf_u64 (out, attach->session);
    buf_append (out, attach->password_hash, sizeof (attach->password_hash));
    buf_u64 (out, attach->attach_no);
    buf_u32 (out, attach->incarnation);
    buf_append (out, attach->nonce, sizeof (attach->nonce));
    buf_u32 (out, attach->server);
    buf_blob (out, attach->origin, attach->origin_size);
}

static void encode_write (struct buf *out, const struct entry_write *write)
{
    COHORT_ASSERT (write->count <= ENTRY_OPS_MAX);
    COHORT_ASSERT (write->multi || write->count == 1);
    buf_u64 (out, write->session);
    buf_u32 (out, write->incarnation);
    buf_u64 (out, write->number);
    buf_u64 (out, write->ack_to);
    buf_u8 (out, write->multi);
    buf_u32 (out, write->count);
}

void entry_encode (struct buf *out, const struct entry *entry)
{
    COHORT_ASSERT (entry->level <= ENTRY_LEVEL);
    buf_u8 (out, (uint8_t) entry->kind);
    buf_u8 (out, entry->level != 0 ? entry->level : ENTRY_LEVEL);
    buf_u16 (out, 0);
    switch (entry->kind) {
    case ENTRY_CLUSTER:
        encode_cluster (out, &entry->u.cluster);
        return;
    case ENTRY_MEMBER_STORE:
        buf_u32 (out, entry->u.member_store.id);
        buf_u64 (out, entry->u.member_store.old_store_id);
        buf_u64 (out, entry->u.member_store.new_store_id);
        return;
    case ENTRY_CREATE_SESSION:
        encode_create_session (out, &entry->u.create_session);
        return;
    case ENTRY_ATTACH:
        encode_attach (out, &entry->u.attach);
        return;
    case ENTRY_CLOSE:
        buf_u64 (out, entry->u.close.session);
        buf_u64 (out, entry->u.close.attach_no);
        buf_u32 (out, entry->u.close.incarnation);
        buf_u8 (out, (uint8_t) entry->u.close.reason);
        return;
    case ENTRY_REAP:
        buf_u64 (out, entry->u.reap.session);
        return;
    case ENTRY_WRITE:
        encode_write (out, &entry->u.write);
        return;
    case ENTRY_LAPSE:
        COHORT_ASSERT (entry->u.lapse.count <= ENTRY_LAPSE_MAX);
        buf_u32 (out, entry->u.lapse.count);
        return;
    case ENTRY_ADMINS:
    case ENTRY_REPLACE_ADMINS:
        buf_blob (out, entry->u.admins.list, entry->u.admins.size);
        return;
    }
    assert_fail ("the kind of the entry is known", __FILE__, __LINE__);
}

void lapse_encode (struct buf *out, const char *path, size_t path_size, uint64_t czxid)
{
    buf_blob (out, path, path_size);
    buf_u64 (out, czxid);
}

void op_encode (struct buf *out, const struct op *op)
{
    buf_u8 (out, (uint8_t) op->kind);
    if (op->kind == OP_REJECT) {
        buf_i32 (out, op->code);
        return;
    }
    if (op->kind == OP_CLOSE_SESSION) {
        return;
    }
    if (op->kind == OP_ADD_AUTH) {
        buf_blob (out, op->data, op->data_size);
        return;
    }
    if (op->kind == OP_SET_ADMINS) {
        buf_blob (out, op->acl, op->acl_size);
        return;
    }
    if (op->kind == OP_KILL_SESSION) {
        buf_u64 (out, op->session);
        return;
    }
    if (op->kind == OP_HAND_OVER) {
        buf_u64 (out, op->session);
        buf_append (out, op->token, ENTRY_TOKEN_SIZE);
        return;
    }
    buf_blob (out, op->path, op->path_size);
    switch (op->kind) {
    case OP_CREATE:
        buf_u8 (out, op->mode);
        buf_u8 (out, op->if_absent);
        buf_blob (out, op->acl, op->acl_size);
        buf_u64 (out, op->ttl_ms);
        buf_blob (out, op->data, op->data_size);
        return;
    case OP_SET:
        buf_i32 (out, op->version);
        buf_blob (out, op->data, op->data_size);
        return;
    case OP_SET_ACL:
        buf_i32 (out, op->version);
        buf_u8 (out, op->inherited);
        buf_blob (out, op->acl, op->acl_size);
        return;
    case OP_DELETE:
    case OP_DELETE_IF_PRESENT:
    case OP_CHECK_VERSION:
        buf_i32 (out, op->version);
        return;
    case OP_CHECK_CZXID:
        buf_u64 (out, op->czxid);
        return;
    case OP_CHECK_OWNER:
        buf_u64 (out, op->session);
        buf_u64 (out, op->ozxid);
        return;
    case OP_CHECK_ABSENT:
        return;
    case OP_ADD:
        buf_i64 (out, op->delta);
        buf_i64 (out, op->floor);
        buf_i64 (out, op->ceiling);
        return;
    case OP_DELETE_TREE:
        buf_i32 (out, op->version);
        buf_u32 (out, op->limit);
        return;
    case OP_CLOSE_SESSION:
    case OP_REJECT:
    case OP_ADD_AUTH:
    case OP_SET_ADMINS:
    case OP_KILL_SESSION:
    case OP_HAND_OVER:
        break;
    }
    assert_fail ("the kind of the operation is known", __FILE__, __LINE__);
}

/* ---- Decoding ---------------------------------------------------------------------------- */

/* Copies a value of 16 bytes; nothing if they are not there (the reader has failed then). */
static void decode_16 (struct reader *in, uint8_t value[16])
{
    const uint8_t *bytes = reader_bytes (in, 16);
    if (bytes != NULL) {
        memcpy (value, bytes, 16);
    }
}

/* A string: borrowed, its size in 32 bits as it came. */
static const void *decode_bytes (struct reader *in, uint32_t *size)
{
    size_t length;
    const void *bytes = reader_blob (in, &length);
    *size = (uint32_t) length;
    return bytes;
}

/* Whom a connection shows its client to be. */
static bool decode_origin (struct reader *in, const uint8_t **origin, uint32_t *size)
{
    *origin = decode_bytes (in, size);
    return reader_done (in) && identities_valid (*origin, *size);
}

bool entry_limits_valid (const struct entry_limits *limits)
{
    return limits->data_size_max >= 1 && limits->data_size_max <= ENTRY_DATA_MAX &&
           limits->path_size_max >= 1 && limits->path_size_max <= ENTRY_PATH_MAX &&
           limits->window >= 1 && limits->window <= ENTRY_WINDOW_MAX &&
           limits->results_size_max >= 1 && limits->timeout_max_ms >= 1 &&
           limits->timeout_min_ms <= limits->timeout_max_ms;
}

/* Printable ASCII, one for each member; or nothing at all. */
static bool addresses_valid (const uint8_t *bytes, size_t size, size_t count)
{
    struct reader in;
    reader_init (&in, bytes, size);
    for (size_t i = 0; size > 0 && i < count; i++) {
        size_t length;
        const uint8_t *text = reader_blob (&in, &length);
        if (text == NULL || length > ENTRY_ADDRESS_MAX) {
            return false;
        }
        for (size_t at = 0; at < length; at++) {
            if (text[at] <= ' ' || text[at] > '~') {
                return false;
            }
        }
    }
    return reader_done (&in);
}

static bool decode_cluster (struct reader *in, struct entry_cluster *cluster)
{
    decode_16 (in, cluster->cluster_id);
    uint32_t count = reader_u32 (in);
    if (count > CONFIG_MEMBERS_MAX) {
        return false;
    }
    cluster->config.count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct config_member *member = &cluster->config.members[i];
        member->id = reader_u32 (in);
        uint8_t role = reader_u8 (in);
        if (role != CONFIG_VOTER && role != CONFIG_OBSERVER) {
            return false;
        }
        member->role = (enum config_role) role;
        member->store_id = reader_u64 (in);
    }
    cluster->limits.data_size_max = reader_u32 (in);
    cluster->limits.path_size_max = reader_u32 (in);
    cluster->limits.window = reader_u32 (in);
    cluster->limits.results_size_max = reader_u32 (in);
    cluster->limits.timeout_min_ms = reader_u32 (in);
    cluster->limits.timeout_max_ms = reader_u32 (in);
    cluster->limits.grace_min_ms = reader_u32 (in);
    cluster->admins = decode_bytes (in, &cluster->admins_size);
    cluster->addresses = decode_bytes (in, &cluster->addresses_size);
    return reader_done (in) && config_valid (&cluster->config) &&
           entry_limits_valid (&cluster->limits) &&
           admins_valid (cluster->admins, cluster->admins_size) &&
           addresses_valid (cluster->addresses, cluster->addresses_size, count);
}

static bool decode_create_session (struct reader *in, struct entry_create_session *create)
{
    decode_16 (in, create->nonce);
    decode_16 (in, create->password_hash);
    create->timeout_ms = reader_u32 (in);
    create->grace_ms = reader_u32 (in);
    create->server = reader_u32 (in);
    create->attach_no = reader_u64 (in);
    return decode_origin (in, &create->origin, &create->origin_size);
}

static bool decode_attach (struct reader *in, struct entry_attach *attach)
{
    attach->session = reader_u64 (in);
    decode_16 (in, attach->password_hash);
    attach->attach_no = reader_u64 (in);
    attach->incarnation = reader_u32 (in);
    decode_16 (in, attach->nonce);
    attach->server = reader_u32 (in);
    return decode_origin (in, &attach->origin, &attach->origin_size);
}

static bool decode_close (struct reader *in, struct entry_close *close)
{
    close->session = reader_u64 (in);
    close->attach_no = reader_u64 (in);
    close->incarnation = reader_u32 (in);
    uint8_t reason = reader_u8 (in);
    if (reason < ENTRY_EXPIRED || reason > ENTRY_KILLED) {
        return false;
    }
    close->reason = (enum entry_close_reason) reason;
    return reader_done (in);
}

static bool op_known (uint8_t kind)
{
    return (kind >= OP_CREATE && kind <= OP_DELETE_TREE) ||
           (kind >= OP_SET_ACL && kind <= OP_SET_ADMINS) || kind == OP_KILL_SESSION ||
           kind == OP_DELETE_IF_PRESENT || kind == OP_HAND_OVER;
}

/* What a multi may not hold: nothing of it can be undone. */
static bool op_alone (enum op_kind kind)
{
    return kind == OP_CLOSE_SESSION || kind == OP_REJECT || kind == OP_ADD_AUTH ||
           kind == OP_SET_ADMINS || kind == OP_KILL_SESSION;
}

/* The operations stay encoded; but each is looked at, so that apply cannot meet a bad one when
 * it has done half of the work. */
static bool decode_write (struct reader *in, struct entry_write *write)
{
    write->session = reader_u64 (in);
    write->incarnation = reader_u32 (in);
    write->number = reader_u64 (in);
    write->ack_to = reader_u64 (in);
    uint8_t multi = reader_u8 (in);
    write->multi = multi == 1;
    write->count = reader_u32 (in);
    if (in->failed || multi > 1 || write->count > ENTRY_OPS_MAX || (!multi && write->count != 1)) {
        return false;
    }
    write->ops = *in;
    for (uint32_t i = 0; i < write->count; i++) {
        struct op op;
        if (!op_decode (&op, in)) {
            return false;
        }
        if (write->multi && op_alone (op.kind)) {
            return false;
        }
    }
    return reader_done (in);
}

bool lapse_decode (struct lapse_item *item, struct reader *items)
{
    item->path = (const char *) reader_blob (items, &item->path_size);
    item->czxid = reader_u64 (items);
    return !items->failed && item->path_size <= ENTRY_PATH_MAX;
}

/* As with the operations of a write. */
static bool decode_lapse (struct reader *in, struct entry_lapse *lapse)
{
    lapse->count = reader_u32 (in);
    if (in->failed || lapse->count > ENTRY_LAPSE_MAX) {
        return false;
    }
    lapse->items = *in;
    for (uint32_t i = 0; i < lapse->count; i++) {
        struct lapse_item item;
        if (!lapse_decode (&item, in)) {
            return false;
        }
    }
    return reader_done (in);
}

bool entry_decode (struct entry *entry, const uint8_t *data, size_t size)
{
    struct reader in;
    reader_init (&in, data, size);
    uint8_t kind = reader_u8 (&in);
    uint8_t level = reader_u8 (&in);
    uint16_t reserved = reader_u16 (&in);
    if (in.failed || level == 0 || level > ENTRY_LEVEL || reserved != 0) {
        return false;
    }
    entry->level = level;
    switch (kind) {
    case ENTRY_CLUSTER:
        /* Only here does decoding leave parts alone. */
        entry->u.cluster = (struct entry_cluster){0};
        entry->kind = ENTRY_CLUSTER;
        return decode_cluster (&in, &entry->u.cluster);
    case ENTRY_MEMBER_STORE:
        entry->kind = ENTRY_MEMBER_STORE;
        entry->u.member_store.id = reader_u32 (&in);
        entry->u.member_store.old_store_id = reader_u64 (&in);
        entry->u.member_store.new_store_id = reader_u64 (&in);
        return reader_done (&in);
    case ENTRY_CREATE_SESSION:
        entry->kind = ENTRY_CREATE_SESSION;
        return decode_create_session (&in, &entry->u.create_session);
    case ENTRY_ATTACH:
        entry->kind = ENTRY_ATTACH;
        return decode_attach (&in, &entry->u.attach);
    case ENTRY_CLOSE:
        entry->kind = ENTRY_CLOSE;
        return decode_close (&in, &entry->u.close);
    case ENTRY_REAP:
        entry->kind = ENTRY_REAP;
        entry->u.reap.session = reader_u64 (&in);
        return reader_done (&in);
    case ENTRY_WRITE:
        entry->kind = ENTRY_WRITE;
        return decode_write (&in, &entry->u.write);
    case ENTRY_LAPSE:
        entry->kind = ENTRY_LAPSE;
        return decode_lapse (&in, &entry->u.lapse);
    case ENTRY_ADMINS:
    case ENTRY_REPLACE_ADMINS:
        entry->kind = data[0];
        entry->u.admins.list = decode_bytes (&in, &entry->u.admins.size);
        return reader_done (&in) && entry->u.admins.size > 0 &&
               admins_valid (entry->u.admins.list, entry->u.admins.size);
    default:
        return false;
    }
}

bool op_decode (struct op *op, struct reader *ops)
{
    uint8_t kind = reader_u8 (ops);
    if (ops->failed || !op_known (kind)) {
        return false;
    }
    *op = (struct op){.kind = (enum op_kind) kind};
    if (op->kind == OP_REJECT) {
        op->code = reader_i32 (ops);
        return !ops->failed;
    }
    if (op->kind == OP_CLOSE_SESSION) {
        return true;
    }
    if (op->kind == OP_ADD_AUTH) {
        op->data = decode_bytes (ops, &op->data_size);
        return !ops->failed;
    }
    if (op->kind == OP_SET_ADMINS) {
        op->acl = decode_bytes (ops, &op->acl_size);
        return !ops->failed;
    }
    if (op->kind == OP_KILL_SESSION) {
        op->session = reader_u64 (ops);
        return !ops->failed;
    }
    if (op->kind == OP_HAND_OVER) {
        op->session = reader_u64 (ops);
        op->token = reader_bytes (ops, ENTRY_TOKEN_SIZE);
        return !ops->failed;
    }
    uint8_t if_absent = 0, inherited = 0;
    op->path = decode_bytes (ops, &op->path_size);
    switch (op->kind) {
    case OP_CREATE:
        op->mode = reader_u8 (ops);
        if_absent = reader_u8 (ops);
        op->if_absent = if_absent == 1;
        op->acl = decode_bytes (ops, &op->acl_size);
        op->ttl_ms = reader_u64 (ops);
        op->data = decode_bytes (ops, &op->data_size);
        break;
    case OP_SET:
        op->version = reader_i32 (ops);
        op->data = decode_bytes (ops, &op->data_size);
        break;
    case OP_SET_ACL:
        op->version = reader_i32 (ops);
        inherited = reader_u8 (ops);
        op->inherited = inherited == 1;
        op->acl = decode_bytes (ops, &op->acl_size);
        break;
    case OP_DELETE:
    case OP_DELETE_IF_PRESENT:
    case OP_CHECK_VERSION:
        op->version = reader_i32 (ops);
        break;
    case OP_CHECK_CZXID:
        op->czxid = reader_u64 (ops);
        break;
    case OP_CHECK_OWNER:
        op->session = reader_u64 (ops);
        op->ozxid = reader_u64 (ops);
        break;
    case OP_CHECK_ABSENT:
        break;
    case OP_ADD:
        op->delta = reader_i64 (ops);
        op->floor = reader_i64 (ops);
        op->ceiling = reader_i64 (ops);
        break;
    case OP_DELETE_TREE:
        op->version = reader_i32 (ops);
        op->limit = reader_u32 (ops);
        break;
    case OP_CLOSE_SESSION:
    case OP_REJECT:
    case OP_ADD_AUTH:
    case OP_SET_ADMINS:
    case OP_KILL_SESSION:
    case OP_HAND_OVER:
        break;
    }
    return !ops->failed && if_absent <= 1 && inherited <= 1;
}

int entry_peek_kind (const uint8_t *data, size_t size)
{
    return size >= HEAD_SIZE ? data[0] : 0;
}

bool entry_peek_write (const uint8_t *data, size_t size, uint64_t *session, uint64_t *number)
{
    if (size < WRITE_HEAD_SIZE || data[0] != ENTRY_WRITE || data[1] == 0 || data[1] > ENTRY_LEVEL) {
        return false;
    }
    *session = bytes_get_u64 (data + WRITE_SESSION_AT);
    *number = bytes_get_u64 (data + WRITE_NUMBER_AT);
    return true;
}

_Static_assert(ENTRY_PASSWORD_HASH == 16, "decode_16 reads it");
_Static_assert(WRITE_SESSION_AT == HEAD_SIZE, "the session is the first field");
_Static_assert(WRITE_NUMBER_AT == WRITE_SESSION_AT + 8 + 4, "the number follows the incarnation");
_Static_assert(WRITE_HEAD_SIZE == WRITE_NUMBER_AT + 8 + 8 + 1 + 4, "all before the operations");
