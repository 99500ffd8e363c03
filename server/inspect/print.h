/* server/inspect/print.h - a report for people, and for pipes */
#ifndef SERVER_INSPECT_PRINT_H
#define SERVER_INSPECT_PRINT_H

#include <stdio.h>

#include "server/inspect/inspect.h"

struct print_options {
    const char *folder; /* its name, as it is printed */
    struct disk *disk;  /* borrowed: records are read again */
    bool records;
    zxid_t from, to; /* of the records; to 0: all */
};

/* Both: 0 or an error, noted; a stream that cannot be written is not looked at here. */
int print_text (FILE *stream, const struct print_options *options,
                const struct inspect_report *report, struct fault *fault);
int print_json (FILE *stream, const struct print_options *options,
                const struct inspect_report *report, struct fault *fault);

/* ---- Shared ------------------------------------------------------------------------------ */

enum { PRINT_TEXT_SIZE = 48 };

/* "4.17", "-" for none; "0x40000000011". */
const char *print_zxid (zxid_t zxid, char text[PRINT_TEXT_SIZE]);
const char *print_id (uint64_t id, char text[PRINT_TEXT_SIZE]);
const char *print_cluster (const uint8_t id[16], char text[PRINT_TEXT_SIZE]);
/* "2026-11-22T00:40:01Z" */
const char *print_time (int64_t time_ms, char text[PRINT_TEXT_SIZE]);
/* "entry", "mark" or "seal". */
const char *print_record_type (enum record_type type);
/* Whether an entry, or a mark behind it, is one of those that shall be printed. */
bool print_wants (const struct print_options *options, zxid_t zxid);

/* What a server would do with the folder: one line. */
void print_outcome (const struct inspect_report *report, char *text, size_t size);

#endif
