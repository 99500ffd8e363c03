/* clients_peer.c: the clients of clients_world.h. */

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/hand_over.h"
#include "tests/unit/node/clients_world.h"

/* ---- Connections ----------------------------------------------------------------------------- */

struct peer *peer_new (struct world *world, size_t server)
{
    struct peer *peer = mem_calloc (1, sizeof *peer);
    assert_non_null (peer);
    assert_true (world->peers_count < WORLD_PEERS_MAX);
    world->peers[world->peers_count++] = peer;
    peer->world = world;
    peer->incarnation = 1;
    memset (peer->nonce, (int) world->peers_count, sizeof peer->nonce);
    memset (peer->password, 100 + (int) world->peers_count, sizeof peer->password);
    arena_init (&peer->arena, 64 << 10, 0);
    cohort__wire__client_frame__init (&peer->frame);
    peer_connect (peer, server);
    return peer;
}

void peer_connect (struct peer *peer, size_t server)
{
    assert_true (server < peer->world->count);
    peer->server = server;
    peer->connection = ++peer->world->connections;
    peer->dropped = peer->full = false;
    peer->settled = 0;
    memset (peer->streams, 0, sizeof peer->streams);
}

void peer_disconnect (struct peer *peer, bool told)
{
    uint64_t connection = peer->connection;
    peer->connection = 0;
    if (told) {
        clients_closed (peer->world->servers[peer->server].clients, connection);
    }
}

struct peer *peer_clone (const struct peer *peer, size_t server)
{
    struct peer *clone = peer_new (peer->world, server);
    memcpy (clone->password, peer->password, sizeof clone->password);
    clone->session = peer->session;
    clone->attach_no = peer->attach_no;
    clone->incarnation = peer->incarnation;
    return clone;
}

static ProtobufCBinaryData bytes_of (const void *data, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *) (uintptr_t) data};
}

/* In the peer's arena, zeroed; the caller calls the type's init. */
static void *message (struct peer *peer, size_t size)
{
    void *at = arena_calloc (&peer->arena, 1, size);
    assert_non_null (at);
    return at;
}

void peer_hello (struct peer *peer)
{
    Cohort__Wire__Hello *hello = message (peer, sizeof *hello);
    cohort__wire__hello__init (hello);
    hello->magic = WIRE_CLIENT_MAGIC;
    hello->version_min = 1;
    hello->version_max = 1;
    hello->session_id = peer->session;
    hello->nonce = bytes_of (peer->nonce, sizeof peer->nonce);
    hello->password = bytes_of (peer->password, sizeof peer->password);
    hello->timeout_ms = 10000;
    hello->grace_ms = 1000;
    hello->attach_no = ++peer->attach_no;
    hello->incarnation = peer->incarnation;
    hello->next_number = peer->ack_to + 1;
    peer->frame.hello = hello;
    peer_send (peer);
}

struct peer *peer_attached (struct world *world, size_t server)
{
    struct peer *peer = peer_new (world, server);
    peer_hello (peer);
    world_run (world);
    expect (peer, "welcome attach=1 last=0 timeout=10000");
    assert_true (peer->session != 0);
    return peer;
}

void peer_send_bytes (struct peer *peer, const void *data, size_t size)
{
    /* A copy of the exact size, so that reading beyond it is noticed. */
    uint8_t *copy = mem_dup (data, size);
    assert_non_null (copy);
    clients_frame (peer->world->servers[peer->server].clients, peer->connection, copy, size);
    mem_free (copy);
}

void peer_send (struct peer *peer)
{
    struct buf out = {0};
    peer->frame.requests = peer->requests;
    size_t size = cohort__wire__client_frame__get_packed_size (&peer->frame);
    uint8_t *at = buf_extend (&out, size);
    assert_non_null (at);
    cohort__wire__client_frame__pack (&peer->frame, at);
    cohort__wire__client_frame__init (&peer->frame);
    arena_reset (&peer->arena);
    peer_send_bytes (peer, out.data, out.size);
    buf_deinit (&out);
}

void peer_confirm (struct peer *peer)
{
    Cohort__Wire__StreamTaken taken[WORLD_STREAMS_MAX], *list[WORLD_STREAMS_MAX];
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    uint8_t bytes[1024];
    frame.n_taken = peer->taken_count;
    frame.taken = list;
    for (size_t i = 0; i < peer->taken_count; i++) {
        cohort__wire__stream_taken__init (&taken[i]);
        taken[i].stream_id = peer->taken[i].id;
        taken[i].bytes = peer->taken[i].bytes;
        list[i] = &taken[i];
    }
    peer->taken_count = 0;
    size_t size = cohort__wire__client_frame__get_packed_size (&frame);
    assert_true (size <= sizeof bytes);
    cohort__wire__client_frame__pack (&frame, bytes);
    if (peer->connection != 0) {
        peer_send_bytes (peer, bytes, size);
    }
}

void peer_do (struct peer *peer)
{
    peer_send (peer);
    world_run (peer->world);
}

/* ---- Requests -------------------------------------------------------------------------------- */

