/* Ephemerals live as long as their session: the model sees to it that they go with it, in one step;
 * here sessions end neither too early nor too late. */

#include <inttypes.h>

#include "tests/history/rules.h"

/* A session may be noticed to have ended this much later than its limits say, with a leader that
 * has a quorum: the disconnect, the next round, the entry's way to the disks. */
enum { SLACK_MS = 5000 };

enum { EPOCH_SHIFT = 40 }; /* of a zxid */

/* Whether the entry will end the session: what the model will find. */
static bool ends (const struct model_session *session, const struct history_entry *entry)
{
    return session != NULL && !session->dead && !entry->killed &&
           entry->attach_no == session->attach_no &&
           (entry->incarnation == 0 || entry->incarnation == session->incarnation);
}

/* Nobody ends a session that its client counts on; and nobody counts on a session that has ended.
 * (Its owner may close it, and who kills it must wait; that is another rule's.) */
bool rule_session_kept (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    const struct fact_client *client;
    const struct model_session *session;
    if (event->kind == HISTORY_ENTRY) {
        if (event->u.entry.kind != HISTORY_ENTRY_CLOSE) {
            return true;
        }
        client = facts_owner (facts, event->u.entry.session);
        session = model_session (&facts->model, event->u.entry.session);
        return client == NULL || !ends (session, &event->u.entry) ||
               client->valid_until_ms <= event->time_ms ||
               object (
                   objection,
                   "the session of client %u ends at %#" PRIx64 ", %" PRId64 " ms before it may",
                   client->number, event->u.entry.zxid, client->valid_until_ms - event->time_ms);
    }
    client = facts_client (facts, event->client);
    session = client != NULL ? model_session (&facts->model, client->session) : NULL;
    return session == NULL || !session->dead || session->closed_by_owner ||
           event->u.until_ms <= event->time_ms ||
           object (objection,
                   "client %u counts on its session for %" PRId64
                   " ms, and it has ended at %#" PRIx64,
                   event->client, event->u.until_ms - event->time_ms, session->closed_zxid);
}

/* A leader that has stood still, and leads on, does not end sessions for the silence that was its
 * own. */
bool rule_session_survives_stall (const struct facts *facts, const struct history_event *event,
                                  struct objection *objection)
{
    const struct history_entry *entry = &event->u.entry;
    if (entry->kind != HISTORY_ENTRY_CLOSE || !entry->silent) {
        return true;
    }
    const struct fact_client *client = facts_owner (facts, entry->session);
    return client == NULL || !ends (model_session (&facts->model, entry->session), entry) ||
           client->kept_epoch != entry->zxid >> EPOCH_SHIFT ||
           client->kept_until_ms <= event->time_ms ||
           object (objection,
                   "the session of client %u ends at %#" PRIx64 ", %" PRId64
                   " ms before it may: its leader was away",
                   client->number, entry->zxid, client->kept_until_ms - event->time_ms);
}

/* The session of a client that is gone ends within its time limit, once somebody can end it. */
bool rule_session_ended (const struct facts *facts, const struct history_event *event,
                         struct objection *objection)
{
    if (!facts->led) {
        return true;
    }
    for (struct map_node *node = map_first (&facts->clients); node != NULL;
         node = map_next (&facts->clients, node)) {
        const struct fact_client *client = map_entry (node, struct fact_client, node);
        if (!client->gone || client->session == 0) {
            continue;
        }
        const struct model_session *session = model_session (&facts->model, client->session);
        int64_t since_ms = client->gone_ms > facts->led_ms ? client->gone_ms : facts->led_ms;
        if (session != NULL && !session->dead &&
            event->time_ms > since_ms + client->timeout_ms + SLACK_MS) {
            return object (objection,
                           "client %u is gone for %" PRId64 " ms, and its session lives on",
                           client->number, event->time_ms - client->gone_ms);
        }
    }
    return true;
}
