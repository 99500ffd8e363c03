/* What the clients of a simulated world ask for and are told, as a history (tests/history), which
 * is judged event by event. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/src/event.h"
#include "client/src/requests.h"
#include "client/src/streams.h"
#include "client/src/watches.h"
#include "tests/history/judge.h"
#include "tests/history/log_entry.h"
#include "tests/history/text.h"
#include "tests/simulation/record.h"

enum {
    ARENA_BLOCK = 16 << 10,
    ARENA_KEEP = 1 << 20,
    READ_ENTRIES = 128,
    READ_BYTES = 1 << 20,
    PLACEHOLDER = 1
};

/* What was recorded last of a client. */
struct recorded {
    uint32_t number; /* of its present session, in the history */
    uint32_t closes; /* likewise of the past one that it closes first; 0: none */
    uint64_t session;
    char endpoint[HOSTS_ENDPOINT_MAX + 1];
    uint64_t connection; /* the number of the one that it is attached by */
    int64_t valid_until_ms;
    uint64_t told;
    bool served;
};

struct sim_recorder {
    struct judge judge;
    struct arena arena; /* of one event */
    FILE *file;         /* NULL: it is not written down */
    uint64_t last_call;
    uint32_t last_client;
    uint32_t led_epoch; /* 0: nobody leads undisturbed */
    uint32_t led_epoch_max;
    bool calm;
    bool judged; /* nothing more is recorded */
    struct recorded clients[SIM_CLIENTS_MAX];
};

struct sim_recorder *recorder_new (FILE *file)
{
    struct sim_recorder *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    judge_init (&self->judge);
    arena_init (&self->arena, ARENA_BLOCK, ARENA_KEEP);
    self->file = file;
    if (file != NULL) {
        fputs (HISTORY_HEADER, file);
    }
    return self;
}

void recorder_free (struct sim_recorder *self)
{
    judge_deinit (&self->judge);
    arena_deinit (&self->arena);
    free (self);
}

static void write_down (const struct sim_recorder *self, const struct history_event *event)
{
    struct buf line = {0};
    history_format (&line, event);
    COHORT_ASSERT (!line.failed);
    (void) fwrite (line.data, 1, line.size, self->file);
    buf_deinit (&line);
}

/* Every event passes here. */
static void record (struct world *world, struct history_event event)
{
    struct sim_recorder *self = world->recorder;
    if (self->judged) {
        return;
    }
    event.time_ms = world->schedule.now_ms;
    if (self->file != NULL) {
        write_down (self, &event);
    }
    if (!judge_see (&self->judge, &event)) {
        world_fail (world, "history, %s: %s", self->judge.broken, self->judge.objection.text);
    }
    arena_reset (&self->arena);
}

static struct recorded *recorded (struct world *world, const struct sim_client *client)
{
    return &world->recorder->clients[client - world->clients];
}

struct arena *record_arena (struct world *world)
{
    return &world->recorder->arena;
}

void *record_take (struct world *world, size_t count, size_t size)
{
    void *memory = arena_calloc (&world->recorder->arena, count + PLACEHOLDER, size);
    COHORT_ASSERT (memory != NULL);
    return memory;
}

/* ---- Sessions -------------------------------------------------------------------------------- */

void record_client (struct world *world, const struct sim_client *client)
{
    *recorded (world, client) = (struct recorded){.number = ++world->recorder->last_client};
}

static void record_session (struct world *world, const struct sim_client *client, uint32_t number,
                            uint64_t session)
{
    const struct session_identity *past = &client->past;
    struct history_session event = {session, client->timeout_ms, client->grace_ms, 1};
    if (session == past->id) {
        event =
            (struct history_session){session, past->timeout_ms, past->grace_ms, past->incarnation};
    }
    record (world,
            (struct history_event){.kind = HISTORY_SESSION, .client = number, .u.session = event});
}

