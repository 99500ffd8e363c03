/* Memory that changes by itself: whoever would show, write or decide by it notices. */

#include <stdio.h>

#include "tests/support/tree_rot.h"
#include "tests/unit/tree/fixture.h"

enum { ROUND_SLICES_MAX = 10000, SEEDS = 300 };

/* A few znodes of every kind: /p with children, an ephemeral, data inside and outside. */
static uint64_t build (struct fixture *f)
{
    fixture_init (f, NULL);
    f->check = false; /* it asserts what these tests break */
    uint64_t session = fixture_session (f, 1);
    assert_int_equal (fixture_create (f, session, "/p", "parent", 0), 0);
    assert_int_equal (fixture_create (f, session, "/p/a", "0123456789abcdef", 0), 0);
    assert_int_equal (fixture_create (f, session, "/p/b", "", 0), 0);
    assert_int_equal (fixture_create (f, session, "/p/e", "mine", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (f, session, "/p/n-", "", COHORT_SEQUENTIAL), 0);
    char *large = mem_alloc (ZNODE_INLINE_MAX + 100);
    memset (large, 'x', ZNODE_INLINE_MAX + 99);
    large[ZNODE_INLINE_MAX + 99] = 0;
    assert_int_equal (fixture_create (f, session, "/large", large, 0), 0);
    mem_free (large);
    assert_null (tree_damage (f->tree));
    return session;
}

static struct znode *at (const struct fixture *f, const char *path)
{
    struct znode *znode = znode_find (&f->tree->znodes, f->tree->root, path, strlen (path));
    assert_non_null (znode);
    return znode;
}

/* Scrubbing in small slices, to the end of the round that is under way and once round: whether all
 * is well. */
static bool scrub_round (struct tree *tree)
{
    int rounds = 0;
    for (int i = 0; i < ROUND_SLICES_MAX; i++) {
        rounds += tree_scrub (tree, 2, 1 << 20);
        if (tree_damage (tree) != NULL || rounds == 2) {
            return rounds == 2;
        }
    }
    fail_msg ("a round of scrubbing never ends");
    return false;
}

static void expect_damage (const struct fixture *f, enum tree_damage_kind kind, const char *path)
{
    const struct tree_damage *damage = tree_damage (f->tree);
    assert_non_null (damage);
    assert_int_equal (damage->kind, kind);
    assert_string_equal (damage->path, path);
    assert_int_equal (damage->zxid, f->zxid);
    assert_int_not_equal (damage->expected, damage->found);
    assert_true (strlen (tree_damage_name (kind)) > 0);
}

static int get (const struct fixture *f, const char *path)
{
    struct tree_node node;
    return tree_get (f->tree, path, strlen (path), &node);
}

static bool ignore_child (void *arg, const struct tree_child *child)
{
    (void) arg;
    (void) child;
    return true;
}

static bool ignore_node (void *arg, const struct tree_node *node)
{
    (void) arg;
    (void) node;
    return true;
}

static void forget_damage (struct tree *tree)
{
    tree->scratch->damage.kind = TREE_SOUND;
}

/* Every bit of the data and of the stat of a znode counts. */
static void test_every_bit (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    struct znode *znode = at (&f, "/p/a");
    uint8_t *data = (uint8_t *) (uintptr_t) znode_data (znode);
    for (size_t bit = 0; bit < 8 * (size_t) znode->data_size; bit++) {
        data[bit / 8] ^= (uint8_t) (1u << (bit % 8));
        assert_int_equal (get (&f, "/p/a"), COHORT_ECORRUPT);
        expect_damage (&f, TREE_DAMAGED_DATA, "/p/a");
        data[bit / 8] ^= (uint8_t) (1u << (bit % 8));
        forget_damage (f.tree);
        assert_int_equal (get (&f, "/p/a"), 0);
    }
    struct prng prng;
    prng_seed (&prng, 1);
    struct tree_rot rot;
    for (int i = 0; i < 2000; i++) {
        assert_true (tree_rot (f.tree, &prng, "/p", false, &rot));
        assert_int_equal (get (&f, "/p"), COHORT_ECORRUPT);
        expect_damage (&f, TREE_DAMAGED_STAT, "/p");
        forget_damage (f.tree);
        znode = at (&f, "/p");
        znode->stat_digest = digest_stat (znode); /* so much for this one; the next */
    }
    fixture_deinit (&f);
}

/* Each way to the znode notices. */
static void test_reads (void **state)
{
    (void) state;
    struct prng prng;
    struct tree_rot rot;
    prng_seed (&prng, 2);
    for (int data = 0; data < 2; data++) {
        struct fixture f;
        build (&f);
        enum tree_damage_kind kind = data ? TREE_DAMAGED_DATA : TREE_DAMAGED_STAT;
        assert_true (tree_rot (f.tree, &prng, "/p", data != 0, &rot));
        assert_int_equal (get (&f, "/p/a"), 0);
        assert_null (tree_damage (f.tree));
        assert_int_equal (tree_walk (f.tree, "/", 1, NULL, ignore_node, NULL), COHORT_ECORRUPT);
        expect_damage (&f, kind, "/p");
        forget_damage (f.tree);
        struct tree_list all = {0}, whole = {.with_data = true};
        struct tree_name next;
        assert_int_equal (tree_children (f.tree, "/p", 2, &all, ignore_child, NULL, &next),
                          data ? 0 : COHORT_ECORRUPT);
        forget_damage (f.tree);
        assert_int_equal (tree_children (f.tree, "/", 1, &all, ignore_child, NULL, &next),
                          data ? 0 : COHORT_ECORRUPT);
        forget_damage (f.tree);
        assert_int_equal (tree_children (f.tree, "/", 1, &whole, ignore_child, NULL, &next),
                          COHORT_ECORRUPT);
        expect_damage (&f, kind, "/p");
        forget_damage (f.tree);
        assert_false (scrub_round (f.tree));
        expect_damage (&f, kind, "/p");
        /* It keeps the first, and does nothing more. */
        assert_false (tree_scrub (f.tree, 100, 1 << 20));
        assert_int_equal (get (&f, "/large"), 0);
        expect_damage (&f, kind, "/p");
        fixture_deinit (&f);
    }
}

/* Who is not shown the data need not wait until it is hashed. */
static void test_what_is_shown (void **state)
{
    (void) state;
    struct prng prng;
    struct tree_rot rot;
    prng_seed (&prng, 4);
    for (int data = 0; data < 2; data++) {
        struct fixture f;
        build (&f);
        assert_true (tree_rot (f.tree, &prng, "/p", data != 0, &rot));
        int of_stat = data ? 0 : COHORT_ECORRUPT;
        struct tree_key key = tree_key_of (f.tree, "/p", 2);
        struct tree_node node;
        assert_int_equal (tree_get_key_as (f.tree, 1, TREE_WHOLE, false, &key, &node), of_stat);
        assert_true (data == 0 || node.data == NULL);
        assert_int_equal (tree_permit (f.tree, 1, TREE_WHOLE, "/p", 2), of_stat);
        assert_true (data == 0 || tree_damage (f.tree) == NULL);
        forget_damage (f.tree);
        assert_int_equal (tree_get_key_as (f.tree, 1, TREE_WHOLE, true, &key, &node),
                          COHORT_ECORRUPT);
        fixture_deinit (&f);
    }
}

/* No operation goes by a stat that has changed by itself. */
static void test_writes (void **state)
{
    (void) state;
    struct op checks[] = {op_check ("/p/a", 0), op_set ("/p/a", "new", 0), op_delete ("/p/a", 0),
                          op_create ("/p/a/x", "", 0), op_delete ("/p/b", 0)};
    const char *places[] = {"/p/a", "/p/a", "/p/a", "/p/a", "/p"};
    struct prng prng;
    struct tree_rot rot;
    prng_seed (&prng, 3);
    for (size_t i = 0; i < sizeof (checks) / sizeof (checks[0]); i++) {
        struct fixture f;
        uint64_t session = build (&f);
        assert_true (tree_rot (f.tree, &prng, places[i], false, &rot));
        assert_int_equal (fixture_op (&f, session, &checks[i]), COHORT_ECORRUPT);
        expect_damage (&f, TREE_DAMAGED_STAT, places[i]);
        fixture_deinit (&f);
    }
    for (int parent = 0; parent < 2; parent++) {
        struct fixture f;
        uint64_t session = build (&f);
        assert_true (tree_rot (f.tree, &prng, parent ? "/p" : "/p/e", false, &rot));
        fixture_close (&f, session, 1, 1, ENTRY_EXPIRED);
        expect_damage (&f, TREE_DAMAGED_STAT, parent ? "/p" : "/p/e");
        fixture_deinit (&f);
    }
}

/* What goes by itself is known by its stat, to who proposes that and to who does it. */
static void test_lapses (void **state)
{
    (void) state;
    for (int proposed = 0; proposed < 2; proposed++) {
        struct fixture f;
        struct buf items = {0};
        struct entry entry = {.kind = ENTRY_LAPSE};
        uint64_t session = build (&f);
        assert_int_equal (fixture_create (&f, session, "/c", "", COHORT_CONTAINER), 0);
        assert_int_equal (fixture_create (&f, session, "/c/a", "", 0), 0);
        assert_int_equal (fixture_delete (&f, session, "/c/a", -1), 0);
        int64_t due_ms = tree_lapse_ms (f.tree);
        if (proposed) {
            entry.u.lapse.count = tree_lapses (f.tree, due_ms, &items);
            assert_int_equal (entry.u.lapse.count, 1);
        }
        at (&f, "/c")->czxid ^= 1;
        if (proposed) {
            buf_clear (&f.entry);
            entry_encode (&f.entry, &entry);
            buf_append (&f.entry, items.data, items.size);
            f.stamp_ms = due_ms;
            fixture_apply (&f);
        } else {
            assert_int_equal (tree_lapses (f.tree, due_ms, &items), 0);
        }
        expect_damage (&f, TREE_DAMAGED_STAT, "/c");
        buf_deinit (&items);
        fixture_deinit (&f);
    }
}

/* A list that is set is told with the data, which some may read from then on. */
static void test_list (void **state)
{
    (void) state;
    struct prng prng;
    struct tree_rot rot;
    prng_seed (&prng, 5);
    struct fixture f;
    uint64_t session = build (&f);
    assert_true (tree_rot (f.tree, &prng, "/p/a", true, &rot));
    struct op op = op_set_acl_of ("/p/a", "anna:hash", COHORT_PERM_READ);
    assert_int_equal (fixture_multi (&f, session, &op, 1), COHORT_ECORRUPT);
    expect_damage (&f, TREE_DAMAGED_DATA, "/p/a");
    fixture_deinit (&f);
}

/* A multi that is undone leaves the damage to be seen. */
static void test_undone (void **state)
{
    (void) state;
    struct prng prng;
    struct tree_rot rot;
    prng_seed (&prng, 3);
    struct fixture f;
    uint64_t session = build (&f);
    assert_true (tree_rot (f.tree, &prng, "/p/a", true, &rot));
    struct op ops[] = {op_set ("/p/a", "new", 0), op_create ("/p/c", "", 0), op_delete ("/p/b", 0),
                       op_check ("/p", 99)};
    assert_int_equal (fixture_multi (&f, session, ops, 4), COHORT_EBADVERSION);
    assert_null (tree_damage (f.tree));
    assert_false (scrub_round (f.tree));
    expect_damage (&f, TREE_DAMAGED_DATA, "/p/a");
    fixture_deinit (&f);
}

/* What is replaced before anybody looked at it is no damage any more. */
static void test_overwritten (void **state)
{
    (void) state;
    struct fixture f, twin;
    uint64_t session = build (&f);
    assert_int_equal (build (&twin), session);
    struct prng prng;
    struct tree_rot rot;
    prng_seed (&prng, 4);
    assert_true (tree_rot (f.tree, &prng, "/p/a", true, &rot));
    assert_int_equal (fixture_set (&f, session, "/p/a", "new", 0), 0);
    assert_int_equal (fixture_set (&twin, session, "/p/a", "new", 0), 0);
    assert_int_equal (tree_digest (f.tree), tree_digest (twin.tree));
    assert_true (scrub_round (f.tree));
    tree_check (f.tree);
    fixture_deinit (&f);
    fixture_deinit (&twin);
}

/* No snapshot holds it, whether the slices find the znode or apply hands it over. */
static void test_snapshot (void **state)
{
    (void) state;
    for (int hand_over = 0; hand_over < 2; hand_over++) {
        struct fixture f;
        uint64_t session = build (&f);
        struct prng prng;
        struct tree_rot rot;
        prng_seed (&prng, 5);
        assert_true (tree_rot (f.tree, &prng, "/p/a", true, &rot));
        struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
        if (hand_over) {
            assert_int_equal (fixture_set (&f, session, "/p/a", "new", 0), 0);
            expect_damage (&f, TREE_DAMAGED_DATA, "/p/a");
        }
        struct buf image = {0};
        while (tree_snapshot_next (snapshot, &image, 100)) {
        }
        assert_true (image.failed);
        expect_damage (&f, TREE_DAMAGED_DATA, "/p/a");
        tree_snapshot_end (&snapshot);
        buf_deinit (&image);
        fixture_deinit (&f);
    }
}

/* What was written for a snapshot that has failed since is not all that it would have needed: that
 * stops nothing that apply does until the server gives up. */
static void test_after_failed_snapshot (void **state)
{
    (void) state;
    struct fixture f;
    uint64_t session = build (&f);
    struct prng prng;
    struct tree_rot rot;
    prng_seed (&prng, 6);
    assert_true (tree_rot (f.tree, &prng, "/p/a", true, &rot));
    struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
    assert_int_equal (fixture_set (&f, session, "/p/a", "new", 0), 0);
    expect_damage (&f, TREE_DAMAGED_DATA, "/p/a");
    assert_int_equal (fixture_delete (&f, session, "/p/e", -1), 0);
    fixture_close (&f, session, 1, 1, ENTRY_EXPIRED);
    assert_true (f.outcome.session_gone);
    tree_snapshot_end (&snapshot);
    fixture_deinit (&f);
}

/* Scrubbing looks at sessions, results and names as well. */
static void test_the_rest (void **state)
{
    (void) state;
    struct fixture f;
    uint64_t id = build (&f);
    assert_true (scrub_round (f.tree));
    assert_true (scrub_round (f.tree));
    struct session *session = session_find (&f.tree->sessions, id);

    session->last_number ^= 4;
    assert_false (scrub_round (f.tree));
    expect_damage (&f, TREE_DAMAGED_SESSION, "");
    assert_int_equal (tree_damage (f.tree)->session, id);
    session->last_number ^= 4;
    forget_damage (f.tree);

    size_t size;
    assert_non_null (tree_session_result (f.tree, id, session->last_number, &size));
    struct stored *stored = session_stored (session, session->last_number);
    stored->bytes[3] ^= 1;
    assert_null (tree_session_result (f.tree, id, session->last_number, &size));
    expect_damage (&f, TREE_DAMAGED_RESULT, "");
    forget_damage (f.tree);
    assert_false (scrub_round (f.tree));
    expect_damage (&f, TREE_DAMAGED_RESULT, "");
    assert_int_equal (tree_damage (f.tree)->session, id);
    stored->bytes[3] ^= 1;
    forget_damage (f.tree);

    struct znode *znode = at (&f, "/p/b");
    znode->bytes[0] ^= 1;
    assert_int_equal (get (&f, "/p/b"), COHORT_ENONODE);
    assert_false (scrub_round (f.tree));
    expect_damage (&f, TREE_DAMAGED_NAME, "/p/c");
    znode->bytes[0] ^= 1;
    forget_damage (f.tree);
    assert_true (scrub_round (f.tree));
    fixture_deinit (&f);
}

/* One slice does about what it was asked to, and damage is found within a round although znodes
 * come and go meanwhile. */
static void test_scrub_under_change (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fixture f;
        uint64_t session = build (&f);
        struct prng prng;
        struct tree_rot rot;
        char path[32];
        uint64_t next = 0;
        prng_seed (&prng, seed);
        for (; next < 20; next++) {
            (void) snprintf (path, sizeof (path), "/q%u", (unsigned) next);
            assert_int_equal (fixture_create (&f, session, path, "some data", 0), 0);
        }
        /* Somewhere inside a round. */
        for (uint64_t i = prng_below (&prng, 10); i > 0; i--) {
            (void) tree_scrub (f.tree, 3, 1 << 20);
        }
        assert_true (tree_rot (f.tree, &prng, "/large", prng_chance (&prng, 1, 2), &rot));
        int rounds = 0;
        while (tree_damage (f.tree) == NULL) {
            rounds += tree_scrub (f.tree, 3, 1 << 20);
            assert_true (rounds < 2);
            (void) snprintf (path, sizeof (path), "/q%u", (unsigned) next++);
            assert_int_equal (fixture_create (&f, session, path, "", 0), 0);
            (void) snprintf (path, sizeof (path), "/q%u", (unsigned) prng_below (&prng, next));
            (void) fixture_delete (&f, session, path, -1);
        }
        assert_string_equal (tree_damage (f.tree)->path, "/large");
        fixture_deinit (&f);
    }
}

static void test_scrub_is_bounded (void **state)
{
    (void) state;
    struct fixture f;
    build (&f);
    /* One object at a time: 2 steps at most, so a round takes at least half as many slices as there
     * are objects; and one large znode ends a slice that is bounded in bytes. */
    int slices = 1;
    while (!tree_scrub (f.tree, 1, 1 << 20)) {
        slices++;
    }
    uint64_t objects = tree_node_count (f.tree) + tree_session_count (f.tree);
    assert_true ((uint64_t) slices >= objects / 2);
    slices = 1;
    while (!tree_scrub (f.tree, 1000, 1)) {
        slices++;
    }
    assert_true (slices > 2);
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_every_bit),
        cmocka_unit_test (test_reads),
        cmocka_unit_test (test_what_is_shown),
        cmocka_unit_test (test_writes),
        cmocka_unit_test (test_lapses),
        cmocka_unit_test (test_list),
        cmocka_unit_test (test_undone),
        cmocka_unit_test (test_overwritten),
        cmocka_unit_test (test_snapshot),
        cmocka_unit_test (test_the_rest),
        cmocka_unit_test (test_scrub_under_change),
        cmocka_unit_test (test_scrub_is_bounded),
        cmocka_unit_test (test_after_failed_snapshot),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
