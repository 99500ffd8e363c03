/* A gate: a half of the recipe behind cohort/barrier.h. A mirror of one znode tells whether it is
 * closed. Who waits asks for a sync first: then the mirror shows what had been done before.
 * May include: the client's public headers, cohort/mirror.h, recipes' support, libc. */

#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "cohort/barrier.h"
#include "cohort/mirror.h"
#include "record.h"

struct gate_call {
    struct recipe_call base;      /* its owner is the gate */
    bool closing, opening;        /* or, neither of them, a sync */
    bool whole;                   /* with the creation of parents */
    struct gate_waiting *waiting; /* of a sync; NULL: nobody waits any more */
};

struct cohort_gate {
    cohort_t *client;
    cohort_mirror_t *mirror;
    char *path;
    uint64_t opened; /* zxid at which it surely was open last, or just before */
    uint64_t losses; /* of sessions */
    bool told;       /* how it is, in an event */
    int error;       /* of a write */
    int broken;      /* of the mirror */
    struct recipe_calls calls;
    struct recipe_guard guard;
    cohort_gate_fn *fn;
    void *arg;
};

struct gate_waiting {
    cohort_gate_t *gate;
    uint64_t losses; /* when it began */
    bool synced;
    int rc;        /* of the sync */
    uint64_t zxid; /* of the sync: what is behind it has happened since the wait began */
};

static cohort_result_fn on_result;

static void gate_free (cohort_gate_t *self)
{
    free (self->path);
    free (self);
}

static void gate_leave (cohort_gate_t *self)
{
    if (recipe_leave (&self->guard)) {
        gate_free (self);
    }
}

static void report (cohort_gate_t *self, cohort_gate_event_t event)
{
    self->told = self->told || event.kind <= COHORT_GATE_CLOSED;
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

/* ---- The mirror ---------------------------------------------------------------------------- */

/* A change of the znode: recreated, it was open in between. */
static void on_change (cohort_gate_t *self, const cohort_mirror_event_t *event)
{
    bool there = event->node != NULL;
    bool another =
        there && event->before != NULL && event->before->stat.czxid != event->node->stat.czxid;
    if (!there || another) {
        /* Who made it anew found it open. */
        self->opened = there ? event->node->stat.czxid : event->zxid;
        report (self, (cohort_gate_event_t){.kind = COHORT_GATE_OPENED, .zxid = event->zxid});
    }
    if (there && (another || event->before == NULL)) {
        report (self, (cohort_gate_event_t){.kind = COHORT_GATE_CLOSED, .zxid = event->zxid});
    }
}

static void on_mirror (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_gate_t *self = arg;
    recipe_enter (&self->guard);
    switch (event->kind) {
    case COHORT_MIRROR_ADDED:
    case COHORT_MIRROR_CHANGED:
    case COHORT_MIRROR_REMOVED:
        if (strcmp (event->path, self->path) == 0) {
            on_change (self, event);
        }
        break;
    case COHORT_MIRROR_SYNCED:
        if (!self->told && cohort_mirror_get (mirror, self->path) == NULL) {
            report (self, (cohort_gate_event_t){.kind = COHORT_GATE_OPENED, .zxid = event->zxid});
        }
        break;
    case COHORT_MIRROR_LOST:
        self->losses++;
        report (self, (cohort_gate_event_t){.kind = COHORT_GATE_LOST, .rc = event->rc});
        break;
    case COHORT_MIRROR_ERROR:
        self->broken = event->rc;
        report (self, (cohort_gate_event_t){.kind = COHORT_GATE_ERROR, .rc = event->rc});
        break;
    case COHORT_MIRROR_BATCH:
        break;
    }
    gate_leave (self);
}

/* ---- Writes -------------------------------------------------------------------------------- */

static int send (cohort_gate_t *self, struct gate_call *call)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = call->whole ? recipe_txn_parents (txn, self->path) : 0;
    if (rc != 0) {
        cohort_txn_destroy (&txn);
        return rc;
    }
    if (call->closing) {
        size_t size = 0;
        char *record = record_own (&size);
        if (record == NULL) {
            cohort_txn_destroy (&txn);
            return COHORT_ENOMEM;
        }
        recipe_txn_ensure (txn, self->path, record, size, COHORT_PERSISTENT);
        free (record);
    } else {
        cohort_txn_delete (txn, self->path, COHORT_ANY_VERSION);
    }
    return recipe_commit (self->client, txn, on_result, call);
}

