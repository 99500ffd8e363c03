/* What clients ask for, and are answered, in the words of a history. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/src/acl.h"
#include "client/src/requests.h"
#include "cohort/client.h"
#include "tests/history/log_entry.h"
#include "tests/simulation/record.h"

const char *value_said (struct world *world, const void *data, size_t size)
{
    return history_value (data, size, record_take (world, HISTORY_VALUE_SIZE, 1));
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Items, one a line, as a history has them. */
static const char *list_of (struct world *world, const char *acl)
{
    if (acl == NULL) {
        return "";
    }
    char *list = record_take (world, strlen (acl) + 1, 1);
    for (size_t i = 0; acl[i] != '\0'; i++) {
        list[i] = acl[i];
        if (acl[i] == '\n') {
            list[i] = ',';
        }
    }
    return list;
}

/* Who has proven to be the user. */
const char *user_said (struct world *world, const char *name)
{
    char id[DIGEST_ID_SIZE];
    size_t size = DIGEST_ID_SIZE + sizeof "digest:";
    char *text = record_take (world, size, 1);
    (void) snprintf (text, size, "digest:%s", world_user_id (name, id));
    return text;
}

static uint32_t page_mode (const struct wire_list *page)
{
    enum { PERSISTENT = 1, EPHEMERAL = 2 }; /* of client.proto's ChildFilter */
    return (page->descending ? HISTORY_PAGE_DESCENDING : 0u) |
           (page->with_data ? HISTORY_PAGE_DATA : 0u) | (page->with_stat ? HISTORY_PAGE_STAT : 0u) |
           (page->filter == PERSISTENT ? HISTORY_PAGE_PERSISTENT : 0u) |
           (page->filter == EPHEMERAL ? HISTORY_PAGE_EPHEMERAL : 0u);
}

