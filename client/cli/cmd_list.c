/* ls, getAllChildrenNumber. */

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/cli/tour.h"
#include "client/cli/watch_once.h"

struct listing {
    enum format format;
    bool with_stat;
    bool in_line; /* [a, b], as on a terminal */
    int64_t left; /* to be listed */
    size_t count;
    struct emit emit;
    cohort_list_options_t options;
};

static bool parse_filter (const char *text, int *filter)
{
    static const char *const names[] = {"all", "persistent", "ephemeral"};
    for (int i = 0; text != NULL && i < 3; i++) {
        if (strcmp (text, names[i]) == 0) {
            *filter = i;
            return true;
        }
    }
    if (text != NULL) {
        message ("--filter: '%s' is not a filter: all, persistent or ephemeral", text);
    }
    return text == NULL;
}

/* A name or path as JSON: a string, or with its stat an object. */
static json_t *item_json (const char *key, const char *value, const cohort_stat_t *stat,
                          bool with_stat)
{
    return with_stat ? json_pack ("{s:s, s:o}", key, value, "stat", output_json_stat (stat))
                     : json_string (value);
}

static int on_znode (const struct tour_node *node, void *arg)
{
    struct listing *self = arg;
    if (self->format == FORMAT_TEXT) {
        printf ("%s\n", node->path);
        return ferror (stdout) ? COHORT_ESYSTEM : COHORT_OK;
    }
    json_t *item = item_json ("path", node->path, node->stat, self->with_stat);
    return emit_item (&self->emit, item) ? COHORT_OK : COHORT_ENOMEM;
}

static void list_begin (struct listing *self)
{
    if (self->format != FORMAT_TEXT) {
        emit_begin (&self->emit, self->format);
    } else if (self->in_line) {
        fputc ('[', stdout);
    }
}

static void list_end (struct listing *self, int rc)
{
    if (self->format != FORMAT_TEXT && rc != COHORT_OK) {
        emit_cut (&self->emit);
    } else if (self->format != FORMAT_TEXT) {
        emit_end (&self->emit);
    } else if (self->in_line) {
        fputs ("]\n", stdout);
    }
}

static int list_subtree (struct session *session, const char *path, struct listing *self)
{
    self->in_line = false;
    list_begin (self);
    int rc = tour_run (session->client, path, 0, on_znode, NULL, self);
    list_end (self, rc);
    return session_result (session, ACTIVITY_READ, path, rc);
}

static bool list_page (struct listing *self, const cohort_page_t *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const cohort_child_t *child = &page->children[i];
        if (self->format != FORMAT_TEXT) {
            json_t *item = item_json ("name", child->name, &child->stat, self->with_stat);
            if (!emit_item (&self->emit, item)) {
                return false;
            }
        } else if (self->in_line) {
            printf ("%s%s", self->count > 0 ? ", " : "", child->name);
        } else {
            printf ("%s\n", child->name);
        }
        self->count++;
    }
    self->left -= (int64_t) page->count;
    return !ferror (stdout);
}

static int list_children (struct session *session, const char *path, struct listing *self)
{
    cohort_page_t *page = NULL, *previous = NULL;
    cohort_stat_t stat;
    bool first = true;
    int rc = COHORT_OK;
    do {
        self->options.limit = self->left < INT32_MAX ? (int) self->left : 0;
        rc = cohort_list (session->client, path, &self->options, &page, first ? &stat : NULL);
        cohort_page_destroy (&previous); /* the last name was in it */
        if (rc != COHORT_OK) {
            break;
        }
        if (first) {
            list_begin (self);
        }
        first = false;
        rc = list_page (self, page) ? COHORT_OK : COHORT_ENOMEM;
        self->options.after = page->next;
        previous = page;
    } while (rc == COHORT_OK && self->options.after != NULL && self->left > 0);
    cohort_page_destroy (&previous);
    if (!first) {
        list_end (self, rc);
    }
    int code = session_result (session, ACTIVITY_READ, path, rc);
    if (code == CLI_EXIT_OK && self->with_stat && self->format == FORMAT_TEXT) {
        output_stat (stdout, &stat);
    }
    return code;
}

int cmd_ls (const struct arguments *arguments)
{
    struct listing listing = {
        .format = arguments->settings.format,
        .with_stat = arguments_has (arguments, 's'),
        .in_line = isatty (STDOUT_FILENO) != 0,
        .options = {.size = sizeof listing.options,
                    .prefix = arguments_value (arguments, FLAG_PREFIX),
                    .after = arguments_value (arguments, FLAG_AFTER)},
    };
    if (!arguments_number (arguments, FLAG_LIMIT, 1, INT32_MAX - 1, INT64_MAX, &listing.left) ||
        !parse_filter (arguments_value (arguments, FLAG_FILTER), &listing.options.filter)) {
        return CLI_EXIT_USAGE;
    }
    bool recursive = arguments_has (arguments, 'R'), watched = arguments_has (arguments, 'w');
    bool linearizable = arguments_has (arguments, FLAG_LINEARIZABLE);
    if (recursive && (watched || linearizable)) {
        message ("ls: %s goes with a plain list only", watched ? "-w" : "--linearizable");
        return CLI_EXIT_USAGE;
    }
    bool narrowed = listing.options.prefix != NULL || listing.options.after != NULL ||
                    listing.options.filter != COHORT_LIST_ALL || listing.left != INT64_MAX;
    if (recursive && (narrowed || (listing.with_stat && listing.format == FORMAT_TEXT))) {
        message ("ls: %s goes with a plain list only (see: cohort help find)",
                 narrowed ? "--prefix, --filter, --after and --limit" : "-s without -o json");
        return CLI_EXIT_USAGE;
    }
    if (listing.with_stat && listing.format != FORMAT_TEXT) {
        listing.options.flags = COHORT_LIST_STAT;
    }
    listing.options.flags |= linearizable ? COHORT_LIST_LINEARIZABLE : 0;
    const char *path = arguments->operand_count > 0 ? arguments->operands[0] : "/";
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    struct watch_once watch;
    if (watched) {
        code = watch_once_set (&watch, &session, WATCH_ONCE_CHILDREN, path);
    }
    if (code == CLI_EXIT_OK) {
        code = recursive ? list_subtree (&session, path, &listing)
                         : list_children (&session, path, &listing);
    }
    if (code == CLI_EXIT_OK && watched) {
        code = watch_once_tell (&watch, &session, path);
    }
    session_close (&session);
    return code;
}

struct count {
    const char *path;
    cohort_read_options_t options;
    int64_t count;
};

static int call_count (cohort_t *client, void *arg)
{
    struct count *self = arg;
    return cohort_count (client, self->path, &self->options, &self->count, NULL);
}

int cmd_count (const struct arguments *arguments)
{
    struct count self = {.path = arguments->operands[0],
                         .options = {.size = sizeof self.options,
                                     .flags = arguments_has (arguments, FLAG_LINEARIZABLE)
                                                  ? COHORT_READ_LINEARIZABLE
                                                  : 0}};
    int code = session_call (&arguments->settings, ACTIVITY_READ, self.path, call_count, &self);
    if (code == CLI_EXIT_OK && arguments->settings.format != FORMAT_TEXT) {
        return emit_value (
            arguments->settings.format,
            json_pack ("{s:s, s:I}", "path", self.path, "count", (json_int_t) self.count));
    }
    if (code == CLI_EXIT_OK) {
        printf ("%" PRId64 "\n", self.count);
    }
    return code;
}
