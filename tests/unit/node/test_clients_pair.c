/* The production client against the production server side, over a network that loses connections:
 * client/src's session machine and server/node's clients, with trees and a log between them, all
 * from one seed.
 *
 * Each actor counts up a znode of its own, reads it back, mirrors a subtree through a stream, keeps
 * a watch on a znode that everybody changes, and hands its ephemerals over to others. Nothing may
 * be lost, doubled or out of order, whatever happens to connections, leaders and pipes; and in the
 * end every mirror is the tree. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/hand_over.h"
#include "client/base/prng.h"
#include "client/src/session.h"
#include "client/src/streams.h"
#include "client/src/watches.h"

enum {
    SERVERS = 3,
    ACTORS = 4,
    LINKS_MAX = 512,
    STEPS = 3000,
    MIRROR_MAX = 64,
    BEATS_MAX = 16384,
    WRITES = 150, /* of an actor */
    EPHEMERALS = 4
};

struct frame {
    struct list_node node;
    size_t size;
    uint8_t data[];
};

/* A connection: what is on its way in both directions. */
struct wire {
    struct actor *actor; /* NULL: free */
    uint32_t link;
    size_t server;
    uint64_t connection; /* as the server knows it now */
    bool up, told;       /* the client: that it stands */
    bool closed;         /* by the client, or lost: the server hears of it later */
    bool full;
    struct list to_server, to_client;
};

struct mirrored {
    char path[32];
    char data[16];
    uint64_t owner, ozxid;
};

struct actor {
    struct net *net;
    size_t index;
    struct session *session;
    struct cohort_stream *stream;
    unsigned sets, set_done; /* of its own znode */
    unsigned creates, created;
    unsigned ephemerals, given; /* created; and hand-overs that gave some */
    int32_t version;            /* of its znode, as its writes have told */
    int value_seen;             /* by its reads */
    bool reading;               /* the shared znode, with a watch */
    char shared[16];
    uint64_t batch_zxid;
    struct mirrored mirror[MIRROR_MAX];
    size_t mirror_count;
    unsigned resets, events;
};

struct beat {
    size_t server;
    uint64_t session, attach_no, seq, token;
};

struct net {
    struct world *world;
    struct prng prng;
    uint64_t seed;
    struct wire wires[LINKS_MAX];
    size_t wires_count;
    struct actor actors[ACTORS];
    struct beat beats[BEATS_MAX];
    size_t beats_count;
    bool calm;             /* no more faults, no more work */
    int64_t deaf_until_ms; /* heartbeats before are lost */
};

static unsigned installed; /* states taken over from another server */
static unsigned given;     /* hand-overs */

#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fail_msg ("seed %llu: %s", (unsigned long long) net->seed, #cond);                     \
        }                                                                                          \
    } while (false)

/* ---- The network ----------------------------------------------------------------------------- */

static void push (struct list *list, const uint8_t *data, size_t size)
{
    struct frame *frame = mem_alloc (sizeof *frame + size);
    assert_non_null (frame);
    frame->size = size;
    memcpy (frame->data, data, size);
    list_push_back (list, &frame->node);
}

static struct frame *pop (struct list *list)
{
    struct list_node *node = list_pop_front (list);
    return node != NULL ? list_entry (node, struct frame, node) : NULL;
}

static void clear (struct list *list)
{
    struct frame *frame;
    while ((frame = pop (list)) != NULL) {
        mem_free (frame);
    }
}

static struct wire *find_wire (struct net *net, size_t server, uint64_t connection)
{
    for (size_t i = 0; i < net->wires_count; i++) {
        struct wire *wire = &net->wires[i];
        if (wire->server == server && wire->connection == connection) {
            return wire;
        }
    }
    return NULL;
}

static bool on_send (void *arg, size_t server, uint64_t connection, const uint8_t *data,
                     size_t size)
{
    struct wire *wire = find_wire (arg, server, connection);
    if (wire == NULL || wire->closed) {
        return true;
    }
    if (wire->full) {
        return false;
    }
    push (&wire->to_client, data, size);
    return true;
}

