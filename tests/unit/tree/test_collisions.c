/* Clients choose paths and nonces. Who knows the hashes of the tables can choose them so that all
 * fall into one bucket, and each look-up passes through all of them; a secret seed prevents that,
 * and nothing that a server says or writes may depend on it. */

#include <stdio.h>

#include "client/base/hash.h"
#include "server/tree/path.h"
#include "server/tree/watch.h"
#include "tests/unit/tree/fixture.h"

enum {
    NAMES = 500,
    NAME_SIZE = 16,
    CHAIN_MAX = 20 /* of 500 elements in 512 buckets, 6 are expected */
};

/* Where the map's own mixing puts a hash: 2,048 buckets, more than a table of NAMES has. */
static uint64_t bucket_of (uint64_t hash)
{
    return (hash * UINT64_C (0x9e3779b97f4a7c15)) >> 53;
}

/* Names below `parent` that fall into one bucket of the tables with this seed. */
static void find_names (uint64_t seed, char names[NAMES][NAME_SIZE])
{
    uint64_t root = tree_path_hash_root (seed);
    for (unsigned i = 0, found = 0; found < NAMES; i++) {
        int size = snprintf (names[found], NAME_SIZE, "/%u", i);
        found += bucket_of (tree_path_hash (root, names[found], (size_t) size, NULL)) == 7;
    }
}

static size_t longest_chain (uint64_t seed, char names[NAMES][NAME_SIZE])
{
    struct fixture f;
    struct tree_options options = {.hash_seed = seed};
    fixture_init (&f, &options);
    uint64_t session = fixture_session (&f, 1);
    for (size_t i = 0; i < NAMES; i++) {
        assert_int_equal (fixture_create (&f, session, names[i], "", 0), 0);
    }
    size_t longest = map_chain_max (&f.tree->znodes);
    tree_check (f.tree);
    fixture_deinit (&f);
    return longest;
}

static void test_paths (void **state)
{
    (void) state;
    static char names[NAMES][NAME_SIZE];
    find_names (1, names);
    /* The attack works against whoever's seed is known, ... */
    assert_true (longest_chain (1, names) >= NAMES);
    /* ... and against nobody else. */
    for (uint64_t seed = 2; seed < 6; seed++) {
        assert_true (longest_chain (seed, names) <= CHAIN_MAX);
    }
}

static size_t longest_nonce_chain (uint64_t seed, uint64_t known)
{
    struct fixture f;
    struct tree_options options = {.hash_seed = seed};
    fixture_init (&f, &options);
    uint64_t name = 0;
    for (size_t i = 0; i < NAMES; name++) {
        uint8_t nonce[16];
        fixture_nonce (nonce, name);
        if (bucket_of (hash64 (nonce, sizeof (nonce), tree_path_hash_root (known))) == 7) {
            fixture_session (&f, name);
            i++;
        }
    }
    size_t longest = map_chain_max (&f.tree->nonces);
    fixture_deinit (&f);
    return longest;
}

static void test_nonces (void **state)
{
    (void) state;
    assert_true (longest_nonce_chain (1, 1) >= NAMES);
    assert_true (longest_nonce_chain (2, 1) <= CHAIN_MAX);
}

/* ---- Nothing depends on it --------------------------------------------------------------- */

/* A random entry; the same for all trees. */
static void next_entry (struct prng *prng, struct fixture *f, const uint64_t *sessions)
{
    struct op ops[3];
    char paths[3][16];
    uint32_t count = (uint32_t) prng_between (prng, 1, 3);
    for (uint32_t i = 0; i < count; i++) {
        unsigned a = (unsigned) prng_below (prng, 6), b = (unsigned) prng_below (prng, 12);
        char *path = paths[i];
        snprintf (path, sizeof (paths[i]), b < 6 ? "/d%u/n%u" : "/d%u", a, b);
        switch (prng_below (prng, 4)) {
        case 0:
            ops[i] = op_delete (path, -1);
            break;
        case 1:
            ops[i] = op_set (path, "value", -1);
            break;
        default:
            ops[i] = op_create (path, "x", (uint8_t) prng_below (prng, 4));
            break;
        }
    }
    fixture_multi (f, sessions[prng_below (prng, 2)], ops, count);
}

static bool append_effect (void *arg, const struct effect *effect)
{
    struct buf *out = arg;
    buf_u64 (out, effect->zxid);
    buf_u8 (out, (uint8_t) effect->kind);
    buf_blob (out, effect->path, effect->path_size);
    buf_blob (out, effect->data, effect->data_size);
    result_stat_encode (out, &effect->stat);
    return true;
}

/* Everything that comes out of a history under this seed: results, effects, snapshots, the state.
 */
static void run (uint64_t seed, struct buf *out)
{
    struct fixture f;
    struct tree_options options = {.hash_seed = seed};
    struct prng prng;
    prng_seed (&prng, 42);
    fixture_init (&f, &options);
    uint64_t sessions[] = {fixture_session (&f, 1), fixture_session (&f, 2)};
    for (int i = 0; i < 600; i++) {
        next_entry (&prng, &f, sessions);
        buf_append (out, f.outcome.result, f.outcome.result_size);
        buf_u64 (out, tree_digest (f.tree));
    }
    fixture_save (f.tree, out);
    fixture_close (&f, sessions[0], 0, 0, ENTRY_KILLED);
    assert_int_equal (tree_effects (f.tree, 0, f.zxid, append_effect, out), 0);
    tree_check (f.tree);
    fixture_dump (f.tree, out);
    fixture_deinit (&f);
}

static void test_independence (void **state)
{
    (void) state;
    struct buf first = {0}, other = {0};
    run (0, &first);
    assert_true (first.size > 30000);
    for (uint64_t seed = 1; seed < 5; seed++) {
        buf_clear (&other);
        run (seed, &other);
        assert_int_equal (other.size, first.size);
        assert_memory_equal (other.data, first.data, first.size);
    }
    buf_deinit (&first);
    buf_deinit (&other);
}

/* A snapshot made under one seed is loaded under another, and is the same state. */
static void test_snapshots (void **state)
{
    (void) state;
    struct fixture f;
    struct tree_options options = {.hash_seed = 1};
    struct prng prng;
    prng_seed (&prng, 43);
    fixture_init (&f, &options);
    uint64_t sessions[] = {fixture_session (&f, 1), fixture_session (&f, 2)};
    for (int i = 0; i < 300; i++) {
        next_entry (&prng, &f, sessions);
    }
    struct buf image = {0}, dump = {0}, loaded_dump = {0};
    fixture_save (f.tree, &image);
    fixture_dump (f.tree, &dump);
    for (uint64_t seed = 1; seed < 4; seed++) {
        options.hash_seed = seed;
        struct tree_loader *loader = tree_loader_new (&options);
        assert_non_null (loader);
        assert_true (tree_loader_feed (loader, image.data, image.size));
        struct tree *loaded = tree_loader_finish (&loader);
        assert_non_null (loaded);
        tree_check (loaded);
        assert_int_equal (tree_digest (loaded), tree_digest (f.tree));
        buf_clear (&loaded_dump);
        fixture_dump (loaded, &loaded_dump);
        assert_int_equal (loaded_dump.size, dump.size);
        assert_memory_equal (loaded_dump.data, dump.data, dump.size);
        tree_destroy (&loaded);
    }
    buf_deinit (&image);
    buf_deinit (&dump);
    buf_deinit (&loaded_dump);
    fixture_deinit (&f);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_paths),
        cmocka_unit_test (test_nonces),
        cmocka_unit_test (test_independence),
        cmocka_unit_test (test_snapshots),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
