/*
 * server/tree/tree.c - a state comes and goes, and says what it is
 *
 * PURE.
 */
#include "server/tree/tree.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/tree/digest.h"
#include "server/tree/estate.h"
#include "server/tree/path.h"
#include "server/tree/state.h"

/* Giving back a chunk of the ring costs about as much as freeing so many objects. */
enum { EFFECTS_CHUNK_OBJECTS = 64 };

/* ---- Life -------------------------------------------------------------------------------- */

struct tree *tree_new (const struct tree_options *options)
{
    struct tree *self = mem_calloc (1, sizeof (*self));
    if (self == NULL) {
        return NULL;
    }
    slab_init (&self->slab);
    if (options != NULL) {
        slab_foresee (&self->slab, options->foresight);
    }
    map_init (&self->znodes);
    map_init (&self->acls);
    map_init (&self->sessions);
    map_init (&self->nonces);
    heap_init (&self->lapses);
    list_init (&self->session_order);
    list_init (&self->dead);
    map_init (&self->estates);
    list_init (&self->idle);
    list_init (&self->results);
    effects_init (&self->effects, options != NULL ? options->effects_bytes_max : 0, 0);
    self->root = znode_new (&self->slab, "", 0, NULL, 0, COHORT_PERSISTENT);
    self->scratch = mem_calloc (1, sizeof (*self->scratch));
    if (self->root == NULL || self->scratch == NULL ||
        !znode_need_family (&self->slab, self->root)) {
        if (self->root != NULL) {
            znode_free (&self->slab, self->root);
        }
        slab_deinit (&self->slab);
        mem_free (self->scratch);
        mem_free (self);
        return NULL;
    }
    self->first_sequence = options != NULL ? options->first_sequence : 0;
    self->root->u.family->sequence = self->first_sequence;
    self->root->node.hash = tree_path_hash_root (options != NULL ? options->hash_seed : 0);
    map_insert (&self->znodes, &self->root->node);
    self->root->data_digest = digest_data (self->root);
    self->root->stat_digest = digest_stat (self->root);
    self->digest = digest_share (PATH_HASH_ROOT, self->root->data_digest) +
                   digest_share (PATH_HASH_ROOT, self->root->stat_digest);
    return self;
}

void tree_foresee (struct tree *self, struct slab_foresight foresight)
{
    slab_foresee (&self->slab, foresight);
}

/* Frees one znode below the doomed one, or makes it the doomed one; or that itself.  The last
 * children go first: nothing but their names' tree is looked at, for the index goes as a
 * whole. */
static void free_one (struct tree *self)
{
    struct znode *above = self->doomed;
    struct family *family = znode_family (above);
    struct znode *child = family != NULL ? children_pop (&family->children) : NULL;
    if (child == NULL) {
        self->doomed = above->parent;
        znode_free (&self->slab, above);
        return;
    }
    if (znode_child_count (child) > 0) {
        self->doomed = child;
    } else {
        znode_free (&self->slab, child);
    }
}

/* A slice of the end. */
struct slice {
    struct tree *tree;
    size_t done;
};

static void free_session (struct map_node *node, void *arg)
{
    struct slice *slice = arg;
    struct session *session = map_entry (node, struct session, node);
    map_remove (&slice->tree->sessions, node);
    slice->done += 1 + ring_count (&session->results);
    session_release (&slice->tree->slab, session);
}

static void free_estate (struct map_node *node, void *arg)
{
    struct slice *slice = arg;
    map_remove (&slice->tree->estates, node);
    slice->done++;
    estate_release (map_entry (node, struct estate, node));
}

static void free_acl (struct map_node *node, void *arg)
{
    (void) arg;
    acl_free (map_entry (node, struct acl, node));
}

static void free_rest (struct tree *self)
{
    slab_deinit (&self->slab);
    map_deinit (&self->znodes);
    map_drain (&self->acls, free_acl, NULL);
    map_deinit (&self->estates);
    map_deinit (&self->sessions);
    map_deinit (&self->nonces);
    heap_deinit (&self->lapses);
    effects_deinit (&self->effects);
    if (self->undo.steps != NULL) {
        arena_deinit (&self->undo.data);
        mem_free (self->undo.steps);
    }
    buf_deinit (&self->path);
    buf_deinit (&self->created);
    buf_deinit (&self->result);
    buf_deinit (&self->identities);
    buf_deinit (&self->acl);
    buf_deinit (&self->scratch->get_path);
    buf_deinit (&self->scratch->list_end);
    buf_deinit (&self->scratch->quota_path);
    mem_free (self->scratch);
    mem_free (self);
}

bool tree_dismantle (struct tree **self_p, size_t objects)
{
    struct tree *self = *self_p;
    COHORT_ASSERT (objects > 0);
    if (self == NULL) {
        return false;
    }
    COHORT_ASSERT (self->snapshot == NULL);
    COHORT_ASSERT (!self->undo.active);
    struct slice slice = {.tree = self};
    if (self->root != NULL) {
        self->doomed = self->root;
        self->root = NULL;
    }
    while (slice.done < objects && effects_drop_chunk (&self->effects)) {
        slice.done += EFFECTS_CHUNK_OBJECTS;
    }
    for (; slice.done < objects && self->doomed != NULL; slice.done++) {
        free_one (self);
    }
    while (slice.done < objects && map_count (&self->estates) > 0) {
        (void) map_scan (&self->estates, &self->freed_estates, free_estate, &slice);
        slice.done++;
    }
    while (slice.done < objects && map_count (&self->sessions) > 0) {
        (void) map_scan (&self->sessions, &self->freed, free_session, &slice);
        slice.done++;
    }
    if (slice.done >= objects) {
        return true;
    }
    free_rest (self);
    *self_p = NULL;
    return false;
}

void tree_destroy (struct tree **self_p)
{
    while (tree_dismantle (self_p, SIZE_MAX)) {
    }
}

/* ---- What it says of itself -------------------------------------------------------------- */

zxid_t tree_zxid (const struct tree *self)
{
    return self->scalars.zxid;
}

int64_t tree_stamp_ms (const struct tree *self)
{
    return self->scalars.stamp_ms;
}

uint64_t tree_digest (const struct tree *self)
{
    return self->digest + digest_scalars (&self->scalars);
}

uint64_t tree_node_count (const struct tree *self)
{
    return map_count (&self->znodes);
}

static bool founded (const struct tree *self)
{
    return self->scalars.level > 0;
}

const uint8_t *tree_cluster_id (const struct tree *self)
{
    return founded (self) ? self->scalars.cluster_id : NULL;
}

const struct config_set *tree_configs (const struct tree *self)
{
    return founded (self) ? &self->scalars.configs : NULL;
}

const struct entry_limits *tree_limits (const struct tree *self)
{
    return founded (self) ? &self->scalars.limits : NULL;
}

uint8_t tree_level (const struct tree *self)
{
    return self->scalars.level;
}
