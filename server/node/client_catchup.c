/* client_catchup.c: streams that are not live: see client_state.h.
 *
 *     WAITING -> SNAPSHOT -> PULLING -> LIVE         LIVE -> PULLING when its client is slow
 *        ^                      |
 *        +---- the ring has lost what comes next: RESET
 *
 * A snapshot is made at one zxid, at once, as segments that go to the output when that has room;
 * how much of that may be in memory is bounded for all clients together.  The ring keeps what comes
 * behind the snapshot until the stream is live, or for SNAPSHOT_PIN_MS. */

#include <string.h>

#include "client/base/assert.h"
#include "server/node/client_state.h"

/* ---- Pins -------------------------------------------------------------------------------- */

/* The oldest pin is the first: snapshots are made in the order of their zxids. */
static struct feed *oldest_pinned (const struct clients *self)
{
    struct list_node *first = list_first (&self->pinned);
    return first != NULL ? list_entry (first, struct feed, pin_node) : NULL;
}

static void update_pin (struct clients *self)
{
    const struct feed *oldest = oldest_pinned (self);
    zxid_t pin = oldest != NULL ? oldest->pin : 0;
    if (pin != self->pin) {
        self->pin = pin;
        tree_effects_pin (self->tree, pin);
    }
}

static void pin (struct clients *self, struct feed *feed)
{
    feed->pin = feed->zxid;
    feed->pinned_ms = self->now_ms;
    list_push_back (&self->pinned, &feed->pin_node);
    update_pin (self);
}

static void unpin (struct clients *self, struct feed *feed)
{
    if (list_linked (&feed->pin_node)) {
        list_remove (&feed->pin_node);
        update_pin (self);
    }
}

/* ---- Phases ------------------------------------------------------------------------------ */

static void wait_for_snapshot (struct clients *self, struct feed *feed)
{
    unpin (self, feed);
    feed->phase = FEED_WAITING;
    list_push_back (&self->snapshot_wait, &feed->wait_node);
}

void feed_catch_up (struct clients *self, struct feed *feed, zxid_t from)
{
    zxid_t now = tree_zxid (self->tree);
    COHORT_ASSERT (feed->phase == FEED_LIVE);
    feed->told = from;
    if (from == now) {
        return;
    }
    feed->client->pulling++;
    if (from == 0 || from > now || from < tree_effects_floor (self->tree)) {
        wait_for_snapshot (self, feed);
    } else {
        feed->phase = FEED_PULLING;
        feed->zxid = from;
    }
    client_dirty (self, feed->client);
}

static void leave_phase (struct clients *self, struct feed *feed)
{
    struct list_node *node;
    struct client *client = feed->client;
    if (list_linked (&feed->wait_node)) {
        list_remove (&feed->wait_node);
    }
    while ((node = list_pop_front (&feed->snapshot)) != NULL) {
        deliver_segment_free (self, list_entry (node, struct segment, node));
    }
    COHORT_ASSERT (self->snapshot_bytes >= feed->snapshot_bytes);
    self->snapshot_bytes -= feed->snapshot_bytes;
    feed->snapshot_bytes = 0;
    unpin (self, feed);
    COHORT_ASSERT (client->pulling > 0);
    client->pulling--;
    feed->phase = FEED_LIVE;
    if (client->pulling == 0) {
        deliver_release (self, client);
    }
}

void feed_leave (struct clients *self, struct feed *feed)
{
    if (feed->phase != FEED_LIVE) {
        leave_phase (self, feed);
    }
}

/* ---- Snapshots --------------------------------------------------------------------------- */

struct snapshot {
    struct clients *self;
    struct feed *feed;
    struct segment *segment; /* the fragment that is being filled; NULL: out of memory */
    struct wire_mark mark;
    bool first;
};

static void begin_fragment (struct snapshot *snapshot)
{
    struct feed *feed = snapshot->feed;
    struct wire_client_batch batch = {
        .stream = feed->id,
        .zxid = feed->zxid,
        .snapshot = true,
        .first = snapshot->first,
    };
    snapshot->segment = deliver_segment_new (snapshot->self);
    if (snapshot->segment != NULL) {
        list_push_back (&feed->snapshot, &snapshot->segment->node);
        snapshot->mark = wire_client_batch_begin (&snapshot->segment->buf, &batch);
        snapshot->first = false;
    }
}

static void end_fragment (struct snapshot *snapshot, bool more)
{
    struct buf *out = &snapshot->segment->buf;
    wire_client_batch_end (out, snapshot->mark, more);
    snapshot->feed->snapshot_bytes += out->size;
    snapshot->self->snapshot_bytes += out->size;
}

static bool add_node (void *arg, const struct tree_node *node)
{
    struct snapshot *snapshot = arg;
    if (snapshot->segment->buf.size >= BATCH_BYTES) {
        end_fragment (snapshot, true);
        begin_fragment (snapshot);
        if (snapshot->segment == NULL) {
            return false;
        }
    }
    struct buf *out = &snapshot->segment->buf;
    wire_client_change (out, EFFECT_CREATED, node->path, strlen (node->path), node->data,
                        node->data_size, &node->stat);
    return !out->failed;
}

