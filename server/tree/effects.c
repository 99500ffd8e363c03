/*
 * server/tree/effects.c - the history of changes, bounded in bytes
 *
 * PURE.
 */
#include "server/tree/effects.h"

#include <stdalign.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/effects_pack.h"
#include "server/tree/state.h"

/* Of a record: numbers (effects_pack.h), path, a 0, data, and the three access control lists. */
struct slot {
    uint32_t zxid[2]; /* low and high half: slots stand side by side without a gap */
    uint32_t offset;  /* of the record in data */
    uint32_t path_hash;
    uint32_t parent_hash;
};

struct effects_chunk {
    struct list_node node;
    int64_t base_ms; /* times in records are told from this one: that of the first */
    uint32_t size;   /* of data */
    uint32_t used;   /* by records, from the front */
    uint32_t count;  /* of slots, from the back */
    alignas (struct slot) uint8_t data[];
};

enum { ALIGNMENT = alignof (struct slot) };

_Static_assert(sizeof (struct slot) % ALIGNMENT == 0, "slots are aligned well enough");

static size_t aligned (size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct effects_chunk *chunk_at (const struct list_node *node)
{
    return node != NULL ? list_entry (node, struct effects_chunk, node) : NULL;
}

static struct effects_chunk *newest (const struct effects *self)
{
    return chunk_at (list_last (&self->chunks));
}

/* The slot of record i, counted in the order of writing. */
static struct slot *slot_at (const struct effects_chunk *chunk, uint32_t i)
{
    COHORT_ASSERT ((i + (size_t) 1) * sizeof (struct slot) <= chunk->size - chunk->used);
    uint8_t *end = (uint8_t *) (uintptr_t) chunk->data + chunk->size;
    void *slot = end - (i + (size_t) 1) * sizeof (struct slot);
    return slot;
}

static zxid_t slot_zxid (const struct effects_chunk *chunk, uint32_t i)
{
    const struct slot *slot = slot_at (chunk, i);
    return (zxid_t) slot->zxid[1] << 32 | slot->zxid[0];
}

void effects_init (struct effects *self, uint64_t bytes_max, zxid_t floor)
{
    *self = (struct effects){.floor = floor};
    self->bytes_max = bytes_max == 0 ? EFFECTS_BYTES_MAX : (size_t) bytes_max;
    size_t chunk_size = self->bytes_max / 8;
    chunk_size = chunk_size < EFFECTS_CHUNK_MIN ? EFFECTS_CHUNK_MIN : chunk_size;
    self->chunk_size = chunk_size > EFFECTS_CHUNK_MAX ? EFFECTS_CHUNK_MAX : aligned (chunk_size);
    list_init (&self->chunks);
}

bool effects_drop_chunk (struct effects *self)
{
    struct effects_chunk *chunk = chunk_at (list_pop_front (&self->chunks));
    mem_free (chunk);
    return chunk != NULL;
}

void effects_deinit (struct effects *self)
{
    while (effects_drop_chunk (self)) {
    }
    mem_free (self->spare);
    self->spare = NULL;
}

/* Keeps one chunk of the ordinary size for reuse. */
static void release (struct effects *self, struct effects_chunk *chunk)
{
    list_remove (&chunk->node);
    COHORT_ASSERT (self->bytes >= chunk->size);
    self->bytes -= chunk->size;
    if (self->spare == NULL && chunk->size == self->chunk_size) {
        self->spare = chunk;
    } else {
        mem_free (chunk);
    }
}

/* A chunk with room for a record of so many bytes, at the end of the list. */
static struct effects_chunk *extend (struct effects *self, size_t record_size, int64_t base_ms)
{
    size_t size = aligned (record_size) + sizeof (struct slot);
    struct effects_chunk *chunk;
    if (size <= self->chunk_size && self->spare != NULL) {
        chunk = self->spare;
        self->spare = NULL;
    } else {
        size = size < self->chunk_size ? self->chunk_size : size;
        COHORT_ASSERT (size <= UINT32_MAX);
        chunk = mem_alloc (sizeof (*chunk) + size);
        MEM_NEED (chunk != NULL);
        chunk->size = (uint32_t) size;
        list_node_init (&chunk->node);
    }
    chunk->base_ms = base_ms;
    chunk->used = 0;
    chunk->count = 0;
    self->bytes += chunk->size;
    list_push_back (&self->chunks, &chunk->node);
    return chunk;
}

void effects_begin (struct effects *self)
{
    self->begun_chunk = newest (self);
    self->begun_count = self->begun_chunk != NULL ? self->begun_chunk->count : 0;
    self->begun_used = self->begun_chunk != NULL ? self->begun_chunk->used : 0;
    self->pending = 0;
}

/* The bytes that follow a record's numbers. */
static size_t bytes_behind (const struct effect *effect)
{
    return effect->path_size + (size_t) 1 + effect->data_size + effect->acl_size +
           effect->parent_acl_size + effect->was_acl_size;
}

static uint8_t *append (uint8_t *at, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy (at, bytes, size);
    }
    return at + size;
}

