/* What waits for a peer: what becomes one, what is cut, what overtakes what. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "client/base/bytes.h"
#include "server/node/outbox.h"

enum { ENTRY_BYTES = 1000 };

/* A log of entries of the same size: (after, through] are as many as their difference. */
struct log {
    zxid_t oldest; /* what is older is gone */
    unsigned reads;
    uint8_t bytes[4 << 20];
};

struct bench {
    struct outbox outbox;
    struct arena arena;
    struct peer_frame frame;
    struct outbox_credit credit;
    struct log log;
};

static struct bench bench;

static bool read_log (void *arg, zxid_t after, zxid_t through, size_t max_bytes,
                      struct outbox_range *range)
{
    struct log *log = arg;
    log->reads++;
    if (after < log->oldest) {
        return false;
    }
    uint64_t count = max_bytes / ENTRY_BYTES;
    count = count < 1 ? 1 : count;
    count = count < through - after ? count : through - after;
    range->count = (size_t) count;
    range->reached = after + count;
    range->bytes = (struct peer_bytes){log->bytes, (size_t) count * ENTRY_BYTES};
    return true;
}

static int setup (void **state)
{
    (void) state;
    memset (&bench, 0, sizeof bench);
    outbox_init (&bench.outbox);
    arena_init (&bench.arena, 4096, 1 << 20);
    bench.credit = (struct outbox_credit){16 << 20, 8 << 20, 4 << 20};
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    outbox_deinit (&bench.outbox);
    arena_deinit (&bench.arena);
    return 0;
}

static enum outbox_result compose (void)
{
    arena_reset (&bench.arena);
    return outbox_compose (&bench.outbox, &bench.credit, read_log, &bench.log, &bench.arena,
                           &bench.frame);
}

static void put (enum zab_message_type type, zxid_t zxid)
{
    outbox_message (&bench.outbox,
                    &(struct zab_message){.type = type, .epoch = 1, .session = 1, .zxid = zxid});
}

static void put_range (enum zab_message_type type, zxid_t after, zxid_t through)
{
    outbox_message (&bench.outbox, &(struct zab_message){.type = type,
                                                         .epoch = 1,
                                                         .session = 1,
                                                         .durable = after,
                                                         .entries_after = after,
                                                         .entries_through = through});
}

/* The frame's messages: "PROPOSAL 5 COMMIT 3". */
static void assert_messages (const char *expected)
{
    char text[1024] = "";
    size_t size = 0;
    for (size_t i = 0; i < bench.frame.messages_count; i++) {
        const struct zab_message *message = &bench.frame.messages[i];
        zxid_t zxid = message->entries_through != 0 ? message->entries_through : message->zxid;
        size += (size_t) snprintf (text + size, sizeof text - size, "%s%s %llu", i > 0 ? " " : "",
                                   zab_message_name (message->type), (unsigned long long) zxid);
    }
    assert_string_equal (text, expected);
}

static void test_empty (void **state)
{
    (void) state;
    assert_int_equal (compose (), OUTBOX_EMPTY);
}

static void test_one_frame (void **state)
{
    (void) state;
    put_range (ZAB_PROPOSAL, 0, 3);
    put (ZAB_COMMIT, 2);
    put (ZAB_PING, 2);
    outbox_record (&bench.outbox.syncs, (uint64_t[]){7}, 1);
    outbox_forward (&bench.outbox, (const uint8_t *) "abc", 3);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 3 COMMIT 2 PING 2"); /* nothing overtakes without need */
    assert_int_equal (bench.frame.messages[0].entries_count, 3);
    assert_int_equal (bench.frame.syncs.size, 8);
    assert_int_equal (bench.frame.forwarded.size, 7);
    assert_int_equal (outbox_bulk (&bench.frame), 3 * ENTRY_BYTES + 7);
    assert_int_equal (compose (), OUTBOX_EMPTY);
}

