/* Unit tests of cli/arguments.h: what is understood, and what is said about the rest. */

#include "client/cli/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#define WORDS_MAX 12

struct fixture {
    struct settings settings;
    struct arguments arguments;
    char line[256];
    char *words[WORDS_MAX + 1];
};

/* Parses a line whose first word is the command. */
static enum arguments_verdict parse (struct fixture *self, const char *line)
{
    int count = 0;
    snprintf (self->line, sizeof self->line, "%s", line);
    for (char *next = self->line; *next != 0;) {
        assert_true (count < WORDS_MAX);
        self->words[count++] = next;
        next += strcspn (next, " ");
        if (*next == ' ') {
            *next++ = 0;
        }
    }
    self->words[count] = NULL;
    const struct command *command = command_find (self->words[0]);
    if (command == NULL) {
        assert_string_equal (self->words[0], "cohort");
        command = &command_root;
    }
    unsetenv ("COHORT_SERVERS");
    assert_true (settings_init (&self->settings));
    return arguments_parse (&self->arguments, command, &self->settings, count, self->words);
}

static void expect_wrong (const char *line, const char *error)
{
    struct fixture self;
    assert_int_equal (parse (&self, line), ARGUMENTS_WRONG);
    assert_string_equal (self.arguments.error, error);
}

static void test_defaults (void **state)
{
    (void) state;
    struct fixture self;
    assert_int_equal (parse (&self, "get /a"), ARGUMENTS_OK);
    assert_string_equal (self.arguments.settings.servers, "tcp://127.0.0.1:5181");
    assert_int_equal (self.arguments.settings.timeout_ms, 10000);
    assert_false (self.arguments.settings.timeout_given);
    assert_int_equal (self.arguments.operand_count, 1);
    assert_string_equal (self.arguments.operands[0], "/a");
    assert_false (arguments_has (&self.arguments, 's'));
    assert_null (arguments_value (&self.arguments, 's'));
}

static void test_environment (void **state)
{
    (void) state;
    struct settings settings;
    setenv ("COHORT_SERVERS", "tcp://a:1,tcp://b:2/c", 1);
    setenv ("COHORT_TIMEOUT", "77", 1);
    setenv ("COHORT_OUTPUT", "jsonl", 1);
    assert_true (settings_init (&settings));
    assert_string_equal (settings.servers, "tcp://a:1,tcp://b:2/c");
    assert_int_equal (settings.timeout_ms, 77);
    assert_true (settings.timeout_given);
    assert_int_equal (settings.format, FORMAT_JSONL);
    setenv ("COHORT_SERVERS", "", 1);
    setenv ("COHORT_TIMEOUT", "", 1);
    assert_true (settings_init (&settings));
    assert_string_equal (settings.servers, "tcp://127.0.0.1:5181");
    assert_int_equal (settings.timeout_ms, 10000);
    unsetenv ("COHORT_SERVERS");

    setenv ("COHORT_TIMEOUT", "1s", 1);
    assert_false (settings_init (&settings));
    unsetenv ("COHORT_TIMEOUT");
    setenv ("COHORT_OUTPUT", "xml", 1);
    assert_false (settings_init (&settings));
    unsetenv ("COHORT_OUTPUT");
}

/* What the command line says comes first, then the variable of the flag. */
static void test_flags_from_environment (void **state)
{
    (void) state;
    struct fixture self;
    setenv ("COHORT_IF_VERSION", "9", 1);
    setenv ("COHORT_STAT", "1", 1);
    setenv ("COHORT_BASE64", "no", 1);
    assert_int_equal (parse (&self, "set /a x"), ARGUMENTS_OK);
    assert_string_equal (arguments_value (&self.arguments, 'v'), "9");
    assert_true (arguments_has (&self.arguments, 's'));
    assert_false (arguments_has (&self.arguments, 'b'));
    assert_int_equal (parse (&self, "set -v 4 -b /a x"), ARGUMENTS_OK);
    assert_string_equal (arguments_value (&self.arguments, 'v'), "4");
    assert_true (arguments_has (&self.arguments, 'b'));
    /* A variable of another command's flag means nothing to this one. */
    assert_int_equal (parse (&self, "status"), ARGUMENTS_OK);
    unsetenv ("COHORT_IF_VERSION");
    unsetenv ("COHORT_STAT");
    unsetenv ("COHORT_BASE64");

    /* A common flag in front of the command outweighs the variable there and behind it. */
    setenv ("COHORT_OUTPUT", "json", 1);
    assert_int_equal (parse (&self, "cohort -o jsonl get /a"), ARGUMENTS_OK);
    assert_int_equal (self.settings.format, FORMAT_JSONL);
    unsetenv ("COHORT_OUTPUT");
}

