/* The public client API, faked: see fake.h. Sizes are those of tests; memory running out aborts. */

#include "tests/unit/recipes/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/fake_tree.h"

#define CLIENTS_MAX   8
#define FIRST_SESSION 1000

/* ---- What there is --------------------------------------------------------------------------- */

enum request_kind { REQUEST_MULTI, REQUEST_ONE, REQUEST_EXISTS, REQUEST_OPEN };

struct request {
    struct request *next;
    enum request_kind kind;
    cohort_txn_t txn; /* MULTI; ONE: a single operation */
    char *path;       /* EXISTS */
    cohort_stream_t *stream;
    cohort_result_fn *fn;
    void *arg;
};

enum item_kind { ITEM_RESULT, ITEM_BATCH, ITEM_END };

struct item {
    struct item *next;
    enum item_kind kind;
    cohort_result_fn *fn;
    void *arg;
    cohort_result_t result;
    cohort_stat_t stat;
    cohort_op_result_t ops[FAKE_OPS_MAX];
    cohort_stream_t *stream;
    cohort_batch_t batch;
    cohort_change_t *changes;
};

struct cohort_stream {
    cohort_stream_t *next;
    cohort_t *client;
    char *path;
    bool open; /* its snapshot has been taken */
    bool destroyed;
    int rc; /* why it has ended */
    cohort_batch_fn *fn;
    void *arg;
};

struct cohort {
    bool destroyed, held, suspended, refuse, fail_stream;
    enum fake_order order;
    int fail_request, fail_call;
    unsigned depth; /* of callbacks */
    cohort_state_t state;
    uint64_t session;
    int64_t valid_ms;
    size_t fragment;
    struct request *requests;
    struct item *items, *missed;
    cohort_stream_t *streams;
};

static struct {
    uint64_t next_session;
    cohort_t *clients[CLIENTS_MAX];
    size_t clients_count;
    size_t renewals;
} world;

int64_t fake_now_ms;

int64_t fake_clock (void *arg)
{
    (void) arg;
    return fake_now_ms;
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void append_item (struct item **list, struct item *item)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = item;
}

static bool is_in (const char *path, const char *top)
{
    size_t length = strlen (top);
    return length == 1 ||
           (strncmp (path, top, length) == 0 && (path[length] == 0 || path[length] == '/'));
}

static struct item *batch_item (cohort_stream_t *stream, const cohort_batch_t *batch)
{
    struct item *item = fake_must (calloc (1, sizeof (*item)));
    item->kind = ITEM_BATCH;
    item->stream = stream;
    item->batch = *batch;
    item->changes = fake_must (calloc (batch->count + 1, sizeof (*item->changes)));
    for (size_t i = 0; i < batch->count; i++) {
        item->changes[i] = batch->changes[i];
        item->changes[i].path = fake_copy_text (batch->changes[i].path);
        item->changes[i].data = fake_copy (batch->changes[i].data, batch->changes[i].size);
    }
    item->batch.changes = item->changes;
    return item;
}

/* Queues changes for one stream, in fragments if the client wants them so. */
static void deliver (cohort_stream_t *stream, const cohort_change_t *changes, size_t count,
                     bool snapshot)
{
    cohort_t *client = stream->client;
    size_t step = client->fragment > 0 ? client->fragment : count;
    size_t at = 0;
    do {
        size_t n = count - at < step ? count - at : step;
        cohort_batch_t batch = {.snapshot = snapshot,
                                .first = at == 0,
                                .more = at + n < count,
                                .zxid = fake_tree.zxid,
                                .changes = changes + at,
                                .count = n};
        struct item **list = client->suspended ? &client->missed : &client->items;
        append_item (list, batch_item (stream, &batch));
        at += n;
    } while (at < count);
}

static int by_path (const void *a, const void *b)
{
    return strcmp (((const cohort_change_t *) a)->path, ((const cohort_change_t *) b)->path);
}

