/*
 *  server/store/format.h - every layout on disk
 *
 *  All numbers are little-endian by code; the golden bytes are in tests/unit/store/test_format.c.
 *  Offsets below are from the beginning of the structure.  Pure: no I/O.
 *
 *  Head of every file, 64 bytes
 *     0 magic[8]   8 u32 version   12 u32 server_id   16 u64 store_id   24 cluster_id[16]
 *    40 u32 bytes of payload behind the head   44 u32 crc32c of them   48 u64 number
 *    56 u32 0   60 u32 crc32c of bytes 0 .. 59
 *  number: of the copy (meta), of the flip (manifest), of the segment (log), serial (snap).  This
 *  head is the same in all versions to come, so that an unknown version is told from damage.
 *
 *  meta.0 meta.1: head, payload; 4096 bytes
 *  manifest: head, payload
 *  log.<n>: head; records from 4096 on, each at a multiple of 8, zeros behind
 *  snap.<zxid>.<serial>: head, payload; blocks from 4096 on; trailer
 */
#ifndef SERVER_STORE_FORMAT_H
#define SERVER_STORE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "server/core/zab.h"
#include "server/store/store.h"

enum {
    FORMAT_VERSION = 1,
    SECTOR_SIZE = 512, /*  what a disk writes whole or not at all */
    HEAD_SIZE = 64,
    META_SIZE = 4096,
    MANIFEST_SIZE_MAX = 16 << 20,
    SEGMENT_HEAD_SIZE = 4096,
    RECORD_HEADER_SIZE = 80,
    RECORD_ALIGN = 8,
    /*  The most that record_note_size gives: it is always reserved behind the last record of a
     *  segment that is not sealed. */
    NOTE_SIZE_MAX = RECORD_HEADER_SIZE + SECTOR_SIZE + RECORD_HEADER_SIZE,
    RECORD_DATA_MAX = 1 << 30,
    SNAPSHOT_HEAD_SIZE = 4096,
    SNAPSHOT_BLOCK_SIZE = 64 << 10, /*  of content; the last block may be shorter */
    SNAPSHOT_BLOCK_HEADER_MAX = 12,
    SNAPSHOT_TRAILER_SIZE = 64
};

/*  How blocks are laid out. */
enum snapshot_packing {
    SNAPSHOT_PLAIN = 0, /*  content as it is; read, and not written any more */
    SNAPSHOT_PACKED = 1 /*  each block a frame of zstd, or as it is where that is no smaller */
};

enum format_verdict { FORMAT_OK = 0, FORMAT_DAMAGED, FORMAT_VERSION_UNKNOWN };

/* ---- Head -------------------------------------------------------------------------------- */

enum file_kind { FILE_META = 0, FILE_MANIFEST, FILE_LOG, FILE_SNAPSHOT };

/*  Whose file it is.  A file made before the server was part of a cluster has zeros there. */
struct file_ids {
    uint32_t server_id;
    uint64_t store_id;
    uint8_t cluster_id[16];
};

struct file_head {
    struct file_ids ids;
    uint64_t number;
};

/*  Fills the first HEAD_SIZE bytes for the payload that follows them. */
void head_encode (uint8_t *file, enum file_kind kind, const struct file_head *head,
                  uint32_t payload_size);

/*  Checks head and payload; *payload points into file.  size: bytes there are. */
enum format_verdict head_decode (const uint8_t *file, size_t size, enum file_kind kind,
                                 struct file_head *head, struct reader *payload);

/* ---- Metadata ---------------------------------------------------------------------------- */

/*  META_SIZE bytes. */
void meta_encode (uint8_t *file, uint64_t number, const struct store_meta *meta);
enum format_verdict meta_decode (const uint8_t *file, size_t size, uint64_t *number,
                                 struct store_meta *meta);

/* ---- Manifest ---------------------------------------------------------------------------- */

enum { MANIFEST_SNAPSHOTS_MAX = 64, MANIFEST_SPANS_MAX = 1 << 18 };

struct snapshot_entry {
    struct zab_point point;
    int64_t stamp_ms;
    uint64_t size;      /*  of the body     */
    uint64_t file_size; /*  of the file     */
    uint64_t digest;    /*  of the body     */
    uint64_t serial;    /*  makes the name unique */
};

/*  A piece of the log: records of a segment from start to end.  end 0: to where they cease. */
struct span {
    uint32_t segment;
    uint64_t start;
    uint64_t end;
    zxid_t last; /*  of the last entry before end; 0 while end is 0 */
};

