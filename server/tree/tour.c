/*
 * server/tree/tour.c - all znodes in the order of their paths, in steps between changes
 *
 * PURE.
 */
#include "server/tree/tour.h"

#include <string.h>

#include "client/base/assert.h"
#include "server/tree/children.h"

void tour_init (struct tour *self, const struct tree *tree)
{
    *self = (struct tour){.tree = tree};
    buf_init (&self->path);
}

void tour_deinit (struct tour *self)
{
    buf_deinit (&self->path);
}

void tour_resume (struct tour *self)
{
    self->at = NULL;
    self->has_siblings = false;
}

bool tour_failed (const struct tour *self)
{
    return self->path.failed;
}

/* The znode of the first `size` bytes of the place's path; NULL: there is none. */
static struct znode *find (const struct tour *self, size_t size)
{
    const struct tree *tree = self->tree;
    return size == 0 ? tree->root
                     : znode_find (&tree->znodes, tree->root, (const char *) self->path.data, size);
}

/* The bytes of the path above the place, which is not the root. */
static size_t above_size (const struct tour *self)
{
    size_t size = self->path.size;
    COHORT_ASSERT (size > 1);
    while (self->path.data[size - 1] != '/') {
        size--;
    }
    return size - 1;
}

static void step_down (struct tour *self, struct znode *child)
{
    buf_u8 (&self->path, '/');
    buf_append (&self->path, child->bytes, child->name_size);
    self->at = child;
    self->down = true;
}

/* From the place to its parent, of which all is done. */
static void step_up (struct tour *self, size_t above, struct znode *parent)
{
    buf_truncate (&self->path, above);
    self->at = parent;
    self->down = false;
    self->has_siblings = false;
}

/* To the first child of the place; false: it has none. */
static bool enter (struct tour *self)
{
    const struct family *family = znode_family (self->at);
    if (family == NULL || family->children.count == 0) {
        return false;
    }
    children_begin (&family->children, &self->siblings);
    self->has_siblings = true;
    step_down (self, children_next (&self->siblings));
    return true;
}

/* To the next child of the parent of the place, or up. */
static void pass (struct tour *self)
{
    size_t above = above_size (self);
    struct znode *parent = self->at != NULL ? self->at->parent : find (self, above);
    const struct family *family = parent != NULL ? znode_family (parent) : NULL;
    if (family == NULL) {
        step_up (self, above, parent);
        return;
    }
    if (!self->has_siblings) {
        const char *name = (const char *) self->path.data + above + 1;
        children_seek (&family->children, name, self->path.size - above - 1, &self->siblings);
        self->has_siblings = true;
    }
    struct znode *next = children_next (&self->siblings);
    if (next == NULL) {
        step_up (self, above, parent);
        return;
    }
    buf_truncate (&self->path, above);
    step_down (self, next);
}

bool tour_next (struct tour *self, struct znode **znode)
{
    *znode = NULL;
    if (!self->begun) {
        self->begun = self->down = true;
        *znode = self->at = self->tree->root;
        return true;
    }
    if (self->down && self->at == NULL) {
        self->at = find (self, self->path.size);
    }
    if (self->down && self->at != NULL && enter (self)) {
        *znode = self->at;
        return !self->path.failed;
    }
    if (self->path.size == 0) {
        return false;
    }
    pass (self);
    *znode = self->down ? self->at : NULL;
    return !self->path.failed;
}
