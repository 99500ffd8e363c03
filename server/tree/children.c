/*
 * server/tree/children.c - the children of a znode, in the order of their names
 *
 * PURE.
 *
 * Every node holds, for each of its slots, the lowest znode below it; the slot of a leaf is that
 * znode itself, and an inner node holds its nodes behind the znodes.  All leaves are on one level.
 * Leaves begin small, for most parents have few children.  A node that runs low joins its neighbour
 * when both have room together: that keeps memory in proportion without ever moving much.
 */
#include "server/tree/children.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/tree/znode.h"

enum {
    SLOTS_MAX = 64,
    SLOTS_LOW = 16,    /* a node with fewer looks for a neighbour to join */
    SLOTS_JOINED = 48, /* that two nodes may hold together to be joined: room is left */
    LEAF_SLOTS = 4     /* of the smallest leaf */
};

struct children_node {
    uint16_t count;
    uint16_t capacity;
    void *slots[]; /* capacity znodes; an inner node: then as many nodes */
};

/* ---- Nodes ------------------------------------------------------------------------------- */

static struct znode *lowest (const struct children_node *node, unsigned at)
{
    COHORT_ASSERT (at < node->count);
    return node->slots[at];
}

static struct children_node *below (const struct children_node *node, unsigned at)
{
    COHORT_ASSERT (at < node->count);
    return node->slots[node->capacity + at];
}

static struct children_node *node_new (unsigned capacity, bool leaf)
{
    COHORT_ASSERT (capacity <= SLOTS_MAX);
    size_t slots = leaf ? capacity : 2 * (size_t) capacity;
    struct children_node *node = mem_alloc (sizeof (*node) + slots * sizeof (void *));
    if (node != NULL) {
        node->count = 0;
        node->capacity = (uint16_t) capacity;
    }
    return node;
}

/* The size of a leaf that holds so many. */
static unsigned leaf_capacity (unsigned count)
{
    unsigned capacity = LEAF_SLOTS;
    while (capacity < count) {
        capacity *= 2;
    }
    return capacity;
}

static void put (struct children_node *node, unsigned at, struct znode *znode,
                 struct children_node *child)
{
    COHORT_ASSERT (node->count < node->capacity);
    COHORT_ASSERT (at <= node->count);
    size_t after = (node->count - at) * sizeof (void *);
    memmove (node->slots + at + 1, node->slots + at, after);
    node->slots[at] = znode;
    if (child != NULL) {
        void **nodes = node->slots + node->capacity;
        memmove (nodes + at + 1, nodes + at, after);
        nodes[at] = child;
    }
    node->count++;
}

static void take (struct children_node *node, unsigned at, bool leaf)
{
    COHORT_ASSERT (at < node->count);
    size_t after = (node->count - at - 1u) * sizeof (void *);
    memmove (node->slots + at, node->slots + at + 1, after);
    if (!leaf) {
        void **nodes = node->slots + node->capacity;
        memmove (nodes + at, nodes + at + 1, after);
    }
    node->count--;
}

/* Appends the slots of one node from `from` on to another. */
static void move_slots (struct children_node *to, struct children_node *from_node, unsigned from,
                        bool leaf)
{
    unsigned count = from_node->count - from;
    COHORT_ASSERT (to->count + count <= to->capacity);
    memcpy (to->slots + to->count, from_node->slots + from, count * sizeof (void *));
    if (!leaf) {
        memcpy (to->slots + to->capacity + to->count, from_node->slots + from_node->capacity + from,
                count * sizeof (void *));
    }
    to->count = (uint16_t) (to->count + count);
    from_node->count = (uint16_t) from;
}

/* ---- Ways -------------------------------------------------------------------------------- */

static int compare (const char *name, size_t size, const struct znode *znode)
{
    size_t common = size < znode->name_size ? size : znode->name_size;
    int order = memcmp (name, znode->bytes, common);
    return order != 0 ? order : size < znode->name_size ? -1 : size > znode->name_size ? 1 : 0;
}

