/* One session's share of a connection: what it calls a link.
 *
 * The session sees nothing of those it shares with: its channel begins, carries frames and ends by
 * itself, and ends with the connection. A session that takes nothing - its application does not
 * dispatch, or a test holds back what arrives - holds up nobody: what comes for it waits here, up
 * to a bound, beyond which it loses its channel as a slow reader would lose its connection. Where
 * all sessions of a connection take nothing it is not read, and waits at the server's.
 * May include: handle (channel.c only), io, base, libc. */

#ifndef COHORT_CLIENT_CHANNEL_H
#define COHORT_CLIENT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "client/base/bundle.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "client/base/shared.h"

struct cohort;
struct connection;

struct channel {
    struct map_node node; /* of the connection; the hash is the number */
    struct list_node fresh;
    struct connection *connection;
    struct cohort *handle;
    uint32_t link;      /* the session's name for it */
    bool up, down;      /* as far as the session has been told */
    bool used;          /* the server may know of it */
    bool blocked;       /* takes nothing */
    struct buf waiting; /* frames that have arrived, each a blob */
    size_t given;       /* so many bytes of `waiting` have gone to the session */
    struct bundle kept; /* what must not leave while the application hangs */
};

/* Begins; NULL: that is impossible. The session hears link_up or link_down later. */
struct channel *channel_open (struct cohort *handle, uint32_t link, const char *endpoint);
/* Ends it at once; what has arrived and waits is dropped. */
void channel_close (struct channel *self);
/* Tells the session that its connection has ended. */
void channel_cut (struct channel *self);

/* Sends what the session has for this link. Returns whether there was anything. */
bool channel_write (struct channel *self);
/* Whether something of it waits to be sent, and is to be looked at again and again. */
bool channel_stuck (const struct channel *self);

/* Looks again whether it takes what arrives. */
void channel_resume (struct channel *self);

/* ---- For its connection ---------------------------------------------------------------------- */

/* A frame has come; borrowed, but if `shared` is not NULL whoever retains that may read on. */
void channel_take (struct channel *self, const void *data, size_t size, struct shared *shared);
/* The connection stands, or has ended. */
void channel_tell_up (struct channel *self);
void channel_tell_down (struct channel *self, int rc);
/* It was in the list of the fresh ones. */
void channel_refresh (struct channel *self);
/* Whether its application hangs: nothing of it may leave now. */
bool channel_hung (struct channel *self, int64_t now_ms);

#endif
