/* DEALERs and their monitors. May include: handle, libzmq, epoll, base, libc. */

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

/* Frames taken from one channel in one turn, so that no server starves the others of a loop. */
#define READ_FRAMES_MAX 128
/* A listener that accepts and never greets. */
#define HANDSHAKE_MS 500
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

static bool set_options (struct channel *self, const char *endpoint)
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
    if (good && strchr (endpoint, '[') != NULL) {
        good = set_int (dealer, ZMQ_IPV6, 1);
    }
    return good && (!self->handle->encrypted || set_keys (dealer, &self->handle->keys));
}

/* The monitor's end must be connected before anything happens, and without a limit: unread events
 * would stop the I/O thread of the whole context. */
static bool open_monitor (struct channel *self, cohort_loop_t *loop)
{
    char name[64];
    snprintf (name, sizeof (name), "inproc://cohort-monitor-%p-%" PRIu64, (void *) loop,
              ++loop->monitors);
    self->monitor = zmq_socket (loop->context, ZMQ_PAIR);
    return self->monitor != NULL && set_int (self->monitor, ZMQ_RCVHWM, 0) &&
           set_int (self->monitor, ZMQ_LINGER, 0) &&
           zmq_socket_monitor (self->dealer, name, MONITOR_EVENTS) == 0 &&
           zmq_connect (self->monitor, name) == 0;
}

static bool watch_fd (cohort_loop_t *loop, struct channel *self, void *socket, int *fd)
{
    size_t size = sizeof (*fd);
    if (zmq_getsockopt (socket, ZMQ_FD, fd, &size) != 0) {
        *fd = -1;
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};
    if (epoll_ctl (loop->epoll_fd, EPOLL_CTL_ADD, *fd, &event) != 0) {
        *fd = -1;
        return false;
    }
    return true;
}

