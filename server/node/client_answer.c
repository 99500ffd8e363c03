/* client_answer.c: the queue of a session is answered: see client_state.h.
 *
 * Answers go out in the order of the requests.  A write is answered once, when this server has
 * applied it; what follows it in the queue right after that, in the state that it left. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"
#include "server/tree/identity.h"
#include "server/tree/result.h"

/* ---- The queue --------------------------------------------------------------------------- */

static void release_credit (struct client *client, const struct request *request)
{
    if (!request->refused) {
        COHORT_ASSERT (client->accepted > 0);
        COHORT_ASSERT (client->write_bytes >= request->size);
        client->accepted--;
        client->write_bytes -= request->size;
    }
}

static void pop (struct clients *self, struct client *client)
{
    const struct request *request = pending_front (&client->queue);
    COHORT_ASSERT (client->reads >= request_weight (request));
    client->reads -= request_weight (request);
    if (request->kind == REQUEST_WRITE) {
        COHORT_ASSERT (client->writes > 0);
        client->writes--;
        self->writers -= client->writes == 0;
        release_credit (client, request);
        client_under_way (self, client, client->submitted_writes - (client->submitted_writes > 0));
    } else if (request->kind == REQUEST_STREAM_OPEN) {
        COHORT_ASSERT (client->barriers > 0);
        client->barriers--;
    } else if (request->kind == REQUEST_SYNC || request->linearizable) {
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
    COHORT_ASSERT (client->accepted == 0);
    COHORT_ASSERT (client->write_bytes == 0);
    COHORT_ASSERT (client->barriers == 0);
    COHORT_ASSERT (client->reads == 0);
}

void client_reply_plain (struct clients *self, struct client *client,
                         const struct wire_client_reply *reply)
{
    struct buf *out = deliver_begin (self, client);
    if (out != NULL) {
        wire_client_item_end (out, wire_client_reply_begin (out, reply, 0));
        deliver_end (self, client);
    }
}

/* ---- Writes ------------------------------------------------------------------------------ */

enum { QUOTA_DETAIL_SIZE = 160 };

/* Which quota stood against an operation, and what is to be said of the znode that has it. */
static void describe_quota (struct wire_client_reply *reply, const struct result *result,
                            char text[QUOTA_DETAIL_SIZE])
{
    struct reader ops = result->ops;
    for (uint32_t i = 0; i < result->count; i++) {
        struct result_op op;
        bool decoded = result_op_decode (&op, &ops);
        COHORT_ASSERT (decoded);
        if (op.has_quota) {
            (void) snprintf (text, QUOTA_DETAIL_SIZE,
                             "would have %" PRId64 " %s; its %s is %" PRId64, op.quota.value,
                             op.quota.kind == TREE_QUOTA_COUNT_HARD ? "znodes, itself counted"
                                                                    : "bytes of data",
                             tree_quota_name (op.quota.kind), op.quota.limit);
            reply->detail = text;
            reply->detail_size = strlen (text);
            reply->quota_path = op.quota.path;
            reply->quota_path_size = op.quota.path_size;
            return;
        }
    }
}

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
    char detail[QUOTA_DETAIL_SIZE];
    if (result.code != 0 && request->detail > 0) {
        COHORT_ASSERT (request->kind == REQUEST_WRITE);
        reply.detail = (const char *) request_payload (request) + (request->size - request->detail);
        reply.detail_size = request->detail;
    } else if (result.code == COHORT_EQUOTA) {
        describe_quota (&reply, &result, detail);
    }
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
    client_reply_plain (self, client, &reply);
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
    client_reply_plain (self, client, &reply);
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

static void answer_behind (struct clients *self, struct client *client);

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
    answer_behind (self, client);
}

/* ---- Streams ----------------------------------------------------------------------------- */

/* The address of a session's client, or NULL. */
static const uint8_t *address_of (const struct clients *self, uint64_t session)
{
    struct reader in;
    struct identity identity;
    size_t size;
    const uint8_t *identities = tree_session_identities (self->tree, session, &size);
    reader_init (&in, identities, size);
    while (reader_left (&in) > 0 && identity_decode (&identity, &in)) {
        if (identity.scheme == IDENTITY_IP && identity.size == IDENTITY_IP_SIZE) {
            return identity.id;
        }
    }
    return NULL;
}

/* Where nobody is an administrator there is nothing to be kept from anybody. */
static bool may_list_sessions (const struct clients *self, const struct client *client)
{
    size_t size;
    (void) tree_admins (self->tree, &size);
    return size == 0 || tree_session_is_admin (self->tree, client->session) ||
           COHORT_MUTATED (sessions_told);
}

