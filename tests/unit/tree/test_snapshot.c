/* Snapshots: there and back, damaged, and without memory. That they are exact while apply goes on
 * is in test_property.c. */

#include <stdio.h>

#include "client/base/hash.h"
#include "tests/unit/tree/fixture.h"

/* A state with something of everything. */
static void build (struct fixture *f)
{
    fixture_init (f, NULL);
    uint64_t a = fixture_session (f, 1);
    uint64_t b = fixture_session (f, 2);
    uint64_t c = fixture_session (f, 3);
    assert_int_equal (fixture_create (f, a, "/dir", "data of dir", 0), 0);
    assert_int_equal (fixture_create (f, a, "/dir/n-", "", COHORT_SEQUENTIAL), 0);
    assert_int_equal (fixture_create (f, b, "/dir/e", "1", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (f, b, "/dir/deep", "", 0), 0);
    assert_int_equal (fixture_create (f, b, "/dir/deep/er", "", 0), 0);
    assert_int_equal (fixture_create (f, a, "/gone", "", 0), 0);
    assert_int_equal (fixture_delete (f, a, "/gone", 0), 0);
    assert_int_equal (fixture_set (f, a, "/dir", "other data", 0), 0);
    fixture_attach (f, a, 2, 1, 2, 77);
    struct op ops[] = {op_set ("/", "x", 0), op_check ("/dir", 1)};
    assert_int_equal (fixture_multi (f, a, ops, 2), 0);
    fixture_close (f, c, 1, 1, ENTRY_EXPIRED);
}

static void compare (const struct tree *a, const struct tree *b)
{
    struct buf left = {0}, right = {0};
    fixture_dump (a, &left);
    fixture_dump (b, &right);
    assert_int_equal (left.size, right.size);
    assert_memory_equal (left.data, right.data, left.size);
    buf_deinit (&left);
    buf_deinit (&right);
}

static void test_there_and_back (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct buf image = {0}, again = {0};
    fixture_save (f.tree, &image);
    assert_memory_equal (image.data, "CHRTSNAP\x01\0\0\0", 12);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    compare (f.tree, loaded);
    assert_int_equal (tree_effects_floor (loaded), f.zxid);
    assert_int_equal (tree_effects (loaded, f.zxid - 1, f.zxid, NULL, NULL), COHORT_EGAP);
    assert_int_equal (tree_effects (loaded, f.zxid, f.zxid, NULL, NULL), 0);
    fixture_save (loaded, &again);
    assert_int_equal (again.size, image.size);
    /* Numbers of sequential names go on. */
    tree_destroy (&f.tree);
    f.tree = loaded;
    assert_int_equal (fixture_create (&f, 2, "/dir/n-", "", COHORT_SEQUENTIAL), 0);
    fixture_expect_path (&f, 0, "/dir/n-0000000001");
    /* And ids. */
    assert_int_equal (fixture_session (&f, 9), 4);
    buf_deinit (&image);
    buf_deinit (&again);
    fixture_deinit (&f);
}

/* Servers compare digests and exchange snapshots: what a state gives may only change together with
 * the feature level, or the version of the format. */
static void test_golden (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct buf image = {0};
    fixture_save (f.tree, &image);
    assert_int_equal (tree_digest (f.tree), UINT64_C (0x99225c8a46573fca));
    assert_int_equal (image.size, 1444);
    /* Sessions come in the order of their table, results by age, znodes by path. */
    assert_int_equal (crc32c (0, image.data, image.size), 0x4a5a9191);
    /* The scalars are the first record, a session the next. */
    assert_int_equal (image.data[16], IMAGE_SCALARS);
    size_t second = 16 + bytes_get_u32 (image.data + 12);
    assert_int_equal (bytes_get_u32 (image.data + second), 1 + IMAGE_SESSION_SIZE);
    assert_int_equal (image.data[second + 4], IMAGE_SESSION);
    buf_deinit (&image);
    fixture_deinit (&f);
}

static void test_not_founded (void **state)
{
    (void) state;
    struct tree *tree = tree_new (NULL);
    assert_non_null (tree);
    struct buf image = {0};
    fixture_save (tree, &image);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    compare (tree, loaded);
    tree_destroy (&loaded);
    tree_destroy (&tree);
    buf_deinit (&image);
}

/* In pieces of every size. */
static void test_pieces (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct buf image = {0};
    fixture_save (f.tree, &image);
    for (size_t piece = 1; piece < 200; piece++) {
        struct tree_loader *loader = tree_loader_new (NULL);
        assert_non_null (loader);
        for (size_t at = 0; at < image.size; at += piece) {
            size_t size = image.size - at < piece ? image.size - at : piece;
            uint8_t *copy = mem_dup (image.data + at, size);
            assert_true (tree_loader_feed (loader, copy, size));
            mem_free (copy);
            if (piece % 2 == 0) {
                tree_loader_expect (loader, at % 3 == 0 ? 50 * image.size : image.size);
            }
        }
        assert_true (tree_loader_feed (loader, NULL, 0));
        struct tree *loaded = tree_loader_finish (&loader);
        assert_non_null (loaded);
        assert_int_equal (tree_digest (loaded), tree_digest (f.tree));
        tree_destroy (&loaded);
    }
    buf_deinit (&image);
    fixture_deinit (&f);
}

static void test_damaged (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct buf image = {0};
    fixture_save (f.tree, &image);
    for (size_t size = 0; size < image.size; size++) {
        assert_null (fixture_load (image.data, size));
    }
    /* Every bit counts. */
    for (size_t at = 0; at < image.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            image.data[at] ^= (uint8_t) (1 << bit);
            struct tree *loaded = fixture_load (image.data, image.size);
            if (loaded != NULL) {
                print_error ("byte %zu, bit %d\n", at, bit);
            }
            assert_null (loaded);
            image.data[at] ^= (uint8_t) (1 << bit);
        }
    }
    buf_u8 (&image, 0);
    assert_null (fixture_load (image.data, image.size));
    buf_deinit (&image);
    fixture_deinit (&f);
}

