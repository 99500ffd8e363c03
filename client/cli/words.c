#include "client/cli/words.h"

#include <stddef.h>

static bool is_blank (char character)
{
    return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

/* Copies the word at *next to *to, without its quotes, and moves both behind it. */
static bool take_word (char **next, char **to)
{
    char quote = 0;
    for (; **next != 0 && (quote != 0 || !is_blank (**next)); (*next)++) {
        char character = **next;
        if (quote == 0 && (character == '\'' || character == '"')) {
            quote = character;
        } else if (quote != 0 && character == quote) {
            quote = 0;
        } else if (character == '\\' && quote != '\'' && (*next)[1] != 0) {
            *(*to)++ = *++*next;
        } else {
            *(*to)++ = character;
        }
    }
    return quote == 0;
}

bool words_split (struct words *self, char *line, const char **error)
{
    self->count = 0;
    char *next = line, *to = line;
    for (;;) {
        while (is_blank (*next)) {
            next++;
        }
        if (*next == 0 || *next == '#') {
            break;
        }
        if (self->count == WORDS_MAX) {
            *error = "too many words";
            return false;
        }
        self->items[self->count++] = to;
        if (!take_word (&next, &to)) {
            *error = "a quote is not closed";
            return false;
        }
        /* The blank that ended the word, if any, makes room for its end. */
        bool more = *next != 0;
        *to++ = 0;
        if (!more) {
            break;
        }
        next++;
    }
    self->items[self->count] = NULL;
    return true;
}
