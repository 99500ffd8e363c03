/* The session machine: frames to the server.
 * May include: session_state and what it includes. */

#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/session_state.h"

/* Without memory nothing is sent for a moment; the session goes on. */
static bool out_of_memory (struct session *self, int64_t now_ms)
{
    self->nomem_until_ms = now_ms + SESSION_NOMEM_MS;
    return false;
}

static bool next_hello (struct session *self, struct buf *out, int64_t now_ms)
{
    struct link *link = &self->candidate;
    COHORT_ASSERT (link->phase == LINK_UP);
    struct wire_hello hello = {
        .cluster_known = self->cluster_known,
        .session_id = self->id,
        .timeout_ms = self->id == 0 ? self->wanted_timeout_ms : self->timeout_ms,
        .grace_ms = self->id == 0 ? self->wanted_grace_ms : self->grace_ms,
        .attach_no = self->attach_no + 1,
        .incarnation = self->incarnation,
        .last_zxid = self->zxid_seen,
        .next_number = requests_next_number (&self->requests),
    };
    memcpy (hello.cluster_id, self->cluster_id, WIRE_ID_SIZE);
    memcpy (hello.nonce, self->nonce, WIRE_ID_SIZE);
    memcpy (hello.password, self->password, WIRE_ID_SIZE);
    if (wire_put_hello (out, &self->scratch, &hello) != COHORT_OK) {
        return out_of_memory (self, now_ms);
    }
    /* A number is used up by what may have been sent under it. */
    link->attach_no = ++self->attach_no;
    link->creating = self->id == 0;
    link->hello_ms = now_ms;
    link->phase = LINK_GREETING;
    return true;
}

/* A chunk of what was being watched. With the last one the old server is left: all that it could
 * still say will be said by the new one. */
static bool next_rearm (struct session *self, struct buf *out, int64_t now_ms)
{
    buf_clear (&self->rearm_watches);
    buf_clear (&self->rearm_streams);
    struct wire_rearm rearm = {.last_zxid = COHORT_MUTATED (rearm_from_seen) ? self->zxid_seen
                                                                             : self->zxid_events};
    rearm.more = watch_table_rearm (&self->watches, &self->rearm_watches);
    if (!rearm.more) {
        rearm.more = stream_table_rearm (&self->streams, &self->rearm_streams);
    }
    bool failed = self->rearm_watches.failed || self->rearm_streams.failed;
    rearm.watches = (const struct wire_watch *) (const void *) self->rearm_watches.data;
    rearm.watch_count = self->rearm_watches.size / sizeof (struct wire_watch);
    rearm.streams = (const struct wire_stream *) (const void *) self->rearm_streams.data;
    rearm.stream_count = self->rearm_streams.size / sizeof (struct wire_stream);
    if (failed || wire_put_rearm (out, &self->scratch, &rearm) != COHORT_OK) {
        /* The cursors have moved on: only a new connection begins at the beginning. */
        session_note (self, "out of memory");
        self->nomem_until_ms = now_ms + SESSION_NOMEM_MS;
        link_lose_active (self, now_ms);
        return false;
    }
    self->rearm_pending = rearm.more;
    if (!rearm.more) {
        link_drop (self, &self->retired);
    }
    return true;
}

/* ---- Heartbeats ------------------------------------------------------------------------------ */

/* Between two that are confirmed. */
static int64_t beat_distance_ms (const struct session *self)
{
    int64_t limit = self->timeout_ms < self->grace_ms ? self->timeout_ms : self->grace_ms;
    int64_t distance = COHORT_MUTATED (beats_too_seldom) ? limit : limit / 3;
    distance = distance > SESSION_BEAT_MS_MIN ? distance : SESSION_BEAT_MS_MIN;
    return distance < SESSION_BEAT_MS_MAX ? distance : SESSION_BEAT_MS_MAX;
}