static void test_merges (void **state)
{
    (void) state;
    put_range (ZAB_PROPOSAL, 0, 3);
    put (ZAB_COMMIT, 1);
    put_range (ZAB_PROPOSAL, 3, 5);
    put (ZAB_COMMIT, 2);
    put (ZAB_COMMIT, 4);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 5 COMMIT 4");
    assert_int_equal (bench.frame.messages[0].durable, 3);
    /* What one says of the sender's disk the next one does not take back. */
    struct zab_message said = {.type = ZAB_COMMIT, .epoch = 1, .session = 1, .counts = true};
    said.zxid = said.durable = 5;
    outbox_message (&bench.outbox, &said);
    said.durable = 6;
    outbox_message (&bench.outbox, &said);
    put (ZAB_COMMIT, 7);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("COMMIT 5 COMMIT 7");
    assert_int_equal (bench.frame.messages[0].durable, 6);
    /* The acknowledgement of NEWLEADER stands alone; those of entries say "up to here". */
    put (ZAB_ACK, zxid_make (1, 0));
    put (ZAB_ACK, zxid_make (1, 1));
    put (ZAB_ACK, zxid_make (1, 4));
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("ACK 1099511627776 ACK 1099511627780");
}

static void test_merges_not (void **state)
{
    (void) state;
    put_range (ZAB_PROPOSAL, 0, 3);
    put_range (ZAB_PROPOSAL, 4, 5); /* not its continuation */
    put (ZAB_NEWLEADER, 0);
    put_range (ZAB_PROPOSAL, 5, 6); /* behind another message */
    outbox_message (&bench.outbox, &(struct zab_message){.type = ZAB_PROPOSAL,
                                                         .epoch = 2, /* another epoch */
                                                         .session = 1,
                                                         .entries_after = 6,
                                                         .entries_through = 7});
    put_range (ZAB_PROPOSAL, 8, 9);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 3 PROPOSAL 5 NEWLEADER 0 PROPOSAL 6 PROPOSAL 7");
    assert_int_equal (compose (), OUTBOX_FRAME); /* more pieces than one frame takes */
    assert_messages ("PROPOSAL 9");
}

static void test_cuts (void **state)
{
    (void) state;
    put_range (ZAB_PROPOSAL, 0, 2500);
    put (ZAB_COMMIT, 2);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 1048");
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 2096");
    assert_int_equal (bench.frame.messages[0].entries_after, 1048);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 2500 COMMIT 2");
    /* A DIFF is sent whole. */
    put_range (ZAB_DIFF, 0, 2500);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("DIFF 2500");
}

/* Without credit bulk waits, and everything of the core behind it; what is urgent goes. */
static void test_overtaking (void **state)
{
    (void) state;
    put_range (ZAB_PROPOSAL, 0, 3);
    put (ZAB_COMMIT, 1);
    put (ZAB_PING, 3);
    put (ZAB_VOTE, 9);
    outbox_record (&bench.outbox.confirmations, (uint64_t[]){1, 2, 3}, 3);
    outbox_forward (&bench.outbox, (const uint8_t *) "abc", 3);
    outbox_snapshot (&bench.outbox, &(struct peer_snapshot){.kind = PEER_OFFER}, NULL, 0);
    bench.credit = (struct outbox_credit){0, 0, 0};
    assert_int_equal (compose (), OUTBOX_FRAME);
    /* The ping does not speak of a commit whose entries have not been sent. */
    assert_messages ("PING 0 VOTE 9");
    assert_int_equal (bench.frame.confirmations.size, 24);
    assert_int_equal (bench.frame.forwarded.size, 0);
    assert_int_equal (bench.frame.snapshots_count, 0); /* may belong to a SNAP that waits */
    assert_int_equal (compose (), OUTBOX_EMPTY);
    put (ZAB_PING, 3);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PING 0");
    bench.credit = (struct outbox_credit){1 << 20, 1 << 20, 1 << 20};
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 3 COMMIT 3");
    assert_int_equal (bench.frame.forwarded.size, 7);
    assert_int_equal (bench.frame.snapshots_count, 1);
}

/* A little credit takes at least one entry. */
static void test_little_credit (void **state)
{
    (void) state;
    put_range (ZAB_PROPOSAL, 0, 3);
    bench.credit.core = 1;
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 1");
    bench.credit.core = 2 * ENTRY_BYTES;
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 3");
}

