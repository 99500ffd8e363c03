/* help, completion, version. */

#include <stdio.h>
#include <string.h>

#include "client/cli/advice.h"
#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/help.h"
#include "client/cli/manual.h"
#include "client/cli/message.h"
#include "client/cli/shell.h"
#include "cohort/error.h"
#include "cohort/version.h"

static int explain_code (int code, enum format format)
{
    const char *meaning, *kind = advice_kind (code, &meaning), *advice = advice_text (code);
    if (format != FORMAT_TEXT) {
        return emit_value (format, json_pack ("{s:s, s:i, s:s, s:s, s:i, s:s}", "name",
                                              cohort_error_name (code), "code", code, "text",
                                              cohort_error_text (code), "kind", kind, "exit_status",
                                              exit_code_of (code), "advice", advice));
    }
    printf ("%s (%d): %s\n\n%s\n\n", cohort_error_name (code), code, cohort_error_text (code),
            advice);
    if (code != COHORT_OK) {
        printf ("Kind: %s - %s.\n", kind, meaning);
    }
    printf ("Exit status of cohort: %d\n", exit_code_of (code));
    return CLI_EXIT_OK;
}

/* The root stands for all commands, and is the first of them: its options are those of all. */
static int explain_command (const struct command *command, enum format format)
{
    if (format == FORMAT_TEXT) {
        help_print (stdout, command);
        return CLI_EXIT_OK;
    }
    if (command != &command_root) {
        return emit_value (format, help_json (command));
    }
    struct emit emit;
    emit_begin (&emit, format);
    emit_item (&emit, help_json (command));
    for (size_t i = 0; i < command_count; i++) {
        emit_item (&emit, help_json (&command_table[i]));
    }
    emit_end (&emit);
    return CLI_EXIT_OK;
}

/* Also what only a shell has. */
static const struct command *find (const char *name)
{
    const struct shell_builtin *builtin = shell_builtin_find (name);
    return builtin != NULL ? &builtin->command : command_find (name);
}

int cmd_help (const struct arguments *arguments)
{
    if (arguments_has (arguments, FLAG_MAN)) {
        manual_print (stdout);
        return CLI_EXIT_OK;
    }
    const struct command *command = &command_root;
    const char *name = arguments->operand_count > 0 ? arguments->operands[0] : NULL;
    int code;
    if (name != NULL) {
        command = find (name);
    }
    if (command != NULL) {
        return explain_command (command, arguments->settings.format);
    }
    if (advice_parse (name, &code)) {
        return explain_code (code, arguments->settings.format);
    }
    const char *suggestion = command_suggest (name), *missing = command_missing (name);
    if (missing != NULL) {
        message ("%s: %s", name, missing);
        return CLI_EXIT_USAGE;
    }
    if (suggestion != NULL) {
        message ("'%s' is neither a command nor an error (did you mean '%s'?)", name, suggestion);
    } else {
        message ("'%s' is neither a command nor an error", name);
    }
    help_hint (&command_root);
    return CLI_EXIT_USAGE;
}

int cmd_completion (const struct arguments *arguments)
{
    if (strcmp (arguments->operands[0], "bash") == 0) {
        completion_print_bash (stdout);
    } else if (strcmp (arguments->operands[0], "zsh") == 0) {
        completion_print_zsh (stdout);
    } else {
        message ("completion: '%s' is not a shell that is known: bash or zsh",
                 arguments->operands[0]);
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

int cmd_version (const struct arguments *arguments)
{
    char version[32];
    snprintf (version, sizeof version, "%d.%d.%d", COHORT_VERSION_MAJOR, COHORT_VERSION_MINOR,
              COHORT_VERSION_PATCH);
    if (arguments->settings.format != FORMAT_TEXT) {
        return emit_value (arguments->settings.format, json_pack ("{s:s}", "version", version));
    }
    printf ("cohort %s\n", version);
    return CLI_EXIT_OK;
}
