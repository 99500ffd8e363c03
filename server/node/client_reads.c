/* client_reads.c: what reads the tree: comes in, and is answered: see client_state.h.
 *
 * A read is answered from the state as it is when it stands at the front.  A linearizable one waits
 * there until a quorum has confirmed, in a round that began after it came, that this state is no
 * older than that: it has a sync of its own, and all syncs of one turn are one question. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"
#include "server/node/identity_text.h"

/* One of the reads of a multi-read, as the payload of its request has it; its text follows. */
struct part {
    struct request_list list;
    uint8_t kind; /* enum request_kind */
};

/* A read that is being answered. */
struct reading {
    uint64_t session; /* who reads */
    enum request_kind kind;
    const struct request_list *list;
    const char *text; /* path, after, prefix */
    uint32_t looks;   /* children that may be looked at */
    size_t full;      /* bytes of the output with which a page ends */
    struct clients *self;
};

/* ---- Coming in --------------------------------------------------------------------------- */

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
    struct part part = {.kind = REQUEST_EXISTS};
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

/* ---- Watches ----------------------------------------------------------------------------- */

/* Sets the watch that goes with a read; 0, or why not. */
static int set_watch (struct clients *self, struct client *client, const struct request *request,
                      int rc)
{
    static const enum watch_kind kinds[] = {
        [REQUEST_EXISTS] = WATCH_EXISTS,
        [REQUEST_GET] = WATCH_DATA,
        [REQUEST_CHILDREN] = WATCH_CHILDREN,
    };
    bool wanted =
        request->watch && (rc == 0 || (rc == COHORT_ENONODE && request->kind == REQUEST_EXISTS));
    if (!wanted) {
        return rc;
    }
    int set = client_watch_set (self, client, kinds[request->kind],
                                (const char *) request_payload (request), request->list.path_size);
    return set != 0 ? set : rc;
}

static void answer_unwatch (struct clients *self, struct client *client,
                            const struct request *request)
{
    const char *path = (const char *) request_payload (request);
    bool any =
        client_watch_drop (self, client, request->flags, path, request->size, request->check);
    bool sound = tree_path_check (self->tree, path, request->size, false) == 0;
    struct wire_client_reply reply = {
        .xid = request->xid,
        .code = any     ? 0
                : sound ? COHORT_ENOWATCHER
                        : COHORT_EPATH,
        .zxid = tree_zxid (self->tree),
    };
    client_reply_plain (self, client, &reply);
}

/* ---- Children ---------------------------------------------------------------------------- */

enum { CHILD_BYTES = 24 }; /* of a child in a page, about */

struct page {
    const struct reading *reading;
    const struct request_list *list;
    struct buf *out;
    size_t full; /* bytes of out, with which the page ends */
    bool any;
};

static bool add_child (void *arg, const struct tree_child *child)
{
    struct page *page = arg;
    const struct tree *tree = page->reading->self->tree;
    uint64_t session = page->reading->session;
    bool with_data = page->list->with_data;
    bool hidden = with_data && tree_node_sight (tree, session, child->znode) != TREE_WHOLE;
    /* Where a page ends says nothing of the size of what is hidden. */
    uint32_t data_size = with_data && !hidden ? child->data_size : 0;
    if (page->any && page->out->size + child->name_size + data_size > page->full) {
        return false;
    }
    page->any = true;
    if (!page->list->with_stat && !with_data) {
        wire_client_reply_name (page->out, child->name, child->name_size);
        return true;
    }
    cohort_stat_t stat;
    if (page->list->with_stat) {
        tree_child_stat (tree, session, child, &stat);
    }
    wire_client_reply_child (page->out, child->name, child->name_size,
                             page->list->with_stat ? &stat : NULL,
                             with_data && !hidden ? child->data : NULL, data_size, hidden);
    return true;
}

/* It counts for the turn; and for the entry, behind which the read was answered. */
static void has_looked (struct clients *self, uint64_t looks)
{
    self->work += looks / WORK_LOOKS;
    self->told += (uint32_t) (looks / WORK_LOOKS);
}

/* A page of children: no more than one turn can bear, however many there are.  Returns how much was
 * looked at for it. */
static uint32_t put_children (const struct reading *reading, struct buf *out)
{
    uint32_t looked = 0;
    const struct request_list *asked = reading->list;
    const char *path = reading->text;
    struct tree_list list = {
        .after = path + asked->path_size,
        .after_size = asked->after_size,
        .prefix = path + asked->path_size + asked->after_size,
        .prefix_size = asked->prefix_size,
        .filter = (enum tree_filter) asked->filter,
        .descending = asked->descending,
        .limit = asked->limit,
        .looks = reading->looks,
        .looked = &looked,
    };
    struct page page = {.reading = reading, .list = asked, .out = out, .full = reading->full};
    struct tree_name next;
    int rc =
        tree_children (reading->self->tree, path, asked->path_size, &list, add_child, &page, &next);
    if (rc != 0) {
        out->failed = true;
    } else if (next.size > 0) {
        wire_client_reply_next (out, next.name, next.size);
    }
    has_looked (reading->self, looked);
    return looked;
}