static void snapshot (cohort_stream_t *stream)
{
    static cohort_change_t changes[FAKE_NODES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < fake_tree.nodes_count; i++) {
        const struct fake_node *node = &fake_tree.nodes[i];
        if (is_in (node->path, stream->path)) {
            changes[count++] = (cohort_change_t){.kind = COHORT_CHANGE_CREATED,
                                                 .path = node->path,
                                                 .data = node->data,
                                                 .size = node->size,
                                                 .stat = node->stat};
        }
    }
    qsort (changes, count, sizeof (changes[0]), by_path);
    stream->open = true;
    deliver (stream, changes, count, true);
}

void fake_publish (void)
{
    static cohort_change_t chosen[FAKE_CHANGES_MAX];
    for (size_t c = 0; c < world.clients_count; c++) {
        for (cohort_stream_t *s = world.clients[c]->streams; s != NULL; s = s->next) {
            size_t count = 0;
            for (size_t i = 0; i < fake_tree.changes_count; i++) {
                if (is_in (fake_tree.changes[i].path, s->path)) {
                    chosen[count++] = fake_tree.changes[i];
                }
            }
            if (count > 0 && s->open && !s->destroyed) {
                deliver (s, chosen, count, false);
            }
        }
    }
}

/* ---- Requests -------------------------------------------------------------------------------- */

static cohort_t *alive (cohort_t *client)
{
    assert_non_null (client);
    assert_false (client->destroyed);
    return client;
}

/* The request, or NULL when the test wants this call to fail. */
static struct request *enqueue (cohort_t *client, enum request_kind kind, cohort_result_fn *fn,
                                void *arg, int *rc)
{
    alive (client);
    *rc = client->fail_call;
    client->fail_call = 0;
    if (*rc != 0) {
        return NULL;
    }
    struct request *request = fake_must (calloc (1, sizeof (*request)));
    request->kind = kind;
    request->fn = fn;
    request->arg = arg;
    struct request **last = &client->requests;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = request;
    return request;
}

int cohort_create_async (cohort_t *self, const char *path, const void *data, size_t size, int mode,
                         const cohort_acl_t *acl, cohort_result_fn *fn, void *arg)
{
    int rc;
    struct request *request = enqueue (self, REQUEST_ONE, fn, arg, &rc);
    return request == NULL ? rc : cohort_txn_create (&request->txn, path, data, size, mode, acl);
}

int cohort_exists_async (cohort_t *self, const char *path, cohort_watch_fn *watch, void *watch_arg,
                         cohort_result_fn *fn, void *arg)
{
    assert_null (watch);
    assert_null (watch_arg);
    int rc;
    struct request *request = enqueue (self, REQUEST_EXISTS, fn, arg, &rc);
    if (request != NULL) {
        request->path = fake_copy_text (path);
    }
    return rc;
}

int cohort_multi_async (cohort_t *self, const cohort_txn_t *txn, cohort_result_fn *fn, void *arg)
{
    int rc;
    struct request *request = enqueue (self, REQUEST_MULTI, fn, arg, &rc);
    for (size_t i = 0; request != NULL && i < txn->count; i++) {
        const struct fake_op *op = &txn->ops[i];
        fake_txn_add (&request->txn, *op, op->path, op->data, op->size);
    }
    return rc;
}

static void free_request (struct request *request)
{
    fake_txn_clear (&request->txn);
    free (request->path);
    free (request);
}

static void answer (cohort_t *client, struct request *request, struct item *item)
{
    if (item == NULL) {
        item = fake_must (calloc (1, sizeof (*item)));
        item->result.rc = COHORT_ESESSIONEXPIRED;
    }
    item->kind = ITEM_RESULT;
    item->fn = request->fn;
    item->arg = request->arg;
    append_item (&client->items, item);
}

