/* The command line, checked against the table of commands.
 * May include: command, format, nearest; getopt. */

#ifndef COHORT_CLI_ARGUMENTS_H
#define COHORT_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/cli/command.h"
#include "client/cli/format.h"

/* Flags of one command and the common ones together. */
#define ARGUMENTS_FLAGS_MAX 32
/* Where a server is expected when nothing says otherwise. */
#define ARGUMENTS_SERVERS_DEFAULT    "tcp://127.0.0.1:5181"
#define ARGUMENTS_TIMEOUT_MS_DEFAULT 10000
#define ARGUMENTS_TIMEOUT_MS_MAX     86400000

/* Where a setting comes from; the higher one counts. */
enum settings_source { SOURCE_DEFAULT, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct session;
struct credentials;

/* What the common flags and the environment say. */
struct settings {
    const char *servers;
    enum settings_source servers_source;
    const char *context; /* NULL: none is named, the current one is meant if there is one */
    enum settings_source context_source;
    const char *server_key; /* NULL: no encryption */
    const char *key_file;   /* the client's own keys; NULL: drawn anew */
    const char *auth;       /* SCHEME:USER[:PASSWORD]; NULL: none, as the next */
    const char *auth_file;
    struct credentials *users; /* whom sessions are besides; NULL: nobody */
    int timeout_ms;
    bool timeout_given; /* by the user, not the default */
    enum format format;
    const struct session *lender; /* of the shell that runs the command; NULL: none does */
};

enum arguments_verdict {
    ARGUMENTS_OK,
    ARGUMENTS_HELP,    /* --help was among them    */
    ARGUMENTS_VERSION, /* --version was among them */
    ARGUMENTS_WRONG    /* see error                */
};

struct arguments {
    const struct command *command;
    struct settings settings;
    const struct flag *flags[ARGUMENTS_FLAGS_MAX];
    const char *values[ARGUMENTS_FLAGS_MAX]; /* "": given without argument; NULL: not given */
    bool from_variable[ARGUMENTS_FLAGS_MAX]; /* the value is that of its variable */
    int flag_count;
    int own_count; /* of the command itself: they come first */
    char **operands;
    int operand_count;
    char error[512]; /* a sentence without full stop, ARGUMENTS_WRONG only */
};

/* The variable that stands for a flag: --if-version is COHORT_IF_VERSION. */
#define ARGUMENTS_VARIABLE_SIZE 64
const char *flag_variable (const struct flag *flag, char buffer[ARGUMENTS_VARIABLE_SIZE]);

/* What the environment says of the common flags, or what holds without it. False: a variable has a
 * value that its flag would not take; a message has been printed. */
bool settings_init (struct settings *self);

/* Parses argv[1] to argv[argc - 1], moving operands behind the flags (argv[0] is not looked at).
 * command_root stops at the first operand, for the rest belongs to the command. Common flags
 * change `settings`, from which self->settings is copied; a flag of the command that is not given
 * is taken from its variable. What self points to belongs to argv or the environment. */
enum arguments_verdict arguments_parse (struct arguments *self, const struct command *command,
                                        struct settings *settings, int argc, char **argv);

/* Parses the words of something that is like a command, but has no common flags and no variables.
 * False: it is wrong, see error. */
bool arguments_parse_words (struct arguments *self, const struct command *command, int count,
                            char **words);

/* Whether a flag was given; its argument, NULL when it was not given. */
bool arguments_has (const struct arguments *self, int flag_id);
const char *arguments_value (const struct arguments *self, int flag_id);

/* The argument of a flag as a number from min to max, or `otherwise` when it was not given. False:
 * it is no such number; a message has been printed. */
bool arguments_number (const struct arguments *self, int flag_id, int64_t min, int64_t max,
                       int64_t otherwise, int64_t *number);

/* A decimal number from min to max with nothing around it. */
bool arguments_parse_number (const char *text, int64_t min, int64_t max, int64_t *number);

/* A zxid or the id of a session as it is printed: decimal, or hexadecimal behind 0x. */
bool arguments_parse_id (const char *text, uint64_t *id);

#endif