/* What comes later comes as a new connection's. */
static void on_drop (void *arg, size_t server, uint64_t connection)
{
    struct net *net = arg;
    struct wire *wire = find_wire (net, server, connection);
    if (wire != NULL) {
        wire->connection = ++net->world->connections;
    }
}

static void remember (struct net *net, struct beat beat)
{
    assert_true (net->beats_count < BEATS_MAX);
    net->beats[net->beats_count++] = beat;
}

static void on_heartbeat (void *arg, size_t server, uint64_t session, uint64_t attach_no,
                          uint64_t seq)
{
    const struct net *net = arg;
    if (net->world->now_ms >= net->deaf_until_ms) {
        remember (arg, (struct beat){server, session, attach_no, seq, 0});
    }
}

static void on_sync (void *arg, size_t server, uint64_t token)
{
    remember (arg, (struct beat){.server = server, .token = token});
}

static void answer_beat (struct net *net)
{
    if (net->beats_count == 0) {
        return;
    }
    struct beat beat = net->beats[0];
    net->beats_count--;
    memmove (net->beats, net->beats + 1, net->beats_count * sizeof *net->beats);
    struct world *world = net->world;
    struct clients *clients = world->servers[beat.server].clients;
    if (!world->servers[beat.server].leader) {
        return;
    }
    if (beat.token != 0) {
        clients_synced (clients, beat.token,
                        world->log_count > 0 ? world->zxids[world->log_count - 1] : 0);
    } else {
        clients_confirmed (clients, beat.session, beat.attach_no, beat.seq);
    }
}

static struct wire *wire_of (struct actor *actor, uint32_t link)
{
    for (size_t i = 0; i < actor->net->wires_count; i++) {
        struct wire *wire = &actor->net->wires[i];
        if (wire->actor == actor && wire->link == link) {
            return wire;
        }
    }
    return NULL;
}

static void new_wire (struct actor *actor, const struct session_command *command)
{
    struct net *net = actor->net;
    assert_true (net->wires_count < LINKS_MAX);
    struct wire *wire = &net->wires[net->wires_count++];
    *wire = (struct wire){.actor = actor, .link = command->link};
    wire->server = (size_t) (command->endpoint[strlen ("tcp://s")] - '0');
    assert_true (wire->server < SERVERS);
    wire->connection = ++net->world->connections;
    list_init (&wire->to_server);
    list_init (&wire->to_client);
}

/* ---- What an actor wants --------------------------------------------------------------------- */

static struct request *make (enum wire_kind kind, const char *path, const char *data)
{
    struct request *request = request_new (kind, "", path, data, data != NULL ? strlen (data) : 0);
    assert_non_null (request);
    return request;
}

static void read_shared (struct actor *actor)
{
    struct request *request = make (WIRE_GET, "/shared", NULL);
    request->watch = watch_new (WIRE_WATCH_DATA, "", "/shared", NULL, actor);
    request->wire.op.watch = true;
    assert_non_null (request->watch);
    actor->reading = true;
    session_submit (actor->session, request, actor->net->world->now_ms);
}

static void create_ephemeral (struct actor *actor)
{
    char path[32];
    if (actor->ephemerals < EPHEMERALS) {
        snprintf (path, sizeof path, "/m/e%zu-%u", actor->index, actor->ephemerals++);
        struct request *request = make (WIRE_CREATE, path, "");
        request->wire.op.mode = COHORT_EPHEMERAL;
        session_submit (actor->session, request, actor->net->world->now_ms);
    }
}

static void hand_over (struct actor *actor)
{
    struct net *net = actor->net;
    size_t other = (actor->index + prng_between (&net->prng, 1, ACTORS - 1)) % ACTORS;
    struct session_view mine, theirs;
    uint8_t hash[ENTRY_PASSWORD_HASH], token[HAND_OVER_TOKEN_SIZE];
    session_view (actor->session, &mine);
    session_view (net->actors[other].session, &theirs);
    if (mine.id == 0 || theirs.id == 0) {
        return;
    }
    tree_password_hash (theirs.password, hash);
    hand_over_token (mine.id, theirs.id, hash, token);
    struct request *request = request_new (WIRE_HAND_OVER, "", NULL, token, sizeof token);
    assert_non_null (request);
    request->wire.op.session = theirs.id;
    session_submit (actor->session, request, net->world->now_ms);
}

