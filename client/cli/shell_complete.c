#include "client/cli/shell_complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/shell.h"

void shell_completion_add (struct shell_completion *self, const char *name, bool more_below)
{
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 32 : 2 * self->room;
        char **names = realloc (self->names, room * sizeof *names);
        if (names == NULL) {
            self->out_of_memory = true;
            return;
        }
        self->names = names;
        self->room = room;
    }
    size_t size = strlen (name);
    char *copy = malloc (size + 2);
    if (copy == NULL) {
        self->out_of_memory = true;
        return;
    }
    memcpy (copy, name, size);
    memcpy (copy + size, more_below ? "/" : "", more_below ? 2 : 1);
    self->names[self->count++] = copy;
}

void shell_completion_deinit (struct shell_completion *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->names[i]);
    }
    free (self->names);
    memset (self, 0, sizeof *self);
}

static int by_name (const void *a, const void *b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

static size_t common_size (const struct shell_completion *self)
{
    size_t size = self->count > 0 ? strlen (self->names[0]) : 0;
    for (size_t i = 1; i < self->count; i++) {
        size_t same = 0;
        while (same < size && self->names[0][same] == self->names[i][same]) {
            same++;
        }
        size = same;
    }
    return size;
}

/* ---- What a word may be ---------------------------------------------------------------- */

static void add_if (struct shell_completion *self, const char *name, const char *typed)
{
    if (strncmp (name, typed, strlen (typed)) == 0) {
        shell_completion_add (self, name, false);
    }
}

static void complete_command (struct shell_completion *self, const char *word)
{
    for (size_t i = 0; i < command_count; i++) {
        add_if (self, command_table[i].name, word);
    }
    for (size_t i = 0; i < shell_builtin_count; i++) {
        add_if (self, shell_builtins[i].command.name, word);
    }
}

static void complete_flag (struct shell_completion *self, const struct command *command,
                           const char *word)
{
    const struct flag *lists[] = {command->flags, command_common_flags};
    for (size_t i = 0; i < 2; i++) {
        for (const struct flag *flag = lists[i]; flag->id != 0; flag++) {
            char name[64];
            snprintf (name, sizeof name, "--%s", flag->name);
            add_if (self, name, word);
        }
    }
}

static void complete_path (struct shell_completion *self, const char *word, const char *directory,
                           shell_children_fn *children, void *arg)
{
    char parent[SHELL_PATH_SIZE], above[SHELL_PATH_SIZE];
    const char *slash = strrchr (word, '/');
    const char *name = slash != NULL ? slash + 1 : word;
    snprintf (above, sizeof above, "%.*s", (int) (name - word), word);
    self->typed = strlen (name);
    if (shell_resolve (directory, above, parent, sizeof parent)) {
        children (arg, parent, name, self);
    }
}

static const struct command *find (const char *name)
{
    const struct shell_builtin *builtin = shell_builtin_find (name);
    return builtin != NULL ? &builtin->command : command_find (name);
}

static const char blanks[] = " \t";

/* The end of a word, before a blank that is not behind a backslash. */
static char *end_of (char *word)
{
    while (*word != 0 && strchr (blanks, *word) == NULL) {
        word += word[0] == '\\' && word[1] != 0 ? 2 : 1;
    }
    return word;
}

/* Takes the backslashes out; false: the last one stands before nothing. */
static bool unquote (char *word)
{
    char *to = word;
    for (const char *at = word; *at != 0; at++) {
        if (*at == '\\' && *++at == 0) {
            return false;
        }
        *to++ = *at;
    }
    *to = 0;
    return true;
}

char *shell_quoted (const char *name, size_t size)
{
    char *quoted = malloc (2 * size + 1), *to = quoted;
    for (size_t i = 0; quoted != NULL && i < size; i++) {
        if (strchr (" \t'\"\\#", name[i]) != NULL) {
            *to++ = '\\';
        }
        *to++ = name[i];
    }
    if (quoted != NULL) {
        *to = 0;
    }
    return quoted;
}

/* The line is cut at blanks: words with quotes are left alone. */
static void complete_last (struct shell_completion *self, char *line, const char *directory,
                           shell_children_fn *children, void *arg)
{
    const struct command *command = NULL;
    int operands = 0;
    char *word = line + strspn (line, blanks);
    for (bool first = true;; first = false) {
        char *end = end_of (word);
        if (*end == 0) {
            break;
        }
        *end = 0;
        command = first ? find (word) : command;
        operands += !first && word[0] != '-';
        word = end + 1 + strspn (end + 1, blanks);
        if (command == NULL) {
            return;
        }
    }
    if (!unquote (word)) {
        return;
    }
    self->typed = strlen (word);
    if (command == NULL) {
        complete_command (self, word);
    } else if (word[0] == '-') {
        complete_flag (self, command, word);
    } else if (strcmp (command->name, "help") == 0) {
        complete_command (self, word);
    } else if (word[0] == '/' || shell_operand_is_path (command, operands)) {
        complete_path (self, word, directory, children, arg);
    }
}

void shell_complete (struct shell_completion *self, const char *line, size_t cursor,
                     const char *directory, shell_children_fn *children, void *arg)
{
    memset (self, 0, sizeof *self);
    char *copy = malloc (cursor + 1);
    if (copy == NULL) {
        self->out_of_memory = true;
        return;
    }
    memcpy (copy, line, cursor);
    copy[cursor] = 0;
    if (strpbrk (copy, "'\"") == NULL) {
        complete_last (self, copy, directory, children, arg);
    }
    free (copy);
    if (self->count > 1) {
        qsort (self->names, self->count, sizeof self->names[0], by_name);
    }
    self->common = common_size (self);
}
