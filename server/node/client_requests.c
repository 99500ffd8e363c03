/* client_requests.c: requests come in: see client_state.h.
 *
 * A write is checked and encoded once, as the entry that the log will carry; what is refused here
 * becomes a REJECT under the same number, so that the numbers have no gap.  It is submitted at once
 * and again to each new leader, in the order of the numbers, until this server has applied it.
 *
 * What is under way stands in one queue, through the leader and its disk, so that everybody waits
 * for all of it.  So there is a bound for it, of which each session that writes has an equal share;
 * whoever floods waits here, in his own queue.
 *
 * A read must see the writes before it and none behind it.  Reads are answered right after the
 * write before them was applied, so a write may go ahead while a read waits for an earlier write;
 * it waits only behind what takes longer: a sync, a linearizable read, the opening of a stream, and
 * reads that are held.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"

/* ---- Encoding ---------------------------------------------------------------------------- */

static int take_path (const struct clients *self, struct op *op, const ProtobufCBinaryData *path,
                      bool sequential)
{
    if (path->len > ENTRY_PATH_MAX) {
        return COHORT_ETOOBIG;
    }
    op->path = (const char *) path->data;
    op->path_size = (uint32_t) path->len;
    return tree_path_check (self->tree, op->path, op->path_size, sequential);
}

static int take_data (struct clients *self, struct op *op, const ProtobufCBinaryData *data)
{
    uint64_t max = tree_limits (self->tree)->data_size_max;
    if (data->len > max) {
        (void) snprintf (self->detail, sizeof self->detail,
                         "data has %zu bytes, the limit is %" PRIu64
                         " (dataSizeMax of the ensemble)",
                         data->len, max);
        return COHORT_ETOOBIG;
    }
    op->data = data->data;
    op->data_size = (uint32_t) data->len;
    return 0;
}

static int take_create (struct clients *self, struct op *op, const Cohort__Wire__Create *create)
{
    if (create->mode > (COHORT_EPHEMERAL | COHORT_SEQUENTIAL | COHORT_CONTAINER)) {
        return COHORT_EINVAL;
    }
    op->kind = OP_CREATE;
    op->mode = (uint8_t) create->mode;
    op->if_absent = create->if_absent;
    op->ttl_ms = create->ttl_ms;
    int rc = take_path (self, op, &create->path, (create->mode & COHORT_SEQUENTIAL) != 0);
    rc = rc != 0 ? rc : take_data (self, op, &create->data);
    return rc != 0 ? rc : client_take_acl (self, op, create->acl, create->n_acl);
}

static int take_delete (const struct clients *self, struct op *op,
                        const Cohort__Wire__Delete *delete)
{
    op->kind = delete->if_present ? OP_DELETE_IF_PRESENT : OP_DELETE;
    op->version = delete->version;
    return take_path (self, op, &delete->path, false);
}

static int take_set (struct clients *self, struct op *op, const Cohort__Wire__Set *set)
{
    op->kind = OP_SET;
    op->version = set->version;
    int rc = take_path (self, op, &set->path, false);
    return rc != 0 ? rc : take_data (self, op, &set->data);
}

static int take_delete_tree (const struct clients *self, struct op *op,
                             const Cohort__Wire__DeleteTree *delete)
{
    op->kind = OP_DELETE_TREE;
    op->version = delete->version;
    op->limit = delete->limit;
    return take_path (self, op, &delete->path, false);
}

static int take_add (const struct clients *self, struct op *op, const Cohort__Wire__Add *add)
{
    op->kind = OP_ADD;
    op->delta = add->delta;
    op->floor = add->floor;
    op->ceiling = add->ceiling;
    return take_path (self, op, &add->path, false);
}

static int take_check (const struct clients *self, struct op *op, const Cohort__Wire__Check *check)
{
    switch (check->condition_case) {
    case COHORT__WIRE__CHECK__CONDITION_VERSION:
        op->kind = OP_CHECK_VERSION;
        op->version = check->version;
        break;
    case COHORT__WIRE__CHECK__CONDITION_CZXID:
        op->kind = OP_CHECK_CZXID;
        op->czxid = check->czxid;
        break;
    case COHORT__WIRE__CHECK__CONDITION_OWNER:
        op->kind = OP_CHECK_OWNER;
        op->session = check->owner->session;
        op->ozxid = check->owner->ozxid;
        break;
    case COHORT__WIRE__CHECK__CONDITION_ABSENT:
        op->kind = OP_CHECK_ABSENT;
        break;
    default:
        return COHORT_EUNSUPPORTED;
    }
    return take_path (self, op, &check->path, false);
}