/* As with zkCli, flags may stand behind the operands. */
static void test_flags (void **state)
{
    (void) state;
    struct fixture self;
    assert_int_equal (parse (&self, "set /a data -s -v 3"), ARGUMENTS_OK);
    assert_int_equal (self.arguments.operand_count, 2);
    assert_string_equal (self.arguments.operands[0], "/a");
    assert_string_equal (self.arguments.operands[1], "data");
    assert_string_equal (arguments_value (&self.arguments, 's'), "");
    assert_string_equal (arguments_value (&self.arguments, 'v'), "3");
    assert_false (arguments_has (&self.arguments, 'b'));

    assert_int_equal (parse (&self, "create -se /a"), ARGUMENTS_OK);
    assert_true (arguments_has (&self.arguments, 's'));
    assert_true (arguments_has (&self.arguments, 'e'));
    assert_false (arguments_has (&self.arguments, FLAG_HOLD));

    assert_int_equal (parse (&self, "set --if-version=-1 --stat /a -"), ARGUMENTS_OK);
    assert_string_equal (arguments_value (&self.arguments, 'v'), "-1");
    assert_string_equal (self.arguments.operands[1], "-");

    assert_int_equal (parse (&self, "set /a -- -5"), ARGUMENTS_OK);
    assert_string_equal (self.arguments.operands[1], "-5");

    /* Numbers below 0 are no flags, wherever they stand. */
    assert_int_equal (parse (&self, "set /a -5 -s"), ARGUMENTS_OK);
    assert_string_equal (self.arguments.operands[1], "-5");
    assert_true (arguments_has (&self.arguments, 's'));
    assert_int_equal (parse (&self, "incr --floor -9 /a -5"), ARGUMENTS_OK);
    assert_string_equal (arguments_value (&self.arguments, FLAG_FLOOR), "-9");
    assert_string_equal (self.arguments.operands[1], "-5");
    assert_int_equal (parse (&self, "help -103"), ARGUMENTS_OK);
    assert_string_equal (self.arguments.operands[0], "-103");
    assert_int_equal (parse (&self, "set /a \x1f"
                                    "5"),
                      ARGUMENTS_OK);
    assert_string_equal (self.arguments.operands[1], "\x1f"
                                                     "5");
}

static void test_common_flags (void **state)
{
    (void) state;
    struct fixture self;
    assert_int_equal (parse (&self, "ls --servers tcp://x:1 / --timeout 250"), ARGUMENTS_OK);
    assert_string_equal (self.arguments.settings.servers, "tcp://x:1");
    assert_int_equal (self.arguments.settings.timeout_ms, 250);
    assert_true (self.arguments.settings.timeout_given);

    assert_int_equal (parse (&self, "cohort --timeout 9 get --nothing"), ARGUMENTS_OK);
    assert_int_equal (self.settings.timeout_ms, 9);
    assert_int_equal (self.arguments.operand_count, 2);
    assert_string_equal (self.arguments.operands[0], "get");

    assert_int_equal (parse (&self, "cohort"), ARGUMENTS_OK);
    assert_int_equal (self.arguments.operand_count, 0);
}

static void test_help_and_version (void **state)
{
    (void) state;
    struct fixture self;
    assert_int_equal (parse (&self, "get -h"), ARGUMENTS_HELP);
    assert_int_equal (parse (&self, "get --help /a /b /c"), ARGUMENTS_HELP);
    assert_int_equal (parse (&self, "get --version"), ARGUMENTS_VERSION);
    assert_int_equal (parse (&self, "cohort --version"), ARGUMENTS_VERSION);
    assert_int_equal (parse (&self, "cohort get --help"), ARGUMENTS_OK);
}

