/* The session machine against servers that lose, delay, refuse and forget, from many seeds.
 *
 * The model: one replicated session (the last number applied, a result for each number), and
 * servers that are only ways to it. What must hold: writes are applied once and in order, every
 * request has one result, results come in the order of the requests, and when the faults end
 * everything is answered.
 *
 * A failure prints the seed; COHORT_TEST_SEED repeats it alone. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.pb-c.h"
#include "client/base/prng.h"
#include "client/src/requests.h"
#include "client/src/session.h"
#include "client/src/streams.h"
#include "client/src/watches.h"
#include "tests/unit/unit.h"

#define SEEDS        300
#define STEPS        600
#define REQUESTS_MAX 2000
#define LINKS_MAX    4096
#define QUEUE_MAX    512

struct message {
    uint8_t *bytes;
    size_t size;
    uint32_t link;
};

/* Frames under way in one direction; each link's own come in order. */
struct pipe {
    struct message messages[QUEUE_MAX];
    size_t count;
};

struct model {
    uint64_t seed;
    struct prng prng;
    struct session *session;
    int64_t now;
    bool calm; /* no more faults */
    enum { LINK_CLOSED, LINK_ASKED, LINK_OPEN } links[LINKS_MAX];
    uint64_t attached[LINKS_MAX]; /* attach number, 0: not greeted */
    uint32_t last_link;
    struct pipe to_server, to_client;
    /* The replicated session. */
    bool created;
    uint64_t attach_no, last_number, zxid;
    uint32_t losing; /* the link whose server has lost a write: it resets the client in the end */
    /* What was asked and answered. */
    bool is_write[REQUESTS_MAX];
    uint64_t asked, answered, writes, confirmed_to;
};

static void expect (const struct model *model, bool condition, const char *what)
{
    if (!condition) {
        print_error ("seed %llu: %s\n", (unsigned long long) model->seed, what);
        fail ();
    }
}

static bool chance (struct model *model, uint64_t one_in)
{
    return !model->calm && prng_chance (&model->prng, 1, one_in);
}

static void put (struct pipe *pipe, uint32_t link, const void *bytes, size_t size)
{
    assert_true (pipe->count < QUEUE_MAX);
    struct message *message = &pipe->messages[pipe->count++];
    message->bytes = malloc (size + 1);
    memcpy (message->bytes, bytes, size);
    message->size = size;
    message->link = link;
}

static struct message take (struct pipe *pipe)
{
    struct message message = pipe->messages[0];
    memmove (&pipe->messages[0], &pipe->messages[1], --pipe->count * sizeof (message));
    return message;
}

/* ---- The servers ----------------------------------------------------------------------------- */

static void say (struct model *model, uint32_t link, const Cohort__Wire__ServerFrame *frame)
{
    uint8_t bytes[512];
    size_t size = cohort__wire__server_frame__get_packed_size (frame);
    assert_true (size <= sizeof (bytes));
    cohort__wire__server_frame__pack (frame, bytes);
    put (&model->to_client, link, bytes, size);
}

static void say_reply (struct model *model, uint32_t link, Cohort__Wire__Reply *reply)
{
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    Cohort__Wire__Item *items[] = {&item};
    item.item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    item.reply = reply;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.items = items;
    frame.n_items = 1;
    frame.zxid = model->zxid;
    say (model, link, &frame);
}

static void say_refused (struct model *model, uint32_t link, int code)
{
    Cohort__Wire__Refused refused = COHORT__WIRE__REFUSED__INIT;
    refused.code = code;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.refused = &refused;
    say (model, link, &frame);
}

static void take_hello (struct model *model, uint32_t link, const Cohort__Wire__Hello *hello)
{
    if (chance (model, 6)) {
        say_refused (model, link,
                     prng_chance (&model->prng, 1, 2) ? COHORT_ESTATE : COHORT_ENOQUORUM);
        return;
    }
    expect (model, hello->attach_no > model->attach_no, "an attach number is used twice");
    /* Some servers know a repeated creation only as the first attach. */
    bool first_only = hello->session_id == 0 && model->created && chance (model, 2);
    model->attach_no = first_only ? model->attach_no : hello->attach_no;
    model->created = true;
    model->attached[link] = hello->attach_no;
    static uint8_t cluster[16] = {1};
    Cohort__Wire__Welcome welcome = COHORT__WIRE__WELCOME__INIT;
    welcome.version = 1;
    welcome.cluster_id = (ProtobufCBinaryData){16, cluster};
    welcome.session_id = 77;
    welcome.timeout_ms = welcome.grace_ms = 1000000;
    welcome.last_number = model->last_number;
    welcome.window = 1 + (uint32_t) prng_below (&model->prng, 20);
    welcome.credit_bytes = 300 + prng_below (&model->prng, 2000);
    welcome.attach_no = first_only ? model->attach_no : hello->attach_no;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.welcome = &welcome;
    say (model, link, &frame);
}

