/* A small ensemble for tests. */

#include "tests/unit/client/fake.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "client.pb-c.h"
#include "cohort/client.h"

#define SERVERS_MAX  4
#define PEERS_MAX    256
#define SESSIONS_MAX 256
#define NODES_MAX    512
#define WATCHES_MAX  512
#define STREAMS_MAX  64
#define HISTORY_MAX  4096
#define RESULTS_MAX  4096
#define HELD_MAX     256

struct node {
    char path[128];
    uint8_t *data;
    size_t size;
    uint64_t czxid, mzxid, owner, sequence;
    int32_t version;
};

struct change {
    char path[128], data[128];
    uint64_t zxid;
    uint32_t kind;
};

/* The result of a write: its code and the path that a create made. */
struct result {
    int32_t code;
    uint64_t zxid;
    char path[128];
};

struct fake_session {
    uint64_t id, attach_no, last_number;
    uint8_t nonce[16];
    struct result *results; /* by number */
};

/* A connection, by its routing id. */
struct peer {
    int server;
    uint8_t id[16];
    size_t id_size;
    uint64_t session;
};

struct fake_watch {
    uint64_t session;
    int kind;
    char path[128];
};

struct fake_stream {
    uint64_t session, id;
    char path[128];
};

struct held {
    struct peer peer;
    uint8_t *bytes;
    size_t size;
};

struct fake {
    void *context;
    bool own_context;
    pthread_t thread;
    int wake_fd;
    void *routers[SERVERS_MAX];
    char endpoints[SERVERS_MAX][128];
    char servers[SERVERS_MAX * 128];
    int count;
    const char *secret_key; /* CURVE, or NULL */
    /* Under the lock: what the test wants, and what it may know. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop, want_stopped[SERVERS_MAX], stopped[SERVERS_MAX], muted[SERVERS_MAX];
    bool expire, release;
    int swallow, refuse;
    char hold[64];
    uint64_t wanted, done;
    uint64_t counters[FAKE_COUNTERS];
    /* The thread's own. */
    uint64_t zxid, last_session;
    struct peer peers[PEERS_MAX];
    int peer_count;
    struct fake_session sessions[SESSIONS_MAX];
    int session_count;
    struct node nodes[NODES_MAX];
    int node_count;
    struct fake_watch watches[WATCHES_MAX];
    int watch_count;
    struct fake_stream streams[STREAMS_MAX];
    int stream_count;
    struct change history[HISTORY_MAX];
    int history_count;
    struct held held[HELD_MAX];
    int held_count;
};

