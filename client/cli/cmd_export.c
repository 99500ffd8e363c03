/* export, import. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/acl_pair.h"
#include "client/cli/acl_text.h"
#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/paths.h"
#include "client/cli/progress.h"
#include "client/cli/put_report.h"
#include "client/cli/session.h"
#include "client/cli/tour.h"

/* The first line of a file, and what it says about itself. */
#define EXPORT_FORMAT  "cohort-export"
#define EXPORT_VERSION 1

/* ---- export ------------------------------------------------------------------------------ */

/* Lines that wait for the lists of their znodes. */
#define EXPORT_WINDOW 256

struct exported {
    struct session *session;
    const char *path;
    bool ephemerals;
    bool acls;
    struct line *lines; /* those that wait */
    size_t waiting;
    int rc; /* the first error of those */
    uint64_t path_czxid;
    uint64_t count;
    uint64_t skipped;
    struct progress progress;
};

static int print_line (struct exported *self, json_t *line)
{
    self->count++;
    progress_show (&self->progress, self->count);
    return output_json (stdout, line, 0) && !ferror (stdout) ? COHORT_OK : COHORT_ESYSTEM;
}

/* The answers come in the order of the questions, and so the lines are printed in theirs. */
struct line {
    struct exported *owner;
    struct line *next, *previous;
    struct acl_ask acls;
    json_t *json;
    char path[];
};

static void line_destroy (struct line *self)
{
    struct exported *owner = self->owner;
    if (self->previous != NULL) {
        self->previous->next = self->next;
    } else {
        owner->lines = self->next;
    }
    if (self->next != NULL) {
        self->next->previous = self->previous;
    }
    owner->waiting--;
    acl_pair_deinit (&self->acls.pair);
    json_decref (self->json);
    free (self);
}

static void on_acls (struct acl_ask *ask, int rc)
{
    struct line *self = ask->arg;
    struct exported *owner = self->owner;
    if (rc == COHORT_OK && owner->rc == COHORT_OK) {
        json_object_set_new (self->json, "acl", acl_json (ask->pair.acl));
        if (ask->pair.inherited != NULL) {
            json_object_set_new (self->json, "default_acl", acl_json (ask->pair.inherited));
        }
        rc = print_line (owner, json_incref (self->json));
    }
    /* What has been deleted meanwhile is passed over, as elsewhere. */
    if (rc != COHORT_OK && rc != COHORT_ENONODE && owner->rc == COHORT_OK) {
        owner->rc = rc;
    }
    line_destroy (self);
}

/* Until at most `waiting` lines wait. */
static int drain (struct exported *self, size_t waiting)
{
    while (self->rc == COHORT_OK && self->waiting > waiting) {
        if (cohort_run (self->session->client, self->session->settings.timeout_ms) <= 0) {
            self->rc = COHORT_ETIMEDOUT;
        }
    }
    return self->rc;
}

/* Releases json. */
static int print_with_lists (struct exported *self, const char *path, json_t *json)
{
    int rc = drain (self, EXPORT_WINDOW - 1);
    size_t size = strlen (path) + 1;
    struct line *line = rc == COHORT_OK ? malloc (sizeof *line + size) : NULL;
    if (line == NULL) {
        json_decref (json);
        return rc == COHORT_OK ? COHORT_ENOMEM : rc;
    }
    *line = (struct line){.owner = self,
                          .next = self->lines,
                          .json = json,
                          .acls = {.path = line->path, .fn = on_acls, .arg = line}};
    memcpy (line->path, path, size);
    if (self->lines != NULL) {
        self->lines->previous = line;
    }
    self->lines = line;
    self->waiting++;
    rc = acl_ask_begin (&line->acls, self->session->client);
    if (rc != COHORT_OK) {
        line_destroy (line);
    }
    return rc;
}

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
    return self->acls ? print_with_lists (self, node->path, line) : print_line (self, line);
}

