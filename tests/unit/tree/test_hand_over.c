/* All ephemerals of a session become another's, in one operation. */

#include <stdio.h>

#include "tests/unit/tree/fixture.h"

static uint64_t owner_of (const struct fixture *f, const char *path)
{
    return fixture_stat (f, path).ephemeral_owner;
}

static uint64_t owned_by (const struct fixture *f, uint64_t id)
{
    struct tree_session session;
    assert_true (tree_session (f->tree, id, &session));
    return session.ephemerals;
}

static int hand_over (struct fixture *f, uint64_t from, uint64_t to)
{
    struct op op = op_giving (f, from, to);
    return fixture_op (f, from, &op);
}

static int check_owner (struct fixture *f, uint64_t by, const char *path, uint64_t session,
                        uint64_t ozxid)
{
    struct op op = {.kind = OP_CHECK_OWNER, .path = path, .session = session, .ozxid = ozxid};
    op.path_size = (uint32_t) strlen (path);
    return fixture_op (f, by, &op);
}

static void create (struct fixture *f, uint64_t session, const char *path)
{
    assert_int_equal (fixture_create (f, session, path, "", COHORT_EPHEMERAL), 0);
}

/* The paths of a session's ephemerals, joined by ' '. */
static bool note_path (void *arg, const char *path, size_t size)
{
    struct buf *out = arg;
    if (out->size > 0) {
        buf_u8 (out, ' ');
    }
    buf_append (out, path, size);
    return true;
}

static void expect_ephemerals (const struct fixture *f, uint64_t session, const char *expected)
{
    struct buf out = {0}, next = {0};
    struct tree_ephemerals all = {0};
    assert_int_equal (tree_ephemerals (f->tree, session, &all, note_path, &out, &next), 0);
    buf_u8 (&out, 0);
    assert_string_equal ((char *) out.data, expected);
    buf_deinit (&out);
    buf_deinit (&next);
}

static bool take_effect (void *arg, const struct effect *effect)
{
    struct effect *newest = arg;
    *newest = *effect;
    return true;
}

static void test_whole (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t a = fixture_session (&f, 1), b = fixture_session (&f, 2);
    create (&f, a, "/x");
    create (&f, b, "/mine");
    create (&f, a, "/y");
    uint64_t czxid = fixture_stat (&f, "/x").czxid, digest = tree_digest (f.tree);
    assert_int_equal (check_owner (&f, a, "/x", a, czxid), 0);
    assert_int_equal (hand_over (&f, a, b), 0);
    assert_int_not_equal (tree_digest (f.tree), digest);
    assert_int_equal (fixture_result (&f, 0).value, 2);
    /* One change, whatever their number. */
    assert_int_equal (f.outcome.effects, 1);
    struct effect effect;
    assert_int_equal (tree_effects (f.tree, f.zxid - 1, f.zxid, take_effect, &effect), 0);
    assert_int_equal (effect.kind, EFFECT_OWNER);
    assert_int_equal (effect.from, a);
    assert_int_equal (effect.stat.ephemeral_owner, b);
    assert_int_equal (effect.stat.ozxid, f.zxid);
    uint64_t ozxid = f.zxid;
    assert_int_equal (owner_of (&f, "/x"), b);
    assert_int_equal (fixture_stat (&f, "/x").ozxid, ozxid);
    assert_int_equal (fixture_stat (&f, "/x").czxid, czxid);
    assert_true (fixture_stat (&f, "/mine").ozxid < ozxid);
    expect_ephemerals (&f, a, "");
    expect_ephemerals (&f, b, "/x /y /mine");
    /* Who owned it is fenced; who owns it is not. */
    assert_int_equal (check_owner (&f, a, "/x", a, czxid), COHORT_EBADOWNER);
    assert_int_equal (check_owner (&f, b, "/x", b, czxid), COHORT_EBADOWNER);
    assert_int_equal (check_owner (&f, b, "/x", b, ozxid), 0);
    /* What the giver creates now is its own, and what the receiver creates is as new as it is. */
    create (&f, a, "/z");
    create (&f, b, "/w");
    assert_int_equal (fixture_stat (&f, "/w").ozxid, fixture_stat (&f, "/w").czxid);
    fixture_close (&f, a, 1, 1, ENTRY_EXPIRED);
    assert_false (fixture_exists (&f, "/z"));
    assert_true (fixture_exists (&f, "/x"));
    fixture_close (&f, b, 1, 1, ENTRY_EXPIRED);
    assert_int_equal (tree_node_count (f.tree), FIXTURE_FOUNDED);
    fixture_deinit (&f);
}