static void carry_out (cohort_t *client, struct request *request)
{
    if (request->kind == REQUEST_OPEN) {
        if (!request->stream->destroyed) {
            snapshot (request->stream);
        }
        return;
    }
    struct item *item = fake_must (calloc (1, sizeof (*item)));
    cohort_result_t *result = &item->result;
    result->rc = client->fail_request;
    client->fail_request = 0;
    if (result->rc == 0 && request->kind == REQUEST_EXISTS) {
        const struct fake_node *node = fake_find (request->path);
        result->rc = node == NULL ? COHORT_ENONODE : 0;
        if (node != NULL) {
            item->stat = node->stat;
            result->stat = &item->stat;
        }
    } else if (result->rc == 0) {
        result->rc = fake_txn_apply (&request->txn, client->session, item->ops);
        if (request->kind == REQUEST_MULTI) {
            result->ops = item->ops;
            result->ops_count = request->txn.count;
        } else if (result->rc == 0) {
            item->stat = item->ops[0].stat;
            result->stat = &item->stat;
        }
    }
    result->zxid = fake_tree.zxid;
    answer (client, request, item);
}

static struct request *pop_request (cohort_t *client)
{
    struct request *request = client->requests;
    client->requests = request->next;
    return request;
}

static void end_stream (cohort_stream_t *stream, int rc)
{
    stream->rc = rc;
    struct item *item = fake_must (calloc (1, sizeof (*item)));
    item->kind = ITEM_END;
    item->stream = stream;
    append_item (&stream->client->items, item);
}

void fake_flush (cohort_t *client)
{
    alive (client);
    while (client->requests != NULL && !client->held && !client->suspended &&
           (client->state == COHORT_CONNECTED || client->state == COHORT_LOST)) {
        struct request *request = pop_request (client);
        if (client->state == COHORT_CONNECTED) {
            carry_out (client, request);
        } else if (request->kind != REQUEST_OPEN) {
            answer (client, request, NULL);
        } else if (!request->stream->destroyed) {
            end_stream (request->stream, COHORT_ESESSIONEXPIRED);
        }
        free_request (request);
    }
}

/* ---- Sessions -------------------------------------------------------------------------------- */

cohort_t *fake_client_connecting (void)
{
    assert_true (world.clients_count < CLIENTS_MAX);
    cohort_t *client = fake_must (calloc (1, sizeof (*client)));
    world.clients[world.clients_count++] = client;
    client->state = COHORT_CONNECTING;
    client->suspended = true;
    return client;
}

cohort_t *fake_client (void)
{
    cohort_t *client = fake_client_connecting ();
    fake_resume (client, false);
    return client;
}

void fake_suspend (cohort_t *client)
{
    client->suspended = true;
    client->state = COHORT_SUSPENDED;
}

static void free_item (struct item *item)
{
    for (size_t i = 0; item->kind == ITEM_BATCH && i < item->batch.count; i++) {
        free ((void *) item->changes[i].path);
        free ((void *) item->changes[i].data);
    }
    free (item->changes);
    free (item);
}

static void free_items (struct item **list)
{
    while (*list != NULL) {
        struct item *item = *list;
        *list = item->next;
        free_item (item);
    }
}

void fake_resume (cohort_t *client, bool resnapshot)
{
    assert_true (client->suspended);
    client->suspended = false;
    client->state = COHORT_CONNECTED;
    client->valid_ms = 5000;
    if (client->session == 0) {
        client->session = FIRST_SESSION + world.next_session++;
    }
    if (!resnapshot) {
        append_item (&client->items, client->missed);
        client->missed = NULL;
        return;
    }
    free_items (&client->missed);
    for (cohort_stream_t *stream = client->streams; stream != NULL; stream = stream->next) {
        if (stream->open && !stream->destroyed) {
            snapshot (stream);
        }
    }
}

void fake_reap (uint64_t session)
{
    for (size_t i = 0; i < fake_tree.nodes_count;) {
        if (fake_tree.nodes[i].stat.ephemeral_owner == session) {
            fake_delete (fake_tree.nodes[i].path);
            i = 0;
        } else {
            i++;
        }
    }
}

