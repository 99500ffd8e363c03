/* What a server decodes from another: any bytes. What it takes it can write again, and that is the
 * same frame; what it does not take it gives a reason for. */

#include <string.h>

#include "client/base/arena.h"
#include "server/node/wire_peer.h"
#include "tests/fuzz/fuzz.h"

struct decoded {
    struct arena arena;
    struct peer_frame frame;
    bool header_valid;
    const char *wrong;
};

static void decode (struct decoded *self, const uint8_t *data, size_t size)
{
    arena_init (&self->arena, 4096, 0);
    self->wrong = peer_frame_decode (&self->frame, &self->arena, data, size, &self->header_valid);
    COHORT_ASSERT (self->wrong == NULL || self->wrong[0] != '\0');
    COHORT_ASSERT (self->wrong != NULL || self->header_valid);
}

static void check_message (const struct zab_message *message)
{
    COHORT_ASSERT (message->type >= ZAB_VOTE);
    COHORT_ASSERT (message->type <= ZAB_LEAVING);
    COHORT_ASSERT (message->role <= ZAB_HALTED);
    COHORT_ASSERT (message->points_count <= ZAB_EPOCHS_MAX);
    COHORT_ASSERT ((message->zxid | message->durable) >> 63 == 0);
    COHORT_ASSERT ((message->entries_after | message->entries_through) >> 63 == 0);
    uint8_t sum = 0;
    for (size_t i = 0; i < message->entries_count; i++) {
        COHORT_ASSERT (message->entries[i].zxid >> 63 == 0);
        for (uint32_t at = 0; at < message->entries[i].size; at++) {
            sum ^= message->entries[i].data[at];
        }
    }
    for (size_t i = 0; i < message->points_count; i++) {
        sum ^= (uint8_t) message->points[i].zxid;
    }
    volatile uint8_t sink = sum; /* all of it can be read */
    (void) sink;
}

static void encode (struct buf *out, struct decoded *from)
{
    struct arena arena;
    struct buf entries = {0};
    arena_init (&arena, 4096, 0);
    for (size_t i = 0; i < from->frame.messages_count; i++) {
        const struct zab_message *message = &from->frame.messages[i];
        check_message (message);
        for (size_t j = 0; j < message->entries_count; j++) {
            peer_entry_encode (&entries, &message->entries[j]);
        }
    }
    /* The bulk of the entries as it came, and the entries one by one, are the same. */
    COHORT_ASSERT (entries.size == from->frame.entry_parts[0].size);
    COHORT_ASSERT (entries.size == 0 ||
                   memcmp (entries.data, from->frame.entry_parts[0].data, entries.size) == 0);
    COHORT_ASSERT (peer_frame_encode (out, &arena, &from->frame));
    buf_deinit (&entries);
    arena_deinit (&arena);
}

static void one (const uint8_t *data, size_t size)
{
    struct decoded first, second;
    decode (&first, data, size);
    if (first.wrong == NULL) {
        struct buf once = {0}, twice = {0};
        encode (&once, &first);
        decode (&second, once.data, once.size);
        COHORT_ASSERT (second.wrong == NULL);
        COHORT_ASSERT (
            memcmp (&first.frame.header, &second.frame.header, sizeof (first.frame.header)) == 0);
        encode (&twice, &second);
        COHORT_ASSERT (once.size == twice.size);
        COHORT_ASSERT (memcmp (once.data, twice.data, once.size) == 0);
        arena_deinit (&second.arena);
        buf_deinit (&once);
        buf_deinit (&twice);
    }
    arena_deinit (&first.arena);
}

/* ---- Seeds ----------------------------------------------------------------------------------- */

static void add_frame (fuzz_seed_fn *add, void *arg, const char *name, struct peer_frame *frame)
{
    struct arena arena;
    struct buf out = {0};
    frame->header = (struct peer_header){
        .from = 2, .to = 1, .mine = 100, .yours = 200, .seq = 7, .received = 5};
    arena_init (&arena, 4096, 0);
    COHORT_ASSERT (peer_frame_encode (&out, &arena, frame));
    add (arg, name, out.data, out.size);
    arena_deinit (&arena);
    buf_deinit (&out);
}

