/* install.c: see install.h. */

#include "server/node/install.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/node/error_text.h"
#include "server/node/snapshots.h"

struct chunk {
    struct list_node node;
    size_t size;
    size_t used;
    uint8_t data[];
};

void install_init (struct install *self, struct store *store, struct retired *retired,
                   const struct tree_options *tree_options, const struct install_host *host,
                   const struct logger *logger)
{
    memset (self, 0, sizeof *self);
    self->store = store;
    self->retired = retired;
    self->tree_options = *tree_options;
    self->host = *host;
    self->logger = *logger;
    self->retry_ms = INT64_MIN;
    list_init (&self->chunks);
}

static struct chunk *first_chunk (struct install *self)
{
    struct list_node *first = list_first (&self->chunks);
    return first != NULL ? list_entry (first, struct chunk, node) : NULL;
}

static void pop_chunk (struct install *self)
{
    mem_free (list_entry (list_pop_front (&self->chunks), struct chunk, node));
}

/* What has come and was not unpacked will come again.  The block that is being loaded may lie in
 * the first of the chunks: as much of that stays. */
static void drop_chunks (struct install *self)
{
    struct list_node *loaded = self->content_left > 0 ? list_pop_front (&self->chunks) : NULL;
    while (!list_empty (&self->chunks)) {
        pop_chunk (self);
    }
    if (loaded != NULL) {
        struct chunk *chunk = list_entry (loaded, struct chunk, node);
        chunk->size = chunk->used;
        list_push_back (&self->chunks, loaded);
    }
    self->arrived = self->received;
}

static void drop (struct install *self)
{
    self->content_left = 0;
    drop_chunks (self);
    store_writer_destroy (&self->writer);
    store_unpacker_destroy (&self->unpacker);
    if (self->loader != NULL) {
        self->tree = tree_loader_release (&self->loader);
    }
    retired_add (self->retired, &self->tree);
    self->state = INSTALL_NONE;
}

void install_deinit (struct install *self)
{
    drop (self);
}

/* ---- What the leader is told ----------------------------------------------------------------- */

static void refuse (struct install *self, uint32_t peer, const struct peer_snapshot *offer,
                    zxid_t oldest)
{
    struct peer_snapshot part = {
        .kind = PEER_REFUSED, .transfer = offer->transfer, .point = {oldest, 0}};
    logger_write (&self->logger, LOG_INFO, "snapshot-refused",
                  "peer=%" PRIu32 " zxid=%" PRIx64 " oldest=%" PRIx64, peer, offer->point.zxid,
                  oldest);
    self->host.send (self->host.arg, peer, &part);
}

static void tell_progress (struct install *self)
{
    struct peer_snapshot part = {
        .kind = PEER_PROGRESS, .transfer = self->offer.transfer, .offset = self->received};
    self->told = self->received;
    self->host.send (self->host.arg, self->peer, &part);
}

static void log_end (struct install *self, const char *event, const char *why)
{
    logger_write (&self->logger, LOG_WARNING, event,
                  "peer=%" PRIu32 " zxid=%" PRIx64 " offset=%" PRIu64 " reason=\"%s\"", self->peer,
                  self->offer.point.zxid, self->received, why);
}

/* The transfer cannot go on: the attempt to synchronize begins anew with the link. */
static void break_off (struct install *self, const char *why)
{
    log_end (self, "snapshot-broken-off", why);
    drop (self);
    self->host.reset (self->host.arg, self->peer, why);
}

/* The same, for a reason that will still be there in a moment. */
static void break_off_here (struct install *self, int code)
{
    self->retry_ms = self->now_ms + INSTALL_RETRY_MS;
    break_off (self, error_text (code));
}

/* ---- Offers ---------------------------------------------------------------------------------- */

static bool is_same (const struct install *self, uint32_t peer, const struct peer_snapshot *offer)
{
    bool known = self->state >= INSTALL_RECEIVING && self->state <= INSTALL_WHOLE;
    const struct peer_snapshot *mine = &self->offer;
    return known && self->peer == peer && mine->point.zxid == offer->point.zxid &&
           mine->point.chain == offer->point.chain && mine->size == offer->size &&
           mine->stamp_ms == offer->stamp_ms && mine->stored == offer->stored &&
           mine->digest == offer->digest && mine->packing == offer->packing;
}

static void take_offer (struct install *self, uint32_t peer, const struct peer_snapshot *offer)
{
    if (is_same (self, peer, offer)) {
        self->offer = *offer;
        drop_chunks (self);
        logger_write (&self->logger, LOG_INFO, "snapshot-resumed",
                      "peer=%" PRIu32 " zxid=%" PRIx64 " offset=%" PRIu64, peer, offer->point.zxid,
                      self->received);
        tell_progress (self);
        return;
    }
    drop (self);
    self->peer = peer;
    self->offer = *offer;
    self->arrived = self->received = self->told = 0;
    self->state = INSTALL_WAITING;
}

