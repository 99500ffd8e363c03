/* A shared value: the recipe behind cohort/cell.h. The copy is a mirror of one znode; each write is
 * a call of its own:
 *
 *   CELL_SET, CELL_ADD, CELL_CREATE: one transaction; if a parent or the znode is missing, once
 * more with their creation in it CELL_CAS: the znode's czxid and version, which stand for one
 * mzxid, are checked in the transaction. They come from the copy, or, if that is not so far yet,
 * from a read.
 *
 * May include: the client's public headers, cohort/mirror.h, recipes' support, libc. */

#include "cohort/cell.h"

#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "cohort/mirror.h"

enum cell_verb { CELL_SET, CELL_ADD, CELL_CREATE, CELL_CAS };

struct cell_call {
    struct recipe_call base; /* its owner is the cell */
    enum cell_verb verb;
    bool reading; /* CAS: for what the mzxid stands */
    bool whole;   /* with the creation of what is missing */
    char *data;
    size_t size;
    uint64_t mzxid; /* CAS */
    uint64_t czxid; /* CAS: what the mzxid stands for */
    int32_t version;
    int64_t delta, floor, ceiling; /* ADD */
    cohort_cell_result_fn *fn;
    void *arg;
};

struct cohort_cell {
    cohort_t *client;
    cohort_mirror_t *mirror;
    char *path;
    struct recipe_calls calls;
    struct recipe_guard guard;
    cohort_cell_fn *fn;
    void *arg;
};

static void cell_free (cohort_cell_t *self)
{
    free (self->path);
    free (self);
}

/* ---- The copy ------------------------------------------------------------------------------ */

static cohort_cell_value_t value_of (const cohort_node_t *node)
{
    if (node == NULL) {
        return (cohort_cell_value_t){0};
    }
    return (cohort_cell_value_t){.data = node->data,
                                 .size = node->size,
                                 .mzxid = node->stat.mzxid,
                                 .mtime_ms = node->stat.mtime_ms};
}

/* What an event of the mirror is to the cell; 0: nothing. */
static cohort_cell_kind_t kind_of (const cohort_cell_t *self, const cohort_mirror_event_t *event)
{
    switch (event->kind) {
    case COHORT_MIRROR_ADDED:
    case COHORT_MIRROR_CHANGED:
        return strcmp (event->path, self->path) == 0 ? COHORT_CELL_CHANGED : 0;
    case COHORT_MIRROR_REMOVED:
        return strcmp (event->path, self->path) == 0 ? COHORT_CELL_REMOVED : 0;
    case COHORT_MIRROR_SYNCED:
        return COHORT_CELL_SYNCED;
    case COHORT_MIRROR_LOST:
        return COHORT_CELL_LOST;
    case COHORT_MIRROR_ERROR:
        return COHORT_CELL_ERROR;
    case COHORT_MIRROR_BATCH:
        return 0;
    }
    return 0;
}

static void on_mirror (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_cell_t *self = arg;
    cohort_cell_kind_t kind = kind_of (self, event);
    if (kind == 0 || self->fn == NULL) {
        return;
    }
    RECIPE_ASSERT (mirror == self->mirror);
    cohort_cell_event_t told = {
        .kind = kind, .rc = event->rc, .zxid = event->zxid, .value = value_of (event->node)};
    recipe_enter (&self->guard);
    self->fn (self, &told, self->arg);
    if (recipe_leave (&self->guard)) {
        cell_free (self);
    }
}

/* ---- Writes -------------------------------------------------------------------------------- */

static cohort_result_fn on_result;

static void call_free (struct cell_call *call)
{
    free (call->data);
    free (call);
}

/* The parents that are missing, and the znode itself where the write needs one. */
static int add_missing (const cohort_cell_t *self, const struct cell_call *call, cohort_txn_t *txn)
{
    int rc = recipe_txn_parents (txn, self->path);
    if (rc == 0 && call->verb != CELL_CREATE) {
        recipe_txn_ensure (txn, self->path, call->data, call->size, COHORT_PERSISTENT);
    }
    return rc;
}

