/* A snapshot that is put together from what a walk finds and what changes on the way. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "client/src/fold.h"
#include "client/src/wire.h"

/* ---- A subtree, as it is ----------------------------------------------------------------------
 */

enum { NODES_MAX = 400, PATH_MAX_SIZE = 32, DATA_MAX_SIZE = 12, SEEDS = 300 };

struct node {
    char path[PATH_MAX_SIZE];
    char data[DATA_MAX_SIZE + 1];
    cohort_stat_t stat;
};

/* In the order of a walk. */
struct world {
    struct prng prng;
    struct node nodes[NODES_MAX];
    size_t count;
    uint64_t zxid;
    /* The walk, and who receives what it finds. */
    char place[PATH_MAX_SIZE]; /* "": it has not begun */
    bool all;                  /* changes ahead of it are sent too */
    struct fold *fold;
    uint64_t nomem; /* fails once, now and then */
};

static int order (const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    if (*a == '\0' || *b == '\0') {
        return (*a != '\0') - (*b != '\0');
    }
    return *a == '/' ? -1 : *b == '/' ? 1 : (unsigned char) *a - (unsigned char) *b;
}

static struct node *find (struct world *world, const char *path)
{
    for (size_t i = 0; i < world->count; i++) {
        if (strcmp (world->nodes[i].path, path) == 0) {
            return &world->nodes[i];
        }
    }
    return NULL;
}

static void parent_of (const char *path, char out[PATH_MAX_SIZE])
{
    const char *slash = strrchr (path, '/');
    size_t size = slash == path ? 1 : (size_t) (slash - path);
    memcpy (out, path, size);
    out[size] = '\0';
}

/* Every allocation may fail once: it is as if nothing had come. */
static void give (struct world *world, const cohort_change_t *change)
{
    size_t before = world->fold->bytes;
    mem_fail_at (prng_chance (&world->prng, 1, 4) ? 1 : 0);
    int rc = fold_take (world->fold, change, world->zxid);
    bool failed = mem_fail_clear ();
    if (failed && rc == COHORT_ENOMEM) {
        assert_int_equal (world->fold->bytes, before);
        rc = fold_take (world->fold, change, world->zxid);
    }
    assert_int_equal (rc, 0);
}

static void tell (struct world *world, cohort_change_kind_t kind, const struct node *node)
{
    char parent[PATH_MAX_SIZE];
    parent_of (node->path, parent);
    const char *concerned =
        kind == COHORT_CHANGE_DATA || strcmp (node->path, "/r") == 0 ? node->path : parent;
    bool passed = world->place[0] != '\0' && order (concerned, world->place) <= 0;
    if (world->fold == NULL || (!passed && !world->all && kind != WIRE_CHANGE_FOUND)) {
        return;
    }
    cohort_change_t change = {.kind = kind, .path = node->path};
    if (kind != COHORT_CHANGE_DELETED) {
        change.data = node->data;
        change.size = strlen (node->data);
        change.stat = node->stat;
    }
    give (world, &change);
}

/* A node that is there is not written over; its parent must be there. */
static void create (struct world *world, const char *path)
{
    char parent[PATH_MAX_SIZE];
    parent_of (path, parent);
    struct node *above = find (world, parent);
    bool root = strcmp (path, "/r") == 0;
    if (find (world, path) != NULL || (above == NULL && !root) || world->count == NODES_MAX) {
        return;
    }
    if (above != NULL) {
        above->stat.child_count++;
        above->stat.cversion = above->stat.cversion == INT32_MAX ? 0 : above->stat.cversion + 1;
        above->stat.pzxid = world->zxid;
    }
    size_t at = world->count++;
    while (at > 0 && order (world->nodes[at - 1].path, path) > 0) {
        world->nodes[at] = world->nodes[at - 1];
        at--;
    }
    struct node *node = &world->nodes[at];
    memset (node, 0, sizeof *node);
    snprintf (node->path, sizeof node->path, "%s", path);
    snprintf (node->data, sizeof node->data, "%.*s", (int) (world->zxid % DATA_MAX_SIZE),
              "abcdefghijklm");
    node->stat.czxid = node->stat.mzxid = node->stat.pzxid = world->zxid;
    node->stat.cversion = prng_chance (&world->prng, 1, 20) ? INT32_MAX - 1 : 0;
    tell (world, COHORT_CHANGE_CREATED, node);
}

