/* A semaphore that processes share: the recipe behind cohort/sem.h. It adds to a place in a line
 * (line.h) how many permits it stands for.
 * May include: the client's public headers, recipes' line and support, libc. */

#include "cohort/sem.h"

#include <stdlib.h>
#include <string.h>

#include "line.h"

struct cohort_sem {
    struct line_owner owner; /* first: line_fn gets it */
    cohort_t *client;
    char *path;
    struct line line;
    int permits;
    int count;           /* acquired; 0: the line is OUT */
    cohort_token_t held; /* of the grant; zero: none */
    int error;           /* why the last acquisition has ended */
    cohort_sem_fn *fn;
    void *arg;
};

static void report (cohort_sem_t *self, cohort_sem_event_t event)
{
    event.path = self->path;
    if (self->fn != NULL && !self->owner.guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

static void on_news (struct line_owner *owner, struct line *line, enum line_news news, int rc)
{
    cohort_sem_t *self = (cohort_sem_t *) (void *) owner;
    RECIPE_ASSERT (line == &self->line);
    switch (news) {
    case LINE_GRANTED:
        self->held = line->token;
        report (self, (cohort_sem_event_t){.kind = COHORT_SEM_GRANTED, .token = line->token});
        break;
    case LINE_BEHIND:
        report (self, (cohort_sem_event_t){.kind = COHORT_SEM_WAITING});
        break;
    case LINE_ENDED: {
        cohort_token_t token = self->held;
        self->held = (cohort_token_t){0};
        self->count = 0;
        self->error = rc;
        report (self, (cohort_sem_event_t){.kind = token.czxid != 0 ? COHORT_SEM_REVOKED
                                                                    : COHORT_SEM_FAILED,
                                           .rc = rc,
                                           .token = token});
        break;
    }
    case LINE_STORED:
        break; /* what is recorded is for others to read */
    }
}

static void sem_free (struct line_owner *owner)
{
    cohort_sem_t *self = (cohort_sem_t *) (void *) owner;
    line_deinit (&self->line);
    free (self->path);
    free (self);
}

cohort_sem_t *cohort_sem_new (cohort_t *client, const char *path, int permits, const void *id,
                              size_t size)
{
    bool valid = client != NULL && path != NULL && (id != NULL || size == 0) && permits > 0 &&
                 permits <= COHORT_SEM_PERMITS_MAX;
    cohort_sem_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_sem_t){
        .client = client, .permits = permits, .owner = {.fn = on_news, .free = sem_free}};
    self->path = recipe_copy (path, strlen (path));
    int rc = line_init_permits (&self->line, &self->owner, client, self->path, permits);
    if (self->path == NULL || rc != 0 || line_set_payload (&self->line, id, size) != 0) {
        sem_free (&self->owner);
        return NULL;
    }
    return self;
}

void cohort_sem_destroy (cohort_sem_t **self_p)
{
    cohort_sem_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->owner.guard.destroyed);
    line_deinit (&self->line);
    if (recipe_bury (&self->owner.guard)) {
        sem_free (&self->owner);
    }
}

void cohort_sem_set_handler (cohort_sem_t *self, cohort_sem_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

/* ---- Acquiring ------------------------------------------------------------------------------- */

int cohort_sem_acquire (cohort_sem_t *self, int count)
{
    if (count < 1 || count > self->permits) {
        return COHORT_EINVAL;
    }
    if (self->count > 0) {
        return COHORT_ESTATE;
    }
    int rc = recipe_renew (self->client, NULL);
    if (rc != 0) {
        return rc;
    }
    struct line *line = &self->line;
    line->record.count = count;
    rc = line_join (&line, 1);
    if (rc == 0) {
        self->count = count;
        self->error = 0;
    }
    return rc;
}

/* It was granted in a session that has ended, and has not heard of that. */
static bool is_stale (const cohort_sem_t *self)
{
    return cohort_state (self->client) == COHORT_LOST ||
           cohort_session_id (self->client) != self->line.session;
}

static int is_granted (void *arg)
{
    const cohort_sem_t *self = arg;
    if (self->count == 0) {
        return self->error != 0 ? self->error : COHORT_ESTATE;
    }
    return self->held.czxid != 0 && !is_stale (self) ? 1 : 0;
}

static int is_answered (void *arg)
{
    const cohort_sem_t *self = arg;
    int rc = is_granted (arg);
    return rc == 0 && self->line.behind ? COHORT_EBUSY : rc;
}

/* Waits for what `done` says, and withdraws if it says no or nothing in time. */
static int sem_wait_for (cohort_sem_t *self, int timeout_ms, recipe_done_fn *done)
{
    recipe_enter (&self->owner.guard);
    int rc = recipe_wait (self->client, &self->owner.guard, timeout_ms, done, self);
    bool gives_up = rc == COHORT_ETIMEDOUT || (rc != 0 && done == is_answered);
    if (gives_up && !self->owner.guard.destroyed && self->count > 0) {
        int released = cohort_sem_release (self, self->count);
        rc = released != 0 ? released : rc;
    }
    if (recipe_leave (&self->owner.guard)) {
        sem_free (&self->owner);
    }
    return rc;
}

int cohort_sem_wait (cohort_sem_t *self, int timeout_ms)
{
    return sem_wait_for (self, timeout_ms, is_granted);
}

int cohort_sem_try (cohort_sem_t *self, int count, int timeout_ms)
{
    int rc = cohort_sem_acquire (self, count);
    return rc != 0 ? rc : sem_wait_for (self, timeout_ms, is_answered);
}

int cohort_sem_release (cohort_sem_t *self, int count)
{
    if (self->count == 0) {
        return COHORT_ESTATE;
    }
    if (count < 1 || count > self->count) {
        return COHORT_EINVAL;
    }
    bool whole = count == self->count;
    if (!whole && self->held.czxid == 0) {
        return COHORT_ESTATE;
    }
    int rc = whole ? line_leave (&self->line) : line_give_back (&self->line, count);
    if (rc == 0) {
        self->count -= count;
        self->held = whole ? (cohort_token_t){0} : self->held;
    }
    return rc;
}

/* ---- What it is ------------------------------------------------------------------------------ */

int cohort_sem_held (cohort_sem_t *self)
{
    return self->held.czxid != 0 ? self->count : 0;
}

int cohort_sem_valid (cohort_sem_t *self, int margin_ms)
{
    return line_valid (&self->line, margin_ms);
}

cohort_token_t cohort_sem_token (cohort_sem_t *self)
{
    return self->held;
}

int cohort_sem_guard (cohort_sem_t *self, cohort_txn_t *txn)
{
    return line_guard (&self->line, txn);
}

const char *cohort_sem_node (cohort_sem_t *self)
{
    return self->line.node;
}

const char *cohort_sem_path (cohort_sem_t *self)
{
    return self->path;
}
