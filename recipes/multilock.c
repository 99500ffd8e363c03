/* Several locks at once: the recipe behind cohort/multilock.h. One place in each of several lines
 * (line.h), joined by one transaction and left by one.
 * May include: the client's public headers, recipes' calls, line and support, libc. */

#include "cohort/multilock.h"

#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "line.h"

struct part {
    char *path;
    struct line line;
};

struct cohort_multilock {
    struct line_owner owner; /* first: line_fn gets it */
    cohort_t *client;
    bool acquired;
    bool behind;         /* COHORT_LOCK_WAITING was told */
    cohort_token_t held; /* of all; zero: not yet */
    int error;           /* why the last acquisition has ended */
    cohort_multilock_fn *fn;
    void *arg;
    size_t count;
    struct part parts[];
};

/* What is left, should the transaction that leaves all lines at once find one of them left. */
struct leaving {
    size_t count;
    struct {
        char *node;
        uint64_t czxid;
    } places[COHORT_MULTILOCK_MAX];
};

static void report (cohort_multilock_t *self, cohort_multilock_event_t event)
{
    if (self->fn != NULL && !self->owner.guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

/* ---- Leaving --------------------------------------------------------------------------------- */

static void leaving_free (struct leaving *leaving)
{
    for (size_t i = 0; leaving != NULL && i < leaving->count; i++) {
        free (leaving->places[i].node);
    }
    free (leaving);
}

/* One of them had been deleted by somebody: the others go one by one. */
static void on_left (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct leaving *leaving = arg;
    bool gone = result->rc == COHORT_ENONODE || result->rc == COHORT_EBADCZXID;
    for (size_t i = 0; gone && i < leaving->count; i++) {
        /* If there is no memory for it the znode stays until the session ends. */
        (void) recipe_withdraw (client, leaving->places[i].node, leaving->places[i].czxid);
    }
    leaving_free (leaving);
}

static int add_place (struct leaving *leaving, cohort_txn_t *txn, const struct line *line)
{
    char *node = recipe_copy (line->node, strlen (line->node));
    if (node == NULL) {
        return COHORT_ENOMEM;
    }
    leaving->places[leaving->count].node = node;
    leaving->places[leaving->count++].czxid = line->token.czxid;
    cohort_txn_check_czxid (txn, node, line->token.czxid);
    cohort_txn_delete (txn, node, COHORT_ANY_VERSION);
    return 0;
}

/* Deletes all znodes that are known, in one transaction. */
static int delete_all (cohort_multilock_t *self)
{
    cohort_txn_t *txn = cohort_txn_new ();
    struct leaving *leaving = malloc (sizeof (*leaving));
    int rc = txn == NULL || leaving == NULL ? COHORT_ENOMEM : 0;
    if (leaving != NULL) {
        leaving->count = 0;
    }
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        const struct line *line = &self->parts[i].line;
        rc = line->node == NULL ? 0 : add_place (leaving, txn, line);
    }
    bool any = rc == 0 && leaving->count > 0;
    if (any) {
        rc = cohort_multi_async (self->client, txn, on_left, leaving);
    }
    if (!any || rc != 0) {
        leaving_free (leaving);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    return rc;
}

static int leave_all (cohort_multilock_t *self)
{
    int rc = delete_all (self);
    /* With its session the znodes go in any case. */
    if (rc != 0 && rc != COHORT_ESESSIONEXPIRED) {
        return rc;
    }
    for (size_t i = 0; i < self->count; i++) {
        line_forget (&self->parts[i].line);
    }
    self->acquired = self->behind = false;
    self->held = (cohort_token_t){0};
    return 0;
}

/* ---- News ------------------------------------------------------------------------------------ */

static bool is_whole (const cohort_multilock_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->parts[i].line.phase != LINE_HELD) {
            return false;
        }
    }
    return true;
}

/* One place is lost: all are. */
static void ended (cohort_multilock_t *self, const struct line *line, int rc)
{
    cohort_token_t token = self->held;
    if (leave_all (self) != 0) {
        for (size_t i = 0; i < self->count; i++) {
            /* What there is no memory for stays until the session ends. */
            (void) line_leave (&self->parts[i].line);
            line_forget (&self->parts[i].line);
        }
        self->acquired = self->behind = false;
        self->held = (cohort_token_t){0};
    }
    self->error = rc;
    report (self, (cohort_multilock_event_t){.kind = token.czxid != 0 ? COHORT_LOCK_REVOKED
                                                                      : COHORT_LOCK_FAILED,
                                             .rc = rc,
                                             .path = line->path,
                                             .token = token});
}

