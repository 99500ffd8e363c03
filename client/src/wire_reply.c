/* Replies to single operations, straight from the bytes: nearly all that a client ever receives.
 *
 * Read are the fields that such a reply has, each as protobuf would; any other makes the whole item
 * one for protobuf-c. The tests read everything both ways. May include: wire_decode, client_fields,
 * base, libc. */

#include "client/src/wire_decode.h"

#include "client/base/fields.h"
#include "client/proto/client_fields.h"

/* The first five fields, which every znode has, where they stand as servers write them: 45 bytes.
 */
static void read_stat_head (cohort_stat_t *stat, struct reader *in)
{
    const uint8_t *at = in->at;
    if (in->end - at < 45 || at[0] != FIELD_AS_FIXED (STAT_CZXID) ||
        at[9] != FIELD_AS_FIXED (STAT_MZXID) || at[18] != FIELD_AS_FIXED (STAT_PZXID) ||
        at[27] != FIELD_AS_FIXED (STAT_CTIME_MS) || at[36] != FIELD_AS_FIXED (STAT_MTIME_MS)) {
        return;
    }
    stat->czxid = bytes_get_u64 (at + 1);
    stat->mzxid = bytes_get_u64 (at + 10);
    stat->pzxid = bytes_get_u64 (at + 19);
    stat->ctime_ms = (int64_t) bytes_get_u64 (at + 28);
    stat->mtime_ms = (int64_t) bytes_get_u64 (at + 37);
    in->at += 45;
}

/* Its fields are few, and numbers all, so that a tag of one byte says all about what follows.
 * False: there is something in it that is not expected, a longer tag perhaps. */
static bool read_stat (cohort_stat_t *stat, const uint8_t *data, size_t size)
{
    struct reader in;
    reader_init (&in, data, size);
    read_stat_head (stat, &in);
    while (in.at < in.end && !in.failed) {
        uint8_t kind = *in.at++;
        uint64_t value = (kind & 7) == FIELD_FIXED64 ? reader_u64 (&in)
                                                     : field_take_varint (&in, VARINT_SIZE_MAX);
        switch (kind) {
        case FIELD_AS_FIXED (STAT_CZXID):
            stat->czxid = value;
            break;
        case FIELD_AS_FIXED (STAT_MZXID):
            stat->mzxid = value;
            break;
        case FIELD_AS_FIXED (STAT_PZXID):
            stat->pzxid = value;
            break;
        case FIELD_AS_FIXED (STAT_CTIME_MS):
            stat->ctime_ms = (int64_t) value;
            break;
        case FIELD_AS_FIXED (STAT_MTIME_MS):
            stat->mtime_ms = (int64_t) value;
            break;
        case FIELD_AS_NUMBER (STAT_VERSION):
            stat->version = field_unzigzag32 (value);
            break;
        case FIELD_AS_NUMBER (STAT_CVERSION):
            stat->cversion = field_unzigzag32 (value);
            break;
        case FIELD_AS_NUMBER (STAT_AVERSION):
            stat->aversion = field_unzigzag32 (value);
            break;
        case FIELD_AS_FIXED (STAT_EPHEMERAL_OWNER):
            stat->ephemeral_owner = value;
            break;
        case FIELD_AS_FIXED (STAT_OZXID):
            stat->ozxid = value;
            break;
        case FIELD_AS_NUMBER (STAT_DATA_SIZE):
            stat->data_size = (int32_t) (uint32_t) value;
            break;
        case FIELD_AS_NUMBER (STAT_CHILD_COUNT):
            stat->child_count = (uint32_t) value;
            break;
        case FIELD_AS_NUMBER (STAT_MODE):
            stat->mode = (int) (value & INT32_MAX);
            break;
        case FIELD_AS_FIXED (STAT_TTL_MS):
            stat->ttl_ms = (int64_t) value;
            break;
        default:
            return false;
        }
    }
    return !in.failed;
}

/* A string ends with 0, for which there is no room in the bytes. */
static int read_text (struct arena *arena, const char **text, const struct field *field)
{
    char *copy = arena_alloc (arena, field->size + 1);
    if (copy == NULL) {
        return COHORT_ENOMEM;
    }
    memcpy (copy, field->data, field->size);
    copy[field->size] = '\0';
    *text = copy;
    return COHORT_OK;
}

