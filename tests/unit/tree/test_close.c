/* The end of sessions: conditions, batches, order. */

#include <stdio.h>

#include "tests/unit/tree/fixture.h"

static void test_conditions (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    fixture_attach (&f, id, 1, 5, 2, 1);
    fixture_attach (&f, id, 2, 3, 2, 9);
    assert_int_equal (fixture_create (&f, id, "/e", "", COHORT_EPHEMERAL), 0);
    static const struct {
        uint64_t attach_no;
        uint32_t incarnation;
        enum entry_close_reason reason;
        bool closes;
    } cases[] = {
        {5, 1, ENTRY_EXPIRED, false},      {5, 2, ENTRY_DISCONNECTED, false},
        {3, 1, ENTRY_DISCONNECTED, false}, {4, 0, ENTRY_EXPIRED, false},
        {3, 0, ENTRY_EXPIRED, true},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        fixture_close (&f, id, cases[i].attach_no, cases[i].incarnation, cases[i].reason);
        assert_int_equal (f.outcome.code, 0);
        assert_int_equal (f.outcome.session, id);
        assert_int_equal (f.outcome.session_closed, cases[i].closes);
        assert_int_equal (f.outcome.session_gone, cases[i].closes);
        assert_int_equal (f.outcome.effects, cases[i].closes);
        assert_int_equal (fixture_exists (&f, "/e"), !cases[i].closes);
    }
    /* Once more, and for one that never was. */
    fixture_close (&f, id, 3, 2, ENTRY_EXPIRED);
    assert_false (f.outcome.session_closed);
    fixture_close (&f, 99, 1, 1, ENTRY_KILLED);
    assert_false (f.outcome.session_closed);
    assert_int_equal (tree_session_count (f.tree), 0);
    id = fixture_session (&f, 2);
    fixture_close (&f, id, 77, 77, ENTRY_KILLED);
    assert_true (f.outcome.session_closed);
    fixture_deinit (&f);
}

static void test_own_close (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    uint64_t other = fixture_session (&f, 2);
    assert_int_equal (fixture_create (&f, id, "/e", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, other, "/o", "", COHORT_EPHEMERAL), 0);
    assert_int_equal (fixture_create (&f, id, "/p", "", 0), 0);
    struct op op = {.kind = OP_CLOSE_SESSION};
    assert_int_equal (fixture_op (&f, id, &op), 0);
    assert_true (f.outcome.executed);
    assert_true (f.outcome.session_closed);
    assert_true (f.outcome.session_gone);
    assert_int_equal (f.outcome.effects, 1);
    assert_false (fixture_exists (&f, "/e"));
    assert_true (fixture_exists (&f, "/o"));
    assert_true (fixture_exists (&f, "/p"));
    /* Sent again it hears that the session has ended. */
    struct entry_write write = {.session = id, .incarnation = 1, .number = 3, .count = 1};
    fixture_write (&f, &write, &op);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    assert_false (f.outcome.executed);
    fixture_deinit (&f);
}

struct seen {
    size_t count;
    char first[32], last[32];
};

static bool note (void *arg, const struct effect *effect)
{
    struct seen *seen = arg;
    assert_int_equal (effect->kind, EFFECT_DELETED);
    if (seen->count > 0) {
        assert_true (strcmp (seen->last, effect->path) < 0);
    } else {
        snprintf (seen->first, sizeof (seen->first), "%s", effect->path);
    }
    snprintf (seen->last, sizeof (seen->last), "%s", effect->path);
    seen->count++;
    return true;
}

static struct seen effects_of (struct fixture *f)
{
    struct seen seen = {0};
    assert_int_equal (tree_effects (f->tree, f->zxid - 1, f->zxid, note, &seen), 0);
    assert_int_equal (seen.count, f->outcome.effects);
    return seen;
}

/* 1,250 ephemerals, of one multi in descending order of their names: the order of the path must be
 * made. */
