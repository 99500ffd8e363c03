/* client_catchup.c: streams that read the ring: see client_state.h.
 *
 *     LIVE    <-> PULLING     when its client is slow; and what is opened behind a zxid
 *     WALKING <-> CHASING     the same with a snapshot under way (client_walk.c)
 *
 * What is later than the events that a stream in PULLING has still to tell is withheld meanwhile.
 * A snapshot holds nothing up: what the client has of the stream is not whole, and it knows. */

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"

/* ---- Phases ------------------------------------------------------------------------------ */

void feed_fall_behind (struct clients *self, struct feed *feed, zxid_t zxid)
{
    struct client *client = feed->client;
    bool live = feed->phase == FEED_LIVE;
    COHORT_ASSERT (live || feed->phase == FEED_WALKING);
    if (!live && list_linked (&feed->queue_node)) {
        list_remove (&feed->queue_node);
    }
    feed_enter (feed, live ? FEED_PULLING : FEED_CHASING);
    feed->zxid = zxid;
    client->behind++;
    client->pulling += live;
    client_dirty (self, client);
}

/* It is where the tree is, or will not get there. */
static void stop_reading (struct clients *self, struct feed *feed)
{
    struct client *client = feed->client;
    bool pulling = feed->phase == FEED_PULLING;
    COHORT_ASSERT (pulling || feed->phase == FEED_CHASING);
    COHORT_ASSERT (client->behind > 0);
    COHORT_ASSERT (client->pulling >= pulling);
    client->behind--;
    client->pulling -= pulling;
    feed_enter (feed, pulling ? FEED_LIVE : FEED_WALKING);
    if (pulling && client->pulling == 0) {
        deliver_release (self, client);
    }
}

void feed_catch_up (struct clients *self, struct feed *feed, zxid_t from)
{
    zxid_t now = tree_zxid (self->tree);
    bool snapshot = (feed->flags & FEED_NO_SNAPSHOT) == 0;
    COHORT_ASSERT (feed->phase == FEED_LIVE);
    from = from == 0 && !snapshot ? now : from;
    feed->told = from;
    if (from == now && (!feed->shut || !snapshot)) {
        return;
    }
    if (!feed->shut && from != 0 && from <= now && from >= tree_effects_floor (self->tree)) {
        feed_fall_behind (self, feed, from);
    } else if (snapshot) {
        walk_open (self, feed);
    } else {
        feed_tell_reset (self, feed, now);
    }
    client_dirty (self, feed->client);
}

void feed_leave (struct clients *self, struct feed *feed)
{
    if (feed->phase == FEED_PULLING || feed->phase == FEED_CHASING) {
        stop_reading (self, feed);
    }
    walk_drop (self, feed);
}

void feed_start_again (struct clients *self, struct feed *feed)
{
    feed_judge (self, feed);
    switch (feed->phase) {
    case FEED_WAITING:
        return;
    case FEED_CHASING:
        stop_reading (self, feed);
        walk_again (self, feed);
        return;
    case FEED_WALKING:
        if (COHORT_MUTATED (walk_goes_on)) {
            return;
        }
        walk_again (self, feed);
        return;
    case FEED_LIVE:
        if ((feed->flags & FEED_NO_SNAPSHOT) != 0) {
            feed_tell_reset (self, feed, tree_zxid (self->tree));
        } else {
            walk_open (self, feed);
        }
        return;
    case FEED_PULLING:
        break;
    }
    /* The client hears of it before anything that was withheld. */
    if ((feed->flags & FEED_NO_SNAPSHOT) != 0) {
        feed_tell_reset (self, feed, tree_zxid (self->tree));
        stop_reading (self, feed);
        return;
    }
    struct client *client = feed->client;
    COHORT_ASSERT (client->behind > 0);
    COHORT_ASSERT (client->pulling > 0);
    walk_open (self, feed);
    client->behind--;
    client->pulling--;
    if (client->pulling == 0) {
        deliver_release (self, client);
    }
}

/* ---- The ring ---------------------------------------------------------------------------- */

struct pull {
    struct clients *self;
    struct feed *feed;
    zxid_t zxid;             /* of the transaction that is being read */
    struct feed_batch batch; /* that is open, if its `out` is not NULL */
    size_t looked, told, bytes;
    bool first;
    bool stopped;
    bool turned; /* what comes next changes what its session may see */
};

