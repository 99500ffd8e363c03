/* Ephemerals live as long as their session: the model sees to it that they go with it, in one step;
 * here sessions end neither too early nor too late, and are never counted on by two processes. */

#include <inttypes.h>

#include "tests/history/rules.h"

/* A session may be noticed to have ended this much later than its limits say, with a leader that
 * has a quorum: the disconnect, the next round, the entry's way to the disks. */
enum { SLACK_MS = 5000 };

/* So much later than another server a leader has applied an entry. */
enum { APPLIED_MS = 20 };

bool rule_ends (const struct model_session *session, const struct history_entry *entry)
{
    if (session == NULL || session->dead) {
        return false;
    }
    if (entry->kind == HISTORY_ENTRY_WRITE) {
        return entry->incarnation == session->incarnation &&
               entry->number == session->results_count + 1 && entry->count == 1 &&
               entry->ops[0].kind == HISTORY_CLOSE && !session->killed;
    }
    return entry->kind == HISTORY_ENTRY_CLOSE &&
           (entry->killed ||
            (entry->attach_no == session->attach_no &&
             (entry->incarnation == 0 || entry->incarnation == session->incarnation)));
}

/* None of those who have, or had, the session counts on it; but it may be closed by its owner. */
static bool nobody_counts_on_it (const struct facts *facts, const struct history_event *event,
                                 struct objection *objection)
{
    const struct history_entry *entry = &event->u.entry;
    bool owner_closes = entry->kind == HISTORY_ENTRY_WRITE;
    for (const struct fact_client *client = facts_next_owner (facts, entry->session, NULL);
         client != NULL; client = facts_next_owner (facts, entry->session, client)) {
        if (client->valid_until_ms > event->time_ms &&
            !(owner_closes && client->incarnation == entry->incarnation)) {
            return object (objection,
                           "the session of client %u ends at %#" PRIx64 ", %" PRId64
                           " ms before it may",
                           client->number, entry->zxid, client->valid_until_ms - event->time_ms);
        }
    }
    return true;
}

static bool end_is_due (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    const struct history_entry *entry = &event->u.entry;
    const struct model_session *session = model_session (&facts->model, entry->session);
    if (!rule_ends (session, entry)) {
        return true;
    }
    if (entry->kind == HISTORY_ENTRY_CLOSE && entry->killed && !session->killed) {
        return object (objection,
                       "session %" PRIu64 " is ended at %#" PRIx64 " as killed, by nobody",
                       entry->session, entry->zxid);
    }
    return nobody_counts_on_it (facts, event, objection);
}

/* A heartbeat that was sent behind the attach of another process confirms nothing. Clocks go wrong,
 * and the log is seen when the first server has applied it. (One behind an administrator's wish may
 * do so, until the leader has applied that.) */
static bool beat_in_time (const struct facts *facts, const struct fact_client *client,
                          const struct model_session *session, int64_t until_ms,
                          struct objection *objection)
{
    int64_t limit_ms =
        client->grace_ms < client->timeout_ms ? client->grace_ms : client->timeout_ms;
    int64_t beat_ms = facts_beat_ms (client, until_ms) - rule_skew_ms (limit_ms) - APPLIED_MS;
    int64_t attached_ms = facts_attached_ms (facts, session->id);
    return facts->blind || session->incarnation <= client->incarnation || beat_ms <= attached_ms ||
           object (objection,
                   "client %u counts on its session by a heartbeat of %" PRId64
                   " ms behind the attach of another process",
                   client->number, beat_ms - attached_ms);
}

/* Who counts on a session is the only one, and it has not ended, but by his own wish. */
static bool counts_alone (const struct facts *facts, const struct history_event *event,
                          struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, event->client);
    const struct model_session *session =
        client != NULL ? model_session (&facts->model, client->session) : NULL;
    int64_t left_ms = event->u.until_ms - event->time_ms;
    if (session == NULL || left_ms <= 0) {
        return true;
    }
    if (!beat_in_time (facts, client, session, event->u.until_ms, objection)) {
        return false;
    }
    bool own_end = session->closed_by_owner && session->incarnation == client->incarnation;
    if (session->dead && !own_end) {
        return object (objection,
                       "client %u counts on its session for %" PRId64
                       " ms, and it has ended at %#" PRIx64,
                       event->client, left_ms, session->closed_zxid);
    }
    for (const struct fact_client *other = facts_next_owner (facts, session->id, NULL);
         other != NULL; other = facts_next_owner (facts, session->id, other)) {
        if (other != client && other->valid_until_ms > event->time_ms) {
            return object (objection,
                           "client %u counts on its session for %" PRId64
                           " ms, and client %u on the same",
                           event->client, left_ms, other->number);
        }
    }
    return true;
}

