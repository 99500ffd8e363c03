/*
 *  tests/unit/store/test_removal.c - files that no manifest names any more go step by step
 */
#include <errno.h>

#include "cohort/error.h"
#include "server/store/manifest.h"
#include "server/store/removal.h"
#include "tests/unit/unit.h"

enum { STEP = 1000 };

static struct disk *disk; /*  in memory */
static struct removal removal;
static struct fault fault;

static void make_file (const char *name, size_t size)
{
    static uint8_t bytes[10 * STEP];
    struct disk_file *file;
    assert_true (size <= sizeof bytes);
    assert_int_equal (disk->ops->open (disk, name, true, &file), 0);
    assert_int_equal (disk->ops->write (file, 0, bytes, size), 0);
    disk->ops->close (file);
}

/*  -1: there is none. */
static int64_t size_of (const char *name)
{
    struct disk_file *file;
    uint64_t size;
    int rc = disk->ops->open (disk, name, false, &file);
    if (rc != 0) {
        assert_int_equal (rc, -ENOENT);
        return -1;
    }
    assert_int_equal (disk->ops->size (file, &size), 0);
    disk->ops->close (file);
    return (int64_t) size;
}

/*  Segments 1 to 3 are named first, and then 3 alone. */
static int setup (void **state)
{
    (void) state;
    disk = memory_disk_new ();
    removal_init (&removal, disk, STEP);
    make_file ("log.1", 2 * STEP + 1);
    make_file ("log.2", STEP);
    make_file ("log.3", 5 * STEP);
    struct manifest before = {.number = 1}, after = {.number = 2};
    for (uint32_t n = 1; n <= 3; n++) {
        assert_true (manifest_add_span (&before, n));
    }
    assert_true (manifest_add_span (&after, 3));
    assert_true (removal_add (&removal, &before, &after));
    manifest_deinit (&before);
    manifest_deinit (&after);
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    removal_deinit (&removal);
    disk->ops->destroy (disk);
    return 0;
}

static bool step (void)
{
    bool over;
    assert_int_equal (removal_step (&removal, &over, &fault), 0);
    return over;
}

static void test_steps (void **state)
{
    (void) state;
    assert_false (step ());
    assert_int_equal (size_of ("log.1"), STEP + 1);
    assert_false (step ());
    assert_int_equal (size_of ("log.1"), 1);
    assert_false (step ());
    assert_int_equal (size_of ("log.1"), -1);
    assert_int_equal (size_of ("log.2"), STEP);
    assert_true (step ());
    assert_int_equal (size_of ("log.2"), -1);
    assert_int_equal (size_of ("log.3"), 5 * STEP);
    assert_true (step ()); /*  there is nothing left */
}

/*  What was begun is finished, with what came later. */
static void test_more_meanwhile (void **state)
{
    (void) state;
    assert_false (step ());
    struct manifest before = {.number = 2}, after = {.number = 3};
    assert_true (manifest_add_span (&before, 3));
    assert_true (removal_add (&removal, &before, &after));
    manifest_deinit (&before);
    for (unsigned steps = 0; !step (); steps++) {
        assert_in_range (steps, 0, 20);
    }
    assert_int_equal (size_of ("log.1"), -1);
    assert_int_equal (size_of ("log.3"), -1);
}

static void test_all_at_once (void **state)
{
    (void) state;
    assert_false (step ());
    assert_int_equal (removal_finish (&removal, &fault), 0);
    assert_int_equal (size_of ("log.1"), -1);
    assert_int_equal (size_of ("log.2"), -1);
    assert_true (step ());
}

/*  What is not there any more, has gone. */
static void test_gone_already (void **state)
{
    (void) state;
    assert_int_equal (disk->ops->unlink (disk, "log.1"), 0);
    assert_false (step ());
    assert_true (step ());
    assert_int_equal (size_of ("log.2"), -1);
}

static int truncate_code;

static int cannot_truncate (struct disk_file *file, uint64_t size)
{
    (void) file;
    (void) size;
    return truncate_code;
}

/*  A disk that fails is nobody's any more; one without room loses the file as a whole. */
static void test_truncate_fails (void **state)
{
    (void) state;
    struct disk_ops ops = *disk->ops;
    const struct disk_ops *whole = disk->ops;
    ops.truncate = cannot_truncate;
    disk->ops = &ops;
    bool over;
    truncate_code = -EIO;
    assert_int_equal (removal_step (&removal, &over, &fault), COHORT_ESYSTEM);
    assert_string_equal (fault.text, "log.1: truncate: input/output error (EIO)");
    truncate_code = -ENOSPC;
    assert_false (step ());
    assert_false (step ());
    assert_int_equal (size_of ("log.1"), -1);
    disk->ops = whole;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_steps, setup, teardown),
        cmocka_unit_test_setup_teardown (test_more_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown (test_all_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown (test_gone_already, setup, teardown),
        cmocka_unit_test_setup_teardown (test_truncate_fails, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