static size_t room_in (const struct effects_chunk *chunk)
{
    return chunk->size - chunk->used - chunk->count * sizeof (struct slot);
}

void effects_add (struct effects *self, const struct effect *effect, uint64_t path_hash,
                  uint64_t parent_hash)
{
    COHORT_ASSERT (effect->zxid > self->floor);
    uint8_t head[EFFECTS_HEAD_MAX];
    struct effects_chunk *chunk = newest (self);
    int64_t base_ms = chunk != NULL ? chunk->base_ms : 0;
    size_t head_size = effects_pack (effect, base_ms, head);
    if (chunk == NULL ||
        room_in (chunk) < head_size + bytes_behind (effect) + sizeof (struct slot)) {
        base_ms = effect->stat.mtime_ms;
        head_size = effects_pack (effect, base_ms, head);
        chunk = extend (self, head_size + bytes_behind (effect), base_ms);
    }
    uint8_t *begin = chunk->data + chunk->used;
    uint8_t *at = append (begin, head, head_size);
    at = append (at, effect->path, effect->path_size);
    *at++ = 0;
    at = append (at, effect->data, effect->data_size);
    at = append (at, effect->acl, effect->acl_size);
    at = append (at, effect->parent_acl, effect->parent_acl_size);
    at = append (at, effect->was_acl, effect->was_acl_size);
    *slot_at (chunk, chunk->count) = (struct slot){
        .zxid = {(uint32_t) effect->zxid, (uint32_t) (effect->zxid >> 32)},
        .offset = chunk->used,
        .path_hash = (uint32_t) path_hash,
        .parent_hash = (uint32_t) parent_hash,
    };
    chunk->used += (uint32_t) (at - begin);
    chunk->count++;
    COHORT_ASSERT (chunk->used + chunk->count * sizeof (struct slot) <= chunk->size);
    self->pending++;
}

void effects_rollback (struct effects *self)
{
    while (newest (self) != self->begun_chunk) {
        release (self, newest (self));
    }
    if (self->begun_chunk != NULL) {
        COHORT_ASSERT (self->begun_chunk->used >= self->begun_used);
        COHORT_ASSERT (self->begun_chunk->count >= self->begun_count);
        self->begun_chunk->used = self->begun_used;
        self->begun_chunk->count = self->begun_count;
    }
    self->pending = 0;
}

/* The last transaction of which there is something in the oldest chunk, and in all of them. */
static zxid_t last_of_oldest (const struct effects *self)
{
    const struct effects_chunk *first = chunk_at (list_first (&self->chunks));
    COHORT_ASSERT (first->count > 0);
    return slot_zxid (first, first->count - 1);
}

static zxid_t last_of_all (const struct effects *self)
{
    const struct effects_chunk *last = newest (self);
    return slot_zxid (last, last->count - 1);
}

/* Gives up the oldest chunks beyond the bound.  The newest transaction stays whole, however large
 * it is. */
static void shrink (struct effects *self)
{
    while (!list_empty (&self->chunks) && self->bytes > self->bytes_max &&
           !COHORT_MUTATED (history_unbounded)) {
        struct effects_chunk *first = chunk_at (list_first (&self->chunks));
        zxid_t gone = last_of_oldest (self);
        if (gone >= last_of_all (self)) {
            return;
        }
        /* The rest of its last transaction, in the next chunk, is below the floor with it. */
        COHORT_ASSERT (gone >= self->floor);
        self->floor = gone;
        release (self, first);
    }
}

