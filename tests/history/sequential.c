/* Local reads: each client sees states in their order, its own writes among them, and never a
 * state that there was not. */

#include <inttypes.h>
#include <string.h>

#include "tests/history/rules.h"

static bool is_read (const struct fact_call *call)
{
    return call->number == 0 && call->ops[0].kind != HISTORY_SYNC;
}

/* A read shows no older state than anything that its client was shown before: by its own writes, by
 * reads, by events; on whichever server. */
bool rule_reads_go_forward (const struct facts *facts, const struct history_event *event,
                            struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    const struct fact_client *client = facts_client (facts, event->client);
    if (call->number > 0 || result->zxid == 0) {
        return true;
    }
    return result->zxid >= client->seen ||
           object (objection,
                   "call %" PRIu64 " of client %u shows %#" PRIx64 ", it has seen %#" PRIx64
                   " already",
                   call->id, client->number, result->zxid, client->seen);
}

static bool is_child (const struct model_znode *znode, size_t at, uint64_t zxid)
{
    return model_at (znode->children[at], zxid) != NULL;
}

/* The children that existed, in the order of their names. */
static bool children_fit (const struct model_znode *znode, const struct history_return *result)
{
    size_t found = 0;
    for (size_t i = 0; i < znode->children_count; i++) {
        if (!is_child (znode, i, result->zxid)) {
            continue;
        }
        if (found == result->children_count ||
            strcmp (result->children[found], znode->children[i]->name) != 0) {
            return false;
        }
        found++;
    }
    return found == result->children_count;
}

/* What a read shows is what was there at the zxid that it names. */
bool rule_read_value (const struct facts *facts, const struct history_event *event,
                      struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    if (!is_read (call) || result->zxid == 0) {
        return true;
    }
    if (result->zxid > facts->model.zxid) {
        return object (objection,
                       "call %" PRIu64 " reads at %#" PRIx64 ", the log ends at %#" PRIx64,
                       call->id, result->zxid, facts->model.zxid);
    }
    const char *path = call->ops[0].path;
    const struct model_znode *znode = model_find (&facts->model, path);
    const struct model_version *version = model_at (znode, result->zxid);
    int32_t code = version != NULL ? 0 : COHORT_ENONODE;
    if (result->code != code) {
        return object (objection,
                       "call %" PRIu64 " reads %s at %#" PRIx64 " and is told %d, it should be %d",
                       call->id, path, result->zxid, result->code, code);
    }
    if (version == NULL) {
        return true;
    }
    if (result->stat != NULL && !model_stat_equal (result->stat, &version->stat)) {
        return object (objection,
                       "call %" PRIu64 " reads %s at %#" PRIx64 ": version %d of %#" PRIx64
                       ", it should be %d of %#" PRIx64,
                       call->id, path, result->zxid, result->stat->version, result->stat->mzxid,
                       version->stat.version, version->stat.mzxid);
    }
    if (call->ops[0].kind == HISTORY_GET &&
        (result->value == NULL || strcmp (result->value, version->value) != 0)) {
        return object (objection,
                       "call %" PRIu64 " reads %s at %#" PRIx64 ": \"%s\", it should be \"%s\"",
                       call->id, path, result->zxid, result->value != NULL ? result->value : "",
                       version->value);
    }
    return call->ops[0].kind != HISTORY_CHILDREN || children_fit (znode, result) ||
           object (objection,
                   "call %" PRIu64 " reads the children of %s at %#" PRIx64
                   ", %zu of them: not those that there were",
                   call->id, path, result->zxid, result->children_count);
}
