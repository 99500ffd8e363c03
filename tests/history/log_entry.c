/* The log's entries as a server keeps them, for histories. */

#include "tests/history/log_entry.h"

#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "server/node/identity_text.h"
#include "server/tree/entry.h"

static void *take (struct arena *arena, size_t count, size_t size)
{
    void *memory = arena_calloc (arena, count, size);
    COHORT_ASSERT (memory != NULL);
    return memory;
}

static const char *text_of (struct arena *arena, const char *bytes, size_t size)
{
    char *text = take (arena, size + 1, 1);
    if (size > 0) {
        memcpy (text, bytes, size);
    }
    return text;
}

/* SCHEME:ID, and what comes behind it. */
static void put_part (struct buf *out, const struct identity *identity, const char *behind)
{
    char text[IDENTITY_TEXT_SIZE];
    const char *scheme = identity_scheme_name (identity->scheme);
    (void) identity_text (identity, text);
    buf_append (out, ",", out->size > 0);
    buf_append (out, scheme, strlen (scheme));
    buf_append (out, ":", 1);
    /* What means whoever has set the list has no id, whatever is said. */
    buf_append (out, text, identity->scheme == IDENTITY_AUTH ? 0 : strlen (text));
    buf_append (out, behind, strlen (behind));
}

static const char *text_of_buf (struct arena *arena, struct buf *buf)
{
    COHORT_ASSERT (!buf->failed);
    const char *text = text_of (arena, (const char *) buf->data, buf->size);
    buf_deinit (buf);
    return text;
}

/* An access control list. */
static const char *list_of (struct arena *arena, const uint8_t *bytes, size_t size)
{
    struct buf out = {0};
    struct reader in;
    struct acl_item item;
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0 && acl_item_decode (&item, &in)) {
        char perms[] = "\0rwcda";
        size_t count = 0;
        perms[count++] = ':';
        for (int bit = 0; bit < 5; bit++) {
            if ((item.perms & 1 << bit) != 0) {
                perms[count++] = "rwcda"[bit];
            }
        }
        perms[count] = '\0';
        put_part (&out, &item.identity, perms);
    }
    return text_of_buf (arena, &out);
}

/* Who somebody is. */
static const char *identities_of (struct arena *arena, const uint8_t *bytes, size_t size)
{
    struct buf out = {0};
    struct reader in;
    struct identity identity;
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0 && identity_decode (&identity, &in)) {
        put_part (&out, &identity, "");
    }
    return text_of_buf (arena, &out);
}

const char *history_token (struct arena *arena, const uint8_t *token)
{
    char *text = take (arena, 2 * ENTRY_TOKEN_SIZE + 1, 1);
    for (size_t i = 0; i < ENTRY_TOKEN_SIZE; i++) {
        (void) snprintf (text + 2 * i, 3, "%02x", token[i]);
    }
    return text;
}

