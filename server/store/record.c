/*
 *  server/store/record.c - the records of the log, see format.h
 *
 *  A record is built once, in the cache; it is written to the disk from there, and looks the same
 *  in both places.  Pure: no I/O.
 */
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "server/store/format.h"

_Static_assert(RECORD_AT_CRC + 4 == RECORD_HEADER_SIZE, "the checksum ends the header");
/*  A header touches at most two sectors.  The part in the first holds the type, the part in the
 *  second the segment's number, neither of which is zero: a part that is zero was not written. */
_Static_assert(RECORD_HEADER_SIZE < SECTOR_SIZE, "a header touches two sectors at most");

#define TYPE_WORD(type) (UINT32_C (0x01005243) | (uint32_t) (type) << 16) /* 'C' 'R' type 1 */

size_t record_note_size (uint64_t end)
{
    size_t used = (size_t) (end % SECTOR_SIZE);
    if (used == 0) {
        return RECORD_HEADER_SIZE;
    }
    size_t filling = SECTOR_SIZE - used;
    filling += filling < RECORD_HEADER_SIZE ? SECTOR_SIZE : 0;
    return filling + RECORD_HEADER_SIZE;
}

uint64_t record_salt (uint64_t store_id, uint32_t segment)
{
    uint8_t bytes[12];
    bytes_put_u64 (bytes, store_id);
    bytes_put_u32 (bytes + 8, segment);
    return hash64 (bytes, sizeof bytes, UINT64_C (0x636f686f7274)); /* any number will do */
}

static uint32_t header_crc (const uint8_t *at, uint64_t salt)
{
    uint8_t bytes[8];
    bytes_put_u64 (bytes, salt);
    return crc32c (crc32c (0, bytes, sizeof bytes), at, RECORD_AT_CRC);
}

void record_begin (uint8_t *at, const struct record *record)
{
    bytes_put_u32 (at + RECORD_AT_TYPE, TYPE_WORD (record->type));
    bytes_put_u32 (at + RECORD_AT_ZERO_PARTS, 0);
    bytes_put_u32 (at + RECORD_AT_SIZE, record->size);
    bytes_put_u32 (at + RECORD_AT_BODY_CRC, 0);
    bytes_put_u64 (at + RECORD_AT_ZXID, record->zxid);
    bytes_put_u64 (at + RECORD_AT_STAMP, (uint64_t) record->stamp_ms);
    bytes_put_u64 (at + RECORD_AT_PREVIOUS, record->previous);
    bytes_put_u64 (at + RECORD_AT_CHAIN, record->chain);
    bytes_put_u64 (at + RECORD_AT_COMMIT, record->commit);
    memset (at + RECORD_AT_DURABLE, 0, RECORD_HEADER_SIZE - RECORD_AT_DURABLE);
}

void record_finish (uint8_t *at, uint32_t segment, uint64_t offset, zxid_t durable, uint64_t salt)
{
    COHORT_ASSERT (segment > 0);
    COHORT_ASSERT (offset % RECORD_ALIGN == 0);
    uint32_t size = record_size (at);
    bytes_put_u32 (at + RECORD_AT_BODY_CRC, crc32c (0, at + RECORD_HEADER_SIZE, size));
    bytes_put_u64 (at + RECORD_AT_DURABLE, durable);
    bytes_put_u64 (at + RECORD_AT_OFFSET, offset);
    bytes_put_u32 (at + RECORD_AT_SEGMENT, segment);
    bytes_put_u32 (at + RECORD_AT_ZERO_PARTS, zero_parts_count (at, record_total (size), offset));
    bytes_put_u32 (at + RECORD_AT_CRC, header_crc (at, salt));
}

bool record_decode (const uint8_t *at, uint64_t salt, struct record *record)
{
    uint32_t word = bytes_get_u32 (at + RECORD_AT_TYPE);
    uint32_t type = word >> 16 & 0xff;
    if (word != TYPE_WORD (type) || type < RECORD_ENTRY || type > RECORD_SEAL ||
        bytes_get_u32 (at + RECORD_AT_CRC) != header_crc (at, salt)) {
        return false;
    }
    struct record found = {
        .type = (enum record_type) type,
        .zero_parts = bytes_get_u32 (at + RECORD_AT_ZERO_PARTS),
        .size = bytes_get_u32 (at + RECORD_AT_SIZE),
        .body_crc = bytes_get_u32 (at + RECORD_AT_BODY_CRC),
        .zxid = bytes_get_u64 (at + RECORD_AT_ZXID),
        .stamp_ms = record_stamp (at),
        .previous = bytes_get_u64 (at + RECORD_AT_PREVIOUS),
        .chain = bytes_get_u64 (at + RECORD_AT_CHAIN),
        .commit = bytes_get_u64 (at + RECORD_AT_COMMIT),
        .durable = bytes_get_u64 (at + RECORD_AT_DURABLE),
        .offset = bytes_get_u64 (at + RECORD_AT_OFFSET),
        .segment = bytes_get_u32 (at + RECORD_AT_SEGMENT),
    };
    if (found.size > RECORD_DATA_MAX || (type != RECORD_ENTRY && found.size >= SECTOR_SIZE) ||
        found.durable > found.zxid) {
        return false;
    }
    *record = found;
    return true;
}

bool record_body_sound (const uint8_t *at, const struct record *record)
{
    size_t used = RECORD_HEADER_SIZE + (size_t) record->size;
    return crc32c (0, at + RECORD_HEADER_SIZE, record->size) == record->body_crc &&
           all_zero (at + used, record_total (record->size) - used);
}

bool all_zero (const uint8_t *at, size_t size)
{
    if (size == 0) {
        return true;
    }
    /*  The first is zero and each equals the one before it; memcmp is as fast as anything. */
    return at[0] == 0 && memcmp (at, at + 1, size - 1) == 0;
}

uint32_t zero_parts_count (const uint8_t *at, size_t size, uint64_t offset)
{
    uint32_t count = 0;
    while (size > 0) {
        size_t part = SECTOR_SIZE - (size_t) (offset % SECTOR_SIZE);
        if (part > size) {
            part = size;
        }
        count += all_zero (at, part) ? 1 : 0;
        at += part;
        offset += part;
        size -= part;
    }
    return count;
}
