/* client_answer.c: the queue of a session is answered: see client_state.h.
 *
 * Answers go out in the order of the requests.  A write is answered once, when this server has
 * applied it; what follows it in the queue right after that, in the state that it left. */

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/node/client_state.h"
#include "server/tree/result.h"

/* ---- The queue --------------------------------------------------------------------------- */

static void pop (struct clients *self, struct client *client)
{
    const struct request *request = pending_front (&client->queue);
    if (request_is_read (request)) {
        COHORT_ASSERT (client->reads > 0);
        client->reads--;
    } else if (request->kind == REQUEST_WRITE) {
        COHORT_ASSERT (client->writes > 0);
        COHORT_ASSERT (client->write_bytes >= request->size);
        client->writes--;
        client->write_bytes -= request->size;
        client->submitted_writes -= client->submitted_writes > 0;
    } else if (request->kind == REQUEST_STREAM_OPEN) {
        COHORT_ASSERT (client->barriers > 0);
        client->barriers--;
    } else if (request->kind == REQUEST_SYNC) {
        COHORT_ASSERT (client->barriers > 0);
        client->barriers--;
        struct sync *sync = client_sync_find (self, request->id);
        if (sync != NULL) {
            client_sync_free (self, sync);
        }
    }
    pending_pop (self, &client->queue);
    if (client->queue.count == 0 && list_linked (&client->busy_node)) {
        list_remove (&client->busy_node);
    }
}

void client_answer_none (struct clients *self, struct client *client)
{
    while (client->queue.count > 0) {
        pop (self, client);
    }
    COHORT_ASSERT (client->writes == 0);
    COHORT_ASSERT (client->write_bytes == 0);
    COHORT_ASSERT (client->barriers == 0);
    COHORT_ASSERT (client->reads == 0);
}

/* A reply without anything in it. */
static void reply_plain (struct clients *self, struct client *client,
                         const struct wire_client_reply *reply)
{
    struct buf *out = deliver_begin (self, client);
    if (out != NULL) {
        wire_client_item_end (out, wire_client_reply_begin (out, reply, 0));
        deliver_end (self, client);
    }
}

/* ---- Writes ------------------------------------------------------------------------------ */

static void reply_result (struct clients *self, struct client *client,
                          const struct request *request, const uint8_t *data, size_t size)
{
    struct result result;
    bool decoded = result_decode (&result, data, size);
    COHORT_ASSERT (decoded); /* apply has made it */
    struct buf *out = deliver_begin (self, client);
    if (out == NULL) {
        return;
    }
    struct wire_client_reply reply = {
        .xid = request->xid,
        .number = request->number,
        .code = result.code,
        .zxid = result.zxid,
    };
    bool multi = request->multi || result.count > 1;
    struct wire_mark mark = wire_client_reply_begin (out, &reply, multi ? size : 0);
    decoded = wire_client_reply_result (out, &result.ops, result.count, multi);
    COHORT_ASSERT (decoded);
    wire_client_item_end (out, mark);
    deliver_end (self, client);
}

static void reply_gap (struct clients *self, struct client *client, const struct request *request,
                       int code, uint64_t expected)
{
    struct wire_client_reply reply = {
        .xid = request->xid,
        .number = request->number,
        .expected = expected,
        .code = code,
        .zxid = tree_zxid (self->tree),
    };
    reply_plain (self, client, &reply);
}

/* The write at the front, of this number, cannot be applied, so nothing behind it can.  The client
 * will send all of it again, reads included, and has not begun to: the queue is dropped. */
static void start_over (struct clients *self, struct client *client, uint64_t number)
{
    client_answer_none (self, client);
    client->next_number = number;
    client->gap_ms = self->now_ms;
}

/* A number that was applied before: its first answer, if that is still kept. */
static void reply_stored (struct clients *self, struct client *client,
                          const struct request *request, uint64_t last_number)
{
    size_t size;
    const uint8_t *result =
        tree_session_result (self->tree, client->session, request->number, &size);
    if (result != NULL) {
        reply_result (self, client, request, result, size);
        return;
    }
    if (request->number > last_number) {
        reply_gap (self, client, request, COHORT_EGAP, last_number + 1);
        return;
    }
    struct wire_client_reply reply = {
        .xid = request->xid,
        .number = request->number,
        .code = COHORT_EDUPLICATE,
        .zxid = tree_zxid (self->tree),
    };
    reply_plain (self, client, &reply);
}

