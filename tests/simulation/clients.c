/* The clients of a simulated world: session machines, and what they ask for.
 *
 * Each session writes the values 1, 2, 3 ... to a key of its own, pipelined, and reads it back: the
 * order of its requests makes the value that a read must see known exactly. It also creates
 * ephemeral and sequential znodes, multis that fail, and reads of what others write, and mirrors
 * the whole tree (mirror.c). */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/src/event.h"
#include "client/src/requests.h"
#include "tests/simulation/world.h"

enum { OUTSTANDING_MAX = 16, WORK_MS_MAX = 40, PATH_SIZE = 64 };

/* What a request was for, kept in request.arg until it is answered. */
struct purpose {
    struct list_node node; /* in the client's list, until the answer */
    enum { MAKE_KEY, SET_KEY, GET_KEY, SYNC, OTHER } what;
    struct sim_key *key;
    uint64_t value; /* SET_KEY: the value; GET_KEY: the newest submitted before; SYNC: the highest
                       zxid that anybody had been told before */
    bool fresh;     /* the write that the liveness phase waits for */
};

static void schedule_work (struct world *self, struct sim_client *client)
{
    schedule_add (&self->schedule, (struct sim_event){
                                       .at_ms = self->schedule.now_ms + 1 +
                                                (int64_t) prng_below (&client->prng, WORK_MS_MAX),
                                       .type = SIM_CLIENT_WORK,
                                       .a = (uint32_t) (client - self->clients),
                                       .b = client->incarnation,
                                   });
}

int64_t client_now_ms (const struct world *self, const struct sim_client *client)
{
    return clock_local_ms (&client->clock, self->schedule.now_ms);
}

static struct session_random draw (const struct world *self, const struct sim_client *client)
{
    uint64_t number = (uint64_t) (client - self->clients);
    struct prng prng;
    struct session_random random;
    uint8_t *bytes[] = {random.nonce, random.password};

    prng_seed (&prng, world_draw (self, SIM_DRAW_SESSION, number, client->sessions, 0));
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < WIRE_ID_SIZE; j += 8) {
            uint64_t word = prng_u64 (&prng);
            memcpy (bytes[i] + j, &word, 8);
        }
    }
    random.seed = prng_u64 (&prng);
    return random;
}

/* A key of its own for each session: what was pending when one is lost stays unknown. */
static struct sim_key *new_key (struct world *self, struct sim_client *client)
{
    if (self->keys_count == self->keys_capacity) {
        world_fail (self, "more than %zu sessions", self->keys_capacity);
    }
    struct sim_key *key = &self->keys[self->keys_count++];
    (void) snprintf (key->path, sizeof key->path, "/k%zu-%" PRIu64,
                     (size_t) (client - self->clients), ++client->sessions);
    client->key = key;
    return key;
}

void client_start (struct world *self, struct sim_client *client)
{
    COHORT_ASSERT (!client->up);
    (void) new_key (self, client);
    struct session_options options = {
        .hosts = &self->hosts,
        .timeout_ms = 1000 + (uint32_t) prng_below (&client->prng, 4000),
        .grace_ms = 200 + (uint32_t) prng_below (&client->prng, 4000),
        .connect_timeout_ms = 500,
        .random = draw (self, client),
    };
    client->session = session_new (&options);
    COHORT_ASSERT (client->session != NULL);
    client->up = true;
    client->closing = client->paused = client->lost = client->fresh_sent = false;
    client->incarnation++;
    client->outstanding = 0;
    list_init (&client->purposes);
    list_init (&client->links);
    client->timer_ms = 0;
    client->streams = 0;
    mirror_open (self, client);
    session_tick (client->session, client_now_ms (self, client));
    client_drive (self, client);
    schedule_work (self, client);
}

