/*
 *  tests/unit/store/test_thread.c - owner and worker on two threads
 *
 *  Run under ThreadSanitizer, too (-DCOHORT_SANITIZE=thread).
 */
#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "tests/support/crash_disk.h"
#include "tests/unit/store/folder.h"
#include "tests/unit/store/history.h"
#include "tests/unit/unit.h"

struct fixture {
    char folder[FOLDER_SIZE]; /*  empty: in memory */
    struct store *store;
    struct store_thread *thread;
    sem_t woken;
    struct history history;
    uint64_t number;
};

static void notify (void *arg)
{
    struct fixture *self = arg;
    (void) sem_post (&self->woken);
}

static void start_thread (struct fixture *self)
{
    assert_int_equal (store_thread_start (self->store, notify, self, &self->thread), 0);
}

static void open_store_on (struct fixture *self, struct disk *disk)
{
    struct store_options options = {
        .disk = disk,
        .server_id = 1,
        .store_id = 2,
        .segment_bytes = 256 << 10,
        .cache_bytes = 128 << 10,
    };
    char error[256];
    assert_int_equal (store_open (&options, &self->store, error, sizeof error), 0);
    start_thread (self);
}

static void open_store (struct fixture *self)
{
    struct disk *disk = NULL;
    if (self->folder[0] != '\0') {
        assert_int_equal (posix_disk_new (self->folder, &disk), 0);
    } else {
        disk = memory_disk_new ();
    }
    open_store_on (self, disk);
}

static void close_store (struct fixture *self)
{
    store_thread_stop (&self->thread);
    store_close (&self->store);
}

static struct fixture *fixture_new (bool on_files)
{
    struct fixture *self = mem_calloc (1, sizeof *self);
    history_init (&self->history);
    assert_int_equal (sem_init (&self->woken, 0, 0), 0);
    if (on_files) {
        folder_make (self->folder);
    }
    open_store (self);
    return self;
}

static void fixture_destroy (struct fixture *self)
{
    close_store (self);
    if (self->folder[0] != '\0') {
        folder_remove (self->folder);
    }
    (void) sem_destroy (&self->woken);
    mem_free (self);
}

static void await (struct fixture *self)
{
    while (store_completed (self->store) < self->number) {
        (void) sem_wait (&self->woken);
        assert_int_equal (store_failure (self->store, NULL), 0);
    }
}

static void append (struct fixture *self, size_t count, uint32_t size)
{
    size_t from = self->history.count;
    for (size_t i = 0; i < count; i++) {
        history_add (&self->history, 0, size, self->number * 100 + i);
    }
    history_submit (&self->history, self->store, from, ++self->number, 0);
}

/*  Reads while the worker writes. */
static void compare (struct fixture *self)
{
    assert_int_equal (history_compare (&self->history, self->store), self->history.count);
}

static void await_source (struct fixture *self, struct store_source *source)
{
    int state;
    while ((state = store_source_state (source)) == 0) {
        (void) sem_wait (&self->woken);
    }
    assert_int_equal (state, 1);
}

/*  The newest snapshot as it is stored, asked for piece by piece; and some that nobody waits for.
 */
static void read_source (struct fixture *self)
{
    struct store_source *source, *left;
    struct store_snapshot_info info;
    assert_int_equal (store_source_new (self->store, 0, &source, &info), 0);
    assert_int_equal (store_source_new (self->store, 0, &left, &info), 0);
    store_source_destroy (&left);
    await_source (self, source);
    store_source_info (source, &info);
    const uint8_t *data;
    uint64_t offset = 0;
    size_t size;
    do {
        store_source_ask (source, offset);
        await_source (self, source);
        size = store_source_data (source, &data);
        offset += size;
    } while (size > 0);
    assert_int_equal (offset, info.stored);
    store_source_ask (source, 0);
    store_source_destroy (&source);
}

static void snapshot (struct fixture *self, bool install)
{
    struct zab_point point = history_last (&self->history);
    int64_t stamp_ms = history_last_stamp (&self->history);
    struct store_writer *writer;
    uint8_t bytes[10000];
    if (install) {
        point = (struct zab_point){.zxid = point.zxid + (UINT64_C (1) << 40), .chain = 5};
    }
    memset (bytes, 1, sizeof bytes);
    assert_int_equal (store_writer_new (self->store, point, stamp_ms, &writer), 0);
    for (int i = 0; i < 50; i++) {
        store_writer_append (writer, bytes, sizeof bytes);
        if (!install) {
            append (self, 2, 100);
        }
    }
    store_writer_finish (writer, install);
    int state;
    while ((state = store_writer_state (writer)) == 0) {
        (void) sem_wait (&self->woken);
    }
    assert_int_equal (state, 1);
    store_writer_destroy (&writer);
    if (install) {
        history_restart (&self->history, point, stamp_ms);
    }
    struct zab_point base;
    if (store_compacted (self->store, &base, &stamp_ms)) {
        history_purge (&self->history, base, stamp_ms);
    }
    struct store_reader *reader;
    struct store_snapshot_info info;
    size_t done;
    assert_int_equal (store_reader_new (self->store, &reader, &info), 0);
    assert_int_equal (store_reader_read (reader, 490000, bytes, sizeof bytes, &done), 0);
    assert_int_equal (done, 10000);
    store_reader_destroy (&reader);
    read_source (self);
}