static void act (struct actor *actor)
{
    struct net *net = actor->net;
    char path[32], data[16];
    int64_t now_ms = net->world->now_ms;
    switch (prng_below (&net->prng, 10)) {
    case 0:
    case 1:
    case 2:
        if (actor->sets < WRITES) {
            snprintf (path, sizeof path, "/m/%zu", actor->index);
            snprintf (data, sizeof data, "%u", ++actor->sets);
            struct request *request = make (WIRE_SET, path, data);
            request->wire.op.version = -1;
            session_submit (actor->session, request, now_ms);
        }
        break;
    case 3:
        if (actor->creates < 20) {
            snprintf (path, sizeof path, "/q/%zu-", actor->index);
            struct request *request = make (WIRE_CREATE, path, "");
            request->wire.op.mode = COHORT_SEQUENTIAL;
            actor->creates++;
            session_submit (actor->session, request, now_ms);
        }
        break;
    case 4:
        snprintf (data, sizeof data, "%u", (unsigned) prng_below (&net->prng, 1000));
        struct request *shared = make (WIRE_SET, "/shared", data);
        shared->wire.op.version = -1;
        session_submit (actor->session, shared, now_ms);
        break;
    case 5:
        session_submit (actor->session, make (WIRE_SYNC, NULL, NULL), now_ms);
        break;
    case 6:
        create_ephemeral (actor);
        break;
    case 7:
        hand_over (actor);
        break;
    default:
        snprintf (path, sizeof path, "/m/%zu", actor->index);
        session_submit (actor->session, make (WIRE_GET, path, NULL), now_ms);
        break;
    }
}

/* ---- What it gets ---------------------------------------------------------------------------- */

static int number_of (const void *data, size_t size)
{
    char text[16] = "";
    memcpy (text, data, size < sizeof text ? size : sizeof text - 1);
    return (int) strtol (text, NULL, 10);
}

static void take_result (struct actor *actor, const struct request *request)
{
    struct net *net = actor->net;
    const struct wire_reply *reply = request->reply;
    if (request->rc != COHORT_OK) {
        fail_msg ("seed %llu: request %llu of kind %d: %d", (unsigned long long) net->seed,
                  (unsigned long long) request->wire.xid, (int) request->wire.op.kind, request->rc);
    }
    REQUIRE (reply != NULL);
    const char *path = request->wire.op.path;
    switch (request->wire.op.kind) {
    case WIRE_SET:
        if (strcmp (path, "/shared") != 0) {
            /* Each once, in order. */
            actor->set_done++;
            REQUIRE (reply->stat->version == (int32_t) actor->set_done);
            actor->version = reply->stat->version;
        }
        break;
    case WIRE_CREATE:
        actor->created += path[1] == 'q';
        break;
    case WIRE_HAND_OVER:
        actor->given += reply->value > 0;
        break;
    case WIRE_GET:
        if (request->wire.op.watch) {
            memset (actor->shared, 0, sizeof actor->shared);
            memcpy (actor->shared, reply->data, reply->size);
        } else {
            int value = number_of (reply->data, reply->size);
            REQUIRE (value >= (int) actor->set_done);
            REQUIRE (value >= actor->value_seen);
            actor->value_seen = value;
        }
        break;
    default:
        break;
    }
}

static void mirror_owner (struct actor *actor, const cohort_change_t *change)
{
    for (size_t i = 0; i < actor->mirror_count; i++) {
        struct mirrored *mirrored = &actor->mirror[i];
        if (mirrored->owner == change->from && mirrored->ozxid <= change->stat.ozxid) {
            mirrored->owner = change->stat.ephemeral_owner;
            mirrored->ozxid = change->stat.ozxid;
        }
    }
}