static void delete (struct world *world, const char *path)
{
    char parent[PATH_MAX_SIZE];
    struct node *node = find (world, path);
    if (node == NULL || node->stat.child_count > 0) {
        return;
    }
    parent_of (path, parent);
    struct node *above = strcmp (path, "/r") == 0 ? NULL : find (world, parent);
    if (above != NULL) {
        above->stat.child_count--;
        above->stat.cversion = above->stat.cversion == INT32_MAX ? 0 : above->stat.cversion + 1;
        above->stat.pzxid = world->zxid;
    }
    tell (world, COHORT_CHANGE_DELETED, node);
    size_t at = (size_t) (node - world->nodes);
    world->count--;
    memmove (node, node + 1, (world->count - at) * sizeof *node);
}

static void set (struct world *world, const char *path)
{
    struct node *node = find (world, path);
    if (node != NULL) {
        snprintf (node->data, sizeof node->data, "%.*s", (int) (world->zxid % DATA_MAX_SIZE),
                  "ABCDEFGHIJKLM");
        node->stat.version++;
        node->stat.mzxid = world->zxid;
        tell (world, COHORT_CHANGE_DATA, node);
    }
}

/* A transaction of a few changes. */
static void change (struct world *world)
{
    world->zxid++;
    for (uint64_t n = prng_between (&world->prng, 1, 4); n > 0; n--) {
        char path[PATH_MAX_SIZE] = "/r";
        size_t used = strlen (path);
        for (uint64_t depth = prng_below (&world->prng, 4); depth > 0; depth--) {
            static const char *const names[] = {"/a", "/b", "/a-", "/ab", "/c"};
            used += (size_t) snprintf (path + used, sizeof path - used, "%s",
                                       names[prng_below (&world->prng, 5)]);
        }
        switch (prng_below (&world->prng, 6)) {
        case 0:
        case 1:
            delete (world, path);
            break;
        case 2:
            set (world, path);
            break;
        default:
            create (world, path);
        }
    }
}

/* Sends the next node behind the place; false: there is none. */
static bool walk (struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        const struct node *node = &world->nodes[i];
        if (world->place[0] == '\0' || order (node->path, world->place) > 0) {
            tell (world, WIRE_CHANGE_FOUND, node);
            memcpy (world->place, node->path, sizeof world->place);
            return true;
        }
    }
    return false;
}

/* ---- Random -----------------------------------------------------------------------------------
 */

static void expect_equal (struct world *world)
{
    static struct node seen[NODES_MAX];
    size_t count = 0, given;
    cohort_change_t *batch;
    while ((given = fold_next (world->fold, &batch)) > 0) {
        for (size_t i = 0; i < given; i++) {
            char parent[PATH_MAX_SIZE];
            const struct node *node = find (world, batch[i].path);
            assert_non_null (node);
            assert_int_equal (batch[i].kind, COHORT_CHANGE_CREATED);
            assert_int_equal (batch[i].size, strlen (node->data));
            assert_string_equal (batch[i].data, node->data); /* ended with 0 */
            assert_memory_equal (&batch[i].stat, &node->stat, sizeof node->stat);
            parent_of (batch[i].path, parent);
            bool above = strcmp (batch[i].path, "/r") == 0;
            for (size_t j = 0; j < count; j++) {
                assert_string_not_equal (seen[j].path, batch[i].path);
                above |= strcmp (seen[j].path, parent) == 0;
            }
            assert_true (above);
            seen[count++] = *node;
        }
    }
    assert_int_equal (count, world->count);
    assert_true (fold_empty (world->fold));
    assert_int_equal (world->fold->bytes, 0);
}

static void run (uint64_t seed)
{
    static struct world world;
    memset (&world, 0, sizeof world);
    prng_seed (&world.prng, seed);
    world.all = prng_chance (&world.prng, 1, 4);
    for (uint64_t n = prng_below (&world.prng, 200); n > 0; n--) {
        change (&world);
    }
    world.fold = fold_new ("/r", 1);
    assert_non_null (world.fold);
    uint64_t changes = prng_below (&world.prng, 4);
    do {
        for (uint64_t n = prng_between (&world.prng, 0, changes); n > 0; n--) {
            change (&world);
        }
    } while (walk (&world));
    expect_equal (&world);
    fold_free (world.fold);
}