static void count (struct fake *self, enum fake_counter counter)
{
    pthread_mutex_lock (&self->lock);
    self->counters[counter]++;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void send_frame (struct fake *self, const struct peer *peer,
                        const Cohort__Wire__ServerFrame *frame)
{
    size_t size = cohort__wire__server_frame__get_packed_size (frame);
    uint8_t *bytes = malloc (size + 1);
    cohort__wire__server_frame__pack (frame, bytes);
    void *router = self->routers[peer->server];
    /* Whoever is gone is told nothing. */
    if (router != NULL &&
        zmq_send (router, peer->id, peer->id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        zmq_send (router, bytes, size, ZMQ_DONTWAIT);
    }
    free (bytes);
}

static void send_item (struct fake *self, const struct peer *peer, Cohort__Wire__Item *item)
{
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.n_items = 1;
    frame.items = &item;
    frame.zxid = self->zxid;
    send_frame (self, peer, &frame);
}

static void send_reply (struct fake *self, const struct peer *peer, Cohort__Wire__Reply *reply)
{
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    item.reply = reply;
    send_item (self, peer, &item);
}

static struct peer *peer_of_session (struct fake *self, uint64_t session)
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

static struct node *find (struct fake *self, const char *path)
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
    strcpy (parent, path);
    char *slash = strrchr (parent, '/');
    slash[slash == parent ? 1 : 0] = '\0';
    return strcmp (parent, path) != 0;
}

static void fire (struct fake *self, const char *path, int kind, int type)
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
        struct peer *peer = peer_of_session (self, watch->session);
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
    fire (self, path, 2, type);
    if (kind != COHORT_CHANGE_CREATED) {
        fire (self, path, 1, type);
    }
    char parent[128];
    if (kind != COHORT_CHANGE_DATA && parent_of (path, parent)) {
        fire (self, parent, 3, COHORT_EVENT_CHILDREN);
    }
    for (int i = 0; i < self->stream_count; i++) {
        struct peer *peer = peer_of_session (self, self->streams[i].session);
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
    char parent[128], text[128];
    snprintf (made, 128, "%s", create->path);
    parent_of (create->path, parent);
    struct node *above = find (self, parent);
    if (above == NULL) {
        return COHORT_ENONODE;
    }
    if ((create->mode & COHORT_SEQUENTIAL) != 0) {
        snprintf (made, 128, "%.100s%010llu", create->path, (unsigned long long) above->sequence++);
    } else if (find (self, create->path) != NULL) {
        return COHORT_ENODEEXISTS;
    }
    assert (self->node_count < NODES_MAX);
    struct node *node = &self->nodes[self->node_count++];
    *node = (struct node){.czxid = self->zxid, .mzxid = self->zxid};
    strcpy (node->path, made);
    node->size = create->data.len;
    node->data = malloc (node->size + 1);
    if (node->size > 0) {
        memcpy (node->data, create->data.data, node->size);
    }
    node->owner = (create->mode & COHORT_EPHEMERAL) != 0 ? session : 0;
    text_of (&create->data, text, sizeof (text));
    changed (self, made, COHORT_CHANGE_CREATED, text);
    return 0;
}

static int do_set (struct fake *self, const Cohort__Wire__Set *set)
{
    struct node *node = find (self, set->path);
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
    changed (self, set->path, COHORT_CHANGE_DATA, text);
    return 0;
}

static int do_delete (struct fake *self, const char *path, int32_t version)
{
    struct node *node = find (self, path);
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
        const char *path = op->op_case == COHORT__WIRE__OP__OP_CHECK    ? op->check->path
                           : op->op_case == COHORT__WIRE__OP__OP_DELETE ? op->delete_->path
                           : op->op_case == COHORT__WIRE__OP__OP_SET    ? op->set->path
                                                                        : NULL;
        if (path != NULL && find (self, path) == NULL) {
            return -1 - (int) i;
        }
    }
    for (size_t i = 0; i < multi->n_ops; i++) {
        const Cohort__Wire__Op *op = multi->ops[i];
        char made[128];
        if (op->op_case == COHORT__WIRE__OP__OP_CREATE) {
            do_create (self, op->create, session, made);
        } else if (op->op_case == COHORT__WIRE__OP__OP_SET) {
            do_set (self, op->set);
        } else if (op->op_case == COHORT__WIRE__OP__OP_DELETE) {
            do_delete (self, op->delete_->path, -1);
        }
    }
    return 0;
}

static void fill_stat (const struct node *node, Cohort__Wire__Stat *stat)
{
    stat->czxid = stat->ozxid = node->czxid;
    stat->mzxid = node->mzxid;
    stat->version = node->version;
    stat->ephemeral_owner = node->owner;
    stat->data_size = (uint32_t) node->size;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static struct fake_session *session_of (struct fake *self, uint64_t id)
{
    for (int i = 0; i < self->session_count; i++) {
        if (self->sessions[i].id == id) {
            return &self->sessions[i];
        }
    }
    return NULL;
}

static void end_session (struct fake *self, uint64_t id)
{
    for (int i = 0; i < self->node_count; i++) {
        if (self->nodes[i].owner == id) {
            char path[128];
            strcpy (path, self->nodes[i].path);
            self->zxid++;
            do_delete (self, path, -1);
            i = -1;
        }
    }
    struct fake_session *session = session_of (self, id);
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
        result->code = do_delete (self, request->delete_->path, request->delete_->version);
        break;
    case COHORT__WIRE__REQUEST__OP_MULTI:
        result->code = do_multi (self, request->multi, session->id);
        break;
    default:
        break;
    }
    result->zxid = self->zxid;
    count (self, FAKE_APPLIED);
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
            results[i].path = multi->ops[i]->create->path;
        }
    }
    reply->code = code == 0 ? 0 : COHORT_ENONODE;
    reply->results = list;
    reply->n_results = multi->n_ops;
    send_reply (self, peer, reply);
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
        send_reply (self, peer, &reply);
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
    send_reply (self, peer, &reply);
    if (request->op_case == COHORT__WIRE__REQUEST__OP_CLOSE) {
        end_session (self, session->id);
        count (self, FAKE_CLOSED);
    }
}