static void read_op (struct arena *arena, const struct op *op, struct history_op *out)
{
    static const enum history_op_kind kinds[] = {
        [OP_CREATE] = HISTORY_CREATE,
        [OP_DELETE] = HISTORY_DELETE,
        [OP_DELETE_IF_PRESENT] = HISTORY_DELETE_IF_PRESENT,
        [OP_SET] = HISTORY_SET,
        [OP_CHECK_VERSION] = HISTORY_CHECK,
        [OP_CHECK_CZXID] = HISTORY_CHECK_CZXID,
        [OP_CHECK_OWNER] = HISTORY_CHECK_OWNER,
        [OP_CLOSE_SESSION] = HISTORY_CLOSE,
        [OP_REJECT] = HISTORY_REJECT,
        [OP_CHECK_ABSENT] = HISTORY_CHECK_ABSENT,
        [OP_ADD] = HISTORY_ADD,
        [OP_DELETE_TREE] = HISTORY_DELETE_TREE,
        [OP_KILL_SESSION] = HISTORY_KILL,
        [OP_SET_ACL] = HISTORY_SET_ACL,
        [OP_SET_ADMINS] = HISTORY_SET_ADMINS,
        [OP_ADD_AUTH] = HISTORY_ADD_AUTH,
        [OP_HAND_OVER] = HISTORY_HAND_OVER,
    };
    bool known = (size_t) op->kind < sizeof kinds / sizeof kinds[0] && kinds[op->kind] != 0;
    *out = (struct history_op){
        .kind = known ? kinds[op->kind] : HISTORY_OTHER,
        .path = text_of (arena, op->path, op->path_size),
        .value = "",
    };
    switch (op->kind) {
    case OP_CREATE:
    case OP_SET:
        out->value = history_value (op->data, op->data_size, take (arena, HISTORY_VALUE_SIZE, 1));
        out->mode = op->mode;
        out->if_absent = op->if_absent;
        out->ttl_ms = (int64_t) op->ttl_ms;
        out->version = op->kind == OP_SET ? op->version : 0;
        out->acl = list_of (arena, op->acl, op->acl_size);
        break;
    case OP_DELETE_TREE:
        out->limit = op->limit;
        out->version = op->version;
        break;
    case OP_ADD:
        out->delta = op->delta;
        out->floor = op->floor;
        out->ceiling = op->ceiling;
        break;
    case OP_DELETE:
    case OP_DELETE_IF_PRESENT:
    case OP_CHECK_VERSION:
        out->version = op->version;
        break;
    case OP_CHECK_CZXID:
        out->zxid = op->czxid;
        break;
    case OP_CHECK_OWNER:
        out->zxid = op->ozxid;
        out->session = op->session;
        break;
    case OP_REJECT:
        out->code = op->code;
        break;
    case OP_KILL_SESSION:
        out->session = op->session;
        break;
    case OP_SET_ACL:
        out->version = op->version;
        out->inherited = op->inherited;
        out->acl = list_of (arena, op->acl, op->acl_size);
        break;
    case OP_SET_ADMINS:
        out->acl = list_of (arena, op->acl, op->acl_size);
        break;
    case OP_HAND_OVER:
        out->session = op->session;
        out->value = history_token (arena, op->token);
        break;
    case OP_ADD_AUTH:
        out->value = identities_of (arena, op->data, op->data_size);
        break;
    case OP_CLOSE_SESSION:
    case OP_CHECK_ABSENT:
        break;
    }
}

static bool read_write (struct arena *arena, const struct entry_write *write,
                        struct history_entry *out)
{
    struct history_op *ops = take (arena, write->count + 1, sizeof *ops);
    struct reader reader = write->ops;
    for (uint32_t i = 0; i < write->count; i++) {
        struct op op;
        if (!op_decode (&op, &reader)) {
            return false;
        }
        read_op (arena, &op, &ops[i]);
    }
    out->kind = HISTORY_ENTRY_WRITE;
    out->session = write->session;
    out->incarnation = write->incarnation;
    out->number = write->number;
    out->multi = write->multi;
    out->ops = ops;
    out->count = write->count;
    return true;
}

static bool read_lapse (struct arena *arena, const struct entry_lapse *lapse,
                        struct history_entry *out)
{
    struct history_op *ops = take (arena, lapse->count + 1, sizeof *ops);
    struct reader reader = lapse->items;
    for (uint32_t i = 0; i < lapse->count; i++) {
        struct lapse_item item;
        if (!lapse_decode (&item, &reader)) {
            return false;
        }
        ops[i] = (struct history_op){.kind = HISTORY_LAPSED,
                                     .path = text_of (arena, item.path, item.path_size),
                                     .value = "",
                                     .zxid = item.czxid};
    }
    out->kind = HISTORY_ENTRY_LAPSE;
    out->ops = ops;
    out->count = lapse->count;
    return true;
}

static struct history_op founded (const char *path, const char *value)
{
    return (struct history_op){.kind = HISTORY_CREATE, .path = path, .value = value};
}

