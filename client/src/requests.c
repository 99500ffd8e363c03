/* The queue of unanswered requests. May include: watches, streams, path, wire, base, libc. */

#include "client/src/requests.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/path.h"
#include "client/src/streams.h"
#include "client/src/watches.h"

static struct request *request_at (struct list_node *node)
{
    return list_entry (node, struct request, event.node);
}

/* ---- One request ----------------------------------------------------------------------------- */

/* With room for so many bytes behind it. */
static struct request *empty_request (size_t room)
{
    struct request *request = mem_alloc (sizeof (*request) + room);
    if (request != NULL) {
        *request = (struct request){.event.kind = EVENT_RESULT};
    }
    return request;
}

struct request *request_new (enum wire_kind kind, const char *chroot, const char *path,
                             const void *data, size_t size)
{
    return request_new_acl (kind, chroot, path, data, size, NULL);
}

struct request *request_new_acl (enum wire_kind kind, const char *chroot, const char *path,
                                 const void *data, size_t size, const char *acl)
{
    COHORT_ASSERT (chroot != NULL);
    COHORT_ASSERT (data != NULL || size == 0);
    size_t path_size = path != NULL ? path_joined_size (chroot, path) + 1 : 0;
    size_t acl_size = acl != NULL ? strlen (acl) + 1 : 0;
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    struct request *request = empty_request (path_size + acl_size + size);
    if (request == NULL) {
        return NULL;
    }
    request->wire.op.kind = kind;
    char *tail = (char *) (request + 1);
    if (path != NULL) {
        path_join (tail, path_size - 1, chroot, path);
        request->wire.op.path = tail;
        tail += path_size;
    }
    if (acl != NULL) {
        request->wire.op.acl = memcpy (tail, acl, acl_size);
        tail += acl_size;
    }
    if (size > 0) {
        request->wire.op.data = memcpy (tail, data, size);
        request->wire.op.size = size;
    }
    request->size = wire_plain_size (path_size > 0 ? path_size - 1 : 0, size, acl_size);
    return request;
}

struct request *request_new_proof (struct proof *proof)
{
    struct request *request = request_new (WIRE_ADD_AUTH, "", NULL, NULL, 0);
    if (request != NULL) {
        proof_retain (proof);
        request->proof = proof;
        request->wire.op.scheme = proof->scheme;
        request->wire.op.user = proof->user;
        request->wire.op.data = proof->credential;
        request->wire.op.size = proof->size;
        request->size = wire_request_size (&request->wire) + strlen (proof->user);
    }
    return request;
}

struct request *request_new_list (enum wire_kind kind, const char *chroot, const char *path,
                                  const struct wire_list *list)
{
    size_t after_size = strlen (list->after) + 1;
    size_t prefix_size = strlen (list->prefix) + 1;
    size_t path_size = path != NULL ? path_joined_size (chroot, path) + 1 : 0;
    struct request *request = empty_request (sizeof (*list) + path_size + after_size + prefix_size);
    if (request == NULL) {
        return NULL;
    }
    struct wire_list *copy = (struct wire_list *) (void *) (request + 1);
    char *tail = (char *) (copy + 1);
    *copy = *list;
    copy->after = memcpy (tail, list->after, after_size);
    copy->prefix = memcpy (tail + after_size, list->prefix, prefix_size);
    tail += after_size + prefix_size;
    if (path != NULL) {
        path_join (tail, path_size - 1, chroot, path);
        request->wire.op.path = tail;
    }
    request->wire.op.kind = kind;
    request->wire.op.list = copy;
    request->size = wire_request_size (&request->wire) + after_size + prefix_size;
    return request;
}

/* Copies the operation's path, data and list to `tail` and returns what is behind them. */
static char *copy_op (struct wire_op *to, const struct wire_op *from, const char *chroot,
                      char *tail)
{
    *to = *from;
    size_t path_size = path_joined_size (chroot, from->path);
    path_join (tail, path_size, chroot, from->path);
    to->path = tail;
    tail += path_size + 1;
    if (from->size > 0) {
        memcpy (tail, from->data, from->size);
        to->data = tail;
        tail += from->size;
    }
    if (from->acl != NULL) {
        size_t acl_size = strlen (from->acl) + 1;
        to->acl = memcpy (tail, from->acl, acl_size);
        tail += acl_size;
    }
    return tail;
}

