/*
 * server/tree/identity.c - who a session is, and whom an access control list means
 *
 * PURE.
 */
#include "server/tree/identity.h"

#include <string.h>

#include "client/base/assert.h"
#include "cohort/types.h"

void identity_encode (struct buf *out, const struct identity *identity)
{
    buf_u8 (out, (uint8_t) identity->scheme);
    buf_u8 (out, identity->size);
    buf_append (out, identity->id, identity->size);
}

void acl_item_encode (struct buf *out, const struct acl_item *item)
{
    buf_u8 (out, item->perms);
    identity_encode (out, &item->identity);
}

bool identity_decode (struct identity *identity, struct reader *in)
{
    uint8_t scheme = reader_u8 (in);
    identity->size = reader_u8 (in);
    identity->id = reader_bytes (in, identity->size);
    if (in->failed || scheme < IDENTITY_WORLD || scheme > IDENTITY_CURVE) {
        return false;
    }
    identity->scheme = (enum identity_scheme) scheme;
    return true;
}

bool acl_item_decode (struct acl_item *item, struct reader *in)
{
    item->perms = reader_u8 (in);
    return identity_decode (&item->identity, in);
}

/* USER:HASH, both of them something, and printable: it is shown to people. */
static bool digest_valid (const struct identity *identity)
{
    const uint8_t *colon = memchr (identity->id, ':', identity->size);
    if (colon == NULL || colon == identity->id || colon == identity->id + identity->size - 1) {
        return false;
    }
    for (size_t i = 0; i < identity->size; i++) {
        if (identity->id[i] < 0x20 || identity->id[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* ---- Of a session ------------------------------------------------------------------------ */

static bool session_identity_valid (const struct identity *identity)
{
    switch (identity->scheme) {
    case IDENTITY_DIGEST:
        return digest_valid (identity);
    case IDENTITY_IP:
        return identity->size == IDENTITY_IP_SIZE;
    case IDENTITY_CURVE:
        return identity->size == IDENTITY_CURVE_SIZE;
    case IDENTITY_WORLD:
    case IDENTITY_AUTH:
        return false;
    }
    return false;
}

size_t identities_count (const uint8_t *bytes, size_t size)
{
    struct reader in;
    struct identity identity;
    size_t count = 0;
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0 && identity_decode (&identity, &in)) {
        count++;
    }
    return count;
}

bool identities_valid (const uint8_t *bytes, size_t size)
{
    struct reader in;
    struct identity identity;
    size_t count = 0;
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0) {
        if (!identity_decode (&identity, &in) || !session_identity_valid (&identity)) {
            return false;
        }
        count++;
    }
    return count <= IDENTITIES_MAX && size <= IDENTITIES_SIZE_MAX;
}

bool identity_of_connection (const struct identity *identity)
{
    return identity->scheme == IDENTITY_IP || identity->scheme == IDENTITY_CURVE;
}

static bool same (const struct identity *a, const struct identity *b)
{
    return a->scheme == b->scheme && a->size == b->size && memcmp (a->id, b->id, a->size) == 0;
}

bool identities_have (const uint8_t *bytes, size_t size, const struct identity *identity)
{
    struct reader in;
    struct identity other;
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0 && identity_decode (&other, &in)) {
        if (same (&other, identity)) {
            return true;
        }
    }
    return false;
}

/* ---- Access control lists ---------------------------------------------------------------- */

static bool item_valid (const struct acl_item *item)
{
    const struct identity *identity = &item->identity;
    if (item->perms == 0 || (item->perms & ~COHORT_PERM_ALL) != 0) {
        return false;
    }
    switch (identity->scheme) {
    case IDENTITY_WORLD:
    case IDENTITY_AUTH:
        return identity->size == 0;
    case IDENTITY_IP:
        return identity->size == IDENTITY_IP_SIZE + 1 &&
               identity->id[IDENTITY_IP_SIZE] <= 8 * IDENTITY_IP_SIZE;
    case IDENTITY_DIGEST:
    case IDENTITY_CURVE:
        return session_identity_valid (identity);
    }
    return false;
}

bool acl_valid (const uint8_t *bytes, size_t size)
{
    struct reader in;
    struct acl_item item;
    size_t count = 0;
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0) {
        if (!acl_item_decode (&item, &in) || !item_valid (&item) ||
            item.identity.scheme == IDENTITY_AUTH) {
            return false;
        }
        count++;
    }
    return count > 0 && count <= ACL_ITEMS_MAX && size <= ACL_SIZE_MAX;
}

