/* Tasks that a master hands to workers: the recipe behind cohort/pool.h; its life, what is
 * submitted, and what has come of it. See pool_private.h for its parts. May include:
 * pool_private.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool_private.h"

/* A submission, or a result. */
struct pool_call {
    struct recipe_call base; /* owner: the pool */
    bool result;
    int attempt;
    char *assigned; /* RESULT: path of the assignment, to be deleted if there is a result already */
    uint64_t czxid;
    size_t create; /* the operation */
    cohort_pool_done_fn *fn;
    void *arg;
    char id[];
};

/* One who waits for the answer to a call. */
struct pool_wait {
    bool answered;
    int rc;
};

/* ---- Shared ---------------------------------------------------------------------------------- */

bool pool_report (cohort_pool_t *self, cohort_pool_event_t event)
{
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
    return !self->guard.destroyed;
}

static void pool_free (cohort_pool_t *self)
{
    free (self->name);
    free (self->path);
    free (self);
}

void pool_leave (cohort_pool_t *self)
{
    if (recipe_leave (&self->guard)) {
        pool_free (self);
    }
}

char *pool_path (const cohort_pool_t *self, const char *folder, const char *a, const char *b)
{
    size_t size = strlen (self->path) + strlen (folder) + (a == NULL ? 0 : strlen (a)) +
                  (b == NULL ? 0 : strlen (b)) + 4;
    char *path = malloc (size);
    if (path != NULL) {
        snprintf (path, size, "%s/%s%s%s%s%s", self->path, folder, a == NULL ? "" : "/",
                  a == NULL ? "" : a, b == NULL ? "" : "/", b == NULL ? "" : b);
    }
    return path;
}

const char *pool_name (const char *path)
{
    return strrchr (path, '/') + 1;
}

static bool is_name (const char *name)
{
    return name != NULL && name[0] != 0 && strchr (name, '/') == NULL;
}

/* Adds the creation of a znode with such a content, and of what is missing above it. */
static int add_create (cohort_txn_t *txn, const char *path, const struct pool_text *text)
{
    size_t size = 0;
    char *data = pool_text_make (text, &size);
    int rc = data == NULL ? COHORT_ENOMEM : recipe_txn_parents (txn, path);
    rc = rc == 0 ? cohort_txn_create (txn, path, data, size, COHORT_PERSISTENT, NULL) : rc;
    free (data);
    return rc;
}

/* ---- Submissions and results ----------------------------------------------------------------- */

static cohort_result_fn on_called;

static struct pool_call *call_new (const char *id, cohort_pool_done_fn *fn, void *arg)
{
    size_t size = strlen (id) + 1;
    struct pool_call *self = malloc (sizeof (*self) + size);
    if (self != NULL) {
        *self = (struct pool_call){.fn = fn, .arg = arg};
        memcpy (self->id, id, size);
    }
    return self;
}

static void call_free (struct pool_call *self)
{
    free (self->assigned);
    free (self);
}