void beat_welcomed (struct session *self, int64_t now_ms)
{
    self->next_beat_ms = now_ms;
    self->repeat_ms = SESSION_REPEAT_MS_MIN;
}

/* Nobody answers a heartbeat that is lost on its way between servers, or that reaches a leader
 * which has not applied the session's beginning yet. So one that is not confirmed soon is followed
 * by the next, which is; after longer and longer pauses, up to the usual distance, so that what is
 * slow, or without a quorum, is not asked more than a few times more often. */
static void beat_sent (struct session *self, int64_t now_ms)
{
    int64_t distance_ms = beat_distance_ms (self);
    int64_t pause_ms = self->repeat_ms;
    if (pause_ms > distance_ms) {
        pause_ms = distance_ms;
    }
    self->beat++;
    self->beat_sent_ms[self->beat % SESSION_BEATS] = now_ms;
    self->next_beat_ms = now_ms + pause_ms;
    self->repeat_ms = pause_ms * 2;
}

void beat_confirmed (struct session *self, int64_t sent_ms, int64_t now_ms)
{
    int64_t next_ms = sent_ms + beat_distance_ms (self);
    int64_t repeat_ms = (now_ms - sent_ms) * 2;
    self->next_beat_ms = self->next_beat_ms > next_ms ? self->next_beat_ms : next_ms;
    self->repeat_ms = repeat_ms > SESSION_REPEAT_MS_MIN ? repeat_ms : SESSION_REPEAT_MS_MIN;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool next_requests (struct session *self, struct buf *out, int64_t now_ms)
{
    bool beat = !self->muted && now_ms >= self->next_beat_ms;
    const struct wire_request *batch[REQUESTS_FRAME_COUNT_MAX];
    struct wire_request last;
    bool past = self->past != PAST_NONE; /* the application's requests are for the next session */
    bool close = past_close_due (self, now_ms);
    struct buf *taken = &self->taken;
    buf_clear (taken);
    stream_table_taken (&self->streams, taken);
    bool ask = self->asking.owed;
    if (!beat && !close && !ask && taken->size == 0 && !taken->failed &&
        (past || !requests_ready (&self->requests))) {
        return false;
    }
    struct wire_words words = {.requests = batch};
    words.heartbeat = beat ? self->beat + 1 : 0;
    words.ask = ask;
    words.taken = (const struct wire_taken *) (const void *) taken->data;
    words.taken_count = taken->size / sizeof (struct wire_taken);
    if (close) {
        past_close (self, &last);
        batch[words.request_count++] = &last;
    } else if (!past) {
        words.request_count = requests_next (&self->requests, batch);
    }
    for (size_t i = 0; i < words.request_count; i++) {
        self->secret_sent |= batch[i]->op.kind == WIRE_ADD_AUTH;
    }
    if (taken->failed || wire_put_words (out, &self->scratch, &words) != COHORT_OK) {
        self->close_sent = false;
        requests_unsend (&self->requests, past ? 0 : words.request_count);
        return out_of_memory (self, now_ms);
    }
    stream_table_confirmed (&self->streams);
    ask_sent (self, ask, now_ms);
    if (beat) {
        beat_sent (self, now_ms);
    }
    return true;
}

bool session_next_frame (struct session *self, uint32_t link, struct buf *out, int64_t now_ms)
{
    COHORT_ASSERT (out->size == 0);
    bool made = false;
    self->secret_sent = false;
    if (self->closed || now_ms < self->nomem_until_ms) {
        return false;
    }
    if (self->candidate.phase == LINK_UP && self->candidate.id == link) {
        made = session_may_attach (self) && next_hello (self, out, now_ms);
    } else if (self->active.phase == LINK_ATTACHED && self->active.id == link) {
        made = self->rearm_pending ? next_rearm (self, out, now_ms)
                                   : next_requests (self, out, now_ms);
    }
    arena_reset (&self->scratch);
    return made;
}
