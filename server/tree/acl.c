/*
 * server/tree/acl.c - the access control lists of a state, each kept once
 *
 * PURE.
 */
#include "server/tree/acl.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "server/tree/digest.h"
#include "server/tree/identity.h"
#include "server/tree/state.h"

struct key {
    const uint8_t *bytes;
    size_t size;
    int32_t aversion;
};

static bool is_it (const struct map_node *node, const void *arg)
{
    const struct acl *acl = map_entry (node, struct acl, node);
    const struct key *key = arg;
    return acl->size == key->size && acl->aversion == key->aversion &&
           memcmp (acl->bytes, key->bytes, key->size) == 0;
}

bool acl_take (struct tree *tree, const uint8_t *bytes, size_t size, int32_t aversion,
               struct acl **acl)
{
    size = acl_open (bytes, size) ? 0 : size;
    COHORT_ASSERT (size == 0 || acl_valid (bytes, size));
    COHORT_ASSERT (aversion >= 0);
    if (size == 0 && aversion == 0) {
        *acl = NULL;
        return true;
    }
    struct key key = {size > 0 ? bytes : (const uint8_t *) "", size, aversion};
    /* Clients choose them: their table has the secret of the paths' one. */
    uint64_t hash = hash64 (key.bytes, size, tree->root->node.hash + (uint32_t) aversion);
    struct map_node *found = map_find (&tree->acls, hash, is_it, &key);
    if (found != NULL) {
        *acl = acl_share (map_entry (found, struct acl, node));
        return true;
    }
    struct acl *self = mem_calloc (1, sizeof (*self) + size);
    if (self == NULL) {
        return false;
    }
    self->references = 1;
    self->aversion = aversion;
    self->size = (uint32_t) size;
    memcpy (self->bytes, key.bytes, size);
    self->digest = digest_acl (self);
    self->node.hash = hash;
    map_insert (&tree->acls, &self->node);
    *acl = self;
    return true;
}

struct acl *acl_share (struct acl *self)
{
    if (self != NULL) {
        COHORT_ASSERT (self->references < UINT64_MAX);
        self->references++;
    }
    return self;
}

void acl_release (struct tree *tree, struct acl *self)
{
    if (self == NULL) {
        return;
    }
    COHORT_ASSERT (self->references > 0);
    self->references--;
    if (self->references == 0) {
        map_remove (&tree->acls, &self->node);
        acl_free (self);
    }
}

void acl_free (struct acl *self)
{
    mem_free (self);
}

uint64_t acl_digest (const struct acl *self)
{
    return self != NULL ? self->digest : 0;
}
