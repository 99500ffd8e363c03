/*
 * server/tree/effects.h - the history of changes, bounded in bytes
 *
 * PURE.  Internal to server/tree; read through tree_effects.
 *
 * Chunks in a list, oldest first.  In a chunk the records grow from the front and their slots from
 * the back; the slots are of one size, so that a zxid is found by bisection, and hold hashes, so
 * that the changes of one path are found without touching the records.
 */
#ifndef SERVER_TREE_EFFECTS_H
#define SERVER_TREE_EFFECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"
#include "server/tree/tree.h"

enum {
    EFFECTS_BYTES_MAX = 16 << 20, /* the default */
    EFFECTS_CHUNK_MAX = 256 << 10,
    EFFECTS_CHUNK_MIN = 1 << 10
};

struct effects_chunk;

struct effects {
    struct list chunks;
    struct effects_chunk *spare; /* one that was given up, for the next */
    size_t bytes;                /* in chunks */
    size_t bytes_max;
    size_t chunk_size;
    zxid_t floor;
    /* The transaction that is being applied. */
    struct effects_chunk *begun_chunk; /* where it began, NULL: there was no chunk */
    uint32_t begun_count;
    uint32_t begun_used;
    size_t pending;
};

void effects_init (struct effects *self, uint64_t bytes_max, zxid_t floor);
void effects_deinit (struct effects *self);

/* Frees the oldest chunk, for the end of the ring's life; false: there is none. */
bool effects_drop_chunk (struct effects *self);

/* Around the effects of one entry; rollback takes back those since begin, end gives up what is
 * beyond the bound and returns the number of effects. */
void effects_begin (struct effects *self);
void effects_add (struct effects *self, const struct effect *effect, uint64_t path_hash,
                  uint64_t parent_hash);
void effects_rollback (struct effects *self);
size_t effects_end (struct effects *self);

/* Between entries: bytes that it has, and may have. */
size_t effects_bytes (const struct effects *self, size_t *may);

/* The effects on the path with this hash and on its children with zxid > after, oldest first;
 * others may slip in, the caller compares.  fn returns false to stop.  *looked: how many there are
 * to look at.  false: that is more than `look_max`, or after is below the floor; nothing was
 * called, and *looked is 0. */
bool effects_near (const struct effects *self, zxid_t after, uint64_t path_hash, size_t look_max,
                   size_t *looked, tree_effect_fn *fn, void *arg);

#endif
