/* Streams that tell the latest values only: a batch may stand for all transactions up to its zxid.
 * Then it has what became of each znode: the last value, or that it went; and that it came, if it
 * did, where that happened. A batch that stands for one transaction may also tell it change by
 * change, as other streams do. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/history/streams.h"

/* What became of a znode; or a hand-over, each in its place. */
struct latest {
    const struct model_change *change; /* the last one, */
    enum model_change_kind kind;       /* told as this */
};

struct latest_list {
    struct latest *items;
    size_t count;
};

static struct latest latest_of (const struct model_change *change)
{
    bool owner = change->znode == NULL;
    return (struct latest){change,
                           owner ? MODEL_ASIDE : change->znode->versions[change->version].change};
}

static void take_out (struct latest_list *list, size_t at)
{
    list->count--;
    memmove (&list->items[at], &list->items[at + 1], (list->count - at) * sizeof *list->items);
}

/* Each stands where it first changed, or came or went last. */
static void fold (struct latest_list *list, const struct model_change *change)
{
    struct latest next = latest_of (change);
    size_t at = 0;
    while (at < list->count && list->items[at].change->znode != change->znode) {
        at++;
    }
    bool known = at < list->count && change->znode != NULL;
    if (known && (next.kind == MODEL_DATA || next.kind == MODEL_ACL)) {
        next.kind = list->items[at].kind == MODEL_CREATED ? MODEL_CREATED : next.kind;
        list->items[at] = next;
        return;
    }
    if (known) {
        take_out (list, at);
    }
    list->items[list->count++] = next;
}

/* All that the batch stands for, folded, or change by change; and what may become of that. */
static struct latest_list expect (const struct facts *facts, const struct fact_stream *stream,
                                  const struct history_event *event, size_t from, bool folded,
                                  unsigned *fates)
{
    const struct model *model = &facts->model;
    const struct fact_client *client = facts_client (facts, event->client);
    struct latest_list list = {.count = 0};
    list.items = calloc (model->changes_count - from + 1, sizeof *list.items);
    COHORT_ASSERT (list.items != NULL);
    *fates = 0;
    for (size_t at = from;
         at < model->changes_count && model->changes[at].zxid <= event->u.batch.zxid; at++) {
        unsigned fate = fact_fate (facts, client, stream, at);
        if (fate == FACT_PASSED) {
            continue;
        }
        const struct model_change *change = &model->changes[at];
        *fates |= fate;
        if (folded) {
            fold (&list, change);
        } else {
            list.items[list.count++] = latest_of (change);
        }
    }
    return list;
}

/* The index of the first of the batch's changes that is another; count: all are as expected. */
static size_t first_other (const struct stream_view *view, const struct latest_list *list,
                           size_t told, const struct history_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct latest *expected = told + i < list->count ? &list->items[told + i] : NULL;
        if (expected == NULL ||
            !stream_tells (view, expected->change, expected->kind, &batch->changes[i])) {
            return i;
        }
    }
    return batch->count;
}

/* Whether each of those that are told may be told. */
static bool all_may_be_told (const struct facts *facts, const struct fact_stream *stream,
                             const struct history_event *event, size_t from)
{
    const struct history_batch *batch = &event->u.batch;
    const struct fact_client *client = facts_client (facts, event->client);
    for (size_t i = 0; i < batch->count; i++) {
        const struct history_change *change = &batch->changes[i];
        const char *path = change->kind == HISTORY_OWNER ? NULL : change->path;
        if (!fact_may_be_told (facts, client, stream, from, batch->zxid, path)) {
            return false;
        }
    }
    return true;
}

bool stream_latest_fits (const struct facts *facts, const struct fact_stream *stream,
                         const struct history_event *event, struct objection *objection)
{
    const struct history_batch *batch = &event->u.batch;
    const struct model *model = &facts->model;
    const struct fact_client *client = facts_client (facts, event->client);
    size_t from = fact_first_change (facts, stream, batch->zxid);
    size_t next = fact_next_change (facts, client, stream, from);
    size_t told = stream->partial && !batch->first ? stream->partial_told : 0;
    bool one = next == model->changes_count || model->changes[next].zxid == batch->zxid;
    bool fits = false;
    const struct stream_view view = {facts, client, stream->flags, 0};
    for (int folded = one ? 0 : 1; folded <= 1 && !fits; folded++) {
        unsigned fates;
        struct latest_list list = expect (facts, stream, event, from, folded != 0, &fates);
        size_t other = first_other (&view, &list, told, batch);
        bool all = batch->more || told + batch->count == list.count;
        /* Where nobody can say what was passed over, it is enough if nothing leaks out. */
        fits = (fates & FACT_PASSED) != 0
                   ? all_may_be_told (facts, stream, event, from)
                   : other == batch->count && all && (fates & FACT_TURNED) == 0;
        if (!fits) {
            const char *path = other < batch->count ? batch->changes[other].path : "nothing more";
            object (objection,
                    "client %u: its stream of the latest of %s tells at %#" PRIx64
                    " of %s behind %zu changes: not what became of the %zu that changed",
                    event->client, batch->path, batch->zxid, path, told + other, list.count);
        }
        free (list.items);
    }
    return fits;
}
