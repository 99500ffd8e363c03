/* Frames between servers: golden bytes, round trips, and everything that must be refused. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/prng.h"
#include "server/node/wire_peer.h"

struct bench {
    struct arena arena;
    struct buf bytes;
    struct peer_frame decoded;
    bool header_valid;
};

static void bench_init (struct bench *bench)
{
    memset (bench, 0, sizeof *bench);
    arena_init (&bench->arena, 4096, 1 << 20);
    buf_init (&bench->bytes);
}

static void bench_deinit (struct bench *bench)
{
    arena_deinit (&bench->arena);
    buf_deinit (&bench->bytes);
}

static void encode (struct bench *bench, const struct peer_frame *frame)
{
    buf_clear (&bench->bytes);
    assert_true (peer_frame_encode (&bench->bytes, &bench->arena, frame));
}

static const char *decode (struct bench *bench)
{
    return peer_frame_decode (&bench->decoded, &bench->arena, bench->bytes.data, bench->bytes.size,
                              &bench->header_valid);
}

static void assert_bytes (const struct bench *bench, const char *hex)
{
    char text[2048];
    assert_true (bench->bytes.size * 2 < sizeof text);
    for (size_t i = 0; i < bench->bytes.size; i++) {
        snprintf (text + 2 * i, 3, "%02x", bench->bytes.data[i]);
    }
    assert_string_equal (text, hex);
}

static void test_golden_hello (void **state)
{
    (void) state;
    struct bench bench;
    bench_init (&bench);
    struct peer_frame frame;
    memset (&frame, 0, sizeof frame);
    frame.header = (struct peer_header){1, 2, 0x1122334455667788, 0, 0, 0};
    frame.has_hello = true;
    frame.hello = (struct peer_hello){.magic = PEER_MAGIC,
                                      .version_min = 1,
                                      .version_max = 1,
                                      .has_cluster = true,
                                      .cluster_id = {0xaa, 0xbb},
                                      .store_id = 0x0102030405060708,
                                      .role = CONFIG_VOTER};
    encode (&bench, &frame);
    assert_bytes (&bench, "0a0d08011002198877665544332211"
                          "12260d50524843100118012a10aabb0000000000000000000000000000"
                          "3108070605040302013801");
    assert_null (decode (&bench));
    assert_true (bench.header_valid);
    assert_int_equal (bench.decoded.header.mine, 0x1122334455667788);
    assert_true (bench.decoded.has_hello);
    assert_false (bench.decoded.has_hello_ack);
    assert_memory_equal (&bench.decoded.hello, &frame.hello, sizeof frame.hello);
    frame.hello.twin = 0x7766554433221100;
    encode (&bench, &frame);
    assert_null (decode (&bench));
    assert_int_equal (bench.decoded.hello.twin, 0x7766554433221100);
    bench_deinit (&bench);
}

static void put_entry (struct buf *out, zxid_t zxid, const char *data)
{
    struct zab_entry entry = {.zxid = zxid,
                              .stamp_ms = 7,
                              .chain = 0x99,
                              .data = (const uint8_t *) data,
                              .size = (uint32_t) strlen (data)};
    peer_entry_encode (out, &entry);
}

static void test_golden_proposal (void **state)
{
    (void) state;
    struct bench bench;
    struct buf entries;
    bench_init (&bench);
    buf_init (&entries);
    put_entry (&entries, 0x10000000001, "ab");
    struct zab_message message = {.type = ZAB_PROPOSAL,
                                  .epoch = 1,
                                  .session = 5,
                                  .entries_through = 0x10000000001,
                                  .entries_count = 1};
    struct peer_frame frame;
    memset (&frame, 0, sizeof frame);
    frame.header = (struct peer_header){3, 1, 4, 5, 6, 7};
    frame.messages = &message;
    frame.messages_count = 1;
    frame.entry_parts[0] = (struct peer_bytes){entries.data, entries.size};
    frame.entry_parts_count = 1;
    encode (&bench, &frame);
    assert_bytes (&bench, "0a280803100119040000000000000021050000000000000029060000000000000031"
                          "0700000000000000"
                          "2215080d10017101000000000100007801850105000000"
                          "82011e01000000000100000700000000000000990000000000000002000000"
                          "6162");
    assert_null (decode (&bench));
    assert_int_equal (bench.decoded.messages_count, 1);
    const struct zab_message *out = &bench.decoded.messages[0];
    assert_int_equal (out->type, ZAB_PROPOSAL);
    assert_int_equal (out->peer, 3);
    assert_int_equal (out->session, 5);
    assert_int_equal (out->entries_count, 1);
    assert_int_equal (out->entries[0].zxid, 0x10000000001);
    assert_int_equal (out->entries[0].stamp_ms, 7);
    assert_int_equal (out->entries[0].chain, 0x99);
    assert_memory_equal (out->entries[0].data, "ab", 2);
    /* In place. */
    assert_true (out->entries[0].data >= bench.bytes.data &&
                 out->entries[0].data < bench.bytes.data + bench.bytes.size);
    buf_deinit (&entries);
    bench_deinit (&bench);
}

