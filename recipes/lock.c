/* A lock that processes share: the recipe behind cohort/lock.h. It adds to a place in a line
 * (line.h) that one contender may acquire several times, in one mode or the other.
 * May include: the client's public headers, recipes' line and support, libc. */

#include "cohort/lock.h"

#include <stdlib.h>
#include <string.h>

#include "line.h"

struct cohort_lock {
    struct line_owner owner; /* first: line_fn gets it */
    cohort_t *client;
    char *path;
    struct line line;
    unsigned count; /* acquisitions; 0: the line is OUT */
    cohort_lock_mode_t mode;
    cohort_token_t held; /* of the grant; zero: none */
    int error;           /* why the last acquisition has ended */
    cohort_lock_fn *fn;
    void *arg;
};

static void report (cohort_lock_t *self, cohort_lock_event_t event)
{
    event.path = self->path;
    if (self->fn != NULL && !self->owner.guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

static void on_news (struct line_owner *owner, struct line *line, enum line_news news, int rc)
{
    cohort_lock_t *self = (cohort_lock_t *) (void *) owner;
    RECIPE_ASSERT (line == &self->line);
    switch (news) {
    case LINE_GRANTED:
        self->held = line->token;
        report (self, (cohort_lock_event_t){.kind = COHORT_LOCK_GRANTED, .token = line->token});
        break;
    case LINE_BEHIND:
        report (self, (cohort_lock_event_t){.kind = COHORT_LOCK_WAITING});
        break;
    case LINE_ENDED: {
        cohort_token_t token = self->held;
        self->held = (cohort_token_t){0};
        self->count = 0;
        self->error = rc;
        report (self, (cohort_lock_event_t){.kind = token.czxid != 0 ? COHORT_LOCK_REVOKED
                                                                     : COHORT_LOCK_FAILED,
                                            .rc = rc,
                                            .token = token});
        break;
    }
    case LINE_STORED:
        break; /* what is recorded is for others to read */
    }
}

static void lock_free (struct line_owner *owner)
{
    cohort_lock_t *self = (cohort_lock_t *) (void *) owner;
    line_deinit (&self->line);
    free (self->path);
    free (self);
}

cohort_lock_t *cohort_lock_new (cohort_t *client, const char *path, const void *id, size_t size)
{
    bool valid = client != NULL && path != NULL && (id != NULL || size == 0);
    cohort_lock_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_lock_t){.client = client, .owner = {.fn = on_news, .free = lock_free}};
    self->path = recipe_copy (path, strlen (path));
    line_init (&self->line, &self->owner, client, self->path, LINE_EXCLUSIVE);
    if (self->path == NULL || line_set_payload (&self->line, id, size) != 0) {
        lock_free (&self->owner);
        return NULL;
    }
    return self;
}

void cohort_lock_destroy (cohort_lock_t **self_p)
{
    cohort_lock_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->owner.guard.destroyed);
    line_deinit (&self->line);
    if (recipe_bury (&self->owner.guard)) {
        lock_free (&self->owner);
    }
}

void cohort_lock_set_handler (cohort_lock_t *self, cohort_lock_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

/* ---- Acquiring ------------------------------------------------------------------------------- */

/* It was held in a session that has ended; of that the client knows, and the lock has not heard. */
static bool is_stale (const cohort_lock_t *self)
{
    return self->held.czxid != 0 && (cohort_state (self->client) == COHORT_LOST ||
                                     cohort_session_id (self->client) != self->line.session);
}

/* Once more. */
static int acquire_again (cohort_lock_t *self, cohort_lock_mode_t mode)
{
    if (mode == COHORT_LOCK_EXCLUSIVE && self->mode == COHORT_LOCK_SHARED) {
        return COHORT_ESTATE;
    }
    if (is_stale (self)) {
        return COHORT_ESESSIONEXPIRED;
    }
    self->count++;
    return 0;
}

int cohort_lock_acquire (cohort_lock_t *self, cohort_lock_mode_t mode)
{
    if (mode != COHORT_LOCK_EXCLUSIVE && mode != COHORT_LOCK_SHARED) {
        return COHORT_EINVAL;
    }
    if (self->count > 0) {
        return acquire_again (self, mode);
    }
    int rc = recipe_renew (self->client, NULL);
    if (rc != 0) {
        return rc;
    }
    struct line *line = &self->line;
    line->kind = mode == COHORT_LOCK_SHARED ? LINE_SHARED : LINE_EXCLUSIVE;
    rc = line_join (&line, 1);
    if (rc == 0) {
        self->count = 1;
        self->mode = mode;
        self->error = 0;
    }
    return rc;
}

static int is_granted (void *arg)
{
    const cohort_lock_t *self = arg;
    if (self->count == 0) {
        return self->error != 0 ? self->error : COHORT_ESTATE;
    }
    return self->held.czxid != 0 && !is_stale (self) ? 1 : 0;
}

static int is_answered (void *arg)
{
    const cohort_lock_t *self = arg;
    int rc = is_granted (arg);
    return rc == 0 && self->line.behind ? COHORT_EBUSY : rc;
}

/* Waits for what `done` says, and takes one acquisition back if it says no or nothing in time. */
static int lock_wait (cohort_lock_t *self, int timeout_ms, recipe_done_fn *done)
{
    recipe_enter (&self->owner.guard);
    int rc = recipe_wait (self->client, &self->owner.guard, timeout_ms, done, self);
    bool gives_up = rc == COHORT_ETIMEDOUT || (rc != 0 && done == is_answered);
    if (gives_up && !self->owner.guard.destroyed && self->count > 0) {
        int released = cohort_lock_release (self);
        rc = released != 0 ? released : rc;
    }
    if (recipe_leave (&self->owner.guard)) {
        lock_free (&self->owner);
    }
    return rc;
}

int cohort_lock_wait (cohort_lock_t *self, int timeout_ms)
{
    return lock_wait (self, timeout_ms, is_granted);
}

int cohort_lock_try (cohort_lock_t *self, cohort_lock_mode_t mode, int timeout_ms)
{
    int rc = cohort_lock_acquire (self, mode);
    return rc != 0 ? rc : lock_wait (self, timeout_ms, is_answered);
}

int cohort_lock_release (cohort_lock_t *self)
{
    if (self->count == 0) {
        return COHORT_ESTATE;
    }
    if (self->count > 1) {
        self->count--;
        return 0;
    }
    int rc = line_leave (&self->line);
    if (rc == 0) {
        self->count = 0;
        self->held = (cohort_token_t){0};
    }
    return rc;
}

int cohort_lock_downgrade (cohort_lock_t *self)
{
    if (self->held.czxid == 0) {
        return COHORT_ESTATE;
    }
    int rc = self->mode == COHORT_LOCK_SHARED ? 0 : line_downgrade (&self->line);
    if (rc == 0) {
        self->mode = COHORT_LOCK_SHARED;
    }
    return rc;
}

/* ---- What it is ------------------------------------------------------------------------------ */

int cohort_lock_held (cohort_lock_t *self)
{
    return self->held.czxid != 0;
}

int cohort_lock_valid (cohort_lock_t *self, int margin_ms)
{
    return line_valid (&self->line, margin_ms);
}

cohort_token_t cohort_lock_token (cohort_lock_t *self)
{
    return self->held;
}

int cohort_lock_guard (cohort_lock_t *self, cohort_txn_t *txn)
{
    return line_guard (&self->line, txn);
}

const char *cohort_lock_node (cohort_lock_t *self)
{
    return self->line.node;
}

const char *cohort_lock_path (cohort_lock_t *self)
{
    return self->path;
}
