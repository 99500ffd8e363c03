/* watch: one line for each change of a subtree. */

#include <inttypes.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/cli/spawn.h"

struct watch {
    const char *path;
    bool recursive;
    bool data;
    bool initial;
    enum format format;
    int64_t count; /* of events after which it ends; 0: never */
    int64_t seen;  /* events that have been printed */
    uint64_t zxid; /* up to which all has been printed */
    bool whole;    /* it is known since when events are printed */
    bool reset;    /* a snapshot that tells all anew is wanted, or under way */
    bool again;    /* the stream has to be opened anew */
    bool lost;     /* likewise, in a new session */
    bool ended;
    int code;
    char **command; /* run for each event, NULL: events are printed */
};

/* Whether path is the one that is watched, or a child of it. */
static bool is_near (const char *watched, const char *path)
{
    size_t size = strlen (watched);
    if (strncmp (path, watched, size) != 0) {
        return false;
    }
    if (path[size] == 0) {
        return true;
    }
    /* What is watched ends in a slash only if it is the root. */
    bool is_root = watched[size - 1] == '/';
    if (!is_root && path[size] != '/') {
        return false;
    }
    return strchr (path + size + !is_root, '/') == NULL;
}

static bool in_scope (const struct watch *self, const cohort_change_t *change)
{
    /* Who owns what is no event of a znode. */
    return change->kind != COHORT_CHANGE_OWNER &&
           (self->recursive || is_near (self->path, change->path));
}

/* Runs the command for an event; change NULL: history was lost. */
static void run_for (struct watch *self, uint64_t zxid, const char *kind,
                     const cohort_change_t *change)
{
    static const char *const names[] = {"COHORT_EVENT_KIND", "COHORT_EVENT_PATH",
                                        "COHORT_EVENT_ZXID", "COHORT_EVENT_SIZE"};
    char id[OUTPUT_ID_SIZE], size[24] = "";
    bool has_data = change != NULL && change->kind != COHORT_CHANGE_DELETED;
    if (has_data) {
        snprintf (size, sizeof size, "%zu", change->size);
    }
    const char *values[] = {kind, change != NULL ? change->path : self->path, output_id (zxid, id),
                            size};
    if (!spawn_wait (self->command, names, values, 4, has_data ? change->data : "",
                     has_data ? change->size : 0)) {
        self->code = CLI_EXIT_FAILED;
    }
}

static void print_line (const struct watch *self, uint64_t zxid, const char *kind,
                        const cohort_change_t *change)
{
    char id[OUTPUT_ID_SIZE];
    output_id (zxid, id);
    bool deleted = change->kind == COHORT_CHANGE_DELETED;
    if (self->format != FORMAT_TEXT) {
        json_t *object =
            json_pack ("{s:s, s:s, s:s}", "zxid", id, "kind", kind, "path", change->path);
        if (!deleted) {
            json_object_set_new (object, "size", json_integer (change->stat.data_size));
        }
        if (!deleted && change->hidden) {
            json_object_set_new (object, "hidden", json_true ());
        } else if (!deleted && self->data) {
            output_json_data (object, change->data, change->size);
        }
        output_json (stdout, object, 0);
        return;
    }
    printf ("%s\t%s\t%s\t", id, kind, change->path);
    if (deleted) {
        fputs ("-", stdout);
    } else {
        printf ("%" PRId32, change->stat.data_size);
    }
    if (self->data && !deleted && !change->hidden) {
        fputc ('\t', stdout);
        output_escaped (stdout, change->data, change->size);
    }
    fputc ('\n', stdout);
}

static void tell (struct watch *self, uint64_t zxid, const char *kind,
                  const cohort_change_t *change)
{
    if (self->command != NULL) {
        run_for (self, zxid, kind, change);
    } else {
        print_line (self, zxid, kind, change);
    }
}

static void tell_reset (struct watch *self, uint64_t zxid)
{
    if (self->command != NULL) {
        run_for (self, zxid, "reset", NULL);
        return;
    }
    char id[OUTPUT_ID_SIZE];
    output_id (zxid, id);
    if (self->format != FORMAT_TEXT) {
        output_json (stdout,
                     json_pack ("{s:s, s:s, s:s}", "zxid", id, "kind", "reset", "path", self->path),
                     0);
    } else {
        printf ("%s\treset\t%s\t-\n", id, self->path);
    }
}

static const char *kind_name (cohort_change_kind_t kind)
{
    switch (kind) {
    case COHORT_CHANGE_CREATED:
        return "created";
    case COHORT_CHANGE_DELETED:
        return "deleted";
    case COHORT_CHANGE_DATA:
        return "changed";
    case COHORT_CHANGE_ACL:
        return "acl";
    case COHORT_CHANGE_OWNER:
        return "owner";
    }
    return "unknown";
}

static void say_since (const struct watch *self, uint64_t zxid)
{
    char id[OUTPUT_ID_SIZE];
    message ("watching %s from zxid %s on", self->path, output_id (zxid, id));
}

