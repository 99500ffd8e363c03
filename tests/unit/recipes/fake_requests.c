/* What is asked of the fake client, and carried out: see fake.h. */

#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/fake_private.h"

/* ---- Requests -------------------------------------------------------------------------------- */

/* The request, or NULL when the test wants this call to fail. */
struct fake_request *fake_enqueue (cohort_t *client, enum fake_request_kind kind,
                                   cohort_result_fn *fn, void *arg, int *rc)
{
    if (client->ending) {
        *rc = COHORT_ECLOSING;
        return NULL;
    }
    fake_alive (client);
    *rc = 0;
    if (client->calls_until_fail > 0) {
        client->calls_until_fail--;
    } else {
        *rc = client->fail_call;
        client->fail_call = 0;
    }
    if (*rc != 0) {
        return NULL;
    }
    struct fake_request *request = fake_must (calloc (1, sizeof (*request)));
    request->kind = kind;
    request->fn = fn;
    request->arg = arg;
    struct fake_request **last = &client->requests;
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
    struct fake_request *request = fake_enqueue (self, REQUEST_ONE, fn, arg, &rc);
    return request == NULL ? rc : cohort_txn_create (&request->txn, path, data, size, mode, acl);
}

int cohort_create_with_async (cohort_t *self, const char *path, const void *data, size_t size,
                              const cohort_create_options_t *options, cohort_result_fn *fn,
                              void *arg)
{
    int rc;
    struct fake_request *request = fake_enqueue (self, REQUEST_ONE, fn, arg, &rc);
    return request == NULL ? rc : cohort_txn_create_with (&request->txn, path, data, size, options);
}

int cohort_delete_async (cohort_t *self, const char *path, int32_t version, cohort_result_fn *fn,
                         void *arg)
{
    int rc;
    struct fake_request *request = fake_enqueue (self, REQUEST_ONE, fn, arg, &rc);
    return request == NULL ? rc : cohort_txn_delete (&request->txn, path, version);
}

int cohort_set_async (cohort_t *self, const char *path, const void *data, size_t size,
                      int32_t version, cohort_result_fn *fn, void *arg)
{
    int rc;
    struct fake_request *request = fake_enqueue (self, REQUEST_ONE, fn, arg, &rc);
    return request == NULL ? rc : cohort_txn_set (&request->txn, path, data, size, version);
}

int cohort_add_async (cohort_t *self, const char *path, int64_t delta, int64_t floor,
                      int64_t ceiling, cohort_result_fn *fn, void *arg)
{
    int rc;
    struct fake_request *request = fake_enqueue (self, REQUEST_ONE, fn, arg, &rc);
    return request == NULL ? rc : cohort_txn_add (&request->txn, path, delta, floor, ceiling);
}

int cohort_multi_async (cohort_t *self, const cohort_txn_t *txn, cohort_result_fn *fn, void *arg)
{
    int rc;
    struct fake_request *request = fake_enqueue (self, REQUEST_MULTI, fn, arg, &rc);
    for (size_t i = 0; request != NULL && i < txn->count; i++) {
        const struct fake_op *op = &txn->ops[i];
        fake_txn_add (&request->txn, *op, op->path, op->data, op->size);
    }
    return rc;
}

void fake_free_request (struct fake_request *request)
{
    fake_txn_clear (&request->txn);
    free (request->path);
    free (request->prefix);
    free (request->after);
    free (request);
}

static void append_answer (cohort_t *client, const struct fake_request *request,
                           struct fake_item *item)
{
    item->kind = ITEM_RESULT;
    item->fn = request->fn;
    item->arg = request->arg;
    fake_append_item (&client->items, item);
}

void fake_answer (cohort_t *client, const struct fake_request *request, int rc)
{
    struct fake_item *item = fake_must (calloc (1, sizeof (*item)));
    item->result.rc = rc;
    append_answer (client, request, item);
}

static void carry_out (cohort_t *client, struct fake_request *request)
{
    if (request->kind == REQUEST_OPEN) {
        if (!request->stream->destroyed) {
            fake_snapshot (request->stream);
        }
        return;
    }
    struct fake_item *item = fake_must (calloc (1, sizeof (*item)));
    cohort_result_t *result = &item->result;
    result->rc = client->fail_request;
    client->fail_request = 0;
    if (result->rc == 0 && request->kind != REQUEST_MULTI && request->kind != REQUEST_ONE) {
        fake_read (request, item);
        fake_set_watch (client, request);
    } else if (result->rc == 0) {
        result->rc = fake_txn_apply (&request->txn, client->session, item->ops);
        if (request->kind == REQUEST_MULTI) {
            result->ops = item->ops;
            result->ops_count = request->txn.count;
        } else if (result->rc == 0) {
            item->stat = item->ops[0].stat;
            result->stat = &item->stat;
            result->path = item->ops[0].path;
            result->value = item->ops[0].value;
            result->existed = item->ops[0].existed;
        }
    }
    result->zxid = fake_tree.zxid;
    append_answer (client, request, item);
}

struct fake_request *fake_pop_request (cohort_t *client)
{
    struct fake_request *request = client->requests;
    client->requests = request->next;
    return request;
}

bool fake_flush_one (cohort_t *client)
{
    fake_alive (client);
    bool able = client->state == COHORT_CONNECTED || client->state == COHORT_LOST;
    if (client->requests == NULL || client->held || client->suspended || !able) {
        return false;
    }
    struct fake_request *request = fake_pop_request (client);
    if (client->state == COHORT_CONNECTED) {
        carry_out (client, request);
    } else if (request->kind != REQUEST_OPEN) {
        fake_answer (client, request, COHORT_ESESSIONEXPIRED);
    } else if (!request->stream->destroyed) {
        fake_end_stream (request->stream, COHORT_ESESSIONEXPIRED);
    }
    fake_free_request (request);
    return true;
}

void fake_flush (cohort_t *client)
{
    while (fake_flush_one (client)) {
    }
}