/* ---- Answering --------------------------------------------------------------------------- */

/* Looks the znode of a read up, as the client may see it. */
static int find (const struct clients *self, const struct client *client, enum request_kind kind,
                 const char *path, size_t size, struct tree_node *node)
{
    enum tree_sight wanted = kind == REQUEST_EXISTS ? TREE_BARE : TREE_WHOLE;
    return tree_get_as (self->tree, client->session, wanted, path, size, node);
}

/* About how many bytes the answer has. */
static size_t guess (enum request_kind kind, const struct tree_node *node)
{
    if (kind == REQUEST_GET) {
        return node->data_size;
    }
    size_t children = (size_t) node->stat.child_count * CHILD_BYTES;
    return kind != REQUEST_CHILDREN ? 0 : children < LIST_BYTES ? children : LIST_BYTES;
}

/* What was found, in the fields that its kind has.  Returns how many znodes were looked at. */
static uint32_t put_found (const struct reading *reading, const struct tree_node *node,
                           struct buf *out)
{
    wire_client_reply_stat (out, &node->stat);
    switch (reading->kind) {
    case REQUEST_GET:
        wire_client_reply_data (out, node->data, node->data_size);
        break;
    case REQUEST_CHILDREN:
        return put_children (reading, out);
    case REQUEST_COUNT:
        wire_client_reply_value (out, (int64_t) node->below);
        break;
    default:
        break;
    }
    return 1;
}

static void answer_read (struct clients *self, struct client *client, const struct request *request)
{
    const char *path = (const char *) request_payload (request);
    struct tree_node node;
    int rc = find (self, client, (enum request_kind) request->kind, path, request->list.path_size,
                   &node);
    if (rc == COHORT_ECORRUPT) {
        return; /* this server is about to stop, and another one answers */
    }
    char detail[DETAIL_SIZE];
    int found = rc;
    rc = set_watch (self, client, request, rc);
    struct wire_client_reply reply = {
        .xid = request->xid,
        .code = rc,
        .zxid = tree_zxid (self->tree),
    };
    if (rc == COHORT_ELIMIT && found != rc) {
        (void) snprintf (detail, sizeof detail,
                         "the client has %" PRIu32 " one-shot watches; that is the limit",
                         client->watches);
        reply.detail = detail;
        reply.detail_size = strlen (detail);
    }
    if (rc != 0) {
        client_reply_plain (self, client, &reply);
        return;
    }
    struct buf *out = deliver_begin (self, client);
    if (out == NULL) {
        return;
    }
    struct wire_mark mark =
        wire_client_reply_begin (out, &reply, guess ((enum request_kind) request->kind, &node));
    struct reading reading = {
        .session = client->session,
        .kind = (enum request_kind) request->kind,
        .list = &request->list,
        .text = path,
        .looks = LIST_LOOKS,
        .full = out->size + LIST_BYTES,
        .self = self,
    };
    (void) put_found (&reading, &node, out);
    wire_client_item_end (out, mark);
    deliver_end (self, client);
}

/* ---- Several reads at once --------------------------------------------------------------- */

/* Whether the answer, begun at `start`, has room for the read; it has for the first. */
static bool has_room (const struct buf *out, size_t start, const struct part *part,
                      const struct tree_node *node)
{
    size_t used = out->size - start;
    size_t need = guess ((enum request_kind) part->kind, node);
    return used == 0 || used + need <= READS_BYTES;
}

/* `looks`: children that may still be looked at for all the lists of the multi-read; those that
 * come too late get one each, and go on where they end.  false: damage was found. */
static bool put_part_found (struct clients *self, const struct client *client,
                            const struct part *part, const char *text, size_t start,
                            uint32_t *looks, struct buf *out)
{
    struct tree_node node;
    int rc = find (self, client, (enum request_kind) part->kind, text, part->list.path_size, &node);
    if (rc == COHORT_ECORRUPT) {
        return false;
    }
    if (rc == 0 && !has_room (out, start, part, &node)) {
        rc = COHORT_ETOOBIG;
    }
    size_t read = wire_client_read_begin (out, rc);
    if (rc == 0) {
        struct reading reading = {
            .session = client->session,
            .kind = (enum request_kind) part->kind,
            .list = &part->list,
            .text = text,
            .looks = *looks > 0 ? *looks : 1,
            .full = out->size + LIST_BYTES,
            .self = self,
        };
        uint32_t looked = put_found (&reading, &node, out);
        *looks -= looked < *looks ? looked : *looks;
    }
    wire_client_read_end (out, read);
    return true;
}

