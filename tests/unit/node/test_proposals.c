/* What a leader is going to propose: whose it is, what goes with whoever asked for it, and how much
 * of each may wait. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "cohort/error.h"
#include "server/node/proposals.h"

enum { OWN = 0, FIRST = 1, SECOND = 2, ENTRY_SIZE = 4 };

static struct proposals proposals;

static int setup (void **state)
{
    (void) state;
    proposals_init (&proposals);
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    proposals_deinit (&proposals);
    return 0;
}

static int add (uint32_t source, const char entry[ENTRY_SIZE])
{
    return proposals_add (&proposals, source, (const uint8_t *) entry, ENTRY_SIZE);
}

/* The next ones that are proposed, one behind the other. */
static void assert_taken (const char *expected)
{
    const struct zab_proposal *list;
    char text[128] = "";
    size_t count = proposals_take (&proposals, &list);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal (list[i].size, ENTRY_SIZE);
        memcpy (text + i * ENTRY_SIZE, list[i].data, ENTRY_SIZE);
    }
    assert_string_equal (text, expected);
}

static void test_order (void **state)
{
    (void) state;
    assert_int_equal (add (FIRST, "aaaa"), 0);
    assert_int_equal (add (OWN, "bbbb"), 0);
    assert_int_equal (add (SECOND, "cccc"), 0);
    assert_int_equal (proposals_count (&proposals), 3);
    assert_taken ("aaaabbbbcccc");
    assert_int_equal (proposals_count (&proposals), 0);
    assert_taken ("");
}

/* With a server its requests go, and nobody else's; it may ask again. */
static void test_forgets (void **state)
{
    (void) state;
    proposals_forget (&proposals, FIRST); /* of whom there is nothing */
    assert_int_equal (add (FIRST, "aaaa"), 0);
    assert_int_equal (add (OWN, "bbbb"), 0);
    assert_int_equal (add (FIRST, "cccc"), 0);
    assert_int_equal (add (SECOND, "dddd"), 0);
    proposals_forget (&proposals, FIRST);
    assert_int_equal (proposals_count (&proposals), 2);
    assert_int_equal (add (FIRST, "aaaa"), 0);
    assert_taken ("bbbbddddaaaa");
    assert_int_equal (add (SECOND, "eeee"), 0);
    proposals_forget (&proposals, SECOND);
    assert_int_equal (proposals_count (&proposals), 0);
    assert_taken ("");
}

/* Each may have so much waiting: what was taken counts no more. */
static void test_bound (void **state)
{
    (void) state;
    struct bounds bounds = {.what = NULL};
    proposals.waiting_max = 2 * ENTRY_SIZE;
    assert_int_equal (add (FIRST, "aaaa"), 0);
    assert_int_equal (add (FIRST, "bbbb"), 0);
    assert_int_equal (add (FIRST, "cccc"), COHORT_ELIMIT);
    assert_int_equal (add (SECOND, "dddd"), 0);
    proposals_bounds (&proposals, &bounds);
    assert_null (bounds.what);
    assert_taken ("aaaabbbbdddd");
    assert_int_equal (add (FIRST, "eeee"), 0);
    assert_int_equal (add (FIRST, "ffff"), 0);
    assert_int_equal (add (FIRST, "gggg"), COHORT_ELIMIT);
    proposals_forget (&proposals, FIRST);
    assert_int_equal (add (FIRST, "hhhh"), 0);
    proposals.waiting_max = ENTRY_SIZE - 1;
    proposals_bounds (&proposals, &bounds);
    assert_non_null (bounds.what);
    assert_int_equal (bounds.who, FIRST);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_order, setup, teardown),
        cmocka_unit_test_setup_teardown (test_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown (test_bound, setup, teardown),
    };
    return cmocka_run_group_tests_name ("proposals", tests, NULL, NULL);
}
