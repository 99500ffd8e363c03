#include "client/cli/arguments.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/nearest.h"
#include "client/cli/message.h"

/* ':' or '+:' in front, and up to two characters for each flag. */
#define LETTERS_SIZE (2 * ARGUMENTS_FLAGS_MAX + 3)

#define HIDDEN_DASH '\x1f'

/* NULL: not set, or empty. */
static const char *from_environment (const char *name)
{
    const char *value = getenv (name);
    return value != NULL && *value != 0 ? value : NULL;
}

const char *flag_variable (const struct flag *flag, char buffer[ARGUMENTS_VARIABLE_SIZE])
{
    snprintf (buffer, ARGUMENTS_VARIABLE_SIZE, "COHORT_%s", flag->name);
    for (char *next = buffer; *next != 0; next++) {
        *next = *next == '-' ? '_' : (char) toupper ((unsigned char) *next);
    }
    return buffer;
}

/* `what`: the flag or the variable that text comes from. */
static bool take_timeout (struct settings *self, const char *what, const char *text, char *error,
                          size_t size)
{
    int64_t number = 0;
    if (!arguments_parse_number (text, 1, ARGUMENTS_TIMEOUT_MS_MAX, &number)) {
        snprintf (error, size, "%s: '%.64s' is not a number of milliseconds from 1 to %d", what,
                  text, ARGUMENTS_TIMEOUT_MS_MAX);
        return false;
    }
    self->timeout_ms = (int) number;
    self->timeout_given = true;
    return true;
}

static bool take_format (struct settings *self, const char *what, const char *text, char *error,
                         size_t size)
{
    if (!format_parse (text, &self->format)) {
        snprintf (error, size, "%s: '%.64s' is not a format: text, json or jsonl", what, text);
        return false;
    }
    return true;
}

bool settings_init (struct settings *self)
{
    const char *servers = from_environment ("COHORT_SERVERS");
    const char *context = from_environment ("COHORT_CONTEXT");
    *self = (struct settings){
        .servers = servers != NULL ? servers : ARGUMENTS_SERVERS_DEFAULT,
        .servers_source = servers != NULL ? SOURCE_ENVIRONMENT : SOURCE_DEFAULT,
        .context = context,
        .context_source = context != NULL ? SOURCE_ENVIRONMENT : SOURCE_DEFAULT,
        .server_key = from_environment ("COHORT_SERVER_KEY"),
        .key_file = from_environment ("COHORT_KEY"),
        .auth = from_environment ("COHORT_AUTH"),
        .auth_file = from_environment ("COHORT_AUTH_FILE"),
        .timeout_ms = ARGUMENTS_TIMEOUT_MS_DEFAULT,
        .format = FORMAT_TEXT,
    };
    const char *timeout = from_environment ("COHORT_TIMEOUT");
    const char *format = from_environment ("COHORT_OUTPUT");
    char error[256];
    if ((timeout != NULL && !take_timeout (self, "COHORT_TIMEOUT", timeout, error, sizeof error)) ||
        (format != NULL && !take_format (self, "COHORT_OUTPUT", format, error, sizeof error))) {
        message ("%s", error);
        return false;
    }
    return true;
}

bool arguments_parse_number (const char *text, int64_t min, int64_t max, int64_t *number)
{
    /* strtoll alone would let blanks and a plus sign pass. */
    if (*text != '-' && (*text < '0' || *text > '9')) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll (text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || value < min || value > max) {
        return false;
    }
    *number = value;
    return true;
}

bool arguments_parse_id (const char *text, uint64_t *id)
{
    char *end = NULL;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull (text, &end, strncmp (text, "0x", 2) == 0 ? 16 : 10);
    if (errno != 0 || *end != 0) {
        return false;
    }
    *id = value;
    return true;
}

static void collect_flags (struct arguments *self, bool with_common)
{
    self->flag_count = 0;
    const struct flag *lists[] = {self->command->flags, command_common_flags};
    for (size_t i = 0; i < (with_common ? 2 : 1); i++) {
        for (const struct flag *flag = lists[i]; flag != NULL && flag->id != 0; flag++) {
            assert (self->flag_count < ARGUMENTS_FLAGS_MAX);
            self->flags[self->flag_count] = flag;
            self->values[self->flag_count] = NULL;
            self->from_variable[self->flag_count] = false;
            self->flag_count++;
        }
        self->own_count = i == 0 ? self->flag_count : self->own_count;
    }
}

static int index_of (const struct arguments *self, int flag_id)
{
    for (int i = 0; i < self->flag_count; i++) {
        if (self->flags[i]->id == flag_id) {
            return i;
        }
    }
    return -1;
}

