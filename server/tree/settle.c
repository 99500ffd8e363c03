/*
 * server/tree/settle.c - a state from a snapshot: what needs all of its objects
 *
 * PURE.  Lists that image order does not give are put in order; then nothing may be missing, and
 * the digest must be that of the image.
 */
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/estate.h"
#include "server/tree/lapse.h"
#include "server/tree/loader.h"
#include "server/tree/system.h"

static uint64_t session_key (const struct list_node *node)
{
    return list_entry (node, const struct session, order)->id;
}

static uint64_t estate_key (const struct list_node *node)
{
    return list_entry (node, const struct estate, owned)->id;
}

static uint64_t ephemeral_key (const struct list_node *node)
{
    return list_entry (node, const struct tenure, node)->znode->czxid;
}

static void fail (struct tree_loader *self)
{
    sorting_abandon (&self->sorting);
    self->stage = STAGE_FAILED;
}

static void begin (struct tree_loader *self)
{
    struct tree *tree = self->tree;
    self->stage = STAGE_SESSIONS;
    if (self->rest.size > 0 || !sorting_begin (&self->sorting, &tree->session_order,
                                               map_count (&tree->sessions), session_key)) {
        fail (self);
    }
}

static void end (struct tree_loader *self)
{
    struct tree *tree = self->tree;
    tree->effects.floor = COHORT_MUTATED (past_taken_for_empty) ? 0 : tree->scalars.zxid;
    if (tree_digest (tree) == self->digest && system_adopt (tree)) {
        self->stage = STAGE_WHOLE;
    } else {
        fail (self);
    }
}

static struct session *present (const struct tree_loader *self)
{
    return list_entry (self->session, struct session, order);
}

/* Whether all results came, not more than the window has room for, and a session that is there has
 * a reason to. */
static bool session_whole (const struct tree *tree, const struct session *session)
{
    return ring_count (&session->results) <= tree->scalars.limits.window &&
           ring_count (&session->results) == session->last_number - session->acked &&
           !(session->dead && session->ephemeral_count == 0);
}

/* Looks at the present session. */
static void check_session (struct tree_loader *self)
{
    struct session *session = present (self);
    if (!session_whole (self->tree, session)) {
        fail (self);
        return;
    }
    if (session->dead) {
        list_push_back (&self->tree->dead, &session->dead_node);
    }
    self->session = list_next (&self->tree->session_order, self->session);
}

static void begin_estates (struct tree_loader *self)
{
    self->stage = STAGE_ESTATES;
    if (!sorting_begin (&self->sorting, &self->estates, map_count (&self->tree->estates),
                        estate_key)) {
        fail (self);
    }
}

/* The next estate becomes its session's, and its ephemerals begin to be put in order. */
static void next_estate (struct tree_loader *self)
{
    struct list_node *node = list_pop_front (&self->estates);
    self->sorts_ephemerals = false;
    if (node == NULL) {
        self->stage = STAGE_EACH;
        self->session = list_first (&self->tree->session_order);
        return;
    }
    struct estate *estate = list_entry (node, struct estate, owned);
    list_push_back (&estate->session->estates, node);
    if (estate->count == 0) {
        fail (self);
    } else if (estate->count > 1) {
        self->sorts_ephemerals =
            sorting_begin (&self->sorting, &estate->tenures, (size_t) estate->count, ephemeral_key);
        if (!self->sorts_ephemerals) {
            fail (self);
        }
    }
}

static void next_parent (struct tree_loader *self)
{
    if (self->parents_done == self->parents_count) {
        end (self);
        return;
    }
    const struct parent *parent = &self->parents[self->parents_done++];
    loader_add_digest (self, parent->znode, parent->name);
    if (!COHORT_MUTATED (lapses_not_loaded)) {
        lapse_update (self->tree, parent->znode);
    }
}

/* About as much work as one object is. */
static void step (struct tree_loader *self)
{
    switch (self->stage) {
    case STAGE_END:
        begin (self);
        return;
    case STAGE_SESSIONS:
        if (!sorting_step (&self->sorting, 1)) {
            begin_estates (self);
        }
        return;
    case STAGE_ESTATES:
        if (!sorting_step (&self->sorting, 1)) {
            self->stage = STAGE_OWNED;
        }
        return;
    case STAGE_OWNED:
        if (!self->sorts_ephemerals || !sorting_step (&self->sorting, 1)) {
            next_estate (self);
        }
        return;
    case STAGE_EACH:
        if (self->session == NULL) {
            self->stage = STAGE_PARENTS;
        } else {
            check_session (self);
        }
        return;
    case STAGE_PARENTS:
        next_parent (self);
        return;
    default: /* too early, or over */
        fail (self);
        return;
    }
}

bool tree_loader_settle (struct tree_loader *self, size_t objects)
{
    COHORT_ASSERT (objects > 0);
    for (size_t i = 0; i < objects && self->stage != STAGE_WHOLE && self->stage != STAGE_FAILED;
         i++) {
        step (self);
    }
    return self->stage != STAGE_WHOLE && self->stage != STAGE_FAILED;
}

bool tree_loader_whole (const struct tree_loader *self)
{
    return self->stage == STAGE_WHOLE;
}

struct tree *tree_loader_finish (struct tree_loader **self_p)
{
    COHORT_ASSERT (*self_p != NULL);
    while (tree_loader_settle (*self_p, SIZE_MAX)) {
    }
    bool whole = tree_loader_whole (*self_p);
    struct tree *tree = tree_loader_release (self_p);
    if (!whole) {
        tree_destroy (&tree);
    }
    return tree;
}
