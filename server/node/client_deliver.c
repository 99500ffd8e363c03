/* client_deliver.c: one FIFO to each client: see client_state.h.
 *
 * Items are appended to segments; each segment becomes one frame.  Whatever carries a zxid z
 * follows all events up to z (docs/architecture.md): events are appended when their transaction is
 * applied, before anything that shows it; and while one of the client's streams has still to catch
 * up, everything that is later than its events is withheld. */

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"

/* ---- Segments ---------------------------------------------------------------------------- */

static struct segment *segment_new (struct clients *self)
{
    struct list_node *node = list_pop_front (&self->segments);
    if (node != NULL) {
        self->segments_count--;
        return list_entry (node, struct segment, node);
    }
    return mem_calloc (1, sizeof (struct segment));
}

static void segment_free (struct clients *self, struct segment *segment)
{
    if (self->segments_count >= SEGMENTS_KEPT) {
        buf_deinit (&segment->buf);
        mem_free (segment);
        return;
    }
    if (segment->buf.capacity > SEGMENT_KEEP) {
        buf_deinit (&segment->buf);
    }
    buf_clear (&segment->buf);
    list_push_front (&self->segments, &segment->node);
    self->segments_count++;
}

void deliver_free (struct clients *self)
{
    struct list_node *node;
    while ((node = list_pop_front (&self->segments)) != NULL) {
        struct segment *segment = list_entry (node, struct segment, node);
        buf_deinit (&segment->buf);
        mem_free (segment);
    }
    self->segments_count = 0;
}

static void discard_list (struct clients *self, struct list *segments)
{
    struct list_node *node;
    while ((node = list_pop_front (segments)) != NULL) {
        segment_free (self, list_entry (node, struct segment, node));
    }
}

void deliver_discard (struct clients *self, struct client *client)
{
    discard_list (self, &client->out);
    discard_list (self, &client->withheld);
    client->out_bytes = client->withheld_bytes = 0;
}

/* ---- Appending --------------------------------------------------------------------------- */

void client_dirty (struct clients *self, struct client *client)
{
    if (!list_linked (&client->dirty_node)) {
        list_push_back (&self->dirty, &client->dirty_node);
    }
}

static struct buf *begin (struct clients *self, struct client *client, bool ahead)
{
    COHORT_ASSERT (self->open == NULL);
    if (client->doom_text != NULL) {
        return NULL;
    }
    struct list *list = ahead ? &client->out : &client->withheld;
    struct list_node *last = list_last (list);
    struct segment *segment = last != NULL ? list_entry (last, struct segment, node) : NULL;
    if (segment == NULL || segment->buf.size >= self->options.frame_bytes) {
        segment = segment_new (self);
        if (segment == NULL) {
            client_doom (self, client, COHORT_ENOMEM, "out of memory");
            return NULL;
        }
        list_push_back (list, &segment->node);
    }
    self->open = segment;
    self->open_size = segment->buf.size;
    self->open_ahead = ahead;
    return &segment->buf;
}

struct buf *deliver_begin (struct clients *self, struct client *client)
{
    return begin (self, client, client->pulling == 0);
}

struct buf *deliver_begin_ahead (struct clients *self, struct client *client)
{
    return begin (self, client, true);
}

void deliver_end (struct clients *self, struct client *client)
{
    struct segment *segment = self->open;
    COHORT_ASSERT (segment != NULL);
    self->open = NULL;
    if (segment->buf.failed) {
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return;
    }
    size_t added = segment->buf.size - self->open_size;
    *(self->open_ahead ? &client->out_bytes : &client->withheld_bytes) += added;
    self->work += 1 + added / WORK_BYTES;
    client_dirty (self, client);
    /* One item may be large; many are too many. */
    size_t before = client->out_bytes + client->withheld_bytes - added;
    if (before <= self->options.output_low && added > client->largest_item) {
        client->largest_item = added;
    }
    if (before + added <= self->options.output_bytes_max || before <= self->options.output_low) {
        return;
    }
    if (!list_linked (&client->stuck_node)) {
        deliver_send (self, client);
    }
    if (client->out_bytes + client->withheld_bytes > self->options.output_bytes_max &&
        !COHORT_MUTATED (slow_endured)) {
        client_doom (self, client, COHORT_ECONNECT, "what was sent is not taken: too slow");
    }
}

void deliver_release (struct clients *self, struct client *client)
{
    COHORT_ASSERT (client->pulling == 0);
    list_splice_back (&client->out, &client->withheld);
    client->out_bytes += client->withheld_bytes;
    client->withheld_bytes = 0;
    client_dirty (self, client);
}

/* ---- Sending ----------------------------------------------------------------------------- */

bool deliver_room (const struct clients *self, const struct client *client)
{
    return client->doom_text == NULL && client->out_bytes < self->options.output_low;
}

static bool send_frame (struct clients *self, struct client *client, const struct buf *frame)
{
    const struct node_transport *transport = &self->options.transport;
    self->work += WORK_FRAME;
    if (transport->client_send (transport->arg, client->connection, frame->data, frame->size)) {
        if (list_linked (&client->stuck_node)) {
            list_remove (&client->stuck_node);
        }
        return true;
    }
    if (!list_linked (&client->stuck_node)) {
        list_push_back (&self->stuck, &client->stuck_node);
        client->stuck_ms = self->now_ms;
    }
    return false;
}

/* What the last frame says beyond its items: that nothing earlier is missing, up to *zxid (0: that
 * is not so), and which heartbeat was confirmed: that shows nothing of the state, and does not wait
 * for streams that catch up. */
static bool put_trailer (const struct clients *self, const struct client *client, struct buf *out,
                         zxid_t *zxid)
{
    bool caught_up = client->pulling == 0 || COHORT_MUTATED (trailer_while_pulling);
    bool whole = caught_up && !self->in_transaction;
    *zxid = whole ? tree_zxid (self->tree) : 0;
    if (!client->armed || (!whole && client->confirmed == 0)) {
        return false;
    }
    wire_client_seen (out, *zxid > client->seen ? *zxid : 0, client->confirmed);
    return true;
}

bool deliver_send (struct clients *self, struct client *client)
{
    if (tree_damage (self->tree) != NULL && !COHORT_MUTATED (told_behind_damage)) {
        return true; /* the server ends with this turn; what found it has given no answer */
    }
    for (;;) {
        struct list_node *node = list_first (&client->out);
        struct segment *segment = node != NULL ? list_entry (node, struct segment, node) : NULL;
        struct buf *frame = segment != NULL ? &segment->buf : &self->bare;
        if (segment == NULL) {
            if (client->confirmed == 0) {
                return true;
            }
            buf_clear (frame);
        }
        size_t size = frame->size;
        zxid_t zxid = 0;
        bool trailer = list_last (&client->out) == node && put_trailer (self, client, frame, &zxid);
        if (frame->failed) {
            client_doom (self, client, COHORT_ENOMEM, "out of memory");
            return true;
        }
        if (segment == NULL && !trailer) {
            return true;
        }
        if (!send_frame (self, client, frame)) {
            buf_truncate (frame, size);
            return false;
        }
        if (trailer) {
            client->seen = zxid > client->seen ? zxid : client->seen;
            client->confirmed = 0;
        }
        if (segment != NULL) {
            COHORT_ASSERT (client->out_bytes >= size);
            client->out_bytes -= size;
            list_remove (node);
            segment_free (self, segment);
        }
    }
}
