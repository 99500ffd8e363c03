/* snapshots.c: see snapshots.h. */

#include "server/node/snapshots.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/prng.h"
#include "cohort/error.h"
#include "server/node/error_text.h"

enum { TRANSFERS_MAX = CONFIG_MEMBERS_MAX };

struct transfer {
    uint32_t peer; /* 0: free */
    uint64_t number;
    zxid_t oldest; /* the peer needs one that is not older */
    struct store_reader *reader;
    struct store_snapshot_info info;
    bool answered; /* the peer has said from where */
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
    uint8_t *chunk;
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
    store_reader_destroy (&transfer->reader);
    memset (transfer, 0, sizeof *transfer);
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
    mem_free (self->chunk);
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
    transfer->number = prng_u64 (&self->prng);
}

void snapshots_message (struct snapshots *self, uint32_t peer, const struct peer_snapshot *part)
{
    struct transfer *transfer = find (self, peer);
    if (transfer == NULL || transfer->number != part->transfer || transfer->reader == NULL) {
        return;
    }
    if (part->kind == PEER_REFUSED) {
        transfer->oldest = part->point.zxid;
        store_reader_destroy (&transfer->reader);
        transfer->answered = false;
        transfer->number = prng_u64 (&self->prng);
        return;
    }
    if (part->kind != PEER_PROGRESS) {
        return;
    }
    if (part->offset > transfer->info.size || part->offset < transfer->confirmed ||
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

/* Opens the newest snapshot, if it is good enough; else asks for one. */
static void open_newest (struct snapshots *self, struct transfer *transfer, zxid_t applied)
{
    struct store_snapshot_info newest;
    bool there = store_snapshot_newest (self->store, &newest);
    if (!there || newest.point.zxid < transfer->oldest) {
        if (!checkpoint_busy (self->checkpoint) && applied >= transfer->oldest) {
            checkpoint_want (self->checkpoint);
        }
        return;
    }
    if (checkpoint_busy (self->checkpoint)) {
        return; /* a better one is on its way */
    }
    int code = store_reader_new (self->store, &transfer->reader, &transfer->info);
    if (code != 0) {
        transfer->reader = NULL;
        return; /* tried again in the next turn */
    }
    struct peer_snapshot part = {.kind = PEER_OFFER,
                                 .transfer = transfer->number,
                                 .point = transfer->info.point,
                                 .stamp_ms = transfer->info.stamp_ms,
                                 .size = transfer->info.size};
    transfer->sent = transfer->confirmed = 0;
    logger_write (&self->logger, LOG_INFO, "snapshot-offered",
                  "peer=%" PRIu32 " zxid=%" PRIx64 " size=%" PRIu64, transfer->peer,
                  transfer->info.point.zxid, transfer->info.size);
    self->host.send (self->host.arg, transfer->peer, &part, NULL, 0);
}

static void send_chunk (struct snapshots *self, struct transfer *transfer)
{
    size_t done = 0;
    int code =
        store_reader_read (transfer->reader, transfer->sent, self->chunk, SNAPSHOTS_CHUNK, &done);
    if (code != 0 || done == 0) {
        logger_write (&self->logger, LOG_ERROR, "snapshot-unreadable",
                      "zxid=%" PRIx64 " offset=%" PRIu64 " reason=\"%s\"",
                      transfer->info.point.zxid, transfer->sent,
                      code != 0 ? error_text (code) : "it ends too early");
        self->host.reset (self->host.arg, transfer->peer, "its snapshot cannot be read");
        end (transfer);
        return;
    }
    struct peer_snapshot part = {
        .kind = PEER_CHUNK, .transfer = transfer->number, .offset = transfer->sent};
    transfer->sent += done;
    self->host.send (self->host.arg, transfer->peer, &part, self->chunk, done);
}

static bool may_send (const struct transfer *transfer)
{
    return transfer->answered && transfer->sent < transfer->info.size &&
           transfer->sent - transfer->confirmed < SNAPSHOTS_WINDOW;
}

static void go_on (struct snapshots *self, struct transfer *transfer, zxid_t applied,
                   int64_t now_ms)
{
    if (transfer->reader == NULL) {
        open_newest (self, transfer, applied);
        return;
    }
    if (self->chunk == NULL) {
        self->chunk = mem_alloc (SNAPSHOTS_CHUNK);
    }
    if (self->chunk == NULL) {
        return;
    }
    if (may_send (transfer)) {
        send_chunk (self, transfer); /* one a turn: it is read from the disk */
        return;
    }
    if (!transfer->whole && transfer->confirmed == transfer->info.size) {
        transfer->whole = true;
        transfer->whole_ms = now_ms;
    }
    if (transfer->whole && now_ms - transfer->whole_ms > SNAPSHOTS_PINNED_MS) {
        end (transfer);
    }
}

bool snapshots_turn (struct snapshots *self, zxid_t applied, int64_t now_ms)
{
    bool more = false;
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        if (self->transfers[i].peer != 0) {
            go_on (self, &self->transfers[i], applied, now_ms);
            more |= may_send (&self->transfers[i]);
        }
    }
    return more;
}
