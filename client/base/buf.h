/* A growing byte buffer to write into, and a reader over bytes that are already there.
 *
 * Both fail like a stream: the first failure sticks, later calls do nothing, and the caller checks
 * `failed` once at the end. Numbers are little-endian; a blob or string is a u32 length and then
 * its bytes. May include: base, libc. */

#ifndef COHORT_BASE_BUF_H
#define COHORT_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/base/bytes.h"

struct buf {
    uint8_t *data; /* `size` bytes are valid; moves when the buffer grows */
    size_t size, capacity;
    bool failed; /* memory ran out, or a length did not fit: the contents are incomplete */
};

/* An empty buffer; allocates nothing. All zeroes is the same. */
void buf_init (struct buf *buf);
/* Releases the memory; the buffer is as after buf_init. */
void buf_deinit (struct buf *buf);
/* Empties the buffer, keeps its memory and forgets a failure. */
void buf_clear (struct buf *buf);
/* Shortens to `size` bytes, which must not be more than there are. A failure stays. */
void buf_truncate (struct buf *buf, size_t size);
/* Makes room for `extra` more bytes; false, and failed, when that is impossible. */
bool buf_reserve (struct buf *buf, size_t extra);
/* Hands the memory (NULL if nothing was ever written) to the caller, who calls mem_free; the
 * buffer is as after buf_init. `size` gets the number of valid bytes and may be NULL. */
uint8_t *buf_detach (struct buf *buf, size_t *size);

/* Appends bytes, which may not lie inside the buffer itself; data may be NULL if size is 0. */
void buf_append (struct buf *buf, const void *data, size_t size);
/* Appends a u32 length and the bytes; fails above UINT32_MAX. */
void buf_blob (struct buf *buf, const void *data, size_t size);
/* Appends a terminated string as a blob, without its terminator. */
void buf_string (struct buf *buf, const char *string);
/* Overwrites four bytes at `offset`, which must have been written before: for lengths that are
 * known late. Does nothing on a failed buffer. */
void buf_patch_u32 (struct buf *buf, size_t offset, uint32_t value);

/* Appends `size` uninitialised bytes and returns them, valid until the next call; NULL, and
 * failed, when memory runs out. */
static inline uint8_t *buf_extend (struct buf *buf, size_t size)
{
    /* Not `<`: without any memory yet there is no pointer to give, for no bytes either. */
    if (buf->failed || (buf->capacity - buf->size <= size && !buf_reserve (buf, size))) {
        return NULL;
    }
    uint8_t *at = buf->data + buf->size;
    buf->size += size;
    return at;
}

static inline void buf_u8 (struct buf *buf, uint8_t value)
{
    uint8_t *at = buf_extend (buf, 1);
    if (at != NULL) {
        *at = value;
    }
}

static inline void buf_u16 (struct buf *buf, uint16_t value)
{
    uint8_t *at = buf_extend (buf, 2);
    if (at != NULL) {
        bytes_put_u16 (at, value);
    }
}

static inline void buf_u32 (struct buf *buf, uint32_t value)
{
    uint8_t *at = buf_extend (buf, 4);
    if (at != NULL) {
        bytes_put_u32 (at, value);
    }
}

static inline void buf_u64 (struct buf *buf, uint64_t value)
{
    uint8_t *at = buf_extend (buf, 8);
    if (at != NULL) {
        bytes_put_u64 (at, value);
    }
}

static inline void buf_i32 (struct buf *buf, int32_t value)
{
    buf_u32 (buf, (uint32_t) value);
}

static inline void buf_i64 (struct buf *buf, int64_t value)
{
    buf_u64 (buf, (uint64_t) value);
}

/* Reads from `at` up to `end`; never beyond. Once failed, every read gives 0, or NULL. */
struct reader {
    const uint8_t *at, *end;
    bool failed;
};

/* The bytes are borrowed: they must outlive the reader and every blob taken from it. data may be
 * NULL if size is 0. */
static inline void reader_init (struct reader *reader, const void *data, size_t size)
{
    /* A pointer that is never NULL keeps an empty blob apart from a failure. */
    bool given = data != NULL;
    reader->at = given ? data : (const uint8_t *) "";
    reader->end = given ? reader->at + size : reader->at;
    reader->failed = !given && size > 0;
}

/* Bytes not read yet; 0 once failed. */
static inline size_t reader_left (const struct reader *reader)
{
    return reader->failed ? 0 : (size_t) (reader->end - reader->at);
}

/* Whether all was read and nothing failed: the check at the end of a record. */
static inline bool reader_done (const struct reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

/* The next `size` bytes, borrowed from the input; NULL, and failed, if there are not as many. */
static inline const uint8_t *reader_bytes (struct reader *reader, size_t size)
{
    if (reader->failed || (size_t) (reader->end - reader->at) < size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->at;
    reader->at += size;
    return bytes;
}

static inline uint8_t reader_u8 (struct reader *reader)
{
    const uint8_t *at = reader_bytes (reader, 1);
    return at != NULL ? *at : 0;
}

static inline uint16_t reader_u16 (struct reader *reader)
{
    const uint8_t *at = reader_bytes (reader, 2);
    return at != NULL ? bytes_get_u16 (at) : 0;
}

static inline uint32_t reader_u32 (struct reader *reader)
{
    const uint8_t *at = reader_bytes (reader, 4);
    return at != NULL ? bytes_get_u32 (at) : 0;
}

static inline uint64_t reader_u64 (struct reader *reader)
{
    const uint8_t *at = reader_bytes (reader, 8);
    return at != NULL ? bytes_get_u64 (at) : 0;
}

static inline int32_t reader_i32 (struct reader *reader)
{
    return (int32_t) reader_u32 (reader);
}

static inline int64_t reader_i64 (struct reader *reader)
{
    return (int64_t) reader_u64 (reader);
}

/* The bytes of a blob, borrowed from the input and never NULL unless failed; *size gets their
 * number, 0 on failure. A string is read the same way and is not terminated. */
static inline const uint8_t *reader_blob (struct reader *reader, size_t *size)
{
    size_t length = reader_u32 (reader);
    const uint8_t *bytes = reader_bytes (reader, length);
    *size = bytes != NULL ? length : 0;
    return bytes;
}

#endif
