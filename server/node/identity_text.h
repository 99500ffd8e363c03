/*
 * server/node/identity_text.h - identities for people
 *
 * Pure.
 */
#ifndef SERVER_NODE_IDENTITY_TEXT_H
#define SERVER_NODE_IDENTITY_TEXT_H

#include "server/tree/identity.h"

enum { IDENTITY_TEXT_SIZE = IDENTITY_ID_MAX + 1 };

/* The name of a scheme, static. */
const char *identity_scheme_name (enum identity_scheme scheme);

/* The id as text: anyone; USER:HASH; 10.0.0.7 or 2001:db8:0:0:0:0:0:7; a key in Z85.  Returns
 * `text`. */
const char *identity_text (const struct identity *identity, char text[IDENTITY_TEXT_SIZE]);

#endif
