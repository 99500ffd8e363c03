/* Unit tests of cli/status_query.h, against servers that are a ROUTER each. */

#include "client/cli/status_query.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "client.pb-c.h"
#include "tests/unit/unit.h"

#define SERVERS_MAX 3
/* Far more than an answer takes, and how long the tests wait for none. */
#define LONG_MS  10000
#define SHORT_MS 100

/* No encryption. */
static const struct security plain;

struct fake {
    void *router;
    char address[ENDPOINT_SIZE_MAX];
    const char *role;
    uint32_t id;
    bool mute;
};

/* A network of fake servers with a thread that answers for all of them until it is told to end. */
struct network {
    void *context;
    void *control, *control_peer; /* a PAIR: one message ends the thread */
    pthread_t thread;
    struct fake servers[SERVERS_MAX];
    size_t count;
    const char *named; /* client address of a further member with id 9 */
    bool name_another; /* whether that member is told about */
};

static void answer (struct network *self, struct fake *server, zmq_msg_t *routing_id)
{
    Cohort__Wire__Member members[SERVERS_MAX + 1];
    Cohort__Wire__Member *pointers[SERVERS_MAX + 1];
    Cohort__Wire__Status status = COHORT__WIRE__STATUS__INIT;
    status.server_id = server->id;
    status.role = (char *) server->role;
    status.epoch = 4;
    status.zxid = 0x100000000 + server->id;
    status.connections = 10 * server->id;
    status.log = server->id == 2 ? "damaged" : "whole";
    status.state = server->id == 2 ? "quarantined" : "sound";
    status.state_reason = server->id == 2 ? "another digest" : "";
    if (self->name_another) {
        cohort__wire__member__init (&members[0]);
        members[0].id = 9;
        members[0].client_address = (char *) self->named;
        pointers[0] = &members[0];
        status.members = pointers;
        status.n_members = 1;
    }
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.status = &status;
    uint8_t bytes[1024];
    assert_true (cohort__wire__server_frame__get_packed_size (&frame) <= sizeof bytes);
    size_t size = cohort__wire__server_frame__pack (&frame, bytes);
    zmq_msg_t probe;
    zmq_msg_init (&probe);
    zmq_msg_copy (&probe, routing_id);
    /* First an empty frame, as servers probe their connections with. */
    zmq_msg_send (&probe, server->router, ZMQ_SNDMORE);
    zmq_send (server->router, "", 0, 0);
    zmq_msg_send (routing_id, server->router, ZMQ_SNDMORE);
    zmq_send (server->router, bytes, size, 0);
}

static void *serve (void *arg)
{
    struct network *self = arg;
    for (;;) {
        zmq_pollitem_t items[SERVERS_MAX + 1] = {{self->control_peer, 0, ZMQ_POLLIN, 0}};
        for (size_t i = 0; i < self->count; i++) {
            items[i + 1] = (zmq_pollitem_t){self->servers[i].router, 0, ZMQ_POLLIN, 0};
        }
        zmq_poll (items, (int) self->count + 1, -1);
        if (items[0].revents != 0) {
            return NULL;
        }
        for (size_t i = 0; i < self->count; i++) {
            if (items[i + 1].revents == 0) {
                continue;
            }
            zmq_msg_t routing_id;
            zmq_msg_init (&routing_id);
            zmq_msg_recv (&routing_id, self->servers[i].router, 0);
            uint8_t bytes[64];
            int size = zmq_recv (self->servers[i].router, bytes, sizeof bytes, 0);
            Cohort__Wire__ClientFrame *frame =
                cohort__wire__client_frame__unpack (NULL, (size_t) size, bytes);
            if (frame != NULL && frame->status != NULL && !self->servers[i].mute) {
                answer (self, &self->servers[i], &routing_id);
            }
            cohort__wire__client_frame__free_unpacked (frame, NULL);
            zmq_msg_close (&routing_id);
        }
    }
}

static void network_init (struct network *self)
{
    memset (self, 0, sizeof *self);
    self->context = zmq_ctx_new ();
    self->control = zmq_socket (self->context, ZMQ_PAIR);
    self->control_peer = zmq_socket (self->context, ZMQ_PAIR);
    assert_int_equal (zmq_bind (self->control, "inproc://control"), 0);
    assert_int_equal (zmq_connect (self->control_peer, "inproc://control"), 0);
}

