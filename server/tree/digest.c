/*
 * server/tree/digest.c - what each object adds to the digest of the state
 *
 * PURE.
 */
#include "server/tree/digest.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/mutation.h"
#include "server/tree/estate.h"
#include "server/tree/image.h"
#include "server/tree/path.h"

/* Seeds that keep the kinds of terms apart. */
#define SEED_DATA       UINT64_C (0x64617461)
#define SEED_STAT       UINT64_C (0x73746174)
#define SEED_SESSION    UINT64_C (0x73657373)
#define SEED_IDENTITIES UINT64_C (0x69646e74)
#define SEED_ACL        UINT64_C (0x6c61636c00000000)
#define SEED_ESTATE     UINT64_C (0x65737461)
#define SEED_RESULT     UINT64_C (0x72657375)
#define SEED_SCALARS    UINT64_C (0x7363616c)

uint64_t digest_data (const struct znode *znode)
{
    uint32_t size = COHORT_MUTATED (digest_without_data) ? 0 : znode->data_size;
    return hash64 (znode_data (znode), size, SEED_DATA);
}

uint64_t digest_stat (const struct znode *znode)
{
    const struct family *family = znode_family (znode);
    const struct tenure *tenure = znode_tenure (znode);
    uint8_t bytes[100];
    bytes_put_u64 (bytes, znode->czxid);
    bytes_put_u64 (bytes + 8, znode_mzxid (znode));
    bytes_put_u64 (bytes + 16, family != NULL ? family->pzxid : znode->czxid);
    bytes_put_u64 (bytes + 24, (uint64_t) znode_ctime_ms (znode));
    bytes_put_u64 (bytes + 32, (uint64_t) znode_mtime_ms (znode));
    bytes_put_u64 (bytes + 40, family != NULL ? family->sequence : 0);
    bytes_put_u64 (bytes + 48, tenure != NULL ? tenure->estate->id : 0);
    bytes_put_u32 (bytes + 56,
                   COHORT_MUTATED (digest_without_version) ? 0 : (uint32_t) znode->version);
    bytes_put_u32 (bytes + 60, family != NULL ? (uint32_t) family->cversion : 0);
    bytes_put_u32 (bytes + 64, znode->data_size);
    bytes_put_u32 (bytes + 68, znode->mode);
    bytes_put_u32 (bytes + 72, family != NULL ? family->children.count : 0);
    bytes_put_u64 (bytes + 76, znode_ttl_ms (znode));
    bytes_put_u64 (bytes + 84, acl_digest (znode_acl (znode)));
    bytes_put_u64 (bytes + 92, family != NULL ? acl_digest (family->inherited) : 0);
    return hash64 (bytes, sizeof (bytes), SEED_STAT);
}

uint64_t digest_acl (const struct acl *acl)
{
    return hash64 (acl->bytes, acl->size, SEED_ACL + (uint32_t) acl->aversion);
}

uint64_t digest_share (uint64_t name, uint64_t part)
{
    uint8_t bytes[8];
    bytes_put_u64 (bytes, part);
    return hash64 (bytes, sizeof (bytes), name);
}

uint64_t digest_identities (const struct session *session)
{
    return hash64 (session->identities, session->identities_size, SEED_IDENTITIES);
}

uint64_t digest_session (const struct session *session)
{
    uint8_t bytes[IMAGE_SESSION_SIZE + 8];
    image_session_bytes (session, bytes);
    bytes_put_u64 (bytes + IMAGE_SESSION_SIZE, session->identities_digest);
    return hash64 (bytes, sizeof (bytes), SEED_SESSION);
}

uint64_t digest_estate (const struct estate *estate)
{
    uint8_t bytes[24];
    bytes_put_u64 (bytes, estate->id);
    bytes_put_u64 (bytes + 8, estate->session->id);
    bytes_put_u64 (bytes + 16, estate->ozxid);
    return hash64 (bytes, sizeof (bytes), SEED_ESTATE);
}

uint64_t digest_result (const struct stored *stored)
{
    COHORT_ASSERT (stored->session != NULL);
    uint8_t key[16];
    bytes_put_u64 (key, stored->session->id);
    bytes_put_u64 (key + 8, stored->number);
    return hash64 (stored->bytes, stored->size, hash64 (key, sizeof (key), SEED_RESULT));
}

uint64_t digest_scalars (const struct scalars *scalars)
{
    uint8_t bytes[IMAGE_SCALARS_SIZE_MAX];
    size_t size = image_scalars_bytes (scalars, bytes);
    COHORT_ASSERT (size > 0);
    COHORT_ASSERT (size <= sizeof (bytes));
    return hash64 (bytes, size, SEED_SCALARS);
}

uint64_t digest_recompute (const struct tree *tree)
{
    uint64_t sum = 0;
    struct buf path = {0};
    for (struct map_node *at = map_first (&tree->znodes); at != NULL;
         at = map_next (&tree->znodes, at)) {
        const struct znode *znode = map_entry (at, struct znode, node);
        size_t size;
        bool ok = znode_path (znode, &path, &size);
        MEM_NEED (ok);
        uint64_t hash = tree_path_hash (PATH_HASH_ROOT, (const char *) path.data, size, NULL);
        sum += digest_share (hash, digest_data (znode));
        sum += digest_share (hash, digest_stat (znode));
    }
    buf_deinit (&path);
    for (struct list_node *at = list_first (&tree->session_order); at != NULL;
         at = list_next (&tree->session_order, at)) {
        sum += digest_session (list_entry (at, struct session, order));
    }
    for (struct map_node *at = map_first (&tree->estates); at != NULL;
         at = map_next (&tree->estates, at)) {
        sum += digest_estate (map_entry (at, struct estate, node));
    }
    for (struct list_node *at = list_first (&tree->results); at != NULL;
         at = list_next (&tree->results, at)) {
        sum += digest_result (list_entry (at, struct stored, node));
    }
    return sum;
}