static struct store_snapshot_info original (const struct peer_snapshot *offer)
{
    return (struct store_snapshot_info){.point = offer->point,
                                        .stamp_ms = offer->stamp_ms,
                                        .size = offer->size,
                                        .digest = offer->digest,
                                        .stored = offer->stored,
                                        .packing = offer->packing};
}

static void begin_receiving (struct install *self)
{
    struct store_snapshot_info info = original (&self->offer);
    if (self->now_ms < self->retry_ms) {
        return;
    }
    int code = self->unpacker != NULL ? 0 : store_unpacker_new (&info, &self->unpacker);
    if (code == 0) {
        code = store_writer_copy (self->store, &info, &self->writer);
    }
    if (code == COHORT_ESTATE) {
        return; /* another snapshot is being finished */
    }
    if (code == 0) {
        self->loader = tree_loader_new (&self->tree_options);
        code = self->loader != NULL ? 0 : COHORT_ENOMEM;
    }
    if (code != 0) {
        break_off_here (self, code);
        return;
    }
    self->state = INSTALL_RECEIVING;
    logger_write (&self->logger, LOG_INFO, "snapshot-receiving",
                  "peer=%" PRIu32 " zxid=%" PRIx64 " size=%" PRIu64 " stored=%" PRIu64, self->peer,
                  self->offer.point.zxid, self->offer.size, self->offer.stored);
    tell_progress (self);
}

/* ---- Chunks ---------------------------------------------------------------------------------- */

static void take_chunk (struct install *self, uint32_t peer, const struct peer_snapshot *part,
                        struct peer_bytes bytes)
{
    if (self->state != INSTALL_RECEIVING || self->peer != peer ||
        self->offer.transfer != part->transfer || part->offset != self->arrived) {
        return; /* of a transfer that has ended */
    }
    if (bytes.size == 0 || bytes.size > self->offer.stored - self->arrived) {
        break_off (self, "a chunk of the wrong size");
        return;
    }
    if (bytes.size > INSTALL_AHEAD_MAX - (self->arrived - self->received)) {
        break_off (self, "it sends more than it was asked for");
        return;
    }
    struct chunk *chunk = mem_alloc (sizeof *chunk + bytes.size);
    if (chunk == NULL) {
        break_off_here (self, COHORT_ENOMEM);
        return;
    }
    *chunk = (struct chunk){.size = bytes.size};
    memcpy (chunk->data, bytes.data, bytes.size);
    list_push_back (&self->chunks, &chunk->node);
    self->arrived += bytes.size;
}

bool install_message (struct install *self, uint32_t peer, const struct peer_snapshot *part,
                      struct peer_bytes chunk, zxid_t oldest)
{
    if (self->state > INSTALL_WHOLE) {
        return false; /* it is late, and the core has decided */
    }
    if (part->kind == PEER_CHUNK) {
        take_chunk (self, peer, part, chunk);
    } else if (part->kind == PEER_OFFER) {
        if (part->point.zxid < oldest) {
            refuse (self, peer, part, oldest);
        } else {
            take_offer (self, peer, part);
        }
    }
    return self->state == INSTALL_WAITING;
}

/* A leader sends no more than its window behind what it was told of; and it is told while no more
 * waits for the disk than may. */
void install_bounds (const struct install *self, struct bounds *bounds)
{
    uint64_t kept = 0;
    for (struct list_node *at = list_first (&self->chunks); at != NULL;
         at = list_next (&self->chunks, at)) {
        const struct chunk *chunk = list_entry (at, struct chunk, node);
        kept += chunk->size - chunk->used;
    }
    bounds_look (bounds, "bytes of a snapshot that have come", self->peer, kept, INSTALL_AHEAD_MAX);
    if (self->writer != NULL) {
        bounds_look (bounds, "bytes of a snapshot for the disk", self->peer,
                     store_writer_pending (self->writer),
                     INSTALL_PENDING_MAX + SNAPSHOTS_WINDOW + CHECKPOINT_BLOCK);
    }
}

/* Loads some of the newest block.  false: it does not load. */
static bool load_piece (struct install *self)
{
    size_t size = self->content_left < INSTALL_PIECE ? self->content_left : INSTALL_PIECE;
    if (!tree_loader_feed (self->loader, self->content, size)) {
        break_off (self, "the snapshot is damaged");
        return false;
    }
    self->content += size;
    self->content_left -= size;
    struct chunk *chunk = first_chunk (self);
    if (self->content_left == 0 && chunk->used == chunk->size) {
        pop_chunk (self);
    }
    return true;
}

