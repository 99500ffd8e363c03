/* What is done in slices does in each no more than was asked for: objects and bytes are counted,
 * never time. */

#include <stdio.h>

#include "tests/support/heap.h"
#include "tests/unit/tree/fixture.h"

/* A bucket is visited whole: it holds few. */
enum { BUCKET_MAX = 16 };

enum { LARGE = 100000, DEPTH = 20 };

static char large[LARGE + 1];

static void init (struct fixture *f)
{
    struct entry_limits limits = fixture_limits;
    limits.data_size_max = 2 * LARGE;
    fixture_init_with (f, NULL, &limits);
    f->check = false;
    memset (large, 'l', LARGE);
}

/* "/d/d/.../d", `depth` names. */
static const char *path_of (char *path, int depth)
{
    for (int i = 0; i < depth; i++) {
        memcpy (path + 2 * i, "/d", 3);
    }
    return path;
}

static void build_deep (struct fixture *f, uint64_t session)
{
    char path[2 * DEPTH + 1];
    for (int depth = 1; depth <= DEPTH; depth++) {
        assert_int_equal (fixture_create (f, session, path_of (path, depth), large, 0), 0);
    }
}

static void check_image (const struct buf *image, const struct buf *before)
{
    struct buf dump = {0};
    struct tree *loaded = fixture_load (image->data, image->size);
    assert_non_null (loaded);
    tree_check (loaded);
    fixture_dump (loaded, &dump);
    assert_int_equal (dump.size, before->size);
    assert_memory_equal (dump.data, before->data, dump.size);
    tree_destroy (&loaded);
    buf_deinit (&dump);
}

/* Slices of `budget` bytes until the end; none is above it by more than one object. */
static void take (struct tree_snapshot *snapshot, struct buf *image, size_t budget,
                  size_t object_max)
{
    for (bool more = true; more;) {
        size_t before = image->size;
        more = tree_snapshot_next (snapshot, image, budget);
        assert_false (image->failed);
        assert_true (image->size - before < budget + object_max);
        assert_true (snapshot_looked (snapshot) <= 8 + budget / 128 + BUCKET_MAX);
    }
}

/* Whatever is found first stands below all the others, with data that fills a slice each. */
static void test_taking_deep (void **state)
{
    (void) state;
    struct fixture f;
    init (&f);
    build_deep (&f, fixture_session (&f, 1));
    struct buf before = {0}, image = {0};
    fixture_dump (f.tree, &before);
    struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
    take (snapshot, &image, 1000, LARGE + 200);
    tree_snapshot_end (&snapshot);
    check_image (&image, &before);
    buf_deinit (&image);
    buf_deinit (&before);
    fixture_deinit (&f);
}

/* Many small objects; and a table of empty buckets. */
static void test_taking_many (void **state)
{
    (void) state;
    struct fixture f;
    char path[32];
    init (&f);
    uint64_t session = fixture_session (&f, 1);
    for (int i = 0; i < 20000; i++) {
        snprintf (path, sizeof path, "/%d", i);
        assert_int_equal (fixture_create (&f, session, path, "", 0), 0);
    }
    for (int left = 20000; left >= 3000; left -= 17000) {
        struct buf before = {0}, image = {0};
        fixture_dump (f.tree, &before);
        struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
        take (snapshot, &image, 4096, 1000);
        tree_snapshot_end (&snapshot);
        check_image (&image, &before);
        buf_deinit (&image);
        buf_deinit (&before);
        for (int i = 3000; i < left; i++) {
            snprintf (path, sizeof path, "/%d", i);
            assert_int_equal (fixture_delete (&f, session, path, -1), 0);
        }
    }
    fixture_deinit (&f);
}

