/*
 * server/store/unpack.c - what a source gave, unpacked by who receives it
 *
 * Nothing here touches the disk: any thread, one at a time.
 */
#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "cohort/error.h"
#include "server/store/format.h"
#include "server/store/pack.h"
#include "server/store/store.h"

struct store_unpacker {
    struct store_snapshot_info original;
    enum snapshot_packing packing;
    struct pack *pack;
    uint8_t *content;
    struct snapshot_trailer sums; /* of what came until now */
};

int store_unpacker_new (const struct store_snapshot_info *original,
                        struct store_unpacker **unpacker_p)
{
    if (original->packing > SNAPSHOT_PACKED) {
        return COHORT_EUNSUPPORTED;
    }
    struct store_unpacker *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return COHORT_ENOMEM;
    }
    self->original = *original;
    self->packing = (enum snapshot_packing) original->packing;
    self->pack = pack_new ();
    self->content = mem_alloc (SNAPSHOT_BLOCK_SIZE);
    if (self->pack == NULL || self->content == NULL) {
        store_unpacker_destroy (&self);
        return COHORT_ENOMEM;
    }
    *unpacker_p = self;
    return 0;
}

void store_unpacker_destroy (struct store_unpacker **self_p)
{
    struct store_unpacker *self = *self_p;
    if (self != NULL) {
        pack_destroy (&self->pack);
        mem_free (self->content);
        mem_free (self);
        *self_p = NULL;
    }
}

int store_unpacker_next (struct store_unpacker *self, const uint8_t *data, size_t size,
                         size_t *used, const uint8_t **content, size_t *content_size)
{
    struct snapshot_block block;
    size_t header = snapshot_block_header_size (self->packing);
    if (size < header || !snapshot_block_decode (self->packing, data, &block) ||
        size - header < block.body ||
        !snapshot_block_sound (self->packing, self->sums.stored, data, &block)) {
        return COHORT_ECORRUPT;
    }
    COHORT_ASSERT (block.size <= SNAPSHOT_BLOCK_SIZE);
    const uint8_t *body = data + header;
    if (block.body != block.size) {
        int rc = unpack_block (self->pack, body, block.body, self->content, block.size);
        if (rc != 0) {
            return rc;
        }
        body = self->content;
    }
    self->sums.stored += header + block.body;
    self->sums.size += block.size;
    self->sums.digest = hash64 (body, block.size, self->sums.digest);
    *used = header + block.body;
    *content = body;
    *content_size = block.size;
    return 0;
}

bool store_unpacker_whole (const struct store_unpacker *self)
{
    const struct store_snapshot_info *original = &self->original;
    return self->sums.stored == original->stored && self->sums.size == original->size &&
           self->sums.digest == original->digest;
}
