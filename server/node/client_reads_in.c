/* client_reads_in.c: what reads the tree comes in, as what the queue holds of it: see
 * client_state.h. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"

enum { DETAIL_SIZE = 160 };

/* Takes the read to the end of the queue; a linearizable one with its question. */
static void queue (struct clients *self, struct client *client, struct request *request,
                   const void *payload)
{
    bool asks = request->kind == REQUEST_SYNC || request->linearizable;
    if (asks) {
        request->id = client_sync_add (self, client);
        if (request->id == 0) {
            return;
        }
    }
    if (!client_queue (self, client, request, payload) && asks) {
        client_sync_free (self, client_sync_find (self, request->id)); /* no queue has it */
    }
}

static void refuse_path (struct clients *self, struct client *client, uint64_t xid, size_t size)
{
    char detail[DETAIL_SIZE];
    (void) snprintf (detail, sizeof detail, "a path of %zu bytes; the limit is %" PRIu32, size,
                     tree_limits (self->tree)->path_size_max);
    client_queue_failed (self, client, xid, COHORT_ETOOBIG, detail);
}

/* Appends path, after and prefix to the payload, and notes their sizes: 0, or why not. */
static int put_list (struct buf *payload, struct request_list *list, const Cohort__Wire__List *from)
{
    size_t path = from->path.len, after = from->after.len, prefix = from->prefix.len;
    if (path > ENTRY_PATH_MAX || after > ENTRY_PATH_MAX || prefix > ENTRY_PATH_MAX) {
        return COHORT_ETOOBIG;
    }
    if (from->filter > COHORT__WIRE__CHILD_FILTER__CHILDREN_EPHEMERAL) {
        return COHORT_EUNSUPPORTED;
    }
    *list = (struct request_list){
        .limit = from->limit,
        .path_size = (uint16_t) path,
        .after_size = (uint16_t) after,
        .prefix_size = (uint16_t) prefix,
        .filter = (uint8_t) from->filter,
        .with_stat = from->with_stat,
        .with_data = from->with_data,
        .descending = from->descending,
    };
    buf_append (payload, from->path.data, path);
    buf_append (payload, from->after.data, after);
    buf_append (payload, from->prefix.data, prefix);
    return 0;
}

/* The payload is in the scratch buffer. */
static void queue_scratch (struct clients *self, struct client *client, struct request *request)
{
    if (self->scratch.failed) {
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return;
    }
    request->size = (uint32_t) self->scratch.size;
    queue (self, client, request, self->scratch.data);
}

static void receive_list (struct clients *self, struct client *client, struct request *request,
                          const Cohort__Wire__List *from)
{
    buf_clear (&self->scratch);
    int rc = put_list (&self->scratch, &request->list, from);
    if (rc != 0) {
        client_queue_failed (self, client, request->xid, rc, "");
        return;
    }
    request->kind = REQUEST_CHILDREN;
    request->watch = from->watch;
    queue_scratch (self, client, request);
}

static void receive_ephemerals (struct clients *self, struct client *client,
                                struct request *request, const Cohort__Wire__Ephemerals *from)
{
    Cohort__Wire__List list = COHORT__WIRE__LIST__INIT;
    list.after = from->after;
    list.prefix = from->prefix;
    list.limit = from->limit;
    buf_clear (&self->scratch);
    int rc = put_list (&self->scratch, &request->list, &list);
    if (rc != 0) {
        client_queue_failed (self, client, request->xid, rc, "");
        return;
    }
    request->kind = REQUEST_EPHEMERALS;
    request->from = from->session != 0 ? from->session : client->session;
    queue_scratch (self, client, request);
}

/* Takes one read of a multi-read into the payload. */
static int put_part (struct buf *payload, const Cohort__Wire__ReadOp *from)
{
    struct request_part part = {.kind = REQUEST_EXISTS};
    Cohort__Wire__List plain = COHORT__WIRE__LIST__INIT;
    const Cohort__Wire__List *list = &plain;
    switch (from->op_case) {
    case COHORT__WIRE__READ_OP__OP_EXISTS:
        plain.path = from->exists->path;
        break;
    case COHORT__WIRE__READ_OP__OP_GET:
        part.kind = REQUEST_GET;
        plain.path = from->get->path;
        break;
    case COHORT__WIRE__READ_OP__OP_COUNT:
        part.kind = REQUEST_COUNT;
        plain.path = from->count->path;
        break;
    case COHORT__WIRE__READ_OP__OP_CHILDREN:
        part.kind = REQUEST_CHILDREN;
        list = from->children;
        break;
    default:
        return COHORT_EUNSUPPORTED;
    }
    size_t head = payload->size;
    buf_append (payload, &part, sizeof part);
    int rc = put_list (payload, &part.list, list);
    if (rc == 0 && !payload->failed) {
        memcpy (payload->data + head, &part, sizeof part);
    }
    return rc;
}

