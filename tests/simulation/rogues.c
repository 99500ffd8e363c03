/* The lives of clients that break the protocol: see rogues.h. */

#include "tests/simulation/rogues.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/src/wire.h"
#include "tests/simulation/network.h"

enum { ARENA_BLOCK = 16 << 10, ARENA_KEEP = 1 << 20, ACT_MS_MAX = 50 };

struct sim_rogues *rogues_new (void)
{
    struct sim_rogues *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    arena_init (&self->arena, ARENA_BLOCK, ARENA_KEEP);
    return self;
}

void rogues_free (struct world *world)
{
    rogues_end (world);
    arena_deinit (&world->rogues->arena);
    buf_deinit (&world->rogues->frame);
    free (world->rogues->sessions);
    free (world->rogues);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void draw_id (struct prng *prng, uint8_t id[ROGUE_ID_SIZE])
{
    for (size_t i = 0; i < ROGUE_ID_SIZE; i += 8) {
        uint64_t word = prng_u64 (prng);
        memcpy (id + i, &word, 8);
    }
}

/* Nobody that anybody knows. */
static void become_another (struct sim_rogue *rogue)
{
    draw_id (&rogue->prng, rogue->nonce);
    draw_id (&rogue->prng, rogue->password);
    rogue->session = rogue->attach_no = rogue->xid = rogue->number = 0;
    rogue->incarnation = 1;
}

static void act_later (struct world *world, struct sim_rogue *rogue)
{
    schedule_add (&world->schedule,
                  (struct sim_event){.at_ms = world->schedule.now_ms + 1 +
                                              (int64_t) prng_below (&rogue->prng, ACT_MS_MAX),
                                     .type = SIM_ROGUE_ACT,
                                     .a = (uint32_t) (rogue - world->rogues->rogues),
                                     .number = rogue->life});
}

static const char *const ways[ROGUE_WAYS] = {
    [ROGUE_DEAF] = "asks, and takes no answer",
    [ROGUE_GREEDY] = "writes beyond its credit",
    [ROGUE_BABBLER] = "sends what is no frame",
    [ROGUE_IMPOSTOR] = "says that it is somebody else",
    [ROGUE_MISCOUNTER] = "numbers its requests wrongly",
    [ROGUE_WATCHER] = "watches too much",
    [ROGUE_REMEMBERER] = "has watched too much",
    [ROGUE_HOARDER] = "acknowledges nothing",
    [ROGUE_PULSE] = "lives too much, or not at all",
    [ROGUE_GREETER] = "says hello again and again",
};

bool rogue_begin (struct world *world, const struct sim_fault *fault)
{
    struct sim_rogue *rogue = world->rogues->rogues;
    while (rogue < world->rogues->rogues + ROGUES_MAX && rogue->up) {
        rogue++;
    }
    if (rogue == world->rogues->rogues + ROGUES_MAX || fault->a >= ROGUE_WAYS) {
        return false;
    }
    *rogue = (struct sim_rogue){
        .up = true, .fault = fault->nth, .life = rogue->life + 1, .way = (enum rogue_way) fault->a};
    world_tell (world, "rogue %zu: %s", (size_t) (rogue - world->rogues->rogues), ways[rogue->way]);
    prng_seed (&rogue->prng, fault->value);
    list_init (&rogue->links);
    become_another (rogue);
    rogue_connect (world, rogue);
    act_later (world, rogue);
    return true;
}

static void leave (struct world *world, struct sim_rogue *rogue)
{
    struct list_node *node;
    while ((node = list_first (&rogue->links)) != NULL) {
        network_rogue_disconnect (world, list_entry (node, struct sim_connection, in_client));
    }
    rogue->connection = 0;
    rogue->greeted = rogue->welcomed = rogue->deaf = false;
    rogue->owed = rogue->refused = 0;
}

static void end (struct world *world, struct sim_rogue *rogue)
{
    leave (world, rogue);
    rogue->up = false;
}

void rogue_end (struct world *world, const struct sim_fault *fault)
{
    for (size_t i = 0; i < ROGUES_MAX; i++) {
        struct sim_rogue *rogue = &world->rogues->rogues[i];
        if (rogue->up && rogue->fault == fault->nth) {
            end (world, rogue);
        }
    }
}

void rogues_end (struct world *world)
{
    for (size_t i = 0; i < ROGUES_MAX; i++) {
        if (world->rogues->rogues[i].up) {
            end (world, &world->rogues->rogues[i]);
        }
    }
}

void rogue_connect (struct world *world, struct sim_rogue *rogue)
{
    uint32_t place = (uint32_t) (rogue - world->rogues->rogues);
    uint32_t server = (uint32_t) prng_below (&rogue->prng, world->servers_count);
    uint64_t number =
        network_rogue_connect (world, place, server, &rogue->links, ++rogue->connects);
    rogue->connection = rogue->connection == 0 ? number : rogue->connection;
}

void rogue_start_again (struct world *world, struct sim_rogue *rogue)
{
    leave (world, rogue);
    if (rogue->session == 0 || prng_chance (&rogue->prng, 1, 2)) {
        become_another (rogue);
    }
    rogue_connect (world, rogue);
}

/* Whoever was refused goes on for a while as if nothing had happened. */
void rogue_event (struct world *world, const struct sim_event *event)
{
    struct sim_rogue *rogue = &world->rogues->rogues[event->a];
    if (!rogue->up || rogue->life != event->number) {
        return;
    }
    bool again = rogue->refused != 0 || rogue->way == ROGUE_IMPOSTOR;
    if (rogue->connection == 0 || (again && prng_chance (&rogue->prng, 1, 3))) {
        rogue_start_again (world, rogue);
    } else if (rogue->greeted) {
        rogue_speak (world, rogue);
    }
    act_later (world, rogue);
}

/* ---- Its connections ------------------------------------------------------------------------- */

struct sim_rogue *rogue_of (struct world *world, const struct sim_connection *connection)
{
    return &world->rogues->rogues[connection->client - SIM_CLIENTS_MAX];
}

void rogue_opened (struct world *world, struct sim_connection *connection)
{
    rogue_greet (world, rogue_of (world, connection), connection);
}

void rogue_closed (struct world *world, struct sim_connection *connection)
{
    struct sim_rogue *rogue = rogue_of (world, connection);
    if (rogue->connection == connection->number) {
        leave (world, rogue);
    }
}

bool rogue_hears (struct world *world, const struct sim_connection *connection)
{
    const struct sim_rogue *rogue = rogue_of (world, connection);
    return !rogue->deaf || connection->number != rogue->connection;
}

void rogue_send (struct world *world, struct sim_rogue *rogue, const uint8_t *data, size_t size)
{
    struct sim_connection *connection = network_connection (world, rogue->connection);
    COHORT_ASSERT (connection != NULL);
    network_send (world, connection, data, size);
}

/* ---- What it is told ------------------------------------------------------------------------- */

static void note_session (struct sim_rogues *self, uint64_t session)
{
    if (self->sessions_count == self->sessions_capacity) {
        self->sessions_capacity = self->sessions_capacity > 0 ? 2 * self->sessions_capacity : 64;
        self->sessions = realloc (self->sessions, self->sessions_capacity * sizeof *self->sessions);
        COHORT_ASSERT (self->sessions != NULL);
    }
    self->sessions[self->sessions_count++] = session;
}

uint64_t rogues_alive (const struct world *world, const struct tree *tree)
{
    const struct sim_rogues *self = world->rogues;
    struct tree_session session;
    for (size_t i = 0; i < self->sessions_count; i++) {
        if (tree_session (tree, self->sessions[i], &session)) {
            return session.id;
        }
    }
    return 0;
}

static void take_welcome (struct world *world, struct sim_rogue *rogue,
                          const struct wire_welcome *welcome)
{
    if (rogue->way == ROGUE_IMPOSTOR) {
        world_fail (world, "a rogue is welcomed to session %llx, and has not its password",
                    (unsigned long long) welcome->session_id);
    }
    note_session (world->rogues, welcome->session_id);
    rogue->welcomed = true;
    rogue->session = welcome->session_id;
    rogue->number = welcome->last_number;
    rogue->deaf = rogue->way == ROGUE_DEAF;
}

/* What may happen to anybody. */
static bool happens (int code)
{
    return code == COHORT_ECONNECT || code == COHORT_ESESSIONEXPIRED ||
           code == COHORT_ESESSIONMOVED || code == COHORT_ESTATE || code == COHORT_ELIMIT;
}

static void take_refusal (struct world *world, struct sim_rogue *rogue,
                          const struct wire_refused *refused)
{
    /* A server that has lost its state knows of no cluster that it belongs to. */
    bool password = rogue->way == ROGUE_IMPOSTOR && refused->code == COHORT_EAUTHFAILED;
    if (!happens (refused->code) && !password && refused->code != rogue->owed) {
        world_fail (world, "a rogue is refused with %d (%s), and was to be with %d", refused->code,
                    refused->text, rogue->owed);
    }
    rogue->refused = refused->code;
}

/* What is wrong with a request its answer says; a write of none of those that were asked for may be
 * refused for what it wants, and because of those before it. */
static void take_reply (struct world *world, struct sim_rogue *rogue,
                        const struct wire_reply *reply)
{
    static const int codes[] = {COHORT_OK,   COHORT_ENONODE, COHORT_EWINDOW, COHORT_EDUPLICATE,
                                COHORT_EGAP, COHORT_ELIMIT,  COHORT_ETOOBIG, COHORT_ENOAUTH};
    bool known = false;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        known |= reply->code == codes[i];
    }
    if (!known && rogue->way != ROGUE_BABBLER) { /* who may have asked for anything */
        world_fail (world, "a rogue is answered with %d", reply->code);
    }
    if (reply->code == COHORT_EGAP && reply->more != NULL && reply->more->expected > 0) {
        rogue->number = reply->more->expected - 1;
    } else if (reply->code == COHORT_EWINDOW) {
        rogue->number = reply->number - 1;
    }
}

void rogue_hear (struct world *world, struct sim_connection *connection, const uint8_t *data,
                 size_t size)
{
    struct sim_rogue *rogue = rogue_of (world, connection);
    struct wire_frame *frame = NULL;
    if (connection->number != rogue->connection || size == 0) {
        return;
    }
    if (wire_decode (data, size, &frame) != 0) {
        world_fail (world, "a frame to a rogue cannot be understood");
    }
    if (frame->welcome != NULL) {
        take_welcome (world, rogue, frame->welcome);
    }
    for (size_t i = 0; i < frame->item_count; i++) {
        if (frame->items[i].kind == WIRE_ITEM_REPLY) {
            take_reply (world, rogue, frame->items[i].u.reply);
        }
    }
    if (frame->refused != NULL) {
        take_refusal (world, rogue, frame->refused);
    }
    wire_frame_release (frame);
}
