#include "client/cli/manual.h"

#include <ctype.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/command.h"
#include "client/cli/exit_code.h"
#include "client/cli/shell.h"
#include "cohort/version.h"

/* Text of roff: backslashes are its own, and so are a point and an apostrophe that begin a line. */
static void print_text (FILE *stream, const char *text, size_t size)
{
    if (size > 0 && (text[0] == '.' || text[0] == '\'')) {
        fputs ("\\&", stream);
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\\') {
            fputs ("\\e", stream);
        } else if (text[i] == '-') {
            fputs ("\\-", stream); /* a minus, as commands have it, and no hyphen */
        } else {
            fputc (text[i], stream);
        }
    }
}

static void print_string (FILE *stream, const char *text)
{
    print_text (stream, text, strlen (text));
}

/* The word as an argument of a macro: quoted if it has blanks. */
static void print_word (FILE *stream, const char *word)
{
    fputs (" \"", stream);
    print_string (stream, word);
    fputc ('"', stream);
}

/* Lines are filled, but those that begin with two blanks stay as they are. */
static void print_paragraphs (FILE *stream, const char *text)
{
    bool literal = false;
    while (*text != 0) {
        size_t size = strcspn (text, "\n");
        bool indented = strncmp (text, "  ", 2) == 0;
        if (indented != literal) {
            fputs (indented ? ".Bd -literal\n" : ".Ed\n.Pp\n", stream);
            literal = indented;
        }
        if (size == 0) {
            fputs (literal ? "\n" : ".Pp\n", stream);
        } else {
            print_text (stream, text, size);
            fputc ('\n', stream);
        }
        text += size + (text[size] == '\n');
    }
    if (literal) {
        fputs (".Ed\n", stream);
    }
}

static void print_flag (FILE *stream, const struct flag *flag)
{
    fputs (".It", stream);
    if (flag->id < 256) {
        fprintf (stream, " Fl %c ,", flag->id);
    }
    fputs (" Fl", stream);
    char name[64];
    snprintf (name, sizeof name, "-%s", flag->name);
    print_word (stream, name);
    if (flag->argument != NULL) {
        fputs (" Ar", stream);
        print_word (stream, flag->argument);
    }
    fputc ('\n', stream);
    print_paragraphs (stream, flag->text);
}

static void print_flags (FILE *stream, const struct flag *flags)
{
    if (flags->id == 0) {
        return;
    }
    fputs (".Bl -tag -width Ds\n", stream);
    for (; flags->id != 0; flags++) {
        print_flag (stream, flags);
    }
    fputs (".El\n", stream);
}

/* A summary as the first sentence of a text. */
static void print_sentence (FILE *stream, const char *summary)
{
    char first = (char) toupper ((unsigned char) summary[0]);
    print_text (stream, &first, 1);
    print_string (stream, summary + 1);
    fputs (".\n", stream);
}

static void print_command (FILE *stream, const struct command *command)
{
    fprintf (stream, ".Ss %s\n.Nm Cm", command->name);
    print_word (stream, command->name);
    if (command->flags->id != 0) {
        fputs ("\n.Op Ar options", stream);
    }
    if (*command->operands != 0) {
        fputs ("\n.Ar", stream);
        print_word (stream, command->operands);
    }
    fputs ("\n.Pp\n", stream);
    print_sentence (stream, command->summary);
    print_paragraphs (stream, command->details);
    print_flags (stream, command->flags);
    fputs (".Bd -literal -offset indent\n", stream);
    for (const char *line = command->example; *line != 0;) {
        size_t size = strcspn (line, "\n"), blanks = strspn (line, " ");
        blanks = blanks > 2 ? 2 : blanks;
        print_text (stream, line + blanks, size - blanks);
        fputc ('\n', stream);
        line += size + (line[size] == '\n');
    }
    fputs (".Ed\n", stream);
}

/* What only cohort shell knows. */
static void print_builtins (FILE *stream)
{
    fputs (".Sh IN THE SHELL\n"
           "Lines of\n.Ic cohort shell\nare the commands above, without\n.Nm\n"
           "in front, and these:\n.Bl -tag -width Ds\n",
           stream);
    for (size_t i = 0; i < shell_builtin_count; i++) {
        const struct command *command = &shell_builtins[i].command;
        fputs (".It Ic", stream);
        print_word (stream, command->name);
        if (command->flags->id != 0) {
            fputs (" Op Ar options", stream);
        }
        if (*command->operands != 0) {
            fputs (" Ar", stream);
            print_word (stream, command->operands);
        }
        fputc ('\n', stream);
        print_sentence (stream, command->summary);
        print_paragraphs (stream, command->details);
        print_flags (stream, command->flags);
    }
    fputs (".El\n", stream);
}

static void print_environment (FILE *stream)
{
    fputs (".Sh ENVIRONMENT\n"
           "Every option has a variable, which counts unless the option is given:\n",
           stream);
    const char *separator = "";
    for (const struct flag *flag = command_common_flags; flag->id != 0; flag++) {
        if (flag->argument != NULL) {
            char name[ARGUMENTS_VARIABLE_SIZE];
            fprintf (stream, "%s.Ev %s", separator, flag_variable (flag, name));
            separator = " ,\n";
        }
    }
    fputs (" ,\nand in the same way those of a single command:\n"
           ".Fl \"\\-if\\-version\"\nis\n.Ev COHORT_IF_VERSION .\n"
           "That of an option without argument is set by any value but\n"
           ".Li 0 ,\n.Li no\nand\n.Li false .\n",
           stream);
}

void manual_print (FILE *stream)
{
    fputs (".\\\" Made by 'cohort help --man' from the table of commands.\n"
           ".Dd November 22, 2026\n.Dt COHORT 1\n.Os\n"
           ".Sh NAME\n.Nm cohort\n.Nd command line of the coordination service Cohort\n"
           ".Sh SYNOPSIS\n",
           stream);
    fputs (".Nm\n.Ar command\n.Op Ar options\n.Op Ar operands\n", stream);
    fputs (".Sh DESCRIPTION\n.Nm\n"
           "reads, changes and watches the znodes of an ensemble, shows its servers, and measures "
           "it.\n"
           "Data that was asked for goes to standard output, and everything else to standard "
           "error.\n"
           "Options may stand before and behind the operands; behind\n.Li \\-\\-\n"
           "there are operands only, which may then begin with a minus.\n"
           "What holds without an option stands in parentheses.\n.Pp\n"
           "Every command understands:\n",
           stream);
    print_flags (stream, command_common_flags);
    fputs (".Sh COMMANDS\n", stream);
    for (size_t i = 0; i < command_count; i++) {
        print_command (stream, &command_table[i]);
    }
    print_builtins (stream);
    print_environment (stream);
    fputs (".Sh EXIT STATUS\n.Bd -literal\n", stream);
    print_string (stream, exit_code_list);
    fputs (".Ed\n.Sh SEE ALSO\n.Xr cohortd 8\n", stream);
}