/* The first snapshot is where the watch begins; a later one means that history was lost. */
static void take_snapshot (struct watch *self, const cohort_batch_t *batch)
{
    if (batch->first && self->whole && !self->reset) {
        /* When it is announced, and not once more when it is there. */
        self->reset = true;
        tell_reset (self, batch->zxid);
    }
    for (size_t i = 0; i < batch->count; i++) {
        if ((self->initial || self->whole) && in_scope (self, &batch->changes[i])) {
            tell (self, batch->zxid, "present", &batch->changes[i]);
        }
    }
    if (!batch->more) {
        self->reset = false;
    }
    if (!batch->more && !self->whole) {
        self->whole = true;
        say_since (self, batch->zxid);
    }
}

static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct watch *self = arg;
    if (batch == NULL) {
        int rc = cohort_stream_error (stream);
        if (rc == COHORT_ESESSIONEXPIRED) {
            self->lost = true;
            return;
        }
        message ("%s: cannot be watched: %s", self->path, cohort_error_text (rc));
        self->code = exit_code_of (rc);
        self->ended = true;
        return;
    }
    if (batch->snapshot) {
        take_snapshot (self, batch);
    }
    if (batch->reset) {
        self->again = self->reset = true;
        tell_reset (self, batch->zxid);
    }
    for (size_t i = 0; !batch->snapshot && !self->ended && i < batch->count; i++) {
        if (in_scope (self, &batch->changes[i])) {
            tell (self, batch->zxid, kind_name (batch->changes[i].kind), &batch->changes[i]);
            self->seen++;
            self->ended = self->count > 0 && self->seen == self->count;
        }
    }
    if (!batch->more) {
        self->zxid = batch->zxid;
    }
    /* Nobody listens any more, or the disk is full. */
    if (fflush (stdout) != 0) {
        self->ended = true;
    }
}

static void on_state (cohort_t *client, cohort_state_t state, void *arg)
{
    bool *suspended = arg;
    if (state == COHORT_SUSPENDED) {
        message ("no server at the moment: waiting");
        *suspended = true;
    } else if (state == COHORT_CONNECTED && *suspended) {
        char server[256];
        cohort_server (client, server, sizeof server);
        message ("connected to %s", server);
        *suspended = false;
    }
}

/* A snapshot is asked for only where it is to be printed: of a large subtree it takes long. */
static cohort_stream_t *open_stream (struct watch *self, cohort_t *client)
{
    bool wants_data = self->data || self->command != NULL;
    cohort_stream_options_t options = {.size = sizeof options, .flags = COHORT_STREAM_PROGRESS};
    if (!wants_data) {
        options.flags |= COHORT_STREAM_NO_DATA;
    }
    if (self->whole && !self->reset) {
        options.flags |= COHORT_STREAM_NO_SNAPSHOT;
        options.from_zxid = self->zxid;
    }
    return cohort_stream_new_with (client, self->path, &options, on_batch, self);
}

/* The history was gone; or the session: then a new one goes on where that has come to. */
static cohort_stream_t *reopen (struct watch *self, cohort_t *client, cohort_stream_t **stream_p)
{
    cohort_stream_destroy (stream_p);
    if (self->lost) {
        char id[OUTPUT_ID_SIZE];
        int rc = cohort_renew (client);
        if (rc != COHORT_OK) {
            message ("%s: no new session: %s", self->path, cohort_error_text (rc));
            return NULL;
        }
        message ("the session has ended: a new one goes on from zxid %s",
                 output_id (self->zxid, id));
    }
    self->again = self->lost = false;
    return open_stream (self, client);
}

/* Returns what to exit with. */
static int follow (struct watch *self, struct session *session)
{
    cohort_t *client = session->client;
    if (!self->initial) {
        int64_t below;
        int rc = cohort_count (client, self->path, NULL, &below, NULL);
        if (rc != COHORT_OK && rc != COHORT_ENONODE) {
            return session_result (session, ACTIVITY_READ, self->path, rc);
        }
        self->zxid = cohort_last_zxid (client);
        self->whole = true;
    }
    cohort_stream_t *stream = open_stream (self, client);
    if (stream != NULL && self->whole) {
        say_since (self, self->zxid);
    }
    while (stream != NULL && !self->ended && interrupt_run (client)) {
        if (self->again || self->lost) {
            stream = reopen (self, client, &stream);
        }
    }
    if (stream == NULL) {
        return session_result (session, ACTIVITY_READ, self->path, COHORT_EPATH);
    }
    cohort_stream_destroy (&stream);
    return self->code;
}

int cmd_watch (const struct arguments *arguments)
{
    struct watch watch = {
        .path = arguments->operands[0],
        .recursive = arguments_has (arguments, 'R'),
        .data = arguments_has (arguments, 'd'),
        .initial = arguments_has (arguments, 'i'),
        .format = arguments->settings.format,
        .command = arguments->operand_count > 1 ? arguments->operands + 1 : NULL,
    };
    if (!arguments_number (arguments, FLAG_COUNT, 1, INT64_MAX, 0, &watch.count)) {
        return CLI_EXIT_USAGE;
    }
    if (!interrupt_catch ()) {
        message ("signals cannot be caught");
        return CLI_EXIT_FAILED;
    }
    struct session session;
    cohort_options_t options = {.size = sizeof options, .stream_bytes_max = UINT64_MAX};
    int code = session_open (&session, &arguments->settings, &options);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    bool suspended = false;
    cohort_set_state_handler (session.client, on_state, &suspended);
    code = follow (&watch, &session);
    session_close (&session);
    return code;
}
