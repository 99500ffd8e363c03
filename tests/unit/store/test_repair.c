/*
 *  tests/unit/store/test_repair.c - a damaged store opens with what is sound, and says so
 *
 *  Whatever is damaged: the store either holds all that it ever acknowledged, or is marked; if it
 *  says up to where it is suspect, nothing that it acknowledged was behind that; it never holds
 * what was not there; and what it does not use any more is kept.
 */
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "tests/unit/store/built.h"
#include "tests/unit/unit.h"

static struct built built;
static struct {
    size_t whole, suspect, damaged, emptied;
} counts;

static int build_marked (void **state)
{
    (void) state;
    built_make (&built, true);
    return 0;
}

static int build_unmarked (void **state)
{
    (void) state;
    built_make (&built, false);
    return 0;
}

static int unbuild (void **state)
{
    (void) state;
    built_free (&built);
    return 0;
}

enum { LOG_BYTES_MAX = 1 << 24 };

static char error[512];

static struct store *try_open (struct crash_disk *disk, bool repair, int *rc)
{
    struct store *store = NULL;
    struct store_options options = built.options;
    options.disk = crash_disk_open (disk);
    options.store_id = 1234; /*  in case that a new one is needed */
    options.repair = repair;
    *rc = store_open (&options, &store, error, sizeof error);
    return store;
}

static struct store *open_store (struct crash_disk *disk, bool repair)
{
    int rc;
    struct store *store = try_open (disk, repair, &rc);
    if (rc != 0) {
        fail_msg ("%s", error);
    }
    return store;
}

/*  Entries of the history, from its beginning or from a snapshot on, and no others. */
static void check_log (struct store *store)
{
    assert_true (store_log_bytes (store) <= LOG_BYTES_MAX); /* what is left of it, at the most */
    struct zab_point base;
    int64_t stamp_ms;
    store_base (store, &base, &stamp_ms);
    assert_true (store_last (store) <= built.last);
    (void) history_compare (built.history, store);
    struct store_snapshot_info info;
    if (store_snapshot_newest (store, &info)) {
        assert_true (info.point.zxid >= base.zxid);
        assert_true (info.point.zxid <= store_last (store));
        if (info.point.zxid == store_last (store)) {
            assert_int_equal (store_log_bytes (store), 0); /* whatever was read before a repair */
        }
    } else {
        assert_int_equal (base.zxid, 0);
    }
}

static void check_meta (const struct store_meta *meta)
{
    assert_int_equal (meta->server_id, BUILT_SERVER);
    if (meta->store_id == BUILT_STORE) {
        assert_int_equal (meta->accepted_epoch, BUILT_EPOCH);
        assert_int_equal (meta->current_epoch, BUILT_EPOCH);
        return;
    }
    /*  It has forgotten its promises: it must not pass for the one that made them. */
    assert_int_equal (meta->store_id, 1234);
    assert_int_equal (meta->trust, ZAB_DAMAGED);
    assert_int_equal (meta->accepted_epoch, 0);
    assert_false (meta->bootstrapped);
    counts.emptied++;
}

static void check_trust (struct store *store)
{
    const struct store_meta *meta = store_meta (store);
    zxid_t last = store_last (store);
    switch (meta->trust) {
    case ZAB_WHOLE:
        assert_int_equal (last, built.last);
        counts.whole++;
        break;
    case ZAB_SUSPECT:
        assert_true (last >= built.watermark);
        assert_true (meta->suspect >= built.last);
        counts.suspect++;
        break;
    case ZAB_DAMAGED:
        counts.damaged++;
        break;
    }
    assert_true (meta->trust == ZAB_WHOLE || store_damage (store)[0] != '\0');
}

/*  What recovery had to leave out is there, under another name, byte by byte. */
static void check_kept (struct crash_disk *disk, const struct crash_disk *damaged, const char *name)
{
    char aside[96];
    uint64_t before, after;
    (void) snprintf (aside, sizeof aside, "damaged.1.%s", name);
    assert_true (crash_disk_size (damaged, name, &before));
    if (!crash_disk_size (disk, aside, &after)) {
        fail_msg ("%s is not kept", name);
    }
    assert_int_equal (after, before);
}

