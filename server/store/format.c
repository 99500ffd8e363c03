/*
 *  server/store/format.c - layouts of files, metadata, manifest, snapshots and names
 *
 *  The records of the log are in record.c.  Pure: no I/O.
 */
#include "server/store/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"

static const char magics[4][9] = {"COHRMETA", "COHRMANI", "COHRTLOG", "COHRSNAP"};
static const char trailer_magic[9] = "COHRSEND";

_Static_assert(META_SIZE >= HEAD_SIZE + 24 + 16 * CONFIG_MEMBERS_MAX + 8,
               "metadata fits its block");
_Static_assert(SNAPSHOT_BLOCK_SIZE % 8 == 0, "blocks are whole words");

/* ---- Head -------------------------------------------------------------------------------- */

void head_encode (uint8_t *file, enum file_kind kind, const struct file_head *head,
                  uint32_t payload_size)
{
    COHORT_ASSERT ((size_t) kind < sizeof magics / sizeof *magics);
    memset (file, 0, HEAD_SIZE);
    memcpy (file, magics[kind], 8);
    bytes_put_u32 (file + 8, FORMAT_VERSION);
    bytes_put_u32 (file + 12, head->ids.server_id);
    bytes_put_u64 (file + 16, head->ids.store_id);
    memcpy (file + 24, head->ids.cluster_id, 16);
    bytes_put_u32 (file + 40, payload_size);
    bytes_put_u32 (file + 44, crc32c (0, file + HEAD_SIZE, payload_size));
    bytes_put_u64 (file + 48, head->number);
    bytes_put_u32 (file + 60, crc32c (0, file, 60));
}

enum format_verdict head_decode (const uint8_t *file, size_t size, enum file_kind kind,
                                 struct file_head *head, struct reader *payload)
{
    COHORT_ASSERT ((size_t) kind < sizeof magics / sizeof *magics);
    if (size < HEAD_SIZE || memcmp (file, magics[kind], 8) != 0 ||
        bytes_get_u32 (file + 60) != crc32c (0, file, 60)) {
        return FORMAT_DAMAGED;
    }
    if (bytes_get_u32 (file + 8) != FORMAT_VERSION) {
        return FORMAT_VERSION_UNKNOWN;
    }
    uint32_t payload_size = bytes_get_u32 (file + 40);
    if (payload_size > size - HEAD_SIZE ||
        bytes_get_u32 (file + 44) != crc32c (0, file + HEAD_SIZE, payload_size)) {
        return FORMAT_DAMAGED;
    }
    head->ids.server_id = bytes_get_u32 (file + 12);
    head->ids.store_id = bytes_get_u64 (file + 16);
    memcpy (head->ids.cluster_id, file + 24, 16);
    head->number = bytes_get_u64 (file + 48);
    reader_init (payload, file + HEAD_SIZE, payload_size);
    return FORMAT_OK;
}

/* ---- Metadata ---------------------------------------------------------------------------- */

enum {
    META_BOOTSTRAPPED = 1,
    META_SUSPECT = 2,
    META_DAMAGED = 4,
    META_CONDEMNED = 8,
    META_HEIR = 16
};

static uint32_t meta_flags (const struct store_meta *meta)
{
    return (meta->bootstrapped ? META_BOOTSTRAPPED : 0u) |
           (meta->trust == ZAB_SUSPECT ? META_SUSPECT : 0u) |
           (meta->trust == ZAB_DAMAGED ? META_DAMAGED : 0u) |
           (meta->condemned ? META_CONDEMNED : 0u) | (meta->heir ? META_HEIR : 0u);
}

void meta_encode (uint8_t *file, uint64_t number, const struct store_meta *meta)
{
    COHORT_ASSERT (meta->config.count <= CONFIG_MEMBERS_MAX);
    COHORT_ASSERT (meta->current_epoch <= meta->accepted_epoch);
    memset (file, 0, META_SIZE);
    uint8_t *at = file + HEAD_SIZE;
    bytes_put_u32 (at, meta_flags (meta));
    bytes_put_u32 (at + 4, meta->accepted_epoch);
    bytes_put_u32 (at + 8, meta->current_epoch);
    bytes_put_u32 (at + 12, (uint32_t) meta->config.count);
    bytes_put_u64 (at + 16, meta->config.version);
    at += 24;
    for (size_t i = 0; i < meta->config.count; i++, at += 16) {
        const struct config_member *member = &meta->config.members[i];
        bytes_put_u32 (at, member->id);
        bytes_put_u32 (at + 4, (uint32_t) member->role);
        bytes_put_u64 (at + 8, member->store_id);
    }
    if (meta->trust == ZAB_SUSPECT) {
        bytes_put_u64 (at, meta->suspect);
        at += 8;
    }
    struct file_head head = {
        .ids = {.server_id = meta->server_id, .store_id = meta->store_id},
        .number = number,
    };
    memcpy (head.ids.cluster_id, meta->cluster_id, 16);
    head_encode (file, FILE_META, &head, (uint32_t) (at - file) - HEAD_SIZE);
}

