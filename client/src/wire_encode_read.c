/* Operations that read, and what concerns streams and watches, as messages: alone, or as parts of a
 * multi-read.
 * May include: wire_encode, base, libc. */

#include "client/src/wire_encode.h"

#include "client/base/assert.h"

static Cohort__Wire__Read *read_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Read *read = WIRE_NEW (scratch, Cohort__Wire__Read, COHORT__WIRE__READ__INIT);
    if (read != NULL) {
        read->path = wire_text (op->path);
        read->watch = op->watch;
    }
    return read;
}

static Cohort__Wire__List *list_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__List *list = WIRE_NEW (scratch, Cohort__Wire__List, COHORT__WIRE__LIST__INIT);
    if (list == NULL) {
        return NULL;
    }
    list->path = wire_text (op->path);
    list->watch = op->watch;
    if (op->list != NULL) {
        list->filter = (Cohort__Wire__ChildFilter) op->list->filter;
        list->with_stat = op->list->with_stat;
        list->with_data = op->list->with_data;
        list->descending = op->list->descending;
        list->limit = op->list->limit;
        list->prefix = wire_text (op->list->prefix);
        list->after = wire_text (op->list->after);
    }
    return list;
}

static Cohort__Wire__GetAcl *get_acl_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__GetAcl *get =
        WIRE_NEW (scratch, Cohort__Wire__GetAcl, COHORT__WIRE__GET_ACL__INIT);
    if (get != NULL) {
        get->path = wire_text (op->path);
        get->inherited = op->inherited;
    }
    return get;
}

static Cohort__Wire__ReadOp *read_part_of (struct arena *scratch, const struct wire_op *op)
{
    const void *inner = NULL;
    Cohort__Wire__ReadOp *part =
        WIRE_NEW (scratch, Cohort__Wire__ReadOp, COHORT__WIRE__READ_OP__INIT);
    if (part == NULL) {
        return NULL;
    }
    switch (op->kind) {
    case WIRE_EXISTS:
        part->op_case = COHORT__WIRE__READ_OP__OP_EXISTS;
        inner = part->exists = read_of (scratch, op);
        break;
    case WIRE_GET:
        part->op_case = COHORT__WIRE__READ_OP__OP_GET;
        inner = part->get = read_of (scratch, op);
        break;
    case WIRE_COUNT:
        part->op_case = COHORT__WIRE__READ_OP__OP_COUNT;
        inner = part->count = read_of (scratch, op);
        break;
    default:
        COHORT_ASSERT (op->kind == WIRE_CHILDREN);
        part->op_case = COHORT__WIRE__READ_OP__OP_CHILDREN;
        inner = part->children = list_of (scratch, op);
        break;
    }
    return inner != NULL ? part : NULL;
}

static Cohort__Wire__MultiRead *multi_read_of (struct arena *scratch,
                                               const struct wire_request *request)
{
    Cohort__Wire__MultiRead *multi =
        WIRE_NEW (scratch, Cohort__Wire__MultiRead, COHORT__WIRE__MULTI_READ__INIT);
    if (multi == NULL) {
        return NULL;
    }
    multi->n_ops = request->ops_count;
    multi->ops = arena_calloc (scratch, request->ops_count, sizeof (*multi->ops));
    for (size_t i = 0; multi->ops != NULL && i < request->ops_count; i++) {
        multi->ops[i] = read_part_of (scratch, &request->ops[i]);
        if (multi->ops[i] == NULL) {
            return NULL;
        }
    }
    return multi->ops != NULL ? multi : NULL;
}

static Cohort__Wire__Ephemerals *ephemerals_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Ephemerals *message =
        WIRE_NEW (scratch, Cohort__Wire__Ephemerals, COHORT__WIRE__EPHEMERALS__INIT);
    if (message != NULL) {
        message->session = op->session;
        message->limit = op->list->limit;
        message->prefix = wire_text (op->list->prefix);
        message->after = wire_text (op->list->after);
    }
    return message;
}

static Cohort__Wire__Unwatch *unwatch_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Unwatch *message =
        WIRE_NEW (scratch, Cohort__Wire__Unwatch, COHORT__WIRE__UNWATCH__INIT);
    if (message != NULL) {
        message->path = wire_text (op->path);
        message->type = (Cohort__Wire__WatcherType) op->watcher;
        message->check = op->check;
    }
    return message;
}

