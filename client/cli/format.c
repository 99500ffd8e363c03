#include "client/cli/format.h"

#include <string.h>

bool format_parse (const char *text, enum format *format)
{
    static const char *const names[] = {"text", "json", "jsonl"};
    for (int i = 0; i < 3; i++) {
        if (strcmp (text, names[i]) == 0) {
            *format = (enum format) i;
            return true;
        }
    }
    return false;
}
