/* Completions. The scripts are short: the words come from the table, the paths from the servers. */

#include <stdbool.h>
#include <string.h>

#include "client/cli/command.h"
#include "client/cli/manual.h"

static void print_flag_words (FILE *stream, const struct flag *flags)
{
    for (; flags->id != 0; flags++) {
        if (flags->id < 256) {
            fprintf (stream, "-%c ", flags->id);
        }
        fprintf (stream, "--%s ", flags->name);
    }
}

/* Whether a command's operands are paths, so that those of the servers are offered. */
static bool takes_path (const struct command *command)
{
    return strstr (command->operands, "PATH") != NULL || strstr (command->operands, "SOURCE");
}

/* Those that take paths, separated by '|', as `case` has it. */
static void print_path_commands (FILE *stream)
{
    const char *separator = "";
    for (size_t i = 0; i < command_count; i++) {
        if (takes_path (&command_table[i])) {
            fprintf (stream, "%s%s", separator, command_table[i].name);
            separator = "|";
        }
    }
}

/* The words that the argument of a flag, or the first operand of a command, is one of: "a|b|c" in
 * the table, up to a blank. Prints them with blanks between, and nothing for anything else. */
static void print_choices (FILE *stream, const char *text)
{
    size_t size = text != NULL ? strcspn (text, " ") : 0;
    if (size == 0 || memchr (text, '|', size) == NULL || text[0] == '[') {
        return;
    }
    for (size_t i = 0; i < size; i++) {
        fputc (text[i] == '|' ? ' ' : text[i], stream);
    }
}

static bool has_choices (const char *text)
{
    size_t size = text != NULL ? strcspn (text, " ") : 0;
    return size > 0 && text[0] != '[' && memchr (text, '|', size) != NULL;
}

/* Each flag that takes an argument, as a pattern of `case`: prefix-o|prefix--output. */
static void print_flag_pattern (FILE *stream, const char *prefix, const struct flag *flag)
{
    if (flag->id < 256) {
        fprintf (stream, "%s-%c|", prefix, flag->id);
    }
    fprintf (stream, "%s--%s", prefix, flag->name);
}

static void print_argument_patterns (FILE *stream, const char *command, const struct flag *flags)
{
    char prefix[64] = "";
    snprintf (prefix, sizeof prefix, "%s%s", command, *command != 0 ? ":" : "*:");
    for (; flags->id != 0; flags++) {
        if (flags->argument != NULL) {
            fputs ("        ", stream);
            print_flag_pattern (stream, prefix, flags);
            fputs (") return 0 ;;\n", stream);
        }
    }
}

/* What may follow one of the flags: sets `words`. */
static void print_flag_choices (FILE *stream, const char *command, const struct flag *flags)
{
    char prefix[64] = "";
    snprintf (prefix, sizeof prefix, "%s%s", command, *command != 0 ? ":" : "*:");
    for (; flags->id != 0; flags++) {
        if (has_choices (flags->argument)) {
            fputs ("        ", stream);
            print_flag_pattern (stream, prefix, flags);
            fputs (") words='", stream);
            print_choices (stream, flags->argument);
            fputs ("' ;;\n", stream);
        }
    }
}

static void print_bash_tables (FILE *stream)
{
    fputs ("# Whether the flag $2 of the command $1 takes an argument.\n"
           "_cohort_argument () {\n"
           "    case $1:$2 in\n",
           stream);
    print_argument_patterns (stream, "", command_common_flags);
    for (size_t i = 0; i < command_count; i++) {
        print_argument_patterns (stream, command_table[i].name, command_table[i].flags);
    }
    fputs (
        "    esac\n"
        "    return 1\n"
        "}\n"
        "# What the argument of the flag $2 of the command $1, or without $2 its first operand, is "
        "one of.\n"
        "_cohort_choices () {\n"
        "    case $1:$2 in\n"
        "        *:--context) words=$(cohort -o text context ls 2>/dev/null | cut -f 2) ;;\n",
        stream);
    print_flag_choices (stream, "", command_common_flags);
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        print_flag_choices (stream, command->name, command->flags);
        if (has_choices (command->operands)) {
            fprintf (stream, "        %s:) words='", command->name);
            print_choices (stream, command->operands);
            fputs ("' ;;\n", stream);
        }
    }
    fputs ("        :|help:) words='", stream);
    for (size_t i = 0; i < command_count; i++) {
        fprintf (stream, "%s ", command_table[i].name);
    }
    fputs ("' ;;\n"
           "    esac\n"
           "}\n",
           stream);
}

