#include "client/cli/histogram.h"

#include <assert.h>
#include <stdlib.h>

#define HALF (HISTOGRAM_PARTS / 2)

struct histogram *histogram_new (void)
{
    return calloc (1, sizeof (struct histogram));
}

static int highest_bit (uint64_t value)
{
    return 63 - __builtin_clzll (value);
}

/* By how many bits values of a bucket are shifted so that what remains is below HISTOGRAM_PARTS. */
static int bucket_shift (size_t index)
{
    return index < HISTOGRAM_PARTS ? 0 : (int) (index - HALF) / HALF;
}

static size_t bucket_of (int64_t value)
{
    if (value < HISTOGRAM_PARTS) {
        return (size_t) value;
    }
    int shift = highest_bit ((uint64_t) value) - (HISTOGRAM_PARTS_LOG2 - 1);
    size_t index = (size_t) shift * HALF + (size_t) (value >> shift);
    assert (index < HISTOGRAM_BUCKETS && bucket_shift (index) == shift);
    return index;
}

static int64_t bucket_from (size_t index)
{
    int shift = bucket_shift (index);
    return (int64_t) (index - (size_t) shift * HALF) << shift;
}

static int64_t bucket_to (size_t index)
{
    return bucket_from (index) + ((INT64_C (1) << bucket_shift (index)) - 1);
}

void histogram_record (struct histogram *self, int64_t value)
{
    value = value < 0 ? 0 : value;
    self->min = self->count == 0 || value < self->min ? value : self->min;
    self->max = value > self->max ? value : self->max;
    self->sum += (double) value;
    self->count++;
    self->counts[bucket_of (value)]++;
}

void histogram_add (struct histogram *self, const struct histogram *other)
{
    if (other->count == 0) {
        return;
    }
    self->min = self->count == 0 || other->min < self->min ? other->min : self->min;
    self->max = other->max > self->max ? other->max : self->max;
    self->sum += other->sum;
    self->count += other->count;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        self->counts[i] += other->counts[i];
    }
}

int64_t histogram_percentile (const struct histogram *self, uint64_t part, uint64_t whole)
{
    assert (part <= whole && whole > 0);
    uint64_t below = self->count / whole * part + self->count % whole * part / whole, seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += self->counts[i];
        if (seen > below) {
            return bucket_to (i) < self->max ? bucket_to (i) : self->max;
        }
    }
    return self->max;
}

double histogram_mean (const struct histogram *self)
{
    return self->count > 0 ? self->sum / (double) self->count : 0;
}

bool histogram_next (const struct histogram *self, size_t *position,
                     struct histogram_bucket *bucket)
{
    while (*position < HISTOGRAM_BUCKETS && self->counts[*position] == 0) {
        ++*position;
    }
    if (*position == HISTOGRAM_BUCKETS) {
        return false;
    }
    size_t index = (*position)++;
    *bucket =
        (struct histogram_bucket){bucket_from (index), bucket_to (index), self->counts[index]};
    return true;
}