struct channel *channel_open (struct cohort *handle, uint32_t link, const char *endpoint)
{
    cohort_loop_t *loop = handle->loop;
    struct channel *self = mem_calloc (1, sizeof (*self));
    if (self == NULL) {
        return NULL;
    }
    self->handle = handle;
    self->link = link;
    self->dealer_fd = self->monitor_fd = -1;
    self->inproc = strncmp (endpoint, "inproc:", 7) == 0;
    self->dealer = zmq_socket (loop->context, ZMQ_DEALER);
    bool good = self->dealer != NULL && set_options (self, endpoint);
    if (good && !self->inproc) {
        good = open_monitor (self, loop) && watch_fd (loop, self, self->monitor, &self->monitor_fd);
    }
    good = good && watch_fd (loop, self, self->dealer, &self->dealer_fd) &&
           zmq_connect (self->dealer, endpoint) == 0;
    if (!good) {
        channel_close (self);
        return NULL;
    }
    channel_mark (self);
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

void channel_close (struct channel *self)
{
    cohort_loop_t *loop = self->handle->loop;
    if (list_linked (&self->dirty)) {
        list_remove (&self->dirty);
    }
    unwatch_fd (loop, self->dealer_fd);
    unwatch_fd (loop, self->monitor_fd);
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
    secret_wipe (self->frame.data, self->secret ? self->frame.size : 0);
    buf_deinit (&self->frame);
    buf_deinit (&self->held);
    mem_free (self);
}

void channel_mark (struct channel *self)
{
    if (!list_linked (&self->dirty)) {
        list_push_back (&self->handle->loop->dirty, &self->dirty);
    }
}

bool channel_key_valid (const char *key)
{
    uint8_t decoded[32];
    return strlen (key) == 40 && zmq_z85_decode (decoded, key) != NULL;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void tell_up (struct channel *self)
{
    if (!self->up && !self->down) {
        self->up = true;
        session_link_up (self->handle->session, self->link, loop_now_ms (self->handle->loop));
    }
}

static void tell_down (struct channel *self, int rc)
{
    if (!self->down) {
        self->down = true;
        session_link_down (self->handle->session, self->link, rc, loop_now_ms (self->handle->loop));
    }
}

void channel_cut (struct channel *self)
{
    tell_down (self, COHORT_ECONNECT);
}

/* Hands a frame to the session, unless a test wants otherwise. Returns whether to go on. */
static bool deliver (struct channel *self, const void *data, size_t size)
{
    switch (faults_judge (&self->handle->faults, data, size)) {
    case FAULTS_PASS:
        self->handle->received += size;
        session_frame (self->handle->session, self->link, data, size,
                       loop_now_ms (self->handle->loop));
        return true;
    case FAULTS_HOLD:
        if (!self->holding) {
            buf_clear (&self->held);
            buf_append (&self->held, data, size);
            self->holding = true;
        }
        return false;
    default:
        channel_cut (self);
        return false;
    }
}

/* What was held back goes first. Returns whether there may be more. */
static bool deliver_held (struct channel *self)
{
    if (!self->holding) {
        return true;
    }
    if (self->held.failed || !deliver (self, self->held.data, self->held.size)) {
        return false;
    }
    self->holding = false;
    return true;
}

/* Takes frames until there are none, or enough for one turn; returns how many. */
static size_t read_frames (struct channel *self)
{
    size_t count = 0;
    zmq_msg_t message;
    zmq_msg_init (&message);
    bool more = deliver_held (self);
    for (; more && count < READ_FRAMES_MAX && !self->handle->paused; count++) {
        if (zmq_msg_recv (&message, self->dealer, ZMQ_DONTWAIT) < 0) {
            break;
        }
        more = deliver (self, zmq_msg_data (&message), zmq_msg_size (&message));
    }
    zmq_msg_close (&message);
    if (count == READ_FRAMES_MAX) {
        channel_mark (self);
    }
    return count;
}

static void take_monitor_event (struct channel *self, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        tell_up (self);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        tell_down (self, COHORT_EAUTHFAILED);
        break;
    default:
        tell_down (self, COHORT_ECONNECT);
        break;
    }
}

static size_t read_monitor (struct channel *self)
{
    size_t count = 0;
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

bool channel_read (struct channel *self)
{
    /* All that has arrived, and only then what became of the connection that it came on. */
    size_t count = read_frames (self);
    if (count == READ_FRAMES_MAX) {
        return true;
    }
    if (self->monitor != NULL) {
        return count + read_monitor (self) > 0;
    }
    int events = 0;
    size_t size = sizeof (events);
    if (zmq_getsockopt (self->dealer, ZMQ_EVENTS, &events, &size) != 0) {
        return count > 0;
    }
    if ((events & ZMQ_POLLIN) != 0 && !self->handle->paused && !self->holding && !self->down) {
        /* It came since the last receive; having looked has used up its wake-up. */
        channel_mark (self);
        count++;
    }
    if ((events & ZMQ_POLLOUT) != 0 && !self->up) {
        tell_up (self);
        count++;
    } else if ((events & ZMQ_POLLOUT) == 0 && (events & ZMQ_POLLIN) == 0 && !self->down) {
        tell_down (self, COHORT_ECONNECT);
        count++;
    }
    return count > 0;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Whether the frame is out. */
static bool send_frame (struct channel *self)
{
    channel_mark (self);
    int rc = zmq_send (self->dealer, self->frame.data, self->frame.size, ZMQ_DONTWAIT);
    self->stuck = rc < 0;
    if (self->secret && rc >= 0) {
        secret_wipe (self->frame.data, self->frame.size);
    }
    return rc >= 0;
}

bool channel_write (struct channel *self)
{
    struct cohort *handle = self->handle;
    bool any = false;
    for (;;) {
        int64_t now_ms = loop_now_ms (handle->loop);
        bool hung = loop_watch (handle, now_ms);
        if (self->stuck && (hung || !send_frame (self))) {
            /* A heartbeat may be in it: it too waits for an application that lives. */
            return any;
        }
        buf_clear (&self->frame);
        if (!session_next_frame (handle->session, self->link, &self->frame, now_ms)) {
            return any;
        }
        any = true;
        self->secret = session_frame_secret (handle->session);
        if (!send_frame (self)) {
            return any;
        }
    }
}
