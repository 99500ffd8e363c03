/* Streams: a snapshot is the subtree as it was at its zxid, and behind it comes each change of the
 * subtree once, in order. What comes in fragments is whole with the last of them. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/rules.h"

static bool version_fits (const struct model_version *version, const struct history_change *change)
{
    return version != NULL && change->value != NULL &&
           strcmp (change->value, version->value) == 0 && change->stat != NULL &&
           model_stat_equal (change->stat, &version->stat);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

static int by_address (const void *left, const void *right)
{
    const struct model_znode *a = *(const struct model_znode *const *) left;
    const struct model_znode *b = *(const struct model_znode *const *) right;
    return (a > b) - (a < b);
}

/* All of the subtree, each znode once: those of earlier fragments, and of this one. */
static bool is_whole (const struct facts *facts, const struct fact_stream *stream,
                      const struct history_batch *batch)
{
    size_t before = stream != NULL && !batch->first ? stream->znodes_count : 0;
    size_t count = before + batch->count, different = 0;
    const struct model_znode **znodes = calloc (count + 1, sizeof *znodes);
    if (znodes == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        znodes[i] = i < before ? stream->znodes[i]
                               : model_find (&facts->model, batch->changes[i - before].path);
    }
    qsort (znodes, count, sizeof *znodes, by_address);
    for (size_t i = 0; i < count; i++) {
        different += i == 0 || znodes[i] != znodes[i - 1];
    }
    free (znodes);
    return different == count &&
           count == model_subtree_count (&facts->model, batch->path, batch->zxid);
}

static bool snapshot_fits (const struct facts *facts, const struct fact_stream *stream,
                           const struct history_event *event, struct objection *objection)
{
    const struct history_batch *batch = &event->u.batch;
    for (size_t i = 0; i < batch->count; i++) {
        const struct history_change *change = &batch->changes[i];
        const struct model_znode *znode = model_find (&facts->model, change->path);
        if (!model_covers (batch->path, change->path) || change->kind != HISTORY_CREATED ||
            !version_fits (model_at (znode, batch->zxid), change)) {
            return object (objection,
                           "client %u: the snapshot of %s at %#" PRIx64
                           " has %s otherwise than it was",
                           event->client, batch->path, batch->zxid, change->path);
        }
    }
    return batch->more || is_whole (facts, stream, batch) ||
           object (objection,
                   "client %u: the snapshot of %s at %#" PRIx64 " lacks something, or has it twice",
                   event->client, batch->path, batch->zxid);
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static bool change_fits (const struct model_change *expected, const struct history_batch *batch,
                         const struct history_change *change)
{
    const struct model_version *version = &expected->znode->versions[expected->version];
    return expected->zxid == batch->zxid && (int) change->kind == (int) version->change &&
           strcmp (change->path, expected->znode->path) == 0 &&
           (change->kind == HISTORY_DELETED || version_fits (version, change));
}

static bool transaction_fits (const struct facts *facts, const struct fact_stream *stream,
                              const struct history_event *event, struct objection *objection)
{
    const struct history_batch *batch = &event->u.batch;
    const struct model *model = &facts->model;
    size_t at = batch->first ? stream->change : stream->partial_change;
    for (size_t i = 0; i < batch->count; i++, at++) {
        at = fact_next_change (model, at, batch->path);
        if (at == model->changes_count ||
            !change_fits (&model->changes[at], batch, &batch->changes[i])) {
            return object (objection,
                           "client %u: its stream of %s tells at %#" PRIx64
                           " of %s (kind %d); the next change is %#" PRIx64 " of %s",
                           event->client, batch->path, batch->zxid, batch->changes[i].path,
                           (int) batch->changes[i].kind,
                           at < model->changes_count ? model->changes[at].zxid : 0,
                           at < model->changes_count ? model->changes[at].znode->path : "nothing");
        }
    }
    at = fact_next_change (model, at, batch->path);
    return batch->more || at == model->changes_count || model->changes[at].zxid > batch->zxid ||
           object (objection,
                   "client %u: its stream of %s at %#" PRIx64 " leaves out the change of %s",
                   event->client, batch->path, batch->zxid, model->changes[at].znode->path);
}

/* ---- All ------------------------------------------------------------------------------------- */

static bool batch_fits (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    const struct history_batch *batch = &event->u.batch;
    const struct fact_client *client = facts_client (facts, event->client);
    const struct fact_stream *stream = client != NULL ? facts_stream (client, batch->stream) : NULL;
    bool continues = stream != NULL && stream->partial && stream->partial_zxid == batch->zxid &&
                     stream->partial_snapshot == batch->snapshot;
    if (!batch->first && !continues) {
        return object (objection, "client %u: a fragment at %#" PRIx64 " of %s continues nothing",
                       event->client, batch->zxid, batch->path);
    }
    if (batch->zxid > facts->model.zxid) {
        return object (objection,
                       "client %u: its stream of %s is at %#" PRIx64 ", the log ends at %#" PRIx64,
                       event->client, batch->path, batch->zxid, facts->model.zxid);
    }
    if (stream != NULL && stream->whole && batch->zxid < stream->zxid) {
        return object (objection,
                       "client %u: its stream of %s goes back from %#" PRIx64 " to %#" PRIx64,
                       event->client, batch->path, stream->zxid, batch->zxid);
    }
    if (batch->snapshot) {
        return snapshot_fits (facts, stream, event, objection);
    }
    if (stream == NULL || !stream->whole) {
        return object (objection, "client %u: a change at %#" PRIx64 " of %s before its snapshot",
                       event->client, batch->zxid, batch->path);
    }
    return transaction_fits (facts, stream, event, objection);
}

/* Everything has been told. */
static bool all_told (const struct facts *facts, struct objection *objection)
{
    for (struct map_node *node = map_first (&facts->clients); node != NULL;
         node = map_next (&facts->clients, node)) {
        const struct fact_client *client = map_entry (node, struct fact_client, node);
        for (size_t i = 0; i < client->streams_count; i++) {
            const struct fact_stream *stream = &client->streams[i];
            size_t next = fact_next_change (&facts->model, stream->change, stream->path);
            if (!stream->whole || stream->partial || next < facts->model.changes_count) {
                return object (objection,
                               "client %u: its stream of %s ends at %#" PRIx64
                               ", and more has happened",
                               client->number, stream->path, stream->zxid);
            }
        }
    }
    return true;
}

bool rule_stream (const struct facts *facts, const struct history_event *event,
                  struct objection *objection)
{
    return event->kind == HISTORY_SETTLED ? all_told (facts, objection)
                                          : batch_fits (facts, event, objection);
}