/* From hand to hand: a chain of restarts needs no more than one estate. */
static void test_chain (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t before = fixture_session (&f, 1);
    create (&f, before, "/x");
    for (uint64_t i = 2; i < 100; i++) {
        uint64_t next = fixture_session (&f, i);
        assert_int_equal (hand_over (&f, before, next), 0);
        fixture_close (&f, before, 1, 1, ENTRY_EXPIRED);
        char path[16];
        snprintf (path, sizeof path, "/%d", (int) i);
        create (&f, next, path);
        assert_int_equal (owner_of (&f, "/x"), next);
        assert_int_equal (owned_by (&f, next), i);
        assert_int_equal (map_count (&f.tree->estates), 1);
        before = next;
    }
    fixture_deinit (&f);
}

static void test_refused (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t a = fixture_session (&f, 1), b = fixture_session (&f, 2), c = fixture_session (&f, 3);
    /* Nothing to hand over is no error. */
    assert_int_equal (hand_over (&f, a, b), 0);
    assert_int_equal (fixture_result (&f, 0).value, 0);
    assert_int_equal (f.outcome.effects, 0);
    create (&f, a, "/x");
    struct op to_itself = op_giving (&f, a, a);
    assert_int_equal (fixture_op (&f, a, &to_itself), COHORT_EINVAL);
    /* The consent is b's, for a: not for c, not c's, and not reversed. */
    struct op op = op_giving (&f, a, b);
    create (&f, c, "/y");
    assert_int_equal (fixture_op (&f, c, &op), COHORT_ENOAUTH);
    op.session = c;
    assert_int_equal (fixture_op (&f, a, &op), COHORT_ENOAUTH);
    op = op_giving (&f, b, a);
    op.session = b;
    assert_int_equal (fixture_op (&f, a, &op), COHORT_ENOAUTH);
    uint8_t wrong[ENTRY_TOKEN_SIZE];
    for (size_t bit = 0; bit < 8 * sizeof wrong; bit++) {
        op = op_giving (&f, a, b);
        memcpy (wrong, op.token, sizeof wrong);
        wrong[bit / 8] ^= (uint8_t) (1u << bit % 8);
        op.token = wrong;
        assert_int_equal (fixture_op (&f, a, &op), COHORT_ENOAUTH);
        assert_int_equal (f.outcome.effects, 0);
    }
    /* Nor does one agree that is not there, or has ended. */
    op = op_giving (&f, a, b);
    op.session = 99;
    assert_int_equal (fixture_op (&f, a, &op), COHORT_ENOAUTH);
    op = op_giving (&f, a, b);
    fixture_close (&f, b, 1, 1, ENTRY_EXPIRED);
    assert_int_equal (fixture_op (&f, a, &op), COHORT_ENOAUTH);
    assert_int_equal (owner_of (&f, "/x"), a);
    fixture_deinit (&f);
}

/* Inside a multi, with a znode deleted and one created before, and one created behind it: all of it
 * comes back, in its places. */
static void test_undone (void **state)
{
    (void) state;
    for (int owns = 0; owns < 2; owns++) {
        struct fixture f;
        fixture_init (&f, NULL);
        uint64_t a = fixture_session (&f, 1), b = fixture_session (&f, 2),
                 c = fixture_session (&f, 3);
        create (&f, a, "/a1");
        create (&f, c, "/c1");
        create (&f, b, "/b1");
        assert_int_equal (hand_over (&f, c, a), 0);
        create (&f, a, "/a2");
        assert_int_equal (fixture_delete (&f, b, "/b1", -1), 0);
        if (owns == 1) {
            create (&f, b, "/b2");
        }
        char mine[100];
        snprintf (mine, sizeof mine, "%s", owns == 1 ? "/b2" : "");
        uint64_t last = f.tree->scalars.last_estate;
        struct op ops[] = {op_create ("/new", "", COHORT_EPHEMERAL),
                           op_delete ("/a1", -1),
                           op_giving (&f, a, b),
                           op_create ("/newer", "", COHORT_EPHEMERAL),
                           op_delete ("/c1", -1),
                           op_check ("/none", -1)};
        assert_int_equal (fixture_multi (&f, a, ops, 6), COHORT_ENONODE);
        assert_int_equal (f.outcome.effects, 0);
        tree_check (f.tree);
        expect_ephemerals (&f, a, "/a1 /c1 /a2");
        expect_ephemerals (&f, b, mine);
        assert_int_equal (f.tree->scalars.last_estate, last);
        assert_int_equal (fixture_multi (&f, a, ops, 5), 0);
        expect_ephemerals (&f, a, "/newer");
        assert_int_equal (owner_of (&f, "/a2"), b);
        assert_int_equal (owner_of (&f, "/new"), b);
        assert_int_equal (fixture_result (&f, 2).value, 3);
        fixture_deinit (&f);
    }
}