/* The next block.  false: it does not follow. */
static bool take_block (struct install *self, struct chunk *chunk)
{
    size_t used = 0;
    const uint8_t *data = chunk->data + chunk->used;
    int code = store_unpacker_next (self->unpacker, data, chunk->size - chunk->used, &used,
                                    &self->content, &self->content_left);
    if (code == COHORT_ENOMEM) {
        break_off_here (self, code);
    } else if (code != 0) {
        break_off (self, "the snapshot is damaged");
    }
    if (code != 0) {
        return false;
    }
    store_writer_append (self->writer, data, used);
    chunk->used += used;
    self->received += used;
    return true;
}

/* Progress is told chunk by chunk: one may hold many blocks. */
static bool in_chunk (struct install *self)
{
    const struct chunk *chunk = first_chunk (self);
    return chunk != NULL && chunk->used > 0;
}

/* One piece of a block; true: there are more. */
static bool receive (struct install *self)
{
    int code = store_writer_state (self->writer);
    if (code < 0) {
        break_off_here (self, code);
        return false;
    }
    struct chunk *chunk = first_chunk (self);
    if (chunk != NULL &&
        ((self->content_left == 0 && !take_block (self, chunk)) || !load_piece (self))) {
        return false;
    }
    if (self->content_left > 0) {
        return true;
    }
    bool whole = self->received == self->offer.stored;
    bool has_room = store_writer_pending (self->writer) <= INSTALL_PENDING_MAX;
    if (self->told < self->received && (whole || (has_room && !in_chunk (self)))) {
        tell_progress (self);
    }
    if (whole && !store_unpacker_whole (self->unpacker)) {
        break_off (self, "the snapshot is not what was announced");
    } else if (whole) {
        self->state = INSTALL_SETTLING;
    }
    return !list_empty (&self->chunks) || whole;
}

/* ---- The end --------------------------------------------------------------------------------- */

/* true: more at once. */
static bool settle (struct install *self)
{
    if (tree_loader_settle (self->loader, INSTALL_OBJECTS)) {
        return true;
    }
    bool whole = tree_loader_whole (self->loader);
    self->tree = tree_loader_release (&self->loader);
    if (!whole || tree_zxid (self->tree) != self->offer.point.zxid) {
        break_off (self, "the snapshot is damaged");
        return false;
    }
    self->state = INSTALL_WHOLE;
    return true;
}

bool install_turn (struct install *self, int64_t now_ms)
{
    self->now_ms = now_ms;
    switch (self->state) {
    case INSTALL_WAITING:
        begin_receiving (self);
        return false;
    case INSTALL_RECEIVING:
        return receive (self);
    case INSTALL_SETTLING:
        return settle (self);
    case INSTALL_RUNNING: {
        int code = COHORT_MUTATED (installed_early) ? 1 : store_writer_state (self->writer);
        if (code != 0) {
            self->state = code == 1 ? INSTALL_DONE : INSTALL_FAILED;
            self->code = code == 1 ? 0 : code;
        }
        return false;
    }
    default:
        return false;
    }
}

int64_t install_deadline (const struct install *self)
{
    return self->state == INSTALL_WAITING && self->now_ms < self->retry_ms ? self->retry_ms
                                                                           : INT64_MAX;
}

void install_begin (struct install *self)
{
    COHORT_ASSERT (self->state == INSTALL_WHOLE);
    self->state = INSTALL_RUNNING;
    store_writer_finish (self->writer, true);
}

void install_discard (struct install *self)
{
    COHORT_ASSERT (self->state == INSTALL_WHOLE);
    logger_write (&self->logger, LOG_INFO, "snapshot-discarded", "zxid=%" PRIx64,
                  self->offer.point.zxid);
    drop (self);
    refuse (self, self->peer, &self->offer, 0); /* the leader sends anew */
}

struct tree *install_take (struct install *self, struct zab_point *point, int64_t *stamp_ms)
{
    COHORT_ASSERT (self->state == INSTALL_DONE);
    struct tree *tree = self->tree;
    self->tree = NULL;
    *point = self->offer.point;
    *stamp_ms = self->offer.stamp_ms;
    drop (self);
    return tree;
}

void install_give_up (struct install *self)
{
    COHORT_ASSERT (self->state != INSTALL_RUNNING && self->state != INSTALL_DONE);
    if (self->state == INSTALL_FAILED) {
        self->retry_ms = self->now_ms + INSTALL_RETRY_MS;
        log_end (self, "snapshot-not-installed", error_text (self->code));
    } else if (self->state != INSTALL_NONE) {
        log_end (self, "snapshot-discarded", "it is not needed any more");
    }
    drop (self);
}