void completion_print_bash (FILE *stream)
{
    fputs ("# Completion of cohort for bash; made by 'cohort completion bash'.\n", stream);
    print_bash_tables (stream);
    fputs (
        "_cohort () {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    local command= operands=0 words= flags i\n"
        "    COMPREPLY=()\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${COMP_WORDS[i]} in\n"
        "            -*) ! _cohort_argument \"$command\" \"${COMP_WORDS[i]}\" || i=$((i + 1)) ;;\n"
        "            *) [[ -z $command ]] && command=${COMP_WORDS[i]} ||\n"
        "                operands=$((operands + 1)) ;;\n"
        "        esac\n"
        "    done\n"
        "    if [[ $previous == -* ]] && _cohort_argument \"$command\" \"$previous\"; then\n"
        "        _cohort_choices \"$command\" \"$previous\"\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
        "        return\n"
        "    fi\n"
        "    flags='",
        stream);
    print_flag_words (stream, command_common_flags);
    fputs ("'\n    case $command in\n", stream);
    for (size_t i = 0; i < command_count; i++) {
        fprintf (stream, "        %s) flags+='", command_table[i].name);
        print_flag_words (stream, command_table[i].flags);
        fputs ("' ;;\n", stream);
    }
    fputs ("    esac\n"
           "    if [[ $word == -* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$word\")\n"
           "        return\n"
           "    fi\n"
           "    [[ $operands -gt 0 ]] || _cohort_choices \"$command\" ''\n"
           "    if [[ -n $words ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "        return\n"
           "    fi\n"
           "    case $command in\n"
           "        ",
           stream);
    print_path_commands (stream);
    fputs (")\n"
           "            if [[ $word == /* ]]; then\n"
           "                local parent=${word%/*} name=${word##*/}\n"
           "                mapfile -t COMPREPLY < <(cohort -o text ls --limit 200 "
           "--prefix \"$name\" \"${parent:-/}\" --timeout 1000 2>/dev/null |\n"
           "                    sed \"s|^|${parent//|/\\\\|}/|\")\n"
           "                compopt -o nospace 2>/dev/null\n"
           "            elif [[ -z $word ]]; then\n"
           "                COMPREPLY=(/)\n"
           "                compopt -o nospace 2>/dev/null\n"
           "            fi ;;\n"
           "    esac\n"
           "}\n"
           "complete -o default -F _cohort cohort\n",
           stream);
}

/* Text between single quotes of zsh, where brackets and colons mean something to _arguments. */
static void print_quoted (FILE *stream, const char *text)
{
    for (; *text != 0 && *text != '\n'; text++) {
        if (*text == '\'') {
            fputs ("'\\''", stream);
        } else if (strchr ("[]:\\", *text) != NULL) {
            fprintf (stream, "\\%c", *text);
        } else {
            fputc (*text, stream);
        }
    }
}

static void print_zsh_flags (FILE *stream, const struct flag *flags)
{
    for (; flags->id != 0; flags++) {
        for (int form = flags->id < 256 ? 0 : 1; form < 2; form++) {
            if (form == 0) {
                fprintf (stream, " \\\n            '-%c[", flags->id);
            } else {
                fprintf (stream, " \\\n            '--%s[", flags->name);
            }
            print_quoted (stream, flags->text);
            fputc (']', stream);
            if (has_choices (flags->argument)) {
                fputs (":one of:(", stream);
                print_choices (stream, flags->argument);
                fputc (')', stream);
            } else if (flags->argument != NULL) {
                fputc (':', stream);
                print_quoted (stream, flags->argument);
                fputc (':', stream);
            }
            fputc ('\'', stream);
        }
    }
}

void completion_print_zsh (FILE *stream)
{
    fputs ("#compdef cohort\n"
           "# Completion of cohort for zsh; made by 'cohort completion zsh'.\n"
           "_cohort_path () {\n"
           "    local parent=${PREFIX%/*} name=${PREFIX##*/}\n"
           "    local -a paths\n"
           "    paths=(${(f)\"$(cohort -o text ls --limit 200 --prefix \"$name\" "
           "\"${parent:-/}\" --timeout 1000 2>/dev/null)\"})\n"
           "    compadd -S '' -p \"$parent/\" -- $paths\n"
           "}\n"
           "_cohort_command () {\n"
           "    local -a commands\n"
           "    commands=(\n",
           stream);
    for (size_t i = 0; i < command_count; i++) {
        fprintf (stream, "        '%s:", command_table[i].name);
        print_quoted (stream, command_table[i].summary);
        fputs ("'\n", stream);
    }
    fputs ("    )\n"
           "    _describe command commands\n"
           "}\n"
           "_cohort () {\n"
           "    local context state line curcontext=$curcontext\n"
           "    _arguments -C",
           stream);
    print_zsh_flags (stream, command_common_flags);
    fputs (" \\\n            '1:command:_cohort_command' '*::operand:->rest'\n"
           "    [[ $state == rest ]] || return\n"
           "    case $words[1] in\n",
           stream);
    for (size_t i = 0; i < command_count; i++) {
        fprintf (stream, "        %s)\n            _arguments", command_table[i].name);
        print_zsh_flags (stream, command_table[i].flags);
        print_zsh_flags (stream, command_common_flags);
        if (has_choices (command_table[i].operands)) {
            fputs (" \\\n            '1:what:(", stream);
            print_choices (stream, command_table[i].operands);
            fputs (")'", stream);
        }
        fprintf (stream, " \\\n            '*:operand:%s' ;;\n",
                 takes_path (&command_table[i])                ? "_cohort_path"
                 : strcmp (command_table[i].name, "help") == 0 ? "_cohort_command"
                                                               : "_files");
    }
    fputs ("    esac\n"
           "}\n"
           "_cohort \"$@\"\n",
           stream);
}