static void fold_is_the_state_at_the_end (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run (seed);
    }
}

/* ---- Edges ------------------------------------------------------------------------------------
 */

static int take (struct fold *fold, cohort_change_kind_t kind, const char *path, const char *data)
{
    cohort_change_t change = {.kind = kind, .path = path, .data = data, .size = strlen (data)};
    return fold_take (fold, &change, 7);
}

static void what_no_server_sends (void **state)
{
    (void) state;
    struct fold *fold = fold_new ("/r", 1);
    assert_int_equal (take (fold, WIRE_CHANGE_FOUND, "/", ""), COHORT_EPROTOCOL);
    assert_int_equal (take (fold, WIRE_CHANGE_FOUND, "/rr", ""), COHORT_EPROTOCOL);
    assert_int_equal (take (fold, COHORT_CHANGE_CREATED, "/q/r", ""), COHORT_EPROTOCOL);
    /* What is not there yet will be found. */
    assert_int_equal (take (fold, COHORT_CHANGE_DATA, "/r/a", "x"), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_ACL, "/r/a", "x"), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_DELETED, "/r/a", ""), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_DELETED, "/r", ""), 0);
    assert_true (fold_empty (fold));
    /* A child of none. */
    assert_int_equal (take (fold, WIRE_CHANGE_FOUND, "/r", ""), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_DELETED, "/r/a", ""), COHORT_EPROTOCOL);
    cohort_change_t full = {.kind = WIRE_CHANGE_FOUND, .path = "/r", .data = ""};
    full.stat.child_count = UINT32_MAX;
    assert_int_equal (fold_take (fold, &full, 8), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_CREATED, "/r/a", ""), COHORT_EPROTOCOL);
    fold_free (fold);
    fold_free (NULL);
}

static void the_root_of_all (void **state)
{
    (void) state;
    struct fold *fold = fold_new ("/", 1);
    cohort_change_t *batch;
    assert_int_equal (take (fold, WIRE_CHANGE_FOUND, "/", ""), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_CREATED, "/a", "1"), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_CREATED, "/a/b", "2"), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_DATA, "/a", "longer than before"), 0);
    assert_int_equal (fold_next (fold, &batch), 3);
    assert_string_equal (batch[0].path, "/");
    assert_int_equal (batch[0].stat.child_count, 1);
    assert_int_equal (batch[0].stat.pzxid, 7);
    assert_string_equal (batch[1].path, "/a");
    assert_string_equal (batch[1].data, "longer than before");
    assert_string_equal (batch[2].path, "/a/b");
    assert_int_equal (fold_next (fold, &batch), 0);
    fold_free (fold);
}

/* Memory is in proportion to the subtree, however often it changes, and is given back on the way;
 * batches are bounded. */
static void bounds (void **state)
{
    (void) state;
    static char data[100000];
    struct fold *fold = fold_new ("/r", 1);
    memset (data, 'x', sizeof data - 1);
    assert_int_equal (take (fold, WIRE_CHANGE_FOUND, "/r", ""), 0);
    assert_int_equal (take (fold, WIRE_CHANGE_FOUND, "/r/a", ""), 0);
    size_t few = fold->bytes;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal (take (fold, COHORT_CHANGE_CREATED, "/r/b", data), 0);
        assert_int_equal (take (fold, COHORT_CHANGE_DELETED, "/r/b", ""), 0);
        assert_int_equal (take (fold, COHORT_CHANGE_DATA, "/r/a", i % 2 == 0 ? data : "y"), 0);
    }
    assert_true (fold->bytes <= few + sizeof data);
    for (int i = 0; i < 1000; i++) {
        char path[16];
        snprintf (path, sizeof path, "/r/%d", i);
        assert_int_equal (take (fold, WIRE_CHANGE_FOUND, path, i < 10 ? data : ""), 0);
    }
    cohort_change_t *batch;
    size_t given, total = 0, calls = 0, before = fold->bytes;
    while ((given = fold_next (fold, &batch)) > 0) {
        size_t bytes = 0;
        for (size_t i = 0; i + 1 < given; i++) {
            bytes += batch[i].size;
        }
        assert_in_range (given, 1, FOLD_BATCH_COUNT);
        assert_in_range (bytes, 0, FOLD_BATCH_BYTES);
        assert_true (fold->bytes < before);
        before = fold->bytes;
        total += given;
        calls++;
    }
    assert_int_equal (total, 1002);
    assert_in_range (calls, 7, 12);
    fold_free (fold);
}

