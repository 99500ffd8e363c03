/* The registry of streams. May include: fold, path, wire, base, libc. */

#include "client/src/streams.h"

#include <stdatomic.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/fold.h"
#include "client/src/path.h"

/* What one entry of a re-registration takes on the wire beyond its path, at most. */
#define STREAM_OVERHEAD 32

struct cohort_stream *stream_new (uint64_t id, const char *chroot, const char *path)
{
    COHORT_ASSERT (id > 0);
    size_t path_size = path_joined_size (chroot, path) + 1;
    struct cohort_stream *stream = mem_calloc (1, sizeof (*stream) + path_size);
    if (stream == NULL) {
        return NULL;
    }
    char *tail = (char *) (stream + 1);
    path_join (tail, path_size - 1, chroot, path);
    stream->path = tail;
    stream->id = id;
    stream->ended.kind = EVENT_ENDED;
    atomic_init (&stream->references, 1);
    atomic_init (&stream->rc, COHORT_OK);
    return stream;
}

void stream_retain (struct cohort_stream *stream)
{
    uint32_t before = atomic_fetch_add_explicit (&stream->references, 1, memory_order_relaxed);
    COHORT_ASSERT (before > 0);
}

void stream_release (struct cohort_stream *stream)
{
    uint32_t before = atomic_fetch_sub_explicit (&stream->references, 1, memory_order_acq_rel);
    COHORT_ASSERT (before > 0);
    if (before == 1) {
        COHORT_ASSERT (!list_linked (&stream->node));
        fold_free (stream->fold);
        mem_free (stream);
    }
}

void stream_table_init (struct stream_table *streams, uint64_t seed, uint64_t bytes_max)
{
    *streams = (struct stream_table){.seed = seed, .bytes_max = bytes_max};
    list_init (&streams->open);
    list_init (&streams->discarded);
    map_init (&streams->by_id);
}

void stream_table_deinit (struct stream_table *streams)
{
    struct list_node *node;
    while ((node = list_pop_front (&streams->open)) != NULL) {
        struct cohort_stream *stream = list_entry (node, struct cohort_stream, node);
        map_remove (&streams->by_id, &stream->id_node);
        stream_release (stream);
    }
    while ((node = list_pop_front (&streams->discarded)) != NULL) {
        fold_free (list_entry (node, struct fold, discarded));
    }
    map_deinit (&streams->by_id);
    streams->count = streams->partial = 0;
    streams->rearm = NULL;
}

void stream_table_add (struct stream_table *streams, struct cohort_stream *stream)
{
    COHORT_ASSERT (!list_linked (&stream->node));
    struct list_node *last = list_last (&streams->open);
    /* Threads race for ids and for their places in the queue: insert where the order stays. */
    while (last != NULL && list_entry (last, struct cohort_stream, node)->id > stream->id) {
        last = list_prev (&streams->open, last);
    }
    stream_retain (stream);
    stream->id_node.hash = stream->id;
    map_insert (&streams->by_id, &stream->id_node);
    if (last == NULL) {
        list_push_front (&streams->open, &stream->node);
    } else {
        list_insert_after (last, &stream->node);
    }
    streams->count++;
}

/* A large one is freed bit by bit: the thread has other sessions' heartbeats to send. */
static void drop_snapshot (struct stream_table *streams, struct cohort_stream *stream)
{
    struct fold *fold = stream->fold;
    stream->fold = NULL;
    if (fold != NULL && fold_shrink (fold)) {
        list_push_back (&streams->discarded, &fold->discarded);
    } else {
        fold_free (fold);
    }
}

bool stream_table_sweep (struct stream_table *streams)
{
    struct list_node *first = list_first (&streams->discarded);
    if (first != NULL && !fold_shrink (list_entry (first, struct fold, discarded))) {
        list_remove (first);
        fold_free (list_entry (first, struct fold, discarded));
    }
    return !stream_table_swept (streams);
}

bool stream_table_swept (const struct stream_table *streams)
{
    return list_empty (&streams->discarded);
}

static void set_partial (struct stream_table *streams, struct cohort_stream *stream, bool partial)
{
    COHORT_ASSERT (streams->partial >= stream->partial);
    streams->partial -= stream->partial;
    streams->partial += partial;
    stream->partial = partial;
}

