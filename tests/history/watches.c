/* One-shot watches: each reports the first change behind the state that it was set in, in order
 * with everything else that its client is told, once. */

#include <inttypes.h>
#include <string.h>

#include "tests/history/rules.h"

static const struct fact_watch *find (const struct fact_client *client,
                                      const struct history_fired *fired)
{
    for (size_t i = 0; client != NULL && i < client->watches_count; i++) {
        const struct fact_watch *watch = &client->watches[i];
        if (!watch->removed && watch->kind == fired->kind &&
            strcmp (watch->path, fired->path) == 0) {
            return watch;
        }
    }
    return NULL;
}

/* Whether there is nothing any more that a watch could tell its client of. */
static bool is_out_of_sight (const struct facts *facts, const struct fact_client *client,
                             const struct fact_watch *watch, uint64_t zxid)
{
    return facts_denied (facts, client, watch->path, watch->kind == HISTORY_WATCH_CHILDREN, zxid);
}

/* Whether that is so (out), or is not, in any state since that one. */
static bool is_ever (const struct facts *facts, const struct fact_client *client,
                     const struct fact_watch *watch, uint64_t since, bool out)
{
    return facts_ever (facts, client, watch->path, watch->kind == HISTORY_WATCH_CHILDREN, since,
                       out);
}

/* A watch that was set anew on another server, which does not remember what happened meanwhile:
 * that server compares. It may skip to a later change, and may report a znode as deleted that was
 * not there, if it cannot know that it never was, or that its client may not see any more; it must
 * not report what is not so. */
static bool may_be_compared (const struct facts *facts, const struct fact_client *client,
                             const struct fact_watch *watch, const struct history_fired *fired)
{
    cohort_event_type_t type;
    const struct model_version *version =
        model_at (model_find (&facts->model, fired->path), fired->zxid);
    const struct model_version *first =
        fact_first_event (facts, NULL, watch->kind, watch->path, watch->zxid, &type);
    bool changed = first != NULL && first->zxid <= fired->zxid;
    if (client->attaches == watch->attaches || fired->zxid < watch->zxid) {
        return false;
    }
    if (fired->type == COHORT_EVENT_DELETED &&
        is_out_of_sight (facts, client, watch, fired->zxid)) {
        return true;
    }
    if (fired->zxid == watch->zxid) {
        return false;
    }
    if (fired->type == COHORT_EVENT_DELETED) {
        return version == NULL && (changed || watch->kind == HISTORY_WATCH_EXISTS);
    }
    return version != NULL && changed && is_ever (facts, client, watch, fired->zxid, false);
}

/* Whether its client is waiting for the answer to an unwatch that concerns the watch. */
static bool is_taken_back (const struct facts *facts, const struct fact_client *client,
                           const struct fact_watch *watch)
{
    for (struct map_node *node = map_first (&facts->calls); node != NULL;
         node = map_next (&facts->calls, node)) {
        const struct fact_call *call = map_entry (node, struct fact_call, node);
        if (call->client == client->number && !call->ops[0].check &&
            fact_unwatches (&call->ops[0], watch)) {
            return true;
        }
    }
    return false;
}

bool rule_watch_fires (const struct facts *facts, const struct history_event *event,
                       struct objection *objection)
{
    const struct history_fired *fired = &event->u.fired;
    const struct fact_client *client = facts_client (facts, event->client);
    const struct fact_watch *watch = find (client, fired);
    cohort_event_type_t type = 0;
    if (fired->type == COHORT_EVENT_WATCH_LOST) {
        return (client != NULL && client->lost) ||
               object (objection, "client %u loses its watch on %s, not its session", event->client,
                       fired->path);
    }
    if (watch == NULL) {
        return object (objection, "client %u has no watch on %s, and is told event %d at %#" PRIx64,
                       event->client, fired->path, (int) fired->type, fired->zxid);
    }
    if (fact_is_removal (fired->type)) {
        bool child = fired->type == COHORT_EVENT_CHILD_WATCH_REMOVED;
        return (child == (watch->kind == HISTORY_WATCH_CHILDREN) &&
                is_taken_back (facts, client, watch)) ||
               object (objection, "client %u is told event %d of its watch on %s: nobody asked",
                       event->client, (int) fired->type, fired->path);
    }
    const struct model_version *first =
        fact_first_event (facts, client, watch->kind, watch->path, watch->zxid, &type);
    bool changed = first != NULL && first->zxid <= fired->zxid;
    if ((changed && first->zxid == fired->zxid && type == fired->type) ||
        may_be_compared (facts, client, watch, fired)) {
        return true;
    }
    return object (objection,
                   "client %u, watching %s since %#" PRIx64 ", is told event %d at %#" PRIx64
                   ", it should be %d at %#" PRIx64,
                   event->client, fired->path, watch->zxid, (int) fired->type, fired->zxid,
                   (int) type, first != NULL ? first->zxid : 0);
}

/* Whether all that a watch may report is before the zxid, so that an event at it comes too early.
 * On the server that it was set on that is the first change. Another server may have compared: then
 * it is told of some change, or of an absence, which may be later. */
