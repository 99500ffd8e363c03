/* Limits of time: sessions end neither before theirs, nor, while nothing is disturbed, much later;
 * and then everything is answered soon. */

#include <inttypes.h>

#include "tests/history/rules.h"

enum {
    /* Of what is promised, by clocks that go wrong by 3 %; and what is rounded. */
    SKEW_PERCENT = 4,
    ROUNDING_MS = 10,
    /* In calm: from a deadline to the entry that everybody has. */
    END_MS = 1000,
    /* In calm: a heartbeat is late, for its client or its server had much to do. */
    BEAT_MS = 1000,
    /* In calm: an answer. */
    ANSWER_MS = 2000,
    /* Where servers are real, so much more than in calm: a machine has more to do than they. */
    REAL_MS = 2000
};

static int64_t later (int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t rule_skew_ms (int64_t limit_ms)
{
    return limit_ms * SKEW_PERCENT / 100 + ROUNDING_MS;
}

static int64_t slack_ms (const struct facts *facts)
{
    return facts->blind ? REAL_MS : 0;
}

static int64_t grace_ms (const struct fact_client *client)
{
    return client->grace_ms < client->timeout_ms ? client->grace_ms : client->timeout_ms;
}

/* ---- Not too early --------------------------------------------------------------------------- */

/* Its leader has heard the client when that was attached, with its newest heartbeat of which it was
 * told that a quorum knows, and, in a way, when it began to lead. (Who does not see servers knows
 * of the heartbeat alone.) */
static bool was_silent (const struct facts *facts, const struct history_event *event,
                        const struct fact_client *client, int64_t led_ms,
                        struct objection *objection)
{
    int64_t heard_ms = client->heard_ms - rule_skew_ms (grace_ms (client));
    if (facts->blind && client->heard_ms == 0) {
        return true;
    }
    if (!facts->blind) {
        heard_ms = later (heard_ms, later (led_ms, facts_attached_ms (facts, client->session)));
    }
    int64_t left_ms = heard_ms + client->timeout_ms - event->time_ms;
    return left_ms <= rule_skew_ms (client->timeout_ms) ||
           object (objection,
                   "the session of client %u ends for its silence at %#" PRIx64 ", %" PRId64
                   " ms before its timeout of %u ms is over",
                   client->number, event->u.entry.zxid, left_ms, client->timeout_ms);
}

/* A server has seen the end of its connection; or, where nobody sees that, it was not before the
 * newest call on it that was answered. */
static bool was_gone (const struct facts *facts, const struct history_event *event,
                      const struct fact_client *client, int64_t led_ms, struct objection *objection)
{
    const struct history_entry *entry = &event->u.entry;
    const struct model_session *session = model_session (&facts->model, entry->session);
    const struct fact_ending *ending = facts_ending (client, entry->attach_no, session->server);
    if (ending == NULL && !facts->blind) {
        return object (objection,
                       "the session of client %u ends as disconnected at %#" PRIx64
                       ", and no server has seen the connection of its attach %" PRIu64 " end",
                       client->number, entry->zxid, entry->attach_no);
    }
    if (facts->blind && client->answered_ms == 0) {
        return true;
    }
    int64_t ended_ms = facts->blind ? client->answered_ms : later (ending->ended_ms, led_ms);
    int64_t left_ms = ended_ms + grace_ms (client) - event->time_ms;
    return left_ms <= rule_skew_ms (grace_ms (client)) ||
           object (objection,
                   "the session of client %u ends as disconnected at %#" PRIx64 ", %" PRId64
                   " ms before its grace of %u ms is over",
                   client->number, entry->zxid, left_ms, client->grace_ms);
}

/* A leader ends a session for silence when its timeout is over, and for a connection that has ended
 * when its grace is. (Judged where it is known since when the leader leads.) */
bool rule_session_has_time (const struct facts *facts, const struct history_event *event,
                            struct objection *objection)
{
    const struct history_entry *entry = &event->u.entry;
    const struct model_session *session = model_session (&facts->model, entry->session);
    int64_t led_ms = facts_led_ms (facts, (uint32_t) (entry->zxid >> HISTORY_EPOCH_SHIFT));
    if (entry->kind != HISTORY_ENTRY_CLOSE || entry->killed || (led_ms < 0 && !facts->blind) ||
        !rule_ends (session, entry)) {
        return true;
    }
    const struct fact_client *client = facts_owner (facts, session->id, session->incarnation);
    return client == NULL || (entry->silent ? was_silent (facts, event, client, led_ms, objection)
                                            : was_gone (facts, event, client, led_ms, objection));
}

/* ---- Not too late ---------------------------------------------------------------------------- */

/* In calm the session of a client that is gone ends by its grace, if a server has seen it go and
 * could tell; else by its timeout. */
static bool ends_in_time (const struct facts *facts, const struct history_event *event,
                          const struct fact_client *client, struct objection *objection)
{
    const struct model_session *session = model_session (&facts->model, client->session);
    const struct fact_ending *ending = facts_ending (client, session->attach_no, session->server);
    bool told = ending != NULL && !ending->forgotten && facts_is_heard (facts, session->server);
    int64_t limit_ms = told ? grace_ms (client) : client->timeout_ms;
    int64_t from_ms = later (told ? ending->ended_ms : client->gone_ms,
                             facts_attached_ms (facts, client->session));
    from_ms = later (from_ms, later (facts->calm_ms, facts->led_ms));
    int64_t over_ms = event->time_ms - from_ms - limit_ms;
    return over_ms <= END_MS + slack_ms (facts) + rule_skew_ms (limit_ms) ||
           object (objection,
                   "client %u is gone, and its session lives on for %" PRId64
                   " ms more than its %s, although nothing disturbs its end",
                   client->number, over_ms, told ? "grace" : "timeout");
}

bool rule_session_ends_in_time (const struct facts *facts, const struct history_event *event,
                                struct objection *objection)
{
    if (!facts->calm || !facts->led) {
        return true;
    }
    for (struct map_node *node = map_first (&facts->clients); node != NULL;
         node = map_next (&facts->clients, node)) {
        const struct fact_client *client = map_entry (node, struct fact_client, node);
        if (client->gone && client->session != 0 && facts_has_session (facts, client) &&
            !ends_in_time (facts, event, client, objection)) {
            return false;
        }
    }
    return true;
}

/* Nobody ends the session of a client that is there, and that nothing keeps from being heard. */
bool rule_session_of_served (const struct facts *facts, const struct history_event *event,
                             struct objection *objection)
{
    const struct history_entry *entry = &event->u.entry;
    const struct model_session *session = model_session (&facts->model, entry->session);
    if (entry->kind != HISTORY_ENTRY_CLOSE || entry->killed || !rule_ends (session, entry)) {
        return true;
    }
    const struct fact_client *client = facts_owner (facts, session->id, session->incarnation);
    if (client == NULL || !client->served) {
        return true;
    }
    int64_t limit_ms = entry->silent ? client->timeout_ms : grace_ms (client);
    int64_t served_ms = event->time_ms - client->served_ms;
    return served_ms <= limit_ms + BEAT_MS + slack_ms (facts) + rule_skew_ms (limit_ms) ||
           object (objection,
                   "the session of client %u ends at %#" PRIx64 ", and it is served for %" PRId64
                   " ms without anything amiss",
                   client->number, entry->zxid, served_ms);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static bool answered_in_time (const struct facts *facts, const struct fact_call *call,
                              int64_t now_ms, struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, call->client);
    if (client == NULL || !client->served) {
        return true;
    }
    int64_t waits_ms = now_ms - later (call->made_ms, client->served_ms);
    return waits_ms <= ANSWER_MS + slack_ms (facts) ||
           object (objection,
                   "call %" PRIu64 " of client %u waits for %" PRId64
                   " ms, and nothing is amiss anywhere",
                   call->id, client->number, waits_ms);
}

/* Whoever is served, while all servers are well, has an answer soon. */
bool rule_answered_in_time (const struct facts *facts, const struct history_event *event,
                            struct objection *objection)
{
    if (!facts->calm) {
        return true;
    }
    if (event->kind == HISTORY_RETURN) {
        const struct fact_call *call = facts_call (facts, event->u.result.id);
        return answered_in_time (facts, call, event->time_ms, objection);
    }
    for (struct map_node *node = map_first (&facts->calls); node != NULL;
         node = map_next (&facts->calls, node)) {
        const struct fact_call *call = map_entry (node, struct fact_call, node);
        bool concerned = event->kind == HISTORY_SETTLED || event->client == call->client;
        if (concerned && !answered_in_time (facts, call, event->time_ms, objection)) {
            return false;
        }
    }
    return true;
}
