/* Connections, what breaks them, and turns: see pair_world.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/src/streams.h"
#include "tests/unit/node/pair_world.h"

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
    actor_take_events (actor);
    if (!actor->reading && !net->calm && prng_chance (&net->prng, 1, 2)) {
        actor_read_shared (actor);
    } else if (!actor->reading && net->calm) {
        actor_read_shared (actor);
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
static void catch_up (struct net *net, size_t index)
{
    struct world *world = net->world;
    struct world_server *server = &world->servers[index];
    net->installed += server->applied < world->servers[0].applied;
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
        catch_up (net, 2);
    }
}

void net_step (struct net *net)
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
            actor_act (actor);
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

void net_calm (struct net *net)
{
    net->calm = true;
    for (size_t i = 0; i < net->wires_count; i++) {
        net->wires[i].full = false;
    }
    if (!net->world->servers[0].leader) {
        world_new_leader (net->world);
    }
    if (net->world->servers[2].behind) {
        catch_up (net, 2);
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
    struct request *open = actor_make (WIRE_STREAM_OPEN, "/m", NULL);
    open->wire.op.stream_id = 1;
    open->stream = actor->stream;
    stream_retain (actor->stream);
    session_submit (actor->session, open, net->world->now_ms);
}

struct net *net_new (uint64_t seed, const struct world_options *options)
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

void net_free (struct net *net)
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
