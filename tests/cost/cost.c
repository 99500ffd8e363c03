/* What an operation costs: the client's session machine and a whole server on a disk in memory,
 * joined by function calls, so that the same instructions run every time.
 *
 *     cost get|set ROUNDS
 *
 * Each round is WINDOW operations in one frame, on a znode of 100 bytes. What valgrind is to count
 * is inside of cost_measured: see cost_test.sh. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/src/session.h"
#include "server/node/node.h"
#include "server/store/disk.h"

enum { WINDOW = 64, KEYS = 1000, DATA_SIZE = 100, NOW_MS = 1000, CONNECTION = 1, WARM_ROUNDS = 40 };

struct cost {
    struct store *store;
    struct node *node;
    struct session *session;
    uint32_t link;
    struct buf to_client, to_server; /* a frame each */
    uint64_t sent, answered;
    char keys[KEYS][8];
};

/* valgrind knows it by its name. */
void cost_measured (struct cost *self, enum wire_kind kind, unsigned rounds)
    __attribute__ ((noinline));

/* ---- The server ------------------------------------------------------------------------------ */

static bool on_client_send (void *arg, uint64_t connection, const uint8_t *data, size_t size)
{
    struct cost *self = arg;
    COHORT_ASSERT (connection == CONNECTION);
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
    rc = node_start (self->node, NOW_MS, NOW_MS, error, sizeof error);
    COHORT_ASSERT (rc == 0);
}

/* Until the server has nothing more to do. */
static void serve (struct cost *self)
{
    bool more = true;
    node_time (self->node, NOW_MS, NOW_MS);
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
        any = session_next_frame (self->session, self->link, &self->to_server, NOW_MS);
        if (any) {
            node_client_frame (self->node, CONNECTION, self->to_server.data, self->to_server.size);
        }
        serve (self);
        if (self->to_client.size > 0) {
            any = true;
            session_frame (self->session, self->link, self->to_client.data, self->to_client.size,
                           NOW_MS);
            buf_clear (&self->to_client);
        }
        take_events (self);
    }
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
    struct session_command command;
    self->session = session_new (&options);
    COHORT_ASSERT (self->session != NULL);
    session_tick (self->session, NOW_MS);
    bool connects = session_next_command (self->session, &command);
    COHORT_ASSERT (connects && command.kind == SESSION_CONNECT);
    self->link = command.link;
    session_link_up (self->session, self->link, NOW_MS);
    exchange (self);
    hosts_deinit (&hosts);
}

static void submit (struct cost *self, enum wire_kind kind)
{
    static const char data[DATA_SIZE] = "data";
    const char *path = self->keys[self->sent % KEYS];
    bool holds = kind != WIRE_GET;
    struct request *request =
        request_new (kind, "", path, holds ? data : NULL, holds ? sizeof data : 0);
    COHORT_ASSERT (request != NULL);
    request->wire.op.version = kind == WIRE_SET ? COHORT_ANY_VERSION : 0;
    self->sent++;
    session_submit (self->session, request, NOW_MS);
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

void cost_measured (struct cost *self, enum wire_kind kind, unsigned rounds)
{
    uint64_t before = self->answered;
    run (self, kind, rounds);
    COHORT_ASSERT (self->answered - before == (uint64_t) rounds * WINDOW);
}

static void finish (struct cost *self)
{
    session_close (self->session, false, NOW_MS);
    take_events (self);
    session_free (&self->session);
    node_destroy (&self->node);
    store_close (&self->store);
    buf_deinit (&self->to_client);
    buf_deinit (&self->to_server);
}

int main (int argc, char **argv)
{
    unsigned rounds = argc == 3 ? (unsigned) strtoul (argv[2], NULL, 10) : 0;
    bool get = argc == 3 && strcmp (argv[1], "get") == 0;
    if (rounds == 0 || (!get && strcmp (argv[1], "set") != 0)) {
        fprintf (stderr, "usage: cost get|set ROUNDS\n");
        return 2;
    }
    static struct cost cost;
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf (cost.keys[i], sizeof cost.keys[i], "/k%u", i);
    }
    start_server (&cost);
    start_client (&cost);
    run (&cost, WIRE_CREATE, (KEYS + WINDOW - 1) / WINDOW);
    run (&cost, get ? WIRE_GET : WIRE_SET, WARM_ROUNDS);
    cost_measured (&cost, get ? WIRE_GET : WIRE_SET, rounds);
    finish (&cost);
    printf ("%u\n", rounds * WINDOW);
    return 0;
}