/* How many slots lie at or below the name.  Names mostly come in ascending order. */
static unsigned rank (const struct children_node *node, const char *name, size_t size)
{
    unsigned low = 0;
    unsigned high = node->count;
    if (high > 0 && compare (name, size, lowest (node, high - 1)) >= 0) {
        return high;
    }
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (compare (name, size, lowest (node, middle)) >= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The way to where the first name above this one is, or would be; the last place may be behind the
 * leaf's last slot. */
static void descend (const struct children *self, const char *name, size_t size,
                     struct children_iterator *path)
{
    struct children_node *node = self->root;
    path->leaf = self->height;
    for (unsigned i = 0; i < path->leaf; i++) {
        unsigned at = rank (node, name, size);
        path->places[i] = (struct children_place){node, at > 0 ? at - 1 : 0};
        node = below (node, path->places[i].at);
    }
    path->places[path->leaf] = (struct children_place){node, rank (node, name, size)};
}

/* The way to the first slot, or behind the last one. */
static void descend_edge (const struct children *self, bool last, struct children_iterator *path)
{
    struct children_node *node = self->root;
    path->leaf = self->height;
    for (unsigned i = 0; i < path->leaf; i++) {
        path->places[i] = (struct children_place){node, last ? node->count - 1u : 0};
        node = below (node, path->places[i].at);
    }
    path->places[path->leaf] = (struct children_place){node, last ? node->count : 0};
}

/* From behind the last slot of a leaf to the first of the next; false: there is no next. */
static bool next_leaf (struct children_iterator *path)
{
    unsigned i = path->leaf;
    while (i > 0 && path->places[i - 1].at + 1 == path->places[i - 1].node->count) {
        i--;
    }
    if (i == 0) {
        return false;
    }
    path->places[i - 1].at++;
    for (; i <= path->leaf; i++) {
        path->places[i].node = below (path->places[i - 1].node, path->places[i - 1].at);
        path->places[i].at = 0;
    }
    return true;
}

/* From the first slot of a leaf to behind the last of the one before; false: there is none. */
static bool previous_leaf (struct children_iterator *path)
{
    unsigned i = path->leaf;
    while (i > 0 && path->places[i - 1].at == 0) {
        i--;
    }
    if (i == 0) {
        return false;
    }
    path->places[i - 1].at--;
    for (; i <= path->leaf; i++) {
        path->places[i].node = below (path->places[i - 1].node, path->places[i - 1].at);
        path->places[i].at = path->places[i].node->count - (i < path->leaf ? 1u : 0u);
    }
    return true;
}

/* The znode before the end of a way, to which the way is moved. */
static struct znode *before (struct children_iterator *path)
{
    struct children_place *end = &path->places[path->leaf];
    if (end->at == 0 && !previous_leaf (path)) {
        return NULL;
    }
    return lowest (end->node, --end->at);
}

/* ---- Changes ----------------------------------------------------------------------------- */

/* The node at this level begins with another znode than before: so do those above it. */
static void renew_lowest (struct children_iterator *path, unsigned level)
{
    struct znode *first = lowest (path->places[level].node, 0);
    while (level > 0) {
        struct children_place *above = &path->places[--level];
        above->node->slots[above->at] = first;
        if (above->at > 0) {
            return;
        }
    }
}

/* Gives the leaf another capacity; false: out of memory. */
static bool resize_leaf (struct children *self, struct children_iterator *path, unsigned capacity)
{
    struct children_place *leaf = &path->places[path->leaf];
    COHORT_ASSERT (capacity >= leaf->node->count);
    struct children_node *node =
        mem_realloc (leaf->node, sizeof (*node) + capacity * sizeof (void *));
    if (node == NULL) {
        return false;
    }
    node->capacity = (uint16_t) capacity;
    leaf->node = node;
    if (path->leaf == 0) {
        self->root = node;
    } else {
        struct children_place *above = &path->places[path->leaf - 1];
        above->node->slots[above->node->capacity + above->at] = node;
    }
    return true;
}

/* Where a full node is cut: at its end for a name behind all of them, so that ascending names
 * leave full nodes behind; else in the middle. */
static unsigned cut_at (const struct children_node *node, unsigned at)
{
    return at == node->count ? node->count : node->count / 2u;
}

/* The nodes that the splits along a way will take: one for each full level from the leaf up, and
 * a root above them if all are full.  Returns how many, -1: out of memory. */
static int nodes_for_splits (const struct children_iterator *path, struct children_node **nodes)
{
    int count = 0;
    for (unsigned level = path->leaf + 1; level-- > 0;) {
        const struct children_place *place = &path->places[level];
        if (place->node->count < SLOTS_MAX) {
            return count;
        }
        bool leaf = level == path->leaf;
        unsigned moved = place->node->count - cut_at (place->node, place->at);
        nodes[count] = node_new (leaf ? leaf_capacity (moved + 1) : SLOTS_MAX, leaf);
        count++;
        if (nodes[count - 1] == NULL) {
            break;
        }
    }
    if (nodes[count - 1] != NULL) {
        nodes[count++] = node_new (SLOTS_MAX, false);
    }
    if (nodes[count - 1] == NULL) {
        while (count-- > 0) {
            mem_free (nodes[count]);
        }
        return -1;
    }
    return count;
}

/* Splits the full node at this level and puts the znode (and node) into the half it belongs to. */
static void split (struct children_iterator *path, unsigned level, struct children_node *right,
                   struct znode *znode, struct children_node *child)
{
    struct children_place *place = &path->places[level];
    struct children_node *left = place->node;
    unsigned cut = cut_at (left, place->at);
    bool to_right = place->at > cut || cut == left->count;
    move_slots (right, left, cut, child == NULL);
    if (to_right) {
        put (right, place->at - cut, znode, child);
    } else {
        put (left, place->at, znode, child);
        if (place->at == 0) {
            renew_lowest (path, level);
        }
    }
}

/* Two neighbours hold 49 slots at least, so that the height's limit is far beyond 2^32 children. */
static void grow_root (struct children *self, struct children_node *root,
                       struct children_node *right)
{
    COHORT_ASSERT (self->height + 1 < CHILDREN_HEIGHT_MAX);
    put (root, 0, lowest (self->root, 0), self->root);
    put (root, 1, lowest (right, 0), right);
    self->root = root;
    self->height++;
}

bool children_insert (struct children *self, struct znode *child)
{
    COHORT_ASSERT (self->count < UINT32_MAX);
    if (self->root == NULL) {
        self->root = node_new (LEAF_SLOTS, true);
        if (self->root == NULL) {
            return false;
        }
    }
    struct children_iterator path;
    descend (self, child->bytes, child->name_size, &path);
    const struct children_node *leaf = path.places[path.leaf].node;
    unsigned at = path.places[path.leaf].at;
    COHORT_ASSERT (at == 0 || znode_compare_names (lowest (leaf, at - 1), child) < 0);
    struct children_node *nodes[CHILDREN_HEIGHT_MAX + 1];
    int spare = nodes_for_splits (&path, nodes);
    if (spare < 0 || (leaf->count == leaf->capacity && leaf->capacity < SLOTS_MAX &&
                      !resize_leaf (self, &path, 2u * leaf->capacity))) {
        return false;
    }
    struct znode *znode = child;
    struct children_node *node = NULL;
    unsigned level = path.leaf;
    for (int used = 0;; level--) {
        struct children_place *place = &path.places[level];
        if (place->node->count < SLOTS_MAX) {
            COHORT_ASSERT (used == spare);
            put (place->node, place->at, znode, node);
            if (place->at == 0) {
                renew_lowest (&path, level);
            }
            break;
        }
        struct children_node *right = nodes[used++];
        split (&path, level, right, znode, node);
        if (level == 0) {
            COHORT_ASSERT (used + 1 == spare);
            grow_root (self, nodes[used], right);
            break;
        }
        znode = lowest (right, 0);
        node = right;
        path.places[level - 1].at++;
    }
    self->count++;
    return true;
}

/* Joins the node at this level with a neighbour if the two are small; returns whether the level
 * above has lost a slot, which its place then names. */
static bool join_neighbour (struct children *self, struct children_iterator *path, unsigned level)
{
    struct children_place *place = &path->places[level];
    struct children_place *above = &path->places[level - 1];
    bool leaf = level == path->leaf;
    if (place->node->count >= SLOTS_LOW || above->node->count < 2) {
        return false;
    }
    if (above->at + 1 == above->node->count) {
        above->at--;
        place->node = below (above->node, above->at);
    }
    struct children_node *right = below (above->node, above->at + 1);
    unsigned together = place->node->count + right->count;
    if (together > SLOTS_JOINED) {
        return false;
    }
    if (place->node->capacity < together && !resize_leaf (self, path, leaf_capacity (together))) {
        return false; /* it can stay as it is */
    }
    move_slots (place->node, right, 0, leaf);
    mem_free (right);
    above->at++;
    return true;
}

void children_remove (struct children *self, const struct znode *child)
{
    COHORT_ASSERT (self->count > 0);
    struct children_iterator path;
    descend (self, child->bytes, child->name_size, &path);
    COHORT_ASSERT (before (&path) == child);
    for (unsigned level = path.leaf;; level--) {
        struct children_place *place = &path.places[level];
        take (place->node, place->at, level == path.leaf);
        if (place->node->count > 0 && place->at == 0) {
            renew_lowest (&path, level);
        }
        if (level == 0) {
            break;
        }
        if (place->node->count == 0) {
            mem_free (place->node);
        } else if (!join_neighbour (self, &path, level)) {
            break;
        }
    }
    self->count--;
    while (self->height > 0 && self->root->count == 1) {
        struct children_node *old = self->root;
        self->root = below (old, 0);
        self->height--;
        mem_free (old);
    }
    if (self->count == 0) {
        COHORT_ASSERT (self->height == 0);
        mem_free (self->root);
        self->root = NULL;
    }
}

/* ---- The whole --------------------------------------------------------------------------- */

void children_init (struct children *self)
{
    *self = (struct children){0};
}

/* Calls for each node, those below before those above. */
static void each_node (const struct children *self,
                       void (*fn) (struct children_node *node, bool leaf))
{
    if (self->root == NULL) {
        return;
    }
    struct children_iterator path;
    descend_edge (self, false, &path);
    bool more = true;
    while (more) {
        struct children_iterator next = path;
        more = next_leaf (&next);
        for (unsigned level = path.leaf + 1; level-- > 0;) {
            if (more && next.places[level].node == path.places[level].node) {
                break;
            }
            fn (path.places[level].node, level == path.leaf);
        }
        path = next;
    }
}

static void free_node (struct children_node *node, bool leaf)
{
    (void) leaf;
    mem_free (node);
}

void children_deinit (struct children *self)
{
    each_node (self, free_node);
    children_init (self);
}

struct znode *children_pop (struct children *self)
{
    while (self->root != NULL) {
        struct children_node *above = NULL;
        struct children_node *node = self->root;
        unsigned level = self->height;
        for (; level > 0 && node->count > 0; level--) {
            above = node;
            node = below (node, node->count - 1u);
        }
        if (node->count > 0) {
            return node->slots[--node->count];
        }
        /* All that was below it has gone. */
        mem_free (node);
        if (above != NULL) {
            above->count--;
        } else {
            self->root = NULL;
        }
    }
    return NULL;
}

static void check_node (struct children_node *node, bool leaf)
{
    COHORT_ASSERT (node->count > 0);
    COHORT_ASSERT (node->count <= node->capacity);
    COHORT_ASSERT (leaf || node->capacity == SLOTS_MAX);
    for (unsigned i = 0; i < node->count; i++) {
        COHORT_ASSERT (i == 0 || znode_compare_names (lowest (node, i - 1), lowest (node, i)) < 0);
        COHORT_ASSERT (leaf || lowest (below (node, i), 0) == lowest (node, i));
    }
}

struct order {
    const struct znode *last;
    uint32_t count;
};

static bool check_order (void *arg, const struct znode *child)
{
    struct order *order = arg;
    COHORT_ASSERT (order->last == NULL || znode_compare_names (order->last, child) < 0);
    order->last = child;
    order->count++;
    return true;
}

void children_check (const struct children *self)
{
    struct order order = {NULL, 0};
    COHORT_ASSERT ((self->root == NULL) == (self->count == 0));
    each_node (self, check_node);
    children_visit (self, NULL, check_order, &order);
    COHORT_ASSERT (order.count == self->count);
}

/* ---- Looking ----------------------------------------------------------------------------- */

struct znode *children_first (const struct children *self)
{
    struct children_iterator path;
    children_begin (self, &path);
    return children_next (&path);
}

struct znode *children_last (const struct children *self)
{
    struct children_iterator path;
    if (self->root == NULL) {
        return NULL;
    }
    descend_edge (self, true, &path);
    return before (&path);
}

void children_begin (const struct children *self, struct children_iterator *iterator)
{
    if (self->root != NULL) {
        descend_edge (self, false, iterator);
    } else {
        iterator->leaf = 0;
        iterator->places[0] = (struct children_place){NULL, 0};
    }
}

void children_seek (const struct children *self, const char *name, size_t size,
                    struct children_iterator *iterator)
{
    if (self->root != NULL) {
        descend (self, name, size, iterator);
    } else {
        children_begin (self, iterator);
    }
}

struct znode *children_next (struct children_iterator *iterator)
{
    struct children_place *end = &iterator->places[iterator->leaf];
    if (end->node == NULL || (end->at == end->node->count && !next_leaf (iterator))) {
        return NULL;
    }
    return lowest (end->node, end->at++);
}

/* Moves a way that was found by descend back to before the name itself, if that is there. */
static void back_to (struct children_iterator *path, const char *name, size_t size)
{
    struct children_iterator same = *path;
    const struct znode *znode = before (&same);
    if (znode != NULL && compare (name, size, znode) == 0) {
        *path = same;
    }
}

struct znode *children_above (const struct children *self, const char *name, size_t size)
{
    struct children_iterator path;
    children_seek (self, name, size, &path);
    return children_next (&path);
}

struct znode *children_below (const struct children *self, const char *name, size_t size)
{
    struct children_iterator path;
    if (self->root == NULL) {
        return NULL;
    }
    descend (self, name, size, &path);
    back_to (&path, name, size);
    return before (&path);
}

static bool visit_down (struct children_iterator *path, children_fn *fn, void *arg)
{
    struct znode *znode;
    while ((znode = before (path)) != NULL) {
        if (!fn (arg, znode)) {
            return false;
        }
    }
    return true;
}

static bool visit_up (struct children_iterator *path, children_fn *fn, void *arg)
{
    struct znode *znode;
    while ((znode = children_next (path)) != NULL) {
        if (!fn (arg, znode)) {
            return false;
        }
    }
    return true;
}

bool children_visit (const struct children *self, const struct children_range *range,
                     children_fn *fn, void *arg)
{
    static const struct children_range all = {0};
    const struct children_range *what = range != NULL ? range : &all;
    struct children_iterator path;
    if (self->root == NULL) {
        return true;
    }
    if (what->from == NULL) {
        descend_edge (self, what->descending, &path);
    } else {
        descend (self, what->from, what->size, &path);
        /* A descent ends behind the name: that is where it belongs to what comes next downwards. */
        if (what->inclusive != what->descending) {
            back_to (&path, what->from, what->size);
        }
    }
    return what->descending ? visit_down (&path, fn, arg) : visit_up (&path, fn, arg);
}
