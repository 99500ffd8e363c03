/* clients.c: inputs, turns, ending: see clients.h and client_state.h. */

#include "server/node/clients.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"
#include "server/node/error_text.h"

/* ---- Life -------------------------------------------------------------------------------- */

struct clients *clients_new (const struct clients_options *options)
{
    COHORT_ASSERT (options->tree != NULL);
    struct clients *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->options = *options;
    if (self->options.pending_bytes_max == 0) {
        self->options.pending_bytes_max = CLIENTS_PENDING_BYTES;
    }
    if (self->options.queue_bytes_max == 0) {
        self->options.queue_bytes_max = CLIENT_QUEUE_BYTES_MAX;
    }
    if (self->options.output_low == 0) {
        self->options.output_low = OUTPUT_LOW;
    }
    if (self->options.output_bytes_max == 0) {
        self->options.output_bytes_max = CLIENTS_OUTPUT_BYTES;
    }
    if (self->options.watches_max == 0) {
        self->options.watches_max = CLIENT_WATCHES_MAX;
    }
    if (self->options.hellos_max == 0) {
        self->options.hellos_max = CLIENTS_HELLOS_MAX;
    }
    if (self->options.frame_bytes == 0) {
        self->options.frame_bytes = FRAME_BYTES;
    }
    if (self->options.walk_nodes == 0) {
        self->options.walk_nodes = WALK_NODES;
    }
    if (self->options.turn_work == 0) {
        self->options.turn_work = TURN_WORK;
    }
    if (self->options.writes_under_way == 0) {
        self->options.writes_under_way = CLIENTS_UNDER_WAY;
    }
    self->tree = options->tree;
    self->looks = TURN_LOOKS;
    map_init (&self->connections);
    map_init (&self->sessions);
    map_init (&self->hellos);
    map_init (&self->reports);
    map_init (&self->syncs);
    map_init (&self->feed_map);
    list_init (&self->hello_order);
    list_init (&self->forsaken);
    list_init (&self->dirty);
    list_init (&self->stuck);
    list_init (&self->busy);
    list_init (&self->doomed);
    list_init (&self->sync_order);
    list_init (&self->sync_waiting);
    list_init (&self->sync_done);
    list_init (&self->segments);
    list_init (&self->orphans);
    list_init (&self->ready);
    list_init (&self->touched);
    arena_init (&self->arena, 64 << 10, 1 << 20);
    self->watches = watches_new (options->hash_seed);
    self->streams = streams_new (options->hash_seed);
    if (self->watches == NULL || self->streams == NULL) {
        clients_destroy (&self);
        return NULL;
    }
    client_note_admins (self);
    return self;
}

void clients_destroy (struct clients **self_p)
{
    struct clients *self = *self_p;
    struct map_node *node;
    if (self == NULL) {
        return;
    }
    while ((node = map_first (&self->connections)) != NULL) {
        client_destroy (self, map_entry (node, struct client, node));
    }
    while (!list_empty (&self->forsaken)) {
        struct list_node *first = list_first (&self->forsaken);
        client_destroy (self, list_entry (first, struct client, hello_node));
    }
    reports_clear (self);
    pending_free (self);
    deliver_free (self);
    COHORT_ASSERT (self->queue_bytes == 0);
    COHORT_ASSERT (self->writers == 0);
    COHORT_ASSERT (self->under_way == 0);
    COHORT_ASSERT (map_count (&self->syncs) == 0);
    COHORT_ASSERT (map_count (&self->feed_map) == 0);
    map_deinit (&self->connections);
    map_deinit (&self->sessions);
    map_deinit (&self->hellos);
    map_deinit (&self->reports);
    map_deinit (&self->syncs);
    map_deinit (&self->feed_map);
    arena_deinit (&self->arena);
    buf_deinit (&self->scratch);
    buf_deinit (&self->list);
    buf_deinit (&self->bare);
    buf_deinit (&self->changes);
    buf_deinit (&self->links);
    orphans_free (self);
    watches_destroy (&self->watches);
    streams_destroy (&self->streams);
    mem_free (self);
    *self_p = NULL;
}