static void set_watch (struct fake *self, uint64_t session, int kind, const char *path)
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
        char parent[128];
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
    char *names[NODES_MAX];
    reply.xid = request->xid;
    reply.zxid = self->zxid;
    const struct node *node = find (self, read->path);
    if (node == NULL) {
        reply.code = COHORT_ENONODE;
    } else {
        fill_stat (node, &stat);
        reply.stat = &stat;
        if (kind == 1) {
            reply.data = (ProtobufCBinaryData){node->size, node->data};
        } else if (kind == 3) {
            reply.children = names;
            reply.n_children = list_children (self, read->path, names);
        }
    }
    if (read->watch && (node != NULL || kind == 2)) {
        set_watch (self, peer->session, kind, read->path);
    }
    send_reply (self, peer, &reply);
}

static void open_stream (struct fake *self, const struct peer *peer,
                         const Cohort__Wire__StreamOpen *open)
{
    assert (self->stream_count < STREAMS_MAX);
    struct fake_stream *stream = &self->streams[self->stream_count++];
    stream->session = peer->session;
    stream->id = open->stream_id;
    snprintf (stream->path, sizeof (stream->path), "%s", open->path);
    if (open->from_zxid > 0) {
        for (int i = 0; i < self->history_count; i++) {
            struct change *change = &self->history[i];
            if (change->zxid > open->from_zxid && below (change->path, open->path)) {
                send_batch (self, peer, open->stream_id, change->zxid, false, change, 1);
            }
        }
        return;
    }
    static struct change changes[NODES_MAX];
    size_t size = 0;
    for (int i = 0; i < self->node_count; i++) {
        if (below (self->nodes[i].path, open->path)) {
            strcpy (changes[size].path, self->nodes[i].path);
            snprintf (changes[size].data, 128, "%.*s", (int) self->nodes[i].size,
                      (const char *) self->nodes[i].data);
            changes[size++].kind = COHORT_CHANGE_CREATED;
        }
    }
    send_batch (self, peer, open->stream_id, self->zxid, true, changes, size);
}

static void close_stream (struct fake *self, uint64_t session, uint64_t id)
{
    for (int i = 0; i < self->stream_count; i++) {
        if (self->streams[i].session == session && (id == 0 || self->streams[i].id == id)) {
            self->streams[i--] = self->streams[--self->stream_count];
        }
    }
}

static void take_request (struct fake *self, const struct peer *peer,
                          const Cohort__Wire__Request *request)
{
    struct fake_session *session = session_of (self, peer->session);
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    count (self, FAKE_REQUESTS);
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
        take_read (self, peer, request, request->children, 3);
        break;
    case COHORT__WIRE__REQUEST__OP_SYNC:
        send_reply (self, peer, &reply);
        break;
    case COHORT__WIRE__REQUEST__OP_STREAM_OPEN:
        send_reply (self, peer, &reply);
        open_stream (self, peer, request->stream_open);
        break;
    case COHORT__WIRE__REQUEST__OP_STREAM_CLOSE:
        close_stream (self, peer->session, request->stream_close->stream_id);
        send_reply (self, peer, &reply);
        break;
    default:
        take_write (self, peer, session, request);
        break;
    }
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void refuse (struct fake *self, const struct peer *peer, int code)
{
    Cohort__Wire__Refused refused = COHORT__WIRE__REFUSED__INIT;
    refused.code = code;
    refused.text = "as the test wants";
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.refused = &refused;
    send_frame (self, peer, &frame);
}

static struct fake_session *create_session (struct fake *self, const Cohort__Wire__Hello *hello)
{
    for (int i = 0; i < self->session_count; i++) {
        if (memcmp (self->sessions[i].nonce, hello->nonce.data, 16) == 0) {
            return &self->sessions[i];
        }
    }
    assert (self->session_count < SESSIONS_MAX);
    struct fake_session *session = &self->sessions[self->session_count++];
    *session = (struct fake_session){.id = ++self->last_session, .attach_no = 1};
    memcpy (session->nonce, hello->nonce.data, 16);
    session->results = calloc (RESULTS_MAX, sizeof (*session->results));
    return session;
}

