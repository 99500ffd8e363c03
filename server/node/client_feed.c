/* client_feed.c: streams: who is where, and live delivery: see client_state.h.
 *
 * A feed is a stream of one client.  The changes of each applied transaction are encoded once and
 * copied to every feed that covers them, one batch each.  A feed whose client has too much waiting
 * is told nothing more, and catches up from the ring later (client_catchup.c). */

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"
#include "server/tree/path.h"

#define NO_LINK UINT32_MAX

/* Change number `change` of the present transaction concerns a feed; the next such is at `next`. */
struct link {
    uint32_t at, size; /* in clients.changes */
    uint32_t next;
};

/* ---- The registry ------------------------------------------------------------------------ */

static uint64_t feed_hash (const struct clients *self, uint64_t owner, uint64_t id)
{
    uint64_t key[2] = {owner, id};
    return hash64 (key, sizeof key, self->options.hash_seed);
}

struct feed_key {
    uint64_t owner, id;
};

static bool is_feed (const struct map_node *node, const void *arg)
{
    const struct feed_key *key = arg;
    const struct feed *feed = map_entry (node, struct feed, node);
    return feed->id == key->id && feed->client->connection == key->owner;
}

static struct feed *find (const struct clients *self, uint64_t owner, uint64_t id)
{
    struct feed_key key = {owner, id};
    struct map_node *node = map_find (&self->feed_map, feed_hash (self, owner, id), is_feed, &key);
    return node != NULL ? map_entry (node, struct feed, node) : NULL;
}

struct feed *feed_find (const struct clients *self, const struct client *client, uint64_t id)
{
    return find (self, client->connection, id);
}

int feed_room (const struct clients *self, const struct client *client, uint64_t id)
{
    return client->feeds_count < CLIENT_STREAMS_MAX || find (self, client->connection, id) != NULL
               ? 0
               : COHORT_ELIMIT;
}

static void feed_free (struct clients *self, struct feed *feed)
{
    struct client *client = feed->client;
    feed_leave (self, feed);
    if (list_linked (&feed->touch_node)) {
        list_remove (&feed->touch_node);
    }
    streams_remove (self->streams, &feed->stream);
    map_remove (&self->feed_map, &feed->node);
    list_remove (&feed->client_node);
    client->feeds_count--;
    mem_free (feed);
}

int feed_check (const struct clients *self, const struct feed_request *request)
{
    bool shallow = (request->flags & FEED_SHALLOW) != 0;
    if (request->id == 0 || (shallow && (request->flags & FEED_NO_SNAPSHOT) == 0)) {
        return COHORT_EINVAL;
    }
    if ((request->flags & ~(uint32_t) FEED_FLAGS) != 0) {
        return COHORT_EUNSUPPORTED;
    }
    return tree_path_check (self->tree, request->path, request->size, false);
}

/* What cannot be seen cannot be followed; what changes about that later, its changes are judged
 * by. */
int feed_permit (const struct clients *self, const struct client *client,
                 const struct feed_request *request)
{
    int rc = tree_permit (self->tree, client->session, TREE_WHOLE, request->path, request->size);
    return rc == COHORT_ENOAUTH && !COHORT_MUTATED (follow_unpermitted) ? rc : 0;
}

/* Whether it is told what is applied as it is applied. */
static bool hears (const struct feed *feed)
{
    return feed->phase == FEED_LIVE || feed->phase == FEED_WALKING;
}

void feed_enter (struct feed *feed, enum feed_phase phase)
{
    feed->phase = phase;
    stream_deafen (&feed->stream, !hears (feed));
}

void feed_judge (const struct clients *self, struct feed *feed)
{
    struct feed_request request = {.path = feed->path, .size = feed->path_size};
    feed->shut = feed_permit (self, feed->client, &request) != 0;
}

enum wire_shown feed_shows (const struct feed *feed, enum tree_sight sight)
{
    COHORT_ASSERT (sight != TREE_HIDDEN);
    if ((feed->flags & FEED_NO_DATA) != 0) {
        return WIRE_STAT;
    }
    return sight == TREE_WHOLE ? WIRE_WHOLE : WIRE_HIDDEN;
}

static bool is_of_top (const struct feed *feed, const struct effect *effect)
{
    return effect->kind != EFFECT_OWNER && effect->path_size == feed->path_size;
}