static int export(struct session *session, struct exported *self)
{
    self->session = session;
    char id[OUTPUT_ID_SIZE];
    int rc = cohort_sync (session->client);
    rc = rc == COHORT_OK ? cohort_exists (session->client, self->path, NULL) : rc;
    if (rc == COHORT_OK) {
        output_id (cohort_last_zxid (session->client), id);
        json_t *head = json_pack ("{s:s, s:i, s:s, s:s}", "format", EXPORT_FORMAT, "version",
                                  EXPORT_VERSION, "path", self->path, "zxid", id);
        if (self->acls) {
            json_object_set_new (head, "acl", json_true ());
        }
        rc = output_json (stdout, head, 0) ? COHORT_OK : COHORT_ENOMEM;
    }
    progress_init (&self->progress, "export", 0);
    if (rc == COHORT_OK) {
        rc = tour_run (session->client, self->path, TOUR_DATA, on_exported, NULL, self);
    }
    rc = rc == COHORT_OK ? drain (self, 0) : rc;
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
                            .ephemerals = arguments_has (arguments, 'e'),
                            .acls = arguments_has (arguments, FLAG_ACL)};
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = export(&session, &self);
    session_close (&session);
    while (self.lines != NULL) {
        line_destroy (self.lines);
    }
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
    bool acls;  /* lists are set as the file has them */
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
    bool has_acls = json_is_true (json_object_get (line, "acl"));
    if (self->acls && !has_acls) {
        return complain (self, "has no access control lists: cohort export --acl writes them");
    }
    if (has_acls && !self->acls) {
        message ("import: the access control lists of the file are not set without --acl: each "
                 "znode gets the default of where it comes to");
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

/* The lists of a line; none if they are not wanted. False: it has none, or wrong ones. */
static bool line_acls (const struct import *self, const json_t *line, struct acl_pair *acls)
{
    *acls = (struct acl_pair){0};
    if (!self->acls) {
        return true;
    }
    const json_t *inherited = json_object_get (line, "default_acl");
    return acl_from_json (json_object_get (line, "acl"), &acls->acl) &&
           (inherited == NULL || acl_from_json (inherited, &acls->inherited));
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
    struct acl_pair acls = {0};
    if (!line_data (line, &data, &size, &decoded)) {
        complain (self, "has no data, or base64 that is none");
    } else if (!line_acls (self, line, &acls)) {
        complain (self, "has no access control list, or one that is not valid");
    } else if (!paths_join (path, sizeof path, self->target, below)) {
        complain (self, "the path is too long");
    } else if (strcmp (path, "/") == 0 && size == 0 && !self->acls) {
        worked = true; /* the root is there always, and this one says nothing about it */
    } else {
        enum put_existing existing = self->put.existing;
        if (strcmp (path, "/") == 0 && existing == PUT_FAIL) {
            self->put.existing = PUT_KEEP;
        }
        struct put_order order = {.path = path,
                                  .data = data,
                                  .size = size,
                                  .mode = strcmp (mode, "container") == 0 ? COHORT_CONTAINER
                                                                          : COHORT_PERSISTENT,
                                  .ttl_ms = ttl_ms,
                                  .mark = self->line,
                                  .acls = self->acls ? &acls : NULL};
        worked = put_znode (&self->put, &order) == COHORT_OK;
        self->put.existing = existing;
    }
    acl_pair_deinit (&acls);
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
    struct import self = {.target = arguments->operand_count > 0 ? arguments->operands[0] : NULL,
                          .acls = arguments_has (arguments, FLAG_ACL)};
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
        code = put_report (&self.put, arguments, 0);
    } else {
        code = CLI_EXIT_FAILED;
        if (self.put.rc != COHORT_OK) {
            code = put_report_error (&session, &self.put, arguments);
        }
    }
    session_close (&session);
    put_deinit (&self.put);
    json_decref (self.head);
    return code;
}
