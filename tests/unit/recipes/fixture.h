/* What tests on the fake client begin and end with. */

#ifndef COHORT_TESTS_RECIPES_FIXTURE_H
#define COHORT_TESTS_RECIPES_FIXTURE_H

#include "tests/unit/recipes/fake.h"
#include "tests/unit/recipes/trace.h"

static inline int fake_start (void **state)
{
    (void) state;
    trace_text[0] = 0;
    fake_reset ();
    return 0;
}

static inline int fake_stop (void **state)
{
    (void) state;
    fake_reset ();
    return 0;
}

#endif