/* The last operation is the one that writes. */
static int send_write (cohort_cell_t *self, struct cell_call *call)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = call->whole ? add_missing (self, call, txn) : 0;
    if (rc != 0) {
        cohort_txn_destroy (&txn);
        return rc;
    }
    switch (call->verb) {
    case CELL_SET:
        cohort_txn_set (txn, self->path, call->data, call->size, COHORT_ANY_VERSION);
        break;
    case CELL_ADD:
        cohort_txn_add (txn, self->path, call->delta, call->floor, call->ceiling);
        break;
    case CELL_CREATE:
        cohort_txn_create (txn, self->path, call->data, call->size, COHORT_PERSISTENT, NULL);
        break;
    case CELL_CAS:
        cohort_txn_check_czxid (txn, self->path, call->czxid);
        cohort_txn_set (txn, self->path, call->data, call->size, call->version);
        break;
    }
    return recipe_commit (self->client, txn, on_result, call);
}

static int send_read (cohort_cell_t *self, struct cell_call *call)
{
    int rc = cohort_get_async (self->client, self->path, NULL, NULL, on_result, call);
    if (rc == COHORT_ESESSIONEXPIRED) {
        rc = recipe_renew (self->client, NULL);
        rc =
            rc == 0 ? cohort_get_async (self->client, self->path, NULL, NULL, on_result, call) : rc;
    }
    return rc;
}

/* What an error of a transaction means to its caller. */
static int error_of (const struct cell_call *call, int rc)
{
    bool another = call->verb == CELL_CAS && (rc == COHORT_ENONODE || rc == COHORT_EBADCZXID);
    bool taken = call->verb == CELL_CREATE && rc == COHORT_ENODEEXISTS;
    return another || taken ? COHORT_EBADVERSION : rc;
}

/* The answer to the read of a compare-and-set: the outcome, or 0: the write is on its way. */
static int found (cohort_cell_t *self, struct cell_call *call, const cohort_result_t *result)
{
    if (result->rc != 0) {
        return error_of (call, result->rc);
    }
    if (result->stat == NULL) {
        return COHORT_EPROTOCOL;
    }
    if (result->stat->mzxid != call->mzxid) {
        return COHORT_EBADVERSION;
    }
    call->reading = false;
    call->czxid = result->stat->czxid;
    call->version = result->stat->version;
    return send_write (self, call);
}

/* The answer to a write. */
static cohort_cell_result_t outcome_of (const struct cell_call *call, const cohort_result_t *result)
{
    if (result->rc != 0) {
        return (cohort_cell_result_t){.rc = error_of (call, result->rc)};
    }
    if (result->ops_count == 0) {
        return (cohort_cell_result_t){.rc = COHORT_EPROTOCOL};
    }
    const cohort_op_result_t *last = &result->ops[result->ops_count - 1];
    return (cohort_cell_result_t){.mzxid = last->stat.mzxid, .sum = last->value};
}

/* True: that was the end of the call, and this came out of it. */
static bool advance (cohort_cell_t *self, struct cell_call *call, const cohort_result_t *result,
                     cohort_cell_result_t *outcome)
{
    bool missing = result->rc == COHORT_ENONODE && call->verb != CELL_CAS && !call->whole;
    if (!call->reading && !missing) {
        *outcome = outcome_of (call, result);
        return true;
    }
    call->whole = missing;
    int rc = missing ? send_write (self, call) : found (self, call, result);
    *outcome = (cohort_cell_result_t){.rc = rc};
    return rc != 0;
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct cell_call *call = arg;
    cohort_cell_t *self = call->base.owner;
    (void) client;
    if (self == NULL) {
        call_free (call);
        return;
    }
    cohort_cell_result_t outcome;
    if (!advance (self, call, result, &outcome)) {
        return;
    }
    recipe_call_end (&call->base);
    recipe_enter (&self->guard);
    if (call->fn != NULL) {
        call->fn (self, &outcome, call->arg);
    }
    call_free (call);
    if (recipe_leave (&self->guard)) {
        cell_free (self);
    }
}

