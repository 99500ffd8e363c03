/* A registration that heals itself: the recipe behind cohort/member.h.
 *
 *   CREATE ---> HELD: the znode is ours; the stream on it tells when it goes, updates are written
 *     |  ^       |
 *     |  +-------+ it vanished
 *     v
 *   EXAMINE -> REPLACE: it is of our own previous session
 *     |  ^  -> HELD: it is of this session (adopted)
 *     v  |
 *   BLOCKED: it is a stranger's; the stream tells when it goes
 *
 *   FAILED: a write was refused; from any state, left by cohort_member_retry and _update.
 *
 * One request is in flight at a time. Its context is an allocation of its own, which a destroyed
 * member, or one that begins anew, leaves behind with the order to undo a creation. Replies and the
 * stream's batches may overtake each other after a reconnect, so each is judged by zxids: a batch
 * older than the znode we hold says nothing about it, and what the stream has shown since a znode's
 * creation counts when the reply comes.
 * May include: the client's public headers, recipes' support, libc. */

#include "member_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- Handlers ------------------------------------------------------------------------------ */

bool member_report (cohort_member_t *self, cohort_member_event_t event)
{
    event.path = self->path;
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
    return !self->guard.destroyed;
}

void member_fail (cohort_member_t *self, int rc)
{
    RECIPE_ASSERT (rc < 0);
    self->phase = MEMBER_FAILED;
    self->error = rc;
    member_report (self, (cohort_member_event_t){.kind = COHORT_MEMBER_ERROR, .rc = rc});
}

/* ---- Sessions ------------------------------------------------------------------------------ */

static void remember_session (cohort_member_t *self, uint64_t session)
{
    size_t newest = (self->sessions_count + MEMBER_SESSIONS_MAX - 1) % MEMBER_SESSIONS_MAX;
    if (session != 0 && self->sessions[newest] != session) {
        self->sessions[self->sessions_count % MEMBER_SESSIONS_MAX] = session;
        self->sessions_count++;
    }
}

bool member_owned (const cohort_member_t *self, uint64_t session)
{
    for (size_t i = 0; i < MEMBER_SESSIONS_MAX; i++) {
        if (session != 0 && self->sessions[i] == session) {
            return true;
        }
    }
    return false;
}

static cohort_batch_fn on_batch;

/* Registers anew in the session that there is, or in a new one. asked: by the application, not by
 * an event. */
static int member_open (cohort_member_t *self, bool asked)
{
    RECIPE_ASSERT (self->stream == NULL);
    RECIPE_ASSERT (self->request == NULL);
    int rc = recipe_renew (self->client, asked ? NULL : &self->lost_session);
    if (rc != 0) {
        return rc;
    }
    self->phase = MEMBER_CREATE;
    self->parent = 0;
    self->parents_made = 0;
    self->view = (struct member_view){0};
    self->touched = false;
    /* Before the creation, so that no change after it can be missed. */
    self->stream = cohort_stream_new (self->client, self->path, on_batch, self);
    if (self->stream == NULL) {
        return COHORT_ENOMEM;
    }
    rc = member_step (self);
    /* Of a session that ended this moment the stream will tell. */
    return rc == COHORT_ESESSIONEXPIRED ? 0 : rc;
}

/* What is in flight is nobody's any more: what it makes is withdrawn when the answer comes, in
 * whatever session that is. */
static void member_close (cohort_member_t *self)
{
    if (self->stream != NULL) {
        cohort_stream_destroy (&self->stream);
    }
    if (self->request != NULL) {
        self->request->member = NULL;
        self->request = NULL;
    }
}

