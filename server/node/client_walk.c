/* client_walk.c: the snapshots of streams: see client_state.h.
 *
 *     WAITING -> WALKING -> LIVE
 *                 |   ^
 *                 v   |
 *                CHASING        begins anew as WALKING where the ring has lost what comes next
 *
 * No copy is made.  A walk goes through the subtree in slices, bounded in znodes and bytes, and
 * sends each znode as it is at that moment; what is applied between the slices is sent too, as far
 * as the walk has come (walk_concerns).  A slice is made only when all of that is in the output.
 * So whatever is sent is in the order of states, and a client that puts it together
 * (client/src/fold.h) has the subtree as it is when the walk ends: that zxid is the snapshot's, and
 * from there on the stream is live.
 *
 * In memory there is the walk's place, and what was sent and is not confirmed by the client: a
 * window.  A client has one snapshot under way at a time; clients do not wait for one another, but
 * take turns, slice by slice.
 *
 * It ends.  A client without room is told nothing; if something is applied then that concerns it,
 * it has to read that from the ring, and if the ring has lost it by then, to begin anew.  But the
 * ring holds the last 64 MiB of all changes, whoever they concern, and there is room again as soon
 * as the client has taken some KiB of its window.  So only a client that takes less than a
 * thousandth of what the ensemble writes, or less than what changes in its own subtree, begins
 * again and again: it could not follow the stream live either.  Nothing is kept beyond the ring's
 * bound for its sake. */

#include "client/base/assert.h"
#include "server/node/client_state.h"

bool walk_is_under_way (const struct feed *feed)
{
    return feed->phase == FEED_WALKING || feed->phase == FEED_CHASING;
}

bool walk_concerns (const struct feed *feed, const struct effect *effect)
{
    return stream_has_passed (&feed->place, feed->path_size, effect);
}

/* ---- Beginning and ending ---------------------------------------------------------------- */

static void begin (struct clients *self, struct feed *feed)
{
    struct client *client = feed->client;
    COHORT_ASSERT (client->walk == NULL);
    COHORT_ASSERT (feed->place.size == 0);
    feed_enter (feed, FEED_WALKING);
    client->walk = feed;
    self->walks++;
    walk_ready (self, feed);
}

/* The client has none any more: the next of its streams that wait for one begins. */
static void end (struct clients *self, struct feed *feed)
{
    struct client *client = feed->client;
    COHORT_ASSERT (client->walk == feed);
    COHORT_ASSERT (self->walks > 0);
    buf_deinit (&feed->place);
    client->walk = NULL;
    self->walks--;
    struct list_node *next = list_pop_front (&client->waiting);
    if (next != NULL) {
        begin (self, list_entry (next, struct feed, queue_node));
    }
}

/* What the client has is out of date, and it hears of that at once: from here on nothing waits for
 * this stream any more. */
static void announce (struct clients *self, struct feed *feed)
{
    struct feed_batch batch = {.out = NULL};
    feed_enter (feed, FEED_WALKING);
    if (feed_batch_begin (self, feed, tree_zxid (self->tree), true, &batch)) {
        feed_batch_end (self, feed, &batch, true);
    }
}

void walk_open (struct clients *self, struct feed *feed)
{
    struct client *client = feed->client;
    COHORT_ASSERT (!list_linked (&feed->queue_node));
    feed->begun = false;
    if (feed->told != 0) {
        announce (self, feed);
    }
    feed->told = 0;
    if (client->walk == NULL) {
        begin (self, feed);
    } else {
        feed_enter (feed, FEED_WAITING);
        list_push_back (&client->waiting, &feed->queue_node);
    }
}

void walk_again (struct clients *self, struct feed *feed)
{
    COHORT_ASSERT (feed->client->walk == feed);
    buf_clear (&feed->place);
    feed->begun = false;
    feed_enter (feed, FEED_WALKING);
    walk_ready (self, feed);
}

void walk_drop (struct clients *self, struct feed *feed)
{
    if (list_linked (&feed->queue_node)) {
        list_remove (&feed->queue_node);
    }
    if (feed->client->walk == feed) {
        end (self, feed);
    }
}

/* ---- Room -------------------------------------------------------------------------------- */

static uint64_t window (const struct clients *self)
{
    if (self->options.walk_window > 0) {
        return self->options.walk_window;
    }
    uint64_t share = WALK_WINDOWS_TOTAL / (self->walks > 0 ? self->walks : 1);
    share = share > WALK_WINDOW_MIN ? share : WALK_WINDOW_MIN;
    return share < WALK_WINDOW_MAX ? share : WALK_WINDOW_MAX;
}

/* Long before the window is full, so that there is no pause. */
uint64_t walk_confirm_after (const struct clients *self)
{
    uint64_t part = window (self) / 4;
    return part < WALK_CONFIRM_BYTES ? part : WALK_CONFIRM_BYTES;
}

