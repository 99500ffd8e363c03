#include "client/cli/put.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What has no answer yet. The data is kept for those that turn out to exist. */
struct put_item {
    struct put *put;
    struct put_item *next, *previous;
    uint64_t mark;
    size_t size;
    char *path; /* behind the data */
    char data[];
};

void put_init (struct put *self, struct session *session, enum put_existing existing)
{
    memset (self, 0, sizeof *self);
    self->session = session;
    self->existing = existing;
}

static void item_destroy (struct put_item *self)
{
    struct put *put = self->put;
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

static void on_replaced (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct put_item *item = arg;
    if (result->rc == COHORT_OK) {
        item->put->replaced++;
    } else {
        fail (item->put, result->rc, item->mark, item->path);
    }
    item_destroy (item);
}

static void on_created (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct put_item *item = arg;
    struct put *self = item->put;
    int rc = result->rc;
    if (rc == COHORT_OK && result->existed && self->existing == PUT_REPLACE) {
        rc = cohort_set_async (client, item->path, item->data, item->size, COHORT_ANY_VERSION,
                               on_replaced, item);
        if (rc == COHORT_OK) {
            return;
        }
    }
    if (rc != COHORT_OK) {
        fail (self, rc, item->mark, item->path);
    } else if (result->existed) {
        self->kept++;
    } else {
        self->created++;
    }
    item_destroy (item);
}

/* Waits until there is room for `size` more bytes among at most `flying` others. */
static int wait_for_room (struct put *self, size_t flying, size_t size)
{
    while (self->rc == COHORT_OK && self->flying > 0 &&
           (self->flying > flying || self->bytes + size > PUT_BYTES_MAX)) {
        if (cohort_run (self->session->client, self->session->settings.timeout_ms) <= 0) {
            fail (self, COHORT_ETIMEDOUT, self->items->mark, self->items->path);
        }
    }
    return self->rc;
}

int put_znode (struct put *self, const char *path, const void *data, size_t size, int mode,
               int64_t ttl_ms, uint64_t mark)
{
    if (wait_for_room (self, PUT_WINDOW - 1, size) != COHORT_OK) {
        return self->rc;
    }
    size_t path_size = strlen (path) + 1;
    struct put_item *item = malloc (sizeof *item + size + path_size);
    if (item == NULL) {
        fail (self, COHORT_ENOMEM, mark, path);
        return self->rc;
    }
    *item = (struct put_item){.put = self, .next = self->items, .mark = mark, .size = size};
    if (size > 0) {
        memcpy (item->data, data, size);
    }
    item->path = item->data + size;
    memcpy (item->path, path, path_size);
    if (self->items != NULL) {
        self->items->previous = item;
    }
    self->items = item;
    self->flying++;
    self->bytes += size;
    cohort_create_options_t options = {.size = sizeof options,
                                       .mode = mode,
                                       .ttl_ms = ttl_ms,
                                       .if_absent = self->existing != PUT_FAIL};
    int rc = cohort_create_with_async (self->session->client, path, data, size, &options,
                                       on_created, item);
    if (rc != COHORT_OK) {
        fail (self, rc, mark, path);
        item_destroy (item);
    }
    return self->rc;
}

int put_finish (struct put *self)
{
    return wait_for_room (self, 0, 0);
}

void put_deinit (struct put *self)
{
    while (self->items != NULL) {
        item_destroy (self->items);
    }
}
