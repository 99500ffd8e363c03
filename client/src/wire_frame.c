/* ServerFrame to plain structs: the frames.
 *
 * Nearly all frames are replies to single operations and nothing else: they are kept as they are,
 * or copied, and read where they lie, item by item. May include: wire_decode, client_fields,
 * base, libc. */

#include "client/src/wire_decode.h"

#include <stdatomic.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/fields.h"
#include "client/proto/client_fields.h"

#define ARENA_BLOCK_MIN 1024
#define ARENA_BLOCK_MAX (256u << 10)

/* ---- A frame --------------------------------------------------------------------------------- */

struct wire_frame *wire_frame_new (size_t room)
{
    room += ARENA_BLOCK_MIN;
    struct wire_frame *frame = mem_calloc (1, sizeof (*frame));
    if (frame != NULL) {
        arena_init (&frame->arena, room < ARENA_BLOCK_MAX ? room : ARENA_BLOCK_MAX, 0);
        atomic_init (&frame->references, 1);
    }
    return frame;
}

int wire_frame_end (struct wire_frame *frame, int rc, struct wire_frame **frame_p)
{
    if (rc != COHORT_OK) {
        wire_frame_release (frame);
        return rc;
    }
    *frame_p = frame;
    return COHORT_OK;
}

void wire_frame_retain_many (struct wire_frame *frame, size_t count)
{
    COHORT_ASSERT (count <= UINT32_MAX / 2);
    uint32_t before =
        atomic_fetch_add_explicit (&frame->references, (uint32_t) count, memory_order_relaxed);
    COHORT_ASSERT (before > 0);
}

void wire_frame_retain (struct wire_frame *frame)
{
    wire_frame_retain_many (frame, 1);
}

void wire_frame_release_many (struct wire_frame *frame, size_t count)
{
    if (frame == NULL || count == 0) {
        return;
    }
    uint32_t before =
        atomic_fetch_sub_explicit (&frame->references, (uint32_t) count, memory_order_acq_rel);
    COHORT_ASSERT (before >= count);
    if (before == count) {
        shared_release (frame->shared);
        arena_deinit (&frame->arena);
        mem_free (frame);
    }
}

void wire_frame_release (struct wire_frame *frame)
{
    wire_frame_release_many (frame, 1);
}

/* ---- Frames of items alone ------------------------------------------------------------------- */

static bool is_item (const struct field *field)
{
    return field->number == SERVER_FRAME_ITEMS && field->type == FIELD_BYTES;
}

/* Whether there are only items in the frame, and how far the server is; and how many items. */
static bool scan_items (const void *bytes, size_t size, size_t *count)
{
    struct reader in;
    struct field field;
    *count = 0;
    reader_init (&in, bytes, size);
    for (size_t item; field_next_bytes (&in, SERVER_FRAME_ITEMS, &item) != NULL;) {
        ++*count;
    }
    while (field_next (&in, &field)) {
        bool word = (field.number == SERVER_FRAME_ZXID && field.type == FIELD_FIXED64) ||
                    (field.number == SERVER_FRAME_CONFIRMED && field.type == FIELD_VARINT);
        if (!word && !is_item (&field)) {
            return false;
        }
        *count += is_item (&field);
    }
    return !in.failed;
}

static int read_item (struct wire_frame *frame, struct wire_plain_reply *room, const uint8_t *data,
                      size_t size)
{
    int rc = wire_reply_read (&frame->arena, room, data, size);
    if (rc == COHORT_EUNSUPPORTED) {
        return wire_unpack_item (frame, data, size);
    }
    if (rc == COHORT_OK) {
        frame->items[frame->item_count++] =
            (struct wire_item){.kind = WIRE_ITEM_REPLY, .u.reply = &room->reply};
    }
    return rc;
}

/* The bytes for as long as the frame stands; NULL: no memory. */
static const uint8_t *keep_bytes (struct wire_frame *frame, const void *bytes, size_t size,
                                  struct shared *shared)
{
    if (shared == NULL) {
        return arena_dup (&frame->arena, bytes, size);
    }
    shared_retain (shared);
    frame->shared = shared;
    return bytes;
}

/* The frame has room for `count` items, and for the bytes, if nobody holds them. */
static int read_items (struct wire_frame *frame, const void *bytes, size_t size, size_t count,
                       struct shared *shared)
{
    struct reader in;
    struct field field;
    const uint8_t *kept = keep_bytes (frame, bytes, size, shared);
    struct wire_plain_reply *room = arena_alloc (&frame->arena, count * sizeof (*room));
    frame->items = arena_alloc (&frame->arena, count * sizeof (*frame->items));
    if (kept == NULL || room == NULL || frame->items == NULL) {
        return COHORT_ENOMEM;
    }
    reader_init (&in, kept, size);
    int rc = COHORT_OK;
    while (rc == COHORT_OK) {
        size_t item_size;
        const uint8_t *item = field_next_bytes (&in, SERVER_FRAME_ITEMS, &item_size);
        if (item != NULL) {
            rc = read_item (frame, room++, item, item_size);
        } else if (!field_next (&in, &field)) {
            break;
        } else if (field.number == SERVER_FRAME_ZXID) {
            frame->zxid = field.value;
        } else if (field.number == SERVER_FRAME_CONFIRMED) {
            frame->confirmed = field.value;
        } else {
            rc = read_item (frame, room++, field.data, field.size);
        }
    }
    return rc;
}

int wire_decode_shared (const void *bytes, size_t size, struct shared *shared,
                        struct wire_frame **frame_p)
{
    COHORT_ASSERT (bytes != NULL || size == 0);
    COHORT_ASSERT (frame_p != NULL);
    size_t count = 0;
    if (size > WIRE_FRAME_MAX) {
        return COHORT_EPROTOCOL;
    }
    if (!scan_items (bytes, size, &count)) {
        return wire_decode_general (bytes, size, frame_p);
    }
    size_t each = sizeof (struct wire_item) + sizeof (struct wire_plain_reply);
    struct wire_frame *frame = wire_frame_new ((shared == NULL ? size : 0) + count * each);
    if (frame == NULL) {
        return COHORT_ENOMEM;
    }
    return wire_frame_end (frame, read_items (frame, bytes, size, count, shared), frame_p);
}

int wire_decode (const void *bytes, size_t size, struct wire_frame **frame_p)
{
    return wire_decode_shared (bytes, size, NULL, frame_p);
}