static void on_news (struct line_owner *owner, struct line *line, enum line_news news, int rc)
{
    cohort_multilock_t *self = (cohort_multilock_t *) (void *) owner;
    switch (news) {
    case LINE_GRANTED:
        if (is_whole (self)) {
            self->held = line->token;
            report (self,
                    (cohort_multilock_event_t){.kind = COHORT_LOCK_GRANTED, .token = line->token});
        }
        break;
    case LINE_BEHIND:
        if (!self->behind) {
            self->behind = true;
            report (self,
                    (cohort_multilock_event_t){.kind = COHORT_LOCK_WAITING, .path = line->path});
        }
        break;
    case LINE_ENDED:
        ended (self, line, rc);
        break;
    case LINE_STORED:
        break; /* what is recorded is for others to read */
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void multilock_free (struct line_owner *owner)
{
    cohort_multilock_t *self = (cohort_multilock_t *) (void *) owner;
    for (size_t i = 0; i < self->count; i++) {
        line_deinit (&self->parts[i].line);
        free (self->parts[i].path);
    }
    free (self);
}

static bool is_part (const cohort_multilock_part_t *parts, size_t index)
{
    const cohort_multilock_part_t *part = &parts[index];
    bool valid = part->path != NULL &&
                 (part->mode == COHORT_LOCK_EXCLUSIVE || part->mode == COHORT_LOCK_SHARED);
    for (size_t i = 0; i < index && valid; i++) {
        valid = strcmp (parts[i].path, part->path) != 0;
    }
    return valid;
}

static bool is_valid (const cohort_multilock_part_t *parts, size_t count)
{
    bool valid = parts != NULL && count > 0 && count <= COHORT_MULTILOCK_MAX;
    for (size_t i = 0; valid && i < count; i++) {
        valid = is_part (parts, i);
    }
    return valid;
}

cohort_multilock_t *cohort_multilock_new (cohort_t *client, const cohort_multilock_part_t *parts,
                                          size_t count, const void *id, size_t size)
{
    bool valid = client != NULL && (id != NULL || size == 0) && is_valid (parts, count);
    cohort_multilock_t *self =
        valid ? malloc (sizeof (*self) + count * sizeof (self->parts[0])) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self =
        (cohort_multilock_t){.client = client, .owner = {.fn = on_news, .free = multilock_free}};
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct part *part = &self->parts[self->count++];
        part->path = recipe_copy (parts[i].path, strlen (parts[i].path));
        line_init (&part->line, &self->owner, client, part->path,
                   parts[i].mode == COHORT_LOCK_SHARED ? LINE_SHARED : LINE_EXCLUSIVE);
        rc = part->path == NULL ? COHORT_ENOMEM : line_set_payload (&part->line, id, size);
    }
    if (rc != 0) {
        multilock_free (&self->owner);
        return NULL;
    }
    return self;
}

void cohort_multilock_destroy (cohort_multilock_t **self_p)
{
    cohort_multilock_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->owner.guard.destroyed);
    /* Should there be no memory for one transaction, each place is left for itself. */
    (void) leave_all (self);
    for (size_t i = 0; i < self->count; i++) {
        line_deinit (&self->parts[i].line);
    }
    if (recipe_bury (&self->owner.guard)) {
        multilock_free (&self->owner);
    }
}

void cohort_multilock_set_handler (cohort_multilock_t *self, cohort_multilock_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

/* ---- Acquiring ------------------------------------------------------------------------------- */

int cohort_multilock_acquire (cohort_multilock_t *self)
{
    struct line *lines[COHORT_MULTILOCK_MAX];
    if (self->acquired) {
        return COHORT_ESTATE;
    }
    int rc = recipe_renew (self->client, NULL);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < self->count; i++) {
        lines[i] = &self->parts[i].line;
    }
    rc = line_join (lines, self->count);
    if (rc == 0) {
        self->acquired = true;
        self->error = 0;
    }
    return rc;
}

/* They were granted in a session that has ended, and have not heard of that. */
static bool is_stale (const cohort_multilock_t *self)
{
    return cohort_state (self->client) == COHORT_LOST ||
           cohort_session_id (self->client) != self->parts[0].line.session;
}

static int is_granted (void *arg)
{
    const cohort_multilock_t *self = arg;
    if (!self->acquired) {
        return self->error != 0 ? self->error : COHORT_ESTATE;
    }
    return self->held.czxid != 0 && !is_stale (self) ? 1 : 0;
}

static int is_answered (void *arg)
{
    const cohort_multilock_t *self = arg;
    int rc = is_granted (arg);
    return rc == 0 && self->behind ? COHORT_EBUSY : rc;
}

/* Waits for what `done` says, and withdraws if it says no or nothing in time. */
static int multilock_wait (cohort_multilock_t *self, int timeout_ms, recipe_done_fn *done)
{
    recipe_enter (&self->owner.guard);
    int rc = recipe_wait (self->client, &self->owner.guard, timeout_ms, done, self);
    bool gives_up = rc == COHORT_ETIMEDOUT || (rc != 0 && done == is_answered);
    if (gives_up && !self->owner.guard.destroyed && self->acquired) {
        int released = leave_all (self);
        rc = released != 0 ? released : rc;
    }
    if (recipe_leave (&self->owner.guard)) {
        multilock_free (&self->owner);
    }
    return rc;
}

int cohort_multilock_wait (cohort_multilock_t *self, int timeout_ms)
{
    return multilock_wait (self, timeout_ms, is_granted);
}

int cohort_multilock_try (cohort_multilock_t *self, int timeout_ms)
{
    int rc = cohort_multilock_acquire (self);
    return rc != 0 ? rc : multilock_wait (self, timeout_ms, is_answered);
}

int cohort_multilock_release (cohort_multilock_t *self)
{
    return self->acquired ? leave_all (self) : COHORT_ESTATE;
}

/* ---- What it is ------------------------------------------------------------------------------ */

int cohort_multilock_held (cohort_multilock_t *self)
{
    return self->held.czxid != 0;
}

int cohort_multilock_valid (cohort_multilock_t *self, int margin_ms)
{
    for (size_t i = 0; i < self->count; i++) {
        if (!line_valid (&self->parts[i].line, margin_ms)) {
            return 0;
        }
    }
    return 1;
}

cohort_token_t cohort_multilock_token (cohort_multilock_t *self)
{
    return self->held;
}

int cohort_multilock_guard (cohort_multilock_t *self, cohort_txn_t *txn)
{
    int rc = self->held.czxid != 0 ? 0 : COHORT_ESTATE;
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        rc = line_guard (&self->parts[i].line, txn);
    }
    return rc;
}