size_t effects_bytes (const struct effects *self, size_t *may)
{
    bool whole = list_empty (&self->chunks) || last_of_oldest (self) >= last_of_all (self);
    *may = whole && self->bytes > self->bytes_max ? self->bytes : self->bytes_max;
    return self->bytes;
}

size_t effects_end (struct effects *self)
{
    if (self->pending > 0) {
        shrink (self);
    }
    return self->pending;
}

static void load (const struct effects_chunk *chunk, uint32_t i, struct effect *effect)
{
    COHORT_ASSERT (i < chunk->count);
    const struct slot *slot = slot_at (chunk, i);
    COHORT_ASSERT (slot->offset < chunk->used);
    effect->zxid = slot_zxid (chunk, i);
    const uint8_t *bytes = effects_unpack (chunk->data + slot->offset, chunk->base_ms, effect);
    effect->path = (const char *) bytes;
    effect->data = bytes + effect->path_size + 1;
    effect->acl = effect->data + effect->data_size;
    effect->parent_acl = effect->acl + effect->acl_size;
    effect->was_acl = effect->parent_acl + effect->parent_acl_size;
}

/* The first slot of the chunk with a zxid > after; chunk->count: there is none.  What is looked for
 * is mostly the newest, and what lies far from it has left the processor's cache: so it is sought
 * from the end, in steps that double. */
static uint32_t first_after (const struct effects_chunk *chunk, zxid_t after)
{
    uint32_t high = chunk->count;
    uint32_t step = 1;
    while (step <= high && slot_zxid (chunk, high - step) > after) {
        high -= step;
        step *= 2;
    }
    uint32_t low = step <= high ? high - step + 1 : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slot_zxid (chunk, middle) > after) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Where the effects with a zxid > after begin: the chunk, or NULL if there are none, and the
 * index in it.  *count: of all of them. */
static const struct effects_chunk *seek (const struct effects *self, zxid_t after, uint32_t *index,
                                         size_t *count)
{
    const struct effects_chunk *found = NULL;
    *count = 0;
    for (const struct list_node *at = list_last (&self->chunks); at != NULL;
         at = list_prev (&self->chunks, at)) {
        const struct effects_chunk *chunk = chunk_at (at);
        uint32_t first = first_after (chunk, after);
        if (first < chunk->count) {
            found = chunk;
            *index = first;
            *count += chunk->count - first;
        }
        if (first > 0) {
            break;
        }
    }
    return found;
}

size_t tree_effects_bytes (const struct tree *self, size_t *may)
{
    return effects_bytes (&self->effects, may);
}

zxid_t tree_effects_floor (const struct tree *self)
{
    return self->effects.floor;
}

int tree_effects (const struct tree *self, zxid_t after, zxid_t through, tree_effect_fn *fn,
                  void *arg)
{
    const struct effects *effects = &self->effects;
    if (after < effects->floor) {
        return COHORT_EGAP;
    }
    uint32_t index;
    size_t count;
    const struct effects_chunk *chunk = seek (effects, after, &index, &count);
    while (chunk != NULL) {
        for (; index < chunk->count; index++) {
            struct effect effect;
            load (chunk, index, &effect);
            if (effect.zxid > through || !fn (arg, &effect)) {
                return 0;
            }
        }
        chunk = chunk_at (list_next (&effects->chunks, &chunk->node));
        index = 0;
    }
    return 0;
}

bool effects_near (const struct effects *self, zxid_t after, uint64_t path_hash, size_t look_max,
                   size_t *looked, tree_effect_fn *fn, void *arg)
{
    *looked = 0;
    if (after < self->floor) {
        return false;
    }
    uint32_t index;
    size_t count;
    const struct effects_chunk *chunk = seek (self, after, &index, &count);
    if (count > look_max) {
        return false;
    }
    *looked = count;
    while (chunk != NULL) {
        for (; index < chunk->count; index++) {
            const struct slot *slot = slot_at (chunk, index);
            if (slot->path_hash == (uint32_t) path_hash ||
                slot->parent_hash == (uint32_t) path_hash) {
                struct effect effect;
                load (chunk, index, &effect);
                if (!fn (arg, &effect)) {
                    return true;
                }
            }
        }
        chunk = chunk_at (list_next (&self->chunks, &chunk->node));
        index = 0;
    }
    return true;
}