static void exercise (struct fixture *self)
{
    struct store_meta meta = *store_meta (self->store);
    memset (meta.cluster_id, 1, sizeof meta.cluster_id);
    assert_int_equal (store_set_meta (self->store, &meta), 0);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 40; i++) {
            append (self, 1 + (size_t) i % 7, (uint32_t) i * 30);
            if (i % 10 == 0) {
                compare (self);
            }
        }
        zxid_t to = history_last (&self->history).zxid - 2;
        store_persist (
            self->store,
            &(struct zab_persist){.number = ++self->number, .truncate = true, .truncate_to = to});
        history_cut (&self->history, to);
        append (self, 3, 50);
        await (self);
        compare (self);
        snapshot (self, round == 3);
        store_persist (self->store, &(struct zab_persist){.number = ++self->number,
                                                          .epochs = true,
                                                          .accepted_epoch = (uint32_t) round + 1,
                                                          .current_epoch = 1});
        await (self);
        meta = *store_meta (self->store);
        assert_int_equal (store_set_meta (self->store, &meta), 0);
        assert_int_equal (store_backlog (self->store), 0);
    }
}

static void test_memory (void **state)
{
    (void) state;
    struct fixture *self = fixture_new (false);
    exercise (self);
    fixture_destroy (self);
}

static void test_files (void **state)
{
    (void) state;
    struct fixture *self = fixture_new (true);
    exercise (self);
    /*  Stopping finishes what is waiting. */
    append (self, 100, 100);
    close_store (self);
    open_store (self);
    compare (self);
    assert_int_equal (store_meta (self->store)->accepted_epoch, 6);
    fixture_destroy (self);
}

/*  Left alone, it prepares the space to come, and 100 ms after a batch writes a mark. */
static void test_idle (void **state)
{
    (void) state;
    struct fixture *self = fixture_new (false);
    append (self, 1, 10);
    int due = 0;
    while (due >= 0) {
        (void) sem_wait (&self->woken);
        store_thread_stop (&self->thread);
        due = store_work_due (self->store);
        start_thread (self);
    }
    while (sem_trywait (&self->woken) == 0) {
    }
    append (self, 1, 10);
    (void) sem_wait (&self->woken); /*  the batch */
    assert_int_equal (store_completed (self->store), 2);
    (void) sem_wait (&self->woken); /*  the mark  */
    fixture_destroy (self);
}

/*  The disk is full, and there is space again while requests go on to come, so that the thread is
 *  never idle: it finds it all the same. */
static void test_space_while_busy (void **state)
{
    (void) state;
    struct fixture *self = fixture_new (false);
    struct crash_disk *hardware = crash_disk_new (1);
    close_store (self);
    open_store_on (self, crash_disk_open (hardware));
    store_thread_stop (&self->thread);
    crash_disk_set_space (hardware, crash_disk_used (hardware) + (300 << 10));
    start_thread (self);
    for (int i = 0; i < 1000 && store_space (self->store) == 0; i++) {
        append (self, 10, 1000);
        (void) sem_wait (&self->woken);
    }
    assert_true (store_space (self->store) != 0);
    store_thread_stop (&self->thread);
    crash_disk_set_space (hardware, UINT64_MAX);
    start_thread (self);
    sem_t pace; /* of what comes */
    assert_int_equal (sem_init (&pace, 0, 0), 0);
    for (int i = 0; i < 200 && store_space (self->store) != 0; i++) {
        struct timespec soon;
        (void) clock_gettime (CLOCK_REALTIME, &soon);
        soon.tv_nsec += 50000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        append (self, 1, 10);
        (void) sem_timedwait (&pace, &soon);
    }
    (void) sem_destroy (&pace);
    assert_int_equal (store_space (self->store), 0);
    await (self);
    compare (self);
    fixture_destroy (self);
    crash_disk_destroy (&hardware);
}

/*  One turn of an owner that submits one request; true: it did it itself. */
static bool turn (struct fixture *self, size_t count, uint32_t size)
{
    store_gather (self->store);
    append (self, count, size);
    return store_go (self->store);
}

/*  Until the thread is found at rest, and nothing has been slow. */
static void turn_in_place (struct fixture *self)
{
    while (!turn (self, 1, 10)) {
        await (self);
    }
    assert_int_equal (store_completed (self->store), self->number);
}