void fake_expire (cohort_t *client, bool applied, bool reaped)
{
    alive (client);
    free_items (&client->missed);
    while (client->requests != NULL) {
        struct request *request = pop_request (client);
        cohort_op_result_t results[FAKE_OPS_MAX];
        if (applied && request->txn.count > 0) {
            (void) fake_txn_apply (&request->txn, client->session, results);
        }
        if (request->kind != REQUEST_OPEN) {
            answer (client, request, NULL);
        }
        free_request (request);
    }
    /* Nothing that happens from now on reaches the streams of the session. */
    for (cohort_stream_t *stream = client->streams; stream != NULL; stream = stream->next) {
        stream->open = false;
        if (!stream->destroyed) {
            end_stream (stream, COHORT_ESESSIONEXPIRED);
        }
    }
    client->suspended = false;
    client->state = COHORT_LOST;
    client->valid_ms = 0;
    if (reaped) {
        fake_reap (client->session);
    }
}

void fake_refuse_session (cohort_t *client)
{
    client->refuse = true;
}

int cohort_renew (cohort_t *self)
{
    alive (self);
    if (self->state != COHORT_LOST) {
        return COHORT_ESTATE;
    }
    world.renewals++;
    if (self->refuse) {
        self->refuse = false;
        self->session = 0;
        return 0;
    }
    self->session = FIRST_SESSION + world.next_session++;
    self->state = COHORT_CONNECTED;
    self->valid_ms = 5000;
    return 0;
}

cohort_state_t cohort_state (cohort_t *self)
{
    return alive (self)->state;
}

int64_t cohort_valid_ms (cohort_t *self)
{
    return alive (self)->valid_ms;
}

uint64_t cohort_session_id (cohort_t *self)
{
    return alive (self)->session;
}

static void client_clear (cohort_t *client)
{
    free_items (&client->items);
    free_items (&client->missed);
    while (client->requests != NULL) {
        free_request (pop_request (client));
    }
}

void cohort_destroy (cohort_t **self_p)
{
    cohort_t *client = alive (*self_p);
    *self_p = NULL;
    for (cohort_stream_t *stream = client->streams; stream != NULL; stream = stream->next) {
        assert_true (stream->destroyed);
    }
    client->destroyed = true;
    client_clear (client);
}

/* ---- Streams, the calls ---------------------------------------------------------------------- */

cohort_stream_t *cohort_stream_new (cohort_t *client, const char *path, cohort_batch_fn *fn,
                                    void *arg)
{
    alive (client);
    bool failing = client->fail_stream || path[0] != '/';
    client->fail_stream = false;
    if (failing) {
        return NULL;
    }
    cohort_stream_t *stream = fake_must (calloc (1, sizeof (*stream)));
    stream->client = client;
    stream->path = fake_copy_text (path);
    stream->fn = fn;
    stream->arg = arg;
    stream->next = client->streams;
    client->streams = stream;
    int fail_call = client->fail_call;
    client->fail_call = 0;
    int rc;
    enqueue (client, REQUEST_OPEN, NULL, NULL, &rc)->stream = stream;
    client->fail_call = fail_call;
    return stream;
}

int cohort_stream_error (const cohort_stream_t *self)
{
    assert_false (self->destroyed);
    return self->rc;
}

void cohort_stream_destroy (cohort_stream_t **self_p)
{
    alive ((*self_p)->client);
    assert_false ((*self_p)->destroyed);
    (*self_p)->destroyed = true;
    *self_p = NULL;
}

/* ---- Callbacks ------------------------------------------------------------------------------- */

static struct item *pop_item (cohort_t *client)
{
    struct item **link = &client->items;
    if (client->order != FAKE_AS_IT_HAPPENED) {
        bool answers = client->order == FAKE_ANSWERS_FIRST;
        while (*link != NULL && ((*link)->kind == ITEM_RESULT) != answers) {
            link = &(*link)->next;
        }
        link = *link == NULL ? &client->items : link;
    }
    struct item *item = *link;
    *link = item->next;
    return item;
}

