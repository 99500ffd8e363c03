/* Walks in many steps while the tree changes: whatever is there all the time is seen, and what the
 * walk has taken, put together with the changes that concern it, is the state at its end. */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/tree/watch.h"
#include "tests/unit/tree/fixture.h"
#include "tests/unit/tree/model.h"

enum { SEEDS = 400, OPS_MAX = 5 };

/* Without what is padding behind it. */
#define STAT_SIZE (offsetof (cohort_stat_t, child_count) + sizeof (uint32_t))

/* ---- What a receiver makes of it --------------------------------------------------------------*/

struct walker {
    const char *root;
    struct buf place;
    bool ended;
    struct model_nodes copy;
    struct model_nodes *lasting; /* there since the walk began: version counts how often seen */
    size_t room;                 /* of this step */
    size_t steps;
};

static void put (struct model_nodes *nodes, const char *path, const uint8_t *data, size_t size,
                 const cohort_stat_t *stat)
{
    struct model_node *node = model_node (nodes, path);
    if (node == NULL) {
        node = model_insert (nodes, path);
    }
    assert_in_range (size, 0, MODEL_DATA_MAX);
    memcpy (node->data, data, size);
    node->stat = *stat;
}

static bool take (void *arg, const struct tree_node *node)
{
    struct walker *walker = arg;
    if (walker->room == 0) {
        return false;
    }
    walker->room--;
    put (&walker->copy, node->path, node->data, node->data_size, &node->stat);
    struct model_node *lasting = model_node (walker->lasting, node->path);
    if (lasting != NULL) {
        lasting->sequence++;
    }
    return true;
}

static void step (const struct tree *tree, struct walker *walker, size_t room)
{
    walker->room = room;
    walker->steps++;
    int rc = tree_walk (tree, walker->root, strlen (walker->root), &walker->place, take, walker);
    walker->ended = rc == COHORT_ENONODE || walker->room > 0;
    assert_true (rc == 0 || rc == COHORT_ENONODE);
}

static void count_child (struct walker *walker, const struct effect *effect)
{
    char parent[MODEL_PATH_MAX];
    model_parent (effect->path, parent);
    struct model_node *node = model_node (&walker->copy, parent);
    if (node != NULL) {
        node->stat.cversion++;
        node->stat.pzxid = effect->zxid;
        node->stat.child_count += effect->kind == EFFECT_CREATED ? 1u : -1u;
    }
}

static bool follow (void *arg, const struct effect *effect)
{
    struct walker *walker = arg;
    size_t root_size = strlen (walker->root);
    if (!stream_covers (walker->root, root_size, effect->path, effect->path_size)) {
        return true;
    }
    struct model_node *lasting = model_node (walker->lasting, effect->path);
    if (lasting != NULL && effect->kind == EFFECT_DELETED) {
        model_remove (walker->lasting, lasting);
    }
    if (!stream_has_passed (&walker->place, root_size, effect)) {
        return true;
    }
    struct model_node *node = model_node (&walker->copy, effect->path);
    if (effect->kind == EFFECT_DELETED && node != NULL) {
        model_remove (&walker->copy, node);
    } else if (effect->kind != EFFECT_DELETED) {
        put (&walker->copy, effect->path, effect->data, effect->data_size, &effect->stat);
    }
    if (effect->kind != EFFECT_DATA && effect->path_size > root_size) {
        count_child (walker, effect);
    }
    return true;
}

static bool note_lasting (void *arg, const struct tree_node *node)
{
    put (arg, node->path, node->data, node->data_size, &node->stat);
    return true;
}

static bool compare (void *arg, const struct tree_node *node)
{
    struct walker *walker = arg;
    struct model_node *copy = model_node (&walker->copy, node->path);
    if (copy == NULL) {
        fail_msg ("%s is missing", node->path);
        return false;
    }
    assert_memory_equal (copy->data, node->data, node->data_size);
    assert_memory_equal (&copy->stat, &node->stat, STAT_SIZE);
    model_remove (&walker->copy, copy);
    return true;
}

/* ---- Random -----------------------------------------------------------------------------------
 */

static const char *random_path (struct prng *prng, const char *prefix)
{
    static const char *const names[] = {"a", "b", "c", "a-", "ab", "a0000000001", "\xc3\xa9"};
    static char paths[OPS_MAX + 1][MODEL_PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % (OPS_MAX + 1)];
    size_t used = (size_t) snprintf (path, MODEL_PATH_MAX, "%s", prefix);
    for (uint64_t depth = prng_between (prng, 1, 4); depth > 0; depth--) {
        used += (size_t) snprintf (path + used, MODEL_PATH_MAX - used, "/%s",
                                   names[prng_below (prng, 7)]);
    }
    return path;
}

static struct op random_op (struct prng *prng)
{
    const char *path = random_path (prng, "");
    switch (prng_below (prng, 8)) {
    case 0:
    case 1:
        return op_delete (path, -1);
    case 2:
        return op_set (path, prng_chance (prng, 1, 2) ? "x" : "yy", -1);
    case 3:
        return op_create (path, "e", COHORT_EPHEMERAL);
    default:
        return op_create (path, "p", prng_chance (prng, 1, 8) ? COHORT_SEQUENTIAL : 0);
    }
}