static Cohort__Wire__StreamOpen *stream_open_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__StreamOpen *open =
        WIRE_NEW (scratch, Cohort__Wire__StreamOpen, COHORT__WIRE__STREAM_OPEN__INIT);
    if (open != NULL) {
        open->stream_id = op->stream_id;
        open->path = wire_text (op->path);
        open->from_zxid = op->zxid;
        open->flags = op->flags;
    }
    return open;
}

static Cohort__Wire__Sessions *sessions_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Sessions *sessions =
        WIRE_NEW (scratch, Cohort__Wire__Sessions, COHORT__WIRE__SESSIONS__INIT);
    if (sessions != NULL) {
        sessions->after = op->session;
        sessions->limit = op->limit;
    }
    return sessions;
}

const void *wire_fill_read (Cohort__Wire__Request *message, struct arena *scratch,
                            const struct wire_request *request)
{
    const struct wire_op *op = &request->op;
    message->linearizable = op->linearizable;
    switch (op->kind) {
    case WIRE_EXISTS:
        message->op_case = COHORT__WIRE__REQUEST__OP_EXISTS;
        return message->exists = read_of (scratch, op);
    case WIRE_GET:
        message->op_case = COHORT__WIRE__REQUEST__OP_GET;
        return message->get = read_of (scratch, op);
    case WIRE_CHILDREN:
        message->op_case = COHORT__WIRE__REQUEST__OP_CHILDREN;
        return message->children = list_of (scratch, op);
    case WIRE_COUNT:
        message->op_case = COHORT__WIRE__REQUEST__OP_COUNT;
        return message->count = read_of (scratch, op);
    case WIRE_EPHEMERALS:
        message->op_case = COHORT__WIRE__REQUEST__OP_EPHEMERALS;
        return message->ephemerals = ephemerals_of (scratch, op);
    case WIRE_MULTI_READ:
        message->op_case = COHORT__WIRE__REQUEST__OP_MULTI_READ;
        return message->multi_read = multi_read_of (scratch, request);
    case WIRE_WHOAMI:
        message->op_case = COHORT__WIRE__REQUEST__OP_WHOAMI;
        return message->whoami =
                   WIRE_NEW (scratch, Cohort__Wire__WhoAmI, COHORT__WIRE__WHO_AM_I__INIT);
    case WIRE_GET_ACL:
        message->op_case = COHORT__WIRE__REQUEST__OP_GET_ACL;
        return message->get_acl = get_acl_of (scratch, op);
    case WIRE_GET_ADMINS:
        message->op_case = COHORT__WIRE__REQUEST__OP_GET_ADMINS;
        return message->get_admins =
                   WIRE_NEW (scratch, Cohort__Wire__GetAdmins, COHORT__WIRE__GET_ADMINS__INIT);
    case WIRE_UNWATCH:
        message->op_case = COHORT__WIRE__REQUEST__OP_UNWATCH;
        return message->unwatch = unwatch_of (scratch, op);
    case WIRE_SESSIONS:
        message->op_case = COHORT__WIRE__REQUEST__OP_SESSIONS;
        return message->sessions = sessions_of (scratch, op);
    case WIRE_SYNC:
        message->op_case = COHORT__WIRE__REQUEST__OP_SYNC;
        return message->sync = WIRE_NEW (scratch, Cohort__Wire__Sync, COHORT__WIRE__SYNC__INIT);
    case WIRE_STREAM_OPEN:
        message->op_case = COHORT__WIRE__REQUEST__OP_STREAM_OPEN;
        return message->stream_open = stream_open_of (scratch, op);
    default:
        COHORT_ASSERT (op->kind == WIRE_STREAM_CLOSE);
        message->op_case = COHORT__WIRE__REQUEST__OP_STREAM_CLOSE;
        message->stream_close =
            WIRE_NEW (scratch, Cohort__Wire__StreamClose, COHORT__WIRE__STREAM_CLOSE__INIT);
        if (message->stream_close != NULL) {
            message->stream_close->stream_id = op->stream_id;
        }
        return message->stream_close;
    }
}