static void take_request (struct model *model, uint32_t link, const Cohort__Wire__Request *request)
{
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    reply.xid = request->xid;
    reply.number = request->number;
    if (request->number > 0) {
        expect (model, request->ack_to < request->number, "a write acknowledges itself");
        expect (model, request->ack_to <= model->last_number, "what was not done is acknowledged");
        if (request->number > model->last_number + 1) {
            reply.code = COHORT_EGAP;
            reply.expected = model->last_number + 1;
        } else if (request->number == model->last_number + 1) {
            if (chance (model, 30)) {
                /* Lost inside the server: what follows is told of a gap. */
                model->losing = link;
                return;
            }
            if (chance (model, 40)) {
                reply.code = COHORT_EWINDOW;
            } else {
                model->last_number++;
                model->zxid++;
            }
        }
    }
    reply.zxid = model->zxid;
    say_reply (model, link, &reply);
}

static void take_frame (struct model *model, const struct message *message)
{
    uint32_t link = message->link;
    Cohort__Wire__ClientFrame *frame =
        cohort__wire__client_frame__unpack (NULL, message->size, message->bytes);
    assert_non_null (frame);
    if (frame->hello != NULL) {
        take_hello (model, link, frame->hello);
    } else {
        expect (model, model->attached[link] > 0, "something came before hello");
        if (model->attached[link] < model->attach_no) {
            say_refused (model, link, COHORT_ESESSIONMOVED);
        } else {
            if (frame->heartbeat != NULL) {
                Cohort__Wire__ServerFrame answer = COHORT__WIRE__SERVER_FRAME__INIT;
                answer.confirmed = frame->heartbeat->seq;
                say (model, link, &answer);
            }
            for (size_t i = 0; i < frame->n_requests; i++) {
                take_request (model, link, frame->requests[i]);
            }
        }
    }
    cohort__wire__client_frame__free_unpacked (frame, NULL);
}

/* ---- The client ------------------------------------------------------------------------------ */

static void take_result (struct model *model, const struct request *request)
{
    expect (model, request->wire.xid == model->answered + 1, "results are out of order");
    expect (model, request->rc == COHORT_OK, cohort_error_name (request->rc));
    model->answered++;
    if (request->wire.number > 0) {
        expect (model, request->wire.number == model->confirmed_to + 1, "a number was left out");
        expect (model, request->wire.number <= model->last_number, "answered and not applied");
        model->confirmed_to++;
    }
}

static void drain (struct model *model)
{
    bool more = true;
    while (more) {
        more = false;
        struct session_command command;
        while (session_next_command (model->session, &command)) {
            more = true;
            assert_true (command.link < LINKS_MAX);
            bool connect = command.kind == SESSION_CONNECT;
            expect (model, (model->links[command.link] == LINK_CLOSED) == connect,
                    "a link is used twice, or dropped twice");
            model->links[command.link] = connect ? LINK_ASKED : LINK_CLOSED;
            model->last_link = connect ? command.link : model->last_link;
        }
        uint32_t from = model->last_link > 4 ? model->last_link - 4 : 1;
        for (uint32_t link = from; link <= model->last_link; link++) {
            struct buf out = {0};
            if (model->links[link] == LINK_OPEN &&
                session_next_frame (model->session, link, &out, model->now)) {
                more = true;
                put (&model->to_server, link, out.data, out.size);
            }
            buf_deinit (&out);
        }
    }
    struct list events;
    list_init (&events);
    session_take_events (model->session, &events);
    struct list_node *node;
    while ((node = list_pop_front (&events)) != NULL) {
        struct event *event = list_entry (node, struct event, node);
        if (event->kind == EVENT_RESULT) {
            take_result (model, container_of (event, struct request, event));
        } else {
            assert_int_equal (event->kind, EVENT_STATE);
            expect (model, container_of (event, struct state_event, event)->state != COHORT_LOST,
                    "the session was lost");
        }
        event_free (event);
    }
}

