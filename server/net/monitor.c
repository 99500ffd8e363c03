/*
 * server/net/monitor.c - the events of one ZeroMQ socket
 */
#include "server/net/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "client/base/assert.h"

enum { UNBIND_MS = 1000 }; /* when the I/O thread is given up */

int monitor_open (struct monitor *self, void *context, void *socket, int events)
{
    char endpoint[64];
    int none = 0;

    self->watched = socket;
    self->pair = NULL;
    self->ready = true;
    /* The address of the watched socket is unique among those that are open. */
    (void) snprintf (endpoint, sizeof endpoint, "inproc://monitor-%" PRIxPTR, (uintptr_t) socket);
    if (zmq_socket_monitor (socket, endpoint, events) != 0) {
        return -zmq_errno ();
    }
    self->pair = zmq_socket (context, ZMQ_PAIR);
    if (!self->pair) {
        int error = zmq_errno ();
        (void) zmq_socket_monitor (socket, NULL, 0);
        return -error;
    }
    if (zmq_setsockopt (self->pair, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt (self->pair, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_connect (self->pair, endpoint) != 0) {
        int error = zmq_errno ();
        monitor_close (self);
        return -error;
    }
    return 0;
}

/* Each event has two parts: number and value, and the address, which we do not need. */
bool monitor_next (struct monitor *self, struct monitor_event *event)
{
    uint8_t head[6];
    int more = 0;
    size_t more_size = sizeof more;

    if (!self->pair) {
        return false;
    }
    int size = zmq_recv (self->pair, head, sizeof head, ZMQ_DONTWAIT);
    if (size < 0) {
        return false;
    }
    COHORT_ASSERT (size == (int) sizeof head);
    memcpy (&event->event, head, sizeof event->event);
    memcpy (&event->value, head + sizeof event->event, sizeof event->value);
    while (zmq_getsockopt (self->pair, ZMQ_RCVMORE, &more, &more_size) == 0 && more) {
        if (zmq_recv (self->pair, NULL, 0, 0) < 0) {
            break;
        }
    }
    return true;
}

void monitor_unbind (struct monitor *self, const char *endpoint)
{
    struct monitor_event event = {0};
    zmq_pollitem_t wait = {.socket = self->pair, .events = ZMQ_POLLIN};

    if (self->pair && zmq_unbind (self->watched, endpoint) == 0) {
        while (event.event != ZMQ_EVENT_CLOSED && zmq_poll (&wait, 1, UNBIND_MS) > 0) {
            (void) monitor_next (self, &event);
        }
    }
}

void monitor_close (struct monitor *self)
{
    if (self->pair) {
        (void) zmq_socket_monitor (self->watched, NULL, 0);
        (void) zmq_close (self->pair);
        self->pair = NULL;
    }
}