bool feed_wants (const struct feed *feed, const struct effect *effect)
{
    if (feed->shut) {
        return is_of_top (feed, effect) &&
               (effect->kind == EFFECT_ACL || effect->kind == EFFECT_CREATED);
    }
    if ((feed->flags & FEED_SHALLOW) == 0 || effect->kind == EFFECT_OWNER ||
        effect->path_size == feed->path_size) {
        return true;
    }
    return (effect->kind == EFFECT_CREATED || effect->kind == EFFECT_DELETED) &&
           tree_path_parent_size (effect->path, effect->path_size) == feed->path_size;
}

bool feed_turns (const struct clients *self, const struct feed *feed, const struct effect *effect)
{
    uint64_t session = feed->client->session;
    if (effect->kind == EFFECT_ACL && is_of_top (feed, effect)) {
        bool readable = tree_effect_sight (self->tree, session, effect) == TREE_WHOLE;
        /* Who goes on behind an old zxid was opened by what its top is now, and is not shut though
         * it was shown nothing then. */
        if (readable == feed->shut ||
            readable != tree_effect_was_readable (self->tree, session, effect)) {
            return true;
        }
    }
    return !feed->shut && !COHORT_MUTATED (turns_unnoticed) &&
           tree_effect_turns (self->tree, session, effect);
}

/* Of a top that may not be read only its end is told: all else it would say of a shut stream. */
enum tree_sight feed_sight (const struct clients *self, const struct feed *feed,
                            const struct effect *effect)
{
    uint64_t session = feed->client->session;
    enum tree_sight sight = tree_effect_sight (self->tree, session, effect);
    if (feed->phase == FEED_PULLING || feed->phase == FEED_CHASING) {
        /* It is told late: what may not be read any more is not read now either. */
        enum tree_sight now = tree_effect_sight_now (self->tree, session, effect);
        sight = now < sight ? now : sight;
    }
    bool shut = is_of_top (feed, effect) && effect->kind != EFFECT_DELETED && sight != TREE_WHOLE;
    return shut ? TREE_HIDDEN : sight;
}

void feed_pass (const struct clients *self, struct feed *feed, const struct effect *effect)
{
    if (effect->kind == EFFECT_CREATED && is_of_top (feed, effect)) {
        if (feed->passed != effect->zxid) {
            feed->passed = effect->zxid;
            feed->shut_before = feed->shut;
        }
        feed->shut = feed_sight (self, feed, effect) != TREE_WHOLE;
    }
}

void feed_open (struct clients *self, struct client *client, const struct feed_request *request)
{
    feed_close (self, client, request->id);
    if (client->doom_text != NULL) {
        return;
    }
    struct feed *feed = mem_calloc (1, sizeof *feed + request->size + 1);
    if (feed == NULL || !streams_add (self->streams, &feed->stream, request->path, request->size)) {
        mem_free (feed);
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return;
    }
    feed->client = client;
    feed->id = request->id;
    feed->flags = request->flags;
    feed->phase = FEED_LIVE;
    feed->first_link = feed->last_link = NO_LINK;
    feed->path_size = (uint32_t) request->size;
    memcpy (feed->path, request->path, request->size);
    feed->node.hash = feed_hash (self, client->connection, request->id);
    map_insert (&self->feed_map, &feed->node);
    list_push_back (&client->feeds, &feed->client_node);
    client->feeds_count++;
    feed_judge (self, feed);
    feed_catch_up (self, feed, request->from);
}

void feed_close (struct clients *self, struct client *client, uint64_t id)
{
    struct feed *feed = find (self, client->connection, id);
    if (feed != NULL) {
        feed_free (self, feed);
    }
}

void feeds_drop (struct clients *self, struct client *client)
{
    struct list_node *node;
    while ((node = list_first (&client->feeds)) != NULL) {
        feed_free (self, list_entry (node, struct feed, client_node));
    }
    COHORT_ASSERT (client->feeds_count == 0);
    COHORT_ASSERT (client->behind == 0);
    COHORT_ASSERT (client->walk == NULL);
}

/* ---- Batches ----------------------------------------------------------------------------- */

bool feed_batch_begin (struct clients *self, struct feed *feed, zxid_t zxid, bool first,
                       struct feed_batch *batch)
{
    bool snapshot = walk_is_under_way (feed);
    struct wire_client_batch head = {
        .stream = feed->id,
        .zxid = zxid,
        .snapshot = snapshot,
        .first = snapshot ? !feed->begun : first,
    };
    /* Of a stream nothing is withheld: what it reads from the ring goes ahead of all that is. */
    COHORT_ASSERT (feed->phase != FEED_LIVE || feed->client->pulling == 0);
    batch->out = deliver_begin_ahead (self, feed->client);
    if (batch->out == NULL) {
        return false;
    }
    batch->start = batch->out->size;
    batch->mark = wire_client_batch_begin (batch->out, &head);
    feed->begun = snapshot;
    return true;
}

