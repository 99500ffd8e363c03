/* Access control lists: who may do what, what is said to those who may not, and that the lists are
 * part of the state. */

#include <stdio.h>

#include "server/tree/acl.h"
#include "tests/unit/tree/fixture.h"

#define ANNA "anna:hash"
#define ROOT "root:hash"

enum {
    R = COHORT_PERM_READ,
    W = COHORT_PERM_WRITE,
    C = COHORT_PERM_CREATE,
    D = COHORT_PERM_DELETE,
    A = COHORT_PERM_ADMIN,
    ALL = COHORT_PERM_ALL
};

struct world {
    struct fixture f;
    uint64_t anna, root, other;
};

/* Sessions of anna, of an administrator, and of somebody who has proven nothing. */
static void begin (struct world *world)
{
    struct fixture *f = &world->f;
    struct entry entry;
    struct op admins = op_with_acl ((struct op){0}, ROOT, ALL);
    *f = (struct fixture){.zxid = zxid_make (1, 0), .stamp_ms = 1000, .check = true};
    f->tree = tree_new (NULL);
    assert_non_null (f->tree);
    fixture_cluster (&entry, &fixture_limits);
    entry.u.cluster.admins = admins.acl;
    entry.u.cluster.admins_size = admins.acl_size;
    fixture_entry (f, &entry);
    world->anna = fixture_session (f, 1);
    world->root = fixture_session (f, 2);
    world->other = fixture_session (f, 3);
    assert_int_equal (fixture_prove (f, world->anna, ANNA), 0);
    assert_int_equal (fixture_prove (f, world->root, ROOT), 0);
}

static void end (struct world *world)
{
    fixture_deinit (&world->f);
}

static void must (struct world *world, struct op op)
{
    assert_int_equal (fixture_op (&world->f, world->root, &op), 0);
}

static struct op plain (enum op_kind kind, const char *path)
{
    return (struct op){.kind = kind,
                       .path = path,
                       .path_size = (uint32_t) strlen (path),
                       .version = COHORT_ANY_VERSION};
}

/* ---- Administrators ---------------------------------------------------------------------- */

/* The ensemble itself names them, once. */
static void test_admins_of_none (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t root = fixture_session (&f, 1);
    assert_int_equal (fixture_prove (&f, root, ROOT), 0);
    assert_false (tree_session_is_admin (f.tree, root));
    struct op list = op_with_acl ((struct op){.kind = OP_SET_ADMINS}, ROOT, ALL);
    assert_int_equal (fixture_op (&f, root, &list), COHORT_ENOAUTH);
    struct entry entry = {.kind = ENTRY_ADMINS, .u.admins = {list.acl, list.acl_size}};
    fixture_entry (&f, &entry);
    assert_int_equal (f.outcome.code, 0);
    assert_true (tree_session_is_admin (f.tree, root));
    struct op others = op_with_acl ((struct op){0}, ANNA, ALL);
    entry.u.admins = (struct entry_admins){others.acl, others.acl_size};
    fixture_entry (&f, &entry);
    assert_int_equal (f.outcome.code, COHORT_ESTATE);
    assert_true (tree_session_is_admin (f.tree, root));
    fixture_deinit (&f);
}

/* The way back when all of them are lost: the leader's configuration names others. */
static void test_admins_replaced (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t root = fixture_session (&f, 1), anna = fixture_session (&f, 2);
    assert_int_equal (fixture_prove (&f, root, ROOT), 0);
    assert_int_equal (fixture_prove (&f, anna, ANNA), 0);
    struct op list = op_with_acl ((struct op){0}, ROOT, ALL);
    struct entry entry = {.kind = ENTRY_ADMINS, .u.admins = {list.acl, list.acl_size}};
    fixture_entry (&f, &entry);
    assert_true (tree_session_is_admin (f.tree, root));
    struct op others = op_with_acl ((struct op){0}, ANNA, ALL);
    entry = (struct entry){.kind = ENTRY_REPLACE_ADMINS, .u.admins = {others.acl, others.acl_size}};
    fixture_entry (&f, &entry);
    assert_int_equal (f.outcome.code, 0);
    assert_true (f.outcome.admins_changed);
    assert_false (tree_session_is_admin (f.tree, root));
    assert_true (tree_session_is_admin (f.tree, anna));
    fixture_deinit (&f);
}

