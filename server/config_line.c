/*
 * server/config_line.c - what is said about a line of the configuration file
 */
#include "server/config_line.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void config_escape_controls (char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strlen (text);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char) text[i];
        if (c >= 0x20 && c != 0x7f) {
            continue;
        }
        /* A text that fills all there is was cut off: this one was not, and is not to look so. */
        if (length + 4 >= size) {
            text[i] = '?';
            continue;
        }
        memmove (text + i + 4, text + i + 1, length - i);
        memcpy (text + i, "\\x", 2);
        text[i + 2] = digits[c >> 4];
        text[i + 3] = digits[c & 15];
        length += 3;
        i += 3;
    }
}

int config_complain (const struct config_line *line, const char *format, ...)
{
    va_list args;
    bool key_cut = strlen (line->key) > CONFIG_SHOWN_MAX;
    bool value_cut = strlen (line->value) > CONFIG_SHOWN_MAX;
    int size = snprintf (line->error, line->error_size, "%s:%d: %.*s%s=%.*s%s: ", line->file,
                         line->number, CONFIG_SHOWN_MAX, line->key, key_cut ? "..." : "",
                         CONFIG_SHOWN_MAX, line->value, value_cut ? "..." : "");
    if (size >= 0 && (size_t) size < line->error_size) {
        va_start (args, format);
        (void) vsnprintf (line->error + size, line->error_size - (size_t) size, format, args);
        va_end (args);
    }
    return COHORT_ECONFIG;
}

void config_notice (struct config_file *self, const char *format, ...)
{
    va_list args;
    if (self->notices_count < CONFIG_NOTICES_MAX) {
        va_start (args, format);
        (void) vsnprintf (self->notices[self->notices_count], CONFIG_TEXT_SIZE, format, args);
        va_end (args);
        config_escape_controls (self->notices[self->notices_count++], CONFIG_TEXT_SIZE);
    }
}

int config_set_string (const struct config_line *line, char *field, size_t size)
{
    if (strlen (line->value) >= size) {
        return config_complain (line, "longer than %zu bytes", size - 1);
    }
    memcpy (field, line->value, strlen (line->value) + 1);
    return 0;
}

bool config_parse_id (const char *text, uint32_t *id)
{
    char *end;
    unsigned long number = strtoul (text, &end, 10);
    *id = (uint32_t) number;
    return isdigit ((unsigned char) *text) && *end == '\0' && number > 0 && number <= INT32_MAX;
}
