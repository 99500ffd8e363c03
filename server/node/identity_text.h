/*
 * server/node/identity_text.h - identities and access control lists as people write them
 *
 *      world:anyone    auth:    digest:USER:HASH    ip:ADDRESS[/BITS]    curve:KEY (Z85)
 *
 * What the state holds is in server/tree/identity.h, what all of it means in docs/acl.md.  Of a
 * digest user the state holds a hash: what a client sends to prove who it is, is turned into that
 * here, and goes no further.  Pure.
 */
#ifndef SERVER_NODE_IDENTITY_TEXT_H
#define SERVER_NODE_IDENTITY_TEXT_H

#include "server/tree/identity.h"

enum { IDENTITY_TEXT_SIZE = IDENTITY_ID_MAX + 1 };

/* ---- For people -------------------------------------------------------------------------- */

/* The name of a scheme, static. */
const char *identity_scheme_name (enum identity_scheme scheme);

/* The id as text: anyone; USER:HASH; 10.0.0.7 or 2001:db8:0:0:0:0:0:7, in lists with /BITS unless
 * all of them count; a key in Z85.  Returns `text`. */
const char *identity_text (const struct identity *identity, char text[IDENTITY_TEXT_SIZE]);

/* The same without the hash of a digest user: USER:x. */
const char *identity_text_masked (const struct identity *identity, char text[IDENTITY_TEXT_SIZE]);

/* ---- From people ------------------------------------------------------------------------- */

/* Texts, not ended with 0. */
struct identity_parts {
    const char *scheme;
    size_t scheme_size;
    const char *id;
    size_t id_size;
};

/* Appends an item of a list.  NULL, or why it is none (static): nothing was appended. */
const char *acl_item_parse (struct buf *out, uint32_t perms, const struct identity_parts *parts);

/* Appends the list of administrators that a text names: SCHEME:ID, separated by commas.  false: it
 * is not valid; the error names the part. */
bool admins_parse (struct buf *out, const char *text, char *error, size_t error_size);

/* ---- Who a client is --------------------------------------------------------------------- */

/* Appends what a connection shows of its client: an address and a public key in Z85 (NULL: none).
 * What cannot be read is left out. */
void identity_put_origin (struct buf *out, const char *address, const char *key);

/* What an AddAuth says. */
struct identity_claim {
    struct identity_parts parts; /* the id is the user's name */
    const uint8_t *credential;
    size_t credential_size;
};

/* Appends the identity that it proves.  0; COHORT_EAUTHFAILED: another scheme, or a credential that
 * is none; COHORT_EINVAL: the user's name; *why is static then. */
int identity_put_proven (struct buf *out, const struct identity_claim *claim, const char **why);

#endif
