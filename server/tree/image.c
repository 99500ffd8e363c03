/*
 * server/tree/image.c - the format of snapshots: objects to bytes, and the fixed ones back
 *
 * PURE.
 */
#include "server/tree/image.h"

#include "client/base/assert.h"

_Static_assert(sizeof (IMAGE_MAGIC) - 1 == IMAGE_MAGIC_SIZE, "the magic's size");

/* Writes numbers one behind the other. */
struct cursor {
    uint8_t *at;
};

static void put_u8 (struct cursor *cursor, uint8_t value)
{
    *cursor->at++ = value;
}

static void put_u32 (struct cursor *cursor, uint32_t value)
{
    bytes_put_u32 (cursor->at, value);
    cursor->at += 4;
}

static void put_u64 (struct cursor *cursor, uint64_t value)
{
    bytes_put_u64 (cursor->at, value);
    cursor->at += 8;
}

static void put_bytes (struct cursor *cursor, const void *data, size_t size)
{
    memcpy (cursor->at, data, size);
    cursor->at += size;
}

/* ---- Scalars ----------------------------------------------------------------------------- */

static void put_config (struct cursor *cursor, const struct config *config)
{
    COHORT_ASSERT (config->count <= CONFIG_MEMBERS_MAX);
    put_u64 (cursor, config->version);
    put_u8 (cursor, (uint8_t) config->count);
    for (size_t i = 0; i < config->count; i++) {
        put_u32 (cursor, config->members[i].id);
        put_u8 (cursor, (uint8_t) config->members[i].role);
        put_u64 (cursor, config->members[i].store_id);
    }
}

size_t image_scalars_bytes (const struct scalars *scalars, uint8_t bytes[IMAGE_SCALARS_SIZE_MAX])
{
    COHORT_ASSERT (scalars->configs.count <= 2);
    struct cursor cursor = {bytes};
    put_u64 (&cursor, scalars->zxid);
    put_u64 (&cursor, (uint64_t) scalars->stamp_ms);
    put_u64 (&cursor, scalars->last_session);
    put_u64 (&cursor, scalars->last_estate);
    put_u8 (&cursor, scalars->level);
    put_bytes (&cursor, scalars->cluster_id, sizeof (scalars->cluster_id));
    put_u8 (&cursor, (uint8_t) scalars->configs.count);
    for (size_t i = 0; i < scalars->configs.count; i++) {
        put_config (&cursor, &scalars->configs.configs[i]);
    }
    put_u32 (&cursor, scalars->limits.data_size_max);
    put_u32 (&cursor, scalars->limits.path_size_max);
    put_u32 (&cursor, scalars->limits.window);
    put_u32 (&cursor, scalars->limits.results_size_max);
    put_u32 (&cursor, scalars->limits.timeout_min_ms);
    put_u32 (&cursor, scalars->limits.timeout_max_ms);
    put_u32 (&cursor, scalars->limits.grace_min_ms);
    put_u32 (&cursor, scalars->admins_size);
    put_bytes (&cursor, scalars->admins, scalars->admins_size);
    return (size_t) (cursor.at - bytes);
}

static bool read_config (struct reader *in, struct config *config)
{
    config->version = reader_u64 (in);
    config->count = reader_u8 (in);
    if (config->count > CONFIG_MEMBERS_MAX) {
        return false;
    }
    for (size_t i = 0; i < config->count; i++) {
        config->members[i].id = reader_u32 (in);
        uint8_t role = reader_u8 (in);
        if (role != CONFIG_VOTER && role != CONFIG_OBSERVER) {
            return false;
        }
        config->members[i].role = (enum config_role) role;
        config->members[i].store_id = reader_u64 (in);
    }
    return !in->failed && config_valid (config);
}