static void make_snapshot (struct clients *self, struct feed *feed)
{
    struct snapshot snapshot = {.self = self, .feed = feed, .first = true};
    COHORT_ASSERT (list_empty (&feed->snapshot));
    feed->zxid = tree_zxid (self->tree);
    feed->phase = FEED_SNAPSHOT;
    pin (self, feed);
    begin_fragment (&snapshot);
    int rc = snapshot.segment == NULL
                 ? COHORT_ENOMEM
                 : tree_walk (self->tree, feed->path, feed->path_size, NULL, add_node, &snapshot);
    if (snapshot.segment != NULL) {
        end_fragment (&snapshot, false);
    }
    if (rc == COHORT_ENOMEM || snapshot.segment == NULL || snapshot.segment->buf.failed) {
        client_doom (self, feed->client, COHORT_ENOMEM, "out of memory");
    } else if (rc == COHORT_ECORRUPT) {
        /* With this code nothing that is queued, the half snapshot either, is sent any more. */
        client_doom (self, feed->client, COHORT_ENOMEM, "this server's state is damaged");
    }
    client_dirty (self, feed->client);
}

bool feed_snapshot_due (const struct clients *self)
{
    return !list_empty (&self->snapshot_wait) && self->snapshot_bytes < SNAPSHOTS_BYTES;
}

void feed_turn (struct clients *self)
{
    struct feed *feed;
    while ((feed = oldest_pinned (self)) != NULL &&
           self->now_ms - feed->pinned_ms >= SNAPSHOT_PIN_MS) {
        unpin (self, feed);
    }
    for (int i = 0; i < SNAPSHOTS_A_TURN && feed_snapshot_due (self); i++) {
        struct list_node *node = list_pop_front (&self->snapshot_wait);
        make_snapshot (self, list_entry (node, struct feed, wait_node));
    }
}

int64_t feed_deadline (const struct clients *self)
{
    const struct feed *feed = oldest_pinned (self);
    return feed != NULL ? feed->pinned_ms + SNAPSHOT_PIN_MS : INT64_MAX;
}

/* ---- The ring ---------------------------------------------------------------------------- */

struct pull {
    struct clients *self;
    struct feed *feed;
    zxid_t zxid;     /* of the transaction that is being read */
    struct buf *out; /* of the batch that is open; NULL: none is */
    struct wire_mark mark;
    size_t start;
    size_t looked, bytes;
    bool first;
    bool stopped;
};

static void close_batch (struct pull *pull, bool more)
{
    if (pull->out != NULL) {
        wire_client_batch_end (pull->out, pull->mark, more);
        pull->bytes += pull->out->size - pull->start;
        deliver_end (pull->self, pull->feed->client);
        pull->feed->told = pull->zxid;
        pull->out = NULL;
    }
}

static bool open_batch (struct pull *pull)
{
    struct wire_client_batch batch = {
        .stream = pull->feed->id,
        .zxid = pull->zxid,
        .first = pull->first,
    };
    pull->out = deliver_begin_ahead (pull->self, pull->feed->client);
    if (pull->out == NULL) {
        return false;
    }
    pull->start = pull->out->size;
    pull->mark = wire_client_batch_begin (pull->out, &batch);
    pull->first = false;
    return true;
}

static bool pull_effect (void *arg, const struct effect *effect)
{
    struct pull *pull = arg;
    struct feed *feed = pull->feed;
    if (effect->zxid != pull->zxid) {
        close_batch (pull, false);
        feed->zxid = pull->zxid;
        if (pull->looked >= PULL_EFFECTS || pull->bytes >= BATCH_BYTES) {
            pull->stopped = true;
            return false;
        }
        pull->zxid = effect->zxid;
        pull->first = true;
    }
    pull->looked++;
    if (!stream_covers (feed->path, feed->path_size, effect->path, effect->path_size)) {
        return true;
    }
    if (pull->out != NULL && pull->out->size - pull->start >= BATCH_BYTES) {
        close_batch (pull, true);
    }
    if (pull->out == NULL && !open_batch (pull)) {
        pull->stopped = true;
        return false;
    }
    wire_client_change (pull->out, effect->kind, effect->path, effect->path_size, effect->data,
                        effect->data_size, &effect->stat);
    return true;
}

/* One slice; with the last the stream is live. */
static void pull_slice (struct clients *self, struct feed *feed)
{
    struct pull pull = {.self = self, .feed = feed, .zxid = feed->zxid, .first = true};
    zxid_t through = tree_zxid (self->tree);
    if (tree_effects (self->tree, feed->zxid, through, pull_effect, &pull) == COHORT_EGAP) {
        wait_for_snapshot (self, feed);
        return;
    }
    close_batch (&pull, false);
    if (!pull.stopped) {
        leave_phase (self, feed);
    }
}

static void pull_feed (struct clients *self, struct feed *feed)
{
    struct client *client = feed->client;
    while (feed->phase == FEED_SNAPSHOT && deliver_room (client)) {
        struct list_node *node = list_pop_front (&feed->snapshot);
        if (node == NULL) {
            feed->phase = FEED_PULLING;
            feed->told = feed->zxid;
            break;
        }
        struct segment *segment = list_entry (node, struct segment, node);
        COHORT_ASSERT (feed->snapshot_bytes >= segment->buf.size);
        feed->snapshot_bytes -= segment->buf.size;
        self->snapshot_bytes -= segment->buf.size;
        deliver_segment (self, client, segment);
    }
    if (feed->phase == FEED_PULLING && deliver_room (client)) {
        pull_slice (self, feed);
    }
}

bool feed_pull (struct clients *self, struct client *client)
{
    bool more = false;
    if (client->pulling == 0) {
        return false;
    }
    for (struct list_node *at = list_first (&client->feeds);
         at != NULL && client->doom_text == NULL; at = list_next (&client->feeds, at)) {
        struct feed *feed = list_entry (at, struct feed, client_node);
        if (feed->phase == FEED_SNAPSHOT || feed->phase == FEED_PULLING) {
            pull_feed (self, feed);
            more |= feed->phase == FEED_SNAPSHOT || feed->phase == FEED_PULLING;
        }
    }
    return more;
}
