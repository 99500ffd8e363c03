/* What only the shell has: its place, its session, its history. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/command_flags.h"
#include "client/cli/emit.h"
#include "client/cli/event_line.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/shell.h"

static int run_cd (struct shell *shell, const struct arguments *arguments)
{
    /* Without an operand the shell has put / there. */
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
    enum format format = arguments->settings.format;
    if (format != FORMAT_TEXT) {
        return emit_value (format, json_string (shell->directory));
    }
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
        /* A password is for those that it was typed for. */
        settings.users = strcmp (servers, settings.servers) == 0 ? settings.users : NULL;
        settings.servers = servers;
    }
    struct session session;
    int code = session_open (&session, &settings, NULL);
    if (code != CLI_EXIT_OK) {
        free (servers);
        return code;
    }
    shell_disconnect (shell);
    if (servers != NULL) {
        free (shell->servers);
        shell->servers = servers;
        memcpy (shell->directory, "/", 2);
    }
    if (settings.users == NULL && shell->users.count > 0) {
        message ("these are other servers: the users of addauth are not sent to them");
        credentials_deinit (&shell->users);
    }
    settings.users = &shell->users;
    shell->settings = settings;
    shell->session = session;
    shell->closed = false;
    return CLI_EXIT_OK;
}

static int run_close (struct shell *shell, const struct arguments *arguments)
{
    (void) arguments;
    shell_disconnect (shell);
    shell->closed = true;
    return CLI_EXIT_OK;
}

static int run_add_watch (struct shell *shell, const struct arguments *arguments)
{
    const char *path = arguments->operands[0], *name = arguments_value (arguments, 'm');
    cohort_watch_mode_t mode = COHORT_WATCH_RECURSIVE;
    if (name != NULL && strcasecmp (name, "PERSISTENT") == 0) {
        mode = COHORT_WATCH_PERSISTENT;
    } else if (name != NULL && strcasecmp (name, "PERSISTENT_RECURSIVE") != 0) {
        message ("addWatch: '%s' is not a mode: PERSISTENT or PERSISTENT_RECURSIVE", name);
        return CLI_EXIT_USAGE;
    }
    int code = shell_connect (shell);
    return code != CLI_EXIT_OK ? code
                               : shell_watches_add (&shell->watches, &shell->session, path, mode);
}

static int run_printwatches (struct shell *shell, const struct arguments *arguments)
{
    (void) shell;
    if (arguments->operand_count == 0) {
        enum format format = arguments->settings.format;
        if (format != FORMAT_TEXT) {
            return emit_value (format, json_pack ("{s:b}", "printwatches", event_line_enabled ()));
        }
        printf ("printwatches is %s\n", event_line_enabled () ? "on" : "off");
        return CLI_EXIT_OK;
    }
    const char *word = arguments->operands[0];
    if (strcmp (word, "on") != 0 && strcmp (word, "off") != 0) {
        message ("printwatches: '%s' is neither on nor off", word);
        return CLI_EXIT_USAGE;
    }
    event_line_enable (strcmp (word, "on") == 0);
    return CLI_EXIT_OK;
}

/* Ends watches that were set with -w; `found`: others have been ended already. */
static int unwatch (struct shell *shell, const char *path, cohort_watcher_t type, bool local,
                    bool found)
{
    cohort_t *client = shell->session.client;
    int rc = local ? cohort_unwatch_async (client, path, type, NULL, NULL, NULL, NULL)
                   : cohort_unwatch (client, path, type, NULL, NULL);
    if (rc == COHORT_ENOWATCHER && found) {
        return CLI_EXIT_OK;
    }
    return session_result (&shell->session, ACTIVITY_READ, path, rc);
}

static int run_removewatches (struct shell *shell, const struct arguments *arguments)
{
    const char *path = arguments->operands[0];
    bool children = arguments_has (arguments, 'c'), data = arguments_has (arguments, 'd');
    bool persistent = arguments_has (arguments, 'p'), recursive = arguments_has (arguments, 'r');
    if (arguments_has (arguments, 'a') || !(children || data || persistent || recursive)) {
        children = data = persistent = recursive = true;
    }
    int code = shell_connect (shell);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    size_t removed = 0;
    if (persistent) {
        removed += shell_watches_remove (&shell->watches, path, COHORT_WATCH_PERSISTENT);
    }
    if (recursive) {
        removed += shell_watches_remove (&shell->watches, path, COHORT_WATCH_RECURSIVE);
    }
    if (children || data) {
        cohort_watcher_t type = !data       ? COHORT_WATCHER_CHILDREN
                                : !children ? COHORT_WATCHER_DATA
                                            : COHORT_WATCHER_ANY;
        return unwatch (shell, path, type, arguments_has (arguments, 'l'), removed > 0);
    }
    return removed > 0 ? CLI_EXIT_OK
                       : session_result (&shell->session, ACTIVITY_READ, path, COHORT_ENOWATCHER);
}

