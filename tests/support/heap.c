/* What is allocated through client/base/alloc.h: see heap.h. */

#include "tests/support/heap.h"

#include <malloc.h>
#include <stdatomic.h>

#include "client/base/alloc.h"

static _Atomic int64_t in_use, peak;

static void count_memory (void *memory, int count)
{
    int64_t now = atomic_fetch_add (&in_use, count * (int64_t) malloc_usable_size (memory)) +
                  count * (int64_t) malloc_usable_size (memory);
    int64_t before = atomic_load (&peak);
    while (now > before && !atomic_compare_exchange_weak (&peak, &before, now)) {
    }
}

void heap_watch_begin (void)
{
    atomic_store (&in_use, 0);
    atomic_store (&peak, 0);
    mem_watch (count_memory);
}

void heap_watch_end (void)
{
    mem_watch (NULL);
}

int64_t heap_in_use (void)
{
    return atomic_load (&in_use);
}

int64_t heap_peak (void)
{
    return atomic_load (&peak);
}

void heap_peak_reset (void)
{
    atomic_store (&peak, atomic_load (&in_use));
}