void member_lost (cohort_member_t *self)
{
    if (cohort_state (self->client) == COHORT_LOST) {
        remember_session (self, cohort_session_id (self->client));
    }
    remember_session (self, self->session);
    member_close (self);
    cohort_member_event_t event = {
        .kind = COHORT_MEMBER_LOST, .rc = COHORT_ESESSIONEXPIRED, .token = self->token};
    self->token = (cohort_token_t){0};
    self->session = 0;
    self->stored = 0;
    self->phase = MEMBER_FAILED;
    self->error = COHORT_ESESSIONEXPIRED;
    /* Without a registration nothing is lost. The handler may have opened the member anew. */
    if (event.token.czxid != 0 && (!member_report (self, event) || self->stream != NULL)) {
        return;
    }
    int rc = member_open (self, false);
    if (rc != 0) {
        member_fail (self, rc);
    }
}

void member_free (cohort_member_t *self)
{
    free (self->data);
    free (self->path);
    free (self);
}

/* ---- The stream ---------------------------------------------------------------------------- */

void member_vanished (cohort_member_t *self)
{
    cohort_member_event_t event = {
        .kind = COHORT_MEMBER_LOST, .rc = COHORT_ENONODE, .token = self->token};
    remember_session (self, self->session);
    self->token = (cohort_token_t){0};
    self->session = 0;
    self->stored = 0;
    self->phase = MEMBER_CREATE;
    self->parent = 0;
    self->parents_made = 0;
    member_report (self, event);
    member_go (self);
}

bool member_has_gone (const cohort_member_t *self, uint64_t czxid)
{
    return self->view.zxid > czxid && (!self->view.exists || self->view.czxid > czxid);
}

bool member_given_away (const cohort_member_t *self, cohort_token_t token)
{
    return self->view.exists && self->view.czxid == token.czxid && self->view.ozxid > token.ozxid;
}

/* A whole batch has shown the znode as self->view. */
static void viewed (cohort_member_t *self)
{
    bool gone_to_us = self->view.exists && self->view.czxid == self->found.czxid &&
                      self->view.owner != 0 && self->view.owner == cohort_session_id (self->client);
    if (self->phase == MEMBER_HELD &&
        (member_has_gone (self, self->token.czxid) || member_given_away (self, self->token))) {
        member_vanished (self);
    } else if (self->phase == MEMBER_BLOCKED &&
               (gone_to_us || member_has_gone (self, self->found.czxid))) {
        self->phase = self->view.exists ? MEMBER_EXAMINE : MEMBER_CREATE;
        self->parent = 0;
        member_go (self);
    }
}

static void take_batch (cohort_member_t *self, const cohort_batch_t *batch)
{
    if (batch->first) {
        self->staged = self->view;
        self->touched = batch->snapshot != 0;
        if (batch->snapshot) {
            self->staged = (struct member_view){0};
        }
    }
    for (size_t i = 0; i < batch->count; i++) {
        const cohort_change_t *change = &batch->changes[i];
        if (change->kind == COHORT_CHANGE_OWNER) {
            bool ours = recipe_handed_over (change, &self->staged.owner, &self->staged.ozxid);
            self->touched = self->touched || ours;
            continue;
        }
        /* A stranger's znode may have children. */
        if (strcmp (change->path, self->path) == 0) {
            self->touched = true;
            self->staged.exists = change->kind != COHORT_CHANGE_DELETED;
            self->staged.czxid = self->staged.exists ? change->stat.czxid : 0;
            self->staged.owner = self->staged.exists ? change->stat.ephemeral_owner : 0;
            self->staged.ozxid = self->staged.exists ? change->stat.ozxid : 0;
        }
    }
    if (!batch->more && self->touched) {
        self->staged.zxid = batch->zxid;
        self->view = self->staged;
        viewed (self);
    }
}

static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    cohort_member_t *self = arg;
    RECIPE_ASSERT (stream == self->stream);
    recipe_enter (&self->guard);
    int rc = batch == NULL ? cohort_stream_error (stream) : 0;
    if (batch == NULL && rc == COHORT_ESESSIONEXPIRED) {
        member_lost (self);
    } else if (batch == NULL) {
        member_close (self);
        member_fail (self, rc); /* one stream too many: it would be so again */
    } else {
        take_batch (self, batch);
    }
    if (recipe_leave (&self->guard)) {
        member_free (self);
    }
}

