/* Streams: a snapshot is the subtree as it was at its zxid, and behind it comes each change of the
 * subtree once, in order. What comes in fragments is whole with the last of them. One that wants no
 * snapshot begins where its client was or later, and before whatever is asked for behind it; a
 * persistent watch is such a stream, told change by change. No answer shows a change before it. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/streams.h"

static bool may_as (const struct model *model, const struct model_version *version,
                    struct model_who who, uint64_t zxid, bool read)
{
    bool may = model_may (who, version, COHORT_PERM_READ) == read;
    for (size_t i = 0; i < model->admins_count && version->acl != NULL && !may; i++) {
        who.admins = model->admins[i].list;
        may = model->admins[i].zxid > zxid && model_may (who, version, COHORT_PERM_READ) == read;
    }
    return may;
}

/* Whether a client may read a version, or may not, by its list, and by who is an administrator then
 * or later, and who it is itself: what was missed is judged when it is told, and of a snapshot each
 * znode when it is come to (docs/acl.md). */
static bool may_be_read (const struct stream_view *view, const struct model_version *version,
                         uint64_t zxid, bool read)
{
    const struct model *model = &view->facts->model;
    const struct model_session *session = model_session (model, view->client->session);
    uint64_t from = view->from != 0 && view->from < zxid ? view->from : zxid;
    struct model_who who = facts_who (view->facts, view->client, zxid);
    who.identities = facts_who (view->facts, view->client, from).identities;
    bool may = may_as (model, version, who, zxid, read);
    for (size_t i = 0; session != NULL && i < session->origins_count && !may; i++) {
        const struct model_origin *origin = &session->origins[i];
        who.identities = origin->identities;
        may = origin->zxid > from && origin->incarnation <= view->client->incarnation &&
              may_as (model, version, who, zxid, read);
    }
    return may;
}

/* What is told late is not shown either if it may not be read any more. */
static bool may_be_hidden (const struct stream_view *view, const struct model_znode *znode,
                           const struct model_version *version, uint64_t zxid)
{
    const struct model_version *end = &znode->versions[znode->versions_count];
    if (may_be_read (view, version, zxid, false)) {
        return true;
    }
    for (const struct model_version *later = version + 1; later < end; later++) {
        if (!later->exists || later->stat.czxid != version->stat.czxid) {
            return false;
        }
        if (later->change == MODEL_ACL && may_be_read (view, later, later->zxid, false)) {
            return true;
        }
    }
    return false;
}

/* Of children that its client may not see the coming and going is not told: in a snapshot what the
 * stat says of them is as it was when the znode was come to. */
static bool is_stat (const struct stream_view *view, const struct model_znode *znode,
                     const struct model_version *version, uint64_t zxid, const cohort_stat_t *told)
{
    cohort_stat_t stat = version->stat;
    if (model_stat_equal (told, &stat)) {
        return true;
    }
    stat.pzxid = told->pzxid;
    stat.cversion = told->cversion;
    stat.child_count = told->child_count;
    if (view->from == 0 || !model_stat_equal (told, &stat) ||
        !may_be_read (view, version, zxid, false)) {
        return false;
    }
    for (; version >= znode->versions && version->stat.czxid == stat.czxid; version--) {
        if (version->stat.pzxid == stat.pzxid && version->stat.cversion == stat.cversion &&
            version->stat.child_count == stat.child_count) {
            return true;
        }
        if (version->zxid <= view->from) {
            break; /* it was so before anything was come to */
        }
    }
    return false;
}

bool stream_shows (const struct stream_view *view, const struct model_znode *znode,
                   const struct model_version *version, uint64_t zxid,
                   const struct history_change *told)
{
    if (version == NULL || told->value == NULL || told->stat == NULL ||
        !is_stat (view, znode, version, zxid, told->stat)) {
        return false;
    }
    if ((view->flags & HISTORY_STREAM_NO_DATA) != 0) {
        return told->value[0] == '\0';
    }
    if (told->hidden) {
        return told->value[0] == '\0' && may_be_hidden (view, znode, version, zxid);
    }
    return strcmp (told->value, version->value) == 0 && may_be_read (view, version, zxid, true);
}

