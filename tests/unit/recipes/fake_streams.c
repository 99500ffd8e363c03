/* The streams of the fake client: see fake.h. */

#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/fake_private.h"

/* ---- Streams --------------------------------------------------------------------------------- */

void fake_append_item (struct fake_item **list, struct fake_item *item)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = item;
}

struct fake_item *fake_batch_item (cohort_stream_t *stream, const cohort_batch_t *batch)
{
    struct fake_item *item = fake_must (calloc (1, sizeof (*item)));
    item->kind = ITEM_BATCH;
    item->stream = stream;
    item->batch = *batch;
    item->changes = fake_must (calloc (batch->count + 1, sizeof (*item->changes)));
    for (size_t i = 0; i < batch->count; i++) {
        item->changes[i] = batch->changes[i];
        item->changes[i].path = fake_copy_text (batch->changes[i].path);
        item->changes[i].data = fake_copy (batch->changes[i].data, batch->changes[i].size);
    }
    item->batch.changes = item->changes;
    return item;
}

/* Queues changes for one stream, in fragments if the client wants them so. */
static void deliver (cohort_stream_t *stream, const cohort_change_t *changes, size_t count,
                     bool snapshot)
{
    cohort_t *client = stream->client;
    size_t step = client->fragment > 0 ? client->fragment : count;
    size_t at = 0;
    do {
        size_t n = count - at < step ? count - at : step;
        cohort_batch_t batch = {.snapshot = snapshot,
                                .first = at == 0,
                                .more = at + n < count,
                                .zxid = fake_tree.zxid,
                                .changes = changes + at,
                                .count = n};
        struct fake_item **list = client->suspended ? &client->missed : &client->items;
        fake_append_item (list, fake_batch_item (stream, &batch));
        at += n;
    } while (at < count);
}

static int by_path (const void *a, const void *b)
{
    return strcmp (((const cohort_change_t *) a)->path, ((const cohort_change_t *) b)->path);
}

/* Without a snapshot: what happened is not known, unless the stream has just been opened. */
static void tell_reset (cohort_stream_t *stream)
{
    if (stream->open) {
        cohort_batch_t batch = {.first = 1, .reset = 1, .zxid = fake_tree.zxid};
        fake_append_item (&stream->client->items, fake_batch_item (stream, &batch));
    }
    stream->open = true;
}

void fake_snapshot (cohort_stream_t *stream)
{
    if ((stream->flags & COHORT_STREAM_NO_SNAPSHOT) != 0) {
        tell_reset (stream);
        return;
    }
    static cohort_change_t changes[FAKE_NODES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < fake_tree.nodes_count; i++) {
        const struct fake_node *node = &fake_tree.nodes[i];
        if (fake_is_in (node->path, stream->path)) {
            changes[count++] = (cohort_change_t){.kind = COHORT_CHANGE_CREATED,
                                                 .path = node->path,
                                                 .data = node->data,
                                                 .size = node->size,
                                                 .stat = node->stat};
        }
    }
    qsort (changes, count, sizeof (changes[0]), by_path);
    stream->open = true;
    deliver (stream, changes, count, true);
}

static bool concerns (const cohort_stream_t *stream, const cohort_change_t *change)
{
    if (change->kind == COHORT_CHANGE_OWNER) {
        return true; /* whatever it follows */
    }
    bool shallow = (stream->flags & COHORT_STREAM_SHALLOW) != 0;
    if (!shallow || strcmp (change->path, stream->path) == 0) {
        return fake_is_in (change->path, stream->path);
    }
    size_t length = strlen (stream->path);
    return fake_is_in (change->path, stream->path) && change->kind != COHORT_CHANGE_DATA &&
           strchr (change->path + length + 1, '/') == NULL;
}

void fake_publish (void)
{
    static cohort_change_t chosen[FAKE_CHANGES_MAX];
    static const cohort_event_type_t types[] = {[COHORT_CHANGE_CREATED] = COHORT_EVENT_CREATED,
                                                [COHORT_CHANGE_DELETED] = COHORT_EVENT_DELETED,
                                                [COHORT_CHANGE_DATA] = COHORT_EVENT_CHANGED};
    for (size_t i = 0; i < fake_tree.changes_count; i++) {
        const cohort_change_t *change = &fake_tree.changes[i];
        if (change->kind <= COHORT_CHANGE_DATA) {
            fake_fire_watches (change->path, types[change->kind]);
        }
    }
    for (size_t c = 0; c < fake_world.clients_count; c++) {
        for (cohort_stream_t *s = fake_world.clients[c]->streams; s != NULL; s = s->next) {
            size_t count = 0;
            for (size_t i = 0; i < fake_tree.changes_count; i++) {
                if (concerns (s, &fake_tree.changes[i])) {
                    chosen[count++] = fake_tree.changes[i];
                    if ((s->flags & COHORT_STREAM_NO_DATA) != 0) {
                        chosen[count - 1].data = NULL;
                        chosen[count - 1].size = 0;
                    }
                }
            }
            if (count > 0 && s->open && !s->destroyed) {
                deliver (s, chosen, count, false);
            }
        }
    }
}

void fake_end_stream (cohort_stream_t *stream, int rc)
{
    stream->rc = rc;
    struct fake_item *item = fake_must (calloc (1, sizeof (*item)));
    item->kind = ITEM_END;
    item->stream = stream;
    fake_append_item (&stream->client->items, item);
}

/* ---- Streams, the calls ---------------------------------------------------------------------- */

cohort_stream_t *cohort_stream_new (cohort_t *client, const char *path, cohort_batch_fn *fn,
                                    void *arg)
{
    return cohort_stream_new_with (client, path, NULL, fn, arg);
}

cohort_stream_t *cohort_stream_new_with (cohort_t *client, const char *path,
                                         const cohort_stream_options_t *options,
                                         cohort_batch_fn *fn, void *arg)
{
    fake_alive (client);
    bool failing = client->fail_stream || path[0] != '/';
    client->fail_stream = false;
    if (failing) {
        return NULL;
    }
    cohort_stream_t *stream = fake_must (calloc (1, sizeof (*stream)));
    stream->client = client;
    stream->path = fake_copy_text (path);
    stream->flags = options == NULL ? 0 : options->flags;
    stream->fn = fn;
    stream->arg = arg;
    stream->next = client->streams;
    client->streams = stream;
    int fail_call = client->fail_call, calls = client->calls_until_fail;
    client->fail_call = 0;
    client->calls_until_fail = 0;
    int rc;
    fake_enqueue (client, REQUEST_OPEN, NULL, NULL, &rc)->stream = stream;
    client->fail_call = fail_call;
    client->calls_until_fail = calls;
    return stream;
}

int cohort_stream_error (const cohort_stream_t *self)
{
    assert_false (self->destroyed);
    return self->rc;
}

void cohort_stream_destroy (cohort_stream_t **self_p)
{
    fake_alive ((*self_p)->client);
    assert_false ((*self_p)->destroyed);
    (*self_p)->destroyed = true;
    *self_p = NULL;
}
