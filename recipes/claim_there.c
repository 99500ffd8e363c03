/* Whether claims that are held are still there; see claim_private.h.
 *
 * Who takes a claim over leaves a note for its owner. Who deletes one by hand leaves nothing, and
 * the name is free: the next one gets it. So each claim that is held has a one-shot watch, asked
 * for behind its grant, on which nobody waits. It says that something has happened, and is set anew
 * together with the look at what that was.
 * May include: claim_private.h, libc. */

#include <stdlib.h>

#include "claim_private.h"

static cohort_result_fn on_seen;
static cohort_watch_fn on_event;

static void call_free (struct claim_call *call)
{
    recipe_call_end (&call->base);
    free (call);
}

/* watch: it stays in sight. */
static int look (cohort_claim_t *self, bool watch)
{
    struct claim_call *call = malloc (sizeof (*call));
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    *call = (struct claim_call){.czxid = self->token.czxid, .watch = watch};
    int rc = cohort_exists_async (self->claims->client, self->entry.path, watch ? on_event : NULL,
                                  watch ? call : NULL, on_seen, call);
    if (rc == 0) {
        recipe_call_begin (&self->calls, &call->base, self);
    } else {
        free (call);
    }
    return rc;
}

/* It cannot be watched: nobody would hear of its end, so it is given back. */
static void give_back (cohort_claim_t *self, int rc)
{
    /* If there is no memory for it the claim stays as long as its owner. */
    (void) recipe_withdraw (self->claims->client, self->entry.path, self->token.czxid);
    claim_end (self, rc, NULL);
}

/* The session has ended, of which the owner's stream tells, or the client. */
static bool is_end (int rc)
{
    return rc == COHORT_ESESSIONEXPIRED || rc == COHORT_ECLOSING;
}

static void on_seen (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct claim_call *call = arg;
    cohort_claim_t *self = call->base.owner;
    bool watch = call->watch;
    bool other = result->rc == 0 && result->stat != NULL && result->stat->czxid != call->czxid;
    (void) client;
    RECIPE_ASSERT (self == NULL || self->token.czxid == call->czxid);
    /* Also on what is not there a watch has been set, which is told once. */
    if (!watch || (result->rc != 0 && result->rc != COHORT_ENONODE)) {
        call_free (call);
    }
    if (self == NULL) {
        return;
    }
    cohort_claims_t *claims = self->claims;
    claims_enter (claims);
    if (other || result->rc == COHORT_ENONODE) {
        claim_end (self, other ? COHORT_EFENCED : COHORT_ENONODE, NULL);
    } else if (result->rc != 0 && watch && !is_end (result->rc)) {
        give_back (self, result->rc);
    }
    claims_leave (claims);
}

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    struct claim_call *call = arg;
    cohort_claim_t *self = call->base.owner;
    (void) client;
    call_free (call);
    if (self == NULL || event->type == COHORT_EVENT_WATCH_LOST) {
        return;
    }
    cohort_claims_t *claims = self->claims;
    claims_enter (claims);
    int rc = claim_follow (self);
    if (rc != 0) {
        give_back (self, rc);
    }
    claims_leave (claims);
}

int claim_follow (cohort_claim_t *self)
{
    int rc = look (self, true);
    return rc == COHORT_ESESSIONEXPIRED ? 0 : rc;
}

int claim_verify (cohort_claim_t *self)
{
    RECIPE_ASSERT (self->phase == CLAIM_HELD);
    return look (self, false);
}
