/* The log as an index: see history.h. May include: client/base, server/core. */

#include "server/core/history.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"

enum { HISTORY_BLOCK = 4096, HISTORY_GROUP = 32 };

/* Of each entry, and, so that few sizes make up that of any range, the bytes of all entries before
 * each group of them. */
struct history_block {
    uint64_t chain[HISTORY_BLOCK];
    uint64_t before[HISTORY_BLOCK / HISTORY_GROUP];
    uint32_t size[HISTORY_BLOCK];
};

/* Entry (epoch, counter) is at position + counter - first. */
struct history_epoch {
    uint32_t epoch;
    uint64_t first;
    uint64_t position;
};

void history_begin (struct history *self)
{
    memset (self, 0, sizeof *self);
}

void history_deinit (struct history *self)
{
    history_reset (self, (struct zab_point){0});
    mem_free (self->blocks);
    mem_free (self->epochs);
    history_begin (self);
}

/* Releases the blocks from index `keep` on. */
static void release_blocks_from (struct history *self, size_t keep)
{
    while (self->blocks_count > keep) {
        self->blocks_count--;
        mem_free (self->blocks[self->blocks_count]);
        self->blocks[self->blocks_count] = NULL;
    }
}

void history_reset (struct history *self, struct zab_point base)
{
    release_blocks_from (self, 0);
    self->base = base;
    self->last = base;
    self->count = 0;
    self->begin = self->end = 0;
    self->base_bytes = 0;
    self->first_block = 0;
    self->epochs_count = 0;
}

static const struct history_block *block_of (const struct history *self, uint64_t position)
{
    uint64_t index = position / HISTORY_BLOCK;
    COHORT_ASSERT (index >= self->first_block);
    COHORT_ASSERT (index - self->first_block < self->blocks_count);
    return self->blocks[index - self->first_block];
}

static uint64_t chain_at (const struct history *self, uint64_t position)
{
    return block_of (self, position)->chain[position % HISTORY_BLOCK];
}

/* Bytes of all entries before the position `end`. */
static uint64_t bytes_before (const struct history *self, uint64_t end)
{
    COHORT_ASSERT (end >= self->begin && end <= self->end);
    if (end == self->begin) {
        return self->base_bytes;
    }
    const struct history_block *block = block_of (self, end - 1);
    size_t last = (end - 1) % HISTORY_BLOCK;
    size_t group = last / HISTORY_GROUP;
    uint64_t bytes = block->before[group];
    for (size_t i = group * HISTORY_GROUP; i <= last; i++) {
        bytes += block->size[i];
    }
    return bytes;
}