/* Who closes it is nobody else's client: what is asked for besides belongs to the next session. */
void record_close_past (struct world *world, const struct sim_client *client)
{
    struct recorded *known = recorded (world, client);
    struct history_op op = {.kind = HISTORY_CLOSE, .path = "", .value = ""};
    known->closes = ++world->recorder->last_client;
    record_session (world, client, known->closes, client->past.id);
    record (world,
            (struct history_event){
                .kind = HISTORY_CALL,
                .client = known->closes,
                .u.call = {.id = ++world->recorder->last_call, .number = 1, .ops = &op, .count = 1},
            });
}

static uint32_t server_of (const char *endpoint)
{
    return (uint32_t) (endpoint[strlen ("tcp://s")] - '0');
}

/* The newest of the client's connections to this server; 0: none. */
static uint64_t connection_to (const struct sim_client *client, uint32_t server)
{
    uint64_t newest = 0;
    for (struct list_node *at = list_first (&client->links); at != NULL;
         at = list_next (&client->links, at)) {
        const struct sim_connection *connection = list_entry (at, struct sim_connection, in_client);
        if (connection->server + 1 == server && connection->number > newest) {
            newest = connection->number;
        }
    }
    return newest;
}

static bool has_connection (const struct sim_client *client, uint64_t number)
{
    for (struct list_node *at = list_first (&client->links); at != NULL;
         at = list_next (&client->links, at)) {
        if (list_entry (at, struct sim_connection, in_client)->number == number) {
            return true;
        }
    }
    return false;
}

void record_attached (struct world *world, const struct sim_client *client)
{
    struct recorded *known = recorded (world, client);
    struct session_view view;
    session_view (client->session, &view);
    if (client->guesses && view.id == client->past.id) {
        world_fail (world, "client %zu goes on with session %" PRIx64 " and has not its password",
                    (size_t) (client - world->clients), view.id);
    }
    if (view.id != known->session) {
        known->session = view.id;
        record_session (world, client, known->number, view.id);
    }
    (void) snprintf (known->endpoint, sizeof known->endpoint, "%s", view.endpoint);
    if (view.endpoint[0] != '\0') {
        known->connection = connection_to (client, server_of (view.endpoint));
        record (world, (struct history_event){.kind = HISTORY_ATTACHED,
                                              .client = known->number,
                                              .u.server = server_of (view.endpoint)});
    }
}

bool record_attached_by (const struct world *world, const struct sim_client *client,
                         uint64_t connection)
{
    return world->recorder->clients[client - world->clients].connection == connection;
}

bool record_has_session (const struct world *world, const struct sim_client *client, uint64_t id)
{
    uint32_t incarnation = client->past.id == id ? client->past.incarnation : 1;
    const struct model_session *session = model_session (&world->recorder->judge.facts.model, id);
    return session != NULL && !session->dead && !session->killed &&
           session->incarnation == incarnation &&
           (incarnation == 1 || memcmp (session->process, client->process, WIRE_ID_SIZE) == 0);
}

void record_view (struct world *world, const struct sim_client *client)
{
    struct recorded *known = recorded (world, client);
    struct session_view view;
    session_view (client->session, &view);
    if (view.id != 0 && view.endpoint[0] != '\0' &&
        (view.id != known->session || strcmp (view.endpoint, known->endpoint) != 0 ||
         !has_connection (client, known->connection))) { /* perhaps anew to the same server */
        record_attached (world, client);
    }
    int64_t until_ms = view.id != 0 && view.id == known->session && view.valid_until_ms > 0
                           ? clock_when_ms (&client->clock, view.valid_until_ms)
                           : 0;
    int64_t now_ms = world->schedule.now_ms;
    bool over = until_ms > 0 && until_ms <= now_ms && known->valid_until_ms <= now_ms;
    if (until_ms != known->valid_until_ms && !over) { /* when it was over is known already */
        known->valid_until_ms = until_ms;
        record (world, (struct history_event){
                           .kind = HISTORY_VALID, .client = known->number, .u.until_ms = until_ms});
    }
}

