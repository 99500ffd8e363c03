/* find, grep. */

#include <fnmatch.h>
#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/output.h"
#include "client/cli/survey.h"

/* ---- find -------------------------------------------------------------------------------- */

/* "+N": more than N, "-N": less, "N": exactly. */
struct bound {
    char sign; /* '+', '-', '=', or 0: no bound */
    int64_t value;
};

struct search {
    enum format format;
    const char *name;
    const char *kind;
    struct bound size; /* bytes */
    struct bound age;  /* ms since the data was changed */
    int64_t now_ms;
    struct emit emit;
};

/* units: the letters that may follow the number, and what each multiplies it by. */
struct unit {
    char letter;
    int64_t factor;
};

static bool parse_bound (const char *flag, const char *text, const struct unit *units,
                         const char *shape, struct bound *bound)
{
    *bound = (struct bound){0};
    if (text == NULL) {
        return true;
    }
    const char *digits = text + (*text == '+' || *text == '-');
    char number[20] = "";
    size_t size = strspn (digits, "0123456789");
    int64_t factor = digits[size] == 0 ? 1 : 0;
    for (const struct unit *unit = units; unit->letter != 0 && factor == 0; unit++) {
        factor = digits[size] == unit->letter && digits[size + 1] == 0 ? unit->factor : 0;
    }
    if (size > 0 && size < 12 && factor > 0) {
        memcpy (number, digits, size);
        bound->value = strtoll (number, NULL, 10) * factor;
        bound->sign = digits > text ? *text : '=';
        return true;
    }
    message ("--%s: '%s' is not %s", flag, text, shape);
    return false;
}

static bool within (const struct bound *bound, int64_t value)
{
    switch (bound->sign) {
    case '+':
        return value > bound->value;
    case '-':
        return value < bound->value;
    case '=':
        return value == bound->value;
    default:
        return true;
    }
}

static bool fits (const struct search *self, const struct tour_node *node)
{
    return (self->name == NULL || fnmatch (self->name, node->name, 0) == 0) &&
           (self->kind == NULL || strcmp (self->kind, output_mode_name (node->stat)) == 0) &&
           within (&self->size, node->stat->data_size) &&
           within (&self->age, self->now_ms - node->stat->mtime_ms);
}

static int on_candidate (const struct tour_node *node, void *arg)
{
    struct search *self = arg;
    if (!fits (self, node)) {
        return COHORT_OK;
    }
    if (self->format == FORMAT_TEXT) {
        printf ("%s\n", node->path);
        return ferror (stdout) ? COHORT_ESYSTEM : COHORT_OK;
    }
    json_t *item =
        json_pack ("{s:s, s:o}", "path", node->path, "stat", output_json_stat (node->stat));
    return emit_item (&self->emit, item) ? COHORT_OK : COHORT_ENOMEM;
}

static bool make_search (struct search *self, const struct arguments *arguments)
{
    static const struct unit sizes[] = {{'k', 1024}, {'M', 1024 * 1024}, {0}};
    static const struct unit ages[] = {
        {'s', 1000}, {'m', 60 * 1000}, {'h', 3600 * 1000}, {'d', 86400000}, {0}};
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    *self = (struct search){
        .format = arguments->settings.format,
        .name = arguments_value (arguments, FLAG_NAME),
        .kind = arguments_value (arguments, FLAG_KIND),
        .now_ms = (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000,
    };
    if (self->kind != NULL && strcmp (self->kind, "persistent") != 0 &&
        strcmp (self->kind, "ephemeral") != 0 && strcmp (self->kind, "container") != 0) {
        message ("--kind: '%s' is not a kind: persistent, ephemeral or container", self->kind);
        return false;
    }
    const char *age = arguments_value (arguments, FLAG_MTIME);
    if (age != NULL && *age != '+' && *age != '-') {
        message ("--mtime: '%s' begins with neither + (longer ago) nor - (since then)", age);
        return false;
    }
    return parse_bound ("bytes", arguments_value (arguments, FLAG_BYTES), sizes,
                        "a size such as +10k, -1M or 100", &self->size) &&
           parse_bound ("mtime", age, ages, "a time such as +7d, -1h, -30m or +10s", &self->age);
}

int cmd_find (const struct arguments *arguments)
{
    struct search search;
    if (!make_search (&search, arguments)) {
        return CLI_EXIT_USAGE;
    }
    struct survey survey = {.enter = on_candidate, .arg = &search, .emit = &search.emit};
    return survey_run (arguments, &survey);
}

/* ---- grep -------------------------------------------------------------------------------- */

struct grep {
    enum format format;
    regex_t regex;
    bool paths_only;
    size_t found;
    struct emit emit;
};

/* 0: it does not match; or COHORT_ENOMEM. */
static int matches (const regex_t *regex, const char *line, size_t size)
{
    char *copy = malloc (size + 1);
    if (copy == NULL) {
        return COHORT_ENOMEM;
    }
    memcpy (copy, line, size);
    copy[size] = 0;
    bool result = regexec (regex, copy, 0, NULL, 0) == 0;
    free (copy);
    return result;
}

static bool print_match (struct grep *self, const char *path, const char *line, size_t size)
{
    self->found++;
    if (self->format != FORMAT_TEXT) {
        json_t *item = json_pack ("{s:s}", "path", path);
        if (item != NULL && !self->paths_only) {
            output_json_data (item, line, size);
        }
        return emit_item (&self->emit, item);
    }
    fputs (path, stdout);
    if (!self->paths_only) {
        fputc (':', stdout);
        output_escaped (stdout, line, size);
    }
    fputc ('\n', stdout);
    return !ferror (stdout);
}

static int on_data (const struct tour_node *node, void *arg)
{
    struct grep *self = arg;
    const char *next = node->data, *end = next + node->size;
    while (next < end) {
        const char *feed = memchr (next, '\n', (size_t) (end - next));
        size_t size = feed != NULL ? (size_t) (feed - next) : (size_t) (end - next);
        int match = matches (&self->regex, next, size);
        if (match < 0) {
            return match;
        }
        if (match > 0) {
            if (!print_match (self, node->path, next, size)) {
                return COHORT_ENOMEM;
            }
            if (self->paths_only) {
                break;
            }
        }
        next += size + (feed != NULL);
    }
    return COHORT_OK;
}

int cmd_grep (const struct arguments *arguments)
{
    struct grep grep = {.format = arguments->settings.format,
                        .paths_only = arguments_has (arguments, 'l')};
    int flags = REG_EXTENDED | REG_NOSUB | (arguments_has (arguments, 'i') ? REG_ICASE : 0);
    int problem = regcomp (&grep.regex, arguments->operands[0], flags);
    if (problem != 0) {
        char text[128];
        regerror (problem, &grep.regex, text, sizeof text);
        message ("grep: '%s' is not a regular expression: %s", arguments->operands[0], text);
        return CLI_EXIT_USAGE;
    }
    struct survey survey = {
        .operand = 1, .flags = TOUR_DATA, .enter = on_data, .arg = &grep, .emit = &grep.emit};
    int code = survey_run (arguments, &survey);
    regfree (&grep.regex);
    return code == CLI_EXIT_OK && grep.found == 0 ? CLI_EXIT_FAILED : code;
}
