/* backups.c: see backups.h. */

#include "server/node/backups.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "cohort/error.h"
#include "server/node/error_text.h"

struct backup {
    uint64_t connection; /* 0: free */
    zxid_t oldest;       /* what it was asked for has to be in it */
    int64_t begun_ms;
    int64_t heard_ms;
    int64_t told_ms;
    int64_t retry_ms;  /* its pipe is full: not before; INT64_MAX: it is not */
    uint64_t failures; /* of checkpoints, when it began */
    struct store_source *source;
    struct store_snapshot_info info;
    bool opened; /* info is known */
    bool asked;  /* the store reads what comes at `sent` */
    uint64_t sent;
    uint64_t received;
    uint64_t sum;
};

struct backups {
    struct store *store;
    struct checkpoint *checkpoint;
    struct backups_host host;
    struct logger logger;
    int64_t now_ms;
    char barred[BACKUPS_TEXT]; /* why nothing is handed out; "": it is */
    struct backup items[BACKUPS_MAX];
};

struct backups *backups_new (struct store *store, struct checkpoint *checkpoint,
                             const struct backups_host *host, const struct logger *logger)
{
    struct backups *self = mem_calloc (1, sizeof *self);
    if (self != NULL) {
        self->store = store;
        self->checkpoint = checkpoint;
        self->host = *host;
        self->logger = *logger;
    }
    return self;
}

static void end (struct backup *backup)
{
    store_source_destroy (&backup->source);
    memset (backup, 0, sizeof *backup);
}

void backups_destroy (struct backups **self_p)
{
    struct backups *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < BACKUPS_MAX; i++) {
        end (&self->items[i]);
    }
    mem_free (self);
    *self_p = NULL;
}

size_t backups_count (const struct backups *self)
{
    size_t count = 0;
    for (size_t i = 0; i < BACKUPS_MAX; i++) {
        count += self->items[i].connection != 0;
    }
    return count;
}

/* A piece is in memory until it is sent. */
void backups_bounds (const struct backups *self, struct bounds *bounds)
{
    for (size_t i = 0; i < BACKUPS_MAX; i++) {
        const struct backup *backup = &self->items[i];
        const uint8_t *data;
        bounds_look (bounds, "bytes of a backup under way", backup->connection,
                     backup->sent - backup->received, BACKUPS_WINDOW);
        if (backup->source != NULL && store_source_state (backup->source) == 1) {
            bounds_look (bounds, "bytes of a backup's piece", backup->connection,
                         store_source_data (backup->source, &data), BACKUPS_CHUNK);
        }
    }
}

static struct backup *find (struct backups *self, uint64_t connection)
{
    for (size_t i = 0; i < BACKUPS_MAX; i++) {
        if (self->items[i].connection == connection) {
            return &self->items[i];
        }
    }
    return NULL;
}

/* ---- What the client says -------------------------------------------------------------------- */

static void refuse (struct backups *self, uint64_t connection, int code, const char *text)
{
    struct backup_part part = {.code = code, .text = text};
    logger_write (&self->logger, LOG_WARNING, "backup-failed",
                  "connection=%" PRIu64 " code=%s reason=\"%s\"", connection, error_name (code),
                  text);
    /* With a full pipe it goes without: the client hears nothing more, and gives up. */
    (void) self->host.send (self->host.arg, connection, &part);
}

static void fail (struct backups *self, struct backup *backup, int code, const char *text)
{
    refuse (self, backup->connection, code, text);
    end (backup);
}

/* The first sign of life: the client knows that this server will do it. */
static void tell_waiting (struct backups *self, struct backup *backup)
{
    struct backup_part part = {.file_size = 0};
    backup->told_ms = self->now_ms;
    (void) self->host.send (self->host.arg, backup->connection, &part);
}

static void begin (struct backups *self, uint64_t connection, zxid_t applied)
{
    int code = 0;
    if (applied == 0) {
        refuse (self, connection, COHORT_ESTATE,
                "this server has no state yet: its ensemble has not begun");
        return;
    }
    if (self->barred[0] != '\0') {
        refuse (self, connection, COHORT_ESTATE, self->barred);
        return;
    }
    struct backup *backup = find (self, 0);
    if (backup == NULL) {
        refuse (self, connection, COHORT_ELIMIT,
                "this server is making as many backups as it can: try again, or another server");
        return;
    }
    *backup = (struct backup){.connection = connection,
                              .oldest = applied,
                              .begun_ms = self->now_ms,
                              .heard_ms = self->now_ms,
                              .retry_ms = INT64_MAX,
                              .failures = checkpoint_failures (self->checkpoint, &code)};
    logger_write (&self->logger, LOG_INFO, "backup-begun", "connection=%" PRIu64 " zxid=%" PRIx64,
                  connection, applied);
    tell_waiting (self, backup);
}

void backups_query (struct backups *self, uint64_t connection, uint64_t received, zxid_t applied,
                    int64_t now_ms)
{
    COHORT_ASSERT (connection != 0);
    self->now_ms = now_ms;
    struct backup *backup = find (self, connection);
    if (received == 0) {
        backups_closed (self, connection);
        begin (self, connection, applied);
    } else if (backup != NULL && received >= backup->received && received <= backup->sent) {
        backup->received = received;
        backup->heard_ms = now_ms;
    } else if (backup != NULL) {
        fail (self, backup, COHORT_EPROTOCOL, "more is confirmed than was sent");
    }
}