/* Znodes that come right where the scan is, faster than it can write them. */
static void test_newer_ones_ahead (void **state)
{
    (void) state;
    struct fixture f;
    char path[32];
    init (&f);
    uint64_t session = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, session, "/queue", "", 0), 0);
    assert_int_equal (fixture_create (&f, session, "/z", "the last", 0), 0);
    struct buf before = {0}, image = {0};
    fixture_dump (f.tree, &before);
    struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
    int created = 0;
    for (bool more = true; more; more = tree_snapshot_next (snapshot, &image, 128)) {
        for (int i = 0; i < 40; i++) {
            snprintf (path, sizeof path, "/queue/%08d", created++);
            assert_int_equal (fixture_create (&f, session, path, "", 0), 0);
        }
        assert_true (created < 40000);
    }
    tree_snapshot_end (&snapshot);
    check_image (&image, &before);
    buf_deinit (&image);
    buf_deinit (&before);
    fixture_deinit (&f);
}

/* What apply changes is copied, what stands above it is not; and when that is changed too, before
 * or after a part of it was written, it is written as it was. */
static void test_handing_over (void **state)
{
    (void) state;
    char path[2 * DEPTH + 1];
    for (int slices = 0; slices < DEPTH; slices += 3) {
        struct fixture f;
        struct buf before = {0}, image = {0};
        init (&f);
        uint64_t session = fixture_session (&f, 1);
        build_deep (&f, session);
        fixture_dump (f.tree, &before);
        struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
        heap_watch_begin ();
        assert_int_equal (fixture_set (&f, session, path_of (path, DEPTH), "x", -1), 0);
        /* The old data, twice while it is being copied; a piece of the backlog; small things. */
        assert_true (heap_peak () < 5 * LARGE);
        heap_watch_end ();
        for (int i = 0; i < slices; i++) {
            assert_true (tree_snapshot_next (snapshot, &image, 1000));
        }
        for (int depth = 2; depth < DEPTH; depth += 5) {
            assert_int_equal (fixture_set (&f, session, path_of (path, depth), "y", -1), 0);
        }
        assert_int_equal (fixture_delete (&f, session, path_of (path, DEPTH), -1), 0);
        assert_int_equal (fixture_delete (&f, session, path_of (path, DEPTH - 1), -1), 0);
        tree_check (f.tree);
        take (snapshot, &image, 1000, LARGE + 200);
        tree_snapshot_end (&snapshot);
        check_image (&image, &before);
        buf_deinit (&image);
        buf_deinit (&before);
        fixture_deinit (&f);
    }
}

/* Given up, or lost for want of memory, with much in the backlog: the tree does not mind. */
static void test_given_up (void **state)
{
    (void) state;
    char path[2 * DEPTH + 1];
    for (uint64_t n = 0; n < 10; n++) {
        struct fixture f;
        init (&f);
        uint64_t session = fixture_session (&f, 1);
        build_deep (&f, session);
        struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
        struct znode *znode =
            znode_find (&f.tree->znodes, f.tree->root, path_of (path, DEPTH), 2 * DEPTH);
        assert_non_null (znode);
        mem_fail_at (n);
        snapshot_hand_over_znode (snapshot, znode);
        (void) mem_fail_clear ();
        for (int depth = DEPTH; depth > 1; depth--) {
            assert_int_equal (fixture_delete (&f, session, path_of (path, depth), -1), 0);
        }
        tree_snapshot_end (&snapshot);
        tree_check (f.tree);
        assert_int_equal (fixture_create (&f, session, "/d/new", "", 0), 0);
        struct buf before = {0}, image = {0};
        fixture_dump (f.tree, &before);
        fixture_save (f.tree, &image);
        check_image (&image, &before);
        buf_deinit (&image);
        buf_deinit (&before);
        fixture_deinit (&f);
    }
}

/* ---- Loading and taking apart ------------------------------------------------------------ */

enum { SESSIONS = 300, EPHEMERALS = 7 };

static void build_owned (struct fixture *f)
{
    char path[32];
    init (f);
    uint64_t ids[SESSIONS];
    for (uint64_t i = 0; i < SESSIONS; i++) {
        ids[i] = fixture_session (f, i + 1);
    }
    for (int k = 0; k < EPHEMERALS; k++) {
        for (uint64_t i = 0; i < SESSIONS; i++) {
            snprintf (path, sizeof path, "/e-%llu-%d", (unsigned long long) i, k);
            assert_int_equal (fixture_create (f, ids[i], path, "data", COHORT_EPHEMERAL), 0);
        }
    }
    /* Some are on their way out. */
    for (uint64_t i = 0; i < SESSIONS; i += 50) {
        fixture_close (f, ids[i], 0, 0, ENTRY_KILLED);
    }
}

