/* Unit tests of cli/words.h. */

#include "client/cli/words.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

/* expected: the words, each followed by '|'. */
static void expect_words (const char *line, const char *expected)
{
    char copy[512], joined[512] = "";
    snprintf (copy, sizeof copy, "%s", line);
    struct words words;
    const char *error = NULL;
    assert_true (words_split (&words, copy, &error));
    assert_null (words.items[words.count]);
    size_t used = 0;
    for (int i = 0; i < words.count; i++) {
        used += (size_t) snprintf (joined + used, sizeof joined - used, "%s|", words.items[i]);
    }
    assert_string_equal (joined, expected);
}

static void expect_error (const char *line, const char *expected)
{
    char copy[512];
    snprintf (copy, sizeof copy, "%s", line);
    struct words words;
    const char *error = NULL;
    assert_false (words_split (&words, copy, &error));
    assert_string_equal (error, expected);
}

static void test_split (void **state)
{
    (void) state;
    expect_words ("", "");
    expect_words (" \t\r\n", "");
    expect_words ("a", "a|");
    expect_words ("  set /a\tb \n", "set|/a|b|");
    expect_words ("a # b", "a|");
    expect_words ("# a", "");
    expect_words ("a#b", "a#b|");
    expect_words ("'#a'", "#a|");
}

static void test_quotes (void **state)
{
    (void) state;
    expect_words ("'a b' c", "a b|c|");
    expect_words ("\"a b\"c d", "a bc|d|");
    expect_words ("''", "|");
    expect_words ("'' \"\"", "||");
    expect_words ("'a\\b'", "a\\b|");
    expect_words ("\"a\\\"b\"", "a\"b|");
    expect_words ("a\\ b", "a b|");
    expect_words ("'a\"b' \"a'b\"", "a\"b|a'b|");
    expect_words ("a\\", "a\\|"); /* at the end it stands for itself */
    expect_error ("'a", "a quote is not closed");
    expect_error ("a \"b'", "a quote is not closed");
    expect_error ("\"a\\\"", "a quote is not closed");
}

static void test_many (void **state)
{
    (void) state;
    char line[4 * WORDS_MAX] = "";
    for (int i = 0; i < WORDS_MAX; i++) {
        memcpy (line + 2 * i, "w ", 3);
    }
    struct words words;
    const char *error = NULL;
    char copy[sizeof line];
    memcpy (copy, line, sizeof line);
    assert_true (words_split (&words, copy, &error));
    assert_int_equal (words.count, WORDS_MAX);
    memcpy (line + 2 * WORDS_MAX, "w", 2);
    expect_error (line, "too many words");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_split),
        cmocka_unit_test (test_quotes),
        cmocka_unit_test (test_many),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
