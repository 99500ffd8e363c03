/* One connection to one server: a DEALER that lives for that connection, and its monitor.
 *
 * The sessions of a loop share it, each as a channel (client/base/bundle.h, channel.h): what a turn
 * of the loop has for one server leaves as one message, and arrives so. docs/zeromq.md has the
 * reasons for the rest: no reconnects by libzmq, no queue without a connection, never a blocking
 * call, a fresh socket each time, and a monitor that is always read. inproc has no monitor events:
 * there the connection stands at once, and has ended when nothing can be written, for its pipe is
 * never full. May include: handle (io.c only), channel, libzmq, base, libc. */

#ifndef COHORT_CLIENT_IO_H
#define COHORT_CLIENT_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/bundle.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "client/src/hosts.h"

/* How often a message is tried that the socket does not take, and a session looked at whose
 * connection takes nothing. */
#define IO_STUCK_MS 10

struct cohort_loop;

/* CURVE keys in Z85, terminated. */
struct channel_keys {
    char server[41], public[41], secret[41];
};

struct connection;

/* A socket's descriptor among those that the loop waits for. */
struct socket_watch {
    struct connection *connection;
    int fd;        /* -1: none */
    bool readable; /* as epoll has said since it was looked at last */
};

struct connection {
    struct list_node in_loop;
    struct list_node dirty;  /* in the loop's list */
    struct list_node unsent; /* likewise */
    struct cohort_loop *loop;
    char endpoint[HOSTS_ENDPOINT_MAX + 1];
    struct channel_keys keys;
    bool encrypted;
    void *dealer, *monitor;
    struct socket_watch dealer_watch, monitor_watch;
    bool inproc;
    bool up, down;   /* as far as is known; down for good */
    int down_rc;     /* why */
    bool secret;     /* there is one in `out` */
    bool stuck;      /* `out` could not be sent yet */
    bool stirred;    /* since that was tried last */
    bool owes;       /* something was sent, and nothing heard since: */
    int64_t owed_ms; /* since when */
    int64_t tried_ms;
    struct map channels; /* open */
    uint32_t last_channel;
    struct list fresh; /* channels that have still to be told, or given, something */
    size_t blocked;    /* channels that take nothing: when all do, nothing is read */
    size_t watched;    /* channels of handles with a watchdog */
    struct bundle out;
    struct buf ended; /* u32 each: channels whose end is still to be said */
};

/* The connection to share with the loop's others, or a new one, which begins to connect; NULL keys:
 * no encryption. NULL: it cannot even begin. One without channels is to be closed. */
struct connection *connection_get (struct cohort_loop *loop, const char *endpoint,
                                   const struct channel_keys *keys, int64_t now_ms);
/* Ends it at once, without channels; what was not sent is dropped. */
void connection_close (struct connection *self);

/* Marks the connection: it will be read before the loop sleeps. */
void connection_mark (struct connection *self);

/* Takes what has arrived and tells the channels. Returns whether there was anything; may leave the
 * connection marked. */
bool connection_read (struct connection *self, int64_t now_ms);

/* Whether a frame can be put; sends what there is if that makes the room. */
bool connection_room (struct connection *self, int64_t now_ms);
/* Puts a frame where there is room. It leaves at once, or with connection_flush at the end of the
 * turn; a secret is wiped then. */
void connection_put (struct connection *self, uint32_t channel, const struct buf *frame,
                     bool secret, bool at_once, int64_t now_ms);
/* Moves there what was kept back, if there is room for all of it; otherwise false. */
bool connection_put_all (struct connection *self, struct bundle *letters, int64_t now_ms);
/* The channel has ended: the server is told. */
void connection_end (struct connection *self, uint32_t channel, int64_t now_ms);

/* Sends what was put; nothing if it was tried in vain a moment ago. Returns whether it tried. */
bool connection_flush (struct connection *self, int64_t now_ms);
/* That is to be called at the end of this turn. */
void connection_await (struct connection *self);

/* A CURVE key of 40 characters of Z85. */
bool channel_key_valid (const char *key);

#endif