/* ---- Clients ----------------------------------------------------------------------------- */

static bool is_it (const struct map_node *node, const void *key)
{
    /* The hash is the whole key, and it was compared. */
    (void) node;
    (void) key;
    return true;
}

struct client *client_find (const struct clients *self, uint64_t connection)
{
    struct map_node *node = map_find (&self->connections, connection, is_it, NULL);
    return node != NULL ? map_entry (node, struct client, node) : NULL;
}

struct client *client_of_session (const struct clients *self, uint64_t session)
{
    struct map_node *node = map_find (&self->sessions, session, is_it, NULL);
    return node != NULL ? map_entry (node, struct client, session_node) : NULL;
}

void client_doom (struct clients *self, struct client *client, int code, const char *text)
{
    COHORT_ASSERT (code <= 0);
    COHORT_ASSERT (text != NULL);
    if (client->doom_text != NULL) {
        return;
    }
    client->doom = code;
    client->doom_text = text;
    list_push_back (&self->doomed, &client->doomed_node);
}

static uint64_t half_a_turn (const struct clients *self)
{
    return self->options.turn_work / 2;
}

bool clients_tired (const struct clients *self)
{
    return self->work >= (self->flushing ? self->options.turn_work : half_a_turn (self));
}

static void unlink_from (struct list_node *node)
{
    if (list_linked (node)) {
        list_remove (node);
    }
}

void client_destroy (struct clients *self, struct client *client)
{
    client_answer_none (self, client);
    feeds_drop (self, client);
    deliver_discard (self, client);
    client_watch_discard (client);
    client_watch_leave (self, client);
    if (client->phase == CLIENT_HELLO) {
        map_remove (&self->hellos, &client->session_node);
        list_remove (&client->hello_node);
    } else if (client->phase == CLIENT_ATTACHED) {
        map_remove (&self->sessions, &client->session_node);
        COHORT_ASSERT (self->credit_granted >= client->credit);
        self->credit_granted -= client->credit;
    }
    if (!client->forsaken) {
        map_remove (&self->connections, &client->node);
    }
    unlink_from (&client->dirty_node);
    unlink_from (&client->stuck_node);
    unlink_from (&client->busy_node);
    unlink_from (&client->doomed_node);
    mem_free (client);
}

static void refuse (struct clients *self, uint64_t connection, int code, const char *text)
{
    const struct node_transport *transport = &self->options.transport;
    buf_clear (&self->bare);
    wire_client_refused (&self->bare, code, text);
    if (!self->bare.failed) {
        /* With a full pipe it goes without: what it sends next comes as a new connection's. */
        (void) transport->client_send (transport->arg, connection, self->bare.data,
                                       self->bare.size);
    }
}

/* Anybody can be refused as often as he likes: so many a second are told of one by one, the others
 * as a number once that second is over. */
static void tell_refusal (struct clients *self, uint64_t connection, int code, const char *text)
{
    uint64_t missed;
    bool told = log_limit_admits (&self->refusals, self->now_ms, CLIENTS_REFUSALS_TOLD,
                                  CLIENTS_REFUSALS_MS, &missed);
    if (missed > 0) {
        logger_write (&self->options.logger, LOG_INFO, "connections-refused", "more=%llu",
                      (unsigned long long) missed);
    }
    if (!told) {
        return;
    }
    logger_write (&self->options.logger, LOG_INFO, "connection-refused",
                  "connection=%llu code=%s text=\"%s\"", (unsigned long long) connection,
                  error_name (code), text);
}

void connection_refuse (struct clients *self, uint64_t connection, int code, const char *text)
{
    tell_refusal (self, connection, code, text);
    refuse (self, connection, code, text);
    self->options.transport.client_drop (self->options.transport.arg, connection);
}

