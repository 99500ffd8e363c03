/* Messages with frames of several channels. */

#include "client/base/bundle.h"

#include "client/base/assert.h"

void bundle_put (struct bundle *self, uint32_t channel, const void *data, size_t size)
{
    COHORT_ASSERT (channel != BUNDLE_BARE);
    COHORT_ASSERT (!bundle_full (self));
    if (self->letters == 0) {
        buf_u8 (&self->buf, BUNDLE_MARK);
    }
    buf_u32 (&self->buf, channel);
    buf_blob (&self->buf, data, size);
    self->letters++;
}

void bundle_head (uint8_t *head, uint32_t channel, size_t size)
{
    COHORT_ASSERT (channel != BUNDLE_BARE);
    COHORT_ASSERT (size <= UINT32_MAX);
    head[0] = BUNDLE_MARK;
    bytes_put_u32 (head + 1, channel);
    bytes_put_u32 (head + 5, (uint32_t) size);
}

void bundle_clear (struct bundle *self)
{
    buf_clear (&self->buf);
    self->letters = 0;
}

void bundle_deinit (struct bundle *self)
{
    buf_deinit (&self->buf);
    self->letters = 0;
}

bool bundle_marked (const void *data, size_t size)
{
    return size > 0 && *(const uint8_t *) data == BUNDLE_MARK;
}

bool bundle_next (struct reader *reader, struct letter *letter)
{
    if (reader_left (reader) == 0) {
        return false;
    }
    letter->channel = reader_u32 (reader);
    letter->data = reader_blob (reader, &letter->size);
    return !reader->failed;
}

bool bundle_open (struct reader *reader, const void *data, size_t size, size_t *letters)
{
    struct letter letter;
    *letters = 0;
    if (!bundle_marked (data, size)) {
        return false;
    }
    reader_init (reader, (const uint8_t *) data + 1, size - 1);
    struct reader look = *reader;
    while (bundle_next (&look, &letter)) {
        if (letter.channel == BUNDLE_BARE || ++*letters > BUNDLE_LETTERS_MAX) {
            return false;
        }
    }
    return reader_done (&look) && *letters > 0;
}