static int take_set_acl (struct clients *self, struct op *op, const Cohort__Wire__SetAcl *set)
{
    int rc = take_path (self, op, &set->path, false);
    return rc != 0 ? rc : client_take_set_acl (self, op, set);
}

/* A token of another size is no token of anybody. */
static int take_hand_over (struct op *op, const Cohort__Wire__HandOver *hand_over)
{
    *op = (struct op){
        .kind = OP_HAND_OVER, .session = hand_over->session, .token = hand_over->token.data};
    return hand_over->token.len == ENTRY_TOKEN_SIZE ? 0 : COHORT_EINVAL;
}

static int take_part (struct clients *self, struct op *op, const Cohort__Wire__Op *part)
{
    switch (part->op_case) {
    case COHORT__WIRE__OP__OP_CREATE:
        return take_create (self, op, part->create);
    case COHORT__WIRE__OP__OP_DELETE:
        return take_delete (self, op, part->delete_);
    case COHORT__WIRE__OP__OP_SET:
        return take_set (self, op, part->set);
    case COHORT__WIRE__OP__OP_CHECK:
        return take_check (self, op, part->check);
    case COHORT__WIRE__OP__OP_DELETE_TREE:
        return take_delete_tree (self, op, part->delete_tree);
    case COHORT__WIRE__OP__OP_ADD:
        return take_add (self, op, part->add);
    case COHORT__WIRE__OP__OP_SET_ACL:
        return take_set_acl (self, op, part->set_acl);
    default:
        return COHORT_EUNSUPPORTED;
    }
}

/* Which operation of a multi the detail, if there is one, is of. */
static void explain_part (struct clients *self, size_t i, size_t count)
{
    char detail[CLIENTS_DETAIL_SIZE];
    if (self->detail[0] != '\0') {
        memcpy (detail, self->detail, sizeof detail);
        (void) snprintf (self->detail, sizeof self->detail, "operation %zu of %zu: %.240s", i + 1,
                         count, detail);
    }
}

static int encode_multi (struct clients *self, const Cohort__Wire__Multi *multi)
{
    for (size_t i = 0; i < multi->n_ops; i++) {
        struct op op = {0};
        int rc = take_part (self, &op, multi->ops[i]);
        if (rc != 0) {
            explain_part (self, i, multi->n_ops);
            return rc;
        }
        op_encode (&self->scratch, &op);
    }
    return 0;
}

static int encode_op (struct clients *self, const Cohort__Wire__Request *request)
{
    struct op op = {0};
    int rc = 0;
    switch (request->op_case) {
    case COHORT__WIRE__REQUEST__OP_CREATE:
        rc = take_create (self, &op, request->create);
        break;
    case COHORT__WIRE__REQUEST__OP_DELETE:
        rc = take_delete (self, &op, request->delete_);
        break;
    case COHORT__WIRE__REQUEST__OP_SET:
        rc = take_set (self, &op, request->set);
        break;
    case COHORT__WIRE__REQUEST__OP_DELETE_TREE:
        rc = take_delete_tree (self, &op, request->delete_tree);
        break;
    case COHORT__WIRE__REQUEST__OP_ADD:
        rc = take_add (self, &op, request->add);
        break;
    case COHORT__WIRE__REQUEST__OP_SET_ACL:
        rc = take_set_acl (self, &op, request->set_acl);
        break;
    case COHORT__WIRE__REQUEST__OP_ADD_AUTH:
        rc = client_take_add_auth (self, &op, request->add_auth);
        break;
    case COHORT__WIRE__REQUEST__OP_SET_ADMINS:
        rc = client_take_set_admins (self, &op, request->set_admins);
        break;
    case COHORT__WIRE__REQUEST__OP_MULTI:
        return encode_multi (self, request->multi);
    case COHORT__WIRE__REQUEST__OP_CLOSE:
        op.kind = OP_CLOSE_SESSION;
        break;
    case COHORT__WIRE__REQUEST__OP_KILL_SESSION:
        op = (struct op){.kind = OP_KILL_SESSION, .session = request->kill_session->session};
        break;
    case COHORT__WIRE__REQUEST__OP_HAND_OVER:
        rc = take_hand_over (&op, request->hand_over);
        break;
    default:
        return COHORT_EUNSUPPORTED;
    }
    if (rc == 0) {
        op_encode (&self->scratch, &op);
    }
    return rc;
}

