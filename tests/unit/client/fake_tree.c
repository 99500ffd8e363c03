/* A small ensemble for tests: the tree, the requests, and what follows a change. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/client/ended.h"
#include "tests/unit/client/fake_state.h"

/* Of a change: what a walk has found (client.proto). */
enum { FOUND = 4 };

/* ---- Sending --------------------------------------------------------------------------------- */

static void send_item (struct fake *self, const struct peer *peer, Cohort__Wire__Item *item)
{
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.n_items = 1;
    frame.items = &item;
    frame.zxid = self->zxid;
    fake_send (self, peer, &frame);
}

void fake_send_reply (struct fake *self, const struct peer *peer, Cohort__Wire__Reply *reply)
{
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    item.reply = reply;
    send_item (self, peer, &item);
}

struct peer *fake_peer_of_session (struct fake *self, uint64_t session)
{
    /* The newest connection of a session counts. */
    for (int i = self->peer_count - 1; i >= 0; i--) {
        if (self->peers[i].session == session) {
            return &self->peers[i];
        }
    }
    return NULL;
}

static void send_batch (struct fake *self, const struct peer *peer, uint64_t stream, uint64_t zxid,
                        bool snapshot, struct change *changes, size_t size)
{
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    Cohort__Wire__Change *made = calloc (size + 1, sizeof (*made));
    Cohort__Wire__Change **list = calloc (size + 1, sizeof (*list));
    for (size_t i = 0; i < size; i++) {
        cohort__wire__change__init (&made[i]);
        made[i].kind = changes[i].kind;
        made[i].path = changes[i].path;
        made[i].data.data = (uint8_t *) changes[i].data;
        made[i].data.len = strlen (changes[i].data);
        made[i].stat = &stat;
        list[i] = &made[i];
    }
    Cohort__Wire__StreamBatch batch = COHORT__WIRE__STREAM_BATCH__INIT;
    batch.stream_id = stream;
    batch.zxid = zxid;
    batch.snapshot = snapshot;
    batch.first = 1;
    batch.changes = list;
    batch.n_changes = size;
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_BATCH;
    item.batch = &batch;
    send_item (self, peer, &item);
    free (list);
    free (made);
}

/* ---- The tree -------------------------------------------------------------------------------- */

struct node *fake_find (struct fake *self, const char *path)
{
    for (int i = 0; i < self->node_count; i++) {
        if (strcmp (self->nodes[i].path, path) == 0) {
            return &self->nodes[i];
        }
    }
    return NULL;
}

static bool parent_of (const char *path, char *parent)
{
    snprintf (parent, PATH_MAX_SIZE, "%s", path);
    char *slash = strrchr (parent, '/');
    slash[slash == parent ? 1 : 0] = '\0';
    return strcmp (parent, path) != 0;
}

void fake_fire (struct fake *self, const char *path, int kind, int type)
{
    for (int i = 0; i < self->watch_count; i++) {
        struct fake_watch *watch = &self->watches[i];
        if (watch->kind != kind || strcmp (watch->path, path) != 0) {
            continue;
        }
        Cohort__Wire__WatchEvent event = COHORT__WIRE__WATCH_EVENT__INIT;
        event.type = (uint32_t) type;
        event.kind = (Cohort__Wire__WatchKind) kind;
        event.path = watch->path;
        event.zxid = self->zxid;
        Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
        item.item_case = COHORT__WIRE__ITEM__ITEM_EVENT;
        item.event = &event;
        struct peer *peer = fake_peer_of_session (self, watch->session);
        if (peer != NULL) {
            send_item (self, peer, &item);
            self->watches[i--] = self->watches[--self->watch_count];
        }
    }
}

static bool below (const char *path, const char *root)
{
    size_t size = strlen (root);
    return strcmp (root, "/") == 0 ||
           (strncmp (path, root, size) == 0 && (path[size] == '/' || path[size] == '\0'));
}

