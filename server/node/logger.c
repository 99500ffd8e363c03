/* logger.c: see logger.h. */

#include "server/node/logger.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum { DETAILS_MAX = 512 }; /* bytes of a line's details; longer ones are cut */

void logger_write (const struct logger *self, enum log_level level, const char *event,
                   const char *format, ...)
{
    if (self->fn == NULL || level > self->level) {
        return;
    }
    char details[DETAILS_MAX];
    va_list args;
    va_start (args, format);
    vsnprintf (details, sizeof details, format, args);
    va_end (args);
    self->fn (self->arg, level, event, details);
}