bool stream_tells (const struct stream_view *view, const struct model_change *change,
                   enum model_change_kind kind, const struct history_change *told)
{
    if (change->znode == NULL) {
        return told->kind == HISTORY_OWNER && told->from == change->from && told->stat != NULL &&
               told->stat->ephemeral_owner == change->to && told->stat->ozxid == change->zxid;
    }
    const struct model_version *version = &change->znode->versions[change->version];
    if ((int) told->kind != (int) kind || strcmp (told->path, change->znode->path) != 0) {
        return false;
    }
    if (kind == MODEL_DELETED) {
        return true;
    }
    int sight = fact_sight_of_late (view->facts, view->client, change);
    return sight > 0 &&
           (sight > 1 || told->hidden || (view->flags & HISTORY_STREAM_NO_DATA) != 0) &&
           stream_shows (view, change->znode, version, change->zxid, told);
}

const char *stream_change_path (const struct model *model, size_t change)
{
    if (change == model->changes_count) {
        return "nothing";
    }
    const struct model_znode *znode = model->changes[change].znode;
    return znode != NULL ? znode->path : "a hand-over";
}

static uint32_t flags_of (const struct fact_stream *stream)
{
    return stream != NULL ? stream->flags : 0;
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

static int by_address (const void *left, const void *right)
{
    const struct model_znode *a = *(const struct model_znode *const *) left;
    const struct model_znode *b = *(const struct model_znode *const *) right;
    return (a > b) - (a < b);
}

/* All of the subtree that may be seen, each znode once: those of earlier fragments, and of this
 * one. */
static bool is_whole (const struct stream_view *view, const struct fact_stream *stream,
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
                               : model_find (&view->facts->model, batch->changes[i - before].path);
    }
    qsort (znodes, count, sizeof *znodes, by_address);
    for (size_t i = 0; i < count; i++) {
        different += i == 0 || znodes[i] != znodes[i - 1];
    }
    free (znodes);
    struct fact_extent extent =
        fact_extent (view->facts, view->client, batch->path, view->from, batch->zxid);
    return different == count && count >= extent.least && count <= extent.most;
}

/* When its server may have come to the first znode: behind what the stream has told already, or
 * what its client had seen when it was opened; the client's first stream is opened before it sees
 * anything. */
static uint64_t snapshot_from (const struct fact_stream *stream)
{
    uint64_t from = stream == NULL ? 0 : stream->whole ? stream->zxid : stream->floor;
    return from > 0 ? from : 1;
}

