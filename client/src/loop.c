/* The loop: turns until one does nothing, then epoll.
 *
 * libzmq's descriptors are edge-triggered and a send may swallow the edge of a message that has
 * arrived: a loop may sleep only when the last look at every socket since its last send found
 * nothing (docs/zeromq.md). So every connection that is sent on is marked, and marked ones are read
 * before the loop sleeps. May include: handle, io, session, libzmq, epoll, libc. */

#include "client/src/loop.h"

#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/src/state_file.h"

/* Descriptors taken from epoll at a time. */
#define EPOLL_EVENTS_MAX 64
/* Sockets of a context of our own; every link takes two. */
#define SOCKETS_MAX 60000
/* Turns between two looks of a blocked call at whether its result has come. */
#define DRIVE_TURNS_MAX 16
/* How long an orderly end may take. */
#define CLOSE_MS 1000
/* How soon a handle is looked at for which there was no memory. */
#define ASTRAY_MS 100
/* How long cohort_loop_destroy waits for handles that were destroyed inside callbacks. */
#define EMPTY_MS 5000

static int64_t real_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Counts while the machine sleeps: sessions expire meanwhile. */
static int64_t boot_clock (void *arg)
{
    (void) arg;
    struct timespec now;
    clock_gettime (CLOCK_BOOTTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t loop_now_ms (const cohort_loop_t *self)
{
    return self->clock (self->clock_arg);
}

void loop_touch (struct cohort *handle)
{
    if (!list_linked (&handle->touched)) {
        list_push_back (&handle->loop->touched, &handle->touched);
    }
}

bool loop_watch (struct cohort *handle, int64_t now_ms)
{
    bool hung =
        handle->watchdog_ms > 0 && mailbox_hung (&handle->mailbox, now_ms, handle->watchdog_ms);
    session_mute (handle->session, hung);
    return hung;
}

/* ---- One handle ------------------------------------------------------------------------------ */

static struct channel **channel_of (struct cohort *handle, uint32_t link)
{
    for (size_t i = 0; i < HANDLE_CHANNELS; i++) {
        if (handle->channels[i] != NULL && handle->channels[i]->link == link) {
            return &handle->channels[i];
        }
    }
    return NULL;
}

static void open_channel (struct cohort *handle, const struct session_command *command)
{
    for (size_t i = 0; i < HANDLE_CHANNELS; i++) {
        if (handle->channels[i] == NULL) {
            if (!atomic_load (&handle->faults.isolated)) {
                handle->channels[i] = channel_open (handle, command->link, command->endpoint);
            }
            if (handle->channels[i] == NULL) {
                session_link_down (handle->session, command->link, COHORT_ECONNECT,
                                   loop_now_ms (handle->loop));
            }
            return;
        }
    }
    COHORT_ASSERT (false);
}

static void close_channel (struct cohort *handle, uint32_t link)
{
    struct channel **channel = channel_of (handle, link);
    if (channel != NULL) {
        channel_close (*channel);
        *channel = NULL;
    }
}

/* Carries out what the session wants until it wants nothing more. */
static void run_outputs (struct cohort *handle)
{
    struct session_command command;
    bool more = true;
    while (more) {
        more = false;
        while (session_next_command (handle->session, &command)) {
            more = true;
            if (command.kind == SESSION_CONNECT) {
                open_channel (handle, &command);
            } else {
                close_channel (handle, command.link);
            }
        }
        for (size_t i = 0; i < HANDLE_CHANNELS; i++) {
            if (handle->channels[i] != NULL && channel_write (handle->channels[i])) {
                more = true;
            }
        }
    }
}

static void detach (struct cohort *handle)
{
    cohort_loop_t *loop = handle->loop;
    for (size_t i = 0; i < HANDLE_CHANNELS; i++) {
        if (handle->channels[i] != NULL) {
            channel_close (handle->channels[i]);
            handle->channels[i] = NULL;
        }
    }
    list_remove (&handle->in_loop);
    if (list_linked (&handle->touched)) {
        list_remove (&handle->touched);
    }
    if (heap_linked (&handle->deadline)) {
        heap_remove (&loop->deadlines, &handle->deadline);
    }
    if (list_linked (&handle->closing)) {
        list_remove (&handle->closing);
    }
    if (mailbox_finish (&handle->mailbox)) {
        handle_free (handle);
    }
}

static int64_t due_ms (const struct cohort *handle)
{
    int64_t session_ms = session_deadline (handle->session);
    int64_t timers_ms = mailbox_timers_ms (&handle->mailbox);
    return session_ms < timers_ms ? session_ms : timers_ms;
}

/* When the session is due, or a timer. While a connection takes nothing, what would be sent stays
 * due: it is looked at now and then, not all the time. */
static int64_t deadline_of (const struct cohort *handle, int64_t now_ms)
{
    int64_t deadline_ms = due_ms (handle);
    for (size_t i = 0; i < HANDLE_CHANNELS; i++) {
        const struct channel *channel = handle->channels[i];
        if (channel != NULL && channel_stuck (channel) && deadline_ms < now_ms + IO_STUCK_MS) {
            deadline_ms = now_ms + IO_STUCK_MS;
        }
    }
    return deadline_ms;
}

static void retry_by (cohort_loop_t *self, int64_t at_ms)
{
    if (self->retry_ms > at_ms) {
        self->retry_ms = at_ms;
    }
}

/* Notes when the handle is to be looked at. One that is noted for an earlier moment is moved when
 * that has come: most deadlines are put off again and again. */
static void note_deadline (struct cohort *handle, int64_t now_ms)
{
    struct heap *deadlines = &handle->loop->deadlines;
    int64_t deadline_ms = deadline_of (handle, now_ms);
    uint64_t key = deadline_ms > 0 ? (uint64_t) deadline_ms : 0;
    if (heap_linked (&handle->deadline)) {
        if (key < handle->deadline.key) {
            heap_move (deadlines, &handle->deadline, key);
        }
        return;
    }
    handle->deadline.key = key;
    if (!heap_insert (deadlines, &handle->deadline)) {
        handle->loop->astray = true;
        retry_by (handle->loop, now_ms + ASTRAY_MS);
    }
}

/* When something is due by itself; may be too early, never too late. */
static int64_t next_deadline_ms (const cohort_loop_t *self)
{
    const struct heap_node *first = heap_first (&self->deadlines);
    int64_t first_ms = first != NULL ? (int64_t) first->key : INT64_MAX;
    return first_ms < self->retry_ms ? first_ms : self->retry_ms;
}

/* The process after this one must be able to go on with the session before anything is done in its
 * name. */
static void keep_identity (struct cohort *handle)
{
    struct session_identity identity;
    char text[MAILBOX_TEXT_SIZE];
    if (handle->state_file == NULL || !session_take_identity (handle->session, &identity)) {
        return;
    }
    int rc = state_file_write (handle->state_file, &identity, handle->servers, text, sizeof (text));
    if (rc != COHORT_OK) {
        session_fail (handle->session, rc, text);
    }
}

/* Looks after a handle to which something has happened. */
static void serve (struct cohort *handle, int64_t now_ms)
{
    struct list events;
    list_init (&events);
    keep_identity (handle);
    run_outputs (handle);
    session_take_events (handle->session, &events);
    handle->loop->told = handle->loop->told || !list_empty (&events);
    struct session_view view;
    session_view (handle->session, &view);
    bool open = mailbox_publish (&handle->mailbox, &events, handle->received, &view, now_ms);
    handle->received = 0;
    bool changed = handle->paused == open;
    handle->paused = !open;
    for (size_t i = 0; i < HANDLE_CHANNELS && changed; i++) {
        if (handle->channels[i] != NULL) {
            channel_resume (handle->channels[i]);
        }
    }
    if (session_closed (handle->session)) {
        detach (handle);
        return;
    }
    note_deadline (handle, now_ms);
}

/* Takes what the application has submitted. */
static void take_outgoing (struct cohort *handle, int64_t now_ms)
{
    struct list outgoing;
    list_init (&outgoing);
    enum mailbox_end end = mailbox_collect (&handle->mailbox, &outgoing);
    struct list_node *node;
    while ((node = list_pop_front (&outgoing)) != NULL) {
        struct event *event = list_entry (node, struct event, node);
        if (event->kind == EVENT_RENEW) {
            /* Without memory the session stays LOST, and says so once more. */
            struct renew_event *renew = container_of (event, struct renew_event, event);
            int rc = session_renew (handle->session, &renew->random, now_ms);
            (void) rc;
            event_free (event);
        } else {
            session_enqueue (handle->session, container_of (event, struct request, event));
        }
    }
    if (end == MAILBOX_ABANDON) {
        session_close (handle->session, false, now_ms);
    } else if (end == MAILBOX_CLOSE && !list_linked (&handle->closing)) {
        session_close (handle->session, true, now_ms);
        handle->close_by_us = real_us () + CLOSE_MS * 1000;
        list_push_back (&handle->loop->closing, &handle->closing);
    }
}

/* Carries out what a test has asked for. */
static void obey_faults (struct cohort *handle)
{
    bool cut = faults_take_cut (&handle->faults);
    for (size_t i = 0; i < HANDLE_CHANNELS; i++) {
        if (handle->channels[i] != NULL && cut) {
            channel_cut (handle->channels[i]);
        } else if (handle->channels[i] != NULL) {
            channel_resume (handle->channels[i]);
        }
    }
}

/* ---- A turn ---------------------------------------------------------------------------------- */

static void tick (struct cohort *handle, int64_t now_ms)
{
    loop_watch (handle, now_ms);
    session_tick (handle->session, now_ms);
    loop_touch (handle);
}

static bool take_mailboxes (cohort_loop_t *self, struct list *mailboxes, int64_t now_ms)
{
    bool any = false;
    struct mailbox *mailbox;
    while ((mailbox = mailbox_pop (&self->exchange, mailboxes)) != NULL) {
        struct cohort *handle = container_of (mailbox, struct cohort, mailbox);
        if (!handle->attached) {
            handle->attached = true;
            list_push_back (&self->handles, &handle->in_loop);
        }
        obey_faults (handle);
        take_outgoing (handle, now_ms);
        tick (handle, now_ms);
        any = true;
    }
    return any;
}

/* Who drives the loop himself has the answers of one server at a time: what he asks for in return
 * leaves, and the server has work, while those of the next are read. */
static bool read_connections (cohort_loop_t *self, int64_t now_ms)
{
    struct list dirty;
    list_init (&dirty);
    list_splice_back (&dirty, &self->dirty);
    bool any = false, one = false;
    struct list_node *node;
    while (!one && (node = list_pop_front (&dirty)) != NULL) {
        bool read = connection_read (list_entry (node, struct connection, dirty), now_ms);
        any = any || read;
        one = read && !self->exchange.threaded;
    }
    self->unread = !list_empty (&dirty);
    list_splice_back (&dirty, &self->dirty);
    list_splice_back (&self->dirty, &dirty);
    return any;
}

/* What the turn has for each server leaves as one message. */
static bool flush_connections (cohort_loop_t *self, int64_t now_ms)
{
    struct list unsent;
    list_init (&unsent);
    list_splice_back (&unsent, &self->unsent);
    bool any = false;
    struct list_node *node;
    while ((node = list_pop_front (&unsent)) != NULL) {
        struct connection *connection = list_entry (node, struct connection, unsent);
        any = connection_flush (connection, now_ms) || any;
        if (connection->stuck) {
            connection_await (connection);
            retry_by (self, now_ms + IO_STUCK_MS);
        }
    }
    return any;
}

/* Handles that found no place among the deadlines: there may be one now. */
static bool run_astray (cohort_loop_t *self, int64_t now_ms)
{
    bool any = false;
    self->astray = false;
    for (struct list_node *at = list_first (&self->handles); at != NULL;
         at = list_next (&self->handles, at)) {
        struct cohort *handle = list_entry (at, struct cohort, in_loop);
        if (!heap_linked (&handle->deadline)) {
            tick (handle, now_ms);
            any = true;
        }
    }
    return any;
}

/* Ends those at once whose orderly end has taken too long. */
static bool run_closing (cohort_loop_t *self, int64_t now_ms)
{
    struct list_node *at = list_first (&self->closing);
    int64_t now_us = at != NULL ? real_us () : 0;
    bool any = false;
    for (; at != NULL; at = list_next (&self->closing, at)) {
        struct cohort *handle = list_entry (at, struct cohort, closing);
        if (handle->close_by_us > now_us) {
            break;
        }
        session_close (handle->session, false, now_ms);
        loop_touch (handle);
        any = true;
    }
    return any;
}

/* Ticks the sessions that are due, or that have timers which are: those alone are visited. What
 * they are due for next is noted when they are served. */
static bool run_timers (cohort_loop_t *self, int64_t now_ms)
{
    bool any = run_closing (self, now_ms);
    if (now_ms >= self->retry_ms) {
        self->retry_ms = INT64_MAX;
        any = (self->astray && run_astray (self, now_ms)) || any;
    }
    struct heap_node *first;
    while ((first = heap_first (&self->deadlines)) != NULL && (int64_t) first->key <= now_ms) {
        struct cohort *handle = container_of (first, struct cohort, deadline);
        int64_t deadline_ms = due_ms (handle);
        heap_move (&self->deadlines, first,
                   deadline_ms <= now_ms ? INT64_MAX : (uint64_t) deadline_ms);
        if (deadline_ms <= now_ms) {
            tick (handle, now_ms);
            any = true;
        }
    }
    return any;
}

/* Marks the connections whose descriptors are readable. */
static void poll_connections (cohort_loop_t *self, int64_t timeout_ms)
{
    struct epoll_event events[EPOLL_EVENTS_MAX];
    int limit = timeout_ms > 60000 ? 60000 : (int) timeout_ms;
    int count = epoll_wait (self->epoll_fd, events, EPOLL_EVENTS_MAX, limit);
    for (int i = 0; i < count; i++) {
        struct socket_watch *watch = events[i].data.ptr;
        if (watch != NULL) {
            watch->readable = true;
            watch->connection->stirred = true;
            connection_mark (watch->connection);
        }
    }
}

/* Does what is to be done; returns whether that was anything. */
static bool run_turn (cohort_loop_t *self)
{
    struct list mailboxes;
    list_init (&mailboxes);
    /* In this order: whoever waits for the loop to settle moved the clock before. */
    exchange_collect (&self->exchange, &mailboxes);
    int64_t now_ms = loop_now_ms (self);
    if (now_ms >= next_deadline_ms (self)) {
        /* After a pause of the whole process, what has arrived meanwhile speaks before the clock.
         */
        poll_connections (self, 0);
    }
    bool any = read_connections (self, now_ms);
    any = take_mailboxes (self, &mailboxes, now_ms) || any;
    any = run_timers (self, now_ms) || any;
    struct list_node *node;
    while ((node = list_pop_front (&self->touched)) != NULL) {
        serve (list_entry (node, struct cohort, touched), now_ms);
    }
    return flush_connections (self, now_ms) || any;
}

/* ---- Sleeping -------------------------------------------------------------------------------- */

/* When something is due by itself; INT64_MAX: nothing. Handles that close are looked at now and
 * then. */
static int64_t wake_ms (const cohort_loop_t *self)
{
    int64_t deadline_ms = next_deadline_ms (self);
    if (list_empty (&self->closing)) {
        return deadline_ms;
    }
    int64_t look_ms = loop_now_ms (self) + CLOSE_MS / 10;
    return deadline_ms < look_ms ? deadline_ms : look_ms;
}

/* Milliseconds until then, at most limit_ms; -1: nothing is due. */
static int64_t sleep_ms (const cohort_loop_t *self, int64_t limit_ms)
{
    int64_t due_ms = -1;
    int64_t at_ms = wake_ms (self);
    if (at_ms != INT64_MAX) {
        int64_t left = at_ms - loop_now_ms (self);
        due_ms = left > 0 ? left : 0;
    }
    if (limit_ms >= 0 && (due_ms < 0 || due_ms > limit_ms)) {
        due_ms = limit_ms;
    }
    return due_ms;
}

/* Turns until one does nothing, or there is something for who drives the loop before the next
 * server is heard; false: there would be more. */
static bool run_turns (cohort_loop_t *self, bool *any)
{
    self->told = false;
    for (int turns = 0; turns < DRIVE_TURNS_MAX; turns++) {
        if (!run_turn (self)) {
            return true;
        }
        *any = true;
        if (self->told && self->unread) {
            return false;
        }
    }
    return false;
}

static void drive (void *arg, int64_t timeout_ms)
{
    cohort_loop_t *self = arg;
    bool any = false;
    bool rest = run_turns (self, &any);
    if (rest && !any && exchange_sleep_begin (&self->exchange)) {
        poll_connections (self, sleep_ms (self, timeout_ms));
        exchange_sleep_end (&self->exchange);
        rest = run_turns (self, &any);
    }
    exchange_driven_until (&self->exchange, wake_ms (self), !rest);
}

/* ---- The public functions -------------------------------------------------------------------- */

static void end_orphan (void *arg)
{
    loop_free (arg);
}

static int open_context (cohort_loop_t *self, void *context)
{
    self->own_context = context == NULL;
    self->context = context != NULL ? context : zmq_ctx_new ();
    if (self->context == NULL) {
        return COHORT_ESYSTEM;
    }
    if (self->own_context) {
        zmq_ctx_set (self->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    }
    return COHORT_OK;
}

static int open_epoll (cohort_loop_t *self)
{
    self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    if (self->epoll_fd < 0) {
        return COHORT_ESYSTEM;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int rc = epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, self->exchange.wake_fd, &event);
    return rc == 0 ? COHORT_OK : COHORT_ESYSTEM;
}

int loop_new (const cohort_loop_options_t *given, cohort_loop_t **loop)
{
    cohort_loop_options_t options = {0};
    if (given != NULL) {
        if (given->size < sizeof (given->size) || given->size > sizeof (options)) {
            return COHORT_EINVAL;
        }
        memcpy (&options, given, given->size);
    }
    if (options.driver != COHORT_DRIVER_THREAD && options.driver != COHORT_DRIVER_NONE) {
        return COHORT_EINVAL;
    }
    cohort_loop_t *self = mem_calloc (1, sizeof (*self));
    if (self == NULL) {
        return COHORT_ENOMEM;
    }
    self->clock = options.clock != NULL ? options.clock : boot_clock;
    self->clock_arg = options.clock_arg;
    self->epoll_fd = -1;
    self->retry_ms = INT64_MAX;
    heap_init (&self->deadlines);
    list_init (&self->closing);
    list_init (&self->handles);
    list_init (&self->touched);
    list_init (&self->dirty);
    list_init (&self->connections);
    list_init (&self->unsent);
    bool threaded = options.driver == COHORT_DRIVER_THREAD;
    int rc = exchange_init (&self->exchange, threaded, drive, end_orphan, self);
    if (rc != COHORT_OK) {
        mem_free (self);
        return rc;
    }
    rc = open_epoll (self);
    rc = rc == COHORT_OK ? open_context (self, options.zmq_context) : rc;
    rc = rc == COHORT_OK && threaded ? exchange_start (&self->exchange) : rc;
    if (rc != COHORT_OK) {
        loop_free (self);
        return rc;
    }
    *loop = self;
    return COHORT_OK;
}

void loop_free (cohort_loop_t *self)
{
    exchange_stop (&self->exchange);
    COHORT_ASSERT (list_empty (&self->handles));
    COHORT_ASSERT (list_empty (&self->connections));
    if (self->own_context && self->context != NULL) {
        zmq_ctx_term (self->context);
    }
    if (self->epoll_fd >= 0) {
        close (self->epoll_fd);
    }
    exchange_deinit (&self->exchange);
    heap_deinit (&self->deadlines);
    buf_deinit (&self->frame);
    mem_free (self);
}

cohort_loop_t *cohort_loop_new (const cohort_loop_options_t *options)
{
    cohort_loop_t *self = NULL;
    return loop_new (options, &self) == COHORT_OK ? self : NULL;
}

int cohort_loop_destroy (cohort_loop_t **self_p)
{
    if (self_p == NULL || *self_p == NULL) {
        return COHORT_OK;
    }
    int rc = exchange_wait_empty (&(*self_p)->exchange, EMPTY_MS);
    if (rc != COHORT_OK) {
        return COHORT_ESTATE;
    }
    loop_free (*self_p);
    *self_p = NULL;
    return COHORT_OK;
}

int cohort_loop_process (cohort_loop_t *self, int timeout_ms)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (self->exchange.threaded) {
        return COHORT_ESTATE;
    }
    exchange_process (&self->exchange, timeout_ms);
    return COHORT_OK;
}

int cohort_loop_fd (cohort_loop_t *self)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (self->exchange.threaded) {
        return COHORT_ESTATE;
    }
    exchange_observe (&self->exchange);
    return self->epoll_fd;
}

int cohort_loop_timeout (cohort_loop_t *self)
{
    if (self == NULL || self->exchange.threaded) {
        return -1;
    }
    int64_t deadline_ms = exchange_deadline (&self->exchange);
    if (deadline_ms == INT64_MAX) {
        return -1;
    }
    int64_t now_ms = loop_now_ms (self);
    int64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    return left_ms < INT_MAX ? (int) left_ms : INT_MAX;
}

int cohort_loop_settle (cohort_loop_t *self, int limit_ms)
{
    return self == NULL ? COHORT_EINVAL : exchange_settle (&self->exchange, limit_ms);
}