/* ---- Operations -------------------------------------------------------------------------- */

/* /p with a znode /p/n, and below that /p/n/c: each operation with what it needs. */
static const struct {
    enum op_kind kind;
    const char *path;
    int parent, node; /* permissions on /p, /p/n */
    int code;         /* with them */
} operations[] = {
    {OP_CREATE, "/p/new", C, 0, 0},
    {OP_CREATE, "/p/n", C, 0, COHORT_ENODEEXISTS},
    {OP_DELETE, "/p/n", D, 0, COHORT_ENOTEMPTY},
    {OP_DELETE, "/p/n/c", 0, D, 0},
    {OP_DELETE_IF_PRESENT, "/p/n", D, 0, COHORT_ENOTEMPTY},
    {OP_DELETE_IF_PRESENT, "/p/n/c", 0, D, 0},
    {OP_DELETE_TREE, "/p/n", D, D, 0},
    {OP_SET, "/p/n", 0, W, 0},
    {OP_ADD, "/p/n", 0, R | W, 0},
    {OP_SET_ACL, "/p/n", 0, A, 0},
    {OP_CHECK_VERSION, "/p/n", 0, R, 0},
    {OP_CHECK_CZXID, "/p/n", 0, R, COHORT_EBADCZXID},
    {OP_CHECK_OWNER, "/p/n", 0, R, COHORT_EBADOWNER},
};

/* The code of the operation for anna with these permissions, alone and in a multi. */
static int attempt (size_t i, int parent, int node)
{
    int codes[2];
    for (int multi = 0; multi < 2; multi++) {
        struct world world;
        begin (&world);
        must (&world, op_create ("/p", "", 0));
        must (&world, op_create ("/p/n", "5", 0));
        must (&world, op_create ("/p/n/c", "", 0));
        must (&world, op_set_acl_of ("/p/n", ANNA, node));
        must (&world, op_set_acl_of ("/p", ANNA, parent));
        struct op op = plain (operations[i].kind, operations[i].path);
        op.ceiling = 9;
        if (op.kind == OP_SET_ACL) {
            op = op_set_acl_of (operations[i].path, ANNA, ALL);
        }
        codes[multi] = multi ? fixture_multi (&world.f, world.anna, &op, 1)
                             : fixture_op (&world.f, world.anna, &op);
        if (codes[multi] == COHORT_ENOAUTH) {
            assert_int_equal (world.f.outcome.effects, 0);
        }
        end (&world);
    }
    assert_int_equal (codes[0], codes[1]);
    return codes[0];
}

static void test_operations (void **state)
{
    (void) state;
    static const int perms[] = {R, W, C, D, A};
    for (size_t i = 0; i < sizeof (operations) / sizeof (operations[0]); i++) {
        int parent = operations[i].parent, node = operations[i].node;
        assert_int_equal (attempt (i, parent, node), operations[i].code);
        assert_int_equal (attempt (i, ALL, ALL), operations[i].code);
        for (size_t k = 0; k < sizeof (perms) / sizeof (perms[0]); k++) {
            int rc = attempt (i, ALL & ~perms[k], ALL);
            assert_int_equal (rc, (parent & perms[k]) != 0 ? COHORT_ENOAUTH : operations[i].code);
            rc = attempt (i, ALL, ALL & ~perms[k]);
            assert_int_equal (rc, (node & perms[k]) != 0 ? COHORT_ENOAUTH : operations[i].code);
        }
    }
}

static void test_administrator_passes (void **state)
{
    (void) state;
    struct world world;
    begin (&world);
    must (&world, op_with_acl (op_create ("/p", "1", 0), "nobody:at-all", ALL));
    must (&world, op_create ("/p/n", "", 0));
    must (&world, op_set ("/p", "2", -1));
    must (&world, op_set_acl_of ("/p", ANNA, R));
    must (&world, op_delete ("/p/n", -1));
    must (&world, plain (OP_DELETE_TREE, "/p"));
    end (&world);
}

