/* The session machine: frames of the server.
 * May include: session_state and what it includes. */

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/session_state.h"

/* How it begins what a server says when it does not belong to those that decide anything. */
#define HELD_NO_QUORUM "no quorum"

/* ---- Replies --------------------------------------------------------------------------------- */

/* A watch is set together with the read: by exists also on what is not there. */
static void settle_watch (struct session *self, struct request *request)
{
    struct watch *watch = request->watch;
    request->watch = NULL;
    bool set = request->rc == COHORT_OK ||
               (request->rc == COHORT_ENONODE && request->wire.op.kind == WIRE_EXISTS);
    if (set) {
        watch_table_add (&self->watches, watch);
    } else {
        watch_free (watch);
    }
}

/* All watches that were set before it are in the table, and none that was set behind it. The server
 * may have lost track of one: then its word counts, and the callback hears that all the same. */
static void settle_unwatch (struct session *self, struct request *request)
{
    struct watch *like = request->watch;
    const struct wire_op *op = &request->wire.op;
    request->watch = NULL;
    bool any =
        watch_table_remove (&self->watches, op->watcher, like, request->check, &self->events);
    if (request->rc == COHORT_OK && !any) {
        request->rc = COHORT_ENOWATCHER;
    }
    watch_free (like);
}

/* What this session is now, the one after it shall be too. */
static void settle_proof (struct session *self, struct request *request)
{
    struct proof *proof = request->proof;
    struct list_node *node = list_first (&self->proofs);
    while (node != NULL && !proof_equal (list_entry (node, struct proof, node), proof)) {
        node = list_next (&self->proofs, node);
    }
    if (request->rc == COHORT_OK && node == NULL && !COHORT_MUTATED (proof_forgotten)) {
        proof_retain (proof);
        list_push_back (&self->proofs, &proof->node);
    }
}

