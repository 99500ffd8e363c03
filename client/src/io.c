/* Connections: DEALERs and their monitors. May include: handle, libzmq, epoll, base, libc. */

#include "client/src/io.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/secret.h"
#include "client/src/handle.h"
#include "client/src/message.h"

/* Messages taken from one connection in one turn, so that no server starves the others of a loop.
 */
#define READ_MESSAGES_MAX 128
/* A frame of so many bytes is read where it lies, if it is half of its message: it is worth more
 * than what holding the rest costs. */
#define SHARED_BYTES_MIN 4096
/* A listener that accepts and never greets. */
#define HANDSHAKE_MS 500
/* A connection that owes an answer for so long is shared with nobody else: whoever tries its server
 * again does so on a fresh one. */
#define SILENT_MS 500
#define MONITOR_EVENTS                                                                             \
    (ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |                   \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
/* An event and, in a second part, the endpoint. */
#define MONITOR_EVENT_SIZE 6

/* ---- Opening and closing --------------------------------------------------------------------- */

static bool set_int (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof (value)) == 0;
}

static bool set_keys (void *dealer, const struct channel_keys *keys)
{
    return zmq_setsockopt (dealer, ZMQ_CURVE_SERVERKEY, keys->server, 41) == 0 &&
           zmq_setsockopt (dealer, ZMQ_CURVE_PUBLICKEY, keys->public, 41) == 0 &&
           zmq_setsockopt (dealer, ZMQ_CURVE_SECRETKEY, keys->secret, 41) == 0;
}

