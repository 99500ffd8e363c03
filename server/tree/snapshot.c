/*
 * server/tree/snapshot.c - the state at one zxid, written while apply goes on
 *
 * PURE.
 *
 * Two sources feed the image.  The slices go through the state, object by object, znodes in the
 * order of their paths: that is how they are loaded fastest.  Apply hands over what it is about to
 * change and the slices have not reached.  Before a znode come its ancestors: those that are not
 * written yet are put into the backlog, root first, where their data need not be copied unless they
 * change. What waits in the backlog is written before the tour goes on, so that the order of
 * writing is the order of finding, and a znode's ordinal is known when it is found.
 */
#include "server/tree/snapshot.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/buf.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "client/base/mutation.h"
#include "server/tree/backlog.h"
#include "server/tree/estate.h"
#include "server/tree/image.h"
#include "server/tree/state.h"
#include "server/tree/tour.h"
#include "server/tree/verify.h"

/* What a slice looks at: a few objects (or runs of empty buckets), and one more for so many bytes
 * of its budget. */
enum { LOOKS_MIN = 8, LOOK_BYTES = 128 };

/* What needs no writing counts less: newer znodes must not come faster than they are passed. */
enum { PASSES_A_LOOK = 8 };

enum phase { PHASE_HEAD, PHASE_SESSIONS, PHASE_RESULTS, PHASE_ZNODES, PHASE_END, PHASE_DONE };

struct tree_snapshot {
    struct tree *tree;
    uint32_t generation;
    /* As of the beginning. */
    struct scalars scalars;
    struct image_counts counts;
    uint64_t digest;

    enum phase phase;
    struct map_cursor cursor; /* SESSIONS */
    struct tour tour;         /* ZNODES */
    struct list_node *result; /* next of tree.results to be written; NULL: none */
    struct image_counts written;
    uint32_t ordinal; /* the newest */
    uint32_t acls;    /* lists that are written */
    struct backlog backlog;
    struct buf record; /* what is being handed over */
    struct buf chain;  /* of struct znode *: ancestors to be written */
    size_t looked;     /* at so many objects, in the newest slice */
    size_t passed;     /* and so many that were not to be written */
    bool failed;       /* memory ran out, or damage was found */
};

struct tree_snapshot *tree_snapshot_begin (struct tree *self)
{
    if (self->snapshot != NULL) {
        return NULL;
    }
    struct tree_snapshot *snapshot = mem_calloc (1, sizeof (*snapshot));
    if (snapshot == NULL) {
        return NULL;
    }
    COHORT_ASSERT (self->generation < ZNODE_GENERATION_MAX);
    snapshot->tree = self;
    snapshot->generation = ++self->generation;
    snapshot->scalars = self->scalars;
    snapshot->counts.znodes = map_count (&self->znodes);
    snapshot->counts.sessions = map_count (&self->sessions);
    snapshot->counts.results = self->result_count;
    snapshot->digest = tree_digest (self);
    snapshot->phase = PHASE_HEAD;
    snapshot->result = list_first (&self->results);
    backlog_init (&snapshot->backlog);
    tour_init (&snapshot->tour, self);
    self->snapshot = snapshot;
    return snapshot;
}

void tree_snapshot_end (struct tree_snapshot **self_p)
{
    struct tree_snapshot *self = *self_p;
    if (self == NULL) {
        return;
    }
    COHORT_ASSERT (self->tree->snapshot == self);
    self->tree->snapshot = NULL;
    backlog_clear (&self->backlog);
    tour_deinit (&self->tour);
    buf_deinit (&self->record);
    buf_deinit (&self->chain);
    mem_free (self);
    *self_p = NULL;
}

zxid_t tree_snapshot_zxid (const struct tree_snapshot *self)
{
    return self->scalars.zxid;
}

/* What has been found is lost, and the snapshot with it. */
static void fail (struct tree_snapshot *self)
{
    self->failed = true;
    backlog_clear (&self->backlog);
}

/* ---- Writing objects: each may find that it is damaged ------------------------------------ */

static void write_session (struct tree_snapshot *self, struct session *session, struct buf *out)
{
    if (session->generation == self->generation) {
        return;
    }
    session->generation = self->generation;
    if (!verify_session (self->tree, session)) {
        fail (self);
        return;
    }
    image_put_session (out, session);
    self->written.sessions++;
}

/* There is no phase of its own for estates: each has ephemerals, and comes before their first. */
static void write_estate (struct tree_snapshot *self, struct estate *estate, struct buf *out)
{
    if (estate->generation == self->generation) {
        return;
    }
    write_session (self, estate->session, out);
    estate->generation = self->generation;
    if (!verify_estate (self->tree, estate)) {
        fail (self);
        return;
    }
    image_put_estate (out, estate);
}

