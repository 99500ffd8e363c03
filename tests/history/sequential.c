/* Local reads: each client sees states in their order, its own writes among them, and never a
 * state that there was not. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/rules.h"
#include "tests/history/shown.h"

enum { PLACE_DIGITS = 16 };

/* A read shows no older state than anything that its client was shown before: by its own writes, by
 * reads, by events; on whichever server.  Changes that streams tell overtake answers that show
 * nothing of the tree. */
bool rule_reads_go_forward (const struct facts *facts, const struct history_event *event,
                            struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    const struct fact_client *client = facts_client (facts, event->client);
    if (call->number > 0 || result->zxid == 0) {
        return true;
    }
    bool streams = fact_is_read (call) && call->ops[0].kind != HISTORY_WHOAMI;
    uint64_t seen = streams && client->followed > client->seen ? client->followed : client->seen;
    return result->zxid >= seen || object (objection,
                                           "call %" PRIu64 " of client %u shows %#" PRIx64
                                           ", it has seen %#" PRIx64 " already",
                                           call->id, client->number, result->zxid, seen);
}

/* A read does not show what its session asks for behind it; but it is evaluated anew when its
 * client attaches elsewhere. (Judged where it is known when that is.) */
bool rule_order_of_session (const struct facts *facts, const struct history_event *event,
                            struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    const struct fact_client *client = facts_client (facts, event->client);
    return call->number == 0 || result->zxid == 0 || (client->server == 0 && !facts->blind) ||
           result->zxid > client->read ||
           object (objection,
                   "call %" PRIu64 " of client %u is a write at %#" PRIx64
                   ", and a read that it has asked for before shows %#" PRIx64,
                   call->id, client->number, result->zxid, client->read);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static bool is_child (const struct model_znode *znode, size_t at, uint64_t zxid)
{
    return model_at (znode->children[at], zxid) != NULL;
}

/* The children that existed, in the order of their names. */
static bool children_fit (const struct model_znode *znode, uint64_t zxid,
                          const struct history_result *told)
{
    size_t found = 0;
    for (size_t i = 0; i < znode->children_count; i++) {
        if (!is_child (znode, i, zxid)) {
            continue;
        }
        if (found == told->children_count ||
            strcmp (told->children[found], znode->children[i]->name) != 0) {
            return false;
        }
        found++;
    }
    return found == told->children_count;
}

/* Whether the session owned it at that zxid, and the path is asked for. */
static bool is_listed (const struct model_znode *znode, uint64_t zxid, uint64_t session,
                       const struct history_op *op)
{
    const struct model_version *version = znode != NULL ? model_at (znode, zxid) : NULL;
    return version != NULL && version->stat.ephemeral_owner == session &&
           strncmp (znode->path, op->value, strlen (op->value)) == 0;
}

/* By age: estate by estate, in each in the order of creation, then of paths. */
static bool is_older (const struct model_znode *a, const struct model_znode *b, uint64_t zxid)
{
    const struct model_version *x = model_at (a, zxid), *y = model_at (b, zxid);
    if (x->estate != y->estate) {
        return x->estate < y->estate;
    }
    return x->stat.czxid != y->stat.czxid ? x->stat.czxid < y->stat.czxid
                                          : strcmp (a->path, b->path) < 0;
}

static bool is_told (const struct history_result *told, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp (told->children[i], path) == 0) {
            return true;
        }
    }
    return false;
}

/* The ephemeral that ended the page before: the place is ESTATE CZXID PATH without spaces between,
 * the numbers with 16 hexadecimal digits. NULL: it has gone since, or is another's. */
static const struct model_znode *anchor_of (const struct facts *facts, uint64_t zxid,
                                            uint64_t session, const char *place)
{
    char czxid[PLACE_DIGITS + 1] = "";
    if (strlen (place) <= 2 * (size_t) PLACE_DIGITS) {
        return NULL;
    }
    memcpy (czxid, place + PLACE_DIGITS, PLACE_DIGITS);
    const struct model_znode *znode = model_find (&facts->model, place + 2 * PLACE_DIGITS);
    const struct model_version *version = znode != NULL ? model_at (znode, zxid) : NULL;
    return version != NULL && version->stat.ephemeral_owner == session &&
                   version->stat.czxid == strtoull (czxid, NULL, 16)
               ? znode
               : NULL;
}

/* Each that is told is one, once, and in the order of age; who is not told is none, unless the page
 * is full: then it is not older. A page behind another begins where that ended, as far as that is
 * known. */
