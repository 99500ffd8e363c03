/* A bump allocator over a chain of blocks. May include: base, libc. */

#include "client/base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas (ARENA_ALIGNMENT) uint8_t data[];
};

_Static_assert(alignof (max_align_t) >= ARENA_ALIGNMENT, "malloc must align blocks well enough");

void arena_init (struct arena *arena, size_t block_size, size_t keep_max)
{
    COHORT_ASSERT (block_size > 0);
    COHORT_ASSERT (block_size <= SIZE_MAX / 2);
    *arena = (struct arena){.block_size = block_size, .keep_max = keep_max};
}

/* Frees this block and all that follow. */
static void release_from (struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        mem_free (block);
        block = next;
    }
}

void arena_deinit (struct arena *arena)
{
    release_from (arena->first);
    arena->first = arena->current = NULL;
    arena->used = 0;
}

void arena_reset (struct arena *arena)
{
    size_t kept = 0;
    struct arena_block **link = &arena->first;
    while (*link != NULL && (*link)->size <= arena->keep_max - kept) {
        kept += (*link)->size;
        (*link)->used = 0;
        link = &(*link)->next;
    }
    release_from (*link);
    *link = NULL;
    arena->current = arena->first;
    arena->used = 0;
}

/* Makes `current` a block with `size` bytes free: the one that follows, if a reset left a fitting
 * one there, or a new one. Returns NULL when memory runs out. */
static struct arena_block *advance (struct arena *arena, size_t size)
{
    struct arena_block *current = arena->current;
    struct arena_block *next = current != NULL ? current->next : NULL;
    if (next == NULL || next->size < size) {
        size_t block_size = size > arena->block_size ? size : arena->block_size;
        struct arena_block *block = mem_alloc (sizeof (*block) + block_size);
        if (block == NULL) {
            return NULL;
        }
        block->size = block_size;
        block->next = next;
        if (current != NULL) {
            current->next = block;
        } else {
            arena->first = block;
        }
        next = block;
    }
    next->used = 0;
    arena->current = next;
    return next;
}

void *arena_alloc (struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    /* An empty allocation takes a unit as well, so that pointers stay distinct. */
    size_t rounded = size == 0 ? ARENA_ALIGNMENT
                               : (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    struct arena_block *block = arena->current;
    if (block == NULL || block->size - block->used < rounded) {
        block = advance (arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    COHORT_ASSERT (rounded <= block->size - block->used);
    void *memory = block->data + block->used;
    block->used += rounded;
    arena->used += rounded;
    return memory;
}

void *arena_calloc (struct arena *arena, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    void *memory = arena_alloc (arena, count * size);
    if (memory != NULL) {
        memset (memory, 0, count * size);
    }
    return memory;
}

void *arena_dup (struct arena *arena, const void *data, size_t size)
{
    COHORT_ASSERT (data != NULL || size == 0);
    void *copy = arena_alloc (arena, size);
    if (copy != NULL && size > 0) {
        memcpy (copy, data, size);
    }
    return copy;
}

char *arena_strdup (struct arena *arena, const char *string)
{
    return arena_dup (arena, string, strlen (string) + 1);
}

size_t arena_used (const struct arena *arena)
{
    return arena->used;
}