/* Everything that follows a change: history, watches, streams. */
static void changed (struct fake *self, const char *path, uint32_t kind, const char *data)
{
    assert (self->history_count < HISTORY_MAX);
    struct change *change = &self->history[self->history_count++];
    snprintf (change->path, sizeof (change->path), "%s", path);
    snprintf (change->data, sizeof (change->data), "%s", data);
    change->zxid = self->zxid;
    change->kind = kind;
    int type = kind == COHORT_CHANGE_CREATED   ? COHORT_EVENT_CREATED
               : kind == COHORT_CHANGE_DELETED ? COHORT_EVENT_DELETED
                                               : COHORT_EVENT_CHANGED;
    fake_fire (self, path, 2, type);
    if (kind != COHORT_CHANGE_CREATED) {
        fake_fire (self, path, 1, type);
    }
    char parent[PATH_MAX_SIZE];
    if (kind != COHORT_CHANGE_DATA && parent_of (path, parent)) {
        fake_fire (self, parent, 3, COHORT_EVENT_CHILDREN);
    }
    for (int i = 0; i < self->stream_count; i++) {
        struct peer *peer = fake_peer_of_session (self, self->streams[i].session);
        if (peer != NULL && below (path, self->streams[i].path)) {
            send_batch (self, peer, self->streams[i].id, self->zxid, false, change, 1);
        }
    }
}

static void text_of (const ProtobufCBinaryData *data, char *text, size_t size)
{
    snprintf (text, size, "%.*s", (int) (data->len < 100 ? data->len : 100),
              data->len > 0 ? (const char *) data->data : "");
}

static int do_create (struct fake *self, const Cohort__Wire__Create *create, uint64_t session,
                      char *made)
{
    char parent[PATH_MAX_SIZE], text[128];
    snprintf (made, PATH_MAX_SIZE, "%s", ended (create->path));
    parent_of (ended (create->path), parent);
    struct node *above = fake_find (self, parent);
    if (above == NULL) {
        return COHORT_ENONODE;
    }
    if ((create->mode & COHORT_SEQUENTIAL) != 0) {
        snprintf (made, PATH_MAX_SIZE, "%.100s%010llu", ended (create->path),
                  (unsigned long long) above->sequence++);
    } else if (fake_find (self, ended (create->path)) != NULL) {
        return COHORT_ENODEEXISTS;
    }
    assert (self->node_count < NODES_MAX);
    struct node *node = &self->nodes[self->node_count++];
    *node = (struct node){.czxid = self->zxid, .mzxid = self->zxid};
    snprintf (node->path, sizeof (node->path), "%s", made);
    node->size = create->data.len;
    node->data = malloc (node->size + 1);
    if (node->size > 0) {
        memcpy (node->data, create->data.data, node->size);
    }
    fake_take_acl (node->acl, create->acl, create->n_acl);
    node->owner = (create->mode & COHORT_EPHEMERAL) != 0 ? session : 0;
    text_of (&create->data, text, sizeof (text));
    changed (self, made, COHORT_CHANGE_CREATED, text);
    return 0;
}

static int do_set (struct fake *self, const Cohort__Wire__Set *set)
{
    struct node *node = fake_find (self, ended (set->path));
    if (node == NULL) {
        return COHORT_ENONODE;
    }
    if (set->version >= 0 && set->version != node->version) {
        return COHORT_EBADVERSION;
    }
    node->data = realloc (node->data, set->data.len + 1);
    if (set->data.len > 0) {
        memcpy (node->data, set->data.data, set->data.len);
    }
    node->size = set->data.len;
    node->version++;
    node->mzxid = self->zxid;
    char text[128];
    text_of (&set->data, text, sizeof (text));
    changed (self, ended (set->path), COHORT_CHANGE_DATA, text);
    return 0;
}

static int do_delete (struct fake *self, const char *path, int32_t version)
{
    struct node *node = fake_find (self, path);
    if (node == NULL) {
        return COHORT_ENONODE;
    }
    if (version >= 0 && version != node->version) {
        return COHORT_EBADVERSION;
    }
    free (node->data);
    *node = self->nodes[--self->node_count];
    changed (self, path, COHORT_CHANGE_DELETED, "");
    return 0;
}