/*  It goes on, and when it is said to be whole again, it is. */
static void check_heals (struct crash_disk *disk)
{
    struct store *store = open_store (disk, false); /*  there is nothing to repair any more */
    struct store_meta meta = *store_meta (store);
    assert_string_equal (store_damage (store), "");
    if (meta.trust == ZAB_WHOLE) {
        store_close (&store);
        return;
    }
    static struct history history;
    history = *built.history;
    zxid_t last = store_last (store);
    struct zab_point base;
    int64_t stamp_ms;
    store_base (store, &base, &stamp_ms);
    if (last > 0) {
        history_cut (&history, last);
    } else {
        history_restart (&history, base, stamp_ms);
    }
    size_t from = history.count;
    history_add (&history, 6, 500, 1);
    history_add (&history, 6, 50, 2);
    history_submit (&history, store, from, 100, 0);
    store_persist (store,
                   &(struct zab_persist){
                       .number = 101, .epochs = true, .accepted_epoch = 6, .current_epoch = 5});
    built_work (store);
    assert_int_equal (store_meta (store)->trust, meta.trust);
    store_close (&store);
    crash_disk_power_cut (disk);

    store = open_store (disk, true);
    assert_int_equal (store_meta (store)->trust, meta.trust);
    assert_int_equal (store_meta (store)->suspect, meta.suspect);
    store_persist (
        store,
        &(struct zab_persist){
            .number = 1, .epochs = true, .whole = true, .accepted_epoch = 6, .current_epoch = 6});
    assert_int_equal (store_meta (store)->trust, ZAB_WHOLE);
    built_work (store);
    store_close (&store);
    crash_disk_power_cut (disk);

    store = open_store (disk, false);
    assert_int_equal (store_meta (store)->trust, ZAB_WHOLE);
    assert_int_equal (store_meta (store)->suspect, 0);
    assert_int_equal (store_meta (store)->current_epoch, 6);
    assert_int_equal (history_compare (&history, store), history.count);
    store_close (&store);
}

/*  Also if the power fails in the middle of it, at each place. */
static void check_interruptions (const struct crash_disk *damaged)
{
    bool stopped = true;
    for (uint64_t at = 1; stopped; at++) {
        struct crash_disk *disk = crash_disk_copy (damaged, at);
        crash_disk_stop_at (disk, at);
        int rc;
        struct store *store = try_open (disk, true, &rc);
        store_close (&store);
        stopped = crash_disk_stopped (disk);
        crash_disk_power_cut (disk);
        store = open_store (disk, true);
        const struct store_meta *meta = store_meta (store);
        check_log (store);
        check_meta (meta);
        assert_true (meta->trust == ZAB_DAMAGED || store_last (store) == built.last ||
                     (meta->trust == ZAB_SUSPECT && meta->suspect >= built.last));
        store_close (&store);
        crash_disk_destroy (&disk);
    }
}

static uint64_t every = 1; /*  of so many damages, one is interrupted */

static void check (const struct built *self, struct crash_disk *disk, const char *name,
                   uint64_t offset)
{
    (void) self;
    static uint64_t n;
    struct crash_disk *damaged = crash_disk_copy (disk, offset);
    struct store *store = open_store (disk, true);
    check_log (store);
    check_meta (store_meta (store));
    check_trust (store);
    bool whole = store_meta (store)->trust == ZAB_WHOLE;
    store_close (&store);
    if (!whole && strncmp (name, "meta.", 5) != 0) {
        check_kept (disk, damaged, name);
    }
    crash_disk_power_cut (disk);
    check_heals (disk);
    if (!whole && n++ % every == 0) {
        check_interruptions (damaged);
    }
    crash_disk_destroy (&damaged);
}

static void damage_all (built_damage_fn *damage, uint64_t step, uint64_t interrupted)
{
    memset (&counts, 0, sizeof counts);
    every = interrupted;
    built_damage_all (&built, damage, step, check);
    printf ("             %zu whole, %zu suspect, %zu damaged, %zu forgotten\n", counts.whole,
            counts.suspect, counts.damaged, counts.emptied);
}

static void test_flip (void **state)
{
    (void) state;
    damage_all (built_flip, 331, 40);
    assert_true (counts.damaged > 50);
}