/* One more than a session may have. */
static void test_limit (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    f.check = false;
    uint64_t to = fixture_session (&f, 0);
    char path[32];
    for (uint64_t i = 1; i <= ENTRY_ESTATES_MAX + 1; i++) {
        uint64_t from = fixture_session (&f, i);
        snprintf (path, sizeof path, "/%d", (int) i);
        create (&f, from, path);
        assert_int_equal (hand_over (&f, from, to), i <= ENTRY_ESTATES_MAX ? 0 : COHORT_ELIMIT);
    }
    assert_int_equal (fixture_result (&f, 0).value, ENTRY_ESTATES_MAX + 1);
    assert_int_equal (owned_by (&f, to), ENTRY_ESTATES_MAX);
    tree_check (f.tree);
    /* There is room again when one of them has no ephemerals any more. */
    uint64_t last = fixture_stat (&f, path).ephemeral_owner;
    assert_int_equal (fixture_delete (&f, to, "/7", -1), 0);
    assert_int_equal (hand_over (&f, last, to), 0);
    tree_check (f.tree);
    fixture_deinit (&f);
}

/* A snapshot that is under way is of the owners as they were. */
static void test_snapshot (void **state)
{
    (void) state;
    for (int slices = 0; slices < 12; slices++) {
        struct fixture f;
        struct buf before = {0}, image = {0}, dump = {0};
        fixture_init (&f, NULL);
        uint64_t a = fixture_session (&f, 1), b = fixture_session (&f, 2);
        create (&f, a, "/1");
        create (&f, b, "/2");
        create (&f, a, "/3");
        fixture_dump (f.tree, &before);
        struct tree_snapshot *snapshot = tree_snapshot_begin (f.tree);
        for (int i = 0; i < slices && tree_snapshot_next (snapshot, &image, 1); i++) {
        }
        assert_int_equal (hand_over (&f, a, b), 0);
        create (&f, a, "/0");
        assert_int_equal (hand_over (&f, b, a), 0);
        fixture_close (&f, a, 1, 1, ENTRY_EXPIRED);
        while (tree_snapshot_next (snapshot, &image, 1)) {
        }
        assert_false (image.failed);
        tree_snapshot_end (&snapshot);
        struct tree *loaded = fixture_load (image.data, image.size);
        assert_non_null (loaded);
        tree_check (loaded);
        fixture_dump (loaded, &dump);
        assert_int_equal (dump.size, before.size);
        assert_memory_equal (dump.data, before.data, dump.size);
        tree_destroy (&loaded);
        buf_deinit (&before);
        buf_deinit (&image);
        buf_deinit (&dump);
        fixture_deinit (&f);
    }
}

static bool note_deleted (void *arg, const struct effect *effect)
{
    return note_path (arg, effect->path, effect->path_size);
}

/* Estate by estate, 500 at a time: what was handed over later does not come later. */
static void test_reap (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t a = fixture_session (&f, 1), b = fixture_session (&f, 2);
    static char paths[300][16];
    static struct op ops[300];
    for (int i = 0; i < 300; i++) {
        snprintf (paths[i], sizeof paths[i], "/a%03d", 299 - i);
        ops[i] = op_create (paths[i], "", COHORT_EPHEMERAL);
    }
    assert_int_equal (fixture_multi (&f, a, ops, 300), 0);
    for (int i = 0; i < 300; i++) {
        paths[i][1] = 'b';
    }
    assert_int_equal (fixture_multi (&f, b, ops, 300), 0);
    create (&f, a, "/last-of-a");
    assert_int_equal (hand_over (&f, a, b), 0);
    fixture_close (&f, b, 1, 1, ENTRY_EXPIRED);
    assert_int_equal (f.outcome.effects, ENTRY_REAP_MAX);
    assert_false (fixture_exists (&f, "/last-of-a"));
    assert_false (fixture_exists (&f, "/b198"));
    assert_true (fixture_exists (&f, "/b199"));
    fixture_reap (&f, b);
    assert_true (f.outcome.session_gone);
    struct buf gone = {0};
    assert_int_equal (tree_effects (f.tree, f.zxid - 1, f.zxid, note_deleted, &gone), 0);
    assert_memory_equal (gone.data, "/b199 /b200 ", 12);
    buf_deinit (&gone);
    assert_int_equal (map_count (&f.tree->estates), 0);
    fixture_deinit (&f);
}

