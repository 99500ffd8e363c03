/* getEphemerals, whoami. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

/* 0, an id as it is printed: decimal, or hexadecimal behind 0x. */
static bool parse_session (const char *text, uint64_t *id)
{
    char *end;
    if (text == NULL) {
        return true;
    }
    errno = 0;
    unsigned long long value = strtoull (text, &end, 0);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value == 0) {
        message ("--session: '%s' is not the id of a session", text);
        return false;
    }
    *id = value;
    return true;
}

static int print_paths (enum format format, const cohort_strings_t *paths)
{
    bool in_line = isatty (STDOUT_FILENO) != 0;
    struct emit emit;
    if (format != FORMAT_TEXT) {
        emit_begin (&emit, format);
        for (size_t i = 0; i < paths->count; i++) {
            if (!emit_item (&emit, json_string (paths->items[i]))) {
                return CLI_EXIT_FAILED;
            }
        }
        emit_end (&emit);
        return CLI_EXIT_OK;
    }
    for (size_t i = 0; i < paths->count; i++) {
        printf ("%s%s%s", in_line ? (i > 0 ? ", " : "[") : "", paths->items[i],
                in_line ? "" : "\n");
    }
    if (in_line) {
        printf ("%s]\n", paths->count > 0 ? "" : "[");
    }
    return CLI_EXIT_OK;
}

int cmd_ephemerals (const struct arguments *arguments)
{
    cohort_ephemerals_options_t options = {
        .size = sizeof options,
        .flags = arguments_has (arguments, FLAG_LINEARIZABLE) ? COHORT_READ_LINEARIZABLE : 0,
        .prefix = arguments->operand_count > 0 ? arguments->operands[0] : NULL,
    };
    if (!parse_session (arguments_value (arguments, FLAG_SESSION), &options.session)) {
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    cohort_strings_t *paths = NULL;
    int rc = cohort_ephemerals (session.client, &options, &paths);
    code = session_result (&session, ACTIVITY_READ, "ephemerals", rc);
    session_close (&session);
    if (code == CLI_EXIT_OK) {
        code = print_paths (arguments->settings.format, paths);
    }
    cohort_strings_destroy (&paths);
    return code;
}

static int print_identities (enum format format, const cohort_identities_t *identities)
{
    if (format == FORMAT_TEXT) {
        printf ("Auth scheme: User\n");
    }
    struct emit emit;
    if (format != FORMAT_TEXT) {
        emit_begin (&emit, format);
    }
    for (size_t i = 0; i < identities->count; i++) {
        const cohort_identity_t *identity = &identities->items[i];
        if (format == FORMAT_TEXT) {
            printf ("%s: %s\n", identity->scheme, identity->id);
        } else if (!emit_item (&emit, json_pack ("{s:s, s:s}", "scheme", identity->scheme, "id",
                                                 identity->id))) {
            return CLI_EXIT_FAILED;
        }
    }
    if (format != FORMAT_TEXT) {
        emit_end (&emit);
    }
    return CLI_EXIT_OK;
}

int cmd_whoami (const struct arguments *arguments)
{
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    cohort_identities_t *identities = NULL;
    int rc = cohort_whoami (session.client, &identities);
    code = session_result (&session, ACTIVITY_READ, "whoami", rc);
    session_close (&session);
    if (code == CLI_EXIT_OK) {
        code = print_identities (arguments->settings.format, identities);
    }
    cohort_identities_destroy (&identities);
    return code;
}
