/*
 * server/tree/acl.h - the access control lists of a state, each kept once
 *
 * PURE.  Internal to server/tree.  What grants everything to everybody is no list at all: NULL.
 * How often a znode's own list was set (its aversion) is kept with the list, so that a znode has
 * one pointer for both; equal lists that were set equally often are one.
 */
#ifndef SERVER_TREE_ACL_H
#define SERVER_TREE_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/map.h"

struct tree;

struct acl {
    struct map_node node; /* of tree.acls */
    uint64_t references;  /* znodes that have it, and what can still be undone */
    uint64_t digest;
    uint32_t generation; /* newest snapshot that has it; */
    uint32_t ordinal;    /* its number there */
    int32_t aversion;
    uint32_t size;   /* 0: open, but it was set before */
    uint8_t bytes[]; /* identity.h */
};

/* The list, with a reference; NULL: open, and never set.  The bytes are sound.  false: out of
 * memory. */
bool acl_take (struct tree *tree, const uint8_t *bytes, size_t size, int32_t aversion,
               struct acl **acl);

/* One reference more, or one less: with the last it goes. */
struct acl *acl_share (struct acl *self);
void acl_release (struct tree *tree, struct acl *self);

/* For the end of a state. */
void acl_free (struct acl *self);

/* The digest of what the list says; that of none is 0. */
uint64_t acl_digest (const struct acl *self);

static inline int32_t acl_aversion (const struct acl *self)
{
    return self != NULL ? self->aversion : 0;
}

#endif
