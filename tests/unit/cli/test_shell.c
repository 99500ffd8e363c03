/* Paths and completions of the shell; no server is asked. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/command.h"
#include "client/cli/shell.h"
#include "client/cli/shell_complete.h"
#include "client/cli/words.h"
#include "tests/unit/unit.h"

static void test_paths (void **state)
{
    static const struct {
        const char *directory, *path, *resolved;
    } cases[] = {
        {"/", "a", "/a"},
        {"/a/b", "c", "/a/b/c"},
        {"/a/b", "/c", "/c"},
        {"/a/b", "..", "/a"},
        {"/a", "..", "/"},
        {"/", "..", "/"},
        {"/a/b", ".", "/a/b"},
        {"/a", "./b/../c", "/a/c"},
        {"/", "/", "/"},
        {"/a", "b/", "/a/b"},
        {"/a", "", "/a"},
        {"/a", "../../..", "/"},
        {"/a", "..b/.c", "/a/..b/.c"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char resolved[64];
        assert_true (shell_resolve (cases[i].directory, cases[i].path, resolved, sizeof resolved));
        assert_string_equal (resolved, cases[i].resolved);
    }
    char small[6];
    assert_true (shell_resolve ("/a", "bc", small, sizeof small));
    assert_string_equal (small, "/a/bc");
    assert_false (shell_resolve ("/a", "bcd", small, sizeof small));
}

static void test_operands (void **state)
{
    (void) state;
    assert_true (shell_operand_is_path (command_find ("ls"), 0));
    assert_true (shell_operand_is_path (command_find ("set"), 0));
    assert_false (shell_operand_is_path (command_find ("set"), 1));
    assert_true (shell_operand_is_path (command_find ("cp"), 1));
    assert_false (shell_operand_is_path (command_find ("grep"), 0));
    assert_true (shell_operand_is_path (command_find ("grep"), 1));
    assert_false (shell_operand_is_path (command_find ("txn"), 0));
    assert_false (shell_operand_is_path (command_find ("status"), 0));
}

/* Below /a there are bee, with children, and beta, below "/b c" there is "d e"; elsewhere nothing.
 */
static void add_children (void *arg, const char *path, const char *prefix,
                          struct shell_completion *completion)
{
    static const char *const names[] = {"bee", "beta"};
    (void) arg;
    for (size_t i = 0; i < 2 && strcmp (path, "/a") == 0; i++) {
        if (strncmp (names[i], prefix, strlen (prefix)) == 0) {
            shell_completion_add (completion, names[i], i == 0);
        }
    }
    if (strcmp (path, "/b c") == 0 && strncmp ("d e", prefix, strlen (prefix)) == 0) {
        shell_completion_add (completion, "d e", false);
    }
}

static void expect (const char *directory, const char *line, const char *names, size_t typed,
                    size_t common)
{
    struct shell_completion completion;
    char found[4096] = "";
    shell_complete (&completion, line, strlen (line), directory, add_children, NULL);
    for (size_t i = 0; i < completion.count; i++) {
        size_t used = strlen (found);
        snprintf (found + used, sizeof found - used, "%s%s", i > 0 ? " " : "", completion.names[i]);
    }
    assert_string_equal (found, names);
    if (completion.count > 0) {
        assert_int_equal (completion.typed, typed);
        assert_int_equal (completion.common, common);
    }
    assert_false (completion.out_of_memory);
    shell_completion_deinit (&completion);
}

/* What is put into the line is read as one word again. */
static void test_quoted (void **state)
{
    (void) state;
    static const char name[] = "a b\t'c\"d\\e#f/";
    char *quoted = shell_quoted (name, sizeof name - 1);
    assert_string_equal (quoted, "a\\ b\\\t\\'c\\\"d\\\\e\\#f/");
    struct words words;
    const char *error;
    assert_true (words_split (&words, quoted, &error));
    assert_int_equal (words.count, 1);
    assert_string_equal (words.items[0], name);
    free (quoted);
    quoted = shell_quoted (name, 1);
    assert_string_equal (quoted, "a");
    free (quoted);
}

static void test_completion (void **state)
{
    (void) state;
    expect ("/", "cre", "create", 3, 6);
    expect ("/", "  hist", "history", 4, 7);
    expect ("/", "delete", "delete deleteall", 6, 6);
    expect ("/", "nothing", "", 0, 0);
    expect ("/", "get /a/b", "bee/ beta", 1, 2);
    expect ("/", "get /a/bet", "beta", 3, 4);
    expect ("/", "get /a/", "bee/ beta", 0, 2);
    expect ("/a", "get be", "bee/ beta", 2, 2);
    expect ("/a/x", "get ../bee", "bee/", 3, 4);
    expect ("/a", "get -s bee", "bee/", 3, 4);
    expect ("/a", "ls --pre", "--prefix", 5, 8);
    expect ("/a", "set beta be", "", 0, 0);
    expect ("/a", "nothing be", "", 0, 0);
    expect ("/a", "get 'be", "", 0, 0);
    expect ("/a", "cd be", "bee/ beta", 2, 2);
    expect ("/", "help wat", "watch", 3, 5);
    expect ("/", "get /b\\ c/", "d e", 0, 3);
    expect ("/", "get /b\\ c/d\\ ", "d e", 2, 3);
    expect ("/", "get /b c/", "", 0, 0);
    expect ("/a", "ls be\\", "", 0, 0); /* nobody knows yet what it is to quote */
    /* What is behind the cursor does not count. */
    struct shell_completion completion;
    shell_complete (&completion, "crexyz", 3, "/", add_children, NULL);
    assert_int_equal (completion.count, 1);
    assert_string_equal (completion.names[0], "create");
    shell_completion_deinit (&completion);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_paths),
        cmocka_unit_test (test_operands),
        cmocka_unit_test (test_completion),
        cmocka_unit_test (test_quoted),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
