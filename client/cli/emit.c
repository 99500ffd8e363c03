#include "client/cli/emit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/output.h"

#define INDENT 2

void emit_begin (struct emit *self, enum format format)
{
    assert (format != FORMAT_TEXT);
    self->format = format;
    self->count = 0;
}

/* Indented as if the array had been printed at once: every line of the item moves to the right. */
static bool print_indented (json_t *item)
{
    char *text = json_dumps (item, JSON_INDENT (INDENT) | JSON_ENCODE_ANY);
    if (text == NULL) {
        return false;
    }
    fprintf (stdout, "\n%*s", INDENT, "");
    for (const char *next = text; *next != 0; next++) {
        fputc (*next, stdout);
        /* A line feed inside a string is written \n: this one separates lines. */
        if (*next == '\n') {
            fprintf (stdout, "%*s", INDENT, "");
        }
    }
    free (text);
    return true;
}

bool emit_item (struct emit *self, json_t *item)
{
    if (item == NULL) {
        return false;
    }
    if (self->format == FORMAT_JSONL) {
        self->count++;
        return output_json (stdout, item, 0);
    }
    fputc (self->count++ > 0 ? ',' : '[', stdout);
    bool worked = print_indented (item);
    json_decref (item);
    return worked;
}

void emit_end (struct emit *self)
{
    if (self->format == FORMAT_JSON) {
        fputs (self->count > 0 ? "\n]\n" : "[]\n", stdout);
    }
}

void emit_cut (struct emit *self)
{
    if (self->count > 0) {
        emit_end (self);
    }
}

int emit_value (enum format format, json_t *value)
{
    if (!output_json (stdout, value, format == FORMAT_JSONL ? 0 : INDENT)) {
        message ("out of memory");
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}