enum format_verdict meta_decode (const uint8_t *file, size_t size, uint64_t *number,
                                 struct store_meta *meta)
{
    struct file_head head;
    struct reader in;
    enum format_verdict verdict = head_decode (file, size, FILE_META, &head, &in);
    if (verdict != FORMAT_OK) {
        return verdict;
    }
    struct store_meta found = {.server_id = head.ids.server_id, .store_id = head.ids.store_id};
    memcpy (found.cluster_id, head.ids.cluster_id, 16);
    uint32_t flags = reader_u32 (&in);
    found.bootstrapped = (flags & META_BOOTSTRAPPED) != 0;
    found.trust = (flags & META_DAMAGED) != 0   ? ZAB_DAMAGED
                  : (flags & META_SUSPECT) != 0 ? ZAB_SUSPECT
                                                : ZAB_WHOLE;
    found.condemned = (flags & META_CONDEMNED) != 0;
    found.heir = (flags & META_HEIR) != 0;
    found.accepted_epoch = reader_u32 (&in);
    found.current_epoch = reader_u32 (&in);
    found.config.count = reader_u32 (&in);
    found.config.version = reader_u64 (&in);
    if (in.failed || flags != meta_flags (&found) || found.config.count > CONFIG_MEMBERS_MAX ||
        found.current_epoch > found.accepted_epoch) {
        return FORMAT_DAMAGED;
    }
    for (size_t i = 0; i < found.config.count; i++) {
        struct config_member *member = &found.config.members[i];
        member->id = reader_u32 (&in);
        uint32_t role = reader_u32 (&in);
        member->role = role == CONFIG_OBSERVER ? CONFIG_OBSERVER : CONFIG_VOTER;
        member->store_id = reader_u64 (&in);
        if (role != (uint32_t) member->role) {
            return FORMAT_DAMAGED;
        }
    }
    if (found.trust == ZAB_SUSPECT) {
        found.suspect = reader_u64 (&in);
    }
    if (!reader_done (&in)) {
        return FORMAT_DAMAGED;
    }
    *number = head.number;
    *meta = found;
    return FORMAT_OK;
}

/* ---- Manifest ---------------------------------------------------------------------------- */

void manifest_encode (struct buf *out, const struct file_ids *ids, const struct manifest *manifest)
{
    COHORT_ASSERT (manifest->snapshots_count <= MANIFEST_SNAPSHOTS_MAX);
    COHORT_ASSERT (manifest->spans_count <= MANIFEST_SPANS_MAX);
    size_t start = out->size;
    (void) buf_extend (out, HEAD_SIZE);
    buf_u64 (out, manifest->base.zxid);
    buf_u64 (out, manifest->base.chain);
    buf_i64 (out, manifest->base_stamp_ms);
    buf_u64 (out, manifest->durable);
    buf_u64 (out, manifest->next_serial);
    buf_u32 (out, manifest->next_segment);
    buf_u32 (out, (uint32_t) manifest->snapshots_count);
    buf_u32 (out, (uint32_t) manifest->spans_count);
    for (size_t i = 0; i < manifest->snapshots_count; i++) {
        const struct snapshot_entry *entry = &manifest->snapshots[i];
        buf_u64 (out, entry->point.zxid);
        buf_u64 (out, entry->point.chain);
        buf_i64 (out, entry->stamp_ms);
        buf_u64 (out, entry->size);
        buf_u64 (out, entry->file_size);
        buf_u64 (out, entry->digest);
        buf_u64 (out, entry->serial);
    }
    for (size_t i = 0; i < manifest->spans_count; i++) {
        const struct span *span = &manifest->spans[i];
        buf_u32 (out, span->segment);
        buf_u64 (out, span->start);
        buf_u64 (out, span->end);
        buf_u64 (out, span->last);
    }
    if (!out->failed) {
        struct file_head head = {.ids = *ids, .number = manifest->number};
        head_encode (out->data + start, FILE_MANIFEST, &head,
                     (uint32_t) (out->size - start - HEAD_SIZE));
    }
}

static bool decode_snapshots (struct reader *in, struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->snapshots_count; i++) {
        struct snapshot_entry *entry = &manifest->snapshots[i];
        entry->point.zxid = reader_u64 (in);
        entry->point.chain = reader_u64 (in);
        entry->stamp_ms = reader_i64 (in);
        entry->size = reader_u64 (in);
        entry->file_size = reader_u64 (in);
        entry->digest = reader_u64 (in);
        entry->serial = reader_u64 (in);
        if (i > 0 && entry->point.zxid < entry[-1].point.zxid) {
            return false;
        }
    }
    return !in->failed;
}