/* Ends those that were doomed meanwhile. */
static void bury (struct clients *self)
{
    struct list_node *node;
    while ((node = list_first (&self->doomed)) != NULL) {
        struct client *client = list_entry (node, struct client, doomed_node);
        const struct node_transport *transport = &self->options.transport;
        if (client->phase == CLIENT_DETACHED && client->doom == 0) {
            feeds_drop (self, client); /* its last reply must not wait for them */
        }
        if (!client->forsaken && client->doom != COHORT_ENOMEM &&
            !list_linked (&client->stuck_node)) {
            deliver_send (self, client);
        }
        if (client->doom < 0) {
            logger_write (&self->options.logger, LOG_INFO, "client-dropped",
                          "session=%llx connection=%llu code=%s text=\"%s\"",
                          (unsigned long long) client->session,
                          (unsigned long long) client->connection, error_name (client->doom),
                          client->doom_text);
            refuse (self, client->connection, client->doom, client->doom_text);
            transport->client_drop (transport->arg, client->connection);
        }
        client_destroy (self, client);
    }
}

/* ---- From the network -------------------------------------------------------------------- */

static void send_status (struct clients *self, uint64_t connection)
{
    struct node_status status;
    const struct node_transport *transport = &self->options.transport;
    if (self->options.status == NULL) {
        return;
    }
    memset (&status, 0, sizeof status);
    self->options.status (self->options.status_arg, &status);
    if (!client_passes (self, connection, NULL, 0)) {
        status.znodes = status.sessions = status.digest = 0;
    }
    buf_clear (&self->bare);
    wire_client_status (&self->bare, &self->arena, &status, self->options.members,
                        self->options.members_count);
    if (!self->bare.failed) {
        (void) transport->client_send (transport->arg, connection, self->bare.data,
                                       self->bare.size);
    }
}

bool clients_backup_part (struct clients *self, uint64_t connection, const struct backup_part *part)
{
    const struct node_transport *transport = &self->options.transport;
    buf_clear (&self->bare);
    wire_client_backup (&self->bare, part);
    return !self->bare.failed &&
           transport->client_send (transport->arg, connection, self->bare.data, self->bare.size);
}

static void take_backup (struct clients *self, uint64_t connection,
                         const Cohort__Wire__BackupQuery *query)
{
    if (self->options.backup == NULL) {
        return;
    }
    /* It is the whole state, whatever the lists say. */
    if (query->received == 0 && !client_passes (self, connection, query->auth, query->n_auth)) {
        /* With a full pipe it goes without, and gives up. */
        (void) clients_backup_part (
            self, connection,
            &(struct backup_part){.code = COHORT_ENOAUTH,
                                  .text = "a backup takes an administrator"});
        return;
    }
    self->options.backup (self->options.backup_arg, connection, query->received);
}

static bool has_work (const Cohort__Wire__ClientFrame *frame)
{
    return frame->heartbeat != NULL || frame->rearm != NULL || frame->n_taken > 0 ||
           frame->n_requests > 0;
}

/* A frame of a connection that has not said hello yet, or of one that was dropped. */
static void frame_of_stranger (struct clients *self, uint64_t connection,
                               const Cohort__Wire__ClientFrame *frame)
{
    if (frame->hello != NULL) {
        client_hello (self, connection, frame->hello);
    } else if (has_work (frame)) {
        connection_refuse (self, connection, COHORT_ESTATE, "this connection has not said hello");
    }
}