static void test_zero_sector (void **state)
{
    (void) state;
    damage_all (built_zero, 1024, 40);
    assert_true (counts.damaged > 20);
}

static void test_bad_sector (void **state)
{
    (void) state;
    damage_all (built_set_bad, 2048, 20);
    assert_true (counts.damaged > 10);
}

static void test_cut_short (void **state)
{
    (void) state;
    damage_all (built_cut, 3001, 20);
    assert_true (counts.damaged > 10);
}

static void test_missing (void **state)
{
    (void) state;
    for (size_t i = 0; crash_disk_name (built.disk, i) != NULL; i++) {
        char name[64];
        (void) snprintf (name, sizeof name, "%s", crash_disk_name (built.disk, i));
        struct crash_disk *copy = crash_disk_copy (built.disk, i);
        built_remove (copy, name);
        struct crash_disk *damaged = crash_disk_copy (copy, i);
        struct store *store = open_store (copy, true);
        check_log (store);
        check_meta (store_meta (store));
        check_trust (store);
        store_close (&store);
        check_heals (copy);
        check_interruptions (damaged);
        crash_disk_destroy (&damaged);
        crash_disk_destroy (&copy);
    }
}

/* ---- Whole files ------------------------------------------------------------------------- */

enum { FILE_SIZE_MAX = 1 << 20 };

/*  What a file becomes, of itself and of another one. */
struct content {
    uint8_t *bytes;
    size_t size;
    const uint8_t *other;
    size_t other_size;
};

static void noise (uint8_t *bytes, size_t size)
{
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = (uint8_t) state;
    }
}

static void becomes_empty (struct content *content)
{
    content->size = 0;
}

static void becomes_a_byte_shorter (struct content *content)
{
    content->size--;
}

static void becomes_half (struct content *content)
{
    content->size /= 2;
}

static void becomes_zeros (struct content *content)
{
    memset (content->bytes, 0, content->size);
}

static void becomes_ones (struct content *content)
{
    memset (content->bytes, 0xff, content->size);
}

static void becomes_noise (struct content *content)
{
    noise (content->bytes, content->size);
}

static void begins_with_noise (struct content *content)
{
    noise (content->bytes, content->size < 512 ? content->size : 512);
}

static void ends_with_noise (struct content *content)
{
    size_t size = content->size < 512 ? content->size : 512;
    noise (content->bytes + content->size - size, size);
}

static void becomes_shifted (struct content *content)
{
    memmove (content->bytes + 1, content->bytes, content->size - 1);
}

static void becomes_upside_down (struct content *content)
{
    for (size_t i = 0; i < content->size / 2; i++) {
        uint8_t byte = content->bytes[i];
        content->bytes[i] = content->bytes[content->size - 1 - i];
        content->bytes[content->size - 1 - i] = byte;
    }
}

static void becomes_another (struct content *content)
{
    memcpy (content->bytes, content->other, content->other_size);
    content->size = content->other_size;
}

static size_t read_file (struct disk *disk, const char *name, uint8_t *bytes)
{
    struct disk_file *file;
    size_t size;
    assert_int_equal (disk->ops->open (disk, name, false, &file), 0);
    assert_int_equal (disk->ops->read (file, 0, bytes, FILE_SIZE_MAX, &size), 0);
    assert_true (size < FILE_SIZE_MAX);
    disk->ops->close (file);
    return size;
}

/*  Overwrites the file, durably.  false: it is what it was. */
static bool replace_file (struct crash_disk *disk, const char *name, const char *other,
                          void (*becomes) (struct content *))
{
    static uint8_t bytes[FILE_SIZE_MAX], before[FILE_SIZE_MAX], others[FILE_SIZE_MAX];
    struct disk *view = crash_disk_open (disk);
    struct disk_file *file;
    size_t size = read_file (view, name, before);
    memcpy (bytes, before, size);
    struct content content = {bytes, size, others, read_file (view, other, others)};
    becomes (&content);
    assert_int_equal (view->ops->open (view, name, false, &file), 0);
    assert_int_equal (view->ops->truncate (file, content.size), 0);
    assert_int_equal (view->ops->write (file, 0, bytes, content.size), 0);
    assert_int_equal (view->ops->sync (file), 0);
    view->ops->close (file);
    view->ops->destroy (view);
    return content.size != size || memcmp (bytes, before, size) != 0;
}

