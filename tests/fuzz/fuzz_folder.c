/* A whole data folder: a store with a log of several segments and two snapshots lies on a disk in
 * memory; the input says what is done to its files. Then the folder is inspected and printed,
 * opened by a store, and repaired. Nothing may crash; what inspection foretells must come; what it
 * calls sound must open whole; and what was repaired with a decision must open and count.
 *
 * Input: changes, each a byte that says which and numbers that say where, until it ends. */

#include <stdio.h>
#include <string.h>

#include "client/base/hash.h"
#include "server/inspect/overlay.h"
#include "server/inspect/print.h"
#include "server/inspect/repair.h"
#include "server/store/store.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/store/kept_disk.h"

enum {
    SIZE_MAX_INPUT = 400,
    ENTRY_SIZE = 300,
    NAMES_MAX = 32,
    CHANGES_MAX = 32,
    SERVER = 2,
    STORE = 99
};

/* ---- The folder -------------------------------------------------------------------------- */

static struct disk *pristine; /* made once: inputs work on overlays of it */
static size_t names_count;
static char names[NAMES_MAX][NAME_SIZE];

static struct disk *overlay_of (struct disk *below)
{
    struct disk *disk = NULL;
    COHORT_ASSERT (overlay_new (below, &disk) == 0);
    return disk;
}

static void work (struct store *store)
{
    while (store_work (store)) {
    }
    COHORT_ASSERT (store_failure (store, NULL) == 0);
}

static void append (struct store *store, struct zab_point *last, unsigned count)
{
    static uint64_t number;
    for (unsigned i = 0; i < count; i++) {
        uint8_t data[ENTRY_SIZE];
        memset (data, (int) (number + 1), sizeof (data));
        zxid_t zxid = last->zxid == 0 ? zxid_make (1, 1) : last->zxid + 1;
        struct zab_entry entry = {.zxid = zxid, .data = data, .size = sizeof (data)};
        entry.chain = zab_chain (last->chain, zxid, 0, data, sizeof (data));
        store_persist (store, &(struct zab_persist){.number = ++number,
                                                    .entries = &entry,
                                                    .entries_count = 1,
                                                    .commit = last->zxid});
        *last = (struct zab_point){.zxid = zxid, .chain = entry.chain};
    }
    work (store);
}

static void snapshot (struct store *store, struct zab_point point)
{
    struct store_writer *writer;
    uint8_t bytes[1000];
    memset (bytes, 7, sizeof (bytes));
    COHORT_ASSERT (store_writer_new (store, point, 0, &writer) == 0);
    store_writer_append (writer, bytes, sizeof (bytes));
    store_writer_finish (writer, false);
    work (store);
    COHORT_ASSERT (store_writer_state (writer) == 1);
    store_writer_destroy (&writer);
    work (store);
}

static void note_name (void *arg, const char *name)
{
    (void) arg;
    COHORT_ASSERT (names_count < NAMES_MAX);
    (void) snprintf (names[names_count++], NAME_SIZE, "%s", name);
}

static void build (void)
{
    char error[512];
    struct store *store;
    struct zab_point last = {.zxid = 0};
    pristine = memory_disk_new ();
    COHORT_ASSERT (pristine != NULL);
    struct store_options options = {.disk = kept_disk_new (pristine),
                                    .server_id = SERVER,
                                    .store_id = STORE,
                                    .segment_bytes = 16 << 10};
    COHORT_ASSERT (store_open (&options, &store, error, sizeof (error)) == 0);
    struct store_meta meta = *store_meta (store);
    memset (meta.cluster_id, 3, sizeof (meta.cluster_id));
    meta.bootstrapped = true;
    meta.accepted_epoch = meta.current_epoch = 1;
    meta.config =
        (struct config){.version = 1, .count = 1, .members = {{SERVER, CONFIG_VOTER, STORE}}};
    COHORT_ASSERT (store_set_meta (store, &meta) == 0);
    append (store, &last, 30);
    snapshot (store, last);
    append (store, &last, 30);
    snapshot (store, last);
    append (store, &last, 30);
    store_close (&store);
    COHORT_ASSERT (pristine->ops->list (pristine, note_name, NULL) == 0);
}

/* ---- Changes ----------------------------------------------------------------------------- */

enum change { FLIP, PUT, ZERO, CUT, REMOVE, MOVE, COPY, CHANGES };

/* What is right, again: so that what lies behind the checksums is reached. */
static void fix_head (struct disk_file *file, struct disk *disk, uint64_t size)
{
    static uint8_t bytes[META_SIZE];
    size_t done = 0;
    if (size < HEAD_SIZE || disk->ops->read (file, 0, bytes, sizeof (bytes), &done) != 0) {
        return;
    }
    uint32_t payload = bytes_get_u32 (bytes + 40);
    if (done >= HEAD_SIZE && payload <= done - HEAD_SIZE) {
        bytes_put_u32 (bytes + 44, crc32c (0, bytes + HEAD_SIZE, payload));
    }
    bytes_put_u32 (bytes + 60, crc32c (0, bytes, 60));
    (void) disk->ops->write (file, 0, bytes, HEAD_SIZE);
}

