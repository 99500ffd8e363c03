#include "client/cli/put.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What has no answer yet. The data is kept for those that turn out to exist. */
struct put_item {
    struct put *put; /* NULL: that has ended */
    struct put_item *next, *previous;
    uint64_t mark;
    int mode;
    int64_t ttl_ms;
    struct acl_ask acls; /* its pair: the lists; acl NULL: the default of where it comes to */
    size_t size;
    char *path; /* behind the data, and behind it that of acls */
    char data[];
};

void put_init (struct put *self, struct session *session, enum put_existing existing)
{
    memset (self, 0, sizeof *self);
    self->session = session;
    self->existing = existing;
}

/* Its put knows it no more. */
static void item_detach (struct put_item *self)
{
    struct put *put = self->put;
    self->put = NULL;
    if (self->previous != NULL) {
        self->previous->next = self->next;
    } else {
        put->items = self->next;
    }
    if (self->next != NULL) {
        self->next->previous = self->previous;
    }
    assert (put->flying > 0 && put->bytes >= self->size);
    put->flying--;
    put->bytes -= self->size;
}

static void item_destroy (struct put_item *self)
{
    if (self->put != NULL) {
        item_detach (self);
    }
    acl_pair_deinit (&self->acls.pair);
    free (self);
}

static void fail (struct put *self, int rc, uint64_t mark, const char *path)
{
    if (self->rc == COHORT_OK) {
        self->rc = rc;
        self->mark = mark;
        snprintf (self->path, sizeof self->path, "%s", path);
    }
}

static void on_inherited (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct put_item *item = arg;
    if (item->put != NULL && result->rc != COHORT_OK) {
        fail (item->put, result->rc, item->mark, item->path);
    }
    item_destroy (item);
}

/* The znode is as it should be, but for its default: a new one has none yet. */
static void finish (struct put_item *item, cohort_t *client, bool is_new)
{
    const struct acl_pair *acls = &item->acls.pair;
    if (acls->acl == NULL || (is_new && acls->inherited == NULL)) {
        item_destroy (item);
        return;
    }
    int rc = cohort_set_default_acl_async (client, item->path, acls->inherited, COHORT_ANY_VERSION,
                                           on_inherited, item);
    if (rc != COHORT_OK) {
        fail (item->put, rc, item->mark, item->path);
        item_destroy (item);
    }
}

static void on_replaced (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct put_item *item = arg;
    if (item->put == NULL) {
        item_destroy (item);
    } else if (result->rc == COHORT_OK) {
        item->put->replaced++;
        finish (item, client, false);
    } else {
        fail (item->put, result->rc, item->mark, item->path);
        item_destroy (item);
    }
}

/* The data, and with it the list: nobody reads the new data by the old list. */
static int replace (struct put_item *item, cohort_t *client)
{
    const cohort_acl_t *acl = item->acls.pair.acl;
    if (acl == NULL) {
        return cohort_set_async (client, item->path, item->data, item->size, COHORT_ANY_VERSION,
                                 on_replaced, item);
    }
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = txn != NULL
                 ? cohort_txn_set (txn, item->path, item->data, item->size, COHORT_ANY_VERSION)
                 : COHORT_ENOMEM;
    rc = rc == COHORT_OK ? cohort_txn_set_acl (txn, item->path, acl, COHORT_ANY_VERSION) : rc;
    rc = rc == COHORT_OK ? cohort_multi_async (client, txn, on_replaced, item) : rc;
    cohort_txn_destroy (&txn);
    return rc;
}

static void on_created (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct put_item *item = arg;
    struct put *self = item->put;
    int rc = result->rc;
    if (self == NULL) {
        item_destroy (item);
        return;
    }
    if (rc == COHORT_OK && result->existed && self->existing == PUT_REPLACE) {
        rc = replace (item, client);
        if (rc == COHORT_OK) {
            return;
        }
    }
    if (rc == COHORT_OK && !result->existed) {
        self->created++;
        finish (item, client, true);
        return;
    }
    if (rc == COHORT_OK) {
        self->kept++;
    } else {
        fail (self, rc, item->mark, item->path);
    }
    item_destroy (item);
}

