/* What a checker has against something, for people. May include: libc. */

#ifndef TESTS_SUPPORT_OBJECTION_H
#define TESTS_SUPPORT_OBJECTION_H

#include <stdbool.h>

struct objection {
    char text[512];
};

/* Writes the text and returns false: for `return good || object (...)`. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
bool object (struct objection *objection, const char *format, ...);

#endif
