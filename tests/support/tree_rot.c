/* See tree_rot.h. */

#include "tests/support/tree_rot.h"

#include <string.h>

#include "client/base/assert.h"
#include "server/tree/change.h"
#include "server/tree/state.h"

struct target {
    const char *name;
    void *bytes;
    size_t size;
};

enum { TARGETS_MAX = 10 };

/* What a client would be shown of the znode's stat, or its future depends on. */
static size_t stat_targets (struct znode *znode, struct target targets[TARGETS_MAX])
{
    size_t count = 0;
    targets[count++] = (struct target){"czxid", &znode->czxid, sizeof znode->czxid};
    targets[count++] = (struct target){"mzxid", znode_mzxid_place (znode), sizeof (zxid_t)};
    targets[count++] = (struct target){"ctime", &znode->ctime, sizeof znode->ctime};
    targets[count++] = (struct target){"mtime", &znode->mtime, sizeof znode->mtime};
    targets[count++] = (struct target){"version", &znode->version, sizeof znode->version};
    struct family *family = znode_family (znode);
    if (family != NULL) {
        targets[count++] = (struct target){"pzxid", &family->pzxid, sizeof family->pzxid};
        targets[count++] = (struct target){"cversion", &family->cversion, sizeof family->cversion};
        targets[count++] = (struct target){"sequence", &family->sequence, sizeof family->sequence};
        targets[count++] =
            (struct target){"count", &family->children.count, sizeof family->children.count};
    }
    COHORT_ASSERT (count <= TARGETS_MAX);
    return count;
}

static void flip (struct znode *znode, struct prng *prng, bool data, struct tree_rot *done)
{
    struct target targets[TARGETS_MAX];
    struct target target = {"data", (void *) (uintptr_t) znode_data (znode), znode->data_size};
    if (!data) {
        size_t count = stat_targets (znode, targets);
        target = targets[prng_below (prng, count)];
    }
    done->field = target.name;
    done->bit = (size_t) prng_below (prng, 8 * target.size);
    ((uint8_t *) target.bytes)[done->bit / 8] ^= (uint8_t) (1u << (done->bit % 8));
    struct buf path = {0};
    size_t size = 0;
    bool ok = znode_path (znode, &path, &size);
    COHORT_ASSERT (ok);
    size = size < sizeof done->path ? size : sizeof done->path - 1;
    memcpy (done->path, path.data, size);
    done->path[size] = '\0';
    buf_deinit (&path);
}

void tree_rot_somewhere (struct tree *tree, struct prng *prng, struct tree_rot *done)
{
    uint64_t skip = prng_below (prng, map_count (&tree->znodes));
    struct map_node *node = map_first (&tree->znodes);
    while (skip-- > 0) {
        node = map_next (&tree->znodes, node);
    }
    struct znode *znode = map_entry (node, struct znode, node);
    flip (znode, prng, znode->data_size > 0 && prng_chance (prng, 1, 2), done);
}

bool tree_rot (struct tree *tree, struct prng *prng, const char *path, bool data,
               struct tree_rot *done)
{
    struct znode *znode = znode_find (&tree->znodes, tree->root, path, strlen (path));
    if (znode == NULL) {
        return false;
    }
    flip (znode, prng, data, done);
    return true;
}

bool tree_diverge (struct tree *tree, uint32_t bytes)
{
    COHORT_ASSERT (tree->scalars.limits.data_size_max > bytes);
    if (tree->snapshot != NULL) {
        return false;
    }
    tree->scalars.limits.data_size_max -= bytes;
    return true;
}

bool tree_diverge_data (struct tree *tree, const char *path, const void *data, size_t size)
{
    struct znode *znode = znode_find (&tree->znodes, tree->root, path, strlen (path));
    if (znode == NULL) {
        return false;
    }
    change_set (tree, znode, path, strlen (path), data, size);
    return true;
}
