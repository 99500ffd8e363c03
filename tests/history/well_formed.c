/* The recorder's own mistakes: a history that could not have happened to anybody. */

#include <inttypes.h>

#include "tests/history/rules.h"

static bool answers_a_call (const struct facts *facts, const struct history_event *event,
                            uint64_t id, struct objection *objection)
{
    const struct fact_call *call = facts_call (facts, id);
    return (call != NULL && call->client == event->client) ||
           object (objection, "client %u has not made call %" PRIu64 ", or knows its result",
                   event->client, id);
}

static bool call_fits (const struct facts *facts, const struct history_event *event,
                       const struct fact_client *client, struct objection *objection)
{
    const struct history_call *call = &event->u.call;
    uint64_t asked = client != NULL ? client->asked_count : 0;
    bool write = call->count > 0 && history_is_write (call->ops[0].kind);
    if (call->count == 0 || (call->count > 1 && !call->multi)) {
        return object (objection, "call %" PRIu64 " has %zu operations", call->id, call->count);
    }
    if (facts_call (facts, call->id) != NULL) {
        return object (objection, "call %" PRIu64 " is made twice", call->id);
    }
    return call->number == (write ? asked + 1 : 0) ||
           object (objection,
                   "call %" PRIu64 " of client %u has number %" PRIu64 " behind %" PRIu64 " writes",
                   call->id, event->client, call->number, asked);
}

static bool session_fits (const struct facts *facts, const struct history_event *event,
                          const struct fact_client *client, struct objection *objection)
{
    uint64_t id = event->u.session.id;
    const struct fact_client *owner = facts_owner (facts, id, event->u.session.incarnation);
    return (id != 0 && event->u.session.incarnation != 0 &&
            (client == NULL || client->session == 0 || client->session == id) &&
            (owner == NULL || owner == client)) ||
           object (objection, "session %" PRIu64 " is not that of client %u alone", id,
                   event->client);
}

bool rule_well_formed (const struct facts *facts, const struct history_event *event,
                       struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, event->client);
    if (event->time_ms < facts->now_ms) {
        return object (objection, "time goes back from %" PRId64 " to %" PRId64, facts->now_ms,
                       event->time_ms);
    }
    if ((event->client != 0) != (event->kind < HISTORY_ENTRY)) {
        return object (objection, "an event of kind %d is of client %u", (int) event->kind,
                       event->client);
    }
    if (client != NULL && client->gone) {
        return object (objection, "client %u is gone, and goes on", event->client);
    }
    switch (event->kind) {
    case HISTORY_OPENED:
        return client == NULL || facts_stream (client, event->u.opened.id) == NULL ||
               object (objection, "client %u opens stream %" PRIu64 " twice", event->client,
                       event->u.opened.id);
    case HISTORY_SESSION:
        return session_fits (facts, event, client, objection);
    case HISTORY_CALL:
        return call_fits (facts, event, client, objection);
    case HISTORY_RETURN:
        return answers_a_call (facts, event, event->u.result.id, objection);
    case HISTORY_UNKNOWN:
        return answers_a_call (facts, event, event->u.id, objection);
    case HISTORY_ENTRY:
        return event->u.entry.zxid > facts->model.zxid ||
               object (objection, "the log goes from %#" PRIx64 " to %#" PRIx64, facts->model.zxid,
                       event->u.entry.zxid);
    default:
        return true;
    }
}
