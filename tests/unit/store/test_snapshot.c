/*
 * tests/unit/store/test_snapshot.c - files of snapshots: packed, plain, copied, of no use
 */
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/hash.h"
#include "client/base/prng.h"
#include "cohort/error.h"
#include "server/store/format.h"
#include "server/store/manifest.h"
#include "server/store/pack.h"
#include "tests/unit/store/history.h"
#include "tests/unit/store/kept_disk.h"
#include "tests/unit/store/spoil.h"
#include "tests/unit/unit.h"

enum { SERVER = 7, STORE = 4711, SIZE = 300000 };

/* A store, and a log whose points snapshots can stand at. */
struct fixture {
    struct disk *disk; /* in memory, across openings */
    struct store *store;
    struct store_options options;
    struct history history;
    uint64_t number;
    char error[256];
};

static uint8_t content[SIZE];

/* As compressible as states are: words, numbers, and some that nobody can guess. */
static void make_content (void)
{
    struct prng prng;
    prng_seed (&prng, 3);
    for (size_t at = 0; at < SIZE; at++) {
        content[at] = at % 100 < 80 ? (uint8_t) "{\"host\":\"10.0.0.1\",\"port\":"[at % 26]
                                    : (uint8_t) prng_u64 (&prng);
    }
}

static void open_store (struct fixture *self)
{
    self->options.disk = kept_disk_new (self->disk);
    int rc = store_open (&self->options, &self->store, self->error, sizeof self->error);
    if (rc != 0) {
        fail_msg ("store_open: %s", self->error);
    }
}

static void init (struct fixture *self, int level)
{
    memset (self, 0, sizeof *self);
    self->disk = memory_disk_new ();
    history_init (&self->history);
    self->options = (struct store_options){.server_id = SERVER,
                                           .store_id = STORE,
                                           .segment_bytes = 256 << 10,
                                           .snapshot_level = level};
    open_store (self);
}

static void deinit (struct fixture *self)
{
    store_close (&self->store);
    self->disk->ops->destroy (self->disk);
}

static void reopen (struct fixture *self)
{
    store_close (&self->store);
    open_store (self);
}

static void settle (struct fixture *self)
{
    while (store_work (self->store)) {
    }
    assert_int_equal (store_failure (self->store, NULL), 0);
}

/* Another entry, and a snapshot at it. */
static struct store_writer *begin_snapshot (struct fixture *self)
{
    struct store_writer *writer;
    size_t from = self->history.count;
    history_add (&self->history, from == 0 ? 1 : 0, 100, self->number);
    history_submit (&self->history, self->store, from, ++self->number, 0);
    settle (self);
    assert_int_equal (store_writer_new (self->store, history_last (&self->history),
                                        history_last_stamp (&self->history), &writer),
                      0);
    return writer;
}

static void end_snapshot (struct fixture *self, struct store_writer *writer)
{
    store_writer_finish (writer, false);
    settle (self);
    assert_int_equal (store_writer_state (writer), 1);
    assert_int_equal (store_writer_pending (writer), 0);
    store_writer_destroy (&writer);
    settle (self);
}

static void snapshot (struct fixture *self, size_t size)
{
    struct store_writer *writer = begin_snapshot (self);
    store_writer_append (writer, content, size);
    end_snapshot (self, writer);
}

/* Whether the newest has this content, read from front to back and from back to front. */
static void check (struct fixture *self, size_t size)
{
    static uint8_t bytes[SIZE];
    struct store_reader *reader;
    struct store_snapshot_info info;
    size_t done;
    assert_int_equal (store_reader_new (self->store, &reader, &info), 0);
    assert_int_equal (info.size, size);
    for (size_t at = 0; at < size; at += 7000) {
        size_t part = size - at < 7000 ? size - at : 7000;
        assert_int_equal (store_reader_read (reader, at, bytes + at, part, &done), 0);
        assert_int_equal (done, part);
    }
    assert_memory_equal (bytes, content, size);
    for (size_t at = size / 50000 * 50000;; at -= 50000) {
        assert_int_equal (store_reader_read (reader, at, bytes, 100, &done), 0);
        assert_int_equal (done, size - at < 100 ? size - at : 100);
        assert_memory_equal (bytes, content + at, done);
        if (at == 0) {
            break;
        }
    }
    store_reader_destroy (&reader);
}

