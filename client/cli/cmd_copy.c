/* cp, export, import. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/paths.h"
#include "client/cli/progress.h"
#include "client/cli/put.h"
#include "client/cli/session.h"
#include "client/cli/tour.h"

/* The first line of a file, and what it says about itself. */
#define EXPORT_FORMAT  "cohort-export"
#define EXPORT_VERSION 1

static bool put_existing (const struct arguments *arguments, enum put_existing *existing)
{
    bool keep = arguments_has (arguments, FLAG_IF_ABSENT);
    bool replace = arguments_has (arguments, FLAG_OVERWRITE);
    *existing = keep ? PUT_KEEP : replace ? PUT_REPLACE : PUT_FAIL;
    if (keep && replace) {
        message ("%s: --if-absent and --overwrite exclude each other", arguments->command->name);
    }
    return !(keep && replace);
}

/* ---- cp ---------------------------------------------------------------------------------- */

struct copy {
    const char *source;
    const char *target;
    bool recursive;
    uint64_t source_czxid;
    uint64_t skipped; /* ephemerals */
    struct put put;
    struct progress progress;
};

static int on_source (const struct tour_node *node, void *arg)
{
    struct copy *self = arg;
    self->source_czxid = node->depth == 0 ? node->stat->czxid : self->source_czxid;
    if (paths_left_out (self->source, self->source_czxid, node->path)) {
        return TOUR_SKIP;
    }
    if (node->stat->ephemeral_owner != 0) {
        self->skipped++;
        return COHORT_OK;
    }
    char path[PATHS_SIZE];
    if (!paths_join (path, sizeof path, self->target, paths_below (self->source, node->path))) {
        return COHORT_ETOOBIG;
    }
    int mode = node->stat->mode & COHORT_CONTAINER;
    put_znode (&self->put, path, node->data, node->size, mode, node->stat->ttl_ms, 0);
    progress_show (&self->progress, self->put.created + self->put.replaced + self->put.kept);
    if (self->put.rc != COHORT_OK) {
        return self->put.rc;
    }
    return self->recursive ? COHORT_OK : TOUR_SKIP;
}

static int report_put (const struct put *put, const char *what, uint64_t skipped,
                       enum format format)
{
    if (skipped > 0) {
        message ("%s: %" PRIu64 " ephemeral znodes were left out: their sessions own them", what,
                 skipped);
    }
    if (format != FORMAT_TEXT) {
        return emit_value (format,
                           json_pack ("{s:I, s:I, s:I, s:I}", "created", (json_int_t) put->created,
                                      "replaced", (json_int_t) put->replaced, "kept",
                                      (json_int_t) put->kept, "ephemerals_left_out",
                                      (json_int_t) skipped));
    }
    message ("%s: %" PRIu64 " created, %" PRIu64 " replaced, %" PRIu64 " kept", what, put->created,
             put->replaced, put->kept);
    return CLI_EXIT_OK;
}

/* What is there now stays: the same command goes on with it. */
static int report_put_error (struct session *session, const struct put *put, const char *what)
{
    int code = session_result (session, ACTIVITY_CREATE, put->path, put->rc);
    char line[32] = "";
    if (put->mark > 0) {
        snprintf (line, sizeof line, " at line %" PRIu64, put->mark);
    }
    message ("%s: stopped%s after %" PRIu64 " znodes, which stay; to go on, repeat it with "
             "--if-absent or --overwrite",
             what, line, put->created + put->replaced + put->kept);
    return code;
}

static int copy (struct session *session, struct copy *self, enum format format)
{
    progress_init (&self->progress, "cp", 0);
    int rc = tour_run (session->client, self->source, TOUR_DATA, on_source, NULL, self);
    if (rc == COHORT_OK) {
        rc = put_finish (&self->put);
    }
    progress_end (&self->progress);
    if (self->put.rc != COHORT_OK) {
        return report_put_error (session, &self->put, "cp");
    }
    return rc == COHORT_OK ? report_put (&self->put, "cp", self->skipped, format)
                           : session_result (session, ACTIVITY_READ, self->source, rc);
}

