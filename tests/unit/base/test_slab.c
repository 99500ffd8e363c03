/* Unit tests of base/slab.h. */

#include "client/base/slab.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

struct piece {
    uint8_t *bytes;
    size_t size;
    uint8_t mark;
};

static void fill (struct slab *slab, struct piece *piece, size_t size, uint8_t mark)
{
    *piece = (struct piece){slab_alloc (slab, size), size, mark};
    assert_non_null (piece->bytes);
    assert_int_equal ((uintptr_t) piece->bytes % SLAB_UNIT, 0);
    memset (piece->bytes, mark, slab_size (size));
}

static void empty (struct slab *slab, struct piece *piece)
{
    for (size_t i = 0; i < slab_size (piece->size); i++) {
        assert_int_equal (piece->bytes[i], piece->mark);
    }
    slab_free (slab, piece->bytes, piece->size);
    piece->bytes = NULL;
}

/* Pieces of many sizes come and go, and none overlaps another. */
static void test_pieces_are_apart (void **state)
{
    (void) state;
    enum { PIECES = 3000, STEPS = 100000 };
    static struct piece pieces[PIECES];
    struct slab slab;
    struct prng prng;
    prng_seed (&prng, 7);
    slab_init (&slab);
    for (int step = 0; step < STEPS; step++) {
        struct piece *piece = &pieces[prng_below (&prng, PIECES)];
        if (piece->bytes != NULL) {
            empty (&slab, piece);
            continue;
        }
        /* Few sizes mostly, for blocks to be filled and emptied; some that malloc has to give. */
        size_t size = prng_chance (&prng, 1, 20) ? (size_t) prng_below (&prng, 2 * SLAB_SIZE_MAX)
                                                 : 200 + 8 * (size_t) prng_below (&prng, 2);
        fill (&slab, piece, size, (uint8_t) step);
    }
    for (size_t i = 0; i < PIECES; i++) {
        if (pieces[i].bytes != NULL) {
            empty (&slab, &pieces[i]);
        }
    }
    slab_deinit (&slab);
}

static void test_sizes (void **state)
{
    (void) state;
    assert_int_equal (slab_size (0), SLAB_UNIT);
    assert_int_equal (slab_size (1), SLAB_UNIT);
    assert_int_equal (slab_size (SLAB_UNIT), SLAB_UNIT);
    assert_int_equal (slab_size (SLAB_UNIT + 1), 2 * SLAB_UNIT);
    struct slab slab;
    slab_init (&slab);
    struct piece none, largest, larger;
    fill (&slab, &none, 0, 1);
    fill (&slab, &largest, SLAB_SIZE_MAX, 2);
    fill (&slab, &larger, SLAB_SIZE_MAX + 1, 3);
    assert_int_equal (slab.blocks, 2);
    empty (&slab, &none);
    empty (&slab, &largest);
    empty (&slab, &larger);
    slab_deinit (&slab);
}

/* What was freed is used again, and blocks that are empty are given back but for one. */
static void test_memory_is_given_back (void **state)
{
    (void) state;
    enum { PIECES = 10000 };
    static struct piece pieces[PIECES];
    struct slab slab;
    slab_init (&slab);
    for (size_t i = 0; i < PIECES; i++) {
        fill (&slab, &pieces[i], 100, (uint8_t) i);
    }
    size_t blocks = slab.blocks;
    for (size_t i = 0; i < PIECES; i += 2) {
        empty (&slab, &pieces[i]);
    }
    for (size_t i = 0; i < PIECES; i += 2) {
        fill (&slab, &pieces[i], 100, (uint8_t) i);
    }
    assert_int_equal (slab.blocks, blocks);
    for (size_t i = 0; i < PIECES; i++) {
        empty (&slab, &pieces[i]);
    }
    assert_int_equal (slab.blocks, 1);
    fill (&slab, &pieces[0], 300, 1); /* of another size, in the same block */
    assert_int_equal (slab.blocks, 1);
    empty (&slab, &pieces[0]);
    slab_deinit (&slab);
}

static void test_without_memory (void **state)
{
    (void) state;
    struct slab slab;
    slab_init (&slab);
    mem_fail_at (1);
    assert_null (slab_alloc (&slab, 100));
    assert_true (mem_fail_clear ());
    struct piece piece;
    fill (&slab, &piece, 100, 1);
    mem_fail_at (1);
    assert_null (slab_alloc (&slab, SLAB_SIZE_MAX + 1));
    assert_true (mem_fail_clear ());
    empty (&slab, &piece);
    slab_deinit (&slab);
}

struct told {
    uint8_t *block;
    size_t size;
    int times;
};

static void on_coming (void *arg, void *block, size_t size)
{
    struct told *told = arg;
    *told = (struct told){block, size, told->times + 1};
}

/* Of every block but the first somebody is told before there is a piece in it, until nobody is to
 * be told any more. */
static void test_foresight (void **state)
{
    (void) state;
    enum { PIECES = 4000 };
    static struct piece pieces[PIECES];
    struct slab slab;
    struct told told = {.times = 0};
    slab_init (&slab);
    slab_foresee (&slab, (struct slab_foresight){on_coming, &told});
    for (size_t i = 0; i < PIECES; i++) {
        struct told before = told;
        fill (&slab, &pieces[i], SLAB_SIZE_MAX, (uint8_t) i);
        if (told.times > before.times) {
            bool in_told = pieces[i].bytes >= before.block &&
                           pieces[i].bytes + SLAB_SIZE_MAX <= before.block + before.size;
            assert_true (i == 0 || in_told);
        }
    }
    assert_int_equal (told.times, slab.blocks - 1);
    assert_true (told.times > 2);
    for (size_t i = 0; i < PIECES; i++) {
        empty (&slab, &pieces[i]);
    }
    int times = told.times;
    slab_foresee (&slab, (struct slab_foresight){NULL, NULL});
    for (size_t i = 0; i < PIECES; i++) {
        fill (&slab, &pieces[i], SLAB_SIZE_MAX, (uint8_t) i);
    }
    assert_int_equal (told.times, times);
    for (size_t i = 0; i < PIECES; i++) {
        empty (&slab, &pieces[i]);
    }
    slab_deinit (&slab);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_pieces_are_apart),
        cmocka_unit_test (test_sizes),
        cmocka_unit_test (test_memory_is_given_back),
        cmocka_unit_test (test_without_memory),
        cmocka_unit_test (test_foresight),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