/* ---- Packing ----------------------------------------------------------------------------- */

static void test_pack (void **state)
{
    (void) state;
    struct pack *pack = pack_new ();
    struct prng prng;
    prng_seed (&prng, 1);
    size_t room = pack_room (SNAPSHOT_BLOCK_SIZE);
    uint8_t *packed = mem_alloc (room);
    for (size_t size = 1; size <= SNAPSHOT_BLOCK_SIZE; size = size < 60000 ? size * 3 : size * 2) {
        for (int level = 1; level <= PACK_LEVEL_MAX; level += 4) {
            size_t packed_size = 0;
            assert_int_equal (pack_block (pack, level, content, size, packed, room, &packed_size),
                              0);
            assert_true (size < 1000 || packed_size < size * 2 / 3);
            uint8_t *out = mem_alloc (size);
            assert_int_equal (unpack_block (pack, packed, packed_size, out, size), 0);
            assert_memory_equal (out, content, size);
            /* Whatever comes, never more than there is room for. */
            for (int i = 0; i < 200; i++) {
                size_t at = prng_below (&prng, packed_size);
                uint8_t mask = (uint8_t) (1 << prng_below (&prng, 8));
                packed[at] ^= mask;
                (void) unpack_block (pack, packed, packed_size, out, size);
                packed[at] ^= mask;
            }
            assert_int_equal (unpack_block (pack, packed, packed_size - 1, out, size),
                              COHORT_ECORRUPT);
            mem_free (out);
            out = mem_alloc (size + 1);
            assert_int_equal (unpack_block (pack, packed, packed_size, out, size + 1),
                              COHORT_ECORRUPT);
            mem_free (out);
        }
    }
    mem_free (packed);
    pack_destroy (&pack);
    assert_null (pack);
    pack_destroy (&pack);
}

static uint64_t file_size (struct fixture *self)
{
    struct store_source *source;
    struct store_snapshot_info info;
    assert_int_equal (store_source_new (self->store, 0, &source, &info), 0);
    settle (self);
    assert_int_equal (store_source_state (source), 1);
    store_source_info (source, &info);
    store_source_destroy (&source);
    return info.stored;
}

static void test_levels (void **state)
{
    (void) state;
    static const int levels[] = {0, -1, 1, 3, PACK_LEVEL_MAX};
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, SIZE};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        struct fixture f;
        init (&f, levels[i]);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            snapshot (&f, sizes[k]);
            check (&f, sizes[k]);
            reopen (&f);
            check (&f, sizes[k]);
            uint64_t size = file_size (&f);
            if (levels[i] < 0) {
                assert_int_equal (size, sizes[k] + (sizes[k] + 65535) / 65536 * 12);
            } else if (sizes[k] > 1000) {
                assert_true (size < sizes[k] / 2);
            }
        }
        deinit (&f);
    }
}

/* ---- Plain ones, as they were written before --------------------------------------------- */

static void put (struct disk_file *file, struct disk *disk, uint64_t *offset, const void *data,
                 size_t size)
{
    assert_int_equal (disk->ops->write (file, *offset, data, size), 0);
    *offset += size;
}

