/* What the fuzz targets share.
 *
 * A target is one file, fuzz_NAME.c, with one `const struct fuzz_target fuzz_target`. With driver.c
 * it is a test like any other: it works through its seeds, through the inputs that once found a bug
 * and through some random changes of them all. With engine.c and libFuzzer it is a fuzzer.
 *
 * Whatever the bytes are, a target must come back, and what it asserts (COHORT_ASSERT) must hold:
 * beyond crashes, that is how it finds what is wrong. */

#ifndef COHORT_TESTS_FUZZ_H
#define COHORT_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/assert.h"
#include "client/base/buf.h"

/* The name becomes that of a file; it says what is special about the seed. */
typedef void fuzz_seed_fn (void *arg, const char *name, const void *data, size_t size);

struct fuzz_target {
    const char *name; /* of fuzz_NAME.c, with '-' for '_' */
    size_t size_max;  /* bytes of an input: longer ones are cut */

    /* An input of n bytes may make the code ask for base + factor * n bytes in all, freed or not:
     * whoever sends little must not make a server take much. 0: not measured. */
    uint64_t memory_base, memory_factor;

    void (*one) (const uint8_t *data, size_t size);

    /* Calls add for each seed, made by the code that writes such inputs in production: when a
     * format changes, the seeds change with it. */
    void (*seeds) (fuzz_seed_fn *add, void *arg);
};

extern const struct fuzz_target fuzz_target;

/* One input: measures, and calls fuzz_target.one. */
void fuzz_run (const uint8_t *data, size_t size);

/* Writes each seed of the target as a file into the folder, which exists. false: it told stderr. */
bool fuzz_write_seeds (const char *folder);

/* ---- Structure out of bytes ------------------------------------------------------------------
 * A target that wants a sequence of operations reads its decisions from the input, which behind its
 * end is all zeros. */

/* One of 0 ... bound - 1; bound is at least 1. */
uint32_t fuzz_below (struct reader *input, uint32_t bound);
/* True in about one of n cases; never behind the end. */
bool fuzz_one_in (struct reader *input, uint32_t n);
/* A number that is more often small, or near the ends of its range, than in between. */
uint64_t fuzz_number (struct reader *input);
/* The next few bytes, at most size_max, borrowed; never NULL. */
const uint8_t *fuzz_bytes (struct reader *input, size_t size_max, size_t *size);

#endif
