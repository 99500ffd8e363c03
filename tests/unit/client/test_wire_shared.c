/* Frames that are read where they lie: they keep their bytes as long as they stand, and no longer.
 */

#include <stdlib.h>

#include "client.pb-c.h"
#include "client/base/alloc.h"
#include "client/base/container.h"
#include "client/src/wire.h"
#include "tests/unit/unit.h"

/* A frame in memory of its own. */
struct letter_box {
    struct shared shared;
    uint8_t *bytes;
    size_t size;
    bool ended;
};

static void end_box (struct shared *shared)
{
    struct letter_box *box = container_of (shared, struct letter_box, shared);
    free (box->bytes);
    box->ended = true;
}

/* A reply with "abc" in it, in a frame of items alone or with more in it. */
static void fill_box (struct letter_box *box, bool with_more)
{
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    reply.xid = 7;
    reply.data = (ProtobufCBinaryData){3, (uint8_t *) (uintptr_t) "abc"};
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    item.reply = &reply;
    Cohort__Wire__Item *items[] = {&item};
    Cohort__Wire__Held held = COHORT__WIRE__HELD__INIT;
    held.reason = "full";
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.items = items;
    frame.n_items = 1;
    frame.held = with_more ? &held : NULL;
    box->size = cohort__wire__server_frame__get_packed_size (&frame);
    box->bytes = malloc (box->size);
    assert_non_null (box->bytes);
    cohort__wire__server_frame__pack (&frame, box->bytes);
    box->ended = false;
    shared_init (&box->shared, end_box);
}

static bool lies_in (const struct letter_box *box, const void *data)
{
    const uint8_t *at = data;
    return at >= box->bytes && at < box->bytes + box->size;
}

static void test_read_where_it_lies (void **state)
{
    (void) state;
    struct letter_box box;
    struct wire_frame *frame = NULL;
    fill_box (&box, false);
    assert_int_equal (wire_decode_shared (box.bytes, box.size, &box.shared, &frame), 0);
    shared_release (&box.shared);
    assert_false (box.ended);
    const struct wire_reply *reply = frame->items[0].u.reply;
    assert_int_equal (reply->size, 3);
    assert_memory_equal (reply->data, "abc", 3);
    assert_true (lies_in (&box, reply->data));
    wire_frame_retain (frame);
    wire_frame_release (frame);
    assert_false (box.ended);
    wire_frame_release (frame);
    assert_true (box.ended);
}

/* What protobuf-c reads is copied: nothing is kept for it. */
static void test_copied (void **state)
{
    (void) state;
    struct letter_box box;
    struct wire_frame *frame = NULL;
    fill_box (&box, true);
    assert_int_equal (wire_decode_shared (box.bytes, box.size, &box.shared, &frame), 0);
    assert_false (lies_in (&box, frame->items[0].u.reply->data));
    shared_release (&box.shared);
    assert_true (box.ended);
    assert_string_equal (frame->held, "full");
    assert_memory_equal (frame->items[0].u.reply->data, "abc", 3);
    wire_frame_release (frame);
}

/* What cannot be read, or not for want of memory, keeps nothing. */
static void test_in_vain (void **state)
{
    (void) state;
    struct letter_box box;
    struct wire_frame *frame = NULL;
    fill_box (&box, false);
    assert_int_equal (wire_decode_shared (box.bytes, box.size - 1, &box.shared, &frame),
                      COHORT_EPROTOCOL);
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        int rc = wire_decode_shared (box.bytes, box.size, &box.shared, &frame);
        if (!mem_fail_clear ()) {
            assert_int_equal (rc, 0);
            break;
        }
        assert_int_equal (rc, COHORT_ENOMEM);
    }
    wire_frame_release (frame);
    assert_false (box.ended);
    shared_release (&box.shared);
    assert_true (box.ended);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_read_where_it_lies),
        cmocka_unit_test (test_copied),
        cmocka_unit_test (test_in_vain),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
