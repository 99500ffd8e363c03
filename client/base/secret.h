/* Secrets in memory, and bytes as text.
 *
 * May include: libc. */

#ifndef COHORT_BASE_SECRET_H
#define COHORT_BASE_SECRET_H

#include <stddef.h>

/* Overwrites memory that nobody reads any more; compilers do not leave it out. NULL with size 0 is
 * allowed. */
void secret_wipe (void *memory, size_t size);

/* Bytes of `size` bytes in base64 with its padding, the terminating 0 counted. */
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4 + 1)

/* As base64, into at least BASE64_SIZE (size) bytes. */
void base64_encode (char *text, const void *data, size_t size);

#endif
