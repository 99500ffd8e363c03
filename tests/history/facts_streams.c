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

size_t fact_next_change (const struct facts *self, const struct fact_client *client,
                         const struct fact_stream *stream, size_t change)
{
    while (change < self->model.changes_count &&
           fact_fate (self, client, stream, change) == FACT_PASSED) {
        change++;
    }
    return change;
}

size_t fact_due_change (const struct facts *self, const struct fact_client *client,
                        const struct fact_stream *stream, size_t change, uint64_t zxid)
{
    const struct model *model = &self->model;
    for (; change < model->changes_count && model->changes[change].zxid <= zxid; change++) {
        if ((fact_fate (self, client, stream, change) & FACT_PASSED) == 0) {
            return change;
        }
    }
    return model->changes_count;
}

static bool is_of (const struct model_change *change, uint64_t zxid, const char *path)
{
    const struct model_znode *znode = change->znode;
    return change->zxid == zxid &&
           (znode == NULL ? path == NULL : path != NULL && strcmp (znode->path, path) == 0);
}

size_t fact_told_change (const struct facts *self, const struct fact_client *client,
                         const struct fact_stream *stream, size_t change, uint64_t zxid,
                         const char *path)
{
    const struct model *model = &self->model;
    for (; change < model->changes_count; change++) {
        unsigned fate = fact_fate (self, client, stream, change);
        bool it = (fate & FACT_TOLD) != 0 && is_of (&model->changes[change], zxid, path);
        if (it || (fate & FACT_PASSED) == 0) {
            break;
        }
    }
    return change;
}

bool fact_may_be_told (const struct facts *self, const struct fact_client *client,
                       const struct fact_stream *stream, size_t change, uint64_t zxid,
                       const char *path)
{
    const struct model *model = &self->model;
    for (; change < model->changes_count && model->changes[change].zxid <= zxid; change++) {
        if (is_of (&model->changes[change], model->changes[change].zxid, path) &&
            (fact_fate (self, client, stream, change) & FACT_TOLD) != 0) {
            return true;
        }
    }
    return false;
}

size_t fact_first_change (const struct facts *self, const struct fact_stream *stream, uint64_t zxid)
{
    return stream->whole ? stream->change : model_changes_after (&self->model, zxid - 1);
}

/* What a persistent watch makes of a change. */
static bool tells (const struct fact_stream *stream, const struct model_change *change,
                   const struct history_told *told)
{
    const struct model_znode *znode = change->znode;
    bool shallow = (stream->flags & HISTORY_STREAM_SHALLOW) != 0;
    bool child = shallow && strcmp (znode->path, stream->path) != 0;
    int type = COHORT_EVENT_CHANGED;
    if (znode->versions[change->version].change == MODEL_CREATED) {
        type = child ? COHORT_EVENT_CHILDREN : COHORT_EVENT_CREATED;
    } else if (znode->versions[change->version].change == MODEL_DELETED) {
        type = child ? COHORT_EVENT_CHILDREN : COHORT_EVENT_DELETED;
    }
    return type == (int) told->type && change->zxid == told->zxid &&
           strcmp (told->path, shallow ? stream->path : znode->path) == 0;
}

bool fact_is_told (const struct facts *self, const struct fact_client *client,
                   const struct fact_stream *stream, size_t change, const struct history_told *told)
{
    return change < self->model.changes_count &&
           (fact_fate (self, client, stream, change) & FACT_TOLD) != 0 &&
           tells (stream, &self->model.changes[change], told);
}

size_t fact_told_event (const struct facts *self, const struct fact_client *client,
                        const struct fact_stream *stream, const struct history_told *told)
{
    size_t change = fact_first_change (self, stream, told->zxid);
    while (change < self->model.changes_count &&
           !fact_is_told (self, client, stream, change, told) &&
           (fact_fate (self, client, stream, change) & FACT_PASSED) != 0) {
        change++;
    }
    return change;
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

/* What they do not tell is passed once, not with each answer again: but no further than they must
 * have come, for who may see what is asked when it is told. */
void facts_pass_untold (struct facts *self, struct fact_client *client,
                        const struct fact_call *call, uint64_t zxid)
{
    const struct model *model = &self->model;
    for (size_t i = 0; i < client->streams_count; i++) {
        struct fact_stream *stream = &client->streams[i];
        while (stream->whole && call->order > stream->order &&
               stream->change < model->changes_count &&
               model->changes[stream->change].zxid <= zxid &&
               fact_fate (self, client, stream, stream->change) == FACT_PASSED) {
            stream->change++;
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
    stream->floor = stream->since = client->seen;
    stream->attaches = client->attaches;
    stream->resumes = stream->behind = opened->from_zxid != 0;
    if (opened->from_zxid != 0) {
        stream->whole = true;
        stream->zxid = opened->from_zxid;
        stream->change = model_changes_after (&self->model, opened->from_zxid);
    }
}

void facts_see_seen (struct fact_client *client)
{
    for (size_t i = 0; i < client->streams_count; i++) {
        client->streams[i].behind &= !client->streams[i].told;
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

/* Its server knows it, and has asked whether it may be followed. */
static void tell (const struct facts *self, struct fact_stream *stream)
{
    stream->told = true;
    stream->judged = stream->judged != 0 ? stream->judged : self->model.zxid;
}

static void follow (struct fact_client *client, uint64_t zxid)
{
    client->followed = zxid > client->followed ? zxid : client->followed;
}

/* On another connection it goes on behind what it has told; what it has passed over since, because
 * it might not be seen, is judged anew. */
void facts_see_resumed (const struct facts *self, struct fact_client *client)
{
    for (size_t i = 0; i < client->streams_count; i++) {
        struct fact_stream *stream = &client->streams[i];
        stream->resumes = true;
        stream->judged = 0;
        if (stream->whole && stream->told && (stream->flags & HISTORY_STREAM_WATCH) == 0) {
            stream->change = model_changes_after (&self->model, stream->zxid);
        }
    }
}

void facts_see_told (struct facts *self, struct fact_client *client,
                     const struct history_told *told)
{
    struct fact_stream *stream = find_stream (client, told->stream);
    if (stream == NULL) {
        return;
    }
    bool reset = told->type == COHORT_EVENT_RESET;
    stream->since = reset ? told->zxid : stream->since;
    stream->change = reset ? model_changes_after (&self->model, told->zxid)
                           : fact_told_event (self, client, stream, told) + 1;
    stream->whole = true;
    tell (self, stream);
    stream->zxid = told->zxid;
    client->streamed = told->zxid > client->streamed ? told->zxid : client->streamed;
    follow (client, reset ? 0 : told->zxid);
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
    tell (self, stream);
    if (!stream->whole && !batch->snapshot && !stream->partial) {
        stream->change = model_changes_after (&self->model, batch->zxid - 1);
    }
    if (batch->reset) {
        stream->since = batch->zxid;
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
        const struct history_change *change = &batch->changes[i];
        const char *path = change->kind == HISTORY_OWNER ? NULL : change->path;
        stream->partial_change =
            1 + fact_told_change (self, client, stream, stream->partial_change, batch->zxid, path);
    }
    stream->partial_told += batch->count;
    if (!batch->more) {
        stream->since = batch->snapshot ? batch->zxid : stream->since;
        stream->partial = false;
        stream->whole = true;
        stream->zxid = batch->zxid;
        stream->change = model_changes_after (&self->model, batch->zxid);
        client->streamed = batch->zxid > client->streamed ? batch->zxid : client->streamed;
        follow (client, batch->snapshot || batch->reset ? 0 : batch->zxid);
    }
}
