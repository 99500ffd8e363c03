/* outbox.c: see outbox.h. */

#include "server/node/outbox.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/bytes.h"

enum { COMPACT_BYTES = 1 << 20 };

struct outbox_part {
    struct peer_snapshot part;
    uint8_t *chunk; /* owned; NULL: none */
    size_t size;
};

void outbox_init (struct outbox *self)
{
    memset (self, 0, sizeof *self);
    ring_init (&self->core, sizeof (struct zab_message), OUTBOX_MESSAGES_MAX);
    ring_init (&self->urgent, sizeof (struct zab_message), OUTBOX_MESSAGES_MAX);
    ring_init (&self->snapshots, sizeof (struct outbox_part), OUTBOX_CHUNKS_MAX);
    self->forwards_max = OUTBOX_FORWARDS_MAX;
}

static void pop_message (struct ring *lane)
{
    struct zab_message *message = ring_front (lane);
    mem_free ((void *) message->points);
    ring_pop (lane);
}

static void pop_snapshot (struct outbox *self)
{
    struct outbox_part *part = ring_front (&self->snapshots);
    mem_free (part->chunk);
    ring_pop (&self->snapshots);
}

enum { LISTS = 8 };

static size_t waiting_in (const struct outbox_bytes *list)
{
    return list->buf.size - list->taken;
}

static void find_lists (struct outbox *self, struct outbox_bytes *lists[LISTS])
{
    lists[0] = &self->forwarded;
    lists[1] = &self->heartbeats;
    lists[2] = &self->confirmations;
    lists[3] = &self->disconnects;
    lists[4] = &self->syncs;
    lists[5] = &self->synced;
    lists[6] = &self->digests;
    lists[7] = &self->asked;
}

static bool is_taken (const struct outbox_bytes *list)
{
    return list->taken == list->buf.size && !list->buf.failed;
}

bool outbox_empty (const struct outbox *self)
{
    return ring_empty (&self->core) && ring_empty (&self->urgent) &&
           ring_empty (&self->snapshots) && is_taken (&self->forwarded) &&
           is_taken (&self->heartbeats) && is_taken (&self->confirmations) &&
           is_taken (&self->disconnects) && is_taken (&self->syncs) && is_taken (&self->synced) &&
           is_taken (&self->digests) && is_taken (&self->asked) && !self->bootstrap_due &&
           !self->failed;
}

static void clear_snapshots (struct outbox *self)
{
    while (!ring_empty (&self->snapshots)) {
        pop_snapshot (self);
    }
}

void outbox_clear (struct outbox *self)
{
    self->session = 0;
    while (!ring_empty (&self->core)) {
        pop_message (&self->core);
    }
    while (!ring_empty (&self->urgent)) {
        pop_message (&self->urgent);
    }
    clear_snapshots (self);
    struct outbox_bytes *lists[LISTS];
    find_lists (self, lists);
    for (size_t i = 0; i < LISTS; i++) {
        buf_clear (&lists[i]->buf);
        lists[i]->taken = 0;
    }
    self->bootstrap_due = false;
    mem_free (self->chunk);
    self->chunk = NULL;
    self->failed = false;
}

void outbox_deinit (struct outbox *self)
{
    outbox_clear (self);
    ring_deinit (&self->core);
    ring_deinit (&self->urgent);
    ring_deinit (&self->snapshots);
    struct outbox_bytes *lists[LISTS];
    find_lists (self, lists);
    for (size_t i = 0; i < LISTS; i++) {
        buf_deinit (&lists[i]->buf);
    }
}

/* ---- Putting in ------------------------------------------------------------------------------ */

static bool is_urgent (enum zab_message_type type)
{
    return type == ZAB_PING || type == ZAB_PONG || type == ZAB_VOTE;
}

static bool same_attempt (const struct zab_message *a, const struct zab_message *b)
{
    return a->type == b->type && a->epoch == b->epoch && a->session == b->session;
}

/* The last message of the core lane, or the one before a trailing COMMIT. */
static struct zab_message *last_proposal (struct outbox *self)
{
    size_t count = ring_count (&self->core);
    if (count == 0) {
        return NULL;
    }
    struct zab_message *last = ring_at (&self->core, count - 1);
    if (last->type == ZAB_COMMIT && count > 1) {
        last = ring_at (&self->core, count - 2);
    }
    return last;
}