/* Takes a copy of what is given. *call_p: what was sent; it lives until its answer. */
static int begin (cohort_cell_t *self, struct cell_call given, const void *data, size_t size,
                  struct cell_call **call_p)
{
    if (data == NULL && size > 0) {
        return COHORT_EINVAL;
    }
    struct cell_call *call = malloc (sizeof (*call));
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    *call = given;
    call->size = size;
    call->data = recipe_copy (data, size);
    int rc = call->data == NULL ? COHORT_ENOMEM : 0;
    if (rc == 0) {
        rc = call->reading ? send_read (self, call) : send_write (self, call);
    }
    if (rc != 0) {
        call_free (call);
        return rc;
    }
    recipe_call_begin (&self->calls, &call->base, self);
    *call_p = call;
    return 0;
}

static int begin_cas (cohort_cell_t *self, uint64_t mzxid, const void *data, size_t size,
                      struct cell_call given, struct cell_call **call_p)
{
    given.verb = mzxid == 0 ? CELL_CREATE : CELL_CAS;
    given.mzxid = mzxid;
    const cohort_node_t *node = cohort_mirror_get (self->mirror, self->path);
    if (mzxid != 0 && node != NULL && node->stat.mzxid > mzxid) {
        return COHORT_EBADVERSION;
    }
    if (mzxid != 0 && node != NULL && node->stat.mzxid == mzxid) {
        given.czxid = node->stat.czxid;
        given.version = node->stat.version;
    } else {
        given.reading = mzxid != 0;
    }
    return begin (self, given, data, size, call_p);
}

int cohort_cell_set_async (cohort_cell_t *self, const void *data, size_t size,
                           cohort_cell_result_fn *fn, void *arg)
{
    struct cell_call *call;
    return begin (self, (struct cell_call){.verb = CELL_SET, .fn = fn, .arg = arg}, data, size,
                  &call);
}

int cohort_cell_cas_async (cohort_cell_t *self, uint64_t mzxid, const void *data, size_t size,
                           cohort_cell_result_fn *fn, void *arg)
{
    struct cell_call *call;
    return begin_cas (self, mzxid, data, size, (struct cell_call){.fn = fn, .arg = arg}, &call);
}

static int begin_add (cohort_cell_t *self, int64_t delta, int64_t floor, int64_t ceiling,
                      struct cell_call given, struct cell_call **call_p)
{
    given.verb = CELL_ADD;
    given.delta = delta;
    given.floor = floor;
    given.ceiling = ceiling;
    return floor > ceiling ? COHORT_EINVAL : begin (self, given, NULL, 0, call_p);
}

int cohort_cell_add_async (cohort_cell_t *self, int64_t delta, int64_t floor, int64_t ceiling,
                           cohort_cell_result_fn *fn, void *arg)
{
    struct cell_call *call;
    return begin_add (self, delta, floor, ceiling, (struct cell_call){.fn = fn, .arg = arg}, &call);
}

/* ---- Writes, waiting ----------------------------------------------------------------------- */

struct cell_waiting {
    bool done;
    cohort_cell_result_t result;
};

static void on_waited (cohort_cell_t *self, const cohort_cell_result_t *result, void *arg)
{
    struct cell_waiting *waiting = arg;
    (void) self;
    waiting->done = true;
    waiting->result = *result;
}

static int is_done (void *arg)
{
    const struct cell_waiting *waiting = arg;
    return waiting->done ? 1 : 0;
}

/* Waits for a call that has been sent; one that is given up has nobody to report to any more. */
static int finish (cohort_cell_t *self, struct cell_call *call, struct cell_waiting *waiting,
                   int timeout_ms)
{
    int rc = recipe_wait (self->client, &self->guard, timeout_ms, is_done, waiting);
    if (rc != 0 && rc != COHORT_ECLOSING && !waiting->done) {
        call->fn = NULL;
    }
    return waiting->done ? waiting->result.rc : rc;
}

static struct cell_call waited (struct cell_waiting *waiting)
{
    return (struct cell_call){.fn = on_waited, .arg = waiting};
}