static int read_field (struct arena *arena, struct wire_plain_reply *whole,
                       const struct field *field)
{
    struct wire_reply *reply = &whole->reply;
    switch (field_kind (field)) {
    case FIELD_AS_NUMBER (REPLY_XID):
        reply->xid = field->value;
        return COHORT_OK;
    case FIELD_AS_NUMBER (REPLY_CODE):
        reply->code = field_unzigzag32 (field->value);
        return COHORT_OK;
    case FIELD_AS_FIXED (REPLY_ZXID):
        reply->zxid = field->value;
        return COHORT_OK;
    case FIELD_AS_BYTES (REPLY_PATH):
        return read_text (arena, &reply->path, field);
    case FIELD_AS_BYTES (REPLY_DATA):
        reply->data = field->size > 0 ? field->data : NULL;
        reply->size = field->size;
        return COHORT_OK;
    case FIELD_AS_BYTES (REPLY_STAT):
        /* A second one would be merged with the first. */
        if (reply->stat != NULL || !read_stat (&whole->stat, field->data, field->size)) {
            return COHORT_EUNSUPPORTED;
        }
        reply->stat = &whole->stat;
        return COHORT_OK;
    case FIELD_AS_NUMBER (REPLY_NUMBER):
        reply->number = field->value;
        return COHORT_OK;
    case FIELD_AS_NUMBER (REPLY_VALUE):
        reply->value = field_unzigzag (field->value);
        return COHORT_OK;
    case FIELD_AS_NUMBER (REPLY_EXISTED):
        reply->existed = field->value != 0;
        return COHORT_OK;
    default:
        return COHORT_EUNSUPPORTED;
    }
}

static const struct wire_reply_more nothing_more = {.next = "", .detail = "", .quota_path = ""};

/* What a server writes first of each reply. */
static void read_head_in_order (struct wire_reply *reply, struct reader *in)
{
    reply->xid = field_next_number (in, REPLY_XID);
    reply->code = field_unzigzag32 (field_next_number (in, REPLY_CODE));
    reply->zxid = field_next_fixed (in, REPLY_ZXID);
    reply->number = field_next_number (in, REPLY_NUMBER);
}

/* What a server writes behind that of what it has found. False: it is not as it should be. */
static bool read_found_in_order (struct wire_plain_reply *whole, struct reader *in)
{
    size_t size;
    const uint8_t *at = field_next_bytes (in, REPLY_STAT, &size);
    if (at != NULL) {
        whole->reply.stat = &whole->stat;
        if (!read_stat (&whole->stat, at, size)) {
            return false;
        }
    }
    at = field_next_bytes (in, REPLY_DATA, &size);
    if (at != NULL && size > 0) {
        whole->reply.data = at;
        whole->reply.size = size;
    }
    return true;
}

/* The bytes of the reply that the item is; NULL: it is something else. */
static const uint8_t *reply_in (const uint8_t *data, size_t size, size_t *reply_size)
{
    struct reader in;
    struct field field;
    reader_init (&in, data, size);
    const uint8_t *reply = field_next_bytes (&in, ITEM_REPLY, reply_size);
    if (reply == NULL && field_next (&in, &field) &&
        field_kind (&field) == FIELD_AS_BYTES (ITEM_REPLY)) {
        reply = field.data;
        *reply_size = field.size;
    }
    return reader_done (&in) ? reply : NULL;
}

int wire_reply_read (struct arena *arena, struct wire_plain_reply *whole, const uint8_t *data,
                     size_t size)
{
    struct reader in;
    struct field field;
    data = reply_in (data, size, &size);
    if (data == NULL) {
        return COHORT_EUNSUPPORTED;
    }
    memset (whole, 0, sizeof (*whole));
    struct wire_reply *reply = &whole->reply;
    reply->path = "";
    reply->more = &nothing_more;
    reader_init (&in, data, size);
    read_head_in_order (reply, &in);
    int rc = read_found_in_order (whole, &in) ? COHORT_OK : COHORT_EUNSUPPORTED;
    while (rc == COHORT_OK && field_next (&in, &field)) {
        rc = read_field (arena, whole, &field);
    }
    return rc == COHORT_OK && (in.failed || reply->xid == 0 || reply->code > 0)
               ? COHORT_EUNSUPPORTED
               : rc;
}
