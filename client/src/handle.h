/* The inside of a cohort_t, and of a cohort_loop_t.
 *
 * Which thread may touch what: `fixed` fields are written before the handle is announced; `driver`
 * fields belong to whoever drives the loop; `dispatcher` fields to whoever is inside
 * cohort_dispatch; the mailbox is where they meet. May include: mailbox, session, hosts, io, libc.
 */

#ifndef COHORT_CLIENT_HANDLE_H
#define COHORT_CLIENT_HANDLE_H

#include "client/base/heap.h"
#include "client/src/channel.h"
#include "client/src/faults.h"
#include "client/src/hosts.h"
#include "client/src/io.h"
#include "client/src/mailbox.h"
#include "client/src/session.h"
#include "cohort/client.h"

/* The session has two links at a time, and a third for the moment of a move. */
#define HANDLE_CHANNELS 3

struct cohort {
    struct mailbox mailbox;
    struct faults faults; /* any thread's wishes */
    /* fixed */
    cohort_loop_t *loop;
    bool own_loop;
    char *chroot;
    size_t chroot_size;
    uint32_t watchdog_ms;
    struct channel_keys keys;
    bool encrypted;
    char *state_file; /* NULL: none; with the servers that were given */
    char *servers;
    /* driver */
    struct session *session;
    struct list_node in_loop;
    struct list_node touched;  /* something happened: outputs are to be looked at */
    struct heap_node deadline; /* when it is to be looked at; may be too early, never too late */
    struct list_node closing;  /* its orderly end is awaited */
    struct channel *channels[HANDLE_CHANNELS];
    size_t received;     /* bytes, since the last publishing */
    bool attached;       /* in the loop's list */
    bool paused;         /* links are not read: the application does not dispatch */
    int64_t close_by_us; /* when an orderly end has taken too long */
    /* dispatcher */
    struct list dispatch; /* events taken and not yet run */
    bool destroyed;       /* inside one of its own callbacks */
};

struct cohort_loop {
    struct exchange exchange;
    /* fixed */
    void *context;
    bool own_context;
    cohort_clock_fn *clock;
    void *clock_arg;
    int epoll_fd;
    /* driver */
    struct list handles; /* attached */
    struct list touched;
    struct list connections;
    struct list dirty;     /* connections to be read before the loop may sleep */
    bool unread;           /* the last turn has left some of them to the next */
    bool told;             /* results or events were given out in these turns */
    struct list unsent;    /* and those that have something to send */
    struct buf frame;      /* the one that is being made */
    struct heap deadlines; /* of handles, in milliseconds */
    bool astray;           /* some found no place there */
    int64_t retry_ms;      /* when those, and connections that took nothing, are looked at again */
    struct list closing;   /* handles whose end is awaited, that which ends first first */
    uint64_t monitors;     /* names given */
};

int64_t loop_now_ms (const cohort_loop_t *self);

/* Mutes the session while the application hangs, as of this moment; returns whether it does.
 * Driver: before each tick and, since a thread may be stopped anywhere, before each frame. */
bool loop_watch (struct cohort *handle, int64_t now_ms);

/* Frees a handle whose last reference is gone. */
void handle_free (struct cohort *self);

/* Marks a handle for the loop's next turn. Driver. */
void loop_touch (struct cohort *handle);

#endif