static void frame_of_client (struct clients *self, struct client *client,
                             const Cohort__Wire__ClientFrame *frame)
{
    bool work = has_work (frame);
    if (frame->hello != NULL) {
        client_doom (self, client, COHORT_EPROTOCOL, "a second hello on one connection");
        return;
    }
    if (client->phase == CLIENT_HELLO) {
        if (work) {
            client_doom (self, client, COHORT_EPROTOCOL, "requests before the welcome");
        }
        return;
    }
    if (frame->heartbeat != NULL) { /* it lives, whatever else it says */
        const struct clients_host *host = &self->options.host;
        host->heartbeat (host->arg, client->session, client->attach_no, frame->heartbeat->seq);
    }
    if (frame->rearm != NULL && client->armed) {
        client_doom (self, client, COHORT_EPROTOCOL, "what was watched comes too late");
        return;
    }
    if (frame->rearm != NULL) {
        client_watch_rearm (self, client, frame->rearm);
    }
    /* Whoever tells what it watched does so before anything else. */
    client->armed = client->armed || (frame->rearm != NULL ? !frame->rearm->more : work);
    for (size_t i = 0; i < frame->n_taken; i++) {
        walk_taken (self, client, frame->taken[i]->stream_id, frame->taken[i]->bytes);
    }
    if (frame->n_requests > 0) {
        client_receive (self, client, frame);
    }
}

void clients_frame (struct clients *self, uint64_t connection, const uint8_t *data, size_t size)
{
    struct client *client = client_find (self, connection);
    /* Fields of a message that follow one another are one message: what is left of a frame is one.
     */
    size_t done = client != NULL ? client_read_at_once (self, client, data, size) : 0;
    data += done;
    size -= done;
    if (size == 0) {
        bury (self);
        return;
    }
    arena_reset (&self->arena);
    const Cohort__Wire__ClientFrame *frame = wire_client_decode (&self->arena, data, size);
    if (frame == NULL) {
        if (client != NULL) {
            client_doom (self, client, COHORT_EPROTOCOL, "a frame could not be understood");
        } else {
            connection_refuse (self, connection, COHORT_EPROTOCOL,
                               "a frame could not be understood");
        }
    } else {
        if (frame->status != NULL) {
            send_status (self, connection);
        }
        if (frame->ask && client != NULL) {
            /* Where there is no room other frames are on their way. */
            const struct node_transport *transport = &self->options.transport;
            (void) transport->client_send (transport->arg, connection, data, 0);
        }
        if (frame->backup != NULL) {
            take_backup (self, connection, frame->backup);
        }
        if (client == NULL) {
            frame_of_stranger (self, connection, frame);
        } else if (client->doom_text == NULL) {
            frame_of_client (self, client, frame);
        }
    }
    bury (self);
}

void clients_closed (struct clients *self, uint64_t connection)
{
    struct client *client = client_find (self, connection);
    if (client == NULL) {
        return;
    }
    if (client->phase == CLIENT_HELLO) {
        client_forsake (self, client);
        return;
    }
    logger_write (&self->options.logger, LOG_DEBUG, "client-closed", "session=%llx connection=%llu",
                  (unsigned long long) client->session, (unsigned long long) connection);
    if (!COHORT_MUTATED (ending_unreported)) {
        report_add (self, client->session, client->attach_no);
    }
    client_destroy (self, client);
}

/* ---- From the ensemble ------------------------------------------------------------------- */

static void hellos_repeat (struct clients *self)
{
    for (struct list_node *at = list_first (&self->hello_order); at != NULL;
         at = list_next (&self->hello_order, at)) {
        client_hello_submit (self, list_entry (at, struct client, hello_node));
    }
}

void clients_leader (struct clients *self, bool up)
{
    self->leader = up;
    if (!up) {
        return;
    }
    hellos_repeat (self);
    for (struct list_node *at = list_first (&self->busy); at != NULL;
         at = list_next (&self->busy, at)) {
        client_resubmit (self, list_entry (at, struct client, busy_node));
    }
    client_sync_repeat (self);
    if (!COHORT_MUTATED (reports_not_repeated)) {
        reports_repeat (self);
    }
}

/* Whoever watches hears of a transaction before anything that shows it. */
static bool take_effect (void *arg, const struct effect *effect)
{
    struct clients *self = arg;
    client_watch_fire (self, effect);
    feed_effect (self, effect);
    return true;
}

/* Whether a change concerns anybody at all: where there are neither watches nor streams nothing of
 * it has to be read. */
