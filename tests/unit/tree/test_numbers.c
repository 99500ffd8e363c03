/* Decimal numbers as data: what is one, and what is not. */

#include "server/tree/numbers.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

static void test_parse (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        bool number;
        int64_t value;
    } texts[] = {
        {"", true, 0},
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"42", true, 42},
        {"-42", true, -42},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"00000000000000000000000000000000000001", true, 1},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1\n", false, 0},
        {"0x10", false, 0},
        {"1.0", false, 0},
        {"--1", false, 0},
    };
    for (size_t i = 0; i < sizeof (texts) / sizeof (texts[0]); i++) {
        int64_t value = 0;
        assert_int_equal (
            number_parse ((const uint8_t *) texts[i].text, strlen (texts[i].text), &value),
            texts[i].number);
        assert_int_equal (value, texts[i].value);
    }
}

static void test_print (void **state)
{
    (void) state;
    static const int64_t values[] = {0, 1, -1, 10, -987654321, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof (values) / sizeof (values[0]); i++) {
        char text[NUMBER_TEXT_MAX], expected[32];
        size_t size = number_print (text, values[i]);
        int64_t back = 0;
        snprintf (expected, sizeof (expected), "%lld", (long long) values[i]);
        assert_int_equal (size, strlen (expected));
        assert_memory_equal (text, expected, size);
        assert_true (number_parse ((const uint8_t *) text, size, &back));
        assert_int_equal (back, values[i]);
    }
}

static void test_add (void **state)
{
    (void) state;
    int64_t sum = 0;
    assert_true (number_add (INT64_MAX, INT64_MIN, &sum));
    assert_int_equal (sum, -1);
    assert_true (number_add (INT64_MAX - 1, 1, &sum));
    assert_int_equal (sum, INT64_MAX);
    assert_false (number_add (INT64_MAX, 1, &sum));
    assert_false (number_add (1, INT64_MAX, &sum));
    assert_false (number_add (INT64_MIN, -1, &sum));
    assert_true (number_add (INT64_MIN, 0, &sum));
    assert_int_equal (sum, INT64_MIN);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_parse),
        cmocka_unit_test (test_print),
        cmocka_unit_test (test_add),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