static void test_mistakes (void **state)
{
    (void) state;
    expect_wrong ("get", "an operand is missing: get PATH");
    expect_wrong ("set /a", "an operand is missing: set PATH DATA");
    expect_wrong ("get /a /b", "one operand too many: '/b' (quote what has blanks in it)");
    expect_wrong ("get --sat /a", "unknown option --sat (did you mean --stat?)");
    expect_wrong ("get --hexdmp=3 /a", "unknown option --hexdmp=3 (did you mean --hexdump?)");
    expect_wrong ("tree -w /a", "unknown option -w ('cohort watch PATH' follows changes)");
    expect_wrong ("set /a -x", "unknown option -x (operands that begin with '-' go behind --)");
    expect_wrong ("status -q", "unknown option -q");
    expect_wrong ("cohort -server x", "unknown option -server (did you mean --servers?)");
    expect_wrong ("ls / -server x", "unknown option -server (did you mean --servers?)");
    expect_wrong ("get -o xml /a", "--output: 'xml' is not a format: text, json or jsonl");
    expect_wrong ("get --stat=1 /a", "--stat takes no argument");
    expect_wrong ("get /a --servers", "--servers needs an argument: LIST");
    expect_wrong ("set /a x -v", "-v needs an argument: N");
    expect_wrong ("get /a --timeout 0",
                  "--timeout: '0' is not a number of milliseconds from 1 to 86400000");
    expect_wrong ("get /a --timeout 1s",
                  "--timeout: '1s' is not a number of milliseconds from 1 to 86400000");
}

static void test_numbers (void **state)
{
    (void) state;
    int64_t number = 7;
    assert_true (arguments_parse_number ("0", 0, 10, &number));
    assert_int_equal (number, 0);
    assert_true (arguments_parse_number ("10", 0, 10, &number));
    assert_int_equal (number, 10);
    assert_true (arguments_parse_number ("-1", -1, 10, &number));
    assert_int_equal (number, -1);
    assert_false (arguments_parse_number ("11", 0, 10, &number));
    assert_false (arguments_parse_number ("-1", 0, 10, &number));
    assert_false (arguments_parse_number ("", 0, 10, &number));
    assert_false (arguments_parse_number ("-", -9, 10, &number));
    assert_false (arguments_parse_number (" 1", 0, 10, &number));
    assert_false (arguments_parse_number ("+1", 0, 10, &number));
    assert_false (arguments_parse_number ("1 ", 0, 10, &number));
    assert_false (arguments_parse_number ("1x", 0, 10, &number));
    assert_false (arguments_parse_number ("0x1", 0, 10, &number));
    assert_false (arguments_parse_number ("9223372036854775808", 0, INT64_MAX, &number));
    assert_int_equal (number, -1); /* written on success only */

    struct fixture self;
    assert_int_equal (parse (&self, "watch --count 3 /a"), ARGUMENTS_OK);
    assert_true (arguments_number (&self.arguments, FLAG_COUNT, 1, 10, 0, &number));
    assert_int_equal (number, 3);
    assert_int_equal (parse (&self, "watch /a"), ARGUMENTS_OK);
    assert_true (arguments_number (&self.arguments, FLAG_COUNT, 1, 10, 42, &number));
    assert_int_equal (number, 42);
}

/* Flags of one name share a variable: all take an argument, or none does. */
static void test_variables (void **state)
{
    (void) state;
    for (size_t i = 0; i < command_count; i++) {
        for (const struct flag *a = command_table[i].flags; a->id != 0; a++) {
            for (size_t k = 0; k < i; k++) {
                for (const struct flag *b = command_table[k].flags; b->id != 0; b++) {
                    bool same = strcmp (a->name, b->name) == 0;
                    assert_true (!same || (a->argument == NULL) == (b->argument == NULL));
                }
            }
        }
    }
    char name[ARGUMENTS_VARIABLE_SIZE];
    const struct flag flag = {'v', "if-version", "N", ""};
    assert_string_equal (flag_variable (&flag, name), "COHORT_IF_VERSION");
}

/* The table itself: no letter twice, and every text that the help needs. */
static void test_table (void **state)
{
    (void) state;
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        assert_non_null (command->run);
        assert_true (*command->summary != 0 && *command->example != 0);
        assert_true (command->operands_min <= command->operands_max);
        char line[64];
        struct fixture self;
        snprintf (line, sizeof line, "%s --help", command->name);
        assert_int_equal (parse (&self, line), ARGUMENTS_HELP);
        for (int a = 0; a < self.arguments.flag_count; a++) {
            for (int b = 0; b < a; b++) {
                assert_int_not_equal (self.arguments.flags[a]->id, self.arguments.flags[b]->id);
                assert_string_not_equal (self.arguments.flags[a]->name,
                                         self.arguments.flags[b]->name);
            }
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_defaults),
        cmocka_unit_test (test_environment),
        cmocka_unit_test (test_flags_from_environment),
        cmocka_unit_test (test_flags),
        cmocka_unit_test (test_common_flags),
        cmocka_unit_test (test_help_and_version),
        cmocka_unit_test (test_mistakes),
        cmocka_unit_test (test_numbers),
        cmocka_unit_test (test_variables),
        cmocka_unit_test (test_table),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
