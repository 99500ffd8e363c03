/*
 * tests/unit/store/test_ahead.c - a snapshot in pieces, with and without a thread that reads ahead
 *
 * Run under ThreadSanitizer, too (-DCOHORT_SANITIZE=thread).
 */
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "cohort/error.h"
#include "server/store/ahead.h"
#include "server/store/format.h"
#include "tests/unit/store/history.h"
#include "tests/unit/store/kept_disk.h"
#include "tests/unit/unit.h"

/* More pieces than a reader is ahead, and a part of one. */
enum { PIECES = 9, SIZE = PIECES * AHEAD_PIECE + 1000 };

struct fixture {
    struct disk *disk; /* in memory */
    struct store *store;
    struct history history;
    struct store_reader *reader;
};

static uint8_t content[SIZE];

static void settle (struct fixture *self)
{
    while (store_work (self->store)) {
    }
    assert_int_equal (store_failure (self->store, NULL), 0);
}

/* A store with one snapshot, of the first bytes of the content. */
static void init (struct fixture *self, bool ahead, size_t size)
{
    struct store_writer *writer;
    char error[256];
    memset (self, 0, sizeof *self);
    self->disk = memory_disk_new ();
    history_init (&self->history);
    struct store_options options = {
        .disk = kept_disk_new (self->disk), .server_id = 1, .store_id = 2, .reads_ahead = ahead};
    assert_int_equal (store_open (&options, &self->store, error, sizeof error), 0);
    history_add (&self->history, 1, 100, 1);
    history_submit (&self->history, self->store, 0, 1, 0);
    settle (self);
    assert_int_equal (store_writer_new (self->store, history_last (&self->history),
                                        history_last_stamp (&self->history), &writer),
                      0);
    store_writer_append (writer, content, size);
    store_writer_finish (writer, false);
    settle (self);
    assert_int_equal (store_writer_state (writer), 1);
    store_writer_destroy (&writer);
}

static void deinit (struct fixture *self)
{
    store_close (&self->store);
    self->disk->ops->destroy (self->disk);
}

static void begin (struct fixture *self)
{
    struct store_snapshot_info info;
    assert_int_equal (store_reader_new (self->store, &self->reader, &info), 0);
}

static void end (struct fixture *self)
{
    store_reader_destroy (&self->reader);
}

/* Takes pieces, at most so many; how many bytes, all of them right. */
static size_t take (struct fixture *self, size_t pieces, int *code)
{
    size_t at = 0;
    *code = 0;
    for (size_t i = 0; i < pieces; i++) {
        const uint8_t *data;
        size_t size;
        *code = store_reader_next (self->reader, &data, &size);
        if (*code != 0 || size == 0) {
            break;
        }
        assert_in_range (size, 1, SIZE - at);
        assert_memory_equal (data, content + at, size);
        at += size;
    }
    return at;
}

/* ---- Tests ------------------------------------------------------------------------------- */

static void whole (bool ahead)
{
    static const size_t sizes[] = {0, 1, AHEAD_PIECE - 1, AHEAD_PIECE, AHEAD_PIECE + 1, SIZE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture f;
        int code;
        init (&f, ahead, sizes[i]);
        begin (&f);
        assert_int_equal (take (&f, SIZE_MAX, &code), sizes[i]);
        assert_int_equal (code, 0);
        assert_int_equal (take (&f, 2, &code), 0); /* the end stays the end */
        assert_int_equal (code, 0);
        end (&f);
        deinit (&f);
    }
}

static void test_whole (void **state)
{
    (void) state;
    whole (false);
    whole (true);
}

/* The thread may be reading, waiting for room, or through. */
static void test_ends_anywhere (void **state)
{
    (void) state;
    struct fixture f;
    int code;
    init (&f, true, SIZE);
    for (size_t pieces = 0; pieces <= PIECES + 2; pieces++) {
        size_t expected = pieces <= PIECES ? pieces * AHEAD_PIECE : SIZE;
        begin (&f);
        assert_int_equal (take (&f, pieces, &code), expected);
        assert_int_equal (code, 0);
        end (&f);
    }
    deinit (&f);
}

/* A byte in the middle of the file of the snapshot. */
static void spoil (struct fixture *self)
{
    char name[NAME_SIZE];
    struct disk_file *file;
    uint64_t size;
    size_t done;
    uint8_t byte;
    name_snapshot (name, history_last (&self->history).zxid, 1);
    assert_int_equal (self->disk->ops->open (self->disk, name, false, &file), 0);
    assert_int_equal (self->disk->ops->size (file, &size), 0);
    assert_int_equal (self->disk->ops->read (file, size / 2, &byte, 1, &done), 0);
    byte ^= 1;
    assert_int_equal (self->disk->ops->write (file, size / 2, &byte, 1), 0);
    self->disk->ops->close (file);
}

static void damage (bool ahead)
{
    struct fixture f;
    int code;
    init (&f, ahead, SIZE);
    begin (&f);
    spoil (&f);
    size_t got = take (&f, SIZE_MAX, &code);
    assert_int_equal (code, COHORT_ECORRUPT);
    assert_in_range (got, AHEAD_PIECE, SIZE - AHEAD_PIECE); /* all the pieces before it */
    assert_int_equal (take (&f, 1, &code), 0);
    assert_int_equal (code, COHORT_ECORRUPT);
    end (&f);
    deinit (&f);
}

static void test_damage (void **state)
{
    (void) state;
    damage (false);
    damage (true);
}

static void test_memory (void **state)
{
    (void) state;
    struct fixture f;
    int code = COHORT_ENOMEM;
    for (int ahead = 0; ahead < 2; ahead++) {
        init (&f, ahead == 1, SIZE);
        begin (&f);
        mem_fail_at (1);
        assert_int_equal (take (&f, 1, &code), 0);
        assert_true (mem_fail_clear ());
        assert_int_equal (code, COHORT_ENOMEM);
        assert_int_equal (take (&f, SIZE_MAX, &code), SIZE); /* there is some again */
        assert_int_equal (code, 0);
        end (&f);
        deinit (&f);
    }
}

static int make (void **state)
{
    struct prng prng;
    (void) state;
    prng_seed (&prng, 3);
    for (size_t at = 0; at < SIZE; at++) {
        content[at] = at % 100 < 80 ? (uint8_t) (at / 100) : (uint8_t) prng_u64 (&prng);
    }
    return 0;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_whole),
        cmocka_unit_test (test_ends_anywhere),
        cmocka_unit_test (test_damage),
        cmocka_unit_test (test_memory),
    };
    return cmocka_run_group_tests (tests, make, NULL);
}
