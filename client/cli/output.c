#include "client/cli/output.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const char *output_id (uint64_t id, char buffer[OUTPUT_ID_SIZE])
{
    snprintf (buffer, OUTPUT_ID_SIZE, "0x%" PRIx64, id);
    return buffer;
}

/* As Java prints a date, for that is what zkCli shows: Thu Jan 01 00:00:00 UTC 1970. */
static void print_time (FILE *stream, const char *name, int64_t time_ms)
{
    time_t seconds = (time_t) (time_ms / 1000);
    struct tm fields;
    char text[64] = "?";
    if (localtime_r (&seconds, &fields) != NULL) {
        strftime (text, sizeof text, "%a %b %d %H:%M:%S %Z %Y", &fields);
    }
    fprintf (stream, "%s = %s\n", name, text);
}

/* ZooKeeper has no field for the mode: its containers and znodes with a time to live show in the
 * owner, where an ephemeral has its session. */
static uint64_t owner_of (const cohort_stat_t *stat)
{
    if (stat->mode & COHORT_CONTAINER) {
        return UINT64_C (0x8000000000000000);
    }
    if (stat->ttl_ms > 0) {
        return UINT64_C (0xff) << 56 | ((uint64_t) stat->ttl_ms & ((UINT64_C (1) << 40) - 1));
    }
    return stat->ephemeral_owner;
}

const char *output_mode_name (const cohort_stat_t *stat)
{
    return stat->mode & COHORT_CONTAINER                                 ? "container"
           : stat->mode & COHORT_EPHEMERAL || stat->ephemeral_owner != 0 ? "ephemeral"
                                                                         : "persistent";
}

void output_stat (FILE *stream, const cohort_stat_t *stat)
{
    fprintf (stream, "cZxid = 0x%" PRIx64 "\n", stat->czxid);
    print_time (stream, "ctime", stat->ctime_ms);
    fprintf (stream, "mZxid = 0x%" PRIx64 "\n", stat->mzxid);
    print_time (stream, "mtime", stat->mtime_ms);
    fprintf (stream, "pZxid = 0x%" PRIx64 "\n", stat->pzxid);
    fprintf (stream, "cversion = %" PRId32 "\n", stat->cversion);
    fprintf (stream, "dataVersion = %" PRId32 "\n", stat->version);
    fprintf (stream, "aclVersion = %" PRId32 "\n", stat->aversion);
    fprintf (stream, "ephemeralOwner = 0x%" PRIx64 "\n", owner_of (stat));
    fprintf (stream, "dataLength = %" PRId32 "\n", stat->data_size);
    fprintf (stream, "numChildren = %" PRIu32 "\n", stat->child_count);
}

void output_hexdump (FILE *stream, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t start = 0; start < size; start += 16) {
        size_t count = size - start < 16 ? size - start : 16;
        fprintf (stream, "%08zx ", start);
        for (size_t i = 0; i < 16; i++) {
            if (i < count) {
                fprintf (stream, "%s%02x", i == 8 ? "  " : " ", bytes[start + i]);
            } else {
                fputs (i == 8 ? "    " : "   ", stream);
            }
        }
        fputs ("  |", stream);
        for (size_t i = 0; i < count; i++) {
            unsigned char byte = bytes[start + i];
            fputc (byte >= 0x20 && byte < 0x7f ? byte : '.', stream);
        }
        fputs ("|\n", stream);
    }
    if (size > 0) {
        fprintf (stream, "%08zx\n", size);
    }
}

/* Four digits and a 0 for up to three bytes. */
static void encode_base64 (const unsigned char *bytes, size_t count, char digits[5])
{
    uint32_t bits = (uint32_t) bytes[0] << 16;
    bits |= count > 1 ? (uint32_t) bytes[1] << 8 : 0;
    bits |= count > 2 ? (uint32_t) bytes[2] : 0;
    digits[0] = base64_digits[bits >> 18 & 63];
    digits[1] = base64_digits[bits >> 12 & 63];
    digits[2] = (char) (count > 1 ? base64_digits[bits >> 6 & 63] : '=');
    digits[3] = (char) (count > 2 ? base64_digits[bits & 63] : '=');
    digits[4] = 0;
}

void output_base64 (FILE *stream, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    char digits[5];
    for (size_t i = 0; i < size; i += 3) {
        encode_base64 (bytes + i, size - i, digits);
        fputs (digits, stream);
    }
}

bool output_decode_base64 (char *text, size_t *size)
{
    size_t written = 0;
    uint32_t bits = 0;
    unsigned digits = 0, padding = 0;
    for (size_t i = 0; i < *size; i++) {
        if (isspace ((unsigned char) text[i])) {
            continue;
        }
        const char *digit = text[i] != 0 ? strchr (base64_digits, text[i]) : NULL;
        if (text[i] == '=') {
            padding++;
        } else if (digit == NULL || padding > 0) {
            return false;
        }
        bits = bits << 6 | (digit != NULL ? (uint32_t) (digit - base64_digits) : 0);
        if (++digits % 4 != 0) {
            continue;
        }
        if (padding > 2) {
            return false;
        }
        /* Never more than was read: four characters become three bytes. */
        for (unsigned k = 0; k < 3 - padding; k++) {
            text[written++] = (char) (bits >> (16 - 8 * k) & 0xff);
        }
    }
    *size = written;
    return digits % 4 == 0;
}

