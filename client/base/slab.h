/* Very many pieces of memory of a few sizes, none of which has a head of its own.
 *
 * Pieces of one size lie side by side in blocks; a block whose pieces are all free is given back.
 * What malloc spends on each piece - eight bytes, and the way up to its next size - is most of what
 * a million small objects would waste.
 *
 * One thread owns a slab. May include: base, libc. */

#ifndef COHORT_BASE_SLAB_H
#define COHORT_BASE_SLAB_H

#include <stddef.h>

#include "client/base/list.h"

/* Sizes are multiples of a unit; larger pieces than the largest are malloc's. */
enum { SLAB_UNIT = 8, SLAB_SIZE_MAX = 1024, SLAB_SIZES = SLAB_SIZE_MAX / SLAB_UNIT };

struct slab_block;

/* Who is told of a block before there is anything in it, so that it can be made ready meanwhile. */
struct slab_foresight {
    void (*coming) (void *arg, void *block, size_t size); /* NULL: nobody */
    void *arg;
};

/* Private. */
struct slab {
    struct list rooms[SLAB_SIZES]; /* by size: blocks in which there are free pieces */
    struct slab_block *spare;      /* one that is empty, so that the last piece can come and go */
    size_t blocks;
    struct slab_foresight foresight;
};

/* An empty slab; allocates nothing, and must not move in memory. */
void slab_init (struct slab *self);
/* Every piece has been freed. */
void slab_deinit (struct slab *self);

/* From now on a block is there before it is needed, one at a time, and somebody is told of it.
 * {NULL, NULL}: as slab_init leaves it. */
void slab_foresee (struct slab *self, struct slab_foresight foresight);

/* The size that a piece for so many bytes has in truth: all of it is the caller's. */
size_t slab_size (size_t size);

/* size uninitialised bytes, aligned as pointers are; NULL: out of memory. */
void *slab_alloc (struct slab *self, size_t size);
/* size: that with which it was allocated, or what slab_size made of it. */
void slab_free (struct slab *self, void *piece, size_t size);

#endif
