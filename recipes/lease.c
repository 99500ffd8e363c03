/* A lease: the recipe behind cohort/lease.h. It adds to a place in a line (line.h) that it has to
 * be renewed, and that the one behind may take it over when it was not.
 *
 * Both count for themselves. The holder counts from before it sent the last write to its znode that
 * was confirmed: its creation, the record of its grant, a renewal. The first one behind it counts
 * from when it saw the znode's last change, which is later, and for longer; then it deletes the
 * znode, on condition that it has not been written to meanwhile.
 *
 * May include: the client's public headers, recipes' line and support, libc. */

#include "cohort/lease.h"

#include <stdlib.h>
#include <string.h>

#include "line.h"

#define NEVER COHORT_TIMER_NEVER

/* Until what could not be sent is tried again. */
#define AGAIN_MS 100

struct cohort_lease {
    struct line_owner owner; /* first: line_fn gets it */
    cohort_t *client;
    char *path;
    struct line line;
    cohort_timer_t *timer; /* for deadline_ms, or take_over_ms */
    int64_t duration_ms;
    bool acquired;        /* the line is not OUT */
    cohort_token_t held;  /* of the grant; zero: none */
    int64_t written_ms;   /* when the write on its way, or the creation, was sent */
    int64_t again_ms;     /* when the one behind it was asked for, NEVER: there is none */
    int64_t deadline_ms;  /* held: its time is over then */
    int64_t take_over_ms; /* waiting: when it may, NEVER: not by time */
    uint64_t seen_mzxid;  /* of the znode ahead */
    uint64_t ahead_czxid;
    int error; /* why the last acquisition has ended */
    cohort_lease_fn *fn;
    void *arg;
};

static int64_t now_ms (const cohort_lease_t *self)
{
    return cohort_now_ms (self->client);
}

