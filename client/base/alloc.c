/* Memory: wrappers of malloc with a failure hook for tests. May include: libc only. */

/* posix_memalign: C11's aligned_alloc wants sizes that are multiples of the alignment. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "client/base/alloc.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Allocations left until the one that fails, itself included; 0 when disarmed. */
static atomic_uint_least64_t countdown;
static atomic_bool failed;

static _Atomic (mem_watch_fn *) watch;

/* The armed case of this_one_fails, out of line: only tests come here. */
static bool count_down (void)
{
    uint_least64_t left = atomic_load (&countdown);
    while (left > 0) {
        if (atomic_compare_exchange_weak (&countdown, &left, left - 1)) {
            if (left == 1) {
                atomic_store (&failed, true);
                return true;
            }
            return false;
        }
    }
    return false;
}

static inline bool this_one_fails (void)
{
    if (__builtin_expect (atomic_load_explicit (&countdown, memory_order_relaxed) == 0, 1)) {
        return false;
    }
    return count_down ();
}

static inline void *tell (void *memory, int count)
{
    mem_watch_fn *fn = atomic_load_explicit (&watch, memory_order_relaxed);
    if (__builtin_expect (fn != NULL, 0) && memory != NULL) {
        fn (memory, count);
    }
    return memory;
}

void *mem_alloc (size_t size)
{
    return this_one_fails () ? NULL : tell (malloc (size > 0 ? size : 1), 1);
}

void *mem_alloc_aligned (size_t alignment, size_t size)
{
    void *memory = NULL;
    if (this_one_fails () || posix_memalign (&memory, alignment, size) != 0) {
        return NULL;
    }
    return tell (memory, 1);
}

void *mem_calloc (size_t count, size_t size)
{
    /* libc checks the product too; sanitizers abort the program there instead of failing. */
    if ((size > 0 && count > SIZE_MAX / size) || this_one_fails ()) {
        return NULL;
    }
    return tell (count > 0 && size > 0 ? calloc (count, size) : calloc (1, 1), 1);
}

void *mem_realloc (void *old, size_t size)
{
    if (this_one_fails ()) {
        return NULL;
    }
    (void) tell (old, -1);
    void *memory = realloc (old, size > 0 ? size : 1);
    (void) tell (memory != NULL ? memory : old, 1);
    return memory;
}

void *mem_dup (const void *data, size_t size)
{
    void *copy = mem_alloc (size);
    if (copy != NULL && size > 0) {
        memcpy (copy, data, size);
    }
    return copy;
}

char *mem_strdup (const char *string)
{
    return mem_dup (string, strlen (string) + 1);
}

void mem_exhausted (void)
{
    fprintf (stderr, "cohort: out of memory: a state that must not differ from the other servers' "
                     "cannot go on, and the process ends\n");
    fflush (stderr);
    _Exit (EXIT_FAILURE);
}

void mem_free (void *memory)
{
    free (tell (memory, -1));
}

void mem_fail_at (uint64_t n)
{
    atomic_store (&failed, false);
    atomic_store (&countdown, n);
}

bool mem_fail_clear (void)
{
    atomic_store (&countdown, 0);
    return atomic_exchange (&failed, false);
}

void mem_watch (mem_watch_fn *fn)
{
    atomic_store (&watch, fn);
}