/* A gap that is none of the client's: what it lacks waits here, and was lost on the way to the
 * leader.  It is sent again, now and then. */
static void repeat_lost (struct clients *self, struct client *client)
{
    if (self->leader && self->now_ms - client->gap_ms >= CLIENT_GAP_MS) {
        client->gap_ms = self->now_ms;
        client_resubmit (self, client);
    }
}

void client_outcome (struct clients *self, struct client *client,
                     const struct tree_outcome *outcome)
{
    const struct request *front = pending_front (&client->queue);
    if (front == NULL || client->doom_text != NULL) {
        return;
    }
    if (front->kind != REQUEST_WRITE || front->number != outcome->number) {
        if (outcome->code == COHORT_EGAP && !outcome->executed) {
            repeat_lost (self, client);
        }
        /* Applied without this server's doing; the queue will come to it. */
        client->recheck |= outcome->executed;
        return;
    }
    if (outcome->executed || outcome->result != NULL) {
        reply_result (self, client, front, outcome->result, outcome->result_size);
        pop (self, client);
    } else if (outcome->code == COHORT_EGAP) {
        reply_gap (self, client, front, COHORT_EGAP, outcome->expected);
        start_over (self, client, outcome->expected);
    } else if (outcome->code == COHORT_EWINDOW) {
        reply_gap (self, client, front, COHORT_EWINDOW, 0);
        start_over (self, client, outcome->number);
    } else if (outcome->code == COHORT_EDUPLICATE) {
        reply_stored (self, client, front, outcome->number);
        pop (self, client);
    } else {
        /* Of another incarnation, or after the end: what ended this client's tenure says so. */
        return;
    }
    client_answer_all (self, client);
}

/* ---- Reads ------------------------------------------------------------------------------- */

/* The payload of a list goes on behind its path. */
static size_t path_size_of (const struct request *request)
{
    return request->kind == REQUEST_CHILDREN ? request->list.path_size : request->size;
}

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
                                (const char *) request_payload (request), path_size_of (request));
    return set != 0 ? set : rc;
}

/* Looks the znode of a read up, and sets the read's watch.  Where to put the answer; NULL: there is
 * nothing more to say. */
static struct buf *read_begin (struct clients *self, struct client *client,
                               const struct request *request, struct tree_node *node,
                               struct wire_client_reply *reply)
{
    const char *path = (const char *) request_payload (request);
    int rc = tree_get (self->tree, path, path_size_of (request), node);
    if (rc == COHORT_ECORRUPT) {
        return NULL; /* this server is about to stop, and another one answers */
    }
    rc = set_watch (self, client, request, rc);
    *reply = (struct wire_client_reply){
        .xid = request->xid,
        .code = rc,
        .zxid = tree_zxid (self->tree),
    };
    if (rc != 0) {
        reply_plain (self, client, reply);
        return NULL;
    }
    return deliver_begin (self, client);
}

static void reply_read (struct clients *self, struct client *client, const struct request *request)
{
    struct tree_node node;
    struct wire_client_reply reply;
    struct buf *out = read_begin (self, client, request, &node, &reply);
    if (out == NULL) {
        return;
    }
    bool get = request->kind == REQUEST_GET;
    struct wire_mark mark = wire_client_reply_begin (out, &reply, get ? node.data_size : 0);
    wire_client_reply_stat (out, &node.stat);
    if (get) {
        wire_client_reply_data (out, node.data, node.data_size);
    }
    wire_client_item_end (out, mark);
    deliver_end (self, client);
}

enum { CHILD_BYTES = 24 }; /* of a child in a page, about */

struct page {
    const struct request_list *list;
    struct buf *out;
    size_t full; /* bytes of out, with which the page ends */
    bool any;
};

static bool add_child (void *arg, const struct tree_child *child)
{
    struct page *page = arg;
    if (page->any && page->out->size + child->name_size + child->data_size > page->full) {
        return false;
    }
    page->any = true;
    if (!page->list->with_stat && !page->list->with_data) {
        wire_client_reply_name (page->out, child->name, child->name_size);
        return true;
    }
    cohort_stat_t stat;
    if (page->list->with_stat) {
        tree_child_stat (child, &stat);
    }
    wire_client_reply_child (page->out, child->name, child->name_size,
                             page->list->with_stat ? &stat : NULL,
                             page->list->with_data ? child->data : NULL, child->data_size);
    return true;
}

