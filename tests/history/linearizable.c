/* Writes, syncs and reads behind a sync are linearizable. The zxids are the witness: the order that
 * they give must agree with real time, and replaying the log in that order (the model) must give
 * exactly the results that clients were told. */

#include <inttypes.h>
#include <string.h>

#include "tests/history/rules.h"

/* What is asked for after somebody was told of a zxid takes effect after it: a write gets a greater
 * one, a sync an equal one at least. */
bool rule_real_time (const struct facts *facts, const struct history_event *event,
                     struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    if (result->zxid == 0) {
        return true; /* refused before it got anywhere */
    }
    if (call->number > 0) {
        return result->zxid > call->floor ||
               object (objection,
                       "call %" PRIu64 " is a write at %#" PRIx64 ", asked for when %#" PRIx64
                       " was told already",
                       call->id, result->zxid, call->floor);
    }
    return call->ops[0].kind != HISTORY_SYNC || result->code != 0 || result->zxid >= call->floor ||
           object (objection,
                   "call %" PRIu64 " syncs with %#" PRIx64 ", asked for when %#" PRIx64
                   " was told already",
                   call->id, result->zxid, call->floor);
}

/* A read behind a sync sees all that was told to anybody before that sync was asked for. */
bool rule_linearizable_read (const struct facts *facts, const struct history_event *event,
                             struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    return !call->linearizable || result->zxid == 0 || result->zxid >= call->sync_floor ||
           object (objection,
                   "call %" PRIu64 " reads at %#" PRIx64 " behind a sync, asked for when %#" PRIx64
                   " was told already",
                   call->id, result->zxid, call->sync_floor);
}

static bool outcome_fits (const struct history_result *told, const struct model_outcome *outcome)
{
    if (told->code != outcome->code || told->value != outcome->value ||
        told->existed != outcome->existed || (told->stat != NULL) != outcome->has_stat ||
        (told->path != NULL) != (outcome->path != NULL)) {
        return false;
    }
    return (told->path == NULL || strcmp (told->path, outcome->path) == 0) &&
           (told->stat == NULL || model_stat_equal (told->stat, &outcome->stat));
}

/* A write's result is what the log, applied in its order, gives. */
bool rule_write_result (const struct facts *facts, const struct history_event *event,
                        struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    const struct fact_client *client = facts_client (facts, event->client);
    const struct model_result *known =
        model_result (&facts->model, client->session, client->incarnation, call->number);
    if (known == NULL || result->zxid != known->zxid) {
        return true; /* none of this rule's business */
    }
    if (result->code != known->code) {
        return object (objection, "call %" PRIu64 " (%s) at %#" PRIx64 " gives %d, it should be %d",
                       call->id, call->ops[0].path, result->zxid, result->code, known->code);
    }
    for (size_t i = 0; i < known->count && result->ops_count > 0; i++) {
        if (i >= result->ops_count || !outcome_fits (&result->ops[i], &known->outcomes[i])) {
            return object (objection,
                           "call %" PRIu64 " (%s) at %#" PRIx64
                           ": operation %zu has another result than the log gives",
                           call->id, call->ops[i].path, result->zxid, i + 1);
        }
    }
    return true;
}