/* Checks first and then acts: enough of a transaction for these tests. */
static int do_multi (struct fake *self, const Cohort__Wire__Multi *multi, uint64_t session)
{
    for (size_t i = 0; i < multi->n_ops; i++) {
        const Cohort__Wire__Op *op = multi->ops[i];
        const char *path = op->op_case == COHORT__WIRE__OP__OP_CHECK     ? ended (op->check->path)
                           : op->op_case == COHORT__WIRE__OP__OP_DELETE  ? ended (op->delete_->path)
                           : op->op_case == COHORT__WIRE__OP__OP_SET     ? ended (op->set->path)
                           : op->op_case == COHORT__WIRE__OP__OP_SET_ACL ? ended (op->set_acl->path)
                                                                         : NULL;
        if (path != NULL && fake_find (self, path) == NULL) {
            return -1 - (int) i;
        }
    }
    for (size_t i = 0; i < multi->n_ops; i++) {
        const Cohort__Wire__Op *op = multi->ops[i];
        char made[PATH_MAX_SIZE];
        if (op->op_case == COHORT__WIRE__OP__OP_CREATE) {
            do_create (self, op->create, session, made);
        } else if (op->op_case == COHORT__WIRE__OP__OP_SET) {
            do_set (self, op->set);
        } else if (op->op_case == COHORT__WIRE__OP__OP_DELETE) {
            do_delete (self, ended (op->delete_->path), -1);
        } else if (op->op_case == COHORT__WIRE__OP__OP_SET_ACL) {
            fake_set_acl (self, op->set_acl);
        }
    }
    return 0;
}

void fake_fill_stat (const struct node *node, Cohort__Wire__Stat *stat)
{
    stat->czxid = stat->ozxid = node->czxid;
    stat->mzxid = node->mzxid;
    stat->version = node->version;
    stat->aversion = node->aversion;
    stat->ephemeral_owner = node->owner;
    stat->data_size = (uint32_t) node->size;
}

/* ---- Requests -------------------------------------------------------------------------------- */

struct fake_session *fake_session_of (struct fake *self, uint64_t id)
{
    for (int i = 0; i < self->session_count; i++) {
        if (self->sessions[i].id == id) {
            return &self->sessions[i];
        }
    }
    return NULL;
}

void fake_end_session (struct fake *self, uint64_t id)
{
    for (int i = 0; i < self->node_count; i++) {
        if (self->nodes[i].owner == id) {
            char path[PATH_MAX_SIZE];
            snprintf (path, sizeof (path), "%s", self->nodes[i].path);
            self->zxid++;
            do_delete (self, path, -1);
            i = -1;
        }
    }
    struct fake_session *session = fake_session_of (self, id);
    if (session != NULL) {
        free (session->results);
        *session = self->sessions[--self->session_count];
    }
}

static void apply (struct fake *self, struct fake_session *session,
                   const Cohort__Wire__Request *request, struct result *result)
{
    self->zxid++;
    switch (request->op_case) {
    case COHORT__WIRE__REQUEST__OP_CREATE:
        result->code = do_create (self, request->create, session->id, result->path);
        break;
    case COHORT__WIRE__REQUEST__OP_SET:
        result->code = do_set (self, request->set);
        break;
    case COHORT__WIRE__REQUEST__OP_DELETE:
        result->code = do_delete (self, ended (request->delete_->path), request->delete_->version);
        break;
    case COHORT__WIRE__REQUEST__OP_SET_ACL:
        result->code = fake_set_acl (self, request->set_acl);
        break;
    case COHORT__WIRE__REQUEST__OP_ADD_AUTH:
        result->code = fake_add_auth (session, request->add_auth);
        break;
    case COHORT__WIRE__REQUEST__OP_MULTI:
        result->code = do_multi (self, request->multi, session->id);
        break;
    default:
        break;
    }
    result->zxid = self->zxid;
    fake_happened (self, FAKE_APPLIED);
}