/* Records that are whole, in another order, twice or left out; and bytes thrown at it. */
static void test_shuffled (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct buf image = {0}, other = {0};
    fixture_save (f.tree, &image);
    size_t begins[100];
    size_t count = 0;
    for (size_t at = 12; at < image.size; at += 4 + bytes_get_u32 (image.data + at)) {
        assert_true (count < 99);
        begins[count++] = at;
    }
    begins[count] = image.size;
    struct prng prng;
    prng_seed (&prng, 11);
    unsigned loads = 0;
    for (int round = 0; round < 20000; round++) {
        buf_clear (&other);
        buf_append (&other, image.data, 12);
        size_t left_out = prng_below (&prng, 3) == 0 ? prng_below (&prng, count) : count;
        size_t a = prng_below (&prng, count), b = prng_below (&prng, count);
        bool swap = prng_chance (&prng, 1, 2);
        bool twice = prng_chance (&prng, 1, 5);
        for (size_t i = 0; i < count; i++) {
            size_t k = swap && i == a ? b : swap && i == b ? a : i;
            if (i != left_out) {
                buf_append (&other, image.data + begins[k], begins[k + 1] - begins[k]);
            }
            if (twice && i == a) {
                buf_append (&other, image.data + begins[k], begins[k + 1] - begins[k]);
            }
        }
        for (uint64_t n = prng_below (&prng, 6); n > 3; n--) {
            other.data[prng_below (&prng, other.size)] = (uint8_t) prng_u64 (&prng);
        }
        struct tree *loaded = fixture_load (other.data, other.size);
        if (loaded != NULL) {
            /* Records that do not depend on each other may stand in any order. */
            loads++;
            assert_int_equal (tree_digest (loaded), tree_digest (f.tree));
            assert_int_equal (loaded->digest, digest_recompute (loaded));
            compare (loaded, f.tree);
            tree_destroy (&loaded);
        }
    }
    assert_true (loads > 0);
    buf_deinit (&image);
    buf_deinit (&other);
    fixture_deinit (&f);
}

