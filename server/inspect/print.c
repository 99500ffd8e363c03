/* server/inspect/print.c - what both forms of a report share */
#include "server/inspect/print.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cohort/error.h"

const char *print_zxid (zxid_t zxid, char text[PRINT_TEXT_SIZE])
{
    if (zxid == 0) {
        return "-";
    }
    (void) snprintf (text, PRINT_TEXT_SIZE, "%" PRIu32 ".%" PRIu64, zxid_epoch (zxid),
                     zxid_counter (zxid));
    return text;
}

const char *print_id (uint64_t id, char text[PRINT_TEXT_SIZE])
{
    (void) snprintf (text, PRINT_TEXT_SIZE, "0x%" PRIx64, id);
    return text;
}

const char *print_cluster (const uint8_t id[16], char text[PRINT_TEXT_SIZE])
{
    for (size_t i = 0; i < 16; i++) {
        (void) snprintf (text + 2 * i, 3, "%02x", id[i]);
    }
    return text;
}

const char *print_time (int64_t time_ms, char text[PRINT_TEXT_SIZE])
{
    time_t seconds = (time_t) (time_ms / 1000);
    struct tm utc;
    if (gmtime_r (&seconds, &utc) == NULL ||
        strftime (text, PRINT_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        return "-";
    }
    return text;
}

const char *print_record_type (enum record_type type)
{
    return type == RECORD_ENTRY ? "entry" : type == RECORD_MARK ? "mark" : "seal";
}

bool print_wants (const struct print_options *options, zxid_t zxid)
{
    return zxid >= options->from && (options->to == 0 || zxid <= options->to);
}

void print_outcome (const struct inspect_report *report, char *text, size_t size)
{
    const struct inspect_outcome *outcome = &report->outcome;
    char last[PRINT_TEXT_SIZE], suspect[PRINT_TEXT_SIZE];
    if (outcome->code == COHORT_ECORRUPT && report->meta == NULL) {
        (void) snprintf (
            text, size,
            "alone does not start; as a member of an ensemble it sets everything aside, "
            "and joins as an emptied one");
    } else if (outcome->code != 0) {
        (void) snprintf (text, size, "does not start, and changes nothing");
    } else if (outcome->trust == ZAB_DAMAGED) {
        (void) snprintf (text, size,
                         "starts with what is sound, up to %s, without a vote, until it has the "
                         "leader's history",
                         print_zxid (outcome->last, last));
    } else if (outcome->trust == ZAB_SUSPECT) {
        (void) snprintf (text, size,
                         "starts with the log up to %s, suspect up to %s: its vote counts as far "
                         "as others confirm it",
                         print_zxid (outcome->last, last), print_zxid (outcome->suspect, suspect));
    } else {
        (void) snprintf (text, size, "starts with all of the log, up to %s",
                         print_zxid (outcome->last, last));
    }
}