static bool snapshot_fits (const struct facts *facts, const struct fact_stream *stream,
                           const struct history_event *event, struct objection *objection)
{
    const struct history_batch *batch = &event->u.batch;
    const struct stream_view view = {facts, facts_client (facts, event->client), flags_of (stream),
                                     snapshot_from (stream)};
    for (size_t i = 0; i < batch->count; i++) {
        const struct history_change *change = &batch->changes[i];
        const struct model_znode *znode = model_find (&facts->model, change->path);
        if (!model_covers (batch->path, change->path) || change->kind != HISTORY_CREATED ||
            !stream_shows (&view, znode, model_at (znode, batch->zxid), batch->zxid, change)) {
            return object (objection,
                           "client %u: the snapshot of %s at %#" PRIx64
                           " has %s otherwise than it was",
                           event->client, batch->path, batch->zxid, change->path);
        }
    }
    return batch->more || is_whole (&view, stream, batch) ||
           object (objection,
                   "client %u: the snapshot of %s at %#" PRIx64 " lacks something, or has it twice",
                   event->client, batch->path, batch->zxid);
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static bool change_fits (const struct stream_view *view, const struct fact_stream *stream,
                         size_t at, uint64_t zxid, const struct history_change *told)
{
    const struct model_change *change = &view->facts->model.changes[at];
    enum model_change_kind kind =
        change->znode != NULL ? change->znode->versions[change->version].change : MODEL_ASIDE;
    return change->zxid == zxid && stream_tells (view, change, kind, told) &&
           (fact_fate (view->facts, view->client, stream, at) & FACT_TOLD) != 0;
}

/* Which change it is that is told: the first that cannot have been passed over, if none before that
 * is. */
static size_t find_change (const struct stream_view *view, const struct fact_stream *stream,
                           size_t at, uint64_t zxid, const struct history_change *told)
{
    const struct model *model = &view->facts->model;
    while (at < model->changes_count && model->changes[at].zxid <= zxid &&
           !change_fits (view, stream, at, zxid, told) &&
           (fact_fate (view->facts, view->client, stream, at) & FACT_PASSED) != 0) {
        at++;
    }
    return at;
}

static bool transaction_fits (const struct facts *facts, const struct fact_stream *stream,
                              const struct history_event *event, struct objection *objection)
{
    const struct history_batch *batch = &event->u.batch;
    const struct model *model = &facts->model;
    const struct stream_view view = {facts, facts_client (facts, event->client), stream->flags, 0};
    size_t at = stream->partial && !batch->first ? stream->partial_change
                                                 : fact_first_change (facts, stream, batch->zxid);
    for (size_t i = 0; i < batch->count; i++, at++) {
        at = find_change (&view, stream, at, batch->zxid, &batch->changes[i]);
        if (at == model->changes_count ||
            !change_fits (&view, stream, at, batch->zxid, &batch->changes[i])) {
            return object (objection,
                           "client %u: its stream of %s tells at %#" PRIx64
                           " of %s (kind %d); the next change is %#" PRIx64 " of %s",
                           event->client, batch->path, batch->zxid, batch->changes[i].path,
                           (int) batch->changes[i].kind,
                           at < model->changes_count ? model->changes[at].zxid : 0,
                           stream_change_path (model, at));
        }
    }
    at = batch->more ? model->changes_count
                     : fact_due_change (facts, view.client, stream, at, batch->zxid);
    return at == model->changes_count ||
           object (objection,
                   "client %u: its stream of %s at %#" PRIx64 " leaves out the change of %s",
                   event->client, batch->path, batch->zxid, stream_change_path (model, at));
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Nobody follows what he may not read: whoever asks for that is refused, and nobody else. */
static bool refusal_fits (const struct facts *facts, const struct history_event *event,
                          struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, event->client);
    const struct fact_stream *stream = client != NULL ? facts_stream (client, event->u.id) : NULL;
    return (stream != NULL &&
            facts_ever (facts, client, stream->path, true, stream->floor, true)) ||
           object (objection,
                   "client %u is refused its stream %" PRIu64 " of %s, which it may read",
                   event->client, event->u.id, stream != NULL ? stream->path : "nothing");
}

/* As long as it is where it has opened it, what a stream tells first says that this was granted. */
static bool is_granted (const struct facts *facts, const struct fact_client *client,
                        const struct fact_stream *stream, struct objection *objection)
{
    return stream == NULL || stream->told || stream->floor == 0 ||
           stream->attaches != client->attaches ||
           facts_ever (facts, client, stream->path, true, stream->floor, false) ||
           object (objection, "client %u follows %s, which it may not read", client->number,
                   stream->path);
}

/* ---- Batches ----------------------------------------------------------------------------------
 */

/* What happened is not known any more: only to a stream that must not begin anew. */
static bool reset_fits (const struct fact_stream *stream, const struct history_event *event,
                        struct objection *objection)
{
    const struct history_batch *batch = &event->u.batch;
    return ((flags_of (stream) & HISTORY_STREAM_NO_SNAPSHOT) != 0 && batch->count == 0 &&
            !batch->more && !batch->snapshot) ||
           object (objection, "client %u: its stream of %s is reset at %#" PRIx64, event->client,
                   batch->path, batch->zxid);
}

/* It says how far the stream has got. */
static bool is_mark (const struct history_batch *batch)
{
    return !batch->first && !batch->more && !batch->snapshot && batch->count == 0;
}

static bool batch_fits (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    const struct history_batch *batch = &event->u.batch;
    const struct fact_client *client = facts_client (facts, event->client);
    const struct fact_stream *stream = client != NULL ? facts_stream (client, batch->stream) : NULL;
    bool continues = stream != NULL && stream->partial && stream->partial_zxid == batch->zxid &&
                     stream->partial_snapshot == batch->snapshot;
    if (!batch->first && !continues &&
        !(is_mark (batch) && (flags_of (stream) & HISTORY_STREAM_PROGRESS) != 0)) {
        return object (objection, "client %u: a fragment at %#" PRIx64 " of %s continues nothing",
                       event->client, batch->zxid, batch->path);
    }
    if (batch->zxid > facts->model.zxid) {
        return object (objection,
                       "client %u: its stream of %s is at %#" PRIx64 ", the log ends at %#" PRIx64,
                       event->client, batch->path, batch->zxid, facts->model.zxid);
    }
    if (!is_granted (facts, client, stream, objection)) {
        return false;
    }
    if (batch->reset) {
        return reset_fits (stream, event, objection);
    }
    uint64_t before = stream == NULL ? 0 : stream->whole ? stream->zxid : stream->floor;
    if (batch->zxid < before) {
        return object (objection,
                       "client %u: its stream of %s goes back from %#" PRIx64 " to %#" PRIx64,
                       event->client, batch->path, before, batch->zxid);
    }
    bool refuses = (flags_of (stream) & HISTORY_STREAM_NO_SNAPSHOT) != 0;
    if (stream != NULL && stream->partial && stream->partial_snapshot && !batch->snapshot) {
        return object (objection,
                       "client %u: a change at %#" PRIx64 " of %s before its new snapshot is whole",
                       event->client, batch->zxid, batch->path);
    }
    if (batch->snapshot) {
        return refuses ? object (objection, "client %u: a snapshot of %s, which it does not want",
                                 event->client, batch->path)
                       : snapshot_fits (facts, stream, event, objection);
    }
    if (stream == NULL || (!stream->whole && !refuses)) {
        return object (objection, "client %u: a change at %#" PRIx64 " of %s before its snapshot",
                       event->client, batch->zxid, batch->path);
    }
    return (stream->flags & HISTORY_STREAM_LATEST) != 0
               ? stream_latest_fits (facts, stream, event, objection)
               : transaction_fits (facts, stream, event, objection);
}

/* ---- Persistent watches ---------------------------------------------------------------------- */

static bool told_fits (const struct facts *facts, const struct history_event *event,
                       struct objection *objection)
{
    const struct history_told *told = &event->u.told;
    const struct fact_client *client = facts_client (facts, event->client);
    const struct fact_stream *stream = client != NULL ? facts_stream (client, told->stream) : NULL;
    const struct model *model = &facts->model;
    if (stream == NULL || (stream->flags & HISTORY_STREAM_WATCH) == 0) {
        return object (objection, "client %u has no persistent watch %" PRIu64, event->client,
                       told->stream);
    }
    if (told->type == COHORT_EVENT_RESET) {
        return told->zxid <= model->zxid ||
               object (objection,
                       "client %u: its watch on %s is reset at %#" PRIx64
                       ", the log ends at %#" PRIx64,
                       event->client, stream->path, told->zxid, model->zxid);
    }
    size_t at = fact_told_event (facts, client, stream, told);
    const struct model_change *next = at < model->changes_count ? &model->changes[at] : NULL;
    return (told->zxid > stream->floor && fact_is_told (facts, client, stream, at, told)) ||
           object (objection,
                   "client %u: its watch on %s tells event %d of %s at %#" PRIx64
                   "; the next change is %#" PRIx64 " of %s",
                   event->client, stream->path, (int) told->type, told->path, told->zxid,
                   next != NULL ? next->zxid : 0, stream_change_path (model, at));
}

/* ---- All ------------------------------------------------------------------------------------- */

/* What was asked for behind a stream shows no change that the stream has yet to tell, and nobody is
 * taken to have seen it; but who closes its session gets its answers, and not all that streams had
 * to tell. */
static bool none_is_overtaken (const struct facts *facts, const struct history_event *event,
                               struct objection *objection)
{
    bool seen = event->kind == HISTORY_SEEN;
    uint64_t zxid = seen ? event->u.zxid : event->u.result.zxid;
    const struct fact_call *call = seen ? NULL : facts_call (facts, event->u.result.id);
    const struct fact_client *client = facts_client (facts, event->client);
    const struct model *model = &facts->model;
    for (size_t i = 0; client != NULL && !client->closes && i < client->streams_count; i++) {
        const struct fact_stream *stream = &client->streams[i];
        bool behind = seen ? stream->told && !stream->behind : call->order > stream->order;
        size_t due = stream->whole && !stream->partial && behind
                         ? fact_due_change (facts, client, stream, stream->change, zxid)
                         : model->changes_count;
        if (due < model->changes_count) {
            return object (objection,
                           "client %u is told of %#" PRIx64
                           " before its stream of %s tells %#" PRIx64 " of %s",
                           event->client, zxid, stream->path, model->changes[due].zxid,
                           stream_change_path (model, due));
        }
    }
    return true;
}

/* With each heartbeat a stream says how far it is that was asked to (docs/streams.md): in calm, and
 * unless it or another one has to catch up, which does not take several of them. */
static bool marks_come (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, event->client);
    if (client == NULL || !facts->calm || !client->served || client->beats_count < FACT_BEATS) {
        return true;
    }
    const struct fact_beat *beat = &client->beats[client->beats_count % FACT_BEATS];
    for (size_t i = 0; i < client->streams_count && client->served_ms <= beat->time_ms; i++) {
        const struct fact_stream *stream = &client->streams[i];
        bool marked = (stream->flags & HISTORY_STREAM_PROGRESS) != 0 && stream->whole;
        if (marked && stream->order < beat->order && stream->zxid < beat->seen) {
            return object (objection,
                           "client %u: its stream of %s says to be at %#" PRIx64
                           ", several heartbeats after its client has seen %#" PRIx64,
                           client->number, stream->path, stream->zxid, beat->seen);
        }
    }
    return true;
}

/* Everything has been told. */
static bool all_told (const struct facts *facts, struct objection *objection)
{
    for (struct map_node *node = map_first (&facts->clients); node != NULL;
         node = map_next (&facts->clients, node)) {
        const struct fact_client *client = map_entry (node, struct fact_client, node);
        for (size_t i = 0; i < client->streams_count; i++) {
            const struct fact_stream *stream = &client->streams[i];
            size_t due = fact_due_change (facts, client, stream, stream->change, facts->model.zxid);
            if ((stream->flags & HISTORY_STREAM_NO_SNAPSHOT) != 0 && !stream->whole) {
                continue; /* nobody knows where it begins */
            }
            if (!stream->whole || stream->partial || due < facts->model.changes_count) {
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
    switch (event->kind) {
    case HISTORY_SETTLED:
        return all_told (facts, objection);
    case HISTORY_VALID:
        return marks_come (facts, event, objection);
    case HISTORY_REFUSED:
        return refusal_fits (facts, event, objection);
    case HISTORY_TOLD:
        return told_fits (facts, event, objection);
    case HISTORY_RETURN:
    case HISTORY_SEEN:
        return none_is_overtaken (facts, event, objection);
    default:
        return batch_fits (facts, event, objection);
    }
}