static void test_gone (void **state)
{
    (void) state;
    bench.log.oldest = 5;
    put_range (ZAB_PROPOSAL, 3, 7);
    assert_int_equal (compose (), OUTBOX_BROKEN);
    outbox_clear (&bench.outbox);
    put_range (ZAB_PROPOSAL, 5, 7);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("PROPOSAL 7");
}

static void test_too_many (void **state)
{
    (void) state;
    for (int i = 0; i <= OUTBOX_MESSAGES_MAX; i++) {
        put (ZAB_TRY, 0);
    }
    assert_int_equal (compose (), OUTBOX_BROKEN);
    outbox_clear (&bench.outbox);
    assert_int_equal (compose (), OUTBOX_EMPTY);
}

/* Requests stay whole and in order, however they are cut. */
static void test_forwards (void **state)
{
    (void) state;
    static uint8_t request[OUTBOX_FRAME_BYTES + 1000]; /* more than a frame is meant to have */
    uint32_t next = 0;
    uint32_t seen = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 3; i++) {
            bytes_put_u32 (request, next++);
            outbox_forward (&bench.outbox, request, i == 0 ? sizeof request : 4);
        }
        if (round % 3 == 0) {
            continue; /* some wait */
        }
        assert_int_equal (compose (), OUTBOX_FRAME);
        struct reader reader;
        struct peer_bytes one;
        reader_init (&reader, bench.frame.forwarded.data, bench.frame.forwarded.size);
        while (peer_forward_next (&reader, &one)) {
            assert_int_equal (bytes_get_u32 (one.data), seen++);
        }
        assert_true (reader_done (&reader));
    }
    while (compose () == OUTBOX_FRAME) {
        struct reader reader;
        struct peer_bytes one;
        reader_init (&reader, bench.frame.forwarded.data, bench.frame.forwarded.size);
        while (peer_forward_next (&reader, &one)) {
            assert_int_equal (bytes_get_u32 (one.data), seen++);
        }
    }
    assert_int_equal (seen, next);
}

static void test_chunks (void **state)
{
    (void) state;
    uint8_t chunk[3] = {1, 2, 3};
    outbox_snapshot (&bench.outbox, &(struct peer_snapshot){.kind = PEER_OFFER}, NULL, 0);
    for (uint8_t i = 0; i < 3; i++) {
        chunk[0] = i;
        outbox_snapshot (&bench.outbox, &(struct peer_snapshot){.kind = PEER_CHUNK, .offset = i},
                         chunk, sizeof chunk);
    }
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal (compose (), OUTBOX_FRAME);
        assert_int_equal (bench.frame.snapshots_count, i == 0 ? 2 : 1);
        assert_int_equal (bench.frame.chunk.data[0], i); /* one a frame */
        if (i == 0) {
            bench.credit.chunks = 0;
            assert_int_equal (compose (), OUTBOX_EMPTY);
            bench.credit.chunks = 1;
        }
    }
    assert_int_equal (compose (), OUTBOX_EMPTY);
}

/* A learner begins anew over the same link: what it was to get before is not sent any more. */
static void test_new_attempt (void **state)
{
    (void) state;
    uint8_t chunk[3] = {1, 2, 3};
    struct zab_point points[2] = {{1, 2}, {3, 4}};
    struct zab_message old = {.type = ZAB_DIFF, .session = 7, .entries_through = 2000};
    struct zab_message leaving = {.type = ZAB_LEAVING};
    struct zab_message ack = {
        .type = ZAB_ACKEPOCH, .session = 7, .points = points, .points_count = 2};
    struct zab_message fresh = {.type = ZAB_SNAP, .session = 8};
    bench.credit = (struct outbox_credit){0, 0, 0};
    outbox_message (&bench.outbox, &old);
    outbox_message (&bench.outbox, &leaving);
    outbox_message (&bench.outbox, &ack);
    put (ZAB_VOTE, 9);
    outbox_snapshot (&bench.outbox, &(struct peer_snapshot){.kind = PEER_OFFER, .transfer = 1},
                     NULL, 0);
    outbox_snapshot (&bench.outbox, &(struct peer_snapshot){.kind = PEER_CHUNK, .transfer = 1},
                     chunk, sizeof chunk);
    outbox_message (&bench.outbox, &fresh);
    bench.credit = (struct outbox_credit){16 << 20, 8 << 20, 4 << 20};
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_messages ("LEAVING 0 SNAP 0 VOTE 9");
    assert_int_equal (bench.log.reads, 0);
    assert_int_equal (bench.frame.snapshots_count, 0);
    assert_int_equal (compose (), OUTBOX_EMPTY);
    /* And another snapshot in place of the one that was offered. */
    outbox_snapshot (&bench.outbox, &(struct peer_snapshot){.kind = PEER_CHUNK, .transfer = 2},
                     chunk, sizeof chunk);
    outbox_snapshot (&bench.outbox, &(struct peer_snapshot){.kind = PEER_OFFER, .transfer = 3},
                     NULL, 0);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_int_equal (bench.frame.snapshots_count, 1);
    assert_int_equal (bench.frame.snapshots[0].transfer, 3);
    assert_int_equal (bench.frame.chunk.size, 0);
    assert_int_equal (compose (), OUTBOX_EMPTY);
}