/* Below an unreadable znode every path answers the same, whatever is there. */
static void test_nothing_is_said (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    must (&world, op_create ("/s", "", 0));
    must (&world, op_create ("/s/there", "", 0));
    must (&world, op_create ("/s/there/deep", "", 0));
    must (&world, op_set_acl_of ("/s/there/deep", ROOT, ALL));
    must (&world, op_set_acl_of ("/s/there", ROOT, ALL));
    must (&world, op_set_acl_of ("/s", ROOT, ALL));
    static const char *const paths[] = {"/s/there", "/s/none", "/s/there/deep", "/s/there/none",
                                        "/s/none/none"};
    static const enum op_kind kinds[] = {
        OP_CREATE,  OP_DELETE,        OP_DELETE_TREE, OP_SET,         OP_ADD,
        OP_SET_ACL, OP_CHECK_VERSION, OP_CHECK_CZXID, OP_CHECK_OWNER, OP_CHECK_ABSENT};
    struct tree_node node;
    struct tree_acl acl;
    for (size_t i = 0; i < sizeof (paths) / sizeof (paths[0]); i++) {
        size_t size = strlen (paths[i]);
        for (size_t k = 0; k < sizeof (kinds) / sizeof (kinds[0]); k++) {
            struct op op = plain (kinds[k], paths[i]);
            op.version = 7;
            assert_int_equal (fixture_op (f, world.anna, &op), COHORT_ENOAUTH);
            struct result_op result = fixture_result (f, 0);
            assert_false (result.has_stat || result.has_value || result.has_path);
        }
        for (int sight = TREE_BARE; sight <= TREE_WHOLE; sight++) {
            assert_int_equal (
                tree_get_as (f->tree, world.anna, (enum tree_sight) sight, paths[i], size, &node),
                COHORT_ENOAUTH);
        }
        assert_int_equal (tree_get_acl (f->tree, world.anna, paths[i], size, false, &acl),
                          COHORT_ENOAUTH);
    }
    /* /s itself is seen through the root, and what is not there too. */
    assert_int_equal (tree_get_as (f->tree, world.anna, TREE_BARE, "/s", 2, &node), 0);
    assert_int_equal (tree_get_as (f->tree, world.anna, TREE_WHOLE, "/s", 2, &node),
                      COHORT_ENOAUTH);
    assert_int_equal (tree_get_as (f->tree, world.anna, TREE_BARE, "/none", 5, &node),
                      COHORT_ENONODE);
    struct op op = plain (OP_SET, "/none");
    assert_int_equal (fixture_op (f, world.anna, &op), COHORT_ENONODE);
    end (&world);
}

/* Who may delete children hears which there are not. */
static void test_absent_for_the_entitled (void **state)
{
    (void) state;
    struct world world;
    begin (&world);
    must (&world, op_with_acl (op_create ("/p", "", 0), ANNA, D | C));
    struct op op = op_delete ("/p/none", -1);
    assert_int_equal (fixture_op (&world.f, world.anna, &op), COHORT_ENONODE);
    op = plain (OP_SET, "/p/none");
    assert_int_equal (fixture_op (&world.f, world.anna, &op), COHORT_ENOAUTH);
    /* What is created if it is absent shows no stat of what may not be seen. */
    op = op_with_acl (op_create ("/p/n", "", 0), ROOT, ALL);
    must (&world, op);
    op = op_create ("/p/n", "", 0);
    op.if_absent = true;
    assert_int_equal (fixture_op (&world.f, world.anna, &op), 0);
    assert_true (fixture_result (&world.f, 0).existed);
    assert_false (fixture_result (&world.f, 0).has_stat);
    end (&world);
}

