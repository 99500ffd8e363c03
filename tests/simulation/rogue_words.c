/* What clients say that break the protocol: see rogues.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.pb-c.h"
#include "client/base/assert.h"
#include "client/src/wire.h"
#include "tests/simulation/network.h"
#include "tests/simulation/rogues.h"

enum {
    REQUESTS_MAX = 64, /* of a frame */
    PLACE_SIZE = 24,
    CHECKS = 300,
    DATA_MAX = 24 << 10, /* of a greedy write */
    NOISE_MAX = 200,
    OVERSIZED = 64 << 10,
    HELLOS_OPEN = 6,
    TIMEOUT_MS = 1500,
    GRACE_MS = 500
};

/* A frame of requests, as it is made. */
struct words {
    struct wire_request requests[REQUESTS_MAX];
    const struct wire_request *list[REQUESTS_MAX];
    char places[REQUESTS_MAX][PLACE_SIZE];
    size_t count;
    uint64_t heartbeat;
};

/* ---- Hello ----------------------------------------------------------------------------------- */

static void send_frame (struct world *world, struct sim_connection *connection,
                        const Cohort__Wire__ClientFrame *frame)
{
    struct buf *out = &world->rogues->frame;
    size_t size = cohort__wire__client_frame__get_packed_size (frame);
    buf_clear (out);
    COHORT_ASSERT (buf_reserve (out, size));
    out->size = cohort__wire__client_frame__pack (frame, out->data);
    network_send (world, connection, out->data, out->size);
}

static Cohort__Wire__Hello hello_of (struct sim_rogue *rogue)
{
    Cohort__Wire__Hello hello = COHORT__WIRE__HELLO__INIT;
    hello.magic = WIRE_MAGIC;
    hello.version_min = hello.version_max = WIRE_VERSION_MAX;
    hello.session_id = rogue->session;
    hello.nonce = (ProtobufCBinaryData){ROGUE_ID_SIZE, rogue->nonce};
    hello.password = (ProtobufCBinaryData){ROGUE_ID_SIZE, rogue->password};
    hello.timeout_ms = TIMEOUT_MS;
    hello.grace_ms = GRACE_MS;
    hello.attach_no = ++rogue->attach_no;
    hello.incarnation = rogue->incarnation;
    hello.next_number = rogue->number + 1;
    return hello;
}

/* As somebody else, or nobody: what it is to be refused with. */
static int pretend (struct world *world, struct sim_rogue *rogue, Cohort__Wire__Hello *hello)
{
    static uint8_t cluster[ROGUE_ID_SIZE] = {1};
    struct sim_client *victim = &world->clients[prng_below (&rogue->prng, world->clients_count)];
    switch (prng_below (&rogue->prng, 8)) {
    case 0:
        hello->magic++;
        return COHORT_EPROTOCOL;
    case 1:
        hello->version_min = hello->version_max = WIRE_VERSION_MAX + 1;
        return COHORT_EVERSION;
    case 2:
        hello->nonce.len--;
        return COHORT_EPROTOCOL;
    case 3:
        hello->cluster_id = (ProtobufCBinaryData){ROGUE_ID_SIZE, cluster};
        hello->session_id = victim->identity.id | 1;
        return COHORT_ECLUSTER;
    default:
        hello->session_id = victim->has_identity ? victim->identity.id : UINT64_MAX;
        hello->incarnation = victim->identity.incarnation + (uint32_t) prng_below (&rogue->prng, 3);
        hello->attach_no = prng_u64 (&rogue->prng) >> prng_below (&rogue->prng, 63) | 1;
        return COHORT_EAUTHFAILED;
    }
}

