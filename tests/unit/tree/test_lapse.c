/* Containers and znodes with a time to live: when they are due, what keeps them, what removes them.
 */

#include "server/tree/lapse.h"

#include <stdio.h>

#include "tests/unit/tree/fixture.h"

static int create_ttl (struct fixture *f, uint64_t session, const char *path, uint64_t ttl_ms,
                       uint8_t mode)
{
    struct op op = op_create (path, "", mode);
    op.ttl_ms = ttl_ms;
    return fixture_op (f, session, &op);
}

/* Proposes and applies what is due at now_ms; how many znodes that were asked to go. */
static uint32_t lapse (struct fixture *f, int64_t now_ms)
{
    struct buf items = {0};
    struct entry entry = {.kind = ENTRY_LAPSE};
    entry.u.lapse.count = tree_lapses (f->tree, now_ms, &items);
    buf_clear (&f->entry);
    entry_encode (&f->entry, &entry);
    buf_append (&f->entry, items.data, items.size);
    buf_deinit (&items);
    f->stamp_ms = now_ms - 10; /* fixture_apply takes a step */
    fixture_apply (f);
    return entry.u.lapse.count;
}

static void test_container (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, s, "/c", "", COHORT_CONTAINER), 0);
    assert_int_equal (fixture_stat (&f, "/c").mode, COHORT_CONTAINER);
    /* One that never had children stays. */
    assert_int_equal (tree_lapse_ms (f.tree), INT64_MAX);
    assert_int_equal (fixture_create (&f, s, "/c/a", "", 0), 0);
    assert_int_equal (tree_lapse_ms (f.tree), INT64_MAX);
    assert_int_equal (fixture_delete (&f, s, "/c/a", -1), 0);
    int64_t due_ms = tree_lapse_ms (f.tree);
    assert_true (due_ms > f.stamp_ms);
    assert_true (due_ms <= f.stamp_ms + 2000);
    assert_int_equal (lapse (&f, due_ms - 1), 0);
    assert_true (fixture_exists (&f, "/c"));
    /* A child that comes in time keeps it. */
    assert_int_equal (fixture_create (&f, s, "/c/b", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (tree_lapse_ms (f.tree), INT64_MAX);
    assert_int_equal (fixture_delete (&f, s, "/c/b", -1), 0);
    assert_int_equal (lapse (&f, tree_lapse_ms (f.tree)), 1);
    assert_int_equal (f.outcome.effects, 1);
    assert_false (fixture_exists (&f, "/c"));
    assert_int_equal (tree_lapse_ms (f.tree), INT64_MAX);
    fixture_deinit (&f);
}

/* What was proposed is looked at again: it may have changed since. */
static void test_overtaken (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, s, "/c", "", COHORT_CONTAINER), 0);
    assert_int_equal (fixture_create (&f, s, "/c/a", "", 0), 0);
    assert_int_equal (fixture_delete (&f, s, "/c/a", -1), 0);
    assert_int_equal (create_ttl (&f, s, "/t", 100, 0), 0);
    struct buf items = {0}, proposed = {0};
    struct entry entry = {.kind = ENTRY_LAPSE};
    entry.u.lapse.count = tree_lapses (f.tree, f.stamp_ms + 5000, &items);
    assert_int_equal (entry.u.lapse.count, 2);
    entry_encode (&proposed, &entry);
    buf_append (&proposed, items.data, items.size);
    /* The one gets a child, the other is another by now. */
    assert_int_equal (fixture_create (&f, s, "/c/b", "", 0), 0);
    assert_int_equal (fixture_delete (&f, s, "/t", -1), 0);
    assert_int_equal (create_ttl (&f, s, "/t", 1, 0), 0);
    f.stamp_ms += 5000;
    buf_clear (&f.entry);
    buf_append (&f.entry, proposed.data, proposed.size);
    fixture_apply (&f);
    assert_int_equal (f.outcome.effects, 0);
    assert_true (fixture_exists (&f, "/c"));
    assert_true (fixture_exists (&f, "/t"));
    buf_deinit (&items);
    buf_deinit (&proposed);
    fixture_deinit (&f);
}

