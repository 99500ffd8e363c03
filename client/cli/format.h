/* The shapes of output that -o names.
 * May include: libc only. */

#ifndef COHORT_CLI_FORMAT_H
#define COHORT_CLI_FORMAT_H

#include <stdbool.h>

enum format {
    FORMAT_TEXT,
    FORMAT_JSON, /* one value, indented */
    FORMAT_JSONL /* one value a line: the items of what would be an array */
};

/* False: text names no format; *format is as it was. */
bool format_parse (const char *text, enum format *format);

#endif