int cohort_cell_set (cohort_cell_t *self, const void *data, size_t size, int timeout_ms,
                     uint64_t *mzxid)
{
    struct cell_waiting waiting = {0};
    struct cell_call given = waited (&waiting);
    struct cell_call *call = NULL;
    given.verb = CELL_SET;
    recipe_enter (&self->guard);
    int rc = recipe_may_wait (self->client, &self->guard);
    rc = rc == 0 ? begin (self, given, data, size, &call) : rc;
    rc = rc == 0 ? finish (self, call, &waiting, timeout_ms) : rc;
    if (recipe_leave (&self->guard)) {
        cell_free (self);
    }
    if (rc == 0 && mzxid != NULL) {
        *mzxid = waiting.result.mzxid;
    }
    return rc;
}

int cohort_cell_cas (cohort_cell_t *self, uint64_t mzxid, const void *data, size_t size,
                     int timeout_ms, uint64_t *new_mzxid)
{
    struct cell_waiting waiting = {0};
    struct cell_call *call = NULL;
    recipe_enter (&self->guard);
    int rc = recipe_may_wait (self->client, &self->guard);
    rc = rc == 0 ? begin_cas (self, mzxid, data, size, waited (&waiting), &call) : rc;
    rc = rc == 0 ? finish (self, call, &waiting, timeout_ms) : rc;
    if (recipe_leave (&self->guard)) {
        cell_free (self);
    }
    if (rc == 0 && new_mzxid != NULL) {
        *new_mzxid = waiting.result.mzxid;
    }
    return rc;
}

int cohort_cell_add (cohort_cell_t *self, int64_t delta, int64_t floor, int64_t ceiling,
                     int timeout_ms, int64_t *sum)
{
    struct cell_waiting waiting = {0};
    struct cell_call *call = NULL;
    recipe_enter (&self->guard);
    int rc = recipe_may_wait (self->client, &self->guard);
    rc = rc == 0 ? begin_add (self, delta, floor, ceiling, waited (&waiting), &call) : rc;
    rc = rc == 0 ? finish (self, call, &waiting, timeout_ms) : rc;
    if (recipe_leave (&self->guard)) {
        cell_free (self);
    }
    if (rc == 0 && sum != NULL) {
        *sum = waiting.result.sum;
    }
    return rc;
}

/* ---- The public functions ------------------------------------------------------------------ */

cohort_cell_t *cohort_cell_new (cohort_t *client, const char *path)
{
    cohort_cell_t *self = client != NULL && path != NULL ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_cell_t){.client = client, .path = recipe_copy (path, strlen (path))};
    self->mirror = self->path == NULL ? NULL : cohort_mirror_new (client, path, NULL);
    if (self->mirror == NULL) {
        cell_free (self);
        return NULL;
    }
    cohort_mirror_set_handler (self->mirror, on_mirror, self);
    return self;
}

void cohort_cell_destroy (cohort_cell_t **self_p)
{
    cohort_cell_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    recipe_calls_forget (&self->calls);
    cohort_mirror_destroy (&self->mirror);
    if (recipe_bury (&self->guard)) {
        cell_free (self);
    }
}

void cohort_cell_set_handler (cohort_cell_t *self, cohort_cell_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

int cohort_cell_wait (cohort_cell_t *self, int timeout_ms)
{
    return cohort_mirror_wait (self->mirror, timeout_ms);
}

int cohort_cell_retry (cohort_cell_t *self)
{
    return cohort_mirror_retry (self->mirror);
}

int cohort_cell_get (cohort_cell_t *self, cohort_cell_value_t *value)
{
    const cohort_node_t *node = cohort_mirror_get (self->mirror, self->path);
    if (node != NULL) {
        *value = value_of (node);
        return 0;
    }
    return cohort_mirror_zxid (self->mirror) == 0 ? COHORT_ESTATE : COHORT_ENONODE;
}

int cohort_cell_number (cohort_cell_t *self, int64_t *number)
{
    cohort_cell_value_t value;
    int rc = cohort_cell_get (self, &value);
    return rc == 0 ? recipe_parse_number (value.data, value.size, number) : rc;
}

int64_t cohort_cell_stale_ms (cohort_cell_t *self)
{
    return cohort_mirror_stale_ms (self->mirror);
}

const char *cohort_cell_path (cohort_cell_t *self)
{
    return self->path;
}
