/*
 * server/net/monitor.h - the events of one ZeroMQ socket
 *
 * A monitor's PAIR has no high-water mark (an unread monitor would block the I/O thread), is
 * connected before the watched socket binds or connects (zmq_bind would hang), and the monitor
 * is switched off before the PAIR is closed (the I/O thread would hang).
 */
#ifndef SERVER_NET_MONITOR_H
#define SERVER_NET_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

struct monitor {
    void *watched; /* the socket that is watched */
    void *pair;    /* NULL: closed */
    bool ready;    /* its descriptor was readable: to be set by whoever waits on that */
};

struct monitor_event {
    uint16_t event; /* ZMQ_EVENT_... */
    int32_t value;  /* descriptor, or an error number, as the event has it */
};

/* Watches `socket` for `events` from now on.  0, or -errno. */
int monitor_open (struct monitor *self, void *context, void *socket, int events);

/* The next event that waits; never blocks. */
bool monitor_next (struct monitor *self, struct monitor_event *event);

/* Gives up what the watched socket is bound to, which is not inproc; when it returns another socket
 * can bind it.  zmq_close alone would leave that to the I/O thread's leisure.  ZMQ_EVENT_CLOSED is
 * among the events watched for; those that wait are lost. */
void monitor_unbind (struct monitor *self, const char *endpoint);

/* Before the watched socket is closed.  May be called again. */
void monitor_close (struct monitor *self);

#endif