static void take_hello (struct fake *self, struct peer *peer, const Cohort__Wire__Hello *hello)
{
    pthread_mutex_lock (&self->lock);
    int code = self->refuse;
    pthread_mutex_unlock (&self->lock);
    struct fake_session *session = hello->session_id == 0 ? create_session (self, hello)
                                                          : session_of (self, hello->session_id);
    if (code != 0 || session == NULL) {
        refuse (self, peer, code != 0 ? code : COHORT_ESESSIONEXPIRED);
        return;
    }
    peer->session = session->id;
    session->attach_no = hello->session_id != 0 ? hello->attach_no : session->attach_no;
    close_stream (self, session->id, 0);
    static uint8_t cluster[16] = {1, 2, 3};
    Cohort__Wire__Welcome welcome = COHORT__WIRE__WELCOME__INIT;
    welcome.version = 1;
    welcome.cluster_id = (ProtobufCBinaryData){16, cluster};
    welcome.session_id = session->id;
    welcome.timeout_ms = hello->timeout_ms;
    welcome.grace_ms = hello->grace_ms;
    welcome.last_number = session->last_number;
    welcome.window = 1024;
    welcome.data_size_max = 1 << 20;
    welcome.attach_no = session->attach_no;
    welcome.credit_bytes = 4 << 20;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.welcome = &welcome;
    send_frame (self, peer, &frame);
    count (self, FAKE_HELLOS);
}

static void take_rearm (struct fake *self, const struct peer *peer,
                        const Cohort__Wire__Rearm *rearm)
{
    /* The history is never cut: what was missed is what changed since. */
    for (size_t i = 0; i < rearm->n_watches; i++) {
        set_watch (self, peer->session, (int) rearm->watches[i]->kind, rearm->watches[i]->path);
    }
    uint64_t zxid = self->zxid;
    for (int i = 0; i < self->history_count; i++) {
        const struct change *change = &self->history[i];
        if (change->zxid > rearm->last_zxid) {
            self->zxid = change->zxid;
            fire (self, change->path, 1,
                  change->kind == COHORT_CHANGE_DELETED ? COHORT_EVENT_DELETED
                                                        : COHORT_EVENT_CHANGED);
        }
    }
    self->zxid = zxid;
    for (size_t i = 0; i < rearm->n_streams; i++) {
        open_stream (self, peer, rearm->streams[i]);
    }
}

static bool is_held (struct fake *self, char *reason)
{
    pthread_mutex_lock (&self->lock);
    strcpy (reason, self->hold);
    pthread_mutex_unlock (&self->lock);
    return reason[0] != '\0';
}

static void send_held (struct fake *self, const struct peer *peer, char *reason)
{
    Cohort__Wire__Held held = COHORT__WIRE__HELD__INIT;
    held.reason = reason;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.held = &held;
    send_frame (self, peer, &frame);
}

static void take_frame (struct fake *self, struct peer *peer, const uint8_t *bytes, size_t size)
{
    Cohort__Wire__ClientFrame *frame = cohort__wire__client_frame__unpack (NULL, size, bytes);
    assert (frame != NULL);
    char reason[64];
    if (frame->hello != NULL) {
        take_hello (self, peer, frame->hello);
    }
    if (frame->rearm != NULL) {
        take_rearm (self, peer, frame->rearm);
    }
    if (frame->heartbeat != NULL) {
        Cohort__Wire__ServerFrame answer = COHORT__WIRE__SERVER_FRAME__INIT;
        answer.confirmed = frame->heartbeat->seq;
        answer.zxid = self->zxid;
        if (!is_held (self, reason)) {
            send_frame (self, peer, &answer);
        }
        count (self, FAKE_BEATS);
    }
    if (frame->n_requests > 0 && is_held (self, reason)) {
        assert (self->held_count < HELD_MAX);
        struct held *held = &self->held[self->held_count++];
        *held = (struct held){.peer = *peer, .bytes = malloc (size), .size = size};
        memcpy (held->bytes, bytes, size);
        send_held (self, peer, reason);
    } else {
        for (size_t i = 0; i < frame->n_requests; i++) {
            take_request (self, peer, frame->requests[i]);
        }
    }
    cohort__wire__client_frame__free_unpacked (frame, NULL);
}

static struct peer *peer_of (struct fake *self, int server, const void *id, size_t size)
{
    for (int i = 0; i < self->peer_count; i++) {
        struct peer *peer = &self->peers[i];
        if (peer->server == server && peer->id_size == size && memcmp (peer->id, id, size) == 0) {
            return peer;
        }
    }
    assert (self->peer_count < PEERS_MAX && size <= 16);
    struct peer *peer = &self->peers[self->peer_count++];
    *peer = (struct peer){.server = server, .id_size = size};
    memcpy (peer->id, id, size);
    return peer;
}

