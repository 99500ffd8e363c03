/* SHA-1, for one purpose: ZooKeeper's digests of users and passwords, which people bring with them.
 * It is not what anything new is built on; that is sha256.h.
 *
 * May include: base, libc. */

#ifndef COHORT_BASE_SHA1_H
#define COHORT_BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { SHA1_SIZE = 20 };

/* Of `size` bytes; data may be NULL if size is 0. */
void sha1 (const void *data, size_t size, uint8_t hash[SHA1_SIZE]);

#endif