bool image_scalars_read (struct scalars *scalars, const uint8_t *data, size_t size)
{
    struct reader in;
    reader_init (&in, data, size);
    *scalars = (struct scalars){0};
    scalars->zxid = reader_u64 (&in);
    scalars->stamp_ms = reader_i64 (&in);
    scalars->last_session = reader_u64 (&in);
    scalars->last_estate = reader_u64 (&in);
    scalars->level = reader_u8 (&in);
    const uint8_t *cluster_id = reader_bytes (&in, sizeof (scalars->cluster_id));
    scalars->configs.count = reader_u8 (&in);
    if (cluster_id == NULL || scalars->zxid > INT64_MAX || scalars->configs.count > 2 ||
        scalars->level > ENTRY_LEVEL || scalars->last_session > SESSION_ID_MAX) {
        return false;
    }
    memcpy (scalars->cluster_id, cluster_id, sizeof (scalars->cluster_id));
    for (size_t i = 0; i < scalars->configs.count; i++) {
        if (!read_config (&in, &scalars->configs.configs[i])) {
            return false;
        }
    }
    scalars->limits.data_size_max = reader_u32 (&in);
    scalars->limits.path_size_max = reader_u32 (&in);
    scalars->limits.window = reader_u32 (&in);
    scalars->limits.results_size_max = reader_u32 (&in);
    scalars->limits.timeout_min_ms = reader_u32 (&in);
    scalars->limits.timeout_max_ms = reader_u32 (&in);
    scalars->limits.grace_min_ms = reader_u32 (&in);
    size_t admins_size;
    const uint8_t *admins = reader_blob (&in, &admins_size);
    if (in.failed || !admins_valid (admins, admins_size)) {
        return false;
    }
    scalars->admins_size = (uint16_t) admins_size;
    memcpy (scalars->admins, admins, admins_size);
    /* A state without a cluster has no limits and no members either. */
    bool founded = scalars->level > 0;
    return reader_done (&in) && founded == (scalars->configs.count > 0) &&
           (!founded || entry_limits_valid (&scalars->limits));
}

/* ---- Sessions ---------------------------------------------------------------------------- */

/* Of a session. */
enum { FLAG_DEAD = 1, FLAG_CONDEMNED = 2 };

void image_session_bytes (const struct session *session, uint8_t bytes[IMAGE_SESSION_SIZE])
{
    struct cursor cursor = {bytes};
    put_u64 (&cursor, session->id);
    put_bytes (&cursor, session->nonce, sizeof (session->nonce));
    put_bytes (&cursor, session->password_hash, sizeof (session->password_hash));
    put_u32 (&cursor, session->timeout_ms);
    put_u32 (&cursor, session->grace_ms);
    put_u32 (&cursor, session->incarnation);
    put_bytes (&cursor, session->process, sizeof (session->process));
    put_u64 (&cursor, session->attach_no);
    put_u32 (&cursor, session->server);
    put_u64 (&cursor, session->last_number);
    put_u64 (&cursor, session->acked);
    put_u8 (&cursor, (uint8_t) ((session->dead ? FLAG_DEAD : 0) |
                                (session->condemned ? FLAG_CONDEMNED : 0)));
    COHORT_ASSERT (cursor.at == bytes + IMAGE_SESSION_SIZE);
}

bool image_session_read (struct session *session, const uint8_t *data, size_t size)
{
    struct reader in;
    reader_init (&in, data, size);
    if (size < IMAGE_SESSION_SIZE) {
        return false;
    }
    session->id = reader_u64 (&in);
    memcpy (session->nonce, reader_bytes (&in, 16), 16);
    memcpy (session->password_hash, reader_bytes (&in, 16), 16);
    session->timeout_ms = reader_u32 (&in);
    session->grace_ms = reader_u32 (&in);
    session->incarnation = reader_u32 (&in);
    memcpy (session->process, reader_bytes (&in, 16), 16);
    session->attach_no = reader_u64 (&in);
    session->server = reader_u32 (&in);
    session->last_number = reader_u64 (&in);
    session->acked = reader_u64 (&in);
    uint8_t flags = reader_u8 (&in);
    session->dead = (flags & FLAG_DEAD) != 0;
    session->condemned = (flags & FLAG_CONDEMNED) != 0;
    size_t identities_size = reader_left (&in);
    const uint8_t *identities = reader_bytes (&in, identities_size);
    return identities_valid (identities, identities_size) &&
           session_set_identities (session, identities, identities_size) &&
           flags <= (FLAG_DEAD | FLAG_CONDEMNED) && session->id > 0 &&
           session->id <= SESSION_ID_MAX && session->incarnation > 0 &&
           session->acked <= session->last_number && session->grace_ms <= session->timeout_ms;
}

/* ---- Records ----------------------------------------------------------------------------- */

/* Begins a record; the size is written by end_record. */
static size_t begin_record (struct buf *out, enum image_tag tag)
{
    size_t at = out->size;
    buf_u32 (out, 0);
    buf_u8 (out, (uint8_t) tag);
    return at;
}

static void end_record (struct buf *out, size_t at)
{
    if (!out->failed) {
        COHORT_ASSERT (out->size - at - 4 <= IMAGE_RECORD_SIZE_MAX);
        buf_patch_u32 (out, at, (uint32_t) (out->size - at - 4));
    }
}