/* Begins the entry of the write in the scratch buffer; its operations follow. */
static void encode_head (struct clients *self, const struct client *client,
                         const Cohort__Wire__Request *request, bool multi, size_t count)
{
    struct entry entry = {.kind = ENTRY_WRITE, .level = ENTRY_LEVEL};
    entry.u.write = (struct entry_write){
        .session = client->session,
        .incarnation = client->incarnation,
        .number = request->number,
        .ack_to = request->ack_to,
        .multi = multi,
        .count = (uint32_t) count,
    };
    buf_clear (&self->scratch);
    entry_encode (&self->scratch, &entry);
}

static void encode_reject (struct clients *self, const struct client *client,
                           const Cohort__Wire__Request *request, int code)
{
    struct op op = {.kind = OP_REJECT, .code = code};
    encode_head (self, client, request, false, 1);
    op_encode (&self->scratch, &op);
}

/* Why the session may not have another write of this size in flight, or 0. */
static int check_credit (const struct clients *self, const struct client *client, size_t size)
{
    if (client->writes >= tree_limits (self->tree)->window) {
        return COHORT_ELIMIT;
    }
    if (COHORT_MUTATED (credit_ignored)) {
        return 0;
    }
    /* One larger than the whole credit goes alone, or it could never go. */
    return client->writes > 0 && client->write_bytes + size > client->credit ? COHORT_ELIMIT : 0;
}

/* The entry is in the scratch buffer afterwards: what was asked for, or its refusal. */
static void encode (struct clients *self, const struct client *client,
                    const Cohort__Wire__Request *from, struct request *request)
{
    bool multi = from->op_case == COHORT__WIRE__REQUEST__OP_MULTI;
    size_t count = multi ? from->multi->n_ops : 1;
    int rc = count <= ENTRY_OPS_MAX ? 0 : COHORT_ETOOBIG;
    self->detail[0] = '\0';
    if (rc == 0) {
        encode_head (self, client, from, multi, count);
        rc = encode_op (self, from);
    }
    if (rc == 0 && self->scratch.size > CLIENT_WRITE_BYTES_MAX) {
        (void) snprintf (self->detail, sizeof self->detail,
                         "the write has %zu bytes as a whole, the limit is %d", self->scratch.size,
                         CLIENT_WRITE_BYTES_MAX);
        rc = COHORT_ETOOBIG;
    }
    if (rc == 0) {
        rc = check_credit (self, client, self->scratch.size);
    }
    if (rc != 0) {
        encode_reject (self, client, from, rc);
    }
    request->refused = rc != 0;
    request->multi = multi && rc == 0;
}

/* ---- Submitting -------------------------------------------------------------------------- */

bool request_is_read (const struct request *request)
{
    switch ((enum request_kind) request->kind) {
    case REQUEST_EXISTS:
    case REQUEST_GET:
    case REQUEST_CHILDREN:
    case REQUEST_COUNT:
    case REQUEST_EPHEMERALS:
    case REQUEST_MULTI_READ:
    case REQUEST_GET_ACL:
    case REQUEST_GET_ADMINS:
    case REQUEST_SESSIONS:
    case REQUEST_WHOAMI:
        return true;
    default:
        return false;
    }
}

uint32_t request_weight (const struct request *request)
{
    switch ((enum request_kind) request->kind) {
    case REQUEST_CHILDREN:
    case REQUEST_EPHEMERALS:
    case REQUEST_MULTI_READ:
    case REQUEST_SESSIONS:
        return CLIENT_LIST_WEIGHT;
    default:
        return request_is_read (request);
    }
}

/* Its answer may take longer than the writes before it. */
static bool is_barrier (const struct request *request)
{
    return request->kind == REQUEST_SYNC || request->kind == REQUEST_STREAM_OPEN ||
           request->linearizable;
}

/* Whether reads are not answered as soon as the write before them is applied: then what is behind
 * them must not be applied either. */
static bool reads_wait (const struct clients *self, const struct client *client)
{
    return self->reads_held || client->pulling > 0;
}

