/* Unit tests of cli/endpoints.h. */

#include "client/cli/endpoints.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

static void test_lists (void **state)
{
    (void) state;
    struct endpoints self;
    endpoints_parse (&self, "tcp://a:5181");
    assert_int_equal (self.count, 1);
    assert_string_equal (self.items[0], "tcp://a:5181");

    endpoints_parse (&self, "tcp://a:1,tcp://[::1]:2,tcp://a:1,ipc:///run/c.sock;x/y");
    assert_int_equal (self.count, 3); /* each once */
    assert_string_equal (self.items[0], "tcp://a:1");
    assert_string_equal (self.items[1], "tcp://[::1]:2");
    assert_string_equal (self.items[2], "ipc:///run/c.sock");

    endpoints_parse (&self, "tcp://a:1,tcp://b:2/game/eu");
    assert_int_equal (self.count, 2);
    assert_string_equal (self.items[1], "tcp://b:2");
}

static void test_nonsense (void **state)
{
    (void) state;
    struct endpoints self;
    endpoints_parse (&self, "");
    assert_int_equal (self.count, 0);
    endpoints_parse (&self, ",,,");
    assert_int_equal (self.count, 0);
    endpoints_parse (&self, "a,,b,");
    assert_int_equal (self.count, 2);

    char line[ENDPOINT_SIZE_MAX + 2];
    memset (line, 'x', sizeof line);
    line[ENDPOINT_SIZE_MAX - 1] = 0;
    endpoints_parse (&self, line);
    assert_int_equal (self.count, 1);
    line[ENDPOINT_SIZE_MAX - 1] = 'x';
    line[ENDPOINT_SIZE_MAX] = 0;
    endpoints_parse (&self, line);
    assert_int_equal (self.count, 0);
}

static void test_too_many (void **state)
{
    (void) state;
    struct endpoints self = {.count = 0};
    for (int i = 0; i < ENDPOINTS_MAX + 3; i++) {
        char endpoint[32];
        int size = snprintf (endpoint, sizeof endpoint, "tcp://h:%d", i);
        endpoints_add (&self, endpoint, (size_t) size);
    }
    assert_int_equal (self.count, ENDPOINTS_MAX);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_lists),
        cmocka_unit_test (test_nonsense),
        cmocka_unit_test (test_too_many),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
