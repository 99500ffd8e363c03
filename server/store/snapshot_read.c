/*
 * server/store/snapshot_read.c - files of snapshots: reading
 */
#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "cohort/error.h"
#include "server/store/segment.h"
#include "server/store/snapshot.h"

static int damaged (struct snapshot_reader *self, const char *what, struct fault *fault)
{
    return fault_set (fault, COHORT_ECORRUPT, "%s: damaged: %s", self->name, what);
}

/* Exactly so many bytes: less, or a bad sector, is damage. */
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

/* ---- Opening ----------------------------------------------------------------------------- */

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
    enum format_verdict verdict = snapshot_head_decode (bytes, sizeof bytes, &head);
    rc = head_check (self->name, verdict, ids, &head.ids, fault);
    if (rc != 0) {
        return rc;
    }
    if (head.serial != entry->serial || head.point.zxid != entry->point.zxid ||
        head.point.chain != entry->point.chain || head.stamp_ms != entry->stamp_ms) {
        return damaged (self, "it is another snapshot than the manifest says", fault);
    }
    self->packing = head.packing;
    return 0;
}

/* Bytes of blocks in a plain file with so much content. */
static uint64_t plain_stored (uint64_t size)
{
    uint64_t blocks = (size + SNAPSHOT_BLOCK_SIZE - 1) / SNAPSHOT_BLOCK_SIZE;
    return blocks * snapshot_block_header_size (SNAPSHOT_PLAIN) + size;
}

static int check_trailer (struct snapshot_reader *self, struct fault *fault)
{
    const struct snapshot_entry *entry = &self->entry;
    uint64_t size;
    int rc = self->disk->ops->size (self->file, &size);
    if (rc != 0) {
        return fault_final (fault, self->name, "size", rc);
    }
    if (size != entry->file_size || size < SNAPSHOT_HEAD_SIZE + SNAPSHOT_TRAILER_SIZE) {
        return damaged (self, "the file has another length than the manifest says", fault);
    }
    uint8_t bytes[SNAPSHOT_TRAILER_SIZE];
    rc = read_exactly (self, size - sizeof bytes, bytes, sizeof bytes, fault);
    if (rc != 0) {
        return rc;
    }
    struct snapshot_trailer trailer;
    bool sound = snapshot_trailer_decode (bytes, &trailer);
    self->stored = size - SNAPSHOT_HEAD_SIZE - sizeof bytes;
    if (!sound || trailer.size != entry->size || trailer.digest != entry->digest ||
        trailer.serial != entry->serial ||
        trailer.stored != (self->packing == SNAPSHOT_PLAIN ? 0 : self->stored) ||
        (self->packing == SNAPSHOT_PLAIN && self->stored != plain_stored (entry->size))) {
        return damaged (self, "the end of the file", fault);
    }
    self->blocks = trailer.blocks;
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
        self->pack = pack_new ();
        self->bytes = mem_alloc (SNAPSHOT_STORED_MAX);
        self->unpacked = mem_alloc (SNAPSHOT_BLOCK_SIZE);
        bool there = self->pack != NULL && self->bytes != NULL && self->unpacked != NULL;
        rc = there ? 0 : fault_memory (fault);
    }
    if (rc != 0) {
        snapshot_close (self);
    }
    return rc;
}

void snapshot_close (struct snapshot_reader *self)
{
    if (self->file != NULL) {
        self->disk->ops->close (self->file);
        self->file = NULL;
    }
    pack_destroy (&self->pack);
    mem_free (self->bytes);
    mem_free (self->unpacked);
    self->bytes = self->unpacked = NULL;
    self->loaded = false;
}

/* ---- Blocks ------------------------------------------------------------------------------ */

static int damaged_block (struct snapshot_reader *self, uint64_t offset, struct fault *fault)
{
    uint64_t place = SNAPSHOT_HEAD_SIZE + offset;
    (void) fault_set (fault, COHORT_ECORRUPT, "%s: damaged: the block at offset %llu", self->name,
                      (unsigned long long) place);
    return fault_at (fault, place);
}

/* Brings the block into memory and checks what is stored. */
static int load_block (struct snapshot_reader *self, uint64_t offset, struct fault *fault)
{
    size_t header = snapshot_block_header_size (self->packing);
    uint64_t place = SNAPSHOT_HEAD_SIZE + offset;
    if (self->loaded && self->offset == offset) {
        return 0;
    }
    self->loaded = false;
    self->content = NULL;
    if (offset > self->stored || self->stored - offset < header) {
        return damaged_block (self, offset, fault);
    }
    int rc = read_exactly (self, place, self->bytes, header, fault);
    if (rc != 0) {
        return rc;
    }
    if (!snapshot_block_decode (self->packing, self->bytes, &self->block) ||
        self->stored - offset - header < self->block.body) {
        return damaged_block (self, offset, fault);
    }
    rc = read_exactly (self, place + header, self->bytes + header, self->block.body, fault);
    if (rc != 0) {
        return rc;
    }
    if (!snapshot_block_sound (self->packing, offset, self->bytes, &self->block)) {
        return damaged_block (self, offset, fault);
    }
    self->offset = offset;
    self->loaded = true;
    return 0;
}

