/*
 * server/tree/identity.h - who a session is, and whom an access control list means
 *
 * PURE.  Both are bytes, of one layout from the entry to the snapshot:
 *
 *      identity    u8 scheme   u8 size   the id
 *      list item   u8 permissions   identity
 *
 * The ids: WORLD, AUTH nothing; DIGEST the text USER:HASH, from which no password can be found;
 * IP an address of 16 bytes (IPv4 as ::ffff:a.b.c.d), in list items with a u8 behind it, how many
 * of its bits count; CURVE a public key of 32 bytes.
 */
#ifndef SERVER_TREE_IDENTITY_H
#define SERVER_TREE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"

enum {
    IDENTITY_ID_MAX = 255,
    IDENTITY_IP_SIZE = 16,
    IDENTITY_CURVE_SIZE = 32,
    IDENTITIES_MAX = 32, /* of a session */
    IDENTITIES_SIZE_MAX = 4096,
    ACL_ITEMS_MAX = 64,
    ACL_SIZE_MAX = 8192,
    ADMINS_SIZE_MAX = 1024
};

enum identity_scheme {
    IDENTITY_WORLD = 1, /* anyone */
    IDENTITY_AUTH,      /* in lists that come in: whoever asks, by what it has proven of itself */
    IDENTITY_DIGEST,
    IDENTITY_IP,
    IDENTITY_CURVE
};

struct identity {
    enum identity_scheme scheme;
    const uint8_t *id;
    uint8_t size;
};

struct acl_item {
    uint8_t perms; /* COHORT_PERM_... */
    struct identity identity;
};

void identity_encode (struct buf *out, const struct identity *identity);
void acl_item_encode (struct buf *out, const struct acl_item *item);

/* The next of a list; false: malformed. */
bool identity_decode (struct identity *identity, struct reader *in);
bool acl_item_decode (struct acl_item *item, struct reader *in);

/* ---- Of a session ------------------------------------------------------------------------ */

/* Whether these are identities of a session, within the limits; nothing at all is good too. */
bool identities_valid (const uint8_t *bytes, size_t size);

/* Whether the identity comes from the connection, and not from what its client has proven since. */
bool identity_of_connection (const struct identity *identity);

/* How many they are. */
size_t identities_count (const uint8_t *bytes, size_t size);

/* Whether it is among them. */
bool identities_have (const uint8_t *bytes, size_t size, const struct identity *identity);

/* ---- Access control lists ---------------------------------------------------------------- */

/* Whether this is a list that may stand at a znode: AUTH is resolved in it. */
bool acl_valid (const uint8_t *bytes, size_t size);

/* Whether this can say who the administrators are; nobody, too. */
bool admins_valid (const uint8_t *bytes, size_t size);

/* Whether it gives everything to everybody, and no more is said. */
bool acl_open (const uint8_t *bytes, size_t size);

/* Appends the list that is meant by one that came in from a session with these identities: AUTH
 * stands for all that it has proven, and no item comes twice.  false: the list is malformed, empty
 * or too long, or AUTH means nobody: what was appended is of no use. */
bool acl_resolve (struct buf *out, const uint8_t *bytes, size_t size, const uint8_t *identities,
                  size_t identities_size);

/* What the list grants to a session with these identities. */
uint8_t acl_granted (const uint8_t *bytes, size_t size, const uint8_t *identities,
                     size_t identities_size);

#endif