/* All of it or nothing, and how many there are is only for readers. */
static void test_delete_tree (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    static const char *const paths[] = {"/t",     "/t/a",     "/t/a/x", "/t/b",
                                        "/t/b/y", "/t/b/y/z", "/t/c"};
    for (size_t i = 0; i < sizeof (paths) / sizeof (paths[0]); i++) {
        must (&world, op_create (paths[i], "", 0));
    }
    must (&world, op_set_acl_of ("/t/b/y", ROOT, ALL));
    struct op op = plain (OP_DELETE_TREE, "/t");
    assert_int_equal (fixture_op (f, world.anna, &op), COHORT_ENOAUTH);
    assert_int_equal (f->outcome.effects, 0);
    assert_true (fixture_exists (f, "/t/c"));
    /* A leaf's own list does not keep it. */
    must (&world, op_set_acl_of ("/t/b/y", ANNA, D));
    must (&world, op_set_acl_of ("/t/c", ROOT, ALL));
    must (&world, op_set_acl_of ("/t", ANNA, D));
    op.limit = 6;
    assert_int_equal (fixture_op (f, world.anna, &op), COHORT_ETOOBIG);
    assert_false (fixture_result (f, 0).has_value);
    must (&world, op_set_acl_of ("/t", ANNA, D | R));
    assert_int_equal (fixture_op (f, world.anna, &op), COHORT_ETOOBIG);
    assert_int_equal (fixture_result (f, 0).value, 7);
    op.limit = 7;
    assert_int_equal (fixture_op (f, world.anna, &op), 0);
    assert_false (fixture_exists (f, "/t"));
    assert_int_equal (map_count (&f->tree->acls), 0);
    end (&world);
}

/* ---- Lists of the state ------------------------------------------------------------------ */

static void test_set (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    must (&world, op_create ("/a", "x", 0));
    must (&world, op_create ("/b", "x", 0));
    struct op op = op_set_acl_of ("/a", ANNA, R);
    op.version = 1;
    assert_int_equal (fixture_op (f, world.root, &op), COHORT_EBADVERSION);
    op.version = 0;
    must (&world, op);
    assert_int_equal (fixture_result (f, 0).stat.aversion, 1);
    assert_int_equal (f->outcome.effects, 1);
    cohort_stat_t stat = fixture_stat (f, "/a");
    assert_int_equal (stat.aversion, 1);
    assert_int_equal (stat.version, 0);
    assert_true (stat.mzxid == stat.czxid);
    /* Equal lists are one. */
    must (&world, op_set_acl_of ("/b", ANNA, R));
    assert_int_equal (map_count (&f->tree->acls), 1);
    /* Open again; how often it was set stays. */
    static const uint8_t open[] = {COHORT_PERM_ALL, IDENTITY_WORLD, 0};
    op = plain (OP_SET_ACL, "/a");
    op.acl = open;
    op.acl_size = sizeof (open);
    must (&world, op);
    assert_int_equal (fixture_stat (f, "/a").aversion, 2);
    struct tree_node node;
    assert_int_equal (tree_get_as (f->tree, world.other, TREE_WHOLE, "/a", 2, &node), 0);
    assert_int_equal (tree_get_as (f->tree, world.other, TREE_WHOLE, "/b", 2, &node),
                      COHORT_ENOAUTH);
    assert_int_equal (tree_get_as (f->tree, world.anna, TREE_WHOLE, "/b", 2, &node), 0);
    /* Wrong lists. */
    op.acl_size = 0;
    assert_int_equal (fixture_op (f, world.root, &op), COHORT_EINVALIDACL);
    static const uint8_t auth[] = {COHORT_PERM_ALL, IDENTITY_AUTH, 0};
    op.acl = auth;
    op.acl_size = sizeof (auth);
    assert_int_equal (fixture_op (f, world.other, &op), COHORT_EINVALIDACL);
    assert_int_equal (fixture_op (f, world.anna, &op), 0);
    struct tree_acl acl;
    assert_int_equal (tree_get_acl (f->tree, world.anna, "/a", 2, false, &acl), 0);
    struct op expected = op_with_acl ((struct op){0}, ANNA, ALL);
    assert_int_equal (acl.size, expected.acl_size);
    assert_memory_equal (acl.bytes, expected.acl, acl.size);
    assert_int_equal (acl.stat.aversion, 3);
    assert_false (acl.masked);
    end (&world);
}