size_t feed_batch_size (const struct feed_batch *batch)
{
    return batch->out->size - batch->start;
}

static void finish (struct clients *self, struct feed *feed, struct feed_batch *batch, bool more)
{
    uint64_t ask = 0;
    if (walk_is_under_way (feed)) {
        feed->sent += feed_batch_size (batch);
        if (feed->sent - feed->asked >= walk_confirm_after (self)) {
            ask = feed->asked = feed->sent;
        }
    }
    wire_client_batch_end (batch->out, batch->mark, more, ask);
    batch->out = NULL;
    deliver_end (self, feed->client);
}

void feed_batch_end (struct clients *self, struct feed *feed, struct feed_batch *batch, bool more)
{
    finish (self, feed, batch, more || walk_is_under_way (feed));
}

void feed_batch_whole (struct clients *self, struct feed *feed, struct feed_batch *batch)
{
    COHORT_ASSERT (feed->phase == FEED_WALKING);
    finish (self, feed, batch, false);
}

void feed_tell_reset (struct clients *self, struct feed *feed, zxid_t zxid)
{
    struct wire_client_batch head = {
        .stream = feed->id, .zxid = zxid, .first = true, .reset = true};
    struct buf *out = deliver_begin_ahead (self, feed->client);
    if (out != NULL) {
        wire_client_batch_end (out, wire_client_batch_begin (out, &head), false, 0);
        deliver_end (self, feed->client);
        feed->told = zxid;
    }
}

/* ---- Live delivery ----------------------------------------------------------------------- */

static struct link *link_at (const struct clients *self, uint32_t index)
{
    void *links = self->links.data;
    return (struct link *) links + index;
}

/* A change as it is told: where in clients.changes it is, once it is encoded; size 0: it is not
 * yet. */
struct encoded {
    uint32_t at, size;
};

struct matching {
    struct clients *self;
    const struct effect *effect;
    struct encoded encoded[WIRE_HIDDEN + 1]; /* by enum wire_shown */
};

/* What it was to be told of the transaction goes: it will read all of it. */
static void withdraw (struct clients *self, struct feed *feed, zxid_t zxid)
{
    feed->first_link = feed->last_link = NO_LINK;
    if (feed->passed == zxid) {
        feed->shut = feed->shut_before;
    }
    feed_fall_behind (self, feed, zxid - 1);
}

/* Whether a live one may be told of the transaction under way.  While another one of its client
 * reads the ring it has to read, too: it may have to later, and what it were told now would be
 * withheld until then. */
static bool has_room (const struct clients *self, const struct feed *feed)
{
    return feed->phase == FEED_LIVE
               ? deliver_room (self, feed->client) && feed->client->pulling == 0
               : walk_has_room (self, feed);
}

/* Who has enough waiting is told nothing, and goes on from the transaction before; so do those for
 * whom a transaction that many have to be told much of leaves no time. */
static bool is_told (struct clients *self, struct feed *feed, const struct effect *effect)
{
    bool walking = feed->phase == FEED_WALKING && walk_concerns (feed, effect);
    if ((!walking && feed->phase != FEED_LIVE) || feed->client->doom_text != NULL) {
        return false;
    }
    bool late = self->telling / WORK_CHANGES >= self->options.turn_work / 2;
    if (!late && (feed->first_link != NO_LINK || has_room (self, feed))) {
        return true;
    }
    withdraw (self, feed, effect->zxid);
    return false;
}

static struct encoded encode (struct matching *matching, enum wire_shown shown)
{
    struct buf *changes = &matching->self->changes;
    struct encoded *encoded = &matching->encoded[shown];
    if (encoded->size == 0) {
        encoded->at = (uint32_t) changes->size;
        wire_client_change (changes, matching->effect, shown);
        encoded->size = (uint32_t) (changes->size - encoded->at);
    }
    return *encoded;
}

/* It begins anew at the end of the transaction, whose other changes the client need not hear. */
static void turn (struct clients *self, struct feed *feed)
{
    feed->turns = true;
    if (!list_linked (&feed->touch_node)) {
        list_push_back (&self->touched, &feed->touch_node);
    }
}