struct request *request_new_multi (enum wire_kind kind, const char *chroot,
                                   const struct wire_op *ops, size_t count)
{
    size_t total = count * sizeof (*ops);
    for (size_t i = 0; i < count; i++) {
        total += path_joined_size (chroot, ops[i].path) + 1 + ops[i].size;
        total += ops[i].acl != NULL ? strlen (ops[i].acl) + 1 : 0;
    }
    struct request *request = empty_request (total);
    if (request == NULL) {
        return NULL;
    }
    struct wire_op *copies = (struct wire_op *) (void *) (request + 1);
    char *tail = (char *) (copies + count);
    for (size_t i = 0; i < count; i++) {
        tail = copy_op (&copies[i], &ops[i], chroot, tail);
    }
    COHORT_ASSERT (tail == (char *) (request + 1) + total);
    request->wire.op.kind = kind;
    request->wire.ops = copies;
    request->wire.ops_count = count;
    request->size = wire_request_size (&request->wire);
    return request;
}

_Static_assert(sizeof (struct request) % _Alignof(struct wire_op) == 0,
               "the operations of a multi follow the request");
_Static_assert(sizeof (struct request) % _Alignof(struct wire_list) == 0,
               "what is listed follows the request");

void request_free (struct request *request)
{
    if (request == NULL) {
        return;
    }
    COHORT_ASSERT (request->waiter == NULL);
    wire_frame_release (request->event.frame);
    watch_free (request->watch);
    proof_release (request->proof);
    if (request->stream != NULL) {
        stream_release (request->stream);
    }
    mem_free (request);
}

/* ---- The queue ------------------------------------------------------------------------------- */

void requests_init (struct requests *requests)
{
    *requests =
        (struct requests){.window = REQUESTS_WINDOW_DEFAULT, .credit = REQUESTS_CREDIT_DEFAULT};
    list_init (&requests->queue);
}

void requests_deinit (struct requests *requests)
{
    struct request *request;
    while ((request = requests_pop (requests)) != NULL) {
        request_free (request);
    }
}

int requests_add (struct requests *requests, struct request *request)
{
    COHORT_ASSERT (request->wire.xid == 0);
    COHORT_ASSERT (!list_linked (&request->event.node));
    enum wire_kind kind = request->wire.op.kind;
    bool ends = kind == WIRE_CLOSE || kind == WIRE_STREAM_CLOSE;
    if (!ends && (requests->count >= REQUESTS_COUNT_MAX ||
                  requests->bytes + request->size > REQUESTS_BYTES_MAX)) {
        return COHORT_ELIMIT;
    }
    request->wire.xid = ++requests->last_xid;
    request->wire.number = wire_is_write (kind) ? ++requests->last_number : 0;
    list_push_back (&requests->queue, &request->event.node);
    requests->count++;
    requests->bytes += request->size;
    if (requests->unsent == NULL) {
        requests->unsent = &request->event.node;
    }
    return COHORT_OK;
}

void requests_rewind (struct requests *requests, uint32_t window, uint64_t credit)
{
    requests->unsent = list_first (&requests->queue);
    requests->flight = requests->flight_writes = 0;
    requests->flight_bytes = 0;
    requests->window = window > 0 ? window : REQUESTS_WINDOW_DEFAULT;
    requests->credit = credit > 0 ? credit : REQUESTS_CREDIT_DEFAULT;
    requests->gap_xid = 0;
    requests->gaps = 0;
}

/* Whether window and credit have room for the request. A write larger than the whole credit goes
 * alone, or it could never go. */
static bool fits (const struct requests *requests, const struct request *request)
{
    if (requests->flight >= REQUESTS_FLIGHT_MAX) {
        return false;
    }
    if (request->wire.number == 0 || requests->flight_writes == 0) {
        return true;
    }
    return requests->flight_writes < requests->window &&
           requests->flight_bytes + request->size <= requests->credit;
}

static void flight_add (struct requests *requests, const struct request *request)
{
    requests->flight++;
    if (request->wire.number > 0) {
        requests->flight_writes++;
        requests->flight_bytes += request->size;
    }
}

static void flight_remove (struct requests *requests, const struct request *request)
{
    COHORT_ASSERT (requests->flight > 0);
    requests->flight--;
    if (request->wire.number > 0) {
        COHORT_ASSERT (requests->flight_writes > 0);
        COHORT_ASSERT (requests->flight_bytes >= request->size);
        requests->flight_writes--;
        requests->flight_bytes -= request->size;
    }
}

bool requests_ready (const struct requests *requests)
{
    return requests->unsent != NULL && fits (requests, request_at (requests->unsent));
}

