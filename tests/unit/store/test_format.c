/*
 *  tests/unit/store/test_format.c - the bytes on disk, and that each of them is covered
 *
 *  The golden bytes must not change while FORMAT_VERSION stays: files written by one build are
 *  read by all.
 */
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/hash.h"
#include "server/store/format.h"
#include "server/store/manifest.h"
#include "tests/unit/unit.h"

static const struct file_ids ids = {
    .server_id = 3,
    .store_id = UINT64_C (0x1122334455667788),
    .cluster_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
};

/*  Compares with hexadecimal digits; blanks between them are for people. */
static void assert_bytes (const uint8_t *bytes, size_t size, const char *golden)
{
    char text[3];
    size_t at = 0;
    bool same = true;
    for (const char *p = golden; *p != '\0' && same; p++) {
        if (*p != ' ') {
            (void) snprintf (text, sizeof text, "%02x", at < size ? bytes[at] : 0);
            same = at < size && p[0] == text[0] && p[1] == text[1];
            p++;
            at++;
        }
    }
    if (!same || at != size) {
        for (size_t i = 0; i < size; i++) {
            printf ("%s%02x", i % 8 == 0 ? " " : "", bytes[i]);
        }
        printf ("\n");
        fail_msg ("differs from the golden bytes at %zu", at);
    }
}

static void test_meta (void **state)
{
    (void) state;
    struct store_meta meta = {
        .server_id = ids.server_id,
        .store_id = ids.store_id,
        .bootstrapped = true,
        .accepted_epoch = 9,
        .current_epoch = 8,
        .config = {.version = zxid_make (2, 5),
                   .count = 2,
                   .members = {{.id = 3, .role = CONFIG_VOTER, .store_id = ids.store_id},
                               {.id = 4, .role = CONFIG_OBSERVER, .store_id = 5}}},
    };
    memcpy (meta.cluster_id, ids.cluster_id, 16);
    static uint8_t file[META_SIZE];
    meta_encode (file, 77, &meta);
    assert_bytes (file, 64 + 24 + 32,
                  "434f48524d455441 0100000003000000 8877665544332211 0102030405060708 "
                  "090a0b0c0d0e0f10 38000000d662177c 4d00000000000000 00000000b7599640 "
                  "0100000009000000 0800000002000000 0500000000020000 0300000001000000 "
                  "8877665544332211 0400000002000000 0500000000000000");
    assert_true (all_zero (file + 120, sizeof file - 120));

    struct store_meta found;
    uint64_t number;
    assert_int_equal (meta_decode (file, sizeof file, &number, &found), FORMAT_OK);
    assert_int_equal (number, 77);
    assert_int_equal (found.config.version, meta.config.version);
    assert_int_equal (found.config.members[1].id, 4);
    assert_int_equal (found.config.members[1].role, CONFIG_OBSERVER);
    assert_int_equal (found.accepted_epoch, 9);
    assert_int_equal (found.current_epoch, 8);
    assert_true (found.bootstrapped);
    for (size_t i = 0; i < 120 * 8; i++) {
        file[i / 8] ^= (uint8_t) (1 << i % 8);
        assert_int_equal (meta_decode (file, sizeof file, &number, &found), FORMAT_DAMAGED);
        file[i / 8] ^= (uint8_t) (1 << i % 8);
    }
    for (size_t size = 0; size < 120; size++) {
        assert_int_equal (meta_decode (file, size, &number, &found), FORMAT_DAMAGED);
    }
    assert_int_equal (meta_decode (file, 120, &number, &found), FORMAT_OK);
}

/*  A later version has the same head, and so is told from damage. */
static void test_version (void **state)
{
    (void) state;
    static uint8_t file[META_SIZE];
    struct store_meta meta = {.server_id = 1};
    uint64_t number;
    meta_encode (file, 1, &meta);
    bytes_put_u32 (file + 8, FORMAT_VERSION + 1);
    bytes_put_u32 (file + 60, crc32c (0, file, 60));
    assert_int_equal (meta_decode (file, sizeof file, &number, &meta), FORMAT_VERSION_UNKNOWN);
    /*  One kind of file is not taken for another. */
    bytes_put_u32 (file + 8, FORMAT_VERSION);
    bytes_put_u32 (file + 60, crc32c (0, file, 60));
    struct file_head head;
    struct reader payload;
    assert_int_equal (head_decode (file, sizeof file, FILE_META, &head, &payload), FORMAT_OK);
    assert_int_equal (head_decode (file, sizeof file, FILE_LOG, &head, &payload), FORMAT_DAMAGED);
}