static void close_batch (struct pull *pull, bool more)
{
    if (pull->batch.out != NULL) {
        pull->bytes += feed_batch_size (&pull->batch);
        feed_batch_end (pull->self, pull->feed, &pull->batch, more);
        if (pull->feed->phase == FEED_PULLING) {
            pull->feed->told = pull->zxid;
        }
    }
}

bool feed_concerns (const struct feed *feed, const struct effect *effect)
{
    return stream_concerns (feed->path, feed->path_size, effect) && feed_wants (feed, effect) &&
           (feed->phase == FEED_PULLING || walk_concerns (feed, effect));
}

static bool pull_effect (void *arg, const struct effect *effect)
{
    struct pull *pull = arg;
    struct feed *feed = pull->feed;
    if (effect->zxid != pull->zxid) {
        close_batch (pull, false);
        feed->zxid = pull->zxid;
        if (pull->looked >= PULL_EFFECTS || pull->bytes >= PULL_BYTES) {
            pull->stopped = true;
            return false;
        }
        pull->zxid = effect->zxid;
        pull->first = true;
    }
    pull->looked++;
    if (!feed_concerns (feed, effect)) {
        return true;
    }
    if (feed_turns (pull->self, feed, effect)) {
        pull->turned = true;
        return false;
    }
    feed_pass (pull->self, feed, effect);
    enum tree_sight sight = feed_sight (pull->self, feed, effect);
    if (sight == TREE_HIDDEN) {
        return true;
    }
    if (pull->batch.out != NULL &&
        feed_batch_size (&pull->batch) >= pull->self->options.frame_bytes) {
        close_batch (pull, true);
    }
    if (pull->batch.out == NULL) {
        if (!feed_batch_begin (pull->self, feed, pull->zxid, pull->first, &pull->batch)) {
            pull->stopped = true;
            return false;
        }
        pull->first = false;
    }
    wire_client_change (pull->batch.out, effect, feed_shows (feed, sight));
    pull->told++;
    return true;
}

/* One slice; with the last it is told again what is applied. */
static void pull_slice (struct clients *self, struct feed *feed)
{
    struct pull pull = {.self = self, .feed = feed, .zxid = feed->zxid, .first = true};
    if ((feed->flags & FEED_LATEST) != 0 && feed->phase == FEED_PULLING) {
        bool stopped;
        if (feed_pull_latest (self, feed, &stopped) == COHORT_EGAP) {
            feed_start_again (self, feed);
        } else if (!stopped) {
            stop_reading (self, feed);
        }
        return;
    }
    zxid_t through = tree_zxid (self->tree);
    if (tree_effects (self->tree, feed->zxid, through, pull_effect, &pull) == COHORT_EGAP) {
        feed_start_again (self, feed);
        return;
    }
    if (pull.turned) {
        close_batch (&pull, true);
        feed_start_again (self, feed);
        return;
    }
    self->work += pull.looked / WORK_LOOKS + pull.told / WORK_CHANGES;
    close_batch (&pull, false);
    if (!pull.stopped) {
        stop_reading (self, feed);
    }
}

static bool has_room (const struct clients *self, const struct feed *feed)
{
    return feed->phase == FEED_CHASING ? walk_has_room (self, feed)
                                       : deliver_room (self, feed->client);
}

bool feed_pull (struct clients *self, struct client *client)
{
    bool more = false;
    for (uint32_t left = client->feeds_count;
         left > 0 && client->behind > 0 && client->doom_text == NULL; left--) {
        struct list_node *at = list_pop_front (&client->feeds);
        struct feed *feed = list_entry (at, struct feed, client_node);
        list_push_back (&client->feeds, at); /* each has its turn, and may have to wait for it */
        if (feed->phase != FEED_PULLING && feed->phase != FEED_CHASING) {
            continue;
        }
        if (has_room (self, feed)) {
            pull_slice (self, feed);
        }
        /* Without room in its output a client has it again after sending; without room in the
         * window, when it says so. */
        more |= feed->phase == FEED_PULLING;
        more |= feed->phase == FEED_CHASING && walk_has_room (self, feed);
        if (clients_tired (self)) {
            return more || left > 1;
        }
    }
    return more;
}

void feed_pull_all (struct clients *self, struct client *client)
{
    while (client->pulling > 0 && client->doom_text == NULL) {
        for (struct list_node *at = list_first (&client->feeds);
             at != NULL && client->doom_text == NULL; at = list_next (&client->feeds, at)) {
            struct feed *feed = list_entry (at, struct feed, client_node);
            if (feed->phase == FEED_PULLING) {
                pull_slice (self, feed);
            }
        }
    }
}