/* What there is from then on, as ZooKeeper has it. */
static void read_cluster (struct arena *arena, const struct entry_cluster *cluster,
                          struct history_entry *out)
{
    enum { LINE_MAX_SIZE = 320, VERSION_SIZE = 32 };
    size_t room = LINE_MAX_SIZE * cluster->config.count + VERSION_SIZE, size = 0;
    char *text = take (arena, room, 1);
    struct reader addresses;
    reader_init (&addresses, cluster->addresses, cluster->addresses_size);
    for (size_t i = 0; i < cluster->config.count; i++) {
        const struct config_member *member = &cluster->config.members[i];
        size_t length = 0;
        const char *address = (const char *) reader_blob (&addresses, &length);
        if (length > 6 && memcmp (address, "tcp://", 6) == 0) {
            address += 6;
            length -= 6;
        }
        size += (size_t) snprintf (text + size, room - size, "server.%u=%.*s%s%s\n", member->id,
                                   (int) length, length > 0 ? address : "", length > 0 ? ":" : "",
                                   member->role == CONFIG_OBSERVER ? "observer" : "participant");
    }
    size += (size_t) snprintf (text + size, room - size, "version=%llx",
                               (unsigned long long) out->zxid);
    const char *value = history_value (text, size, take (arena, HISTORY_VALUE_SIZE, 1));
    struct history_op *ops = take (arena, 3, sizeof *ops);
    ops[0] = founded ("/zookeeper", "");
    ops[1] = founded ("/zookeeper/config", value);
    ops[2] = founded ("/zookeeper/quota", "");
    out->kind = HISTORY_ENTRY_FOUND;
    out->ops = ops;
    out->count = 3;
}

bool history_entry_read (struct arena *arena, uint64_t zxid, int64_t stamp_ms, const uint8_t *data,
                         size_t size, struct history_entry *out)
{
    struct entry entry;
    *out = (struct history_entry){
        .zxid = zxid, .stamp_ms = stamp_ms, .kind = HISTORY_ENTRY_OTHER, .incarnation = 1};
    if (!entry_decode (&entry, data, size)) {
        return false;
    }
    switch (entry.kind) {
    case ENTRY_CREATE_SESSION:
        out->kind = HISTORY_ENTRY_SESSION;
        out->attach_no =
            entry.u.create_session.attach_no != 0 ? entry.u.create_session.attach_no : 1;
        out->server = entry.u.create_session.server;
        memcpy (out->nonce, entry.u.create_session.nonce, sizeof out->nonce);
        memcpy (out->password, entry.u.create_session.password_hash, sizeof out->password);
        out->origin = identities_of (arena, entry.u.create_session.origin,
                                     entry.u.create_session.origin_size);
        break;
    case ENTRY_ATTACH:
        out->kind = HISTORY_ENTRY_ATTACH;
        out->session = entry.u.attach.session;
        out->attach_no = entry.u.attach.attach_no;
        out->incarnation = entry.u.attach.incarnation;
        out->server = entry.u.attach.server;
        memcpy (out->nonce, entry.u.attach.nonce, sizeof out->nonce);
        memcpy (out->password, entry.u.attach.password_hash, sizeof out->password);
        out->origin = identities_of (arena, entry.u.attach.origin, entry.u.attach.origin_size);
        break;
    case ENTRY_CLOSE:
        out->kind = HISTORY_ENTRY_CLOSE;
        out->session = entry.u.close.session;
        out->attach_no = entry.u.close.attach_no;
        out->incarnation = entry.u.close.incarnation;
        out->killed = entry.u.close.reason == ENTRY_KILLED;
        out->silent = entry.u.close.reason == ENTRY_EXPIRED;
        break;
    case ENTRY_REAP:
        out->kind = HISTORY_ENTRY_REAP;
        out->session = entry.u.reap.session;
        break;
    case ENTRY_WRITE:
        return read_write (arena, &entry.u.write, out);
    case ENTRY_LAPSE:
        return read_lapse (arena, &entry.u.lapse, out);
    case ENTRY_CLUSTER:
        out->admins = list_of (arena, entry.u.cluster.admins, entry.u.cluster.admins_size);
        read_cluster (arena, &entry.u.cluster, out);
        break;
    case ENTRY_ADMINS:
    case ENTRY_REPLACE_ADMINS:
        out->kind =
            entry.kind == ENTRY_ADMINS ? HISTORY_ENTRY_ADMINS : HISTORY_ENTRY_REPLACE_ADMINS;
        out->admins = list_of (arena, entry.u.admins.list, entry.u.admins.size);
        break;
    case ENTRY_MEMBER_STORE:
        break;
    }
    return true;
}
