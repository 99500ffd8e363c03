/*
 * server/store/pack.h - compression of the blocks of snapshots
 *
 * Each block stands for itself, so that neither side ever needs memory for more than one, and
 * damage to one is no damage to others.  One thread at a time.  The only user of zstd.
 */
#ifndef SERVER_STORE_PACK_H
#define SERVER_STORE_PACK_H

#include <stddef.h>
#include <stdint.h>

enum { PACK_LEVEL_DEFAULT = 1, PACK_LEVEL_MAX = 9 };

struct pack;

/* Allocates nothing for what is not used.  NULL: out of memory. */
struct pack *pack_new (void);
void pack_destroy (struct pack **self_p);

/* Bytes that pack_block may need as room. */
size_t pack_room (size_t size);

/* Compresses; level 1 to PACK_LEVEL_MAX.  *packed: bytes of the result; not less than size: it does
 * not pay, and the result is of no use.  0, COHORT_ENOMEM. */
int pack_block (struct pack *self, int level, const uint8_t *content, size_t size, uint8_t *out,
                size_t room, size_t *packed);

/* The reverse: exactly `size` bytes.  0, COHORT_ENOMEM, COHORT_ECORRUPT. */
int unpack_block (struct pack *self, const uint8_t *packed, size_t packed_size, uint8_t *content,
                  size_t size);

#endif
