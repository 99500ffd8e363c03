/* A bump allocator: many small allocations that all end together.
 *
 * One thread owns an arena. May include: base, libc. */

#ifndef COHORT_BASE_ARENA_H
#define COHORT_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* Every allocation is aligned to this. */
#define ARENA_ALIGNMENT 16

struct arena_block;

/* Private. */
struct arena {
    struct arena_block *first, *current;
    size_t block_size; /* bytes of an ordinary block */
    size_t keep_max;   /* bytes of blocks that arena_reset keeps */
    size_t used;
};

/* An empty arena; allocates nothing. Blocks have `block_size` bytes, or more for an allocation
 * that needs more; arena_reset keeps the first blocks up to `keep_max` bytes in all. */
void arena_init (struct arena *arena, size_t block_size, size_t keep_max);
/* Releases everything; the arena can be used again. */
void arena_deinit (struct arena *arena);
/* Takes back every allocation at once. */
void arena_reset (struct arena *arena);

/* Memory that lives until arena_reset or arena_deinit, uninitialised; NULL when there is none
 * left. A size of 0 yields a pointer too. */
void *arena_alloc (struct arena *arena, size_t size);
/* The same for count * size bytes, zeroed; NULL also when the product overflows. */
void *arena_calloc (struct arena *arena, size_t count, size_t size);
/* Copies of bytes (data may be NULL if size is 0) and of a terminated string; NULL when memory
 * runs out. */
void *arena_dup (struct arena *arena, const void *data, size_t size);
char *arena_strdup (struct arena *arena, const char *string);

/* Bytes allocated since the last reset, alignment included. */
size_t arena_used (const struct arena *arena);

#endif