static void owner (struct fold *fold, uint64_t from, uint64_t to, uint64_t zxid)
{
    cohort_change_t change = {.kind = COHORT_CHANGE_OWNER, .path = "", .from = from};
    change.stat.ephemeral_owner = to;
    change.stat.ozxid = zxid;
    assert_int_equal (fold_take (fold, &change, zxid), 0);
}

static void owned (struct fold *fold, const char *path, uint64_t session, uint64_t ozxid)
{
    cohort_change_t change = {.kind = WIRE_CHANGE_FOUND, .path = path, .data = ""};
    change.stat.ephemeral_owner = session;
    change.stat.ozxid = ozxid;
    assert_int_equal (fold_take (fold, &change, ozxid), 0);
}

/* A change of owner concerns what has been found, and only what is not newer. */
static void owners (void **state)
{
    (void) state;
    struct fold *fold = fold_new ("/r", 1);
    assert_non_null (fold);
    owned (fold, "/r", 0, 0);
    owned (fold, "/r/a", 7, 3);
    owned (fold, "/r/b", 8, 3);
    owned (fold, "/r/c", 7, 6);
    owner (fold, 7, 9, 5);
    owned (fold, "/r/d", 7, 3);
    cohort_change_t *batch;
    static const uint64_t sessions[] = {0, 9, 8, 7, 7}, since[] = {0, 5, 3, 6, 3};
    assert_int_equal (fold_next (fold, &batch), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal (batch[i].stat.ephemeral_owner, sessions[i]);
        assert_int_equal (batch[i].stat.ozxid, since[i]);
    }
    fold_free (fold);
}

static void without_memory (void **state)
{
    (void) state;
    mem_fail_at (1);
    assert_null (fold_new ("/", 1));
    assert_true (mem_fail_clear ());
}

/*
 * What the reader may not see: the parent is left out, the data of a child too, until a list says
 * otherwise.
 */
static void what_may_be_seen (void **state)
{
    (void) state;
    struct fold *fold = fold_new ("/r", 1);
    cohort_change_t *given;
    cohort_change_t bare = {.kind = WIRE_CHANGE_FOUND, .path = "/r/p/a", .data = "", .hidden = 1};
    assert_int_equal (take (fold, WIRE_CHANGE_FOUND, "/r", ""), 0);
    assert_int_equal (fold_take (fold, &bare, 6), 0);
    bare.path = "/r/p/b";
    assert_int_equal (fold_take (fold, &bare, 6), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_CREATED, "/r/p/c", "came"), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_CREATED, "/r/p/d", ""), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_DELETED, "/r/p/d", ""), 0);
    assert_int_equal (take (fold, COHORT_CHANGE_ACL, "/r/p/b", "readable"), 0);
    bare.kind = COHORT_CHANGE_ACL;
    bare.path = "/r/p/c";
    assert_int_equal (fold_take (fold, &bare, 8), 0);
    assert_int_equal (fold_next (fold, &given), 4);
    assert_string_equal (given[0].path, "/r");
    assert_string_equal (given[1].path, "/r/p/a");
    assert_int_equal (given[1].hidden, 1);
    assert_string_equal (given[2].path, "/r/p/b");
    assert_int_equal (given[2].hidden, 0);
    assert_string_equal (given[2].data, "readable");
    assert_string_equal (given[3].path, "/r/p/c");
    assert_int_equal (given[3].hidden, 1);
    assert_int_equal (given[3].size, 0);
    fold_free (fold);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (fold_is_the_state_at_the_end),
        cmocka_unit_test (what_no_server_sends),
        cmocka_unit_test (what_may_be_seen),
        cmocka_unit_test (the_root_of_all),
        cmocka_unit_test (bounds),
        cmocka_unit_test (owners),
        cmocka_unit_test (without_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
