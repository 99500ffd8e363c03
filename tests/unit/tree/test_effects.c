/* The ring of effects: bounds, floor, whole transactions. */

#include <stdio.h>

#include "client/base/prng.h"
#include "server/tree/effects_pack.h"
#include "server/tree/path.h"
#include "tests/unit/tree/fixture.h"

#define SEEN_MAX 5000

struct seen {
    size_t count, stop_at;
    zxid_t zxids[SEEN_MAX];
    enum effect_kind kinds[SEEN_MAX];
    char last_path[64];
    size_t bytes;
};

static bool note (void *arg, const struct effect *effect)
{
    struct seen *seen = arg;
    assert_true (seen->count < SEEN_MAX);
    assert_true (seen->count == 0 || seen->zxids[seen->count - 1] <= effect->zxid);
    assert_int_equal (strlen (effect->path), effect->path_size);
    seen->kinds[seen->count] = effect->kind;
    seen->zxids[seen->count++] = effect->zxid;
    seen->bytes += effect->data_size;
    snprintf (seen->last_path, sizeof (seen->last_path), "%s", effect->path);
    return seen->count != seen->stop_at;
}

static struct seen seen;

/* Into `seen`. */
static int look (const struct fixture *f, zxid_t after, zxid_t through)
{
    size_t stop_at = seen.stop_at;
    seen = (struct seen){.stop_at = stop_at};
    return tree_effects (f->tree, after, through, note, &seen);
}

/* ---- The numbers of an effect ------------------------------------------------------------ */

static void repack (const struct effect *effect, int64_t base_ms)
{
    uint8_t head[EFFECTS_HEAD_MAX];
    size_t size = effects_pack (effect, base_ms, head);
    assert_true (size <= sizeof (head));
    struct effect back = {.zxid = effect->zxid};
    memset (&back.stat, 0xa5, sizeof (back.stat));
    back.from = UINT64_MAX;
    assert_ptr_equal (effects_unpack (head, base_ms, &back), head + size);
    assert_int_equal (back.kind, effect->kind);
    assert_int_equal (back.path_size, effect->path_size);
    assert_int_equal (back.data_size, effect->data_size);
    assert_int_equal (back.acl_size, effect->acl_size);
    assert_int_equal (back.parent_acl_size, effect->parent_acl_size);
    assert_int_equal (back.was_acl_size, effect->was_acl_size);
    assert_true (back.from == effect->from);
    assert_true (back.stat.czxid == effect->stat.czxid);
    assert_true (back.stat.mzxid == effect->stat.mzxid);
    assert_true (back.stat.pzxid == effect->stat.pzxid);
    assert_true (back.stat.ctime_ms == effect->stat.ctime_ms);
    assert_true (back.stat.mtime_ms == effect->stat.mtime_ms);
    assert_int_equal (back.stat.version, effect->stat.version);
    assert_int_equal (back.stat.cversion, effect->stat.cversion);
    assert_int_equal (back.stat.aversion, effect->stat.aversion);
    assert_int_equal (back.stat.data_size, effect->stat.data_size);
    assert_true (back.stat.ephemeral_owner == effect->stat.ephemeral_owner);
    assert_true (back.stat.ozxid == effect->stat.ozxid);
    assert_int_equal (back.stat.child_count, effect->stat.child_count);
    assert_int_equal (back.stat.mode, effect->stat.mode);
    assert_true (back.stat.ttl_ms == effect->stat.ttl_ms);
}

/* Nothing, all of it, or any number of bits in between. */
static uint64_t some (struct prng *prng)
{
    uint64_t bits = prng_below (prng, 66);
    return bits == 0 ? 0 : bits > 64 ? UINT64_MAX : prng_u64 (prng) >> (64 - bits);
}

