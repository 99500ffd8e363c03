/* Every write takes effect once, as it was asked for, however often it was sent. */

#include <inttypes.h>

#include "tests/history/rules.h"

/* A write that was answered was executed exactly once: at the zxid that the answer names, behind
 * the writes of its session before it. (The model executes a number once, whatever the log says;
 * what would show a second time shows in everybody's reads.) */
bool rule_acknowledged_once (const struct facts *facts, const struct history_event *event,
                             struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    const struct fact_client *client = facts_client (facts, event->client);
    if (call->number == 0) {
        return true;
    }
    const struct model_result *known =
        model_result (&facts->model, client->session, client->incarnation, call->number);
    if (result->zxid == 0) { /* refused by the client itself, for good */
        return known == NULL ||
               object (objection, "call %" PRIu64 " was refused, and is in the log", call->id);
    }
    if (known == NULL) {
        return object (objection, "call %" PRIu64 " is answered, and the log does not have it",
                       call->id);
    }
    if (result->code == COHORT_EDUPLICATE) {
        /* A result is kept until its client has acknowledged it, and that waits for no other. */
        return object (objection, "call %" PRIu64 " at %#" PRIx64 " has lost its first result",
                       call->id, known->zxid);
    }
    if (result->zxid != known->zxid) {
        return object (objection,
                       "call %" PRIu64 " is answered with %#" PRIx64
                       ", the log has it at %#" PRIx64,
                       call->id, result->zxid, known->zxid);
    }
    return result->zxid > client->written ||
           object (objection,
                   "call %" PRIu64 " is at %#" PRIx64
                   ", an earlier write of its session at %#" PRIx64,
                   call->id, result->zxid, client->written);
}

/* What the log has of a client's write is what the client has asked for, and not before. */
bool rule_logged_as_asked (const struct facts *facts, const struct history_event *event,
                           struct objection *objection)
{
    const struct history_entry *entry = &event->u.entry;
    const struct fact_client *client = facts_owner (facts, entry->session, entry->incarnation);
    if (entry->kind != HISTORY_ENTRY_WRITE || client == NULL ||
        (entry->count == 1 && entry->ops[0].kind == HISTORY_REJECT)) {
        return true;
    }
    if (entry->number == 0 || entry->number > client->asked_count) {
        return object (objection,
                       "the log has write %" PRIu64 " of client %u at %#" PRIx64
                       ", which has asked for %zu",
                       entry->number, client->number, entry->zxid, client->asked_count);
    }
    return history_ops_hash (entry->multi, entry->ops, entry->count) ==
               client->asked[entry->number - 1] ||
           object (objection,
                   "write %" PRIu64 " of client %u is in the log at %#" PRIx64
                   " as something else (%s)",
                   entry->number, client->number, entry->zxid, entry->ops[0].path);
}

/* Sequential creates never give a name twice. */
bool rule_names_differ (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    for (size_t i = 0; i < call->count && i < result->ops_count; i++) {
        if (call->ops[i].kind != HISTORY_CREATE || (call->ops[i].mode & COHORT_SEQUENTIAL) == 0 ||
            result->ops[i].path == NULL) {
            continue;
        }
        if (facts_has_name (facts, result->ops[i].path)) {
            return object (objection, "call %" PRIu64 " creates %s, a name that was given before",
                           call->id, result->ops[i].path);
        }
    }
    return true;
}
