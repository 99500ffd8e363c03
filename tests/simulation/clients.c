/* The clients of a simulated world: session machines. What they ask for is in workload.c, what they
 * are told goes to record.c and mirror.c. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/src/event.h"
#include "client/src/requests.h"
#include "client/src/watches.h"
#include "tests/simulation/workload.h"

enum { OUTSTANDING_MAX = 16, WORK_MS_MAX = 150, CLOSERS = 1000 };

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

static struct session_random draw (const struct world *self, struct sim_client *client)
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
    memcpy (client->process, random.nonce, WIRE_ID_SIZE);
    return random;
}

void client_start (struct world *self, struct sim_client *client)
{
    COHORT_ASSERT (!client->up);
    workload_begin (self, client);
    client->timeout_ms = 1000 + (uint32_t) prng_below (&client->prng, 4000);
    client->grace_ms = 200 + (uint32_t) prng_below (&client->prng, 4000);
    client->adopting = client->has_past;
    struct session_options options = {
        .hosts = &self->hosts,
        .timeout_ms = client->timeout_ms,
        .grace_ms = client->grace_ms,
        .connect_timeout_ms = (uint32_t) self->conditions.connect_ms,
        .stream_bytes_max = 1 << 30,
        .random = draw (self, client),
        .past = client->has_past ? &client->past : NULL,
        .close_past = client->close_past,
    };
    if (client->has_past && client->close_past) {
        record_close_past (self, client);
    }
    client->has_past = false;
    client->session = session_new (&options);
    COHORT_ASSERT (client->session != NULL);
    client->up = true;
    client->closing = client->paused = client->lost = client->fresh_sent = false;
    client->told_connected = false;
    client->incarnation++;
    list_init (&client->links);
    client->timer_ms = 0;
    client->reason[0] = '\0';
    client->unanswered = 0;
    client->proven_count = 0;
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

    client->up = client->paused = false;
    record_gone (self, client);
    network_client_down (self, client, false);
    list_init (&events);
    session_take_events (client->session, &events);
    event_free_all (&events);
    session_free (&client->session);
    mirror_close (client);
    follower_forget (client);
    workload_end (client);
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

bool client_take (struct world *self, struct sim_client *client, struct sim_client *owner,
                  struct sim_take how)
{
    if (!owner->has_identity) {
        return false;
    }
    world_tell (self, "client %zu: the next process %s session %" PRIx64 " of client %zu",
                (size_t) (client - self->clients),
                how.guesses  ? "guesses the password of"
                : how.closes ? "closes"
                             : "goes on with",
                owner->identity.id, (size_t) (owner - self->clients));
    struct session_identity next = owner->identity;
    next.incarnation++;
    if (how.closes) {
        /* A number that nobody else takes, who has a copy of the file neither: it is on record as
         * soon as it asks. */
        next.incarnation = next.incarnation % CLOSERS + CLOSERS * ++self->closers;
    }
    client->past = next;
    client->has_past = true;
    client->close_past = how.closes;
    client->guesses = how.guesses;
    if (how.guesses) {
        client->past.password[0] ^= 1;
    } else {
        owner->identity = how.copied ? owner->identity : next;
        owner->has_identity = how.copied && owner != client;
        client->identity = next;
        client->has_identity = true;
    }
    client_kill (self, client);
    return true;
}

void client_close (struct world *self, struct sim_client *client)
{
    world_tell (self, "client %zu: closes its session", (size_t) (client - self->clients));
    client->closing = true;
    record_close (self, client);
    session_close (client->session, true, client_now_ms (self, client));
    client_drive (self, client);
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void session_state (struct world *self, struct sim_client *client, cohort_state_t state)
{
    world_tell (self, "client %zu: state %d", (size_t) (client - self->clients), (int) state);
    client->told_connected = state == COHORT_CONNECTED;
    if (state == COHORT_CONNECTED) {
        client->adopting = false;
        client->unanswered = 0;
        record_attached (self, client);
    } else if (state == COHORT_LOST) {
        self->sessions_lost++;
        client->lost = true;
        complaints_lost (self, client);
        record_lost (self, client);
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
                workload_answered (self, client, request);
            }
        } else if (event->kind == EVENT_WATCH) {
            workload_watch (self, client, container_of (event, struct watch, event));
        } else if (event->kind == EVENT_BATCH) {
            mirror_batch (self, client, container_of (event, struct batch_event, event));
            follower_batch (self, client, container_of (event, struct batch_event, event));
        } else if (event->kind == EVENT_ENDED) {
            mirror_ended (self, client, event);
            follower_ended (self, client, event);
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
    client->lost = client->fresh_sent = client->adopting = false;
    client->unanswered = 0;
    workload_renew (self, client);
    struct session_random random = draw (self, client);
    int rc = session_renew (client->session, &random, client_now_ms (self, client));
    COHORT_ASSERT (rc == 0);
    record_proven_anew (self, client);
    mirror_open (self, client);
    carry_out (self, client);
}

/* What a process writes down before anything is sent in the name of a new session. */
static void keep_identity (struct sim_client *client)
{
    struct session_identity identity;
    if (session_take_identity (client->session, &identity)) {
        client->identity = identity;
        client->has_identity = true;
    }
}

void client_drive (struct world *self, struct sim_client *client)
{
    complaints_hear (self, client);
    keep_identity (client);
    carry_out (self, client);
    send_frames (self, client);
    record_view (self, client);
    take_events (self, client);
    if (!client->closing && !client->lost) {
        record_told (self, client);
    }
    if (client->closing && (client->lost || session_closed (client->session))) {
        world_tell (self, "client %zu: has closed its session", (size_t) (client - self->clients));
        bury (self, client);
        return;
    }
    complaints_told (self, client);
    if (client->lost) {
        renew (self, client);
    }
    schedule_timer (self, client);
}

/* The write that the liveness phase waits for: once in each session, until it is answered. */
static void write_fresh (struct world *self, struct sim_client *client)
{
    if (client->fresh_due && !client->fresh_sent && !client->closing && !client->adopting) {
        client->fresh_sent = true;
        workload_fresh (self, client);
    }
}

static void work (struct world *self, struct sim_client *client)
{
    size_t burst = 1 + prng_below (&client->prng, 4);
    while (self->working && !client->closing && !client->adopting && burst-- > 0 &&
           client->outstanding < OUTSTANDING_MAX && self->requests < self->options.requests_max) {
        workload_ask (self, client);
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
