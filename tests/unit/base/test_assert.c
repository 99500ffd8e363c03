/* Unit tests of base/assert.h. */

#include "client/base/assert.h"

#include <string.h>

#include "tests/unit/unit.h"

static jmp_buf escape;
static const char *failed_expr, *failed_file;
static int failed_line;

static void remember (const char *expr, const char *file, int line)
{
    failed_expr = expr;
    failed_file = file;
    failed_line = line;
    longjmp (escape, 1);
}

static void test_true (void **state)
{
    (void) state;
    int evaluated = 0;
    COHORT_ASSERT (++evaluated == 1);
    COHORT_ASSERT (state); /* a pointer is a condition too */
    assert_int_equal (evaluated, 1);
}

static void test_false (void **state)
{
    (void) state;
    assert_set_handler (remember);
    volatile int line = 0, two = 2;
    if (setjmp (escape) == 0) {
        line = __LINE__ + 1;
        COHORT_ASSERT (two == 3);
        fail_msg ("a failed assertion must not return");
    }
    assert_set_handler (NULL);
    assert_string_equal (failed_expr, "two == 3");
    assert_int_equal (failed_line, line);
    /* Named from the root of the project, wherever that was built. */
    assert_string_equal (failed_file, "tests/unit/base/test_assert.c");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_true),
        cmocka_unit_test (test_false),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