/* What says all that those before it did takes their place; of others, one too many is lost. */
static void test_records (void **state)
{
    (void) state;
    for (uint64_t i = 1; i <= 3; i++) {
        outbox_newest (&bench.outbox.syncs, &i, 1);
        outbox_newest (&bench.outbox.synced, (uint64_t[]){i, 10 * i}, 2);
    }
    for (uint64_t i = 0; i < OUTBOX_RECORDS_MAX / 24 + 2; i++) {
        outbox_record (&bench.outbox.heartbeats, (uint64_t[]){i, 1, 1}, 3);
    }
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_int_equal (bench.frame.syncs.size, 8);
    assert_int_equal (bytes_get_u64 (bench.frame.syncs.data), 3);
    assert_int_equal (bench.frame.synced.size, 16);
    assert_int_equal (bytes_get_u64 (bench.frame.synced.data + 8), 30);
    assert_in_range (bench.frame.heartbeats.size, OUTBOX_RECORDS_MAX - 24, OUTBOX_RECORDS_MAX);
    assert_int_equal (compose (), OUTBOX_EMPTY);
}

/* What waits for a leader that is none any more need not be sent; and of what waits for one that
 * takes nothing there is an end. */
static void test_forwards_that_wait (void **state)
{
    (void) state;
    static const uint8_t request[100] = {0};
    bench.outbox.forwards_max = 250;
    outbox_forward (&bench.outbox, request, sizeof request);
    outbox_forward (&bench.outbox, request, sizeof request);
    outbox_forget_forwards (&bench.outbox);
    assert_true (outbox_empty (&bench.outbox));
    outbox_forward (&bench.outbox, request, sizeof request);
    outbox_forward (&bench.outbox, request, sizeof request);
    assert_int_equal (compose (), OUTBOX_FRAME);
    assert_int_equal (bench.frame.forwarded.size, 2 * (4 + sizeof request));
    for (int i = 0; i < 3; i++) {
        outbox_forward (&bench.outbox, request, sizeof request);
    }
    assert_int_equal (compose (), OUTBOX_BROKEN);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown (test_new_attempt, setup, teardown),
        cmocka_unit_test_setup_teardown (test_one_frame, setup, teardown),
        cmocka_unit_test_setup_teardown (test_merges, setup, teardown),
        cmocka_unit_test_setup_teardown (test_merges_not, setup, teardown),
        cmocka_unit_test_setup_teardown (test_cuts, setup, teardown),
        cmocka_unit_test_setup_teardown (test_overtaking, setup, teardown),
        cmocka_unit_test_setup_teardown (test_little_credit, setup, teardown),
        cmocka_unit_test_setup_teardown (test_gone, setup, teardown),
        cmocka_unit_test_setup_teardown (test_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown (test_forwards, setup, teardown),
        cmocka_unit_test_setup_teardown (test_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown (test_records, setup, teardown),
        cmocka_unit_test_setup_teardown (test_forwards_that_wait, setup, teardown),
    };
    return cmocka_run_group_tests_name ("outbox", tests, NULL, NULL);
}