/* No slice is above its budget by more than a record, and none does nothing for ever. */
static void test_budget (void **state)
{
    (void) state;
    struct fixture f;
    struct entry_limits limits = fixture_limits;
    limits.window = 1000;
    fixture_init_with (&f, NULL, &limits);
    f.check = false;
    uint64_t id = fixture_session (&f, 1);
    char path[64];
    for (int i = 0; i < 900; i++) {
        snprintf (path, sizeof (path), "/%d", i);
        struct op op = op_create (path, "data", 0);
        struct entry_write write = {
            .session = id, .incarnation = 1, .number = (uint64_t) i + 1, .count = 1};
        fixture_write (&f, &write, &op);
        assert_true (f.outcome.executed);
    }
    for (size_t budget = 1; budget < 100000; budget = budget * 3 + 1) {
        struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
        assert_non_null (snapshot);
        struct buf image = {0};
        size_t slices = 0;
        for (bool more = true; more;) {
            size_t before = image.size;
            more = tree_snapshot_next (snapshot, &image, budget);
            /* Head and scalars; or a bucket of some znodes. */
            assert_true (image.size - before < budget + 1500);
            slices++;
        }
        assert_true (slices <= 2 + image.size / budget + image.size / 64);
        tree_snapshot_end (&snapshot);
        struct tree *loaded = fixture_load (image.data, image.size);
        assert_non_null (loaded);
        compare (loaded, f.tree);
        tree_destroy (&loaded);
        buf_deinit (&image);
    }
    fixture_deinit (&f);
}

/* Everything that can go goes while a snapshot has only begun: all of it is handed over. */
static void test_all_handed_over (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    char large[5000];
    memset (large, 'l', sizeof (large) - 1);
    large[sizeof (large) - 1] = 0;
    assert_int_equal (fixture_create (&f, 2, "/large", large, 0), 0);
    struct buf before = {0}, image = {0}, dump = {0};
    fixture_dump (f.tree, &before);
    zxid_t begun = f.zxid;
    struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
    assert_non_null (snapshot);
    assert_int_equal (fixture_delete (&f, 2, "/dir/deep/er", -1), 0);
    assert_int_equal (fixture_delete (&f, 2, "/dir/deep", -1), 0);
    assert_int_equal (fixture_set (&f, 2, "/large", "", -1), 0);
    assert_int_equal (fixture_create (&f, 1, "/new", "", COHORT_EPHEMERAL), 0);
    fixture_close (&f, 1, 0, 0, ENTRY_KILLED);
    fixture_close (&f, 2, 0, 0, ENTRY_KILLED);
    uint64_t id = fixture_session (&f, 20);
    assert_int_equal (fixture_delete (&f, id, "/dir/n-0000000000", -1), 0);
    assert_int_equal (fixture_delete (&f, id, "/dir", -1), 0);
    assert_int_equal (fixture_create (&f, id, "/dir", "another", 0), 0);
    assert_int_equal (tree_snapshot_zxid (snapshot), begun);
    while (tree_snapshot_next (snapshot, &image, 100)) {
        assert_int_equal (fixture_set (&f, id, "/", "y", -1), 0);
    }
    tree_snapshot_end (&snapshot);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    fixture_dump (loaded, &dump);
    assert_int_equal (before.size, dump.size);
    assert_memory_equal (before.data, dump.data, dump.size);
    tree_destroy (&loaded);
    buf_deinit (&before);
    buf_deinit (&image);
    buf_deinit (&dump);
    fixture_deinit (&f);
}