static void test_get (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    struct tree_acl acl;
    must (&world, op_create ("/a", "", 0));
    assert_int_equal (tree_get_acl (f->tree, world.other, "/a", 2, false, &acl), 0);
    assert_true (acl_open (acl.bytes, acl.size));
    assert_int_equal (tree_get_acl (f->tree, world.other, "/a", 2, true, &acl), 0);
    assert_int_equal (acl.size, 0);
    must (&world, op_set_acl_of ("/a", ANNA, W));
    assert_int_equal (tree_get_acl (f->tree, world.anna, "/a", 2, false, &acl), COHORT_ENOAUTH);
    must (&world, op_set_acl_of ("/a", ANNA, R));
    assert_int_equal (tree_get_acl (f->tree, world.anna, "/a", 2, false, &acl), 0);
    assert_true (acl.masked);
    must (&world, op_set_acl_of ("/a", ANNA, A));
    assert_int_equal (tree_get_acl (f->tree, world.anna, "/a", 2, false, &acl), 0);
    assert_false (acl.masked);
    assert_int_equal (tree_get_acl (f->tree, world.anna, "/none", 5, false, &acl), COHORT_ENONODE);
    end (&world);
}

static void test_inherited (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    struct tree_acl acl;
    struct tree_node node;
    must (&world, op_create ("/a", "", 0));
    must (&world, op_create ("/a/old", "", 0));
    struct op op = op_set_acl_of ("/a", ANNA, R | C | W | A);
    op.inherited = true;
    must (&world, op);
    assert_int_equal (fixture_stat (f, "/a").aversion, 0);
    must (&world, op_create ("/a/b", "", 0));
    must (&world, op_create ("/a/b/c", "", 0));
    assert_int_equal (tree_get_as (f->tree, world.other, TREE_WHOLE, "/a/b/c", 6, &node),
                      COHORT_ENOAUTH);
    assert_int_equal (tree_get_as (f->tree, world.anna, TREE_WHOLE, "/a/b/c", 6, &node), 0);
    assert_int_equal (tree_get_as (f->tree, world.other, TREE_WHOLE, "/a/old", 6, &node), 0);
    /* A list that is given is the one. */
    must (&world, op_with_acl (op_create ("/a/own", "", 0), "other:hash", R));
    assert_int_equal (tree_get_as (f->tree, world.anna, TREE_WHOLE, "/a/own", 6, &node),
                      COHORT_ENOAUTH);
    /* The nearest default counts, and it may be the open list. */
    static const uint8_t open[] = {COHORT_PERM_ALL, IDENTITY_WORLD, 0};
    op = plain (OP_SET_ACL, "/a/b");
    op.acl = open;
    op.acl_size = sizeof (open);
    op.inherited = true;
    assert_int_equal (fixture_op (f, world.anna, &op), 0);
    assert_int_equal (tree_get_acl (f->tree, world.anna, "/a/b", 4, true, &acl), 0);
    assert_true (acl_open (acl.bytes, acl.size));
    must (&world, op_create ("/a/b/d", "", 0));
    assert_int_equal (tree_get_as (f->tree, world.other, TREE_WHOLE, "/a/b/d", 6, &node), 0);
    /* Without it that of /a is the nearest again. */
    op.acl_size = 0;
    must (&world, op);
    must (&world, op_create ("/a/b/e", "", 0));
    assert_int_equal (tree_get_as (f->tree, world.other, TREE_WHOLE, "/a/b/e", 6, &node),
                      COHORT_ENOAUTH);
    must (&world, op_create ("/e", "", COHORT_EPHEMERAL));
    op = op_set_acl_of ("/e", ANNA, R);
    op.inherited = true;
    assert_int_equal (fixture_op (f, world.root, &op), COHORT_ENOCHILDREN4EPHEMERALS);
    must (&world, plain (OP_DELETE_TREE, "/a"));
    assert_int_equal (f->tree->defaults, 0);
    assert_int_equal (map_count (&f->tree->acls), 0);
    end (&world);
}

