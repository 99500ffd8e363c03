/* A witness of how late the machine itself runs a thread that is ready to run.
 *
 * A bound of real time says nothing on a machine that has other work: what takes many threads and
 * processes, one after the other, waits for a processor at each step. The witness is a thread for
 * each processor that sleeps for a millisecond, again and again, and notes how much longer it was
 * kept waiting. A bound can then be stated as it is meant, for a machine that is free:
 *
 *     assert_true (took_ms <= BOUND_MS + witness_still_ms (witness, from_ms, to_ms));
 *
 * On a free machine this adds nothing, however long a program waits for a timer. May include: libc,
 * pthread. */

#ifndef COHORT_TESTS_SUPPORT_WITNESS_H
#define COHORT_TESTS_SUPPORT_WITNESS_H

#include <stddef.h>
#include <stdint.h>

struct witness;

/* Starts to watch. Aborts if it cannot. */
struct witness *witness_new (void);
void witness_destroy (struct witness **self_p);

/* The clock it goes by: CLOCK_MONOTONIC, in ms. */
int64_t witness_now_ms (void);

/* For how long, between two moments of that clock, some processor kept a thread waiting that was
 * ready: the union over all processors, rounded up. Each processor's newest 65,536 delays are
 * remembered, which are those of a minute at least. Any thread. */
int64_t witness_still_ms (struct witness *self, int64_t from_ms, int64_t to_ms);

/* How much of from..to these spans cover together; puts them in the order of their beginnings. */
struct witness_span {
    int64_t from, to;
};
int64_t witness_cover (struct witness_span *spans, size_t count, int64_t from, int64_t to);

#endif