void record_told (struct world *world, const struct sim_client *client)
{
    struct recorded *known = recorded (world, client);
    struct session_view view;
    session_view (client->session, &view);
    if (view.id != 0 && view.id == known->session && view.told > known->told) {
        known->told = view.told;
        record (world, (struct history_event){
                           .kind = HISTORY_SEEN, .client = known->number, .u.zxid = view.told});
    }
}

void record_lost (struct world *world, const struct sim_client *client)
{
    recorded (world, client)->served = false;
    record (world, (struct history_event){.kind = HISTORY_LOST,
                                          .client = recorded (world, client)->number});
}

void record_gone (struct world *world, const struct sim_client *client)
{
    struct recorded *known = recorded (world, client);
    known->served = false;
    record (world, (struct history_event){.kind = HISTORY_GONE, .client = known->number});
    if (known->closes != 0) {
        record (world, (struct history_event){.kind = HISTORY_GONE, .client = known->closes});
    }
}

void record_hello (struct world *world, struct sim_connection *connection, uint64_t session,
                   uint64_t attach_no)
{
    const struct recorded *known = &world->recorder->clients[connection->client];
    bool closes = known->closes != 0 && known->session == 0 && session != 0;
    connection->recorded = closes ? known->closes : known->number;
    connection->attach_no = attach_no;
}

void record_ended (struct world *world, const struct sim_connection *connection)
{
    record (world, (struct history_event){.kind = HISTORY_ENDED,
                                          .u.ended = {.client = connection->recorded,
                                                      .server = connection->server + 1,
                                                      .attach_no = connection->attach_no}});
}

void record_forgot (struct world *world, uint32_t server)
{
    record (world, (struct history_event){.kind = HISTORY_FORGOT, .u.server = server});
}

void record_heard (struct world *world, uint32_t server)
{
    record (world, (struct history_event){.kind = HISTORY_HEARD, .u.server = server});
}

