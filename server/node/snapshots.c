/* snapshots.c: see snapshots.h. */

#include "server/node/snapshots.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/prng.h"
#include "cohort/error.h"

enum { TRANSFERS_MAX = CONFIG_MEMBERS_MAX };

struct transfer {
    uint32_t peer; /* 0: free */
    uint64_t number;
    zxid_t oldest; /* the peer needs one that is not older */
    struct store_source *source;
    struct store_snapshot_info info; /* all of it when it was offered */
    bool offered;
    bool answered; /* the peer has said from where */
    bool asked;    /* the store reads what comes at `sent` */
    uint64_t sent;
    uint64_t confirmed;
    bool whole;
    int64_t whole_ms;
};

struct snapshots {
    struct store *store;
    struct checkpoint *checkpoint;
    struct snapshots_host host;
    struct logger logger;
    struct prng prng;
    struct transfer transfers[TRANSFERS_MAX];
};

struct snapshots *snapshots_new (struct store *store, struct checkpoint *checkpoint,
                                 const struct snapshots_host *host, const struct logger *logger,
                                 uint64_t seed)
{
    struct snapshots *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->store = store;
    self->checkpoint = checkpoint;
    self->host = *host;
    self->logger = *logger;
    prng_seed (&self->prng, seed);
    return self;
}

static void end (struct transfer *transfer)
{
    store_source_destroy (&transfer->source);
    memset (transfer, 0, sizeof *transfer);
}

/* What the peer has heard of this transfer counts no more; another snapshot will be offered. */
static void begin_anew (struct snapshots *self, struct transfer *transfer)
{
    uint32_t peer = transfer->peer;
    zxid_t oldest = transfer->oldest;
    end (transfer);
    transfer->peer = peer;
    transfer->oldest = oldest;
    transfer->number = prng_u64 (&self->prng);
}

void snapshots_end (struct snapshots *self, uint32_t peer)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct transfer *transfer = &self->transfers[i];
        if (transfer->peer != 0 && (peer == 0 || transfer->peer == peer)) {
            end (transfer);
        }
    }
}

void snapshots_destroy (struct snapshots **self_p)
{
    struct snapshots *self = *self_p;
    if (self == NULL) {
        return;
    }
    snapshots_end (self, 0);
    mem_free (self);
    *self_p = NULL;
}

size_t snapshots_count (const struct snapshots *self)
{
    size_t count = 0;
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        count += self->transfers[i].peer != 0;
    }
    return count;
}

/* A chunk is in memory until it is sent. */
void snapshots_bounds (const struct snapshots *self, struct bounds *bounds)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        const struct transfer *transfer = &self->transfers[i];
        bounds_look (bounds, "bytes of a snapshot under way", transfer->peer,
                     transfer->sent - transfer->confirmed, SNAPSHOTS_WINDOW);
    }
}

static struct transfer *find (struct snapshots *self, uint32_t peer)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        if (self->transfers[i].peer == peer) {
            return &self->transfers[i];
        }
    }
    return NULL;
}

void snapshots_offer (struct snapshots *self, uint32_t peer)
{
    COHORT_ASSERT (peer != 0);
    snapshots_end (self, peer);
    struct transfer *transfer = find (self, 0);
    COHORT_ASSERT (transfer != NULL);
    transfer->peer = peer;
    begin_anew (self, transfer);
}

void snapshots_message (struct snapshots *self, uint32_t peer, const struct peer_snapshot *part)
{
    struct transfer *transfer = find (self, peer);
    if (transfer == NULL || transfer->number != part->transfer || !transfer->offered) {
        return;
    }
    if (part->kind == PEER_REFUSED) {
        transfer->oldest = part->point.zxid;
        begin_anew (self, transfer);
        return;
    }
    if (part->kind != PEER_PROGRESS) {
        return;
    }
    if (part->offset > transfer->info.stored || part->offset < transfer->confirmed ||
        (transfer->answered && part->offset > transfer->sent)) {
        self->host.reset (self->host.arg, peer, "impossible progress of a snapshot");
        return;
    }
    if (!transfer->answered) {
        transfer->answered = true;
        transfer->sent = part->offset;
    }
    transfer->confirmed = part->offset;
    self->host.progress (self->host.arg, peer);
}