static void add_messages (fuzz_seed_fn *add, void *arg)
{
    static const struct zab_point points[] = {{1, 10}, {UINT64_C (1) << 40, 20}};
    struct zab_entry entries[] = {
        {.zxid = 5, .stamp_ms = 6, .chain = 7, .data = (const uint8_t *) "abc", .size = 3},
        {.zxid = 6, .stamp_ms = 6, .chain = 8, .data = (const uint8_t *) "", .size = 0},
    };
    struct zab_message messages[] = {
        {.type = ZAB_VOTE, .epoch = 1, .zxid = 2, .round = 3, .leader = 2, .role = ZAB_LOOKING},
        {.type = ZAB_ACKEPOCH, .epoch = 1, .points = points, .points_count = 2},
        {.type = ZAB_PROPOSAL, .entries = entries, .entries_count = 2, .durable = 4},
        {.type = ZAB_TRY, .point = {5, 7}, .session = 9},
    };
    struct buf bulk = {0};
    peer_entry_encode (&bulk, &entries[0]);
    peer_entry_encode (&bulk, &entries[1]);
    struct peer_frame frame = {.messages = messages, .messages_count = 4};
    frame.entry_parts[0] = (struct peer_bytes){bulk.data, bulk.size};
    frame.entry_parts_count = 1;
    add_frame (add, arg, "messages", &frame);
    buf_deinit (&bulk);
}

static void add_lists (fuzz_seed_fn *add, void *arg)
{
    static const uint8_t numbers[PEER_HEARTBEAT_SIZE] = {1, 0, 0, 0, 0, 0, 0, 0, 2};
    struct peer_snapshot parts[] = {
        {.kind = PEER_OFFER,
         .transfer = 3,
         .point = {4, 5},
         .size = 100,
         .stored = 90,
         .digest = 6,
         .packing = 1},
        {.kind = PEER_CHUNK, .transfer = 3, .offset = 50},
    };
    struct buf forwarded = {0};
    peer_forward_encode (&forwarded, (const uint8_t *) "request", 7);
    struct peer_frame frame = {
        .snapshots = parts,
        .snapshots_count = 2,
        .forwarded = {forwarded.data, forwarded.size},
        .heartbeats = {numbers, PEER_HEARTBEAT_SIZE},
        .confirmations = {numbers, PEER_HEARTBEAT_SIZE},
        .disconnects = {numbers, PEER_DISCONNECT_SIZE},
        .syncs = {numbers, PEER_SYNC_SIZE},
        .synced = {numbers, PEER_SYNCED_SIZE},
        .digests = {numbers, PEER_DIGEST_SIZE},
        .asked = {numbers, PEER_ASKED_SIZE},
        .chunk = {(const uint8_t *) "chunk", 5},
    };
    add_frame (add, arg, "lists", &frame);
    buf_deinit (&forwarded);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    struct peer_frame hello = {.has_hello = true,
                               .has_hello_ack = true,
                               .hello = {.magic = PEER_MAGIC,
                                         .version_min = 1,
                                         .version_max = 1,
                                         .has_cluster = true,
                                         .store_id = 9,
                                         .role = CONFIG_VOTER}};
    add_frame (add, arg, "hello", &hello);
    struct peer_frame bootstrap = {
        .has_bootstrap = true,
        .bootstrap = {.stage = PEER_PREPARED,
                      .round = 3,
                      .propose = true,
                      .has_cluster = true,
                      .config = {.version = 1, .count = 1, .members = {{1, CONFIG_VOTER, 9}}}}};
    add_frame (add, arg, "bootstrap", &bootstrap);
    add_messages (add, arg);
    add_lists (add, arg);
}

const struct fuzz_target fuzz_target = {
    .name = "peer-frame",
    .size_max = 4096,
    .memory_base = 256 << 10,
    .memory_factor = 800,
    .one = one,
    .seeds = seeds,
};