static void read_router (struct fake *self, int server)
{
    for (;;) {
        void *router = self->routers[server];
        zmq_msg_t id, frame;
        zmq_msg_init (&id);
        zmq_msg_init (&frame);
        if (router == NULL || zmq_msg_recv (&id, router, ZMQ_DONTWAIT) < 0) {
            return;
        }
        zmq_msg_recv (&frame, router, ZMQ_DONTWAIT);
        pthread_mutex_lock (&self->lock);
        bool muted = self->muted[server];
        pthread_mutex_unlock (&self->lock);
        if (!muted) {
            struct peer *peer = peer_of (self, server, zmq_msg_data (&id), zmq_msg_size (&id));
            take_frame (self, peer, zmq_msg_data (&frame), zmq_msg_size (&frame));
        }
        zmq_msg_close (&id);
        zmq_msg_close (&frame);
    }
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void *bind_router (struct fake *self, int index)
{
    int zero = 0;
    for (;;) {
        void *router = zmq_socket (self->context, ZMQ_ROUTER);
        zmq_setsockopt (router, ZMQ_LINGER, &zero, sizeof (zero));
        zmq_setsockopt (router, ZMQ_SNDHWM, &zero, sizeof (zero));
        if (self->secret_key != NULL) {
            int one = 1;
            zmq_setsockopt (router, ZMQ_CURVE_SERVER, &one, sizeof (one));
            zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, self->secret_key, 41);
        }
        if (zmq_bind (router, self->endpoints[index]) == 0) {
            size_t size = sizeof (self->endpoints[index]);
            zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, self->endpoints[index], &size);
            return router;
        }
        /* The old listener is closed by another thread of libzmq, in a moment. */
        zmq_close (router);
    }
}

static void forget_peers (struct fake *self, int server)
{
    for (int i = 0; i < self->peer_count; i++) {
        if (self->peers[i].server == server) {
            self->peers[i--] = self->peers[--self->peer_count];
        }
    }
}

static void release_held (struct fake *self)
{
    char nothing[1] = "";
    int held_count = self->held_count;
    self->held_count = 0;
    for (int i = 0; i < held_count; i++) {
        send_held (self, &self->held[i].peer, nothing);
        take_frame (self, &self->held[i].peer, self->held[i].bytes, self->held[i].size);
        free (self->held[i].bytes);
    }
}

static void expire_all (struct fake *self)
{
    while (self->session_count > 0) {
        struct peer *peer = peer_of_session (self, self->sessions[0].id);
        if (peer != NULL) {
            refuse (self, peer, COHORT_ESESSIONEXPIRED);
        }
        end_session (self, self->sessions[0].id);
    }
}

/* Does what the test asked for; false: the end. */
static bool obey (struct fake *self)
{
    pthread_mutex_lock (&self->lock);
    bool stop = self->stop, expire = self->expire, release = self->release;
    self->expire = self->release = false;
    uint64_t wanted = self->wanted;
    bool stopped[SERVERS_MAX];
    memcpy (stopped, self->want_stopped, sizeof (stopped));
    pthread_mutex_unlock (&self->lock);
    if (expire) {
        expire_all (self);
    }
    if (release) {
        release_held (self);
    }
    for (int i = 0; i < self->count; i++) {
        if (stopped[i] && self->routers[i] != NULL) {
            zmq_close (self->routers[i]);
            self->routers[i] = NULL;
            forget_peers (self, i);
        } else if (!stopped[i] && self->routers[i] == NULL) {
            self->routers[i] = bind_router (self, i);
        }
    }
    pthread_mutex_lock (&self->lock);
    self->done = wanted;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
    return !stop;
}

static void *run (void *arg)
{
    struct fake *self = arg;
    while (obey (self)) {
        zmq_pollitem_t items[SERVERS_MAX + 1];
        items[0] = (zmq_pollitem_t){.fd = self->wake_fd, .events = ZMQ_POLLIN};
        int used = 1;
        for (int i = 0; i < self->count; i++) {
            if (self->routers[i] != NULL) {
                items[used++] = (zmq_pollitem_t){.socket = self->routers[i], .events = ZMQ_POLLIN};
            }
        }
        zmq_poll (items, used, -1);
        if (items[0].revents != 0) {
            uint64_t value;
            ssize_t got = read (self->wake_fd, &value, sizeof (value));
            (void) got;
        }
        for (int i = 0; i < self->count; i++) {
            read_router (self, i);
        }
    }
    return NULL;
}

/* ---- For the test ---------------------------------------------------------------------------- */

static void wake (struct fake *self)
{
    uint64_t one = 1;
    ssize_t put = write (self->wake_fd, &one, sizeof (one));
    (void) put;
}