static struct fake *network_add (struct network *self, uint32_t id, const char *role)
{
    struct fake *server = &self->servers[self->count++];
    server->id = id;
    server->role = role;
    server->router = zmq_socket (self->context, ZMQ_ROUTER);
    int linger = 0;
    zmq_setsockopt (server->router, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal (zmq_bind (server->router, "tcp://127.0.0.1:*"), 0);
    size_t size = sizeof server->address;
    assert_int_equal (zmq_getsockopt (server->router, ZMQ_LAST_ENDPOINT, server->address, &size),
                      0);
    return server;
}

static void network_start (struct network *self)
{
    assert_int_equal (pthread_create (&self->thread, NULL, serve, self), 0);
}

static void network_stop (struct network *self)
{
    zmq_send (self->control, "", 0, 0);
    pthread_join (self->thread, NULL);
    for (size_t i = 0; i < self->count; i++) {
        zmq_close (self->servers[i].router);
    }
    zmq_close (self->control);
    zmq_close (self->control_peer);
    zmq_ctx_term (self->context);
}

/* An address at which nobody listens: a port that was just in use. */
static void deserted_address (char *address, size_t size)
{
    void *context = zmq_ctx_new ();
    void *socket = zmq_socket (context, ZMQ_ROUTER);
    assert_int_equal (zmq_bind (socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, address, &size), 0);
    zmq_close (socket);
    zmq_ctx_term (context);
}

static void test_two_servers (void **state)
{
    (void) state;
    struct network network;
    network_init (&network);
    const char *first = network_add (&network, 1, "follower")->address;
    const char *second = network_add (&network, 2, "leader")->address;
    network_start (&network);
    char list[2 * ENDPOINT_SIZE_MAX + 16];
    snprintf (list, sizeof list, "%s,%s/chroot", first, second);
    struct ensemble_status status;
    assert_int_equal (status_query (&status, list, &plain, LONG_MS), 0);
    assert_int_equal (status.addresses.count, 2);
    assert_int_equal (status_answered (&status), 2);
    assert_true (status_has_leader (&status));
    assert_int_equal (status_exit_code (&status), 0);
    assert_string_equal (status.servers[0].role, "follower");
    assert_true (status.servers[0].has_id);
    assert_int_equal (status.servers[0].id, 1);
    assert_int_equal (status.servers[1].epoch, 4);
    assert_true (status.servers[1].zxid == 0x100000002);
    assert_int_equal (status.servers[1].connections, 20);
    assert_string_equal (status.servers[0].log, "whole");
    assert_string_equal (status.servers[1].log, "damaged");
    assert_string_equal (status.servers[0].state, "sound");
    assert_string_equal (status.servers[0].state_reason, "");
    assert_string_equal (status.servers[1].state, "quarantined");
    assert_string_equal (status.servers[1].state_reason, "another digest");
    network_stop (&network);
}

static void test_named_member (void **state)
{
    (void) state;
    struct network network;
    network_init (&network);
    const char *known = network_add (&network, 1, "looking")->address;
    network.named = network_add (&network, 9, "looking")->address;
    network.name_another = true;
    network_start (&network);
    struct ensemble_status status;
    assert_int_equal (status_query (&status, known, &plain, LONG_MS), 0);
    assert_int_equal (status.addresses.count, 2);
    assert_int_equal (status_answered (&status), 2);
    assert_int_equal (status.servers[1].id, 9);
    assert_int_equal (status.hidden_count, 0);
    assert_int_equal (status_exit_code (&status), 8);
    network_stop (&network);
}

/* Of a member that nobody can connect to only the id is known. */
static void test_hidden_member (void **state)
{
    (void) state;
    static const char *const addresses[] = {"", "tcp://*:5181", "tcp://0.0.0.0:5181", "inproc://x"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct network network;
        network_init (&network);
        const char *known = network_add (&network, 1, "leader")->address;
        network.named = addresses[i];
        network.name_another = true;
        network_start (&network);
        struct ensemble_status status;
        assert_int_equal (status_query (&status, known, &plain, LONG_MS), 0);
        assert_int_equal (status.addresses.count, 1);
        assert_int_equal (status.hidden_count, 1);
        assert_int_equal (status.hidden_ids[0], 9);
        network_stop (&network);
    }
}

/* Had the refusal not been noticed, this test would take longer than its limit. */
static void test_deserted (void **state)
{
    (void) state;
    char address[ENDPOINT_SIZE_MAX];
    deserted_address (address, sizeof address);
    struct ensemble_status status;
    assert_int_equal (status_query (&status, address, &plain, 1000 * LONG_MS), 0);
    assert_int_equal (status.addresses.count, 1);
    assert_int_equal (status_answered (&status), 0);
    assert_false (status.servers[0].has_id);
    assert_int_equal (status_exit_code (&status), 3);
}

static void test_mute (void **state)
{
    (void) state;
    struct network network;
    network_init (&network);
    struct fake *mute = network_add (&network, 1, "leader");
    mute->mute = true;
    network_start (&network);
    struct ensemble_status status;
    assert_int_equal (status_query (&status, mute->address, &plain, SHORT_MS), 0);
    assert_int_equal (status_answered (&status), 0);
    assert_int_equal (status_exit_code (&status), 3);
    network_stop (&network);
}

static void test_nonsense (void **state)
{
    (void) state;
    struct ensemble_status status;
    assert_int_equal (status_query (&status, "", &plain, SHORT_MS), 0);
    assert_int_equal (status.addresses.count, 0);
    assert_int_equal (status_exit_code (&status), 3);
    assert_int_equal (status_query (&status, "nonsense,tcp://", &plain, SHORT_MS), 0);
    assert_int_equal (status_answered (&status), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_two_servers),   cmocka_unit_test (test_named_member),
        cmocka_unit_test (test_hidden_member), cmocka_unit_test (test_deserted),
        cmocka_unit_test (test_mute),          cmocka_unit_test (test_nonsense),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