/* Writes the newest snapshot anew, plain. */
static void make_plain (struct fixture *self)
{
    struct manifest manifest = {.number = 0};
    struct file_ids ids;
    struct fault fault;
    bool found;
    store_close (&self->store);
    assert_int_equal (manifest_read (&manifest, self->disk, &ids, &found, &fault), 0);
    struct snapshot_entry *entry = &manifest.snapshots[manifest.snapshots_count - 1];
    char name[NAME_SIZE];
    name_snapshot (name, entry->point.zxid, entry->serial);
    assert_int_equal (self->disk->ops->unlink (self->disk, name), 0);
    struct disk_file *file;
    assert_int_equal (self->disk->ops->open (self->disk, name, true, &file), 0);
    uint8_t bytes[SNAPSHOT_HEAD_SIZE];
    uint64_t offset = 0;
    struct snapshot_head head = {.ids = ids,
                                 .serial = entry->serial,
                                 .point = entry->point,
                                 .stamp_ms = entry->stamp_ms,
                                 .packing = SNAPSHOT_PLAIN,
                                 .block_size = SNAPSHOT_BLOCK_SIZE};
    snapshot_head_encode (bytes, &head);
    put (file, self->disk, &offset, bytes, sizeof bytes);
    struct snapshot_trailer trailer = {.size = entry->size, .serial = entry->serial};
    for (size_t at = 0; at < entry->size; at += SNAPSHOT_BLOCK_SIZE) {
        size_t size = entry->size - at < SNAPSHOT_BLOCK_SIZE ? (size_t) entry->size - at
                                                             : SNAPSHOT_BLOCK_SIZE;
        uint8_t index[8], header[8];
        bytes_put_u64 (index, trailer.blocks);
        bytes_put_u32 (header, (uint32_t) size);
        bytes_put_u32 (header + 4, crc32c (crc32c (0, index, 8), content + at, size));
        put (file, self->disk, &offset, header, sizeof header);
        put (file, self->disk, &offset, content + at, size);
        trailer.blocks++;
        trailer.digest = hash64 (content + at, size, trailer.digest);
    }
    assert_int_equal (trailer.digest, entry->digest);
    snapshot_trailer_encode (bytes, &trailer);
    put (file, self->disk, &offset, bytes, SNAPSHOT_TRAILER_SIZE);
    self->disk->ops->close (file);
    entry->file_size = offset;
    assert_int_equal (manifest_write (&manifest, self->disk, &ids, &fault), 0);
    manifest_deinit (&manifest);
    open_store (self);
}

static void test_plain (void **state)
{
    (void) state;
    static const size_t sizes[] = {0, 1, 65536, 65537, SIZE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture f;
        init (&f, 0);
        snapshot (&f, sizes[i]);
        make_plain (&f);
        check (&f, sizes[i]);
        assert_int_equal (file_size (&f), sizes[i] + (sizes[i] + 65535) / 65536 * 8);
        reopen (&f);
        check (&f, sizes[i]);
        snapshot (&f, sizes[i]);
        check (&f, sizes[i]);
        deinit (&f);
    }
}

/* ---- From one store to another ----------------------------------------------------------- */

/* Asks for the blocks from the offset on; how many bytes came. */
static size_t ask (struct fixture *self, struct store_source *source, uint64_t offset,
                   const uint8_t **data)
{
    store_source_ask (source, offset);
    assert_int_equal (store_source_state (source), 0);
    settle (self);
    assert_int_equal (store_source_state (source), 1);
    return store_source_data (source, data);
}

/* Damage: 0: none; 1: a byte on the way; 2: a part is missing; 3: the digest is another; 4: so is
 * the size. */
static int copy (struct fixture *from, struct fixture *to, size_t bytes_max, int damage)
{
    struct store_source *source;
    struct store_snapshot_info info;
    struct store_writer *writer;
    assert_int_equal (store_source_new (from->store, bytes_max, &source, &info), 0);
    assert_int_equal (store_source_state (source), 0);
    settle (from);
    assert_int_equal (store_source_state (source), 1);
    store_source_info (source, &info);
    struct store_snapshot_info announced = info;
    announced.digest += damage == 3;
    announced.size += damage == 4;
    assert_int_equal (store_writer_copy (to->store, &announced, &writer), 0);
    const uint8_t *data;
    uint64_t offset = 0;
    size_t size;
    while ((size = ask (from, source, offset, &data)) > 0) {
        uint8_t *chunk = mem_dup (data, size);
        bool middle = offset == 0;
        chunk[size / 2] ^= damage == 1 && middle ? 0x40 : 0;
        store_writer_append (writer, chunk, damage == 2 && middle ? size - 1 : size);
        mem_free (chunk);
        offset += size;
    }
    assert_int_equal (offset, info.stored);
    store_source_destroy (&source);
    store_writer_finish (writer, true);
    settle (to);
    int code = store_writer_state (writer);
    store_writer_destroy (&writer);
    settle (to);
    if (code == 1) {
        assert_int_equal (store_last (to->store), info.point.zxid);
        history_restart (&to->history, info.point, info.stamp_ms);
    }
    return code;
}

