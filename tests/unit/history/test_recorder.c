/* Where the recorder of real servers' clients puts what nobody was told of. */

#include "tests/cluster/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/base/buf.h"
#include "server/tree/entry.h"
#include "tests/unit/unit.h"

enum { TEXT_MAX = 4096, LONG_MS = 60000 };

static int64_t wall_ms (void)
{
    struct timespec now;
    assert_int_equal (clock_gettime (CLOCK_REALTIME, &now), 0);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The end of a session that the log has, with this time stamp. */
static void log_end (struct log_copy *log, uint64_t zxid, int64_t stamp_ms)
{
    struct buf bytes = {0};
    struct entry entry = {.kind = ENTRY_CLOSE};
    entry.u.close = (struct entry_close){
        .session = 1, .attach_no = 1, .incarnation = 1, .reason = ENTRY_EXPIRED};
    entry_encode (&bytes, &entry);
    assert_false (bytes.failed);
    log->entries = realloc (log->entries, (log->count + 1) * sizeof *log->entries);
    assert_non_null (log->entries);
    log->entries[log->count++] = (struct log_copy_entry){
        .zxid = zxid, .stamp_ms = stamp_ms, .data = bytes.data, .size = bytes.size};
}

/* A write of session 1, as its process of that incarnation. */
static void log_write (struct log_copy *log, uint64_t zxid, uint32_t incarnation, uint64_t number)
{
    struct buf bytes = {0};
    struct entry entry = {.kind = ENTRY_WRITE};
    struct op op = {.kind = OP_CLOSE_SESSION};
    entry.u.write = (struct entry_write){
        .session = 1, .incarnation = incarnation, .number = number, .count = 1};
    entry_encode (&bytes, &entry);
    op_encode (&bytes, &op);
    assert_false (bytes.failed);
    log->entries = realloc (log->entries, (log->count + 1) * sizeof *log->entries);
    assert_non_null (log->entries);
    log->entries[log->count++] = (struct log_copy_entry){
        .zxid = zxid, .stamp_ms = wall_ms (), .data = bytes.data, .size = bytes.size};
}

static void note_session (struct recorder *self, uint32_t client, uint32_t incarnation)
{
    struct history_event event = {.kind = HISTORY_SESSION, .client = client};
    event.u.session = (struct history_session){.id = 1, .incarnation = incarnation};
    recorder_note (self, event);
}

static void note_call (struct recorder *self, uint32_t client, uint64_t number)
{
    struct history_op op = {.kind = HISTORY_CLOSE, .path = "", .value = ""};
    struct history_event event = {.kind = HISTORY_CALL, .client = client};
    event.u.call = (struct history_call){
        .id = recorder_new_call (self), .number = number, .ops = &op, .count = 1};
    recorder_note (self, event);
}

static void note (struct recorder *self, enum history_kind kind)
{
    recorder_note (self, (struct history_event){.kind = kind});
}

/* A client is told of this zxid. */
static void note_told (struct recorder *self, uint64_t zxid)
{
    struct history_event event = {.kind = HISTORY_RETURN, .client = recorder_new_client (self)};
    event.u.result.zxid = zxid;
    recorder_note (self, event);
}

/* The kinds of the lines of the history, as they follow each other. */
static void expect_order (struct recorder *self, struct log_copy *log, const char *order)
{
    char path[] = "/tmp/cohort-recorder-XXXXXX", line[TEXT_MAX], got[TEXT_MAX] = "";
    int fd = mkstemp (path);
    assert_true (fd >= 0);
    (void) close (fd);
    assert_true (recorder_merge (self, log, path));
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    while (fgets (line, sizeof line, file) != NULL) {
        char kind[32];
        if (sscanf (line, "%*d %*s %31s", kind) == 1) {
            size_t used = strlen (got);
            (void) snprintf (got + used, sizeof got - used, " %s", kind);
        }
    }
    (void) fclose (file);
    (void) unlink (path);
    assert_string_equal (got, order);
    log_copy_deinit (log);
    recorder_free (&self);
}

static struct recorder *begin (struct log_copy *log)
{
    char path[] = "/tmp/cohort-recorder-XXXXXX";
    int fd = mkstemp (path);
    assert_true (fd >= 0);
    (void) close (fd);
    log_copy_init (log);
    struct recorder *self = recorder_new (path);
    (void) unlink (path); /* it has the file */
    return self;
}

/* Nobody hears of an end until later: it stands where the leader has decided it. */
static void test_stamps (void **state)
{
    struct log_copy log;
    struct recorder *self = begin (&log);
    (void) state;
    log_end (&log, 1, wall_ms () - LONG_MS);
    note (self, HISTORY_CALM);
    log_end (&log, 2, wall_ms () + LONG_MS);
    note_told (self, 2);
    expect_order (self, &log, " entry calm entry return");
}

/* A leader's clock that was set back makes nothing older, and what was before that stays where it
 * was. */
static void test_clock_set (void **state)
{
    struct log_copy log;
    struct recorder *self = begin (&log);
    (void) state;
    log_end (&log, 1, wall_ms () - LONG_MS);
    note (self, HISTORY_CALM);
    note_told (self, 1);
    recorder_doubt (self);
    log_end (&log, 2, wall_ms () - LONG_MS + 1);
    note (self, HISTORY_UNCALM);
    note_told (self, 2);
    expect_order (self, &log, " entry calm return uncalm entry return");
}

/* Who is told that its session has ended names no zxid; but that end was before. */
static void test_lost (void **state)
{
    struct log_copy log;
    struct recorder *self = begin (&log);
    struct history_event event = {.kind = HISTORY_SESSION, .client = recorder_new_client (self)};
    event.u.session.id = 1;
    (void) state;
    recorder_doubt (self);
    recorder_note (self, event);
    log_end (&log, 1, wall_ms ());
    note (self, HISTORY_CALM);
    event.kind = HISTORY_LOST;
    recorder_note (self, event);
    note_told (self, 1);
    expect_order (self, &log, " session calm entry lost return");
}

/* The clock is right again: what is proposed from then on stands where its stamp says. */
static void test_clock_set_right (void **state)
{
    struct log_copy log;
    struct recorder *self = begin (&log);
    (void) state;
    recorder_doubt (self);
    recorder_doubt (self);
    note (self, HISTORY_CALM);
    log_end (&log, 1, wall_ms () - 2);
    note (self, HISTORY_UNCALM);
    note_told (self, 1);
    recorder_trust (self);
    recorder_trust (self);
    int64_t trusted_ms = wall_ms ();
    while (wall_ms () <= trusted_ms + 10) {
        /* by more than clocks differ */
    }
    log_end (&log, 2, trusted_ms + 1);
    note (self, HISTORY_CALM);
    note_told (self, 2);
    /* And it is set once more. */
    recorder_doubt (self);
    log_end (&log, 3, trusted_ms + 2);
    note (self, HISTORY_UNCALM);
    note_told (self, 3);
    expect_order (self, &log, " calm uncalm entry return entry calm return uncalm entry return");
}

/* A calm in which the machine stood still is no calm. */
static void test_calm_withdrawn (void **state)
{
    struct log_copy log;
    struct recorder *self = begin (&log);
    (void) state;
    note (self, HISTORY_CALM);
    note (self, HISTORY_UNCALM);
    uint64_t since = recorder_events (self);
    log_end (&log, 1, wall_ms () - LONG_MS);
    note (self, HISTORY_LED);
    note (self, HISTORY_CALM);
    note_told (self, 1);
    note (self, HISTORY_UNCALM);
    recorder_withdraw_calm (self, since);
    note (self, HISTORY_SETTLED);
    expect_order (self, &log, " entry calm uncalm return settled");
}

/* What the process before has asked for says nothing about the one that goes on with its session.
 */
static void test_asked_by_another_process (void **state)
{
    struct log_copy log;
    struct recorder *self = begin (&log);
    (void) state;
    uint32_t first = recorder_new_client (self), second = recorder_new_client (self);
    note_session (self, first, 1);
    note_call (self, first, 1);
    note_session (self, second, 2);
    log_write (&log, 1, 2, 1);
    int64_t logged_ms = wall_ms ();
    while (wall_ms () <= logged_ms + 10) {
        /* by more than clocks differ */
    }
    note (self, HISTORY_CALM);
    note_call (self, second, 1);
    note_told (self, 1);
    expect_order (self, &log, " session call session calm call entry return");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_stamps),         cmocka_unit_test (test_clock_set),
        cmocka_unit_test (test_lost),           cmocka_unit_test (test_clock_set_right),
        cmocka_unit_test (test_calm_withdrawn), cmocka_unit_test (test_asked_by_another_process)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
