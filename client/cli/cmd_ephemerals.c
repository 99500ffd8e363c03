/* getEphemerals. */

#include <stdlib.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

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

struct question {
    cohort_ephemerals_options_t options;
    cohort_strings_t *paths;
};

static int call_ephemerals (cohort_t *client, void *arg)
{
    struct question *self = arg;
    return cohort_ephemerals (client, &self->options, &self->paths);
}

int cmd_ephemerals (const struct arguments *arguments)
{
    struct question self = {
        .options = {.size = sizeof self.options,
                    .flags =
                        arguments_has (arguments, FLAG_LINEARIZABLE) ? COHORT_READ_LINEARIZABLE : 0,
                    .prefix = arguments->operand_count > 0 ? arguments->operands[0] : NULL}};
    const char *id = arguments_value (arguments, FLAG_SESSION);
    if (id != NULL &&
        (!arguments_parse_id (id, &self.options.session) || self.options.session == 0)) {
        message ("--session: '%s' is not the id of a session (see: cohort session ls)", id);
        return CLI_EXIT_USAGE;
    }
    int code =
        session_call (&arguments->settings, ACTIVITY_READ, "getEphemerals", call_ephemerals, &self);
    if (code == CLI_EXIT_OK) {
        code = print_paths (arguments->settings.format, self.paths);
    }
    cohort_strings_destroy (&self.paths);
    return code;
}