static void test_copied (void **state)
{
    (void) state;
    static const size_t rooms[] = {0, 70000, 100000, 256 << 10, 1 << 20};
    for (size_t i = 0; i < 2 * sizeof rooms / sizeof *rooms; i++) {
        struct fixture from, to;
        init (&from, 0);
        init (&to, 3); /* which is its own affair */
        snapshot (&from, SIZE);
        if (i % 2 == 1) {
            make_plain (&from);
        }
        assert_int_equal (copy (&from, &to, rooms[i / 2], 0), 1);
        check (&to, SIZE);
        assert_int_equal (file_size (&from), file_size (&to));
        assert_true (store_meta (to.store)->heir);
        reopen (&to);
        check (&to, SIZE);
        assert_true (store_meta (to.store)->heir);
        if (i % 2 == 1) {
            assert_true (store_prove (to.store));
            settle (&to);
            assert_false (store_meta (to.store)->heir);
            reopen (&to);
        }
        assert_true (store_meta (to.store)->heir == (i % 2 == 0));
        /* And what was copied can be copied. */
        struct fixture third;
        init (&third, -1);
        assert_int_equal (copy (&to, &third, 0, 0), 1);
        check (&third, SIZE);
        deinit (&third);
        deinit (&to);
        deinit (&from);
    }
}

static void test_copied_with_damage (void **state)
{
    (void) state;
    struct fixture from, to;
    init (&from, 0);
    init (&to, 0);
    snapshot (&from, SIZE);
    snapshot (&to, 1000);
    for (int damage = 1; damage <= 4; damage++) {
        assert_int_equal (copy (&from, &to, 100000, damage), COHORT_ECORRUPT);
        check (&to, 1000); /* nothing has changed */
        assert_int_equal (kept_disk_count (to.options.disk, "snap."), 1);
    }
    assert_false (store_meta (to.store)->heir);
    assert_int_equal (copy (&from, &to, 100000, 0), 1);
    check (&to, SIZE);
    deinit (&to);
    deinit (&from);
}

/* Whoever comes first, the worker or the end, the source is freed; and as long as it is there the
 * file is. */
static void test_source_ends (void **state)
{
    (void) state;
    struct fixture f;
    struct store_source *sources[4];
    struct store_snapshot_info info;
    init (&f, 0);
    assert_int_equal (store_source_new (f.store, 0, &sources[0], &info), COHORT_ESTATE);
    snapshot (&f, SIZE);
    for (int i = 0; i < 4; i++) {
        assert_int_equal (store_source_new (f.store, 0, &sources[i], &info), 0);
    }
    store_source_destroy (&sources[0]); /* before it was opened */
    assert_null (sources[0]);
    settle (&f);
    store_source_ask (sources[1], 0);
    store_source_destroy (&sources[1]); /* before it was read */
    settle (&f);
    store_source_destroy (&sources[2]); /* in between */
    struct zab_point base;
    int64_t stamp_ms;
    for (int i = 0; i < 3; i++) {
        snapshot (&f, 100);
        (void) store_compacted (f.store, &base, &stamp_ms);
        settle (&f);
    }
    const uint8_t *data;
    assert_true (ask (&f, sources[3], 0, &data) > 0);
    store_source_info (sources[3], &info);
    assert_int_equal (ask (&f, sources[3], info.stored, &data), 0); /* the end */
    assert_int_equal (kept_disk_count (f.options.disk, "snap."), 4);
    store_source_destroy (&sources[3]);
    assert_true (store_compacted (f.store, &base, &stamp_ms));
    settle (&f);
    assert_int_equal (kept_disk_count (f.options.disk, "snap."), 2);
    /* The worker has stopped. */
    assert_int_equal (store_source_new (f.store, 0, &sources[0], &info), 0);
    store_source_destroy (&sources[0]);
    deinit (&f);
}

/* ---- Proof ------------------------------------------------------------------------------- */

static zxid_t base_of (struct fixture *self)
{
    struct zab_point base;
    int64_t stamp_ms;
    (void) store_compacted (self->store, &base, &stamp_ms);
    settle (self);
    store_base (self->store, &base, &stamp_ms);
    return base.zxid;
}

/* Beside the newest two one stays that is known to be right; of those from before the start that
 * may be the oldest. */