static bool set_options (struct connection *self)
{
    void *dealer = self->dealer;
    bool good = set_int (dealer, ZMQ_RECONNECT_IVL, -1) && set_int (dealer, ZMQ_IMMEDIATE, 1) &&
                set_int (dealer, ZMQ_LINGER, 0) &&
                set_int (dealer, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    if (self->inproc) {
        /* A pipe that is never full: not writable then means gone. What goes into it is bounded by
         * the window, the credit and the requests in flight. */
        return good && set_int (dealer, ZMQ_SNDHWM, 0);
    }
    if (good && strchr (self->endpoint, '[') != NULL) {
        good = set_int (dealer, ZMQ_IPV6, 1);
    }
    return good && (!self->encrypted || set_keys (dealer, &self->keys));
}

/* The monitor's end must be connected before anything happens, and without a limit: unread events
 * would stop the I/O thread of the whole context. */
static bool open_monitor (struct connection *self)
{
    cohort_loop_t *loop = self->loop;
    char name[64];
    snprintf (name, sizeof (name), "inproc://cohort-monitor-%p-%" PRIu64, (void *) loop,
              ++loop->monitors);
    self->monitor = zmq_socket (loop->context, ZMQ_PAIR);
    return self->monitor != NULL && set_int (self->monitor, ZMQ_RCVHWM, 0) &&
           set_int (self->monitor, ZMQ_LINGER, 0) &&
           zmq_socket_monitor (self->dealer, name, MONITOR_EVENTS) == 0 &&
           zmq_connect (self->monitor, name) == 0;
}

static bool watch_socket (struct connection *self, void *socket, struct socket_watch *watch)
{
    size_t size = sizeof (watch->fd);
    if (zmq_getsockopt (socket, ZMQ_FD, &watch->fd, &size) != 0) {
        watch->fd = -1;
        return false;
    }
    watch->connection = self;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    if (epoll_ctl (self->loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0) {
        watch->fd = -1;
        return false;
    }
    return true;
}

/* Whether a new channel may use it. */
static bool has_keys (const struct connection *self, const struct channel_keys *keys)
{
    return self->encrypted == (keys != NULL) &&
           (keys == NULL || memcmp (&self->keys, keys, sizeof (*keys)) == 0);
}

static bool is_sound (const struct connection *self, int64_t now_ms)
{
    return !self->down && !(self->owes && now_ms - self->owed_ms >= SILENT_MS) &&
           map_count (&self->channels) < BUNDLE_CHANNELS_MAX && self->last_channel < UINT32_MAX;
}

static struct connection *find (cohort_loop_t *loop, const char *endpoint,
                                const struct channel_keys *keys, int64_t now_ms)
{
    for (struct list_node *at = list_first (&loop->connections); at != NULL;
         at = list_next (&loop->connections, at)) {
        struct connection *self = list_entry (at, struct connection, in_loop);
        if (is_sound (self, now_ms) && strcmp (self->endpoint, endpoint) == 0 &&
            has_keys (self, keys)) {
            return self;
        }
    }
    return NULL;
}

static bool begin (struct connection *self)
{
    self->dealer = zmq_socket (self->loop->context, ZMQ_DEALER);
    bool good = self->dealer != NULL && set_options (self);
    if (good && !self->inproc) {
        good = open_monitor (self) && watch_socket (self, self->monitor, &self->monitor_watch);
    }
    /* Only a look that finds nothing makes the descriptor tell of what comes. */
    self->monitor_watch.readable = true;
    return good && watch_socket (self, self->dealer, &self->dealer_watch) &&
           zmq_connect (self->dealer, self->endpoint) == 0;
}

struct connection *connection_get (cohort_loop_t *loop, const char *endpoint,
                                   const struct channel_keys *keys, int64_t now_ms)
{
    struct connection *self = find (loop, endpoint, keys, now_ms);
    if (self != NULL) {
        return self;
    }
    self = mem_calloc (1, sizeof (*self));
    if (self == NULL) {
        return NULL;
    }
    self->loop = loop;
    snprintf (self->endpoint, sizeof (self->endpoint), "%s", endpoint);
    self->encrypted = keys != NULL;
    if (keys != NULL) {
        self->keys = *keys;
    }
    self->inproc = strncmp (endpoint, "inproc:", 7) == 0;
    self->dealer_watch.fd = self->monitor_watch.fd = -1;
    self->owes = true;
    self->owed_ms = now_ms;
    map_init (&self->channels);
    list_init (&self->fresh);
    list_push_back (&loop->connections, &self->in_loop);
    if (!begin (self)) {
        connection_close (self);
        return NULL;
    }
    connection_mark (self);
    return self;
}

static void unwatch_fd (cohort_loop_t *loop, int fd)
{
    if (fd >= 0) {
        epoll_ctl (loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    }
}

/* The server shall know at once; zmq_close leaves it to the leisure of libzmq's reaper. */
static void leave_inproc (void *dealer)
{
    char endpoint[HOSTS_ENDPOINT_MAX + 1];
    size_t size = sizeof (endpoint);
    if (zmq_getsockopt (dealer, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0 && size > 1) {
        zmq_disconnect (dealer, endpoint);
    }
}

static void leave_list (struct list_node *node)
{
    if (list_linked (node)) {
        list_remove (node);
    }
}

void connection_close (struct connection *self)
{
    COHORT_ASSERT (map_count (&self->channels) == 0);
    leave_list (&self->dirty);
    leave_list (&self->unsent);
    leave_list (&self->in_loop);
    unwatch_fd (self->loop, self->dealer_watch.fd);
    unwatch_fd (self->loop, self->monitor_watch.fd);
    if (self->monitor != NULL) {
        /* In this order: a PAIR that is closed while its monitor is on hangs the I/O thread. */
        zmq_socket_monitor (self->dealer, NULL, 0);
        zmq_close (self->monitor);
    }
    if (self->dealer != NULL) {
        if (self->inproc) {
            leave_inproc (self->dealer);
        }
        zmq_close (self->dealer);
    }
    secret_wipe (self->out.buf.data, self->secret ? self->out.buf.size : 0);
    secret_wipe (&self->keys, sizeof (self->keys));
    bundle_deinit (&self->out);
    buf_deinit (&self->ended);
    map_deinit (&self->channels);
    mem_free (self);
}

void connection_mark (struct connection *self)
{
    if (!list_linked (&self->dirty)) {
        list_push_back (&self->loop->dirty, &self->dirty);
    }
}

bool channel_key_valid (const char *key)
{
    uint8_t decoded[32];
    return strlen (key) == 40 && zmq_z85_decode (decoded, key) != NULL;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static struct channel *channel_at (struct map_node *node)
{
    return node != NULL ? map_entry (node, struct channel, node) : NULL;
}

static void set_up (struct connection *self)
{
    if (self->up || self->down) {
        return;
    }
    self->up = true;
    self->owes = false;
    for (struct map_node *at = map_first (&self->channels); at != NULL;
         at = map_next (&self->channels, at)) {
        channel_tell_up (channel_at (at));
    }
}

static void set_down (struct connection *self, int rc)
{
    if (self->down) {
        return;
    }
    self->down = true;
    self->down_rc = rc;
    for (struct map_node *at = map_first (&self->channels); at != NULL;
         at = map_next (&self->channels, at)) {
        channel_tell_down (channel_at (at), rc);
    }
}

static bool is_it (const struct map_node *node, const void *key)
{
    /* The hash is the whole key, and it was compared. */
    (void) node;
    (void) key;
    return true;
}

static struct channel *channel_find (const struct connection *self, uint32_t number)
{
    return channel_at (map_find (&self->channels, number, is_it, NULL));
}

/* What is no bundle is for all: an empty one is a server's probe whether the connection stands;
 * another says what is wrong with this client, or is of another protocol; the sessions know what to
 * make of it. What comes for a channel that has ended counts no
 * more. */
static void take_message (struct connection *self, const void *data, size_t size,
                          struct shared *shared)
{
    struct reader reader;
    struct letter letter;
    size_t letters;
    self->owes = false;
    if (!bundle_open (&reader, data, size, &letters)) {
        for (struct map_node *at = map_first (&self->channels); at != NULL;
             at = map_next (&self->channels, at)) {
            channel_take (channel_at (at), data, size, NULL);
        }
        return;
    }
    while (bundle_next (&reader, &letter)) {
        struct channel *channel = channel_find (self, letter.channel);
        if (channel != NULL) {
            channel_take (channel, letter.data, letter.size,
                          letter.size >= size / 2 ? shared : NULL);
        }
    }
}

static void take_large_message (struct connection *self, zmq_msg_t *message)
{
    struct message *kept = message_take (message);
    if (kept == NULL) {
        take_message (self, zmq_msg_data (message), zmq_msg_size (message), NULL);
        return;
    }
    take_message (self, zmq_msg_data (&kept->content), zmq_msg_size (&kept->content),
                  &kept->shared);
    shared_release (&kept->shared);
}

static bool is_read (const struct connection *self)
{
    return self->blocked < map_count (&self->channels);
}

/* Takes messages until there are none, or enough for one turn; returns how many. */
static size_t read_messages (struct connection *self)
{
    size_t count = 0;
    zmq_msg_t message;
    zmq_msg_init (&message);
    for (; count < READ_MESSAGES_MAX && is_read (self); count++) {
        if (zmq_msg_recv (&message, self->dealer, ZMQ_DONTWAIT) < 0) {
            break;
        }
        if (zmq_msg_size (&message) < SHARED_BYTES_MIN) {
            take_message (self, zmq_msg_data (&message), zmq_msg_size (&message), NULL);
        } else {
            take_large_message (self, &message);
        }
    }
    zmq_msg_close (&message);
    if (count == READ_MESSAGES_MAX) {
        connection_mark (self);
    }
    return count;
}

static void take_monitor_event (struct connection *self, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        set_up (self);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        set_down (self, COHORT_EAUTHFAILED);
        break;
    default:
        set_down (self, COHORT_ECONNECT);
        break;
    }
}

/* It only receives: its last look has emptied it, and what has come since makes its descriptor
 * readable. */
static size_t read_monitor (struct connection *self)
{
    size_t count = 0;
    if (!self->monitor_watch.readable) {
        return 0;
    }
    self->monitor_watch.readable = false;
    zmq_msg_t message;
    zmq_msg_init (&message);
    while (zmq_msg_recv (&message, self->monitor, ZMQ_DONTWAIT) >= 0) {
        /* The first part is the event, in the machine's byte order; the second the address. */
        if (zmq_msg_more (&message) && zmq_msg_size (&message) == MONITOR_EVENT_SIZE) {
            uint16_t event;
            memcpy (&event, zmq_msg_data (&message), sizeof (event));
            take_monitor_event (self, event);
            count++;
        }
    }
    zmq_msg_close (&message);
    return count;
}

static bool read_inproc_events (struct connection *self)
{
    int events = 0;
    size_t size = sizeof (events);
    if (zmq_getsockopt (self->dealer, ZMQ_EVENTS, &events, &size) != 0) {
        return false;
    }
    bool any = false;
    if ((events & ZMQ_POLLIN) != 0 && is_read (self) && !self->down) {
        /* It came since the last receive; having looked has used up its wake-up. */
        connection_mark (self);
        any = true;
    }
    if ((events & ZMQ_POLLOUT) != 0 && !self->up) {
        set_up (self);
        return true;
    }
    if ((events & ZMQ_POLLOUT) == 0 && (events & ZMQ_POLLIN) == 0 && !self->down) {
        set_down (self, COHORT_ECONNECT);
        return true;
    }
    return any;
}

static bool refresh_channels (struct connection *self)
{
    struct list fresh;
    list_init (&fresh);
    list_splice_back (&fresh, &self->fresh);
    bool any = !list_empty (&fresh);
    struct list_node *node;
    while ((node = list_pop_front (&fresh)) != NULL) {
        channel_refresh (list_entry (node, struct channel, fresh));
    }
    return any;
}

bool connection_read (struct connection *self, int64_t now_ms)
{
    bool any = refresh_channels (self);
    /* All that has arrived, and only then what became of the connection that it came on. */
    size_t count = read_messages (self);
    if (count == READ_MESSAGES_MAX) {
        return true;
    }
    if (self->stuck && self->stirred) {
        self->tried_ms = now_ms - IO_STUCK_MS; /* at the end of this turn */
    }
    any = count > 0 || any;
    return (self->monitor != NULL ? read_monitor (self) > 0 : read_inproc_events (self)) || any;
}

/* ---- Writing --------------------------------------------------------------------------------- */

void connection_await (struct connection *self)
{
    if (!list_linked (&self->unsent)) {
        list_push_back (&self->loop->unsent, &self->unsent);
    }
}

/* No heartbeat leaves in the name of an application that hangs, and it may have begun to since its
 * frame was put: that waits with its channel, and the others' letters go. */
static void sieve (struct connection *self, int64_t now_ms)
{
    struct bundle rest = {.letters = 0};
    struct reader reader;
    struct letter letter;
    size_t letters;
    bool sound = bundle_open (&reader, self->out.buf.data, self->out.buf.size, &letters);
    COHORT_ASSERT (sound);
    bool any = false;
    for (struct reader look = reader; !any && bundle_next (&look, &letter);) {
        struct channel *channel = channel_find (self, letter.channel);
        any = channel != NULL && channel_hung (channel, now_ms);
    }
    if (!any) {
        return;
    }
    buf_reserve (&rest.buf, self->out.buf.size);
    while (bundle_next (&reader, &letter)) {
        struct channel *channel = channel_find (self, letter.channel);
        bool hung = channel != NULL && channel_hung (channel, now_ms);
        bundle_put (hung ? &channel->kept : &rest, letter.channel, letter.data, letter.size);
        if (hung && channel->kept.buf.failed) {
            channel_cut (channel);
        }
    }
    secret_wipe (self->out.buf.data, self->secret ? self->out.buf.size : 0);
    bundle_deinit (&self->out);
    self->out = rest;
}

/* The ends that are still to be said: behind all that was said before. */
static void put_ended (struct connection *self)
{
    size_t at = 0;
    while (at < self->ended.size && !bundle_full (&self->out)) {
        bundle_put (&self->out, bytes_get_u32 (self->ended.data + at), NULL, 0);
        at += sizeof (uint32_t);
    }
    memmove (self->ended.data, self->ended.data + at, self->ended.size - at);
    buf_truncate (&self->ended, self->ended.size - at);
}

/* Each channel may have more, and had no room for it. */
static void unstick (struct connection *self)
{
    for (struct map_node *at = map_first (&self->channels); at != NULL && self->stuck;
         at = map_next (&self->channels, at)) {
        loop_touch (channel_at (at)->handle);
    }
    self->stuck = false;
}

/* Whether the message is out. */
static bool send_out (struct connection *self, bool answered, int64_t now_ms)
{
    connection_mark (self);
    self->tried_ms = now_ms;
    self->stirred = false;
    int rc = zmq_send (self->dealer, self->out.buf.data, self->out.buf.size, ZMQ_DONTWAIT);
    if (rc < 0) {
        self->stuck = true;
        return false;
    }
    unstick (self);
    if (!self->owes && answered) {
        self->owes = true;
        self->owed_ms = now_ms;
    }
    secret_wipe (self->out.buf.data, self->secret ? self->out.buf.size : 0);
    self->secret = false;
    bundle_clear (&self->out);
    return true;
}

/* A frame that is lost is the end of its connection, and so is an end that is not told. */
static bool lacks_memory (struct connection *self)
{
    if (!self->out.buf.failed && !self->ended.failed) {
        return false;
    }
    set_down (self, COHORT_ECONNECT);
    return true;
}

bool connection_flush (struct connection *self, int64_t now_ms)
{
    if (self->stuck && now_ms - self->tried_ms < IO_STUCK_MS) {
        return false;
    }
    bool tried = false, was_down = self->down;
    for (;;) {
        bool answered = self->out.letters > 0;
        if (!self->down && !lacks_memory (self) && self->stuck && self->watched > 0) {
            sieve (self, now_ms);
        }
        if (!self->down && !self->stuck && self->ended.size > 0) {
            put_ended (self);
        }
        if (self->down || lacks_memory (self) || self->out.letters == 0) {
            leave_list (&self->unsent);
            unstick (self);
            return tried || self->down != was_down;
        }
        tried = true;
        if (!send_out (self, answered, now_ms)) {
            connection_await (self);
            return true;
        }
    }
}

bool connection_room (struct connection *self, int64_t now_ms)
{
    if (!self->down && !self->stuck && bundle_full (&self->out)) {
        connection_flush (self, now_ms);
    }
    return !self->down && !self->stuck;
}

void connection_put (struct connection *self, uint32_t channel, const struct buf *frame,
                     bool secret, bool at_once, int64_t now_ms)
{
    COHORT_ASSERT (!self->stuck);
    bundle_put (&self->out, channel, frame->data, frame->size);
    connection_await (self);
    self->secret |= secret;
    if (at_once) {
        connection_flush (self, now_ms);
    }
}

bool connection_put_all (struct connection *self, struct bundle *letters, int64_t now_ms)
{
    if (self->out.letters > 0) {
        connection_flush (self, now_ms);
    }
    if (self->down || self->stuck) {
        return false;
    }
    COHORT_ASSERT (self->out.letters == 0);
    bundle_deinit (&self->out);
    self->out = *letters;
    *letters = (struct bundle){.letters = 0};
    connection_await (self);
    return true;
}

void connection_end (struct connection *self, uint32_t channel, int64_t now_ms)
{
    buf_u32 (&self->ended, channel);
    connection_await (self);
    if (self->inproc) {
        connection_flush (self, now_ms); /* the server shall know at once */
    }
}