/*  Sound checksums around values that make no sense. */
static void test_meta_nonsense (void **state)
{
    (void) state;
    static const struct {
        size_t offset;
        uint32_t value;
    } cases[] = {
        {0, 2},   /*  bootstrapped */
        {8, 10},  /*  current epoch above the accepted one */
        {12, 32}, /*  members */
        {12, 1},  /*  bytes left over */
        {12, 3},  /*  bytes missing */
        {28, 3},  /*  role */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static uint8_t file[META_SIZE];
        struct store_meta meta = {.server_id = 1, .accepted_epoch = 9, .config = {.count = 2}};
        meta.config.members[0] = (struct config_member){.id = 1, .role = CONFIG_VOTER};
        meta.config.members[1] = (struct config_member){.id = 2, .role = CONFIG_VOTER};
        uint64_t number;
        meta_encode (file, 1, &meta);
        assert_int_equal (meta_decode (file, sizeof file, &number, &meta), FORMAT_OK);
        bytes_put_u32 (file + HEAD_SIZE + cases[i].offset, cases[i].value);
        struct file_head head = {.ids = {.server_id = 1}, .number = 1};
        head_encode (file, FILE_META, &head, bytes_get_u32 (file + 40));
        assert_int_equal (meta_decode (file, sizeof file, &number, &meta), FORMAT_DAMAGED);
    }
}

static void test_manifest (void **state)
{
    (void) state;
    struct manifest manifest = {
        .number = 6,
        .base = {.zxid = zxid_make (1, 7), .chain = 0xc0},
        .base_stamp_ms = 1700000000000,
        .durable = zxid_make (1, 9),
        .next_segment = 5,
        .next_serial = 4,
        .snapshots_count = 1,
        .snapshots = {{.point = {.zxid = zxid_make (1, 7), .chain = 0xc0},
                       .stamp_ms = 1700000000000,
                       .size = 100,
                       .file_size = 4268,
                       .digest = 0xd1,
                       .serial = 3}},
    };
    assert_true (manifest_add_span (&manifest, 2));
    assert_true (manifest_add_span (&manifest, 4));
    manifest.spans[0].end = 8192;
    manifest.spans[0].last = zxid_make (1, 8);
    struct buf out;
    buf_init (&out);
    manifest_encode (&out, &ids, &manifest);
    assert_false (out.failed);
    assert_bytes (out.data, out.size,
                  "434f48524d414e49 0100000003000000 8877665544332211 0102030405060708 "
                  "090a0b0c0d0e0f10 a40000004d546e1c 0600000000000000 000000001ac42668 "
                  "0700000000010000 c000000000000000 0068e5cf8b010000 0900000000010000 "
                  "0400000000000000 0500000001000000 0200000007000000 00010000c0000000 "
                  "000000000068e5cf 8b01000064000000 00000000ac100000 00000000d1000000 "
                  "0000000003000000 0000000002000000 0010000000000000 0020000000000000 "
                  "0800000000010000 0400000000100000 0000000000000000 0000000000000000 "
                  "00000000");
    struct manifest found = {.number = 0};
    struct file_ids found_ids;
    bool out_of_memory;
    assert_int_equal (manifest_decode (out.data, out.size, &found_ids, &found, &out_of_memory),
                      FORMAT_OK);
    assert_int_equal (found.spans_count, 2);
    assert_int_equal (found.spans[0].end, 8192);
    assert_int_equal (found.spans[1].segment, 4);
    assert_int_equal (found.snapshots[0].file_size, 4268);
    assert_int_equal (found.durable, manifest.durable);
    assert_int_equal (found_ids.store_id, ids.store_id);
    manifest_deinit (&found);
    for (size_t i = 0; i < out.size * 8; i++) {
        out.data[i / 8] ^= (uint8_t) (1 << i % 8);
        assert_int_equal (manifest_decode (out.data, out.size, &found_ids, &found, &out_of_memory),
                          FORMAT_DAMAGED);
        out.data[i / 8] ^= (uint8_t) (1 << i % 8);
    }
    manifest_deinit (&manifest);
    buf_deinit (&out);
}