static void submit (struct model *model)
{
    static const char data[300];
    enum wire_kind kind = prng_chance (&model->prng, 2, 3) ? WIRE_SET : WIRE_GET;
    size_t size = kind == WIRE_SET ? (size_t) prng_below (&model->prng, sizeof (data)) : 0;
    struct request *request = request_new (kind, "", "/a", data, size);
    model->asked++;
    model->writes += kind == WIRE_SET ? 1 : 0;
    session_submit (model->session, request, model->now);
}

/* The connection is gone, and with it what was under way on it; all, or the latter part. */
static void cut (struct model *model, uint32_t link)
{
    struct pipe *pipes[] = {&model->to_server, &model->to_client};
    for (int p = 0; p < 2; p++) {
        size_t kept = 0;
        bool lost = false;
        for (size_t i = 0; i < pipes[p]->count; i++) {
            struct message *message = &pipes[p]->messages[i];
            lost = lost || prng_chance (&model->prng, 1, 3);
            /* Towards the client nothing is read any more. */
            if (message->link == link && (lost || p == 1)) {
                free (message->bytes);
            } else {
                pipes[p]->messages[kept++] = *message;
            }
        }
        pipes[p]->count = kept;
    }
    model->links[link] = LINK_ASKED; /* until the session drops it */
    session_link_down (model->session, link, COHORT_ECONNECT, model->now);
}

static void step (struct model *model)
{
    uint32_t link = model->last_link;
    if (link > 0 && model->links[link] == LINK_ASKED && prng_chance (&model->prng, 1, 2)) {
        if (chance (model, 4)) {
            session_link_down (model->session, link, COHORT_ECONNECT, model->now);
        } else {
            model->links[link] = LINK_OPEN;
            session_link_up (model->session, link, model->now);
        }
    } else if (link > 0 && model->links[link] == LINK_OPEN && chance (model, 40)) {
        cut (model, link);
    } else if (model->to_server.count > 0 && prng_chance (&model->prng, 1, 2)) {
        struct message message = take (&model->to_server);
        take_frame (model, &message);
        free (message.bytes);
    } else if (model->to_client.count > 0) {
        struct message message = take (&model->to_client);
        session_frame (model->session, message.link, message.bytes, message.size, model->now);
        free (message.bytes);
    } else if (model->losing > 0 && model->losing == link && model->links[link] == LINK_OPEN) {
        model->losing = 0;
        say_refused (model, link, COHORT_ESTATE);
    } else {
        model->now += (int64_t) prng_below (&model->prng, 200);
        session_tick (model->session, model->now);
    }
    drain (model);
}

static void run (uint64_t seed)
{
    static struct model model;
    memset (&model, 0, sizeof (model));
    model.seed = seed;
    model.now = 1;
    prng_seed (&model.prng, seed);
    struct hosts hosts;
    char text[256];
    assert_int_equal (hosts_parse (&hosts, "tcp://a:1,tcp://b:1,tcp://c:1", text, sizeof (text)),
                      0);
    struct session_options options = {.hosts = &hosts,
                                      .timeout_ms = 1000000,
                                      .grace_ms = 1000000,
                                      .connect_timeout_ms = 1000,
                                      .stream_bytes_max = 1 << 20};
    options.random.seed = seed;
    model.session = session_new (&options);
    hosts_deinit (&hosts);
    session_tick (model.session, model.now);
    drain (&model);
    for (int i = 0; i < STEPS; i++) {
        while (model.asked < REQUESTS_MAX && prng_chance (&model.prng, 1, 2)) {
            submit (&model);
        }
        step (&model);
    }
    model.calm = true;
    for (int i = 0; model.answered < model.asked; i++) {
        expect (&model, i < 100000, "it does not come to an end");
        step (&model);
    }
    expect (&model, model.last_number == model.writes, "a write was lost, or applied twice");
    while (model.to_server.count > 0) {
        free (take (&model.to_server).bytes);
    }
    while (model.to_client.count > 0) {
        free (take (&model.to_client).bytes);
    }
    session_free (&model.session);
}

static void test_seeds (void **state)
{
    (void) state;
    const char *given = getenv ("COHORT_TEST_SEED");
    if (given != NULL) {
        run (strtoull (given, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run (seed);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_seeds)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