/* The record that is there, or was before a byte of it changed. */
static void fix_record (struct disk_file *file, struct disk *disk, uint64_t offset,
                        uint32_t segment)
{
    uint8_t bytes[2048];
    size_t done = 0;
    offset -= offset % RECORD_ALIGN;
    if (offset < SEGMENT_HEAD_SIZE ||
        disk->ops->read (file, offset, bytes, sizeof (bytes), &done) != 0 ||
        done < RECORD_HEADER_SIZE || record_size (bytes) > sizeof (bytes) / 2 ||
        record_total (record_size (bytes)) > done) {
        return;
    }
    record_finish (bytes, segment, offset, bytes_get_u64 (bytes + RECORD_AT_DURABLE),
                   record_salt (STORE, segment));
    (void) disk->ops->write (file, offset, bytes, record_total (record_size (bytes)));
}

static void fix (struct disk *disk, const char *name, struct disk_file *file, uint64_t offset,
                 uint64_t size)
{
    uint32_t segment;
    if (name_is_segment (name, &segment) && offset >= SEGMENT_HEAD_SIZE) {
        /* Fields of headers of the entries that the folder was made of lie so far behind. */
        uint64_t step = record_total (ENTRY_SIZE);
        fix_record (file, disk, offset - (offset - SEGMENT_HEAD_SIZE) % step, segment);
    } else {
        fix_head (file, disk, size);
    }
}

static void put (struct reader *input, struct disk *disk, const char *name, enum change kind)
{
    struct disk_file *file;
    uint64_t size = 0;
    if (disk->ops->open (disk, name, false, &file) != 0) {
        return;
    }
    COHORT_ASSERT (disk->ops->size (file, &size) == 0);
    uint64_t offset = size > 0 ? reader_u16 (input) % size : 0;
    uint8_t bytes[SECTOR_SIZE] = {0};
    size_t done = 0;
    if (kind == FLIP) {
        (void) disk->ops->read (file, offset, bytes, 1, &done);
        bytes[0] ^= (uint8_t) (reader_u8 (input) | 1);
        (void) disk->ops->write (file, offset, bytes, 1);
    } else if (kind == PUT) {
        const uint8_t *data = fuzz_bytes (input, 8, &done);
        (void) disk->ops->write (file, offset, data, done);
        fix (disk, name, file, offset, size);
    } else if (kind == ZERO) {
        (void) disk->ops->write (file, offset - offset % SECTOR_SIZE, bytes, sizeof (bytes));
    } else {
        (void) disk->ops->truncate (file, offset);
    }
    disk->ops->close (file);
}

/* A sector lands in another file, or in another place. */
static void misdirect (struct reader *input, struct disk *disk, const char *name, const char *other)
{
    struct disk_file *from, *to;
    uint8_t bytes[SECTOR_SIZE];
    size_t done = 0;
    uint64_t at = (uint64_t) reader_u8 (input) * SECTOR_SIZE;
    uint64_t where = (uint64_t) reader_u8 (input) * SECTOR_SIZE;
    if (disk->ops->open (disk, name, false, &from) != 0) {
        return;
    }
    if (disk->ops->open (disk, other, false, &to) == 0) {
        (void) disk->ops->read (from, at, bytes, sizeof (bytes), &done);
        (void) disk->ops->write (to, where, bytes, done);
        disk->ops->close (to);
    }
    disk->ops->close (from);
}

static void change (struct reader *input, struct disk *disk)
{
    static const char *const others[] = {"damaged.1.log.1", "damaged.2.snap.new", "log.77",
                                         "snap.new",        "manifest.new",       "myid"};
    enum change kind = (enum change) fuzz_below (input, CHANGES);
    const char *name = names[fuzz_below (input, (uint32_t) names_count)];
    switch (kind) {
    case REMOVE:
        (void) disk->ops->unlink (disk, name);
        return;
    case MOVE: {
        uint32_t n =
            fuzz_below (input, (uint32_t) (names_count + sizeof (others) / sizeof (*others)));
        (void) disk->ops->rename (disk, name, n < names_count ? names[n] : others[n - names_count]);
        return;
    }
    case COPY:
        misdirect (input, disk, name, names[fuzz_below (input, (uint32_t) names_count)]);
        return;
    default:
        put (input, disk, name, kind);
        return;
    }
}

/* ---- What must hold ---------------------------------------------------------------------- */

static void check_prints (struct disk *disk, const struct inspect_report *report)
{
    static FILE *nowhere;
    struct fault fault;
    struct print_options options = {.folder = "folder", .disk = disk, .records = true};
    nowhere = nowhere != NULL ? nowhere : fopen ("/dev/null", "w");
    COHORT_ASSERT (nowhere != NULL);
    COHORT_ASSERT (print_text (nowhere, &options, report, &fault) == 0);
    COHORT_ASSERT (print_json (nowhere, &options, report, &fault) == 0);
}