static void report (cohort_lease_t *self, cohort_lease_event_t event)
{
    event.path = self->path;
    if (self->fn != NULL && !self->owner.guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

/* Has itself called when something is due by time alone. */
static void arm (cohort_lease_t *self)
{
    cohort_timer_set (self->timer, self->held.czxid != 0 ? self->deadline_ms : self->take_over_ms);
}

static void forget_grant (cohort_lease_t *self)
{
    self->acquired = false;
    self->held = (cohort_token_t){0};
    self->take_over_ms = self->deadline_ms = self->again_ms = NEVER;
    self->seen_mzxid = self->ahead_czxid = 0;
    arm (self);
}

/* ---- Being granted --------------------------------------------------------------------------- */

/* A write that was sent then, or the creation, is confirmed. */
static void confirmed (cohort_lease_t *self, int64_t sent_ms)
{
    bool renewed = self->held.czxid != 0;
    self->deadline_ms = sent_ms + self->duration_ms;
    self->held = self->line.token;
    arm (self);
    report (self,
            (cohort_lease_event_t){.kind = renewed ? COHORT_LEASE_RENEWED : COHORT_LEASE_GRANTED,
                                   .token = self->held});
}

/* Sends the record, or has it sent when the one on its way is answered. */
static int store (cohort_lease_t *self)
{
    int64_t now = now_ms (self); /* before it is sent */
    bool waits = self->line.write != NULL;
    int rc = line_store (&self->line);
    if (rc == 0 && waits) {
        self->again_ms = now;
    } else if (rc == 0) {
        self->written_ms = now;
    }
    return rc;
}

static void ended (cohort_lease_t *self, int rc)
{
    cohort_token_t token = self->held;
    forget_grant (self);
    self->error = rc;
    report (self, (cohort_lease_event_t){.kind = token.czxid != 0 ? COHORT_LEASE_REVOKED
                                                                  : COHORT_LEASE_FAILED,
                                         .rc = rc,
                                         .token = token});
}

static void give_up (cohort_lease_t *self, int rc)
{
    if (line_leave (&self->line) != 0) {
        line_forget (&self->line); /* others take it over */
    }
    ended (self, rc);
}

/* It is our turn. Of one who had to wait, or was created long ago, the time begins with a write. */
static void granted (cohort_lease_t *self)
{
    bool just_made = now_ms (self) < self->written_ms + self->duration_ms / 2;
    self->take_over_ms = NEVER;
    arm (self);
    if (!self->line.behind && just_made) {
        confirmed (self, self->written_ms);
        return;
    }
    self->line.record.granted = true;
    self->line.record.granted_ms = 0;
    int rc = store (self);
    if (rc != 0) {
        give_up (self, rc);
    }
}

/* It was granted in a session that has ended, and has not heard of that. */
static bool is_stale (const cohort_lease_t *self)
{
    return cohort_state (self->client) == COHORT_LOST ||
           cohort_session_id (self->client) != self->line.session;
}

static void stored (cohort_lease_t *self, int rc)
{
    int64_t sent_ms = self->written_ms;
    if (self->line.write != NULL) {
        self->written_ms = self->again_ms; /* the next one is on its way */
    }
    self->again_ms = NEVER;
    if (rc == 0 && is_stale (self)) {
        return; /* of the end of the session the streams are about to tell */
    }
    if (rc == 0 && self->held.czxid == 0 && now_ms (self) >= sent_ms + self->duration_ms) {
        rc = store (self); /* the answer took too long: it may be another's by now */
        if (rc != 0) {
            give_up (self, rc);
        }
    } else if (rc == 0) {
        confirmed (self, sent_ms);
    } else if (rc == COHORT_ENONODE || rc == COHORT_EBADCZXID) {
        return; /* of a znode that has gone its stream tells */
    } else if (self->held.czxid != 0) {
        report (self, (cohort_lease_event_t){
                          .kind = COHORT_LEASE_RENEWED, .rc = rc, .token = self->held});
    } else {
        give_up (self, rc);
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* What is ahead, and whether it is the first: then it has so long to renew from now. */
static void see_ahead (struct line *line)
{
    cohort_lease_t *self = (cohort_lease_t *) (void *) line->owner;
    const struct line_view *view = &self->line.ahead.view;
    bool first = self->line.ahead_first && view->exists && view->record.lease_ms > 0;
    bool news = view->czxid != self->ahead_czxid || view->mzxid != self->seen_mzxid;
    if (!first) {
        self->take_over_ms = NEVER;
        self->ahead_czxid = 0;
    } else if (news) {
        self->ahead_czxid = view->czxid;
        self->seen_mzxid = view->mzxid;
        self->take_over_ms = now_ms (self) + view->record.lease_ms + view->record.lease_ms / 8 + 1;
    }
    arm (self);
}

/* ---- News ------------------------------------------------------------------------------------ */

static void on_news (struct line_owner *owner, struct line *line, enum line_news news, int rc)
{
    cohort_lease_t *self = (cohort_lease_t *) (void *) owner;
    RECIPE_ASSERT (line == &self->line);
    switch (news) {
    case LINE_GRANTED:
        granted (self);
        break;
    case LINE_BEHIND:
        report (self, (cohort_lease_event_t){.kind = COHORT_LEASE_WAITING});
        break;
    case LINE_ENDED:
        ended (self, rc);
        break;
    case LINE_STORED:
        stored (self, rc);
        break;
    }
}

static void lease_free (struct line_owner *owner)
{
    cohort_lease_t *self = (cohort_lease_t *) (void *) owner;
    cohort_timer_destroy (&self->timer);
    line_deinit (&self->line);
    free (self->path);
    free (self);
}

static void lease_unguard (cohort_lease_t *self)
{
    if (recipe_leave (&self->owner.guard)) {
        lease_free (&self->owner);
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void expire (cohort_lease_t *self)
{
    cohort_token_t token = self->held;
    if (line_leave (&self->line) != 0) {
        line_forget (&self->line); /* others take it over */
    }
    forget_grant (self);
    self->error = COHORT_ESTATE;
    report (self, (cohort_lease_event_t){.kind = COHORT_LEASE_EXPIRED, .token = token});
}

/* Something is due by time alone. */
static void on_timer (cohort_t *client, void *arg)
{
    cohort_lease_t *self = arg;
    (void) client;
    recipe_enter (&self->owner.guard);
    if (self->held.czxid != 0) {
        expire (self);
    } else {
        /* Its going, or its renewal, will be seen. */
        self->take_over_ms = line_depose (&self->line) == 0 ? NEVER : now_ms (self) + AGAIN_MS;
        arm (self);
    }
    lease_unguard (self);
}

/* ---- Life ------------------------------------------------------------------------------------ */

cohort_lease_t *cohort_lease_new (cohort_t *client, const char *path, int64_t duration_ms,
                                  const cohort_lease_options_t *options)
{
    cohort_lease_options_t chosen = {0};
    if (options != NULL) {
        memcpy (&chosen, options,
                options->size < sizeof (chosen) ? options->size : sizeof (chosen));
    }
    bool valid = client != NULL && path != NULL && (chosen.id != NULL || chosen.id_size == 0) &&
                 duration_ms >= COHORT_LEASE_MS_MIN && duration_ms <= COHORT_LEASE_MS_MAX;
    cohort_lease_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_lease_t){
        .client = client, .owner = {.fn = on_news, .free = lease_free}, .duration_ms = duration_ms};
    self->timer = cohort_timer_new (client, on_timer, self);
    forget_grant (self);
    self->path = recipe_copy (path, strlen (path));
    line_init (&self->line, &self->owner, client, self->path, LINE_EXCLUSIVE);
    self->line.ahead_fn = see_ahead;
    self->line.record.lease_ms = duration_ms;
    if (self->path == NULL || self->timer == NULL ||
        line_set_payload (&self->line, chosen.id, chosen.id_size) != 0) {
        lease_free (&self->owner);
        return NULL;
    }
    return self;
}

void cohort_lease_destroy (cohort_lease_t **self_p)
{
    cohort_lease_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->owner.guard.destroyed);
    cohort_timer_destroy (&self->timer);
    line_deinit (&self->line);
    self->owner.guard.destroyed = true;
    if (self->owner.guard.depth == 0) {
        lease_free (&self->owner);
    }
}

void cohort_lease_set_handler (cohort_lease_t *self, cohort_lease_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

/* ---- Acquiring ------------------------------------------------------------------------------- */

int cohort_lease_acquire (cohort_lease_t *self)
{
    if (self->acquired) {
        return COHORT_ESTATE;
    }
    int rc = recipe_renew (self->client, NULL);
    if (rc != 0) {
        return rc;
    }
    struct line *line = &self->line;
    self->written_ms = now_ms (self);
    rc = line_join (&line, 1);
    if (rc == 0) {
        self->acquired = true;
        self->error = 0;
    }
    return rc;
}

static int is_granted (void *arg)
{
    const cohort_lease_t *self = arg;
    if (!self->acquired) {
        return self->error != 0 ? self->error : COHORT_ESTATE;
    }
    return self->held.czxid != 0 && !is_stale (self) ? 1 : 0;
}

static int is_answered (void *arg)
{
    const cohort_lease_t *self = arg;
    int rc = is_granted (arg);
    return rc == 0 && self->line.behind ? COHORT_EBUSY : rc;
}

/* Waits for what `done` says, and withdraws if it says no or nothing in time. */
static int lease_wait (cohort_lease_t *self, int timeout_ms, recipe_done_fn *done)
{
    recipe_enter (&self->owner.guard);
    int rc = recipe_wait (self->client, &self->owner.guard, timeout_ms, done, self);
    bool gives_up = rc == COHORT_ETIMEDOUT || (rc != 0 && done == is_answered);
    if (gives_up && !self->owner.guard.destroyed && self->acquired) {
        int released = cohort_lease_release (self);
        rc = released != 0 ? released : rc;
    }
    lease_unguard (self);
    return rc;
}

int cohort_lease_wait (cohort_lease_t *self, int timeout_ms)
{
    return lease_wait (self, timeout_ms, is_granted);
}

int cohort_lease_try (cohort_lease_t *self, int timeout_ms)
{
    int rc = cohort_lease_acquire (self);
    return rc != 0 ? rc : lease_wait (self, timeout_ms, is_answered);
}

int cohort_lease_renew (cohort_lease_t *self)
{
    if (self->held.czxid == 0 || now_ms (self) >= self->deadline_ms) {
        return COHORT_ESTATE;
    }
    if (is_stale (self)) {
        return COHORT_ESESSIONEXPIRED;
    }
    return store (self);
}

int cohort_lease_release (cohort_lease_t *self)
{
    if (!self->acquired) {
        return COHORT_ESTATE;
    }
    int rc = line_leave (&self->line);
    if (rc == 0) {
        forget_grant (self);
    }
    return rc;
}

/* ---- What it is ------------------------------------------------------------------------------ */

int64_t cohort_lease_left_ms (cohort_lease_t *self)
{
    int64_t left = self->held.czxid == 0 ? 0 : self->deadline_ms - now_ms (self);
    int64_t session = cohort_valid_ms (self->client);
    left = left < session ? left : session;
    return left > 0 && line_valid (&self->line, 0) ? left : 0;
}

int cohort_lease_valid (cohort_lease_t *self, int margin_ms)
{
    return cohort_lease_left_ms (self) > (margin_ms > 0 ? margin_ms : 0);
}

cohort_token_t cohort_lease_token (cohort_lease_t *self)
{
    return self->held;
}

int cohort_lease_guard (cohort_lease_t *self, cohort_txn_t *txn)
{
    return self->held.czxid == 0 ? COHORT_ESTATE : line_guard (&self->line, txn);
}

const char *cohort_lease_node (cohort_lease_t *self)
{
    return self->line.node;
}

const char *cohort_lease_path (cohort_lease_t *self)
{
    return self->path;
}