void rogue_greet (struct world *world, struct sim_rogue *rogue, struct sim_connection *connection)
{
    uint8_t nonce[ROGUE_ID_SIZE];
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    Cohort__Wire__Hello hello = hello_of (rogue);
    frame.hello = &hello;
    if (connection->number != rogue->connection) { /* one of many: as somebody new */
        uint64_t word = prng_u64 (&rogue->prng);
        memcpy (nonce, rogue->nonce, sizeof nonce);
        memcpy (nonce, &word, sizeof word);
        hello.nonce.data = nonce;
        hello.session_id = 0;
        hello.attach_no = 1;
    } else {
        rogue->greeted = true;
    }
    if (rogue->way == ROGUE_IMPOSTOR) {
        rogue->owed = pretend (world, rogue, &hello);
    } else if (rogue->way == ROGUE_BABBLER && prng_chance (&rogue->prng, 1, 3)) {
        return; /* its first words are no hello */
    }
    send_frame (world, connection, &frame);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* A znode that there is not. */
static const char *place (struct sim_rogue *rogue, struct words *words)
{
    char *text = words->places[words->count];
    (void) snprintf (text, PLACE_SIZE, "/rogue/%llu", (unsigned long long) ++rogue->places);
    return text;
}

static struct wire_request *add (struct sim_rogue *rogue, struct words *words, struct wire_op op)
{
    COHORT_ASSERT (words->count < REQUESTS_MAX);
    struct wire_request *request = &words->requests[words->count];
    *request = (struct wire_request){.xid = ++rogue->xid, .op = op};
    words->list[words->count++] = request;
    return request;
}

/* A write, with the number that is its turn. */
static struct wire_request *add_write (struct sim_rogue *rogue, struct words *words,
                                       struct wire_op op)
{
    struct wire_request *request = add (rogue, words, op);
    request->number = ++rogue->number;
    request->ack_to = request->number - 1;
    return request;
}

static struct wire_op set_of (const char *path, const void *data, size_t size)
{
    return (struct wire_op){
        .kind = WIRE_SET, .path = path, .data = data, .size = size, .version = -1};
}

static void say (struct world *world, struct sim_rogue *rogue, const struct words *words)
{
    struct sim_rogues *rogues = world->rogues;
    struct wire_words all = {
        .heartbeat = words->heartbeat, .requests = words->list, .request_count = words->count};
    arena_reset (&rogues->arena);
    buf_clear (&rogues->frame);
    COHORT_ASSERT (wire_put_words (&rogues->frame, &rogues->arena, &all) == 0);
    rogue_send (world, rogue, rogues->frame.data, rogues->frame.size);
}

/* Many reads, and a write that has a long answer: that comes whether it is taken or not. */
static void be_deaf (struct sim_rogue *rogue, struct words *words)
{
    static const struct wire_op check = {.kind = WIRE_CHECK, .path = "/rogue", .version = -1};
    static struct wire_op checks[CHECKS];
    for (size_t i = 0; i < CHECKS; i++) {
        checks[i] = check;
    }
    if (prng_chance (&rogue->prng, 1, 2)) {
        struct wire_request *write = add_write (rogue, words, (struct wire_op){.kind = WIRE_MULTI});
        write->ops = checks;
        write->ops_count = CHECKS;
    }
    while (words->count < REQUESTS_MAX) {
        add (rogue, words, (struct wire_op){.kind = WIRE_EXISTS, .path = "/"});
    }
}

static void be_greedy (struct sim_rogue *rogue, struct words *words)
{
    static uint8_t data[DATA_MAX];
    size_t many = 1 + prng_below (&rogue->prng, 8);
    bool large = prng_chance (&rogue->prng, 7, 8);
    memset (data, 'x', sizeof data);
    while (words->count < (large ? many : REQUESTS_MAX)) {
        size_t size = large ? 1 + prng_below (&rogue->prng, DATA_MAX) : 0;
        add_write (rogue, words, set_of (place (rogue, words), data, size));
    }
}

/* What a server cannot understand, or what ends the connection all the same. */
static void babble (struct world *world, struct sim_rogue *rogue, struct words *words)
{
    uint64_t kind = prng_below (&rogue->prng, 4);
    struct buf noise = {0};
    size_t size = kind == 0 ? OVERSIZED : 1 + prng_below (&rogue->prng, NOISE_MAX);
    rogue->owed = COHORT_EPROTOCOL;
    if (kind < 2) {
        while (noise.size < size) {
            buf_u64 (&noise, prng_u64 (&rogue->prng));
        }
    } else {
        add (rogue, words, (struct wire_op){.kind = WIRE_GET, .path = place (rogue, words)});
        struct wire_words all = {.requests = words->list, .request_count = words->count};
        arena_reset (&world->rogues->arena);
        COHORT_ASSERT (wire_put_words (&noise, &world->rogues->arena, &all) == 0);
        if (kind == 2) {
            buf_truncate (&noise, prng_below (&rogue->prng, noise.size));
        } else {
            noise.data[prng_below (&rogue->prng, noise.size)] ^= (uint8_t) (1 + size % 255);
        }
    }
    COHORT_ASSERT (!noise.failed);
    rogue_send (world, rogue, noise.data, noise.size);
    buf_deinit (&noise);
}

/* A write without a number, or a request without an id. */
static void say_unnumbered (struct world *world, struct sim_rogue *rogue)
{
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    Cohort__Wire__Request request = COHORT__WIRE__REQUEST__INIT, *requests = &request;
    Cohort__Wire__Set set = COHORT__WIRE__SET__INIT;
    bool write = prng_chance (&rogue->prng, 1, 2);
    set.path = (ProtobufCBinaryData){1, (uint8_t[]){'/'}};
    request.op_case = COHORT__WIRE__REQUEST__OP_SET;
    request.set = &set;
    request.xid = write ? ++rogue->xid : 0;
    request.number = write ? 0 : ++rogue->number;
    frame.n_requests = 1;
    frame.requests = &requests;
    rogue->owed = COHORT_EPROTOCOL;
    send_frame (world, network_connection (world, rogue->connection), &frame);
}

static void miscount (struct sim_rogue *rogue, struct words *words)
{
    struct wire_request *right = add_write (rogue, words, set_of (place (rogue, words), "", 0));
    struct wire_request *wrong = add (rogue, words, set_of (place (rogue, words), "x", 1));
    switch (prng_below (&rogue->prng, 4)) {
    case 0:
        wrong->number = right->number + 2 + prng_below (&rogue->prng, 5);
        break;
    case 1:
        wrong->number = UINT64_MAX >> prng_below (&rogue->prng, 8);
        break;
    default:
        wrong->number = 1 + prng_below (&rogue->prng, right->number); /* with something else */
        wrong->ack_to = UINT64_MAX;
        break;
    }
}

static void watch (struct sim_rogue *rogue, struct words *words)
{
    bool follow = prng_chance (&rogue->prng, 1, 3);
    while (words->count < REQUESTS_MAX) {
        struct wire_op op = {.kind = WIRE_EXISTS, .path = place (rogue, words), .watch = true};
        if (follow) {
            op = (struct wire_op){.kind = WIRE_STREAM_OPEN,
                                  .path = op.path,
                                  .stream_id = rogue->places,
                                  .flags = WIRE_STREAM_NO_SNAPSHOT};
        }
        add (rogue, words, op);
    }
}

/* What it has watched, all of which has happened long ago. */
static void remember (struct world *world, struct sim_rogue *rogue, struct words *words)
{
    struct wire_watch watches[REQUESTS_MAX];
    struct sim_rogues *rogues = world->rogues;
    for (words->count = 0; words->count < REQUESTS_MAX; words->count++) {
        watches[words->count] = (struct wire_watch){WIRE_WATCH_DATA, place (rogue, words)};
    }
    struct wire_rearm rearm = {
        .last_zxid = 1, .watches = watches, .watch_count = words->count, .more = true};
    arena_reset (&rogues->arena);
    buf_clear (&rogues->frame);
    COHORT_ASSERT (wire_put_rearm (&rogues->frame, &rogues->arena, &rearm) == 0);
    rogue_send (world, rogue, rogues->frame.data, rogues->frame.size);
}

static void hoard (struct sim_rogue *rogue, struct words *words)
{
    for (size_t many = 1 + prng_below (&rogue->prng, 4); many > 0; many--) {
        add_write (rogue, words, set_of (place (rogue, words), "", 0))->ack_to = 0;
    }
}

/* Nothing at all, or many frames: what a server is told at once it might count as one. */
static void pulse (struct world *world, struct sim_rogue *rogue)
{
    size_t many = (rogue->nonce[0] & 1) != 0 ? REQUESTS_MAX / 2 : 0;
    for (size_t i = 0; i < many; i++) {
        rogue->beat = prng_chance (&rogue->prng, 1, 8) ? prng_u64 (&rogue->prng) : rogue->beat + 1;
        say (world, rogue, &(struct words){.heartbeat = rogue->beat | 1});
    }
}

/* Once more on the connection that it has; or, mostly, on one more. */
static void greet_again (struct world *world, struct sim_rogue *rogue)
{
    size_t open = 0;
    for (struct list_node *at = list_first (&rogue->links); at != NULL;
         at = list_next (&rogue->links, at)) {
        open++;
    }
    if (prng_chance (&rogue->prng, 1, 8)) {
        rogue->owed = COHORT_EPROTOCOL;
        rogue_greet (world, rogue, network_connection (world, rogue->connection));
    } else if (open < HELLOS_OPEN) {
        rogue_connect (world, rogue);
    } else {
        rogue_start_again (world, rogue);
    }
}

void rogue_speak (struct world *world, struct sim_rogue *rogue)
{
    struct words words = {.count = 0};
    bool in_turn = rogue->welcomed || prng_chance (&rogue->prng, 1, 20);
    if (rogue->way == ROGUE_BABBLER) {
        babble (world, rogue, &words);
        return;
    }
    if (!in_turn || rogue->way == ROGUE_IMPOSTOR) {
        return;
    }
    /* It lives; and whoever speaks before it is welcomed, or after it was refused, hears of that.
     */
    words.heartbeat = ++rogue->beat;
    rogue->owed = !rogue->welcomed ? COHORT_EPROTOCOL : rogue->owed;
    switch (rogue->way) {
    case ROGUE_DEAF:
        be_deaf (rogue, &words);
        break;
    case ROGUE_GREEDY:
        be_greedy (rogue, &words);
        break;
    case ROGUE_MISCOUNTER:
        if (prng_chance (&rogue->prng, 1, 8)) {
            say_unnumbered (world, rogue);
            return;
        }
        miscount (rogue, &words);
        break;
    case ROGUE_WATCHER:
        watch (rogue, &words);
        break;
    case ROGUE_REMEMBERER:
        remember (world, rogue, &words);
        return;
    case ROGUE_HOARDER:
        hoard (rogue, &words);
        break;
    case ROGUE_PULSE:
        pulse (world, rogue);
        return;
    case ROGUE_GREETER:
        greet_again (world, rogue);
        return;
    default:
        break;
    }
    say (world, rogue, &words);
}