static void test_record (void **state)
{
    (void) state;
    static const char data[] = "hello";
    struct record record = {
        .type = RECORD_ENTRY,
        .size = 5,
        .zxid = zxid_make (2, 3),
        .stamp_ms = 1700000000000,
        .previous = 0xa1,
        .chain = 0xa2,
        .commit = zxid_make (2, 1),
    };
    uint8_t bytes[88] = {0};
    assert_int_equal (record_total (5), sizeof bytes);
    record_begin (bytes, &record);
    memcpy (bytes + RECORD_HEADER_SIZE, data, 5);
    uint64_t salt = record_salt (ids.store_id, 9);
    record_finish (bytes, 9, 4096, zxid_make (2, 2), salt);
    assert_bytes (bytes, sizeof bytes,
                  "4352010100000000 050000004cbb719a 0300000000020000 0068e5cf8b010000 "
                  "a100000000000000 a200000000000000 0100000000020000 0200000000020000 "
                  "0010000000000000 09000000055e2a3d 68656c6c6f000000");

    struct record found;
    assert_true (record_decode (bytes, salt, &found));
    assert_int_equal (found.type, RECORD_ENTRY);
    assert_int_equal (found.durable, zxid_make (2, 2));
    assert_int_equal (found.commit, record_commit (bytes));
    assert_int_equal (found.offset, 4096);
    assert_int_equal (found.segment, 9);
    assert_true (record_body_sound (bytes, &found));
    assert_false (record_decode (bytes, record_salt (ids.store_id, 10), &found));
    assert_false (record_decode (bytes, record_salt (ids.store_id + 1, 9), &found));
    for (size_t i = 0; i < sizeof bytes * 8; i++) {
        bytes[i / 8] ^= (uint8_t) (1 << i % 8);
        bool sound = record_decode (bytes, salt, &found) && record_body_sound (bytes, &found);
        assert_false (sound);
        bytes[i / 8] ^= (uint8_t) (1 << i % 8);
    }
}

/*  Parts of sectors that are rightly zero are counted, so that a torn record has more of them. */
static void test_zero_parts (void **state)
{
    (void) state;
    enum { SIZE = 3000 };
    static uint8_t bytes[RECORD_HEADER_SIZE + SIZE + 8];
    uint64_t salt = record_salt (1, 1);
    for (uint64_t offset = 4096; offset < 4096 + 1024; offset += 8) {
        struct record record = {.type = RECORD_ENTRY, .size = SIZE, .zxid = 1}, found;
        memset (bytes, 0, sizeof bytes);
        record_begin (bytes, &record);
        memset (bytes + RECORD_HEADER_SIZE, 0, SIZE);
        bytes[RECORD_HEADER_SIZE + 2000] = 1;
        record_finish (bytes, 1, offset, 0, salt);
        size_t total = record_total (SIZE);
        assert_true (record_decode (bytes, salt, &found));
        assert_true (found.zero_parts >= 3);
        assert_int_equal (found.zero_parts, zero_parts_count (bytes, total, offset));
        /*  Neither part of a header is ever zero. */
        assert_int_equal (zero_parts_count (bytes, RECORD_HEADER_SIZE, offset), 0);
        /*  Each sector lost is seen, if there was anything in it. */
        uint64_t end = offset + total;
        for (uint64_t at = offset; at < end; at = (at / SECTOR_SIZE + 1) * SECTOR_SIZE) {
            static uint8_t torn[sizeof bytes];
            uint64_t stop = (at / SECTOR_SIZE + 1) * SECTOR_SIZE;
            stop = stop < end ? stop : end;
            memcpy (torn, bytes, sizeof bytes);
            memset (torn + (at - offset), 0, (size_t) (stop - at));
            bool changed = memcmp (torn, bytes, sizeof bytes) != 0;
            assert_int_equal (zero_parts_count (torn, total, offset) > found.zero_parts, changed);
        }
    }
}

static void test_snapshot (void **state)
{
    (void) state;
    static uint8_t file[SNAPSHOT_HEAD_SIZE];
    struct snapshot_head head = {
        .ids = ids,
        .serial = 12,
        .point = {.zxid = zxid_make (3, 4), .chain = 0xcc},
        .stamp_ms = 1700000000000,
        .packing = SNAPSHOT_PACKED,
        .block_size = SNAPSHOT_BLOCK_SIZE,
    };
    struct snapshot_head found_head;
    snapshot_head_encode (file, &head);
    assert_bytes (file, HEAD_SIZE + 32,
                  "434f4852534e4150 0100000003000000 8877665544332211 0102030405060708 "
                  "090a0b0c0d0e0f10 2000000081032859 0c00000000000000 00000000c1249b5c "
                  "0400000000030000 cc00000000000000 0068e5cf8b010000 0100000000000100");
    assert_true (all_zero (file + HEAD_SIZE + 32, sizeof file - HEAD_SIZE - 32));
    assert_int_equal (snapshot_head_decode (file, sizeof file, &found_head), FORMAT_OK);
    assert_int_equal (found_head.point.chain, 0xcc);
    assert_int_equal (found_head.serial, 12);
    assert_int_equal (found_head.packing, SNAPSHOT_PACKED);
    head.packing = (enum snapshot_packing) 2;
    snapshot_head_encode (file, &head);
    assert_int_equal (snapshot_head_decode (file, sizeof file, &found_head),
                      FORMAT_VERSION_UNKNOWN);

    uint8_t bytes[SNAPSHOT_TRAILER_SIZE];
    struct snapshot_trailer trailer = {
        .size = 5, .blocks = 1, .digest = 6, .serial = 12, .stored = 17};
    struct snapshot_trailer found;
    snapshot_trailer_encode (bytes, &trailer);
    assert_bytes (bytes, sizeof bytes,
                  "434f485253454e44 0500000000000000 0100000000000000 0600000000000000 "
                  "0c00000000000000 1100000000000000 0000000000000000 000000006bf6b735");
    assert_true (snapshot_trailer_decode (bytes, &found));
    assert_memory_equal (&found, &trailer, sizeof found);
    for (size_t i = 0; i < sizeof bytes * 8; i++) {
        bytes[i / 8] ^= (uint8_t) (1 << i % 8);
        assert_false (snapshot_trailer_decode (bytes, &found));
        bytes[i / 8] ^= (uint8_t) (1 << i % 8);
    }
}

