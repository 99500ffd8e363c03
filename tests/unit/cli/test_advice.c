/* Unit tests of cli/advice.h: every error of the library is explained, under all its names. */

#include "client/cli/advice.h"

#include <stdio.h>
#include <string.h>

#include "cohort/error.h"
#include "tests/unit/unit.h"

static const int codes[] = {
#define CODE_ENTRY(name, number, kind, text) number,
    COHORT_ERROR_MAP (CODE_ENTRY)
#undef CODE_ENTRY
};

static void test_every_error (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_non_null (advice_text (codes[i]));
        int code = 1;
        assert_true (advice_parse (cohort_error_name (codes[i]), &code));
        assert_int_equal (code, codes[i]);
        char number[16];
        snprintf (number, sizeof number, "%d", codes[i]);
        assert_true (advice_parse (number, &code));
        assert_int_equal (code, codes[i]);
        const char *meaning = NULL;
        assert_non_null (advice_kind (codes[i], &meaning));
        assert_non_null (meaning);
    }
}

static void test_names (void **state)
{
    (void) state;
    static const char *const same[] = {"NoNode", "enonode", "ENONODE", "cohort_enonode", "101"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        int code = 0;
        assert_true (advice_parse (same[i], &code));
        assert_int_equal (code, COHORT_ENONODE);
    }
    int code = 7;
    assert_false (advice_parse ("", &code));
    assert_false (advice_parse ("nonodes", &code));
    assert_false (advice_parse ("99", &code));
    assert_false (advice_parse ("COHORT_", &code));
    assert_int_equal (code, 7);
    assert_null (advice_text (-9999));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_every_error),
        cmocka_unit_test (test_names),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
