/* What stands in the files of a data folder: metadata, manifest, heads and trailers of snapshots,
 * headers of records, and the files' names. Any bytes; what decodes encodes to what decodes to the
 * same again.
 *
 * Input: a byte that says what it is, and whether its checksums are made right first, so that what
 * lies behind them is reached; then the file. */

#include <string.h>

#include "client/base/hash.h"
#include "server/store/format.h"
#include "server/store/manifest.h"
#include "tests/fuzz/fuzz.h"

enum { SIZE_MAX_INPUT = 6000, KINDS = 6, REPAIR = 0x80 };

/* The checksums of a head and of its payload. */
static void repair_head (uint8_t *file, size_t size)
{
    if (size < HEAD_SIZE) {
        return;
    }
    uint32_t payload = bytes_get_u32 (file + 40);
    if (payload <= size - HEAD_SIZE) {
        bytes_put_u32 (file + 44, crc32c (0, file + HEAD_SIZE, payload));
    }
    bytes_put_u32 (file + 60, crc32c (0, file, 60));
}

static void check_meta (const uint8_t *file, size_t size)
{
    struct store_meta meta, again;
    uint64_t number, number_again;
    uint8_t written[META_SIZE];
    memset (&meta, 0, sizeof (meta));
    memset (&again, 0, sizeof (again));
    if (meta_decode (file, size, &number, &meta) != FORMAT_OK) {
        return;
    }
    COHORT_ASSERT (meta.current_epoch <= meta.accepted_epoch);
    meta_encode (written, number, &meta);
    COHORT_ASSERT (meta_decode (written, sizeof (written), &number_again, &again) == FORMAT_OK);
    COHORT_ASSERT (number == number_again);
    COHORT_ASSERT (memcmp (&meta.config, &again.config, sizeof (meta.config)) == 0);
    COHORT_ASSERT (meta.store_id == again.store_id);
    COHORT_ASSERT (meta.accepted_epoch == again.accepted_epoch);
}

static void check_manifest (const uint8_t *file, size_t size)
{
    struct manifest manifest = {0}, again = {0};
    struct file_ids ids, ids_again;
    struct buf first = {0}, second = {0};
    bool out_of_memory;
    memset (&ids, 0, sizeof (ids));
    memset (&ids_again, 0, sizeof (ids_again));
    if (manifest_decode (file, size, &ids, &manifest, &out_of_memory) == FORMAT_OK) {
        manifest_encode (&first, &ids, &manifest);
        COHORT_ASSERT (manifest_decode (first.data, first.size, &ids_again, &again,
                                        &out_of_memory) == FORMAT_OK);
        manifest_encode (&second, &ids_again, &again);
        COHORT_ASSERT (first.size == second.size);
        COHORT_ASSERT (memcmp (first.data, second.data, first.size) == 0);
    }
    COHORT_ASSERT (!out_of_memory);
    buf_deinit (&first);
    buf_deinit (&second);
    manifest_deinit (&manifest);
    manifest_deinit (&again);
}

static void check_snapshot_head (const uint8_t *file, size_t size)
{
    struct snapshot_head head, again;
    uint8_t first[SNAPSHOT_HEAD_SIZE], second[SNAPSHOT_HEAD_SIZE];
    if (snapshot_head_decode (file, size, &head) == FORMAT_OK) {
        snapshot_head_encode (first, &head);
        COHORT_ASSERT (snapshot_head_decode (first, sizeof (first), &again) == FORMAT_OK);
        snapshot_head_encode (second, &again);
        COHORT_ASSERT (memcmp (first, second, sizeof (first)) == 0);
    }
}

static void check_trailer (uint8_t *file, size_t size, bool repair)
{
    struct snapshot_trailer trailer;
    uint8_t written[SNAPSHOT_TRAILER_SIZE];
    if (size < SNAPSHOT_TRAILER_SIZE) {
        return;
    }
    if (repair) {
        bytes_put_u32 (file + 60, crc32c (0, file, 60));
    }
    if (snapshot_trailer_decode (file, &trailer)) {
        struct snapshot_trailer again;
        snapshot_trailer_encode (written, &trailer);
        COHORT_ASSERT (snapshot_trailer_decode (written, &again));
        COHORT_ASSERT (memcmp (&trailer, &again, sizeof (trailer)) == 0);
    }
}

/* The header of a record, and the body as far as it is there. */
static void check_record (uint8_t *file, size_t size, bool repair)
{
    const uint64_t salt = record_salt (9, 3);
    struct record record;
    if (size < RECORD_HEADER_SIZE) {
        return;
    }
    bool whole = record_total (record_size (file)) <= size;
    if (repair && whole) {
        record_finish (file, 3, 4096, record_zxid (file), salt);
    }
    if (record_decode (file, salt, &record)) {
        COHORT_ASSERT (record.size == record_size (file));
        COHORT_ASSERT (record.zxid == record_zxid (file));
        COHORT_ASSERT (record.size <= RECORD_DATA_MAX);
        COHORT_ASSERT (record.durable <= record.zxid);
        if (whole) {
            (void) record_body_sound (file, &record);
        }
        /* Another segment's, or another store's, is none of ours. */
        COHORT_ASSERT (!record_decode (file, record_salt (9, 4), &record));
        COHORT_ASSERT (!record_decode (file, record_salt (8, 3), &record));
    }
}

