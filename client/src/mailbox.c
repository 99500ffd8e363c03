/* Requests to the loop, events from it. May include: mailbox_private.h and what it includes, libc.
 */

#include "client/src/mailbox_private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/base/assert.h"

/* ---- Mailboxes ------------------------------------------------------------------------------- */

void mailbox_init (struct mailbox *self, struct exchange *exchange, int time_limit_ms,
                   int64_t now_ms)
{
    *self = (struct mailbox){.exchange = exchange,
                             .event_fd = -1,
                             .poll_fd = -1,
                             .references = 2,
                             .dispatched_all = true,
                             .backlog_max = MAILBOX_BACKLOG_MAX,
                             .alive_ms = now_ms,
                             .timers_ms = INT64_MAX,
                             .time_limit_ms = time_limit_ms};
    list_init (&self->outgoing);
    list_init (&self->incoming);
    list_init (&self->asked);
    heap_init (&self->timers);
    exchange_lock (exchange);
    exchange->users++;
    exchange->objects++;
    exchange_unlock (exchange);
}

void mailbox_deinit (struct mailbox *self)
{
    COHORT_ASSERT (self->references == 0);
    event_free_all (&self->outgoing);
    event_free_all (&self->incoming);
    heap_deinit (&self->timers);
    if (self->poll_fd >= 0) {
        close (self->poll_fd);
    }
    if (self->event_fd >= 0) {
        close (self->event_fd);
    }
}

bool mailbox_let_go (struct mailbox *self)
{
    COHORT_ASSERT (self->references > 0);
    struct exchange *exchange = self->exchange;
    if (--self->references > 0) {
        return false;
    }
    COHORT_ASSERT (!list_linked (&self->ready));
    COHORT_ASSERT (exchange->objects > 0);
    exchange->objects--;
    pthread_cond_broadcast (&exchange->turn);
    if (exchange->orphan) {
        exchange_wake_locked (exchange);
    }
    return true;
}

bool mailbox_release (struct mailbox *self)
{
    struct exchange *exchange = self->exchange;
    exchange_lock (exchange);
    bool last = mailbox_let_go (self);
    exchange_unlock (exchange);
    return last;
}

void mailbox_make_ready (struct mailbox *self)
{
    if (!list_linked (&self->ready) && !self->finished) {
        list_push_back (&self->exchange->ready, &self->ready);
        exchange_wake_locked (self->exchange);
    }
}

void mailbox_announce (struct mailbox *self)
{
    exchange_lock (self->exchange);
    mailbox_make_ready (self);
    exchange_unlock (self->exchange);
}

/* Streams can always be closed. */
static bool is_full (const struct mailbox *self, const struct request *request)
{
    return request->wire.op.kind != WIRE_STREAM_CLOSE &&
           (self->requests >= REQUESTS_COUNT_MAX ||
            self->request_bytes + request->size > REQUESTS_BYTES_MAX);
}

int mailbox_submit (struct mailbox *self, struct request *request, struct waiter *waiter)
{
    struct exchange *exchange = self->exchange;
    COHORT_ASSERT (request->waiter == NULL);
    exchange_lock (exchange);
    int rc = self->end != MAILBOX_OPEN || self->finished ? COHORT_ECLOSING
             : is_full (self, request)                   ? COHORT_ELIMIT
                                                         : COHORT_OK;
    if (rc == COHORT_OK) {
        exchange_consider_lending (exchange, waiter != NULL);
        request->waiter = waiter;
        request->blocking = waiter != NULL;
        request->in_callback = mailbox_is_inside (self);
        request->losses_told = self->losses_told;
        if (waiter != NULL) {
            waiter->request = request;
        }
        if (request->fn != NULL) {
            list_push_back (&self->asked, &request->asked);
        }
        self->requests++;
        self->request_bytes += request->size;
        exchange->requests++;
        list_push_back (&self->outgoing, &request->event.node);
        if (!list_linked (&self->ready)) {
            list_push_back (&exchange->ready, &self->ready);
            /* The caller drives as soon as it waits: nobody has to be woken for that. */
            if (exchange->driven || waiter == NULL || !exchange_lent (exchange)) {
                exchange_wake_locked (exchange);
            }
        }
    }
    exchange_unlock (exchange);
    return rc;
}

