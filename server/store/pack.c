/*
 * server/store/pack.c - compression of the blocks of snapshots
 */
#include "server/store/pack.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"

struct pack {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
};

struct pack *pack_new (void)
{
    return mem_calloc (1, sizeof (struct pack));
}

void pack_destroy (struct pack **self_p)
{
    struct pack *self = *self_p;
    if (self != NULL) {
        (void) ZSTD_freeCCtx (self->compressor);
        (void) ZSTD_freeDCtx (self->decompressor);
        mem_free (self);
        *self_p = NULL;
    }
}

size_t pack_room (size_t size)
{
    return ZSTD_compressBound (size);
}

int pack_block (struct pack *self, int level, const uint8_t *content, size_t size, uint8_t *out,
                size_t room, size_t *packed)
{
    COHORT_ASSERT (level >= 1 && level <= PACK_LEVEL_MAX);
    COHORT_ASSERT (room >= pack_room (size));
    if (self->compressor == NULL) {
        self->compressor = ZSTD_createCCtx ();
    }
    if (self->compressor == NULL) {
        return COHORT_ENOMEM;
    }
    size_t rc = ZSTD_compressCCtx (self->compressor, out, room, content, size, level);
    if (ZSTD_isError (rc)) {
        /* With room enough there is nothing else that it could want. */
        return COHORT_ENOMEM;
    }
    *packed = rc;
    return 0;
}

int unpack_block (struct pack *self, const uint8_t *packed, size_t packed_size, uint8_t *content,
                  size_t size)
{
    if (self->decompressor == NULL) {
        self->decompressor = ZSTD_createDCtx ();
    }
    if (self->decompressor == NULL) {
        return COHORT_ENOMEM;
    }
    size_t rc = ZSTD_decompressDCtx (self->decompressor, content, size, packed, packed_size);
    if (ZSTD_isError (rc) && ZSTD_getErrorCode (rc) == ZSTD_error_memory_allocation) {
        return COHORT_ENOMEM;
    }
    return ZSTD_isError (rc) || rc != size ? COHORT_ECORRUPT : 0;
}