static void test_settling (void **state)
{
    (void) state;
    struct fixture f;
    struct buf image = {0}, before = {0};
    build_owned (&f);
    fixture_dump (f.tree, &before);
    fixture_save (f.tree, &image);
    struct tree_loader *loader = tree_loader_new (NULL);
    assert_true (tree_loader_feed (loader, image.data, image.size));
    assert_false (tree_loader_whole (loader));
    size_t steps = 1;
    while (tree_loader_settle (loader, 10)) {
        assert_false (tree_loader_whole (loader));
        steps++;
    }
    assert_true (steps > SESSIONS * EPHEMERALS / 10);
    assert_true (tree_loader_whole (loader));
    struct tree *tree = tree_loader_release (&loader);
    assert_null (loader);
    tree_check (tree);
    struct buf dump = {0};
    fixture_dump (tree, &dump);
    assert_int_equal (dump.size, before.size);
    assert_memory_equal (dump.data, before.data, dump.size);
    tree_destroy (&tree);
    buf_deinit (&dump);
    buf_deinit (&before);
    buf_deinit (&image);
    fixture_deinit (&f);
}

/* At every point of it a loader may be given up. */
static void test_settling_given_up (void **state)
{
    (void) state;
    struct fixture f;
    struct buf image = {0};
    build_owned (&f);
    fixture_save (f.tree, &image);
    for (size_t steps = 0;; steps = steps * 2 + 1) {
        struct tree_loader *loader = tree_loader_new (NULL);
        assert_true (tree_loader_feed (loader, image.data, image.size));
        bool more = true;
        for (size_t i = 0; i < steps && more; i++) {
            more = tree_loader_settle (loader, 1);
        }
        bool whole = tree_loader_whole (loader);
        struct tree *tree = tree_loader_release (&loader);
        assert_non_null (tree);
        while (tree_dismantle (&tree, 5)) {
        }
        assert_null (tree);
        if (whole) {
            break;
        }
    }
    /* Nor is anything whole that was not fed to the end. */
    struct tree_loader *loader = tree_loader_new (NULL);
    assert_true (tree_loader_feed (loader, image.data, image.size - 1));
    assert_false (tree_loader_settle (loader, 1));
    assert_false (tree_loader_whole (loader));
    tree_loader_destroy (&loader);
    buf_deinit (&image);
    fixture_deinit (&f);
}

static size_t freed;

static void count_freed (void *memory, int count)
{
    (void) memory;
    freed += count < 0;
}

/* An object is a few pieces of memory: itself, its name and data, what it owns. */
static void test_dismantling (void **state)
{
    (void) state;
    struct fixture f;
    build_owned (&f);
    uint64_t objects =
        tree_node_count (f.tree) + tree_session_count (f.tree) + f.tree->result_count;
    size_t slices = 0;
    mem_watch (count_freed);
    for (bool more = true; more;) {
        freed = 0;
        more = tree_dismantle (&f.tree, 50);
        /* The last one has the tables and buffers, too. */
        assert_true (freed <= 3 * (50 + BUCKET_MAX) + (more ? 0 : 50));
        slices++;
    }
    mem_watch (NULL);
    assert_null (f.tree);
    assert_true (slices >= objects / (50 + BUCKET_MAX));
    assert_false (tree_dismantle (&f.tree, 50));
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_taking_deep),       cmocka_unit_test (test_taking_many),
        cmocka_unit_test (test_newer_ones_ahead),  cmocka_unit_test (test_handing_over),
        cmocka_unit_test (test_given_up),          cmocka_unit_test (test_settling),
        cmocka_unit_test (test_settling_given_up), cmocka_unit_test (test_dismantling),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
