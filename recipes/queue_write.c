/* What is put, acknowledged and returned: see queue_private.h.
 *
 * Each is one transaction. With a delay there is one before it, which writes nothing but tells the
 * servers' time, for the name of the delayed item; that its time has come the servers tell by
 * deleting its child `due`. Each write keeps its queue in memory until its answer.
 * May include: queue_private.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue_private.h"

/* With the time of now it is still a number. */
#define DELAY_MS_MAX (INT64_MAX / 4)

enum write_verb { WRITE_PUT, WRITE_ACK, WRITE_RETURN };

struct write_call {
    struct recipe_call base; /* its owner is the queue */
    enum write_verb verb;
    bool stamping; /* for the servers' time; else the write itself */
    bool whole;    /* with the creation of what is missing */
    bool no_id;    /* ACK: somebody has deleted the id's znode */
    char *id;      /* path of its znode, or NULL */
    int priority;
    int64_t delay_ms;
    char *content;
    size_t size;
    char *due_path;      /* of the delayed item */
    cohort_item_t *item; /* ACK, RETURN */
    cohort_queue_result_fn *fn;
    void *arg;
};

static cohort_result_fn on_answer;

static void call_free (struct write_call *call)
{
    queue_item_free (call->item);
    free (call->id);
    free (call->content);
    free (call->due_path);
    free (call);
}

/* ---- Transactions -------------------------------------------------------------------------- */

/* The znode below which something is missing, as far as the queue has it. */
static int add_folder (cohort_txn_t *txn, const char *path)
{
    int rc = recipe_txn_parents (txn, path);
    recipe_txn_ensure (txn, path, NULL, 0, COHORT_PERSISTENT);
    return rc;
}

static int add_folders (cohort_queue_t *self, const struct write_call *call, cohort_txn_t *txn)
{
    bool delayed = call->delay_ms > 0;
    int rc = add_folder (txn, delayed ? self->delayed : self->items);
    if (rc == 0 && call->id != NULL) {
        rc = add_folder (txn, self->ids);
    }
    return rc;
}

static int add_delayed (const struct write_call *call, cohort_txn_t *txn)
{
    char *due = queue_path (call->due_path, "due");
    if (due == NULL) {
        return COHORT_ENOMEM;
    }
    cohort_create_options_t options = {.size = sizeof (options), .ttl_ms = call->delay_ms};
    cohort_txn_create (txn, call->due_path, call->content, call->size, COHORT_PERSISTENT, NULL);
    cohort_txn_create_with (txn, due, NULL, 0, &options);
    free (due);
    return 0;
}

static int add_item (cohort_queue_t *self, const struct write_call *call, cohort_txn_t *txn)
{
    char name[32];
    snprintf (name, sizeof (name), "%04d-", call->priority);
    char *path = queue_path (self->items, name);
    if (path == NULL) {
        return COHORT_ENOMEM;
    }
    cohort_txn_create (txn, path, call->content, call->size, COHORT_PERSISTENT | COHORT_SEQUENTIAL,
                       NULL);
    free (path);
    return 0;
}

static int add_put (cohort_queue_t *self, const struct write_call *call, cohort_txn_t *txn)
{
    int rc = call->whole ? add_folders (self, call, txn) : 0;
    if (rc == 0 && call->id != NULL) {
        cohort_txn_create (txn, call->id, NULL, 0, COHORT_PERSISTENT, NULL);
    }
    if (rc == 0) {
        rc = call->delay_ms > 0 ? add_delayed (call, txn) : add_item (self, call, txn);
    }
    return rc;
}

/* What every write of a consumer begins with: the item is still the caller's, and is given up. */
enum { RELEASE_OPS = 2 };

static int add_release (const struct write_call *call, cohort_txn_t *txn)
{
    char *mark = queue_mark (call->item->path);
    if (mark == NULL) {
        return COHORT_ENOMEM;
    }
    cohort_txn_check_owner (txn, mark, call->item->session, call->item->token.ozxid);
    cohort_txn_delete (txn, mark, COHORT_ANY_VERSION);
    free (mark);
    return 0;
}