/* A list that is being read when its session gives all of it away, or gets more. */
static void test_pages (void **state)
{
    (void) state;
    struct fixture f;
    struct buf out = {0}, next = {0}, place = {0};
    fixture_init (&f, NULL);
    uint64_t a = fixture_session (&f, 1), b = fixture_session (&f, 2);
    create (&f, a, "/1");
    create (&f, b, "/2");
    create (&f, b, "/3");
    struct tree_ephemerals one = {.limit = 1};
    assert_int_equal (tree_ephemerals (f.tree, b, &one, note_path, &out, &next), 0);
    assert_int_equal (hand_over (&f, a, b), 0);
    buf_append (&place, next.data, next.size);
    one.after = (const char *) place.data;
    one.after_size = place.size;
    assert_int_equal (tree_ephemerals (f.tree, b, &one, note_path, &out, &next), 0);
    assert_memory_equal (out.data, "/2 /3", 5);
    assert_int_equal (next.size, 0);
    /* The place is the giver's no more: nothing of the giver's is behind it. */
    buf_clear (&out);
    assert_int_equal (hand_over (&f, b, a), 0);
    assert_int_equal (tree_ephemerals (f.tree, b, &one, note_path, &out, &next), 0);
    assert_int_equal (out.size, 0);
    assert_int_equal (tree_ephemerals (f.tree, a, &one, note_path, &out, &next), 0);
    assert_memory_equal (out.data, "/3", 2);
    buf_deinit (&out);
    buf_deinit (&next);
    buf_deinit (&place);
    fixture_deinit (&f);
}

/* An owner that changes by itself is noticed by whoever looks at what it owns. */
static void test_damage (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    f.check = false;
    uint64_t a = fixture_session (&f, 1), b = fixture_session (&f, 2);
    create (&f, a, "/x");
    struct estate *estate = estate_find (&f.tree->estates, 1);
    assert_non_null (estate);
    estate->ozxid ^= 4;
    struct tree_node node;
    assert_int_equal (tree_get (f.tree, "/x", 2, &node), COHORT_ECORRUPT);
    assert_int_equal (tree_damage (f.tree)->kind, TREE_DAMAGED_ESTATE);
    assert_int_equal (tree_damage (f.tree)->session, a);
    assert_string_equal (tree_damage_name (TREE_DAMAGED_ESTATE), "what a session owns");
    f.tree->scratch->damage.kind = TREE_SOUND;
    assert_int_equal (hand_over (&f, a, b), COHORT_ECORRUPT);
    assert_non_null (tree_damage (f.tree));
    f.tree->scratch->damage.kind = TREE_SOUND;
    estate->ozxid ^= 4;
    assert_int_equal (hand_over (&f, a, b), 0);
    fixture_deinit (&f);
}

/* Records of estates that are whole, and do not fit. */
static void test_unsound (void **state)
{
    (void) state;
    for (int which = 0; which < 4; which++) {
        struct fixture f;
        struct buf image = {0}, bad = {0};
        fixture_init (&f, NULL);
        uint64_t a = fixture_session (&f, 1);
        create (&f, a, "/x");
        /* An estate of nobody, or of nothing. */
        struct estate estate = {.id = 1, .session = session_find (&f.tree->sessions, a)};
        f.tree->scalars.last_estate = 2;
        fixture_save (f.tree, &image);
        struct session stranger = {.id = 77};
        estate.id = which == 0 ? 1 : 2; /* the same twice */
        estate.session = which == 1 ? &stranger : estate.session;
        estate.ozxid = which == 2 ? f.zxid + 1 : 0;
        /* Before the end, which is of TREE_IMAGE_END bytes. */
        buf_append (&bad, image.data, image.size - TREE_IMAGE_END);
        image_put_estate (&bad, &estate);
        buf_append (&bad, image.data + image.size - TREE_IMAGE_END, TREE_IMAGE_END);
        if (which == 3) {
            /* Its sum is right: but it owns nothing. */
            uint8_t *sum = bad.data + bad.size - 8;
            bytes_put_u64 (sum, bytes_get_u64 (sum) + digest_estate (&estate));
        }
        assert_null (fixture_load (bad.data, bad.size));
        assert_non_null (image.data);
        struct tree *loaded = fixture_load (image.data, image.size);
        assert_non_null (loaded);
        tree_destroy (&loaded);
        buf_deinit (&image);
        buf_deinit (&bad);
        fixture_deinit (&f);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_whole),   cmocka_unit_test (test_chain),
        cmocka_unit_test (test_refused), cmocka_unit_test (test_undone),
        cmocka_unit_test (test_limit),   cmocka_unit_test (test_snapshot),
        cmocka_unit_test (test_reap),    cmocka_unit_test (test_pages),
        cmocka_unit_test (test_damage),  cmocka_unit_test (test_unsound),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
