/*
 * server/tree/streams.c - who follows which subtree
 *
 * PURE.  A table of roots, each with a list of its streams in the order in which they were opened.
 */
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "client/base/mutation.h"
#include "server/tree/path.h"
#include "server/tree/watch.h"

struct stream_root {
    struct map_node node;
    struct list streams;
    struct list deaf; /* one of the two is not empty */
    uint32_t path_size;
    char path[];
};

struct streams {
    uint64_t hash_root;
    struct map roots;
};

struct streams *streams_new (uint64_t hash_seed)
{
    struct streams *self = mem_calloc (1, sizeof (*self));
    if (self != NULL) {
        self->hash_root = tree_path_hash_root (hash_seed);
        map_init (&self->roots);
    }
    return self;
}

void streams_destroy (struct streams **self_p)
{
    struct streams *self = *self_p;
    if (self == NULL) {
        return;
    }
    COHORT_ASSERT (map_count (&self->roots) == 0);
    map_deinit (&self->roots);
    mem_free (self);
    *self_p = NULL;
}

/* ---- The table --------------------------------------------------------------------------- */

struct path_key {
    const char *path;
    size_t size;
};

static bool has_path (const struct map_node *node, const void *key)
{
    const struct path_key *wanted = key;
    const struct stream_root *root = map_entry (node, struct stream_root, node);
    return root->path_size == wanted->size && memcmp (root->path, wanted->path, wanted->size) == 0;
}

static struct stream_root *find_root (const struct streams *self, uint64_t hash, const char *path,
                                      size_t size)
{
    struct path_key key = {path, size};
    struct map_node *found = map_find (&self->roots, hash, has_path, &key);
    return found != NULL ? map_entry (found, struct stream_root, node) : NULL;
}

static struct stream_root *need_root (struct streams *self, const char *path, size_t size)
{
    uint64_t hash = tree_path_hash (self->hash_root, path, size, NULL);
    struct stream_root *root = find_root (self, hash, path, size);
    if (root == NULL) {
        root = mem_alloc (sizeof (*root) + size);
        if (root == NULL) {
            return NULL;
        }
        list_init (&root->streams);
        list_init (&root->deaf);
        root->path_size = (uint32_t) size;
        memcpy (root->path, path, size);
        root->node.hash = hash;
        map_insert (&self->roots, &root->node);
    }
    return root;
}

bool streams_add (struct streams *self, struct stream *stream, const char *path, size_t path_size)
{
    COHORT_ASSERT (path_size <= UINT32_MAX);
    COHORT_ASSERT (stream->root == NULL);
    struct stream_root *root = need_root (self, path, path_size);
    if (root == NULL) {
        return false;
    }
    stream->root = root;
    stream->deaf = false;
    list_push_back (&root->streams, &stream->node);
    return true;
}

void streams_remove (struct streams *self, struct stream *stream)
{
    struct stream_root *root = stream->root;
    if (root == NULL) {
        return;
    }
    stream->root = NULL;
    list_remove (&stream->node);
    if (list_empty (&root->streams) && list_empty (&root->deaf)) {
        map_remove (&self->roots, &root->node);
        mem_free (root);
    }
}

void stream_deafen (struct stream *stream, bool deaf)
{
    COHORT_ASSERT (stream->root != NULL);
    if (stream->deaf != deaf) {
        stream->deaf = deaf;
        list_remove (&stream->node);
        list_push_back (deaf ? &stream->root->deaf : &stream->root->streams, &stream->node);
    }
}

/* ---- Matching ---------------------------------------------------------------------------- */

static void report (const struct stream_root *root, streams_fn *fn, void *arg)
{
    for (struct list_node *at = list_first (&root->streams), *next; at != NULL; at = next) {
        next = list_next (&root->streams, at); /* with the last one the root may go */
        fn (arg, list_entry (at, struct stream, node));
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
    const struct stream_root *root = find_root (self, hash, "/", 1);
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
           (path_size == root_size || path[root_size] == '/' || COHORT_MUTATED (name_begins));
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
    int order = tree_path_order (effect->path, size, at, place->size);
    return order < 0 || (order == 0 && !COHORT_MUTATED (last_passed_missed));
}
