#include "client/cli/status_query.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "client.pb-c.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "cohort/error.h"

/* One question to one server. `socket` is NULL once it has been answered or given up. */
struct probe {
    void *socket;
    void *monitor;
    bool sent;
    int64_t deadline_ms;
};

struct query {
    struct ensemble_status *status;
    const struct security *security;
    void *context;
    int limit_ms;
    size_t opened; /* the addresses before it have, or had, a probe */
    struct probe probes[ENDPOINTS_MAX];
};

static void set_int (void *socket, int option, int value)
{
    int rc = zmq_setsockopt (socket, option, &value, sizeof value);
    assert (rc == 0);
    (void) rc;
}

/* In this order: a PAIR that is closed while the monitor is on hangs libzmq's I/O thread. */
static void close_probe (struct probe *probe)
{
    if (probe->monitor != NULL) {
        zmq_socket_monitor (probe->socket, NULL, 0);
        zmq_close (probe->monitor);
        probe->monitor = NULL;
    }
    if (probe->socket != NULL) {
        zmq_close (probe->socket);
        probe->socket = NULL;
    }
}

/* The monitor tells at once that nobody listens; without it that would take the whole limit. */
static bool open_monitor (struct query *self, struct probe *probe, size_t index)
{
    char name[64];
    snprintf (name, sizeof name, "inproc://status-%zu", index);
    int events = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    if (zmq_socket_monitor (probe->socket, name, events) != 0) {
        return false;
    }
    probe->monitor = zmq_socket (self->context, ZMQ_PAIR);
    if (probe->monitor == NULL) {
        zmq_socket_monitor (probe->socket, NULL, 0);
        return false;
    }
    set_int (probe->monitor, ZMQ_LINGER, 0);
    set_int (probe->monitor, ZMQ_RCVHWM, 0);
    return zmq_connect (probe->monitor, name) == 0;
}

static int open_probe (struct query *self, size_t index)
{
    struct probe *probe = &self->probes[index];
    probe->socket = zmq_socket (self->context, ZMQ_DEALER);
    if (probe->socket == NULL) {
        return COHORT_ESYSTEM;
    }
    /* A socket for one connection, see docs/zeromq.md. */
    set_int (probe->socket, ZMQ_RECONNECT_IVL, -1);
    set_int (probe->socket, ZMQ_IMMEDIATE, 1);
    set_int (probe->socket, ZMQ_LINGER, 0);
    set_int (probe->socket, ZMQ_HANDSHAKE_IVL, 500);
    probe->deadline_ms = clock_ms () + self->limit_ms;
    if (!security_apply_socket (self->security, probe->socket) ||
        !open_monitor (self, probe, index)) {
        return COHORT_ESYSTEM;
    }
    if (zmq_connect (probe->socket, self->status->addresses.items[index]) != 0) {
        /* A malformed address is a server that cannot be reached. */
        close_probe (probe);
    }
    return COHORT_OK;
}

static bool is_wildcard (const char *address)
{
    return strchr (address, '*') != NULL || strstr (address, "//0.0.0.0") != NULL ||
           strstr (address, "//[::]") != NULL || strncmp (address, "inproc:", 7) == 0;
}

static struct server_status *find_address (struct ensemble_status *status, const char *address)
{
    for (size_t i = 0; i < status->addresses.count; i++) {
        if (strcmp (status->addresses.items[i], address) == 0) {
            return &status->servers[i];
        }
    }
    return NULL;
}

static void note_hidden (struct ensemble_status *status, uint32_t id)
{
    for (size_t i = 0; i < status->hidden_count; i++) {
        if (status->hidden_ids[i] == id) {
            return;
        }
    }
    if (status->hidden_count < ENDPOINTS_MAX) {
        status->hidden_ids[status->hidden_count++] = id;
    }
}

/* A member may offer several endpoints: one that is being asked already is taken, else the first
 * that can be connected to. */
static void take_member (struct ensemble_status *status, const Cohort__Wire__Member *member)
{
    struct endpoints *offered = calloc (1, sizeof *offered);
    if (offered == NULL) {
        return;
    }
    endpoints_parse (offered, member->client_address);
    const char *chosen = NULL;
    struct server_status *server = NULL;
    for (size_t i = 0; i < offered->count && server == NULL; i++) {
        server = find_address (status, offered->items[i]);
        if (chosen == NULL && !is_wildcard (offered->items[i])) {
            chosen = offered->items[i];
        }
    }
    if (server == NULL && chosen != NULL) {
        endpoints_add (&status->addresses, chosen, strlen (chosen));
        server = find_address (status, chosen);
    }
    if (server == NULL) {
        note_hidden (status, member->id);
    } else if (!server->has_id) {
        server->has_id = true;
        server->id = member->id;
    }
    free (offered);
}

static void take_status (struct ensemble_status *status, struct server_status *server,
                         const Cohort__Wire__Status *message)
{
    server->answered = true;
    server->has_id = true;
    server->id = message->server_id;
    snprintf (server->role, sizeof server->role, "%s", message->role);
    server->epoch = message->epoch;
    server->zxid = message->zxid;
    server->connections = message->connections;
    snprintf (server->log, sizeof server->log, "%s", message->log);
    snprintf (server->disk, sizeof server->disk, "%s", message->disk);
    snprintf (server->state, sizeof server->state, "%s", message->state);
    snprintf (server->state_reason, sizeof server->state_reason, "%s", message->state_reason);
    server->turn_us_max = message->turn_us_max;
    server->long_turns = message->long_turns;
    if (message->cluster_id.len == STATUS_CLUSTER_SIZE) {
        memcpy (server->cluster_id, message->cluster_id.data, STATUS_CLUSTER_SIZE);
    }
    for (size_t i = 0; i < message->n_members; i++) {
        take_member (status, message->members[i]);
    }
}

