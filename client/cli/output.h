/* How data, stats, lists and tables look. Pure: what is printed goes to the stream it is given.
 * May include: the public client API; jansson. */

#ifndef COHORT_CLI_OUTPUT_H
#define COHORT_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cohort/types.h"

/* "0x100000005": how zxids and session ids are written everywhere. */
#define OUTPUT_ID_SIZE 19
const char *output_id (uint64_t id, char buffer[OUTPUT_ID_SIZE]);

/* ZooKeeper's eleven lines, times in the local zone: "cZxid = 0x1" and so on. The owner of a
 * container is 0x8000000000000000, that of a znode with a time to live 0xff in the top byte and the
 * time: as ZooKeeper has them. */
void output_stat (FILE *stream, const cohort_stat_t *stat);

/* "persistent", "ephemeral" or "container". */
const char *output_mode_name (const cohort_stat_t *stat);

/* As `hexdump -C`, and as base64 in one line. */
void output_hexdump (FILE *stream, const void *data, size_t size);
void output_base64 (FILE *stream, const void *data, size_t size);

/* One line, whatever the data: \n \t \r \\, and \xNN for what is not printable ASCII or part of a
 * valid UTF-8 character. Without a line feed at the end. */
void output_escaped (FILE *stream, const void *data, size_t size);

/* "[a, b]", and one item a line. */
void output_list_inline (FILE *stream, const char *const *items, size_t count);
void output_list_lines (FILE *stream, const char *const *items, size_t count);

/* rows * columns cells, the first row is the head. Columns are aligned, two blanks between. */
void output_table (FILE *stream, const char *const *cells, size_t rows, size_t columns);

/* Sets "data" (text that is valid UTF-8) or "data_base64" of an object. */
void output_json_data (json_t *object, const void *data, size_t size);

/* All fields of a stat under Cohort's names; zxids and session ids are strings. */
json_t *output_json_stat (const cohort_stat_t *stat);

/* Prints value in one line (indent 0) or indented, and releases it; NULL counts as no memory.
 * Returns whether it worked. */
bool output_json (FILE *stream, json_t *value, int indent);

/* Decodes base64 in place, blanks and line feeds skipped; false when it is none. */
bool output_decode_base64 (char *text, size_t *size);

#endif