/* Sends it; takes both. */
static int call_send (cohort_pool_t *self, struct pool_call *call, cohort_txn_t *txn, int rc)
{
    if (rc == 0) {
        call->create = cohort_txn_count (txn) - 1;
        rc = cohort_multi_async (self->client, txn, on_called, call);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    if (rc == 0) {
        recipe_call_begin (&self->calls, &call->base, self);
    } else if (call != NULL) {
        call_free (call);
    }
    return rc;
}

int cohort_pool_submit_async (cohort_pool_t *self, const char *id, const void *data, size_t size,
                              cohort_pool_done_fn *fn, void *arg)
{
    if (!is_name (id) || (data == NULL && size > 0)) {
        return COHORT_EINVAL;
    }
    struct pool_text text = {.kind = "task", .attempt = 1, .payload = data, .payload_size = size};
    struct pool_call *call = call_new (id, fn, arg);
    cohort_txn_t *txn = cohort_txn_new ();
    char *status = pool_path (self, "status", id, NULL),
         *task = pool_path (self, "tasks", id, NULL);
    int rc = call == NULL || txn == NULL || status == NULL || task == NULL ? COHORT_ENOMEM : 0;
    if (rc == 0) {
        cohort_txn_check_absent (txn, status);
        rc = add_create (txn, task, &text);
    }
    free (status);
    free (task);
    return call_send (self, call, txn, rc);
}

int cohort_pool_done_async (cohort_pool_t *self, const char *id, int attempt, const void *result,
                            size_t size, cohort_pool_done_fn *fn, void *arg)
{
    if (!is_name (id) || (result == NULL && size > 0) || self->member == NULL) {
        return COHORT_EINVAL;
    }
    struct pool_task *task = pool_worker_find (self, id, attempt);
    if (task == NULL) {
        return COHORT_EFENCED;
    }
    if (task->done) {
        return COHORT_ESTATE;
    }
    cohort_token_t token = cohort_member_token (self->member);
    struct pool_text text = {.kind = "status",
                             .attempt = attempt,
                             .czxid = token.czxid,
                             .payload = result,
                             .payload_size = size};
    struct pool_call *call = call_new (id, fn, arg);
    cohort_txn_t *txn = cohort_txn_new ();
    char *status = pool_path (self, "status", id, NULL);
    char *assigned = pool_path (self, "assign", self->name, id);
    int rc = call == NULL || txn == NULL || status == NULL || assigned == NULL ? COHORT_ENOMEM : 0;
    if (rc == 0) {
        call->result = true;
        call->attempt = attempt;
        call->czxid = task->czxid;
        cohort_txn_check_czxid (txn, cohort_member_path (self->member), token.czxid);
        cohort_txn_check_czxid (txn, assigned, task->czxid);
        cohort_txn_delete (txn, assigned, COHORT_ANY_VERSION);
        rc = add_create (txn, status, &text);
    }
    free (status);
    if (call != NULL) {
        call->assigned = assigned;
    } else {
        free (assigned);
    }
    rc = call_send (self, call, txn, rc);
    task->done = rc == 0;
    return rc;
}

static void on_called (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct pool_call *call = arg;
    cohort_pool_t *self = call->base.owner;
    int rc = result->rc;
    bool there = rc == COHORT_ENODEEXISTS;
    if (call->result && there) {
        /* Of another attempt, of a task that was submitted twice. */
        rc = COHORT_EDUPLICATE;
        /* If there is no memory for it, it is put back when this worker ends. */
        (void) recipe_withdraw (client, call->assigned, call->czxid);
    } else if (call->result && (rc == COHORT_ENONODE || rc == COHORT_EBADCZXID)) {
        rc = COHORT_EFENCED;
    }
    recipe_call_end (&call->base);
    if (self != NULL) {
        recipe_enter (&self->guard);
        if (call->result) {
            pool_worker_recorded (self, call->id, call->attempt, rc);
        }
        if (call->fn != NULL) {
            call->fn (self, call->id, rc, call->arg);
        }
        pool_leave (self);
    }
    call_free (call);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void on_answer (cohort_pool_t *self, const char *id, int rc, void *arg)
{
    struct pool_wait *wait = arg;
    (void) self;
    (void) id;
    *wait = (struct pool_wait){.answered = true, .rc = rc};
}

static int is_answered (void *arg)
{
    const struct pool_wait *wait = arg;
    return !wait->answered ? 0 : wait->rc == 0 ? 1 : wait->rc;
}

/* Whoever waits no more is not to be written to. */
static void forget_wait (cohort_pool_t *self, const struct pool_wait *wait)
{
    for (struct recipe_call *call = self->calls.first; call != NULL; call = call->next) {
        struct pool_call *one = (struct pool_call *) (void *) call;
        if (one->arg == wait) {
            one->fn = NULL;
        }
    }
}

static int wait_for (cohort_pool_t *self, struct pool_wait *wait, int timeout_ms)
{
    recipe_enter (&self->guard);
    int rc = recipe_wait (self->client, &self->guard, timeout_ms, is_answered, wait);
    forget_wait (self, wait);
    pool_leave (self);
    return rc;
}

/* 0: a blocking call may be made. */
static int may_wait (cohort_pool_t *self)
{
    recipe_enter (&self->guard);
    int rc = recipe_may_wait (self->client, &self->guard);
    pool_leave (self);
    return rc;
}

int cohort_pool_submit (cohort_pool_t *self, const char *id, const void *data, size_t size,
                        int timeout_ms)
{
    struct pool_wait wait = {0};
    int rc = may_wait (self);
    rc = rc == 0 ? cohort_pool_submit_async (self, id, data, size, on_answer, &wait) : rc;
    return rc == 0 ? wait_for (self, &wait, timeout_ms) : rc;
}

int cohort_pool_done (cohort_pool_t *self, const char *id, int attempt, const void *result,
                      size_t size, int timeout_ms)
{
    struct pool_wait wait = {0};
    int rc = may_wait (self);
    rc = rc == 0 ? cohort_pool_done_async (self, id, attempt, result, size, on_answer, &wait) : rc;
    return rc == 0 ? wait_for (self, &wait, timeout_ms) : rc;
}

/* What a stream on status/ID shows. */
struct pool_look {
    const char *path;
    int rc; /* 1: there is a result */
    int attempt;
    void *data;
    size_t size;
};

static int has_come (void *arg)
{
    const struct pool_look *look = arg;
    return look->rc;
}

static void look_at (struct pool_look *self, const cohort_change_t *change)
{
    struct pool_text text;
    bool here = change->kind != COHORT_CHANGE_OWNER && change->kind != COHORT_CHANGE_DELETED &&
                strcmp (change->path, self->path) == 0;
    if (!here || self->rc != 0) {
        return;
    }
    if (!pool_text_parse (&text, "status", change->data, change->size)) {
        self->rc = COHORT_ECORRUPT;
    } else if (text.failed) {
        self->rc = COHORT_EFENCED;
    } else {
        self->data = recipe_copy (text.payload, text.payload_size);
        self->size = text.payload_size;
        self->attempt = text.attempt;
        self->rc = self->data == NULL ? COHORT_ENOMEM : 1;
    }
}

static void on_status (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct pool_look *self = arg;
    if (batch == NULL && self->rc == 0) {
        self->rc = cohort_stream_error (stream);
    }
    for (size_t i = 0; batch != NULL && i < batch->count; i++) {
        look_at (self, &batch->changes[i]);
    }
}

/* By the one that waits for it, or, inside a handler, by whoever destroys the pool. */
static void stop_awaiting (cohort_pool_t *self)
{
    if (self->awaited != NULL) {
        cohort_stream_destroy (&self->awaited);
    }
}

int cohort_pool_result (cohort_pool_t *self, const char *id, int timeout_ms, void **result,
                        size_t *size, int *attempt)
{
    if (!is_name (id) || result == NULL || size == NULL) {
        return COHORT_EINVAL;
    }
    int rc = may_wait (self);
    if (rc != 0) {
        return rc;
    }
    char *path = pool_path (self, "status", id, NULL);
    struct pool_look look = {.path = path};
    rc = COHORT_ENOMEM;
    self->awaited = path == NULL ? NULL : cohort_stream_new (self->client, path, on_status, &look);
    if (self->awaited != NULL) {
        recipe_enter (&self->guard);
        rc = recipe_wait (self->client, &self->guard, timeout_ms, has_come, &look);
        stop_awaiting (self);
        pool_leave (self);
    }
    free (path);
    if (rc == 0) {
        *result = look.data;
        *size = look.size;
        if (attempt != NULL) {
            *attempt = look.attempt;
        }
    } else {
        free (look.data);
    }
    return rc;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool is_valid (const char *path, const cohort_pool_options_t *options)
{
    const int roles = COHORT_POOL_MASTER | COHORT_POOL_WORKER;
    if (path == NULL || path[0] != '/' || path[1] == 0 || path[strlen (path) - 1] == '/' ||
        options == NULL || options->size < sizeof (*options) || (options->roles & ~roles) != 0 ||
        options->capacity < 0 || options->attempts_max < 0) {
        return false;
    }
    bool worker = (options->roles & COHORT_POOL_WORKER) != 0;
    return (!worker || is_name (options->worker)) &&
           (options->data != NULL || options->data_size == 0);
}

cohort_pool_t *cohort_pool_new (cohort_t *client, const char *path,
                                const cohort_pool_options_t *options)
{
    cohort_pool_t *self =
        client != NULL && is_valid (path, options) ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    bool worker = (options->roles & COHORT_POOL_WORKER) != 0;
    *self = (cohort_pool_t){.client = client,
                            .attempts_max = options->attempts_max,
                            .capacity = options->capacity == 0 ? 1 : options->capacity};
    self->path = recipe_copy (path, strlen (path));
    self->name = worker ? recipe_copy (options->worker, strlen (options->worker)) : NULL;
    int rc = self->path == NULL || (worker && self->name == NULL) ? COHORT_ENOMEM : 0;
    if (rc == 0 && worker) {
        rc = pool_worker_start (self, options->data, options->data_size);
    }
    if (rc == 0 && (options->roles & COHORT_POOL_MASTER) != 0) {
        rc = pool_master_start (self);
    }
    if (rc != 0) {
        cohort_pool_destroy (&self);
    }
    return self;
}

void cohort_pool_destroy (cohort_pool_t **self_p)
{
    cohort_pool_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    pool_master_stop (self);
    pool_worker_stop (self);
    stop_awaiting (self);
    recipe_calls_forget (&self->calls);
    if (recipe_bury (&self->guard)) {
        pool_free (self);
    }
}

void cohort_pool_set_handler (cohort_pool_t *self, cohort_pool_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

void cohort_pool_set_chooser (cohort_pool_t *self, cohort_pool_choose_fn *fn, void *arg)
{
    self->choose = fn;
    self->choose_arg = arg;
}

int cohort_pool_retry (cohort_pool_t *self)
{
    int rc = self->member == NULL ? 0 : cohort_member_retry (self->member);
    rc = rc == 0 && self->own != NULL ? cohort_mirror_retry (self->own) : rc;
    return rc == 0 && self->election != NULL ? pool_master_start (self) : rc;
}

int cohort_pool_leads (cohort_pool_t *self, int margin_ms)
{
    return self->leading && cohort_election_valid (self->election, margin_ms);
}

int cohort_pool_has (cohort_pool_t *self, const char *id, int attempt, int margin_ms)
{
    return id != NULL && self->member != NULL && pool_worker_find (self, id, attempt) != NULL &&
           cohort_member_valid (self->member, margin_ms);
}