void stream_table_remove (struct stream_table *streams, struct cohort_stream *stream)
{
    drop_snapshot (streams, stream);
    if (list_linked (&stream->node)) {
        COHORT_ASSERT (streams->count > 0);
        if (streams->rearm == &stream->node) {
            streams->rearm = list_next (&streams->open, &stream->node);
        }
        set_partial (streams, stream, false);
        list_remove (&stream->node);
        map_remove (&streams->by_id, &stream->id_node);
        streams->count--;
        stream_release (stream);
    }
}

static void report_end (struct cohort_stream *stream, int rc, struct list *events)
{
    COHORT_ASSERT (rc < 0);
    COHORT_ASSERT (!list_linked (&stream->ended.node));
    atomic_store_explicit (&stream->rc, rc, memory_order_release);
    stream->over = true;
    stream_retain (stream);
    list_push_back (events, &stream->ended.node);
}

void stream_table_end (struct stream_table *streams, struct cohort_stream *stream, int rc,
                       struct list *events)
{
    if (!stream->over) {
        report_end (stream, rc, events);
    }
    stream_table_remove (streams, stream);
}

static bool is_it (const struct map_node *node, const void *key)
{
    /* The hash is the id, and it was compared. */
    (void) node;
    (void) key;
    return true;
}

struct cohort_stream *stream_table_find (const struct stream_table *streams, uint64_t id)
{
    struct map_node *node = map_find (&streams->by_id, id, is_it, NULL);
    return node != NULL ? map_entry (node, struct cohort_stream, id_node) : NULL;
}

void stream_opened (struct cohort_stream *stream, uint64_t zxid)
{
    stream->opened = true;
    if ((stream->flags & WIRE_STREAM_NO_SNAPSHOT) != 0 && stream->last_zxid == 0) {
        stream->last_zxid = zxid;
    }
}

/* ---- What comes ------------------------------------------------------------------------------ */

static struct batch_event *event_new (struct cohort_stream *stream, uint64_t zxid)
{
    struct batch_event *event = mem_calloc (1, sizeof (*event));
    if (event != NULL) {
        stream_retain (stream);
        event->event.kind = EVENT_BATCH;
        event->stream = stream;
        event->zxid = zxid;
    }
    return event;
}

static int take_transaction (struct stream_table *streams, struct cohort_stream *stream,
                             struct wire_frame *frame, const struct wire_batch *from,
                             struct list *events)
{
    const cohort_batch_t *batch = &from->batch;
    /* After a reset it may be less: the application's from_zxid can have been anything. */
    if (stream->last_zxid == 0 || (batch->zxid <= stream->last_zxid && !batch->reset)) {
        return COHORT_EPROTOCOL;
    }
    /* Without changes it says only how far the stream has got. */
    if (batch->count > 0 || batch->first || batch->more || stream->marks) {
        struct batch_event *event = event_new (stream, batch->zxid);
        if (event == NULL) {
            return COHORT_ENOMEM;
        }
        wire_frame_retain (frame);
        event->event.frame = frame;
        event->batch = from;
        list_push_back (events, &event->event.node);
    }
    set_partial (streams, stream, batch->more);
    if (!batch->more || COHORT_MUTATED (fragment_is_whole)) {
        stream->last_zxid = batch->zxid;
    }
    return COHORT_OK;
}

/* A snapshot begins, or begins anew. What the application has is out of date: if it has anything,
 * it hears of that now, for the snapshot will take a while. */
static int begin_snapshot (struct stream_table *streams, struct cohort_stream *stream,
                           uint64_t zxid, struct list *events)
{
    bool told = stream->last_zxid == 0;
    struct fold *fold = fold_new (stream->path, streams->seed);
    struct batch_event *event = told ? NULL : event_new (stream, zxid);
    if (fold == NULL || (event == NULL && !told)) {
        fold_free (fold);
        if (event != NULL) {
            event_free (&event->event);
        }
        return COHORT_ENOMEM;
    }
    drop_snapshot (streams, stream);
    stream->fold = fold;
    if (event != NULL) {
        list_push_back (events, &event->event.node);
    }
    /* From now on only a whole snapshot will do: to resume from the old place would leave holes. */
    stream->last_zxid = COHORT_MUTATED (resumes_from_old_place) ? stream->last_zxid : 0;
    set_partial (streams, stream, false);
    return COHORT_OK;
}

