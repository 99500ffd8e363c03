/* Streams: which are open, and how far each has been delivered.
 *
 * last_zxid advances only when the last fragment of a batch has been handed up; from there a server
 * resumes after a reconnect. A snapshot is put together aside (client/src/fold.h) and handed up
 * when it is whole. Pure. May include: event, fold, wire, base, libc. */

#ifndef COHORT_CLIENT_STREAMS_H
#define COHORT_CLIENT_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "client/base/map.h"
#include "client/src/event.h"

struct fold;
struct request;

/* Paths that one frame of re-registrations takes before it ends. */
#define STREAMS_REARM_BYTES (96u << 10)

/* The public cohort_stream_t. */
struct cohort_stream {
    struct list_node node;   /* in the registry */
    struct map_node id_node; /* the same; the hash is the id */
    uint64_t id;
    const char *path;   /* inside this allocation */
    uint64_t last_zxid; /* delivered as a whole; 0: no snapshot has been */
    uint32_t flags;     /* WIRE_STREAM_... */
    bool opened;        /* the server has answered its stream_open */
    bool partial;       /* a transaction is delivered in part: more fragments are due */
    struct fold *fold;  /* the snapshot under way, or NULL */
    uint64_t taken;     /* to be confirmed; 0: nothing */
    bool over;          /* it has failed, and is in the registry until it is closed */
    _Atomic int rc;     /* why it has ended */
    struct event ended; /* EVENT_ENDED; holds a reference while it is in a queue */
    _Atomic uint32_t references;
    /* Of the application, and untouched here. */
    cohort_t *client;
    bool marks;          /* batches without changes are wanted, too */
    cohort_batch_fn *fn; /* NULL: a watch, with watch_fn */
    cohort_watch_fn *watch_fn;
    void *arg;
    struct request *close; /* made beforehand, so that it can always be closed */
    _Atomic bool closed;   /* no more calls of fn */
};

struct stream_table {
    struct list open; /* ids grow */
    struct map by_id;
    size_t count;
    size_t partial;          /* of them, those of which a transaction is delivered in part */
    struct list_node *rearm; /* the next to be registered again; NULL: all are */
    uint64_t seed;
    uint64_t bytes_max;    /* of one snapshot */
    bool taken;            /* something is to be confirmed */
    struct list discarded; /* snapshots that nobody wants any more: stream_table_sweep */
};

/* One reference; NULL without memory. id: grows with each stream of a session. */
struct cohort_stream *stream_new (uint64_t id, const char *chroot, const char *path);
void stream_retain (struct cohort_stream *stream);
void stream_release (struct cohort_stream *stream);

/* seed: random. */
void stream_table_init (struct stream_table *streams, uint64_t seed, uint64_t bytes_max);
void stream_table_deinit (struct stream_table *streams);

/* The registry takes a reference of its own; and gives it back. Removing what is not there does
 * nothing. */
/* The server has opened it, as of zxid. */
void stream_opened (struct cohort_stream *stream, uint64_t zxid);

void stream_table_add (struct stream_table *streams, struct cohort_stream *stream);
void stream_table_remove (struct stream_table *streams, struct cohort_stream *stream);
struct cohort_stream *stream_table_find (const struct stream_table *streams, uint64_t id);

/* Takes the stream out, if it is in, and puts its EVENT_ENDED at the end of `events`, unless it has
 * had one. */
void stream_table_end (struct stream_table *streams, struct cohort_stream *stream, int rc,
                       struct list *events);

/* Takes what a server has sent of this stream, and puts at the end of `events` what the application
 * is to hear of it. COHORT_ENOMEM: it has to come again; COHORT_EPROTOCOL: it does not continue
 * what came before (a change of the past, a transaction without its snapshot, a snapshot that was
 * not asked for): the server broke the protocol. A snapshot that is larger than allowed ends the
 * stream. */
int stream_table_take (struct stream_table *streams, struct cohort_stream *stream,
                       struct wire_frame *frame, const struct wire_batch *batch,
                       struct list *events);

/* Frees some of what was discarded, so that no turn takes long; true: there is more. */
bool stream_table_sweep (struct stream_table *streams);
bool stream_table_swept (const struct stream_table *streams);

/* Appends elements of struct wire_taken for all that is to be confirmed. */
void stream_table_taken (const struct stream_table *streams, struct buf *out);
void stream_table_confirmed (struct stream_table *streams);

/* Whether a transaction has been handed up in part: what its zxid covers is not all here. */
bool stream_table_partial (const struct stream_table *streams);

/* A new connection: fragments and snapshots that were not completed will come again. */
void stream_table_rewind (struct stream_table *streams);

/* As watch_table_rearm, with elements of struct wire_stream, for the streams whose stream_open has
 * been answered; the others are opened by their own request. */
void stream_table_rearm_begin (struct stream_table *streams);
bool stream_table_rearm (struct stream_table *streams, struct buf *out);

#endif