/* So many of its writes the client may have under way: its share, if the others leave that. */
static uint32_t share_of (const struct clients *self, const struct client *client)
{
    uint32_t all = self->options.writes_under_way, others = self->under_way;
    uint32_t least = all < CLIENT_SHARE_MIN ? all : CLIENT_SHARE_MIN;
    uint32_t share = all / (self->writers > 0 ? self->writers : 1);
    COHORT_ASSERT (others >= client->submitted_writes);
    others -= client->submitted_writes;
    uint32_t left = all > others ? all - others : 0;
    share = share < left ? share : left;
    return share > least ? share : least;
}

void client_under_way (struct clients *self, struct client *client, uint32_t writes)
{
    self->under_way = self->under_way - client->submitted_writes + writes;
    client->submitted_writes = writes;
}

/* Submits from the front on, if a write stands there, up to what a write must not overtake: what is
 * before the first one has to be answered before that is applied.  again: everything, else what
 * was never submitted to this leader. */
static void submit_from_front (struct clients *self, struct client *client, bool again)
{
    const struct clients_host *host = &self->options.host;
    const struct pending_block *block = NULL;
    const struct request *request = pending_front (&client->queue);
    uint32_t share = share_of (self, client), before = client->submitted_writes;
    uint32_t writes = 0, reads = 0;
    bool open = true;
    if (!again && before > 0 && request != NULL && request->kind != REQUEST_WRITE) {
        return; /* the front is answered first, and what is under way behind it stays */
    }
    while (request != NULL && writes < client->writes && open) {
        if (request->kind == REQUEST_WRITE) {
            open = writes < share || (writes < before && !again);
            if (open && (again || writes >= before)) {
                host->submit (host->arg, request_payload (request),
                              request->size - request->detail);
            }
            writes += open;
        } else if (writes == 0 || is_barrier (request) ||
                   (request_is_read (request) && reads_wait (self, client))) {
            open = false;
        } else if (request_is_read (request)) {
            reads += request_weight (request);
            open = open && reads <= CLIENT_READS_AHEAD;
        }
        request = pending_next (&client->queue, request, &block);
    }
    client_under_way (self, client, writes);
}

void client_resubmit (struct clients *self, struct client *client)
{
    submit_from_front (self, client, !COHORT_MUTATED (not_resubmitted));
}

/* With its share under way it goes on when a quarter of that is free again: to look at the queue
 * costs as much as there is under way. */
void client_submit_more (struct clients *self, struct client *client)
{
    uint32_t share = share_of (self, client);
    if (self->leader && client->submitted_writes < client->writes &&
        client->submitted_writes < share - share / 4) {
        submit_from_front (self, client, false);
    }
}

/* ---- Requests come in -------------------------------------------------------------------- */

uint64_t client_queues_max (const struct clients *self)
{
    return 2 * self->options.pending_bytes_max;
}

static uint64_t queue_max (const struct clients *self, const struct client *client)
{
    uint64_t own = self->options.queue_bytes_max + client->credit, all = client_queues_max (self);
    return own < all ? own : all;
}

/* Of all for whom something waits: the one for whom most does. */
static struct client *find_greediest (const struct clients *self)
{
    struct client *greediest = NULL;
    for (struct list_node *at = list_first (&self->busy); at != NULL;
         at = list_next (&self->busy, at)) {
        struct client *client = list_entry (at, struct client, busy_node);
        if (greediest == NULL || client->queue.bytes > greediest->queue.bytes) {
            greediest = client;
        }
    }
    return greediest;
}

static void cut_off (struct clients *self, struct client *client)
{
    client_doom (self, client, COHORT_ELIMIT, "too many requests wait");
    client_answer_none (self, client);
}

/* Room for so many bytes more of the client: where there is none among its own, it goes; where
 * there is none among those of all, whoever has most of them, for the others are not to pay for
 * that. */
static void make_room (struct clients *self, struct client *client, size_t size)
{
    if (client->queue.bytes + size > queue_max (self, client)) {
        cut_off (self, client);
    }
    while (client->doom_text == NULL && self->queue_bytes + size > client_queues_max (self)) {
        cut_off (self, find_greediest (self));
    }
}

bool client_queue (struct clients *self, struct client *client, const struct request *request,
                   const void *payload)
{
    if (!COHORT_MUTATED (requests_unbounded)) {
        make_room (self, client, pending_size (request->size));
    }
    if (client->doom_text != NULL) {
        return false;
    }
    if (!pending_push (self, &client->queue, request, payload)) {
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return false;
    }
    if (!list_linked (&client->busy_node)) {
        list_push_back (&self->busy, &client->busy_node);
    }
    client->barriers += is_barrier (request);
    client->reads += request_weight (request);
    if (request->kind == REQUEST_WRITE) {
        self->writers += client->writes == 0;
        client->writes++;
        client->accepted += !request->refused;
        client->write_bytes += request->refused ? 0 : request->size;
    }
    return true;
}

