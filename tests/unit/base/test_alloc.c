/* Unit tests of base/alloc.h. */

#include "client/base/alloc.h"

#include <string.h>

#include "tests/unit/unit.h"

static void test_sizes (void **state)
{
    (void) state;
    /* A size of 0 is not a failure. */
    void *memory[] = {mem_alloc (0),      mem_calloc (0, 8), mem_calloc (8, 0),
                      mem_realloc (0, 0), mem_dup (NULL, 0), mem_alloc (1000)};
    for (size_t i = 0; i < sizeof (memory) / sizeof (memory[0]); i++) {
        assert_non_null (memory[i]);
        mem_free (memory[i]);
    }
    mem_free (NULL);
    /* Products that overflow, and sizes that nobody has. */
    assert_null (mem_calloc (SIZE_MAX / 2, 3));
    assert_null (mem_calloc (SIZE_MAX, SIZE_MAX));
}

static void test_contents (void **state)
{
    (void) state;
    uint8_t *zeroes = mem_calloc (100, 10);
    assert_non_null (zeroes);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal (zeroes[i], 0);
    }
    memset (zeroes, 7, 1000);
    zeroes = mem_realloc (zeroes, 100000);
    assert_non_null (zeroes);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal (zeroes[i], 7);
    }
    uint8_t *copy = mem_dup (zeroes, 1000);
    assert_non_null (copy);
    assert_memory_equal (copy, zeroes, 1000);
    mem_free (copy);
    mem_free (zeroes);

    char *string = mem_strdup ("");
    assert_string_equal (string, "");
    mem_free (string);
    string = mem_strdup ("/lobby");
    assert_string_equal (string, "/lobby");
    mem_free (string);
}

static void test_fail_at (void **state)
{
    (void) state;
    assert_false (mem_fail_clear ());
    mem_fail_at (3);
    void *first = mem_alloc (1), *second = mem_calloc (1, 1);
    assert_non_null (first);
    assert_non_null (second);
    assert_null (mem_realloc (first, 100));
    /* Once only; and what was to be resized is still there. */
    first = mem_realloc (first, 100);
    assert_non_null (first);
    assert_true (mem_fail_clear ());
    assert_false (mem_fail_clear ());
    mem_free (first);
    mem_free (second);

    mem_fail_at (2);
    first = mem_alloc (1);
    assert_false (mem_fail_clear ());
    mem_free (first);

    mem_fail_at (1);
    assert_null (mem_strdup ("x"));
    assert_true (mem_fail_clear ());
    mem_fail_at (1);
    assert_null (mem_dup ("x", 1));
    assert_true (mem_fail_clear ());
}

static void *seen[8];
static int counts[8];
static size_t seen_count;

static void see (void *memory, int count)
{
    seen[seen_count] = memory;
    counts[seen_count++] = count;
}

static void test_watch (void **state)
{
    (void) state;
    mem_watch (see);
    void *memory = mem_alloc (10);
    void *before = memory;
    memory = mem_realloc (memory, 100000);
    mem_free (NULL);
    mem_fail_at (1);
    assert_null (mem_realloc (memory, 10));
    assert_true (mem_fail_clear ());
    mem_free (memory);
    mem_watch (NULL);
    mem_free (mem_calloc (1, 1));
    void *expected[] = {before, before, memory, memory};
    int expected_counts[] = {1, -1, 1, -1};
    assert_int_equal (seen_count, 4);
    assert_memory_equal (seen, expected, sizeof expected);
    assert_memory_equal (counts, expected_counts, sizeof expected_counts);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_sizes),
        cmocka_unit_test (test_contents),
        cmocka_unit_test (test_fail_at),
        cmocka_unit_test (test_watch),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