int mailbox_renew (struct mailbox *self, struct renew_event *renew)
{
    exchange_lock (self->exchange);
    int rc = self->end != MAILBOX_OPEN         ? COHORT_ECLOSING
             : self->view.state != COHORT_LOST ? COHORT_ESTATE
                                               : COHORT_OK;
    if (rc == COHORT_OK) {
        /* From now on the handle is connecting, whatever the driver, which has not heard of it,
         * still says of the session before. */
        self->renewals++;
        self->view = (struct published){.state = COHORT_CONNECTING};
        renew->event.kind = EVENT_RENEW;
        list_push_back (&self->outgoing, &renew->event.node);
        mailbox_make_ready (self);
    }
    exchange_unlock (self->exchange);
    return rc;
}

struct mailbox *mailbox_pop (struct exchange *exchange, struct list *mailboxes)
{
    exchange_lock (exchange);
    struct list_node *node = list_pop_front (mailboxes);
    exchange_unlock (exchange);
    return node != NULL ? list_entry (node, struct mailbox, ready) : NULL;
}

enum mailbox_end mailbox_collect (struct mailbox *self, struct list *outgoing)
{
    exchange_lock (self->exchange);
    list_splice_back (outgoing, &self->outgoing);
    self->renewals_seen = self->renewals;
    enum mailbox_end end = self->end;
    self->end_seen = end != MAILBOX_OPEN;
    exchange_unlock (self->exchange);
    return end;
}

/* ---- Events to the application --------------------------------------------------------------- */

void mailbox_wake (struct mailbox *self, enum waiter_kind kind)
{
    struct list *waiters = &self->exchange->waiters;
    for (struct list_node *at = list_first (waiters); at != NULL; at = list_next (waiters, at)) {
        struct waiter *waiter = list_entry (at, struct waiter, blocked.node);
        if (waiter->mailbox == self && waiter->kind == kind) {
            pthread_cond_signal (&waiter->blocked.cond);
        }
    }
}

static void copy_text (char *to, size_t size, const char *from)
{
    snprintf (to, size, "%s", from);
}

/* Lock held. Views of a session before a renewal that the driver has not seen are not news. */
static void take_view (struct mailbox *self, const struct session_view *view)
{
    if (self->renewals != self->renewals_seen) {
        return;
    }
    bool changed = self->view.state != view->state;
    self->view.state = view->state;
    self->view.rc = view->rc;
    self->view.id = view->id;
    memcpy (self->view.password, view->password, sizeof (self->view.password));
    self->view.zxid = view->zxid;
    self->view.valid_until_ms = view->valid_until_ms;
    self->view.held = view->held;
    self->view.no_quorum = view->no_quorum;
    atomic_store_explicit (&self->data_size_max, view->data_size_max, memory_order_relaxed);
    atomic_store_explicit (&self->path_size_max, view->path_size_max, memory_order_relaxed);
    /* They hardly ever change, and this is done with every answer. */
    if (strcmp (self->view.endpoint, view->endpoint) != 0) {
        copy_text (self->view.endpoint, sizeof (self->view.endpoint), view->endpoint);
    }
    if (strcmp (self->view.reason, view->reason) != 0) {
        copy_text (self->view.reason, sizeof (self->view.reason), view->reason);
    }
    if (changed) {
        mailbox_wake (self, WAITER_STATE);
    }
}

/* Lock held. The caller of a blocking form takes its request itself, unless it has given up. */
static void give_back (struct mailbox *self, struct request *request, struct list *dropped)
{
    struct waiter *waiter = request->waiter;
    if (waiter == NULL) {
        list_push_back (dropped, &request->event.node);
        return;
    }
    COHORT_ASSERT (waiter->mailbox == self);
    COHORT_ASSERT (waiter->request == request);
    request->waiter = NULL;
    waiter->done = true;
    pthread_cond_signal (&waiter->blocked.cond);
}

/* Results that nobody asked for are counted off at once. */
static void count_dropped (struct mailbox *self, struct list *dropped)
{
    for (struct list_node *at = list_first (dropped); at != NULL; at = list_next (dropped, at)) {
        struct event *event = list_entry (at, struct event, node);
        if (event->kind == EVENT_RESULT) {
            self->requests--;
            self->request_bytes -= container_of (event, struct request, event)->size;
        }
    }
}