/* *references: so many of the frame are left, of which an answered request takes one. */
static bool take_reply (struct session *self, struct wire_frame *frame,
                        const struct wire_reply *reply, size_t *references)
{
    struct request *request = NULL;
    switch (requests_answer (&self->requests, reply, &request)) {
    case REQUESTS_WRONG:
        session_note (self, "%s answered request %llu out of turn (%s)", self->active.endpoint,
                      (unsigned long long) reply->xid, cohort_error_name (reply->code));
        return false;
    case REQUESTS_IGNORED:
    case REQUESTS_RESEND:
        return true;
    case REQUESTS_ANSWERED:
        break;
    }
    COHORT_ASSERT (request != NULL);
    COHORT_ASSERT (*references > 0);
    --*references;
    request->event.frame = frame;
    request->reply = reply;
    request->rc = reply->code;
    if (request->wire.op.kind == WIRE_STREAM_OPEN) {
        stream_opened (request->stream, reply->zxid);
    }
    if (request->wire.op.kind == WIRE_UNWATCH) {
        settle_unwatch (self, request);
    } else if (request->proof != NULL) {
        settle_proof (self, request);
    } else if (request->watch != NULL) {
        settle_watch (self, request);
    }
    session_complete (self, request, request->rc);
    if (self->closing) {
        watch_table_lose (&self->watches, &self->events);
    }
    return true;
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* One that has failed is closed at once: its snapshot, which nobody confirms any more, would hold
 * up those of the others. Without memory that is left to whoever closes it. */
static void leave_stream (struct session *self, struct cohort_stream *stream)
{
    struct request *close = request_new (WIRE_STREAM_CLOSE, "", NULL, NULL, 0);
    if (close == NULL) {
        return;
    }
    stream_retain (stream);
    close->stream = stream;
    close->own = true;
    close->wire.op.stream_id = stream->id;
    stream_table_remove (&self->streams, stream);
    int rc = requests_add (&self->requests, close);
    COHORT_ASSERT (rc == COHORT_OK); /* what closes something is always taken */
}

static bool take_batch (struct session *self, struct wire_frame *frame,
                        const struct wire_batch *batch)
{
    struct cohort_stream *stream = stream_table_find (&self->streams, batch->stream_id);
    if (stream == NULL) {
        return true;
    }
    int rc = stream_table_take (&self->streams, stream, frame, batch, &self->events);
    if (rc == COHORT_ENOMEM) {
        session_note (self, "out of memory");
    } else if (rc != COHORT_OK) {
        session_note (self, "%s sent what cannot be part of a stream", self->active.endpoint);
    } else if (stream->over) {
        leave_stream (self, stream);
    }
    return rc == COHORT_OK;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

/* The past session is closed, or was by somebody else: what follows is about the next. */
static bool take_past_reply (struct session *self, const struct wire_reply *reply, int64_t now_ms)
{
    if (reply->xid != self->close_xid || !self->close_sent || reply->code != COHORT_OK) {
        session_note (self, "%s did not close the session: %s", self->active.endpoint,
                      cohort_error_name (reply->code));
        return false;
    }
    past_over (self, now_ms);
    return true;
}

/* What the server has said of a zxid holds for all events up to it; while a transaction comes in
 * fragments it need not hold for those. */
static uint64_t settle (const struct session *self, uint64_t settled, uint64_t zxid)
{
    return zxid > settled && !stream_table_partial (&self->streams) ? zxid : settled;
}

static bool take_each (struct session *self, struct wire_frame *frame, size_t *references,
                       int64_t now_ms)
{
    uint64_t seen = frame->zxid, settled = 0;
    for (size_t i = 0; i < frame->item_count && !self->closed; i++) {
        const struct wire_item *item = &frame->items[i];
        bool good = true;
        uint64_t zxid = 0;
        switch (item->kind) {
        case WIRE_ITEM_REPLY:
            if (self->past == PAST_CLOSES) {
                return take_past_reply (self, item->u.reply, now_ms);
            }
            good = take_reply (self, frame, item->u.reply, references);
            /* All events up to a reply's zxid came before it. */
            zxid = item->u.reply->zxid;
            settled = settle (self, settled, zxid);
            break;
        case WIRE_ITEM_EVENT:
            watch_table_fire (&self->watches, item->u.event, &self->events);
            zxid = item->u.event->zxid;
            break;
        case WIRE_ITEM_BATCH:
            good = take_batch (self, frame, item->u.batch);
            zxid = item->u.batch->batch.zxid;
            if (COHORT_MUTATED (settled_by_streams)) {
                settled = settled > zxid ? settled : zxid;
            }
            break;
        }
        if (!good) {
            return false;
        }
        seen = seen > zxid ? seen : zxid;
    }
    if (self->zxid_seen < seen) {
        self->zxid_seen = seen;
    }
    settled = settle (self, settled, frame->zxid);
    if (self->zxid_events < settled) {
        self->zxid_events = settled;
    }
    return true;
}

static bool take_items (struct session *self, struct wire_frame *frame, int64_t now_ms)
{
    size_t references = frame->item_count;
    wire_frame_retain_many (frame, references);
    bool good = take_each (self, frame, &references, now_ms);
    wire_frame_release_many (frame, references);
    return good;
}

/* A heartbeat has been confirmed by a quorum: the session surely lives for its time limits from
 * the moment at which that heartbeat was sent (docs/architecture.md). */
static bool take_confirmed (struct session *self, uint64_t beat, int64_t now_ms)
{
    if (beat > self->beat) {
        session_note (self, "%s confirmed a heartbeat that was never sent", self->active.endpoint);
        return false;
    }
    if (beat <= self->confirmed || self->beat - beat >= SESSION_BEATS) {
        return true;
    }
    self->confirmed = beat;
    uint64_t counted = COHORT_MUTATED (beat_of_latest) ? self->beat : beat;
    int64_t sent_ms = self->beat_sent_ms[counted % SESSION_BEATS];
    COHORT_ASSERT (sent_ms >= 0);
    if (self->touched_ms < sent_ms) {
        self->touched_ms = sent_ms;
    }
    beat_confirmed (self, sent_ms, now_ms);
    int64_t limit = self->timeout_ms < self->grace_ms ? self->timeout_ms : self->grace_ms;
    int64_t from_ms = COHORT_MUTATED (valid_from_answer) ? now_ms : sent_ms;
    int64_t until_ms = from_ms + limit - session_margin_ms (limit);
    if (self->valid_until_ms < until_ms && now_ms >= self->valid_from_ms) {
        self->valid_until_ms = until_ms;
    }
    return true;
}

static void take_held (struct session *self, const char *reason)
{
    self->held = reason[0] != '\0';
    self->no_quorum = strncmp (reason, HELD_NO_QUORUM, sizeof HELD_NO_QUORUM - 1) == 0;
    if (self->held) {
        session_note (self, "held by %s: %s", self->active.endpoint, reason);
    } else {
        self->reason[0] = '\0';
    }
}

static void frame_of_active (struct session *self, struct wire_frame *frame, int64_t now_ms)
{
    COHORT_ASSERT (self->active.phase == LINK_ATTACHED);
    /* What came before a refusal in the same frame is still true. */
    bool good = take_items (self, frame, now_ms);
    if (self->closed) {
        session_finish (self);
        return;
    }
    if (self->active.phase == LINK_NONE) {
        return; /* the past session is over */
    }
    if (good && frame->confirmed > 0) {
        good = take_confirmed (self, frame->confirmed, now_ms);
    }
    if (!good) {
        link_lose_active (self, now_ms);
        return;
    }
    if (frame->held != NULL) {
        take_held (self, frame->held);
    }
    if (frame->refused != NULL) {
        link_refused (self, &self->active, frame->refused, now_ms);
    }
}

static void frame_of_candidate (struct session *self, struct wire_frame *frame, int64_t now_ms)
{
    uint32_t link = self->candidate.id;
    if (frame->refused != NULL) {
        link_refused (self, &self->candidate, frame->refused, now_ms);
        return;
    }
    if (frame->held != NULL) {
        self->candidate.held = frame->held[0] != '\0';
    }
    if (frame->held != NULL && self->candidate.held) {
        session_note (self, "held by %s: %s", self->candidate.endpoint, frame->held);
    }
    if (frame->welcome == NULL) {
        /* Held, or a word that needs no session: the answer is still to come. */
        return;
    }
    if (self->candidate.phase != LINK_GREETING) {
        session_note (self, "%s spoke before it was greeted", self->candidate.endpoint);
        link_fail_candidate (self, now_ms);
        return;
    }
    link_welcome (self, frame->welcome, now_ms);
    if (self->active.phase == LINK_ATTACHED && self->active.id == link) {
        frame_of_active (self, frame, now_ms);
    }
}

void session_frame_shared (struct session *self, uint32_t link, const void *bytes, size_t size,
                           struct shared *shared, int64_t now_ms)
{
    bool active = self->active.phase != LINK_NONE && self->active.id == link;
    bool candidate = self->candidate.phase != LINK_NONE && self->candidate.id == link;
    if ((!active && !candidate) || self->closed) {
        /* What a left server still says counts no more: it will be said again by the new one. */
        return;
    }
    if (active) {
        self->active.heard_ms = now_ms;
    }
    if (size == 0) {
        /* A server's probe whether the connection stands, or its answer to ours. */
        if (active) {
            ask_heard (self, true, now_ms);
        }
        session_evaluate (self, now_ms);
        return;
    }
    struct wire_frame *frame = NULL;
    int rc = wire_decode_shared (bytes, size, shared, &frame);
    if (rc != COHORT_OK) {
        session_note (self, "%s: %s", active ? self->active.endpoint : self->candidate.endpoint,
                      rc == COHORT_ENOMEM ? "out of memory" : "a frame could not be understood");
        if (active) {
            link_lose_active (self, now_ms);
        } else {
            link_fail_candidate (self, now_ms);
        }
    } else if (active) {
        frame_of_active (self, frame, now_ms);
    } else {
        frame_of_candidate (self, frame, now_ms);
    }
    wire_frame_release (frame);
    if (active && self->active.phase != LINK_NONE) {
        ask_heard (self, false, now_ms);
    }
    session_evaluate (self, now_ms);
}

void session_frame (struct session *self, uint32_t link, const void *bytes, size_t size,
                    int64_t now_ms)
{
    session_frame_shared (self, link, bytes, size, NULL, now_ms);
}