static void deadline_in (struct timespec *at, int seconds)
{
    clock_gettime (CLOCK_REALTIME, at);
    at->tv_sec += seconds;
}

/* Lock held: until the thread has seen everything. */
static void settle (struct fake *self)
{
    struct timespec until;
    deadline_in (&until, 10);
    uint64_t mine = ++self->wanted;
    wake (self);
    while (self->done < mine) {
        int rc = pthread_cond_timedwait (&self->changed, &self->lock, &until);
        assert (rc == 0);
        (void) rc;
    }
}

struct fake *fake_new (void *context, const char *const *endpoints, int count_given)
{
    return fake_new_secure (context, endpoints, count_given, NULL);
}

struct fake *fake_new_secure (void *context, const char *const *endpoints, int count_given,
                              const char *secret_key)
{
    struct fake *self = calloc (1, sizeof (*self));
    self->secret_key = secret_key;
    self->own_context = context == NULL;
    self->context = context != NULL ? context : zmq_ctx_new ();
    self->wake_fd = eventfd (0, EFD_NONBLOCK);
    self->zxid = 1;
    self->count = count_given;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
    self->nodes[self->node_count++] = (struct node){.path = "/", .data = malloc (1)};
    for (int i = 0; i < count_given; i++) {
        snprintf (self->endpoints[i], sizeof (self->endpoints[i]), "%s", endpoints[i]);
        self->routers[i] = bind_router (self, i);
        strcat (self->servers, i > 0 ? "," : "");
        strcat (self->servers, self->endpoints[i]);
    }
    pthread_create (&self->thread, NULL, run, self);
    return self;
}

void fake_destroy (struct fake **self_p)
{
    struct fake *self = *self_p;
    *self_p = NULL;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_mutex_unlock (&self->lock);
    wake (self);
    pthread_join (self->thread, NULL);
    for (int i = 0; i < self->count; i++) {
        if (self->routers[i] != NULL) {
            zmq_close (self->routers[i]);
        }
    }
    if (self->own_context) {
        zmq_ctx_term (self->context);
    }
    for (int i = 0; i < self->node_count; i++) {
        free (self->nodes[i].data);
    }
    for (int i = 0; i < self->session_count; i++) {
        free (self->sessions[i].results);
    }
    for (int i = 0; i < self->held_count; i++) {
        free (self->held[i].bytes);
    }
    close (self->wake_fd);
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    free (self);
}

const char *fake_servers (struct fake *self)
{
    return self->servers;
}

const char *fake_endpoint (struct fake *self, int index)
{
    return self->endpoints[index];
}

#define WITH_LOCK(self, statement)                                                                 \
    do {                                                                                           \
        pthread_mutex_lock (&(self)->lock);                                                        \
        statement;                                                                                 \
        settle (self);                                                                             \
        pthread_mutex_unlock (&(self)->lock);                                                      \
    } while (0)

void fake_stop (struct fake *self, int index)
{
    WITH_LOCK (self, self->want_stopped[index] = true);
}

void fake_start (struct fake *self, int index)
{
    WITH_LOCK (self, self->want_stopped[index] = false);
}

void fake_mute (struct fake *self, int index, bool muted)
{
    WITH_LOCK (self, self->muted[index] = muted);
}

void fake_swallow (struct fake *self, int writes)
{
    WITH_LOCK (self, self->swallow = writes);
}

void fake_hold (struct fake *self, const char *reason)
{
    WITH_LOCK (self, (snprintf (self->hold, sizeof (self->hold), "%s", reason),
                      self->release = reason[0] == '\0'));
}

void fake_refuse (struct fake *self, int code)
{
    WITH_LOCK (self, self->refuse = code);
}

void fake_expire (struct fake *self)
{
    WITH_LOCK (self, self->expire = true);
}

bool fake_await (struct fake *self, enum fake_counter counter, uint64_t least)
{
    struct timespec until;
    deadline_in (&until, 10);
    pthread_mutex_lock (&self->lock);
    while (self->counters[counter] < least &&
           pthread_cond_timedwait (&self->changed, &self->lock, &until) == 0) {
    }
    bool reached = self->counters[counter] >= least;
    pthread_mutex_unlock (&self->lock);
    return reached;
}

uint64_t fake_count (struct fake *self, enum fake_counter counter)
{
    pthread_mutex_lock (&self->lock);
    uint64_t value = self->counters[counter];
    pthread_mutex_unlock (&self->lock);
    return value;
}