static int add_ack (cohort_queue_t *self, const struct write_call *call, cohort_txn_t *txn)
{
    int rc = add_release (call, txn);
    cohort_txn_delete (txn, call->item->path, COHORT_ANY_VERSION);
    if (call->id != NULL && !call->no_id) {
        cohort_txn_delete (txn, call->id, COHORT_ANY_VERSION);
        if (self->remember_ms > 0) {
            cohort_create_options_t options = {.size = sizeof (options),
                                               .ttl_ms = self->remember_ms};
            cohort_txn_create_with (txn, call->id, NULL, 0, &options);
        }
    }
    return rc;
}

static int add_return (const struct write_call *call, cohort_txn_t *txn)
{
    int rc = add_release (call, txn);
    if (rc == 0 && call->delay_ms > 0) {
        cohort_txn_delete (txn, call->item->path, COHORT_ANY_VERSION);
        rc = add_delayed (call, txn);
    }
    return rc;
}

/* The servers' time is that of the transaction that does nothing to the folder of delayed items. */
static int add_stamp (cohort_queue_t *self, const struct write_call *call, cohort_txn_t *txn)
{
    int rc = call->whole ? add_folder (txn, self->delayed) : 0;
    cohort_txn_set (txn, self->delayed, NULL, 0, COHORT_ANY_VERSION);
    return rc;
}

/* first: in a new session, if this one has ended. */
static int send (cohort_queue_t *self, struct write_call *call, bool first)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    int rc;
    if (call->stamping) {
        rc = add_stamp (self, call, txn);
    } else if (call->verb == WRITE_PUT) {
        rc = add_put (self, call, txn);
    } else {
        rc = call->verb == WRITE_ACK ? add_ack (self, call, txn) : add_return (call, txn);
    }
    if (rc == 0 && first && call->verb == WRITE_PUT) {
        return recipe_commit (self->client, txn, on_answer, call);
    }
    rc = rc == 0 ? cohort_multi_async (self->client, txn, on_answer, call) : rc;
    cohort_txn_destroy (&txn);
    return rc;
}

/* ---- Answers ------------------------------------------------------------------------------- */

/* The servers' time is known: the name of the delayed item. Its zxid makes it unique. */
static int stamped (cohort_queue_t *self, struct write_call *call, const cohort_result_t *result)
{
    char name[80];
    if (result->ops_count == 0) {
        return COHORT_EPROTOCOL;
    }
    int64_t now_ms = result->ops[result->ops_count - 1].stat.mtime_ms;
    snprintf (name, sizeof (name), "%020lld-%04d-%016llx", (long long) (now_ms + call->delay_ms),
              call->priority, (unsigned long long) result->zxid);
    call->due_path = queue_path (self->delayed, name);
    if (call->due_path == NULL) {
        return COHORT_ENOMEM;
    }
    call->stamping = false;
    call->whole = false;
    return send (self, call, false);
}

/* Which operation was refused; its own result says so. */
static size_t refused (const cohort_result_t *result)
{
    for (size_t i = 0; i < result->ops_count; i++) {
        if (result->ops[i].rc == result->rc) {
            return i;
        }
    }
    return result->ops_count;
}

/* The outcome of a write of a consumer; the item is deleted, too, by an acknowledgement. */
static int release_error (const struct write_call *call, const cohort_result_t *result)
{
    bool gone = result->rc == COHORT_ENONODE || result->rc == COHORT_EBADOWNER;
    bool releases = call->verb != WRITE_PUT && !call->stamping;
    return gone && releases && refused (result) <= RELEASE_OPS ? COHORT_EFENCED : result->rc;
}

/* What could not be written is for others again. */
static void give_back (cohort_queue_t *self, const cohort_item_t *item)
{
    char *mark = queue_mark (item->path);
    if (mark != NULL) {
        /* If there is no memory for it the item is free again when the session ends. */
        (void) recipe_withdraw (self->client, mark, item->token.czxid);
    }
    free (mark);
}

/* True: a further request is on its way. *rc: otherwise, what came out of it. */
static bool go_on (cohort_queue_t *self, struct write_call *call, const cohort_result_t *result,
                   int *rc)
{
    *rc = release_error (call, result);
    bool missing = *rc == COHORT_ENONODE;
    if (call->stamping && *rc == 0) {
        *rc = stamped (self, call, result);
        return *rc == 0;
    }
    if (missing && call->verb == WRITE_ACK && !call->no_id) {
        call->no_id = true;
    } else if (missing && (call->stamping || call->verb == WRITE_PUT) && !call->whole) {
        call->whole = true;
    } else {
        return false;
    }
    *rc = send (self, call, false);
    return *rc == 0;
}

