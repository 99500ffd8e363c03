/* What a command prints as JSON: one value, or one value after the other without keeping them.
 * May include: format, output. */

#ifndef COHORT_CLI_EMIT_H
#define COHORT_CLI_EMIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/cli/format.h"

/* A list on stdout whose items are printed as they come: an array with FORMAT_JSON, one item a
 * line with FORMAT_JSONL. */
struct emit {
    enum format format; /* not FORMAT_TEXT */
    size_t count;
};

void emit_begin (struct emit *self, enum format format);

/* Releases the item; NULL counts as no memory. False: it could not be printed. */
bool emit_item (struct emit *self, json_t *item);
void emit_end (struct emit *self);

/* Instead of emit_end, after an error: closes what was begun; before the first item that is
 * nothing, and nothing is printed. */
void emit_cut (struct emit *self);

/* Prints the only value of a command, and releases it. Returns the exit status. */
int emit_value (enum format format, json_t *value);

#endif