static void write_result (struct tree_snapshot *self, struct stored *stored, struct buf *out)
{
    COHORT_ASSERT (stored->generation != self->generation);
    write_session (self, stored->session, out);
    stored->generation = self->generation;
    if (!verify_result (self->tree, stored)) {
        fail (self);
        return;
    }
    image_put_result (out, stored);
    self->written.results++;
}

static void write_acl (struct tree_snapshot *self, struct acl *acl, struct buf *out)
{
    if (acl == NULL || acl->generation == self->generation) {
        return;
    }
    acl->generation = self->generation;
    acl->ordinal = ++self->acls;
    COHORT_ASSERT (self->acls != 0);
    if (!verify_acl (self->tree, acl)) {
        fail (self);
        return;
    }
    image_put_acl (out, acl);
}

/* The lists that a znode refers to. */
static void write_acls (struct tree_snapshot *self, const struct znode *znode, struct buf *out)
{
    const struct family *family = znode_family (znode);
    write_acl (self, znode_acl (znode), out);
    if (family != NULL) {
        write_acl (self, family->inherited, out);
    }
}

/* One znode, found now or waiting in the backlog; its parent has an ordinal. */
static void write_znode (struct tree_snapshot *self, struct znode *znode, struct buf *out)
{
    COHORT_ASSERT (znode->generation != self->generation);
    struct znode *parent = znode->parent;
    struct family *family = znode_family (znode);
    struct tenure *tenure = znode_tenure (znode);
    if (tenure != NULL) {
        write_estate (self, tenure->estate, out);
    }
    write_acls (self, znode, out);
    znode_set_generation (znode, self->generation);
    if (family != NULL && family->waiting == NULL) {
        family->ordinal = ++self->ordinal;
        COHORT_ASSERT (self->ordinal != 0);
    }
    if (!verify_znode (self->tree, znode)) {
        fail (self);
        return;
    }
    image_put_znode (out, znode, parent != NULL ? parent->u.family->ordinal : 0);
    self->written.znodes++;
}

/* ---- The backlog ------------------------------------------------------------------------- */

/* What was written into self->record goes to the end of the backlog. */
static void keep_record (struct tree_snapshot *self)
{
    const struct buf *record = &self->record;
    if (self->failed) {
        return;
    }
    if (record->failed ||
        (record->size > 0 && !backlog_add_record (&self->backlog, record->data, record->size))) {
        fail (self);
    }
}

/* Sees to it that all ancestors of a znode are written, or wait in the backlog; what they refer to
 * goes before them, for others may refer to it from now on. */
static void queue_ancestors (struct tree_snapshot *self, const struct znode *znode)
{
    buf_clear (&self->chain);
    for (struct znode *at = znode->parent;
         at != NULL && at->generation != self->generation && at->u.family->waiting == NULL;
         at = at->parent) {
        buf_append (&self->chain, &at, sizeof (struct znode *));
    }
    if (self->chain.failed) {
        fail (self);
        return;
    }
    for (size_t end = self->chain.size; end > 0; end -= sizeof (struct znode *)) {
        struct znode *ancestor;
        memcpy (&ancestor, self->chain.data + end - sizeof (ancestor), sizeof (ancestor));
        buf_clear (&self->record);
        write_acls (self, ancestor, &self->record);
        keep_record (self);
        if (self->failed || !backlog_add_znode (&self->backlog, ancestor)) {
            fail (self);
            return;
        }
        ancestor->u.family->ordinal = ++self->ordinal;
        COHORT_ASSERT (self->ordinal != 0);
    }
}

/* What was written into self->record was a znode that waits. */
static void replace_place (struct tree_snapshot *self, struct znode *znode)
{
    const struct buf *record = &self->record;
    if (self->failed) {
        return;
    }
    if (record->failed || !backlog_replace_znode (znode, record->data, record->size)) {
        fail (self);
    }
}

void snapshot_hand_over_znode (struct tree_snapshot *self, struct znode *znode)
{
    const struct family *family = znode_family (znode);
    bool waits = family != NULL && family->waiting != NULL;
    if (self->failed || COHORT_MUTATED (snapshot_not_exact)) {
        return;
    }
    if (!waits) {
        queue_ancestors (self, znode);
    }
    if (self->failed) {
        return;
    }
    buf_clear (&self->record);
    write_znode (self, znode, &self->record);
    if (waits) {
        replace_place (self, znode);
    } else {
        keep_record (self);
    }
}

void snapshot_hand_over_session (struct tree_snapshot *self, struct session *session)
{
    if (self->failed) {
        return;
    }
    buf_clear (&self->record);
    write_session (self, session, &self->record);
    keep_record (self);
}

void snapshot_hand_over_estate (struct tree_snapshot *self, struct estate *estate)
{
    if (self->failed) {
        return;
    }
    buf_clear (&self->record);
    write_estate (self, estate, &self->record);
    keep_record (self);
}