static void create (struct put_item *item)
{
    struct put *self = item->put;
    cohort_create_options_t options = {.size = sizeof options,
                                       .mode = item->mode,
                                       .acl = item->acls.pair.acl,
                                       .ttl_ms = item->ttl_ms,
                                       .if_absent = self->existing != PUT_FAIL};
    int rc = cohort_create_with_async (self->session->client, item->path, item->data, item->size,
                                       &options, on_created, item);
    if (rc != COHORT_OK) {
        fail (self, rc, item->mark, item->path);
        item_destroy (item);
    }
}

static void on_acls (struct acl_ask *ask, int rc)
{
    struct put_item *item = ask->arg;
    if (item->put == NULL) {
        item_destroy (item);
        return;
    }
    item->put->reading--;
    if (rc == COHORT_OK) {
        create (item);
    } else {
        fail (item->put, rc, item->mark, item->path);
        item_destroy (item);
    }
}

/* Waits until there is room for `size` more bytes among at most `flying` others. */
static int wait_for_room (struct put *self, size_t flying, size_t size)
{
    while (self->rc == COHORT_OK && self->flying > 0 &&
           (self->flying > flying || self->bytes + size > PUT_BYTES_MAX)) {
        cohort_t *client = self->reading > 0 ? self->acls_client : self->session->client;
        if (cohort_run (client, self->session->settings.timeout_ms) <= 0) {
            fail (self, COHORT_ETIMEDOUT, self->items->mark, self->items->path);
        }
    }
    return self->rc;
}

static struct put_item *item_new (struct put *self, const struct put_order *order)
{
    const char *acls_path = order->acls_path != NULL ? order->acls_path : "";
    size_t path_size = strlen (order->path) + 1, acls_size = strlen (acls_path) + 1;
    struct put_item *item = malloc (sizeof *item + order->size + path_size + acls_size);
    if (item == NULL) {
        return NULL;
    }
    *item = (struct put_item){.put = self,
                              .next = self->items,
                              .mark = order->mark,
                              .mode = order->mode,
                              .ttl_ms = order->ttl_ms,
                              .size = order->size};
    if (order->size > 0) {
        memcpy (item->data, order->data, order->size);
    }
    item->path = item->data + order->size;
    memcpy (item->path, order->path, path_size);
    memcpy (item->path + path_size, acls_path, acls_size);
    item->acls = (struct acl_ask){.path = item->path + path_size, .fn = on_acls, .arg = item};
    if (self->items != NULL) {
        self->items->previous = item;
    }
    self->items = item;
    self->flying++;
    self->bytes += order->size;
    return item;
}

int put_znode (struct put *self, const struct put_order *order)
{
    if (wait_for_room (self, PUT_WINDOW - 1, order->size) != COHORT_OK) {
        return self->rc;
    }
    struct put_item *item = item_new (self, order);
    int rc = item != NULL ? COHORT_OK : COHORT_ENOMEM;
    if (rc == COHORT_OK && order->acls != NULL && !acl_pair_copy (&item->acls.pair, order->acls)) {
        rc = COHORT_ENOMEM;
    }
    if (rc == COHORT_OK && order->acls_path != NULL) {
        rc = acl_ask_begin (&item->acls, self->acls_client);
        self->reading += rc == COHORT_OK;
    } else if (rc == COHORT_OK) {
        create (item);
    }
    if (rc != COHORT_OK) {
        fail (self, rc, order->mark, order->path);
        if (item != NULL) {
            item_destroy (item);
        }
    }
    return self->rc;
}

int put_finish (struct put *self)
{
    return wait_for_room (self, 0, 0);
}

void put_deinit (struct put *self)
{
    /* Answers to them may come as long as the session lives: those free them. */
    while (self->items != NULL) {
        item_detach (self->items);
    }
}
