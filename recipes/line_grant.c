/* When a place in a line is held: nobody is ahead, and the session is known to live; see line.h.
 *
 * Who hung, or was cut off, hears late that it is its turn: perhaps so late that its session has
 * ended and the next one holds already. To be told so would do no harm, as line_valid is false and
 * the token is older than the next one's; but it would be wrong, and in the wrong order. So a grant
 * that is found while the session may have ended waits for the answer to a sync, which only a
 * session that lives is given.
 * May include: line.h, libc. */

#include <stdlib.h>

#include "line.h"

/* An answer says what was so after the question was asked: one that took longer, or was not looked
 * at for longer, says too little about now. In ms, and doubled with each that did: who is that far
 * from the servers, with a session that is never surely valid, is granted at last. */
#define ANSWER_AGE_MAX 100

static cohort_result_fn on_asked;

static void hold (struct line *self)
{
    self->phase = LINE_HELD;
    if (self->ahead_fn == NULL && (self->behind || self->followed)) {
        self->record.granted = true;
        self->record.granted_ms = 0;
        /* Without it the one behind has to look, and nobody sees since when. */
        (void) line_store (self);
    }
    self->owner->fn (self->owner, self, LINE_GRANTED, 0);
}

static int ask (struct line *self)
{
    struct recipe_call *call = malloc (sizeof (*call));
    int rc = call == NULL ? COHORT_ENOMEM : cohort_sync_async (self->client, on_asked, call);
    if (rc == 0) {
        recipe_call_begin (&self->asked, call, self);
        self->asked_ms = cohort_now_ms (self->client);
    } else {
        free (call);
    }
    return rc;
}

/* Holds if the session was seen to live by now, and asks whether it does otherwise. */
static void hold_if (struct line *self, bool lives)
{
    if (cohort_state (self->client) == COHORT_LOST ||
        cohort_session_id (self->client) != self->session) {
        /* Of the end of its session the streams are about to tell. */
        line_end (self, COHORT_ESESSIONEXPIRED);
        return;
    }
    if (lives && cohort_state (self->client) == COHORT_CONNECTED) {
        hold (self);
        return;
    }
    self->phase = LINE_LOOKING;
    int rc = ask (self);
    if (rc != 0) {
        line_end (self, rc);
    }
}

void line_grant (struct line *self)
{
    line_watch_close (&self->ahead);
    self->answer_age_max = ANSWER_AGE_MAX;
    hold_if (self, cohort_valid_ms (self->client) > 0);
}

static void answered (struct line *self, int rc)
{
    if (rc != 0) {
        line_end (self, rc);
        return;
    }
    bool recent = cohort_now_ms (self->client) - self->asked_ms <= self->answer_age_max;
    self->answer_age_max *= 2;
    hold_if (self, recent || cohort_valid_ms (self->client) > 0);
}

static void on_asked (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct recipe_call *call = arg;
    struct line *self = call->owner;
    (void) client;
    recipe_call_end (call);
    free (call);
    if (self == NULL) {
        return;
    }
    struct line_owner *owner = self->owner;
    recipe_enter (&owner->guard);
    answered (self, result->rc);
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}