static void reply_sessions (struct clients *self, struct client *client,
                            const struct request *request)
{
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    if (!may_list_sessions (self, client)) {
        reply.code = COHORT_ENOAUTH;
        client_reply_plain (self, client, &reply);
        return;
    }
    struct buf *out = deliver_begin (self, client);
    if (out == NULL) {
        return;
    }
    uint32_t limit = request->list.limit;
    limit = limit == 0 || limit > SESSIONS_PAGE ? SESSIONS_PAGE : limit;
    struct wire_mark mark = wire_client_reply_begin (out, &reply, LIST_BYTES);
    struct tree_session session = {.id = request->from};
    bool more = tree_session_next (self->tree, session.id, &session);
    for (uint32_t i = 0; more && i < limit; i++) {
        wire_client_reply_session (out, &session, address_of (self, session.id));
        more = tree_session_next (self->tree, session.id, &session);
        self->work++;
    }
    if (more && !COHORT_MUTATED (sessions_cut)) {
        wire_client_reply_more_sessions (out);
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
            reply.code = feed_permit (self, client, &wanted);
        }
        if (reply.code == 0 && feed_room (self, client, request->id) != 0) {
            static const char detail[] =
                "a client has at most 1024 streams and persistent watches at a time";
            _Static_assert(CLIENT_STREAMS_MAX == 1024, "the text has the number");
            reply.code = COHORT_ELIMIT;
            reply.detail = detail;
            reply.detail_size = sizeof detail - 1;
        }
    } else {
        feed_close (self, client, request->id);
    }
    client_reply_plain (self, client, &reply);
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
        if (!COHORT_MUTATED (syncs_not_repeated)) {
            list_entry (at, struct sync, list_node)->token = ask (self);
        }
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
           list_entry (node, struct sync, list_node)->zxid <= zxid + COHORT_MUTATED (sync_early)) {
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
    case REQUEST_COUNT:
    case REQUEST_EPHEMERALS:
    case REQUEST_MULTI_READ:
    case REQUEST_GET_ACL:
    case REQUEST_GET_ADMINS:
    case REQUEST_SESSIONS:
    case REQUEST_WHOAMI:
    case REQUEST_SYNC:
    case REQUEST_STREAM_OPEN:
    case REQUEST_FAILED:
        return true;
    default:
        return false;
    }
}

/* Whether a quorum has confirmed the state as it is here to be no older than the request. */
static bool is_synced (const struct clients *self, const struct request *request)
{
    const struct sync *sync = client_sync_find (self, request->id);
    COHORT_ASSERT (sync != NULL);
    return sync->done;
}

/* Whether a read waits for a quorum. Not if writes of the same session are on their way behind it:
 * it must not see them, and what it has waited for has just been applied. */
static bool is_held (const struct clients *self, const struct client *client)
{
    return self->reads_held && client->submitted_writes == 0;
}

/* Answers the first request; false: it has to wait. */
static bool answer_front (struct clients *self, struct client *client,
                          const struct request *request)
{
    struct wire_client_reply reply = {.xid = request->xid, .number = request->number};
    if (client->pulling > 0 && shows_state (request) && !COHORT_MUTATED (read_behind_events)) {
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
    case REQUEST_CHILDREN:
    case REQUEST_COUNT:
    case REQUEST_EPHEMERALS:
    case REQUEST_MULTI_READ:
    case REQUEST_GET_ACL:
    case REQUEST_GET_ADMINS:
    case REQUEST_WHOAMI:
        if (is_held (self, client) || (request->linearizable && !is_synced (self, request))) {
            return false;
        }
        client_read_answer (self, client, request);
        return true;
    case REQUEST_UNWATCH:
        client_read_answer (self, client, request);
        return true;
    case REQUEST_SESSIONS:
        if (is_held (self, client)) {
            return false;
        }
        reply_sessions (self, client, request);
        return true;
    case REQUEST_SYNC:
        if (!is_synced (self, request)) {
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
        reply.detail = (const char *) request_payload (request);
        reply.detail_size = request->size;
        break;
    }
    reply.zxid = tree_zxid (self->tree);
    client_reply_plain (self, client, &reply);
    return true;
}

/* true: it could go on, had the output room, and the turn time.  all: without regard to either
 * while there are writes behind, for the state is about to change. */
static bool answer (struct clients *self, struct client *client, bool all)
{
    const struct request *request;
    while (client->doom_text == NULL && (request = pending_front (&client->queue)) != NULL) {
        bool may_wait = !all || client->writes == 0;
        if (may_wait && (!deliver_room (self, client) || clients_tired (self))) {
            return true;
        }
        if (!answer_front (self, client, request)) {
            break;
        }
        pop (self, client);
    }
    return false;
}

/* After a write was answered.  A read that is followed by a write can wait no longer, for streams
 * that catch up either. */
static void answer_behind (struct clients *self, struct client *client)
{
    if (client->pulling > 0 && client->reads > 0 && client->writes > 0) {
        uint64_t before = self->work;
        feed_pull_all (self, client);
        self->told += (uint32_t) (self->work - before);
    }
    if (answer (self, client, true)) {
        client_dirty (self, client);
    }
    client_submit_more (self, client);
}

bool client_answer (struct clients *self, struct client *client)
{
    /* Behind reads may be writes on their way: they must not be seen. */
    bool more = answer (self, client, client->submitted_writes > 0);
    client_submit_more (self, client);
    return more;
}
