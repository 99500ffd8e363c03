/* What the decoders share: wire_frame.c has the frames, wire_reply.c reads replies to single
 * operations straight from the bytes, wire_decode.c all else, through protobuf-c.
 * May include: wire, base, libc. */

#ifndef COHORT_CLIENT_WIRE_DECODE_H
#define COHORT_CLIENT_WIRE_DECODE_H

#include "client/src/wire.h"

/* An empty frame with one reference, which will hold about so many bytes; NULL without memory. */
struct wire_frame *wire_frame_new (size_t room);
/* Hands it over, or, with an error, frees it. Returns rc. */
int wire_frame_end (struct wire_frame *frame, int rc, struct wire_frame **frame_p);

/* A reply to a single operation, and the stat that it may point to. */
struct wire_plain_reply {
    struct wire_reply reply;
    cohort_stat_t stat;
};

/* Reads an Item that is a reply with no more in it than the reply to a single operation has. 0 and
 * *whole; COHORT_ENOMEM; COHORT_EUNSUPPORTED: it is something else, malformed perhaps, and
 * protobuf-c's to read. The data of the reply stays where it is: the bytes must live in the arena,
 * as `whole` does.
 */
int wire_reply_read (struct arena *arena, struct wire_plain_reply *whole, const uint8_t *data,
                     size_t size);

/* Reads any Item to the end of the frame's items, for which there is room. 0, COHORT_EPROTOCOL,
 * COHORT_ENOMEM. */
int wire_unpack_item (struct wire_frame *frame, const uint8_t *data, size_t size);

#endif