static void receive_write (struct clients *self, struct client *client,
                           const Cohort__Wire__Request *from)
{
    struct request request = {.xid = from->xid, .number = from->number};
    if (from->number != client->next_number) {
        request.kind = from->number < client->next_number ? REQUEST_STORED : REQUEST_GAP;
        request.id = client->next_number;
        request.multi = from->op_case == COHORT__WIRE__REQUEST__OP_MULTI;
        (void) client_queue (self, client, &request, NULL);
        return;
    }
    if (client->writes >= 2 * (uint64_t) tree_limits (self->tree)->window) {
        client_doom (self, client, COHORT_ELIMIT, "the window does not count for this client");
        return;
    }
    request.kind = REQUEST_WRITE;
    encode (self, client, from, &request);
    size_t entry_size = self->scratch.size;
    request.detail = (uint32_t) strlen (self->detail);
    buf_append (&self->scratch, self->detail, request.detail);
    if (self->scratch.failed) {
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return;
    }
    request.size = (uint32_t) self->scratch.size;
    if (!client_queue (self, client, &request, self->scratch.data)) {
        return;
    }
    client->next_number++;
    if (!self->leader || client->submitted_writes + 1 < client->writes ||
        client->submitted_writes >= share_of (self, client)) {
        return;
    }
    /* What could be answered at once must not see this write. */
    if (client->writes == 1 && client->queue.count > 1) {
        client_answer (self, client);
        return;
    }
    const struct clients_host *host = &self->options.host;
    bool reads_pass = client->reads == 0 || !reads_wait (self, client);
    if (!self->reads_held && reads_pass &&
        (client->barriers == 0 || COHORT_MUTATED (write_overtakes_read)) &&
        client->reads <= CLIENT_READS_AHEAD) {
        client_under_way (self, client, client->submitted_writes + 1);
        host->submit (host->arg, self->scratch.data, entry_size);
    } else {
        client_submit_more (self, client);
    }
}

void client_queue_failed (struct clients *self, struct client *client, uint64_t xid, int code,
                          const char *text)
{
    struct request request = {
        .xid = xid, .kind = REQUEST_FAILED, .code = code, .size = (uint32_t) strlen (text)};
    COHORT_ASSERT (code < 0);
    (void) client_queue (self, client, &request, text);
}

static bool is_write (const Cohort__Wire__Request *request)
{
    switch (request->op_case) {
    case COHORT__WIRE__REQUEST__OP_CREATE:
    case COHORT__WIRE__REQUEST__OP_DELETE:
    case COHORT__WIRE__REQUEST__OP_SET:
    case COHORT__WIRE__REQUEST__OP_DELETE_TREE:
    case COHORT__WIRE__REQUEST__OP_ADD:
    case COHORT__WIRE__REQUEST__OP_MULTI:
    case COHORT__WIRE__REQUEST__OP_CLOSE:
    case COHORT__WIRE__REQUEST__OP_KILL_SESSION:
    case COHORT__WIRE__REQUEST__OP_HAND_OVER:
    case COHORT__WIRE__REQUEST__OP_SET_ACL:
    case COHORT__WIRE__REQUEST__OP_ADD_AUTH:
    case COHORT__WIRE__REQUEST__OP_SET_ADMINS:
        return true;
    case COHORT__WIRE__REQUEST__OP__NOT_SET:
        /* So is an operation of a later version. */
        return request->number != 0;
    default:
        return false;
    }
}

void client_receive (struct clients *self, struct client *client,
                     const Cohort__Wire__ClientFrame *frame)
{
    for (size_t i = 0; i < frame->n_requests && client->doom_text == NULL; i++) {
        const Cohort__Wire__Request *request = frame->requests[i];
        bool write = is_write (request);
        if (request->xid == 0 || write != (request->number != 0)) {
            client_doom (self, client, COHORT_EPROTOCOL, "a request with the wrong numbers");
        } else if (write) {
            receive_write (self, client, request);
        } else {
            client_read_receive (self, client, request);
        }
    }
    client_dirty (self, client);
}