static void answer_multi (struct clients *self, struct client *client,
                          const struct request *request)
{
    const uint8_t *at = request_payload (request);
    const uint8_t *end = at + request->size;
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    struct buf *out = deliver_begin (self, client);
    if (out == NULL) {
        return;
    }
    struct wire_mark mark = wire_client_reply_begin (out, &reply, LIST_BYTES);
    size_t start = out->size;
    uint32_t looks = LIST_LOOKS;
    bool sound = true;
    while (at < end && sound && !out->failed) {
        struct part part;
        memcpy (&part, at, sizeof part);
        at += sizeof part;
        sound = put_part_found (self, client, &part, (const char *) at, start, &looks, out);
        at += (size_t) part.list.path_size + part.list.after_size + part.list.prefix_size;
    }
    if (sound) {
        wire_client_item_end (out, mark);
    } else {
        buf_truncate (out, self->open_size); /* another server answers */
    }
    deliver_end (self, client);
}

/* ---- Ephemerals, and who somebody is ------------------------------------------------------ */

static bool add_path (void *arg, const char *path, size_t size)
{
    struct page *page = arg;
    if (page->any && page->out->size + size > page->full) {
        return false;
    }
    page->any = true;
    wire_client_reply_name (page->out, path, size);
    return true;
}

/* What a session owns is its own business, and the administrators'; so is whether it lives. */
static int check_session (const struct clients *self, const struct client *client, uint64_t session)
{
    bool may = session == client->session || tree_session_is_admin (self->tree, client->session);
    return may ? 0 : COHORT_ENOAUTH;
}

static void answer_ephemerals (struct clients *self, struct client *client,
                               const struct request *request)
{
    const char *text = (const char *) request_payload (request);
    struct tree_ephemerals list = {
        .after = text,
        .after_size = request->list.after_size,
        .prefix = text + request->list.after_size,
        .prefix_size = request->list.prefix_size,
        .limit = request->list.limit,
        .looks = LIST_LOOKS,
    };
    struct wire_client_reply reply = {
        .xid = request->xid,
        .code = check_session (self, client, request->from),
        .zxid = tree_zxid (self->tree),
    };
    struct buf found = {0}, *next = &self->scratch;
    struct page page = {.out = &found, .full = LIST_BYTES};
    struct tree_session owner = {.ephemerals = 0};
    if (reply.code == 0 && tree_session (self->tree, request->from, &owner)) {
        has_looked (self, owner.ephemerals < LIST_LOOKS ? owner.ephemerals : LIST_LOOKS);
    }
    if (reply.code == 0) {
        reply.code = tree_ephemerals (self->tree, request->from, &list, add_path, &page, next);
    }
    struct buf *out = reply.code != COHORT_ECORRUPT ? deliver_begin (self, client) : NULL;
    if (out != NULL) {
        struct wire_mark mark = wire_client_reply_begin (out, &reply, found.size);
        buf_append (out, found.data, found.size);
        out->failed |= found.failed;
        if (reply.code == 0 && next->size > 0) {
            wire_client_reply_next (out, (const char *) next->data, next->size);
        }
        wire_client_item_end (out, mark);
        deliver_end (self, client);
    }
    buf_deinit (&found);
}

/* Everybody is anyone; what else somebody is, the state knows. */
static void put_identities (const struct clients *self, const struct client *client,
                            struct buf *out)
{
    size_t size = 0;
    const uint8_t *bytes = tree_session_identities (self->tree, client->session, &size);
    struct reader in;
    wire_client_reply_identity (out, "world", "anyone");
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0) {
        struct identity identity;
        char text[IDENTITY_TEXT_SIZE];
        bool decoded = identity_decode (&identity, &in);
        COHORT_ASSERT (decoded); /* apply has looked at them */
        wire_client_reply_identity (out, identity_scheme_name (identity.scheme),
                                    identity_text (&identity, text));
    }
}

static void answer_whoami (struct clients *self, struct client *client,
                           const struct request *request)
{
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    struct buf *out = deliver_begin (self, client);
    if (out != NULL) {
        struct wire_mark mark = wire_client_reply_begin (out, &reply, 0);
        put_identities (self, client, out);
        wire_client_item_end (out, mark);
        deliver_end (self, client);
    }
}

void client_read_answer (struct clients *self, struct client *client, const struct request *request)
{
    switch ((enum request_kind) request->kind) {
    case REQUEST_UNWATCH:
        answer_unwatch (self, client, request);
        break;
    case REQUEST_GET_ACL:
        client_answer_acl (self, client, request);
        break;
    case REQUEST_GET_ADMINS:
        client_answer_admins (self, client, request);
        break;
    case REQUEST_WHOAMI:
        answer_whoami (self, client, request);
        break;
    case REQUEST_EPHEMERALS:
        answer_ephemerals (self, client, request);
        break;
    case REQUEST_MULTI_READ:
        answer_multi (self, client, request);
        break;
    default:
        COHORT_ASSERT (request_is_read (request));
        answer_read (self, client, request);
        break;
    }
}
