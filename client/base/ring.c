/* A growing ring. May include: base, libc. */

#include "client/base/ring.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

#define RING_CAPACITY_MIN 8

void ring_init (struct ring *ring, size_t elem_size, size_t max)
{
    COHORT_ASSERT (elem_size > 0);
    COHORT_ASSERT (max > 0);
    *ring = (struct ring){.elem_size = elem_size, .max = max};
}

void ring_deinit (struct ring *ring)
{
    mem_free (ring->data);
    ring_init (ring, ring->elem_size, ring->max);
}

void ring_clear (struct ring *ring)
{
    ring->head = ring->count = 0;
}

size_t ring_count (const struct ring *ring)
{
    return ring->count;
}

bool ring_empty (const struct ring *ring)
{
    return ring->count == 0;
}

bool ring_full (const struct ring *ring)
{
    return ring->count >= ring->max;
}

/* The slot of element i, which may be one past the last. */
static uint8_t *slot_of (const struct ring *ring, size_t i)
{
    COHORT_ASSERT (i < ring->capacity);
    size_t until_wrap = ring->capacity - ring->head;
    size_t slot = i < until_wrap ? ring->head + i : i - until_wrap;
    return ring->data + slot * ring->elem_size;
}

/* Doubles the capacity, up to the maximum. */
static bool grow (struct ring *ring)
{
    COHORT_ASSERT (ring->count == ring->capacity);
    size_t capacity = ring->capacity == 0              ? RING_CAPACITY_MIN
                      : ring->capacity > ring->max / 2 ? ring->max
                                                       : ring->capacity * 2;
    if (capacity > ring->max) {
        capacity = ring->max;
    }
    if (capacity > SIZE_MAX / ring->elem_size) {
        return false;
    }
    uint8_t *data = mem_alloc (capacity * ring->elem_size);
    if (data == NULL) {
        return false;
    }
    size_t until_wrap = ring->capacity - ring->head;
    if (ring->count > 0) {
        memcpy (data, ring->data + ring->head * ring->elem_size, until_wrap * ring->elem_size);
        memcpy (data + until_wrap * ring->elem_size, ring->data, ring->head * ring->elem_size);
    }
    mem_free (ring->data);
    ring->data = data;
    ring->capacity = capacity;
    ring->head = 0;
    return true;
}

bool ring_push (struct ring *ring, const void *elem)
{
    if (ring_full (ring) || (ring->count == ring->capacity && !grow (ring))) {
        return false;
    }
    memcpy (slot_of (ring, ring->count), elem, ring->elem_size);
    ring->count++;
    return true;
}

void *ring_at (const struct ring *ring, size_t i)
{
    COHORT_ASSERT (i < ring->count);
    return slot_of (ring, i);
}

void *ring_front (const struct ring *ring)
{
    return ring->count > 0 ? slot_of (ring, 0) : NULL;
}

void *ring_back (const struct ring *ring)
{
    return ring->count > 0 ? slot_of (ring, ring->count - 1) : NULL;
}

void ring_pop (struct ring *ring)
{
    COHORT_ASSERT (ring->count > 0);
    ring->head = ring->head + 1 == ring->capacity ? 0 : ring->head + 1;
    ring->count--;
}