static void test_one_at_a_time (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
    assert_non_null (snapshot);
    assert_null (tree_snapshot_begin (f.tree));
    tree_snapshot_end (&snapshot);
    assert_null (snapshot);
    tree_snapshot_end (&snapshot);
    struct buf image = {0};
    /* One that was given up in the middle leaves nothing behind. */
    snapshot = tree_snapshot_begin (f.tree);
    assert_true (tree_snapshot_next (snapshot, &image, 300));
    assert_int_equal (fixture_set (&f, 2, "/dir", "", -1), 0);
    tree_snapshot_end (&snapshot);
    buf_clear (&image);
    fixture_save (f.tree, &image);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    compare (loaded, f.tree);
    tree_destroy (&loaded);
    buf_deinit (&image);
    fixture_deinit (&f);
}

/* ---- Without memory ---------------------------------------------------------------------- */

static void test_new_without_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        struct tree *tree = tree_new (NULL);
        bool failed = mem_fail_clear ();
        assert_int_equal (tree == NULL, failed);
        tree_destroy (&tree);
        if (!failed) {
            break;
        }
    }
}

static void test_load_without_memory (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct buf image = {0};
    fixture_save (f.tree, &image);
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        struct tree_loader *loader = tree_loader_new (NULL);
        struct tree *tree = NULL;
        if (loader != NULL) {
            /* Cut in the middle of a record, so that a part has to be kept. */
            size_t half = image.size / 2 + 1;
            bool ok = tree_loader_feed (loader, image.data, half) &&
                      tree_loader_feed (loader, image.data + half, image.size - half);
            tree = tree_loader_finish (&loader);
            assert_true (ok || tree == NULL);
        }
        bool failed = mem_fail_clear ();
        /* A table that cannot grow is no failure. */
        assert_true (failed || tree != NULL);
        if (tree != NULL) {
            compare (tree, f.tree);
        }
        tree_destroy (&tree);
        if (!failed) {
            break;
        }
    }
    buf_deinit (&image);
    fixture_deinit (&f);
}

/* Memory that runs out while a snapshot is written, or for what is handed to it, loses the snapshot
 * and nothing else: apply goes on. */
static void test_save_without_memory (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct buf before = {0};
    for (uint64_t n = 1;; n++) {
        struct buf image = {0};
        mem_fail_at (n);
        struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
        bool more = snapshot != NULL;
        while (more) {
            more = tree_snapshot_next (snapshot, &image, 200);
        }
        bool failed = mem_fail_clear ();
        assert_int_equal (snapshot == NULL || image.failed, failed);
        tree_snapshot_end (&snapshot);
        buf_deinit (&image);
        if (!failed) {
            break;
        }
    }
    struct znode *znode = znode_find (&f.tree->znodes, f.tree->root, "/dir/deep/er", 12);
    for (uint64_t n = 1;; n++) {
        struct buf image = {0};
        struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
        assert_non_null (snapshot);
        mem_fail_at (n);
        snapshot_hand_over_znode (snapshot, znode);
        bool failed = mem_fail_clear ();
        while (tree_snapshot_next (snapshot, &image, 200)) {
        }
        assert_int_equal (image.failed, failed);
        /* Whoever changes something afterwards does not mind. */
        assert_int_equal (fixture_set (&f, 2, "/dir/deep/er", "x", -1), 0);
        assert_int_equal (fixture_set (&f, 2, "/dir", "x", -1), 0);
        assert_false (tree_snapshot_next (snapshot, &image, 200));
        tree_snapshot_end (&snapshot);
        buf_deinit (&image);
        if (!failed) {
            break;
        }
    }
    buf_deinit (&before);
    fixture_deinit (&f);
}

static bool any_child (void *arg, const struct tree_child *child)
{
    (void) arg;
    (void) child;
    return true;
}

static bool any_node (void *arg, const struct tree_node *node)
{
    (void) arg;
    (void) node;
    return true;
}

