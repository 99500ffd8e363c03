/*
 * server/tree/read.c - reading znodes
 *
 * PURE.
 */
#include "server/tree/read.h"
#include "client/base/assert.h"
#include "server/tree/children.h"
#include "server/tree/path.h"
#include "server/tree/state.h"

int tree_path_check (const struct tree *self, const char *path, size_t size, bool sequential)
{
    size_t max = self->scalars.level > 0 ? self->scalars.limits.path_size_max : PATH_SIZE_DEFAULT;
    return tree_path_validate (path, size, max, sequential);
}

int read_find (const struct tree *self, const char *path, size_t path_size, struct znode **znode)
{
    COHORT_ASSERT (path != NULL);
    *znode = znode_find (&self->znodes, self->root, path, path_size);
    if (*znode != NULL) {
        return 0;
    }
    return tree_path_check (self, path, path_size, false) != 0 ? COHORT_EPATH : COHORT_ENONODE;
}

void read_describe (const struct znode *znode, const char *path, struct tree_node *node)
{
    node->path = path;
    node->data = znode_data (znode);
    node->data_size = znode->data_size;
    znode_stat (znode, &node->stat);
}

int tree_get (const struct tree *self, const char *path, size_t path_size, struct tree_node *node)
{
    struct znode *znode;
    int rc = read_find (self, path, path_size, &znode);
    if (rc != 0) {
        return rc;
    }
    struct buf *copy = &self->scratch->get_path;
    buf_clear (copy);
    buf_append (copy, path, path_size);
    buf_u8 (copy, 0);
    if (copy->failed) {
        return COHORT_ENOMEM;
    }
    read_describe (znode, (const char *) copy->data, node);
    return 0;
}

struct names {
    tree_name_fn *fn;
    void *arg;
};

static bool pass_name (void *arg, const struct znode *child)
{
    const struct names *names = arg;
    return names->fn (names->arg, child->bytes, child->name_size);
}

int tree_children (const struct tree *self, const char *path, size_t path_size, tree_name_fn *fn,
                   void *arg)
{
    struct znode *znode;
    int rc = read_find (self, path, path_size, &znode);
    if (rc != 0) {
        return rc;
    }
    const struct family *family = znode_family (znode);
    if (family != NULL) {
        struct names names = {fn, arg};
        children_visit (&family->children, NULL, 0, false, pass_name, &names);
    }
    return 0;
}