struct manifest {
    uint64_t number;
    struct zab_point base; /*  the log begins behind it */
    int64_t base_stamp_ms;
    zxid_t durable; /*  the log was durable through this zxid when the manifest was written */
    uint32_t next_segment;
    uint64_t next_serial;
    size_t snapshots_count; /*  ascending */
    struct snapshot_entry snapshots[MANIFEST_SNAPSHOTS_MAX];
    size_t spans_count, spans_room;
    struct span *spans; /*  the manifest's own */
};

/*  Appends the whole file; look at out->failed. */
void manifest_encode (struct buf *out, const struct file_ids *ids, const struct manifest *manifest);

/*  manifest: initialized (all zero); spans are allocated, also check for NULL: out of memory. */
enum format_verdict manifest_decode (const uint8_t *file, size_t size, struct file_ids *ids,
                                     struct manifest *manifest, bool *out_of_memory);

/* ---- Log --------------------------------------------------------------------------------- */

/*  Record header, 80 bytes, then data, then zeros up to a multiple of 8:
 *     0 u32 type ('C' 'R' type 1)   4 u32 zero_parts   8 u32 size of data   12 u32 crc32c of data
 *    16 u64 zxid   24 i64 stamp_ms   32 u64 previous chain   40 u64 chain   48 u64 commit
 *    56 u64 durable   64 u64 offset in the segment   72 u32 segment   76 u32 crc of bytes 0 .. 75
 *  The header's crc begins with a salt of the store and the segment, so that no data a client
 *  sends can look like a record.
 *
 *  The owner writes type, size, 16 .. 55 and the data when it submits the entry; the worker adds
 *  the rest, in place, when it knows where the record goes. */
enum record_type {
    RECORD_ENTRY = 1,
    RECORD_MARK, /*  "durable through": written when the log is idle; zxid, chain: the last entry;
                  *  may hold zeros as data, less than a sector, to fill one */
    RECORD_SEAL  /*  likewise, and the segment ends here                                          */
};

struct record {
    enum record_type type;
    uint32_t zero_parts; /*  sectors' parts of this record that are all zero, rightly */
    uint32_t size;
    uint32_t body_crc;
    zxid_t zxid;
    int64_t stamp_ms;
    uint64_t previous, chain;
    zxid_t commit;
    zxid_t durable; /*  through this zxid the log was durable before this record was written */
    uint64_t offset;
    uint32_t segment;
};

/*  Bytes of a record with so much data. */
static inline size_t record_total (uint32_t size)
{
    return ((size_t) RECORD_HEADER_SIZE + size + RECORD_ALIGN - 1) & ~(size_t) (RECORD_ALIGN - 1);
}

/*  Bytes that a mark or seal behind `end` takes: it begins a sector, so that no one sector holds
 * both the last entry and the word about it; a mark with zeros as data fills the sector before. */
size_t record_note_size (uint64_t end);

/*  Where the fields of a record's header are. */
enum {
    RECORD_AT_TYPE = 0,
    RECORD_AT_ZERO_PARTS = 4,
    RECORD_AT_SIZE = 8,
    RECORD_AT_BODY_CRC = 12,
    RECORD_AT_ZXID = 16,
    RECORD_AT_STAMP = 24,
    RECORD_AT_PREVIOUS = 32,
    RECORD_AT_CHAIN = 40,
    RECORD_AT_COMMIT = 48,
    RECORD_AT_DURABLE = 56,
    RECORD_AT_OFFSET = 64,
    RECORD_AT_SEGMENT = 72,
    RECORD_AT_CRC = 76
};

/*  Fields of the owner's part, readable while the worker fills in its own. */
static inline uint32_t record_size (const uint8_t *at)
{
    return bytes_get_u32 (at + RECORD_AT_SIZE);
}

static inline zxid_t record_zxid (const uint8_t *at)
{
    return bytes_get_u64 (at + RECORD_AT_ZXID);
}

static inline int64_t record_stamp (const uint8_t *at)
{
    return (int64_t) bytes_get_u64 (at + RECORD_AT_STAMP);
}

static inline uint64_t record_chain (const uint8_t *at)
{
    return bytes_get_u64 (at + RECORD_AT_CHAIN);
}

static inline zxid_t record_commit (const uint8_t *at)
{
    return bytes_get_u64 (at + RECORD_AT_COMMIT);
}