/* Commits and acknowledgements say "up to here": the later one says it all. */
static bool merge (struct outbox *self, const struct zab_message *message)
{
    if (message->type == ZAB_PROPOSAL) {
        struct zab_message *last = last_proposal (self);
        if (last != NULL && same_attempt (last, message) &&
            last->entries_through == message->entries_after) {
            last->entries_through = message->entries_through;
            last->zxid = message->zxid;
            last->durable = message->durable;
            return true;
        }
        return false;
    }
    struct zab_message *last = ring_back (&self->core);
    if (last == NULL || !same_attempt (last, message)) {
        return false;
    }
    bool commit = message->type == ZAB_COMMIT && message->counts == last->counts;
    bool ack = message->type == ZAB_ACK && zxid_counter (last->zxid) != 0;
    if ((commit || ack) && message->zxid >= last->zxid) {
        last->zxid = message->zxid;
        last->durable = message->durable;
        return true;
    }
    return false;
}

/* What belongs to no attempt stays, in its order. */
static void forget_attempt (struct outbox *self)
{
    for (size_t left = ring_count (&self->core); left > 0; left--) {
        struct zab_message message = *(const struct zab_message *) ring_front (&self->core);
        if (message.session != 0) {
            pop_message (&self->core);
            continue;
        }
        ring_pop (&self->core);
        bool pushed = ring_push (&self->core, &message);
        COHORT_ASSERT (pushed); /* there was room for it before */
    }
    clear_snapshots (self);
}

void outbox_message (struct outbox *self, const struct zab_message *message)
{
    struct ring *lane = is_urgent (message->type) ? &self->urgent : &self->core;
    if (lane == &self->core && message->session != 0 && message->session != self->session) {
        forget_attempt (self);
        self->session = message->session;
    }
    if (lane == &self->core && merge (self, message)) {
        return;
    }
    struct zab_message copy = *message;
    copy.entries = NULL;
    copy.entries_count = 0;
    copy.points = NULL;
    if (message->points_count > 0) {
        copy.points = mem_dup (message->points, message->points_count * sizeof *message->points);
        self->failed |= copy.points == NULL;
    }
    if (self->failed || !ring_push (lane, &copy)) {
        mem_free ((void *) copy.points);
        self->failed = true;
    }
}

/* Room behind what waits: what was handed out makes place. */
static void make_room (struct outbox_bytes *list)
{
    if (list->taken == list->buf.size) {
        buf_clear (&list->buf);
        list->taken = 0;
    } else if (list->taken >= COMPACT_BYTES && list->taken >= list->buf.size / 2) {
        memmove (list->buf.data, list->buf.data + list->taken, list->buf.size - list->taken);
        buf_truncate (&list->buf, list->buf.size - list->taken);
        list->taken = 0;
    }
}

void outbox_forward (struct outbox *self, const uint8_t *request, size_t size)
{
    make_room (&self->forwarded);
    if (waiting_in (&self->forwarded) + size > self->forwards_max) {
        self->failed = true; /* behind a new link what is still wanted is forwarded again */
        return;
    }
    peer_forward_encode (&self->forwarded.buf, request, size);
}

void outbox_forget_forwards (struct outbox *self)
{
    buf_truncate (&self->forwarded.buf, self->forwarded.taken);
}

void outbox_record (struct outbox_bytes *list, const uint64_t *numbers, size_t count)
{
    make_room (list);
    if (waiting_in (list) + count * sizeof *numbers > OUTBOX_RECORDS_MAX) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buf_u64 (&list->buf, numbers[i]);
    }
}

void outbox_newest (struct outbox_bytes *list, const uint64_t *numbers, size_t count)
{
    buf_truncate (&list->buf, list->taken);
    outbox_record (list, numbers, count);
}

void outbox_bootstrap (struct outbox *self, const struct peer_bootstrap *bootstrap)
{
    self->bootstrap = *bootstrap;
    self->bootstrap_due = true;
}

void outbox_snapshot (struct outbox *self, const struct peer_snapshot *part, const uint8_t *chunk,
                      size_t size)
{
    struct outbox_part copy = {*part, NULL, size};
    if (part->kind == PEER_OFFER) {
        clear_snapshots (self);
    }
    if (size > 0) {
        copy.chunk = mem_dup (chunk, size);
        self->failed |= copy.chunk == NULL;
    }
    if (self->failed || !ring_push (&self->snapshots, &copy)) {
        mem_free (copy.chunk);
        self->failed = true;
    }
}

/* ---- Taking out ------------------------------------------------------------------------------ */

static bool has_range (const struct zab_message *message)
{
    return message->entries_through > message->entries_after &&
           (message->type == ZAB_PROPOSAL || message->type == ZAB_DIFF);
}