static int begin (cohort_gate_t *self, struct gate_call given)
{
    struct gate_call *call = malloc (sizeof (*call));
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    *call = given;
    bool writes = call->closing || call->opening;
    int rc = writes ? send (self, call) : cohort_sync_async (self->client, on_result, call);
    if (rc != 0) {
        free (call);
        return rc;
    }
    recipe_call_begin (&self->calls, &call->base, self);
    return 0;
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct gate_call *call = arg;
    cohort_gate_t *self = call->base.owner;
    int rc = result->rc;
    (void) client;
    if (self != NULL && rc == COHORT_ENONODE && call->closing && !call->whole) {
        call->whole = true;
        rc = send (self, call);
        if (rc == 0) {
            return;
        }
    }
    recipe_call_end (&call->base);
    bool open_already = call->opening && rc == COHORT_ENONODE;
    if (self != NULL && call->waiting != NULL) {
        call->waiting->synced = true;
        call->waiting->rc = rc;
        call->waiting->zxid = result->zxid;
    } else if (self != NULL && rc != 0 && !open_already && (call->closing || call->opening)) {
        recipe_enter (&self->guard);
        self->error = rc;
        report (self, (cohort_gate_event_t){.kind = COHORT_GATE_ERROR, .rc = rc});
        gate_leave (self);
    }
    free (call);
}

/* ---- The public functions ------------------------------------------------------------------ */

cohort_gate_t *cohort_gate_new (cohort_t *client, const char *path)
{
    cohort_gate_t *self = client != NULL && path != NULL ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_gate_t){.client = client, .path = recipe_copy (path, strlen (path))};
    self->mirror = self->path == NULL ? NULL : cohort_mirror_new (client, path, NULL);
    if (self->mirror == NULL) {
        gate_free (self);
        return NULL;
    }
    cohort_mirror_set_handler (self->mirror, on_mirror, self);
    return self;
}

void cohort_gate_destroy (cohort_gate_t **self_p)
{
    cohort_gate_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    recipe_calls_forget (&self->calls);
    cohort_mirror_destroy (&self->mirror);
    if (recipe_bury (&self->guard)) {
        gate_free (self);
    }
}

void cohort_gate_set_handler (cohort_gate_t *self, cohort_gate_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

int cohort_gate_close (cohort_gate_t *self)
{
    self->error = 0;
    return begin (self, (struct gate_call){.closing = true});
}

int cohort_gate_open (cohort_gate_t *self)
{
    self->error = 0;
    return begin (self, (struct gate_call){.opening = true});
}

static int is_passed (void *arg)
{
    const struct gate_waiting *waiting = arg;
    cohort_gate_t *self = waiting->gate;
    if (self->losses != waiting->losses) {
        return COHORT_ESESSIONEXPIRED;
    }
    if (self->broken != 0 || self->error != 0) {
        return self->broken != 0 ? self->broken : self->error;
    }
    if (waiting->rc != 0) {
        return waiting->rc;
    }
    if (!waiting->synced) {
        return 0;
    }
    /* What is heard of now may have been long before. */
    if (self->opened > waiting->zxid) {
        return 1;
    }
    /* Behind the sync: what the mirror shows is not older. */
    return cohort_mirror_stale_ms (self->mirror) == 0 &&
           cohort_mirror_get (self->mirror, self->path) == NULL;
}

static void forget (cohort_gate_t *self, const struct gate_waiting *waiting)
{
    for (struct recipe_call *base = self->calls.first; base != NULL; base = base->next) {
        struct gate_call *call = (struct gate_call *) base;
        if (call->waiting == waiting) {
            call->waiting = NULL;
        }
    }
}

int cohort_gate_wait (cohort_gate_t *self, int timeout_ms)
{
    struct gate_waiting waiting = {.gate = self};
    recipe_enter (&self->guard);
    int rc = recipe_may_wait (self->client, &self->guard);
    waiting.losses = self->losses;
    if (rc == 0) {
        rc = begin (self, (struct gate_call){.waiting = &waiting});
    }
    if (rc == 0) {
        rc = recipe_wait (self->client, &self->guard, timeout_ms, is_passed, &waiting);
        forget (self, &waiting);
    }
    gate_leave (self);
    return rc;
}

int cohort_gate_is_open (cohort_gate_t *self)
{
    if (cohort_mirror_zxid (self->mirror) == 0) {
        return COHORT_ESTATE;
    }
    return cohort_mirror_get (self->mirror, self->path) == NULL;
}

int cohort_gate_retry (cohort_gate_t *self)
{
    int rc = cohort_mirror_retry (self->mirror);
    self->error = 0;
    self->broken = rc;
    return rc;
}