Cohort__Wire__Request *ask_raw (struct peer *peer, bool write)
{
    Cohort__Wire__Request *request = message (peer, sizeof *request);
    cohort__wire__request__init (request);
    assert_true (peer->frame.n_requests < WORLD_ASKS_MAX);
    peer->requests[peer->frame.n_requests++] = request;
    request->xid = ++peer->xid;
    if (write) {
        request->number = ++peer->number;
        request->ack_to = peer->ack_to;
    }
    return request;
}

static char *copy (struct peer *peer, const char *text)
{
    char *at = arena_strdup (&peer->arena, text);
    assert_non_null (at);
    return at;
}

static ProtobufCBinaryData text_of (struct peer *peer, const char *text)
{
    return bytes_of (copy (peer, text), strlen (text));
}

static ProtobufCBinaryData filled (struct peer *peer, size_t size)
{
    uint8_t *data = message (peer, size);
    memset (data, 'x', size);
    return bytes_of (data, size);
}

static Cohort__Wire__Create *create_of (struct peer *peer, const char *path, const char *data,
                                        uint32_t mode)
{
    Cohort__Wire__Create *create = message (peer, sizeof *create);
    cohort__wire__create__init (create);
    create->path = text_of (peer, path);
    create->data = text_of (peer, data);
    create->mode = mode;
    return create;
}

static Cohort__Wire__Set *set_of (struct peer *peer, const char *path, const char *data,
                                  int32_t version)
{
    Cohort__Wire__Set *set = message (peer, sizeof *set);
    cohort__wire__set__init (set);
    set->path = text_of (peer, path);
    set->data = text_of (peer, data);
    set->version = version;
    return set;
}

uint64_t ask_create (struct peer *peer, const char *path, const char *data, uint32_t mode)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    request->op_case = COHORT__WIRE__REQUEST__OP_CREATE;
    request->create = create_of (peer, path, data, mode);
    return request->xid;
}

uint64_t ask_create_bytes (struct peer *peer, const char *path, size_t size)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    request->op_case = COHORT__WIRE__REQUEST__OP_CREATE;
    request->create = create_of (peer, path, "", 0);
    request->create->data = filled (peer, size);
    return request->xid;
}

uint64_t ask_set (struct peer *peer, const char *path, const char *data, int32_t version)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    request->op_case = COHORT__WIRE__REQUEST__OP_SET;
    request->set = set_of (peer, path, data, version);
    return request->xid;
}

uint64_t ask_set_bytes (struct peer *peer, const char *path, size_t size)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    request->op_case = COHORT__WIRE__REQUEST__OP_SET;
    request->set = set_of (peer, path, "", -1);
    request->set->data = filled (peer, size);
    return request->xid;
}

uint64_t ask_delete (struct peer *peer, const char *path, int32_t version)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    Cohort__Wire__Delete *delete = message (peer, sizeof *delete);
    cohort__wire__delete__init (delete);
    delete->path = text_of (peer, path);
    delete->version = version;
    request->op_case = COHORT__WIRE__REQUEST__OP_DELETE;
    request->delete_ = delete;
    return request->xid;
}

uint64_t ask_multi (struct peer *peer, const char *const *paths)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    Cohort__Wire__Multi *multi = message (peer, sizeof *multi);
    size_t count = 0;
    while (paths[count] != NULL) {
        count++;
    }
    cohort__wire__multi__init (multi);
    multi->ops = message (peer, (count + 1) * sizeof *multi->ops);
    for (size_t i = 0; i <= count; i++) {
        Cohort__Wire__Op *op = message (peer, sizeof *op);
        cohort__wire__op__init (op);
        if (i < count) {
            op->op_case = COHORT__WIRE__OP__OP_CREATE;
            op->create = create_of (peer, paths[i], "", 0);
        } else {
            op->op_case = COHORT__WIRE__OP__OP_SET;
            op->set = set_of (peer, paths[0], "set", -1);
        }
        multi->ops[multi->n_ops++] = op;
    }
    request->op_case = COHORT__WIRE__REQUEST__OP_MULTI;
    request->multi = multi;
    return request->xid;
}

uint64_t ask_close (struct peer *peer)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    request->op_case = COHORT__WIRE__REQUEST__OP_CLOSE;
    request->close = message (peer, sizeof *request->close);
    cohort__wire__close_session__init (request->close);
    return request->xid;
}

Cohort__Wire__HandOver *ask_hand_over (struct peer *peer, const struct peer *to)
{
    uint8_t hash[ENTRY_PASSWORD_HASH];
    Cohort__Wire__Request *request = ask_raw (peer, true);
    Cohort__Wire__HandOver *hand_over = message (peer, sizeof *hand_over);
    cohort__wire__hand_over__init (hand_over);
    request->op_case = COHORT__WIRE__REQUEST__OP_HAND_OVER;
    request->hand_over = hand_over;
    hand_over->session = to->session;
    hand_over->token.len = HAND_OVER_TOKEN_SIZE;
    hand_over->token.data = message (peer, HAND_OVER_TOKEN_SIZE);
    tree_password_hash (to->password, hash);
    hand_over_token (peer->session, to->session, hash, hand_over->token.data);
    return hand_over;
}