void image_put_head (struct buf *out, const struct scalars *scalars)
{
    buf_append (out, IMAGE_MAGIC, IMAGE_MAGIC_SIZE);
    buf_u32 (out, IMAGE_VERSION);
    uint8_t bytes[IMAGE_SCALARS_SIZE_MAX];
    size_t size = image_scalars_bytes (scalars, bytes);
    size_t record = begin_record (out, IMAGE_SCALARS);
    buf_append (out, bytes, size);
    end_record (out, record);
}

void image_put_session (struct buf *out, const struct session *session)
{
    uint8_t bytes[IMAGE_SESSION_SIZE];
    image_session_bytes (session, bytes);
    size_t record = begin_record (out, IMAGE_SESSION);
    buf_append (out, bytes, sizeof (bytes));
    buf_append (out, session->identities, session->identities_size);
    end_record (out, record);
}

void image_put_estate (struct buf *out, const struct estate *estate)
{
    size_t record = begin_record (out, IMAGE_ESTATE);
    buf_u64 (out, estate->id);
    buf_u64 (out, estate->session->id);
    buf_u64 (out, estate->ozxid);
    end_record (out, record);
}

void image_put_result (struct buf *out, const struct stored *stored)
{
    size_t record = begin_record (out, IMAGE_RESULT);
    buf_u64 (out, stored->session->id);
    buf_u64 (out, stored->number);
    buf_append (out, stored->bytes, stored->size);
    end_record (out, record);
}

void image_put_acl (struct buf *out, const struct acl *acl)
{
    size_t record = begin_record (out, IMAGE_ACL);
    buf_i32 (out, acl->aversion);
    buf_append (out, acl->bytes, acl->size);
    end_record (out, record);
}

void image_put_znode (struct buf *out, const struct znode *znode, uint32_t parent)
{
    const struct family *family = znode_family (znode);
    const struct tenure *tenure = znode_tenure (znode);
    const struct acl *acl = znode_acl (znode);
    COHORT_ASSERT ((parent == 0) == (znode->parent == NULL));
    uint8_t fixed[120];
    struct cursor cursor = {fixed};
    put_u8 (&cursor,
            (uint8_t) ((family != NULL ? IMAGE_FAMILY : 0) | (tenure != NULL ? IMAGE_TENURE : 0)));
    put_u8 (&cursor, znode->mode);
    put_u32 (&cursor, acl != NULL ? acl->ordinal : 0);
    put_u64 (&cursor, znode_ttl_ms (znode));
    put_u32 (&cursor, parent);
    put_u64 (&cursor, znode->czxid);
    put_u64 (&cursor, znode_mzxid (znode));
    put_u64 (&cursor, (uint64_t) znode_ctime_ms (znode));
    put_u64 (&cursor, (uint64_t) znode_mtime_ms (znode));
    put_u32 (&cursor, (uint32_t) znode->version);
    if (family != NULL) {
        put_u64 (&cursor, family->pzxid);
        put_u64 (&cursor, family->sequence);
        put_u32 (&cursor, (uint32_t) family->cversion);
        put_u32 (&cursor, family->inherited != NULL ? family->inherited->ordinal : 0);
    }
    if (tenure != NULL) {
        put_u64 (&cursor, tenure->estate->id);
    }
    size_t size = (size_t) (cursor.at - fixed);
    COHORT_ASSERT (size <= sizeof (fixed));
    size_t record = begin_record (out, IMAGE_ZNODE);
    buf_append (out, fixed, size);
    buf_u16 (out, znode->name_size);
    buf_append (out, znode->bytes, znode->name_size);
    buf_append (out, znode_data (znode), znode->data_size);
    end_record (out, record);
}

void image_put_end (struct buf *out, const struct image_counts *counts, uint64_t digest)
{
    size_t record = begin_record (out, IMAGE_END);
    buf_u64 (out, counts->znodes);
    buf_u64 (out, counts->sessions);
    buf_u64 (out, counts->results);
    buf_u64 (out, digest);
    end_record (out, record);
}

bool tree_image_end_read (const uint8_t bytes[TREE_IMAGE_END], struct tree_image_end *end)
{
    struct reader in;
    reader_init (&in, bytes, TREE_IMAGE_END);
    uint32_t size = reader_u32 (&in);
    uint8_t tag = reader_u8 (&in);
    struct tree_image_end found = {.znodes = reader_u64 (&in)};
    found.sessions = reader_u64 (&in);
    (void) reader_u64 (&in); /* results */
    found.digest = reader_u64 (&in);
    COHORT_ASSERT (reader_done (&in));
    if (size != TREE_IMAGE_END - 4 || tag != IMAGE_END) {
        return false;
    }
    *end = found;
    return true;
}
