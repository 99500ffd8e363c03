/* Pieces of a few sizes without heads: see slab.h. May include: base, libc. */

#include "client/base/slab.h"

#include <stdint.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

/* With it a piece that is used after it was freed is found, as if it were malloc's. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void) (address), (void) (size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void) (address), (void) (size))
#endif

/* A block begins where its address is a multiple of BLOCK_ALIGNMENT, so that each piece tells where
 * its block is. It is as much smaller as malloc's head, for one to follow upon the other. */
enum { BLOCK_ALIGNMENT = 1 << 20, MALLOC_HEAD = 16, BLOCK_SIZE = BLOCK_ALIGNMENT - MALLOC_HEAD };

struct slab_block {
    struct list_node node; /* of rooms; linked while there are free pieces */
    uint8_t *free;         /* the first of the row of pieces that were freed; NULL: none */
    uint32_t piece_size;
    uint32_t used;    /* pieces that are not free */
    uint32_t touched; /* bytes up to the end of the last piece that was ever used */
};

enum { PIECES_BEGIN = (sizeof (struct slab_block) + SLAB_UNIT - 1) / SLAB_UNIT * SLAB_UNIT };

_Static_assert(SLAB_UNIT >= sizeof (uint8_t *), "a free piece holds where the next one is");

void slab_init (struct slab *self)
{
    *self = (struct slab){0};
    for (size_t i = 0; i < SLAB_SIZES; i++) {
        list_init (&self->rooms[i]);
    }
}

static void block_free (struct slab *self, struct slab_block *block)
{
    COHORT_ASSERT (self->blocks > 0);
    self->blocks--;
    ASAN_UNPOISON_MEMORY_REGION (block, BLOCK_SIZE);
    mem_free (block);
}

void slab_deinit (struct slab *self)
{
    if (self->spare != NULL) {
        block_free (self, self->spare);
        self->spare = NULL;
    }
    COHORT_ASSERT (self->blocks == 0);
}

size_t slab_size (size_t size)
{
    size = size > 0 ? size : 1;
    return (size + SLAB_UNIT - 1) / SLAB_UNIT * SLAB_UNIT;
}

static struct list *room_of (struct slab *self, size_t piece_size)
{
    return &self->rooms[piece_size / SLAB_UNIT - 1];
}

static struct slab_block *block_alloc (struct slab *self)
{
    struct slab_block *block = mem_alloc_aligned (BLOCK_ALIGNMENT, BLOCK_SIZE);
    self->blocks += block != NULL ? 1 : 0;
    return block;
}

void slab_foresee (struct slab *self, struct slab_foresight foresight)
{
    self->foresight = foresight;
}

/* A block for pieces of this size, in which all are free. */
static struct slab_block *block_new (struct slab *self, size_t piece_size)
{
    struct slab_block *block = self->spare != NULL ? self->spare : block_alloc (self);
    self->spare = NULL;
    if (block == NULL) {
        return NULL;
    }
    if (self->foresight.coming != NULL) {
        self->spare = block_alloc (self);
        if (self->spare != NULL) {
            self->foresight.coming (self->foresight.arg, self->spare, BLOCK_SIZE);
        }
    }
    *block = (struct slab_block){.piece_size = (uint32_t) piece_size, .touched = PIECES_BEGIN};
    ASAN_POISON_MEMORY_REGION ((uint8_t *) block + PIECES_BEGIN, BLOCK_SIZE - PIECES_BEGIN);
    list_push_front (room_of (self, piece_size), &block->node);
    return block;
}

static bool is_full (const struct slab_block *block)
{
    return block->free == NULL && block->touched + block->piece_size > BLOCK_SIZE;
}

void *slab_alloc (struct slab *self, size_t size)
{
    size = slab_size (size);
    if (size > SLAB_SIZE_MAX) {
        return mem_alloc (size);
    }
    struct list_node *first = list_first (room_of (self, size));
    struct slab_block *block =
        first != NULL ? list_entry (first, struct slab_block, node) : block_new (self, size);
    if (block == NULL) {
        return NULL;
    }
    uint8_t *piece = block->free;
    if (piece != NULL) {
        ASAN_UNPOISON_MEMORY_REGION (piece, size);
        memcpy (&block->free, piece, sizeof (block->free));
    } else {
        piece = (uint8_t *) block + block->touched;
        ASAN_UNPOISON_MEMORY_REGION (piece, size);
        block->touched += block->piece_size;
    }
    block->used++;
    if (is_full (block)) {
        list_remove (&block->node);
    }
    return piece;
}

void slab_free (struct slab *self, void *piece, size_t size)
{
    size = slab_size (size);
    if (size > SLAB_SIZE_MAX) {
        mem_free (piece);
        return;
    }
    uint8_t *at = piece;
    struct slab_block *block = (void *) (at - (uintptr_t) at % BLOCK_ALIGNMENT);
    COHORT_ASSERT (block->piece_size == size);
    COHORT_ASSERT (block->used > 0);
    if (is_full (block)) {
        list_push_front (room_of (self, size), &block->node);
    }
    memcpy (at, &block->free, sizeof (block->free));
    ASAN_POISON_MEMORY_REGION (at, size);
    block->free = at;
    block->used--;
    if (block->used > 0) {
        return;
    }
    list_remove (&block->node);
    if (self->spare == NULL) {
        self->spare = block;
    } else {
        block_free (self, block);
    }
}