/* The bytes of the UTF-8 character that data begins with, 0 when there is no valid one. */
static size_t utf8_size (const unsigned char *data, size_t size)
{
    size_t wanted = data[0] < 0x80   ? 1
                    : data[0] < 0xc2 ? 0
                    : data[0] < 0xe0 ? 2
                    : data[0] < 0xf0 ? 3
                    : data[0] < 0xf5 ? 4
                                     : 0;
    if (wanted == 0 || wanted > size) {
        return 0;
    }
    for (size_t i = 1; i < wanted; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* Overlong forms, surrogates, and what lies above the last code point. */
    if ((data[0] == 0xe0 && data[1] < 0xa0) || (data[0] == 0xed && data[1] > 0x9f) ||
        (data[0] == 0xf0 && data[1] < 0x90) || (data[0] == 0xf4 && data[1] > 0x8f)) {
        return 0;
    }
    return wanted;
}

void output_escaped (FILE *stream, const void *data, size_t size)
{
    static const char special[] = "\n\t\r\\", letters[] = "ntr\\";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size;) {
        size_t count = utf8_size (bytes + i, size - i);
        const char *found = bytes[i] != 0 ? strchr (special, bytes[i]) : NULL;
        if (found != NULL) {
            fprintf (stream, "\\%c", letters[found - special]);
        } else if (count > 1 || (count == 1 && bytes[i] >= 0x20 && bytes[i] != 0x7f)) {
            fwrite (bytes + i, 1, count, stream);
        } else {
            fprintf (stream, "\\x%02x", bytes[i]);
            count = 1;
        }
        i += count;
    }
}

void output_list_inline (FILE *stream, const char *const *items, size_t count)
{
    fputc ('[', stream);
    for (size_t i = 0; i < count; i++) {
        fprintf (stream, "%s%s", i > 0 ? ", " : "", items[i]);
    }
    fputs ("]\n", stream);
}

void output_list_lines (FILE *stream, const char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf (stream, "%s\n", items[i]);
    }
}

void output_table (FILE *stream, const char *const *cells, size_t rows, size_t columns)
{
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            const char *cell = cells[row * columns + column];
            if (column + 1 == columns) {
                fprintf (stream, "%s\n", cell);
                break;
            }
            size_t width = 0;
            for (size_t i = 0; i < rows; i++) {
                size_t size = strlen (cells[i * columns + column]);
                width = size > width ? size : width;
            }
            fprintf (stream, "%-*s  ", (int) width, cell);
        }
    }
}

static bool is_text (const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t count = utf8_size (data + i, size - i);
        /* A 0 byte is valid UTF-8, but few readers of JSON survive it. */
        if (count == 0 || data[i] == 0) {
            return false;
        }
        i += count;
    }
    return true;
}

void output_json_data (json_t *object, const void *data, size_t size)
{
    if (is_text (data, size)) {
        /* Of no data there may be no address either. */
        json_object_set_new (object, "data", json_stringn (size > 0 ? data : "", size));
        return;
    }
    size_t text_size = (size + 2) / 3 * 4;
    char *text = malloc (text_size + 1);
    if (text != NULL) {
        for (size_t i = 0; i < size; i += 3) {
            encode_base64 ((const unsigned char *) data + i, size - i, text + i / 3 * 4);
        }
        json_object_set_new (object, "data_base64", json_stringn (text, text_size));
    }
    free (text);
}

json_t *output_json_stat (const cohort_stat_t *stat)
{
    char czxid[OUTPUT_ID_SIZE], mzxid[OUTPUT_ID_SIZE], pzxid[OUTPUT_ID_SIZE];
    char owner[OUTPUT_ID_SIZE], ozxid[OUTPUT_ID_SIZE];
    return json_pack (
        "{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:i, s:s, s:s, s:i, s:I, s:s, s:I}", "czxid",
        output_id (stat->czxid, czxid), "mzxid", output_id (stat->mzxid, mzxid), "pzxid",
        output_id (stat->pzxid, pzxid), "ctime_ms", (json_int_t) stat->ctime_ms, "mtime_ms",
        (json_int_t) stat->mtime_ms, "version", (int) stat->version, "cversion",
        (int) stat->cversion, "aversion", (int) stat->aversion, "ephemeral_owner",
        output_id (stat->ephemeral_owner, owner), "ozxid", output_id (stat->ozxid, ozxid),
        "data_size", (int) stat->data_size, "child_count", (json_int_t) stat->child_count, "mode",
        output_mode_name (stat), "ttl_ms", (json_int_t) stat->ttl_ms);
}

bool output_json (FILE *stream, json_t *value, int indent)
{
    bool worked = false;
    if (value != NULL) {
        size_t flags = JSON_ENCODE_ANY | (indent > 0 ? JSON_INDENT ((size_t) indent) : 0);
        worked = json_dumpf (value, stream, flags) == 0 && fputc ('\n', stream) != EOF;
        json_decref (value);
    }
    return worked;
}