static bool has_listeners (const struct clients *self)
{
    return watches_count (self->watches) > 0 || map_count (&self->feed_map) > 0;
}

uint32_t clients_applied (struct clients *self, zxid_t zxid, const struct tree_outcome *outcome)
{
    self->told = 0;
    if (outcome->effects > 0 && has_listeners (self)) {
        self->in_transaction = true;
        int rc = tree_effects (self->tree, zxid - 1, zxid, take_effect, self);
        COHORT_ASSERT (rc == COHORT_OK); /* the newest transaction stays whole */
        feed_effects_end (self, zxid);
        self->in_transaction = false;
    }
    if (outcome->kind == ENTRY_CREATE_SESSION || outcome->kind == ENTRY_ATTACH) {
        client_hello_outcome (self, outcome);
    } else if (outcome->kind == ENTRY_WRITE) {
        struct client *client = client_of_session (self, outcome->session);
        if (client != NULL) {
            client_outcome (self, client, outcome);
        }
    }
    if (outcome->session_closed || outcome->session_gone) {
        client_session_ended (self, outcome);
    }
    if (outcome->admins_changed) {
        client_admins_changed (self);
    }
    if (outcome->killed != 0) {
        client_session_killed (self, outcome->killed);
    }
    client_sync_applied (self, zxid);
    bury (self);
    return self->told;
}

void clients_tree (struct clients *self, struct tree *tree, bool reset)
{
    self->tree = tree;
    client_note_admins (self);
    if (!reset || COHORT_MUTATED (reset_untold)) {
        return;
    }
    for (struct map_node *node = map_first (&self->sessions); node != NULL;
         node = map_next (&self->sessions, node)) {
        client_doom (self, map_entry (node, struct client, session_node), COHORT_ECONNECT,
                     "this server had to take over another server's state");
    }
    bury (self);
    reports_prune (self);
    /* Outcomes that lie inside the snapshot will never be reported. */
    if (self->leader) {
        hellos_repeat (self);
    }
}

void clients_confirmed (struct clients *self, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    struct client *client = client_of_session (self, session);
    if (client == NULL || client->attach_no != attach_no || client->doom_text != NULL) {
        return;
    }
    client->confirmed = seq > client->confirmed ? seq : client->confirmed;
    feed_progress (self, client);
    client_dirty (self, client);
}

void client_tell_held (struct clients *self, struct client *client)
{
    struct buf *out = deliver_begin (self, client);
    if (out != NULL) {
        wire_client_held (out, self->held);
        deliver_end (self, client);
    }
}

void clients_held (struct clients *self, const char *reason)
{
    const char *text = reason != NULL ? reason : "";
    if (strncmp (text, self->held, sizeof self->held - 1) == 0) {
        return;
    }
    size_t size = strlen (text);
    size = size < sizeof self->held ? size : sizeof self->held - 1;
    memcpy (self->held, text, size);
    self->held[size] = '\0';
    self->reads_held =
        strcmp (self->held, CLIENTS_NO_QUORUM) == 0 && !COHORT_MUTATED (reads_not_held);
    for (struct map_node *node = map_first (&self->connections); node != NULL;
         node = map_next (&self->connections, node)) {
        client_tell_held (self, map_entry (node, struct client, node));
    }
    bury (self);
}

/* ---- Turns ------------------------------------------------------------------------------- */

void clients_time (struct clients *self, int64_t now_ms)
{
    COHORT_ASSERT (now_ms >= self->now_ms);
    self->now_ms = now_ms;
}

/* true: there is more to do at once. */
static bool client_turn (struct clients *self, struct client *client)
{
    bool more = true;
    for (int i = 0; more && i < PULL_SLICES && (i == 0 || !clients_tired (self)); i++) {
        /* What streams have to catch up with comes first, for replies may have no end. */
        more = feed_pull (self, client);
        uint32_t behind = client->behind;
        more |= client_answer (self, client);
        more |= client->behind > behind; /* a stream was opened */
        if (client->doom_text != NULL || !deliver_send (self, client)) {
            return false;
        }
    }
    if (client->walk != NULL) {
        walk_ready (self, client->walk);
    }
    if (more) {
        client_dirty (self, client);
    } else if (list_linked (&client->dirty_node)) {
        list_remove (&client->dirty_node);
    }
    return more;
}