static bool decode_spans (struct reader *in, struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->spans_count; i++) {
        struct span *span = &manifest->spans[i];
        span->segment = reader_u32 (in);
        span->start = reader_u64 (in);
        span->end = reader_u64 (in);
        span->last = reader_u64 (in);
        if (span->start < SEGMENT_HEAD_SIZE || (span->end != 0 && span->end < span->start) ||
            span->segment >= manifest->next_segment ||
            (i > 0 && span->segment <= span[-1].segment)) {
            return false;
        }
    }
    return !in->failed;
}

/* Bytes of a span in the file. */
enum { SPAN_SIZE = 28 };

enum format_verdict manifest_decode (const uint8_t *file, size_t size, struct file_ids *ids,
                                     struct manifest *manifest, bool *out_of_memory)
{
    COHORT_ASSERT (manifest->spans == NULL);
    *out_of_memory = false;
    struct file_head head;
    struct reader in;
    enum format_verdict verdict = head_decode (file, size, FILE_MANIFEST, &head, &in);
    if (verdict != FORMAT_OK) {
        return verdict;
    }
    manifest->number = head.number;
    manifest->base.zxid = reader_u64 (&in);
    manifest->base.chain = reader_u64 (&in);
    manifest->base_stamp_ms = reader_i64 (&in);
    manifest->durable = reader_u64 (&in);
    manifest->next_serial = reader_u64 (&in);
    manifest->next_segment = reader_u32 (&in);
    manifest->snapshots_count = reader_u32 (&in);
    manifest->spans_count = reader_u32 (&in);
    if (in.failed || manifest->snapshots_count > MANIFEST_SNAPSHOTS_MAX ||
        manifest->spans_count > MANIFEST_SPANS_MAX || !decode_snapshots (&in, manifest) ||
        manifest->spans_count > reader_left (&in) / SPAN_SIZE) {
        return FORMAT_DAMAGED;
    }
    manifest->spans_room = manifest->spans_count;
    manifest->spans = mem_calloc (manifest->spans_room, sizeof *manifest->spans);
    if (manifest->spans == NULL) {
        *out_of_memory = true;
        return FORMAT_DAMAGED;
    }
    if (!decode_spans (&in, manifest) || !reader_done (&in)) {
        return FORMAT_DAMAGED;
    }
    *ids = head.ids;
    return FORMAT_OK;
}

/* ---- Snapshots --------------------------------------------------------------------------- */

void snapshot_head_encode (uint8_t *file, const struct snapshot_head *head)
{
    memset (file, 0, SNAPSHOT_HEAD_SIZE);
    uint8_t *at = file + HEAD_SIZE;
    bytes_put_u64 (at, head->point.zxid);
    bytes_put_u64 (at + 8, head->point.chain);
    bytes_put_u64 (at + 16, (uint64_t) head->stamp_ms);
    bytes_put_u32 (at + 24, (uint32_t) head->packing);
    bytes_put_u32 (at + 28, head->block_size);
    struct file_head file_head = {.ids = head->ids, .number = head->serial};
    head_encode (file, FILE_SNAPSHOT, &file_head, 32);
}

enum format_verdict snapshot_head_decode (const uint8_t *file, size_t size,
                                          struct snapshot_head *head)
{
    struct file_head file_head;
    struct reader in;
    enum format_verdict verdict = head_decode (file, size, FILE_SNAPSHOT, &file_head, &in);
    if (verdict != FORMAT_OK) {
        return verdict;
    }
    struct snapshot_head found = {.ids = file_head.ids, .serial = file_head.number};
    found.point.zxid = reader_u64 (&in);
    found.point.chain = reader_u64 (&in);
    found.stamp_ms = reader_i64 (&in);
    uint32_t packing = reader_u32 (&in);
    found.block_size = reader_u32 (&in);
    if (!reader_done (&in)) {
        return FORMAT_DAMAGED;
    }
    if (packing > SNAPSHOT_PACKED || found.block_size != SNAPSHOT_BLOCK_SIZE) {
        return FORMAT_VERSION_UNKNOWN;
    }
    found.packing = (enum snapshot_packing) packing;
    *head = found;
    return FORMAT_OK;
}

void snapshot_trailer_encode (uint8_t *at, const struct snapshot_trailer *trailer)
{
    memset (at, 0, SNAPSHOT_TRAILER_SIZE);
    memcpy (at, trailer_magic, 8);
    bytes_put_u64 (at + 8, trailer->size);
    bytes_put_u64 (at + 16, trailer->blocks);
    bytes_put_u64 (at + 24, trailer->digest);
    bytes_put_u64 (at + 32, trailer->serial);
    bytes_put_u64 (at + 40, trailer->stored);
    bytes_put_u32 (at + 60, crc32c (0, at, 60));
}

