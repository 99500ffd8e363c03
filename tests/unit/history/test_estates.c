/* The order in which a session's ephemerals end, which depends on whom they were made by, when, and
 * which went on to whom: the model's is the tree's. */

#include "tests/unit/history/pair.h"

enum { HEIR, GIVER, OTHER }; /* sessions */

static void own (struct pair *self, size_t session, const char *path)
{
    assert_int_equal (fixture_create (&self->tree, self->sessions[session], path, "", 1), 0);
    pair_follow (self);
}

static void multi (struct pair *self, size_t session, const struct op *ops, uint32_t count)
{
    assert_int_equal (fixture_multi (&self->tree, self->sessions[session], ops, count), 0);
    pair_follow (self);
}

static void give (struct pair *self, size_t from, size_t to)
{
    uint8_t token[ENTRY_TOKEN_SIZE];
    struct op op = pair_hand_over (self, from, to, to + 1001, token);
    assert_int_equal (fixture_op (&self->tree, self->sessions[from], &op), 0);
    pair_follow (self);
}

static void expect_end (struct pair *self, size_t session, const char *const *paths, size_t count)
{
    zxid_t before = self->tree.zxid;
    size_t next = self->model.changes_count;
    fixture_close (&self->tree, self->sessions[session], 1, 1, ENTRY_EXPIRED);
    pair_follow (self);
    pair_compare (self);
    assert_int_equal (self->model.changes_count, next + count);
    assert_int_equal (model_changes_after (&self->model, before), next);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal (self->model.changes[next + i].znode->path, paths[i]);
    }
}

/* What a write leaves without ephemerals is the session's estate to the write's end. */
static void test_an_estate_outlives_the_write (void **state)
{
    struct pair self;
    (void) state;
    pair_begin (&self, 3);
    own (&self, HEIR, "/a");
    own (&self, GIVER, "/b");
    multi (&self, HEIR, (struct op[]){op_delete ("/a", 0), op_create ("/c", "", 1)}, 2);
    give (&self, GIVER, HEIR);
    expect_end (&self, HEIR, (const char *const[]){"/c", "/b"}, 2);
    pair_end (&self);
}

/* The newest, though another one has ephemerals. */
static void test_the_newest_estate_outlives_the_write (void **state)
{
    struct pair self;
    (void) state;
    pair_begin (&self, 3);
    own (&self, HEIR, "/a");
    own (&self, OTHER, "/b");
    own (&self, GIVER, "/c");
    give (&self, GIVER, HEIR);
    multi (&self, HEIR, (struct op[]){op_delete ("/c", 0), op_create ("/d", "", 1)}, 2);
    give (&self, OTHER, HEIR);
    expect_end (&self, HEIR, (const char *const[]){"/a", "/b", "/d"}, 3);
    pair_end (&self);
}

/* But not of who has given it away before it was left without. */
static void test_an_estate_given_away_is_none (void **state)
{
    struct pair self;
    uint8_t token[ENTRY_TOKEN_SIZE];
    (void) state;
    pair_begin (&self, 3);
    own (&self, GIVER, "/a");
    own (&self, GIVER, "/b");
    own (&self, OTHER, "/c");
    multi (&self, GIVER,
           (struct op[]){op_delete ("/a", 0),
                         pair_hand_over (&self, GIVER, HEIR, HEIR + 1001, token),
                         op_delete ("/b", 0), op_create ("/d", "", 1)},
           4);
    give (&self, OTHER, GIVER);
    expect_end (&self, GIVER, (const char *const[]){"/c", "/d"}, 2);
    pair_end (&self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_an_estate_outlives_the_write),
        cmocka_unit_test (test_the_newest_estate_outlives_the_write),
        cmocka_unit_test (test_an_estate_given_away_is_none),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