/* Reads the entries of a message; a DIFF is sent whole, a run of proposals may be cut. */
static bool add_range (struct peer_frame *frame, struct zab_message *message, uint64_t budget,
                       outbox_read_fn *read, void *read_arg)
{
    struct outbox_range range;
    size_t max = message->type == ZAB_DIFF ? SIZE_MAX : (size_t) budget;
    if (!read (read_arg, message->entries_after, message->entries_through, max, &range)) {
        return false;
    }
    COHORT_ASSERT (range.count > 0);
    COHORT_ASSERT (range.reached <= message->entries_through);
    if (message->type == ZAB_DIFF && range.reached != message->entries_through) {
        return false;
    }
    frame->entry_parts[frame->entry_parts_count++] = range.bytes;
    message->entries_count = range.count;
    message->entries_through = range.reached;
    return true;
}

/* What a frame still takes. */
struct room {
    uint64_t entries;
    size_t messages;
};

/* Copies the first message of a lane to the end of the frame; its points too, for those in the
 * lane go with it. */
static struct zab_message *copy_first (const struct ring *lane, struct arena *arena,
                                       struct peer_frame *frame)
{
    struct zab_message *message = &frame->messages[frame->messages_count];
    *message = *(const struct zab_message *) ring_front (lane);
    if (message->points_count > 0) {
        message->points =
            arena_dup (arena, message->points, message->points_count * sizeof *message->points);
        if (message->points == NULL) {
            return NULL;
        }
    }
    return message;
}

/* The core lane: until it is empty, the frame is full, or credit is needed and not there. */
static bool take_core (struct outbox *self, struct room *room, outbox_read_fn *read, void *read_arg,
                       struct arena *arena, struct peer_frame *frame)
{
    struct zab_message *waiting = NULL;
    while ((waiting = ring_front (&self->core)) != NULL && frame->messages_count < room->messages) {
        struct zab_message *message = copy_first (&self->core, arena, frame);
        if (message == NULL) {
            return false;
        }
        if (has_range (waiting)) {
            if (room->entries == 0 || frame->entry_parts_count == PEER_PARTS_MAX) {
                break;
            }
            if (!add_range (frame, message, room->entries, read, read_arg)) {
                return false;
            }
            size_t size = frame->entry_parts[frame->entry_parts_count - 1].size;
            room->entries -= size < room->entries ? size : room->entries;
        }
        frame->messages_count++;
        if (message->entries_through < waiting->entries_through) {
            waiting->entries_after = message->entries_through;
            break;
        }
        pop_message (&self->core);
    }
    return true;
}

/* What overtakes the core lane must not carry a commit of entries that wait there: the commit stays
 * behind them as a message of its own. */
static void split_ping (struct outbox *self, struct zab_message *ping)
{
    if (ping->type != ZAB_PING || ping->zxid == 0 || ring_empty (&self->core)) {
        return;
    }
    struct zab_message commit = *ping;
    commit.type = ZAB_COMMIT;
    commit.nonce = 0;
    outbox_message (self, &commit);
    ping->zxid = 0;
}

static bool take_urgent (struct outbox *self, const struct room *room, struct arena *arena,
                         struct peer_frame *frame)
{
    while (!ring_empty (&self->urgent) && frame->messages_count < room->messages) {
        struct zab_message *message = copy_first (&self->urgent, arena, frame);
        if (message == NULL) {
            return false;
        }
        split_ping (self, message);
        frame->messages_count++;
        pop_message (&self->urgent);
    }
    return true;
}

static struct peer_bytes take_all (struct outbox_bytes *list)
{
    struct peer_bytes bytes = {list->buf.data + list->taken, list->buf.size - list->taken};
    if (bytes.size == 0) {
        bytes.data = NULL;
    }
    list->taken = list->buf.size;
    return bytes;
}

/* Whole requests, up to the budget but at least one. */
static struct peer_bytes take_forwards (struct outbox_bytes *list, uint64_t budget)
{
    size_t start = list->taken;
    size_t end = start;
    while (end < list->buf.size) {
        size_t size = 4 + (size_t) bytes_get_u32 (list->buf.data + end);
        if (end > start && end + size - start > budget) {
            break;
        }
        end += size;
    }
    COHORT_ASSERT (end <= list->buf.size);
    list->taken = end;
    return (struct peer_bytes){end > start ? list->buf.data + start : NULL, end - start};
}

