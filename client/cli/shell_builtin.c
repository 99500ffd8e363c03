/* What only the shell has: its place, its session, its history. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/shell.h"

static int run_cd (struct shell *shell, const struct arguments *arguments)
{
    /* Without an operand the shell has put its own place there. */
    const char *path = arguments->operands[0];
    int code = shell_connect (shell);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = session_result (&shell->session, ACTIVITY_READ, path,
                           cohort_exists (shell->session.client, path, NULL));
    if (code == CLI_EXIT_OK) {
        snprintf (shell->directory, sizeof shell->directory, "%s", path);
    }
    return code;
}

static int run_pwd (struct shell *shell, const struct arguments *arguments)
{
    (void) arguments;
    printf ("%s\n", shell->directory);
    return CLI_EXIT_OK;
}

/* The session that is there goes only when the new one has come. */
static int run_connect (struct shell *shell, const struct arguments *arguments)
{
    char *servers = NULL;
    struct settings settings = shell->settings;
    if (arguments->operand_count > 0) {
        servers = strdup (arguments->operands[0]);
        if (servers == NULL) {
            message ("out of memory");
            return CLI_EXIT_FAILED;
        }
        settings.servers = servers;
    }
    struct session session;
    int code = session_open (&session, &settings, NULL);
    if (code != CLI_EXIT_OK) {
        free (servers);
        return code;
    }
    if (shell->session.client != NULL) {
        session_close (&shell->session);
    }
    if (servers != NULL) {
        free (shell->servers);
        shell->servers = servers;
        memcpy (shell->directory, "/", 2);
    }
    shell->settings = settings;
    shell->session = session;
    shell->closed = false;
    return CLI_EXIT_OK;
}

static int run_close (struct shell *shell, const struct arguments *arguments)
{
    (void) arguments;
    if (shell->session.client != NULL) {
        session_close (&shell->session);
    }
    shell->closed = true;
    return CLI_EXIT_OK;
}

static int run_removewatches (struct shell *shell, const struct arguments *arguments)
{
    const char *path = arguments->operands[0];
    cohort_watcher_t type = arguments_has (arguments, 'c')   ? COHORT_WATCHER_CHILDREN
                            : arguments_has (arguments, 'd') ? COHORT_WATCHER_DATA
                                                             : COHORT_WATCHER_ANY;
    int code = shell_connect (shell);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    return session_result (&shell->session, ACTIVITY_READ, path,
                           cohort_unwatch (shell->session.client, path, type, NULL, NULL));
}

static bool print_line (void *arg, int number, const char *line)
{
    (void) arg;
    printf ("%d - %s\n", number, line);
    return true;
}

static int run_history (struct shell *shell, const struct arguments *arguments)
{
    int64_t count = 10;
    if (arguments->operand_count > 0 &&
        !arguments_parse_number (arguments->operands[0], 1, SHELL_HISTORY_MAX, &count)) {
        message ("history: '%s' is not a number from 1 to %d", arguments->operands[0],
                 SHELL_HISTORY_MAX);
        return CLI_EXIT_USAGE;
    }
    shell_input_history (shell->input, (int) count, print_line, NULL);
    return CLI_EXIT_OK;
}

static int run_redo (struct shell *shell, const struct arguments *arguments)
{
    int64_t number;
    char *line = NULL;
    if (arguments_parse_number (arguments->operands[0], 1, INT32_MAX, &number)) {
        line = shell_input_recall (shell->input, (int) number);
    }
    if (line == NULL) {
        message ("redo: there is no line '%s' (see: history)", arguments->operands[0]);
        return CLI_EXIT_USAGE;
    }
    int code = CLI_EXIT_USAGE;
    if (strncmp (line + strspn (line, " \t"), "redo", 4) == 0) {
        message ("redo: line %s is a redo itself", arguments->operands[0]);
    } else {
        printf ("%s\n", line);
        code = shell_run (shell, line);
    }
    free (line);
    return code;
}

static int run_exit (struct shell *shell, const struct arguments *arguments)
{
    (void) arguments;
    shell->ended = true;
    return CLI_EXIT_OK;
}

static const struct flag no_flags[] = {{0}};

static const struct flag removewatches_flags[] = {
    {'c', "children", NULL, "those of ls -w"},
    {'d', "data", NULL, "those of get -w and stat -w"},
    {'a', "all", NULL, "both, as without an option"},
    {0},
};

const struct shell_builtin shell_builtins[] = {
    {{"cd", "[PATH]", 0, 1, "go to a znode: paths without a slash in front are meant from there",
      "", no_flags, "  cd /servers\n", NULL},
     run_cd},
    {{"pwd", "", 0, 0, "print where that is", "", no_flags, "  pwd\n", NULL}, run_pwd},
    {{"connect", "[SERVERS]", 0, 1, "begin a new session, there or at the same servers", "",
      no_flags, "  connect tcp://10.0.0.7:5181\n", NULL},
     run_connect},
    {{"close", "", 0, 0, "end the session, and with it its ephemerals", "", no_flags, "  close\n",
      NULL},
     run_close},
    {{"removewatches", "PATH", 1, 1, "take back what was watched with -w", "", removewatches_flags,
      "  removewatches /lobby\n", NULL},
     run_removewatches},
    {{"history", "[N]", 0, 1, "print the last N lines (10)", "", no_flags, "  history 20\n", NULL},
     run_history},
    {{"redo", "N", 1, 1, "run line N of the history again", "", no_flags, "  redo 12\n", NULL},
     run_redo},
    {{"exit", "", 0, 0, "end the shell; so does the end of its input", "", no_flags, "  exit\n",
      NULL},
     run_exit},
    {{"quit", "", 0, 0, "end the shell", "", no_flags, "  quit\n", NULL}, run_exit},
};
const size_t shell_builtin_count = sizeof shell_builtins / sizeof shell_builtins[0];
