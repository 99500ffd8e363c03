/*
 * server/tree/streams.c - who follows which subtree
 *
 * PURE.  A table of roots, each with a list of its streams in the order in which they were opened;
 * and a table of owners.
 */
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "server/tree/path.h"
#include "server/tree/watch.h"

struct root {
    struct map_node node;
    struct list streams;
    uint32_t path_size;
    char path[];
};

struct follower {
    struct map_node node; /* its hash is the owner's number */
    struct list streams;
};

struct stream {
    struct list_node of_root;
    struct list_node of_follower;
    struct root *root;
    struct follower *follower;
    uint64_t id;
};

struct streams {
    uint64_t hash_root;
    struct map roots;
    struct map followers;
};

struct streams *streams_new (uint64_t hash_seed)
{
    struct streams *self = mem_calloc (1, sizeof (*self));
    if (self != NULL) {
        self->hash_root = tree_path_hash_root (hash_seed);
        map_init (&self->roots);
        map_init (&self->followers);
    }
    return self;
}

static void free_root (struct map_node *node, void *arg)
{
    (void) arg;
    struct root *root = map_entry (node, struct root, node);
    struct list_node *first;
    while ((first = list_pop_front (&root->streams)) != NULL) {
        mem_free (list_entry (first, struct stream, of_root));
    }
    mem_free (root);
}

static void free_follower (struct map_node *node, void *arg)
{
    (void) arg;
    mem_free (map_entry (node, struct follower, node));
}

void streams_destroy (struct streams **self_p)
{
    struct streams *self = *self_p;
    if (self == NULL) {
        return;
    }
    map_drain (&self->roots, free_root, NULL);
    map_drain (&self->followers, free_follower, NULL);
    mem_free (self);
    *self_p = NULL;
}

/* ---- Tables ------------------------------------------------------------------------------ */

struct path_key {
    const char *path;
    size_t size;
};

static bool has_path (const struct map_node *node, const void *key)
{
    const struct path_key *wanted = key;
    const struct root *root = map_entry (node, struct root, node);
    return root->path_size == wanted->size && memcmp (root->path, wanted->path, wanted->size) == 0;
}

static struct root *find_root (const struct streams *self, uint64_t hash, const char *path,
                               size_t size)
{
    struct path_key key = {path, size};
    struct map_node *found = map_find (&self->roots, hash, has_path, &key);
    return found != NULL ? map_entry (found, struct root, node) : NULL;
}

static struct root *need_root (struct streams *self, const char *path, size_t size)
{
    uint64_t hash = tree_path_hash (self->hash_root, path, size, NULL);
    struct root *root = find_root (self, hash, path, size);
    if (root == NULL) {
        root = mem_alloc (sizeof (*root) + size);
        if (root == NULL) {
            return NULL;
        }
        list_init (&root->streams);
        root->path_size = (uint32_t) size;
        memcpy (root->path, path, size);
        root->node.hash = hash;
        map_insert (&self->roots, &root->node);
    }
    return root;
}

static bool any_follower (const struct map_node *node, const void *key)
{
    /* The hash is the number. */
    (void) node;
    (void) key;
    return true;
}

static struct follower *find_follower (const struct streams *self, uint64_t owner)
{
    struct map_node *found = map_find (&self->followers, owner, any_follower, NULL);
    return found != NULL ? map_entry (found, struct follower, node) : NULL;
}

static struct follower *need_follower (struct streams *self, uint64_t owner)
{
    struct follower *follower = find_follower (self, owner);
    if (follower == NULL) {
        follower = mem_calloc (1, sizeof (*follower));
        if (follower == NULL) {
            return NULL;
        }
        list_init (&follower->streams);
        follower->node.hash = owner;
        map_insert (&self->followers, &follower->node);
    }
    return follower;
}

/* Lets go of entries that have no stream any more. */
static void drop_if_empty (struct streams *self, struct root *root, struct follower *follower)
{
    if (root != NULL && list_empty (&root->streams)) {
        map_remove (&self->roots, &root->node);
        mem_free (root);
    }
    if (follower != NULL && list_empty (&follower->streams)) {
        map_remove (&self->followers, &follower->node);
        mem_free (follower);
    }
}

static struct stream *find_stream (const struct follower *follower, uint64_t id)
{
    for (struct list_node *at = list_first (&follower->streams); at != NULL;
         at = list_next (&follower->streams, at)) {
        struct stream *stream = list_entry (at, struct stream, of_follower);
        if (stream->id == id) {
            return stream;
        }
    }
    return NULL;
}

