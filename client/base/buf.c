/* The growing half of buf.h. May include: base, libc. */

#include "client/base/buf.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"

#define BUF_CAPACITY_MIN 64

void buf_init (struct buf *buf)
{
    *buf = (struct buf){0};
}

void buf_deinit (struct buf *buf)
{
    mem_free (buf->data);
    *buf = (struct buf){0};
}

void buf_clear (struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
}

void buf_truncate (struct buf *buf, size_t size)
{
    COHORT_ASSERT (size <= buf->size);
    buf->size = size;
}

bool buf_reserve (struct buf *buf, size_t extra)
{
    COHORT_ASSERT (buf->size <= buf->capacity);
    if (buf->failed) {
        return false;
    }
    if (buf->data != NULL && extra <= buf->capacity - buf->size) {
        return true;
    }
    if (extra > SIZE_MAX / 2 - buf->size) {
        buf->failed = true;
        return false;
    }
    /* Doubling keeps the cost of appending constant; no overflow, both are below SIZE_MAX / 2. */
    size_t capacity = buf->capacity < BUF_CAPACITY_MIN ? BUF_CAPACITY_MIN : buf->capacity * 2;
    if (capacity < buf->size + extra) {
        capacity = buf->size + extra;
    }
    uint8_t *data = mem_realloc (buf->data, capacity);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

uint8_t *buf_detach (struct buf *buf, size_t *size)
{
    uint8_t *data = buf->data;
    if (size != NULL) {
        *size = buf->size;
    }
    *buf = (struct buf){0};
    return data;
}

void buf_append (struct buf *buf, const void *data, size_t size)
{
    COHORT_ASSERT (data != NULL || size == 0);
    uint8_t *at = buf_extend (buf, size);
    if (at != NULL && size > 0) {
        memcpy (at, data, size);
    }
}

void buf_blob (struct buf *buf, const void *data, size_t size)
{
    COHORT_ASSERT (data != NULL || size == 0);
    if (size > UINT32_MAX) {
        buf->failed = true;
        return;
    }
    buf_u32 (buf, (uint32_t) size);
    buf_append (buf, data, size);
}

void buf_string (struct buf *buf, const char *string)
{
    buf_blob (buf, string, strlen (string));
}

void buf_patch_u32 (struct buf *buf, size_t offset, uint32_t value)
{
    if (buf->failed) {
        return;
    }
    COHORT_ASSERT (buf->size >= 4);
    COHORT_ASSERT (offset <= buf->size - 4);
    bytes_put_u32 (buf->data + offset, value);
}
