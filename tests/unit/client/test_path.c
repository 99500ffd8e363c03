/* The rules of paths, and the chroot. */

#include <stdio.h>
#include <string.h>

#include "client/src/path.h"
#include "cohort/types.h"
#include "tests/unit/unit.h"

static char text[256];

static int check (const char *path)
{
    text[0] = '\0';
    return path_check (path, false, text, sizeof (text));
}

static int check_sequential (const char *path)
{
    return path_check (path, true, text, sizeof (text));
}

static void test_valid (void **state)
{
    (void) state;
    static const char *const valid[] = {
        "/",
        "/a",
        "/a/b",
        "/...",
        "/.a",
        "/a.",
        "/..a/b..",
        "/ ",
        "/a b",
        "/~",
        "/\xc2\xa0",         /* U+A0, the first behind the control characters */
        "/\xed\x9f\xbf",     /* U+D7FF, the last before the surrogates */
        "/\xef\xa4\x80",     /* U+F900, the first behind those for private use */
        "/\xef\xbf\xaf",     /* U+FFEF, the last before the specials */
        "/\xf0\x9f\x90\x99", /* beyond 16 bits */
        "/\xf4\x8f\xbf\xbf", /* U+10FFFF, the last of all */
    };
    for (size_t i = 0; i < sizeof (valid) / sizeof (valid[0]); i++) {
        assert_int_equal (check (valid[i]), 0);
        assert_int_equal (check_sequential (valid[i]), 0);
    }
}

static void test_malformed (void **state)
{
    (void) state;
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"", "path \"\", byte 0: a path begins with '/'"},
        {"a", "path \"a\", byte 0: a path begins with '/'"},
        {"//", "path \"//\", byte 1: a name is empty"},
        {"/a//b", "path \"/a//b\", byte 3: a name is empty"},
        {"/.", "path \"/.\", byte 1: the name \".\" is not allowed"},
        {"/a/./b", "path \"/a/./b\", byte 3: the name \".\" is not allowed"},
        {"/a/..", "path \"/a/..\", byte 3: the name \"..\" is not allowed"},
        {"/../a", "path \"/../a\", byte 1: the name \"..\" is not allowed"},
        {"/a/", "path \"/a/\", byte 2: a path does not end in '/'"},
        {"/a\x01", "path \"/a\x01\", byte 2: a control character is not allowed"},
        {"/a\x1f", "path \"/a\x1f\", byte 2: a control character is not allowed"},
        {"/a\x7f", "path \"/a\x7f\", byte 2: a control character is not allowed"},
        {"/\xc2\x80", "path \"/\xc2\x80\", byte 1: a control character is not allowed"},
        {"/\xc2\x9f", "path \"/\xc2\x9f\", byte 1: a control character is not allowed"},
        {"/\xed\xa0\x80", "path \"/\xed\xa0\x80\", byte 1: a surrogate is not allowed"},
        {"/\xed\xbf\xbf", "path \"/\xed\xbf\xbf\", byte 1: a surrogate is not allowed"},
        {"/\xee\x80\x80", "path \"/\xee\x80\x80\", byte 1: a character for private use, or a "
                          "special one, is not allowed"},
        {"/\xef\xbf\xbf", "path \"/\xef\xbf\xbf\", byte 1: a character for private use, or a "
                          "special one, is not allowed"},
        {"/\x80", "path \"/\x80\", byte 1: not UTF-8"},
        {"/\xc3", "path \"/\xc3\", byte 1: not UTF-8"},
        {"/\xc0\xaf", "path \"/\xc0\xaf\", byte 1: not UTF-8"},
        {"/\xe0\x80\xaf", "path \"/\xe0\x80\xaf\", byte 1: not UTF-8"},
        {"/\xf4\x90\x80\x80", "path \"/\xf4\x90\x80\x80\", byte 1: not UTF-8"},
        {"/\xff", "path \"/\xff\", byte 1: not UTF-8"},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        assert_int_equal (check (cases[i].path), COHORT_EPATH);
        assert_string_equal (text, cases[i].text);
    }
    assert_int_equal (check (NULL), COHORT_EINVAL);
}

static void test_sequential (void **state)
{
    (void) state;
    assert_int_equal (check_sequential ("/a/"), 0);
    assert_int_equal (check_sequential ("/"), 0);
    assert_int_equal (check_sequential ("/a//"), COHORT_EPATH);
    assert_int_equal (check_sequential ("//"), COHORT_EPATH);
    assert_int_equal (check_sequential ("/a/."), COHORT_EPATH);
}

static void test_length (void **state)
{
    (void) state;
    char path[PATH_SIZE_MAX + 2];
    memset (path, 'a', sizeof (path));
    path[0] = '/';
    path[PATH_SIZE_MAX] = '\0';
    assert_int_equal (check (path), 0);
    path[PATH_SIZE_MAX] = 'a';
    path[PATH_SIZE_MAX + 1] = '\0';
    assert_int_equal (check (path), COHORT_ETOOBIG);
    /* The text shows the beginning only. */
    assert_true (strlen (text) < 200);
    assert_non_null (strstr (text, "aaa...\""));
}

static void test_chroot (void **state)
{
    (void) state;
    static const struct {
        const char *chroot, *path, *joined;
    } cases[] = {
        {"", "/", "/"},
        {"", "/a/b", "/a/b"},
        {"/game", "/", "/game"},
        {"/game", "/a", "/game/a"},
        {"/a/b", "/c/", "/a/b/c/"},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        char joined[64];
        size_t joined_size = path_joined_size (cases[i].chroot, cases[i].path);
        path_join (joined, joined_size, cases[i].chroot, cases[i].path);
        assert_string_equal (joined, cases[i].joined);
        assert_int_equal (joined_size, strlen (joined));
        size_t size = strlen (cases[i].chroot);
        assert_string_equal (path_strip (cases[i].chroot, size, joined), cases[i].path);
    }
    /* What only looks like it is not below the chroot. */
    assert_string_equal (path_strip ("/game", 5, "/games"), "/games");
    assert_string_equal (path_strip ("/game", 5, "/other"), "/other");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_valid),      cmocka_unit_test (test_malformed),
        cmocka_unit_test (test_sequential), cmocka_unit_test (test_length),
        cmocka_unit_test (test_chroot),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