/* A frame that has everything, for round trips and as a seed for damage. */
struct sample {
    struct peer_frame frame;
    struct zab_message messages[4];
    struct zab_point points[3];
    struct peer_snapshot snapshots[2];
    struct buf entries[2];
    struct buf forwarded;
    uint64_t records[6];
    uint8_t chunk[100];
};

static void sample_init (struct sample *sample)
{
    memset (sample, 0, sizeof *sample);
    struct peer_frame *frame = &sample->frame;
    frame->header = (struct peer_header){3, 1, UINT64_MAX, 5, 6, 7};
    frame->has_hello_ack = true;
    frame->has_bootstrap = true;
    frame->bootstrap = (struct peer_bootstrap){
        .stage = PEER_PREPARED,
        .round = 77,
        .propose = true,
        .has_cluster = true,
        .cluster_id = {1, 2, 3},
        .config = {
            .version = 9, .count = 2, .members = {{1, CONFIG_VOTER, 11}, {2, CONFIG_OBSERVER, 0}}}};
    sample->points[0] = (struct zab_point){5, 6};
    sample->points[1] = (struct zab_point){0, 0};
    sample->points[2] = (struct zab_point){7, 8};
    sample->messages[0] = (struct zab_message){.type = ZAB_ACKEPOCH,
                                               .epoch = 2,
                                               .zxid = 100,
                                               .counts = true,
                                               .session = 9,
                                               .trust = ZAB_SUSPECT,
                                               .suspect = 104,
                                               .points_count = 3,
                                               .points = sample->points};
    sample->messages[1] = (struct zab_message){.type = ZAB_DIFF,
                                               .epoch = 2,
                                               .point = {100, 200},
                                               .entries_after = 100,
                                               .entries_through = 102,
                                               .entries_count = 2};
    sample->messages[2] = (struct zab_message){.type = ZAB_VOTE,
                                               .round = 3,
                                               .leader = 4,
                                               .role = ZAB_LOOKING,
                                               .config_version = 1,
                                               .durable = 99,
                                               .nonce = UINT64_MAX};
    sample->messages[3] = (struct zab_message){
        .type = ZAB_PROPOSAL, .entries_after = 102, .entries_through = 103, .entries_count = 1};
    frame->messages = sample->messages;
    frame->messages_count = 4;
    put_entry (&sample->entries[0], 101, "first");
    put_entry (&sample->entries[0], 102, "");
    put_entry (&sample->entries[1], 103, "third");
    for (size_t i = 0; i < 2; i++) {
        frame->entry_parts[i] =
            (struct peer_bytes){sample->entries[i].data, sample->entries[i].size};
    }
    frame->entry_parts_count = 2;
    peer_forward_encode (&sample->forwarded, (const uint8_t *) "request", 7);
    peer_forward_encode (&sample->forwarded, (const uint8_t *) "x", 1);
    frame->forwarded = (struct peer_bytes){sample->forwarded.data, sample->forwarded.size};
    for (size_t i = 0; i < 6; i++) {
        sample->records[i] = i;
    }
    const uint8_t *records = (const uint8_t *) sample->records;
    frame->heartbeats = (struct peer_bytes){records, 48};
    frame->confirmations = (struct peer_bytes){records, 24};
    frame->disconnects = (struct peer_bytes){records, 32};
    frame->syncs = (struct peer_bytes){records, 8};
    frame->synced = (struct peer_bytes){records, 16};
    frame->digests = (struct peer_bytes){records, 24};
    frame->asked = (struct peer_bytes){records, 8};
    sample->snapshots[0] =
        (struct peer_snapshot){PEER_OFFER, 1, {5, 6}, 1234, 1u << 20, 0, 1u << 18, 77, 1};
    sample->snapshots[1] = (struct peer_snapshot){PEER_CHUNK, 1, {0, 0}, 0, 0, 4096, 0, 0, 0};
    frame->snapshots = sample->snapshots;
    frame->snapshots_count = 2;
    memset (sample->chunk, 0x5a, sizeof sample->chunk);
    frame->chunk = (struct peer_bytes){sample->chunk, sizeof sample->chunk};
}