static void test_numbers (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 11);
    static const enum effect_kind kinds[] = {EFFECT_CREATED, EFFECT_DELETED, EFFECT_DATA,
                                             EFFECT_ACL, EFFECT_OWNER};
    for (int i = 0; i < 20000; i++) {
        struct effect effect = {
            .zxid = some (&prng),
            .kind = kinds[prng_below (&prng, 5)],
            .path_size = (uint32_t) some (&prng),
            .data_size = (uint32_t) some (&prng),
            .acl_size = (uint32_t) some (&prng),
            .parent_acl_size = (uint32_t) some (&prng),
            .was_acl_size = (uint32_t) some (&prng),
            .from = some (&prng),
            .stat =
                {
                    .czxid = some (&prng),
                    .mzxid = some (&prng),
                    .pzxid = some (&prng),
                    .ctime_ms = (int64_t) some (&prng),
                    .mtime_ms = (int64_t) some (&prng),
                    .version = (int32_t) (uint32_t) some (&prng),
                    .cversion = (int32_t) (uint32_t) some (&prng),
                    .aversion = (int32_t) (uint32_t) some (&prng),
                    .data_size = (int32_t) (uint32_t) some (&prng),
                    .ephemeral_owner = some (&prng),
                    .ozxid = some (&prng),
                    .child_count = (uint32_t) some (&prng),
                    .mode = (int) prng_below (&prng, 8),
                    .ttl_ms = (int64_t) some (&prng),
                },
        };
        repack (&effect, (int64_t) some (&prng));
    }
}

/* What was just created, or set, differs in little from what is to be expected. */
static void test_few_bytes (void **state)
{
    (void) state;
    zxid_t zxid = zxid_make (3, 1000000);
    struct effect effect = {
        .zxid = zxid,
        .kind = EFFECT_CREATED,
        .path_size = 20,
        .data_size = 100,
        .stat = {.czxid = zxid, .mzxid = zxid, .pzxid = zxid, .data_size = 100},
    };
    effect.stat.ctime_ms = effect.stat.mtime_ms = 1500000000123;
    uint8_t head[EFFECTS_HEAD_MAX];
    assert_int_equal (effects_pack (&effect, 1500000000100, head), 5);
    effect.kind = EFFECT_DATA;
    effect.stat.czxid = effect.stat.pzxid = zxid - 1000;
    effect.stat.ctime_ms -= 3600000;
    effect.stat.version = 5;
    assert_int_equal (effects_pack (&effect, 1500000000100, head), 12);
    repack (&effect, 1500000000100);
}

/* ---- The ring ---------------------------------------------------------------------------- */

static void test_ranges (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    zxid_t founded = f.zxid;
    uint64_t id = fixture_session (&f, 1);
    zxid_t begin = f.zxid;
    assert_int_equal (fixture_create (&f, id, "/a", "12", 0), 0);
    assert_int_equal (fixture_set (&f, id, "/a", "345", 0), 0);
    assert_int_equal (fixture_set (&f, id, "/a", "", 0), COHORT_EBADVERSION);
    struct op ops[] = {op_create ("/b", "", 0), op_set ("/a", "6", 1), op_delete ("/b", 0)};
    assert_int_equal (fixture_multi (&f, id, ops, 3), 0);
    assert_int_equal (f.outcome.effects, 3);
    assert_int_equal (tree_effects_floor (f.tree), 0);
    assert_int_equal (look (&f, founded, f.zxid), 0);
    assert_int_equal (seen.count, 5);
    static const enum effect_kind kinds[] = {EFFECT_CREATED, EFFECT_DATA, EFFECT_CREATED,
                                             EFFECT_DATA, EFFECT_DELETED};
    assert_memory_equal (seen.kinds, kinds, sizeof (kinds));
    assert_int_equal (seen.bytes, 6);
    assert_int_equal (look (&f, begin + 1, f.zxid), 0);
    assert_int_equal (seen.count, 4);
    assert_int_equal (look (&f, begin + 1, begin + 3), 0);
    assert_int_equal (seen.count, 1);
    assert_int_equal (look (&f, begin + 2, begin + 3), 0);
    assert_int_equal (seen.count, 0);
    assert_int_equal (look (&f, f.zxid, UINT64_MAX), 0);
    assert_int_equal (seen.count, 0);
    seen.stop_at = 2;
    assert_int_equal (look (&f, founded, f.zxid), 0);
    assert_int_equal (seen.count, 2);
    seen.stop_at = 0;
    fixture_deinit (&f);
}

