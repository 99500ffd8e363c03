/* What an operation costs: the client's session machine and a whole server on a disk in memory,
 * joined by function calls, so that the same instructions run every time.
 *
 *     cost get|set|attach ROUNDS
 *     cost turns ZNODES
 *
 * Each round is WINDOW operations in one frame, on a znode of 100 bytes; or, of attach, a
 * connection that is lost and made again by a client with STREAMS streams. What valgrind is to
 * count is inside of cost_measured: see cost_test.sh.
 *
 * The last one writes a snapshot of so many znodes while LOAD writes come with each turn: what a
 * turn costs is inside of cost_turn, see turns_test.sh. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/src/session.h"
#include "client/src/streams.h"
#include "server/node/node.h"
#include "server/store/disk.h"

enum { WINDOW = 64, KEYS = 1024, DATA_SIZE = 100, STREAMS = KEYS, WARM_ROUNDS = 40 };
enum { LOAD = 5, TURN_MS = 10, REST_MS = 3900, TURNS_MAX = 100000 };
enum { START_MS = 1000, STEP_MS = 10 };

enum measured { MEASURED_GET, MEASURED_SET, MEASURED_ATTACH, MEASURED_TURNS };

struct cost {
    struct store *store;
    struct node *node;
    struct session *session;
    uint32_t link;
    uint64_t connection;
    int64_t now_ms;
    struct buf to_client, to_server; /* a frame each */
    uint64_t sent, answered;
    char keys[KEYS][8];
};

/* valgrind knows it by its name. */
void cost_measured (struct cost *self, enum measured what, unsigned rounds)
    __attribute__ ((noinline));
/* Likewise. What comes from the client, and one flush; whether there is more at once. */
bool cost_turn (struct cost *self) __attribute__ ((noinline));

/* ---- The server ------------------------------------------------------------------------------ */

static bool on_client_send (void *arg, uint64_t connection, const uint8_t *data, size_t size)
{
    struct cost *self = arg;
    COHORT_ASSERT (connection == self->connection);
    if (self->to_client.size > 0) {
        return false; /* the pipe takes one frame */
    }
    buf_append (&self->to_client, data, size);
    return true;
}

static void on_client_drop (void *arg, uint64_t connection)
{
    (void) arg;
    (void) connection;
    COHORT_ASSERT (false);
}

static void start_server (struct cost *self)
{
    char error[256];
    struct store_options store = {.disk = memory_disk_new (), .server_id = 1, .store_id = 1};
    struct node_member member = {.id = 1, .role = CONFIG_VOTER};
    int rc = store_open (&store, &self->store, error, sizeof error);
    COHORT_ASSERT (rc == 0);
    struct node_options options = {
        .id = 1,
        .members = &member,
        .members_count = 1,
        .store = self->store,
        .transport = {.arg = self, .client_send = on_client_send, .client_drop = on_client_drop},
        .seed = 1,
        .hash_seed = 2,
        .cluster_id = {3},
    };
    self->node = node_new (&options, error, sizeof error);
    COHORT_ASSERT (self->node != NULL);
    rc = node_start (self->node, self->now_ms, self->now_ms, error, sizeof error);
    COHORT_ASSERT (rc == 0);
}

/* Until the server has nothing more to do. */
static void serve (struct cost *self)
{
    bool more = true;
    node_time (self->node, self->now_ms, self->now_ms);
    while (more) {
        more = node_flush (self->node);
        more |= store_work (self->store);
    }
}

/* ---- The client ------------------------------------------------------------------------------ */

static void take_events (struct cost *self)
{
    struct list events;
    list_init (&events);
    session_take_events (self->session, &events);
    for (struct list_node *at = list_first (&events); at != NULL; at = list_next (&events, at)) {
        struct event *event = list_entry (at, struct event, node);
        if (event->kind == EVENT_RESULT) {
            int rc = container_of (event, struct request, event)->rc;
            COHORT_ASSERT (rc == COHORT_OK || rc == COHORT_ENODEEXISTS);
            self->answered++;
        }
    }
    event_free_all (&events);
}