/* Files of before are no better: nobody knows since when it is wrong. */
void backups_bar (struct backups *self, const char *reason)
{
    self->barred[0] = '\0';
    if (reason == NULL) {
        return;
    }
    snprintf (self->barred, sizeof self->barred,
              "this server's state is not to be relied on (%.256s): ask another server", reason);
    for (size_t i = 0; i < BACKUPS_MAX; i++) {
        if (self->items[i].connection != 0) {
            fail (self, &self->items[i], COHORT_ESTATE, self->barred);
        }
    }
}

void backups_closed (struct backups *self, uint64_t connection)
{
    struct backup *backup = find (self, connection);
    if (backup != NULL) {
        logger_write (&self->logger, LOG_INFO, "backup-ended",
                      "connection=%" PRIu64 " sent=%" PRIu64, connection, backup->sent);
        end (backup);
    }
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static void wait_for_snapshot (struct backups *self, struct backup *backup, zxid_t applied)
{
    int code = 0;
    if (checkpoint_ready (self->checkpoint, backup->oldest, applied)) {
        code = store_source_file (self->store, BACKUPS_CHUNK, &backup->source, &backup->info);
        if (code != 0) {
            backup->source = NULL;
            fail (self, backup, code, error_text (code));
        }
        return;
    }
    if (checkpoint_failures (self->checkpoint, &code) != backup->failures) {
        fail (self, backup, code,
              code == COHORT_EDISKFULL ? "no snapshot can be written: the server's disk is full"
                                       : "no snapshot can be written: see the server's log");
    } else if (self->now_ms - backup->begun_ms > BACKUPS_MAKE_MS) {
        fail (self, backup, COHORT_ETIMEDOUT, "no snapshot was written in time");
    } else if (self->now_ms - backup->told_ms >= BACKUPS_WAIT_MS) {
        tell_waiting (self, backup);
    }
}

/* Whatever it was, a damaged file is of no use to anybody; if nothing of it has been sent yet the
 * client need not hear of it. */
static void cannot_read (struct backups *self, struct backup *backup, int code)
{
    if (code == COHORT_ECORRUPT) {
        checkpoint_damaged (self->checkpoint);
    }
    if (code != COHORT_ECORRUPT || backup->sent > 0) {
        fail (self, backup, code, store_source_text (backup->source));
        return;
    }
    logger_write (&self->logger, LOG_ERROR, "snapshot-unreadable", "zxid=%" PRIx64 " reason=\"%s\"",
                  backup->info.point.zxid, store_source_text (backup->source));
    store_source_destroy (&backup->source);
    backup->opened = backup->asked = false;
}

/* false: the pipe is full, or that was the last piece. */
static bool send_piece (struct backups *self, struct backup *backup)
{
    struct backup_part part = {.file_size = backup->info.file_size,
                               .zxid = backup->info.point.zxid,
                               .offset = backup->sent};
    part.size = store_source_data (backup->source, &part.data);
    COHORT_ASSERT (part.size > 0);
    COHORT_ASSERT (part.size <= part.file_size - part.offset);
    uint64_t sum = hash64 (part.data, part.size, backup->sum);
    bool last = part.offset + part.size == part.file_size;
    part.sum = last ? sum : 0;
    if (!self->host.send (self->host.arg, backup->connection, &part)) {
        backup->retry_ms = self->now_ms + BACKUPS_RETRY_MS;
        return false;
    }
    backup->retry_ms = INT64_MAX;
    backup->asked = false;
    backup->sum = sum;
    backup->sent += part.size;
    if (last) {
        logger_write (&self->logger, LOG_INFO, "backup-sent",
                      "connection=%" PRIu64 " zxid=%" PRIx64 " size=%" PRIu64, backup->connection,
                      part.zxid, part.file_size);
        end (backup);
    }
    return !last;
}

static void go_on (struct backups *self, struct backup *backup)
{
    if (!backup->opened) {
        store_source_info (backup->source, &backup->info);
        backup->opened = true;
    }
    if (backup->asked && !send_piece (self, backup)) {
        return;
    }
    if (backup->sent - backup->received <= BACKUPS_WINDOW - BACKUPS_CHUNK) {
        backup->asked = true;
        store_source_ask (backup->source, backup->sent);
    }
}

static void turn (struct backups *self, struct backup *backup, zxid_t applied)
{
    if (backup->source == NULL) {
        wait_for_snapshot (self, backup, applied);
        return;
    }
    if (backup->sent > 0 && self->now_ms - backup->heard_ms > BACKUPS_SILENCE_MS) {
        fail (self, backup, COHORT_ETIMEDOUT, "the client confirms nothing any more");
        return;
    }
    int state = store_source_state (backup->source);
    if (state < 0) {
        cannot_read (self, backup, state);
    } else if (state == 1) {
        go_on (self, backup);
    }
}

void backups_turn (struct backups *self, zxid_t applied, int64_t now_ms)
{
    self->now_ms = now_ms;
    if (store_failure (self->store, NULL) != 0) {
        return; /* the server stops */
    }
    for (size_t i = 0; i < BACKUPS_MAX; i++) {
        if (self->items[i].connection != 0) {
            turn (self, &self->items[i], applied);
        }
    }
}

int64_t backups_deadline (const struct backups *self)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < BACKUPS_MAX; i++) {
        const struct backup *backup = &self->items[i];
        if (backup->connection == 0) {
            continue;
        }
        int64_t due = backup->source == NULL ? backup->told_ms + BACKUPS_WAIT_MS
                                             : backup->heard_ms + BACKUPS_SILENCE_MS + 1;
        due = backup->retry_ms < due ? backup->retry_ms : due;
        deadline = due < deadline ? due : deadline;
    }
    return deadline;
}