/* The end of the process, and of all that it knew. */
static void bury (struct world *self, struct sim_client *client)
{
    struct list events;
    struct list_node *node;

    client->up = client->paused = false;
    client->key->settled = true;
    network_client_down (self, client, false);
    list_init (&events);
    session_take_events (client->session, &events);
    event_free_all (&events);
    session_free (&client->session);
    mirror_close (client);
    while ((node = list_pop_front (&client->purposes)) != NULL) {
        free (list_entry (node, struct purpose, node));
    }
    schedule_add (&self->schedule,
                  (struct sim_event){.at_ms = self->schedule.now_ms + client->next_start_ms,
                                     .type = SIM_CLIENT_START,
                                     .a = (uint32_t) (client - self->clients),
                                     .b = client->incarnation});
}

void client_kill (struct world *self, struct sim_client *client)
{
    world_tell (self, "client %zu: killed", (size_t) (client - self->clients));
    bury (self, client);
}

void client_close (struct world *self, struct sim_client *client)
{
    world_tell (self, "client %zu: closes its session", (size_t) (client - self->clients));
    client->closing = true;
    session_close (client->session, true, client_now_ms (self, client));
    client_drive (self, client);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void submit (struct world *self, struct sim_client *client, struct request *request,
                    struct purpose purpose)
{
    COHORT_ASSERT (request != NULL);
    struct purpose *kept = malloc (sizeof *kept);
    COHORT_ASSERT (kept != NULL);
    *kept = purpose;
    list_push_back (&client->purposes, &kept->node);
    request->arg = kept;
    client->outstanding++;
    session_submit (client->session, request, client_now_ms (self, client));
}

static void submit_set (struct world *self, struct sim_client *client, bool fresh)
{
    struct sim_key *key = client->key;
    char value[24];
    int size;

    if (!key->created) {
        key->created = true;
        submit (self, client, request_new (WIRE_CREATE, "", key->path, "0", 1),
                (struct purpose){.what = MAKE_KEY, .key = key, .value = 0, .fresh = fresh});
        return;
    }
    size = snprintf (value, sizeof value, "%" PRIu64, ++key->submitted);
    struct request *request = request_new (WIRE_SET, "", key->path, value, (size_t) size);
    COHORT_ASSERT (request != NULL);
    request->wire.op.version = COHORT_ANY_VERSION;
    submit (self, client, request,
            (struct purpose){.what = SET_KEY, .key = key, .value = key->submitted, .fresh = fresh});
}

static void submit_get (struct world *self, struct sim_client *client)
{
    struct sim_key *key = client->key;
    if (key->created) {
        submit (self, client, request_new (WIRE_GET, "", key->path, NULL, 0),
                (struct purpose){.what = GET_KEY, .key = key, .value = key->submitted});
    }
}

static void submit_create (struct world *self, struct sim_client *client)
{
    struct request *request = request_new (WIRE_CREATE, "", "/e-", NULL, 0);
    COHORT_ASSERT (request != NULL);
    request->wire.op.mode = COHORT_EPHEMERAL | COHORT_SEQUENTIAL;
    submit (self, client, request, (struct purpose){.what = OTHER, .key = NULL, .value = 0});
}

/* A multi whose last operation fails as often as not: all of it or nothing. */
static void submit_multi (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    (void) snprintf (path, sizeof path, "/m%" PRIu64, prng_below (&client->prng, 4));
    struct wire_op ops[2] = {
        {.kind = WIRE_CREATE, .path = path},
        {.kind = prng_chance (&client->prng, 1, 2) ? WIRE_DELETE : WIRE_CHECK,
         .path = prng_chance (&client->prng, 1, 2) ? path : "/none",
         .version = COHORT_ANY_VERSION},
    };
    submit (self, client, request_new_multi ("", ops, 2),
            (struct purpose){.what = OTHER, .key = NULL, .value = 0});
}

static void submit_sync (struct world *self, struct sim_client *client)
{
    submit (self, client, request_new (WIRE_SYNC, "", NULL, NULL, 0),
            (struct purpose){.what = SYNC, .key = NULL, .value = self->zxid_told});
}

static void ask (struct world *self, struct sim_client *client)
{
    self->requests++;
    uint64_t dice = prng_below (&client->prng, 100);
    if (dice < 55) {
        submit_set (self, client, false);
    } else if (dice < 80) {
        submit_get (self, client);
    } else if (dice < 88) {
        submit_create (self, client);
    } else if (dice < 96) {
        submit_multi (self, client);
    } else {
        submit_sync (self, client);
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void answered (struct world *self, struct sim_client *client, struct request *request)
{
    struct purpose purpose = *(struct purpose *) request->arg;
    const struct wire_reply *reply = request->reply;

    list_remove (&((struct purpose *) request->arg)->node);
    free (request->arg);
    request->arg = NULL;
    COHORT_ASSERT (client->outstanding > 0);
    client->outstanding--;
    if (request->rc == COHORT_ESESSIONEXPIRED ||
        (request->rc == COHORT_ECLOSING && client->closing)) {
        return; /* its outcome is not known */
    }
    if (reply != NULL && reply->zxid > self->zxid_told) {
        self->zxid_told = reply->zxid;
    }
    if (reply != NULL) {
        bool sequential = request->wire.op.kind == WIRE_CREATE &&
                          (request->wire.op.mode & COHORT_SEQUENTIAL) != 0;
        check_answer (self, reply->zxid, sequential && request->rc == 0 ? reply->path : NULL);
    }
    if (purpose.fresh && request->rc == 0) {
        client->fresh_due = false;
    }
    switch (purpose.what) {
    case MAKE_KEY:
        if (request->rc != 0) {
            world_fail (self, "%s: its creation gives %s", purpose.key->path,
                        cohort_error_name (request->rc));
        }
        break;
    case SET_KEY:
        if (request->rc != 0) {
            world_fail (self, "%s: setting %" PRIu64 " gives %s", purpose.key->path, purpose.value,
                        cohort_error_name (request->rc));
        }
        if (purpose.value != purpose.key->acked + 1 ||
            (uint64_t) reply->stat->version != purpose.value) {
            world_fail (self,
                        "%s: the write of %" PRIu64 " is answered with version %d after %" PRIu64,
                        purpose.key->path, purpose.value, reply->stat->version, purpose.key->acked);
        }
        purpose.key->acked = purpose.value;
        self->writes_acked++;
        break;
    case GET_KEY: {
        char text[24] = "";
        if (request->rc != 0 || reply->size >= sizeof text) {
            world_fail (self, "%s: reading gives %s", purpose.key->path,
                        cohort_error_name (request->rc));
        }
        memcpy (text, reply->data, reply->size);
        uint64_t value = strtoull (text, NULL, 10);
        /* A read that was sent again after a reconnect may see later writes of its session. */
        if (value < purpose.value || value > purpose.key->submitted) {
            world_fail (self, "%s: a read behind the write of %" PRIu64 " sees %" PRIu64,
                        purpose.key->path, purpose.value, value);
        }
        self->reads++;
        break;
    }
    case SYNC:
        if (request->rc != 0 || reply->zxid < purpose.value) {
            world_fail (self, "a sync gives %s at %#" PRIx64 ", and %#" PRIx64 " was told before",
                        cohort_error_name (request->rc), reply != NULL ? reply->zxid : 0,
                        purpose.value);
        }
        break;
    default:
        break;
    }
}

static void session_state (struct world *self, struct sim_client *client, cohort_state_t state)
{
    world_tell (self, "client %zu: state %d", (size_t) (client - self->clients), (int) state);
    if (state == COHORT_LOST) {
        self->sessions_lost++;
        client->lost = true;
    }
}

static void take_events (struct world *self, struct sim_client *client)
{
    struct list events;
    struct list_node *node;

    list_init (&events);
    session_take_events (client->session, &events);
    while ((node = list_pop_front (&events)) != NULL) {
        struct event *event = list_entry (node, struct event, node);
        if (event->kind == EVENT_RESULT) {
            struct request *request = container_of (event, struct request, event);
            if (request->arg != NULL) {
                answered (self, client, request);
            }
        } else if (event->kind == EVENT_BATCH) {
            mirror_batch (self, client, container_of (event, struct batch_event, event));
        } else if (event->kind == EVENT_ENDED) {
            mirror_ended (self, client, event);
        } else if (event->kind == EVENT_STATE) {
            session_state (self, client, container_of (event, struct state_event, event)->state);
        }
        event_free (event);
    }
}

/* ---- Driving --------------------------------------------------------------------------------- */

static void carry_out (struct world *self, struct sim_client *client)
{
    struct session_command command;
    while (session_next_command (client->session, &command)) {
        if (command.kind == SESSION_CONNECT) {
            network_connect (self, client, command.link, command.endpoint);
        } else {
            network_disconnect (self, client, command.link);
        }
    }
}

static void send_frames (struct world *self, struct sim_client *client)
{
    struct buf frame = {0};
    for (struct list_node *node = list_first (&client->links); node;
         node = list_next (&client->links, node)) {
        struct sim_connection *connection = list_entry (node, struct sim_connection, in_client);
        while (session_next_frame (client->session, connection->link, &frame,
                                   client_now_ms (self, client))) {
            network_send (self, connection, frame.data, frame.size);
            buf_clear (&frame);
        }
    }
    buf_deinit (&frame);
}

static void schedule_timer (struct world *self, struct sim_client *client)
{
    int64_t due = session_deadline (client->session);
    due = due != INT64_MAX ? clock_when_ms (&client->clock, due) : INT64_MAX;
    if (due != INT64_MAX && (client->timer_ms <= self->schedule.now_ms || due < client->timer_ms)) {
        due = due <= self->schedule.now_ms ? self->schedule.now_ms + 1 : due;
        client->timer_ms = due;
        schedule_add (&self->schedule, (struct sim_event){.at_ms = due,
                                                          .type = SIM_CLIENT_TIMER,
                                                          .a = (uint32_t) (client - self->clients),
                                                          .b = client->incarnation});
    }
}

/* After LOST: a new session of the same process. */
static void renew (struct world *self, struct sim_client *client)
{
    client->lost = client->fresh_sent = false;
    client->key->settled = true;
    (void) new_key (self, client);
    struct session_random random = draw (self, client);
    int rc = session_renew (client->session, &random, client_now_ms (self, client));
    COHORT_ASSERT (rc == 0);
    mirror_open (self, client);
    carry_out (self, client);
}

void client_drive (struct world *self, struct sim_client *client)
{
    carry_out (self, client);
    send_frames (self, client);
    take_events (self, client);
    if (client->closing && (client->lost || session_closed (client->session))) {
        world_tell (self, "client %zu: has closed its session", (size_t) (client - self->clients));
        bury (self, client);
        return;
    }
    if (client->lost) {
        renew (self, client);
    }
    schedule_timer (self, client);
}

/* The write that the liveness phase waits for: once in each session, until it is answered. */
static void write_fresh (struct world *self, struct sim_client *client)
{
    if (client->fresh_due && !client->fresh_sent && !client->closing) {
        client->fresh_sent = true;
        submit_set (self, client, true);
    }
}

static void work (struct world *self, struct sim_client *client)
{
    size_t burst = 1 + prng_below (&client->prng, 4);
    while (self->working && !client->closing && burst-- > 0 &&
           client->outstanding < OUTSTANDING_MAX && self->requests < self->options.requests_max) {
        ask (self, client);
    }
    write_fresh (self, client);
    schedule_work (self, client);
}

void client_event (struct world *self, struct sim_event *event)
{
    struct sim_client *client = &self->clients[event->a];
    if (client->incarnation != event->b) {
        return;
    }
    if (event->type == SIM_CLIENT_START) {
        if (!client->up) {
            client_start (self, client);
        }
        return;
    }
    if (!client->up) {
        return;
    }
    if (event->type == SIM_CLIENT_TIMER) {
        if (client->timer_ms == event->at_ms) {
            client->timer_ms = 0;
        }
        session_tick (client->session, client_now_ms (self, client));
    } else {
        work (self, client);
    }
    client_drive (self, client);
}
