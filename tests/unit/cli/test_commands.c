/* Unit tests of the table of commands: what is found, and what is suggested instead. */

#include "client/cli/command.h"
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

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_command),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