/* One entry: a few creations as a rule, now and then a multi that fails (and so is undone), or the
 * end of a session. */
static void random_entry (struct fixture *f, struct prng *prng, uint64_t *session)
{
    struct op ops[OPS_MAX];
    uint32_t count = (uint32_t) prng_between (prng, 1, OPS_MAX);
    if (prng_chance (prng, 1, 30)) {
        fixture_close (f, *session, 1, 1, ENTRY_EXPIRED);
        *session = fixture_session (f, f->zxid);
        return;
    }
    if (tree_node_count (f->tree) > MODEL_NODES_MAX / 2) {
        ops[0] = op_delete (random_path (prng, ""), -1);
        count = 1;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            ops[i] = random_op (prng);
        }
    }
    if (count == 1) {
        fixture_op (f, *session, &ops[0]);
    } else {
        fixture_multi (f, *session, ops, count);
    }
}

static void effects_of_entry (struct fixture *f, zxid_t before, struct walker *walker)
{
    assert_int_equal (tree_effects (f->tree, before, f->zxid, follow, walker), 0);
}

static void run (uint64_t seed)
{
    static struct model_nodes lasting;
    static struct walker walker;
    struct fixture f;
    struct prng prng;
    prng_seed (&prng, seed);
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    for (int i = 0; i < 400; i++) {
        random_entry (&f, &prng, &session);
    }
    memset (&walker, 0, sizeof walker);
    lasting.count = 0;
    walker.lasting = &lasting;
    walker.root = prng_chance (&prng, 1, 2) ? "/" : prng_chance (&prng, 2, 3) ? "/a" : "/a/b";
    int rc = tree_walk (f.tree, walker.root, strlen (walker.root), NULL, note_lasting, &lasting);
    assert_true (rc == 0 || rc == COHORT_ENONODE);
    uint64_t step_max = prng_between (&prng, 1, 8), changes = prng_below (&prng, 6);
    while (!walker.ended) {
        step (f.tree, &walker, prng_between (&prng, 1, step_max));
        for (uint64_t n = walker.ended ? 0 : prng_between (&prng, 0, changes); n > 0; n--) {
            zxid_t before = f.zxid;
            random_entry (&f, &prng, &session);
            effects_of_entry (&f, before, &walker);
        }
    }
    for (size_t i = 0; i < lasting.count; i++) {
        if (lasting.items[i].sequence != 1) {
            fail_msg ("seed %llu: %s was seen %llu times", (unsigned long long) seed,
                      lasting.items[i].path, (unsigned long long) lasting.items[i].sequence);
        }
    }
    rc = tree_walk (f.tree, walker.root, strlen (walker.root), NULL, compare, &walker);
    assert_true (rc == 0 || rc == COHORT_ENONODE);
    assert_int_equal (walker.copy.count, 0);
    buf_deinit (&walker.place);
    fixture_deinit (&f);
}

static void test_random (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run (seed);
    }
}

/* ---- Edges ------------------------------------------------------------------------------------
 */

struct taken {
    struct buf paths;
    size_t room;
};

static bool note (void *arg, const struct tree_node *node)
{
    struct taken *taken = arg;
    if (taken->room == 0) {
        return false;
    }
    taken->room--;
    buf_append (&taken->paths, node->path, strlen (node->path));
    buf_u8 (&taken->paths, ' ');
    return true;
}

/* One step of so many nodes must take these. */
static void expect_step (struct fixture *f, const char *root, struct buf *place, size_t room,
                         const char *wanted)
{
    struct taken taken = {.room = room};
    int rc = tree_walk (f->tree, root, strlen (root), place, note, &taken);
    buf_u8 (&taken.paths, 0);
    assert_string_equal ((const char *) taken.paths.data, wanted);
    assert_int_equal (rc, fixture_exists (f, root) ? 0 : COHORT_ENONODE);
    buf_deinit (&taken.paths);
}

static void make (struct fixture *f, uint64_t session, const char *const *paths)
{
    for (size_t i = 0; paths[i] != NULL; i++) {
        assert_int_equal (fixture_create (f, session, paths[i], "", 0), 0);
    }
}