void snapshot_result_goes (struct tree_snapshot *self, struct stored *stored)
{
    if (self->result == &stored->node) {
        self->result = list_next (&self->tree->results, &stored->node);
    }
    if (self->failed || stored->generation == self->generation) {
        return;
    }
    buf_clear (&self->record);
    write_result (self, stored, &self->record);
    keep_record (self);
}

/* ---- Slices ------------------------------------------------------------------------------ */

/* Writes the first of what waits. */
static void step_backlog (struct tree_snapshot *self, struct buf *out)
{
    struct backlog_item item;
    bool there = backlog_first (&self->backlog, &item);
    COHORT_ASSERT (there);
    self->looked++;
    if (item.znode != NULL) {
        write_znode (self, item.znode, out);
    } else {
        buf_append (out, item.record, item.size);
    }
    if (!self->failed) {
        backlog_pop (&self->backlog);
    }
}

struct visit {
    struct tree_snapshot *snapshot;
    struct buf *out;
};

static void visit_session (struct map_node *node, void *arg)
{
    struct visit *visit = arg;
    visit->snapshot->looked++;
    write_session (visit->snapshot, map_entry (node, struct session, node), visit->out);
}

static void step_sessions (struct tree_snapshot *self, struct buf *out)
{
    struct visit visit = {self, out};
    if (!map_scan (&self->tree->sessions, &self->cursor, visit_session, &visit)) {
        self->phase = PHASE_RESULTS;
    }
}

/* The next znode, or a step on the way there.  Its ancestors are written, for they came before, or
 * were handed over. */
static void step_znodes (struct tree_snapshot *self, struct buf *out)
{
    struct znode *znode;
    if (self->written.znodes == self->counts.znodes) {
        self->phase = PHASE_END; /* what lies behind is newer */
        return;
    }
    bool more = tour_next (&self->tour, &znode);
    if (tour_failed (&self->tour)) {
        fail (self);
        return;
    }
    COHORT_ASSERT (more);
    if (znode != NULL && znode->generation != self->generation) {
        COHORT_ASSERT (znode->parent == NULL || znode->parent->generation == self->generation);
        write_znode (self, znode, out);
    } else if (++self->passed % PASSES_A_LOOK != 0) {
        self->looked--;
    }
}

/* The next result in the order of age.  The first that is of this generation, and so was stored
 * later, ends them: those behind it are newer still. */
static void step_results (struct tree_snapshot *self, struct buf *out)
{
    struct stored *stored =
        self->result != NULL ? list_entry (self->result, struct stored, node) : NULL;
    if (stored == NULL || stored->generation == self->generation) {
        self->phase = PHASE_ZNODES;
        return;
    }
    self->result = list_next (&self->tree->results, self->result);
    write_result (self, stored, out);
}

static void step_end (struct tree_snapshot *self, struct buf *out)
{
    COHORT_ASSERT (self->written.znodes == self->counts.znodes);
    COHORT_ASSERT (self->written.sessions == self->counts.sessions);
    COHORT_ASSERT (self->written.results == self->counts.results);
    image_put_end (out, &self->counts, self->digest);
    self->phase = PHASE_DONE;
}

/* A bounded piece of the work of a phase; the backlog is empty. */
static void step (struct tree_snapshot *self, struct buf *out)
{
    self->looked++;
    switch (self->phase) {
    case PHASE_HEAD:
        image_put_head (out, &self->scalars);
        self->phase = PHASE_SESSIONS;
        return;
    case PHASE_SESSIONS:
        step_sessions (self, out);
        return;
    case PHASE_RESULTS:
        step_results (self, out);
        return;
    case PHASE_ZNODES:
        step_znodes (self, out);
        return;
    case PHASE_END:
        step_end (self, out);
        return;
    case PHASE_DONE:
        return;
    }
}

bool tree_snapshot_next (struct tree_snapshot *self, struct buf *out, size_t budget)
{
    COHORT_ASSERT (budget > 0);
    size_t full = out->size + budget;
    size_t looks_max = LOOKS_MIN + budget / LOOK_BYTES;
    self->looked = self->passed = 0;
    tour_resume (&self->tour);
    while (self->phase != PHASE_DONE && !self->failed && !out->failed && out->size < full &&
           self->looked < looks_max) {
        /* The head is the first of all, whatever waits. */
        if (self->phase != PHASE_HEAD && !backlog_empty (&self->backlog)) {
            step_backlog (self, out);
        } else {
            step (self, out);
        }
    }
    if (self->failed) {
        out->failed = true;
    }
    return self->phase != PHASE_DONE && !out->failed;
}

bool snapshot_failed (const struct tree_snapshot *self)
{
    return self->failed;
}

size_t snapshot_looked (const struct tree_snapshot *self)
{
    return self->looked;
}
