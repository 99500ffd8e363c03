/*
 * server/tree/walk.c - through a subtree, in one go or in many steps
 *
 * PURE.  No recursion.
 *
 * The place of a walk is a path, and the order of paths never changes: so whatever happens to the
 * tree between two steps, what lies behind the place is still to come, and only that.
 */
#include <string.h>

#include "client/base/assert.h"
#include "server/tree/children.h"
#include "server/tree/path.h"
#include "server/tree/read.h"
#include "server/tree/verify.h"

struct walk {
    const struct tree *tree;
    const struct znode *top;
    bool damaged;                      /* a node that it came to is */
    struct buf path;                   /* of the node that it stands on, ended with 0 */
    size_t size;                       /* without the 0; that of the root is 0 here */
    struct children_iterator siblings; /* behind that node, unless it is the top */
};

/* ---- Steps ------------------------------------------------------------------------------- */

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

/* The walk stands on `parent` and has done with its children up to where `siblings` is; the next
 * znode, NULL at the end. */
static const struct znode *walk_on (struct walk *walk, const struct znode *parent)
{
    for (const struct znode *at = parent;; at = at->parent) {
        const struct znode *child = children_next (&walk->siblings);
        if (child != NULL) {
            walk_down (walk, child);
            return child;
        }
        if (at == walk->top) {
            return NULL;
        }
        walk_up (walk, at);
        children_seek (&at->parent->u.family->children, at->bytes, at->name_size, &walk->siblings);
    }
}

/* `siblings` is behind it, and what is below it is done. */
static const struct znode *walk_past (struct walk *walk, const struct znode *at)
{
    if (at == walk->top) {
        return NULL;
    }
    walk_up (walk, at);
    return walk_on (walk, at->parent);
}

static const struct znode *walk_next (struct walk *walk, const struct znode *at)
{
    const struct family *family = znode_family (at);
    if (family == NULL || family->children.count == 0) {
        return walk_past (walk, at);
    }
    children_begin (&family->children, &walk->siblings);
    return walk_on (walk, at);
}

/* The first znode behind the place: down as far as its path is still there, and on from there. */
static const struct znode *walk_resume (const struct tree *self, struct walk *walk,
                                        const struct buf *place)
{
    const char *path = (const char *) place->data;
    const struct znode *at = walk->top;
    bool there = true;
    COHORT_ASSERT (place->size >= walk->size);
    while (there && walk->size + 1 < place->size) {
        const char *name = path + walk->size + 1;
        size_t left = place->size - walk->size - 1;
        const char *slash = memchr (name, '/', left);
        size_t size = slash != NULL ? (size_t) (slash - name) : left;
        uint64_t hash = tree_path_hash_child (at->node.hash, name, size);
        const struct znode *child = znode_find_child (&self->znodes, at, hash, name, size);
        const struct family *family = znode_family (at);
        if (child == NULL && family != NULL) {
            children_seek (&family->children, name, size, &walk->siblings);
            return walk_on (walk, at);
        }
        there = child != NULL;
        if (there) {
            walk_down (walk, child);
            at = child;
        }
    }
    if (at != walk->top) {
        children_seek (&at->parent->u.family->children, at->bytes, at->name_size, &walk->siblings);
    }
    return there ? walk_next (walk, at) : walk_past (walk, at);
}

/* ---- The whole --------------------------------------------------------------------------- */

/* Offers nodes to fn until it leaves one.  Returns the last that it has taken, or NULL. */
static const struct znode *offer (struct walk *walk, const struct znode *first, tree_node_fn *fn,
                                  void *arg)
{
    const struct znode *taken = NULL;
    for (const struct znode *at = first; at != NULL && !walk->path.failed;
         at = walk_next (walk, at)) {
        if (!verify_znode (walk->tree, at)) {
            walk->damaged = true;
            break;
        }
        struct tree_node node;
        read_describe (at, (const char *) walk->path.data, &node);
        if (!fn (arg, &node)) {
            break;
        }
        taken = at;
    }
    return taken;
}

int tree_walk (const struct tree *self, const char *path, size_t path_size, struct buf *place,
               tree_node_fn *fn, void *arg)
{
    struct znode *top;
    int rc = read_find (self, path, path_size, &top);
    if (rc != 0) {
        return rc;
    }
    struct walk walk = {.tree = self, .top = top, .size = top->parent != NULL ? path_size : 0};
    buf_append (&walk.path, path, path_size);
    buf_u8 (&walk.path, 0);
    bool resumed = place != NULL && place->size > 0;
    const struct znode *first = resumed ? walk_resume (self, &walk, place) : top;
    const struct znode *taken = offer (&walk, first, fn, arg);
    if (walk.path.failed) {
        rc = COHORT_ENOMEM;
    } else if (walk.damaged) {
        rc = COHORT_ECORRUPT;
    } else if (place != NULL && taken != NULL) {
        size_t size = 0;
        rc = znode_path (taken, place, &size) ? 0 : COHORT_ENOMEM;
        buf_truncate (place, size);
    }
    buf_deinit (&walk.path);
    return rc;
}

int tree_path_order (const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t common = a_size < b_size ? a_size : b_size;
    size_t at = 0;
    while (at < common && a[at] == b[at]) {
        at++;
    }
    if (at == common) {
        return a_size < b_size ? -1 : a_size > b_size;
    }
    /* Where a name ends, it comes before the longer ones. */
    if (a[at] == '/' || b[at] == '/') {
        return a[at] == '/' ? -1 : 1;
    }
    return (uint8_t) a[at] < (uint8_t) b[at] ? -1 : 1;
}
