/* Callbacks: run inside cohort_dispatch, in the order of events, without any lock.
 * May include: client, handle, libc. */

#include <stdatomic.h>

#include "client/base/assert.h"
#include "client/src/client.h"
#include "client/src/path.h"
#include "client/src/streams.h"
#include "client/src/watches.h"

static const char *below (const cohort_t *self, const char *path)
{
    return path_strip (self->chroot, self->chroot_size, path);
}

void client_result (const cohort_t *self, struct request *request, cohort_result_t *result)
{
    const struct wire_reply *reply = request->reply;
    const struct wire_op *op = &request->wire.op;
    *result = (cohort_result_t){.rc = request->rc};
    result->path = op->path != NULL ? below (self, op->path) : NULL;
    if (reply == NULL) {
        return;
    }
    result->zxid = reply->zxid;
    result->value = reply->value;
    result->existed = reply->existed;
    if (op->kind == WIRE_MULTI) {
        for (size_t i = 0; i < reply->more->ops_count; i++) {
            cohort_op_result_t *each = &reply->more->ops[i];
            each->path = each->path != NULL ? below (self, each->path) : NULL;
        }
        result->ops = reply->more->ops;
        result->ops_count = reply->more->ops_count;
    }
    if (request->rc != COHORT_OK) {
        return;
    }
    if (op->kind == WIRE_CREATE && reply->path[0] == '/') {
        result->path = below (self, reply->path);
    }
    result->data = reply->data;
    result->size = reply->size;
    result->stat = reply->stat;
    if (op->kind == WIRE_EPHEMERALS) {
        const char **paths = (const char **) reply->more->children.items;
        for (size_t i = 0; i < reply->more->children.count; i++) {
            paths[i] = below (self, paths[i]);
        }
    }
    result->reads = reply->more->reads;
    result->reads_count = reply->more->reads_count;
    result->identities = reply->more->identities;
    result->identities_count = reply->more->identities_count;
    result->acl = reply->more->acl;
    if (op->kind == WIRE_CHILDREN || op->kind == WIRE_EPHEMERALS) {
        bool names = op->list == NULL || (!op->list->with_stat && !op->list->with_data);
        result->children = names ? &reply->more->children : NULL;
        result->listed = names ? NULL : reply->more->listed;
        result->listed_count = names ? 0 : reply->more->listed_count;
        result->next = reply->more->next[0] != '\0' ? reply->more->next : NULL;
    }
}

static void run_result (cohort_t *self, struct request *request)
{
    if (request->fn != NULL) {
        cohort_result_t result;
        client_result (self, request, &result);
        request->fn (self, &result, request->arg);
    }
}

static void run_watch (cohort_t *self, const struct watch *watch)
{
    cohort_event_t event = {watch->type, below (self, watch->path), watch->zxid};
    watch->fn (self, &event, watch->arg);
}

static bool is_closed (const struct cohort_stream *stream)
{
    return atomic_load_explicit (&stream->closed, memory_order_acquire);
}

/* A persistent watch: tells an event, unless it has been closed meanwhile. */
static void tell (cohort_t *self, const struct cohort_stream *stream, int type, const char *path,
                  uint64_t zxid)
{
    if (!is_closed (stream)) {
        cohort_event_t event = {(cohort_event_type_t) type, path, zxid};
        stream->watch_fn (self, &event, stream->arg);
    }
}

static void run_ended (cohort_t *self, struct cohort_stream *stream)
{
    if (stream->fn == NULL) {
        tell (self, stream, COHORT_EVENT_WATCH_LOST, below (self, stream->path), 0);
    } else if (!is_closed (stream)) {
        stream->fn (stream, NULL, stream->arg);
    }
}

static void run_events (cohort_t *self, const struct cohort_stream *stream,
                        const cohort_batch_t *batch)
{
    static const int types[] = {
        [COHORT_CHANGE_CREATED] = COHORT_EVENT_CREATED,
        [COHORT_CHANGE_DELETED] = COHORT_EVENT_DELETED,
        [COHORT_CHANGE_DATA] = COHORT_EVENT_CHANGED,
    };
    const char *own = below (self, stream->path);
    if (batch->reset) {
        tell (self, stream, COHORT_EVENT_RESET, own, batch->zxid);
    }
    for (size_t i = 0; i < batch->count; i++) {
        const cohort_change_t *change = &batch->changes[i];
        if (change->kind == COHORT_CHANGE_ACL || change->kind == COHORT_CHANGE_OWNER) {
            continue; /* as in ZooKeeper, watches do not tell it */
        }
        bool child = (stream->flags & WIRE_STREAM_SHALLOW) != 0 && strcmp (change->path, own) != 0;
        tell (self, stream, child ? COHORT_EVENT_CHILDREN : types[change->kind],
              child ? own : change->path, batch->zxid);
    }
}

/* True: there is more of it. */
static bool run_batch (cohort_t *self, struct batch_event *event)
{
    struct cohort_stream *stream = event->stream;
    cohort_batch_t batch;
    cohort_change_t *changes;
    bool more = batch_event_next (event, &batch, &changes);
    if (is_closed (stream)) {
        return more; /* what is left of a snapshot goes as it would be given: bit by bit */
    }
    for (size_t i = 0; i < batch.count; i++) {
        if (changes[i].kind != COHORT_CHANGE_OWNER) {
            changes[i].path = below (self, changes[i].path);
        }
    }
    if (stream->fn == NULL) {
        run_events (self, stream, &batch);
    } else {
        stream->fn (stream, &batch, stream->arg);
    }
    return more;
}

