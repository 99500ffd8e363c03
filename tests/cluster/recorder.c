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
    CLOCK_STEP_MS = 20
};

/* Of an event that is in the file. */
struct noted {
    int64_t time_ms;
    uint64_t zxid; /* the highest that it names; 0: none */
    uint32_t client;
    uint64_t number;  /* of the write that is asked for; 0: none is */
    uint64_t session; /* that its client has from now on; 0: as before */
};

struct recorder {
    FILE *file;
    char *path;
    int64_t start_ms;  /* CLOCK_MONOTONIC */
    int64_t offset_ms; /* CLOCK_REALTIME to this recorder's time, at the beginning */
    int64_t last_ms;
    uint64_t zxid;
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

static int64_t offset_now (const struct recorder *self)
{
    return clock_ms (CLOCK_REALTIME) - (clock_ms (CLOCK_MONOTONIC) - self->start_ms);
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
        free (self);
    }
}

int64_t recorder_now_ms (const struct recorder *self)
{
    int64_t now_ms = clock_ms (CLOCK_MONOTONIC) - self->start_ms;
    return now_ms > self->last_ms ? now_ms : self->last_ms;
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

void recorder_note (struct recorder *self, struct history_event event)
{
    event.time_ms = self->last_ms = recorder_now_ms (self);
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
    };
    self->zxid = zxid > self->zxid ? zxid : self->zxid;
}

/* ---- Putting it together --------------------------------------------------------------------- */

/* How far a client has come, in the events so far. */
struct progress {
    uint64_t session, asked;
};

struct merge {
    const struct log_copy *log;
    size_t next; /* of its entries */
    bool stamps; /* are to be believed */
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
    client->session = noted->session != 0 ? noted->session : client->session;
    client->asked = noted->number != 0 ? noted->number : client->asked;
}

/* A server's idea of the time is that of its newest turn: a write may have been asked for later
 * than its own time stamp says. */
static bool was_asked_for (const struct merge *self, const struct history_entry *entry)
{
    for (size_t i = 1; i < self->clients_count && entry->kind == HISTORY_ENTRY_WRITE; i++) {
        if (self->clients[i].session == entry->session) {
            return entry->number <= self->clients[i].asked;
        }
    }
    return true;
}

/* The entries that the event is the first to know of, and those that were proposed before it: so
 * that the end of a session stands where a leader decided it, and not where it was noticed. */
static void put_entries_before (struct merge *self, const struct noted *noted, uint64_t through)
{
    while (self->next < self->log->count) {
        const struct log_copy_entry *entry = &self->log->entries[self->next];
        struct history_event event = {.kind = HISTORY_ENTRY, .time_ms = noted->time_ms};
        bool read = history_entry_read (&self->arena, entry->zxid, entry->stamp_ms, entry->data,
                                        entry->size, &event.u.entry);
        COHORT_ASSERT (read); /* a server has applied it */
        bool known = entry->zxid <= noted->zxid;
        bool proposed = self->stamps && entry->zxid <= through &&
                        entry->stamp_ms - self->offset_ms + CLOCKS_DIFFER_MS < noted->time_ms &&
                        was_asked_for (self, &event.u.entry);
        if (known || proposed) {
            put (self->file, self->path, &event);
            self->next++;
        }
        arena_reset (&self->arena);
        if (!known && !proposed) {
            return;
        }
    }
}

bool recorder_merge (struct recorder *self, const struct log_copy *log, const char *path)
{
    struct merge merge = {.log = log, .path = path, .offset_ms = self->offset_ms};
    int64_t drift_ms = offset_now (self) - self->offset_ms;
    char *line = NULL;
    size_t room = 0;
    if (log_copy_zxid (log) < self->zxid) {
        return false;
    }
    merge.stamps = drift_ms > -CLOCK_STEP_MS && drift_ms < CLOCK_STEP_MS;
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
        put_entries_before (&merge, &self->noted[i], self->zxid);
        check (getline (&line, &room, self->file) > 0, self->path);
        check (fputs (line, merge.file) >= 0, path);
        see_progress (&merge, &self->noted[i]);
    }
    free (line);
    free (merge.clients);
    arena_deinit (&merge.arena);
    check (fclose (merge.file) == 0, path);
    return true;
}