/*  The next segment, which is made ahead of time, is empty: if it is not, the log is taken to go on
 *  there, and the place where it ceased is named. */
static bool is_named (const char *name, const char *text)
{
    return strstr (text, name) != NULL ||
           (strncmp (name, "log.", 4) == 0 && strstr (text, "in the next segment") != NULL);
}

/*  It is either of no importance, or named, and what is left heals; alone, without others who have
 *  it all, the store does not open, and names it likewise. */
static void check_tour (struct crash_disk *disk, const char *name)
{
    struct crash_disk *alone = crash_disk_copy (disk, 1);
    int rc;
    struct store *store = try_open (alone, false, &rc);
    store_close (&store);
    bool meta = strncmp (name, "meta.", 5) == 0; /*  of which there are two */
    assert_true (rc == 0 || rc == COHORT_ECORRUPT || rc == COHORT_ECONFIG);
    if (rc != 0 && !is_named (name, error)) {
        fail_msg ("%s is damaged, and the error is: %s", name, error);
    }
    crash_disk_destroy (&alone);
    if (rc == COHORT_ECONFIG) {
        return; /*  it looks like a file of somebody else: nobody but people can know better */
    }
    struct crash_disk *copy = crash_disk_copy (disk, 1);
    store = open_store (copy, true);
    bool whole = store_meta (store)->trust == ZAB_WHOLE;
    if (!whole && !meta && !is_named (name, store_damage (store))) {
        fail_msg ("%s is damaged, and is not named: %s", name, store_damage (store));
    }
    store_close (&store);
    crash_disk_destroy (&copy);
    check (&built, disk, name, 0);
}

static void test_tour (void **state)
{
    (void) state;
    static void (*const kinds[]) (struct content *) = {
        becomes_empty,   becomes_a_byte_shorter, becomes_half,      becomes_zeros,
        becomes_ones,    becomes_noise,          begins_with_noise, ends_with_noise,
        becomes_shifted, becomes_upside_down,    becomes_another};
    memset (&counts, 0, sizeof counts);
    every = 10;
    for (size_t i = 0; crash_disk_name (built.disk, i) != NULL; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            struct crash_disk *copy = crash_disk_copy (built.disk, i);
            const char *name = crash_disk_name (built.disk, i);
            const char *other = crash_disk_name (built.disk, i > 0 ? i - 1 : 1);
            uint64_t size;
            assert_true (crash_disk_size (copy, name, &size));
            if (size > 0 && replace_file (copy, name, other, kinds[k])) {
                check_tour (copy, name);
            }
            crash_disk_destroy (&copy);
        }
    }
    printf ("             %zu whole, %zu suspect, %zu damaged, %zu forgotten\n", counts.whole,
            counts.suspect, counts.damaged, counts.emptied);
    assert_true (counts.damaged > 50);
}

/*  Both copies of the metadata; then nothing else either.  Never an empty folder. */
static void test_no_metadata (void **state)
{
    (void) state;
    struct crash_disk *copy = crash_disk_copy (built.disk, 1);
    assert_true (crash_disk_flip (copy, "meta.0", 70, 1));
    assert_true (crash_disk_flip (copy, "meta.1", 70, 1));
    struct crash_disk *damaged = crash_disk_copy (copy, 1);
    struct store *store = open_store (copy, true);
    check_meta (store_meta (store));
    assert_int_equal (store_meta (store)->store_id, 1234);
    assert_int_equal (store_last (store), 0);
    store_close (&store);
    check_interruptions (damaged);
    crash_disk_destroy (&damaged);
    built_remove (copy, "meta.0");
    built_remove (copy, "meta.1");
    built_remove (copy, "manifest");
    store = open_store (copy, true);
    check_meta (store_meta (store));
    store_close (&store);
    crash_disk_destroy (&copy);
}