static void test_undo (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    must (&world, op_create ("/a", "", 0));
    must (&world, op_create ("/b", "", 0));
    must (&world, op_set_acl_of ("/a", ANNA, R));
    struct op inherited = op_set_acl_of ("/b", ANNA, W);
    inherited.inherited = true;
    struct op ops[] = {
        op_set_acl_of ("/a", ANNA, ALL),
        op_set_acl_of ("/a", ROOT, ALL),
        inherited,
        op_create ("/b/c", "", 0),
        op_delete ("/a", -1),
        op_check ("/none", 0),
    };
    assert_int_equal (fixture_multi (f, world.root, ops, 6), COHORT_ENONODE);
    assert_int_equal (f->outcome.effects, 0);
    assert_int_equal (fixture_stat (f, "/a").aversion, 1);
    assert_int_equal (f->tree->defaults, 0);
    assert_int_equal (map_count (&f->tree->acls), 1);
    assert_int_equal (fixture_multi (f, world.root, ops, 5), 0);
    assert_int_equal (f->tree->defaults, 1);
    struct tree_node node;
    assert_int_equal (tree_get_as (f->tree, world.other, TREE_WHOLE, "/b/c", 4, &node),
                      COHORT_ENOAUTH);
    end (&world);
}

/* What may be seen of changes is judged by the lists as they were. */
struct seen {
    struct world *world;
    enum tree_sight anna[16], other[16];
    enum effect_kind kinds[16];
    size_t count;
};

static bool see (void *arg, const struct effect *effect)
{
    struct seen *seen = arg;
    const struct tree *tree = seen->world->f.tree;
    assert_true (seen->count < 16);
    seen->kinds[seen->count] = effect->kind;
    seen->anna[seen->count] = tree_effect_sight (tree, seen->world->anna, effect);
    seen->other[seen->count] = tree_effect_sight (tree, seen->world->other, effect);
    seen->count++;
    return true;
}

static void test_effects (void **state)
{
    (void) state;
    struct world world;
    begin (&world);
    zxid_t from = tree_zxid (world.f.tree);
    must (&world, op_with_acl (op_create ("/a", "1", 0), ANNA, ALL));
    must (&world, op_with_acl (op_create ("/a/b", "2", 0), ROOT, ALL));
    must (&world, op_set ("/a/b", "3", -1));
    must (&world, op_set_acl_of ("/a/b", ANNA, R));
    must (&world, op_set ("/a/b", "4", -1));
    must (&world, op_delete ("/a/b", -1));
    must (&world, op_create ("/a/open", "5", 0));
    must (&world, op_delete ("/a/open", -1));
    must (&world, op_delete ("/a", -1));
    struct seen seen = {.world = &world};
    assert_int_equal (tree_effects (world.f.tree, from, tree_zxid (world.f.tree), see, &seen), 0);
    static const enum tree_sight anna[] = {TREE_WHOLE, TREE_BARE,  TREE_BARE,
                                           TREE_WHOLE, TREE_WHOLE, TREE_WHOLE,
                                           TREE_WHOLE, TREE_WHOLE, TREE_WHOLE};
    static const enum tree_sight other[] = {TREE_BARE,   TREE_HIDDEN, TREE_HIDDEN,
                                            TREE_HIDDEN, TREE_HIDDEN, TREE_HIDDEN,
                                            TREE_WHOLE,  TREE_WHOLE,  TREE_BARE};
    assert_int_equal (seen.count, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal (seen.anna[i], anna[i]);
        assert_int_equal (seen.other[i], other[i]);
    }
    assert_int_equal (seen.kinds[3], EFFECT_ACL);
    end (&world);
}

