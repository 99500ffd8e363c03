/* The registry of streams. May include: path, base, libc. */

#include "client/src/streams.h"

#include <stdatomic.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
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
    path_join (tail, chroot, path);
    stream->path = tail;
    stream->id = id;
    stream->ended.kind = EVENT_ENDED;
    atomic_init (&stream->references, 1);
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
        mem_free (stream);
    }
}

void stream_table_init (struct stream_table *streams)
{
    *streams = (struct stream_table){0};
    list_init (&streams->open);
}

void stream_table_deinit (struct stream_table *streams)
{
    struct list_node *node;
    while ((node = list_pop_front (&streams->open)) != NULL) {
        stream_release (list_entry (node, struct cohort_stream, node));
    }
    streams->count = 0;
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
    if (last == NULL) {
        list_push_front (&streams->open, &stream->node);
    } else {
        list_insert_after (last, &stream->node);
    }
    streams->count++;
}

void stream_table_remove (struct stream_table *streams, struct cohort_stream *stream)
{
    if (list_linked (&stream->node)) {
        COHORT_ASSERT (streams->count > 0);
        list_remove (&stream->node);
        streams->count--;
        stream_release (stream);
    }
}

void stream_table_end (struct stream_table *streams, struct cohort_stream *stream,
                       struct list *events)
{
    COHORT_ASSERT (!list_linked (&stream->ended.node));
    stream_retain (stream);
    list_push_back (events, &stream->ended.node);
    stream_table_remove (streams, stream);
}

struct cohort_stream *stream_table_find (const struct stream_table *streams, uint64_t id)
{
    for (struct list_node *at = list_first (&streams->open); at != NULL;
         at = list_next (&streams->open, at)) {
        struct cohort_stream *stream = list_entry (at, struct cohort_stream, node);
        if (stream->id == id) {
            return stream;
        }
    }
    return NULL;
}

bool stream_table_advance (struct cohort_stream *stream, const cohort_batch_t *batch)
{
    if (batch->snapshot) {
        /* The application forgets its state at the first fragment: from then on only a whole
         * snapshot will do, and a resumption from the old place would leave holes. */
        stream->last_zxid = batch->more ? 0 : batch->zxid;
        stream->partial = false;
        return true;
    }
    if (stream->last_zxid == 0 || batch->zxid <= stream->last_zxid) {
        return false;
    }
    stream->partial = batch->more;
    if (!batch->more) {
        stream->last_zxid = batch->zxid;
    }
    return true;
}

bool stream_table_partial (const struct stream_table *streams)
{
    for (struct list_node *at = list_first (&streams->open); at != NULL;
         at = list_next (&streams->open, at)) {
        if (list_entry (at, struct cohort_stream, node)->partial) {
            return true;
        }
    }
    return false;
}

void stream_table_rewind (struct stream_table *streams)
{
    for (struct list_node *at = list_first (&streams->open); at != NULL;
         at = list_next (&streams->open, at)) {
        list_entry (at, struct cohort_stream, node)->partial = false;
    }
}

void stream_table_rearm_begin (struct stream_table *streams)
{
    streams->cursor = 0;
}

bool stream_table_rearm (struct stream_table *streams, struct buf *out)
{
    size_t bytes = 0;
    for (struct list_node *at = list_first (&streams->open); at != NULL;
         at = list_next (&streams->open, at)) {
        struct cohort_stream *stream = list_entry (at, struct cohort_stream, node);
        if (stream->id <= streams->cursor || !stream->opened) {
            continue;
        }
        if (bytes >= STREAMS_REARM_BYTES) {
            return true;
        }
        struct wire_stream entry = {stream->id, stream->last_zxid, stream->path};
        buf_append (out, &entry, sizeof (entry));
        bytes += strlen (stream->path) + STREAM_OVERHEAD;
        streams->cursor = stream->id;
    }
    return false;
}