/*  Without space for the copies nothing is lost, and nothing opens as whole. */
static void test_no_space (void **state)
{
    (void) state;
    size_t refused = 0;
    for (size_t i = 0; crash_disk_name (built.disk, i) != NULL; i++) {
        const char *name = crash_disk_name (built.disk, i);
        struct crash_disk *copy = crash_disk_copy (built.disk, i);
        if (strncmp (name, "log.", 4) == 0 && crash_disk_flip (copy, name, 9000, 1)) {
            struct crash_disk *unlimited = crash_disk_copy (copy, i);
            struct store *store = open_store (unlimited, true);
            enum zab_trust trust = store_meta (store)->trust;
            store_close (&store);
            crash_disk_destroy (&unlimited);
            if (trust == ZAB_DAMAGED) {
                crash_disk_set_space (copy, crash_disk_used (copy) + 100);
                int rc;
                store = try_open (copy, true, &rc);
                assert_true (rc == 0 || rc == COHORT_EDISKFULL);
                refused += rc != 0;
                store_close (&store); /*  it got on without a copy */
                crash_disk_set_space (copy, UINT64_MAX);
                store = open_store (copy, true);
                assert_int_equal (store_meta (store)->trust, ZAB_DAMAGED);
                check_log (store);
                store_close (&store);
            }
        }
        crash_disk_destroy (&copy);
    }
    assert_true (refused > 0);
}

/*  The last batch, which no watermark covers. */
static void test_tail_flip (void **state)
{
    (void) state;
    damage_all (built_flip, 61, 100);
    assert_true (counts.suspect > 20);
}

/*  A copy of the disk whose last entry cannot be read. */
static struct crash_disk *copy_with_suspect_tail (void)
{
    const char *name;
    for (size_t i = 0; (name = crash_disk_name (built.disk, i)) != NULL; i++) {
        uint64_t at = 0;
        (void) crash_disk_size (built.disk, name, &at);
        for (; strncmp (name, "log.", 4) == 0 && at > 61; at -= 61) {
            struct crash_disk *copy = crash_disk_copy (built.disk, 1);
            assert_true (crash_disk_flip (copy, name, at - 1, 1));
            struct crash_disk *tried = crash_disk_copy (copy, 1);
            struct store *store = open_store (tried, true);
            bool found = store_meta (store)->trust == ZAB_SUSPECT;
            store_close (&store);
            crash_disk_destroy (&tried);
            if (found) {
                return copy;
            }
            crash_disk_destroy (&copy);
        }
    }
    fail_msg ("no flip makes the log suspect");
    return NULL;
}

/*  While that is repaired one read goes wrong, of each in turn: the manifest's, too, so that what
 *  was found of the log is of no use any more.  The store that comes out goes on. */
static void test_misread (void **state)
{
    (void) state;
    struct crash_disk *suspect = copy_with_suspect_tail ();
    size_t emptied = 0;
    bool more = true;
    for (uint64_t n = 1; more; n++) {
        int rc;
        struct crash_disk *copy = crash_disk_copy (suspect, n);
        struct built_garble once = {.disk = copy};
        crash_disk_misread_at (copy, n, built_garble, &once);
        struct store *store = try_open (copy, true, &rc);
        crash_disk_misread_at (copy, 0, NULL, NULL);
        more = once.happened;
        assert_true (rc == 0 || rc == COHORT_ECORRUPT);
        if (rc == 0) {
            emptied += store_last (store) == 0;
            while (store_work_due (store) >= 0 && store_work (store)) {
            }
            store_close (&store);
        }
        store = open_store (copy, true);
        check_log (store);
        store_close (&store);
        crash_disk_destroy (&copy);
    }
    assert_true (emptied > 0);
    crash_disk_destroy (&suspect);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_flip),       cmocka_unit_test (test_zero_sector),
        cmocka_unit_test (test_bad_sector), cmocka_unit_test (test_cut_short),
        cmocka_unit_test (test_missing),    cmocka_unit_test (test_no_metadata),
        cmocka_unit_test (test_no_space),   cmocka_unit_test (test_tour),
    };
    const struct CMUnitTest tail_tests[] = {
        cmocka_unit_test (test_tail_flip),
        cmocka_unit_test (test_misread),
    };
    int failed = cmocka_run_group_tests (tests, build_marked, unbuild);
    return failed + cmocka_run_group_tests (tail_tests, build_unmarked, unbuild);
}