/* Opens the newest snapshot, if it is good enough; else one is being made. */
static void open_newest (struct snapshots *self, struct transfer *transfer, zxid_t applied)
{
    if (!checkpoint_ready (self->checkpoint, transfer->oldest, applied)) {
        return;
    }
    int code = store_source_new (self->store, SNAPSHOTS_CHUNK, &transfer->source, &transfer->info);
    if (code != 0) {
        transfer->source = NULL; /* tried again in the next turn */
    }
}

static void offer (struct snapshots *self, struct transfer *transfer)
{
    store_source_info (transfer->source, &transfer->info);
    const struct store_snapshot_info *info = &transfer->info;
    struct peer_snapshot part = {.kind = PEER_OFFER,
                                 .transfer = transfer->number,
                                 .point = info->point,
                                 .stamp_ms = info->stamp_ms,
                                 .size = info->size,
                                 .stored = info->stored,
                                 .digest = info->digest,
                                 .packing = info->packing};
    transfer->offered = true;
    logger_write (&self->logger, LOG_INFO, "snapshot-offered",
                  "peer=%" PRIu32 " zxid=%" PRIx64 " size=%" PRIu64 " stored=%" PRIu64,
                  transfer->peer, info->point.zxid, info->size, info->stored);
    self->host.send (self->host.arg, transfer->peer, &part, NULL, 0);
}

/* A file that is damaged is of no use to anybody: a new one is written. Whatever else happens to
 * the disk may pass: the learner shall try again. */
static void cannot_read (struct snapshots *self, struct transfer *transfer, int code,
                         const char *text)
{
    logger_write (&self->logger, LOG_ERROR, "snapshot-unreadable",
                  "peer=%" PRIu32 " zxid=%" PRIx64 " reason=\"%s\"", transfer->peer,
                  transfer->info.point.zxid, text);
    if (code == COHORT_ECORRUPT) {
        checkpoint_damaged (self->checkpoint);
        begin_anew (self, transfer);
        return;
    }
    uint32_t peer = transfer->peer;
    end (transfer);
    self->host.reset (self->host.arg, peer, "its snapshot cannot be read");
}

static void send_chunk (struct snapshots *self, struct transfer *transfer)
{
    const uint8_t *data = NULL;
    size_t size = store_source_data (transfer->source, &data);
    transfer->asked = false;
    if (size == 0) {
        cannot_read (self, transfer, COHORT_ECORRUPT, "it ends too early");
        return;
    }
    struct peer_snapshot part = {
        .kind = PEER_CHUNK, .transfer = transfer->number, .offset = transfer->sent};
    transfer->sent += size;
    self->host.send (self->host.arg, transfer->peer, &part, data, size);
}

static bool may_ask (const struct transfer *transfer)
{
    return transfer->answered && transfer->sent < transfer->info.stored &&
           transfer->sent - transfer->confirmed <= SNAPSHOTS_WINDOW - SNAPSHOTS_CHUNK;
}

/* The source is there, and what was asked of it, if anything. */
static void go_on (struct snapshots *self, struct transfer *transfer, int64_t now_ms)
{
    if (!transfer->offered) {
        offer (self, transfer);
        return;
    }
    if (transfer->asked) {
        send_chunk (self, transfer);
    }
    if (transfer->source != NULL && may_ask (transfer)) {
        transfer->asked = true;
        store_source_ask (transfer->source, transfer->sent);
        return;
    }
    if (transfer->answered && !transfer->whole && transfer->confirmed == transfer->info.stored) {
        transfer->whole = true;
        transfer->whole_ms = now_ms;
    }
    if (transfer->whole && now_ms - transfer->whole_ms > SNAPSHOTS_PINNED_MS) {
        end (transfer);
    }
}

void snapshots_turn (struct snapshots *self, zxid_t applied, int64_t now_ms)
{
    if (store_failure (self->store, NULL) != 0) {
        return; /* the server stops */
    }
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct transfer *transfer = &self->transfers[i];
        if (transfer->peer == 0) {
            continue;
        }
        if (transfer->source == NULL) {
            open_newest (self, transfer, applied);
            continue;
        }
        int state = store_source_state (transfer->source);
        if (state == 1) {
            go_on (self, transfer, now_ms);
        } else if (state < 0) {
            cannot_read (self, transfer, state, store_source_text (transfer->source));
        }
    }
}