static void fill_tables (const struct arguments *self, char *letters, struct option *longs)
{
    char *next = letters;
    if (self->command == &command_root) {
        *next++ = '+';
    }
    *next++ = ':';
    for (int i = 0; i < self->flag_count; i++) {
        const struct flag *flag = self->flags[i];
        int has_argument = flag->argument != NULL ? required_argument : no_argument;
        longs[i] = (struct option){flag->name, has_argument, NULL, flag->id};
        if (flag->id < 256) {
            *next++ = (char) flag->id;
            if (has_argument == required_argument) {
                *next++ = ':';
            }
        }
    }
    *next = 0;
    longs[self->flag_count] = (struct option){NULL, 0, NULL, 0};
}

/* What users of zkCli look for under a flag that Cohort does not have. */
static const char *hint_for (const char *text)
{
    if (strcmp (text, "-w") == 0) {
        return "'cohort watch PATH' follows changes";
    }
    return NULL;
}

/* getopt refused an option: says which, and what may have been meant. */
static void describe_unknown (struct arguments *self, const char *text)
{
    const char *names[ARGUMENTS_FLAGS_MAX];
    for (int i = 0; i < self->flag_count; i++) {
        names[i] = self->flags[i]->name;
    }
    char name[NEAREST_WORD_MAX + 1];
    snprintf (name, sizeof name, "%s", text + strspn (text, "-"));
    name[strcspn (name, "=")] = 0;
    /* A word behind one dash is what zkCli takes: -server. */
    int nearest = strlen (name) > 1 ? nearest_word (name, names, (size_t) self->flag_count) : -1;
    const char *hint = hint_for (text);
    size_t used = (size_t) snprintf (self->error, sizeof self->error, "unknown option %.64s", text);
    if (nearest >= 0) {
        snprintf (self->error + used, sizeof self->error - used, " (did you mean --%s?)",
                  names[nearest]);
    } else if (hint != NULL) {
        snprintf (self->error + used, sizeof self->error - used, " (%s)", hint);
    } else if (self->command->operands_max > 0 && self->command != &command_root) {
        snprintf (self->error + used, sizeof self->error - used,
                  " (operands that begin with '-' go behind --)");
    }
}

static void describe_problem (struct arguments *self, int problem, const char *text)
{
    int index = optopt != 0 ? index_of (self, optopt) : -1;
    if (problem == ':' && index >= 0) {
        snprintf (self->error, sizeof self->error, "%.64s needs an argument: %s", text,
                  self->flags[index]->argument);
    } else if (index >= 0) {
        snprintf (self->error, sizeof self->error, "--%s takes no argument",
                  self->flags[index]->name);
    } else {
        describe_unknown (self, text);
    }
}

/* The word in which getopt just met a problem. It does not say which one when it was a letter: a
 * long word with that letter behind one dash is taken to be it, and shown whole. */
static const char *offending_word (int argc, char **argv, char *buffer, size_t size)
{
    if (optopt == 0 || optopt >= 256) {
        return argv[optind - 1];
    }
    for (int i = 1; i < argc && strcmp (argv[i], "--") != 0; i++) {
        const char *word = argv[i];
        if (word[0] == '-' && word[1] != '-' && strlen (word) > 3 && strchr (word, optopt)) {
            return word;
        }
    }
    snprintf (buffer, size, "-%c", optopt);
    return buffer;
}

static bool apply_common (struct arguments *self, struct settings *settings)
{
    const char *servers = arguments_value (self, FLAG_SERVERS);
    if (servers != NULL) {
        settings->servers = servers;
        settings->servers_source = SOURCE_FLAG;
    }
    const char *context = arguments_value (self, FLAG_CONTEXT);
    if (context != NULL) {
        settings->context = context;
        settings->context_source = SOURCE_FLAG;
    }
    const char *server_key = arguments_value (self, FLAG_SERVER_KEY);
    if (server_key != NULL) {
        settings->server_key = server_key;
    }
    const char *key_file = arguments_value (self, FLAG_KEY);
    if (key_file != NULL) {
        settings->key_file = key_file;
    }
    const char *auth = arguments_value (self, FLAG_AUTH);
    const char *auth_file = arguments_value (self, FLAG_AUTH_FILE);
    if (auth != NULL || auth_file != NULL) {
        /* Who is named here is not added to who is named in the environment. */
        settings->auth = auth;
        settings->auth_file = auth_file;
    }
    const char *timeout = arguments_value (self, FLAG_TIMEOUT);
    const char *format = arguments_value (self, FLAG_OUTPUT);
    char *error = self->error;
    size_t size = sizeof self->error;
    if ((timeout != NULL && !take_timeout (settings, "--timeout", timeout, error, size)) ||
        (format != NULL && !take_format (settings, "--output", format, error, size))) {
        return false;
    }
    self->settings = *settings;
    return true;
}

/* Flags of the command itself that were not given; the common ones are in the settings. A flag
 * without argument counts as given unless its variable says no. */
