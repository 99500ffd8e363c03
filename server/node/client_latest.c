/* client_latest.c: streams that catch up with the latest values only: see client_state.h.
 *
 * A stream that was opened with STREAM_LATEST and is behind is told, of each slice of the ring,
 * what became of each znode in it, in one batch: of a znode that was set a hundred times the last
 * value, of one that came and was set its creation with the last value, of one that came and went
 * that it went. A creation stands where it happened, so that parents come before children; it may
 * be of a znode that the client knows, which was deleted and created anew. */

#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"

enum { ARENA_BLOCK = 32 << 10 };

/* What became of a znode. */
struct latest {
    struct map_node node;
    struct list_node order;
    struct effect effect;
};

struct slice {
    struct clients *self;
    struct feed *feed;
    struct arena arena;
    struct map by_path;
    struct list order;
    zxid_t zxid; /* of the transaction that is being read */
    size_t looked;
    bool stopped; /* there is more behind it */
    bool failed;  /* out of memory */
    bool turned;  /* what comes next changes what the session may see */
};

static bool has_path (const struct map_node *node, const void *key)
{
    const struct effect *effect = key;
    const struct latest *latest = map_entry (node, struct latest, node);
    return latest->effect.path_size == effect->path_size &&
           memcmp (latest->effect.path, effect->path, effect->path_size) == 0;
}

static void note (struct slice *slice, const struct effect *effect)
{
    uint64_t hash = hash64 (effect->path, effect->path_size, slice->self->options.hash_seed);
    /* A change of owner is of no path, and each is told in its place. */
    bool owner = effect->kind == EFFECT_OWNER;
    struct map_node *found = owner ? NULL : map_find (&slice->by_path, hash, has_path, effect);
    struct latest *latest = found != NULL ? map_entry (found, struct latest, node) : NULL;
    if (latest == NULL) {
        latest = arena_calloc (&slice->arena, 1, sizeof *latest);
        if (latest == NULL) {
            slice->failed = true;
            return;
        }
        latest->node.hash = hash;
        latest->effect = *effect;
        if (!owner) {
            map_insert (&slice->by_path, &latest->node);
        }
        list_push_back (&slice->order, &latest->order);
        return;
    }
    if (COHORT_MUTATED (latest_is_first)) {
        return;
    }
    enum effect_kind before = latest->effect.kind;
    latest->effect = *effect;
    if (effect->kind == EFFECT_CREATED || effect->kind == EFFECT_DELETED) {
        list_remove (&latest->order);
        list_push_back (&slice->order, &latest->order);
    } else if (before == EFFECT_CREATED) {
        latest->effect.kind = before; /* its place is that of the creation */
    }
}

static bool look (void *arg, const struct effect *effect)
{
    struct slice *slice = arg;
    if (effect->zxid != slice->zxid && slice->looked >= PULL_EFFECTS) {
        slice->stopped = true;
        return false;
    }
    slice->zxid = effect->zxid;
    slice->looked++;
    if (feed_concerns (slice->feed, effect)) {
        slice->turned = feed_turns (slice->self, slice->feed, effect);
        feed_pass (slice->self, slice->feed, effect);
        if (feed_sight (slice->self, slice->feed, effect) != TREE_HIDDEN) {
            note (slice, effect);
        }
    }
    return !slice->failed && !slice->turned;
}

/* One batch, in fragments if it is long.  false: the client is doomed. */
static bool tell (struct slice *slice)
{
    struct feed *feed = slice->feed;
    struct feed_batch batch = {.out = NULL};
    bool first = true;
    struct list_node *at = list_first (&slice->order);
    while (at != NULL) {
        if (!feed_batch_begin (slice->self, feed, slice->zxid, first, &batch)) {
            return false;
        }
        first = false;
        while (at != NULL && feed_batch_size (&batch) < slice->self->options.frame_bytes) {
            const struct effect *effect = &list_entry (at, struct latest, order)->effect;
            enum tree_sight sight = feed_sight (slice->self, feed, effect);
            wire_client_change (batch.out, effect, feed_shows (feed, sight));
            at = list_next (&slice->order, at);
        }
        feed_batch_end (slice->self, feed, &batch, at != NULL);
    }
    if (!first) {
        feed->told = slice->zxid;
    }
    return true;
}

int feed_pull_latest (struct clients *self, struct feed *feed, bool *stopped)
{
    struct slice slice = {.self = self, .feed = feed, .zxid = feed->zxid};
    COHORT_ASSERT (feed->phase == FEED_PULLING);
    arena_init (&slice.arena, ARENA_BLOCK, 0);
    map_init (&slice.by_path);
    list_init (&slice.order);
    int rc = tree_effects (self->tree, feed->zxid, tree_zxid (self->tree), look, &slice);
    if (rc == 0 && slice.turned) {
        rc = COHORT_EGAP;
    } else if (rc == 0 && slice.failed) {
        client_doom (self, feed->client, COHORT_ENOMEM, "out of memory");
    } else if (rc == 0 && tell (&slice)) {
        feed->zxid = slice.zxid;
    }
    self->work += slice.looked / WORK_CHANGES;
    *stopped = slice.stopped || feed->client->doom_text != NULL;
    map_deinit (&slice.by_path);
    arena_deinit (&slice.arena);
    return rc;
}