struct history_op op_asked (struct world *world, const struct wire_op *op)
{
    static const enum history_op_kind kinds[] = {
        [WIRE_CREATE] = HISTORY_CREATE,
        [WIRE_DELETE] = HISTORY_DELETE,
        [WIRE_SET] = HISTORY_SET,
        [WIRE_CHECK] = HISTORY_CHECK,
        [WIRE_CHECK_CZXID] = HISTORY_CHECK_CZXID,
        [WIRE_CHECK_OWNER] = HISTORY_CHECK_OWNER,
        [WIRE_CHECK_ABSENT] = HISTORY_CHECK_ABSENT,
        [WIRE_ADD] = HISTORY_ADD,
        [WIRE_DELETE_TREE] = HISTORY_DELETE_TREE,
        [WIRE_CLOSE] = HISTORY_CLOSE,
        [WIRE_KILL] = HISTORY_KILL,
        [WIRE_SET_ACL] = HISTORY_SET_ACL,
        [WIRE_SET_ADMINS] = HISTORY_SET_ADMINS,
        [WIRE_HAND_OVER] = HISTORY_HAND_OVER,
        [WIRE_ADD_AUTH] = HISTORY_ADD_AUTH,
        [WIRE_EXISTS] = HISTORY_EXISTS,
        [WIRE_GET] = HISTORY_GET,
        [WIRE_CHILDREN] = HISTORY_CHILDREN,
        [WIRE_SYNC] = HISTORY_SYNC,
        [WIRE_COUNT] = HISTORY_COUNT,
        [WIRE_EPHEMERALS] = HISTORY_EPHEMERALS,
        [WIRE_UNWATCH] = HISTORY_UNWATCH,
        [WIRE_WHOAMI] = HISTORY_WHOAMI,
        [WIRE_GET_ACL] = HISTORY_GET_ACL,
        [WIRE_GET_ADMINS] = HISTORY_GET_ADMINS,
        [WIRE_SESSIONS] = HISTORY_SESSIONS,
    };
    const struct wire_list *page = op->list;
    bool children = page != NULL && op->kind == WIRE_CHILDREN;
    bool create = op->kind == WIRE_CREATE, set = op->kind == WIRE_SET;
    bool tree = op->kind == WIRE_DELETE_TREE, add = op->kind == WIRE_ADD;
    bool acl = op->kind == WIRE_SET_ACL;
    bool versioned = set || tree || acl || op->kind == WIRE_DELETE || op->kind == WIRE_CHECK;
    bool present = op->kind == WIRE_DELETE && op->if_present;
    return (struct history_op){
        .kind = present    ? HISTORY_DELETE_IF_PRESENT
                : children ? HISTORY_PAGE
                           : kinds[op->kind],
        .path = op->path != NULL ? op->path : "",
        .value = page != NULL                 ? page->prefix
                 : create || set              ? value_said (world, op->data, op->size)
                 : op->kind == WIRE_HAND_OVER ? history_token (record_arena (world), op->data)
                 : op->kind == WIRE_ADD_AUTH  ? user_said (world, op->user)
                                              : "",
        .after = page != NULL ? page->after : NULL,
        .acl = list_of (world, op->acl),
        .inherited = op->inherited,
        .mode = children                   ? page_mode (page)
                : create                   ? op->mode
                : op->kind == WIRE_UNWATCH ? (uint32_t) op->watcher
                                           : 0,
        .if_absent = create && op->if_absent,
        .ttl_ms = create ? (int64_t) op->ttl_ms : 0,
        .limit = page != NULL                        ? page->limit
                 : tree || op->kind == WIRE_SESSIONS ? op->limit
                                                     : 0,
        .delta = add ? op->delta : 0,
        .floor = add ? op->floor : 0,
        .ceiling = add ? op->ceiling : 0,
        .version = versioned ? op->version : 0,
        .zxid = op->zxid,
        .session = op->session,
        .watch = op->watch,
        .linearizable = op->linearizable,
        .check = op->check,
    };
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* Of a write: a result for each operation. */
static void results_of (struct world *world, const struct request *request,
                        struct history_return *result)
{
    const struct wire_reply *reply = request->reply;
    bool multi = request->wire.op.kind == WIRE_MULTI;
    struct history_result *ops =
        record_take (world, multi ? reply->more->ops_count : 1, sizeof *ops);
    for (size_t i = 0; multi && i < reply->more->ops_count; i++) {
        const cohort_op_result_t *op = &reply->more->ops[i];
        enum wire_kind kind = request->wire.ops[i].kind;
        bool stat = op->rc == 0 && (kind == WIRE_CREATE || kind == WIRE_SET || kind == WIRE_ADD ||
                                    kind == WIRE_SET_ACL);
        stat = stat && (!op->existed || op->stat.czxid != 0); /* it may not be seen */
        ops[i] = (struct history_result){.code = op->rc,
                                         .path = op->path,
                                         .stat = stat ? &op->stat : NULL,
                                         .value = op->value,
                                         .existed = op->existed != 0};
    }
    if (!multi) {
        const char *path = reply->path != NULL && reply->path[0] != '\0' ? reply->path : NULL;
        ops[0] = (struct history_result){.code = request->rc,
                                         .path = path,
                                         .stat = reply->stat,
                                         .value = reply->value,
                                         .existed = reply->existed};
    }
    result->ops = ops;
    result->ops_count = multi ? reply->more->ops_count : 1;
}

/* Of several reads likewise. */
static void reads_of (struct world *world, const struct request *request,
                      struct history_return *result)
{
    const struct wire_reply *reply = request->reply;
    struct history_result *ops = record_take (world, reply->more->reads_count, sizeof *ops);
    for (size_t i = 0; i < reply->more->reads_count; i++) {
        const cohort_read_result_t *read = &reply->more->reads[i];
        bool get = request->wire.ops[i].kind == WIRE_GET;
        ops[i] = (struct history_result){.code = read->rc};
        if (read->rc == 0) {
            ops[i].stat = &read->stat;
            ops[i].value = read->count;
            ops[i].data = get ? value_said (world, read->data, read->size) : NULL;
            ops[i].children = read->children != NULL ? read->children->items : NULL;
            ops[i].children_count = read->children != NULL ? read->children->count : 0;
        }
    }
    result->ops = ops;
    result->ops_count = reply->more->reads_count;
}

static const char *identities_of (struct world *world, const struct wire_reply *reply)
{
    size_t size = 1;
    for (size_t i = 0; i < reply->more->identities_count; i++) {
        size +=
            strlen (reply->more->identities[i].scheme) + strlen (reply->more->identities[i].id) + 2;
    }
    char *text = record_take (world, size, 1);
    for (size_t i = 0, used = 0; i < reply->more->identities_count; i++) {
        used +=
            (size_t) snprintf (text + used, size - used, "%s%s:%s", i > 0 ? "," : "",
                               reply->more->identities[i].scheme, reply->more->identities[i].id);
    }
    return text;
}

/* NULL: an empty one. */
static const char *acl_of (struct world *world, const cohort_acl_t *acl)
{
    static const char letters[] = "rwcda";
    size_t size = 1, used = 0;
    if (acl == NULL) {
        return "";
    }
    for (size_t i = 0; i < acl->count; i++) {
        size += strlen (acl->items[i].scheme) + strlen (acl->items[i].id) + sizeof letters + 3;
    }
    char *text = record_take (world, size, 1);
    for (size_t i = 0; i < acl->count; i++) {
        const cohort_acl_item_t *item = &acl->items[i];
        used += (size_t) snprintf (text + used, size - used, "%s%s:%s:", i > 0 ? "," : "",
                                   item->scheme, item->id);
        for (size_t bit = 0; letters[bit] != '\0'; bit++) {
            if ((item->perms & (1 << bit)) != 0) {
                text[used++] = letters[bit];
            }
        }
    }
    return text;
}

/* Of a page with data or stats. */
static void listed_of (struct world *world, const struct request *request,
                       struct history_return *result)
{
    const struct wire_reply *reply = request->reply;
    char **texts = record_take (world, reply->more->listed_count, sizeof *texts);
    const struct wire_list *page = request->wire.op.list;
    for (size_t i = 0; i < reply->more->listed_count; i++) {
        const cohort_child_t *child = &reply->more->listed[i];
        char stat[HISTORY_STAT_SIZE] = "";
        const char *data = child->hidden      ? "?"
                           : !page->with_data ? ""
                                              : value_said (world, child->data, child->size);
        if (page->with_stat) {
            (void) history_stat (&child->stat, stat);
        }
        size_t size = strlen (child->name) + strlen (stat) + strlen (data) + 3;
        texts[i] = record_take (world, size, 1);
        (void) snprintf (texts[i], size, "%s%s%s%s%s", child->name, page->with_stat ? "@" : "",
                         stat, page->with_data ? "/" : "", data);
    }
    result->children = (const char *const *) texts;
    result->children_count = reply->more->listed_count;
}

static void sessions_of (struct world *world, const struct wire_reply *reply,
                         struct history_return *result)
{
    enum { SIZE = 96 };
    char **texts = record_take (world, reply->more->sessions_count, sizeof *texts);
    for (size_t i = 0; i < reply->more->sessions_count; i++) {
        const cohort_session_info_t *session = &reply->more->sessions[i];
        texts[i] = record_take (world, SIZE, 1);
        (void) snprintf (texts[i], SIZE, "%" PRIu64 "/%" PRIu64 "/%" PRIu32 "/%d", session->id,
                         (uint64_t) session->ephemerals, session->incarnation, session->state);
    }
    result->children = (const char *const *) texts;
    result->children_count = reply->more->sessions_count;
    result->below = reply->more->more_sessions;
}

void answer_said (struct world *world, const struct request *request, struct history_return *result)
{
    const struct wire_reply *reply = request->reply;
    result->code = request->rc;
    if (reply != NULL) {
        result->zxid = reply->zxid;
        if (wire_is_write (request->wire.op.kind)) {
            results_of (world, request, result);
        } else if (request->wire.op.kind == WIRE_MULTI_READ) {
            reads_of (world, request, result);
        } else if (request->rc == 0) {
            const struct wire_op *op = &request->wire.op;
            bool lists = op->kind == WIRE_GET_ACL || op->kind == WIRE_GET_ADMINS;
            result->below = op->kind == WIRE_CHILDREN ? reply->more->next[0] != '\0' : reply->value;
            result->stat = reply->stat;
            result->value = op->kind == WIRE_GET      ? value_said (world, reply->data, reply->size)
                            : op->kind == WIRE_WHOAMI ? identities_of (world, reply)
                            : lists                   ? acl_of (world, reply->more->acl)
                                                      : NULL;
            result->children = reply->more->children.items;
            result->children_count = reply->more->children.count;
            if (reply->more->listed_count > 0) {
                listed_of (world, request, result);
            } else if (op->kind == WIRE_SESSIONS) {
                sessions_of (world, reply, result);
            }
        }
    }
}