/* A page of children: no more than one turn can bear, however many there are. */
static void reply_list (struct clients *self, struct client *client, const struct request *request)
{
    const struct request_list *asked = &request->list;
    const char *path = (const char *) request_payload (request);
    struct tree_node node;
    struct wire_client_reply reply;
    struct buf *out = read_begin (self, client, request, &node, &reply);
    if (out == NULL) {
        return;
    }
    struct tree_list list = {
        .after = path + asked->path_size,
        .after_size = asked->after_size,
        .prefix = path + asked->path_size + asked->after_size,
        .prefix_size = asked->prefix_size,
        .filter = (enum tree_filter) asked->filter,
        .descending = asked->descending,
        .limit = asked->limit,
        .looks = LIST_LOOKS,
    };
    size_t guess = (size_t) node.stat.child_count * CHILD_BYTES;
    struct wire_mark mark =
        wire_client_reply_begin (out, &reply, guess < LIST_BYTES ? guess : LIST_BYTES);
    wire_client_reply_stat (out, &node.stat);
    struct page page = {.list = asked, .out = out, .full = out->size + LIST_BYTES};
    struct tree_name next;
    if (tree_children (self->tree, path, asked->path_size, &list, add_child, &page, &next) != 0) {
        out->failed = true;
    } else if (next.size > 0) {
        wire_client_reply_next (out, next.name, next.size);
    }
    wire_client_item_end (out, mark);
    deliver_end (self, client);
}

static void reply_stream (struct clients *self, struct client *client,
                          const struct request *request)
{
    bool open = request->kind == REQUEST_STREAM_OPEN;
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    struct feed_request wanted = {request->id, (const char *) request_payload (request),
                                  request->size, request->from, request->flags};
    if (open) {
        reply.code = feed_check (self, &wanted);
        if (reply.code == 0) {
            reply.code = feed_room (self, client, request->id);
        }
    } else {
        feed_close (self, client, request->id);
    }
    reply_plain (self, client, &reply);
    /* Behind its reply: from then on the client knows the stream. */
    if (open && reply.code == 0) {
        feed_open (self, client, &wanted);
    }
}

/* ---- Syncs ------------------------------------------------------------------------------- */

static bool is_id (const struct map_node *node, const void *key)
{
    (void) node;
    (void) key;
    return true;
}

struct sync *client_sync_find (const struct clients *self, uint64_t id)
{
    struct map_node *node = map_find (&self->syncs, id, is_id, NULL);
    return node != NULL ? map_entry (node, struct sync, node) : NULL;
}

/* The question of this turn: whoever asks it after its first asker is answered with him, for the
 * answer covers everything committed before the turn's end. */
static uint64_t ask (struct clients *self)
{
    const struct clients_host *host = &self->options.host;
    if (!self->asked) {
        self->asked = true;
        self->last_token++;
        if (self->leader) {
            host->sync (host->arg, self->last_token);
        }
    }
    return self->last_token;
}

uint64_t client_sync_add (struct clients *self, struct client *client)
{
    struct sync *sync = mem_calloc (1, sizeof *sync);
    if (sync == NULL) {
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return 0;
    }
    sync->id = ++self->last_sync;
    sync->token = ask (self);
    sync->connection = client->connection;
    sync->node.hash = sync->id;
    map_insert (&self->syncs, &sync->node);
    list_push_back (&self->sync_order, &sync->list_node);
    return sync->id;
}

void client_sync_free (struct clients *self, struct sync *sync)
{
    map_remove (&self->syncs, &sync->node);
    list_remove (&sync->list_node);
    mem_free (sync);
}

void client_sync_repeat (struct clients *self)
{
    /* What the last leader had proposed may never be applied; and an answer that he has sent is to
     * find nobody. */
    self->asked = false;
    list_splice_back (&self->sync_order, &self->sync_waiting);
    for (struct list_node *at = list_first (&self->sync_order); at != NULL;
         at = list_next (&self->sync_order, at)) {
        list_entry (at, struct sync, list_node)->token = ask (self);
    }
}

static void wake (struct clients *self, const struct sync *sync)
{
    struct client *client = client_find (self, sync->connection);
    COHORT_ASSERT (client != NULL);
    client_dirty (self, client);
}

