/* How often which value was seen, in log-linear buckets: values up to HISTOGRAM_PARTS have one
 * each, and each power of two above is divided into HISTOGRAM_PARTS / 2 equal ones. What is told of
 * a value is its bucket's end, so that it is never too small, and too large by less than one part
 * in HISTOGRAM_PARTS / 2. Recording costs the same whatever has been recorded; the memory is fixed.
 * May include: libc only. */

#ifndef COHORT_CLI_HISTOGRAM_H
#define COHORT_CLI_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_PARTS_LOG2 9
#define HISTOGRAM_PARTS      (1 << HISTOGRAM_PARTS_LOG2)
/* All values that an int64_t can have, from 0. */
#define HISTOGRAM_BUCKETS (HISTOGRAM_PARTS + (63 - HISTOGRAM_PARTS_LOG2) * (HISTOGRAM_PARTS / 2))

struct histogram {
    uint64_t count;
    int64_t min, max; /* exact; 0 as long as there is no value */
    double sum;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

/* NULL: out of memory. It is empty, and released with free. */
struct histogram *histogram_new (void);

/* A value below 0 counts as 0. */
void histogram_record (struct histogram *self, int64_t value);

/* Adds all that `other` has. */
void histogram_add (struct histogram *self, const struct histogram *other);

/* The value behind which part/whole of all are smaller, as sorted[count * part / whole] would be of
 * a sorted list, part/whole 1 being the largest; at most 1/256 too large, and never above the
 * largest. 0 when there is none. */
int64_t histogram_percentile (const struct histogram *self, uint64_t part, uint64_t whole);

double histogram_mean (const struct histogram *self);

/* A bucket has the values from `from` to `to`, both included. */
struct histogram_bucket {
    int64_t from, to;
    uint64_t count;
};

/* The first bucket from `*position` on (begin with 0) that is not empty; `*position` is put behind
 * it. False: there is none any more. */
bool histogram_next (const struct histogram *self, size_t *position,
                     struct histogram_bucket *bucket);

#endif