static void test_time_to_live (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (create_ttl (&f, s, "/t", 1000, 0), 0);
    assert_int_equal (create_ttl (&f, s, "/s", 500, COHORT_SEQUENTIAL), 0);
    fixture_expect_path (&f, 0, "/s0000000000");
    assert_int_equal (fixture_stat (&f, "/t").ttl_ms, 1000);
    int64_t begin_ms = fixture_stat (&f, "/t").mtime_ms;
    assert_int_equal (lapse (&f, begin_ms + 999), 1);
    assert_false (fixture_exists (&f, "/s0000000000"));
    assert_true (fixture_exists (&f, "/t"));
    /* Setting it gives it its time anew. */
    assert_int_equal (fixture_set (&f, s, "/t", "x", -1), 0);
    int64_t set_ms = fixture_stat (&f, "/t").mtime_ms;
    assert_int_equal (tree_lapse_ms (f.tree), set_ms + 1000);
    /* With a child it stays, and goes at once when the child does. */
    assert_int_equal (fixture_create (&f, s, "/t/a", "", 0), 0);
    assert_int_equal (tree_lapse_ms (f.tree), INT64_MAX);
    f.stamp_ms = set_ms + 5000;
    assert_int_equal (fixture_delete (&f, s, "/t/a", -1), 0);
    assert_int_equal (tree_lapse_ms (f.tree), set_ms + 1000);
    assert_int_equal (lapse (&f, f.stamp_ms), 1);
    assert_false (fixture_exists (&f, "/t"));
    /* The longest there is never ends. */
    assert_int_equal (create_ttl (&f, s, "/long", INT64_MAX, 0), 0);
    assert_int_equal (tree_lapse_ms (f.tree), INT64_MAX);
    assert_int_equal (lapse (&f, f.stamp_ms + 100000), 0);
    assert_int_equal (create_ttl (&f, s, "/longer", (uint64_t) INT64_MAX + 1, 0), COHORT_EINVAL);
    fixture_deinit (&f);
}

/* The time is that of the entry's stamp, which all servers have, not of who proposes. */
static void test_stamp_decides (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (create_ttl (&f, s, "/t", 1000, 0), 0);
    int64_t end_ms = fixture_stat (&f, "/t").mtime_ms + 1000;
    for (int early = 1; early >= 0; early--) {
        struct buf items = {0};
        struct entry entry = {.kind = ENTRY_LAPSE};
        entry.u.lapse.count = tree_lapses (f.tree, end_ms + 10000, &items);
        assert_int_equal (entry.u.lapse.count, 1);
        buf_clear (&f.entry);
        entry_encode (&f.entry, &entry);
        buf_append (&f.entry, items.data, items.size);
        buf_deinit (&items);
        struct tree_outcome outcome;
        assert_true (
            tree_apply (f.tree, ++f.zxid, end_ms - early, f.entry.data, f.entry.size, &outcome));
        assert_int_equal (fixture_exists (&f, "/t"), early);
    }
    fixture_deinit (&f);
}

static void test_undone (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, s, "/c", "", COHORT_CONTAINER), 0);
    assert_int_equal (fixture_create (&f, s, "/c/a", "", 0), 0);
    assert_int_equal (create_ttl (&f, s, "/t", 1000, 0), 0);
    int64_t due_ms = tree_lapse_ms (f.tree);
    struct op ttl = op_create ("/u", "", 0);
    ttl.ttl_ms = 1;
    struct op ops[] = {op_delete ("/c/a", -1), op_set ("/t", "later", -1), ttl,
                       op_delete ("/nothing", -1)};
    assert_int_equal (fixture_multi (&f, s, ops, 4), COHORT_ENONODE);
    assert_int_equal (tree_lapse_ms (f.tree), due_ms);
    assert_int_equal (lapse (&f, due_ms - 1), 0);
    assert_int_equal (lapse (&f, due_ms + 10000), 1);
    assert_true (fixture_exists (&f, "/c/a"));
    fixture_deinit (&f);
}

/* What a multi that fails has made of an empty container, or of its children, gives it no further
 * grace. */
