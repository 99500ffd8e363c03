/* A run that is written down is read back as it was. */

#include <stdio.h>
#include <string.h>

#include "tests/simulation/replay.h"
#include "tests/unit/unit.h"

static void test_as_it_was (void **state)
{
    struct sim_options options = {.seed = UINT64_MAX,
                                  .servers = 5,
                                  .observers = 2,
                                  .clients = 2,
                                  .safety_ms = 1234,
                                  .liveness_ms = 99,
                                  .requests_max = UINT64_MAX};
    struct sim_options found = {.seed = 0};
    struct fault_list faults = {0}, read = {0};
    char error[REPLAY_ERROR_SIZE];
    (void) state;
    for (int i = 0; i < FAULT_KINDS; i++) {
        fault_list_add (&faults, &(struct sim_fault){.kind = (enum fault_kind) i,
                                                     .at_ms = 7 * i,
                                                     .a = UINT32_MAX,
                                                     .b = (uint32_t) i,
                                                     .nth = UINT64_MAX,
                                                     .length_ms = i,
                                                     .value = UINT64_MAX});
    }
    FILE *file = tmpfile ();
    assert_non_null (file);
    replay_write (file, &options, &faults);
    rewind (file);
    assert_true (replay_read (file, &found, &read, error));
    assert_int_equal (fclose (file), 0);
    assert_memory_equal (&found, &options, sizeof found);
    assert_int_equal (read.count, faults.count);
    for (size_t i = 0; i < read.count; i++) {
        assert_int_equal (read.items[i].kind, faults.items[i].kind);
        assert_int_equal (read.items[i].at_ms, faults.items[i].at_ms);
        assert_int_equal (read.items[i].a, faults.items[i].a);
        assert_int_equal (read.items[i].b, faults.items[i].b);
        assert_int_equal (read.items[i].nth, faults.items[i].nth);
        assert_int_equal (read.items[i].length_ms, faults.items[i].length_ms);
        assert_int_equal (read.items[i].value, faults.items[i].value);
    }
    fault_list_deinit (&faults);
    fault_list_deinit (&read);
}

static void test_malformed (void **state)
{
    static const char *const lines[] = {
        "seed",
        "seed x",
        "seed 1 2",
        "servers 0",
        "servers 8",
        "clients 17",
        "observers 7",
        "ticks 0",
        "colour 3",
        "fault",
        "fault loss",
        "fault loss at 1 a 0 b 0 nth 0 length 0 value 0 more",
        "fault loss at -1 a 0 b 0 nth 0 length 0 value 0",
        "fault loss at 1 a 0 b 0 nth 0 length -1 value 0",
        "fault rain at 1 a 0 b 0 nth 0 length 0 value 0",
    };
    (void) state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct sim_options options = {.seed = 0};
        struct fault_list faults = {0};
        char error[REPLAY_ERROR_SIZE] = "";
        FILE *file = tmpfile ();
        assert_non_null (file);
        fprintf (file, "# a remark\n\n%s\n", lines[i]);
        rewind (file);
        assert_false (replay_read (file, &options, &faults, error));
        assert_non_null (strstr (error, "line 3"));
        assert_int_equal (fclose (file), 0);
        fault_list_deinit (&faults);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_as_it_was),
        cmocka_unit_test (test_malformed),
    };
    return cmocka_run_group_tests_name ("replay", tests, NULL, NULL);
}