static void test_reads_without_memory (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    /* Listing needs none. */
    assert_int_equal (fixture_create (&f, 2, "/b", "", 0), 0);
    assert_int_equal (fixture_create (&f, 2, "/a", "", 0), 0);
    mem_fail_at (1);
    struct tree_list all = {0};
    struct tree_name next;
    assert_int_equal (tree_children (f.tree, "/", 1, &all, any_child, NULL, &next), 0);
    assert_false (mem_fail_clear ());
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        int rc = tree_walk (f.tree, "/", 1, NULL, any_node, NULL);
        bool failed = mem_fail_clear ();
        assert_int_equal (rc, failed ? COHORT_ENOMEM : 0);
        if (!failed) {
            break;
        }
    }
    struct tree_node node;
    buf_deinit (&f.tree->scratch->get_path);
    mem_fail_at (1);
    assert_int_equal (tree_get (f.tree, "/a", 2, &node), COHORT_ENOMEM);
    assert_true (mem_fail_clear ());
    fixture_deinit (&f);
}

/* Makes one number of a sound state wrong; false: there is no such case. */
static bool spoil (struct fixture *f, unsigned which)
{
    const char *path = which < 6 ? "/dir" : "/dir/e";
    struct znode *znode = znode_find (&f->tree->znodes, f->tree->root, path, strlen (path));
    struct session *session = session_find (&f->tree->sessions, 1);
    assert_non_null (znode);
    struct estate *estate = znode_ephemeral (znode) ? znode->u.tenure->estate : NULL;
    f->tree->digest -= session->digest + (estate != NULL ? estate->digest : 0);
    switch (which) {
    case 0:
        *znode_mzxid_place (znode) = znode->czxid - 1;
        break;
    case 1:
        *znode_mzxid_place (znode) = f->zxid + 1;
        break;
    case 2:
        znode->version = -1;
        break;
    case 3:
        znode->u.family->pzxid = znode->czxid - 1;
        break;
    case 4:
        znode->u.family->pzxid = f->zxid + 1;
        break;
    case 5:
        znode->u.family->cversion = -1;
        break;
    case 6:
        estate->ozxid = f->zxid + 1;
        break;
    case 7:
        estate->id = f->tree->scalars.last_estate + 1;
        break;
    case 10:
        estate->id = 0;
        break;
    case 8:
        session->grace_ms = session->timeout_ms + 1;
        break;
    case 9:
        f->tree->scalars.zxid = UINT64_C (1) << 63;
        break;
    default:
        return false;
    }
    session->digest = digest_session (session);
    f->tree->digest += session->digest;
    if (estate != NULL) {
        estate->digest = digest_estate (estate);
        f->tree->digest += estate->digest;
    }
    fixture_renew (f->tree, znode, path);
    return true;
}

/* Sums that are right do not make a state sound. */
static void test_unsound (void **state)
{
    (void) state;
    for (unsigned which = 0;; which++) {
        struct fixture f;
        build (&f);
        bool spoiled = spoil (&f, which);
        if (spoiled) {
            struct buf image = {0};
            fixture_save (f.tree, &image);
            assert_null (fixture_load (image.data, image.size));
            buf_deinit (&image);
        }
        fixture_deinit (&f);
        if (!spoiled) {
            return;
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_there_and_back),
        cmocka_unit_test (test_golden),
        cmocka_unit_test (test_not_founded),
        cmocka_unit_test (test_pieces),
        cmocka_unit_test (test_damaged),
        cmocka_unit_test (test_shuffled),
        cmocka_unit_test (test_budget),
        cmocka_unit_test (test_all_handed_over),
        cmocka_unit_test (test_one_at_a_time),
        cmocka_unit_test (test_new_without_memory),
        cmocka_unit_test (test_load_without_memory),
        cmocka_unit_test (test_save_without_memory),
        cmocka_unit_test (test_reads_without_memory),
        cmocka_unit_test (test_unsound),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
