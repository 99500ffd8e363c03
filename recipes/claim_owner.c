/* The owner of claims, as its stream shows it: when its znode goes all claims are void; see
 * claim_private.h.
 * May include: claim_private.h, libc. */

#include <stdlib.h>
#include <string.h>

#include "claim_private.h"

static cohort_batch_fn on_owner;

/* All claims in these phases, one after the other: `what` may destroy any of them, and all. */
static void for_each (cohort_claims_t *self, enum claim_phase from, enum claim_phase to, int rc,
                      void (*what) (cohort_claim_t *claim, int rc))
{
    cohort_claim_t *next;
    for (cohort_claim_t *claim = self->all; claim != NULL; claim = next) {
        next = claim->next;
        if (claim->phase >= from && claim->phase <= to) {
            claim_move (claim, &self->work);
        }
    }
    while (self->work != NULL) {
        cohort_claim_t *claim = self->work;
        claim_move (claim, &self->all);
        /* A handler may have changed it meanwhile. */
        if (!self->guard.destroyed && claim->phase >= from && claim->phase <= to) {
            what (claim, rc);
        }
    }
}

static void end_one (cohort_claim_t *claim, int rc)
{
    claim_end (claim, rc, NULL);
}

static void start_one (cohort_claim_t *claim, int rc)
{
    (void) rc;
    claim_go (claim);
}

/* The owner's znode is not the one any more that claims refer to: they are void. */
static void owner_lost (cohort_claims_t *self, int rc)
{
    self->session = 0;
    claims_close_inbox (self);
    for_each (self, CLAIM_TRYING, CLAIM_HELD, rc, end_one);
}

int claims_open (cohort_claims_t *self, bool asked)
{
    RECIPE_ASSERT (self->owner.stream == NULL);
    int rc = recipe_renew (self->client, asked ? NULL : &self->lost_session);
    if (rc != 0) {
        return rc;
    }
    char *path = recipe_copy (self->owner.path, strlen (self->owner.path));
    if (path == NULL) {
        return COHORT_ENOMEM;
    }
    struct claim_watch watch = {0};
    rc = claim_watch_open (&watch, self->client, path, false, on_owner, self);
    if (rc == 0) {
        free (self->owner.path);
        self->owner = watch;
        self->error = 0;
    }
    free (path);
    return rc;
}

void claims_fail (cohort_claims_t *self, int rc)
{
    self->error = rc;
    if (self->owner.stream != NULL) {
        cohort_stream_destroy (&self->owner.stream);
    }
    owner_lost (self, rc);
    /* A handler may have begun anew. */
    if (!self->guard.destroyed && self->owner.stream == NULL) {
        for_each (self, CLAIM_PENDING, CLAIM_PENDING, rc, end_one);
    }
}

static void owner_stream_ended (cohort_claims_t *self, int rc)
{
    cohort_stream_destroy (&self->owner.stream);
    self->owner.seen = false;
    self->owner.view = (struct claim_view){0};
    if (rc != COHORT_ESESSIONEXPIRED) {
        claims_fail (self, rc);
        return;
    }
    owner_lost (self, rc);
    if (!self->guard.destroyed && self->owner.stream == NULL) {
        rc = claims_open (self, false);
        if (rc != 0) {
            claims_fail (self, rc);
        }
    }
}

/* What the stream shows of the owner's znode. */
static void look_at_owner (cohort_claims_t *self)
{
    const cohort_stat_t *stat = &self->owner.view.stat;
    uint64_t session = cohort_session_id (self->client);
    bool there = self->owner.view.exists && session != 0 && stat->ephemeral_owner == session;
    bool same = there && self->session == session && self->czxid == stat->czxid &&
                self->ozxid == stat->ozxid;
    if (self->session != 0 && !same) {
        owner_lost (self, COHORT_ENONODE);
    }
    if (!there || same || self->guard.destroyed) {
        return;
    }
    self->session = session;
    self->czxid = stat->czxid;
    self->ozxid = stat->ozxid;
    int rc = claims_open_inbox (self);
    if (rc == 0) {
        for_each (self, CLAIM_PENDING, CLAIM_PENDING, 0, start_one);
    } else {
        claims_fail (self, rc);
    }
}

static void on_owner (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    cohort_claims_t *self = arg;
    RECIPE_ASSERT (stream == self->owner.stream);
    claims_enter (self);
    if (batch == NULL) {
        owner_stream_ended (self, cohort_stream_error (stream));
    } else if (claim_watch_take (&self->owner, batch) == 1) {
        look_at_owner (self);
    }
    claims_leave (self);
}