/*  A lone request is done by the owner; what is to be done later still is by the thread, which
 * finds out without being told. */
static void test_in_place (void **state)
{
    (void) state;
    struct fixture *self = fixture_new (true);
    int due = 0;
    turn_in_place (self);
    while (due >= 0) {
        (void) sem_wait (&self->woken);
        store_thread_stop (&self->thread);
        due = store_work_due (self->store);
        start_thread (self);
    }
    for (int i = 0; i < 50; i++) {
        turn_in_place (self);
    }
    compare (self);
    close_store (self);
    open_store (self);
    compare (self);
    fixture_destroy (self);
}

/*  What is large, or not alone, is the thread's; and it does not matter what comes in which order.
 */
static void test_not_in_place (void **state)
{
    (void) state;
    struct fixture *self = fixture_new (true);
    turn_in_place (self);
    assert_false (turn (self, 1, 5000));
    await (self);
    assert_false (turn (self, 2, 10));
    await (self);
    for (int i = 0; i < 50; i++) {
        store_gather (self->store);
        append (self, 1, 10);
        append (self, 1, 10);
        assert_false (store_go (self->store));
        await (self);
    }
    for (size_t i = 0; i < 500; i++) {
        (void) turn (self, 1 + i % 5 / 4, (uint32_t) (i % 3 * 100));
        if (i % 7 < 3) {
            await (self);
        }
        if (i % 125 == 0) {
            struct store_meta meta = *store_meta (self->store);
            store_gather (self->store);
            append (self, 1, 10);
            assert_int_equal (store_set_meta (self->store, &meta), 0);
            assert_false (store_go (self->store));
        }
    }
    compare (self);
    close_store (self);
    open_store (self);
    compare (self);
    fixture_destroy (self);
}

static bool disk_is_slow;
static const struct disk_ops *quick_ops;

static int sync_slowly (struct disk_file *file)
{
    struct timespec pause = {.tv_nsec = 25000000};
    if (disk_is_slow) {
        (void) clock_nanosleep (CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return quick_ops->sync (file);
}

/*  The owner waits for a slow disk once, or twice if it does not know yet how the thread fares, and
 *  then leaves it to that as long as it is slow: who waits for a disk serves nobody. */
static void test_slow_disk (void **state)
{
    (void) state;
    struct fixture *self = fixture_new (true);
    struct disk *disk = NULL;
    close_store (self);
    assert_int_equal (posix_disk_new (self->folder, &disk), 0);
    quick_ops = disk->ops;
    struct disk_ops ops = *quick_ops;
    ops.sync = sync_slowly;
    disk->ops = &ops;
    open_store_on (self, disk);
    turn_in_place (self);
    disk_is_slow = true;
    int waited = 0;
    for (int i = 0; i < 100; i++) {
        waited += turn (self, 1, 10);
        await (self);
    }
    assert_in_range (waited, 0, 2);
    disk_is_slow = false;
    turn_in_place (self);
    compare (self);
    fixture_destroy (self);
}

/*  The worker's disk fails: the owner is woken, even though nothing was completed. */
static void test_failure (void **state)
{
    (void) state;
    for (uint64_t n = 1; n < 30; n += 7) {
        struct fixture *self = mem_calloc (1, sizeof *self);
        struct crash_disk *hardware = crash_disk_new (n);
        struct store_options options = {
            .disk = crash_disk_open (hardware),
            .server_id = 1,
            .store_id = 2,
        };
        char error[256];
        history_init (&self->history);
        assert_int_equal (sem_init (&self->woken, 0, 0), 0);
        assert_int_equal (store_open (&options, &self->store, error, sizeof error), 0);
        crash_disk_fail_at (hardware, n, -EIO);
        assert_int_equal (store_thread_start (self->store, notify, self, &self->thread), 0);
        const char *text = NULL;
        while (store_failure (self->store, &text) == 0) {
            if (n % 2 == 0 || !turn (self, 1, 10)) {
                append (self, 1, 10);
                (void) sem_wait (&self->woken);
            }
        }
        assert_non_null (strstr (text, "EIO"));
        uint64_t completed = store_completed (self->store);
        append (self, 1, 10);
        assert_int_equal (store_set_meta (self->store, store_meta (self->store)), COHORT_ESYSTEM);
        close_store (self);
        assert_true (completed < self->number);
        crash_disk_destroy (&hardware);
        (void) sem_destroy (&self->woken);
        mem_free (self);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_memory),    cmocka_unit_test (test_files),
        cmocka_unit_test (test_idle),      cmocka_unit_test (test_space_while_busy),
        cmocka_unit_test (test_in_place),  cmocka_unit_test (test_not_in_place),
        cmocka_unit_test (test_slow_disk), cmocka_unit_test (test_failure),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