static void test_proven_stays (void **state)
{
    (void) state;
    struct fixture f;
    zxid_t at[8];
    init (&f, 0);
    store_keep_proven (f.store, 0, UINT64_MAX);
    for (int i = 0; i < 4; i++) {
        snapshot (&f, 100);
        at[i] = history_last (&f.history).zxid;
        assert_int_equal (base_of (&f), i == 0 ? 0 : at[0]);
    }
    store_keep_proven (f.store, at[1] - 1, UINT64_MAX);
    assert_int_equal (base_of (&f), at[0]);
    store_keep_proven (f.store, at[2] - 1, UINT64_MAX); /* behind the second */
    assert_int_equal (base_of (&f), at[1]);
    reopen (&f);
    store_keep_proven (f.store, 0, UINT64_MAX);
    assert_int_equal (base_of (&f), at[1]);
    assert_int_equal (kept_disk_count (f.options.disk, "snap."), 3);
    store_keep_proven (f.store, at[3], UINT64_MAX);
    assert_int_equal (base_of (&f), at[2]);
    assert_int_equal (kept_disk_count (f.options.disk, "snap."), 2);
    deinit (&f);
}

/* But not for ever. */
static void test_proven_goes (void **state)
{
    (void) state;
    struct fixture f;
    init (&f, 0);
    snapshot (&f, 100);
    zxid_t first = history_last (&f.history).zxid;
    store_keep_proven (f.store, first, UINT64_MAX);
    snapshot (&f, 100);
    snapshot (&f, 100);
    assert_int_equal (base_of (&f), first);
    store_keep_proven (f.store, first, 1);
    assert_true (base_of (&f) > first);
    assert_int_equal (kept_disk_count (f.options.disk, "snap."), 2);

    first = base_of (&f);
    store_keep_proven (f.store, first, UINT64_MAX);
    size_t most = 0;
    for (int i = 0; i < 100; i++) {
        snapshot (&f, 100);
        (void) base_of (&f);
        size_t count = kept_disk_count (f.options.disk, "snap.");
        most = count > most ? count : most;
    }
    assert_true (base_of (&f) > first);
    assert_int_equal (most, 16);
    deinit (&f);
}

/* Whenever a finished one is cancelled, it does not count, now or after a restart. */
static void test_cancelled (void **state)
{
    (void) state;
    bool named = false;
    for (int steps = 0; !named; steps++) {
        struct fixture f;
        struct store_writer *writer;
        struct store_snapshot_info info;
        init (&f, 0);
        snapshot (&f, 1000);
        uint64_t before = store_log_bytes (f.store);
        writer = begin_snapshot (&f);
        store_writer_append (writer, content, SIZE);
        store_writer_finish (writer, false);
        for (int i = 0; i < steps; i++) {
            (void) store_work (f.store);
        }
        named = kept_disk_count (f.options.disk, "snap.") == 2;
        store_writer_cancel (&writer);
        assert_null (writer);
        settle (&f);
        assert_true (store_snapshot_newest (f.store, &info));
        settle (&f);
        check (&f, 1000);
        assert_true (store_log_bytes (f.store) > before);
        assert_int_equal (kept_disk_count (f.options.disk, "snap"), 1);
        snapshot (&f, 2000); /* another may be written */
        check (&f, 2000);
        reopen (&f);
        check (&f, 2000);
        deinit (&f);
    }
}

/* Those of a state that was wrong are struck off. */
static void test_struck_off (void **state)
{
    (void) state;
    struct fixture f;
    struct store_snapshot_info info;
    init (&f, 0);
    zxid_t at[3];
    for (int i = 0; i < 3; i++) {
        snapshot (&f, 1000 * (size_t) (i + 1));
        at[i] = history_last (&f.history).zxid;
    }
    store_snapshots_strike (f.store, at[2]); /* there is nothing behind */
    check (&f, 3000);
    assert_int_equal (store_log_bytes (f.store), 0);
    store_snapshots_strike (f.store, at[0]);
    check (&f, 1000);
    assert_true (store_log_bytes (f.store) > 0);
    settle (&f);
    assert_int_equal (kept_disk_count (f.options.disk, "snap."), 1);
    reopen (&f);
    check (&f, 1000);
    store_snapshots_strike (f.store, 0); /* the log has its beginning */
    settle (&f);
    assert_false (store_snapshot_newest (f.store, &info));
    assert_int_equal (kept_disk_count (f.options.disk, "snap."), 0);
    reopen (&f);
    assert_false (store_snapshot_newest (f.store, &info));
    assert_true (history_compare (&f.history, f.store) > 0);

    for (int i = 0; i < 3; i++) {
        snapshot (&f, 1000);
    }
    assert_true (base_of (&f) > 0);
    store_snapshots_strike (f.store, 0); /* and now not: somewhere one has to begin */
    check (&f, 1000);
    deinit (&f);
}

