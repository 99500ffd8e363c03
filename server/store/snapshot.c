/*
 *  server/store/snapshot.c - files of snapshots
 */
#include "server/store/snapshot.h"

#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "cohort/error.h"
#include "server/store/segment.h"

enum { SYNC_EVERY = 1 << 20, BLOCK_STRIDE = SNAPSHOT_BLOCK_HEADER_SIZE + SNAPSHOT_BLOCK_SIZE };

/* ---- Writing ----------------------------------------------------------------------------- */

static int sync_file (struct snapshot_writer *self, struct fault *fault)
{
    int rc = self->disk->ops->sync (self->file);
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
                    const struct snapshot_head *head, struct fault *fault)
{
    *self = (struct snapshot_writer){
        .disk = disk,
        .head = *head,
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

int snapshot_block (struct snapshot_writer *self, uint8_t *block, size_t size, struct fault *fault)
{
    COHORT_ASSERT (size > 0 && size <= SNAPSHOT_BLOCK_SIZE);
    /*  Only the last may be short: the place of a block follows from its index. */
    COHORT_ASSERT (self->sums.size == self->sums.blocks * SNAPSHOT_BLOCK_SIZE);
    uint8_t *body = block + SNAPSHOT_BLOCK_HEADER_SIZE;
    bytes_put_u32 (block, (uint32_t) size);
    bytes_put_u32 (block + 4, snapshot_block_crc (self->sums.blocks, body, size));
    int rc = append (self, block, SNAPSHOT_BLOCK_HEADER_SIZE + size, fault);
    if (rc == 0) {
        self->sums.blocks++;
        self->sums.size += size;
        self->sums.digest = hash64 (body, size, self->sums.digest);
    }
    return rc;
}

int snapshot_end (struct snapshot_writer *self, struct snapshot_entry *entry, struct fault *fault)
{
    uint8_t bytes[SNAPSHOT_TRAILER_SIZE];
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

int snapshot_abandon (struct snapshot_writer *self, struct fault *fault)
{
    if (self->file != NULL) {
        self->disk->ops->close (self->file);
        self->file = NULL;
    }
    int rc = self->disk->ops->unlink (self->disk, NAME_SNAPSHOT_NEW);
    return rc == 0 || rc == -ENOENT ? 0 : fault_final (fault, NAME_SNAPSHOT_NEW, "unlink", rc);
}

/* ---- Reading ----------------------------------------------------------------------------- */

static int damaged (struct snapshot_reader *self, const char *what, struct fault *fault)
{
    return fault_set (fault, COHORT_ECORRUPT, "%s: damaged: %s", self->name, what);
}

/*  Exactly so many bytes: less, or a bad sector, is damage. */
static int read_exactly (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                         struct fault *fault)
{
    size_t done = 0;
    int rc = self->disk->ops->read (self->file, offset, data, size, &done);
    if (rc == -EIO) {
        return damaged (self, "it cannot be read (EIO)", fault);
    }
    if (rc != 0) {
        return fault_final (fault, self->name, "read", rc);
    }
    return done == size ? 0 : damaged (self, "it is too short", fault);
}

static int check_head (struct snapshot_reader *self, const struct file_ids *ids,
                       struct fault *fault)
{
    const struct snapshot_entry *entry = &self->entry;
    uint8_t bytes[SNAPSHOT_HEAD_SIZE];
    int rc = read_exactly (self, 0, bytes, sizeof bytes, fault);
    if (rc != 0) {
        return rc;
    }
    struct snapshot_head head;
    switch (snapshot_head_decode (bytes, sizeof bytes, &head)) {
    case FORMAT_OK:
        break;
    case FORMAT_VERSION_UNKNOWN:
        return fault_set (fault, COHORT_ECONFIG,
                          "%s: written by another version of Cohort, which this one cannot read",
                          self->name);
    case FORMAT_DAMAGED:
        return damaged (self, "the head of the file", fault);
    }
    if (!ids_match (ids, &head.ids)) {
        return fault_set (fault, COHORT_ECONFIG, "%s: belongs to another server, store or cluster",
                          self->name);
    }
    if (head.serial != entry->serial || head.point.zxid != entry->point.zxid ||
        head.point.chain != entry->point.chain || head.stamp_ms != entry->stamp_ms) {
        return damaged (self, "it is another snapshot than the manifest says", fault);
    }
    return 0;
}

static int check_trailer (struct snapshot_reader *self, struct fault *fault)
{
    const struct snapshot_entry *entry = &self->entry;
    uint64_t size;
    int rc = self->disk->ops->size (self->file, &size);
    if (rc != 0) {
        return fault_final (fault, self->name, "size", rc);
    }
    uint64_t blocks = (entry->size + SNAPSHOT_BLOCK_SIZE - 1) / SNAPSHOT_BLOCK_SIZE;
    uint64_t end = SNAPSHOT_HEAD_SIZE + blocks * SNAPSHOT_BLOCK_HEADER_SIZE + entry->size;
    if (size != entry->file_size || size != end + SNAPSHOT_TRAILER_SIZE) {
        return damaged (self, "the file has another length than the manifest says", fault);
    }
    uint8_t bytes[SNAPSHOT_TRAILER_SIZE];
    rc = read_exactly (self, end, bytes, sizeof bytes, fault);
    if (rc != 0) {
        return rc;
    }
    struct snapshot_trailer trailer;
    if (!snapshot_trailer_decode (bytes, &trailer) || trailer.size != entry->size ||
        trailer.blocks != blocks || trailer.digest != entry->digest ||
        trailer.serial != entry->serial) {
        return damaged (self, "the end of the file", fault);
    }
    self->blocks = blocks;
    return 0;
}

int snapshot_open (struct snapshot_reader *self, struct disk *disk, const struct file_ids *ids,
                   const char *name, const struct snapshot_entry *entry, struct fault *fault)
{
    *self = (struct snapshot_reader){.disk = disk, .entry = *entry};
    size_t length = strlen (name);
    COHORT_ASSERT (length < sizeof self->name);
    memcpy (self->name, name, length + 1);
    int rc = disk->ops->open (disk, name, false, &self->file);
    if (rc != 0) {
        self->file = NULL;
        return rc == -ENOENT ? fault_set (fault, COHORT_ECORRUPT, "%s: missing", name)
                             : fault_final (fault, name, "open", rc);
    }
    rc = check_head (self, ids, fault);
    if (rc == 0) {
        rc = check_trailer (self, fault);
    }
    if (rc == 0) {
        self->block = mem_alloc (BLOCK_STRIDE);
        rc = self->block != NULL ? 0 : fault_memory (fault);
    }
    if (rc != 0) {
        snapshot_close (self);
    }
    return rc;
}

/*  Brings the block into memory and checks it. */
static int load_block (struct snapshot_reader *self, uint64_t index, struct fault *fault)
{
    COHORT_ASSERT (index < self->blocks);
    if (self->block_size > 0 && self->block_index == index) {
        return 0;
    }
    uint64_t left = self->entry.size - index * SNAPSHOT_BLOCK_SIZE;
    size_t size = left < SNAPSHOT_BLOCK_SIZE ? (size_t) left : SNAPSHOT_BLOCK_SIZE;
    self->block_size = 0;
    int rc = read_exactly (self, SNAPSHOT_HEAD_SIZE + index * BLOCK_STRIDE, self->block,
                           SNAPSHOT_BLOCK_HEADER_SIZE + size, fault);
    if (rc != 0) {
        return rc;
    }
    if (bytes_get_u32 (self->block) != size ||
        bytes_get_u32 (self->block + 4) !=
            snapshot_block_crc (index, self->block + SNAPSHOT_BLOCK_HEADER_SIZE, size)) {
        return fault_set (fault, COHORT_ECORRUPT, "%s: damaged: the block at offset %llu",
                          self->name,
                          (unsigned long long) (SNAPSHOT_HEAD_SIZE + index * BLOCK_STRIDE));
    }
    self->block_index = index;
    self->block_size = size;
    return 0;
}

int snapshot_read (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                   size_t *done, struct fault *fault)
{
    size_t got = 0;
    while (got < size && offset < self->entry.size) {
        int rc = load_block (self, offset / SNAPSHOT_BLOCK_SIZE, fault);
        if (rc != 0) {
            return rc;
        }
        size_t inside = (size_t) (offset % SNAPSHOT_BLOCK_SIZE);
        size_t part = self->block_size - inside;
        if (part > size - got) {
            part = size - got;
        }
        memcpy (data + got, self->block + SNAPSHOT_BLOCK_HEADER_SIZE + inside, part);
        got += part;
        offset += part;
    }
    *done = got;
    return 0;
}

int snapshot_verify (struct snapshot_reader *self, uint64_t blocks_max, bool *finished,
                     struct fault *fault)
{
    for (uint64_t i = 0; i < blocks_max && self->verified < self->blocks; i++) {
        int rc = load_block (self, self->verified, fault);
        if (rc != 0) {
            return rc;
        }
        self->digest =
            hash64 (self->block + SNAPSHOT_BLOCK_HEADER_SIZE, self->block_size, self->digest);
        self->verified++;
    }
    *finished = self->verified == self->blocks;
    if (*finished && self->digest != self->entry.digest) {
        return damaged (self, "the digest is wrong", fault);
    }
    return 0;
}

void snapshot_close (struct snapshot_reader *self)
{
    if (self->file != NULL) {
        self->disk->ops->close (self->file);
        self->file = NULL;
    }
    mem_free (self->block);
    self->block = NULL;
}