static void run_state (cohort_t *self, cohort_state_t state)
{
    if (state == COHORT_LOST) {
        mailbox_tell_loss (&self->mailbox);
    }
    void *arg = NULL;
    cohort_state_fn *fn = mailbox_get_handler (&self->mailbox, &arg);
    if (fn != NULL) {
        fn (self, state, arg);
    }
}

static void run_timer (cohort_t *self, struct cohort_timer *timer)
{
    if (mailbox_take_timer (&self->mailbox, timer)) {
        timer->fn (self, timer->arg);
    }
}

/* True: the event has another callback to run. */
static bool run_event (cohort_t *self, struct event *event)
{
    switch (event->kind) {
    case EVENT_RESULT:
        run_result (self, container_of (event, struct request, event));
        break;
    case EVENT_WATCH:
        run_watch (self, container_of (event, struct watch, event));
        break;
    case EVENT_BATCH:
        return run_batch (self, container_of (event, struct batch_event, event));
    case EVENT_ENDED:
        run_ended (self, container_of (event, struct cohort_stream, ended));
        break;
    case EVENT_STATE:
        run_state (self, container_of (event, struct state_event, event)->state);
        break;
    case EVENT_TIMER:
        run_timer (self, container_of (event, struct cohort_timer, event));
        break;
    case EVENT_RENEW:
        COHORT_ASSERT (event->kind != EVENT_RENEW);
        break;
    }
    return false;
}

/* What is owed; true: there was anything. */
static bool tell_results (cohort_t *self)
{
    struct list results;
    list_init (&results);
    mailbox_take_results (&self->mailbox, &self->dispatch, &results);
    bool any = !list_empty (&results);
    struct list_node *node;
    while ((node = list_pop_front (&results)) != NULL) {
        struct event *event = list_entry (node, struct event, node);
        if (event->kind == EVENT_RESULT || event->kind == EVENT_WATCH) {
            (void) run_event (self, event);
        }
        event_free (event);
    }
    return any;
}

void client_tell_rest (cohort_t *self)
{
    do {
        while (tell_results (self)) {
        }
        cohort_result_fn *fn;
        void *arg;
        while (mailbox_next_asked (&self->mailbox, &fn, &arg)) {
            fn (self, &(cohort_result_t){.rc = COHORT_ECLOSING}, arg);
        }
    } while (!mailbox_go_deaf (&self->mailbox));
}

/* References to a frame that many events in a row point into: they are given back together. */
struct debt {
    struct wire_frame *frame;
    size_t count;
};

static void settle (struct debt *debt)
{
    wire_frame_release_many (debt->frame, debt->count);
    *debt = (struct debt){NULL, 0};
}

/* The event is done with; its reference becomes part of the debt. */
static void finish_event (struct event *event, struct debt *debt)
{
    struct wire_frame *frame = event->frame;
    if (frame != NULL) {
        if (frame != debt->frame) {
            settle (debt);
            debt->frame = frame;
        }
        debt->count++;
        event->frame = NULL;
    }
    event_free (event);
}

static int dispatch (cohort_t *self, int max_events, bool drive)
{
    struct exchange *exchange = &self->loop->exchange;
    if (drive && !exchange->threaded && !mailbox_in_callback (&self->mailbox)) {
        exchange_process (exchange, 0);
    }
    if (!mailbox_dispatch_begin (&self->mailbox, &self->dispatch, loop_now_ms (self->loop))) {
        return 0;
    }
    int ran = 0;
    size_t requests = 0, bytes = 0;
    struct debt debt = {NULL, 0};
    struct list_node *last = list_last (&self->dispatch), *node = NULL;
    while (!self->destroyed && node != last && (max_events <= 0 || ran < max_events)) {
        node = list_pop_front (&self->dispatch);
        struct event *event = list_entry (node, struct event, node);
        if (event->kind == EVENT_RESULT) {
            requests++;
            bytes += container_of (event, struct request, event)->size;
        }
        if (run_event (self, event)) {
            list_push_front (&self->dispatch, node);
            node = NULL;
        } else {
            finish_event (event, &debt);
        }
        ran++;
        if (self->watchdog_ms > 0) {
            mailbox_alive (&self->mailbox, loop_now_ms (self->loop));
        }
    }
    settle (&debt);
    bool left = !list_empty (&self->dispatch);
    if (self->destroyed) {
        mailbox_wait_told (&self->mailbox);
        client_tell_rest (self);
    }
    if (mailbox_dispatch_end (&self->mailbox, left, requests, bytes)) {
        handle_free (self);
    }
    return ran;
}

int cohort_dispatch (cohort_t *self, int max_events)
{
    return self != NULL ? dispatch (self, max_events, max_events >= 0) : COHORT_EINVAL;
}

int cohort_run (cohort_t *self, int timeout_ms)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (mailbox_in_callback (&self->mailbox)) {
        return client_fail (self, COHORT_EDEADLK, "run: called inside a callback");
    }
    struct waiter waiter;
    int rc = waiter_init (&waiter, &self->mailbox, WAITER_EVENT);
    if (rc != COHORT_OK) {
        return rc;
    }
    struct published view;
    rc = waiter_wait (&waiter, timeout_ms, &view);
    waiter_deinit (&waiter);
    /* Called without events too: it tells the watchdog that the application lives. */
    int ran = dispatch (self, 0, !waiter.drove);
    return rc == COHORT_ETIMEDOUT && ran == 0 ? 0 : ran;
}
