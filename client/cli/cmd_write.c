/* create, set, delete, incr. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/acl_text.h"
#include "client/cli/arguments.h"
#include "client/cli/data.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/hold.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

/* What fits into the forty bits that ZooKeeper has for it. */
#define CREATE_TTL_MS_MAX (((int64_t) 1 << 40) - 1)

/* What the flags of create say about the znode. False: a message has been printed. */
static bool create_options (const struct arguments *arguments, cohort_create_options_t *options)
{
    bool ephemeral = arguments_has (arguments, 'e'), container = arguments_has (arguments, 'c');
    bool sequential = arguments_has (arguments, 's');
    bool if_absent = arguments_has (arguments, FLAG_IF_ABSENT);
    *options = (cohort_create_options_t){.size = sizeof *options, .if_absent = if_absent};
    if (!arguments_number (arguments, 't', 1, CREATE_TTL_MS_MAX, 0, &options->ttl_ms)) {
        return false;
    }
    if (ephemeral + container + (options->ttl_ms > 0) > 1) {
        message ("create: -e, -c and -t exclude each other");
        return false;
    }
    if (sequential && if_absent) {
        message ("create: --if-absent makes no sense with -s, whose names are never there");
        return false;
    }
    options->mode = ephemeral ? COHORT_EPHEMERAL : container ? COHORT_CONTAINER : COHORT_PERSISTENT;
    if (sequential) {
        options->mode |= COHORT_SEQUENTIAL;
    }
    return true;
}

static int report_created (const char *path, bool existed, const cohort_stat_t *stat,
                           enum format format)
{
    int code = CLI_EXIT_OK;
    if (format == FORMAT_TEXT) {
        printf ("%s\n", path);
    } else {
        code = emit_value (format, json_pack ("{s:s, s:b, s:o}", "path", path, "existed", existed,
                                              "stat", output_json_stat (stat)));
    }
    /* Whoever reads a pipe shall know before the command holds, or the znode vanishes. */
    fflush (stdout);
    return code;
}

static int create (struct session *session, const struct arguments *arguments,
                   const cohort_create_options_t *options, const struct data *data)
{
    const char *path = arguments->operands[0];
    char *created = NULL;
    cohort_stat_t stat;
    int existed = 0;
    int rc = cohort_create_with (session->client, path, data->bytes, data->size, options, &created,
                                 &stat, &existed);
    int code = session_result (session, ACTIVITY_CREATE, path, rc);
    if (code == CLI_EXIT_OK) {
        code = report_created (created, existed != 0, &stat, arguments->settings.format);
        if (existed) {
            message ("%s was there already: it is as it was", created);
        }
        if (arguments_has (arguments, FLAG_HOLD)) {
            code = hold_session (session, created);
        } else if (options->mode & COHORT_EPHEMERAL && !existed) {
            message (
                session->lent
                    ? "%s is ephemeral: it vanishes with the session of this shell"
                    : "%s is ephemeral: it vanishes now, as this command ends (--hold keeps it)",
                created);
        }
    }
    cohort_free (created);
    return code;
}

int cmd_create (const struct arguments *arguments)
{
    int64_t grace = 0;
    cohort_create_options_t wanted;
    if (!arguments_number (arguments, FLAG_GRACE, 1, INT32_MAX, 0, &grace) ||
        !create_options (arguments, &wanted)) {
        return CLI_EXIT_USAGE;
    }
    const char *state_file = arguments_value (arguments, FLAG_STATE_FILE);
    bool hold = arguments_has (arguments, FLAG_HOLD);
    if (state_file != NULL && !hold) {
        message (
            "create: --state-file goes with --hold: without it no session is left to go on with");
        return CLI_EXIT_USAGE;
    }
    if (hold && !interrupt_catch ()) {
        message ("signals cannot be caught");
        return CLI_EXIT_FAILED;
    }
    cohort_acl_t *acl = NULL;
    if (arguments->operand_count > 2 && !acl_read (&acl, "create", arguments->operands[2])) {
        return CLI_EXIT_USAGE;
    }
    wanted.acl = acl;
    struct data data;
    const char *operand = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    if (!data_read (&data, operand, arguments_has (arguments, 'b'))) {
        cohort_acl_destroy (&acl);
        return CLI_EXIT_FAILED;
    }
    cohort_options_t options = {
        .size = sizeof options, .disconnect_grace_ms = (int) grace, .state_file = state_file};
    struct session session;
    /* What is held has a session of its own, also in a shell. */
    bool own = grace > 0 || hold;
    int code = session_open (&session, &arguments->settings, own ? &options : NULL);
    if (code == CLI_EXIT_OK) {
        code = create (&session, arguments, &wanted, &data);
        session_close (&session);
    }
    data_deinit (&data);
    cohort_acl_destroy (&acl);
    return code;
}