int cohort_dispatch (cohort_t *self, int max_events)
{
    alive (self);
    if (self->depth > 0) {
        return 0;
    }
    int count = 0;
    self->depth++;
    while (!self->destroyed && self->items != NULL && (max_events == 0 || count < max_events)) {
        struct item *item = pop_item (self);
        if (item->kind == ITEM_RESULT) {
            if (item->fn != NULL) {
                item->fn (self, &item->result, item->arg);
            }
        } else if (!item->stream->destroyed) {
            const cohort_batch_t *batch = item->kind == ITEM_BATCH ? &item->batch : NULL;
            item->stream->fn (item->stream, batch, item->stream->arg);
        }
        free_item (item);
        count++;
    }
    self->depth--;
    return count;
}

int cohort_run (cohort_t *self, int timeout_ms)
{
    alive (self);
    if (self->depth > 0) {
        return COHORT_EDEADLK;
    }
    fake_flush (self);
    /* Nothing will ever happen. */
    assert_false (timeout_ms < 0 && self->items == NULL);
    return cohort_dispatch (self, 0);
}

void fake_settle (cohort_t *client)
{
    do {
        fake_flush (client);
    } while (cohort_dispatch (client, 0) > 0 && !client->destroyed);
}

const char *cohort_error_text (int code)
{
    return code == COHORT_ENOMEM ? "out of memory" : "an error";
}

/* ---- Switches -------------------------------------------------------------------------------- */

void fake_hold (cohort_t *client, bool held)
{
    client->held = held;
}

void fake_fail_request (cohort_t *client, int rc)
{
    client->fail_request = rc;
}

void fake_fail_call (cohort_t *client, int rc)
{
    client->fail_call = rc;
}

void fake_fail_stream (cohort_t *client)
{
    client->fail_stream = true;
}

void fake_end_streams (cohort_t *client, int rc)
{
    for (cohort_stream_t *stream = client->streams; stream != NULL; stream = stream->next) {
        stream->open = false;
        if (!stream->destroyed) {
            end_stream (stream, rc);
        }
    }
}

void fake_set_order (cohort_t *client, enum fake_order order)
{
    client->order = order;
}

void fake_fragment (cohort_t *client, size_t changes)
{
    client->fragment = changes;
}

void fake_batch (cohort_t *client, const cohort_batch_t *batch)
{
    for (cohort_stream_t *stream = client->streams; stream != NULL; stream = stream->next) {
        if (!stream->destroyed) {
            append_item (&client->items, batch_item (stream, batch));
        }
    }
}

void fake_set_valid_ms (cohort_t *client, int64_t valid_ms)
{
    client->valid_ms = valid_ms;
}

size_t fake_requests (cohort_t *client)
{
    size_t count = 0;
    for (const struct request *r = client->requests; r != NULL; r = r->next) {
        count += r->kind != REQUEST_OPEN;
    }
    return count;
}

size_t fake_callbacks (cohort_t *client)
{
    size_t count = 0;
    for (const struct item *item = client->items; item != NULL; item = item->next) {
        count++;
    }
    return count;
}

size_t fake_streams (cohort_t *client)
{
    size_t count = 0;
    for (const cohort_stream_t *s = client->streams; s != NULL; s = s->next) {
        count += !s->destroyed;
    }
    return count;
}

size_t fake_writes (void)
{
    return fake_tree.writes;
}

size_t fake_renewals (void)
{
    return world.renewals;
}

void fake_reset (void)
{
    for (size_t i = 0; i < world.clients_count; i++) {
        cohort_t *client = world.clients[i];
        while (client->streams != NULL) {
            cohort_stream_t *stream = client->streams;
            client->streams = stream->next;
            free (stream->path);
            free (stream);
        }
        client_clear (client);
        free (client);
    }
    fake_tree_reset ();
    memset (&world, 0, sizeof (world));
    fake_now_ms = 0;
}
