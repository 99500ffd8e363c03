/*
 * server/failpoints/state.c - a state that goes wrong
 *
 * Its `tree_apply` stands before that of server/tree, which is compiled under another name for this
 * program: a pure module knows no failpoints.
 */
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/failpoints/failpoints.h"
#include "server/tree/change.h"

bool failpoints_tree_apply (struct tree *self, zxid_t zxid, int64_t stamp_ms, const uint8_t *data,
                            size_t size, struct tree_outcome *outcome);

static const char path[] = "/flip";

/* As by an apply that is not the same everywhere: a bit changes, and the digest with it. */
static void flip (struct tree *self, struct znode *znode)
{
    size_t size = znode->data_size;
    uint8_t *data = mem_alloc (size);
    COHORT_ASSERT (data != NULL);
    memcpy (data, znode_data (znode), size);
    data[0] ^= 1;
    change_set (self, znode, path, sizeof path - 1, data, size);
    mem_free (data);
}

bool tree_apply (struct tree *self, zxid_t zxid, int64_t stamp_ms, const uint8_t *data, size_t size,
                 struct tree_outcome *outcome)
{
    if (!failpoints_tree_apply (self, zxid, stamp_ms, data, size, outcome)) {
        return false;
    }
    struct znode *znode = znode_find (&self->znodes, self->root, path, sizeof path - 1);
    if (znode != NULL && znode->data_size > 0 && failpoint_flips (FAIL_STATE_APPLY)) {
        flip (self, znode);
    }
    return true;
}