/* The index behind the last epoch that is not above `epoch`. */
static size_t epochs_up_to (const struct history *self, uint32_t epoch)
{
    size_t low = 0, high = self->epochs_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->epochs[middle].epoch <= epoch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static zxid_t zxid_at (const struct history *self, uint64_t position)
{
    COHORT_ASSERT (position >= self->begin && position < self->end);
    size_t low = 0, high = self->epochs_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (self->epochs[middle].position <= position) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct history_epoch *epoch = &self->epochs[low];
    return zxid_make (epoch->epoch, epoch->first + (position - epoch->position));
}

/* Position behind the last entry that is not above zxid; begin if there is none. */
static uint64_t position_behind (const struct history *self, zxid_t zxid)
{
    size_t count = epochs_up_to (self, zxid_epoch (zxid));
    if (count == 0) {
        return self->begin;
    }
    const struct history_epoch *epoch = &self->epochs[count - 1];
    uint64_t next = count < self->epochs_count ? self->epochs[count].position : self->end;
    uint64_t position = next;
    if (epoch->epoch == zxid_epoch (zxid)) {
        uint64_t counter = zxid_counter (zxid);
        if (counter < epoch->first) {
            position = epoch->position;
        } else if (counter - epoch->first < next - epoch->position) {
            position = epoch->position + (counter - epoch->first) + 1;
        }
    }
    return position > self->begin ? position : self->begin;
}

static bool grow_blocks (struct history *self)
{
    if (self->blocks_count == self->blocks_capacity) {
        size_t capacity = self->blocks_capacity > 0 ? 2 * self->blocks_capacity : 16;
        struct history_block **blocks = mem_realloc (self->blocks, capacity * sizeof *blocks);
        if (blocks == NULL) {
            return false;
        }
        self->blocks = blocks;
        self->blocks_capacity = capacity;
    }
    struct history_block *block = mem_alloc (sizeof *block);
    if (block == NULL) {
        return false;
    }
    self->blocks[self->blocks_count++] = block;
    return true;
}

static bool grow_epochs (struct history *self)
{
    if (self->epochs_count < self->epochs_capacity) {
        return true;
    }
    size_t capacity = self->epochs_capacity > 0 ? 2 * self->epochs_capacity : 16;
    struct history_epoch *epochs = mem_realloc (self->epochs, capacity * sizeof *epochs);
    if (epochs == NULL) {
        return false;
    }
    self->epochs = epochs;
    self->epochs_capacity = capacity;
    return true;
}

bool history_append (struct history *self, struct zab_point point, uint32_t size)
{
    COHORT_ASSERT (zxid_follows (point.zxid, self->last.zxid));
    COHORT_ASSERT (self->count == self->end - self->begin);
    uint32_t epoch = zxid_epoch (point.zxid);
    bool new_epoch = self->epochs_count == 0 || self->epochs[self->epochs_count - 1].epoch != epoch;
    if (new_epoch && !grow_epochs (self)) {
        return false;
    }
    if (self->end / HISTORY_BLOCK - self->first_block == self->blocks_count &&
        !grow_blocks (self)) {
        return false;
    }
    if (new_epoch) {
        self->epochs[self->epochs_count++] = (struct history_epoch){
            .epoch = epoch, .first = zxid_counter (point.zxid), .position = self->end};
    }
    struct history_block *block = self->blocks[self->end / HISTORY_BLOCK - self->first_block];
    size_t at = self->end % HISTORY_BLOCK;
    if (at % HISTORY_GROUP == 0) {
        block->before[at / HISTORY_GROUP] = bytes_before (self, self->end);
    }
    block->chain[at] = point.chain;
    block->size[at] = size;
    self->end++;
    self->count++;
    self->last = point;
    return true;
}

void history_truncate (struct history *self, zxid_t zxid)
{
    struct zab_point point;
    bool found = history_floor (self, zxid, &point);
    COHORT_ASSERT (found);
    COHORT_ASSERT (point.zxid == zxid);
    self->end = position_behind (self, zxid);
    self->count = self->end - self->begin;
    self->last = point;
    uint64_t end = self->end + COHORT_MUTATED (empty_epoch_kept);
    while (self->epochs_count > 0 &&
           (self->epochs[self->epochs_count - 1].position >= end || self->count == 0)) {
        self->epochs_count--;
    }
    uint64_t blocks = (self->end + HISTORY_BLOCK - 1) / HISTORY_BLOCK;
    release_blocks_from (self, blocks > self->first_block ? blocks - self->first_block : 0);
}

void history_drop (struct history *self, zxid_t zxid)
{
    struct zab_point point;
    bool found = history_floor (self, zxid, &point);
    COHORT_ASSERT (found);
    COHORT_ASSERT (point.zxid == zxid);
    uint64_t begin = position_behind (self, zxid);
    self->base_bytes = bytes_before (self, begin);
    self->begin = begin;
    self->count = self->end - begin;
    self->base = point;

    size_t gone = 0;
    while (gone < self->epochs_count &&
           (gone + 1 < self->epochs_count ? self->epochs[gone + 1].position : self->end) <= begin) {
        gone++;
    }
    if (gone > 0) {
        self->epochs_count -= gone;
        memmove (self->epochs, self->epochs + gone, self->epochs_count * sizeof *self->epochs);
    }
    size_t blocks = begin / HISTORY_BLOCK - self->first_block;
    if (blocks > self->blocks_count) {
        blocks = self->blocks_count;
    }
    for (size_t i = 0; i < blocks; i++) {
        mem_free (self->blocks[i]);
    }
    if (blocks > 0) {
        self->blocks_count -= blocks;
        memmove (self->blocks, self->blocks + blocks, self->blocks_count * sizeof *self->blocks);
    }
    self->first_block = begin / HISTORY_BLOCK;
}

bool history_floor (const struct history *self, zxid_t zxid, struct zab_point *point)
{
    if (zxid < self->base.zxid) {
        return false;
    }
    uint64_t position = position_behind (self, zxid);
    if (position == self->begin) {
        *point = self->base;
    } else if (position == self->end) {
        *point = self->last;
    } else {
        point->zxid = zxid_at (self, position - 1);
        point->chain = chain_at (self, position - 1);
    }
    COHORT_ASSERT (point->zxid <= zxid);
    return true;
}

bool history_has (const struct history *self, zxid_t zxid)
{
    struct zab_point point;
    return history_floor (self, zxid, &point) && point.zxid == zxid;
}

bool history_agrees (const struct history *self, struct zab_point point)
{
    struct zab_point mine;
    return history_floor (self, point.zxid, &mine) && mine.zxid == point.zxid &&
           mine.chain == point.chain;
}

uint64_t history_bytes_after (const struct history *self, zxid_t after)
{
    COHORT_ASSERT (after >= self->base.zxid);
    COHORT_ASSERT (after <= self->last.zxid);
    return bytes_before (self, self->end) - bytes_before (self, position_behind (self, after));
}

zxid_t history_chunk_end (const struct history *self, zxid_t after, uint64_t bytes_max)
{
    COHORT_ASSERT (after >= self->base.zxid);
    COHORT_ASSERT (after <= self->last.zxid);
    uint64_t low = position_behind (self, after);
    if (low == self->end) {
        return after;
    }
    uint64_t limit = bytes_before (self, low);
    limit = limit > UINT64_MAX - bytes_max ? UINT64_MAX : limit + bytes_max;
    uint64_t high = self->end;
    low++; /* one entry at least */
    /* The highest end with bytes_before (end) <= limit, or low. */
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (bytes_before (self, middle) <= limit) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return zxid_at (self, low - 1);
}

size_t history_points (const struct history *self, struct zab_point *points, size_t max)
{
    COHORT_ASSERT (max >= 2);
    size_t count = 0;
    points[count++] = self->base;
    points[0].chain += COHORT_MUTATED (base_of_another);
    size_t first = self->epochs_count > max - 1 ? self->epochs_count - (max - 1) : 0;
    for (size_t i = first; i < self->epochs_count; i++) {
        uint64_t end = i + 1 < self->epochs_count ? self->epochs[i + 1].position : self->end;
        COHORT_ASSERT (end > self->begin);
        points[count++] =
            (struct zab_point){.zxid = zxid_at (self, end - 1), .chain = chain_at (self, end - 1)};
    }
    COHORT_ASSERT (points[count - 1].zxid == self->last.zxid);
    return count;
}

/* If two logs both have an entry of an epoch, one primary wrote both, on top of one history: they
 * agree up to the lower of their last entries of that epoch. So the highest such epoch decides,
 * and one confirmation of the hash is enough. */
enum history_agreement history_agree (const struct history *self, const struct zab_point *points,
                                      size_t count, struct zab_point *point)
{
    COHORT_ASSERT (count >= 1);
    COHORT_ASSERT (count <= ZAB_EPOCHS_MAX);
    for (size_t i = count; i-- > 0;) {
        struct zab_point mine;
        if (!history_floor (self, points[i].zxid, &mine)) {
            return HISTORY_AGREE_NONE;
        }
        *point = mine;
        if (mine.zxid == points[i].zxid) {
            /* With another hash, two histories bear one number. It is for the learner to see that
             * proof and to stop. */
            return mine.chain == points[i].chain ? HISTORY_AGREE_FOUND : HISTORY_AGREE_TRY;
        }
        if (i == 0 || zxid_epoch (mine.zxid) == zxid_epoch (points[i].zxid)) {
            return HISTORY_AGREE_TRY;
        }
        /* A full list has a hole behind its first point: the other's base. */
        if (i == 1 && count == ZAB_EPOCHS_MAX && points[0].zxid < mine.zxid) {
            return HISTORY_AGREE_TRY;
        }
    }
    COHORT_ASSERT (false);
    return HISTORY_AGREE_NONE;
}