static void mirror_change (struct actor *actor, const cohort_change_t *change)
{
    struct net *net = actor->net;
    struct mirrored *found = NULL;
    if (change->kind == COHORT_CHANGE_OWNER) {
        mirror_owner (actor, change);
        return;
    }
    for (size_t i = 0; i < actor->mirror_count; i++) {
        if (strcmp (actor->mirror[i].path, change->path) == 0) {
            found = &actor->mirror[i];
        }
    }
    /* None missing, none twice. */
    REQUIRE ((found == NULL) == (change->kind == COHORT_CHANGE_CREATED));
    if (change->kind == COHORT_CHANGE_DELETED) {
        *found = actor->mirror[--actor->mirror_count];
        return;
    }
    if (found == NULL) {
        REQUIRE (actor->mirror_count < MIRROR_MAX);
        found = &actor->mirror[actor->mirror_count++];
        snprintf (found->path, sizeof found->path, "%s", change->path);
    } else {
        REQUIRE (number_of (change->data, change->size) >
                     number_of (found->data, strlen (found->data)) ||
                 strcmp (found->path, "/m") == 0);
    }
    snprintf (found->data, sizeof found->data, "%.*s", (int) change->size,
              (const char *) change->data);
    found->owner = change->stat.ephemeral_owner;
    found->ozxid = change->stat.ozxid;
}

static void take_batch (struct actor *actor, const cohort_batch_t *batch)
{
    struct net *net = actor->net;
    if (batch->snapshot && batch->first) {
        actor->mirror_count = 0;
        actor->resets++;
    } else if (!batch->snapshot) {
        REQUIRE (batch->zxid > actor->batch_zxid || !batch->first);
    }
    for (size_t i = 0; i < batch->count; i++) {
        mirror_change (actor, &batch->changes[i]);
    }
    actor->batch_zxid = batch->zxid;
}

static void take_batches (struct actor *actor, struct batch_event *event)
{
    bool more = true;
    while (more) {
        cohort_batch_t batch;
        cohort_change_t *changes;
        more = batch_event_next (event, &batch, &changes);
        take_batch (actor, &batch);
    }
}

static void take_events (struct actor *actor)
{
    struct net *net = actor->net;
    struct list events;
    struct list_node *node;
    list_init (&events);
    session_take_events (actor->session, &events);
    while ((node = list_pop_front (&events)) != NULL) {
        struct event *event = list_entry (node, struct event, node);
        switch (event->kind) {
        case EVENT_RESULT:
            take_result (actor, container_of (event, struct request, event));
            break;
        case EVENT_WATCH:
            actor->events++;
            actor->reading = false;
            break;
        case EVENT_BATCH:
            take_batches (actor, container_of (event, struct batch_event, event));
            break;
        case EVENT_STATE:
            REQUIRE (container_of (event, struct state_event, event)->state != COHORT_LOST);
            break;
        default:
            REQUIRE (false);
        }
        event_free (event);
    }
}

/* ---- Turns ----------------------------------------------------------------------------------- */

/* After each input of a session: what it wants done. */
static void drive (struct actor *actor)
{
    struct session_command command;
    struct net *net = actor->net;
    int64_t now_ms = net->world->now_ms;
    while (session_next_command (actor->session, &command)) {
        if (command.kind == SESSION_CONNECT) {
            new_wire (actor, &command);
        } else {
            struct wire *wire = wire_of (actor, command.link);
            if (wire == NULL) {
                continue; /* it has ended already */
            }
            wire->closed = true;
            wire->actor = NULL;
            clear (&wire->to_client);
        }
    }
    for (size_t i = 0; i < net->wires_count; i++) {
        struct wire *wire = &net->wires[i];
        struct buf out = {0};
        while (wire->actor == actor && wire->up && !wire->closed &&
               session_next_frame (actor->session, wire->link, &out, now_ms)) {
            push (&wire->to_server, out.data, out.size);
            buf_clear (&out);
        }
        buf_deinit (&out);
    }
    take_events (actor);
    if (!actor->reading && !net->calm && prng_chance (&net->prng, 1, 2)) {
        read_shared (actor);
    } else if (!actor->reading && net->calm) {
        read_shared (actor);
    }
}

