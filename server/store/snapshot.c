/*
 * server/store/snapshot.c - files of snapshots: writing
 */
#include "server/store/snapshot.h"

#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/mutation.h"
#include "cohort/error.h"

enum { SYNC_EVERY = 1 << 20 };

static int sync_file (struct snapshot_writer *self, struct fault *fault)
{
    int rc = COHORT_MUTATED (snapshot_unsynced) ? 0 : self->disk->ops->sync (self->file);
    self->unsynced = 0;
    return rc == 0 ? 0 : fault_final (fault, NAME_SNAPSHOT_NEW, "sync", rc);
}

static int append (struct snapshot_writer *self, const uint8_t *data, size_t size,
                   struct fault *fault)
{
    int rc = self->disk->ops->write (self->file, self->offset, data, size);
    if (rc != 0) {
        return fault_disk (fault, NAME_SNAPSHOT_NEW, "write", rc);
    }
    self->offset += size;
    self->unsynced += size;
    return self->unsynced < SYNC_EVERY ? 0 : sync_file (self, fault);
}

int snapshot_begin (struct snapshot_writer *self, struct disk *disk,
                    const struct snapshot_head *head, int level, struct fault *fault)
{
    COHORT_ASSERT (level >= 0 && level <= PACK_LEVEL_MAX);
    *self = (struct snapshot_writer){
        .disk = disk,
        .head = *head,
        .level = level,
        .sums = {.serial = head->serial},
    };
    int rc = disk->ops->unlink (disk, NAME_SNAPSHOT_NEW);
    if (rc != 0 && rc != -ENOENT) {
        return fault_final (fault, NAME_SNAPSHOT_NEW, "unlink", rc);
    }
    rc = disk->ops->open (disk, NAME_SNAPSHOT_NEW, true, &self->file);
    if (rc != 0) {
        self->file = NULL;
        return fault_disk (fault, NAME_SNAPSHOT_NEW, "create", rc);
    }
    uint8_t bytes[SNAPSHOT_HEAD_SIZE];
    snapshot_head_encode (bytes, head);
    return append (self, bytes, sizeof bytes, fault);
}

/* ---- Blocks ------------------------------------------------------------------------------ */

static bool make_room (struct snapshot_writer *self)
{
    if (self->pack == NULL) {
        self->pack = pack_new ();
    }
    if (self->packed == NULL) {
        self->packed = mem_alloc (SNAPSHOT_BLOCK_HEADER_MAX + pack_room (SNAPSHOT_BLOCK_SIZE));
    }
    return self->pack != NULL && self->packed != NULL;
}

int snapshot_block (struct snapshot_writer *self, const uint8_t *content, size_t size,
                    struct fault *fault)
{
    COHORT_ASSERT (self->head.packing == SNAPSHOT_PACKED);
    COHORT_ASSERT (size > 0 && size <= SNAPSHOT_BLOCK_SIZE);
    /* Only the last may be short: equal contents give equal digests. */
    COHORT_ASSERT (self->sums.size == self->sums.blocks * SNAPSHOT_BLOCK_SIZE);
    if (!make_room (self)) {
        return fault_memory (fault);
    }
    size_t header = snapshot_block_header_size (SNAPSHOT_PACKED);
    uint8_t *body = self->packed + header;
    size_t packed = size;
    if (self->level > 0 && pack_block (self->pack, self->level, content, size, body,
                                       pack_room (SNAPSHOT_BLOCK_SIZE), &packed) != 0) {
        return fault_memory (fault);
    }
    if (packed >= size) {
        packed = size;
        memcpy (body, content, size);
    }
    size_t total =
        snapshot_block_encode (self->packed, self->sums.stored, (uint32_t) packed, (uint32_t) size);
    int rc = append (self, self->packed, total, fault);
    if (rc == 0) {
        self->sums.blocks++;
        self->sums.size += size;
        self->sums.stored += total;
        self->sums.digest = hash64 (content, size, self->sums.digest);
    }
    return rc;
}

int snapshot_copy (struct snapshot_writer *self, const uint8_t *blocks, size_t size,
                   struct fault *fault)
{
    size_t header = snapshot_block_header_size (self->head.packing);
    size_t at = 0;
    struct snapshot_trailer sums = self->sums;
    while (at < size) {
        struct snapshot_block block;
        if (size - at < header ||
            !snapshot_block_decode (self->head.packing, blocks + at, &block) ||
            size - at - header < block.body ||
            !snapshot_block_sound (self->head.packing, sums.stored, blocks + at, &block)) {
            return fault_set (fault, COHORT_ECORRUPT, "%s: what was received is damaged",
                              NAME_SNAPSHOT_NEW);
        }
        at += header + block.body;
        sums.blocks++;
        sums.size += block.size;
        sums.stored += header + block.body;
    }
    int rc = append (self, blocks, size, fault);
    if (rc == 0) {
        self->sums = sums;
    }
    return rc;
}

/* ---- The end ----------------------------------------------------------------------------- */

int snapshot_end (struct snapshot_writer *self, const uint64_t *digest,
                  struct snapshot_entry *entry, struct fault *fault)
{
    uint8_t bytes[SNAPSHOT_TRAILER_SIZE];
    if (digest != NULL) {
        self->sums.digest = *digest;
    }
    if (self->head.packing == SNAPSHOT_PLAIN) {
        self->sums.stored = 0;
    }
    snapshot_trailer_encode (bytes, &self->sums);
    int rc = append (self, bytes, sizeof bytes, fault);
    if (rc == 0) {
        rc = sync_file (self, fault);
    }
    if (rc != 0) {
        return rc;
    }
    self->disk->ops->close (self->file);
    self->file = NULL;
    *entry = (struct snapshot_entry){
        .point = self->head.point,
        .stamp_ms = self->head.stamp_ms,
        .size = self->sums.size,
        .file_size = self->offset,
        .digest = self->sums.digest,
        .serial = self->head.serial,
    };
    return 0;
}

void snapshot_writer_deinit (struct snapshot_writer *self)
{
    if (self->file != NULL) {
        self->disk->ops->close (self->file);
        self->file = NULL;
    }
    pack_destroy (&self->pack);
    mem_free (self->packed);
    self->packed = NULL;
}

int snapshot_abandon (struct snapshot_writer *self, struct fault *fault)
{
    snapshot_writer_deinit (self);
    int rc = self->disk->ops->unlink (self->disk, NAME_SNAPSHOT_NEW);
    return rc == 0 || rc == -ENOENT ? 0 : fault_final (fault, NAME_SNAPSHOT_NEW, "unlink", rc);
}
