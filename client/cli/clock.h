/* The monotonic clock, in the two units needed here.
 * May include: libc only. */

#ifndef COHORT_CLI_CLOCK_H
#define COHORT_CLI_CLOCK_H

#include <stdint.h>

int64_t clock_ns (void);
int64_t clock_ms (void);

#endif