static void send_question (struct probe *probe)
{
    Cohort__Wire__StatusQuery question = COHORT__WIRE__STATUS_QUERY__INIT;
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.status = &question;
    uint8_t bytes[64];
    size_t size = cohort__wire__client_frame__get_packed_size (&frame);
    assert (size <= sizeof bytes);
    cohort__wire__client_frame__pack (&frame, bytes);
    probe->sent = zmq_send (probe->socket, bytes, size, ZMQ_DONTWAIT) == (int) size;
}

/* Frames without a status, such as the server's probes of the connection, are passed over. */
static bool receive_answer (struct query *self, size_t index)
{
    struct probe *probe = &self->probes[index];
    bool answered = false;
    zmq_msg_t message;
    zmq_msg_init (&message);
    while (!answered && zmq_msg_recv (&message, probe->socket, ZMQ_DONTWAIT) >= 0) {
        Cohort__Wire__ServerFrame *frame = cohort__wire__server_frame__unpack (
            NULL, zmq_msg_size (&message), zmq_msg_data (&message));
        if (frame != NULL && frame->status != NULL) {
            take_status (self->status, &self->status->servers[index], frame->status);
            answered = true;
        }
        if (frame != NULL) {
            cohort__wire__server_frame__free_unpacked (frame, NULL);
        }
    }
    zmq_msg_close (&message);
    return answered;
}

/* Waits for something to happen, or until the first deadline, and deals with it. Returns whether
 * there are probes left. */
static bool turn (struct query *self)
{
    zmq_pollitem_t items[2 * ENDPOINTS_MAX];
    size_t owners[ENDPOINTS_MAX], count = 0;
    int64_t now = clock_ms (), wait = self->limit_ms;
    for (size_t i = 0; i < self->opened; i++) {
        struct probe *probe = &self->probes[i];
        if (probe->socket != NULL && now >= probe->deadline_ms) {
            close_probe (probe);
        }
        if (probe->socket != NULL) {
            wait = probe->deadline_ms - now < wait ? probe->deadline_ms - now : wait;
            short events = probe->sent ? ZMQ_POLLIN : ZMQ_POLLOUT;
            items[2 * count] = (zmq_pollitem_t){probe->socket, 0, events, 0};
            items[2 * count + 1] = (zmq_pollitem_t){probe->monitor, 0, ZMQ_POLLIN, 0};
            owners[count++] = i;
        }
    }
    if (count == 0) {
        return false;
    }
    if (zmq_poll (items, (int) (2 * count), wait) <= 0) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        struct probe *probe = &self->probes[owners[i]];
        if ((items[2 * i].revents & ZMQ_POLLOUT) != 0) {
            send_question (probe);
        }
        /* What arrived before the connection ended is an answer still. */
        bool answered =
            (items[2 * i].revents & ZMQ_POLLIN) != 0 && receive_answer (self, owners[i]);
        if (answered || items[2 * i + 1].revents != 0) {
            close_probe (probe);
        }
    }
    return true;
}

int status_query (struct ensemble_status *self, const char *servers,
                  const struct security *security, int limit_ms)
{
    assert (limit_ms > 0);
    memset (self, 0, sizeof *self);
    endpoints_parse (&self->addresses, servers);
    struct query *query = calloc (1, sizeof *query);
    if (query == NULL) {
        return COHORT_ENOMEM;
    }
    query->status = self;
    query->security = security;
    query->limit_ms = limit_ms;
    query->context = zmq_ctx_new ();
    int rc = query->context != NULL ? COHORT_OK : COHORT_ESYSTEM;
    bool open = rc == COHORT_OK;
    while (open) {
        /* Answers add addresses. */
        while (rc == COHORT_OK && query->opened < self->addresses.count) {
            rc = open_probe (query, query->opened);
            query->opened++;
        }
        open = rc == COHORT_OK && turn (query);
        open = open || (rc == COHORT_OK && query->opened < self->addresses.count);
    }
    for (size_t i = 0; i < query->opened; i++) {
        close_probe (&query->probes[i]);
    }
    if (query->context != NULL) {
        zmq_ctx_term (query->context);
    }
    free (query);
    return rc;
}

size_t status_answered (const struct ensemble_status *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->addresses.count; i++) {
        count += self->servers[i].answered;
    }
    return count;
}

bool status_has_answered (const struct ensemble_status *self, uint32_t id)
{
    for (size_t i = 0; i < self->addresses.count; i++) {
        if (self->servers[i].answered && self->servers[i].id == id) {
            return true;
        }
    }
    return false;
}

bool status_has_leader (const struct ensemble_status *self)
{
    for (size_t i = 0; i < self->addresses.count; i++) {
        const struct server_status *server = &self->servers[i];
        if (server->answered &&
            (strcmp (server->role, "leader") == 0 || strcmp (server->role, "standalone") == 0)) {
            return true;
        }
    }
    return false;
}

int status_exit_code (const struct ensemble_status *self)
{
    if (status_has_leader (self)) {
        return CLI_EXIT_OK;
    }
    return status_answered (self) > 0 ? CLI_EXIT_NO_QUORUM : CLI_EXIT_NO_CONNECTION;
}
