/* client_bounds.c: what is kept for clients, and how much that may be: see client_state.h and
 * bounds.h. */

#include "server/node/client_state.h"

/* Writes beyond the credit wait as refusals, which have next to no bytes; and one that is larger
 * than all of it goes alone. */
static uint64_t credit_of (const struct client *client)
{
    return client->accepted > 1 ? client->credit : client->write_bytes;
}

/* One item may be as large as it has to be, where little waits before it. */
static uint64_t output_of (const struct clients *self, const struct client *client)
{
    uint64_t one = self->options.output_low + client->largest_item;
    return one > self->options.output_bytes_max ? one : self->options.output_bytes_max;
}

static uint64_t stuck_for_ms (const struct clients *self, const struct client *client)
{
    bool stuck = list_linked (&client->stuck_node);
    return stuck ? (uint64_t) (self->now_ms - client->stuck_ms) : 0;
}

static void look_at (const struct clients *self, const struct client *client, struct bounds *bounds)
{
    const struct clients_options *options = &self->options;
    const struct entry_limits *limits = tree_limits (self->tree); /* NULL: nobody is attached */
    uint64_t who = client->session, window = limits != NULL ? limits->window : 0;
    bounds_look (bounds, "credit", who, client->credit, CLIENTS_CREDIT_MAX);
    bounds_look (bounds, "writes in flight", who, client->writes, 2 * window);
    bounds_look (bounds, "bytes of writes in flight", who, client->write_bytes, credit_of (client));
    bounds_look (bounds, "bytes of requests", who, client->queue.bytes,
                 options->queue_bytes_max + client->credit);
    bounds_look (bounds, "bytes of answers and events", who,
                 client->out_bytes + client->withheld_bytes, output_of (self, client));
    bounds_look (bounds, "ms of a full pipe", who, stuck_for_ms (self, client),
                 CLIENTS_STALL_MS + CLIENTS_RETRY_MS);
    bounds_look (bounds, "watches, and events of those that have fired early", who,
                 client->watches + client->missed_count, options->watches_max);
    bounds_look (bounds, "streams", who, client->feeds_count, CLIENT_STREAMS_MAX);
}

void clients_bounds (const struct clients *self, struct bounds *bounds)
{
    const struct clients_options *options = &self->options;
    uint64_t clients = 0, requests = 0, bytes = 0;
    for (struct map_node *at = map_first (&self->connections); at != NULL;
         at = map_next (&self->connections, at)) {
        const struct client *client = map_entry (at, struct client, node);
        look_at (self, client, bounds);
        clients++;
        requests += client->queue.count;
        bytes += client->queue.bytes;
    }
    bounds_look (bounds, "bytes of all requests", 0, self->queue_bytes, bytes);
    bounds_look (bounds, "bytes of all requests", 0, bytes, client_queues_max (self));
    bounds_look (bounds, "reads that wait for a quorum", 0, map_count (&self->syncs), requests);
    bounds_look (bounds, "clients that wait to be attached", 0, map_count (&self->hellos),
                 options->hellos_max);
    bounds_look (bounds, "writes under way", 0, self->under_way,
                 options->writes_under_way + clients * CLIENT_SHARE_MIN);
    bounds_look (bounds, "ends of connections", 0, map_count (&self->reports),
                 tree_session_count (self->tree));
    bounds_look (bounds, "unused segments", 0, self->segments_count, SEGMENTS_KEPT);
}
