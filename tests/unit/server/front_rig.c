/* A front of the clients' sockets and what it tells. */

#include "tests/unit/server/front_rig.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "tests/support/witness.h"

enum { DESCRIPTORS_MAX = 8 };

void *context;
struct front *front;
struct seen seen;
static size_t descriptors_count;
static struct pollfd descriptors[DESCRIPTORS_MAX];
static bool *descriptors_ready[DESCRIPTORS_MAX];

static void take_descriptor (void *arg, int fd, bool *ready)
{
    (void) arg;
    assert_in_range (descriptors_count, 0, DESCRIPTORS_MAX - 1);
    descriptors[descriptors_count] = (struct pollfd){.fd = fd, .events = POLLIN};
    descriptors_ready[descriptors_count++] = ready;
}

bool turn (int64_t now_ms)
{
    assert_in_range (poll (descriptors, descriptors_count, 0), 0, descriptors_count);
    for (size_t i = 0; i < descriptors_count; i++) {
        *descriptors_ready[i] |= descriptors[i].revents != 0;
    }
    return front_turn (front, now_ms);
}

void on_frame (void *arg, uint64_t connection, const uint8_t *data, size_t size)
{
    struct seen *self = arg;
    self->frames++;
    self->last_frame = connection;
    self->last_size = size;
    memcpy (self->last, data, size < sizeof self->last ? size : sizeof self->last);
    for (int i = 0; i < 2 && self->flood > 0; i++) {
        self->flood -= zmq_send (self->flooder, "x", 1, ZMQ_DONTWAIT) == 1;
    }
}

void on_closed (void *arg, uint64_t connection)
{
    struct seen *self = arg;
    self->closed++;
    self->last_closed = connection;
    self->frames_at_close = self->frames;
}

static void on_line (void *arg, enum log_level level, const char *event, const char *details)
{
    struct seen *self = arg;
    (void) level;
    self->lines++;
    (void) snprintf (self->last_line, sizeof self->last_line, "%s %s", event, details);
}

void open_front (const char *endpoints)
{
    char error[256] = "";
    struct front_options options = {.context = context,
                                    .endpoints = endpoints,
                                    .handler = {&seen, on_frame, on_closed},
                                    .logger = {.fn = on_line, .arg = &seen, .level = LOG_WARNING}};
    memset (&seen, 0, sizeof seen);
    assert_int_equal (front_new (&options, &front, error, sizeof error), 0);
    assert_string_equal (error, "");
    descriptors_count = 0;
    front_descriptors (front, take_descriptor, NULL);
}

int set_up (void **state)
{
    (void) state;
    context = zmq_ctx_new ();
    return context ? 0 : -1;
}

int tear_down (void **state)
{
    (void) state;
    front_destroy (&front);
    return zmq_ctx_term (context);
}

void *dealer (void *its_context, const char *endpoint)
{
    int zero = 0;
    void *socket = zmq_socket (its_context, ZMQ_DEALER);
    assert_non_null (socket);
    assert_int_equal (zmq_setsockopt (socket, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal (zmq_connect (socket, endpoint), 0);
    return socket;
}

void turn_until (const uint64_t *counter, uint64_t value)
{
    int64_t limit = witness_now_ms () + LIMIT_MS;
    while (*counter < value) {
        assert_true (witness_now_ms () < limit);
        (void) turn (witness_now_ms ());
    }
    assert_int_equal (*counter, value);
}