static void on_answer (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct write_call *call = arg;
    cohort_queue_t *self = call->base.owner;
    int rc;
    (void) client;
    if (go_on (self, call, result, &rc)) {
        return;
    }
    recipe_call_end (&call->base);
    if (call->item != NULL && rc != 0 && rc != COHORT_EFENCED && rc != COHORT_ESESSIONEXPIRED) {
        give_back (self, call->item);
    }
    cohort_queue_result_t told = {.rc = rc};
    if (call->verb == WRITE_PUT && rc == COHORT_ENODEEXISTS && call->id != NULL) {
        told = (cohort_queue_result_t){.existed = 1};
    }
    if (call->fn != NULL && !self->guard.destroyed) {
        call->fn (self, &told, call->arg);
    }
    call_free (call);
    queue_leave (self);
}

/* ---- Beginning ----------------------------------------------------------------------------- */

/* The call is on its way, or still the caller's. */
static int begin (cohort_queue_t *self, struct write_call *call)
{
    call->stamping = call->delay_ms > 0;
    int rc = send (self, call, true);
    if (rc != 0) {
        return rc;
    }
    recipe_call_begin (&self->writes, &call->base, self);
    recipe_enter (&self->guard);
    return 0;
}

static struct write_call *call_new (struct write_call given)
{
    struct write_call *call = malloc (sizeof (*call));
    if (call != NULL) {
        *call = given;
    }
    return call;
}

static bool id_valid (const char *id)
{
    return id == NULL || (id[0] != 0 && strpbrk (id, "/\n") == NULL);
}

static int begin_put (cohort_queue_t *self, const void *data, size_t size,
                      const cohort_put_options_t *options, struct write_call given)
{
    static const cohort_put_options_t plain = {.size = sizeof (plain)};
    options = options == NULL ? &plain : options;
    if ((data == NULL && size > 0) || options->size != sizeof (*options) ||
        !id_valid (options->id) || options->priority < 0 ||
        options->priority > COHORT_QUEUE_PRIORITY_MAX || options->delay_ms < 0 ||
        options->delay_ms > DELAY_MS_MAX) {
        return COHORT_EINVAL;
    }
    given.verb = WRITE_PUT;
    given.priority = options->priority;
    given.delay_ms = options->delay_ms;
    struct write_call *call = call_new (given);
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    call->content = queue_content (options->id, 0, data, size, &call->size);
    call->id = options->id == NULL ? NULL : queue_path (self->ids, options->id);
    bool whole = call->content != NULL && (call->id != NULL || options->id == NULL);
    int rc = whole ? begin (self, call) : COHORT_ENOMEM;
    if (rc != 0) {
        call_free (call);
    }
    return rc;
}

/* What is to be written about an item that the call owns. */
static int prepare (cohort_queue_t *self, struct write_call *call)
{
    cohort_item_t *item = call->item;
    if (call->delay_ms > DELAY_MS_MAX) {
        return COHORT_EINVAL;
    }
    if (call->verb == WRITE_ACK && item->id != NULL) {
        call->id = queue_path (self->ids, item->id);
        return call->id == NULL ? COHORT_ENOMEM : 0;
    }
    if (call->delay_ms > 0) {
        call->content =
            queue_content (item->id, item->attempt, item->data, item->size, &call->size);
        return call->content == NULL ? COHORT_ENOMEM : 0;
    }
    return 0;
}

/* Consumes the item. */
static int begin_release (cohort_item_t **item_p, struct write_call given)
{
    cohort_item_t *item = *item_p;
    cohort_queue_t *self = item->queue;
    *item_p = NULL;
    if (self == NULL || cohort_session_id (self->client) != item->session) {
        if (self != NULL) {
            queue_item_unlink (item);
            self->taken_count--;
        }
        queue_item_free (item);
        return COHORT_EFENCED;
    }
    queue_item_unlink (item);
    self->taken_count--;
    given.item = item;
    given.priority = item->priority;
    struct write_call *call = call_new (given);
    int rc = call == NULL ? COHORT_ENOMEM : prepare (self, call);
    rc = rc == 0 ? begin (self, call) : rc;
    if (rc != 0) {
        give_back (self, item);
        queue_item_free (item);
        if (call != NULL) {
            call->item = NULL;
            call_free (call);
        }
    }
    rc = rc == COHORT_ESESSIONEXPIRED ? COHORT_EFENCED : rc;
    queue_fill_asked (self);
    return rc;
}

