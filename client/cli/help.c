#include "client/cli/help.h"

#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"

/* Where the text of a flag begins. */
#define FLAG_TEXT_COLUMN 26

static void print_flag (FILE *stream, const struct flag *flag)
{
    char letter[] = "    ", head[64];
    if (flag->id < 256) {
        snprintf (letter, sizeof letter, "-%c, ", flag->id);
    }
    int size =
        snprintf (head, sizeof head, "  %s--%s%s%s", letter, flag->name,
                  flag->argument != NULL ? " " : "", flag->argument != NULL ? flag->argument : "");
    fprintf (stream, "%-*s", FLAG_TEXT_COLUMN, head);
    if (size >= FLAG_TEXT_COLUMN) {
        fprintf (stream, "\n%*s", FLAG_TEXT_COLUMN, "");
    }
    for (const char *line = flag->text; *line != 0;) {
        size_t length = strcspn (line, "\n");
        fprintf (stream, "%.*s\n", (int) length, line);
        line += length;
        if (*line == '\n') {
            line++;
            fprintf (stream, "%*s", FLAG_TEXT_COLUMN, "");
        }
    }
}

static void print_flags (FILE *stream, const char *title, const struct flag *flags)
{
    if (flags->id == 0) {
        return;
    }
    fprintf (stream, "\n%s:\n", title);
    for (; flags->id != 0; flags++) {
        print_flag (stream, flags);
    }
}

static void print_overview (FILE *stream)
{
    fputs ("cohort - the command line of Cohort, a coordination service\n\n"
           "Usage: cohort COMMAND [OPTIONS] [OPERANDS]\n\n"
           "The servers keep a tree of znodes, each a file and a folder in one: it has a path such "
           "as\n/lobby/room-7, data, and children.\n",
           stream);
    const struct command_group *group = command_groups;
    for (size_t i = 0; i < command_count; i++) {
        if (group->first != NULL && strcmp (group->first, command_table[i].name) == 0) {
            fprintf (stream, "\n%s:\n", group->title);
            group++;
        }
        fprintf (stream, "  %-22s%s\n", command_table[i].name, command_table[i].summary);
    }
    fputs ("\n'cohort help COMMAND' explains a command, 'cohort help CODE' an error.\n", stream);
    print_flags (stream, "Options of all commands", command_common_flags);
    fputs (
        "\nWhat holds without an option stands in parentheses. Every option that takes an "
        "argument, "
        "and\nevery option of a single command, can also be given as a variable: --timeout as\n"
        "COHORT_TIMEOUT. Options may stand in front of the command, before its operands or behind\n"
        "them; behind -- there are operands only, which may then begin with a minus.\n"
        "\nExample:\n"
        "  $ cohortd dev &\n"
        "  $ cohort create /config '{\"players\": 16}'\n"
        "  /config\n"
        "  $ cohort get /config\n"
        "  {\"players\": 16}\n",
        stream);
}

void help_print (FILE *stream, const struct command *command)
{
    if (command == &command_root) {
        print_overview (stream);
    } else {
        const char *blank = *command->operands != 0 ? " " : "";
        bool in_shell = command->run == NULL; /* only there */
        fprintf (stream, "%s %s - %s\n\nUsage: %s%s [OPTIONS]%s%s\n",
                 in_shell ? "cohort shell:" : "cohort", command->name, command->summary,
                 in_shell ? "" : "cohort ", command->name, blank, command->operands);
        if (*command->details != 0) {
            fprintf (stream, "\n%s", command->details);
        }
        print_flags (stream, "Options", command->flags);
        print_flags (stream, "Options of all commands", command_common_flags);
        fprintf (stream, "\nExample:\n%s", command->example);
    }
    fprintf (stream, "\nExit status:\n%s", exit_code_list);
}

static json_t *flags_json (const struct flag *flags)
{
    json_t *array = json_array ();
    for (; flags->id != 0; flags++) {
        char variable[ARGUMENTS_VARIABLE_SIZE];
        const char letter[2] = {(char) (flags->id < 256 ? flags->id : 0), 0};
        json_array_append_new (
            array, json_pack ("{s:s, s:s?, s:s?, s:s, s:s}", "name", flags->name, "letter",
                              *letter != 0 ? letter : NULL, "argument", flags->argument, "variable",
                              flag_variable (flags, variable), "text", flags->text));
    }
    return array;
}

json_t *help_json (const struct command *command)
{
    bool is_root = command == &command_root;
    return json_pack ("{s:s, s:s, s:s, s:s, s:o, s:s}", "name", command->name, "operands",
                      command->operands, "summary", command->summary, "details", command->details,
                      "options", flags_json (is_root ? command_common_flags : command->flags),
                      "example", command->example);
}

void help_hint (const struct command *command)
{
    if (command == &command_root) {
        fputs ("Try 'cohort --help'.\n", stderr);
    } else {
        fprintf (stderr, "Try 'cohort %s --help'.\n", command->name);
    }
}