/* A session that flaps while nobody dispatches must not fill the memory: of a long row of its
 * states only the newest says anything. */
void mailbox_queue (struct mailbox *self, struct event *event, struct list *heard,
                    struct list *dropped)
{
    struct list_node *last = list_last (list_empty (heard) ? &self->incoming : heard);
    if (event->kind != EVENT_STATE) {
        self->states = 0;
    } else if (last == NULL) {
        self->states = 1;
    } else if (self->states < MAILBOX_STATES_MAX) {
        self->states++;
    } else {
        struct event *before = list_entry (last, struct event, node);
        struct state_event *kept = container_of (before, struct state_event, event);
        COHORT_ASSERT (before->kind == EVENT_STATE);
        if (kept->state != COHORT_LOST) {
            kept->state = container_of (event, struct state_event, event)->state;
            list_push_back (dropped, &event->node);
            return;
        }
    }
    list_push_back (heard, &event->node);
}

/* Lock held: a result that nobody waits for, or, behind the end, what is neither a result nor a
 * watch. */
static bool is_unheard (const struct mailbox *self, const struct event *event)
{
    switch (event->kind) {
    case EVENT_RESULT:
        return container_of (event, struct request, event)->fn == NULL;
    case EVENT_WATCH:
        return self->deaf;
    default:
        return self->end != MAILBOX_OPEN;
    }
}

/* Lock held: the request's callback is from now on known by its event. */
static void take_off (struct request *request)
{
    if (list_linked (&request->asked)) {
        list_remove (&request->asked);
    }
}

bool mailbox_publish (struct mailbox *self, struct list *events, size_t bytes,
                      const struct session_view *view, int64_t now_ms)
{
    struct exchange *exchange = self->exchange;
    struct list heard, dropped;
    list_init (&heard);
    list_init (&dropped);
    size_t results = 0;
    exchange_lock (exchange);
    struct list_node *node;
    while ((node = list_pop_front (events)) != NULL) {
        struct event *event = list_entry (node, struct event, node);
        if (event->kind == EVENT_RESULT) {
            take_off (container_of (event, struct request, event));
            results++;
        }
        if (event->kind == EVENT_RESULT && container_of (event, struct request, event)->blocking) {
            give_back (self, container_of (event, struct request, event), &dropped);
        } else if (is_unheard (self, event)) {
            list_push_back (&dropped, node);
        } else {
            mailbox_queue (self, event, &heard, &dropped);
        }
    }
    COHORT_ASSERT (exchange->requests >= results);
    exchange->requests -= results;
    count_dropped (self, &dropped);
    mailbox_run_timers (self, now_ms, &heard, &dropped);
    take_view (self, view);
    self->backlog += bytes;
    if (!list_empty (&heard)) {
        bool first = list_empty (&self->incoming);
        list_splice_back (&self->incoming, &heard);
        if (self->event_fd >= 0 && !self->event_set) {
            self->event_set = true;
            exchange_signal_fd (self->event_fd);
        }
        if (first) {
            mailbox_wake (self, WAITER_EVENT);
        }
    } else if (list_empty (&self->incoming) && self->dispatched_all) {
        self->backlog = 0;
    }
    self->paused = self->backlog > self->backlog_max && self->end == MAILBOX_OPEN;
    if (self->end_seen && !self->end_told) {
        self->end_told = true;
        pthread_cond_broadcast (&exchange->turn);
    }
    bool open = !self->paused;
    exchange_unlock (exchange);
    event_free_all (&dropped);
    return open;
}

/* Lock held. */
static int64_t idle_ms (const struct mailbox *self, int64_t now_ms)
{
    return self->runners > 0 ? 0 : now_ms - self->alive_ms;
}

int64_t mailbox_idle_ms (struct mailbox *self, int64_t now_ms)
{
    exchange_lock (self->exchange);
    int64_t idle = idle_ms (self, now_ms);
    exchange_unlock (self->exchange);
    return idle;
}

bool mailbox_hung (struct mailbox *self, int64_t now_ms, int64_t limit_ms)
{
    exchange_lock (self->exchange);
    self->hung = idle_ms (self, now_ms) >= limit_ms;
    bool hung = self->hung;
    exchange_unlock (self->exchange);
    return hung;
}