static void reply_multi (struct fake *self, const struct peer *peer, Cohort__Wire__Reply *reply,
                         const Cohort__Wire__Multi *multi, int code)
{
    Cohort__Wire__OpResult *results = calloc (multi->n_ops + 1, sizeof (*results));
    Cohort__Wire__OpResult **list = calloc (multi->n_ops + 1, sizeof (*list));
    for (size_t i = 0; i < multi->n_ops; i++) {
        cohort__wire__op_result__init (&results[i]);
        list[i] = &results[i];
        results[i].code = code == 0              ? 0
                          : (int) i == -1 - code ? COHORT_ENONODE
                                                 : COHORT_EROLLEDBACK;
        if (code == 0 && multi->ops[i]->op_case == COHORT__WIRE__OP__OP_CREATE) {
            results[i].path = ended (multi->ops[i]->create->path);
        }
    }
    reply->code = code == 0 ? 0 : COHORT_ENONODE;
    reply->results = list;
    reply->n_results = multi->n_ops;
    fake_send_reply (self, peer, reply);
    free (list);
    free (results);
}

/* Whether the server that got this write is to be closed instead of answering. */
static bool swallowed (struct fake *self, int server)
{
    pthread_mutex_lock (&self->lock);
    bool now = self->swallow > 0;
    if (now && --self->swallow == 0) {
        self->want_stopped[server] = true;
    }
    pthread_mutex_unlock (&self->lock);
    return now;
}

static void take_write (struct fake *self, const struct peer *peer, struct fake_session *session,
                        const Cohort__Wire__Request *request)
{
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    reply.xid = request->xid;
    reply.number = request->number;
    assert (request->number > 0 && request->number < RESULTS_MAX);
    if (request->number > session->last_number + 1) {
        reply.code = COHORT_EGAP;
        reply.expected = session->last_number + 1;
        fake_send_reply (self, peer, &reply);
        return;
    }
    struct result *result = &session->results[request->number];
    if (request->number == session->last_number + 1) {
        session->last_number++;
        apply (self, session, request, result);
    }
    if (swallowed (self, peer->server)) {
        return;
    }
    reply.code = result->code;
    reply.zxid = result->zxid;
    reply.path = result->path;
    stat.czxid = stat.mzxid = stat.ozxid = result->zxid;
    reply.stat = &stat;
    if (request->op_case == COHORT__WIRE__REQUEST__OP_MULTI) {
        reply_multi (self, peer, &reply, request->multi, result->code);
        return;
    }
    bool closes = request->op_case == COHORT__WIRE__REQUEST__OP_CLOSE;
    if (closes) {
        fake_happened (self, FAKE_CLOSED); /* before anybody can know */
    }
    fake_send_reply (self, peer, &reply);
    if (closes) {
        fake_end_session (self, session->id);
    }
}

void fake_set_watch (struct fake *self, uint64_t session, int kind, const char *path)
{
    assert (self->watch_count < WATCHES_MAX);
    struct fake_watch *watch = &self->watches[self->watch_count++];
    watch->session = session;
    watch->kind = kind;
    snprintf (watch->path, sizeof (watch->path), "%s", path);
}