static bool ephemerals_fit (const struct facts *facts, const struct model_session *session,
                            uint64_t zxid, const struct history_op *op,
                            const struct history_result *told)
{
    bool resumed = op->after != NULL && op->after[0] != '\0';
    const struct model_znode *anchor =
        resumed ? anchor_of (facts, zxid, session->id, op->after) : NULL;
    const struct model_znode *newest = anchor;
    for (size_t i = 0; i < told->children_count; i++) {
        const struct model_znode *znode = model_find (&facts->model, told->children[i]);
        if (!is_listed (znode, zxid, session->id, op) ||
            (newest != NULL && !is_older (newest, znode, zxid))) {
            return false;
        }
        newest = znode;
    }
    bool known = !resumed || anchor != NULL;
    bool full = op->limit > 0 && told->children_count == op->limit;
    for (size_t i = 0; i < session->ephemerals_count && known; i++) {
        const struct model_znode *znode = session->ephemerals[i];
        if (is_listed (znode, zxid, session->id, op) &&
            (anchor == NULL || is_older (anchor, znode, zxid)) &&
            (!full || is_older (znode, newest, zxid)) &&
            !is_told (told, told->children_count, znode->path)) {
            return false;
        }
    }
    return op->limit == 0 || told->children_count <= op->limit;
}

/* ---- Reads ----------------------------------------------------------------------------------- */

/* Of the znode that was there. */
static bool shows (const struct facts *facts, const struct fact_call *call, uint64_t zxid,
                   const struct history_op *op, const struct model_version *version,
                   const struct history_result *told, struct objection *objection)
{
    const struct model *model = &facts->model;
    if (told->stat != NULL && !model_stat_equal (told->stat, &version->stat)) {
        return object (objection,
                       "call %" PRIu64 " reads %s at %#" PRIx64 ": version %d of %#" PRIx64
                       ", it should be %d of %#" PRIx64,
                       call->id, op->path, zxid, told->stat->version, told->stat->mzxid,
                       version->stat.version, version->stat.mzxid);
    }
    if (op->kind == HISTORY_GET &&
        (told->data == NULL || strcmp (told->data, version->value) != 0)) {
        return object (
            objection, "call %" PRIu64 " reads %s at %#" PRIx64 ": \"%s\", it should be \"%s\"",
            call->id, op->path, zxid, told->data != NULL ? told->data : "", version->value);
    }
    if (op->kind == HISTORY_COUNT) {
        int64_t below = (int64_t) model_subtree_count (model, op->path, zxid) - 1;
        return told->value == below ||
               object (objection,
                       "call %" PRIu64 " counts %" PRId64 " znodes below %s at %#" PRIx64
                       ", there were %" PRId64,
                       call->id, told->value, op->path, zxid, below);
    }
    const struct fact_client *client = facts_client (facts, call->client);
    struct model_who who = model_who (model, model_session (model, client->session), zxid);
    const struct model_who *anybody = model->lists ? &who : NULL;
    if (op->kind == HISTORY_PAGE) {
        return shown_page_fits (call, anybody, zxid, model_find (model, op->path), told, objection);
    }
    if (op->kind == HISTORY_GET_ACL) {
        return shown_list_fits (call, anybody, version, told, objection);
    }
    return op->kind != HISTORY_CHILDREN ||
           children_fit (model_find (model, op->path), zxid, told) ||
           object (objection,
                   "call %" PRIu64 " reads the children of %s at %#" PRIx64
                   ", %zu of them: not those that there were",
                   call->id, op->path, zxid, told->children_count);
}

/* What a read of the znode is told, for all that it may show. */
static int32_t code_of (const struct facts *facts, const struct fact_call *call, uint64_t zxid,
                        const struct history_op *op, const struct model_znode *znode)
{
    const struct model *model = &facts->model;
    const struct model_version *version = model_at (znode, zxid);
    if (!model->lists) {
        return version != NULL ? 0 : COHORT_ENONODE;
    }
    const struct fact_client *client = facts_client (facts, call->client);
    struct model_who who = model_who (model, model_session (model, client->session), zxid);
    if (version == NULL) {
        return model_absence (model, who, op->path, zxid, 0);
    }
    bool change = op->kind == HISTORY_GET_ACL && model_may (who, version, COHORT_PERM_ADMIN);
    bool may = op->kind == HISTORY_EXISTS ? model_sees (who, znode, zxid)
                                          : change || model_may (who, version, COHORT_PERM_READ);
    return may ? 0 : COHORT_ENOAUTH;
}

