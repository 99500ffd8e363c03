#include "client/cli/format.h"

#include <string.h>

#include "client/cli/message.h"

bool format_of (const struct arguments *arguments, enum format *format)
{
    const char *text = arguments_value (arguments, 'o');
    if (text == NULL || strcmp (text, "text") == 0) {
        *format = FORMAT_TEXT;
    } else if (strcmp (text, "json") == 0) {
        *format = FORMAT_JSON;
    } else {
        message ("--output: '%s' is not a format: text or json", text);
        return false;
    }
    return true;
}