size_t requests_next (struct requests *requests, const struct wire_request **batch)
{
    size_t count = 0, bytes = 0;
    while (count < REQUESTS_FRAME_COUNT_MAX && requests_ready (requests)) {
        struct request *request = request_at (requests->unsent);
        if (count > 0 && bytes + request->size > REQUESTS_FRAME_BYTES_MAX) {
            break;
        }
        /* Stamped when sent, not when queued: the sooner the server may forget results. */
        request->wire.ack_to =
            request->wire.number > 0 ? requests->acked + COHORT_MUTATED (acked_too_far) : 0;
        /* A stream may have got on since its request was made. */
        if (request->wire.op.kind == WIRE_STREAM_OPEN) {
            request->wire.op.zxid = request->stream->last_zxid;
        }
        batch[count++] = &request->wire;
        bytes += request->size;
        flight_add (requests, request);
        requests->unsent = list_next (&requests->queue, requests->unsent);
    }
    return count;
}

void requests_unsend (struct requests *requests, size_t count)
{
    for (; count > 0; count--) {
        struct list_node *last = requests->unsent != NULL
                                     ? list_prev (&requests->queue, requests->unsent)
                                     : list_last (&requests->queue);
        COHORT_ASSERT (last != NULL);
        flight_remove (requests, request_at (last));
        requests->unsent = last;
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* The write with this number among those sent, at or before the one with `xid`; NULL: none. */
static struct request *find_sent (struct requests *requests, uint64_t number, uint64_t xid)
{
    struct list_node *node = list_first (&requests->queue);
    while (node != NULL && node != requests->unsent) {
        struct request *request = request_at (node);
        if (request->wire.xid > xid) {
            return NULL;
        }
        if (request->wire.number == number) {
            return request;
        }
        node = list_next (&requests->queue, node);
    }
    return NULL;
}

/* The server lacks a write (EGAP), or had no room to remember its result (EWINDOW): nothing from
 * there on was applied, so all of it is sent again. What was in flight meanwhile is answered with
 * gaps of its own; these are stale, until the answer to the write in question comes. */
static enum requests_verdict answer_gap (struct requests *requests, const struct wire_reply *reply)
{
    if (requests->gap_xid > 0 && reply->xid > requests->gap_xid) {
        return REQUESTS_IGNORED;
    }
    uint64_t expected = reply->code == COHORT_EGAP ? reply->more->expected : reply->number;
    struct request *from = expected > 0 ? find_sent (requests, expected, reply->xid) : NULL;
    if (from == NULL) {
        /* Sent again already and not yet gone out: an echo. */
        return requests->gap_xid > 0 ? REQUESTS_IGNORED : REQUESTS_WRONG;
    }
    if (++requests->gaps > REQUESTS_GAPS_MAX) {
        return REQUESTS_WRONG;
    }
    while (requests->unsent != &from->event.node) {
        requests_unsend (requests, 1);
    }
    requests->gap_xid = from->wire.xid;
    return REQUESTS_RESEND;
}

enum requests_verdict requests_answer (struct requests *requests, const struct wire_reply *reply,
                                       struct request **request_p)
{
    struct list_node *first = list_first (&requests->queue);
    if (first == NULL || reply->xid < request_at (first)->wire.xid) {
        return REQUESTS_IGNORED;
    }
    if (reply->code == COHORT_EGAP || reply->code == COHORT_EWINDOW) {
        return answer_gap (requests, reply);
    }
    struct request *request = request_at (first);
    if (reply->xid > request->wire.xid || first == requests->unsent) {
        return requests->gap_xid > 0 ? REQUESTS_IGNORED : REQUESTS_WRONG;
    }
    if (reply->number != 0 && reply->number != request->wire.number) {
        return REQUESTS_WRONG;
    }
    flight_remove (requests, request);
    struct request *popped = requests_pop (requests);
    COHORT_ASSERT (popped == request);
    if (request->wire.number > 0) {
        COHORT_ASSERT (request->wire.number > requests->acked);
        requests->acked = request->wire.number;
    }
    requests->gaps = 0;
    if (request->wire.xid >= requests->gap_xid) {
        requests->gap_xid = 0;
    }
    *request_p = request;
    return REQUESTS_ANSWERED;
}

struct request *requests_pop (struct requests *requests)
{
    struct list_node *first = list_first (&requests->queue);
    if (first == NULL) {
        return NULL;
    }
    if (requests->unsent == first) {
        requests->unsent = list_next (&requests->queue, first);
    }
    list_remove (first);
    struct request *request = request_at (first);
    COHORT_ASSERT (requests->count > 0);
    COHORT_ASSERT (requests->bytes >= request->size);
    requests->count--;
    requests->bytes -= request->size;
    return request;
}

uint64_t requests_next_number (const struct requests *requests)
{
    return requests->acked + 1;
}