static void wire_turn (struct net *net, struct wire *wire)
{
    struct clients *clients = net->world->servers[wire->server].clients;
    int64_t now_ms = net->world->now_ms;
    struct frame *frame;
    if (wire->actor != NULL && !wire->up && !wire->closed) {
        wire->up = true;
        session_link_up (wire->actor->session, wire->link, now_ms);
        return;
    }
    if (prng_chance (&net->prng, 1, 2) && (frame = pop (&wire->to_server)) != NULL) {
        clients_frame (clients, wire->connection, frame->data, frame->size);
        mem_free (frame);
    } else if (wire->actor != NULL && (frame = pop (&wire->to_client)) != NULL) {
        session_frame (wire->actor->session, wire->link, frame->data, frame->size, now_ms);
        mem_free (frame);
    } else if (wire->closed && list_empty (&wire->to_server)) {
        /* All that reached the server has been read; now its end is proven. */
        clients_closed (clients, wire->connection);
        if (wire->actor != NULL) {
            struct actor *actor = wire->actor;
            wire->actor = NULL;
            session_link_down (actor->session, wire->link, COHORT_ECONNECT, now_ms);
        }
        wire->connection = 0;
        clear (&wire->to_client);
    }
}

static void break_wire (struct net *net, struct wire *wire)
{
    if (wire->connection == 0 || wire->closed || !wire->up) {
        return;
    }
    if (prng_chance (&net->prng, 1, 3)) {
        wire->full = !wire->full;
        return;
    }
    wire->closed = true;
    wire->full = false;
    clear (&wire->to_client);
    if (prng_chance (&net->prng, 1, 2)) {
        clear (&wire->to_server);
    }
}

/* A server falls behind, without a leader: its clients hear of it. */
static void fall_behind (struct world_server *server)
{
    server->behind = true;
    server->leader = false;
    clients_leader (server->clients, false);
    clients_held (server->clients, CLIENTS_BEHIND);
}

/* Its state is another's, and there is a leader again, if the others have one. */
static void catch_up (struct world *world, size_t index)
{
    struct world_server *server = &world->servers[index];
    installed += server->applied < world->servers[0].applied;
    if (server->applied <= world->servers[0].applied) {
        world_install (world, index, 0);
    }
    clients_held (server->clients, NULL);
    server->behind = false;
    server->leader = world->servers[0].leader;
    clients_leader (server->clients, server->leader);
}

static void fault (struct net *net)
{
    struct world *world = net->world;
    uint64_t what = prng_below (&net->prng, 100);
    if (what < 4 && net->wires_count > 0) {
        break_wire (net, &net->wires[prng_below (&net->prng, net->wires_count)]);
    } else if (what == 5) {
        world_lose_leader (world);
        net->beats_count = 0;
    } else if (what < 10 && !world->servers[0].leader) {
        world_new_leader (world);
    } else if (what < 12 && !world->servers[2].behind) {
        fall_behind (&world->servers[2]);
    } else if (what < 14 && world->servers[2].behind) {
        catch_up (world, 2);
    }
}

