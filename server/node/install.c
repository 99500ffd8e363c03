/* install.c: see install.h. */

#include "server/node/install.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/node/error_text.h"

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
}

static void drop (struct install *self)
{
    store_writer_destroy (&self->writer);
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

/* The transfer cannot go on: the attempt to synchronize begins anew with the link. */
static void give_up (struct install *self, const char *why)
{
    logger_write (&self->logger, LOG_WARNING, "snapshot-broken-off",
                  "peer=%" PRIu32 " zxid=%" PRIx64 " reason=\"%s\"", self->peer,
                  self->offer.point.zxid, why);
    drop (self);
    self->host.reset (self->host.arg, self->peer, why);
}

static bool is_same (const struct install *self, uint32_t peer, const struct peer_snapshot *offer)
{
    bool known = self->state == INSTALL_RECEIVING || self->state == INSTALL_SETTLING;
    return known && self->peer == peer && self->offer.point.zxid == offer->point.zxid &&
           self->offer.point.chain == offer->point.chain && self->offer.size == offer->size &&
           self->offer.stamp_ms == offer->stamp_ms;
}

static void take_offer (struct install *self, uint32_t peer, const struct peer_snapshot *offer)
{
    if (is_same (self, peer, offer)) {
        self->offer = *offer;
        logger_write (&self->logger, LOG_INFO, "snapshot-resumed",
                      "peer=%" PRIu32 " zxid=%" PRIx64 " offset=%" PRIu64, peer, offer->point.zxid,
                      self->received);
        tell_progress (self);
        return;
    }
    drop (self);
    self->peer = peer;
    self->offer = *offer;
    self->received = self->told = 0;
    self->state = INSTALL_WAITING;
}

/* true: more at once. */
static bool settle (struct install *self)
{
    if (tree_loader_settle (self->loader, INSTALL_OBJECTS)) {
        return true;
    }
    bool whole = tree_loader_whole (self->loader);
    self->tree = tree_loader_release (&self->loader);
    if (!whole || tree_zxid (self->tree) != self->offer.point.zxid) {
        give_up (self, "the snapshot is damaged");
        return false;
    }
    self->state = INSTALL_WHOLE;
    return true;
}

static void take_chunk (struct install *self, uint32_t peer, const struct peer_snapshot *part,
                        struct peer_bytes chunk)
{
    if (self->state != INSTALL_RECEIVING || self->peer != peer ||
        self->offer.transfer != part->transfer || part->offset != self->received) {
        return; /* of a transfer that has ended */
    }
    if (chunk.size == 0 || chunk.size > self->offer.size - self->received) {
        give_up (self, "a chunk of the wrong size");
        return;
    }
    if (!tree_loader_feed (self->loader, chunk.data, chunk.size)) {
        give_up (self, "the snapshot is damaged");
        return;
    }
    store_writer_append (self->writer, chunk.data, chunk.size);
    self->received += chunk.size;
    if (self->received == self->offer.size) {
        tell_progress (self);
        self->state = INSTALL_SETTLING;
    }
}

bool install_message (struct install *self, uint32_t peer, const struct peer_snapshot *part,
                      struct peer_bytes chunk, zxid_t oldest)
{
    if (self->state >= INSTALL_WHOLE) {
        return false; /* it is late, and the core has decided or will */
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
    (void) install_turn (self);
    return self->state == INSTALL_WAITING;
}

static void begin_receiving (struct install *self)
{
    int code =
        store_writer_new (self->store, self->offer.point, self->offer.stamp_ms, &self->writer);
    if (code == COHORT_ESTATE) {
        self->writer = NULL;
        return; /* another snapshot is being finished */
    }
    if (code != 0) {
        self->writer = NULL;
        give_up (self, error_text (code));
        return;
    }
    self->loader = tree_loader_new (&self->tree_options);
    if (self->loader == NULL) {
        give_up (self, "out of memory");
        return;
    }
    self->state = INSTALL_RECEIVING;
    logger_write (&self->logger, LOG_INFO, "snapshot-receiving",
                  "peer=%" PRIu32 " zxid=%" PRIx64 " size=%" PRIu64, self->peer,
                  self->offer.point.zxid, self->offer.size);
    tell_progress (self);
    if (self->offer.size == 0) {
        self->state = INSTALL_SETTLING;
    }
}

bool install_turn (struct install *self)
{
    if (self->state == INSTALL_WAITING) {
        begin_receiving (self);
    }
    if (self->state == INSTALL_RECEIVING) {
        int code = store_writer_state (self->writer);
        if (code < 0) {
            give_up (self, error_text (code));
        } else if (self->told < self->received &&
                   store_writer_pending (self->writer) <= INSTALL_PENDING_MAX) {
            tell_progress (self);
        }
    } else if (self->state == INSTALL_SETTLING) {
        return settle (self);
    } else if (self->state == INSTALL_RUNNING) {
        int code = store_writer_state (self->writer);
        if (code != 0) {
            self->state = code == 1 ? INSTALL_DONE : INSTALL_FAILED;
            self->code = code == 1 ? 0 : code;
        }
    }
    return false;
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
    /* Left over from an earlier attempt; if the leader has sent it in this one, it sends anew. */
    refuse (self, self->peer, &self->offer, 0);
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
