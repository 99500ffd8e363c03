/* Writes down what clients of real servers ask for and are told. */

#include "tests/cluster/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/base/arena.h"
#include "client/base/assert.h"
#include "client/base/buf.h"
#include "tests/history/log_entry.h"
#include "tests/history/text.h"

enum {
    ARENA_BLOCK = 64 << 10,
    ARENA_KEEP = 1 << 20,
    CLOCKS_DIFFER_MS = 2, /* two readings of two clocks, each cut to whole milliseconds */
    CLOCK_STEP_MS = 20,
    READINGS = 3
};

/* Of an event that is in the file. */
struct noted {
    int64_t time_ms;
    uint64_t zxid; /* the highest that it names; 0: none */
    uint32_t client;
    uint64_t number;  /* of the write that is asked for; 0: none is */
    uint64_t session; /* that its client has from now on; 0: as before */
    uint32_t incarnation;
    bool lost; /* its client is told that its session has ended */
    bool calm; /* it says that all is well */
    bool withdrawn;
};

/* Of entries behind this zxid with a stamp before that time nobody knows when they were proposed.
 */
struct doubt {
    uint64_t after_zxid;
    int64_t until_ms; /* of CLOCK_REALTIME */
};

struct recorder {
    FILE *file;
    char *path;
    int64_t start_ms;  /* CLOCK_MONOTONIC */
    int64_t offset_ms; /* CLOCK_REALTIME to this recorder's time, at the beginning */
    int64_t last_ms;
    uint64_t zxid;
    struct doubt *doubts;
    size_t doubts_count, doubts_capacity;
    bool clock_set; /* of this machine: a doubt without an end */
    uint32_t clients;
    uint64_t calls;
    struct noted *noted;
    size_t noted_count, noted_capacity;
};