int cmd_cp (const struct arguments *arguments)
{
    struct copy self = {.source = arguments->operands[0],
                        .target = arguments->operands[1],
                        .recursive = arguments_has (arguments, 'R')};
    enum put_existing existing;
    if (!put_existing (arguments, &existing)) {
        return CLI_EXIT_USAGE;
    }
    if (paths_below (self.source, self.target) != NULL &&
        (self.recursive || strcmp (self.source, self.target) == 0)) {
        message ("cp: %s lies in %s", self.target, self.source);
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code == CLI_EXIT_OK) {
        put_init (&self.put, &session, existing);
        code = copy (&session, &self, arguments->settings.format);
        session_close (&session);
        put_deinit (&self.put);
    }
    return code;
}

/* ---- export ------------------------------------------------------------------------------ */

struct exported {
    const char *path;
    bool ephemerals;
    uint64_t path_czxid;
    uint64_t count;
    uint64_t skipped;
    struct progress progress;
};

static int on_exported (const struct tour_node *node, void *arg)
{
    struct exported *self = arg;
    self->path_czxid = node->depth == 0 ? node->stat->czxid : self->path_czxid;
    if (paths_left_out (self->path, self->path_czxid, node->path)) {
        return TOUR_SKIP;
    }
    if (node->stat->ephemeral_owner != 0 && !self->ephemerals) {
        self->skipped++;
        return COHORT_OK;
    }
    json_t *line = json_pack ("{s:s, s:s}", "path", paths_below (self->path, node->path), "mode",
                              output_mode_name (node->stat));
    if (line == NULL) {
        return COHORT_ENOMEM;
    }
    if (node->stat->ttl_ms > 0) {
        json_object_set_new (line, "ttl_ms", json_integer ((json_int_t) node->stat->ttl_ms));
    }
    output_json_data (line, node->data, node->size);
    self->count++;
    progress_show (&self->progress, self->count);
    return output_json (stdout, line, 0) && !ferror (stdout) ? COHORT_OK : COHORT_ESYSTEM;
}

static int export(struct session *session, struct exported *self)
{
    char id[OUTPUT_ID_SIZE];
    int rc = cohort_sync (session->client);
    if (rc == COHORT_OK) {
        output_id (cohort_last_zxid (session->client), id);
        json_t *head = json_pack ("{s:s, s:i, s:s, s:s}", "format", EXPORT_FORMAT, "version",
                                  EXPORT_VERSION, "path", self->path, "zxid", id);
        rc = output_json (stdout, head, 0) ? COHORT_OK : COHORT_ENOMEM;
    }
    progress_init (&self->progress, "export", 0);
    if (rc == COHORT_OK) {
        rc = tour_run (session->client, self->path, TOUR_DATA, on_exported, NULL, self);
    }
    progress_end (&self->progress);
    if (rc == COHORT_OK) {
        /* Without this line a file is not whole. */
        output_json (stdout, json_pack ("{s:I}", "znodes", (json_int_t) self->count), 0);
    }
    return session_result (session, ACTIVITY_READ, self->path, rc);
}

int cmd_export (const struct arguments *arguments)
{
    struct exported self = {.path = arguments->operand_count > 0 ? arguments->operands[0] : "/",
                            .ephemerals = arguments_has (arguments, 'e')};
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = export(&session, &self);
    session_close (&session);
    if (code == CLI_EXIT_OK) {
        message ("export: %" PRIu64 " znodes; %" PRIu64 " ephemerals were left out", self.count,
                 self.skipped);
    }
    return code;
}

/* ---- import ------------------------------------------------------------------------------ */

struct import {
    struct session *session;
    const char *target; /* NULL: where the file says it was */
    json_t *head;
    uint64_t line;
    uint64_t count;
    bool ended; /* the last line has been seen */
    struct put put;
    struct progress progress;
};

static bool complain (const struct import *self, const char *text)
{
    message ("import: line %" PRIu64 ": %s", self->line, text);
    return false;
}

static bool take_head (struct import *self, json_t *line)
{
    const char *format = json_string_value (json_object_get (line, "format"));
    const char *path = json_string_value (json_object_get (line, "path"));
    json_int_t version = json_integer_value (json_object_get (line, "version"));
    if (format == NULL || strcmp (format, EXPORT_FORMAT) != 0 || path == NULL) {
        return complain (self, "is not the beginning of what 'cohort export' writes");
    }
    if (version != EXPORT_VERSION) {
        return complain (self, "is of a version of the format that this program does not know");
    }
    self->head = json_incref (line);
    self->target = self->target != NULL ? self->target : path;
    return true;
}