/* arg: NULL, or the list that is printed as JSON. */
static bool print_line (void *arg, int number, const char *line)
{
    if (arg != NULL) {
        return emit_item (arg, json_pack ("{s:i, s:s}", "number", number, "line", line));
    }
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
    enum format format = arguments->settings.format;
    struct emit emit;
    if (format == FORMAT_TEXT) {
        shell_input_history (shell->input, (int) count, print_line, NULL);
        return CLI_EXIT_OK;
    }
    emit_begin (&emit, format);
    shell_input_history (shell->input, (int) count, print_line, &emit);
    emit_end (&emit);
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

static const struct flag add_watch_flags[] = {
    {'m', "mode", "MODE",
     "PERSISTENT: of the znode, and the coming and going of its\nchildren; PERSISTENT_RECURSIVE "
     "(without -m): of the znode\nand of everything below it"},
    {0},
};

static const struct flag removewatches_flags[] = {
    {'c', "children", NULL, "those of ls -w"},
    {'d', "data", NULL, "those of get -w and stat -w"},
    {'p', "persistent", NULL, "those of addWatch -m PERSISTENT"},
    {'r', "recursive", NULL, "those of addWatch"},
    {'a', "all", NULL, "all of these, as without an option"},
    {'l', "local", NULL, "do not wait for the server's answer"},
    {0},
};

const struct shell_builtin shell_builtins[] = {
    {{"cd", "[PATH]", 0, 1, "go to a znode: paths without a slash in front are meant from there",
      "Without PATH: to /.\n", command_no_flags, "  cd /servers\n", NULL},
     run_cd},
    {{"pwd", "", 0, 0, "print where that is", "", command_no_flags, "  pwd\n", NULL}, run_pwd},
    {{"connect", "[SERVERS]", 0, 1, "begin a new session, there or at the same servers", "",
      command_no_flags, "  connect tcp://10.0.0.7:5181\n", NULL},
     run_connect},
    {{"close", "", 0, 0, "end the session, and with it its ephemerals", "", command_no_flags,
      "  close\n", NULL},
     run_close},
    {{"addWatch", "PATH", 1, 1, "print every change of a znode, until removewatches",
      "One line an event, fields separated by tabs: zxid, kind (created, changed, deleted,\n"
      "children; reset: what happened meanwhile is not known) and path. (Outside of the shell:\n"
      "cohort watch.)\n",
      add_watch_flags, "  addWatch -m PERSISTENT /lobby\n", NULL},
     run_add_watch},
    {{"printwatches", "[on|off]", 0, 1, "print what watches tell, or do not",
      "Without an operand: say which it is.\n", command_no_flags, "  printwatches off\n", NULL},
     run_printwatches},
    {{"removewatches", "PATH", 1, 1, "take back what was watched with -w or addWatch", "",
      removewatches_flags, "  removewatches /lobby\n", NULL},
     run_removewatches},
    {{"history", "[N]", 0, 1, "print the last N lines (10)", "", command_no_flags, "  history 20\n",
      NULL},
     run_history},
    {{"redo", "N", 1, 1, "run line N of the history again", "", command_no_flags, "  redo 12\n",
      NULL},
     run_redo},
    {{"exit", "", 0, 0, "end the shell; so does the end of its input", "", command_no_flags,
      "  exit\n", NULL},
     run_exit},
    {{"quit", "", 0, 0, "end the shell", "", command_no_flags, "  quit\n", NULL}, run_exit},
};
const size_t shell_builtin_count = sizeof shell_builtins / sizeof shell_builtins[0];

const struct shell_builtin *shell_builtin_find (const char *name)
{
    for (size_t i = 0; i < shell_builtin_count; i++) {
        if (strcmp (shell_builtins[i].command.name, name) == 0) {
            return &shell_builtins[i];
        }
    }
    return NULL;
}
