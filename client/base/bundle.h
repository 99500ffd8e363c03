/* Many conversations on one connection: a message carries frames of several channels.
 *
 * A client's sessions that share a loop share a connection to each server. Each of them is a
 * channel of it, a number that the client gives, from 1 on and never twice on one connection. What
 * a turn has for all of them goes out as one ZeroMQ message, a bundle:
 *
 *     u8 0                                  the mark: no frame begins so
 *     { u32 channel, u32 size, bytes } ...  letters, each one frame of one channel
 *
 * A letter without bytes is the end of its channel if the client sends it, and a sign of life
 * (ClientFrame.ask) if the server does. A message that does not begin with the mark is one frame:
 * from a client, of channel 0, which is answered in kind - it is how those talk that have nothing
 * to share; from a server to others than that, for every channel there is (an empty one: a probe
 * whether the connection stands).
 *
 * Numbers are little-endian. May include: buf, libc. */

#ifndef COHORT_BASE_BUNDLE_H
#define COHORT_BASE_BUNDLE_H

#include "client/base/buf.h"

enum {
    BUNDLE_MARK = 0,
    BUNDLE_LETTERS_MAX = 1024,   /* more make a bundle malformed: each costs its receiver time */
    BUNDLE_BYTES = 64 * 1024,    /* with so many it is sent; only its last letter goes beyond */
    BUNDLE_OVERHEAD = 9,         /* of one with a single letter */
    BUNDLE_CHANNELS_MAX = 65536, /* open at a time, of one connection */
    BUNDLE_BARE = 0              /* the channel of messages that are no bundle */
};

/* One that is being filled. All zeroes: empty. */
struct bundle {
    struct buf buf;
    uint32_t letters;
};

struct letter {
    uint32_t channel;
    const uint8_t *data; /* borrowed; never NULL */
    size_t size;
};

/* Whether it is time to send it: another letter may be too many. */
static inline bool bundle_full (const struct bundle *self)
{
    return self->buf.size >= BUNDLE_BYTES || self->letters == BUNDLE_LETTERS_MAX;
}

/* Appends a letter to a bundle that is not full. Without memory buf.failed. */
void bundle_put (struct bundle *self, uint32_t channel, const void *data, size_t size);
/* What stands before the bytes of a bundle with this one letter: BUNDLE_OVERHEAD bytes. */
void bundle_head (uint8_t *head, uint32_t channel, size_t size);
/* Empties it and keeps its memory. */
void bundle_clear (struct bundle *self);
void bundle_deinit (struct bundle *self);

/* Looks at a whole message; false: it is no bundle, or not a sound one. Otherwise bundle_next gives
 * its letters, of which there are *letters. */
bool bundle_open (struct reader *reader, const void *data, size_t size, size_t *letters);
/* The next letter; false: there is none. */
bool bundle_next (struct reader *reader, struct letter *letter);
/* Whether a message begins as bundles do. */
bool bundle_marked (const void *data, size_t size);

#endif
