/* What is known of a history so far: its streams. */

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/history/facts_state.h"

static struct fact_stream *find_stream (const struct fact_client *client, uint64_t id)
{
    for (size_t i = 0; i < client->streams_count; i++) {
        if (client->streams[i].id == id) {
            return &client->streams[i];
        }
    }
    return NULL;
}

const struct fact_stream *facts_stream (const struct fact_client *client, uint64_t id)
{
    return find_stream (client, id);
}

/* A shallow one tells of the znode itself, and of the coming and going of its children. Of
 * hand-overs all are told, and of lists; but watches of neither. */
static bool tells (const struct model_change *change, const char *path, uint32_t flags)
{
    const struct model_znode *znode = change->znode;
    bool watch = (flags & HISTORY_STREAM_WATCH) != 0;
    if (znode == NULL) {
        return !watch;
    }
    if ((flags & HISTORY_STREAM_SHALLOW) == 0 && !model_covers (path, znode->path)) {
        return false;
    }
    enum model_change_kind kind = znode->versions[change->version].change;
    if (kind == MODEL_ACL && watch) {
        return false;
    }
    return (flags & HISTORY_STREAM_SHALLOW) == 0 || strcmp (znode->path, path) == 0 ||
           (znode->parent != NULL && strcmp (znode->parent->path, path) == 0 &&
            (kind == MODEL_CREATED || kind == MODEL_DELETED));
}

size_t fact_next_change (const struct model *model, size_t change, const char *path, uint32_t flags)
{
    while (change < model->changes_count && !tells (&model->changes[change], path, flags)) {
        change++;
    }
    return change;
}

size_t fact_told_change (const struct facts *self, const struct fact_stream *stream, uint64_t zxid)
{
    size_t from = stream->whole ? stream->change : model_changes_after (&self->model, zxid - 1);
    return fact_next_change (&self->model, from, stream->path, stream->flags);
}

/* A read that was asked for behind a stream is answered behind it: nothing that happened before it
 * will be told any more. */
void facts_locate_streams (struct facts *self, struct fact_client *client,
                           const struct fact_call *call, uint64_t zxid)
{
    for (size_t i = 0; i < client->streams_count && call->number == 0 && zxid != 0; i++) {
        struct fact_stream *stream = &client->streams[i];
        if ((stream->flags & HISTORY_STREAM_NO_SNAPSHOT) != 0 && !stream->whole &&
            !stream->partial && call->order > stream->order) {
            stream->whole = true;
            stream->zxid = zxid;
            stream->change = model_changes_after (&self->model, zxid);
        }
    }
}

/* What they do not tell is passed once, not with each answer again. */
void facts_pass_untold (struct facts *self, struct fact_client *client)
{
    for (size_t i = 0; i < client->streams_count; i++) {
        struct fact_stream *stream = &client->streams[i];
        if (stream->whole) {
            stream->change =
                fact_next_change (&self->model, stream->change, stream->path, stream->flags);
        }
    }
}

static struct fact_stream *need_stream (struct fact_client *client, uint64_t id, const char *path)
{
    struct fact_stream *stream = find_stream (client, id);
    if (stream == NULL) {
        client->streams = facts_grow (client->streams, client->streams_count,
                                      &client->streams_capacity, sizeof (struct fact_stream));
        stream = &client->streams[client->streams_count++];
        *stream = (struct fact_stream){.id = id, .path = facts_copy (path)};
    }
    return stream;
}

void facts_see_opened (struct facts *self, struct fact_client *client,
                       const struct history_stream *opened)
{
    struct fact_stream *stream = need_stream (client, opened->id, opened->path);
    stream->flags = opened->flags;
    stream->order = self->events;
    stream->floor = client->seen;
    if (opened->from_zxid != 0) {
        stream->whole = true;
        stream->zxid = opened->from_zxid;
        stream->change = model_changes_after (&self->model, opened->from_zxid);
    }
}

void facts_see_closed (struct fact_client *client, uint64_t id)
{
    struct fact_stream *stream = find_stream (client, id);
    if (stream != NULL) {
        free (stream->path);
        free (stream->znodes);
        *stream = client->streams[--client->streams_count];
    }
}

void facts_see_told (struct facts *self, struct fact_client *client,
                     const struct history_told *told)
{
    struct fact_stream *stream = find_stream (client, told->stream);
    if (stream == NULL) {
        return;
    }
    stream->change = told->type == COHORT_EVENT_RESET
                         ? model_changes_after (&self->model, told->zxid)
                         : fact_told_change (self, stream, told->zxid) + 1;
    stream->whole = stream->told = true;
    stream->zxid = told->zxid;
    client->streamed = told->zxid > client->streamed ? told->zxid : client->streamed;
}

/* The first fragment of a batch: what there was of an unfinished one is void. */
static void begin_batch (struct fact_stream *stream, const struct history_batch *batch)
{
    stream->partial = true;
    stream->partial_snapshot = batch->snapshot;
    stream->partial_zxid = batch->zxid;
    stream->partial_change = stream->change;
    stream->partial_told = 0;
    stream->znodes_count = 0;
}

void facts_see_batch (struct facts *self, struct fact_client *client,
                      const struct history_batch *batch)
{
    struct fact_stream *stream = need_stream (client, batch->stream, batch->path);
    stream->told = true;
    if (!stream->whole && !batch->snapshot && !stream->partial) {
        stream->change = model_changes_after (&self->model, batch->zxid - 1);
    }
    if (batch->reset) {
        stream->change = model_changes_after (&self->model, batch->zxid);
    }
    if (batch->first || !stream->partial) {
        begin_batch (stream, batch);
    }
    for (size_t i = 0; i < batch->count && batch->snapshot; i++) {
        stream->znodes = facts_grow (stream->znodes, stream->znodes_count, &stream->znodes_capacity,
                                     sizeof (const struct model_znode *));
        stream->znodes[stream->znodes_count++] = model_find (&self->model, batch->changes[i].path);
    }
    for (size_t i = 0; i < batch->count && !batch->snapshot; i++) {
        stream->partial_change =
            fact_next_change (&self->model, stream->partial_change, stream->path, stream->flags) +
            1;
    }
    stream->partial_told += batch->count;
    if (!batch->more) {
        bool all = batch->snapshot || (stream->flags & HISTORY_STREAM_LATEST) != 0;
        stream->partial = false;
        stream->whole = true;
        stream->zxid = batch->zxid;
        stream->change =
            all ? model_changes_after (&self->model, batch->zxid) : stream->partial_change;
        client->streamed = batch->zxid > client->streamed ? batch->zxid : client->streamed;
    }
}