static int open_folder (struct disk *disk, const struct inspect_report *report, bool repair,
                        struct store **store, char error[INSPECT_TEXT_SIZE])
{
    struct store_options options = {.disk = overlay_of (disk),
                                    .server_id = report->ids.server_id,
                                    .store_id = 1,
                                    .repair = repair};
    return store_open (&options, store, error, INSPECT_TEXT_SIZE);
}

static void check_outcome (struct disk *disk, const struct inspect_report *report)
{
    char error[INSPECT_TEXT_SIZE];
    struct store *store = NULL;
    const struct inspect_outcome *outcome = &report->outcome;
    int rc = open_folder (disk, report, report->healable, &store, error);
    COHORT_ASSERT (rc == outcome->code);
    if (rc != 0) {
        COHORT_ASSERT (strcmp (error, outcome->text) == 0);
        COHORT_ASSERT (report->damages_count > 0);
        return;
    }
    COHORT_ASSERT (store_last (store) == outcome->last);
    COHORT_ASSERT (store_meta (store)->trust == outcome->trust);
    if (report->damages_count == 0) {
        COHORT_ASSERT (store_meta (store)->trust == ZAB_WHOLE);
        COHORT_ASSERT (store_damage (store)[0] == '\0');
        COHORT_ASSERT (!report->has_log || report->log_last == outcome->last);
    }
    store_close (&store);
}

static void check_repair (struct disk *disk, const struct inspect_report *report,
                          enum repair_decision decision)
{
    static struct repair_result result;
    char error[INSPECT_TEXT_SIZE];
    struct disk *copy = overlay_of (disk);
    struct repair_options options = {
        .report = report, .decision = decision, .sources_count = 1, .sources = &pristine};
    repair_folder (kept_disk_new (copy), &options, &result);
    if (result.code == 0 && decision == REPAIR_DISCARD) {
        struct store *store = NULL;
        COHORT_ASSERT (result.trust == ZAB_WHOLE);
        COHORT_ASSERT (open_folder (copy, report, false, &store, error) == 0);
        COHORT_ASSERT (store_last (store) == result.last);
        COHORT_ASSERT (store_meta (store)->trust == ZAB_WHOLE);
        store_close (&store);
    }
    copy->ops->destroy (copy);
}

static void one (const uint8_t *data, size_t size)
{
    static struct inspect_report report;
    struct reader input;
    struct fault fault;
    if (pristine == NULL) {
        build ();
    }
    struct disk *disk = overlay_of (pristine);
    reader_init (&input, data, size);
    for (unsigned i = 0; i < CHANGES_MAX && reader_left (&input) > 0; i++) {
        change (&input, disk);
    }
    struct inspect_options options = {.disk = disk, .checksums_only = true};
    COHORT_ASSERT (inspect_run (&options, &report, &fault) == 0);
    check_prints (disk, &report);
    check_outcome (disk, &report);
    check_repair (disk, &report, REPAIR_KEEP);
    check_repair (disk, &report, REPAIR_DISCARD);
    inspect_deinit (&report);
    disk->ops->destroy (disk);
}

/* ---- Seeds ------------------------------------------------------------------------------- */

static void add_change (fuzz_seed_fn *add, void *arg, const char *seed, enum change kind,
                        const char *name, uint32_t at, uint32_t value)
{
    struct buf out = {0};
    buf_u8 (&out, (uint8_t) kind);
    for (size_t i = 0; i < names_count; i++) {
        if (strcmp (names[i], name) == 0) {
            buf_u8 (&out, (uint8_t) i);
        }
    }
    COHORT_ASSERT (out.size == 2); /* the folder has such a file */
    buf_u16 (&out, (uint16_t) at);
    buf_u8 (&out, (uint8_t) value);
    buf_u8 (&out, 0);
    add (arg, seed, out.data, out.size);
    buf_deinit (&out);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    if (pristine == NULL) {
        build ();
    }
    add (arg, "untouched", "", 0);
    add_change (add, arg, "meta", FLIP, "meta.0", 80, 1);
    add_change (add, arg, "manifest", FLIP, "manifest", 70, 1);
    add_change (add, arg, "manifest-with-checksum", PUT, "manifest", 70, 1);
    add_change (add, arg, "record", FLIP, "log.2", 5000, 1);
    add_change (add, arg, "record-with-checksum", PUT, "log.2", 4096 + RECORD_AT_DURABLE, 1);
    add_change (add, arg, "sector", ZERO, "log.2", 9000, 0);
    add_change (add, arg, "short", CUT, "log.2", 9000, 0);
    add_change (add, arg, "segment-missing", REMOVE, "log.2", 0, 0);
    add_change (add, arg, "manifest-missing", REMOVE, "manifest", 0, 0);
    add_change (add, arg, "moved", MOVE, "log.2", 2, 0);
    add_change (add, arg, "misdirected", COPY, "log.2", 9 * 256 + 1, 9);
}

const struct fuzz_target fuzz_target = {
    .name = "folder",
    .size_max = SIZE_MAX_INPUT,
    .one = one,
    .seeds = seeds,
};
