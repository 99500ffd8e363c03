/* Unit tests of base/arena.h. */

#include "client/base/arena.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

static void test_alignment_and_contents (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 5);
    struct arena arena;
    arena_init (&arena, 1024, 4096);
    for (int round = 0; round < 50; round++) {
        uint8_t *memory[200];
        size_t sizes[200], sum = 0;
        for (int i = 0; i < 200; i++) {
            /* Mostly small ones, some larger than a block. */
            sizes[i] = prng_below (&prng, prng_chance (&prng, 1, 20) ? 5000 : 60);
            memory[i] = arena_alloc (&arena, sizes[i]);
            assert_non_null (memory[i]);
            assert_int_equal ((uintptr_t) memory[i] % ARENA_ALIGNMENT, 0);
            memset (memory[i], i, sizes[i]);
            sum += sizes[i];
        }
        assert_true (arena_used (&arena) >= sum);
        /* None overlaps another. */
        for (int i = 0; i < 200; i++) {
            for (size_t at = 0; at < sizes[i]; at++) {
                assert_int_equal (memory[i][at], i);
            }
        }
        arena_reset (&arena);
        assert_int_equal (arena_used (&arena), 0);
    }
    arena_deinit (&arena);
    /* It can be used again. */
    assert_non_null (arena_alloc (&arena, 1));
    arena_deinit (&arena);
}

/* After a reset, what fits into the blocks that were kept takes no allocation; the rest went back.
 */
static void test_reset_keeps_blocks (void **state)
{
    (void) state;
    struct arena arena;
    arena_init (&arena, 1024, 3 * 1024);
    for (int i = 0; i < 10; i++) {
        assert_non_null (arena_alloc (&arena, 1024));
    }
    arena_reset (&arena);
    mem_fail_at (1);
    for (int i = 0; i < 3; i++) {
        assert_non_null (arena_alloc (&arena, 1024));
    }
    assert_null (arena_alloc (&arena, 1024));
    assert_true (mem_fail_clear ());
    arena_deinit (&arena);

    arena_init (&arena, 1024, 0);
    assert_non_null (arena_alloc (&arena, 8));
    arena_reset (&arena);
    mem_fail_at (1);
    assert_null (arena_alloc (&arena, 8));
    mem_fail_clear ();
    arena_deinit (&arena);
}

static void test_copies (void **state)
{
    (void) state;
    struct arena arena;
    arena_init (&arena, 64, 64);
    assert_string_equal (arena_strdup (&arena, ""), "");
    assert_string_equal (arena_strdup (&arena, "/lobby/server-1"), "/lobby/server-1");
    assert_memory_equal (arena_dup (&arena, "a\0b", 3), "a\0b", 3);
    assert_non_null (arena_dup (&arena, NULL, 0));
    static const uint8_t zeroes[500];
    memset (arena_alloc (&arena, 500), 1, 500);
    arena_reset (&arena);
    assert_memory_equal (arena_calloc (&arena, 50, 10), zeroes, 500);
    /* Empty allocations are distinct. */
    assert_ptr_not_equal (arena_alloc (&arena, 0), arena_alloc (&arena, 0));
    arena_deinit (&arena);
}

static void test_overflow (void **state)
{
    (void) state;
    struct arena arena;
    arena_init (&arena, 64, 64);
    assert_null (arena_alloc (&arena, SIZE_MAX));
    assert_null (arena_alloc (&arena, SIZE_MAX - ARENA_ALIGNMENT + 1));
    assert_null (arena_calloc (&arena, SIZE_MAX / 2 + 1, 2));
    assert_non_null (arena_alloc (&arena, 1));
    arena_deinit (&arena);
}

static void test_out_of_memory (void **state)
{
    (void) state;
    uint64_t n;
    for (n = 1;; n++) {
        struct arena arena;
        arena_init (&arena, 128, 256);
        mem_fail_at (n);
        int failures = 0;
        for (size_t i = 0; i < 50; i++) {
            failures += arena_alloc (&arena, i * 10) == NULL;
        }
        bool failed = mem_fail_clear ();
        assert_int_equal (failures, failed);
        arena_reset (&arena);
        arena_deinit (&arena);
        if (!failed) {
            break;
        }
    }
    assert_true (n > 10);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_alignment_and_contents),
        cmocka_unit_test (test_reset_keeps_blocks),
        cmocka_unit_test (test_copies),
        cmocka_unit_test (test_overflow),
        cmocka_unit_test (test_out_of_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
