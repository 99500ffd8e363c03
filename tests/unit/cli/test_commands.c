/* Unit tests of the table of commands: what is found, and what is suggested instead. */

#include "client/cli/command.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/txn_operation.h"
#include "tests/unit/unit.h"

static void test_command (void **state)
{
    (void) state;
    assert_string_equal (command_suggest ("wacth"), "watch");
    assert_string_equal (command_suggest ("delte"), "delete");
    assert_string_equal (command_suggest ("addWatch"), "watch");
    assert_string_equal (command_suggest ("rmr"), "deleteall");
    assert_string_equal (command_suggest ("put"), "set");
    assert_null (command_suggest ("frobnicate"));
    for (size_t i = 0; i < command_count; i++) {
        assert_ptr_equal (command_find (command_table[i].name), &command_table[i]);
    }
    assert_null (command_find ("wacth"));
}

/* The help of txn tells all its operations, and their flags. */
static void test_txn (void **state)
{
    (void) state;
    const struct command *txn = command_find ("txn");
    assert_non_null (txn);
    for (size_t i = 0; i < txn_operation_count; i++) {
        char start[64];
        snprintf (start, sizeof start, "  %s ", txn_operations[i].name);
        const char *line = strstr (txn->details, start);
        assert_non_null (line);
        size_t size = strcspn (line, "\n");
        for (const struct flag *flag = txn_operations[i].flags; flag->id != 0; flag++) {
            char text[64];
            if (flag->id < 256) {
                snprintf (text, sizeof text, "[-%c", flag->id);
            } else {
                snprintf (text, sizeof text, "[--%s", flag->name);
            }
            const char *found = strstr (line, text);
            assert_true (found != NULL && found < line + size);
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_command),
        cmocka_unit_test (test_txn),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