/* Carries frames to and fro until nobody has any. */
static void exchange (struct cost *self)
{
    bool any = true;
    while (any) {
        buf_clear (&self->to_server);
        any = session_next_frame (self->session, self->link, &self->to_server, self->now_ms);
        if (any) {
            node_client_frame (self->node, self->connection, self->to_server.data,
                               self->to_server.size);
        }
        serve (self);
        if (self->to_client.size > 0) {
            any = true;
            session_frame (self->session, self->link, self->to_client.data, self->to_client.size,
                           self->now_ms);
            buf_clear (&self->to_client);
        }
        take_events (self);
    }
}

/* The session says when it tries again. */
static void connect_client (struct cost *self)
{
    struct session_command command;
    do {
        self->now_ms += STEP_MS;
        session_tick (self->session, self->now_ms);
    } while (!session_next_command (self->session, &command) || command.kind != SESSION_CONNECT);
    self->link = command.link;
    self->connection++;
    session_link_up (self->session, self->link, self->now_ms);
    exchange (self);
}

static void start_client (struct cost *self)
{
    char text[256];
    struct hosts hosts;
    int rc = hosts_parse (&hosts, "tcp://127.0.0.1:5181", text, sizeof text);
    COHORT_ASSERT (rc == COHORT_OK);
    struct session_options options = {.hosts = &hosts,
                                      .timeout_ms = 10000,
                                      .grace_ms = 10000,
                                      .connect_timeout_ms = 1000,
                                      .stream_bytes_max = 1 << 20,
                                      .random = {.nonce = {4}, .password = {5}, .seed = 6}};
    self->session = session_new (&options);
    COHORT_ASSERT (self->session != NULL);
    connect_client (self);
    hosts_deinit (&hosts);
}

static void submit_request (struct cost *self, struct request *request)
{
    self->sent++;
    session_enqueue (self->session, request);
}

static void submit_to (struct cost *self, enum wire_kind kind, const char *path)
{
    static const char data[DATA_SIZE] = "data";
    bool holds = kind != WIRE_GET;
    struct request *request =
        request_new (kind, "", path, holds ? data : NULL, holds ? sizeof data : 0);
    COHORT_ASSERT (request != NULL);
    request->wire.op.version = kind == WIRE_SET ? COHORT_ANY_VERSION : 0;
    submit_request (self, request);
}

static void submit (struct cost *self, enum wire_kind kind)
{
    submit_to (self, kind, self->keys[self->sent % KEYS]);
}

static void run (struct cost *self, enum wire_kind kind, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned j = 0; j < WINDOW; j++) {
            submit (self, kind);
        }
        exchange (self);
    }
    COHORT_ASSERT (self->answered == self->sent);
}

/* Streams from now on, each on a znode of its own. */
static void open_streams (struct cost *self)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        struct cohort_stream *stream = stream_new (i + 1, "", self->keys[i]);
        struct request *request = request_new (WIRE_STREAM_OPEN, "", self->keys[i], NULL, 0);
        COHORT_ASSERT (stream != NULL && request != NULL);
        stream->flags = request->wire.op.flags = WIRE_STREAM_NO_SNAPSHOT;
        request->stream = stream; /* has the reference */
        submit_request (self, request);
        if (i % WINDOW == WINDOW - 1) {
            exchange (self);
        }
    }
    COHORT_ASSERT (self->answered == self->sent);
}

static void attach_again (struct cost *self)
{
    node_client_closed (self->node, self->connection);
    session_link_down (self->session, self->link, COHORT_ECONNECT, self->now_ms);
    connect_client (self);
    struct session_view view;
    session_view (self->session, &view);
    COHORT_ASSERT (view.state == COHORT_CONNECTED);
}

/* ---- Turns ----------------------------------------------------------------------------------- */

/* In folders of KEYS znodes each. */
static void fill (struct cost *self, unsigned znodes)
{
    char path[32];
    for (unsigned i = 0; i < znodes; i++) {
        if (i % KEYS == 0) {
            snprintf (path, sizeof path, "/f%u", i / KEYS);
            submit_to (self, WIRE_CREATE, path);
        }
        snprintf (path, sizeof path, "/f%u/%u", i / KEYS, i);
        submit_to (self, WIRE_CREATE, path);
        if (i % (WINDOW / 2) == 0) {
            exchange (self);
        }
    }
    exchange (self);
    COHORT_ASSERT (self->answered == self->sent);
}

