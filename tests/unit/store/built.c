/*
 *  tests/unit/store/built.c - a store worth damaging, on a crash_disk
 */
#include "tests/unit/store/built.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "tests/unit/unit.h"

void built_work (struct store *store)
{
    while (store_work (store)) {
    }
    assert_int_equal (store_failure (store, NULL), 0);
}

static void append (struct store *store, struct history *history, size_t count, uint32_t size,
                    uint64_t number)
{
    size_t from = history->count;
    for (size_t i = 0; i < count; i++) {
        history_add (history, 0, size, number * 1000 + i);
    }
    history_submit (history, store, from, number, 0);
    built_work (store);
}

static void snapshot (struct store *store, const struct history *history, size_t size)
{
    struct store_writer *writer;
    static uint8_t bytes[100000];
    memset (bytes, 0x5a, sizeof bytes);
    assert_int_equal (store_writer_new (store, history_last (history), 5, &writer), 0);
    store_writer_append (writer, bytes, size);
    store_writer_finish (writer, false);
    built_work (store);
    assert_int_equal (store_writer_state (writer), 1);
    store_writer_destroy (&writer);
    built_work (store);
}

static void fill (struct built *self, struct store *store, bool marked)
{
    struct history *history = self->history;
    append (store, history, 30, 300, 1);
    snapshot (store, history, 70000);
    append (store, history, 40, 400, 2);
    zxid_t cut = history_last (history).zxid - 3;
    store_persist (store, &(struct zab_persist){.number = 3, .truncate = true, .truncate_to = cut});
    history_cut (history, cut);
    append (store, history, 20, 1000, 4);
    snapshot (store, history, 1000);
    int64_t stamp_ms;
    assert_true (store_compacted (store, &self->base, &stamp_ms));
    append (store, history, 25, 900, 5);
    self->watermark = store_last (store);
    if (marked) {
        /*  The manifest says nothing about these, only the records themselves do. */
        append (store, history, 3, 700, 6);
        append (store, history, 1, 100, 7);
        append (store, history, 1, 100, 8);
        self->watermark = store_last (store);
    } else {
        /*  One piece of work only: the mark comes later. */
        size_t from = history->count;
        for (uint64_t i = 0; i < 3; i++) {
            history_add (history, 0, 1400, 6000 + i); /*  the first with a sector of zeros */
        }
        history_submit (history, store, from, 6, 0);
        assert_true (store_work (store));
    }
    assert_int_equal (store_completed (store), marked ? 8 : 6);
}

void built_make (struct built *self, bool marked)
{
    memset (self, 0, sizeof *self);
    self->history = mem_calloc (1, sizeof *self->history);
    assert_non_null (self->history);
    history_init (self->history);
    self->disk = crash_disk_new (5);
    self->options = (struct store_options){
        .server_id = BUILT_SERVER,
        .store_id = BUILT_STORE,
        .segment_bytes = 16 << 10,
        .disk = crash_disk_open (self->disk),
    };
    struct store *store;
    char error[512];
    assert_int_equal (store_open (&self->options, &store, error, sizeof error), 0);
    struct store_meta meta = *store_meta (store);
    memset (meta.cluster_id, 3, sizeof meta.cluster_id);
    meta.bootstrapped = true;
    meta.accepted_epoch = meta.current_epoch = BUILT_EPOCH;
    assert_int_equal (store_set_meta (store, &meta), 0);
    fill (self, store, marked);
    self->last = store_last (store);
    self->digest = store_digest (store);
    store_close (&store);
    crash_disk_power_cut (self->disk);
}

void built_free (struct built *self)
{
    crash_disk_destroy (&self->disk);
    mem_free (self->history);
    self->history = NULL;
}

/* ---- Damage ------------------------------------------------------------------------------ */

void built_damage_all (const struct built *self, built_damage_fn *damage, uint64_t step,
                       built_check_fn *check)
{
    uint64_t n = 0;
    for (size_t i = 0; crash_disk_name (self->disk, i) != NULL; i++) {
        char name[64];
        uint64_t size;
        (void) snprintf (name, sizeof name, "%s", crash_disk_name (self->disk, i));
        assert_true (crash_disk_size (self->disk, name, &size));
        for (uint64_t at = n % step; at < size; at += step, n++) {
            struct crash_disk *copy = crash_disk_copy (self->disk, n);
            if (damage (copy, name, at, n)) {
                check (self, copy, name, at);
            }
            crash_disk_destroy (&copy);
        }
    }
}

bool built_flip (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n)
{
    return crash_disk_flip (disk, name, offset, (uint8_t) (1 + n * 37 % 255));
}

bool built_zero (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n)
{
    (void) n;
    return crash_disk_zero_sector (disk, name, offset);
}

bool built_set_bad (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n)
{
    (void) n;
    return crash_disk_set_bad (disk, name, offset);
}

bool built_cut (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n)
{
    (void) n;
    struct disk *view = crash_disk_open (disk);
    struct disk_file *file;
    assert_int_equal (view->ops->open (view, name, false, &file), 0);
    assert_int_equal (view->ops->truncate (file, offset), 0);
    view->ops->close (file);
    view->ops->destroy (view);
    return true;
}

void built_remove (struct crash_disk *disk, const char *name)
{
    struct disk *view = crash_disk_open (disk);
    assert_int_equal (view->ops->unlink (view, name), 0);
    assert_int_equal (view->ops->sync_names (view), 0);
    view->ops->destroy (view);
}

static void copy_file (struct disk *from, struct disk *to, const char *name)
{
    static uint8_t bytes[1 << 20];
    struct disk_file *source, *copy;
    size_t done;
    assert_int_equal (from->ops->open (from, name, false, &source), 0);
    assert_int_equal (to->ops->open (to, name, true, &copy), 0);
    assert_int_equal (from->ops->read (source, 0, bytes, sizeof bytes, &done), 0);
    assert_true (done < sizeof bytes);
    assert_int_equal (to->ops->write (copy, 0, bytes, done), 0);
    from->ops->close (source);
    to->ops->close (copy);
}

struct disk *built_in_memory (struct crash_disk *disk)
{
    struct disk *memory = memory_disk_new ();
    struct disk *view = crash_disk_open (disk);
    assert_non_null (memory);
    for (size_t i = 0; crash_disk_name (disk, i) != NULL; i++) {
        copy_file (view, memory, crash_disk_name (disk, i));
    }
    view->ops->destroy (view);
    return memory;
}

bool built_garble (void *arg, const char *name, uint64_t offset, size_t size, uint64_t *at,
                   uint8_t sector[CRASH_SECTOR_SIZE])
{
    struct built_garble *self = arg;
    self->happened = true;
    *at = offset / CRASH_SECTOR_SIZE * CRASH_SECTOR_SIZE;
    bool read = crash_disk_sector (self->disk, name, offset, false, sector);
    assert_true (read && size > 0);
    sector[offset % CRASH_SECTOR_SIZE + 16] ^= 0xff;
    return true;
}