static int end_snapshot (struct cohort_stream *stream, uint64_t zxid, struct list *events)
{
    struct batch_event *event = event_new (stream, zxid);
    if (event == NULL) {
        return COHORT_ENOMEM;
    }
    event->fold = stream->fold;
    stream->fold = NULL;
    list_push_back (events, &event->event.node);
    stream->last_zxid = zxid;
    return COHORT_OK;
}

static int take_piece (struct stream_table *streams, struct cohort_stream *stream,
                       const struct wire_batch *piece, struct list *events)
{
    const cohort_batch_t *batch = &piece->batch;
    int rc = COHORT_OK;
    if (batch->first) {
        rc = begin_snapshot (streams, stream, batch->zxid, events);
    } else if (stream->fold == NULL) {
        rc = COHORT_EPROTOCOL;
    }
    for (size_t i = 0; rc == COHORT_OK && i < batch->count; i++) {
        rc = fold_take (stream->fold, &batch->changes[i], batch->zxid);
    }
    if (rc != COHORT_OK) {
        return rc;
    }
    if (piece->sent > 0) {
        stream->taken = piece->sent;
        streams->taken = true;
    }
    if (stream->fold->bytes > streams->bytes_max) {
        drop_snapshot (streams, stream);
        stream->taken = 0;
        report_end (stream, COHORT_ETOOBIG, events);
        return COHORT_OK;
    }
    return batch->more ? COHORT_OK : end_snapshot (stream, batch->zxid, events);
}

int stream_table_take (struct stream_table *streams, struct cohort_stream *stream,
                       struct wire_frame *frame, const struct wire_batch *batch,
                       struct list *events)
{
    if (stream->over) {
        return COHORT_OK;
    }
    bool refuses = (stream->flags & WIRE_STREAM_NO_SNAPSHOT) != 0;
    if (refuses ? batch->batch.snapshot : batch->batch.reset) {
        return COHORT_EPROTOCOL;
    }
    return batch->batch.snapshot ? take_piece (streams, stream, batch, events)
                                 : take_transaction (streams, stream, frame, batch, events);
}

void stream_table_taken (const struct stream_table *streams, struct buf *out)
{
    for (struct list_node *at = list_first (&streams->open); at != NULL && streams->taken;
         at = list_next (&streams->open, at)) {
        const struct cohort_stream *stream = list_entry (at, struct cohort_stream, node);
        if (stream->taken > 0) {
            struct wire_taken taken = {stream->id, stream->taken};
            buf_append (out, &taken, sizeof (taken));
        }
    }
}

void stream_table_confirmed (struct stream_table *streams)
{
    for (struct list_node *at = list_first (&streams->open); at != NULL && streams->taken;
         at = list_next (&streams->open, at)) {
        list_entry (at, struct cohort_stream, node)->taken = 0;
    }
    streams->taken = false;
}

bool stream_table_partial (const struct stream_table *streams)
{
    return streams->partial > 0;
}

void stream_table_rewind (struct stream_table *streams)
{
    for (struct list_node *at = list_first (&streams->open); at != NULL;
         at = list_next (&streams->open, at)) {
        struct cohort_stream *stream = list_entry (at, struct cohort_stream, node);
        set_partial (streams, stream, false);
        drop_snapshot (streams, stream);
        stream->taken = 0;
    }
    streams->taken = false;
}

void stream_table_rearm_begin (struct stream_table *streams)
{
    streams->rearm = list_first (&streams->open);
}

/* Streams that are added meanwhile are opened by requests of their own. */
bool stream_table_rearm (struct stream_table *streams, struct buf *out)
{
    size_t bytes = 0;
    for (; streams->rearm != NULL; streams->rearm = list_next (&streams->open, streams->rearm)) {
        const struct cohort_stream *stream =
            list_entry (streams->rearm, struct cohort_stream, node);
        if (!stream->opened || stream->over) {
            continue;
        }
        if (bytes >= STREAMS_REARM_BYTES) {
            return true;
        }
        struct wire_stream entry = {stream->id, stream->last_zxid, stream->path, stream->flags};
        buf_append (out, &entry, sizeof (entry));
        bytes += strlen (stream->path) + STREAM_OVERHEAD;
    }
    return false;
}