/* The data of a line, in memory of its own if it was base64. False: it is none. */
static bool line_data (const json_t *line, const char **data, size_t *size, char **decoded)
{
    const json_t *text = json_object_get (line, "data");
    const json_t *base64 = json_object_get (line, "data_base64");
    *data = json_string_value (text != NULL ? text : base64);
    *size = json_string_length (text != NULL ? text : base64);
    *decoded = NULL;
    if (*data == NULL || text != NULL) {
        return *data != NULL;
    }
    *decoded = malloc (*size + 1);
    if (*decoded == NULL) {
        return false;
    }
    memcpy (*decoded, *data, *size + 1);
    *data = *decoded;
    return output_decode_base64 (*decoded, size);
}

static bool take_znode (struct import *self, const json_t *line)
{
    const char *below = json_string_value (json_object_get (line, "path"));
    const char *mode = json_string_value (json_object_get (line, "mode"));
    json_int_t ttl_ms = json_integer_value (json_object_get (line, "ttl_ms"));
    if (below == NULL || *below != '/' || mode == NULL) {
        return complain (self, "lacks the path or the mode of a znode");
    }
    const char *data;
    size_t size;
    char *decoded, path[PATHS_SIZE];
    bool worked = false;
    if (!line_data (line, &data, &size, &decoded)) {
        complain (self, "has no data, or base64 that is none");
    } else if (!paths_join (path, sizeof path, self->target, below)) {
        complain (self, "the path is too long");
    } else if (strcmp (path, "/") == 0 && size == 0) {
        worked = true; /* the root is there always, and this one says nothing about it */
    } else {
        enum put_existing existing = self->put.existing;
        if (strcmp (path, "/") == 0 && existing == PUT_FAIL) {
            self->put.existing = PUT_KEEP;
        }
        worked = put_znode (&self->put, path, data, size,
                            strcmp (mode, "container") == 0 ? COHORT_CONTAINER : COHORT_PERSISTENT,
                            ttl_ms, self->line) == COHORT_OK;
        self->put.existing = existing;
    }
    free (decoded);
    return worked;
}

static bool take_line (struct import *self, const char *text, size_t size)
{
    json_error_t error;
    json_t *line = json_loadb (text, size, 0, &error);
    bool worked = false;
    if (!json_is_object (line)) {
        complain (self, "is no JSON object: the file is damaged, or cut off");
    } else if (self->head == NULL) {
        worked = take_head (self, line);
    } else if (self->ended) {
        complain (self, "stands behind the end");
    } else if (json_object_get (line, "znodes") != NULL) {
        self->ended = true;
        worked = (uint64_t) json_integer_value (json_object_get (line, "znodes")) == self->count ||
                 complain (self, "the file does not have as many znodes as it says");
    } else {
        worked = take_znode (self, line);
        self->count++;
    }
    json_decref (line);
    return worked;
}

static bool read_lines (struct import *self, FILE *stream)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    bool worked = true;
    progress_init (&self->progress, "import", 0);
    while (worked && (size = getline (&line, &room, stream)) >= 0) {
        self->line++;
        worked = take_line (self, line, (size_t) size);
        progress_show (&self->progress, self->count);
    }
    free (line);
    bool sent = put_finish (&self->put) == COHORT_OK;
    progress_end (&self->progress);
    if (worked && sent && (ferror (stream) || !self->ended)) {
        message ("import: the file ends too early, after %" PRIu64 " lines", self->line);
        return false;
    }
    return worked && sent;
}

int cmd_import (const struct arguments *arguments)
{
    struct import self = {.target = arguments->operand_count > 0 ? arguments->operands[0] : NULL};
    enum put_existing existing;
    if (!put_existing (arguments, &existing)) {
        return CLI_EXIT_USAGE;
    }
    if (isatty (STDIN_FILENO)) {
        message ("import: reads what 'cohort export' wrote from standard input, not a terminal");
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    self.session = &session;
    put_init (&self.put, &session, existing);
    if (read_lines (&self, stdin)) {
        code = report_put (&self.put, "import", 0, arguments->settings.format);
    } else {
        code = CLI_EXIT_FAILED;
        if (self.put.rc != COHORT_OK) {
            code = report_put_error (&session, &self.put, "import");
        }
    }
    session_close (&session);
    put_deinit (&self.put);
    json_decref (self.head);
    return code;
}
