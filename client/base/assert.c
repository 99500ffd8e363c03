/* Assertions that are always on. May include: libc only. */

#include "client/base/assert.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/base/mutation.h"

/* The one piece of process-wide state in base: an assertion has no object to hang a handler on. */
static _Atomic (assert_handler_fn *) installed;

void assert_set_handler (assert_handler_fn *handler)
{
    atomic_store (&installed, handler);
}

void assert_fail (const char *expr, const char *file, int line)
{
#ifdef COHORT_MUTATIONS
    if (mutation_forgives (file)) {
        return;
    }
#endif
    assert_handler_fn *handler = atomic_load (&installed);
    if (handler != NULL) {
        handler (expr, file, line);
    } else {
        fprintf (stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
        fflush (stderr);
    }
    abort ();
}