static bool comes_before (const struct facts *facts, const struct fact_client *client,
                          const struct fact_watch *watch, uint64_t zxid)
{
    cohort_event_type_t type;
    const struct model_version *event =
        fact_first_event (facts, client, watch->kind, watch->path, watch->zxid, &type);
    if (event == NULL || event->zxid >= zxid) {
        return false;
    }
    if (client->attaches == watch->attaches) {
        return true;
    }
    if (is_ever (facts, client, watch, zxid, true)) {
        return false;
    }
    for (; event != NULL;) {
        if (event->zxid >= zxid || type == COHORT_EVENT_DELETED ||
            model_at (model_find (&facts->model, watch->path), event->zxid) == NULL) {
            return false; /* it is gone, perhaps with what the event was about: an absence */
        }
        event = fact_first_event (facts, client, watch->kind, watch->path, event->zxid, &type);
    }
    return true;
}

/* Whether a watch should have fired on what a client has seen. */
static bool overdue (const struct facts *facts, const struct fact_client *client,
                     const struct fact_watch *watch, uint64_t zxid)
{
    cohort_event_type_t type;
    const struct model_version *event =
        fact_first_event (facts, client, watch->kind, watch->path, watch->zxid, &type);
    return event != NULL && event->zxid <= zxid;
}

/* Whether it was set anew where its client could not see any more what it is about, and still
 * cannot: that should have been told. */
static bool is_forsaken (const struct facts *facts, const struct fact_client *client,
                         const struct fact_watch *watch)
{
    return client->attaches != watch->attaches && client->attach_zxid != 0 &&
           !is_ever (facts, client, watch, client->attach_zxid, false);
}

/* firing: the watch whose event this is; NULL: it is no event.  Who closes its session has lost its
 * watches, and gets its answers. */
static bool all_have_fired (const struct facts *facts, const struct fact_client *client,
                            const struct fact_watch *firing, uint64_t zxid,
                            struct objection *objection)
{
    bool closes = client != NULL && client->closes;
    for (size_t i = 0; client != NULL && !closes && i < client->watches_count; i++) {
        const struct fact_watch *watch = &client->watches[i];
        bool early = firing == NULL ? overdue (facts, client, watch, zxid)
                                    : comes_before (facts, client, watch, zxid);
        if (watch != firing && early) {
            return object (objection,
                           "client %u is told of %#" PRIx64 ", and not what its watch of kind %d "
                           "on %s, set at %#" PRIx64 ", has to tell",
                           client->number, zxid, (int) watch->kind, watch->path, watch->zxid);
        }
    }
    return true;
}

static bool none_is_forsaken (const struct facts *facts, const struct fact_client *client,
                              struct objection *objection)
{
    for (size_t i = 0; i < client->watches_count && !client->closes; i++) {
        if (is_forsaken (facts, client, &client->watches[i])) {
            return object (objection,
                           "client %u waits for its watch of kind %d on %s, which it cannot see",
                           client->number, (int) client->watches[i].kind, client->watches[i].path);
        }
    }
    return true;
}

/* Nobody is shown a state before the events that led to it. */
bool rule_no_watch_lost (const struct facts *facts, const struct history_event *event,
                         struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, event->client);
    if (event->kind == HISTORY_RETURN) {
        return all_have_fired (facts, client, NULL, event->u.result.zxid, objection);
    }
    if (event->kind == HISTORY_SEEN) {
        return all_have_fired (facts, client, NULL, event->u.zxid, objection);
    }
    if (event->kind == HISTORY_FIRED) {
        return all_have_fired (facts, client, find (client, &event->u.fired), event->u.fired.zxid,
                               objection);
    }
    for (struct map_node *node = map_first (&facts->clients); node != NULL;
         node = map_next (&facts->clients, node)) {
        client = map_entry (node, struct fact_client, node);
        if (!all_have_fired (facts, client, NULL, facts->model.zxid, objection) ||
            !none_is_forsaken (facts, client, objection)) {
            return false;
        }
    }
    return true;
}

/* Who takes back watches, or looks for them, is told whether there were any; and of those that were
 * taken back each has been told.  Who closes its session has none any more. */
bool rule_unwatched (const struct facts *facts, const struct history_event *event,
                     struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    const struct fact_client *client = facts_client (facts, event->client);
    const struct history_op *op = &call->ops[0];
    size_t stay = 0, removed = 0;
    if (op->kind != HISTORY_UNWATCH || result->zxid == 0 || client->closes) {
        return true;
    }
    for (size_t i = 0; i < client->watches_count; i++) {
        bool meant = fact_unwatches (op, &client->watches[i]);
        removed += meant && client->watches[i].removed;
        stay += meant && !client->watches[i].removed;
    }
    bool any = op->check ? stay > 0 : removed > 0;
    return (result->code == (any ? 0 : COHORT_ENOWATCHER) && (op->check || stay == 0)) ||
           object (objection,
                   "client %u %s watches on %s, of which it had %zu, and %zu were taken back: "
                   "it is told %d",
                   event->client, op->check ? "looks for" : "takes back", op->path, stay + removed,
                   removed, result->code);
}
