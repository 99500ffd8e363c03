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
        if (watch->kind == fired->kind && strcmp (watch->path, fired->path) == 0) {
            return watch;
        }
    }
    return NULL;
}

/* A watch that was set anew on another server, which does not remember what happened meanwhile:
 * that server compares. It may skip to a later change, and may report a znode as deleted that was
 * not there, if it cannot know that it never was; it must not report what is not so. */
static bool may_be_compared (const struct facts *facts, const struct fact_client *client,
                             const struct fact_watch *watch, const struct history_fired *fired,
                             bool changed)
{
    const struct model_version *version =
        model_at (model_find (&facts->model, fired->path), fired->zxid);
    if (client->attaches == watch->attaches || fired->zxid <= watch->zxid) {
        return false;
    }
    if (fired->type == COHORT_EVENT_DELETED) {
        return version == NULL && (changed || watch->kind == HISTORY_WATCH_EXISTS);
    }
    return version != NULL && changed;
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
    const struct model_version *first =
        fact_first_event (facts, watch->kind, watch->path, watch->zxid, &type);
    bool changed = first != NULL && first->zxid <= fired->zxid;
    if ((changed && first->zxid == fired->zxid && type == fired->type) ||
        may_be_compared (facts, client, watch, fired, changed)) {
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
        fact_first_event (facts, watch->kind, watch->path, watch->zxid, &type);
    if (event == NULL || event->zxid >= zxid) {
        return false;
    }
    if (client->attaches == watch->attaches) {
        return true;
    }
    for (; event != NULL;) {
        if (event->zxid >= zxid || type == COHORT_EVENT_DELETED) {
            return false;
        }
        event = fact_first_event (facts, watch->kind, watch->path, event->zxid, &type);
    }
    return true;
}

/* Whether a watch should have fired on what a client has seen. */
static bool overdue (const struct facts *facts, const struct fact_watch *watch, uint64_t zxid)
{
    cohort_event_type_t type;
    const struct model_version *event =
        fact_first_event (facts, watch->kind, watch->path, watch->zxid, &type);
    return event != NULL && event->zxid <= zxid;
}

/* firing: the watch whose event this is; NULL: it is no event. */
static bool all_have_fired (const struct facts *facts, const struct fact_client *client,
                            const struct fact_watch *firing, uint64_t zxid,
                            struct objection *objection)
{
    for (size_t i = 0; client != NULL && i < client->watches_count; i++) {
        const struct fact_watch *watch = &client->watches[i];
        bool early = firing == NULL ? overdue (facts, watch, zxid)
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

/* Nobody is shown a state before the events that led to it. */
bool rule_no_watch_lost (const struct facts *facts, const struct history_event *event,
                         struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, event->client);
    if (event->kind == HISTORY_RETURN) {
        return all_have_fired (facts, client, NULL, event->u.result.zxid, objection);
    }
    if (event->kind == HISTORY_FIRED) {
        return all_have_fired (facts, client, find (client, &event->u.fired), event->u.fired.zxid,
                               objection);
    }
    for (struct map_node *node = map_first (&facts->clients); node != NULL;
         node = map_next (&facts->clients, node)) {
        client = map_entry (node, struct fact_client, node);
        if (!all_have_fired (facts, client, NULL, facts->model.zxid, objection)) {
            return false;
        }
    }
    return true;
}
