/*
 * server/tree/snapshot.c - the state at one zxid, written while apply goes on
 *
 * PURE.
 *
 * Two sources feed the image.  The slices scan the tables, object by object.  Apply hands over
 * what it is about to change and the scan has not reached.  What was handed over waits in pieces
 * and is written before the scan goes on, so that the order of writing is the order of finding.
 * Whoever finds an object first writes before it what it refers to (its ancestors, its session),
 * which cannot have changed since the snapshot began, for then it would have been handed over.
 */
#include "server/tree/snapshot.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/buf.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "server/tree/image.h"
#include "server/tree/state.h"

enum {
    PIECE_SIZE = 64 << 10,
    /* Steps of a slice that find nothing to write: a few, and one more for so many bytes. */
    STEPS_MIN = 64,
    STEP_BYTES = 64
};

/* Whole records that were handed over. */
struct piece {
    struct list_node node;
    size_t size;
    size_t used;
    size_t read;
    uint8_t data[];
};

enum phase { PHASE_HEAD, PHASE_SESSIONS, PHASE_RESULTS, PHASE_ZNODES, PHASE_END, PHASE_DONE };

struct tree_snapshot {
    struct tree *tree;
    uint32_t generation;
    /* As of the beginning. */
    struct scalars scalars;
    struct image_counts counts;
    uint64_t digest;

    enum phase phase;
    struct map_cursor cursor; /* of the table of this phase */
    struct list_node *result; /* next of tree.results to be written; NULL: none */
    struct image_counts written;
    uint32_t ordinal; /* the newest */
    struct list pieces;
    struct buf record; /* what is being handed over */
    struct buf chain;  /* of struct znode *: ancestors to be written */
    bool failed;       /* memory ran out */
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
    COHORT_ASSERT (self->generation < UINT32_MAX);
    snapshot->tree = self;
    snapshot->generation = ++self->generation;
    snapshot->scalars = self->scalars;
    snapshot->counts.znodes = map_count (&self->znodes);
    snapshot->counts.sessions = map_count (&self->sessions);
    snapshot->counts.results = self->result_count;
    snapshot->digest = tree_digest (self);
    snapshot->phase = PHASE_HEAD;
    snapshot->result = list_first (&self->results);
    list_init (&snapshot->pieces);
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
    struct list_node *node;
    while ((node = list_pop_front (&self->pieces)) != NULL) {
        mem_free (list_entry (node, struct piece, node));
    }
    buf_deinit (&self->record);
    buf_deinit (&self->chain);
    mem_free (self);
    *self_p = NULL;
}

zxid_t tree_snapshot_zxid (const struct tree_snapshot *self)
{
    return self->scalars.zxid;
}

/* ---- Writing objects --------------------------------------------------------------------- */

static void write_session (struct tree_snapshot *self, struct session *session, struct buf *out)
{
    if (session->generation == self->generation) {
        return;
    }
    session->generation = self->generation;
    image_put_session (out, session);
    self->written.sessions++;
}

static void write_result (struct tree_snapshot *self, struct stored *stored, struct buf *out)
{
    COHORT_ASSERT (stored->generation != self->generation);
    write_session (self, stored->session, out);
    stored->generation = self->generation;
    image_put_result (out, stored);
    self->written.results++;
}

/* One znode; its parent and its session are written already. */
static void write_one (struct tree_snapshot *self, struct znode *znode, struct buf *out)
{
    struct znode *parent = znode->parent;
    struct family *family = znode_family (znode);
    znode->generation = self->generation;
    if (family != NULL) {
        family->ordinal = ++self->ordinal;
        COHORT_ASSERT (self->ordinal != 0);
    }
    image_put_znode (out, znode, parent != NULL ? parent->u.family->ordinal : 0);
    self->written.znodes++;
}

/* A znode, after all of its ancestors that are not written yet. */
static void write_znode (struct tree_snapshot *self, struct znode *znode, struct buf *out)
{
    COHORT_ASSERT (znode->generation != self->generation);
    struct tenure *tenure = znode_tenure (znode);
    if (tenure != NULL) {
        write_session (self, tenure->session, out);
    }
    buf_clear (&self->chain);
    for (struct znode *at = znode->parent; at != NULL && at->generation != self->generation;
         at = at->parent) {
        buf_append (&self->chain, &at, sizeof (struct znode *));
    }
    if (self->chain.failed) {
        self->failed = true;
        return;
    }
    for (size_t end = self->chain.size; end > 0; end -= sizeof (struct znode *)) {
        struct znode *ancestor;
        memcpy (&ancestor, self->chain.data + end - sizeof (ancestor), sizeof (ancestor));
        write_one (self, ancestor, out);
    }
    write_one (self, znode, out);
}

/* ---- Handing over ------------------------------------------------------------------------ */

