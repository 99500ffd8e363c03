/*
 * server/tree/effects_pack.h - the numbers of an effect in few bytes
 *
 * PURE.  Internal to server/tree/effects.c.  Most of them follow from others, as a rule: of what
 * was just created each zxid is that of the change.  So each is written as what it differs by from
 * what is to be expected, and only if it does.
 */
#ifndef SERVER_TREE_EFFECTS_PACK_H
#define SERVER_TREE_EFFECTS_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "server/tree/tree.h"

enum { EFFECTS_HEAD_MAX = 256 };

/* All but zxid, and the bytes of path, data and lists.  base_ms: a time near that of the effect.
 * Returns the number of bytes. */
size_t effects_pack (const struct effect *effect, int64_t base_ms, uint8_t head[EFFECTS_HEAD_MAX]);

/* The reverse: sets all numbers but zxid, which is there.  Returns the end of what was packed. */
const uint8_t *effects_unpack (const uint8_t *head, int64_t base_ms, struct effect *effect);

#endif
