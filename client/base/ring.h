/* A first-in first-out queue of elements of one size, in a ring that grows up to a maximum.
 *
 * One thread owns a ring. May include: base, libc. */

#ifndef COHORT_BASE_RING_H
#define COHORT_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private. */
struct ring {
    uint8_t *data;
    size_t elem_size, capacity, max;
    size_t head, count;
};

/* An empty ring of elements of `elem_size` bytes, at most `max` of them; allocates nothing. Both
 * are at least 1. */
void ring_init (struct ring *ring, size_t elem_size, size_t max);
/* Releases the memory; the ring is as after ring_init. */
void ring_deinit (struct ring *ring);
/* Removes all elements and keeps the memory. */
void ring_clear (struct ring *ring);

size_t ring_count (const struct ring *ring);
bool ring_empty (const struct ring *ring);
/* Whether `max` elements are inside. */
bool ring_full (const struct ring *ring);

/* Copies `elem_size` bytes to the end; false, and nothing changed, if the ring is full or memory
 * runs out (ring_full tells which). */
bool ring_push (struct ring *ring, const void *elem);

/* Element i, counted from the front; i < ring_count. The pointer is valid until the next
 * ring_push or removal, and the element may be changed through it. */
void *ring_at (const struct ring *ring, size_t i);
/* The first and the last element; NULL if there is none. */
void *ring_front (const struct ring *ring);
void *ring_back (const struct ring *ring);

/* Removes the first element; there must be one. */
void ring_pop (struct ring *ring);

#endif