/* Contents of an effect. */
static bool check_created (void *arg, const struct effect *effect)
{
    const struct fixture *f = arg;
    assert_int_equal (effect->kind, EFFECT_CREATED);
    assert_string_equal (effect->path, "/dir/e");
    assert_int_equal (effect->path_size, 6);
    assert_int_equal (effect->data_size, 4);
    assert_memory_equal (effect->data, "data", 4);
    cohort_stat_t stat = fixture_stat (f, "/dir/e");
    assert_int_equal (effect->stat.czxid, stat.czxid);
    assert_int_equal (effect->stat.ephemeral_owner, stat.ephemeral_owner);
    assert_int_equal (effect->stat.data_size, 4);
    return true;
}

static void test_contents (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, id, "/dir", "", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/dir/e", "data", COHORT_EPHEMERAL), 0);
    assert_int_equal (tree_effects (f.tree, f.zxid - 1, f.zxid, check_created, &f), 0);
    fixture_deinit (&f);
}

/* After each step: every effect above the floor is there, nothing is missing or twice, and the
 * ring keeps to its bound. */
static void test_bound (void **state)
{
    (void) state;
    struct fixture f;
    struct tree_options options = {.effects_bytes_max = 12000};
    fixture_init (&f, &options);
    static zxid_t all[SEEN_MAX];
    size_t count = 0;
    while (count < FIXTURE_FOUNDED - 1) {
        all[count++] = f.zxid;
    }
    uint64_t id = fixture_session (&f, 1);
    f.check = false;
    char data[3000];
    memset (data, 'd', sizeof (data));
    struct prng prng;
    prng_seed (&prng, 3);
    zxid_t floor = 0;
    for (int i = 0; i < 1500; i++) {
        if (prng_chance (&prng, 1, 4)) {
            struct op ops[20];
            uint32_t ops_count = (uint32_t) prng_between (&prng, 1, 20);
            for (uint32_t k = 0; k < ops_count; k++) {
                ops[k] = op_set ("/", "multi", -1);
            }
            bool fail = prng_chance (&prng, 1, 3);
            if (fail) {
                ops[ops_count - 1] = op_delete ("/", -1);
            }
            assert_int_equal (fixture_multi (&f, id, ops, ops_count), fail ? COHORT_EINVAL : 0);
            for (uint32_t k = 0; k < ops_count && !fail && count < SEEN_MAX; k++) {
                all[count++] = f.zxid;
            }
        } else {
            data[prng_below (&prng, prng_chance (&prng, 1, 10) ? sizeof (data) : 100)] = 0;
            assert_int_equal (fixture_set (&f, id, "/", data, -1), 0);
            memset (data, 'd', sizeof (data));
            all[count++] = f.zxid;
        }
        zxid_t now = tree_effects_floor (f.tree);
        assert_true (now >= floor);
        floor = now;
        /* At most a chunk too much, for the newest transaction stays whole. */
        assert_true (f.tree->effects.bytes <= 40000 + 20 * EFFECTS_CHUNK_MIN);
        if (floor > 0) {
            assert_int_equal (look (&f, floor - 1, f.zxid), COHORT_EGAP);
            assert_int_equal (seen.count, 0);
        }
        assert_int_equal (look (&f, floor, f.zxid), 0);
        size_t first = 0;
        while (first < count && all[first] <= floor) {
            first++;
        }
        assert_int_equal (seen.count, count - first);
        assert_memory_equal (seen.zxids, all + first, seen.count * sizeof (zxid_t));
    }
    assert_true (floor > 0);
    fixture_deinit (&f);
}

