/* server/core/history.h - the log as an index
 *
 * Of each entry it holds the chain hash and the size; the bytes are elsewhere. Zxids are contiguous
 * within an epoch, so a table of epochs gives the position of any of them. Entries lie in blocks:
 * appending never copies, and dropping a prefix costs what is dropped.
 *
 * The log begins behind `base`, a point whose entry it need not have: everything up to it is in a
 * snapshot. May include: client/base, server/core. */
#ifndef SERVER_CORE_HISTORY_H
#define SERVER_CORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/zab.h"

struct history_block;
struct history_epoch;

/* Private, except base, last and count. */
struct history {
    struct zab_point base; /* the log begins behind it */
    struct zab_point last; /* its last entry, or base */
    uint64_t count;        /* entries */

    /* Positions of the first entry and behind the last; only truncation lowers one of them. */
    uint64_t begin, end;
    uint64_t base_bytes; /* of all entries before begin */
    /* The entry at position p is in blocks[p / HISTORY_BLOCK - first_block]. */
    struct history_block **blocks;
    uint64_t first_block;
    size_t blocks_count, blocks_capacity;
    struct history_epoch *epochs; /* ascending, one for each epoch that has entries */
    size_t epochs_count, epochs_capacity;
};

/* An empty log behind zxid 0; allocates nothing.  (history_init is a name of libedit.) */
void history_begin (struct history *self);
void history_deinit (struct history *self);

/* Forgets everything: an empty log behind `base`. */
void history_reset (struct history *self, struct zab_point base);

/* Adds the entry that follows last. false: out of memory, nothing changed. */
bool history_append (struct history *self, struct zab_point point, uint32_t size);

/* Drops every entry after `zxid`, which must be base or an entry. */
void history_truncate (struct history *self, zxid_t zxid);

/* Drops every entry up to and with `zxid`, which must be base or an entry, and becomes base. */
void history_drop (struct history *self, zxid_t zxid);

/* The highest point (base included) not above zxid. false: zxid is below base. */
bool history_floor (const struct history *self, zxid_t zxid, struct zab_point *point);

/* Whether zxid is base or an entry. */
bool history_has (const struct history *self, zxid_t zxid);

/* Whether the log has this very point, base included. */
bool history_agrees (const struct history *self, struct zab_point point);

/* Bytes of the entries in (after, last]; after must be base or an entry. */
uint64_t history_bytes_after (const struct history *self, zxid_t after);

/* The last entry of a chunk that begins behind `after` and holds at most bytes_max, but at least
 * one entry; `after` itself if it is the last. */
zxid_t history_chunk_end (const struct history *self, zxid_t after, uint64_t bytes_max);

/* base, then the last point of each epoch, ascending; if there are more than `max`, the last
 * ones behind base. max is at least 2. The number of points. */
size_t history_points (const struct history *self, struct zab_point *points, size_t max);

enum history_agreement {
    HISTORY_AGREE_FOUND = 1, /* *point is the highest point that both logs have */
    HISTORY_AGREE_TRY,       /* ask the other whether it has *point */
    HISTORY_AGREE_NONE       /* agreement is older than this log: a snapshot */
};

/* Where this log and another agree, given points of the other (as history_points gives them; or
 * its answer to a TRY, as the only one). */
enum history_agreement history_agree (const struct history *self, const struct zab_point *points,
                                      size_t count, struct zab_point *point);

#endif
