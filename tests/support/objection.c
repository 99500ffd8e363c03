/* What a checker has against something. */

#include "tests/support/objection.h"

#include <stdarg.h>
#include <stdio.h>

bool object (struct objection *objection, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    (void) vsnprintf (objection->text, sizeof objection->text, format, args);
    va_end (args);
    return false;
}