static void check_name (const uint8_t *bytes, size_t size)
{
    char name[256], again[NAME_SIZE];
    uint32_t segment;
    uint64_t zxid, serial;
    size = size < sizeof (name) ? size : sizeof (name) - 1;
    memcpy (name, bytes, size);
    name[size] = '\0';
    bool is_segment = name_is_segment (name, &segment);
    bool is_snapshot = name_is_snapshot (name, &zxid, &serial);
    COHORT_ASSERT (!is_segment || !is_snapshot);
    if (is_segment) {
        name_segment (again, segment);
        COHORT_ASSERT (strcmp (name, again) == 0);
    }
    if (is_snapshot) {
        name_snapshot (again, zxid, serial);
        COHORT_ASSERT (strcmp (name, again) == 0);
    }
}

static void one (const uint8_t *data, size_t size)
{
    static uint8_t file[SIZE_MAX_INPUT];
    if (size == 0) {
        return;
    }
    bool repair = (data[0] & REPAIR) != 0;
    unsigned kind = (data[0] & ~(unsigned) REPAIR) % KINDS;
    memcpy (file, data + 1, --size);
    if (repair && kind < 3) {
        repair_head (file, size);
    }
    switch (kind) {
    case 0:
        check_meta (file, size);
        return;
    case 1:
        check_manifest (file, size);
        return;
    case 2:
        check_snapshot_head (file, size);
        return;
    case 3:
        check_trailer (file, size, repair);
        return;
    case 4:
        check_record (file, size, repair);
        return;
    default:
        check_name (file, size);
        return;
    }
}

/* ---- Seeds ----------------------------------------------------------------------------------- */

static void add_file (fuzz_seed_fn *add, void *arg, const char *name, uint8_t kind,
                      const void *file, size_t size)
{
    struct buf out = {0};
    buf_u8 (&out, kind | REPAIR);
    buf_append (&out, file, size);
    add (arg, name, out.data, out.size);
    buf_deinit (&out);
}

static void add_manifest (fuzz_seed_fn *add, void *arg)
{
    struct span spans[] = {{.segment = 1, .start = SEGMENT_HEAD_SIZE, .end = 8192, .last = 5},
                           {.segment = 2, .start = SEGMENT_HEAD_SIZE}};
    struct manifest manifest = {.number = 3,
                                .base = {1, 2},
                                .durable = 4,
                                .next_segment = 3,
                                .next_serial = 2,
                                .snapshots_count = 1,
                                .snapshots = {{.point = {1, 2}, .size = 100, .serial = 1}},
                                .spans_count = 2,
                                .spans = spans};
    struct file_ids ids = {.server_id = 1, .store_id = 9};
    struct buf out = {0};
    manifest_encode (&out, &ids, &manifest);
    add_file (add, arg, "manifest", 1, out.data, out.size);
    buf_deinit (&out);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    static uint8_t file[SNAPSHOT_HEAD_SIZE];
    struct store_meta meta = {
        .server_id = 1,
        .store_id = 9,
        .bootstrapped = true,
        .config = {.version = 1, .count = 1, .members = {{1, CONFIG_VOTER, 9}}},
        .accepted_epoch = 2,
        .current_epoch = 1};
    meta_encode (file, 7, &meta);
    add_file (add, arg, "meta", 0, file, META_SIZE);
    add_manifest (add, arg);
    struct snapshot_head head = {.serial = 1, .point = {2, 3}, .block_size = SNAPSHOT_BLOCK_SIZE};
    snapshot_head_encode (file, &head);
    add_file (add, arg, "snapshot-head", 2, file, 96);
    struct snapshot_trailer trailer = {.size = 1, .blocks = 1, .digest = 2, .serial = 3};
    snapshot_trailer_encode (file, &trailer);
    add_file (add, arg, "snapshot-trailer", 3, file, SNAPSHOT_TRAILER_SIZE);
    struct record record = {.type = RECORD_ENTRY, .size = 5, .zxid = 6, .chain = 7, .previous = 8};
    memset (file, 0, sizeof (file));
    record_begin (file, &record);
    memcpy (file + RECORD_HEADER_SIZE, "hello", 5);
    add_file (add, arg, "record", 4, file, record_total (5));
    char name[NAME_SIZE];
    name_segment (name, 4000000000);
    add_file (add, arg, "name-of-segment", 5, name, strlen (name));
    name_snapshot (name, UINT64_C (1) << 40, 12);
    add_file (add, arg, "name-of-snapshot", 5, name, strlen (name));
}

const struct fuzz_target fuzz_target = {
    .name = "format",
    .size_max = SIZE_MAX_INPUT,
    .memory_base = 4096,
    .memory_factor = 16,
    .one = one,
    .seeds = seeds,
};
