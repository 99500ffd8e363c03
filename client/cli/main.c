/* cohort - the command line. Finds the command in the table and runs it. */

#include <stdio.h>

#include "client/cli/arguments.h"
#include "client/cli/command.h"
#include "client/cli/context.h"
#include "client/cli/exit_code.h"
#include "client/cli/help.h"
#include "client/cli/message.h"
#include "client/cli/shell.h"

/* What is left to do when parsing did not end with ARGUMENTS_OK. */
static int finish_early (const struct arguments *arguments, enum arguments_verdict verdict)
{
    switch (verdict) {
    case ARGUMENTS_HELP:
        help_print (stdout, arguments->command);
        return CLI_EXIT_OK;
    case ARGUMENTS_VERSION:
        return cmd_version (arguments);
    default:
        message ("%s", arguments->error);
        help_hint (arguments->command);
        return CLI_EXIT_USAGE;
    }
}

static int unknown_command (const char *name)
{
    const char *suggestion = command_suggest (name), *missing = command_missing (name);
    if (missing != NULL) {
        message ("%s: %s", name, missing);
        return CLI_EXIT_USAGE;
    }
    if (shell_builtin_find (name) != NULL) {
        message ("'%s' is a command of the shell alone: cohort shell (see: cohort help %s)", name,
                 name);
    } else if (suggestion != NULL) {
        message ("'%s' is not a command (did you mean '%s'?)", name, suggestion);
    } else {
        message ("'%s' is not a command", name);
    }
    help_hint (&command_root);
    return CLI_EXIT_USAGE;
}

/* Which servers are meant is known only now: options and variables outweigh the contexts. */
static int run_command (const struct command *command, struct arguments *arguments)
{
    if (command_is_local (command)) {
        return command->run (arguments);
    }
    struct contexts contexts;
    int code = CLI_EXIT_USAGE;
    if (contexts_load (&contexts) && contexts_apply (&contexts, &arguments->settings)) {
        code = command->run (arguments);
    }
    contexts_deinit (&contexts);
    return code;
}

static int run (int argc, char **argv)
{
    struct settings settings;
    if (!settings_init (&settings)) {
        return CLI_EXIT_USAGE;
    }
    struct arguments arguments;
    enum arguments_verdict verdict =
        arguments_parse (&arguments, &command_root, &settings, argc, argv);
    if (verdict != ARGUMENTS_OK) {
        return finish_early (&arguments, verdict);
    }
    if (arguments.operand_count == 0) {
        help_print (stderr, &command_root);
        return CLI_EXIT_USAGE;
    }
    int rest_count = arguments.operand_count;
    char **rest = arguments.operands;
    const struct command *command = command_find (rest[0]);
    if (command == NULL) {
        return unknown_command (rest[0]);
    }
    verdict = arguments_parse (&arguments, command, &settings, rest_count, rest);
    if (verdict != ARGUMENTS_OK) {
        return finish_early (&arguments, verdict);
    }
    return run_command (command, &arguments);
}

int main (int argc, char **argv)
{
    if (argc < 1) {
        return CLI_EXIT_USAGE;
    }
    int status = run (argc, argv);
    /* Data that did not reach its file, for a full disk say, is a failure. */
    if (fflush (stdout) != 0 || ferror (stdout)) {
        message ("standard output cannot be written");
        if (status == CLI_EXIT_OK) {
            status = CLI_EXIT_FAILED;
        }
    }
    return status;
}