static void test_batches (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    static char paths[1250][32];
    static struct op ops[1250];
    for (int i = 0; i < 1250; i++) {
        snprintf (paths[i], sizeof (paths[i]), "/%05d", 1249 - i);
        ops[i] = op_create (paths[i], "", COHORT_EPHEMERAL);
    }
    /* These 300 come later. */
    assert_int_equal (fixture_multi (&f, id, ops + 300, 950), 0);
    assert_int_equal (fixture_multi (&f, id, ops, 300), 0);
    struct tree_session session;
    assert_false (tree_session_dead (f.tree, &session));
    fixture_close (&f, id, 1, 1, ENTRY_EXPIRED);
    assert_true (f.outcome.session_closed);
    assert_false (f.outcome.session_gone);
    assert_int_equal (f.outcome.effects, ENTRY_REAP_MAX);
    struct seen seen = effects_of (&f);
    assert_string_equal (seen.first, "/00000");
    assert_string_equal (seen.last, "/00499");
    assert_true (tree_session_dead (f.tree, &session));
    assert_int_equal (session.id, id);
    assert_true (session.dead);
    assert_int_equal (session.ephemerals, 750);
    size_t size;
    assert_null (tree_session_result (f.tree, id, session.last_number, &size));

    /* Dead: nothing works but REAP. */
    struct op op = op_check ("/", -1);
    struct entry_write write = {
        .session = id, .incarnation = 1, .number = session.last_number + 1, .count = 1};
    fixture_write (&f, &write, &op);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    fixture_attach (&f, id, 1, 9, 1, 1);
    assert_int_equal (f.outcome.code, COHORT_ESESSIONEXPIRED);
    fixture_close (&f, id, 1, 1, ENTRY_KILLED);
    assert_false (f.outcome.session_closed);

    /* What is left, after a snapshot in between too. */
    struct buf image = {0};
    fixture_save (f.tree, &image);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    assert_true (tree_session_dead (loaded, &session));
    tree_destroy (&f.tree);
    f.tree = loaded;
    fixture_reap (&f, id);
    assert_false (f.outcome.session_gone);
    seen = effects_of (&f);
    assert_int_equal (seen.count, 500);
    assert_string_equal (seen.first, "/00500");
    assert_string_equal (seen.last, "/00999");
    fixture_reap (&f, id);
    assert_true (f.outcome.session_gone);
    assert_int_equal (f.outcome.effects, 250);
    seen = effects_of (&f);
    assert_string_equal (seen.first, "/01000");
    assert_false (tree_session_dead (f.tree, &session));
    assert_false (tree_session (f.tree, id, &session));
    assert_int_equal (tree_node_count (f.tree), FIXTURE_FOUNDED);
    fixture_reap (&f, id);
    assert_int_equal (f.outcome.effects, 0);
    buf_deinit (&image);
    fixture_deinit (&f);
}

static void test_reap_of_living (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, id, "/e", "", COHORT_EPHEMERAL), 0);
    fixture_reap (&f, id);
    assert_false (f.outcome.session_gone);
    assert_true (fixture_exists (&f, "/e"));
    fixture_deinit (&f);
}

/* 500 exactly leave nothing to reap; 501 do. */
static void test_edge (void **state)
{
    (void) state;
    for (int count = 500; count <= 501; count++) {
        struct fixture f;
        fixture_init (&f, NULL);
        f.check = false;
        uint64_t id = fixture_session (&f, 1);
        for (int i = 0; i < count; i++) {
            assert_int_equal (
                fixture_create (&f, id, "/e", "", COHORT_EPHEMERAL | COHORT_SEQUENTIAL), 0);
        }
        fixture_close (&f, id, 1, 1, ENTRY_EXPIRED);
        assert_int_equal (f.outcome.effects, 500);
        assert_int_equal (f.outcome.session_gone, count == 500);
        fixture_deinit (&f);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_conditions), cmocka_unit_test (test_own_close),
        cmocka_unit_test (test_batches),    cmocka_unit_test (test_reap_of_living),
        cmocka_unit_test (test_edge),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
