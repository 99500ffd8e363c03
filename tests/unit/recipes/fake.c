/* The public client API, faked: see fake.h. Its sessions, and how callbacks are run. */

#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/fake_private.h"

#define FIRST_SESSION 1000

struct fake_world fake_world;

int64_t fake_now_ms;

int64_t fake_clock (void *arg)
{
    (void) arg;
    return fake_now_ms;
}

cohort_t *fake_alive (cohort_t *client)
{
    assert_non_null (client);
    assert_false (client->destroyed);
    return client;
}

/* ---- Sessions -------------------------------------------------------------------------------- */

cohort_t *fake_client_connecting (void)
{
    assert_true (fake_world.clients_count < FAKE_CLIENTS_MAX);
    cohort_t *client = fake_must (calloc (1, sizeof (*client)));
    fake_world.clients[fake_world.clients_count++] = client;
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

static void free_item (struct fake_item *item)
{
    assert_null (item->watch);
    for (size_t i = 0; item->kind == ITEM_BATCH && i < item->batch.count; i++) {
        free ((void *) item->changes[i].path);
        free ((void *) item->changes[i].data);
    }
    free (item->changes);
    fake_free_result (item);
    free (item);
}

/* Of what was missed the events of watches arrive in any case. */
static void keep_watches (cohort_t *client)
{
    struct fake_item *missed = client->missed;
    client->missed = NULL;
    while (missed != NULL) {
        struct fake_item *item = missed;
        missed = item->next;
        item->next = NULL;
        if (item->kind == ITEM_WATCH) {
            fake_append_item (&client->items, item);
        } else {
            free_item (item);
        }
    }
}

void fake_resume (cohort_t *client, bool resnapshot)
{
    assert_true (client->suspended);
    client->suspended = false;
    client->state = COHORT_CONNECTED;
    client->valid_ms = 5000;
    if (client->session == 0) {
        client->session = FIRST_SESSION + fake_world.next_session++;
    }
    if (!resnapshot) {
        fake_append_item (&client->items, client->missed);
        client->missed = NULL;
        return;
    }
    keep_watches (client);
    for (cohort_stream_t *stream = client->streams; stream != NULL; stream = stream->next) {
        if (stream->open && !stream->destroyed) {
            fake_snapshot (stream);
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
    fake_alive (client);
    keep_watches (client);
    while (client->requests != NULL) {
        struct fake_request *request = fake_pop_request (client);
        cohort_op_result_t results[FAKE_OPS_MAX];
        if (applied && request->txn.count > 0) {
            (void) fake_txn_apply (&request->txn, client->session, results);
            fake_results_clear (results, request->txn.count);
        }
        if (request->kind != REQUEST_OPEN) {
            fake_answer (client, request, COHORT_ESESSIONEXPIRED);
        }
        fake_free_request (request);
    }
    /* Nothing that happens from now on reaches the streams of the session. */
    for (cohort_stream_t *stream = client->streams; stream != NULL; stream = stream->next) {
        stream->open = false;
        if (!stream->destroyed) {
            fake_end_stream (stream, COHORT_ESESSIONEXPIRED);
        }
    }
    fake_lose_watches (client);
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
    fake_alive (self);
    if (self->state != COHORT_LOST) {
        return COHORT_ESTATE;
    }
    fake_world.renewals++;
    /* What was asked of the old session fails with it. */
    fake_flush (self);
    if (self->refuse) {
        self->refuse = false;
        self->session = 0;
        return 0;
    }
    self->session = FIRST_SESSION + fake_world.next_session++;
    self->state = COHORT_CONNECTED;
    self->valid_ms = 5000;
    return 0;
}

cohort_state_t cohort_state (cohort_t *self)
{
    return fake_alive (self)->state;
}

int64_t cohort_valid_ms (cohort_t *self)
{
    return fake_alive (self)->valid_ms;
}

uint64_t cohort_session_id (cohort_t *self)
{
    return fake_alive (self)->session;
}

/* Each call that was accepted is answered, and each watch that is set is told, exactly once: now,
 * if not before. What is asked for meanwhile is refused. */
static void tell_rest (cohort_t *client)
{
    client->ending = client->destroyed = true;
    client->suspended = false;
    client->depth++;
    while (client->requests != NULL) {
        struct fake_request *request = fake_pop_request (client);
        if (request->kind != REQUEST_OPEN) {
            fake_answer (client, request, COHORT_ECLOSING);
        }
        fake_free_request (request);
    }
    fake_lose_watches (client);
    fake_append_item (&client->items, client->missed);
    client->missed = NULL;
    while (client->items != NULL) {
        struct fake_item *item = client->items;
        client->items = item->next;
        if (item->kind == ITEM_RESULT && item->fn != NULL) {
            item->fn (client, &item->result, item->arg);
        } else if (item->kind == ITEM_WATCH) {
            fake_run_watch (client, item);
        }
        free_item (item);
    }
    client->depth--;
    client->ending = false;
}

void cohort_destroy (cohort_t **self_p)
{
    cohort_t *client = fake_alive (*self_p);
    *self_p = NULL;
    for (cohort_stream_t *stream = client->streams; stream != NULL; stream = stream->next) {
        assert_true (stream->destroyed);
    }
    for (cohort_timer_t *timer = client->timers; timer != NULL; timer = timer->next) {
        assert_true (timer->destroyed);
    }
    tell_rest (client);
}

/* ---- Callbacks ------------------------------------------------------------------------------- */

/* A watch is told before what is read later. */
static bool is_answer (const struct fake_item *item)
{
    return item->kind == ITEM_RESULT || item->kind == ITEM_WATCH;
}

static struct fake_item *pop_item (cohort_t *client)
{
    struct fake_item **link = &client->items;
    if (client->order != FAKE_AS_IT_HAPPENED) {
        bool answers = client->order == FAKE_ANSWERS_FIRST;
        while (*link != NULL && is_answer (*link) != answers) {
            link = &(*link)->next;
        }
        link = *link == NULL ? &client->items : link;
    }
    struct fake_item *item = *link;
    *link = item->next;
    return item;
}

int cohort_dispatch (cohort_t *self, int max_events)
{
    fake_alive (self);
    if (self->depth > 0) {
        return 0;
    }
    int count = 0;
    fake_queue_timers (self);
    self->depth++;
    while (!self->destroyed && self->items != NULL && (max_events == 0 || count < max_events)) {
        struct fake_item *item = pop_item (self);
        if (item->kind == ITEM_RESULT) {
            if (item->fn != NULL) {
                item->fn (self, &item->result, item->arg);
            }
        } else if (item->kind == ITEM_TIMER) {
            fake_run_timer (item->timer);
        } else if (item->kind == ITEM_WATCH) {
            fake_run_watch (self, item);
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
    fake_alive (self);
    if (self->depth > 0) {
        return COHORT_EDEADLK;
    }
    fake_flush (self);
    /* Nothing will ever happen. */
    assert_false (timeout_ms < 0 && self->items == NULL && fake_timer_ms (self) != 0);
    return cohort_dispatch (self, 0);
}

void fake_in_handler (void)
{
    for (size_t i = 0; i < fake_world.clients_count; i++) {
        if (fake_world.clients[i]->depth > 0) {
            return;
        }
    }
    fail_msg ("a handler is called outside cohort_dispatch");
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

void fake_fail_later_call (cohort_t *client, int calls, int rc)
{
    client->calls_until_fail = calls;
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
            fake_end_stream (stream, rc);
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
            fake_append_item (&client->items, fake_batch_item (stream, batch));
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
    for (const struct fake_request *r = client->requests; r != NULL; r = r->next) {
        count += r->kind != REQUEST_OPEN;
    }
    return count;
}

size_t fake_callbacks (cohort_t *client)
{
    size_t count = 0;
    for (const struct fake_item *item = client->items; item != NULL; item = item->next) {
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
    return fake_world.renewals;
}

void fake_reset (void)
{
    for (size_t i = 0; i < fake_world.clients_count; i++) {
        cohort_t *client = fake_world.clients[i];
        tell_rest (client);
        while (client->streams != NULL) {
            cohort_stream_t *stream = client->streams;
            client->streams = stream->next;
            free (stream->path);
            free (stream);
        }
        fake_free_timers (client);
        free (client);
    }
    fake_tree_reset ();
    memset (&fake_world, 0, sizeof (fake_world));
    fake_now_ms = 0;
}