static void apply_environment (struct arguments *self)
{
    for (int i = 0; i < self->own_count; i++) {
        const struct flag *flag = self->flags[i];
        char name[ARGUMENTS_VARIABLE_SIZE];
        const char *value = from_environment (flag_variable (flag, name));
        if (self->values[i] != NULL || value == NULL) {
            continue;
        }
        bool off =
            strcmp (value, "0") == 0 || strcmp (value, "no") == 0 || strcmp (value, "false") == 0;
        if (flag->argument != NULL) {
            self->values[i] = value;
        } else if (!off) {
            self->values[i] = "";
        }
        self->from_variable[i] = self->values[i] != NULL;
    }
}

static bool check_operands (struct arguments *self)
{
    if (self->operand_count < self->command->operands_min) {
        snprintf (self->error, sizeof self->error, "an operand is missing: %s %s",
                  self->command->name, self->command->operands);
        return false;
    }
    if (self->operand_count > self->command->operands_max) {
        snprintf (self->error, sizeof self->error,
                  "one operand too many: '%.64s' (quote what has blanks in it)",
                  self->operands[self->command->operands_max]);
        return false;
    }
    return true;
}

/* No flag is a digit, so that -5 is a number. getopt would take it for a flag all the same: until
 * it is done its dash is hidden, unless a word begins with what hides it. */
static void hide_numbers (int argc, char **argv, bool hide)
{
    const char from = hide ? '-' : HIDDEN_DASH, to = hide ? HIDDEN_DASH : '-';
    for (int i = 1; i < argc && (!hide || strcmp (argv[i], "--") != 0); i++) {
        if (argv[i][0] == from && isdigit ((unsigned char) argv[i][1])) {
            argv[i][0] = to;
        }
    }
}

static bool may_hide (int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == HIDDEN_DASH) {
            return false;
        }
    }
    return true;
}

static bool take_flags (struct arguments *self, int argc, char **argv)
{
    char letters[LETTERS_SIZE];
    struct option longs[ARGUMENTS_FLAGS_MAX + 1];
    fill_tables (self, letters, longs);

    opterr = 0;
    optind = 0; /* 0, not 1: glibc then forgets the command line of an earlier call. */
    for (;;) {
        optopt = 0;
        int id = getopt_long (argc, argv, letters, longs, NULL);
        if (id == -1) {
            break;
        }
        if (id == '?' || id == ':') {
            char buffer[8];
            describe_problem (self, id, offending_word (argc, argv, buffer, sizeof buffer));
            return false;
        }
        int index = index_of (self, id);
        assert (index >= 0);
        self->values[index] = optarg != NULL ? optarg : "";
    }
    self->operands = argv + optind;
    self->operand_count = argc - optind;
    return true;
}

/* Fills in flags and operands. False: see error. */
static bool parse_flags (struct arguments *self, int argc, char **argv)
{
    bool hidden = may_hide (argc, argv);
    if (hidden) {
        hide_numbers (argc, argv, true);
    }
    bool good = take_flags (self, argc, argv);
    if (hidden) {
        hide_numbers (argc, argv, false);
    }
    return good;
}

enum arguments_verdict arguments_parse (struct arguments *self, const struct command *command,
                                        struct settings *settings, int argc, char **argv)
{
    assert (argc >= 1 && command != NULL);
    memset (self, 0, sizeof *self);
    self->command = command;
    collect_flags (self, true);
    if (!parse_flags (self, argc, argv)) {
        return ARGUMENTS_WRONG;
    }
    if (arguments_has (self, FLAG_HELP)) {
        return ARGUMENTS_HELP;
    }
    if (arguments_has (self, FLAG_VERSION)) {
        return ARGUMENTS_VERSION;
    }
    if (!apply_common (self, settings)) {
        return ARGUMENTS_WRONG;
    }
    apply_environment (self);
    if (command != &command_root && !check_operands (self)) {
        return ARGUMENTS_WRONG;
    }
    return ARGUMENTS_OK;
}

bool arguments_parse_words (struct arguments *self, const struct command *command, int count,
                            char **words)
{
    assert (count >= 1 && command != NULL);
    memset (self, 0, sizeof *self);
    self->command = command;
    collect_flags (self, false);
    return parse_flags (self, count, words) && check_operands (self);
}

bool arguments_has (const struct arguments *self, int flag_id)
{
    return arguments_value (self, flag_id) != NULL;
}

const char *arguments_value (const struct arguments *self, int flag_id)
{
    int index = index_of (self, flag_id);
    return index >= 0 ? self->values[index] : NULL;
}

bool arguments_number (const struct arguments *self, int flag_id, int64_t min, int64_t max,
                       int64_t otherwise, int64_t *number)
{
    const char *text = arguments_value (self, flag_id);
    if (text == NULL) {
        *number = otherwise;
        return true;
    }
    if (!arguments_parse_number (text, min, max, number)) {
        char name[ARGUMENTS_VARIABLE_SIZE];
        int index = index_of (self, flag_id);
        bool from_variable = self->from_variable[index];
        message (
            "%s%s: '%s' is not a number from %" PRId64 " to %" PRId64, from_variable ? "" : "--",
            from_variable ? flag_variable (self->flags[index], name) : self->flags[index]->name,
            text, min, max);
        return false;
    }
    return true;
}