static void step (struct net *net)
{
    struct world *world = net->world;
    world->now_ms += (int64_t) prng_below (&net->prng, 3);
    for (size_t i = 0; i < SERVERS; i++) {
        clients_time (world->servers[i].clients, world->now_ms);
    }
    if (!net->calm) {
        fault (net);
    }
    for (size_t i = 0; i < ACTORS; i++) {
        struct actor *actor = &net->actors[i];
        if (!net->calm && prng_chance (&net->prng, 1, 3)) {
            act (actor);
        }
        if (session_deadline (actor->session) <= world->now_ms) {
            session_tick (actor->session, world->now_ms);
        }
        drive (actor);
    }
    for (size_t i = 0; i < net->wires_count; i++) {
        struct actor *actor = net->wires[i].actor;
        if (net->wires[i].connection != 0 && prng_chance (&net->prng, 2, 3)) {
            wire_turn (net, &net->wires[i]);
        }
        if (actor != NULL) {
            drive (actor);
        }
    }
    if (prng_chance (&net->prng, 1, 2)) {
        world_commit (world, (size_t) prng_below (&net->prng, 10));
    }
    for (size_t i = 0; i < SERVERS; i++) {
        uint64_t count = net->calm ? UINT64_MAX : prng_below (&net->prng, 8);
        while (count > 0 && !world->servers[i].behind && world_apply (world, i)) {
            count--;
        }
        clients_flush (world->servers[i].clients);
    }
    for (uint64_t count = prng_below (&net->prng, 8); count > 0; count--) {
        answer_beat (net);
    }
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static void prepare (struct net *net)
{
    static const char *const paths[] = {"/m", "/q", "/shared", "/m/0", "/m/1", "/m/2", "/m/3"};
    struct peer *peer = peer_attached (net->world, 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        peer->ack_to = peer->number;
        ask_create (peer, paths[i], i >= 2 ? "0" : "", 0);
        peer_do (peer);
        expect_prefix (peer, "reply");
    }
    peer_disconnect (peer, true);
}

_Static_assert(ACTORS == 4, "prepare makes a znode for each");

static void begin (struct net *net, size_t index)
{
    struct actor *actor = &net->actors[index];
    struct hosts hosts;
    char text[256];
    assert_int_equal (hosts_parse (&hosts, "tcp://s0:1,tcp://s1:1,tcp://s2:1", text, sizeof text),
                      0);
    struct session_options options = {
        .hosts = &hosts,
        .timeout_ms = 10000,
        .grace_ms = 10000,
        .connect_timeout_ms = 200,
        .stream_bytes_max = 1 << 30,
    };
    memset (options.random.nonce, (int) index + 50, sizeof options.random.nonce);
    memset (options.random.password, (int) index + 80, sizeof options.random.password);
    options.random.seed = net->seed * ACTORS + index;
    actor->net = net;
    actor->index = index;
    actor->session = session_new (&options);
    assert_non_null (actor->session);
    hosts_deinit (&hosts);
    session_tick (actor->session, net->world->now_ms);
    actor->stream = stream_new (1, "", "/m");
    assert_non_null (actor->stream);
    struct request *open = make (WIRE_STREAM_OPEN, "/m", NULL);
    open->wire.op.stream_id = 1;
    open->stream = actor->stream;
    stream_retain (actor->stream);
    session_submit (actor->session, open, net->world->now_ms);
}

static void check (struct net *net, struct actor *actor)
{
    struct tree *tree = net->world->servers[0].tree;
    struct tree_node node;
    char path[32];
    REQUIRE (actor->set_done == actor->sets);
    REQUIRE (actor->created == actor->creates);
    size_t ephemerals = 0;
    for (size_t i = 0; i < ACTORS; i++) {
        ephemerals += net->actors[i].ephemerals;
    }
    REQUIRE (actor->mirror_count == ACTORS + 1 + ephemerals);
    for (size_t i = 0; i < actor->mirror_count; i++) {
        const struct mirrored *mirrored = &actor->mirror[i];
        REQUIRE (tree_get (tree, mirrored->path, strlen (mirrored->path), &node) == 0);
        REQUIRE (node.data_size == strlen (mirrored->data));
        REQUIRE (memcmp (node.data, mirrored->data, node.data_size) == 0);
        REQUIRE (node.stat.ephemeral_owner == mirrored->owner);
        REQUIRE (node.stat.ozxid == mirrored->ozxid);
    }
    snprintf (path, sizeof path, "/m/%zu", actor->index);
    REQUIRE (tree_get (tree, path, strlen (path), &node) == 0);
    REQUIRE (node.stat.version == (int32_t) actor->sets);
    /* The watch has told of every change after the last read. */
    REQUIRE (tree_get (tree, "/shared", 7, &node) == 0);
    REQUIRE (strlen (actor->shared) == node.data_size);
    REQUIRE (memcmp (node.data, actor->shared, node.data_size) == 0);
}

static struct net *net_new (uint64_t seed, const struct world_options *options)
{
    static const struct world_hooks hooks = {on_send, on_drop, on_heartbeat, on_sync};
    struct net *net = mem_calloc (1, sizeof *net);
    assert_non_null (net);
    prng_seed (&net->prng, seed);
    net->seed = seed;
    net->world = world_new (options);
    prepare (net);
    net->world->hooks = &hooks;
    net->world->hooks_arg = net;
    for (size_t i = 0; i < SERVERS; i++) {
        net->world->servers[i].lags = true;
    }
    for (size_t i = 0; i < ACTORS; i++) {
        begin (net, i);
    }
    return net;
}

static void net_free (struct net *net)
{
    for (size_t i = 0; i < ACTORS; i++) {
        session_free (&net->actors[i].session);
        stream_release (net->actors[i].stream);
    }
    for (size_t i = 0; i < net->wires_count; i++) {
        clear (&net->wires[i].to_server);
        clear (&net->wires[i].to_client);
    }
    world_free (&net->world);
    mem_free (net);
}

static unsigned run_seed (uint64_t seed)
{
    struct world_options options = {
        .servers = SERVERS,
        .effects_bytes = seed % 2 == 0 ? 8 << 10 : 0,
        .walk_nodes = (uint32_t) (seed % 3),
        .walk_window = seed % 4 == 0 ? 0 : 200,
        .turn_work = seed % 7 == 0 ? 1 + (uint32_t) (seed % 50) : 0,
        .window = seed % 3 == 0 ? 16 : 0,
        .results_size_max = seed % 5 == 0 ? 500 : 0,
    };
    struct net *net = net_new (seed, &options);
    for (int i = 0; i < STEPS; i++) {
        step (net);
    }
    net->calm = true;
    for (size_t i = 0; i < net->wires_count; i++) {
        net->wires[i].full = false;
    }
    if (!net->world->servers[0].leader) {
        world_new_leader (net->world);
    }
    if (net->world->servers[2].behind) {
        catch_up (net->world, 2);
    }
    for (int i = 0; i < 6000; i++) {
        step (net);
    }
    REQUIRE (net->world->waiting_count == 0);
    uint64_t creates = 0;
    unsigned work = 0;
    for (size_t i = 0; i < ACTORS; i++) {
        struct actor *actor = &net->actors[i];
        check (net, actor);
        creates += actor->creates;
        work += actor->set_done + actor->events;
        given += actor->given;
    }
    struct tree_node node;
    REQUIRE (tree_get (net->world->servers[1].tree, "/q", 2, &node) == 0);
    REQUIRE (node.stat.child_count == creates);
    net_free (net);
    return work;
}

static bool all_are_sure (const struct net *net)
{
    size_t sure = 0;
    for (size_t i = 0; i < ACTORS; i++) {
        sure += session_valid_ms (net->actors[i].session, net->world->now_ms) > 0;
    }
    return sure == ACTORS;
}

/* The first heartbeats of a new ensemble's sessions reach a leader that does not know these yet. */
static void who_is_not_heard_at_first_is_sure_soon (void **state)
{
    (void) state;
    struct world_options options = {.servers = SERVERS};
    struct net *net = net_new (1, &options);
    net->calm = true;
    net->deaf_until_ms = net->world->now_ms + 500;
    while (!all_are_sure (net)) {
        step (net);
        REQUIRE (net->world->now_ms < net->deaf_until_ms + 1000);
    }
    REQUIRE (net->world->now_ms >= net->deaf_until_ms);
    net_free (net);
}

static void nothing_is_lost_doubled_or_out_of_order (void **state)
{
    (void) state;
    const char *only = getenv ("COHORT_TEST_SEED");
    unsigned work = 0;
    uint64_t first = only != NULL ? strtoull (only, NULL, 10) : 1;
    uint64_t last = only != NULL ? first : 10;
    for (uint64_t seed = first; seed <= last; seed++) {
        work += run_seed (seed);
    }
    assert_true (work > 100);
    printf ("  %u states were taken over\n", installed);
    assert_true (only != NULL || installed > 10);
    assert_true (only != NULL || given > 50);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (nothing_is_lost_doubled_or_out_of_order),
        cmocka_unit_test (who_is_not_heard_at_first_is_sure_soon),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