/* Lock held: what the watchdog has silenced may be said again. */
static void note_awake (struct mailbox *self)
{
    if (self->hung) {
        self->hung = false;
        mailbox_make_ready (self);
    }
}

void mailbox_alive (struct mailbox *self, int64_t now_ms)
{
    exchange_lock (self->exchange);
    self->alive_ms = now_ms;
    note_awake (self);
    exchange_unlock (self->exchange);
}

/* ---- Dispatching ----------------------------------------------------------------------------- */

bool mailbox_dispatch_begin (struct mailbox *self, struct list *events, int64_t now_ms)
{
    exchange_lock (self->exchange);
    bool free = !self->dispatching && self->end == MAILBOX_OPEN;
    if (free) {
        self->dispatching = true;
        self->dispatcher = pthread_self ();
        self->alive_ms = now_ms;
        note_awake (self);
        self->references++;
        list_splice_back (events, &self->incoming);
        self->dispatched_all = list_empty (events);
    }
    exchange_unlock (self->exchange);
    return free;
}

/* Lock held. */
static void count_off (struct mailbox *self, size_t requests, size_t bytes)
{
    COHORT_ASSERT (self->requests >= requests);
    COHORT_ASSERT (self->request_bytes >= bytes);
    self->requests -= requests;
    self->request_bytes -= bytes;
}

bool mailbox_dispatch_end (struct mailbox *self, bool left, size_t requests, size_t bytes)
{
    exchange_lock (self->exchange);
    COHORT_ASSERT (self->dispatching);
    self->dispatching = false;
    self->dispatched_all = !left;
    count_off (self, requests, bytes);
    if (!left && list_empty (&self->incoming)) {
        if (self->event_set) {
            self->event_set = false;
            exchange_clear_fd (self->event_fd);
        }
        self->backlog = 0;
        if (self->paused) {
            mailbox_make_ready (self);
        }
    }
    struct exchange *exchange = self->exchange;
    bool last = mailbox_let_go (self);
    exchange_unlock (exchange);
    return last;
}

void mailbox_tell_loss (struct mailbox *self)
{
    exchange_lock (self->exchange);
    self->losses_told++;
    exchange_unlock (self->exchange);
}

void mailbox_settled (struct mailbox *self, size_t bytes)
{
    exchange_lock (self->exchange);
    count_off (self, 1, bytes);
    exchange_unlock (self->exchange);
}

bool mailbox_is_inside (const struct mailbox *self)
{
    return self->dispatching && pthread_equal (self->dispatcher, pthread_self ()) != 0;
}

bool mailbox_in_callback (struct mailbox *self)
{
    exchange_lock (self->exchange);
    bool inside = mailbox_is_inside (self);
    exchange_unlock (self->exchange);
    return inside;
}

/* Lock held. */
static void open_event_fd (struct mailbox *self)
{
    if (self->event_fd >= 0) {
        return;
    }
    self->event_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->event_set = !list_empty (&self->incoming) || !self->dispatched_all;
    if (self->event_fd >= 0 && self->event_set) {
        exchange_signal_fd (self->event_fd);
    }
}