static void receive_multi (struct clients *self, struct client *client, struct request *request,
                           const Cohort__Wire__MultiRead *from)
{
    int rc = 0;
    buf_clear (&self->scratch);
    if (from->n_ops > READS_MAX) {
        char detail[DETAIL_SIZE];
        (void) snprintf (detail, sizeof detail, "%zu reads at once; the limit is %d", from->n_ops,
                         READS_MAX);
        client_queue_failed (self, client, request->xid, COHORT_ETOOBIG, detail);
        return;
    }
    for (size_t i = 0; i < from->n_ops && rc == 0; i++) {
        rc = put_part (&self->scratch, from->ops[i]);
    }
    if (rc != 0) {
        client_queue_failed (self, client, request->xid, rc, "");
        return;
    }
    request->kind = REQUEST_MULTI_READ;
    queue_scratch (self, client, request);
}

/* What has a path, and nothing else that varies in size. */
static void receive_plain (struct clients *self, struct client *client, struct request *request,
                           const ProtobufCBinaryData *path)
{
    if (path->len > ENTRY_PATH_MAX) {
        refuse_path (self, client, request->xid, path->len);
        return;
    }
    request->list.path_size = (uint16_t) path->len;
    request->size = (uint32_t) path->len;
    queue (self, client, request, path->data);
}

static void receive_unwatch (struct clients *self, struct client *client, struct request *request,
                             const Cohort__Wire__Unwatch *from)
{
    request->kind = REQUEST_UNWATCH;
    request->flags = from->type;
    request->check = from->check;
    receive_plain (self, client, request, &from->path);
}

void client_read_receive (struct clients *self, struct client *client,
                          const Cohort__Wire__Request *from)
{
    struct request request = {.xid = from->xid,
                              .linearizable =
                                  from->linearizable && !COHORT_MUTATED (linearizable_read_local)};
    switch (from->op_case) {
    case COHORT__WIRE__REQUEST__OP_EXISTS:
        request.kind = REQUEST_EXISTS;
        request.watch = from->exists->watch;
        receive_plain (self, client, &request, &from->exists->path);
        return;
    case COHORT__WIRE__REQUEST__OP_GET:
        request.kind = REQUEST_GET;
        request.watch = from->get->watch;
        receive_plain (self, client, &request, &from->get->path);
        return;
    case COHORT__WIRE__REQUEST__OP_COUNT:
        request.kind = REQUEST_COUNT;
        receive_plain (self, client, &request, &from->count->path);
        return;
    case COHORT__WIRE__REQUEST__OP_GET_ACL:
        request.kind = REQUEST_GET_ACL;
        request.inherited = from->get_acl->inherited;
        receive_plain (self, client, &request, &from->get_acl->path);
        return;
    case COHORT__WIRE__REQUEST__OP_CHILDREN:
        receive_list (self, client, &request, from->children);
        return;
    case COHORT__WIRE__REQUEST__OP_EPHEMERALS:
        receive_ephemerals (self, client, &request, from->ephemerals);
        return;
    case COHORT__WIRE__REQUEST__OP_MULTI_READ:
        receive_multi (self, client, &request, from->multi_read);
        return;
    default:
        break;
    }
    request.linearizable = false; /* the others show nothing of the tree */
    switch (from->op_case) {
    case COHORT__WIRE__REQUEST__OP_SYNC:
        request.kind = REQUEST_SYNC;
        queue (self, client, &request, NULL);
        return;
    case COHORT__WIRE__REQUEST__OP_SESSIONS:
        request.kind = REQUEST_SESSIONS;
        request.from = from->sessions->after;
        request.list.limit = from->sessions->limit;
        queue (self, client, &request, NULL);
        return;
    case COHORT__WIRE__REQUEST__OP_GET_ADMINS:
        request.kind = REQUEST_GET_ADMINS;
        queue (self, client, &request, NULL);
        return;
    case COHORT__WIRE__REQUEST__OP_WHOAMI:
        request.kind = REQUEST_WHOAMI;
        queue (self, client, &request, NULL);
        return;
    case COHORT__WIRE__REQUEST__OP_UNWATCH:
        receive_unwatch (self, client, &request, from->unwatch);
        return;
    case COHORT__WIRE__REQUEST__OP_STREAM_OPEN:
        request.kind = REQUEST_STREAM_OPEN;
        request.id = from->stream_open->stream_id;
        request.from = from->stream_open->from_zxid;
        request.flags = from->stream_open->flags;
        receive_plain (self, client, &request, &from->stream_open->path);
        return;
    case COHORT__WIRE__REQUEST__OP_STREAM_CLOSE:
        request.kind = REQUEST_STREAM_CLOSE;
        request.id = from->stream_close->stream_id;
        queue (self, client, &request, NULL);
        return;
    default:
        client_queue_failed (self, client, request.xid, COHORT_EUNSUPPORTED, "");
        return;
    }
}
