/* What agrees to a hand-over of ephemerals: see docs/sessions.md.
 *
 * May include: base, libc. */

#ifndef COHORT_BASE_HAND_OVER_H
#define COHORT_BASE_HAND_OVER_H

#include <stdint.h>

enum { HAND_OVER_HASH_SIZE = 16, HAND_OVER_TOKEN_SIZE = 16 };

/* The token by which session `to` agrees to get what session `from` owns.  hash: the first bytes of
 * the SHA-256 of the password of `to`. */
void hand_over_token (uint64_t from, uint64_t to, const uint8_t hash[HAND_OVER_HASH_SIZE],
                      uint8_t token[HAND_OVER_TOKEN_SIZE]);

#endif