bool admins_valid (const uint8_t *bytes, size_t size)
{
    struct reader in;
    struct acl_item item;
    if (size == 0) {
        return true;
    }
    if (size > ADMINS_SIZE_MAX || !acl_valid (bytes, size)) {
        return false;
    }
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0 && acl_item_decode (&item, &in)) {
        if (item.identity.scheme == IDENTITY_WORLD || item.perms != COHORT_PERM_ALL) {
            return false;
        }
    }
    return true;
}

bool acl_open (const uint8_t *bytes, size_t size)
{
    static const uint8_t open[] = {COHORT_PERM_ALL, IDENTITY_WORLD, 0};
    return size == sizeof (open) && memcmp (bytes, open, sizeof (open)) == 0;
}

/* Appends an item unless the list that begins at `begin` has it. */
static void add_item (struct buf *out, size_t begin, const struct acl_item *item, size_t *count)
{
    struct reader in;
    struct acl_item other;
    if (out->failed || *count > ACL_ITEMS_MAX) {
        return;
    }
    /* A buffer that has never held anything has no data to count from. */
    reader_init (&in, out->size > begin ? out->data + begin : NULL, out->size - begin);
    while (reader_left (&in) > 0 && acl_item_decode (&other, &in)) {
        if (other.perms == item->perms && same (&other.identity, &item->identity)) {
            return;
        }
    }
    acl_item_encode (out, item);
    ++*count;
}

/* AUTH with these permissions: false: it means nobody. */
static bool add_proven (struct buf *out, size_t begin, uint8_t perms, struct reader identities,
                        size_t *count)
{
    struct acl_item item = {.perms = perms};
    bool any = false;
    while (reader_left (&identities) > 0 && identity_decode (&item.identity, &identities)) {
        /* An address proves nothing. */
        if (item.identity.scheme != IDENTITY_IP) {
            add_item (out, begin, &item, count);
            any = true;
        }
    }
    return any;
}

bool acl_resolve (struct buf *out, const uint8_t *bytes, size_t size, const uint8_t *identities,
                  size_t identities_size)
{
    struct reader in, who;
    struct acl_item item;
    size_t begin = out->size, count = 0;
    reader_init (&in, bytes, size);
    reader_init (&who, identities, identities_size);
    if (size > ACL_SIZE_MAX) {
        return false;
    }
    while (reader_left (&in) > 0) {
        if (!acl_item_decode (&item, &in) || !item_valid (&item)) {
            return false;
        }
        if (item.identity.scheme != IDENTITY_AUTH) {
            add_item (out, begin, &item, &count);
        } else if (!add_proven (out, begin, item.perms, who, &count)) {
            return false;
        }
    }
    return !out->failed && count > 0 && count <= ACL_ITEMS_MAX && out->size - begin <= ACL_SIZE_MAX;
}

/* Whether the leading bits of both addresses are equal. */
static bool same_network (const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp (a, b, whole) != 0) {
        return false;
    }
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool matches (const struct identity *meant, const struct identity *is)
{
    if (meant->scheme == IDENTITY_IP && is->scheme == IDENTITY_IP) {
        COHORT_ASSERT (meant->size == IDENTITY_IP_SIZE + 1);
        COHORT_ASSERT (is->size == IDENTITY_IP_SIZE);
        return same_network (meant->id, is->id, meant->id[IDENTITY_IP_SIZE]);
    }
    return same (meant, is);
}

static bool means_any_of (const struct identity *meant, struct reader identities)
{
    struct identity is;
    if (meant->scheme == IDENTITY_WORLD) {
        return true;
    }
    while (reader_left (&identities) > 0 && identity_decode (&is, &identities)) {
        if (matches (meant, &is)) {
            return true;
        }
    }
    return false;
}

uint8_t acl_granted (const uint8_t *bytes, size_t size, const uint8_t *identities,
                     size_t identities_size)
{
    struct reader in, who;
    struct acl_item item;
    uint8_t granted = 0;
    reader_init (&in, bytes, size);
    reader_init (&who, identities, identities_size);
    while (reader_left (&in) > 0 && acl_item_decode (&item, &in)) {
        if ((item.perms & ~granted) != 0 && means_any_of (&item.identity, who)) {
            granted |= item.perms;
        }
    }
    return granted;
}

_Static_assert(COHORT_PERM_ALL == 31, "the permissions are ZooKeeper's");