static bool wanted_version (const struct arguments *arguments, int64_t *version)
{
    return arguments_number (arguments, 'v', COHORT_ANY_VERSION, INT32_MAX, COHORT_ANY_VERSION,
                             version);
}

/* What set, delete and incr are about, and what came of it. */
struct write {
    const char *path;
    struct data data;
    int64_t version;
    int64_t delta, floor, ceiling, sum;
    cohort_stat_t stat;
    int existed;
};

static int call_set (cohort_t *client, void *arg)
{
    struct write *self = arg;
    return cohort_set (client, self->path, self->data.bytes, self->data.size,
                       (int32_t) self->version, &self->stat);
}

static int call_delete (cohort_t *client, void *arg)
{
    const struct write *self = arg;
    return cohort_delete (client, self->path, (int32_t) self->version);
}

static int call_delete_if_present (cohort_t *client, void *arg)
{
    struct write *self = arg;
    return cohort_delete_if_present (client, self->path, (int32_t) self->version, &self->existed);
}

static int call_add (cohort_t *client, void *arg)
{
    struct write *self = arg;
    return cohort_add (client, self->path, self->delta, self->floor, self->ceiling, &self->sum,
                       &self->stat);
}

int cmd_set (const struct arguments *arguments)
{
    struct write self = {.path = arguments->operands[0]};
    enum format format = arguments->settings.format;
    if (!wanted_version (arguments, &self.version)) {
        return CLI_EXIT_USAGE;
    }
    if (!data_read (&self.data, arguments->operands[1], arguments_has (arguments, 'b'))) {
        return CLI_EXIT_FAILED;
    }
    int code = session_call (&arguments->settings, ACTIVITY_SET, self.path, call_set, &self);
    if (code == CLI_EXIT_OK && format != FORMAT_TEXT) {
        code = emit_value (format, json_pack ("{s:s, s:o}", "path", self.path, "stat",
                                              output_json_stat (&self.stat)));
    } else if (code == CLI_EXIT_OK && arguments_has (arguments, 's')) {
        output_stat (stdout, &self.stat);
    }
    data_deinit (&self.data);
    return code;
}

int cmd_delete (const struct arguments *arguments)
{
    struct write self = {.path = arguments->operands[0]};
    enum format format = arguments->settings.format;
    if (!wanted_version (arguments, &self.version)) {
        return CLI_EXIT_USAGE;
    }
    bool if_present = arguments_has (arguments, FLAG_IF_PRESENT);
    int code = session_call (&arguments->settings, ACTIVITY_DELETE, self.path,
                             if_present ? call_delete_if_present : call_delete, &self);
    if (code != CLI_EXIT_OK || format == FORMAT_TEXT) {
        return code;
    }
    json_t *object = json_pack ("{s:s}", "path", self.path);
    if (if_present) {
        json_object_set_new (object, "existed", json_boolean (self.existed));
    }
    return emit_value (format, object);
}

int cmd_incr (const struct arguments *arguments)
{
    struct write self = {.path = arguments->operands[0], .delta = 1};
    enum format format = arguments->settings.format;
    if (!arguments_number (arguments, FLAG_FLOOR, INT64_MIN, INT64_MAX, INT64_MIN, &self.floor) ||
        !arguments_number (arguments, FLAG_CEILING, INT64_MIN, INT64_MAX, INT64_MAX,
                           &self.ceiling)) {
        return CLI_EXIT_USAGE;
    }
    if (arguments->operand_count > 1 &&
        !arguments_parse_number (arguments->operands[1], INT64_MIN, INT64_MAX, &self.delta)) {
        message ("incr: '%s' is not a number of 64 bits", arguments->operands[1]);
        return CLI_EXIT_USAGE;
    }
    int code = session_call (&arguments->settings, ACTIVITY_SET, self.path, call_add, &self);
    if (code == CLI_EXIT_OK && format != FORMAT_TEXT) {
        return emit_value (format, json_pack ("{s:s, s:I, s:o}", "path", self.path, "value",
                                              (json_int_t) self.sum, "stat",
                                              output_json_stat (&self.stat)));
    }
    if (code == CLI_EXIT_OK) {
        printf ("%" PRId64 "\n", self.sum);
    }
    return code;
}