/* Snapshot messages, up to one chunk. */
static bool take_snapshots (struct outbox *self, bool chunks, struct arena *arena,
                            struct peer_frame *frame)
{
    size_t count = ring_count (&self->snapshots);
    if (count == 0 || !ring_empty (&self->core)) {
        return true; /* never before the core's SNAP */
    }
    frame->snapshots = arena_alloc (arena, count * sizeof *frame->snapshots);
    if (frame->snapshots == NULL) {
        return false;
    }
    struct outbox_part *part = NULL;
    while ((part = ring_front (&self->snapshots)) != NULL &&
           frame->snapshots_count < PEER_SNAPSHOTS_MAX) {
        if (part->size > 0 && (!chunks || frame->chunk.size > 0)) {
            break;
        }
        frame->snapshots[frame->snapshots_count++] = part->part;
        if (part->size > 0) {
            self->chunk = part->chunk;
            frame->chunk = (struct peer_bytes){part->chunk, part->size};
            part->chunk = NULL;
        }
        pop_snapshot (self);
    }
    return true;
}

static bool has_failed (struct outbox *self)
{
    struct outbox_bytes *lists[LISTS];
    find_lists (self, lists);
    for (size_t i = 0; i < LISTS; i++) {
        self->failed |= lists[i]->buf.failed;
    }
    return self->failed;
}

static bool is_empty (const struct peer_frame *frame)
{
    return frame->messages_count == 0 && frame->snapshots_count == 0 && !frame->has_bootstrap &&
           frame->forwarded.size == 0 && frame->heartbeats.size == 0 &&
           frame->confirmations.size == 0 && frame->disconnects.size == 0 &&
           frame->syncs.size == 0 && frame->synced.size == 0 && frame->digests.size == 0 &&
           frame->asked.size == 0;
}

enum outbox_result outbox_compose (struct outbox *self, const struct outbox_credit *credit,
                                   outbox_read_fn *read, void *read_arg, struct arena *arena,
                                   struct peer_frame *frame)
{
    memset (frame, 0, sizeof *frame);
    mem_free (self->chunk);
    self->chunk = NULL;
    size_t waiting = ring_count (&self->core) + ring_count (&self->urgent);
    struct room room = {credit->core < OUTBOX_FRAME_BYTES ? credit->core : OUTBOX_FRAME_BYTES,
                        waiting < PEER_MESSAGES_MAX ? waiting : PEER_MESSAGES_MAX};
    frame->messages = arena_calloc (arena, room.messages, sizeof *frame->messages);
    if (has_failed (self) || frame->messages == NULL ||
        !take_core (self, &room, read, read_arg, arena, frame) ||
        !take_urgent (self, &room, arena, frame)) {
        return OUTBOX_BROKEN;
    }
    frame->has_bootstrap = self->bootstrap_due;
    frame->bootstrap = self->bootstrap;
    self->bootstrap_due = false;
    frame->heartbeats = take_all (&self->heartbeats);
    frame->confirmations = take_all (&self->confirmations);
    frame->disconnects = take_all (&self->disconnects);
    frame->syncs = take_all (&self->syncs);
    frame->synced = take_all (&self->synced);
    frame->digests = take_all (&self->digests);
    frame->asked = take_all (&self->asked);
    if (credit->forwards > 0) {
        uint64_t budget =
            credit->forwards < OUTBOX_FRAME_BYTES ? credit->forwards : OUTBOX_FRAME_BYTES;
        frame->forwarded = take_forwards (&self->forwarded, budget);
    }
    if (!take_snapshots (self, credit->chunks > 0, arena, frame)) {
        return OUTBOX_BROKEN;
    }
    return is_empty (frame) ? OUTBOX_EMPTY : OUTBOX_FRAME;
}

size_t outbox_bulk (const struct peer_frame *frame)
{
    size_t size = frame->forwarded.size + frame->chunk.size;
    for (size_t i = 0; i < frame->entry_parts_count; i++) {
        size += frame->entry_parts[i].size;
    }
    return size;
}

void outbox_bounds (const struct outbox *self, uint32_t peer, struct bounds *bounds)
{
    const struct outbox_bytes *records[] = {&self->heartbeats, &self->confirmations,
                                            &self->disconnects, &self->digests, &self->asked};
    bounds_look (bounds, "messages for a peer", peer, ring_count (&self->core),
                 OUTBOX_MESSAGES_MAX);
    bounds_look (bounds, "urgent messages for a peer", peer, ring_count (&self->urgent),
                 OUTBOX_MESSAGES_MAX);
    bounds_look (bounds, "parts of a snapshot for a peer", peer, ring_count (&self->snapshots),
                 OUTBOX_CHUNKS_MAX);
    bounds_look (bounds, "bytes of requests for a peer", peer, waiting_in (&self->forwarded),
                 self->forwards_max);
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        bounds_look (bounds, "records for a peer", peer, waiting_in (records[i]),
                     OUTBOX_RECORDS_MAX);
    }
    bounds_look (bounds, "points asked for by a peer", peer, waiting_in (&self->syncs), 8);
    bounds_look (bounds, "points told to a peer", peer, waiting_in (&self->synced), 16);
}
