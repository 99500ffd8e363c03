#include "client/cli/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/context.h"
#include "client/cli/exit_code.h"
#include "client/cli/help.h"
#include "client/cli/interrupt.h"
#include "client/cli/message.h"
#include "client/cli/words.h"

void shell_init (struct shell *self, const struct settings *settings, struct shell_input *input)
{
    memset (self, 0, sizeof *self);
    self->settings = *settings;
    /* It is known now which servers are meant; what a line says of it outweighs that. */
    self->settings.context = NULL;
    self->settings.context_source = self->settings.servers_source = SOURCE_ENVIRONMENT;
    self->settings.users = &self->users;
    self->input = input;
    memcpy (self->directory, "/", 2);
}

void shell_deinit (struct shell *self)
{
    shell_disconnect (self);
    credentials_deinit (&self->users);
    free (self->servers);
    self->servers = NULL;
}

int shell_connect (struct shell *self)
{
    if (self->closed) {
        message ("there is no session (see: connect)");
        return CLI_EXIT_NO_CONNECTION;
    }
    if (self->session.client != NULL && cohort_state (self->session.client) == COHORT_LOST) {
        message ("the session has ended, and with it its ephemerals and watches: a new one begins");
        shell_disconnect (self);
    }
    return self->session.client != NULL ? CLI_EXIT_OK
                                        : session_open (&self->session, &self->settings, NULL);
}

void shell_disconnect (struct shell *self)
{
    shell_watches_clear (&self->watches);
    if (self->session.client != NULL) {
        session_close (&self->session);
    }
}

/* ---- Paths ------------------------------------------------------------------------------- */

/* Adds one part of a path to what is resolved already. */
static bool add_part (char *resolved, size_t size, const char *part, size_t part_size)
{
    if (part_size == 0 || (part_size == 1 && part[0] == '.')) {
        return true;
    }
    if (part_size == 2 && memcmp (part, "..", 2) == 0) {
        *strrchr (resolved, '/') = 0;
        if (*resolved == 0) {
            memcpy (resolved, "/", 2);
        }
        return true;
    }
    size_t used = strcmp (resolved, "/") == 0 ? 0 : strlen (resolved);
    if (used + 1 + part_size >= size) {
        return false;
    }
    resolved[used] = '/';
    memcpy (resolved + used + 1, part, part_size);
    resolved[used + 1 + part_size] = 0;
    return true;
}

bool shell_resolve (const char *directory, const char *path, char *resolved, size_t size)
{
    const char *from[] = {path[0] == '/' ? "/" : directory, path};
    if (size < 2) {
        return false;
    }
    memcpy (resolved, "/", 2);
    for (int i = 0; i < 2; i++) {
        for (const char *part = from[i]; *part != 0;) {
            size_t part_size = strcspn (part, "/");
            if (!add_part (resolved, size, part, part_size)) {
                return false;
            }
            part += part_size + (part[part_size] == '/');
        }
    }
    return true;
}

bool shell_operand_is_path (const struct command *command, int index)
{
    static const char *const names[] = {"PATH", "SOURCE", "TARGET"};
    const char *word = command->operands;
    for (; index > 0 && *word != 0; index--) {
        word += strcspn (word, " ");
        word += strspn (word, " ");
    }
    word += *word == '[';
    size_t size = strcspn (word, " ]");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen (names[i]) == size && strncmp (names[i], word, size) == 0) {
            return true;
        }
    }
    return false;
}

/* Where the line's paths are, as absolute ones. */
struct resolved {
    char *operands[WORDS_MAX + 1];
    char paths[2][SHELL_PATH_SIZE]; /* no command takes more of them */
    size_t count;
};

/* Puts what the operands mean from here into their place. A path that may be left out is the place
 * itself; only cd alone leads back to the top. False: a message has been printed. */