static void test_place_goes (void **state)
{
    (void) state;
    struct fixture f;
    struct buf place = {0};
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    make (&f, session,
          (const char *[]){"/t", "/t/a", "/t/a/x", "/t/a/y", "/t/b", "/t/b/x", "/t/c", "/u", NULL});
    expect_step (&f, "/t", &place, 3, "/t /t/a /t/a/x ");
    /* The node it stands on; what comes before the place is no business of the walk. */
    fixture_delete (&f, session, "/t/a/x", -1);
    make (&f, session, (const char *[]){"/t/a/w", "/t/Z", NULL});
    expect_step (&f, "/t", &place, 1, "/t/a/y ");
    /* Its parent too. */
    fixture_delete (&f, session, "/t/a/y", -1);
    fixture_delete (&f, session, "/t/a/w", -1);
    fixture_delete (&f, session, "/t/a", -1);
    expect_step (&f, "/t", &place, 1, "/t/b ");
    /* The very node again: it was taken. */
    fixture_delete (&f, session, "/t/b/x", -1);
    fixture_delete (&f, session, "/t/b", -1);
    make (&f, session, (const char *[]){"/t/b", "/t/b/k", NULL});
    expect_step (&f, "/t", &place, 1, "/t/b/k ");
    /* Nothing is left; everything is new. */
    fixture_delete (&f, session, "/t/b/k", -1);
    fixture_delete (&f, session, "/t/b", -1);
    fixture_delete (&f, session, "/t/c", -1);
    fixture_delete (&f, session, "/t/Z", -1);
    expect_step (&f, "/t", &place, 9, "");
    fixture_delete (&f, session, "/t", -1);
    expect_step (&f, "/t", &place, 9, "");
    make (&f, session, (const char *[]){"/t", "/t/a", "/t/b", "/t/b/a", "/t/b/l", NULL});
    expect_step (&f, "/t", &place, 9, "/t/b/l ");
    buf_deinit (&place);
    fixture_deinit (&f);
}

static void test_root (void **state)
{
    (void) state;
    struct fixture f;
    struct buf place = {0};
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    expect_step (&f, "/", &place, 0, "");
    expect_step (&f, "/", &place, 1, "/ ");
    make (&f, session, (const char *[]){"/a", "/a/b", "/b", NULL});
    expect_step (&f, "/", &place, 2, "/a /a/b ");
    expect_step (&f, "/", &place, 2, "/b /zookeeper ");
    expect_step (&f, "/", &place, 9, "/zookeeper/config /zookeeper/quota ");
    expect_step (&f, "/", &place, 2, "");
    buf_clear (&place);
    expect_step (&f, "/b", &place, 2, "/b ");
    expect_step (&f, "/b", &place, 2, "");
    buf_deinit (&place);
    fixture_deinit (&f);
}

/* The way back from the bottom of the deepest path is one step like any other. */
static void test_deep (void **state)
{
    (void) state;
    enum { DEPTH = 2000 };
    struct fixture f;
    struct buf place = {0};
    static char path[2 * DEPTH + 1];
    fixture_init (&f, NULL);
    f.check = false; /* takes the sum of all depths, each time */
    uint64_t session = fixture_session (&f, 1);
    for (size_t i = 0; i < DEPTH; i++) {
        path[2 * i] = '/';
        path[2 * i + 1] = 'd';
        path[2 * i + 2] = '\0';
        assert_int_equal (fixture_create (&f, session, path, "", 0), 0);
    }
    assert_int_equal (fixture_create (&f, session, "/e", "", 0), 0);
    struct taken taken = {.room = DEPTH + 1};
    assert_int_equal (tree_walk (f.tree, "/", 1, &place, note, &taken), 0);
    assert_int_equal (place.size, 2 * DEPTH);
    buf_deinit (&taken.paths);
    for (size_t i = DEPTH; i > DEPTH / 2; i--) {
        path[2 * i] = '\0';
        assert_int_equal (fixture_delete (&f, session, path, -1), 0);
    }
    expect_step (&f, "/", &place, 5, "/e /zookeeper /zookeeper/config /zookeeper/quota ");
    buf_deinit (&place);
    fixture_deinit (&f);
}

static void test_memory (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t session = fixture_session (&f, 1);
    char path[260];
    memset (path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    make (&f, session, (const char *[]){"/a", path, NULL});
    for (uint64_t n = 1;; n++) {
        struct buf place = {0};
        struct taken taken = {.room = 0};
        buf_extend (&taken.paths, 1000);
        buf_clear (&taken.paths);
        taken.room = 9;
        mem_fail_at (n);
        int rc = tree_walk (f.tree, "/", 1, &place, note, &taken);
        bool failed = mem_fail_clear ();
        buf_deinit (&taken.paths);
        buf_deinit (&place);
        assert_int_equal (rc, failed ? COHORT_ENOMEM : 0);
        if (!failed) {
            assert_true (n > 2);
            break;
        }
    }
    fixture_deinit (&f);
}

static void test_order (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 5);
    for (int i = 0; i < 20000; i++) {
        const char *a = prng_chance (&prng, 1, 20) ? "/" : random_path (&prng, "");
        const char *b = prng_chance (&prng, 1, 20) ? "/" : random_path (&prng, "");
        int got = tree_path_order (a, strlen (a), b, strlen (b));
        int wanted = model_compare (a, b);
        assert_int_equal ((got > 0) - (got < 0), (wanted > 0) - (wanted < 0));
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_random), cmocka_unit_test (test_place_goes),
        cmocka_unit_test (test_root),   cmocka_unit_test (test_deep),
        cmocka_unit_test (test_memory), cmocka_unit_test (test_order),
    };
    return cmocka_run_group_tests_name ("walk", tests, NULL, NULL);
}