/* ---- The public functions ------------------------------------------------------------------ */

cohort_member_t *cohort_member_new (cohort_t *client, const char *path, const void *data,
                                    size_t size, int policy)
{
    bool valid = client != NULL && path != NULL && (data != NULL || size == 0) &&
                 (policy == COHORT_MEMBER_WAIT || policy == COHORT_MEMBER_GIVE_UP);
    cohort_member_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_member_t){.client = client,
                              .size = size,
                              .generation = 1,
                              .announced = 1,
                              .policy = (cohort_member_policy_t) policy};
    self->path = recipe_copy (path, strlen (path));
    self->data = recipe_copy (data, size);
    if (self->path == NULL || self->data == NULL || member_open (self, true) != 0) {
        member_close (self);
        member_free (self);
        return NULL;
    }
    return self;
}

void cohort_member_destroy (cohort_member_t **self_p)
{
    cohort_member_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    if (self->phase == MEMBER_HELD) {
        /* If there is no memory for it the znode stays until the session ends. */
        (void) recipe_withdraw (self->client, self->path, self->token.czxid);
    }
    member_close (self);
    if (recipe_bury (&self->guard)) {
        member_free (self);
    }
}

void cohort_member_set_handler (cohort_member_t *self, cohort_member_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

int cohort_member_update (cohort_member_t *self, const void *data, size_t size)
{
    if (data == NULL && size > 0) {
        return COHORT_EINVAL;
    }
    char *copy = recipe_copy (data, size);
    if (copy == NULL) {
        return COHORT_ENOMEM;
    }
    char *earlier = self->data;
    size_t earlier_size = self->size;
    self->data = copy;
    self->size = size;
    self->generation++;
    int rc = cohort_member_retry (self);
    if (rc == COHORT_EINVAL || rc == COHORT_ETOOBIG || rc == COHORT_ENOMEM) {
        self->data = earlier;
        self->size = earlier_size;
        self->generation--;
        free (copy);
        return rc;
    }
    free (earlier);
    return rc;
}

int cohort_member_retry (cohort_member_t *self)
{
    if (self->phase == MEMBER_HELD) {
        self->refused = 0;
    }
    if (self->phase != MEMBER_FAILED) {
        int rc = member_step (self);
        /* A session that has ended is dealt with when the client reports it. */
        return rc == COHORT_ESESSIONEXPIRED ? 0 : rc;
    }
    member_close (self);
    int rc = member_open (self, true);
    if (rc != 0) {
        member_close (self);
        self->phase = MEMBER_FAILED;
        self->error = rc;
    }
    return rc;
}

static int is_registered (void *arg)
{
    const cohort_member_t *self = arg;
    if (self->phase == MEMBER_FAILED) {
        return self->error;
    }
    if (self->phase != MEMBER_HELD) {
        return 0;
    }
    if (self->stored == self->generation) {
        return 1;
    }
    return self->refused == self->generation ? self->error : 0;
}

int cohort_member_wait (cohort_member_t *self, int timeout_ms)
{
    recipe_enter (&self->guard);
    int rc = recipe_wait (self->client, &self->guard, timeout_ms, is_registered, self);
    if (recipe_leave (&self->guard)) {
        member_free (self);
    }
    return rc;
}

cohort_token_t cohort_member_token (cohort_member_t *self)
{
    return self->token;
}

int cohort_member_valid (cohort_member_t *self, int margin_ms)
{
    /* After a renewal that this member has not heard of yet the client speaks for another
     * session. */
    return self->phase == MEMBER_HELD && cohort_session_id (self->client) == self->session &&
           cohort_valid_ms (self->client) > (margin_ms > 0 ? margin_ms : 0);
}

int cohort_member_pending (cohort_member_t *self)
{
    return self->stored != self->generation;
}

const char *cohort_member_path (cohort_member_t *self)
{
    return self->path;
}