/* ---- The public functions ------------------------------------------------------------------ */

int cohort_queue_put_async (cohort_queue_t *self, const void *data, size_t size,
                            const cohort_put_options_t *options, cohort_queue_result_fn *fn,
                            void *arg)
{
    return begin_put (self, data, size, options, (struct write_call){.fn = fn, .arg = arg});
}

int cohort_item_ack_async (cohort_item_t **item_p, cohort_queue_result_fn *fn, void *arg)
{
    return begin_release (item_p, (struct write_call){.verb = WRITE_ACK, .fn = fn, .arg = arg});
}

int cohort_item_return_async (cohort_item_t **item_p, int64_t delay_ms, cohort_queue_result_fn *fn,
                              void *arg)
{
    return begin_release (item_p, (struct write_call){.verb = WRITE_RETURN,
                                                      .delay_ms = delay_ms > 0 ? delay_ms : 0,
                                                      .fn = fn,
                                                      .arg = arg});
}

/* ---- The same, waiting --------------------------------------------------------------------- */

struct write_waiting {
    bool done;
    cohort_queue_result_t result;
};

static void on_waited (cohort_queue_t *self, const cohort_queue_result_t *result, void *arg)
{
    struct write_waiting *waiting = arg;
    (void) self;
    waiting->done = true;
    waiting->result = *result;
}

static int is_done (void *arg)
{
    const struct write_waiting *waiting = arg;
    return waiting->done ? 1 : 0;
}

/* Who gives up is not told any more. */
static void forget (cohort_queue_t *self, const struct write_waiting *waiting)
{
    for (struct recipe_call *base = self->writes.first; base != NULL; base = base->next) {
        struct write_call *call = (struct write_call *) base;
        if (call->arg == waiting) {
            call->fn = NULL;
        }
    }
}

/* Waits for what has been sent, rc 0. */
static int finish (cohort_queue_t *self, struct write_waiting *waiting, int rc, int timeout_ms)
{
    if (rc == 0) {
        rc = recipe_wait (self->client, &self->guard, timeout_ms, is_done, waiting);
        rc = waiting->done ? waiting->result.rc : rc;
        forget (self, waiting);
    }
    return rc;
}

int cohort_queue_put (cohort_queue_t *self, const void *data, size_t size,
                      const cohort_put_options_t *options, int timeout_ms, int *existed)
{
    struct write_waiting waiting = {0};
    recipe_enter (&self->guard);
    int rc = recipe_may_wait (self->client, &self->guard);
    if (rc == 0) {
        rc = cohort_queue_put_async (self, data, size, options, on_waited, &waiting);
        rc = finish (self, &waiting, rc, timeout_ms);
    }
    queue_leave (self);
    if (rc == 0 && existed != NULL) {
        *existed = waiting.result.existed;
    }
    return rc;
}

static int release (cohort_item_t **item_p, struct write_call given, int timeout_ms)
{
    struct write_waiting waiting = {0};
    cohort_queue_t *self = (*item_p)->queue;
    if (self == NULL) {
        return begin_release (item_p, given);
    }
    given.fn = on_waited;
    given.arg = &waiting;
    recipe_enter (&self->guard);
    int rc = recipe_may_wait (self->client, &self->guard);
    if (*item_p == NULL) {
        rc = COHORT_EFENCED; /* a handler was faster */
    } else if (rc == 0) {
        rc = begin_release (item_p, given);
        rc = finish (self, &waiting, rc, timeout_ms);
    } else if (rc == COHORT_ECLOSING) {
        rc = begin_release (item_p, given);
    }
    queue_leave (self);
    return rc;
}

int cohort_item_ack (cohort_item_t **item_p, int timeout_ms)
{
    return release (item_p, (struct write_call){.verb = WRITE_ACK}, timeout_ms);
}

int cohort_item_return (cohort_item_t **item_p, int64_t delay_ms, int timeout_ms)
{
    return release (
        item_p, (struct write_call){.verb = WRITE_RETURN, .delay_ms = delay_ms > 0 ? delay_ms : 0},
        timeout_ms);
}