static bool read_fits (const struct facts *facts, const struct fact_call *call, uint64_t zxid,
                       const struct history_op *op, const struct history_result *told,
                       struct objection *objection)
{
    const struct model_znode *znode = model_find (&facts->model, op->path);
    int32_t code = code_of (facts, call, zxid, op, znode);
    if (told->code != code) {
        return object (objection,
                       "call %" PRIu64 " reads %s at %#" PRIx64 " and is told %d, it should be %d",
                       call->id, op->path, zxid, told->code, code);
    }
    return code != 0 || shows (facts, call, zxid, op, model_at (znode, zxid), told, objection);
}

/* A client that has a session is told of its ephemerals, whatever of it lives on; of another's only
 * an administrator is. */
static bool owned_fit (const struct facts *facts, const struct fact_call *call, uint64_t zxid,
                       const struct history_result *told, struct objection *objection)
{
    const struct history_op *op = &call->ops[0];
    const struct model *model = &facts->model;
    const struct model_session *own =
        model_session (model, facts_client (facts, call->client)->session);
    bool others = op->session != 0 && (own == NULL || op->session != own->id);
    const struct model_session *session = others ? model_session (model, op->session) : own;
    int32_t code = !others                                          ? 0
                   : !model_is_admin (model_who (model, own, zxid)) ? COHORT_ENOAUTH
                   : !model_has_session (session, zxid)             ? COHORT_ESESSIONEXPIRED
                                                                    : 0;
    bool fits = told->code == code &&
                (code != 0 || (session != NULL && ephemerals_fit (facts, session, zxid, op, told)));
    return fits || object (objection,
                           "call %" PRIu64 " of client %u reads ephemerals at %#" PRIx64
                           " and is told %d, %zu of them: not those that there were",
                           call->id, call->client, zxid, told->code, told->children_count);
}

#define ANYBODY "world:anyone"

/* Anybody, and whoever it was by its connection and by what it had proven. */
static bool own_identities_fit (const struct facts *facts, const struct fact_call *call,
                                uint64_t zxid, const struct history_result *told,
                                struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, call->client);
    const char *who = facts_who (facts, client, zxid).identities;
    size_t size = strlen (ANYBODY);
    bool fits = told->code == 0 && told->data != NULL && strncmp (told->data, ANYBODY, size) == 0;
    fits = fits &&
           (*who == '\0' ? told->data[size] == '\0'
                         : told->data[size] == ',' && strcmp (told->data + size + 1, who) == 0);
    return fits ||
           object (objection,
                   "call %" PRIu64 " of client %u is told %d, that it is \"%s\" at %#" PRIx64
                   "; beside anybody it is \"%s\"",
                   call->id, call->client, told->code, told->data != NULL ? told->data : "", zxid,
                   who);
}

/* What a read shows is what was there at the zxid that it names; several show one state. */
bool rule_read_value (const struct facts *facts, const struct history_event *event,
                      struct objection *objection)
{
    const struct history_return *result = &event->u.result;
    const struct fact_call *call = facts_call (facts, result->id);
    if (!fact_is_read (call) || result->zxid == 0) {
        return true;
    }
    if (result->zxid > facts->model.zxid) {
        return object (objection,
                       "call %" PRIu64 " reads at %#" PRIx64 ", the log ends at %#" PRIx64,
                       call->id, result->zxid, facts->model.zxid);
    }
    const struct history_result alone = {.code = result->code,
                                         .stat = result->stat,
                                         .value = result->below,
                                         .data = result->value,
                                         .children = result->children,
                                         .children_count = result->children_count};
    if (call->ops[0].kind == HISTORY_EPHEMERALS) {
        return owned_fit (facts, call, result->zxid, &alone, objection);
    }
    if (call->ops[0].kind == HISTORY_WHOAMI) {
        return own_identities_fit (facts, call, result->zxid, &alone, objection);
    }
    if (call->ops[0].kind == HISTORY_SESSIONS) {
        return shown_sessions_fit (facts, call, result->zxid, &alone, objection);
    }
    if (call->ops[0].kind == HISTORY_GET_ADMINS) {
        return shown_admins_fit (facts, call, result->zxid, &alone, objection);
    }
    if (!call->multi) {
        return read_fits (facts, call, result->zxid, &call->ops[0], &alone, objection);
    }
    if (result->code != 0 || result->ops_count != call->count) {
        return object (objection, "call %" PRIu64 " of %zu reads is told %d and %zu results",
                       call->id, call->count, result->code, result->ops_count);
    }
    for (size_t i = 0; i < call->count; i++) {
        if (!read_fits (facts, call, result->zxid, &call->ops[i], &result->ops[i], objection)) {
            return false;
        }
    }
    return true;
}
