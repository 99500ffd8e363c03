/* Memory: thin wrappers of malloc and friends, with a hook that makes a chosen allocation fail.
 *
 * base, client and server allocate through these only, so that a test can walk every cleanup path:
 *
 *     for (uint64_t n = 1;; n++) {
 *         mem_fail_at (n);
 *         int rc = thing_under_test ();
 *         if (!mem_fail_clear ()) {
 *             break;               the n-th allocation never came: all of them have been failed
 *         }
 *         assert (rc == COHORT_ENOMEM);
 *     }
 *
 * May include: libc only. Every function may be called from any thread. */

#ifndef COHORT_BASE_ALLOC_H
#define COHORT_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns memory that mem_free releases, or NULL when there is none left (or when the size
 * overflows); a size of 0 yields a unique pointer, so NULL always means failure. */

/* size uninitialised bytes. */
void *mem_alloc (size_t size);
/* The same, at an address that is a multiple of alignment, a power of two. */
void *mem_alloc_aligned (size_t alignment, size_t size);
/* count * size zeroed bytes; a large area costs nothing until it is touched. */
void *mem_calloc (size_t count, size_t size);
/* Resizes; on failure returns NULL and leaves `old` (which may be NULL) as it was. */
void *mem_realloc (void *old, size_t size);
/* A copy of size bytes. */
void *mem_dup (const void *data, size_t size);
/* A copy of a terminated string. */
char *mem_strdup (const char *string);

/* For who can neither go on without memory nor go back, as a state that must not differ from those
 * of other servers: ends the process when memory was not there. It says so on stderr, with status
 * 1: nothing is wrong with the program. */
#define MEM_NEED(there) (__builtin_expect (!!(there), 1) ? (void) 0 : mem_exhausted ())
_Noreturn void mem_exhausted (void);

/* NULL is allowed. */
void mem_free (void *memory);

/* For tests: lets the n-th allocation from now (1 is the next) of the whole process fail, once.
 * 0 disarms. */
void mem_fail_at (uint64_t n);
/* Disarms; returns whether the armed allocation came, and so failed. */
bool mem_fail_clear (void);

/* For tests that bound what is in use: fn hears of each piece of memory right after it came
 * (count 1) and right before it goes (count -1), on whatever thread. NULL ends it. */
typedef void mem_watch_fn (void *memory, int count);
void mem_watch (mem_watch_fn *fn);

#endif