static void sample_deinit (struct sample *sample)
{
    buf_deinit (&sample->entries[0]);
    buf_deinit (&sample->entries[1]);
    buf_deinit (&sample->forwarded);
}

static void assert_part (struct peer_bytes a, struct peer_bytes b)
{
    assert_int_equal (a.size, b.size);
    assert_memory_equal (a.data, b.data, a.size);
}

static void test_round_trip (void **state)
{
    (void) state;
    struct bench bench;
    struct sample sample;
    bench_init (&bench);
    sample_init (&sample);
    encode (&bench, &sample.frame);
    assert_null (decode (&bench));
    const struct peer_frame *out = &bench.decoded;
    const struct peer_frame *in = &sample.frame;
    assert_memory_equal (&out->header, &in->header, sizeof in->header);
    assert_true (out->has_hello_ack && out->has_bootstrap && !out->has_hello);
    assert_int_equal (out->bootstrap.round, 77);
    assert_true (out->bootstrap.propose);
    assert_int_equal (out->bootstrap.config.count, 2);
    assert_int_equal (out->bootstrap.config.members[0].store_id, 11);
    assert_int_equal (out->bootstrap.config.members[1].role, CONFIG_OBSERVER);
    assert_int_equal (out->messages_count, 4);
    assert_int_equal (out->messages[0].points_count, 3);
    assert_memory_equal (out->messages[0].points, sample.points, sizeof sample.points);
    assert_true (out->messages[0].counts);
    assert_int_equal (out->messages[0].trust, ZAB_SUSPECT);
    assert_int_equal (out->messages[0].suspect, 104);
    assert_int_equal (out->messages[1].point.chain, 200);
    assert_int_equal (out->messages[1].entries_count, 2);
    assert_int_equal (out->messages[1].entries[1].size, 0);
    assert_int_equal (out->messages[2].nonce, UINT64_MAX);
    assert_int_equal (out->messages[2].leader, 4);
    assert_int_equal (out->messages[3].entries[0].zxid, 103);
    assert_int_equal (out->snapshots_count, 2);
    assert_int_equal (out->snapshots[0].stamp_ms, 1234);
    assert_int_equal (out->snapshots[0].stored, 1u << 18);
    assert_int_equal (out->snapshots[0].digest, 77);
    assert_int_equal (out->snapshots[0].packing, 1);
    assert_int_equal (out->snapshots[1].offset, 4096);
    assert_part (out->heartbeats, in->heartbeats);
    assert_part (out->confirmations, in->confirmations);
    assert_part (out->disconnects, in->disconnects);
    assert_part (out->syncs, in->syncs);
    assert_part (out->synced, in->synced);
    assert_part (out->digests, in->digests);
    assert_part (out->asked, in->asked);
    assert_part (out->chunk, in->chunk);
    struct reader reader;
    struct peer_bytes request;
    reader_init (&reader, out->forwarded.data, out->forwarded.size);
    assert_true (peer_forward_next (&reader, &request));
    assert_int_equal (request.size, 7);
    assert_true (peer_forward_next (&reader, &request));
    assert_false (peer_forward_next (&reader, &request));
    sample_deinit (&sample);
    bench_deinit (&bench);
}

/* What a peer could do wrong, one thing at a time. */
static void test_refused (void **state)
{
    (void) state;
    for (int wrong = 0; wrong < 20; wrong++) {
        struct bench bench;
        struct sample sample;
        bench_init (&bench);
        sample_init (&sample);
        struct peer_frame *frame = &sample.frame;
        switch (wrong) {
        case 0:
            sample.messages[0].type = ZAB_LEAVING + 1;
            break;
        case 1:
            sample.messages[1].entries_count = 3; /* more than there are */
            break;
        case 2:
            sample.messages[1].entries_count = 1; /* one belongs to nobody */
            break;
        case 3:
            sample.messages[0].zxid = UINT64_C (1) << 63;
            break;
        case 4:
            frame->heartbeats.size--;
            break;
        case 5:
            frame->forwarded.size--;
            break;
        case 6:
            frame->entry_parts[1].size--;
            break;
        case 7:
            frame->bootstrap.stage = PEER_DONE + 1;
            break;
        case 8:
            frame->bootstrap.has_cluster = false;
            break;
        case 9:
            frame->bootstrap.config.members[1].id = 1; /* twice */
            break;
        case 10:
            sample.snapshots[0].kind = PEER_REFUSED + 1;
            break;
        case 11:
            sample.snapshots[0].kind = PEER_CHUNK; /* two of them */
            break;
        case 12:
            frame->bootstrap.config.members[0].role = 0;
            break;
        case 13:
            sample.messages[2].role = ZAB_HALTED + 1;
            break;
        case 14:
            sample.messages[3].entries_count = UINT32_MAX;
            break;
        case 15:
            sample.messages[0].trust = ZAB_DAMAGED + 1;
            break;
        case 16:
            sample.messages[0].suspect = UINT64_C (1) << 63;
            break;
        case 17:
            frame->digests.size = 8;
            break;
        case 18:
            frame->asked.size = 4;
            break;
        default:
            frame->synced.size = 8;
            break;
        }
        encode (&bench, frame);
        assert_non_null (decode (&bench));
        assert_true (bench.header_valid); /* it is known who did it */
        assert_int_equal (bench.decoded.header.from, 3);
        sample_deinit (&sample);
        bench_deinit (&bench);
    }
}