/* ---- Damage ------------------------------------------------------------------------------ */

static void test_does_not_unpack (void **state)
{
    (void) state;
    struct fixture f;
    struct store_reader *reader;
    struct store_snapshot_info info;
    char why[100];
    uint8_t byte;
    size_t done;
    init (&f, 0);
    snapshot (&f, SIZE);
    zxid_t first = history_last (&f.history).zxid;
    assert_int_equal (store_snapshot_reject (f.store, why, sizeof why), COHORT_ECORRUPT);
    check (&f, SIZE);
    snapshot (&f, SIZE / 2);
    snapshot (&f, SIZE / 3);
    struct zab_point base;
    int64_t stamp_ms;
    assert_true (store_compacted (f.store, &base, &stamp_ms));
    history_purge (&f.history, base, stamp_ms);
    settle (&f);
    store_close (&f.store);
    spoil_newest_snapshot (f.disk);
    open_store (&f); /* the checksums are right */
    assert_int_equal (store_reader_new (f.store, &reader, &info), 0);
    assert_int_equal (store_reader_read (reader, 10, &byte, 1, &done), COHORT_ECORRUPT);
    store_reader_destroy (&reader);
    uint64_t log_bytes = store_log_bytes (f.store);
    assert_int_equal (store_snapshot_reject (f.store, why, sizeof why), 0);
    check (&f, SIZE / 2);
    assert_true (store_log_bytes (f.store) > log_bytes);
    assert_true (history_compare (&f.history, f.store) > 0);
    reopen (&f);
    check (&f, SIZE / 2);
    /* There is one more, but the log does not go back to it. */
    assert_int_equal (kept_disk_count (f.options.disk, "snap."), 1);
    assert_true (base.zxid > first);
    assert_int_equal (store_snapshot_reject (f.store, why, sizeof why), COHORT_ECORRUPT);
    check (&f, SIZE / 2);
    deinit (&f);
}

/* Whoever is told that the newest is damaged is told which that is, and can ask for those below. */
static void test_cannot_be_opened (void **state)
{
    (void) state;
    struct fixture f;
    struct store_reader *reader = NULL;
    struct store_snapshot_info newest, info = {.point = {0, 0}};
    init (&f, 0);
    snapshot (&f, SIZE);
    zxid_t first = history_last (&f.history).zxid;
    snapshot (&f, SIZE / 2);
    assert_true (store_snapshot_newest (f.store, &newest));
    damage_newest_snapshot (f.disk);
    assert_int_equal (store_reader_new (f.store, &reader, &info), COHORT_ECORRUPT);
    assert_null (reader);
    assert_int_equal (info.point.zxid, newest.point.zxid);
    assert_int_equal (store_reader_below (f.store, info.point.zxid, &reader, &info), 0);
    assert_int_equal (info.point.zxid, first);
    store_reader_destroy (&reader);
    deinit (&f);
}

static int make (void **state)
{
    (void) state;
    make_content ();
    return 0;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_pack),
        cmocka_unit_test (test_levels),
        cmocka_unit_test (test_plain),
        cmocka_unit_test (test_copied),
        cmocka_unit_test (test_copied_with_damage),
        cmocka_unit_test (test_source_ends),
        cmocka_unit_test (test_proven_stays),
        cmocka_unit_test (test_proven_goes),
        cmocka_unit_test (test_cancelled),
        cmocka_unit_test (test_struck_off),
        cmocka_unit_test (test_does_not_unpack),
        cmocka_unit_test (test_cannot_be_opened),
    };
    return cmocka_run_group_tests (tests, make, NULL);
}