static int compare (const void *a, const void *b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

static size_t list_children (struct fake *self, const char *path, char **names)
{
    size_t found = 0;
    for (int i = 0; i < self->node_count; i++) {
        char parent[PATH_MAX_SIZE];
        if (parent_of (self->nodes[i].path, parent) && strcmp (parent, path) == 0) {
            names[found++] = strrchr (self->nodes[i].path, '/') + 1;
        }
    }
    qsort (names, found, sizeof (*names), compare);
    return found;
}

static void take_read (struct fake *self, const struct peer *peer,
                       const Cohort__Wire__Request *request, const Cohort__Wire__Read *read,
                       int kind)
{
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    reply.xid = request->xid;
    reply.zxid = self->zxid;
    const struct node *node = fake_find (self, ended (read->path));
    if (node == NULL) {
        reply.code = COHORT_ENONODE;
    } else {
        fake_fill_stat (node, &stat);
        reply.stat = &stat;
        if (kind == 1) {
            reply.data = (ProtobufCBinaryData){node->size, node->data};
        }
    }
    if (read->watch && (node != NULL || kind == 2)) {
        fake_set_watch (self, peer->session, kind, ended (read->path));
    }
    fake_send_reply (self, peer, &reply);
}

/* All that are behind a name: no page is full here. */
static void take_list (struct fake *self, const struct peer *peer, uint64_t xid,
                       const Cohort__Wire__List *list)
{
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    char *names[NODES_MAX];
    const struct node *node = fake_find (self, ended (list->path));
    reply.xid = xid;
    reply.zxid = self->zxid;
    reply.code = node != NULL ? 0 : COHORT_ENONODE;
    if (node != NULL) {
        fake_fill_stat (node, &stat);
        reply.stat = &stat;
        reply.children = names;
        reply.n_children = list_children (self, ended (list->path), names);
        while (reply.n_children > 0 && strcmp (reply.children[0], ended (list->after)) <= 0) {
            reply.children++;
            reply.n_children--;
        }
    }
    if (list->watch && node != NULL) {
        fake_set_watch (self, peer->session, 3, ended (list->path));
    }
    fake_send_reply (self, peer, &reply);
}

/* Parents before children. */
static int by_path (const void *a, const void *b)
{
    return strcmp (((const struct change *) a)->path, ((const struct change *) b)->path);
}

void fake_open_stream (struct fake *self, const struct peer *peer,
                       const Cohort__Wire__StreamOpen *open)
{
    assert (self->stream_count < STREAMS_MAX);
    struct fake_stream *stream = &self->streams[self->stream_count++];
    stream->session = peer->session;
    stream->id = open->stream_id;
    snprintf (stream->path, sizeof (stream->path), "%s", ended (open->path));
    if (open->from_zxid > 0) {
        for (int i = 0; i < self->history_count; i++) {
            struct change *change = &self->history[i];
            if (change->zxid > open->from_zxid && below (change->path, ended (open->path))) {
                send_batch (self, peer, open->stream_id, change->zxid, false, change, 1);
            }
        }
        return;
    }
    if ((open->flags & COHORT_STREAM_NO_SNAPSHOT) != 0) {
        return;
    }
    static struct change changes[NODES_MAX];
    size_t size = 0;
    for (int i = 0; i < self->node_count; i++) {
        if (below (self->nodes[i].path, ended (open->path))) {
            snprintf (changes[size].path, PATH_MAX_SIZE, "%s", self->nodes[i].path);
            snprintf (changes[size].data, 128, "%.*s", (int) self->nodes[i].size,
                      (const char *) self->nodes[i].data);
            changes[size++].kind = FOUND;
        }
    }
    qsort (changes, size, sizeof (changes[0]), by_path);
    send_batch (self, peer, open->stream_id, self->zxid, true, changes, size);
}

void fake_close_stream (struct fake *self, uint64_t session, uint64_t id)
{
    for (int i = 0; i < self->stream_count; i++) {
        if (self->streams[i].session == session && (id == 0 || self->streams[i].id == id)) {
            self->streams[i--] = self->streams[--self->stream_count];
        }
    }
}

void fake_request (struct fake *self, const struct peer *peer, const Cohort__Wire__Request *request)
{
    struct fake_session *session = fake_session_of (self, peer->session);
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    fake_happened (self, FAKE_REQUESTS);
    if (session == NULL) {
        return;
    }
    reply.xid = request->xid;
    reply.zxid = self->zxid;
    switch (request->op_case) {
    case COHORT__WIRE__REQUEST__OP_EXISTS:
        take_read (self, peer, request, request->exists, 2);
        break;
    case COHORT__WIRE__REQUEST__OP_GET:
        take_read (self, peer, request, request->get, 1);
        break;
    case COHORT__WIRE__REQUEST__OP_CHILDREN:
        take_list (self, peer, request->xid, request->children);
        break;
    case COHORT__WIRE__REQUEST__OP_GET_ACL:
        fake_get_acl (self, peer, request->xid, request->get_acl);
        break;
    case COHORT__WIRE__REQUEST__OP_WHOAMI:
        fake_whoami (self, peer, request->xid);
        break;
    case COHORT__WIRE__REQUEST__OP_SYNC:
        fake_send_reply (self, peer, &reply);
        break;
    case COHORT__WIRE__REQUEST__OP_STREAM_OPEN:
        fake_send_reply (self, peer, &reply);
        fake_open_stream (self, peer, request->stream_open);
        break;
    case COHORT__WIRE__REQUEST__OP_STREAM_CLOSE:
        fake_close_stream (self, peer->session, request->stream_close->stream_id);
        fake_send_reply (self, peer, &reply);
        break;
    default:
        take_write (self, peer, session, request);
        break;
    }
}