bool snapshot_trailer_decode (const uint8_t *at, struct snapshot_trailer *trailer)
{
    if (memcmp (at, trailer_magic, 8) != 0 || bytes_get_u32 (at + 60) != crc32c (0, at, 60)) {
        return false;
    }
    trailer->size = bytes_get_u64 (at + 8);
    trailer->blocks = bytes_get_u64 (at + 16);
    trailer->digest = bytes_get_u64 (at + 24);
    trailer->serial = bytes_get_u64 (at + 32);
    trailer->stored = bytes_get_u64 (at + 40);
    return true;
}

enum { PLAIN_HEADER_SIZE = 8, PACKED_HEADER_SIZE = 12 };

size_t snapshot_block_header_size (enum snapshot_packing packing)
{
    return packing == SNAPSHOT_PLAIN ? PLAIN_HEADER_SIZE : PACKED_HEADER_SIZE;
}

bool snapshot_block_decode (enum snapshot_packing packing, const uint8_t *at,
                            struct snapshot_block *block)
{
    bool plain = packing == SNAPSHOT_PLAIN;
    block->header = snapshot_block_header_size (packing);
    block->body = bytes_get_u32 (at);
    block->size = plain ? block->body : bytes_get_u32 (at + 4);
    block->crc = bytes_get_u32 (at + (plain ? 4 : 8));
    return block->size > 0 && block->size <= SNAPSHOT_BLOCK_SIZE && block->body > 0 &&
           block->body <= block->size;
}

static uint32_t block_crc (enum snapshot_packing packing, uint64_t offset, const uint8_t *at,
                           size_t body)
{
    uint8_t place[8];
    if (packing == SNAPSHOT_PLAIN) {
        bytes_put_u64 (place, offset / (PLAIN_HEADER_SIZE + SNAPSHOT_BLOCK_SIZE));
        return crc32c (crc32c (0, place, sizeof place), at + PLAIN_HEADER_SIZE, body);
    }
    bytes_put_u64 (place, offset);
    uint32_t crc = crc32c (crc32c (0, place, sizeof place), at, 8);
    return crc32c (crc, at + PACKED_HEADER_SIZE, body);
}

bool snapshot_block_sound (enum snapshot_packing packing, uint64_t offset, const uint8_t *at,
                           const struct snapshot_block *block)
{
    return block->crc == block_crc (packing, offset, at, block->body);
}

size_t snapshot_block_encode (uint8_t *at, uint64_t offset, uint32_t body, uint32_t size)
{
    COHORT_ASSERT (body > 0 && body <= size);
    COHORT_ASSERT (size <= SNAPSHOT_BLOCK_SIZE);
    bytes_put_u32 (at, body);
    bytes_put_u32 (at + 4, size);
    bytes_put_u32 (at + 8, block_crc (SNAPSHOT_PACKED, offset, at, body));
    return PACKED_HEADER_SIZE + (size_t) body;
}

/* ---- Names ------------------------------------------------------------------------------- */

void name_segment (char name[NAME_SIZE], uint32_t segment)
{
    (void) snprintf (name, NAME_SIZE, "log.%" PRIu32, segment);
}

void name_snapshot (char name[NAME_SIZE], zxid_t zxid, uint64_t serial)
{
    (void) snprintf (name, NAME_SIZE, "snap.%016" PRIx64 ".%" PRIu64, zxid, serial);
}

bool name_is_segment (const char *name, uint32_t *segment)
{
    uint32_t number;
    char again[NAME_SIZE];
    if (sscanf (name, "log.%" SCNu32, &number) != 1) {
        return false;
    }
    name_segment (again, number);
    *segment = number;
    return strcmp (name, again) == 0;
}

bool name_is_snapshot (const char *name, zxid_t *zxid, uint64_t *serial)
{
    char again[NAME_SIZE];
    if (sscanf (name, "snap.%" SCNx64 ".%" SCNu64, zxid, serial) != 2) {
        return false;
    }
    name_snapshot (again, *zxid, *serial);
    return strcmp (name, again) == 0;
}

bool name_aside (char aside[NAME_SIZE], uint32_t number, const char *name)
{
    int size = snprintf (aside, NAME_SIZE, "damaged.%" PRIu32 ".%s", number, name);
    return size > 0 && size < NAME_SIZE;
}

bool name_is_aside (const char *aside, uint32_t *number)
{
    return sscanf (aside, "damaged.%" SCNu32 ".", number) == 1;
}