/* Every bit of a block counts, and so does its place. */
static void check_block (enum snapshot_packing packing, uint64_t offset, uint8_t *bytes,
                         size_t size)
{
    struct snapshot_block block;
    assert_true (snapshot_block_decode (packing, bytes, &block));
    assert_int_equal (block.header, snapshot_block_header_size (packing));
    assert_int_equal (block.header + block.body, size);
    assert_true (snapshot_block_sound (packing, offset, bytes, &block));
    assert_false (snapshot_block_sound (packing, offset + 8 + SNAPSHOT_BLOCK_SIZE, bytes, &block));
    for (size_t i = 0; i < size * 8; i++) {
        bytes[i / 8] ^= (uint8_t) (1 << i % 8);
        bool sound = snapshot_block_decode (packing, bytes, &block) &&
                     block.header + block.body <= size &&
                     snapshot_block_sound (packing, offset, bytes, &block);
        assert_false (sound);
        bytes[i / 8] ^= (uint8_t) (1 << i % 8);
    }
}

static void test_snapshot_blocks (void **state)
{
    (void) state;
    uint8_t plain[] = {5, 0, 0, 0, 0xa6, 0xc1, 0x66, 0xf1, 'h', 'e', 'l', 'l', 'o'};
    check_block (SNAPSHOT_PLAIN, 7 * (8 + SNAPSHOT_BLOCK_SIZE), plain, sizeof plain);
    uint8_t packed[17] = {0};
    memcpy (packed + 12, "hello", 5);
    assert_int_equal (snapshot_block_encode (packed, 100, 5, 9), 17);
    assert_bytes (packed, sizeof packed, "0500000009000000 708caf726865 6c6c6f");
    check_block (SNAPSHOT_PACKED, 100, packed, sizeof packed);
    /* Sizes that no block has. */
    struct snapshot_block block;
    static const uint32_t sizes[][2] = {{0, 0}, {0, 5}, {6, 5}, {5, SNAPSHOT_BLOCK_SIZE + 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bytes_put_u32 (packed, sizes[i][0]);
        bytes_put_u32 (packed + 4, sizes[i][1]);
        assert_false (snapshot_block_decode (SNAPSHOT_PACKED, packed, &block));
    }
    bytes_put_u32 (packed, SNAPSHOT_BLOCK_SIZE);
    bytes_put_u32 (packed + 4, SNAPSHOT_BLOCK_SIZE);
    assert_true (snapshot_block_decode (SNAPSHOT_PACKED, packed, &block));
}

static void test_names (void **state)
{
    (void) state;
    char name[NAME_SIZE];
    uint32_t segment;
    zxid_t zxid;
    uint64_t serial;
    name_segment (name, 4000000000U);
    assert_string_equal (name, "log.4000000000");
    assert_true (name_is_segment (name, &segment));
    assert_int_equal (segment, 4000000000U);
    name_snapshot (name, zxid_make (1, 2), 34);
    assert_string_equal (name, "snap.0000010000000002.34");
    assert_true (name_is_snapshot (name, &zxid, &serial));
    assert_int_equal (zxid, zxid_make (1, 2));
    assert_int_equal (serial, 34);
    static const char *const others[] = {
        "log.",
        "log.x",
        "log.01",
        "log.1x",
        "snap.new",
        "snap.1.2",
        "meta.0",
        "manifest",
        "xlog.1",
        "snap.0000010000000002",
        "log.99999999999",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false (name_is_segment (others[i], &segment));
        assert_false (name_is_snapshot (others[i], &zxid, &serial));
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_meta),          cmocka_unit_test (test_version),
        cmocka_unit_test (test_meta_nonsense), cmocka_unit_test (test_manifest),
        cmocka_unit_test (test_record),        cmocka_unit_test (test_zero_parts),
        cmocka_unit_test (test_snapshot),      cmocka_unit_test (test_snapshot_blocks),
        cmocka_unit_test (test_names),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