/* What was written into self->record goes to the end of the pieces. */
static void keep_record (struct tree_snapshot *self)
{
    struct list_node *last = list_last (&self->pieces);
    struct piece *piece = last != NULL ? list_entry (last, struct piece, node) : NULL;
    size_t size = self->record.size;
    if (piece == NULL || piece->size - piece->used < size) {
        size_t room = size > PIECE_SIZE ? size : PIECE_SIZE;
        piece = self->record.failed ? NULL : mem_alloc (sizeof (*piece) + room);
        if (piece == NULL) {
            self->failed = true;
            return;
        }
        *piece = (struct piece){.size = room};
        list_push_back (&self->pieces, &piece->node);
    }
    if (self->record.failed) {
        self->failed = true;
        return;
    }
    if (size > 0) {
        memcpy (piece->data + piece->used, self->record.data, size);
        piece->used += size;
    }
}

void snapshot_hand_over_znode (struct tree_snapshot *self, struct znode *znode)
{
    if (self->failed) {
        return;
    }
    buf_clear (&self->record);
    write_znode (self, znode, &self->record);
    keep_record (self);
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

/* Writes what was handed over, record by record, until `out` has `full` bytes. */
static void drain_pieces (struct tree_snapshot *self, struct buf *out, size_t full)
{
    struct list_node *first;
    while (out->size < full && (first = list_first (&self->pieces)) != NULL) {
        struct piece *piece = list_entry (first, struct piece, node);
        size_t begin = piece->read;
        size_t room = full - out->size;
        while (piece->read < piece->used && piece->read - begin < room) {
            piece->read += 4 + (size_t) bytes_get_u32 (piece->data + piece->read);
        }
        COHORT_ASSERT (piece->read <= piece->used);
        buf_append (out, piece->data + begin, piece->read - begin);
        if (piece->read == piece->used) {
            list_remove (&piece->node);
            mem_free (piece);
        }
    }
}

struct visit {
    struct tree_snapshot *snapshot;
    struct buf *out;
};

static void visit_session (struct map_node *node, void *arg)
{
    struct visit *visit = arg;
    write_session (visit->snapshot, map_entry (node, struct session, node), visit->out);
}

static void visit_znode (struct map_node *node, void *arg)
{
    struct visit *visit = arg;
    struct znode *znode = map_entry (node, struct znode, node);
    if (znode->generation != visit->snapshot->generation) {
        write_znode (visit->snapshot, znode, visit->out);
    }
}

static void enter (struct tree_snapshot *self, enum phase phase)
{
    self->phase = phase;
    self->cursor = (struct map_cursor){0};
}

/* The next result in the order of age.  The first that is of this generation, and so was stored
 * later, ends them: those behind it are newer still. */
static void step_results (struct tree_snapshot *self, struct buf *out)
{
    struct stored *stored =
        self->result != NULL ? list_entry (self->result, struct stored, node) : NULL;
    if (stored == NULL || stored->generation == self->generation) {
        enter (self, PHASE_ZNODES);
        return;
    }
    self->result = list_next (&self->tree->results, self->result);
    write_result (self, stored, out);
}

/* A bounded piece of the work of a phase. */
static void step (struct tree_snapshot *self, struct buf *out)
{
    struct visit visit = {self, out};
    switch (self->phase) {
    case PHASE_HEAD:
        image_put_head (out, &self->scalars);
        enter (self, PHASE_SESSIONS);
        return;
    case PHASE_SESSIONS:
        if (!map_scan (&self->tree->sessions, &self->cursor, visit_session, &visit)) {
            enter (self, PHASE_RESULTS);
        }
        return;
    case PHASE_RESULTS:
        step_results (self, out);
        return;
    case PHASE_ZNODES:
        if (!map_scan (&self->tree->znodes, &self->cursor, visit_znode, &visit)) {
            enter (self, PHASE_END);
        }
        return;
    case PHASE_END:
        COHORT_ASSERT (list_empty (&self->pieces));
        COHORT_ASSERT (self->failed || self->written.znodes == self->counts.znodes);
        COHORT_ASSERT (self->failed || self->written.sessions == self->counts.sessions);
        COHORT_ASSERT (self->failed || self->written.results == self->counts.results);
        image_put_end (out, &self->counts, self->digest);
        enter (self, PHASE_DONE);
        return;
    case PHASE_DONE:
        return;
    }
}

bool tree_snapshot_next (struct tree_snapshot *self, struct buf *out, size_t budget)
{
    COHORT_ASSERT (budget > 0);
    size_t full = out->size + budget;
    size_t steps_max = STEPS_MIN + budget / STEP_BYTES;
    if (self->phase == PHASE_HEAD) {
        step (self, out);
    }
    drain_pieces (self, out, full);
    for (size_t i = 0; i < steps_max && out->size < full && self->phase != PHASE_DONE; i++) {
        step (self, out);
    }
    if (self->failed) {
        out->failed = true;
    }
    return self->phase != PHASE_DONE && !out->failed;
}
