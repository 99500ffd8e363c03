/* Links of a cluster in one process: see cluster.h. */

#include "tests/scenario/cluster_links.h"

#include <stdlib.h>

#include "client/base/assert.h"

/* ---- Queues ------------------------------------------------------------------------------ */

void queue_push (struct queue *queue, struct item *item)
{
    item->next = NULL;
    if (queue->last == NULL) {
        queue->first = item;
    } else {
        queue->last->next = item;
    }
    queue->last = item;
    queue->count++;
}

static bool is_urgent (const struct item *item)
{
    enum zab_message_type type = item->message.type;
    return item->type == ITEM_MESSAGE && (type == ZAB_VOTE || type == ZAB_PING || type == ZAB_PONG);
}

void queue_overtake (struct queue *queue, struct item *item)
{
    struct item *behind = NULL;
    for (struct item *at = queue->first; at != NULL; at = at->next) {
        if (at->type != ITEM_MESSAGE || is_urgent (at) == is_urgent (item)) {
            behind = at;
        }
    }
    if (behind == NULL || behind->next == NULL) {
        queue_push (queue, item);
        return;
    }
    item->next = behind->next;
    behind->next = item;
    queue->count++;
}

struct item *queue_pop (struct queue *queue)
{
    struct item *item = queue->first;
    if (item != NULL) {
        queue->first = item->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        queue->count--;
    }
    return item;
}

void item_free (struct item *item)
{
    records_free (&item->log);
    free (item);
}

void queue_cut (struct queue *queue, size_t keep)
{
    struct queue kept = {.blocked = queue->blocked};
    struct item *item;
    while ((item = queue_pop (queue)) != NULL) {
        if (kept.count < keep) {
            queue_push (&kept, item);
        } else {
            item_free (item);
        }
    }
    *queue = kept;
}

struct item *item_new (enum item_type type)
{
    struct item *item = calloc (1, sizeof *item);
    COHORT_ASSERT (item != NULL);
    item->type = type;
    return item;
}

/* ---- Links ------------------------------------------------------------------------------- */

bool cluster_connect (struct cluster *self, uint32_t a, uint32_t b)
{
    if (a == b || self->connected[a][b] || self->up[a][b] || self->up[b][a] ||
        self->queues[a][b].count > 0 || self->queues[b][a].count > 0 ||
        self->servers[a].core == NULL || self->servers[b].core == NULL) {
        return false;
    }
    self->connected[a][b] = self->connected[b][a] = true;
    queue_push (&self->queues[a][b], item_new (ITEM_UP));
    queue_push (&self->queues[b][a], item_new (ITEM_UP));
    return true;
}

void cluster_cut (struct cluster *self, uint32_t a, uint32_t b, size_t keep_ab, size_t keep_ba)
{
    if (!self->connected[a][b]) {
        return;
    }
    self->connected[a][b] = self->connected[b][a] = false;
    queue_cut (&self->queues[a][b], keep_ab);
    queue_cut (&self->queues[b][a], keep_ba);
    queue_push (&self->queues[a][b], item_new (ITEM_DOWN));
    queue_push (&self->queues[b][a], item_new (ITEM_DOWN));
}

void cluster_overtake (struct cluster *self, uint32_t from, uint32_t to, size_t n)
{
    struct queue *queue = &self->queues[from][to];
    struct queue before = {.count = 0}, after = {.blocked = queue->blocked};
    while (before.count < n && queue->count > 1) {
        queue_push (&before, queue_pop (queue));
    }
    queue_push (&after, queue_pop (queue));
    struct item *item;
    while ((item = queue_pop (&before)) != NULL) {
        queue_push (&after, item);
    }
    while ((item = queue_pop (queue)) != NULL) {
        queue_push (&after, item);
    }
    *queue = after;
}

void cluster_delay (struct cluster *self, uint32_t from, uint32_t to)
{
    struct queue *queue = &self->queues[from][to];
    queue_push (queue, queue_pop (queue));
}

static void deliver_message (struct cluster *self, uint32_t to, struct item *item)
{
    struct zab_entry *entries = NULL;
    struct zab_message *message = &item->message;
    if (item->log.count > 0) {
        entries = calloc (item->log.count, sizeof *entries);
        COHORT_ASSERT (entries != NULL);
        for (size_t i = 0; i < item->log.count; i++) {
            entries[i] = item->log.items[i].entry;
            entries[i].data = item->log.items[i].data;
        }
    }
    message->entries = entries;
    message->entries_count = item->log.count;
    message->points = item->points;
    self->delivered_messages++;
    cluster_step (self, to, (struct zab_event){.type = ZAB_EVENT_MESSAGE, .message = message});
    free (entries);
}

bool cluster_deliver (struct cluster *self, uint32_t from, uint32_t to)
{
    struct server *server = &self->servers[to];
    if (server->paused) {
        return false;
    }
    struct item *item = queue_pop (&self->queues[from][to]);
    if (item == NULL) {
        return false;
    }
    if (server->core != NULL) {
        switch (item->type) {
        case ITEM_UP:
            self->up[to][from] = true;
            cluster_step (self, to,
                          (struct zab_event){.type = ZAB_EVENT_LINK_UP,
                                             .peer = from,
                                             .store_id = self->servers[from].store_id});
            break;
        case ITEM_DOWN:
            if (self->up[to][from]) {
                self->up[to][from] = false;
                cluster_step (self, to,
                              (struct zab_event){.type = ZAB_EVENT_LINK_DOWN, .peer = from});
            }
            break;
        case ITEM_MESSAGE:
            if (self->up[to][from]) {
                deliver_message (self, to, item);
            }
            break;
        }
    }
    item_free (item);
    return true;
}