/* Lock held. */
static void open_poll_fd (struct mailbox *self, int loop_fd)
{
    if (self->poll_fd >= 0 || self->event_fd < 0) {
        return;
    }
    int fd = epoll_create1 (EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (fd >= 0 && epoll_ctl (fd, EPOLL_CTL_ADD, self->event_fd, &event) == 0 &&
        epoll_ctl (fd, EPOLL_CTL_ADD, loop_fd, &event) == 0) {
        self->poll_fd = fd;
    } else if (fd >= 0) {
        close (fd);
    }
}

int mailbox_fd (struct mailbox *self, int loop_fd)
{
    exchange_lock (self->exchange);
    open_event_fd (self);
    if (loop_fd >= 0) {
        open_poll_fd (self, loop_fd);
    }
    int fd = loop_fd >= 0 ? self->poll_fd : self->event_fd;
    exchange_unlock (self->exchange);
    return fd >= 0 ? fd : COHORT_ESYSTEM;
}

/* ---- Blocking -------------------------------------------------------------------------------- */

int waiter_init (struct waiter *self, struct mailbox *mailbox, enum waiter_kind kind)
{
    *self = (struct waiter){.mailbox = mailbox, .kind = kind};
    return exchange_cond_init (&self->blocked.cond);
}

void waiter_deinit (struct waiter *self)
{
    COHORT_ASSERT (!list_linked (&self->blocked.node));
    pthread_cond_destroy (&self->blocked.cond);
}

/* Lock held: whether what the thread waits for has come. */
static bool satisfied (const struct waiter *self)
{
    const struct mailbox *mailbox = self->mailbox;
    switch (self->kind) {
    case WAITER_RESULT:
        return self->done;
    case WAITER_STATE:
        return mailbox->view.state == COHORT_CONNECTED || mailbox->view.state == COHORT_LOST;
    default:
        return !list_empty (&mailbox->incoming) || !mailbox->dispatched_all ||
               mailbox->end != MAILBOX_OPEN;
    }
}

int waiter_wait (struct waiter *self, int64_t limit_ms, struct published *view)
{
    struct mailbox *mailbox = self->mailbox;
    struct exchange *exchange = mailbox->exchange;
    int64_t until = exchange_until (limit_ms);
    exchange_lock (exchange);
    list_push_back (&exchange->waiters, &self->blocked.node);
    if (self->kind == WAITER_EVENT) {
        mailbox->runners++;
        note_awake (mailbox);
    }
    while (!satisfied (self)) {
        int64_t left = exchange_left_ms (until);
        if (left == 0) {
            break;
        }
        if (!exchange->driven && exchange_lent (exchange)) {
            self->drove = true;
            exchange_drive_locked (exchange, left);
        } else {
            exchange_cond_wait (exchange, &self->blocked.cond, until);
        }
    }
    list_remove (&self->blocked.node);
    mailbox->runners -= self->kind == WAITER_EVENT ? 1 : 0;
    int rc = satisfied (self) ? COHORT_OK : COHORT_ETIMEDOUT;
    if (rc != COHORT_OK && self->request != NULL) {
        /* The request goes on; its result will find nobody. */
        self->request->waiter = NULL;
        self->request = NULL;
    }
    *view = mailbox->view;
    exchange_blocked_end (exchange);
    exchange_unlock (exchange);
    return rc;
}

/* ---- What the application may know ----------------------------------------------------------- */

void mailbox_view (struct mailbox *self, struct published *view)
{
    exchange_lock (self->exchange);
    *view = self->view;
    exchange_unlock (self->exchange);
}

int64_t mailbox_valid_until (struct mailbox *self)
{
    exchange_lock (self->exchange);
    int64_t until = self->view.valid_until_ms;
    exchange_unlock (self->exchange);
    return until;
}

void mailbox_set_text (struct mailbox *self, const char *text)
{
    exchange_lock (self->exchange);
    copy_text (self->text, sizeof (self->text), text);
    exchange_unlock (self->exchange);
}

void mailbox_get_text (struct mailbox *self, char *text, size_t size)
{
    exchange_lock (self->exchange);
    copy_text (text, size, self->text);
    exchange_unlock (self->exchange);
}

void mailbox_set_handler (struct mailbox *self, cohort_state_fn *fn, void *arg)
{
    exchange_lock (self->exchange);
    self->state_fn = fn;
    self->state_arg = arg;
    exchange_unlock (self->exchange);
}

cohort_state_fn *mailbox_get_handler (struct mailbox *self, void **arg)
{
    exchange_lock (self->exchange);
    cohort_state_fn *fn = self->state_fn;
    *arg = self->state_arg;
    exchange_unlock (self->exchange);
    return fn;
}

void mailbox_set_limit (struct mailbox *self, int time_limit_ms)
{
    exchange_lock (self->exchange);
    self->time_limit_ms = time_limit_ms;
    exchange_unlock (self->exchange);
}

int mailbox_get_limit (struct mailbox *self)
{
    exchange_lock (self->exchange);
    int time_limit_ms = self->time_limit_ms;
    exchange_unlock (self->exchange);
    return time_limit_ms;
}

uint64_t mailbox_next_stream (struct mailbox *self)
{
    exchange_lock (self->exchange);
    uint64_t id = ++self->last_stream;
    exchange_unlock (self->exchange);
    return id;
}