/* Tries the full pipes again, and gives up those that stay full. */
static void retry_stuck (struct clients *self)
{
    if (list_empty (&self->stuck) || self->now_ms < self->retry_ms) {
        return;
    }
    self->retry_ms = self->now_ms + CLIENTS_RETRY_MS;
    struct list again;
    list_init (&again);
    list_splice_back (&again, &self->stuck);
    struct list_node *node;
    while ((node = list_pop_front (&again)) != NULL) {
        struct client *client = list_entry (node, struct client, stuck_node);
        int64_t since = client->stuck_ms;
        if (deliver_send (self, client)) {
            client_dirty (self, client);
            continue;
        }
        client->stuck_ms = since;
        if (self->now_ms - since >= CLIENTS_STALL_MS && !COHORT_MUTATED (stalled_endured)) {
            client_doom (self, client, COHORT_ECONNECT, "what was sent is not taken: stalled");
        }
    }
}

/* What frames and entries have made it do since the last turn is part of this one, but leaves half
 * of it to those who wait.  Returns what does not count. */
static uint64_t take_stock (struct clients *self)
{
    uint64_t half = half_a_turn (self), over = self->work > half ? self->work - half : 0;
    self->work -= over;
    return over;
}

bool clients_flush (struct clients *self)
{
    bool more = orphans_turn (self);
    uint64_t before = take_stock (self);
    self->asked = false;
    self->flushing = true;
    self->looks = TURN_LOOKS;
    retry_stuck (self);
    more |= walks_turn (self);
    struct list turn;
    list_init (&turn);
    list_splice_back (&turn, &self->dirty);
    struct list_node *node;
    while (!clients_tired (self) && (node = list_pop_front (&turn)) != NULL) {
        struct client *client = list_entry (node, struct client, dirty_node);
        if (client->doom_text == NULL && !list_linked (&client->stuck_node)) {
            more |= client_turn (self, client);
        }
    }
    more |= !list_empty (&turn);
    list_splice_back (&turn, &self->dirty); /* whoever had to wait is the first of the next turn */
    list_splice_back (&self->dirty, &turn);
    hellos_expire (self);
    bury (self);
    const struct node_transport *transport = &self->options.transport;
    if (transport->client_flush != NULL) {
        transport->client_flush (transport->arg);
    }
    self->worked = before + self->work;
    self->work = 0;
    self->flushing = false;
    return more || !list_empty (&self->ready);
}

uint64_t clients_work (const struct clients *self)
{
    return self->worked;
}

int64_t clients_deadline (const struct clients *self)
{
    int64_t deadline = hellos_deadline (self);
    if (!list_empty (&self->stuck) && self->retry_ms < deadline) {
        deadline = self->retry_ms;
    }
    return deadline;
}

/* ---- Ending ------------------------------------------------------------------------------ */

static void send_all_away (struct clients *self, const char *text)
{
    for (struct map_node *node = map_first (&self->connections); node != NULL;
         node = map_next (&self->connections, node)) {
        client_doom (self, map_entry (node, struct client, node), COHORT_ECONNECT, text);
    }
    bury (self);
}

void clients_leave (struct clients *self)
{
    self->gone = true;
    clients_flush (self);
    send_all_away (self, CLIENTS_LEAVING);
}

void clients_quarantine (struct clients *self, const char *reason)
{
    const char *text = reason != NULL ? reason : "";
    snprintf (self->quarantined, sizeof self->quarantined, "%s", text);
    if (reason != NULL) {
        send_all_away (self, self->quarantined);
    }
}

uint64_t clients_connections (const struct clients *self)
{
    return map_count (&self->connections);
}