/* Not while something of the client is withheld: what it is shown must not go back. */
bool walk_has_room (const struct clients *self, const struct feed *feed)
{
    COHORT_ASSERT (feed->sent >= feed->taken);
    return feed->client->pulling == 0 && deliver_room (self, feed->client) &&
           feed->sent - feed->taken < window (self);
}

void walk_ready (struct clients *self, struct feed *feed)
{
    if (feed->phase == FEED_WALKING && !list_linked (&feed->queue_node) &&
        walk_has_room (self, feed)) {
        list_push_back (&self->ready, &feed->queue_node);
    }
}

void walk_taken (struct clients *self, struct client *client, uint64_t id, uint64_t bytes)
{
    struct feed *feed = feed_find (self, client, id);
    if (feed == NULL) {
        return; /* closed meanwhile */
    }
    if (bytes > feed->sent) {
        client_doom (self, client, COHORT_EPROTOCOL, "more of a stream was taken than sent");
        return;
    }
    feed->taken = bytes > feed->taken ? bytes : feed->taken;
    client_dirty (self, client);
}

/* ---- Slices ------------------------------------------------------------------------------ */

struct slice {
    struct clients *self;
    struct feed *feed;
    struct feed_batch batch; /* the piece: begun with the first znode that may be seen */
    zxid_t zxid;
    uint32_t nodes_left;
    bool stopped;
    bool failed; /* the client is doomed */
};

static bool begin_piece (struct slice *slice)
{
    slice->failed = slice->batch.out == NULL &&
                    !feed_batch_begin (slice->self, slice->feed, slice->zxid, true, &slice->batch);
    return !slice->failed;
}

static bool take_node (void *arg, const struct tree_node *node)
{
    struct slice *slice = arg;
    const struct feed *feed = slice->feed;
    size_t bytes = slice->batch.out != NULL ? feed_batch_size (&slice->batch) : 0;
    if (slice->nodes_left == 0 || bytes >= WALK_BYTES) {
        slice->stopped = true;
        return false;
    }
    slice->nodes_left--;
    enum tree_sight sight = tree_node_sight (slice->self->tree, feed->client->session, node->znode);
    if (sight == TREE_HIDDEN) {
        return true;
    }
    if (!begin_piece (slice)) {
        return false;
    }
    wire_client_found (slice->batch.out, node, feed_shows (feed, sight));
    return true;
}

/* Goes on with the walk; that of a stream which is shut ends at once, with nothing. */
static int walk_on (struct clients *self, struct feed *feed, struct slice *slice)
{
    feed_judge (self, feed);
    if (!feed->shut) {
        return tree_walk (self->tree, feed->path, feed->path_size, &feed->place, take_node, slice);
    }
    feed->begun &= feed->place.size == 0; /* what was sent of it is taken back */
    return 0;
}

/* Returns the bytes that it has sent.  There is no piece without anything in it but the last: by
 * their number what may not be seen could be counted. */
static size_t make_slice (struct clients *self, struct feed *feed)
{
    struct client *client = feed->client;
    struct slice slice = {.self = self,
                          .feed = feed,
                          .zxid = tree_zxid (self->tree),
                          .nodes_left = self->options.walk_nodes};
    COHORT_ASSERT (feed->phase == FEED_WALKING);
    int rc = walk_on (self, feed, &slice);
    bool more = slice.stopped || (rc != 0 && rc != COHORT_ENONODE);
    if (slice.failed || (!more && !begin_piece (&slice))) {
        return 0;
    }
    size_t size = slice.batch.out != NULL ? feed_batch_size (&slice.batch) : 0;
    if (!more) {
        feed_batch_whole (self, feed, &slice.batch);
        feed_enter (feed, FEED_LIVE);
        feed->told = slice.zxid;
        end (self, feed);
    } else if (slice.batch.out != NULL) {
        feed_batch_end (self, feed, &slice.batch, true);
    }
    /* With this code nothing that is queued, the half snapshot either, is sent any more. */
    if (rc == COHORT_ENOMEM || rc == COHORT_ECORRUPT) {
        client_doom (self, client, COHORT_ENOMEM,
                     rc == COHORT_ENOMEM ? "out of memory" : "this server's state is damaged");
    }
    return size;
}

bool walks_turn (struct clients *self)
{
    size_t bytes = 0;
    struct list_node *node;
    for (int i = 0; i < WALK_SLICES && bytes < WALK_TURN_BYTES; i++) {
        if ((node = list_pop_front (&self->ready)) == NULL) {
            return false;
        }
        struct feed *feed = list_entry (node, struct feed, queue_node);
        if (walk_has_room (self, feed)) {
            bytes += make_slice (self, feed);
            walk_ready (self, feed);
        }
    }
    return !list_empty (&self->ready);
}
