/* What agrees to a hand-over of ephemerals. */

#include "client/base/hand_over.h"

#include <string.h>

#include "client/base/buf.h"
#include "client/base/sha256.h"

/* Keeps these hashes apart from all others that are made of a password. */
static const char purpose[16] = "cohort hand-over";

enum { INPUT_SIZE = sizeof (purpose) + 8 + 8 + HAND_OVER_HASH_SIZE };

void hand_over_token (uint64_t from, uint64_t to, const uint8_t hash[HAND_OVER_HASH_SIZE],
                      uint8_t token[HAND_OVER_TOKEN_SIZE])
{
    uint8_t input[INPUT_SIZE], whole[SHA256_SIZE];
    memcpy (input, purpose, sizeof (purpose));
    bytes_put_u64 (input + sizeof (purpose), from);
    bytes_put_u64 (input + sizeof (purpose) + 8, to);
    memcpy (input + sizeof (purpose) + 16, hash, HAND_OVER_HASH_SIZE);
    sha256 (input, sizeof (input), whole);
    memcpy (token, whole, HAND_OVER_TOKEN_SIZE);
}