/* Whether a snapshot is there of this state, or a later one. */
static bool has_snapshot (const struct cost *self, zxid_t zxid)
{
    struct store_snapshot_info newest;
    return store_snapshot_newest (self->store, &newest) && newest.point.zxid >= zxid;
}

bool cost_turn (struct cost *self)
{
    node_time (self->node, self->now_ms, self->now_ms);
    if (self->to_server.size > 0) {
        node_client_frame (self->node, self->connection, self->to_server.data,
                           self->to_server.size);
    }
    return node_flush (self->node);
}

/* Heartbeats alone: where the log hardly grows in two seconds a snapshot is due, but it is not
 * known yet. */
static void rest (struct cost *self)
{
    for (int64_t ms = 0; ms < REST_MS; ms += REST_MS / 10) {
        self->now_ms += REST_MS / 10;
        session_tick (self->session, self->now_ms);
        exchange (self);
    }
}

/* It begins in one of these turns, and ends in another. */
static unsigned measure_turns (struct cost *self)
{
    zxid_t filled = tree_zxid (node_tree (self->node));
    unsigned turns = 0;
    for (; !has_snapshot (self, filled); turns++) {
        COHORT_ASSERT (turns < TURNS_MAX);
        self->now_ms += TURN_MS;
        session_tick (self->session, self->now_ms);
        for (unsigned i = 0; i < LOAD; i++) {
            submit (self, WIRE_SET);
        }
        buf_clear (&self->to_server);
        (void) session_next_frame (self->session, self->link, &self->to_server, self->now_ms);
        (void) cost_turn (self);
        (void) store_work (self->store); /* a disk that does a part of it at a time */
        if (self->to_client.size > 0) {
            session_frame (self->session, self->link, self->to_client.data, self->to_client.size,
                           self->now_ms);
            buf_clear (&self->to_client);
        }
        take_events (self);
    }
    return turns;
}

void cost_measured (struct cost *self, enum measured what, unsigned rounds)
{
    for (unsigned i = 0; what == MEASURED_ATTACH && i < rounds; i++) {
        attach_again (self);
    }
    if (what != MEASURED_ATTACH) {
        run (self, what == MEASURED_GET ? WIRE_GET : WIRE_SET, rounds);
    }
}

static void finish (struct cost *self)
{
    session_close (self->session, false, self->now_ms);
    take_events (self);
    session_free (&self->session);
    node_destroy (&self->node);
    store_close (&self->store);
    buf_deinit (&self->to_client);
    buf_deinit (&self->to_server);
}

int main (int argc, char **argv)
{
    static const char *const names[] = {"get", "set", "attach", "turns"};
    unsigned rounds = argc == 3 ? (unsigned) strtoul (argv[2], NULL, 10) : 0;
    size_t what = 0;
    while (argc == 3 && what < sizeof names / sizeof names[0] &&
           strcmp (argv[1], names[what]) != 0) {
        what++;
    }
    if (rounds == 0 || what == sizeof names / sizeof names[0]) {
        fprintf (stderr, "usage: cost get|set|attach ROUNDS, or turns ZNODES\n");
        return 2;
    }
    static struct cost cost = {.now_ms = START_MS};
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf (cost.keys[i], sizeof cost.keys[i], "/k%u", i);
    }
    start_server (&cost);
    start_client (&cost);
    run (&cost, WIRE_CREATE, KEYS / WINDOW);
    if (what == MEASURED_TURNS) {
        fill (&cost, rounds);
        rest (&cost);
        printf ("%u\n", measure_turns (&cost));
        exchange (&cost);
        finish (&cost);
        return 0;
    }
    if (what == MEASURED_ATTACH) {
        open_streams (&cost);
        attach_again (&cost);
    } else {
        run (&cost, what == MEASURED_GET ? WIRE_GET : WIRE_SET, WARM_ROUNDS);
    }
    cost_measured (&cost, (enum measured) what, rounds);
    finish (&cost);
    printf ("%u\n", rounds * (what == MEASURED_ATTACH ? STREAMS : WINDOW));
    return 0;
}