static void remove_stream (struct streams *self, struct stream *stream)
{
    list_remove (&stream->of_root);
    list_remove (&stream->of_follower);
    drop_if_empty (self, stream->root, stream->follower);
    mem_free (stream);
}

bool streams_add (struct streams *self, uint64_t owner, uint64_t stream_id, const char *path,
                  size_t path_size)
{
    COHORT_ASSERT (path_size <= UINT32_MAX);
    /* A stream opened again is a new one: its place may be another. */
    streams_remove (self, owner, stream_id);
    struct root *root = need_root (self, path, path_size);
    struct follower *follower = need_follower (self, owner);
    struct stream *stream = mem_calloc (1, sizeof (*stream));
    if (root == NULL || follower == NULL || stream == NULL) {
        mem_free (stream);
        drop_if_empty (self, root, follower);
        return false;
    }
    stream->root = root;
    stream->follower = follower;
    stream->id = stream_id;
    list_push_back (&root->streams, &stream->of_root);
    list_push_back (&follower->streams, &stream->of_follower);
    COHORT_ASSERT (find_stream (follower, stream_id) == stream);
    return true;
}

void streams_remove (struct streams *self, uint64_t owner, uint64_t stream_id)
{
    struct follower *follower = find_follower (self, owner);
    struct stream *stream = follower != NULL ? find_stream (follower, stream_id) : NULL;
    if (stream != NULL) {
        remove_stream (self, stream);
    }
}

void streams_remove_owner (struct streams *self, uint64_t owner)
{
    struct follower *follower = find_follower (self, owner);
    while (follower != NULL) {
        struct list_node *first = list_first (&follower->streams);
        COHORT_ASSERT (first != NULL);
        /* With its last stream the follower goes. */
        bool last = list_next (&follower->streams, first) == NULL;
        remove_stream (self, list_entry (first, struct stream, of_follower));
        if (last) {
            return;
        }
    }
}

/* ---- Matching ---------------------------------------------------------------------------- */

static void report (const struct root *root, streams_fn *fn, void *arg)
{
    for (struct list_node *at = list_first (&root->streams); at != NULL;) {
        const struct stream *stream = list_entry (at, struct stream, of_root);
        at = list_next (&root->streams, at);
        fn (arg, stream->follower->node.hash, stream->id);
    }
}

void streams_match (const struct streams *self, const char *path, size_t path_size, streams_fn *fn,
                    void *arg)
{
    COHORT_ASSERT (path_size >= 1);
    if (map_count (&self->roots) == 0) {
        return;
    }
    uint64_t hash = self->hash_root;
    const struct root *root = find_root (self, hash, "/", 1);
    if (root != NULL) {
        report (root, fn, arg);
    }
    for (size_t begin = 1; begin < path_size;) {
        const char *slash = memchr (path + begin, '/', path_size - begin);
        size_t end = slash != NULL ? (size_t) (slash - path) : path_size;
        hash = tree_path_hash_child (hash, path + begin, end - begin);
        root = find_root (self, hash, path, end);
        if (root != NULL) {
            report (root, fn, arg);
        }
        begin = end + 1;
    }
}

bool stream_covers (const char *root, size_t root_size, const char *path, size_t path_size)
{
    COHORT_ASSERT (root_size >= 1);
    COHORT_ASSERT (path_size >= 1);
    if (root_size == 1) {
        return true;
    }
    return path_size >= root_size && memcmp (path, root, root_size) == 0 &&
           (path_size == root_size || path[root_size] == '/');
}

bool stream_concerns (const char *root, size_t root_size, const struct effect *effect)
{
    return effect->kind == EFFECT_OWNER ||
           stream_covers (root, root_size, effect->path, effect->path_size);
}

bool stream_has_passed (const struct buf *place, size_t root_size, const struct effect *effect)
{
    const char *at = (const char *) place->data;
    size_t size = effect->path_size;
    if (place->size == 0 || effect->kind == EFFECT_OWNER) {
        return place->size > 0;
    }
    COHORT_ASSERT (effect->path_size >= root_size);
    if (size > root_size && (effect->kind == EFFECT_CREATED || effect->kind == EFFECT_DELETED)) {
        size = tree_path_parent_size (effect->path, size);
    }
    return tree_path_order (effect->path, size, at, place->size) <= 0;
}