/* From wherever it is asked for, however far from the newest that is. */
static void test_any_beginning (void **state)
{
    (void) state;
    struct fixture f;
    struct tree_options options = {.effects_bytes_max = 12000};
    fixture_init (&f, &options);
    uint64_t id = fixture_session (&f, 1);
    f.check = false;
    size_t after[300] = {0}; /* effects behind the entry that is so far from the newest */
    for (size_t i = 1; i < 300; i++) {
        struct op ops[3] = {op_set ("/", "1", -1), op_set ("/", "2", -1), op_set ("/", "3", -1)};
        uint32_t count = 1 + (uint32_t) (i % 3);
        assert_int_equal (fixture_multi (&f, id, ops, count), 0);
        memmove (after + 1, after, i * sizeof (after[0]));
        after[0] = 0;
        for (size_t k = 1; k <= i; k++) {
            after[k] += count;
        }
        for (size_t k = 0; k <= i && f.zxid - k >= tree_effects_floor (f.tree); k++) {
            assert_int_equal (look (&f, f.zxid - k, f.zxid), 0);
            assert_int_equal (seen.count, after[k]);
            assert_true (k == 0 || seen.zxids[0] == f.zxid - k + 1);
        }
    }
    assert_true (tree_effects_floor (f.tree) > 0); /* it has more than one chunk */
    fixture_deinit (&f);
}

static void test_large_transaction (void **state)
{
    (void) state;
    struct fixture f;
    struct tree_options options = {.effects_bytes_max = 1};
    fixture_init (&f, &options);
    zxid_t founded = f.zxid;
    uint64_t id = fixture_session (&f, 1);
    char *data = mem_calloc (1, 20001);
    assert_non_null (data);
    memset (data, 'x', 20000);
    struct op ops[10];
    for (int i = 0; i < 10; i++) {
        ops[i] = op_set ("/", data, -1);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal (fixture_multi (&f, id, ops, 10), 0);
        assert_int_equal (look (&f, f.zxid - 1, f.zxid), 0);
        assert_int_equal (seen.count, 10);
        assert_int_equal (seen.bytes, 200000);
        assert_int_equal (tree_effects_floor (f.tree), i == 0 ? founded : f.zxid - 1);
    }
    mem_free (data);
    fixture_deinit (&f);
}

static void test_near (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    zxid_t founded = f.zxid;
    uint64_t id = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, id, "/a", "", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/b", "", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/a/c", "", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/a/c/d", "", 0), 0);
    assert_int_equal (fixture_set (&f, id, "/a", "", 0), 0);
    seen = (struct seen){0};
    uint64_t hash = tree_path_hash (f.tree->root->node.hash, "/a", 2, NULL);
    size_t looked = 0;
    assert_true (effects_near (&f.tree->effects, founded, hash, 5, &looked, note, &seen));
    assert_int_equal (looked, 5);
    assert_int_equal (seen.count, 3);
    seen = (struct seen){0};
    assert_false (effects_near (&f.tree->effects, founded, hash, 4, &looked, note, &seen));
    assert_int_equal (looked, 0);
    assert_int_equal (seen.count, 0);
    assert_true (effects_near (&f.tree->effects, f.zxid - 2, hash, 4, &looked, note, &seen));
    assert_int_equal (seen.count, 1);
    seen = (struct seen){.stop_at = 1};
    assert_true (effects_near (&f.tree->effects, founded, hash, 100, &looked, note, &seen));
    assert_int_equal (seen.count, 1);
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_numbers),
        cmocka_unit_test (test_few_bytes),
        cmocka_unit_test (test_ranges),
        cmocka_unit_test (test_contents),
        cmocka_unit_test (test_bound),
        cmocka_unit_test (test_any_beginning),
        cmocka_unit_test (test_large_transaction),
        cmocka_unit_test (test_near),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
