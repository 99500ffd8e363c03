/* A barrier, its life: see barrier_private.h. May include: barrier_private.h, libc. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barrier_private.h"

static void barrier_free (cohort_barrier_t *self)
{
    free (self->folder);
    free (self->ready_path);
    free (self->member);
    free (self->crew);
    free (self);
}

void barrier_unguard (cohort_barrier_t *self)
{
    if (recipe_leave (&self->guard)) {
        barrier_free (self);
    }
}

char *barrier_path (const char *path, const char *name)
{
    size_t size = strlen (path) + strlen (name) + 2;
    char *joined = malloc (size);
    if (joined != NULL) {
        snprintf (joined, size, "%s/%s", strcmp (path, "/") == 0 ? "" : path, name);
    }
    return joined;
}

/* ---- The end of a phase -------------------------------------------------------------------- */

static void stop_following (cohort_barrier_t *self)
{
    recipe_calls_forget (&self->calls);
    if (self->awaited != NULL) {
        cohort_mirror_destroy (&self->awaited);
    }
    if (self->ready != NULL) {
        cohort_mirror_destroy (&self->ready);
    }
}

static void give_up_place (cohort_barrier_t *self)
{
    if (self->member != NULL && self->czxid != 0) {
        /* If there is no memory for it the znode stays until the session ends. */
        (void) recipe_withdraw (self->client, self->member, self->czxid);
    } else if (self->creating != NULL) {
        /* No other znode ever has this name. */
        self->creating->undo =
            cohort_delete_async (self->client, self->member, COHORT_ANY_VERSION, NULL, NULL) != 0;
    }
}

static void forget_place (cohort_barrier_t *self)
{
    free (self->member);
    self->member = NULL;
    self->creating = NULL;
    self->czxid = 0;
}

/* Outside, whatever was going on. lost: our znode went with the session. */
static void go_outside (cohort_barrier_t *self, int outcome, bool lost)
{
    if (!lost) {
        give_up_place (self);
    }
    stop_following (self);
    forget_place (self);
    free (self->crew);
    self->crew = NULL;
    self->phase = BARRIER_OUTSIDE;
    self->outcome = outcome;
}

void barrier_report (cohort_barrier_t *self, cohort_barrier_event_t event)
{
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

void barrier_fail (cohort_barrier_t *self, int rc)
{
    RECIPE_ASSERT (rc < 0);
    bool lost = rc == COHORT_ESESSIONEXPIRED;
    go_outside (self, rc, lost);
    barrier_report (self, (cohort_barrier_event_t){
                              .kind = lost ? COHORT_BARRIER_LOST : COHORT_BARRIER_ERROR, .rc = rc});
}

void barrier_left (cohort_barrier_t *self, uint64_t zxid)
{
    forget_place (self);
    go_outside (self, 0, false);
    barrier_report (self, (cohort_barrier_event_t){.kind = COHORT_BARRIER_LEFT, .zxid = zxid});
}

/* ---- The public functions ------------------------------------------------------------------ */

static bool is_path (const char *path)
{
    cohort_txn_t *txn = cohort_txn_new ();
    bool is = txn != NULL && cohort_txn_check_absent (txn, path) == 0;
    cohort_txn_destroy (&txn);
    return is;
}

cohort_barrier_t *cohort_barrier_new (cohort_t *client, const char *path, int parties,
                                      uint64_t round)
{
    char name[32];
    bool valid = client != NULL && path != NULL && path[0] == '/' && parties > 0 &&
                 parties <= COHORT_BARRIER_PARTIES_MAX;
    cohort_barrier_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    snprintf (name, sizeof (name), "%" PRIu64, round);
    *self = (cohort_barrier_t){.client = client,
                               .parties = parties,
                               .outcome = COHORT_ESTATE,
                               .folder = barrier_path (path, name)};
    self->ready_path = self->folder == NULL ? NULL : barrier_path (self->folder, "ready");
    if (self->ready_path == NULL || !is_path (self->ready_path)) {
        barrier_free (self);
        return NULL;
    }
    return self;
}

void cohort_barrier_destroy (cohort_barrier_t **self_p)
{
    cohort_barrier_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    go_outside (self, COHORT_ECLOSING, false);
    if (recipe_bury (&self->guard)) {
        barrier_free (self);
    }
}

void cohort_barrier_set_handler (cohort_barrier_t *self, cohort_barrier_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

int cohort_barrier_enter (cohort_barrier_t *self)
{
    if (self->phase != BARRIER_OUTSIDE) {
        return COHORT_ESTATE;
    }
    char name[RECIPE_NAME_SIZE + 2] = "m-";
    int rc = recipe_unique_name (name + 2);
    rc = rc != 0 ? rc : recipe_renew (self->client, NULL);
    if (rc != 0) {
        return rc;
    }
    self->member = barrier_path (self->folder, name);
    self->ready =
        self->member == NULL ? NULL : cohort_mirror_new (self->client, self->ready_path, NULL);
    if (self->ready == NULL) {
        forget_place (self);
        return COHORT_ENOMEM;
    }
    cohort_mirror_set_handler (self->ready, barrier_on_ready, self);
    self->phase = BARRIER_ENTERING;
    self->outcome = 0;
    rc = barrier_begin (self, STEP_CREATE, false);
    if (rc != 0) {
        go_outside (self, rc, false);
    }
    return rc;
}

int cohort_barrier_leave (cohort_barrier_t *self)
{
    if (self->phase != BARRIER_INSIDE) {
        return self->outcome == COHORT_ESESSIONEXPIRED ? self->outcome : COHORT_ESTATE;
    }
    self->phase = BARRIER_LEAVING;
    int rc = barrier_begin (self, STEP_LIST, false);
    if (rc != 0) {
        go_outside (self, rc, rc == COHORT_ESESSIONEXPIRED);
    }
    return rc;
}

static int is_over (void *arg)
{
    const cohort_barrier_t *self = arg;
    if (self->phase == BARRIER_ENTERING || self->phase == BARRIER_LEAVING) {
        return 0;
    }
    return self->outcome == 0 ? 1 : self->outcome;
}

int cohort_barrier_wait (cohort_barrier_t *self, int timeout_ms)
{
    recipe_enter (&self->guard);
    int rc = recipe_wait (self->client, &self->guard, timeout_ms, is_over, self);
    if (rc == COHORT_ETIMEDOUT) {
        go_outside (self, rc, false);
    }
    barrier_unguard (self);
    return rc;
}

int cohort_barrier_inside (cohort_barrier_t *self)
{
    return self->phase == BARRIER_INSIDE && cohort_state (self->client) != COHORT_LOST;
}
