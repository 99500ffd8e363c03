/* create, set, delete, incr. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/acl_text.h"
#include "client/cli/arguments.h"
#include "client/cli/data.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

/* What fits into the forty bits that ZooKeeper has for it. */
#define CREATE_TTL_MS_MAX (((int64_t) 1 << 40) - 1)

static void on_state (cohort_t *client, cohort_state_t state, void *arg)
{
    (void) client;
    bool *lost = arg;
    if (state == COHORT_SUSPENDED) {
        message ("no server at the moment: waiting");
    }
    *lost = *lost || state == COHORT_LOST;
}

/* Keeps the session until a signal comes or it is lost. */
static int hold (struct session *session, const char *path)
{
    bool lost = false;
    cohort_set_state_handler (session->client, on_state, &lost);
    message ("holding %s until SIGINT or SIGTERM", path);
    while (!lost && interrupt_run (session->client)) {
    }
    if (lost) {
        message ("%s: %s, and with it its ephemerals", path,
                 cohort_error_text (COHORT_ESESSIONEXPIRED));
        return CLI_EXIT_NO_CONNECTION;
    }
    return CLI_EXIT_OK;
}

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
            code = hold (session, created);
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
    if (arguments_has (arguments, FLAG_HOLD) && !interrupt_catch ()) {
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
    cohort_options_t options = {.size = sizeof options, .disconnect_grace_ms = (int) grace};
    struct session session;
    /* What is held has a session of its own, also in a shell. */
    bool own = grace > 0 || arguments_has (arguments, FLAG_HOLD);
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

int cmd_set (const struct arguments *arguments)
{
    int64_t version = COHORT_ANY_VERSION;
    if (!wanted_version (arguments, &version)) {
        return CLI_EXIT_USAGE;
    }
    struct data data;
    if (!data_read (&data, arguments->operands[1], arguments_has (arguments, 'b'))) {
        return CLI_EXIT_FAILED;
    }
    const char *path = arguments->operands[0];
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code == CLI_EXIT_OK) {
        cohort_stat_t stat;
        int rc = cohort_set (session.client, path, data.bytes, data.size, (int32_t) version, &stat);
        code = session_result (&session, ACTIVITY_SET, path, rc);
        session_close (&session);
        if (code == CLI_EXIT_OK && arguments->settings.format != FORMAT_TEXT) {
            code = emit_value (
                arguments->settings.format,
                json_pack ("{s:s, s:o}", "path", path, "stat", output_json_stat (&stat)));
        } else if (code == CLI_EXIT_OK && arguments_has (arguments, 's')) {
            output_stat (stdout, &stat);
        }
    }
    data_deinit (&data);
    return code;
}

int cmd_delete (const struct arguments *arguments)
{
    int64_t version = COHORT_ANY_VERSION;
    if (!wanted_version (arguments, &version)) {
        return CLI_EXIT_USAGE;
    }
    const char *path = arguments->operands[0];
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code == CLI_EXIT_OK) {
        int rc = cohort_delete (session.client, path, (int32_t) version);
        code = session_result (&session, ACTIVITY_DELETE, path, rc);
        session_close (&session);
    }
    if (code == CLI_EXIT_OK && arguments->settings.format != FORMAT_TEXT) {
        code = emit_value (arguments->settings.format, json_pack ("{s:s}", "path", path));
    }
    return code;
}

int cmd_incr (const struct arguments *arguments)
{
    const char *path = arguments->operands[0];
    int64_t delta = 1, floor = 0, ceiling = 0, sum = 0;
    if (!arguments_number (arguments, FLAG_FLOOR, INT64_MIN, INT64_MAX, INT64_MIN, &floor) ||
        !arguments_number (arguments, FLAG_CEILING, INT64_MIN, INT64_MAX, INT64_MAX, &ceiling)) {
        return CLI_EXIT_USAGE;
    }
    if (arguments->operand_count > 1 &&
        !arguments_parse_number (arguments->operands[1], INT64_MIN, INT64_MAX, &delta)) {
        message ("incr: '%s' is not a number of 64 bits", arguments->operands[1]);
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    cohort_stat_t stat;
    int rc = cohort_add (session.client, path, delta, floor, ceiling, &sum, &stat);
    code = session_result (&session, ACTIVITY_SET, path, rc);
    session_close (&session);
    if (code == CLI_EXIT_OK && arguments->settings.format != FORMAT_TEXT) {
        json_t *value = json_pack ("{s:s, s:I, s:o}", "path", path, "value", (json_int_t) sum,
                                   "stat", output_json_stat (&stat));
        return emit_value (arguments->settings.format, value);
    }
    if (code == CLI_EXIT_OK) {
        printf ("%" PRId64 "\n", sum);
    }
    return code;
}