/* A snapshot during which the lists change holds those of its beginning. */
static void test_snapshot (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    char path[32];
    for (int i = 0; i < 40; i++) {
        snprintf (path, sizeof (path), "/n%02d", i);
        must (&world, op_create (path, "x", 0));
        must (&world, op_set_acl_of (path, i % 3 == 0 ? ANNA : "other:hash", R | (i % 5)));
        snprintf (path, sizeof (path), "/n%02d/c", i);
        must (&world, op_create (path, "x", 0));
        struct op op = op_set_acl_of (path, ANNA, 1 + i % 31);
        op.inherited = i % 2 == 0;
        must (&world, op);
    }
    struct buf before = {0}, image = {0}, after = {0};
    fixture_dump (f->tree, &before);
    uint64_t digest = tree_digest (f->tree);
    struct tree_snapshot *snapshot = tree_snapshot_begin (f->tree);
    assert_non_null (snapshot);
    int i = 39;
    while (tree_snapshot_next (snapshot, &image, 64)) {
        /* From behind, so that most are handed over; new and old lists. */
        if (i >= 0) {
            snprintf (path, sizeof (path), "/n%02d/c", i);
            must (&world, op_set_acl_of (path, i % 2 == 0 ? ANNA : "new:hash", R | W));
            snprintf (path, sizeof (path), "/n%02d", i);
            must (&world, i % 4 == 0 ? plain (OP_DELETE_TREE, path)
                                     : op_set_acl_of (path, "new:hash", ALL));
            i--;
        }
    }
    assert_false (image.failed);
    tree_snapshot_end (&snapshot);
    struct tree *loaded = fixture_load (image.data, image.size);
    assert_non_null (loaded);
    tree_check (loaded);
    assert_int_equal (tree_digest (loaded), digest);
    fixture_dump (loaded, &after);
    assert_int_equal (before.size, after.size);
    assert_memory_equal (before.data, after.data, after.size);
    tree_destroy (&loaded);
    buf_deinit (&before);
    buf_deinit (&image);
    buf_deinit (&after);
    end (&world);
}

/* The bytes of a list that change by themselves decide nothing. */
static void test_damage (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    must (&world, op_with_acl (op_create ("/a", "1", 0), ROOT, ALL));
    struct acl *acl = map_entry (map_first (&f->tree->acls), struct acl, node);
    uint8_t *first = &acl->bytes[3];
    *first ^= 1;
    struct tree_node node;
    assert_int_equal (tree_get_as (f->tree, world.anna, TREE_WHOLE, "/a", 2, &node),
                      COHORT_ENOAUTH);
    assert_non_null (tree_damage (f->tree));
    assert_int_equal (tree_damage (f->tree)->kind, TREE_DAMAGED_ACL);
    *first ^= 1;
    f->check = false;
    end (&world);
}

/* Who may not create below a znode of the servers' own learns nothing of what is reserved there. */
static void test_reserved (void **state)
{
    (void) state;
    struct world world;
    struct fixture *f = &world.f;
    begin (&world);
    struct op child = op_create ("/zookeeper/new", "", 0);
    struct op below = op_create ("/zookeeper/none/new", "", 0);
    assert_int_equal (fixture_op (f, world.other, &child), COHORT_ERESERVED);
    assert_int_equal (fixture_op (f, world.other, &below), COHORT_ERESERVED);
    must (&world, op_set_acl_of ("/zookeeper", ROOT, ALL));
    assert_int_equal (fixture_op (f, world.other, &child), COHORT_ENOAUTH);
    assert_int_equal (fixture_op (f, world.other, &below), COHORT_ENOAUTH);
    assert_int_equal (fixture_op (f, world.root, &child), COHORT_ERESERVED);
    assert_int_equal (fixture_op (f, world.root, &below), COHORT_ERESERVED);
    end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_admins_of_none),
        cmocka_unit_test (test_admins_replaced),
        cmocka_unit_test (test_operations),
        cmocka_unit_test (test_administrator_passes),
        cmocka_unit_test (test_nothing_is_said),
        cmocka_unit_test (test_absent_for_the_entitled),
        cmocka_unit_test (test_delete_tree),
        cmocka_unit_test (test_set),
        cmocka_unit_test (test_get),
        cmocka_unit_test (test_inherited),
        cmocka_unit_test (test_undo),
        cmocka_unit_test (test_effects),
        cmocka_unit_test (test_snapshot),
        cmocka_unit_test (test_damage),
        cmocka_unit_test (test_reserved),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
