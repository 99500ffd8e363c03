/* rebuild.c: see rebuild.h. */

#include "server/node/rebuild.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/node/error_text.h"

void rebuild_init (struct rebuild *self, struct store *store, struct retired *retired,
                   const struct tree_options *tree_options, const struct logger *logger)
{
    memset (self, 0, sizeof *self);
    self->store = store;
    self->retired = retired;
    self->tree_options = *tree_options;
    self->logger = *logger;
}

void rebuild_abort (struct rebuild *self)
{
    store_reader_destroy (&self->reader);
    mem_free (self->piece);
    self->piece = NULL;
    if (self->loader != NULL) {
        self->tree = tree_loader_release (&self->loader);
    }
    retired_add (self->retired, &self->tree);
    self->phase = REBUILD_NONE;
}

void rebuild_deinit (struct rebuild *self)
{
    rebuild_abort (self);
}

static void fail (struct rebuild *self, int code)
{
    COHORT_ASSERT (code != 0);
    rebuild_abort (self);
    self->phase = REBUILD_FAILED;
    self->code = code;
}

static void begin_reading (struct rebuild *self, const struct store_snapshot_info *info)
{
    self->piece = mem_alloc (REBUILD_PIECE);
    self->loader = tree_loader_new (&self->tree_options);
    if (self->piece == NULL || self->loader == NULL) {
        fail (self, COHORT_ENOMEM);
        return;
    }
    self->from = info->point.zxid;
    self->point = info->point;
    self->offset = 0;
    self->phase = REBUILD_READING;
}

/* Everything that ever happened is in the log. */
static void begin_with_log (struct rebuild *self)
{
    struct zab_point base;
    int64_t stamp_ms = 0;
    store_base (self->store, &base, &stamp_ms);
    if (base.zxid != 0) {
        fail (self, COHORT_ECORRUPT);
        return;
    }
    self->tree = tree_new (&self->tree_options);
    if (self->tree == NULL) {
        fail (self, COHORT_ENOMEM);
        return;
    }
    self->from = 0;
    self->point = base;
    self->phase = REBUILD_REPLAYING;
}

void rebuild_begin (struct rebuild *self, zxid_t below)
{
    struct store_snapshot_info info;
    rebuild_abort (self);
    if (below == 0) {
        fail (self, COHORT_ECORRUPT);
        return;
    }
    int code = store_reader_below (self->store, below, &self->reader, &info);
    while (code == COHORT_ECORRUPT) {
        logger_write (&self->logger, LOG_ERROR, "snapshot-rejected",
                      "zxid=%" PRIx64 " reason=\"%s\"", info.point.zxid, error_text (code));
        code = store_reader_below (self->store, info.point.zxid, &self->reader, &info);
    }
    if (code == 0) {
        begin_reading (self, &info);
    } else if (code == COHORT_ESTATE) {
        begin_with_log (self);
    } else {
        fail (self, code);
    }
    if (self->phase != REBUILD_FAILED) {
        logger_write (&self->logger, LOG_INFO, "state-rebuilding", "from=%" PRIx64, self->from);
    }
}

/* This snapshot is of no use: the one before it may be. */
static void reject (struct rebuild *self)
{
    logger_write (&self->logger, LOG_ERROR, "snapshot-rejected", "zxid=%" PRIx64 " reason=\"%s\"",
                  self->from, error_text (COHORT_ECORRUPT));
    rebuild_begin (self, self->from);
}

static void read_piece (struct rebuild *self)
{
    size_t done = 0;
    int code = store_reader_read (self->reader, self->offset, self->piece, REBUILD_PIECE, &done);
    if (code == COHORT_ECORRUPT ||
        (code == 0 && done > 0 && !tree_loader_feed (self->loader, self->piece, done))) {
        reject (self);
    } else if (code != 0) {
        fail (self, code);
    } else if (done > 0) {
        self->offset += done;
    } else {
        self->phase = REBUILD_SETTLING;
    }
}

/* The reader stays: as long as it does, so does the log behind the snapshot. */
static void settle (struct rebuild *self)
{
    if (tree_loader_settle (self->loader, REBUILD_OBJECTS)) {
        return;
    }
    bool whole = tree_loader_whole (self->loader);
    self->tree = tree_loader_release (&self->loader);
    if (whole && tree_zxid (self->tree) == self->from) {
        self->phase = REBUILD_REPLAYING;
    } else {
        reject (self);
    }
}

/* false: it cannot go on; what is left of this attempt is in the phase. */
static bool apply_some (struct rebuild *self, zxid_t through)
{
    struct zab_entry entries[REBUILD_ENTRIES];
    size_t count = store_read (self->store, self->point.zxid, through, REBUILD_BYTES, entries,
                               REBUILD_ENTRIES);
    if (count == 0) {
        fail (self, COHORT_ECORRUPT);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct tree_outcome outcome;
        if (!tree_apply (self->tree, entries[i].zxid, entries[i].stamp_ms, entries[i].data,
                         entries[i].size, &outcome)) {
            fail (self, COHORT_EUNSUPPORTED);
            return false;
        }
        self->point = (struct zab_point){entries[i].zxid, entries[i].chain};
    }
    if (tree_damage (self->tree) != NULL) {
        rebuild_begin (self, UINT64_MAX); /* this one has rotted as well */
        return false;
    }
    return true;
}

static void replay (struct rebuild *self, zxid_t through)
{
    for (size_t i = 0; i < REBUILD_READS && self->point.zxid < through; i++) {
        if (!apply_some (self, through)) {
            return;
        }
    }
    if (self->point.zxid >= through) {
        self->phase = REBUILD_READY;
    }
}

bool rebuild_turn (struct rebuild *self, zxid_t through)
{
    switch (self->phase) {
    case REBUILD_READING:
        read_piece (self);
        break;
    case REBUILD_SETTLING:
        settle (self);
        break;
    case REBUILD_REPLAYING:
        replay (self, through);
        break;
    case REBUILD_NONE:
    case REBUILD_READY:
    case REBUILD_FAILED:
        return false;
    }
    return self->phase != REBUILD_READY && self->phase != REBUILD_FAILED;
}

struct tree *rebuild_take (struct rebuild *self, struct zab_point *point)
{
    COHORT_ASSERT (self->phase == REBUILD_READY);
    struct tree *tree = self->tree;
    self->tree = NULL;
    *point = self->point;
    rebuild_abort (self);
    return tree;
}
