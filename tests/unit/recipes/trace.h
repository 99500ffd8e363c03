/* A line of text that handlers write and tests compare: "registered 3; updated; " and so on. */

#ifndef COHORT_TESTS_RECIPES_TRACE_H
#define COHORT_TESTS_RECIPES_TRACE_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

static char trace_text[4096];

__attribute__ ((format (printf, 1, 2))) static inline void trace (const char *format, ...)
{
    size_t used = strlen (trace_text);
    va_list args;
    va_start (args, format);
    vsnprintf (trace_text + used, sizeof (trace_text) - used, format, args);
    va_end (args);
}

/* Compares what was written since the last comparison. */
#define assert_trace(expected)                                                                     \
    do {                                                                                           \
        assert_string_equal (trace_text, expected);                                                \
        trace_text[0] = 0;                                                                         \
    } while (0)

#endif