void record_served (struct world *world, const struct sim_client *client, bool served)
{
    struct recorded *known = recorded (world, client);
    if (known->served != served) {
        known->served = served;
        record (world, (struct history_event){.kind = served ? HISTORY_SERVED : HISTORY_UNSERVED,
                                              .client = known->number});
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

uint64_t record_call (struct world *world, const struct sim_client *client,
                      const struct request *request)
{
    const struct wire_request *wire = &request->wire;
    bool multi = wire->op.kind == WIRE_MULTI || wire->op.kind == WIRE_MULTI_READ;
    size_t count = multi ? wire->ops_count : 1;
    bool write = wire_is_write (wire->op.kind);
    if (write && wire->number == 0) {
        return 0; /* refused at once: its session was found to be over */
    }
    struct history_op *ops = record_take (world, count, sizeof *ops);
    uint64_t id = ++world->recorder->last_call;
    for (size_t i = 0; i < count; i++) {
        ops[i] = op_asked (world, multi ? &wire->ops[i] : &wire->op);
        ops[i].linearizable = wire->op.linearizable;
    }
    record (world, (struct history_event){
                       .kind = HISTORY_CALL,
                       .client = recorded (world, client)->number,
                       .u.call = {.id = id,
                                  .number = write ? wire->number : 0,
                                  .multi = multi,
                                  .ops = ops,
                                  .count = count},
                   });
    return id;
}

void record_close (struct world *world, const struct sim_client *client)
{
    const struct recorded *known = recorded (world, client);
    const struct fact_client *facts = facts_client (&world->recorder->judge.facts, known->number);
    struct history_op op = {.kind = HISTORY_CLOSE, .path = "", .value = ""};
    record (world, (struct history_event){
                       .kind = HISTORY_CALL,
                       .client = known->number,
                       .u.call = {.id = ++world->recorder->last_call,
                                  .number = (facts != NULL ? facts->asked_count : 0) + 1,
                                  .ops = &op,
                                  .count = 1},
                   });
}

/* The machine asks for it before anything else, and tells nobody what comes of it. */
void record_proven_anew (struct world *world, const struct sim_client *client)
{
    uint32_t number = recorded (world, client)->number;
    for (size_t i = 0; i < client->proven_count; i++) {
        char name[WORLD_USER_SIZE];
        uint64_t id = ++world->recorder->last_call;
        struct history_op op = {.kind = HISTORY_ADD_AUTH,
                                .path = "",
                                .value = user_said (world, world_user (client->proven[i], name))};
        record (world, (struct history_event){
                           .kind = HISTORY_CALL,
                           .client = number,
                           .u.call = {.id = id, .number = i + 1, .ops = &op, .count = 1}});
        record (world,
                (struct history_event){.kind = HISTORY_UNKNOWN, .client = number, .u.id = id});
    }
}

void record_return (struct world *world, const struct sim_client *client, uint64_t call,
                    const struct request *request)
{
    struct history_event event = {.kind = HISTORY_RETURN,
                                  .client = recorded (world, client)->number};
    event.u.result.id = call;
    answer_said (world, request, &event.u.result);
    record (world, event);
}

void record_unknown (struct world *world, const struct sim_client *client, uint64_t call)
{
    if (call != 0) {
        record (world, (struct history_event){.kind = HISTORY_UNKNOWN,
                                              .client = recorded (world, client)->number,
                                              .u.id = call});
    }
}

/* ---- What comes unasked ---------------------------------------------------------------------- */

void record_watch (struct world *world, const struct sim_client *client, const struct watch *watch)
{
    if (watch->type != COHORT_EVENT_WATCH_LOST) {
        record (world, (struct history_event){
                           .kind = HISTORY_FIRED,
                           .client = recorded (world, client)->number,
                           .u.fired = {(enum history_watch_kind) watch->kind, watch->type,
                                       watch->path, watch->zxid},
                       });
    }
}

void record_batch (struct world *world, const struct sim_client *client,
                   const struct cohort_stream *stream, const cohort_batch_t *batch)
{
    struct history_change *changes = record_take (world, batch->count, sizeof *changes);
    for (size_t i = 0; i < batch->count; i++) {
        const cohort_change_t *change = &batch->changes[i];
        bool there = change->kind != COHORT_CHANGE_DELETED;
        bool data = there && change->kind != COHORT_CHANGE_OWNER;
        changes[i] = (struct history_change){
            .kind = (enum history_change_kind) change->kind,
            .path = change->path,
            .value = data ? value_said (world, change->data, change->size) : NULL,
            .stat = there ? &change->stat : NULL,
            .from = change->from,
            .hidden = change->hidden != 0,
        };
    }
    record (world, (struct history_event){
                       .kind = HISTORY_BATCH,
                       .client = recorded (world, client)->number,
                       .u.batch = {.stream = stream->id,
                                   .path = stream->path,
                                   .snapshot = batch->snapshot != 0,
                                   .first = batch->first != 0,
                                   .more = batch->more != 0,
                                   .reset = batch->reset != 0,
                                   .zxid = batch->zxid,
                                   .changes = changes,
                                   .count = batch->count},
                   });
}

void record_opened (struct world *world, const struct sim_client *client,
                    const struct cohort_stream *stream)
{
    record (world, (struct history_event){
                       .kind = HISTORY_OPENED,
                       .client = recorded (world, client)->number,
                       .u.opened = {stream->id, stream->path, stream->flags, stream->last_zxid}});
}

void record_closed (struct world *world, const struct sim_client *client,
                    const struct cohort_stream *stream)
{
    record (world, (struct history_event){.kind = HISTORY_CLOSED,
                                          .client = recorded (world, client)->number,
                                          .u.id = stream->id});
}

void record_refused (struct world *world, const struct sim_client *client,
                     const struct cohort_stream *stream)
{
    record (world, (struct history_event){.kind = HISTORY_REFUSED,
                                          .client = recorded (world, client)->number,
                                          .u.id = stream->id});
}

/* ---- The ensemble ---------------------------------------------------------------------------- */

static void record_entry (struct world *world, const struct zab_entry *entry)
{
    struct history_event event = {.kind = HISTORY_ENTRY};
    bool read = history_entry_read (&world->recorder->arena, entry->zxid, entry->stamp_ms,
                                    entry->data, entry->size, &event.u.entry);
    COHORT_ASSERT (read); /* it was applied */
    record (world, event);
}

/* Whoever counts on its session says so now: clocks may have been set right meanwhile. */
static void record_views (struct world *world)
{
    for (size_t i = 0; i < world->clients_count; i++) {
        if (world->clients[i].up) {
            record_view (world, &world->clients[i]);
        }
    }
}

/* False: what it has applied cannot be read back. */
static bool record_to_tree (struct world *world, struct sim_server *server)
{
    struct zab_entry entries[READ_ENTRIES];
    zxid_t through = tree_zxid (node_tree (server->node));
    const zxid_t *known = &world->recorder->judge.facts.model.zxid;
    if (*known >= through) {
        return true;
    }
    record_views (world);
    while (*known < through) {
        crash_disk_spare (server->disk, true);
        size_t count =
            store_read (server->store, *known, through, READ_BYTES, entries, READ_ENTRIES);
        crash_disk_spare (server->disk, false);
        if (count == 0) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            record_entry (world, &entries[i]);
        }
    }
    return true;
}

void record_applied (struct world *world, struct sim_server *server)
{
    if (!record_to_tree (world, server)) {
        world_fail (world, "server %u has applied %#" PRIx64 " and cannot read it back", server->id,
                    tree_zxid (node_tree (server->node)));
    }
}

void record_last (struct world *world, struct sim_server *server)
{
    (void) record_to_tree (world, server);
}

void record_led (struct world *world, uint32_t epoch, bool commits)
{
    struct sim_recorder *self = world->recorder;
    epoch = commits || epoch > self->led_epoch_max ? epoch : 0;
    if (epoch == self->led_epoch) {
        return;
    }
    if (self->led_epoch != 0) {
        record (world, (struct history_event){.kind = HISTORY_UNLED});
    }
    if (epoch != 0) {
        record (world, (struct history_event){.kind = HISTORY_LED, .u.epoch = epoch});
    }
    self->led_epoch = epoch;
    self->led_epoch_max = epoch > self->led_epoch_max ? epoch : self->led_epoch_max;
}

void record_stall (struct world *world, uint32_t epoch, int64_t from_ms)
{
    record (world, (struct history_event){.kind = HISTORY_STALLED,
                                          .u.stalled = {.epoch = epoch, .from_ms = from_ms}});
}

void record_calm (struct world *world, bool calm)
{
    if (world->recorder->calm != calm) {
        world->recorder->calm = calm;
        record (world, (struct history_event){.kind = calm ? HISTORY_CALM : HISTORY_UNCALM});
    }
}

bool record_restless (const struct world *world, char *text, size_t size)
{
    const struct facts *facts = &world->recorder->judge.facts;
    for (struct map_node *node = map_first (&facts->clients); node != NULL;
         node = map_next (&facts->clients, node)) {
        const struct fact_client *client = map_entry (node, struct fact_client, node);
        if (client->gone && facts_has_session (facts, client)) {
            (void) snprintf (text, size, "session %" PRIu64 " of a dead client lives on",
                             client->session);
            return true;
        }
    }
    return false;
}

void check_end (struct world *world)
{
    struct judge *judge = &world->recorder->judge;
    record_views (world);
    record (world, (struct history_event){.kind = HISTORY_SETTLED});
    world->recorder->judged = true;
    if (!judge_finish (judge)) {
        world_fail (world, "history, %s: %s", judge->broken, judge->objection.text);
    }
    world->searched = judge->search.searched;
    world->given_up = judge->search.given_up;
    world_tell (world, "the search took %zu operations on %zu znodes, left %zu out, gave %zu up",
                judge->search.operations, judge->search.searched, judge->search.left_out,
                judge->search.given_up);
}