static void tell (struct matching *matching, struct feed *feed)
{
    struct clients *self = matching->self;
    const struct effect *effect = matching->effect;
    if (!hears (feed) || feed->turns) {
        return;
    }
    self->told++;
    if (!feed_wants (feed, effect)) {
        return;
    }
    bool turns = feed_turns (self, feed, effect);
    enum tree_sight sight = feed_sight (self, feed, effect);
    if (!turns && sight == TREE_HIDDEN) {
        feed_pass (self, feed, effect);
        return;
    }
    if (!is_told (self, feed, effect)) {
        return;
    }
    if (turns) {
        turn (self, feed);
        return;
    }
    feed_pass (self, feed, effect);
    struct encoded encoded = encode (matching, feed_shows (feed, sight));
    struct link link = {encoded.at, encoded.size, NO_LINK};
    uint32_t index = (uint32_t) (self->links.size / sizeof link);
    buf_append (&self->links, &link, sizeof link);
    if (self->links.failed || self->changes.failed) {
        client_doom (self, feed->client, COHORT_ENOMEM, "out of memory");
        return;
    }
    self->telling += 1 + encoded.size / TELL_BYTES;
    if (feed->first_link == NO_LINK) {
        self->telling += TELL_BATCH;
        feed->first_link = index;
        if (!list_linked (&feed->touch_node)) {
            list_push_back (&self->touched, &feed->touch_node);
        }
    } else {
        link_at (self, feed->last_link)->next = index;
    }
    feed->last_link = index;
}

static void match (void *arg, struct stream *stream)
{
    tell (arg, container_of (stream, struct feed, stream));
}

/* Nobody knows in which subtrees the owner has ephemerals: every stream is told. */
static void match_all (struct matching *matching)
{
    struct map *feeds = &matching->self->feed_map;
    for (struct map_node *at = map_first (feeds); at != NULL; at = map_next (feeds, at)) {
        tell (matching, map_entry (at, struct feed, node));
    }
}

void feed_effect (struct clients *self, const struct effect *effect)
{
    struct matching matching = {.self = self, .effect = effect};
    if (effect->kind == EFFECT_OWNER) {
        match_all (&matching);
    } else if (map_count (&self->feed_map) > 0) {
        streams_match (self->streams, effect->path, effect->path_size, match, &matching);
    }
}

/* The changes of the transaction that concern the feed, as one batch, in fragments if it is
 * long. */
static void deliver_batch (struct clients *self, struct feed *feed, zxid_t zxid)
{
    struct feed_batch batch = {.out = NULL};
    uint32_t index = feed->first_link;
    for (bool first = true; index != NO_LINK; first = false) {
        if (!feed_batch_begin (self, feed, zxid, first, &batch)) {
            return;
        }
        while (index != NO_LINK && feed_batch_size (&batch) < self->options.frame_bytes) {
            const struct link *link = link_at (self, index);
            buf_append (batch.out, self->changes.data + link->at, link->size);
            index = link->next;
        }
        feed_batch_end (self, feed, &batch, index != NO_LINK);
    }
    if (feed->phase == FEED_LIVE) {
        feed->told = zxid;
    }
}

void feed_effects_end (struct clients *self, zxid_t zxid)
{
    struct list_node *node;
    self->work += self->links.size / sizeof (struct link) / WORK_CHANGES;
    self->telling = 0;
    while ((node = list_pop_front (&self->touched)) != NULL) {
        struct feed *feed = list_entry (node, struct feed, touch_node);
        if (feed->turns) {
            feed->turns = false;
            feed_start_again (self, feed);
        } else if (feed->phase == FEED_LIVE && feed->client->pulling > 0) {
            withdraw (self, feed, zxid); /* another one of the client was late */
        } else {
            deliver_batch (self, feed, zxid);
        }
        feed->first_link = feed->last_link = NO_LINK;
    }
    buf_clear (&self->changes);
    buf_clear (&self->links);
}

void feed_progress (struct clients *self, struct client *client)
{
    zxid_t zxid = tree_zxid (self->tree);
    for (struct list_node *at = list_first (&client->feeds); at != NULL && client->pulling == 0;
         at = list_next (&client->feeds, at)) {
        struct feed *feed = list_entry (at, struct feed, client_node);
        bool asked = (feed->flags & FEED_PROGRESS) != 0 && !COHORT_MUTATED (marks_never);
        zxid_t distance = asked ? 1 : PROGRESS_DISTANCE;
        if (feed->phase != FEED_LIVE || zxid - feed->told < distance) {
            continue;
        }
        struct feed_batch batch = {.out = NULL};
        if (!feed_batch_begin (self, feed, zxid, false, &batch)) {
            return;
        }
        feed_batch_end (self, feed, &batch, false);
        feed->told = zxid;
    }
}