/*  Where a finished record is. */
static inline uint64_t record_offset (const uint8_t *at)
{
    return bytes_get_u64 (at + RECORD_AT_OFFSET);
}

static inline uint32_t record_segment (const uint8_t *at)
{
    return bytes_get_u32 (at + RECORD_AT_SEGMENT);
}

uint64_t record_salt (uint64_t store_id, uint32_t segment);

/*  The owner's part of the header; the worker's fields become zero.  Data and padding follow. */
void record_begin (uint8_t *at, const struct record *record);
/*  The worker's part.  Header, data and padding are there. */
void record_finish (uint8_t *at, uint32_t segment, uint64_t offset, zxid_t durable, uint64_t salt);

/*  Checks RECORD_HEADER_SIZE bytes; false: not a sound header. */
bool record_decode (const uint8_t *at, uint64_t salt, struct record *record);
/*  The data's checksum, and zeros as padding. */
bool record_body_sound (const uint8_t *at, const struct record *record);

/*  Parts of sectors, of [at, at + size) which lies at `offset`, that hold nothing but zeros. */
uint32_t zero_parts_count (const uint8_t *at, size_t size, uint64_t offset);
bool all_zero (const uint8_t *at, size_t size);

/* ---- Snapshots --------------------------------------------------------------------------- */

/*  Blocks lie one behind the other from SNAPSHOT_HEAD_SIZE on; offsets of blocks count from there.
 *    PLAIN   u32 size, u32 crc32c of (u64 index, body), body: the content.  All but the last are of
 *            one size, so that offset and index go together.
 *    PACKED  u32 size of the body, u32 size of the content, u32 crc32c of (u64 offset of the block,
 *            both sizes, body), body.  Of equal sizes: the body is the content.
 *  Trailer: magic[8], u64 size of all content, u64 blocks, u64 digest, u64 serial, u64 bytes of all
 *  blocks with their headers (PLAIN: 0), zeros, u32 crc at 60.  digest: hash64 (content of block,
 *  size, digest so far), from 0. */
struct snapshot_head {
    struct file_ids ids;
    uint64_t serial;
    struct zab_point point;
    int64_t stamp_ms;
    enum snapshot_packing packing;
    uint32_t block_size;
};

struct snapshot_trailer {
    uint64_t size, blocks, digest, serial, stored;
};

/*  SNAPSHOT_HEAD_SIZE bytes. */
void snapshot_head_encode (uint8_t *file, const struct snapshot_head *head);
enum format_verdict snapshot_head_decode (const uint8_t *file, size_t size,
                                          struct snapshot_head *head);
void snapshot_trailer_encode (uint8_t *at, const struct snapshot_trailer *trailer);
bool snapshot_trailer_decode (const uint8_t *at, struct snapshot_trailer *trailer);

struct snapshot_block {
    size_t header; /*  bytes */
    uint32_t body; /*  bytes behind them */
    uint32_t size; /*  of the content */
    uint32_t crc;
};

size_t snapshot_block_header_size (enum snapshot_packing packing);
/*  The header alone; false: it cannot be one. */
bool snapshot_block_decode (enum snapshot_packing packing, const uint8_t *at,
                            struct snapshot_block *block);
/*  Header and body are there: whether they are as they were written, for this place. */
bool snapshot_block_sound (enum snapshot_packing packing, uint64_t offset, const uint8_t *at,
                           const struct snapshot_block *block);
/*  Fills in the header of a packed block; the body is there.  Returns the size of both. */
size_t snapshot_block_encode (uint8_t *at, uint64_t offset, uint32_t body, uint32_t size);

/* ---- Names ------------------------------------------------------------------------------- */

enum { NAME_SIZE = 64 };

#define NAME_MANIFEST     "manifest"
#define NAME_MANIFEST_NEW "manifest.new"
#define NAME_SNAPSHOT_NEW "snap.new"
#define NAME_RESERVE      "reserve"
#define NAME_RESTORING    "restoring"

void name_segment (char name[NAME_SIZE], uint32_t segment);
void name_snapshot (char name[NAME_SIZE], zxid_t zxid, uint64_t serial);
/*  false: another kind of name. */
bool name_is_segment (const char *name, uint32_t *segment);
bool name_is_snapshot (const char *name, zxid_t *zxid, uint64_t *serial);

/*  What was set aside: damaged.<n>.<name>.  false: the name is too long. */
bool name_aside (char aside[NAME_SIZE], uint32_t number, const char *name);
bool name_is_aside (const char *aside, uint32_t *number);

#endif