/* And its content. */
static int load_content (struct snapshot_reader *self, uint64_t offset, struct fault *fault)
{
    int rc = load_block (self, offset, fault);
    if (rc != 0 || self->content != NULL) {
        return rc;
    }
    const struct snapshot_block *block = &self->block;
    const uint8_t *body = self->bytes + block->header;
    if (block->body == block->size) {
        self->content = body;
        return 0;
    }
    rc = unpack_block (self->pack, body, block->body, self->unpacked, block->size);
    if (rc == COHORT_ENOMEM) {
        return fault_memory (fault);
    }
    if (rc != 0) {
        return damaged_block (self, offset, fault);
    }
    self->content = self->unpacked;
    return 0;
}

static uint64_t behind_block (const struct snapshot_reader *self)
{
    return self->offset + self->block.header + self->block.body;
}

int snapshot_read (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                   size_t *done, struct fault *fault)
{
    size_t got = 0;
    if (offset < self->content_at) {
        self->at = self->content_at = 0;
    }
    while (got < size && offset < self->entry.size) {
        int rc = load_block (self, self->at, fault);
        if (rc != 0) {
            return rc;
        }
        uint64_t inside = offset - self->content_at;
        if (inside >= self->block.size) {
            self->content_at += self->block.size;
            self->at = behind_block (self);
            continue;
        }
        rc = load_content (self, self->at, fault);
        if (rc != 0) {
            return rc;
        }
        size_t part = (size_t) (self->block.size - inside);
        part = part < size - got ? part : size - got;
        memcpy (data + got, self->content + inside, part);
        got += part;
        offset += part;
    }
    *done = got;
    return 0;
}

int snapshot_stored (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                     size_t *done, struct fault *fault)
{
    size_t got = 0;
    COHORT_ASSERT (size >= SNAPSHOT_STORED_MAX);
    while (offset < self->stored) {
        int rc = load_block (self, offset, fault);
        if (rc != 0) {
            return rc;
        }
        size_t total = self->block.header + self->block.body;
        if (total > size - got) {
            break;
        }
        memcpy (data + got, self->bytes, total);
        got += total;
        offset += total;
    }
    *done = got;
    return 0;
}

int snapshot_piece (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                    size_t *done, struct fault *fault)
{
    uint64_t trailer = SNAPSHOT_HEAD_SIZE + self->stored;
    COHORT_ASSERT (size >= SNAPSHOT_STORED_MAX);
    if (offset >= SNAPSHOT_HEAD_SIZE && offset < trailer) {
        return snapshot_stored (self, offset - SNAPSHOT_HEAD_SIZE, data, size, done, fault);
    }
    uint64_t end = offset < SNAPSHOT_HEAD_SIZE ? SNAPSHOT_HEAD_SIZE : self->entry.file_size;
    size_t part = offset < end ? (size_t) (end - offset) : 0;
    COHORT_ASSERT (part <= SNAPSHOT_HEAD_SIZE);
    *done = part;
    return read_exactly (self, offset, data, part, fault);
}

/* ---- Verifying --------------------------------------------------------------------------- */

static int check_sums (struct snapshot_reader *self, struct fault *fault)
{
    const struct snapshot_trailer *sums = &self->verified;
    if (sums->size != self->entry.size || sums->blocks != self->blocks) {
        return damaged (self, "blocks are missing", fault);
    }
    if (!self->checked_only && sums->digest != self->entry.digest) {
        return damaged (self, "the digest is wrong", fault);
    }
    return 0;
}

int snapshot_verify (struct snapshot_reader *self, uint64_t blocks_max, bool unpack, bool *finished,
                     struct fault *fault)
{
    struct snapshot_trailer *sums = &self->verified;
    self->checked_only |= !unpack;
    for (uint64_t i = 0; i < blocks_max && sums->stored < self->stored; i++) {
        int rc = unpack ? load_content (self, sums->stored, fault)
                        : load_block (self, sums->stored, fault);
        if (rc != 0) {
            return rc;
        }
        if (unpack) {
            sums->digest = hash64 (self->content, self->block.size, sums->digest);
        }
        sums->size += self->block.size;
        sums->stored = behind_block (self);
        sums->blocks++;
    }
    *finished = sums->stored == self->stored;
    return *finished ? check_sums (self, fault) : 0;
}