static void test_undone_in_grace (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, s, "/c", "", COHORT_CONTAINER), 0);
    assert_int_equal (fixture_create (&f, s, "/c/a", "", 0), 0);
    assert_int_equal (fixture_delete (&f, s, "/c/a", -1), 0);
    int64_t due_ms = tree_lapse_ms (f.tree);
    struct op multis[][4] = {
        {op_delete ("/c", -1), op_delete ("/nothing", -1)},
        {op_create ("/c/b", "", 0), op_delete ("/nothing", -1)},
        {op_create ("/c/b", "", 0), op_delete ("/c/b", -1), op_delete ("/nothing", -1)},
        {op_create ("/c/b", "", 0), op_delete ("/c/b", -1), op_delete ("/c", -1),
         op_delete ("/nothing", -1)},
    };
    static const uint32_t counts[] = {2, 2, 3, 4};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        f.stamp_ms += 100;
        assert_int_equal (fixture_multi (&f, s, multis[i], counts[i]), COHORT_ENONODE);
        assert_int_equal (tree_lapse_ms (f.tree), due_ms);
    }
    assert_int_equal (lapse (&f, due_ms), 1);
    assert_false (fixture_exists (&f, "/c"));
    fixture_deinit (&f);
}

static void test_many (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    f.check = false;
    uint64_t s = fixture_session (&f, 1);
    char path[32];
    for (int i = 0; i < 2 * ENTRY_LAPSE_MAX; i++) {
        snprintf (path, sizeof (path), "/t%d", i);
        assert_int_equal (create_ttl (&f, s, path, 1 + (uint64_t) i, 0), 0);
    }
    /* No entry names more than ENTRY_LAPSE_MAX; none is forgotten. */
    uint32_t total = 0;
    for (uint32_t count = 1; count > 0; total += count) {
        count = lapse (&f, f.stamp_ms + 100000);
        assert_true (count <= ENTRY_LAPSE_MAX);
        assert_int_equal (f.outcome.effects, count);
    }
    assert_int_equal (total, 2 * ENTRY_LAPSE_MAX);
    assert_int_equal (tree_node_count (f.tree), FIXTURE_FOUNDED);
    tree_check (f.tree);
    fixture_deinit (&f);
}

static void test_loaded (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t s = fixture_session (&f, 1);
    assert_int_equal (create_ttl (&f, s, "/t", 5000, 0), 0);
    assert_int_equal (fixture_create (&f, s, "/c", "", COHORT_CONTAINER), 0);
    assert_int_equal (fixture_create (&f, s, "/c/a", "", 0), 0);
    assert_int_equal (fixture_delete (&f, s, "/c/a", -1), 0);
    assert_int_equal (fixture_create (&f, s, "/never", "", COHORT_CONTAINER), 0);
    struct buf image = {0};
    fixture_save (f.tree, &image);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    tree_check (loaded);
    assert_int_equal (tree_digest (loaded), tree_digest (f.tree));
    tree_destroy (&f.tree);
    f.tree = loaded;
    assert_int_equal (fixture_stat (&f, "/t").ttl_ms, 5000);
    assert_int_equal (lapse (&f, f.stamp_ms + 100000), 2);
    assert_false (fixture_exists (&f, "/t"));
    assert_false (fixture_exists (&f, "/c"));
    assert_true (fixture_exists (&f, "/never"));
    buf_deinit (&image);
    fixture_deinit (&f);
}

static void test_life (void **state)
{
    (void) state;
    static const struct {
        uint8_t mode;
        uint64_t ttl_ms;
        bool valid;
    } lives[] = {
        {0, 0, true},
        {COHORT_SEQUENTIAL, 5, true},
        {COHORT_CONTAINER, 0, true},
        {COHORT_CONTAINER | COHORT_SEQUENTIAL, 0, true},
        {COHORT_CONTAINER, 1, false},
        {COHORT_EPHEMERAL, 1, false},
        {COHORT_EPHEMERAL | COHORT_CONTAINER, 0, false},
        {8, 0, false},
        {0, UINT64_MAX, false},
    };
    for (size_t i = 0; i < sizeof (lives) / sizeof (lives[0]); i++) {
        assert_int_equal (tree_life_valid (lives[i].mode, lives[i].ttl_ms), lives[i].valid);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_container),    cmocka_unit_test (test_overtaken),
        cmocka_unit_test (test_time_to_live), cmocka_unit_test (test_stamp_decides),
        cmocka_unit_test (test_undone),       cmocka_unit_test (test_undone_in_grace),
        cmocka_unit_test (test_many),         cmocka_unit_test (test_loaded),
        cmocka_unit_test (test_life),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