static int64_t clock_ms (clockid_t clock)
{
    struct timespec now;
    COHORT_ASSERT (clock_gettime (clock, &now) == 0);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void check (bool good, const char *path)
{
    if (!good) {
        fprintf (stderr, "%s: %s\n", path, strerror (errno));
        exit (1);
    }
}

/* The machine may stand still between two readings: that of several counts between which it has
 * done so least. */
static int64_t offset_now (const struct recorder *self)
{
    int64_t offset_ms = INT64_MIN;
    for (int i = 0; i < READINGS; i++) {
        int64_t wall_ms = clock_ms (CLOCK_REALTIME);
        int64_t read_ms = wall_ms - (clock_ms (CLOCK_MONOTONIC) - self->start_ms);
        offset_ms = read_ms > offset_ms ? read_ms : offset_ms;
    }
    return offset_ms;
}

struct recorder *recorder_new (const char *path)
{
    struct recorder *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    self->path = strdup (path);
    COHORT_ASSERT (self->path != NULL);
    self->file = fopen (path, "w+");
    check (self->file != NULL, path);
    self->start_ms = clock_ms (CLOCK_MONOTONIC);
    self->offset_ms = offset_now (self);
    return self;
}

void recorder_free (struct recorder **self_p)
{
    struct recorder *self = *self_p;
    if (self != NULL) {
        *self_p = NULL;
        (void) fclose (self->file);
        free (self->path);
        free (self->noted);
        free (self->doubts);
        free (self);
    }
}

int64_t recorder_now_ms (const struct recorder *self)
{
    int64_t now_ms = clock_ms (CLOCK_MONOTONIC) - self->start_ms;
    return now_ms > self->last_ms ? now_ms : self->last_ms;
}

static bool is_in_doubt (const struct recorder *self)
{
    return self->doubts_count > 0 && self->doubts[self->doubts_count - 1].until_ms == INT64_MAX;
}

void recorder_doubt (struct recorder *self)
{
    if (is_in_doubt (self)) {
        return;
    }
    if (self->doubts_count == self->doubts_capacity) {
        self->doubts_capacity = self->doubts_capacity > 0 ? 2 * self->doubts_capacity : 16;
        self->doubts = realloc (self->doubts, self->doubts_capacity * sizeof *self->doubts);
        COHORT_ASSERT (self->doubts != NULL);
    }
    self->doubts[self->doubts_count++] = (struct doubt){self->zxid, INT64_MAX};
}

void recorder_trust (struct recorder *self)
{
    if (is_in_doubt (self) && !self->clock_set) {
        self->doubts[self->doubts_count - 1].until_ms = clock_ms (CLOCK_REALTIME);
    }
}

/* Whether the stamp of the entry says when it was proposed. */
static bool is_stamped (const struct recorder *self, const struct history_entry *entry)
{
    for (size_t i = 0; i < self->doubts_count; i++) {
        if (entry->zxid > self->doubts[i].after_zxid &&
            entry->stamp_ms < self->doubts[i].until_ms) {
            return false;
        }
    }
    return entry->zxid <= self->zxid;
}

uint32_t recorder_new_client (struct recorder *self)
{
    return ++self->clients;
}

uint64_t recorder_new_call (struct recorder *self)
{
    return ++self->calls;
}

uint64_t recorder_zxid (const struct recorder *self)
{
    return self->zxid;
}

uint64_t recorder_events (const struct recorder *self)
{
    return self->noted_count;
}

static uint64_t zxid_of (const struct history_event *event)
{
    switch (event->kind) {
    case HISTORY_RETURN:
        return event->u.result.zxid;
    case HISTORY_FIRED:
        return event->u.fired.zxid;
    case HISTORY_BATCH:
        return event->u.batch.zxid;
    case HISTORY_TOLD:
        return event->u.told.zxid;
    default:
        return 0;
    }
}

static void put (FILE *file, const char *path, const struct history_event *event)
{
    struct buf line = {0};
    history_format (&line, event);
    COHORT_ASSERT (!line.failed);
    check (fwrite (line.data, 1, line.size, file) == line.size, path);
    buf_deinit (&line);
}

/* Whether somebody has set the clock of this machine, which is that of the servers, too. */
static void look_at_clock (struct recorder *self)
{
    int64_t drift_ms = offset_now (self) - self->offset_ms;
    if (drift_ms <= -CLOCK_STEP_MS || drift_ms >= CLOCK_STEP_MS) {
        recorder_doubt (self);
        self->clock_set = true;
    }
}

/* What is judged by how well all is. */
static bool is_of_calm (enum history_kind kind)
{
    return kind == HISTORY_LED || kind == HISTORY_UNLED || kind == HISTORY_CALM ||
           kind == HISTORY_UNCALM || kind == HISTORY_SERVED || kind == HISTORY_UNSERVED;
}

void recorder_withdraw_calm (struct recorder *self, uint64_t since)
{
    for (size_t i = since; i < self->noted_count; i++) {
        self->noted[i].withdrawn = self->noted[i].calm;
    }
}

void recorder_note (struct recorder *self, struct history_event event)
{
    event.time_ms = self->last_ms = recorder_now_ms (self);
    look_at_clock (self);
    put (self->file, self->path, &event);
    if (self->noted_count == self->noted_capacity) {
        self->noted_capacity = self->noted_capacity > 0 ? 2 * self->noted_capacity : 1024;
        self->noted = realloc (self->noted, self->noted_capacity * sizeof *self->noted);
        COHORT_ASSERT (self->noted != NULL);
    }
    uint64_t zxid = zxid_of (&event);
    self->noted[self->noted_count++] = (struct noted){
        .time_ms = event.time_ms,
        .zxid = zxid,
        .client = event.client,
        .number = event.kind == HISTORY_CALL ? event.u.call.number : 0,
        .session = event.kind == HISTORY_SESSION ? event.u.session.id : 0,
        .incarnation = event.kind == HISTORY_SESSION ? event.u.session.incarnation : 0,
        .lost = event.kind == HISTORY_LOST,
        .calm = is_of_calm (event.kind),
    };
    self->zxid = zxid > self->zxid ? zxid : self->zxid;
}

/* ---- Putting it together --------------------------------------------------------------------- */

/* How far a client has come, in the events so far. */
struct progress {
    uint64_t session, asked;
    uint32_t incarnation;
};

struct merge {
    const struct recorder *recorder;
    const struct log_copy *log;
    size_t at;   /* of the events */
    size_t next; /* of its entries */
    int64_t offset_ms;
    struct progress *clients; /* by their numbers */
    size_t clients_count;
    FILE *file;
    const char *path;
    struct arena arena;
};

static void see_progress (struct merge *self, const struct noted *noted)
{
    struct progress *client = &self->clients[noted->client];
    if (noted->session != 0) {
        client->session = noted->session;
        client->incarnation = noted->incarnation;
    }
    client->asked = noted->number != 0 ? noted->number : client->asked;
}

/* A server's idea of the time is that of its newest turn: a write may have been asked for later
 * than its own time stamp says. */
static bool was_asked_for (const struct merge *self, const struct history_entry *entry)
{
    for (size_t i = 1; i < self->clients_count && entry->kind == HISTORY_ENTRY_WRITE; i++) {
        if (self->clients[i].session == entry->session &&
            self->clients[i].incarnation == entry->incarnation) {
            return entry->number <= self->clients[i].asked;
        }
    }
    return true;
}

static struct history_entry entry_at (struct merge *self, size_t index)
{
    const struct log_copy_entry *entry = &self->log->entries[index];
    struct history_entry read;
    bool sound = history_entry_read (&self->arena, entry->zxid, entry->stamp_ms, entry->data,
                                     entry->size, &read);
    COHORT_ASSERT (sound); /* a server has applied it */
    return read;
}

static bool ends_session (const struct history_entry *entry, uint64_t session)
{
    bool kills = entry->kind == HISTORY_ENTRY_WRITE && entry->count == 1 &&
                 entry->ops[0].kind == HISTORY_KILL && entry->ops[0].session == session;
    return kills || (entry->kind == HISTORY_ENTRY_CLOSE && entry->session == session);
}

/* Nobody has the session yet, and somebody will. */
static bool begins_later (const struct merge *self, uint64_t session)
{
    for (size_t i = 1; i < self->clients_count; i++) {
        if (self->clients[i].session == session) {
            return false;
        }
    }
    for (size_t i = self->at; i < self->recorder->noted_count; i++) {
        if (self->recorder->noted[i].session == session) {
            return true;
        }
    }
    return false;
}

/* The zxid that an event names, or that of the end which a client has heard of: where nothing is
 * said by stamps that is known by this alone. If something that nobody had asked for comes before
 * it, the client has not heard of it, but of nobody for too long. */
static uint64_t known_by (struct merge *self, const struct noted *noted)
{
    uint64_t session = self->clients[noted->client].session, zxid = noted->zxid;
    bool asked = self->recorder->doubts_count > 0 && noted->lost && session != 0;
    for (size_t i = self->next; asked && i < self->log->count; i++) {
        struct history_entry entry = entry_at (self, i);
        asked = was_asked_for (self, &entry) && !begins_later (self, entry.session);
        if (asked && ends_session (&entry, session)) {
            zxid = entry.zxid;
            asked = false;
        }
        arena_reset (&self->arena);
    }
    return zxid;
}

/* The entries that the event is the first to know of, and those that were proposed before it: so
 * that the end of a session stands where a leader decided it, and not where it was noticed. */
static void put_entries_before (struct merge *self, const struct noted *noted)
{
    uint64_t through = known_by (self, noted);
    bool more = true;
    while (more && self->next < self->log->count) {
        struct history_event event = {.kind = HISTORY_ENTRY,
                                      .time_ms = noted->time_ms,
                                      .u.entry = entry_at (self, self->next)};
        const struct history_entry *entry = &event.u.entry;
        bool proposed = is_stamped (self->recorder, entry) &&
                        entry->stamp_ms - self->offset_ms + CLOCKS_DIFFER_MS < noted->time_ms &&
                        was_asked_for (self, entry);
        more = entry->zxid <= through || proposed;
        if (more) {
            put (self->file, self->path, &event);
            self->next++;
        }
        arena_reset (&self->arena);
    }
}

bool recorder_merge (struct recorder *self, const struct log_copy *log, const char *path)
{
    struct merge merge = {.recorder = self, .log = log, .path = path, .offset_ms = self->offset_ms};
    int64_t drift_ms = offset_now (self) - self->offset_ms;
    char *line = NULL;
    size_t room = 0;
    if (log_copy_zxid (log) < self->zxid) {
        return false;
    }
    look_at_clock (self);
    merge.offset_ms = drift_ms < 0 ? self->offset_ms + drift_ms : self->offset_ms;
    merge.clients_count = self->clients + 1;
    merge.clients = calloc (merge.clients_count, sizeof *merge.clients);
    COHORT_ASSERT (merge.clients != NULL);
    merge.file = fopen (path, "w");
    check (merge.file != NULL, path);
    arena_init (&merge.arena, ARENA_BLOCK, ARENA_KEEP);
    check (fputs (HISTORY_HEADER, merge.file) >= 0, path);
    rewind (self->file);
    for (size_t i = 0; i < self->noted_count; i++) {
        merge.at = i;
        put_entries_before (&merge, &self->noted[i]);
        check (getline (&line, &room, self->file) > 0, self->path);
        check (self->noted[i].withdrawn || fputs (line, merge.file) >= 0, path);
        see_progress (&merge, &self->noted[i]);
    }
    free (line);
    free (merge.clients);
    arena_deinit (&merge.arena);
    check (fclose (merge.file) == 0, path);
    return true;
}