static void test_misplaced_fields (void **state)
{
    (void) state;
    struct bench bench;
    struct sample sample;
    bench_init (&bench);
    sample_init (&sample);
    encode (&bench, &sample.frame);
    size_t size = bench.bytes.size;
    /* The chunk again; an envelope's field behind the bulk; a later version's field: skipped. */
    buf_append (&bench.bytes, "\xba\x01\x01x", 4);
    assert_non_null (decode (&bench));
    buf_truncate (&bench.bytes, size);
    buf_append (&bench.bytes, "\x1a\x00", 2);
    assert_non_null (decode (&bench));
    buf_truncate (&bench.bytes, size);
    buf_append (&bench.bytes, "\xc2\x3e\x03xyz", 6);
    assert_null (decode (&bench));
    /* No header first. */
    buf_clear (&bench.bytes);
    buf_append (&bench.bytes, "\x1a\x00", 2);
    assert_non_null (decode (&bench));
    assert_false (bench.header_valid);
    buf_clear (&bench.bytes);
    assert_non_null (decode (&bench));
    assert_false (bench.header_valid);
    sample_deinit (&sample);
    bench_deinit (&bench);
}

/* Cut anywhere, with any byte changed, and pure noise: never more than a refusal. What is accepted
 * can be encoded again. */
static void test_damage (void **state)
{
    (void) state;
    struct bench bench;
    struct sample sample;
    struct prng prng;
    bench_init (&bench);
    sample_init (&sample);
    encode (&bench, &sample.frame);
    size_t size = bench.bytes.size;
    uint8_t *whole = malloc (size);
    memcpy (whole, bench.bytes.data, size);
    prng_seed (&prng, 1);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc (cut > 0 ? cut : 1); /* so that a read beyond it is seen */
        memcpy (copy, whole, cut);
        arena_reset (&bench.arena);
        (void) peer_frame_decode (&bench.decoded, &bench.arena, copy, cut, &bench.header_valid);
        free (copy);
    }
    unsigned accepted = 0;
    for (int i = 0; i < 50000; i++) {
        size_t used = prng_chance (&prng, 1, 4) ? (size_t) prng_below (&prng, size) + 1 : size;
        uint8_t *copy = malloc (used);
        memcpy (copy, whole, used);
        uint64_t changes = prng_between (&prng, 1, 4);
        for (uint64_t k = 0; k < changes; k++) {
            copy[prng_below (&prng, used)] = (uint8_t) prng_u64 (&prng);
        }
        arena_reset (&bench.arena);
        if (peer_frame_decode (&bench.decoded, &bench.arena, copy, used, &bench.header_valid) ==
            NULL) {
            accepted++;
            buf_clear (&bench.bytes);
            assert_true (peer_frame_encode (&bench.bytes, &bench.arena, &bench.decoded));
        }
        free (copy);
    }
    assert_true (accepted > 0);
    for (int i = 0; i < 20000; i++) {
        size_t used = (size_t) prng_between (&prng, 1, 80);
        uint8_t *noise = malloc (used);
        for (size_t k = 0; k < used; k++) {
            noise[k] = (uint8_t) prng_u64 (&prng);
        }
        noise[0] = 0x0a; /* as a header begins */
        arena_reset (&bench.arena);
        (void) peer_frame_decode (&bench.decoded, &bench.arena, noise, used, &bench.header_valid);
        free (noise);
    }
    free (whole);
    sample_deinit (&sample);
    bench_deinit (&bench);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_golden_hello),     cmocka_unit_test (test_golden_proposal),
        cmocka_unit_test (test_round_trip),       cmocka_unit_test (test_refused),
        cmocka_unit_test (test_misplaced_fields), cmocka_unit_test (test_damage),
    };
    return cmocka_run_group_tests_name ("wire_peer", tests, NULL, NULL);
}