static bool resolve_operands (const struct shell *self, struct arguments *arguments,
                              struct resolved *resolved)
{
    resolved->count = 0;
    memcpy (resolved->operands, arguments->operands,
            (size_t) arguments->operand_count * sizeof arguments->operands[0]);
    bool whole_path = arguments->operand_count == 0 && arguments->command->operands[0] == '[';
    bool goes = strcmp (arguments->command->name, "cd") == 0;
    int count = whole_path ? 1 : arguments->operand_count;
    for (int i = 0; i < count; i++) {
        if (!shell_operand_is_path (arguments->command, i) || resolved->count == 2) {
            continue;
        }
        char *path = resolved->paths[resolved->count++];
        const char *given = whole_path ? (goes ? "/" : ".") : arguments->operands[i];
        if (!shell_resolve (self->directory, given, path, SHELL_PATH_SIZE)) {
            message ("%s: the path is too long", given);
            return false;
        }
        resolved->operands[i] = path;
        arguments->operand_count = count;
    }
    arguments->operands = resolved->operands;
    return true;
}

/* ---- Lines ------------------------------------------------------------------------------- */

/* A command that names its servers has a session of its own there; the others share the shell's. */
static int run_command (struct shell *self, struct arguments *arguments)
{
    struct settings *settings = &arguments->settings;
    bool elsewhere = settings->servers != self->settings.servers ||
                     settings->server_key != self->settings.server_key ||
                     settings->key_file != self->settings.key_file ||
                     settings->auth != self->settings.auth ||
                     settings->auth_file != self->settings.auth_file ||
                     settings->context != self->settings.context;
    if (!elsewhere) {
        settings->lender = &self->session;
        int code = command_is_local (arguments->command) ? CLI_EXIT_OK : shell_connect (self);
        return code == CLI_EXIT_OK ? arguments->command->run (arguments) : code;
    }
    settings->users = NULL;
    struct contexts contexts;
    int code = CLI_EXIT_USAGE;
    if (contexts_load (&contexts) && contexts_apply (&contexts, settings)) {
        code = arguments->command->run (arguments);
    }
    contexts_deinit (&contexts);
    return code;
}

static int wrong (const struct arguments *arguments, enum arguments_verdict verdict)
{
    if (verdict == ARGUMENTS_HELP) {
        help_print (stdout, arguments->command);
        return CLI_EXIT_OK;
    }
    message ("%s",
             verdict == ARGUMENTS_VERSION ? "the version is told by: version" : arguments->error);
    return CLI_EXIT_USAGE;
}

static int run_words (struct shell *self, struct words *words)
{
    const struct shell_builtin *builtin = shell_builtin_find (words->items[0]);
    const struct command *command =
        builtin != NULL ? &builtin->command : command_find (words->items[0]);
    if (command == NULL) {
        const char *suggestion = command_suggest (words->items[0]);
        const char *missing = command_missing (words->items[0]);
        if (missing != NULL) {
            message ("%s: %s", words->items[0], missing);
            return CLI_EXIT_USAGE;
        }
        message ("'%s' is not a command (%s%s%s)", words->items[0],
                 suggestion != NULL ? "did you mean '" : "see: help",
                 suggestion != NULL ? suggestion : "", suggestion != NULL ? "'?" : "");
        return CLI_EXIT_USAGE;
    }
    struct arguments arguments;
    struct settings settings = self->settings;
    enum arguments_verdict verdict =
        arguments_parse (&arguments, command, &settings, words->count, words->items);
    if (verdict != ARGUMENTS_OK) {
        return wrong (&arguments, verdict);
    }
    struct resolved resolved;
    if (!resolve_operands (self, &arguments, &resolved)) {
        return CLI_EXIT_USAGE;
    }
    return builtin != NULL ? builtin->run (self, &arguments) : run_command (self, &arguments);
}

int shell_run (struct shell *self, char *line)
{
    struct words words;
    const char *error = NULL;
    if (!words_split (&words, line, &error)) {
        message ("%s", error);
        self->code = CLI_EXIT_USAGE;
    } else if (words.count > 0) {
        self->code = run_words (self, &words);
        interrupt_release ();
        if (self->session.client != NULL) {
            cohort_dispatch (self->session.client, 0); /* what was watched, and has happened */
        }
        clearerr (stdin);
        if (fflush (stdout) != 0 && self->code == CLI_EXIT_OK) {
            message ("standard output cannot be written");
            self->code = CLI_EXIT_FAILED;
        }
    }
    return self->code;
}
