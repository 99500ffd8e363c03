/* One connection to one server: a DEALER that lives for that connection, and its monitor.
 *
 * docs/zeromq.md has the reasons: no reconnects by libzmq, no queue without a connection, never a
 * blocking call, a fresh socket each time, and a monitor that is always read. inproc has no monitor
 * events: there the connection stands at once, and has ended when nothing can be written, for its
 * pipe is never full. May include: handle (io.c only), libzmq, base, libc. */

#ifndef COHORT_CLIENT_IO_H
#define COHORT_CLIENT_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "client/base/list.h"

struct cohort;
struct cohort_loop;

/* CURVE keys in Z85, terminated. */
struct channel_keys {
    char server[41], public[41], secret[41];
};

struct channel {
    struct list_node dirty; /* in the loop's list */
    struct cohort *handle;
    uint32_t link;
    void *dealer, *monitor;
    int dealer_fd, monitor_fd;
    bool inproc;
    bool up, down; /* as far as the session has been told */
    bool secret;   /* there is one in the frame */
    bool stuck;    /* `frame` could not be sent yet */
    bool holding;  /* a test holds back what arrives: `held` first */
    struct buf frame, held;
};

/* Begins to connect; NULL: it cannot even begin. The session hears link_up or link_down later. */
struct channel *channel_open (struct cohort *handle, uint32_t link, const char *endpoint);
/* Ends the connection at once; what was not sent is dropped. */
void channel_close (struct channel *self);
/* Tells the session that the connection has ended. */
void channel_cut (struct channel *self);

/* Marks the channel: it will be read before the loop sleeps. */
void channel_mark (struct channel *self);

/* Takes what has arrived and tells the session. Returns whether there was anything; may leave the
 * channel marked. */
bool channel_read (struct channel *self);

/* Sends what the session has for this link. Returns whether there was anything. */
bool channel_write (struct channel *self);

/* A CURVE key of 40 characters of Z85. */
bool channel_key_valid (const char *key);

#endif
