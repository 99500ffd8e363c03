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

void completion_print_bash (FILE *stream)
{
    fputs ("# Completion of cohort for bash; made by 'cohort completion bash'.\n"
           "_cohort () {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} command= flags i\n"
           "    COMPREPLY=()\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case ${COMP_WORDS[i]} in\n"
           "            "
           "--servers|--server-key|--key|--auth|--auth-file|--timeout|--output|-o|--context) "
           "i=$((i + 1)) ;;\n"
           "            -*) ;;\n"
           "            *) command=${COMP_WORDS[i]}; break ;;\n"
           "        esac\n"
           "    done\n"
           "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n"
           "        -o|--output)\n"
           "            mapfile -t COMPREPLY < <(compgen -W 'text json jsonl' -- \"$word\")\n"
           "            return ;;\n"
           "    esac\n"
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
           "    case $command in\n"
           "        ''|help)\n"
           "            mapfile -t COMPREPLY < <(compgen -W '",
           stream);
    for (size_t i = 0; i < command_count; i++) {
        fprintf (stream, "%s ", command_table[i].name);
    }
    fputs ("' -- \"$word\") ;;\n        ", stream);
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
            if (flags->argument != NULL) {
                fprintf (stream, ":%s:%s", flags->argument,
                         flags->id == FLAG_OUTPUT ? "(text json jsonl)" : "");
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
