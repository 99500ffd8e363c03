/* The requests of a session that have no answer yet.
 *
 * A first-in first-out queue: the front part has been sent on the present connection, the rest has
 * not. Writes in flight are bounded by the server's window and credit; what exceeds them waits, and
 * all that is behind it, for requests take effect in the order of the calls. After a reconnect
 * everything is sent again under its old numbers (docs/architecture.md). Pure.
 * May include: wire, event, proof, watches, base, libc. */

#ifndef COHORT_CLIENT_REQUESTS_H
#define COHORT_CLIENT_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/src/event.h"
#include "client/src/proof.h"
#include "client/src/wire.h"

/* What may wait in one session, beyond which a request is refused with COHORT_ELIMIT. */
#define REQUESTS_COUNT_MAX (1u << 20)
#define REQUESTS_BYTES_MAX (256u << 20)
/* Requests of any kind in flight: more would only fill the server's buffers. */
#define REQUESTS_FLIGHT_MAX (64u << 10)
/* What one frame carries. */
#define REQUESTS_FRAME_COUNT_MAX 1000
#define REQUESTS_FRAME_BYTES_MAX (256u << 10)
/* Window and credit of a server that names none. */
#define REQUESTS_WINDOW_DEFAULT 1024
#define REQUESTS_CREDIT_DEFAULT (4u << 20)
/* Gaps in a row, without an answer between them, that are taken for an accident. */
#define REQUESTS_GAPS_MAX 8

struct watch;
struct waiter;

/* In the order in which it is gone through, so that what nearly no request has lies behind. */
struct request {
    struct event event;
    /* For the caller, untouched here. */
    cohort_result_fn *fn;
    void *arg;
    struct waiter *waiter;
    struct list_node asked;         /* in the mailbox's list until it is published */
    size_t size;                    /* as counted against the limits */
    const struct wire_reply *reply; /* once answered, inside event.frame; NULL: there is none */
    int rc;                         /* once answered */
    bool blocking;                  /* made with a waiter, which may have given up since */
    bool check;                     /* unwatch: they stay */
    bool own;                       /* of the session itself: nobody hears of its result */
    bool in_callback;               /* made by a callback, ... */
    uint64_t losses_told;           /* ... when so many losses of the handle had been told */
    struct watch *watch;            /* owned: set with the read; unwatch: like those that are to
                                       end, its fn NULL: all; or NULL */
    struct cohort_stream *stream;   /* one reference: stream_open and stream_close, or NULL */
    struct proof *proof;            /* one reference: add_auth, or NULL */
    struct wire_request wire;       /* its pointers lead into this allocation */
};

struct requests {
    struct list queue;
    struct list_node *unsent; /* the first that was not sent on this connection, or NULL */
    size_t count, bytes;
    uint64_t last_xid, last_number; /* the newest given out */
    uint64_t acked;                 /* the newest write whose result has come */
    size_t flight, flight_writes;
    uint64_t flight_bytes;
    uint32_t window;
    uint64_t credit;
    uint64_t gap_xid; /* resent from it on after a gap: answers beyond the front of the queue are
                         stale until its own comes; 0: no gap */
    unsigned gaps;    /* in a row */
};

/* A request without watch, with copies of path (below chroot) and data; NULL without memory. */
struct request *request_new (enum wire_kind kind, const char *chroot, const char *path,
                             const void *data, size_t size);
/* The same with a copy of an access control list (wire_op.acl), or NULL. */
struct request *request_new_acl (enum wire_kind kind, const char *chroot, const char *path,
                                 const void *data, size_t size, const char *acl);
/* An add_auth, with a reference of its own. */
struct request *request_new_proof (struct proof *proof);
/* A list of children, with copies of path and names; or, without path, of ephemerals. */
struct request *request_new_list (enum wire_kind kind, const char *chroot, const char *path,
                                  const struct wire_list *list);
/* A multi, or multi_read, with copies of all that the operations need. */
struct request *request_new_multi (enum wire_kind kind, const char *chroot,
                                   const struct wire_op *ops, size_t count);
/* With its watch, its reference to a frame and all. NULL is allowed. */
void request_free (struct request *request);

void requests_init (struct requests *requests);
/* Frees what is still waiting. */
void requests_deinit (struct requests *requests);

/* Takes the request to the end of the queue and gives it its numbers. COHORT_ELIMIT: the queue is
 * full and the request still the caller's; never for requests that close something. */
int requests_add (struct requests *requests, struct request *request) COHORT_MUST_CHECK;

/* A new connection: all is to be sent again. */
void requests_rewind (struct requests *requests, uint32_t window, uint64_t credit);

/* Chooses what goes into the next frame: up to REQUESTS_FRAME_COUNT_MAX requests into `batch`, and
 * counts them as sent. Returns how many. requests_unsend takes the same batch back. */
size_t requests_next (struct requests *requests, const struct wire_request **batch);
void requests_unsend (struct requests *requests, size_t count);
/* Whether requests_next would give something. */
bool requests_ready (const struct requests *requests);

enum requests_verdict {
    REQUESTS_ANSWERED, /* *request is out of the queue and the caller's */
    REQUESTS_IGNORED,  /* a duplicate, or stale after a gap */
    REQUESTS_RESEND,   /* a gap: from there on it is sent again */
    REQUESTS_WRONG     /* no server that keeps the protocol says this */
};

/* Takes a reply. */
enum requests_verdict requests_answer (struct requests *requests, const struct wire_reply *reply,
                                       struct request **request);

/* Takes the first request out, whatever its state; NULL: none is left. */
struct request *requests_pop (struct requests *requests);

/* The lowest write number without a result. */
uint64_t requests_next_number (const struct requests *requests);

#endif
