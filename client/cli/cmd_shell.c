/* shell: many commands in one session. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/shell.h"

#define COMPLETION_LIMIT_MS 1000
#define COMPLETION_MAX      1000
#define FILE_NAME_SIZE      1024

/* ---- What the terminal asks --------------------------------------------------------------- */

struct terminal {
    struct shell *shell;
    char prompt[SHELL_PATH_SIZE + 64];
};

static const char *show_prompt (void *arg)
{
    struct terminal *self = arg;
    const struct shell *shell = self->shell;
    const char *state = "";
    if (shell->session.client == NULL) {
        state = shell->closed ? "(CLOSED)" : "";
    } else if (cohort_state (shell->session.client) == COHORT_LOST) {
        state = "(LOST)";
    } else if (cohort_state (shell->session.client) != COHORT_CONNECTED) {
        state = "(SUSPENDED)";
    }
    snprintf (self->prompt, sizeof self->prompt, "cohort%s:%s> ", state, shell->directory);
    return self->prompt;
}

static cohort_t *client_of (void *arg)
{
    const struct terminal *self = arg;
    return self->shell->session.client;
}

/* Asks for one page: who has more children types more of the name. */
static void add_children (void *arg, const char *path, const char *prefix,
                          struct shell_completion *completion)
{
    const struct terminal *self = arg;
    cohort_t *client = self->shell->session.client;
    cohort_page_t *page = NULL;
    cohort_list_options_t options = {.size = sizeof options,
                                     .prefix = prefix,
                                     .flags = COHORT_LIST_STAT,
                                     .limit = COMPLETION_MAX};
    if (client == NULL || cohort_state (client) != COHORT_CONNECTED) {
        return;
    }
    cohort_set_time_limit (client, COMPLETION_LIMIT_MS);
    if (cohort_list (client, path, &options, &page, NULL) != COHORT_OK) {
        return; /* no such znode: nothing to offer */
    }
    for (size_t i = 0; i < page->count; i++) {
        shell_completion_add (completion, page->children[i].name,
                              page->children[i].stat.child_count > 0);
    }
    cohort_page_destroy (&page);
}

static void complete (void *arg, const char *line, size_t cursor,
                      struct shell_completion *completion)
{
    struct terminal *self = arg;
    shell_complete (completion, line, cursor, self->shell->directory, add_children, self);
}

/* ---- Files -------------------------------------------------------------------------------- */

/* $XDG_STATE_HOME/cohort/history, whose folders are made if need be. NULL: there is no home. */
static const char *history_file (char *name, size_t size)
{
    const char *state = getenv ("XDG_STATE_HOME"), *home = getenv ("HOME");
    int length = -1;
    if (state != NULL && *state == '/') {
        length = snprintf (name, size, "%s/cohort/history", state);
    } else if (home != NULL && *home == '/') {
        length = snprintf (name, size, "%s/.local/state/cohort/history", home);
    }
    if (length < 0 || (size_t) length >= size) {
        return NULL;
    }
    for (char *slash = strchr (name + 1, '/'); slash != NULL; slash = strchr (slash + 1, '/')) {
        *slash = 0;
        int rc = mkdir (name, 0700);
        *slash = '/';
        if (rc != 0 && errno != EEXIST) {
            return NULL;
        }
    }
    return name;
}

/* Lines of standard input are read past stdio, so that commands that read it find nothing there. */
static FILE *open_script (const char *name)
{
    if (name != NULL) {
        FILE *file = fopen (name, "r");
        if (file == NULL) {
            message ("%s cannot be read: %s", name, strerror (errno));
        }
        return file;
    }
    int copy = dup (STDIN_FILENO);
    FILE *file = copy >= 0 ? fdopen (copy, "r") : NULL;
    if (file == NULL || freopen ("/dev/null", "r", stdin) == NULL) {
        message ("standard input cannot be read: %s", strerror (errno));
        return NULL;
    }
    return file;
}

/* ---- The command -------------------------------------------------------------------------- */

static int run_lines (struct shell *shell, bool interactive)
{
    char *line;
    int number = 0;
    while (!shell->ended && (line = shell_input_read (shell->input)) != NULL) {
        number++;
        if (shell_run (shell, line) != CLI_EXIT_OK && !interactive) {
            message ("shell: line %d failed", number);
            return shell->code;
        }
    }
    /* Somebody who was there has seen what failed. */
    return CLI_EXIT_OK;
}

int cmd_shell (const struct arguments *arguments)
{
    if (arguments->settings.lender != NULL) {
        message ("shell: this is one");
        return CLI_EXIT_USAGE;
    }
    const char *script = arguments->operand_count > 0 ? arguments->operands[0] : NULL;
    bool interactive = script == NULL && isatty (STDIN_FILENO) && isatty (STDOUT_FILENO);
    FILE *file = interactive ? NULL : open_script (script);
    if (!interactive && file == NULL) {
        return CLI_EXIT_FAILED;
    }
    struct shell shell;
    struct terminal terminal = {.shell = &shell};
    struct shell_asker asker = {&terminal, show_prompt, client_of, complete};
    char name[FILE_NAME_SIZE];
    struct shell_input *input =
        shell_input_new (file, &asker, interactive ? history_file (name, sizeof name) : NULL);
    int code = CLI_EXIT_FAILED;
    if (input != NULL) {
        shell_init (&shell, &arguments->settings, input);
        /* Somebody who waits at a prompt learns at once that nobody is there. */
        code = interactive ? shell_connect (&shell) : CLI_EXIT_OK;
        if (code == CLI_EXIT_OK) {
            code = run_lines (&shell, interactive);
        }
        shell_deinit (&shell);
        shell_input_destroy (&input);
    }
    if (file != NULL) {
        fclose (file);
    }
    return code;
}
