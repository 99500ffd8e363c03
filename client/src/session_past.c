/* The session machine: what a process does with the session of the one before it.
 *
 * A process that ends without closing its session leaves a file from which the next takes who it
 * was (state_file.h). The next attaches as the following incarnation of that session, so that its
 * ephemerals stay; or, if it is told to, closes it first and begins with a new one.
 *
 * The process before may still be there, cut off or stopped, and count on the session. Since its
 * last confirmed heartbeat was sent before this incarnation was welcomed, its validity ends within
 * the smaller one of the limits from then on: for so long nobody else counts on the session, and
 * it is not closed. May include: session_state and what it includes. */

#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/session_state.h"

/* Attach numbers of one incarnation are not those of another. */
#define INCARNATION_SHIFT 32

/* The last attach number that belongs to the incarnations before. */
static uint64_t last_attach_before (uint32_t incarnation)
{
    return incarnation > 1 ? (uint64_t) incarnation << INCARNATION_SHIFT : 0;
}

void past_adopt (struct session *self, const struct session_identity *past, bool close)
{
    COHORT_ASSERT (past->id != 0);
    COHORT_ASSERT (past->incarnation > 1);
    self->past = close ? PAST_CLOSES : PAST_RESUMES;
    memcpy (self->fresh_password, self->password, WIRE_ID_SIZE);
    memcpy (self->password, past->password, WIRE_ID_SIZE);
    memcpy (self->cluster_id, past->cluster_id, WIRE_ID_SIZE);
    self->cluster_known = true;
    self->id = past->id;
    self->incarnation = past->incarnation;
    self->attach_no = last_attach_before (past->incarnation);
    self->timeout_ms = past->timeout_ms;
    self->grace_ms = past->grace_ms;
}

void past_welcome (struct session *self, int64_t now_ms)
{
    uint32_t limit_ms = self->timeout_ms < self->grace_ms ? self->timeout_ms : self->grace_ms;
    if (!COHORT_MUTATED (close_not_repeated)) {
        self->close_sent = false;
    }
    if (self->past != PAST_NONE && self->valid_from_ms == 0 && !COHORT_MUTATED (counts_at_once)) {
        self->valid_from_ms = now_ms + (COHORT_MUTATED (counts_early) ? limit_ms / 2 : limit_ms);
    }
    if (self->past == PAST_RESUMES) {
        self->past = PAST_NONE;
    }
}

void past_over (struct session *self, int64_t now_ms)
{
    COHORT_ASSERT (self->past != PAST_NONE);
    COHORT_ASSERT (self->state == COHORT_CONNECTING);
    link_drop (self, &self->candidate);
    link_drop (self, &self->active);
    link_drop (self, &self->retired);
    self->past = PAST_NONE;
    memcpy (self->password, self->fresh_password, WIRE_ID_SIZE);
    self->id = self->attach_no = self->zxid_seen = self->zxid_events = 0;
    self->incarnation = 1;
    self->timeout_ms = self->wanted_timeout_ms;
    self->grace_ms = self->wanted_grace_ms;
    self->beat = self->confirmed = 0;
    self->next_beat_ms = self->touched_ms = self->valid_until_ms = self->valid_from_ms = 0;
    self->moving = self->rearm_pending = self->held = self->no_quorum = false;
    self->next_attempt_ms = now_ms;
}

bool past_close_due (const struct session *self, int64_t now_ms)
{
    return self->past == PAST_CLOSES && !self->close_sent && self->valid_from_ms != 0 &&
           now_ms >= self->valid_from_ms;
}

void past_close (struct session *self, struct wire_request *request)
{
    *request = (struct wire_request){.number = 1, .op.kind = WIRE_CLOSE};
    /* Alone on its connection, whose requests begin with it. */
    request->xid = self->close_xid = ++self->requests.last_xid;
    self->close_sent = true;
}