/* In the order of their zxids, in which they mostly come: what is applied is at the front. */
static void await (struct clients *self, struct sync *sync, zxid_t zxid)
{
    struct list_node *last = list_last (&self->sync_waiting);
    struct list_node *next = NULL;
    sync->zxid = zxid;
    while (last != NULL && list_entry (last, struct sync, list_node)->zxid > zxid) {
        next = last;
        last = list_prev (&self->sync_waiting, last);
    }
    if (next != NULL) {
        list_insert_before (next, &sync->list_node);
    } else {
        list_push_back (&self->sync_waiting, &sync->list_node);
    }
}

void clients_synced (struct clients *self, uint64_t token, zxid_t zxid)
{
    /* Asked in the order of the tokens. */
    struct list_node *node;
    while ((node = list_first (&self->sync_order)) != NULL &&
           list_entry (node, struct sync, list_node)->token <= token) {
        list_remove (node);
        await (self, list_entry (node, struct sync, list_node), zxid);
    }
    client_sync_applied (self, tree_zxid (self->tree));
}

void client_sync_applied (struct clients *self, zxid_t zxid)
{
    struct list_node *node;
    while ((node = list_first (&self->sync_waiting)) != NULL &&
           list_entry (node, struct sync, list_node)->zxid <= zxid) {
        struct sync *sync = list_entry (node, struct sync, list_node);
        sync->done = true;
        list_remove (node);
        list_push_back (&self->sync_done, node);
        wake (self, sync);
    }
}

/* ---- The front --------------------------------------------------------------------------- */

static uint64_t last_number (const struct clients *self, const struct client *client)
{
    struct tree_session session;
    return tree_session (self->tree, client->session, &session) ? session.last_number : 0;
}

/* Whether its reply shows the state as it is when it is answered. */
static bool shows_state (const struct request *request)
{
    switch ((enum request_kind) request->kind) {
    case REQUEST_EXISTS:
    case REQUEST_GET:
    case REQUEST_CHILDREN:
    case REQUEST_SYNC:
    case REQUEST_STREAM_OPEN:
    case REQUEST_FAILED:
        return true;
    default:
        return false;
    }
}

/* Answers the first request; false: it has to wait. */
static bool answer_front (struct clients *self, struct client *client,
                          const struct request *request)
{
    const struct sync *sync;
    struct wire_client_reply reply = {.xid = request->xid, .number = request->number};
    if (client->pulling > 0 && shows_state (request)) {
        return false; /* it would come behind events that are newer than what it shows */
    }
    switch ((enum request_kind) request->kind) {
    case REQUEST_WRITE:
        if (!client->recheck || request->number > last_number (self, client)) {
            client->recheck = false;
            return false;
        }
        reply_stored (self, client, request, request->number);
        return true;
    case REQUEST_STORED:
        reply_stored (self, client, request, last_number (self, client));
        return true;
    case REQUEST_GAP:
        /* What comes behind it may have been sent again already, and stays. */
        reply_gap (self, client, request, COHORT_EGAP, request->id);
        return true;
    case REQUEST_EXISTS:
    case REQUEST_GET:
        if (self->reads_held) {
            return false;
        }
        reply_read (self, client, request);
        return true;
    case REQUEST_CHILDREN:
        if (self->reads_held) {
            return false;
        }
        reply_list (self, client, request);
        return true;
    case REQUEST_SYNC:
        sync = client_sync_find (self, request->id);
        COHORT_ASSERT (sync != NULL);
        if (!sync->done) {
            return false;
        }
        break;
    case REQUEST_STREAM_OPEN:
        reply_stream (self, client, request);
        return true;
    case REQUEST_STREAM_CLOSE:
        reply_stream (self, client, request);
        return true;
    case REQUEST_FAILED:
        reply.code = request->code;
        break;
    }
    reply.zxid = tree_zxid (self->tree);
    reply_plain (self, client, &reply);
    return true;
}

/* true: it could go on, had the output room. */
static bool answer (struct clients *self, struct client *client, bool all)
{
    const struct request *request;
    while (client->doom_text == NULL && (request = pending_front (&client->queue)) != NULL) {
        if (!all && !deliver_room (client)) {
            return true;
        }
        if (!answer_front (self, client, request)) {
            break;
        }
        pop (self, client);
    }
    return false;
}

void client_answer_all (struct clients *self, struct client *client)
{
    answer (self, client, true);
    client_submit_more (self, client);
}

bool client_answer (struct clients *self, struct client *client)
{
    /* Behind reads may be writes on their way: they must not be seen. */
    bool more = answer (self, client, client->submitted_writes > 0);
    client_submit_more (self, client);
    return more;
}