static Cohort__Wire__Read *read_of (struct peer *peer, const char *path, bool watch)
{
    Cohort__Wire__Read *read = message (peer, sizeof *read);
    cohort__wire__read__init (read);
    read->path = text_of (peer, path);
    read->watch = watch;
    return read;
}

uint64_t ask_get (struct peer *peer, const char *path, bool watch)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->op_case = COHORT__WIRE__REQUEST__OP_GET;
    request->get = read_of (peer, path, watch);
    return request->xid;
}

uint64_t ask_exists (struct peer *peer, const char *path, bool watch)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->op_case = COHORT__WIRE__REQUEST__OP_EXISTS;
    request->exists = read_of (peer, path, watch);
    return request->xid;
}

static Cohort__Wire__List *list_new (struct peer *peer, const char *path)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    Cohort__Wire__List *list = message (peer, sizeof *list);
    cohort__wire__list__init (list);
    list->path = text_of (peer, path);
    request->op_case = COHORT__WIRE__REQUEST__OP_CHILDREN;
    request->children = list;
    return list;
}

uint64_t ask_children (struct peer *peer, const char *path, bool watch)
{
    list_new (peer, path)->watch = watch;
    return peer->xid;
}

Cohort__Wire__List *ask_list (struct peer *peer, const char *path, const char *prefix,
                              const char *after)
{
    Cohort__Wire__List *list = list_new (peer, path);
    list->prefix = text_of (peer, prefix);
    list->after = text_of (peer, after);
    return list;
}

uint64_t ask_sync (struct peer *peer)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->op_case = COHORT__WIRE__REQUEST__OP_SYNC;
    request->sync = message (peer, sizeof *request->sync);
    cohort__wire__sync__init (request->sync);
    return request->xid;
}

static void note_stream (struct peer *peer, uint64_t id)
{
    for (size_t i = 0; i < WORLD_STREAMS_MAX; i++) {
        if (peer->streams[i].id == id || peer->streams[i].id == 0) {
            peer->streams[i].id = id;
            peer->streams[i].since = tree_zxid (peer->world->servers[peer->server].tree);
            return;
        }
    }
}

static Cohort__Wire__StreamOpen *stream_of (struct peer *peer, uint64_t id, const char *path,
                                            uint64_t from)
{
    Cohort__Wire__StreamOpen *open = message (peer, sizeof *open);
    cohort__wire__stream_open__init (open);
    open->stream_id = id;
    open->path = text_of (peer, path);
    open->from_zxid = from;
    note_stream (peer, id);
    return open;
}

uint64_t ask_stream (struct peer *peer, uint64_t id, const char *path, uint64_t from)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->op_case = COHORT__WIRE__REQUEST__OP_STREAM_OPEN;
    request->stream_open = stream_of (peer, id, path, from);
    return request->xid;
}

uint64_t ask_stream_close (struct peer *peer, uint64_t id)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->op_case = COHORT__WIRE__REQUEST__OP_STREAM_CLOSE;
    request->stream_close = message (peer, sizeof *request->stream_close);
    cohort__wire__stream_close__init (request->stream_close);
    request->stream_close->stream_id = id;
    return request->xid;
}

void ask_heartbeat (struct peer *peer, uint64_t seq)
{
    Cohort__Wire__Heartbeat *heartbeat = message (peer, sizeof *heartbeat);
    cohort__wire__heartbeat__init (heartbeat);
    heartbeat->seq = seq;
    peer->frame.heartbeat = heartbeat;
}

void ask_status (struct peer *peer)
{
    peer->frame.status = message (peer, sizeof *peer->frame.status);
    cohort__wire__status_query__init (peer->frame.status);
}

enum { REARM_MAX = 64 };

void ask_rearm (struct peer *peer, uint64_t last_zxid, bool more)
{
    Cohort__Wire__Rearm *rearm = message (peer, sizeof *rearm);
    cohort__wire__rearm__init (rearm);
    rearm->last_zxid = last_zxid;
    rearm->more = more;
    rearm->watches = message (peer, REARM_MAX * sizeof *rearm->watches);
    rearm->streams = message (peer, REARM_MAX * sizeof *rearm->streams);
    peer->frame.rearm = rearm;
}

void ask_rearm_watch (struct peer *peer, enum watch_kind kind, const char *path)
{
    Cohort__Wire__Rearm *rearm = peer->frame.rearm;
    Cohort__Wire__Watch *watch = message (peer, sizeof *watch);
    cohort__wire__watch__init (watch);
    watch->kind = (Cohort__Wire__WatchKind) kind;
    watch->path = text_of (peer, path);
    assert_true (rearm->n_watches < REARM_MAX);
    rearm->watches[rearm->n_watches++] = watch;
}

void ask_rearm_stream (struct peer *peer, uint64_t id, const char *path, uint64_t from)
{
    Cohort__Wire__Rearm *rearm = peer->frame.rearm;
    assert_true (rearm->n_streams < REARM_MAX);
    rearm->streams[rearm->n_streams++] = stream_of (peer, id, path, from);
}
