/* Unit tests of cli/auth.h and of the options that it reads. */

#include "client/cli/auth.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static void expect (const char *text, const char *scheme, const char *user, const char *password)
{
    struct credential credential;
    assert_true (credential_parse (&credential, text, "--auth", PASSWORD_INPUT));
    assert_string_equal (credential.scheme, scheme);
    assert_string_equal (credential.user, user);
    assert_string_equal (credential.password, password);
    credential_wipe (&credential);
    static const char nothing[CREDENTIAL_SIZE];
    assert_memory_equal (credential.text, nothing, sizeof nothing);
}

static void test_parse (void **state)
{
    (void) state;
    expect ("digest:alice:secret", "digest", "alice", "secret");
    expect ("digest-sha1:bob:a:b # c", "digest-sha1", "bob", "a:b # c");
    expect ("digest:alice:", "digest", "alice", ""); /* it is the library that refuses this */
    struct credential credential;
    char large[CREDENTIAL_SIZE + 8];
    memset (large, ':', sizeof large);
    large[sizeof large - 1] = 0;
    assert_false (credential_parse (&credential, "alice", "--auth", PASSWORD_INPUT));
    assert_false (credential_parse (&credential, large, "--auth", PASSWORD_INPUT));
    assert_false (credential_ask (&credential, "digest", large, PASSWORD_INPUT, false));
}

/* A password that is not given is a line of standard input. */
static void test_ask (void **state)
{
    (void) state;
    int ends[2], before = dup (STDIN_FILENO);
    assert_int_equal (pipe (ends), 0);
    assert_int_equal (write (ends[1], "secret\n\nrest", 12), 12);
    close (ends[1]);
    assert_int_equal (dup2 (ends[0], STDIN_FILENO), STDIN_FILENO);
    expect ("digest:alice", "digest", "alice", "secret");
    struct credential credential;
    assert_false (credential_parse (&credential, "digest:alice", "--auth", PASSWORD_INPUT));
    expect ("digest:bob", "digest", "bob", "rest");
    assert_false (credential_parse (&credential, "digest:alice", "--auth", PASSWORD_INPUT));
    dup2 (before, STDIN_FILENO);
    close (before);
    close (ends[0]);
}

static void parse_options (struct settings *settings, const char *first, const char *second)
{
    struct arguments arguments;
    char name[] = "whoami", one[64] = "", two[64] = "";
    char *words[] = {name, one, two, NULL};
    int count = 1 + (first != NULL) + (second != NULL);
    snprintf (one, sizeof one, "%s", first != NULL ? first : "");
    snprintf (two, sizeof two, "%s", second != NULL ? second : "");
    assert_true (settings_init (settings));
    assert_int_equal (arguments_parse (&arguments, command_find ("whoami"), settings, count, words),
                      ARGUMENTS_OK);
}

/* Who is named by options is not added to who is named by variables. */
static void test_options (void **state)
{
    (void) state;
    struct settings settings;
    unsetenv ("COHORT_AUTH");
    unsetenv ("COHORT_AUTH_FILE");
    parse_options (&settings, NULL, NULL);
    assert_null (settings.auth);
    assert_null (settings.auth_file);
    setenv ("COHORT_AUTH", "digest:a:b", 1);
    parse_options (&settings, NULL, NULL);
    assert_string_equal (settings.auth, "digest:a:b");
    parse_options (&settings, "--auth-file=file", NULL);
    assert_null (settings.auth);
    assert_non_null (settings.auth_file);
    parse_options (&settings, "--auth-file=file", "--auth=digest:c:d");
    assert_non_null (settings.auth);
    assert_non_null (settings.auth_file);
    unsetenv ("COHORT_AUTH");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_parse),
        cmocka_unit_test (test_ask),
        cmocka_unit_test (test_options),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
