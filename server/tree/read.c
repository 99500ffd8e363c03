/*
 * server/tree/read.c - reading znodes
 *
 * PURE.
 */
#include "client/base/assert.h"
#include "server/tree/children.h"
#include "server/tree/path.h"
#include "server/tree/state.h"

int tree_path_check (const struct tree *self, const char *path, size_t size, bool sequential)
{
    size_t max = self->scalars.level > 0 ? self->scalars.limits.path_size_max : PATH_SIZE_DEFAULT;
    return tree_path_validate (path, size, max, sequential);
}

/* The znode: 0, COHORT_ENONODE, or what is wrong with the path. */
static int find (const struct tree *self, const char *path, size_t path_size, struct znode **znode)
{
    COHORT_ASSERT (path != NULL);
    *znode = znode_find (&self->znodes, self->root, path, path_size);
    if (*znode != NULL) {
        return 0;
    }
    return tree_path_check (self, path, path_size, false) != 0 ? COHORT_EPATH : COHORT_ENONODE;
}

static void describe (const struct znode *znode, const char *path, struct tree_node *node)
{
    node->path = path;
    node->data = znode_data (znode);
    node->data_size = znode->data_size;
    znode_stat (znode, &node->stat);
}

int tree_get (const struct tree *self, const char *path, size_t path_size, struct tree_node *node)
{
    struct znode *znode;
    int rc = find (self, path, path_size, &znode);
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
    describe (znode, (const char *) copy->data, node);
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
    int rc = find (self, path, path_size, &znode);
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

/* ---- Walking ----------------------------------------------------------------------------- */

/* The path of the znode that a walk stands on, ended with 0. */
struct walk {
    struct buf path;
    size_t size;                       /* without the 0; that of the root is 0 here */
    struct children_iterator siblings; /* behind it */
};

/* Goes from a znode to its child. */
static void walk_down (struct walk *walk, const struct znode *child)
{
    COHORT_ASSERT (child->name_size > 0);
    buf_truncate (&walk->path, walk->size);
    buf_u8 (&walk->path, '/');
    buf_append (&walk->path, child->bytes, child->name_size);
    buf_u8 (&walk->path, 0);
    walk->size += 1 + (size_t) child->name_size;
}

static void walk_up (struct walk *walk, const struct znode *child)
{
    COHORT_ASSERT (child->parent != NULL);
    COHORT_ASSERT (walk->size >= 1 + (size_t) child->name_size);
    walk->size -= 1 + (size_t) child->name_size;
}

/* The next znode in the order of the walk, NULL at the end; what a path needs is kept up to
 * date. */
static const struct znode *walk_next (struct walk *walk, const struct znode *top,
                                      const struct znode *at)
{
    const struct family *family = znode_family (at);
    if (family != NULL && family->children.count > 0) {
        children_begin (&family->children, &walk->siblings);
        const struct znode *child = children_next (&walk->siblings);
        walk_down (walk, child);
        return child;
    }
    while (at != top) {
        const struct znode *sibling = children_next (&walk->siblings);
        walk_up (walk, at);
        if (sibling != NULL) {
            walk_down (walk, sibling);
            return sibling;
        }
        at = at->parent;
        if (at != top) {
            children_seek (&at->parent->u.family->children, at->bytes, at->name_size,
                           &walk->siblings);
        }
    }
    return NULL;
}

int tree_walk (const struct tree *self, const char *path, size_t path_size, tree_node_fn *fn,
               void *arg)
{
    struct znode *top;
    int rc = find (self, path, path_size, &top);
    if (rc != 0) {
        return rc;
    }
    struct walk walk = {.size = top->parent != NULL ? path_size : 0};
    buf_append (&walk.path, path, path_size);
    buf_u8 (&walk.path, 0);
    for (const struct znode *at = top; at != NULL; at = walk_next (&walk, top, at)) {
        if (walk.path.failed) {
            rc = COHORT_ENOMEM;
            break;
        }
        struct tree_node node;
        describe (at, (const char *) walk.path.data, &node);
        if (!fn (arg, &node)) {
            break;
        }
    }
    buf_deinit (&walk.path);
    return rc;
}