/* Nobody ends a session that its client counts on, not even an administrator; nobody counts on a
 * session that has ended, and no two processes on the same one. */
bool rule_session_kept (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    return event->kind == HISTORY_ENTRY ? end_is_due (facts, event, objection)
                                        : counts_alone (facts, event, objection);
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
    const struct model_session *session = model_session (&facts->model, entry->session);
    const struct fact_client *client =
        session != NULL ? facts_owner (facts, session->id, session->incarnation) : NULL;
    return client == NULL || !rule_ends (session, entry) ||
           client->kept_epoch != entry->zxid >> HISTORY_EPOCH_SHIFT ||
           client->kept_until_ms <= event->time_ms ||
           object (objection,
                   "the session of client %u ends at %#" PRIx64 ", %" PRId64
                   " ms before it may: its leader was away",
                   client->number, entry->zxid, client->kept_until_ms - event->time_ms);
}

static int64_t later (int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Who is told that its session has ended: it has, or was killed, or another process has it; or it
 * has heard of no server for so long that it must take it to have ended. */
bool rule_session_lost (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, event->client);
    if (client == NULL || client->session == 0) {
        return true; /* it had none */
    }
    const struct model_session *session = model_session (&facts->model, client->session);
    if (!facts_has_session (facts, client) || session->killed) {
        return true;
    }
    int64_t left_ms =
        client->heard_ms == 0 ? 0 : client->heard_ms + client->timeout_ms - event->time_ms;
    return (client->valid_until_ms <= event->time_ms &&
            left_ms <= rule_skew_ms (client->timeout_ms)) ||
           object (objection, "client %u is told that session %" PRIu64 " has ended, and it lives",
                   event->client, client->session);
}

/* In the end whoever is there knows whether its session was killed; but who was about to close it,
 * perhaps for a process before, need not be told. */
static bool knows_its_end (const struct fact_client *client, struct objection *objection)
{
    return client->killed_ms == 0 || client->gone || client->lost || client->closes ||
           object (objection, "client %u was killed at %" PRId64 " ms, and nobody has told it",
                   client->number, client->killed_ms);
}

/* The session of a client that is gone, or was killed, ends within its time limit, once somebody
 * can end it; unless another process goes on with it. What it asked for last may be an attach,
 * which is logged when there is room again. */
bool rule_session_ended (const struct facts *facts, const struct history_event *event,
                         struct objection *objection)
{
    if (!facts->led) {
        return true;
    }
    for (struct map_node *node = map_first (&facts->clients); node != NULL;
         node = map_next (&facts->clients, node)) {
        const struct fact_client *client = map_entry (node, struct fact_client, node);
        if (client->session == 0 || (!client->gone && client->killed_ms == 0)) {
            continue;
        }
        if (event->kind == HISTORY_SETTLED && !knows_its_end (client, objection)) {
            return false;
        }
        int64_t limit_ms = client->killed_ms != 0 && client->grace_ms < client->timeout_ms
                               ? client->grace_ms
                               : client->timeout_ms;
        int64_t over_ms = client->killed_ms != 0
                              ? client->killed_ms
                              : later (client->gone_ms, facts_attached_ms (facts, client->session));
        if (event->time_ms > later (over_ms, facts->led_ms) + limit_ms + SLACK_MS &&
            facts_has_session (facts, client)) {
            return object (objection,
                           "client %u is %s for %" PRId64 " ms, and its session lives on",
                           client->number, client->killed_ms != 0 ? "killed" : "gone",
                           event->time_ms - over_ms);
        }
    }
    return true;
}
