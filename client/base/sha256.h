/* SHA-256, the one cryptographic hash here: for what must not be found from its hash (passwords).
 * For tables, checksums and digests hash.h is ten times as fast.
 *
 * May include: base, libc. */

#ifndef COHORT_BASE_SHA256_H
#define COHORT_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

/* Of `size` bytes; data may be NULL if size is 0. */
void sha256 (const void *data, size_t size, uint8_t hash[SHA256_SIZE]);

/* Whether two secrets of this size are equal. Takes the same time wherever they differ, so that
 * nobody can find one byte by byte. */
bool secret_equal (const void *a, const void *b, size_t size);

#endif
